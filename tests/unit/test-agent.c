/* core/agent: the agent's replies to requests of every kind, whole, in pieces, cut short and damaged. */
#include "agent-drive.h"

static LyKey *open_ppk(LyBytes text, LyBytes passphrase, LyErrorCode *code)
{
    g_assert_not_reached();
}

/* LY_BYTES for static tables. */
#define M(literal)                                                                                           \
    {                                                                                                        \
        (const uint8_t *)(literal), sizeof(literal) - 1                                                      \
    }
#define F SSH_AGENT_FAILURE
#define S SSH_AGENT_SUCCESS
#define SIGNED SSH_AGENT_SIGN_RESPONSE
#define LISTED SSH_AGENT_IDENTITIES_ANSWER

static void test_basics(void)
{
    Rig rig;
    rig_start(&rig, NULL);
    LyAgentClient *client = ly_agent_client_new(rig.agent, NULL);
    static const struct {
        LyPkType type;
        unsigned bits;
    } types[] = {{LY_PK_ED25519, 0}, {LY_PK_ECDSA, 256}, {LY_PK_ECDSA, 384},
                 {LY_PK_ECDSA, 521}, {LY_PK_RSA, 1024},  {LY_PK_ED448, 0}};
    LyKey *keys[LY_COUNT(types)];
    g_assert_cmpuint(do_list(&rig, client), ==, 0);
    for (size_t i = 0; i < LY_COUNT(types); i++) {
        keys[i] = new_key(types[i].type, types[i].bits);
        g_assert_cmpuint(do_sign(&rig, client, keys[i], LY_BYTES("data"), 0), ==, F);
        g_assert_cmpuint(do_add(&rig, client, keys[i], (LyBytes){0}), ==, S);
        g_assert_cmpuint(do_list(&rig, client), ==, i + 1);
        g_assert_cmpuint(do_sign(&rig, client, keys[i], LY_BYTES("data"), 0), ==, SIGNED);
        g_assert_cmpuint(do_sign(&rig, client, keys[i], LY_BYTES(""), 0x80), ==, SIGNED);
    }
    g_assert_cmpuint(rig.counts[LY_AGENT_USED], ==, 2 * LY_COUNT(types));
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    g_assert_cmpuint(rig_ask(&rig, client, key_message(&out, 18, keys[1]), NULL), ==, S);
    g_assert_cmpuint(rig_ask(&rig, client, key_message(&out, 18, keys[1]), NULL), ==, F);
    g_assert_cmpuint(do_list(&rig, client), ==, LY_COUNT(types) - 1);
    LyAgentIdentityInfo info;
    g_assert_true(ly_agent_get(rig.agent, 0, &info));
    g_assert_true(ly_bytes_is(info.comment, "a comment") && !info.confirm && !info.encrypted &&
                  info.uses == 2);
    g_assert_cmpuint(rig_ask(&rig, client, LY_BYTES("\x13"), NULL), ==, S);
    g_assert_cmpuint(do_list(&rig, client), ==, 0);
    for (size_t i = 0; i < LY_COUNT(types); i++)
        ly_key_unref(keys[i]);
    ly_agent_client_free(client);
    rig_stop(&rig);
}

/* ---- the reply matrix: what OpenSSH's agent says, but for its bugs ---- */

static LyBytes with_name(LyBuf *out, const char *name)
{
    ly_put_u8(out, SSH_AGENT_CONSTRAIN_EXTENSION);
    ly_put_cstring(out, name);
    return ly_buf_bytes(out);
}

static void test_constraints(void)
{
    static const struct {
        const char *what;
        LyBytes constraints;
        unsigned reply;
    } cases[] = {
        {"none", {(const uint8_t *)"", 0}, S},
        {"junk", M("\x07"), F},
        {"lifetime", M("\x01\0\0\0\x0a"), S},
        {"lifetime 0", M("\x01\0\0\0\0"), S},
        {"lifetime, the longest", M("\x01\xff\xff\xff\xff"), S},
        {"lifetime twice", M("\x01\0\0\0\x0a\x01\0\0\0\x0a"), F},
        {"lifetime cut", M("\x01\0\0\0"), F},
        {"confirm", M("\x02"), S},
        {"confirm twice", M("\x02\x02"), F},
        {"both", M("\x02\x01\0\0\0\x0a"), S},
        {"maxsign", M("\x03\0\0\0\x01"), F},
        {"unknown", M("\x09"), F},
        {"extension without a name", M("\xff"), F},
    };
    Rig rig;
    rig_start(&rig, NULL);
    LyAgentClient *client = ly_agent_client_new(rig.agent, NULL);
    LyKey *key = new_key(LY_PK_ED25519, 0);
    for (size_t i = 0; i < LY_COUNT(cases); i++) {
        rig.log[0] = 0;
        g_test_message("%s", cases[i].what);
        g_assert_cmpuint(do_add(&rig, client, key, cases[i].constraints), ==, cases[i].reply);
        g_assert_cmpint(strstr(rig.log, "is not added") != NULL, ==, cases[i].reply == F);
    }
    static const struct {
        const char *name;
        LyBytes data;
        unsigned reply;
    } extensions[] = {
        {"unknown@example.com", M(""), F},
        {"restrict-destination-v00@openssh.com", M("\0\0\0\0"), S},
        {"restrict-destination-v00@openssh.com", M("\0\0\0"), F},
        {"restrict-destination-v00@openssh.com", M("\0\0\0\x04\0\0\0\0"), F},
        {"sk-provider@openssh.com", M("\0\0\0\x08internal"), F},
        {"associated-certs-v00@openssh.com", M("\0\0\0\0\0"), F},
    };
    for (size_t i = 0; i < LY_COUNT(extensions); i++) {
        LY_AUTO(ly_buf_free) LyBuf constraints = {0};
        with_name(&constraints, extensions[i].name);
        ly_buf_add(&constraints, extensions[i].data);
        g_assert_cmpuint(do_add(&rig, client, key, ly_buf_bytes(&constraints)), ==, extensions[i].reply);
    }
    g_assert_cmpuint(do_list(&rig, client), ==, 1);
    ly_key_unref(key);
    ly_agent_client_free(client);
    rig_stop(&rig);
}

static void test_matrix(void)
{
    static const struct {
        const char *what;
        LyBytes message;
        unsigned reply, locked;
    } cases[] = {
        {"nothing", {NULL, 0}, F, F},
        {"0", M("\0"), F, F},
        {"SSH 1's list", M("\x01"), F, F},
        {"an answer", M("\x06"), F, F},
        {"unknown", M("\xc8"), F, F},
        {"list", M("\x0b"), LISTED, LISTED},
        {"sign, empty", M("\x0d"), F, F},
        {"sign with an empty key", M("\x0d\0\0\0\0\0\0\0\0\0\0\0\0"), F, F},
        {"add, empty", M("\x11"), F, F},
        {"remove, empty", M("\x12"), F, F},
        {"remove an empty key", M("\x12\0\0\0\0"), F, F},
        {"remove all", M("\x13"), S, F},
        {"SSH 1's remove all", M("\x09"), S, F},
        {"smartcard", M("\x14\0\0\0\x07/lib/p1\0\0\0\0"), F, F},
        {"remove smartcard", M("\x15\0\0\0\x07/lib/p1\0\0\0\0"), F, F},
        {"constrained smartcard", M("\x1a\0\0\0\x07/lib/p1\0\0\0\0"), F, F},
        {"unlock", M("\x17\0\0\0\x01x"), F, 0},
        {"lock by nothing", M("\x16\0\0\0\0"), F, F},
        {"lock, cut", M("\x16\0\0\0\x05x"), F, F},
        {"extension without a name", M("\x1b"), F, F},
        {"unknown extension", M("\x1b\0\0\0\x05maybe"), F, F},
        {"query", M("\x1b\0\0\0\x05query"), SSH_AGENT_EXTENSION_RESPONSE, F},
        {"empty bind", M("\x1b\0\0\0\x18session-bind@openssh.com"), 28, 28},
        {"add-ppk",
         M("\x1b\0\0\0\x25"
           "add-ppk@putty.projects.tartarus.org"),
         F, F},
    };
    for (int locked = 0; locked < 2; locked++) {
        Rig rig;
        rig_start(&rig, NULL);
        LyAgentClient *client = ly_agent_client_new(rig.agent, NULL);
        if (locked)
            g_assert_cmpuint(do_text(&rig, client, SSH_AGENTC_LOCK, "pass"), ==, S);
        for (size_t i = 0; i < LY_COUNT(cases); i++) {
            g_test_message("%s%s", cases[i].what, locked ? ", locked" : "");
            g_assert_cmpuint(rig_ask(&rig, client, cases[i].message, NULL), ==,
                             locked ? cases[i].locked : cases[i].reply);
            if (locked && cases[i].locked == 0) { /* the delay */
                LY_AUTO(ly_buf_free) LyBuf reply = {0};
                ly_agent_tick(rig.agent, ly_agent_deadline(rig.agent));
                rig_events(&rig);
                g_assert_true(rig_receive(&rig, client, &reply) && reply.data[0] == F);
            }
        }
        ly_agent_client_free(client);
        rig_stop(&rig);
    }
}

static void test_query(void)
{
    static const char *const names[] = {"query",
                                        "session-bind@openssh.com",
                                        "add-ppk@putty.projects.tartarus.org",
                                        "reencrypt@putty.projects.tartarus.org",
                                        "reencrypt-all@putty.projects.tartarus.org",
                                        "list-extended@putty.projects.tartarus.org"};
    Rig rig;
    rig_start(&rig, NULL);
    LyAgentClient *client = ly_agent_client_new(rig.agent, NULL);
    LY_AUTO(ly_buf_free) LyBuf reply = {0};
    rig_ask(&rig, client, LY_BYTES("\x1b\0\0\0\x05query"), &reply);
    LyReader reader = ly_reader(ly_buf_bytes(&reply));
    g_assert_cmpuint(ly_get_u8(&reader), ==, 29);
    g_assert_true(ly_bytes_is(ly_get_string(&reader), "query"));
    for (size_t i = 0; i < LY_COUNT(names); i++)
        g_assert_true(ly_bytes_is(ly_get_string(&reader), names[i]));
    g_assert_true(ly_reader_done(&reader));
    ly_agent_client_free(client);
    rig_stop(&rig);
}

/* SHA-256 wins when both are asked for, unknown bits are ignored, the flags may not be missing. */
static void test_rsa(void)
{
    static const struct {
        uint32_t flags;
        const char *algorithm;
    } cases[] = {{0, "ssh-rsa"},      {2, "rsa-sha2-256"},          {4, "rsa-sha2-512"},
                 {6, "rsa-sha2-256"}, {0x80000004, "rsa-sha2-512"}, {1, "ssh-rsa"}};
    Rig rig;
    rig_start(&rig, NULL);
    LyAgentClient *client = ly_agent_client_new(rig.agent, NULL);
    LyKey *key = new_key(LY_PK_RSA, 1024);
    do_add(&rig, client, key, (LyBytes){0});
    LY_AUTO(ly_buf_free) LyBuf out = {0}, reply = {0};
    for (size_t i = 0; i < LY_COUNT(cases); i++) {
        LyBytes signature;
        rig_ask(&rig, client, sign_message(&out, key, LY_BYTES("x"), cases[i].flags), &reply);
        g_assert_true(ly_get_agent_signature(ly_buf_bytes(&reply), &signature, NULL));
        LyReader reader = ly_reader(signature);
        g_assert_true(ly_bytes_is(ly_get_string(&reader), cases[i].algorithm));
    }
    /* The same key with a needless zero before its modulus. */
    LY_AUTO(ly_buf_free) LyBuf padded = {0};
    LyReader reader = ly_reader(ly_key_blob(key));
    ly_put_string(&padded, ly_get_string(&reader));
    ly_put_string(&padded, ly_get_string(&reader));
    LyBytes modulus = ly_get_string(&reader);
    size_t mark = ly_put_string_begin(&padded);
    ly_put_u8(&padded, 0);
    ly_buf_add(&padded, modulus);
    ly_put_string_end(&padded, mark);
    ly_buf_clear(&out);
    ly_put_agent_sign_request(&out, ly_buf_bytes(&padded), LY_BYTES("x"), 4);
    g_assert_cmpuint(rig_ask(&rig, client, ly_buf_bytes(&out), NULL), ==, SIGNED);
    ly_key_unref(key);
    ly_agent_client_free(client);
    rig_stop(&rig);
}

/* ---- framing ---- */

static void test_pieces(void)
{
    static const size_t chunks[] = {0, 1, 7, 100};
    LyKey *key = new_key(LY_PK_ED25519, 0);
    LY_AUTO(ly_buf_free) LyBuf first = {0}, all = {0}, message = {0};
    ly_put_string(&all, add_message(&message, key, "c", (LyBytes){0}));
    for (int i = 0; i < 20; i++) {
        ly_put_string(&all, LIST_MESSAGE);
        ly_put_string(&all, (LyBytes){0});
        ly_put_string(&all, sign_message(&message, key, LY_BYTES("data"), 0));
    }
    for (size_t i = 0; i < LY_COUNT(chunks); i++) {
        Rig rig;
        rig_start(&rig, NULL);
        LyAgentClient *client = ly_agent_client_new(rig.agent, NULL);
        LyBytes rest = ly_buf_bytes(&all);
        while (rest.len) {
            size_t done = rig_feed(&rig, client, rest, chunks[i]);
            g_assert_cmpuint(done, >, 0);
            rest = ly_bytes_slice(rest, done, rest.len);
        }
        LyBytes output = ly_agent_client_output(client);
        if (i == 0)
            ly_buf_add(&first, output);
        g_assert_cmpmem(output.data, output.len, first.data, first.len);
        LyReader reader = ly_reader(output);
        for (int n = 0; reader.len; n++) {
            LyBytes reply = ly_get_string(&reader);
            static const unsigned types[] = {LISTED, F, SIGNED};
            g_assert_cmpuint(reply.data[0], ==, n == 0 ? S : types[(n - 1) % 3]);
        }
        g_assert_true(ly_reader_done(&reader));
        ly_agent_client_free(client);
        rig_stop(&rig);
    }
    ly_key_unref(key);
}

static void test_lengths(void)
{
    Rig rig;
    rig_start(&rig, NULL);
    LyAgentClient *client = ly_agent_client_new(rig.agent, NULL);
    LY_AUTO(ly_buf_free) LyBuf big = {0};
    memset(ly_buf_room(&big, LY_AGENT_MESSAGE_MAX + 1), 0x0b, LY_AGENT_MESSAGE_MAX + 1);
    big.len = LY_AGENT_MESSAGE_MAX;
    g_assert_cmpuint(rig_ask(&rig, client, ly_buf_bytes(&big), NULL), ==, LISTED);
    g_assert_cmpuint(rig_ask(&rig, client, (LyBytes){0}, NULL), ==, F);
    g_assert_cmpuint(rig_ask(&rig, client, LIST_MESSAGE, NULL), ==, LISTED);
    g_assert_false(ly_agent_client_is_closed(client));

    /* What was asked for before is still answered. */
    LyAgentClient *ready;
    while ((ready = ly_agent_next_ready(rig.agent)))
        g_assert_true(ready == client);
    big.len = LY_AGENT_MESSAGE_MAX + 1;
    rig_feed(&rig, client, LY_BYTES("\0\0\0\x01\x0b\0\x04\0\x01\x0b"), 0);
    g_assert_true(ly_agent_client_is_closed(client));
    g_assert_true(ly_agent_next_ready(rig.agent) == client);
    g_assert_null(ly_agent_next_ready(rig.agent));
    size_t room;
    ly_agent_client_input(client, &room);
    g_assert_cmpuint(room, ==, 0);
    g_assert_cmpuint(ly_agent_client_output(client).len, ==, 9);
    ly_agent_client_free(client);

    client = ly_agent_client_new(rig.agent, NULL);
    rig_feed(&rig, client, LY_BYTES("\xff\xff\xff\xff"), 1);
    g_assert_true(ly_agent_client_is_closed(client));
    ly_agent_client_free(client);
    rig_stop(&rig);
}

/* Long replies are not piled up for a peer that does not read them. */
static void test_backpressure(void)
{
    Rig rig;
    rig_start(&rig, NULL);
    LyAgentClient *client = ly_agent_client_new(rig.agent, NULL);
    LyKey *key = new_key(LY_PK_ED25519, 0);
    LY_AUTO(ly_buf_free) LyBuf lists = {0}, add = {0}, reply = {0};
    char *comment = g_strnfill(60000, 'c');
    g_assert_cmpuint(rig_ask(&rig, client, add_message(&add, key, comment, (LyBytes){0}), NULL), ==, S);
    for (int i = 0; i < 1000; i++)
        ly_put_string(&lists, LIST_MESSAGE);
    LyBytes rest = ly_buf_bytes(&lists);
    unsigned count = 0;
    while (count < 1000) {
        size_t done = rig_feed(&rig, client, rest, 0);
        rest = ly_bytes_slice(rest, done, rest.len);
        g_assert_cmpuint(ly_agent_client_output(client).len, <, 700 << 10);
        while (rig_receive(&rig, client, &reply)) {
            g_assert_cmpuint(reply.data[0], ==, LISTED);
            count++;
        }
    }
    g_assert_cmpuint(rest.len, ==, 0);
    g_free(comment);
    ly_key_unref(key);
    ly_agent_client_free(client);
    rig_stop(&rig);
}

/* ---- damage ---- */

/* Requests of every kind that are right as they are. */
static size_t valid_requests(LyBuf *messages, LyKey *key, LyKey *other)
{
    size_t n = 0;
    LY_AUTO(ly_buf_free) LyBuf constraints = {0};
    add_message(&messages[n++], key, "comment", (LyBytes){0});
    ly_put_u8(&constraints, SSH_AGENT_CONSTRAIN_LIFETIME);
    ly_put_u32(&constraints, 100);
    ly_put_u8(&constraints, SSH_AGENT_CONSTRAIN_CONFIRM);
    with_name(&constraints, "restrict-destination-v00@openssh.com");
    size_t list = ly_put_string_begin(&constraints), one = ly_put_string_begin(&constraints);
    size_t hop = ly_put_string_begin(&constraints);
    for (int i = 0; i < 3; i++)
        ly_put_cstring(&constraints, "");
    ly_put_string_end(&constraints, hop);
    hop = ly_put_string_begin(&constraints);
    ly_put_cstring(&constraints, "user");
    ly_put_cstring(&constraints, "host");
    ly_put_cstring(&constraints, "");
    ly_put_string(&constraints, ly_key_blob(other));
    ly_put_bool(&constraints, false);
    ly_put_string_end(&constraints, hop);
    ly_put_cstring(&constraints, "");
    ly_put_string_end(&constraints, one);
    ly_put_string_end(&constraints, list);
    add_message(&messages[n++], key, "comment", ly_buf_bytes(&constraints));
    sign_message(&messages[n++], key, LY_BYTES("data"), 0);
    key_message(&messages[n++], SSH_AGENTC_REMOVE_IDENTITY, key);
    text_message(&messages[n++], SSH_AGENTC_LOCK, "passphrase");
    LY_AUTO(ly_buf_free) LyBuf signature = {0};
    g_assert_true(ly_key_sign(other, (LyBytes){0}, LY_BYTES("session"), &signature, NULL));
    ly_put_agent_session_bind(&messages[n++], ly_key_blob(other), LY_BYTES("session"),
                              ly_buf_bytes(&signature), true);
    text_message(&messages[n], SSH_AGENTC_EXTENSION, "reencrypt@putty.projects.tartarus.org");
    ly_put_string(&messages[n++], ly_key_blob(key));
    text_message(&messages[n++], SSH_AGENTC_EXTENSION, "list-extended@putty.projects.tartarus.org");
    return n;
}

static unsigned send_to_fresh(LyBytes message, const LyKey *key)
{
    Rig rig;
    rig_start(&rig, NULL);
    rig.hold = true;
    LyAgentClient *client = ly_agent_client_new(rig.agent, NULL);
    do_add(&rig, client, key, (LyBytes){0});
    /* Of exact size, so that a sanitizer sees a read behind its end: the input buffer is larger. */
    unsigned type = rig_ask(&rig, client, message, NULL);
    g_assert_cmpuint(type != 0, ==, rig.held == 0);
    ly_agent_client_free(client);
    rig_stop(&rig);
    return type;
}

static void test_damage(void)
{
    LyKey *key = new_key(LY_PK_ED25519, 0), *other = new_key(LY_PK_ECDSA, 256);
    LyBuf messages[16] = {0};
    size_t count = valid_requests(messages, key, other);
    for (size_t i = 0; i < count; i++) {
        LyBytes whole = ly_buf_bytes(&messages[i]);
        unsigned good = send_to_fresh(whole, key);
        g_assert_true(good == S || good == 0 || good == 28); /* 28: nothing to encrypt again */
        for (size_t len = 0; len < whole.len; len++) {
            unsigned type = send_to_fresh(ly_bytes_slice(whole, 0, len), key);
            /* The second is the first when all its constraints are cut off. */
            bool constraints_cut = whole.data[0] == SSH_AGENTC_ADD_ID_CONSTRAINED && type == S;
            g_assert_true(type == F || type == 28 || (constraints_cut && len >= messages[0].len));
        }
        for (size_t bit = 0; bit < whole.len * 8; bit += 3) {
            uint8_t *copy = g_memdup2(whole.data, whole.len);
            copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
            send_to_fresh(ly_bytes(copy, whole.len), key);
            g_free(copy);
        }
    }
    for (size_t i = 0; i < LY_COUNT(messages); i++)
        ly_buf_free(&messages[i]);
    ly_key_unref(key);
    ly_key_unref(other);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    g_test_add_func("/agent/basics", test_basics);
    g_test_add_func("/agent/constraints", test_constraints);
    g_test_add_func("/agent/matrix", test_matrix);
    g_test_add_func("/agent/query", test_query);
    g_test_add_func("/agent/rsa", test_rsa);
    g_test_add_func("/agent/pieces", test_pieces);
    g_test_add_func("/agent/lengths", test_lengths);
    g_test_add_func("/agent/backpressure", test_backpressure);
    g_test_add_func("/agent/damage", test_damage);
    int result = g_test_run();
    ly_crypto_unref(crypto);
    return result;
}
