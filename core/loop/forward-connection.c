/* One forwarded connection: from the socket or channel that came to the join of both. */
#include <errno.h>
#include <unistd.h>

#include "base/memory.h"
#include "loop/client-private.h"
#include "loop/forward-private.h"

#define SOCKS_US ((uint64_t)30 * 1000 * 1000) /* for a client to say where it wants to go */
#define SOCKS_READ 1024

typedef struct Connection {
    LyLink link;
    LyForward *forward;
    int fd;             /* -1: none yet, or the join's */
    LyChannel *channel; /* NULL: none yet, closed, or the join's */
    LyWatch *watch;     /* of fd, while SOCKS is spoken there */
    LyTimer *timer;     /* SOCKS_US */
    LySocks *socks;     /* NULL: the target is known */
    LyBuf in;           /* behind the SOCKS request: for the target */
    size_t unconsumed;  /* of what the channel brought */
    bool eof;           /* LY_CHANNEL_EOF came */
    LyConnect *connect; /* to the target, with -R */
    LyJoin *join;
    char origin[46];
    uint16_t origin_port;
} Connection;

/* ---- life ---- */

static Connection *connection_new(LyForward *forward)
{
    Connection *connection = ly_new(Connection);
    connection->forward = forward;
    connection->fd = -1;
    ly_list_append(&forward->connections, &connection->link);
    forward->count++;
    return connection;
}

static void socks_over(Connection *connection)
{
    ly_watch_free(connection->watch);
    ly_timer_free(connection->timer);
    connection->watch = NULL;
    connection->timer = NULL;
}

static void connection_free(Connection *connection)
{
    LyForward *forward = connection->forward;
    ly_link_remove(&connection->link);
    forward->count--;
    socks_over(connection);
    ly_connect_cancel(connection->connect);
    if (!forward->client) {
        ly_join_abort(connection->join);
    } else {
        ly_join_free(connection->join);
        if (connection->channel)
            ly_channel_abandon(connection->channel);
        ly_client_flush(forward->client);
    }
    if (connection->fd >= 0)
        close(connection->fd);
    if (connection->socks)
        ly_cleanse(connection->socks, sizeof *connection->socks);
    ly_free(connection->socks);
    ly_buf_free(&connection->in);
    ly_free(connection);
}

void ly_forward_drop_connections(LyForward *forward)
{
    ly_list_each(&forward->connections, Connection, link, connection) connection_free(connection);
}

/* Ends the connection and tells why; the owner may free the forward meanwhile. */
static void connection_failed(Connection *connection, const LyError *error)
{
    LyForward *forward = connection->forward;
    LyError copy = *error;
    connection_free(connection);
    ly_forward_failed(forward, &copy, false);
}

static void join_ended(void *user, LyJoin *join, const LyError *error)
{
    Connection *connection = user;
    if (error)
        ly_log(ly_client_log(connection->forward->client), LY_LOG_DEBUG, "forwarding: %s", error->message);
    connection_free(connection);
}

/* Both ends are there. */
static void connection_join(Connection *connection, LyBytes to_channel, LyBytes to_carrier)
{
    LyForward *forward = connection->forward;
    LyJoinOptions options = {
        .wake = ly_forward_wake,
        .owner = forward->client,
        .ended = join_ended,
        .user = connection,
        .to_channel = to_channel,
        .to_carrier = to_carrier,
        .eof = connection->eof,
    };
    LyChannel *channel = connection->channel;
    int fd = connection->fd;
    socks_over(connection);
    connection->channel = NULL;
    connection->fd = -1;
    ly_channel_consumed(channel, connection->unconsumed);
    connection->join = ly_join_new_fd(forward->loop, channel, fd, &options);
    ly_buf_free(&connection->in);
}

static LyForwardEnd target(const Connection *connection)
{
    if (connection->socks)
        return (LyForwardEnd){.host = connection->socks->host, .port = connection->socks->port};
    return connection->forward->to;
}

/* Best effort: an empty socket's buffer takes these few bytes. */
static void socks_send(Connection *connection, const LyBuf *out)
{
    LyBytes bytes = ly_buf_bytes(out);
    if (!bytes.len)
        return;
    if (connection->fd >= 0)
        send(connection->fd, bytes.data, bytes.len, MSG_NOSIGNAL);
    else if (connection->channel)
        ly_channel_send(connection->channel, &bytes, 1);
}

/* The target was reached (0) or not (SSH_OPEN_*). */
static void socks_answer(Connection *connection, uint32_t reason, LyBuf *out)
{
    if (connection->socks)
        ly_socks_reply(connection->socks, reason, out);
}

/* Bytes of a SOCKS client; views live as long as the call. False: the connection is gone. */
static bool socks_received(Connection *connection, LyBytes in)
{
    LyBuf out = {0};
    LyError error;
    LySocksStep step = ly_socks_receive(connection->socks, &in, &out, &error);
    socks_send(connection, &out);
    ly_buf_free(&out);
    if (step == LY_SOCKS_FAILED) {
        connection_failed(connection, &error);
        return false;
    }
    ly_buf_add(&connection->in, in);
    return true;
}

static void socks_timed_out(void *user)
{
    Connection *connection = user;
    LyError error;
    ly_error_set(&error, LY_ERROR_TIMEOUT, "SOCKS: the client did not say within %u s where it wants to go",
                 (unsigned)(SOCKS_US / 1000000));
    connection_failed(connection, &error);
}

static void socks_begin(Connection *connection)
{
    LyForward *forward = connection->forward;
    connection->socks = ly_new(LySocks);
    ly_socks_init(connection->socks, forward->options.user_name, forward->options.password);
    connection->timer = ly_timer_new(forward->loop, socks_timed_out, connection);
    ly_timer_set(connection->timer, ly_loop_now_us(forward->loop) + SOCKS_US);
}

/* ---- ours: -L and -D ---- */

static void there_event(void *user, const LyConnectionEvent *event)
{
    Connection *connection = user;
    LyForwardEnd to = target(connection);
    LyError error;
    LyBuf out = {0};
    switch (event->type) {
    case LY_CHANNEL_OPENED:
        socks_answer(connection, 0, &out);
        connection_join(connection, ly_buf_bytes(&connection->in), ly_buf_bytes(&out));
        break;
    case LY_CHANNEL_OPEN_FAILED:
        connection->channel = NULL;
        socks_answer(connection, event->number, &out);
        socks_send(connection, &out);
        ly_forward_refused(&to, event, &error);
        connection_failed(connection, &error);
        break;
    default: /* nothing else comes before these */
        break;
    }
    ly_buf_free(&out);
}

static void connect_there(Connection *connection)
{
    LyForwardEnd to = target(connection);
    LyError error;
    LyBuf out = {0};
    connection->channel = ly_forward_open(connection->forward->client, &to, connection->origin,
                                          connection->origin_port, there_event, connection, &error);
    if (connection->channel)
        return;
    socks_answer(connection, SSH_OPEN_RESOURCE_SHORTAGE, &out);
    socks_send(connection, &out);
    ly_buf_free(&out);
    connection_failed(connection, &error);
}

static void socks_readable(void *user, unsigned events)
{
    Connection *connection = user;
    uint8_t bytes[SOCKS_READ];
    ssize_t len = recv(connection->fd, bytes, sizeof bytes, 0);
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (len <= 0) { /* gone before it said what it wanted */
        connection_free(connection);
        return;
    }
    bool alive = socks_received(connection, ly_bytes(bytes, (size_t)len));
    ly_cleanse(bytes, sizeof bytes);
    if (alive && connection->socks->step == LY_SOCKS_CONNECT) {
        socks_over(connection);
        connect_there(connection);
    }
}

void ly_forward_accepted(LyForward *forward, int fd, const struct sockaddr *peer)
{
    if (forward->count >= forward->options.max_connections) {
        LyError error;
        close(fd);
        ly_error_set(&error, LY_ERROR_LIMIT, "a connection was closed at once: %u are open already",
                     (unsigned)forward->count);
        ly_forward_failed(forward, &error, false);
        return;
    }
    Connection *connection = connection_new(forward);
    connection->fd = fd;
    ly_sockaddr_text(peer, connection->origin, &connection->origin_port);
    if (forward->socks) {
        socks_begin(connection);
        connection->watch = ly_watch_new(forward->loop, fd, LY_READABLE, socks_readable, connection);
    } else {
        connect_there(connection);
    }
}

/* ---- the server's: -R ---- */

static void connected(void *user, int fd, const LyError *error)
{
    Connection *connection = user;
    LyBuf out = {0};
    connection->connect = NULL;
    connection->fd = fd;
    if (fd >= 0) {
        if (!connection->socks) {
            LyChannelOptions options = ly_forward_channel_options(NULL, NULL);
            ly_channel_accept(connection->channel, &options, (LyBytes){0});
        }
        socks_answer(connection, 0, &out);
        connection_join(connection, ly_buf_bytes(&out), ly_buf_bytes(&connection->in));
    } else {
        if (connection->socks) {
            socks_answer(connection, SSH_OPEN_CONNECT_FAILED, &out);
            socks_send(connection, &out);
        } else {
            ly_channel_refuse(connection->channel, SSH_OPEN_CONNECT_FAILED, "connecting failed");
            connection->channel = NULL;
        }
        connection_failed(connection, error);
    }
    ly_buf_free(&out);
}

static void connect_here(Connection *connection)
{
    LyForward *forward = connection->forward;
    LyForwardEnd to = target(connection);
    LyConnectOptions options = {.host = to.host, .port = to.port, .family = AF_UNSPEC, .ipqos = -1};
    connection->connect = to.path ? ly_connect_unix(forward->loop, to.path, connected, connection)
                                  : ly_connect_new(forward->loop, &options, connected, connection);
}

/* What a SOCKS client at the server says, before the join. */
static void here_event(void *user, const LyConnectionEvent *event)
{
    Connection *connection = user;
    switch (event->type) {
    case LY_CHANNEL_DATA:
        connection->unconsumed += event->data.len;
        if (connection->connect) { /* no more than a window: it stays closed */
            ly_buf_add(&connection->in, event->data);
            break;
        }
        if (!socks_received(connection, event->data))
            break;
        if (connection->socks->step == LY_SOCKS_CONNECT) {
            socks_over(connection);
            connect_here(connection);
        } else {
            ly_channel_consumed(event->channel, connection->unconsumed);
            connection->unconsumed = 0;
        }
        break;
    case LY_CHANNEL_STDERR:
        ly_channel_consumed(event->channel, event->data.len);
        break;
    case LY_CHANNEL_EOF:
        connection->eof = true;
        if (!connection->connect)
            connection_free(connection);
        break;
    case LY_CHANNEL_CLOSED:
        connection->channel = NULL;
        connection_free(connection);
        break;
    default:
        ly_client_refuse(connection->forward->client, event);
        break;
    }
}

void ly_forward_open_requested(LyForward *forward, const LyConnectionEvent *event)
{
    if (forward->count >= forward->options.max_connections) {
        LyError error;
        ly_error_set(&error, LY_ERROR_LIMIT, "a connection was refused: %u are open already",
                     (unsigned)forward->count);
        ly_channel_refuse(event->channel, SSH_OPEN_RESOURCE_SHORTAGE, "too many connections");
        ly_forward_failed(forward, &error, false);
        return;
    }
    Connection *connection = connection_new(forward);
    connection->channel = event->channel;
    if (forward->socks) {
        LyChannelOptions options = ly_forward_channel_options(here_event, connection);
        ly_channel_accept(event->channel, &options, (LyBytes){0});
        socks_begin(connection);
    } else {
        connect_here(connection);
    }
}
