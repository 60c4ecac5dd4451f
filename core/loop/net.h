/* Connecting, listening and children. */
#ifndef LY_LOOP_NET_H
#define LY_LOOP_NET_H

#include "loop/loop.h"

/* Connecting by name: getaddrinfo in a job, then each address in turn (a second one is tried beside the first
 * after 250 ms), non-blocking, CLOEXEC, TCP_NODELAY and SO_KEEPALIVE set. */
typedef struct LyConnect LyConnect;
typedef struct LyConnectOptions {
    const char *host; /* name or address */
    uint16_t port;
    int family;               /* AF_UNSPEC, AF_INET, AF_INET6 */
    const char *bind_address; /* NULL: any */
    uint16_t bind_port;       /* 0: any */
    uint64_t timeout_us;      /* for all of it; 0: the system's */
    int ipqos;                /* IP_TOS/IPV6_TCLASS value, -1: leave */
} LyConnectOptions;
/* Success: fd >= 0 is the callee's, error is NULL. Failure: fd -1 and *error: "cannot resolve HOST: ...",
 * "cannot connect to HOST port N: Connection refused", "... timed out after 10 s". The object is freed after
 * `done` ran. */
typedef void (*LyConnectDone)(void *user, int fd, const LyError *error);
LyConnect *ly_connect_new(LyLoop *loop, const LyConnectOptions *options, LyConnectDone done, void *user);
/* A Unix socket. */
LyConnect *ly_connect_unix(LyLoop *loop, const char *path, LyConnectDone done, void *user);
void ly_connect_cancel(
    LyConnect *connect); /* done is not called; NULL is fine; without effect from within done */

/* Listening on addresses ("127.0.0.1", "::1", "localhost", "*" or "" for all; no other names); port 0 picks
 * one for all. What is accepted is non-blocking, CLOEXEC, with TCP_NODELAY and SO_KEEPALIVE, and the
 * callee's. The callback may free the listener. */
typedef struct LyListener LyListener;
typedef void (*LyListenerFunc)(void *user, int fd, const struct sockaddr *peer, socklen_t peer_len);
LyListener *ly_listener_new(LyLoop *loop, const char *address, uint16_t port, LyListenerFunc func, void *user,
                            LyError *error);
/* On a Unix socket, whose file has this mode before anybody can connect and is removed with the listener.
 * `replace`: a socket that is there already goes (whether somebody listens on it or not). A path of over 107
 * bytes cannot be listened on. */
LyListener *ly_listener_new_unix(LyLoop *loop, const char *path, mode_t mode, bool replace,
                                 LyListenerFunc func, void *user, LyError *error);
/* 0 for a Unix socket. */
uint16_t ly_listener_port(const LyListener *listener);
/* "127.0.0.1:2222" or "[::1]:2222"; of "localhost" and "*" the IPv4 one; a Unix socket's path. */
const char *ly_listener_name(const LyListener *listener);
void ly_listener_free(LyListener *listener);
/* "192.0.2.1" without port, into text of at least 46 bytes; also *port. */
void ly_sockaddr_text(const struct sockaddr *address, char text[46], uint16_t *port);

/* Children, by posix_spawn, all other descriptors closed; ends seen by pidfd. */
typedef struct LyChild LyChild;
typedef struct LyChildOptions {
    const char *const *argv; /* argv[0] is searched in PATH */
    const char *const *envp; /* NULL: ours */
    const char *directory;   /* NULL: ours */
    int fds[3];       /* stdin, stdout, stderr for the child: a descriptor (kept open here), LY_CHILD_PIPE,
                         LY_CHILD_NULL, LY_CHILD_INHERIT */
    bool new_session; /* setsid, and HUP, INT, QUIT and TERM not ignored, whatever is here */
    const char *terminal; /* the path of a terminal that becomes 0, 1 and 2 in place of `fds`, and with
                             new_session the controlling terminal; NULL: none */
} LyChildOptions;
enum {
    LY_CHILD_INHERIT = -1,
    LY_CHILD_NULL = -2,
    LY_CHILD_PIPE = -3,
    LY_CHILD_SOCKET = -4 /* fds[0] and [1]: one socketpair */
};
/* `ended` is called once with wait status when the child ended (before it, its pipes may still hold data). */
LyChild *ly_child_new(LyLoop *loop, const LyChildOptions *options, void (*ended)(void *user, int wait_status),
                      void *user, LyError *error);
/* Our non-blocking end of a PIPE or SOCKET (0 and 1 give the same one); -1: none. Asking makes it the
 * caller's to close; what was never asked for is closed with the child. */
int ly_child_fd(LyChild *child, int which);
pid_t ly_child_pid(const LyChild *child);
void ly_child_kill(LyChild *child, int signal);
/* Forgets the child: `ended` will not be called; it is reaped when it ends. */
void ly_child_free(LyChild *child); /* NULL is fine; fine inside `ended` */

#endif
