/* core/key: every key file of a large set, damaged: each bit of its binary structure turned over, each bit of
 * the lines around it, cut at each byte. An error or the same key, never another one that would sign. The
 * unit suite takes samples of the places; -m thorough takes all. */
#include <glib.h>

#include "base/auto.h"
#include "base/base64.h"
#include "key-samples-read.h"
#include "key-samples.h"
#include "key/read.h"
#include "key/write.h"

static LyCrypto *crypto;

static const LyKeyReadOptions secret = {.have_passphrase = true,
                                        .passphrase = {(const uint8_t *)"secret", 6},
                                        .max_bcrypt_rounds = 1,
                                        .max_pbkdf2_iterations = 128,
                                        .max_memory_kib = 256,
                                        .max_memory_passes_kib = 256};

typedef struct Sample {
    char *name, *text;
    LyKey *key;
    bool slow;       /* to open: bcrypt */
    size_t head_len; /* bytes of text in front of the base64 text; 0: there is none apart */
    size_t body_len; /* of the base64 text */
    char *binary;    /* what it decodes to */
    size_t binary_len;
    size_t free_from, free_to; /* of `binary`: what nothing else in the file could contradict */
} Sample;

static GArray *set;

static void clear_sample(gpointer pointer)
{
    Sample *sample = pointer;
    g_free(sample->name);
    g_free(sample->text);
    g_free(sample->binary);
    ly_key_unref(sample->key);
}

/* Finds the base64 text of a block or of a line; what has none apart is damaged as text only. */
static void find_body(Sample *sample)
{
    const char *text = sample->text, *start = NULL, *end = NULL;
    if (strstr(text, "PuTTY-User") == text || text[0] == '{') {
        return;
    } else if (strstr(text, "-- BEGIN ") || strstr(text, "--BEGIN ")) {
        end = strstr(text, "---- END ");
        end = end ? end : strstr(text, "-----END ");
        start = strchr(text, '\n') + 1;
        for (const char *colon = start; (colon = memchr(colon, ':', (size_t)(end - colon))); colon++)
            start = strchr(colon, '\n') + 1;
    } else {
        start = strchr(text, ' ') + 1;
        end = strpbrk(start, " \n");
    }
    LY_AUTO(ly_buf_free) LyBuf binary = {0};
    g_assert_true(ly_base64_decode(&binary, ly_bytes(start, (size_t)(end - start)), true));
    sample->head_len = (size_t)(start - text);
    sample->body_len = (size_t)(end - start);
    sample->binary = g_memdup2(binary.data, binary.len);
    sample->binary_len = binary.len;
    sample->free_from = sample->free_to = binary.len;
}

/* Formats that hold one half only, or an encryption without a MAC over such: a changed number is another key
 * there, and nobody can tell. */
static void find_free(Sample *sample)
{
    static const struct {
        const char *name;
        size_t from, to;
    } rows[] = {{"ec-nopub.pem", 7, 39}, {"ec-nopub.p8", 35, 67}};
    if (!ly_key_has_secret(sample->key)) {
        LyReader reader = ly_reader(ly_bytes(sample->binary, sample->binary_len));
        ly_get_string(&reader);
        sample->free_from = reader.failed ? 5 : sample->binary_len - reader.len;
        return;
    }
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        if (strcmp(sample->name, rows[i].name) == 0) {
            sample->free_from = rows[i].from;
            sample->free_to = rows[i].to;
        }
    }
    bool pkcs8 = strstr(sample->text, "BEGIN PRIVATE KEY");
    bool sealed = strstr(sample->text, "ENCRYPTED PRIVATE KEY-----");
    const LyKeyType *type = ly_key_type(sample->key);
    if (pkcs8 && type->pk == LY_PK_DSA)
        sample->free_from = 24; /* y is derived from the others */
    if (pkcs8 && (sample->binary_len == 48 || sample->binary_len == 73))
        sample->free_from = 16; /* the seed alone */
    if (sealed && type->pk == LY_PK_ED25519)
        sample->free_from = sample->binary_len - 64;
    if (sealed && (type->pk == LY_PK_DSA || type->pk == LY_PK_ED448))
        sample->free_from = 60;
}

static void add_sample(const char *name, const char *text)
{
    LyError error = {0};
    Sample sample = {.name = g_strdup(name), .text = g_strdup(text)};
    sample.key = ly_key_read(crypto, ly_bytes_str(text), &secret, &error);
    if (!sample.key)
        g_error("%s: %s\n%s", name, error.message, text);
    LyKeyFile file;
    g_assert_true(ly_key_file_read(crypto, ly_bytes_str(text), NULL, &file, NULL));
    sample.slow = file.entries[0].kdf.rounds > 0;
    ly_key_file_clear(&file);
    find_body(&sample);
    if (sample.binary)
        find_free(&sample);
    g_array_append_val(set, sample);
}

/* What is written of a key in all formats, with and without a passphrase. */
static void add_written(const char *name, LyKey *key)
{
    static const struct {
        LyKeyFormat format;
        LyKeyKdf kdf; /* without a name: not encrypted */
    } rows[] = {
        {LY_KEY_OPENSSH, {0}},
        {LY_KEY_PEM, {0}},
        {LY_KEY_PEM, {"md5"}},
        {LY_KEY_PKCS8, {0}},
        {LY_KEY_PKCS8, {"pbkdf2", .iterations = 2}},
        {LY_KEY_PKCS8, {"scrypt", .memory_kib = 16, .lanes = 1}},
        {LY_KEY_PPK2, {0}},
        {LY_KEY_PPK2, {"sha1"}},
        {LY_KEY_PPK3, {0}},
        {LY_KEY_PPK3, {"argon2id", .memory_kib = 8, .passes = 1, .lanes = 1}},
        {LY_KEY_JWK, {0}},
    };
    static const LyKeyFormat public_rows[] = {LY_KEY_LINE, LY_KEY_RFC4716, LY_KEY_SPKI, LY_KEY_PEM,
                                              LY_KEY_JWK};
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LY_AUTO(ly_buf_free) LyBuf text = {0};
        LyError error = {0};
        LyKeyWriteOptions options = {.passphrase = rows[i].kdf.name ? secret.passphrase : (LyBytes){0},
                                     .kdf = rows[i].kdf};
        if (!ly_key_write_private(crypto, key, rows[i].format, &options, &text, &error)) {
            if (error.code != LY_ERROR_UNSUPPORTED)
                g_error("%s as %s: %s", name, ly_key_format_name(rows[i].format), error.message);
            continue;
        }
        g_autofree char *full = g_strdup_printf("%s %s %s", name, ly_key_format_name(rows[i].format),
                                                rows[i].kdf.name ? rows[i].kdf.name : "");
        add_sample(full, ly_buf_str(&text));
    }
    for (size_t i = 0; i < LY_COUNT(public_rows); i++) {
        LY_AUTO(ly_buf_free) LyBuf text = {0};
        if (!ly_key_write_public(key, public_rows[i], &text, NULL))
            continue;
        g_autofree char *full = g_strdup_printf("%s public %s", name, ly_key_format_name(public_rows[i]));
        add_sample(full, ly_buf_str(&text));
    }
}

static void make_set(void)
{
    set = g_array_new(FALSE, FALSE, sizeof(Sample));
    g_array_set_clear_func(set, clear_sample);
    for (size_t i = 0; i < LY_COUNT(private_samples); i++)
        add_sample(private_samples[i].name, private_samples[i].text);
    for (size_t i = 0; i < LY_COUNT(other_public_samples); i++)
        add_sample(other_public_samples[i].name, other_public_samples[i].text);
    for (size_t i = 0; i < LY_COUNT(public_samples); i++)
        add_sample(public_samples[i].name, public_samples[i].line);
    for (size_t i = 0; i < LY_COUNT(format_samples); i++)
        add_sample(format_samples[i].name, format_samples[i].text);
    add_sample("certificate", cert_user);
    static const char *const written[] = {"ed25519", "ecdsa256", "rsa1024", "dsa", "ed448.p8"};
    for (size_t i = 0; i < LY_COUNT(written); i++) {
        for (size_t k = 0; k < LY_COUNT(private_samples); k++) {
            if (strcmp(private_samples[k].name, written[i]) != 0)
                continue;
            LyKey *key = ly_key_read(crypto, ly_bytes_str(private_samples[k].text), NULL, NULL);
            add_written(written[i], key);
            ly_key_unref(key);
        }
    }
    g_assert_cmpuint(set->len, >=, 100);
}

/* `free`: the place is one where another key may come out. */
static void check_damaged(const Sample *sample, LyBytes text, bool open, bool is_free, const char *what,
                          size_t where)
{
    LyError error = {0};
    LyKey *key = ly_key_read(crypto, text, open ? &secret : NULL, &error);
    g_assert_true((key == NULL) == (error.code != LY_OK) && (key == NULL) == (error.message[0] != 0));
    if (key && !is_free && !ly_key_equal_public(key, sample->key)) {
        bool harmless = ly_key_is_private(sample->key) && ly_key_is_private(key) && !ly_key_check(key, NULL);
        if (!harmless)
            g_error("%s became another key, %s %zu:\n%.*s", sample->name, what, where, (int)text.len,
                    (const char *)text.data);
    }
    ly_key_unref(key);
}

static size_t step_of(const Sample *sample, bool open)
{
    if (g_test_thorough())
        return sample->slow && open ? 113 : 1;
    return sample->slow && open ? 499 : 61;
}

/* Every bit of the binary form. */
static void flip_binary(const Sample *sample, bool open)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    size_t step = step_of(sample, open);
    for (size_t bit = 0; bit < sample->binary_len * 8; bit += step) {
        size_t at = bit / 8;
        sample->binary[at] ^= (char)(1 << bit % 8);
        ly_buf_clear(&text);
        ly_buf_add(&text, ly_bytes(sample->text, sample->head_len));
        ly_base64_encode(&text, ly_bytes(sample->binary, sample->binary_len), 0);
        ly_buf_add_str(&text, "\n");
        ly_buf_add_str(&text, sample->text + sample->head_len + sample->body_len);
        check_damaged(sample, ly_buf_bytes(&text), open, at >= sample->free_from && at < sample->free_to,
                      "bit of the binary form", bit);
        sample->binary[at] ^= (char)(1 << bit % 8);
    }
}

/* Every bit of the text around it; of PPK and JWK, which have no binary form as a whole, of all. */
static void flip_text(const Sample *sample, bool open)
{
    size_t len = strlen(sample->text), step = step_of(sample, open);
    g_autofree char *copy = g_strdup(sample->text);
    bool public_json = sample->text[0] == '{' && !ly_key_has_secret(sample->key);
    for (size_t bit = 0; bit < len * 8; bit += step) {
        size_t at = bit / 8;
        if (sample->binary && at >= sample->head_len && at < sample->head_len + sample->body_len)
            continue;
        copy[at] ^= (char)(1 << bit % 8);
        check_damaged(sample, ly_bytes(copy, len), open, public_json, "bit of the text", bit);
        copy[at] ^= (char)(1 << bit % 8);
    }
}

static void cut(const Sample *sample, bool open)
{
    size_t len = strlen(sample->text), step = MAX(step_of(sample, open) / 8, 1);
    for (size_t at = 0; at < len; at += step) {
        g_autofree char *copy = g_memdup2(sample->text, at); /* so that reading too far is seen */
        check_damaged(sample, ly_bytes(copy, at), open, false, "cut at", at);
    }
}

static void test_each(void (*damage)(const Sample *sample, bool open))
{
    for (guint i = 0; i < set->len; i++) {
        const Sample *sample = &g_array_index(set, Sample, i);
        if (damage == flip_binary && !sample->binary)
            continue;
        if (sample->slow)
            damage(sample, false);
        damage(sample, true);
    }
}

static void test_flip_binary(void)
{
    test_each(flip_binary);
}

static void test_flip_text(void)
{
    test_each(flip_text);
}

static void test_cut(void)
{
    test_each(cut);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    g_assert_nonnull(crypto);
    make_set();
    g_test_add_func("/key-flips/binary", test_flip_binary);
    g_test_add_func("/key-flips/text", test_flip_text);
    g_test_add_func("/key-flips/cut", test_cut);
    int status = g_test_run();
    g_array_unref(set);
    ly_crypto_unref(crypto);
    return status;
}
