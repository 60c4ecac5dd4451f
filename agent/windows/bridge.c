#include "upstream.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXIT_USAGE = 2, EXIT_FAILED = 4 };

/* --- Options --- */

typedef struct Options {
    Upstream upstream;
    const char *openssh, *cygwin;
    bool pageant, verbose;
} Options;

static const struct {
    const char *name, *value, *help;
    char letter;
} options_table[] = {
    {"agent", "FILE", "the agent's Cygwin socket file, AF_UNIX socket or named pipe ($SSH_AUTH_SOCK)", 'a'},
    {"command", "LINE",
     "or a command line whose standard input and output are a\n"
     "                     connection to the agent; one runs for each client",
     'c'},
    {"pageant", NULL, "serve Pageant's window and named pipe (the default)", 'p'},
    {"openssh", "PIPE", "serve \\\\.\\pipe\\PIPE; Windows' ssh looks for openssh-ssh-agent", 'o'},
    {"cygwin", "FILE", "listen for Cygwin and MSYS2 programs, and write FILE for them", 'y'},
    {"verbose", NULL, "say more on standard error", 'v'},
    {"help", NULL, "print this text", 'h'},
    {"version", NULL, "print the version", 'V'},
};

static void print_help(void)
{
    printf("Usage: lanyard-agent-bridge [OPTION]...\n\n"
           "Gives PuTTY, WinSCP, FileZilla, Windows' ssh, Cygwin and MSYS2 the agent of Linux or WSL.\n\n");
    for (size_t i = 0; i < LY_COUNT(options_table); i++)
        printf("  -%c, --%-7s %-5s %s\n", options_table[i].letter, options_table[i].name,
               options_table[i].value ? options_table[i].value : "", options_table[i].help);
    printf(
        "\nExamples:\n"
        "  lanyard-agent-bridge --command \"wsl.exe lanyard-agent relay\"\n"
        "  lanyard-agent-bridge --agent C:\\Users\\me\\agent.sock --pageant --openssh openssh-ssh-agent\n");
}

/* False: the program ends with *status. */
static bool read_options(int argc, char **argv, Options *options, int *status)
{
    struct option longs[LY_COUNT(options_table) + 1] = {0};
    for (size_t i = 0; i < LY_COUNT(options_table); i++)
        longs[i] = (struct option){options_table[i].name, options_table[i].value ? 1 : 0, NULL,
                                   options_table[i].letter};
    *status = EXIT_USAGE;
    for (int letter; (letter = getopt_long(argc, argv, "a:c:po:y:vhV", longs, NULL)) != -1;) {
        switch (letter) {
        case 'a':
            options->upstream.path = optarg;
            break;
        case 'c':
            options->upstream.command = optarg;
            break;
        case 'p':
            options->pageant = true;
            break;
        case 'o':
            options->openssh = optarg;
            break;
        case 'y':
            options->cygwin = optarg;
            break;
        case 'v':
            options->verbose = true;
            break;
        case 'h':
            print_help();
            *status = EXIT_SUCCESS;
            return false;
        case 'V':
            printf("lanyard-agent-bridge %s\n", LY_VERSION);
            *status = EXIT_SUCCESS;
            return false;
        default:
            fprintf(stderr, "lanyard-agent-bridge --help lists the options.\n");
            return false;
        }
    }
    const char *wrong = NULL;
    if (optind < argc)
        wrong = "there are no arguments but options";
    else if (options->upstream.path && options->upstream.command)
        wrong = "--agent and --command are two agents; give one";
    else if (!options->upstream.command && !options->upstream.path)
        options->upstream.path = getenv("SSH_AUTH_SOCK");
    if (!wrong && !options->upstream.command && (!options->upstream.path || !*options->upstream.path))
        wrong = "where is the agent? Give --agent FILE or --command LINE";
    if (wrong)
        fprintf(stderr, "lanyard-agent-bridge: %s (--help says more)\n", wrong);
    if (!options->openssh && !options->cygwin)
        options->pageant = true;
    return !wrong;
}

/* --- Running --- */

static void write_log(void *user, LyLogLevel level, const char *message)
{
    fprintf(stderr, "lanyard-agent-bridge: %s\n", message);
    fflush(stderr);
}

static bool connect_upstream(Transports *transports, Stream *agent, LyError *error)
{
    return upstream_connect(transports->owner, &transports->user, agent, error);
}

static void serve(Transports *transports, const Stream *client, const Peer *peer)
{
    Stream agent = STREAM_NONE;
    LyError error;
    if (!connect_upstream(transports, &agent, &error)) {
        ly_log(&transports->log, LY_LOG_ERROR, "%s", error.message);
        return;
    }
    stream_relay(client, &agent);
    stream_shutdown(&agent);
    stream_close(&agent);
}

static bool ask(Transports *transports, LyBytes request, const Peer *peer, LyBuf *reply, Stream *behind,
                LyError *error)
{
    return connect_upstream(transports, behind, error) && upstream_exchange(behind, request, reply, error);
}

int main(int argc, char **argv)
{
    Options options = {0};
    int status;
    if (!read_options(argc, argv, &options, &status))
        return status;
    Transports transports = {
        .serve = serve,
        .ask = ask,
        .owner = &options.upstream,
        .log = {.write = write_log, .level = options.verbose ? LY_LOG_DEBUG : LY_LOG_ERROR},
    };
    TransportsOptions wanted = {.pageant = options.pageant,
                                .openssh = &options.openssh,
                                .openssh_count = options.openssh != NULL,
                                .cygwin = &options.cygwin,
                                .cygwin_count = options.cygwin != NULL};
    LyError error;
    if (!transports_start(&transports, &wanted, &error)) {
        fprintf(stderr, "lanyard-agent-bridge: %s\n", error.message);
        return EXIT_FAILED;
    }
    printf("lanyard-agent-bridge: ready\n");
    fflush(stdout);
    WaitForSingleObject(transports.stop, INFINITE);
    transports_end(&wanted);
    ExitProcess(EXIT_SUCCESS); /* threads and all */
}
