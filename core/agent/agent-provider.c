/* PKCS#11 modules: who may load which; the keys come from whoever answers. Links are followed before the
 * allowed patterns are looked at, which is a question too: the path may lead over a mount that hangs. */
#include "agent/agent-private.h"

#include "base/memory.h"

static bool is_removal(const Request *request)
{
    return request->type == SSH_AGENTC_REMOVE_SMARTCARD_KEY;
}

static bool is_of_module(const Request *request)
{
    return is_removal(request) || request->type == SSH_AGENTC_ADD_SMARTCARD_KEY ||
           request->type == SSH_AGENTC_ADD_SMARTCARD_KEY_CONSTRAINED;
}

void ly_agent_handle_provider(Request *request, LyReader *reader)
{
    LyAgentClient *client = request->client;
    size_t all_len = reader->len;
    const uint8_t *start = reader->data;
    LyBytes provider = ly_agent_get_text(reader);
    ly_agent_get_text(reader); /* the PIN */
    bool constrained = request->type == SSH_AGENTC_ADD_SMARTCARD_KEY_CONSTRAINED;
    Constraints constraints = {0};
    bool good =
        !reader->failed && client->agent->options.providers && (is_removal(request) || ly_agent_may_provide(client, provider)) &&
        (constrained ? ly_agent_get_constraints(client, reader, NULL, &constraints) : reader->len == 0);
    if (!good) {
        ly_agent_reply_status(request, SSH_AGENT_FAILURE);
        return;
    }
    /* The views move to the copy. */
    ly_agent_request_keep(request, ly_bytes(start, all_len));
    LyReader copy = ly_reader(request->body);
    request->provider = ly_agent_get_text(&copy);
    request->pin = ly_agent_get_text(&copy);
    if (constrained)
        ly_agent_get_constraints(client, &copy, NULL, &request->constraints);
    if (!ly_agent_ask(request, LY_AGENT_RESOLVE, WAIT_RESOLVE))
        ly_agent_reply_status(request, SSH_AGENT_FAILURE);
}

void ly_agent_answer_resolve(LyAgent *agent, uint64_t id, const char *path)
{
    Request *request = ly_agent_take_answer(agent, id, WAIT_RESOLVE);
    if (!request)
        return;
    LyAgentClient *client = request->client;
    /* A file that was deleted meanwhile goes by the name that it had. */
    if (path)
        request->resolved = ly_strdup(path);
    else if (is_removal(request))
        request->resolved = ly_bytes_dup_str(request->provider);
    else
        ly_log(&agent->options.log, LY_LOG_WARNING,
               "the module \"%s\" is refused to %s: there is no such file", LY_PRINTABLE(request->provider),
               PEER_TEXT(client));
    bool good =
        request->resolved && (is_removal(request) || ly_agent_provider_allowed(client, request->resolved));
    if (good && !is_of_module(request))
        ly_agent_add_resolved(request);
    else if (!good || !ly_agent_ask(request, LY_AGENT_PROVIDER, WAIT_PROVIDER))
        ly_agent_reply_status(request, SSH_AGENT_FAILURE);
}

/* A key that is here already stays as it is, as OpenSSH's agent does it: its constraints may be stricter. */
static bool put(Request *request, LyKey *key)
{
    IdentityAdd add = {.key = key,
                       .constraints = &request->constraints,
                       .provider = ly_bytes_str(request->resolved),
                       .held = request->body.len};
    return !ly_agent_find(request->client->agent, ly_key_blob(key), NULL) &&
           ly_agent_put_identity(request->client, &add);
}

/* The key itself, unless only certificates are wanted, and each certificate that is for it. */
static bool put_with_certificates(Request *request, LyKey *key)
{
    bool any = !request->constraints.cert_only && put(request, key);
    LyReader list = ly_reader(request->constraints.certificates);
    while (list.len && !list.failed) {
        LyKey *certified = ly_key_new_certified(key, ly_get_string(&list), NULL);
        any = (certified && put(request, certified)) || any;
        ly_key_unref(certified);
    }
    return any;
}

void ly_agent_answer_provider(LyAgent *agent, uint64_t id, bool done, LyKey *const *keys, size_t count)
{
    Request *request = ly_agent_take_answer(agent, id, WAIT_PROVIDER);
    if (!request)
        return;
    bool good = done && is_removal(request);
    for (size_t i = 0; done && !is_removal(request) && i < count; i++)
        good = put_with_certificates(request, keys[i]) || good;
    if (good && is_removal(request))
        ly_agent_remove_provider(agent, request->resolved);
    ly_agent_reply_status(request, good ? SSH_AGENT_SUCCESS : SSH_AGENT_FAILURE);
}
