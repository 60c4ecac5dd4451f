/* Digests and HMAC: one shot over gathered parts, and digests in pieces for what is too long to gather. */
#ifndef LY_CRYPTO_HASH_H
#define LY_CRYPTO_HASH_H

#include "crypto/crypto.h"

typedef enum LyHash { LY_MD5, LY_SHA1, LY_SHA256, LY_SHA384, LY_SHA512, LY_HASH_COUNT } LyHash;

#define LY_HASH_MAX 64 /* bytes of the longest digest */

size_t ly_hash_len(LyHash hash);
const char *ly_hash_name(LyHash hash); /* "sha256" ... */
/* The digest of the concatenated parts; `digest` has room for ly_hash_len(hash). False only if libcrypto
 * fails. */
LY_MUST_CHECK bool ly_hash(LyCrypto *crypto, LyHash hash, const LyBytes *parts, size_t count,
                           uint8_t *digest);
LY_MUST_CHECK bool ly_hmac(LyCrypto *crypto, LyHash hash, LyBytes key, const LyBytes *parts, size_t count,
                           uint8_t *mac);

/* A digest of bytes that come in pieces, for files of any length. NULL only if libcrypto fails. */
typedef struct LyHasher LyHasher;
LyHasher *ly_hasher_new(LyCrypto *crypto, LyHash hash);
/* A failure sticks and is told by finish. */
void ly_hasher_update(LyHasher *hasher, LyBytes bytes);
/* The digest of all pieces; `digest` has room for ly_hash_len(hash). Once; afterwards only free is allowed.
 * False only if libcrypto failed, be it earlier. */
LY_MUST_CHECK bool ly_hasher_finish(LyHasher *hasher, uint8_t *digest);
/* NULL is fine. */
void ly_hasher_free(LyHasher *hasher);

#endif
