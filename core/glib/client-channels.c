#include "connection/forward.h"
#include "glib/client-private.h"

static char channel_tag;

static void flush(void *user)
{
    LyGClient *self = user;
    if (ly_gclient_get_client(self))
        ly_client_flush(self->client);
}

LyGChannelOwner ly_gclient_owner(LyGClient *self)
{
    return (LyGChannelOwner){.object = G_OBJECT(self),
                             .loop = self->loop,
                             .channels = &self->channels,
                             .flush = flush,
                             .user = self};
}

/* NULL: the callback is on its way. */
static LyGOperation *begin(LyGClient *self, GCancellable *cancellable, GAsyncReadyCallback callback,
                           gpointer user_data)
{
    LyError error = {0};
    if (ly_gclient_connection(self, &error))
        return ly_gchannel_opening_new(self->loop, self, &channel_tag, cancellable, callback, user_data);
    ly_gclient_fail(self, &channel_tag, &error, callback, user_data);
    return NULL;
}

void ly_gclient_run_async(LyGClient *self, const LyProgramOptions *options, GCancellable *cancellable,
                          GAsyncReadyCallback callback, gpointer user_data)
{
    LyError error = {0};
    LyGOperation *opening = begin(self, cancellable, callback, user_data);
    if (!opening)
        return;
    LyGChannelOwner owner = ly_gclient_owner(self);
    LyGChannel *channel = ly_gchannel_new(&owner, opening);
    LyProgramEvents events = ly_gchannel_program_events;
    events.user = channel;
    LyProgram *program = ly_program_new(self->client, options, &events, &error);
    if (program)
        ly_gchannel_set_program(channel, program, options->window);
    else
        ly_gchannel_opening_fail(opening, &error);
}

void ly_gclient_open_async(LyGClient *self, const char *type, LyBytes data, GCancellable *cancellable,
                           GAsyncReadyCallback callback, gpointer user_data)
{
    LyGOperation *opening = begin(self, cancellable, callback, user_data);
    if (!opening)
        return;
    LyGChannelOwner owner = ly_gclient_owner(self);
    ly_gchannel_open(ly_gchannel_new(&owner, opening), opening,
                     ly_session_connection(ly_client_session(self->client)), type, data);
}

void ly_gclient_open_tcp_async(LyGClient *self, const char *host, guint16 port, GCancellable *cancellable,
                               GAsyncReadyCallback callback, gpointer user_data)
{
    LyBuf data = {0};
    LyTcpipOpen open = {.host = ly_bytes_str(host), .port = port, .origin = LY_BYTES("127.0.0.1")};
    ly_put_tcpip_open(&data, &open);
    ly_gclient_open_async(self, "direct-tcpip", ly_buf_bytes(&data), cancellable, callback, user_data);
    ly_buf_free(&data);
}

void ly_gclient_open_unix_async(LyGClient *self, const char *path, GCancellable *cancellable,
                                GAsyncReadyCallback callback, gpointer user_data)
{
    LyBuf data = {0};
    LyError error = {0};
    if (self->connected && !ly_client_speaks_openssh(self->client)) {
        ly_error_set(&error, LY_ERROR_UNSUPPORTED, "%s is not known to connect to Unix sockets",
                     ly_destination_name(self->destination));
        ly_gclient_fail(self, &channel_tag, &error, callback, user_data);
        return;
    }
    ly_put_direct_streamlocal(&data, ly_bytes_str(path));
    ly_gclient_open_async(self, "direct-streamlocal@openssh.com", ly_buf_bytes(&data), cancellable, callback,
                          user_data);
    ly_buf_free(&data);
}

LyGChannel *ly_gclient_channel_finish(LyGClient *self, GAsyncResult *result, GError **error)
{
    return ly_goperation_finish(self, result, &channel_tag, error);
}

LyGChannel *ly_gclient_accept_channel(LyGClient *self, LyChannel *raw)
{
    LyGChannelOwner owner = ly_gclient_owner(self);
    LyGChannel *channel = ly_gchannel_new(&owner, NULL);
    LyChannelOptions options = {.func = ly_gchannel_event, .user = channel};
    ly_channel_accept(raw, &options, (LyBytes){0});
    ly_gchannel_set_channel(channel, raw);
    ly_client_flush(self->client);
    return channel;
}

LyGChannel *ly_gclient_accept(LyGClient *self, const LyConnectionEvent *event)
{
    return ly_gclient_accept_channel(self, event->channel);
}
