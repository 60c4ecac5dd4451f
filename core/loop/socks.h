/* A SOCKS server's conversation, without its I/O: SOCKS 4 and 4a, and 5 (RFC 1928) without authentication or
 * with a user's name and password (RFC 1929). Of the commands only CONNECT. Fed in any pieces; what it holds
 * is bounded by the protocol: at most 522 bytes. */
#ifndef LY_LOOP_SOCKS_H
#define LY_LOOP_SOCKS_H

#include "base/buf.h"
#include "base/error.h"

typedef enum LySocksStep {
    LY_SOCKS_START,
    LY_SOCKS_4,        /* request, user's name, perhaps a host's */
    LY_SOCKS_METHODS,  /* 5 */
    LY_SOCKS_PASSWORD, /* RFC 1929 */
    LY_SOCKS_REQUEST,
    LY_SOCKS_CONNECT, /* `host` and `port` are known; ly_socks_reply is owed */
    LY_SOCKS_DONE,    /* replied */
    LY_SOCKS_FAILED,
} LySocksStep;

typedef struct LySocks {
    LySocksStep step;
    LyBytes user_name, password; /* of ly_socks_init */
    char host[256];              /* a name or an address; printable */
    uint16_t port;
    uint8_t version;
    uint8_t held[522]; /* of the message that is coming in */
    size_t held_len;
} LySocks;

/* `user_name` NULL: nobody is asked who he is. With it SOCKS 4 and 4a are refused, for they have no password.
 * Both texts live as long as the object. */
void ly_socks_init(LySocks *socks, const char *user_name, const char *password);
/* Takes bytes off *in up to the end of the request (what follows belongs to the connection) and appends
 * answers to `out`. The step that was reached; LY_SOCKS_FAILED with *error: `out` may hold a last answer, and
 * the connection is to be closed behind it. */
LySocksStep ly_socks_receive(LySocks *socks, LyBytes *in, LyBuf *out, LyError *error);
/* Appends the answer to CONNECT. `reason`: 0 or SSH_OPEN_* (RFC 4254 section 5.1). */
void ly_socks_reply(LySocks *socks, uint32_t reason, LyBuf *out);

#endif
