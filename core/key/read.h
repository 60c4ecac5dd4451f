/* Key files in: the format is told from the content, never from the name. LF, CRLF, CR or blanks end lines; a
 * BOM, text before and after, indentation, folded headers, any base64 width and a missing last line end are
 * accepted. At most 1 MiB, except files of lines (public, authorized_keys, known_hosts: 64 MiB). The halves
 * of a private key are not compared here (ly_key_check does; signing and writing call it, and programs call
 * it before they show a key or give it to an agent). */
#ifndef LY_KEY_READ_H
#define LY_KEY_READ_H

#include "key/format.h"
#include "key/key.h"

typedef struct LyKeyReadOptions {
    bool have_passphrase;
    LyBytes passphrase; /* an encrypted key with an empty passphrase is tried with it */
    bool public_only;   /* the public half will do: what shows it is not decrypted */
    /* What a file's key derivation may cost. */
    uint32_t max_bcrypt_rounds;     /* 0: 1000 */
    uint64_t max_pbkdf2_iterations; /* 0: 10^7 */
    uint64_t max_memory_kib;        /* scrypt and Argon2; 0: 1 GiB */
    uint64_t max_memory_passes_kib; /* memory x passes (of scrypt: x p); 0: 4 GiB */
} LyKeyReadOptions;

/* The first key of the text: words in front of it are passed over, but a damaged key is an error, lest
 * another one pass for it. LY_ERROR_PASSPHRASE: encrypted and no passphrase was given, or a wrong one (the
 * sentence says which); LY_ERROR_UNSUPPORTED: recognised but not readable (it says what); LY_ERROR_LIMIT: the
 * KDF costs more than allowed; LY_ERROR_INVALID: not a key, or damaged: where. NULL on error. `options` may
 * be NULL. */
LyKey *ly_key_read(LyCrypto *crypto, LyBytes text, const LyKeyReadOptions *options, LyError *error);
/* The public half only, without a passphrase where the format shows it (openssh-key-v1, PPK, public forms);
 * LY_ERROR_PASSPHRASE where it is hidden. */
LyKey *ly_key_read_public(LyCrypto *crypto, LyBytes text, LyError *error);
/* One line "type base64 [comment]"; authorized_keys options are not read here. */
LyKey *ly_key_read_line(LyCrypto *crypto, LyBytes line, LyError *error);

/* The key that an X.509 certificate in DER is for; nothing else of the certificate is read or checked.
 * LY_ERROR_INVALID, or LY_ERROR_UNSUPPORTED for keys that SSH has not. */
LyKey *ly_key_read_x509(LyCrypto *crypto, LyBytes der, LyError *error);

/* One key of a file, with all that the file says of it. */
typedef struct LyKeyEntry {
    LyKeyFormat format;
    LyKey *key;       /* the key; only its public half where the private one is encrypted and was not (or,
                         with public_only, not to be) opened; NULL when not even that is known */
    bool has_private; /* the file holds a private half (or the handle of an sk-* key) */
    bool encrypted;
    char cipher[64]; /* as the format calls it; empty: not encrypted */
    LyKeyKdf kdf;
    unsigned line;  /* where the key starts, from 1 */
    LyBytes prefix; /* options of authorized_keys; marker and names of known_hosts; views `text` */
    LyError error;  /* code LY_OK, or why `key` is NULL or public only (with public_only, that is no error) */
} LyKeyEntry;

typedef struct LyKeyFile {
    LyKeyEntry *entries;
    size_t count;
} LyKeyFile;

/* All keys of a text: the keys of an openssh-key-v1 file, or every PEM-like block, or every line, where blank
 * lines and those that start with # are passed over and a line that is not a key is an entry with an error.
 * An encrypted key that was not opened is an entry with its format, cipher and kdf, and error
 * LY_ERROR_PASSPHRASE. More than 65536 bad lines are refused (LY_ERROR_LIMIT). Of the keys whose derivation
 * costs something, four may cost what the options allow, and each later one less and less. False when nothing
 * in the text is a key (errors as ly_key_read's) or the only key is damaged; *file is then empty. */
bool ly_key_file_read(LyCrypto *crypto, LyBytes text, const LyKeyReadOptions *options, LyKeyFile *file,
                      LyError *error);
void ly_key_file_clear(LyKeyFile *file);

#endif
