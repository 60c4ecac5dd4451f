/* core/agent: what it asks (confirmation, passphrases, signatures, modules), and that replies keep their
 * order whoever answers when. */
#include "agent-drive.h"

#include "key/issue.h"
#include "key/read.h"
#include "key/write.h"

#define F SSH_AGENT_FAILURE
#define S SSH_AGENT_SUCCESS
#define SIGNED SSH_AGENT_SIGN_RESPONSE
#define LISTED SSH_AGENT_IDENTITIES_ANSWER
#define PUTTY "@putty.projects.tartarus.org"

static LyKey *open_ppk(LyBytes text, LyBytes passphrase, LyErrorCode *code)
{
    LyError error = {0};
    LyKeyReadOptions options = {.have_passphrase = true, .passphrase = passphrase};
    LyKey *key = ly_key_read(crypto, text, &options, &error);
    *code = error.code;
    return key;
}

typedef struct Setup {
    Rig rig;
    LyAgentClient *client, *other;
    LyKey *key;
    LyBuf out, reply;
} Setup;

static void start(Setup *setup, const LyAgentOptions *options)
{
    memset(setup, 0, sizeof *setup);
    rig_start(&setup->rig, options);
    setup->client = ly_agent_client_new(setup->rig.agent, NULL);
    setup->other =
        ly_agent_client_new(setup->rig.agent, &(LyAgentPeer){.program = "/usr/bin/git < zsh", .pid = 77});
    setup->key = new_key(LY_PK_ED25519, 0);
}

static void stop(Setup *setup)
{
    ly_agent_client_free(setup->client);
    ly_agent_client_free(setup->other);
    rig_stop(&setup->rig);
    ly_key_unref(setup->key);
    ly_buf_free(&setup->out);
    ly_buf_free(&setup->reply);
}

static void send_sign(Setup *setup, LyAgentClient *client, const char *data)
{
    rig_send(&setup->rig, client, sign_message(&setup->out, setup->key, ly_bytes_str(data), 0), 0);
}

static unsigned receive(Setup *setup, LyAgentClient *client)
{
    return rig_receive(&setup->rig, client, &setup->reply) ? setup->reply.data[0] : 0;
}

static void answer_sign(Setup *setup, uint64_t id, const char *data)
{
    LY_AUTO(ly_buf_free) LyBuf signature = {0};
    g_assert_true(ly_key_sign(setup->key, (LyBytes){0}, ly_bytes_str(data), &signature, NULL));
    ly_agent_answer_sign(setup->rig.agent, id, ly_buf_bytes(&signature));
    rig_events(&setup->rig);
}

static bool reply_signs(Setup *setup, const char *data)
{
    LyBytes signature;
    return ly_get_agent_signature(ly_buf_bytes(&setup->reply), &signature, NULL) &&
           ly_key_verify(setup->key, (LyBytes){0}, ly_bytes_str(data), signature, NULL, NULL);
}

static void test_order(void)
{
    Setup setup;
    start(&setup, NULL);
    Rig *rig = &setup.rig;
    do_add(rig, setup.client, setup.key, (LyBytes){0});
    rig->hold = true;
    send_sign(&setup, setup.client, "one");
    rig_send(rig, setup.client, LIST_MESSAGE, 0);
    send_sign(&setup, setup.client, "two");
    send_sign(&setup, setup.client, "three");
    /* A removal waits for what was asked for before it, and what follows waits for the removal. */
    rig_send(rig, setup.client, key_message(&setup.out, SSH_AGENTC_REMOVE_IDENTITY, setup.key), 0);
    size_t room;
    ly_agent_client_input(setup.client, &room);
    g_assert_cmpuint(room, ==, 0);
    g_assert_cmpuint(rig->held, ==, 3);
    g_assert_cmpuint(ly_agent_client_pending(setup.client), ==, 4);
    g_assert_cmpuint(do_list(rig, setup.other), ==, 1);

    answer_sign(&setup, rig->ids[2], "three");
    g_assert_cmpuint(receive(&setup, setup.client), ==, 0);
    answer_sign(&setup, rig->ids[0], "one");
    g_assert_cmpuint(receive(&setup, setup.client), ==, SIGNED);
    g_assert_true(reply_signs(&setup, "one"));
    g_assert_cmpuint(receive(&setup, setup.client), ==, LISTED);
    g_assert_cmpuint(receive(&setup, setup.client), ==, 0);
    answer_sign(&setup, rig->ids[0], "one"); /* again: ignored */
    answer_sign(&setup, 0, "one");
    answer_sign(&setup, UINT64_MAX, "one");
    ly_agent_answer_confirm(rig->agent, rig->ids[1], true); /* another kind of answer */
    g_assert_cmpuint(receive(&setup, setup.client), ==, 0);
    while (ly_agent_next_ready(rig->agent))
        ;
    ly_agent_answer_sign(rig->agent, rig->ids[1], (LyBytes){0}); /* it could not be made */
    rig_events(rig);
    g_assert_true(ly_agent_next_ready(rig->agent) == setup.client);
    g_assert_cmpuint(receive(&setup, setup.client), ==, F);
    g_assert_cmpuint(receive(&setup, setup.client), ==, SIGNED);
    g_assert_true(reply_signs(&setup, "three"));
    g_assert_cmpuint(receive(&setup, setup.client), ==, S);
    g_assert_cmpuint(do_list(rig, setup.other), ==, 0);
    ly_agent_client_input(setup.client, &room);
    g_assert_cmpuint(room, >, 0);
    stop(&setup);
}

static void test_many(void)
{
    Setup setup;
    start(&setup, &(LyAgentOptions){.max_queued = 5});
    Rig *rig = &setup.rig;
    do_add(rig, setup.client, setup.key, (LyBytes){0});
    rig->hold = true;
    LY_AUTO(ly_buf_free) LyBuf all = {0};
    for (int i = 0; i < 40; i++)
        ly_put_string(&all, sign_message(&setup.out, setup.key, LY_BYTES("x"), 0));
    LyBytes rest = ly_buf_bytes(&all);
    unsigned received = 0;
    for (size_t answered = 0; answered < 40; answered++) {
        size_t done = rig_feed(rig, setup.client, rest, 0);
        rest = ly_bytes_slice(rest, done, rest.len);
        g_assert_cmpuint(rig->held - answered, ==, MIN(5, 40 - answered));
        answer_sign(&setup, rig->ids[answered], "x");
        while (receive(&setup, setup.client) == SIGNED)
            received++;
    }
    g_assert_cmpuint(received, ==, 40);
    stop(&setup);
}

static void test_confirm(void)
{
    Setup setup;
    start(&setup, NULL);
    Rig *rig = &setup.rig;
    do_add(rig, setup.client, setup.key, LY_BYTES("\x02"));
    g_assert_cmpuint(do_sign(rig, setup.client, setup.key, LY_BYTES("x"), 0), ==, SIGNED);
    rig->refuse = true;
    g_assert_cmpuint(do_sign(rig, setup.client, setup.key, LY_BYTES("x"), 0), ==, F);
    g_assert_cmpuint(rig->counts[LY_AGENT_CONFIRM], ==, 2);
    g_assert_cmpuint(rig->counts[LY_AGENT_REFUSED], ==, 1);
    g_assert_cmpstr(rig->why, ==, "it was not confirmed");

    /* Others are served meanwhile; the key's removal answers the question. */
    rig->hold = true;
    send_sign(&setup, setup.client, "x");
    g_assert_cmpuint(do_list(rig, setup.other), ==, 1);
    g_assert_cmpuint(rig_ask(rig, setup.other, key_message(&setup.out, 18, setup.key), NULL), ==, S);
    g_assert_cmpuint(rig->counts[LY_AGENT_WITHDRAWN], ==, 1);
    g_assert_cmpuint(receive(&setup, setup.client), ==, F);
    ly_agent_answer_confirm(rig->agent, rig->ids[0], true);
    rig_events(rig);
    g_assert_cmpuint(receive(&setup, setup.client), ==, 0);

    /* A key that is added again without the constraint was still asked for under it. */
    do_add(rig, setup.other, setup.key, LY_BYTES("\x02"));
    send_sign(&setup, setup.client, "x");
    g_assert_cmpuint(do_add(rig, setup.other, setup.key, (LyBytes){0}), ==, S);
    rig->hold = false;
    ly_agent_answer_confirm(rig->agent, rig->ids[1], true);
    rig_events(rig);
    g_assert_cmpuint(receive(&setup, setup.client), ==, SIGNED);

    /* Locked meanwhile; the client gone; the time over. */
    rig->hold = true;
    do_add(rig, setup.other, setup.key, LY_BYTES("\x02\x01\0\0\0\x0a"));
    send_sign(&setup, setup.client, "x");
    do_text(rig, setup.other, SSH_AGENTC_LOCK, "p");
    g_assert_cmpuint(receive(&setup, setup.client), ==, F);
    do_text(rig, setup.other, SSH_AGENTC_UNLOCK, "p");
    send_sign(&setup, setup.client, "x");
    ly_agent_client_free(setup.client);
    rig_events(rig);
    g_assert_cmpuint(rig->counts[LY_AGENT_WITHDRAWN], ==, 3);
    setup.client = ly_agent_client_new(rig->agent, NULL);
    send_sign(&setup, setup.client, "x");
    ly_agent_tick(rig->agent, 10 * 1000 * 1000);
    rig_events(rig);
    g_assert_cmpuint(receive(&setup, setup.client), ==, F);
    g_assert_cmpuint(rig->counts[LY_AGENT_WITHDRAWN], ==, 4);
    stop(&setup);
}

static void test_rules(void)
{
    Setup setup;
    start(&setup, NULL);
    Rig *rig = &setup.rig;
    LyAgentRule rule = {.lifetime_us = 5000000, .programs = "/usr/bin/git,/opt/*"};
    ly_key_fingerprint(crypto, ly_key_plain_blob(setup.key), LY_SHA256, rule.fingerprint);
    ly_agent_set_rules(rig->agent, &rule, 1);
    do_add(rig, setup.client, setup.key, (LyBytes){0});
    g_assert_cmpuint(ly_agent_deadline(rig->agent), ==, 5000000);
    g_assert_cmpuint(do_sign(rig, setup.client, setup.key, LY_BYTES("x"), 0), ==, F);
    g_assert_cmpuint(do_sign(rig, setup.other, setup.key, LY_BYTES("x"), 0), ==, SIGNED);
    rule.programs = "/usr/bin/ssh,!/usr/bin/git,/usr/bin/*";
    ly_agent_set_rules(rig->agent, &rule, 1);
    g_assert_cmpuint(do_sign(rig, setup.other, setup.key, LY_BYTES("x"), 0), ==, F);
    rule.programs = NULL;
    rule.confirm = true;
    ly_agent_set_rules(rig->agent, &rule, 1);
    g_assert_cmpuint(do_sign(rig, setup.other, setup.key, LY_BYTES("x"), 0), ==, SIGNED);
    g_assert_cmpuint(rig->counts[LY_AGENT_CONFIRM], ==, 1);

    /* Through forwarding. */
    LY_AUTO(ly_buf_free) LyBuf signature = {0};
    LyKey *host = new_key(LY_PK_ED25519, 0);
    ly_key_sign(host, (LyBytes){0}, LY_BYTES("session"), &signature, NULL);
    ly_buf_clear(&setup.out);
    ly_put_agent_session_bind(&setup.out, ly_key_blob(host), LY_BYTES("session"), ly_buf_bytes(&signature),
                              true);
    g_assert_cmpuint(rig_ask(rig, setup.other, ly_buf_bytes(&setup.out), NULL), ==, S);
    g_assert_true(ly_agent_client_is_forwarded(setup.other));
    rule.confirm = false;
    rule.confirm_forwarded = true;
    ly_agent_set_rules(rig->agent, &rule, 1);
    g_assert_cmpuint(do_sign(rig, setup.client, setup.key, LY_BYTES("x"), 0), ==, SIGNED);
    g_assert_cmpuint(rig->counts[LY_AGENT_CONFIRM], ==, 1);
    g_assert_false(rig->forwarded);
    g_assert_cmpuint(do_sign(rig, setup.other, setup.key, LY_BYTES("x"), 0), ==, SIGNED);
    g_assert_cmpuint(rig->counts[LY_AGENT_CONFIRM], ==, 2);
    rule.no_forwarded = true;
    ly_agent_set_rules(rig->agent, &rule, 1);
    g_assert_cmpuint(do_sign(rig, setup.client, setup.key, LY_BYTES("x"), 0), ==, SIGNED);
    g_assert_cmpuint(do_sign(rig, setup.other, setup.key, LY_BYTES("x"), 0), ==, F);
    ly_agent_set_rules(rig->agent, NULL, 0);
    g_assert_cmpuint(do_sign(rig, setup.other, setup.key, LY_BYTES("x"), 0), ==, SIGNED);
    ly_key_unref(host);
    stop(&setup);
}

/* ---- PPK ---- */

static LyBytes put_ppk(LyBuf *out, LyKey *key, const char *passphrase)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    LyKeyWriteOptions options = {
        .passphrase = ly_bytes_str(passphrase),
        .kdf = {passphrase ? "argon2id" : NULL, .memory_kib = 8, .passes = 1, .lanes = 1}};
    LyError error = {0};
    if (!ly_key_write_private(crypto, key, LY_KEY_PPK3, &options, &text, &error))
        g_error("%s", error.message);
    text_message(out, SSH_AGENTC_EXTENSION, "add-ppk" PUTTY);
    ly_put_string(out, ly_buf_bytes(&text));
    return ly_buf_bytes(out);
}

static uint32_t extended_flags(Setup *setup)
{
    rig_ask(&setup->rig, setup->other, text_message(&setup->out, SSH_AGENTC_EXTENSION, "list-extended" PUTTY),
            &setup->reply);
    LyReader reader = ly_reader(ly_buf_bytes(&setup->reply));
    g_assert_cmpuint(ly_get_u8(&reader), ==, S);
    g_assert_cmpuint(ly_get_u32(&reader), ==, 1);
    g_assert_true(ly_bytes_equal(ly_get_string(&reader), ly_key_blob(setup->key)));
    g_assert_true(ly_bytes_is(ly_get_string(&reader), "a key"));
    LyReader more = ly_reader(ly_get_string(&reader));
    uint32_t flags = ly_get_u32(&more);
    g_assert_true(ly_reader_done(&more) && ly_reader_done(&reader));
    return flags;
}

static unsigned reencrypt(Setup *setup)
{
    text_message(&setup->out, SSH_AGENTC_EXTENSION, "reencrypt" PUTTY);
    ly_put_string(&setup->out, ly_key_blob(setup->key));
    return rig_ask(&setup->rig, setup->other, ly_buf_bytes(&setup->out), NULL);
}

static uint32_t reencrypt_all(Setup *setup)
{
    unsigned type =
        rig_ask(&setup->rig, setup->other,
                text_message(&setup->out, SSH_AGENTC_EXTENSION, "reencrypt-all" PUTTY), &setup->reply);
    return type == S ? ly_load_u32(setup->reply.data + 1) : UINT32_MAX;
}

static void test_ppk(void)
{
    Setup setup;
    start(&setup, NULL);
    Rig *rig = &setup.rig;
    LyAgentIdentityInfo info;
    g_assert_cmpuint(reencrypt_all(&setup), ==, 0); /* nothing there, nothing clear */
    g_assert_cmpuint(rig_ask(rig, setup.client, put_ppk(&setup.out, setup.key, "secret"), NULL), ==, S);
    g_assert_cmpuint(do_list(rig, setup.client), ==, 1);
    g_assert_cmpuint(extended_flags(&setup), ==, 3);
    g_assert_true(ly_agent_get(rig->agent, 0, &info) && info.encrypted);

    /* Wrong three times; given up; right. */
    rig->passphrase = "wrong";
    g_assert_cmpuint(do_sign(rig, setup.client, setup.key, LY_BYTES("x"), 0), ==, F);
    g_assert_cmpuint(rig->counts[LY_AGENT_PASSPHRASE], ==, 3);
    g_assert_cmpstr(rig->why, ==, "the passphrase is wrong");
    rig->passphrase = NULL;
    g_assert_cmpuint(do_sign(rig, setup.client, setup.key, LY_BYTES("x"), 0), ==, F);
    g_assert_cmpuint(rig->counts[LY_AGENT_PASSPHRASE], ==, 4);
    rig->passphrase = "secret";
    g_assert_cmpuint(do_sign(rig, setup.client, setup.key, LY_BYTES("x"), 0), ==, SIGNED);
    g_assert_cmpuint(do_sign(rig, setup.client, setup.key, LY_BYTES("x"), 0), ==, SIGNED);
    g_assert_cmpuint(rig->counts[LY_AGENT_PASSPHRASE], ==, 5);
    g_assert_cmpuint(extended_flags(&setup), ==, 1);

    g_assert_cmpuint(reencrypt(&setup), ==, S);
    g_assert_cmpuint(reencrypt(&setup), ==, S);
    g_assert_cmpuint(extended_flags(&setup), ==, 3);
    g_assert_cmpuint(do_sign(rig, setup.client, setup.key, LY_BYTES("x"), 0), ==, SIGNED);
    g_assert_cmpuint(rig->counts[LY_AGENT_PASSPHRASE], ==, 6);
    LyKey *clear = new_key(LY_PK_ED25519, 0);
    do_add(rig, setup.client, clear, (LyBytes){0});
    g_assert_cmpuint(reencrypt_all(&setup), ==, 1);
    g_assert_cmpuint(rig_ask(rig, setup.client, key_message(&setup.out, 18, setup.key), NULL), ==, S);
    g_assert_cmpuint(reencrypt_all(&setup), ==, UINT32_MAX); /* none could be */
    g_assert_cmpuint(reencrypt(&setup), ==, 28);
    ly_key_unref(clear);
    rig_ask(rig, setup.client, LY_BYTES("\x13"), NULL);

    /* The file beside a key that is open; a file that is not encrypted; what is no PPK. */
    do_add(rig, setup.client, setup.key, (LyBytes){0});
    g_assert_cmpuint(rig_ask(rig, setup.client, put_ppk(&setup.out, setup.key, "secret"), NULL), ==, S);
    g_assert_cmpuint(do_list(rig, setup.client), ==, 1);
    g_assert_cmpuint(do_sign(rig, setup.client, setup.key, LY_BYTES("x"), 0), ==, SIGNED);
    g_assert_cmpuint(rig->counts[LY_AGENT_PASSPHRASE], ==, 6);
    g_assert_cmpuint(reencrypt(&setup), ==, S);
    g_assert_true(ly_agent_get(rig->agent, 0, &info) && info.encrypted);
    rig_ask(rig, setup.client, LY_BYTES("\x13"), NULL);
    g_assert_cmpuint(rig_ask(rig, setup.client, put_ppk(&setup.out, setup.key, NULL), NULL), ==, S);
    g_assert_cmpuint(extended_flags(&setup), ==, 0);
    g_assert_cmpuint(do_sign(rig, setup.client, setup.key, LY_BYTES("x"), 0), ==, SIGNED);
    text_message(&setup.out, SSH_AGENTC_EXTENSION, "add-ppk" PUTTY);
    ly_put_cstring(&setup.out, "PuTTY-User-Key-File-3: ssh-ed25519\n");
    g_assert_cmpuint(rig_ask(rig, setup.client, ly_buf_bytes(&setup.out), NULL), ==, 28);
    stop(&setup);
}

/* Several wait for one passphrase: it is asked for once; when who asked goes away, another asks. */
static void test_ppk_shared(void)
{
    Setup setup;
    start(&setup, NULL);
    Rig *rig = &setup.rig;
    rig_ask(rig, setup.client, put_ppk(&setup.out, setup.key, "secret"), NULL);
    rig->hold = true;
    send_sign(&setup, setup.client, "one");
    send_sign(&setup, setup.client, "two");
    send_sign(&setup, setup.other, "three");
    g_assert_cmpuint(rig->held, ==, 1);
    ly_agent_client_free(setup.client);
    rig_events(rig);
    g_assert_cmpuint(rig->counts[LY_AGENT_WITHDRAWN], ==, 1);
    g_assert_cmpuint(rig->held, ==, 2);
    g_assert_cmpuint(rig->types[1], ==, LY_AGENT_PASSPHRASE);
    setup.client = ly_agent_client_new(rig->agent, NULL);
    send_sign(&setup, setup.client, "four");
    g_assert_cmpuint(rig->held, ==, 2);
    rig->hold = false;
    ly_agent_answer_passphrase(rig->agent, rig->ids[1], LY_BYTES("secret"));
    rig_events(rig);
    g_assert_cmpuint(receive(&setup, setup.other), ==, SIGNED);
    g_assert_true(reply_signs(&setup, "three"));
    g_assert_cmpuint(receive(&setup, setup.client), ==, SIGNED);
    g_assert_true(reply_signs(&setup, "four"));

    /* Given up: all are refused. */
    reencrypt(&setup);
    rig->hold = true;
    send_sign(&setup, setup.client, "one");
    send_sign(&setup, setup.other, "two");
    ly_agent_answer_passphrase(rig->agent, rig->ids[2], (LyBytes){0});
    rig_events(rig);
    g_assert_cmpuint(receive(&setup, setup.client), ==, F);
    g_assert_cmpuint(receive(&setup, setup.other), ==, F);
    /* Removed while it is asked for. */
    send_sign(&setup, setup.client, "one");
    send_sign(&setup, setup.client, "two");
    rig_ask(rig, setup.other, LY_BYTES("\x13"), NULL);
    g_assert_cmpuint(receive(&setup, setup.client), ==, F);
    g_assert_cmpuint(receive(&setup, setup.client), ==, F);
    stop(&setup);
}

/* ---- PKCS#11 ---- */

static LyBytes provider_message(LyBuf *out, uint8_t type, const char *path, LyBytes constraints)
{
    text_message(out, type, path);
    ly_put_cstring(out, "1234");
    ly_buf_add(out, constraints);
    return ly_buf_bytes(out);
}

static void test_provider(void)
{
    static const char *const patterns[] = {"/usr/lib/*", "/opt/p11/*,!/opt/p11/bad*", NULL};
    static const struct {
        const char *path;
        bool allowed;
    } paths[] = {{"/usr/lib/a.so", true},         {"/opt/p11/a.so", true},        {"/opt/p11/bad.so", false},
                 {"/links/opt/p11/a.so", true},   {"/links/tmp/a.so", false},     {"/gone/usr/lib/a.so", false},
                 {"/links/opt/p11/bad.so", false}, {"a.so", false},               {"", false},
                 {"/tmp/a.so", false}};
    Setup setup;
    start(&setup, &(LyAgentOptions){.providers = patterns});
    Rig *rig = &setup.rig;
    for (size_t i = 0; i < LY_COUNT(paths); i++) {
        rig->held = 0;
        unsigned type =
            rig_ask(rig, setup.client, provider_message(&setup.out, 20, paths[i].path, (LyBytes){0}), NULL);
        g_assert_cmpuint(type, ==, paths[i].allowed ? 0 : F);
        g_assert_cmpuint(rig->held, ==, paths[i].allowed);
        if (paths[i].allowed) {
            ly_agent_answer_provider(rig->agent, rig->ids[0], false, NULL, 0);
            rig_events(rig);
            g_assert_cmpuint(receive(&setup, setup.client), ==, F);
        }
    }
    /* The constraints are those of all keys. */
    LyKey *keys[2] = {ly_key_new_public(crypto, ly_key_blob(setup.key), NULL), new_key(LY_PK_ECDSA, 256)};
    rig->held = 0;
    rig_ask(rig, setup.client,
            provider_message(&setup.out, 26, "/usr/lib/a.so", LY_BYTES("\x02\x01\0\0\0\x0a")), NULL);
    ly_agent_answer_provider(rig->agent, rig->ids[0], true, keys, 2);
    rig_events(rig);
    g_assert_cmpuint(receive(&setup, setup.client), ==, S);
    LyAgentIdentityInfo info;
    for (size_t i = 0; i < 2; i++) {
        g_assert_true(ly_agent_get(rig->agent, i, &info));
        g_assert_true(info.confirm && info.expires_us == 10000000);
        g_assert_cmpstr(info.provider, ==, "/usr/lib/a.so");
    }
    /* What is there stays as it is: nothing new is a failure. */
    rig->held = 0;
    rig_ask(rig, setup.client, provider_message(&setup.out, 20, "/links/usr/lib/a.so", (LyBytes){0}), NULL);
    ly_agent_answer_provider(rig->agent, rig->ids[0], true, keys, 2);
    rig_events(rig);
    g_assert_cmpuint(receive(&setup, setup.client), ==, F);
    g_assert_true(ly_agent_get(rig->agent, 0, &info) && info.confirm);
    g_assert_cmpuint(ly_agent_count_provider(rig->agent, "/usr/lib/a.so"), ==, 2);
    g_assert_cmpuint(ly_agent_count_provider(rig->agent, "/usr/lib/b.so"), ==, 0);
    /* A lock takes the question back, whichever it is. */
    rig->hold = true;
    for (int step = 0; step < 2; step++) {
        rig->held = 0;
        rig_ask(rig, setup.client, provider_message(&setup.out, 20, "/usr/lib/b.so", (LyBytes){0}), NULL);
        g_assert_cmpuint(rig->types[0], ==, LY_AGENT_RESOLVE);
        if (step == 1) {
            ly_agent_answer_resolve(rig->agent, rig->ids[0], "/usr/lib/b.so");
            rig_events(rig);
            g_assert_cmpuint(rig->types[1], ==, LY_AGENT_PROVIDER);
        }
        unsigned withdrawn = rig->counts[LY_AGENT_WITHDRAWN];
        ly_agent_suspend(rig->agent, true);
        rig_events(rig);
        g_assert_cmpuint(receive(&setup, setup.client), ==, F);
        g_assert_cmpuint(rig->counts[LY_AGENT_WITHDRAWN], ==, withdrawn + 1);
        ly_agent_suspend(rig->agent, false);
        rig_events(rig);
    }
    rig->hold = false;
    /* Removing goes by the path as it is resolved; one that is gone keeps its name. */
    rig->held = 0;
    rig_ask(rig, setup.client, provider_message(&setup.out, 21, "/links/usr/lib/a.so", (LyBytes){0}), NULL);
    ly_agent_answer_provider(rig->agent, rig->ids[0], true, NULL, 0);
    rig_events(rig);
    g_assert_cmpuint(receive(&setup, setup.client), ==, S);
    g_assert_cmpuint(ly_agent_count(rig->agent), ==, 0);
    rig->held = 0;
    rig_ask(rig, setup.client, provider_message(&setup.out, 20, "/usr/lib/a.so", (LyBytes){0}), NULL);
    ly_agent_answer_provider(rig->agent, rig->ids[0], true, keys, 2);
    rig_events(rig);
    g_assert_cmpuint(receive(&setup, setup.client), ==, S);
    g_assert_cmpuint(ly_agent_remove_provider(rig->agent, "/usr/lib/a.so"), ==, 2);
    rig_events(rig);
    /* Not through a session, not even one that could not be bound. */
    g_assert_cmpuint(do_text(rig, setup.client, SSH_AGENTC_EXTENSION, "session-bind@openssh.com"), ==, 28);
    g_assert_cmpuint(
        rig_ask(rig, setup.client, provider_message(&setup.out, 20, "/usr/lib/a.so", (LyBytes){0}), NULL), ==,
        F);
    ly_key_unref(keys[0]);
    ly_key_unref(keys[1]);
    stop(&setup);
}

/* associated-certs-v00, as OpenSSH reads it: what fits no key of the module, or is no certificate, is passed
 * over; what cannot be read refuses all. */
static void test_associated_certificates(void)
{
    enum { FITS = 1, OTHER = 2, PLAIN = 4, JUNK = 8, CUT = 16, TWICE = 32, EMPTY_FIRST = 64 };
    static const struct {
        unsigned what;
        bool only;
        unsigned reply;
        size_t keys, certificates;
    } cases[] = {
        {0, false, S, 2, 0},
        {0, true, F, 0, 0},
        {FITS, false, S, 2, 1},
        {FITS, true, S, 0, 1},
        {FITS | OTHER | PLAIN, false, S, 2, 1},
        {OTHER | PLAIN, true, F, 0, 0},
        {PLAIN, false, S, 2, 0},
        {FITS | JUNK, false, F, 0, 0},
        {FITS | CUT, false, F, 0, 0},
        {FITS | TWICE, false, F, 0, 0},
        {FITS | EMPTY_FIRST, false, S, 2, 1},
    };
    static const char *const patterns[] = {"/usr/lib/*", NULL};
    LyCertificateRequest wanted = {.kind = LY_CERTIFICATE_USER,
                                   .id = LY_BYTES("id"),
                                   .principals = LY_BYTES("me"),
                                   .valid_before = UINT64_MAX};
    LyKey *ca = new_key(LY_PK_ED25519, 0), *stranger = new_key(LY_PK_ED25519, 0);
    for (size_t i = 0; i < LY_COUNT(cases); i++) {
        LY_AUTO(ly_buf_free) LyBuf list = {0}, constraint = {0};
        unsigned what = cases[i].what;
        Setup setup;
        start(&setup, &(LyAgentOptions){.providers = patterns});
        Rig *rig = &setup.rig;
        LyKey *fits = ly_certificate_issue(crypto, setup.key, &wanted, false, ca, (LyBytes){0}, NULL);
        LyKey *other = ly_certificate_issue(crypto, stranger, &wanted, false, ca, (LyBytes){0}, NULL);
        if (what & PLAIN)
            ly_put_string(&list, ly_key_blob(setup.key));
        if (what & OTHER)
            ly_put_string(&list, ly_key_blob(other));
        if (what & FITS)
            ly_put_string(&list, ly_key_blob(fits));
        if (what & JUNK)
            ly_put_cstring(&list, "junk");
        for (unsigned j = what & EMPTY_FIRST ? 0 : 1; j < (what & TWICE ? 3 : 2); j++) {
            ly_put_u8(&constraint, SSH_AGENT_CONSTRAIN_EXTENSION);
            ly_put_cstring(&constraint, "associated-certs-v00@openssh.com");
            ly_put_u8(&constraint, cases[i].only);
            ly_put_string(&constraint, ly_bytes(list.data, j ? list.len - (what & CUT ? 1 : 0) : 0));
        }
        LyKey *keys[2] = {ly_key_new_public(crypto, ly_key_blob(setup.key), NULL), new_key(LY_PK_ECDSA, 256)};
        unsigned reply =
            rig_ask(rig, setup.client,
                    provider_message(&setup.out, 26, "/usr/lib/a.so", ly_buf_bytes(&constraint)), NULL);
        if (reply == 0) {
            ly_agent_answer_provider(rig->agent, rig->ids[0], true, keys, 2);
            rig_events(rig);
            reply = receive(&setup, setup.client);
        }
        g_test_message("%zu", i);
        g_assert_cmpuint(reply, ==, cases[i].reply);
        g_assert_cmpuint(ly_agent_count(rig->agent), ==, cases[i].keys + cases[i].certificates);
        size_t certificates = 0;
        for (size_t j = 0; j < ly_agent_count(rig->agent); j++) {
            LyAgentIdentityInfo info;
            g_assert_true(ly_agent_get(rig->agent, j, &info));
            g_assert_cmpstr(info.provider, ==, "/usr/lib/a.so");
            certificates += ly_key_is_certificate(info.key);
            if (ly_key_is_certificate(info.key))
                g_assert_true(ly_bytes_equal(ly_key_blob(info.key), ly_key_blob(fits)));
        }
        g_assert_cmpuint(certificates, ==, cases[i].certificates);
        ly_key_unref(keys[0]);
        ly_key_unref(keys[1]);
        ly_key_unref(fits);
        ly_key_unref(other);
        stop(&setup);
    }
    ly_key_unref(ca);
    ly_key_unref(stranger);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    g_test_add_func("/agent-questions/order", test_order);
    g_test_add_func("/agent-questions/many", test_many);
    g_test_add_func("/agent-questions/confirm", test_confirm);
    g_test_add_func("/agent-questions/rules", test_rules);
    g_test_add_func("/agent-questions/ppk", test_ppk);
    g_test_add_func("/agent-questions/ppk-shared", test_ppk_shared);
    g_test_add_func("/agent-questions/provider", test_provider);
    g_test_add_func("/agent-questions/associated-certificates", test_associated_certificates);
    int result = g_test_run();
    ly_crypto_unref(crypto);
    return result;
}
