/* core/key: SSHSIG signatures. */
#include <glib.h>

#include "base/auto.h"
#include "base/base64.h"
#include "key-samples.h"
#include "key/read.h"
#include "key/sshsig.h"
#include "sshsig-samples.h"

#define BEGIN "-----BEGIN SSH SIGNATURE-----"
#define END "-----END SSH SIGNATURE-----"

static LyCrypto *crypto;
static const LyBytes file = {(const uint8_t *)"file", 4};

typedef struct Digest {
    uint8_t bytes[LY_HASH_MAX];
    LyBytes view;
} Digest;

static LyBytes digest_of(const char *message, LyHash hash, Digest *digest)
{
    LyBytes bytes = ly_bytes_str(message);
    g_assert_true(ly_hash(crypto, hash, &bytes, 1, digest->bytes));
    return digest->view = ly_bytes(digest->bytes, ly_hash_len(hash));
}

static const char *sample(const char *name)
{
    for (size_t i = 0; i < LY_COUNT(sshsig_samples); i++)
        if (strcmp(sshsig_samples[i].name, name) == 0)
            return sshsig_samples[i].text;
    g_assert_not_reached();
}

static LyKey *private_key(const char *name)
{
    for (size_t i = 0; i < LY_COUNT(private_samples); i++) {
        if (strcmp(private_samples[i].name, name) == 0) {
            LyKey *key = ly_key_read(crypto, ly_bytes_str(private_samples[i].text), NULL, NULL);
            g_assert_nonnull(key);
            return key;
        }
    }
    g_assert_not_reached();
}

/* Reads and verifies over sshsig_message. */
static bool holds(LyBytes text, uint8_t *sk_flags, LyError *error)
{
    Digest digest;
    LySshsig *sshsig = ly_sshsig_read(crypto, text, error);
    bool good =
        sshsig && ly_sshsig_verify(sshsig, file, digest_of(sshsig_message, ly_sshsig_hash(sshsig), &digest),
                                   sk_flags, error);
    ly_sshsig_free(sshsig);
    return good;
}

static void test_samples(void)
{
    for (size_t i = 0; i < LY_COUNT(sshsig_samples); i++) {
        const char *name = sshsig_samples[i].name;
        bool sha256 = g_str_has_suffix(name, " sha256"), sk = g_str_has_prefix(name, "sk ");
        LyError error = {0};
        Digest digest;
        uint8_t sk_flags = 0x55;
        LySshsig *sshsig = ly_sshsig_read(crypto, ly_bytes_str(sshsig_samples[i].text), &error);
        g_assert_cmpstr(error.message, ==, "");
        g_assert_nonnull(sshsig);
        g_assert_cmpint(ly_sshsig_hash(sshsig), ==, sha256 ? LY_SHA256 : LY_SHA512);
        g_assert_true(ly_bytes_equal(ly_sshsig_namespace(sshsig), file));
        g_assert_cmpint(ly_key_is_certificate(ly_sshsig_key(sshsig)), ==, g_str_has_prefix(name, "cert"));
        digest_of(sshsig_message, ly_sshsig_hash(sshsig), &digest);
        bool good = ly_sshsig_verify(sshsig, file, digest.view, &sk_flags, &error);
        g_assert_cmpstr(error.message, ==, "");
        g_assert_true(good);
        g_assert_cmpuint(sk_flags, ==, sk ? 1 : 0x55);
        g_assert_true(ly_sshsig_verify(sshsig, file, digest.view, NULL, NULL));
        g_assert_false(ly_sshsig_verify(sshsig, LY_BYTES("git"), digest.view, NULL, &error));
        g_assert_cmpint(error.code, ==, LY_ERROR_VERIFY);
        g_assert_cmpstr(error.message, ==, "the signature is for the namespace \"file\" and not for \"git\"");
        digest_of("another message\n", ly_sshsig_hash(sshsig), &digest);
        g_assert_false(ly_sshsig_verify(sshsig, file, digest.view, NULL, &error));
        g_assert_cmpint(error.code, ==, LY_ERROR_VERIFY);
        g_assert_false(ly_sshsig_verify(sshsig, file, ly_bytes(digest.bytes, 20), NULL, &error));
        ly_sshsig_free(sshsig);
    }
}

static void test_sign(void)
{
    /* `same`: its signatures do not depend on chance, so that they are those of ssh-keygen. */
    static const struct {
        const char *key, *certificate, *sample;
        LyHash hash;
        bool same;
    } rows[] = {
        {"ed25519", NULL, "ed25519", LY_SHA512, true},
        {"ed25519", NULL, "ed25519 sha256", LY_SHA256, true},
        {"ed25519", cert_user, "cert_user", LY_SHA512, true},
        {"rsa", NULL, "rsa", LY_SHA512, true},
        {"rsa", NULL, "rsa sha256", LY_SHA256, true},
        {"rsa", cert_user_rsaca, "cert_user_rsaca", LY_SHA512, true},
        {"rsa1024", NULL, "rsa1024", LY_SHA512, true},
        {"ecdsa256", NULL, "ecdsa256 sha256", LY_SHA256, false},
        {"ecdsa384", NULL, NULL, LY_SHA512, false},
        {"ecdsa521", NULL, NULL, LY_SHA512, false},
        {"dsa", NULL, NULL, LY_SHA512, false},
        {"ed448.p8", NULL, NULL, LY_SHA256, false},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LY_AUTO(ly_buf_free) LyBuf out = {0};
        LyError error = {0};
        Digest digest;
        LyKey *key = private_key(rows[i].key);
        if (rows[i].certificate) {
            LyKey *line = ly_key_read_line(crypto, ly_bytes_str(rows[i].certificate), NULL), *plain = key;
            key = ly_key_new_certified(plain, ly_key_blob(line), NULL);
            ly_key_unref(plain);
            ly_key_unref(line);
        }
        digest_of(sshsig_message, rows[i].hash, &digest);
        g_assert_true(ly_sshsig_sign(key, file, rows[i].hash, digest.view, &out, &error));
        if (rows[i].same)
            g_assert_cmpstr(ly_buf_str(&out), ==, sample(rows[i].sample));
        g_assert_true(holds(ly_buf_bytes(&out), NULL, &error));
        ly_key_unref(key);
    }
}

static void test_sign_errors(void)
{
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    LyError error = {0};
    Digest digest;
    LyKey *key = private_key("ed25519");
    LyKey *public_half = ly_key_new_public(crypto, ly_key_blob(key), NULL);
    digest_of("m", LY_SHA512, &digest);
    g_assert_false(ly_sshsig_sign(key, (LyBytes){0}, LY_SHA512, digest.view, &out, &error));
    g_assert_nonnull(strstr(error.message, "namespace"));
    g_assert_false(ly_sshsig_sign(key, file, LY_SHA256, digest.view, &out, &error));
    g_assert_cmpstr(error.message, ==, "a sha256 digest has 32 bytes and not 64");
    g_assert_false(ly_sshsig_sign(key, file, LY_SHA384, ly_bytes(digest.bytes, 48), &out, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_INVALID);
    g_assert_false(ly_sshsig_sign(key, file, LY_SHA1, ly_bytes(digest.bytes, 20), &out, NULL));
    g_assert_false(ly_sshsig_sign(public_half, file, LY_SHA512, digest.view, &out, &error));
    g_assert_cmpuint(out.len, ==, 0);
    ly_key_unref(public_half);
    ly_key_unref(key);
}

/* What mail programs and web pages do to a text. */
static void test_armour(void)
{
    const char *text = sample("ed25519");
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autofree char *crlf = g_strjoinv("\r\n", lines), *cr = g_strjoinv("\r", lines);
    g_autofree char *indented = g_strjoinv("\n\t ", lines), *joined = g_strjoinv(" ", lines);
    g_autofree char *base64 = g_strjoin("", lines[1], lines[2], lines[3], lines[4], NULL);
    g_autofree char *unbroken = g_strdup_printf(BEGIN "%s" END, base64);
    g_autofree char *blanks = g_strjoinv("  \n\n", lines);
    g_autofree char *around =
        g_strdup_printf("Dear Bob,\n\"" BEGIN "\" starts it:\n%sYours\n" BEGIN "\n", text);
    g_autofree char *bom = g_strdup_printf("\xef\xbb\xbf%s", text);
    g_autofree char *two = g_strdup_printf("%s%s", text, sample("rsa"));
    const char *good[] = {crlf, cr, indented, joined, unbroken, blanks, around, bom, two};
    g_assert_nonnull(lines[5]);
    for (size_t i = 0; i < LY_COUNT(good); i++) {
        LyError error = {0};
        bool read = holds(ly_bytes_str(good[i]), NULL, &error);
        g_assert_cmpstr(error.message, ==, "");
        g_assert_true(read);
    }
}

static void put_blob(LyBytes blob, LyBuf *out)
{
    ly_buf_clear(out);
    ly_buf_add_str(out, BEGIN "\n");
    ly_base64_encode(out, blob, 70);
    ly_buf_add_str(out, END "\n");
}

static void make_blob(const char *magic, uint32_t version, LyBytes key, const char *name_space,
                      const char *hash, LyBytes signature, bool more, LyBuf *text)
{
    LY_AUTO(ly_buf_free) LyBuf blob = {0};
    ly_buf_add_str(&blob, magic);
    ly_put_u32(&blob, version);
    ly_put_string(&blob, key);
    ly_put_cstring(&blob, name_space);
    ly_put_cstring(&blob, "");
    ly_put_cstring(&blob, hash);
    ly_put_string(&blob, signature);
    if (more)
        ly_put_u8(&blob, 0);
    put_blob(ly_buf_bytes(&blob), text);
}

static void test_read_errors(void)
{
    static const struct {
        const char *magic;
        uint32_t version;
        const char *name_space, *hash;
        bool key, more;
        LyErrorCode code;
        const char *message;
    } rows[] = {
        {"SSHSIG", 1, "file", "sha512", true, false, LY_OK, ""},
        {"SSHSIK", 1, "file", "sha512", true, false, LY_ERROR_INVALID, "does not start with SSHSIG"},
        {"SSHSIG", 2, "file", "sha512", true, false, LY_ERROR_UNSUPPORTED, "has version 2"},
        {"SSHSIG", 0, "file", "sha512", true, false, LY_ERROR_UNSUPPORTED, "has version 0"},
        {"SSHSIG", 1, "", "sha512", true, false, LY_ERROR_INVALID, "empty namespace"},
        {"SSHSIG", 1, "file", "sha384", true, false, LY_ERROR_UNSUPPORTED, "\"sha384\""},
        {"SSHSIG", 1, "file", "md5", true, false, LY_ERROR_UNSUPPORTED, "\"md5\""},
        {"SSHSIG", 1, "file", "SHA512", true, false, LY_ERROR_UNSUPPORTED, "\"SHA512\""},
        {"SSHSIG", 1, "file", "sha512", false, false, LY_ERROR_INVALID, "the key in the SSH signature: "},
        {"SSHSIG", 1, "file", "sha512", true, true, LY_ERROR_INVALID, "bytes follow it"},
    };
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    LyKey *key = private_key("ed25519");
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LyError error = {0};
        make_blob(rows[i].magic, rows[i].version, rows[i].key ? ly_key_blob(key) : LY_BYTES(""),
                  rows[i].name_space, rows[i].hash, LY_BYTES("x"), rows[i].more, &text);
        LySshsig *sshsig = ly_sshsig_read(crypto, ly_buf_bytes(&text), &error);
        g_assert_cmpint(sshsig == NULL, ==, rows[i].code != LY_OK);
        g_assert_cmpint(error.code, ==, rows[i].code);
        g_assert_nonnull(strstr(error.message, rows[i].message));
        ly_sshsig_free(sshsig);
    }
    static const struct {
        const char *text, *message;
        LyErrorCode code;
    } texts[] = {
        {"", "there is no line " BEGIN, LY_ERROR_INVALID},
        {"x " BEGIN "\n" END "\n", "there is no line " BEGIN, LY_ERROR_INVALID},
        {BEGIN "\nAAAA\n", "there is no line " END, LY_ERROR_INVALID},
        {BEGIN "\nAAA\n" END "\n", "not base64", LY_ERROR_INVALID},
        {BEGIN "\nA_-A\n" END "\n", "not base64", LY_ERROR_INVALID},
        {BEGIN "\n" END "\n", "does not start with", LY_ERROR_INVALID},
        {BEGIN "\nU1NIU0lH\n" END "\n", "does not start with", LY_ERROR_INVALID},
    };
    for (size_t i = 0; i < LY_COUNT(texts); i++) {
        LyError error = {0};
        g_assert_null(ly_sshsig_read(crypto, ly_bytes_str(texts[i].text), &error));
        g_assert_cmpint(error.code, ==, texts[i].code);
        g_assert_nonnull(strstr(error.message, texts[i].message));
    }
    LyError error = {0};
    g_autofree char *much = g_strnfill(400000, 'A');
    make_blob("SSHSIG", 1, ly_bytes_str(much), "file", "sha512", LY_BYTES("x"), false, &text);
    g_assert_null(ly_sshsig_read(crypto, ly_buf_bytes(&text), &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_LIMIT);
    ly_key_unref(key);
}

/* A key that may sign in SSH, but not so here. */
static void test_algorithms(void)
{
    LY_AUTO(ly_buf_free) LyBuf data = {0}, text = {0};
    LyError error = {0};
    Digest digest;
    LyKey *key = private_key("rsa");
    digest_of(sshsig_message, LY_SHA512, &digest);
    g_assert_true(ly_sshsig_put_signed_data(file, LY_SHA512, digest.view, &data, NULL));
    static const struct {
        const char *algorithm;
        bool good;
    } rows[] = {{"rsa-sha2-256", true}, {"rsa-sha2-512", true}, {"ssh-rsa", false}};
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LY_AUTO(ly_buf_free) LyBuf signature = {0};
        g_assert_true(
            ly_key_sign(key, ly_bytes_str(rows[i].algorithm), ly_buf_bytes(&data), &signature, NULL));
        ly_buf_clear(&text);
        ly_sshsig_write(ly_key_blob(key), file, LY_SHA512, ly_buf_bytes(&signature), &text);
        g_assert_cmpint(holds(ly_buf_bytes(&text), NULL, &error), ==, rows[i].good);
    }
    g_assert_cmpint(error.code, ==, LY_ERROR_VERIFY);
    g_assert_nonnull(strstr(error.message, "\"ssh-rsa\" is not allowed"));
    /* A certificate that its CA signed with SHA-1. */
    LY_AUTO(ly_buf_free) LyBuf signature = {0};
    LyKey *line = ly_key_read_line(crypto, ly_bytes_str(cert_user_sha1), NULL);
    g_assert_true(ly_key_sign(key, (LyBytes){0}, ly_buf_bytes(&data), &signature, NULL));
    ly_buf_clear(&text);
    ly_sshsig_write(ly_key_blob(line), file, LY_SHA512, ly_buf_bytes(&signature), &text);
    g_assert_false(holds(ly_buf_bytes(&text), NULL, &error));
    g_assert_nonnull(strstr(error.message, "the CA's signature does not hold"));
    ly_key_unref(line);
    ly_key_unref(key);
}

static void test_damage(void)
{
    static const char *const names[] = {"ed25519",   "ecdsa256",   "rsa1024",
                                        "cert_user", "sk ed25519", "sk ecdsa"};
    for (size_t i = 0; i < LY_COUNT(names); i++) {
        LyBytes text = ly_bytes_str(sample(names[i]));
        size_t body = strlen(BEGIN) + 1;
        LY_AUTO(ly_buf_free) LyBuf blob = {0}, damaged = {0};
        g_assert_true(
            ly_base64_decode(&blob, ly_bytes_slice(text, body, text.len - body - strlen(END) - 1), true));
        put_blob(ly_buf_bytes(&blob), &damaged);
        g_assert_true(holds(ly_buf_bytes(&damaged), NULL, NULL));
        for (size_t bit = 0; bit < blob.len * 8; bit++) {
            blob.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            put_blob(ly_buf_bytes(&blob), &damaged);
            g_assert_false(holds(ly_buf_bytes(&damaged), NULL, NULL));
            blob.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t len = 0; len < blob.len; len++) {
            put_blob(ly_bytes(blob.data, len), &damaged);
            g_assert_false(holds(ly_buf_bytes(&damaged), NULL, NULL));
        }
    }
    /* The armour: but for the last line's end, every character counts. */
    g_autofree char *copy = g_strdup(sample("ed25519"));
    size_t len = strlen(copy) - 1;
    for (size_t cut = 0; cut < len; cut++)
        g_assert_false(holds(ly_bytes(copy, cut), NULL, NULL));
    g_assert_true(holds(ly_bytes(copy, len), NULL, NULL));
    for (size_t bit = 0; bit < len * 8; bit++) {
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
        g_assert_false(holds(ly_bytes(copy, len), NULL, NULL));
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    g_assert_nonnull(crypto);
    g_test_add_func("/sshsig/samples", test_samples);
    g_test_add_func("/sshsig/sign", test_sign);
    g_test_add_func("/sshsig/sign-errors", test_sign_errors);
    g_test_add_func("/sshsig/armour", test_armour);
    g_test_add_func("/sshsig/read-errors", test_read_errors);
    g_test_add_func("/sshsig/algorithms", test_algorithms);
    g_test_add_func("/sshsig/damage", test_damage);
    int status = g_test_run();
    ly_crypto_unref(crypto);
    return status;
}
