#include "glib/loop.h"

#include "glib/glib-private.h"

struct LyGLoop {
    GSource source; /* first, as GLib wants it */
    LyLoop *loop;
    gpointer fd_tag;
    GThread *thread; /* that iterated the context last, or made the loop */
    unsigned depth;  /* dispatches under way */
    gint users;
};

typedef struct Call {
    LyGLoop *loop;
    void (*func)(void *data);
    void *data;
} Call;

static gboolean is_due(LyGLoop *self)
{
    return ly_loop_deadline_us(self->loop) <= (uint64_t)g_source_get_time(&self->source);
}

static gboolean prepare(GSource *source, gint *timeout_ms)
{
    LyGLoop *self = (LyGLoop *)source;
    uint64_t deadline_us = ly_loop_deadline_us(self->loop), now_us = (uint64_t)g_source_get_time(source);
    *timeout_ms = -1;
    if (deadline_us == UINT64_MAX)
        return FALSE;
    /* rounded up, because waking early would only mean to wait again */
    if (deadline_us > now_us)
        *timeout_ms = (gint)MIN((deadline_us - now_us + 999) / 1000, (uint64_t)G_MAXINT);
    return deadline_us <= now_us;
}

static gboolean check(GSource *source)
{
    LyGLoop *self = (LyGLoop *)source;
    return g_source_query_unix_fd(source, self->fd_tag) != 0 || is_due(self);
}

static gboolean dispatch(GSource *source, GSourceFunc callback, gpointer user_data)
{
    LyGLoop *self = ly_gloop_ref((LyGLoop *)source);
    self->thread = g_thread_self();
    self->depth++;
    ly_loop_run_once(self->loop, 0);
    self->depth--;
    ly_gloop_unref(self);
    return G_SOURCE_CONTINUE;
}

static void finalize(GSource *source)
{
    ly_loop_free(((LyGLoop *)source)->loop);
}

static GSourceFuncs source_funcs = {
    .prepare = prepare, .check = check, .dispatch = dispatch, .finalize = finalize};

/* By this callback's data (NULL) the source is found in its context. */
static gboolean no_callback(gpointer user_data)
{
    return G_SOURCE_CONTINUE;
}

LyGLoop *ly_gloop_get(GMainContext *context, GError **error)
{
    LyError why = {0};
    if (!context)
        context = g_main_context_get_thread_default();
    if (!context)
        context = g_main_context_default();
    GSource *source = g_main_context_find_source_by_funcs_user_data(context, &source_funcs, NULL);
    if (source)
        return ly_gloop_ref((LyGLoop *)source);
    LyLoop *loop = ly_loop_new(&why);
    if (!loop) {
        g_propagate_error(error, ly_gerror_new(&why));
        return NULL;
    }
    source = g_source_new(&source_funcs, sizeof(LyGLoop));
    LyGLoop *self = (LyGLoop *)source;
    self->loop = loop;
    self->thread = g_thread_self();
    self->users = 1;
    self->fd_tag = g_source_add_unix_fd(source, ly_loop_fd(loop), G_IO_IN);
    g_source_set_static_name(source, "lanyard");
    g_source_set_callback(source, no_callback, NULL, NULL);
    g_source_attach(source, context);
    return self;
}

LyGLoop *ly_gloop_ref(LyGLoop *self)
{
    g_atomic_int_inc(&self->users);
    g_source_ref(&self->source);
    return self;
}

void ly_gloop_unref(LyGLoop *self)
{
    if (!self)
        return;
    if (g_atomic_int_dec_and_test(&self->users))
        g_source_destroy(&self->source);
    g_source_unref(&self->source);
}

LyLoop *ly_gloop_loop(LyGLoop *self)
{
    return self->loop;
}

GMainContext *ly_gloop_context(LyGLoop *self)
{
    return g_source_get_context(&self->source);
}

gboolean ly_gloop_is_ours(LyGLoop *self)
{
    return self->thread == g_thread_self();
}

gboolean ly_gloop_is_busy(LyGLoop *self)
{
    return self->depth > 0;
}

static void call_run(void *user)
{
    Call call = *(Call *)user;
    ly_free(user);
    call.func(call.data);
    ly_gloop_unref(call.loop);
}

void ly_gloop_later(LyGLoop *self, void (*func)(void *data), void *data)
{
    Call *call = ly_new(Call);
    *call = (Call){.loop = ly_gloop_ref(self), .func = func, .data = data};
    ly_loop_post(self->loop, call_run, call);
}

void ly_gloop_call(LyGLoop *self, void (*func)(void *data), void *data)
{
    if (ly_gloop_is_ours(self) && !ly_gloop_is_busy(self))
        func(data);
    else
        ly_gloop_later(self, func, data);
}

static gboolean wake(GCancellable *cancellable, gpointer user_data)
{
    return G_SOURCE_CONTINUE;
}

gboolean ly_gloop_wait(LyGLoop *self, gboolean (*done)(gpointer data), gpointer data,
                       GCancellable *cancellable, GError **error)
{
    GMainContext *context = ly_gloop_context(self);
    if (done(data))
        return TRUE;
    if (ly_gloop_is_busy(self)) {
        g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK,
                            "a callback of the library cannot wait for the library");
        return FALSE;
    }
    GSource *cancel = cancellable ? g_cancellable_source_new(cancellable) : NULL;
    if (cancel) {
        g_source_set_callback(cancel, G_SOURCE_FUNC(wake), NULL, NULL);
        g_source_attach(cancel, context);
    }
    while (!g_cancellable_is_cancelled(cancellable) && !done(data))
        g_main_context_iteration(context, TRUE);
    if (cancel) {
        g_source_destroy(cancel);
        g_source_unref(cancel);
    }
    return !g_cancellable_set_error_if_cancelled(cancellable, error);
}
