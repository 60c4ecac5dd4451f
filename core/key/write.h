/* Key files out. */
#ifndef LY_KEY_WRITE_H
#define LY_KEY_WRITE_H

#include "key/key.h"

typedef struct LyKeyWriteOptions {
    LyBytes passphrase;     /* empty: not encrypted */
    const char *cipher;     /* SSH name; NULL: aes256-ctr */
    uint32_t bcrypt_rounds; /* 0: 24 */
} LyKeyWriteOptions;

/* openssh-key-v1 text; certificates and sk-* too. The halves are checked first (LY_ERROR_VERIFY). `options`
 * may be NULL. LY_ERROR_INVALID: a public key only; LY_ERROR_UNSUPPORTED: unknown cipher. Nothing is appended
 * on failure. */
bool ly_key_write_openssh(LyCrypto *crypto, LyKey *key, const LyKeyWriteOptions *options, LyBuf *out,
                          LyError *error);
/* "type base64 comment\n"; line ends and NUL in the comment become blanks, so that it cannot start another
 * line. */
void ly_key_write_line(const LyKey *key, LyBuf *out);

#endif
