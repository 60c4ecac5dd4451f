/* lanyard-agent lock and unlock. */
#include <string.h>

#include "base/auto.h"
#include "base/secret.h"
#include "commands.h"
#include "request.h"

/* Asked twice where it is asked: whoever mistypes could not unlock. */
static Status choose(Tool *tool, char **password)
{
    Status status = tool_old_passphrase(tool, "Enter lock password: ", password);
    if (status || tool_has_passphrase(tool))
        return status;
    char *again = tool_ask(tool, "Again: ", false);
    if (!again || strcmp(again, *password) != 0)
        status = tool_fail(tool, STATUS_NO, "the passwords are not the same: nothing was locked");
    ly_secret_free(again);
    return status;
}

static Status run(Tool *tool, bool lock)
{
    AgentClient client;
    LY_AUTO(ly_buf_free) LyBuf request = {0};
    char *password = NULL;
    bool done = false;
    Status status = agent_client_open(tool, &client);
    if (!status)
        status =
            lock ? choose(tool, &password) : tool_old_passphrase(tool, "Enter lock password: ", &password);
    if (!status) {
        ly_put_u8(&request, lock ? SSH_AGENTC_LOCK : SSH_AGENTC_UNLOCK);
        ly_put_cstring(&request, password);
        status = agent_client_do(&client, &request, &done);
    }
    if (!status && !done)
        status = tool_fail(tool, STATUS_NO,
                           lock ? "the agent cannot be locked: it is already"
                                : "the agent was not unlocked: it is not locked, or the "
                                  "password is another");
    ly_secret_free(password);
    agent_client_close(&client);
    return status;
}

static Status run_lock(Tool *tool, void *values, int argc, char **argv)
{
    return run(tool, true);
}

static Status run_unlock(Tool *tool, void *values, int argc, char **argv)
{
    return run(tool, false);
}

const Command lock_command = {
    .name = "lock",
    .arguments = "",
    .summary = "Lock the agent with a password: it lists and signs nothing",
    .run = run_lock,
};

const Command unlock_command = {
    .name = "unlock",
    .arguments = "",
    .summary = "Unlock the agent with that password",
    .run = run_unlock,
};
