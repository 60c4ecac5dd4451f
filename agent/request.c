#include "request.h"

#include "base/auto.h"

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

Status agent_client_do(AgentClient *client, const LyBuf *request, bool *done)
{
    LY_AUTO(ly_buf_free) LyBuf reply = {0};
    LyError error = {0};
    Status status = agent_client_ask(client, request, &reply);
    if (status)
        return status;
    *done = ly_get_agent_success(ly_buf_bytes(&reply), &error);
    return *done || error.code == LY_ERROR_AUTH ? STATUS_OK : tool_error(client->tool, NULL, &error);
}

Status agent_client_extension(AgentClient *client, const char *name, LyBytes arguments, LyBuf *reply,
                              LyBytes *contents, bool *done)
{
    LY_AUTO(ly_buf_free) LyBuf request = {0};
    ly_put_u8(&request, SSH_AGENTC_EXTENSION);
    ly_put_cstring(&request, name);
    ly_buf_add(&request, arguments);
    Status status = agent_client_ask(client, &request, reply);
    if (status)
        return status;
    LyReader reader = ly_reader(ly_buf_bytes(reply));
    bool answered = ly_get_u8(&reader) == SSH_AGENT_EXTENSION_RESPONSE;
    LyBytes echoed = ly_get_string(&reader);
    *done = answered && !reader.failed && ly_bytes_is(echoed, name);
    *contents = ly_get_rest(&reader);
    return STATUS_OK;
}
