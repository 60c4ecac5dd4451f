/* client -p PORT [-k KEY] [-A] [-w PASSWORD] [-n TIMES] [-e NAME=VALUE] [-t TERM] [-m] [-R]
 * [USER@]HOST COMMAND: what core/loop's client and programs do for an application with a mind of its own. The
 * attempts are made in the order of -k, -A and -w, whoever the host is. TIMES programs run at once; -t gives
 * them a terminal of 50 rows and 100 columns without echo; -m says no-more-sessions and tries one more; -R
 * waits for a key exchange of its own. What happens is printed a line each. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "key/read.h"
#include "loop/program.h"

#define TIMES_MAX 64

typedef struct Application {
    LyLoop *loop;
    LyCrypto *crypto;
    LyClient *client;
    LyAttempt attempts[16];
    size_t attempt_count, next;
    LyProgramOptions program;
    unsigned times, running;
    bool no_more, rekey, rekeyed, keys_told;
    struct Running {
        struct Application *application;
        LyProgram *program;
        unsigned number;
    } programs[TIMES_MAX];
} Application;

static void stop_if_done(Application *application)
{
    if (application->running == 0 && (!application->rekey || application->rekeyed))
        ly_loop_quit(application->loop);
}

/* --- programs --- */

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
    output(running, "out", bytes);
}

static void stderr_data(void *user, LyBytes bytes)
{
    output(user, "err", bytes);
}

static void program_closed(void *user, const LyProgramEnd *end, const LyError *error)
{
    struct Running *running = user;
    if (error)
        printf("%u error: %s\n", running->number, error->message);
    else if (end->signalled)
        printf("%u signal %s\n", running->number, LY_PRINTABLE(end->signal));
    else
        printf("%u exit %u\n", running->number, end->status);
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

static void closed(void *user, const LyError *error, bool final)
{
    Application *application = user;
    printf("closed%s: %s\n", final ? " for good" : "", error->message);
    ly_loop_quit(application->loop);
}

static LyKey *read_key(Application *application, const char *path)
{
    char text[16384];
    FILE *file = fopen(path, "r");
    size_t len = file ? fread(text, 1, sizeof text, file) : 0;
    LyError error = {0};
    LyKey *key = ly_key_read(application->crypto, ly_bytes(text, len), NULL, &error);
    if (file)
        fclose(file);
    if (!key) {
        fprintf(stderr, "%s: %s\n", path, error.message);
        exit(2);
    }
    return key;
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
    LyDestinationOptions options = {.config_file = "none",
                                    .log = {.write = log_line, .level = LY_LOG_WARNING}};
    int option;
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    application.crypto = options.crypto = ly_crypto_new(0, NULL);
    application.program.env = env;
    ly_put_terminal_mode(&modes, LY_TTY_ECHO, 0);
    ly_put_terminal_mode(&modes, LY_TTY_IUTF8, 1);
    while ((option = getopt(argc, argv, "+p:k:Aw:n:e:t:mR")) != -1) {
        LyAttempt *attempt = &application.attempts[application.attempt_count];
        LyBytes *pair = &env[2 * application.program.env_count];
        switch (option) {
        case 'p':
            options.port = (uint16_t)atoi(optarg);
            break;
        case 'k':
            *attempt = (LyAttempt){.kind = LY_ATTEMPT_PUBLICKEY, .key = read_key(&application, optarg)};
            application.attempt_count++;
            break;
        case 'A':
            attempt->kind = LY_ATTEMPT_AGENT;
            application.attempt_count++;
            break;
        case 'w':
            *attempt = (LyAttempt){.kind = LY_ATTEMPT_PASSWORD, .password = ly_bytes_str(optarg)};
            application.attempt_count++;
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
