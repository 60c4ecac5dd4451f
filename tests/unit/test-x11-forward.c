/* core/loop/x11.h against a server that the test plays: which of its x11 channels are taken. */
#include "client-rig.h"
#include "connection/forward.h"
#include "loop/x11.h"

typedef struct Forwarded {
    unsigned opened, refused;
    GString *reasons;
    bool running; /* the program that x11-req was sent for */
} Forwarded;

static void serve(Rig *rig, const LyConnectionEvent *event)
{
    Forwarded *forwarded = rig->own;
    if (event->type == LY_CHANNEL_OPEN_REQUEST) {
        ly_channel_accept(event->channel, NULL, (LyBytes){0});
    } else if (event->type == LY_CHANNEL_REQUEST && event->want_reply) {
        ly_channel_reply(event->channel, true);
    } else if (event->type == LY_CHANNEL_OPENED) {
        forwarded->opened++;
    } else if (event->type == LY_CHANNEL_OPEN_FAILED) {
        forwarded->refused++;
        g_string_append_printf(forwarded->reasons, "%u %.*s. ", event->number, (int)event->text.len,
                               (const char *)event->text.data);
    }
}

static void started(void *user)
{
    Rig *rig = user;
    ((Forwarded *)rig->own)->running = true;
}

static void open_x11(Rig *rig)
{
    Forwarded *forwarded = rig->own;
    unsigned before = forwarded->opened + forwarded->refused;
    LyBuf data = {0};
    ly_put_x11_open(&data, LY_BYTES("127.0.0.1"), 6010);
    ly_channel_open(server_connection(rig), LY_BYTES("x11"), ly_buf_bytes(&data), NULL);
    ly_drive_wake(rig->server);
    ly_buf_free(&data);
    RUN_UNTIL(rig->loop, forwarded->opened + forwarded->refused > before);
}

/* A program with X11 runs; the server opens two channels, the second after `pause_us`. */
static void forward(const LyX11Options *options, uint64_t pause_us, unsigned opened, const char *reasons)
{
    Forwarded forwarded = {.reasons = g_string_new(NULL)};
    Rig rig;
    LyError error = {0};
    rig_init(&rig);
    rig.own = &forwarded;
    rig.server_event = serve;
    rig_start(&rig);
    RUN_UNTIL(rig.loop, rig.ready || rig.closed);
    LyX11 *x11 = ly_x11_new(rig.client, options, &error);
    g_assert_cmpstr(error.message, ==, "");
    LyProgramOptions program_options = {
        .kind = LY_PROGRAM_COMMAND, .command = LY_BYTES("xterm"), .x11 = ly_x11_request(x11)};
    LyProgramEvents events = {.started = started, .user = &rig};
    LyProgram *program = ly_program_new(rig.client, &program_options, &events, &error);
    g_assert_nonnull(program);
    RUN_UNTIL(rig.loop, forwarded.running);
    open_x11(&rig);
    for (uint64_t until_us = ly_loop_now_us(rig.loop) + pause_us; ly_loop_now_us(rig.loop) < until_us;)
        ly_loop_run_once(rig.loop, 1000);
    open_x11(&rig);
    g_assert_cmpuint(forwarded.opened, ==, opened);
    g_assert_cmpstr(forwarded.reasons->str, ==, reasons);
    ly_program_free(program);
    ly_x11_free(x11);
    rig_clear(&rig);
    g_string_free(forwarded.reasons, TRUE);
}

#define DISPLAY_OPTIONS .display = "/nowhere", .xauthority = "/dev/null"

static void test_any(void)
{
    forward(&(LyX11Options){DISPLAY_OPTIONS}, 0, 2, "");
}

static void test_single(void)
{
    forward(&(LyX11Options){DISPLAY_OPTIONS, .single = true}, 0, 1, "1 only one connection was asked for. ");
}

static void test_time_over(void)
{
    LyX11Options options = {DISPLAY_OPTIONS, .timeout_us = 1};
    forward(&options, 1000, 0,
            "1 the time for X11 connections is over. 1 the time for X11 connections is over. ");
    options.timeout_us = 60 * 1000000;
    forward(&options, 1000, 2, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/x11-forward/any", test_any);
    g_test_add_func("/x11-forward/single", test_single);
    g_test_add_func("/x11-forward/time-over", test_time_over);
    return g_test_run();
}
