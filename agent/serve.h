/* The agent on the loop: streams of clients on one side, the engine's questions on the other. */
#ifndef AGENT_SERVE_H
#define AGENT_SERVE_H

#include "agent/agent.h"
#include "loop/loop.h"

typedef struct Serve Serve;

/* Takes the descriptor (a Unix socket, or a TCP connection whose Cygwin handshake is done): from now on its
 * bytes are a client's. `peer` is copied; `first`: bytes that were read already. At most 10,000 clients; the
 * rest are closed at once. */
void serve_client(Serve *serve, int fd, const LyAgentPeer *peer, LyBytes first);

#endif
