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

#endif
