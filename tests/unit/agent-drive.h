/* An agent and its clients in memory: requests go in whole or in pieces, questions are answered by a few
 * switches, replies come out one by one. */
#ifndef LY_TESTS_UNIT_AGENT_DRIVE_H
#define LY_TESTS_UNIT_AGENT_DRIVE_H

#include <glib.h>

#include "agent/agent.h"
#include "agent/client.h"
#include "base/auto.h"
#include "base/memory.h"
#include "key/key.h"

typedef struct Rig {
    LyAgent *agent;
    bool hold;              /* questions are noted and not answered */
    bool refuse;            /* confirmations are refused */
    const char *passphrase; /* for PASSPHRASE; NULL: given up */
    uint64_t ids[128];      /* of the questions that were held */
    LyAgentEventType types[128];
    size_t held;
    unsigned counts[LY_AGENT_CHANGED + 1]; /* events by type */
    char why[200], target[200], log[2000];
    bool forwarded;
} Rig;

static LyCrypto *crypto;

static inline void rig_log(void *user, LyLogLevel level, const char *message)
{
    Rig *rig = user;
    g_strlcpy(rig->log, message, sizeof rig->log);
}

static inline void rig_start(Rig *rig, const LyAgentOptions *options)
{
    LyAgentOptions copy = options ? *options : (LyAgentOptions){0};
    memset(rig, 0, sizeof *rig);
    copy.log = (LyLog){rig_log, rig, LY_LOG_DEBUG};
    rig->agent = ly_agent_new(crypto, &copy);
}

static inline void rig_stop(Rig *rig)
{
    ly_agent_free(rig->agent);
}

static LyKey *open_ppk(LyBytes text, LyBytes passphrase, LyErrorCode *code);

static inline void rig_answer(Rig *rig, const LyAgentEvent *event)
{
    switch (event->type) {
    case LY_AGENT_CONFIRM:
        ly_agent_answer_confirm(rig->agent, event->id, !rig->refuse);
        break;
    case LY_AGENT_PASSPHRASE:
        ly_agent_answer_passphrase(rig->agent, event->id, ly_bytes_str(rig->passphrase));
        break;
    case LY_AGENT_DECRYPT: {
        LyErrorCode code = LY_OK;
        LyKey *key = open_ppk(event->encrypted, event->passphrase, &code);
        ly_agent_answer_decrypt(rig->agent, event->id, key, code == LY_ERROR_PASSPHRASE);
        ly_key_unref(key);
        break;
    }
    case LY_AGENT_SIGN: {
        LY_AUTO(ly_buf_free) LyBuf signature = {0};
        g_assert_true(ly_key_sign(event->key, event->algorithm, event->data, &signature, NULL));
        ly_agent_answer_sign(rig->agent, event->id, ly_buf_bytes(&signature));
        break;
    }
    case LY_AGENT_RESOLVE: { /* below /links are links, below /gone is nothing */
        char *path = ly_bytes_dup_str(event->provider);
        ly_agent_answer_resolve(rig->agent, event->id,
                                g_str_has_prefix(path, "/gone")     ? NULL
                                : g_str_has_prefix(path, "/links/") ? path + 6
                                                                    : path);
        ly_free(path);
        break;
    }
    default:
        break;
    }
}

static inline void rig_events(Rig *rig)
{
    LyAgentEvent event;
    while (ly_agent_next(rig->agent, &event)) {
        rig->counts[event.type]++;
        rig->forwarded = event.forwarded;
        if (event.why)
            g_strlcpy(rig->why, event.why, sizeof rig->why);
        if (event.type == LY_AGENT_CONFIRM || event.type == LY_AGENT_USED)
            g_strlcpy(rig->target, event.target ? event.target : "", sizeof rig->target);
        if (event.type > LY_AGENT_PROVIDER)
            continue;
        g_assert_cmpuint(event.id, !=, 0);
        if (!rig->hold && event.type != LY_AGENT_PROVIDER) {
            rig_answer(rig, &event);
            continue;
        }
        g_assert_cmpuint(rig->held, <, LY_COUNT(rig->ids));
        rig->types[rig->held] = event.type;
        rig->ids[rig->held++] = event.id;
    }
}

/* The bytes as they are, `chunk` at a time (0: all); what the agent does not take is given later. Returns how
 * many it took. */
static inline size_t rig_feed(Rig *rig, LyAgentClient *client, LyBytes bytes, size_t chunk)
{
    size_t done = 0;
    while (done < bytes.len) {
        size_t room;
        uint8_t *input = ly_agent_client_input(client, &room);
        size_t len = MIN(bytes.len - done, room);
        if (chunk)
            len = MIN(len, chunk);
        if (len == 0)
            break;
        memcpy(input, bytes.data + done, len);
        ly_agent_client_received(client, len);
        rig_events(rig);
        done += len;
    }
    return done;
}

static inline size_t rig_send(Rig *rig, LyAgentClient *client, LyBytes message, size_t chunk)
{
    LY_AUTO(ly_buf_free) LyBuf framed = {0};
    ly_put_string(&framed, message);
    return rig_feed(rig, client, ly_buf_bytes(&framed), chunk);
}

/* The next reply, or none; *reply is the caller's buffer. */
static inline bool rig_receive(Rig *rig, LyAgentClient *client, LyBuf *reply)
{
    LyBytes output = ly_agent_client_output(client);
    ly_buf_clear(reply);
    if (output.len < 4)
        return false;
    uint32_t len = ly_load_u32(output.data);
    g_assert_cmpuint(output.len, >=, 4 + len);
    ly_buf_add(reply, ly_bytes_slice(output, 4, len));
    ly_agent_client_sent(client, 4 + len);
    rig_events(rig);
    return true;
}

/* One request, one reply: its type; 0 when there is none. The whole of it in *reply unless NULL. */
static inline unsigned rig_ask(Rig *rig, LyAgentClient *client, LyBytes message, LyBuf *reply)
{
    LY_AUTO(ly_buf_free) LyBuf own = {0};
    if (!reply)
        reply = &own;
    rig_send(rig, client, message, 0);
    if (!rig_receive(rig, client, reply))
        return 0;
    g_assert_cmpuint(ly_agent_client_output(client).len, ==, 0);
    g_assert_cmpuint(reply->len, >, 0);
    return reply->data[0];
}

static inline LyKey *new_key(LyPkType type, unsigned bits)
{
    LyKey *key = ly_key_generate(crypto, type, bits, LY_BYTES("a key"), NULL);
    g_assert_nonnull(key);
    return key;
}

/* ---- messages; each is emptied first ---- */

static inline LyBytes add_message(LyBuf *out, const LyKey *key, const char *comment, LyBytes constraints)
{
    ly_buf_clear(out);
    ly_put_u8(out, constraints.data ? SSH_AGENTC_ADD_ID_CONSTRAINED : SSH_AGENTC_ADD_IDENTITY);
    ly_key_put_private(key, out);
    ly_put_cstring(out, comment);
    ly_buf_add(out, constraints);
    return ly_buf_bytes(out);
}

static inline LyBytes sign_message(LyBuf *out, const LyKey *key, LyBytes data, uint32_t flags)
{
    ly_buf_clear(out);
    ly_put_agent_sign_request(out, ly_key_blob(key), data, flags);
    return ly_buf_bytes(out);
}

static inline LyBytes key_message(LyBuf *out, uint8_t type, const LyKey *key)
{
    ly_buf_clear(out);
    ly_put_u8(out, type);
    ly_put_string(out, ly_key_blob(key));
    return ly_buf_bytes(out);
}

static inline LyBytes text_message(LyBuf *out, uint8_t type, const char *text)
{
    ly_buf_clear(out);
    ly_put_u8(out, type);
    ly_put_cstring(out, text);
    return ly_buf_bytes(out);
}

#define LIST_MESSAGE LY_BYTES("\x0b")

/* ---- in one go ---- */

static inline unsigned do_add(Rig *rig, LyAgentClient *client, const LyKey *key, LyBytes constraints)
{
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    return rig_ask(rig, client, add_message(&out, key, "a comment", constraints), NULL);
}

static inline unsigned do_text(Rig *rig, LyAgentClient *client, uint8_t type, const char *text)
{
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    return rig_ask(rig, client, text_message(&out, type, text), NULL);
}

static inline size_t do_list(Rig *rig, LyAgentClient *client)
{
    LY_AUTO(ly_buf_free) LyBuf reply = {0};
    LyAgentIdentity *identities;
    size_t count;
    rig_ask(rig, client, LIST_MESSAGE, &reply);
    g_assert_true(ly_get_agent_identities(ly_buf_bytes(&reply), &identities, &count, NULL));
    ly_free(identities);
    return count;
}

/* The signature is verified. */
static inline unsigned do_sign(Rig *rig, LyAgentClient *client, LyKey *key, LyBytes data, uint32_t flags)
{
    LY_AUTO(ly_buf_free) LyBuf out = {0}, reply = {0};
    unsigned type = rig_ask(rig, client, sign_message(&out, key, data, flags), &reply);
    LyBytes signature;
    if (type != SSH_AGENT_SIGN_RESPONSE)
        return type;
    LyError error = {0};
    g_assert_true(ly_get_agent_signature(ly_buf_bytes(&reply), &signature, NULL));
    LY_AUTO(ly_buf_free) LyBuf all = {0};
    ly_user_key_algorithm_names(false, &all);
    if (!ly_key_verify(key, ly_buf_bytes(&all), data, signature, NULL, &error))
        g_error("%s", error.message);
    return type;
}

#endif
