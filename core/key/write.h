/* Key files out. */
#ifndef LY_KEY_WRITE_H
#define LY_KEY_WRITE_H

#include "key/format.h"
#include "key/key.h"

/* The largest costs that are written: minutes of work. Those above ly_key_read's default limits are read only
 * by who raises them. */
#define LY_KEY_WRITE_BCRYPT_MAX 100000u        /* rounds */
#define LY_KEY_WRITE_PBKDF2_MAX 100000000u     /* iterations */
#define LY_KEY_WRITE_MEMORY_KIB_MAX (1u << 20) /* scrypt: of a lane, and of all lanes together */

typedef struct LyKeyWriteOptions {
    LyBytes passphrase; /* empty: not encrypted */
    /* NULL: the default. openssh: an SSH name (aes256-ctr); pem and pkcs8: aes128-cbc, aes192-cbc, aes256-cbc
     * (default) or 3des-cbc, or the same by DEK-Info's names ("AES-128-CBC"); ppk: aes256-cbc only. */
    const char *cipher;
    /* openssh: bcrypt (24 rounds); pem: md5; pkcs8: pbkdf2 (SHA-256, 600,000 iterations) or scrypt (16 MiB,
     * 1 lane; memory a power of two); ppk3: argon2id (8 MiB, 13 passes, 1 lane), argon2i or argon2d; ppk2:
     * sha1. */
    LyKeyKdf kdf;
} LyKeyWriteOptions;

/* The private half in OPENSSH, PEM, PKCS8, PPK2, PPK3 or JWK. The halves are checked first (LY_ERROR_VERIFY).
 * LY_ERROR_INVALID: a public key only, or a kdf's numbers out of range; LY_ERROR_UNSUPPORTED: the format has
 * no form of this type or of certificates, or cannot be encrypted, or does not know the cipher or kdf (the
 * sentence names what would do). `options` may be NULL. Nothing is appended on failure; what is appended is
 * secret. */
bool ly_key_write_private(LyCrypto *crypto, LyKey *key, LyKeyFormat format, const LyKeyWriteOptions *options,
                          LyBuf *out, LyError *error);
/* The public half in LINE, RFC4716, SPKI, PEM ("RSA PUBLIC KEY"; the others as SPKI, as ssh-keygen -m PEM
 * does) or JWK. Errors as above. RFC 4716 carries the comment quoted (nothing in it is escaped),
 * cut where the value has 1024 bytes, its lines folded at 72. */
bool ly_key_write_public(const LyKey *key, LyKeyFormat format, LyBuf *out, LyError *error);

/* openssh-key-v1 text; certificates and sk-* too. As ly_key_write_private. */
bool ly_key_write_openssh(LyCrypto *crypto, LyKey *key, const LyKeyWriteOptions *options, LyBuf *out,
                          LyError *error);
/* "type base64 comment\n"; line ends and NUL in the comment become blanks, so that it cannot start another
 * line. */
void ly_key_write_line(const LyKey *key, LyBuf *out);

#endif
