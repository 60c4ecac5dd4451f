/* Forwarding, the client's half: local listeners (-L), a SOCKS proxy (-D), remote listeners (-R). Each
 * connection is a channel of its own, joined to its socket with backpressure both ways; half-closes pass
 * through. */
#ifndef LY_LOOP_FORWARD_H
#define LY_LOOP_FORWARD_H

#include "loop/client.h"

typedef struct LyForward LyForward;

/* One end of a forward: a TCP address, or a Unix socket where `path` is given. */
typedef struct LyForwardEnd {
    const char
        *host; /* to listen on: as ly_listener_new ("" is every address); to connect to: a name or address */
    uint16_t port;    /* to listen on: 0 picks one */
    const char *path; /* NULL: TCP */
} LyForwardEnd;

typedef struct LyForwardOptions { /* copied */
    uint32_t max_connections;     /* at once; 0: 1024; more are closed (or refused) at once */
    /* SOCKS5: who may use the proxy (RFC 1929); NULL: nobody is asked. With it SOCKS4 and 4a are refused, for
     * they have no password. */
    const char *user_name, *password;
    /* A local Unix socket that is there already is replaced (StreamLocalBindUnlink). */
    bool unlink;
    mode_t unix_mode; /* of a local Unix socket; 0: 0600 */
    /* A connection could not be made, or the forward itself was refused by the server (`fatal`: it ended and
     * should be freed). NULL: it is logged. */
    void (*failed)(void *user, LyForward *forward, const LyError *error, bool fatal);
    /* -R: the server listens; `port`: which (0: a Unix socket). NULL: nobody to tell. */
    void (*listening)(void *user, LyForward *forward, uint16_t port);
    void *user;
} LyForwardOptions;

/* All three once the client is ready. `options` may be NULL.
 * -L: whoever connects here reaches `to` from the server. NULL with *error: there is no connection; the
 * address or path cannot be listened on; a path over 107 bytes; the server is not known to have streamlocal
 * (ly_client_speaks_openssh). */
LyForward *ly_forward_local(LyClient *client, const LyForwardEnd *listen, const LyForwardEnd *to,
                            const LyForwardOptions *options, LyError *error);
/* -D: SOCKS 4, 4a and 5 (CONNECT; names are resolved by the server). */
LyForward *ly_forward_dynamic(LyClient *client, const LyForwardEnd *listen, const LyForwardOptions *options,
                              LyError *error);
/* -R: the server listens; whoever connects there reaches `to` from here. With `to` NULL it is a SOCKS proxy
 * there (as ssh -R without a target). `listening` or `failed` comes later. */
LyForward *ly_forward_remote(LyClient *client, const LyForwardEnd *listen, const LyForwardEnd *to,
                             const LyForwardOptions *options, LyError *error);
/* Stops listening (-R: cancels it at the server) and closes its connections. NULL is fine; fine within its
 * own callbacks. At any time: a forward whose client has ended listens to nothing and has no connections. */
void ly_forward_free(LyForward *forward);
/* The port that is listened on; 0: a Unix socket, or -R of port 0 that the server has not answered yet. */
uint16_t ly_forward_port(const LyForward *forward);
uint32_t ly_forward_connections(const LyForward *forward); /* open now */

/* ssh(1)'s words: "[bind_address:]port:host:hostport", "[bind_address:]port:/path", "/path:host:hostport",
 * "/path:/path"; with `dynamic` "[bind_address:]port" and "/path", and with `remote` those too (*to is empty
 * then, and NULL is what ly_forward_remote takes). Addresses with colons stand in [], '\' takes the meaning
 * from what follows; without bind_address it is "localhost", "*" or an empty one is every address. The texts
 * of the ends are kept in *storage (ly_free). */
bool ly_forward_parse(const char *text, bool dynamic, bool remote, LyForwardEnd *listen, LyForwardEnd *to,
                      char **storage, LyError *error);

#endif
