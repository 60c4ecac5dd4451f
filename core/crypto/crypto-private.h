/* What the files of core/crypto share: the inside of LyCrypto. */
#ifndef LY_CRYPTO_CRYPTO_PRIVATE_H
#define LY_CRYPTO_CRYPTO_PRIVATE_H

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

#include "crypto/crypto.h"
#include "crypto/hash.h"

/* All is set by ly_crypto_new and only read afterwards, but for the atomic ones: so threads share it without a
 * lock. */
struct LyCrypto {
    unsigned refs; /* atomic */
    OSSL_LIB_CTX *library;
    OSSL_PROVIDER *standard, *legacy; /* legacy may be NULL */
    EVP_MD *digest[LY_HASH_COUNT];
    EVP_MAC *hmac, *poly1305;
    int mlkem; /* atomic; asked at first use: 0 not yet, 1 there, -1 not there */
};

/* Sets LY_ERROR_CRYPTO with "libcrypto cannot `action`: reason" and empties this thread's OpenSSL error
 * queue. Returns false. */
bool ly_crypto_failed(LyError *error, const char *action, ...) __attribute__((format(printf, 2, 3)));

#endif
