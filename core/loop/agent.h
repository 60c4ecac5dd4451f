/* The connection to an agent: core/agent's messages, sent and received, over whatever leads to the agent. */
#ifndef LY_LOOP_AGENT_H
#define LY_LOOP_AGENT_H

#include "agent/client.h"
#include "loop/net.h"

/* --- Where an agent is ---
 * `where` in all that follows:
 *   "SSH_AUTH_SOCK"            what that variable holds, which is one of the following
 *   a path                     of a Unix socket; of a Cygwin socket file ("!<socket >PORT s ...", what
 * Cygwin, MSYS2 and lanyard-agent write); of libassuan's file (PORT and 16 bytes, gpg4win) "pageant"
 * Pageant's window or pipe: Windows only
 *   "\\.\pipe\NAME"            a named pipe: Windows only
 * What lies at a path is looked at each time a connection is made, not before. */

/* The path that `where` means: `where` itself or the variable's value, a view. NULL with *error when there is
 * none that this system can reach: LY_ERROR_INVALID (the variable is not set, the path is empty),
 * LY_ERROR_UNSUPPORTED (Windows only). */
const char *ly_agent_where(const char *where, LyError *error);

/* The stream to an agent, with nothing of the agent protocol said yet; handshakes that lie before it are
 * done. NULL with *error: as ly_agent_where. `done` is called once, never from within this call: fd >= 0 is a
 * non-blocking socket and the callee's, or -1 and *error. Files are read in a job. After a handshake's file
 * named a port, connecting and handshake have 5 s. */
typedef struct LyAgentDial LyAgentDial;
LyAgentDial *ly_agent_dial(LyLoop *loop, const char *where, LyConnectDone done, void *user, LyError *error);
/* `done` is not called; NULL is fine; not from within `done`. */
void ly_agent_dial_cancel(LyAgentDial *dial);

/* --- Requests --- */

typedef struct LyAgentConnection LyAgentConnection;
/* The reply's bytes (type and contents), which live until it returns, and NULL; or the empty view and why. */
typedef void (*LyAgentDone)(void *user, LyBytes reply, const LyError *error);

/* Connects at the first request; one request is open at a time, later ones queue; each fails with
 * LY_ERROR_TIMEOUT after `timeout_us` (0: 60 s, because a person may have to confirm). NULL with *error: as
 * ly_agent_where. */
LyAgentConnection *ly_agent_connect(LyLoop *loop, const char *where, uint64_t timeout_us, LyError *error);

/* An agent of the application's own: keys of a vault, of a test, of another machine. */
typedef struct LyAgentTransport {
    /* Answers one request of the agent protocol (type and contents, 1 to LY_AGENT_MESSAGE_MAX bytes, live
     * until it returns) by calling done(done_user, reply, NULL), or done(done_user, (LyBytes){0}, &error):
     * exactly once, in the loop's thread, from within or any time later. Also when nobody waits any more (the
     * time is over, the connection was freed): the answer is dropped then. Requests of one connection come
     * one after the other; a connection's session-bind@openssh.com comes here too, and SSH_AGENT_FAILURE is
     * an answer to what is not known. */
    void (*request)(void *user, LyBytes request, LyAgentDone done, void *done_user);
    void *user; /* the application's; it lives as long as connections and open requests do */
} LyAgentTransport;
/* As ly_agent_connect, with `transport` (copied) in the agent's place. */
LyAgentConnection *ly_agent_connect_custom(LyLoop *loop, const LyAgentTransport *transport,
                                           uint64_t timeout_us);

/* Open requests are completed with LY_ERROR_CANCELLED, from within this call. NULL is fine; fine inside a
 * `done`. */
void ly_agent_connection_free(LyAgentConnection *connection);
/* Sends one request (without its length, as core/agent's put_ functions build it); `done` gets the reply or
 * an error. When the connection fails (closed, garbage, timeout), all waiting requests fail with it, because
 * what was said on it (session-bind) is lost; the next request connects again. `done` never runs from within
 * ly_agent_request, and may make requests or free the connection. */
void ly_agent_request(LyAgentConnection *connection, LyBytes request, LyAgentDone done, void *user);

#endif
