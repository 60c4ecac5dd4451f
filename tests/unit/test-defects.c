/* Defects of the reference implementation (npm ssh2) that are not ours: those that no other test has by name.
 * tests/lint/defects.py looks for all of them. */
#include "transport-pair.h"

#include "key/issue.h"
#include "key/read.h"
#include "key/write.h"

/* The names in EXT_INFO's server-sig-algs are apart: no comma is missing. */
static void test_server_sig_algs(void)
{
    LyTransportOptions client = plain_options(LY_CLIENT), server = plain_options(LY_SERVER);
    Pair pair = {0};
    pair_open(&pair, &client, &server);
    pump(&pair);
    LyBytes names, name;
    unsigned count = 0;
    g_assert_true(ly_transport_peer_extension(pair.end[LY_CLIENT].t, "server-sig-algs", &names));
    static const char *const wanted[] = {"rsa-sha2-256",        "rsa-sha2-512",        "ssh-ed25519",
                                         "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"};
    for (size_t i = 0; i < LY_COUNT(wanted); i++)
        g_assert_true(ly_names_contain(names, ly_bytes_str(wanted[i])));
    while (names.len) {
        if (!ly_bytes_split(names, ',', &name, &names))
            names = (LyBytes){0};
        g_assert_nonnull(ly_signature_algorithm_find(name));
        count++;
    }
    g_assert_cmpuint(count, >=, LY_COUNT(wanted));
    pair_close(&pair);
}

/* An ed25519 key whose public half begins with zero bytes (one in 256) is as long as any other, in every
 * format and back. */
static void test_zero_in_front(void)
{
    static const LyKeyFormat formats[] = {LY_KEY_OPENSSH, LY_KEY_PKCS8, LY_KEY_PPK2, LY_KEY_PPK3, LY_KEY_JWK};
    LyError error = {0};
    LyKey *key = NULL;
    for (int i = 0; i < 50000; i++) {
        key = ly_key_generate(crypto, LY_PK_ED25519, 0, LY_BYTES("zero"), &error);
        LyBytes blob = ly_key_blob(key);
        g_assert_cmpuint(blob.len, ==, 4 + 11 + 4 + 32);
        if (blob.data[blob.len - 32] == 0)
            break;
        ly_key_unref(key);
        key = NULL;
    }
    g_assert_nonnull(key);
    for (size_t i = 0; i < LY_COUNT(formats); i++) {
        LyBuf text = {0};
        g_assert_true(ly_key_write_private(crypto, key, formats[i], NULL, &text, &error));
        LyKey *back = ly_key_read(crypto, ly_buf_bytes(&text), NULL, &error);
        g_assert_cmpstr(error.message, ==, "");
        g_assert_true(ly_key_equal_public(key, back));
        g_assert_true(ly_key_check(back, &error));
        ly_key_unref(back);
        ly_buf_free(&text);
    }
    ly_key_unref(key);
}

/* A certificate's public line is the certificate, for the key that it is for; the nonce is no key. */
static void test_certificate_line(void)
{
    LyCertificateRequest request = {.kind = LY_CERTIFICATE_USER,
                                    .id = LY_BYTES("id"),
                                    .principals = LY_BYTES("me"),
                                    .valid_before = UINT64_MAX};
    for (int i = 0; i < KEY_COUNT; i++) {
        LyError error = {0};
        LyKey *certificate = ly_certificate_issue(crypto, host_keys[i], &request, false,
                                                  host_keys[KEY_ED25519], (LyBytes){0}, &error);
        g_assert_cmpstr(error.message, ==, "");
        LyBuf line = {0};
        ly_key_write_line(certificate, &line);
        LyKey *back = ly_key_read_public(crypto, ly_buf_bytes(&line), &error);
        g_assert_cmpstr(error.message, ==, "");
        g_assert_true(ly_key_is_certificate(back));
        g_assert_true(ly_bytes_equal(ly_key_blob(back), ly_key_blob(certificate)));
        g_assert_true(ly_bytes_equal(ly_key_plain_blob(back), ly_key_plain_blob(host_keys[i])));
        g_assert_false(ly_bytes_equal(ly_key_blob(back), ly_key_blob(host_keys[i])));
        ly_key_unref(back);
        ly_key_unref(certificate);
        ly_buf_free(&line);
    }
}

/* A passphrase for a file that is not encrypted is not needed, and does no harm. */
static void test_needless_passphrase(void)
{
    static const LyKeyFormat formats[] = {LY_KEY_PPK2, LY_KEY_PPK3, LY_KEY_OPENSSH, LY_KEY_PKCS8};
    LyKeyReadOptions options = {.have_passphrase = true, .passphrase = LY_BYTES("needless")};
    for (size_t i = 0; i < LY_COUNT(formats); i++) {
        LyError error = {0};
        LyBuf text = {0};
        g_assert_true(ly_key_write_private(crypto, host_keys[KEY_RSA], formats[i], NULL, &text, &error));
        LyKey *back = ly_key_read(crypto, ly_buf_bytes(&text), &options, &error);
        g_assert_cmpstr(error.message, ==, "");
        g_assert_true(ly_key_is_private(back));
        g_assert_true(ly_key_equal_public(back, host_keys[KEY_RSA]));
        ly_key_unref(back);
        ly_buf_free(&text);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    make_keys();
    g_test_add_func("/defects/defect-05-server-sig-algs", test_server_sig_algs);
    g_test_add_func("/defects/defect-09-zero-in-front", test_zero_in_front);
    g_test_add_func("/defects/defect-19-certificate-line", test_certificate_line);
    g_test_add_func("/defects/defect-20-needless-passphrase", test_needless_passphrase);
    int status = g_test_run();
    free_keys();
    return status;
}
