/* client -p PORT [-k KEY] [-A] [-w PASSWORD] [-i ANSWER] [-H KEY] [-N PASSWORD] [-a] [-o NAME=VALUE]
 * [-n TIMES] [-b BYTES] [-e NAME=VALUE] [-t TERM] [-m] [-R] [USER@]HOST COMMAND: what core/loop's client and
 * programs do for an application with a mind of its own. The attempts are made in the order of -k (a key), -A
 * (the agent), -w, -i (keyboard-interactive: to all prompts) and -H (hostbased, as me@here.example), whoever
 * the host is; -N is the password in place of one that is too old. TIMES programs run at once; -b writes so
 * many bytes to each and then EOF, and compares what comes back; -t gives them a terminal of 50 rows and 100
 * columns without echo; -a forwards the agent; -m says no-more-sessions and tries one more; -R waits for a
 * key exchange of its own. What happens is printed a line each. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "loop/program.h"
#include "read-key.h"

#define TIMES_MAX 256

typedef struct Application {
    LyLoop *loop;
    LyCrypto *crypto;
    LyClient *client;
    LyAttempt attempts[16];
    size_t attempt_count, next;
    LyProgramOptions program;
    unsigned times, running;
    bool no_more, rekey, rekeyed, keys_told, input;
    uint64_t input_len;
    const char *answer, *new_password;
    struct Running {
        struct Application *application;
        LyProgram *program;
        unsigned number;
        uint64_t sent, received;
        bool differs;
    } programs[TIMES_MAX];
} Application;

static void stop_if_done(Application *application)
{
    if (application->running == 0 && (!application->rekey || application->rekeyed))
        ly_loop_quit(application->loop);
}

/* --- programs --- */

/* The byte of the input at this place. */
static uint8_t pattern(uint64_t at)
{
    return (uint8_t)(at * 131 + (at >> 8) * 7 + (at >> 16));
}

static void write_input(void *user)
{
    struct Running *running = user;
    uint8_t block[32768];
    uint64_t left;
    while ((left = running->application->input_len - running->sent) > 0) {
        LyBytes part = ly_bytes(block, LY_MIN(left, sizeof block));
        for (size_t i = 0; i < part.len; i++)
            block[i] = pattern(running->sent + i);
        size_t taken = ly_program_write(running->program, &part, 1);
        running->sent += taken;
        if (taken < part.len)
            return;
    }
    ly_program_eof(running->program);
}

static void compare_input(struct Running *running, LyBytes data)
{
    ly_program_consumed(running->program, data.len);
    for (size_t i = 0; i < data.len; i++)
        running->differs |= data.data[i] != pattern(running->received + i);
    running->received += data.len;
}

static void output(struct Running *running, const char *what, LyBytes data)
{
    LyBytes line;
    ly_program_consumed(running->program, data.len);
    while (ly_bytes_line(&data, &line))
        printf("%u %s: %s\n", running->number, what, LY_PRINTABLE(line));
}

static void data(void *user, LyBytes bytes)
{
    struct Running *running = user;
    if (running->application->input)
        compare_input(running, bytes);
    else
        output(running, "out", bytes);
}

static void stderr_data(void *user, LyBytes bytes)
{
    output(user, "err", bytes);
}

static void program_closed(void *user, const LyProgramEnd *end, const LyError *error)
{
    struct Running *running = user;
    if (running->application->input)
        printf("%u %s %" PRIu64 "\n", running->number, running->differs ? "different" : "same",
               running->received);
    if (error)
        printf("%u error: %s\n", running->number, error->message);
    else if (end->signalled)
        printf("%u signal %s\n", running->number, LY_PRINTABLE(end->signal));
    else if (end->exited)
        printf("%u exit %u\n", running->number, end->status);
    else
        printf("%u closed\n", running->number);
    ly_program_free(running->program);
    running->program = NULL;
    running->application->running--;
    stop_if_done(running->application);
}

static void run(Application *application)
{
    struct Running *running = &application->programs[application->running];
    LyProgramEvents events = {
        .data = data, .stderr_data = stderr_data, .closed = program_closed, .user = running};
    LyError error;
    if (application->input) {
        events.started = write_input;
        events.writable = write_input;
    }
    running->application = application;
    running->number = application->running++;
    running->program = ly_program_new(application->client, &application->program, &events, &error);
    if (!running->program) {
        printf("%u error: %s\n", running->number, error.message);
        application->running--;
    }
}

/* --- the client --- */

static void ready(void *user)
{
    Application *application = user;
    printf("ready%s\n", ly_client_speaks_openssh(application->client) ? ", OpenSSH's" : "");
    while (application->running < application->times)
        run(application);
    if (application->no_more) {
        ly_client_no_more_sessions(application->client);
        run(application);
    }
    if (application->rekey)
        ly_transport_rekey(ly_session_transport(ly_client_session(application->client)));
}

static void transport(void *user, const LyTransportEvent *event)
{
    Application *application = user;
    if (event->type != LY_TRANSPORT_NEWKEYS)
        return;
    printf("keys%s by %s\n", event->initial ? "" : " anew",
           LY_PRINTABLE(
               ly_transport_negotiated(ly_session_transport(ly_client_session(application->client)))->kex));
    application->rekeyed |= !event->initial;
    if (application->rekeyed)
        stop_if_done(application);
}

static void host_key(void *user, LyKey *key)
{
    Application *application = user;
    printf("host key %s\n", ly_key_type_name(key));
    ly_client_host_key(application->client, true);
}

static void host_keys(void *user, LyKey *const *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("proven %s\n", ly_key_type_name(keys[i]));
}

static void next_attempt(void *user, const LyNextAttempt *next)
{
    Application *application = user;
    printf("next%s%s %s\n", next->first ? " first" : "", next->partial ? " partial" : "",
           LY_PRINTABLE(next->methods));
    if (application->next < application->attempt_count)
        ly_client_attempt(application->client, &application->attempts[application->next++]);
    else
        ly_client_give_up(application->client);
}

/* The server's questions. */
static void interactive(void *user, const LyUserauthClientEvent *request)
{
    Application *application = user;
    LyBytes responses[16];
    size_t count = LY_MIN(request->prompt_count, LY_COUNT(responses));
    printf("asks %s|%s", LY_PRINTABLE(request->name), LY_PRINTABLE(request->text));
    for (size_t i = 0; i < count; i++) {
        printf("|%s%s", LY_PRINTABLE(request->prompts[i].text), request->prompts[i].echo ? "" : " hidden");
        responses[i] = ly_bytes_str(application->answer);
    }
    printf("\n");
    ly_client_respond(application->client, responses, count);
}

static void ask(void *user, const LyAsk *ask)
{
    Application *application = user;
    printf("question %s\n", ask->text);
    ly_client_answer(application->client,
                     ask->kind == LY_ASK_NEW_PASSWORD ? application->new_password : NULL);
}

static void closed(void *user, const LyError *error, bool final)
{
    Application *application = user;
    printf("closed%s: %s\n", final ? " for good" : "", error->message);
    ly_loop_quit(application->loop);
}

static void log_line(void *user, LyLogLevel level, const char *message)
{
    printf("log: %s\n", message);
}

int main(int argc, char **argv)
{
    Application application = {.times = 1};
    LyBytes env[32];
    LyBuf modes = {0};
    LyPtyRequest pty = {.columns = 100, .rows = 50};
    const char *settings[32] = {NULL};
    size_t setting_count = 0;
    LyDestinationOptions options = {
        .config_file = "none", .settings = settings, .log = {.write = log_line, .level = LY_LOG_WARNING}};
    int option;
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    application.crypto = options.crypto = ly_crypto_new(LY_CRYPTO_LEGACY, NULL);
    application.program.env = env;
    ly_put_terminal_mode(&modes, LY_TTY_ECHO, 0);
    ly_put_terminal_mode(&modes, LY_TTY_IUTF8, 1);
    while ((option = getopt(argc, argv, "+p:k:Aaw:i:H:N:o:n:b:e:t:mR")) != -1) {
        LyAttempt *attempt = &application.attempts[application.attempt_count];
        LyBytes *pair = &env[2 * application.program.env_count];
        switch (option) {
        case 'p':
            options.port = (uint16_t)atoi(optarg);
            break;
        case 'k':
            *attempt = (LyAttempt){.kind = LY_ATTEMPT_PUBLICKEY, .key = read_key(application.crypto, optarg)};
            application.attempt_count++;
            break;
        case 'A':
            attempt->kind = LY_ATTEMPT_AGENT;
            application.attempt_count++;
            break;
        case 'a':
            application.program.agent = true;
            break;
        case 'w':
            *attempt = (LyAttempt){.kind = LY_ATTEMPT_PASSWORD, .password = ly_bytes_str(optarg)};
            application.attempt_count++;
            break;
        case 'i':
            attempt->kind = LY_ATTEMPT_KEYBOARD_INTERACTIVE;
            application.answer = optarg;
            application.attempt_count++;
            break;
        case 'H':
            *attempt = (LyAttempt){.kind = LY_ATTEMPT_HOSTBASED,
                                   .key = read_key(application.crypto, optarg),
                                   .local_host = LY_BYTES("here.example"),
                                   .local_user = LY_BYTES("me")};
            application.attempt_count++;
            break;
        case 'N':
            application.new_password = optarg;
            break;
        case 'o':
            if (setting_count + 1 < LY_COUNT(settings))
                settings[setting_count++] = optarg;
            break;
        case 'b':
            application.input = true;
            application.input_len = strtoull(optarg, NULL, 10);
            break;
        case 'n':
            application.times = (unsigned)atoi(optarg);
            break;
        case 'e':
            if (ly_bytes_split(ly_bytes_str(optarg), '=', &pair[0], &pair[1]))
                application.program.env_count++;
            break;
        case 't':
            pty.term = ly_bytes_str(optarg);
            pty.modes = ly_buf_bytes(&modes);
            application.program.pty = &pty;
            break;
        case 'm':
            application.no_more = true;
            break;
        case 'R':
            application.rekey = true;
            break;
        default:
            return 2;
        }
    }
    if (optind + 2 != argc || application.times + 1 >= TIMES_MAX)
        return 2;
    char *at = strchr(argv[optind], '@');
    options.host = at ? at + 1 : argv[optind];
    options.user = at ? argv[optind] : NULL;
    if (at)
        *at = 0;
    application.program.command = ly_bytes_str(argv[optind + 1]);
    application.loop = ly_loop_new(NULL);
    LyError error;
    LyDestination *destination = ly_destination_new(&options, &error);
    if (!destination) {
        fprintf(stderr, "%s\n", error.message);
        return 2;
    }
    LyClientEvents events = {.ready = ready,
                             .closed = closed,
                             .transport = transport,
                             .host_key = host_key,
                             .host_keys = host_keys,
                             .next_attempt = next_attempt,
                             .interactive = interactive,
                             .ask = ask,
                             .user = &application};
    application.client = ly_client_new(application.loop, destination, &events);
    ly_loop_run(application.loop);
    for (size_t i = 0; i < LY_COUNT(application.programs); i++)
        ly_program_free(application.programs[i].program);
    ly_client_free(application.client);
    ly_destination_unref(destination);
    for (size_t i = 0; i < application.attempt_count; i++)
        if (application.attempts[i].key)
            ly_key_unref(application.attempts[i].key);
    ly_loop_free(application.loop);
    ly_crypto_unref(application.crypto);
    ly_buf_free(&modes);
    return 0;
}
