/* core/agent: session-bind@openssh.com and keys that are restricted to destinations, over one hop and two. */
#include "agent-drive.h"

#include "key/issue.h"

#define F SSH_AGENT_FAILURE
#define S SSH_AGENT_SUCCESS
#define SIGNED SSH_AGENT_SIGN_RESPONSE
#define BAD SSH_AGENT_EXTENSION_FAILURE

static LyKey *open_ppk(LyBytes text, LyBytes passphrase, LyErrorCode *code)
{
    g_assert_not_reached();
}

static LyKey *host_a, *host_b, *user_key;

/* ---- making requests ---- */

static unsigned bind_as(Rig *rig, LyAgentClient *client, LyKey *host, LyBytes session_id, bool forwarded)
{
    LY_AUTO(ly_buf_free) LyBuf out = {0}, signature = {0};
    LyKey *signer = ly_key_is_private(host) ? host : host_b;
    g_assert_true(ly_key_sign(signer, (LyBytes){0}, session_id, &signature, NULL));
    ly_put_agent_session_bind(&out, ly_key_blob(host), session_id, ly_buf_bytes(&signature), forwarded);
    return rig_ask(rig, client, ly_buf_bytes(&out), NULL);
}

static void put_hop(LyBuf *out, const char *user, const char *host, const LyKey *key, bool is_ca)
{
    size_t mark = ly_put_string_begin(out);
    ly_put_cstring(out, user);
    ly_put_cstring(out, host);
    ly_put_cstring(out, "");
    if (key) {
        ly_put_string(out, ly_key_blob(key));
        ly_put_bool(out, is_ca);
    }
    ly_put_string_end(out, mark);
}

typedef struct Way {
    const char *from_user, *from_host;
    LyKey *from;
    const char *to_user, *to_host;
    LyKey *to;
    bool ca;
} Way;

static LyBytes put_ways(LyBuf *out, const Way *ways, size_t count)
{
    ly_buf_clear(out);
    ly_put_u8(out, SSH_AGENT_CONSTRAIN_EXTENSION);
    ly_put_cstring(out, "restrict-destination-v00@openssh.com");
    size_t list = ly_put_string_begin(out);
    for (size_t i = 0; i < count; i++) {
        size_t one = ly_put_string_begin(out);
        put_hop(out, ways[i].from_user, ways[i].from_host, ways[i].from, ways[i].ca);
        put_hop(out, ways[i].to_user, ways[i].to_host, ways[i].to, ways[i].ca);
        ly_put_cstring(out, "");
        ly_put_string_end(out, one);
    }
    ly_put_string_end(out, list);
    return ly_buf_bytes(out);
}

/* What ssh signs to sign in; `host` NULL: not bound to a host key. */
static LyBytes put_userauth(LyBuf *out, LyBytes session_id, const char *user, const LyKey *key,
                            const LyKey *host)
{
    ly_buf_clear(out);
    ly_put_string(out, session_id);
    ly_put_u8(out, 50);
    ly_put_cstring(out, user);
    ly_put_cstring(out, "ssh-connection");
    ly_put_cstring(out, host ? "publickey-hostbound-v00@openssh.com" : "publickey");
    ly_put_bool(out, true);
    ly_put_cstring(out, ly_key_type_name(key));
    ly_put_string(out, ly_key_blob(key));
    if (host)
        ly_put_string(out, ly_key_blob(host));
    return ly_buf_bytes(out);
}

static unsigned sign_in(Rig *rig, LyAgentClient *client, LyBytes session_id, const char *user,
                        const LyKey *host)
{
    LY_AUTO(ly_buf_free) LyBuf data = {0};
    return do_sign(rig, client, user_key, put_userauth(&data, session_id, user, user_key, host), 0);
}

typedef struct Setup {
    Rig rig;
    LyAgentClient *local;
} Setup;

static void start(Setup *setup, const Way *ways, size_t count)
{
    LY_AUTO(ly_buf_free) LyBuf constraints = {0};
    rig_start(&setup->rig, NULL);
    setup->local = ly_agent_client_new(setup->rig.agent, NULL);
    if (ways)
        g_assert_cmpuint(do_add(&setup->rig, setup->local, user_key, put_ways(&constraints, ways, count)), ==,
                         S);
}

static void stop(Setup *setup)
{
    ly_agent_client_free(setup->local);
    rig_stop(&setup->rig);
}

#define SID_A LY_BYTES("session with a")
#define SID_B LY_BYTES("session with b")

static void test_binds(void)
{
    Setup setup;
    start(&setup, NULL, 0);
    Rig *rig = &setup.rig;
    LyAgentClient *client = setup.local;
    g_assert_cmpuint(bind_as(rig, client, host_a, SID_A, true), ==, S);
    g_assert_cmpuint(bind_as(rig, client, host_a, SID_A, true), ==, S);  /* again: nothing new */
    g_assert_cmpuint(bind_as(rig, client, host_a, SID_A, false), ==, S); /* nor that */
    g_assert_cmpuint(bind_as(rig, client, host_b, SID_A, true), ==, BAD);
    g_assert_cmpuint(bind_as(rig, client, host_a, SID_B, false), ==, S);
    g_assert_cmpuint(bind_as(rig, client, host_b, LY_BYTES("third"), true), ==, BAD); /* signing in ends it */
    ly_agent_client_free(client);

    setup.local = client = ly_agent_client_new(rig->agent, NULL);
    char session[130] = {0};
    g_assert_cmpuint(bind_as(rig, client, host_a, ly_bytes(session, 129), true), ==, BAD);
    for (int i = 0; i < 16; i++) {
        session[0] = (char)i;
        g_assert_cmpuint(bind_as(rig, client, host_a, ly_bytes(session, 128), true), ==, S);
    }
    session[0] = 16;
    g_assert_cmpuint(bind_as(rig, client, host_a, ly_bytes(session, 128), true), ==, BAD);
    session[0] = 3;
    g_assert_cmpuint(bind_as(rig, client, host_a, ly_bytes(session, 128), true), ==, S);
    stop(&setup);
}

static void test_signature(void)
{
    static const Way ways[] = {{"", "", NULL, "", "a", NULL, false}};
    Way way = ways[0];
    way.to = host_a;
    Setup setup;
    start(&setup, &way, 1);
    Rig *rig = &setup.rig;
    LY_AUTO(ly_buf_free) LyBuf out = {0}, signature = {0};
    ly_key_sign(host_b, (LyBytes){0}, SID_A, &signature, NULL); /* another host's */
    ly_put_agent_session_bind(&out, ly_key_blob(host_a), SID_A, ly_buf_bytes(&signature), false);
    g_assert_cmpuint(do_list(rig, setup.local), ==, 1);
    g_assert_cmpuint(rig_ask(rig, setup.local, ly_buf_bytes(&out), NULL), ==, BAD);
    /* Having tried, the connection is not taken for local. */
    g_assert_cmpuint(do_list(rig, setup.local), ==, 0);
    g_assert_true(ly_agent_client_is_forwarded(setup.local));
    g_assert_cmpuint(bind_as(rig, setup.local, host_a, SID_A, false), ==, S);
    g_assert_cmpuint(do_list(rig, setup.local), ==, 1);
    stop(&setup);
}

static void test_one_hop(void)
{
    Way way = {"", "", NULL, "git*", "a", host_a, false};
    Setup setup;
    start(&setup, &way, 1);
    Rig *rig = &setup.rig;
    /* Here it is seen, and cannot be used without a session. */
    g_assert_cmpuint(do_list(rig, setup.local), ==, 1);
    g_assert_cmpuint(do_sign(rig, setup.local, user_key, LY_BYTES("x"), 0), ==, F);
    g_assert_cmpuint(sign_in(rig, setup.local, SID_A, "git", NULL), ==, F);
    LyAgentIdentityInfo info;
    g_assert_true(ly_agent_get(rig->agent, 0, &info) && info.destination_constrained);

    LyAgentClient *client = ly_agent_client_new(rig->agent, NULL);
    g_assert_cmpuint(bind_as(rig, client, host_a, SID_A, false), ==, S);
    g_assert_cmpuint(do_list(rig, client), ==, 1);
    g_assert_cmpuint(sign_in(rig, client, SID_A, "git", NULL), ==, SIGNED);
    g_assert_true(g_str_has_prefix(rig->target, "git@a (SHA256:"));
    g_assert_cmpuint(sign_in(rig, client, SID_A, "gitlab", host_a), ==, SIGNED);
    g_assert_cmpuint(sign_in(rig, client, SID_A, "bob", host_a), ==, F);
    g_assert_cmpuint(sign_in(rig, client, SID_A, "git", host_b), ==, F);
    g_assert_cmpuint(sign_in(rig, client, SID_B, "git", NULL), ==, F);
    g_assert_cmpuint(do_sign(rig, client, user_key, LY_BYTES("no sign-in"), 0), ==, F);
    g_assert_cmpuint(rig->counts[LY_AGENT_REFUSED], ==, 2 + 4);
    /* Every cut and every third flipped bit is something else. */
    LY_AUTO(ly_buf_free) LyBuf data = {0};
    LyBytes whole = put_userauth(&data, SID_A, "git", user_key, host_a);
    for (size_t len = 0; len < whole.len; len++)
        g_assert_cmpuint(do_sign(rig, client, user_key, ly_bytes_slice(whole, 0, len), 0), ==, F);
    for (size_t bit = 0; bit < whole.len * 8; bit += 3) {
        size_t at = bit / 8, user = 4 + SID_A.len + 1 + 4;
        if (at >= user && at < user + 3)
            continue; /* another user that the pattern may allow */
        data.data[at] ^= (uint8_t)(1u << bit % 8);
        g_assert_cmpuint(do_sign(rig, client, user_key, whole, 0), ==, F);
        data.data[at] ^= (uint8_t)(1u << bit % 8);
    }
    ly_agent_client_free(client);

    /* Elsewhere it is not there: not for lists, signatures, removal, nor to be added again. */
    client = ly_agent_client_new(rig->agent, NULL);
    g_assert_cmpuint(bind_as(rig, client, host_b, SID_B, false), ==, S);
    g_assert_cmpuint(do_list(rig, client), ==, 0);
    g_assert_cmpuint(sign_in(rig, client, SID_B, "git", host_b), ==, F);
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    g_assert_cmpuint(rig_ask(rig, client, key_message(&out, SSH_AGENTC_REMOVE_IDENTITY, user_key), NULL), ==,
                     F);
    g_assert_cmpuint(do_add(rig, client, user_key, (LyBytes){0}), ==, F);
    ly_agent_client_free(client);
    /* Another key is seen next to it. */
    client = ly_agent_client_new(rig->agent, NULL);
    g_assert_cmpuint(do_add(rig, setup.local, host_b, (LyBytes){0}), ==, S);
    g_assert_cmpuint(bind_as(rig, client, host_b, SID_B, false), ==, S);
    g_assert_cmpuint(do_list(rig, client), ==, 1);
    g_assert_cmpuint(do_list(rig, setup.local), ==, 2);
    ly_agent_client_free(client);

    /* Forwarded to a, it ends there: it may be used to reach a, not on a. */
    client = ly_agent_client_new(rig->agent, NULL);
    g_assert_cmpuint(bind_as(rig, client, host_a, SID_A, true), ==, S);
    g_assert_cmpuint(do_list(rig, client), ==, 1);
    g_assert_cmpuint(sign_in(rig, client, SID_A, "git", host_a), ==, F);
    ly_agent_client_free(client);

    /* Added again without the restriction, by one who sees it. */
    g_assert_cmpuint(do_add(rig, setup.local, user_key, (LyBytes){0}), ==, S);
    g_assert_cmpuint(do_sign(rig, setup.local, user_key, LY_BYTES("x"), 0), ==, SIGNED);
    stop(&setup);
}

static void test_two_hops(void)
{
    Way ways[] = {{"", "", NULL, "", "a", host_a, false}, {"", "a", host_a, "git", "b", host_b, false}};
    Setup setup;
    start(&setup, ways, 2);
    Rig *rig = &setup.rig;
    LyAgentClient *client = ly_agent_client_new(rig->agent, NULL);
    g_assert_cmpuint(bind_as(rig, client, host_a, SID_A, true), ==, S);
    g_assert_cmpuint(do_list(rig, client), ==, 1); /* usable beyond */
    g_assert_cmpuint(sign_in(rig, client, SID_A, "git", host_a), ==, F);
    g_assert_cmpuint(bind_as(rig, client, host_b, SID_B, false), ==, S);
    g_assert_cmpuint(do_list(rig, client), ==, 1);
    g_assert_cmpuint(sign_in(rig, client, SID_B, "git", host_b), ==, SIGNED);
    g_assert_true(rig->forwarded);
    g_assert_cmpuint(sign_in(rig, client, SID_B, "git", NULL), ==, F); /* not bound to its host key */
    g_assert_cmpuint(sign_in(rig, client, SID_B, "bob", host_b), ==, F);
    g_assert_cmpuint(sign_in(rig, client, SID_A, "git", host_a), ==, F);
    ly_agent_client_free(client);
    /* b is reached from a only. */
    client = ly_agent_client_new(rig->agent, NULL);
    g_assert_cmpuint(bind_as(rig, client, host_b, SID_B, false), ==, S);
    g_assert_cmpuint(do_list(rig, client), ==, 0);
    ly_agent_client_free(client);
    client = ly_agent_client_new(rig->agent, NULL);
    g_assert_cmpuint(bind_as(rig, client, host_b, SID_B, true), ==, S);
    g_assert_cmpuint(bind_as(rig, client, host_a, SID_A, false), ==, S);
    g_assert_cmpuint(do_list(rig, client), ==, 0);
    g_assert_cmpuint(sign_in(rig, client, SID_A, "git", host_a), ==, F);
    ly_agent_client_free(client);
    stop(&setup);
}

/* A bind while the agent is locked counts, lest the connection be taken for local afterwards. */
static void test_locked(void)
{
    Way way = {"", "", NULL, "", "a", host_a, false};
    Setup setup;
    start(&setup, &way, 1);
    Rig *rig = &setup.rig;
    LyAgentClient *client = ly_agent_client_new(rig->agent, NULL);
    do_text(rig, setup.local, SSH_AGENTC_LOCK, "p");
    g_assert_cmpuint(bind_as(rig, client, host_b, SID_B, true), ==, S);
    do_text(rig, setup.local, SSH_AGENTC_UNLOCK, "p");
    g_assert_cmpuint(do_list(rig, client), ==, 0);
    g_assert_cmpuint(do_list(rig, setup.local), ==, 1);
    ly_agent_client_free(client);
    stop(&setup);
}

static void test_authority(void)
{
    const uint64_t from = 1000000, until = 2000000;
    LyKey *ca = new_key(LY_PK_ED25519, 0);
    LyCertificateRequest request = {.kind = LY_CERTIFICATE_HOST,
                                    .id = LY_BYTES("host"),
                                    .principals = LY_BYTES("*.example.com"),
                                    .valid_after = from,
                                    .valid_before = until};
    LyError error = {0};
    LyKey *certificate = ly_certificate_issue(crypto, host_b, &request, false, ca, (LyBytes){0}, &error);
    g_assert_cmpstr(error.message, ==, "");
    Way ways[] = {{"", "", NULL, "", "a.example.com", ca, true}};
    for (int wrong = 0; wrong < 2; wrong++) {
        if (wrong)
            ways[0].to_host = "a.example.org";
        Setup setup;
        start(&setup, ways, 1);
        Rig *rig = &setup.rig;
        LyAgentClient *client = ly_agent_client_new(rig->agent, NULL);
        LY_AUTO(ly_buf_free) LyBuf signature = {0}, out = {0};
        g_assert_true(ly_key_sign(host_b, (LyBytes){0}, SID_B, &signature, NULL));
        ly_put_agent_session_bind(&out, ly_key_blob(certificate), SID_B, ly_buf_bytes(&signature), false);
        g_assert_cmpuint(rig_ask(rig, client, ly_buf_bytes(&out), NULL), ==, S);
        g_assert_cmpuint(do_list(rig, client), ==, 0); /* no date */
        ly_agent_set_date(rig->agent, from - 10);
        g_assert_cmpuint(do_list(rig, client), ==, 0);
        ly_agent_tick(rig->agent, 11 * 1000000);
        g_assert_cmpuint(do_list(rig, client), ==, !wrong);
        g_assert_cmpuint(sign_in(rig, client, SID_B, "me", certificate), ==, wrong ? F : SIGNED);
        ly_agent_set_date(rig->agent, until);
        g_assert_cmpuint(do_list(rig, client), ==, 0);
        ly_agent_client_free(client);
        stop(&setup);
    }
    ly_key_unref(certificate);
    ly_key_unref(ca);
}

static void test_malformed(void)
{
    static char long_user[258];
    memset(long_user, 'u', 257);
    const struct {
        Way way;
        unsigned reply;
    } cases[] = {
        {{"", "", NULL, "", "a", host_a, false}, S},
        {{"me", "", NULL, "", "a", host_a, false}, F}, /* a user to come from */
        {{"", "b", NULL, "", "a", host_a, false}, F},  /* a host without keys, keys without a host */
        {{"", "", host_b, "", "a", host_a, false}, F},
        {{"", "", NULL, "", "", host_a, false}, F},
        {{"", "", NULL, "", "a", NULL, false}, F},
        {{"", "", NULL, long_user + 1, "a", host_a, false}, S},
        {{"", "", NULL, long_user, "a", host_a, false}, F},
    };
    Setup setup;
    start(&setup, NULL, 0);
    LY_AUTO(ly_buf_free) LyBuf constraints = {0};
    for (size_t i = 0; i < LY_COUNT(cases); i++)
        g_assert_cmpuint(do_add(&setup.rig, setup.local, user_key, put_ways(&constraints, &cases[i].way, 1)),
                         ==, cases[i].reply);
    /* Twice, and more than there may be. */
    LY_AUTO(ly_buf_free) LyBuf twice = {0};
    ly_buf_add(&twice, put_ways(&constraints, &cases[0].way, 1));
    ly_buf_add(&twice, ly_buf_bytes(&constraints));
    g_assert_cmpuint(do_add(&setup.rig, setup.local, user_key, ly_buf_bytes(&twice)), ==, F);
    Way *many = g_new0(Way, 1025);
    for (size_t i = 0; i < 1025; i++)
        many[i] = cases[0].way;
    g_assert_cmpuint(do_add(&setup.rig, setup.local, user_key, put_ways(&constraints, many, 1024)), ==, S);
    g_assert_cmpuint(do_add(&setup.rig, setup.local, user_key, put_ways(&constraints, many, 1025)), ==, F);
    g_free(many);
    stop(&setup);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    host_a = new_key(LY_PK_ED25519, 0);
    host_b = new_key(LY_PK_ECDSA, 256);
    user_key = new_key(LY_PK_ED25519, 0);
    g_test_add_func("/agent-destinations/binds", test_binds);
    g_test_add_func("/agent-destinations/signature", test_signature);
    g_test_add_func("/agent-destinations/one-hop", test_one_hop);
    g_test_add_func("/agent-destinations/two-hops", test_two_hops);
    g_test_add_func("/agent-destinations/locked", test_locked);
    g_test_add_func("/agent-destinations/authority", test_authority);
    g_test_add_func("/agent-destinations/malformed", test_malformed);
    int result = g_test_run();
    ly_key_unref(host_a);
    ly_key_unref(host_b);
    ly_key_unref(user_key);
    ly_crypto_unref(crypto);
    return result;
}
