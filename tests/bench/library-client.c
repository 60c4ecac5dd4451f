/* library-client HOME PORT WORK ...: one work of tests/bench/library for a program on core/loop. The server is
 * at 127.0.0.1:PORT, HOME/user is the key. Prints the seconds from the first connection's sign-in to the end
 * of the work (sign-in: of all), or for `forward` the port and for `idle` "ready", and goes when stdin ends.
 *   sign-in KEX COUNT            connections one after the other, each until it is signed in
 *   get REMOTE LOCAL, put LOCAL REMOTE
 *   exec COMMAND                 output goes nowhere
 *   forward PORT                 -L of a free port
 *   channels COUNT AT_ONCE       commands `true`
 *   idle COUNT                   connections that stay */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/memory.h"
#include "library-common.h"
#include "loop/forward.h"
#include "loop/sftp.h"
#include "loop/transfer.h"

typedef struct Bench {
    LyLoop *loop;
    LyDestination *destination;
    LyAttempt attempt;
    LyClient *client, *old;
    LyClient **clients; /* idle */
    LyTask next;
    LySftp *sftp;
    LyForward *forward;
    char **argument; /* WORK ... */
    unsigned wanted, begun, done, at_once;
    LyProgram **programs;
    uint64_t begun_us, bytes;
    void (*ready)(struct Bench *bench);
} Bench;

static void finished(Bench *bench)
{
    printf("%.6f\n", (double)(bench_now_us() - bench->begun_us) / 1e6);
    fflush(stdout);
    ly_loop_quit(bench->loop);
}

static void check(bool ok, const LyError *error)
{
    if (!ok)
        bench_fail(error->message);
}

/* --- connections --- */

static void host_key(void *user, LyKey *key)
{
    Bench *bench = user;
    ly_client_host_key(bench->client, true);
}

static void client_ready(void *user)
{
    Bench *bench = user;
    bench->ready(bench);
}

static void client_closed(void *user, const LyError *error, bool final)
{
    bench_fail(error->message);
}

static void connect_one(Bench *bench)
{
    LyClientEvents events = {
        .ready = client_ready, .host_key = host_key, .closed = client_closed, .user = bench};
    bench->client = ly_client_new(bench->loop, bench->destination, &events);
    ly_client_set_attempts(bench->client, &bench->attempt, 1);
}

static void connect_next(void *user)
{
    Bench *bench = user;
    ly_client_free(bench->old);
    bench->old = NULL;
    if (bench->done < bench->wanted)
        connect_one(bench);
    else
        finished(bench);
}

static void signed_in(Bench *bench)
{
    bench->done++;
    bench->old = bench->client;
    bench->client = NULL;
    ly_loop_defer(bench->loop, &bench->next);
}

static void stays(Bench *bench)
{
    bench->clients[bench->done++] = bench->client;
    bench->client = NULL;
    if (bench->done == bench->wanted)
        puts("ready");
    fflush(stdout);
    if (bench->done < bench->wanted)
        ly_loop_defer(bench->loop, &bench->next);
}

static void stdin_ended(void *user, unsigned events)
{
    Bench *bench = user;
    ly_loop_quit(bench->loop);
}

/* --- files --- */

static void transferred(void *user, uint64_t len, const LyError *error)
{
    check(!error, error);
    finished(user);
}

static void sftp_ready(void *user)
{
    Bench *bench = user;
    LyTransferOptions options = {.mode = UINT32_MAX, .done = transferred, .user = bench};
    LySftpClient *client = ly_sftp_client(bench->sftp);
    char **argument = bench->argument;
    LyError error;
    bool get = strcmp(argument[0], "get") == 0;
    check(get ? ly_fast_get(bench->loop, client, ly_bytes_str(argument[1]), argument[2], &options, &error)
              : ly_fast_put(bench->loop, client, argument[1], ly_bytes_str(argument[2]), &options, &error),
          &error);
}

static void sftp_closed(void *user, const LyError *error)
{
    bench_fail(error->message);
}

static void open_sftp(Bench *bench)
{
    LySftpEvents events = {.ready = sftp_ready, .closed = sftp_closed, .user = bench};
    LyError error;
    bench->begun_us = bench_now_us();
    bench->sftp = ly_sftp_new(bench->client, NULL, &events, &error);
    check(bench->sftp, &error);
}

/* --- programs --- */

typedef struct Running {
    Bench *bench;
    LyProgram *program;
} Running;

static void output(void *user, LyBytes data)
{
    Running *running = user;
    running->bench->bytes += data.len;
    ly_program_consumed(running->program, data.len);
}

static void start_program(Bench *bench, Running *running);

static void program_closed(void *user, const LyProgramEnd *end, const LyError *error)
{
    Running *running = user;
    Bench *bench = running->bench;
    check(!error, error);
    if (!end->exited || end->status != 0)
        bench_fail("a command failed");
    ly_program_free(running->program);
    running->program = NULL;
    bench->done++;
    if (bench->begun < bench->wanted)
        start_program(bench, running);
    else
        ly_free(running);
    if (bench->done == bench->wanted)
        finished(bench);
}

static void start_program(Bench *bench, Running *running)
{
    LyProgramOptions options = {.command = ly_bytes_str(bench->at_once ? "true" : bench->argument[1])};
    LyProgramEvents events = {
        .data = output, .stderr_data = output, .closed = program_closed, .user = running};
    LyError error;
    bench->begun++;
    running->program = ly_program_new(bench->client, &options, &events, &error);
    check(running->program, &error);
}

static void start_programs(Bench *bench)
{
    bench->begun_us = bench_now_us();
    for (unsigned i = 0; i < LY_MAX(bench->at_once, 1u) && bench->begun < bench->wanted; i++) {
        Running *running = ly_new(Running);
        running->bench = bench;
        start_program(bench, running);
    }
}

static void start_forward(Bench *bench)
{
    LyForwardEnd here = {.host = "127.0.0.1"},
                 there = {.host = "127.0.0.1", .port = (uint16_t)atoi(bench->argument[1])};
    LyError error;
    bench->forward = ly_forward_local(bench->client, &here, &there, NULL, &error);
    check(bench->forward, &error);
    printf("%u\n", (unsigned)ly_forward_port(bench->forward));
    fflush(stdout);
}

/* --- */

static void choose(Bench *bench, const char **kex)
{
    char **argument = bench->argument;
    unsigned count = argument[1] ? (unsigned)atoi(argument[1]) : 0;
    bench->wanted = 1;
    bench->begun_us = bench_now_us();
    if (strcmp(argument[0], "sign-in") == 0 && argument[1] && argument[2]) {
        *kex = argument[1];
        bench->wanted = (unsigned)atoi(argument[2]);
        bench->ready = signed_in;
    } else if (strcmp(argument[0], "idle") == 0 && count) {
        bench->wanted = count;
        bench->clients = ly_new_array(LyClient *, count);
        bench->ready = stays;
    } else if (strcmp(argument[0], "channels") == 0 && count && argument[2]) {
        bench->wanted = count;
        bench->at_once = (unsigned)atoi(argument[2]);
        bench->ready = start_programs;
    } else if (strcmp(argument[0], "exec") == 0 && argument[1]) {
        bench->ready = start_programs;
    } else if (strcmp(argument[0], "forward") == 0 && count) {
        bench->ready = start_forward;
    } else if (argument[1] && argument[2]) {
        bench->ready = open_sftp;
    } else {
        bench_fail("usage: library-client HOME PORT WORK ...");
    }
}

int main(int argc, char **argv)
{
    if (argc < 4)
        bench_fail("usage: library-client HOME PORT WORK ...");
    Bench bench = {.argument = argv + 3};
    const char *kex = "curve25519-sha256";
    struct rlimit files;
    signal(SIGPIPE, SIG_IGN);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    choose(&bench, &kex);
    LyCrypto *crypto = ly_crypto_new(0, NULL);
    bench.loop = ly_loop_new(NULL);
    bench.next = (LyTask){.func = connect_next, .user = &bench};
    bench.destination = bench_destination(crypto, kex, (uint16_t)atoi(argv[2]));
    bench.attempt = (LyAttempt){.kind = LY_ATTEMPT_PUBLICKEY, .key = bench_key(crypto, argv[1], "user")};
    bool waits = bench.ready == start_forward || bench.ready == stays;
    LyWatch *watch = waits ? ly_watch_new(bench.loop, 0, LY_READABLE, stdin_ended, &bench) : NULL;
    connect_one(&bench);
    ly_loop_run(bench.loop);
    ly_watch_free(watch);
    ly_forward_free(bench.forward);
    ly_sftp_free(bench.sftp);
    for (unsigned i = 0; bench.clients && i < bench.done; i++)
        ly_client_free(bench.clients[i]);
    ly_free(bench.clients);
    ly_client_free(bench.client);
    ly_destination_unref(bench.destination);
    ly_key_unref(bench.attempt.key);
    ly_loop_free(bench.loop);
    ly_crypto_unref(crypto);
    return 0;
}
