#include "glib/glib-private.h"

typedef struct Delivery {
    GTask *task;
    gpointer result;
    GDestroyNotify destroy;
    GError *error;
} Delivery;

static gboolean deliver(gpointer data)
{
    Delivery delivery = *(Delivery *)data;
    if (delivery.error)
        g_task_return_error(delivery.task, delivery.error);
    else
        g_task_return_pointer(delivery.task, delivery.result, delivery.destroy);
    return G_SOURCE_REMOVE;
}

static void delivery_free(gpointer data)
{
    Delivery *delivery = data;
    g_object_unref(delivery->task);
    ly_free(delivery);
}

/* GTask itself would call back from within the core's callbacks. Takes the task and the error. */
static void deliver_later(GTask *task, gpointer result, GDestroyNotify destroy, GError *error)
{
    Delivery *delivery = ly_new(Delivery);
    GSource *source = g_idle_source_new();
    *delivery = (Delivery){.task = task, .result = result, .destroy = destroy, .error = error};
    g_source_set_priority(source, g_task_get_priority(task));
    g_source_set_callback(source, deliver, delivery, delivery_free);
    g_source_attach(source, g_task_get_context(task));
    g_source_unref(source);
}

static GError *cancelled(void)
{
    return g_error_new_literal(G_IO_ERROR, G_IO_ERROR_CANCELLED, "Operation was cancelled");
}

static void end(LyGOperation *operation, gpointer result, GDestroyNotify destroy, GError *error)
{
    if (operation->cancel) {
        g_source_destroy(operation->cancel);
        g_source_unref(operation->cancel);
    }
    if (operation->clear)
        operation->clear(operation);
    deliver_later(operation->task, result, destroy, error);
    ly_gloop_unref(operation->loop);
    ly_free(operation);
}

static gboolean cancel_ready(GCancellable *cancellable, gpointer user_data)
{
    LyGOperation *operation = user_data;
    if (operation->stop)
        operation->stop(operation);
    end(operation, NULL, NULL, cancelled());
    return G_SOURCE_REMOVE;
}

gpointer ly_goperation_new(size_t len, LyGLoop *loop, gpointer source, gpointer tag,
                           void (*stop)(LyGOperation *operation), GCancellable *cancellable,
                           GAsyncReadyCallback callback, gpointer user_data)
{
    GTask *task = g_task_new(source, cancellable, callback, user_data);
    g_task_set_source_tag(task, tag);
    /* what was finished before it was cancelled is handed over */
    g_task_set_check_cancellable(task, FALSE);
    if (g_cancellable_is_cancelled(cancellable)) {
        deliver_later(task, NULL, NULL, cancelled());
        return NULL;
    }
    LyGOperation *operation = ly_alloc(len);
    operation->task = task;
    operation->loop = ly_gloop_ref(loop);
    operation->stop = stop;
    if (cancellable) {
        operation->cancel = g_cancellable_source_new(cancellable);
        g_source_set_callback(operation->cancel, G_SOURCE_FUNC(cancel_ready), operation, NULL);
        g_source_attach(operation->cancel, ly_gloop_context(loop));
    }
    return operation;
}

void ly_goperation_return(LyGOperation *operation, gpointer result, GDestroyNotify destroy)
{
    end(operation, result, destroy, NULL);
}

void ly_goperation_fail_gerror(LyGOperation *operation, GError *error)
{
    end(operation, NULL, NULL, error);
}

void ly_goperation_fail(LyGOperation *operation, const LyError *error)
{
    end(operation, NULL, NULL, ly_gerror_new(error));
}

gpointer ly_goperation_finish(gpointer source, GAsyncResult *result, gpointer tag, GError **error)
{
    g_return_val_if_fail(g_task_is_valid(result, source), NULL);
    g_return_val_if_fail(g_async_result_is_tagged(result, tag), NULL);
    return g_task_propagate_pointer(G_TASK(result), error);
}

gboolean ly_gsignal_taken(GSignalInvocationHint *hint, GValue *sum, const GValue *handler, gpointer data)
{
    gboolean taken = g_value_get_boolean(handler);
    g_value_set_boolean(sum, taken);
    return !taken;
}
