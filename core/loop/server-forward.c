/* Forwards served: connections. The client's direct-tcpip and direct-streamlocal channels are connected to
 * where they want to; whoever connected to a listener of ours gets a channel to the client. Either way
 * channel and socket are joined then. */
#include "loop/server-private.h"

#include <unistd.h>

#include "base/auto.h"
#include "base/memory.h"
#include "connection/forward.h"
#include "loop/join.h"

#define FORWARDED_MAX 512
/* Grows where there is use for it: who does not read has this held for him. */
#define WINDOW ((uint32_t)256 << 10)
#define WINDOW_MAX ((uint32_t)2 << 20)

typedef struct Forwarded {
    LyLink link;
    LyServer *server;
    LyChannel *channel; /* the client's question while we connect, or ours that is being opened */
    LyConnect *connect; /* NULL: not, or not any more */
    int fd;             /* accepted, until the channel is open; -1 */
    LyJoin *join;       /* NULL: not yet */
} Forwarded;

struct LyServerForwards *ly_server_forwards(LyServer *server)
{
    if (!server->forwards) {
        server->forwards = ly_new(struct LyServerForwards);
        ly_list_init(&server->forwards->connections);
        ly_list_init(&server->forwards->listeners);
    }
    return server->forwards;
}

static Forwarded *forwarded_new(LyServer *server)
{
    struct LyServerForwards *forwards = ly_server_forwards(server);
    uint32_t max = server->options->max_forwarded ? server->options->max_forwarded : FORWARDED_MAX;
    if (forwards->connection_count >= max)
        return NULL;
    Forwarded *forwarded = ly_new(Forwarded);
    *forwarded = (Forwarded){.server = server, .fd = -1};
    ly_list_append(&forwards->connections, &forwarded->link);
    forwards->connection_count++;
    return forwarded;
}

static void forwarded_free(Forwarded *forwarded)
{
    ly_link_remove(&forwarded->link);
    forwarded->server->forwards->connection_count--;
    ly_connect_cancel(forwarded->connect);
    ly_join_abort(forwarded->join);
    if (forwarded->fd >= 0)
        close(forwarded->fd);
    ly_free(forwarded);
}

static void wake(void *owner)
{
    ly_server_wake(owner);
}

static void join_ended(void *user, LyJoin *join, const LyError *error)
{
    Forwarded *forwarded = user;
    LyServer *server = forwarded->server;
    if (error)
        ly_log(&server->options->log, LY_LOG_DEBUG, "%s: a forwarded connection broke: %s", server->name,
               error->message);
    forwarded->join = NULL;
    forwarded_free(forwarded);
}

/* Takes the socket; the channel is open. */
static void forwarded_join(Forwarded *forwarded, int fd)
{
    LyServer *server = forwarded->server;
    LyJoinOptions options = {.wake = wake, .owner = server, .ended = join_ended, .user = forwarded};
    forwarded->join = ly_join_new_fd(server->loop, forwarded->channel, fd, &options);
}

/* ---- what the client wants to reach ---- */

static void refuse(LyServer *server, LyChannel *channel, uint32_t reason, const char *sentence)
{
    ly_log(&server->options->log, LY_LOG_INFO, "%s: a channel \"%s\" was refused: %s", server->name,
           LY_PRINTABLE(ly_channel_type(channel)), sentence);
    ly_channel_refuse(channel, reason, sentence);
}

static void connected(void *user, int fd, const LyError *error)
{
    Forwarded *forwarded = user;
    LyServer *server = forwarded->server;
    forwarded->connect = NULL;
    if (fd < 0) {
        refuse(server, forwarded->channel, SSH_OPEN_CONNECT_FAILED, error->message);
        forwarded_free(forwarded);
    } else {
        LyChannelOptions options = {.window = WINDOW, .max_window = WINDOW_MAX};
        ly_channel_accept(forwarded->channel, &options, (LyBytes){0});
        forwarded_join(forwarded, fd);
    }
    ly_server_wake(server);
}

/* NULL: there are too many (refused). */
static Forwarded *forwarded_for(LyServer *server, LyChannel *channel)
{
    Forwarded *forwarded = forwarded_new(server);
    if (forwarded)
        forwarded->channel = channel;
    else
        refuse(server, channel, SSH_OPEN_RESOURCE_SHORTAGE, "too many connections are forwarded");
    return forwarded;
}

static void connect_tcpip(LyServer *server, LyChannel *channel, LyBytes data)
{
    LyTcpipOpen open = {0};
    bool read = ly_get_tcpip_open(data, &open);
    if (!(server->options->forwards & LY_FORWARD_LOCAL) ||
        !ly_authorization_may_open(&server->authorization, open.host, open.port)) {
        refuse(server, channel, SSH_OPEN_ADMINISTRATIVELY_PROHIBITED, "this is not forwarded here");
        return;
    }
    if (!read || ly_bytes_has_nul(open.host) || !open.host.len || !open.port || open.port > UINT16_MAX) {
        refuse(server, channel, SSH_OPEN_CONNECT_FAILED, "there is no such host or port");
        return;
    }
    Forwarded *forwarded = forwarded_for(server, channel);
    if (!forwarded)
        return;
    LY_AUTO_FREE char *host = ly_bytes_dup_str(open.host);
    ly_log(&server->options->log, LY_LOG_DEBUG, "%s: forwards to %s port %u", server->name,
           LY_PRINTABLE(open.host), (unsigned)open.port);
    LyConnectOptions options = {.host = host, .port = (uint16_t)open.port, .ipqos = -1};
    forwarded->connect = ly_connect_new(server->loop, &options, connected, forwarded);
}

static void connect_streamlocal(LyServer *server, LyChannel *channel, LyBytes data)
{
    LyBytes path = {0};
    bool read = ly_get_direct_streamlocal(data, &path);
    /* permitopen= names hosts and ports: no socket is among them. */
    if (!(server->options->forwards & LY_FORWARD_LOCAL_STREAMLOCAL) || server->options->root ||
        !server->authorization.port_forwarding || server->authorization.permit_open) {
        refuse(server, channel, SSH_OPEN_ADMINISTRATIVELY_PROHIBITED, "this is not forwarded here");
        return;
    }
    if (!read || ly_bytes_has_nul(path) || !path.len || path.data[0] != '/') {
        refuse(server, channel, SSH_OPEN_CONNECT_FAILED, "this is not the path of a socket");
        return;
    }
    Forwarded *forwarded = forwarded_for(server, channel);
    if (!forwarded)
        return;
    LY_AUTO_FREE char *text = ly_bytes_dup_str(path);
    ly_log(&server->options->log, LY_LOG_DEBUG, "%s: forwards to %s", server->name, LY_PRINTABLE(path));
    forwarded->connect = ly_connect_unix(server->loop, text, connected, forwarded);
}

void ly_server_forward_open(LyServer *server, const LyConnectionEvent *event)
{
    if (ly_bytes_is(event->text, "direct-tcpip"))
        connect_tcpip(server, event->channel, event->data);
    else if (ly_bytes_is(event->text, "direct-streamlocal@openssh.com"))
        connect_streamlocal(server, event->channel, event->data);
    else
        refuse(server, event->channel, SSH_OPEN_UNKNOWN_CHANNEL_TYPE, "there are no such channels here");
}

/* ---- who connected to us ---- */

static void opening_event(void *user, const LyConnectionEvent *event)
{
    Forwarded *forwarded = user;
    LyServer *server = forwarded->server;
    int fd = forwarded->fd;
    if (event->type == LY_CHANNEL_OPENED) {
        forwarded->fd = -1;
        forwarded_join(forwarded, fd);
    } else if (event->type == LY_CHANNEL_OPEN_FAILED) {
        ly_log(&server->options->log, LY_LOG_INFO, "%s: the client refused a channel \"%s\": %s",
               server->name, LY_PRINTABLE(ly_channel_type(event->channel)), LY_PRINTABLE(event->text));
        forwarded_free(forwarded);
    }
}

void ly_server_forward_accepted(LyServer *server, int fd, LyBytes type, LyBytes data)
{
    LyConnection *connection = ly_server_connection(server);
    Forwarded *forwarded = forwarded_new(server);
    LyChannelOptions options = {
        .window = WINDOW, .max_window = WINDOW_MAX, .func = opening_event, .user = forwarded};
    if (forwarded) {
        forwarded->fd = fd;
        forwarded->channel = ly_channel_open(connection, type, data, &options);
        ly_server_wake(server);
    }
    if (forwarded && forwarded->channel)
        return;
    ly_log(&server->options->log, LY_LOG_WARNING,
           "%s: a connection was closed, because too many are forwarded", server->name);
    if (forwarded)
        forwarded_free(forwarded);
    else
        close(fd);
}

void ly_server_forwards_free(LyServer *server)
{
    struct LyServerForwards *forwards = server->forwards;
    if (!forwards)
        return;
    ly_list_each(&forwards->connections, Forwarded, link, forwarded) forwarded_free(forwarded);
    ly_server_listeners_free(forwards);
    ly_server_agent_socket_free(forwards);
    ly_free(forwards);
    server->forwards = NULL;
}
