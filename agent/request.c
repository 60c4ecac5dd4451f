#include "request.h"

#include "base/auto.h"

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
