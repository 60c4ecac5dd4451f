/* details@lanyard and log@lanyard, the extensions that lanyard-agent's own subcommands ask for: who gets an
 * answer, what stands in it, and requests that are not as they should be. */
#include "agent-drive.h"

#include <unistd.h>

#include "detail.h"
#include "request.h"

#define REFUSED SSH_AGENT_EXTENSION_FAILURE
#define ANSWERED SSH_AGENT_EXTENSION_RESPONSE
#define NOW_US ((uint64_t)1000 * 1000000)

static LyKey *open_ppk(LyBytes text, LyBytes passphrase, LyErrorCode *code)
{
    g_assert_not_reached();
}

typedef struct Setup {
    LyAgent *agent;
    LyAgentClient *client;
    Journal *journal;
    LyKey *key;
    unsigned questions;
    LyBuf reply;
} Setup;

static LyAgentPeer ourselves(void)
{
    static char path[4096];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
    g_assert_cmpint(len, >, 0);
    path[len] = 0;
    return (LyAgentPeer){.transport = "unix", .pid = 7, .program = path};
}

static void start(Setup *setup, const LyAgentPeer *peer)
{
    LyAgentPeer own = ourselves();
    memset(setup, 0, sizeof *setup);
    setup->journal = journal_new("test", true, LY_LOG_ERROR);
    setup->agent = ly_agent_new(
        crypto, &(LyAgentOptions){.extensions = detail_extensions, .log = journal_log(setup->journal)});
    ly_agent_tick(setup->agent, NOW_US);
    setup->client = ly_agent_client_new(setup->agent, peer ? peer : &own);
    setup->key = new_key(LY_PK_ED25519, 0);
}

static void stop(Setup *setup)
{
    ly_agent_client_free(setup->client);
    ly_agent_free(setup->agent);
    journal_free(setup->journal);
    ly_key_unref(setup->key);
    ly_buf_free(&setup->reply);
}

/* One request with its answer: the reply's type, the reply without its length in setup->reply. */
static unsigned ask(Setup *setup, LyBytes message)
{
    LY_AUTO(ly_buf_free) LyBuf framed = {0};
    LyAgentEvent event;
    size_t room;
    ly_put_string(&framed, message);
    uint8_t *input = ly_agent_client_input(setup->client, &room);
    g_assert_cmpuint(room, >=, framed.len);
    memcpy(input, framed.data, framed.len);
    ly_agent_client_received(setup->client, framed.len);
    while (ly_agent_next(setup->agent, &event)) {
        if (event.type == LY_AGENT_EXTENSION) {
            setup->questions++;
            detail_answer(setup->agent, setup->journal, &event, NOW_US + 5 * 1000000);
        } else if (event.type == LY_AGENT_SIGN) {
            LY_AUTO(ly_buf_free) LyBuf signature = {0};
            g_assert_true(ly_key_sign(event.key, event.algorithm, event.data, &signature, NULL));
            ly_agent_answer_sign(setup->agent, event.id, ly_buf_bytes(&signature));
        }
    }
    LyBytes output = ly_agent_client_output(setup->client);
    g_assert_cmpuint(output.len, >, 4);
    g_assert_cmpuint(ly_load_u32(output.data), ==, output.len - 4);
    ly_buf_clear(&setup->reply);
    ly_buf_add(&setup->reply, ly_bytes_slice(output, 4, output.len));
    ly_agent_client_sent(setup->client, output.len);
    return setup->reply.data[0];
}

static LyBytes message_of(LyBuf *out, const char *name, LyBytes contents)
{
    text_message(out, SSH_AGENTC_EXTENSION, name);
    ly_buf_add(out, contents);
    return ly_buf_bytes(out);
}

static unsigned ask_for(Setup *setup, const char *name, LyBytes contents)
{
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    return ask(setup, message_of(&out, name, contents));
}

/* What stands behind the type and the name. */
static LyReader contents_of(const Setup *setup, const char *name)
{
    LyReader reader = ly_reader(ly_buf_bytes(&setup->reply));
    g_assert_cmpuint(ly_get_u8(&reader), ==, ANSWERED);
    g_assert_true(ly_bytes_is(ly_get_string(&reader), name));
    return reader;
}

static void add_key(Setup *setup, LyBytes constraints)
{
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    g_assert_cmpuint(ask(setup, add_message(&out, setup->key, "a comment", constraints)), ==,
                     SSH_AGENT_SUCCESS);
}

static void test_details(void)
{
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    Setup setup;
    start(&setup, NULL);
    g_assert_cmpuint(ask_for(&setup, AGENT_DETAILS, (LyBytes){0}), ==, ANSWERED);
    LyReader reader = contents_of(&setup, AGENT_DETAILS);
    g_assert_cmpuint(ly_get_u32(&reader), ==, 0);
    g_assert_true(ly_reader_done(&reader));

    add_key(&setup, LY_BYTES("\x02\x01\0\0\0\x3c"));
    for (int used = 0; used < 2; used++) {
        g_assert_cmpuint(ask_for(&setup, AGENT_DETAILS, (LyBytes){0}), ==, ANSWERED);
        reader = contents_of(&setup, AGENT_DETAILS);
        g_assert_cmpuint(ly_get_u32(&reader), ==, 1);
        g_assert_true(ly_bytes_equal(ly_get_string(&reader), ly_key_blob(setup.key)));
        g_assert_true(ly_bytes_is(ly_get_string(&reader), "a comment"));
        g_assert_cmpuint(ly_get_u32(&reader), ==, used ? 0 : AGENT_CONFIRM);
        g_assert_cmpuint(ly_get_u64(&reader), ==, used ? AGENT_NEVER : 55);
        g_assert_cmpuint(ly_get_u64(&reader), ==, used ? 5 : AGENT_NEVER);
        g_assert_cmpuint(ly_get_u64(&reader), ==, used);
        g_assert_true(ly_reader_done(&reader));
        if (used)
            break;
        add_key(&setup, (LyBytes){0});
        g_assert_cmpuint(ask(&setup, sign_message(&out, setup.key, LY_BYTES("data"), 0)), ==,
                         SSH_AGENT_SIGN_RESPONSE);
    }
    stop(&setup);
}

static void test_log(void)
{
    LyBytes line, text;
    Setup setup;
    start(&setup, NULL);
    LyLog log = journal_log(setup.journal);
    for (int i = 0; i < 600; i++)
        ly_log(&log, i % 2 ? LY_LOG_INFO : LY_LOG_DEBUG, "line %d", i);
    static const struct {
        LyBytes most;
        size_t lines;
    } cases[] = {
        {{(const uint8_t *)"\0\0\0\0", 4}, 300},
        {{(const uint8_t *)"\0\0\0\1", 4}, 1},
        {{(const uint8_t *)"\0\0\0\7", 4}, 7},
        {{(const uint8_t *)"\xff\xff\xff\xff", 4}, 300},
    };
    for (size_t i = 0; i < LY_COUNT(cases); i++) {
        size_t count = 0;
        g_assert_cmpuint(ask_for(&setup, AGENT_LOG, cases[i].most), ==, ANSWERED);
        LyReader reader = contents_of(&setup, AGENT_LOG);
        text = ly_get_string(&reader);
        g_assert_true(ly_reader_done(&reader));
        while (ly_bytes_line(&text, &line))
            count++;
        g_assert_cmpuint(count, ==, cases[i].lines);
        g_assert_true(line.len > 9 && ly_bytes_is(ly_bytes_slice(line, line.len - 8, line.len), "line 599"));
    }
    /* Long lines: the oldest go, so that the answer fits. */
    char *words = g_strnfill(990, 'x');
    for (int i = 0; i < 512; i++)
        ly_log(&log, LY_LOG_INFO, "%s", words);
    g_free(words);
    g_assert_cmpuint(ask_for(&setup, AGENT_LOG, LY_BYTES("\0\0\0\0")), ==, ANSWERED);
    g_assert_cmpuint(setup.reply.len, <, LY_AGENT_MESSAGE_MAX / 2);
    stop(&setup);
}

/* Only lanyard-agent itself, here, not claimed, not forwarded. */
static void test_strangers(void)
{
    LyAgentPeer own = ourselves();
    const LyAgentPeer strangers[] = {
        {.transport = "unix", .pid = 7},
        {.transport = "unix", .pid = 7, .program = "/usr/bin/ssh"},
        {.transport = "unix", .pid = 7, .program = "lanyard-agent"},
        {.transport = "cygwin", .pid = 7, .program = own.program, .claimed = true},
    };
    for (size_t i = 0; i < LY_COUNT(strangers); i++) {
        Setup setup;
        start(&setup, &strangers[i]);
        g_assert_cmpuint(ask_for(&setup, AGENT_DETAILS, (LyBytes){0}), ==, REFUSED);
        g_assert_cmpuint(ask_for(&setup, AGENT_LOG, LY_BYTES("\0\0\0\0")), ==, REFUSED);
        g_assert_cmpuint(setup.reply.len, ==, 1);
        g_assert_cmpuint(setup.questions, ==, 2);
        stop(&setup);
    }
    Setup setup;
    LY_AUTO(ly_buf_free) LyBuf bind = {0}, signature = {0};
    start(&setup, NULL);
    g_assert_true(ly_key_sign(setup.key, (LyBytes){0}, LY_BYTES("session"), &signature, NULL));
    ly_put_string(&bind, ly_key_blob(setup.key));
    ly_put_cstring(&bind, "session");
    ly_put_string(&bind, ly_buf_bytes(&signature));
    ly_put_u8(&bind, 1);
    g_assert_cmpuint(ask_for(&setup, "session-bind@openssh.com", ly_buf_bytes(&bind)), ==, SSH_AGENT_SUCCESS);
    g_assert_cmpuint(ask_for(&setup, AGENT_DETAILS, (LyBytes){0}), ==, REFUSED);
    g_assert_cmpuint(ask_for(&setup, AGENT_LOG, LY_BYTES("\0\0\0\0")), ==, REFUSED);
    stop(&setup);
}

static void test_malformed(void)
{
    static const struct {
        const char *name;
        LyBytes contents;
    } good[] = {{AGENT_DETAILS, {(const uint8_t *)"", 0}}, {AGENT_LOG, {(const uint8_t *)"\0\0\0\5", 4}}};
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    Setup setup;
    start(&setup, NULL);
    add_key(&setup, (LyBytes){0});
    for (size_t i = 0; i < LY_COUNT(good); i++) {
        size_t len = message_of(&out, good[i].name, good[i].contents).len;
        size_t name_end = len - good[i].contents.len;
        for (size_t cut = 1; cut < len; cut++) {
            setup.questions = 0;
            /* A name cut short is none; an argument cut short fails. */
            g_assert_cmpuint(ask(&setup, ly_bytes(out.data, cut)), ==,
                             cut < name_end ? SSH_AGENT_FAILURE : REFUSED);
            g_assert_cmpuint(setup.questions, ==, cut >= name_end);
        }
        g_assert_cmpuint(ask(&setup, ly_buf_bytes(&out)), ==, ANSWERED);
        ly_put_u8(&out, 0);
        g_assert_cmpuint(ask(&setup, ly_buf_bytes(&out)), ==, REFUSED);
        /* One bit less of the name is another extension. */
        message_of(&out, good[i].name, good[i].contents);
        for (size_t bit = 5 * 8; bit < name_end * 8; bit++) {
            out.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            g_assert_cmpuint(ask(&setup, ly_buf_bytes(&out)), ==, SSH_AGENT_FAILURE);
            out.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
    stop(&setup);
}

static void test_locked(void)
{
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    Setup setup;
    start(&setup, NULL);
    add_key(&setup, (LyBytes){0});
    for (int screen = 0; screen < 2; screen++) {
        setup.questions = 0;
        if (screen)
            ly_agent_suspend(setup.agent, true);
        else
            g_assert_cmpuint(ask(&setup, text_message(&out, SSH_AGENTC_LOCK, "word")), ==, SSH_AGENT_SUCCESS);
        g_assert_cmpuint(ask_for(&setup, AGENT_DETAILS, (LyBytes){0}), ==, SSH_AGENT_FAILURE);
        g_assert_cmpuint(ask_for(&setup, AGENT_LOG, LY_BYTES("\0\0\0\0")), ==, SSH_AGENT_FAILURE);
        g_assert_cmpuint(setup.questions, ==, 0);
        if (screen)
            ly_agent_suspend(setup.agent, false);
        else
            g_assert_cmpuint(ask(&setup, text_message(&out, SSH_AGENTC_UNLOCK, "word")), ==,
                             SSH_AGENT_SUCCESS);
        g_assert_cmpuint(ask_for(&setup, AGENT_DETAILS, (LyBytes){0}), ==, ANSWERED);
    }
    stop(&setup);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    g_test_add_func("/agent-detail/details", test_details);
    g_test_add_func("/agent-detail/log", test_log);
    g_test_add_func("/agent-detail/strangers", test_strangers);
    g_test_add_func("/agent-detail/malformed", test_malformed);
    g_test_add_func("/agent-detail/locked", test_locked);
    int result = g_test_run();
    ly_crypto_unref(crypto);
    return result;
}
