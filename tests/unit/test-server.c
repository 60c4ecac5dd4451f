/* core/loop/server.h and drive.h: a server and a client session over a socketpair, in one loop. */
#include "crypto/hash.h"
#include "key/read.h"
#include "key/write.h"
#include "server-rig.h"
#include "sftp/numbers.h"

typedef struct Run {
    Rig rig;
    char *authorized_keys, *password_file;
    /* what the client does */
    const char *password; /* NULL: the key */
    LyBytes sk_blob;      /* of a security key made from user_key; empty: the plain key */
    uint8_t sk_flags;
    const char *channel_type, *subsystem, *command;
    size_t input_len; /* bytes sent to stdin, all 'x' */
    /* what came of it */
    size_t input_sent;
    char exit_signal[32];
} Run;

/* A security key's signature over `data`: ed25519 over SHA256(application), flags, counter, SHA256(data). */
static void sk_sign(const Run *run, LyBytes data, LyBuf *signature)
{
    LyBuf message = {0}, plain = {0};
    uint8_t hash[LY_HASH_MAX];
    LyBytes application = LY_BYTES("ssh:");
    g_assert_true(ly_hash(run->rig.crypto, LY_SHA256, &application, 1, hash));
    ly_buf_add(&message, ly_bytes(hash, 32));
    ly_put_u8(&message, run->sk_flags);
    ly_put_u32(&message, 7);
    g_assert_true(ly_hash(run->rig.crypto, LY_SHA256, &data, 1, hash));
    ly_buf_add(&message, ly_bytes(hash, 32));
    g_assert_true(ly_key_sign(run->rig.user_key, (LyBytes){0}, ly_buf_bytes(&message), &plain, NULL));
    LyReader reader = ly_reader(ly_buf_bytes(&plain));
    ly_get_string(&reader);
    ly_put_cstring(signature, "sk-ssh-ed25519@openssh.com");
    ly_put_string(signature, ly_get_string(&reader));
    ly_put_u8(signature, run->sk_flags);
    ly_put_u32(signature, 7);
    ly_buf_free(&message);
    ly_buf_free(&plain);
}

static void attempt(Rig *rig, const LyUserauthClientEvent *event)
{
    const Run *run = rig->data;
    LyUserauthClient *auth = client_auth(rig);
    if (event->type != LY_USERAUTH_NEXT || rig->attempts++ > 0)
        return;
    if (run->password) {
        ly_userauth_password(auth, ly_bytes_str(run->password));
        return;
    }
    bool sk = run->sk_blob.len > 0;
    LyBytes algorithm = sk ? LY_BYTES("sk-ssh-ed25519@openssh.com") : LY_BYTES("ssh-ed25519");
    LyBytes blob = sk ? run->sk_blob : ly_key_blob(rig->user_key);
    LyBuf data = {0}, signature = {0};
    ly_userauth_publickey_data(auth, algorithm, blob, &data);
    if (sk)
        sk_sign(run, ly_buf_bytes(&data), &signature);
    else
        g_assert_true(ly_key_sign(rig->user_key, algorithm, ly_buf_bytes(&data), &signature, NULL));
    ly_userauth_publickey(auth, algorithm, blob, ly_buf_bytes(&signature));
    ly_buf_free(&data);
    ly_buf_free(&signature);
}

static void open_channel(Rig *rig)
{
    const Run *run = rig->data;
    ly_channel_open(client_connection(rig), ly_bytes_str(run->channel_type), (LyBytes){0}, NULL);
}

static void free_client(Rig *rig)
{
    ly_drive_free(rig->client);
    rig->client = NULL;
}

static void send_input(Run *run)
{
    static uint8_t block[65536];
    memset(block, 'x', sizeof block);
    while (run->input_sent < run->input_len) {
        LyBytes part = ly_bytes(block, LY_MIN(sizeof block, run->input_len - run->input_sent));
        size_t taken = ly_channel_send(run->rig.channel, &part, 1);
        run->input_sent += taken;
        if (taken < part.len)
            return;
    }
    ly_channel_eof(run->rig.channel);
}

static void channel_event(Rig *rig, const LyConnectionEvent *event)
{
    Run *run = rig->data;
    client_event(rig, event);
    if (event->type == LY_CHANNEL_OPENED && run->subsystem)
        ly_channel_subsystem(event->channel, ly_bytes_str(run->subsystem), 1);
    else if (event->type == LY_CHANNEL_OPENED)
        ly_channel_exec(event->channel, ly_bytes_str(run->command), 1);
    else if ((event->type == LY_CHANNEL_REPLY && event->success) || event->type == LY_CHANNEL_WINDOW)
        send_input(run);
    else if (event->type == LY_CHANNEL_EXIT_SIGNAL)
        g_strlcpy(run->exit_signal, LY_PRINTABLE(event->text), sizeof run->exit_signal);
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

static void run_init(Run *run)
{
    Rig *rig = &run->rig;
    *run = (Run){.channel_type = "session"};
    rig_init(rig);
    rig->data = run;
    rig->on_userauth = attempt;
    rig->on_ready = open_channel;
    rig->on_event = channel_event;
    run->authorized_keys = g_build_filename(rig->directory, "authorized_keys", NULL);
    run->password_file = g_build_filename(rig->directory, "passwords", NULL);
    g_autofree char *line = key_line(rig->user_key);
    write_text(run->authorized_keys, line);
    write_text(run->password_file, "me:secret\nempty:\n");
    rig->options.handlers = (LyServerHandlers){0};
    rig->options.authorized_keys = run->authorized_keys;
    rig->options.password_file = run->password_file;
}

static void run_clear(Run *run)
{
    g_unlink(run->authorized_keys);
    g_unlink(run->password_file);
    g_free(run->authorized_keys);
    g_free(run->password_file);
    rig_clear(&run->rig);
}

/* --- commands --- */

static void test_exec(void)
{
    Run run;
    run_init(&run);
    run.command = "wc -c; pwd >&2; exit 3";
    run.input_len = 3000000;
    rig_start(&run.rig);
    RUN_UNTIL(run.rig.loop, run.rig.closed);
    g_assert_cmpint(atoi(ly_buf_str(&run.rig.out)), ==, 3000000);
    g_assert_cmpstr(g_strchomp((char *)(uintptr_t)ly_buf_str(&run.rig.err)), ==, run.rig.directory);
    g_assert_cmpuint(run.rig.exit_status, ==, 3);
    run_clear(&run);
}

static void test_exec_echo(void)
{
    Run run;
    run_init(&run);
    run.command = "tee /dev/stderr";
    run.input_len = 2000000;
    run.rig.options.session.transport.rekey_bytes = 1 << 18;
    rig_start(&run.rig);
    RUN_UNTIL(run.rig.loop, run.rig.closed);
    g_assert_cmpuint(run.rig.out.len, ==, 2000000);
    g_assert_cmpuint(run.rig.err.len, ==, 2000000);
    g_assert_cmpuint(run.rig.exit_status, ==, 0);
    run_clear(&run);
}

static void test_exec_signal(void)
{
    Run run;
    run_init(&run);
    run.command = "kill -KILL $$";
    rig_start(&run.rig);
    RUN_UNTIL(run.rig.loop, run.rig.closed);
    g_assert_cmpstr(run.exit_signal, ==, "KILL");
    run_clear(&run);
}

/* The connection goes while a command runs: it gets SIGHUP. */
static void test_exec_hangup(void)
{
    Run run;
    run_init(&run);
    run.command =
        "trap 'echo hung > gone; exit' HUP; echo up; exec 2>/dev/null; while :; do sleep 0.01; done";
    rig_start(&run.rig);
    RUN_UNTIL(run.rig.loop, run.rig.out.len);
    free_client(&run.rig);
    g_autofree char *gone = g_build_filename(run.rig.directory, "gone", NULL);
    RUN_UNTIL(run.rig.loop, run.rig.server_ended && g_file_test(gone, G_FILE_TEST_EXISTS));
    g_usleep(20000);
    g_unlink(gone);
    run_clear(&run);
}

static void test_sftp(void)
{
    Run run;
    run_init(&run);
    run.subsystem = "sftp";
    run.input_len = 0;
    rig_start(&run.rig);
    RUN_UNTIL(run.rig.loop, run.rig.closed); /* EOF at once: an orderly end */
    g_assert_cmpuint(run.rig.exit_status, ==, 0);
    run_clear(&run);

    run_init(&run);
    run.subsystem = "sftp";
    run.input_len = 10; /* "xxxx" is no length */
    rig_start(&run.rig);
    RUN_UNTIL(run.rig.loop, run.rig.closed);
    g_assert_cmpuint(run.rig.exit_status, ==, 1);
    g_assert_false(run.rig.client_closed);
    run_clear(&run);
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
        Run run;
        run_init(&run);
        run.channel_type = cases[i].channel_type;
        run.subsystem = cases[i].subsystem;
        run.command = cases[i].command;
        run.rig.options.root = cases[i].root ? run.rig.directory : NULL;
        rig_start(&run.rig);
        RUN_UNTIL(run.rig.loop, run.rig.open_failed || (run.rig.reply_count && !run.rig.reply_success[0]));
        g_assert_cmpuint(run.rig.open_failed, ==, i == 0 ? SSH_OPEN_ADMINISTRATIVELY_PROHIBITED : 0);
        run_clear(&run);
    }
}

static void test_force_command(void)
{
    for (int i = 0; i < 2; i++) {
        Run run;
        run_init(&run);
        run.command = "echo mine";
        if (i == 0) {
            g_autofree char *plain = key_line(run.rig.user_key);
            g_autofree char *line =
                g_strdup_printf("command=\"echo $SSH_ORIGINAL_COMMAND forced\" %s", plain);
            write_text(run.authorized_keys, line);
        } else {
            run.rig.options.force_command = "echo $SSH_ORIGINAL_COMMAND forced";
        }
        rig_start(&run.rig);
        RUN_UNTIL(run.rig.loop, run.rig.closed);
        g_assert_cmpstr(ly_buf_str(&run.rig.out), ==, "echo mine forced\n");
        run_clear(&run);
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
        Run run;
        run_init(&run);
        write_text(run.password_file, cases[i].file);
        run.password = cases[i].password;
        rig_start(&run.rig);
        RUN_UNTIL(run.rig.loop, run.rig.ready || run.rig.attempts > 1);
        g_assert_cmpint(run.rig.ready, ==, cases[i].right);
        g_assert_cmpint(ly_server_is_signed_in(run.rig.server), ==, cases[i].right);
        run_clear(&run);
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
        Run run;
        run_init(&run);
        LyReader reader = ly_reader(ly_key_blob(run.rig.user_key));
        ly_get_string(&reader);
        LyBuf blob = {0};
        ly_put_cstring(&blob, "sk-ssh-ed25519@openssh.com");
        ly_put_string(&blob, ly_get_string(&reader));
        ly_put_cstring(&blob, "ssh:");
        run.sk_blob = ly_buf_bytes(&blob);
        run.sk_flags = cases[i].flags;
        g_autofree char *base64 = g_base64_encode(blob.data, blob.len);
        g_autofree char *line =
            g_strdup_printf("%ssk-ssh-ed25519@openssh.com %s\n", cases[i].options, base64);
        write_text(run.authorized_keys, line);
        rig_start(&run.rig);
        RUN_UNTIL(run.rig.loop, run.rig.ready || run.rig.attempts > 1);
        g_assert_cmpint(run.rig.ready, ==, cases[i].right);
        run_clear(&run);
        ly_buf_free(&blob);
    }
}

static void test_unknown_key(void)
{
    Run run;
    run_init(&run);
    write_text(run.authorized_keys, "# nobody\n");
    rig_start(&run.rig);
    RUN_UNTIL(run.rig.loop, run.rig.attempts > 1);
    g_assert_false(run.rig.ready);
    run_clear(&run);

    run_init(&run);
    g_unlink(run.authorized_keys);
    run.rig.options.session.userauth.max_attempts = 1;
    rig_start(&run.rig);
    RUN_UNTIL(run.rig.loop, run.rig.client_closed && run.rig.server_ended);
    g_assert_false(run.rig.ready);
    g_assert_cmpuint(run.rig.client_error.reason, ==, SSH_DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE);
    run_clear(&run);
}

static void test_grace_time(void)
{
    Run run;
    run_init(&run);
    run.rig.options.session.auth_timeout_us = 200000;
    run.password = "wrong";
    rig_start(&run.rig);
    RUN_UNTIL(run.rig.loop, run.rig.client_closed && run.rig.server_ended);
    g_assert_cmpint(run.rig.client_error.code, ==, LY_ERROR_DISCONNECT);
    run_clear(&run);
}

/* --- ends --- */

static void test_free_in_event(void)
{
    Run run;
    run_init(&run);
    run.rig.on_ready = free_client;
    rig_start(&run.rig);
    RUN_UNTIL(run.rig.loop, run.rig.server_ended);
    g_assert_false(run.rig.client_closed);
    run_clear(&run);
}

static void test_server_freed(void)
{
    Run run;
    run_init(&run);
    run.command = "exec sleep 100";
    rig_start(&run.rig);
    RUN_UNTIL(run.rig.loop, run.rig.channel);
    ly_server_free(run.rig.server);
    run.rig.server = NULL;
    RUN_UNTIL(run.rig.loop, run.rig.client_closed);
    g_assert_cmpint(run.rig.client_error.code, ==, LY_OK); /* BY_APPLICATION is an orderly end */
    run_clear(&run);
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
