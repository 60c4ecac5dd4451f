/* core/connection's session-channel.h, terminal.h and forward.h: what is put is got back, known bytes, and
 * nothing malformed is taken. */
#include "session-pair.h"

#include "base/hex.h"
#include "connection/connection-private.h"
#include "connection/forward.h"
#include "connection/session-channel.h"

static LyBuf from_hex(const char *hex)
{
    LyBuf bytes = {0};
    size_t len = strlen(hex) / 2;
    g_assert_true(ly_hex_read(ly_bytes_str(hex), ly_buf_room(&bytes, len), len));
    ly_buf_added(&bytes, len);
    return bytes;
}

static void assert_hex(const LyBuf *bytes, const char *hex)
{
    LyBuf text = {0};
    ly_put_hex(ly_buf_bytes(bytes), &text);
    g_assert_cmpstr(ly_buf_str(&text), ==, hex);
    ly_buf_free(&text);
}

#define assert_bytes(bytes, text) g_assert_cmpmem((bytes).data, (bytes).len, text, strlen(text))

/* What a reader must refuse: its message cut off anywhere, and one byte longer. */
typedef bool GetFunction(LyBytes data);
static void assert_exact(const LyBuf *data, GetFunction *get)
{
    g_assert_true(get(ly_buf_bytes(data)));
    for (size_t len = 0; len < data->len; len++) {
        g_autofree uint8_t *copy = g_memdup2(data->data, len); /* so that a read past it is seen */
        if (get(ly_bytes(copy, len)))
            g_error("%zu of %zu bytes were taken", len, data->len);
    }
    LyBuf longer = {0};
    ly_buf_add(&longer, ly_buf_bytes(data));
    ly_put_u8(&longer, 0);
    g_assert_false(get(ly_buf_bytes(&longer)));
    /* A length that is larger than what there is. */
    longer.data[0] = 0xff;
    get(ly_buf_bytes(&longer));
    ly_buf_free(&longer);
}

/* ---- pty-req and the modes of a terminal ---- */

/* "xterm-256color", 120 x 40, 960 x 640 pixels, and the modes of a terminal as OpenSSH 9.2 sends them: speeds
 * first, then characters (255: none), then flags. */
static const char openssh_modes[] = "8100009600800000960001000000030200000"
                                    "01c030000007f04000000150500000004060000"
                                    "00ff07000000ff08000000110900000013"
                                    "2a000000013300000001350000000046000000015b0000000100";

static bool get_pty(LyBytes data)
{
    LyPtyRequest pty;
    return ly_get_pty_request(data, &pty);
}

static void test_pty(void)
{
    LyBuf modes = from_hex(openssh_modes), data = {0};
    LyPtyRequest sent = {.term = LY_BYTES("xterm-256color"),
                         .columns = 120,
                         .rows = 40,
                         .width = 960,
                         .height = 640,
                         .modes = ly_buf_bytes(&modes)};
    ly_put_pty_request(&data, &sent);
    g_autofree char *hex = g_strconcat("0000000e787465726d2d323536636f6c6f72", "00000078", "00000028",
                                       "000003c0", "00000280", "0000004c", NULL);
    LyBuf head = from_hex(hex);
    head.data[head.len - 1] = (uint8_t)modes.len;
    g_assert_cmpmem(data.data, head.len, head.data, head.len);
    g_assert_cmpmem(data.data + head.len, data.len - head.len, modes.data, modes.len); /* no second end */
    LyPtyRequest pty = {0};
    g_assert_true(ly_get_pty_request(ly_buf_bytes(&data), &pty));
    assert_bytes(pty.term, "xterm-256color");
    g_assert_true(pty.columns == 120 && pty.rows == 40 && pty.width == 960 && pty.height == 640);
    g_assert_cmpmem(pty.modes.data, pty.modes.len, modes.data, modes.len);
    assert_exact(&data, get_pty);
    ly_buf_free(&head);
    ly_buf_free(&modes);
    ly_buf_free(&data);
}

/* TTY_OP_END is added where there is none, and only there; an argument's last byte is none. */
static void test_pty_end(void)
{
    static const struct {
        const char *modes, *sent;
    } cases[] = {
        {"", "00"},
        {"00", "00"},
        {"3500000000", "350000000000"}, /* ECHO off ends with a zero of its own */
        {"350000000100", "350000000100"},
        {"3500000001", "350000000100"},
        {"35000000012a00000001", "35000000012a0000000100"},
        {"a0", "a0"}, /* where every reader stops */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        LyBuf modes = from_hex(cases[i].modes), data = {0};
        ly_put_pty_request(&data, &(LyPtyRequest){.modes = ly_buf_bytes(&modes)});
        LyPtyRequest pty;
        g_assert_true(ly_get_pty_request(ly_buf_bytes(&data), &pty));
        LyBuf got = {0};
        ly_buf_add(&got, pty.modes);
        assert_hex(&got, cases[i].sent);
        ly_buf_free(&got);
        ly_buf_free(&modes);
        ly_buf_free(&data);
    }
}

/* Defect 6: the modes were never read, and what a client sends in good faith ended the connection. */
static void test_defect_6_modes(void)
{
    static const struct {
        const char *name;
        uint32_t argument;
    } expected[] = {
        {"TTY_OP_OSPEED", 38400},
        {"TTY_OP_ISPEED", 38400},
        {"VINTR", 3},
        {"VQUIT", 28},
        {"VERASE", 127},
        {"VKILL", 21},
        {"VEOF", 4},
        {"VEOL", 255},
        {"VEOL2", 255},
        {"VSTART", 17},
        {"VSTOP", 19},
        {"IUTF8", 1},
        {"ICANON", 1},
        {"ECHO", 0},
        {"OPOST", 1},
        {"CS8", 1},
    };
    LyBuf modes = from_hex(openssh_modes), again = {0};
    LyReader reader = ly_reader(ly_buf_bytes(&modes));
    uint8_t opcode = 0;
    uint32_t argument = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(expected); i++) {
        g_assert_true(ly_get_terminal_mode(&reader, &opcode, &argument));
        g_assert_cmpstr(ly_terminal_mode_name(opcode), ==, expected[i].name);
        g_assert_cmpuint(argument, ==, expected[i].argument);
        ly_put_terminal_mode(&again, opcode, argument);
    }
    g_assert_false(ly_get_terminal_mode(&reader, &opcode, &argument));
    g_assert_true(ly_reader_done(&reader));
    g_assert_cmpmem(again.data, again.len, modes.data, modes.len - 1);
    g_assert_false(ly_get_terminal_mode(&reader, &opcode, &argument)); /* the end stays the end */
    /* Cut off within an argument: the reader says so, and what came before was read. */
    for (size_t len = 0; len < again.len; len++) {
        g_autofree uint8_t *copy = g_memdup2(again.data, len);
        reader = ly_reader(ly_bytes(copy, len));
        size_t count = 0;
        while (ly_get_terminal_mode(&reader, &opcode, &argument))
            count++;
        g_assert_cmpuint(count, ==, len / 5);
        g_assert_true(reader.failed == (len % 5 != 0));
    }
    /* From 160 on nobody knows how long an argument is. */
    for (unsigned unknown = 160; unknown < 256; unknown++) {
        uint8_t bytes[] = {53, 0, 0, 0, 1, (uint8_t)unknown, 0, 0, 0, 1};
        reader = ly_reader(ly_bytes(bytes, sizeof bytes));
        g_assert_true(ly_get_terminal_mode(&reader, &opcode, &argument) && opcode == LY_TTY_ECHO);
        g_assert_false(ly_get_terminal_mode(&reader, &opcode, &argument));
        g_assert_false(reader.failed);
    }
    ly_buf_free(&modes);
    ly_buf_free(&again);
}

static void test_mode_names(void)
{
    g_assert_cmpint(LY_TTY_IUTF8, ==, 42);
    g_assert_cmpint(LY_TTY_VINTR, ==, 1);
    g_assert_cmpint(LY_TTY_PENDIN, ==, 62);
    g_assert_cmpint(LY_TTY_PARODD, ==, 93);
    unsigned named = 0;
    for (unsigned opcode = 0; opcode < 256; opcode++)
        named += ly_terminal_mode_name((uint8_t)opcode) != NULL;
    g_assert_cmpuint(named, ==, 18 + 13 + 13 + 6 + 4 + 2);
    g_assert_null(ly_terminal_mode_name(0));
    g_assert_null(ly_terminal_mode_name(19));
}

/* ---- the other requests ---- */

static bool get_size(LyBytes data)
{
    LyPtyRequest pty = {.term = LY_BYTES("vt100")};
    bool got = ly_get_window_change(data, &pty);
    g_assert_true(ly_bytes_is(pty.term, "vt100") && (got || !pty.columns));
    return got;
}

static bool get_x11(LyBytes data)
{
    LyX11Request x11;
    return ly_get_x11_request(data, &x11);
}

static bool get_env(LyBytes data)
{
    LyBytes name, value;
    return ly_get_env(data, &name, &value);
}

static bool get_exec(LyBytes data)
{
    LyBytes command;
    return ly_get_exec(data, &command);
}

static bool get_subsystem(LyBytes data)
{
    LyBytes name;
    return ly_get_subsystem(data, &name);
}

static bool get_signal(LyBytes data)
{
    LyBytes name;
    return ly_get_signal(data, &name);
}

static bool get_break(LyBytes data)
{
    uint32_t length_ms;
    return ly_get_break(data, &length_ms);
}

/* An open channel of a client alone, whose packets can be read. */
typedef struct Lone {
    LyTransport *t;
    LyConnection *c;
    LyChannel *channel;
} Lone;

static Lone lone_new(void)
{
    Lone lone = {.t = lone_transport(LY_CLIENT)};
    lone.c = ly_connection_new(lone.t, NULL);
    lone.channel = ly_channel_open(lone.c, LY_BYTES("session"), (LyBytes){0}, NULL);
    take_sent(lone.t);
    LyBuf payload = {0};
    ly_put_u8(&payload, SSH_MSG_CHANNEL_OPEN_CONFIRMATION);
    ly_put_u32(&payload, lone.channel->id);
    ly_put_u32(&payload, 77);
    ly_put_u32(&payload, 1 << 20);
    ly_put_u32(&payload, 1 << 15);
    LyConnectionEvent event;
    g_assert_true(ly_connection_receive(lone.c, ly_buf_bytes(&payload), &event));
    ly_buf_free(&payload);
    return lone;
}

static void lone_free(Lone *lone)
{
    ly_connection_free(lone->c);
    ly_transport_free(lone->t);
}

/* The data of the request that was sent last; it must have been this one. */
static LyBuf sent_request(Lone *lone, const char *type, bool want_reply)
{
    LyBytes payload = take_sent(lone->t);
    LyReader reader = ly_reader(payload);
    g_assert_cmpuint(ly_get_u8(&reader), ==, SSH_MSG_CHANNEL_REQUEST);
    g_assert_cmpuint(ly_get_u32(&reader), ==, 77);
    LyBytes name = ly_get_string(&reader);
    assert_bytes(name, type);
    g_assert_true(ly_get_bool(&reader) == want_reply);
    LyBuf data = {0};
    ly_buf_add(&data, ly_get_rest(&reader));
    return data;
}

static void check_request(Lone *lone, const char *type, bool want_reply, const char *hex, GetFunction *get)
{
    LyBuf data = sent_request(lone, type, want_reply);
    assert_hex(&data, hex);
    if (get)
        assert_exact(&data, get);
    ly_buf_free(&data);
}

static void test_requests(void)
{
    Lone lone = lone_new();
    ly_channel_pty(lone.channel, &(LyPtyRequest){.term = LY_BYTES("vt100"), .columns = 80, .rows = 24}, true,
                   1);
    check_request(&lone, "pty-req", true,
                  "00000005767431303000000050000000180000000000000000"
                  "0000000100",
                  get_pty);
    ly_channel_window_change(lone.channel, 132, 43, 1056, 688);
    check_request(&lone, "window-change", false, "000000840000002b00000420000002b0", get_size);
    LyX11Request x11 = {
        .single = true, .protocol = LY_BYTES("MIT-MAGIC-COOKIE-1"), .cookie = LY_BYTES("00ff"), .screen = 3};
    ly_channel_x11(lone.channel, &x11, true, 2);
    check_request(&lone, "x11-req", true,
                  "01000000124d49542d4d414749432d434f4f4b49452d31000000043030666600000003", get_x11);
    ly_channel_auth_agent(lone.channel, false, 0);
    check_request(&lone, "auth-agent-req@openssh.com", false, "", NULL);
    ly_channel_env(lone.channel, LY_BYTES("LANG"), LY_BYTES("C"));
    check_request(&lone, "env", false, "000000044c414e470000000143", get_env);
    ly_channel_exec(lone.channel, LY_BYTES("true"), 3);
    check_request(&lone, "exec", true, "0000000474727565", get_exec);
    ly_channel_subsystem(lone.channel, LY_BYTES("sftp"), 4);
    check_request(&lone, "subsystem", true, "0000000473667470", get_subsystem);
    ly_channel_shell(lone.channel, 5);
    check_request(&lone, "shell", true, "", NULL);
    ly_channel_signal(lone.channel, LY_BYTES("TERM"));
    check_request(&lone, "signal", false, "000000045445524d", get_signal);
    ly_channel_break(lone.channel, 500, true, 6);
    check_request(&lone, "break", true, "000001f4", get_break);
    lone_free(&lone);
}

/* Defect 16: what is asked for of X11 is what the other side gets: screen and all. */
static void test_defect_16_x11(void)
{
    LyX11Request sent = {.protocol = LY_BYTES("MIT-MAGIC-COOKIE-1"),
                         .cookie = LY_BYTES("000102030405060708090a0b0c0d0e0f")};
    for (uint32_t screen = 0; screen < 4; screen++) {
        LyBuf data = {0};
        sent.screen = screen;
        sent.single = screen & 1;
        ly_put_x11_request(&data, &sent);
        LyX11Request got;
        g_assert_true(ly_get_x11_request(ly_buf_bytes(&data), &got));
        g_assert_true(got.screen == screen && got.single == sent.single);
        g_assert_true(ly_bytes_equal(got.protocol, sent.protocol) && ly_bytes_equal(got.cookie, sent.cookie));
        ly_buf_free(&data);
    }
}

/* ---- forwarding ---- */

static bool get_tcpip_open(LyBytes data)
{
    LyTcpipOpen open;
    return ly_get_tcpip_open(data, &open);
}

static bool get_x11_open(LyBytes data)
{
    LyBytes origin;
    uint32_t port;
    return ly_get_x11_open(data, &origin, &port);
}

static bool get_direct_streamlocal(LyBytes data)
{
    LyBytes path;
    return ly_get_direct_streamlocal(data, &path);
}

static bool get_forwarded_streamlocal(LyBytes data)
{
    LyBytes path;
    return ly_get_forwarded_streamlocal(data, &path);
}

static bool get_tcpip_forward(LyBytes data)
{
    LyBytes address;
    uint32_t port;
    return ly_get_tcpip_forward(data, &address, &port);
}

static bool get_forwarded_port(LyBytes data)
{
    uint32_t port;
    return ly_get_forwarded_port(data, &port);
}

static bool get_streamlocal_forward(LyBytes data)
{
    LyBytes path;
    return ly_get_streamlocal_forward(data, &path);
}

static void check_put(LyBuf *data, const char *hex, GetFunction *get)
{
    assert_hex(data, hex);
    assert_exact(data, get);
    ly_buf_free(data);
}

static void test_forward_messages(void)
{
    LyBuf data = {0};
    LyTcpipOpen open = {
        .host = LY_BYTES("host.test"), .port = 8080, .origin = LY_BYTES("::1"), .origin_port = 65535};
    ly_put_tcpip_open(&data, &open);
    LyTcpipOpen got;
    g_assert_true(ly_get_tcpip_open(ly_buf_bytes(&data), &got));
    g_assert_true(ly_bytes_equal(got.host, open.host) && got.port == 8080 && ly_bytes_is(got.origin, "::1") &&
                  got.origin_port == 65535);
    check_put(&data, "00000009686f73742e7465737400001f90000000033a3a310000ffff", get_tcpip_open);

    ly_put_x11_open(&data, LY_BYTES("127.0.0.1"), 4711);
    check_put(&data, "000000093132372e302e302e3100001267", get_x11_open);

    ly_put_direct_streamlocal(&data, LY_BYTES("/run/s"));
    LyBytes path;
    g_assert_true(ly_get_direct_streamlocal(ly_buf_bytes(&data), &path));
    assert_bytes(path, "/run/s");
    check_put(&data, "000000062f72756e2f730000000000000000", get_direct_streamlocal);
    ly_put_forwarded_streamlocal(&data, LY_BYTES("/run/s"));
    g_assert_true(ly_get_forwarded_streamlocal(ly_buf_bytes(&data), &path));
    assert_bytes(path, "/run/s");
    check_put(&data, "000000062f72756e2f7300000000", get_forwarded_streamlocal);

    ly_put_tcpip_forward(&data, LY_BYTES(""), 0);
    check_put(&data, "0000000000000000", get_tcpip_forward);
    ly_put_forwarded_port(&data, 40001);
    uint32_t port;
    g_assert_true(ly_get_forwarded_port(ly_buf_bytes(&data), &port) && port == 40001);
    check_put(&data, "00009c41", get_forwarded_port);
    ly_put_streamlocal_forward(&data, LY_BYTES("/run/s"));
    check_put(&data, "000000062f72756e2f73", get_streamlocal_forward);
}

static void test_forward_openers(void)
{
    Lone lone = lone_new();
    LyTcpipOpen open = {
        .host = LY_BYTES("db"), .port = 5432, .origin = LY_BYTES("127.0.0.1"), .origin_port = 1};
    LyChannelOptions options = {.window = 1000, .max_packet = 100};
    LyChannel *channel = ly_channel_open_direct_tcpip(lone.c, &open, &options);
    g_assert_nonnull(channel);
    LyReader reader = ly_reader(take_sent(lone.t));
    g_assert_cmpuint(ly_get_u8(&reader), ==, SSH_MSG_CHANNEL_OPEN);
    LyBytes type = ly_get_string(&reader);
    assert_bytes(type, "direct-tcpip");
    g_assert_cmpuint(ly_get_u32(&reader), ==, channel->id);
    g_assert_cmpuint(ly_get_u32(&reader), ==, 1000);
    g_assert_cmpuint(ly_get_u32(&reader), ==, 100);
    LyTcpipOpen got;
    g_assert_true(ly_get_tcpip_open(ly_get_rest(&reader), &got));
    g_assert_true(ly_bytes_is(got.host, "db") && got.port == 5432 && got.origin_port == 1);

    channel = ly_channel_open_direct_streamlocal(lone.c, LY_BYTES("/run/db"), NULL);
    g_assert_nonnull(channel);
    reader = ly_reader(take_sent(lone.t));
    ly_get_u8(&reader);
    type = ly_get_string(&reader);
    assert_bytes(type, "direct-streamlocal@openssh.com");
    for (int i = 0; i < 3; i++)
        ly_get_u32(&reader);
    LyBytes path;
    g_assert_true(ly_get_direct_streamlocal(ly_get_rest(&reader), &path));
    assert_bytes(path, "/run/db");
    lone_free(&lone);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    make_keys();
    g_test_add_func("/session-channel/pty", test_pty);
    g_test_add_func("/session-channel/pty/end", test_pty_end);
    g_test_add_func("/session-channel/defect-6/modes", test_defect_6_modes);
    g_test_add_func("/session-channel/mode-names", test_mode_names);
    g_test_add_func("/session-channel/requests", test_requests);
    g_test_add_func("/session-channel/defect-16/x11", test_defect_16_x11);
    g_test_add_func("/session-channel/forward/messages", test_forward_messages);
    g_test_add_func("/session-channel/forward/openers", test_forward_openers);
    int result = g_test_run();
    free_keys();
    return result;
}
