#include "glib/channel.h"

#include "glib/channel-private.h"
#include "glib/stream-private.h"

#define STDERR_KEPT (64u << 10)

typedef struct _LyGChannelClass {
    GIOStreamClass parent;
} LyGChannelClass;
G_DEFINE_TYPE(LyGChannel, ly_gchannel, G_TYPE_IO_STREAM)

static char wait_tag;

static void dropped(void *user, const LyConnectionEvent *event)
{
}

void ly_gchannel_flush(LyGChannel *self)
{
    self->owner.flush(self->owner.user);
}

LyChannel *ly_gchannel_get_channel(LyGChannel *self)
{
    return self->program ? ly_program_channel(self->program) : self->raw;
}

/* The streams' ends. */

static void consumed(gpointer owner, gsize len)
{
    LyGChannel *self = owner;
    LyChannel *channel = ly_gchannel_get_channel(self);
    if (!channel)
        return;
    ly_channel_consumed(channel, len);
    ly_gchannel_flush(self);
}

static const LyGInputFrom input_from = {.consumed = consumed};

static gsize write_data(gpointer owner, LyBytes data)
{
    LyGChannel *self = owner;
    if (self->program)
        return ly_program_write(self->program, &data, 1);
    if (!self->raw)
        return 0;
    gsize taken = ly_channel_send(self->raw, &data, 1);
    ly_gchannel_flush(self);
    return taken;
}

static void send_eof(gpointer owner)
{
    LyGChannel *self = owner;
    if (self->program)
        ly_program_eof(self->program);
    if (self->raw) {
        ly_channel_eof(self->raw);
        ly_gchannel_flush(self);
    }
    ly_goutput_end(self->out, NULL);
    if (self->err_out)
        ly_goutput_end(self->err_out, NULL); /* EOF is for both */
}

static const LyGOutputTo output_to = {.write = write_data, .finish = send_eof};

static gsize write_stderr(gpointer owner, LyBytes data)
{
    LyGChannel *self = owner;
    if (!self->raw)
        return 0;
    gsize taken = ly_channel_send_stderr(self->raw, &data, 1);
    ly_gchannel_flush(self);
    return taken;
}

static void end_stderr(gpointer owner)
{
    ly_goutput_end(((LyGChannel *)owner)->err_out, NULL);
}

static const LyGOutputTo stderr_to = {.write = write_stderr, .finish = end_stderr};

/* What happens beneath. */

static void opened(void *user)
{
    LyGChannel *self = user;
    LyGOperation *opening = g_steal_pointer(&self->opening);
    if (opening)
        ly_goperation_return(opening, g_object_ref(self), g_object_unref);
    ly_goutput_writable(self->out);
}

static void data_came(void *user, LyBytes data)
{
    ly_ginput_feed(((LyGChannel *)user)->in, data);
}

static void stderr_came(void *user, LyBytes data)
{
    LyGChannel *self = user;
    if (!self->stderr_wanted && data.len > self->stderr_room) {
        self->stderr_room = 0; /* no gap in what is kept */
        consumed(self, data.len);
        return;
    }
    if (!self->stderr_wanted)
        self->stderr_room -= (guint32)data.len;
    ly_ginput_feed(self->err, data);
}

static void eof_came(void *user)
{
    LyGChannel *self = user;
    ly_ginput_end(self->in, NULL);
    ly_ginput_end(self->err, NULL);
}

static void writable(void *user)
{
    LyGChannel *self = user;
    ly_goutput_writable(self->out);
    if (self->err_out)
        ly_goutput_writable(self->err_out);
}

static void keep_end(LyGChannel *self, const LyProgramEnd *end)
{
    g_free(self->signal);
    g_free(self->message);
    self->end = *end;
    self->signal = g_strndup((const char *)end->signal.data, end->signal.len);
    self->message = g_strndup((const char *)end->message.data, end->message.len);
    self->end.signal = ly_bytes(self->signal, end->signal.len);
    self->end.message = ly_bytes(self->message, end->message.len);
}

static void tell_waiting(LyGChannel *self)
{
    GSList *waiting = g_steal_pointer(&self->waiting);
    for (GSList *link = waiting; link; link = link->next) {
        if (self->error)
            ly_goperation_fail_gerror(link->data, g_error_copy(self->error));
        else
            ly_goperation_return(link->data, LY_GDONE, NULL);
    }
    g_slist_free(waiting);
}

/* Takes the error. Nothing is called that runs an application's code. */
static void over(LyGChannel *self, GError *error)
{
    if (self->closed) {
        g_clear_error(&error);
        return;
    }
    static const char *const said = "the other side has closed the channel";
    self->closed = TRUE;
    self->raw = NULL;
    self->error = error;
    ly_link_remove(&self->link);
    ly_ginput_end(self->in, error ? g_error_copy(error) : NULL);
    ly_ginput_end(self->err, error ? g_error_copy(error) : NULL);
    LyGOutput *outputs[] = {self->out, self->err_out};
    for (guint i = 0; i < G_N_ELEMENTS(outputs); i++)
        if (outputs[i])
            ly_goutput_end(outputs[i], error ? g_error_copy(error)
                                             : g_error_new_literal(G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE, said));
    tell_waiting(self);
    LyGOperation *opening = g_steal_pointer(&self->opening);
    if (opening)
        ly_goperation_fail_gerror(opening, error ? g_error_copy(error)
                                                 : g_error_new_literal(LY_GERROR, LY_ERROR_DISCONNECT, said));
}

static void program_closed(void *user, const LyProgramEnd *end, const LyError *error)
{
    LyGChannel *self = g_object_ref(user);
    keep_end(self, end);
    over(self, error ? ly_gerror_new(error) : NULL);
    g_object_unref(self);
}

const LyProgramEvents ly_gchannel_program_events = {
    .started = opened,
    .data = data_came,
    .stderr_data = stderr_came,
    .eof = eof_came,
    .writable = writable,
    .closed = program_closed,
};

static void request_came(LyGChannel *self, const LyConnectionEvent *event)
{
    gboolean taken = FALSE;
    g_signal_emit_by_name(self, "request", event, &taken);
    if (!taken && event->want_reply && self->raw)
        ly_channel_reply_last(self->raw, false);
}

static void open_failed(LyGChannel *self, const LyConnectionEvent *event)
{
    LyError error = {0};
    ly_error_set(&error, LY_ERROR_DISCONNECT, "the other side refused to open the channel: %s",
                 event->text.len ? LY_PRINTABLE(event->text) : "it gives no reason");
    over(self, ly_gerror_new(&error));
}

void ly_gchannel_event(void *user, const LyConnectionEvent *event)
{
    LyGChannel *self = g_object_ref(user);
    LyProgramEnd end = self->end;
    switch (event->type) {
    case LY_CHANNEL_OPENED:
        opened(self);
        break;
    case LY_CHANNEL_OPEN_FAILED:
        open_failed(self, event);
        break;
    case LY_CHANNEL_DATA:
        data_came(self, event->data);
        break;
    case LY_CHANNEL_STDERR:
        stderr_came(self, event->data);
        break;
    case LY_CHANNEL_WINDOW:
        writable(self);
        break;
    case LY_CHANNEL_EOF:
        eof_came(self);
        break;
    case LY_CHANNEL_EXIT_STATUS:
        self->end.exited = true;
        self->end.status = event->number;
        break;
    case LY_CHANNEL_EXIT_SIGNAL:
        end.signalled = true;
        end.core_dumped = event->core_dumped;
        end.signal = event->text;
        end.message = event->data;
        keep_end(self, &end);
        break;
    case LY_CHANNEL_CLOSED:
        over(self, NULL);
        break;
    case LY_CHANNEL_REQUEST:
        request_came(self, event);
        break;
    default:
        break;
    }
    g_object_unref(self);
}

void ly_gchannels_end(LyList *channels, const LyError *error)
{
    LyError told = *error;
    if (told.code == LY_OK)
        ly_error_set(&told, LY_ERROR_DISCONNECT, "the connection ended");
    LyGChannel *channel;
    while ((channel = ly_list_first(channels, LyGChannel, link))) {
        g_object_ref(channel);
        over(channel, ly_gerror_new(&told));
        g_object_unref(channel);
    }
}

/* Life. */

static void ly_gchannel_init(LyGChannel *self)
{
}

LyGChannel *ly_gchannel_new(const LyGChannelOwner *owner, LyGOperation *opening)
{
    LyGChannel *self = g_object_new(LY_TYPE_GCHANNEL, NULL);
    self->owner = *owner;
    g_object_ref(owner->object);
    ly_gloop_ref(owner->loop);
    self->opening = opening;
    if (opening)
        ly_gchannel_opening_begun(opening, self);
    self->in = ly_ginput_new(owner->loop, &input_from, self);
    self->err = ly_ginput_new(owner->loop, &input_from, self);
    self->out = ly_goutput_new(owner->loop, &output_to, self);
    self->stderr_room = STDERR_KEPT;
    return self;
}

void ly_gchannel_set_program(LyGChannel *self, LyProgram *program, guint32 window)
{
    self->program = program;
    if (window)
        self->stderr_room = MIN(STDERR_KEPT, window / 2);
    ly_list_append(self->owner.channels, &self->link);
}

void ly_gchannel_set_channel(LyGChannel *self, LyChannel *raw)
{
    self->raw = raw;
    ly_list_append(self->owner.channels, &self->link);
}

/* In the loop's thread. */
static void leave(void *data)
{
    LyGChannel *self = data;
    LyChannel *raw = g_steal_pointer(&self->raw);
    LyProgram *program = g_steal_pointer(&self->program);
    over(self, g_error_new_literal(G_IO_ERROR, G_IO_ERROR_CLOSED, "the channel is closed"));
    ly_program_free(program);
    if (raw) {
        ly_channel_set_func(raw, dropped, NULL);
        ly_channel_close(raw);
        ly_gchannel_flush(self);
    }
}

static void leave_later(void *data)
{
    leave(data);
    g_object_unref(data);
}

static gboolean close_fn(GIOStream *stream, GCancellable *cancellable, GError **error)
{
    LyGChannel *self = (LyGChannel *)stream;
    if (!self->in)
        return TRUE;
    g_output_stream_close(G_OUTPUT_STREAM(self->out), NULL, NULL);
    g_input_stream_close(G_INPUT_STREAM(self->in), NULL, NULL);
    g_input_stream_close(G_INPUT_STREAM(self->err), NULL, NULL);
    if (ly_gloop_is_ours(self->owner.loop))
        leave(self);
    else /* if this is the end of the object, it lives until then */
        ly_gloop_later(self->owner.loop, leave_later, g_object_ref(self));
    return TRUE;
}

/* GIOStream would close in a thread. */
static void close_async(GIOStream *stream, int priority, GCancellable *cancellable,
                        GAsyncReadyCallback callback, gpointer user_data)
{
    GTask *task = g_task_new(stream, cancellable, callback, user_data);
    g_task_set_priority(task, priority);
    g_task_return_boolean(task, close_fn(stream, cancellable, NULL));
    g_object_unref(task);
}

static gboolean close_finish(GIOStream *stream, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

static GInputStream *get_input(GIOStream *stream)
{
    return G_INPUT_STREAM(((LyGChannel *)stream)->in);
}

static GOutputStream *get_output(GIOStream *stream)
{
    return G_OUTPUT_STREAM(((LyGChannel *)stream)->out);
}

static void finalize(GObject *object)
{
    LyGChannel *self = (LyGChannel *)object;
    ly_ginput_leave(self->in);
    ly_ginput_leave(self->err);
    ly_goutput_leave(self->out);
    if (self->err_out)
        ly_goutput_leave(self->err_out);
    g_object_unref(self->in);
    g_object_unref(self->err);
    g_object_unref(self->out);
    g_clear_object(&self->err_out);
    g_clear_error(&self->error);
    g_free(self->signal);
    g_free(self->message);
    g_object_unref(self->owner.object);
    ly_gloop_unref(self->owner.loop);
    G_OBJECT_CLASS(ly_gchannel_parent_class)->finalize(object);
}

static void ly_gchannel_class_init(LyGChannelClass *class)
{
    GIOStreamClass *stream = G_IO_STREAM_CLASS(class);
    G_OBJECT_CLASS(class)->finalize = finalize;
    stream->get_input_stream = get_input;
    stream->get_output_stream = get_output;
    stream->close_fn = close_fn;
    stream->close_async = close_async;
    stream->close_finish = close_finish;
    g_signal_new("request", LY_TYPE_GCHANNEL, G_SIGNAL_RUN_LAST, 0, ly_gsignal_taken, NULL, NULL,
                 G_TYPE_BOOLEAN, 1, G_TYPE_POINTER);
}

/* What the application does with it. */

GInputStream *ly_gchannel_get_stderr(LyGChannel *self)
{
    self->stderr_wanted = TRUE;
    return G_INPUT_STREAM(self->err);
}

GOutputStream *ly_gchannel_get_stderr_output(LyGChannel *self)
{
    if (self->program)
        return NULL;
    if (!self->err_out) {
        self->err_out = ly_goutput_new(self->owner.loop, &stderr_to, self);
        if (self->closed || g_output_stream_is_closed(G_OUTPUT_STREAM(self->out)))
            ly_goutput_end(self->err_out, NULL);
    }
    return G_OUTPUT_STREAM(self->err_out);
}

static void stop_waiting(LyGOperation *operation)
{
    LyGChannel *self = g_task_get_source_object(operation->task);
    self->waiting = g_slist_remove(self->waiting, operation);
}

void ly_gchannel_wait_async(LyGChannel *self, GCancellable *cancellable, GAsyncReadyCallback callback,
                            gpointer user_data)
{
    LyGOperation *operation = ly_goperation_new(sizeof *operation, self->owner.loop, self, &wait_tag,
                                                stop_waiting, cancellable, callback, user_data);
    if (operation)
        self->waiting = g_slist_append(self->waiting, operation);
    if (self->closed)
        tell_waiting(self);
}

gboolean ly_gchannel_wait_finish(LyGChannel *self, GAsyncResult *result, LyProgramEnd *end, GError **error)
{
    if (!ly_goperation_finish(self, result, &wait_tag, error))
        return FALSE;
    if (end)
        *end = self->end;
    return TRUE;
}

gboolean ly_gchannel_is_closed(LyGChannel *self)
{
    return self->closed;
}
