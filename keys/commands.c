#include "commands.h"

/* By name, one a line. */
/* clang-format off */
const Command *const commands[] = {
    &authorize_command,
    &certify_command,
    &comment_command,
    &convert_command,
    &find_principals_command,
    &fingerprint_command,
    &generate_command,
    &install_command,
    &known_hosts_command,
    &krl_command,
    &match_command,
    &passphrase_command,
    &public_command,
    &show_command,
    &sign_command,
    &verify_command,
    NULL,
};
/* clang-format on */

const Program this_program = {
    .name = "lanyard-key",
    .usage = "Usage: lanyard-key COMMAND [OPTION]... [ARGUMENT]...\n"
             "       lanyard-key ssh-keygen [ARGUMENT]...\n"
             "       lanyard-key --help | --version\n"
             "\nMakes, reads, converts and signs with SSH keys in every format.\n"
             "\nCommands (lanyard-key COMMAND --help says more):\n",
    .face = "ssh-keygen",
    .face_summary = "Take the command line of ssh-keygen",
    .writes_keys = true,
};
