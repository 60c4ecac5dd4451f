/* authorized_keys(5): text in, verdict out. Options that restrict are honoured, or the key is refused. */
#ifndef LY_KEY_AUTHORIZED_KEYS_H
#define LY_KEY_AUTHORIZED_KEYS_H

#include "key/certificate.h"

typedef struct LyAuthorization { /* what the matching line and the certificate allow; free strings with
                                    ly_authorization_clear */
    bool found;
    unsigned line;
    char *command; /* command= or force-command; NULL: any */
    bool pty, port_forwarding, agent_forwarding, x11_forwarding, user_rc;
    bool touch_required, verify_required; /* sk-* */
    char *environment;                    /* environment="A=b" entries, one a line; NULL: none */
    char *permit_open, *permit_listen;    /* permitopen= and permitlisten=, one a line; NULL: anything */
    char *refused; /* not found because: a sentence for the log (expired, from= does not match ...); NULL:
                      simply absent */
} LyAuthorization;

/* Is `key` (plain or certificate, already proven by its signature or about to be) authorised by the text? A
 * certificate is authorised by cert-authority lines only and must have one of the names of principals= or,
 * where the line has none, `user` among its principals. `address`: the peer's, for from= (patterns, CIDR,
 * negation; host names do not match) and source-address. Unknown options refuse the line; so do options that
 * cannot be honoured (tunnel= refuses forwarding instead). An over-long line (64 KiB) is ignored. */
void ly_authorized_keys_check(LyCrypto *crypto, LyBytes text, LyKey *key, LyBytes user, LyBytes address,
                              uint64_t now_seconds, LyAuthorization *authorization);
void ly_authorization_clear(LyAuthorization *authorization);

/* May a connection be made to, may be listened on `host` (as it was asked for) and `port`? By
 * port_forwarding and permitopen= or permitlisten=: "HOST:PORT", where PORT may be "*" and permitlisten's host
 * may be left out with its colon, for any; hosts are compared without regard to case. An empty `host` to
 * listen on is every address, which only "*" permits. */
bool ly_authorization_may_open(const LyAuthorization *authorization, LyBytes host, uint32_t port);
bool ly_authorization_may_listen(const LyAuthorization *authorization, LyBytes host, uint32_t port);

/* Would a line with these options in front be honoured? They are one or more, comma-separated, all known and
 * well-formed, in one line. LY_ERROR_INVALID with the option's name. */
bool ly_authorized_keys_check_options(LyBytes options, LyError *error);
/* What of a line should be "type base64 comment", behind its options, whether these are understood or not.
 */
LyBytes ly_authorized_keys_line_key(LyBytes line);

#endif
