#include "glib/sftp-private.h"
#include "glib/stream-private.h"

/* What reads or writes a file for a stream, which may be gone before it. */
typedef struct File {
    LyGSftp *sftp;
    GWeakRef stream;
    LySftpReader *reader;
    LySftpWriter *writer;
} File;

static void file_free(void *data)
{
    File *file = data;
    ly_sftp_reader_free(file->reader);
    ly_sftp_writer_free(file->writer);
    g_weak_ref_clear(&file->stream);
    g_object_unref(file->sftp);
    ly_free(file);
}

static File *file_new(LyGSftp *sftp)
{
    File *file = ly_new(File);
    file->sftp = g_object_ref(sftp);
    g_weak_ref_init(&file->stream, NULL);
    return file;
}

/* Reading. */

static void data_came(void *user, LyBytes data)
{
    LyGInput *input = g_weak_ref_get(&((File *)user)->stream);
    if (input)
        ly_ginput_feed(input, data);
    g_clear_object(&input);
}

static void read_done(void *user, const LySftpOutcome *outcome)
{
    LyGInput *input = g_weak_ref_get(&((File *)user)->stream);
    if (input)
        ly_ginput_end(input, ly_gsftp_error(outcome));
    g_clear_object(&input);
}

static void consumed(gpointer owner, gsize len)
{
    ly_sftp_reader_consumed(((File *)owner)->reader, len);
}

GInputStream *ly_gsftp_open_read(LyGSftp *self, const char *path, guint64 start, guint64 len, GError **error)
{
    static const LyGInputFrom from = {.consumed = consumed, .closed = file_free};
    LySftpClient *client = ly_gsftp_get_client(self);
    File *file = file_new(self);
    LySftpReaderOptions options = {.path = ly_bytes_str(path),
                                   .start = start,
                                   .len = len,
                                   .data = data_came,
                                   .done = read_done,
                                   .user = file};
    file->reader = client ? ly_sftp_reader_new(client, &options) : NULL;
    if (!file->reader) {
        g_propagate_error(error, ly_gsftp_not_asked(self, "open", path));
        file_free(file);
        return NULL;
    }
    LyGInput *input = ly_ginput_new(ly_gsftp_loop(self), &from, file);
    g_weak_ref_set(&file->stream, input);
    return G_INPUT_STREAM(input);
}

/* Writing. */

static void writable(void *user)
{
    LyGOutput *output = g_weak_ref_get(&((File *)user)->stream);
    if (output)
        ly_goutput_writable(output);
    g_clear_object(&output);
}

static void write_done(void *user, const LySftpOutcome *outcome)
{
    LyGOutput *output = g_weak_ref_get(&((File *)user)->stream);
    if (output)
        ly_goutput_end(output, ly_gsftp_error(outcome));
    g_clear_object(&output);
}

static gsize write_data(gpointer owner, LyBytes data)
{
    return ly_sftp_writer_write(((File *)owner)->writer, data);
}

static void finish(gpointer owner)
{
    ly_sftp_writer_finish(((File *)owner)->writer);
}

GOutputStream *ly_gsftp_open_write(LyGSftp *self, const char *path, guint32 pflags, guint32 mode,
                                   guint64 start, GError **error)
{
    static const LyGOutputTo to = {.write = write_data, .finish = finish, .waits = TRUE, .gone = file_free};
    LySftpClient *client = ly_gsftp_get_client(self);
    File *file = file_new(self);
    LySftpWriterOptions options = {.path = ly_bytes_str(path),
                                   .pflags = pflags,
                                   .mode = mode,
                                   .start = start,
                                   .writable = writable,
                                   .done = write_done,
                                   .user = file};
    file->writer = client ? ly_sftp_writer_new(client, &options) : NULL;
    if (!file->writer) {
        g_propagate_error(error, ly_gsftp_not_asked(self, "open", path));
        file_free(file);
        return NULL;
    }
    LyGOutput *output = ly_goutput_new(ly_gsftp_loop(self), &to, file);
    g_weak_ref_set(&file->stream, output);
    return G_OUTPUT_STREAM(output);
}
