/* Seeds of the targets whose other end is a whole server, client or file operation: server, client,
 * sftp-files, channel-data, provider. */
#include "transport-ends.h"

#include "connection/forward.h"
#include "connection/session-channel.h"
#include "seeds.h"

/* ---- messages ---- */

static void say(LyBuf *input, uint8_t step, LyBuf *payload)
{
    ly_put_u8(input, step | 0x80);
    fuzz_put_part(input, ly_buf_bytes(payload));
    ly_buf_clear(payload);
}

static void say_open(LyBuf *input, const char *type, LyBuf *data)
{
    LyBuf payload = {0};
    ly_put_u8(&payload, SSH_MSG_CHANNEL_OPEN);
    ly_put_cstring(&payload, type);
    ly_put_u32(&payload, 7);
    ly_put_u32(&payload, 4096);
    ly_put_u32(&payload, 1024);
    ly_buf_add(&payload, ly_buf_bytes(data));
    ly_buf_clear(data);
    say(input, 0, &payload);
    ly_buf_free(&payload);
}

/* To the first channel, whose number the target puts in. */
static void say_to(LyBuf *input, uint8_t number, LyBytes rest)
{
    LyBuf payload = {0};
    ly_put_u8(&payload, number);
    ly_put_u32(&payload, 0);
    ly_buf_add(&payload, rest);
    say(input, 4 << 4, &payload);
    ly_buf_free(&payload);
}

static void say_request(LyBuf *input, const char *type, LyBuf *data)
{
    LyBuf rest = {0};
    ly_put_cstring(&rest, type);
    ly_put_bool(&rest, true);
    ly_buf_add(&rest, ly_buf_bytes(data));
    ly_buf_clear(data);
    say_to(input, SSH_MSG_CHANNEL_REQUEST, ly_buf_bytes(&rest));
    ly_buf_free(&rest);
}

static void say_global(LyBuf *input, const char *type, LyBuf *data)
{
    LyBuf payload = {0};
    ly_put_u8(&payload, SSH_MSG_GLOBAL_REQUEST);
    ly_put_cstring(&payload, type);
    ly_put_bool(&payload, true);
    ly_buf_add(&payload, ly_buf_bytes(data));
    ly_buf_clear(data);
    say(input, 0, &payload);
    ly_buf_free(&payload);
}

/* ---- server ---- */

static void put_requests(LyBuf *input, LyBuf *data)
{
    const LyPtyRequest pty = {.term = LY_BYTES("xterm"), .columns = 80, .rows = 24};
    const LyX11Request x11 = {.protocol = LY_BYTES("MIT-MAGIC-COOKIE-1"),
                              .cookie = LY_BYTES("00112233445566778899aabbccddeeff")};
    say_open(input, "session", data);
    ly_put_cstring(data, "LANG");
    ly_put_cstring(data, "C");
    say_request(input, "env", data);
    ly_put_x11_request(data, &x11);
    say_request(input, "x11-req", data);
    say_request(input, "auth-agent-req@openssh.com", data);
    ly_put_pty_request(data, &pty);
    say_request(input, "pty-req", data);
}

static void server_sessions(void)
{
    LyBuf input = {0}, data = {0};
    ly_put_u8(&input, 1);
    put_requests(&input, &data);
    ly_put_cstring(&data, "true");
    say_request(&input, "exec", &data);
    say_to(&input, SSH_MSG_CHANNEL_DATA, LY_BYTES("\0\0\0\5hello"));
    ly_buf_add(&input, LY_BYTES("\0\1\2")); /* a visitor at the X11 listener; ends are played */
    ly_buf_add(&data, LY_BYTES("\0\0\0\x51\0\0\0\x20\0\0\0\0\0\0\0\0"));
    say_request(&input, "window-change", &data);
    ly_put_cstring(&data, "TERM");
    say_request(&input, "signal", &data);
    ly_put_u8(&input, 5);
    say_to(&input, SSH_MSG_CHANNEL_WINDOW_ADJUST, LY_BYTES("\0\0\x10\0"));
    say_to(&input, SSH_MSG_CHANNEL_EOF, (LyBytes){0});
    say_to(&input, SSH_MSG_CHANNEL_CLOSE, (LyBytes){0});
    put_seed("server", "exec", &input);
    for (int i = 0; i < 2; i++) {
        ly_put_u8(&input, (uint8_t)(i * 2));
        say_open(&input, "session", &data);
        if (i) {
            say_request(&input, "shell", &data);
        } else {
            ly_put_cstring(&data, "sftp");
            say_request(&input, "subsystem", &data);
        }
        say_to(&input, SSH_MSG_CHANNEL_DATA, LY_BYTES("\0\0\0\x09\0\0\0\5\1\0\0\0\3"));
        say_to(&input, SSH_MSG_CHANNEL_DATA, LY_BYTES("\0\0\0\x12\0\0\0\x0e\x0b\0\0\0\1\0\0\0\5/home"));
        say_to(&input, SSH_MSG_CHANNEL_EOF, (LyBytes){0});
        put_seed("server", i ? "forced-sftp" : "sftp", &input);
    }
    ly_buf_free(&data);
}

static void server_forwards(void)
{
    LyBuf input = {0}, data = {0};
    const LyTcpipOpen open = {
        .host = LY_BYTES("inner"), .port = 80, .origin = LY_BYTES("here"), .origin_port = 1};
    ly_put_u8(&input, 0);
    ly_put_tcpip_open(&data, &open);
    say_open(&input, "direct-tcpip", &data);
    say_to(&input, SSH_MSG_CHANNEL_DATA, LY_BYTES("\0\0\0\5hello"));
    ly_buf_add(&input, LY_BYTES("\1\2\3"));
    ly_put_direct_streamlocal(&data, LY_BYTES("/run/x"));
    say_open(&input, "direct-streamlocal@openssh.com", &data);
    say_to(&input, SSH_MSG_CHANNEL_EOF, (LyBytes){0});
    ly_buf_add(&input, LY_BYTES("\4\x0c"));
    put_seed("server", "direct", &input);
    ly_put_u8(&input, 0);
    ly_put_tcpip_forward(&data, LY_BYTES("localhost"), 0);
    say_global(&input, "tcpip-forward", &data);
    ly_put_streamlocal_forward(&data, LY_BYTES("/run/y"));
    say_global(&input, "streamlocal-forward@openssh.com", &data);
    ly_buf_add(&input, LY_BYTES("\0\x08"));
    say_to(&input, SSH_MSG_CHANNEL_OPEN_CONFIRMATION, LY_BYTES("\0\0\0\7\0\0\x10\0\0\0\4\0"));
    ly_buf_add(&input, LY_BYTES("\2\x0a"));
    say_to(&input, SSH_MSG_CHANNEL_DATA, LY_BYTES("\0\0\0\5hello"));
    say_to(&input, SSH_MSG_CHANNEL_OPEN_FAILURE, LY_BYTES("\0\0\0\1\0\0\0\2no\0\0\0\0"));
    ly_put_tcpip_forward(&data, LY_BYTES("localhost"), 40000);
    say_global(&input, "cancel-tcpip-forward", &data);
    ly_put_streamlocal_forward(&data, LY_BYTES("/run/y"));
    say_global(&input, "cancel-streamlocal-forward@openssh.com", &data);
    ly_put_string(&data, ly_key_blob(fuzz_keys()[0]));
    say_global(&input, "hostkeys-prove-00@openssh.com", &data);
    put_seed("server", "remote", &input);
    ly_buf_free(&data);
}

/* ---- client ---- */

static void client_programs(void)
{
    LyBuf input = {0}, data = {0};
    for (uint8_t flags = 0; flags < 4; flags++) {
        ly_put_u8(&input, flags);
        ly_put_u8(&input, flags & 1 ? 0 : 32); /* subsystem, command */
        say_to(&input, SSH_MSG_CHANNEL_OPEN_CONFIRMATION, LY_BYTES("\0\0\0\7\0\0\x10\0\0\0\4\0"));
        for (int i = 0; i < 5; i++)
            say_to(&input, i == 1 ? SSH_MSG_CHANNEL_FAILURE : SSH_MSG_CHANNEL_SUCCESS, (LyBytes){0});
        say_to(&input, SSH_MSG_CHANNEL_DATA, LY_BYTES("\0\0\0\5hello"));
        ly_buf_add(&input, flags & 1 ? LY_BYTES("\1\3") : LY_BYTES("\x21\x23"));
        say_to(&input, SSH_MSG_CHANNEL_EXTENDED_DATA, LY_BYTES("\0\0\0\1\0\0\0\5hello"));
        ly_buf_add(&data, LY_BYTES("\0\0\0\1"));
        say_request(&input, "exit-status", &data);
        ly_buf_add(&data, LY_BYTES("\0\0\0\4TERM\1\0\0\0\3why\0\0\0\0"));
        say_request(&input, "exit-signal", &data);
        if (flags & 2) {
            ly_put_x11_open(&data, LY_BYTES("there"), 6000);
            say_open(&input, "x11", &data);
            say_to(&input, SSH_MSG_CHANNEL_DATA, LY_BYTES("\0\0\0\x0cl\0\x0b\0\0\0\0\0\0\0\0\0"));
        }
        say_to(&input, SSH_MSG_CHANNEL_EOF, (LyBytes){0});
        say_to(&input, SSH_MSG_CHANNEL_CLOSE, (LyBytes){0});
        char name[16];
        snprintf(name, sizeof name, "program-%u", flags);
        put_seed("client", name, &input);
    }
    ly_buf_free(&data);
}

static void client_forwards(void)
{
    LyBuf input = {0}, data = {0}, payload = {0};
    const LyTcpipOpen open = {
        .host = LY_BYTES("127.0.0.1"), .port = 4321, .origin = LY_BYTES("there"), .origin_port = 1};
    ly_put_u8(&input, 0);
    ly_buf_add(&input, LY_BYTES("\5\x26\x09\x29\x0b\x0c")); /* -L and -D, a visitor at each, who speak */
    say_to(&input, SSH_MSG_CHANNEL_OPEN_CONFIRMATION, LY_BYTES("\0\0\0\7\0\0\x10\0\0\0\4\0"));
    say_to(&input, SSH_MSG_CHANNEL_DATA, LY_BYTES("\0\0\0\5hello"));
    ly_put_u8(&input, 13);
    say_to(&input, SSH_MSG_CHANNEL_CLOSE, (LyBytes){0});
    put_seed("client", "local", &input);
    for (uint8_t flags = 0; flags < 8; flags += 4) {
        ly_put_u8(&input, flags);
        ly_buf_add(&input, LY_BYTES("\7\x28\x12")); /* -R twice, a global request */
        ly_buf_add(&payload, LY_BYTES("\x51\0\0\x10\xe1"));
        say(&input, 0, &payload);
        ly_buf_add(&payload, LY_BYTES("\x51"));
        say(&input, 0, &payload);
        ly_buf_add(&payload, LY_BYTES("\x52"));
        say(&input, 0, &payload);
        ly_put_tcpip_open(&data, &open);
        say_open(&input, "forwarded-tcpip", &data);
        say_to(&input, SSH_MSG_CHANNEL_DATA, LY_BYTES("\0\0\0\5hello"));
        ly_put_forwarded_streamlocal(&data, LY_BYTES("/run/inner"));
        say_open(&input, "forwarded-streamlocal@openssh.com", &data);
        say_to(&input, SSH_MSG_CHANNEL_DATA, LY_BYTES("\0\0\0\x0d\5\1\0\5\1\0\3\1h\0\x16\0\0"));
        ly_buf_add(&input, LY_BYTES("\x0c\x0d"));
        put_seed("client", flags ? "remote-socks" : "remote", &input);
    }
    ly_put_u8(&input, 0);
    for (size_t i = 0; i < FUZZ_KEYS; i++)
        ly_put_string(&data, ly_key_blob(fuzz_keys()[i]));
    say_global(&input, "hostkeys-00@openssh.com", &data);
    ly_buf_add(&payload, LY_BYTES("\x51\0\0\0\4sign\0\0\0\4sign"));
    say(&input, 0, &payload);
    ly_buf_add(&input, LY_BYTES("\x13\x13\x14"));
    say_to(&input, SSH_MSG_CHANNEL_OPEN_FAILURE, LY_BYTES("\0\0\0\1\0\0\0\2no\0\0\0\0"));
    put_seed("client", "host-keys", &input);
    ly_buf_free(&data);
    ly_buf_free(&payload);
}

/* ---- sftp-files ---- */

static void file_works(void)
{
    static const uint8_t answers[] = {0x80, 0x81, 0x83, 0x40, 0x09, 0x02, 0x00, 0x08, 0x10, 0x92, 0x11,
                                      0x83, 0x20, 0x05, 0x01, 0x08, 0x07, 0x10, 0x00, 0x10, 0x00, 0x84};
    for (uint8_t work = 0; work < 10; work++)
        for (uint8_t flags = 0; flags < 128; flags += 53) {
            LyBuf input = {0};
            char name[32];
            ly_put_u8(&input, work);
            ly_put_u8(&input, flags);
            for (int i = 0; i < 3; i++)
                ly_buf_add(&input, ly_bytes(answers, sizeof answers));
            snprintf(name, sizeof name, "work-%u-%u", work, flags);
            put_seed("sftp-files", name, &input);
        }
}

/* ---- channel-data, provider ---- */

static void channel_data(void)
{
    const LyTcpipOpen open = {
        .host = LY_BYTES("inner"), .port = 80, .origin = LY_BYTES("here"), .origin_port = 1};
    const LyX11Request x11 = {
        .protocol = LY_BYTES("MIT-MAGIC-COOKIE-1"), .cookie = LY_BYTES("0011"), .screen = 1};
    LyBuf modes = {0}, input = {0};
    ly_put_terminal_mode(&modes, LY_TTY_VINTR, 3);
    ly_put_terminal_mode(&modes, LY_TTY_TTY_OP_ISPEED, 38400);
    const LyPtyRequest pty = {
        .term = LY_BYTES("xterm"), .columns = 80, .rows = 24, .modes = ly_buf_bytes(&modes)};
    for (uint8_t which = 0; which < 16; which++) {
        char name[16];
        ly_put_u8(&input, which);
        if (which == 0)
            ly_put_pty_request(&input, &pty);
        else if (which == 1)
            ly_buf_add(&input, LY_BYTES("\0\0\0\x50\0\0\0\x18\0\0\0\0\0\0\0\0"));
        else if (which == 2)
            ly_put_x11_request(&input, &x11);
        else if (which == 4 || which == 8)
            ly_put_u32(&input, 500);
        else if (which == 5)
            ly_put_tcpip_open(&input, &open);
        else if (which == 6 || which == 7)
            ly_put_tcpip_forward(&input, LY_BYTES("localhost"), 22);
        else if (which == 15)
            ly_buf_add(&input, ly_buf_bytes(&modes));
        else
            ly_put_cstring(&input, "/some/text");
        if (which == 3)
            ly_put_cstring(&input, "value");
        if (which == 12 || which == 13)
            ly_put_cstring(&input, "");
        if (which == 12)
            ly_put_u32(&input, 0);
        snprintf(name, sizeof name, "reader-%u", which);
        put_seed("channel-data", name, &input);
    }
    ly_buf_free(&modes);
}

static void provider(void)
{
    LyBuf input = {0}, signature = {0};
    static const char *const algorithms[FUZZ_KEYS] = {"ssh-ed25519", "ecdsa-sha2-nistp256"};
    ly_put_u8(&input, 0);
    ly_put_u32(&input, FUZZ_KEYS);
    for (size_t i = 0; i < FUZZ_KEYS; i++) {
        ly_put_string(&input, ly_key_plain_blob(fuzz_keys()[i]));
        ly_put_cstring(&input, i ? "a label" : "");
    }
    put_seed("provider", "keys", &input);
    for (uint8_t i = 0; i < FUZZ_KEYS; i++) {
        FUZZ_ASSERT(
            ly_key_sign(fuzz_keys()[i], ly_bytes_str(algorithms[i]), LY_BYTES("data"), &signature, NULL));
        ly_put_u8(&input, (uint8_t)(0x40 | i << 2));
        ly_put_string(&input, ly_buf_bytes(&signature));
        put_seed("provider", algorithms[i], &input);
        ly_buf_clear(&signature);
    }
    ly_buf_free(&signature);
    ly_buf_add(&input, LY_BYTES("\x60!<socket >1234 s 00112233-44556677-8899AABB-CCDDEEFF"));
    put_seed("provider", "cygwin-file", &input);
    ly_buf_add(&input, LY_BYTES("\x60"
                                "1234\n0123456789abcdef"));
    put_seed("provider", "assuan-file", &input);
    for (uint8_t choice = 0x80; choice < 0x88; choice += 3) {
        ly_put_u8(&input, choice);
        ly_buf_add(&input, LY_BYTES("0123456789abcde\0\1\0\0\0\2\0\0\0\3\0\0\0rest"));
        put_seed("provider",
                 choice & 4   ? "handshake-server"
                 : choice & 1 ? "handshake-pieces"
                              : "handshake",
                 &input);
    }
    ly_buf_add(&input, LY_BYTES("\xc0\0\0\0\1\x0b    "));
    put_seed("provider", "map", &input);
    ly_buf_add(&input, LY_BYTES("\xc4PageantRequest00001234\0"));
    put_seed("provider", "map-name", &input);
}

void seeds_library(void)
{
    server_sessions();
    server_forwards();
    client_programs();
    client_forwards();
    file_works();
    channel_data();
    provider();
}
