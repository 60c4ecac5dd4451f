/* How the server is asked to connect somewhere, and what is said when it does not. */
#include <stdio.h>

#include "base/memory.h"
#include "loop/forward-private.h"

#define WINDOW ((uint32_t)2 << 20)
#define WINDOW_MAX ((uint32_t)8 << 20) /* a gigabit over 64 ms; that much a connection can make us hold */

LyChannelOptions ly_forward_channel_options(LyChannelFunc func, void *user)
{
    return (LyChannelOptions){.window = WINDOW, .max_window = WINDOW_MAX, .func = func, .user = user};
}

LyConnection *ly_forward_connection(LyClient *client, LyError *error)
{
    LySession *session = client ? ly_client_session(client) : NULL;
    LyConnection *connection = session ? ly_session_connection(session) : NULL;
    if (!connection)
        ly_error_set(error, LY_ERROR_DISCONNECT, "there is no connection to the server");
    return connection;
}

const char *ly_forward_end_text(const LyForwardEnd *end, char text[320])
{
    if (end->path)
        ly_printable(ly_bytes_str(end->path), text, 300);
    else
        snprintf(text, 320, "%s port %u", LY_PRINTABLE(ly_bytes_str(end->host)), (unsigned)end->port);
    return text;
}

LyChannel *ly_forward_open(LyClient *client, const LyForwardEnd *to, const char *origin, uint16_t origin_port,
                           LyChannelFunc func, void *user, LyError *error)
{
    LyConnection *connection = ly_forward_connection(client, error);
    if (!connection)
        return NULL;
    LyChannelOptions options = ly_forward_channel_options(func, user);
    LyTcpipOpen open = {
        .host = ly_bytes_str(to->host),
        .port = to->port,
        .origin = ly_bytes_str(*origin ? origin : "127.0.0.1"), /* has to be an address */
        .origin_port = origin_port,
    };
    LyChannel *channel =
        to->path ? ly_channel_open_direct_streamlocal(connection, ly_bytes_str(to->path), &options)
                 : ly_channel_open_direct_tcpip(connection, &open, &options);
    if (!channel)
        ly_error_set(error, LY_ERROR_LIMIT,
                     "cannot reach %s: too many channels are open on the connection to the server",
                     LY_FORWARD_END_TEXT(to));
    ly_client_flush(client);
    return channel;
}

void ly_forward_refused(const LyForwardEnd *to, const LyConnectionEvent *event, LyError *error)
{
    static const char *const words[] = {
        [SSH_OPEN_ADMINISTRATIVELY_PROHIBITED] = "the server does not allow it",
        [SSH_OPEN_CONNECT_FAILED] = "connecting failed there",
        [SSH_OPEN_UNKNOWN_CHANNEL_TYPE] = "the server does not know such channels",
        [SSH_OPEN_RESOURCE_SHORTAGE] = "the server is short of resources",
    };
    const char *why = event->number < LY_COUNT(words) ? words[event->number] : NULL;
    ly_error_set(error,
                 event->number == SSH_OPEN_UNKNOWN_CHANNEL_TYPE ? LY_ERROR_UNSUPPORTED : LY_ERROR_DISCONNECT,
                 "cannot reach %s from the server: %s%s%s%s", LY_FORWARD_END_TEXT(to),
                 why ? why : "the server refused", event->text.len ? " (" : "", LY_PRINTABLE(event->text),
                 event->text.len ? ")" : "");
}

void ly_forward_wake(void *client)
{
    ly_client_flush(client);
}
