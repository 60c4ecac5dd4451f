/* library-server HOME serve: a server on core/loop whose commands do nothing, with success; whoever has
 * the key HOME/user signs in. Prints its port and goes when stdin ends.
 * library-server HOME pair KEX COUNT: client and server in this process over a pair of sockets, COUNT
 * connections one after the other, each until it is signed in (without proof). Prints the seconds. */
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "base/memory.h"
#include "library-common.h"
#include "loop/server.h"

typedef struct Bench {
    LyLoop *loop;
    LyDestination *destination;
    LyServerOptions options;
    LyClient *client;
    LyServer *server;
    LyTask next;
    unsigned wanted, done;
    bool pair;
} Bench;

static bool authenticate(void *user, LyServer *server, const LyUserauthRequest *request)
{
    Bench *bench = user;
    if (!bench->pair)
        return false;
    ly_userauth_server_accept(ly_server_userauth(server));
    return true;
}

static void command_event(void *user, const LyConnectionEvent *event)
{
    if (event->type == LY_CHANNEL_DATA || event->type == LY_CHANNEL_STDERR)
        ly_channel_consumed(event->channel, event->data.len);
}

static bool start(void *user, LyServer *server, LyServerChannel *session, const LyServerStart *start,
                  const LyConnectionEvent *event)
{
    LyChannel *channel = ly_server_channel(session);
    ly_channel_set_func(channel, command_event, NULL);
    if (event->want_reply)
        ly_channel_reply(channel, true);
    ly_channel_exit_status(channel, 0);
    ly_channel_eof(channel);
    ly_channel_close(channel);
    return true;
}

static void ended(void *user, LyServer *server)
{
    ly_server_free(server);
}

/* --- serve --- */

static void accepted(void *user, int fd, const struct sockaddr *address, socklen_t address_len)
{
    Bench *bench = user;
    LyServerPeer peer = {0};
    LyError error;
    ly_sockaddr_text(address, peer.address, &peer.port);
    if (!ly_server_new(bench->loop, &bench->options, ly_carrier_new_fds(bench->loop, fd, fd, NULL), &peer,
                       ended, bench, &error))
        bench_fail(error.message);
}

static void stdin_ended(void *user, unsigned events)
{
    Bench *bench = user;
    ly_loop_quit(bench->loop);
}

static void serve(Bench *bench)
{
    LyError error;
    LyListener *listener = ly_listener_new(bench->loop, "127.0.0.1", 0, accepted, bench, &error);
    if (!listener)
        bench_fail(error.message);
    printf("%u\n", (unsigned)ly_listener_port(listener));
    fflush(stdout);
    ly_watch_new(bench->loop, 0, LY_READABLE, stdin_ended, bench);
    ly_loop_run(bench->loop);
    exit(0); /* with the connections that are left */
}

/* --- pair --- */

static void pair_ended(void *user, LyServer *server)
{
    Bench *bench = user;
    ly_server_free(server);
    bench->server = NULL;
}

static void host_key(void *user, LyKey *key)
{
    Bench *bench = user;
    ly_client_host_key(bench->client, true);
}

static void ready(void *user)
{
    Bench *bench = user;
    bench->done++;
    ly_loop_defer(bench->loop, &bench->next);
}

static void closed(void *user, const LyError *error, bool final)
{
    bench_fail(error->message);
}

static void next_pair(void *user)
{
    Bench *bench = user;
    int fds[2];
    LyError error;
    LyServerPeer peer = {.address = "UNKNOWN", .local_address = "UNKNOWN"};
    LyClientEvents events = {.ready = ready, .closed = closed, .host_key = host_key, .user = bench};
    LyAttempt none = {.kind = LY_ATTEMPT_NONE};
    ly_client_free(bench->client);
    ly_server_free(bench->server);
    bench->client = NULL;
    bench->server = NULL;
    if (bench->done == bench->wanted) {
        ly_loop_quit(bench->loop);
        return;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
        bench_fail("socketpair");
    bench->server =
        ly_server_new(bench->loop, &bench->options, ly_carrier_new_fds(bench->loop, fds[0], fds[0], NULL),
                      &peer, pair_ended, bench, &error);
    if (!bench->server)
        bench_fail(error.message);
    bench->client = ly_client_new_over(bench->loop, bench->destination,
                                       ly_carrier_new_fds(bench->loop, fds[1], fds[1], NULL), &events);
    ly_client_set_attempts(bench->client, &none, 1);
}

static void run_pairs(Bench *bench, LyCrypto *crypto, const char *kex, unsigned count)
{
    bench->pair = true;
    bench->wanted = count;
    bench->destination = bench_destination(crypto, kex, 22);
    bench->next = (LyTask){.func = next_pair, .user = bench};
    uint64_t begun_us = bench_now_us();
    next_pair(bench);
    ly_loop_run(bench->loop);
    printf("%.6f\n", (double)(bench_now_us() - begun_us) / 1e6);
    ly_destination_unref(bench->destination);
}

int main(int argc, char **argv)
{
    char authorized_keys[512];
    if (argc < 3)
        bench_fail("usage: library-server HOME serve|pair ...");
    signal(SIGPIPE, SIG_IGN);
    LyCrypto *crypto = ly_crypto_new(0, NULL);
    LyKey *key = bench_key(crypto, argv[1], "host");
    snprintf(authorized_keys, sizeof authorized_keys, "%s/authorized_keys", argv[1]);
    Bench bench = {.loop = ly_loop_new(NULL)};
    bench.options = (LyServerOptions){
        .session.transport = {.crypto = crypto, .host_keys = &key, .host_key_count = 1},
        .authorized_keys = authorized_keys,
        .handlers = {.authenticate = authenticate, .start = start, .user = &bench},
    };
    bench.options.session.userauth.methods = "publickey";
    if (strcmp(argv[2], "serve") == 0)
        serve(&bench);
    else if (argc == 5 && strcmp(argv[2], "pair") == 0)
        run_pairs(&bench, crypto, argv[3], (unsigned)atoi(argv[4]));
    else
        bench_fail("usage: library-server HOME serve|pair ...");
    ly_loop_free(bench.loop);
    ly_key_unref(key);
    ly_crypto_unref(crypto);
    return 0;
}
