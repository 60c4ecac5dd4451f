/* Inside the key floor: the readers that read.c chooses from.
 *
 * A reader describes an entry: all but `line` and `prefix` are its business, as early as they are known.
 * True: the entry is a key, or an encrypted one that stays closed, and then entry->error says why
 * (LY_ERROR_PASSPHRASE, LY_ERROR_LIMIT, LY_ERROR_UNSUPPORTED), and entry->key is the public half where the
 * format shows it. False with *error: damaged, or not a key. With options->public_only a half that is shown
 * is the whole answer and no error. `options` is never NULL here. */
#ifndef LY_KEY_READ_PRIVATE_H
#define LY_KEY_READ_PRIVATE_H

#include "key/read.h"

#define LY_KEY_TEXT_LIMIT ((size_t)1 << 20)    /* bytes of a key file */
#define LY_KEY_LINES_LIMIT ((size_t)64 << 20)  /* bytes of a file of lines */
#define LY_KEY_ENTRIES_LIMIT ((size_t)1 << 20) /* entries of a file */

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
LyKey *ly_key_read_openssh(LyCrypto *crypto, LyBytes label, LyBytes body, const LyKeyReadOptions *options,
                           bool public_only, LyError *error);
LyKey *ly_key_read_pem(LyCrypto *crypto, LyBytes label, LyBytes body, const LyKeyReadOptions *options,
                       bool public_only, LyError *error);

/* PKCS#8 PrivateKeyInfo (RFC 5208), EncryptedPrivateKeyInfo (RFC 8018 PBES2) and SubjectPublicKeyInfo in DER.
 */
LyKey *ly_key_read_pkcs8(LyCrypto *crypto, LyBytes der, LyError *error);
bool ly_key_decrypt_pkcs8(LyCrypto *crypto, LyBytes der, const LyKeyReadOptions *options, LyBuf *plain,
                          LyError *error);
LyKey *ly_key_read_spki(LyCrypto *crypto, LyBytes der, LyError *error);
/* The traditional DER forms: PKCS#1 (RFC 8017 A.1), SEC1 (RFC 5915; the curve `curve` when it names none, -1:
 * it must), DSA. */
LyKey *ly_key_read_pkcs1(LyCrypto *crypto, LyBytes der, LyError *error);
LyKey *ly_key_read_pkcs1_public(LyCrypto *crypto, LyBytes der, LyError *error);
LyKey *ly_key_read_sec1(LyCrypto *crypto, LyBytes der, int curve, LyError *error);
LyKey *ly_key_read_dsa(LyCrypto *crypto, LyBytes der, LyError *error);

/* Removes PKCS#7 padding of 1 to `block_len` bytes and sees that one DER SEQUENCE fills the rest: the only
 * sign of a right passphrase that PEM and PBES2 give. */
bool ly_key_unpad_der(LyBuf *plain, size_t block_len);
/* The two sentences about passphrases; return false. */
bool ly_key_needs_passphrase(LyError *error);
bool ly_key_wrong_passphrase(LyError *error);

#endif
