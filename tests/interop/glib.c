/* glib PORT FOLDER: core/glib as a program uses it, against a real server at 127.0.0.1 whose user may sign in
 * with the key FOLDER/key and whose host key is in FOLDER/known_hosts. Prints "ok NAME" or "not ok NAME:
 * why". FOLDER is the server's too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "glib/listener.h"
#include "glib/sftp.h"

#define MUCH ((gsize)20 << 20)

typedef struct Test {
    guint16 port;
    const char *folder;
    LyGClient *client;
    GAsyncResult *result;
    GError *error;
    unsigned failures;
} Test;

static void came(GObject *source, GAsyncResult *result, gpointer user_data)
{
    ((Test *)user_data)->result = g_object_ref(result);
}

/* The result of the _async function that was just called, until the next. */
static GAsyncResult *await(Test *test)
{
    static GAsyncResult *last;
    g_clear_object(&last);
    while (!test->result)
        g_main_context_iteration(NULL, TRUE);
    return last = g_steal_pointer(&test->result);
}

static void check(Test *test, const char *name, gboolean good)
{
    if (good && !test->error) {
        printf("ok %s\n", name);
    } else {
        printf("not ok %s: %s\n", name, test->error ? test->error->message : "not as it should be");
        test->failures++;
    }
    g_clear_error(&test->error);
}

static char *in_folder(const Test *test, const char *name)
{
    return g_build_filename(test->folder, name, NULL);
}

static LyGClient *new_client(Test *test)
{
    char *settings[] = {g_strdup_printf("UserKnownHostsFile=%s/known_hosts", test->folder),
                        g_strdup_printf("IdentityFile=%s/key", test->folder),
                        g_strdup("IdentitiesOnly=yes"),
                        g_strdup("IdentityAgent=none"),
                        g_strdup("GlobalKnownHostsFile=none"),
                        NULL};
    LyDestinationOptions options = {.host = "127.0.0.1",
                                    .port = test->port,
                                    .config_file = "none",
                                    .settings = (const char *const *)settings};
    LyGClient *client = ly_gclient_new(&options, &test->error);
    for (char **setting = settings; *setting; setting++)
        g_free(*setting);
    return client;
}

static LyGChannel *run(Test *test, LyGClient *client, const char *command)
{
    LyProgramOptions options = {.kind = LY_PROGRAM_COMMAND, .command = ly_bytes_str(command)};
    ly_gclient_run_async(client, &options, NULL, came, test);
    return ly_gclient_channel_finish(client, await(test), &test->error);
}

/* All output of a command as text. */
static char *output_of(Test *test, LyGClient *client, const char *command, LyProgramEnd *end)
{
    LyGChannel *channel = run(test, client, command);
    if (!channel)
        return NULL;
    GDataInputStream *input = g_data_input_stream_new(g_io_stream_get_input_stream(G_IO_STREAM(channel)));
    g_data_input_stream_read_upto_async(input, "\n", 1, 0, NULL, came, test);
    char *text = g_data_input_stream_read_upto_finish(input, await(test), NULL, &test->error);
    ly_gchannel_wait_async(channel, NULL, came, test);
    ly_gchannel_wait_finish(channel, await(test), end, test->error ? NULL : &test->error);
    g_object_unref(input);
    g_object_unref(channel);
    return text;
}

static void test_command(Test *test)
{
    LyProgramEnd end = {0};
    char *text = output_of(test, test->client, "echo said; exit 3", &end);
    check(test, "glib-command", g_strcmp0(text, "said") == 0 && end.exited && end.status == 3);
    g_free(text);
    LyGChannel *channel = run(test, test->client, "kill -TERM $$; sleep 100");
    if (channel) {
        ly_gchannel_wait_async(channel, NULL, came, test);
        ly_gchannel_wait_finish(channel, await(test), &end, &test->error);
    }
    check(test, "glib-signal", channel && end.signalled && ly_bytes_is(end.signal, "TERM"));
    g_clear_object(&channel);
}

/* Through cat and back. */
static void test_splice(Test *test)
{
    LyGChannel *channel = run(test, test->client, "cat");
    guint8 *data = g_malloc(MUCH);
    for (gsize i = 0; i < MUCH; i++)
        data[i] = (guint8)(i * 13 + (i >> 12));
    GInputStream *from = g_memory_input_stream_new_from_data(data, (gssize)MUCH, NULL);
    GOutputStream *to = g_memory_output_stream_new_resizable();
    gboolean good = FALSE;
    if (channel) {
        GIOStream *stream = G_IO_STREAM(channel);
        g_output_stream_splice_async(g_io_stream_get_output_stream(stream), from,
                                     G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET, 0, NULL, NULL, NULL);
        g_output_stream_splice_async(to, g_io_stream_get_input_stream(stream), 0, 0, NULL, came, test);
        good = g_output_stream_splice_finish(to, await(test), &test->error) == (gssize)MUCH &&
               memcmp(g_memory_output_stream_get_data(G_MEMORY_OUTPUT_STREAM(to)), data, MUCH) == 0;
        g_object_unref(channel);
    }
    check(test, "glib-splice", good);
    g_object_unref(from);
    g_object_unref(to);
    g_free(data);
}

/* From the first connection through the server to the server again. */
static void test_hop(Test *test)
{
    ly_gclient_open_tcp_async(test->client, "127.0.0.1", test->port, NULL, came, test);
    LyGChannel *channel = ly_gclient_channel_finish(test->client, await(test), &test->error);
    LyGClient *second = channel ? new_client(test) : NULL;
    char *text = NULL;
    if (second) {
        LyProgramEnd end;
        ly_gclient_connect_over_async(second, G_IO_STREAM(channel), NULL, came, test);
        if (ly_gclient_connect_finish(second, await(test), &test->error))
            text = output_of(test, second, "echo far", &end);
        g_object_unref(second);
    }
    g_clear_object(&channel);
    check(test, "glib-hop", g_strcmp0(text, "far") == 0);
    g_free(text);
}

static void visited(LyGListener *listener, LyGChannel *channel, gpointer open, gpointer data)
{
    *(LyGChannel **)data = g_object_ref(channel);
}

/* The server listens; a command there visits. */
static void test_listen(Test *test)
{
    LyForwardEnd where = {.host = "localhost"};
    LyGChannel *visitor = NULL;
    ly_gclient_listen_async(test->client, &where, NULL, came, test);
    LyGChannel *channel = NULL;
    LyGListener *listener = ly_gclient_listen_finish(test->client, await(test), &test->error);
    if (listener) {
        g_signal_connect(listener, "channel", G_CALLBACK(visited), &visitor);
        char *command = g_strdup_printf("exec bash -c 'echo visit >/dev/tcp/127.0.0.1/%u'",
                                        ly_glistener_get_port(listener));
        channel = run(test, test->client, command);
        while (channel && !visitor)
            g_main_context_iteration(NULL, TRUE);
        g_free(command);
    }
    char got[6] = "";
    if (visitor)
        g_input_stream_read_all(g_io_stream_get_input_stream(G_IO_STREAM(visitor)), got, 5, NULL, NULL,
                                &test->error);
    check(test, "glib-listen", strcmp(got, "visit") == 0);
    g_clear_object(&channel); /* not before: the command might get SIGHUP */
    g_clear_object(&visitor);
    g_clear_object(&listener);
}

static void test_sftp(Test *test)
{
    ly_gsftp_open_async(test->client, NULL, NULL, came, test);
    LyGSftp *sftp = ly_gsftp_open_finish(test->client, await(test), &test->error);
    check(test, "glib-sftp-open", sftp != NULL);
    if (!sftp)
        return;
    char *key = in_folder(test, "key"), *copy = in_folder(test, "copy"), *back = in_folder(test, "back");
    char *one = NULL, *two = NULL;
    ly_gsftp_put_async(sftp, key, copy, NULL, NULL, NULL, NULL, came, test);
    ly_gsftp_transfer_finish(sftp, await(test), NULL, &test->error);
    check(test, "glib-put", TRUE);
    ly_gsftp_get_async(sftp, copy, back, NULL, NULL, NULL, NULL, came, test);
    ly_gsftp_transfer_finish(sftp, await(test), NULL, &test->error);
    g_file_get_contents(key, &one, NULL, NULL);
    g_file_get_contents(back, &two, NULL, NULL);
    check(test, "glib-get", one && g_strcmp0(one, two) == 0);
    ly_gsftp_list_async(sftp, test->folder, NULL, came, test);
    GPtrArray *entries = ly_gsftp_list_finish(sftp, await(test), &test->error);
    gboolean seen = FALSE;
    for (guint i = 0; entries && i < entries->len; i++)
        seen |= strcmp(((LyGSftpEntry *)entries->pdata[i])->name, "copy") == 0;
    check(test, "glib-list", seen);
    LySftpAttrs attrs;
    ly_gsftp_stat_async(sftp, "/nonexistent", NULL, came, test);
    gboolean found = ly_gsftp_attrs_finish(sftp, await(test), &attrs, &test->error);
    gboolean right = !found && g_error_matches(test->error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
    g_clear_error(&test->error);
    check(test, "glib-stat", right);
    if (entries)
        g_ptr_array_unref(entries);
    g_object_unref(sftp);
    g_free(key);
    g_free(copy);
    g_free(back);
    g_free(one);
    g_free(two);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    Test test = {.port = (guint16)atoi(argv[1]), .folder = argv[2]};
    setvbuf(stdout, NULL, _IOLBF, 0);
    test.client = new_client(&test);
    if (test.client) {
        ly_gclient_connect_async(test.client, NULL, came, &test);
        ly_gclient_connect_finish(test.client, await(&test), &test.error);
    }
    gboolean connected = test.client && !test.error;
    check(&test, "glib-connect", connected);
    if (connected) {
        test_command(&test);
        test_splice(&test);
        test_hop(&test);
        test_listen(&test);
        test_sftp(&test);
    }
    g_clear_object(&test.client);
    for (int i = 0; i < 100; i++) /* what was closed in the background is */
        g_main_context_iteration(NULL, FALSE);
    return test.failures != 0;
}
