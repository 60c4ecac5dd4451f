#include "loop/agent-forward.h"

#include "base/list.h"
#include "base/memory.h"
#include "loop/agent.h"

#define WINDOW (64u * 1024)

struct LyAgentForward {
    LyClient *client;
    LyAcceptor acceptor;
    bool requested;
    LyList users;
    size_t count;
};

/* Somebody on the server who talks to our agent. */
typedef struct User {
    LyLink link;
    LyAgentForward *forward;
    LyChannel *channel;
    LyAgentConnection *agent;
    LyBuf in, out;     /* requests and replies with their lengths */
    size_t unconsumed; /* bytes of `in` that the window does not know about yet */
    bool asking, ended;
} User;

static void user_free(User *user)
{
    ly_link_remove(&user->link);
    user->forward->count--;
    ly_agent_connection_free(user->agent);
    ly_buf_free(&user->in);
    ly_buf_free(&user->out);
    ly_free(user);
}

static void answered(void *data, LyBytes reply, const LyError *error);

/* Sends what waits, then begins the next request, if it is whole. One at a time: while one is open the window
 * stays as it is, so that no more than a window lies here beyond it. */
static void pump(User *user)
{
    if (user->out.len) {
        LyBytes out = ly_buf_bytes(&user->out);
        ly_buf_drop(&user->out, ly_channel_send(user->channel, &out, 1));
    }
    if (user->asking || user->out.len)
        return;
    uint32_t len = user->in.len >= 4 ? ly_load_u32(user->in.data) : 1;
    if (len == 0 || len > LY_AGENT_MESSAGE_MAX) {
        ly_channel_close(user->channel);
        return;
    }
    if (user->in.len >= 4 && user->in.len - 4 >= len) {
        user->asking = true;
        ly_agent_request(user->agent, ly_bytes(user->in.data + 4, len), answered, user);
        ly_buf_drop(&user->in, 4 + (size_t)len);
        return;
    }
    if (user->ended) {
        ly_channel_close(user->channel);
        return;
    }
    ly_channel_consumed(user->channel, user->unconsumed);
    user->unconsumed = 0;
}

static void answered(void *data, LyBytes reply, const LyError *error)
{
    User *user = data;
    LyAgentForward *forward = user->forward;
    if ((error && error->code == LY_ERROR_CANCELLED) || !ly_client_session(forward->client))
        return;
    user->asking = false;
    if (error) { /* what was bound is lost with the connection, so the channel goes too */
        ly_channel_close(user->channel);
    } else {
        ly_put_string(&user->out, reply);
        pump(user);
    }
    ly_client_flush(forward->client);
}

static void bound(void *data, LyBytes reply, const LyError *error)
{
    /* An agent that does not know the extension says FAILURE; one that is gone fails the next request too. */
}

static void user_event(void *data, const LyConnectionEvent *event)
{
    User *user = data;
    switch (event->type) {
    case LY_CHANNEL_DATA:
        ly_buf_add(&user->in, event->data);
        user->unconsumed += event->data.len;
        pump(user);
        break;
    case LY_CHANNEL_STDERR:
        ly_channel_consumed(event->channel, event->data.len);
        break;
    case LY_CHANNEL_WINDOW:
        pump(user);
        break;
    case LY_CHANNEL_EOF:
        user->ended = true;
        pump(user);
        break;
    case LY_CHANNEL_CLOSED:
        user_free(user);
        break;
    default:
        ly_client_refuse(user->forward->client, event);
        break;
    }
}

static void accept_user(LyAgentForward *forward, LyChannel *channel, LyAgentConnection *agent)
{
    User *user = ly_new(User);
    user->forward = forward;
    user->channel = channel;
    user->agent = agent;
    user->in = LY_BUF(4 + LY_AGENT_MESSAGE_MAX + WINDOW);
    user->out = LY_BUF(4 + LY_AGENT_MESSAGE_MAX);
    ly_list_append(&forward->users, &user->link);
    forward->count++;
    LyTransport *transport = ly_session_transport(ly_client_session(forward->client));
    LyBuf request = {0};
    ly_put_agent_session_bind(&request, ly_transport_host_key_blob(transport),
                              ly_transport_session_id(transport), ly_transport_host_key_signature(transport),
                              true);
    ly_agent_request(agent, ly_buf_bytes(&request), bound, NULL);
    ly_buf_free(&request);
    LyChannelOptions options = {.window = WINDOW, .func = user_event, .user = user};
    ly_channel_accept(channel, &options, (LyBytes){0});
}

static bool open_requested(void *data, const LyConnectionEvent *event)
{
    LyAgentForward *forward = data;
    LyError error = {0};
    if (!ly_bytes_is(event->text, "auth-agent@openssh.com"))
        return false;
    if (!forward->requested) {
        ly_channel_refuse(event->channel, SSH_OPEN_ADMINISTRATIVELY_PROHIBITED, "not requested");
        return true;
    }
    if (forward->count == LY_AGENT_FORWARD_MAX) {
        ly_channel_refuse(event->channel, SSH_OPEN_RESOURCE_SHORTAGE, "too many connections to the agent");
        return true;
    }
    LyAgentConnection *agent = ly_client_agent(forward->client, &error);
    if (agent)
        accept_user(forward, event->channel, agent);
    else
        ly_channel_refuse(event->channel, SSH_OPEN_CONNECT_FAILED, "there is no agent");
    return true;
}

void ly_agent_forward_request(LyAgentForward *forward, LyChannel *channel)
{
    forward->requested = true;
    ly_channel_request(channel, LY_BYTES("auth-agent-req@openssh.com"), false, 0, (LyBytes){0});
}

static void dropped(void *user, const LyConnectionEvent *event)
{
}

LyAgentForward *ly_agent_forward_new(LyClient *client)
{
    LyAgentForward *forward = ly_new(LyAgentForward);
    forward->client = client;
    ly_list_init(&forward->users);
    forward->acceptor = (LyAcceptor){.open_request = open_requested, .user = forward};
    ly_client_add_acceptor(client, &forward->acceptor);
    return forward;
}

void ly_agent_forward_free(LyAgentForward *forward)
{
    if (!forward)
        return;
    ly_client_remove_acceptor(&forward->acceptor);
    bool connected = ly_client_session(forward->client) != NULL;
    ly_list_each(&forward->users, User, link, user)
    {
        if (connected) { /* what still comes on the channel is nobody's */
            ly_channel_set_func(user->channel, dropped, NULL);
            ly_channel_close(user->channel);
        }
        user_free(user);
    }
    if (connected)
        ly_client_flush(forward->client);
    ly_free(forward);
}
