/* Key derivation for key files. All write exactly out_len bytes to `out`; callers bound the costs. */
#ifndef LY_CRYPTO_KDF_H
#define LY_CRYPTO_KDF_H

#include "crypto/hash.h"

/* bcrypt_pbkdf as OpenSSH's openssh-key-v1 uses it. LY_ERROR_INVALID: empty passphrase or salt, rounds 0,
 * out_len over 1024. */
bool ly_bcrypt_pbkdf(LyCrypto *crypto, LyBytes passphrase, LyBytes salt, uint32_t rounds, uint8_t *out,
                     size_t out_len, LyError *error);
/* OpenSSL's EVP_BytesToKey with MD5 and one round, as PEM's DEK-Info uses it (salt: the first 8 bytes of the
 * IV). */
bool ly_pem_kdf(LyCrypto *crypto, LyBytes passphrase, LyBytes salt, uint8_t *out, size_t out_len,
                LyError *error);
bool ly_pbkdf2(LyCrypto *crypto, LyHash hash, LyBytes passphrase, LyBytes salt, uint32_t iterations,
               uint8_t *out, size_t out_len, LyError *error);
/* RFC 7914; `max_memory` bytes. */
bool ly_scrypt(LyCrypto *crypto, LyBytes passphrase, LyBytes salt, uint64_t n, uint32_t r, uint32_t p,
               uint64_t max_memory, uint8_t *out, size_t out_len, LyError *error);

typedef enum LyArgon2 { LY_ARGON2D, LY_ARGON2I, LY_ARGON2ID } LyArgon2;
typedef struct LyArgon2Costs {
    uint32_t memory_kib; /* at least 8 a lane */
    uint32_t passes;     /* from 1 */
    uint32_t lanes;      /* 1 to 2^24 - 1; computed by one thread, one after another */
} LyArgon2Costs;
/* Are the numbers possible? LY_ERROR_INVALID. */
bool ly_argon2_check(const LyArgon2Costs *costs, LyError *error);
/* RFC 9106, version 0x13. The salt has at least 8 bytes, `out` at least 4; `secret` and `associated` are
 * empty for key files. LY_ERROR_INVALID: numbers out of range, told before anything is allocated;
 * LY_ERROR_CRYPTO: the memory cannot be had. The memory is cleansed. */
bool ly_argon2(LyArgon2 variant, LyBytes passphrase, LyBytes salt, LyBytes secret, LyBytes associated,
               const LyArgon2Costs *costs, uint8_t *out, size_t out_len, LyError *error);

#endif
