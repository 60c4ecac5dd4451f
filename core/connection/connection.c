#include "connection/connection-private.h"

#include <stdarg.h>
#include <stdio.h>

#define DEFAULT_MAX_CHANNELS 1024
#define DEFAULT_KEEPALIVE_COUNT 3
#define DEFAULT_PENDING_REQUESTS 64
#define SECOND_US 1000000u

LyConnection *ly_connection_new(LyTransport *transport, const LyConnectionOptions *options)
{
    LyConnection *connection = ly_new(LyConnection);
    connection->transport = transport;
    if (options)
        connection->options = *options;
    LyConnectionOptions *own = &connection->options;
    if (!own->max_channels)
        own->max_channels = DEFAULT_MAX_CHANNELS;
    if (!own->keepalive_count)
        own->keepalive_count = DEFAULT_KEEPALIVE_COUNT;
    if (!own->max_pending_requests)
        own->max_pending_requests = DEFAULT_PENDING_REQUESTS;
    ly_slots_init(&connection->channels, own->max_channels);
    ly_list_init(&connection->starving);
    connection->owed =
        (LyOwedRing){.item = ly_alloc(own->max_pending_requests), .room = own->max_pending_requests};
    connection->heard_us = ly_transport_now_us(transport);
    return connection;
}

static void free_gone(LyConnection *connection)
{
    if (connection->gone)
        ly_channel_free(connection->gone);
    connection->gone = NULL;
}

void ly_connection_free(LyConnection *connection)
{
    if (!connection)
        return;
    free_gone(connection);
    uint32_t position = 0, id;
    LyChannel *channel;
    while ((channel = ly_slots_each(&connection->channels, &position, &id)))
        ly_channel_free(channel);
    ly_slots_free(&connection->channels);
    ly_asked_free(&connection->asked);
    for (uint32_t i = 0; connection->owed_data && i < connection->owed.room; i++)
        ly_buf_free(&connection->owed_data[i]);
    ly_free(connection->owed_data);
    ly_free(connection->owed.item);
    ly_free(connection);
}

bool ly_connection_violation(LyConnection *connection, const char *format, ...)
{
    char text[320];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return ly_transport_fail(
        connection->transport, LY_ERROR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR, "the %s sent %s",
        ly_transport_role(connection->transport) == LY_CLIENT ? "server" : "client", text);
}

void ly_connection_send(LyConnection *connection, LyBuf *payload)
{
    ly_transport_send_buf(connection->transport, payload);
    ly_buf_free(payload);
}

void ly_connection_answered(LyConnection *connection, uint64_t sent_us)
{
    uint64_t now_us = ly_transport_now_us(connection->transport);
    if (now_us <= sent_us)
        return;
    if (!connection->rtt_us || now_us - sent_us < connection->rtt_us)
        connection->rtt_us = now_us - sent_us;
}

/* ---- messages ---- */

typedef bool ReceiveFunction(LyConnection *connection, LyReader *reader, LyConnectionEvent *event);

static const struct {
    uint8_t number;
    ReceiveFunction *receive;
} messages[] = {
    {SSH_MSG_CHANNEL_DATA, ly_channel_data_received},
    {SSH_MSG_CHANNEL_WINDOW_ADJUST, ly_channel_adjust_received},
    {SSH_MSG_CHANNEL_EXTENDED_DATA, ly_channel_extended_received},
    {SSH_MSG_CHANNEL_OPEN, ly_channel_open_received},
    {SSH_MSG_CHANNEL_OPEN_CONFIRMATION, ly_channel_confirmation_received},
    {SSH_MSG_CHANNEL_OPEN_FAILURE, ly_channel_failure_received},
    {SSH_MSG_CHANNEL_EOF, ly_channel_eof_received},
    {SSH_MSG_CHANNEL_CLOSE, ly_channel_close_received},
    {SSH_MSG_CHANNEL_REQUEST, ly_channel_request_received},
    {SSH_MSG_CHANNEL_SUCCESS, ly_channel_success_received},
    {SSH_MSG_CHANNEL_FAILURE, ly_channel_refusal_received},
    {SSH_MSG_GLOBAL_REQUEST, ly_global_request_received},
    {SSH_MSG_REQUEST_SUCCESS, ly_global_success_received},
    {SSH_MSG_REQUEST_FAILURE, ly_global_failure_received},
};

bool ly_connection_receive(LyConnection *connection, LyBytes payload, LyConnectionEvent *event)
{
    free_gone(connection);
    if (payload.len == 0 || ly_transport_is_closed(connection->transport))
        return false;
    ly_connection_heard(connection);
    LyReader reader = ly_reader(payload);
    uint8_t number = ly_get_u8(&reader);
    for (size_t i = 0; i < LY_COUNT(messages); i++) {
        if (messages[i].number == number) {
            LyConnectionEvent given = {0};
            if (!messages[i].receive(connection, &reader, &given))
                return false;
            *event = given;
            return true;
        }
    }
    ly_transport_unimplemented(connection->transport);
    return false;
}

/* ---- time ---- */

void ly_connection_heard(LyConnection *connection)
{
    connection->heard_us = ly_transport_now_us(connection->transport);
    connection->keepalives = 0;
}

uint64_t ly_connection_deadline_us(const LyConnection *connection)
{
    if (!connection->options.keepalive_us || ly_transport_is_closed(connection->transport))
        return UINT64_MAX;
    uint64_t from = connection->keepalives ? connection->keepalive_us : connection->heard_us;
    return from + connection->options.keepalive_us;
}

void ly_connection_tick(LyConnection *connection, uint64_t now_us)
{
    if (now_us < ly_connection_deadline_us(connection))
        return;
    if (connection->keepalives >= connection->options.keepalive_count) {
        ly_transport_fail(connection->transport, LY_ERROR_TIMEOUT, SSH_DISCONNECT_CONNECTION_LOST,
                          "no answer from the %s for %llu s",
                          ly_transport_role(connection->transport) == LY_CLIENT ? "server" : "client",
                          (unsigned long long)((now_us - connection->heard_us) / SECOND_US));
        return;
    }
    connection->keepalives++;
    connection->keepalive_us = now_us;
    ly_keepalive_send(connection);
}
