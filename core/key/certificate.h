/* OpenSSH certificates (PROTOCOL.certkeys, *-cert-v01@openssh.com). */
#ifndef LY_KEY_CERTIFICATE_H
#define LY_KEY_CERTIFICATE_H

#include "key/key.h"

typedef enum LyCertificateKind { LY_CERTIFICATE_USER = 1, LY_CERTIFICATE_HOST = 2 } LyCertificateKind;

typedef struct LyCertificate { /* views into the blob */
    uint64_t serial;
    uint32_t kind;
    LyBytes id;
    LyBytes principals;                 /* strings one after another; empty: none */
    uint64_t valid_after, valid_before; /* seconds since 1970; before is exclusive */
    LyBytes critical, extensions;       /* string name, string data, ... */
    LyBytes ca_blob, signature;
    LyBytes signed_part;  /* what the signature covers */
    LyBytes plain_fields; /* the public key's own fields */
} LyCertificate;

/* Reads the fields of a certificate's blob; no judgement. */
bool ly_certificate_read(LyBytes blob, LyCertificate *certificate, LyError *error);
/* Judges: kind, validity at now_seconds, principal (empty `principal`: not checked; a certificate without
 * principals is never valid), critical options (unknown ones refuse; force-command, source-address and
 * verify-required are known for users, none for hosts), the CA's signature by an algorithm of `ca_algorithms`
 * (empty: the default ones; never SHA-1), CA not itself a certificate. Whether the CA is trusted is the
 * caller's question: compare ca_blob. LY_ERROR_VERIFY with a sentence. */
bool ly_certificate_check(LyCrypto *crypto, LyKey *key, LyCertificateKind kind, LyBytes principal,
                          bool principal_is_host, uint64_t now_seconds, LyBytes ca_algorithms,
                          LyError *error);
/* The CA's signature alone, by an algorithm of `ca_algorithms` as above. LY_ERROR_VERIFY. */
bool ly_certificate_check_signature(LyCrypto *crypto, const LyCertificate *certificate, LyBytes ca_algorithms,
                                    LyError *error);
/* The data of a critical option or extension; false when absent. `which`: certificate.critical or
 * .extensions. */
bool ly_certificate_option(LyBytes which, const char *name, LyBytes *data);
bool ly_certificate_has_principal(const LyCertificate *certificate, LyBytes principal, bool wildcards);

#endif
