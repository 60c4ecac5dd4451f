/* Inside the key floor: the writers that write.c chooses from. They append text; write.c gives them a buffer
 * of its own, has the halves checked before, and refuses what the table there says that a format lacks
 * (private halves, certificates, sk-* keys, encryption). */
#ifndef LY_KEY_WRITE_PRIVATE_H
#define LY_KEY_WRITE_PRIVATE_H

#include "key/key-private.h"
#include "key/write.h"

/* openssh-key-v1. */
bool ly_key_put_openssh(LyCrypto *crypto, LyKey *key, LyKeyFormat format, const LyKeyWriteOptions *options,
                        LyBuf *out, LyError *error);
/* PKCS#1, SEC1 or DSA under its own label, with DEK-Info when there is a passphrase. */
bool ly_key_put_pem(LyCrypto *crypto, LyKey *key, LyKeyFormat format, const LyKeyWriteOptions *options,
                    LyBuf *out, LyError *error);
/* PrivateKeyInfo, or EncryptedPrivateKeyInfo (PBES2) when there is a passphrase. */
bool ly_key_put_pkcs8(LyCrypto *crypto, LyKey *key, LyKeyFormat format, const LyKeyWriteOptions *options,
                      LyBuf *out, LyError *error);
/* PPK 2 or 3, by `format`; certificates too. */
bool ly_key_put_ppk(LyCrypto *crypto, LyKey *key, LyKeyFormat format, const LyKeyWriteOptions *options,
                    LyBuf *out, LyError *error);
bool ly_key_put_jwk(const LyKey *key, bool private_half, LyBuf *out, LyError *error);
bool ly_key_put_rfc4716(const LyKey *key, LyBuf *out, LyError *error);
bool ly_key_put_spki(const LyKey *key, LyBuf *out, LyError *error);
/* "RSA PUBLIC KEY"; of other types SubjectPublicKeyInfo. */
bool ly_key_put_pem_public(const LyKey *key, LyBuf *out, LyError *error);

/* The DER forms that PEM and PKCS#8 share, appended; the key has its private half. PKCS#1 (RFC 8017 A.1.2)
 * and RSAPublicKey; SEC1 (RFC 5915), which PKCS#8 has without the curve's name. */
bool ly_key_put_pkcs1(LyCrypto *crypto, const LyKeyNumbers *numbers, LyBuf *out, LyError *error);
void ly_key_put_pkcs1_public(const LyKeyNumbers *numbers, LyBuf *out);
void ly_key_put_sec1(const LyKeyNumbers *numbers, bool with_curve, LyBuf *out);

/* The ciphers of PEM's DEK-Info and of PBES2 that are written. */
typedef struct LyPemCipher {
    const char *name, *dek_name; /* "aes256-cbc", "AES-256-CBC" */
    LyBytes oid;
    uint8_t key_len, block_len;
} LyPemCipher;

/* By the name that LyKeyWriteOptions takes (NULL: aes256-cbc); NULL with LY_ERROR_UNSUPPORTED. */
const LyPemCipher *ly_pem_cipher_find(const char *name, LyError *error);
/* Encrypts with PKCS#7 padding. */
bool ly_pem_encrypt(LyCrypto *crypto, const LyPemCipher *cipher, LyBytes key, LyBytes iv, LyBytes plain,
                    LyBuf *out, LyError *error);
/* "-----BEGIN label-----", `headers` (whole lines; NULL: none) and an empty line, base64 in lines of 64, END.
 */
void ly_put_pem(LyBuf *out, const char *label, const char *headers, LyBytes der);

#endif
