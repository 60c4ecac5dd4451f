#include "commands.h"

const Command *const commands[] = {
    &authorize_command,
    &certify_command,
    &find_principals_command,
    &install_command,
    &known_hosts_command,
    &krl_command,
    &show_command,
    &sign_command,
    &verify_command,
    NULL,
};
