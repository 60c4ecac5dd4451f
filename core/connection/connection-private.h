/* What the files of this floor share. */
#ifndef LY_CONNECTION_CONNECTION_PRIVATE_H
#define LY_CONNECTION_CONNECTION_PRIVATE_H

#include "base/auto.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/names.h"
#include "base/slots.h"
#include "base/wire.h"
#include "connection/connection.h"

#define LY_CHANNEL_REQUESTS_MAX 64 /* of the peer's, unanswered, on one channel */

/* Requests of the peer that want replies: these leave in the order of the requests, so a refusal made here
 * waits behind the answers that the application still owes. */
typedef enum LyOwed { LY_OWED_BY_APPLICATION, LY_OWED_SUCCESS, LY_OWED_FAILURE } LyOwed;
typedef struct LyOwedRing {
    uint8_t *item; /* LyOwed */
    uint32_t room, head, count;
} LyOwedRing;

/* Our requests that want replies, oldest first. */
typedef struct LyAsked {
    uint32_t tag;
    bool keepalive;
    uint64_t sent_us;
} LyAsked;
typedef struct LyAskedRing {
    LyAsked *item;
    uint32_t room, head, count;
} LyAskedRing;

typedef enum LyChannelState {
    LY_CHANNEL_OPENING,  /* ours, not yet confirmed */
    LY_CHANNEL_QUESTION, /* the peer's, not yet answered */
    LY_CHANNEL_ESTABLISHED,
    LY_CHANNEL_GONE, /* both sides closed: lives until the next event */
} LyChannelState;

struct LyChannel {
    LyConnection *connection;
    LyLink starving_link; /* in connection->starving while the application waits for LY_CHANNEL_WINDOW */
    uint32_t id, peer_id;
    LyChannelState state;
    bool eof_sent, eof_received, close_sent, close_wanted, first_heard;
    char *type;
    LyBuf open_data; /* QUESTION: kept until the answer */
    LyChannelFunc func;
    void *user;

    uint64_t send_window; /* what the peer still takes */
    uint32_t send_max_packet;

    uint64_t receive_window; /* what the peer may still send */
    uint64_t held;           /* received and not yet consumed */
    uint64_t credit;         /* consumed and not yet given back to the peer */
    uint64_t window, max_window;
    uint32_t max_packet;
    uint64_t lap_bytes, lap_us; /* consumed since lap_us: how long does a full window take? */

    uint64_t opened_us; /* when OPEN or OPEN_CONFIRMATION left */
    LyAskedRing asked;
    LyOwedRing owed;
    uint8_t owed_room[LY_CHANNEL_REQUESTS_MAX];
};

struct LyConnection {
    LyTransport *transport;
    LyConnectionOptions options;
    LySlots channels;
    LyList starving;
    bool look_for_room; /* one of them may have room now */
    LyChannel *gone;    /* freed when the next event is asked for */
    LyAskedRing asked;
    LyOwedRing owed;
    LyBuf *owed_data; /* of the replies that wait behind others, as many as `owed` has room for; NULL: none */
    bool no_more_sessions;
    bool sent_forward, sent_x11, sent_agent; /* what we asked for, so that the peer may open such channels */
    uint64_t heard_us, keepalive_us;         /* when the peer was last heard; when the last keepalive left */
    unsigned keepalives;                     /* without an answer */
    uint64_t rtt_us;                         /* shortest answer seen; 0: none yet */
};

/* Fails the transport; false. */
bool ly_connection_violation(LyConnection *connection, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void ly_connection_send(LyConnection *connection, LyBuf *payload);
/* An answer came to what left at sent_us. */
void ly_connection_answered(LyConnection *connection, uint64_t sent_us);

/* The channel of a received message, established; NULL after failing the transport, or, with `lenient`, for
 * ids that are not in use. */
LyChannel *ly_channel_of(LyConnection *connection, LyReader *reader, const char *message, bool lenient);
void ly_channel_free(LyChannel *channel);

/* One function a message; true when it gave an event. */
bool ly_channel_open_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event);
bool ly_channel_confirmation_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event);
bool ly_channel_failure_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event);
bool ly_channel_adjust_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event);
bool ly_channel_data_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event);
bool ly_channel_extended_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event);
bool ly_channel_eof_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event);
bool ly_channel_close_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event);
bool ly_channel_request_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event);
bool ly_channel_success_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event);
bool ly_channel_refusal_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event);
bool ly_global_request_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event);
bool ly_global_success_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event);
bool ly_global_failure_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event);

/* requests.c */
void ly_asked_free(LyAskedRing *ring);
/* Replies that wait behind others leave now, and FAILURE for those others. */
void ly_channel_settle_replies(LyChannel *channel);
void ly_keepalive_send(LyConnection *connection);

/* window.c: the windows of a new channel; `options` may be NULL. */
void ly_channel_set_windows(LyChannel *channel, const LyChannelOptions *options);

#endif
