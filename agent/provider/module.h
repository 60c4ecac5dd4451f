/* Inside lanyard-agent-provider: replies, and what answers requests. */
#ifndef AGENT_PROVIDER_MODULE_H
#define AGENT_PROVIDER_MODULE_H

#include "base/wire.h"
#include "crypto/crypto.h"
#include "protocol.h"

/* One reply, each begun by exactly one of these. `note` NULL: none. */
void reply_done(LyBuf *reply, const char *note);
void reply_failed(LyBuf *reply, const char *format, ...) LY_PRINTF(2, 3);
void reply_pin(LyBuf *reply, const char *note, const char *whose);

/* A PKCS#11 module, loaded through p11-kit. */
typedef struct Pkcs11 Pkcs11;
Pkcs11 *pkcs11_open(LyCrypto *crypto, const char *path, LyError *error);
/* Logs out, at the end of the process. NULL is fine. */
void pkcs11_close(Pkcs11 *module);
/* Opens a session with each token, logs in with the PIN where tokens want it, and replies with the keys that
 * can sign (of tokens that were not logged in to: the public keys that are seen). */
void pkcs11_list(Pkcs11 *module, LyBytes pin, LyBuf *reply);
void pkcs11_sign(Pkcs11 *module, LyBytes blob, LyBytes algorithm, LyBytes data, LyBytes pin, LyBuf *reply);

typedef struct SkRequest {
    LyBytes type, application, handle, data, pin;
    uint8_t flags;
} SkRequest;
/* A signature by a security key: `path` is a library, or PROVIDER_INTERNAL. */
void sk_sign_with(LyCrypto *crypto, const char *path, const SkRequest *request, LyBuf *reply);

#endif
