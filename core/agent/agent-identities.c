/* What the agent holds: found by blob, listed from one prepared reply, gone when its time is over. */
#include "agent/agent-private.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/memory.h"
#include "base/secret.h"
#include "key/certificate.h"

/* FNV-1a over the end of the blob, where keys differ; equality is decided by the blobs. */
static uint32_t hash_of(LyBytes blob)
{
    uint32_t hash = 2166136261u ^ (uint32_t)blob.len;
    for (size_t i = blob.len > 64 ? blob.len - 64 : 0; i < blob.len; i++)
        hash = (hash ^ blob.data[i]) * 16777619u;
    return hash;
}

Identity *ly_agent_find(const LyAgent *agent, LyBytes blob, size_t *index)
{
    uint32_t hash = hash_of(blob);
    for (size_t i = 0; i < agent->count; i++) {
        if (agent->hashes[i] != hash || !ly_bytes_equal(ly_key_blob(agent->identities[i]->key), blob))
            continue;
        if (index)
            *index = i;
        return agent->identities[i];
    }
    return NULL;
}

Identity *ly_agent_find_parsed(const LyAgent *agent, LyBytes blob, size_t *index)
{
    Identity *identity = ly_agent_find(agent, blob, index);
    if (identity || agent->count == 0)
        return identity;
    LyKey *key = ly_key_new_public(agent->crypto, blob, NULL);
    if (key && !ly_key_is_certificate(key) && !ly_bytes_equal(ly_key_plain_blob(key), blob))
        identity = ly_agent_find(agent, ly_key_plain_blob(key), index);
    ly_key_unref(key);
    return identity;
}

/* What an identity takes in a list. */
static size_t list_len(const LyKey *key)
{
    return 4 + ly_key_blob(key).len + 4 + ly_key_comment(key).len;
}

static void free_bytes(LyBytes *bytes)
{
    ly_free((void *)bytes->data);
    *bytes = (LyBytes){0};
}

static LyBytes copy_of(LyBytes bytes)
{
    if (bytes.len == 0)
        return (LyBytes){0};
    uint8_t *copy = ly_alloc(bytes.len);
    memcpy(copy, bytes.data, bytes.len);
    return ly_bytes(copy, bytes.len);
}

static void close_key(LyAgent *agent, Identity *identity)
{
    if (!identity->open_link.next)
        return;
    ly_link_remove(&identity->open_link);
    agent->open_count--;
    ly_key_forget(identity->key);
}

/* All but its place in the table. */
static void clear_identity(LyAgent *agent, Identity *identity)
{
    close_key(agent, identity);
    agent->list_len -= list_len(identity->key);
    agent->held -= identity->held;
    agent->constrained -= identity->destinations.len > 0;
    ly_key_unref(identity->key);
    free_bytes(&identity->destinations);
    if (identity->encrypted.len)
        ly_cleanse((void *)identity->encrypted.data, identity->encrypted.len);
    free_bytes(&identity->encrypted);
    ly_free(identity->provider);
}

static void list_changed(LyAgent *agent)
{
    agent->list.len = 0;
    agent->changed = true;
}

static void find_next_expiry(LyAgent *agent)
{
    agent->next_expiry_us = NEVER;
    for (size_t i = 0; i < agent->count; i++)
        agent->next_expiry_us = LY_MIN(agent->next_expiry_us, agent->identities[i]->expires_us);
}

static void remove_identity(LyAgent *agent, size_t index)
{
    Identity *identity = agent->identities[index];
    LyKey *key = ly_key_ref(identity->key);
    size_t behind = --agent->count - index;
    memmove(agent->identities + index, agent->identities + index + 1, behind * sizeof(Identity *));
    memmove(agent->hashes + index, agent->hashes + index + 1, behind * sizeof(uint32_t));
    bool was_next = identity->expires_us <= agent->next_expiry_us;
    clear_identity(agent, identity);
    ly_free(identity);
    if (was_next)
        find_next_expiry(agent);
    list_changed(agent);
    ly_agent_refuse_kept(agent, key, "the key was removed");
    ly_key_unref(key);
}

void ly_agent_remove_all(LyAgent *agent)
{
    while (agent->count)
        remove_identity(agent, agent->count - 1);
}

static bool is_of_module(const Identity *identity, const char *path)
{
    return identity->is_module && strcmp(identity->provider, path) == 0;
}

size_t ly_agent_remove_provider(LyAgent *agent, const char *path)
{
    size_t count = 0;
    for (size_t i = agent->count; i-- > 0;) {
        if (i >= agent->count || !is_of_module(agent->identities[i], path))
            continue;
        remove_identity(agent, i);
        count++;
    }
    return count;
}

size_t ly_agent_count_provider(const LyAgent *agent, const char *path)
{
    size_t count = 0;
    for (size_t i = 0; i < agent->count; i++)
        count += is_of_module(agent->identities[i], path);
    return count;
}

void ly_agent_expire(LyAgent *agent)
{
    if (agent->now_us < agent->next_expiry_us)
        return;
    for (size_t i = agent->count; i-- > 0;) {
        if (i >= agent->count || agent->now_us < agent->identities[i]->expires_us)
            continue;
        ly_log(&agent->options.log, LY_LOG_INFO, "the lifetime of the key \"%s\" is over",
               LY_PRINTABLE(ly_key_comment(agent->identities[i]->key)));
        remove_identity(agent, i);
    }
}

void ly_agent_apply_rules(LyAgent *agent, Identity *identity)
{
    identity->rule = NULL;
    if (agent->rule_count == 0)
        return;
    char text[100];
    ly_key_fingerprint(agent->crypto, ly_key_plain_blob(identity->key), LY_SHA256, text);
    for (size_t i = 0; i < agent->rule_count && !identity->rule; i++)
        if (strcmp(agent->rules[i].fingerprint, text) == 0)
            identity->rule = &agent->rules[i];
}

/* ---- adding ---- */

static bool fits(LyAgentClient *client, const IdentityAdd *add, const Identity *old)
{
    const LyAgent *agent = client->agent;
    size_t max = agent->options.max_identities ? agent->options.max_identities : LY_AGENT_IDENTITIES_MAX;
    size_t list = 5 + agent->list_len + list_len(add->key) - (old ? list_len(old->key) : 0);
    const char *why = NULL;
    if (!old && agent->count >= LY_MIN(max, LY_AGENT_IDENTITIES_MAX))
        why = "the agent holds as many as it may";
    else if (list > LIST_MAX)
        why = "the list of all keys would be longer than clients read (262144 bytes): shorter comments or "
              "fewer keys fit";
    else if (agent->held - (old ? old->held : 0) + add->held > HELD_MAX)
        why = "the keys and their constraints would take more memory than they may";
    if (why)
        ly_log(&agent->options.log, LY_LOG_WARNING, "the key \"%s\" from %s is not added: %s",
               LY_PRINTABLE(ly_key_comment(add->key)), PEER_TEXT(client), why);
    return !why;
}

static Identity *append(LyAgent *agent, LyBytes blob)
{
    if (agent->count == agent->room) {
        agent->room = agent->room ? agent->room * 2 : 16;
        agent->identities = ly_realloc(agent->identities, agent->room * sizeof *agent->identities);
        agent->hashes = ly_realloc(agent->hashes, agent->room * sizeof *agent->hashes);
    }
    agent->hashes[agent->count] = hash_of(blob);
    return agent->identities[agent->count++] = ly_new(Identity);
}

bool ly_agent_put_identity(LyAgentClient *client, const IdentityAdd *add)
{
    static const Constraints none = {0};
    LyAgent *agent = client->agent;
    const Constraints *constraints = add->constraints ? add->constraints : &none;
    Identity *identity = ly_agent_find(agent, ly_key_blob(add->key), NULL);
    if (identity && !ly_agent_is_permitted(client, identity, (LyBytes){0}, NULL)) {
        ly_log(&agent->options.log, LY_LOG_WARNING,
               "the key \"%s\" from %s is not added: the agent has it, restricted to other destinations",
               LY_PRINTABLE(ly_key_comment(add->key)), PEER_TEXT(client));
        return false;
    }
    if (!fits(client, add, identity))
        return false;
    if (identity) {
        Request *opener = identity->opener;
        ly_key_ref(add->key); /* it may be the identity's own */
        clear_identity(agent, identity);
        *identity = (Identity){.opener = opener};
    } else {
        identity = append(agent, ly_key_blob(add->key));
        ly_key_ref(add->key);
    }
    identity->key = add->key;
    identity->held = add->held;
    identity->confirm = constraints->confirm;
    identity->destinations = copy_of(constraints->destinations);
    identity->encrypted = copy_of(add->encrypted);
    identity->closed = add->encrypted.len && !ly_key_has_secret(add->key);
    identity->is_module = add->provider.len > 0;
    if (add->provider.len)
        identity->provider = ly_bytes_dup_str(add->provider);
    else if (constraints->sk_provider.data)
        identity->provider = ly_bytes_dup_str(constraints->sk_provider);
    ly_agent_apply_rules(agent, identity);
    identity->expires_us = NEVER;
    if (constraints->has_lifetime)
        identity->expires_us = agent->now_us + (uint64_t)constraints->lifetime_s * 1000000;
    else if (agent->options.lifetime_us)
        identity->expires_us = agent->now_us + agent->options.lifetime_us;
    if (identity->rule && identity->rule->lifetime_us)
        identity->expires_us = LY_MIN(identity->expires_us, agent->now_us + identity->rule->lifetime_us);
    agent->list_len += list_len(identity->key);
    agent->held += identity->held;
    agent->constrained += identity->destinations.len > 0;
    find_next_expiry(agent);
    list_changed(agent);
    return true;
}

void ly_agent_set_key(LyAgent *agent, Identity *identity, LyKey *key, bool closed)
{
    close_key(agent, identity);
    agent->list_len -= list_len(identity->key);
    ly_key_ref(key);
    ly_key_unref(identity->key);
    identity->key = key;
    identity->closed = closed;
    agent->list_len += list_len(key);
    list_changed(agent);
}

void ly_agent_touch(LyAgent *agent, Identity *identity)
{
    if (identity->open_link.next) {
        ly_link_remove(&identity->open_link);
        agent->open_count--;
    }
    ly_list_prepend(&agent->open_keys, &identity->open_link);
    if (++agent->open_count > OPEN_KEYS_MAX)
        close_key(agent, ly_container_of(agent->open_keys.head.prev, Identity, open_link));
}

/* ---- requests ---- */

static void put_entry(LyBuf *out, const LyKey *key)
{
    ly_put_string(out, ly_key_blob(key));
    ly_put_string(out, ly_key_comment(key));
}

static void make_list(LyAgent *agent)
{
    LyBuf *list = &agent->list;
    ly_buf_room(list, 9 + agent->list_len);
    size_t mark = ly_put_string_begin(list);
    ly_put_u8(list, SSH_AGENT_IDENTITIES_ANSWER);
    ly_put_u32(list, (uint32_t)agent->count);
    for (size_t i = 0; i < agent->count; i++)
        put_entry(list, agent->identities[i]->key);
    ly_put_string_end(list, mark);
}

void ly_agent_handle_list(Request *request, LyReader *reader)
{
    const LyAgentClient *client = request->client;
    LyAgent *agent = client->agent;
    if (ly_agent_is_closed_to_all(agent)) {
        ly_agent_reply_whole(request, ly_bytes("\0\0\0\5\x0c\0\0\0\0", 9));
        return;
    }
    if (agent->constrained == 0 || !ly_agent_client_is_remote(client)) {
        if (agent->list.len == 0)
            make_list(agent);
        ly_agent_reply_whole(request, ly_buf_bytes(&agent->list));
        return;
    }
    uint32_t count = 0;
    size_t mark;
    LyBuf *out = ly_agent_reply_begin(request, &mark);
    ly_put_u8(out, SSH_AGENT_IDENTITIES_ANSWER);
    size_t count_at = out->len;
    ly_put_u32(out, 0);
    for (size_t i = 0; i < agent->count; i++) {
        if (!ly_agent_is_permitted(client, agent->identities[i], (LyBytes){0}, NULL))
            continue;
        put_entry(out, agent->identities[i]->key);
        count++;
    }
    ly_store_u32(out->data + count_at, count);
    ly_agent_reply_end(request, mark);
}

/* The key and its constraints; NULL: refused (logged). */
static LyKey *get_addition(LyAgentClient *client, LyReader *reader, Constraints *constraints)
{
    LyAgent *agent = client->agent;
    LyError error = {0};
    LyKey *key = ly_key_new_private(agent->crypto, reader, (LyBytes){0}, &error), *commented = NULL;
    LyBytes comment = ly_agent_get_text(reader);
    bool good = key && !reader->failed && (!ly_key_is_private(key) || ly_key_check(key, &error));
    if (!good)
        ly_log(&agent->options.log, LY_LOG_WARNING, "a key from %s is not added: %s", PEER_TEXT(client),
               error.code ? error.message : "the request is cut short");
    if (good && ly_agent_get_constraints(client, reader, key, constraints)) {
        ly_key_forget(key); /* what the check needed */
        commented = comment.len ? ly_key_new_commented(key, comment) : ly_key_ref(key);
    }
    ly_key_unref(key);
    return commented;
}

void ly_agent_handle_add(Request *request, LyReader *reader)
{
    LyBytes all = ly_bytes(reader->data, reader->len);
    Constraints constraints = {0};
    LyKey *key = get_addition(request->client, reader, &constraints);
    bool good = key != NULL;
    if (key && ly_agent_has_library(&constraints)) {
        ly_agent_request_keep(request, all);
        request->provider = ly_bytes(request->body.data + (constraints.sk_provider.data - all.data),
                                     constraints.sk_provider.len);
        good = ly_agent_ask(request, LY_AGENT_RESOLVE, WAIT_RESOLVE);
        ly_key_unref(key);
        if (!good)
            ly_agent_reply_status(request, SSH_AGENT_FAILURE);
        return;
    }
    if (key) {
        IdentityAdd add = {.key = key, .constraints = &constraints, .held = all.len};
        good = ly_agent_put_identity(request->client, &add);
    }
    ly_key_unref(key);
    ly_agent_reply_status(request, good ? SSH_AGENT_SUCCESS : SSH_AGENT_FAILURE);
}

void ly_agent_add_resolved(Request *request)
{
    LyReader reader = ly_reader(request->body);
    Constraints constraints = {0};
    LyKey *key = get_addition(request->client, &reader, &constraints);
    bool good = key != NULL;
    if (key) {
        constraints.sk_provider = ly_bytes_str(request->resolved);
        IdentityAdd add = {.key = key, .constraints = &constraints, .held = request->body.len};
        good = ly_agent_put_identity(request->client, &add);
    }
    ly_key_unref(key);
    ly_agent_reply_status(request, good ? SSH_AGENT_SUCCESS : SSH_AGENT_FAILURE);
}

void ly_agent_handle_remove(Request *request, LyReader *reader)
{
    LyAgentClient *client = request->client;
    LyAgent *agent = client->agent;
    size_t index;
    Identity *identity = ly_agent_find_parsed(agent, ly_get_string(reader), &index);
    bool good = !reader->failed && identity && ly_agent_is_permitted(client, identity, (LyBytes){0}, NULL);
    if (good)
        remove_identity(agent, index);
    ly_agent_reply_status(request, good ? SSH_AGENT_SUCCESS : SSH_AGENT_FAILURE);
}

void ly_agent_handle_remove_all(Request *request, LyReader *reader)
{
    ly_agent_remove_all(request->client->agent);
    ly_agent_reply_status(request, SSH_AGENT_SUCCESS);
}
