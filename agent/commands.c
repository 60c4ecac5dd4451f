#include "commands.h"
#include "settings.h"

/* By name, one a line. */
/* clang-format off */
const Command *const commands[] = {
    &add_command,
    &list_command,
    &lock_command,
    &log_command,
    &relay_command,
    &remove_command,
    &unlock_command,
    NULL,
};
/* clang-format on */

const Program this_program = {
    .name = "lanyard-agent",
    .usage = "Usage: lanyard-agent [OPTION]... [[--] PROGRAM [ARGUMENT]...]\n"
             "       lanyard-agent COMMAND [OPTION]... [ARGUMENT]...\n"
             "       lanyard-agent --help | --version\n"
             "\nStarts an ssh-agent and prints what a shell evaluates, or runs PROGRAM with it;\n"
             "or speaks with the agent that SSH_AUTH_SOCK names.\n"
             "\nCommands (lanyard-agent COMMAND --help says more):\n",
    .options = settings_options,
};
