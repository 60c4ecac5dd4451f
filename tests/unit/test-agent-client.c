/* core/agent's client half, and core/loop's connection to an agent: a fake one on a Unix socket. */
#include <glib.h>
#include <glib/gstdio.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/client.h"
#include "base/memory.h"
#include "loop-run.h"
#include "loop/agent.h"

/* Requests. */

static void test_requests(void)
{
    LyBuf out = {0};
    ly_put_agent_request_identities(&out);
    g_assert_cmpmem(out.data, out.len, "\x0b", 1);
    ly_buf_clear(&out);
    ly_put_agent_sign_request(&out, LY_BYTES("key"), LY_BYTES("data!"), SSH_AGENT_RSA_SHA2_512);
    static const char sign[] = "\x0d\0\0\0\x03key\0\0\0\x05"
                               "data!\0\0\0\x04";
    g_assert_cmpmem(out.data, out.len, sign, sizeof sign - 1);
    ly_buf_clear(&out);
    ly_put_agent_session_bind(&out, LY_BYTES("HK"), LY_BYTES("S"), LY_BYTES("SIG"), true);
    static const char bind[] =
        "\x1b\0\0\0\x18session-bind@openssh.com\0\0\0\x02HK\0\0\0\x01S\0\0\0\x03SIG\x01";
    g_assert_cmpmem(out.data, out.len, bind, sizeof bind - 1);
    ly_buf_clear(&out);
    ly_put_agent_session_bind(&out, LY_BYTES(""), LY_BYTES(""), LY_BYTES(""), false);
    g_assert_cmpuint(out.len, ==, 1 + 4 + 24 + 12 + 1);
    g_assert_cmpuint(out.data[out.len - 1], ==, 0);
    ly_buf_free(&out);

    static const struct {
        const char *algorithm;
        uint32_t flags;
    } flags[] = {{"rsa-sha2-256", 2},
                 {"rsa-sha2-512", 4},
                 {"rsa-sha2-512-cert-v01@openssh.com", 4},
                 {"rsa-sha2-256-cert-v01@openssh.com", 2},
                 {"ssh-rsa", 0},
                 {"ssh-ed25519", 0},
                 {"rsa-sha2-5", 0},
                 {"rsa-sha2-5122", 0},
                 {"", 0}};
    for (size_t i = 0; i < LY_COUNT(flags); i++)
        g_assert_cmpuint(ly_agent_sign_flags(ly_bytes_str(flags[i].algorithm)), ==, flags[i].flags);
    g_assert_cmpstr(ly_agent_message_name(13), ==, "SSH_AGENTC_SIGN_REQUEST");
    g_assert_cmpstr(ly_agent_message_name(200), ==, "unknown agent message");
}

/* Replies. */

static void put_identities(LyBuf *out)
{
    ly_put_u8(out, SSH_AGENT_IDENTITIES_ANSWER);
    ly_put_u32(out, 2);
    ly_put_cstring(out, "blob one");
    ly_put_cstring(out, "me@here");
    ly_put_cstring(out, "blob two");
    ly_put_cstring(out, "");
}

static void put_signature(LyBuf *out)
{
    ly_put_u8(out, SSH_AGENT_SIGN_RESPONSE);
    size_t mark = ly_put_string_begin(out);
    ly_put_cstring(out, "ssh-ed25519");
    ly_put_cstring(out, "0123456789");
    ly_put_string_end(out, mark);
}

static LyErrorCode identities_code(LyBytes reply)
{
    LyAgentIdentity *identities = (LyAgentIdentity *)&identities;
    size_t count = 77;
    LyError error = {0};
    if (ly_get_agent_identities(reply, &identities, &count, &error)) {
        ly_free(identities);
        return LY_OK;
    }
    g_assert_true(identities == (LyAgentIdentity *)&identities && count == 77);
    g_assert_true(error.message[0]);
    return error.code;
}

static LyErrorCode signature_code(LyBytes reply)
{
    LyBytes signature = LY_BYTES("untouched");
    LyError error = {0};
    if (ly_get_agent_signature(reply, &signature, &error))
        return LY_OK;
    g_assert_true(ly_bytes_is(signature, "untouched"));
    return error.code;
}

static LyErrorCode success_code(LyBytes reply)
{
    LyError error = {0};
    return ly_get_agent_success(reply, &error) ? LY_OK : error.code;
}

/* A copy of exact size, so that a sanitizer sees a read behind its end. */
static void each_cut(LyBytes whole, LyErrorCode (*code)(LyBytes reply))
{
    for (size_t len = 0; len <= whole.len; len++) {
        uint8_t *copy = g_memdup2(whole.data, len);
        g_assert_cmpint(code(ly_bytes(copy, len)), ==, len == whole.len ? LY_OK : LY_ERROR_PROTOCOL);
        g_free(copy);
    }
    uint8_t *longer = g_malloc0(whole.len + 1);
    memcpy(longer, whole.data, whole.len);
    g_assert_cmpint(code(ly_bytes(longer, whole.len + 1)), ==, LY_ERROR_PROTOCOL);
    g_free(longer);
    for (size_t bit = 0; bit < whole.len * 8; bit++) {
        uint8_t *copy = g_memdup2(whole.data, whole.len);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        code(ly_bytes(copy, whole.len));
        g_free(copy);
    }
}

static void test_replies(void)
{
    LyBuf buf = {0};
    put_identities(&buf);
    LyAgentIdentity *identities;
    size_t count;
    g_assert_true(ly_get_agent_identities(ly_buf_bytes(&buf), &identities, &count, NULL));
    g_assert_cmpuint(count, ==, 2);
    g_assert_true(ly_bytes_is(identities[0].key_blob, "blob one") &&
                  ly_bytes_is(identities[0].comment, "me@here"));
    g_assert_true(ly_bytes_is(identities[1].key_blob, "blob two") && identities[1].comment.len == 0);
    ly_free(identities);
    each_cut(ly_buf_bytes(&buf), identities_code);
    g_assert_cmpint(signature_code(ly_buf_bytes(&buf)), ==, LY_ERROR_PROTOCOL);

    g_assert_cmpint(identities_code(LY_BYTES("\x0c\0\0\0\0")), ==, LY_OK);
    g_assert_cmpint(identities_code(LY_BYTES("\x0c\0\0\x08\x01")), ==, LY_ERROR_LIMIT);
    g_assert_cmpint(identities_code(LY_BYTES("\x0c\xff\xff\xff\xff")), ==, LY_ERROR_LIMIT);
    g_assert_cmpint(identities_code(LY_BYTES("\x0c\0\0\x08\0")), ==, LY_ERROR_PROTOCOL);

    ly_buf_clear(&buf);
    put_signature(&buf);
    LyBytes signature;
    g_assert_true(ly_get_agent_signature(ly_buf_bytes(&buf), &signature, NULL));
    g_assert_cmpuint(signature.len, ==, 4 + 11 + 4 + 10);
    g_assert_true(signature.data == buf.data + 5);
    each_cut(ly_buf_bytes(&buf), signature_code);
    /* sk-*: flags and counter behind the two strings; an empty algorithm; a blob that is cut inside. */
    g_assert_cmpint(signature_code(LY_BYTES("\x0e\0\0\0\x0f\0\0\0\x01"
                                            "a\0\0\0\x01"
                                            "b\x01\0\0\0\x07")),
                    ==, LY_OK);
    g_assert_cmpint(signature_code(LY_BYTES("\x0e\0\0\0\x08\0\0\0\0\0\0\0\0")), ==, LY_ERROR_PROTOCOL);
    g_assert_cmpint(signature_code(LY_BYTES("\x0e\0\0\0\x05\0\0\0\x01"
                                            "a")),
                    ==, LY_ERROR_PROTOCOL);
    ly_buf_free(&buf);

    static const char failures[] = {5, 28, 30, 102};
    for (size_t i = 0; i < sizeof failures; i++) {
        g_assert_cmpint(identities_code(ly_bytes(&failures[i], 1)), ==, LY_ERROR_AUTH);
        g_assert_cmpint(signature_code(ly_bytes(&failures[i], 1)), ==, LY_ERROR_AUTH);
        g_assert_cmpint(success_code(ly_bytes(&failures[i], 1)), ==, LY_ERROR_AUTH);
    }
    g_assert_cmpint(success_code(LY_BYTES("\x06")), ==, LY_OK);
    g_assert_cmpint(success_code(LY_BYTES("\x06x")), ==, LY_ERROR_PROTOCOL);
    g_assert_cmpint(success_code(LY_BYTES("\x07")), ==, LY_ERROR_PROTOCOL);
    g_assert_cmpint(success_code(LY_BYTES("")), ==, LY_ERROR_PROTOCOL);
}

/* The connection. The fake agent lives in the same loop and answers as its script says. */

typedef struct Fake {
    LyLoop *loop;
    char *dir, *path;
    int listen_fd, fd;
    LyWatch *listen_watch, *watch;
    LyBuf in;
    unsigned connections, requests;
    const char *reply; /* bytes to send for each whole request */
    size_t reply_len, chunk;
    bool close_after; /* sends the reply, then closes */
    LyTimer *dribble;
    size_t sent;
} Fake;

static void fake_hang_up(Fake *fake)
{
    ly_watch_free(fake->watch);
    fake->watch = NULL;
    if (fake->fd >= 0)
        close(fake->fd);
    fake->fd = -1;
    ly_timer_set(fake->dribble, UINT64_MAX);
}

static void fake_dribble(void *user)
{
    Fake *fake = user;
    size_t len = MIN(fake->chunk, fake->reply_len - fake->sent);
    if (len && send(fake->fd, fake->reply + fake->sent, len, MSG_NOSIGNAL) != (ssize_t)len) {
        fake_hang_up(fake);
        return;
    }
    fake->sent += len;
    if (fake->sent < fake->reply_len)
        ly_timer_set(fake->dribble, 0);
    else if (fake->close_after)
        fake_hang_up(fake);
}

static void fake_readable(void *user, unsigned events)
{
    Fake *fake = user;
    uint8_t *room = ly_buf_room(&fake->in, 65536);
    ssize_t count = read(fake->fd, room, 65536);
    if (count <= 0) {
        fake_hang_up(fake);
        return;
    }
    ly_buf_added(&fake->in, (size_t)count);
    while (fake->in.len >= 4 && fake->in.len >= 4 + (size_t)ly_load_u32(fake->in.data)) {
        ly_buf_drop(&fake->in, 4 + (size_t)ly_load_u32(fake->in.data));
        fake->requests++;
        fake->sent = 0;
        if (fake->reply)
            ly_timer_set(fake->dribble, 0);
    }
}

static void fake_accept(void *user, unsigned events)
{
    Fake *fake = user;
    fake_hang_up(fake);
    ly_buf_clear(&fake->in);
    fake->fd = accept4(fake->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    g_assert_cmpint(fake->fd, >=, 0);
    fake->connections++;
    fake->watch = ly_watch_new(fake->loop, fake->fd, LY_READABLE, fake_readable, fake);
}

static Fake *fake_new(LyLoop *loop, const char *reply, size_t len, size_t chunk)
{
    Fake *fake = g_new0(Fake, 1);
    fake->loop = loop;
    fake->dir = g_dir_make_tmp("lanyard-agent-XXXXXX", NULL);
    fake->path = g_build_filename(fake->dir, "agent", NULL);
    fake->reply = reply;
    fake->reply_len = len;
    fake->chunk = chunk;
    fake->fd = -1;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    g_assert_cmpuint(g_strlcpy(address.sun_path, fake->path, sizeof address.sun_path), <,
                     sizeof address.sun_path);
    fake->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    g_assert_cmpint(bind(fake->listen_fd, (struct sockaddr *)&address, sizeof address), ==, 0);
    g_assert_cmpint(listen(fake->listen_fd, 5), ==, 0);
    fake->listen_watch = ly_watch_new(loop, fake->listen_fd, LY_READABLE, fake_accept, fake);
    fake->dribble = ly_timer_new(loop, fake_dribble, fake);
    return fake;
}

static void fake_free(Fake *fake)
{
    fake_hang_up(fake);
    ly_timer_free(fake->dribble);
    ly_watch_free(fake->listen_watch);
    close(fake->listen_fd);
    ly_buf_free(&fake->in);
    g_unlink(fake->path);
    g_rmdir(fake->dir);
    g_free(fake->path);
    g_free(fake->dir);
    g_free(fake);
}

typedef struct Answer {
    unsigned count;
    LyBuf reply;
    LyError error;
    LyAgentConnection **free_in_done;
} Answer;

static void answered(void *user, LyBytes reply, const LyError *error)
{
    Answer *answer = user;
    answer->count++;
    ly_buf_clear(&answer->reply);
    answer->error = error ? *error : (LyError){0};
    g_assert_true(error == NULL || (reply.len == 0 && error->message[0]));
    if (answer->free_in_done) {
        ly_agent_connection_free(*answer->free_in_done);
        *answer->free_in_done = NULL;
    }
    ly_buf_add(&answer->reply, reply); /* still valid */
}

static void wait_for(LyLoop *loop, Answer *answer, unsigned count)
{
    RUN_UNTIL(loop, answer->count >= count);
    g_assert_cmpuint(answer->count, ==, count);
}

static void test_chunks(void)
{
    static const char reply[] = "\0\0\0\x09\x0c\0\0\0\0more";
    static const size_t chunks[] = {1, 7, 100};
    for (size_t i = 0; i < LY_COUNT(chunks); i++) {
        LyLoop *loop = ly_loop_new(NULL);
        Fake *fake = fake_new(loop, reply, sizeof reply - 1, chunks[i]);
        LyAgentConnection *connection = ly_agent_connect(loop, fake->path, 0, NULL);
        Answer answer = {0};
        for (unsigned n = 0; n < 3; n++)
            ly_agent_request(connection, LY_BYTES("\x0b"), answered, &answer);
        g_assert_cmpuint(answer.count, ==, 0);
        wait_for(loop, &answer, 3);
        g_assert_cmpint(answer.error.code, ==, LY_OK);
        g_assert_cmpmem(answer.reply.data, answer.reply.len, reply + 4, 9);
        g_assert_cmpuint(fake->connections, ==, 1);
        g_assert_cmpuint(fake->requests, ==, 3);
        /* As large a request as may be, one too large, and none. */
        uint8_t *large = g_malloc0(LY_AGENT_MESSAGE_MAX + 1);
        ly_agent_request(connection, ly_bytes(large, LY_AGENT_MESSAGE_MAX), answered, &answer);
        wait_for(loop, &answer, 4);
        g_assert_cmpint(answer.error.code, ==, LY_OK);
        ly_agent_request(connection, ly_bytes(large, LY_AGENT_MESSAGE_MAX + 1), answered, &answer);
        g_assert_cmpuint(answer.count, ==, 4);
        wait_for(loop, &answer, 5);
        g_assert_cmpint(answer.error.code, ==, LY_ERROR_LIMIT);
        g_free(large);
        ly_buf_free(&answer.reply);
        ly_agent_connection_free(connection);
        fake_free(fake);
        ly_loop_free(loop);
    }
}

static void test_bad_agents(void)
{
    static const struct {
        const char *reply;
        size_t len;
        bool close_after;
        LyErrorCode code;
    } rows[] = {
        {"\0\0\0\x01\x05", 5, false, LY_OK}, /* FAILURE is a reply, to be read by ly_get_ */
        {"\0\0\0\0", 4, false, LY_ERROR_PROTOCOL},
        {"\xff\xff\xff\xff\x0c", 5, false, LY_ERROR_PROTOCOL},
        {"HTTP/1.1 400", 12, false, LY_ERROR_PROTOCOL},
        {"\0\x04\0\x01\x0c", 5, false, LY_ERROR_PROTOCOL},
        {"", 0, true, LY_ERROR_DISCONNECT},
        {"\0\0", 2, true, LY_ERROR_DISCONNECT},
        {"\0\0\0\x05\x0c\0", 6, true, LY_ERROR_DISCONNECT},
        {"\0\0\0\x05\x0c\0", 6, false, LY_ERROR_TIMEOUT},
        {NULL, 0, false, LY_ERROR_TIMEOUT},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LyLoop *loop = ly_loop_new(NULL);
        Fake *fake = fake_new(loop, rows[i].reply, rows[i].len, 3);
        fake->close_after = rows[i].close_after;
        LyAgentConnection *connection =
            ly_agent_connect(loop, fake->path, rows[i].code == LY_ERROR_TIMEOUT ? 30000 : FOR_EVER_US, NULL);
        Answer first = {0}, second = {0}, again = {0};
        ly_agent_request(connection, LY_BYTES("\x0b"), answered, &first);
        ly_agent_request(connection, LY_BYTES("\x0b"), answered, &second);
        wait_for(loop, &first, 1);
        wait_for(loop, &second, 1);
        g_assert_cmpint(first.error.code, ==, rows[i].code);
        g_assert_cmpint(second.error.code, ==, rows[i].code);
        if (rows[i].code != LY_OK)
            g_assert_nonnull(strstr(first.error.message, fake->path));
        /* The next request connects again and works. */
        fake->reply = "\0\0\0\x01\x06";
        fake->reply_len = 5;
        fake->close_after = false;
        ly_agent_request(connection, LY_BYTES("\x0b"), answered, &again);
        wait_for(loop, &again, 1);
        g_assert_cmpint(again.error.code, ==, LY_OK);
        g_assert_cmpuint(fake->connections, ==, rows[i].code == LY_OK ? 1 : 2);
        ly_buf_free(&first.reply);
        ly_buf_free(&second.reply);
        ly_buf_free(&again.reply);
        ly_agent_connection_free(connection);
        fake_free(fake);
        ly_loop_free(loop);
    }
}

/* An agent that sends more than the reply is cut off before that could pass for the next request's reply. */
static void test_unasked(void)
{
    LyLoop *loop = ly_loop_new(NULL);
    Fake *fake = fake_new(loop, "\0\0\0\x01\x06\0\0\0\x01\x05", 10, 10);
    LyAgentConnection *connection = ly_agent_connect(loop, fake->path, FOR_EVER_US, NULL);
    Answer answer = {0};
    ly_agent_request(connection, LY_BYTES("\x0b"), answered, &answer);
    wait_for(loop, &answer, 1);
    g_assert_cmpmem(answer.reply.data, answer.reply.len, "\x06", 1);
    for (int i = 0; i < 4; i++)
        ly_loop_run_once(loop, 1000);
    g_assert_cmpint(fake->fd, ==, -1);
    ly_agent_request(connection, LY_BYTES("\x0b"), answered, &answer);
    wait_for(loop, &answer, 2);
    g_assert_cmpmem(answer.reply.data, answer.reply.len, "\x06", 1);
    g_assert_cmpuint(fake->connections, ==, 2);
    ly_buf_free(&answer.reply);
    ly_agent_connection_free(connection);
    fake_free(fake);
    ly_loop_free(loop);
}

static void test_free(void)
{
    LyLoop *loop = ly_loop_new(NULL);
    Fake *fake = fake_new(loop, "\0\0\0\x01\x06", 5, 5);
    LyAgentConnection *connection = ly_agent_connect(loop, fake->path, 0, NULL);
    Answer first = {.free_in_done = &connection}, second = {0};
    ly_agent_request(connection, LY_BYTES("\x0b"), answered, &first);
    ly_agent_request(connection, LY_BYTES("\x0b"), answered, &second);
    wait_for(loop, &first, 1);
    g_assert_null(connection);
    g_assert_cmpmem(first.reply.data, first.reply.len, "\x06", 1);
    g_assert_cmpuint(second.count, ==, 1);
    g_assert_cmpint(second.error.code, ==, LY_ERROR_CANCELLED);
    /* Before it is connected, and refused ones too. */
    connection = ly_agent_connect(loop, fake->path, 0, NULL);
    ly_agent_request(connection, LY_BYTES("\x0b"), answered, &second);
    ly_agent_request(connection, LY_BYTES(""), answered, &second);
    ly_agent_connection_free(connection);
    g_assert_cmpuint(second.count, ==, 3);
    ly_loop_run_once(loop, 0);
    ly_buf_free(&first.reply);
    ly_buf_free(&second.reply);
    fake_free(fake);

    connection = ly_agent_connect(loop, "/nonexistent/agent", 0, NULL);
    ly_agent_request(connection, LY_BYTES("\x0b"), answered, &second);
    wait_for(loop, &second, 4);
    g_assert_cmpint(second.error.code, ==, LY_ERROR_IO);
    g_assert_cmpint(second.error.system, ==, ENOENT);
    g_assert_cmpstr(second.error.message, ==,
                    "no agent: cannot connect to /nonexistent/agent: No such file or directory");
    ly_agent_connection_free(connection);

    LyError error;
    g_unsetenv("SSH_AUTH_SOCK");
    g_assert_null(ly_agent_connect(loop, "SSH_AUTH_SOCK", 0, &error));
    g_assert_nonnull(strstr(error.message, "SSH_AUTH_SOCK"));
    g_assert_null(ly_agent_connect(loop, "", 0, &error));
    g_setenv("SSH_AUTH_SOCK", "/nonexistent/other", TRUE);
    connection = ly_agent_connect(loop, "SSH_AUTH_SOCK", 0, NULL);
    ly_agent_request(connection, LY_BYTES("\x0b"), answered, &second);
    wait_for(loop, &second, 5);
    g_assert_nonnull(strstr(second.error.message, "/nonexistent/other"));
    ly_agent_connection_free(connection);
    ly_loop_free(loop);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/agent/requests", test_requests);
    g_test_add_func("/agent/replies", test_replies);
    g_test_add_func("/agent/chunks", test_chunks);
    g_test_add_func("/agent/bad-agents", test_bad_agents);
    g_test_add_func("/agent/unasked", test_unasked);
    g_test_add_func("/agent/free", test_free);
    return g_test_run();
}
