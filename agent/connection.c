/* The way of subcommands to the agent: on the loop. agent/windows/connection.c has it for Windows. */
#include "loop/agent.h"

#include "base/auto.h"
#include "request.h"

typedef struct Asking {
    LyLoop *loop;
    LyBuf *reply;
    LyError error;
    bool ended;
} Asking;

static void replied(void *user, LyBytes reply, const LyError *error)
{
    Asking *asking = user;
    if (error)
        asking->error = *error;
    else
        ly_buf_add(asking->reply, reply);
    asking->ended = true;
    ly_loop_quit(asking->loop);
}

Status agent_client_open(Tool *tool, AgentClient *client)
{
    LyError error;
    *client = (AgentClient){.tool = tool};
    LyLoop *loop = tool_loop(tool);
    if (!loop)
        return STATUS_IO;
    client->connection = ly_agent_connect(loop, "SSH_AUTH_SOCK", 0, &error);
    return client->connection ? STATUS_OK : tool_fail(tool, STATUS_IO, "%s", error.message);
}

void agent_client_close(AgentClient *client)
{
    ly_agent_connection_free(client->connection);
    client->connection = NULL;
}

Status agent_client_ask(AgentClient *client, const LyBuf *request, LyBuf *reply)
{
    Asking asking = {.loop = tool_loop(client->tool), .reply = reply};
    ly_buf_clear(reply);
    ly_agent_request(client->connection, ly_buf_bytes(request), replied, &asking);
    while (!asking.ended)
        ly_loop_run(asking.loop);
    return asking.error.code ? tool_error(client->tool, NULL, &asking.error) : STATUS_OK;
}
