/* The subcommands; each in a file of its own. */
#ifndef KEYS_COMMANDS_H
#define KEYS_COMMANDS_H

#include "options.h"

extern const Command authorize_command;
extern const Command certify_command;
extern const Command comment_command;
extern const Command convert_command;
extern const Command find_principals_command;
extern const Command fingerprint_command;
extern const Command generate_command;
extern const Command install_command;
extern const Command known_hosts_command;
extern const Command krl_command;
extern const Command match_command;
extern const Command passphrase_command;
extern const Command public_command;
extern const Command show_command;
extern const Command sign_command;
extern const Command verify_command;

#endif
