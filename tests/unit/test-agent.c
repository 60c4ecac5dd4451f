/* core/agent: the agent's replies to requests of every kind, whole, in pieces, cut short and damaged. */
#include "agent-drive.h"

static LyKey *open_ppk(LyBytes text, LyBytes passphrase, LyErrorCode *code)
{
    g_assert_not_reached();
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
    } types[] = {{LY_PK_ED25519, 0}, {LY_PK_ECDSA, 256}, {LY_PK_ECDSA, 384}, {LY_PK_ECDSA, 521}, {LY_PK_RSA, 1024},
                 {LY_PK_ED448, 0}};
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
    g_assert_true(ly_bytes_is(info.comment, "a comment") && !info.confirm && !info.encrypted && info.uses == 2);
    g_assert_cmpuint(rig_ask(&rig, client, LY_BYTES("\x13"), NULL), ==, S);
    g_assert_cmpuint(do_list(&rig, client), ==, 0);
    for (size_t i = 0; i < LY_COUNT(types); i++)
        ly_key_unref(keys[i]);
    ly_agent_client_free(client);
    rig_stop(&rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    g_test_add_func("/agent/basics", test_basics);
    int result = g_test_run();
    ly_crypto_unref(crypto);
    return result;
}
