/* RFC 4254, both roles: channels with their windows, channel requests, global requests.
 * Answered here, so that no application has to: keepalive@openssh.com, no-more-sessions@openssh.com, requests
 * and channel types that the receiving role does not have (FAILURE, SSH_OPEN_UNKNOWN_CHANNEL_TYPE), and
 * channels of a server that the client never asked for (forwarded-tcpip, forwarded-streamlocal@openssh.com,
 * x11, auth-agent@openssh.com). */
#ifndef LY_CONNECTION_CONNECTION_H
#define LY_CONNECTION_CONNECTION_H

#include "transport/transport.h"

typedef struct LyConnection LyConnection;
typedef struct LyChannel LyChannel;

typedef struct LyConnectionOptions {
    uint32_t max_channels;         /* open at once, both directions; 0: 1024 */
    uint64_t keepalive_us;         /* silence after which keepalive@openssh.com is sent, and time that its
                                      answer has before the next; 0: none */
    unsigned keepalive_count;      /* unanswered ones before LY_ERROR_TIMEOUT; 0: 3 */
    uint32_t max_pending_requests; /* global requests of the peer held unanswered; 0: 64 */
} LyConnectionOptions;

LyConnection *ly_connection_new(LyTransport *transport, const LyConnectionOptions *options);
/* Frees all channels too. */
void ly_connection_free(LyConnection *connection);

typedef enum LyConnectionEventType {
    LY_CHANNEL_OPEN_REQUEST, /* a question: the peer opens `channel` (text = type, data = type-specific data);
                                answer with ly_channel_accept or ly_channel_refuse */
    LY_CHANNEL_OPENED,       /* ours was confirmed */
    LY_CHANNEL_OPEN_FAILED,  /* ours was refused: `number` = reason, text = description. The channel is freed
                                after the event */
    LY_CHANNEL_DATA,         /* `data`; give it back to the window with ly_channel_consumed */
    LY_CHANNEL_STDERR,       /* the same for extended data SSH_EXTENDED_DATA_STDERR */
    LY_CHANNEL_WINDOW,       /* room to send again after ly_channel_send took less than was offered */
    LY_CHANNEL_EOF,
    LY_CHANNEL_REQUEST, /* text = request type, data = its data; when want_reply answer with ly_channel_reply,
                           in any time; replies leave in the order of the requests */
    LY_CHANNEL_REPLY,   /* to a request of ours that wanted one: `success`; `number` = tag given to
                           ly_channel_request */
    LY_CHANNEL_EXIT_STATUS, /* `number` */
    LY_CHANNEL_EXIT_SIGNAL, /* text = name without SIG, `core_dumped`, data = message */
    LY_CHANNEL_CLOSED, /* both sides closed; the channel is freed after the event (its user pointer is still
                          readable) */
    LY_GLOBAL_REQUEST, /* text, data, want_reply: answer with ly_global_reply, in order */
    LY_GLOBAL_REPLY,   /* `success`, data, `number` = tag */
} LyConnectionEventType;

typedef struct LyConnectionEvent {
    LyConnectionEventType type;
    LyChannel *channel;
    LyBytes text, data; /* live until the next input */
    uint32_t number;
    bool success, want_reply, core_dumped;
} LyConnectionEvent;

/* Feeds a packet (message 80 to 100); true when it gave an event. Unknown channels, window overruns, messages
 * out of state fail the transport with a sentence; replies nobody asked for are dropped. */
bool ly_connection_receive(LyConnection *connection, LyBytes payload, LyConnectionEvent *event);
/* Events that wait apart from packets: LY_CHANNEL_WINDOW, when output drained or the peer opened its window.
 * To be asked until false after each ly_connection_receive() and after output was written. */
bool ly_connection_next(LyConnection *connection, LyConnectionEvent *event);
uint64_t ly_connection_deadline_us(const LyConnection *connection);
void ly_connection_tick(LyConnection *connection, uint64_t now_us);
/* Something arrived from the peer (keepalive's clock starts anew). */
void ly_connection_heard(LyConnection *connection);

/* Who deals with the events of a channel. The engine keeps it and never calls it: whoever pulls the events
 * does (LyClient and LyServer, in place of their own `event`). */
typedef void (*LyChannelFunc)(void *user, const LyConnectionEvent *event);

typedef struct LyChannelOptions {
    uint32_t window;     /* initial window and most that is ever outstanding, bytes; 0: 2 MiB. Grows as far as
                            `max_window` */
    uint32_t max_window; /* 0: same as window. The window doubles when a full one was consumed within two
                            round trips (the shortest answer to any request on the connection) */
    uint32_t max_packet; /* 0: 32 KiB */
    LyChannelFunc func;  /* NULL: whoever pulls the events */
    void *user;
} LyChannelOptions;

/* Opens a channel; `data`: what follows the common fields (direct-tcpip: string host, uint32 port, string
 * origin, uint32 port). NULL: max_channels is reached. */
LyChannel *ly_channel_open(LyConnection *connection, LyBytes type, LyBytes data,
                           const LyChannelOptions *options);
/* Answers to LY_CHANNEL_OPEN_REQUEST; refuse frees the channel. `data`: type-specific, usually empty. */
void ly_channel_accept(LyChannel *channel, const LyChannelOptions *options, LyBytes data);
void ly_channel_refuse(LyChannel *channel, uint32_t reason, const char *description);

/* Sends as much of the gathered parts as window, max packet and the transport's backlog (1 MiB) allow;
 * returns how many bytes were taken. When fewer, LY_CHANNEL_WINDOW comes later. Nothing before OPENED/accept
 * or after eof/close. */
size_t ly_channel_send(LyChannel *channel, const LyBytes *parts, size_t count);
size_t ly_channel_send_stderr(LyChannel *channel, const LyBytes *parts, size_t count);
/* How many bytes ly_channel_send would take now, or nearly; 0: LY_CHANNEL_WINDOW comes when there is room. So
 * that whoever fetches bytes to send fetches no more than leave at once. */
size_t ly_channel_room(LyChannel *channel);
/* `len` bytes of DATA or STDERR events are dealt with: the window may open again (adjusts leave in big
 * steps). */
void ly_channel_consumed(LyChannel *channel, size_t len);
void ly_channel_eof(LyChannel *channel);
/* Sends CLOSE (once), and before it the replies that wait behind others, which are FAILURE then; CLOSED comes
 * when the peer's arrived. What still arrives for the channel is dropped and not reported. Before OPENED:
 * CLOSE leaves with the confirmation, and CLOSED or OPEN_FAILED comes then. */
void ly_channel_close(LyChannel *channel);
/* A channel request; with want_reply a LY_CHANNEL_REPLY with this tag follows, or CLOSED. Nothing before
 * OPENED/accept or after close. */
void ly_channel_request(LyChannel *channel, LyBytes type, bool want_reply, uint32_t tag, LyBytes data);
/* The answer to the oldest request that has none; and to the newest (the one whose event is being dealt
 * with), which leaves when those before it were answered. */
void ly_channel_reply(LyChannel *channel, bool success);
void ly_channel_reply_last(LyChannel *channel, bool success);
/* Convenience over ly_channel_request, want_reply = true: exec, subsystem, shell; env and window-change
 * without reply. */
void ly_channel_exec(LyChannel *channel, LyBytes command, uint32_t tag);
void ly_channel_subsystem(LyChannel *channel, LyBytes name, uint32_t tag);
void ly_channel_shell(LyChannel *channel, uint32_t tag);
void ly_channel_env(LyChannel *channel, LyBytes name, LyBytes value);
void ly_channel_window_change(LyChannel *channel, uint32_t columns, uint32_t rows, uint32_t width,
                              uint32_t height);
void ly_channel_exit_status(LyChannel *channel, uint32_t status);
void ly_channel_exit_signal(LyChannel *channel, LyBytes name_without_sig, bool core_dumped, LyBytes message);

void *ly_channel_user(const LyChannel *channel);
void ly_channel_set_user(LyChannel *channel, void *user);
LyChannelFunc ly_channel_func(const LyChannel *channel);
/* Hands the channel over: its events go to func(user) from the next one on. */
void ly_channel_set_func(LyChannel *channel, LyChannelFunc func, void *user);
LyBytes ly_channel_type(const LyChannel *channel);
bool ly_channel_is_open(const LyChannel *channel);

/* RFC 4254 section 4: a request outside of channels, whose LY_GLOBAL_REPLY brings `tag` back, and the answers
 * to the oldest and to the newest of the peer's, as with channels. */
void ly_global_request(LyConnection *connection, LyBytes type, bool want_reply, uint32_t tag, LyBytes data);
void ly_global_reply(LyConnection *connection, bool success, LyBytes data);
void ly_global_reply_last(LyConnection *connection, bool success, LyBytes data);

#endif
