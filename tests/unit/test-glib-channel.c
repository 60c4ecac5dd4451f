/* core/glib's channels as streams, both ends in one main context: read by lines, spliced, under TLS, from
 * other threads, under another connection; how they end. */
#include "connection/forward.h"
#include "glib-rig.h"

/* For example.test, self-signed, of this test alone. */
static const char certificate[] = "-----BEGIN PRIVATE KEY-----\n"
                                  "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgirSCGpNthont3jeN\n"
                                  "SNzwG5302LanKd3Mg7nl26ChSUOhRANCAAQ5nDYoulAb0PsLN2ntc+hdUojFBwwg\n"
                                  "XWq2B4ZcFsb/KaBGjCxwhOz12Tmij1cf58gESva2RySsLqQpG9jDLwY5\n"
                                  "-----END PRIVATE KEY-----\n"
                                  "-----BEGIN CERTIFICATE-----\n"
                                  "MIIBhDCCASugAwIBAgIUc3VatBcmjMVCetzV1IhXVI/4+HowCgYIKoZIzj0EAwIw\n"
                                  "FzEVMBMGA1UEAwwMZXhhbXBsZS50ZXN0MCAXDTI2MTEyMzAxMDk1OVoYDzIxMjYx\n"
                                  "MDMwMDEwOTU5WjAXMRUwEwYDVQQDDAxleGFtcGxlLnRlc3QwWTATBgcqhkjOPQIB\n"
                                  "BggqhkjOPQMBBwNCAAQ5nDYoulAb0PsLN2ntc+hdUojFBwwgXWq2B4ZcFsb/KaBG\n"
                                  "jCxwhOz12Tmij1cf58gESva2RySsLqQpG9jDLwY5o1MwUTAdBgNVHQ4EFgQUlnIR\n"
                                  "dHBJ4P5ocpllzOkEG3lbxeMwHwYDVR0jBBgwFoAUlnIRdHBJ4P5ocpllzOkEG3lb\n"
                                  "xeMwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiA5969eUymRM0Rq\n"
                                  "9Poz5y6TgrntF9b0GpA6cvb3PAduJwIgNT51PgIRvMwDIj4fiaN3ue/YOhDTsKaF\n"
                                  "dWZbVaHM/vk=\n"
                                  "-----END CERTIFICATE-----\n";

static GInputStream *input(gpointer stream)
{
    return g_io_stream_get_input_stream(stream);
}

static GOutputStream *output(gpointer stream)
{
    return g_io_stream_get_output_stream(stream);
}

/* All of the text, written in the background. */
static void send_text(gpointer stream, const char *text)
{
    GAsyncResult *result = NULL;
    g_output_stream_write_all_async(stream, text, strlen(text), 0, NULL, keep_result, &result);
    ITERATE_UNTIL(result);
    g_assert_true(g_output_stream_write_all_finish(stream, result, NULL, NULL));
    g_object_unref(result);
}

/* Up to the end of the file. */
static GBytes *receive_all(GInputStream *stream)
{
    GAsyncResult *result = NULL;
    GError *error = NULL;
    GOutputStream *memory = g_memory_output_stream_new_resizable();
    g_output_stream_splice_async(memory, stream, G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET, 0, NULL, keep_result,
                                 &result);
    ITERATE_UNTIL(result);
    g_output_stream_splice_finish(memory, result, &error);
    g_assert_no_error(error);
    GBytes *bytes = g_memory_output_stream_steal_as_bytes(G_MEMORY_OUTPUT_STREAM(memory));
    g_object_unref(memory);
    g_object_unref(result);
    return bytes;
}

static void assert_received(GInputStream *stream, const char *text)
{
    GBytes *bytes = receive_all(stream);
    g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), text, strlen(text));
    g_bytes_unref(bytes);
}

static void close_output(gpointer stream)
{
    GAsyncResult *result = NULL;
    g_output_stream_close_async(output(stream), 0, NULL, keep_result, &result);
    ITERATE_UNTIL(result);
    g_assert_true(g_output_stream_close_finish(output(stream), result, NULL));
    g_object_unref(result);
}

static void close_stream(gpointer stream)
{
    GAsyncResult *result = NULL;
    g_io_stream_close_async(stream, 0, NULL, keep_result, &result);
    ITERATE_UNTIL(result);
    g_assert_true(g_io_stream_close_finish(stream, result, NULL));
    g_object_unref(result);
}

/* --- a program --- */

static void test_lines(void)
{
    GRig rig;
    rig_init(&rig);
    rig_connect(&rig);
    GAsyncResult *result = NULL, *end_result = NULL;
    GError *error = NULL;
    LyGChannel *channel = rig_run(&rig, "lines");
    ly_gchannel_wait_async(channel, NULL, keep_result, &end_result);
    GDataInputStream *lines = g_data_input_stream_new(input(channel));
    send_text(ly_gchannel_get_stderr_output(rig.served), "complaint");
    send_text(output(rig.served), "one\ntw");
    for (int i = 0; i < 3; i++) {
        static const char *const expected[] = {"one", "two", NULL};
        g_data_input_stream_read_line_async(lines, 0, NULL, keep_result, &result);
        settle();
        if (i == 1)
            send_text(output(rig.served), "o\n");
        if (i == 2)
            close_output(rig.served);
        ITERATE_UNTIL(result);
        char *line = g_data_input_stream_read_line_finish(lines, result, NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(line, ==, expected[i]);
        g_free(line);
        g_clear_object(&result);
    }
    /* EOF was for both */
    g_assert_cmpint(g_output_stream_write(ly_gchannel_get_stderr_output(rig.served), "x", 1, NULL, &error),
                    ==, -1);
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CLOSED);
    g_clear_error(&error);
    /* the other way, half closed */
    send_text(output(channel), "input");
    close_output(channel);
    assert_received(input(rig.served), "input");
    ly_gchannel_exit_status(rig.served, 7);
    close_stream(rig.served);
    ITERATE_UNTIL(end_result);
    LyProgramEnd end = {0};
    g_assert_true(ly_gchannel_wait_finish(channel, end_result, &end, &error));
    g_assert_true(end.exited && end.status == 7 && !end.signalled);
    g_assert_true(ly_gchannel_is_closed(channel));
    assert_received(ly_gchannel_get_stderr(channel), "complaint");
    g_object_unref(end_result);
    g_object_unref(lines);
    g_object_unref(channel);
    rig_clear(&rig);
}

static gboolean note_request(LyGChannel *channel, gpointer data, gpointer log)
{
    const LyConnectionEvent *event = data;
    g_string_append_printf(log, "%.*s ", (int)event->text.len, (const char *)event->text.data);
    return FALSE;
}

static void test_requests(void)
{
    GRig rig;
    rig_init(&rig);
    rig_connect(&rig);
    GAsyncResult *result = NULL;
    GError *error = NULL;
    LyGChannel *channel = rig_run(&rig, "vi");
    g_signal_connect(rig.served, "request", G_CALLBACK(note_request), rig.log);
    ly_gchannel_resize(channel, 100, 50, 0, 0);
    ly_gchannel_signal(channel, "USR1");
    ly_gchannel_break(channel, 500);
    ITERATE_UNTIL(strstr(rig.log->str, "break"));
    g_assert_cmpstr(rig.log->str, ==, "window-change signal break ");
    ly_gchannel_wait_async(channel, NULL, keep_result, &result);
    ly_gchannel_exit_signal(rig.served, "KILL", TRUE, "no memory");
    close_stream(rig.served);
    ITERATE_UNTIL(result);
    LyProgramEnd end = {0};
    g_assert_true(ly_gchannel_wait_finish(channel, result, &end, &error));
    g_assert_true(end.signalled && end.core_dumped && ly_bytes_is(end.signal, "KILL") &&
                  ly_bytes_is(end.message, "no memory"));
    g_clear_object(&result);
    /* later: at once; and writing to it fails */
    ly_gchannel_wait_async(channel, NULL, keep_result, &result);
    ITERATE_UNTIL(result);
    g_assert_true(ly_gchannel_wait_finish(channel, result, NULL, &error));
    g_object_unref(result);
    g_assert_cmpint(g_output_stream_write(output(channel), "x", 1, NULL, &error), ==, -1);
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
    g_clear_error(&error);
    g_object_unref(channel);
    rig_clear(&rig);
}

static void test_refused(void)
{
    GRig rig;
    rig_init(&rig);
    rig_connect(&rig);
    GAsyncResult *result = NULL;
    GError *error = NULL;
    LyProgramOptions options = {.kind = LY_PROGRAM_COMMAND, .command = LY_BYTES("refused")};
    ly_gclient_run_async(rig.client, &options, NULL, keep_result, &result);
    ITERATE_UNTIL(result);
    g_assert_null(ly_gclient_channel_finish(rig.client, result, &error));
    g_assert_cmpint(error->domain, ==, LY_GERROR);
    g_assert_cmpstr(error->message, ==, "the server refused to run the command");
    g_clear_error(&error);
    g_clear_object(&result);
    ly_gclient_open_tcp_async(rig.client, "127.0.0.1", 1, NULL, keep_result, &result);
    ITERATE_UNTIL(result);
    g_assert_null(ly_gclient_channel_finish(rig.client, result, &error));
    g_assert_true(g_str_has_prefix(error->message, "the other side refused to open the channel: "));
    g_clear_error(&error);
    g_clear_object(&result);
    ly_gclient_no_more_sessions(rig.client);
    ly_gclient_run_async(rig.client, &options, NULL, keep_result, &result);
    ITERATE_UNTIL(result);
    g_assert_null(ly_gclient_channel_finish(rig.client, result, &error));
    g_clear_error(&error);
    g_object_unref(result);
    rig_clear(&rig);
}

/* --- cancelling --- */

static void test_cancel(void)
{
    for (int stage = 0; stage < 4; stage++) {
        GRig rig;
        rig_init(&rig);
        rig_connect(&rig);
        GAsyncResult *result = NULL;
        GError *error = NULL;
        GCancellable *cancellable = g_cancellable_new();
        LyProgramOptions options = {.kind = LY_PROGRAM_COMMAND, .command = LY_BYTES("sleep")};
        if (stage == 0)
            g_cancellable_cancel(cancellable);
        ly_gclient_run_async(rig.client, &options, cancellable, keep_result, &result);
        for (int i = 1; i < stage; i++)
            g_main_context_iteration(NULL, FALSE);
        g_cancellable_cancel(cancellable);
        ITERATE_UNTIL(result);
        LyGChannel *channel = ly_gclient_channel_finish(rig.client, result, &error);
        g_assert_null(channel);
        g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
        g_clear_error(&error);
        g_object_unref(result);
        g_object_unref(cancellable);
        settle();
        rig_clear(&rig);
    }
}

/* A read, a write that has no room, and a wait. */
static void test_cancel_streams(void)
{
    GRig rig;
    rig_init(&rig);
    rig_connect(&rig);
    GError *error = NULL;
    GAsyncResult *results[3] = {0};
    GCancellable *cancellable = g_cancellable_new();
    LyGChannel *channel = rig_run(&rig, "sleep");
    char got[10], *much = g_malloc0(8 << 20);
    g_input_stream_read_async(input(channel), got, sizeof got, 0, cancellable, keep_result, &results[0]);
    g_output_stream_write_all_async(output(channel), much, 8 << 20, 0, cancellable, keep_result, &results[1]);
    ly_gchannel_wait_async(channel, cancellable, keep_result, &results[2]);
    settle();
    g_assert_false(g_main_context_pending(NULL)); /* who waits does not turn */
    g_assert_null(results[0]);
    g_assert_null(results[1]);
    g_assert_null(results[2]);
    g_cancellable_cancel(cancellable);
    ITERATE_UNTIL(results[0] && results[1] && results[2]);
    g_assert_cmpint(g_input_stream_read_finish(input(channel), results[0], &error), ==, -1);
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    g_clear_error(&error);
    gsize written = 0;
    g_assert_false(g_output_stream_write_all_finish(output(channel), results[1], &written, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    g_assert_cmpuint(written, >, 1 << 20);
    g_clear_error(&error);
    g_assert_false(ly_gchannel_wait_finish(channel, results[2], NULL, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    g_clear_error(&error);
    for (int i = 0; i < 3; i++)
        g_object_unref(results[i]);
    /* the channel itself is well */
    send_text(output(rig.served), "well");
    close_output(rig.served);
    assert_received(input(channel), "well");
    g_free(much);
    g_object_unref(cancellable);
    g_object_unref(channel);
    rig_clear(&rig);
}

/* --- much, both ways --- */

static void test_splice(void)
{
    GRig rig;
    rig_init(&rig);
    rig_connect(&rig);
    GAsyncResult *sent = NULL;
    GError *error = NULL;
    LyGChannel *channel = rig_run(&rig, "cat");
    gsize len = 5 << 20;
    guint8 *data = g_malloc(len);
    for (gsize i = 0; i < len; i++)
        data[i] = (guint8)(i * 31 + (i >> 13));
    GInputStream *memory = g_memory_input_stream_new_from_data(data, (gssize)len, NULL);
    g_output_stream_splice_async(output(channel), memory,
                                 G_OUTPUT_STREAM_SPLICE_CLOSE_SOURCE | G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET, 0,
                                 NULL, keep_result, &sent);
    GBytes *got = receive_all(input(rig.served));
    ITERATE_UNTIL(sent);
    g_assert_cmpint(g_output_stream_splice_finish(output(channel), sent, &error), ==, len);
    g_assert_no_error(error);
    g_assert_cmpmem(g_bytes_get_data(got, NULL), g_bytes_get_size(got), data, len);
    g_bytes_unref(got);
    g_object_unref(sent);
    g_object_unref(memory);
    g_object_unref(channel);
    g_free(data);
    rig_clear(&rig);
}

/* Nobody asked for stderr: a flood of it does not stop the output. */
static void test_stderr_unasked(void)
{
    GRig rig;
    rig_init(&rig);
    rig_connect(&rig);
    LyGChannel *channel = rig_run(&rig, "noise");
    char *noise = g_strnfill(5 << 20, 'n');
    send_text(ly_gchannel_get_stderr_output(rig.served), noise);
    send_text(output(rig.served), "heard");
    close_output(rig.served);
    assert_received(input(channel), "heard");
    GBytes *kept = receive_all(ly_gchannel_get_stderr(channel));
    g_assert_cmpuint(g_bytes_get_size(kept), >, 0);
    g_assert_cmpuint(g_bytes_get_size(kept), <=, 65536);
    g_bytes_unref(kept);
    g_free(noise);
    g_object_unref(channel);
    rig_clear(&rig);
}

/* --- blocking functions --- */

static void test_blocking_here(void)
{
    GRig rig;
    rig_init(&rig);
    rig_connect(&rig);
    GError *error = NULL;
    LyGChannel *channel = rig_run(&rig, "echo");
    char got[20] = "";
    gsize len;
    g_assert_true(g_output_stream_write_all(output(channel), "there", 5, NULL, NULL, &error));
    g_assert_true(g_input_stream_read_all(input(rig.served), got, 5, &len, NULL, &error));
    g_assert_cmpstr(got, ==, "there");
    g_assert_true(g_output_stream_close(output(rig.served), NULL, &error));
    g_assert_cmpint(g_input_stream_read(input(channel), got, sizeof got, NULL, &error), ==, 0);
    GCancellable *cancellable = g_cancellable_new();
    g_timeout_add_once(20, (GSourceOnceFunc)g_cancellable_cancel, cancellable);
    g_assert_cmpint(g_input_stream_read(input(rig.served), got, sizeof got, cancellable, &error), ==, -1);
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    g_clear_error(&error);
    g_object_unref(cancellable);
    g_object_unref(channel);
    rig_clear(&rig);
}

typedef struct Elsewhere {
    LyGChannel *channel;
    gint done;
    gsize got;
} Elsewhere;

/* Writes three MiB, reads their echo, gives up a read, drops the last reference to the channel. */
static gpointer elsewhere(gpointer data)
{
    Elsewhere *self = data;
    GError *error = NULL;
    gsize len = 3 << 20, written;
    guint8 *bytes = g_malloc0(len);
    g_assert_true(g_output_stream_write_all(output(self->channel), bytes, len, &written, NULL, &error));
    g_assert_no_error(error);
    g_assert_true(g_input_stream_read_all(input(self->channel), bytes, len, &self->got, NULL, &error));
    GCancellable *cancellable = g_cancellable_new();
    g_atomic_int_set(&self->done, 1);
    g_timeout_add_once(20, (GSourceOnceFunc)g_cancellable_cancel, cancellable);
    g_assert_cmpint(g_input_stream_read(input(self->channel), bytes, 1, cancellable, &error), ==, -1);
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    g_clear_error(&error);
    g_object_unref(cancellable);
    g_free(bytes);
    g_object_unref(self->channel);
    g_atomic_int_set(&self->done, 2);
    return NULL;
}

static void test_blocking_elsewhere(void)
{
    GRig rig;
    rig_init(&rig);
    rig_connect(&rig);
    GAsyncResult *echoed = NULL;
    Elsewhere self = {.channel = rig_run(&rig, "cat")};
    LyGChannel *served = rig.served;
    GThread *thread = g_thread_new("elsewhere", elsewhere, &self);
    g_output_stream_splice_async(output(served), input(served), 0, 0, NULL, keep_result, &echoed);
    ITERATE_UNTIL(g_atomic_int_get(&self.done) == 2 && echoed);
    g_thread_join(thread);
    g_assert_cmpuint(self.got, ==, 3 << 20);
    g_object_unref(echoed);
    rig_clear(&rig);
}

static void wait_inside(LyGClient *client, gpointer names, gboolean initial, gpointer data)
{
    GError *error = NULL;
    char got;
    g_assert_cmpint(g_input_stream_read(data, &got, 1, NULL, &error), ==, -1);
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);
    g_error_free(error);
    g_object_set_data(G_OBJECT(client), "asked", client);
}

/* From within the library's own callbacks it would wait for ever: refused. */
static void test_blocking_inside(void)
{
    GRig rig;
    rig_init(&rig);
    rig_connect(&rig);
    LyGChannel *channel = rig_run(&rig, "sleep");
    g_signal_connect(rig.client, "handshake", G_CALLBACK(wait_inside), input(channel));
    ly_gclient_rekey(rig.client);
    ITERATE_UNTIL(g_object_get_data(G_OBJECT(rig.client), "asked"));
    g_object_unref(channel);
    rig_clear(&rig);
}

/* --- TLS, hops, sockets --- */

static gboolean any_certificate(GTlsConnection *tls, GTlsCertificate *peer, GTlsCertificateFlags wrong,
                                gpointer data)
{
    return TRUE;
}

static void test_tls(void)
{
    if (!g_tls_backend_supports_tls(g_tls_backend_get_default())) {
        g_test_skip("glib-networking is not installed");
        return;
    }
    GRig rig;
    rig_init(&rig);
    rig_connect(&rig);
    GError *error = NULL;
    GAsyncResult *results[2] = {0};
    LyGChannel *channel = rig_run(&rig, "tls");
    GTlsCertificate *own = g_tls_certificate_new_from_pem(certificate, -1, &error);
    g_assert_no_error(error);
    GIOStream *server = g_tls_server_connection_new(G_IO_STREAM(rig.served), own, &error);
    GIOStream *client = g_tls_client_connection_new(G_IO_STREAM(channel), NULL, &error);
    g_signal_connect(client, "accept-certificate", G_CALLBACK(any_certificate), NULL);
    g_tls_connection_handshake_async(G_TLS_CONNECTION(server), 0, NULL, keep_result, &results[0]);
    g_tls_connection_handshake_async(G_TLS_CONNECTION(client), 0, NULL, keep_result, &results[1]);
    ITERATE_UNTIL(results[0] && results[1]);
    g_tls_connection_handshake_finish(G_TLS_CONNECTION(server), results[0], &error);
    g_assert_no_error(error);
    g_tls_connection_handshake_finish(G_TLS_CONNECTION(client), results[1], &error);
    g_assert_no_error(error);
    char *text = g_strnfill(300000, 't');
    GAsyncResult *sent = NULL;
    g_output_stream_write_all_async(output(client), text, strlen(text), 0, NULL, keep_result, &sent);
    char *got = g_malloc0(strlen(text) + 1);
    g_clear_object(&results[0]);
    g_input_stream_read_all_async(input(server), got, strlen(text), 0, NULL, keep_result, &results[0]);
    ITERATE_UNTIL(sent && results[0]);
    g_assert_cmpstr(got, ==, text);
    close_stream(client);
    g_object_unref(sent);
    g_object_unref(results[0]);
    g_object_unref(results[1]);
    g_object_unref(client);
    g_object_unref(server);
    g_object_unref(own);
    g_object_unref(channel);
    g_free(text);
    g_free(got);
    rig_clear(&rig);
}

/* A connection under a connection: SSH over a direct-tcpip channel. */
static void test_hop(void)
{
    GRig rig;
    rig_init(&rig);
    rig_connect(&rig);
    GError *error = NULL;
    GAsyncResult *result = NULL;
    guint16 port = ly_gserver_listen(rig.server, "127.0.0.1", 0, &error);
    g_assert_no_error(error);
    ly_gclient_open_tcp_async(rig.client, "127.0.0.1", port, NULL, keep_result, &result);
    ITERATE_UNTIL(result);
    LyGChannel *channel = ly_gclient_channel_finish(rig.client, result, &error);
    g_assert_no_error(error);
    g_clear_object(&result);
    LyGClient *first = rig.client, *second = rig_new_client(&rig);
    ly_gclient_connect_over_async(second, G_IO_STREAM(channel), NULL, keep_result, &result);
    g_object_unref(channel);
    ITERATE_UNTIL(result);
    g_assert_true(ly_gclient_connect_finish(second, result, &error));
    g_assert_no_error(error);
    g_object_unref(result);
    g_assert_cmpuint(ly_gserver_get_connections(rig.server), ==, 2);
    rig.client = second;
    channel = rig_run(&rig, "far");
    send_text(output(rig.served), "from far away");
    close_output(rig.served);
    assert_received(input(channel), "from far away");
    g_object_unref(channel);
    g_object_unref(second);
    ITERATE_UNTIL(ly_gserver_get_connections(rig.server) == 1);
    rig.client = first;
    rig_clear(&rig);
}

static void test_unix(void)
{
    GRig rig;
    rig_init(&rig);
    rig_connect(&rig);
    GError *error = NULL;
    GAsyncResult *result = NULL;
    char *dir = g_dir_make_tmp("lanyard-glib-XXXXXX", NULL), *path = g_build_filename(dir, "ssh", NULL);
    g_assert_true(ly_gserver_listen_unix(rig.server, path, 0600, FALSE, &error));
    g_assert_false(ly_gserver_listen_unix(rig.server, path, 0600, FALSE, &error));
    g_assert_cmpint(error->domain, ==, LY_GERROR);
    g_clear_error(&error);
    ly_gclient_open_unix_async(rig.client, path, NULL, keep_result, &result);
    ITERATE_UNTIL(result);
    LyGChannel *channel = ly_gclient_channel_finish(rig.client, result, &error);
    g_assert_no_error(error);
    GDataInputStream *lines = g_data_input_stream_new(input(channel));
    char *ident = g_data_input_stream_read_line(lines, NULL, NULL, &error);
    g_assert_true(g_str_has_prefix(ident, "SSH-2.0-Lanyard"));
    g_free(ident);
    g_object_unref(lines);
    g_object_unref(channel);
    g_object_unref(result);
    ITERATE_UNTIL(ly_gserver_get_connections(rig.server) == 1);
    ly_gserver_stop_listening(rig.server);
    rmdir(dir);
    g_free(dir);
    g_free(path);
    rig_clear(&rig);
}

static gboolean take_channel(LyGClient *client, gpointer event, gpointer data)
{
    *(LyGChannel **)data = ly_gclient_accept(client, event);
    return TRUE;
}

/* The server opens one, which is refused before the client has asked for any of that type, and where nobody
 * takes it. */
static void test_server_opens(void)
{
    GRig rig;
    rig_init(&rig);
    rig_connect(&rig);
    GError *error = NULL;
    GAsyncResult *result = NULL;
    LyGChannel *taken = NULL, *program = NULL;
    LyX11Request x11 = {.protocol = LY_BYTES("MIT-MAGIC-COOKIE-1"), .cookie = LY_BYTES("00112233")};
    LyProgramOptions options = {.kind = LY_PROGRAM_SHELL, .x11 = &x11};
    LyBuf origin = {0};
    ly_put_x11_open(&origin, LY_BYTES("127.0.0.1"), 6000);
    for (int round = 0; round < 3; round++) {
        static const char *const refused[] = {"nobody asked for such channels", "not requested"};
        if (round == 1) {
            ly_gclient_run_async(rig.client, &options, NULL, keep_result, &result);
            ITERATE_UNTIL(result);
            program = ly_gclient_channel_finish(rig.client, result, &error);
            g_assert_no_error(error);
            g_clear_object(&result);
        }
        if (round == 2)
            g_signal_connect(rig.client, "open-channel", G_CALLBACK(take_channel), &taken);
        ly_gserver_open_async(rig.server, rig.connection, "x11", ly_buf_bytes(&origin), NULL, keep_result,
                              &result);
        ITERATE_UNTIL(result);
        LyGChannel *channel = ly_gserver_open_finish(rig.server, result, &error);
        g_clear_object(&result);
        if (round < 2) {
            g_assert_null(channel);
            g_assert_nonnull(strstr(error->message, refused[round]));
            g_clear_error(&error);
            continue;
        }
        g_assert_no_error(error);
        send_text(output(channel), "question");
        close_stream(channel);
        assert_received(input(taken), "question");
        g_object_unref(channel);
    }
    ly_buf_free(&origin);
    g_object_unref(program);
    g_object_unref(taken);
    rig_clear(&rig);
}

/* --- how they end --- */

static void test_connection_lost(void)
{
    GRig rig;
    rig_init(&rig);
    rig_connect(&rig);
    GError *error = NULL;
    GAsyncResult *results[2] = {0};
    LyGChannel *channel = rig_run(&rig, "sleep");
    char got[10];
    g_input_stream_read_async(input(channel), got, sizeof got, 0, NULL, keep_result, &results[0]);
    ly_gchannel_wait_async(channel, NULL, keep_result, &results[1]);
    ly_server_disconnect(rig.connection, SSH_DISCONNECT_BY_APPLICATION, "enough");
    ITERATE_UNTIL(results[0] && results[1] && strstr(rig.log->str, "closed"));
    g_assert_cmpint(g_input_stream_read_finish(input(channel), results[0], &error), ==, -1);
    g_assert_error(error, LY_GERROR, LY_ERROR_DISCONNECT);
    g_clear_error(&error);
    g_assert_false(ly_gchannel_wait_finish(channel, results[1], NULL, &error));
    g_assert_error(error, LY_GERROR, LY_ERROR_DISCONNECT);
    g_clear_error(&error);
    g_assert_cmpint(g_output_stream_write(output(channel), "x", 1, NULL, &error), ==, -1);
    g_assert_error(error, LY_GERROR, LY_ERROR_DISCONNECT);
    g_clear_error(&error);
    ly_gchannel_signal(channel, "TERM");
    ly_gchannel_resize(channel, 1, 1, 0, 0);
    g_assert_null(ly_gchannel_get_channel(channel));
    g_object_unref(results[0]);
    g_object_unref(results[1]);
    g_object_unref(channel);
    rig_clear(&rig);
}

static void drop_channel(GObject *source, GAsyncResult *result, gpointer user_data)
{
    LyGChannel **channel = user_data;
    GError *error = NULL;
    g_input_stream_read_finish(G_INPUT_STREAM(source), result, &error);
    g_clear_error(&error);
    g_clear_object(channel);
}

/* Streams outlive their channel, and whoever reads from one is told. */
static void test_dropped(void)
{
    GRig rig;
    rig_init(&rig);
    rig_connect(&rig);
    GError *error = NULL;
    GAsyncResult *result = NULL;
    LyGChannel *channel = rig_run(&rig, "one");
    GInputStream *stream = g_object_ref(input(channel));
    char got[10];
    g_input_stream_read_async(stream, got, sizeof got, 0, NULL, keep_result, &result);
    g_object_unref(channel);
    ITERATE_UNTIL(result);
    g_assert_cmpint(g_input_stream_read_finish(stream, result, &error), ==, -1);
    g_clear_error(&error);
    g_object_unref(result);
    g_object_unref(stream);
    ITERATE_UNTIL(ly_gchannel_is_closed(rig.served));
    /* the last reference from within a callback */
    channel = rig_run(&rig, "two");
    g_input_stream_read_async(input(channel), got, sizeof got, 0, NULL, drop_channel, &channel);
    send_text(output(rig.served), "x");
    ITERATE_UNTIL(!channel);
    /* a client that goes before its channel: the channel holds the connection */
    channel = rig_run(&rig, "three");
    g_clear_object(&rig.client);
    send_text(output(rig.served), "x");
    g_assert_cmpint(g_input_stream_read(input(channel), got, sizeof got, NULL, &error), ==, 1);
    g_object_unref(channel);
    g_clear_object(&rig.served);
    ITERATE_UNTIL(!ly_gserver_get_connections(rig.server));
    g_object_unref(rig.server);
    rig.server = NULL;
    rig.client = rig_new_client(&rig);
    rig_clear(&rig);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*func)(void);
    } tests[] = {
        {"lines", test_lines},
        {"requests", test_requests},
        {"refused", test_refused},
        {"cancel", test_cancel},
        {"cancel-streams", test_cancel_streams},
        {"splice", test_splice},
        {"stderr-unasked", test_stderr_unasked},
        {"blocking-here", test_blocking_here},
        {"blocking-elsewhere", test_blocking_elsewhere},
        {"blocking-inside", test_blocking_inside},
        {"tls", test_tls},
        {"hop", test_hop},
        {"unix", test_unix},
        {"server-opens", test_server_opens},
        {"connection-lost", test_connection_lost},
        {"dropped", test_dropped},
    };
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++) {
        char *path = g_strdup_printf("/glib-channel/%s", tests[i].name);
        g_test_add_func(path, tests[i].func);
        g_free(path);
    }
    return g_test_run();
}
