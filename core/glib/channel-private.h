/* How LyGClient, LyGListener and LyGServer make channels. */
#ifndef LY_GLIB_CHANNEL_PRIVATE_H
#define LY_GLIB_CHANNEL_PRIVATE_H

#include "base/list.h"
#include "glib/channel.h"
#include "glib/stream-private.h"

/* Who has the connection. */
typedef struct LyGChannelOwner {
    GObject *object; /* each channel holds a reference */
    LyGLoop *loop;
    LyList *channels;          /* all of the connection */
    void (*flush)(void *user); /* the session was used outside of its events */
    void *user;
} LyGChannelOwner;

struct _LyGChannel {
    GIOStream parent;
    LyGChannelOwner owner;
    LyLink link;           /* in owner.channels while it is open */
    LyGOperation *opening; /* NULL once it was told */
    LyProgram *program;
    LyChannel *raw; /* of channels without a program; NULL once it is closed */
    LyGInput *in, *err;
    LyGOutput *out, *err_out; /* err_out: NULL until it is asked for */
    guint32 stderr_room;      /* that is kept unasked */
    gboolean stderr_wanted, closed;
    LyProgramEnd end;
    char *signal, *message; /* of `end` */
    GError *error;          /* how the connection ended; NULL: the channel was closed in order */
    GSList *waiting;        /* LyGOperation */
};

/* channel-open.c: an operation whose result is a channel, which is closed when the operation is cancelled. */
LyGOperation *ly_gchannel_opening_new(LyGLoop *loop, gpointer source, gpointer tag, GCancellable *cancellable,
                                      GAsyncReadyCallback callback, gpointer user_data);
void ly_gchannel_opening_fail(LyGOperation *opening, const LyError *error);
/* The channel that is being opened by it. */
void ly_gchannel_opening_begun(LyGOperation *opening, LyGChannel *channel);
/* Opens a channel of this type beneath it; NULL `channel`: there is no connection. */
void ly_gchannel_open(LyGChannel *channel, LyGOperation *opening, LyConnection *connection, const char *type,
                      LyBytes data);

/* channel.c: without anything beneath yet; `opening`, which gets the reference, is told when the channel is
 * open. NULL: nobody waits, the reference is the caller's. */
LyGChannel *ly_gchannel_new(const LyGChannelOwner *owner, LyGOperation *opening);
/* What is beneath: a program that has just been made with ly_gchannel_program_events, or a channel whose func
 * is ly_gchannel_event. */
extern const LyProgramEvents ly_gchannel_program_events; /* `user` is to be set to the LyGChannel */
void ly_gchannel_set_program(LyGChannel *channel, LyProgram *program, guint32 window);
void ly_gchannel_set_channel(LyGChannel *channel, LyChannel *raw);
void ly_gchannel_flush(LyGChannel *channel); /* the session was used outside of its events */
void ly_gchannel_event(void *user, const LyConnectionEvent *event);
/* The connection ended; what is beneath is gone. */
void ly_gchannels_end(LyList *channels, const LyError *error);

#endif
