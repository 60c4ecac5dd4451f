#include "glib/stream-private.h"

struct _LyGInput {
    GInputStream parent;
    LyGLoop *loop;
    const LyGInputFrom *from;
    LyGGate gate;   /* guards what follows */
    gpointer owner; /* NULL once it went away, or nobody reads any more */
    LyBuf buf;
    gsize start;      /* bytes of it that were read */
    gsize unreported; /* bytes that were read, not told to the owner yet */
    gboolean dropping, ended;
    GError *error;
};

static void pollable_init(gpointer iface, gpointer data);
G_DEFINE_TYPE_WITH_CODE(LyGInput, ly_ginput, G_TYPE_INPUT_STREAM,
                        G_IMPLEMENT_INTERFACE(G_TYPE_POLLABLE_INPUT_STREAM, pollable_init))

static gsize unread(const LyGInput *self)
{
    return self->buf.len - self->start;
}

static gboolean has_news(gpointer stream)
{
    const LyGInput *self = stream;
    return unread(self) > 0 || self->ended;
}

static void report(void *data)
{
    LyGInput *self = data;
    g_mutex_lock(&self->gate.mutex);
    gsize len = self->unreported;
    gpointer owner = self->owner;
    self->unreported = 0;
    g_mutex_unlock(&self->gate.mutex);
    if (len && owner)
        self->from->consumed(owner, len);
}

static void report_later(void *data)
{
    report(data);
    g_object_unref(data);
}

/* Takes from the buffer; with the mutex locked. */
static gsize take(LyGInput *self, void *data, gsize room)
{
    gsize len = MIN(room, unread(self));
    if (len)
        memcpy(data, self->buf.data + self->start, len);
    self->start += len;
    self->unreported += len;
    if (self->start == self->buf.len) {
        ly_buf_clear(&self->buf);
        self->start = 0;
    } else if (self->start > self->buf.len / 2 && self->start > 65536) {
        ly_buf_drop(&self->buf, self->start);
        self->start = 0;
    }
    return len;
}

static gssize read_now(LyGInput *self, void *data, gsize room, GError **error)
{
    gssize len = -1;
    g_mutex_lock(&self->gate.mutex);
    if (unread(self))
        len = (gssize)take(self, data, room);
    else if (self->ended && !self->error)
        len = 0;
    else if (self->ended && error)
        *error = g_error_copy(self->error);
    else if (!self->ended)
        g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK, "Resource temporarily unavailable");
    g_mutex_unlock(&self->gate.mutex);
    if (len > 0 && ly_gloop_is_ours(self->loop))
        report(self);
    else if (len > 0)
        ly_gloop_later(self->loop, report_later, g_object_ref(self));
    return len;
}

static gssize read_fn(GInputStream *stream, void *data, gsize room, GCancellable *cancellable, GError **error)
{
    LyGInput *self = LY_GINPUT(stream);
    if (!ly_ggate_wait(&self->gate, has_news, self, self->loop, cancellable, error))
        return -1;
    return read_now(self, data, room, error);
}

static gssize read_nonblocking(GPollableInputStream *stream, void *data, gsize room, GError **error)
{
    return read_now(LY_GINPUT(stream), data, room, error);
}

static gboolean is_readable(GPollableInputStream *stream)
{
    LyGInput *self = LY_GINPUT(stream);
    g_mutex_lock(&self->gate.mutex);
    gboolean readable = has_news(self);
    g_mutex_unlock(&self->gate.mutex);
    return readable;
}

static GSource *create_source(GPollableInputStream *stream, GCancellable *cancellable)
{
    LyGInput *self = LY_GINPUT(stream);
    return ly_ggate_source(&self->gate, has_news, self, cancellable);
}

static gboolean close_fn(GInputStream *stream, GCancellable *cancellable, GError **error)
{
    LyGInput *self = LY_GINPUT(stream);
    g_mutex_lock(&self->gate.mutex);
    gpointer owner = self->owner;
    self->dropping = TRUE;
    self->unreported += unread(self);
    ly_buf_free(&self->buf);
    self->start = 0;
    if (self->from->closed)
        self->owner = NULL;
    g_mutex_unlock(&self->gate.mutex);
    if (self->from->closed && owner)
        ly_gloop_call(self->loop, self->from->closed, owner);
    else if (owner && ly_gloop_is_ours(self->loop))
        report(self);
    else if (owner)
        ly_gloop_later(self->loop, report_later, g_object_ref(self));
    return TRUE;
}

/* GInputStream would close in a thread. */
static void close_async(GInputStream *stream, int priority, GCancellable *cancellable,
                        GAsyncReadyCallback callback, gpointer user_data)
{
    GTask *task = g_task_new(stream, cancellable, callback, user_data);
    g_task_set_priority(task, priority);
    g_task_return_boolean(task, close_fn(stream, cancellable, NULL));
    g_object_unref(task);
}

static gboolean close_finish(GInputStream *stream, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

static void finalize(GObject *object)
{
    LyGInput *self = LY_GINPUT(object);
    g_clear_error(&self->error);
    ly_buf_free(&self->buf);
    ly_ggate_clear(&self->gate);
    ly_gloop_unref(self->loop);
    G_OBJECT_CLASS(ly_ginput_parent_class)->finalize(object);
}

static void ly_ginput_class_init(LyGInputClass *class)
{
    GInputStreamClass *stream = G_INPUT_STREAM_CLASS(class);
    G_OBJECT_CLASS(class)->finalize = finalize;
    stream->read_fn = read_fn;
    stream->close_fn = close_fn;
    stream->close_async = close_async;
    stream->close_finish = close_finish;
}

static void ly_ginput_init(LyGInput *self)
{
    ly_ggate_init(&self->gate);
    self->buf = LY_BUF(SIZE_MAX / 4); /* the channel's window limits it */
}

static void pollable_init(gpointer iface, gpointer data)
{
    GPollableInputStreamInterface *pollable = iface;
    pollable->is_readable = is_readable;
    pollable->create_source = create_source;
    pollable->read_nonblocking = read_nonblocking;
}

LyGInput *ly_ginput_new(LyGLoop *loop, const LyGInputFrom *from, gpointer owner)
{
    LyGInput *self = g_object_new(LY_TYPE_GINPUT, NULL);
    self->loop = ly_gloop_ref(loop);
    self->from = from;
    self->owner = owner;
    return self;
}

void ly_ginput_feed(LyGInput *self, LyBytes data)
{
    g_mutex_lock(&self->gate.mutex);
    gboolean dropping = self->dropping;
    if (dropping)
        self->unreported += data.len;
    else
        ly_buf_add(&self->buf, data);
    ly_ggate_wake(&self->gate);
    g_mutex_unlock(&self->gate.mutex);
    if (dropping)
        report(self);
}

void ly_ginput_end(LyGInput *self, GError *error)
{
    g_mutex_lock(&self->gate.mutex);
    if (!self->ended) {
        self->ended = TRUE;
        self->error = g_steal_pointer(&error);
        ly_ggate_wake(&self->gate);
    }
    g_mutex_unlock(&self->gate.mutex);
    g_clear_error(&error);
}

void ly_ginput_leave(LyGInput *self)
{
    g_mutex_lock(&self->gate.mutex);
    self->owner = NULL;
    g_mutex_unlock(&self->gate.mutex);
    ly_ginput_end(self, g_error_new_literal(G_IO_ERROR, G_IO_ERROR_CLOSED, "the stream is closed"));
}
