/* Agent forwarding, the client's half: programs on the server ask our agent. The server opens a channel
 * auth-agent@openssh.com for each of their connections; each gets a connection to the agent of its own, bound
 * to this session and as a forwarding one (session-bind@openssh.com) before the first request, so that an
 * agent knows the way by which it is asked. */
#ifndef LY_LOOP_AGENT_FORWARD_H
#define LY_LOOP_AGENT_FORWARD_H

#include "loop/client.h"

typedef struct LyAgentForward LyAgentForward;

enum { LY_AGENT_FORWARD_MAX = 64 }; /* channels at once; more are refused */

/* For the client's agent (ly_client_agent). Takes the client's auth-agent@openssh.com channels; those that
 * the server opens without having been asked for are refused. */
LyAgentForward *ly_agent_forward_new(LyClient *client);
/* At any time before ly_client_free (in `closed` too): closes its channels. NULL is fine. */
void ly_agent_forward_free(LyAgentForward *forward);
/* Asks the server for it, on an open session channel and before its command starts. A server that does not
 * want to goes on without. */
void ly_agent_forward_request(LyAgentForward *forward, LyChannel *channel);
#endif
