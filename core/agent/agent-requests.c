/* Requests that are kept, and the questions that they wait for. */
#include "agent/agent-private.h"

#include "base/memory.h"
#include "base/secret.h"

Request *ly_agent_request_new(LyAgentClient *client, uint8_t type)
{
    Request *request = ly_new(Request);
    request->client = client;
    request->type = type;
    ly_list_append(&client->queue, &request->link);
    client->queued++;
    client->agent->kept++;
    return request;
}

void ly_agent_request_free(Request *request)
{
    LyAgentClient *client = request->client;
    ly_link_remove(&request->link);
    ly_link_remove(&request->delay_link);
    client->queued--;
    client->agent->kept--;
    client->queued_len -= request->body.len;
    if (request->type != SSH_AGENTC_SIGN_REQUEST)
        client->barrier = false;
    ly_key_unref(request->key);
    if (request->body.len)
        ly_cleanse((void *)request->body.data, request->body.len);
    ly_free((void *)request->body.data);
    ly_secret_free((void *)request->passphrase.data);
    ly_buf_free(&request->reply);
    ly_free(request->question.target);
    ly_free(request->resolved);
    ly_free(request);
}

void ly_agent_request_keep(Request *request, LyBytes body)
{
    LyAgentClient *client = request->client;
    uint8_t *copy = ly_alloc(body.len ? body.len : 1);
    if (body.len)
        memcpy(copy, body.data, body.len);
    request->body = ly_bytes(copy, body.len);
    client->queued_len += body.len;
    if (request->type != SSH_AGENTC_SIGN_REQUEST)
        client->barrier = true;
}

/* ---- questions ---- */

static bool take_slot(LyAgent *agent, Request *request)
{
    if (agent->free_count == 0) {
        if (agent->slot_count == QUESTIONS_MAX)
            return false;
        uint32_t count = agent->slot_count ? agent->slot_count * 2 : 64;
        agent->slots = ly_realloc(agent->slots, count * sizeof *agent->slots);
        agent->free_slots = ly_realloc(agent->free_slots, count * sizeof *agent->free_slots);
        for (uint32_t slot = count; slot-- > agent->slot_count;) {
            agent->slots[slot] = NULL;
            agent->free_slots[agent->free_count++] = slot;
        }
        agent->slot_count = count;
    }
    request->slot = agent->free_slots[--agent->free_count];
    agent->slots[request->slot] = request;
    request->question.id = ++agent->question_count * QUESTIONS_MAX + request->slot;
    return true;
}

static void give_slot(LyAgent *agent, Request *request)
{
    agent->slots[request->slot] = NULL;
    agent->free_slots[agent->free_count++] = request->slot;
    request->question.id = 0;
    request->wait = WAIT_NOTHING;
}

bool ly_agent_ask(Request *request, LyAgentEventType type, Wait wait)
{
    LyAgent *agent = request->client->agent;
    if (!take_slot(agent, request))
        return false;
    request->wait = wait;
    request->asked = false;
    request->question.type = type;
    request->question.client = request->client;
    request->question.forwarded = ly_agent_client_is_forwarded(request->client);
    ly_list_append(&agent->notices, &request->question.link);
    return true;
}

void ly_agent_withdraw(Request *request)
{
    LyAgent *agent = request->client->agent;
    uint64_t id = request->question.id;
    if (id == 0)
        return;
    ly_link_remove(&request->question.link);
    give_slot(agent, request);
    if (!request->asked)
        return;
    ly_agent_notify(agent, LY_AGENT_WITHDRAWN, NULL, NULL, NULL, NULL);
    ly_container_of(agent->notices.head.prev, Notice, link)->id = id;
}

Request *ly_agent_take_answer(LyAgent *agent, uint64_t id, Wait wait)
{
    uint32_t slot = (uint32_t)(id % QUESTIONS_MAX);
    Request *request = slot < agent->slot_count ? agent->slots[slot] : NULL;
    if (!request || request->question.id != id || request->wait != wait)
        return NULL;
    ly_link_remove(&request->question.link);
    give_slot(agent, request);
    return request;
}

/* ---- refusing ---- */

void ly_agent_refuse(Request *request, const char *why)
{
    LyAgentClient *client = request->client;
    LyAgent *agent = client->agent;
    ly_log(&agent->options.log, LY_LOG_INFO, "a signature for %s is refused: %s", PEER_TEXT(client), why);
    ly_agent_notify(agent, LY_AGENT_REFUSED, client, request->key, request->question.target, ly_strdup(why));
    request->question.target = NULL;
    ly_agent_reply_status(request, SSH_AGENT_FAILURE);
}

static bool is_same(const LyKey *a, const LyKey *b)
{
    return ly_bytes_equal(ly_key_blob(a), ly_key_blob(b));
}

Request *ly_agent_find_waiting(const LyAgent *agent, Wait wait, const LyKey *key)
{
    if (agent->kept == 0)
        return NULL;
    ly_list_each(&agent->clients, LyAgentClient, link, client)
    {
        ly_list_each(&client->queue, Request, link, request)
        {
            if (!request->answered && request->wait == wait && (!key || is_same(request->key, key)))
                return request;
        }
    }
    return NULL;
}

void ly_agent_refuse_kept(LyAgent *agent, const LyKey *key, const char *why)
{
    static const Wait waits[] = {WAIT_OPENER, WAIT_CONFIRM, WAIT_PASSPHRASE, WAIT_DECRYPT,
                                 WAIT_SIGN,   WAIT_RESOLVE, WAIT_PROVIDER};
    for (size_t i = 0; i < LY_COUNT(waits) && !(key && waits[i] == WAIT_SIGN); i++) {
        /* A reply may release those behind it: so each search begins anew. */
        Request *request;
        while ((request = ly_agent_find_waiting(agent, waits[i], key))) {
            ly_agent_withdraw(request);
            request->wait = WAIT_NOTHING;
            if (waits[i] == WAIT_RESOLVE || waits[i] == WAIT_PROVIDER) {
                ly_agent_reply_status(request, SSH_AGENT_FAILURE);
                continue;
            }
            Identity *identity = ly_agent_find(agent, ly_key_blob(request->key), NULL);
            if (identity && identity->opener == request)
                identity->opener = NULL;
            ly_agent_refuse(request, why);
        }
    }
}

void ly_agent_opener_gone(Request *request)
{
    if (!request->key)
        return;
    LyAgent *agent = request->client->agent;
    Identity *identity = ly_agent_find(agent, ly_key_blob(request->key), NULL);
    if (!identity || identity->opener != request)
        return;
    identity->opener = NULL;
    Request *next;
    while (!identity->opener && (next = ly_agent_find_waiting(agent, WAIT_OPENER, identity->key)))
        ly_agent_sign_step(next);
}
