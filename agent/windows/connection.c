/* The way of subcommands to the agent. */
#include <stdlib.h>

#include "base/auto.h"
#include "request.h"
#include "upstream.h"

struct LyAgentConnection {
    User user;
    Stream stream;
};

Status agent_client_open(Tool *tool, AgentClient *client)
{
    LyError error;
    WSADATA winsock;
    const char *where = getenv("SSH_AUTH_SOCK");
    Upstream upstream = {.path = where && where[0] ? where : PIPES "openssh-ssh-agent"};
    *client = (AgentClient){.tool = tool, .connection = ly_new(struct LyAgentConnection)};
    client->connection->stream = STREAM_NONE;
    if (WSAStartup(MAKEWORD(2, 2), &winsock) == 0 && user_get(&client->connection->user, &error) &&
        upstream_connect(&upstream, &client->connection->user, &client->connection->stream, &error))
        return STATUS_OK;
    return tool_error(tool, NULL, &error);
}

void agent_client_close(AgentClient *client)
{
    if (!client->connection)
        return;
    stream_close(&client->connection->stream);
    ly_free(client->connection);
    client->connection = NULL;
}

Status agent_client_ask(AgentClient *client, const LyBuf *request, LyBuf *reply)
{
    LyError error;
    ly_buf_clear(reply);
    return upstream_exchange(&client->connection->stream, ly_buf_bytes(request), reply, &error)
               ? STATUS_OK
               : tool_error(client->tool, NULL, &error);
}
