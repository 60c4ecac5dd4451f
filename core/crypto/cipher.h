/* The tables of ciphers, MACs and compressions by their SSH names, and one-shot ciphers for key files. */
#ifndef LY_CRYPTO_CIPHER_H
#define LY_CRYPTO_CIPHER_H

#include "base/buf.h"
#include "crypto/crypto.h"

typedef enum LyCipherKind {
    LY_CIPHER_NONE,
    LY_CIPHER_STREAM, /* ctr, arcfour */
    LY_CIPHER_CBC,
    LY_CIPHER_GCM,
    LY_CIPHER_CHACHA,
} LyCipherKind;

typedef struct LyCipherInfo {
    const char *name; /* SSH name */
    LyCipherKind kind;
    uint8_t key_len, iv_len; /* bytes to derive (RFC 4253 7.2) */
    uint8_t block_len;       /* RFC 4253 section 6: 8 or the cipher's block size, whichever is larger */
    uint8_t tag_len;         /* AEAD tag, 0 when a MAC algorithm is needed */
    bool by_default;         /* in the default list */
    bool legacy;             /* needs OpenSSL's legacy provider */
    uint16_t discard;        /* bytes of key stream dropped first (arcfour128/256: 1536, RFC 4345) */
    uint64_t rekey_blocks;   /* RFC 4344 3.2: keys must change after so many blocks; 0: no limit by blocks */
    const char *fetch;       /* OpenSSL's name */
} LyCipherInfo;

typedef struct LyMacInfo {
    const char *name;
    uint8_t key_len, tag_len; /* -96 MACs: full key, tag cut to 12 */
    bool etm;
    bool by_default;
    const char *digest; /* OpenSSL's name */
} LyMacInfo;

typedef enum LyCompressionKind {
    LY_COMPRESSION_NONE,
    LY_COMPRESSION_ZLIB,
    LY_COMPRESSION_ZLIB_DELAYED,
} LyCompressionKind;

/* NULL when the name is unknown. */
const LyCipherInfo *ly_cipher_find(LyBytes name);
const LyMacInfo *ly_mac_find(LyBytes name);
bool ly_compression_find(LyBytes name, LyCompressionKind *kind);

/* Appends the name-list of all known names that `crypto` can do (legacy ones only with the legacy provider),
 * or of those in the default list, in order of preference. chacha20-poly1305 comes first where the processor
 * lacks AES instructions. */
void ly_cipher_names(const LyCrypto *crypto, bool only_default, LyBuf *out);
void ly_mac_names(const LyCrypto *crypto, bool only_default, LyBuf *out);
void ly_compression_names(const LyCrypto *crypto, bool only_default, LyBuf *out);

/* One shot, for key files: appends the result to `out`. `cipher` is an SSH name (aes*-ctr, aes*-cbc,
 * aes*-gcm@openssh.com, 3des-cbc, chacha20-poly1305@openssh.com with sequence number 0 and no associated
 * data) or an OpenSSL name such as "AES-256-CBC" or "DES-EDE3-CBC". AEAD: the tag stands at the end of `in`
 * when decrypting, of the output when encrypting. No padding is added or removed. LY_ERROR_UNSUPPORTED:
 * unknown cipher; LY_ERROR_INVALID: key, IV or input length does not fit; LY_ERROR_VERIFY: the tag does not
 * match (nothing is appended). */
LY_MUST_CHECK bool ly_cipher_once(LyCrypto *crypto, LyBytes cipher, bool encrypt, LyBytes key, LyBytes iv,
                                  LyBytes in, LyBuf *out, LyError *error);
/* The lengths that ly_cipher_once wants (chacha20-poly1305@openssh.com: 64, 0, 8, 16); false for an unknown
 * name. */
bool ly_cipher_once_lengths(LyCrypto *crypto, LyBytes cipher, size_t *key_len, size_t *iv_len,
                            size_t *block_len, size_t *tag_len);

#endif
