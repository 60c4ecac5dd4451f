/* Key files in: the format is told from the content, never from the name. Read today: openssh-key-v1 (all its
 * ciphers), PEM PKCS#1 / SEC1 / DSA with DEK-Info, PKCS#8 plain and PBES2, SubjectPublicKeyInfo and PKCS#1
 * public keys, one-line public keys. LF, CRLF, CR or blanks end lines; a BOM, text before and after,
 * indentation, any base64 width and a missing last line end are accepted. At most 1 MiB. The halves of a
 * private key are not compared here (ly_key_check does, and signing and writing call it). */
#ifndef LY_KEY_READ_H
#define LY_KEY_READ_H

#include "key/key.h"

typedef struct LyKeyReadOptions {
    bool have_passphrase;
    LyBytes passphrase;
    uint32_t max_bcrypt_rounds;     /* 0: 1000 */
    uint32_t max_pbkdf2_iterations; /* 0: 10^7 */
    uint64_t max_memory;            /* bytes for scrypt; 0: 1 GiB */
} LyKeyReadOptions;

/* The first key of the text. LY_ERROR_PASSPHRASE: encrypted and no passphrase was given, or a wrong one (the
 * sentence says which); LY_ERROR_UNSUPPORTED: recognised but not readable (it says what); LY_ERROR_LIMIT: the
 * KDF costs more than allowed; LY_ERROR_INVALID: not a key, or damaged: where. NULL on error. `options` may
 * be NULL. */
LyKey *ly_key_read(LyCrypto *crypto, LyBytes text, const LyKeyReadOptions *options, LyError *error);
/* The public half only, without a passphrase where the format shows it (openssh-key-v1, public lines);
 * LY_ERROR_PASSPHRASE where it is hidden. */
LyKey *ly_key_read_public(LyCrypto *crypto, LyBytes text, LyError *error);
/* One line "type base64 [comment]"; authorized_keys options are not read here. */
LyKey *ly_key_read_line(LyCrypto *crypto, LyBytes line, LyError *error);

#endif
