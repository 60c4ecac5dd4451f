/* Locking by a passphrase. A wrong one delays the connection that gave it, and no other. */
#include "agent/agent-private.h"

#include "base/memory.h"
#include "crypto/kdf.h"

enum { LOCK_ROUNDS = 1, DELAY_US = 100 * 1000, DELAYS_MAX = 100 };

static bool hash_passphrase(LyAgent *agent, LyBytes passphrase, uint8_t hash[LOCK_HASH_LEN])
{
    return ly_bcrypt_pbkdf(agent->crypto, passphrase, ly_bytes(agent->lock_salt, LOCK_SALT_LEN), LOCK_ROUNDS,
                           hash, LOCK_HASH_LEN, NULL);
}

/* An empty one is not accepted; bytes behind it are, as OpenSSH does. */
static bool get_passphrase(LyReader *reader, LyBytes *passphrase)
{
    *passphrase = ly_agent_get_text(reader);
    return !reader->failed && passphrase->len;
}

void ly_agent_handle_lock(Request *request, LyReader *reader)
{
    LyAgent *agent = request->client->agent;
    LyBytes passphrase;
    if (!get_passphrase(reader, &passphrase)) {
        ly_agent_reply_status(request, SSH_AGENT_FAILURE);
        return;
    }
    ly_crypto_random(agent->crypto, agent->lock_salt, LOCK_SALT_LEN);
    if (!hash_passphrase(agent, passphrase, agent->lock_hash)) {
        ly_agent_reply_status(request, SSH_AGENT_FAILURE);
        return;
    }
    agent->locked = true;
    agent->changed = true;
    ly_log(&agent->options.log, LY_LOG_INFO, "the agent was locked by %s", PEER_TEXT(request->client));
    ly_agent_refuse_kept(agent, NULL, "the agent was locked");
    ly_agent_reply_status(request, SSH_AGENT_SUCCESS);
}

void ly_agent_handle_unlock(Request *request, LyReader *reader)
{
    LyAgent *agent = request->client->agent;
    LyBytes passphrase;
    uint8_t hash[LOCK_HASH_LEN];
    if (!get_passphrase(reader, &passphrase) || !agent->locked || agent->suspended) {
        ly_agent_reply_status(request, SSH_AGENT_FAILURE);
        return;
    }
    bool good =
        hash_passphrase(agent, passphrase, hash) &&
        ly_bytes_equal_secret(ly_bytes(hash, LOCK_HASH_LEN), ly_bytes(agent->lock_hash, LOCK_HASH_LEN));
    ly_cleanse(hash, sizeof hash);
    if (good) {
        agent->locked = false;
        agent->unlock_failures = 0;
        agent->changed = true;
        ly_cleanse(agent->lock_hash, LOCK_HASH_LEN);
        ly_log(&agent->options.log, LY_LOG_INFO, "the agent was unlocked by %s", PEER_TEXT(request->client));
        ly_agent_reply_status(request, SSH_AGENT_SUCCESS);
        return;
    }
    agent->unlock_failures = LY_MIN(agent->unlock_failures + 1, (unsigned)DELAYS_MAX);
    request->until_us = agent->now_us + (uint64_t)agent->unlock_failures * DELAY_US;
    ly_log(&agent->options.log, LY_LOG_WARNING, "%s gave a wrong passphrase to unlock the agent",
           PEER_TEXT(request->client));
    ly_agent_request_keep(request, (LyBytes){0});
    request->wait = WAIT_UNTIL;
    ly_list_append(&agent->delayed, &request->delay_link);
}
