/* An agent elsewhere, as a client reaches it. */
#ifndef WINDOWS_UPSTREAM_H
#define WINDOWS_UPSTREAM_H

#include "transports.h"

/* Where the agent is: one of the two. */
typedef struct Upstream {
    const char *
        path; /* "pageant"; a named pipe; a Cygwin socket file or an AF_UNIX socket (told by what it holds) */
    const char *command; /* its standard input and output are the agent's connection */
} Upstream;

/* `user`: a pipe of somebody else's (but the system's) is an impostor's. */
bool upstream_connect(const Upstream *upstream, const User *user, Stream *stream, LyError *error);
/* One request and its reply (type and contents). */
bool upstream_exchange(const Stream *stream, LyBytes request, LyBuf *reply, LyError *error);

#endif
