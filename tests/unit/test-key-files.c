/* core/key: key files in every format that is read, made by ssh-keygen and openssl; odd texts, damage,
 * passphrases; writing. */
#include <glib.h>

#include "base/auto.h"
#include "base/base64.h"
#include "key-samples.h"
#include "key/read.h"
#include "key/write.h"

static LyCrypto *crypto;

/* Costs that make a hostile file cheap to test. */
static const LyKeyReadOptions secret = {.have_passphrase = true,
                                        .passphrase = {(const uint8_t *)"secret", 6},
                                        .max_bcrypt_rounds = 1,
                                        .max_pbkdf2_iterations = 2000,
                                        .max_memory_kib = 1024};

static const PrivateSample *find_sample(const char *name)
{
    for (size_t i = 0; i < LY_COUNT(private_samples); i++)
        if (strcmp(private_samples[i].name, name) == 0)
            return &private_samples[i];
    g_assert_not_reached();
}

static bool is_key(LyKey *key, const char *sha256)
{
    char text[100];
    ly_key_fingerprint(crypto, ly_key_plain_blob(key), LY_SHA256, text);
    return strcmp(text, sha256) == 0;
}

static void test_read(void)
{
    for (size_t i = 0; i < LY_COUNT(private_samples); i++) {
        const PrivateSample *sample = &private_samples[i];
        LyBytes text = ly_bytes_str(sample->text);
        LyError error = {0};
        LyKey *key = ly_key_read(crypto, text, &secret, &error);
        if (!key)
            g_error("%s: %s", sample->name, error.message);
        g_assert_true(is_key(key, sample->sha256));
        g_assert_true(ly_bytes_is(ly_key_comment(key), sample->comment));
        g_assert_true(ly_key_is_private(key) && ly_key_check(key, &error));
        ly_key_unref(key);

        /* Without a passphrase, and with a wrong one. */
        LyKeyReadOptions wrong = secret;
        wrong.passphrase = LY_BYTES("Secret");
        key = ly_key_read(crypto, text, NULL, &error);
        g_assert_true((key == NULL) == sample->encrypted);
        ly_key_unref(key);
        key = ly_key_read(crypto, text, &wrong, &error);
        g_assert_true((key == NULL) == sample->encrypted);
        ly_key_unref(key);
        if (sample->encrypted) {
            g_assert_cmpint(error.code, ==, LY_ERROR_PASSPHRASE);
            g_assert_nonnull(strstr(error.message, "wrong"));
            g_assert_null(ly_key_read(crypto, text, NULL, &error));
            g_assert_nonnull(strstr(error.message, "no passphrase"));
        }

        key = ly_key_read_public(crypto, text, &error);
        bool shown = !sample->encrypted || strstr(sample->text, "OPENSSH");
        g_assert_true((key != NULL) == shown);
        g_assert_true(shown || error.code == LY_ERROR_PASSPHRASE);
        g_assert_true(!key || (!ly_key_has_secret(key) && is_key(key, sample->sha256)));
        ly_key_unref(key);
    }
    for (size_t i = 0; i < LY_COUNT(other_public_samples); i++) {
        LyKey *key = ly_key_read(crypto, ly_bytes_str(other_public_samples[i].text), NULL, NULL);
        g_assert_true(key && !ly_key_has_secret(key) && is_key(key, other_public_samples[i].sha256));
        ly_key_unref(key);
    }
}

static char *replace(const char *text, const char *what, const char *with)
{
    g_auto(GStrv) parts = g_strsplit(text, what, -1);
    return g_strjoinv(with, parts);
}

/* The body in one line, or in lines of four. */
static char *rewrap(const char *text, size_t columns)
{
    g_autofree char *trimmed = g_strndup(text, strlen(text) - 1);
    g_auto(GStrv) lines = g_strsplit(trimmed, "\n", -1);
    GString *out = g_string_new(lines[0]);
    guint count = g_strv_length(lines);
    size_t column = columns;
    for (guint i = 1; i + 1 < count; i++) {
        for (const char *c = lines[i]; *c; c++) {
            if (column++ == columns) {
                g_string_append_c(out, '\n');
                column = 1;
            }
            g_string_append_c(out, *c);
        }
    }
    g_string_append_printf(out, "\n%s\n", lines[count - 1]);
    return g_string_free(out, FALSE);
}

static void check_text(char *text, const PrivateSample *sample)
{
    LyError error = {0};
    LyKey *key = ly_key_read(crypto, ly_bytes_str(text), &secret, &error);
    if (!key)
        g_error("%s: %s\n%s", sample->name, error.message, text);
    g_assert_true(is_key(key, sample->sha256));
    ly_key_unref(key);
    g_free(text);
}

static void test_odd_texts(void)
{
    static const char *const names[] = {"ed25519", "rsa.pem", "rsa-aes.pem", "ec.p8", "ed-pbkdf2.p8"};
    for (size_t i = 0; i < LY_COUNT(names); i++) {
        const PrivateSample *sample = find_sample(names[i]);
        const char *text = sample->text;
        check_text(replace(text, "\n", "\r\n"), sample);
        check_text(replace(text, "\n", "\r"), sample);
        check_text(replace(text, "\n", "  \n"), sample);
        check_text(replace(text, "\n", "\n    "), sample);
        check_text(g_strconcat("\xef\xbb\xbf", text, NULL), sample);
        check_text(g_strndup(text, strlen(text) - 1), sample);
        check_text(g_strconcat("\n\n", text, NULL), sample);
        check_text(g_strconcat("Bag Attributes\n  friendlyName: x\n", text, NULL), sample);
        check_text(g_strconcat(text, "\ntext behind\n", text, NULL), sample);
        if (!strstr(text, "DEK-Info")) {
            check_text(rewrap(text, 4), sample);
            check_text(rewrap(text, 1000000), sample);
            check_text(replace(text, "\n", " "), sample);
        }
    }
    static const char *const lines[] = {"%s", "\n\n# comment\n%s", "  %s", "\xef\xbb\xbf%s", "%s\r\nmore"};
    for (size_t i = 0; i < LY_COUNT(lines); i++) {
        g_autofree char *text = replace(lines[i], "%s", public_samples[0].line);
        LyKey *key = ly_key_read(crypto, ly_bytes_str(text), NULL, NULL);
        g_assert_true(key && is_key(key, public_samples[0].sha256));
        g_assert_true(ly_bytes_is(ly_key_comment(key), "alice@example"));
        ly_key_unref(key);
    }
    g_autofree char *tabs = replace(public_samples[1].line, " ", "\t \t");
    LyKey *key = ly_key_read(crypto, ly_bytes_str(tabs), NULL, NULL);
    g_assert_true(key && ly_bytes_is(ly_key_comment(key), "p256\t \tkey"));
    ly_key_unref(key);
}

static void test_refused(void)
{
    static const struct {
        const char *text;
        LyErrorCode code;
        const char *words;
    } rows[] = {
        {"", LY_ERROR_INVALID, "not a key"},
        {"hello\nworld\n", LY_ERROR_INVALID, "not a key"},
        {"PuTTY-User-Key-File-3: ssh-ed25519\n", LY_ERROR_INVALID, "PPK"},
        {"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n", LY_ERROR_INVALID, "END"},
        {"---- BEGIN SSH2 PUBLIC KEY ----\n", LY_ERROR_INVALID, "END"},
        {"SSH PRIVATE KEY FILE FORMAT 1.1\n", LY_ERROR_UNSUPPORTED, "version 1"},
        {"\xff\xfe-", LY_ERROR_UNSUPPORTED, "UTF-16"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", LY_ERROR_INVALID, "X.509"},
        {"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n", LY_ERROR_INVALID,
         "curve"},
        {"-----BEGIN FOO KEY-----\nAAAA\n-----END FOO KEY-----\n", LY_ERROR_UNSUPPORTED, "FOO KEY"},
        {"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n", LY_ERROR_INVALID, "END"},
        {"-----BEGIN RSA PRIVATE KEY-----\nA*AA\n-----END RSA PRIVATE KEY-----\n", LY_ERROR_INVALID,
         "base64"},
        {"-----BEGIN RSA PRIVATE KEY-----\n-----END RSA PRIVATE KEY-----\n", LY_ERROR_INVALID, "PKCS#1"},
        {"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: "
         "DES-CBC,0011223344556677\n\nAAAAAAAAAAA=\n"
         "-----END RSA PRIVATE KEY-----\n",
         LY_ERROR_UNSUPPORTED, "DES-CBC"},
        {"ssh-ed25519 AAAA\n", LY_ERROR_INVALID, "cut short"},
        {"ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAINE2QrkCwoXiJI15GXzVnaUN32i0mbw7megOeD8BWKbx\n", LY_ERROR_INVALID,
         "but its key is"},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LyError error = {0};
        g_assert_null(ly_key_read(crypto, ly_bytes_str(rows[i].text), &secret, &error));
        if (error.code != rows[i].code || !strstr(error.message, rows[i].words))
            g_error("row %zu: %d %s", i, error.code, error.message);
    }
}

static void check_cost(const char *name, LyKeyReadOptions options)
{
    LyError error = {0};
    g_assert_null(ly_key_read(crypto, ly_bytes_str(find_sample(name)->text), &options, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_LIMIT);
}

static void test_costs(void)
{
    LyKeyReadOptions options = secret;
    options.max_pbkdf2_iterations = 99;
    check_cost("ec-pbkdf2.p8", options);
    options.max_memory_kib = 127; /* N=1024, r=1, p=1 */
    check_cost("ed-scrypt.p8", options);
    /* 2^32-1 rounds. */
    LY_AUTO(ly_buf_free) LyBuf binary = {0}, text = {0};
    const char *good = find_sample("enc-aes256-ctr")->text, *start = strchr(good, '\n'),
               *end = strstr(good, "\n-----END");
    g_assert_true(ly_base64_decode(&binary, ly_bytes(start, (size_t)(end - start)), true));
    size_t rounds = 15 + 4 + 10 + 4 + 6 + 4 + 4 + 16;
    g_assert_true(memcmp(binary.data + rounds, "\0\0\0\1", 4) == 0);
    memset(binary.data + rounds, 0xff, 4);
    ly_buf_add_str(&text, "-----BEGIN OPENSSH PRIVATE KEY-----\n");
    ly_base64_encode(&text, ly_buf_bytes(&binary), 70);
    ly_buf_add_str(&text, "-----END OPENSSH PRIVATE KEY-----\n");
    LyError error = {0};
    options.max_bcrypt_rounds = 0;
    g_assert_null(ly_key_read(crypto, ly_buf_bytes(&text), &options, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_LIMIT);
}

/* An error or the same key: never another one that would sign. */
static void check_damaged(const PrivateSample *sample, LyBytes text)
{
    LyError error = {0};
    LyKey *key = ly_key_read(crypto, text, &secret, &error);
    g_assert_true((key == NULL) == (error.code != LY_OK));
    if (key && !is_key(key, sample->sha256) && ly_key_is_private(key) && ly_key_check(key, NULL))
        g_error("%s became another key:\n%.*s", sample->name, (int)text.len, (const char *)text.data);
    ly_key_unref(key);
}

static void test_truncated(void)
{
    for (size_t i = 0; i < LY_COUNT(private_samples); i++) {
        const PrivateSample *sample = &private_samples[i];
        size_t len = strlen(sample->text);
        for (size_t cut = 0; cut + 1 < len; cut++) {
            g_autofree uint8_t *copy = g_memdup2(sample->text, cut); /* so that reading too far is seen */
            LyKey *key = ly_key_read(crypto, ly_bytes(copy, cut), &secret, NULL);
            g_assert_null(key);
        }
    }
    const PublicSample *line = &public_samples[0];
    for (size_t cut = 0; cut < strlen(line->line); cut++) {
        LyKey *key = ly_key_read(crypto, ly_bytes(line->line, cut), NULL, NULL);
        g_assert_true(!key || is_key(key, line->sha256));
        g_assert_true(key || cut < 80);
        ly_key_unref(key);
    }
}

static void test_flipped(void)
{
    for (size_t i = 0; i < LY_COUNT(private_samples); i++) {
        const PrivateSample *sample = &private_samples[i];
        g_autofree char *copy = g_strdup(sample->text);
        /* The BEGIN line and the structure behind it. A PKCS#8 seed stands alone: nothing can tell its
         * change. */
        bool alone = strstr(sample->name, ".p8") && !strstr(sample->name, "rsa");
        size_t header = (size_t)(strchr(sample->text, '\n') - sample->text);
        header += !alone ? 220 : sample->encrypted ? 100 : 20;
        size_t step = sample->encrypted ? 127 : 3; /* each of these costs a key derivation */
        for (size_t bit = 0; bit < LY_MIN(header, strlen(copy)) * 8; bit += step) {
            copy[bit / 8] ^= (char)(1 << bit % 8);
            check_damaged(sample, ly_bytes(copy, strlen(sample->text)));
            copy[bit / 8] ^= (char)(1 << bit % 8);
        }
    }
}

/* Every bit of the binary form, not of its text. */
static void test_flipped_binary(void)
{
    static const char *const names[] = {"ed25519", "ecdsa256"};
    for (size_t i = 0; i < LY_COUNT(names); i++) {
        const PrivateSample *sample = find_sample(names[i]);
        const char *start = strchr(sample->text, '\n'), *end = strstr(sample->text, "\n-----END");
        LY_AUTO(ly_buf_free) LyBuf binary = {0};
        g_assert_true(ly_base64_decode(&binary, ly_bytes(start, (size_t)(end - start)), true));
        for (size_t bit = 0; bit < binary.len * 8; bit++) {
            LY_AUTO(ly_buf_free) LyBuf text = {0};
            binary.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            ly_buf_add_str(&text, "-----BEGIN OPENSSH PRIVATE KEY-----\n");
            ly_base64_encode(&text, ly_buf_bytes(&binary), 70);
            ly_buf_add_str(&text, "-----END OPENSSH PRIVATE KEY-----\n");
            check_damaged(sample, ly_buf_bytes(&text));
            binary.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

static void test_write(void)
{
    static const char *const ciphers[] = {NULL,
                                          "aes128-ctr",
                                          "aes192-ctr",
                                          "aes128-cbc",
                                          "aes192-cbc",
                                          "aes256-cbc",
                                          "3des-cbc",
                                          "aes128-gcm@openssh.com",
                                          "aes256-gcm@openssh.com",
                                          "chacha20-poly1305@openssh.com"};
    LyError error = {0};
    for (size_t i = 0; i < LY_COUNT(ciphers); i++) {
        const PrivateSample *sample = find_sample(i % 2 ? "ecdsa521" : "ed25519");
        LyKey *key = ly_key_read(crypto, ly_bytes_str(sample->text), NULL, &error), *again;
        LyKeyWriteOptions options = {.passphrase = secret.passphrase, .cipher = ciphers[i], .kdf.rounds = 1};
        LY_AUTO(ly_buf_free) LyBuf text = {0};
        g_assert_true(ly_key_write_openssh(crypto, key, &options, &text, &error));
        g_assert_null(ly_key_read(crypto, ly_buf_bytes(&text), NULL, &error));
        again = ly_key_read(crypto, ly_buf_bytes(&text), &secret, &error);
        g_assert_true(again && is_key(again, sample->sha256) && ly_key_check(again, NULL));
        g_assert_true(ly_bytes_is(ly_key_comment(again), sample->comment));
        ly_key_unref(again);
        ly_key_unref(key);
    }
    /* Without a passphrase: all types; the text has OpenSSH's shape. */
    for (size_t i = 0; i < LY_COUNT(private_samples); i++) {
        LyKey *key = ly_key_read(crypto, ly_bytes_str(private_samples[i].text), &secret, &error), *again;
        LY_AUTO(ly_buf_free) LyBuf text = {0};
        g_assert_true(ly_key_write_openssh(crypto, key, NULL, &text, &error));
        again = ly_key_read(crypto, ly_buf_bytes(&text), NULL, &error);
        g_assert_true(again && is_key(again, private_samples[i].sha256) && ly_key_check(again, NULL));
        g_assert_cmpuint(strlen(ly_buf_str(&text)), ==, text.len);
        ly_key_unref(again);
        ly_key_unref(key);
    }
    LyKey *bare = ly_key_read(crypto, ly_bytes_str(public_samples[0].line), NULL, &error);
    LyKeyWriteOptions unknown = {.passphrase = LY_BYTES("x"), .cipher = "rot13"};
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    g_assert_false(ly_key_write_openssh(crypto, bare, NULL, &text, &error));
    LyKey *key = ly_key_read(crypto, ly_bytes_str(private_samples[0].text), NULL, &error);
    g_assert_false(ly_key_write_openssh(crypto, key, &unknown, &text, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_UNSUPPORTED);
    g_assert_cmpuint(text.len, ==, 0);
    /* A comment cannot start another line. */
    LyKey *sly = ly_key_new_commented(bare, ly_bytes("a\nssh-rsa AAAA\0\r", 16));
    ly_key_write_line(sly, &text);
    g_assert_true(memchr(text.data, '\n', text.len) == text.data + text.len - 1);
    g_assert_null(memchr(text.data, 0, text.len));
    ly_key_unref(sly);
    ly_key_unref(bare);
    ly_key_unref(key);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    g_assert_nonnull(crypto);
    g_test_add_func("/key-files/read", test_read);
    g_test_add_func("/key-files/odd-texts", test_odd_texts);
    g_test_add_func("/key-files/refused", test_refused);
    g_test_add_func("/key-files/costs", test_costs);
    g_test_add_func("/key-files/truncated", test_truncated);
    g_test_add_func("/key-files/flipped", test_flipped);
    g_test_add_func("/key-files/flipped-binary", test_flipped_binary);
    g_test_add_func("/key-files/write", test_write);
    int status = g_test_run();
    ly_crypto_unref(crypto);
    return status;
}
