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

/* ---- every method ---- */

typedef struct Lists {
    const char *kex, *host_key, *cipher, *mac, *compression;
} Lists;

static void set_lists(LyAlgorithms *algorithms, const Lists *lists)
{
    ly_algorithms_init(crypto, algorithms);
    set_list(algorithms, LY_ALGORITHMS_KEX, lists->kex ? lists->kex : "curve25519-sha256");
    set_list(algorithms, LY_ALGORITHMS_HOST_KEY, lists->host_key ? lists->host_key : "ssh-ed25519");
    set_list(algorithms, LY_ALGORITHMS_CIPHER, lists->cipher ? lists->cipher : "aes128-gcm@openssh.com");
    set_list(algorithms, LY_ALGORITHMS_MAC, lists->mac ? lists->mac : "");
    set_list(algorithms, LY_ALGORITHMS_COMPRESSION, lists->compression ? lists->compression : "none");
}

/* A pair that is signed in, both with the same lists. */
static void pair_join(Pair *pair, const Lists *lists, LyTransportOptions client, LyTransportOptions server)
{
    LyAlgorithms algorithms;
    set_lists(&algorithms, lists);
    client.algorithms = server.algorithms = &algorithms;
    pair_open(pair, &client, &server);
    pump(pair);
    assert_open(&pair->end[0]);
    assert_open(&pair->end[1]);
    g_assert_cmpuint(pair->end[LY_CLIENT].newkeys, >=, 1);
    authenticate(pair);
    ly_algorithms_clear(&algorithms);
}

static void join_plain(Pair *pair, const Lists *lists)
{
    pair_join(pair, lists, plain_options(LY_CLIENT), plain_options(LY_SERVER));
}

/* A few packets both ways, of sizes around the block sizes, through one more key exchange. */
static void exchange_packets(Pair *pair)
{
    static const size_t sizes[] = {0, 1, 9, 10, 11, 15, 16, 17, 255, 5000};
    uint8_t data[5000];
    GString *expected = g_string_new(NULL);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * i >> 3);
    pair->end[LY_SERVER].echo = true;
    for (size_t i = 0; i < LY_COUNT(sizes); i++) {
        send_bytes(&pair->end[LY_CLIENT], SSH_MSG_CHANNEL_DATA, data, sizes[i]);
        g_string_append_printf(expected, "%zu:^", sizes[i] + 1);
        g_string_append_len(expected, (const char *)data, (gssize)sizes[i]);
        if (i == 5)
            ly_transport_rekey(pair->end[LY_CLIENT].t);
        if (i & 1)
            pump(pair);
    }
    pump(pair);
    assert_open(&pair->end[0]);
    assert_open(&pair->end[1]);
    g_assert_cmpmem(pair->end[LY_CLIENT].payloads->str, pair->end[LY_CLIENT].payloads->len, expected->str,
                    expected->len);
    g_assert_cmpuint(pair->end[LY_CLIENT].newkeys, ==, 2);
    g_assert_cmpuint(pair->end[LY_SERVER].newkeys, ==, 2);
    g_assert_cmpuint(pair->end[LY_CLIENT].questions, ==, 1); /* not asked again */
    g_string_free(expected, TRUE);
}

static void test_methods(void)
{
    static const char *const slow[] = {"group15", "group16", "group17", "group18", "exchange", "sntrup761"};
    LyBuf kexes = {0}, keys = {0};
    ly_algorithms_all(crypto, LY_ALGORITHMS_KEX, &kexes);
    ly_algorithms_all(crypto, LY_ALGORITHMS_HOST_KEY, &keys);
    LyBytes rest = ly_buf_bytes(&kexes), kex, key;
    unsigned done = 0;
    while (ly_names_next(&rest, &kex)) {
        char *kex_name = ly_bytes_dup_str(kex);
        bool once = false;
        for (size_t i = 0; i < LY_COUNT(slow); i++)
            once = once || strstr(kex_name, slow[i]);
        LyBytes more = ly_buf_bytes(&keys);
        while (ly_names_next(&more, &key)) {
            char *key_name = ly_bytes_dup_str(key);
            bool have = !strstr(key_name, "-cert-") && !strstr(key_name, "ssh-dss") &&
                        !strstr(key_name, "sk-") && !strstr(key_name, "ed448");
            if (have && (!once || strcmp(key_name, "ssh-ed25519") == 0)) {
                Pair pair = {0};
                join_plain(&pair, &(Lists){.kex = kex_name, .host_key = key_name});
                g_assert_true(ly_bytes_equal(ly_transport_negotiated(pair.end[LY_CLIENT].t)->kex, kex));
                g_assert_true(ly_bytes_equal(ly_transport_negotiated(pair.end[LY_SERVER].t)->host_key, key));
                pair_close(&pair);
                done++;
            }
            ly_free(key_name);
        }
        ly_free(kex_name);
    }
    g_assert_cmpuint(done, >, 60);
    ly_buf_free(&kexes);
    ly_buf_free(&keys);
}

static void test_ciphers(void)
{
    static const char *const compressions[] = {"none", "zlib", "zlib@openssh.com"};
    LyBuf ciphers = {0}, macs = {0};
    ly_algorithms_all(crypto, LY_ALGORITHMS_CIPHER, &ciphers);
    ly_algorithms_all(crypto, LY_ALGORITHMS_MAC, &macs);
    LyBytes rest = ly_buf_bytes(&ciphers), cipher, mac;
    unsigned done = 0;
    while (ly_names_next(&rest, &cipher)) {
        char *cipher_name = ly_bytes_dup_str(cipher);
        LyBytes more = ly_buf_bytes(&macs);
        while (ly_names_next(&more, &mac)) {
            char *mac_name = ly_bytes_dup_str(mac);
            Pair pair = {.chunk = done % 5 == 0 ? 7 : 0};
            join_plain(
                &pair,
                &(Lists){.cipher = cipher_name, .mac = mac_name, .compression = compressions[done % 3]});
            exchange_packets(&pair);
            bool aead = ly_cipher_find(cipher)->tag_len > 0;
            g_assert_true(ly_bytes_is(ly_transport_negotiated(pair.end[0].t)->mac[1], aead ? "" : mac_name));
            pair_close(&pair);
            ly_free(mac_name);
            done++;
            if (aead && done % 3 == 0)
                break;
        }
        ly_free(cipher_name);
    }
    g_assert_cmpuint(done, >, 50);
    ly_buf_free(&ciphers);
    ly_buf_free(&macs);
}

/* Each direction its own cipher, MAC and compression, and the first of the client's lists wins. */
static void test_directions(void)
{
    LyAlgorithms ours, theirs;
    set_lists(&ours, &(Lists){.cipher = "aes256-ctr,aes128-ctr",
                              .mac = "hmac-sha1,hmac-sha2-256",
                              .compression = "zlib,none"});
    set_lists(&theirs, &(Lists){.cipher = "aes128-ctr,aes256-ctr",
                                .mac = "hmac-sha2-256,hmac-sha1",
                                .compression = "none,zlib"});
    LyTransportOptions client = plain_options(LY_CLIENT), server = plain_options(LY_SERVER);
    client.algorithms = &ours;
    server.algorithms = &theirs;
    Pair pair = {.chunk = 7};
    pair_open(&pair, &client, &server);
    pump(&pair);
    assert_open(&pair.end[0]);
    for (int i = 0; i < 2; i++) {
        const LyNegotiated *names = ly_transport_negotiated(pair.end[LY_SERVER].t);
        g_assert_true(ly_bytes_is(names->cipher[i], "aes256-ctr") && ly_bytes_is(names->mac[i], "hmac-sha1"));
        g_assert_true(ly_bytes_is(names->compression[i], "zlib"));
    }
    authenticate(&pair);
    exchange_packets(&pair);
    pair_close(&pair);
    ly_algorithms_clear(&ours);
    ly_algorithms_clear(&theirs);
}

/* ---- rekeying ---- */

enum { SCRIPT = 8 };

/* Eight packets each way, all sent ahead of the first answer, with key exchanges forced before packet number
 * `at`. */
static void run_script(size_t chunk, unsigned at, unsigned who, const char *compression)
{
    Pair pair = {.chunk = chunk};
    join_plain(&pair, &(Lists){.compression = compression});
    LyBuf session_id = {0};
    ly_buf_add(&session_id, ly_transport_session_id(pair.end[0].t));
    GString *expected[2] = {g_string_new(NULL), g_string_new(NULL)};
    for (unsigned i = 0; i < SCRIPT; i++) {
        for (int from = 0; from < 2; from++) {
            char text[40];
            if (i == at && who >> from & 1)
                ly_transport_rekey(pair.end[from].t);
            int len = g_snprintf(text, sizeof text, "packet %u of %d", i, from);
            send_bytes(&pair.end[from], SSH_MSG_CHANNEL_DATA, text, (size_t)len);
            g_string_append_printf(expected[!from], "%d:^%s", len + 1, text);
        }
        if (i % 3 == 2)
            pump_from(&pair, i % 2 ? LY_CLIENT : LY_SERVER); /* one side runs ahead */
    }
    pump(&pair);
    for (int i = 0; i < 2; i++) {
        assert_open(&pair.end[i]);
        g_assert_cmpstr(pair.end[i].payloads->str, ==, expected[i]->str);
        g_assert_cmpuint(pair.end[i].newkeys, ==, 2);
        g_assert_true(ly_bytes_equal(ly_transport_session_id(pair.end[i].t), ly_buf_bytes(&session_id)));
        g_assert_cmpuint(ly_transport_output_len(pair.end[i].t), ==, 0);
        g_string_free(expected[i], TRUE);
    }
    ly_buf_free(&session_id);
    pair_close(&pair);
}

static void test_rekey(void)
{
    for (unsigned at = 0; at < SCRIPT; at++)
        for (unsigned who = 1; who < 4; who++)
            run_script(at % 2 ? 0 : 7, at, who, at % 3 ? "none" : "zlib@openssh.com");
    run_script(1, 3, 3, "zlib");
}

/* A key exchange after every packet, and still everything arrives in order. */
static void test_rekey_always(void)
{
    LyTransportOptions client = plain_options(LY_CLIENT), server = plain_options(LY_SERVER);
    client.rekey_packets = server.rekey_packets = 1;
    Pair pair = {0};
    pair_join(&pair, &(Lists){0}, client, server);
    pair.end[LY_SERVER].echo = true;
    for (int i = 0; i < 10; i++)
        send_bytes(&pair.end[LY_CLIENT], SSH_MSG_CHANNEL_DATA, "abc", 3);
    pump(&pair);
    assert_open(&pair.end[0]);
    assert_open(&pair.end[1]);
    g_assert_cmpuint(pair.end[LY_CLIENT].packets, ==, 10);
    g_assert_cmpuint(pair.end[LY_CLIENT].newkeys, >=, 3);
    g_assert_cmpuint(pair.end[LY_CLIENT].newkeys, ==, pair.end[LY_SERVER].newkeys);
    pair_close(&pair);
}

static void test_rekey_bytes(void)
{
    static uint8_t data[30000];
    for (int side = 0; side < 2; side++) {
        LyTransportOptions options[2] = {plain_options(LY_CLIENT), plain_options(LY_SERVER)};
        options[side].rekey_bytes = 200000;
        Pair pair = {0};
        pair_join(&pair, &(Lists){.cipher = "aes128-ctr"}, options[0], options[1]);
        for (int i = 0; i < 40; i++) {
            send_bytes(&pair.end[LY_CLIENT], SSH_MSG_CHANNEL_DATA, data, sizeof data);
            pump(&pair);
        }
        assert_open(&pair.end[1]);
        g_assert_cmpuint(pair.end[LY_SERVER].packets, ==, 40);
        g_assert_cmpuint(pair.end[LY_SERVER].newkeys, >=, 6);
        g_assert_cmpuint(pair.end[LY_SERVER].newkeys, <=, 8);
        pair_close(&pair);
    }
}

/* RFC 4344 3.2: a cipher with small blocks asks for new keys before 1 GiB. */
static void test_rekey_blocks(void)
{
    Pair pair = {0};
    join_plain(&pair, &(Lists){.cipher = "3des-cbc", .mac = "hmac-sha2-256"});
    const LyCipherInfo *cipher = ly_cipher_find(LY_BYTES("3des-cbc"));
    g_assert_cmpuint(cipher->rekey_blocks, >, 0);
    g_assert_cmpuint(pair.end[0].t->out.bytes_max, ==, LY_MIN(cipher->rekey_blocks * 8, (uint64_t)1 << 30));
    pair.end[0].t->out.bytes = pair.end[0].t->out.bytes_max;
    pump(&pair);
    g_assert_cmpuint(pair.end[LY_SERVER].newkeys, ==, 2);
    pair.end[1].t->in.packets = (uint64_t)1 << 31;
    pump(&pair);
    g_assert_cmpuint(pair.end[LY_CLIENT].newkeys, ==, 3);
    pair_close(&pair);
}

static void test_time(void)
{
    LyTransportOptions client = plain_options(LY_CLIENT), server = plain_options(LY_SERVER);
    client.rekey_us = 3600000000;
    client.handshake_timeout_us = server.handshake_timeout_us = 10000000;
    Pair pair = {.hold_question = true};
    pair_open(&pair, &client, &server);
    LyTransport *c = pair.end[LY_CLIENT].t, *s = pair.end[LY_SERVER].t;
    g_assert_cmpuint(ly_transport_deadline_us(c), ==, 10000000);
    ly_transport_tick(c, 4000000);
    pump(&pair);
    g_assert_cmpuint(pair.end[LY_CLIENT].questions, ==, 1);
    g_assert_cmpuint(ly_transport_deadline_us(c), ==, UINT64_MAX); /* a person thinks */
    ly_transport_tick(c, 60000000);
    assert_open(&pair.end[LY_CLIENT]);
    g_assert_cmpuint(pair.end[LY_CLIENT].newkeys, ==, 0);
    g_assert_cmpuint(pair.end[LY_SERVER].newkeys, ==, 0); /* no NEWKEYS before the answer */
    ly_transport_host_key_accept(c);
    g_assert_cmpuint(ly_transport_deadline_us(c), ==, 66000000);
    pump(&pair);
    g_assert_cmpuint(pair.end[LY_CLIENT].newkeys, ==, 1);
    g_assert_cmpuint(ly_transport_deadline_us(c), ==, UINT64_MAX); /* not before sign-in */
    g_assert_cmpuint(ly_transport_deadline_us(s), ==, UINT64_MAX);
    authenticate(&pair);
    g_assert_cmpuint(ly_transport_deadline_us(c), ==, 60000000 + client.rekey_us);
    ly_transport_tick(c, 60000000 + client.rekey_us);
    pump(&pair);
    g_assert_cmpuint(pair.end[LY_SERVER].newkeys, ==, 2);
    pair_close(&pair);

    LyTransport *alone = make_transport(&server);
    LyTransportEvent event;
    ly_transport_tick(alone, 9999999);
    g_assert_false(ly_transport_next(alone, &event));
    ly_transport_tick(alone, 10000000);
    g_assert_true(ly_transport_next(alone, &event));
    g_assert_cmpint(event.error->code, ==, LY_ERROR_TIMEOUT);
    ly_transport_free(alone);

    server.handshake_spent_us =
        7000000; /* connecting took so long; the sentence says the time that was set */
    alone = make_transport(&server);
    g_assert_cmpuint(ly_transport_deadline_us(alone), ==, 3000000);
    ly_transport_tick(alone, 3000000);
    g_assert_true(ly_transport_next(alone, &event));
    g_assert_nonnull(strstr(event.error->message, " in 10 s"));
    ly_transport_free(alone);
}

/* SUCCESS that waits in a key exchange: compression starts behind it and not before. */
static void test_delayed_compression(void)
{
    for (unsigned variant = 0; variant < 4; variant++) {
        LyAlgorithms algorithms;
        set_lists(&algorithms, &(Lists){.compression = "zlib@openssh.com"});
        LyTransportOptions client = plain_options(LY_CLIENT), server = plain_options(LY_SERVER);
        client.algorithms = server.algorithms = &algorithms;
        Pair pair = {0};
        pair_open(&pair, &client, &server);
        pump(&pair);
        LyTransport *c = pair.end[LY_CLIENT].t, *s = pair.end[LY_SERVER].t;
        send_bytes(&pair.end[LY_CLIENT], SSH_MSG_USERAUTH_REQUEST, "x", 1);
        pump(&pair);
        if (variant & 1)
            ly_kex_begin(s); /* even where ly_transport_rekey would wait */
        if (variant & 2)
            ly_transport_rekey(c); /* waits for sign-in */
        g_assert_null(s->in.compressor);
        send_bytes(&pair.end[LY_SERVER], SSH_MSG_USERAUTH_SUCCESS, NULL, 0);
        ly_transport_authenticated(s);
        g_assert_true(!(variant & 1) == (s->out.compressor != NULL));
        send_bytes(&pair.end[LY_SERVER], SSH_MSG_GLOBAL_REQUEST, "compressed", 10);
        LyTransportEvent event;
        bool success = false;
        for (int i = 0; i < 6 && !success; i++) { /* by hand: authenticated must come between two events */
            LyBytes out = ly_transport_output(s);
            size_t room;
            uint8_t *to = ly_transport_input(c, &room);
            memcpy(to, out.data, out.len);
            ly_transport_input_done(c, out.len ? out.len : 0);
            ly_transport_output_done(s, out.len);
            while (!success && ly_transport_next(c, &event))
                success = event.type == LY_TRANSPORT_PACKET && event.number == SSH_MSG_USERAUTH_SUCCESS;
            if (!success)
                pump_from(&pair, LY_CLIENT);
        }
        g_assert_true(success);
        ly_transport_authenticated(c);
        pump(&pair);
        pair.end[LY_SERVER].echo = true;
        send_bytes(&pair.end[LY_CLIENT], SSH_MSG_CHANNEL_DATA, "abc", 3);
        pump(&pair);
        assert_open(&pair.end[0]);
        assert_open(&pair.end[1]);
        g_assert_nonnull(s->in.compressor);
        g_assert_nonnull(c->in.compressor);
        g_assert_cmpstr(pair.end[LY_CLIENT].payloads->str, ==, "11:Pcompressed4:^abc");
        g_assert_cmpuint(pair.end[LY_SERVER].newkeys, ==, 1u + (variant & 1) + (variant >> 1));
        pair_close(&pair);
        ly_algorithms_clear(&algorithms);
    }
}

/* A peer's channels that go on between its KEXINIT and its NEWKEYS: once signed in, and never before. */
static void test_data_in_rekey(void)
{
    for (unsigned variant = 0; variant < 4; variant++) {
        bool signed_in = variant & 1;
        LyRole from = variant & 2 ? LY_CLIENT : LY_SERVER;
        LyTransportOptions client = plain_options(LY_CLIENT), server = plain_options(LY_SERVER);
        Pair pair = {0};
        pair_open(&pair, &client, &server);
        pump(&pair);
        End *to = &pair.end[!from];
        for (int i = 0; signed_in && i < 2; i++)
            ly_transport_authenticated(pair.end[i].t);
        LyBytes late = LY_BYTES("\x5elate");
        ly_kex_begin(pair.end[from].t);
        g_assert_true(ly_packet_seal(pair.end[from].t, &late, 1));
        pump(&pair);
        if (signed_in) {
            assert_open(to);
            g_assert_cmpstr(to->payloads->str, ==, "5:^late");
            g_assert_cmpuint(to->newkeys, ==, 2);
        } else {
            g_assert_true(ly_transport_is_closed(to->t));
            g_assert_cmpuint(to->payloads->len, ==, 0);
        }
        pair_close(&pair);
    }
}

/* ---- the rest ---- */

static void test_bulk(void)
{
    static uint8_t data[32768];
    Pair pair = {.chunk = 100000};
    join_plain(&pair, &(Lists){0});
    for (int i = 0; i < 64; i++)
        send_bytes(&pair.end[LY_CLIENT], SSH_MSG_CHANNEL_DATA, data, sizeof data); /* one output of 2 MiB */
    g_assert_cmpuint(ly_transport_output_len(pair.end[LY_CLIENT].t), >, 64 * sizeof data);
    pump(&pair);
    g_assert_cmpuint(pair.end[LY_SERVER].packets, ==, 64);
    g_assert_null(pair.end[LY_CLIENT].t->output.data); /* a large buffer is given back */
    pair_close(&pair);
}

static void test_messages(void)
{
    Pair pair = {0};
    join_plain(&pair, &(Lists){0});
    End *client = &pair.end[LY_CLIENT];
    uint32_t seq = client->t->out.seq;
    send_bytes(client, 150, "?", 1);
    send_bytes(client, SSH_MSG_NEWCOMPRESS, "", 0);
    pump(&pair);
    g_assert_cmpuint(client->unimplemented, ==, 2);
    g_assert_cmpuint(client->unimplemented_seq, ==, seq + 1);
    send_bytes(client, SSH_MSG_PING,
               "\0\0\0\x03"
               "abc",
               7);
    pump(&pair);
    g_assert_cmpmem(client->payloads->str, client->payloads->len,
                    "8:\xc1\0\0\0\x03"
                    "abc",
                    10);
    send_bytes(client, SSH_MSG_IGNORE, "\0\0\0\x01x", 5);
    send_bytes(client, SSH_MSG_DEBUG, "\1\0\0\0\x01x\0\0\0\0", 10);
    send_bytes(client, SSH_MSG_USERAUTH_REQUEST, "late", 4); /* RFC 4252 5.1: ignored */
    pump(&pair);
    assert_open(&pair.end[LY_SERVER]);
    g_assert_cmpuint(pair.end[LY_SERVER].packets, ==, 0);
    send_bytes(client, SSH_MSG_CHANNEL_CLOSE, "", 0);
    pump(&pair);
    ly_transport_unimplemented(pair.end[LY_SERVER].t);
    pump(&pair);
    g_assert_cmpuint(client->unimplemented, ==, 3);
    g_assert_cmpuint(client->unimplemented_seq, ==, client->t->out.seq - 1);
    pair_close(&pair);
}

static void test_ends(void)
{
    LyError lost = {0};
    Pair pair = {0};
    join_plain(&pair, &(Lists){0});
    LyTransport *c = pair.end[LY_CLIENT].t;
    g_assert_false(
        ly_transport_fail(c, LY_ERROR_AUTH, SSH_DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE, "no %s", "way"));
    g_assert_false(ly_transport_fail(c, LY_ERROR_LIMIT, 0, "another")); /* the first sticks */
    g_assert_false(ly_transport_send(c, &LY_BYTES("x"), 1));
    pump(&pair);
    g_assert_cmpstr(pair.end[LY_CLIENT].error.message, ==, "no way");
    g_assert_cmpint(pair.end[LY_CLIENT].error.code, ==, LY_ERROR_AUTH);
    g_assert_cmpint(pair.end[LY_SERVER].error.code, ==, LY_ERROR_DISCONNECT);
    g_assert_cmpuint(pair.end[LY_SERVER].error.reason, ==, 14);
    pair_close(&pair);

    pair = (Pair){0};
    join_plain(&pair, &(Lists){0});
    send_bytes(&pair.end[LY_CLIENT], SSH_MSG_CHANNEL_DATA, "x", 1);
    ly_error_set_errno(&lost, 104, "reading");
    ly_transport_carrier_lost(pair.end[LY_CLIENT].t, &lost);
    g_assert_cmpuint(ly_transport_output(pair.end[LY_CLIENT].t).len, ==, 0);
    ly_transport_input_done(pair.end[LY_SERVER].t, 0);
    pump(&pair);
    g_assert_cmpint(pair.end[LY_CLIENT].error.code, ==, LY_ERROR_IO);
    g_assert_cmpint(pair.end[LY_CLIENT].error.system, ==, 104);
    g_assert_cmpint(pair.end[LY_SERVER].error.code, ==, LY_ERROR_DISCONNECT);
    pair_close(&pair);

    pair = (Pair){.hold_question = true};
    LyTransportOptions client = plain_options(LY_CLIENT), server = plain_options(LY_SERVER);
    pair_open(&pair, &client, &server);
    pump(&pair);
    ly_transport_host_key_refuse(pair.end[LY_CLIENT].t, "another key is known");
    pump(&pair);
    g_assert_cmpint(pair.end[LY_CLIENT].error.code, ==, LY_ERROR_HOST_KEY);
    g_assert_cmpuint(pair.end[LY_SERVER].error.reason, ==, SSH_DISCONNECT_HOST_KEY_NOT_VERIFIABLE);
    g_assert_cmpuint(pair.end[LY_SERVER].newkeys, ==, 0);
    pair_close(&pair);
}

static void test_output_limit(void)
{
    static uint8_t data[30000];
    for (int rekeying = 0; rekeying < 2; rekeying++) {
        LyTransportOptions client = plain_options(LY_CLIENT), server = plain_options(LY_SERVER);
        client.max_output_len = 100000;
        Pair pair = {0};
        pair_join(&pair, &(Lists){0}, client, server);
        LyTransport *c = pair.end[LY_CLIENT].t;
        if (rekeying)
            ly_transport_rekey(c);
        for (int i = 0; i < 3; i++)
            send_bytes(&pair.end[LY_CLIENT], SSH_MSG_CHANNEL_DATA, data, sizeof data);
        g_assert_cmpuint(ly_transport_output_len(c), >, 90000);
        g_assert_false(ly_transport_send(c, (LyBytes[]){ly_bytes("^", 1), ly_bytes(data, sizeof data)}, 2));
        pump(&pair);
        g_assert_cmpint(pair.end[LY_CLIENT].error.code, ==, LY_ERROR_LIMIT);
        g_assert_cmpint(pair.end[LY_SERVER].error.code, ==, LY_ERROR_DISCONNECT);
        pair_close(&pair);
    }
}

/* What is answered without the application, and by a peer that never reads, stops at the limit: before
 * sign-in, and while answers wait for NEWKEYS. */
static void test_answer_flood(void)
{
    static uint8_t ping[1004] = {0, 0, 3, 0xe8};
    static const struct {
        uint8_t number;
        size_t len, limit; /* of the output; 0: as it is, when 1 MiB of answers may wait */
        bool rekeying;
    } rows[] = {{SSH_MSG_PING, sizeof ping, 100000, false},
                {SSH_MSG_PING, sizeof ping, 100000, true},
                {150, 0, 100000, false},
                {SSH_MSG_PING, sizeof ping, 0, false},
                {SSH_MSG_PING, sizeof ping, 0, true}};
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LyTransportOptions client = plain_options(LY_CLIENT), server = plain_options(LY_SERVER);
        server.max_output_len = rows[i].limit;
        size_t most = (rows[i].limit ? rows[i].limit : 1 << 20) + 2500; /* DISCONNECT goes past it */
        Pair pair = {0};
        pair_open(&pair, &client, &server);
        pump(&pair);
        End *honest = &pair.end[LY_SERVER];
        g_assert_cmpuint(honest->newkeys, ==, 1);
        if (rows[i].rekeying)
            ly_transport_rekey(honest->t);
        for (int k = 0; k < 10000 && !honest->closed; k++) {
            send_bytes(&pair.end[LY_CLIENT], rows[i].number, ping, rows[i].len);
            pump_from(&pair, LY_CLIENT);
            g_assert_cmpuint(ly_transport_output_len(honest->t), <=, most);
        }
        g_assert_cmpint(honest->error.code, ==, LY_ERROR_LIMIT);
        pair_close(&pair);
    }
}

static void test_options(void)
{
    static const char *const bad_idents[] = {"", "a\nb", "\x7f", "caf\xc3\xa9"};
    LyError error = {0};
    for (size_t i = 0; i < LY_COUNT(bad_idents); i++) {
        LyTransportOptions options = plain_options(LY_CLIENT);
        options.ident = bad_idents[i];
        g_assert_null(ly_transport_new(&options, 0, &error));
        g_assert_cmpint(error.code, ==, LY_ERROR_INVALID);
    }
    LyTransportOptions options = plain_options(LY_SERVER);
    options.greeting = "hello\nSSH-2.0-other";
    g_assert_null(ly_transport_new(&options, 0, &error));
    options = plain_options(LY_SERVER);
    options.host_key_count = 0;
    g_assert_null(ly_transport_new(&options, 0, &error));
    g_assert_nonnull(strstr(error.message, "host key"));
    /* A server offers only what it has keys for. */
    options.host_key_count = 1;
    LyTransport *t = make_transport(&options);
    g_assert_cmpstr(ly_transport_algorithms(t)->list[LY_ALGORITHMS_HOST_KEY], ==, "ssh-ed25519");
    ly_transport_free(t);
}

static void test_algorithms(void)
{
    LyAlgorithms algorithms;
    LyError error = {0};
    ly_algorithms_init(crypto, &algorithms);
    g_assert_null(strstr(algorithms.list[LY_ALGORITHMS_CIPHER], "cbc"));
    g_assert_null(strstr(algorithms.list[LY_ALGORITHMS_HOST_KEY], "ssh-dss"));
    set_list(&algorithms, LY_ALGORITHMS_CIPHER, "+aes128-cbc");
    g_assert_true(g_str_has_suffix(algorithms.list[LY_ALGORITHMS_CIPHER], ",aes128-cbc"));
    set_list(&algorithms, LY_ALGORITHMS_CIPHER, "^aes*-ctr");
    g_assert_true(
        g_str_has_prefix(algorithms.list[LY_ALGORITHMS_CIPHER], "aes128-ctr,aes192-ctr,aes256-ctr,"));
    set_list(&algorithms, LY_ALGORITHMS_KEX, "-*25519*");
    g_assert_null(strstr(algorithms.list[LY_ALGORITHMS_KEX], "25519"));
    g_assert_false(
        ly_algorithms_change(crypto, &algorithms, LY_ALGORITHMS_MAC, LY_BYTES("hmac-md4"), &error));
    g_assert_nonnull(strstr(error.message, "MACs: 'hmac-md4'"));
    g_assert_false(ly_algorithms_change(crypto, &algorithms, LY_ALGORITHMS_MAC, LY_BYTES("-*"), &error));
    g_assert_nonnull(strstr(algorithms.list[LY_ALGORITHMS_MAC], "hmac-sha2-256")); /* as it was */
    LyAlgorithms copy = {0};
    ly_algorithms_copy(&algorithms, &copy);
    g_assert_cmpstr(copy.list[LY_ALGORITHMS_USER_KEY], ==, algorithms.list[LY_ALGORITHMS_USER_KEY]);
    ly_algorithms_clear(&copy);
    ly_algorithms_clear(&algorithms);
    g_assert_cmpstr(ly_ssh_message_name(20), ==, "SSH_MSG_KEXINIT");
    g_assert_cmpstr(ly_ssh_disconnect_name(5), ==, "SSH_DISCONNECT_MAC_ERROR");
    g_assert_cmpstr(ly_ssh_message_name(199), ==, "?");
}

/* The file of groups decides, and the client takes what it gives. */
static void test_group_exchange(void)
{
    Pair pair = {0};
    LyTransportOptions client = plain_options(LY_CLIENT), server = plain_options(LY_SERVER);
    client.gex_min_bits = 3072;
    pair_join(&pair, &(Lists){.kex = "diffie-hellman-group-exchange-sha256"}, client, server);
    pair_close(&pair);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    make_keys();
    g_test_add_data_func("/transport/handshake/all", GSIZE_TO_POINTER(0), test_handshake);
    g_test_add_data_func("/transport/handshake/1", GSIZE_TO_POINTER(1), test_handshake);
    g_test_add_data_func("/transport/handshake/7", GSIZE_TO_POINTER(7), test_handshake);
    g_test_add_func("/transport/methods", test_methods);
    g_test_add_func("/transport/ciphers", test_ciphers);
    g_test_add_func("/transport/directions", test_directions);
    g_test_add_func("/transport/rekey/between", test_rekey);
    g_test_add_func("/transport/rekey/always", test_rekey_always);
    g_test_add_func("/transport/rekey/bytes", test_rekey_bytes);
    g_test_add_func("/transport/rekey/blocks", test_rekey_blocks);
    g_test_add_func("/transport/time", test_time);
    g_test_add_func("/transport/compression/delayed", test_delayed_compression);
    g_test_add_func("/transport/data-in-rekey", test_data_in_rekey);
    g_test_add_func("/transport/bulk", test_bulk);
    g_test_add_func("/transport/messages", test_messages);
    g_test_add_func("/transport/ends", test_ends);
    g_test_add_func("/transport/output-limit", test_output_limit);
    g_test_add_func("/transport/answer-flood", test_answer_flood);
    g_test_add_func("/transport/options", test_options);
    g_test_add_func("/transport/algorithms", test_algorithms);
    g_test_add_func("/transport/group-exchange", test_group_exchange);
    int status = g_test_run();
    free_keys();
    return status;
}
