/* Inside the key floor: the readers that read.c chooses from.
 *
 * A reader describes an entry: all but `line` and `prefix` are its business, as early as they are known.
 * True: the entry is a key, or an encrypted one that stays closed, and then entry->error says why
 * (LY_ERROR_PASSPHRASE, LY_ERROR_LIMIT, LY_ERROR_UNSUPPORTED), and entry->key is the public half where the
 * format shows it. False with *error: damaged, or not a key. With options->public_only a half that is shown
 * is the whole answer and no error. `options` is never NULL here. */
#ifndef LY_KEY_READ_PRIVATE_H
#define LY_KEY_READ_PRIVATE_H

#include "base/buf.h"
#include "key/read.h"

#define LY_KEY_TEXT_LIMIT ((size_t)1 << 20)      /* bytes of a key file */
#define LY_KEY_LINES_LIMIT ((size_t)64 << 20)    /* bytes of a file of lines */
#define LY_KEY_BAD_LINES_LIMIT ((size_t)1 << 16) /* lines of a file that are no keys, each told of */

/* Of formats that are told from how the text begins: `text` is the whole text from its first non-blank byte.
 */
typedef bool LyKeyTextReader(LyCrypto *crypto, LyBytes text, const LyKeyReadOptions *options,
                             LyKeyEntry *entry, LyError *error);
bool ly_key_read_ppk(LyCrypto *crypto, LyBytes text, const LyKeyReadOptions *options, LyKeyEntry *entry,
                     LyError *error);
bool ly_key_read_jwk(LyCrypto *crypto, LyBytes text, const LyKeyReadOptions *options, LyKeyEntry *entry,
                     LyError *error);

/* Of blocks: `body` is what stands between the BEGIN and the END line. The entry is the last one of `file`,
 * to which the reader of several keys adds others. */
typedef bool LyKeyBlockReader(LyCrypto *crypto, LyBytes label, LyBytes body, const LyKeyReadOptions *options,
                              LyKeyFile *file, LyError *error);
LyKeyBlockReader ly_key_read_openssh, ly_key_read_pem, ly_key_read_rfc4716, ly_key_read_sshcom;

/* Of lines. `first`: the first key will do. */
bool ly_key_read_lines(LyCrypto *crypto, LyBytes text, bool first, LyKeyFile *file, LyError *error);
/* The first line that is neither blank nor a comment looks like a key's. */
bool ly_key_starts_with_line(LyBytes text);

/* A new, empty entry at the end; entries move when others are added. */
LyKeyEntry *ly_key_file_add(LyKeyFile *file);
/* The entry is a private key, encrypted with this cipher. */
void ly_key_entry_encrypted(LyKeyEntry *entry, LyBytes cipher);
/* Why a decryption failed: true and entry->error for what a closed entry may say, else false and *error. */
bool ly_key_entry_closed(LyKeyEntry *entry, const LyError *why, LyError *error);
/* Strict base64; `what` is for the message: "key". */
bool ly_key_get_base64(LyBytes text, bool skip_space, const char *what, LyBuf *out, LyError *error);

/* The limits of the options, with their defaults. */
static inline uint32_t ly_key_max_bcrypt(const LyKeyReadOptions *options)
{
    return options->max_bcrypt_rounds ? options->max_bcrypt_rounds : 1000;
}
static inline uint64_t ly_key_max_pbkdf2(const LyKeyReadOptions *options)
{
    return options->max_pbkdf2_iterations ? options->max_pbkdf2_iterations : 10000000;
}
static inline uint64_t ly_key_max_memory(const LyKeyReadOptions *options)
{
    return options->max_memory_kib ? options->max_memory_kib : (uint64_t)1 << 20;
}
static inline uint64_t ly_key_max_memory_passes(const LyKeyReadOptions *options)
{
    return options->max_memory_passes_kib ? options->max_memory_passes_kib : (uint64_t)4 << 20;
}

/* PKCS#8 PrivateKeyInfo (RFC 5208, RFC 5958), EncryptedPrivateKeyInfo (RFC 8018 PBES2; describes the entry,
 * appends the plain DER) and SubjectPublicKeyInfo in DER. */
LyKey *ly_key_read_pkcs8(LyCrypto *crypto, LyBytes der, LyError *error);
bool ly_key_decrypt_pkcs8(LyCrypto *crypto, LyBytes der, const LyKeyReadOptions *options, LyKeyEntry *entry,
                          LyBuf *plain, LyError *error);
LyKey *ly_key_read_spki(LyCrypto *crypto, LyBytes der, LyError *error);
/* The traditional DER forms: PKCS#1 (RFC 8017 A.1), SEC1 (RFC 5915; the curve `curve` when it names none, -1:
 * it must; `point` where it carries none, empty: derived), DSA. */
LyKey *ly_key_read_pkcs1(LyCrypto *crypto, LyBytes der, LyError *error);
LyKey *ly_key_read_pkcs1_public(LyCrypto *crypto, LyBytes der, LyError *error);
LyKey *ly_key_read_sec1(LyCrypto *crypto, LyBytes der, int curve, LyBytes point, LyError *error);
LyKey *ly_key_read_dsa(LyCrypto *crypto, LyBytes der, LyError *error);
/* "the FORM structure of the key is malformed or cut short at byte N", N where `inner`, or else `outer`,
 * stopped. Returns NULL. */
LyKey *ly_key_malformed(LyBytes der, const LyReader *outer, const LyReader *inner, const char *form,
                        LyError *error);

/* The headers of RFC 4716 and ssh.com ("Tag: value", '\\' continues a line) off the body; appends the
 * comment, without its quotes. */
bool ly_key_read_ssh2_headers(LyBytes *body, LyBuf *comment, LyError *error);

/* Removes PKCS#7 padding of 1 to `block_len` bytes and sees that one DER SEQUENCE fills the rest: the only
 * sign of a right passphrase that PEM and PBES2 give. */
bool ly_key_unpad_der(LyBuf *plain, size_t block_len);
/* The two sentences about passphrases; return false. */
bool ly_key_needs_passphrase(LyError *error);
bool ly_key_wrong_passphrase(LyError *error);

#endif
