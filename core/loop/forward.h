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
    /* -R with port 0 and Unix sockets: an existing socket file at a local `path` is replaced
     * (StreamLocalBindUnlink). */
    bool unlink;
    mode_t unix_mode; /* of a local Unix socket; 0: 0600 */
    /* A connection could not be made, or the forward itself was refused by the server (`fatal`: it ended and
     * should be freed). NULL: only logged. */
    void (*failed)(void *user, LyForward *forward, const LyError *error, bool fatal);
    /* -R: the server listens; `port`: which (0: a Unix socket). NULL: nobody to tell. */
    void (*listening)(void *user, LyForward *forward, uint16_t port);
    void *user;
} LyForwardOptions;

/* -L: whoever connects here reaches `to` from the server. `options` may be NULL. NULL with *error: the
 * address or path cannot be listened on; a path over 107 bytes; the server is not known to have streamlocal.
 */
LyForward *ly_forward_local(LyClient *client, const LyForwardEnd *listen, const LyForwardEnd *to,
                            const LyForwardOptions *options, LyError *error);
/* -D: SOCKS 4, 4a and 5 (CONNECT; names are resolved by the server). */
LyForward *ly_forward_dynamic(LyClient *client, const LyForwardEnd *listen, const LyForwardOptions *options,
                              LyError *error);
/* -R: the server listens; whoever connects there reaches `to` from here. With `to` NULL it is a SOCKS proxy
 * there (as ssh -R without a target). `listening` or `failed` comes later. */
LyForward *ly_forward_remote(LyClient *client, const LyForwardEnd *listen, const LyForwardEnd *to,
                             const LyForwardOptions *options, LyError *error);
/* Stops listening (-R: cancels it at the server) and closes its connections. NULL is fine. Before
 * ly_client_free, or in `closed`. */
void ly_forward_free(LyForward *forward);
/* Local listeners: the port (0: a Unix socket). */
uint16_t ly_forward_port(const LyForward *forward);
uint32_t ly_forward_connections(const LyForward *forward); /* open now */

/* ssh(1)'s words: "[bind_address:]port:host:hostport", "port:/path", "/path:host:port", "/path:/path"
 * (`dynamic`:
 * "[bind_address:]port"; `remote`: those too). Addresses with colons stand in []; without bind_address it is
 * "localhost". The texts of the ends are kept in *storage (ly_free). */
bool ly_forward_parse(const char *text, bool dynamic, bool remote, LyForwardEnd *listen, LyForwardEnd *to,
                      char **storage, LyError *error);

#endif
