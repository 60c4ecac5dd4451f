/* LyGListener: a port or Unix socket that the server listens on for this client (RFC 4254 section 7.1;
 * OpenSSH's PROTOCOL 2.4), each connection an LyGChannel. (What leads them on to a target here is
 * ly_forward_remote.)
 *
 * Signal "channel" (LyGChannel *, const LyTcpipOpen *): somebody connected; keep a reference to the channel,
 * or it is closed. The second (borrowed until the handler returns) says who; NULL for a Unix socket. */
#ifndef LY_GLIB_LISTENER_H
#define LY_GLIB_LISTENER_H

#include "connection/forward.h"
#include "glib/client.h"
#include "loop/forward.h"

/* A GObject. */
#define LY_TYPE_GLISTENER (ly_glistener_get_type())
GType ly_glistener_get_type(void);
typedef struct _LyGListener LyGListener;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LyGListener, g_object_unref)

/* `where`: host (as RFC 4254 section 7.1: "" is every address, "localhost" loopback), port (0: the server
 * picks one), or `path`; copied. Errors: the server refused it; it is not known to have Unix sockets; no
 * connection. Cancelled while the server has not answered, what it then listens on is cancelled too. */
void ly_gclient_listen_async(LyGClient *client, const LyForwardEnd *where, GCancellable *cancellable,
                             GAsyncReadyCallback callback, gpointer user_data);
LyGListener *ly_gclient_listen_finish(LyGClient *client, GAsyncResult *result, GError **error);
guint16 ly_glistener_get_port(LyGListener *listener); /* 0: a Unix socket */
/* The server stops listening, as with the last reference; channels that there are go on. */
void ly_glistener_close(LyGListener *listener);

#endif
