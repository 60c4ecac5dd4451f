/* Pseudo-terminals: a pty-req's terminal, its modes (RFC 4254 section 8) and its size. */
#include "loop/server-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { MODE_CHARACTER, MODE_INPUT, MODE_LOCAL, MODE_OUTPUT, MODE_CONTROL };

/* Opcodes by RFC 4254 section 8 (42: RFC 8160). */
static const struct {
    uint8_t opcode, kind;
    tcflag_t value; /* index in c_cc, or the flag */
} modes[] = {
    {1, MODE_CHARACTER, VINTR},   {2, MODE_CHARACTER, VQUIT},     {3, MODE_CHARACTER, VERASE},
    {4, MODE_CHARACTER, VKILL},   {5, MODE_CHARACTER, VEOF},      {6, MODE_CHARACTER, VEOL},
    {7, MODE_CHARACTER, VEOL2},   {8, MODE_CHARACTER, VSTART},    {9, MODE_CHARACTER, VSTOP},
    {10, MODE_CHARACTER, VSUSP},  {12, MODE_CHARACTER, VREPRINT}, {13, MODE_CHARACTER, VWERASE},
    {14, MODE_CHARACTER, VLNEXT}, {18, MODE_CHARACTER, VDISCARD}, {30, MODE_INPUT, IGNPAR},
    {31, MODE_INPUT, PARMRK},     {32, MODE_INPUT, INPCK},        {33, MODE_INPUT, ISTRIP},
    {34, MODE_INPUT, INLCR},      {35, MODE_INPUT, IGNCR},        {36, MODE_INPUT, ICRNL},
    {38, MODE_INPUT, IXON},       {39, MODE_INPUT, IXANY},        {40, MODE_INPUT, IXOFF},
    {41, MODE_INPUT, IMAXBEL},    {42, MODE_INPUT, IUTF8},        {50, MODE_LOCAL, ISIG},
    {51, MODE_LOCAL, ICANON},     {53, MODE_LOCAL, ECHO},         {54, MODE_LOCAL, ECHOE},
    {55, MODE_LOCAL, ECHOK},      {56, MODE_LOCAL, ECHONL},       {57, MODE_LOCAL, NOFLSH},
    {58, MODE_LOCAL, TOSTOP},     {59, MODE_LOCAL, IEXTEN},       {60, MODE_LOCAL, ECHOCTL},
    {61, MODE_LOCAL, ECHOKE},     {70, MODE_OUTPUT, OPOST},       {72, MODE_OUTPUT, ONLCR},
    {73, MODE_OUTPUT, OCRNL},     {74, MODE_OUTPUT, ONOCR},       {75, MODE_OUTPUT, ONLRET},
    {90, MODE_CONTROL, CS7},      {91, MODE_CONTROL, CS8},        {92, MODE_CONTROL, PARENB},
    {93, MODE_CONTROL, PARODD},
};

static void apply_mode(struct termios *termios, uint8_t opcode, uint32_t argument)
{
    for (size_t i = 0; i < LY_COUNT(modes); i++) {
        if (modes[i].opcode != opcode)
            continue;
        if (modes[i].kind == MODE_CHARACTER) {
            termios->c_cc[modes[i].value] = argument > 254 ? _POSIX_VDISABLE : (cc_t)argument; /* 255: none */
            return;
        }
        tcflag_t *flags = modes[i].kind == MODE_INPUT    ? &termios->c_iflag
                          : modes[i].kind == MODE_LOCAL  ? &termios->c_lflag
                          : modes[i].kind == MODE_OUTPUT ? &termios->c_oflag
                                                         : &termios->c_cflag;
        *flags = argument ? *flags | modes[i].value : *flags & ~modes[i].value;
        return;
    }
}

static void apply_modes(int fd, LyBytes encoded)
{
    struct termios termios;
    if (tcgetattr(fd, &termios) != 0)
        return;
    LyReader reader = ly_reader(encoded);
    while (reader.len) {
        uint8_t opcode = ly_get_u8(&reader);
        if (opcode == 0 || opcode >= 160) /* the end; unknown lengths follow from 160 on */
            break;
        uint32_t argument = ly_get_u32(&reader);
        if (reader.failed)
            break;
        apply_mode(&termios, opcode, argument);
    }
    tcsetattr(fd, TCSANOW, &termios);
}

void ly_server_terminal_resize(LyServerTerminal *terminal)
{
    struct winsize size = {
        .ws_col = (unsigned short)LY_MIN(terminal->columns, 65535u),
        .ws_row = (unsigned short)LY_MIN(terminal->rows, 65535u),
        .ws_xpixel = (unsigned short)LY_MIN(terminal->width, 65535u),
        .ws_ypixel = (unsigned short)LY_MIN(terminal->height, 65535u),
    };
    ioctl(terminal->fd, TIOCSWINSZ, &size);
}

bool ly_server_terminal_open(LyServerTerminal *terminal, LyError *error)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || grantpt(fd) != 0 || unlockpt(fd) != 0 ||
        ptsname_r(fd, terminal->path, sizeof terminal->path) != 0) {
        int system = errno;
        if (fd >= 0)
            close(fd);
        return ly_error_set_errno(error, system, "cannot open a terminal");
    }
    terminal->fd = fd;
    apply_modes(fd, ly_buf_bytes(&terminal->modes));
    ly_server_terminal_resize(terminal);
    return true;
}

void ly_server_terminal_close(LyServerTerminal *terminal)
{
    if (terminal->fd >= 0)
        close(terminal->fd);
    terminal->fd = -1;
}
