/* core/loop/drive.h: a client's session driven over a carrier that does what the test says; the server's
 * session is moved by hand. */
#include "session-pair.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "loop-run.h"
#include "loop/drive.h"

#define READ_MAX ((size_t)1 << 20) /* as in drive.c */
#define STOP_READING ((size_t)8 << 20)
#define ROOM_MAX ((size_t)1 << 20) /* more than a session lends at once */

/* A level-triggered carrier in memory. */
typedef struct Script {
    LyCarrier carrier;
    LyLoop *loop;
    LyTask task;
    GString *trace; /* "w" for each write */
    LyBuf input, output;
    size_t read_at;
    size_t room; /* bytes that it still takes */
    bool hold;   /* does not tell that there is input */
    bool eof;    /* behind the input */
    int write_error, read_error;
    bool want_read, want_write;
    unsigned reads, writes, told; /* calls; `told`: of ready */
    unsigned *freed;
} Script;

static unsigned script_events(const Script *script)
{
    bool readable = script->read_at < script->input.len || script->eof || script->read_error;
    bool writable = script->room || script->write_error;
    return (script->want_read && readable && !script->hold ? LY_READABLE : 0u) |
           (script->want_write && writable ? LY_WRITABLE : 0u);
}

static void script_tell(Script *script)
{
    if (script_events(script))
        ly_loop_defer(script->loop, &script->task);
}

static void script_run(void *user)
{
    Script *script = user;
    unsigned events = script_events(script);
    script_tell(script);
    if (!events || !script->carrier.ready)
        return;
    script->told++;
    script->carrier.ready(script->carrier.user, events);
}

static ssize_t script_read(LyCarrier *carrier, void *data, size_t len)
{
    Script *script = (Script *)carrier;
    script->reads++;
    size_t count = MIN(len, script->input.len - script->read_at);
    if (!count)
        return script->read_error ? -script->read_error : script->eof ? 0 : -EAGAIN;
    memcpy(data, script->input.data + script->read_at, count);
    script->read_at += count;
    return (ssize_t)count;
}

static ssize_t script_write(LyCarrier *carrier, const void *data, size_t len)
{
    Script *script = (Script *)carrier;
    script->writes++;
    if (script->write_error)
        return -script->write_error;
    size_t count = MIN(len, script->room);
    g_string_append_c(script->trace, 'w');
    ly_buf_add(&script->output, ly_bytes(data, count));
    script->room -= count;
    return count ? (ssize_t)count : -EAGAIN;
}

static void script_want_read(LyCarrier *carrier, bool want)
{
    Script *script = (Script *)carrier;
    script->want_read = want;
    script_tell(script);
}

static void script_want_write(LyCarrier *carrier, bool want)
{
    Script *script = (Script *)carrier;
    script->want_write = want;
    script_tell(script);
}

static void script_free(LyCarrier *carrier)
{
    Script *script = (Script *)carrier;
    ly_loop_undefer(script->loop, &script->task);
    ly_buf_free(&script->input);
    ly_buf_free(&script->output);
    ++*script->freed;
    ly_free(script);
}

static const LyCarrierClass script_class = {.read = script_read,
                                            .write = script_write,
                                            .want_write = script_want_write,
                                            .want_read = script_want_read,
                                            .free = script_free};

/* --- the rig */

typedef enum FreeIn { FREE_NOWHERE, FREE_IN_EVENT, FREE_IN_ITERATED, FREE_IN_CLOSED } FreeIn;

typedef struct Rig {
    LyLoop *loop;
    Pair peer; /* its server's half only */
    LyChannel *peer_channel;
    LyDrive *drive;
    Script *script; /* the drive's; NULL: over a socket, or freed with it */
    GString *trace; /* "e": an event, "i": iterated, "c": closed, "w": a write */
    unsigned scripts_freed;
    bool ready, leave_question, question, opened, refill;
    FreeIn free_in;
    unsigned texts, windows, closed_count, iterated_count;
    LyChannel *channel;
    LyError error;
} Rig;

static void drop_drive(Rig *rig)
{
    ly_drive_free(rig->drive);
    rig->drive = NULL;
    rig->script = NULL;
}

static LyTransport *transport(Rig *rig)
{
    return ly_session_transport(ly_drive_session(rig->drive));
}

static void drive_event(void *user, const LySessionEvent *event)
{
    Rig *rig = user;
    g_string_append_c(rig->trace, 'e');
    if (event->type == LY_SESSION_TRANSPORT) {
        rig->texts += event->transport.type == LY_TRANSPORT_DEBUG_TEXT;
        if (event->transport.type == LY_TRANSPORT_HOST_KEY) {
            rig->question = true;
            if (!rig->leave_question)
                ly_transport_host_key_accept(transport(rig));
        }
    } else if (event->type == LY_SESSION_USERAUTH_CLIENT) {
        if (event->userauth.type == LY_USERAUTH_NEXT)
            ly_userauth_none(ly_session_userauth_client(ly_drive_session(rig->drive)));
    } else if (event->type == LY_SESSION_READY) {
        rig->ready = true;
    } else if (event->type == LY_SESSION_CONNECTION) {
        const LyConnectionEvent *given = &event->connection;
        rig->opened |= given->type == LY_CHANNEL_OPENED;
        rig->windows += given->type == LY_CHANNEL_WINDOW;
        if (given->type == LY_GLOBAL_REQUEST && given->want_reply)
            ly_global_reply(ly_session_connection(ly_drive_session(rig->drive)), true, (LyBytes){0});
    }
    if (rig->free_in == FREE_IN_EVENT && rig->ready)
        drop_drive(rig);
}

static void drive_iterated(void *user)
{
    Rig *rig = user;
    g_string_append_c(rig->trace, 'i');
    rig->iterated_count++;
    if (rig->free_in == FREE_IN_ITERATED && rig->ready)
        drop_drive(rig);
}

static void drive_closed(void *user, const LyError *error)
{
    Rig *rig = user;
    g_string_append_c(rig->trace, 'c');
    rig->closed_count++;
    rig->error = *error;
    if (rig->free_in == FREE_IN_CLOSED)
        drop_drive(rig);
}

static void peer_event(Pair *pair, LyRole role, LyConnectionEvent *event)
{
    Rig *rig = pair->user;
    if (event->type == LY_CHANNEL_OPEN_REQUEST) {
        LyChannelOptions options = {.window = 16u << 20, .max_window = 16u << 20};
        rig->peer_channel = event->channel;
        ly_channel_accept(event->channel, &options, (LyBytes){0});
    } else if (event->type == LY_CHANNEL_DATA) {
        ly_channel_consumed(event->channel, event->data.len);
    }
}

static LyTransport *peer_transport(Rig *rig)
{
    return ly_session_transport(rig->peer.s[LY_SERVER]);
}

static Rig *rig_new_over(const LySessionOptions *options, LyCarrier *carrier, LyLoop *loop)
{
    LyError error;
    Rig *rig = g_new0(Rig, 1);
    rig->loop = loop ? loop : ly_loop_new(&error);
    rig->trace = g_string_new(NULL);
    LySessionOptions own = pair_options(LY_CLIENT), peer = pair_options(LY_SERVER);
    uint64_t now_us = ly_loop_now_us(rig->loop);
    rig->peer = (Pair){.user = rig, .on_connection = peer_event, .now_us = now_us};
    rig->peer.s[LY_SERVER] = ly_session_new(&peer, now_us, &error);
    LySession *session = ly_session_new(options ? options : &own, now_us, &error);
    g_assert_true(rig->loop && session && rig->peer.s[LY_SERVER]);
    if (!carrier) {
        rig->script = ly_new(Script);
        *rig->script = (Script){.carrier.class = &script_class,
                                .loop = rig->loop,
                                .trace = rig->trace,
                                .room = SIZE_MAX / 2,
                                .freed = &rig->scripts_freed};
        rig->script->task = (LyTask){.func = script_run, .user = rig->script};
        carrier = &rig->script->carrier;
    }
    LyDriveEvents events = {
        .event = drive_event, .iterated = drive_iterated, .closed = drive_closed, .user = rig};
    rig->drive = ly_drive_new(rig->loop, session, carrier, &events);
    g_assert_cmpuint(rig->trace->len, ==, 0);
    return rig;
}

static Rig *rig_new(const LySessionOptions *options)
{
    return rig_new_over(options, NULL, NULL);
}

static void rig_free(Rig *rig)
{
    bool scripted = rig->script || rig->scripts_freed;
    ly_drive_free(rig->drive);
    g_assert_cmpuint(rig->scripts_freed, ==, scripted);
    pair_close(&rig->peer);
    ly_loop_free(rig->loop);
    g_string_free(rig->trace, TRUE);
    g_free(rig);
}

static void iterate(Rig *rig, unsigned count)
{
    while (count--)
        ly_loop_run_once(rig->loop, 0);
}

/* What the peer has to say becomes input of the carrier. */
static void peer_speaks(Rig *rig)
{
    LyBytes output = ly_session_output(rig->peer.s[LY_SERVER]);
    if (!rig->script || !output.len)
        return;
    ly_buf_add(&rig->script->input, output);
    ly_session_output_done(rig->peer.s[LY_SERVER], output.len);
    script_tell(rig->script);
}

/* What was written is heard by the peer. */
static void peer_hears(Rig *rig)
{
    while (rig->script && rig->script->output.len && !rig->peer.closed[LY_SERVER]) {
        size_t room;
        uint8_t *input = ly_session_input(rig->peer.s[LY_SERVER], &room);
        size_t len = MIN(room, rig->script->output.len);
        memcpy(input, rig->script->output.data, len);
        ly_session_input_done(rig->peer.s[LY_SERVER], len);
        ly_buf_drop(&rig->script->output, len);
        pull(&rig->peer, LY_SERVER);
    }
}

#define EXCHANGE_UNTIL(rig, condition)                                                                       \
    do {                                                                                                     \
        uint64_t end_us = ly_loop_now_us((rig)->loop) + FOR_EVER_US;                                         \
        while (!(condition)) {                                                                               \
            g_assert_cmpuint(ly_loop_now_us((rig)->loop), <, end_us);                                        \
            pull(&(rig)->peer, LY_SERVER);                                                                   \
            peer_speaks(rig);                                                                                \
            ly_loop_run_once((rig)->loop, 1000);                                                             \
            peer_hears(rig);                                                                                 \
        }                                                                                                    \
    } while (0)

/* Signed in, and nothing under way. */
static void sign_in(Rig *rig)
{
    EXCHANGE_UNTIL(rig, rig->ready && rig->peer.ready[LY_SERVER]);
    for (int i = 0; i < 10; i++) {
        pull(&rig->peer, LY_SERVER);
        peer_speaks(rig);
        iterate(rig, 1);
        peer_hears(rig);
    }
    g_string_truncate(rig->trace, 0);
    rig->script->reads = rig->script->writes = rig->script->told = 0;
    rig->iterated_count = 0;
}

static Rig *signed_in(const LySessionOptions *options)
{
    Rig *rig = rig_new(options);
    sign_in(rig);
    return rig;
}

static void peer_sends(Rig *rig, uint8_t number, bool always_display, size_t len)
{
    LyBuf message = {0};
    g_autofree uint8_t *text = g_malloc(len);
    memset(text, 'x', len);
    ly_put_u8(&message, number);
    if (number == SSH_MSG_DEBUG)
        ly_put_bool(&message, always_display);
    ly_put_string(&message, ly_bytes(text, len));
    if (number == SSH_MSG_DEBUG)
        ly_put_cstring(&message, "");
    ly_packet_seal_buf(peer_transport(rig), &message);
    ly_buf_free(&message);
}

static void peer_asks(Rig *rig, unsigned count)
{
    while (count--)
        ly_global_request(ly_session_connection(rig->peer.s[LY_SERVER]), LY_BYTES("hostkeys-00@openssh.com"),
                          true, 0, (LyBytes){0});
}

/* --- questions */

static void test_full_input(void)
{
    LySessionOptions options = pair_options(LY_CLIENT);
    options.transport.max_packet_len = 40000;
    Rig *rig = rig_new(&options);
    rig->leave_question = true;
    EXCHANGE_UNTIL(rig, rig->question);
    const unsigned count = 40;
    for (unsigned i = 0; i < count; i++)
        peer_sends(rig, SSH_MSG_DEBUG, false, 20000);
    peer_speaks(rig);
    iterate(rig, 20);
    g_assert_false(rig->script->want_read);
    g_assert_cmpuint(rig->texts, ==, 0);
    size_t taken = rig->script->read_at;
    unsigned reads = rig->script->reads, told = rig->script->told;
    g_assert_cmpuint(taken, <, 400000);
    /* nothing turns round and round while the question is open, not even when woken */
    iterate(rig, 20);
    ly_drive_wake(rig->drive);
    iterate(rig, 20);
    g_assert_cmpuint(rig->script->reads, ==, reads);
    g_assert_cmpuint(rig->script->told, ==, told);
    ly_transport_host_key_accept(transport(rig));
    ly_drive_wake(rig->drive);
    EXCHANGE_UNTIL(rig, rig->texts == count && rig->ready);
    g_assert_true(rig->script->want_read);
    rig_free(rig);
}

/* --- ends */

static void test_last_words(void)
{
    static const struct {
        size_t texts; /* of 30000 bytes, before the last words */
        bool words, eof;
        LyErrorCode code;
        const char *says;
    } cases[] = {
        {0, true, false, LY_ERROR_DISCONNECT, "enough"},
        {0, true, true, LY_ERROR_DISCONNECT, "enough"},
        {70, true, false, LY_ERROR_DISCONNECT, "enough"},
        {0, false, false, LY_ERROR_IO, "Broken pipe"},
        {3, false, false, LY_ERROR_IO, "Broken pipe"},
        {0, false, true, LY_ERROR_DISCONNECT, "closed the connection"},
        {3, false, true, LY_ERROR_DISCONNECT, "closed the connection"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Rig *rig = signed_in(NULL);
        rig->script->hold = true; /* the failure is seen before the words */
        for (size_t k = 0; k < cases[i].texts; k++)
            peer_sends(rig, SSH_MSG_DEBUG, false, 30000);
        if (cases[i].words)
            ly_transport_disconnect(peer_transport(rig), SSH_DISCONNECT_TOO_MANY_CONNECTIONS, "enough");
        peer_speaks(rig);
        rig->script->eof = cases[i].eof;
        rig->script->write_error = EPIPE;
        ly_global_request(ly_session_connection(ly_drive_session(rig->drive)), LY_BYTES("test@lanyard"),
                          false, 0, (LyBytes){0});
        ly_drive_wake(rig->drive);
        iterate(rig, 3);
        g_assert_cmpuint(rig->closed_count, ==, 1);
        g_assert_cmpint(rig->error.code, ==, cases[i].code);
        if (!strstr(rig->error.message, cases[i].says))
            g_error("case %zu: %s", i, rig->error.message);
        g_assert_cmpuint(rig->error.reason, ==, cases[i].words ? SSH_DISCONNECT_TOO_MANY_CONNECTIONS : 0);
        g_assert_cmpuint(rig->texts, ==, cases[i].texts);
        g_assert_cmpuint(rig->script->writes, ==, 1);
        rig_free(rig);
    }
}

/* The same with a real socket, whose other end wrote and closed. */
static void test_last_words_socket(void)
{
    int pair[2];
    LyError error;
    LyLoop *loop = ly_loop_new(&error);
    socket_pair(pair);
    static const char words[] = "Not allowed at this time\r\nSSH-2.0-test\r\n";
    g_assert_cmpint(write(pair[1], words, sizeof words - 1), ==, sizeof words - 1);
    close(pair[1]);
    Rig *rig = rig_new_over(NULL, ly_carrier_new_fds(loop, pair[0], pair[0], NULL), loop);
    for (int i = 0; i < 50 && !rig->closed_count; i++)
        ly_loop_run_once(loop, 100000);
    g_assert_cmpuint(rig->closed_count, ==, 1);
    g_assert_cmpstr(rig->error.message, ==, "the server closed the connection during the key exchange");
    /* the end is told once, and the loop has nothing to do although the socket stays open */
    uint64_t before_us = ly_loop_now_us(loop);
    ly_loop_run_once(loop, 50000);
    ly_loop_run_once(loop, 50000);
    g_assert_cmpuint(ly_loop_now_us(loop) - before_us, >=, 50000);
    rig_free(rig);
}

static void test_end_of_file(void)
{
    for (int failure = 0; failure < 2; failure++) {
        Rig *rig = signed_in(NULL);
        peer_sends(rig, SSH_MSG_DEBUG, false, 100);
        peer_speaks(rig);
        if (failure)
            rig->script->read_error = ECONNRESET;
        else
            rig->script->eof = true;
        script_tell(rig->script);
        iterate(rig, 5);
        g_assert_cmpuint(rig->texts, ==, 1);
        g_assert_cmpuint(rig->closed_count, ==, 1);
        g_assert_cmpint(rig->error.code, ==, failure ? LY_ERROR_IO : LY_ERROR_DISCONNECT);
        g_assert_false(rig->script->want_read || rig->script->want_write);
        unsigned reads = rig->script->reads, told = rig->script->told;
        g_assert_cmpuint(reads, <=, 2);
        ly_drive_wake(rig->drive);
        iterate(rig, 5);
        g_assert_cmpuint(rig->script->reads, ==, reads);
        g_assert_cmpuint(rig->script->told, ==, told);
        g_assert_cmpuint(rig->closed_count, ==, 1);
        rig_free(rig);
    }
}

/* An orderly end of ours: DISCONNECT goes out, then closed() comes. */
static void test_disconnect(void)
{
    Rig *rig = signed_in(NULL);
    ly_transport_disconnect(transport(rig), SSH_DISCONNECT_BY_APPLICATION, "bye");
    ly_drive_wake(rig->drive);
    iterate(rig, 1);
    g_assert_cmpstr(rig->trace->str, ==, "wc");
    g_assert_cmpint(rig->error.code, ==, LY_OK);
    peer_hears(rig);
    g_assert_true(rig->peer.closed[LY_SERVER]);
    g_assert_cmpuint(rig->peer.error[LY_SERVER].reason, ==, SSH_DISCONNECT_BY_APPLICATION);
    rig_free(rig);
}

static void test_free(void)
{
    for (FreeIn in = FREE_IN_EVENT; in <= FREE_IN_CLOSED; in++) {
        for (int broken = 0; broken < 2; broken++) {
            Rig *rig = signed_in(NULL);
            Script *script = rig->script;
            rig->free_in = in;
            peer_asks(rig, 20);
            if (in == FREE_IN_CLOSED)
                ly_transport_disconnect(peer_transport(rig), SSH_DISCONNECT_BY_APPLICATION, "bye");
            if (broken) { /* then the events come while last words are read */
                script->hold = true;
                script->write_error = EPIPE;
                ly_global_request(ly_session_connection(ly_drive_session(rig->drive)),
                                  LY_BYTES("test@lanyard"), false, 0, (LyBytes){0});
                ly_drive_wake(rig->drive);
            }
            peer_speaks(rig);
            iterate(rig, 5);
            if (in == FREE_IN_ITERATED && broken) { /* the end came first */
                g_assert_cmpuint(rig->closed_count, ==, 1);
                g_assert_nonnull(rig->drive);
            } else {
                g_assert_cmpuint(rig->scripts_freed, ==, 1);
                g_assert_cmpuint(rig->closed_count, ==, in == FREE_IN_CLOSED);
            }
            rig_free(rig);
        }
    }
    /* before anything ran, and what was queued is written at once */
    rig_free(rig_new(NULL));
    Rig *rig = signed_in(NULL);
    ly_transport_disconnect(transport(rig), SSH_DISCONNECT_BY_APPLICATION, "bye");
    drop_drive(rig);
    g_assert_cmpstr(rig->trace->str, ==, "w");
    rig_free(rig);
}

/* --- input and output in measure */

static void test_read_at_most(void)
{
    Rig *rig = signed_in(NULL);
    const unsigned count = 160;
    for (unsigned i = 0; i < count; i++)
        peer_sends(rig, SSH_MSG_DEBUG, false, 30000);
    peer_speaks(rig);
    size_t before = rig->script->read_at;
    for (unsigned i = 0; i < 20 && rig->texts < count; i++) {
        iterate(rig, 1);
        g_assert_cmpuint(rig->script->read_at - before, <=, READ_MAX + ROOM_MAX);
        before = rig->script->read_at;
    }
    g_assert_cmpuint(rig->texts, ==, count);
    g_assert_cmpuint(rig->script->told, >=, 2);
    g_assert_cmpuint(rig->script->writes, ==, 0);
    /* a read that was not filled is the last: no read only to hear EAGAIN */
    rig->script->reads = 0;
    peer_sends(rig, SSH_MSG_DEBUG, false, 100);
    peer_speaks(rig);
    iterate(rig, 5);
    g_assert_cmpuint(rig->script->reads, ==, 1);
    rig_free(rig);
}

/* Events, `iterated`, then one write for all that they queued. */
static void test_order(void)
{
    Rig *rig = signed_in(NULL);
    peer_asks(rig, 5);
    peer_speaks(rig);
    iterate(rig, 3);
    g_assert_cmpstr(rig->trace->str, ==, "eeeeeiw");
    g_assert_false(rig->script->want_write);
    /* no events, no `iterated` */
    ly_drive_wake(rig->drive);
    iterate(rig, 3);
    g_assert_cmpstr(rig->trace->str, ==, "eeeeeiw");
    rig_free(rig);
}

static void open_channel(Rig *rig)
{
    LyConnection *connection = ly_session_connection(ly_drive_session(rig->drive));
    rig->channel = ly_channel_open(connection, LY_BYTES("session"), (LyBytes){0}, NULL);
    ly_drive_wake(rig->drive);
    EXCHANGE_UNTIL(rig, rig->opened);
    iterate(rig, 3);
    rig->script->writes = rig->script->reads = 0;
    g_string_truncate(rig->trace, 0);
}

/* Sends until the channel takes no more; how much that was. */
static size_t fill(Rig *rig)
{
    static uint8_t block[100000];
    LyBytes part = ly_bytes(block, sizeof block);
    size_t sent = 0, taken;
    do
        sent += taken = ly_channel_send(rig->channel, &part, 1);
    while (taken == part.len);
    ly_drive_wake(rig->drive);
    return sent;
}

static void test_output(void)
{
    Rig *rig = signed_in(NULL);
    open_channel(rig);
    size_t room = rig->script->room;
    /* as few calls as possible */
    g_assert_cmpuint(fill(rig), >=, 1000000);
    iterate(rig, 1);
    g_assert_cmpuint(rig->script->writes, ==, 1);
    g_assert_false(rig->script->want_write);
    g_assert_cmpuint(rig->windows, ==, 1); /* without input */
    /* taken in part: not asked again before it says that there is room */
    rig->script->room = 300000;
    fill(rig);
    iterate(rig, 5);
    g_assert_cmpuint(rig->script->writes, ==, 2);
    g_assert_true(rig->script->want_write);
    g_assert_cmpuint(rig->windows, ==, 1);
    ly_drive_wake(rig->drive);
    iterate(rig, 5);
    g_assert_cmpuint(rig->script->writes, ==, 2);
    rig->script->room = room;
    script_tell(rig->script);
    iterate(rig, 5);
    g_assert_cmpuint(rig->script->writes, ==, 3);
    g_assert_false(rig->script->want_write);
    g_assert_cmpuint(rig->windows, ==, 2);
    g_assert_cmpuint(rig->script->reads, ==, 0);
    peer_hears(rig);
    g_assert_false(rig->peer.closed[LY_SERVER]);
    rig_free(rig);
}

/* A peer that asks and does not read the answers. */
static void test_backpressure(void)
{
    Rig *rig = signed_in(NULL);
    size_t before = rig->script->read_at, room = rig->script->room;
    rig->script->room = 0;
    const size_t count = 500, len = 30000;
    for (size_t i = 0; i < count; i++)
        peer_sends(rig, SSH_MSG_PING, false, len);
    peer_speaks(rig);
    iterate(rig, 100);
    g_assert_false(rig->script->want_read);
    g_assert_true(rig->script->want_write);
    g_assert_cmpuint(rig->script->read_at - before, >=, STOP_READING);
    g_assert_cmpuint(rig->script->read_at - before, <, STOP_READING + ROOM_MAX);
    unsigned told = rig->script->told, reads = rig->script->reads;
    iterate(rig, 20);
    g_assert_cmpuint(rig->script->told, ==, told);
    g_assert_cmpuint(rig->script->reads, ==, reads);
    rig->script->room = room;
    script_tell(rig->script);
    iterate(rig, 100);
    g_assert_true(rig->script->want_read);
    g_assert_false(rig->script->want_write);
    g_assert_cmpuint(rig->script->output.len, >=, count * len);
    rig_free(rig);
}

/* --- time */

static void test_deadlines(void)
{
    LySessionOptions options = pair_options(LY_CLIENT);
    options.transport.handshake_timeout_us = 30000;
    Rig *rig = rig_new(&options);
    uint64_t limit_us = ly_loop_now_us(rig->loop) + FOR_EVER_US;
    while (!rig->closed_count && ly_loop_now_us(rig->loop) < limit_us)
        ly_loop_run_once(rig->loop, UINT64_MAX); /* the timer alone ends it */
    g_assert_cmpint(rig->error.code, ==, LY_ERROR_TIMEOUT);
    rig_free(rig);

    options = pair_options(LY_CLIENT);
    options.connection = (LyConnectionOptions){.keepalive_us = 20000, .keepalive_count = 2};
    rig = rig_new(&options);
    EXCHANGE_UNTIL(rig, rig->ready && rig->peer.ready[LY_SERVER]);
    rig->script->writes = 0;
    while (!rig->closed_count && ly_loop_now_us(rig->loop) < limit_us)
        ly_loop_run_once(rig->loop, UINT64_MAX);
    g_assert_cmpint(rig->error.code, ==, LY_ERROR_TIMEOUT);
    g_assert_cmpuint(rig->script->writes, >=, 2); /* the keepalives */
    rig_free(rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    make_keys();
    g_test_add_func("/drive/full-input", test_full_input);
    g_test_add_func("/drive/last-words", test_last_words);
    g_test_add_func("/drive/last-words-socket", test_last_words_socket);
    g_test_add_func("/drive/end-of-file", test_end_of_file);
    g_test_add_func("/drive/disconnect", test_disconnect);
    g_test_add_func("/drive/free", test_free);
    g_test_add_func("/drive/read-at-most", test_read_at_most);
    g_test_add_func("/drive/order", test_order);
    g_test_add_func("/drive/output", test_output);
    g_test_add_func("/drive/backpressure", test_backpressure);
    g_test_add_func("/drive/deadlines", test_deadlines);
    int result = g_test_run();
    free_keys();
    return result;
}
