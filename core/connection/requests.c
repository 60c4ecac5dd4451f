/* RFC 4254 sections 4, 5.4, 6: requests on channels and for the whole connection, and their replies. */
#include "connection/connection-private.h"

#define ASKED_MAX 65536 /* of our own, unanswered: a caller that never waits is stopped here */

/* Requests that are passed to the application of a role; all others are refused here. */
typedef enum To { TO_SERVER = 1, TO_CLIENT = 2, TO_BOTH = 3 } To;
typedef struct Known {
    const char *name;
    To to;
    size_t flag; /* offset of the flag in LyConnection that sending it sets: the peer may open such channels
                    then */
} Known;

static const Known channel_requests[] = {
    {"exec", TO_SERVER},
    {"shell", TO_SERVER},
    {"subsystem", TO_SERVER},
    {"env", TO_SERVER},
    {"pty-req", TO_SERVER},
    {"window-change", TO_SERVER},
    {"signal", TO_SERVER},
    {"break", TO_SERVER},
    {"x11-req", TO_SERVER, offsetof(LyConnection, sent_x11)},
    {"auth-agent-req@openssh.com", TO_SERVER, offsetof(LyConnection, sent_agent)},
    {"auth-agent-req", TO_SERVER, offsetof(LyConnection, sent_agent)},
    {"exit-status", TO_CLIENT},
    {"exit-signal", TO_CLIENT},
    {"xon-xoff", TO_CLIENT},
    {"eow@openssh.com", TO_BOTH},
};
static const Known global_requests[] = {
    {"tcpip-forward", TO_SERVER, offsetof(LyConnection, sent_forward)},
    {"cancel-tcpip-forward", TO_SERVER},
    {"streamlocal-forward@openssh.com", TO_SERVER, offsetof(LyConnection, sent_forward)},
    {"cancel-streamlocal-forward@openssh.com", TO_SERVER},
    {"hostkeys-prove-00@openssh.com", TO_SERVER},
    {"hostkeys-00@openssh.com", TO_CLIENT},
};

static const Known *find_known(const Known *table, size_t count, LyBytes name)
{
    for (size_t i = 0; i < count; i++) {
        if (ly_bytes_is(name, table[i].name))
            return &table[i];
    }
    return NULL;
}

static bool is_for_us(const LyConnection *connection, const Known *known)
{
    return known &&
           (known->to & (ly_transport_role(connection->transport) == LY_SERVER ? TO_SERVER : TO_CLIENT));
}

static void note_sent(LyConnection *connection, const Known *known)
{
    if (known && known->flag)
        *(bool *)((char *)connection + known->flag) = true;
}

/* ---- our requests, waiting for replies ---- */

void ly_asked_free(LyAskedRing *ring)
{
    ly_free(ring->item);
    *ring = (LyAskedRing){0};
}

static bool asked_push(LyConnection *connection, LyAskedRing *ring, uint32_t tag, bool keepalive)
{
    if (ring->count == ring->room) {
        if (ring->room >= ASKED_MAX)
            return false;
        uint32_t room = LY_MAX(ring->room * 2, 8u);
        LyAsked *item = ly_new_array(LyAsked, room);
        for (uint32_t i = 0; i < ring->count; i++)
            item[i] = ring->item[(ring->head + i) % ring->room];
        ly_free(ring->item);
        *ring = (LyAskedRing){.item = item, .room = room, .count = ring->count};
    }
    ring->item[(ring->head + ring->count++) % ring->room] =
        (LyAsked){.tag = tag, .keepalive = keepalive, .sent_us = ly_transport_now_us(connection->transport)};
    return true;
}

static bool asked_pop(LyConnection *connection, LyAskedRing *ring, LyAsked *asked)
{
    if (!ring->count)
        return false;
    *asked = ring->item[ring->head];
    ring->head = (ring->head + 1) % ring->room;
    ring->count--;
    ly_connection_answered(connection, asked->sent_us);
    return true;
}

static void too_many_asked(LyConnection *connection)
{
    ly_transport_fail(connection->transport, LY_ERROR_LIMIT, SSH_DISCONNECT_BY_APPLICATION,
                      "%d requests are without an answer", ASKED_MAX);
}

/* ---- the peer's requests, waiting for ours ---- */

static bool owed_push(LyOwedRing *ring, LyOwed owed)
{
    if (ring->count == ring->room)
        return false;
    ring->item[(ring->head + ring->count++) % ring->room] = (uint8_t)owed;
    return true;
}

static void owed_pop(LyOwedRing *ring)
{
    ring->head = (ring->head + 1) % ring->room;
    ring->count--;
}

static void send_channel_reply(LyChannel *channel, bool success)
{
    if (channel->close_sent)
        return;
    uint8_t payload[5] = {success ? SSH_MSG_CHANNEL_SUCCESS : SSH_MSG_CHANNEL_FAILURE};
    ly_store_u32(payload + 1, channel->peer_id);
    LyBytes part = ly_bytes(payload, sizeof payload);
    ly_transport_send(channel->connection->transport, &part, 1);
}

static void send_global_reply(LyConnection *connection, bool success, LyBytes data)
{
    uint8_t number = success ? SSH_MSG_REQUEST_SUCCESS : SSH_MSG_REQUEST_FAILURE;
    LyBytes parts[2] = {ly_bytes(&number, 1), data};
    ly_transport_send(connection->transport, parts, success ? 2 : 1);
}

/* What is owed by us alone leaves as soon as nothing stands before it. */
static void flush_channel_replies(LyChannel *channel)
{
    LyOwedRing *ring = &channel->owed;
    for (; ring->count && ring->item[ring->head] != LY_OWED_BY_APPLICATION; owed_pop(ring))
        send_channel_reply(channel, ring->item[ring->head] == LY_OWED_SUCCESS);
}

void ly_channel_settle_replies(LyChannel *channel)
{
    LyOwedRing *ring = &channel->owed;
    uint32_t count = ring->count; /* up to the last one that was answered */
    while (count && ring->item[(ring->head + count - 1) % ring->room] == LY_OWED_BY_APPLICATION)
        count--;
    for (; count; count--, owed_pop(ring))
        send_channel_reply(channel, ring->item[ring->head] == LY_OWED_SUCCESS);
}

static void flush_global_replies(LyConnection *connection)
{
    LyOwedRing *ring = &connection->owed;
    for (; ring->count && ring->item[ring->head] != LY_OWED_BY_APPLICATION; owed_pop(ring)) {
        LyBuf *data = connection->owed_data ? &connection->owed_data[ring->head] : &(LyBuf){0};
        send_global_reply(connection, ring->item[ring->head] == LY_OWED_SUCCESS, ly_buf_bytes(data));
        ly_buf_free(data);
    }
}

/* What is owed to the newest request; NULL when it was answered. */
static uint8_t *owed_last(LyOwedRing *ring)
{
    uint8_t *last = &ring->item[(ring->head + ring->count + ring->room - 1) % ring->room];
    return ring->count && *last == LY_OWED_BY_APPLICATION ? last : NULL;
}

/* ---- channel requests ---- */

void ly_channel_request(LyChannel *channel, LyBytes type, bool want_reply, uint32_t tag, LyBytes data)
{
    LyConnection *connection = channel->connection;
    if (!ly_channel_is_open(channel))
        return;
    if (want_reply && !asked_push(connection, &channel->asked, tag, false)) {
        too_many_asked(connection);
        return;
    }
    note_sent(connection, find_known(channel_requests, LY_COUNT(channel_requests), type));
    LyBuf payload = {0};
    ly_put_u8(&payload, SSH_MSG_CHANNEL_REQUEST);
    ly_put_u32(&payload, channel->peer_id);
    ly_put_string(&payload, type);
    ly_put_bool(&payload, want_reply);
    ly_buf_add(&payload, data);
    ly_connection_send(connection, &payload);
}

void ly_channel_exit_status(LyChannel *channel, uint32_t status)
{
    uint8_t data[4];
    ly_store_u32(data, status);
    ly_channel_request(channel, LY_BYTES("exit-status"), false, 0, ly_bytes(data, sizeof data));
}

void ly_channel_exit_signal(LyChannel *channel, LyBytes name_without_sig, bool core_dumped, LyBytes message)
{
    LY_AUTO(ly_buf_free) LyBuf data = {0};
    ly_put_string(&data, name_without_sig);
    ly_put_bool(&data, core_dumped);
    ly_put_string(&data, message);
    ly_put_cstring(&data, ""); /* language */
    ly_channel_request(channel, LY_BYTES("exit-signal"), false, 0, ly_buf_bytes(&data));
}

static bool exit_status_received(LyChannel *channel, LyReader *reader, LyConnectionEvent *event)
{
    uint32_t status = ly_get_u32(reader);
    if (!ly_reader_done(reader))
        return ly_connection_violation(channel->connection, "a malformed exit-status");
    *event = (LyConnectionEvent){.type = LY_CHANNEL_EXIT_STATUS, .channel = channel, .number = status};
    return true;
}

static bool exit_signal_received(LyChannel *channel, LyReader *reader, LyConnectionEvent *event)
{
    LyBytes name = ly_get_string(reader);
    bool core_dumped = ly_get_bool(reader);
    LyBytes message = ly_get_string(reader);
    ly_get_string(reader); /* language */
    if (!ly_reader_done(reader))
        return ly_connection_violation(channel->connection, "a malformed exit-signal");
    *event = (LyConnectionEvent){.type = LY_CHANNEL_EXIT_SIGNAL,
                                 .channel = channel,
                                 .text = name,
                                 .core_dumped = core_dumped,
                                 .data = message};
    return true;
}

bool ly_channel_request_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event)
{
    LyChannel *channel = ly_channel_of(connection, reader, "SSH_MSG_CHANNEL_REQUEST", false);
    if (!channel)
        return false;
    LyBytes type = ly_get_string(reader);
    bool want_reply = ly_get_bool(reader);
    if (reader->failed)
        return ly_connection_violation(connection, "a malformed SSH_MSG_CHANNEL_REQUEST");
    if (channel->close_sent)
        return false;
    const Known *known = find_known(channel_requests, LY_COUNT(channel_requests), type);
    bool ours = is_for_us(connection, known);
    bool is_status = ours && ly_bytes_is(type, "exit-status");
    bool is_signal = ours && ly_bytes_is(type, "exit-signal");
    LyOwed owed = !ours ? LY_OWED_FAILURE : is_status || is_signal ? LY_OWED_SUCCESS : LY_OWED_BY_APPLICATION;
    if (want_reply && !owed_push(&channel->owed, owed))
        return ly_connection_violation(connection,
                                       "more than %d requests without waiting for the answers on channel %u",
                                       LY_CHANNEL_REQUESTS_MAX, channel->id);
    flush_channel_replies(channel);
    if (is_status)
        return exit_status_received(channel, reader, event);
    if (is_signal)
        return exit_signal_received(channel, reader, event);
    *event = (LyConnectionEvent){.type = LY_CHANNEL_REQUEST,
                                 .channel = channel,
                                 .text = type,
                                 .data = ly_get_rest(reader),
                                 .want_reply = want_reply};
    return ours;
}

void ly_channel_reply(LyChannel *channel, bool success)
{
    if (channel->state != LY_CHANNEL_ESTABLISHED || !channel->owed.count)
        return;
    owed_pop(&channel->owed); /* the head is always the application's */
    send_channel_reply(channel, success);
    flush_channel_replies(channel);
}

void ly_channel_reply_last(LyChannel *channel, bool success)
{
    uint8_t *last = channel->state == LY_CHANNEL_ESTABLISHED ? owed_last(&channel->owed) : NULL;
    if (!last)
        return;
    *last = success ? LY_OWED_SUCCESS : LY_OWED_FAILURE;
    flush_channel_replies(channel);
}

static bool channel_reply_received(LyConnection *connection, LyReader *reader, const char *message,
                                   bool success, LyConnectionEvent *event)
{
    LyChannel *channel = ly_channel_of(connection, reader, message, true);
    if (!channel)
        return false;
    if (!ly_reader_done(reader))
        return ly_connection_violation(connection, "a malformed %s", message);
    LyAsked asked;
    if (!asked_pop(connection, &channel->asked, &asked) || channel->close_sent)
        return false;
    *event = (LyConnectionEvent){
        .type = LY_CHANNEL_REPLY, .channel = channel, .number = asked.tag, .success = success};
    return true;
}

bool ly_channel_success_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event)
{
    return channel_reply_received(connection, reader, "SSH_MSG_CHANNEL_SUCCESS", true, event);
}

bool ly_channel_refusal_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event)
{
    return channel_reply_received(connection, reader, "SSH_MSG_CHANNEL_FAILURE", false, event);
}

/* ---- global requests ---- */

static void send_global_request(LyConnection *connection, LyBytes type, bool want_reply, LyBytes data)
{
    LyBuf payload = {0};
    ly_put_u8(&payload, SSH_MSG_GLOBAL_REQUEST);
    ly_put_string(&payload, type);
    ly_put_bool(&payload, want_reply);
    ly_buf_add(&payload, data);
    ly_connection_send(connection, &payload);
}

void ly_global_request(LyConnection *connection, LyBytes type, bool want_reply, uint32_t tag, LyBytes data)
{
    if (want_reply && !asked_push(connection, &connection->asked, tag, false)) {
        too_many_asked(connection);
        return;
    }
    note_sent(connection, find_known(global_requests, LY_COUNT(global_requests), type));
    send_global_request(connection, type, want_reply, data);
}

void ly_keepalive_send(LyConnection *connection)
{
    if (!asked_push(connection, &connection->asked, 0, true))
        return;
    send_global_request(connection, LY_BYTES("keepalive@openssh.com"), true, (LyBytes){0});
}

bool ly_global_request_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event)
{
    LyBytes type = ly_get_string(reader);
    bool want_reply = ly_get_bool(reader);
    if (reader->failed)
        return ly_connection_violation(connection, "a malformed SSH_MSG_GLOBAL_REQUEST");
    bool is_server = ly_transport_role(connection->transport) == LY_SERVER;
    bool no_more = is_server && ly_bytes_is(type, "no-more-sessions@openssh.com");
    connection->no_more_sessions |= no_more;
    bool ours = is_for_us(connection, find_known(global_requests, LY_COUNT(global_requests), type));
    LyOwed owed = no_more ? LY_OWED_SUCCESS : ours ? LY_OWED_BY_APPLICATION : LY_OWED_FAILURE;
    if (want_reply && !owed_push(&connection->owed, owed))
        return ly_connection_violation(connection,
                                       "more than %u global requests without waiting for the answers",
                                       connection->owed.room);
    flush_global_replies(connection);
    *event = (LyConnectionEvent){
        .type = LY_GLOBAL_REQUEST, .text = type, .data = ly_get_rest(reader), .want_reply = want_reply};
    return ours;
}

void ly_global_reply(LyConnection *connection, bool success, LyBytes data)
{
    if (!connection->owed.count)
        return;
    owed_pop(&connection->owed);
    send_global_reply(connection, success, data);
    flush_global_replies(connection);
}

void ly_global_reply_last(LyConnection *connection, bool success, LyBytes data)
{
    LyOwedRing *ring = &connection->owed;
    uint8_t *last = owed_last(ring);
    if (!last)
        return;
    *last = success ? LY_OWED_SUCCESS : LY_OWED_FAILURE;
    if (success && data.len) {
        if (!connection->owed_data)
            connection->owed_data = ly_new_array(LyBuf, ring->room);
        ly_buf_add(&connection->owed_data[last - ring->item], data);
    }
    flush_global_replies(connection);
}

static bool global_reply_received(LyConnection *connection, bool success, LyBytes data,
                                  LyConnectionEvent *event)
{
    LyAsked asked;
    if (!asked_pop(connection, &connection->asked, &asked) || asked.keepalive)
        return false;
    *event =
        (LyConnectionEvent){.type = LY_GLOBAL_REPLY, .success = success, .data = data, .number = asked.tag};
    return true;
}

bool ly_global_success_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event)
{
    return global_reply_received(connection, true, ly_get_rest(reader), event);
}

bool ly_global_failure_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event)
{
    if (!ly_reader_done(reader))
        return ly_connection_violation(connection, "a malformed SSH_MSG_REQUEST_FAILURE");
    return global_reply_received(connection, false, (LyBytes){0}, event);
}
