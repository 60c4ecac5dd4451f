#include "commands.h"

const Command *const commands[] = {
    &show_command,
    NULL,
};
