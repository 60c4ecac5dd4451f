/* The connection to an ssh-agent over a Unix socket: core/agent's messages, sent and received. */
#ifndef LY_LOOP_AGENT_H
#define LY_LOOP_AGENT_H

#include "agent/client.h"
#include "loop/loop.h"

typedef struct LyAgentConnection LyAgentConnection;

/* `where`: a path, or "SSH_AUTH_SOCK" for that variable's path. Connects at the first request; one request is
 * open at a time, later ones queue; each fails with LY_ERROR_TIMEOUT after `timeout_us` (0: 60 s, because a
 * person may have to confirm). */
/* NULL with *error: SSH_AUTH_SOCK is not set, or the path is empty. */
LyAgentConnection *ly_agent_connect(LyLoop *loop, const char *where, uint64_t timeout_us, LyError *error);
/* Open requests are completed with LY_ERROR_CANCELLED, from within this call. NULL is fine; fine inside a
 * `done`. */
void ly_agent_connection_free(LyAgentConnection *connection);
/* Sends one request (without its length, as core/agent's put_ functions build it); `done` gets the reply's
 * bytes (type and contents), or an error and the empty view. When the connection fails (closed, garbage,
 * timeout), all waiting requests fail with it, because what was said on it (session-bind) is lost; the next
 * request connects again. `done` never runs from within ly_agent_request, and may make requests or free the
 * connection; the reply's bytes live until it returns. */
typedef void (*LyAgentDone)(void *user, LyBytes reply, const LyError *error);
void ly_agent_request(LyAgentConnection *connection, LyBytes request, LyAgentDone done, void *user);

#endif
