/* Issuing certificates (PROTOCOL.certkeys). The signature may be made elsewhere (an agent): the signed part
 * is built first, the signature is set behind it. */
#ifndef LY_KEY_ISSUE_H
#define LY_KEY_ISSUE_H

#include "key/certificate.h"

typedef struct LyCertificateRequest {
    LyCertificateKind kind;
    uint64_t serial;
    LyBytes id;
    LyBytes principals;                 /* comma-separated; at most 256, none of them empty */
    uint64_t valid_after, valid_before; /* seconds since 1970; 0 and UINT64_MAX: always */
    LyBytes critical, extensions;       /* string name, string data, ...; in any order, none twice: issued
                                           sorted. Built with ly_certificate_put_option. */
} LyCertificateRequest;

/* Appends one option; a flag has `value` {0}, others carry string{value}. */
void ly_certificate_put_option(LyBuf *options, const char *name, bool flag, LyBytes value);
/* The extensions that ssh-keygen gives a user certificate: permit-X11-forwarding, permit-agent-forwarding,
 * permit-port-forwarding, permit-pty, permit-user-rc. */
void ly_certificate_put_default_extensions(LyBuf *options);

/* Appends everything that the CA signs. LY_ERROR_INVALID: no principals (such certificates are never valid;
 * the caller's option `any_principal` allows it), too many, valid_before <= valid_after, critical options on
 * a host certificate, a certificate as CA, a type without certificates. */
bool ly_certificate_put_signed_part(LyCrypto *crypto, const LyKey *key, const LyCertificateRequest *request,
                                    bool any_principal, LyBytes ca_blob, LyBuf *out, LyError *error);
/* The certificate (public half only, comment of `key`) from the signed part and the CA's signature blob,
 * which is verified. */
LyKey *ly_certificate_complete(LyCrypto *crypto, LyBytes signed_part, LyBytes signature, LyBytes comment,
                               LyError *error);
/* Both steps with a CA key at hand; `algorithm` empty: the type's best. */
LyKey *ly_certificate_issue(LyCrypto *crypto, const LyKey *key, const LyCertificateRequest *request,
                            bool any_principal, LyKey *ca, LyBytes algorithm, LyError *error);

#endif
