#include "glib/sftp-private.h"

/* A whole file, read or written. */
typedef struct Whole {
    LyGOperation operation;
    LySftpReader *reader;
    LySftpWriter *writer;
    GByteArray *got;
    gsize max_len;
    char *path;
    GBytes *contents; /* to be written */
    gsize written;
} Whole;

static char read_tag;

static void clear(LyGOperation *operation)
{
    Whole *whole = (Whole *)operation;
    ly_sftp_reader_free(whole->reader);
    ly_sftp_writer_free(whole->writer);
    g_clear_pointer(&whole->got, g_byte_array_unref);
    g_clear_pointer(&whole->contents, g_bytes_unref);
    g_free(whole->path);
}

static void data_came(void *user, LyBytes data)
{
    Whole *whole = user;
    if (data.len > whole->max_len - whole->got->len) {
        LyError error = {0};
        ly_error_set(&error, LY_ERROR_LIMIT, "cannot read %s: it has more than %zu bytes",
                     LY_PRINTABLE(ly_bytes_str(whole->path)), whole->max_len);
        ly_goperation_fail(&whole->operation, &error);
        return;
    }
    g_byte_array_append(whole->got, data.data, (guint)data.len);
    ly_sftp_reader_consumed(whole->reader, data.len);
}

static void read_done(void *user, const LySftpOutcome *outcome)
{
    Whole *whole = user;
    GError *error = ly_gsftp_error(outcome);
    if (error)
        ly_goperation_fail_gerror(&whole->operation, error);
    else
        ly_goperation_return(&whole->operation, g_byte_array_free_to_bytes(g_steal_pointer(&whole->got)),
                             (GDestroyNotify)g_bytes_unref);
}

/* NULL: the callback is on its way. */
static Whole *begin(LyGSftp *self, gpointer tag, const char *path, GCancellable *cancellable,
                    GAsyncReadyCallback callback, gpointer user_data)
{
    Whole *whole = ly_gsftp_operation(self, sizeof *whole, tag, NULL, cancellable, callback, user_data);
    if (whole) {
        whole->operation.clear = clear;
        whole->path = g_strdup(path);
    }
    return whole;
}

void ly_gsftp_read_file_async(LyGSftp *self, const char *path, gsize max_len, GCancellable *cancellable,
                              GAsyncReadyCallback callback, gpointer user_data)
{
    Whole *whole = begin(self, &read_tag, path, cancellable, callback, user_data);
    if (!whole)
        return;
    LySftpReaderOptions options = {
        .path = ly_bytes_str(path), .len = UINT64_MAX, .data = data_came, .done = read_done, .user = whole};
    whole->got = g_byte_array_new();
    whole->max_len = MIN(max_len, G_MAXINT32); /* what a GByteArray holds */
    if (ly_gsftp_get_client(self))
        whole->reader = ly_sftp_reader_new(ly_gsftp_get_client(self), &options);
    if (!whole->reader)
        ly_goperation_fail_gerror(&whole->operation, ly_gsftp_not_asked(self, "open", path));
}

GBytes *ly_gsftp_read_file_finish(LyGSftp *self, GAsyncResult *result, GError **error)
{
    return ly_goperation_finish(self, result, &read_tag, error);
}

static void write_more(void *user)
{
    Whole *whole = user;
    gsize len;
    const void *data = g_bytes_get_data(whole->contents, &len);
    LyBytes rest = ly_bytes_slice(ly_bytes(data, len), whole->written, len);
    whole->written += rest.len ? ly_sftp_writer_write(whole->writer, rest) : 0;
    if (whole->written == len)
        ly_sftp_writer_finish(whole->writer);
}

static void write_done(void *user, const LySftpOutcome *outcome)
{
    ly_gsftp_outcome(user, outcome);
}

void ly_gsftp_write_file_async(LyGSftp *self, const char *path, GBytes *contents, guint32 mode,
                               GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
    Whole *whole = begin(self, ly_gsftp_done_tag(), path, cancellable, callback, user_data);
    if (!whole)
        return;
    LySftpWriterOptions options = {
        .path = ly_bytes_str(path), .mode = mode, .writable = write_more, .done = write_done, .user = whole};
    whole->contents = g_bytes_ref(contents);
    if (ly_gsftp_get_client(self))
        whole->writer = ly_sftp_writer_new(ly_gsftp_get_client(self), &options);
    if (whole->writer)
        write_more(whole);
    else
        ly_goperation_fail_gerror(&whole->operation, ly_gsftp_not_asked(self, "open", path));
}
