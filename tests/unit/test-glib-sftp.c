/* core/glib's SFTP: requests, files, streams, trees, cancelling, the end of the session; the server's
 * directory backend serves a temporary folder. */
#include "glib-rig.h"

#include <fcntl.h>
#include <glib/gstdio.h>

#include "glib/sftp.h"

typedef struct SRig {
    GRig rig;
    char *dir;
    LyGSftp *sftp;
    GError *error;
    GAsyncResult *result;
} SRig;

static void start(SRig *self)
{
    *self = (SRig){0};
    rig_init(&self->rig);
    self->dir = g_dir_make_tmp("lanyard-glib-XXXXXX", NULL);
    self->rig.options.root = self->dir;
    rig_connect(&self->rig);
    ly_gsftp_open_async(self->rig.client, NULL, NULL, keep_result, &self->result);
    ITERATE_UNTIL(self->result);
    self->sftp = ly_gsftp_open_finish(self->rig.client, self->result, &self->error);
    g_assert_no_error(self->error);
    g_clear_object(&self->result);
}

static void finish(SRig *self)
{
    const char *const argv[] = {"rm", "-rf", self->dir, NULL};
    g_clear_object(&self->result);
    g_clear_object(&self->sftp);
    rig_clear(&self->rig);
    g_assert_true(
        g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL));
    g_free(self->dir);
}

/* What _async(...) of the session brought, by this _finish. */
#define CALL(self, name, ...)                                                                                \
    do {                                                                                                     \
        g_clear_object(&(self)->result);                                                                     \
        ly_gsftp_##name##_async((self)->sftp, __VA_ARGS__, NULL, keep_result, &(self)->result);              \
        ITERATE_UNTIL((self)->result);                                                                       \
    } while (0)

static void assert_done(SRig *self)
{
    gboolean good = ly_gsftp_finish(self->sftp, self->result, &self->error);
    g_assert_no_error(self->error);
    g_assert_true(good);
}

static void assert_failed(SRig *self, int code)
{
    g_assert_false(ly_gsftp_finish(self->sftp, self->result, &self->error));
    g_assert_error(self->error, G_IO_ERROR, code);
    g_clear_error(&self->error);
}

static void write_text(SRig *self, const char *path, const char *text)
{
    GBytes *bytes = g_bytes_new_static(text, strlen(text));
    CALL(self, write_file, path, bytes, 0600);
    assert_done(self);
    g_bytes_unref(bytes);
}

static void test_requests(void)
{
    SRig self;
    LySftpAttrs attrs = {0};
    start(&self);
    CALL(&self, mkdir, "d", 0700);
    assert_done(&self);
    CALL(&self, mkdir, "d", 0700);
    assert_failed(&self, G_IO_ERROR_FAILED);
    write_text(&self, "d/one", "first");
    CALL(&self, stat, "d/one");
    g_assert_true(ly_gsftp_attrs_finish(self.sftp, self.result, &attrs, &self.error));
    g_assert_cmpuint(attrs.size, ==, 5);
    g_assert_cmpuint(attrs.permissions & 0777, ==, 0600);
    attrs = (LySftpAttrs){.flags = SSH_FILEXFER_ATTR_PERMISSIONS, .permissions = 0640};
    CALL(&self, setstat, "d/one", &attrs);
    assert_done(&self);
    CALL(&self, symlink, "d/link", "one");
    assert_done(&self);
    CALL(&self, hardlink, "d/one", "d/hard");
    assert_done(&self);
    CALL(&self, lstat, "d/link");
    g_assert_true(ly_gsftp_attrs_finish(self.sftp, self.result, &attrs, &self.error));
    g_assert_true(S_ISLNK(attrs.permissions));
    CALL(&self, readlink, "d/link");
    char *target = ly_gsftp_path_finish(self.sftp, self.result, &self.error);
    g_assert_cmpstr(target, ==, "one");
    g_free(target);
    CALL(&self, realpath, "d/..");
    char *path = ly_gsftp_path_finish(self.sftp, self.result, &self.error);
    g_assert_cmpstr(path, ==, "/");
    g_free(path);
    LySftpStatvfs statvfs = {0};
    CALL(&self, statvfs, ".");
    g_assert_true(ly_gsftp_statvfs_finish(self.sftp, self.result, &statvfs, &self.error));
    g_assert_cmpuint(statvfs.bsize, >, 0);
    CALL(&self, rename, "d/one", "d/hard", FALSE);
    assert_failed(&self, G_IO_ERROR_FAILED);
    CALL(&self, rename, "d/one", "d/two", FALSE);
    assert_done(&self);
    write_text(&self, "d/three", "third");
    CALL(&self, rename, "d/three", "d/two", TRUE);
    assert_done(&self);
    CALL(&self, rmdir, "d");
    assert_failed(&self, G_IO_ERROR_FAILED);
    CALL(&self, remove, "d/nothing");
    g_assert_false(ly_gsftp_finish(self.sftp, self.result, &self.error));
    g_assert_error(self.error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
    g_assert_true(g_str_has_prefix(self.error->message, "cannot remove d/nothing: "));
    g_clear_error(&self.error);
    finish(&self);
}

static void test_list(void)
{
    SRig self;
    start(&self);
    for (int i = 0; i < 300; i++) {
        char *path = g_strdup_printf("%s/entry%03d", self.dir, i);
        g_assert_true(g_file_set_contents(path, "xxxxxx", i % 7, NULL));
        g_free(path);
    }
    CALL(&self, list, ".");
    GPtrArray *entries = ly_gsftp_list_finish(self.sftp, self.result, &self.error);
    g_assert_no_error(self.error);
    g_assert_cmpuint(entries->len, ==, 300);
    gboolean seen[300] = {0};
    for (guint i = 0; i < entries->len; i++) {
        const LyGSftpEntry *entry = entries->pdata[i];
        int number = atoi(entry->name + strlen("entry"));
        g_assert_false(seen[number]);
        seen[number] = TRUE;
        g_assert_cmpuint(entry->attrs.size, ==, (guint)number % 7);
        g_assert_nonnull(strstr(entry->longname, entry->name));
    }
    g_ptr_array_unref(entries);
    CALL(&self, list, "nowhere");
    g_assert_null(ly_gsftp_list_finish(self.sftp, self.result, &self.error));
    g_assert_error(self.error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
    g_clear_error(&self.error);
    finish(&self);
}

static guint8 *pattern(gsize len)
{
    guint8 *data = g_malloc(len);
    for (gsize i = 0; i < len; i++)
        data[i] = (guint8)(i * 7 + (i >> 11));
    return data;
}

static void test_files(void)
{
    SRig self;
    gsize len = 3000001;
    guint8 *data = pattern(len);
    start(&self);
    GBytes *bytes = g_bytes_new_take(data, len), *empty = g_bytes_new(NULL, 0);
    CALL(&self, write_file, "big", bytes, G_MAXUINT32);
    assert_done(&self);
    CALL(&self, read_file, "big", G_MAXSIZE);
    GBytes *got = ly_gsftp_read_file_finish(self.sftp, self.result, &self.error);
    g_assert_no_error(self.error);
    g_assert_true(g_bytes_equal(got, bytes));
    g_bytes_unref(got);
    CALL(&self, read_file, "big", len - 1);
    g_assert_null(ly_gsftp_read_file_finish(self.sftp, self.result, &self.error));
    g_assert_error(self.error, LY_GERROR, LY_ERROR_LIMIT);
    g_clear_error(&self.error);
    CALL(&self, write_file, "empty", empty, 0644);
    assert_done(&self);
    CALL(&self, read_file, "empty", 0);
    got = ly_gsftp_read_file_finish(self.sftp, self.result, &self.error);
    g_assert_cmpuint(g_bytes_get_size(got), ==, 0);
    g_bytes_unref(got);
    CALL(&self, read_file, "missing", 100);
    g_assert_null(ly_gsftp_read_file_finish(self.sftp, self.result, &self.error));
    g_assert_error(self.error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
    g_clear_error(&self.error);
    CALL(&self, write_file, "no/where", empty, 0644);
    assert_failed(&self, G_IO_ERROR_NOT_FOUND);
    g_bytes_unref(bytes);
    g_bytes_unref(empty);
    finish(&self);
}

/* Out and in by splicing; from the middle; errors come with the first read and the close. */
static void test_streams(void)
{
    SRig self;
    gsize len = 9 << 20;
    guint8 *data = pattern(len);
    start(&self);
    GInputStream *memory = g_memory_input_stream_new_from_data(data, (gssize)len, NULL);
    GOutputStream *output = ly_gsftp_open_write(self.sftp, "file", 0, 0644, 0, &self.error);
    g_output_stream_splice_async(output, memory, G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET, 0, NULL, keep_result,
                                 &self.result);
    ITERATE_UNTIL(self.result);
    g_assert_cmpint(g_output_stream_splice_finish(output, self.result, &self.error), ==, len);
    g_assert_no_error(self.error);
    g_object_unref(output);
    g_object_unref(memory);
    g_clear_object(&self.result);
    char *path = g_build_filename(self.dir, "file", NULL), *there;
    gsize there_len;
    g_assert_true(g_file_get_contents(path, &there, &there_len, NULL));
    g_assert_cmpmem(there, there_len, data, len);
    g_free(there);
    GInputStream *input = ly_gsftp_open_read(self.sftp, "file", 0, G_MAXUINT64, &self.error);
    output = g_memory_output_stream_new_resizable();
    g_output_stream_splice_async(output, input, G_OUTPUT_STREAM_SPLICE_CLOSE_SOURCE, 0, NULL, keep_result,
                                 &self.result);
    ITERATE_UNTIL(self.result);
    g_assert_cmpint(g_output_stream_splice_finish(output, self.result, &self.error), ==, len);
    g_assert_cmpmem(g_memory_output_stream_get_data(G_MEMORY_OUTPUT_STREAM(output)), len, data, len);
    g_object_unref(output);
    g_object_unref(input);
    input = ly_gsftp_open_read(self.sftp, "file", 12345, 10, &self.error);
    char got[20];
    g_assert_cmpint(g_input_stream_read(input, got, sizeof got, NULL, &self.error), ==, 10);
    g_assert_cmpmem(got, 10, data + 12345, 10);
    g_assert_cmpint(g_input_stream_read(input, got, sizeof got, NULL, &self.error), ==, 0);
    g_object_unref(input);
    input = ly_gsftp_open_read(self.sftp, "missing", 0, G_MAXUINT64, &self.error);
    g_assert_cmpint(g_input_stream_read(input, got, sizeof got, NULL, &self.error), ==, -1);
    g_assert_error(self.error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
    g_clear_error(&self.error);
    g_object_unref(input);
    output = ly_gsftp_open_write(self.sftp, "no/where", 0, 0644, 0, &self.error);
    g_assert_no_error(self.error);
    g_assert_false(g_output_stream_close(output, NULL, &self.error));
    g_assert_error(self.error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
    g_clear_error(&self.error);
    g_object_unref(output);
    /* abandoned in the middle */
    input = ly_gsftp_open_read(self.sftp, "file", 0, G_MAXUINT64, &self.error);
    g_assert_cmpint(g_input_stream_read(input, got, sizeof got, NULL, &self.error), >, 0);
    g_object_unref(input);
    output = ly_gsftp_open_write(self.sftp, "half", 0, 0644, 0, &self.error);
    g_assert_cmpint(g_output_stream_write(output, data, len, NULL, &self.error), >, 0);
    g_object_unref(output);
    settle();
    g_free(path);
    g_free(data);
    finish(&self);
}

static void note_progress(goffset done, goffset total, gpointer data)
{
    goffset *last = data;
    g_assert_cmpint(done, >=, *last);
    *last = done;
}

static void test_transfer(void)
{
    SRig self;
    gsize len = 2500000;
    guint8 *data = pattern(len);
    guint64 copied = 0;
    goffset last = 0;
    start(&self);
    char *local = g_build_filename(self.dir, "local", NULL), *back = g_build_filename(self.dir, "back", NULL),
         *got;
    g_assert_true(g_file_set_contents(local, (char *)data, (gssize)len, NULL));
    CALL(&self, put, local, "remote", NULL, note_progress, &last);
    g_assert_true(ly_gsftp_transfer_finish(self.sftp, self.result, &copied, &self.error));
    g_assert_cmpuint(copied, ==, len);
    g_assert_cmpint(last, ==, len);
    last = 0;
    CALL(&self, get, "remote", back, NULL, note_progress, &last);
    g_assert_true(ly_gsftp_transfer_finish(self.sftp, self.result, NULL, &self.error));
    g_assert_cmpint(last, ==, len);
    gsize got_len;
    g_assert_true(g_file_get_contents(back, &got, &got_len, NULL));
    g_assert_cmpmem(got, got_len, data, len);
    g_free(got);
    CALL(&self, get, "missing", back, NULL, NULL, NULL);
    g_assert_false(ly_gsftp_transfer_finish(self.sftp, self.result, NULL, &self.error));
    g_clear_error(&self.error);
    CALL(&self, put, "/nonexistent/file", "remote", NULL, NULL, NULL);
    g_assert_false(ly_gsftp_transfer_finish(self.sftp, self.result, NULL, &self.error));
    g_assert_error(self.error, LY_GERROR, LY_ERROR_IO);
    g_clear_error(&self.error);
    g_free(local);
    g_free(back);
    g_free(data);
    finish(&self);
}

static bool count_entry(void *user, LyBytes path, unsigned depth, const LySftpAttrs *attrs)
{
    (*(guint *)user)++;
    return true;
}

static void test_trees(void)
{
    SRig self;
    guint count = 0;
    start(&self);
    CALL(&self, mkdir_parents, "a/b/c", 0755);
    assert_done(&self);
    write_text(&self, "a/b/c/file", "deep");
    write_text(&self, "a/file", "shallow");
    CALL(&self, walk, "a", count_entry, &count);
    assert_done(&self);
    g_assert_cmpuint(count, ==, 5);
    CALL(&self, copy_tree, "a", "z");
    assert_done(&self);
    CALL(&self, remove_tree, "a");
    assert_done(&self);
    CALL(&self, stat, "a");
    LySftpAttrs attrs;
    g_assert_false(ly_gsftp_attrs_finish(self.sftp, self.result, &attrs, &self.error));
    g_assert_error(self.error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
    g_clear_error(&self.error);
    CALL(&self, read_file, "z/b/c/file", 100);
    GBytes *got = ly_gsftp_read_file_finish(self.sftp, self.result, &self.error);
    g_assert_cmpmem(g_bytes_get_data(got, NULL), g_bytes_get_size(got), "deep", 4);
    g_bytes_unref(got);
    CALL(&self, remove_tree, "a");
    assert_failed(&self, G_IO_ERROR_NOT_FOUND);
    finish(&self);
}

/* Each kind of work, after none, one and a few turns of the context. */
static void test_cancel(void)
{
    SRig self;
    start(&self);
    char *local = g_build_filename(self.dir, "local", NULL), *back = g_build_filename(self.dir, "back", NULL);
    GBytes *bytes = g_bytes_new_take(pattern(4 << 20), 4 << 20);
    g_assert_true(g_file_set_contents(local, g_bytes_get_data(bytes, NULL), 4 << 20, NULL));
    CALL(&self, mkdir_parents, "t/u/v", 0755);
    assert_done(&self);
    for (int turns = 0; turns < 4; turns++) {
        for (int kind = 0; kind < 8; kind++) {
            guint count = 0;
            GCancellable *cancellable = g_cancellable_new();
            GAsyncResult *result = NULL;
            if (turns == 0)
                g_cancellable_cancel(cancellable);
            switch (kind) {
            case 0:
                ly_gsftp_stat_async(self.sftp, "local", cancellable, keep_result, &result);
                break;
            case 1:
                ly_gsftp_list_async(self.sftp, ".", cancellable, keep_result, &result);
                break;
            case 2:
                ly_gsftp_read_file_async(self.sftp, "local", G_MAXSIZE, cancellable, keep_result, &result);
                break;
            case 3:
                ly_gsftp_write_file_async(self.sftp, "other", bytes, 0600, cancellable, keep_result, &result);
                break;
            case 4:
                ly_gsftp_get_async(self.sftp, "local", back, NULL, NULL, NULL, cancellable, keep_result,
                                   &result);
                break;
            case 5:
                ly_gsftp_put_async(self.sftp, local, "other", NULL, NULL, NULL, cancellable, keep_result,
                                   &result);
                break;
            case 6:
                ly_gsftp_walk_async(self.sftp, "t", count_entry, &count, cancellable, keep_result, &result);
                break;
            default:
                ly_gsftp_open_async(self.rig.client, NULL, cancellable, keep_result, &result);
            }
            g_assert_null(result);
            for (int i = 1; i < turns; i++)
                g_main_context_iteration(NULL, FALSE);
            g_cancellable_cancel(cancellable);
            ITERATE_UNTIL(result);
            if (turns < 2) { /* nothing can have been answered by then */
                gpointer got = g_task_propagate_pointer(G_TASK(result), &self.error);
                g_assert_null(got);
                g_assert_error(self.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
                g_clear_error(&self.error);
            }
            g_object_unref(result);
            g_object_unref(cancellable);
        }
    }
    settle();
    /* the session is well */
    CALL(&self, stat, "local");
    LySftpAttrs attrs;
    g_assert_true(ly_gsftp_attrs_finish(self.sftp, self.result, &attrs, &self.error));
    g_bytes_unref(bytes);
    g_free(local);
    g_free(back);
    finish(&self);
}

static void note_closed(LyGSftp *sftp, gpointer error, gpointer log)
{
    g_string_append(log, "sftp-closed ");
}

/* The connection goes under open work; later work fails at once. */
static void test_connection_lost(void)
{
    SRig self;
    start(&self);
    char got[10];
    GAsyncResult *results[3] = {0};
    write_text(&self, "file", "text");
    GInputStream *input = ly_gsftp_open_read(self.sftp, "file", 0, G_MAXUINT64, &self.error);
    GOutputStream *output = ly_gsftp_open_write(self.sftp, "other", 0, 0600, 0, &self.error);
    g_signal_connect(self.sftp, "closed", G_CALLBACK(note_closed), self.rig.log);
    ly_gclient_disconnect(self.rig.client);
    ly_gsftp_stat_async(self.sftp, "file", NULL, keep_result, &results[0]);
    g_input_stream_read_async(input, got, sizeof got, 0, NULL, keep_result, &results[1]);
    g_output_stream_close_async(output, 0, NULL, keep_result, &results[2]);
    ITERATE_UNTIL(results[0] && results[1] && results[2]);
    LySftpAttrs attrs;
    g_assert_false(ly_gsftp_attrs_finish(self.sftp, results[0], &attrs, &self.error));
    g_assert_error(self.error, LY_GERROR, LY_ERROR_DISCONNECT);
    g_clear_error(&self.error);
    g_assert_cmpint(g_input_stream_read_finish(input, results[1], &self.error), ==, -1);
    g_assert_error(self.error, LY_GERROR, LY_ERROR_DISCONNECT);
    g_clear_error(&self.error);
    g_assert_false(g_output_stream_close_finish(output, results[2], &self.error));
    g_assert_error(self.error, LY_GERROR, LY_ERROR_DISCONNECT);
    g_clear_error(&self.error);
    ITERATE_UNTIL(strstr(self.rig.log->str, "sftp-closed"));
    g_assert_null(ly_gsftp_get_client(self.sftp));
    CALL(&self, mkdir, "later", 0700);
    g_assert_false(ly_gsftp_finish(self.sftp, self.result, &self.error));
    g_assert_cmpstr(self.error->message, ==, "cannot make the directory later: the SFTP session is over");
    g_clear_error(&self.error);
    g_assert_null(ly_gsftp_open_read(self.sftp, "file", 0, 1, NULL));
    for (int i = 0; i < 3; i++)
        g_object_unref(results[i]);
    g_object_unref(input);
    g_object_unref(output);
    finish(&self);
}

static void drop_session(GObject *source, GAsyncResult *result, gpointer user_data)
{
    SRig *self = user_data;
    g_assert_true(ly_gsftp_finish(self->sftp, result, NULL));
    g_clear_object(&self->sftp);
}

static void test_dropped(void)
{
    SRig self;
    start(&self);
    ly_gsftp_mkdir_async(self.sftp, "d", 0700, NULL, drop_session, &self);
    ITERATE_UNTIL(!self.sftp);
    finish(&self);
}

static void test_no_server(void)
{
    SRig self;
    LySftpOptions options = {.server = "/nonexistent/sftp-server"};
    start(&self);
    ly_gsftp_open_async(self.rig.client, &options, NULL, keep_result, &self.result);
    ITERATE_UNTIL(self.rig.served);
    ly_gchannel_exit_status(self.rig.served, 127);
    g_assert_true(g_io_stream_close(G_IO_STREAM(self.rig.served), NULL, NULL));
    ITERATE_UNTIL(self.result);
    g_assert_null(ly_gsftp_open_finish(self.rig.client, self.result, &self.error));
    g_assert_error(self.error, LY_GERROR, LY_ERROR_DISCONNECT);
    g_assert_cmpstr(self.error->message, ==,
                    "the SFTP server did not start, exit status 127 (it said nothing)");
    g_clear_error(&self.error);
    g_clear_object(&self.rig.served);
    finish(&self);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*func)(void);
    } tests[] = {
        {"requests", test_requests},   {"list", test_list},         {"files", test_files},
        {"streams", test_streams},     {"transfer", test_transfer}, {"trees", test_trees},
        {"cancel", test_cancel},       {"dropped", test_dropped},   {"connection-lost", test_connection_lost},
        {"no-server", test_no_server},
    };
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++) {
        char *path = g_strdup_printf("/glib-sftp/%s", tests[i].name);
        g_test_add_func(path, tests[i].func);
        g_free(path);
    }
    return g_test_run();
}
