#include "commands.h"

/* By name. */
const Command *const commands[] = {
    &comment_command,  &convert_command, &fingerprint_command,
    &generate_command, &match_command,   &passphrase_command,
    &public_command,   &show_command,    NULL,
};
