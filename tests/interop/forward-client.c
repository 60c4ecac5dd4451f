/* forward-client [-p PORT] [-i FILE] [-o NAME=VALUE] [-L SPEC] [-D SPEC] [-R SPEC] [-T HOST:PORT] [-X
 * COMMAND]
 * [-u USER:PASSWORD] [-m MAXIMUM] HOST: forwards as ssh(1) does until SIGTERM. -T: a tunnel's socket to
 * host:port; -X: runs the command with X11 forwarded and ends with it; -u: of SOCKS; -m: connections, or
 * sockets to one target. Says "listening -L 4711" and so on, one line each, in the order given; "failed: ..."
 * and "ended: ..." on stderr. SIGUSR1: says what the tunnel counted. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "loop/forward.h"
#include "loop/program.h"
#include "loop/tunnel.h"
#include "loop/x11.h"

enum { ASKED_MAX = 16 };

typedef struct Program {
    LyLoop *loop;
    LyClient *client;
    struct {
        int kind; /* 'L', 'D', 'R', 'T', 'X' */
        const char *text;
        LyForward *forward;
        char *storage;
        LyForwardEnd listen, to;
    } asked[ASKED_MAX];
    size_t count;
    LyForwardOptions forward;
    LyTunnelOptions tunnel_options;
    LyTunnel *tunnel;
    LyX11Options x11_options;
    LyX11 *x11;
    LyProgram *command;
    int status;
} Program;

static void say(const char *what, const char *text)
{
    fprintf(stderr, "%s: %s\n", what, text);
}

static void log_line(void *user, LyLogLevel level, const char *message)
{
    say("log", message);
}

static void failed(void *user, LyForward *forward, const LyError *error, bool fatal)
{
    say(fatal ? "fatal" : "failed", error->message);
}

static void listening(void *user, LyForward *forward, uint16_t port)
{
    printf("listening -R %u\n", (unsigned)port);
}

static void output(void *user, LyBytes data)
{
    Program *program = user;
    fwrite(data.data, 1, data.len, stdout);
    ly_program_consumed(program->command, data.len);
}

static void command_closed(void *user, const LyProgramEnd *end, const LyError *error)
{
    Program *program = user;
    program->status = end->exited ? (int)end->status : 1;
    if (error)
        say("ended", error->message);
    ly_loop_quit(program->loop);
}

static bool start_command(Program *program, const char *command, LyError *error)
{
    LyProgramEvents events = {
        .data = output, .stderr_data = output, .closed = command_closed, .user = program};
    program->x11 = ly_x11_new(program->client, &program->x11_options, error);
    if (!program->x11)
        return false;
    LyProgramOptions options = {.command = ly_bytes_str(command), .x11 = ly_x11_request(program->x11)};
    program->command = ly_program_new(program->client, &options, &events, error);
    return program->command != NULL;
}

static bool start_tunnel(Program *program, const char *target, LyError *error)
{
    char host[128];
    unsigned port;
    if (sscanf(target, "%127[^:]:%u", host, &port) != 2)
        return ly_error_set(error, LY_ERROR_INVALID, "not HOST:PORT");
    program->tunnel = ly_tunnel_new(program->client, &program->tunnel_options);
    const char *path = ly_tunnel_listen(program->tunnel, host, (uint16_t)port, error);
    if (path)
        printf("listening -T %s\n", path);
    return path != NULL;
}

static bool start(Program *program, size_t i, LyError *error)
{
    int kind = program->asked[i].kind;
    const LyForwardEnd *listen = &program->asked[i].listen, *to = &program->asked[i].to;
    LyForward *forward = NULL;
    if (kind == 'X')
        return start_command(program, program->asked[i].text, error);
    if (kind == 'T')
        return start_tunnel(program, program->asked[i].text, error);
    if (!ly_forward_parse(program->asked[i].text, kind == 'D', kind == 'R', &program->asked[i].listen,
                          &program->asked[i].to, &program->asked[i].storage, error))
        return false;
    if (kind == 'L')
        forward = ly_forward_local(program->client, listen, to, &program->forward, error);
    else if (kind == 'D')
        forward = ly_forward_dynamic(program->client, listen, &program->forward, error);
    else
        forward = ly_forward_remote(program->client, listen, to->host || to->path ? to : NULL,
                                    &program->forward, error);
    program->asked[i].forward = forward;
    if (forward && kind != 'R')
        printf("listening -%c %u\n", kind, (unsigned)ly_forward_port(forward));
    return forward != NULL;
}

static void ready(void *user)
{
    Program *program = user;
    LyError error;
    for (size_t i = 0; i < program->count; i++) {
        if (start(program, i, &error))
            continue;
        say("cannot start", error.message);
        program->status = 2;
        ly_loop_quit(program->loop);
        return;
    }
    puts("ready");
}

static void closed(void *user, const LyError *error, bool final)
{
    Program *program = user;
    say("ended", error->message);
    program->status = 255;
    ly_loop_quit(program->loop);
}

static void signalled(void *user, int number)
{
    Program *program = user;
    LyTunnelCounts counts = {0};
    uint32_t connections = 0;
    for (size_t i = 0; i < program->count; i++)
        connections += program->asked[i].forward ? ly_forward_connections(program->asked[i].forward) : 0;
    if (program->tunnel)
        ly_tunnel_counts(program->tunnel, &counts);
    if (number == SIGUSR1)
        printf("counts connections %u open %u idle %u waiting %u opened %llu reused %llu\n", connections,
               counts.open, counts.idle, counts.waiting, (unsigned long long)counts.opened,
               (unsigned long long)counts.reused);
    else
        ly_loop_quit(program->loop);
}

static void run(Program *program, const LyDestinationOptions *options)
{
    static const int numbers[] = {SIGTERM, SIGUSR1};
    LyError error;
    LyClientEvents events = {.ready = ready, .closed = closed, .user = program};
    LyDestination *destination = ly_destination_new(options, &error);
    if (!destination) {
        say("cannot start", error.message);
        program->status = 2;
        return;
    }
    LySignals *signals = ly_signals_new(program->loop, numbers, LY_COUNT(numbers), signalled, program);
    program->client = ly_client_new(program->loop, destination, &events);
    ly_loop_run(program->loop);
    for (size_t i = 0; i < program->count; i++) {
        ly_forward_free(program->asked[i].forward);
        ly_free(program->asked[i].storage);
    }
    ly_tunnel_free(program->tunnel);
    ly_program_free(program->command);
    ly_x11_free(program->x11);
    ly_client_free(program->client);
    ly_signals_free(signals);
    ly_destination_unref(destination);
}

int main(int argc, char **argv)
{
    Program program = {.forward = {.failed = failed, .listening = listening, .unlink = true},
                       .tunnel_options = {.keep_alive = true, .idle_us = 2000000}};
    const char *settings[32] = {0};
    char *identity = NULL, *colon;
    size_t count = 0;
    int option;
    LyDestinationOptions options = {.settings = settings};
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    while ((option = getopt(argc, argv, "p:i:o:u:m:a:L:D:R:T:X:")) != -1 && count < LY_COUNT(settings) - 1) {
        switch (option) {
        case 'p':
            options.port = (uint16_t)atoi(optarg);
            break;
        case 'i':
            ly_free(identity);
            settings[count++] = identity = ly_format("IdentityFile=%s", optarg);
            break;
        case 'o':
            settings[count++] = optarg;
            break;
        case 'u':
            colon = strchr(optarg, ':');
            *colon = 0;
            program.forward.user_name = optarg;
            program.forward.password = colon + 1;
            break;
        case 'm':
            program.forward.max_connections = program.tunnel_options.max_sockets = (uint32_t)atoi(optarg);
            break;
        case 'a':
            program.x11_options.xauthority = optarg;
            break;
        case '?':
            return 2;
        default:
            if (program.count == ASKED_MAX)
                return 2;
            program.asked[program.count].kind = option;
            program.asked[program.count++].text = optarg;
            break;
        }
    }
    if (optind >= argc)
        return 2;
    options.host = argv[optind];
    options.log = (LyLog){.write = log_line, .level = LY_LOG_WARNING};
    options.crypto = ly_crypto_new(0, NULL);
    program.loop = ly_loop_new(NULL);
    run(&program, &options);
    ly_loop_free(program.loop);
    ly_crypto_unref(options.crypto);
    ly_free(identity);
    fflush(stdout);
    return program.status;
}
