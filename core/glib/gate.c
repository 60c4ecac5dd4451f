#include "glib/stream-private.h"

typedef struct GateSource {
    GSource source;
    LyGGate *gate;
    LyGGateOpen is_open;
    GObject *stream; /* holds the gate */
} GateSource;

void ly_ggate_init(LyGGate *gate)
{
    g_mutex_init(&gate->mutex);
    g_cond_init(&gate->cond);
}

void ly_ggate_clear(LyGGate *gate)
{
    g_mutex_clear(&gate->mutex);
    g_cond_clear(&gate->cond);
}

void ly_ggate_wake(LyGGate *gate)
{
    g_cond_broadcast(&gate->cond);
    for (GSList *link = gate->sources; link; link = link->next)
        g_source_set_ready_time(link->data, 0);
}

/* The ready time is how a source hears of changes while its context sleeps; whether it is ready is asked. */
static gboolean gate_prepare(GSource *source, gint *timeout_ms)
{
    GateSource *self = (GateSource *)source;
    g_mutex_lock(&self->gate->mutex);
    gboolean open = self->is_open(self->stream);
    if (!open && g_source_get_ready_time(source) != -1)
        g_source_set_ready_time(source, -1);
    g_mutex_unlock(&self->gate->mutex);
    *timeout_ms = -1;
    return open;
}

static gboolean gate_check(GSource *source)
{
    GateSource *self = (GateSource *)source;
    g_mutex_lock(&self->gate->mutex);
    gboolean open = self->is_open(self->stream);
    g_mutex_unlock(&self->gate->mutex);
    return open;
}

static gboolean gate_dispatch(GSource *source, GSourceFunc callback, gpointer user_data)
{
    return G_SOURCE_CONTINUE; /* its parent has the callback */
}

static void gate_dispose(GSource *source)
{
    GateSource *self = (GateSource *)source;
    g_mutex_lock(&self->gate->mutex);
    self->gate->sources = g_slist_remove(self->gate->sources, self);
    g_mutex_unlock(&self->gate->mutex);
}

static void gate_finalize(GSource *source)
{
    g_object_unref(((GateSource *)source)->stream);
}

static gboolean no_callback(gpointer user_data)
{
    return G_SOURCE_CONTINUE;
}

/* A child source must be able to have a callback, although it has nothing to tell. */
static GSourceFuncs gate_funcs = {.prepare = gate_prepare,
                                  .check = gate_check,
                                  .dispatch = gate_dispatch,
                                  .finalize = gate_finalize,
                                  .closure_callback = no_callback};

GSource *ly_ggate_source(LyGGate *gate, LyGGateOpen is_open, gpointer stream, GCancellable *cancellable)
{
    GSource *source = g_source_new(&gate_funcs, sizeof(GateSource));
    GateSource *self = (GateSource *)source;
    self->gate = gate;
    self->is_open = is_open;
    self->stream = g_object_ref(stream);
    g_source_set_dispose_function(source, gate_dispose);
    g_mutex_lock(&gate->mutex);
    gate->sources = g_slist_prepend(gate->sources, source);
    g_mutex_unlock(&gate->mutex);
    GSource *pollable = g_pollable_source_new_full(stream, source, cancellable);
    g_source_unref(source);
    return pollable;
}

typedef struct Wait {
    LyGGate *gate;
    LyGGateOpen is_open;
    gpointer stream;
} Wait;

static gboolean is_over(gpointer data)
{
    const Wait *wait = data;
    g_mutex_lock(&wait->gate->mutex);
    gboolean open = wait->is_open(wait->stream);
    g_mutex_unlock(&wait->gate->mutex);
    return open;
}

static void cancelled(GCancellable *cancellable, gpointer data)
{
    LyGGate *gate = data;
    g_mutex_lock(&gate->mutex);
    g_cond_broadcast(&gate->cond);
    g_mutex_unlock(&gate->mutex);
}

gboolean ly_ggate_wait(LyGGate *gate, LyGGateOpen is_open, gpointer stream, LyGLoop *loop,
                       GCancellable *cancellable, GError **error)
{
    Wait wait = {gate, is_open, stream};
    if (ly_gloop_is_ours(loop))
        return ly_gloop_wait(loop, is_over, &wait, cancellable, error);
    gulong handler = cancellable ? g_cancellable_connect(cancellable, G_CALLBACK(cancelled), gate, NULL) : 0;
    g_mutex_lock(&gate->mutex);
    while (!is_open(stream) && !g_cancellable_is_cancelled(cancellable))
        g_cond_wait(&gate->cond, &gate->mutex);
    g_mutex_unlock(&gate->mutex);
    if (cancellable)
        g_cancellable_disconnect(cancellable, handler);
    return !g_cancellable_set_error_if_cancelled(cancellable, error);
}
