/* An SSH connection over any GIOStream whose streams are pollable: a GSocketConnection that a program's own
 * proxy code made, a GTlsConnection, a channel of another connection. */
#ifndef LY_GLIB_STREAM_CARRIER_H
#define LY_GLIB_STREAM_CARRIER_H

#include "glib/loop.h"
#include "loop/carrier.h"

/* Takes a reference; the stream is closed with the carrier (in the background). For ly_client_new_over,
 * ly_server_new ... on the same loop. NULL with *error (G_IO_ERROR_NOT_SUPPORTED): a stream of it cannot be
 * polled. */
LyCarrier *ly_gcarrier_new(LyGLoop *loop, GIOStream *stream, GError **error);

#endif
