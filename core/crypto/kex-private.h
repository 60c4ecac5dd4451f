/* What the files of the key exchange share: the inside of LyKex, and a method's three steps. */
#ifndef LY_CRYPTO_KEX_PRIVATE_H
#define LY_CRYPTO_KEX_PRIVATE_H

#include "crypto/crypto-private.h"
#include "crypto/kex.h"

struct LyKex {
    LyCrypto *crypto;
    const LyKexInfo *info;
    const struct LyKexMethod *method;
    EVP_PKEY *key;      /* ephemeral: the elliptic curve's */
    EVP_PKEY *mlkem;    /* ephemeral */
    uint8_t *sntrup761; /* ephemeral private key, in secret memory */
    BIGNUM *p, *g;      /* DH: the group; NULL until it is known */
    BIGNUM *x, *y;      /* DH: the private exponent and our public value */
};

/* As the functions of the same names in kex.h. */
typedef struct LyKexMethod {
    bool (*init)(LyKex *kex, LyBuf *public_value, LyError *error);
    bool (*respond)(LyKex *kex, LyBytes client_value, LyBuf *public_value, LyBuf *secret, LyError *error);
    bool (*finish)(LyKex *kex, LyBytes server_value, LyBuf *secret, LyError *error);
} LyKexMethod;

extern const LyKexMethod ly_kex_dh, ly_kex_ecdh, ly_kex_x25519, ly_kex_hybrid;

/* The fixed group that info->group names. */
bool ly_kex_dh_fixed_group(LyKex *kex, LyError *error);
void ly_kex_dh_free(LyKex *kex);

/* X25519, for the hybrids too: makes kex->key and writes its public half; the shared secret with the peer's
 * `value`. */
#define LY_X25519_LEN 32
bool ly_kex_x25519_generate(LyKex *kex, uint8_t public_value[LY_X25519_LEN], LyError *error);
bool ly_kex_x25519_derive(LyKex *kex, LyBytes value, uint8_t shared[LY_X25519_LEN], LyError *error);

#endif
