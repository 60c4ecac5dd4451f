/* core/transport against peers that break the rules, before there are keys: one end, and packets made by
 * hand. */
#include "transport-pair.h"

/* ---- an end alone ---- */

typedef struct Lone {
    Pair pair; /* only one end of it lives */
    End *end;
    LyRole role;
    GByteArray *said; /* all of its output */
} Lone;

typedef struct RawInit {
    const char *list[10]; /* NULL: as the default below */
    bool follows;
    uint32_t reserved;
} RawInit;

static const char *const raw_lists[] = {
    "curve25519-sha256", "ssh-ed25519", "aes128-ctr", "aes128-ctr", "hmac-sha2-256",
    "hmac-sha2-256",     "none",        "none",       "",           ""};

static void lone_open_with(Lone *lone, LyTransportOptions options)
{
    *lone = (Lone){.role = options.role, .end = &lone->pair.end[options.role], .said = g_byte_array_new()};
    lone->pair.chunk = SIZE_MAX;
    lone->end->t = make_transport(&options);
    lone->end->payloads = g_string_new(NULL);
}

static void lone_open(Lone *lone, LyRole role)
{
    lone_open_with(lone, plain_options(role));
}

static void lone_close(Lone *lone)
{
    ly_transport_free(lone->end->t);
    g_string_free(lone->end->payloads, TRUE);
    g_byte_array_unref(lone->said);
}

static void lone_feed(Lone *lone, LyBytes bytes)
{
    feed(&lone->pair, lone->end, bytes.data, bytes.len);
    pull_events(&lone->pair, lone->end);
    LyBytes out = ly_transport_output(lone->end->t);
    if (out.len)
        g_byte_array_append(lone->said, out.data, (guint)out.len);
    ly_transport_output_done(lone->end->t, out.len);
}

static void lone_text(Lone *lone, const char *text)
{
    lone_feed(lone, ly_bytes_str(text));
}

/* Frames a payload in the clear. */
static void frame(GByteArray *out, LyBytes payload)
{
    uint8_t head[5], zeros[16] = {0};
    size_t pad = 8 - (5 + payload.len) % 8;
    if (pad < 4)
        pad += 8;
    ly_store_u32(head, (uint32_t)(1 + payload.len + pad));
    head[4] = (uint8_t)pad;
    g_byte_array_append(out, head, sizeof head);
    if (payload.len)
        g_byte_array_append(out, payload.data, (guint)payload.len);
    g_byte_array_append(out, zeros, (guint)pad);
}

static void lone_packet(Lone *lone, LyBytes payload)
{
    GByteArray *bytes = g_byte_array_new();
    frame(bytes, payload);
    lone_feed(lone, ly_bytes(bytes->data, bytes->len));
    g_byte_array_unref(bytes);
}

static void lone_buf(Lone *lone, LyBuf *payload)
{
    lone_packet(lone, ly_buf_bytes(payload));
    ly_buf_free(payload);
}

static LyBuf raw_kexinit(const RawInit *init)
{
    LyBuf out = {0};
    ly_put_u8(&out, SSH_MSG_KEXINIT);
    ly_buf_add(&out, ly_bytes("0123456789abcdef", 16));
    for (int i = 0; i < 10; i++)
        ly_put_cstring(&out, init->list[i] ? init->list[i] : raw_lists[i]);
    ly_put_bool(&out, init->follows);
    ly_put_u32(&out, init->reserved);
    return out;
}

static void lone_kexinit(Lone *lone, const RawInit *init)
{
    LyBuf payload = raw_kexinit(init);
    lone_buf(lone, &payload);
}

/* An end that has had our identification and KEXINIT. */
static void lone_begin(Lone *lone, LyRole role, const RawInit *init)
{
    lone_open(lone, role);
    lone_text(lone, "SSH-2.0-raw\r\n");
    lone_kexinit(lone, init);
    assert_open(lone->end);
}

/* The last message with this number among what the end said in the clear. */
static bool lone_said(const Lone *lone, uint8_t number, LyBytes *payload)
{
    LyBytes rest = ly_bytes(lone->said->data, lone->said->len), line;
    bool found = false;
    g_assert_true(ly_bytes_line(&rest, &line));
    while (rest.len > 5) {
        size_t len = ly_load_u32(rest.data), pad = rest.data[4];
        if (len + 4 > rest.len || pad + 1 > len)
            break;
        LyBytes each = ly_bytes(rest.data + 5, len - 1 - pad);
        if (each.len && each.data[0] == number) {
            *payload = each;
            found = true;
        }
        rest = ly_bytes_slice(rest, len + 4, rest.len);
    }
    return found;
}

static void assert_disconnected(const Lone *lone, uint32_t reason, const char *why)
{
    LyBytes message;
    g_assert_cmpstr(lone->end->closed ? "closed" : "open", ==, "closed");
    if (!lone_said(lone, SSH_MSG_DISCONNECT, &message))
        g_error("no DISCONNECT: %s (%s)", lone->end->error.message, why);
    if (reason && ly_load_u32(message.data + 1) != reason)
        g_error("reason %u for: %s (%s)", ly_load_u32(message.data + 1), lone->end->error.message, why);
    g_assert_cmpuint(ly_load_u32(message.data + 5), >, 0); /* a sentence */
    g_assert_cmpuint(lone->end->error.code, !=, LY_OK);
    g_assert_cmpuint(lone->end->newkeys, ==, 0);
}

/* ---- identification ---- */

static void test_ident(void)
{
    static const struct {
        const char *text;
        LyRole role;
        bool fine;
        uint32_t reason;
    } cases[] = {
        {"SSH-2.0-x\r\n", LY_SERVER, true, 0},
        {"SSH-2.0-x\n", LY_SERVER, true, 0},
        {"SSH-1.99-x y z\r\n", LY_CLIENT, true, 0},
        {"hello\r\n\nSSH-2.0-x\n", LY_CLIENT, true, 0},
        {"SSH-1.5-x\r\n", LY_CLIENT, false, SSH_DISCONNECT_PROTOCOL_VERSION_NOT_SUPPORTED},
        {"SSH-1.5-x\r\n", LY_SERVER, false, SSH_DISCONNECT_PROTOCOL_VERSION_NOT_SUPPORTED},
        {"SSH-2.0\r\n", LY_SERVER, false, SSH_DISCONNECT_PROTOCOL_VERSION_NOT_SUPPORTED},
        {"SSH-2.0-\r\n", LY_SERVER, false, SSH_DISCONNECT_PROTOCOL_VERSION_NOT_SUPPORTED},
        {"SSH-2.0-a\x1b[2J\r\n", LY_CLIENT, false, SSH_DISCONNECT_PROTOCOL_ERROR},
        {"SSH-2.0-a\rb\r\n", LY_SERVER, false, SSH_DISCONNECT_PROTOCOL_ERROR},
        {"GET / HTTP/1.1\r\n", LY_SERVER, false, SSH_DISCONNECT_PROTOCOL_ERROR},
        {"hello\r\nSSH-2.0-x\r\n", LY_SERVER, false, SSH_DISCONNECT_PROTOCOL_ERROR},
        {"\x16\x03\x01", LY_SERVER, false, SSH_DISCONNECT_PROTOCOL_ERROR}, /* at once, without a line's end */
        {"SSH\r\n", LY_SERVER, false, SSH_DISCONNECT_PROTOCOL_ERROR},
    };
    for (size_t i = 0; i < LY_COUNT(cases); i++) {
        for (size_t chunk = 1; chunk; chunk = chunk == 1 ? 7 : 0) {
            Lone lone;
            lone_open(&lone, cases[i].role);
            lone.pair.chunk = chunk;
            lone_text(&lone, cases[i].text);
            if (cases[i].fine)
                assert_open(lone.end);
            else
                assert_disconnected(&lone, cases[i].reason, cases[i].text);
            g_assert_true(cases[i].fine == (ly_transport_peer_ident(lone.end->t).len > 0));
            lone_close(&lone);
        }
    }
}

static void test_ident_length(void)
{
    static char text[300000];
    Lone lone;
    memset(text, 'x', sizeof text - 1);
    memcpy(text, "SSH-2.0-", 8);
    for (int role = 0; role < 2; role++) {
        lone_open(&lone, (LyRole)role);
        lone_feed(&lone, ly_bytes(text, 253)); /* the longest that is allowed */
        lone_text(&lone, "\r\n");
        assert_open(lone.end);
        lone_close(&lone);
        lone_open(&lone, (LyRole)role);
        lone_feed(&lone, ly_bytes(text, 300)); /* no end of line is waited for */
        assert_disconnected(&lone, SSH_DISCONNECT_PROTOCOL_ERROR, "long");
        lone_close(&lone);
    }
    lone_open(&lone, LY_CLIENT);
    lone_feed(&lone, ly_bytes(text + 8, sizeof text - 9));
    assert_disconnected(&lone, SSH_DISCONNECT_PROTOCOL_ERROR, "long greeting");
    lone_close(&lone);
    lone_open(&lone, LY_CLIENT);
    for (int i = 0; i < 100000 && !lone.end->closed; i++)
        lone_text(&lone, "a line\r\n");
    assert_disconnected(&lone, SSH_DISCONNECT_PROTOCOL_ERROR, "lines");
    lone_close(&lone);
    lone_open(&lone, LY_CLIENT);
    lone_text(&lone, "SSH-2.0-half");
    ly_transport_input_done(lone.end->t, 0);
    pull_events(&lone.pair, lone.end);
    g_assert_cmpint(lone.end->error.code, ==, LY_ERROR_DISCONNECT);
    lone_close(&lone);
}

/* ---- packets in the clear ---- */

static void test_lengths(void)
{
    static const uint32_t lengths[] = {0,      1,          5,          7,          13,         21,
                                       262149, 0x00040404, 0x7fffffff, 0x7ffffffc, 0xfffffffc, 0xffffffff};
    for (int role = 0; role < 2; role++) {
        for (size_t i = 0; i < LY_COUNT(lengths); i++) {
            uint8_t head[8] = {0};
            Lone lone;
            ly_store_u32(head, lengths[i]);
            lone_open(&lone, (LyRole)role);
            lone_text(&lone, "SSH-2.0-raw\r\n");
            lone_feed(&lone, ly_bytes(head, 8)); /* no byte more is waited for */
            assert_disconnected(&lone, SSH_DISCONNECT_PROTOCOL_ERROR, "length");
            lone_close(&lone);
        }
        for (uint8_t pad = 0; pad < 16; pad++) {
            uint8_t packet[16] = {0, 0, 0, 12, pad, SSH_MSG_IGNORE};
            Lone lone;
            lone_open(&lone, (LyRole)role);
            lone_text(&lone, "SSH-2.0-raw\r\n");
            lone_feed(&lone, ly_bytes(packet, sizeof packet));
            if (pad >= 4 && pad <= 10)
                assert_open(lone.end);
            else
                assert_disconnected(&lone, SSH_DISCONNECT_PROTOCOL_ERROR, "padding");
            lone_close(&lone);
        }
    }
}

/* ---- KEXINIT ---- */

static void test_kexinit(void)
{
    static char many[30000 * 6 + 1],
        control[] = "aes128-ctr,a\x01"
                    "b",
        high[] = "caf\xc3\xa9", long_name[80];
    for (int i = 0; i < 30000; i++)
        g_snprintf(many + 6 * i, 7, "n%04x,", (unsigned)i & 0xffff);
    many[sizeof many - 2] = 0;
    memset(long_name, 'a', sizeof long_name - 1);
    static const struct {
        RawInit init;
        uint32_t reason;
        const char *says;
    } cases[] = {
        {{.list = {"kex-strict-c-v00@openssh.com,kex-strict-s-v00@openssh.com,ext-info-c"}},
         3,
         "no common key exchange method"},
        {{.list = {"diffie-hellman-x"}}, 3, "KexAlgorithms"},
        {{.list = {[1] = "ssh-nothing"}}, 3, "no common host key algorithm"},
        {{.list = {[2] = "twofish"}}, 3, "twofish"},
        {{.list = {[3] = "twofish"}}, 3, "allow one with Ciphers"},
        {{.list = {[4] = "md4"}}, 3, "no common MAC"},
        {{.list = {[5] = "md4"}}, 3, "MACs"},
        {{.list = {[6] = "lz4"}}, 3, "no common compression"},
        {{.list = {""}}, 3, "no common"},
        {{.list = {[2] = many}}, 3, "no common cipher"},
        {{.list = {[2] = control}}, 2, "malformed"},
        {{.list = {[8] = high}}, 2, "malformed"},
        {{.list = {[9] = long_name}}, 2, "malformed"},
        {{.list = {"a,,b"}}, 2, "malformed"},
        {{.list = {",a"}}, 2, "malformed"},
        {{.list = {","}}, 2, "malformed"},
        {{.list = {"a,,"}}, 2, "malformed"},
        {{.list = {[2] = "twofish,"}}, 3, " offers twofish and here is "}, /* libssh's comma at the end */
        {{.reserved = 1}, 2, "malformed"},
    };
    for (int role = 0; role < 2; role++) {
        for (size_t i = 0; i < LY_COUNT(cases); i++) {
            Lone lone;
            lone_open(&lone, (LyRole)role);
            lone_text(&lone, "SSH-2.0-raw\r\n");
            lone_kexinit(&lone, &cases[i].init);
            assert_disconnected(&lone, cases[i].reason, cases[i].says);
            if (!strstr(lone.end->error.message, cases[i].says))
                g_error("'%s' is not in: %s", cases[i].says, lone.end->error.message);
            lone_close(&lone);
        }
        /* Cut at every byte, a byte too long, and a list that claims 4 GiB. */
        LyBuf whole = raw_kexinit(&(RawInit){0});
        for (size_t len = 1; len < whole.len; len++) {
            Lone lone;
            lone_open(&lone, (LyRole)role);
            lone_text(&lone, "SSH-2.0-raw\r\n");
            lone_packet(&lone, ly_bytes(whole.data, len));
            assert_disconnected(&lone, SSH_DISCONNECT_PROTOCOL_ERROR, "cut");
            lone_close(&lone);
        }
        for (int i = 0; i < 2; i++) {
            Lone lone;
            if (i)
                memset(whole.data + 17, 0xff, 4);
            else
                ly_put_u8(&whole, 0);
            lone_open(&lone, (LyRole)role);
            lone_text(&lone, "SSH-2.0-raw\r\n");
            lone_packet(&lone, ly_buf_bytes(&whole));
            assert_disconnected(&lone, SSH_DISCONNECT_PROTOCOL_ERROR, "long");
            lone_close(&lone);
        }
        ly_buf_free(&whole);
    }
}

/* ---- messages where they do not belong ---- */

static const RawInit strict_init[2] = {
    [LY_CLIENT] = {.list = {"curve25519-sha256,kex-strict-s-v00@openssh.com"}},
    [LY_SERVER] = {.list = {"curve25519-sha256,kex-strict-c-v00@openssh.com"}},
};

static void put_numbered(Lone *lone, uint8_t number)
{
    LyBuf payload = {0};
    ly_put_u8(&payload, number);
    if (number == SSH_MSG_UNIMPLEMENTED)
        ly_put_u32(&payload, 0);
    if (number == SSH_MSG_DEBUG)
        ly_put_bool(&payload, true);
    if (number == SSH_MSG_DEBUG || number == SSH_MSG_IGNORE)
        ly_put_cstring(&payload, "text\x1b[2J");
    if (number == SSH_MSG_DEBUG)
        ly_put_cstring(&payload, "");
    lone_buf(lone, &payload);
}

static void test_out_of_state(void)
{
    for (int role = 0; role < 2; role++) {
        for (unsigned number = 0; number < 256; number++) {
            bool harmless = number >= SSH_MSG_IGNORE && number <= SSH_MSG_DEBUG;
            bool unknown = number >= SSH_MSG_NEWCOMPRESS && number < SSH_MSG_KEXINIT;
            if (number == SSH_MSG_DISCONNECT)
                continue;
            Lone lone; /* ahead of KEXINIT */
            lone_open(&lone, (LyRole)role);
            lone_text(&lone, "SSH-2.0-raw\r\n");
            put_numbered(&lone, (uint8_t)number);
            LyBytes answer;
            if (harmless || unknown)
                assert_open(lone.end);
            else
                assert_disconnected(&lone, SSH_DISCONNECT_PROTOCOL_ERROR, "ahead of KEXINIT");
            if (unknown) {
                g_assert_true(lone_said(&lone, SSH_MSG_UNIMPLEMENTED, &answer));
                g_assert_cmpuint(ly_load_u32(answer.data + 1), ==, 0);
            }
            if (harmless || unknown) { /* which strict KEX does not forgive */
                lone_kexinit(&lone, &strict_init[role]);
                assert_disconnected(&lone, SSH_DISCONNECT_PROTOCOL_ERROR, "KEXINIT not first");
            }
            lone_close(&lone);
            for (int strict = 0; strict < 2; strict++) { /* inside the first exchange */
                lone_begin(&lone, (LyRole)role, strict ? &strict_init[role] : &(RawInit){0});
                put_numbered(&lone, (uint8_t)number);
                if ((harmless || unknown) && !strict)
                    assert_open(lone.end);
                else
                    assert_disconnected(&lone, 0, "inside the exchange");
                lone_close(&lone);
            }
        }
    }
}

/* What a message may be in each state does not depend on the files: the table says it, and here is what must
 * hold of it. */
static void test_rules(void)
{
    for (int role = 0; role < 2; role++) {
        for (int state = 0; state < LY_RULES_COUNT; state++) {
            bool strict = state == LY_RULES_STRICT_KEX || state == LY_RULES_STRICT_NEWKEYS;
            bool kex = state != LY_RULES_SERVICE && state != LY_RULES_AUTHENTICATED;
            bool again = state == LY_RULES_AGAIN_KEX || state == LY_RULES_AGAIN_NEWKEYS;
            for (unsigned number = 0; number < 256; number++) {
                LyRule rule = ly_transport_rule((LyRole)role, (LyRuleState)state, (uint8_t)number);
                if (strict && number != SSH_MSG_DISCONNECT && number < SSH_MSG_KEXINIT)
                    g_assert_cmpint(rule, ==, LY_RULE_REFUSED);
                if (rule == LY_RULE_UP)
                    g_assert_true(!kex && (number == 5 || number == 6 || number >= 50));
                if (state == LY_RULES_SERVICE && number >= 80 && number < 128)
                    g_assert_cmpint(rule, ==, LY_RULE_REFUSED);
                bool late = again && number >= 80 && number < 128;
                if (kex && number >= 50 && number < 192)
                    g_assert_cmpint(rule, ==, late ? LY_RULE_LATE : LY_RULE_REFUSED);
                g_assert_true(late || rule != LY_RULE_LATE);
                if (state == LY_RULES_AUTHENTICATED && number >= 50 && number < 80)
                    g_assert_cmpint(rule, !=, LY_RULE_UP);
            }
        }
    }
}

static void test_sequence_wrap(void)
{
    for (int role = 0; role < 2; role++) {
        Lone lone;
        lone_open(&lone, (LyRole)role);
        lone_text(&lone, "SSH-2.0-raw\r\n");
        lone.end->t->in.seq = 0xfffffffe;
        put_numbered(&lone, SSH_MSG_IGNORE);
        assert_open(lone.end);
        put_numbered(&lone, SSH_MSG_IGNORE);
        assert_disconnected(&lone, SSH_DISCONNECT_PROTOCOL_ERROR, "wrap");
        lone_close(&lone);
    }
}

/* ---- guesses ---- */

static void lone_init(Lone *lone, uint8_t number, LyBytes value)
{
    LyBuf payload = {0};
    ly_put_u8(&payload, number);
    ly_put_string(&payload, value);
    lone_buf(lone, &payload);
}

static const uint8_t base_point[32] = {9};

static void test_guess(void)
{
    static const struct {
        RawInit init;
        bool wrong;
    } cases[] = {
        {{.list = {"diffie-hellman-group14-sha256,curve25519-sha256", [1] = "ssh-ed25519"}, .follows = true},
         true},
        /* The method is the same, the host key algorithm is not. */
        {{.list = {"curve25519-sha256", [1] = "rsa-sha2-256,ssh-ed25519"}, .follows = true}, true},
        {{.list = {"curve25519-sha256", [1] = "ssh-ed25519"}, .follows = true}, false},
    };
    for (size_t i = 0; i < LY_COUNT(cases); i++) {
        LyTransportOptions options = plain_options(LY_SERVER);
        LyAlgorithms algorithms;
        LyBytes reply;
        Lone lone;
        ly_algorithms_init(crypto, &algorithms);
        set_list(&algorithms, LY_ALGORITHMS_KEX, "curve25519-sha256,diffie-hellman-group14-sha256");
        set_list(&algorithms, LY_ALGORITHMS_HOST_KEY, "ssh-ed25519,rsa-sha2-256");
        options.algorithms = &algorithms;
        lone_open_with(&lone, options);
        lone_text(&lone, "SSH-2.0-raw\r\n");
        lone_kexinit(&lone, &cases[i].init);
        if (cases[i].wrong) {
            lone_init(&lone, SSH_MSG_KEXDH_INIT, LY_BYTES("a wrong guess"));
            assert_open(lone.end);
            g_assert_false(lone_said(&lone, SSH_MSG_KEXDH_REPLY, &reply));
        }
        if (i == 0) { /* the client's order decides: group 14 it is, and only one packet is skipped */
            lone_init(&lone, SSH_MSG_KEXDH_INIT, LY_BYTES("\0"));
            assert_disconnected(&lone, SSH_DISCONNECT_KEY_EXCHANGE_FAILED, "second packet");
        } else {
            lone_init(&lone, SSH_MSG_KEXDH_INIT, ly_bytes(base_point, 32));
            assert_open(lone.end);
            g_assert_true(lone_said(&lone, SSH_MSG_KEXDH_REPLY, &reply));
        }
        lone_close(&lone);
        ly_algorithms_clear(&algorithms);
    }
}

/* ---- values ---- */

/* Has the value refused by both roles in the method. */
static void refuse_value(const char *kex, LyBytes value, const char *why)
{
    RawInit init = {.list = {kex}};
    Lone lone;
    LyBuf reply = {0};
    lone_begin(&lone, LY_SERVER, &init);
    lone_init(&lone, SSH_MSG_KEXDH_INIT, value);
    assert_disconnected(&lone, 0, why);
    lone_close(&lone);
    lone_begin(&lone, LY_CLIENT, &init);
    ly_put_u8(&reply, SSH_MSG_KEXDH_REPLY);
    ly_put_string(&reply, ly_key_blob(host_keys[KEY_ED25519]));
    ly_put_string(&reply, value);
    ly_put_cstring(&reply, "signature");
    lone_buf(&lone, &reply);
    assert_disconnected(&lone, 0, why);
    if (strstr(lone.end->error.message, "prove"))
        g_error("%s %s: only the signature was found wrong: %s", kex, why, lone.end->error.message);
    lone_close(&lone);
}

#define FF10 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff

static void test_x25519_values(void)
{
    static const uint8_t points[7][32] = {
        {0},
        {1},
        {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
         0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
        {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
         0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
        {0xec, FF10, FF10, FF10, 0x7f},
        {0xed, FF10, FF10, FF10, 0x7f},
        {0xee, FF10, FF10, FF10, 0x7f},
    };
    uint8_t value[40] = {9};
    for (size_t i = 0; i < LY_COUNT(points); i++) {
        refuse_value("curve25519-sha256", ly_bytes(points[i], 32), "low order");
        memcpy(value, points[i], 32);
        value[31] |= 0x80; /* RFC 7748: masked, so the same point */
        refuse_value("curve25519-sha256", ly_bytes(value, 32), "low order, top bit");
    }
    memcpy(value, base_point, 32);
    refuse_value("curve25519-sha256", ly_bytes(value, 31), "31 bytes");
    refuse_value("curve25519-sha256", ly_bytes(value, 33), "33 bytes");
    refuse_value("curve25519-sha256", ly_bytes(value, 0), "empty");
    refuse_value("sntrup761x25519-sha512", ly_bytes(value, 32), "only the x25519 half");
}

static void test_ecdh_values(void)
{
    static const struct {
        const char *kex;
        LyCurve curve;
        size_t len;
    } curves[] = {{"ecdh-sha2-nistp256", LY_NISTP256, 65},
                  {"ecdh-sha2-nistp384", LY_NISTP384, 97},
                  {"ecdh-sha2-nistp521", LY_NISTP521, 133}};
    for (size_t i = 0; i < LY_COUNT(curves); i++) {
        LyReader reader = ly_reader(ly_key_blob(host_keys[KEY_P256 + i]));
        ly_get_string(&reader);
        ly_get_string(&reader);
        LyBytes point = ly_get_string(&reader);
        uint8_t value[140] = {0};
        g_assert_cmpuint(point.len, ==, curves[i].len);
        memcpy(value, point.data, point.len);
        value[point.len - 1] ^= 1;
        refuse_value(curves[i].kex, ly_bytes(value, point.len), "off the curve");
        value[point.len - 1] ^= 1;
        refuse_value(curves[i].kex, ly_bytes(value, point.len - 1), "short");
        refuse_value(curves[i].kex, ly_bytes(value, point.len + 1), "long");
        value[0] = 2 + (value[point.len - 1] & 1);
        refuse_value(curves[i].kex, ly_bytes(value, 1 + point.len / 2), "compressed");
        refuse_value(curves[i].kex, ly_bytes("\0", 1), "infinity");
        refuse_value(curves[i].kex, ly_bytes(NULL, 0), "empty");
        memset(value, 0xff, sizeof value);
        value[0] = 4;
        refuse_value(curves[i].kex, ly_bytes(value, point.len), "coordinates over p");
    }
}

static void test_dh_values(void)
{
    static uint8_t huge[2500] = {1};
    LyBuf p = {0}, g = {0};
    g_assert_true(ly_kex_choose_group(crypto, (LyBytes){0}, 2048, 2048, 2048, &p, &g));
    uint8_t value[300] = {0}; /* a zero in front of p, whose top bit is set */
    memcpy(value + 1, p.data, p.len);
    static const char kex[] = "diffie-hellman-group14-sha256";
    refuse_value(kex, ly_bytes(NULL, 0), "0");
    refuse_value(kex, ly_bytes("\0", 1), "0 as a byte");
    refuse_value(kex, ly_bytes("\1", 1), "1");
    refuse_value(kex, ly_bytes(value, p.len + 1), "p");
    value[p.len] ^= 1; /* p is odd */
    refuse_value(kex, ly_bytes(value, p.len + 1), "p - 1");
    value[p.len] = 0xff;
    value[1] = 0xff;
    value[p.len - 7] = 0xff;
    memset(value + 1, 0xff, p.len);
    refuse_value(kex, ly_bytes(value, p.len + 1), "over p");
    refuse_value(kex, ly_bytes(value + 1, p.len), "negative");
    refuse_value(kex, ly_bytes("\x80", 1), "negative");
    refuse_value(kex, ly_bytes(huge, sizeof huge), "20000 bits");
    ly_buf_free(&p);
    ly_buf_free(&g);
}

static void test_group_requests(void)
{
    static const uint32_t requests[][3] = {{3072, 2048, 4096},
                                           {2048, 4096, 3072},
                                           {512, 512, 512},
                                           {1024, 1024, 2047},
                                           {UINT32_MAX, UINT32_MAX, UINT32_MAX},
                                           {8193, 9000, 10000}};
    RawInit init = {.list = {"diffie-hellman-group-exchange-sha256"}};
    for (size_t i = 0; i < LY_COUNT(requests); i++) {
        Lone lone;
        LyBuf payload = {0};
        lone_begin(&lone, LY_SERVER, &init);
        ly_put_u8(&payload, SSH_MSG_KEX_DH_GEX_REQUEST);
        for (int k = 0; k < 3; k++)
            ly_put_u32(&payload, requests[i][k]);
        lone_buf(&lone, &payload);
        assert_disconnected(&lone, 0, "request");
        lone_close(&lone);
    }
    LyBuf p = {0}, g = {0};
    g_assert_true(ly_kex_choose_group(crypto, (LyBytes){0}, 2048, 2048, 2048, &p, &g));
    static uint8_t huge[2500] = {1};
    uint8_t even[256], less[256], composite[256];
    memcpy(even, p.data, 256);
    even[255] &= 0xfe;
    memcpy(less, even, 256); /* p - 1 */
    memcpy(composite, p.data, 256);
    composite[255] ^= 2;
    const struct {
        LyBytes p, g;
        const char *why;
    } groups[] = {
        {{0}, LY_BYTES("\2"), "p 0"},
        {ly_bytes(even, 256), LY_BYTES("\2"), "even"},
        {ly_bytes(composite, 256), LY_BYTES("\2"), "composite"},
        {ly_bytes(p.data, 64), LY_BYTES("\2"), "512 bits"},
        {ly_bytes(huge, sizeof huge), LY_BYTES("\2"), "20000 bits"},
        {ly_buf_bytes(&p), {0}, "g 0"},
        {ly_buf_bytes(&p), LY_BYTES("\1"), "g 1"},
        {ly_buf_bytes(&p), ly_bytes(less, 256), "g p-1"},
        {ly_buf_bytes(&p), ly_buf_bytes(&p), "g p"},
    };
    for (size_t i = 0; i < LY_COUNT(groups); i++) {
        Lone lone;
        LyBuf payload = {0};
        lone_begin(&lone, LY_CLIENT, &init);
        ly_put_u8(&payload, SSH_MSG_KEX_DH_GEX_GROUP);
        ly_put_mpint(&payload, groups[i].p);
        ly_put_mpint(&payload, groups[i].g);
        lone_buf(&lone, &payload);
        assert_disconnected(&lone, 0, groups[i].why);
        LyBytes message;
        g_assert_false(lone_said(&lone, SSH_MSG_KEX_DH_GEX_INIT, &message));
        lone_close(&lone);
    }
    ly_buf_free(&p);
    ly_buf_free(&g);
}

/* ---- host keys ---- */

static void refuse_host_key(const char *algorithm, LyBytes blob, const char *why)
{
    Lone lone;
    LyBuf reply = {0};
    lone_begin(&lone, LY_CLIENT, &(RawInit){.list = {[1] = algorithm}});
    ly_put_u8(&reply, SSH_MSG_KEXDH_REPLY);
    ly_put_string(&reply, blob);
    ly_put_string(&reply, ly_bytes(base_point, 32));
    ly_put_cstring(&reply, "");
    lone_buf(&lone, &reply);
    assert_disconnected(&lone, 0, why);
    g_assert_cmpuint(lone.end->questions, ==, 0);
    lone_close(&lone);
}

static void refuse_rsa(LyBytes e, LyBytes n, const char *why)
{
    LyBuf blob = {0};
    ly_put_cstring(&blob, "ssh-rsa");
    ly_put_string(&blob, e);
    ly_put_string(&blob, n);
    refuse_host_key("rsa-sha2-256", ly_buf_bytes(&blob), why);
    ly_buf_free(&blob);
}

static void test_host_keys(void)
{
    static uint8_t huge[25001] = {0, 0xc5};
    LyBytes blob = ly_key_blob(host_keys[KEY_ED25519]), p256 = ly_key_blob(host_keys[KEY_P256]);
    huge[sizeof huge - 1] = 1;
    for (size_t len = 0; len < blob.len; len++)
        refuse_host_key("ssh-ed25519", ly_bytes(blob.data, len), "cut");
    refuse_host_key("ssh-ed25519", p256, "other type");
    refuse_host_key("rsa-sha2-512", blob, "other type");
    refuse_host_key("ssh-ed25519", blob, "empty signature");
    uint8_t mixed[200];
    g_assert_cmpuint(p256.len, <, sizeof mixed);
    memcpy(mixed, p256.data, p256.len);
    mixed[4 + 19 + 4 + 7] = '5'; /* nistp256 -> nistp556 as the curve's name */
    refuse_host_key("ecdsa-sha2-nistp256", ly_bytes(mixed, p256.len), "curve name");
    refuse_rsa(LY_BYTES("\1\0\1"), ly_bytes(NULL, 0), "n 0");
    refuse_rsa(LY_BYTES("\1\0\1"), ly_bytes(huge + 1, 300), "negative");
    refuse_rsa(LY_BYTES("\1\0\1"), ly_bytes(huge, sizeof huge), "200000 bits");
    refuse_rsa(LY_BYTES("\1"), ly_bytes(huge, 257), "e 1");
    refuse_rsa(LY_BYTES("\1\0\1"), ly_bytes(huge, 65), "512 bits");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    make_keys();
    g_test_add_func("/transport/hostile/ident", test_ident);
    g_test_add_func("/transport/hostile/ident-length", test_ident_length);
    g_test_add_func("/transport/hostile/lengths", test_lengths);
    g_test_add_func("/transport/hostile/kexinit", test_kexinit);
    g_test_add_func("/transport/hostile/out-of-state", test_out_of_state);
    g_test_add_func("/transport/hostile/rules", test_rules);
    g_test_add_func("/transport/hostile/sequence-wrap", test_sequence_wrap);
    g_test_add_func("/transport/hostile/guess", test_guess);
    g_test_add_func("/transport/hostile/x25519", test_x25519_values);
    g_test_add_func("/transport/hostile/ecdh", test_ecdh_values);
    g_test_add_func("/transport/hostile/dh", test_dh_values);
    g_test_add_func("/transport/hostile/group-exchange", test_group_requests);
    g_test_add_func("/transport/hostile/host-keys", test_host_keys);
    int status = g_test_run();
    free_keys();
    return status;
}
