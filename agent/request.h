/* Subcommands as clients: one request, one reply. */
#ifndef AGENT_REQUEST_H
#define AGENT_REQUEST_H

#include "agent/client.h"
#include "tool.h"

/* Extensions of our own, which only lanyard-agent itself may ask for. */
#define AGENT_DETAILS "details@lanyard"
#define AGENT_LOG "log@lanyard"

/* What AGENT_DETAILS says of a key, in front of which stand string key_blob and string comment. */
enum { AGENT_CONFIRM = 1, AGENT_ENCRYPTED = 2, AGENT_DESTINATION = 4, AGENT_PROVIDER_KEY = 8 };
#define AGENT_NEVER UINT64_MAX

typedef struct AgentClient {
    Tool *tool;
    struct LyAgentConnection *connection; /* the system's own: connection.c */
} AgentClient;

/* STATUS_IO with a message when SSH_AUTH_SOCK names none (on Windows, when the pipe of Windows' ssh has none). */
Status agent_client_open(Tool *tool, AgentClient *client);
void agent_client_close(AgentClient *client);
/* Sends a request (without its length) and waits. STATUS_IO with a message. */
Status agent_client_ask(AgentClient *client, const LyBuf *request, LyBuf *reply);
/* The same for what is answered by SUCCESS; *done false: by FAILURE. */
Status agent_client_do(AgentClient *client, const LyBuf *request, bool *done);
/* An extension without arguments; *contents, a view of the reply, is what follows its name in
 * EXTENSION_RESPONSE. False in *done: the agent has it not. */
Status agent_client_extension(AgentClient *client, const char *name, LyBytes arguments, LyBuf *reply,
                              LyBytes *contents, bool *done);

#endif
