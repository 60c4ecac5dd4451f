/* core/loop/forward.h, tunnel.h: an LyClient and a server that the test plays, which echoes or refuses. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client-rig.h"
#include "connection/forward.h"
#include "loop/forward.h"
#include "loop/tunnel.h"

/* ---- ssh(1)'s words ---- */

static void test_parse(void)
{
    static const struct {
        const char *text;
        char kind;
        const char *expected; /* "host:port>host:port"; NULL: malformed */
    } cases[] = {
        {"8080:web:80", 'L', "localhost:8080>web:80"},
        {"0:web:80", 'L', "localhost:0>web:80"},
        {"*:8080:web:80", 'L', "*:8080>web:80"},
        {":8080:web:80", 'L', ":8080>web:80"},
        {"[::1]:8080:[2001:db8::1]:80", 'L', "::1:8080>2001:db8::1:80"},
        {"8080:/run/x", 'L', "localhost:8080>/run/x"},
        {"127.0.0.1:8080:/run/x", 'L', "127.0.0.1:8080>/run/x"},
        {"/run/y:web:80", 'L', "/run/y>web:80"},
        {"/run/y:/run/x", 'L', "/run/y>/run/x"},
        {"/run/a\\:b:/run/x", 'L', "/run/a:b>/run/x"},
        {"8080", 'D', "localhost:8080>"},
        {"*:8080", 'D', "*:8080>"},
        {"[::1]:8080", 'D', "::1:8080>"},
        {"/run/socks", 'D', "/run/socks>"},
        {"8080:web:80", 'R', "localhost:8080>web:80"},
        {"0", 'R', "localhost:0>"},
        {"*:1080", 'R', "*:1080>"},
        {"/run/socks", 'R', "/run/socks>"},
        {"8080:/run/x", 'R', "localhost:8080>/run/x"},
        {"/run/y:/run/x", 'R', "/run/y>/run/x"},
        {"", 'L', NULL},
        {"8080", 'L', NULL},
        {"8080:web", 'L', NULL},
        {"8080:web:0", 'L', NULL},
        {"8080:web:65536", 'L', NULL},
        {"65536:web:80", 'L', NULL},
        {"8080:web:80:90:100", 'L', NULL},
        {"a:b:c", 'L', NULL},
        {"8080::80", 'L', NULL},
        {"[::1:8080:web:80", 'L', NULL},
        {"[::1]8080:web:80", 'L', NULL},
        {"8080:web:80\\", 'L', NULL},
        {"", 'D', NULL},
        {"http", 'D', NULL},
        {"a:b:80", 'D', NULL},
        {"", 'R', NULL},
    };
    for (size_t i = 0; i < LY_COUNT(cases); i++) {
        LyForwardEnd listen, to;
        LyError error = {0};
        char *storage = NULL;
        bool right = ly_forward_parse(cases[i].text, cases[i].kind == 'D', cases[i].kind == 'R', &listen, &to,
                                      &storage, &error);
        g_test_message("-%c %s", cases[i].kind, cases[i].text);
        g_assert_true(right == (cases[i].expected != NULL));
        if (!right) {
            g_assert_cmpint(error.code, ==, LY_ERROR_INVALID);
            g_assert_null(storage);
            continue;
        }
        g_autofree char *from = listen.path ? g_strdup(listen.path)
                                            : g_strdup_printf("%s:%u", listen.host, (unsigned)listen.port);
        g_autofree char *there = to.path   ? g_strdup(to.path)
                                 : to.host ? g_strdup_printf("%s:%u", to.host, (unsigned)to.port)
                                           : g_strdup("");
        g_autofree char *both = g_strdup_printf("%s>%s", from, there);
        g_assert_cmpstr(both, ==, cases[i].expected);
        ly_free(storage);
    }
}

/* ---- the server ---- */

typedef struct World {
    Rig rig;
    GString *opened; /* "web:80 " */
    unsigned channels;
    LyChannel *last;
    uint32_t refuse; /* SSH_OPEN_* */
    bool hold;       /* neither yes nor no */
    GString *requests;
    GString *said; /* by callbacks */
    int fds[8];
    LyTunnelId ids[8];
    bool reused[8];
    size_t fd_count;
    LyTunnel *tunnel;
} World;

static void server_event(Rig *rig, const LyConnectionEvent *event)
{
    World *world = rig->own;
    LyTcpipOpen open;
    if (event->type == LY_CHANNEL_OPEN_REQUEST && ly_get_tcpip_open(event->data, &open)) {
        g_string_append_printf(world->opened, "%.*s:%u ", (int)open.host.len, (const char *)open.host.data,
                               open.port);
        world->last = event->channel;
        if (world->refuse) {
            ly_channel_refuse(event->channel, world->refuse, "no");
        } else if (!world->hold) {
            world->channels++;
            ly_channel_accept(event->channel, NULL, (LyBytes){0});
        }
    } else if (event->type == LY_CHANNEL_DATA) {
        ly_channel_send(event->channel, &event->data, 1);
        ly_channel_consumed(event->channel, event->data.len);
    } else if (event->type == LY_CHANNEL_EOF) {
        ly_channel_eof(event->channel);
    } else if (event->type == LY_CHANNEL_CLOSED) {
        world->channels--;
        if (world->last == event->channel)
            world->last = NULL;
    } else if (event->type == LY_GLOBAL_REQUEST) {
        LyBytes address;
        uint32_t port;
        g_assert_true(ly_get_tcpip_forward(event->data, &address, &port));
        g_string_append_printf(world->requests, "%.*s %.*s:%u ", (int)event->text.len,
                               (const char *)event->text.data, (int)address.len, (const char *)address.data,
                               port);
        LyBuf reply = {0};
        if (port == 0)
            ly_put_u32(&reply, 4711);
        if (event->want_reply && !world->hold)
            ly_global_reply(server_connection(rig), !world->refuse, ly_buf_bytes(&reply));
        ly_buf_free(&reply);
    }
}

static World *world_new(void)
{
    World *world = g_new0(World, 1);
    rig_init(&world->rig);
    world->rig.own = world;
    world->rig.server_event = server_event;
    world->opened = g_string_new(NULL);
    world->requests = g_string_new(NULL);
    world->said = g_string_new(NULL);
    rig_start(&world->rig);
    RUN_UNTIL(world->rig.loop, world->rig.ready);
    return world;
}

static void world_free(World *world)
{
    rig_clear(&world->rig);
    g_string_free(world->opened, TRUE);
    g_string_free(world->requests, TRUE);
    g_string_free(world->said, TRUE);
    g_free(world);
}

/* ---- tunnels ---- */

static void tunnel_done(void *user, LyTunnelId id, int fd, bool reused, const LyError *error)
{
    World *world = user;
    if (fd < 0) {
        g_string_append_printf(world->said, "%d:%s|", error->code, error->message);
        return;
    }
    world->ids[world->fd_count] = id;
    world->reused[world->fd_count] = reused;
    world->fds[world->fd_count++] = fd;
}

/* An exchange with the echo. */
static void exchange(World *world, int fd)
{
    char got[8];
    ssize_t len = -1;
    g_assert_cmpint(write(fd, "request", 7), ==, 7);
    RUN_UNTIL(world->rig.loop, len > 0 || (len = read(fd, got, sizeof got)) > 0);
    g_assert_cmpmem(got, (size_t)len, "request", 7);
}

static LyTunnelCounts counts_of(const World *world)
{
    LyTunnelCounts counts;
    ly_tunnel_counts(world->tunnel, &counts);
    return counts;
}

static void test_pool(void)
{
    World *world = world_new();
    LyTunnelOptions options = {.max_sockets = 2, .max_total = 3, .keep_alive = true, .idle_us = 100000};
    world->tunnel = ly_tunnel_new(world->rig.client, &options);
    LyLoop *loop = world->rig.loop;
    for (int i = 0; i < 3; i++)
        ly_tunnel_open(world->tunnel, "web", 80, tunnel_done, world);
    g_assert_cmpuint(world->fd_count, ==, 0); /* never from within */
    RUN_UNTIL(loop, world->fd_count == 2);
    exchange(world, world->fds[0]);
    exchange(world, world->fds[1]);
    g_assert_cmpuint(counts_of(world).waiting, ==, 1);
    ly_tunnel_release(world->tunnel, world->ids[0], true);
    RUN_UNTIL(loop, world->fd_count == 3);
    g_assert_true(world->reused[2] && !world->reused[0] && !world->reused[1]);
    g_assert_cmpint(world->fds[2], ==, world->fds[0]);
    exchange(world, world->fds[2]);
    ly_tunnel_release(world->tunnel, world->ids[2], true);
    ly_tunnel_release(world->tunnel, world->ids[1], false);
    g_assert_cmpuint(counts_of(world).idle, ==, 1);
    /* another target: the idle one is not for it */
    ly_tunnel_open(world->tunnel, "other", 80, tunnel_done, world);
    RUN_UNTIL(loop, world->fd_count == 4);
    g_assert_false(world->reused[3]);
    /* over all: the idle one goes */
    ly_tunnel_open(world->tunnel, "other", 80, tunnel_done, world);
    ly_tunnel_open(world->tunnel, "third", 80, tunnel_done, world);
    RUN_UNTIL(loop, world->fd_count == 6);
    g_assert_cmpstr(world->opened->str, ==, "web:80 web:80 other:80 other:80 third:80 ");
    g_assert_cmpuint(counts_of(world).idle, ==, 0);
    g_assert_cmpuint(counts_of(world).open, ==, 3);
    /* idle for too long */
    ly_tunnel_release(world->tunnel, world->ids[5], true);
    g_assert_cmpuint(counts_of(world).idle, ==, 1);
    RUN_UNTIL(loop, counts_of(world).open == 2);
    g_assert_cmpuint(counts_of(world).opened, ==, 5);
    g_assert_cmpuint(counts_of(world).reused, ==, 1);
    /* cancelled while it waits: its `done` does not come */
    ly_tunnel_release(world->tunnel, ly_tunnel_open(world->tunnel, "other", 80, tunnel_done, world), true);
    ly_loop_run_once(loop, 10000);
    g_assert_cmpuint(world->fd_count, ==, 6);
    /* what waits is told of the end; what was given out is the caller's */
    ly_tunnel_open(world->tunnel, "other", 80, tunnel_done, world);
    ly_tunnel_free(world->tunnel);
    g_assert_cmpstr(world->said->str, ==, "13:the tunnel was closed|");
    close(world->fds[3]);
    close(world->fds[4]);
    RUN_UNTIL(loop, world->channels == 0);
    world_free(world);
}

/* An idle connection that the target closes, or that says what nobody asked for, is not given to the next. */
static void test_stale(void)
{
    World *world = world_new();
    LyTunnelOptions options = {.keep_alive = true};
    world->tunnel = ly_tunnel_new(world->rig.client, &options);
    LyLoop *loop = world->rig.loop;
    LyBytes part = LY_BYTES("surprise");
    for (unsigned i = 0; i < 2; i++) {
        ly_tunnel_open(world->tunnel, "web", 80, tunnel_done, world);
        RUN_UNTIL(loop, world->fd_count == i + 1);
        ly_tunnel_release(world->tunnel, world->ids[i], true);
        g_assert_cmpuint(counts_of(world).idle, ==, 1);
        if (i == 0)
            ly_channel_close(world->last);
        else
            ly_channel_send(world->last, &part, 1);
        ly_drive_wake(world->rig.server);
        RUN_UNTIL(loop, counts_of(world).open == 0);
    }
    g_assert_cmpuint(counts_of(world).reused, ==, 0);
    ly_tunnel_free(world->tunnel);
    world_free(world);
}

static void test_tunnel_errors(void)
{
    World *world = world_new();
    world->tunnel = ly_tunnel_new(world->rig.client, NULL);
    LyLoop *loop = world->rig.loop;
    world->refuse = SSH_OPEN_CONNECT_FAILED;
    ly_tunnel_open(world->tunnel, "web", 80, tunnel_done, world);
    RUN_UNTIL(loop, world->said->len);
    g_assert_cmpstr(world->said->str, ==,
                    "8:cannot reach web port 80 from the server: connecting failed there (no)|");
    /* the connection ends: one is open, one is being opened */
    world->refuse = 0;
    g_string_truncate(world->said, 0);
    ly_tunnel_open(world->tunnel, "web", 80, tunnel_done, world);
    RUN_UNTIL(loop, world->fd_count == 1);
    world->hold = true;
    ly_tunnel_open(world->tunnel, "web", 80, tunnel_done, world);
    RUN_UNTIL(loop, strcmp(world->opened->str, "web:80 web:80 web:80 ") == 0);
    ly_drive_free(world->rig.server);
    world->rig.server = NULL;
    RUN_UNTIL(loop, world->rig.closed && world->said->len);
    g_assert_cmpstr(world->said->str, ==, "8:there is no connection to the server|");
    char byte;
    g_assert_cmpint(read(world->fds[0], &byte, 1), ==, 0);
    ly_tunnel_release(world->tunnel, world->ids[0], true);
    g_assert_null(ly_tunnel_listen(world->tunnel, "web", 80, NULL));
    ly_tunnel_open(world->tunnel, "web", 80, tunnel_done, world);
    ly_tunnel_free(world->tunnel);
    world_free(world);
}

static void free_in_done(void *user, LyTunnelId id, int fd, bool reused, const LyError *error)
{
    World *world = user;
    tunnel_done(user, id, fd, reused, error);
    ly_tunnel_free(world->tunnel);
}

static void test_free_in_done(void)
{
    World *world = world_new();
    LyTunnelOptions options = {.keep_alive = true};
    world->tunnel = ly_tunnel_new(world->rig.client, &options);
    ly_tunnel_open(world->tunnel, "web", 80, tunnel_done, world);
    RUN_UNTIL(world->rig.loop, world->fd_count == 1);
    ly_tunnel_release(world->tunnel, world->ids[0], true);
    ly_tunnel_open(world->tunnel, "web", 80, free_in_done, world); /* the idle one, from the task */
    ly_tunnel_open(world->tunnel, "web", 80, tunnel_done, world);
    RUN_UNTIL(world->rig.loop, world->fd_count == 2);
    g_assert_true(world->reused[1]);
    g_assert_cmpstr(world->said->str, ==, "13:the tunnel was closed|");
    close(world->fds[1]);
    world->tunnel = ly_tunnel_new(world->rig.client, &options);
    ly_tunnel_open(world->tunnel, "web", 80, free_in_done, world); /* from a channel's event */
    RUN_UNTIL(world->rig.loop, world->fd_count == 3);
    close(world->fds[2]);
    RUN_UNTIL(world->rig.loop, world->channels == 0);
    world_free(world);
}

/* ---- forwards ---- */

static void failed(void *user, LyForward *forward, const LyError *error, bool fatal)
{
    World *world = user;
    g_string_append_printf(world->said, "%s:%s|", fatal ? "fatal" : "failed", error->message);
}

static void listening(void *user, LyForward *forward, uint16_t port)
{
    World *world = user;
    g_string_append_printf(world->said, "listening %u|", (unsigned)port);
}

static void test_remote(void)
{
    World *world = world_new();
    LyLoop *loop = world->rig.loop;
    LyForwardOptions options = {.failed = failed, .listening = listening, .user = world};
    LyForwardEnd listen = {.host = "*"}, to = {.host = "127.0.0.1", .port = 1};
    LyError error;
    LyForward *forward = ly_forward_remote(world->rig.client, &listen, &to, &options, &error);
    g_assert_nonnull(forward);
    RUN_UNTIL(loop, world->said->len);
    g_assert_cmpstr(world->said->str, ==, "listening 4711|");
    g_assert_cmpuint(ly_forward_port(forward), ==, 4711);
    ly_forward_free(forward);
    RUN_UNTIL(loop, strstr(world->requests->str, "cancel"));
    g_assert_cmpstr(world->requests->str, ==, "tcpip-forward :0 cancel-tcpip-forward :4711 ");
    /* freed before the answer: cancelled when it comes */
    g_string_truncate(world->requests, 0);
    world->hold = true;
    forward = ly_forward_remote(world->rig.client, &listen, &to, &options, &error);
    RUN_UNTIL(loop, world->requests->len);
    ly_forward_free(forward);
    world->hold = false;
    LyBuf reply = {0};
    ly_put_u32(&reply, 815);
    ly_global_reply(server_connection(&world->rig), true, ly_buf_bytes(&reply));
    ly_buf_free(&reply);
    ly_drive_wake(world->rig.server);
    RUN_UNTIL(loop, strstr(world->requests->str, "cancel"));
    g_assert_cmpstr(world->requests->str, ==, "tcpip-forward :0 cancel-tcpip-forward :815 ");
    /* refused */
    g_string_truncate(world->said, 0);
    world->refuse = 1;
    forward = ly_forward_remote(world->rig.client, &listen, &to, &options, &error);
    RUN_UNTIL(loop, world->said->len);
    g_assert_true(g_str_has_prefix(world->said->str, "fatal:the server refused to listen on * port 0"));
    ly_forward_free(forward);
    world_free(world);
}

/* The connection ends under forwards of each kind, and before an answer. */
static void test_ended(void)
{
    World *world = world_new();
    LyForwardOptions options = {.failed = failed, .listening = listening, .user = world};
    LyForwardEnd any = {.host = "localhost"}, to = {.host = "web", .port = 80};
    LyError error = {0};
    LyForward *local = ly_forward_local(world->rig.client, &any, &to, &options, &error);
    LyForward *dynamic = ly_forward_dynamic(world->rig.client, &any, &options, &error);
    world->hold = true;
    LyForward *remote = ly_forward_remote(world->rig.client, &any, &to, &options, &error);
    g_assert_true(local && dynamic && remote);
    g_assert_cmpuint(ly_forward_port(local), !=, 0);
    RUN_UNTIL(world->rig.loop, world->requests->len);
    ly_drive_free(world->rig.server);
    world->rig.server = NULL;
    RUN_UNTIL(world->rig.loop, world->rig.closed);
    g_assert_cmpstr(world->said->str, ==, "");
    g_assert_null(ly_forward_local(world->rig.client, &any, &to, &options, &error));
    g_assert_cmpstr(error.message, ==, "there is no connection to the server");
    ly_client_free(world->rig.client);
    world->rig.client = NULL;
    ly_forward_free(local);
    ly_forward_free(dynamic);
    ly_forward_free(remote);
    world_free(world);
}

static void test_refusals(void)
{
    World *world = world_new();
    g_autofree char *long_path = g_strnfill(120, 'x');
    LyForwardEnd to = {.host = "web", .port = 80};
    LyForwardEnd nowhere = {.path = long_path}, name = {.host = "example.test", .port = 1};
    LyError error = {0};
    long_path[0] = '/';
    g_assert_null(ly_forward_local(world->rig.client, &nowhere, &to, NULL, &error));
    g_assert_true(g_str_has_suffix(error.message, "a socket's path has 1 to 107 bytes"));
    g_assert_null(ly_forward_local(world->rig.client, &name, &to, NULL, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_INVALID);
    world_free(world);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/forward/parse", test_parse);
    g_test_add_func("/forward/remote", test_remote);
    g_test_add_func("/forward/ended", test_ended);
    g_test_add_func("/forward/refusals", test_refusals);
    g_test_add_func("/tunnel/pool", test_pool);
    g_test_add_func("/tunnel/stale", test_stale);
    g_test_add_func("/tunnel/errors", test_tunnel_errors);
    g_test_add_func("/tunnel/free-in-done", test_free_in_done);
    return g_test_run();
}
