/* What LyGClient, its channels, listeners and SFTP sessions share. */
#ifndef LY_GLIB_CLIENT_PRIVATE_H
#define LY_GLIB_CLIENT_PRIVATE_H

#include "glib/channel-private.h"
#include "glib/client.h"

struct _LyGClient {
    GObject parent;
    LyGLoop *loop; /* NULL before connect_async */
    LyDestination *destination;
    LyClient *client; /* NULL before connect_async */
    gboolean connected, ended;
    LyGOperation *connecting;
    LyList channels;
};

/* The connection, for a function that needs one; NULL with *error. */
LyClient *ly_gclient_connection(LyGClient *self, LyError *error);
/* An operation of the client's that fails at once, with the callback as always. */
void ly_gclient_fail(LyGClient *self, gpointer tag, const LyError *error, GAsyncReadyCallback callback,
                     gpointer user_data);
LyGChannelOwner ly_gclient_owner(LyGClient *self);
/* Offered by the server. */
LyGChannel *ly_gclient_accept_channel(LyGClient *self, LyChannel *raw);

#endif
