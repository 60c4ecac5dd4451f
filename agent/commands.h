/* The subcommands of lanyard-agent; each in a file of its own. */
#ifndef AGENT_COMMANDS_H
#define AGENT_COMMANDS_H

#include "options.h"

extern const Command add_command;
extern const Command list_command;
extern const Command lock_command;
extern const Command log_command;
extern const Command relay_command;
extern const Command remove_command;
extern const Command unlock_command;

#endif
