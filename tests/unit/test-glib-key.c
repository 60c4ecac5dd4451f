/* core/glib: keys made, opened, written and used in other threads. */
#include "glib/error.h"
#include "glib/key.h"

typedef struct Wait {
    GMainLoop *loop;
    GAsyncResult *result;
} Wait;

static void ended(GObject *source, GAsyncResult *result, gpointer data)
{
    Wait *wait = data;
    wait->result = g_object_ref(result);
    g_main_loop_quit(wait->loop);
}

static GAsyncResult *wait_for(Wait *wait)
{
    if (!wait->result)
        g_main_loop_run(wait->loop);
    return g_steal_pointer(&wait->result);
}

static LyKey *generate(LyCrypto *crypto, Wait *wait)
{
    g_autoptr(GError) error = NULL;
    ly_key_generate_async(crypto, LY_PK_ED25519, 0, LY_BYTES("a comment"), NULL, ended, wait);
    g_autoptr(GAsyncResult) result = wait_for(wait);
    LyKey *key = ly_key_generate_finish(result, &error);
    g_assert_no_error(error);
    return key;
}

static void test_round_trip(void)
{
    LyError why;
    LyCrypto *crypto = ly_crypto_new(0, &why);
    Wait wait = {.loop = g_main_loop_new(NULL, FALSE)};
    g_autoptr(GError) error = NULL;
    LyBuf text = {0}, signature = {0};
    LyKey *key = generate(crypto, &wait);
    char passphrase[] = "secret", cipher[] = "aes128-ctr";
    LyKeyWriteOptions options = {.passphrase = ly_bytes_str(passphrase), .cipher = cipher, .kdf.rounds = 1};
    ly_key_write_private_async(crypto, key, LY_KEY_OPENSSH, &options, NULL, ended, &wait);
    memset(cipher, 0, sizeof cipher); /* copied */
    GAsyncResult *result = wait_for(&wait);
    g_assert_true(ly_key_write_private_finish(result, &text, &error));
    g_object_unref(result);

    LyKeyReadOptions wrong = {.have_passphrase = true, .passphrase = LY_BYTES("other")};
    ly_key_read_async(crypto, ly_buf_bytes(&text), &wrong, NULL, ended, &wait);
    result = wait_for(&wait);
    g_assert_null(ly_key_read_finish(result, &error));
    g_assert_error(error, LY_GERROR, LY_ERROR_PASSPHRASE);
    g_clear_error(&error);
    g_object_unref(result);

    LyKeyReadOptions right = {.have_passphrase = true, .passphrase = ly_bytes_str(passphrase)};
    ly_key_read_async(crypto, ly_buf_bytes(&text), &right, NULL, ended, &wait);
    memset(passphrase, 0, sizeof passphrase); /* copied */
    result = wait_for(&wait);
    LyKey *read = ly_key_read_finish(result, &error);
    g_assert_no_error(error);
    g_assert_true(ly_key_equal_public(key, read));
    g_assert_true(ly_bytes_is(ly_key_comment(read), "a comment"));
    g_object_unref(result);

    ly_key_sign_async(crypto, read, (LyBytes){0}, LY_BYTES("message"), NULL, ended, &wait);
    result = wait_for(&wait);
    g_assert_true(ly_key_sign_finish(result, &signature, &error));
    g_assert_true(
        ly_key_verify(key, (LyBytes){0}, LY_BYTES("message"), ly_buf_bytes(&signature), NULL, &why));
    g_object_unref(result);

    ly_key_unref(read);
    ly_key_unref(key);
    ly_buf_free(&text);
    ly_buf_free(&signature);
    g_main_loop_unref(wait.loop);
    ly_crypto_unref(crypto);
}

static void gone(gpointer data, GObject *was)
{
    g_atomic_int_set((gint *)data, 1);
}

static void test_cancelled(void)
{
    gint dropped = 0;
    LyError why;
    LyCrypto *crypto = ly_crypto_new(0, &why);
    Wait wait = {.loop = g_main_loop_new(NULL, FALSE)};
    g_autoptr(GError) error = NULL;
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    ly_key_generate_async(crypto, LY_PK_RSA, 2048, (LyBytes){0}, cancellable, ended, &wait);
    g_cancellable_cancel(cancellable);
    GAsyncResult *result = wait_for(&wait);
    g_assert_null(ly_key_generate_finish(result, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    /* The thread goes on, and drops what it made. */
    g_object_weak_ref(G_OBJECT(result), gone, &dropped);
    g_object_unref(result);
    while (!g_atomic_int_get(&dropped))
        g_usleep(1000);
    g_main_loop_unref(wait.loop);
    ly_crypto_unref(crypto);
}

static void test_refused(void)
{
    LyError why;
    LyCrypto *crypto = ly_crypto_new(0, &why);
    Wait wait = {.loop = g_main_loop_new(NULL, FALSE)};
    g_autoptr(GError) error = NULL;
    ly_key_generate_async(crypto, LY_PK_RSA, 512, (LyBytes){0}, NULL, ended, &wait);
    GAsyncResult *result = wait_for(&wait);
    g_assert_null(ly_key_generate_finish(result, &error));
    g_assert_error(error, LY_GERROR, LY_ERROR_INVALID);
    g_clear_error(&error);
    g_object_unref(result);
    ly_key_read_async(crypto, LY_BYTES("no key"), NULL, NULL, ended, &wait);
    result = wait_for(&wait);
    g_assert_null(ly_key_read_finish(result, &error));
    g_assert_error(error, LY_GERROR, LY_ERROR_INVALID);
    g_object_unref(result);
    g_main_loop_unref(wait.loop);
    ly_crypto_unref(crypto);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/glib-key/round-trip", test_round_trip);
    g_test_add_func("/glib-key/cancelled", test_cancelled);
    g_test_add_func("/glib-key/refused", test_refused);
    return g_test_run();
}
