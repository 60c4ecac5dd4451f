/* LyGChannel: a channel as a GIOStream, in either role. Its streams are pollable: GDataInputStream,
 * g_output_stream_splice_async, GTlsClientConnection and whatever else takes a stream take it; a closed
 * window holds the other side back. Closing the output stream is EOF (reading goes on), closing the GIOStream
 * closes the channel, and so does its last reference. Streams of a channel whose connection was lost give the
 * error of that; writing after the other side closed gives G_IO_ERROR_BROKEN_PIPE. */
#ifndef LY_GLIB_CHANNEL_H
#define LY_GLIB_CHANNEL_H

#include "glib/loop.h"
#include "loop/program.h"

/* A GIOStream. */
#define LY_TYPE_GCHANNEL (ly_gchannel_get_type())
GType ly_gchannel_get_type(void);
typedef struct _LyGChannel LyGChannel;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LyGChannel, g_object_unref)

/* SSH_EXTENDED_DATA_STDERR, that arrives; owned by the channel. Its bytes share the window with the others:
 * whoever asks for it reads it, or closes it, and what comes is dropped then. Unless it is asked for, its
 * first 64 KiB are kept and the rest is dropped. */
GInputStream *ly_gchannel_get_stderr(LyGChannel *channel);
/* That a server writes; owned by the channel. Closing it tells the other side nothing; closing the output
 * stream ends both. NULL: the program is the other
 * side's. */
GOutputStream *ly_gchannel_get_stderr_output(LyGChannel *channel);

/* Until the other side has closed the channel, which a program's end is told before. Output may wait in the
 * streams still. */
void ly_gchannel_wait_async(LyGChannel *channel, GCancellable *cancellable, GAsyncReadyCallback callback,
                            gpointer user_data);
/* How the program ended (*end, whose views live as long as the channel; may be NULL); nothing is set when the
 * server did not tell, or no program runs on the channel. FALSE with *error: the connection ended before. */
gboolean ly_gchannel_wait_finish(LyGChannel *channel, GAsyncResult *result, LyProgramEnd *end,
                                 GError **error);
gboolean ly_gchannel_is_closed(LyGChannel *channel); /* by the other side, or with the connection */

/* To the program (RFC 4254 sections 6.7, 6.9; RFC 4335), without an answer. */
void ly_gchannel_signal(LyGChannel *channel, const char *name); /* "TERM" */
void ly_gchannel_break(LyGChannel *channel, guint32 length_ms);
void ly_gchannel_resize(LyGChannel *channel, guint32 columns, guint32 rows, guint32 width, guint32 height);
/* A server's answers: how what ran there ended (6.10); close the channel then. */
void ly_gchannel_exit_status(LyGChannel *channel, guint32 status);
void ly_gchannel_exit_signal(LyGChannel *channel, const char *name, gboolean core_dumped,
                             const char *message);

/* Signal "request" (const LyConnectionEvent *) -> gboolean: a request of the other side (window-change,
 * signal ...), for channels without a program. TRUE after ly_channel_reply if event->want_reply; what nobody
 * takes is refused. */

/* Borrowed; NULL once it is closed. */
LyChannel *ly_gchannel_get_channel(LyGChannel *channel);

#endif
