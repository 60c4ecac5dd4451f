#include "session-pair.h"

#define SECOND_US ((uint64_t)1000000)

static void test_sign_in_chunks(void)
{
    static const size_t chunks[] = {1, 7, 0};
    for (size_t i = 0; i < LY_COUNT(chunks); i++) {
        Pair pair = {.chunk = chunks[i]};
        pair_open(&pair, NULL, NULL);
        g_assert_null(ly_session_userauth_client(pair.s[LY_CLIENT]));
        g_assert_null(ly_session_connection(pair.s[LY_CLIENT]));
        pump(&pair);
        assert_ready(&pair);
        g_assert_nonnull(ly_session_connection(pair.s[LY_CLIENT]));
        g_assert_nonnull(ly_session_connection(pair.s[LY_SERVER]));
        ly_transport_disconnect(ly_session_transport(pair.s[LY_CLIENT]), SSH_DISCONNECT_BY_APPLICATION,
                                "bye");
        pump(&pair);
        g_assert_true(pair.closed[LY_CLIENT] && pair.closed[LY_SERVER]);
        g_assert_cmpint(pair.error[LY_CLIENT].code, ==, LY_OK);
        pair_close(&pair);
    }
}

static void ignore_request(Pair *pair, LyUserauthRequest *request)
{
    pair->step++;
}

/* Defect 21: no login grace time. It counts once, from the begin, the key exchange and the sign-in together.
 */
static void test_server_grace_time(void)
{
    LySessionOptions client = pair_options(LY_CLIENT), server = pair_options(LY_SERVER);
    server.auth_timeout_us = 30 * SECOND_US;
    Pair pair = {.on_request = ignore_request};
    pair_open(&pair, &client, &server);
    pair_tick(&pair, 10 * SECOND_US);
    pump(&pair);
    g_assert_cmpuint(ly_session_deadline_us(pair.s[LY_SERVER]), ==, 30 * SECOND_US);
    pair_tick(&pair, 30 * SECOND_US - 1);
    pump(&pair);
    g_assert_false(pair.closed[LY_SERVER]);
    pair_tick(&pair, 30 * SECOND_US);
    pump(&pair);
    g_assert_true(pair.closed[LY_SERVER] && pair.closed[LY_CLIENT]);
    g_assert_cmpint(pair.error[LY_SERVER].code, ==, LY_ERROR_TIMEOUT);
    g_assert_cmpstr(pair.error[LY_SERVER].message, ==, "the client did not sign in within 30 s");
    pair_close(&pair);
}

static void ask_user(Pair *pair, LyUserauthClientEvent *event)
{
}

/* A person may take an hour; a server may not. */
static void test_client_timeout_pauses(void)
{
    LySessionOptions client = pair_options(LY_CLIENT), server = pair_options(LY_SERVER);
    client.auth_timeout_us = 30 * SECOND_US;
    Pair pair = {.on_userauth = ask_user, .on_request = ignore_request};
    pair_open(&pair, &client, &server);
    pump(&pair);
    g_assert_cmpuint(ly_session_deadline_us(pair.s[LY_CLIENT]), ==, UINT64_MAX);
    pair_tick(&pair, 3600 * SECOND_US);
    pump(&pair);
    g_assert_false(pair.closed[LY_CLIENT]);
    ly_userauth_none(ly_session_userauth_client(pair.s[LY_CLIENT]));
    g_assert_cmpuint(ly_session_deadline_us(pair.s[LY_CLIENT]), ==, 3630 * SECOND_US);
    pump(&pair);
    pair_tick(&pair, 3620 * SECOND_US);
    /* Answered: the next question gets what is left, 10 s. */
    ly_userauth_server_refuse(ly_session_userauth_server(pair.s[LY_SERVER]), NULL, false);
    pump(&pair);
    pair_tick(&pair, 9000 * SECOND_US);
    ly_userauth_none(ly_session_userauth_client(pair.s[LY_CLIENT]));
    pump(&pair);
    pair_tick(&pair, 9010 * SECOND_US - 1);
    pump(&pair);
    g_assert_false(pair.closed[LY_CLIENT]);
    pair_tick(&pair, 9010 * SECOND_US);
    pump(&pair);
    g_assert_true(pair.closed[LY_CLIENT]);
    g_assert_cmpint(pair.error[LY_CLIENT].code, ==, LY_ERROR_TIMEOUT);
    g_assert_cmpuint(pair.step, ==, 2);
    pair_close(&pair);
}

/* Channels before the sign-in: CVE-2018-10933, CVE-2025-32433. */
static void test_channel_before_sign_in(void)
{
    for (int role = 0; role < 2; role++) {
        Pair pair = {.on_request = ignore_request, .on_userauth = ask_user};
        pair_open(&pair, NULL, NULL);
        pump(&pair);
        LyBuf payload = {0};
        ly_put_u8(&payload, SSH_MSG_CHANNEL_OPEN);
        ly_put_cstring(&payload, "session");
        ly_put_u32(&payload, 0);
        ly_put_u32(&payload, 1000);
        ly_put_u32(&payload, 1000);
        ly_transport_send_buf(ly_session_transport(pair.s[role]), &payload);
        ly_buf_free(&payload);
        pump(&pair);
        g_assert_true(pair.closed[!role]);
        g_assert_cmpint(pair.error[!role].code, ==, LY_ERROR_PROTOCOL);
        pair_close(&pair);
    }
}

/* A client that says SUCCESS or FAILURE. */
static void test_client_sends_success(void)
{
    for (uint8_t number = SSH_MSG_USERAUTH_FAILURE; number <= SSH_MSG_USERAUTH_SUCCESS; number++) {
        Pair pair = {.on_request = ignore_request, .on_userauth = ask_user};
        pair_open(&pair, NULL, NULL);
        pump(&pair);
        LyBytes part = ly_bytes(&number, 1);
        ly_transport_send(ly_session_transport(pair.s[LY_CLIENT]), &part, 1);
        pump(&pair);
        g_assert_true(pair.closed[LY_SERVER]);
        g_assert_false(pair.ready[LY_SERVER]);
        pair_close(&pair);
    }
}

static void test_late_request_is_ignored(void)
{
    Pair pair = {0};
    pair_open(&pair, NULL, NULL);
    pump(&pair);
    assert_ready(&pair);
    LyBuf payload = {0};
    ly_put_u8(&payload, SSH_MSG_USERAUTH_REQUEST);
    ly_put_cstring(&payload, "bob");
    ly_put_cstring(&payload, "ssh-connection");
    ly_put_cstring(&payload, "none");
    ly_transport_send_buf(ly_session_transport(pair.s[LY_CLIENT]), &payload);
    ly_buf_free(&payload);
    pump(&pair);
    assert_ready(&pair);
    pair_close(&pair);
}

/* Keepalive over the whole stack: a server that is silent is given up, one that answers is not. */
static void test_keepalive(void)
{
    LySessionOptions client = pair_options(LY_CLIENT), server = pair_options(LY_SERVER);
    client.connection = (LyConnectionOptions){.keepalive_us = 15 * SECOND_US, .keepalive_count = 3};
    Pair pair = {0};
    pair_open(&pair, &client, &server);
    pump(&pair);
    assert_ready(&pair);
    uint64_t now_us = 0;
    for (int i = 0; i < 20; i++) {
        now_us += 15 * SECOND_US;
        g_assert_cmpuint(ly_session_deadline_us(pair.s[LY_CLIENT]), <=, now_us);
        pair_tick(&pair, now_us);
        pump(&pair);
    }
    assert_ready(&pair);
    uint64_t silent_from_us = now_us;
    for (int i = 0; i < 4 && !pair.closed[LY_CLIENT]; i++) {
        now_us += 15 * SECOND_US;
        ly_session_tick(pair.s[LY_CLIENT], now_us);
        pull(&pair, LY_CLIENT);
    }
    g_assert_true(pair.closed[LY_CLIENT]);
    g_assert_cmpuint(now_us - silent_from_us, ==, 60 * SECOND_US);
    g_assert_cmpint(pair.error[LY_CLIENT].code, ==, LY_ERROR_TIMEOUT);
    g_assert_cmpstr(pair.error[LY_CLIENT].message, ==, "no answer from the server for 60 s");
    pair_close(&pair);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    make_keys();
    g_test_add_func("/session/sign-in-chunks", test_sign_in_chunks);
    g_test_add_func("/session/defect-21-grace-time", test_server_grace_time);
    g_test_add_func("/session/client-timeout-pauses", test_client_timeout_pauses);
    g_test_add_func("/session/channel-before-sign-in", test_channel_before_sign_in);
    g_test_add_func("/session/client-sends-success", test_client_sends_success);
    g_test_add_func("/session/late-request-is-ignored", test_late_request_is_ignored);
    g_test_add_func("/session/keepalive", test_keepalive);
    int failed = g_test_run();
    free_keys();
    return failed;
}
