/* Security key libraries: the C interface that OpenSSH loads (PROTOCOL.u2f, sk-api.h), as far as signing. */
#ifndef AGENT_PROVIDER_SK_H
#define AGENT_PROVIDER_SK_H

#include "module.h"

#define SK_API_VERSION 0x000a0000u
#define SK_API_VERSION_MASK 0xffff0000u

enum { SK_ECDSA = 0, SK_ED25519 = 1 };
enum { SK_USER_PRESENCE = 0x01, SK_USER_VERIFICATION = 0x04 }; /* flags of keys and signatures */
enum {
    SK_ERR_GENERAL = -1,
    SK_ERR_UNSUPPORTED = -2,
    SK_ERR_PIN_REQUIRED = -3,
    SK_ERR_DEVICE_NOT_FOUND = -4,
    SK_ERR_CREDENTIAL_EXISTS = -5
};

struct sk_sign_response { /* its arrays and itself are from malloc */
    uint8_t flags;
    uint32_t counter;
    uint8_t *sig_r;
    size_t sig_r_len;
    uint8_t *sig_s;
    size_t sig_s_len;
};
struct sk_option {
    char *name;
    char *value;
    uint8_t required;
};

typedef uint32_t SkApiVersion(void);
typedef int SkSign(uint32_t algorithm, const uint8_t *data, size_t data_len, const char *application,
                   const uint8_t *key_handle, size_t key_handle_len, uint8_t flags, const char *pin,
                   struct sk_option **options, struct sk_sign_response **response);

/* What a signature is, for both kinds of keys: mpints of ECDSA; or Ed25519's bytes in r. */
typedef struct SkSignature {
    LyBuf r, s;
    uint8_t flags;
    uint32_t counter;
} SkSignature;

/* By libfido2. False: the reply says why, or asks for the PIN. */
bool fido_sign(LyCrypto *crypto, const SkRequest *request, int algorithm, SkSignature *signature,
               LyBuf *reply);

#endif
