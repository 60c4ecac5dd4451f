#include "agent/numbers.h"

#include <stddef.h>

static const struct {
    unsigned number;
    const char *name;
} names[] = {
#define NAME_ROW(name, number) {number, #name},
    LY_AGENT_MESSAGES(NAME_ROW)
#undef NAME_ROW
};

const char *ly_agent_message_name(unsigned type)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].number == type)
            return names[i].name;
    return "unknown agent message";
}
