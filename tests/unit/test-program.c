/* core/loop/program.h against a server that the test plays. */
#include "client-rig.h"
#include "connection/connection-private.h"
#include "loop/program.h"

typedef struct Run {
    Rig rig;
    LyProgram *program;
    GString *server_saw, *told, *out, *err;
    LyChannel *server_channel;
    size_t sent, received;
    bool closed, free_in[6], free_client, hold;
    size_t told_late; /* what was told by then */
    LyProgramEnd end;
    LyError error;
} Run;

/* Which callback frees the program. */
enum { IN_STARTED, IN_DATA, IN_EOF, IN_CLOSED, IN_WRITABLE };

static void maybe_free(Run *run, int where)
{
    if (!run->free_in[where])
        return;
    if (run->free_client) {
        ly_client_free(run->rig.client);
        run->rig.client = NULL;
        run->told_late = run->told->len;
        return;
    }
    ly_program_free(run->program);
    run->program = NULL;
}

/* --- the server --- */

static void note(Run *run, const LyConnectionEvent *event)
{
    g_string_append_printf(run->server_saw, "%.*s%s ", (int)event->text.len, (const char *)event->text.data,
                           event->want_reply ? "?" : "");
}

/* Our own engine answers what it owes first. */
static void close_without_reply(Rig *rig, LyChannel *channel)
{
    uint8_t payload[5] = {SSH_MSG_CHANNEL_CLOSE};
    LyBytes part = ly_bytes(payload, sizeof payload);
    ly_store_u32(payload + 1, channel->peer_id);
    ly_transport_send(ly_session_transport(ly_drive_session(rig->server)), &part, 1);
}

static void serve(Rig *rig, const LyConnectionEvent *event)
{
    Run *run = rig->own;
    switch (event->type) {
    case LY_CHANNEL_OPEN_REQUEST:
        if (rig->step == 1) {
            ly_channel_refuse(event->channel, SSH_OPEN_CONNECT_FAILED, "open failed");
            break;
        }
        run->server_channel = event->channel;
        ly_channel_accept(event->channel, &(LyChannelOptions){.window = 65536}, (LyBytes){0});
        break;
    case LY_CHANNEL_REQUEST:
        note(run, event);
        if (!event->want_reply)
            break;
        /* 2: what starts is refused; 3: all that comes before it */
        bool starts = ly_bytes_is(event->text, "exec") || ly_bytes_is(event->text, "shell") ||
                      ly_bytes_is(event->text, "subsystem");
        if (rig->step == 4)
            close_without_reply(rig, event->channel);
        else
            ly_channel_reply(event->channel, !(starts ? rig->step == 2 : rig->step == 3));
        break;
    case LY_CHANNEL_DATA:
        run->received += event->data.len;
        if (!run->hold)
            ly_channel_consumed(event->channel, event->data.len);
        break;
    case LY_CHANNEL_EOF:
        g_string_append(run->server_saw, "EOF ");
        break;
    case LY_CHANNEL_CLOSED:
        g_string_append(run->server_saw, "CLOSED ");
        run->server_channel = NULL;
        break;
    default:
        break;
    }
}

/* --- the application --- */

static void started(void *user)
{
    Run *run = user;
    g_string_append(run->told, "started ");
    maybe_free(run, IN_STARTED);
}

static void data(void *user, LyBytes bytes)
{
    Run *run = user;
    g_string_append_len(run->out, (const char *)bytes.data, (gssize)bytes.len);
    if (!run->hold)
        ly_program_consumed(run->program, bytes.len);
    maybe_free(run, IN_DATA);
}

static void stderr_data(void *user, LyBytes bytes)
{
    Run *run = user;
    g_string_append_len(run->err, (const char *)bytes.data, (gssize)bytes.len);
    ly_program_consumed(run->program, bytes.len);
}

static void eof(void *user)
{
    Run *run = user;
    g_string_append(run->told, "eof ");
    maybe_free(run, IN_EOF);
}

static const uint8_t zeros[32768];

static void write_all(Run *run, size_t len)
{
    while (run->sent < len) {
        LyBytes part = ly_bytes(zeros, LY_MIN(sizeof zeros, len - run->sent));
        size_t taken = ly_program_write(run->program, &part, 1);
        run->sent += taken;
        if (taken < part.len)
            return;
    }
    ly_program_eof(run->program);
}

static void writable(void *user)
{
    Run *run = user;
    if (run->free_in[IN_WRITABLE])
        maybe_free(run, IN_WRITABLE);
    else
        write_all(run, 300000);
}

static void closed(void *user, const LyProgramEnd *end, const LyError *error)
{
    Run *run = user;
    g_assert_false(run->closed);
    run->closed = true;
    run->end = *end;
    run->error = error ? *error : (LyError){0};
    maybe_free(run, IN_CLOSED);
}

static const LyProgramEvents program_events = {
    .started = started,
    .data = data,
    .stderr_data = stderr_data,
    .eof = eof,
    .writable = writable,
    .closed = closed,
};

static LyProgram *program_new(Run *run, const LyProgramOptions *options)
{
    LyProgramEvents events = program_events;
    LyError error = {0};
    events.user = run;
    LyProgram *program = ly_program_new(run->rig.client, options, &events, &error);
    g_assert_cmpstr(error.message, ==, "");
    return program;
}

static void run_start_with(Run *run, const LyAgentTransport *agent)
{
    *run = (Run){0};
    rig_init(&run->rig);
    run->rig.destination_options.agent = agent;
    run->rig.own = run;
    run->rig.server_event = serve;
    run->server_saw = g_string_new(NULL);
    run->told = g_string_new(NULL);
    run->out = g_string_new(NULL);
    run->err = g_string_new(NULL);
    rig_start(&run->rig);
    RUN_UNTIL(run->rig.loop, run->rig.ready);
}

static void run_start(Run *run)
{
    run_start_with(run, NULL);
}

static void run_clear(Run *run)
{
    ly_program_free(run->program);
    rig_clear(&run->rig);
    g_string_free(run->server_saw, TRUE);
    g_string_free(run->told, TRUE);
    g_string_free(run->out, TRUE);
    g_string_free(run->err, TRUE);
}

static const LyProgramOptions plain = {.kind = LY_PROGRAM_COMMAND,
                                       .command = {.data = (const uint8_t *)"work", .len = 4}};

/* --- the whole way --- */

static void no_request(void *user, LyBytes request, LyAgentDone done, void *done_user)
{
    g_assert_not_reached();
}

/* Defect 13, too: two variables, and the answers are still to what they belong to. */
static void test_whole(void)
{
    Run run;
    LyBytes env[] = {LY_BYTES("LANG"), LY_BYTES("C"), LY_BYTES("EMPTY"), {0}};
    LyPtyRequest pty = {.term = LY_BYTES("vt100"), .columns = 80, .rows = 24};
    LyX11Request x11 = {.protocol = LY_BYTES("MIT-MAGIC-COOKIE-1"), .cookie = LY_BYTES("00ff")};
    LyProgramOptions options = {.kind = LY_PROGRAM_SUBSYSTEM,
                                .command = LY_BYTES("netconf"),
                                .env = env,
                                .env_count = 2,
                                .pty = &pty,
                                .x11 = &x11,
                                .agent = true};
    LyAgentTransport agent = {.request = no_request};
    for (unsigned step = 0; step <= 3; step += 3) {
        run_start_with(&run, step ? NULL : &agent);
        run.rig.step = step;
        run.program = program_new(&run, &options);
        pty = (LyPtyRequest){0}; /* copied */
        env[0] = env[1] = (LyBytes){0};
        RUN_UNTIL(run.rig.loop, run.told->len);
        g_assert_cmpstr(run.server_saw->str, ==,
                        step ? "env env pty-req? x11-req? subsystem? "
                             : "auth-agent-req@openssh.com env env pty-req? x11-req? subsystem? ");
        g_string_truncate(run.server_saw, 0);
        ly_program_resize(run.program, 100, 50, 0, 0);
        ly_program_signal(run.program, "INT");
        ly_program_break(run.program, 500);
        RUN_UNTIL(run.rig.loop, strstr(run.server_saw->str, "break"));
        g_assert_cmpstr(run.server_saw->str, ==, "window-change signal break ");
        LyBytes out = LY_BYTES("output"), err = LY_BYTES("complaint");
        ly_channel_send(run.server_channel, &out, 1);
        ly_channel_send_stderr(run.server_channel, &err, 1);
        ly_channel_eof(run.server_channel);
        ly_channel_exit_status(run.server_channel, 3);
        ly_channel_close(run.server_channel);
        ly_drive_wake(run.rig.server);
        RUN_UNTIL(run.rig.loop, run.closed);
        g_assert_cmpstr(run.out->str, ==, "output");
        g_assert_cmpstr(run.err->str, ==, "complaint");
        g_assert_cmpstr(run.told->str, ==, "started eof ");
        g_assert_true(run.end.exited && run.end.status == 3 && !run.end.signalled);
        g_assert_cmpstr(run.error.message, ==, "");
        g_assert_null(ly_program_channel(run.program));
        run_clear(&run);
        pty = (LyPtyRequest){.term = LY_BYTES("vt100"), .columns = 80, .rows = 24};
        env[0] = LY_BYTES("LANG");
        env[1] = LY_BYTES("C");
    }
}

static void test_exit_signal(void)
{
    Run run;
    run_start(&run);
    LyProgramOptions shell = {.kind = LY_PROGRAM_SHELL};
    run.program = program_new(&run, &shell);
    RUN_UNTIL(run.rig.loop, run.told->len);
    g_assert_cmpstr(run.server_saw->str, ==, "shell? ");
    ly_channel_exit_signal(run.server_channel, LY_BYTES("TERM"), true, LY_BYTES("go away"));
    ly_channel_close(run.server_channel);
    ly_drive_wake(run.rig.server);
    RUN_UNTIL(run.rig.loop, run.closed);
    g_assert_true(run.end.signalled && run.end.core_dumped && !run.end.exited);
    g_assert_true(ly_bytes_is(run.end.signal, "TERM") && ly_bytes_is(run.end.message, "go away"));
    run_clear(&run);
}

/* --- backpressure --- */

/* Written before it runs, more than the window holds, and the end of the input said from the first. */
static void test_writing(void)
{
    Run run;
    run_start(&run);
    run.hold = true;
    run.program = program_new(&run, &plain);
    write_all(&run, 300000);
    g_assert_cmpuint(run.sent, ==, 0);
    RUN_UNTIL(run.rig.loop, run.received == 65536);
    for (int i = 0; i < 20; i++)
        ly_loop_run_once(run.rig.loop, 1000);
    g_assert_cmpuint(run.sent, ==, 65536);
    run.hold = false;
    ly_channel_consumed(run.server_channel, 65536);
    ly_drive_wake(run.rig.server);
    RUN_UNTIL(run.rig.loop, strstr(run.server_saw->str, "EOF"));
    g_assert_cmpuint(run.received, ==, 300000);
    run_clear(&run);

    run_start(&run);
    run.program = program_new(&run, &plain);
    ly_program_eof(run.program);
    RUN_UNTIL(run.rig.loop, strstr(run.server_saw->str, "EOF"));
    g_assert_cmpstr(run.server_saw->str, ==, "exec? EOF ");
    run_clear(&run);
}

/* What is not consumed is not sent. */
static void test_reading(void)
{
    Run run;
    run_start(&run);
    run.hold = true;
    LyProgramOptions options = plain;
    options.window = 10000;
    run.program = program_new(&run, &options);
    RUN_UNTIL(run.rig.loop, run.told->len);
    LyBytes part = ly_bytes(zeros, sizeof zeros);
    g_assert_cmpuint(ly_channel_send(run.server_channel, &part, 1), ==, 10000);
    ly_drive_wake(run.rig.server);
    RUN_UNTIL(run.rig.loop, run.out->len == 10000);
    g_assert_cmpuint(ly_channel_send(run.server_channel, &part, 1), ==, 0);
    ly_program_consumed(run.program, 10000);
    size_t more = 0;
    RUN_UNTIL(run.rig.loop, (more += ly_channel_send(run.server_channel, &part, 1)) >= 10000);
    g_assert_cmpuint(more, ==, 10000);
    run_clear(&run);
}

/* --- what goes wrong --- */

static void test_refusals(void)
{
    static const struct {
        unsigned step;
        LyProgramKind kind;
        const char *command, *sentence;
    } cases[] = {
        {1, LY_PROGRAM_SHELL, "", "the server refused to open a session: open failed"},
        {2, LY_PROGRAM_SHELL, "", "the server refused a shell"},
        {2, LY_PROGRAM_COMMAND, "ls", "the server refused to run the command"},
        {2, LY_PROGRAM_SUBSYSTEM, "netconf\33", "the server refused the subsystem \"netconf\\x1b\""},
        {4, LY_PROGRAM_SHELL, "", "the server closed the session before anything was started"},
    };
    for (size_t i = 0; i < 2 * LY_COUNT(cases); i++) {
        Run run;
        run_start(&run);
        run.rig.step = cases[i / 2].step;
        run.free_in[IN_CLOSED] = i % 2;
        LyProgramOptions options = {.kind = cases[i / 2].kind, .command = ly_bytes_str(cases[i / 2].command)};
        run.program = program_new(&run, &options);
        RUN_UNTIL(run.rig.loop, run.closed);
        g_assert_cmpstr(run.error.message, ==, cases[i / 2].sentence);
        g_assert_cmpstr(run.told->str, ==, "");
        for (int k = 0; k < 10; k++)
            ly_loop_run_once(run.rig.loop, 1000);
        /* the engine at the other end does not know of a CLOSE that went past it, and sends a second one */
        g_assert_cmpint(run.rig.closed, ==, run.rig.step == 4);
        run_clear(&run);
    }
}

/* Defect 23: over the server's MaxSessions all that was said was "open failed". */
static void test_max_sessions(void)
{
    Run run, second = {0};
    run_start(&run);
    run.program = program_new(&run, &plain);
    RUN_UNTIL(run.rig.loop, run.told->len);
    run.rig.step = 1;
    LyProgramEvents events = {.closed = closed, .user = &second};
    second.program = ly_program_new(run.rig.client, &plain, &events, NULL);
    RUN_UNTIL(run.rig.loop, second.closed);
    g_assert_cmpstr(second.error.message, ==,
                    "the server refused to open a session: open failed; it has 1 of this connection already, "
                    "and servers limit that (sshd: MaxSessions)");
    g_assert_false(run.closed);
    ly_program_free(second.program);
    run_clear(&run);
}

static void test_connection_ends(void)
{
    for (int freed = 0; freed < 3; freed++) {
        Run run;
        run_start(&run);
        run.free_in[IN_CLOSED] = freed == 2;
        run.program = program_new(&run, &plain);
        RUN_UNTIL(run.rig.loop, run.told->len);
        if (freed == 1) {
            ly_client_free(run.rig.client);
            run.rig.client = NULL;
            g_assert_false(run.closed);
            ly_program_consumed(run.program, 1);
            ly_program_eof(run.program);
            g_assert_null(ly_program_channel(run.program));
        } else {
            ly_transport_disconnect(ly_session_transport(ly_drive_session(run.rig.server)),
                                    SSH_DISCONNECT_BY_APPLICATION, "enough");
            ly_drive_wake(run.rig.server);
            RUN_UNTIL(run.rig.loop, run.rig.closed);
            g_assert_true(run.closed);
            g_assert_cmpint(run.error.code, ==, LY_ERROR_DISCONNECT);
            LyError error = {0};
            g_assert_null(ly_program_new(run.rig.client, &plain, NULL, &error));
            g_assert_cmpstr(error.message, ==, "there is no connection to open a session on");
        }
        run_clear(&run);
    }
}

/* From within each event, and at each stage. */
static void test_free_anywhere(void)
{
    for (int where = -3; where <= IN_WRITABLE; where++) {
        Run run;
        run_start(&run);
        if (where >= 0)
            run.free_in[where] = true;
        run.program = program_new(&run, &plain);
        if (where == IN_WRITABLE)
            write_all(&run, 300000);
        if (where == -2) {
            ly_program_free(run.program); /* while it is being opened */
            run.program = NULL;
        }
        RUN_UNTIL(run.rig.loop, run.told->len || where == -2);
        if (where == -3) {
            ly_program_free(run.program);
            run.program = NULL;
        }
        if (run.server_channel && where >= 0) {
            LyBytes out = LY_BYTES("output");
            ly_channel_send(run.server_channel, &out, 1);
            ly_channel_eof(run.server_channel);
            ly_channel_close(run.server_channel);
            ly_drive_wake(run.rig.server);
        }
        if (where != -1)
            RUN_UNTIL(run.rig.loop, strstr(run.server_saw->str, "CLOSED"));
        g_assert_false(run.rig.closed);
        run_clear(&run);
    }
}

/* The client is freed from within each, and the program later. */
static void test_free_client_anywhere(void)
{
    for (int where = 0; where <= IN_WRITABLE; where++) {
        Run run;
        run_start(&run);
        run.free_in[where] = run.free_client = true;
        run.program = program_new(&run, &plain);
        if (where == IN_WRITABLE)
            write_all(&run, 300000);
        RUN_UNTIL(run.rig.loop, run.told->len);
        if (run.server_channel) {
            LyBytes out = LY_BYTES("output");
            ly_channel_send(run.server_channel, &out, 1);
            ly_channel_eof(run.server_channel);
            ly_channel_close(run.server_channel);
            ly_drive_wake(run.rig.server);
        }
        RUN_UNTIL(run.rig.loop, run.rig.server_ended);
        g_assert_null(run.rig.client);
        g_assert_cmpuint(run.told->len, ==, run.told_late);
        g_assert_cmpint(run.closed, ==, where == IN_CLOSED);
        ly_program_eof(run.program);
        run_clear(&run);
    }
}

static void test_no_channels_left(void)
{
    Run run;
    LyProgram *programs[1100];
    size_t count = 0;
    LyError error = {0};
    run_start(&run);
    LyProgramEvents events = {0};
    while (count < LY_COUNT(programs) &&
           (programs[count] = ly_program_new(run.rig.client, &plain, &events, &error)))
        count++;
    g_assert_cmpuint(count, ==, 1024);
    g_assert_cmpint(error.code, ==, LY_ERROR_LIMIT);
    g_assert_nonnull(strstr(error.message, "too many channels are open"));
    while (count)
        ly_program_free(programs[--count]);
    run_clear(&run);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/program/whole", test_whole);
    g_test_add_func("/program/exit-signal", test_exit_signal);
    g_test_add_func("/program/writing", test_writing);
    g_test_add_func("/program/reading", test_reading);
    g_test_add_func("/program/refusals", test_refusals);
    g_test_add_func("/program/defect-23-max-sessions", test_max_sessions);
    g_test_add_func("/program/connection-ends", test_connection_ends);
    g_test_add_func("/program/free-anywhere", test_free_anywhere);
    g_test_add_func("/program/free-client-anywhere", test_free_client_anywhere);
    g_test_add_func("/program/no-channels-left", test_no_channels_left);
    return g_test_run();
}
