/* lanyard-agent relay: two descriptors joined to an agent, for those who reach this system by a command only
 * ("wsl.exe lanyard-agent relay", "ssh host lanyard-agent relay"). */
#ifndef AGENT_RELAY_H
#define AGENT_RELAY_H

#include "loop/loop.h"

/* Carries bytes from `in` to the agent at `where` (as ly_agent_connect takes it; usually "SSH_AUTH_SOCK") and
 * back to `out`, until the agent closes; after the end of `in`, the agent still answers what it was asked.
 * Runs the loop; closes neither descriptor and leaves their flags alone. SIGPIPE is to be ignored. False with
 * *error: no agent, or it or `out` failed. */
bool relay_run(LyLoop *loop, const char *where, int in, int out, LyError *error);

#endif
