/* Inside the key floor: the readers that read.c chooses from. */
#ifndef LY_KEY_READ_PRIVATE_H
#define LY_KEY_READ_PRIVATE_H

#include "key/read.h"

#define LY_KEY_TEXT_LIMIT ((size_t)1 << 20) /* bytes of a key file */

/* `body` is what stands between the BEGIN and the END line. `public_only`: the public half will do. */
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
