/* lanyard-agent-bridge: gives the clients of Windows (PuTTY, WinSCP, FileZilla, Windows' ssh) an agent that
 * runs elsewhere. Each client has a thread and a connection of its own to the agent, because what an agent
 * knows of a connection (where it was forwarded to) must not pass to another client. Win32 alone: no OpenSSL,
 * no GLib. */
#ifndef BRIDGE_H
#define BRIDGE_H

#include <winsock2.h>
#include <windows.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"

enum {
    CLIENTS_MAX = 256,        /* of all transports together */
    HANDSHAKES_MAX = 64,      /* of them, in a Cygwin handshake: anybody on this machine can begin one */
    HANDSHAKE_WAIT_MS = 5000, /* for a whole Cygwin handshake, either side of it */
    CONNECT_WAIT_MS = 10000,  /* until the agent's end is there */
    REPLY_WAIT_MS = 10 * 60 * 1000, /* for an answer to the window: a person may have to be asked */
};

/* --- stream.c: bytes in and out, whatever carries them --- */

/* One end of a connection. Its handles are overlapped, so that every wait can end. */
typedef struct Stream {
    SOCKET socket;        /* INVALID_SOCKET: the two handles count */
    HANDLE input, output; /* the same one twice for a named pipe; INVALID_HANDLE_VALUE when closed */
    HANDLE process, job;  /* the program behind it, or NULL */
} Stream;

#define STREAM_NONE                                                                                          \
    ((Stream){.socket = INVALID_SOCKET, .input = INVALID_HANDLE_VALUE, .output = INVALID_HANDLE_VALUE})

Stream stream_of_socket(SOCKET socket);
Stream stream_of_pipe(HANDLE pipe);
/* Tells the other side that nothing more comes, where the carrier can. */
void stream_shutdown(Stream *stream);
/* Closes; a program gets two seconds to end by itself. */
void stream_close(Stream *stream);
/* 1 to `room` bytes; 0: the other side has closed, or failed, or `deadline_ms` (GetTickCount64) passed. */
size_t stream_read(const Stream *stream, uint8_t *data, size_t room, uint64_t deadline_ms);
/* All of them or false. */
bool stream_write(const Stream *stream, LyBytes bytes, uint64_t deadline_ms);
/* Carries bytes both ways until the agent ends, or shortly after the client has. */
void stream_relay(const Stream *client, Stream *agent);

/* --- upstream.c: the agent --- */

/* Where the agent is: a file or a command line. */
typedef struct Upstream {
    const char *path;    /* of a Cygwin socket file or an AF_UNIX socket (told by what it holds), or NULL */
    const char *command; /* its standard input and output are the agent's connection */
} Upstream;

bool upstream_connect(const Upstream *upstream, Stream *stream, LyError *error);
/* One request and its reply (type and contents) over a connection of its own, which the caller closes in
 * either case: that can take a while. */
bool upstream_ask(const Upstream *upstream, LyBytes request, LyBuf *reply, Stream *stream, LyError *error);

/* --- cygwin-socket.c --- */

/* Connects to what a Cygwin socket file names, handshake included. */
bool cygwin_connect(LyBytes file_text, Stream *stream, LyError *error);

/* --- user.c: who may --- */

typedef struct User {
    PSID sid;                           /* of this process's user */
    PSID owner;                         /* its default owner: for administrators, their group */
    char *sid_text;                     /* S-1-5-... */
    SECURITY_ATTRIBUTES only_user_file; /* full access, for the user alone, nothing inherited */
    SECURITY_ATTRIBUTES only_user_pipe; /* read and write, for the user alone, not over the network */
} User;

bool user_get(User *user, LyError *error);
/* Whether a kernel object belongs to this user. An object without an owner does not. */
bool user_owns(const User *user, HANDLE object, LyError *error);
/* null-owner.c. False in the program that is shipped. Wine 8 gives objects that are made without a security
 * descriptor no owner, which Windows never does: tests link another answer. */
bool null_owner_is_ours(void);

/* --- shared.c and the transports --- */

typedef struct Bridge {
    Upstream upstream;
    User user;
    LyLog log;
    HANDLE stop;                       /* an event: the program is to end */
    volatile LONG clients, handshakes; /* at this moment */
} Bridge;

/* Counts one more of `counter` unless `most` are there. */
bool bridge_enter(volatile LONG *counter, LONG most);
void bridge_leave(volatile LONG *counter);
/* Starts a thread with a small stack; false: it was not started, and `argument` is still the caller's. */
bool bridge_thread(DWORD(WINAPI *run)(void *), void *argument);
/* Sets LY_ERROR_IO with Windows' own words for `code` (GetLastError). Returns false. */
bool windows_error(LyError *error, DWORD code, const char *format, ...) LY_PRINTF(3, 4);

/* window.c: owns the window "Pageant"; fails when another Pageant has it. */
bool window_start(Bridge *bridge, LyError *error);

/* pipe.c: serves \\.\pipe\NAME. */
bool pipe_start(Bridge *bridge, const char *path, LyError *error);
/* The name under which PuTTY looks for this user's Pageant. */
bool pipe_pageant_name(LyBuf *path, LyError *error);

/* cygwin-socket.c: listens on loopback and publishes `path`, which the caller deletes at the end. A file of a
 * listener that is gone is replaced. */
bool cygwin_start(Bridge *bridge, const char *path, LyError *error);

#endif
