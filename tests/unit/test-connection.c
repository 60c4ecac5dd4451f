#include "session-pair.h"

#include "connection/connection-private.h"

#define SECOND_US ((uint64_t)1000000)

/* --- one side alone, packets given and taken
 * ------------------------------------------------------------------- */

typedef struct Lone {
    LyTransport *t;
    LyConnection *c;
    LyConnectionEvent event;
    LyBuf payload; /* to which the event's views point */
} Lone;

static Lone lone_new(LyRole role, const LyConnectionOptions *options)
{
    Lone lone = {.t = lone_transport(role)};
    lone.c = ly_connection_new(lone.t, options);
    return lone;
}

static void lone_free(Lone *lone)
{
    ly_connection_free(lone->c);
    ly_transport_free(lone->t);
    ly_buf_free(&lone->payload);
}

/* A payload in short: numbers %b (byte) %u (uint32) %s (string), e.g. put("bsuuu", 90, "session", 0, 1, 2).
 */
static LyBuf put(const char *format, ...)
{
    LyBuf payload = {0};
    va_list arguments;
    va_start(arguments, format);
    for (; *format; format++) {
        if (*format == 'b')
            ly_put_u8(&payload, (uint8_t)va_arg(arguments, int));
        else if (*format == 'u')
            ly_put_u32(&payload, (uint32_t)va_arg(arguments, unsigned));
        else
            ly_put_cstring(&payload, va_arg(arguments, const char *));
    }
    va_end(arguments);
    return payload;
}

static bool give(Lone *lone, LyBuf payload)
{
    ly_buf_free(&lone->payload);
    lone->payload = payload;
    return ly_connection_receive(lone->c, ly_buf_bytes(&payload), &lone->event);
}

static bool failed_with(const Lone *lone, const char *part)
{
    if (!ly_transport_is_closed(lone->t) || !strstr(lone->t->error.message, part))
        g_test_message("error: '%s'", lone->t->error.message);
    return ly_transport_is_closed(lone->t) && strstr(lone->t->error.message, part);
}

/* Our channel, confirmed: the peer's number is 77. */
static LyChannel *opened(Lone *lone, const LyChannelOptions *options, unsigned window, unsigned max_packet)
{
    LyChannel *channel = ly_channel_open(lone->c, LY_BYTES("session"), (LyBytes){0}, options);
    g_assert_nonnull(channel);
    g_assert_cmpuint(take_number(lone->t), ==, SSH_MSG_CHANNEL_OPEN);
    g_assert_true(
        give(lone, put("buuuu", SSH_MSG_CHANNEL_OPEN_CONFIRMATION, channel->id, 77u, window, max_packet)));
    g_assert_cmpint(lone->event.type, ==, LY_CHANNEL_OPENED);
    return channel;
}

/* The peer's channel, accepted. */
static LyChannel *accepted(Lone *lone, const LyChannelOptions *options)
{
    g_assert_true(give(lone, put("bsuuu", SSH_MSG_CHANNEL_OPEN, "session", 77u, 1000u, 100u)));
    g_assert_cmpint(lone->event.type, ==, LY_CHANNEL_OPEN_REQUEST);
    LyChannel *channel = lone->event.channel;
    ly_channel_accept(channel, options, (LyBytes){0});
    g_assert_cmpuint(take_number(lone->t), ==, SSH_MSG_CHANNEL_OPEN_CONFIRMATION);
    return channel;
}

static LyBuf data_of(LyChannel *channel, size_t len)
{
    LyBuf payload = put("buu", SSH_MSG_CHANNEL_DATA, channel->id, (unsigned)len);
    memset(ly_buf_room(&payload, len), 'x', len);
    ly_buf_added(&payload, len);
    return payload;
}

static void assert_sent(Lone *lone, LyBuf expected)
{
    LyBytes sent = take_sent(lone->t);
    g_assert_cmpmem(sent.data, sent.len, expected.data, expected.len);
    ly_buf_free(&expected);
}

static void test_send_splits(void)
{
    Lone lone = lone_new(LY_CLIENT, NULL);
    LyChannel *channel = opened(&lone, NULL, 10, 4);
    LyBytes parts[] = {LY_BYTES("ab"), {0}, LY_BYTES("cdefg"), LY_BYTES("hijkl")};
    g_assert_cmpuint(ly_channel_send(channel, parts, 4), ==, 10);
    assert_sent(&lone, put("bus", SSH_MSG_CHANNEL_DATA, 77u, "abcd"));
    assert_sent(&lone, put("bus", SSH_MSG_CHANNEL_DATA, 77u, "efgh"));
    assert_sent(&lone, put("bus", SSH_MSG_CHANNEL_DATA, 77u, "ij"));
    g_assert_false(ly_connection_next(lone.c, &lone.event));
    g_assert_false(give(&lone, put("buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, channel->id, 3u)));
    g_assert_true(ly_connection_next(lone.c, &lone.event));
    g_assert_true(lone.event.type == LY_CHANNEL_WINDOW && lone.event.channel == channel);
    g_assert_false(ly_connection_next(lone.c, &lone.event));
    g_assert_cmpuint(ly_channel_send_stderr(channel, parts, 1), ==, 2);
    assert_sent(&lone, put("buus", SSH_MSG_CHANNEL_EXTENDED_DATA, 77u, 1u, "ab"));
    /* More parts than fit one packet. */
    LyBytes many[40];
    for (size_t i = 0; i < LY_COUNT(many); i++)
        many[i] = LY_BYTES("z");
    give(&lone, put("buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, channel->id, 100u));
    channel->send_max_packet = 100;
    g_assert_cmpuint(ly_channel_send(channel, many, LY_COUNT(many)), ==, 40);
    assert_sent(&lone, put("bus", SSH_MSG_CHANNEL_DATA, 77u, "zzzzzzzzzzzzzzzz"));
    ly_channel_eof(channel);
    g_assert_cmpuint(ly_channel_send(channel, parts, 1), ==, 0);
    lone_free(&lone);
}

static void test_backlog(void)
{
    Lone lone = lone_new(LY_CLIENT, NULL);
    LyChannel *channel = opened(&lone, NULL, UINT32_MAX, 32768);
    g_autofree uint8_t *block = g_malloc0(8 << 20);
    LyBytes part = ly_bytes(block, 8 << 20);
    size_t taken = ly_channel_send(channel, &part, 1);
    g_assert_cmpuint(taken, >=, (1 << 20) - 32768);
    g_assert_cmpuint(taken, <=, (1 << 20) + 32768);
    g_assert_false(ly_connection_next(lone.c, &lone.event));
    lone.t->pending.len = 0; /* as if written */
    g_assert_true(ly_connection_next(lone.c, &lone.event));
    g_assert_cmpint(lone.event.type, ==, LY_CHANNEL_WINDOW);
    lone_free(&lone);
}

/* Defect 21: over-window data. Item 42, 43. */
static void test_window_overrun(void)
{
    LyChannelOptions options = {.window = 100, .max_packet = 60};
    Lone lone = lone_new(LY_SERVER, NULL);
    LyChannel *channel = accepted(&lone, &options);
    g_assert_true(give(&lone, data_of(channel, 60)));
    ly_channel_consumed(channel, 1000); /* not more than came */
    assert_sent(&lone, put("buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, 77u, 60u));
    g_assert_true(give(&lone, data_of(channel, 60)));
    g_assert_true(give(&lone, data_of(channel, 40)));
    g_assert_false(give(&lone, data_of(channel, 1)));
    g_assert_true(failed_with(&lone, "whose window is 0 bytes"));
    lone_free(&lone);
    lone = lone_new(LY_SERVER, NULL);
    channel = accepted(&lone, &options);
    g_assert_false(give(&lone, data_of(channel, 61)));
    g_assert_true(failed_with(&lone, "at once"));
    lone_free(&lone);
    lone = lone_new(LY_SERVER, NULL);
    channel = accepted(&lone, &options);
    g_assert_false(give(&lone, put("buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, channel->id, UINT32_MAX - 1000)));
    g_assert_false(ly_transport_is_closed(lone.t));
    g_assert_false(give(&lone, put("buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, channel->id, 1u)));
    g_assert_true(failed_with(&lone, "4 GiB"));
    lone_free(&lone);
}

static void test_max_packet_zero(void)
{
    Lone lone = lone_new(LY_SERVER, NULL);
    g_assert_false(give(&lone, put("bsuuu", SSH_MSG_CHANNEL_OPEN, "session", 5u, 1000u, 0u)));
    LyBytes sent = take_sent(lone.t);
    g_assert_cmpuint(sent.data[0], ==, SSH_MSG_CHANNEL_OPEN_FAILURE);
    g_assert_cmpuint(ly_load_u32(sent.data + 1), ==, 5);
    g_assert_cmpuint(lone.c->channels.used, ==, 0);
    lone_free(&lone);
    lone = lone_new(LY_CLIENT, NULL);
    LyChannel *channel = ly_channel_open(lone.c, LY_BYTES("session"), (LyBytes){0}, NULL);
    g_assert_false(give(&lone, put("buuuu", SSH_MSG_CHANNEL_OPEN_CONFIRMATION, channel->id, 7u, 1000u, 0u)));
    g_assert_true(failed_with(&lone, "packet size of 0"));
    lone_free(&lone);
}

/* Adjusts leave when half a window was consumed; the window grows while it is what limits. */
static void test_window_grows(void)
{
    LyChannelOptions options = {.window = 1000, .max_window = 3000, .max_packet = 500};
    Lone lone = lone_new(LY_SERVER, NULL);
    LyChannel *channel = accepted(&lone, &options);
    uint64_t now_us = 100000;
    ly_transport_tick(lone.t, now_us); /* the round trip: 100 ms */
    g_assert_true(give(&lone, data_of(channel, 499)));
    g_assert_cmpuint(lone.c->rtt_us, ==, 100000);
    ly_channel_consumed(channel, 499);
    g_assert_cmpuint(take_number(lone.t), ==, 0);
    g_assert_true(give(&lone, data_of(channel, 1)));
    ly_channel_consumed(channel, 1);
    assert_sent(&lone, put("buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, 77u, 500u));
    g_assert_true(give(&lone, data_of(channel, 500)));
    ly_channel_consumed(channel, 500); /* 1000 in one round trip */
    assert_sent(&lone, put("buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, 77u, 1500u));
    g_assert_cmpuint(channel->window, ==, 2000);
    for (int i = 0; i < 40; i++) { /* as fast: to the maximum and no further */
        g_assert_true(give(&lone, data_of(channel, 500)));
        ly_channel_consumed(channel, 500);
        while (take_number(lone.t)) {
        }
        g_assert_cmpuint(channel->receive_window + channel->held + channel->credit, ==, channel->window);
    }
    g_assert_cmpuint(channel->window, ==, 3000);
    lone_free(&lone);
    lone = lone_new(LY_SERVER, NULL); /* slow: it stays as it is */
    channel = accepted(&lone, &options);
    now_us = 0;
    for (int i = 0; i < 40; i++) { /* a round trip takes 50 ms, 1000 bytes take 100 ms and more */
        ly_transport_tick(lone.t, now_us += 50000);
        g_assert_true(give(&lone, data_of(channel, 500)));
        ly_channel_consumed(channel, 500);
    }
    g_assert_cmpuint(channel->window, ==, 1000);
    lone_free(&lone);
}

/* Item 44: messages for channels that are not there. */
static void test_unknown_channels(void)
{
    static const uint8_t fatal[] = {SSH_MSG_CHANNEL_DATA,        SSH_MSG_CHANNEL_EXTENDED_DATA,
                                    SSH_MSG_CHANNEL_EOF,         SSH_MSG_CHANNEL_CLOSE,
                                    SSH_MSG_CHANNEL_REQUEST,     SSH_MSG_CHANNEL_OPEN_CONFIRMATION,
                                    SSH_MSG_CHANNEL_OPEN_FAILURE};
    static const unsigned ids[] = {0, 1, 31, 65536, UINT32_MAX};
    for (size_t i = 0; i < LY_COUNT(fatal) * LY_COUNT(ids); i++) {
        Lone lone = lone_new(LY_CLIENT, NULL);
        g_assert_false(
            give(&lone, put("buuuuu", fatal[i % LY_COUNT(fatal)], ids[i / LY_COUNT(fatal)], 0u, 0u, 0u, 0u)));
        g_assert_true(ly_transport_is_closed(lone.t));
        lone_free(&lone);
        lone = lone_new(LY_CLIENT, NULL); /* asked for, and not yet answered */
        LyChannel *channel = ly_channel_open(lone.c, LY_BYTES("session"), (LyBytes){0}, NULL);
        if (i % LY_COUNT(fatal) < 5) {
            g_assert_false(
                give(&lone, put("buuuuu", fatal[i % LY_COUNT(fatal)], channel->id, 0u, 0u, 0u, 0u)));
            g_assert_true(ly_transport_is_closed(lone.t));
        }
        lone_free(&lone);
    }
    Lone lone = lone_new(LY_CLIENT, NULL); /* item 45: replies nobody asked for */
    LyChannel *channel = opened(&lone, NULL, 10, 10);
    for (int i = 0; i < 5000; i++) {
        g_assert_false(give(&lone, put("bu", SSH_MSG_CHANNEL_SUCCESS + i % 2, i % 3 ? channel->id : 9999u)));
        g_assert_false(give(&lone, put("b", SSH_MSG_REQUEST_SUCCESS + i % 2)));
    }
    g_assert_false(give(&lone, put("buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, 9999u, 5u)));
    g_assert_false(ly_transport_is_closed(lone.t));
    g_assert_false(give(&lone, put("buuuu", SSH_MSG_CHANNEL_OPEN_CONFIRMATION, channel->id, 1u, 1u, 1u)));
    g_assert_true(ly_transport_is_closed(lone.t));
    lone_free(&lone);
}

/* An id is another one when its slot is used again. */
static void test_stale_id(void)
{
    Lone lone = lone_new(LY_CLIENT, NULL);
    LyChannel *channel = opened(&lone, NULL, 10, 10);
    uint32_t old = channel->id;
    g_assert_true(give(&lone, put("bu", SSH_MSG_CHANNEL_CLOSE, old)));
    g_assert_cmpint(lone.event.type, ==, LY_CHANNEL_CLOSED);
    g_assert_cmpuint(take_number(lone.t), ==, SSH_MSG_CHANNEL_CLOSE);
    channel = opened(&lone, NULL, 10, 10);
    g_assert_cmpuint(channel->id, !=, old);
    g_assert_false(give(&lone, put("bus", SSH_MSG_CHANNEL_DATA, old, "x")));
    g_assert_true(failed_with(&lone, "not open"));
    lone_free(&lone);
}

static void test_close_races(void)
{
    Lone lone = lone_new(LY_CLIENT, NULL);
    LyChannel *channel = opened(&lone, NULL, 10, 10);
    int mark;
    ly_channel_set_user(channel, &mark);
    ly_channel_request(channel, LY_BYTES("shell"), true, 1, (LyBytes){0});
    take_sent(lone.t);
    ly_channel_close(channel);
    ly_channel_close(channel);
    g_assert_cmpuint(take_number(lone.t), ==, SSH_MSG_CHANNEL_CLOSE);
    /* What crossed our CLOSE is dropped, but windows still hold. */
    g_assert_false(give(&lone, put("bus", SSH_MSG_CHANNEL_DATA, channel->id, "late")));
    g_assert_false(give(&lone, put("bu", SSH_MSG_CHANNEL_SUCCESS, channel->id)));
    g_assert_false(give(&lone, put("busbu", SSH_MSG_CHANNEL_REQUEST, channel->id, "exit-status", 0, 3u)));
    g_assert_false(give(&lone, put("busb", SSH_MSG_CHANNEL_REQUEST, channel->id, "what", 1)));
    g_assert_false(give(&lone, put("bu", SSH_MSG_CHANNEL_EOF, channel->id)));
    g_assert_cmpuint(take_number(lone.t), ==, 0);
    g_assert_true(give(&lone, put("bu", SSH_MSG_CHANNEL_CLOSE, channel->id)));
    g_assert_true(lone.event.type == LY_CHANNEL_CLOSED && ly_channel_user(lone.event.channel) == &mark);
    /* Calls on the dying channel do nothing. */
    g_assert_cmpuint(ly_channel_send(channel, &(LyBytes){(const uint8_t *)"x", 1}, 1), ==, 0);
    ly_channel_consumed(channel, 1);
    ly_channel_close(channel);
    ly_channel_reply(channel, true);
    g_assert_cmpuint(take_number(lone.t), ==, 0);
    g_assert_false(ly_connection_next(lone.c, &lone.event));
    g_assert_false(give(&lone, put("bu", SSH_MSG_CHANNEL_CLOSE, 0u)));
    g_assert_true(ly_transport_is_closed(lone.t));
    lone_free(&lone);
    /* Closed before the peer answered the OPEN. */
    lone = lone_new(LY_CLIENT, NULL);
    channel = ly_channel_open(lone.c, LY_BYTES("session"), (LyBytes){0}, NULL);
    g_assert_cmpuint(take_number(lone.t), ==, SSH_MSG_CHANNEL_OPEN);
    ly_channel_close(channel);
    g_assert_cmpuint(take_number(lone.t), ==, 0);
    g_assert_false(give(&lone, put("buuuu", SSH_MSG_CHANNEL_OPEN_CONFIRMATION, channel->id, 9u, 1u, 1u)));
    g_assert_cmpuint(take_number(lone.t), ==, SSH_MSG_CHANNEL_CLOSE);
    g_assert_true(give(&lone, put("bu", SSH_MSG_CHANNEL_CLOSE, channel->id)));
    g_assert_cmpint(lone.event.type, ==, LY_CHANNEL_CLOSED);
    lone_free(&lone);
}

static void test_data_after_eof(void)
{
    Lone lone = lone_new(LY_CLIENT, NULL);
    LyChannel *channel = opened(&lone, NULL, 10, 10);
    g_assert_true(give(&lone, put("bu", SSH_MSG_CHANNEL_EOF, channel->id)));
    g_assert_cmpint(lone.event.type, ==, LY_CHANNEL_EOF);
    g_assert_false(give(&lone, put("bu", SSH_MSG_CHANNEL_EOF, channel->id)));
    g_assert_cmpuint(ly_channel_send(channel, &(LyBytes){(const uint8_t *)"x", 1}, 1), ==, 1); /* half open */
    g_assert_false(give(&lone, put("bus", SSH_MSG_CHANNEL_DATA, channel->id, "x")));
    g_assert_true(failed_with(&lone, "after its end of file"));
    lone_free(&lone);
}

/* Defects 13 and 14: every request that wants a reply gets one, in order, whenever it comes. */
static void test_replies_in_order(void)
{
    Lone lone = lone_new(LY_SERVER, NULL);
    LyChannel *channel = accepted(&lone, NULL);
    g_assert_true(give(&lone, put("busbss", SSH_MSG_CHANNEL_REQUEST, channel->id, "env", 1, "A", "1")));
    g_assert_false(give(&lone, put("busb", SSH_MSG_CHANNEL_REQUEST, channel->id, "nonsense@example.org", 1)));
    g_assert_false(
        give(&lone, put("busb", SSH_MSG_CHANNEL_REQUEST, channel->id, "keepalive@openssh.com", 1)));
    g_assert_true(give(&lone, put("busbs", SSH_MSG_CHANNEL_REQUEST, channel->id, "exec", 1, "ls")));
    g_assert_true(ly_bytes_is(lone.event.text, "exec") && lone.event.want_reply);
    g_assert_cmpuint(take_number(lone.t), ==, 0);
    ly_channel_reply(channel, false);
    assert_sent(&lone, put("bu", SSH_MSG_CHANNEL_FAILURE, 77u));
    assert_sent(&lone, put("bu", SSH_MSG_CHANNEL_FAILURE, 77u));
    assert_sent(&lone, put("bu", SSH_MSG_CHANNEL_FAILURE, 77u));
    g_assert_cmpuint(take_number(lone.t), ==, 0);
    ly_channel_reply(channel, true);
    assert_sent(&lone, put("bu", SSH_MSG_CHANNEL_SUCCESS, 77u));
    ly_channel_reply(channel, true); /* nothing is owed */
    g_assert_cmpuint(take_number(lone.t), ==, 0);
    g_assert_true(give(&lone, put("busbss", SSH_MSG_CHANNEL_REQUEST, channel->id, "env", 1, "late", "1")));
    ly_channel_reply(channel, true);
    g_assert_cmpuint(take_number(lone.t), ==, SSH_MSG_CHANNEL_SUCCESS);
    g_assert_false(give(&lone, put("busbu", SSH_MSG_CHANNEL_REQUEST, channel->id, "exit-status", 1, 0u)));
    g_assert_cmpuint(take_number(lone.t), ==, SSH_MSG_CHANNEL_FAILURE); /* clients do not say that */
    for (int i = 0; i < LY_CHANNEL_REQUESTS_MAX; i++)
        g_assert_true(give(&lone, put("busbss", SSH_MSG_CHANNEL_REQUEST, channel->id, "env", 1, "A", "1")));
    g_assert_false(give(&lone, put("busbss", SSH_MSG_CHANNEL_REQUEST, channel->id, "env", 1, "A", "1")));
    g_assert_true(failed_with(&lone, "without waiting"));
    lone_free(&lone);
}

static void test_tags_come_back(void)
{
    Lone lone = lone_new(LY_CLIENT, NULL);
    LyChannel *channel = opened(&lone, NULL, 10, 10);
    for (uint32_t i = 0; i < 20; i++)
        ly_channel_request(channel, LY_BYTES("env"), true, 100 + i, (LyBytes){0});
    ly_channel_env(channel, LY_BYTES("A"), LY_BYTES("b"));
    for (uint32_t i = 0; i < 20; i++) {
        g_assert_true(give(&lone, put("bu", SSH_MSG_CHANNEL_SUCCESS + (int)(i % 2), channel->id)));
        g_assert_true(lone.event.type == LY_CHANNEL_REPLY && lone.event.number == 100 + i &&
                      lone.event.success == (i % 2 == 0));
    }
    g_assert_false(give(&lone, put("bu", SSH_MSG_CHANNEL_SUCCESS, channel->id)));
    lone_free(&lone);
}

static void test_exit(void)
{
    Lone lone = lone_new(LY_CLIENT, NULL);
    LyChannel *channel = opened(&lone, NULL, 10, 10);
    g_assert_true(give(&lone, put("busbu", SSH_MSG_CHANNEL_REQUEST, channel->id, "exit-status", 0, 258u)));
    g_assert_true(lone.event.type == LY_CHANNEL_EXIT_STATUS && lone.event.number == 258);
    g_assert_true(give(&lone, put("busbsbss", SSH_MSG_CHANNEL_REQUEST, channel->id, "exit-signal", 0, "XCPU",
                                  1, "too long", "")));
    g_assert_true(lone.event.type == LY_CHANNEL_EXIT_SIGNAL && lone.event.core_dumped);
    g_assert_true(ly_bytes_is(lone.event.text, "XCPU") && ly_bytes_is(lone.event.data, "too long"));
    lone_free(&lone);
}

/* Item 50: channels that a server may open only when asked to; sessions never. */
static void test_unasked_channels(void)
{
    static const char *const types[] = {"session", "direct-tcpip",           "forwarded-tcpip",
                                        "x11",     "auth-agent@openssh.com", "nonsense"};
    Lone lone = lone_new(LY_CLIENT, NULL);
    LyChannel *channel = opened(&lone, NULL, 10, 10);
    for (size_t i = 0; i < LY_COUNT(types); i++) {
        g_assert_false(give(&lone, put("bsuuu", SSH_MSG_CHANNEL_OPEN, types[i], 3u, 10u, 10u)));
        LyBytes sent = take_sent(lone.t);
        g_assert_cmpuint(sent.data[0], ==, SSH_MSG_CHANNEL_OPEN_FAILURE);
        bool unknown = i < 2 || i == 5;
        g_assert_cmpuint(ly_load_u32(sent.data + 5), ==,
                         unknown ? SSH_OPEN_UNKNOWN_CHANNEL_TYPE : SSH_OPEN_ADMINISTRATIVELY_PROHIBITED);
    }
    for (int i = 0; i < 3000; i++) /* item 46 */
        g_assert_false(give(&lone, put("bsuuu", SSH_MSG_CHANNEL_OPEN, "x11", 3u, 10u, 10u)));
    g_assert_cmpuint(lone.c->channels.used, ==, 1);
    ly_channel_request(channel, LY_BYTES("auth-agent-req@openssh.com"), false, 0, (LyBytes){0});
    g_assert_true(give(&lone, put("bsuuu", SSH_MSG_CHANNEL_OPEN, "auth-agent@openssh.com", 3u, 10u, 10u)));
    ly_channel_refuse(lone.event.channel, SSH_OPEN_CONNECT_FAILED, "no agent");
    ly_global_request(lone.c, LY_BYTES("tcpip-forward"), true, 5, (LyBytes){0});
    g_assert_true(
        give(&lone, put("bsuuusu", SSH_MSG_CHANNEL_OPEN, "forwarded-tcpip", 3u, 10u, 10u, "localhost", 80u)));
    /* The question's data outlives the packet. */
    LyConnectionEvent question = lone.event;
    give(&lone, put("bsb", SSH_MSG_GLOBAL_REQUEST, "x", 0));
    LyReader reader = ly_reader(question.data);
    g_assert_true(ly_bytes_is(ly_get_string(&reader), "localhost") && ly_get_u32(&reader) == 80);
    ly_channel_accept(question.channel, NULL, (LyBytes){0});
    g_assert_true(ly_channel_is_open(question.channel));
    lone_free(&lone);
}

static void test_too_many_channels(void)
{
    LyConnectionOptions options = {.max_channels = 5};
    Lone lone = lone_new(LY_SERVER, &options);
    for (unsigned i = 0; i < 5; i++)
        g_assert_true(give(&lone, put("bsuuu", SSH_MSG_CHANNEL_OPEN, "session", i, 10u, 10u)));
    for (unsigned i = 0; i < 3000; i++) {
        g_assert_false(give(&lone, put("bsuuu", SSH_MSG_CHANNEL_OPEN, "session", i, 10u, 10u)));
        LyBytes sent = take_sent(lone.t);
        g_assert_cmpuint(ly_load_u32(sent.data + 5), ==, SSH_OPEN_RESOURCE_SHORTAGE);
    }
    g_assert_null(ly_channel_open(lone.c, LY_BYTES("x11"), (LyBytes){0}, NULL));
    g_assert_false(ly_transport_is_closed(lone.t));
    lone_free(&lone);
}

/* Defect 23: why a channel was refused is told. */
static void test_open_failed_says_why(void)
{
    Lone lone = lone_new(LY_CLIENT, NULL);
    LyChannel *channel = ly_channel_open(lone.c, LY_BYTES("session"), (LyBytes){0}, NULL);
    g_assert_true(
        give(&lone, put("buuss", SSH_MSG_CHANNEL_OPEN_FAILURE, channel->id, 2u, "MaxSessions is 10", "")));
    g_assert_true(lone.event.type == LY_CHANNEL_OPEN_FAILED && lone.event.channel == channel);
    g_assert_cmpuint(lone.event.number, ==, SSH_OPEN_CONNECT_FAILED);
    g_assert_true(ly_bytes_is(lone.event.text, "MaxSessions is 10"));
    lone_free(&lone);
}

static void test_global_requests(void)
{
    LyConnectionOptions options = {.max_pending_requests = 4};
    Lone lone = lone_new(LY_SERVER, &options);
    g_assert_true(give(&lone, put("bsbsu", SSH_MSG_GLOBAL_REQUEST, "tcpip-forward", 1, "", 0u)));
    g_assert_false(give(&lone, put("bsb", SSH_MSG_GLOBAL_REQUEST, "keepalive@openssh.com", 1)));
    g_assert_false(give(&lone, put("bsb", SSH_MSG_GLOBAL_REQUEST, "no-more-sessions@openssh.com", 1)));
    g_assert_cmpuint(take_number(lone.t), ==, 0);
    ly_global_reply(lone.c, true, ly_bytes("\0\0\37\220", 4));
    assert_sent(&lone, put("bu", SSH_MSG_REQUEST_SUCCESS, 8080u));
    g_assert_cmpuint(take_number(lone.t), ==, SSH_MSG_REQUEST_FAILURE);
    g_assert_cmpuint(take_number(lone.t), ==, SSH_MSG_REQUEST_SUCCESS);
    g_assert_false(give(&lone, put("bsuuu", SSH_MSG_CHANNEL_OPEN, "session", 1u, 10u, 10u)));
    g_assert_cmpuint(take_number(lone.t), ==, SSH_MSG_CHANNEL_OPEN_FAILURE);
    for (int i = 0; i < 4; i++)
        g_assert_true(give(&lone, put("bsbsu", SSH_MSG_GLOBAL_REQUEST, "tcpip-forward", 1, "", 0u)));
    g_assert_false(give(&lone, put("bsb", SSH_MSG_GLOBAL_REQUEST, "keepalive@openssh.com", 1)));
    g_assert_true(failed_with(&lone, "global requests"));
    lone_free(&lone);
    lone = lone_new(LY_CLIENT, NULL);
    g_assert_true(give(&lone, put("bsbs", SSH_MSG_GLOBAL_REQUEST, "hostkeys-00@openssh.com", 0, "blob")));
    g_assert_true(lone.event.type == LY_GLOBAL_REQUEST && !lone.event.want_reply);
    for (uint32_t i = 0; i < 20; i++)
        ly_global_request(lone.c, LY_BYTES("tcpip-forward"), true, i, (LyBytes){0});
    for (uint32_t i = 0; i < 20; i++) {
        g_assert_true(give(&lone, put("bu", SSH_MSG_REQUEST_SUCCESS, 7u)));
        g_assert_true(lone.event.type == LY_GLOBAL_REPLY && lone.event.number == i &&
                      lone.event.data.len == 4);
    }
    lone_free(&lone);
}

/* Item 51. Any packet counts as life; our keepalives' replies are not shown. */
static void test_keepalive(void)
{
    LyConnectionOptions options = {.keepalive_us = 10 * SECOND_US, .keepalive_count = 2};
    Lone lone = lone_new(LY_SERVER, &options);
    uint64_t now_us = 0;
    for (int i = 0; i < 5; i++) {
        now_us = ly_connection_deadline_us(lone.c);
        ly_transport_tick(lone.t, now_us);
        ly_connection_tick(lone.c, now_us);
        LyBytes sent = take_sent(lone.t);
        g_assert_cmpuint(sent.data[0], ==, SSH_MSG_GLOBAL_REQUEST);
        g_assert_false(give(&lone, put("b", SSH_MSG_REQUEST_SUCCESS + i % 2)));
    }
    g_assert_cmpuint(now_us, ==, 50 * SECOND_US);
    ly_connection_tick(lone.c, 60 * SECOND_US - 1);
    g_assert_cmpuint(take_number(lone.t), ==, 0);
    for (int i = 0; i < 3; i++) {
        g_assert_false(ly_transport_is_closed(lone.t));
        now_us = ly_connection_deadline_us(lone.c);
        ly_transport_tick(lone.t, now_us);
        ly_connection_tick(lone.c, now_us);
    }
    g_assert_true(failed_with(&lone, "no answer from the client for 30 s"));
    g_assert_cmpint(lone.t->error.code, ==, LY_ERROR_TIMEOUT);
    g_assert_cmpuint(ly_connection_deadline_us(lone.c), ==, UINT64_MAX);
    lone_free(&lone);
}

/* One valid message of each kind. */
enum {
    MESSAGE_COUNT = 16,
    OPEN = 0,
    CONFIRMATION = 1,
    OPEN_FAILURE = 2,
    HOSTKEYS = 12,
    TO_SERVER_REQUEST = 13,
    SUCCESS = 14
};

typedef struct Messages {
    LyBuf item[MESSAGE_COUNT];
} Messages;

/* A side that may receive them, and them. */
static Lone ready_for(int which, Messages *messages)
{
    Lone lone = lone_new(which == TO_SERVER_REQUEST ? LY_SERVER : LY_CLIENT, NULL);
    LyChannel *channel = which == TO_SERVER_REQUEST ? accepted(&lone, NULL) : opened(&lone, NULL, 100, 100);
    if (which == CONFIRMATION || which == OPEN_FAILURE)
        channel = ly_channel_open(lone.c, LY_BYTES("session"), (LyBytes){0}, NULL);
    else
        ly_channel_request(channel, LY_BYTES("shell"), true, 6, (LyBytes){0});
    ly_global_request(lone.c, LY_BYTES("tcpip-forward"), true, 5, (LyBytes){0});
    uint32_t id = channel->id;
    *messages = (Messages){{
        put("bsuuu", SSH_MSG_CHANNEL_OPEN, "forwarded-tcpip", 3u, 10u, 10u),
        put("buuuu", SSH_MSG_CHANNEL_OPEN_CONFIRMATION, id, 3u, 10u, 10u),
        put("buuss", SSH_MSG_CHANNEL_OPEN_FAILURE, id, 3u, "no", ""),
        put("buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, id, 1u),
        put("bus", SSH_MSG_CHANNEL_DATA, id, "data"),
        put("buus", SSH_MSG_CHANNEL_EXTENDED_DATA, id, 1u, "data"),
        put("bu", SSH_MSG_CHANNEL_EOF, id),
        put("bu", SSH_MSG_CHANNEL_CLOSE, id),
        put("busbu", SSH_MSG_CHANNEL_REQUEST, id, "exit-status", 0, 1u),
        put("busbsbss", SSH_MSG_CHANNEL_REQUEST, id, "exit-signal", 0, "TERM", 0, "m", ""),
        put("bu", SSH_MSG_CHANNEL_SUCCESS, id),
        put("bu", SSH_MSG_CHANNEL_FAILURE, id),
        put("bsb", SSH_MSG_GLOBAL_REQUEST, "hostkeys-00@openssh.com", 1),
        put("busb", SSH_MSG_CHANNEL_REQUEST, id, "shell", 1),
        put("b", SSH_MSG_REQUEST_SUCCESS),
        put("b", SSH_MSG_REQUEST_FAILURE),
    }};
    return lone;
}

static void done_with(Lone *lone, Messages *messages)
{
    for (int i = 0; i < MESSAGE_COUNT; i++)
        ly_buf_free(&messages->item[i]);
    lone_free(lone);
}

/* Gives a copy in an allocation of its own, so that reading behind its end is seen. */
static void give_cut(Lone *lone, const LyBuf *message, size_t len)
{
    g_autofree uint8_t *cut = g_memdup2(message->data, len);
    if (ly_connection_receive(lone->c, ly_bytes(cut, len), &lone->event) &&
        lone->event.type == LY_CHANNEL_OPEN_REQUEST)
        ly_channel_refuse(lone->event.channel, SSH_OPEN_CONNECT_FAILED, "no");
}

/* Item 47: each message, cut at each length and with a byte too many. Those that end in data of any length
 * may pass. */
static void test_truncated(void)
{
    for (int which = 0; which < MESSAGE_COUNT; which++) {
        bool open_end = which == OPEN || which == CONFIRMATION || which >= HOSTKEYS;
        open_end &= which <= SUCCESS;
        size_t total = 1;
        for (size_t len = 1; len <= total + 1; len++) {
            Messages messages;
            Lone lone = ready_for(which, &messages);
            total = messages.item[which].len;
            ly_put_u8(&messages.item[which], 0);
            give_cut(&lone, &messages.item[which], len);
            bool fine = len == total || (open_end && len > total);
            if (ly_transport_is_closed(lone.t) == fine)
                g_error("message kind %d cut to %zu of %zu: %s", which, len, total,
                        fine ? lone.t->error.message : "taken");
            done_with(&lone, &messages);
        }
    }
}

/* Each bit of each message: an answer, an event or the end, and nothing for the sanitizers. */
static void test_bit_flips(void)
{
    unsigned ended = 0, survived = 0;
    for (int which = 0; which < MESSAGE_COUNT; which++) {
        size_t bits = 8;
        for (size_t bit = 0; bit < bits; bit++) {
            Messages messages;
            Lone lone = ready_for(which, &messages);
            LyBuf *message = &messages.item[which];
            bits = 8 * message->len;
            message->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            give_cut(&lone, message, message->len);
            ended += ly_transport_is_closed(lone.t);
            survived += !ly_transport_is_closed(lone.t);
            done_with(&lone, &messages);
        }
    }
    g_assert_cmpuint(ended, >, 500);
    g_assert_cmpuint(survived, >, 300);
}

static void test_unknown_message(void)
{
    Lone lone = lone_new(LY_CLIENT, NULL);
    g_assert_false(give(&lone, put("bu", 101, 1u)));
    g_assert_false(ly_transport_is_closed(lone.t)); /* UNIMPLEMENTED is the answer */
    g_assert_false(give(&lone, (LyBuf){0}));
    lone_free(&lone);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    make_keys();
    g_test_add_func("/connection/send-splits", test_send_splits);
    g_test_add_func("/connection/backlog", test_backlog);
    g_test_add_func("/connection/defect-21-window-overrun", test_window_overrun);
    g_test_add_func("/connection/max-packet-0", test_max_packet_zero);
    g_test_add_func("/connection/window-grows", test_window_grows);
    g_test_add_func("/connection/unknown-channels", test_unknown_channels);
    g_test_add_func("/connection/stale-id", test_stale_id);
    g_test_add_func("/connection/defect-12-close-races", test_close_races);
    g_test_add_func("/connection/data-after-eof", test_data_after_eof);
    g_test_add_func("/connection/defects-13-14-replies-in-order", test_replies_in_order);
    g_test_add_func("/connection/tags-come-back", test_tags_come_back);
    g_test_add_func("/connection/exit", test_exit);
    g_test_add_func("/connection/unasked-channels", test_unasked_channels);
    g_test_add_func("/connection/too-many-channels", test_too_many_channels);
    g_test_add_func("/connection/defect-23-open-failed-says-why", test_open_failed_says_why);
    g_test_add_func("/connection/global-requests", test_global_requests);
    g_test_add_func("/connection/keepalive", test_keepalive);
    g_test_add_func("/connection/truncated", test_truncated);
    g_test_add_func("/connection/bit-flips", test_bit_flips);
    g_test_add_func("/connection/unknown-message", test_unknown_message);
    int failed = g_test_run();
    free_keys();
    return failed;
}
