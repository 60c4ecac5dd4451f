/* A channel joined to a socket or another carrier: what comes at one end goes out at the other, both ways,
 * each with backpressure (the socket is read only as far as the channel's window takes it; the window opens
 * only as far as the socket took the bytes). Half-closes pass through: the socket's end of file is
 * SSH_MSG_CHANNEL_EOF, and that shuts down the writing side of the socket. When both directions are over, or
 * the socket breaks, the channel is closed; when the channel was closed, the socket gets what came before and
 * is closed. For either role. */
#ifndef LY_LOOP_JOIN_H
#define LY_LOOP_JOIN_H

#include "connection/connection.h"
#include "loop/carrier.h"

typedef struct LyJoin LyJoin;

typedef struct LyJoinOptions { /* copied */
    /* Called after the channel was used outside of its events: ly_client_flush, ly_server_wake. */
    void (*wake)(void *owner);
    void *owner;
    /* The end, once, never from within ly_join_new: the channel was closed (its last events go nowhere) and
     * so was the carrier. The join is freed after it returned, ly_join_free within it is fine. `error`: the
     * socket broke; NULL: an orderly end, or the peer closed the channel. NULL: nobody to tell. */
    void (*ended)(void *user, LyJoin *join, const LyError *error);
    void *user;
    /* What was received before the join: from the carrier, to be sent to the channel, and from the channel
     * (which the caller has told ly_channel_consumed about), to be written to the carrier. Copied. */
    LyBytes to_channel, to_carrier;
    bool eof; /* LY_CHANNEL_EOF came before the join */
} LyJoinOptions;

/* The channel is established (LY_CHANNEL_OPENED came, or ly_channel_accept was called); its events go to the
 * join from now on. The carrier, or the non-blocking socket, is the join's. */
LyJoin *ly_join_new(LyLoop *loop, LyChannel *channel, LyCarrier *carrier, const LyJoinOptions *options);
LyJoin *ly_join_new_fd(LyLoop *loop, LyChannel *channel, int fd, const LyJoinOptions *options);
/* Closes the channel and the carrier; `ended` is not called. NULL is fine. To be called before the connection
 * is freed: after that, ly_join_abort. */
void ly_join_free(LyJoin *join);
/* The connection is over, and the channel with it: it is not touched any more. What was to come is lost, so a
 * TCP socket is reset and not just closed, lest the other end take a part for the whole. Frees; `ended` is
 * not called. NULL is fine. */
void ly_join_abort(LyJoin *join);

/* Bytes that went through so far, in both directions. */
uint64_t ly_join_sent(const LyJoin *join);     /* to the channel */
uint64_t ly_join_received(const LyJoin *join); /* from it */

/* The last bytes came from the channel: nobody waits for an answer from there. */
bool ly_join_answered(const LyJoin *join);

/* For channels that nobody cares for any more: closes the channel, and lets its last events go nowhere. */
void ly_channel_abandon(LyChannel *channel);

#endif
