#include "glib/stream-carrier.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "glib/glib-private.h"

typedef struct StreamCarrier {
    LyCarrier carrier;
    LyGLoop *loop;
    GIOStream *stream;
    GPollableInputStream *in;
    GPollableOutputStream *out;
    GSource *readable, *writable; /* NULL while nobody asks */
    unsigned events;              /* to be told by `task` */
    LyTask task;
} StreamCarrier;

static ssize_t result(gssize count, GError *error)
{
    gboolean again = g_error_matches(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);
    gboolean reset = g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED) ||
                     g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CLOSED);
    g_clear_error(&error);
    return count >= 0 ? count : again ? -EAGAIN : reset ? -ECONNRESET : -EIO;
}

static ssize_t stream_read(LyCarrier *carrier, void *data, size_t len)
{
    GError *error = NULL;
    gssize count = g_pollable_input_stream_read_nonblocking(((StreamCarrier *)carrier)->in, data,
                                                            MIN(len, (size_t)G_MAXSSIZE), NULL, &error);
    return result(count, error);
}

static ssize_t stream_write(LyCarrier *carrier, const void *data, size_t len)
{
    GError *error = NULL;
    gssize count = g_pollable_output_stream_write_nonblocking(((StreamCarrier *)carrier)->out, data,
                                                              MIN(len, (size_t)G_MAXSSIZE), NULL, &error);
    return result(count, error);
}

static void tell(void *user)
{
    StreamCarrier *self = user;
    unsigned events = self->events;
    self->events = 0;
    events &= (self->readable ? LY_READABLE : 0u) | (self->writable ? LY_WRITABLE : 0u);
    if (events)
        self->carrier.ready(self->carrier.user, events); /* may free us */
}

/* The core is called from the loop's dispatch and not from this one. */
static gboolean is_readable(GObject *stream, gpointer data)
{
    StreamCarrier *self = data;
    self->events |= LY_READABLE;
    ly_loop_defer(ly_gloop_loop(self->loop), &self->task);
    return G_SOURCE_CONTINUE;
}

static gboolean is_writable(GObject *stream, gpointer data)
{
    StreamCarrier *self = data;
    self->events |= LY_WRITABLE;
    ly_loop_defer(ly_gloop_loop(self->loop), &self->task);
    return G_SOURCE_CONTINUE;
}

static void watch(StreamCarrier *self, GSource **source, gboolean want, GSource *(*make)(StreamCarrier *self),
                  GPollableSourceFunc func)
{
    if (!want && *source) {
        g_source_destroy(*source);
        g_clear_pointer(source, g_source_unref);
    } else if (want && !*source && self->carrier.ready) {
        *source = make(self);
        g_source_set_callback(*source, G_SOURCE_FUNC(func), self, NULL);
        g_source_attach(*source, ly_gloop_context(self->loop));
    }
}

static GSource *input_source(StreamCarrier *self)
{
    return g_pollable_input_stream_create_source(self->in, NULL);
}

static GSource *output_source(StreamCarrier *self)
{
    return g_pollable_output_stream_create_source(self->out, NULL);
}

static void stream_want_read(LyCarrier *carrier, bool want)
{
    StreamCarrier *self = (StreamCarrier *)carrier;
    watch(self, &self->readable, want, input_source, is_readable);
}

static void stream_want_write(LyCarrier *carrier, bool want)
{
    StreamCarrier *self = (StreamCarrier *)carrier;
    watch(self, &self->writable, want, output_source, is_writable);
}

static void stream_shutdown(LyCarrier *carrier)
{
    StreamCarrier *self = (StreamCarrier *)carrier;
    stream_want_write(carrier, false);
    if (G_IS_SOCKET_CONNECTION(self->stream))
        g_socket_shutdown(g_socket_connection_get_socket(G_SOCKET_CONNECTION(self->stream)), FALSE, TRUE,
                          NULL);
    else
        g_output_stream_close_async(G_OUTPUT_STREAM(self->out), G_PRIORITY_DEFAULT, NULL, NULL, NULL);
}

static void stream_set_no_delay(LyCarrier *carrier, bool on)
{
    StreamCarrier *self = (StreamCarrier *)carrier;
    if (G_IS_TCP_CONNECTION(self->stream))
        g_socket_set_option(g_socket_connection_get_socket(G_SOCKET_CONNECTION(self->stream)), IPPROTO_TCP,
                            TCP_NODELAY, on, NULL);
}

static void stream_free(LyCarrier *carrier)
{
    StreamCarrier *self = (StreamCarrier *)carrier;
    watch(self, &self->readable, FALSE, NULL, NULL);
    watch(self, &self->writable, FALSE, NULL, NULL);
    ly_loop_undefer(ly_gloop_loop(self->loop), &self->task);
    if (!g_io_stream_is_closed(self->stream))
        g_io_stream_close_async(self->stream, G_PRIORITY_DEFAULT, NULL, NULL, NULL);
    g_object_unref(self->stream);
    ly_gloop_unref(self->loop);
    ly_free(self);
}

static const LyCarrierClass stream_class = {
    .read = stream_read,
    .write = stream_write,
    .want_write = stream_want_write,
    .want_read = stream_want_read,
    .shutdown = stream_shutdown,
    .free = stream_free,
    .set_no_delay = stream_set_no_delay,
};

LyCarrier *ly_gcarrier_new(LyGLoop *loop, GIOStream *stream, GError **error)
{
    GInputStream *in = g_io_stream_get_input_stream(stream);
    GOutputStream *out = g_io_stream_get_output_stream(stream);
    if (!G_IS_POLLABLE_INPUT_STREAM(in) || !g_pollable_input_stream_can_poll(G_POLLABLE_INPUT_STREAM(in)) ||
        !G_IS_POLLABLE_OUTPUT_STREAM(out) ||
        !g_pollable_output_stream_can_poll(G_POLLABLE_OUTPUT_STREAM(out))) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                    "a %s cannot carry an SSH connection: its streams cannot be polled",
                    G_OBJECT_TYPE_NAME(stream));
        return NULL;
    }
    StreamCarrier *self = ly_new(StreamCarrier);
    self->carrier.class = &stream_class;
    self->loop = ly_gloop_ref(loop);
    self->stream = g_object_ref(stream);
    self->in = G_POLLABLE_INPUT_STREAM(in);
    self->out = G_POLLABLE_OUTPUT_STREAM(out);
    self->task = (LyTask){.func = tell, .user = self};
    return &self->carrier;
}
