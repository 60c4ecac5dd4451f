/* exec: runs a command on a server as `ssh host command` does: its standard input, output and error, its exit
 * status, and with -A (or ForwardAgent yes) our agent for the programs there. */
#include <string.h>

#include "base/memory.h"
#include "common.h"

typedef struct Exec {
    Example example;
    char *command;
    bool agent;
} Exec;

/* Signed in: the program begins. example_start says what becomes of its bytes. */
static void ready(void *user)
{
    Exec *exec = user;
    LyProgramOptions options = {
        .kind = LY_PROGRAM_COMMAND, .command = ly_bytes_str(exec->command), .agent = exec->agent};
    const LyConfig *config = ly_destination_config(exec->example.destination);
    const char *forward = ly_config_string(config, LY_CONFIG_FORWARD_AGENT);
    if (forward && strcmp(forward, "yes") == 0)
        options.agent = true;
    example_start(&exec->example, &options);
}

int main(int argc, char **argv)
{
    Exec exec = {0};
    example_init(&exec.example, argc, argv, "[-A] [-p port] [-o Name=value] [user@]host command ...");
    while (example_option(&exec.example, argc, argv, "A") != -1)
        exec.agent = true;
    example_expect(&exec.example, argc, 2, true);
    example_set_host(&exec.example, argv[optind]);
    exec.command = example_join(argv + optind + 1);
    int status = example_run(&exec.example, ready, &exec);
    example_clear(&exec.example);
    ly_free(exec.command);
    return status;
}
