/* Signature primitives on numbers; SSH's names, blobs and framing are core/key's business. Immutable and
 * counted; signing and verifying are safe from several threads at once. */
#ifndef LY_CRYPTO_PK_H
#define LY_CRYPTO_PK_H

#include "base/buf.h"
#include "crypto/hash.h"

typedef struct LyPk LyPk;

typedef enum LyPkType { LY_PK_RSA, LY_PK_DSA, LY_PK_ECDSA, LY_PK_ED25519, LY_PK_ED448 } LyPkType;
typedef enum LyCurve { LY_NISTP256, LY_NISTP384, LY_NISTP521, LY_CURVE_COUNT } LyCurve;

/* Magnitudes, big-endian. d empty: a public key. iqmp, p and q may be empty only when d is. */
typedef struct LyRsaNumbers {
    LyBytes n, e, d, iqmp, p, q;
} LyRsaNumbers;
typedef struct LyDsaNumbers {
    LyBytes p, q, g, y, x; /* x empty: a public key */
} LyDsaNumbers;

/* All return NULL with LY_ERROR_INVALID for numbers that cannot be a key (RSA: 1024..16384 bits, e odd and
 * above 1, below n; DSA: q of 160 bits; points on the curve, uncompressed 04||x||y). libcrypto's form of the
 * key is made at the first use, which may fail with LY_ERROR_CRYPTO. The halves are not compared: ly_pk_check
 * does. */
LyPk *ly_pk_new_rsa(LyCrypto *crypto, const LyRsaNumbers *numbers, LyError *error);
LyPk *ly_pk_new_dsa(LyCrypto *crypto, const LyDsaNumbers *numbers, LyError *error);
LyPk *ly_pk_new_ecdsa(LyCrypto *crypto, LyCurve curve, LyBytes point, LyBytes scalar /* empty: public */,
                      LyError *error);
LyPk *ly_pk_new_ed25519(LyCrypto *crypto, LyBytes public32, LyBytes seed32 /* empty: public */,
                        LyError *error);
LyPk *ly_pk_new_ed448(LyCrypto *crypto, LyBytes public57, LyBytes seed57 /* empty: public */, LyError *error);
LyPk *ly_pk_ref(LyPk *pk);
void ly_pk_unref(LyPk *pk);

/* Do the private and public halves belong together? RSA: n = pq, d e = 1 mod (p-1) and (q-1), iqmp q = 1 mod
 * p; others: the seed or scalar gives the public key. LY_ERROR_VERIFY with a sentence that names what does
 * not fit. */
bool ly_pk_check(const LyPk *pk, LyError *error);
bool ly_pk_is_private(const LyPk *pk);
unsigned ly_pk_bits(const LyPk *pk);

/* Appends the raw signature as SSH wants it inside the blob: RSA PKCS#1 v1.5 bytes padded to the modulus; DSA
 * 20-byte r || 20-byte s; ECDSA mpint r, mpint s; Ed25519 64 bytes; Ed448 114. `hash` is used by RSA (SHA1,
 * SHA256, SHA512) only; the others' is fixed. */
bool ly_pk_sign(const LyPk *pk, LyHash hash, LyBytes message, LyBuf *signature, LyError *error);
/* LY_ERROR_VERIFY when it does not match. Strict on lengths; an RSA signature shorter than the modulus is
 * padded in front. */
bool ly_pk_verify(const LyPk *pk, LyHash hash, LyBytes message, LyBytes signature, LyError *error);

/* Appends the public value that belongs to a private one, for formats that do not carry it: ECDSA's point
 * (`curve`), Ed25519's and Ed448's bytes, DSA's y (`dsa` gives p, q and g; x and y are not read).
 * LY_ERROR_INVALID: out of range. */
bool ly_pk_derive_public(LyCrypto *crypto, LyPkType type, LyCurve curve, const LyDsaNumbers *dsa,
                         LyBytes private_value, LyBuf *public_value, LyError *error);

/* Appends RSA's exponents of the Chinese remainder theorem, d mod (p-1) and d mod (q-1), as magnitudes
 * without leading zeros, which SSH's formats leave out and DER and JWK want. LY_ERROR_INVALID: p or q is
 * below 3. */
bool ly_pk_rsa_exponents(LyCrypto *crypto, const LyRsaNumbers *numbers, LyBuf *dp, LyBuf *dq, LyError *error);

/* Generation. Components come back as magnitudes in secret-cleansed buffers: each appended as SSH wire fields
 * in the order that openssh-key-v1 uses after the type name: ed25519 and ed448: string public, string
 * seed||public; ecdsa: string curve name, string point, mpint scalar; rsa: mpint n e d iqmp p q. */
bool ly_pk_generate(LyCrypto *crypto, LyPkType type, unsigned bits, LyBuf *fields, LyError *error);

#endif
