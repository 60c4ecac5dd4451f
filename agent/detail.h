/* What the agent tells its own subcommands beyond the protocol: details@lanyard and log@lanyard. */
#ifndef AGENT_DETAIL_H
#define AGENT_DETAIL_H

#include "agent/agent.h"
#include "journal.h"

/* For LyAgentOptions. */
extern const char *const detail_extensions[];

/* Answers an LY_AGENT_EXTENSION. Only lanyard-agent itself gets an answer, and none through forwarding: to a
 * far host, who used which key when is nobody's business. */
void detail_answer(LyAgent *agent, const Journal *journal, const LyAgentEvent *event, uint64_t now_us);

#endif
