/* The connection to an ssh-agent over a Unix socket: core/agent's messages, sent and received. */
#ifndef LY_LOOP_AGENT_H
#define LY_LOOP_AGENT_H

#include "agent/client.h"
#include "loop/loop.h"

typedef struct LyAgentConnection LyAgentConnection;

/* `where`: a path, or "SSH_AUTH_SOCK" for that variable's path. Connects at the first request; one request is open at a time,
 * later ones queue; each fails with LY_ERROR_TIMEOUT after `timeout_us` (0: 60 s, because a person may have to confirm). */
LyAgentConnection *ly_agent_connect(LyLoop *loop, const char *where, uint64_t timeout_us, LyError *error);
/* Open requests are completed with LY_ERROR_CANCELLED. */
void ly_agent_connection_free(LyAgentConnection *connection);
/* Sends one request (without its length, as core/agent's put_ functions build it); `done` gets the reply's bytes (type and
 * contents), or an error and the empty view. */
typedef void (*LyAgentDone)(void *user, LyBytes reply, const LyError *error);
void ly_agent_request(LyAgentConnection *connection, LyBytes request, LyAgentDone done, void *user);

#endif
