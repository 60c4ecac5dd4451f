/* core/loop/server.h: the application's handlers, and in which order everything is answered. */
#include "server-rig.h"

#include "sftp/numbers.h"

/* --- sessions --- */

static bool count_session(void *user, LyServer *server, LyServerChannel *channel)
{
    Rig *rig = user;
    g_string_append(rig->story, "session ");
    return rig->step++ == 0;
}

static void session_closed(void *user, LyServer *server, LyServerChannel *channel)
{
    Rig *rig = user;
    g_assert_null(ly_server_channel(channel));
    g_string_append(rig->story, "closed ");
}

static void see_transport(void *user, LyServer *server, const LyTransportEvent *event)
{
    Rig *rig = user;
    if (event->type == LY_TRANSPORT_IDENT)
        g_string_append(rig->story, "ident ");
}

static void see_ready(void *user, LyServer *server, LyBytes user_name)
{
    Rig *rig = user;
    g_string_append_printf(rig->story, "ready-%.*s ", (int)user_name.len, (const char *)user_name.data);
}

static void test_sessions(void)
{
    Rig rig;
    rig_init(&rig);
    rig.options.handlers.session = count_session;
    rig.options.handlers.session_closed = session_closed;
    rig.options.handlers.transport = see_transport;
    rig.options.handlers.ready = see_ready;
    rig_session(&rig);
    ly_channel_open(client_connection(&rig), LY_BYTES("session"), (LyBytes){0}, NULL);
    ly_drive_wake(rig.client);
    RUN_UNTIL(rig.loop, rig.open_failed);
    g_assert_cmpuint(rig.open_failed, ==, SSH_OPEN_ADMINISTRATIVELY_PROHIBITED);
    ly_channel_close(rig.channel);
    ly_drive_wake(rig.client);
    RUN_UNTIL(rig.loop, rig.closed);
    g_assert_cmpstr(rig.story->str, ==, "ident ready-me session session closed ");
    ly_server_disconnect(rig.server, SSH_DISCONNECT_BY_APPLICATION, "good night");
    RUN_UNTIL(rig.loop, rig.client_closed && rig.server_ended);
    rig_clear(&rig);
}

/* --- the order of replies --- */

static void ask(Rig *rig, const char *type, LyBytes data, uint32_t tag)
{
    ly_channel_request(rig->channel, ly_bytes_str(type), true, tag, data);
}

static void ask_env(Rig *rig, const char *name, const char *value, uint32_t tag)
{
    LyBuf data = {0};
    ly_put_cstring(&data, name);
    ly_put_cstring(&data, value);
    ask(rig, "env", ly_buf_bytes(&data), tag);
    ly_buf_free(&data);
}

static void ask_resize(Rig *rig, uint32_t tag)
{
    static const uint8_t size[16] = {0, 0, 0, 100, 0, 0, 0, 30};
    ask(rig, "window-change", ly_bytes(size, sizeof size), tag);
}

static void assert_replies(Rig *rig, const char *expected) /* '+' success, '-' failure, tags from 0 on */
{
    ly_drive_wake(rig->client);
    RUN_UNTIL(rig->loop, rig->reply_count >= strlen(expected));
    for (unsigned i = 0; i < rig->reply_count; i++) {
        g_assert_cmpuint(rig->replies[i], ==, i);
        if (rig->reply_success[i] != (expected[i] == '+'))
            g_error("reply %u of %s", i, expected);
    }
}

/* Defect 13: each env has its own reply, and the program's is the program's. */
static void test_defect_13(void)
{
    Rig rig;
    rig_init(&rig);
    rig_session(&rig);
    ask_env(&rig, "LC_A", "1", 0);
    ask_env(&rig, "NOT_TAKEN", "2", 1);
    ask_env(&rig, "LC_B", "3", 2);
    ask(&rig, "unheard-of@example.com", (LyBytes){0}, 3);
    LyBuf data = {0};
    ly_put_cstring(&data, "echo $LC_A$NOT_TAKEN$LC_B");
    ask(&rig, "exec", ly_buf_bytes(&data), 4);
    ly_buf_free(&data);
    assert_replies(&rig, "+-+-+");
    RUN_UNTIL(rig.loop, rig.closed);
    g_assert_cmpstr(ly_buf_str(&rig.out), ==, "13\n");
    rig_clear(&rig);
}

/* Defect 14: requests that come while a program runs are answered too. */
static void test_defect_14(void)
{
    Rig rig;
    rig_init(&rig);
    rig_session(&rig);
    LyPtyRequest pty = {.term = LY_BYTES("vt100"), .columns = 80, .rows = 24};
    ly_channel_pty(rig.channel, &pty, true, 0);
    ly_channel_exec(rig.channel, LY_BYTES("read x; stty size"), 1);
    ask_resize(&rig, 2);
    ask_env(&rig, "LC_LATE", "1", 3);
    ly_channel_break(rig.channel, 0, true, 4);
    ask(&rig, "shell", (LyBytes){0}, 5); /* RFC 4254 6.5: one program a session */
    assert_replies(&rig, "+++-+-");
    LyBytes line = LY_BYTES("\n");
    ly_channel_send(rig.channel, &line, 1);
    ly_drive_wake(rig.client);
    RUN_UNTIL(rig.loop, rig.closed);
    g_assert_nonnull(strstr(ly_buf_str(&rig.out), "30 100"));
    rig_clear(&rig);
}

static void answer_oldest(void *user)
{
    Rig *rig = user;
    ly_channel_reply(rig->data, true);
    ly_server_wake(rig->server);
}

/* The application keeps LC_WAIT for later: what is answered at once waits behind it. */
static bool keep_one(void *user, LyServer *server, LyServerChannel *channel, const LyConnectionEvent *event)
{
    Rig *rig = user;
    LyBytes name, value;
    if (!ly_bytes_is(event->text, "env") || !ly_get_env(event->data, &name, &value) ||
        !ly_bytes_is(name, "LC_WAIT"))
        return false;
    rig->data = event->channel;
    rig_later(rig, answer_oldest);
    return true;
}

static void test_order(void)
{
    Rig rig;
    rig_init(&rig);
    rig.options.handlers.request = keep_one;
    rig_session(&rig);
    ask_env(&rig, "LC_A", "1", 0);
    ask_env(&rig, "LC_WAIT", "2", 1);
    ask_env(&rig, "NOT_TAKEN", "3", 2);
    ly_channel_exec(rig.channel, LY_BYTES("read x; echo $x$LC_A$LC_WAIT"), 3);
    assert_replies(&rig, "++-+");
    LyBytes line = LY_BYTES("x\n");
    ly_channel_send(rig.channel, &line, 1);
    ly_drive_wake(rig.client);
    RUN_UNTIL(rig.loop, rig.closed);
    g_assert_cmpstr(ly_buf_str(&rig.out), ==, "x1\n");
    rig_clear(&rig);
}

static bool keep_all(void *user, LyServer *server, LyServerChannel *channel, const LyConnectionEvent *event)
{
    return true;
}

/* What the application never answered is refused before CLOSE, because an answer waits behind it. */
static void test_close_answers(void)
{
    Rig rig;
    rig_init(&rig);
    rig.options.handlers.request = keep_all;
    rig_session(&rig);
    ask_env(&rig, "LC_A", "1", 0);
    ly_channel_exec(rig.channel, LY_BYTES("exit 3"), 1);
    assert_replies(&rig, "-+");
    RUN_UNTIL(rig.loop, rig.closed);
    g_assert_cmpuint(rig.exit_status, ==, 3);
    rig_clear(&rig);
}

static void answer_global(void *user)
{
    Rig *rig = user;
    ly_global_reply(ly_server_connection(rig->server), true, LY_BYTES("mine"));
    ly_server_wake(rig->server);
}

static bool keep_global(void *user, LyServer *server, const LyConnectionEvent *event)
{
    if (!ly_bytes_is(event->text, "cancel-tcpip-forward"))
        return false;
    rig_later(user, answer_global);
    return true;
}

/* The same for the connection's own requests, with what they answer. */
static void test_global_order(void)
{
    Rig rig;
    rig_init(&rig);
    rig.options.handlers.global_request = keep_global;
    rig.options.forwards = LY_FORWARD_REMOTE;
    rig_start(&rig);
    RUN_UNTIL(rig.loop, rig.ready);
    LyBuf data = {0};
    ly_put_tcpip_forward(&data, LY_BYTES("localhost"), 0);
    ly_global_request(client_connection(&rig), LY_BYTES("cancel-tcpip-forward"), true, 0, (LyBytes){0});
    ly_global_request(client_connection(&rig), LY_BYTES("tcpip-forward"), true, 1, ly_buf_bytes(&data));
    assert_replies(&rig, "++");
    uint32_t port = 0;
    g_assert_true(ly_get_forwarded_port(ly_buf_bytes(&rig.global_data), &port) && port > 0);
    ly_buf_free(&data);
    rig_clear(&rig);
}

/* --- the application's programs --- */

typedef struct Mine {
    LyServerChannel *session;
    LyChannel *channel;
    size_t out, err; /* bytes left to send */
    bool wait;       /* the reply to exec is given later */
} Mine;

static void mine_send(Mine *mine)
{
    static uint8_t block[65536];
    memset(block, 'o', sizeof block);
    for (int is_stderr = 0; is_stderr < 2; is_stderr++) {
        size_t *left = is_stderr ? &mine->err : &mine->out;
        while (*left) {
            LyBytes part = ly_bytes(block, LY_MIN(sizeof block, *left));
            size_t taken = is_stderr ? ly_channel_send_stderr(mine->channel, &part, 1)
                                     : ly_channel_send(mine->channel, &part, 1);
            *left -= taken;
            if (taken < part.len)
                break;
        }
    }
    if (!mine->out && !mine->err) {
        ly_channel_exit_status(mine->channel, 5);
        ly_channel_eof(mine->channel);
        ly_channel_close(mine->channel);
    }
}

static void mine_event(void *user, const LyConnectionEvent *event)
{
    Rig *rig = user;
    Mine *mine = rig->data;
    g_assert_true(event->channel == mine->channel);
    if (event->type == LY_CHANNEL_REQUEST) {
        g_string_append_printf(rig->story, "%.*s ", (int)event->text.len, (const char *)event->text.data);
        if (event->want_reply && mine->wait)
            ly_channel_reply(event->channel, true); /* exec's */
        if (event->want_reply)
            ly_channel_reply(event->channel, true);
        mine->wait = false;
    } else if (event->type == LY_CHANNEL_EOF) {
        g_string_append(rig->story, "eof ");
        mine_send(mine);
    } else if (event->type == LY_CHANNEL_WINDOW) {
        mine_send(mine);
    } else if (event->type == LY_CHANNEL_DATA) {
        ly_channel_consumed(event->channel, event->data.len);
    } else if (event->type == LY_CHANNEL_CLOSED) {
        g_string_append(rig->story, "gone ");
    }
}

static bool mine_start(void *user, LyServer *server, LyServerChannel *channel, const LyServerStart *start,
                       const LyConnectionEvent *event)
{
    Rig *rig = user;
    Mine *mine = rig->data;
    LyPtyRequest pty;
    LyBytes name, value;
    if (start->kind != LY_START_EXEC || !ly_bytes_is(start->command, "mine"))
        return false;
    g_assert_true(ly_server_channel_server(channel) == server);
    g_assert_true(ly_server_channel_pty(channel, &pty) && pty.columns == 80 &&
                  ly_bytes_is(pty.term, "vt100"));
    g_assert_true(ly_server_channel_env(channel, 1, &name, &value) && ly_bytes_is(name, "LC_B") &&
                  ly_bytes_is(value, "2=2"));
    g_assert_false(ly_server_channel_env(channel, 2, &name, &value));
    mine->session = channel;
    mine->channel = ly_server_channel(channel);
    ly_server_channel_set_user(channel, mine);
    g_assert_true(ly_server_channel_user(channel) == mine);
    ly_channel_set_func(mine->channel, mine_event, rig);
    if (!mine->wait && event->want_reply)
        ly_channel_reply(mine->channel, true);
    return true;
}

static void test_start(void)
{
    Rig rig;
    Mine mine = {.wait = true, .out = 10};
    rig_init(&rig);
    rig.data = &mine;
    rig.options.handlers.start = mine_start;
    rig.options.handlers.session_closed = session_closed;
    rig_session(&rig);
    ask_env(&rig, "LC_A", "1", 0);
    ask_env(&rig, "LC_B", "2=2", 1);
    ly_channel_pty(rig.channel, &(LyPtyRequest){.term = LY_BYTES("vt100"), .columns = 80}, true, 2);
    ly_channel_exec(rig.channel, LY_BYTES("mine"), 3);
    ask_resize(&rig, 4);
    ly_channel_signal(rig.channel, LY_BYTES("USR1"));
    ly_channel_eof(rig.channel);
    assert_replies(&rig, "+++++");
    RUN_UNTIL(rig.loop, rig.closed);
    g_assert_cmpuint(rig.out.len, ==, 10);
    g_assert_cmpuint(rig.exit_status, ==, 5);
    RUN_UNTIL(rig.loop, strstr(rig.story->str, "gone"));
    g_assert_cmpstr(rig.story->str, ==, "window-change signal eof gone closed ");
    rig_clear(&rig);
}

/* What a key or the server forces is what the application gets to see. */
static bool see_forced(void *user, LyServer *server, LyServerChannel *channel, const LyServerStart *start,
                       const LyConnectionEvent *event)
{
    Rig *rig = user;
    g_assert_true(start->forced && start->kind == LY_START_EXEC &&
                  ly_bytes_is(start->command, "echo forced"));
    g_assert_true(ly_bytes_is(start->original, "rm -rf x"));
    rig->step++;
    return false;
}

static void test_forced(void)
{
    Rig rig;
    rig_init(&rig);
    rig.options.force_command = "echo forced";
    rig.options.handlers.start = see_forced;
    rig_session(&rig);
    ly_channel_exec(rig.channel, LY_BYTES("rm -rf x"), 0);
    assert_replies(&rig, "+");
    RUN_UNTIL(rig.loop, rig.closed);
    g_assert_cmpstr(ly_buf_str(&rig.out), ==, "forced\n");
    g_assert_cmpuint(rig.step, ==, 1);
    rig_clear(&rig);
}

/* --- stderr has its own backpressure, and a half-closed session goes on --- */

enum { LOAD = 5 << 20 };

static void assert_whole(const LyBuf *bytes, char c)
{
    g_assert_cmpuint(bytes->len, ==, LOAD);
    for (size_t i = 0; i < bytes->len; i++)
        g_assert_true(bytes->data[i] == (uint8_t)c);
}

/* Defect 2: both at once, to a reader that waits until both windows' worth came. */
static void run_defect_2(Rig *rig)
{
    RUN_UNTIL(rig->loop, rig->held_out + rig->held_err >= 2 << 20);
    for (int i = 0; i < 5; i++)
        ly_loop_run_once(rig->loop, 1000);
    g_assert_cmpuint(rig->held_out + rig->held_err, ==, 2 << 20);
    rig->hold = false;
    ly_channel_consumed(rig->channel, rig->held_out + rig->held_err);
    ly_drive_wake(rig->client);
    RUN_UNTIL(rig->loop, rig->closed);
}

static void test_defect_2_exec(void)
{
    Rig rig;
    rig_init(&rig);
    rig.hold = true;
    rig_session(&rig);
    ly_channel_exec(
        rig.channel,
        LY_BYTES("head -c 5242880 /dev/zero | tr '\\0' o & head -c 5242880 /dev/zero | tr '\\0' e "
                 ">&2; wait; exit 5"),
        0);
    ly_drive_wake(rig.client);
    run_defect_2(&rig);
    assert_whole(&rig.out, 'o');
    assert_whole(&rig.err, 'e');
    g_assert_cmpuint(rig.exit_status, ==, 5);
    rig_clear(&rig);
}

static bool load_start(void *user, LyServer *server, LyServerChannel *channel, const LyServerStart *start,
                       const LyConnectionEvent *event)
{
    Rig *rig = user;
    Mine *mine = rig->data;
    mine->channel = ly_server_channel(channel);
    ly_channel_set_func(mine->channel, mine_event, rig);
    ly_channel_reply(mine->channel, true);
    mine_send(mine);
    return true;
}

static void test_defect_2_application(void)
{
    Rig rig;
    Mine mine = {.out = LOAD, .err = LOAD};
    rig_init(&rig);
    rig.hold = true;
    rig.data = &mine;
    rig.options.handlers.start = load_start;
    rig_session(&rig);
    ly_channel_shell(rig.channel, 0);
    ly_drive_wake(rig.client);
    run_defect_2(&rig);
    assert_whole(&rig.out, 'o');
    assert_whole(&rig.err, 'o');
    rig_clear(&rig);
}

static void test_half_open(void)
{
    Rig rig;
    rig_init(&rig);
    rig_session(&rig);
    ly_channel_exec(rig.channel, LY_BYTES("cat >/dev/null; sleep 0.1; echo after; echo err >&2"), 0);
    ly_channel_eof(rig.channel);
    ly_drive_wake(rig.client);
    RUN_UNTIL(rig.loop, rig.closed);
    g_assert_cmpstr(ly_buf_str(&rig.out), ==, "after\n");
    g_assert_cmpstr(ly_buf_str(&rig.err), ==, "err\n");
    g_assert_cmpuint(rig.exit_status, ==, 0);
    rig_clear(&rig);
}

/* --- SFTP over the application's backend --- */

static void answer_stat(void *user)
{
    Rig *rig = user;
    ly_sftp_reply_status(rig->data, SSH_FX_NO_SUCH_FILE, "it is not there");
}

static void stat_requested(LySftpRequest *request)
{
    Rig *rig = request->backend;
    g_assert_true(request->type == SSH_FXP_STAT && ly_bytes_is(request->path, "/x"));
    rig->data = request;
    rig_later(rig, answer_stat);
}

static void handle_closed(void *backend, void *handle, LySftpRequest *request)
{
}

static void cancelled(LySftpRequest *request)
{
    Rig *rig = request->backend;
    ly_timer_free(rig->timer);
    rig->timer = NULL;
    g_string_append(rig->story, "cancel ");
}

static bool my_sftp(void *user, LyServer *server, LyServerChannel *channel, LySftpServerOptions *options)
{
    options->backend =
        (LySftpBackend){.request = stat_requested, .close = handle_closed, .cancel = cancelled, .user = user};
    return true;
}

/* INIT, and STAT of "/x" with the id 7. */
static void send_stat(Rig *rig)
{
    LyBuf data = {0};
    size_t mark = ly_put_string_begin(&data);
    ly_put_u8(&data, SSH_FXP_INIT);
    ly_put_u32(&data, 3);
    ly_put_string_end(&data, mark);
    mark = ly_put_string_begin(&data);
    ly_put_u8(&data, SSH_FXP_STAT);
    ly_put_u32(&data, 7);
    ly_put_cstring(&data, "/x");
    ly_put_string_end(&data, mark);
    ly_channel_subsystem(rig->channel, LY_BYTES("sftp"), 0);
    LyBytes part = ly_buf_bytes(&data);
    ly_channel_send(rig->channel, &part, 1);
    ly_buf_free(&data);
}

/* The connection ends while the backend works: it hears of that before its session is closed. */
static void test_sftp_cancelled(void)
{
    Rig rig;
    rig_init(&rig);
    rig.options.handlers.sftp = my_sftp;
    rig.options.handlers.session_closed = session_closed;
    rig_session(&rig);
    send_stat(&rig);
    ly_drive_wake(rig.client);
    RUN_UNTIL(rig.loop, rig.data);
    ly_server_free(rig.server);
    rig.server = NULL;
    g_assert_cmpstr(rig.story->str, ==, "cancel closed ");
    rig_clear(&rig);
}

/* Defect 12: the client's end of file ends an SFTP session, after its last answer. */
static void test_defect_12_sftp(void)
{
    Rig rig;
    rig_init(&rig);
    rig.options.handlers.sftp = my_sftp;
    rig_session(&rig);
    send_stat(&rig);
    ly_channel_eof(rig.channel);
    assert_replies(&rig, "+");
    RUN_UNTIL(rig.loop, rig.closed);
    g_assert_cmpuint(rig.exit_status, ==, 0);
    LyReader reader = ly_reader(ly_buf_bytes(&rig.out));
    LyReader version = ly_reader(ly_get_string(&reader)), status = ly_reader(ly_get_string(&reader));
    g_assert_true(ly_reader_done(&reader));
    g_assert_cmpuint(ly_get_u8(&version), ==, SSH_FXP_VERSION);
    g_assert_cmpuint(ly_get_u8(&status), ==, SSH_FXP_STATUS);
    g_assert_cmpuint(ly_get_u32(&status), ==, 7);
    g_assert_cmpuint(ly_get_u32(&status), ==, SSH_FX_NO_SUCH_FILE);
    rig_clear(&rig);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/server-handlers/sessions", test_sessions);
    g_test_add_func("/server-handlers/defect-13/env", test_defect_13);
    g_test_add_func("/server-handlers/defect-14/after-exec", test_defect_14);
    g_test_add_func("/server-handlers/order", test_order);
    g_test_add_func("/server-handlers/close-answers", test_close_answers);
    g_test_add_func("/server-handlers/global-order", test_global_order);
    g_test_add_func("/server-handlers/start", test_start);
    g_test_add_func("/server-handlers/forced", test_forced);
    g_test_add_func("/server-handlers/defect-2/exec", test_defect_2_exec);
    g_test_add_func("/server-handlers/defect-2/application", test_defect_2_application);
    g_test_add_func("/server-handlers/half-open", test_half_open);
    g_test_add_func("/server-handlers/sftp-cancelled", test_sftp_cancelled);
    g_test_add_func("/server-handlers/defect-12/sftp", test_defect_12_sftp);
    return g_test_run();
}
