/* An agent's clients: messages out of bytes, replies in the order of their requests. */
#include "agent/agent-private.h"

#include "base/memory.h"
#include "base/secret.h"

enum { HEADER_LEN = 4, INPUT_LEN = 2048, OUTPUT_KEPT = 1024 };

static char *copy_or_null(const char *text)
{
    return text ? ly_strdup(text) : NULL;
}

LyAgentClient *ly_agent_client_new(LyAgent *agent, const LyAgentPeer *peer)
{
    LyAgentClient *client = ly_new(LyAgentClient);
    client->agent = agent;
    client->peer = peer ? *peer : (LyAgentPeer){.uid = -1};
    client->peer.transport = copy_or_null(client->peer.transport);
    client->peer.program = copy_or_null(client->peer.program);
    client->input = LY_BUF(HEADER_LEN + LY_AGENT_MESSAGE_MAX);
    ly_list_init(&client->queue);
    ly_list_append(&agent->clients, &client->link);
    return client;
}

void ly_agent_client_free(LyAgentClient *client)
{
    if (!client)
        return;
    LyAgent *agent = client->agent;
    ly_link_remove(&client->link); /* so that none of its own requests takes over a question */
    ly_list_each(&client->queue, Request, link, request)
    {
        ly_agent_withdraw(request);
        ly_agent_opener_gone(request);
        ly_agent_request_free(request);
    }
    ly_list_each(&agent->notices, Notice, link, notice)
    {
        if (notice->client == client)
            notice->client = NULL;
    }
    if (agent->shown && agent->shown->client == client)
        agent->shown->client = NULL;
    ly_link_remove(&client->ready_link);
    ly_link_remove(&client->todo_link);
    ly_agent_client_unbind(client);
    ly_buf_free(&client->input);
    ly_buf_free(&client->output);
    ly_free((void *)client->peer.transport);
    ly_free((void *)client->peer.program);
    ly_free(client);
}

const LyAgentPeer *ly_agent_client_peer(const LyAgentClient *client)
{
    return &client->peer;
}

bool ly_agent_client_is_closed(const LyAgentClient *client)
{
    return client->closed;
}

size_t ly_agent_client_pending(const LyAgentClient *client)
{
    return client->queued;
}

static void mark_ready(LyAgentClient *client)
{
    if (!client->ready_link.next)
        ly_list_append(&client->agent->ready, &client->ready_link);
}

static void mark_todo(LyAgentClient *client)
{
    if (client->paused && !client->todo_link.next)
        ly_list_append(&client->agent->todo, &client->todo_link);
}

LyAgentClient *ly_agent_next_ready(LyAgent *agent)
{
    LyAgentClient *client = ly_list_first(&agent->ready, LyAgentClient, ready_link);
    if (client)
        ly_link_remove(&client->ready_link);
    return client;
}

/* ---- replies ---- */

static bool is_first(const Request *request)
{
    return request->client->queue.head.next == &request->link;
}

LyBuf *ly_agent_reply_begin(Request *request, size_t *mark)
{
    LyBuf *out = is_first(request) ? &request->client->output : &request->reply;
    *mark = ly_put_string_begin(out);
    return out;
}

static void end(Request *request)
{
    LyAgentClient *client = request->client;
    request->answered = true;
    if (!is_first(request))
        return;
    do {
        ly_buf_add(&client->output, ly_buf_bytes(&request->reply));
        ly_link_remove(&request->link);
        ly_agent_request_free(request);
        request = ly_list_first(&client->queue, Request, link);
    } while (request && request->answered);
    mark_ready(client);
    mark_todo(client);
}

void ly_agent_reply_end(Request *request, size_t mark)
{
    ly_put_string_end(is_first(request) ? &request->client->output : &request->reply, mark);
    end(request);
}

void ly_agent_reply_status(Request *request, uint8_t type)
{
    size_t mark;
    ly_put_u8(ly_agent_reply_begin(request, &mark), type);
    ly_agent_reply_end(request, mark);
}

void ly_agent_reply_whole(Request *request, LyBytes reply)
{
    ly_buf_add(is_first(request) ? &request->client->output : &request->reply, reply);
    end(request);
}

/* ---- requests ---- */

/* `overtakes`: may be handled while signatures that were asked for before are not there yet. */
static const struct {
    uint8_t type;
    bool overtakes;
    void (*handle)(Request *request, LyReader *reader);
} handlers[] = {
    {SSH_AGENTC_SIGN_REQUEST, true, ly_agent_handle_sign},
    {SSH_AGENTC_REQUEST_IDENTITIES, true, ly_agent_handle_list},
    {SSH_AGENTC_EXTENSION, false, ly_agent_handle_extension},
    {SSH_AGENTC_ADD_IDENTITY, false, ly_agent_handle_add},
    {SSH_AGENTC_ADD_ID_CONSTRAINED, false, ly_agent_handle_add},
    {SSH_AGENTC_REMOVE_IDENTITY, false, ly_agent_handle_remove},
    {SSH_AGENTC_REMOVE_ALL_IDENTITIES, false, ly_agent_handle_remove_all},
    /* SSH 1's: old ssh-add -D sends both, and means all keys by either. */
    {SSH_AGENTC_REMOVE_ALL_RSA_IDENTITIES, false, ly_agent_handle_remove_all},
    {SSH_AGENTC_LOCK, false, ly_agent_handle_lock},
    {SSH_AGENTC_UNLOCK, false, ly_agent_handle_unlock},
    {SSH_AGENTC_ADD_SMARTCARD_KEY, false, ly_agent_handle_provider},
    {SSH_AGENTC_ADD_SMARTCARD_KEY_CONSTRAINED, false, ly_agent_handle_provider},
    {SSH_AGENTC_REMOVE_SMARTCARD_KEY, false, ly_agent_handle_provider},
};

/* A message of length 0 has no type: 0 stands for it, which no request has. */
static size_t find_handler(LyBytes message)
{
    size_t i = 0;
    while (i < LY_COUNT(handlers) && (message.len == 0 || handlers[i].type != message.data[0]))
        i++;
    return i;
}

static bool has_room(const LyAgentClient *client, size_t handler)
{
    const LyAgent *agent = client->agent;
    size_t max = agent->options.max_queued ? agent->options.max_queued : QUEUED_DEFAULT;
    if (client->output.len - client->output_sent >= OUTPUT_HIGH)
        return false;
    if (client->queued == 0)
        return true;
    return handler < LY_COUNT(handlers) && handlers[handler].overtakes && !client->barrier &&
           client->queued < max && client->queued_len < QUEUED_HIGH;
}

static void handle(LyAgentClient *client, size_t handler, LyBytes message)
{
    LyAgent *agent = client->agent;
    uint8_t type = message.len ? message.data[0] : 0;
    Request *request = ly_agent_request_new(client, type);
    LyReader reader = ly_reader(ly_bytes_slice(message, 1, message.len));
    if (agent->options.log.write && agent->options.log.level >= LY_LOG_TRACE)
        ly_log(&agent->options.log, LY_LOG_TRACE, "%s from %s", ly_agent_message_name(type),
               PEER_TEXT(client));
    ly_agent_expire(agent);
    if (handler == LY_COUNT(handlers)) {
        ly_log(&agent->options.log, LY_LOG_DEBUG, "message %u from %s is not known", type, PEER_TEXT(client));
        ly_agent_reply_status(request, SSH_AGENT_FAILURE);
    } else if (ly_agent_is_closed_to_all(agent) && type != SSH_AGENTC_UNLOCK &&
               type != SSH_AGENTC_EXTENSION && type != SSH_AGENTC_REQUEST_IDENTITIES) {
        ly_agent_reply_status(request, SSH_AGENT_FAILURE);
    } else {
        handlers[handler].handle(request, &reader);
    }
}

/* The whole message at the start of `input`; false when it is not there yet, or is too long (closes). */
static bool get_message(LyAgentClient *client, LyBytes input, LyBytes *message)
{
    if (input.len < HEADER_LEN)
        return false;
    uint32_t len = ly_load_u32(input.data);
    if (len > LY_AGENT_MESSAGE_MAX) {
        ly_log(&client->agent->options.log, LY_LOG_WARNING,
               "a message of %u bytes was announced by %s: more than %u are not read", (unsigned)len,
               PEER_TEXT(client), LY_AGENT_MESSAGE_MAX);
        client->closed = true;
        mark_ready(client);
        return false;
    }
    *message = ly_bytes_slice(input, HEADER_LEN, len);
    return message->len == len;
}

void ly_agent_client_process(LyAgentClient *client)
{
    LyBuf *input = &client->input;
    LyBytes rest = ly_buf_bytes(input), message;
    client->paused = false;
    while (!client->closed && get_message(client, rest, &message)) {
        size_t handler = find_handler(message);
        if (!has_room(client, handler)) {
            client->paused = true;
            break;
        }
        handle(client, handler, message);
        rest = ly_bytes_slice(rest, HEADER_LEN + message.len, rest.len);
    }
    if (client->closed)
        rest = (LyBytes){0};
    size_t before = input->len, after = rest.len;
    if (after < before) {
        /* Requests carry keys and passphrases. */
        if (after)
            memmove(input->data, rest.data, after);
        ly_cleanse(input->data + after, before - after);
        input->len = after;
        if (after == 0)
            ly_buf_free(input); /* thousands of clients may be idle */
    }
    if (!client->paused && client->wants_input) {
        client->wants_input = false;
        mark_ready(client);
    }
}

/* ---- bytes in and out ---- */

bool ly_agent_client_is_receiving(LyAgentClient *client)
{
    client->wants_input = client->paused;
    return !client->closed && !client->paused;
}

uint8_t *ly_agent_client_input(LyAgentClient *client, size_t *len)
{
    LyBuf *input = &client->input;
    *len = 0;
    if (!ly_agent_client_is_receiving(client))
        return NULL;
    /* An announced length is believed as its bytes come: the buffer doubles. */
    if (input->cap == 0 || input->len == input->cap) {
        size_t need =
            input->len < HEADER_LEN ? INPUT_LEN : HEADER_LEN + ly_load_u32(input->data) - input->len;
        if (!ly_buf_room(input, LY_MIN(need, LY_MAX(input->len, (size_t)INPUT_LEN))))
            return NULL;
    }
    *len = input->cap - input->len;
    return input->data + input->len;
}

void ly_agent_client_received(LyAgentClient *client, size_t len)
{
    ly_buf_added(&client->input, LY_MIN(len, client->input.cap - client->input.len));
    ly_agent_client_process(client);
}

LyBytes ly_agent_client_output(const LyAgentClient *client)
{
    return ly_bytes_slice(ly_buf_bytes(&client->output), client->output_sent, client->output.len);
}

void ly_agent_client_sent(LyAgentClient *client, size_t len)
{
    LyBuf *output = &client->output;
    client->output_sent += LY_MIN(len, output->len - client->output_sent);
    if (client->output_sent == output->len) {
        client->output_sent = 0;
        ly_buf_clear(output);
        if (output->cap > OUTPUT_KEPT)
            ly_buf_free(output);
    } else if (client->output_sent >= OUTPUT_HIGH) {
        ly_buf_drop(output, client->output_sent);
        client->output_sent = 0;
    }
    mark_todo(client);
}
