/* Extensions (RFC 9987 section 3.8): query, OpenSSH's session-bind, and PuTTY's for keys that stay encrypted.
 */
#include "agent/agent-private.h"

#include "base/memory.h"
#include "key/read.h"

#define PUTTY "@putty.projects.tartarus.org"

/* An answer is 6 and what the handler appends, unless it answers false: 28. */
typedef bool Extension(LyAgentClient *client, LyReader *reader, size_t held, LyBuf *out);

static bool bind_session(LyAgentClient *client, LyReader *reader, size_t held, LyBuf *out)
{
    return ly_agent_session_bind(client, reader);
}

/* ---- PuTTY's ---- */

/* Drops what was decrypted. False: there is no encrypted file to decrypt again. */
static bool reencrypt_key(LyAgent *agent, Identity *identity)
{
    if (identity->encrypted.len == 0)
        return false;
    if (identity->closed)
        return true;
    LyKey *shown = ly_key_new_public(agent->crypto, ly_key_blob(identity->key), NULL), *commented = NULL;
    if (shown)
        commented = ly_key_new_commented(shown, ly_key_comment(identity->key));
    if (commented)
        ly_agent_set_key(agent, identity, commented, true);
    ly_key_unref(commented);
    ly_key_unref(shown);
    return commented != NULL;
}

static bool reencrypt(LyAgentClient *client, LyReader *reader, size_t held, LyBuf *out)
{
    Identity *identity = ly_agent_find_parsed(client->agent, ly_get_string(reader), NULL);
    return !reader->failed && identity && ly_agent_is_permitted(client, identity, (LyBytes){0}, NULL) &&
           reencrypt_key(client->agent, identity);
}

static bool reencrypt_all(LyAgentClient *client, LyReader *reader, size_t held, LyBuf *out)
{
    LyAgent *agent = client->agent;
    uint32_t done = 0, clear = 0;
    for (size_t i = 0; i < agent->count; i++) {
        if (!ly_agent_is_permitted(client, agent->identities[i], (LyBytes){0}, NULL))
            continue;
        if (reencrypt_key(agent, agent->identities[i]))
            done++;
        else
            clear++;
    }
    ly_put_u32(out, clear);
    return done || !clear;
}

/* The key is here already: the file is kept beside it, and its constraints stay as they are. */
static bool attach(LyAgentClient *client, Identity *identity, LyBytes text, size_t held)
{
    LyAgent *agent = client->agent;
    if (!ly_agent_is_permitted(client, identity, (LyBytes){0}, NULL))
        return false;
    if (identity->encrypted.len || agent->held + held > HELD_MAX)
        return identity->encrypted.len > 0;
    uint8_t *copy = ly_alloc(text.len);
    memcpy(copy, text.data, text.len);
    identity->encrypted = ly_bytes(copy, text.len);
    identity->held += held;
    agent->held += held;
    agent->changed = true;
    return true;
}

static bool add_ppk(LyAgentClient *client, LyReader *reader, size_t held, LyBuf *out)
{
    static const LyKeyReadOptions options = {.public_only = true};
    LyAgent *agent = client->agent;
    LyBytes text = ly_get_string(reader);
    LyKeyFile file = {0};
    LyError error = {0};
    bool good = false;
    if (!ly_reader_done(reader)) {
        ly_error_set(&error, LY_ERROR_INVALID, "the request is malformed");
    } else if (ly_key_file_read(agent->crypto, text, &options, &file, &error)) {
        LyKeyEntry *entry = &file.entries[0];
        bool is_ppk = entry->format >= LY_KEY_PPK1 && entry->format <= LY_KEY_PPK3;
        if (file.count != 1 || !is_ppk || !entry->key) {
            ly_error_set(&error, LY_ERROR_INVALID, "this is not a PPK file");
        } else {
            /* Not encrypted: the key is at hand, and there is nothing to keep. */
            IdentityAdd add = {
                .key = entry->key, .encrypted = entry->encrypted ? text : (LyBytes){0}, .held = held};
            Identity *old = ly_agent_find(agent, ly_key_blob(entry->key), NULL);
            LyError why = {0};
            if (!entry->encrypted && !ly_key_check(entry->key, &why))
                error = why;
            else
                good = old && entry->encrypted ? attach(client, old, text, held)
                                               : ly_agent_put_identity(client, &add);
            ly_key_forget(entry->key);
        }
        ly_key_file_clear(&file);
    }
    if (error.code)
        ly_log(&agent->options.log, LY_LOG_WARNING, "a PPK key from %s is not added: %s", PEER_TEXT(client),
               error.message);
    return good;
}

static bool list_extended(LyAgentClient *client, LyReader *reader, size_t held, LyBuf *out)
{
    enum { HAS_FILE = 1, IS_CLOSED = 2 };
    LyAgent *agent = client->agent;
    size_t count_at = out->len, start = out->len;
    uint32_t count = 0;
    ly_put_u32(out, 0);
    for (size_t i = 0; i < agent->count; i++) {
        const Identity *identity = agent->identities[i];
        if (!ly_agent_is_permitted(client, identity, (LyBytes){0}, NULL))
            continue;
        ly_put_string(out, ly_key_blob(identity->key));
        ly_put_string(out, ly_key_comment(identity->key));
        ly_put_u32(out, 4);
        ly_put_u32(out, (identity->encrypted.len ? HAS_FILE : 0) | (identity->closed ? IS_CLOSED : 0));
        count++;
    }
    ly_store_u32(out->data + count_at, count);
    return out->len - start < LIST_MAX;
}

static bool query(LyAgentClient *client, LyReader *reader, size_t held, LyBuf *out);

static const struct {
    const char *name;
    Extension *handle;
    bool while_locked;
} extensions[] = {
    {"query", query, false},
    {"session-bind@openssh.com", bind_session, true},
    {"add-ppk" PUTTY, add_ppk, false},
    {"reencrypt" PUTTY, reencrypt, false},
    {"reencrypt-all" PUTTY, reencrypt_all, false},
    {"list-extended" PUTTY, list_extended, false},
};

static bool query(LyAgentClient *client, LyReader *reader, size_t held, LyBuf *out)
{
    for (size_t i = 0; i < LY_COUNT(extensions); i++)
        ly_put_cstring(out, extensions[i].name);
    return true;
}

/* ---- the program's own ---- */

static bool is_foreign(const LyAgent *agent, LyBytes name)
{
    const char *const *names = agent->options.extensions;
    while (names && *names && !ly_bytes_is(name, *names))
        names++;
    return names && *names;
}

static void ask_program(Request *request, LyBytes body)
{
    ly_agent_request_keep(request, body);
    if (!ly_agent_ask(request, LY_AGENT_EXTENSION, WAIT_EXTENSION))
        ly_agent_reply_status(request, SSH_AGENT_FAILURE);
}

void ly_agent_answer_extension(LyAgent *agent, uint64_t id, LyBytes contents)
{
    Request *request = ly_agent_take_answer(agent, id, WAIT_EXTENSION);
    if (!request)
        return;
    if (!contents.data || contents.len > LIST_MAX / 2) {
        ly_agent_reply_status(request, SSH_AGENT_EXTENSION_FAILURE);
        return;
    }
    LyReader reader = ly_reader(request->body);
    size_t mark;
    LyBuf *out = ly_agent_reply_begin(request, &mark);
    ly_put_u8(out, SSH_AGENT_EXTENSION_RESPONSE);
    ly_put_string(out, ly_get_string(&reader));
    ly_buf_add(out, contents);
    ly_agent_reply_end(request, mark);
}

void ly_agent_handle_extension(Request *request, LyReader *reader)
{
    LyBytes whole = ly_bytes(reader->data, reader->len);
    LyAgentClient *client = request->client;
    bool locked = ly_agent_is_closed_to_all(client->agent);
    LyBytes name = ly_get_string(reader);
    size_t i = 0;
    if (!locked && !reader->failed && is_foreign(client->agent, name)) {
        ask_program(request, whole);
        return;
    }
    while (i < LY_COUNT(extensions) && !ly_bytes_is(name, extensions[i].name))
        i++;
    if (i == LY_COUNT(extensions) || (locked && !extensions[i].while_locked)) {
        ly_agent_reply_status(request, SSH_AGENT_FAILURE);
        return;
    }
    size_t mark;
    LyBuf *out = ly_agent_reply_begin(request, &mark);
    size_t start = out->len;
    if (extensions[i].handle == query) {
        /* Only RFC 9987's own answer has a number and a name of its own. */
        ly_put_u8(out, SSH_AGENT_EXTENSION_RESPONSE);
        ly_put_cstring(out, "query");
    } else {
        ly_put_u8(out, SSH_AGENT_SUCCESS);
    }
    if (!extensions[i].handle(client, reader, reader->len, out)) {
        out->len = start;
        ly_put_u8(out, SSH_AGENT_EXTENSION_FAILURE);
    }
    ly_agent_reply_end(request, mark);
}
