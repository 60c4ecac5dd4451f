/* Key types and signature algorithms by their SSH names: one table for host keys, user keys, certificates and
 * sk-* keys. */
#ifndef LY_KEY_ALGORITHM_H
#define LY_KEY_ALGORITHM_H

#include "crypto/pk.h"

typedef struct LyKeyType {
    const char *name; /* in the key blob: "ssh-rsa", "ecdsa-sha2-nistp256", "sk-ssh-ed25519@openssh.com" */
    const char *certificate; /* "ssh-rsa-cert-v01@openssh.com"; NULL: none */
    LyPkType pk;
    int curve;              /* LyCurve for ECDSA, else -1 */
    bool sk;                /* sk-*: signatures carry flags and a counter */
    const char *short_name; /* "RSA", "ECDSA", "ED25519", "ED25519-SK" as ssh-keygen prints */
} LyKeyType;

/* By the plain name or the certificate's name (*is_certificate tells which; NULL is fine); NULL when unknown.
 */
const LyKeyType *ly_key_type_find(LyBytes name, bool *is_certificate);

typedef struct LySignatureAlgorithm {
    const char *name; /* as negotiated: "rsa-sha2-512", "rsa-sha2-512-cert-v01@openssh.com", "ssh-ed25519" */
    const char *signature; /* as it stands in the signature blob: "rsa-sha2-512" */
    const char *key_type;  /* as it stands in the key blob: "ssh-rsa", "ssh-rsa-cert-v01@openssh.com" */
    LyHash hash;
    bool by_default; /* not ssh-rsa (SHA-1), not ssh-dss */
    bool host, user; /* may be used for host keys; for user keys */
} LySignatureAlgorithm;

const LySignatureAlgorithm *ly_signature_algorithm_find(LyBytes name);
/* The preferred algorithm of a key blob's type name, be it in the default list or not; NULL when unknown. */
const LySignatureAlgorithm *ly_signature_algorithm_best(const char *key_type);
/* Name-lists in order of preference (certificate forms first, as OpenSSH does): for host keys and for user
 * keys. */
void ly_host_key_algorithm_names(bool only_default, LyBuf *out);
void ly_user_key_algorithm_names(bool only_default, LyBuf *out);

#endif
