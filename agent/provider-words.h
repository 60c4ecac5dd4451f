/* What is said to lanyard-agent-provider and by it (provider/protocol.h): requests written, and replies read
 * as a stranger's. */
#ifndef AGENT_PROVIDER_WORDS_H
#define AGENT_PROVIDER_WORDS_H

#include "agent/agent.h"
#include "provider/protocol.h"

/* Requests without their last field, the PIN. */
void provider_put_list(LyBuf *request);
/* Of LY_AGENT_SIGN; *touches: a security key is to be touched. */
void provider_put_sign(const LyAgentEvent *event, LyBuf *request, bool *touches);

/* The keys of a LIST's reply; those without a comment get `path`. They are the caller's. False: malformed,
 * and there are none. */
bool provider_get_keys(LyCrypto *crypto, LyReader *reader, const char *path, LyKey *keys[PROVIDER_KEYS_MAX],
                       size_t *count);
/* The signature blob, if it is the key's of these data: a wrong one of RSA may tell the private key. A view.
 */
bool provider_get_signature(LyCrypto *crypto, LyReader *reader, const LyKey *key, LyBytes algorithm,
                            LyBytes data, LyBytes *signature, LyError *error);

#endif
