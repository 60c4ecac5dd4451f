/* core/loop/sftp.h against a server that the test plays. */
#include "client-rig.h"
#include "clock-ahead.h"
#include "connection/session-channel.h"
#include "loop/sftp.h"
#include "sftp/numbers.h"

#define VERSION LY_BYTES("\0\0\0\x05\x02\0\0\0\x03")

typedef struct Run {
    Rig rig;
    LySftp *sftp;
    bool refuses, keeps_version, free_in_ready, free_in_closed;
    size_t chunk; /* bytes of VERSION at once; 0: all */
    GString *server_saw, *told;
    LyChannel *server_channel;
    LyBuf server_got;
    LyError error;
} Run;

/* --- the server --- */

static void send_version(Run *run)
{
    LyBytes version = VERSION;
    size_t chunk = run->chunk ? run->chunk : version.len;
    for (size_t at = 0; at < version.len; at += chunk) {
        LyBytes part = ly_bytes_slice(version, at, chunk);
        ly_channel_send(run->server_channel, &part, 1);
    }
}

/* Up to its end the conversation is INIT and, of some tests, one request. */
static void serve(Rig *rig, const LyConnectionEvent *event)
{
    Run *run = rig->own;
    switch (event->type) {
    case LY_CHANNEL_OPEN_REQUEST:
        run->server_channel = event->channel;
        ly_channel_accept(event->channel, &(LyChannelOptions){.window = 65536}, (LyBytes){0});
        break;
    case LY_CHANNEL_REQUEST:
        g_string_append_printf(run->server_saw, "%.*s ", (int)event->text.len,
                               (const char *)event->text.data);
        if (!ly_bytes_is(event->text, "env"))
            g_string_append_len(run->server_saw, (const char *)event->data.data + 4,
                                (gssize)event->data.len - 4);
        if (event->want_reply)
            ly_channel_reply(event->channel, !run->refuses);
        break;
    case LY_CHANNEL_DATA:
        ly_channel_consumed(event->channel, event->data.len);
        if (!run->server_got.len && !run->keeps_version)
            send_version(run);
        ly_buf_add(&run->server_got, event->data);
        break;
    case LY_CHANNEL_EOF:
        g_string_append(run->server_saw, " EOF");
        break;
    case LY_CHANNEL_CLOSED:
        run->server_channel = NULL;
        break;
    default:
        break;
    }
}

static void say(Run *run, const char *text)
{
    LyBytes part = ly_bytes_str(text);
    g_assert_cmpuint(ly_channel_send_stderr(run->server_channel, &part, 1), ==, part.len);
}

static void wake(Run *run)
{
    ly_drive_wake(run->rig.server);
}

/* --- the application --- */

static void sftp_ready(void *user)
{
    Run *run = user;
    g_string_append(run->told, "ready ");
    if (run->free_in_ready) {
        ly_sftp_free(run->sftp);
        run->sftp = NULL;
    }
}

static void sftp_closed(void *user, const LyError *error)
{
    Run *run = user;
    g_string_append(run->told, "closed ");
    run->error = *error;
    if (run->free_in_closed) {
        ly_sftp_free(run->sftp);
        run->sftp = NULL;
    }
}

static void removed(void *user, LySftpReply *reply)
{
    Run *run = user;
    g_string_append_printf(run->told, "status %u ", reply->status);
}

static void run_init(Run *run)
{
    *run = (Run){.server_saw = g_string_new(NULL), .told = g_string_new(NULL)};
    rig_init(&run->rig);
    run->rig.own = run;
    run->rig.server_event = serve;
}

/* Up to INIT, or to what keeps it from being sent. */
static void run_start_with(Run *run, const LySftpOptions *options)
{
    LySftpEvents events = {.ready = sftp_ready, .closed = sftp_closed, .user = run};
    LyError error = {0};
    rig_start(&run->rig);
    RUN_UNTIL(run->rig.loop, run->rig.ready);
    run->sftp = ly_sftp_new(run->rig.client, options, &events, &error);
    g_assert_cmpstr(error.message, ==, "");
    g_assert_null(ly_sftp_client(run->sftp));
    RUN_UNTIL(run->rig.loop, run->server_got.len || run->told->len);
}

static void run_start(Run *run)
{
    run_start_with(run, NULL);
    if (!run->keeps_version)
        RUN_UNTIL(run->rig.loop, run->told->len);
}

static void run_clear(Run *run)
{
    ly_sftp_free(run->sftp);
    rig_clear(&run->rig);
    ly_buf_free(&run->server_got);
    g_string_free(run->server_saw, TRUE);
    g_string_free(run->told, TRUE);
}

static bool is_closed(const Run *run)
{
    return strstr(run->told->str, "closed") != NULL;
}

/* --- the beginning --- */

static void test_ready(void)
{
    static const size_t chunks[] = {1, 7, 0};
    for (size_t i = 0; i < LY_COUNT(chunks); i++) {
        Run run;
        run_init(&run);
        run.chunk = chunks[i];
        run_start(&run);
        g_assert_cmpstr(run.server_saw->str, ==, "subsystem sftp");
        g_assert_cmpmem(run.server_got.data, run.server_got.len, "\0\0\0\x05\x01\0\0\0\x03", 9);
        g_assert_cmpstr(run.told->str, ==, "ready ");
        /* a request and its reply */
        g_assert_cmpuint(ly_sftp_remove(ly_sftp_client(run.sftp), LY_BYTES("x"), removed, &run), !=, 0);
        RUN_UNTIL(run.rig.loop, run.server_got.len == 9 + 4 + 1 + 4 + 4 + 1);
        LyBuf reply = {0};
        size_t mark = ly_put_string_begin(&reply);
        ly_put_u8(&reply, SSH_FXP_STATUS);
        ly_buf_add(&reply, ly_bytes(run.server_got.data + 9 + 5, 4)); /* the id */
        ly_put_u32(&reply, SSH_FX_PERMISSION_DENIED);
        ly_put_cstring(&reply, "");
        ly_put_cstring(&reply, "");
        ly_put_string_end(&reply, mark);
        LyBytes part = ly_buf_bytes(&reply);
        ly_channel_send(run.server_channel, &part, 1);
        wake(&run);
        RUN_UNTIL(run.rig.loop, strstr(run.told->str, "status 3"));
        ly_buf_free(&reply);
        run_clear(&run);
    }
}

static void test_options(void)
{
    static const LyBytes env[] = {{(const uint8_t *)"LC_A", 4}, {(const uint8_t *)"1", 1}};
    Run run;
    run_init(&run);
    run_start_with(&run, &(LySftpOptions){.server = "/usr/lib/sftp-server -e", .env = env, .env_count = 1});
    g_assert_cmpstr(run.server_saw->str, ==, "env exec /usr/lib/sftp-server -e");
    run_clear(&run);
}

static void test_refused(void)
{
    Run run;
    run_init(&run);
    run.refuses = run.free_in_closed = true;
    run_start(&run);
    g_assert_cmpstr(run.told->str, ==, "closed ");
    g_assert_cmpstr(run.error.message, ==, "the server refused the subsystem \"sftp\"");
    g_assert_cmpint(run.error.code, ==, LY_ERROR_UNSUPPORTED);
    run_clear(&run);
}

/* --- the end --- */

/* What the sentence has of the exit and of stderr; before VERSION, and afterwards. */
static void test_sentences(void)
{
    static const struct {
        int status; /* -1: by signal */
        const char *said, *how;
    } cases[] = {
        {127, "  sh: no such program\r\n", ", exit status 127 (sh: no such program)"},
        {0, "", ", exit status 0 (it said nothing)"},
        {-1, "\033[1mgone", ", by signal TERM (\\x1b[1mgone)"},
    };
    for (size_t i = 0; i < 2 * LY_COUNT(cases); i++) {
        Run run;
        bool up = i % 2;
        run_init(&run);
        run.keeps_version = !up;
        run_start(&run);
        say(&run, cases[i / 2].said);
        if (cases[i / 2].status < 0)
            ly_channel_exit_signal(run.server_channel, LY_BYTES("TERM"), false, (LyBytes){0});
        else
            ly_channel_exit_status(run.server_channel, (uint32_t)cases[i / 2].status);
        ly_channel_eof(run.server_channel);
        ly_channel_close(run.server_channel);
        wake(&run);
        RUN_UNTIL(run.rig.loop, is_closed(&run));
        g_autofree char *sentence =
            g_strconcat(up ? "the server ended the SFTP session" : "the SFTP server did not start",
                        cases[i / 2].how, NULL);
        g_assert_cmpstr(run.error.message, ==, sentence);
        g_assert_cmpint(run.error.code, ==, LY_ERROR_DISCONNECT);
        g_assert_cmpstr(run.told->str, ==, up ? "ready closed " : "closed ");
        run_clear(&run);
    }
}

/* No more of stderr is kept than a sentence takes. */
static void test_stderr_limit(void)
{
    Run run;
    g_autofree char *much = g_strnfill(10000, 'x');
    run_init(&run);
    run_start(&run);
    for (int i = 0; i < 20; i++)
        say(&run, much);
    ly_channel_close(run.server_channel);
    wake(&run);
    RUN_UNTIL(run.rig.loop, is_closed(&run));
    g_assert_nonnull(strstr(run.error.message, "session (xxxx"));
    g_assert_cmpuint(strlen(run.error.message), <, 500);
    run_clear(&run);
}

/* What is no SFTP: a greeting of the login shell, and what the server says to that. */
static void test_no_sftp(void)
{
    Run run;
    LyBytes greeting = LY_BYTES("Welcome to this machine\n");
    run_init(&run);
    run.keeps_version = run.free_in_closed = true;
    run_start(&run);
    say(&run, "no terminal");
    ly_channel_send(run.server_channel, &greeting, 1);
    wake(&run);
    RUN_UNTIL(run.rig.loop, is_closed(&run));
    g_assert_cmpstr(run.told->str, ==, "closed ");
    g_assert_true(g_str_has_suffix(run.error.message, " (no terminal)"));
    RUN_UNTIL(run.rig.loop, !run.server_channel); /* our CLOSE */
    run_clear(&run);
}

static void a_second_later(Run *run)
{
    ahead_us += 1000000;
    for (int i = 0; i < 10; i++)
        ly_loop_run_once(run->rig.loop, 0);
}

/* A server that says EOF and never CLOSE: open requests are lost at once, the end comes after 2 s. */
static void test_no_close(void)
{
    for (int closes = 0; closes < 2; closes++) {
        Run run;
        run_init(&run);
        run.free_in_closed = closes;
        run_start(&run);
        g_assert_cmpuint(ly_sftp_remove(ly_sftp_client(run.sftp), LY_BYTES("x"), removed, &run), !=, 0);
        ly_channel_eof(run.server_channel);
        wake(&run);
        RUN_UNTIL(run.rig.loop, strstr(run.told->str, "status"));
        g_assert_cmpstr(run.told->str, ==, "ready status 7 "); /* SSH_FX_CONNECTION_LOST */
        RUN_UNTIL(run.rig.loop, g_str_has_suffix(run.server_saw->str, " EOF"));
        a_second_later(&run);
        g_assert_false(is_closed(&run));
        if (closes) { /* in time: what it tells counts */
            ly_channel_exit_status(run.server_channel, 3);
            ly_channel_close(run.server_channel);
            wake(&run);
            RUN_UNTIL(run.rig.loop, is_closed(&run));
        } else {
            a_second_later(&run);
            g_assert_true(is_closed(&run));
        }
        g_assert_cmpstr(run.error.message, ==,
                        closes ? "the server ended the SFTP session, exit status 3 (it said nothing)"
                               : "the server ended the SFTP session (it said nothing)");
        RUN_UNTIL(run.rig.loop, !run.server_channel);
        ahead_us += 10000000; /* once */
        ly_loop_run_once(run.rig.loop, 0);
        g_assert_cmpstr(run.told->str, ==, "ready status 7 closed ");
        run_clear(&run);
    }
}

static void test_connection_lost(void)
{
    Run run;
    run_init(&run);
    run.free_in_closed = true;
    run_start(&run);
    ly_sftp_remove(ly_sftp_client(run.sftp), LY_BYTES("x"), removed, &run);
    ly_drive_free(run.rig.server);
    run.rig.server = NULL;
    RUN_UNTIL(run.rig.loop, is_closed(&run));
    g_assert_cmpstr(run.told->str, ==, "ready status 7 closed ");
    g_assert_cmpint(run.error.code, ==, LY_ERROR_DISCONNECT);
    g_assert_nonnull(strstr(run.error.message, "example.test"));
    run_clear(&run);
}

/* --- freeing --- */

static void test_freed_in_ready(void)
{
    Run run;
    run_init(&run);
    run.free_in_ready = true;
    run_start(&run);
    RUN_UNTIL(run.rig.loop, !run.server_channel);
    g_assert_cmpstr(run.told->str, ==, "ready ");
    run_clear(&run);
}

/* Its requests end; `closed` is not told of what the application did. */
static void test_freed_before_the_end(void)
{
    for (int client_first = 0; client_first < 2; client_first++) {
        Run run;
        run_init(&run);
        run_start(&run);
        ly_sftp_remove(ly_sftp_client(run.sftp), LY_BYTES("x"), removed, &run);
        if (client_first) {
            ly_client_free(run.rig.client);
            run.rig.client = NULL;
        }
        ly_sftp_free(run.sftp);
        run.sftp = NULL;
        g_assert_cmpstr(run.told->str, ==, "ready status 7 ");
        if (client_first)
            RUN_UNTIL(run.rig.loop, run.rig.server_ended);
        else
            RUN_UNTIL(run.rig.loop, !run.server_channel);
        run_clear(&run);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sftp/ready", test_ready);
    g_test_add_func("/sftp/options", test_options);
    g_test_add_func("/sftp/refused", test_refused);
    g_test_add_func("/sftp/sentences", test_sentences);
    g_test_add_func("/sftp/stderr-limit", test_stderr_limit);
    g_test_add_func("/sftp/no-sftp", test_no_sftp);
    g_test_add_func("/sftp/no-close", test_no_close);
    g_test_add_func("/sftp/connection-lost", test_connection_lost);
    g_test_add_func("/sftp/freed-in-ready", test_freed_in_ready);
    g_test_add_func("/sftp/freed-before-the-end", test_freed_before_the_end);
    return g_test_run();
}
