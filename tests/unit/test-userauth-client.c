/* The client's side of userauth alone: payloads given, packets read before they are sealed. */
#include "session-pair.h"
#include "userauth/messages.h"

typedef struct Lone {
    LyTransport *t;
    LyUserauthClient *client;
    LyUserauthClientEvent event;
} Lone;

static void lone_free(Lone *lone)
{
    ly_userauth_client_free(lone->client);
    ly_transport_free(lone->t);
}

/* --- the client alone
 * ------------------------------------------------------------------------------------------ */

static bool give_client(Lone *lone, LyBytes payload)
{
    return ly_userauth_client_receive(lone->client, payload, &lone->event);
}

static const uint8_t service_accept[] = "\6\0\0\0\14ssh-userauth";
static const uint8_t success[] = "\64";
static const uint8_t failure[] = "\63\0\0\0\10password\0";
static const uint8_t partial[] = "\63\0\0\0\10password\1";
static const uint8_t banner[] = "\65\0\0\0\2hi\0\0\0\0";
static const uint8_t changereq[] = "\74\0\0\0\3new\0\0\0\0";
static const uint8_t info_request[] = "\74\0\0\0\1n\0\0\0\1i\0\0\0\0\0\0\0\2\0\0\0\1a\1\0\0\0\1b\0";
#define VIEW(array) ly_bytes((array), sizeof(array) - 1)

static void sign_in(Lone *lone)
{
    *lone = (Lone){.t = lone_transport(LY_CLIENT)};
    lone->client = ly_userauth_client_new(lone->t, LY_BYTES("alice"));
    g_assert_cmpuint(take_number(lone->t), ==, SSH_MSG_SERVICE_REQUEST);
    g_assert_true(give_client(lone, VIEW(service_accept)));
    g_assert_true(lone->event.type == LY_USERAUTH_NEXT && lone->event.first);
}

static void attempt(Lone *lone, int kind)
{
    if (kind == 0)
        ly_userauth_none(lone->client);
    else if (kind == 1)
        ly_userauth_password(lone->client, LY_BYTES("p"));
    else if (kind == 2)
        ly_userauth_keyboard_interactive(lone->client, (LyBytes){0});
    else
        ly_userauth_publickey_probe(lone->client, LY_BYTES("rsa-sha2-512"), LY_BYTES("blob"));
}

static LyBuf pk_ok(const char *algorithm, const char *blob)
{
    LyBuf payload = {0};
    ly_put_u8(&payload, SSH_MSG_USERAUTH_PK_OK);
    ly_put_cstring(&payload, algorithm);
    ly_put_cstring(&payload, blob);
    return payload;
}

static void test_pk_ok(void)
{
    static const struct {
        const char *algorithm, *blob;
        bool fine;
    } cases[] = {{"rsa-sha2-512", "blob", true},
                 {"ssh-rsa", "blob", true}, /* what many servers say */
                 {"rsa-sha2-256", "blob", false},
                 {"rsa-sha2-512", "blub", false}};
    for (size_t i = 0; i < LY_COUNT(cases); i++) {
        Lone lone;
        sign_in(&lone);
        attempt(&lone, 3);
        LyBuf payload = pk_ok(cases[i].algorithm, cases[i].blob);
        g_assert_true(give_client(&lone, ly_buf_bytes(&payload)) == cases[i].fine);
        g_assert_true(ly_transport_is_closed(lone.t) == !cases[i].fine);
        if (cases[i].fine)
            g_assert_true(ly_bytes_is(lone.event.algorithm, "rsa-sha2-512"));
        ly_buf_free(&payload);
        lone_free(&lone);
    }
}

/* Item 41: SUCCESS, FAILURE and message 60 that nobody asked for. */
static void test_client_unasked(void)
{
    const LyBytes unasked[] = {VIEW(success), VIEW(failure), VIEW(changereq), VIEW(service_accept)};
    for (size_t i = 0; i < LY_COUNT(unasked); i++) {
        Lone lone;
        sign_in(&lone);
        g_assert_false(give_client(&lone, unasked[i]));
        g_assert_cmpint(lone.t->error.code, ==, LY_ERROR_PROTOCOL);
        lone_free(&lone);
    }
    Lone lone; /* a probe proves nothing */
    sign_in(&lone);
    attempt(&lone, 3);
    g_assert_false(give_client(&lone, VIEW(success)));
    g_assert_true(ly_transport_is_closed(lone.t));
    lone_free(&lone);
    sign_in(&lone); /* INFO_REQUEST for "none" */
    attempt(&lone, 0);
    g_assert_false(give_client(&lone, VIEW(info_request)));
    g_assert_true(ly_transport_is_closed(lone.t));
    lone_free(&lone);
}

static void test_client_endless(void)
{
    Lone lone;
    sign_in(&lone);
    int banners = 0;
    while (give_client(&lone, VIEW(banner)))
        banners++;
    g_assert_cmpint(banners, ==, 64);
    g_assert_true(ly_transport_is_closed(lone.t));
    lone_free(&lone);
    sign_in(&lone);
    int steps = 0;
    do {
        attempt(&lone, 1);
        steps++;
    } while (give_client(&lone, VIEW(partial)));
    g_assert_cmpint(steps, <, 50);
    g_assert_cmpint(lone.t->error.code, ==, LY_ERROR_AUTH);
    lone_free(&lone);
    sign_in(&lone);
    attempt(&lone, 2);
    int rounds = 0;
    while (give_client(&lone, VIEW(info_request))) {
        ly_userauth_info_response(lone.client, (LyBytes[]){LY_BYTES("x"), LY_BYTES("y")}, 2);
        rounds++;
    }
    g_assert_cmpint(rounds, ==, 256);
    lone_free(&lone);
}

static void test_client_misused(void)
{
    Lone lone;
    sign_in(&lone);
    attempt(&lone, 0);
    attempt(&lone, 1);
    g_assert_cmpint(lone.t->error.code, ==, LY_ERROR_INVALID);
    lone_free(&lone);
    sign_in(&lone);
    attempt(&lone, 2);
    g_assert_true(give_client(&lone, VIEW(info_request)));
    ly_userauth_info_response(lone.client, NULL, 0);
    g_assert_cmpint(lone.t->error.code, ==, LY_ERROR_INVALID);
    lone_free(&lone);
}

static void test_too_many_prompts(void)
{
    for (uint32_t count = LY_PROMPTS_MAX; count <= LY_PROMPTS_MAX + 1; count++) {
        Lone lone;
        sign_in(&lone);
        attempt(&lone, 2);
        LyBuf payload = {0};
        LyPrompt prompts[LY_PROMPTS_MAX + 1] = {0};
        ly_userauth_put_info_request(&payload, (LyBytes){0}, (LyBytes){0}, prompts, count);
        g_assert_true(give_client(&lone, ly_buf_bytes(&payload)) == (count == LY_PROMPTS_MAX));
        ly_buf_free(&payload);
        lone_free(&lone);
    }
}

static void test_client_truncated(void)
{
    LyBuf ok = pk_ok("rsa-sha2-512", "blob");
    const struct {
        LyBytes payload;
        int kind;
    } cases[] = {{VIEW(failure), 0},
                 {VIEW(banner), 0},
                 {VIEW(changereq), 1},
                 {VIEW(info_request), 2},
                 {ly_buf_bytes(&ok), 3}};
    for (size_t i = 0; i < LY_COUNT(cases); i++) {
        for (size_t len = 1; len <= cases[i].payload.len + 1; len++) {
            uint8_t payload[200] = {0}; /* the last is one byte too long */
            memcpy(payload, cases[i].payload.data, LY_MIN(len, cases[i].payload.len));
            Lone lone;
            sign_in(&lone);
            attempt(&lone, cases[i].kind);
            bool whole = len == cases[i].payload.len;
            g_assert_true(give_client(&lone, ly_bytes(payload, len)) == whole);
            g_assert_true(ly_transport_is_closed(lone.t) == !whole);
            lone_free(&lone);
        }
    }
    ly_buf_free(&ok);
}

/* --- which algorithm
 * ------------------------------------------------------------------------------------------- */

static void test_choose_algorithm(void)
{
    static const struct {
        const char *ident, *listed, *key_type, *accepted, *chosen; /* listed NULL: no server-sig-algs */
    } cases[] = {
        {"OpenSSH_9.2", "ssh-ed25519,rsa-sha2-512,rsa-sha2-256", "ssh-rsa", "rsa-sha2-512,rsa-sha2-256",
         "rsa-sha2-512"},
        {"x", "rsa-sha2-256", "ssh-rsa", "rsa-sha2-512,rsa-sha2-256", "rsa-sha2-256"},
        {"x", "ssh-ed25519", "ssh-rsa", "rsa-sha2-512,rsa-sha2-256", NULL},
        {"x", NULL, "ssh-rsa", "rsa-sha2-512,rsa-sha2-256,ssh-rsa", "rsa-sha2-512"},
        {"x", NULL, "ssh-rsa", "ssh-rsa,rsa-sha2-256", "rsa-sha2-256"},
        {"OpenSSH_6.6.1p1", NULL, "ssh-rsa", "rsa-sha2-512,ssh-rsa", "ssh-rsa"},
        {"OpenSSH_6.6.1p1", NULL, "ssh-rsa", "rsa-sha2-512", "rsa-sha2-512"},
        {"dropbear_2019.78", NULL, "ssh-rsa", "rsa-sha2-512,ssh-rsa", "ssh-rsa"},
        {"dropbear_2022.83", NULL, "ssh-rsa", "rsa-sha2-512,ssh-rsa", "rsa-sha2-512"},
        {"OpenSSH_7.4", "ssh-ed25519,ssh-rsa", "ssh-rsa", "rsa-sha2-512,ssh-rsa", "rsa-sha2-512"},
        {"x", "rsa-sha2-512", "ssh-ed25519", "rsa-sha2-512,ssh-ed25519", "ssh-ed25519"},
        {"x", NULL, "ssh-ed25519", "rsa-sha2-512", NULL},
        {"x", "rsa-sha2-256", "ssh-rsa-cert-v01@openssh.com",
         "rsa-sha2-512-cert-v01@openssh.com,rsa-sha2-256-cert-v01@openssh.com,rsa-sha2-256",
         "rsa-sha2-256-cert-v01@openssh.com"},
    };
    for (size_t i = 0; i < LY_COUNT(cases); i++) {
        Lone lone;
        sign_in(&lone);
        ly_buf_clear(&lone.t->peer_ident);
        ly_buf_add_format(&lone.t->peer_ident, "SSH-2.0-%s", cases[i].ident);
        if (cases[i].listed) {
            ly_put_cstring(&lone.t->extensions, "server-sig-algs");
            ly_put_cstring(&lone.t->extensions, cases[i].listed);
        }
        LyBytes chosen = {0};
        bool found = ly_userauth_choose_algorithm(lone.client, cases[i].key_type,
                                                  ly_bytes_str(cases[i].accepted), &chosen);
        g_assert_true(found == (cases[i].chosen != NULL));
        if (found && !ly_bytes_is(chosen, cases[i].chosen))
            g_error("case %zu: %.*s instead of %s", i, (int)chosen.len, (const char *)chosen.data,
                    cases[i].chosen);
        lone_free(&lone);
    }
}

/* The bytes of RFC 4252 section 7's signed request, and OpenSSH's hostbound one. */
static void test_signed_data(void)
{
    Lone lone;
    sign_in(&lone);
    ly_buf_add_str(&lone.t->session_id, "ID");
    LyBuf data = {0};
    ly_userauth_publickey_data(lone.client, LY_BYTES("alg"), LY_BYTES("blob"), &data);
    static const char plain[] =
        "\0\0\0\2ID\62\0\0\0\5alice\0\0\0\16ssh-connection\0\0\0\11publickey\1\0\0\0\3alg\0\0\0\4blob";
    g_assert_cmpmem(data.data, data.len, plain, sizeof plain - 1);
    ly_buf_clear(&data);
    ly_put_cstring(&lone.t->extensions, "publickey-hostbound@openssh.com");
    ly_put_cstring(&lone.t->extensions, "0");
    LyKey *server_key = ly_key_ref(host_key);
    lone.t->host_key = server_key;
    ly_userauth_publickey_data(lone.client, LY_BYTES("alg"), LY_BYTES("blob"), &data);
    static const char bound[] = "\0\0\0\2ID\62\0\0\0\5alice\0\0\0\16ssh-connection\0\0\0\43"
                                "publickey-hostbound-v00@openssh.com\1\0\0\0\3alg\0\0\0\4blob";
    g_assert_cmpuint(data.len, ==, sizeof bound - 1 + 4 + ly_key_blob(host_key).len);
    g_assert_cmpmem(data.data, sizeof bound - 1, bound, sizeof bound - 1);
    g_assert_cmpmem(data.data + sizeof bound - 1 + 4, ly_key_blob(host_key).len, ly_key_blob(host_key).data,
                    ly_key_blob(host_key).len);
    ly_buf_free(&data);
    lone_free(&lone);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    make_keys();
    g_test_add_func("/userauth-client/pk-ok", test_pk_ok);
    g_test_add_func("/userauth-client/unasked", test_client_unasked);
    g_test_add_func("/userauth-client/endless", test_client_endless);
    g_test_add_func("/userauth-client/misused", test_client_misused);
    g_test_add_func("/userauth-client/too-many-prompts", test_too_many_prompts);
    g_test_add_func("/userauth-client/truncated", test_client_truncated);
    g_test_add_func("/userauth-client/choose-algorithm", test_choose_algorithm);
    g_test_add_func("/userauth-client/signed-data", test_signed_data);
    int failed = g_test_run();
    free_keys();
    return failed;
}
