/* core/agent: which keys it takes, how many, for how long, and its lock. */
#include "agent-drive.h"

#include "key/issue.h"

#define F SSH_AGENT_FAILURE
#define S SSH_AGENT_SUCCESS
#define SIGNED SSH_AGENT_SIGN_RESPONSE

static LyKey *open_ppk(LyBytes text, LyBytes passphrase, LyErrorCode *code)
{
    g_assert_not_reached();
}

static void test_lifetime(void)
{
    Rig rig;
    rig_start(&rig, NULL);
    LyAgentClient *client = ly_agent_client_new(rig.agent, NULL);
    LyKey *key = new_key(LY_PK_ED25519, 0), *other = new_key(LY_PK_ED25519, 0);
    const uint64_t start = 5000000, second = 1000000;
    ly_agent_tick(rig.agent, start);
    g_assert_cmpuint(ly_agent_deadline(rig.agent), ==, UINT64_MAX);
    do_add(&rig, client, key, LY_BYTES("\x01\0\0\0\x0a"));
    do_add(&rig, client, other, LY_BYTES("\x01\0\0\0\x14"));
    g_assert_cmpuint(ly_agent_deadline(rig.agent), ==, start + 10 * second);
    ly_agent_tick(rig.agent, start + 10 * second - 1);
    g_assert_cmpuint(do_list(&rig, client), ==, 2);
    rig.counts[LY_AGENT_CHANGED] = 0;
    ly_agent_tick(rig.agent, start + 10 * second);
    rig_events(&rig);
    g_assert_cmpuint(rig.counts[LY_AGENT_CHANGED], ==, 1);
    g_assert_cmpuint(do_list(&rig, client), ==, 1);
    g_assert_cmpuint(do_sign(&rig, client, key, LY_BYTES("x"), 0), ==, F);
    g_assert_cmpuint(ly_agent_deadline(rig.agent), ==, start + 20 * second);
    /* Added again: all its constraints are new. */
    do_add(&rig, client, other, LY_BYTES("\x02"));
    g_assert_cmpuint(ly_agent_deadline(rig.agent), ==, UINT64_MAX);
    do_add(&rig, client, other, (LyBytes){0});
    LyAgentIdentityInfo info;
    g_assert_true(ly_agent_get(rig.agent, 0, &info) && !info.confirm && info.expires_us == UINT64_MAX);
    /* For no time at all: it is taken, and gone. */
    g_assert_cmpuint(do_add(&rig, client, key, LY_BYTES("\x01\0\0\0\0")), ==, S);
    g_assert_cmpuint(do_list(&rig, client), ==, 1);
    /* Time does not go back. */
    ly_agent_tick(rig.agent, 1);
    do_add(&rig, client, key, LY_BYTES("\x01\0\0\0\x01"));
    g_assert_cmpuint(ly_agent_deadline(rig.agent), ==, start + 11 * second);
    ly_agent_client_free(client);
    rig_stop(&rig);

    rig_start(&rig, &(LyAgentOptions){.lifetime_us = 7});
    client = ly_agent_client_new(rig.agent, NULL);
    do_add(&rig, client, key, (LyBytes){0});
    g_assert_cmpuint(ly_agent_deadline(rig.agent), ==, 7);
    do_add(&rig, client, key, LY_BYTES("\x01\0\0\0\x01"));
    g_assert_cmpuint(ly_agent_deadline(rig.agent), ==, second);
    ly_key_unref(key);
    ly_key_unref(other);
    ly_agent_client_free(client);
    rig_stop(&rig);
}

static bool receives(Rig *rig, LyAgentClient *client, unsigned type)
{
    LY_AUTO(ly_buf_free) LyBuf reply = {0};
    return rig_receive(rig, client, &reply) && reply.data[0] == type;
}

static void test_lock(void)
{
    Rig rig;
    rig_start(&rig, NULL);
    LyAgentClient *client = ly_agent_client_new(rig.agent, NULL),
                  *other = ly_agent_client_new(rig.agent, NULL);
    LyKey *key = new_key(LY_PK_ED25519, 0);
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    do_add(&rig, client, key, (LyBytes){0});
    g_assert_cmpuint(do_text(&rig, client, SSH_AGENTC_UNLOCK, "right"), ==, F);
    g_assert_cmpuint(do_text(&rig, client, SSH_AGENTC_LOCK, ""), ==, F);
    g_assert_cmpuint(do_text(&rig, client, SSH_AGENTC_LOCK, "right"), ==, S);
    g_assert_true(ly_agent_is_locked(rig.agent));
    g_assert_cmpuint(do_text(&rig, client, SSH_AGENTC_LOCK, "right"), ==, F);
    g_assert_cmpuint(do_list(&rig, client), ==, 0);
    g_assert_cmpuint(do_sign(&rig, client, key, LY_BYTES("x"), 0), ==, F);
    g_assert_cmpuint(do_add(&rig, client, key, (LyBytes){0}), ==, F);
    g_assert_cmpuint(rig_ask(&rig, client, LY_BYTES("\x13"), NULL), ==, F);
    g_assert_cmpuint(rig_ask(&rig, client, key_message(&out, 18, key), NULL), ==, F);

    /* A wrong passphrase delays who gave it, by 0.1 s for each, and nobody else. */
    uint64_t now_us = 0;
    for (unsigned i = 1; i <= 3; i++) {
        g_assert_cmpuint(do_text(&rig, client, SSH_AGENTC_UNLOCK, "wrong"), ==, 0);
        rig_send(&rig, client, LIST_MESSAGE, 0);
        g_assert_cmpuint(ly_agent_deadline(rig.agent), ==, now_us + i * 100000);
        g_assert_cmpuint(do_list(&rig, other), ==, 0);
        ly_agent_tick(rig.agent, now_us + i * 100000 - 1);
        rig_events(&rig);
        g_assert_cmpuint(ly_agent_client_output(client).len, ==, 0);
        now_us += i * 100000;
        ly_agent_tick(rig.agent, now_us);
        rig_events(&rig);
        g_assert_true(receives(&rig, client, F));
        g_assert_true(receives(&rig, client, SSH_AGENT_IDENTITIES_ANSWER));
    }
    g_assert_cmpuint(do_text(&rig, client, SSH_AGENTC_UNLOCK, "righ"), ==, 0);
    g_assert_cmpuint(do_text(&rig, other, SSH_AGENTC_UNLOCK, "right"), ==, S);
    g_assert_false(ly_agent_is_locked(rig.agent));
    g_assert_cmpuint(do_list(&rig, other), ==, 1);
    ly_agent_client_free(client); /* with its delay still open */
    g_assert_cmpuint(ly_agent_deadline(rig.agent), ==, UINT64_MAX);
    g_assert_cmpuint(do_sign(&rig, other, key, LY_BYTES("x"), 0), ==, SIGNED);

    /* The screen's lock is lifted by the program alone. */
    ly_agent_suspend(rig.agent, true);
    g_assert_true(ly_agent_is_locked(rig.agent));
    g_assert_cmpuint(do_list(&rig, other), ==, 0);
    g_assert_cmpuint(do_text(&rig, other, SSH_AGENTC_UNLOCK, "right"), ==, F);
    ly_agent_suspend(rig.agent, false);
    g_assert_cmpuint(do_list(&rig, other), ==, 1);
    ly_key_unref(key);
    ly_agent_client_free(other);
    rig_stop(&rig);
}

static void test_limits(void)
{
    Rig rig;
    rig_start(&rig, &(LyAgentOptions){.max_identities = 3});
    LyAgentClient *client = ly_agent_client_new(rig.agent, NULL);
    LyKey *keys[4];
    for (size_t i = 0; i < 4; i++) {
        keys[i] = new_key(LY_PK_ED25519, 0);
        g_assert_cmpuint(do_add(&rig, client, keys[i], (LyBytes){0}), ==, i < 3 ? S : F);
    }
    g_assert_nonnull(strstr(rig.log, "as many as it may"));
    g_assert_cmpuint(do_add(&rig, client, keys[2], (LyBytes){0}), ==, S); /* again */
    ly_agent_client_free(client);
    rig_stop(&rig);

    /* The list is what clients read, to the byte. */
    rig_start(&rig, NULL);
    client = ly_agent_client_new(rig.agent, NULL);
    LY_AUTO(ly_buf_free) LyBuf out = {0}, reply = {0};
    size_t entry = 8 + ly_key_blob(keys[0]).len;
    size_t comments = 262144 - 5 - 4 * entry;
    for (size_t i = 0; i < 4; i++)
        rig_ask(&rig, client, add_message(&out, keys[i], "", (LyBytes){0}), NULL);
    for (size_t i = 0; i < 4; i++) {
        size_t len = MIN(comments, 65536);
        comments -= len;
        char *comment = g_strnfill(len, 'c');
        g_assert_cmpuint(rig_ask(&rig, client, add_message(&out, keys[i], comment, (LyBytes){0}), NULL), ==,
                         S);
        if (i == 3) {
            g_free(comment);
            comment = g_strnfill(len + 1, 'c');
            g_assert_cmpuint(rig_ask(&rig, client, add_message(&out, keys[i], comment, (LyBytes){0}), NULL),
                             ==, F);
            g_assert_nonnull(strstr(rig.log, "than clients read"));
        }
        g_free(comment);
    }
    rig_ask(&rig, client, LIST_MESSAGE, &reply);
    g_assert_cmpuint(reply.len, ==, 262144);
    LyKey *more = new_key(LY_PK_ED25519, 0);
    g_assert_cmpuint(do_add(&rig, client, more, (LyBytes){0}), ==, F);
    rig_ask(&rig, client, key_message(&out, 18, keys[0]), NULL);
    g_assert_cmpuint(do_add(&rig, client, more, (LyBytes){0}), ==, S);
    ly_key_unref(more);
    ly_agent_client_free(client);
    rig_stop(&rig);
    for (size_t i = 0; i < 4; i++)
        ly_key_unref(keys[i]);
}

/* More keys than stay open, each used, found and removed. */
static void test_many(void)
{
    enum { COUNT = 150 };
    Rig rig;
    rig_start(&rig, NULL);
    LyAgentClient *client = ly_agent_client_new(rig.agent, NULL);
    LyKey *keys[COUNT];
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    for (size_t i = 0; i < COUNT; i++) {
        keys[i] = new_key(LY_PK_ED25519, 0);
        g_assert_cmpuint(do_add(&rig, client, keys[i], (LyBytes){0}), ==, S);
    }
    for (size_t i = 0; i < 2 * COUNT; i++)
        g_assert_cmpuint(do_sign(&rig, client, keys[i * 7 % COUNT], LY_BYTES("x"), 0), ==, SIGNED);
    for (size_t i = 0; i < COUNT; i += 2)
        g_assert_cmpuint(rig_ask(&rig, client, key_message(&out, 18, keys[i]), NULL), ==, S);
    g_assert_cmpuint(do_list(&rig, client), ==, COUNT / 2);
    for (size_t i = 0; i < COUNT; i++) {
        g_assert_cmpuint(do_sign(&rig, client, keys[i], LY_BYTES("x"), 0), ==, i % 2 ? SIGNED : F);
        ly_key_unref(keys[i]);
    }
    ly_agent_client_free(client);
    rig_stop(&rig);
}

static void test_certificate(void)
{
    Rig rig;
    rig_start(&rig, NULL);
    LyAgentClient *client = ly_agent_client_new(rig.agent, NULL);
    LyKey *key = new_key(LY_PK_RSA, 1024), *ca = new_key(LY_PK_ED25519, 0);
    LyCertificateRequest request = {.kind = LY_CERTIFICATE_USER,
                                    .id = LY_BYTES("id"),
                                    .principals = LY_BYTES("me"),
                                    .valid_before = UINT64_MAX};
    LyKey *issued = ly_certificate_issue(crypto, key, &request, false, ca, (LyBytes){0}, NULL);
    LyKey *certified = ly_key_new_certified(key, ly_key_blob(issued), NULL);
    g_assert_cmpuint(do_add(&rig, client, certified, (LyBytes){0}), ==, S);
    g_assert_cmpuint(do_list(&rig, client), ==, 1);
    g_assert_cmpuint(do_sign(&rig, client, key, LY_BYTES("x"), 4), ==, F);
    g_assert_cmpuint(do_sign(&rig, client, certified, LY_BYTES("x"), 4), ==, SIGNED);
    g_assert_cmpuint(do_add(&rig, client, key, (LyBytes){0}), ==, S);
    g_assert_cmpuint(do_list(&rig, client), ==, 2);
    g_assert_cmpuint(do_sign(&rig, client, key, LY_BYTES("x"), 4), ==, SIGNED);
    ly_key_unref(certified);
    ly_key_unref(issued);
    ly_key_unref(key);
    ly_key_unref(ca);
    ly_agent_client_free(client);
    rig_stop(&rig);
}

/* Halves that do not belong together are not taken: a signature with them gives the key away. */
static void test_mismatch(void)
{
    Rig rig;
    rig_start(&rig, NULL);
    LyAgentClient *client = ly_agent_client_new(rig.agent, NULL);
    LyKey *key = new_key(LY_PK_ED25519, 0);
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    add_message(&out, key, "", (LyBytes){0});
    out.data[1 + 4 + 11 + 4] ^= 1;
    g_assert_cmpuint(rig_ask(&rig, client, ly_buf_bytes(&out), NULL), ==, F);
    g_assert_cmpuint(do_list(&rig, client), ==, 0);
    ly_key_unref(key);
    ly_agent_client_free(client);
    rig_stop(&rig);
}

static LyKey *security_key(const char *application, LyBuf *fields)
{
    LyKey *plain = new_key(LY_PK_ED25519, 0);
    LyReader blob = ly_reader(ly_key_blob(plain));
    ly_get_string(&blob);
    ly_buf_clear(fields);
    ly_put_cstring(fields, "sk-ssh-ed25519@openssh.com");
    ly_put_string(fields, ly_get_string(&blob));
    ly_put_cstring(fields, application);
    ly_put_u8(fields, 1);
    ly_put_cstring(fields, "handle");
    ly_put_cstring(fields, "");
    ly_key_unref(plain);
    LyReader reader = ly_reader(ly_buf_bytes(fields));
    LyKey *key = ly_key_new_private(crypto, &reader, (LyBytes){0}, NULL);
    g_assert_nonnull(key);
    return key;
}

/* Behind the certificate of an sk-ssh-ed25519 key OpenSSH sends the public key once more, and of an sk-ecdsa
 * one not. */
static void test_security_key_certificate(void)
{
    LY_AUTO(ly_buf_free) LyBuf fields = {0};
    LY_AUTO(ly_buf_free) LyBuf sent = {0};
    LY_AUTO(ly_buf_free) LyBuf written = {0};
    LyKey *key = security_key("ssh:", &fields), *ca = new_key(LY_PK_ED25519, 0);
    LyCertificateRequest request = {.kind = LY_CERTIFICATE_USER,
                                    .id = LY_BYTES("id"),
                                    .principals = LY_BYTES("me"),
                                    .valid_before = UINT64_MAX};
    LyKey *issued = ly_certificate_issue(crypto, key, &request, false, ca, (LyBytes){0}, NULL);
    LyReader rest = ly_reader(ly_buf_bytes(&fields));
    ly_get_string(&rest);
    ly_put_cstring(&sent, "sk-ssh-ed25519-cert-v01@openssh.com");
    ly_put_string(&sent, ly_key_blob(issued));
    ly_buf_add(&sent, ly_get_rest(&rest));
    LyReader reader = ly_reader(ly_buf_bytes(&sent));
    LyKey *certified = ly_key_new_private(crypto, &reader, (LyBytes){0}, NULL);
    g_assert_true(certified && ly_reader_done(&reader));
    ly_key_put_private(certified, &written);
    g_assert_cmpmem(written.data, written.len, sent.data, sent.len);
    sent.data[sent.len - 4 - 10 - 1 - 8 - 1] ^= 1; /* the second public key's last byte */
    reader = ly_reader(ly_buf_bytes(&sent));
    g_assert_null(ly_key_new_private(crypto, &reader, (LyBytes){0}, NULL));
    ly_key_unref(certified);
    ly_key_unref(issued);
    ly_key_unref(key);
    ly_key_unref(ca);
}

static void test_security_keys(void)
{
    static const char *const providers[] = {"/usr/lib/*", NULL};
    Rig rig;
    rig_start(&rig, &(LyAgentOptions){.restrict_websafe = true, .providers = providers});
    LyAgentClient *client = ly_agent_client_new(rig.agent, NULL);
    LY_AUTO(ly_buf_free) LyBuf fields = {0}, constraints = {0};
    static const struct {
        const char *provider;
        unsigned reply;
    } cases[] = {{"internal", S},
                 {"Internal", S},
                 {"/links/usr/lib/fido.so", S},
                 {"/tmp/fido.so", F},
                 {"/gone/usr/lib/x", F},
                 {"fido.so", F},
                 {"", F}};
    for (size_t i = 0; i < LY_COUNT(cases); i++) {
        LyKey *key = security_key("ssh:", &fields);
        ly_buf_clear(&constraints);
        ly_put_u8(&constraints, SSH_AGENT_CONSTRAIN_EXTENSION);
        ly_put_cstring(&constraints, "sk-provider@openssh.com");
        ly_put_cstring(&constraints, cases[i].provider);
        g_assert_cmpuint(do_add(&rig, client, key, ly_buf_bytes(&constraints)), ==, cases[i].reply);
        ly_key_unref(key);
    }
    g_assert_cmpuint(do_list(&rig, client), ==, 3);
    LyAgentIdentityInfo info;
    g_assert_true(ly_agent_get(rig.agent, 2, &info));
    g_assert_cmpstr(info.provider, ==, "/usr/lib/fido.so");
    LyKey *key = security_key("ssh:", &fields), *web = security_key("https://example.com", &fields);
    do_add(&rig, client, key, (LyBytes){0});
    do_add(&rig, client, web, (LyBytes){0});
    g_assert_cmpuint(do_sign(&rig, client, key, LY_BYTES("x"), 0), ==, F);
    g_assert_nonnull(strstr(rig.why, "does not reach"));
    g_assert_cmpuint(do_sign(&rig, client, web, LY_BYTES("x"), 0), ==, F);
    g_assert_nonnull(strstr(rig.why, "web application"));
    ly_key_unref(web);
    ly_agent_client_free(client);
    rig_stop(&rig);
    /* Whoever pulls events can reach it: it signs, and knows by what. */
    rig_start(&rig,
              &(LyAgentOptions){.restrict_websafe = true, .providers = providers, .security_keys = true});
    client = ly_agent_client_new(rig.agent, NULL);
    do_add(&rig, client, key, (LyBytes){0});
    rig.hold = true;
    g_assert_cmpuint(do_sign(&rig, client, key, LY_BYTES("x"), 0), ==, 0);
    g_assert_cmpuint(rig.types[0], ==, LY_AGENT_SIGN);
    ly_agent_answer_sign(rig.agent, rig.ids[0], LY_BYTES("signature"));
    rig_events(&rig);
    LY_AUTO(ly_buf_free) LyBuf reply = {0};
    g_assert_true(rig_receive(&rig, client, &reply));
    g_assert_cmpuint(reply.data[0], ==, SSH_AGENT_SIGN_RESPONSE);
    ly_key_unref(key);
    ly_agent_client_free(client);
    rig_stop(&rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    g_test_add_func("/agent-keys/lifetime", test_lifetime);
    g_test_add_func("/agent-keys/lock", test_lock);
    g_test_add_func("/agent-keys/limits", test_limits);
    g_test_add_func("/agent-keys/many", test_many);
    g_test_add_func("/agent-keys/certificate", test_certificate);
    g_test_add_func("/agent-keys/mismatch", test_mismatch);
    g_test_add_func("/agent-keys/security-keys", test_security_keys);
    g_test_add_func("/agent-keys/security-key-certificate", test_security_key_certificate);
    int result = g_test_run();
    ly_crypto_unref(crypto);
    return result;
}
