/* RFC 4254 section 5: channels from OPEN to CLOSE. */
#include "connection/connection-private.h"

#define OPEN_DATA_MAX ((size_t)4096) /* a path and an address fit */
#define DESCRIPTION_MAX ((size_t)256)

/* Which side may open which channels, and what it must have been asked for before (RFC 4254 6.1, 6.3.2, 7.2).
 * Refused here, so that no application has to remember. */
static const struct {
    const char *name;
    LyRole receiver;
    size_t flag; /* offset of the flag in LyConnection that must be set; 0: none */
} types[] = {
    {"session", LY_SERVER, 0},
    {"direct-tcpip", LY_SERVER, 0},
    {"direct-streamlocal@openssh.com", LY_SERVER, 0},
    {"forwarded-tcpip", LY_CLIENT, offsetof(LyConnection, sent_forward)},
    {"forwarded-streamlocal@openssh.com", LY_CLIENT, offsetof(LyConnection, sent_forward)},
    {"x11", LY_CLIENT, offsetof(LyConnection, sent_x11)},
    {"auth-agent@openssh.com", LY_CLIENT, offsetof(LyConnection, sent_agent)},
    {"agent-connect", LY_CLIENT, offsetof(LyConnection, sent_agent)},
};

void ly_channel_free(LyChannel *channel)
{
    ly_link_remove(&channel->starving_link);
    ly_asked_free(&channel->asked);
    ly_buf_free(&channel->open_data);
    ly_free(channel->type);
    ly_free(channel);
}

static LyChannel *channel_new(LyConnection *connection, LyBytes type, LyChannelState state)
{
    LyChannel *channel = ly_new(LyChannel);
    if (!ly_slots_take(&connection->channels, channel, &channel->id)) {
        ly_free(channel);
        return NULL;
    }
    channel->connection = connection;
    channel->state = state;
    channel->type = ly_bytes_dup_str(type);
    channel->owed = (LyOwedRing){.item = channel->owed_room, .room = LY_COUNT(channel->owed_room)};
    return channel;
}

/* The id may be given to another channel from now on; the memory lives until the next event, which may name
 * the channel. */
static void channel_gone(LyChannel *channel)
{
    ly_slots_give(&channel->connection->channels, channel->id);
    ly_link_remove(&channel->starving_link);
    channel->state = LY_CHANNEL_GONE;
    channel->connection->gone = channel;
}

LyChannel *ly_channel_of(LyConnection *connection, LyReader *reader, const char *message, bool lenient)
{
    uint32_t id = ly_get_u32(reader);
    if (reader->failed) {
        ly_connection_violation(connection, "a malformed %s", message);
        return NULL;
    }
    LyChannel *channel = ly_slots_find(&connection->channels, id);
    if (!channel && lenient)
        return NULL;
    if (!channel || channel->state != LY_CHANNEL_ESTABLISHED) {
        ly_connection_violation(connection, "%s for channel %u, which is not open", message, id);
        return NULL;
    }
    if (!channel->first_heard) {
        channel->first_heard = true;
        ly_connection_answered(connection, channel->opened_us);
    }
    return channel;
}

/* ---- opening ---- */

LyChannel *ly_channel_open(LyConnection *connection, LyBytes type, LyBytes data,
                           const LyChannelOptions *options)
{
    LyChannel *channel = channel_new(connection, type, LY_CHANNEL_OPENING);
    if (!channel)
        return NULL;
    ly_channel_set_windows(channel, options);
    channel->opened_us = ly_transport_now_us(connection->transport);
    LyBuf payload = {0};
    ly_put_u8(&payload, SSH_MSG_CHANNEL_OPEN);
    ly_put_string(&payload, type);
    ly_put_u32(&payload, channel->id);
    ly_put_u32(&payload, (uint32_t)channel->receive_window);
    ly_put_u32(&payload, channel->max_packet);
    ly_buf_add(&payload, data);
    ly_connection_send(connection, &payload);
    return channel;
}

static void send_open_failure(LyConnection *connection, uint32_t peer_id, uint32_t reason,
                              const char *description)
{
    LyBuf payload = {0};
    ly_put_u8(&payload, SSH_MSG_CHANNEL_OPEN_FAILURE);
    ly_put_u32(&payload, peer_id);
    ly_put_u32(&payload, reason);
    ly_put_string(&payload, ly_bytes_slice(ly_bytes_str(description), 0, DESCRIPTION_MAX));
    ly_put_cstring(&payload, "");
    ly_connection_send(connection, &payload);
}

/* 0: the application decides; else a reason and a sentence. */
static uint32_t judge_open(const LyConnection *connection, LyBytes type, LyBytes data, uint32_t max_packet,
                           const char **description)
{
    LyRole role = ly_transport_role(connection->transport);
    size_t i = 0;
    while (i < LY_COUNT(types) && !(types[i].receiver == role && ly_bytes_is(type, types[i].name)))
        i++;
    if (i == LY_COUNT(types)) {
        *description = "unknown channel type";
        return SSH_OPEN_UNKNOWN_CHANNEL_TYPE;
    }
    if (types[i].flag && !*(const bool *)((const char *)connection + types[i].flag)) {
        *description = "nobody asked for such channels";
        return SSH_OPEN_ADMINISTRATIVELY_PROHIBITED;
    }
    if (connection->no_more_sessions && ly_bytes_is(type, "session")) {
        *description = "no more sessions were to come";
        return SSH_OPEN_ADMINISTRATIVELY_PROHIBITED;
    }
    if (max_packet == 0) {
        *description = "a maximum packet size of 0 lets nothing through";
        return SSH_OPEN_ADMINISTRATIVELY_PROHIBITED;
    }
    if (data.len > OPEN_DATA_MAX) {
        *description = "the request is too long";
        return SSH_OPEN_RESOURCE_SHORTAGE;
    }
    return 0;
}

bool ly_channel_open_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event)
{
    LyBytes type = ly_get_string(reader);
    uint32_t peer_id = ly_get_u32(reader);
    uint32_t window = ly_get_u32(reader);
    uint32_t max_packet = ly_get_u32(reader);
    LyBytes data = ly_get_rest(reader);
    if (reader->failed)
        return ly_connection_violation(connection, "a malformed SSH_MSG_CHANNEL_OPEN");
    const char *description;
    uint32_t reason = judge_open(connection, type, data, max_packet, &description);
    LyChannel *channel = reason ? NULL : channel_new(connection, type, LY_CHANNEL_QUESTION);
    if (!channel) {
        if (!reason) {
            reason = SSH_OPEN_RESOURCE_SHORTAGE;
            description = "too many channels are open";
        }
        send_open_failure(connection, peer_id, reason, description);
        return false;
    }
    channel->peer_id = peer_id;
    channel->send_window = window;
    channel->send_max_packet = max_packet;
    ly_buf_add(&channel->open_data, data);
    *event = (LyConnectionEvent){.type = LY_CHANNEL_OPEN_REQUEST,
                                 .channel = channel,
                                 .text = ly_channel_type(channel),
                                 .data = ly_buf_bytes(&channel->open_data)};
    return true;
}

void ly_channel_accept(LyChannel *channel, const LyChannelOptions *options, LyBytes data)
{
    if (channel->state != LY_CHANNEL_QUESTION)
        return;
    channel->state = LY_CHANNEL_ESTABLISHED;
    ly_buf_free(&channel->open_data);
    ly_channel_set_windows(channel, options);
    channel->opened_us = ly_transport_now_us(channel->connection->transport);
    LyBuf payload = {0};
    ly_put_u8(&payload, SSH_MSG_CHANNEL_OPEN_CONFIRMATION);
    ly_put_u32(&payload, channel->peer_id);
    ly_put_u32(&payload, channel->id);
    ly_put_u32(&payload, (uint32_t)channel->receive_window);
    ly_put_u32(&payload, channel->max_packet);
    ly_buf_add(&payload, data);
    ly_connection_send(channel->connection, &payload);
}

void ly_channel_refuse(LyChannel *channel, uint32_t reason, const char *description)
{
    if (channel->state != LY_CHANNEL_QUESTION)
        return;
    LyConnection *connection = channel->connection;
    send_open_failure(connection, channel->peer_id, reason, description ? description : "");
    ly_slots_give(&connection->channels, channel->id);
    ly_channel_free(channel);
}

/* The channel of an answer to our OPEN. */
static LyChannel *opening_channel(LyConnection *connection, uint32_t id, const char *message)
{
    LyChannel *channel = ly_slots_find(&connection->channels, id);
    if (channel && channel->state == LY_CHANNEL_OPENING)
        return channel;
    ly_connection_violation(connection, "%s for channel %u, which was not asked for", message, id);
    return NULL;
}

bool ly_channel_confirmation_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event)
{
    uint32_t id = ly_get_u32(reader);
    uint32_t peer_id = ly_get_u32(reader);
    uint32_t window = ly_get_u32(reader);
    uint32_t max_packet = ly_get_u32(reader);
    LyBytes data = ly_get_rest(reader);
    if (reader->failed)
        return ly_connection_violation(connection, "a malformed SSH_MSG_CHANNEL_OPEN_CONFIRMATION");
    LyChannel *channel = opening_channel(connection, id, "SSH_MSG_CHANNEL_OPEN_CONFIRMATION");
    if (!channel)
        return false;
    if (max_packet == 0)
        return ly_connection_violation(connection, "a maximum packet size of 0 for channel %u", id);
    ly_connection_answered(connection, channel->opened_us);
    channel->first_heard = true;
    channel->state = LY_CHANNEL_ESTABLISHED;
    channel->peer_id = peer_id;
    channel->send_window = window;
    channel->send_max_packet = max_packet;
    if (channel->close_wanted) {
        ly_channel_close(channel);
        return false;
    }
    *event = (LyConnectionEvent){.type = LY_CHANNEL_OPENED, .channel = channel, .data = data};
    return true;
}

bool ly_channel_failure_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event)
{
    uint32_t id = ly_get_u32(reader);
    uint32_t reason = ly_get_u32(reader);
    LyBytes description = ly_get_string(reader);
    ly_get_string(reader); /* language */
    if (!ly_reader_done(reader))
        return ly_connection_violation(connection, "a malformed SSH_MSG_CHANNEL_OPEN_FAILURE");
    LyChannel *channel = opening_channel(connection, id, "SSH_MSG_CHANNEL_OPEN_FAILURE");
    if (!channel)
        return false;
    channel_gone(channel);
    *event = (LyConnectionEvent){
        .type = LY_CHANNEL_OPEN_FAILED, .channel = channel, .number = reason, .text = description};
    return true;
}

/* ---- ending ---- */

static void send_short(LyChannel *channel, uint8_t number)
{
    uint8_t payload[5] = {number};
    ly_store_u32(payload + 1, channel->peer_id);
    LyBytes part = ly_bytes(payload, sizeof payload);
    ly_transport_send(channel->connection->transport, &part, 1);
}

void ly_channel_eof(LyChannel *channel)
{
    if (channel->state != LY_CHANNEL_ESTABLISHED || channel->eof_sent || channel->close_sent)
        return;
    channel->eof_sent = true;
    ly_link_remove(&channel->starving_link);
    send_short(channel, SSH_MSG_CHANNEL_EOF);
}

static void send_close(LyChannel *channel)
{
    channel->close_sent = true;
    ly_link_remove(&channel->starving_link);
    send_short(channel, SSH_MSG_CHANNEL_CLOSE);
}

void ly_channel_close(LyChannel *channel)
{
    if (channel->state == LY_CHANNEL_OPENING)
        channel->close_wanted = true; /* the peer's number for it is not known yet */
    if (channel->state == LY_CHANNEL_QUESTION)
        ly_channel_refuse(channel, SSH_OPEN_ADMINISTRATIVELY_PROHIBITED, "refused");
    else if (channel->state == LY_CHANNEL_ESTABLISHED && !channel->close_sent) {
        ly_channel_settle_replies(channel);
        send_close(channel);
    }
}

bool ly_channel_eof_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event)
{
    LyChannel *channel = ly_channel_of(connection, reader, "SSH_MSG_CHANNEL_EOF", false);
    if (!channel)
        return false;
    if (!ly_reader_done(reader))
        return ly_connection_violation(connection, "a malformed SSH_MSG_CHANNEL_EOF");
    bool again = channel->eof_received;
    channel->eof_received = true;
    *event = (LyConnectionEvent){.type = LY_CHANNEL_EOF, .channel = channel};
    return !again && !channel->close_sent;
}

bool ly_channel_close_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event)
{
    LyChannel *channel = ly_channel_of(connection, reader, "SSH_MSG_CHANNEL_CLOSE", false);
    if (!channel)
        return false;
    if (!ly_reader_done(reader))
        return ly_connection_violation(connection, "a malformed SSH_MSG_CHANNEL_CLOSE");
    if (!channel->close_sent) /* RFC 4254 5.3: CLOSE is answered with CLOSE */
        send_close(channel);
    channel_gone(channel);
    *event = (LyConnectionEvent){.type = LY_CHANNEL_CLOSED, .channel = channel};
    return true;
}

/* ---- what it is ---- */

void *ly_channel_user(const LyChannel *channel)
{
    return channel->user;
}

LyChannelFunc ly_channel_func(const LyChannel *channel)
{
    return channel->func;
}

void ly_channel_set_func(LyChannel *channel, LyChannelFunc func, void *user)
{
    channel->func = func;
    channel->user = user;
}

void ly_channel_set_user(LyChannel *channel, void *user)
{
    channel->user = user;
}

LyBytes ly_channel_type(const LyChannel *channel)
{
    return ly_bytes_str(channel->type);
}

bool ly_channel_is_open(const LyChannel *channel)
{
    return channel->state == LY_CHANNEL_ESTABLISHED && !channel->close_sent;
}
