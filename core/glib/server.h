/* LyGServer: SSH connections served in a GMainContext (loop/server.h says how): those that arrive at its
 * addresses and those that are handed to it as streams. It belongs to the thread-default context of its
 * maker.
 *
 * Signals: "connected" (LyServer *) when a connection begins, "ended" (LyServer *) when it is over; the
 * LyServer is gone when that handler returns. */
#ifndef LY_GLIB_SERVER_H
#define LY_GLIB_SERVER_H

#include "glib/channel.h"
#include "loop/server.h"

/* A GObject. */
#define LY_TYPE_GSERVER (ly_gserver_get_type())
GType ly_gserver_get_type(void);
typedef struct _LyGServer LyGServer;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LyGServer, g_object_unref)

/* `options` with its handlers: the struct is copied, what it points to (host keys, names, the handlers' user)
 * lives as long as the object. The last reference ends listening and connections; channels hold one. NULL
 * with *error: the system has no descriptor left. */
LyGServer *ly_gserver_new(const LyServerOptions *options, GError **error);
/* As ly_listener_new; may be called for several addresses. Returns the port; 0 with *error. */
guint16 ly_gserver_listen(LyGServer *server, const char *address, guint16 port, GError **error);
/* As ly_listener_new_unix. */
gboolean ly_gserver_listen_unix(LyGServer *server, const char *path, guint mode, gboolean replace,
                                GError **error);
void ly_gserver_stop_listening(LyGServer *server); /* connections that there are go on */
/* Serves the client at the other end of a stream (pollable, as ly_gcarrier_new; a reference is taken). The
 * LyServer, which lives until "ended"; NULL with *error. */
LyServer *ly_gserver_take(LyGServer *server, GIOStream *stream, GError **error);

guint ly_gserver_get_connections(LyGServer *server); /* open now */
guint64 ly_gserver_get_served(LyGServer *server);    /* since the beginning */

/* A channel of `connection` as a GIOStream: in the handler `start`, of ly_server_channel(channel), and the
 * handler says true (answer the request with ly_channel_reply; later requests come as the signal "request").
 * NULL: the connection is not this object's. */
LyGChannel *ly_gserver_get_channel(LyGServer *server, LyServer *connection, LyChannel *channel);
/* The same in the handler `open_request`: accepts event->channel. */
LyGChannel *ly_gserver_accept(LyGServer *server, LyServer *connection, const LyConnectionEvent *event);
/* A channel to the client ("forwarded-tcpip", "x11" ...) with the type's own data (copied); _finish gives it,
 * or NULL with *error: the client's sentence. Cancelled, the channel is closed. */
void ly_gserver_open_async(LyGServer *server, LyServer *connection, const char *type, LyBytes data,
                           GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
LyGChannel *ly_gserver_open_finish(LyGServer *server, GAsyncResult *result, GError **error);

#endif
