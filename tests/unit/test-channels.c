/* Channels through the whole stack, both roles in memory: bytes, pressure, ends. */
#include "session-pair.h"

#include "connection/connection-private.h"

enum { OUT, ERR };

/* One side of a channel: sends `total` bytes of each stream and checks those that come. */
typedef struct Flow {
    Pair *pair;
    LyChannel *channel;
    uint64_t total[2], sent[2], received[2];
    uint64_t unconsumed[2];
    bool hold[2]; /* does not consume what comes */
    bool eof, eof_sent, closed, keep_open;
    uint32_t status; /* UINT32_MAX: none */
    unsigned windows;
} Flow;

typedef struct World {
    Flow client[200], server[200];
    unsigned opened;
    LyChannelOptions options;
    uint64_t total[2]; /* what the server's side sends */
    bool server_closes_on_eof;
} World;

static uint8_t pattern(uint64_t position, int stream)
{
    return (uint8_t)(position * 7 + (position >> 8) * 13 + (position >> 16) + (stream == ERR ? 101 : 0));
}

static void send_more(Flow *flow)
{
    if (!flow->channel || !ly_channel_is_open(flow->channel))
        return;
    for (int stream = OUT; stream <= ERR; stream++) {
        while (flow->sent[stream] < flow->total[stream]) {
            uint8_t block[5000];
            size_t len = (size_t)LY_MIN(flow->total[stream] - flow->sent[stream], sizeof block);
            for (size_t i = 0; i < len; i++)
                block[i] = pattern(flow->sent[stream] + i, stream);
            LyBytes parts[2] = {ly_bytes(block, len / 3), ly_bytes(block + len / 3, len - len / 3)};
            size_t taken = stream == OUT ? ly_channel_send(flow->channel, parts, 2)
                                         : ly_channel_send_stderr(flow->channel, parts, 2);
            flow->sent[stream] += taken;
            if (taken < len)
                return;
        }
    }
    if (!flow->keep_open && !flow->eof_sent) {
        ly_channel_eof(flow->channel);
        flow->eof_sent = true;
    }
}

static void take(Flow *flow, int stream, LyBytes data)
{
    for (size_t i = 0; i < data.len; i++)
        g_assert_cmpuint(data.data[i], ==, pattern(flow->received[stream] + i, stream));
    flow->received[stream] += data.len;
    if (flow->hold[stream])
        flow->unconsumed[stream] += data.len;
    else
        ly_channel_consumed(flow->channel, data.len);
}

static void on_connection(Pair *pair, LyRole role, LyConnectionEvent *event)
{
    World *world = pair->user;
    Flow *flow = event->channel ? ly_channel_user(event->channel) : NULL;
    switch (event->type) {
    case LY_CHANNEL_OPEN_REQUEST:
        flow = &world->server[world->opened++];
        flow->channel = event->channel;
        flow->status = UINT32_MAX;
        memcpy(flow->total, world->total, sizeof flow->total);
        world->options.user = flow;
        ly_channel_accept(event->channel, &world->options, (LyBytes){0});
        world->options.user = NULL;
        send_more(flow);
        break;
    case LY_CHANNEL_OPENED:
    case LY_CHANNEL_WINDOW:
        flow->windows += event->type == LY_CHANNEL_WINDOW;
        send_more(flow);
        break;
    case LY_CHANNEL_DATA:
        take(flow, OUT, event->data);
        break;
    case LY_CHANNEL_STDERR:
        take(flow, ERR, event->data);
        break;
    case LY_CHANNEL_EOF:
        g_assert_false(flow->eof);
        flow->eof = true;
        if (role == LY_SERVER && world->server_closes_on_eof) {
            ly_channel_exit_status(flow->channel, 42);
            ly_channel_close(flow->channel);
        }
        break;
    case LY_CHANNEL_EXIT_STATUS:
        flow->status = event->number;
        break;
    case LY_CHANNEL_CLOSED:
        flow->closed = true;
        flow->channel = NULL;
        break;
    default:
        g_error("event %d", event->type);
    }
}

static void open_flow(Pair *pair, Flow *flow, const LyChannelOptions *options)
{
    LyChannelOptions own = *options;
    own.user = flow;
    flow->status = UINT32_MAX;
    flow->channel =
        ly_channel_open(ly_session_connection(pair->s[LY_CLIENT]), LY_BYTES("session"), (LyBytes){0}, &own);
    g_assert_nonnull(flow->channel);
}

static World *world_open(Pair *pair, const LySessionOptions *client, const LySessionOptions *server)
{
    World *world = g_new0(World, 1);
    pair->user = world;
    pair->on_connection = on_connection;
    pair_open(pair, client, server);
    pump(pair);
    assert_ready(pair);
    return world;
}

static void world_close(Pair *pair, World *world)
{
    for (int i = 0; i < 2; i++)
        g_assert_cmpstr(pair->error[i].message, ==, "");
    pair_close(pair);
    g_free(world);
}

static void both_ways(size_t chunk, uint64_t total, uint32_t window, uint32_t max_packet,
                      uint64_t rekey_packets)
{
    LySessionOptions client = pair_options(LY_CLIENT), server = pair_options(LY_SERVER);
    client.transport.rekey_packets = rekey_packets;
    Pair pair = {.chunk = chunk};
    World *world = world_open(&pair, &client, &server);
    world->options = (LyChannelOptions){.window = window, .max_packet = max_packet};
    world->total[OUT] = world->client[0].total[OUT] = total;
    open_flow(&pair, &world->client[0], &world->options);
    pump(&pair);
    g_assert_cmpuint(world->client[0].received[OUT], ==, total);
    g_assert_cmpuint(world->server[0].received[OUT], ==, total);
    g_assert_true(world->client[0].eof && world->server[0].eof);
    if (total > window)
        g_assert_cmpuint(world->client[0].windows, >, 0);
    if (rekey_packets)
        g_assert_cmpuint(pair.newkeys, >=, 4);
    ly_channel_close(world->client[0].channel);
    pump(&pair);
    g_assert_true(world->client[0].closed && world->server[0].closed);
    world_close(&pair, world);
}

static void test_10_mib(void)
{
    both_ways(0, 10 << 20, 48 << 10, 16 << 10, 0);
}

static void test_chunks_and_rekeys(void)
{
    both_ways(1, 30000, 5000, 700, 25);
    both_ways(7, 100000, 5000, 700, 50);
    both_ways(0, 1 << 20, 20000, 3000, 40);
    both_ways(0, 20000, 1, 1, 0); /* the smallest window there is */
}

static void test_200_channels(void)
{
    Pair pair = {0};
    World *world = world_open(&pair, NULL, NULL);
    world->options = (LyChannelOptions){.window = 2000, .max_packet = 500};
    world->server_closes_on_eof = true;
    for (int i = 0; i < 200; i++) {
        world->client[i].total[OUT] = 5000 + (uint64_t)i;
        open_flow(&pair, &world->client[i], &world->options);
    }
    pump(&pair);
    uint64_t received = 0;
    for (int i = 0; i < 200; i++) {
        g_assert_true(world->client[i].closed && world->server[i].closed);
        g_assert_cmpuint(world->client[i].status, ==, 42);
        g_assert_cmpuint(world->server[i].received[OUT], ==, 5000 + (uint64_t)i);
        received += world->server[i].received[OUT];
    }
    g_assert_cmpuint(received, ==, 200 * 5000 + 199 * 100);
    g_assert_cmpuint(ly_session_connection(pair.s[LY_CLIENT])->channels.used, ==, 0);
    g_assert_cmpuint(ly_session_connection(pair.s[LY_SERVER])->channels.used, ==, 0);
    world_close(&pair, world);
}

/* Defect 2: stderr under pressure neither repeats stdout nor is lost, whichever of them is not read. */
static void test_stderr_pressure(void)
{
    for (int held = OUT; held <= ERR; held++) {
        Pair pair = {0};
        World *world = world_open(&pair, NULL, NULL);
        world->options = (LyChannelOptions){.window = 10000, .max_packet = 1000};
        world->total[OUT] = world->total[ERR] = 500000;
        Flow *flow = &world->client[0];
        flow->hold[held] = true;
        open_flow(&pair, flow, &world->options);
        pump(&pair);
        g_assert_cmpuint(flow->unconsumed[held], <=, 10000);
        g_assert_false(flow->eof);
        for (int i = 0; i < 1000 && !flow->eof; i++) { /* a slow reader */
            uint64_t len = flow->unconsumed[held];
            flow->unconsumed[held] = 0;
            ly_channel_consumed(flow->channel, (size_t)len);
            pump(&pair);
        }
        g_assert_true(flow->eof);
        g_assert_cmpuint(flow->received[OUT], ==, 500000);
        g_assert_cmpuint(flow->received[ERR], ==, 500000);
        world_close(&pair, world);
    }
}

/* Either side ends its direction first; the other goes on. */
static void test_half_close(void)
{
    for (int first = 0; first < 2; first++) {
        Pair pair = {0};
        World *world = world_open(&pair, NULL, NULL);
        open_flow(&pair, &world->client[0], &world->options);
        world->client[0].keep_open = first == LY_SERVER;
        world->client[0].total[OUT] = 1000;
        world->total[OUT] = 1000;
        pump(&pair);
        Flow *flows[2] = {&world->client[0], &world->server[0]};
        if (first == LY_CLIENT) /* the server's side has sent its end too, by then */
            g_assert_true(flows[LY_SERVER]->eof);
        else
            g_assert_true(flows[LY_CLIENT]->eof && !flows[LY_SERVER]->eof);
        if (first == LY_SERVER) {
            flows[LY_CLIENT]->total[OUT] = 300000;
            flows[LY_CLIENT]->keep_open = false;
            send_more(flows[LY_CLIENT]);
            pump(&pair);
            g_assert_cmpuint(flows[LY_SERVER]->received[OUT], ==, 300000);
            g_assert_true(flows[LY_SERVER]->eof);
        }
        g_assert_true(ly_channel_is_open(flows[LY_CLIENT]->channel) &&
                      ly_channel_is_open(flows[LY_SERVER]->channel));
        ly_channel_close(flows[first]->channel);
        pump(&pair);
        g_assert_true(flows[0]->closed && flows[1]->closed);
        world_close(&pair, world);
    }
}

/* Both sides close at once, with data and windows under way. */
static void test_crossing_close(void)
{
    static const size_t chunks[] = {1, 7, 0};
    for (size_t i = 0; i < LY_COUNT(chunks); i++) {
        Pair pair = {.chunk = chunks[i]};
        World *world = world_open(&pair, NULL, NULL);
        world->options = (LyChannelOptions){.window = 3000, .max_packet = 100};
        world->server[0].keep_open = true;
        world->client[0].keep_open = true;
        open_flow(&pair, &world->client[0], &world->options);
        pump(&pair);
        Flow *flows[2] = {&world->client[0], &world->server[0]};
        for (int role = 0; role < 2; role++) {
            flows[role]->total[OUT] = 20000;
            flows[role]->keep_open = true;
            send_more(flows[role]);
            ly_channel_close(flows[role]->channel);
        }
        pump(&pair);
        g_assert_true(flows[0]->closed && flows[1]->closed);
        open_flow(&pair, &world->client[1], &world->options); /* the connection goes on */
        pump(&pair);
        g_assert_true(ly_channel_is_open(world->client[1].channel));
        world_close(&pair, world);
    }
}

/* A link with a round trip of 50 ms and a sender that is always ready: the window opens to what was allowed.
 */
static void test_window_follows_the_link(void)
{
    Pair pair = {.rtt_us = 50000};
    World *world = world_open(&pair, NULL, NULL);
    world->total[OUT] = 4 << 20;
    LyChannelOptions options = {.window = 64 << 10, .max_window = 1 << 20, .max_packet = 16 << 10};
    open_flow(&pair, &world->client[0], &options);
    pump(&pair);
    g_assert_cmpuint(world->client[0].received[OUT], ==, 4 << 20);
    g_assert_cmpuint(world->client[0].channel->window, ==, 1 << 20);
    world_close(&pair, world);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    make_keys();
    g_test_add_func("/channels/10-mib-both-ways", test_10_mib);
    g_test_add_func("/channels/chunks-and-rekeys", test_chunks_and_rekeys);
    g_test_add_func("/channels/200", test_200_channels);
    g_test_add_func("/channels/defect-2-stderr-pressure", test_stderr_pressure);
    g_test_add_func("/channels/half-close", test_half_close);
    g_test_add_func("/channels/crossing-close", test_crossing_close);
    g_test_add_func("/channels/window-follows-the-link", test_window_follows_the_link);
    int failed = g_test_run();
    free_keys();
    return failed;
}
