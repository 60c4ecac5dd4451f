/* What one-shot ciphers and packet protection share. */
#ifndef LY_CRYPTO_CIPHER_PRIVATE_H
#define LY_CRYPTO_CIPHER_PRIVATE_H

#include "crypto/cipher.h"
#include "crypto/crypto-private.h"

/* A context for OpenSSL's `fetch`, keyed, without padding, with the first `discard` bytes of key stream
 * dropped. `iv` may be NULL when it is set later. The caller frees it. */
EVP_CIPHER_CTX *ly_cipher_context(LyCrypto *crypto, const char *fetch, LyBytes key, const uint8_t *iv,
                                  size_t discard, bool encrypt, LyError *error);
/* In or out of place; `len` up to INT_MAX; *written (NULL: must be len) may differ with CBC, which keeps part
 * of a block. */
bool ly_cipher_update(EVP_CIPHER_CTX *context, const uint8_t *in, size_t len, uint8_t *out, size_t *written);

/* chacha20-poly1305@openssh.com: sets `chacha` (keyed with K_2) to the packet `nonce`, so that it goes on
 * with block 1, and keys `poly1305` with block 0. */
bool ly_chacha_begin(EVP_CIPHER_CTX *chacha, EVP_MAC_CTX *poly1305, uint64_t nonce);
/* The IV of OpenSSL's ChaCha20: counter 0, then the nonce. */
void ly_chacha_iv(uint64_t nonce, uint8_t iv[16]);

#endif
