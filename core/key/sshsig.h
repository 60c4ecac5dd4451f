/* SSHSIG signatures over files (OpenSSH's PROTOCOL.sshsig), and who may make them (allowed_signers of
 * ssh-keygen(1)). The message goes in as its digest, so that files of any length can be streamed. */
#ifndef LY_KEY_SSHSIG_H
#define LY_KEY_SSHSIG_H

#include "key/key.h"

/* What the key signs. `hash`: LY_SHA256 or LY_SHA512; LY_ERROR_INVALID otherwise, or for an empty namespace.
 */
bool ly_sshsig_put_signed_data(LyBytes name_space, LyHash hash, LyBytes digest, LyBuf *out, LyError *error);
/* Appends the armoured signature ("-----BEGIN SSH SIGNATURE-----") of a signature blob made over that data.
 */
void ly_sshsig_write(LyBytes key_blob, LyBytes name_space, LyHash hash, LyBytes signature, LyBuf *out);
/* Both, with the key at hand. RSA signs rsa-sha2-512. */
bool ly_sshsig_sign(LyKey *key, LyBytes name_space, LyHash hash, LyBytes digest, LyBuf *out, LyError *error);

typedef struct LySshsig LySshsig;
/* Reads an armoured signature (CRLF, text around it and a BOM are fine). LY_ERROR_INVALID,
 * LY_ERROR_UNSUPPORTED (version, hash). */
LySshsig *ly_sshsig_read(LyCrypto *crypto, LyBytes text, LyError *error);
void ly_sshsig_free(LySshsig *sshsig);
LyKey *ly_sshsig_key(const LySshsig *sshsig); /* borrowed; a certificate is kept as one */
LyBytes ly_sshsig_namespace(const LySshsig *sshsig);
LyHash ly_sshsig_hash(const LySshsig *sshsig);
/* LY_ERROR_VERIFY: another namespace, or the signature does not hold; RSA with SHA-1 never does. *sk_flags as
 * ly_key_verify. Who the key belongs to is the question below. */
bool ly_sshsig_verify(LySshsig *sshsig, LyBytes name_space, LyBytes digest, uint8_t *sk_flags,
                      LyError *error);

/* allowed_signers. A line: principals (patterns), options (cert-authority, namespaces=, valid-after=,
 * valid-before=), key. `when` in seconds since 1970. Lines that cannot be read match nothing; *warning (may
 * be NULL) tells of the first. */
/* May `key` (a certificate: by a cert-authority line, valid at `when`, the principal among its own) sign as
 * `principal` in the namespace? LY_ERROR_VERIFY with a sentence: unknown, expired, another namespace. */
bool ly_allowed_signers_check(LyCrypto *crypto, LyBytes text, LyBytes principal, LyBytes name_space,
                              LyKey *key, uint64_t when, LyError *error);
/* Appends the principals of each line that has the key, a line each; false when none (ssh-keygen -Y
 * find-principals). For cert-authority lines: the certificate's principals that match. */
bool ly_allowed_signers_find(LyCrypto *crypto, LyBytes text, LyBytes name_space, LyKey *key, uint64_t when,
                             LyBuf *principals, LyError *error);
/* Appends the principal patterns that match `principal`, a line each (ssh-keygen -Y match-principals). */
bool ly_allowed_signers_match(LyBytes text, LyBytes principal, LyBuf *out, LyError *error);

/* YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, local time unless Z follows, as seconds since 1970. */
bool ly_time_read(LyBytes text, uint64_t *seconds, LyError *error);

#endif
