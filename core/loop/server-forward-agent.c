/* The client's agent, for programs that run here (a socket that SSH_AUTH_SOCK names) and for the application
 * itself (ly_server_agent). */
#include "loop/server-private.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/memory.h"
#include "loop/join.h"

#define TYPE LY_BYTES("auth-agent@openssh.com")
#define SOCKET_MODE 0600
#define PATH_MAX_LEN ((size_t)107)

/* ---- SSH_AUTH_SOCK ---- */

static void accepted(void *user, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    ly_server_forward_accepted(user, fd, TYPE, (LyBytes){0});
}

static char *make_directory(LyError *error)
{
    static const char pattern[] = "lanyard-XXXXXX", name[] = "/agent";
    const char *where = getenv("TMPDIR");
    if (!where || *where != '/' || strlen(where) + 1 + sizeof pattern + sizeof name > PATH_MAX_LEN)
        where = "/tmp";
    char *directory = ly_format("%s/%s", where, pattern);
    if (mkdtemp(directory)) /* of mode 0700 */
        return directory;
    ly_error_set_errno(error, errno, "cannot make a directory for the agent's socket in %s", where);
    ly_free(directory);
    return NULL;
}

const char *ly_server_agent_socket(LyServer *server, LyError *error)
{
    struct LyServerForwards *forwards = ly_server_forwards(server);
    if (forwards->agent_listener)
        return forwards->agent_path;
    forwards->agent_directory = make_directory(error);
    if (!forwards->agent_directory)
        return NULL;
    forwards->agent_path = ly_format("%s/agent", forwards->agent_directory);
    forwards->agent_listener =
        ly_listener_new_unix(server->loop, forwards->agent_path, SOCKET_MODE, false, accepted, server, error);
    if (forwards->agent_listener)
        return forwards->agent_path;
    ly_server_agent_socket_free(forwards);
    return NULL;
}

void ly_server_agent_socket_free(struct LyServerForwards *forwards)
{
    ly_listener_free(forwards->agent_listener);
    if (forwards->agent_directory)
        rmdir(forwards->agent_directory);
    ly_free(forwards->agent_directory);
    ly_free(forwards->agent_path);
    forwards->agent_listener = NULL;
    forwards->agent_directory = forwards->agent_path = NULL;
}

/* ---- the application's requests ---- */

typedef struct Request {
    LyLink link;
    LyBuf message; /* with its length in front; what is left to send */
    LyAgentDone done;
    void *user;
} Request;

struct LyServerAgent {
    LyServer *server;
    LyChannel *channel; /* NULL: to be opened */
    bool opened;
    LyList requests; /* the first is under way */
    LyBuf in;
};

static void complete(Request *request, LyBytes reply, const LyError *error)
{
    LyAgentDone done = request->done;
    void *user = request->user;
    ly_link_remove(&request->link);
    ly_buf_free(&request->message);
    ly_free(request);
    done(user, reply, error);
}

/* Those that there are now: a `done` may make more, which get a channel of their own. */
static void fail(struct LyServerAgent *agent, LyErrorCode code, const char *why)
{
    LyError error;
    LyList failed;
    Request *request;
    ly_error_set(&error, code, "the client's agent cannot be asked: %s", why);
    agent->channel = NULL;
    agent->opened = false;
    ly_buf_free(&agent->in);
    ly_list_init(&failed);
    while ((request = ly_list_first(&agent->requests, Request, link))) {
        ly_link_remove(&request->link);
        ly_list_append(&failed, &request->link);
    }
    while ((request = ly_list_first(&failed, Request, link)))
        complete(request, (LyBytes){0}, &error);
}

static void send_request(struct LyServerAgent *agent)
{
    Request *request = ly_list_first(&agent->requests, Request, link);
    if (!request || !agent->opened)
        return;
    LyBytes rest = ly_buf_bytes(&request->message);
    ly_buf_drop(&request->message, ly_channel_send(agent->channel, &rest, 1));
    ly_server_wake(agent->server);
}

/* Takes the replies that are whole out of what came. */
static void take_replies(struct LyServerAgent *agent)
{
    while (agent->channel && agent->in.len >= 4) {
        uint32_t len = ly_load_u32(agent->in.data);
        Request *request = ly_list_first(&agent->requests, Request, link);
        if (!request || request->message.len || !len || len > LY_AGENT_MESSAGE_MAX) {
            ly_channel_abandon(agent->channel);
            fail(agent, LY_ERROR_PROTOCOL, "it said what is no answer");
            return;
        }
        if (agent->in.len - 4 < len)
            return;
        LY_AUTO(ly_buf_free) LyBuf reply = {0};
        ly_buf_add(&reply, ly_bytes(agent->in.data + 4, len));
        ly_buf_drop(&agent->in, 4 + (size_t)len);
        complete(request, ly_buf_bytes(&reply), NULL);
        send_request(agent);
    }
}

static void channel_event(void *user, const LyConnectionEvent *event)
{
    struct LyServerAgent *agent = user;
    switch (event->type) {
    case LY_CHANNEL_OPENED:
        agent->opened = true;
        send_request(agent);
        break;
    case LY_CHANNEL_WINDOW:
        send_request(agent);
        break;
    case LY_CHANNEL_DATA:
        ly_buf_add(&agent->in, event->data);
        ly_channel_consumed(event->channel, event->data.len);
        take_replies(agent);
        break;
    case LY_CHANNEL_STDERR:
        ly_channel_consumed(event->channel, event->data.len);
        break;
    case LY_CHANNEL_EOF:
        ly_channel_close(event->channel);
        break;
    case LY_CHANNEL_OPEN_FAILED:
        fail(agent, LY_ERROR_IO, LY_PRINTABLE(event->text));
        break;
    case LY_CHANNEL_CLOSED:
        fail(agent, LY_ERROR_IO, "it closed the connection");
        break;
    default:
        break;
    }
}

static void asked(void *user, LyBytes message, LyAgentDone done, void *done_user)
{
    struct LyServerAgent *agent = user;
    LyConnection *connection = ly_server_connection(agent->server);
    Request *request = ly_new(Request);
    *request = (Request){.done = done, .user = done_user};
    ly_put_string(&request->message, message);
    ly_list_append(&agent->requests, &request->link);
    if (agent->channel) {
        if (ly_list_first(&agent->requests, Request, link) == request)
            send_request(agent);
        return;
    }
    LyChannelOptions options = {.func = channel_event, .user = agent};
    if (connection)
        agent->channel = ly_channel_open(connection, TYPE, (LyBytes){0}, &options);
    if (!agent->channel)
        fail(agent, LY_ERROR_LIMIT, "too many channels are open");
    ly_server_wake(agent->server);
}

LyAgentConnection *ly_server_agent(LyServer *server, LyError *error)
{
    if (!server->agent_offered) {
        ly_error_set(error, LY_ERROR_UNSUPPORTED,
                     "the client has not offered its agent, or it is not forwarded here");
        return NULL;
    }
    if (!server->agent) {
        server->agent = ly_new(struct LyServerAgent);
        server->agent->server = server;
        ly_list_init(&server->agent->requests);
    }
    LyAgentTransport transport = {.request = asked, .user = server->agent};
    return ly_agent_connect_custom(server->loop, &transport, 0);
}

void ly_server_agent_free(struct LyServerAgent *agent)
{
    if (!agent)
        return;
    if (agent->channel)
        ly_channel_set_func(agent->channel, NULL, NULL);
    fail(agent, LY_ERROR_CANCELLED, "the connection ended");
    ly_free(agent);
}
