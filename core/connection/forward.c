#include "connection/forward.h"

#include "base/auto.h"

static LyChannel *open_channel(LyConnection *connection, LyBytes type, LyBuf *data,
                               const LyChannelOptions *options)
{
    LyChannel *channel = ly_channel_open(connection, type, ly_buf_bytes(data), options);
    ly_buf_free(data);
    return channel;
}

/* Most of what follows begins with these: an address or a path, and perhaps a port. */
static bool get_string_and_port(LyBytes data, LyBytes *string, uint32_t *port)
{
    LyReader reader = ly_reader(data);
    LyBytes value = ly_get_string(&reader);
    uint32_t number = ly_get_u32(&reader);
    if (!ly_reader_done(&reader))
        return false;
    *string = value;
    *port = number;
    return true;
}

/* ---- tcpip ---- */

void ly_put_tcpip_open(LyBuf *data, const LyTcpipOpen *open)
{
    ly_put_string(data, open->host);
    ly_put_u32(data, open->port);
    ly_put_string(data, open->origin);
    ly_put_u32(data, open->origin_port);
}

bool ly_get_tcpip_open(LyBytes data, LyTcpipOpen *open)
{
    LyReader reader = ly_reader(data);
    LyTcpipOpen value = {.host = ly_get_string(&reader)};
    value.port = ly_get_u32(&reader);
    value.origin = ly_get_string(&reader);
    value.origin_port = ly_get_u32(&reader);
    if (!ly_reader_done(&reader))
        return false;
    *open = value;
    return true;
}

LyChannel *ly_channel_open_direct_tcpip(LyConnection *connection, const LyTcpipOpen *open,
                                        const LyChannelOptions *options)
{
    LyBuf data = {0};
    ly_put_tcpip_open(&data, open);
    return open_channel(connection, LY_BYTES("direct-tcpip"), &data, options);
}

void ly_put_tcpip_forward(LyBuf *data, LyBytes address, uint32_t port)
{
    ly_put_string(data, address);
    ly_put_u32(data, port);
}

bool ly_get_tcpip_forward(LyBytes data, LyBytes *address, uint32_t *port)
{
    return get_string_and_port(data, address, port);
}

void ly_put_forwarded_port(LyBuf *reply, uint32_t port)
{
    ly_put_u32(reply, port);
}

bool ly_get_forwarded_port(LyBytes reply, uint32_t *port)
{
    LyReader reader = ly_reader(reply);
    uint32_t value = ly_get_u32(&reader);
    if (!ly_reader_done(&reader))
        return false;
    *port = value;
    return true;
}

/* ---- x11 ---- */

void ly_put_x11_open(LyBuf *data, LyBytes origin, uint32_t origin_port)
{
    ly_put_string(data, origin);
    ly_put_u32(data, origin_port);
}

bool ly_get_x11_open(LyBytes data, LyBytes *origin, uint32_t *origin_port)
{
    return get_string_and_port(data, origin, origin_port);
}

/* ---- streamlocal ---- */

void ly_put_direct_streamlocal(LyBuf *data, LyBytes path)
{
    ly_put_string(data, path);
    ly_put_cstring(data, ""); /* reserved */
    ly_put_u32(data, 0);      /* reserved */
}

bool ly_get_direct_streamlocal(LyBytes data, LyBytes *path)
{
    LyReader reader = ly_reader(data);
    LyBytes value = ly_get_string(&reader);
    ly_get_string(&reader);
    ly_get_u32(&reader);
    if (!ly_reader_done(&reader))
        return false;
    *path = value;
    return true;
}

LyChannel *ly_channel_open_direct_streamlocal(LyConnection *connection, LyBytes path,
                                              const LyChannelOptions *options)
{
    LyBuf data = {0};
    ly_put_direct_streamlocal(&data, path);
    return open_channel(connection, LY_BYTES("direct-streamlocal@openssh.com"), &data, options);
}

void ly_put_forwarded_streamlocal(LyBuf *data, LyBytes path)
{
    ly_put_string(data, path);
    ly_put_cstring(data, ""); /* reserved */
}

bool ly_get_forwarded_streamlocal(LyBytes data, LyBytes *path)
{
    LyReader reader = ly_reader(data);
    LyBytes value = ly_get_string(&reader);
    ly_get_string(&reader);
    if (!ly_reader_done(&reader))
        return false;
    *path = value;
    return true;
}

void ly_put_streamlocal_forward(LyBuf *data, LyBytes path)
{
    ly_put_string(data, path);
}

bool ly_get_streamlocal_forward(LyBytes data, LyBytes *path)
{
    LyReader reader = ly_reader(data);
    LyBytes value = ly_get_string(&reader);
    if (!ly_reader_done(&reader))
        return false;
    *path = value;
    return true;
}
