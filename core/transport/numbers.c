#include "transport/numbers.h"

#include <stddef.h>

const char *ly_ssh_message_name(unsigned number)
{
    switch (number) {
#define ROW(name, value)                                                                                     \
    case value:                                                                                              \
        return #name;
        LY_SSH_MESSAGES(ROW)
#undef ROW
    default:
        return "?";
    }
}

const char *ly_ssh_disconnect_name(unsigned reason)
{
    switch (reason) {
#define ROW(name, value)                                                                                     \
    case value:                                                                                              \
        return #name;
        LY_SSH_DISCONNECTS(ROW)
#undef ROW
    default:
        return "?";
    }
}
