/* The agent's Unix sockets: made, inherited, accepted from, removed. */
#ifndef AGENT_UNIX_H
#define AGENT_UNIX_H

#include "base/error.h"
#include "serve.h"

typedef struct UnixSocket {
    int fd;
    char *path;      /* as given or made up: what SSH_AUTH_SOCK shall be; NULL: it has none */
    char *remove;    /* the absolute path to remove at the end; NULL: it is not ours to remove */
    char *directory; /* made for the socket, and removed with it; NULL: none */
    uint64_t device, inode;
} UnixSocket;

/* The same path from "/", because the agent leaves for there; what it names need not be. NULL: its directory
 * is not there (errno). ly_free. */
char *unix_absolute(const char *path);

/* Listens at `path`, for the owner alone. A socket where nobody listens any more is replaced; one where
 * somebody does, and anything else that stands there, is an error. */
bool unix_listen(const char *path, UnixSocket *listening, LyError *error);
/* Listens at a path of its own: $XDG_RUNTIME_DIR/lanyard/agent.XXXXXX in a directory of mode 0700, or, where
 * there is no such place and with `temporary`, $TMPDIR/lanyard-XXXXXX/agent.PID. */
bool unix_listen_anywhere(bool temporary, UnixSocket *listening, LyError *error);
/* The sockets that systemd passed to this process (LISTEN_PID, LISTEN_FDS), at most `most`; 0: none. The
 * variables are removed from the environment. */
size_t unix_inherited(UnixSocket *sockets, size_t most);
/* Closes; removes the path if the socket there is still ours. */
void unix_socket_close(UnixSocket *listening);

typedef struct UnixListener UnixListener;
/* Hands those who connect to `serve`: of the same user, or root. The socket stays the caller's. */
UnixListener *unix_listener_new(LyLoop *loop, Serve *serve, const UnixSocket *listening, const LyLog *log);
void unix_listener_free(UnixListener *listener);

#endif
