/* Signing: may the key be used, has the person agreed, is the key open, and then whoever pulls events signs.
 */
#include "agent/agent-private.h"

#include <stdio.h>

#include "base/auto.h"
#include "base/memory.h"
#include "base/names.h"
#include "base/secret.h"
#include "key/read.h"

/* The algorithm that the flags ask for (RFC 9987 section 3.6.1): of both, SHA-256, as OpenSSH does. */
const char *ly_agent_algorithm(const LyKey *key, uint32_t flags)
{
    const LyKeyType *type = ly_key_type(key);
    if (type->pk != LY_PK_RSA)
        return type->name;
    return flags & SSH_AGENT_RSA_SHA2_256   ? "rsa-sha2-256"
           : flags & SSH_AGENT_RSA_SHA2_512 ? "rsa-sha2-512"
                                            : "ssh-rsa";
}

void ly_agent_handle_sign(Request *request, LyReader *reader)
{
    LyAgent *agent = request->client->agent;
    LyBytes blob = ly_get_string(reader), data = ly_get_string(reader);
    request->flags = ly_get_u32(reader);
    Identity *identity = reader->failed ? NULL : ly_agent_find_parsed(agent, blob, NULL);
    if (!identity) {
        ly_log(&agent->options.log, LY_LOG_DEBUG, "%s asks for a signature with a key that is not here",
               PEER_TEXT(request->client));
        ly_agent_reply_status(request, SSH_AGENT_FAILURE);
        return;
    }
    request->key = ly_key_ref(identity->key);
    ly_agent_request_keep(request, data);
    ly_agent_sign_step(request);
}

/* ---- what forbids it ---- */

static const char *rule_fault(const LyAgentClient *client, const LyAgentRule *rule)
{
    if (!rule)
        return NULL;
    if (rule->no_forwarded && ly_agent_client_is_forwarded(client))
        return "by its rule the key is not used through forwarding";
    if (!rule->programs)
        return NULL;
    if (!client->peer.program || client->peer.claimed)
        return "by its rule the key is for certain programs, and it is not known which one asks";
    const char *chain = strstr(client->peer.program, " < ");
    LyBytes program = ly_bytes_str(client->peer.program);
    if (chain)
        program.len = (size_t)(chain - client->peer.program);
    return ly_pattern_list_match(ly_bytes_str(rule->programs), program, false) == 1
               ? NULL
               : "by its rule the key is not for this program";
}

/* What SSHSIG signs: the magic word, namespace, reserved, hash, digest. */
static bool is_sshsig(LyBytes data)
{
    if (!ly_bytes_starts_with(data, "SSHSIG"))
        return false;
    LyReader reader = ly_reader(ly_bytes_slice(data, 6, data.len));
    LyBytes name_space = ly_get_string(&reader);
    ly_get_string(&reader);
    LyBytes hash = ly_get_string(&reader);
    ly_get_string(&reader);
    return ly_reader_done(&reader) && name_space.len && hash.len;
}

static LyBytes sk_application(const LyKey *key)
{
    LyReader reader = ly_reader(ly_key_plain_blob(key));
    for (int skip = ly_key_type(key)->pk == LY_PK_ECDSA ? 3 : 2; skip > 0; skip--)
        ly_get_string(&reader); /* type, maybe curve, public key */
    return ly_get_string(&reader);
}

static const char *sk_fault(const LyAgent *agent, const LyKey *key, LyBytes data)
{
    static const char *const standard[] = {"ssh:*", NULL};
    const char *const *patterns =
        agent->options.websafe_applications ? agent->options.websafe_applications : standard;
    if (!ly_key_type(key)->sk)
        return NULL;
    LyBytes application = sk_application(key);
    bool any = !agent->options.restrict_websafe;
    for (size_t i = 0; patterns[i] && !any; i++)
        any = ly_pattern_list_match(ly_bytes_str(patterns[i]), application, false) == 1;
    UserauthRequest request;
    if (!any && !is_sshsig(data) && !ly_agent_get_userauth_request(data, key, &request))
        return "a security key of a web application signs sign-ins and SSHSIG only";
    return agent->options.security_keys
               ? NULL
               : "the key is in a security key, which this agent does not reach: use ssh without an agent for it";
}

/* ---- the steps ---- */

static bool needs_confirmation(const LyAgentClient *client, const Identity *identity)
{
    const LyAgentRule *rule = identity->rule;
    return identity->confirm ||
           (rule && (rule->confirm || (rule->confirm_forwarded && ly_agent_client_is_forwarded(client))));
}

static void ask(Request *request, LyAgentEventType type, Wait wait)
{
    if (!ly_agent_ask(request, type, wait))
        ly_agent_refuse(request, "too many questions are open");
}

void ly_agent_sign_step(Request *request)
{
    LyAgentClient *client = request->client;
    LyAgent *agent = client->agent;
    Identity *identity = ly_agent_find(agent, ly_key_blob(request->key), NULL);
    const char *why = NULL;
    char *target = NULL;
    request->wait = WAIT_NOTHING;
    if (ly_agent_is_closed_to_all(agent))
        why = "the agent is locked";
    else if (!identity)
        why = "the key was removed";
    else if (ly_agent_may_sign(client, identity, request->body, &target, &why)) {
        why = rule_fault(client, identity->rule);
        if (!why)
            why = sk_fault(agent, identity->key, request->body);
        ly_free(request->question.target);
        request->question.target = target;
    }
    if (why) {
        ly_agent_refuse(request, why);
        return;
    }
    if (request->key != identity->key) { /* opened, or added again */
        ly_key_unref(request->key);
        request->key = ly_key_ref(identity->key);
    }
    if (needs_confirmation(client, identity) && !request->confirmed) {
        ask(request, LY_AGENT_CONFIRM, WAIT_CONFIRM);
    } else if (identity->closed && identity->opener && identity->opener != request) {
        request->wait = WAIT_OPENER;
    } else if (identity->closed) {
        identity->opener = request;
        request->attempt++;
        if (!ly_agent_ask(request, LY_AGENT_PASSPHRASE, WAIT_PASSPHRASE)) {
            identity->opener = NULL;
            ly_agent_refuse(request, "too many questions are open");
        }
    } else {
        ly_agent_touch(agent, identity);
        ask(request, LY_AGENT_SIGN, WAIT_SIGN);
    }
}

void ly_agent_answer_confirm(LyAgent *agent, uint64_t id, bool yes)
{
    Request *request = ly_agent_take_answer(agent, id, WAIT_CONFIRM);
    if (!request)
        return;
    request->confirmed = yes;
    if (yes)
        ly_agent_sign_step(request);
    else
        ly_agent_refuse(request, "it was not confirmed");
}

void ly_agent_answer_sign(LyAgent *agent, uint64_t id, LyBytes signature)
{
    Request *request = ly_agent_take_answer(agent, id, WAIT_SIGN);
    if (!request)
        return;
    LyAgentClient *client = request->client;
    if (signature.len == 0 || signature.len > LY_AGENT_MESSAGE_MAX - 5) {
        ly_agent_refuse(request, "the signature could not be made");
        return;
    }
    Identity *identity = ly_agent_find(agent, ly_key_blob(request->key), NULL);
    if (identity) {
        identity->uses++;
        identity->last_used_us = agent->now_us;
    }
    if (agent->options.log.write && agent->options.log.level >= LY_LOG_INFO)
        ly_log(&agent->options.log, LY_LOG_INFO, "the key \"%s\" signed for %s%s%s",
               LY_PRINTABLE(ly_key_comment(request->key)), PEER_TEXT(client),
               request->question.target ? ": " : "",
               request->question.target ? request->question.target : "");
    ly_agent_notify(agent, LY_AGENT_USED, client, request->key, request->question.target, NULL);
    request->question.target = NULL;
    size_t mark;
    LyBuf *out = ly_agent_reply_begin(request, &mark);
    ly_put_u8(out, SSH_AGENT_SIGN_RESPONSE);
    ly_put_string(out, signature);
    ly_agent_reply_end(request, mark);
}

/* ---- keys that are still encrypted ---- */

/* All that wait for this key are refused with the one that asked: else each of them would ask again. */
static void give_up(LyAgent *agent, Request *request, const char *why)
{
    Identity *identity = ly_agent_find(agent, ly_key_blob(request->key), NULL);
    LyKey *key = ly_key_ref(request->key);
    if (identity && identity->opener == request)
        identity->opener = NULL;
    do
        ly_agent_refuse(request, why);
    while ((request = ly_agent_find_waiting(agent, WAIT_OPENER, key)) &&
           (request->wait = WAIT_NOTHING, true));
    ly_key_unref(key);
}

void ly_agent_answer_passphrase(LyAgent *agent, uint64_t id, LyBytes passphrase)
{
    Request *request = ly_agent_take_answer(agent, id, WAIT_PASSPHRASE);
    if (!request)
        return;
    if (!passphrase.data || passphrase.len > LY_AGENT_MESSAGE_MAX) {
        give_up(agent, request, "no passphrase was given");
        return;
    }
    request->passphrase = ly_secret_copy(passphrase);
    if (!ly_agent_ask(request, LY_AGENT_DECRYPT, WAIT_DECRYPT))
        give_up(agent, request, "too many questions are open");
}

void ly_agent_answer_decrypt(LyAgent *agent, uint64_t id, LyKey *key, bool wrong_passphrase)
{
    Request *request = ly_agent_take_answer(agent, id, WAIT_DECRYPT);
    if (!request)
        return;
    ly_secret_free((void *)request->passphrase.data);
    request->passphrase = (LyBytes){0};
    Identity *identity = ly_agent_find(agent, ly_key_blob(request->key), NULL);
    if (!key && wrong_passphrase && request->attempt < PASSPHRASE_ATTEMPTS) {
        ly_agent_sign_step(request);
        return;
    }
    if (!key || !identity || !ly_key_is_private(key) ||
        !ly_bytes_equal(ly_key_plain_blob(key), ly_key_plain_blob(identity->key))) {
        give_up(agent, request,
                wrong_passphrase ? "the passphrase is wrong" : "the key could not be decrypted");
        return;
    }
    if (identity->closed) {
        LyKey *commented = ly_key_new_commented(key, ly_key_comment(identity->key));
        ly_agent_set_key(agent, identity, commented, false);
        ly_key_unref(commented);
    }
    identity->opener = NULL;
    LyKey *opened = ly_key_ref(identity->key);
    do
        ly_agent_sign_step(request);
    while ((request = ly_agent_find_waiting(agent, WAIT_OPENER, opened)));
    ly_key_unref(opened);
}
