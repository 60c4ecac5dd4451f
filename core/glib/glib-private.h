/* What the files of core/glib share: which thread and which moment may touch the core, asynchronous work, and
 * names of the parts. */
#ifndef LY_GLIB_GLIB_PRIVATE_H
#define LY_GLIB_GLIB_PRIVATE_H

#include "base/memory.h"
#include "glib/error.h"
#include "glib/loop.h"

/* loop.c */
/* True in the loop's thread: the core may be called. (A thread that has never iterated the context is the
 * loop's when it made the loop.) */
gboolean ly_gloop_is_ours(LyGLoop *loop);
/* True while the core's callbacks run: what they are about must not be freed, and nobody may wait. */
gboolean ly_gloop_is_busy(LyGLoop *loop);
/* `func(data)` in the loop's thread and outside of the core's callbacks: at once if that is so, else soon. */
void ly_gloop_call(LyGLoop *loop, void (*func)(void *data), void *data);
/* The same, never at once. From any thread. */
void ly_gloop_later(LyGLoop *loop, void (*func)(void *data), void *data);
/* Iterates the context until done(data) or the cancellable is; for the blocking functions of streams. FALSE
 * with *error: cancelled, or it is called from within the core's callbacks, which it would wait for. */
gboolean ly_gloop_wait(LyGLoop *loop, gboolean (*done)(gpointer data), gpointer data,
                       GCancellable *cancellable, GError **error);

/* operation.c: an _async function between its call and its callback, which runs in a dispatch of its own. */
typedef struct LyGOperation LyGOperation;
struct LyGOperation {
    GTask *task; /* NULL once the result is on its way */
    GSource *cancel;
    LyGLoop *loop;
    /* Stops what runs beneath; no result comes from there afterwards. NULL: there is nothing to stop. */
    void (*stop)(LyGOperation *operation);
    void (*clear)(LyGOperation *operation); /* frees what the rest of the struct holds; may be NULL */
};
/* `len`: of the struct that begins with the operation, zeroed. `tag` is what ly_goperation_finish_* ask for.
 * NULL when the cancellable is cancelled already: the callback is on its way. */
gpointer ly_goperation_new(size_t len, LyGLoop *loop, gpointer source, gpointer tag,
                           void (*stop)(LyGOperation *operation), GCancellable *cancellable,
                           GAsyncReadyCallback callback, gpointer user_data);
/* The result; the operation is freed. `destroy` frees a result that nobody fetched; may be NULL. */
void ly_goperation_return(LyGOperation *operation, gpointer result, GDestroyNotify destroy);
void ly_goperation_fail(LyGOperation *operation, const LyError *error);
void ly_goperation_fail_gerror(LyGOperation *operation, GError *error); /* takes it */
/* For the _finish functions: NULL with *error. */
gpointer ly_goperation_finish(gpointer source, GAsyncResult *result, gpointer tag, GError **error);
/* The result of what has none: not NULL. */
#define LY_GDONE GINT_TO_POINTER(1)

/* Signals whose handlers say TRUE when they took what was offered: the first one ends the emission. */
gboolean ly_gsignal_taken(GSignalInvocationHint *hint, GValue *sum, const GValue *handler, gpointer data);

#endif
