/* shell: a login shell on a server, on a terminal there that behaves as ours: ours is raw meanwhile, and its
 * modes, its size and each change of the size are told to the server. */
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "common.h"
#include "connection/terminal.h"

typedef struct Shell {
    Example example;
    LySignals *resized;
    struct termios found; /* our terminal as we found it */
    bool raw;
} Shell;

/* clang-format off */
/* RFC 4254 section 8: the server's terminal gets the special characters and flags of ours. */
static const struct {
    uint8_t opcode;
    int index;
} characters[] = {
#define CHARACTER(name) {LY_TTY_##name, name}
    CHARACTER(VINTR),    CHARACTER(VQUIT),   CHARACTER(VERASE), CHARACTER(VKILL),    CHARACTER(VEOF),
    CHARACTER(VEOL),     CHARACTER(VEOL2),   CHARACTER(VSTART), CHARACTER(VSTOP),    CHARACTER(VSUSP),
    CHARACTER(VREPRINT), CHARACTER(VWERASE), CHARACTER(VLNEXT), CHARACTER(VDISCARD),
};

static const struct {
    uint8_t opcode;
    size_t field;
    tcflag_t flag;
} flags[] = {
#define FLAG(field, name) {LY_TTY_##name, offsetof(struct termios, field), name}
    FLAG(c_iflag, IGNPAR), FLAG(c_iflag, PARMRK),  FLAG(c_iflag, INPCK),   FLAG(c_iflag, ISTRIP),
    FLAG(c_iflag, INLCR),  FLAG(c_iflag, IGNCR),   FLAG(c_iflag, ICRNL),   FLAG(c_iflag, IXON),
    FLAG(c_iflag, IXANY),  FLAG(c_iflag, IXOFF),   FLAG(c_iflag, IMAXBEL), FLAG(c_iflag, IUTF8),
    FLAG(c_lflag, ISIG),   FLAG(c_lflag, ICANON),  FLAG(c_lflag, ECHO),    FLAG(c_lflag, ECHOE),
    FLAG(c_lflag, ECHOK),  FLAG(c_lflag, ECHONL),  FLAG(c_lflag, NOFLSH),  FLAG(c_lflag, TOSTOP),
    FLAG(c_lflag, IEXTEN), FLAG(c_lflag, ECHOCTL), FLAG(c_lflag, ECHOKE),  FLAG(c_oflag, OPOST),
    FLAG(c_oflag, ONLCR),  FLAG(c_oflag, OCRNL),   FLAG(c_oflag, ONOCR),   FLAG(c_oflag, ONLRET),
    FLAG(c_cflag, PARENB), FLAG(c_cflag, PARODD),
};
/* clang-format on */

static void put_modes(const struct termios *terminal, LyBuf *modes)
{
    for (size_t i = 0; i < LY_COUNT(characters); i++) {
        cc_t value = terminal->c_cc[characters[i].index];
        ly_put_terminal_mode(modes, characters[i].opcode, value == _POSIX_VDISABLE ? 255 : value);
    }
    for (size_t i = 0; i < LY_COUNT(flags); i++) {
        const tcflag_t *field = (const void *)((const char *)terminal + flags[i].field);
        ly_put_terminal_mode(modes, flags[i].opcode, (*field & flags[i].flag) != 0);
    }
    ly_put_terminal_mode(modes, LY_TTY_CS8, (terminal->c_cflag & CSIZE) == CS8);
}

static void window_changed(void *user, int number)
{
    Shell *shell = user;
    struct winsize size;
    if (shell->example.program && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
        ly_program_resize(shell->example.program, size.ws_col, size.ws_row, size.ws_xpixel, size.ws_ypixel);
}

/* Not before the sign-in: until then the terminal belongs to its questions. */
static void ready(void *user)
{
    Shell *shell = user;
    struct winsize size = {.ws_col = 80, .ws_row = 24};
    struct termios raw = shell->found;
    const char *term = getenv("TERM");
    LyBuf modes = {0};
    ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
    put_modes(&shell->found, &modes);
    LyPtyRequest pty = {.term = ly_bytes_str(term ? term : "vt100"),
                        .columns = size.ws_col,
                        .rows = size.ws_row,
                        .width = size.ws_xpixel,
                        .height = size.ws_ypixel,
                        .modes = ly_buf_bytes(&modes)};
    LyProgramOptions options = {.kind = LY_PROGRAM_SHELL, .pty = &pty};
    example_start(&shell->example, &options);
    ly_buf_free(&modes); /* options are copied */
    cfmakeraw(&raw);     /* each key goes to the server as it is, Ctrl-C too */
    shell->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

int main(int argc, char **argv)
{
    Shell shell = {0};
    const int window_change = SIGWINCH;
    example_init(&shell.example, argc, argv, "[-p port] [-o Name=value] [user@]host");
    example_option(&shell.example, argc, argv, "");
    example_expect(&shell.example, argc, 1, false);
    example_set_host(&shell.example, argv[optind]);
    if (tcgetattr(STDIN_FILENO, &shell.found) != 0)
        example_die(&shell.example, "standard input is not a terminal; exec runs a command without one");
    shell.resized = ly_signals_new(shell.example.loop, &window_change, 1, window_changed, &shell);
    int status = example_run(&shell.example, ready, &shell);
    /* Whatever the end was, also SIGTERM and a lost connection, it comes by here. */
    if (shell.raw)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &shell.found);
    ly_signals_free(shell.resized);
    example_clear(&shell.example);
    return status;
}
