#include "glib/channel-private.h"

void ly_gchannel_signal(LyGChannel *self, const char *name)
{
    LyChannel *channel = ly_gchannel_get_channel(self);
    if (channel) {
        ly_channel_signal(channel, ly_bytes_str(name));
        ly_gchannel_flush(self);
    }
}

void ly_gchannel_break(LyGChannel *self, guint32 length_ms)
{
    LyChannel *channel = ly_gchannel_get_channel(self);
    if (channel) {
        ly_channel_break(channel, length_ms, false, 0);
        ly_gchannel_flush(self);
    }
}

void ly_gchannel_resize(LyGChannel *self, guint32 columns, guint32 rows, guint32 width, guint32 height)
{
    if (self->program) {
        ly_program_resize(self->program, columns, rows, width, height);
    } else if (self->raw) {
        ly_channel_window_change(self->raw, columns, rows, width, height);
        ly_gchannel_flush(self);
    }
}

void ly_gchannel_exit_status(LyGChannel *self, guint32 status)
{
    if (self->raw) {
        ly_channel_exit_status(self->raw, status);
        ly_gchannel_flush(self);
    }
}

void ly_gchannel_exit_signal(LyGChannel *self, const char *name, gboolean core_dumped, const char *message)
{
    if (self->raw) {
        ly_channel_exit_signal(self->raw, ly_bytes_str(name), core_dumped, ly_bytes_str(message));
        ly_gchannel_flush(self);
    }
}
