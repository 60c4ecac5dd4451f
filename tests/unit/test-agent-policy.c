/* lanyard-agent's rules per key (agent/policy.c) and lifetimes: what the file may say, what is an error, and
 * what the agent then does with a key. */
#include "agent-drive.h"

#include <glib/gstdio.h>
#include <stdlib.h>

#include "key/fingerprint.h"
#include "lifetime.h"
#include "policy.h"

#define ONE "[SHA256:0123456789abcdefghijklmnopqrstuvwxyz+/ABCDE]\n"
#define TWO "[SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA]\n"
#define HOUR_US ((uint64_t)3600 * 1000000)

static LyKey *open_ppk(LyBytes text, LyBytes passphrase, LyErrorCode *code)
{
    g_assert_not_reached();
}

static void test_lifetimes(void)
{
    static const struct {
        const char *text;
        uint64_t seconds; /* UINT64_MAX: none */
    } cases[] = {
        {"0", 0},
        {"90", 90},
        {"90s", 90},
        {"15m", 900},
        {"1h30m", 5400},
        {"1H30M", 5400},
        {"2d", 172800},
        {"1w", 604800},
        {"1w1d1h1m1", 694861},
        {"100000000w", UINT64_MAX},
        {"18446744073709551616", UINT64_MAX},
        {"", UINT64_MAX},
        {"h", UINT64_MAX},
        {"-1", UINT64_MAX},
        {"1 h", UINT64_MAX},
        {"1y", UINT64_MAX},
        {"1h-", UINT64_MAX},
    };
    for (size_t i = 0; i < LY_COUNT(cases); i++) {
        uint64_t lifetime_us = 7;
        g_test_message("%s", cases[i].text);
        bool good = cases[i].seconds != UINT64_MAX;
        g_assert_cmpint(lifetime_read(cases[i].text, &lifetime_us), ==, good);
        g_assert_cmpuint(lifetime_us, ==, good ? cases[i].seconds * 1000000 : 7);
    }
}

static void test_words(void)
{
    Policy policy;
    LyError error = {0};
    const char *text = "# rules\r\n"
                       "\n" ONE "confirm = true\n"
                       "\t lifetime=1h30m \r\n"
                       "programs=/usr/bin/ssh,/usr/lib/git*\n"
                       "forwarded = no\n" TWO "confirm=forwarded\n"
                       "programs=/a\n"
                       "# the last one counts\n"
                       "programs = /b";
    if (!policy_parse(ly_bytes_str(text), &policy, &error))
        g_error("%s", error.message);
    g_assert_cmpuint(policy.count, ==, 2);
    const LyAgentRule *one = &policy.rules[0], *two = &policy.rules[1];
    g_assert_cmpstr(one->fingerprint, ==, "SHA256:0123456789abcdefghijklmnopqrstuvwxyz+/ABCDE");
    g_assert_true(one->confirm && !one->confirm_forwarded && one->no_forwarded);
    g_assert_cmpuint(one->lifetime_us, ==, HOUR_US * 3 / 2);
    g_assert_cmpstr(one->programs, ==, "/usr/bin/ssh,/usr/lib/git*");
    g_assert_cmpstr(two->fingerprint, ==, "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    g_assert_true(!two->confirm && two->confirm_forwarded && !two->no_forwarded && two->lifetime_us == 0);
    g_assert_cmpstr(two->programs, ==, "/b");
    policy_clear(&policy);
    g_assert_true(policy.count == 0 && !policy.rules);

    static const struct {
        const char *word;
        bool confirm, confirm_forwarded, no_forwarded;
    } cases[] = {
        {"confirm=yes", true, false, false},       {"confirm=1", true, false, false},
        {"confirm=false", false, false, false},    {"confirm=0", false, false, false},
        {"confirm=forwarded", false, true, false}, {"forwarded=true", false, false, false},
        {"forwarded=false", false, false, true},   {"forwarded=0", false, false, true},
    };
    for (size_t i = 0; i < LY_COUNT(cases); i++) {
        LY_AUTO_FREE char *lines = ly_format(ONE "%s\n", cases[i].word);
        g_test_message("%s", cases[i].word);
        g_assert_true(policy_parse(ly_bytes_str(lines), &policy, NULL));
        g_assert_cmpint(policy.rules[0].confirm, ==, cases[i].confirm);
        g_assert_cmpint(policy.rules[0].confirm_forwarded, ==, cases[i].confirm_forwarded);
        g_assert_cmpint(policy.rules[0].no_forwarded, ==, cases[i].no_forwarded);
        policy_clear(&policy);
    }
    g_assert_true(policy_parse((LyBytes){0}, &policy, NULL));
    g_assert_cmpuint(policy.count, ==, 0);
}

static void test_errors(void)
{
    static const struct {
        const char *text;
        size_t len; /* 0: to the NUL */
        const char *line, *what;
    } cases[] = {
        {ONE "confrim=true", 0, "line 2", "\"confrim\" is not known"},
        {ONE "Confirm=true", 0, "line 2", "is not known"},
        {ONE "=true", 0, "line 2", "is not known"},
        {ONE "confirm=maybe", 0, "line 2", "true, false or forwarded"},
        {ONE "confirm=", 0, "line 2", "true, false or forwarded"},
        {ONE "confirm", 0, "line 2", "neither [SECTION] nor NAME=VALUE"},
        {ONE "\n\nforwarded=never", 0, "line 4", "true or false"},
        {ONE "forwarded=forwarded", 0, "line 2", "true or false"},
        {ONE "lifetime=0", 0, "line 2", "above 0"},
        {ONE "lifetime=soon", 0, "line 2", "above 0"},
        {ONE "lifetime=", 0, "line 2", "above 0"},
        {ONE "programs=", 0, "line 2", "a list of patterns"},
        {ONE "programs=/a\nprograms=", 0, "line 3", "a list of patterns"},
        {ONE "programs=/a\0b", sizeof ONE - 1 + 13, "line 2", "NUL"},
        {"confirm=true", 0, "line 1", "in front of the first section"},
        {"[default]", 0, "line 1", "fingerprint"},
        {"[]", 0, "line 1", "fingerprint"},
        {"[", 0, "line 1", "]"},
        {"[SHA256:AAAA", 0, "line 1", "]"},
        {"[SHA256:AAAA]", 0, "line 1", "fingerprint"},
        {"[SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA]", 0, "line 1", "fingerprint"},
        {"[SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=]", 0, "line 1", "fingerprint"},
        {"[MD5:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00]", 0, "line 1", "fingerprint"},
        {ONE TWO ONE, 0, "line 3", "twice"},
        {"\xef\xbb\xbf" ONE, 0, "line 1", "neither"},
    };
    for (size_t i = 0; i < LY_COUNT(cases); i++) {
        Policy policy;
        LyError error = {0};
        LyBytes text = cases[i].len ? ly_bytes(cases[i].text, cases[i].len) : ly_bytes_str(cases[i].text);
        g_assert_false(policy_parse(text, &policy, &error));
        g_test_message("%s", error.message);
        g_assert_true(g_str_has_prefix(error.message, cases[i].line));
        g_assert_nonnull(strstr(error.message, cases[i].what));
        g_assert_true(policy.count == 0 && !policy.rules);
    }
    /* Cut anywhere, a file is right or an error, and never another rule than the one that stood there. */
    static const char whole[] = ONE "programs=/usr/bin/ssh\n" TWO "lifetime=8h\n";
    for (size_t len = 0; len < sizeof whole; len++) {
        Policy policy;
        LY_AUTO_FREE uint8_t *copy = ly_alloc(len + 1);
        memcpy(copy, whole, len);
        if (policy_parse(ly_bytes(copy, len), &policy, NULL)) {
            g_assert_cmpuint(policy.count, <=, 2);
            policy_clear(&policy);
        }
    }
}

static void test_limit(void)
{
    Policy policy;
    LyError error = {0};
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    for (unsigned i = 0; i < 4096; i++)
        ly_buf_add_format(&text, "[SHA256:%043u]\nconfirm=true\n", i);
    g_assert_true(policy_parse(ly_buf_bytes(&text), &policy, NULL));
    g_assert_cmpuint(policy.count, ==, 4096);
    policy_clear(&policy);
    ly_buf_add_str(&text, TWO);
    g_assert_false(policy_parse(ly_buf_bytes(&text), &policy, &error));
    g_assert_nonnull(strstr(error.message, "more than 4096"));
}

static void test_file(void)
{
    LY_AUTO(ly_buf_free) LyBuf big = {0};
    g_autofree char *dir = g_dir_make_tmp("lanyard-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "agent.ini", NULL);
    g_autofree char *lanyard = g_build_filename(dir, "lanyard/agent.ini", NULL);
    Policy policy;
    LyError error = {0};
    g_assert_true(policy_read(path, true, &policy, &error));
    g_assert_cmpuint(policy.count, ==, 0);
    g_assert_false(policy_read(path, false, &policy, &error));
    g_assert_true(g_str_has_prefix(error.message, path));
    g_assert_false(policy_read(dir, true, &policy, &error));
    g_assert_true(g_file_set_contents(path, ONE "confirm=true\n", -1, NULL));
    g_assert_true(policy_read(path, true, &policy, &error));
    g_assert_cmpuint(policy.count, ==, 1);
    policy_clear(&policy);
    g_assert_true(g_file_set_contents(path, ONE "confrim=true\n", -1, NULL));
    g_assert_false(policy_read(path, true, &policy, &error));
    g_assert_true(g_str_has_prefix(error.message, path) && strstr(error.message, "line 2"));
    for (size_t i = 0; i < ((size_t)1 << 20) / 2 + 1; i++)
        ly_buf_add_str(&big, "#\n");
    g_assert_true(g_file_set_contents(path, (const char *)big.data, (gssize)big.len, NULL));
    g_assert_false(policy_read(path, true, &policy, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_LIMIT);
    g_remove(path);
    g_rmdir(dir);

    g_setenv("XDG_CONFIG_HOME", dir, true);
    LY_AUTO_FREE char *found = policy_default_path();
    g_assert_cmpstr(found, ==, lanyard);
    g_setenv("XDG_CONFIG_HOME", "relative", true);
    g_setenv("HOME", "/home/someone", true);
    LY_AUTO_FREE char *home = policy_default_path();
    g_assert_cmpstr(home, ==, "/home/someone/.config/lanyard/agent.ini");
}

/* ---- what the agent does with them ---- */

typedef struct Case {
    const char *word, *program;
    bool claimed, forwarded;
    unsigned reply, questions;
} Case;

static void check_case(const Case *test, LyKey *key, LyKey *host)
{
    Rig rig;
    Policy policy;
    char fingerprint[100];
    rig_start(&rig, NULL);
    ly_key_fingerprint(crypto, ly_key_blob(key), LY_SHA256, fingerprint);
    LY_AUTO_FREE char *text = ly_format("[%s]\n%s\n", fingerprint, test->word);
    g_assert_true(policy_parse(ly_bytes_str(text), &policy, NULL));
    ly_agent_set_rules(rig.agent, policy.rules, policy.count);
    policy_clear(&policy); /* they are copied */
    LyAgentPeer peer = {.transport = "unix", .pid = 7, .program = test->program, .claimed = test->claimed};
    LyAgentClient *client = ly_agent_client_new(rig.agent, &peer);
    if (test->forwarded) {
        LY_AUTO(ly_buf_free) LyBuf bind = {0}, signature = {0};
        g_assert_true(ly_key_sign(host, (LyBytes){0}, LY_BYTES("session"), &signature, NULL));
        ly_put_u8(&bind, SSH_AGENTC_EXTENSION);
        ly_put_cstring(&bind, "session-bind@openssh.com");
        ly_put_string(&bind, ly_key_blob(host));
        ly_put_cstring(&bind, "session");
        ly_put_string(&bind, ly_buf_bytes(&signature));
        ly_put_u8(&bind, 1);
        g_assert_cmpuint(rig_ask(&rig, client, ly_buf_bytes(&bind), NULL), ==, SSH_AGENT_SUCCESS);
    }
    g_test_message("%s, %s%s%s", test->word, test->program ? test->program : "unknown program",
                   test->claimed ? ", claimed" : "", test->forwarded ? ", forwarded" : "");
    g_assert_cmpuint(do_add(&rig, client, key, (LyBytes){0}), ==, SSH_AGENT_SUCCESS);
    g_assert_cmpuint(do_sign(&rig, client, key, LY_BYTES("data"), 0), ==, test->reply);
    g_assert_cmpuint(rig.counts[LY_AGENT_CONFIRM], ==, test->questions);
    g_assert_cmpuint(rig.counts[LY_AGENT_REFUSED], ==, test->reply == SSH_AGENT_FAILURE);
    ly_agent_client_free(client);
    rig_stop(&rig);
}

static void test_applied(void)
{
    enum { F = SSH_AGENT_FAILURE, SIGNED = SSH_AGENT_SIGN_RESPONSE };
    static const Case cases[] = {
        {"confirm=true", "/usr/bin/ssh", false, false, SIGNED, 1},
        {"confirm=forwarded", "/usr/bin/ssh", false, false, SIGNED, 0},
        {"confirm=forwarded", "/usr/bin/ssh", false, true, SIGNED, 1},
        {"forwarded=false", "/usr/bin/ssh", false, false, SIGNED, 0},
        {"forwarded=false", "/usr/bin/ssh", false, true, F, 0},
        {"forwarded=true", "/usr/bin/ssh", false, true, SIGNED, 0},
        {"programs=/usr/bin/ssh", "/usr/bin/ssh", false, false, SIGNED, 0},
        {"programs=/usr/bin/ssh", "/usr/bin/ssh < zsh", false, false, SIGNED, 0},
        {"programs=/usr/bin/ssh", "/usr/bin/sshd", false, false, F, 0},
        {"programs=/usr/bin/ssh", "/tmp/evil < /usr/bin/ssh", false, false, F, 0},
        {"programs=/usr/bin/ssh", "/usr/bin/ssh", true, false, F, 0},
        {"programs=/usr/bin/ssh", NULL, false, false, F, 0},
        {"programs=/usr/bin/*,!/usr/bin/git", "/usr/bin/git", false, false, F, 0},
        {"programs=/usr/bin/*,!/usr/bin/git", "/usr/bin/ssh", false, false, SIGNED, 0},
    };
    LyKey *key = new_key(LY_PK_ED25519, 0), *host = new_key(LY_PK_ED25519, 0);
    for (size_t i = 0; i < LY_COUNT(cases); i++)
        check_case(&cases[i], key, host);
    ly_key_unref(key);
    ly_key_unref(host);
}

static void test_lifetime_applied(void)
{
    Rig rig;
    Policy policy;
    char fingerprint[100];
    LyKey *key = new_key(LY_PK_ED25519, 0);
    rig_start(&rig, NULL);
    LyAgentClient *client = ly_agent_client_new(rig.agent, NULL);
    ly_key_fingerprint(crypto, ly_key_blob(key), LY_SHA256, fingerprint);
    LY_AUTO_FREE char *text = ly_format("[%s]\nlifetime=1h\n", fingerprint);
    g_assert_true(policy_parse(ly_bytes_str(text), &policy, NULL));
    ly_agent_set_rules(rig.agent, policy.rules, policy.count);
    policy_clear(&policy);
    /* At most an hour: a shorter lifetime stays, a longer one is cut. */
    static const struct {
        LyBytes constraints;
        uint64_t lifetime_us;
    } cases[] = {{{0}, HOUR_US},
                 {{(const uint8_t *)"\x01\0\0\0\x0a", 5}, 10 * 1000000},
                 {{(const uint8_t *)"\x01\xff\xff\xff\xff", 5}, HOUR_US}};
    for (size_t i = 0; i < LY_COUNT(cases); i++) {
        g_assert_cmpuint(do_add(&rig, client, key, cases[i].constraints), ==, SSH_AGENT_SUCCESS);
        g_assert_cmpuint(ly_agent_deadline(rig.agent), ==, cases[i].lifetime_us);
    }
    ly_agent_tick(rig.agent, HOUR_US);
    g_assert_cmpuint(do_list(&rig, client), ==, 0);
    ly_agent_client_free(client);
    rig_stop(&rig);
    ly_key_unref(key);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    g_test_add_func("/agent-policy/lifetimes", test_lifetimes);
    g_test_add_func("/agent-policy/words", test_words);
    g_test_add_func("/agent-policy/errors", test_errors);
    g_test_add_func("/agent-policy/limit", test_limit);
    g_test_add_func("/agent-policy/file", test_file);
    g_test_add_func("/agent-policy/applied", test_applied);
    g_test_add_func("/agent-policy/lifetime-applied", test_lifetime_applied);
    int result = g_test_run();
    ly_crypto_unref(crypto);
    return result;
}
