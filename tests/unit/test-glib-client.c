/* core/glib's client: connecting, questions, cancelling at each stage, the ways it ends. */
#include "glib-rig.h"

#include <gio/gunixsocketaddress.h>

#include "connection/forward.h"
#include "glib/listener.h"

static void test_loop(void)
{
    LyGLoop *one = ly_gloop_get(NULL, NULL), *two = ly_gloop_get(NULL, NULL);
    g_assert_true(one == two);
    g_assert_true(ly_gloop_context(one) == g_main_context_default());
    ly_gloop_unref(one);
    GMainContext *other = g_main_context_new();
    g_main_context_push_thread_default(other);
    LyGLoop *three = ly_gloop_get(NULL, NULL);
    g_assert_true(three != two);
    ly_gloop_unref(three);
    g_main_context_pop_thread_default(other);
    g_main_context_unref(other);
    ly_gloop_unref(two);
    g_assert_null(g_main_context_find_source_by_user_data(NULL, NULL));
}

static void fired(void *user)
{
    (*(guint *)user)++;
}

/* A timer's deadline wakes the context without anything to read. */
static void test_loop_timer(void)
{
    guint count = 0;
    LyGLoop *loop = ly_gloop_get(NULL, NULL);
    LyTimer *timer = ly_timer_new(ly_gloop_loop(loop), fired, &count);
    ly_timer_set(timer, ly_loop_now_us(ly_gloop_loop(loop)) + 20000);
    gint64 start_us = g_get_monotonic_time();
    while (!count)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpint(g_get_monotonic_time() - start_us, >=, 19000);
    ly_timer_free(timer);
    ly_gloop_unref(loop);
}

static void on_handshake(LyGClient *client, gpointer names, gboolean initial, gpointer data)
{
    const LyNegotiated *negotiated = names;
    g_string_append_printf(((GRig *)data)->log, "%s:%.*s ", initial ? "initial" : "later",
                           (int)negotiated->kex.len, (const char *)negotiated->kex.data);
}

static void on_text(LyGClient *client, gpointer text, gpointer data)
{
    const LyBytes *bytes = text;
    g_string_append_printf(((GRig *)data)->log, "text:%.*s ", (int)bytes->len, (const char *)bytes->data);
}

static void on_host_keys(LyGClient *client, gpointer keys, guint count, gpointer data)
{
    g_string_append_printf(((GRig *)data)->log, "keys:%u ", count);
}

static void test_events(void)
{
    GRig rig;
    rig_init(&rig);
    GAsyncResult *result = NULL;
    GError *error = NULL;
    rig.options.session.transport.greeting = "hello\r\n";
    rig.options.session.userauth.banner = "welcome";
    rig.options.announce_host_keys = true;
    rig_serve(&rig);
    guint16 port = ly_gserver_listen(rig.server, "127.0.0.1", 0, &error);
    g_assert_no_error(error);
    rig.destination.host = "127.0.0.1";
    rig.destination.port = port;
    rig.client = rig_new_client(&rig);
    g_signal_connect(rig.client, "handshake", G_CALLBACK(on_handshake), &rig);
    g_signal_connect(rig.client, "greeting", G_CALLBACK(on_text), &rig);
    g_signal_connect(rig.client, "banner", G_CALLBACK(on_text), &rig);
    g_signal_connect(rig.client, "host-keys", G_CALLBACK(on_host_keys), &rig);
    ly_gclient_connect_async(rig.client, NULL, keep_result, &result);
    g_assert_false(ly_gclient_is_connected(rig.client));
    ITERATE_UNTIL(result);
    g_assert_true(ly_gclient_connect_finish(rig.client, result, &error));
    g_assert_no_error(error);
    g_assert_true(ly_gclient_is_connected(rig.client));
    g_object_unref(result);
    ITERATE_UNTIL(strstr(rig.log->str, "keys:1"));
    ly_gclient_rekey(rig.client);
    ITERATE_UNTIL(strstr(rig.log->str, "later"));
    g_assert_cmpstr(rig.log->str, ==,
                    "text:hello initial:curve25519-sha256 text:welcome keys:1 later:curve25519-sha256 ");
    g_assert_cmpuint(ly_gserver_get_connections(rig.server), ==, 1);
    g_assert_cmpuint(ly_gserver_get_served(rig.server), ==, 1);
    g_string_truncate(rig.log, 0);
    ly_gclient_disconnect(rig.client);
    ITERATE_UNTIL(strstr(rig.log->str, "closed") && strstr(rig.log->str, "ended"));
    g_assert_null(ly_gclient_get_client(rig.client));
    ly_gclient_disconnect(rig.client);
    rig_clear(&rig);
}

/* --- questions --- */

static void on_ask(LyGClient *client, gpointer ask, gpointer data)
{
    g_string_append(((GRig *)data)->log, ((const LyAsk *)ask)->text);
}

static void on_next_attempt(LyGClient *client, gpointer next, gpointer data)
{
    LyAttempt attempt = {.kind = LY_ATTEMPT_PASSWORD, .password = LY_BYTES("wrong")};
    g_string_append(((GRig *)data)->log, ((const LyNextAttempt *)next)->first ? "first " : "next ");
    if (((const LyNextAttempt *)next)->first)
        ly_gclient_attempt(client, &attempt);
    else
        ly_gclient_give_up(client);
}

static bool only_password(void *user, LyServer *server, const LyUserauthRequest *request)
{
    if (request->method == LY_METHOD_PASSWORD && ly_bytes_is(request->password, "secret"))
        ly_userauth_server_accept(ly_server_userauth(server));
    else
        ly_userauth_server_refuse(ly_server_userauth(server), "password", false);
    ly_server_wake(server);
    return true;
}

/* 0: by a person, later; 1: by a list; 2: by a function that gives up. */
static void test_sign_in(gconstpointer data)
{
    int way = GPOINTER_TO_INT(data);
    GRig rig;
    rig_init(&rig);
    GAsyncResult *result = NULL;
    GError *error = NULL;
    rig.options.handlers.authenticate = only_password;
    rig_serve(&rig);
    rig.client = rig_new_client(&rig);
    if (way == 0)
        g_signal_connect(rig.client, "ask", G_CALLBACK(on_ask), &rig);
    if (way == 2)
        g_signal_connect(rig.client, "next-attempt", G_CALLBACK(on_next_attempt), &rig);
    GIOStream *ours = rig_pair(&rig);
    ly_gclient_connect_over_async(rig.client, ours, NULL, keep_result, &result);
    g_object_unref(ours);
    LyAttempt attempt = {.kind = LY_ATTEMPT_PASSWORD, .password = LY_BYTES("secret")};
    if (way == 1)
        ly_gclient_set_attempts(rig.client, &attempt, 1);
    if (way == 0) {
        ITERATE_UNTIL(rig.log->len);
        g_assert_cmpstr(rig.log->str, ==, "alice@example.test's password: ");
        settle();
        ly_gclient_answer(rig.client, "secret");
    }
    ITERATE_UNTIL(result);
    g_assert_cmpint(ly_gclient_connect_finish(rig.client, result, &error), ==, way != 2);
    if (way == 2) {
        g_assert_error(error, LY_GERROR, LY_ERROR_AUTH);
        g_assert_cmpstr(rig.log->str, ==, "first next ");
    }
    g_clear_error(&error);
    g_object_unref(result);
    rig_clear(&rig);
}

/* --- cancelling --- */

static void cancel(LyGClient *client, gpointer what, gpointer data)
{
    g_cancellable_cancel(data);
}

static void cancel_initial(LyGClient *client, gpointer names, gboolean initial, gpointer data)
{
    g_cancellable_cancel(data);
}

static bool never_answered(void *user, LyServer *server, const LyUserauthRequest *request)
{
    return true;
}

/* Before it begins, before the loop runs, at the host key, after the key exchange, while the server thinks.
 */
static void test_cancel_connect(gconstpointer data)
{
    int stage = GPOINTER_TO_INT(data);
    GRig rig;
    rig_init(&rig);
    GAsyncResult *result = NULL;
    GError *error = NULL;
    GCancellable *cancellable = g_cancellable_new();
    rig.options.handlers.authenticate = never_answered;
    rig_serve(&rig);
    rig.client = rig_new_client(&rig);
    GIOStream *ours = rig_pair(&rig);
    if (stage == 0)
        g_cancellable_cancel(cancellable);
    if (stage == 2)
        g_signal_connect(rig.client, "host-key", G_CALLBACK(cancel), cancellable);
    if (stage == 3)
        g_signal_connect(rig.client, "handshake", G_CALLBACK(cancel_initial), cancellable);
    ly_gclient_connect_over_async(rig.client, ours, cancellable, keep_result, &result);
    g_object_unref(ours);
    if (stage == 1)
        g_cancellable_cancel(cancellable);
    if (stage == 4) {
        settle();
        g_cancellable_cancel(cancellable);
    }
    g_assert_null(result); /* never from within the call */
    ITERATE_UNTIL(result);
    g_assert_false(ly_gclient_connect_finish(rig.client, result, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    g_clear_error(&error);
    g_object_unref(result);
    g_object_unref(cancellable);
    g_assert_null(strstr(rig.log->str, "closed"));
    rig_clear(&rig);
}

static void test_no_server(void)
{
    GRig rig;
    rig_init(&rig);
    GAsyncResult *result = NULL;
    GError *error = NULL;
    int fds[2];
    rig.client = rig_new_client(&rig);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==, 0);
    close(fds[0]);
    GIOStream *ours = socket_stream(fds[1]);
    ly_gclient_connect_over_async(rig.client, ours, NULL, keep_result, &result);
    g_object_unref(ours);
    ITERATE_UNTIL(result);
    g_assert_false(ly_gclient_connect_finish(rig.client, result, &error));
    g_assert_cmpint(error->domain, ==, LY_GERROR);
    g_clear_error(&error);
    g_clear_object(&result);
    /* nothing is opened without a connection */
    ly_gclient_open_tcp_async(rig.client, "localhost", 1, NULL, keep_result, &result);
    ITERATE_UNTIL(result);
    g_assert_null(ly_gclient_channel_finish(rig.client, result, &error));
    g_assert_error(error, LY_GERROR, LY_ERROR_DISCONNECT);
    g_clear_error(&error);
    g_object_unref(result);
    rig_clear(&rig);
}

/* What cannot be polled cannot carry it. */
static void test_not_pollable(void)
{
    GRig rig;
    rig_init(&rig);
    GAsyncResult *result = NULL;
    GError *error = NULL;
    rig.client = rig_new_client(&rig);
    GInputStream *in = g_buffered_input_stream_new(g_memory_input_stream_new());
    GOutputStream *out = g_memory_output_stream_new_resizable();
    GIOStream *stream = g_simple_io_stream_new(in, out);
    ly_gclient_connect_over_async(rig.client, stream, NULL, keep_result, &result);
    ITERATE_UNTIL(result);
    g_assert_false(ly_gclient_connect_finish(rig.client, result, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
    g_clear_error(&error);
    g_object_unref(result);
    g_object_unref(g_filter_input_stream_get_base_stream(G_FILTER_INPUT_STREAM(in)));
    g_object_unref(stream);
    g_object_unref(in);
    g_object_unref(out);
    rig_clear(&rig);
}

/* --- requests, listeners --- */

static void test_global_request(void)
{
    GRig rig;
    rig_init(&rig);
    rig_connect(&rig);
    GError *error = NULL;
    GAsyncResult *result = NULL;
    LyBuf data = {0};
    ly_gclient_global_request_async(rig.client, "nonsense@example.test", (LyBytes){0}, NULL, keep_result,
                                    &result);
    ITERATE_UNTIL(result);
    g_assert_null(ly_gclient_global_request_finish(rig.client, result, &error));
    g_assert_error(error, LY_GERROR, LY_ERROR_UNSUPPORTED);
    g_clear_error(&error);
    g_clear_object(&result);
    ly_put_tcpip_forward(&data, LY_BYTES("localhost"), 0);
    ly_gclient_global_request_async(rig.client, "tcpip-forward", ly_buf_bytes(&data), NULL, keep_result,
                                    &result);
    ITERATE_UNTIL(result);
    GBytes *reply = ly_gclient_global_request_finish(rig.client, result, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(g_bytes_get_size(reply), ==, 4);
    g_bytes_unref(reply);
    g_clear_object(&result);
    /* cancelled: the answer finds nobody */
    GCancellable *cancellable = g_cancellable_new();
    ly_gclient_global_request_async(rig.client, "nonsense@example.test", (LyBytes){0}, cancellable,
                                    keep_result, &result);
    g_cancellable_cancel(cancellable);
    ITERATE_UNTIL(result);
    g_assert_null(ly_gclient_global_request_finish(rig.client, result, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    g_clear_error(&error);
    settle();
    g_object_unref(cancellable);
    g_object_unref(result);
    ly_buf_free(&data);
    rig_clear(&rig);
}

static void keep_channel(LyGListener *listener, LyGChannel *channel, gpointer open, gpointer data)
{
    LyGChannel **kept = data;
    g_assert_null(*kept);
    *kept = g_object_ref(channel);
    if (ly_glistener_get_port(listener))
        g_assert_cmpuint(((const LyTcpipOpen *)open)->port, ==, ly_glistener_get_port(listener));
    else
        g_assert_null(open);
}

static void test_listen(gconstpointer data)
{
    GRig rig;
    rig_init(&rig);
    rig_connect(&rig);
    GError *error = NULL;
    GAsyncResult *result = NULL;
    LyGChannel *channel = NULL;
    char *dir = g_dir_make_tmp("lanyard-glib-XXXXXX", NULL), *path = g_build_filename(dir, "socket", NULL);
    LyForwardEnd where = {.host = "localhost", .path = data ? path : NULL};
    ly_gclient_listen_async(rig.client, &where, NULL, keep_result, &result);
    ITERATE_UNTIL(result);
    LyGListener *listener = ly_gclient_listen_finish(rig.client, result, &error);
    g_assert_no_error(error);
    g_clear_object(&result);
    g_signal_connect(listener, "channel", G_CALLBACK(keep_channel), &channel);
    GSocketClient *visitor = g_socket_client_new();
    GSocketAddress *address =
        data ? g_unix_socket_address_new(path)
             : g_inet_socket_address_new_from_string("127.0.0.1", ly_glistener_get_port(listener));
    g_socket_client_connect_async(visitor, G_SOCKET_CONNECTABLE(address), NULL, keep_result, &result);
    ITERATE_UNTIL(result && channel);
    GSocketConnection *connection = g_socket_client_connect_finish(visitor, result, &error);
    g_assert_no_error(error);
    g_clear_object(&result);
    char got[10] = "";
    g_output_stream_write_all(g_io_stream_get_output_stream(G_IO_STREAM(connection)), "visit", 5, NULL, NULL,
                              &error);
    g_assert_no_error(error);
    g_input_stream_read_all_async(g_io_stream_get_input_stream(G_IO_STREAM(channel)), got, 5, 0, NULL,
                                  keep_result, &result);
    ITERATE_UNTIL(result);
    g_assert_cmpstr(got, ==, "visit");
    g_clear_object(&result);
    ly_glistener_close(listener);
    g_object_unref(listener);
    settle();
    if (data)
        ITERATE_UNTIL(!g_file_test(path, G_FILE_TEST_EXISTS));
    g_object_unref(channel);
    g_object_unref(connection);
    g_object_unref(visitor);
    g_object_unref(address);
    rmdir(dir);
    g_free(dir);
    g_free(path);
    rig_clear(&rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/glib-client/loop", test_loop);
    g_test_add_func("/glib-client/loop-timer", test_loop_timer);
    g_test_add_func("/glib-client/events", test_events);
    g_test_add_data_func("/glib-client/sign-in/asked", GINT_TO_POINTER(0), test_sign_in);
    g_test_add_data_func("/glib-client/sign-in/list", GINT_TO_POINTER(1), test_sign_in);
    g_test_add_data_func("/glib-client/sign-in/give-up", GINT_TO_POINTER(2), test_sign_in);
    for (int stage = 0; stage < 5; stage++) {
        char *path = g_strdup_printf("/glib-client/cancel-connect/%d", stage);
        g_test_add_data_func(path, GINT_TO_POINTER(stage), test_cancel_connect);
        g_free(path);
    }
    g_test_add_func("/glib-client/no-server", test_no_server);
    g_test_add_func("/glib-client/not-pollable", test_not_pollable);
    g_test_add_func("/glib-client/global-request", test_global_request);
    g_test_add_data_func("/glib-client/listen/tcp", NULL, test_listen);
    g_test_add_data_func("/glib-client/listen/unix", "", test_listen);
    return g_test_run();
}
