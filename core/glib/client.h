/* LyGClient: an LyClient (loop/client.h says how it signs in) as a GObject in a GMainContext. Who connects to
 * no signal gets what ssh(1) does without a terminal: known hosts only, keys and agents only.
 *
 * Signals. Views and borrowed things live until the handler returns; G_TYPE_POINTER each unless noted.
 *   "ask" (const LyAsk *)                     a question to a person: ly_gclient_answer, now or later
 *   "host-key" (LyKey *)                      is this the host's? ly_gclient_accept_host_key, now or later
 *   "next-attempt" (const LyNextAttempt *)    ly_gclient_attempt or _give_up, now or later
 *   "interactive" (const LyUserauthClientEvent *) ly_gclient_respond, now or later
 *   "banner" (const LyBytes *)                unescaped
 *   "greeting" (const LyBytes *)              a line that the server sent before its identification
 *   "handshake" (const LyNegotiated *, gboolean initial)  keys are in force: the first, or new ones
 *   "host-keys" (LyKey *const *, guint)       all that the server has proven to own
 *   "open-channel" (const LyConnectionEvent *) -> gboolean: the server opens a channel that no listener
 * expects (x11, auth-agent@openssh.com): TRUE after ly_gclient_accept or ly_channel_refuse; what nobody takes
 * is refused "closed" (GError *, gboolean final)       the end, once, when it was connected; NULL: in order.
 * `final`: trying again is useless The first four take a decision over from ssh(1)'s way only when a handler
 * is connected before connect_async. (Signals and not a struct of callbacks: several parts of a program may
 * listen, and handlers go with their objects.) */
#ifndef LY_GLIB_CLIENT_H
#define LY_GLIB_CLIENT_H

#include "glib/channel.h"
#include "loop/client.h"

/* A GObject. */
#define LY_TYPE_GCLIENT (ly_gclient_get_type())
GType ly_gclient_get_type(void);
typedef struct _LyGClient LyGClient;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LyGClient, g_object_unref)

/* To the destination of `options` (copied; its files are read now, which blocks). `options->crypto` may be
 * NULL. NULL with *error (LY_GERROR): a file or setting is wrong. */
LyGClient *ly_gclient_new(const LyDestinationOptions *options, GError **error);
/* The same with all else as configured: user NULL, port 0. */
LyGClient *ly_gclient_new_for_host(const char *host, const char *user, guint16 port, GError **error);
/* To one that was read already: another connection remembers what the first asked for. Takes a reference. */
LyGClient *ly_gclient_new_for_destination(LyDestination *destination);

/* Connects and signs in, once in an object's life; it belongs to the thread-default context of the caller.
 * Cancelled, the attempt ends at once. Errors: LY_GERROR with LyClientEvents' sentence, G_IO_ERROR_CANCELLED.
 */
void ly_gclient_connect_async(LyGClient *client, GCancellable *cancellable, GAsyncReadyCallback callback,
                              gpointer user_data);
/* Over a stream that leads to the server (pollable: a GSocketConnection, an LyGChannel of a hop ...), which
 * is closed with the client. ProxyJump and ProxyCommand are not looked at. */
void ly_gclient_connect_over_async(LyGClient *client, GIOStream *stream, GCancellable *cancellable,
                                   GAsyncReadyCallback callback, gpointer user_data);
/* Of both. */
gboolean ly_gclient_connect_finish(LyGClient *client, GAsyncResult *result, GError **error);
/* Says goodbye; "closed" and the ends of channels follow. Without effect when there is no connection. The
 * last reference does the same without signals; channels, SFTP sessions and listeners hold one. */
void ly_gclient_disconnect(LyGClient *client);

/* Answers, as LyClient's; without effect when no such question is open. */
void ly_gclient_answer(LyGClient *client, const char *answer);
void ly_gclient_accept_host_key(LyGClient *client, gboolean accept);
void ly_gclient_attempt(LyGClient *client, const LyAttempt *attempt);
void ly_gclient_give_up(LyGClient *client);
void ly_gclient_respond(LyGClient *client, const LyBytes *responses, gsize count);
/* In place of ssh(1)'s order: right after connect_async, before the context is iterated. */
void ly_gclient_set_attempts(LyGClient *client, const LyAttempt *attempts, gsize count);

/* New keys now; "handshake" follows. */
void ly_gclient_rekey(LyGClient *client);
void ly_gclient_no_more_sessions(LyGClient *client);
/* Borrowed; NULL before connect_async and after the end: for what has no function here (ly_forward_local,
 * ly_client_agent ...). Its events are this object's. */
LyClient *ly_gclient_get_client(LyGClient *client);
LyGLoop *ly_gclient_get_loop(LyGClient *client); /* borrowed; NULL before connect_async */
gboolean ly_gclient_is_connected(LyGClient *client);

/* A global request (RFC 4254 section 4) that wants a reply. `data` is copied. Errors: the server refused it
 * (LY_ERROR_UNSUPPORTED), the connection ended. */
void ly_gclient_global_request_async(LyGClient *client, const char *type, LyBytes data,
                                     GCancellable *cancellable, GAsyncReadyCallback callback,
                                     gpointer user_data);
/* The reply's data; NULL with *error. */
GBytes *ly_gclient_global_request_finish(LyGClient *client, GAsyncResult *result, GError **error);

/* Channels; each needs a connection (LY_ERROR_DISCONNECT otherwise) and gives an LyGChannel from its _finish,
 * or NULL with *error: the server's sentence. Cancelled, the channel is closed. */
/* A command, a shell or a subsystem; when it was started. */
void ly_gclient_run_async(LyGClient *client, const LyProgramOptions *options, GCancellable *cancellable,
                          GAsyncReadyCallback callback, gpointer user_data);
/* A TCP connection from the server to host:port (RFC 4254 section 7.2). */
void ly_gclient_open_tcp_async(LyGClient *client, const char *host, guint16 port, GCancellable *cancellable,
                               GAsyncReadyCallback callback, gpointer user_data);
/* To a Unix socket there (OpenSSH's PROTOCOL 2.4; other servers are not asked unless `any_vendor`). */
void ly_gclient_open_unix_async(LyGClient *client, const char *path, GCancellable *cancellable,
                                GAsyncReadyCallback callback, gpointer user_data);
/* Any other type, with its own data (copied). */
void ly_gclient_open_async(LyGClient *client, const char *type, LyBytes data, GCancellable *cancellable,
                           GAsyncReadyCallback callback, gpointer user_data);
/* Of all four. */
LyGChannel *ly_gclient_channel_finish(LyGClient *client, GAsyncResult *result, GError **error);
/* Takes what "open-channel" offers. */
LyGChannel *ly_gclient_accept(LyGClient *client, const LyConnectionEvent *event);

#endif
