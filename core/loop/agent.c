#include "loop/agent.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "base/memory.h"

#define TIMEOUT_US ((uint64_t)60 * 1000 * 1000)

typedef struct Request {
    LyLink link;
    LyBuf message; /* with its length in front */
    LyAgentDone done;
    void *user;
} Request;

struct LyAgentConnection {
    LyLoop *loop;
    char *where;
    uint64_t timeout_us;
    LyAgentTransport custom; /* request NULL: a stream */
    LyTask ask;              /* hands it the first request from the loop */
    struct Asked *asked;     /* what it has to answer */
    LyAgentDial *dial;
    int fd;
    LyWatch *watch;
    LyTimer *timer;
    LyList requests; /* the first is the one under way */
    LyList refused;  /* never sent: told so from the loop */
    LyTask refuse;
    size_t sent; /* bytes of the first request */
    LyBuf reply; /* with its length in front */
};

/* A custom agent's answer to come, which may outlive the connection. */
typedef struct Asked {
    LyAgentConnection *connection; /* NULL: nobody waits any more */
} Asked;

/* Completing. A callback may free the connection or make requests, so nothing of ours is touched after the
 * first one. */

static void request_complete(Request *request, LyBytes reply, const LyError *error)
{
    LyAgentDone done = request->done;
    void *user = request->user;
    ly_buf_free(&request->message);
    ly_free(request);
    done(user, reply, error);
}

static void take_all(LyList *from, LyList *to)
{
    ly_list_init(to);
    ly_list_each(from, Request, link, request)
    {
        ly_link_remove(&request->link);
        ly_list_append(to, &request->link);
    }
}

static void complete_all(LyList *requests, const LyError *error)
{
    Request *request;
    while ((request = ly_list_first(requests, Request, link))) {
        ly_link_remove(&request->link);
        request_complete(request, (LyBytes){0}, error);
    }
}

static void disconnect(LyAgentConnection *connection)
{
    ly_agent_dial_cancel(connection->dial);
    connection->dial = NULL;
    if (connection->asked)
        connection->asked->connection = NULL;
    connection->asked = NULL;
    ly_loop_undefer(connection->loop, &connection->ask);
    ly_watch_free(connection->watch);
    connection->watch = NULL;
    if (connection->fd >= 0)
        close(connection->fd);
    connection->fd = -1;
    ly_timer_set(connection->timer, UINT64_MAX);
    ly_buf_free(&connection->reply);
    connection->sent = 0;
}

/* All requests fail, not only the one under way: what was bound to the connection (session-bind) is gone with
 * it, and the waiting ones were made in the belief that it holds. The next request connects anew. */
static void fail(LyAgentConnection *connection, const LyError *error)
{
    LyList requests;
    LyError copy = *error;
    disconnect(connection);
    take_all(&connection->requests, &requests);
    complete_all(&requests, &copy);
}

/* "the agent at PATH" for messages. */
static const char *where(const LyAgentConnection *connection, char *text, size_t room)
{
    static const char at[] = "the agent at ";
    if (connection->custom.request)
        return "the application's agent";
    memcpy(text, at, sizeof at);
    ly_printable(ly_bytes_str(connection->where), text + sizeof at - 1, room - (sizeof at - 1));
    return text;
}
#define WHERE(connection) where((connection), (char[200]){0}, 200)

static void timed_out(void *user)
{
    LyAgentConnection *connection = user;
    LyError error;
    ly_error_set(&error, LY_ERROR_TIMEOUT, "%s did not answer within %llu ms", WHERE(connection),
                 (unsigned long long)connection->timeout_us / 1000);
    fail(connection, &error);
}

/* Sending and receiving. */

/* False when the connection failed (then it may be gone). */
static bool send_first(LyAgentConnection *connection)
{
    Request *request = ly_list_first(&connection->requests, Request, link);
    while (request && connection->sent < request->message.len) {
        ssize_t count = send(connection->fd, request->message.data + connection->sent,
                             request->message.len - connection->sent, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            break;
        if (count < 0) {
            LyError error;
            ly_error_set_errno(&error, errno, "cannot write to %s", WHERE(connection));
            fail(connection, &error);
            return false;
        }
        connection->sent += (size_t)count;
    }
    bool more = request && connection->sent < request->message.len;
    ly_watch_set(connection->watch, LY_READABLE | (more ? LY_WRITABLE : 0));
    return true;
}

/* Begins with the first request: its time runs from here. */
static void begin(LyAgentConnection *connection)
{
    connection->sent = 0;
    ly_buf_clear(&connection->reply);
    if (ly_list_empty(&connection->requests))
        return;
    ly_timer_set(connection->timer, ly_loop_now_us(connection->loop) + connection->timeout_us);
    if (connection->custom.request) {
        ly_loop_defer(connection->loop, &connection->ask);
        return;
    }
    /* Written when the loop finds the socket writable, so that nobody is called back from within
     * ly_agent_request. */
    ly_watch_set(connection->watch, LY_READABLE | LY_WRITABLE);
}

static void deliver(LyAgentConnection *connection)
{
    Request *request = ly_list_first(&connection->requests, Request, link);
    LyBuf reply = connection->reply;
    connection->reply = LY_BUF(reply.limit);
    ly_timer_set(connection->timer, UINT64_MAX);
    ly_link_remove(&request->link);
    begin(connection);
    request_complete(request, ly_bytes_slice(ly_buf_bytes(&reply), 4, SIZE_MAX), NULL);
    ly_buf_free(&reply);
}

/* How many bytes are still to come, as far as is known; 0: the reply is whole. False: it never will be. */
static bool missing(const LyBuf *reply, size_t *len)
{
    uint32_t contents = reply->len >= 4 ? ly_load_u32(reply->data) : 0;
    if (reply->len < 4) {
        *len = 4 - reply->len;
        return true;
    }
    if (contents == 0 || contents > LY_AGENT_MESSAGE_MAX)
        return false;
    *len = 4 + (size_t)contents - reply->len;
    return true;
}

/* Reads no byte behind the reply: what an agent sends unasked is found when no request is open, and ends the
 * connection. */
static void receive(LyAgentConnection *connection)
{
    bool asked = !ly_list_empty(&connection->requests);
    LyError error;
    for (;;) {
        size_t len;
        if (!missing(&connection->reply, &len)) {
            ly_error_set(&error, LY_ERROR_PROTOCOL, "%s sent a message of %u bytes; 1 to %u are allowed",
                         WHERE(connection), (unsigned)ly_load_u32(connection->reply.data),
                         LY_AGENT_MESSAGE_MAX);
            break;
        }
        if (len == 0) {
            deliver(connection);
            return;
        }
        uint8_t *room = ly_buf_room(&connection->reply, len);
        ssize_t count = recv(connection->fd, room, len, 0);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            return;
        if (count == 0)
            ly_error_set(&error, LY_ERROR_DISCONNECT, "%s closed the connection", WHERE(connection));
        else if (count < 0)
            ly_error_set_errno(&error, errno, "cannot read from %s", WHERE(connection));
        else if (!asked || connection->sent == 0)
            ly_error_set(&error, LY_ERROR_PROTOCOL, "%s sent what nobody asked for", WHERE(connection));
        if (count <= 0 || !asked || connection->sent == 0)
            break;
        ly_buf_added(&connection->reply, (size_t)count);
    }
    fail(connection, &error); /* with no request open, only closes: the next request connects again */
}

static void ready(void *user, unsigned events)
{
    LyAgentConnection *connection = user;
    if (events & LY_WRITABLE && !send_first(connection))
        return;
    if (events & LY_READABLE)
        receive(connection);
}

static void connected(void *user, int fd, const LyError *error)
{
    LyAgentConnection *connection = user;
    connection->dial = NULL;
    if (fd < 0) {
        LyError copy = *error;
        ly_error_prefix(&copy, "no agent");
        fail(connection, &copy);
        return;
    }
    connection->fd = fd;
    connection->watch = ly_watch_new(connection->loop, fd, LY_READABLE, ready, connection);
    begin(connection);
}

/* The application's agent. */

static void custom_answered(void *user, LyBytes reply, const LyError *error)
{
    Asked *asked = user;
    LyAgentConnection *connection = asked->connection;
    LyError failure;
    ly_free(asked);
    if (!connection)
        return;
    connection->asked = NULL;
    if (error) {
        fail(connection, error);
    } else if (reply.len == 0 || reply.len > LY_AGENT_MESSAGE_MAX) {
        ly_error_set(&failure, LY_ERROR_PROTOCOL, "%s answered with %zu bytes; 1 to %u are allowed",
                     WHERE(connection), reply.len, LY_AGENT_MESSAGE_MAX);
        fail(connection, &failure);
    } else {
        ly_put_string(&connection->reply, reply);
        deliver(connection);
    }
}

static void custom_ask(void *user)
{
    LyAgentConnection *connection = user;
    Request *request = ly_list_first(&connection->requests, Request, link);
    LyAgentTransport custom = connection->custom;
    /* A copy: the request goes when its time is over, or from within the call. */
    LyBuf message = {0};
    ly_buf_add(&message, ly_bytes_slice(ly_buf_bytes(&request->message), 4, SIZE_MAX));
    connection->asked = ly_new(Asked);
    connection->asked->connection = connection;
    custom.request(custom.user, ly_buf_bytes(&message), custom_answered, connection->asked);
    ly_buf_free(&message);
}

/* The face. */

static void refuse_all(void *user)
{
    LyAgentConnection *connection = user;
    LyList refused;
    LyError error;
    ly_error_set(&error, LY_ERROR_LIMIT, "a request to the agent has 1 to %u bytes", LY_AGENT_MESSAGE_MAX);
    take_all(&connection->refused, &refused);
    complete_all(&refused, &error);
}

static LyAgentConnection *connection_new(LyLoop *loop, uint64_t timeout_us)
{
    LyAgentConnection *connection = ly_new(LyAgentConnection);
    connection->loop = loop;
    connection->timeout_us = timeout_us ? timeout_us : TIMEOUT_US;
    connection->fd = -1;
    connection->timer = ly_timer_new(loop, timed_out, connection);
    connection->reply = LY_BUF(4 + LY_AGENT_MESSAGE_MAX);
    connection->refuse = (LyTask){.func = refuse_all, .user = connection};
    connection->ask = (LyTask){.func = custom_ask, .user = connection};
    ly_list_init(&connection->requests);
    ly_list_init(&connection->refused);
    return connection;
}

LyAgentConnection *ly_agent_connect(LyLoop *loop, const char *where_, uint64_t timeout_us, LyError *error)
{
    const char *resolved = ly_agent_where(where_, error);
    if (!resolved)
        return NULL;
    LyAgentConnection *connection = connection_new(loop, timeout_us);
    connection->where = ly_strdup(resolved);
    return connection;
}

LyAgentConnection *ly_agent_connect_custom(LyLoop *loop, const LyAgentTransport *transport,
                                           uint64_t timeout_us)
{
    LyAgentConnection *connection = connection_new(loop, timeout_us);
    connection->custom = *transport;
    return connection;
}

void ly_agent_connection_free(LyAgentConnection *connection)
{
    if (!connection)
        return;
    LyList requests, refused;
    LyError error;
    ly_error_set(&error, LY_ERROR_CANCELLED, "the request to %s was cancelled", WHERE(connection));
    disconnect(connection);
    take_all(&connection->requests, &requests);
    take_all(&connection->refused, &refused);
    ly_loop_undefer(connection->loop, &connection->refuse);
    ly_timer_free(connection->timer);
    ly_free(connection->where);
    ly_free(connection);
    complete_all(&requests, &error);
    complete_all(&refused, &error);
}

void ly_agent_request(LyAgentConnection *connection, LyBytes message, LyAgentDone done, void *user)
{
    Request *request = ly_new(Request);
    request->done = done;
    request->user = user;
    if (message.len == 0 || message.len > LY_AGENT_MESSAGE_MAX) {
        ly_list_append(&connection->refused, &request->link);
        ly_loop_defer(connection->loop, &connection->refuse);
        return;
    }
    request->message = LY_BUF(4 + LY_AGENT_MESSAGE_MAX);
    ly_put_string(&request->message, message);
    bool first = ly_list_empty(&connection->requests);
    ly_list_append(&connection->requests, &request->link);
    if (connection->fd >= 0 || connection->custom.request) {
        if (first)
            begin(connection);
    } else if (!connection->dial) {
        /* cannot be refused: `where` was accepted when the connection was made */
        connection->dial = ly_agent_dial(connection->loop, connection->where, connected, connection, NULL);
    }
}
