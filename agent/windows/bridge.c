#include "bridge.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/memory.h"

enum { EXIT_USAGE = 2, EXIT_FAILED = 4 };

#define PIPES "\\\\.\\pipe\\"

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
    {"agent", "FILE", "the agent's Cygwin socket file or AF_UNIX socket ($SSH_AUTH_SOCK)", 'a'},
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

static HANDLE stop_event(void)
{
    /* Console handlers have no argument; a named event of this process is found again. */
    char name[64];
    snprintf(name, sizeof name, "Local\\lanyard-agent-bridge.%lu", GetCurrentProcessId());
    return CreateEventA(NULL, TRUE, FALSE, name);
}

static BOOL WINAPI console_says_stop(DWORD why)
{
    HANDLE stop = stop_event();
    if (stop)
        SetEvent(stop);
    Sleep(1000); /* Windows ends the program when this returns; the file is to be deleted before */
    return TRUE;
}

static bool start(Bridge *bridge, const Options *options, LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf pageant = {0};
    WSADATA winsock;
    int code = WSAStartup(MAKEWORD(2, 2), &winsock);
    if (code != 0)
        return windows_error(error, (DWORD)code, "cannot use sockets");
    if (!user_get(&bridge->user, error))
        return false;
    if (options->pageant &&
        (!pipe_pageant_name(&pageant, error) || !pipe_start(bridge, ly_buf_str(&pageant), error) ||
         !window_start(bridge, error)))
        return false;
    if (options->openssh) {
        bool whole = ly_bytes_starts_with(ly_bytes_str(options->openssh), PIPES);
        LY_AUTO_FREE char *path = ly_format("%s%s", whole ? "" : PIPES, options->openssh);
        if (!pipe_start(bridge, path, error))
            return false;
    }
    if (options->cygwin && !cygwin_start(bridge, options->cygwin, error))
        return false;
    if (options->pageant)
        ly_log(&bridge->log, LY_LOG_INFO, "Pageant's pipe is %s", ly_buf_str(&pageant));
    return true;
}

int main(int argc, char **argv)
{
    Options options = {0};
    int status;
    if (!read_options(argc, argv, &options, &status))
        return status;
    Bridge bridge = {.upstream = options.upstream,
                     .log = {.write = write_log, .level = options.verbose ? LY_LOG_DEBUG : LY_LOG_ERROR},
                     .stop = stop_event()};
    LyError error;
    if (!bridge.stop || !SetConsoleCtrlHandler(console_says_stop, TRUE) ||
        !start(&bridge, &options, &error)) {
        fprintf(stderr, "lanyard-agent-bridge: %s\n", bridge.stop ? error.message : "cannot make an event");
        return EXIT_FAILED;
    }
    printf("lanyard-agent-bridge: ready\n");
    fflush(stdout);
    WaitForSingleObject(bridge.stop, INFINITE);
    if (options.cygwin)
        DeleteFileA(options.cygwin);
    ExitProcess(EXIT_SUCCESS); /* threads and all */
}
