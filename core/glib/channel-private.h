/* How LyGClient, LyGListener and LyGServer make channels. */
#ifndef LY_GLIB_CHANNEL_PRIVATE_H
#define LY_GLIB_CHANNEL_PRIVATE_H

#include "base/list.h"
#include "glib/channel.h"
#include "glib/glib-private.h"

/* Who has the connection. */
typedef struct LyGChannelOwner {
    GObject *object; /* each channel holds a reference */
    LyGLoop *loop;
    LyList *channels;          /* all of the connection */
    void (*flush)(void *user); /* the session was used outside of its events */
    void *user;
} LyGChannelOwner;

/* Without anything beneath yet; `opening` (may be NULL) gets the channel when it is open, or the error. */
LyGChannel *ly_gchannel_new(const LyGChannelOwner *owner, LyGOperation *opening);
/* What is beneath: a program that has just been made with ly_gchannel_program_events, or a channel whose func is
 * ly_gchannel_event (of one that waits for nobody, `opening` is NULL). */
extern const LyProgramEvents ly_gchannel_program_events; /* `user` is to be set to the LyGChannel */
void ly_gchannel_set_program(LyGChannel *channel, LyProgram *program, guint32 window);
void ly_gchannel_set_channel(LyGChannel *channel, LyChannel *raw);
void ly_gchannel_event(void *user, const LyConnectionEvent *event);
/* The operation was stopped: the channel goes with its last reference. */
void ly_gchannel_forget_opening(LyGChannel *channel);
/* The connection ended; what is beneath is gone. */
void ly_gchannels_end(LyList *channels, const LyError *error);

#endif
