/* Connections through the server, for programs that speak over a socket of their own: an HTTP client, a
 * database. A pool keeps those that were given back, by target, for the next who asks. */
#ifndef LY_LOOP_TUNNEL_H
#define LY_LOOP_TUNNEL_H

#include "loop/forward.h"

typedef struct LyTunnel LyTunnel;

typedef struct LyTunnelOptions { /* copied */
    uint32_t max_sockets;        /* open to one target at once, in use or idle; more wait; 0: 8 */
    uint32_t max_total;          /* over all targets; the idle one that was used longest ago goes; 0: 64 */
    bool keep_alive;             /* what is given back whole is kept for the next */
    uint64_t idle_us;            /* how long it is kept at most; 0: 30 s */
} LyTunnelOptions;

LyTunnel *ly_tunnel_new(LyClient *client, const LyTunnelOptions *options);
/* Requests that wait fail with LY_ERROR_CANCELLED, from within this call; sockets that were given out are
 * closed at our end, and their descriptors are the callers' to close from then on. NULL is fine; fine within
 * `done`. At any time: a tunnel whose client has ended has no connections, and requests fail. */
void ly_tunnel_free(LyTunnel *tunnel);

/* A stream socket whose other end is `host`:`port` as seen from the server. `done` once, never from within
 * this call: fd >= 0 (non-blocking, CLOEXEC), lent until ly_tunnel_release; or -1 with *error, the server's
 * sentence in it. `id` names the request. */
typedef uint32_t LyTunnelId;
typedef void (*LyTunnelDone)(void *user, LyTunnelId id, int fd, bool reused, const LyError *error);
LyTunnelId ly_tunnel_open(LyTunnel *tunnel, const char *host, uint16_t port, LyTunnelDone done, void *user);
/* Gives the socket back; `whole`: its last response was read to the end and it may serve another request.
 * Closes it otherwise. A request that waits is cancelled (its `done` is not called). The fd is not the
 * caller's any more. */
void ly_tunnel_release(LyTunnel *tunnel, LyTunnelId id, bool whole);

/* For HTTP clients that connect by themselves (libcurl's CURLOPT_UNIX_SOCKET_PATH, an http_proxy of a Unix
 * socket): a private Unix socket, in a directory of mode 0700 that is removed with the tunnel, each of whose
 * connections is one to host:port. The client keeps its connections alive. Those over max_sockets wait until
 * others were closed; one whose last bytes came from the target and that was silent for idle_us is closed (a
 * request that waits for its answer is not). NULL with *error; the path lives as long as the tunnel. */
const char *ly_tunnel_listen(LyTunnel *tunnel, const char *host, uint16_t port, LyError *error);

typedef struct LyTunnelCounts {
    uint32_t open, idle, waiting; /* now */
    uint64_t opened, reused;      /* since the beginning */
} LyTunnelCounts;
void ly_tunnel_counts(const LyTunnel *tunnel, LyTunnelCounts *counts);

#endif
