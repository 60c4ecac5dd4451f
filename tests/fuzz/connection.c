/* Channels, for both roles: a byte of flags, then steps. A step is a byte: with the top bit clear, what the
 * application does, to which channel; with it set, a message of the peer follows as a part. */
#include "transport-ends.h"

#include "connection/connection.h"

enum { AS_SERVER = 1 };
enum { CHANNELS = 8, STEPS_MAX = 4096, MAX_CHANNELS = 64 };

typedef struct State {
    LyTransport *t;
    LyConnection *connection;
    LyChannel *channel[CHANNELS]; /* that the application knows of */
    unsigned global_requests;
    size_t received;
} State;

static void remember(State *state, LyChannel *channel)
{
    for (size_t i = 0; i < CHANNELS; i++)
        if (!state->channel[i]) {
            state->channel[i] = channel;
            return;
        }
    ly_channel_close(channel); /* a question is refused by that, and its channel freed */
}

static void forget(State *state, const LyChannel *channel)
{
    for (size_t i = 0; i < CHANNELS; i++)
        if (state->channel[i] == channel)
            state->channel[i] = NULL;
}

static void handle(State *state, const LyConnectionEvent *event, uint8_t choice)
{
    LyChannelOptions options = {.window = 4096, .max_window = 65536, .max_packet = 1024};
    size_t sum = 0; /* the views are readable */
    for (size_t i = 0; i < event->text.len; i++)
        sum += event->text.data[i];
    for (size_t i = 0; i < event->data.len; i++)
        sum += event->data.data[i];
    state->received += sum & 1;
    switch (event->type) {
    case LY_CHANNEL_OPEN_REQUEST:
        if (choice & 1)
            ly_channel_accept(event->channel, &options, (LyBytes){0});
        if (choice & 2)
            ly_channel_refuse(event->channel, SSH_OPEN_CONNECT_FAILED, "no");
        if ((choice & 3) != 2)
            remember(state, event->channel);
        return;
    case LY_CHANNEL_DATA:
    case LY_CHANNEL_STDERR:
        if (choice & 1)
            ly_channel_consumed(event->channel, event->data.len);
        return;
    case LY_CHANNEL_REQUEST:
        if (event->want_reply && choice & 1)
            ly_channel_reply(event->channel, choice & 2);
        return;
    case LY_GLOBAL_REQUEST:
        if (event->want_reply && choice & 1)
            ly_global_reply(state->connection, choice & 2, (LyBytes){0});
        return;
    case LY_CHANNEL_OPEN_FAILED:
    case LY_CHANNEL_CLOSED:
        forget(state, event->channel);
        return;
    default:
        return;
    }
}

static void channel_step(LyChannel *channel, unsigned action)
{
    static const uint8_t data[5000];
    LyBytes parts[] = {ly_bytes(data, 3), ly_bytes(data, sizeof data - 3)};
    switch (action) {
    case 0:
        ly_channel_send(channel, parts, 2);
        return;
    case 1:
        ly_channel_send_stderr(channel, parts, 1);
        return;
    case 2:
        ly_channel_eof(channel);
        return;
    case 3:
        ly_channel_close(channel);
        return;
    case 4:
        ly_channel_exec(channel, LY_BYTES("true"), 5);
        return;
    case 5:
        ly_channel_reply(channel, true);
        return;
    case 6:
        ly_channel_request(channel, LY_BYTES("x11-req"), false, 0, (LyBytes){0});
        return;
    case 7:
        ly_channel_accept(channel, NULL, (LyBytes){0});
        return;
    case 8:
        ly_channel_consumed(channel, 4096);
        return;
    case 9:
        ly_channel_exit_status(channel, 1);
        return;
    }
}

static void application_step(State *state, uint8_t byte)
{
    unsigned action = byte & 15, index = byte >> 4 & 7;
    LyChannel *channel = state->channel[index];
    if (action <= 9 && channel) {
        bool refuses = action == 3 && !ly_channel_is_open(channel);
        if (refuses)
            return; /* closing a question frees its channel, and this target cannot tell the states apart */
        channel_step(channel, action);
    } else if (action == 10) {
        LyChannel *opened = ly_channel_open(state->connection, LY_BYTES("session"), (LyBytes){0}, NULL);
        if (opened)
            remember(state, opened);
    } else if (action == 11) {
        ly_global_request(state->connection, LY_BYTES("tcpip-forward"), true, byte, (LyBytes){0});
    } else if (action == 12) {
        ly_global_reply(state->connection, true, (LyBytes){0});
    } else if (action == 13) {
        ly_transport_tick(state->t, ly_transport_now_us(state->t) + 1000000);
        ly_connection_tick(state->connection, ly_transport_now_us(state->t));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    LyReader input = ly_reader(ly_bytes(data, len));
    uint8_t flags = ly_get_u8(&input), counter = 0;
    LyConnectionOptions options = {
        .max_channels = MAX_CHANNELS, .keepalive_us = 1500000, .max_pending_requests = 4};
    State state = {.t = fuzz_transport(flags & AS_SERVER ? LY_SERVER : LY_CLIENT, NULL, &counter)};
    state.connection = ly_connection_new(state.t, &options);
    for (unsigned i = 0; i < STEPS_MAX && input.len && !ly_transport_is_closed(state.t); i++) {
        uint8_t byte = ly_get_u8(&input);
        LyConnectionEvent event;
        if (byte & 0x80) {
            LyBytes payload = fuzz_part(&input);
            if (ly_connection_receive(state.connection, payload, &event))
                handle(&state, &event, byte);
            fuzz_free(payload);
        } else {
            application_step(&state, byte);
        }
        for (unsigned rounds = 0; ly_connection_next(state.connection, &event); rounds++) {
            FUZZ_ASSERT(rounds < 1000);
            handle(&state, &event, byte);
        }
        FUZZ_ASSERT(ly_transport_output_len(state.t) < 1 << 20);
        ly_buf_clear(&state.t->pending); /* it was written */
    }
    ly_connection_free(state.connection);
    ly_transport_free(state.t);
    return 0;
}
