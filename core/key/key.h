/* Keys: immutable, counted. A key has a public blob (RFC 4253 6.6; a certificate's blob for certificates),
 * maybe a private half, maybe a comment. The EVP_PKEY behind it is made at first use. */
#ifndef LY_KEY_KEY_H
#define LY_KEY_KEY_H

#include "base/wire.h"
#include "key/algorithm.h"

typedef struct LyKey LyKey;

/* From a public key blob; certificates and sk-* too. LY_ERROR_UNSUPPORTED: unknown type; LY_ERROR_INVALID:
 * malformed (trailing bytes included), RSA under 1024 or over 16384 bits. */
LyKey *ly_key_new_public(LyCrypto *crypto, LyBytes blob, LyError *error);
/* From a private key's fields as openssh-key-v1 and SSH_AGENTC_ADD_IDENTITY have them (string type first;
 * certificates and sk-* too). Takes exactly the fields from the reader; what follows (the comment) stays. The
 * halves are not compared here. */
LyKey *ly_key_new_private(LyCrypto *crypto, LyReader *fields, LyBytes comment, LyError *error);
/* The same key with another comment. */
LyKey *ly_key_new_commented(LyKey *key, LyBytes comment);
/* The same key with a certificate for it: its blob is the certificate's and it signs as the certificate's
 * algorithms. NULL with LY_ERROR_INVALID when the certificate is for another key. */
LyKey *ly_key_new_certified(LyKey *key, LyBytes certificate_blob, LyError *error);
LyKey *ly_key_ref(LyKey *key);
void ly_key_unref(LyKey *key);

const LyKeyType *ly_key_type(const LyKey *key);
const char *ly_key_type_name(const LyKey *key); /* as in the blob */
unsigned ly_key_bits(const LyKey *key);
LyBytes ly_key_blob(const LyKey *key);
LyBytes ly_key_comment(const LyKey *key);
/* It can sign. False for sk-*, whose private half is in a security key, even if the key handle is known. */
bool ly_key_is_private(const LyKey *key);
/* It has fields that only a private key file has: a private half, or the key handle of sk-*. */
bool ly_key_has_secret(const LyKey *key);
/* Appends those fields as ly_key_new_private reads them; nothing for a key without. The buffer then holds
 * secrets. */
void ly_key_put_private(const LyKey *key, LyBuf *out);
bool ly_key_is_certificate(const LyKey *key);
/* The plain key's blob of a certificate, else the blob; with minimal mpints, whatever the writer did. */
LyBytes ly_key_plain_blob(const LyKey *key);
bool ly_key_equal_public(const LyKey *a, const LyKey *b);
/* Private and public halves belong together (ly_pk_check); done once, remembered. */
bool ly_key_check(LyKey *key, LyError *error);

/* Gives back libcrypto's form of the key, which is several times the key's size; it is made again at the next
 * use. At any time, from any thread, also while another signs with the key. */
void ly_key_forget(LyKey *key);

/* Signs with a signature algorithm's SSH name (plain or the certificate's, they sign alike); empty: the
 * type's best (rsa-sha2-512 for RSA). Appends the signature blob: string algorithm, string signature. Checks
 * the halves first. Thread-safe; RSA takes about a millisecond: large programs do it in a job. */
bool ly_key_sign(LyKey *key, LyBytes algorithm, LyBytes message, LyBuf *signature, LyError *error);
/* Verifies a signature blob, whose algorithm must be that of the name-list `allowed` (as negotiated names;
 * empty: any default one) and fit the key's type name: "ssh-ed25519" does not allow a certificate, nor the
 * certificate's name a plain key. sk-*: flags and counter are checked into the signed bytes,
 * and *sk_flags is given (NULL is fine); user presence is the caller's policy. LY_ERROR_VERIFY or
 * LY_ERROR_INVALID. Trailing bytes are refused. */
bool ly_key_verify(LyKey *key, LyBytes allowed, LyBytes message, LyBytes signature, uint8_t *sk_flags,
                   LyError *error);

/* "SHA256:base64" and "MD5:aa:bb:..."; of a certificate: of the key it certifies. */
void ly_key_fingerprint(LyCrypto *crypto, LyBytes plain_blob, LyHash hash, char text[100]);

/* A new key pair (ed25519 and ed448, whose bits are not looked at, ecdsa with bits 256/384/521, rsa with
 * bits). */
LyKey *ly_key_generate(LyCrypto *crypto, LyPkType type, unsigned bits, LyBytes comment, LyError *error);

#endif
