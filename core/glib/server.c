#include "glib/server.h"

#include "glib/channel-private.h"
#include "glib/stream-carrier.h"

struct _LyGServer {
    GObject parent;
    LyGLoop *loop;
    LyServerOptions options;
    GSList *listeners; /* LyListener */
    LyList connections;
    guint count;
    guint64 served;
};
typedef struct _LyGServerClass {
    GObjectClass parent;
} LyGServerClass;
G_DEFINE_TYPE(LyGServer, ly_gserver, G_TYPE_OBJECT)

typedef struct Connection {
    LyGServer *owner;
    LyServer *server;
    LyLink link;
    LyList channels;
} Connection;

static char open_tag;

static void free_listener(gpointer listener)
{
    ly_listener_free(listener);
}

static void release(Connection *connection, const LyError *error)
{
    ly_link_remove(&connection->link);
    connection->owner->count--;
    ly_gchannels_end(&connection->channels, error);
    ly_server_free(connection->server);
    ly_free(connection);
}

static void connection_ended(void *user, LyServer *server)
{
    static const LyError in_order = {0};
    Connection *connection = user;
    LyGServer *self = g_object_ref(connection->owner);
    g_signal_emit_by_name(self, "ended", server);
    release(connection, &in_order);
    g_object_unref(self);
}

static void ly_gserver_init(LyGServer *self)
{
    ly_list_init(&self->connections);
}

LyGServer *ly_gserver_new(const LyServerOptions *options, GError **error)
{
    LyGLoop *loop = ly_gloop_get(NULL, error);
    if (!loop)
        return NULL;
    LyGServer *self = g_object_new(LY_TYPE_GSERVER, NULL);
    self->loop = loop;
    self->options = *options;
    return self;
}

static void dispose_later(void *data)
{
    g_object_unref(data);
}

/* A handler's server must not be freed under it, nor from another thread: the last reference waits. */
static void dispose(GObject *object)
{
    LyGServer *self = (LyGServer *)object;
    static const LyError in_order = {0};
    if ((self->listeners || self->count) && (!ly_gloop_is_ours(self->loop) || ly_gloop_is_busy(self->loop))) {
        ly_gloop_later(self->loop, dispose_later, g_object_ref(self));
        return;
    }
    ly_gserver_stop_listening(self);
    Connection *connection;
    while ((connection = ly_list_first(&self->connections, Connection, link)))
        release(connection, &in_order);
    G_OBJECT_CLASS(ly_gserver_parent_class)->dispose(object);
}

static void finalize(GObject *object)
{
    ly_gloop_unref(((LyGServer *)object)->loop);
    G_OBJECT_CLASS(ly_gserver_parent_class)->finalize(object);
}

static void ly_gserver_class_init(LyGServerClass *class)
{
    static const char *const signals[] = {"connected", "ended"};
    G_OBJECT_CLASS(class)->dispose = dispose;
    G_OBJECT_CLASS(class)->finalize = finalize;
    for (guint i = 0; i < G_N_ELEMENTS(signals); i++)
        g_signal_new(signals[i], LY_TYPE_GSERVER, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1,
                     G_TYPE_POINTER);
}

/* Connections. */

/* Takes the carrier. */
static LyServer *serve(LyGServer *self, LyCarrier *carrier, const LyServerPeer *peer, LyError *error)
{
    Connection *connection = ly_new(Connection);
    connection->owner = self;
    ly_list_init(&connection->channels);
    connection->server = ly_server_new(ly_gloop_loop(self->loop), &self->options, carrier, peer,
                                       connection_ended, connection, error);
    if (!connection->server) {
        ly_free(connection);
        return NULL;
    }
    ly_list_append(&self->connections, &connection->link);
    self->count++;
    self->served++;
    LyServer *server = connection->server;
    g_signal_emit_by_name(self, "connected", server);
    return server;
}

static void describe(int fd, LyServerPeer *peer)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    if (getpeername(fd, (struct sockaddr *)&address, &len) == 0)
        ly_sockaddr_text((struct sockaddr *)&address, peer->address, &peer->port);
    len = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &len) == 0)
        ly_sockaddr_text((struct sockaddr *)&address, peer->local_address, &peer->local_port);
}

static void accepted(void *user, int fd, const struct sockaddr *from, socklen_t from_len)
{
    LyGServer *self = user;
    LyError error = {0};
    LyServerPeer peer = {.address = "UNKNOWN", .local_address = "UNKNOWN"};
    describe(fd, &peer);
    if (!serve(self, ly_carrier_new_fds(ly_gloop_loop(self->loop), fd, fd, NULL), &peer, &error))
        ly_log(&self->options.log, LY_LOG_ERROR, "%s is not served: %s", peer.address, error.message);
}

static gboolean add_listener(LyGServer *self, LyListener *listener, const LyError *why, GError **error)
{
    if (listener)
        self->listeners = g_slist_prepend(self->listeners, listener);
    else
        g_propagate_error(error, ly_gerror_new(why));
    return listener != NULL;
}

guint16 ly_gserver_listen(LyGServer *self, const char *address, guint16 port, GError **error)
{
    LyError why = {0};
    LyListener *listener = ly_listener_new(ly_gloop_loop(self->loop), address, port, accepted, self, &why);
    return add_listener(self, listener, &why, error) ? ly_listener_port(listener) : 0;
}

gboolean ly_gserver_listen_unix(LyGServer *self, const char *path, guint mode, gboolean replace,
                                GError **error)
{
    LyError why = {0};
    LyListener *listener =
        ly_listener_new_unix(ly_gloop_loop(self->loop), path, mode, replace, accepted, self, &why);
    return add_listener(self, listener, &why, error);
}

void ly_gserver_stop_listening(LyGServer *self)
{
    g_slist_free_full(g_steal_pointer(&self->listeners), free_listener);
}

LyServer *ly_gserver_take(LyGServer *self, GIOStream *stream, GError **error)
{
    LyError why = {0};
    LyServerPeer peer = {.address = "UNKNOWN", .local_address = "UNKNOWN"};
    LyCarrier *carrier = ly_gcarrier_new(self->loop, stream, error);
    if (!carrier)
        return NULL;
    if (G_IS_SOCKET_CONNECTION(stream))
        describe(g_socket_get_fd(g_socket_connection_get_socket(G_SOCKET_CONNECTION(stream))), &peer);
    LyServer *server = serve(self, carrier, &peer, &why);
    if (!server)
        g_propagate_error(error, ly_gerror_new(&why));
    return server;
}

guint ly_gserver_get_connections(LyGServer *self)
{
    return self->count;
}

guint64 ly_gserver_get_served(LyGServer *self)
{
    return self->served;
}

/* Channels. */

static void flush(void *user)
{
    ly_server_wake(((Connection *)user)->server);
}

static LyGChannel *new_channel(LyGServer *self, LyServer *server, LyGOperation *opening)
{
    ly_list_each(&self->connections, Connection, link, connection)
    {
        if (connection->server != server)
            continue;
        LyGChannelOwner owner = {.object = G_OBJECT(self),
                                 .loop = self->loop,
                                 .channels = &connection->channels,
                                 .flush = flush,
                                 .user = connection};
        return ly_gchannel_new(&owner, opening);
    }
    return NULL;
}

LyGChannel *ly_gserver_get_channel(LyGServer *self, LyServer *connection, LyChannel *raw)
{
    LyGChannel *channel = new_channel(self, connection, NULL);
    if (!channel)
        return NULL;
    ly_channel_set_func(raw, ly_gchannel_event, channel);
    ly_gchannel_set_channel(channel, raw);
    return channel;
}

LyGChannel *ly_gserver_accept(LyGServer *self, LyServer *connection, const LyConnectionEvent *event)
{
    LyGChannel *channel = new_channel(self, connection, NULL);
    if (!channel)
        return NULL;
    LyChannelOptions options = {.func = ly_gchannel_event, .user = channel};
    ly_channel_accept(event->channel, &options, (LyBytes){0});
    ly_gchannel_set_channel(channel, event->channel);
    return channel;
}

void ly_gserver_open_async(LyGServer *self, LyServer *server, const char *type, LyBytes data,
                           GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
    LyGOperation *opening =
        ly_gchannel_opening_new(self->loop, self, &open_tag, cancellable, callback, user_data);
    if (!opening)
        return;
    LyConnection *connection = ly_server_connection(server);
    LyGChannel *channel = connection ? new_channel(self, server, opening) : NULL;
    ly_gchannel_open(channel, opening, connection, type, data);
}

LyGChannel *ly_gserver_open_finish(LyGServer *self, GAsyncResult *result, GError **error)
{
    return ly_goperation_finish(self, result, &open_tag, error);
}
