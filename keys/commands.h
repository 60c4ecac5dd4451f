/* The subcommands; each in a file of its own. */
#ifndef KEYS_COMMANDS_H
#define KEYS_COMMANDS_H

#include "options.h"

extern const Command comment_command;
extern const Command convert_command;
extern const Command fingerprint_command;
extern const Command generate_command;
extern const Command match_command;
extern const Command passphrase_command;
extern const Command public_command;
extern const Command show_command;

#endif
