/* RFC 4254 section 8, RFC 8160: the modes of a terminal, as pty-req carries them. */
#ifndef LY_CONNECTION_TERMINAL_H
#define LY_CONNECTION_TERMINAL_H

#include "base/wire.h"

/* clang-format off */
#define LY_TERMINAL_MODES(X)                                                                              \
    X(VINTR, 1) X(VQUIT, 2) X(VERASE, 3) X(VKILL, 4) X(VEOF, 5) X(VEOL, 6) X(VEOL2, 7) X(VSTART, 8)       \
    X(VSTOP, 9) X(VSUSP, 10) X(VDSUSP, 11) X(VREPRINT, 12) X(VWERASE, 13) X(VLNEXT, 14) X(VFLUSH, 15)     \
    X(VSWTCH, 16) X(VSTATUS, 17) X(VDISCARD, 18)                                                          \
    X(IGNPAR, 30) X(PARMRK, 31) X(INPCK, 32) X(ISTRIP, 33) X(INLCR, 34) X(IGNCR, 35) X(ICRNL, 36)         \
    X(IUCLC, 37) X(IXON, 38) X(IXANY, 39) X(IXOFF, 40) X(IMAXBEL, 41) X(IUTF8, 42)                        \
    X(ISIG, 50) X(ICANON, 51) X(XCASE, 52) X(ECHO, 53) X(ECHOE, 54) X(ECHOK, 55) X(ECHONL, 56)            \
    X(NOFLSH, 57) X(TOSTOP, 58) X(IEXTEN, 59) X(ECHOCTL, 60) X(ECHOKE, 61) X(PENDIN, 62)                  \
    X(OPOST, 70) X(OLCUC, 71) X(ONLCR, 72) X(OCRNL, 73) X(ONOCR, 74) X(ONLRET, 75)                        \
    X(CS7, 90) X(CS8, 91) X(PARENB, 92) X(PARODD, 93) X(TTY_OP_ISPEED, 128) X(TTY_OP_OSPEED, 129)
/* clang-format on */
/* LY_TTY_VINTR and so on: after the prefix the RFC's name (termios.h has macros of the same names). */
#define LY_TERMINAL_MODE_ROW(name, opcode) LY_TTY_##name = opcode,
enum { LY_TTY_OP_END = 0, LY_TERMINAL_MODES(LY_TERMINAL_MODE_ROW) };
#undef LY_TERMINAL_MODE_ROW

/* Appends opcode and argument; TTY_OP_END is added by whoever sends the pty-req. */
void ly_put_terminal_mode(LyBuf *modes, uint8_t opcode, uint32_t argument);
/* The next mode; false at TTY_OP_END, at the end of the bytes, and at an opcode of 160 and up, whose
 * arguments have no known length. An argument that is cut off fails the reader. */
bool ly_get_terminal_mode(LyReader *modes, uint8_t *opcode, uint32_t *argument);
/* "VINTR"; NULL for opcodes without a name. */
const char *ly_terminal_mode_name(uint8_t opcode);

#endif
