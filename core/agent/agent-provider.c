/* PKCS#11 modules: who may load which; the keys come from whoever answers. */
#include "agent/agent-private.h"

#include "base/memory.h"

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
        !reader->failed && ly_agent_provider_allowed(client, provider) &&
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
    if (!ly_agent_ask(request, LY_AGENT_PROVIDER, WAIT_PROVIDER))
        ly_agent_reply_status(request, SSH_AGENT_FAILURE);
}

static bool put(Request *request, LyKey *key)
{
    IdentityAdd add = {.key = key,
                       .constraints = &request->constraints,
                       .provider = request->provider,
                       .held = request->body.len};
    return ly_agent_put_identity(request->client, &add);
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
    bool unload = request->type == SSH_AGENTC_REMOVE_SMARTCARD_KEY, good = done && unload;
    for (size_t i = 0; done && !unload && i < count; i++)
        good = put_with_certificates(request, keys[i]) || good;
    for (size_t i = agent->count; unload && done && i-- > 0;) {
        const Identity *identity = agent->identities[i];
        if (identity->is_module && ly_bytes_is(request->provider, identity->provider))
            ly_agent_remove(agent, i);
    }
    ly_agent_reply_status(request, good ? SSH_AGENT_SUCCESS : SSH_AGENT_FAILURE);
}
