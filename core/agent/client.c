#include "agent/client.h"

#include "base/memory.h"

void ly_put_agent_request_identities(LyBuf *out)
{
    ly_put_u8(out, SSH_AGENTC_REQUEST_IDENTITIES);
}

void ly_put_agent_sign_request(LyBuf *out, LyBytes key_blob, LyBytes data, uint32_t flags)
{
    ly_put_u8(out, SSH_AGENTC_SIGN_REQUEST);
    ly_put_string(out, key_blob);
    ly_put_string(out, data);
    ly_put_u32(out, flags);
}

void ly_put_agent_session_bind(LyBuf *out, LyBytes host_key, LyBytes session_id, LyBytes signature,
                               bool forwarding)
{
    ly_put_u8(out, SSH_AGENTC_EXTENSION);
    ly_put_cstring(out, "session-bind@openssh.com");
    ly_put_string(out, host_key);
    ly_put_string(out, session_id);
    ly_put_string(out, signature);
    ly_put_bool(out, forwarding);
}

uint32_t ly_agent_sign_flags(LyBytes algorithm)
{
    static const struct {
        const char *algorithm;
        uint32_t flags;
    } flags[] = {
        {"rsa-sha2-256", SSH_AGENT_RSA_SHA2_256},
        {"rsa-sha2-256-cert-v01@openssh.com", SSH_AGENT_RSA_SHA2_256},
        {"rsa-sha2-512", SSH_AGENT_RSA_SHA2_512},
        {"rsa-sha2-512-cert-v01@openssh.com", SSH_AGENT_RSA_SHA2_512},
    };
    for (size_t i = 0; i < LY_COUNT(flags); i++)
        if (ly_bytes_is(algorithm, flags[i].algorithm))
            return flags[i].flags;
    return 0;
}

/* 30 (SSH_COM_AGENT2_FAILURE) and 102 (SSH2_AGENT_FAILURE) are what agents of old, and some of today, say
 * instead of 5. */
static bool is_failure(unsigned type)
{
    return type == SSH_AGENT_FAILURE || type == SSH_AGENT_EXTENSION_FAILURE || type == 30 || type == 102;
}

/* Takes the type off; false, with the error, when it is not `wanted`. */
static bool expect(LyReader *reader, unsigned wanted, const char *what, LyError *error)
{
    if (reader->len == 0)
        return ly_error_set(error, LY_ERROR_PROTOCOL, "the agent sent an empty reply");
    unsigned type = ly_get_u8(reader);
    if (type == wanted)
        return true;
    if (is_failure(type))
        return ly_error_set(error, LY_ERROR_AUTH, "the agent refused %s", what);
    return ly_error_set(error, LY_ERROR_PROTOCOL, "the agent answered with message %u (%s) instead of %s",
                        type, ly_agent_message_name(type), ly_agent_message_name(wanted));
}

static bool malformed(unsigned type, LyError *error)
{
    return ly_error_set(error, LY_ERROR_PROTOCOL, "the agent sent a malformed %s",
                        ly_agent_message_name(type));
}

bool ly_get_agent_identities(LyBytes reply, LyAgentIdentity **identities, size_t *count, LyError *error)
{
    LyReader reader = ly_reader(reply);
    if (!expect(&reader, SSH_AGENT_IDENTITIES_ANSWER, "to list its keys", error))
        return false;
    uint32_t claimed = ly_get_u32(&reader);
    if (claimed > LY_AGENT_IDENTITIES_MAX)
        return ly_error_set(error, LY_ERROR_LIMIT, "the agent lists %u keys, more than %u are not read",
                            (unsigned)claimed, LY_AGENT_IDENTITIES_MAX);
    if (reader.failed || claimed > reader.len / 8) /* each is two lengths at least */
        return malformed(SSH_AGENT_IDENTITIES_ANSWER, error);
    LyAgentIdentity *list = claimed ? ly_new_array(LyAgentIdentity, claimed) : NULL;
    for (uint32_t i = 0; i < claimed; i++) {
        list[i].key_blob = ly_get_string(&reader);
        list[i].comment = ly_get_string(&reader);
    }
    if (!ly_reader_done(&reader)) {
        ly_free(list);
        return malformed(SSH_AGENT_IDENTITIES_ANSWER, error);
    }
    *identities = list;
    *count = claimed;
    return true;
}

bool ly_get_agent_signature(LyBytes reply, LyBytes *signature, LyError *error)
{
    LyReader reader = ly_reader(reply);
    if (!expect(&reader, SSH_AGENT_SIGN_RESPONSE, "to sign with this key", error))
        return false;
    LyBytes blob = ly_get_string(&reader);
    LyReader inner = ly_reader(blob);
    LyBytes algorithm = ly_get_string(&inner);
    ly_get_string(&inner);
    /* Behind the two strings, sk-* signatures have flags and a counter: the verifier's business. */
    if (!ly_reader_done(&reader) || inner.failed || algorithm.len == 0)
        return malformed(SSH_AGENT_SIGN_RESPONSE, error);
    *signature = blob;
    return true;
}

bool ly_get_agent_success(LyBytes reply, LyError *error)
{
    LyReader reader = ly_reader(reply);
    if (!expect(&reader, SSH_AGENT_SUCCESS, "the request", error))
        return false;
    return ly_reader_done(&reader) || malformed(SSH_AGENT_SUCCESS, error);
}
