/* connect [-46Asv] [-G WHERE] [-n TIMES] [-p PORT] [-l USER] [-i FILE] [-F FILE] [-o NAME=VALUE] [USER@]HOST
 * COMMAND...: signs in as ssh(1) does and runs a command; its output is printed, its exit status passed on;
 * 255 when there is no connection, 254 when it is final. With -n, that many connections to the same
 * destination follow one another. With -s, all of stdin is read and sent to the command. -A forwards the
 * agent. -G makes the agent one of the application's own, which hands all that it is asked to the agent at
 * WHERE. connect -Q kex|key|cipher|mac|compression|sig: the names that can be configured, one a line. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "loop/agent-forward.h"
#include "loop/client.h"
#include "loop/prompt.h"

typedef struct Program {
    LyLoop *loop;
    LyClient *client;
    LyPrompter *prompter;
    LyBuf command, input;
    size_t input_sent; /* bytes */
    int status;
    bool talkative, forwarding;
    LyAgentForward *forward;
    LyAgentConnection *behind; /* -G's agent */
} Program;

/* LyAgentTransport's request: LyAgentDone is what ly_agent_request wants too. */
static void hand_on(void *user, LyBytes request, LyAgentDone done, void *done_user)
{
    Program *program = user;
    ly_agent_request(program->behind, request, done, done_user);
}

static void log_line(void *user, LyLogLevel level, const char *message)
{
    fprintf(stderr, "%s%s\n", level <= LY_LOG_WARNING ? "warning: " : "log: ", message);
}

static void answered(void *user, const char *answer)
{
    Program *program = user;
    ly_client_answer(program->client, answer);
}

static void ask(void *user, const LyAsk *question)
{
    Program *program = user;
    ly_prompter_ask(program->prompter, question->text, question->echo, false, answered, program);
}

static void ready(void *user)
{
    Program *program = user;
    LyChannelOptions options = {0};
    ly_channel_open(ly_session_connection(ly_client_session(program->client)), LY_BYTES("session"),
                    (LyBytes){0}, &options);
}

static void send_input(Program *program, LyChannel *channel)
{
    if (program->input_sent > program->input.len)
        return;
    LyBytes rest = ly_bytes_slice(ly_buf_bytes(&program->input), program->input_sent, program->input.len);
    program->input_sent += ly_channel_send(channel, &rest, 1);
    if (program->input_sent == program->input.len) {
        ly_channel_eof(channel);
        program->input_sent++; /* once */
    }
}

static void event(void *user, const LyConnectionEvent *happened)
{
    Program *program = user;
    switch (happened->type) {
    case LY_CHANNEL_OPENED:
        if (program->forward)
            ly_agent_forward_request(program->forward, happened->channel);
        ly_channel_exec(happened->channel, ly_buf_bytes(&program->command), 1);
        program->input_sent = 0;
        send_input(program, happened->channel);
        break;
    case LY_CHANNEL_WINDOW:
        send_input(program, happened->channel);
        break;
    case LY_CHANNEL_DATA:
    case LY_CHANNEL_STDERR:
        fwrite(happened->data.data, 1, happened->data.len,
               happened->type == LY_CHANNEL_DATA ? stdout : stderr);
        ly_channel_consumed(happened->channel, happened->data.len);
        break;
    case LY_CHANNEL_EXIT_STATUS:
        program->status = (int)happened->number;
        break;
    case LY_CHANNEL_CLOSED:
    case LY_CHANNEL_OPEN_FAILED:
        ly_loop_quit(program->loop);
        break;
    default:
        ly_client_refuse(program->client, happened);
        break;
    }
}

static void banner(void *user, LyBytes text)
{
    fprintf(stderr, "banner: %s\n", LY_PRINTABLE(text));
}

static void closed(void *user, const LyError *error, bool final)
{
    Program *program = user;
    fprintf(stderr, "%s\n", error->message);
    program->status = final ? 254 : 255;
    ly_agent_forward_free(program->forward);
    program->forward = NULL;
    ly_client_free(program->client);
    program->client = NULL;
    ly_loop_quit(program->loop);
}

static int run(Program *program, const LyDestinationOptions *options, int times)
{
    LyError error = {0};
    LyDestination *destination = ly_destination_new(options, &error);
    if (!destination) {
        fprintf(stderr, "%s\n", error.message);
        return 254;
    }
    for (int i = 0; i < times && (i == 0 || program->status == 0); i++) {
        LyClientEvents events = {
            .ask = ask, .ready = ready, .event = event, .banner = banner, .closed = closed, .user = program};
        program->status = 255;
        program->client = ly_client_new(program->loop, destination, &events);
        program->forward = program->forwarding ? ly_agent_forward_new(program->client) : NULL;
        ly_loop_run(program->loop);
        ly_agent_forward_free(program->forward);
        program->forward = NULL;
        ly_client_free(program->client);
        program->client = NULL;
    }
    ly_destination_unref(destination);
    return program->status;
}

static int query(const char *what)
{
    static const char *const kinds[LY_ALGORITHMS_COUNT] = {"kex", "key",         "cipher",
                                                           "mac", "compression", "sig"};
    LyCrypto *crypto = ly_crypto_new(0, NULL);
    int status = 2;
    for (int kind = 0; kind < LY_ALGORITHMS_COUNT; kind++) {
        if (strcmp(what, kinds[kind]) != 0)
            continue;
        LyBuf all = {0};
        ly_algorithms_all(crypto, (LyAlgorithmKind)kind, &all);
        LyBytes rest = ly_buf_bytes(&all), name;
        while (ly_names_next(&rest, &name))
            printf("%.*s\n", (int)name.len, (const char *)name.data);
        ly_buf_free(&all);
        status = 0;
    }
    ly_crypto_unref(crypto);
    return status;
}

static void read_input(LyBuf *input)
{
    size_t count;
    while ((count = fread(ly_buf_room(input, 65536), 1, 65536, stdin)) > 0)
        ly_buf_added(input, count);
}

int main(int argc, char **argv)
{
    Program program = {0};
    const char *settings[64] = {0};
    char *made[64] = {0};
    size_t count = 0;
    LyDestinationOptions options = {.settings = settings};
    const char *custom = NULL;
    int option, times = 1;
    while ((option = getopt(argc, argv, "+46Asvn:p:l:i:F:G:o:Q:")) != -1 && count < LY_COUNT(settings) - 1) {
        switch (option) {
        case '4':
            settings[count++] = "AddressFamily=inet";
            break;
        case '6':
            settings[count++] = "AddressFamily=inet6";
            break;
        case 'A':
            program.forwarding = true;
            break;
        case 'G':
            custom = optarg;
            break;
        case 'v':
            program.talkative = true;
            break;
        case 'n':
            times = atoi(optarg);
            break;
        case 'p':
            options.port = (uint16_t)atoi(optarg);
            break;
        case 'l':
            options.user = optarg;
            break;
        case 'i':
            settings[count] = made[count] = ly_format("IdentityFile=%s", optarg);
            count++;
            break;
        case 'F':
            options.config_file = optarg;
            break;
        case 'Q':
            return query(optarg);
        case 's':
            read_input(&program.input);
            break;
        case 'o':
            settings[count++] = optarg;
            break;
        default:
            return 2;
        }
    }
    if (optind >= argc)
        return 2;
    options.host = argv[optind++];
    char *at = strrchr(options.host, '@');
    if (at) {
        *at = 0;
        options.user = options.host;
        options.host = at + 1;
    }
    for (int i = optind; i < argc; i++)
        ly_buf_add_format(&program.command, "%s%s", i > optind ? " " : "", argv[i]);
    signal(SIGPIPE, SIG_IGN);
    options.log = (LyLog){.write = log_line, .level = program.talkative ? LY_LOG_DEBUG : LY_LOG_WARNING};
    options.crypto = ly_crypto_new(0, NULL);
    program.loop = ly_loop_new(NULL);
    LyAgentTransport transport = {.request = hand_on, .user = &program};
    if (custom) {
        LyError error;
        program.behind = ly_agent_connect(program.loop, custom, 0, &error);
        if (!program.behind) {
            fprintf(stderr, "%s\n", error.message);
            return 2;
        }
        options.agent = &transport;
    }
    program.prompter = ly_prompter_new(program.loop, true);
    int status = run(&program, &options, times);
    ly_prompter_free(program.prompter);
    ly_agent_connection_free(program.behind);
    ly_loop_free(program.loop);
    ly_crypto_unref(options.crypto);
    ly_buf_free(&program.command);
    ly_buf_free(&program.input);
    for (size_t i = 0; i < count; i++)
        ly_free(made[i]);
    fflush(stdout);
    return status;
}
