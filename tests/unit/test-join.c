/* core/loop/join.h: two sockets, joined to the two ends of one channel. */
#include "join-rig.h"

#define BULK ((size_t)3 << 20)

static uint8_t *noise(size_t len, uint32_t seed)
{
    uint8_t *bytes = g_malloc(len);
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(seed >> 24);
    }
    return bytes;
}

/* Writes what the socket takes. */
static void feed(End *end, const uint8_t *bytes, size_t len, size_t *at)
{
    while (*at < len) {
        ssize_t count = send(end->far, bytes + *at, len - *at, MSG_NOSIGNAL);
        if (count <= 0)
            return;
        *at += (size_t)count;
    }
}

static void both_ways(uint32_t window, bool tcp)
{
    Rig rig;
    Side sides[2];
    g_autofree uint8_t *first = noise(BULK, 1), *second = noise(BULK, 2);
    const uint8_t *bytes[2] = {first, second};
    size_t len = window && window < 65536 ? (window == 1 ? 300 : 200000) : BULK, at[2] = {0};
    bool shut[2] = {false};
    rig_open(&rig, sides, window);
    rig_join(&rig, LY_CLIENT, tcp, NULL);
    rig_join(&rig, LY_SERVER, false, NULL);
    uint64_t until_us = ly_loop_now_us(rig.loop) + FOR_EVER_US;
    while ((!rig.end[0].got_eof || !rig.end[1].got_eof) && ly_loop_now_us(rig.loop) < until_us) {
        for (int i = 0; i < 2; i++) {
            feed(&rig.end[i], bytes[i], len, &at[i]);
            if (at[i] == len && !shut[i])
                shut[i] = shutdown(rig.end[i].far, SHUT_WR) == 0;
            rig_read(&rig.end[i], SIZE_MAX);
        }
        ly_loop_run_once(rig.loop, 1000);
    }
    for (int i = 0; i < 2; i++) {
        g_assert_cmpmem(rig.end[i].got.data, rig.end[i].got.len, bytes[!i], len);
    }
    RUN_UNTIL(rig.loop, rig.end[0].join_ended && rig.end[1].join_ended);
    g_assert_cmpint(rig.end[0].error.code, ==, LY_OK);
    g_assert_cmpint(rig.end[1].error.code, ==, LY_OK);
    rig_close(&rig);
}

static void test_bulk(void)
{
    both_ways(0, false);
    both_ways(0, true);
}

static void test_small_windows(void)
{
    both_ways(1, false); /* a byte at a time is a byte at a time */
    both_ways(1000, true);
    both_ways(70000, false);
}

/* A client that says all it has to say and then listens; the answer is longer than a window. */
static void test_half_close(void)
{
    Rig rig;
    Side sides[2];
    size_t at = 0, len = BULK;
    g_autofree uint8_t *bytes = noise(len, 3);
    rig_open(&rig, sides, 100000);
    rig_join(&rig, LY_CLIENT, false, NULL);
    rig_join(&rig, LY_SERVER, true, NULL);
    End *client = &rig.end[LY_CLIENT], *server = &rig.end[LY_SERVER];
    g_assert_cmpint(write(client->far, "GET", 3), ==, 3);
    shutdown(client->far, SHUT_WR);
    while (!server->got_eof) {
        rig_read(server, SIZE_MAX);
        ly_loop_run_once(rig.loop, 1000);
    }
    g_assert_cmpmem(server->got.data, server->got.len, "GET", 3);
    g_assert_false(client->join_ended || server->join_ended);
    uint64_t until_us = ly_loop_now_us(rig.loop) + FOR_EVER_US;
    while (client->got.len < len && ly_loop_now_us(rig.loop) < until_us) {
        feed(server, bytes, len, &at);
        rig_read(client, SIZE_MAX);
        ly_loop_run_once(rig.loop, 1000);
    }
    g_assert_cmpmem(client->got.data, client->got.len, bytes, len);
    g_assert_false(client->got_eof);
    shutdown(server->far, SHUT_WR);
    RUN_UNTIL(rig.loop, (rig_read(client, 1), client->got_eof));
    RUN_UNTIL(rig.loop, client->join_ended && server->join_ended);
    rig_close(&rig);
}

/* Who does not read holds up the sender, and no more than a window (and the sockets' buffers) is on the way.
 */
static void test_backpressure(void)
{
    Rig rig;
    Side sides[2];
    size_t at = 0, len = (size_t)8 << 20;
    g_autofree uint8_t *bytes = noise(len, 4);
    rig_open(&rig, sides, 64 << 10);
    rig_join(&rig, LY_CLIENT, false, NULL);
    rig_join(&rig, LY_SERVER, false, NULL);
    End *client = &rig.end[LY_CLIENT], *server = &rig.end[LY_SERVER];
    for (unsigned idle = 0; idle < 5;) {
        size_t before = at;
        feed(client, bytes, len, &at);
        ly_loop_run_once(rig.loop, 10000);
        idle = at == before ? idle + 1 : 0;
    }
    g_assert_cmpuint(at, <, (size_t)2 << 20);
    g_assert_cmpuint(ly_join_sent(client->join) - ly_join_received(server->join), <=, 64 << 10);
    uint64_t until_us = ly_loop_now_us(rig.loop) + FOR_EVER_US;
    while (server->got.len < len && ly_loop_now_us(rig.loop) < until_us) {
        feed(client, bytes, len, &at);
        rig_read(server, 100000);
        ly_loop_run_once(rig.loop, 1000);
    }
    g_assert_cmpmem(server->got.data, server->got.len, bytes, len);
    rig_close(&rig);
}

/* Whoever closes outright, on both kinds of sockets, ends both joins. */
static void test_close(void)
{
    for (int tcp = 0; tcp < 2; tcp++) {
        Rig rig;
        Side sides[2];
        rig_open(&rig, sides, 0);
        rig_join(&rig, LY_CLIENT, tcp, NULL);
        rig_join(&rig, LY_SERVER, tcp, NULL);
        End *client = &rig.end[LY_CLIENT], *server = &rig.end[LY_SERVER];
        g_assert_cmpint(write(client->far, "bye", 3), ==, 3);
        close(client->far);
        client->far = -1;
        RUN_UNTIL(rig.loop, (rig_read(server, 100), server->got_eof));
        g_assert_cmpmem(server->got.data, server->got.len, "bye", 3);
        close(server->far);
        server->far = -1;
        RUN_UNTIL(rig.loop, client->join_ended && server->join_ended);
        g_assert_cmpint(server->error.code, ==, LY_OK);
        rig_close(&rig);
    }
}

static void test_reset(void)
{
    Rig rig;
    Side sides[2];
    rig_open(&rig, sides, 0);
    rig_join(&rig, LY_CLIENT, false, NULL);
    rig_join(&rig, LY_SERVER, true, NULL);
    End *client = &rig.end[LY_CLIENT], *server = &rig.end[LY_SERVER];
    struct linger linger = {.l_onoff = 1};
    setsockopt(server->far, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(server->far);
    server->far = -1;
    RUN_UNTIL(rig.loop, client->join_ended && server->join_ended);
    g_assert_cmpint(server->error.code, ==, LY_ERROR_IO);
    g_assert_cmpint(server->error.system, ==, ECONNRESET);
    g_assert_cmpint(client->error.code, ==, LY_OK);
    rig_read(client, 100);
    g_assert_true(client->got_eof);
    g_assert_true(ly_loop_deadline_us(rig.loop) > ly_loop_now_us(rig.loop)); /* nothing spins */
    rig_close(&rig);
}

/* What came before the channel was closed is written all the same, however slowly it is read. */
static void test_closed_by_peer(void)
{
    Rig rig;
    Side sides[2];
    size_t at = 0, len = (size_t)900 << 10;
    g_autofree uint8_t *bytes = noise(len, 5);
    rig_open(&rig, sides, 1 << 20);
    rig_join(&rig, LY_CLIENT, false, NULL);
    rig_join(&rig, LY_SERVER, false, NULL);
    End *client = &rig.end[LY_CLIENT], *server = &rig.end[LY_SERVER];
    while (at < len || ly_join_sent(client->join) < len) {
        feed(client, bytes, len, &at);
        ly_loop_run_once(rig.loop, 1000);
    }
    ly_join_free(client->join);
    client->join = NULL;
    RUN_UNTIL(rig.loop, (rig_read(client, 1), client->got_eof));
    while (!server->got_eof) {
        rig_read(server, 50000);
        ly_loop_run_once(rig.loop, 1000);
    }
    g_assert_cmpmem(server->got.data, server->got.len, bytes, len);
    RUN_UNTIL(rig.loop, server->join_ended);
    rig_close(&rig);
}

/* The connection under the channels is gone. */
static void test_abort(void)
{
    Rig rig;
    Side sides[2];
    rig_open(&rig, sides, 0);
    rig_join(&rig, LY_CLIENT, true, NULL);
    rig_join(&rig, LY_SERVER, false, NULL);
    End *client = &rig.end[LY_CLIENT], *server = &rig.end[LY_SERVER];
    ly_drive_free(client->drive);
    client->drive = NULL;
    ly_join_abort(client->join);
    client->join = NULL;
    rig_read(client, 100);
    g_assert_cmpint(client->got_error, ==, ECONNRESET);
    RUN_UNTIL(rig.loop, server->closed);
    ly_join_abort(server->join);
    server->join = NULL;
    g_assert_false(server->join_ended);
    rig_close(&rig);
}

static void test_first_bytes(void)
{
    Rig rig;
    Side sides[2];
    LyJoinOptions options = {.to_channel = LY_BYTES("to the other"), .to_carrier = LY_BYTES("to this one")};
    rig_open(&rig, sides, 5); /* less than the first bytes are */
    rig_join(&rig, LY_CLIENT, false, &options);
    rig_join(&rig, LY_SERVER, false, NULL);
    End *client = &rig.end[LY_CLIENT], *server = &rig.end[LY_SERVER];
    g_assert_cmpint(write(client->far, ", all of it", 11), ==, 11);
    g_assert_cmpint(write(server->far, ", and more", 10), ==, 10);
    RUN_UNTIL(rig.loop, (rig_read(server, 100), server->got.len == 23));
    g_assert_cmpstr(ly_buf_str(&server->got), ==, "to the other, all of it");
    RUN_UNTIL(rig.loop, (rig_read(client, 100), client->got.len == 21));
    g_assert_cmpstr(ly_buf_str(&client->got), ==, "to this one, and more");
    rig_close(&rig);
}

/* Over two pipes, whose ends say so one by one. */
static void test_pipes(void)
{
    Rig rig;
    Side sides[2];
    int in[2], out[2];
    rig_open(&rig, sides, 0);
    rig_join(&rig, LY_CLIENT, false, NULL);
    End *client = &rig.end[LY_CLIENT], *server = &rig.end[LY_SERVER];
    g_assert_cmpint(pipe2(in, O_CLOEXEC | O_NONBLOCK), ==, 0);
    g_assert_cmpint(pipe2(out, O_CLOEXEC | O_NONBLOCK), ==, 0);
    LyJoinOptions options = {.wake = rig_wake, .owner = server, .ended = rig_join_ended, .user = server};
    server->join =
        ly_join_new(rig.loop, server->channel, ly_carrier_new_fds(rig.loop, in[0], out[1], NULL), &options);
    server->far = out[0];
    g_assert_cmpint(write(in[1], "up", 2), ==, 2);
    close(in[1]);
    RUN_UNTIL(rig.loop, (rig_read(client, 100), client->got_eof));
    g_assert_cmpmem(client->got.data, client->got.len, "up", 2);
    g_assert_cmpint(write(client->far, "down", 4), ==, 4);
    shutdown(client->far, SHUT_WR);
    RUN_UNTIL(rig.loop, (rig_read(server, 100), server->got_eof));
    g_assert_cmpmem(server->got.data, server->got.len, "down", 4);
    RUN_UNTIL(rig.loop, client->join_ended && server->join_ended);
    rig_close(&rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    make_keys();
    g_test_add_func("/join/bulk", test_bulk);
    g_test_add_func("/join/small-windows", test_small_windows);
    g_test_add_func("/join/half-close", test_half_close);
    g_test_add_func("/join/backpressure", test_backpressure);
    g_test_add_func("/join/close", test_close);
    g_test_add_func("/join/reset", test_reset);
    g_test_add_func("/join/closed-by-peer", test_closed_by_peer);
    g_test_add_func("/join/abort", test_abort);
    g_test_add_func("/join/first-bytes", test_first_bytes);
    g_test_add_func("/join/pipes", test_pipes);
    int status = g_test_run();
    free_keys();
    return status;
}
