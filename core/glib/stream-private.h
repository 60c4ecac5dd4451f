/* Pollable streams that the core feeds and drains. Reading and writing without blocking, and their sources,
 * are for the loop's thread; blocking reads and writes are for any: in the loop's own thread they iterate its
 * context, in another one (GTlsConnection's handshake runs in such) they wait for the loop's. The bytes go
 * through functions of an owner, which are called in the loop's thread alone. */
#ifndef LY_GLIB_STREAM_PRIVATE_H
#define LY_GLIB_STREAM_PRIVATE_H

#include "base/buf.h"
#include "glib/glib-private.h"

/* gate.c: where whoever reads or writes waits. */
typedef struct LyGGate {
    GMutex mutex;
    GCond cond;
    GSList *sources; /* that wait */
} LyGGate;
typedef gboolean (*LyGGateOpen)(gpointer stream); /* called with the mutex locked */
void ly_ggate_init(LyGGate *gate);
void ly_ggate_clear(LyGGate *gate);
/* What is_open says may have changed; the mutex is locked. */
void ly_ggate_wake(LyGGate *gate);
/* A pollable stream's source. */
GSource *ly_ggate_source(LyGGate *gate, LyGGateOpen is_open, gpointer stream, GCancellable *cancellable);
/* Until is_open; FALSE with *error as ly_gloop_wait. The mutex is not locked. */
gboolean ly_ggate_wait(LyGGate *gate, LyGGateOpen is_open, gpointer stream, LyGLoop *loop,
                       GCancellable *cancellable, GError **error);

/* input.c */
#define LY_TYPE_GINPUT (ly_ginput_get_type())
G_DECLARE_FINAL_TYPE(LyGInput, ly_ginput, LY, GINPUT, GInputStream)
typedef struct LyGInputFrom {
    void (*consumed)(gpointer owner, gsize len); /* bytes that were read: more may come */
    /* Nobody reads any more; the owner is not called afterwards. NULL: what comes is consumed and dropped. */
    void (*closed)(gpointer owner);
} LyGInputFrom;
LyGInput *ly_ginput_new(LyGLoop *loop, const LyGInputFrom *from, gpointer owner);
void ly_ginput_feed(LyGInput *input, LyBytes data);
/* After what was fed: the end of the file, or the error (taken). What is said first holds. */
void ly_ginput_end(LyGInput *input, GError *error);
/* The owner goes away. */
void ly_ginput_leave(LyGInput *input);

/* output.c */
#define LY_TYPE_GOUTPUT (ly_goutput_get_type())
G_DECLARE_FINAL_TYPE(LyGOutput, ly_goutput, LY, GOUTPUT, GOutputStream)
typedef struct LyGOutputTo {
    gsize (*write)(gpointer owner,
                   LyBytes data);   /* how many were taken; when fewer, ly_goutput_writable follows */
    void (*finish)(gpointer owner); /* the stream was closed */
    gboolean waits;                 /* closing waits for ly_goutput_end and reports its error */
    void (*gone)(
        gpointer owner); /* the stream was finalized; the owner is not called afterwards. May be NULL */
} LyGOutputTo;
LyGOutput *ly_goutput_new(LyGLoop *loop, const LyGOutputTo *to, gpointer owner);
void ly_goutput_writable(LyGOutput *output);
/* No more can be written: why (taken), or NULL: all is well. What is said first holds. */
void ly_goutput_end(LyGOutput *output, GError *error);
void ly_goutput_leave(LyGOutput *output); /* the owner goes away */

#endif
