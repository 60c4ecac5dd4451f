/* An LyGClient and an LyGServer in one GMainContext, over a socketpair or loopback. */
#ifndef LY_TESTS_GLIB_RIG_H
#define LY_TESTS_GLIB_RIG_H

#include <gio/gio.h>
#include <string.h>
#include <sys/socket.h>

#include "glib/client.h"
#include "glib/error.h"
#include "glib/server.h"

typedef struct GRig {
    LyCrypto *crypto;
    LyKey *host_key, *user_key;
    LyServerOptions options;
    LyGServer *server;
    LyServer *connection; /* the last */
    LyDestinationOptions destination;
    LyGClient *client;
    LyGChannel *served; /* the server's end of what was started last */
    GString *log;       /* signals, as they come */
} GRig;

/* Runs the default context until the condition holds. */
#define ITERATE_UNTIL(condition)                                                                             \
    do {                                                                                                     \
        gint64 end_us = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;                                        \
        guint tick = g_timeout_add(50, keep_awake, NULL);                                                    \
        while (!(condition) && g_get_monotonic_time() < end_us)                                              \
            g_main_context_iteration(NULL, TRUE);                                                            \
        g_source_remove(tick);                                                                               \
        g_assert_true(condition);                                                                            \
    } while (0)

static gboolean keep_awake(gpointer data)
{
    return G_SOURCE_CONTINUE;
}

/* What is on its way comes. */
static inline void settle(void)
{
    for (int i = 0; i < 200; i++)
        g_main_context_iteration(NULL, FALSE);
}

/* For _async functions: the result is kept. */
static inline void keep_result(GObject *source, GAsyncResult *result, gpointer user_data)
{
    GAsyncResult **kept = user_data;
    g_assert_null(*kept);
    *kept = g_object_ref(result);
}

static bool rig_authenticate(void *user, LyServer *server, const LyUserauthRequest *request)
{
    if (request->method == LY_METHOD_PUBLICKEY && !request->proven)
        ly_userauth_server_pk_ok(ly_server_userauth(server));
    else
        ly_userauth_server_accept(ly_server_userauth(server));
    ly_server_wake(server);
    return true;
}

/* Everything but SFTP is the test's. */
static bool rig_start(void *user, LyServer *server, LyServerChannel *channel, const LyServerStart *start,
                      const LyConnectionEvent *event)
{
    GRig *rig = user;
    if (start->kind == LY_START_SUBSYSTEM && ly_bytes_is(start->command, "sftp"))
        return false;
    gboolean good = !ly_bytes_is(start->command, "refused");
    if (event->want_reply)
        ly_channel_reply(ly_server_channel(channel), good);
    if (!good) {
        ly_channel_close(ly_server_channel(channel));
        return true;
    }
    g_clear_object(&rig->served);
    rig->served = ly_gserver_get_channel(rig->server, server, ly_server_channel(channel));
    return true;
}

static void rig_connected(LyGServer *server, gpointer connection, gpointer data)
{
    ((GRig *)data)->connection = connection;
}

static void rig_ended(LyGServer *server, gpointer connection, gpointer data)
{
    ((GRig *)data)->connection = NULL;
    g_string_append(((GRig *)data)->log, "ended ");
}

static void rig_host_key(LyGClient *client, gpointer key, gpointer data)
{
    ly_gclient_accept_host_key(client, TRUE);
}

static void rig_closed(LyGClient *client, gpointer error, gboolean final, gpointer data)
{
    g_string_append(((GRig *)data)->log, "closed ");
}

static void rig_init(GRig *rig)
{
    static const char *const settings[] = {
        "UserKnownHostsFile=none", "GlobalKnownHostsFile=none",       "IdentityFile=none",
        "IdentityAgent=none",      "KexAlgorithms=curve25519-sha256", NULL};
    *rig = (GRig){0};
    rig->crypto = ly_crypto_new(0, NULL);
    rig->host_key = ly_key_generate(rig->crypto, LY_PK_ED25519, 0, (LyBytes){0}, NULL);
    rig->user_key = ly_key_generate(rig->crypto, LY_PK_ED25519, 0, (LyBytes){0}, NULL);
    rig->log = g_string_new(NULL);
    rig->options = (LyServerOptions){
        .session = {.transport = {.crypto = rig->crypto, .host_keys = &rig->host_key, .host_key_count = 1}},
        .forwards = LY_FORWARD_LOCAL | LY_FORWARD_REMOTE | LY_FORWARD_STREAMLOCAL,
        .handlers = {.authenticate = rig_authenticate, .start = rig_start, .user = rig},
    };
    rig->destination = (LyDestinationOptions){.crypto = rig->crypto,
                                              .host = "example.test",
                                              .user = "alice",
                                              .config_file = "none",
                                              .settings = settings};
}

/* A client that accepts any host key. */
static LyGClient *rig_new_client(GRig *rig)
{
    GError *error = NULL;
    LyGClient *client = ly_gclient_new(&rig->destination, &error);
    g_assert_no_error(error);
    g_signal_connect(client, "host-key", G_CALLBACK(rig_host_key), rig);
    g_signal_connect(client, "closed", G_CALLBACK(rig_closed), rig);
    return client;
}

static void rig_serve(GRig *rig)
{
    GError *error = NULL;
    rig->server = ly_gserver_new(&rig->options, &error);
    g_assert_no_error(error);
    g_signal_connect(rig->server, "connected", G_CALLBACK(rig_connected), rig);
    g_signal_connect(rig->server, "ended", G_CALLBACK(rig_ended), rig);
}

static GIOStream *socket_stream(int fd)
{
    GSocket *socket = g_socket_new_from_fd(fd, NULL);
    GIOStream *stream = G_IO_STREAM(g_socket_connection_factory_create_connection(socket));
    g_object_unref(socket);
    return stream;
}

/* Both ends of a socketpair as streams; the first is served. */
static GIOStream *rig_pair(GRig *rig)
{
    GError *error = NULL;
    int fds[2];
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==, 0);
    GIOStream *theirs = socket_stream(fds[0]);
    g_assert_nonnull(ly_gserver_take(rig->server, theirs, &error));
    g_assert_no_error(error);
    g_object_unref(theirs);
    return socket_stream(fds[1]);
}

static void rig_connect(GRig *rig)
{
    GAsyncResult *result = NULL;
    GError *error = NULL;
    rig_serve(rig);
    rig->client = rig_new_client(rig);
    GIOStream *ours = rig_pair(rig);
    ly_gclient_connect_over_async(rig->client, ours, NULL, keep_result, &result);
    g_object_unref(ours);
    ITERATE_UNTIL(result);
    g_assert_true(ly_gclient_connect_finish(rig->client, result, &error));
    g_assert_no_error(error);
    g_object_unref(result);
}

/* The client's end of a command; the server's is rig->served. */
static inline LyGChannel *rig_run(GRig *rig, const char *command)
{
    GAsyncResult *result = NULL;
    GError *error = NULL;
    LyProgramOptions options = {.kind = LY_PROGRAM_COMMAND, .command = ly_bytes_str(command)};
    ly_gclient_run_async(rig->client, &options, NULL, keep_result, &result);
    ITERATE_UNTIL(result);
    LyGChannel *channel = ly_gclient_channel_finish(rig->client, result, &error);
    g_assert_no_error(error);
    g_assert_nonnull(rig->served);
    g_object_unref(result);
    return channel;
}

/* Everything goes with its last reference. */
static void rig_clear(GRig *rig)
{
    gpointer objects[] = {rig->client, rig->server};
    g_clear_object(&rig->served);
    for (guint i = 0; i < G_N_ELEMENTS(objects); i++)
        if (objects[i])
            g_object_add_weak_pointer(objects[i], &objects[i]);
    g_clear_object(&rig->client);
    ITERATE_UNTIL(!objects[0] && (!rig->server || !ly_gserver_get_connections(rig->server)));
    g_clear_object(&rig->server);
    ITERATE_UNTIL(!objects[1]);
    settle();
    ly_key_unref(rig->host_key);
    ly_key_unref(rig->user_key);
    ly_crypto_unref(rig->crypto);
    g_string_free(rig->log, TRUE);
}

#endif
