/* The agent as its owner sees it: made and freed, time, events, rules, what it holds. */
#include "agent/agent-private.h"

#include <stdio.h>

#include "base/memory.h"
#include "base/secret.h"

LyAgent *ly_agent_new(LyCrypto *crypto, const LyAgentOptions *options)
{
    LyAgent *agent = ly_new(LyAgent);
    agent->crypto = ly_crypto_ref(crypto);
    if (options)
        agent->options = *options;
    agent->next_expiry_us = NEVER;
    ly_list_init(&agent->open_keys);
    ly_list_init(&agent->clients);
    ly_list_init(&agent->ready);
    ly_list_init(&agent->notices);
    ly_list_init(&agent->delayed);
    ly_list_init(&agent->todo);
    ly_host_key_algorithm_names(false, &agent->host_algorithms);
    return agent;
}

static void notice_free(Notice *notice);

void ly_agent_free(LyAgent *agent)
{
    if (!agent)
        return;
    ly_agent_remove_all(agent);
    ly_list_each(&agent->notices, Notice, link, notice)
    {
        ly_link_remove(&notice->link);
        notice_free(notice);
    }
    notice_free(agent->shown);
    ly_agent_set_rules(agent, NULL, 0);
    ly_free(agent->identities);
    ly_free(agent->hashes);
    ly_free(agent->slots);
    ly_free(agent->free_slots);
    ly_buf_free(&agent->list);
    ly_buf_free(&agent->host_algorithms);
    ly_cleanse(agent->lock_hash, sizeof agent->lock_hash);
    ly_crypto_unref(agent->crypto);
    ly_free(agent);
}

const char *ly_agent_peer_text(const LyAgentClient *client, char text[300])
{
    const LyAgentPeer *peer = &client->peer;
    char process[40] = "a client", program[220] = "";
    if (peer->pid)
        snprintf(process, sizeof process, "process %lld", (long long)peer->pid);
    if (peer->program) {
        char printable[200];
        ly_printable(ly_bytes_str(peer->program), printable, sizeof printable);
        snprintf(program, sizeof program, " (%s)", printable);
    }
    snprintf(text, 300, "%s%s", process, program);
    return text;
}

/* ---- time ---- */

uint64_t ly_agent_deadline(const LyAgent *agent)
{
    uint64_t deadline_us = agent->next_expiry_us;
    ly_list_each(&agent->delayed, Request, delay_link, request)
    {
        deadline_us = LY_MIN(deadline_us, request->until_us);
    }
    return deadline_us;
}

void ly_agent_tick(LyAgent *agent, uint64_t now_us)
{
    agent->now_us = LY_MAX(agent->now_us, now_us);
    ly_agent_expire(agent);
    ly_list_each(&agent->delayed, Request, delay_link, request)
    {
        if (agent->now_us < request->until_us)
            continue;
        ly_link_remove(&request->delay_link);
        ly_agent_reply_status(request, SSH_AGENT_FAILURE);
    }
}

void ly_agent_set_date(LyAgent *agent, uint64_t seconds)
{
    agent->date_s = seconds;
    agent->date_at_us = agent->now_us;
}

/* ---- events ---- */

void ly_agent_notify(LyAgent *agent, LyAgentEventType type, LyAgentClient *client, LyKey *key, char *target,
                     char *why)
{
    Notice *notice = ly_new(Notice);
    notice->type = type;
    notice->client = client;
    notice->key = key ? ly_key_ref(key) : NULL;
    notice->target = target;
    notice->why = why;
    notice->forwarded = client && ly_agent_client_is_forwarded(client);
    ly_list_append(&agent->notices, &notice->link);
}

static void notice_free(Notice *notice)
{
    if (!notice)
        return;
    ly_key_unref(notice->key);
    ly_free(notice->target);
    ly_free(notice->why);
    ly_free(notice);
}

static bool is_question(LyAgentEventType type)
{
    return type <= LY_AGENT_PROVIDER;
}

static void show_question(LyAgent *agent, Request *request, LyAgentEvent *event)
{
    const Identity *identity = request->key ? ly_agent_find(agent, ly_key_blob(request->key), NULL) : NULL;
    request->asked = true;
    event->key = request->key;
    switch (event->type) {
    case LY_AGENT_SIGN:
        event->algorithm = ly_bytes_str(ly_agent_algorithm(request->key, request->flags));
        event->data = request->body;
        if (identity && identity->provider)
            event->provider = ly_bytes_str(identity->provider);
        break;
    case LY_AGENT_PASSPHRASE:
        event->attempt = request->attempt;
        break;
    case LY_AGENT_DECRYPT:
        event->encrypted = identity ? identity->encrypted : (LyBytes){0};
        event->passphrase = request->passphrase;
        event->attempt = request->attempt;
        break;
    case LY_AGENT_EXTENSION: {
        LyReader reader = ly_reader(request->body);
        event->extension = ly_get_string(&reader);
        event->contents = ly_get_rest(&reader);
        break;
    }
    case LY_AGENT_RESOLVE:
        event->provider = request->provider;
        break;
    case LY_AGENT_PROVIDER:
        event->provider = ly_bytes_str(request->resolved);
        event->pin = request->pin;
        event->unload = request->type == SSH_AGENTC_REMOVE_SMARTCARD_KEY;
        break;
    default:
        break;
    }
}

bool ly_agent_next(LyAgent *agent, LyAgentEvent *event)
{
    LyAgentClient *client;
    notice_free(agent->shown);
    agent->shown = NULL;
    while ((client = ly_list_first(&agent->todo, LyAgentClient, todo_link))) {
        ly_link_remove(&client->todo_link);
        ly_agent_client_process(client);
    }
    Notice *notice = ly_list_first(&agent->notices, Notice, link);
    if (!notice) {
        if (!agent->changed)
            return false;
        agent->changed = false;
        *event = (LyAgentEvent){.type = LY_AGENT_CHANGED};
        return true;
    }
    ly_link_remove(&notice->link);
    *event = (LyAgentEvent){.type = notice->type,
                            .id = notice->id,
                            .client = notice->client,
                            .key = notice->key,
                            .forwarded = notice->forwarded,
                            .target = notice->target,
                            .why = notice->why};
    if (is_question(notice->type))
        show_question(agent, ly_container_of(notice, Request, question), event);
    else
        agent->shown = notice;
    return true;
}

/* ---- rules ---- */

void ly_agent_set_rules(LyAgent *agent, const LyAgentRule *rules, size_t count)
{
    for (size_t i = 0; i < agent->rule_count; i++)
        ly_free((void *)agent->rules[i].programs);
    ly_free(agent->rules);
    agent->rules = count ? ly_new_array(LyAgentRule, count) : NULL;
    agent->rule_count = count;
    for (size_t i = 0; i < count; i++) {
        agent->rules[i] = rules[i];
        agent->rules[i].programs = rules[i].programs ? ly_strdup(rules[i].programs) : NULL;
    }
    for (size_t i = 0; i < agent->count; i++)
        ly_agent_apply_rules(agent, agent->identities[i]);
}

/* ---- the identities ---- */

size_t ly_agent_count(const LyAgent *agent)
{
    return agent->count;
}

bool ly_agent_get(const LyAgent *agent, size_t index, LyAgentIdentityInfo *info)
{
    if (index >= agent->count)
        return false;
    const Identity *identity = agent->identities[index];
    const LyAgentRule *rule = identity->rule;
    *info = (LyAgentIdentityInfo){
        .key = identity->key,
        .comment = ly_key_comment(identity->key),
        .confirm = identity->confirm || (rule && rule->confirm),
        .encrypted = identity->closed,
        .destination_constrained = identity->destinations.len > 0,
        .expires_us = identity->expires_us,
        .last_used_us = identity->last_used_us,
        .uses = identity->uses,
        .provider = identity->provider,
    };
    return true;
}

bool ly_agent_is_locked(const LyAgent *agent)
{
    return agent->locked || agent->suspended;
}

void ly_agent_suspend(LyAgent *agent, bool suspended)
{
    if (agent->suspended == suspended)
        return;
    agent->suspended = suspended;
    agent->changed = true;
    if (suspended)
        ly_agent_refuse_kept(agent, NULL, "the agent was locked");
}
