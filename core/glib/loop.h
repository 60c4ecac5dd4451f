/* The library's event loop inside a GMainContext: one GSource watches the loop's epoll descriptor and its
 * next deadline. All objects of core/glib that were made in a context share one loop; they belong to the
 * thread that iterates it, and so do their functions unless a comment says otherwise. Callbacks and signals
 * run while that source is dispatched: they may make, close and release anything here, but a main loop run
 * from within them does not move the library (completions of _async functions are free of that: they have a
 * dispatch of their own). */
#ifndef LY_GLIB_LOOP_H
#define LY_GLIB_LOOP_H

#include <gio/gio.h>

#include "loop/loop.h"

typedef struct LyGLoop LyGLoop;

/* The loop of a context (NULL: the caller's thread-default one), made at the first use; a reference of the
 * caller's. To be called in the thread that iterates the context. NULL with *error: the system has no
 * descriptor left. */
LyGLoop *ly_gloop_get(GMainContext *context, GError **error);
LyGLoop *ly_gloop_ref(LyGLoop *loop);
/* With the last one the source leaves its context and the loop is freed: whatever was made on ly_gloop_loop
 * by the caller is freed before. NULL is fine. */
void ly_gloop_unref(LyGLoop *loop);
/* For the core's own functions (ly_forward_local, ly_timer_new ...); lives as long as a reference does. */
LyLoop *ly_gloop_loop(LyGLoop *loop);
GMainContext *ly_gloop_context(LyGLoop *loop); /* borrowed */

#endif
