/* core/loop/server.h and drive.h: a server and a client session over a socketpair, in one loop. */
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "base/memory.h"
#include "crypto/hash.h"
#include "key/read.h"
#include "key/write.h"
#include "loop/drive.h"
#include "loop/server.h"
#include "sftp/numbers.h"

#define LIMIT_US ((uint64_t)30000000)

typedef struct Rig {
    char *directory, *authorized_keys, *password_file;
    LyCrypto *crypto;
    LyKey *host_key, *user_key;
    LyLoop *loop;
    LyServerOptions options;
    LyServer *server;
    bool server_ended;
    LyDrive *client;
    bool client_closed, free_in_event;
    LyError client_error;
    /* what the client does */
    const char *password; /* NULL: the key */
    LyBytes sk_blob;      /* of a security key made from user_key; empty: the plain key */
    uint8_t sk_flags;
    const char *channel_type, *subsystem, *command;
    size_t input_len; /* bytes sent to stdin, all 'x' */
    /* what came of it */
    bool ready;
    unsigned refused;
    LyChannel *channel;
    size_t input_sent;
    LyBuf out, err;
    uint32_t exit_status, open_failed;
    bool request_failed, channel_closed, core;
    char exit_signal[32];
} Rig;

static void server_ended(void *user, LyServer *server)
{
    Rig *rig = user;
    rig->server_ended = true;
    ly_server_free(server);
    rig->server = NULL;
}

/* A security key's signature over `data`: ed25519 over SHA256(application), flags, counter, SHA256(data). */
static void sk_sign(Rig *rig, LyBytes data, LyBuf *signature)
{
    LyBuf message = {0}, plain = {0};
    uint8_t hash[LY_HASH_MAX];
    LyBytes application = LY_BYTES("ssh:");
    g_assert_true(ly_hash(rig->crypto, LY_SHA256, &application, 1, hash));
    ly_buf_add(&message, ly_bytes(hash, 32));
    ly_put_u8(&message, rig->sk_flags);
    ly_put_u32(&message, 7);
    g_assert_true(ly_hash(rig->crypto, LY_SHA256, &data, 1, hash));
    ly_buf_add(&message, ly_bytes(hash, 32));
    g_assert_true(ly_key_sign(rig->user_key, (LyBytes){0}, ly_buf_bytes(&message), &plain, NULL));
    LyReader reader = ly_reader(ly_buf_bytes(&plain));
    ly_get_string(&reader);
    ly_put_cstring(signature, "sk-ssh-ed25519@openssh.com");
    ly_put_string(signature, ly_get_string(&reader));
    ly_put_u8(signature, rig->sk_flags);
    ly_put_u32(signature, 7);
    ly_buf_free(&message);
    ly_buf_free(&plain);
}

static void attempt(Rig *rig)
{
    LyUserauthClient *auth = ly_session_userauth_client(ly_drive_session(rig->client));
    if (rig->password) {
        ly_userauth_password(auth, ly_bytes_str(rig->password));
        return;
    }
    bool sk = rig->sk_blob.len > 0;
    LyBytes algorithm = sk ? LY_BYTES("sk-ssh-ed25519@openssh.com") : LY_BYTES("ssh-ed25519");
    LyBytes blob = sk ? rig->sk_blob : ly_key_blob(rig->user_key);
    LyBuf data = {0}, signature = {0};
    ly_userauth_publickey_data(auth, algorithm, blob, &data);
    if (sk)
        sk_sign(rig, ly_buf_bytes(&data), &signature);
    else
        g_assert_true(ly_key_sign(rig->user_key, algorithm, ly_buf_bytes(&data), &signature, NULL));
    ly_userauth_publickey(auth, algorithm, blob, ly_buf_bytes(&signature));
    ly_buf_free(&data);
    ly_buf_free(&signature);
}

static void send_input(Rig *rig)
{
    static uint8_t block[65536];
    memset(block, 'x', sizeof block);
    while (rig->input_sent < rig->input_len) {
        LyBytes part = ly_bytes(block, LY_MIN(sizeof block, rig->input_len - rig->input_sent));
        size_t taken = ly_channel_send(rig->channel, &part, 1);
        rig->input_sent += taken;
        if (taken < part.len)
            return;
    }
    ly_channel_eof(rig->channel);
}

static void channel_event(Rig *rig, const LyConnectionEvent *event)
{
    switch (event->type) {
    case LY_CHANNEL_OPENED:
        rig->channel = event->channel;
        if (rig->subsystem)
            ly_channel_subsystem(event->channel, ly_bytes_str(rig->subsystem), 1);
        else
            ly_channel_exec(event->channel, ly_bytes_str(rig->command), 1);
        break;
    case LY_CHANNEL_OPEN_FAILED:
        rig->open_failed = event->number;
        break;
    case LY_CHANNEL_REPLY:
        rig->request_failed = !event->success;
        if (event->success)
            send_input(rig);
        break;
    case LY_CHANNEL_WINDOW:
        send_input(rig);
        break;
    case LY_CHANNEL_DATA:
    case LY_CHANNEL_STDERR:
        ly_buf_add(event->type == LY_CHANNEL_DATA ? &rig->out : &rig->err, event->data);
        ly_channel_consumed(event->channel, event->data.len);
        break;
    case LY_CHANNEL_EXIT_STATUS:
        rig->exit_status = event->number;
        break;
    case LY_CHANNEL_EXIT_SIGNAL:
        g_strlcpy(rig->exit_signal, LY_PRINTABLE(event->text), sizeof rig->exit_signal);
        break;
    case LY_CHANNEL_CLOSED:
        rig->channel_closed = true;
        break;
    default:
        break;
    }
}

static void client_event(void *user, const LySessionEvent *event)
{
    Rig *rig = user;
    LySession *session = ly_drive_session(rig->client);
    switch (event->type) {
    case LY_SESSION_TRANSPORT:
        if (event->transport.type == LY_TRANSPORT_HOST_KEY)
            ly_transport_host_key_accept(ly_session_transport(session));
        break;
    case LY_SESSION_USERAUTH_CLIENT:
        if (event->userauth.type == LY_USERAUTH_NEXT) {
            rig->refused += !event->userauth.first;
            if (event->userauth.first)
                attempt(rig);
        }
        break;
    case LY_SESSION_READY:
        rig->ready = true;
        if (rig->free_in_event) {
            ly_drive_free(rig->client);
            rig->client = NULL;
        } else if (rig->channel_type) {
            ly_channel_open(ly_session_connection(session), ly_bytes_str(rig->channel_type), (LyBytes){0},
                            NULL);
        }
        break;
    case LY_SESSION_CONNECTION:
        channel_event(rig, &event->connection);
        break;
    default:
        break;
    }
}

static void client_closed(void *user, const LyError *error)
{
    Rig *rig = user;
    rig->client_closed = true;
    rig->client_error = *error;
}

static void write_text(const char *path, const char *text)
{
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static char *key_line(LyKey *key)
{
    g_autofree char *base64 = g_base64_encode(ly_key_blob(key).data, ly_key_blob(key).len);
    return g_strdup_printf("%s %s\n", ly_key_type_name(key), base64);
}

static void rig_init(Rig *rig)
{
    LyError error;
    *rig = (Rig){.channel_type = "session", .exit_status = 999};
    rig->directory = g_dir_make_tmp("lanyard-server-XXXXXX", NULL);
    rig->authorized_keys = g_build_filename(rig->directory, "authorized_keys", NULL);
    rig->password_file = g_build_filename(rig->directory, "passwords", NULL);
    g_setenv("HOME", rig->directory, TRUE);
    g_setenv("SHELL", "/bin/sh", TRUE);
    rig->crypto = ly_crypto_new(0, &error);
    rig->host_key = ly_key_generate(rig->crypto, LY_PK_ED25519, 0, (LyBytes){0}, &error);
    rig->user_key = ly_key_generate(rig->crypto, LY_PK_ED25519, 0, (LyBytes){0}, &error);
    g_assert_true(rig->crypto && rig->host_key && rig->user_key);
    g_autofree char *line = key_line(rig->user_key);
    write_text(rig->authorized_keys, line);
    write_text(rig->password_file, "me:secret\nempty:\n");
    rig->loop = ly_loop_new(&error);
    g_assert_nonnull(rig->loop);
    rig->options = (LyServerOptions){
        .session.transport = {.crypto = rig->crypto, .host_keys = &rig->host_key, .host_key_count = 1},
        .authorized_keys = rig->authorized_keys,
        .password_file = rig->password_file,
    };
}

static void rig_start(Rig *rig)
{
    int pair[2];
    LyError error;
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), ==, 0);
    LyServerPeer peer = {.address = "192.0.2.1", .port = 1, .local_address = "192.0.2.2", .local_port = 22};
    rig->server =
        ly_server_new(rig->loop, &rig->options, ly_carrier_new_fds(rig->loop, pair[0], pair[0], NULL), &peer,
                      server_ended, rig, &error);
    LySessionOptions options = {.transport = {.role = LY_CLIENT, .crypto = rig->crypto},
                                .user = LY_BYTES("me")};
    LyDriveEvents events = {.event = client_event, .closed = client_closed, .user = rig};
    LySession *session = ly_session_new(&options, ly_loop_now_us(rig->loop), &error);
    g_assert_true(rig->server && session);
    rig->client =
        ly_drive_new(rig->loop, session, ly_carrier_new_fds(rig->loop, pair[1], pair[1], NULL), &events);
}

#define RUN_UNTIL(rig, condition)                                                                            \
    do {                                                                                                     \
        uint64_t limit_us = ly_loop_now_us((rig)->loop) + LIMIT_US;                                          \
        while (!(condition)) {                                                                               \
            g_assert_cmpuint(ly_loop_now_us((rig)->loop), <, limit_us);                                      \
            ly_loop_run_once((rig)->loop, 100000);                                                           \
        }                                                                                                    \
    } while (0)

static void rig_clear(Rig *rig)
{
    ly_drive_free(rig->client);
    ly_server_free(rig->server);
    ly_loop_free(rig->loop);
    ly_key_unref(rig->host_key);
    ly_key_unref(rig->user_key);
    ly_crypto_unref(rig->crypto);
    ly_buf_free(&rig->out);
    ly_buf_free(&rig->err);
    g_unlink(rig->authorized_keys);
    g_unlink(rig->password_file);
    g_rmdir(rig->directory);
    g_free(rig->authorized_keys);
    g_free(rig->password_file);
    g_free(rig->directory);
}

/* --- commands --- */

static void test_exec(void)
{
    Rig rig;
    rig_init(&rig);
    rig.command = "wc -c; pwd >&2; exit 3";
    rig.input_len = 3000000;
    rig_start(&rig);
    RUN_UNTIL(&rig, rig.channel_closed);
    g_assert_cmpint(atoi(ly_buf_str(&rig.out)), ==, 3000000);
    g_assert_cmpstr(g_strchomp((char *)(uintptr_t)ly_buf_str(&rig.err)), ==, rig.directory);
    g_assert_cmpuint(rig.exit_status, ==, 3);
    rig_clear(&rig);
}

static void test_exec_echo(void)
{
    Rig rig;
    rig_init(&rig);
    rig.command = "tee /dev/stderr";
    rig.input_len = 5000000;
    rig.options.session.transport.rekey_bytes = 1 << 20;
    rig_start(&rig);
    RUN_UNTIL(&rig, rig.channel_closed);
    g_assert_cmpuint(rig.out.len, ==, 5000000);
    g_assert_cmpuint(rig.err.len, ==, 5000000);
    g_assert_cmpuint(rig.exit_status, ==, 0);
    rig_clear(&rig);
}

static void test_exec_signal(void)
{
    Rig rig;
    rig_init(&rig);
    rig.command = "kill -KILL $$";
    rig_start(&rig);
    RUN_UNTIL(&rig, rig.channel_closed);
    g_assert_cmpstr(rig.exit_signal, ==, "KILL");
    rig_clear(&rig);
}

/* The connection goes while a command runs: it gets SIGHUP. */
static void test_exec_hangup(void)
{
    Rig rig;
    rig_init(&rig);
    rig.command =
        "trap 'echo hung > gone; exit' HUP; echo up; exec 2>/dev/null; while :; do sleep 0.01; done";
    rig_start(&rig);
    RUN_UNTIL(&rig, rig.out.len);
    ly_drive_free(rig.client);
    rig.client = NULL;
    g_autofree char *gone = g_build_filename(rig.directory, "gone", NULL);
    RUN_UNTIL(&rig, rig.server_ended && g_file_test(gone, G_FILE_TEST_EXISTS));
    g_usleep(20000);
    g_unlink(gone);
    rig_clear(&rig);
}

static void test_sftp(void)
{
    Rig rig;
    rig_init(&rig);
    rig.subsystem = "sftp";
    rig.input_len = 0;
    rig_start(&rig);
    RUN_UNTIL(&rig, rig.channel_closed); /* EOF at once: an orderly end */
    g_assert_cmpuint(rig.exit_status, ==, 0);
    rig_clear(&rig);

    rig_init(&rig);
    rig.subsystem = "sftp";
    rig.input_len = 10; /* "xxxx" is no length */
    rig_start(&rig);
    RUN_UNTIL(&rig, rig.channel_closed);
    g_assert_cmpuint(rig.exit_status, ==, 1);
    g_assert_false(rig.client_closed);
    rig_clear(&rig);
}

/* --- what is refused --- */

static void test_refusals(void)
{
    static const struct {
        const char *channel_type, *subsystem, *command;
        bool root;
    } cases[] = {
        {"direct-tcpip", NULL, NULL, false},
        {"session", "nothing", NULL, false},
        {"session", NULL, "echo", true},
    };
    for (size_t i = 0; i < LY_COUNT(cases); i++) {
        Rig rig;
        rig_init(&rig);
        rig.channel_type = cases[i].channel_type;
        rig.subsystem = cases[i].subsystem;
        rig.command = cases[i].command;
        rig.options.root = cases[i].root ? rig.directory : NULL;
        rig_start(&rig);
        RUN_UNTIL(&rig, rig.open_failed || rig.request_failed);
        g_assert_cmpuint(rig.open_failed, ==, i == 0 ? SSH_OPEN_ADMINISTRATIVELY_PROHIBITED : 0);
        rig_clear(&rig);
    }
}

static void test_force_command(void)
{
    for (int i = 0; i < 2; i++) {
        Rig rig;
        rig_init(&rig);
        rig.command = "echo mine";
        if (i == 0) {
            g_autofree char *plain = key_line(rig.user_key);
            g_autofree char *line =
                g_strdup_printf("command=\"echo $SSH_ORIGINAL_COMMAND forced\" %s", plain);
            write_text(rig.authorized_keys, line);
        } else {
            rig.options.force_command = "echo $SSH_ORIGINAL_COMMAND forced";
        }
        rig_start(&rig);
        RUN_UNTIL(&rig, rig.channel_closed);
        g_assert_cmpstr(ly_buf_str(&rig.out), ==, "echo mine forced\n");
        rig_clear(&rig);
    }
}

/* --- sign-in --- */

static void test_passwords(void)
{
    static const struct {
        const char *password, *file;
        bool right;
    } cases[] = {
        {"secret", "me:secret\n", true},
        {"secret", "you:x\r\nme:secret", true},
        {"se:cret", "me:se:cret\n", true},
        {"secre", "me:secret\n", false},
        {"secrets", "me:secret\n", false},
        {"secret", "you:secret\n", false},
        {"", "me:\n", false},
        {"", "me\n", false},
    };
    for (size_t i = 0; i < LY_COUNT(cases); i++) {
        Rig rig;
        rig_init(&rig);
        write_text(rig.password_file, cases[i].file);
        rig.password = cases[i].password;
        rig_start(&rig);
        RUN_UNTIL(&rig, rig.ready || rig.refused);
        g_assert_cmpint(rig.ready, ==, cases[i].right);
        g_assert_cmpint(ly_server_is_signed_in(rig.server), ==, cases[i].right);
        rig_clear(&rig);
    }
}

/* touch-required is the rule; no-touch-required and verify-required change it. */
static void test_security_keys(void)
{
    static const struct {
        const char *options;
        uint8_t flags;
        bool right;
    } cases[] = {
        {"", 1, true},
        {"", 0, false},
        {"no-touch-required ", 0, true},
        {"verify-required ", 1, false},
        {"verify-required ", 5, true},
    };
    for (size_t i = 0; i < LY_COUNT(cases); i++) {
        Rig rig;
        rig_init(&rig);
        LyReader reader = ly_reader(ly_key_blob(rig.user_key));
        ly_get_string(&reader);
        LyBuf blob = {0};
        ly_put_cstring(&blob, "sk-ssh-ed25519@openssh.com");
        ly_put_string(&blob, ly_get_string(&reader));
        ly_put_cstring(&blob, "ssh:");
        rig.sk_blob = ly_buf_bytes(&blob);
        rig.sk_flags = cases[i].flags;
        g_autofree char *base64 = g_base64_encode(blob.data, blob.len);
        g_autofree char *line =
            g_strdup_printf("%ssk-ssh-ed25519@openssh.com %s\n", cases[i].options, base64);
        write_text(rig.authorized_keys, line);
        rig_start(&rig);
        RUN_UNTIL(&rig, rig.ready || rig.refused);
        g_assert_cmpint(rig.ready, ==, cases[i].right);
        rig_clear(&rig);
        ly_buf_free(&blob);
    }
}

static void test_unknown_key(void)
{
    Rig rig;
    rig_init(&rig);
    write_text(rig.authorized_keys, "# nobody\n");
    rig_start(&rig);
    RUN_UNTIL(&rig, rig.refused);
    g_assert_false(rig.ready);
    rig_clear(&rig);

    rig_init(&rig);
    g_unlink(rig.authorized_keys);
    rig.options.session.userauth.max_attempts = 1;
    rig_start(&rig);
    RUN_UNTIL(&rig, rig.client_closed && rig.server_ended);
    g_assert_false(rig.ready);
    g_assert_cmpuint(rig.client_error.reason, ==, SSH_DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE);
    rig_clear(&rig);
}

static void test_grace_time(void)
{
    Rig rig;
    rig_init(&rig);
    rig.options.session.auth_timeout_us = 200000;
    rig.password = "wrong";
    rig_start(&rig);
    RUN_UNTIL(&rig, rig.client_closed && rig.server_ended);
    g_assert_cmpint(rig.client_error.code, ==, LY_ERROR_DISCONNECT);
    rig_clear(&rig);
}

/* --- ends --- */

static void test_free_in_event(void)
{
    Rig rig;
    rig_init(&rig);
    rig.free_in_event = true;
    rig_start(&rig);
    RUN_UNTIL(&rig, rig.server_ended);
    g_assert_false(rig.client_closed);
    rig_clear(&rig);
}

static void test_server_freed(void)
{
    Rig rig;
    rig_init(&rig);
    rig.command = "exec sleep 100";
    rig_start(&rig);
    RUN_UNTIL(&rig, rig.channel);
    ly_server_free(rig.server);
    rig.server = NULL;
    RUN_UNTIL(&rig, rig.client_closed);
    g_assert_cmpint(rig.client_error.code, ==, LY_OK); /* BY_APPLICATION is an orderly end */
    rig_clear(&rig);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/server/exec", test_exec);
    g_test_add_func("/server/exec-echo", test_exec_echo);
    g_test_add_func("/server/exec-signal", test_exec_signal);
    g_test_add_func("/server/exec-hangup", test_exec_hangup);
    g_test_add_func("/server/sftp", test_sftp);
    g_test_add_func("/server/refusals", test_refusals);
    g_test_add_func("/server/force-command", test_force_command);
    g_test_add_func("/server/passwords", test_passwords);
    g_test_add_func("/server/security-keys", test_security_keys);
    g_test_add_func("/server/unknown-key", test_unknown_key);
    g_test_add_func("/server/grace-time", test_grace_time);
    g_test_add_func("/server/free-in-event", test_free_in_event);
    g_test_add_func("/server/server-freed", test_server_freed);
    return g_test_run();
}
