#include "glib/client-private.h"
#include "glib/stream-carrier.h"

typedef struct _LyGClientClass {
    GObjectClass parent;
} LyGClientClass;
G_DEFINE_TYPE(LyGClient, ly_gclient, G_TYPE_OBJECT)

static char connect_tag, request_tag;

/* Events as signals. */

static void on_ask(void *user, const LyAsk *ask)
{
    g_signal_emit_by_name(user, "ask", ask);
}

static void on_host_key(void *user, LyKey *key)
{
    g_signal_emit_by_name(user, "host-key", key);
}

static void on_next_attempt(void *user, const LyNextAttempt *next)
{
    g_signal_emit_by_name(user, "next-attempt", next);
}

static void on_interactive(void *user, const LyUserauthClientEvent *request)
{
    g_signal_emit_by_name(user, "interactive", request);
}

static void on_banner(void *user, LyBytes text)
{
    g_signal_emit_by_name(user, "banner", &text);
}

static void on_host_keys(void *user, LyKey *const *keys, size_t count)
{
    g_signal_emit_by_name(user, "host-keys", keys, (guint)count);
}

static void on_transport(void *user, const LyTransportEvent *event)
{
    LyGClient *self = user;
    if (event->type == LY_TRANSPORT_GREETING)
        g_signal_emit_by_name(self, "greeting", &event->bytes);
    else if (event->type == LY_TRANSPORT_NEWKEYS)
        g_signal_emit_by_name(self, "handshake",
                              ly_transport_negotiated(ly_session_transport(ly_client_session(self->client))),
                              (gboolean)event->initial);
}

static void on_event(void *user, const LyConnectionEvent *event)
{
    LyGClient *self = user;
    gboolean taken = FALSE;
    if (event->type == LY_CHANNEL_OPEN_REQUEST)
        g_signal_emit_by_name(self, "open-channel", event, &taken);
    if (!taken && !self->ended)
        ly_client_refuse(self->client, event);
}

static void on_ready(void *user)
{
    LyGClient *self = user;
    self->connected = TRUE;
    ly_goperation_return(g_steal_pointer(&self->connecting), LY_GDONE, NULL);
}

static void on_closed(void *user, const LyError *error, bool final)
{
    LyGClient *self = g_object_ref(user);
    LyError told = *error;
    self->connected = FALSE;
    self->ended = TRUE;
    ly_gchannels_end(&self->channels, &told);
    if (self->connecting) {
        ly_goperation_fail(g_steal_pointer(&self->connecting), &told);
    } else {
        GError *why = told.code == LY_OK ? NULL : ly_gerror_new(&told);
        g_signal_emit_by_name(self, "closed", why, (gboolean) final);
        g_clear_error(&why);
    }
    g_object_unref(self);
}

/* Life. */

LyGClient *ly_gclient_new_for_destination(LyDestination *destination)
{
    LyGClient *self = g_object_new(LY_TYPE_GCLIENT, NULL);
    self->destination = ly_destination_ref(destination);
    return self;
}

LyGClient *ly_gclient_new(const LyDestinationOptions *options, GError **error)
{
    LyError why = {0};
    LyDestinationOptions own = *options;
    LyCrypto *crypto = own.crypto ? ly_crypto_ref(own.crypto) : ly_crypto_new(0, &why);
    own.crypto = crypto;
    LyDestination *destination = crypto ? ly_destination_new(&own, &why) : NULL;
    if (crypto)
        ly_crypto_unref(crypto);
    if (!destination) {
        g_propagate_error(error, ly_gerror_new(&why));
        return NULL;
    }
    LyGClient *self = ly_gclient_new_for_destination(destination);
    ly_destination_unref(destination);
    return self;
}

LyGClient *ly_gclient_new_for_host(const char *host, const char *user, guint16 port, GError **error)
{
    LyDestinationOptions options = {.host = host, .user = user, .port = port};
    return ly_gclient_new(&options, error);
}

static void ly_gclient_init(LyGClient *self)
{
    ly_list_init(&self->channels);
}

static void dispose_later(void *data)
{
    g_object_unref(data);
}

static void dispose(GObject *object)
{
    LyGClient *self = (LyGClient *)object;
    if (self->client && !ly_gloop_is_ours(self->loop)) { /* the last reference went in another thread */
        ly_gloop_later(self->loop, dispose_later, g_object_ref(self));
        return;
    }
    ly_client_free(g_steal_pointer(&self->client));
    G_OBJECT_CLASS(ly_gclient_parent_class)->dispose(object);
}

static void finalize(GObject *object)
{
    LyGClient *self = (LyGClient *)object;
    ly_destination_unref(self->destination);
    ly_gloop_unref(self->loop);
    G_OBJECT_CLASS(ly_gclient_parent_class)->finalize(object);
}

static void ly_gclient_class_init(LyGClientClass *class)
{
    static const struct {
        const char *name;
        guint count;
        GType second;
    } signals[] = {
        {"ask", 1, G_TYPE_NONE},          {"host-key", 1, G_TYPE_NONE},  {"next-attempt", 1, G_TYPE_NONE},
        {"interactive", 1, G_TYPE_NONE},  {"banner", 1, G_TYPE_NONE},    {"greeting", 1, G_TYPE_NONE},
        {"handshake", 2, G_TYPE_BOOLEAN}, {"host-keys", 2, G_TYPE_UINT}, {"closed", 2, G_TYPE_BOOLEAN},
    };
    G_OBJECT_CLASS(class)->dispose = dispose;
    G_OBJECT_CLASS(class)->finalize = finalize;
    for (guint i = 0; i < G_N_ELEMENTS(signals); i++)
        g_signal_new(signals[i].name, LY_TYPE_GCLIENT, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                     signals[i].count, G_TYPE_POINTER, signals[i].second);
    g_signal_new("open-channel", LY_TYPE_GCLIENT, G_SIGNAL_RUN_LAST, 0, ly_gsignal_taken, NULL, NULL,
                 G_TYPE_BOOLEAN, 1, G_TYPE_POINTER);
}

/* Connecting. */

static void stop_connecting(LyGOperation *operation)
{
    LyGClient *self = g_task_get_source_object(operation->task);
    self->connecting = NULL;
    self->ended = TRUE;
    ly_client_free(g_steal_pointer(&self->client));
}

static gboolean has_handler(LyGClient *self, const char *name)
{
    return g_signal_has_handler_pending(self, g_signal_lookup(name, LY_TYPE_GCLIENT), 0, TRUE);
}

static LyClientEvents choose_events(LyGClient *self)
{
    return (LyClientEvents){
        .ask = has_handler(self, "ask") ? on_ask : NULL,
        .host_key = has_handler(self, "host-key") ? on_host_key : NULL,
        .next_attempt = has_handler(self, "next-attempt") ? on_next_attempt : NULL,
        .interactive = has_handler(self, "interactive") ? on_interactive : NULL,
        .ready = on_ready,
        .event = on_event,
        .banner = on_banner,
        .closed = on_closed,
        .transport = on_transport,
        .host_keys = on_host_keys,
        .user = self,
    };
}

/* `stream`: NULL: by the destination's own way. */
static void begin(LyGClient *self, GIOStream *stream, GCancellable *cancellable, GAsyncReadyCallback callback,
                  gpointer user_data)
{
    GError *error = NULL;
    LyCarrier *carrier = NULL;
    g_return_if_fail(!self->loop); /* once in a client's life */
    self->loop = ly_gloop_get(NULL, &error);
    if (self->loop && stream)
        carrier = ly_gcarrier_new(self->loop, stream, &error);
    if (error) {
        g_task_report_error(self, callback, user_data, &connect_tag, error);
        return;
    }
    self->connecting = ly_goperation_new(sizeof *self->connecting, self->loop, self, &connect_tag,
                                         stop_connecting, cancellable, callback, user_data);
    if (!self->connecting) {
        ly_carrier_free(carrier);
        return;
    }
    LyClientEvents events = choose_events(self);
    self->client = ly_client_new_over(ly_gloop_loop(self->loop), self->destination, carrier, &events);
}

void ly_gclient_connect_async(LyGClient *self, GCancellable *cancellable, GAsyncReadyCallback callback,
                              gpointer user_data)
{
    begin(self, NULL, cancellable, callback, user_data);
}

void ly_gclient_connect_over_async(LyGClient *self, GIOStream *stream, GCancellable *cancellable,
                                   GAsyncReadyCallback callback, gpointer user_data)
{
    begin(self, stream, cancellable, callback, user_data);
}

gboolean ly_gclient_connect_finish(LyGClient *self, GAsyncResult *result, GError **error)
{
    return ly_goperation_finish(self, result, &connect_tag, error) != NULL;
}

LyClient *ly_gclient_get_client(LyGClient *self)
{
    return self->ended ? NULL : self->client;
}

LyGLoop *ly_gclient_get_loop(LyGClient *self)
{
    return self->loop;
}

gboolean ly_gclient_is_connected(LyGClient *self)
{
    return self->connected;
}

static LyTransport *transport(LyGClient *self)
{
    LyClient *client = ly_gclient_get_client(self);
    LySession *session = client ? ly_client_session(client) : NULL;
    return session ? ly_session_transport(session) : NULL;
}

void ly_gclient_disconnect(LyGClient *self)
{
    if (!transport(self))
        return;
    ly_transport_disconnect(transport(self), SSH_DISCONNECT_BY_APPLICATION, "closed by the user");
    ly_client_flush(self->client);
}

void ly_gclient_rekey(LyGClient *self)
{
    if (!transport(self))
        return;
    ly_transport_rekey(transport(self));
    ly_client_flush(self->client);
}

void ly_gclient_no_more_sessions(LyGClient *self)
{
    if (self->connected)
        ly_client_no_more_sessions(self->client);
}

/* Answers. */

void ly_gclient_answer(LyGClient *self, const char *answer)
{
    if (ly_gclient_get_client(self))
        ly_client_answer(self->client, answer);
}

void ly_gclient_accept_host_key(LyGClient *self, gboolean accept)
{
    if (ly_gclient_get_client(self))
        ly_client_host_key(self->client, accept);
}

void ly_gclient_attempt(LyGClient *self, const LyAttempt *attempt)
{
    if (ly_gclient_get_client(self))
        ly_client_attempt(self->client, attempt);
}

void ly_gclient_give_up(LyGClient *self)
{
    if (ly_gclient_get_client(self))
        ly_client_give_up(self->client);
}

void ly_gclient_respond(LyGClient *self, const LyBytes *responses, gsize count)
{
    if (ly_gclient_get_client(self))
        ly_client_respond(self->client, responses, count);
}

void ly_gclient_set_attempts(LyGClient *self, const LyAttempt *attempts, gsize count)
{
    if (ly_gclient_get_client(self))
        ly_client_set_attempts(self->client, attempts, count);
}

/* Global requests. */

LyClient *ly_gclient_connection(LyGClient *self, LyError *error)
{
    if (self->connected)
        return self->client;
    ly_error_set(error, LY_ERROR_DISCONNECT, "there is no connection to %s",
                 ly_destination_name(self->destination));
    return NULL;
}

void ly_gclient_fail(LyGClient *self, gpointer tag, const LyError *error, GAsyncReadyCallback callback,
                     gpointer user_data)
{
    g_task_report_error(self, callback, user_data, tag, ly_gerror_new(error));
}

static void request_done(void *user, bool success, LyBytes data)
{
    LyGOperation *operation = user;
    LyGClient *self = g_task_get_source_object(operation->task);
    LyError error = {0};
    if (success) {
        ly_goperation_return(operation, g_bytes_new(data.data, data.len), (GDestroyNotify)g_bytes_unref);
        return;
    }
    ly_error_set(&error, LY_ERROR_UNSUPPORTED, "%s refused the request, or the connection ended",
                 ly_destination_name(self->destination));
    ly_goperation_fail(operation, &error);
}

static void stop_request(LyGOperation *operation)
{
    LyGClient *self = g_task_get_source_object(operation->task);
    if (ly_gclient_get_client(self))
        ly_client_forget_requests(self->client, operation);
}

void ly_gclient_global_request_async(LyGClient *self, const char *type, LyBytes data,
                                     GCancellable *cancellable, GAsyncReadyCallback callback,
                                     gpointer user_data)
{
    LyError error = {0};
    if (!ly_gclient_connection(self, &error)) {
        ly_gclient_fail(self, &request_tag, &error, callback, user_data);
        return;
    }
    LyGOperation *operation = ly_goperation_new(sizeof *operation, self->loop, self, &request_tag,
                                                stop_request, cancellable, callback, user_data);
    if (operation)
        ly_client_global_request(self->client, ly_bytes_str(type), data, request_done, operation);
}

GBytes *ly_gclient_global_request_finish(LyGClient *self, GAsyncResult *result, GError **error)
{
    return ly_goperation_finish(self, result, &request_tag, error);
}
