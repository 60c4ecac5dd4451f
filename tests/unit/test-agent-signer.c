/* agent/signer.c: all that is asked for is signed once, by whichever thread, and an end in the middle loses
 * no memory. */
#include <glib.h>

#include "base/auto.h"
#include "base/memory.h"
#include "key/key.h"
#include "signer.h"

enum { COUNT = 200 };

static LyCrypto *crypto;

typedef struct Setup {
    LyLoop *loop;
    Signer *signer;
    LyKey *keys[3];
    LyBuf signatures[COUNT];
    LyErrorCode codes[COUNT];
    unsigned done;
} Setup;

static void done(void *user, uint64_t id, LyBytes signature, const LyError *error)
{
    Setup *setup = user;
    g_assert_cmpuint(id, <, COUNT);
    g_assert_cmpuint(setup->signatures[id].len, ==, 0);
    ly_buf_add(&setup->signatures[id], signature);
    setup->codes[id] = error->code;
    setup->done++;
}

static void start(Setup *setup)
{
    memset(setup, 0, sizeof *setup);
    setup->loop = ly_loop_new(NULL);
    setup->signer = signer_new(setup->loop, done, setup);
    setup->keys[0] = ly_key_generate(crypto, LY_PK_ED25519, 0, (LyBytes){0}, NULL);
    setup->keys[1] = ly_key_generate(crypto, LY_PK_ECDSA, 256, (LyBytes){0}, NULL);
    setup->keys[2] = ly_key_generate(crypto, LY_PK_ECDSA, 521, (LyBytes){0}, NULL);
}

static void stop(Setup *setup)
{
    ly_loop_free(setup->loop);
    for (size_t i = 0; i < LY_COUNT(setup->keys); i++)
        ly_key_unref(setup->keys[i]);
    for (size_t i = 0; i < COUNT; i++)
        ly_buf_free(&setup->signatures[i]);
}

static void add(Setup *setup, unsigned id)
{
    uint32_t data = id;
    LyKey *key = setup->keys[id % 3];
    signer_add(setup->signer, &(LyAgentEvent){.id = id,
                                              .key = key,
                                              .algorithm = ly_bytes_str(ly_key_type_name(key)),
                                              .data = {(const uint8_t *)&data, id ? sizeof data : 0}});
}

static void check(Setup *setup, unsigned id)
{
    uint32_t data = id;
    LyError error = {0};
    g_assert_cmpint(setup->codes[id], ==, LY_OK);
    if (!ly_key_verify(setup->keys[id % 3], (LyBytes){0}, ly_bytes(&data, id ? sizeof data : 0),
                       ly_buf_bytes(&setup->signatures[id]), NULL, &error))
        g_error("%u: %s", id, error.message);
}

/* So many wait at once; between the rounds the second thread may be busy, or not. */
static void test_all(void)
{
    static const unsigned rounds[] = {1, 2, 3, 50, 1, 3, 40, 100};
    Setup setup;
    unsigned added = 0;
    start(&setup);
    g_assert_false(signer_step(setup.signer));
    for (size_t i = 0; i < LY_COUNT(rounds); i++) {
        for (unsigned j = 0; j < rounds[i]; j++)
            add(&setup, added++);
        while (signer_step(setup.signer))
            if (i % 2)
                ly_loop_run_once(setup.loop, 0);
    }
    g_assert_cmpuint(added, ==, COUNT);
    while (setup.done < added)
        ly_loop_run_once(setup.loop, UINT64_MAX);
    for (unsigned id = 0; id < added; id++)
        check(&setup, id);
    signer_free(setup.signer);
    stop(&setup);
}

static void test_failure(void)
{
    Setup setup;
    start(&setup);
    LyKey *shown = ly_key_new_public(crypto, ly_key_blob(setup.keys[0]), NULL);
    signer_add(setup.signer, &(LyAgentEvent){.id = 0, .key = shown, .data = LY_BYTES("x")});
    while (signer_step(setup.signer))
        ;
    g_assert_cmpuint(setup.done, ==, 1);
    g_assert_cmpuint(setup.signatures[0].len, ==, 0);
    g_assert_cmpint(setup.codes[0], !=, LY_OK);
    ly_key_unref(shown);
    signer_free(setup.signer);
    stop(&setup);
}

/* Freed while signatures wait, while the second thread works, and before it began. */
static void test_end(void)
{
    for (unsigned steps = 0; steps < 6; steps++) {
        Setup setup;
        start(&setup);
        for (unsigned id = 0; id < 100; id++)
            add(&setup, id);
        for (unsigned i = 0; i < steps; i++)
            g_assert_true(signer_step(setup.signer));
        if (steps % 2)
            ly_loop_run_once(setup.loop, 0);
        unsigned before = setup.done;
        signer_free(setup.signer);
        if (steps > 3)
            ly_loop_run_once(setup.loop, 0);
        g_assert_cmpuint(setup.done, ==, before);
        stop(&setup);
        g_assert_cmpuint(setup.done, ==, before);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    g_test_add_func("/agent-signer/all", test_all);
    g_test_add_func("/agent-signer/failure", test_failure);
    g_test_add_func("/agent-signer/end", test_end);
    int result = g_test_run();
    ly_crypto_unref(crypto);
    return result;
}
