#include "glib/listener.h"

#include "glib/client-private.h"

struct _LyGListener {
    GObject parent;
    LyGClient *client;
    char *host, *path; /* path: NULL: TCP */
    guint16 port;
    LyAcceptor acceptor;
    gboolean listening;
    LyGOperation *operation; /* NULL once it was told, or nobody waits */
};
typedef struct _LyGListenerClass {
    GObjectClass parent;
} LyGListenerClass;
G_DEFINE_TYPE(LyGListener, ly_glistener, G_TYPE_OBJECT)

static char listen_tag;

static gboolean is_tcp(LyGListener *self, const LyConnectionEvent *event, LyTcpipOpen *open)
{
    return !self->path && ly_bytes_is(ly_channel_type(event->channel), "forwarded-tcpip") &&
           ly_get_tcpip_open(event->data, open) && open->port == self->port &&
           ly_bytes_is(open->host, self->host);
}

static gboolean is_unix(LyGListener *self, const LyConnectionEvent *event)
{
    LyBytes path;
    return self->path && ly_bytes_is(ly_channel_type(event->channel), "forwarded-streamlocal@openssh.com") &&
           ly_get_forwarded_streamlocal(event->data, &path) && ly_bytes_is(path, self->path);
}

static bool open_request(void *user, const LyConnectionEvent *event)
{
    LyGListener *self = user;
    LyTcpipOpen open;
    gboolean tcp = is_tcp(self, event, &open);
    if (!tcp && !is_unix(self, event))
        return false;
    LyGChannel *channel = ly_gclient_accept_channel(self->client, event->channel);
    g_signal_emit_by_name(self, "channel", channel, tcp ? &open : NULL);
    g_object_unref(channel);
    return true;
}

/* The request that begins or ends it. */
static void send_request(LyGListener *self, gboolean cancel, LyGlobalDone done, void *user)
{
    LyBuf data = {0};
    const char *type =
        self->path ? cancel ? "cancel-streamlocal-forward@openssh.com" : "streamlocal-forward@openssh.com"
        : cancel   ? "cancel-tcpip-forward"
                   : "tcpip-forward";
    if (self->path)
        ly_put_streamlocal_forward(&data, ly_bytes_str(self->path));
    else
        ly_put_tcpip_forward(&data, ly_bytes_str(self->host), self->port);
    ly_client_global_request(self->client->client, ly_bytes_str(type), ly_buf_bytes(&data), done, user);
    ly_buf_free(&data);
}

void ly_glistener_close(LyGListener *self)
{
    if (!self->listening)
        return;
    self->listening = FALSE;
    ly_client_remove_acceptor(&self->acceptor);
    if (self->client->connected)
        send_request(self, TRUE, NULL, NULL);
}

static void dispose_later(void *data)
{
    g_object_unref(data);
}

static void dispose(GObject *object)
{
    LyGListener *self = (LyGListener *)object;
    if (!ly_gloop_is_ours(self->client->loop)) {
        ly_gloop_later(self->client->loop, dispose_later, g_object_ref(self));
        return;
    }
    ly_glistener_close(self);
    G_OBJECT_CLASS(ly_glistener_parent_class)->dispose(object);
}

static void finalize(GObject *object)
{
    LyGListener *self = (LyGListener *)object;
    g_object_unref(self->client);
    g_free(self->host);
    g_free(self->path);
    G_OBJECT_CLASS(ly_glistener_parent_class)->finalize(object);
}

static void ly_glistener_init(LyGListener *self)
{
}

static void ly_glistener_class_init(LyGListenerClass *class)
{
    G_OBJECT_CLASS(class)->dispose = dispose;
    G_OBJECT_CLASS(class)->finalize = finalize;
    g_signal_new("channel", LY_TYPE_GLISTENER, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 2,
                 LY_TYPE_GCHANNEL, G_TYPE_POINTER);
}

static void refused(LyGListener *self, LyGOperation *operation)
{
    LyError error = {0};
    if (self->path)
        ly_error_set(&error, LY_ERROR_UNSUPPORTED, "the server refused to listen on %s",
                     LY_PRINTABLE(ly_bytes_str(self->path)));
    else
        ly_error_set(&error, LY_ERROR_UNSUPPORTED, "the server refused to listen on port %u of '%s'",
                     self->port, LY_PRINTABLE(ly_bytes_str(self->host)));
    ly_goperation_fail(operation, &error);
}

/* Holds a reference of the request's. */
static void answered(void *user, bool success, LyBytes data)
{
    LyGListener *self = user;
    LyGOperation *operation = g_steal_pointer(&self->operation);
    guint32 port = self->port;
    if (success && !self->path && !port)
        success = ly_get_forwarded_port(data, &port) && port <= G_MAXUINT16;
    if (success) {
        self->port = (guint16)port;
        self->listening = TRUE;
        self->acceptor = (LyAcceptor){.open_request = open_request, .user = self};
        ly_client_add_acceptor(self->client->client, &self->acceptor);
        if (operation)
            ly_goperation_return(operation, g_object_ref(self), g_object_unref);
    } else if (operation) {
        refused(self, operation);
    }
    g_object_unref(self);
}

typedef struct Listening {
    LyGOperation operation;
    LyGListener *listener; /* lives by its request */
} Listening;

/* The answer will come, and what it brings is closed then. */
static void stop_listening(LyGOperation *operation)
{
    ((Listening *)operation)->listener->operation = NULL;
}

void ly_gclient_listen_async(LyGClient *client, const LyForwardEnd *where, GCancellable *cancellable,
                             GAsyncReadyCallback callback, gpointer user_data)
{
    LyError error = {0};
    LyClient *connection = ly_gclient_connection(client, &error);
    if (connection && where->path && !ly_client_speaks_openssh(connection)) {
        ly_error_set(&error, LY_ERROR_UNSUPPORTED, "%s is not known to listen on Unix sockets",
                     ly_destination_name(client->destination));
        connection = NULL;
    }
    if (!connection) {
        ly_gclient_fail(client, &listen_tag, &error, callback, user_data);
        return;
    }
    Listening *listening = ly_goperation_new(sizeof *listening, client->loop, client, &listen_tag,
                                             stop_listening, cancellable, callback, user_data);
    if (!listening)
        return;
    LyGListener *self = g_object_new(LY_TYPE_GLISTENER, NULL);
    self->client = g_object_ref(client);
    self->host = g_strdup(where->host ? where->host : "");
    self->path = g_strdup(where->path);
    self->port = where->port;
    self->operation = &listening->operation;
    listening->listener = self;
    send_request(self, FALSE, answered, self);
}

LyGListener *ly_gclient_listen_finish(LyGClient *client, GAsyncResult *result, GError **error)
{
    return ly_goperation_finish(client, result, &listen_tag, error);
}

guint16 ly_glistener_get_port(LyGListener *self)
{
    return self->port;
}
