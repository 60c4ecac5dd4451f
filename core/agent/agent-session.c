/* Which sessions a connection's signatures are for (session-bind@openssh.com), and which keys are for them
 * (restrict-destination-v00@openssh.com), by the rules of OpenSSH's agent. */
#include "agent/agent-private.h"

#include "base/auto.h"
#include "base/memory.h"
#include "base/names.h"
#include "key/certificate.h"

enum { USERAUTH_REQUEST = 50 };

bool ly_agent_client_is_forwarded(const LyAgentClient *client)
{
    /* What tried to say where it comes from, and could not, is not taken for local. */
    if (client->bind_failed)
        return true;
    for (size_t i = 0; i < client->bind_count; i++)
        if (client->binds[i].forwarded)
            return true;
    return false;
}

void ly_agent_client_unbind(LyAgentClient *client)
{
    for (size_t i = 0; i < client->bind_count; i++) {
        ly_key_unref(client->binds[i].host_key);
        ly_free((void *)client->binds[i].session_id.data);
    }
    ly_free(client->binds);
    client->binds = NULL;
    client->bind_count = 0;
}

static bool is_same_host(const LyKey *a, const LyKey *b)
{
    return ly_bytes_equal(ly_key_blob(a), ly_key_blob(b));
}

/* Adds what is new. NULL, or why not. */
static const char *bind_session(LyAgentClient *client, LyKey *host_key, LyBytes session_id, bool forwarded)
{
    for (size_t i = 0; i < client->bind_count; i++) {
        const Bind *bind = &client->binds[i];
        if (!bind->forwarded)
            return "the connection is bound to a session for signing in already";
        if (!ly_bytes_equal(bind->session_id, session_id))
            continue;
        return is_same_host(bind->host_key, host_key) ? NULL : "the session is bound to another host key";
    }
    if (client->bind_count == BINDS_MAX)
        return "the connection is bound to 16 sessions already";
    client->binds = ly_realloc(client->binds, (client->bind_count + 1) * sizeof *client->binds);
    uint8_t *copy = ly_alloc(session_id.len ? session_id.len : 1);
    if (session_id.len)
        memcpy(copy, session_id.data, session_id.len);
    client->binds[client->bind_count++] =
        (Bind){ly_key_ref(host_key), ly_bytes(copy, session_id.len), forwarded};
    return NULL;
}

bool ly_agent_session_bind(LyAgentClient *client, LyReader *reader)
{
    LyAgent *agent = client->agent;
    client->bind_attempted = true;
    LyBytes blob = ly_get_string(reader), session_id = ly_get_string(reader),
            signature = ly_get_string(reader);
    bool forwarded = ly_get_bool(reader);
    LyError error = {0};
    LyKey *key = reader->failed ? NULL : ly_key_new_public(agent->crypto, blob, &error);
    const char *why = NULL;
    if (!key)
        why = reader->failed ? "the request is cut short" : error.message;
    else if (session_id.len > SESSION_ID_MAX)
        why = "the session identifier is longer than 128 bytes";
    else if (!ly_key_verify(key, ly_buf_bytes(&agent->host_algorithms), session_id, signature, NULL, &error))
        why = error.message;
    else
        why = bind_session(client, key, session_id, forwarded);
    if (why) {
        client->bind_failed = true;
        ly_log(&agent->options.log, LY_LOG_WARNING, "%s cannot be bound to a session: %s", PEER_TEXT(client),
               why);
    }
    if (key)
        ly_key_forget(key);
    ly_key_unref(key);
    return !why;
}

/* ---- destinations: read from what ly_agent_get_constraints has checked ---- */

typedef struct Hop {
    LyBytes user, host;
    LyReader keys;
} Hop;

static Hop get_hop(LyReader *reader)
{
    Hop hop;
    LyReader inner = ly_reader(ly_get_string(reader));
    hop.user = ly_agent_get_text(&inner);
    hop.host = ly_agent_get_text(&inner);
    ly_get_string(&inner);
    hop.keys = inner;
    return hop;
}

static uint64_t date_of(const LyAgent *agent)
{
    return agent->date_s ? agent->date_s + (agent->now_us - agent->date_at_us) / 1000000 : 0;
}

static bool hop_has_key(const LyAgent *agent, Hop hop, LyKey *key)
{
    bool is_certificate = ly_key_is_certificate(key);
    LyBytes wanted = ly_key_plain_blob(key);
    LyCertificate certificate;
    if (is_certificate) {
        if (!ly_certificate_read(ly_key_blob(key), &certificate, NULL))
            return false;
        wanted = certificate.ca_blob;
    }
    while (hop.keys.len && !hop.keys.failed) {
        LyBytes blob = ly_get_string(&hop.keys);
        bool is_ca = ly_get_bool(&hop.keys);
        if (is_ca != is_certificate || !ly_bytes_equal(blob, wanted))
            continue;
        LyError error;
        if (!is_ca || ly_certificate_check(agent->crypto, key, LY_CERTIFICATE_HOST, hop.host, true,
                                           date_of(agent), (LyBytes){0}, &error))
            return true;
        ly_log(&agent->options.log, LY_LOG_DEBUG, "a host's certificate is not accepted: %s", error.message);
    }
    return false;
}

/* `from` NULL: the first hop; `to` NULL: any. */
static bool hop_is_permitted(const LyAgent *agent, const Identity *identity, LyKey *from, LyKey *to,
                             LyBytes user, LyBytes *host)
{
    LyReader list = ly_reader(identity->destinations);
    while (list.len && !list.failed) {
        LyReader constraint = ly_reader(ly_get_string(&list));
        Hop start = get_hop(&constraint), end = get_hop(&constraint);
        bool from_here = start.host.len == 0 && start.keys.len == 0;
        if (from ? !hop_has_key(agent, start, from) : !from_here)
            continue;
        if (to && !hop_has_key(agent, end, to))
            continue;
        if (end.user.len && user.data && !ly_pattern_match(end.user, user))
            continue;
        if (host)
            *host = end.host;
        return true;
    }
    return false;
}

bool ly_agent_is_permitted(const LyAgentClient *client, const Identity *identity, LyBytes user, LyBytes *host)
{
    const LyAgent *agent = client->agent;
    size_t count = client->bind_count;
    if (identity->destinations.len == 0)
        return true;
    if (count == 0)
        return !client->bind_attempted; /* local use */
    LyKey *from = NULL;
    for (size_t i = 0; i < count; i++) {
        bool last = i + 1 == count, forwarded = client->binds[i].forwarded;
        /* All but the last hop are forwarding; none signs on a forwarding hop. */
        if (last ? forwarded && user.data : !forwarded)
            return false;
        LyKey *to = client->binds[i].host_key;
        if (!hop_is_permitted(agent, identity, from, to, last ? user : (LyBytes){0}, host))
            return false;
        from = to;
    }
    /* A key that may be used to reach the forwarding host, but not beyond it, is not shown there. */
    return !client->binds[count - 1].forwarded || user.data ||
           hop_is_permitted(agent, identity, from, NULL, (LyBytes){0}, NULL);
}

/* ---- what is signed ---- */

bool ly_agent_get_userauth_request(LyBytes data, const LyKey *key, UserauthRequest *request)
{
    LyReader reader = ly_reader(data);
    UserauthRequest result = {.session_id = ly_get_string(&reader)};
    uint8_t type = ly_get_u8(&reader);
    result.user = ly_agent_get_text(&reader);
    LyBytes service = ly_agent_get_text(&reader), method = ly_agent_get_text(&reader);
    uint8_t has_signature = ly_get_u8(&reader);
    const LySignatureAlgorithm *algorithm = ly_signature_algorithm_find(ly_agent_get_text(&reader));
    LyBytes blob = ly_get_string(&reader);
    if (ly_bytes_is(method, "publickey-hostbound-v00@openssh.com"))
        result.host_key = ly_get_string(&reader);
    else if (!ly_bytes_is(method, "publickey"))
        return false;
    if (!ly_reader_done(&reader) || result.session_id.len == 0 || type != USERAUTH_REQUEST ||
        has_signature != 1 || !ly_bytes_is(service, "ssh-connection") ||
        !ly_bytes_equal(blob, ly_key_blob(key)) || !algorithm ||
        strcmp(algorithm->key_type, ly_key_type_name(key)) != 0)
        return false;
    *request = result;
    return true;
}

static const char *why_not(const LyAgentClient *client, const Identity *identity, bool is_userauth,
                           const UserauthRequest *request, LyBytes *host)
{
    if (client->bind_count == 0)
        return "the key is restricted to destinations, and the connection is bound to no session";
    if (!is_userauth)
        return "the key is restricted to destinations, and this is not the signature of a sign-in";
    if (!ly_agent_is_permitted(client, identity, request->user, host))
        return "the key is not for this destination";
    /* ssh binds its session just before it signs in. */
    const Bind *last = &client->binds[client->bind_count - 1];
    if (!ly_bytes_equal(request->session_id, last->session_id))
        return "the sign-in is for another session than the one bound last";
    if (client->bind_count > 1 && !request->host_key.data)
        return "the sign-in through a forwarded connection does not name its host key";
    if (request->host_key.data && !ly_bytes_equal(request->host_key, ly_key_blob(last->host_key)))
        return "the sign-in names another host key than the session bound last";
    return NULL;
}

/* "user@host (SHA256:...)", the host's name as far as it is known. */
static char *target_of(const LyAgentClient *client, LyBytes user, LyBytes host)
{
    char text[100];
    const LyKey *key = client->binds[client->bind_count - 1].host_key;
    ly_key_fingerprint(client->agent->crypto, ly_key_plain_blob(key), LY_SHA256, text);
    return host.len ? ly_format("%s@%s (%s)", LY_PRINTABLE(user), LY_PRINTABLE(host), text)
                    : ly_format("%s@%s", LY_PRINTABLE(user), text);
}

bool ly_agent_may_sign(const LyAgentClient *client, const Identity *identity, LyBytes data, char **target,
                       const char **why)
{
    UserauthRequest request = {0};
    bool is_restricted = identity->destinations.len > 0;
    bool is_userauth = client->bind_count && ly_agent_get_userauth_request(data, identity->key, &request);
    LyBytes host = {0};
    const char *fault = is_restricted ? why_not(client, identity, is_userauth, &request, &host) : NULL;
    if (fault) {
        *why = fault;
        return false;
    }
    *target = NULL;
    if (is_userauth && ly_bytes_equal(request.session_id, client->binds[client->bind_count - 1].session_id))
        *target = target_of(client, request.user, host);
    return true;
}
