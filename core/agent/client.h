/* The client half of the agent protocol: requests built, replies read. Bytes only; core/loop carries them. */
#ifndef LY_AGENT_CLIENT_H
#define LY_AGENT_CLIENT_H

#include "agent/numbers.h"
#include "base/error.h"
#include "base/wire.h"

/* Requests, without the uint32 length in front. */
void ly_put_agent_request_identities(LyBuf *out);
/* `flags`: SSH_AGENT_RSA_SHA2_* for RSA keys. */
void ly_put_agent_sign_request(LyBuf *out, LyBytes key_blob, LyBytes data, uint32_t flags);
/* session-bind@openssh.com: the agent learns which host this connection's signatures are for. */
void ly_put_agent_session_bind(LyBuf *out, LyBytes host_key, LyBytes session_id, LyBytes signature,
                               bool forwarding);
/* The flags of a sign request for a signature algorithm's SSH name: rsa-sha2-512 (and its -cert form) gives 4
 * ... */
uint32_t ly_agent_sign_flags(LyBytes algorithm);

typedef struct LyAgentIdentity {
    LyBytes key_blob, comment;
} LyAgentIdentity;
/* Reads IDENTITIES_ANSWER: *identities views the reply and is the caller's to ly_free. LY_ERROR_PROTOCOL for
 * what is not one, LY_ERROR_LIMIT over LY_AGENT_IDENTITIES_MAX; a FAILURE reply is LY_ERROR_AUTH "the agent
 * refused ...". */
bool ly_get_agent_identities(LyBytes reply, LyAgentIdentity **identities, size_t *count, LyError *error);
/* Reads SIGN_RESPONSE: the signature blob (string algorithm, string bytes) as a view of the reply. */
bool ly_get_agent_signature(LyBytes reply, LyBytes *signature, LyError *error);
/* SUCCESS: true; FAILURE (5, 28, 30, 102): false with LY_ERROR_AUTH; anything else LY_ERROR_PROTOCOL. */
bool ly_get_agent_success(LyBytes reply, LyError *error);

#endif
