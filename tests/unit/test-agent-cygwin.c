/* The Cygwin transport from both ends on loopback, and what else ly_agent_connect takes:
 * agent/cygwin-listen.c against core/loop/agent*.c, and each against hostile peers. */
#include <glib.h>
#include <glib/gstdio.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/cygwin.h"
#include "base/memory.h"
#include "cygwin-listen.h"
#include "loop/agent.h"

#define WAIT_US ((uint64_t)10 * 1000 * 1000)

/* The agent: every client gets its request back with one byte in front. */

struct Serve {
    LyLoop *loop;
    unsigned clients, served;
    LyAgentPeer peer;
};

typedef struct Client {
    Serve *serve;
    int fd;
    LyWatch *watch;
} Client;

static void client_readable(void *user, unsigned events)
{
    Client *client = user;
    uint8_t bytes[1024];
    ssize_t count = recv(client->fd, bytes + 1, sizeof bytes - 1, 0);
    if (count > 4) {
        client->serve->served++;
        memmove(bytes, bytes + 1, 4);
        bytes[3]++;
        bytes[4] = 'r';
        g_assert_cmpint(send(client->fd, bytes, (size_t)count + 1, MSG_NOSIGNAL), ==, count + 1);
    } else if (count == 0 || errno != EAGAIN) {
        client->serve->clients--;
        ly_watch_free(client->watch);
        close(client->fd);
        g_free(client);
    }
}

void serve_client(Serve *serve, int fd, const LyAgentPeer *peer, LyBytes first)
{
    Client *client = g_new0(Client, 1);
    client->serve = serve;
    client->fd = fd;
    client->watch = ly_watch_new(serve->loop, fd, LY_READABLE, client_readable, client);
    serve->clients++;
    serve->peer = *peer;
    g_assert_cmpuint(first.len, ==, 0);
}

typedef struct Fixture {
    char *dir, *path;
    LyLoop *loop;
    LyCrypto *crypto;
    Serve serve;
    CygwinListener *listener;
    LyCygwinFile file;
} Fixture;

static CygwinListener *listen_at(Fixture *fixture, LyError *error)
{
    return cygwin_listener_new(fixture->loop, fixture->crypto, &fixture->serve, fixture->path, (LyLog){0},
                               error);
}

static LyCygwinFile read_file(const char *path)
{
    LyCygwinFile file;
    char *text;
    gsize len;
    g_assert_true(g_file_get_contents(path, &text, &len, NULL));
    g_assert_true(ly_get_cygwin_file(ly_bytes(text, len), &file, NULL));
    g_free(text);
    return file;
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->dir = g_dir_make_tmp("lanyard-XXXXXX", NULL);
    fixture->path = g_build_filename(fixture->dir, "agent", NULL);
    fixture->loop = ly_loop_new(NULL);
    fixture->crypto = ly_crypto_new(0, NULL);
    fixture->serve = (Serve){.loop = fixture->loop};
    LyError error = {0};
    fixture->listener = listen_at(fixture, &error);
    g_assert_cmpstr(error.message, ==, "");
    fixture->file = read_file(fixture->path);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    cygwin_listener_free(fixture->listener);
    while (fixture->serve.clients)
        ly_loop_run_once(fixture->loop, WAIT_US);
    ly_loop_free(fixture->loop);
    ly_crypto_unref(fixture->crypto);
    g_unlink(fixture->path);
    g_assert_cmpint(g_rmdir(fixture->dir), ==, 0); /* nothing was left aside */
    g_free(fixture->path);
    g_free(fixture->dir);
}

/* A client of the test's own: blocking writes, and the loop runs while it waits. */

static int raw_connect(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(connect(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
    return fd;
}

static void raw_send(int fd, const void *bytes, size_t len)
{
    g_assert_cmpint(send(fd, bytes, len, MSG_NOSIGNAL), ==, (ssize_t)len);
}

/* Bytes until there are `len`, or the end: 0, or none for 20 ms: -1. */
static ssize_t raw_receive(Fixture *fixture, int fd, void *bytes, size_t len)
{
    for (int i = 0; i < 10; i++) {
        ly_loop_run_once(fixture->loop, 2000);
        ssize_t count = recv(fd, bytes, len, MSG_PEEK | MSG_DONTWAIT);
        if (count == (ssize_t)len)
            return recv(fd, bytes, len, 0);
        if (count == 0 || (count < 0 && errno != EAGAIN))
            return 0;
    }
    return -1;
}

static void test_bytewise(Fixture *fixture, gconstpointer data)
{
    static const uint8_t credentials[] = {1, 2, 3, 4, 0xe8, 3, 0, 0, 0xe9, 3, 0, 0};
    uint8_t got[28];
    int fd = raw_connect(fixture->file.port);
    for (size_t i = 0; i < 28; i++) {
        raw_send(fd, i < 16 ? &fixture->file.secret[i] : &credentials[i - 16], 1);
        for (int k = 0; k < 3; k++)
            ly_loop_run_once(fixture->loop, 200);
        if (i < 27)
            g_assert_cmpuint(fixture->serve.clients, ==, 0);
        if (i == 15) {
            g_assert_cmpint(raw_receive(fixture, fd, got, 16), ==, 16);
            g_assert_cmpmem(got, 16, fixture->file.secret, 16);
        } else if (i < 27) {
            g_assert_cmpint(recv(fd, got, 1, MSG_DONTWAIT), ==, -1);
        }
    }
    g_assert_cmpint(raw_receive(fixture, fd, got, 12), ==, 12);
    g_assert_cmpuint(fixture->serve.clients, ==, 1);
    g_assert_cmpmem(got + 4, 8, credentials + 4, 8); /* its own uid and gid */
    g_assert_cmpstr(fixture->serve.peer.transport, ==, "cygwin");
    g_assert_cmpint(fixture->serve.peer.pid, ==, 0x04030201);
    g_assert_cmpint(fixture->serve.peer.uid, ==, 1000);
    g_assert_true(fixture->serve.peer.claimed);
    raw_send(fd, "\0\0\0\2hi", 6);
    g_assert_cmpint(raw_receive(fixture, fd, got, 7), ==, 7);
    g_assert_cmpmem(got, 7, "\0\0\0\3rhi", 7);
    close(fd);
}

/* All at once: what stands behind the handshake is the agent's. */
static void test_pipelined(Fixture *fixture, gconstpointer data)
{
    uint8_t all[34] = {0}, got[35];
    int fd = raw_connect(fixture->file.port);
    memcpy(all, fixture->file.secret, 16);
    memcpy(all + 28, "\0\0\0\2hi", 6);
    raw_send(fd, all, sizeof all);
    g_assert_cmpint(raw_receive(fixture, fd, got, 35), ==, 35);
    g_assert_cmpmem(got + 28, 7, "\0\0\0\3rhi", 7);
    close(fd);
}

static void test_turned_away(Fixture *fixture, gconstpointer data)
{
    uint8_t wrong[28] = {0}, got;
    memcpy(wrong, fixture->file.secret, 16);
    wrong[15] ^= 0x80;
    for (size_t len = 0; len <= sizeof wrong; len++) {
        int fd = raw_connect(fixture->file.port);
        raw_send(fd, wrong, len);
        if (len < 16)
            shutdown(fd, SHUT_WR);
        g_assert_cmpint(raw_receive(fixture, fd, &got, 1), ==, 0); /* closed without a word */
        close(fd);
    }
    g_assert_cmpuint(fixture->serve.clients, ==, 0);
}

/* Requests through ly_agent_connect. */

typedef struct Answer {
    unsigned good, failed;
    LyError error;
} Answer;

static void answered(void *user, LyBytes reply, const LyError *error)
{
    Answer *answer = user;
    if (error) {
        answer->failed++;
        answer->error = *error;
    } else {
        g_assert_true(ly_bytes_is(reply, "rhi"));
        answer->good++;
    }
}

static void run_until(Fixture *fixture, const Answer *answer, unsigned count)
{
    gint64 until = g_get_monotonic_time() + (gint64)WAIT_US;
    while (answer->good + answer->failed < count && g_get_monotonic_time() < until)
        ly_loop_run_once(fixture->loop, 100000);
    g_assert_cmpuint(answer->good + answer->failed, ==, count);
}

/* The error of a request to the agent at `where`; LY_OK: it was answered. */
static LyErrorCode ask(Fixture *fixture, const char *where, LyError *error)
{
    Answer answer = {0};
    LyAgentConnection *connection = ly_agent_connect(fixture->loop, where, WAIT_US, &answer.error);
    if (connection) {
        ly_agent_request(connection, LY_BYTES("hi"), answered, &answer);
        run_until(fixture, &answer, 1);
        ly_agent_connection_free(connection);
    }
    if (error)
        *error = answer.error;
    g_test_message("%s", answer.error.message);
    return answer.error.code;
}

static void test_client(Fixture *fixture, gconstpointer data)
{
    Answer answer = {0};
    LyAgentConnection *connection = ly_agent_connect(fixture->loop, fixture->path, WAIT_US, NULL);
    for (int i = 0; i < 3; i++)
        ly_agent_request(connection, LY_BYTES("hi"), answered, &answer);
    run_until(fixture, &answer, 3);
    g_assert_cmpuint(answer.good, ==, 3);
    g_assert_cmpuint(fixture->serve.clients, ==, 1);
    g_assert_cmpint(fixture->serve.peer.pid, ==, getpid());
    ly_agent_connection_free(connection);
    g_setenv("SSH_AUTH_SOCK", fixture->path, TRUE);
    g_assert_cmpint(ask(fixture, "SSH_AUTH_SOCK", NULL), ==, LY_OK);
    g_unsetenv("SSH_AUTH_SOCK");
}

static void test_many(Fixture *fixture, gconstpointer data)
{
    LyAgentConnection *connections[50];
    Answer answer = {0};
    for (int i = 0; i < 50; i++) {
        connections[i] = ly_agent_connect(fixture->loop, fixture->path, WAIT_US, NULL);
        ly_agent_request(connections[i], LY_BYTES("hi"), answered, &answer);
    }
    run_until(fixture, &answer, 50);
    g_assert_cmpuint(answer.good, ==, 50);
    for (int i = 0; i < 50; i++)
        ly_agent_connection_free(connections[i]);
    for (int i = 0; i < 1000; i++)
        g_assert_cmpint(ask(fixture, fixture->path, NULL), ==, LY_OK);
    g_assert_cmpuint(fixture->serve.served, ==, 1050);
}

/* Those who say nothing fill the table; somebody who does gets in all the same. */
static void test_stalled(Fixture *fixture, gconstpointer data)
{
    int fds[100];
    uint8_t got;
    for (size_t i = 0; i < LY_COUNT(fds); i++) {
        fds[i] = raw_connect(fixture->file.port);
        raw_send(fds[i], fixture->file.secret, i % 16);
        ly_loop_run_once(fixture->loop, 1000);
    }
    g_assert_cmpint(ask(fixture, fixture->path, NULL), ==, LY_OK);
    unsigned open = 0;
    for (size_t i = 0; i < LY_COUNT(fds); i++) {
        open += recv(fds[i], &got, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
        close(fds[i]);
    }
    g_assert_cmpuint(open, ==, CYGWIN_HANDSHAKES_MAX - 1);
    g_assert_cmpuint(fixture->serve.served, ==, 1);
}

/* The file. */

static void test_file(Fixture *fixture, gconstpointer data)
{
    struct stat status;
    LyError error = {0};
    g_assert_cmpint(stat(fixture->path, &status), ==, 0);
    g_assert_cmpuint(status.st_mode, ==, S_IFREG | 0600);
    g_assert_cmpint(status.st_size, >, 48);

    /* A living agent's is not replaced; its probe is no client. (The other agent is a process of its own,
     * because the probe waits.) */
    pid_t child = fork();
    if (child == 0) {
        for (;;)
            ly_loop_run_once(fixture->loop, 1000);
    }
    g_assert_null(listen_at(fixture, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_INVALID);
    g_assert_nonnull(strstr(error.message, "an agent is listening behind"));
    kill(child, SIGKILL);
    g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
    LyCygwinFile again = read_file(fixture->path);
    g_assert_cmpmem(again.secret, 16, fixture->file.secret, 16);

    /* One that ended badly leaves its file, which is replaced by one with another secret. */
    char *text;
    gsize len;
    g_assert_true(g_file_get_contents(fixture->path, &text, &len, NULL));
    cygwin_listener_free(fixture->listener);
    g_assert_cmpint(stat(fixture->path, &status), ==, -1); /* an orderly end takes it along */
    g_assert_true(g_file_set_contents(fixture->path, text, (gssize)len, NULL));
    fixture->listener = listen_at(fixture, &error);
    g_assert_nonnull(fixture->listener);
    again = read_file(fixture->path);
    g_assert_cmpint(memcmp(again.secret, fixture->file.secret, 16), !=, 0);
    g_assert_cmpint(ask(fixture, fixture->path, NULL), ==, LY_OK);

    /* Another agent's file stays when we end. */
    g_assert_true(g_file_set_contents(fixture->path, text, (gssize)len, NULL));
    cygwin_listener_free(fixture->listener);
    fixture->listener = NULL;
    g_assert_cmpint(stat(fixture->path, &status), ==, 0);
    g_free(text);

    /* What is no such file is left alone: another file, a link (wherever it leads), a directory. */
    g_assert_true(g_file_set_contents(fixture->path, "important", -1, NULL));
    g_assert_null(listen_at(fixture, &error));
    g_assert_nonnull(strstr(error.message, "is not a Cygwin socket file"));
    g_unlink(fixture->path);
    g_assert_cmpint(symlink("/nonexistent/x", fixture->path), ==, 0);
    g_assert_null(listen_at(fixture, &error));
    g_assert_nonnull(strstr(error.message, "is not a Cygwin socket file"));
    g_unlink(fixture->path);
    g_assert_cmpint(mkdir(fixture->path, 0700), ==, 0);
    g_assert_null(listen_at(fixture, &error));
    g_assert_nonnull(strstr(error.message, "is not a Cygwin socket file"));
    g_assert_cmpint(rmdir(fixture->path), ==, 0);
    char *nowhere = fixture->path;
    fixture->path = g_strdup("/nonexistent/agent");
    g_assert_null(listen_at(fixture, &error));
    g_assert_nonnull(strstr(error.message, "/nonexistent/agent: No such file or directory"));
    g_free(fixture->path);
    fixture->path = nowhere;
}

/* Agents that are none. */

typedef struct Impostor {
    int fd;
    LyCygwinFile file;
} Impostor;

static void write_file(Fixture *fixture, const LyCygwinFile *file)
{
    LyBuf text = {0};
    ly_put_cygwin_file(file, &text);
    g_assert_true(g_file_set_contents(fixture->path, (char *)text.data, (gssize)text.len, NULL));
    ly_buf_free(&text);
}

static Impostor impostor_new(Fixture *fixture)
{
    Impostor impostor = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .file = fixture->file};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    g_assert_cmpint(bind(impostor.fd, (struct sockaddr *)&address, len), ==, 0);
    g_assert_cmpint(listen(impostor.fd, 10), ==, 0);
    getsockname(impostor.fd, (struct sockaddr *)&address, &len);
    impostor.file.port = ntohs(address.sin_port);
    return impostor;
}

/* Takes the next connection, expects `wanted` bytes of it, says `reply`, and closes it. */
static gpointer impostor_talk(gpointer data)
{
    const struct {
        int fd;
        size_t wanted;
        LyBytes reply;
    } *talk = data;
    char bytes[100];
    int fd = accept(talk->fd, NULL, NULL);
    g_assert_cmpint(recv(fd, bytes, talk->wanted, MSG_WAITALL), ==, (ssize_t)talk->wanted);
    if (talk->reply.len)
        raw_send(fd, talk->reply.data, talk->reply.len);
    shutdown(fd, SHUT_WR);
    while (recv(fd, bytes, sizeof bytes, 0) > 0) {
    }
    close(fd);
    return NULL;
}

static void test_impostors(Fixture *fixture, gconstpointer data)
{
    Impostor impostor = impostor_new(fixture);
    LyError error = {0};
    uint8_t right[28] = {0}, wrong[28] = {0};
    memcpy(right, fixture->file.secret, 16);
    memcpy(wrong, right, 16);
    wrong[7]++;
    const struct {
        LyBytes reply;
        LyErrorCode code;
    } rows[] = {{{wrong, 28}, LY_ERROR_VERIFY},     {{wrong, 16}, LY_ERROR_VERIFY},
                {{right, 0}, LY_ERROR_DISCONNECT},  {{right, 15}, LY_ERROR_DISCONNECT},
                {{right, 16}, LY_ERROR_DISCONNECT}, {{right, 27}, LY_ERROR_DISCONNECT},
                {{right, 28}, LY_ERROR_DISCONNECT}};
    write_file(fixture, &impostor.file);
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        struct {
            int fd;
            size_t wanted;
            LyBytes reply;
        } talk = {impostor.fd, 16, rows[i].reply};
        GThread *thread = g_thread_new("impostor", impostor_talk, &talk);
        g_assert_cmpint(ask(fixture, fixture->path, &error), ==, rows[i].code);
        g_thread_join(thread);
    }
    /* Nobody there any more; a listener may have the place then. */
    close(impostor.fd);
    g_assert_cmpint(ask(fixture, fixture->path, &error), ==, LY_ERROR_IO);
    g_assert_cmpint(error.system, ==, ECONNREFUSED);
    g_assert_nonnull(strstr(error.message, fixture->path));
}

static void test_assuan(Fixture *fixture, gconstpointer data)
{
    Impostor impostor = impostor_new(fixture);
    static const char reply[] = "\0\0\0\3rhi";
    struct {
        int fd;
        size_t wanted;
        LyBytes reply;
    } talk = {impostor.fd, 16 + 6, {(const uint8_t *)reply, 7}};
    char text[40];
    int len = snprintf(text, sizeof text, "%u\n", (unsigned)impostor.file.port);
    memcpy(text + len, "0123456789abcdef", 16);
    g_assert_true(g_file_set_contents(fixture->path, text, len + 16, NULL));
    GThread *thread = g_thread_new("assuan", impostor_talk, &talk);
    g_assert_cmpint(ask(fixture, fixture->path, NULL), ==, LY_OK);
    g_thread_join(thread);
    close(impostor.fd);
}

static void test_where(Fixture *fixture, gconstpointer data)
{
    static const struct {
        const char *text;
        LyErrorCode code;
    } files[] = {{"", LY_ERROR_INVALID},
                 {"text", LY_ERROR_INVALID},
                 {"!<socket >1 s ", LY_ERROR_INVALID},
                 {"!<socket >1 d 00000000-00000000-00000000-00000000", LY_ERROR_UNSUPPORTED}};
    LyError error;
    g_assert_cmpint(ask(fixture, "pageant", NULL), ==, LY_ERROR_UNSUPPORTED);
    g_assert_cmpint(ask(fixture, "\\\\.\\pipe\\openssh-ssh-agent", &error), ==, LY_ERROR_UNSUPPORTED);
    g_assert_nonnull(strstr(error.message, "only Windows has"));
    g_assert_cmpint(ask(fixture, "", NULL), ==, LY_ERROR_INVALID);
    g_assert_cmpint(ask(fixture, "SSH_AUTH_SOCK", NULL), ==, LY_ERROR_INVALID);
    g_setenv("SSH_AUTH_SOCK", "pageant", TRUE);
    g_assert_cmpint(ask(fixture, "SSH_AUTH_SOCK", NULL), ==, LY_ERROR_UNSUPPORTED);
    g_unsetenv("SSH_AUTH_SOCK");
    g_assert_cmpint(ask(fixture, "/nonexistent", NULL), ==, LY_ERROR_IO);
    g_assert_cmpint(ask(fixture, fixture->dir, NULL), ==, LY_ERROR_IO);
    for (size_t i = 0; i < LY_COUNT(files); i++) {
        g_assert_true(g_file_set_contents(fixture->path, files[i].text, -1, NULL));
        g_assert_cmpint(ask(fixture, fixture->path, &error), ==, files[i].code);
        g_assert_nonnull(strstr(error.message, fixture->path));
    }
    /* Given up in each state: at once, while the file is read, in the handshake. */
    write_file(fixture, &fixture->file);
    for (int rounds = 0; rounds < 8; rounds++) {
        Answer answer = {0};
        LyAgentConnection *connection = ly_agent_connect(fixture->loop, fixture->path, WAIT_US, NULL);
        ly_agent_request(connection, LY_BYTES("hi"), answered, &answer);
        for (int i = 0; i < rounds; i++)
            ly_loop_run_once(fixture->loop, 1000);
        ly_agent_connection_free(connection);
        g_assert_cmpuint(answer.good + answer.failed, ==, 1);
        if (answer.failed)
            g_assert_cmpint(answer.error.code, ==, LY_ERROR_CANCELLED);
    }
}

/* An application's agent. */

typedef struct Vault {
    unsigned asked;
    bool now; /* answers from within */
    LyBytes reply;
    LyError error;
    LyAgentDone done;
    void *done_user;
} Vault;

static void vault_request(void *user, LyBytes request, LyAgentDone done, void *done_user)
{
    Vault *vault = user;
    vault->asked++;
    g_assert_true(ly_bytes_is(request, "hi"));
    vault->done = done;
    vault->done_user = done_user;
    if (vault->now)
        done(done_user, vault->reply, vault->error.code ? &vault->error : NULL);
}

typedef struct Again {
    Answer answer;
    LyAgentConnection *connection;
    unsigned left;
} Again;

static void answered_again(void *user, LyBytes reply, const LyError *error)
{
    Again *again = user;
    answered(&again->answer, reply, error);
    if (again->left-- > 0) {
        ly_agent_request(again->connection, LY_BYTES("hi"), answered_again, again);
    } else {
        ly_agent_connection_free(again->connection); /* inside a `done`, inside the vault's answer */
        again->connection = NULL;
    }
}

static void test_custom(Fixture *fixture, gconstpointer data)
{
    Vault vault = {.now = true, .reply = LY_BYTES("rhi")};
    LyAgentTransport transport = {.request = vault_request, .user = &vault};
    Again again = {.left = 100, .connection = ly_agent_connect_custom(fixture->loop, &transport, 0)};
    ly_agent_request(again.connection, LY_BYTES("hi"), answered_again, &again);
    g_assert_cmpuint(vault.asked, ==, 0); /* not from within */
    run_until(fixture, &again.answer, 101);
    g_assert_cmpuint(again.answer.good, ==, 101);
    g_assert_null(again.connection);

    /* Later, one after the other. */
    Answer answer = {0};
    LyAgentConnection *connection = ly_agent_connect_custom(fixture->loop, &transport, 0);
    vault = (Vault){.reply = LY_BYTES("rhi")};
    ly_agent_request(connection, LY_BYTES("hi"), answered, &answer);
    ly_agent_request(connection, LY_BYTES("hi"), answered, &answer);
    for (unsigned i = 1; i <= 2; i++) {
        for (int k = 0; k < 5; k++)
            ly_loop_run_once(fixture->loop, 1000);
        g_assert_cmpuint(vault.asked, ==, i);
        vault.done(vault.done_user, LY_BYTES("rhi"), NULL);
        g_assert_cmpuint(answer.good, ==, i);
    }

    /* An error, an empty answer and one too long end what waits; the next is asked again. */
    static uint8_t big[LY_AGENT_MESSAGE_MAX + 1];
    for (int i = 0; i < 3; i++) {
        answer = (Answer){0};
        vault = (Vault){.now = true, .reply = i == 2 ? ly_bytes(big, sizeof big) : (LyBytes){0}};
        if (i == 0)
            ly_error_set(&vault.error, LY_ERROR_AUTH, "no");
        ly_agent_request(connection, LY_BYTES("hi"), answered, &answer);
        ly_agent_request(connection, LY_BYTES("hi"), answered, &answer);
        run_until(fixture, &answer, 2);
        g_assert_cmpuint(answer.failed, ==, 2);
        g_assert_cmpint(answer.error.code, ==, i == 0 ? LY_ERROR_AUTH : LY_ERROR_PROTOCOL);
        g_assert_cmpuint(vault.asked, ==, 1);
    }
    ly_agent_connection_free(connection);

    /* Too late, and too late for a connection that is gone: both answers are dropped. */
    answer = (Answer){0};
    vault = (Vault){0};
    connection = ly_agent_connect_custom(fixture->loop, &transport, 20000);
    ly_agent_request(connection, LY_BYTES("hi"), answered, &answer);
    run_until(fixture, &answer, 1);
    g_assert_cmpint(answer.error.code, ==, LY_ERROR_TIMEOUT);
    g_assert_nonnull(strstr(answer.error.message, "the application's agent did not answer"));
    vault.done(vault.done_user, LY_BYTES("rhi"), NULL);
    ly_agent_request(connection, LY_BYTES("hi"), answered, &answer);
    for (int k = 0; k < 5 && vault.asked < 2; k++)
        ly_loop_run_once(fixture->loop, 1000);
    g_assert_cmpuint(vault.asked, ==, 2);
    ly_agent_connection_free(connection);
    g_assert_cmpint(answer.error.code, ==, LY_ERROR_CANCELLED);
    vault.done(vault.done_user, LY_BYTES("rhi"), NULL);
    g_assert_cmpuint(answer.good, ==, 0);
}

#define ADD(name, func) g_test_add("/agent-cygwin/" name, Fixture, NULL, set_up, func, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_unsetenv("SSH_AUTH_SOCK");
    ADD("bytewise", test_bytewise);
    ADD("pipelined", test_pipelined);
    ADD("turned-away", test_turned_away);
    ADD("client", test_client);
    ADD("many", test_many);
    ADD("stalled", test_stalled);
    ADD("file", test_file);
    ADD("impostors", test_impostors);
    ADD("assuan", test_assuan);
    ADD("where", test_where);
    ADD("custom", test_custom);
    return g_test_run();
}
