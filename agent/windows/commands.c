#include "commands.h"

/* By name, one a line. */
/* clang-format off */
const Command *const commands[] = {
    &add_command,
    &list_command,
    &lock_command,
    &log_command,
    &remove_command,
    &unlock_command,
    NULL,
};
/* clang-format on */

const Program this_program = {
    .name = "lanyard-agent",
    .usage = "Usage: lanyard-agent [OPTION]...\n"
             "       lanyard-agent COMMAND [OPTION]... [ARGUMENT]...\n"
             "       lanyard-agent --help | --version\n"
             "\nServes keys to the ssh clients of Windows until it is ended (Ctrl-C); or speaks with\n"
             "the agent that SSH_AUTH_SOCK names: a pipe, a Cygwin socket file, or \"pageant\";\n"
             "where it is not set, the agent at \\\\.\\pipe\\openssh-ssh-agent.\n"
             "\nCommands (lanyard-agent COMMAND --help says more):\n",
};
