/* The transports of Windows: Pageant's window and named pipe, the named pipe of Windows' ssh, Cygwin's
 * sockets. Each client has a thread of its own, which calls whoever answers: lanyard-agent-bridge an agent
 * elsewhere (upstream.h), lanyard-agent its engine (engine.h). Win32 alone. */
#ifndef WINDOWS_TRANSPORTS_H
#define WINDOWS_TRANSPORTS_H

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

/* One read or write under way, for whoever waits for more than that. */
typedef struct Transfer {
    OVERLAPPED overlapped; /* hEvent, a manual-reset event, is the caller's; it is set at the end */
    const Stream *stream;
    bool writes, pending;
} Transfer;

/* False: it failed at once. */
bool transfer_begin(Transfer *transfer, uint8_t *data, size_t len);
/* How many bytes went; 0: it failed, or the other side has closed. Its memory is free again afterwards. */
size_t transfer_end(Transfer *transfer, bool cancel);

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

typedef struct Transports Transports;

/* What Windows tells of a client. */
typedef struct Peer {
    const char *transport; /* "pipe", "pageant-pipe", "pageant-window", "cygwin" */
    int64_t pid;           /* 0: unknown */
    bool claimed;          /* the client says so itself */
} Peer;

struct Transports {
    /* Answers a client until it or the agent has ended, in the client's thread. The stream stays the
     * caller's. */
    void (*serve)(Transports *transports, const Stream *client, const Peer *peer);
    /* Answers one request (type and contents) of the window's, in a thread of its own. False: with nothing.
     * *behind is STREAM_NONE, or is made what the caller closes once the client has its reply, which can take
     * a while. */
    bool (*ask)(Transports *transports, LyBytes request, const Peer *peer, LyBuf *reply, Stream *behind,
                LyError *error);
    void *owner; /* theirs */
    LyLog log;
    User user;
    HANDLE stop;                       /* an event: the program is to end */
    volatile LONG clients, handshakes; /* at this moment */
};

typedef struct TransportsOptions {
    bool pageant;
    const char *const *openssh,
        *const *cygwin; /* names of pipes, with or without \\.\pipe\; paths of socket files */
    size_t openssh_count, cygwin_count;
} TransportsOptions;

/* Learns who the user is, makes `stop`, which Ctrl-C, the end of the session and the window's end set, and
 * starts what the options name. */
bool transports_start(Transports *transports, const TransportsOptions *options, LyError *error);
/* Deletes the socket files. */
void transports_end(const TransportsOptions *options);

/* Counts one more of `counter` unless `most` are there. */
bool transports_enter(volatile LONG *counter, LONG most);
void transports_leave(volatile LONG *counter);
/* Starts a thread with a small stack; false: it was not started, and `argument` is still the caller's. */
bool transports_thread(DWORD(WINAPI *run)(void *), void *argument);
/* Sets LY_ERROR_IO with Windows' own words for `code` (GetLastError). Returns false. */
bool windows_error(LyError *error, DWORD code, const char *format, ...) LY_PRINTF(3, 4);

/* window.c: owns the window "Pageant"; fails when another Pageant has it. */
bool window_start(Transports *transports, LyError *error);

#define PIPES "\\\\.\\pipe\\"

/* pipe.c: serves the pipe PATH as the transport of that name. */
bool pipe_start(Transports *transports, const char *path, const char *transport, LyError *error);
/* The name under which PuTTY looks for this user's Pageant. */
bool pipe_pageant_name(LyBuf *path, LyError *error);

/* cygwin-socket.c: listens on loopback and publishes `path`, which the caller deletes at the end. A file of a
 * listener that is gone is replaced. */
bool cygwin_start(Transports *transports, const char *path, LyError *error);
/* As a client: connects to what a Cygwin socket file names, handshake included. */
bool cygwin_connect(LyBytes file_text, Stream *stream, LyError *error);

#endif
