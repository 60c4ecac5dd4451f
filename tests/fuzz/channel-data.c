/* What the requests of channels and forwards carry (RFC 4254 sections 6 to 8): the first byte chooses the
 * reader; what it takes is written again and read again, and is the same. */
#include "fuzz.h"

#include "connection/forward.h"
#include "connection/session-channel.h"

/* A text of the input, or nothing. */
static void within(LyBytes view, LyBytes in)
{
    FUZZ_ASSERT(!view.len || (view.data >= in.data && view.data + view.len <= in.data + in.len));
}

static void terminal(LyBytes modes)
{
    LyReader reader = ly_reader(modes), again;
    LyBuf out = {0};
    uint8_t opcode, opcode_again;
    uint32_t argument, argument_again;
    size_t count = 0;
    while (ly_get_terminal_mode(&reader, &opcode, &argument)) {
        FUZZ_ASSERT(opcode != LY_TTY_OP_END && opcode < 160 && ++count <= modes.len / 5);
        const char *name = ly_terminal_mode_name(opcode);
        FUZZ_ASSERT(!name || *name);
        ly_put_terminal_mode(&out, opcode, argument);
    }
    reader = ly_reader(modes);
    again = ly_reader(ly_buf_bytes(&out));
    while (count--) {
        FUZZ_ASSERT(ly_get_terminal_mode(&reader, &opcode, &argument));
        FUZZ_ASSERT(ly_get_terminal_mode(&again, &opcode_again, &argument_again));
        FUZZ_ASSERT(opcode == opcode_again && argument == argument_again);
    }
    FUZZ_ASSERT(!ly_get_terminal_mode(&again, &opcode, &argument) && !again.failed);
    ly_buf_free(&out);
}

static void pty_request(LyBytes in, LyBuf *out)
{
    LyPtyRequest pty, again;
    if (!ly_get_pty_request(in, &pty))
        return;
    within(pty.term, in);
    within(pty.modes, in);
    terminal(pty.modes);
    ly_put_pty_request(out, &pty);
    FUZZ_ASSERT(ly_get_pty_request(ly_buf_bytes(out), &again));
    FUZZ_ASSERT(ly_bytes_equal(pty.term, again.term) && pty.columns == again.columns &&
                pty.rows == again.rows && pty.width == again.width && pty.height == again.height);
    FUZZ_ASSERT(again.modes.len - pty.modes.len <= 1); /* TTY_OP_END was missing */
}

static void window_change(LyBytes in, LyBuf *out)
{
    LyPtyRequest pty = {.term = LY_BYTES("vt100")};
    if (ly_get_window_change(in, &pty))
        FUZZ_ASSERT(in.len == 16 && ly_bytes_is(pty.term, "vt100"));
}

static void x11_request(LyBytes in, LyBuf *out)
{
    LyX11Request x11, again;
    if (!ly_get_x11_request(in, &x11))
        return;
    ly_put_x11_request(out, &x11);
    FUZZ_ASSERT(ly_get_x11_request(ly_buf_bytes(out), &again));
    FUZZ_ASSERT(x11.single == again.single && x11.screen == again.screen);
    FUZZ_ASSERT(ly_bytes_equal(x11.protocol, again.protocol) && ly_bytes_equal(x11.cookie, again.cookie));
}

static void variable(LyBytes in, LyBuf *out)
{
    LyBytes name, value;
    if (!ly_get_env(in, &name, &value))
        return;
    ly_put_string(out, name);
    ly_put_string(out, value);
    FUZZ_ASSERT(ly_bytes_equal(ly_buf_bytes(out), in));
}

static void length_of_break(LyBytes in, LyBuf *out)
{
    uint32_t length_ms;
    FUZZ_ASSERT(ly_get_break(in, &length_ms) == (in.len == 4));
}

static void tcpip_open(LyBytes in, LyBuf *out)
{
    LyTcpipOpen open;
    if (!ly_get_tcpip_open(in, &open))
        return;
    ly_put_tcpip_open(out, &open);
    FUZZ_ASSERT(ly_bytes_equal(ly_buf_bytes(out), in));
}

static void x11_open(LyBytes in, LyBuf *out)
{
    LyBytes origin;
    uint32_t port;
    if (!ly_get_x11_open(in, &origin, &port))
        return;
    ly_put_x11_open(out, origin, port);
    FUZZ_ASSERT(ly_bytes_equal(ly_buf_bytes(out), in));
}

static void tcpip_forward(LyBytes in, LyBuf *out)
{
    LyBytes address;
    uint32_t port;
    if (!ly_get_tcpip_forward(in, &address, &port))
        return;
    ly_put_tcpip_forward(out, address, port);
    FUZZ_ASSERT(ly_bytes_equal(ly_buf_bytes(out), in));
}

static void forwarded_port(LyBytes in, LyBuf *out)
{
    uint32_t port;
    if (!ly_get_forwarded_port(in, &port))
        return;
    ly_put_forwarded_port(out, port);
    FUZZ_ASSERT(ly_bytes_equal(ly_buf_bytes(out), in));
}

/* Those that carry one text. */
static void one_text(LyBytes in, LyBuf *out, bool (*get)(LyBytes data, LyBytes *text),
                     void (*put)(LyBuf *data, LyBytes text))
{
    LyBytes text = {0}, again = {0};
    if (!get(in, &text))
        return;
    within(text, in);
    if (put)
        put(out, text);
    else
        ly_put_string(out, text);
    FUZZ_ASSERT(get(ly_buf_bytes(out), &again) && ly_bytes_equal(text, again));
}

static const struct {
    void (*run)(LyBytes in, LyBuf *out);
    bool (*get)(LyBytes data, LyBytes *text);
    void (*put)(LyBuf *data, LyBytes text);
} readers[] = {
    {pty_request},
    {window_change},
    {x11_request},
    {variable},
    {length_of_break},
    {tcpip_open},
    {x11_open},
    {tcpip_forward},
    {forwarded_port},
    {.get = ly_get_exec},
    {.get = ly_get_subsystem},
    {.get = ly_get_signal},
    {.get = ly_get_direct_streamlocal, .put = ly_put_direct_streamlocal},
    {.get = ly_get_forwarded_streamlocal, .put = ly_put_forwarded_streamlocal},
    {.get = ly_get_streamlocal_forward, .put = ly_put_streamlocal_forward},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    LyBytes in = fuzz_copy(ly_bytes(data + 1, len - 1));
    LyBuf out = {0};
    size_t index = data[0] % (LY_COUNT(readers) + 1);
    if (index == LY_COUNT(readers))
        terminal(in);
    else if (readers[index].run)
        readers[index].run(in, &out);
    else
        one_text(in, &out, readers[index].get, readers[index].put);
    ly_buf_free(&out);
    fuzz_free(in);
    return 0;
}
