#include "connection/session-channel.h"

#include "base/auto.h"

static void request(LyChannel *channel, LyBytes type, bool want_reply, uint32_t tag, LyBuf *data)
{
    ly_channel_request(channel, type, want_reply, tag, ly_buf_bytes(data));
    ly_buf_free(data);
}

static void request_string(LyChannel *channel, LyBytes type, bool want_reply, uint32_t tag, LyBytes string)
{
    LyBuf data = {0};
    ly_put_string(&data, string);
    request(channel, type, want_reply, tag, &data);
}

static bool get_only_string(LyBytes data, LyBytes *string)
{
    LyReader reader = ly_reader(data);
    LyBytes value = ly_get_string(&reader);
    if (!ly_reader_done(&reader))
        return false;
    *string = value;
    return true;
}

/* ---- pty-req, window-change ---- */

static void put_size(LyBuf *data, const LyPtyRequest *pty)
{
    ly_put_u32(data, pty->columns);
    ly_put_u32(data, pty->rows);
    ly_put_u32(data, pty->width);
    ly_put_u32(data, pty->height);
}

static void get_size(LyReader *reader, LyPtyRequest *pty)
{
    pty->columns = ly_get_u32(reader);
    pty->rows = ly_get_u32(reader);
    pty->width = ly_get_u32(reader);
    pty->height = ly_get_u32(reader);
}

/* Is there an opcode at which every reader stops? */
static bool modes_end(LyBytes modes)
{
    LyReader reader = ly_reader(modes);
    uint8_t opcode;
    uint32_t argument;
    size_t left;
    do
        left = reader.len;
    while (ly_get_terminal_mode(&reader, &opcode, &argument));
    return left && !reader.failed;
}

void ly_put_pty_request(LyBuf *data, const LyPtyRequest *pty)
{
    ly_put_string(data, pty->term);
    put_size(data, pty);
    size_t mark = ly_put_string_begin(data);
    ly_buf_add(data, pty->modes);
    if (!modes_end(pty->modes))
        ly_put_u8(data, LY_TTY_OP_END);
    ly_put_string_end(data, mark);
}

bool ly_get_pty_request(LyBytes data, LyPtyRequest *pty)
{
    LyReader reader = ly_reader(data);
    LyPtyRequest request = {.term = ly_get_string(&reader)};
    get_size(&reader, &request);
    request.modes = ly_get_string(&reader);
    if (!ly_reader_done(&reader))
        return false;
    *pty = request;
    return true;
}

void ly_channel_pty(LyChannel *channel, const LyPtyRequest *pty, bool want_reply, uint32_t tag)
{
    LyBuf data = {0};
    ly_put_pty_request(&data, pty);
    request(channel, LY_BYTES("pty-req"), want_reply, tag, &data);
}

void ly_channel_window_change(LyChannel *channel, uint32_t columns, uint32_t rows, uint32_t width,
                              uint32_t height)
{
    LyBuf data = {0};
    put_size(&data, &(LyPtyRequest){.columns = columns, .rows = rows, .width = width, .height = height});
    request(channel, LY_BYTES("window-change"), false, 0, &data);
}

bool ly_get_window_change(LyBytes data, LyPtyRequest *pty)
{
    LyReader reader = ly_reader(data);
    LyPtyRequest size = *pty;
    get_size(&reader, &size);
    if (!ly_reader_done(&reader))
        return false;
    *pty = size;
    return true;
}

/* ---- x11-req, auth-agent-req ---- */

void ly_put_x11_request(LyBuf *data, const LyX11Request *x11)
{
    ly_put_bool(data, x11->single);
    ly_put_string(data, x11->protocol);
    ly_put_string(data, x11->cookie);
    ly_put_u32(data, x11->screen);
}

bool ly_get_x11_request(LyBytes data, LyX11Request *x11)
{
    LyReader reader = ly_reader(data);
    LyX11Request request = {.single = ly_get_bool(&reader)};
    request.protocol = ly_get_string(&reader);
    request.cookie = ly_get_string(&reader);
    request.screen = ly_get_u32(&reader);
    if (!ly_reader_done(&reader))
        return false;
    *x11 = request;
    return true;
}

void ly_channel_x11(LyChannel *channel, const LyX11Request *x11, bool want_reply, uint32_t tag)
{
    LyBuf data = {0};
    ly_put_x11_request(&data, x11);
    request(channel, LY_BYTES("x11-req"), want_reply, tag, &data);
}

void ly_channel_auth_agent(LyChannel *channel, bool want_reply, uint32_t tag)
{
    ly_channel_request(channel, LY_BYTES("auth-agent-req@openssh.com"), want_reply, tag, (LyBytes){0});
}

/* ---- env, exec, shell, subsystem ---- */

void ly_channel_env(LyChannel *channel, LyBytes name, LyBytes value)
{
    LyBuf data = {0};
    ly_put_string(&data, name);
    ly_put_string(&data, value);
    request(channel, LY_BYTES("env"), false, 0, &data);
}

bool ly_get_env(LyBytes data, LyBytes *name, LyBytes *value)
{
    LyReader reader = ly_reader(data);
    LyBytes first = ly_get_string(&reader), second = ly_get_string(&reader);
    if (!ly_reader_done(&reader))
        return false;
    *name = first;
    *value = second;
    return true;
}

void ly_channel_exec(LyChannel *channel, LyBytes command, uint32_t tag)
{
    request_string(channel, LY_BYTES("exec"), true, tag, command);
}

bool ly_get_exec(LyBytes data, LyBytes *command)
{
    return get_only_string(data, command);
}

void ly_channel_subsystem(LyChannel *channel, LyBytes name, uint32_t tag)
{
    request_string(channel, LY_BYTES("subsystem"), true, tag, name);
}

bool ly_get_subsystem(LyBytes data, LyBytes *name)
{
    return get_only_string(data, name);
}

void ly_channel_shell(LyChannel *channel, uint32_t tag)
{
    ly_channel_request(channel, LY_BYTES("shell"), true, tag, (LyBytes){0});
}

/* ---- signal, break ---- */

void ly_channel_signal(LyChannel *channel, LyBytes name)
{
    request_string(channel, LY_BYTES("signal"), false, 0, name);
}

bool ly_get_signal(LyBytes data, LyBytes *name)
{
    return get_only_string(data, name);
}

void ly_channel_break(LyChannel *channel, uint32_t length_ms, bool want_reply, uint32_t tag)
{
    LyBuf data = {0};
    ly_put_u32(&data, length_ms);
    request(channel, LY_BYTES("break"), want_reply, tag, &data);
}

bool ly_get_break(LyBytes data, uint32_t *length_ms)
{
    LyReader reader = ly_reader(data);
    uint32_t value = ly_get_u32(&reader);
    if (!ly_reader_done(&reader))
        return false;
    *length_ms = value;
    return true;
}
