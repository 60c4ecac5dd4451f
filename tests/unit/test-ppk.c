/* core/key: PuTTY's key files against puttygen's: read, written, damaged, hostile. */
#include <glib.h>

#include "base/auto.h"
#include "base/wire.h"
#include "key/ppk.h"
#include "key/read.h"
#include "key/write.h"
#include "ppk-samples.h"

static LyCrypto *crypto;
static const LyKeyReadOptions secret = {.have_passphrase = true,
                                        .passphrase = {(const uint8_t *)"secret", 6},
                                        .max_memory_kib = 4096,
                                        .max_memory_passes_kib = 16384};

static const PpkSample *find_sample(LyKeyFormat format, const char *type, const char *kdf)
{
    for (size_t i = 0; i < LY_COUNT(ppk_samples); i++)
        if (ppk_samples[i].format == format && strcmp(ppk_samples[i].type, type) == 0 &&
            g_strcmp0(ppk_samples[i].kdf.name, kdf) == 0)
            return &ppk_samples[i];
    g_assert_not_reached();
}

static LyKey *read_str(const char *text, const LyKeyReadOptions *options, LyError *error)
{
    return ly_key_read(crypto, ly_bytes_str(text), options, error);
}

/* The text reads as the sample's key, whole. */
static void assert_same(const PpkSample *sample, LyBytes text)
{
    LyError error = {0};
    char sha256[100];
    LyKey *key = ly_key_read(crypto, text, &secret, &error);
    g_assert_cmpstr(error.message, ==, "");
    ly_key_fingerprint(crypto, ly_key_plain_blob(key), LY_SHA256, sha256);
    g_assert_cmpstr(sha256, ==, sample->sha256);
    g_assert_cmpstr(ly_key_type_name(key), ==, sample->type);
    g_assert_true(ly_bytes_is(ly_key_comment(key), sample->comment));
    g_assert_true(ly_key_is_private(key) && ly_key_check(key, &error));
    ly_key_unref(key);
}

static void assert_refused(const char *text, LyErrorCode code, const char *word)
{
    LyError error = {0};
    g_assert_null(read_str(text, &secret, &error));
    if (error.code != code || !strstr(error.message, word))
        g_error("\"%s\" instead of \"%s\"", error.message, word);
}

static char *replace(const char *text, const char *old, const char *new)
{
    const char *at = strstr(text, old);
    g_assert_nonnull(at);
    return g_strdup_printf("%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
}

static void test_read(void)
{
    for (size_t i = 0; i < LY_COUNT(ppk_samples); i++) {
        const PpkSample *sample = &ppk_samples[i];
        bool encrypted = sample->kdf.name != NULL;
        LyError error = {0};
        LyKeyFile file;
        assert_same(sample, ly_bytes_str(sample->text));

        /* Without a passphrase the public half is shown, with all that the file says. */
        g_assert_true(ly_key_file_read(crypto, ly_bytes_str(sample->text), NULL, &file, &error));
        LyKeyEntry *entry = &file.entries[0];
        g_assert_true(file.count == 1 && entry->format == sample->format && entry->has_private);
        g_assert_true(entry->encrypted == encrypted && ly_key_is_private(entry->key) == !encrypted);
        g_assert_cmpstr(entry->cipher, ==, encrypted ? "aes256-cbc" : "");
        g_assert_cmpint(entry->error.code, ==, encrypted ? LY_ERROR_PASSPHRASE : LY_OK);
        g_assert_cmpstr(entry->kdf.name, ==, sample->kdf.name);
        g_assert_true(entry->kdf.memory_kib == sample->kdf.memory_kib &&
                      entry->kdf.passes == sample->kdf.passes && entry->kdf.lanes == sample->kdf.lanes);
        g_assert_true(ly_bytes_is(ly_key_comment(entry->key), sample->comment));
        ly_key_file_clear(&file);

        LyKey *shown = ly_key_read_public(crypto, ly_bytes_str(sample->text), &error);
        g_assert_true(shown && !ly_key_has_secret(shown));
        g_assert_cmpstr(ly_key_type_name(shown), ==, sample->type);
        ly_key_unref(shown);

        static const char *const passphrases[] = {"Secret", "", "secret "};
        for (size_t n = 0; n < LY_COUNT(passphrases) && encrypted; n++) {
            LyKeyReadOptions wrong = secret;
            wrong.passphrase = ly_bytes_str(passphrases[n]);
            g_assert_null(read_str(sample->text, &wrong, &error));
            g_assert_cmpint(error.code, ==, LY_ERROR_PASSPHRASE);
            g_assert_nonnull(strstr(error.message, "wrong"));
        }
    }
}

static void test_tolerance(void)
{
    for (size_t i = 0; i < LY_COUNT(ppk_samples); i++) {
        const PpkSample *sample = &ppk_samples[i];
        g_auto(GStrv) lines = g_strsplit(sample->text, "\n", -1);
        static const char *const ends[] = {"\r\n", "\r", "\n  ", "\n\t"};
        for (size_t n = 0; n < LY_COUNT(ends); n++) {
            g_autofree char *text = g_strjoinv(ends[n], lines);
            assert_same(sample, ly_bytes_str(text));
        }
        g_autofree char *front = g_strconcat("\xef\xbb\xbf\r\n\n  ", sample->text, NULL);
        assert_same(sample, ly_bytes_str(front));
        g_autofree char *behind = g_strconcat(sample->text, "\nand more\n", NULL);
        assert_same(sample, ly_bytes_str(behind));
        assert_same(sample, ly_bytes(sample->text, strlen(sample->text) - 1));
    }
}

/* Every key into every form and back; and what puttygen wrote from the same key is the same text, where no
 * salt is drawn. */
static void test_write(void)
{
    static const LyKeyWriteOptions forms[] = {
        {.passphrase = {0}},
        {.passphrase = {(const uint8_t *)"secret", 6}, .kdf = {NULL, .memory_kib = 8, .passes = 1}},
        {.passphrase = {(const uint8_t *)"secret", 6},
         .cipher = "aes256-cbc",
         .kdf = {"argon2i", .memory_kib = 17, .passes = 2, .lanes = 2}},
        {.passphrase = {(const uint8_t *)"secret", 6}, .kdf = {"argon2d", .memory_kib = 9, .passes = 1}},
    };
    for (size_t i = 0; i < LY_COUNT(ppk_samples); i++) {
        const PpkSample *sample = &ppk_samples[i];
        LyError error = {0};
        LyKey *key = read_str(sample->text, &secret, &error);
        for (unsigned n = 0; n < LY_COUNT(forms); n++) {
            LY_AUTO(ly_buf_free) LyBuf text = {0}, old = {0};
            g_assert_true(ly_key_write_private(crypto, key, LY_KEY_PPK3, &forms[n], &text, &error));
            assert_same(sample, ly_buf_bytes(&text));
            if (sample->format == LY_KEY_PPK3 && !sample->kdf.name && n == 0)
                g_assert_cmpstr(ly_buf_str(&text), ==, sample->text);
            if (n > 1)
                continue;
            g_assert_true(ly_key_write_private(crypto, key, LY_KEY_PPK2, &forms[n], &old, &error));
            assert_same(sample, ly_buf_bytes(&old));
            if (sample->format == LY_KEY_PPK2 && (sample->kdf.name != NULL) == (n == 1))
                g_assert_cmpstr(ly_buf_str(&old), ==, sample->text);
        }
        ly_key_unref(key);
    }
}

static void test_write_costs(void)
{
    LyError error = {0};
    LyKey *key = read_str(find_sample(LY_KEY_PPK3, "ssh-ed25519", NULL)->text, NULL, &error);
    LyBytes passphrase = LY_BYTES("secret");
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    LyKeyWriteOptions options = {.passphrase = passphrase};
    g_assert_true(ly_key_write_private(crypto, key, LY_KEY_PPK3, &options, &text, &error));
    g_assert_nonnull(strstr(ly_buf_str(&text), "Key-Derivation: Argon2id\nArgon2-Memory: 8192\n"
                                               "Argon2-Passes: 13\nArgon2-Parallelism: 1\nArgon2-Salt: "));
    ly_buf_clear(&text);
    static const struct {
        LyKeyFormat format;
        LyErrorCode code;
        LyKeyWriteOptions options;
    } bad[] = {
        {LY_KEY_PPK3, LY_ERROR_UNSUPPORTED, {.cipher = "aes256-ctr"}},
        {LY_KEY_PPK2, LY_ERROR_UNSUPPORTED, {.cipher = "3des-cbc"}},
        {LY_KEY_PPK3, LY_ERROR_UNSUPPORTED, {.kdf = {"bcrypt"}}},
        {LY_KEY_PPK3, LY_ERROR_UNSUPPORTED, {.kdf = {"sha1"}}},
        {LY_KEY_PPK2, LY_ERROR_UNSUPPORTED, {.kdf = {"argon2id"}}},
        {LY_KEY_PPK3, LY_ERROR_INVALID, {.kdf = {"argon2id", .memory_kib = 7}}},
        {LY_KEY_PPK3, LY_ERROR_INVALID, {.kdf = {"argon2id", .memory_kib = 64, .lanes = 9}}},
        {LY_KEY_PPK3, LY_ERROR_INVALID, {.kdf = {"argon2id", .lanes = 1u << 24}}},
        {LY_KEY_PPK3, LY_ERROR_INVALID, {.kdf = {"argon2id", .memory_kib = (uint64_t)1 << 32}}},
    };
    for (size_t i = 0; i < LY_COUNT(bad); i++) {
        options = bad[i].options;
        options.passphrase = passphrase;
        g_assert_false(ly_key_write_private(crypto, key, bad[i].format, &options, &text, &error));
        g_assert_cmpint(error.code, ==, bad[i].code);
        g_assert_cmpuint(text.len, ==, 0);
    }
    LyKey *bare = ly_key_new_public(crypto, ly_key_blob(key), &error);
    g_assert_false(ly_key_write_private(crypto, bare, LY_KEY_PPK3, NULL, &text, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_INVALID);
    ly_key_unref(bare);

    /* A comment cannot start another line. */
    LyKey *odd = ly_key_new_commented(key, LY_BYTES("a\r\nEncryption: none\0 \xff\xc3\xa4 "));
    g_assert_true(ly_key_write_private(crypto, odd, LY_KEY_PPK2, NULL, &text, &error));
    LyKey *again = ly_key_read(crypto, ly_buf_bytes(&text), NULL, &error);
    g_assert_true(again && ly_bytes_is(ly_key_comment(again), "a  Encryption: none  \xff\xc3\xa4 "));
    ly_key_unref(again);
    ly_key_unref(odd);
    ly_key_unref(key);
}

/* A line missing, or doubled, or with its value changed. */
static void test_lines(void)
{
    for (size_t i = 0; i < LY_COUNT(ppk_samples); i++) {
        const PpkSample *sample = &ppk_samples[i];
        g_auto(GStrv) lines = g_strsplit(sample->text, "\n", -1);
        unsigned count = g_strv_length(lines) - 1; /* the last one is empty */
        for (unsigned n = 0; n < count; n++) {
            g_autoptr(GString) without = g_string_new(NULL), twice = g_string_new(NULL);
            for (unsigned k = 0; k < count; k++) {
                if (k != n)
                    g_string_append_printf(without, "%s\n", lines[k]);
                g_string_append_printf(twice, k == n ? "%s\n%s\n" : "%s\n", lines[k], lines[k]);
            }
            g_assert_null(read_str(without->str, &secret, NULL));
            if (n + 1 < count) /* what follows the last line is not looked at */
                g_assert_null(read_str(twice->str, &secret, NULL));
            const char *colon = strchr(lines[n], ':');
            /* Version 1's MAC leaves out the comment. */
            if (!colon || (sample->format == LY_KEY_PPK1 && g_str_has_prefix(lines[n], "Comment")))
                continue;
            g_autofree char *longer = g_strconcat(lines[n], "1", NULL);
            g_autofree char *text = replace(sample->text, lines[n], longer);
            g_assert_null(read_str(text, &secret, NULL));
        }
    }
}

static void test_limits(void)
{
    static const struct {
        const char *old, *new, *word;
        LyErrorCode code;
    } rows[] = {
        {"Memory: 64", "Memory: 0", "24 KiB", LY_ERROR_INVALID},
        {"Memory: 64", "Memory: 1", "24 KiB", LY_ERROR_INVALID},
        {"Memory: 64", "Memory: 23", "24 KiB", LY_ERROR_INVALID},
        {"Memory: 64", "Memory: 4097", "4097 KiB", LY_ERROR_LIMIT},
        {"Memory: 64", "Memory: 4294967295", "4294967295 KiB", LY_ERROR_LIMIT},
        {"Memory: 64", "Memory: 4294967296", "Argon2-Memory", LY_ERROR_INVALID},
        {"Memory: 64", "Memory: -1", "Argon2-Memory", LY_ERROR_INVALID},
        {"Memory: 64", "Memory: 0x40", "Argon2-Memory", LY_ERROR_INVALID},
        {"Passes: 2", "Passes: 0", "pass", LY_ERROR_INVALID},
        {"Passes: 2", "Passes: 257", "257 passes", LY_ERROR_LIMIT},
        {"Passes: 2", "Passes: 4294967295", "passes", LY_ERROR_LIMIT},
        {"Parallelism: 3", "Parallelism: 0", "lanes", LY_ERROR_INVALID},
        {"Parallelism: 3", "Parallelism: 9", "72 KiB", LY_ERROR_INVALID},
        {"Parallelism: 3", "Parallelism: 16777216", "lanes", LY_ERROR_INVALID},
        {"Parallelism: 3", "Parallelism: 4294967295", "lanes", LY_ERROR_INVALID},
        {"Salt: ", "Salt: 12", "passphrase", LY_ERROR_PASSPHRASE},
        {"Salt: ", "Salt: 1", "Argon2-Salt", LY_ERROR_INVALID},
        {"Salt: ", "Salt: zz", "Argon2-Salt", LY_ERROR_INVALID},
        {"Public-Lines: 2", "Public-Lines: 0", "Key-Derivation", LY_ERROR_INVALID},
        {"Public-Lines: 2", "Public-Lines: 4294967295", "cut short", LY_ERROR_INVALID},
        {"Public-Lines: 2", "Public-Lines: 4294967296", "Public-Lines", LY_ERROR_INVALID},
        {"Public-Lines: 2", "Public-Lines: -1", "Public-Lines", LY_ERROR_INVALID},
        {"Private-Lines: 1", "Private-Lines: 4294967295", "cut short", LY_ERROR_INVALID},
        {"Private-Lines: 1", "Private-Lines: -2", "Private-Lines", LY_ERROR_INVALID},
        {"-File-3", "-File-4", "version", LY_ERROR_UNSUPPORTED},
        {"-File-3", "-File-0", "version", LY_ERROR_UNSUPPORTED},
        {"-File-3", "-File-", "version", LY_ERROR_UNSUPPORTED},
        {"-File-3", "-File-2", "Private-Lines", LY_ERROR_INVALID},
        {"3: ssh-ed25519", "3: ssh-rsa", "its key is ssh-ed25519", LY_ERROR_INVALID},
        {"aes256-cbc", "aes256-ctr", "aes256-ctr", LY_ERROR_UNSUPPORTED},
        {"aes256-cbc", "none", "Private-Lines", LY_ERROR_INVALID},
        {"Argon2id", "Argon2x", "Argon2x", LY_ERROR_UNSUPPORTED},
        {"Argon2id", "argon2id", "argon2id", LY_ERROR_UNSUPPORTED},
        {"Argon2id", "Argon2i", "passphrase", LY_ERROR_PASSPHRASE},
        {"Comment: ", "Comment:x", "Comment", LY_ERROR_INVALID},
    };
    const char *text = find_sample(LY_KEY_PPK3, "ssh-ed25519", "argon2id")->text;
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        g_autofree char *changed = replace(text, rows[i].old, rows[i].new);
        assert_refused(changed, rows[i].code, rows[i].word);
    }
    /* What costs too much is shown all the same. */
    g_autofree char *costly = replace(text, "Memory: 64", "Memory: 5000");
    LyKeyFile file;
    g_assert_true(ly_key_file_read(crypto, ly_bytes_str(costly), &secret, &file, NULL));
    g_assert_true(file.entries[0].error.code == LY_ERROR_LIMIT && file.entries[0].key);
    g_assert_cmpuint(file.entries[0].kdf.memory_kib, ==, 5000);
    ly_key_file_clear(&file);
    /* Damage of what is not encrypted is no passphrase's fault. */
    const char *plain = find_sample(LY_KEY_PPK2, "ssh-rsa", NULL)->text;
    g_autofree char *other = replace(plain, "Comment: c", "Comment: d");
    assert_refused(other, LY_ERROR_INVALID, "damaged");
    /* PuTTY's comment would end at the NUL. */
    g_autofree char *nul = g_strdup(plain);
    size_t len = strlen(nul);
    *strstr(nul, "c rsa") = 0;
    LyError error = {0};
    g_assert_null(ly_key_read(crypto, ly_bytes(nul, len), NULL, &error));
    g_assert_true(error.code == LY_ERROR_INVALID && strstr(error.message, "NUL"));
}

/* Cut at each byte and flipped at each bit: an error or the same key. Version 1 says nothing about its
 * comment. */
static void test_damage(void)
{
    const PpkSample *samples[] = {
        find_sample(LY_KEY_PPK3, "ssh-ed25519", "argon2id"), find_sample(LY_KEY_PPK3, "ssh-ed448", NULL),
        find_sample(LY_KEY_PPK2, "ssh-ed25519", "sha1"),     find_sample(LY_KEY_PPK2, "ssh-rsa", NULL),
        find_sample(LY_KEY_PPK1, "ssh-dss", NULL),           find_sample(LY_KEY_PPK1, "ssh-rsa", "sha1")};
    for (size_t i = 0; i < LY_COUNT(samples); i++) {
        size_t len = strlen(samples[i]->text);
        char sha256[100];
        for (size_t cut = 0; cut + 1 < len; cut++) {
            g_autofree char *copy = g_memdup2(samples[i]->text, cut); /* so that reading on is seen */
            g_assert_null(ly_key_read(crypto, ly_bytes(copy, cut), &secret, NULL));
        }
        g_autofree char *copy = g_strdup(samples[i]->text);
        for (size_t bit = 0; bit < len * 8; bit++) {
            copy[bit / 8] ^= (char)(1 << bit % 8);
            LyError error = {0};
            LyKey *key = ly_key_read(crypto, ly_bytes(copy, len), &secret, &error);
            copy[bit / 8] ^= (char)(1 << bit % 8);
            g_assert_true((key == NULL) == (error.code != LY_OK));
            if (!key)
                continue;
            ly_key_fingerprint(crypto, ly_key_plain_blob(key), LY_SHA256, sha256);
            g_assert_cmpstr(sha256, ==, samples[i]->sha256);
            g_assert_true(ly_key_check(key, NULL));
            g_assert_true(samples[i]->format == LY_KEY_PPK1 ||
                          ly_bytes_is(ly_key_comment(key), samples[i]->comment));
            ly_key_unref(key);
        }
    }
}

/* A version 2 file of these parts, with a right MAC. */
static char *make_file(const char *type, LyBytes blob, LyBytes private_part)
{
    LyPpk ppk = {.version = 2, .type = ly_bytes_str(type), .comment = LY_BYTES("x"), .public_blob = blob};
    LyPpkKeys keys;
    uint8_t mac[LY_HASH_MAX];
    size_t len;
    g_assert_true(ly_ppk_derive(crypto, &ppk, (LyBytes){0}, &keys, NULL));
    g_assert_true(ly_ppk_mac(crypto, &ppk, &keys, private_part, mac, &len, NULL));
    g_autofree char *public_text = g_base64_encode(blob.data, blob.len);
    g_autofree char *private_text = g_base64_encode(private_part.data, private_part.len);
    GString *text = g_string_new(NULL);
    g_string_printf(text,
                    "PuTTY-User-Key-File-2: %s\nEncryption: none\nComment: x\nPublic-Lines: 1\n%s\n"
                    "Private-Lines: 1\n%s\nPrivate-MAC: ",
                    type, public_text, private_text);
    for (size_t i = 0; i < len; i++)
        g_string_append_printf(text, "%02x", mac[i]);
    return g_string_free(text, FALSE);
}

static void test_seeds(void)
{
    /* Old PuTTY left out the zero bytes at the end of a seed, which it took for a number. */
    uint8_t seed[32] = {1, 2, 3};
    LY_AUTO(ly_buf_free) LyBuf blob = {0}, public_key = {0}, private_part = {0};
    LyError error = {0};
    g_assert_true(ly_pk_derive_public(crypto, LY_PK_ED25519, 0, NULL, ly_bytes(seed, sizeof seed),
                                      &public_key, &error));
    ly_put_cstring(&blob, "ssh-ed25519");
    ly_put_string(&blob, ly_buf_bytes(&public_key));
    static const struct {
        size_t len;
        bool read, fits;
    } rows[] = {{3, true, true}, {31, true, true}, {32, true, true}, {2, true, false}, {33, true, true}};
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        uint8_t longer[40] = {0};
        memcpy(longer, seed, sizeof seed);
        ly_buf_clear(&private_part);
        ly_put_string(&private_part, ly_bytes(longer, rows[i].len));
        g_autofree char *text = make_file("ssh-ed25519", ly_buf_bytes(&blob), ly_buf_bytes(&private_part));
        LyKey *key = read_str(text, NULL, &error);
        g_assert_true((key != NULL) == rows[i].read);
        g_assert_true(ly_key_check(key, NULL) == rows[i].fits);
        ly_key_unref(key);
    }
    /* Too long, and followed by a byte. */
    uint8_t all[33];
    memset(all, 7, sizeof all);
    ly_buf_clear(&private_part);
    ly_put_string(&private_part, ly_bytes(all, 33));
    g_autofree char *too_long = make_file("ssh-ed25519", ly_buf_bytes(&blob), ly_buf_bytes(&private_part));
    assert_refused(too_long, LY_ERROR_INVALID, "private part");
    ly_buf_clear(&private_part);
    ly_put_string(&private_part, ly_bytes(seed, 32));
    ly_put_u8(&private_part, 0);
    g_autofree char *followed = make_file("ssh-ed25519", ly_buf_bytes(&blob), ly_buf_bytes(&private_part));
    assert_refused(followed, LY_ERROR_INVALID, "private part");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    g_test_add_func("/ppk/read", test_read);
    g_test_add_func("/ppk/tolerance", test_tolerance);
    g_test_add_func("/ppk/write", test_write);
    g_test_add_func("/ppk/write-costs", test_write_costs);
    g_test_add_func("/ppk/lines", test_lines);
    g_test_add_func("/ppk/limits", test_limits);
    g_test_add_func("/ppk/damage", test_damage);
    g_test_add_func("/ppk/seeds", test_seeds);
    int status = g_test_run();
    ly_crypto_unref(crypto);
    return status;
}
