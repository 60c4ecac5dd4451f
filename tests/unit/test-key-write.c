/* core/key: keys out in every format and read back; DER byte by byte against what openssl writes. */
#include <glib.h>

#include "base/auto.h"
#include "base/base64.h"
#include "key-samples.h"
#include "key/certificate.h"
#include "key/der.h"
#include "key/key-private.h"
#include "key/read.h"
#include "key/write.h"

static LyCrypto *crypto;

static const LyKeyReadOptions secret = {.have_passphrase = true,
                                        .passphrase = {(const uint8_t *)"secret", 6},
                                        .max_bcrypt_rounds = 2,
                                        .max_pbkdf2_iterations = 2048,
                                        .max_memory_kib = 1024};

static LyKey *read_key(const char *text)
{
    LyError error = {0};
    LyKey *key = ly_key_read(crypto, ly_bytes_str(text), &secret, &error);
    if (!key)
        g_error("%s", error.message);
    return key;
}

static LyKey *sample(const char *name)
{
    for (size_t i = 0; i < LY_COUNT(private_samples); i++)
        if (strcmp(private_samples[i].name, name) == 0)
            return read_key(private_samples[i].text);
    g_assert_not_reached();
}

/* One of each type and curve, and RSA in two sizes. */
static const char *const each_type[] = {"ed25519", "ecdsa256", "ecdsa384", "ecdsa521",
                                        "rsa",     "rsa1024",  "dsa",      "ed448.p8"};

static bool pem_has(const LyKey *key)
{
    return ly_key_type(key)->pk != LY_PK_ED25519 && ly_key_type(key)->pk != LY_PK_ED448;
}

/* Writes, reads back and compares; the text ends in a line end and has no NUL. */
static void round_trip(LyKey *key, LyKeyFormat format, const LyKeyWriteOptions *options)
{
    LyError error = {0};
    LY_AUTO(ly_buf_free) LyBuf text = {0}, mine = {0}, theirs = {0};
    if (!ly_key_write_private(crypto, key, format, options, &text, &error))
        g_error("%s as %s: %s", ly_key_type_name(key), ly_key_format_name(format), error.message);
    g_assert_true(text.data[text.len - 1] == '\n' && strlen(ly_buf_str(&text)) == text.len);
    LyKey *again = ly_key_read(crypto, ly_buf_bytes(&text), &secret, &error);
    if (!again)
        g_error("%s", error.message);
    g_assert_true(ly_key_is_private(again) && ly_key_check(again, NULL));
    g_assert_true(ly_key_equal_public(key, again));
    ly_key_put_private(key, &mine);
    ly_key_put_private(again, &theirs);
    /* Of a certified key, formats that know certificates keep both. */
    g_assert_true(ly_bytes_equal(ly_buf_bytes(&mine), ly_buf_bytes(&theirs)));
    ly_key_unref(again);
    if (options && options->passphrase.len) {
        g_assert_null(ly_key_read(crypto, ly_buf_bytes(&text), NULL, &error));
        g_assert_cmpint(error.code, ==, LY_ERROR_PASSPHRASE);
        LyKeyReadOptions wrong = secret;
        wrong.passphrase = LY_BYTES("Secret");
        g_assert_null(ly_key_read(crypto, ly_buf_bytes(&text), &wrong, &error));
    }
}

static void assert_refused(LyKey *key, LyKeyFormat format, LyKeyWriteOptions options, LyErrorCode code)
{
    LyError error = {0};
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    ly_buf_add_str(&text, "before");
    g_assert_false(ly_key_write_private(crypto, key, format, &options, &text, &error));
    if (error.code != code)
        g_error("%s: %s", ly_key_format_name(format), error.message);
    g_assert_cmpstr(ly_buf_str(&text), ==, "before");
}

static void test_round_trips(void)
{
    static const char *const ciphers[] = {NULL,       "aes128-cbc",  "aes192-cbc",
                                          "3des-cbc", "AES-256-CBC", "DES-EDE3-CBC"};
    static const LyKeyKdf kdfs[] = {{.name = "pbkdf2", .iterations = 1},
                                    {.iterations = 2048},
                                    {.name = "scrypt", .memory_kib = 16},
                                    {.name = "scrypt", .memory_kib = 128, .lanes = 3}};
    for (size_t i = 0; i < LY_COUNT(each_type); i++) {
        LyKey *key = sample(each_type[i]);
        LyKeyWriteOptions options = {0};
        round_trip(key, LY_KEY_OPENSSH, NULL);
        round_trip(key, LY_KEY_PKCS8, &options);
        if (pem_has(key))
            round_trip(key, LY_KEY_PEM, NULL);
        round_trip(key, LY_KEY_PPK2, NULL);
        round_trip(key, LY_KEY_PPK3, NULL);
        if (ly_key_type(key)->pk != LY_PK_DSA)
            round_trip(key, LY_KEY_JWK, NULL);
        options.passphrase = secret.passphrase;
        for (size_t k = 0; k < LY_COUNT(ciphers); k++) {
            options.cipher = ciphers[k];
            options.kdf = (LyKeyKdf){.name = k % 2 ? "md5" : NULL};
            if (pem_has(key))
                round_trip(key, LY_KEY_PEM, &options);
            options.kdf = kdfs[k % LY_COUNT(kdfs)];
            round_trip(key, LY_KEY_PKCS8, &options);
        }
        options = (LyKeyWriteOptions){
            .passphrase = secret.passphrase, .cipher = "aes128-ctr", .kdf = {.name = "bcrypt", .rounds = 1}};
        round_trip(key, LY_KEY_OPENSSH, &options);
        options = (LyKeyWriteOptions){.passphrase = secret.passphrase};
        round_trip(key, LY_KEY_PPK2, &options);
        options.kdf = (LyKeyKdf){.name = "argon2i", .memory_kib = 64, .passes = 1, .lanes = 1};
        round_trip(key, LY_KEY_PPK3, &options);
        assert_refused(key, LY_KEY_JWK, options, LY_ERROR_UNSUPPORTED);
        ly_key_unref(key);
    }
}

/* What openssl and ssh-keygen wrote without encryption is written again, to the byte. */
static void test_known_private(void)
{
    static const struct {
        const char *name;
        LyKeyFormat format;
    } known[] = {{"rsa.pem", LY_KEY_PEM},  {"ec256.pem", LY_KEY_PEM}, {"ec521.pem", LY_KEY_PEM},
                 {"dsa.pem", LY_KEY_PEM},  {"rsa.p8", LY_KEY_PKCS8},  {"ec.p8", LY_KEY_PKCS8},
                 {"dsa.p8", LY_KEY_PKCS8}, {"ed.p8", LY_KEY_PKCS8},   {"ed448.p8", LY_KEY_PKCS8}};
    for (size_t i = 0; i < LY_COUNT(known); i++) {
        LyKey *key = sample(known[i].name);
        LY_AUTO(ly_buf_free) LyBuf text = {0};
        g_assert_true(ly_key_write_private(crypto, key, known[i].format, NULL, &text, NULL));
        for (size_t k = 0; k < LY_COUNT(private_samples); k++)
            if (strcmp(private_samples[k].name, known[i].name) == 0)
                g_assert_cmpstr(ly_buf_str(&text), ==, private_samples[k].text);
        ly_key_unref(key);
    }
}

static void test_known_public(void)
{
    for (size_t i = 0; i < LY_COUNT(other_public_samples); i++) {
        LyKey *key = read_key(other_public_samples[i].text);
        bool pkcs1 = strstr(other_public_samples[i].text, "RSA PUBLIC KEY") != NULL;
        LY_AUTO(ly_buf_free) LyBuf text = {0};
        g_assert_true(ly_key_write_public(key, pkcs1 ? LY_KEY_PEM : LY_KEY_SPKI, &text, NULL));
        g_assert_cmpstr(ly_buf_str(&text), ==, other_public_samples[i].text);
        ly_key_unref(key);
    }
    /* All types, from private and public keys alike; PEM is SPKI but for RSA. */
    for (size_t i = 0; i < LY_COUNT(each_type); i++) {
        LyKey *key = sample(each_type[i]);
        LY_AUTO(ly_buf_free) LyBuf spki = {0}, pem = {0}, line = {0}, direct = {0};
        g_assert_true(ly_key_write_public(key, LY_KEY_SPKI, &spki, NULL));
        LyKey *again = read_key(ly_buf_str(&spki));
        g_assert_true(ly_bytes_equal(ly_key_blob(key), ly_key_blob(again)) && !ly_key_has_secret(again));
        g_assert_true(ly_key_write_public(again, LY_KEY_PEM, &pem, NULL));
        g_assert_true((strcmp(ly_buf_str(&pem), ly_buf_str(&spki)) == 0) ==
                      (ly_key_type(key)->pk != LY_PK_RSA));
        ly_key_unref(again);
        again = read_key(ly_buf_str(&pem));
        g_assert_true(ly_bytes_equal(ly_key_blob(key), ly_key_blob(again)));
        g_assert_true(ly_key_write_public(key, LY_KEY_LINE, &line, NULL));
        ly_key_write_line(key, &direct);
        g_assert_cmpstr(ly_buf_str(&line), ==, ly_buf_str(&direct));
        ly_key_unref(again);
        ly_key_unref(key);
    }
}

/* The comment without quotes, and the blob, of a text whose lines are checked on the way. */
static void parse_rfc4716(const char *text, LyBuf *comment, LyBuf *blob)
{
    static const char tag[] = "Comment: \"";
    char **lines = g_strsplit(text, "\n", -1);
    size_t count = g_strv_length(lines), i = 1;
    g_assert_cmpstr(lines[0], ==, "---- BEGIN SSH2 PUBLIC KEY ----");
    g_assert_cmpstr(lines[count - 2], ==, "---- END SSH2 PUBLIC KEY ----");
    g_assert_cmpstr(lines[count - 1], ==, "");
    for (size_t k = 0; k < count; k++)
        g_assert_cmpuint(strlen(lines[k]), <=, 72);
    if (g_str_has_prefix(lines[1], "Comment:")) {
        GString *value = g_string_new(NULL);
        for (; g_str_has_suffix(lines[i], "\\"); i++) {
            g_assert_true(g_utf8_validate(lines[i], -1, NULL));
            g_string_append_len(value, lines[i], (gssize)strlen(lines[i]) - 1);
        }
        g_string_append(value, lines[i++]);
        g_assert_true(g_str_has_prefix(value->str, tag) && g_str_has_suffix(value->str, "\""));
        g_assert_cmpuint(value->len - strlen("Comment: "), <=, 1024);
        ly_buf_add(comment, ly_bytes(value->str + strlen(tag), value->len - strlen(tag) - 1));
        g_string_free(value, TRUE);
    }
    LY_AUTO(ly_buf_free) LyBuf base64 = {0};
    for (; i < count - 2; i++)
        ly_buf_add_str(&base64, lines[i]);
    g_assert_true(ly_base64_decode(blob, ly_buf_bytes(&base64), false));
    g_strfreev(lines);
}

static void test_rfc4716(void)
{
    char *wide = g_strnfill(5000, 'w'), *blanks = g_strnfill(200, ' '), *slashes = g_strnfill(300, '\\');
    GString *umlauts = g_string_new("x");
    for (unsigned i = 0; i < 800; i++)
        g_string_append(umlauts, i % 3 ? "\xc3\xbc" : "\xf0\x9f\x94\x91");
    const struct {
        const char *in, *out;
        size_t cut; /* bytes that are left; 0: all */
    } comments[] = {
        {"", "", 0},
        {"me@here", "me@here", 0},
        {"with \"quotes\" and \\ in it", "with \"quotes\" and \\ in it", 0},
        {"a\nComment: b\r---- END", "a Comment: b ---- END", 0},
        {"exactly as long as the line may be, which is seventy-two byt", NULL, 0},
        {"exactly as long as the line may be, which is seventy-two byte", NULL, 0},
        {"exactly as long as the line may be, which is seventy-two bytes", NULL, 0},
        {wide, wide, 1022},
        {blanks, blanks, 0},
        {slashes, slashes, 0},
        {umlauts->str, umlauts->str, 1021},
    };
    for (size_t i = 0; i < LY_COUNT(each_type); i++) {
        LyKey *key = sample(each_type[i]);
        for (size_t k = 0; k < LY_COUNT(comments); k++) {
            LyKey *commented = ly_key_new_commented(key, ly_bytes_str(comments[k].in));
            const char *out = comments[k].out ? comments[k].out : comments[k].in;
            LY_AUTO(ly_buf_free) LyBuf text = {0}, comment = {0}, blob = {0};
            g_assert_true(ly_key_write_public(commented, LY_KEY_RFC4716, &text, NULL));
            parse_rfc4716(ly_buf_str(&text), &comment, &blob);
            g_assert_true(ly_bytes_equal(ly_buf_bytes(&blob), ly_key_blob(key)));
            g_assert_cmpuint(comment.len, ==, comments[k].cut ? comments[k].cut : strlen(out));
            g_assert_true(memcmp(ly_buf_str(&comment), out, comment.len) == 0);
            LyKey *again = read_key(ly_buf_str(&text));
            g_assert_true(ly_bytes_equal(ly_key_blob(again), ly_key_blob(key)));
            if (out != blanks && !ly_bytes_equal(ly_key_comment(again), ly_buf_bytes(&comment)))
                g_error("%zu: %.*s", k, (int)ly_key_comment(again).len,
                        (const char *)ly_key_comment(again).data);
            ly_key_unref(again);
            ly_key_unref(commented);
        }
        ly_key_unref(key);
    }
    g_string_free(umlauts, TRUE);
    g_free(wide);
    g_free(blanks);
    g_free(slashes);
}

static void assert_public_refused(LyKey *key, LyKeyFormat format)
{
    LyError error = {0};
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    g_assert_false(ly_key_write_public(key, format, &text, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_UNSUPPORTED);
    g_assert_cmpuint(text.len, ==, 0);
}

static void test_refused(void)
{
    static const LyKeyKdf no_numbers[] = {{.name = "pbkdf2", .iterations = 100000001},
                                          {.name = "pbkdf2", .iterations = UINT64_MAX},
                                          {.name = "scrypt", .memory_kib = 15},
                                          {.name = "scrypt", .memory_kib = 8},
                                          {.name = "scrypt", .memory_kib = 3000},
                                          {.name = "scrypt", .memory_kib = 1u << 21},
                                          {.name = "scrypt", .memory_kib = UINT64_MAX},
                                          {.name = "scrypt", .memory_kib = 1u << 20, .lanes = 2},
                                          {.name = "scrypt", .memory_kib = 16, .lanes = UINT32_MAX}};
    LyKey *ed25519 = sample("ed25519"), *ed448 = sample("ed448.p8"), *rsa = sample("rsa1024");
    LyKey *bare = read_key(public_samples[0].line);
    LyKeyWriteOptions plain = {0}, sealed = {.passphrase = LY_BYTES("x")}, bad;
    /* No form of the type, and formats that are not private keys' (or not written). */
    assert_refused(ed25519, LY_KEY_PEM, plain, LY_ERROR_UNSUPPORTED);
    assert_refused(ed448, LY_KEY_PEM, sealed, LY_ERROR_UNSUPPORTED);
    static const LyKeyFormat not_private[] = {LY_KEY_SPKI,       LY_KEY_PPK1,   LY_KEY_RFC4716,
                                              LY_KEY_LINE,       LY_KEY_SSHCOM, LY_KEY_AUTHORIZED_KEYS,
                                              LY_KEY_KNOWN_HOSTS};
    for (size_t i = 0; i < LY_COUNT(not_private); i++)
        assert_refused(rsa, not_private[i], plain, LY_ERROR_UNSUPPORTED);
    static const LyKeyFormat not_public[] = {LY_KEY_OPENSSH, LY_KEY_PKCS8,      LY_KEY_PPK1,
                                             LY_KEY_PPK2,    LY_KEY_PPK3,       LY_KEY_AUTHORIZED_KEYS,
                                             LY_KEY_SSHCOM,  LY_KEY_KNOWN_HOSTS};
    for (size_t i = 0; i < LY_COUNT(not_public); i++)
        assert_public_refused(rsa, not_public[i]);
    /* No private half. */
    static const LyKeyFormat formats[] = {LY_KEY_OPENSSH, LY_KEY_PEM, LY_KEY_PKCS8};
    for (size_t i = 0; i < LY_COUNT(formats); i++)
        assert_refused(bare, formats[i], plain, LY_ERROR_INVALID);
    /* Ciphers and key derivations. */
    for (size_t i = 0; i < LY_COUNT(formats); i++) {
        bad = sealed;
        bad.cipher = "rot13";
        assert_refused(rsa, formats[i], bad, LY_ERROR_UNSUPPORTED);
        bad.cipher = NULL;
        bad.kdf.name = "argon2id";
        assert_refused(rsa, formats[i], bad, LY_ERROR_UNSUPPORTED);
    }
    bad = sealed;
    bad.cipher = "aes256-ctr"; /* OpenSSH's alone */
    assert_refused(rsa, LY_KEY_PEM, bad, LY_ERROR_UNSUPPORTED);
    assert_refused(rsa, LY_KEY_PKCS8, bad, LY_ERROR_UNSUPPORTED);
    for (size_t i = 0; i < LY_COUNT(no_numbers); i++) {
        bad = sealed;
        bad.kdf = no_numbers[i];
        assert_refused(rsa, LY_KEY_PKCS8, bad, LY_ERROR_INVALID);
    }
    bad = sealed;
    bad.kdf.rounds = LY_KEY_WRITE_BCRYPT_MAX + 1;
    assert_refused(rsa, LY_KEY_OPENSSH, bad, LY_ERROR_INVALID);
    ly_key_unref(bare);
    ly_key_unref(rsa);
    ly_key_unref(ed448);
    ly_key_unref(ed25519);
}

/* Halves of two keys: nothing is written, in any format. */
static void test_halves(void)
{
    LyKey *rsa = sample("rsa1024"), *ec = sample("ecdsa256"), *dsa = sample("dsa");
    LyKey *good[] = {rsa, ec, dsa};
    for (size_t i = 0; i < LY_COUNT(good); i++) {
        LyKeyNumbers numbers = {0};
        ly_key_get_numbers(good[i], &numbers);
        LyBytes *number = i == 0 ? &numbers.d : i == 1 ? &numbers.scalar : &numbers.x;
        uint8_t *damaged = g_memdup2(number->data, number->len);
        damaged[number->len - 2] ^= 1;
        *number = ly_bytes(damaged, number->len);
        LyKey *key = ly_key_new_numbers(crypto, &numbers, (LyBytes){0}, NULL);
        LyKeyWriteOptions plain = {0};
        assert_refused(key, LY_KEY_OPENSSH, plain, LY_ERROR_VERIFY);
        assert_refused(key, LY_KEY_PEM, plain, LY_ERROR_VERIFY);
        assert_refused(key, LY_KEY_PKCS8, plain, LY_ERROR_VERIFY);
        ly_key_unref(key);
        ly_key_unref(good[i]);
        g_free(damaged);
    }
}

/* A certificate, and the handle of a security key: what can carry them does. */
static void test_certificates_and_handles(void)
{
    static const char fields[] = "\0\0\0\x1ask-ssh-ed25519@openssh.com\0\0\0\x20"
                                 "0123456789abcdef0123456789abcdef\0\0\0\4ssh:\1\0\0\0\6handle\0\0\0\0";
    LyReader reader = ly_reader(ly_bytes(fields, sizeof fields - 1));
    LyError error = {0};
    LyKey *sk = ly_key_new_private(crypto, &reader, LY_BYTES("sk"), &error), *again;
    LY_AUTO(ly_buf_free) LyBuf text = {0}, public_text = {0}, comment = {0}, blob = {0};
    g_assert_nonnull(sk);
    g_assert_true(ly_key_write_private(crypto, sk, LY_KEY_OPENSSH, NULL, &text, &error));
    again = read_key(ly_buf_str(&text));
    g_assert_true(ly_key_has_secret(again) && ly_key_equal_public(sk, again));
    ly_key_unref(again);
    assert_refused(sk, LY_KEY_PKCS8, (LyKeyWriteOptions){0}, LY_ERROR_UNSUPPORTED);
    assert_refused(sk, LY_KEY_PEM, (LyKeyWriteOptions){0}, LY_ERROR_UNSUPPORTED);
    assert_public_refused(sk, LY_KEY_SPKI);
    assert_public_refused(sk, LY_KEY_PEM);
    g_assert_true(ly_key_write_public(sk, LY_KEY_RFC4716, &public_text, NULL));
    parse_rfc4716(ly_buf_str(&public_text), &comment, &blob);
    g_assert_true(ly_bytes_equal(ly_buf_bytes(&blob), ly_key_blob(sk)) &&
                  ly_bytes_is(ly_buf_bytes(&comment), "sk"));
    ly_key_unref(sk);

    static const char *const certificates[] = {cert_user, cert_user_forced, cert_user_rsaca, cert_host};
    for (size_t i = 0; i < LY_COUNT(certificates); i++) {
        LyKey *certificate = read_key(certificates[i]);
        LyBuf written = {0}, read = {0};
        g_assert_true(ly_key_is_certificate(certificate));
        g_assert_true(ly_key_write_public(certificate, LY_KEY_RFC4716, &written, NULL));
        parse_rfc4716(ly_buf_str(&written), &comment, &read);
        g_assert_true(ly_bytes_equal(ly_buf_bytes(&read), ly_key_blob(certificate)));
        assert_public_refused(certificate, LY_KEY_SPKI);
        assert_public_refused(certificate, LY_KEY_PEM);
        ly_buf_free(&written);
        ly_buf_free(&read);
        ly_key_unref(certificate);
    }
    /* A private key with its certificate: OpenSSH's format has both. */
    LyKey *certificate = read_key(cert_user), *plain = sample("ed25519");
    LyKey *certified = ly_key_new_certified(plain, ly_key_blob(certificate), &error);
    g_assert_nonnull(certified);
    round_trip(certified, LY_KEY_OPENSSH, NULL);
    assert_refused(certified, LY_KEY_PKCS8, (LyKeyWriteOptions){0}, LY_ERROR_UNSUPPORTED);
    ly_key_unref(certified);
    ly_key_unref(plain);
    ly_key_unref(certificate);
}

/* Numbers with leading zero bytes: SEC1 has them at full width, SSH's mpint has none, and they are mixed up
 * once in 256 keys. */
static void test_leading_zeros(void)
{
    static const struct {
        const char *type, *curve;
        LyCurve number;
        size_t len;
    } curves[] = {{"ecdsa-sha2-nistp256", "nistp256", LY_NISTP256, 32},
                  {"ecdsa-sha2-nistp384", "nistp384", LY_NISTP384, 48},
                  {"ecdsa-sha2-nistp521", "nistp521", LY_NISTP521, 66}};
    for (size_t i = 0; i < LY_COUNT(curves); i++) {
        for (size_t zeros = 1; zeros < curves[i].len; zeros = zeros * 3 + 1) {
            uint8_t scalar[66] = {0};
            size_t len = curves[i].len - zeros;
            LY_AUTO(ly_buf_free) LyBuf point = {0}, fields = {0};
            ly_crypto_random(crypto, scalar, len);
            scalar[0] |= zeros % 2 ? 0x80 : 1;
            g_assert_true(ly_pk_derive_public(crypto, LY_PK_ECDSA, curves[i].number, NULL,
                                              ly_bytes(scalar, len), &point, NULL));
            ly_put_cstring(&fields, curves[i].type);
            ly_put_cstring(&fields, curves[i].curve);
            ly_put_string(&fields, ly_buf_bytes(&point));
            ly_put_mpint(&fields, ly_bytes(scalar, len));
            LyReader reader = ly_reader(ly_buf_bytes(&fields));
            LyKey *key = ly_key_new_private(crypto, &reader, (LyBytes){0}, NULL);
            round_trip(key, LY_KEY_OPENSSH, NULL);
            round_trip(key, LY_KEY_PEM, NULL);
            round_trip(key, LY_KEY_PKCS8, NULL);
            /* RFC 5915: the OCTET STRING is as long as the order. */
            LY_AUTO(ly_buf_free) LyBuf text = {0}, der = {0};
            g_assert_true(ly_key_write_private(crypto, key, LY_KEY_PEM, NULL, &text, NULL));
            char **parts = g_strsplit(ly_buf_str(&text), "-----", -1);
            g_assert_true(ly_base64_decode(&der, ly_bytes_str(parts[2]), true));
            LyReader outer = ly_reader(ly_buf_bytes(&der)), inner = ly_der_get_sequence(&outer);
            g_assert_cmpuint(ly_der_get_number(&inner, 1), ==, 1);
            LyBytes octets = ly_der_get(&inner, LY_DER_OCTET_STRING);
            g_assert_cmpuint(octets.len, ==, curves[i].len);
            g_assert_true(octets.data[zeros - 1] == 0 && octets.data[zeros] == scalar[0]);
            g_strfreev(parts);
            ly_key_unref(key);
        }
    }
    /* Seeds and public keys that begin or end with a zero byte. */
    unsigned found = 0;
    for (unsigned i = 0; i < 20000 && found != 7; i++) {
        uint8_t seed[32];
        LY_AUTO(ly_buf_free) LyBuf public_key = {0};
        ly_crypto_random(crypto, seed, sizeof seed);
        if (i % 2)
            seed[0] = 0;
        g_assert_true(
            ly_pk_derive_public(crypto, LY_PK_ED25519, 0, NULL, ly_bytes(seed, 32), &public_key, NULL));
        unsigned kind =
            (public_key.data[0] == 0 ? 1 : 0) | (public_key.data[31] == 0 ? 2 : 0) | (seed[0] == 0 ? 4 : 0);
        if ((kind | found) == found)
            continue;
        found |= kind;
        LyKeyNumbers numbers = {.type = ly_key_type_find(LY_BYTES("ssh-ed25519"), NULL),
                                .public_key = ly_buf_bytes(&public_key),
                                .seed = ly_bytes(seed, 32)};
        LyKey *key = ly_key_new_numbers(crypto, &numbers, (LyBytes){0}, NULL);
        round_trip(key, LY_KEY_OPENSSH, NULL);
        round_trip(key, LY_KEY_PKCS8, NULL);
        ly_key_unref(key);
    }
    g_assert_cmpuint(found, ==, 7);
}

/* Many new keys: 60 of each of five kinds here, 1,000 with -m slow. */
static void test_generated(void)
{
    unsigned count = g_test_slow() ? 1000 : 60;
    static const unsigned bits[] = {0, 0, 256, 384, 521};
    for (size_t i = 0; i < LY_COUNT(bits); i++) {
        for (unsigned k = 0; k < count; k++) {
            LyPkType type = bits[i] ? LY_PK_ECDSA : i ? LY_PK_ED448 : LY_PK_ED25519;
            LyKey *key = ly_key_generate(crypto, type, bits[i], LY_BYTES("made"), NULL);
            g_assert_nonnull(key);
            round_trip(key, LY_KEY_PKCS8, NULL);
            if (k % 2 || g_test_slow())
                round_trip(key, LY_KEY_OPENSSH, NULL);
            if (pem_has(key) && (k % 2 == 0 || g_test_slow()))
                round_trip(key, LY_KEY_PEM, NULL);
            ly_key_unref(key);
        }
    }
}

/* Lengths around each change of their form, nested, and read back. */
static void test_der(void)
{
    static const size_t lens[] = {0, 1, 126, 127, 128, 129, 255, 256, 257, 65535, 65536, 70000};
    uint8_t *content = g_malloc(70000);
    for (size_t i = 0; i < 70000; i++)
        content[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < LY_COUNT(lens); i++) {
        LY_AUTO(ly_buf_free) LyBuf buf = {0};
        LyBytes bytes = ly_bytes(content, lens[i]);
        ly_put_u8(&buf, 0x55);
        size_t outer = ly_der_put_begin(&buf, LY_DER_SEQUENCE),
               inner = ly_der_put_begin(&buf, LY_DER_CONTEXT_0);
        ly_der_put(&buf, LY_DER_OCTET_STRING, bytes);
        ly_der_put_end(&buf, inner);
        ly_der_put_bits(&buf, LY_DER_BIT_STRING, bytes);
        ly_der_put_number(&buf, lens[i]);
        ly_der_put_end(&buf, outer);
        LyReader reader = ly_reader(ly_buf_bytes(&buf));
        g_assert_cmpuint(ly_get_u8(&reader), ==, 0x55);
        LyReader sequence = ly_der_get_sequence(&reader),
                 wrapped = ly_reader(ly_der_get(&sequence, LY_DER_CONTEXT_0));
        g_assert_true(ly_bytes_equal(ly_der_get(&wrapped, LY_DER_OCTET_STRING), bytes));
        g_assert_true(ly_bytes_equal(ly_der_get_bits(&sequence, LY_DER_BIT_STRING), bytes));
        g_assert_cmpuint(ly_der_get_number(&sequence, UINT32_MAX), ==, lens[i]);
        g_assert_true(ly_reader_done(&sequence) && ly_reader_done(&wrapped) && ly_reader_done(&reader));
    }
    g_free(content);
    /* Minimal forms, as X.690 10.1 and 8.3.2 want them. */
    static const struct {
        uint64_t number;
        const char *der;
        size_t len;
    } numbers[] = {{0, "\x02\x01\x00", 3},
                   {1, "\x02\x01\x01", 3},
                   {127, "\x02\x01\x7f", 3},
                   {128, "\x02\x02\x00\x80", 4},
                   {256, "\x02\x02\x01\x00", 4},
                   {65535, "\x02\x03\x00\xff\xff", 5},
                   {UINT64_MAX, "\x02\x09\x00\xff\xff\xff\xff\xff\xff\xff\xff", 11}};
    for (size_t i = 0; i < LY_COUNT(numbers); i++) {
        LY_AUTO(ly_buf_free) LyBuf buf = {0};
        ly_der_put_number(&buf, numbers[i].number);
        g_assert_true(ly_bytes_equal(ly_buf_bytes(&buf), ly_bytes(numbers[i].der, numbers[i].len)));
    }
    LyBuf tight = LY_BUF(130);
    size_t mark = ly_der_put_begin(&tight, LY_DER_SEQUENCE);
    ly_buf_room(&tight, 128);
    memset(tight.data + tight.len, 1, 128);
    ly_buf_added(&tight, 128);
    ly_der_put_end(&tight, mark); /* no room for the second byte of the length */
    g_assert_true(tight.failed);
    ly_buf_free(&tight);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    g_assert_nonnull(crypto);
    g_test_add_func("/key-write/der", test_der);
    g_test_add_func("/key-write/known-private", test_known_private);
    g_test_add_func("/key-write/known-public", test_known_public);
    g_test_add_func("/key-write/round-trips", test_round_trips);
    g_test_add_func("/key-write/rfc4716", test_rfc4716);
    g_test_add_func("/key-write/refused", test_refused);
    g_test_add_func("/key-write/halves", test_halves);
    g_test_add_func("/key-write/certificates-and-handles", test_certificates_and_handles);
    g_test_add_func("/key-write/leading-zeros", test_leading_zeros);
    g_test_add_func("/key-write/generated", test_generated);
    int status = g_test_run();
    ly_crypto_unref(crypto);
    return status;
}
