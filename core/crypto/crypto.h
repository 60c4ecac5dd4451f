/* The crypto library's context. One object, shared read-only by sessions and threads, owns OpenSSL's library
 * context and caches what was fetched from it. OpenSSL, zlib and libargon2 headers are included in
 * core/crypto's .c files and nowhere else. */
#ifndef LY_CRYPTO_CRYPTO_H
#define LY_CRYPTO_CRYPTO_H

#include "base/bytes.h"
#include "base/error.h"

#define LY_MUST_CHECK __attribute__((warn_unused_result))

typedef struct LyCrypto LyCrypto;

typedef enum LyCryptoFlags {
    /* Load OpenSSL's legacy provider too (arcfour, blowfish-cbc, cast128-cbc). When it cannot be loaded the
     * object is made all the same and ly_crypto_has_legacy() is false. */
    LY_CRYPTO_LEGACY = 1,
} LyCryptoFlags;

/* A new object with one reference; NULL with *error when libcrypto cannot be set up. */
LyCrypto *ly_crypto_new(unsigned flags, LyError *error);
LyCrypto *ly_crypto_ref(LyCrypto *crypto);
void ly_crypto_unref(LyCrypto *crypto);
/* For a thread that is not ours (a pool's) and may outlive the object: gives back what libcrypto keeps for the
 * thread. Called when the thread has done its piece of work. */
void ly_crypto_leave_thread(LyCrypto *crypto);
bool ly_crypto_has_legacy(const LyCrypto *crypto);
/* The linked OpenSSL has ML-KEM-768 (>= 3.5). */
bool ly_crypto_has_mlkem(const LyCrypto *crypto);
/* The processor has AES (and carry-less multiplication) instructions, so that AES-GCM beats
 * ChaCha20-Poly1305. */
bool ly_crypto_has_aes_instructions(void);
/* Fills with random bytes from OpenSSL; aborts if the generator fails, for nothing may go on without it. */
void ly_crypto_random(LyCrypto *crypto, void *out, size_t len);

/* Where a session takes its randomness from (cookies, padding): {0} is OpenSSL's generator. */
typedef struct LyRandom {
    void (*fill)(void *user, uint8_t *out, size_t len);
    void *user;
} LyRandom;

#endif
