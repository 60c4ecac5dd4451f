/* RFC 4253 4.2: the exchange of identifications. */
#include "transport/transport-private.h"

#include "base/memory.h"

static bool printable(LyBytes text, bool ascii)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < 0x20 || text.data[i] == 0x7f || (ascii && text.data[i] > 0x7f))
            return false;
    return true;
}

bool ly_ident_put(LyTransport *t, const char *ident, const char *greeting, LyError *error)
{
    LyBytes rest = ly_bytes_str(greeting), line;
    LyBuf text = {0};
    bool ok = true;
    if (!ident)
        ident = LY_IDENT;
    ly_buf_add_format(&t->own_ident, "SSH-2.0-%s", ident);
    if (!*ident || !printable(ly_bytes_str(ident), true) || t->own_ident.len + 2 > LY_IDENT_LINE_MAX)
        ok = ly_error_set(error, LY_ERROR_INVALID, "an identification is 1 to %d printable ASCII characters",
                          LY_IDENT_LINE_MAX - 10);
    while (ok && ly_bytes_line(&rest, &line)) {
        if (ly_bytes_starts_with(line, "SSH-"))
            ok = ly_error_set(error, LY_ERROR_INVALID, "a line of the greeting begins with 'SSH-'");
        ly_buf_add(&text, line);
        ly_buf_add_str(&text, "\r\n");
    }
    ly_buf_add(&text, ly_buf_bytes(&t->own_ident));
    ly_buf_add_str(&text, "\r\n");
    uint8_t *room = ok ? ly_output_room(t, text.len) : NULL;
    if (room) {
        memcpy(room, text.data, text.len);
        t->output.end += text.len;
    }
    ly_buf_free(&text);
    return ok;
}

static bool ident_received(LyTransport *t, LyBytes line, LyTransportEvent *event)
{
    LyBytes version = ly_bytes_slice(line, 4, line.len), software;
    if (line.len + 2 > LY_IDENT_LINE_MAX || !printable(line, false))
        return ly_transport_fail(t, LY_ERROR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR,
                                 "the %s's identification is over %d bytes long or holds control characters",
                                 ly_transport_peer_name(t), LY_IDENT_LINE_MAX);
    if (!ly_bytes_split(version, '-', &version, &software) || software.len == 0 ||
        (!ly_bytes_is(version, "2.0") && !ly_bytes_is(version, "1.99")))
        return ly_transport_fail(t, LY_ERROR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_VERSION_NOT_SUPPORTED,
                                 "the %s identifies itself as '%s'; only SSH 2.0 is spoken here",
                                 ly_transport_peer_name(t), LY_PRINTABLE(line));
    ly_buf_add(&t->peer_ident, line);
    *event = (LyTransportEvent){.type = LY_TRANSPORT_IDENT, .bytes = ly_buf_bytes(&t->peer_ident)};
    return ly_kex_begin(t);
}

/* False when no byte more can make an identification, or a greeting, of this beginning of a line. */
static bool may_go_on(LyTransport *t, LyBytes begun)
{
    LyBytes head = ly_bytes_slice(begun, 0, 4);
    bool ssh = ly_bytes_equal(head, ly_bytes("SSH-", head.len));
    if (t->role == LY_SERVER && !ssh)
        return ly_transport_fail(t, LY_ERROR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR,
                                 "the client does not speak SSH: it began with '%s'",
                                 LY_PRINTABLE(ly_bytes_slice(begun, 0, 40)));
    if (begun.len > (ssh && head.len == 4 ? LY_IDENT_LINE_MAX : LY_GREETING_LINE_MAX))
        return ly_transport_fail(t, LY_ERROR_LIMIT, SSH_DISCONNECT_PROTOCOL_ERROR,
                                 "a line of the %s's greeting is too long", ly_transport_peer_name(t));
    return true;
}

bool ly_ident_next(LyTransport *t, LyTransportEvent *event)
{
    LyInput *in = &t->input;
    LyBytes bytes = ly_bytes(in->data + in->start, in->end - in->start);
    if (bytes.len == 0)
        return false;
    const uint8_t *end = memchr(bytes.data, '\n', bytes.len);
    if (!may_go_on(t, ly_bytes(bytes.data, end ? (size_t)(end - bytes.data) + 1 : bytes.len)) || !end)
        return false;
    LyBytes line = ly_bytes(bytes.data, (size_t)(end - bytes.data));
    in->start += line.len + 1;
    if (line.len && line.data[line.len - 1] == '\r')
        line.len--;
    if (ly_bytes_starts_with(line, "SSH-"))
        return ident_received(t, line, event);
    /* The server refuses "SSH\n" here; longer greetings ended above. */
    if (t->role == LY_SERVER)
        return ly_transport_fail(t, LY_ERROR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR,
                                 "the client does not speak SSH");
    if (++t->greeting_lines > LY_GREETING_LINES_MAX)
        return ly_transport_fail(t, LY_ERROR_LIMIT, SSH_DISCONNECT_PROTOCOL_ERROR,
                                 "the server sent more than %d lines before its identification",
                                 LY_GREETING_LINES_MAX);
    *event = (LyTransportEvent){.type = LY_TRANSPORT_GREETING, .bytes = line};
    return true;
}
