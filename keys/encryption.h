/* How the private halves that commands write are encrypted: the options that they share. */
#ifndef KEYS_ENCRYPTION_H
#define KEYS_ENCRYPTION_H

#include "options.h"

typedef struct EncryptionValues {
    const char *cipher, *kdf;
    uint64_t rounds, memory; /* 0: not given */
} EncryptionValues;

/* Rows for the table of a command whose values struct `Type` has `EncryptionValues encryption`. */
#define ENCRYPTION_OPTIONS(Type)                                                                             \
    {"cipher",                                                                                               \
     'Z',                                                                                                    \
     "CIPHER",                                                                                               \
     OPTION_STRING,                                                                                          \
     offsetof(Type, encryption.cipher),                                                                      \
     0,                                                                                                      \
     "encrypt with this cipher (openssh: aes256-ctr; pem, pkcs8, ppk: aes256-cbc)"},                         \
        {"kdf",                                                                                              \
         0,                                                                                                  \
         "KDF",                                                                                              \
         OPTION_STRING,                                                                                      \
         offsetof(Type, encryption.kdf),                                                                     \
         0,                                                                                                  \
         "bcrypt; pkcs8: pbkdf2 or scrypt; ppk: argon2id, argon2i or argon2d"},                              \
        {"kdf-rounds",                                                                                       \
         'a',                                                                                                \
         "N",                                                                                                \
         OPTION_NUMBER,                                                                                      \
         offsetof(Type, encryption.rounds),                                                                  \
         0,                                                                                                  \
         "bcrypt's rounds (24), PBKDF2's iterations (600000), Argon2's passes (13)"},                        \
    {                                                                                                        \
        "kdf-memory", 0, "KIB", OPTION_NUMBER, offsetof(Type, encryption.memory), 0,                         \
            "memory of scrypt (16384) or Argon2 (8192)"                                                      \
    }

/* Something was asked for. */
bool encryption_given(const EncryptionValues *values);
/* Fills cipher and kdf for `format` from the command line, and, where that says nothing, from how `old`
 * (NULL: nothing) was encrypted, as far as the format can hold it. STATUS_USAGE with a message for what the
 * format has not. */
Status encryption_choose(Tool *tool, const EncryptionValues *values, LyKeyFormat format,
                         const LyKeyEntry *old, LyKeyWriteOptions *options);
/* Formats that hold a private half, and that can encrypt it. */
bool format_is_private(LyKeyFormat format);
bool format_encrypts(LyKeyFormat format);
/* Formats that have a place for the comment. */
bool format_has_comment(LyKeyFormat format);

#endif
