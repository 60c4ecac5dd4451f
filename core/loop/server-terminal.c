/* Pseudo-terminals: a pty-req's terminal, its modes (RFC 4254 section 8) and its size. */
#include "loop/server-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { MODE_CHARACTER, MODE_INPUT, MODE_LOCAL, MODE_OUTPUT, MODE_CONTROL };

/* Those that this system has. */
static const struct {
    uint8_t opcode, kind;
    tcflag_t value; /* index in c_cc, or the flag */
} modes[] = {
    {LY_TTY_VINTR, MODE_CHARACTER, VINTR},
    {LY_TTY_VQUIT, MODE_CHARACTER, VQUIT},
    {LY_TTY_VERASE, MODE_CHARACTER, VERASE},
    {LY_TTY_VKILL, MODE_CHARACTER, VKILL},
    {LY_TTY_VEOF, MODE_CHARACTER, VEOF},
    {LY_TTY_VEOL, MODE_CHARACTER, VEOL},
    {LY_TTY_VEOL2, MODE_CHARACTER, VEOL2},
    {LY_TTY_VSTART, MODE_CHARACTER, VSTART},
    {LY_TTY_VSTOP, MODE_CHARACTER, VSTOP},
    {LY_TTY_VSUSP, MODE_CHARACTER, VSUSP},
    {LY_TTY_VREPRINT, MODE_CHARACTER, VREPRINT},
    {LY_TTY_VWERASE, MODE_CHARACTER, VWERASE},
    {LY_TTY_VLNEXT, MODE_CHARACTER, VLNEXT},
    {LY_TTY_VDISCARD, MODE_CHARACTER, VDISCARD},
    {LY_TTY_IGNPAR, MODE_INPUT, IGNPAR},
    {LY_TTY_PARMRK, MODE_INPUT, PARMRK},
    {LY_TTY_INPCK, MODE_INPUT, INPCK},
    {LY_TTY_ISTRIP, MODE_INPUT, ISTRIP},
    {LY_TTY_INLCR, MODE_INPUT, INLCR},
    {LY_TTY_IGNCR, MODE_INPUT, IGNCR},
    {LY_TTY_ICRNL, MODE_INPUT, ICRNL},
    {LY_TTY_IXON, MODE_INPUT, IXON},
    {LY_TTY_IXANY, MODE_INPUT, IXANY},
    {LY_TTY_IXOFF, MODE_INPUT, IXOFF},
    {LY_TTY_IMAXBEL, MODE_INPUT, IMAXBEL},
    {LY_TTY_IUTF8, MODE_INPUT, IUTF8},
    {LY_TTY_ISIG, MODE_LOCAL, ISIG},
    {LY_TTY_ICANON, MODE_LOCAL, ICANON},
    {LY_TTY_ECHO, MODE_LOCAL, ECHO},
    {LY_TTY_ECHOE, MODE_LOCAL, ECHOE},
    {LY_TTY_ECHOK, MODE_LOCAL, ECHOK},
    {LY_TTY_ECHONL, MODE_LOCAL, ECHONL},
    {LY_TTY_NOFLSH, MODE_LOCAL, NOFLSH},
    {LY_TTY_TOSTOP, MODE_LOCAL, TOSTOP},
    {LY_TTY_IEXTEN, MODE_LOCAL, IEXTEN},
    {LY_TTY_ECHOCTL, MODE_LOCAL, ECHOCTL},
    {LY_TTY_ECHOKE, MODE_LOCAL, ECHOKE},
    {LY_TTY_OPOST, MODE_OUTPUT, OPOST},
    {LY_TTY_ONLCR, MODE_OUTPUT, ONLCR},
    {LY_TTY_OCRNL, MODE_OUTPUT, OCRNL},
    {LY_TTY_ONOCR, MODE_OUTPUT, ONOCR},
    {LY_TTY_ONLRET, MODE_OUTPUT, ONLRET},
    {LY_TTY_CS7, MODE_CONTROL, CS7},
    {LY_TTY_CS8, MODE_CONTROL, CS8},
    {LY_TTY_PARENB, MODE_CONTROL, PARENB},
    {LY_TTY_PARODD, MODE_CONTROL, PARODD},
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
    uint8_t opcode;
    uint32_t argument;
    while (ly_get_terminal_mode(&reader, &opcode, &argument))
        apply_mode(&termios, opcode, argument);
    tcsetattr(fd, TCSANOW, &termios);
}

void ly_server_terminal_resize(LyServerTerminal *terminal)
{
    struct winsize size = {
        .ws_col = (unsigned short)LY_MIN(terminal->size.columns, 65535u),
        .ws_row = (unsigned short)LY_MIN(terminal->size.rows, 65535u),
        .ws_xpixel = (unsigned short)LY_MIN(terminal->size.width, 65535u),
        .ws_ypixel = (unsigned short)LY_MIN(terminal->size.height, 65535u),
    };
    if (terminal->fd >= 0)
        ioctl(terminal->fd, TIOCSWINSZ, &size);
}

bool ly_server_terminal_break(LyServerTerminal *terminal)
{
    return terminal->fd >= 0 && tcsendbreak(terminal->fd, 0) == 0;
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
    apply_modes(fd, terminal->size.modes);
    ly_server_terminal_resize(terminal);
    return true;
}

void ly_server_terminal_close(LyServerTerminal *terminal)
{
    if (terminal->fd >= 0)
        close(terminal->fd);
    terminal->fd = -1;
}
