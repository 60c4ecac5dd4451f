#include "connection/terminal.h"

enum { UNKNOWN_LENGTHS = 160 }; /* from this opcode on arguments are not a uint32 (RFC 4254 section 8) */

void ly_put_terminal_mode(LyBuf *modes, uint8_t opcode, uint32_t argument)
{
    ly_put_u8(modes, opcode);
    ly_put_u32(modes, argument);
}

bool ly_get_terminal_mode(LyReader *modes, uint8_t *opcode, uint32_t *argument)
{
    if (modes->failed || !modes->len)
        return false;
    uint8_t next = ly_get_u8(modes);
    if (next == LY_TTY_OP_END || next >= UNKNOWN_LENGTHS)
        return false;
    uint32_t value = ly_get_u32(modes);
    if (modes->failed)
        return false;
    *opcode = next;
    *argument = value;
    return true;
}

#define ROW(name, opcode) {opcode, #name},
static const struct {
    uint8_t opcode;
    const char *name;
} names[] = {LY_TERMINAL_MODES(ROW)};

const char *ly_terminal_mode_name(uint8_t opcode)
{
    for (size_t i = 0; i < LY_COUNT(names); i++)
        if (names[i].opcode == opcode)
            return names[i].name;
    return NULL;
}
