#include "loop/tunnel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "loop/client-private.h"
#include "loop/forward-private.h"

#define SOCKETS_MAX 8
#define TOTAL_MAX 64
#define IDLE_US ((uint64_t)30 * 1000 * 1000)
#define LISTENING_WAIT_MAX 1024 /* connections to our Unix sockets that wait for their turn */

typedef enum State {
    STATE_WAITING, /* a request without a socket */
    STATE_OPENING,
    STATE_USED,
    STATE_IDLE,
} State;

/* A request, and the socket that it gets; one that is idle has no request. */
typedef struct Socket {
    LyLink link; /* in waiting or sockets */
    LyTunnel *tunnel;
    State state;
    char *host;
    uint16_t port;
    LyTunnelId id;
    LyTunnelDone done;
    void *user;
    int local; /* who connected to our Unix socket, until it is joined; -1 */
    bool listening;
    int far; /* the end that is lent; -1 */
    LyChannel *channel;
    LyJoin *join;     /* NULL in STATE_USED: its connection is over */
    LyWatch *watch;   /* idle: whatever happens makes it useless */
    uint64_t used_us; /* when it was used last */
    uint64_t seen;    /* of a listening one: bytes that had passed by then */
} Socket;

typedef struct Listening {
    LyLink link;
    LyTunnel *tunnel;
    LyListener *listener;
    char *host;
    uint16_t port;
    char *directory, *path;
} Listening;

struct LyTunnel {
    LyClient *client; /* NULL: the connection is over */
    LyLoop *loop;
    LyDependent dependent;
    LyTunnelOptions options;
    LyList waiting, sockets, listening;
    LyTask task;    /* gives sockets to those who wait */
    LyTimer *timer; /* idle ones go */
    LyTunnelId next_id;
    uint64_t opened, reused;
    bool busy, freed; /* `done` is being called from a walk; ly_tunnel_free was called meanwhile */
};

/* ---- sockets ---- */

static void socket_free(Socket *socket)
{
    LyTunnel *tunnel = socket->tunnel;
    ly_link_remove(&socket->link);
    ly_watch_free(socket->watch);
    if (tunnel->client) {
        ly_join_free(socket->join);
        if (socket->channel)
            ly_channel_abandon(socket->channel);
        ly_client_flush(tunnel->client);
        ly_loop_defer(tunnel->loop, &tunnel->task); /* room for another */
    } else {
        ly_join_abort(socket->join);
    }
    if (socket->far >= 0)
        close(socket->far);
    if (socket->local >= 0)
        close(socket->local);
    ly_free(socket->host);
    ly_free(socket);
}

/* The request has failed; `done` may free the tunnel. */
static void socket_failed(Socket *socket, const LyError *error)
{
    LyError copy = *error;
    LyTunnelDone done = socket->done;
    void *user = socket->user;
    LyTunnelId id = socket->id;
    if (socket->listening && socket->tunnel->client)
        ly_log(ly_client_log(socket->tunnel->client), LY_LOG_INFO, "tunnel: %s", error->message);
    socket_free(socket);
    if (done)
        done(user, id, -1, false, &copy);
}

static Socket *socket_new(LyTunnel *tunnel, const char *host, uint16_t port)
{
    Socket *socket = ly_new(Socket);
    socket->tunnel = tunnel;
    socket->host = ly_strdup(host);
    socket->port = port;
    socket->local = socket->far = -1;
    ly_list_append(&tunnel->waiting, &socket->link);
    ly_loop_defer(tunnel->loop, &tunnel->task);
    return socket;
}

static bool same_target(const Socket *a, const Socket *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* ---- what is idle ---- */

static void plan_idle(LyTunnel *tunnel)
{
    uint64_t at_us = UINT64_MAX;
    ly_list_each(&tunnel->sockets, Socket, link, socket)
    {
        if (socket->state == STATE_IDLE || (socket->listening && socket->join))
            at_us = LY_MIN(at_us, socket->used_us + tunnel->options.idle_us);
    }
    ly_timer_set(tunnel->timer, at_us);
}

/* Of a listening one: is it still being used? Looked at when its time seems to be over. */
static bool still_used(Socket *socket, uint64_t now_us)
{
    uint64_t seen = ly_join_sent(socket->join) + ly_join_received(socket->join);
    if (seen == socket->seen && ly_join_answered(socket->join))
        return false;
    socket->seen = seen;
    socket->used_us = now_us;
    return true;
}

static void idle_over(void *user)
{
    LyTunnel *tunnel = user;
    uint64_t now_us = ly_loop_now_us(tunnel->loop);
    ly_list_each(&tunnel->sockets, Socket, link, socket)
    {
        bool due = now_us >= socket->used_us + tunnel->options.idle_us;
        if (due && (socket->state == STATE_IDLE ||
                    (socket->listening && socket->join && !still_used(socket, now_us))))
            socket_free(socket);
    }
    plan_idle(tunnel);
}

static void idle_ready(void *user, unsigned events)
{
    socket_free(user); /* the target closed it, or says what nobody asked for */
}

/* Closes the one that was used longest ago; false when none is idle. */
static bool evict(LyTunnel *tunnel)
{
    Socket *oldest = NULL;
    ly_list_each(&tunnel->sockets, Socket, link, socket)
    {
        if (socket->state == STATE_IDLE && (!oldest || socket->used_us < oldest->used_us))
            oldest = socket;
    }
    if (oldest)
        socket_free(oldest);
    return oldest != NULL;
}

/* The idle one to this target that was used last: it has been least time without a sign of life. */
static Socket *find_idle(LyTunnel *tunnel, const Socket *request)
{
    Socket *found = NULL;
    ly_list_each(&tunnel->sockets, Socket, link, socket)
    {
        if (socket->state == STATE_IDLE && same_target(socket, request) &&
            (!found || socket->used_us >= found->used_us))
            found = socket;
    }
    return found;
}

/* ---- opening ---- */

static void join_ended(void *user, LyJoin *join, const LyError *error)
{
    Socket *socket = user;
    socket->join = NULL;
    if (socket->listening || socket->state == STATE_IDLE)
        socket_free(socket);
}

static void opened(Socket *socket)
{
    LyTunnel *tunnel = socket->tunnel;
    LyJoinOptions options = {
        .wake = ly_forward_wake, .owner = tunnel->client, .ended = join_ended, .user = socket};
    int fds[2] = {socket->local, -1};
    LyError error;
    if (!socket->listening && socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) {
        ly_error_set_errno(&error, errno, "cannot make a socket for %s port %u",
                           LY_PRINTABLE(ly_bytes_str(socket->host)), (unsigned)socket->port);
        socket_failed(socket, &error);
        return;
    }
    LyChannel *channel = socket->channel;
    socket->channel = NULL;
    socket->local = -1;
    socket->state = STATE_USED;
    socket->used_us = ly_loop_now_us(tunnel->loop);
    socket->far = fds[1];
    socket->join = ly_join_new_fd(tunnel->loop, channel, fds[0], &options);
    tunnel->opened++;
    if (socket->listening)
        plan_idle(tunnel);
    else
        socket->done(socket->user, socket->id, socket->far, false, NULL);
}

static void channel_event(void *user, const LyConnectionEvent *event)
{
    Socket *socket = user;
    LyForwardEnd to = {.host = socket->host, .port = socket->port};
    LyError error;
    if (event->type == LY_CHANNEL_OPENED) {
        opened(socket);
    } else if (event->type == LY_CHANNEL_OPEN_FAILED) {
        socket->channel = NULL;
        ly_forward_refused(&to, event, &error);
        socket_failed(socket, &error);
    }
}

static bool may_open(LyTunnel *tunnel, const Socket *request)
{
    uint32_t total = 0, same = 0;
    ly_list_each(&tunnel->sockets, Socket, link, socket)
    {
        total++;
        same += same_target(socket, request);
    }
    return same < tunnel->options.max_sockets && (total < tunnel->options.max_total || evict(tunnel));
}

static void open_socket(Socket *socket)
{
    LyTunnel *tunnel = socket->tunnel;
    LyForwardEnd to = {.host = socket->host, .port = socket->port};
    LyError error;
    socket->channel = ly_forward_open(tunnel->client, &to, "", 0, channel_event, socket, &error);
    if (!socket->channel) {
        socket_failed(socket, &error);
        return;
    }
    socket->state = STATE_OPENING;
    ly_link_remove(&socket->link);
    ly_list_append(&tunnel->sockets, &socket->link);
}

/* The request takes over an idle socket. */
static void reuse(Socket *request, Socket *idle)
{
    LyTunnel *tunnel = request->tunnel;
    ly_watch_free(idle->watch);
    idle->watch = NULL;
    idle->state = STATE_USED;
    idle->id = request->id;
    idle->done = request->done;
    idle->user = request->user;
    tunnel->reused++;
    socket_free(request);
    idle->done(idle->user, idle->id, idle->far, true, NULL);
}

/* Serves the first who can be served; false when nobody can. `done` may change everything. */
static bool serve_one(LyTunnel *tunnel)
{
    ly_list_each(&tunnel->waiting, Socket, link, request)
    {
        Socket *idle = request->listening ? NULL : find_idle(tunnel, request);
        if (idle) {
            reuse(request, idle);
            return true;
        }
        if (!tunnel->client || may_open(tunnel, request)) {
            open_socket(request);
            return true;
        }
    }
    return false;
}

static void release(LyTunnel *tunnel);

static void serve(void *user)
{
    LyTunnel *tunnel = user;
    tunnel->busy = true;
    while (!tunnel->freed && serve_one(tunnel))
        ;
    tunnel->busy = false;
    if (tunnel->freed)
        release(tunnel);
}

/* ---- the face ---- */

static void client_ended(void *user, const LyError *error)
{
    LyTunnel *tunnel = user;
    tunnel->client = NULL;
    ly_list_each(&tunnel->listening, Listening, link, listening)
    {
        ly_listener_free(listening->listener);
        listening->listener = NULL;
    }
    ly_list_each(&tunnel->sockets, Socket, link, socket)
    {
        if (socket->state == STATE_OPENING && !socket->listening) { /* to be told from the task */
            socket->state = STATE_WAITING;
            socket->channel = NULL;
            ly_link_remove(&socket->link);
            ly_list_append(&tunnel->waiting, &socket->link);
        } else if (socket->state == STATE_USED && !socket->listening) {
            ly_join_abort(socket->join); /* the fd stays until it is released */
            socket->join = NULL;
        } else {
            socket_free(socket);
        }
    }
    ly_loop_defer(tunnel->loop, &tunnel->task);
}

LyTunnel *ly_tunnel_new(LyClient *client, const LyTunnelOptions *options)
{
    static const LyTunnelOptions none;
    LyTunnel *tunnel = ly_new(LyTunnel);
    tunnel->client = client;
    tunnel->loop = ly_client_loop(client);
    tunnel->options = options ? *options : none;
    if (!tunnel->options.max_sockets)
        tunnel->options.max_sockets = SOCKETS_MAX;
    if (!tunnel->options.max_total)
        tunnel->options.max_total = TOTAL_MAX;
    if (!tunnel->options.idle_us)
        tunnel->options.idle_us = IDLE_US;
    ly_list_init(&tunnel->waiting);
    ly_list_init(&tunnel->sockets);
    ly_list_init(&tunnel->listening);
    tunnel->task = (LyTask){.func = serve, .user = tunnel};
    tunnel->timer = ly_timer_new(tunnel->loop, idle_over, tunnel);
    tunnel->dependent = (LyDependent){.ended = client_ended, .user = tunnel};
    ly_client_add_dependent(client, &tunnel->dependent);
    return tunnel;
}

static void listening_free(Listening *listening)
{
    ly_link_remove(&listening->link);
    ly_listener_free(listening->listener);
    rmdir(listening->directory);
    ly_free(listening->directory);
    ly_free(listening->path);
    ly_free(listening->host);
    ly_free(listening);
}

static void release(LyTunnel *tunnel)
{
    ly_loop_undefer(tunnel->loop, &tunnel->task);
    ly_timer_free(tunnel->timer);
    ly_free(tunnel);
}

void ly_tunnel_free(LyTunnel *tunnel)
{
    if (!tunnel || tunnel->freed)
        return;
    LyError error;
    Socket *socket;
    tunnel->freed = true;
    ly_client_remove_dependent(&tunnel->dependent);
    ly_list_each(&tunnel->listening, Listening, link, listening) listening_free(listening);
    ly_error_set(&error, LY_ERROR_CANCELLED, "the tunnel was closed");
    while ((socket = ly_list_first(&tunnel->waiting, Socket, link)))
        socket_failed(socket, &error);
    while ((socket = ly_list_first(&tunnel->sockets, Socket, link))) {
        if (socket->state == STATE_OPENING) {
            socket_failed(socket, &error);
            continue;
        }
        if (socket->state == STATE_USED)
            socket->far = -1; /* the caller's */
        socket_free(socket);
    }
    if (!tunnel->busy)
        release(tunnel);
}

LyTunnelId ly_tunnel_open(LyTunnel *tunnel, const char *host, uint16_t port, LyTunnelDone done, void *user)
{
    Socket *socket = socket_new(tunnel, host, port);
    socket->id = tunnel->next_id = tunnel->next_id == UINT32_MAX ? 1 : tunnel->next_id + 1;
    socket->done = done;
    socket->user = user;
    return socket->id;
}

static Socket *find(const LyList *list, LyTunnelId id)
{
    ly_list_each(list, Socket, link, socket)
    {
        if (socket->id == id && socket->state != STATE_IDLE && !socket->listening)
            return socket;
    }
    return NULL;
}

void ly_tunnel_release(LyTunnel *tunnel, LyTunnelId id, bool whole)
{
    Socket *socket = find(&tunnel->waiting, id);
    socket = socket ? socket : find(&tunnel->sockets, id);
    if (!socket)
        return;
    char byte;
    bool quiet = socket->join && recv(socket->far, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
    if (socket->state != STATE_USED || !whole || !tunnel->options.keep_alive || !quiet) {
        socket_free(socket);
        return;
    }
    socket->state = STATE_IDLE;
    socket->used_us = ly_loop_now_us(tunnel->loop);
    socket->watch = ly_watch_new(tunnel->loop, socket->far, LY_READABLE, idle_ready, socket);
    plan_idle(tunnel);
    ly_loop_defer(tunnel->loop, &tunnel->task); /* somebody may wait for it */
}

void ly_tunnel_counts(const LyTunnel *tunnel, LyTunnelCounts *counts)
{
    *counts = (LyTunnelCounts){.opened = tunnel->opened, .reused = tunnel->reused};
    ly_list_each(&tunnel->sockets, Socket, link, socket)
    {
        counts->open++;
        counts->idle += socket->state == STATE_IDLE;
    }
    ly_list_each(&tunnel->waiting, Socket, link, socket) counts->waiting++;
}

/* ---- for clients that connect by themselves ---- */

static void accepted(void *user, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    Listening *listening = user;
    LyTunnelCounts counts;
    ly_tunnel_counts(listening->tunnel, &counts);
    if (counts.waiting >= LISTENING_WAIT_MAX) {
        close(fd);
        return;
    }
    Socket *socket = socket_new(listening->tunnel, listening->host, listening->port);
    socket->listening = true;
    socket->local = fd;
}

const char *ly_tunnel_listen(LyTunnel *tunnel, const char *host, uint16_t port, LyError *error)
{
    const char *base = getenv("XDG_RUNTIME_DIR");
    if (!ly_forward_connection(tunnel->client, error))
        return NULL;
    /* room for the socket's name in 107 bytes */
    char *directory =
        ly_format("%s/lanyard-XXXXXX", base && *base == '/' && strlen(base) < 80 ? base : "/tmp");
    if (!mkdtemp(directory)) {
        ly_error_set_errno(error, errno, "cannot make a directory %s for a tunnel's socket", directory);
        ly_free(directory);
        return NULL;
    }
    Listening *listening = ly_new(Listening);
    listening->tunnel = tunnel;
    listening->host = ly_strdup(host);
    listening->port = port;
    listening->directory = directory;
    listening->path = ly_format("%s/socket", directory);
    ly_list_append(&tunnel->listening, &listening->link);
    listening->listener =
        ly_listener_new_unix(tunnel->loop, listening->path, 0600, false, accepted, listening, error);
    if (listening->listener)
        return listening->path;
    listening_free(listening);
    return NULL;
}
