/* What a certificate shall say, in ssh-keygen's words: validity (-V) and options (-O). For certify and for
 * the ssh-keygen face. */
#ifndef KEYS_CERTIFICATE_OPTIONS_H
#define KEYS_CERTIFICATE_OPTIONS_H

#include "base/buf.h"
#include "base/error.h"
#include "key/issue.h"

/* "always"; "+TIME" (from the last full minute); "FROM:TO", where each side is +TIME or -TIME (1w2d3h4m5s,
 * from now), YYYYMMDD[HHMM[SS]][Z], 0x and seconds since 1970 in hexadecimal, "always" (FROM) or "forever"
 * (TO). LY_ERROR_INVALID, also for an empty interval. Both are seconds since 1970. */
bool certificate_validity_read(LyBytes text, uint64_t now_seconds, uint64_t *valid_after,
                               uint64_t *valid_before, LyError *error);

typedef struct CertificateOption {
    char *name;
    char *value; /* NULL: a flag */
    bool critical;
} CertificateOption;
typedef struct CertificateOptions { /* {0}: none */
    CertificateOption *items;
    size_t count;
} CertificateOptions;

/* Those that a certificate has when nothing is said: permit-X11-forwarding ... for users, none for hosts. */
void certificate_options_default(CertificateOptions *options, LyCertificateKind kind);
/* One -O: clear, [no-]permit-NAME and its older forms (no-pty, no-X11-forwarding ...), force-command=,
 * source-address=, [no-]touch-required, [no-]verify-required, extension:NAME[=VALUE], critical:NAME[=VALUE].
 * Names in any case. A later one replaces an earlier one of the same name, but force-command and
 * source-address are refused twice. LY_ERROR_INVALID names what is wrong. */
bool certificate_options_add(CertificateOptions *options, const char *text, LyError *error);
/* Appends both parts as LyCertificateRequest takes them. */
void certificate_options_put(const CertificateOptions *options, LyBuf *critical, LyBuf *extensions);
void certificate_options_clear(CertificateOptions *options);

#endif
