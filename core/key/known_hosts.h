/* known_hosts(5): text in, verdict out. Files are read and written by others. */
#ifndef LY_KEY_KNOWN_HOSTS_H
#define LY_KEY_KNOWN_HOSTS_H

#include "key/key.h"

typedef struct LyKnownHosts LyKnownHosts;

/* Holds the texts of one or several files. */
LyKnownHosts *ly_known_hosts_new(LyCrypto *crypto);
void ly_known_hosts_free(LyKnownHosts *hosts);
/* Adds a file's text (copied); `name` is for messages. Lines that cannot be read match nothing; an over-long
 * line (64 KiB) is ignored whole. */
void ly_known_hosts_add(LyKnownHosts *hosts, const char *name, LyBytes text);

typedef enum LyHostVerdict {
    LY_HOST_OK,       /* the key, or a CA that certified it, is known for this host */
    LY_HOST_UNKNOWN,  /* nothing is known of this host */
    LY_HOST_NEW_TYPE, /* keys of other types only are known for it */
    LY_HOST_CHANGED,  /* another key of this type is known */
    LY_HOST_REVOKED,
    LY_HOST_BAD_CERTIFICATE, /* a certificate that does not hold; detail says why */
} LyHostVerdict;

typedef struct LyHostCheck {
    LyHostVerdict verdict;
    const char *file; /* of the line that decided; NULL: none */
    unsigned line;
    bool by_ca; /* OK by @cert-authority */
    char detail[256];
} LyHostCheck;

/* `host` in any case; port 22 is looked up by the plain name, others as "[host]:port". A certificate is
 * judged against
 * @cert-authority lines (the principal is `host`), then, without a CA, by its plain key. */
void ly_known_hosts_check(const LyKnownHosts *hosts, LyBytes host, uint16_t port, LyKey *key,
                          uint64_t now_seconds, LyHostCheck *check);
/* The host key algorithms worth asking for first, as a name-list: those whose key types (or CA) are known for
 * the host, so that a server with several keys shows the one that can be checked. Picks from and keeps the
 * order within `algorithms`; what is not picked is not appended, so the result may be empty. */
void ly_known_hosts_prefer(const LyKnownHosts *hosts, LyBytes host, uint16_t port, LyBytes algorithms,
                           LyBuf *out);
/* A new line for the file: "[host]:port type base64\n", or the hashed form "|1|salt|hash type base64\n". */
bool ly_known_hosts_line(LyCrypto *crypto, LyBytes host, uint16_t port, LyKey *key, bool hashed, LyBuf *out,
                         LyError *error);

#endif
