/* core/transport: client against server in memory. */
#include "transport-pair.h"

static void authenticate(Pair *pair)
{
    ly_transport_authenticated(pair->end[LY_SERVER].t);
    ly_transport_authenticated(pair->end[LY_CLIENT].t);
}

static void test_handshake(gconstpointer chunk)
{
    LyAlgorithms algorithms;
    ly_algorithms_init(crypto, &algorithms);
    set_list(&algorithms, LY_ALGORITHMS_KEX, "curve25519-sha256");
    set_list(&algorithms, LY_ALGORITHMS_HOST_KEY, "ssh-ed25519");
    set_list(&algorithms, LY_ALGORITHMS_CIPHER, "aes128-gcm@openssh.com");
    LyTransportOptions client = plain_options(LY_CLIENT), server = plain_options(LY_SERVER);
    client.algorithms = &algorithms;
    server.greeting = "Welcome\nto this host";
    Pair pair = {.chunk = GPOINTER_TO_SIZE(chunk)};
    pair_open(&pair, &client, &server);
    send_bytes(&pair.end[LY_CLIENT], SSH_MSG_SERVICE_REQUEST, "\0\0\0\x0cssh-userauth",
               16); /* waits for NEWKEYS */
    pump(&pair);
    assert_open(&pair.end[0]);
    assert_open(&pair.end[1]);
    for (int i = 0; i < 2; i++) {
        const LyNegotiated *names = ly_transport_negotiated(pair.end[i].t);
        g_assert_cmpuint(pair.end[i].newkeys, ==, 1);
        g_assert_cmpuint(pair.end[i].ext_info, ==, 1);
        g_assert_true(ly_bytes_is(names->kex, "curve25519-sha256") &&
                      ly_bytes_is(names->host_key, "ssh-ed25519"));
        g_assert_true(ly_bytes_is(names->cipher[1], "aes128-gcm@openssh.com") && names->mac[1].len == 0);
        g_assert_true(ly_bytes_is(names->compression[0], "none") && names->strict_kex);
        g_assert_true(ly_bytes_is(ly_transport_peer_ident(pair.end[i].t), "SSH-2.0-" LY_IDENT));
    }
    LyBytes value;
    g_assert_true(ly_transport_peer_extension(pair.end[LY_CLIENT].t, "server-sig-algs", &value));
    g_assert_true(ly_names_contain(value, LY_BYTES("rsa-sha2-512")));
    g_assert_true(ly_transport_peer_extension(pair.end[LY_CLIENT].t, "ping@openssh.com", &value) &&
                  ly_bytes_is(value, "0"));
    g_assert_false(ly_transport_peer_extension(pair.end[LY_CLIENT].t, "ping", &value));
    g_assert_cmpuint(pair.end[LY_SERVER].packets, ==, 1);
    g_assert_true(
        ly_bytes_equal(ly_transport_session_id(pair.end[0].t), ly_transport_session_id(pair.end[1].t)));
    g_assert_cmpuint(ly_transport_session_id(pair.end[0].t).len, ==, 32);
    g_assert_true(
        ly_bytes_equal(ly_transport_host_key_blob(pair.end[0].t), ly_key_blob(host_keys[KEY_ED25519])));
    g_assert_true(ly_bytes_equal(ly_transport_host_key_signature(pair.end[0].t),
                                 ly_transport_host_key_signature(pair.end[1].t)));
    authenticate(&pair);
    pair.end[LY_SERVER].echo = true;
    g_string_truncate(pair.end[LY_CLIENT].payloads, 0);
    send_bytes(&pair.end[LY_CLIENT], SSH_MSG_CHANNEL_DATA, "hello", 5);
    pump(&pair);
    g_assert_cmpstr(pair.end[LY_CLIENT].payloads->str, ==, "6:^hello");
    ly_transport_disconnect(pair.end[LY_CLIENT].t, SSH_DISCONNECT_BY_APPLICATION, "done");
    pump(&pair);
    g_assert_cmpint(pair.end[LY_CLIENT].error.code, ==, LY_OK);
    g_assert_cmpint(pair.end[LY_SERVER].error.code, ==, LY_OK);
    g_assert_cmpuint(pair.end[LY_SERVER].closed, ==, 1);
    g_assert_nonnull(strstr(pair.end[LY_SERVER].error.message, "done"));
    pair_close(&pair);
    ly_algorithms_clear(&algorithms);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    make_keys();
    g_test_add_data_func("/transport/handshake/all", GSIZE_TO_POINTER(0), test_handshake);
    g_test_add_data_func("/transport/handshake/1", GSIZE_TO_POINTER(1), test_handshake);
    g_test_add_data_func("/transport/handshake/7", GSIZE_TO_POINTER(7), test_handshake);
    int status = g_test_run();
    free_keys();
    return status;
}
