/* The formats of key files, and what a file says of its encryption. */
#ifndef LY_KEY_FORMAT_H
#define LY_KEY_FORMAT_H

#include "base/bytes.h"

typedef enum LyKeyFormat {
    LY_KEY_OPENSSH, /* openssh-key-v1 (PROTOCOL.key) */
    LY_KEY_PEM,     /* PKCS#1, SEC1 and DSA, private ones maybe with DEK-Info; "RSA PUBLIC KEY" */
    LY_KEY_PKCS8,   /* RFC 5208, RFC 5958 and RFC 8018 PBES2 */
    LY_KEY_SPKI,    /* SubjectPublicKeyInfo, "PUBLIC KEY" */
    LY_KEY_PPK1,
    LY_KEY_PPK2,
    LY_KEY_PPK3,
    LY_KEY_RFC4716,
    LY_KEY_LINE,            /* "type base64 comment" */
    LY_KEY_AUTHORIZED_KEYS, /* a line with options in front */
    LY_KEY_KNOWN_HOSTS,     /* a line with host names in front */
    LY_KEY_SSHCOM,          /* "SSH2 ENCRYPTED PRIVATE KEY" */
    LY_KEY_JWK,             /* RFC 7517, RFC 8037 */
    LY_KEY_FORMAT_COUNT
} LyKeyFormat;

/* "openssh", "pem", "pkcs8", "spki", "ppk1", "ppk2", "ppk3", "rfc4716", "line", "authorized_keys",
 * "known_hosts", "sshcom", "jwk". */
const char *ly_key_format_name(LyKeyFormat format);
/* By those names, and "ppk" for ppk3; false when unknown. */
bool ly_key_format_find(LyBytes name, LyKeyFormat *format);

/* How a passphrase becomes a key. What a function does not have is 0. When writing, 0 is the default. */
typedef struct LyKeyKdf {
    const char *name;    /* "bcrypt", "pbkdf2", "scrypt", "argon2id", "argon2i", "argon2d"; "md5" (PEM and
                            ssh.com) and "sha1" (PPK 1 and 2), which cost nothing; NULL: not encrypted */
    uint32_t rounds;     /* bcrypt */
    uint64_t iterations; /* pbkdf2 */
    uint64_t memory_kib; /* argon2; scrypt: 128 N r bytes */
    uint32_t passes;     /* argon2; scrypt: 1 */
    uint32_t lanes;      /* argon2's parallelism; scrypt's p */
} LyKeyKdf;

#endif
