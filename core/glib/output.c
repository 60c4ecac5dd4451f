#include "glib/stream-private.h"

/* What a thread other than the loop's wants to write, and waits for. */
typedef struct Offer {
    LyBytes data;
    gsize taken;
    gboolean under_way; /* the loop's thread is looking at the data */
} Offer;

struct _LyGOutput {
    GOutputStream parent;
    LyGLoop *loop;
    const LyGOutputTo *to;
    GTask *closing; /* close_async waits for the end */
    LyGGate gate;   /* guards what follows */
    gpointer owner; /* NULL once it went away */
    Offer *offer;
    gboolean full, finished, ended;
    gboolean abandoned; /* released without a close: nobody waits for the end */
    GError *error;
};

static void pollable_init(gpointer iface, gpointer data);
G_DEFINE_TYPE_WITH_CODE(LyGOutput, ly_goutput, G_TYPE_OUTPUT_STREAM,
                        G_IMPLEMENT_INTERFACE(G_TYPE_POLLABLE_OUTPUT_STREAM, pollable_init))

static gboolean has_room(gpointer stream)
{
    const LyGOutput *self = stream;
    return !self->full || self->ended;
}

static gboolean has_ended(gpointer stream)
{
    return ((const LyGOutput *)stream)->ended;
}

static gboolean offer_is_over(gpointer stream)
{
    const LyGOutput *self = stream;
    return self->offer->taken || (self->ended && !self->offer->under_way);
}

static void set_end_error(const LyGOutput *self, GError **error)
{
    if (error && self->error)
        *error = g_error_copy(self->error);
    else
        g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_CLOSED, "the stream is closed");
}

/* In the loop's thread. */
static gssize write_now(LyGOutput *self, LyBytes data, GError **error)
{
    g_mutex_lock(&self->gate.mutex);
    gpointer owner = self->owner;
    gboolean ended = self->ended || !owner, full = self->full;
    if (ended)
        set_end_error(self, error);
    g_mutex_unlock(&self->gate.mutex);
    if (ended)
        return -1;
    gsize taken = full ? 0 : self->to->write(owner, data);
    if (taken < data.len) {
        g_mutex_lock(&self->gate.mutex);
        self->full = TRUE;
        g_mutex_unlock(&self->gate.mutex);
    }
    if (taken || !data.len)
        return (gssize)taken;
    g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK, "Resource temporarily unavailable");
    return -1;
}

static void take_offer(void *data)
{
    LyGOutput *self = data;
    g_mutex_lock(&self->gate.mutex);
    Offer *offer = self->offer && !self->offer->taken && !self->ended ? self->offer : NULL;
    if (offer)
        offer->under_way = TRUE;
    g_mutex_unlock(&self->gate.mutex);
    if (!offer)
        return;
    gssize taken = write_now(self, offer->data, NULL);
    g_mutex_lock(&self->gate.mutex);
    offer->taken = taken > 0 ? (gsize)taken : 0;
    offer->under_way = FALSE;
    ly_ggate_wake(&self->gate);
    g_mutex_unlock(&self->gate.mutex);
}

static void take_offer_later(void *data)
{
    take_offer(data);
    g_object_unref(data);
}

/* In another thread. */
static gssize write_elsewhere(LyGOutput *self, LyBytes data, GCancellable *cancellable, GError **error)
{
    Offer offer = {.data = data};
    g_mutex_lock(&self->gate.mutex);
    self->offer = &offer; /* GOutputStream lets one writer in at a time */
    g_mutex_unlock(&self->gate.mutex);
    ly_gloop_later(self->loop, take_offer_later, g_object_ref(self));
    gboolean good = ly_ggate_wait(&self->gate, offer_is_over, self, self->loop, cancellable, error);
    g_mutex_lock(&self->gate.mutex);
    while (offer.under_way)
        g_cond_wait(&self->gate.cond, &self->gate.mutex);
    self->offer = NULL;
    if (good && !offer.taken)
        set_end_error(self, error);
    g_mutex_unlock(&self->gate.mutex);
    if (!offer.taken)
        return -1;
    if (!good)
        g_clear_error(error); /* cancelled too late */
    return (gssize)offer.taken;
}

static gssize write_fn(GOutputStream *stream, const void *data, gsize len, GCancellable *cancellable,
                       GError **error)
{
    LyGOutput *self = LY_GOUTPUT(stream);
    if (!len)
        return 0;
    if (!ly_gloop_is_ours(self->loop))
        return write_elsewhere(self, ly_bytes(data, len), cancellable, error);
    for (;;) {
        GError *why = NULL;
        gssize taken = write_now(self, ly_bytes(data, len), &why);
        if (taken >= 0 || !g_error_matches(why, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK)) {
            if (why)
                g_propagate_error(error, why);
            return taken;
        }
        g_error_free(why);
        if (!ly_ggate_wait(&self->gate, has_room, self, self->loop, cancellable, error))
            return -1;
    }
}

static gssize write_nonblocking(GPollableOutputStream *stream, const void *data, gsize len, GError **error)
{
    LyGOutput *self = LY_GOUTPUT(stream);
    if (ly_gloop_is_ours(self->loop))
        return write_now(self, ly_bytes(data, len), error);
    g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK,
                        "only the loop's thread can write without blocking");
    return -1;
}

static gboolean is_writable(GPollableOutputStream *stream)
{
    LyGOutput *self = LY_GOUTPUT(stream);
    g_mutex_lock(&self->gate.mutex);
    gboolean writable = has_room(self);
    g_mutex_unlock(&self->gate.mutex);
    return writable;
}

static GSource *create_source(GPollableOutputStream *stream, GCancellable *cancellable)
{
    LyGOutput *self = LY_GOUTPUT(stream);
    return ly_ggate_source(&self->gate, has_room, self, cancellable);
}

static void finish(void *data)
{
    LyGOutput *self = data;
    g_mutex_lock(&self->gate.mutex);
    gpointer owner = self->finished || self->ended ? NULL : self->owner;
    self->finished = TRUE;
    g_mutex_unlock(&self->gate.mutex);
    if (owner)
        self->to->finish(owner);
}

static void finish_later(void *data)
{
    finish(data);
    g_object_unref(data);
}

static void begin_close(LyGOutput *self)
{
    if (ly_gloop_is_ours(self->loop))
        finish(self);
    else
        ly_gloop_later(self->loop, finish_later, g_object_ref(self));
}

static gboolean close_result(LyGOutput *self, GError **error)
{
    if (!self->to->waits || !self->error)
        return TRUE;
    set_end_error(self, error);
    return FALSE;
}

static gboolean close_fn(GOutputStream *stream, GCancellable *cancellable, GError **error)
{
    LyGOutput *self = LY_GOUTPUT(stream);
    begin_close(self);
    if (self->to->waits && !self->abandoned &&
        !ly_ggate_wait(&self->gate, has_ended, self, self->loop, cancellable, error))
        return FALSE;
    return close_result(self, error);
}

static void close_task_return(GTask *task)
{
    GError *error = NULL;
    if (close_result(g_task_get_source_object(task), &error))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
    g_object_unref(task);
}

/* GOutputStream would close in a thread. */
static void close_async(GOutputStream *stream, int priority, GCancellable *cancellable,
                        GAsyncReadyCallback callback, gpointer user_data)
{
    LyGOutput *self = LY_GOUTPUT(stream);
    GTask *task = g_task_new(stream, cancellable, callback, user_data);
    g_task_set_priority(task, priority);
    begin_close(self);
    if (self->to->waits && !self->ended)
        self->closing = task;
    else
        close_task_return(task);
}

static gboolean close_finish(GOutputStream *stream, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

static void dispose(GObject *object)
{
    LY_GOUTPUT(object)->abandoned = TRUE;
    G_OBJECT_CLASS(ly_goutput_parent_class)->dispose(object);
}

static void finalize(GObject *object)
{
    LyGOutput *self = LY_GOUTPUT(object);
    if (self->owner && self->to->gone)
        ly_gloop_call(self->loop, self->to->gone, self->owner);
    g_clear_error(&self->error);
    ly_ggate_clear(&self->gate);
    ly_gloop_unref(self->loop);
    G_OBJECT_CLASS(ly_goutput_parent_class)->finalize(object);
}

static void ly_goutput_class_init(LyGOutputClass *class)
{
    GOutputStreamClass *stream = G_OUTPUT_STREAM_CLASS(class);
    G_OBJECT_CLASS(class)->dispose = dispose;
    G_OBJECT_CLASS(class)->finalize = finalize;
    stream->write_fn = write_fn;
    stream->close_fn = close_fn;
    stream->close_async = close_async;
    stream->close_finish = close_finish;
}

static void ly_goutput_init(LyGOutput *self)
{
    ly_ggate_init(&self->gate);
}

static void pollable_init(gpointer iface, gpointer data)
{
    GPollableOutputStreamInterface *pollable = iface;
    pollable->is_writable = is_writable;
    pollable->create_source = create_source;
    pollable->write_nonblocking = write_nonblocking;
}

LyGOutput *ly_goutput_new(LyGLoop *loop, const LyGOutputTo *to, gpointer owner)
{
    LyGOutput *self = g_object_new(LY_TYPE_GOUTPUT, NULL);
    self->loop = ly_gloop_ref(loop);
    self->to = to;
    self->owner = owner;
    return self;
}

void ly_goutput_writable(LyGOutput *self)
{
    g_mutex_lock(&self->gate.mutex);
    self->full = FALSE;
    ly_ggate_wake(&self->gate);
    g_mutex_unlock(&self->gate.mutex);
    take_offer(self);
}

void ly_goutput_end(LyGOutput *self, GError *error)
{
    g_mutex_lock(&self->gate.mutex);
    gboolean first = !self->ended;
    if (first) {
        self->ended = TRUE;
        self->error = g_steal_pointer(&error);
        ly_ggate_wake(&self->gate);
    }
    g_mutex_unlock(&self->gate.mutex);
    g_clear_error(&error);
    if (first && self->closing)
        close_task_return(g_steal_pointer(&self->closing));
}

void ly_goutput_leave(LyGOutput *self)
{
    g_mutex_lock(&self->gate.mutex);
    self->owner = NULL;
    g_mutex_unlock(&self->gate.mutex);
    ly_goutput_end(self, NULL);
}
