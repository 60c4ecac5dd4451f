/* core/loop/client.h beside the sign-in: limits and their sentences, what the server is asked and may ask,
 * proven host keys, and who is told of the end. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <unistd.h>

#include "client-rig.h"
#include "clock-ahead.h"

static void run_for_a_while(Rig *rig)
{
    for (int i = 0; i < 20; i++)
        ly_loop_run_once(rig->loop, 1000);
}

/* --- the three limits --- */

static void silent(Rig *rig, const LyUserauthRequest *request)
{
}

static void test_sign_in_limit(void)
{
    Rig rig;
    rig_init(&rig);
    rig.authenticate = silent;
    rig.destination_options.auth_timeout_us = 50000;
    rig_start(&rig);
    RUN_UNTIL(rig.loop, rig.closed);
    g_assert_cmpstr(rig.error.message, ==, "the sign-in to alice@example.test port 22 timed out after 50 ms");
    g_assert_cmpint(rig.error.code, ==, LY_ERROR_TIMEOUT);
    g_assert_false(rig.final);
    rig_clear(&rig);
}

static void test_key_exchange_limit(void)
{
    Rig rig;
    int fds[2];
    rig_init(&rig);
    rig.destination_options.kex_timeout_us = 50000;
    socket_pair(fds);
    rig.client = ly_client_new_over(rig.loop, rig_destination(&rig),
                                    ly_carrier_new_fds(rig.loop, fds[1], fds[1], NULL), &rig.events);
    RUN_UNTIL(rig.loop, rig.closed);
    g_assert_cmpstr(rig.error.message, ==,
                    "the key exchange with alice@example.test port 22 timed out after 50 ms");
    g_assert_false(rig.final);
    close(fds[0]);
    rig_clear(&rig);
}

static void no_answer(void *user, LyKey *key)
{
    Rig *rig = user;
    rig->step++;
}

static void no_attempt(void *user, const LyNextAttempt *next)
{
    Rig *rig = user;
    rig->step++;
}

/* Neither clock runs while a question is open: longer than each limit, for both questions at the same time.
 */
static void test_clocks_stand(void)
{
    Rig key, attempt;
    rig_init(&key);
    key.destination_options.kex_timeout_us = 1000000;
    key.events.host_key = no_answer;
    rig_start(&key);
    rig_init(&attempt);
    attempt.destination_options.auth_timeout_us = 1000000;
    attempt.events.next_attempt = no_attempt;
    rig_start(&attempt);
    RUN_UNTIL(key.loop, key.step == 1);
    RUN_UNTIL(attempt.loop, attempt.step == 1);
    ahead_us += 1050000;
    run_for_a_while(&key);
    run_for_a_while(&attempt);
    g_assert_false(key.closed);
    g_assert_false(attempt.closed);
    ly_client_host_key(key.client, true);
    ly_client_attempt(attempt.client, &(LyAttempt){.kind = LY_ATTEMPT_NONE});
    RUN_UNTIL(key.loop, key.ready || key.closed);
    RUN_UNTIL(attempt.loop, attempt.ready || attempt.closed);
    g_assert_true(key.ready && attempt.ready);
    rig_clear(&key);
    rig_clear(&attempt);
}

/* --- a connection of its own: ident, local port, TCP_NODELAY --- */

typedef struct Accepted {
    int fd;
    uint16_t port;
} Accepted;

static void accepted(void *user, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    Accepted *got = user;
    char text[46];
    got->fd = fd;
    ly_sockaddr_text(peer, text, &got->port);
}

static uint16_t free_port(Rig *rig)
{
    LyListener *listener = ly_listener_new(rig->loop, "127.0.0.1", 0, accepted, NULL, NULL);
    uint16_t port = ly_listener_port(listener);
    ly_listener_free(listener);
    return port;
}

/* Our end of the connection to this port on loopback. */
static int find_socket(uint16_t local_port)
{
    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_in address;
        socklen_t len = sizeof address;
        if (getsockname(fd, (struct sockaddr *)&address, &len) == 0 && address.sin_family == AF_INET &&
            ntohs(address.sin_port) == local_port)
            return fd;
    }
    return -1;
}

static int no_delay(int fd)
{
    int on = -1;
    socklen_t len = sizeof on;
    g_assert_cmpint(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), ==, 0);
    return on;
}

/* Defect 18: Nagle's algorithm was left on. */
static void test_no_delay(void)
{
    Rig rig;
    Accepted got = {.fd = -1};
    rig_init(&rig);
    LyListener *listener = ly_listener_new(rig.loop, "127.0.0.1", 0, accepted, &got, NULL);
    rig.destination_options.host = "127.0.0.1";
    rig.destination_options.port = ly_listener_port(listener);
    rig.destination_options.bind_port = free_port(&rig);
    rig.destination_options.ident = "Test_1.0 of ours";
    rig.client = ly_client_new(rig.loop, rig_destination(&rig), &rig.events);
    ly_client_set_no_delay(rig.client, false); /* not yet connected: nothing */
    RUN_UNTIL(rig.loop, got.fd >= 0);
    g_assert_cmpuint(got.port, ==, rig.destination_options.bind_port);
    rig_serve(&rig, got.fd);
    RUN_UNTIL(rig.loop, rig.ready || rig.closed);
    g_assert_true(rig.ready);
    LyBytes ident = ly_transport_peer_ident(ly_session_transport(ly_drive_session(rig.server)));
    g_assert_true(ly_bytes_is(ident, "SSH-2.0-Test_1.0 of ours"));
    int fd = find_socket(got.port);
    g_assert_cmpint(no_delay(fd), ==, 1);
    ly_client_set_no_delay(rig.client, false);
    g_assert_cmpint(no_delay(fd), ==, 0);
    ly_client_set_no_delay(rig.client, true);
    g_assert_cmpint(no_delay(fd), ==, 1);
    ly_listener_free(listener);
    rig_clear(&rig);
}

static void test_connect_limit(void)
{
    Rig rig;
    rig_init(&rig);
    rig.destination_options.host = "192.0.2.1"; /* RFC 5737: nobody */
    rig.destination_options.connect_timeout_us = 50000;
    rig.client = ly_client_new(rig.loop, rig_destination(&rig), &rig.events);
    RUN_UNTIL(rig.loop, rig.closed);
    /* where there is no way at all the system says so at once */
    if (rig.error.code == LY_ERROR_TIMEOUT)
        g_assert_cmpstr(rig.error.message, ==, "cannot connect to 192.0.2.1 port 22: timed out after 50 ms");
    rig_clear(&rig);
}

/* --- what is asked of the server --- */

/* Defect 17: a pattern took "anything with two digits" for OpenSSH. */
static void test_vendor(void)
{
    static const struct {
        const char *ident;
        bool speaks;
    } cases[] = {
        {"OpenSSH_9.2p1 Debian-2", true},
        {"OpenSSH_5.0", true},
        {"OpenSSH_10.0", true},
        {"OpenSSH_4.9", false},
        {"OpenSSH_", false},
        {"NotOpenSSH_9.0", false},
        {"Foo_42", false},
        {"dropbear_2022.83", false},
        {"OpenSSH_for_Windows_8.6", true},
        {"Lanyard_0.1", true},
        {"x OpenSSH_9.2", false},
        {"OpenSSH_0042", true},
    };
    for (size_t i = 0; i < LY_COUNT(cases); i++) {
        Rig rig;
        rig_init(&rig);
        rig.server_options.transport.ident = cases[i].ident;
        rig_start(&rig);
        RUN_UNTIL(rig.loop, rig.ready || rig.closed);
        g_assert_true(rig.ready);
        if (ly_client_speaks_openssh(rig.client) != cases[i].speaks)
            g_error("%s", cases[i].ident);
        rig_clear(&rig);
    }
    Rig rig;
    rig_init(&rig);
    rig.server_options.transport.ident = "Foo_42";
    rig.destination_options.any_vendor = true;
    rig_start(&rig);
    RUN_UNTIL(rig.loop, rig.ready);
    g_assert_true(ly_client_speaks_openssh(rig.client));
    rig_clear(&rig);
}

static void count_global(Rig *rig, const LyConnectionEvent *event)
{
    if (event->type != LY_GLOBAL_REQUEST)
        return;
    g_string_append_printf(rig->asked, "<%.*s%s> ", (int)event->text.len, (const char *)event->text.data,
                           event->want_reply ? " ?" : "");
    if (rig->step == 0 && event->want_reply)
        ly_global_reply(server_connection(rig), ly_bytes_is(event->text, "tcpip-forward"), LY_BYTES("port"));
}

static void global_done(void *user, bool success, LyBytes data)
{
    GString *done = user;
    g_string_append_printf(done, "%d%.*s ", success, (int)data.len, (const char *)data.data);
}

static void own_reply(void *user, const LyConnectionEvent *event)
{
    Rig *rig = user;
    if (event->type == LY_GLOBAL_REPLY)
        g_string_append_printf(rig->own, "own %u ", event->number);
}

static void test_global_requests(void)
{
    Rig rig;
    rig_init(&rig);
    g_autoptr(GString) done = g_string_new(NULL);
    g_autoptr(GString) forgotten = g_string_new(NULL);
    rig.own = done;
    rig.server_event = count_global;
    rig.events.event = own_reply;
    rig_start(&rig);
    ly_client_global_request(rig.client, LY_BYTES("tcpip-forward"), (LyBytes){0}, global_done, done);
    g_assert_cmpstr(done->str, ==, "0 "); /* there is no connection yet */
    RUN_UNTIL(rig.loop, rig.ready);
    ly_client_global_request(rig.client, LY_BYTES("tcpip-forward"), (LyBytes){0}, global_done, done);
    ly_global_request(ly_session_connection(ly_client_session(rig.client)), LY_BYTES("cancel-tcpip-forward"),
                      true, 7, (LyBytes){0});
    ly_client_global_request(rig.client, LY_BYTES("tcpip-forward"), (LyBytes){0}, global_done, forgotten);
    ly_client_global_request(rig.client, LY_BYTES("cancel-tcpip-forward"), (LyBytes){0}, global_done, done);
    ly_client_forget_requests(rig.client, forgotten);
    ly_client_no_more_sessions(rig.client);
    RUN_UNTIL(rig.loop, strcmp(done->str, "0 1port own 7 0 ") == 0);
    g_assert_cmpstr(forgotten->str, ==, "");
    /* open ones are told of the end, whoever makes it */
    rig.step = 1;
    ly_client_global_request(rig.client, LY_BYTES("tcpip-forward"), (LyBytes){0}, global_done, done);
    run_for_a_while(&rig);
    g_assert_nonnull(strstr(rig.asked->str, "<tcpip-forward ?> "));
    ly_client_free(rig.client);
    rig.client = NULL;
    g_assert_cmpstr(done->str, ==, "0 1port own 7 0 0 ");
    g_assert_false(rig.closed);
    rig_clear(&rig);
}

/* --- channels of the server, and the end --- */

typedef struct Taker {
    LyAcceptor acceptor;
    LyDependent dependent;
    const char *type;
    unsigned asked, ended;
    LyErrorCode code;
} Taker;

static void dropped(void *user, const LyConnectionEvent *event)
{
}

static bool take(void *user, const LyConnectionEvent *event)
{
    Taker *taker = user;
    taker->asked++;
    if (!ly_bytes_is(event->text, taker->type))
        return false;
    LyChannelOptions options = {.func = dropped};
    ly_channel_accept(event->channel, &options, (LyBytes){0});
    return true;
}

static void taker_ended(void *user, const LyError *error)
{
    Taker *taker = user;
    taker->ended++;
    taker->code = error ? error->code : LY_ERROR_CANCELLED;
}

static void count_answers(Rig *rig, const LyConnectionEvent *event)
{
    if (event->type == LY_CHANNEL_OPENED)
        g_string_append(rig->asked, "opened ");
    if (event->type == LY_CHANNEL_OPEN_FAILED)
        g_string_append(rig->asked, "refused ");
}

static void test_acceptors(void)
{
    for (int freed = 0; freed < 2; freed++) {
        Rig rig;
        rig_init(&rig);
        Taker agents = {.type = "auth-agent@openssh.com"}, x11 = {.type = "x11"}, removed = {.type = "x11"};
        Taker *all[] = {&removed, &agents, &x11};
        rig.server_event = count_answers;
        rig_start(&rig);
        for (size_t i = 0; i < LY_COUNT(all); i++) {
            all[i]->acceptor = (LyAcceptor){.open_request = take, .user = all[i]};
            all[i]->dependent = (LyDependent){.ended = taker_ended, .user = all[i]};
            ly_client_add_acceptor(rig.client, &all[i]->acceptor);
            ly_client_add_dependent(rig.client, &all[i]->dependent);
        }
        ly_client_remove_acceptor(&removed.acceptor);
        ly_client_remove_dependent(&removed.dependent);
        RUN_UNTIL(rig.loop, rig.ready && rig.server_ready);
        /* the engine lets through what was asked for: say so, for a session that is not there */
        LyConnection *connection = ly_session_connection(ly_client_session(rig.client));
        ly_global_request(connection, LY_BYTES("tcpip-forward"), false, 0, (LyBytes){0});
        g_string_truncate(rig.asked, 0);
        LyChannelOptions options = {0};
        ly_channel_open(server_connection(&rig), LY_BYTES("forwarded-tcpip"), (LyBytes){0}, &options);
        agents.type = "forwarded-tcpip";
        ly_channel_open(server_connection(&rig), LY_BYTES("x11"), (LyBytes){0}, &options);
        ly_drive_wake(rig.server);
        RUN_UNTIL(rig.loop, strlen(rig.asked->str) > 14);
        g_assert_cmpstr(rig.asked->str, ==, "opened refused ");
        g_assert_cmpuint(agents.asked, ==, 1);
        g_assert_cmpuint(x11.asked + removed.asked, ==, 0);
        if (freed) {
            ly_client_free(rig.client);
            rig.client = NULL;
        } else {
            ly_transport_disconnect(ly_session_transport(ly_drive_session(rig.server)),
                                    SSH_DISCONNECT_BY_APPLICATION, "enough");
            ly_drive_wake(rig.server);
            RUN_UNTIL(rig.loop, rig.closed);
        }
        g_assert_cmpuint(agents.ended + x11.ended, ==, 2);
        g_assert_cmpuint(removed.ended, ==, 0);
        g_assert_cmpint(x11.code, ==, freed ? LY_ERROR_CANCELLED : LY_OK);
        ly_client_remove_acceptor(&x11.acceptor);
        rig_clear(&rig);
    }
}

/* --- host keys --- */

typedef struct Announcer {
    LyKey *keys[3];
    LyBytes more; /* announced, but nobody has it */
    const char *rsa_algorithm;
    int forge; /* this proof is another key's; -1: none */
    size_t told;
    LyKey *last;
} Announcer;

static void prove(Rig *rig, const LyConnectionEvent *event)
{
    Announcer *announcer = rig->own;
    LyReader reader = ly_reader(event->data);
    LyBuf proofs = {0};
    if (event->type != LY_GLOBAL_REQUEST || !ly_bytes_is(event->text, "hostkeys-prove-00@openssh.com"))
        return;
    rig->step++;
    for (int i = 0; reader.len; i++) {
        LyBytes blob = ly_get_string(&reader);
        LyBuf message = {0}, signature = {0};
        LyKey *key = announcer->keys[i == announcer->forge ? (i + 1) % 3 : i];
        ly_put_cstring(&message, "hostkeys-prove-00@openssh.com");
        ly_put_string(&message, ly_transport_session_id(ly_session_transport(ly_drive_session(rig->server))));
        ly_put_string(&message, blob);
        bool rsa = ly_key_type(key)->pk == LY_PK_RSA;
        g_assert_true(ly_key_sign(key, rsa ? ly_bytes_str(announcer->rsa_algorithm) : (LyBytes){0},
                                  ly_buf_bytes(&message), &signature, NULL));
        ly_put_string(&proofs, ly_buf_bytes(&signature));
        ly_buf_free(&message);
        ly_buf_free(&signature);
    }
    ly_global_reply(server_connection(rig), true, ly_buf_bytes(&proofs));
    ly_buf_free(&proofs);
}

static void told_host_keys(void *user, LyKey *const *keys, size_t count)
{
    Rig *rig = user;
    Announcer *announcer = rig->own;
    announcer->told = count;
    announcer->last = keys[count - 1];
    for (size_t i = 0; i < count; i++)
        g_assert_false(ly_key_is_private(keys[i]));
}

static void announce(Rig *rig)
{
    Announcer *announcer = rig->own;
    LyBuf data = {0};
    for (size_t i = 0; i < LY_COUNT(announcer->keys); i++)
        ly_put_string(&data, ly_key_blob(announcer->keys[i]));
    ly_put_string(&data, ly_key_blob(announcer->keys[0])); /* again */
    ly_put_string(&data, LY_BYTES("\0\0\0\7unknown and more"));
    ly_global_request(server_connection(rig), LY_BYTES("hostkeys-00@openssh.com"), false, 0,
                      ly_buf_bytes(&data));
    ly_drive_wake(rig->server);
    ly_buf_free(&data);
}

static void test_host_keys(void)
{
    static const struct {
        const char *ident, *rsa_algorithm;
        int forge;
        bool rsa_exchange; /* the key exchange is by the RSA key, and rsa-sha2-256 */
        size_t told;
    } cases[] = {
        {"OpenSSH_9.2", "rsa-sha2-512", -1, false, 3}, {"OpenSSH_9.2", "rsa-sha2-256", -1, false, 3},
        {"OpenSSH_9.2", "ssh-rsa", -1, false, 2},      {"OpenSSH_9.2", "rsa-sha2-512", 0, false, 2},
        {"Other_1", "rsa-sha2-512", -1, false, 0},     {"OpenSSH_9.2", "rsa-sha2-256", -1, true, 3},
        {"OpenSSH_9.2", "rsa-sha2-512", -1, true, 2},
    };
    LyCrypto *keeper = ly_crypto_new(0, NULL);
    LyKey *rsa = ly_key_generate(keeper, LY_PK_RSA, 2048, (LyBytes){0}, NULL);
    for (size_t i = 0; i < LY_COUNT(cases); i++) {
        Rig rig;
        rig_init(&rig);
        Announcer announcer = {.keys = {rig.host_key, rsa, rig.other_key},
                               .rsa_algorithm = cases[i].rsa_algorithm,
                               .forge = cases[i].forge};
        static const char *const settings[] = {
            "UserKnownHostsFile=none", "GlobalKnownHostsFile=none",      "IdentityFile=none",
            "IdentityAgent=none",      "HostKeyAlgorithms=rsa-sha2-256", NULL};
        rig.own = &announcer;
        rig.server_event = prove;
        rig.events.host_keys = told_host_keys;
        rig.server_options.transport.ident = cases[i].ident;
        if (cases[i].rsa_exchange) {
            rig.server_options.transport.host_keys = &rsa;
            rig.destination_options.settings = settings;
        }
        rig_start(&rig);
        RUN_UNTIL(rig.loop, rig.ready && rig.server_ready);
        announce(&rig);
        if (cases[i].told)
            RUN_UNTIL(rig.loop, announcer.told);
        else
            run_for_a_while(&rig);
        g_assert_cmpuint(announcer.told, ==, cases[i].told);
        g_assert_cmpuint(rig.step, ==, cases[i].told ? 1 : 0);
        if (cases[i].told)
            g_assert_false(rig.closed);
        rig_clear(&rig);
    }
    ly_key_unref(rsa);
    ly_crypto_unref(keeper);
}

typedef struct Hostile {
    LyKey *keys[40];
    size_t asked, proofs_len; /* keys in the last request; bytes of proofs that are sent */
    size_t told;
} Hostile;

static void prove_in_part(Rig *rig, const LyConnectionEvent *event)
{
    Hostile *hostile = rig->own;
    LyReader reader = ly_reader(event->data);
    LyBuf proofs = {0};
    if (event->type != LY_GLOBAL_REQUEST || !ly_bytes_is(event->text, "hostkeys-prove-00@openssh.com"))
        return;
    hostile->asked = 0;
    while (reader.len) {
        LyBuf message = {0}, signature = {0};
        LyBytes blob = ly_get_string(&reader);
        ly_put_cstring(&message, "hostkeys-prove-00@openssh.com");
        ly_put_string(&message, ly_transport_session_id(ly_session_transport(ly_drive_session(rig->server))));
        ly_put_string(&message, blob);
        g_assert_true(ly_key_sign(hostile->keys[hostile->asked++], (LyBytes){0}, ly_buf_bytes(&message),
                                  &signature, NULL));
        ly_put_string(&proofs, ly_buf_bytes(&signature));
        ly_buf_free(&message);
        ly_buf_free(&signature);
    }
    rig->step++;
    ly_global_reply(server_connection(rig), true,
                    ly_bytes_slice(ly_buf_bytes(&proofs), 0, hostile->proofs_len));
    ly_buf_free(&proofs);
}

static void count_host_keys(void *user, LyKey *const *keys, size_t count)
{
    Rig *rig = user;
    ((Hostile *)rig->own)->told = count;
}

/* Announcements and proofs cut off at each length; more keys than anybody has; all on one connection, which
 * goes on. */
static void test_host_keys_hostile(void)
{
    Rig rig;
    Hostile hostile = {0};
    rig_init(&rig);
    for (size_t i = 0; i < LY_COUNT(hostile.keys); i++)
        hostile.keys[i] = ly_key_generate(rig.crypto, LY_PK_ED25519, 0, (LyBytes){0}, NULL);
    rig.own = &hostile;
    rig.server_event = prove_in_part;
    rig.events.host_keys = count_host_keys;
    rig_start(&rig);
    RUN_UNTIL(rig.loop, rig.ready && rig.server_ready);
    LyBuf data = {0};
    for (size_t i = 0; i < LY_COUNT(hostile.keys); i++)
        ly_put_string(&data, ly_key_blob(hostile.keys[i]));
    LyBytes all = ly_buf_bytes(&data);
    size_t one = 4 + ly_key_blob(hostile.keys[0]).len;
    for (size_t len = 0; len < 2 * one; len++)
        ly_global_request(server_connection(&rig), LY_BYTES("hostkeys-00@openssh.com"), false, 0,
                          ly_bytes_slice(all, 0, len));
    ly_drive_wake(rig.server);
    run_for_a_while(&rig);
    g_assert_cmpuint(rig.step, ==, 1); /* one key, whole; its proof is cut off */
    for (hostile.proofs_len = 0; hostile.proofs_len < 40 && !hostile.told; hostile.proofs_len++) {
        unsigned step = rig.step;
        ly_global_request(server_connection(&rig), LY_BYTES("hostkeys-00@openssh.com"), false, 0,
                          ly_bytes_slice(all, 0, 2 * one));
        ly_drive_wake(rig.server);
        RUN_UNTIL(rig.loop, rig.step > step);
        g_assert_cmpuint(hostile.asked, ==, 2);
        ly_loop_run_once(rig.loop, 1000);
    }
    run_for_a_while(&rig);
    g_assert_cmpuint(hostile.told, ==, 0);
    hostile.proofs_len = 100000;
    ly_global_request(server_connection(&rig), LY_BYTES("hostkeys-00@openssh.com"), false, 0, all);
    ly_drive_wake(rig.server);
    RUN_UNTIL(rig.loop, hostile.told);
    g_assert_cmpuint(hostile.asked, ==, 32);
    g_assert_cmpuint(hostile.told, ==, 32);
    g_assert_false(rig.closed);
    ly_buf_free(&data);
    for (size_t i = 0; i < LY_COUNT(hostile.keys); i++)
        ly_key_unref(hostile.keys[i]);
    rig_clear(&rig);
}

/* --- silence --- */

static void test_keepalive(void)
{
    Rig rig;
    rig_init(&rig);
    rig.destination_options.keepalive_us = 20000;
    rig_start(&rig);
    RUN_UNTIL(rig.loop, rig.ready);
    for (int i = 0; i < 20; i++)
        ly_loop_run_once(rig.loop, 10000); /* the server answers */
    g_assert_false(rig.closed);
    int silent_end = -1;
    for (int fd = 3; fd < 256 && silent_end < 0; fd++) { /* keeps the server's socket open when it is gone */
        struct sockaddr_un address;
        socklen_t len = sizeof address;
        if (getsockname(fd, (struct sockaddr *)&address, &len) == 0 && address.sun_family == AF_UNIX)
            silent_end = dup(fd);
    }
    ly_drive_free(rig.server);
    rig.server = NULL;
    RUN_UNTIL(rig.loop, rig.closed);
    g_assert_cmpint(rig.error.code, ==, LY_ERROR_TIMEOUT);
    close(silent_end);
    rig_clear(&rig);
}

/* --- what happens below --- */

static void note_transport(void *user, const LyTransportEvent *event)
{
    Rig *rig = user;
    if (event->type == LY_TRANSPORT_GREETING)
        g_string_append_printf(rig->own, "greeting %.*s, ", (int)event->bytes.len,
                               (const char *)event->bytes.data);
    if (event->type == LY_TRANSPORT_IDENT)
        g_string_append_printf(rig->own, "ident %.*s, ", (int)event->bytes.len,
                               (const char *)event->bytes.data);
    if (event->type == LY_TRANSPORT_NEWKEYS) {
        LyBytes kex = ly_transport_negotiated(ly_session_transport(ly_client_session(rig->client)))->kex;
        g_string_append_printf(rig->own, "%s keys by %.*s, ", event->initial ? "first" : "new", (int)kex.len,
                               (const char *)kex.data);
    }
    g_assert_cmpint(event->type, !=, LY_TRANSPORT_HOST_KEY);
}

/* Defect 10: the client began no key exchange of its own. Here it does when it is told to, and when the limit
 * of bytes is reached, while data flows. */
static void echo_nothing(Rig *rig, const LyConnectionEvent *event)
{
    if (event->type == LY_CHANNEL_OPEN_REQUEST)
        ly_channel_accept(event->channel, &(LyChannelOptions){0}, (LyBytes){0});
    if (event->type == LY_CHANNEL_DATA) {
        rig->step += (unsigned)event->data.len;
        ly_channel_consumed(event->channel, event->data.len);
    }
}

static void send_much(void *user, const LyConnectionEvent *event)
{
    static const uint8_t zeros[65536];
    Rig *rig = user;
    LyBytes part = ly_bytes(zeros, sizeof zeros);
    if (event->type == LY_CHANNEL_OPENED || event->type == LY_CHANNEL_WINDOW)
        while (rig->step < 4000000 && ly_channel_send(event->channel, &part, 1) == part.len)
            ;
}

static void test_rekey(void)
{
    static const char *const settings[] = {"UserKnownHostsFile=none", "GlobalKnownHostsFile=none",
                                           "IdentityFile=none",       "IdentityAgent=none",
                                           "RekeyLimit=256K",         NULL};
    Rig rig;
    rig_init(&rig);
    g_autoptr(GString) seen = g_string_new(NULL);
    rig.own = seen;
    rig.events.transport = note_transport;
    rig.server_event = echo_nothing;
    rig.destination_options.settings = settings;
    rig_start(&rig);
    RUN_UNTIL(rig.loop, rig.ready);
    LyChannelOptions options = {.func = send_much, .user = &rig};
    ly_channel_open(ly_session_connection(ly_client_session(rig.client)), LY_BYTES("session"), (LyBytes){0},
                    &options);
    ly_client_flush(rig.client);
    RUN_UNTIL(rig.loop, rig.step >= 4000000);
    unsigned count = 0;
    for (const char *at = seen->str; (at = strstr(at, "new keys")); at++)
        count++;
    g_assert_cmpuint(count, >=, 3);
    g_assert_false(rig.closed);
    rig_clear(&rig);
}

static void test_transport_events(void)
{
    Rig rig;
    rig_init(&rig);
    g_autoptr(GString) seen = g_string_new(NULL);
    rig.own = seen;
    rig.events.transport = note_transport;
    rig.server_options.transport.ident = "Test_1";
    rig.server_options.transport.greeting = "mind the gap";
    rig_start(&rig);
    RUN_UNTIL(rig.loop, rig.ready);
    g_assert_cmpstr(seen->str, ==,
                    "greeting mind the gap, ident SSH-2.0-Test_1, first keys by curve25519-sha256, ");
    g_string_truncate(seen, 0);
    ly_transport_rekey(ly_session_transport(ly_client_session(rig.client)));
    ly_client_flush(rig.client);
    RUN_UNTIL(rig.loop, seen->len);
    g_assert_cmpstr(seen->str, ==, "new keys by curve25519-sha256, ");
    rig_clear(&rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/client/limits/connecting", test_connect_limit);
    g_test_add_func("/client/limits/key-exchange", test_key_exchange_limit);
    g_test_add_func("/client/limits/sign-in", test_sign_in_limit);
    g_test_add_func("/client/limits/stand-while-asking", test_clocks_stand);
    g_test_add_func("/client/defect-17-vendor-check", test_vendor);
    g_test_add_func("/client/defect-18-no-delay", test_no_delay);
    g_test_add_func("/client/global-requests", test_global_requests);
    g_test_add_func("/client/acceptors-and-dependents", test_acceptors);
    g_test_add_func("/client/host-keys", test_host_keys);
    g_test_add_func("/client/host-keys-hostile", test_host_keys_hostile);
    g_test_add_func("/client/keepalive", test_keepalive);
    g_test_add_func("/client/defect-10-rekey", test_rekey);
    g_test_add_func("/client/transport-events", test_transport_events);
    return g_test_run();
}
