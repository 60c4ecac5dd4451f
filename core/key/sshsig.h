/* SSHSIG signatures over files (OpenSSH's PROTOCOL.sshsig), and who may make them (allowed_signers of
 * ssh-keygen(1)). The message goes in as its digest, so that files of any length can be streamed. */
#ifndef LY_KEY_SSHSIG_H
#define LY_KEY_SSHSIG_H

#include "key/key.h"
#include "key/time.h"

/* What the key signs. `hash`: LY_SHA256 or LY_SHA512, `digest` its length; LY_ERROR_INVALID otherwise, or for
 * an empty namespace. */
bool ly_sshsig_put_signed_data(LyBytes name_space, LyHash hash, LyBytes digest, LyBuf *out, LyError *error);
/* Appends the armoured signature ("-----BEGIN SSH SIGNATURE-----") of a signature blob made over that data;
 * `key_blob` may be a certificate's. */
void ly_sshsig_write(LyBytes key_blob, LyBytes name_space, LyHash hash, LyBytes signature, LyBuf *out);
/* Both, with the key at hand. RSA signs rsa-sha2-512. */
bool ly_sshsig_sign(LyKey *key, LyBytes name_space, LyHash hash, LyBytes digest, LyBuf *out, LyError *error);

typedef struct LySshsig LySshsig;
/* Reads the first armoured signature of the text (CRLF, any width, indentation, text around it and a BOM are
 * fine). LY_ERROR_INVALID, LY_ERROR_UNSUPPORTED (version, hash, key type), LY_ERROR_LIMIT (over 256 KiB). */
LySshsig *ly_sshsig_read(LyCrypto *crypto, LyBytes text, LyError *error);
void ly_sshsig_free(LySshsig *sshsig);               /* NULL is fine */
LyKey *ly_sshsig_key(const LySshsig *sshsig);        /* borrowed; a certificate is kept as one */
LyBytes ly_sshsig_namespace(const LySshsig *sshsig); /* lives as long as the object, like the next */
LyHash ly_sshsig_hash(const LySshsig *sshsig);       /* which digest of the message ly_sshsig_verify wants */
/* LY_ERROR_VERIFY: another namespace, or the signature does not hold; RSA with SHA-1 never does, and a
 * certificate's own signature by its CA must hold too (never SHA-1). *sk_flags as ly_key_verify. Who the key
 * belongs to is the question below. */
bool ly_sshsig_verify(LySshsig *sshsig, LyBytes name_space, LyBytes digest, uint8_t *sk_flags,
                      LyError *error);

/* allowed_signers. A line: principals (patterns, maybe quoted), options (cert-authority, namespaces=,
 * valid-after=, valid-before=), key. `when` in seconds since 1970; valid-before is still valid itself, as in
 * ssh-keygen. An empty name_space is not compared. Lines that cannot be read, or are over 64 KiB, match
 * nothing; when nothing else does, the error tells of the first. */
/* May `key` (a certificate: by a cert-authority line, valid at `when`, the principal among its own; or by a
 * line with that very certificate) sign as `principal` in the namespace? LY_ERROR_VERIFY with a sentence:
 * unknown, expired, another namespace. */
bool ly_allowed_signers_check(LyCrypto *crypto, LyBytes text, LyBytes principal, LyBytes name_space,
                              LyKey *key, uint64_t when, LyError *error);
/* Appends the principals of the first line that allows the key, a line each (ssh-keygen -Y find-principals,
 * which gives no namespace); LY_ERROR_VERIFY when none does. For cert-authority lines: the certificate's
 * principals that match. */
bool ly_allowed_signers_find(LyCrypto *crypto, LyBytes text, LyBytes name_space, LyKey *key, uint64_t when,
                             LyBuf *principals, LyError *error);
/* Appends the principals of each line whose patterns match `principal`, as they stand, a line each
 * (ssh-keygen -Y match-principals); LY_ERROR_VERIFY when none does. */
bool ly_allowed_signers_match(LyBytes text, LyBytes principal, LyBuf *out, LyError *error);

#endif
