/* Constraints of keys (RFC 9987 section 3.2.7, PROTOCOL.agent): all are understood, or the key is refused. */
#include "agent/agent-private.h"

#include <strings.h>

#include "base/names.h"

LyBytes ly_agent_get_text(LyReader *reader)
{
    LyBytes text = ly_get_string(reader);
    if (text.len && text.data[text.len - 1] == 0)
        text.len--;
    if (ly_bytes_has_nul(text))
        reader->failed = true;
    return text;
}

/* Reads the hop with nothing but the blobs behind it; `count` keys follow. */
static bool check_hop(LyCrypto *crypto, LyBytes hop, LyBytes *user, LyBytes *host, size_t *count)
{
    LyReader reader = ly_reader(hop);
    *user = ly_agent_get_text(&reader);
    *host = ly_agent_get_text(&reader);
    LyBytes extensions = ly_get_string(&reader);
    *count = 0;
    while (reader.len && !reader.failed) {
        LyKey *key = ly_key_new_public(crypto, ly_get_string(&reader), NULL);
        ly_get_u8(&reader); /* is it a CA's? */
        if (!key)
            return false;
        ly_key_unref(key);
        ++*count;
    }
    return !reader.failed && extensions.len == 0;
}

static const char *destination_fault(LyCrypto *crypto, LyBytes constraint)
{
    LyReader reader = ly_reader(constraint);
    LyBytes from = ly_get_string(&reader), to = ly_get_string(&reader), extensions = ly_get_string(&reader);
    LyBytes from_user, from_host, to_user, to_host;
    size_t from_count, to_count;
    if (!ly_reader_done(&reader) || extensions.len ||
        !check_hop(crypto, from, &from_user, &from_host, &from_count) ||
        !check_hop(crypto, to, &to_user, &to_host, &to_count))
        return "its destination restriction is malformed, or names keys that are not known";
    if (from_user.len || (from_host.len == 0) != (from_count == 0))
        return "its destination restriction has an inconsistent hop to come from";
    if (to_host.len == 0 || to_count == 0)
        return "its destination restriction has an incomplete hop to go to";
    if (to_user.len > USER_PATTERN_MAX)
        return "its destination restriction has a user pattern of more than 256 bytes";
    return NULL;
}

static const char *get_destinations(LyAgentClient *client, LyReader *reader, const LyKey *key,
                                    Constraints *constraints)
{
    if (constraints->destination_count)
        return "its destinations are restricted twice";
    constraints->destinations = ly_get_string(reader);
    LyReader list = ly_reader(constraints->destinations);
    while (list.len && !list.failed) {
        if (++constraints->destination_count > DESTINATIONS_MAX)
            return "it has more than 1024 destination restrictions";
        const char *fault = destination_fault(client->agent->crypto, ly_get_string(&list));
        if (fault)
            return fault;
    }
    return list.failed ? "its destination restriction is cut short" : NULL;
}

static bool refuse_provider(LyAgentClient *client, LyBytes provider, const char *why)
{
    ly_log(&client->agent->options.log, LY_LOG_WARNING, "the module \"%s\" is refused to %s: %s",
           LY_PRINTABLE(provider), PEER_TEXT(client), why);
    return false;
}

bool ly_agent_may_provide(LyAgentClient *client, LyBytes provider)
{
    if (ly_agent_client_is_remote(client) && !client->agent->options.remote_providers)
        return refuse_provider(client, provider, "the request comes through a session");
    if (provider.len == 0 || provider.len > PROVIDER_MAX || provider.data[0] != '/')
        return refuse_provider(client, provider, "its path is not absolute");
    return true;
}

bool ly_agent_provider_allowed(LyAgentClient *client, const char *path)
{
    const char *const *patterns = client->agent->options.providers;
    bool allowed = false;
    for (size_t i = 0; patterns && patterns[i]; i++) {
        int verdict = ly_pattern_list_match(ly_bytes_str(patterns[i]), ly_bytes_str(path), false);
        if (verdict < 0)
            return refuse_provider(client, ly_bytes_str(path), "it is excluded (-P)");
        allowed = allowed || verdict > 0;
    }
    return allowed || refuse_provider(client, ly_bytes_str(path), "it is not among the allowed ones (-P)");
}

bool ly_agent_has_library(const Constraints *constraints)
{
    return constraints->sk_provider.data &&
           !(constraints->sk_provider.len == 8 &&
             strncasecmp((const char *)constraints->sk_provider.data, "internal", 8) == 0);
}

static const char *get_sk_provider(LyAgentClient *client, LyReader *reader, const LyKey *key,
                                   Constraints *constraints)
{
    if (!key || !ly_key_type(key)->sk)
        return "it has a security key's library and is no security key";
    if (constraints->sk_provider.data)
        return "it has two security key libraries";
    constraints->sk_provider = ly_agent_get_text(reader);
    if (reader->failed || constraints->sk_provider.len == 0)
        return "its security key library is malformed";
    if (ly_agent_has_library(constraints) && !ly_agent_may_provide(client, constraints->sk_provider))
        return "its security key library is not allowed";
    return NULL;
}

/* As OpenSSH reads it: keys that are no certificates, or fit no key of the module, are passed over later. */
static const char *get_certificates(LyAgentClient *client, LyReader *reader, const LyKey *key,
                                    Constraints *constraints)
{
    if (key)
        return "certificates come with PKCS#11 modules only";
    if (constraints->certificates.len)
        return "certificates are given twice";
    constraints->cert_only = ly_get_bool(reader);
    constraints->certificates = ly_get_string(reader);
    LyReader list = ly_reader(constraints->certificates);
    for (size_t count = 1; list.len && !list.failed; count++) {
        LyKey *certificate = ly_key_new_public(client->agent->crypto, ly_get_string(&list), NULL);
        ly_key_unref(certificate);
        if (!certificate || count > ASSOCIATED_CERTS_MAX)
            return "a certificate is malformed, or there are more than 1024";
    }
    return list.failed ? "the certificates are cut short" : NULL;
}

static const struct {
    const char *name;
    const char *(*get)(LyAgentClient *client, LyReader *reader, const LyKey *key, Constraints *constraints);
} extensions[] = {
    {"restrict-destination-v00@openssh.com", get_destinations},
    {"sk-provider@openssh.com", get_sk_provider},
    {"associated-certs-v00@openssh.com", get_certificates},
};

static const char *get_extension(LyAgentClient *client, LyReader *reader, const LyKey *key,
                                 Constraints *constraints)
{
    LyBytes name = ly_get_string(reader);
    for (size_t i = 0; i < LY_COUNT(extensions); i++)
        if (ly_bytes_is(name, extensions[i].name))
            return extensions[i].get(client, reader, key, constraints);
    return "a constraint of it is not known";
}

static const char *get_one(LyAgentClient *client, LyReader *reader, const LyKey *key,
                           Constraints *constraints)
{
    switch (ly_get_u8(reader)) {
    case SSH_AGENT_CONSTRAIN_LIFETIME:
        if (constraints->has_lifetime)
            return "it has two lifetimes";
        constraints->has_lifetime = true;
        constraints->lifetime_s = ly_get_u32(reader);
        return NULL;
    case SSH_AGENT_CONSTRAIN_CONFIRM:
        if (constraints->confirm)
            return "it is to be confirmed twice";
        constraints->confirm = true;
        return NULL;
    case SSH_AGENT_CONSTRAIN_EXTENSION:
        return get_extension(client, reader, key, constraints);
    default:
        return "a constraint of it is not known";
    }
}

bool ly_agent_get_constraints(LyAgentClient *client, LyReader *reader, const LyKey *key,
                              Constraints *constraints)
{
    const char *fault = NULL;
    while (reader->len && !reader->failed && !fault)
        fault = get_one(client, reader, key, constraints);
    if (!fault && reader->failed)
        fault = "its constraints are cut short";
    if (fault)
        ly_log(&client->agent->options.log, LY_LOG_WARNING, "a key from %s is not added: %s",
               PEER_TEXT(client), fault);
    return !fault;
}
