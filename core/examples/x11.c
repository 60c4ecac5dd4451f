/* x11: runs a command on a server whose windows appear on our display, as `ssh -X host command`. */
#include "base/memory.h"
#include "common.h"
#include "loop/x11.h"

typedef struct Remote {
    Example example;
    char *command;
    LyX11 *x11;
} Remote;

static void ready(void *user)
{
    Remote *remote = user;
    LyError error;
    /* The options' defaults are $DISPLAY and its cookie in $XAUTHORITY or ~/.Xauthority. The server is never
     * told that cookie, but one made up for this connection. */
    LyX11Options options = {0};
    remote->x11 = ly_x11_new(remote->example.client, &options, &error);
    if (!remote->x11) {
        example_fail(&remote->example, &error);
        return;
    }
    LyProgramOptions program = {.kind = LY_PROGRAM_COMMAND,
                                .command = ly_bytes_str(remote->command),
                                .x11 = ly_x11_request(remote->x11)};
    example_start(&remote->example, &program);
}

int main(int argc, char **argv)
{
    Remote remote = {0};
    example_init(&remote.example, argc, argv, "[-p port] [-o Name=value] [user@]host command ...");
    example_option(&remote.example, argc, argv, "");
    example_expect(&remote.example, argc, 2, true);
    example_set_host(&remote.example, argv[optind]);
    remote.command = example_join(argv + optind + 1);
    int status = example_run(&remote.example, ready, &remote);
    ly_x11_free(remote.x11);
    example_clear(&remote.example);
    ly_free(remote.command);
    return status;
}
