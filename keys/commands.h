/* The subcommands; each in a file of its own. */
#ifndef KEYS_COMMANDS_H
#define KEYS_COMMANDS_H

#include "options.h"

extern const Command show_command;

#endif
