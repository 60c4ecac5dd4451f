/* RFC 4254 section 5.2: data and windows. Nothing here allocates for a packet. All sums are of 64 bits. */
#include "connection/connection-private.h"

#define DEFAULT_WINDOW ((uint32_t)2 << 20)
#define DEFAULT_MAX_PACKET ((uint32_t)32 << 10)
#define MAX_PACKET_SENT ((uint64_t)192 << 10) /* whatever a peer allows: its packets have a bound too */
#define BACKLOG ((size_t)1 << 20)   /* more would only leave the processor's cache before it is written */
#define BACKLOG_LOW (BACKLOG / 2)   /* sending goes on under this, so that it goes on in big steps */
#define ROOM_MIN ((size_t)32 << 10) /* less room in the backlog is none: it would make small packets */
#define PARTS_MAX 16

void ly_channel_set_windows(LyChannel *channel, const LyChannelOptions *options)
{
    static const LyChannelOptions none;
    if (!options)
        options = &none;
    channel->window = options->window ? options->window : DEFAULT_WINDOW;
    channel->max_window = LY_MAX(channel->window, options->max_window);
    channel->max_packet = options->max_packet ? options->max_packet : DEFAULT_MAX_PACKET;
    channel->receive_window = channel->window;
    if (options->func)
        channel->func = options->func;
    if (options->user)
        channel->user = options->user;
    channel->lap_us = ly_transport_now_us(channel->connection->transport);
}

/* ---- sending ---- */

/* The parts from byte `start` on, at most `len` bytes and PARTS_MAX pieces; returns how many bytes they are.
 */
static size_t gather(const LyBytes *parts, size_t count, size_t start, size_t len, LyBytes *out,
                     size_t *out_count)
{
    size_t gathered = 0, pieces = 0;
    for (size_t i = 0; i < count && gathered < len && pieces < PARTS_MAX; i++) {
        if (start >= parts[i].len) {
            start -= parts[i].len;
            continue;
        }
        LyBytes piece = ly_bytes_slice(parts[i], start, len - gathered);
        start = 0;
        out[pieces++] = piece;
        gathered += piece.len;
    }
    *out_count = pieces;
    return gathered;
}

/* LY_CHANNEL_WINDOW is to come. */
static void starve(LyChannel *channel)
{
    if (!channel->starving_link.next)
        ly_list_append(&channel->connection->starving, &channel->starving_link);
    channel->connection->look_for_room |= channel->send_window > 0;
}

static size_t send_parts(LyChannel *channel, bool is_stderr, const LyBytes *parts, size_t count)
{
    if (!ly_channel_is_open(channel) || channel->eof_sent)
        return 0;
    LyConnection *connection = channel->connection;
    uint64_t max_packet = LY_MIN((uint64_t)channel->send_max_packet, MAX_PACKET_SENT);
    uint8_t head[13];
    size_t head_len = is_stderr ? 13 : 9;
    head[0] = is_stderr ? SSH_MSG_CHANNEL_EXTENDED_DATA : SSH_MSG_CHANNEL_DATA;
    ly_store_u32(head + 1, channel->peer_id);
    if (is_stderr)
        ly_store_u32(head + 5, SSH_EXTENDED_DATA_STDERR);
    size_t total = 0, taken = 0;
    for (size_t i = 0; i < count; i++)
        total += parts[i].len;
    while (taken < total) {
        if (channel->send_window == 0 || ly_transport_output_len(connection->transport) >= BACKLOG) {
            starve(channel);
            break;
        }
        uint64_t len = LY_MIN((uint64_t)(total - taken), LY_MIN(max_packet, channel->send_window));
        LyBytes pieces[1 + PARTS_MAX];
        size_t piece_count;
        size_t gathered = gather(parts, count, taken, (size_t)len, pieces + 1, &piece_count);
        ly_store_u32(head + head_len - 4, (uint32_t)gathered);
        pieces[0] = ly_bytes(head, head_len);
        if (!ly_transport_send(connection->transport, pieces, 1 + piece_count))
            break;
        channel->send_window -= gathered;
        taken += gathered;
    }
    return taken;
}

size_t ly_channel_room(LyChannel *channel)
{
    if (!ly_channel_is_open(channel) || channel->eof_sent)
        return 0;
    size_t output_len = ly_transport_output_len(channel->connection->transport);
    size_t backlog = output_len < BACKLOG - ROOM_MIN ? BACKLOG - output_len : 0;
    size_t room = (size_t)LY_MIN((uint64_t)backlog, channel->send_window);
    if (!room)
        starve(channel);
    return room;
}

size_t ly_channel_send(LyChannel *channel, const LyBytes *parts, size_t count)
{
    return send_parts(channel, false, parts, count);
}

size_t ly_channel_send_stderr(LyChannel *channel, const LyBytes *parts, size_t count)
{
    return send_parts(channel, true, parts, count);
}

bool ly_channel_adjust_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event)
{
    /* An adjust may have been under way when both sides closed; OpenSSH ignores it as well. */
    LyChannel *channel = ly_channel_of(connection, reader, "SSH_MSG_CHANNEL_WINDOW_ADJUST", true);
    if (!channel)
        return false;
    uint32_t len = ly_get_u32(reader);
    if (!ly_reader_done(reader))
        return ly_connection_violation(connection, "a malformed SSH_MSG_CHANNEL_WINDOW_ADJUST");
    if (channel->send_window + len > UINT32_MAX)
        return ly_connection_violation(connection, "a window of more than 4 GiB for channel %u", channel->id);
    channel->send_window += len;
    connection->look_for_room |= channel->starving_link.next != NULL;
    return false; /* whoever waits for it is told by ly_connection_next() */
}

bool ly_connection_next(LyConnection *connection, LyConnectionEvent *event)
{
    if (connection->gone) {
        ly_channel_free(connection->gone);
        connection->gone = NULL;
    }
    if (!connection->look_for_room || ly_transport_is_closed(connection->transport) ||
        ly_transport_output_len(connection->transport) >= BACKLOG_LOW)
        return false;
    ly_list_each(&connection->starving, LyChannel, starving_link, channel)
    {
        if (channel->send_window) {
            ly_link_remove(&channel->starving_link);
            *event = (LyConnectionEvent){.type = LY_CHANNEL_WINDOW, .channel = channel};
            return true;
        }
    }
    connection->look_for_room = false;
    return false;
}

/* ---- receiving ---- */

static void send_adjust(LyChannel *channel)
{
    uint8_t payload[9] = {SSH_MSG_CHANNEL_WINDOW_ADJUST};
    ly_store_u32(payload + 1, channel->peer_id);
    ly_store_u32(payload + 5, (uint32_t)channel->credit);
    LyBytes part = ly_bytes(payload, sizeof payload);
    channel->receive_window += channel->credit;
    channel->credit = 0;
    ly_transport_send(channel->connection->transport, &part, 1);
}

/* A sender that is limited by the window gets one window across in a round trip; so one that got it across in
 * less than two might be, and gets a larger one. */
static void grow_window(LyChannel *channel, size_t len)
{
    channel->lap_bytes += len;
    if (channel->lap_bytes < channel->window)
        return;
    uint64_t now_us = ly_transport_now_us(channel->connection->transport);
    if (now_us - channel->lap_us < 2 * channel->connection->rtt_us && channel->window < channel->max_window) {
        uint64_t window = LY_MIN(channel->window * 2, channel->max_window);
        channel->credit += window - channel->window;
        channel->window = window;
    }
    channel->lap_bytes = 0;
    channel->lap_us = now_us;
}

void ly_channel_consumed(LyChannel *channel, size_t len)
{
    if (channel->state != LY_CHANNEL_ESTABLISHED)
        return;
    len = LY_MIN(len, channel->held); /* nobody opens the window further than what came */
    channel->held -= len;
    channel->credit += len;
    if (channel->eof_received || channel->close_sent)
        return;
    if (channel->window < channel->max_window)
        grow_window(channel, len);
    if (channel->credit >= channel->window / 2 && channel->credit)
        send_adjust(channel);
}

static bool data_received(LyChannel *channel, LyConnectionEventType type, LyBytes data,
                          LyConnectionEvent *event)
{
    LyConnection *connection = channel->connection;
    if (data.len > channel->receive_window)
        return ly_connection_violation(connection, "%zu bytes for channel %u, whose window is %llu bytes",
                                       data.len, channel->id, (unsigned long long)channel->receive_window);
    if (data.len > channel->max_packet)
        return ly_connection_violation(connection, "%zu bytes at once for channel %u, which takes %u",
                                       data.len, channel->id, channel->max_packet);
    if (channel->eof_received)
        return ly_connection_violation(connection, "data for channel %u after its end of file", channel->id);
    channel->receive_window -= data.len;
    if (channel->close_sent || data.len == 0)
        return false;
    channel->held += data.len;
    *event = (LyConnectionEvent){.type = type, .channel = channel, .data = data};
    return true;
}

bool ly_channel_data_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event)
{
    LyChannel *channel = ly_channel_of(connection, reader, "SSH_MSG_CHANNEL_DATA", false);
    if (!channel)
        return false;
    LyBytes data = ly_get_string(reader);
    if (!ly_reader_done(reader))
        return ly_connection_violation(connection, "a malformed SSH_MSG_CHANNEL_DATA");
    return data_received(channel, LY_CHANNEL_DATA, data, event);
}

bool ly_channel_extended_received(LyConnection *connection, LyReader *reader, LyConnectionEvent *event)
{
    LyChannel *channel = ly_channel_of(connection, reader, "SSH_MSG_CHANNEL_EXTENDED_DATA", false);
    if (!channel)
        return false;
    uint32_t kind = ly_get_u32(reader);
    LyBytes data = ly_get_string(reader);
    if (!ly_reader_done(reader))
        return ly_connection_violation(connection, "a malformed SSH_MSG_CHANNEL_EXTENDED_DATA");
    bool given = data_received(channel, LY_CHANNEL_STDERR, data, event);
    if (given &&
        kind != SSH_EXTENDED_DATA_STDERR) { /* a kind without a meaning: dropped, but its window comes back */
        ly_channel_consumed(channel, data.len);
        return false;
    }
    return given;
}
