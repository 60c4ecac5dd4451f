/* lanyard-agent relay: the command; relay.c carries the bytes. */
#include <unistd.h>

#include "commands.h"
#include "relay.h"

static Status run_relay(Tool *tool, void *values, int argc, char **argv)
{
    LyError error;
    LyLoop *loop = tool_loop(tool);
    if (!loop)
        return STATUS_IO;
    return relay_run(loop, "SSH_AUTH_SOCK", STDIN_FILENO, STDOUT_FILENO, &error)
               ? STATUS_OK
               : tool_error(tool, NULL, &error);
}

const Command relay_command = {
    .name = "relay",
    .arguments = "",
    .summary = "Join standard input and output to the agent",
    .run = run_relay,
};
