/* core/transport with a wire that damages what goes over it, and with peers that break the rules once there
 * are keys. */
#include "transport-pair.h"

static LyAlgorithms short_lists;

static void make_short_lists(void)
{
    ly_algorithms_init(crypto, &short_lists);
    set_list(&short_lists, LY_ALGORITHMS_KEX, "curve25519-sha256");
    set_list(&short_lists, LY_ALGORITHMS_HOST_KEY, "ssh-ed25519");
    set_list(&short_lists, LY_ALGORITHMS_CIPHER, "aes128-gcm@openssh.com");
    set_list(&short_lists, LY_ALGORITHMS_MAC, "hmac-sha2-256");
    set_list(&short_lists, LY_ALGORITHMS_COMPRESSION, "none");
}

static void pair_start(Pair *pair, const LyAlgorithms *algorithms)
{
    LyTransportOptions client = plain_options(LY_CLIENT), server = plain_options(LY_SERVER);
    client.algorithms = server.algorithms = algorithms;
    pair_open(pair, &client, &server);
}

static void authenticate(Pair *pair)
{
    ly_transport_authenticated(pair->end[LY_SERVER].t);
    ly_transport_authenticated(pair->end[LY_CLIENT].t);
}

/* A signed-in pair of one cipher and MAC. */
static void pair_join(Pair *pair, const char *cipher, const char *mac, const char *compression)
{
    LyAlgorithms algorithms;
    ly_algorithms_copy(&short_lists, &algorithms);
    set_list(&algorithms, LY_ALGORITHMS_CIPHER, cipher);
    set_list(&algorithms, LY_ALGORITHMS_MAC, mac);
    set_list(&algorithms, LY_ALGORITHMS_COMPRESSION, compression);
    pair_start(pair, &algorithms);
    ly_algorithms_clear(&algorithms);
    pump(pair);
    assert_open(&pair->end[0]);
    assert_open(&pair->end[1]);
    authenticate(pair);
}

/* The end has failed and said why; the other was told the same reason. */
static void assert_failed(Pair *pair, LyRole role, uint32_t reason, const char *why)
{
    End *end = &pair->end[role], *other = &pair->end[!role];
    pump(pair);
    if (!end->closed || end->error.code == LY_OK)
        g_error("not refused: %s", why);
    if (reason && end->error.reason != reason)
        g_error("%s: reason %u: %s", why, end->error.reason, end->error.message);
    if (reason && other->error.reason != reason)
        g_error("%s: the peer got reason %u: %s", why, other->error.reason, other->error.message);
}

/* ---- damage in the clear phase ---- */

typedef enum DamageKind { CUT, FLIP, GROW, REPLACE } DamageKind;

typedef struct Damage {
    LyRole from;
    unsigned message; /* the how-manieth packet of that side: 0 KEXINIT, 1 INIT or REPLY, 2 NEWKEYS */
    DamageKind kind;
    size_t at;
    uint8_t bit;
    LyBytes replacement;
    unsigned seen;
    size_t payload_len; /* what the message had */
} Damage;

static void append_packet(GByteArray *out, LyBytes payload)
{
    uint8_t head[5], zeros[16] = {0};
    size_t pad = 8 - (5 + payload.len) % 8;
    pad += pad < 4 ? 8 : 0;
    ly_store_u32(head, (uint32_t)(1 + payload.len + pad));
    head[4] = (uint8_t)pad;
    g_byte_array_append(out, head, sizeof head);
    if (payload.len)
        g_byte_array_append(out, payload.data, (guint)payload.len);
    g_byte_array_append(out, zeros, (guint)pad);
}

static void damage_payload(const Damage *damage, GByteArray *payload)
{
    switch (damage->kind) {
    case CUT:
        g_byte_array_set_size(payload, (guint)damage->at);
        break;
    case FLIP:
        payload->data[damage->at] ^= (uint8_t)(1u << damage->bit);
        break;
    case GROW:
        g_byte_array_append(payload, (const guint8 *)"", 1);
        break;
    case REPLACE:
        g_byte_array_set_size(payload, 0);
        g_byte_array_append(payload, damage->replacement.data, (guint)damage->replacement.len);
        break;
    }
}

static void damage_wire(Pair *pair, LyRole from, GByteArray *bytes)
{
    Damage *damage = pair->user;
    if (from != damage->from || damage->seen > damage->message)
        return;
    size_t at = 0;
    if (memcmp(bytes->data, "SSH-", 4) == 0)
        at = (size_t)((uint8_t *)memchr(bytes->data, '\n', bytes->len) - bytes->data) + 1;
    for (; at + 5 < bytes->len; damage->seen++) {
        size_t len = ly_load_u32(bytes->data + at) + 4;
        if (damage->seen == damage->message) {
            GByteArray *changed = g_byte_array_new(), *payload = g_byte_array_new();
            damage->payload_len = len - 5 - bytes->data[at + 4];
            g_byte_array_append(payload, bytes->data + at + 5, (guint)damage->payload_len);
            damage_payload(damage, payload);
            g_byte_array_append(changed, bytes->data, (guint)at);
            append_packet(changed, ly_bytes(payload->data, payload->len));
            g_byte_array_append(changed, bytes->data + at + len, bytes->len - (guint)(at + len));
            g_byte_array_set_size(bytes, 0);
            g_byte_array_append(bytes, changed->data, changed->len);
            g_byte_array_unref(changed);
            g_byte_array_unref(payload);
            damage->seen++;
            return;
        }
        at += len;
    }
}

/* The receiver notices: sooner, or by the signature over everything that was said. */
static void run_damage(Damage *damage)
{
    Pair pair = {.wire = damage_wire, .user = damage};
    pair_start(&pair, &short_lists);
    pump(&pair);
    g_assert_cmpuint(damage->seen, ==, damage->message + 1);
    End *client = &pair.end[LY_CLIENT], *server = &pair.end[LY_SERVER];
    if (!client->closed || !server->closed)
        g_error("message %u of %d, kind %d at %zu: not noticed", damage->message, damage->from, damage->kind,
                damage->at);
    g_assert_true(client->error.code != LY_OK && server->error.code != LY_OK);
    g_assert_cmpuint(client->error.reason, ==, server->error.reason); /* one said it, the other heard it */
    g_assert_cmpuint(client->error.reason, !=, 0);
    if (damage->message < 2)
        g_assert_cmpuint(client->newkeys + server->newkeys + client->questions, ==, 0);
    pair_close(&pair);
}

static void test_damage(void)
{
    for (int from = 0; from < 2; from++) {
        for (unsigned message = 0; message < 3; message++) {
            Damage grow = {.from = (LyRole)from, .message = message, .kind = GROW};
            run_damage(&grow);
            for (size_t at = 0; at < grow.payload_len; at++) {
                Damage cut = {.from = (LyRole)from, .message = message, .kind = CUT, .at = at};
                Damage flip = {
                    .from = (LyRole)from, .message = message, .kind = FLIP, .at = at, .bit = at % 8};
                run_damage(&cut);
                if (message > 0 || at % 3 == 0)
                    run_damage(&flip);
            }
        }
    }
}

/* ---- signatures ---- */

static LyBuf captured;

static void capture_wire(Pair *pair, LyRole from, GByteArray *bytes)
{
    if (from == LY_SERVER && memcmp(bytes->data, "SSH-", 4) != 0 && bytes->data[5] == SSH_MSG_KEXDH_REPLY) {
        ly_buf_clear(&captured);
        ly_buf_add(&captured, ly_bytes(bytes->data + 5, ly_load_u32(bytes->data) - 1 - bytes->data[4]));
    }
}

/* REPLY's signature is changed while it is on its way: its bytes are those of the exchange that runs. */
typedef enum SignatureDamage {
    LAST_BIT,
    EMPTY,
    SHORT,
    TRAILING,
    OTHER_ALGORITHM,
    S_TOO_LARGE,
    FROM_ANOTHER,
    DAMAGES
} SignatureDamage;

static void signature_wire(Pair *pair, LyRole from, GByteArray *bytes)
{
    SignatureDamage *kind = pair->user;
    if (from != LY_SERVER || memcmp(bytes->data, "SSH-", 4) == 0 || bytes->data[5] != SSH_MSG_KEXDH_REPLY)
        return;
    LyReader reader = ly_reader(ly_bytes(bytes->data + 6, ly_load_u32(bytes->data) - 2 - bytes->data[4]));
    LyBytes blob = ly_get_string(&reader), value = ly_get_string(&reader), signature = ly_get_string(&reader);
    g_assert_true(ly_reader_done(&reader));
    reader = ly_reader(signature);
    LyBytes algorithm = ly_get_string(&reader), raw = ly_get_string(&reader);
    g_assert_true(ly_bytes_is(algorithm, "ssh-ed25519") && raw.len == 64);
    LyBuf changed = {0}, payload = {0};
    uint8_t s[64];
    memcpy(s, raw.data, 64);
    if (*kind == LAST_BIT)
        s[63] ^= 1;
    if (*kind == S_TOO_LARGE)
        s[63] |= 0xe0;
    ly_put_cstring(&changed, *kind == OTHER_ALGORITHM ? "ssh-ed448" : "ssh-ed25519");
    ly_put_string(&changed, ly_bytes(s, *kind == SHORT ? 63 : 64));
    if (*kind == TRAILING)
        ly_put_u8(&changed, 0);
    if (*kind == EMPTY)
        ly_buf_clear(&changed);
    ly_put_u8(&payload, SSH_MSG_KEXDH_REPLY);
    ly_put_string(&payload, blob);
    ly_put_string(&payload, value);
    if (*kind == FROM_ANOTHER) {
        reader = ly_reader(ly_bytes_slice(ly_buf_bytes(&captured), 1, captured.len));
        ly_get_string(&reader);
        ly_get_string(&reader);
        ly_put_string(&payload, ly_get_string(&reader));
    } else {
        ly_put_string(&payload, ly_buf_bytes(&changed));
    }
    g_byte_array_set_size(bytes, 0);
    append_packet(bytes, ly_buf_bytes(&payload));
    ly_buf_free(&changed);
    ly_buf_free(&payload);
}

static void test_signatures(void)
{
    Pair first = {.wire = capture_wire};
    pair_start(&first, &short_lists);
    pump(&first);
    pair_close(&first);
    g_assert_cmpuint(captured.len, >, 100);
    for (SignatureDamage kind = LAST_BIT; kind < DAMAGES; kind++) {
        Pair pair = {.wire = signature_wire, .user = &kind};
        pair_start(&pair, &short_lists);
        assert_failed(&pair, LY_CLIENT, SSH_DISCONNECT_HOST_KEY_NOT_VERIFIABLE, "signature");
        g_assert_cmpuint(pair.end[LY_CLIENT].questions + pair.end[LY_SERVER].newkeys, ==, 0);
        pair_close(&pair);
    }
    ly_buf_free(&captured);
}

/* ---- damage once there are keys ---- */

static void flip_wire(Pair *pair, LyRole from, GByteArray *bytes)
{
    const size_t *at = pair->user; /* a bit's number */
    if (from == LY_CLIENT)
        bytes->data[*at / 8 % bytes->len] ^= (uint8_t)(1u << *at % 8);
}

static void flip_one(const char *cipher, const char *mac, size_t at)
{
    Pair pair = {0};
    pair_join(&pair, cipher, mac, "none");
    uint8_t data[16000] = {0};
    send_bytes(&pair.end[LY_CLIENT], SSH_MSG_CHANNEL_DATA, data, 40);
    send_bytes(&pair.end[LY_CLIENT], SSH_MSG_CHANNEL_DATA, data,
               sizeof data); /* so that a longer length is there */
    pair.wire = flip_wire;
    pair.user = &at;
    pump_from(&pair, LY_CLIENT);
    pair.wire = NULL;
    if (!pair.end[LY_SERVER].closed) /* the length grew: the bytes are waited for */
        for (int i = 0; i < 40 && !ly_transport_is_closed(pair.end[LY_CLIENT].t); i++) {
            send_bytes(&pair.end[LY_CLIENT], SSH_MSG_CHANNEL_DATA, data, sizeof data);
            pump(&pair);
        }
    assert_failed(&pair, LY_SERVER, 0, cipher);
    uint32_t reason = pair.end[LY_SERVER].error.reason;
    g_assert_true(reason == SSH_DISCONNECT_MAC_ERROR ||
                  (at < 32 * 4 && reason == SSH_DISCONNECT_PROTOCOL_ERROR));
    g_assert_cmpuint(pair.end[LY_SERVER].packets, ==, 0); /* nothing was acted on */
    pair_close(&pair);
}

static void test_flips(void)
{
    LyBuf ciphers = {0}, macs = {0};
    ly_algorithms_all(crypto, LY_ALGORITHMS_CIPHER, &ciphers);
    ly_algorithms_all(crypto, LY_ALGORITHMS_MAC, &macs);
    LyBytes rest = ly_buf_bytes(&ciphers), cipher, mac;
    unsigned count = 0;
    while (ly_names_next(&rest, &cipher)) {
        char *cipher_name = ly_bytes_dup_str(cipher);
        const LyCipherInfo *info = ly_cipher_find(cipher);
        LyBytes more = ly_buf_bytes(&macs);
        while (ly_names_next(&more, &mac)) {
            char *mac_name = ly_bytes_dup_str(mac);
            size_t tag_len = info->tag_len ? info->tag_len : ly_mac_find(mac)->tag_len;
            size_t block = info->tag_len || ly_mac_find(mac)->etm ? 0 : 4;
            size_t len = 4 + (42 + 4 + info->block_len) / info->block_len *
                                 info->block_len;                           /* about the first packet */
            flip_one(cipher_name, mac_name, (8 + block) * 8 + count % 200); /* ciphertext */
            if (count % 2)
                flip_one(cipher_name, mac_name, count % 32); /* length */
            else
                flip_one(cipher_name, mac_name, (len - 4 + tag_len / 2) * 8); /* the end, or the tag */
            count++;
            ly_free(mac_name);
            if (info->tag_len)
                break;
        }
        ly_free(cipher_name);
    }
    ly_buf_free(&ciphers);
    ly_buf_free(&macs);
}

static const struct {
    const char *cipher, *mac;
} families[] = {
    {"aes128-ctr", "hmac-sha2-256"},       {"aes128-ctr", "hmac-sha2-256-etm@openssh.com"},
    {"aes128-cbc", "hmac-sha1"},           {"aes128-gcm@openssh.com", ""},
    {"chacha20-poly1305@openssh.com", ""},
};

/* All but CBC let a middleman choose the length: by the key stream, or because it is in the clear. */
static void length_wire(Pair *pair, LyRole from, GByteArray *bytes)
{
    const uint32_t *change = pair->user;
    if (from == LY_CLIENT)
        ly_store_u32(bytes->data, ly_load_u32(bytes->data) ^ *change);
}

static void test_lengths(void)
{
    static const uint32_t lengths[] = {0, 1, 5, 33, 262149, 0x7fffffff, 0xffffffff};
    for (size_t f = 0; f < LY_COUNT(families); f++) {
        if (strstr(families[f].cipher, "cbc"))
            continue;
        for (size_t i = 0; i < LY_COUNT(lengths); i++) {
            Pair pair = {0};
            pair_join(&pair, families[f].cipher, families[f].mac, "none");
            LyProtection *protection = pair.end[LY_CLIENT].t->out.protection;
            send_bytes(&pair.end[LY_CLIENT], SSH_MSG_CHANNEL_DATA, "", 0);
            uint32_t real = (uint32_t)(ly_transport_output_len(pair.end[LY_CLIENT].t) - 4 -
                                       ly_protection_tag_len(protection));
            uint32_t change = real ^ lengths[i];
            pair.wire = length_wire;
            pair.user = &change;
            pump_from(&pair, LY_CLIENT);
            g_assert_cmpuint(pair.end[LY_SERVER].closed, ==, 1); /* at once */
            pair.wire = NULL;
            assert_failed(&pair, LY_SERVER, SSH_DISCONNECT_PROTOCOL_ERROR, "length");
            pair_close(&pair);
        }
    }
}

/* Seals a packet with the client's keys and any padding, and hands it to the server. */
static void feed_sealed(Pair *pair, LyBytes payload, size_t pad)
{
    static const uint8_t zeros[256];
    LyStream *out = &pair->end[LY_CLIENT].t->out;
    uint8_t packet[1024];
    size_t len = 5 + payload.len + pad + ly_protection_tag_len(out->protection);
    g_assert_cmpuint(len, <=, sizeof packet);
    g_assert_true(ly_protection_seal(out->protection, out->seq++, &payload, 1, ly_bytes(zeros, pad), packet));
    feed(pair, &pair->end[LY_SERVER], packet, len);
}

static void test_padding(void)
{
    static const uint8_t payload[64] = {SSH_MSG_CHANNEL_DATA};
    for (size_t f = 0; f < LY_COUNT(families); f++) {
        for (size_t pad = 0; pad < 20; pad++) {
            Pair pair = {0};
            pair_join(&pair, families[f].cipher, families[f].mac, "none");
            LyProtection *protection = pair.end[LY_CLIENT].t->out.protection;
            size_t head = ly_protection_aligns_length(protection) ? 5 : 1,
                   block = ly_protection_block_len(protection);
            size_t len = (2 * block - (head + pad) % block) % block;
            if (pad >= 4 && len == 0)
                len += block;
            if (pad < 4 && len == 0)
                len = block;
            feed_sealed(&pair, ly_bytes(payload, len), pad);
            if (pad < 4)
                assert_failed(&pair, LY_SERVER, SSH_DISCONNECT_PROTOCOL_ERROR, "padding");
            else
                g_assert_cmpuint(pair.end[LY_SERVER].packets, ==, 1);
            pair_close(&pair);
        }
        Pair pair = {0}; /* no payload at all */
        pair_join(&pair, families[f].cipher, families[f].mac, "none");
        LyProtection *protection = pair.end[LY_CLIENT].t->out.protection;
        size_t head = ly_protection_aligns_length(protection) ? 5 : 1;
        feed_sealed(&pair, ly_bytes(NULL, 0), 2 * ly_protection_block_len(protection) - head);
        assert_failed(&pair, LY_SERVER, SSH_DISCONNECT_PROTOCOL_ERROR, "empty");
        pair_close(&pair);
    }
}

static void test_eof(void)
{
    Pair pair = {0};
    pair_join(&pair, "aes128-ctr", "hmac-sha2-256", "none");
    send_bytes(&pair.end[LY_CLIENT], SSH_MSG_CHANNEL_DATA, "abc", 3);
    LyBytes out = ly_transport_output(pair.end[LY_CLIENT].t);
    feed(&pair, &pair.end[LY_SERVER], out.data, out.len - 1); /* the tag is cut */
    ly_transport_input_done(pair.end[LY_SERVER].t, 0);
    pull_events(&pair, &pair.end[LY_SERVER]);
    g_assert_cmpint(pair.end[LY_SERVER].error.code, ==, LY_ERROR_DISCONNECT);
    g_assert_nonnull(strstr(pair.end[LY_SERVER].error.message, "middle of a packet"));
    g_assert_cmpuint(pair.end[LY_SERVER].packets, ==, 0);
    pair_close(&pair);
    pair =
        (Pair){.hold_question = true}; /* nobody waits for an answer to a question about a dead connection */
    pair_start(&pair, &short_lists);
    pump(&pair);
    ly_transport_input_done(pair.end[LY_CLIENT].t, 0);
    pull_events(&pair, &pair.end[LY_CLIENT]);
    g_assert_cmpuint(pair.end[LY_CLIENT].closed, ==, 1);
    pair_close(&pair);
}

static void test_compression(void)
{
    static uint8_t zeros[300000];
    Pair pair = {0};
    pair_join(&pair, "aes128-gcm@openssh.com", "", "zlib"); /* a bomb */
    send_bytes(&pair.end[LY_CLIENT], SSH_MSG_CHANNEL_DATA, zeros, sizeof zeros);
    g_assert_cmpuint(ly_transport_output_len(pair.end[LY_CLIENT].t), <, 2000);
    assert_failed(&pair, LY_SERVER, SSH_DISCONNECT_COMPRESSION_ERROR, "bomb");
    g_assert_cmpuint(pair.end[LY_SERVER].packets, ==, 0);
    g_assert_cmpuint(pair.end[LY_SERVER].t->inflated.cap, <, 600000);
    pair_close(&pair);
    pair = (Pair){0};
    pair_join(&pair, "aes128-gcm@openssh.com", "", "zlib"); /* not a zlib stream */
    feed_sealed(&pair, LY_BYTES("^this is no zlib stream at."), 4);
    assert_failed(&pair, LY_SERVER, SSH_DISCONNECT_COMPRESSION_ERROR, "damaged");
    pair_close(&pair);
    pair = (Pair){0}; /* zlib@openssh.com before its time is not inflated */
    LyAlgorithms algorithms;
    ly_algorithms_copy(&short_lists, &algorithms);
    set_list(&algorithms, LY_ALGORITHMS_COMPRESSION, "zlib@openssh.com");
    pair_start(&pair, &algorithms);
    ly_algorithms_clear(&algorithms);
    pump(&pair);
    ly_transport_authenticated(pair.end[LY_CLIENT].t); /* the server knows nothing of it */
    send_bytes(&pair.end[LY_CLIENT], SSH_MSG_USERAUTH_REQUEST, "abc", 3);
    assert_failed(&pair, LY_SERVER, 0, "compressed before sign-in");
    g_assert_cmpuint(pair.end[LY_SERVER].error.reason, ==, SSH_DISCONNECT_PROTOCOL_ERROR);
    g_assert_cmpuint(pair.end[LY_SERVER].packets, ==, 0);
    pair_close(&pair);
}

/* ---- strict key exchange ---- */

/* Takes the marks out of both KEXINITs, in the sender's memory too, so that the exchange hash is over what
 * was sent: two peers that do not know strict key exchange. */
static void unstrict_wire(Pair *pair, LyRole from, GByteArray *bytes)
{
    LyBuf *own = &pair->end[from].t->kex.own_init;
    if (!own->len)
        return;
    uint8_t *places[] = {memmem(bytes->data, bytes->len, "kex-strict-", 11),
                         memmem(own->data, own->len, "kex-strict-", 11)};
    for (int i = 0; i < 2; i++)
        if (places[i])
            memcpy(places[i], "no-strict--", 11);
}

static void test_strict(void)
{
    for (int strict = 0; strict < 2; strict++) {
        Pair pair = {.wire = strict ? NULL : unstrict_wire};
        pair_start(&pair, &short_lists);
        pump(&pair);
        LyTransport *c = pair.end[LY_CLIENT].t, *s = pair.end[LY_SERVER].t;
        assert_open(&pair.end[LY_CLIENT]);
        g_assert_true(ly_transport_negotiated(c)->strict_kex == (strict == 1));
        /* KEXINIT, INIT or REPLY, NEWKEYS; then one EXT_INFO each way. */
        g_assert_cmpuint(c->out.seq, ==, strict ? 1 : 4);
        g_assert_cmpuint(s->out.seq, ==, strict ? 1 : 4);
        g_assert_true(c->in.seq == s->out.seq && s->in.seq == c->out.seq);
        authenticate(&pair);
        ly_transport_rekey(c);
        g_assert_null(memmem(c->kex.own_init.data, c->kex.own_init.len, "strict", 6)); /* said once only */
        g_assert_null(memmem(c->kex.own_init.data, c->kex.own_init.len, "ext-info", 8));
        pump(&pair);
        g_assert_cmpuint(c->out.seq, ==, strict ? 0 : 7);
        g_assert_cmpuint(s->out.seq, ==, strict ? 0 : 7);
        send_bytes(&pair.end[LY_CLIENT], SSH_MSG_CHANNEL_DATA, "x", 1);
        pump(&pair);
        g_assert_cmpuint(pair.end[LY_SERVER].packets, ==, 1);
        pair_close(&pair);
    }
    Pair pair = {.wire = unstrict_wire};
    LyTransportOptions client = plain_options(LY_CLIENT), server = plain_options(LY_SERVER);
    client.require_strict_kex = true;
    pair_open(&pair, &client, &server);
    assert_failed(&pair, LY_CLIENT, SSH_DISCONNECT_KEY_EXCHANGE_FAILED, "strict KEX is required");
    pair_close(&pair);
}

/* Harmless messages inside the first exchange, sent by the end itself so that the counters agree. */
static void test_harmless(void)
{
    static const uint8_t ignore[] = {SSH_MSG_IGNORE, 0, 0, 0, 0};
    for (int strict = 0; strict < 2; strict++) {
        for (int from = 0; from < 2; from++) {
            Pair pair = {.wire = strict ? NULL : unstrict_wire};
            LyBytes part = ly_bytes(ignore, sizeof ignore);
            pair_start(&pair, &short_lists);
            pump_from(&pair, LY_CLIENT); /* identifications */
            pump_from(&pair, LY_SERVER);
            g_assert_true(ly_packet_seal(pair.end[from].t, &part, 1));
            pump(&pair);
            if (strict) {
                assert_failed(&pair, (LyRole)!from, SSH_DISCONNECT_PROTOCOL_ERROR, "IGNORE in strict KEX");
            } else {
                assert_open(&pair.end[0]);
                g_assert_cmpuint(pair.end[1].newkeys, ==, 1);
            }
            pair_close(&pair);
        }
    }
}

/* ---- rules once there are keys ---- */

static void send_raw(Pair *pair, LyRole from, LyBytes payload)
{
    g_assert_true(ly_packet_seal(pair->end[from].t, &payload, 1));
}

static void test_reexchange(void)
{
    static const uint8_t data[] = {SSH_MSG_CHANNEL_DATA, 1, 2, 3};
    LyBytes part = ly_bytes(data, sizeof data);
    for (int from = 0; from < 2; from++) {
        Pair pair = {0}; /* in flight before the peer's KEXINIT: fine for as long as it likes */
        pair_join(&pair, "aes128-ctr", "hmac-sha2-256", "none");
        End *end = &pair.end[from], *other = &pair.end[!from];
        ly_transport_rekey(other->t);
        for (int i = 0; i < 100; i++)
            send_raw(&pair, (LyRole)from, part);
        pump_from(&pair, (LyRole)from);
        assert_open(other);
        g_assert_cmpuint(other->packets, ==, 100);
        pump(&pair);
        g_assert_cmpuint(end->newkeys, ==, 2);
        /* Behind its own KEXINIT: only what is a channel's is heard (test-transport.c), the rest is fatal. */
        ly_kex_begin(end->t);
        send_raw(&pair, (LyRole)from, LY_BYTES("\x32"));
        pump_from(&pair, (LyRole)from);
        assert_failed(&pair, (LyRole)!from, 0, "signing in in a key exchange");
        g_assert_cmpuint(other->packets, ==, 100);
        pair_close(&pair);

        pair = (Pair){0}; /* a second KEXINIT */
        pair_join(&pair, "aes128-ctr", "hmac-sha2-256", "none");
        ly_kex_begin(pair.end[from].t);
        send_raw(&pair, (LyRole)from, ly_buf_bytes(&pair.end[from].t->kex.own_init));
        pump_from(&pair, (LyRole)from);
        assert_failed(&pair, (LyRole)!from, 0, "second KEXINIT");
        pair_close(&pair);

        pair = (Pair){0}; /* IGNORE, DEBUG and the like are welcome there, as with OpenSSH */
        pair_join(&pair, "aes128-ctr", "hmac-sha2-256", "none");
        ly_kex_begin(pair.end[from].t);
        send_raw(&pair, (LyRole)from, LY_BYTES("\x02\0\0\0\0"));
        send_raw(&pair, (LyRole)from, LY_BYTES("\x04\0\0\0\0\0\0\0\0\0"));
        pump(&pair);
        assert_open(&pair.end[0]);
        g_assert_cmpuint(pair.end[1].newkeys, ==, 2);
        pair_close(&pair);
    }
}

static void test_refused(void)
{
    static const struct {
        LyRole from;
        bool authenticated;
        const char *payload;
        size_t len;
    } cases[] = {
        {LY_CLIENT, false, "\x5a", 1}, /* CHANNEL_OPEN before sign-in */
        {LY_CLIENT, false, "\x50", 1}, /* GLOBAL_REQUEST */
        {LY_SERVER, false, "\x5a", 1},
        {LY_SERVER, false, "\x32", 1},                 /* USERAUTH_REQUEST to a client */
        {LY_CLIENT, false, "\x34", 1},                 /* SUCCESS to a server */
        {LY_CLIENT, false, "\x06", 1},                 /* SERVICE_ACCEPT to a server */
        {LY_SERVER, true, "\x34", 1},                  /* a second SUCCESS */
        {LY_SERVER, true, "\x33", 1},                  /* FAILURE behind SUCCESS */
        {LY_CLIENT, true, "\x05", 1},                  /* SERVICE_REQUEST behind SUCCESS */
        {LY_CLIENT, true, "\x15", 1},                  /* NEWKEYS out of the blue */
        {LY_SERVER, true, "\x1f\0\0\0\0", 5},          /* REPLY out of the blue */
        {LY_CLIENT, true, "\x1e\0\0\0\0", 5},          /* INIT */
        {LY_CLIENT, true, "\0", 1},                    /* number 0 */
        {LY_SERVER, false, "\x07\xff\xff\xff\xff", 5}, /* EXT_INFO of 2^32 - 1 entries */
        {LY_SERVER, false, "\x07\0\0\0\0x", 6},        /* and with a byte too much */
        {LY_CLIENT, true,
         "\xc0\0\0\0\x05"
         "abc",
         8},                                       /* PING cut */
        {LY_CLIENT, true, "\x03\0\0", 3},          /* UNIMPLEMENTED cut */
        {LY_CLIENT, true, "\x04\0\0\0\0\x05x", 7}, /* DEBUG cut */
    };
    for (size_t i = 0; i < LY_COUNT(cases); i++) {
        Pair pair = {0};
        pair_start(&pair, &short_lists);
        pump(&pair);
        if (cases[i].authenticated)
            authenticate(&pair);
        send_raw(&pair, cases[i].from, ly_bytes(cases[i].payload, cases[i].len));
        pump_from(&pair, cases[i].from);
        assert_failed(&pair, (LyRole)!cases[i].from, SSH_DISCONNECT_PROTOCOL_ERROR,
                      ly_ssh_message_name((uint8_t)*cases[i].payload));
        g_assert_cmpuint(pair.end[!cases[i].from].packets, ==, 0);
        pair_close(&pair);
    }
}

static void test_ext_info_flood(void)
{
    static uint8_t message[40000] = {SSH_MSG_EXT_INFO, 0, 0, 0, 1, 0, 0, 0, 1, 'x'};
    for (int large = 0; large < 2; large++) {
        Pair pair = {0};
        pair_start(&pair, &short_lists);
        pump(&pair);
        size_t len = large ? sizeof message : 14;
        ly_store_u32(message + 10, (uint32_t)(len - 14));
        for (int i = 0; i < 9; i++)
            send_raw(&pair, LY_SERVER, ly_bytes(message, len));
        pump_from(&pair, LY_SERVER);
        assert_failed(&pair, LY_CLIENT, SSH_DISCONNECT_PROTOCOL_ERROR, "EXT_INFO");
        g_assert_cmpuint(pair.end[LY_CLIENT].ext_info, ==, large ? 2 : 8);
        pair_close(&pair);
    }
}

static void test_host_key_change(void)
{
    Pair pair = {0};
    pair_join(&pair, "aes128-ctr", "hmac-sha2-256", "none");
    LyTransport *s = pair.end[LY_SERVER].t;
    LyError error = {0};
    ly_key_unref(s->host_keys[KEY_ED25519]);
    s->host_keys[KEY_ED25519] = ly_key_generate(crypto, LY_PK_ED25519, 0, (LyBytes){0}, &error);
    ly_transport_rekey(s);
    assert_failed(&pair, LY_CLIENT, SSH_DISCONNECT_HOST_KEY_NOT_VERIFIABLE, "another host key");
    g_assert_cmpint(pair.end[LY_CLIENT].error.code, ==, LY_ERROR_HOST_KEY);
    pair_close(&pair);
}

/* A peer that wants new keys all the time gets them, and nothing grows. */
static void test_rekey_flood(void)
{
    Pair pair = {0};
    pair_join(&pair, "aes128-ctr", "hmac-sha2-256", "none");
    LyTransport *c = pair.end[LY_CLIENT].t, *s = pair.end[LY_SERVER].t;
    LyBuf id = {0};
    ly_buf_add(&id, ly_transport_session_id(s));
    for (int i = 0; i < 50; i++) {
        ly_transport_rekey(c);
        send_bytes(&pair.end[LY_CLIENT], SSH_MSG_CHANNEL_DATA, "x", 1);
        pump(&pair);
    }
    g_assert_cmpuint(pair.end[LY_SERVER].newkeys, ==, 51);
    g_assert_cmpuint(pair.end[LY_SERVER].packets, ==, 50);
    g_assert_true(ly_bytes_equal(ly_transport_session_id(s), ly_buf_bytes(&id)));
    g_assert_true(ly_bytes_equal(ly_transport_session_id(c), ly_buf_bytes(&id)));
    g_assert_cmpuint(s->output.cap, <, 20000);
    ly_buf_free(&id);
    pair_close(&pair);
}

/* A peer's words reach people without its control characters. */
static void test_words(void)
{
    Pair pair = {0};
    pair_join(&pair, "aes128-ctr", "hmac-sha2-256", "none");
    send_raw(&pair, LY_SERVER,
             LY_BYTES("\x01\0\0\0\x02\0\0\0\x0a"
                      "a\x1b[2J\r%n\xc2\x9b\0\0\0\0"));
    pump_from(&pair, LY_SERVER);
    g_assert_cmpuint(pair.end[LY_CLIENT].error.reason, ==, 2);
    g_assert_cmpint(pair.end[LY_CLIENT].error.code, ==, LY_ERROR_DISCONNECT);
    g_assert_nonnull(strstr(pair.end[LY_CLIENT].error.message, "%n"));
    for (const char *c = pair.end[LY_CLIENT].error.message; *c; c++)
        g_assert_true(*c >= ' ' && *c < 0x7f);
    g_assert_cmpuint(ly_transport_output(pair.end[LY_CLIENT].t).len, ==, 0); /* no answer to a last word */
    pair_close(&pair);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    make_keys();
    make_short_lists();
    g_test_add_func("/transport/damage/messages", test_damage);
    g_test_add_func("/transport/damage/signatures", test_signatures);
    g_test_add_func("/transport/damage/flips", test_flips);
    g_test_add_func("/transport/damage/lengths", test_lengths);
    g_test_add_func("/transport/damage/padding", test_padding);
    g_test_add_func("/transport/damage/eof", test_eof);
    g_test_add_func("/transport/damage/compression", test_compression);
    g_test_add_func("/transport/damage/strict", test_strict);
    g_test_add_func("/transport/damage/harmless", test_harmless);
    g_test_add_func("/transport/damage/reexchange", test_reexchange);
    g_test_add_func("/transport/damage/refused", test_refused);
    g_test_add_func("/transport/damage/ext-info", test_ext_info_flood);
    g_test_add_func("/transport/damage/host-key-change", test_host_key_change);
    g_test_add_func("/transport/damage/rekey-flood", test_rekey_flood);
    g_test_add_func("/transport/damage/words", test_words);
    int status = g_test_run();
    ly_algorithms_clear(&short_lists);
    free_keys();
    return status;
}
