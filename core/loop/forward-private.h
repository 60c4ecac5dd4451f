/* What the files of forwarding share: the listening (forward.c), a connection's life (forward-connection.c),
 * and how the server is asked to connect (forward-open.c), which tunnels need too. */
#ifndef LY_LOOP_FORWARD_PRIVATE_H
#define LY_LOOP_FORWARD_PRIVATE_H

#include "connection/forward.h"
#include "loop/forward.h"
#include "loop/join.h"
#include "loop/socks.h"

struct LyForward {
    LyClient *client; /* NULL: the connection is over */
    LyLoop *loop;
    LyDependent dependent;
    LyForwardOptions options;     /* its texts are ours */
    LyForwardEnd listen, to;      /* their texts are ours */
    bool socks;                   /* the target is what a SOCKS client says */
    bool remote, established;     /* -R; the server listens */
    LyListener *listener;         /* NULL with -R */
    LyAcceptor acceptor;          /* -R */
    struct LyForwardAsked *asked; /* -R's request, while it is unanswered */
    uint16_t remote_port;         /* that the server listens on */
    LyList connections;
    uint32_t count;
};

/* Somebody connected to our listener; takes the descriptor. */
void ly_forward_accepted(LyForward *forward, int fd, const struct sockaddr *peer);
/* Somebody connected to the server's. */
void ly_forward_open_requested(LyForward *forward, const LyConnectionEvent *event);
/* Ends all connections; the channels of a connection that is over are not touched. */
void ly_forward_drop_connections(LyForward *forward);
/* Tells the owner, who may free the forward. */
void ly_forward_failed(LyForward *forward, const LyError *error, bool fatal);

/* "HOST port N" or the path, for messages. */
const char *ly_forward_end_text(const LyForwardEnd *end, char text[320]);
#define LY_FORWARD_END_TEXT(end) ly_forward_end_text((end), (char[320]){0})
/* Asks the server to connect to `to`; `origin` and its port: who wants it. NULL with *error. */
LyChannel *ly_forward_open(LyClient *client, const LyForwardEnd *to, const char *origin, uint16_t origin_port,
                           LyChannelFunc func, void *user, LyError *error);
/* The sentence of its LY_CHANNEL_OPEN_FAILED. */
void ly_forward_refused(const LyForwardEnd *to, const LyConnectionEvent *event, LyError *error);
/* ly_client_flush as a join's `wake`. */
void ly_forward_wake(void *client);
/* The windows of forwarded connections. */
LyChannelOptions ly_forward_channel_options(LyChannelFunc func, void *user);
/* The connection's channels, if the client has signed in and is still connected; NULL with *error. */
LyConnection *ly_forward_connection(LyClient *client, LyError *error);

#endif
