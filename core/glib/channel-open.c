#include "glib/channel-private.h"

typedef struct Opening {
    LyGOperation operation;
    LyGChannel *channel;
} Opening;

void ly_gchannel_opening_begun(LyGOperation *opening, LyGChannel *channel)
{
    ((Opening *)opening)->channel = channel;
}

static void stop_opening(LyGOperation *operation)
{
    ((Opening *)operation)->channel->opening = NULL;
}

static void clear_opening(LyGOperation *operation)
{
    Opening *opening = (Opening *)operation;
    if (opening->channel)
        g_object_unref(opening->channel);
}

LyGOperation *ly_gchannel_opening_new(LyGLoop *loop, gpointer source, gpointer tag, GCancellable *cancellable,
                                      GAsyncReadyCallback callback, gpointer user_data)
{
    LyGOperation *operation =
        ly_goperation_new(sizeof(Opening), loop, source, tag, stop_opening, cancellable, callback, user_data);
    if (operation)
        operation->clear = clear_opening;
    return operation;
}

void ly_gchannel_opening_fail(LyGOperation *operation, const LyError *error)
{
    Opening *opening = (Opening *)operation;
    if (opening->channel)
        opening->channel->opening = NULL;
    ly_goperation_fail(operation, error);
}

void ly_gchannel_open(LyGChannel *self, LyGOperation *opening, LyConnection *connection, const char *type,
                      LyBytes data)
{
    LyError error = {0};
    LyChannelOptions options = {.func = ly_gchannel_event, .user = self};
    LyChannel *raw = self ? ly_channel_open(connection, ly_bytes_str(type), data, &options) : NULL;
    if (raw) {
        ly_gchannel_set_channel(self, raw);
        ly_gchannel_flush(self);
        return;
    }
    if (self)
        ly_error_set(&error, LY_ERROR_LIMIT, "too many channels are open on the connection");
    else
        ly_error_set(&error, LY_ERROR_DISCONNECT, "there is no connection to open a channel on");
    ly_gchannel_opening_fail(opening, &error);
}
