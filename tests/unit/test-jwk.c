/* core/key: JSON Web Keys: the RFCs' own, all types there and back, damage. */
#include <glib.h>

#include "base/auto.h"
#include "key/read.h"
#include "key/write.h"
#include "ppk-samples.h"

static LyCrypto *crypto;

/* RFC 8037 appendix A.1; RFC 7517 appendix A.2. */
static const char ed25519_jwk[] =
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\",\n"
    " \"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}";
static const char ec_jwk[] = "{\"kty\":\"EC\",\n \"crv\":\"P-256\",\n"
                             " \"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\",\n"
                             " \"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\",\n"
                             " \"d\":\"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE\",\n"
                             " \"use\":\"enc\",\n \"kid\":\"1\"}";
static const char rsa_jwk[] =
    "{\"kty\":\"RSA\",\n"
    "\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_"
    "BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY36"
    "8QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcR"
    "wr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\",\n"
    "\"e\":\"AQAB\",\n"
    "\"d\":\"X4cTteJY_gn4FYPsXB8rdXix5vwsg1FLN5E3EaG6RJoVH-HLLKD9M7dx5oo7GURknchnrRweUkC7hT5fJLM0WbFAK"
    "NLWY2vv7B6NqXSzUvxT0_YSfqijwp3RTzlBaCxWp4doFk5N2o8Gy_nHNKroADIkJ46pRUohsXywbReAdYaMwFs9tv8d_cPVY3i0"
    "7a3t8MN6TNwm0dSawm9v47UiCl3Sk5ZiG7xojPLu4sbg1U2jx4IBTNBznbJSzFHK66jT8bgkuqsk0GjskDJk19Z4qwjwbsnn4j2"
    "WBii3RL-Us2lGVkY8fkFzme1z0HbIkfz0Y6mqnOYtqc0X4jfcKoAC8Q\",\n"
    "\"p\":\"83i-7IvMGXoMXCskv73TKr8637FiO7Z27zv8oj6pbWUQyLPQBQxtPVnwD20R-60eTDmD2ujnMt5PoqMrm8RfmNhVW"
    "DtjjMmCMjOpSXicFHj7XOuVIYQyqVWlWEh6dN36GVZYk93N8Bc9vY41xy8B9RzzOGVQzXvNEvn7O0nVbfs\",\n"
    "\"q\":\"3dfOR9cuYq-0S-mkFLzgItgMEfFzB2q3hWehMuG0oCuqnb3vobLyumqjVZQO1dIrdwgTnCdpYzBcOfW5r370AFXji"
    "Wft_NGEiovonizhKpo9VVS78TzFgxkIdrecRezsZ-1kYd_s1qDbxtkDEgfAITAG9LUnADun4vIcb6yelxk\",\n"
    "\"dp\":\"G4sPXkc6Ya9y8oJW9_ILj4xuppu0lzi_H7VTkS8xj5SdX3coE0oimYwxIi2emTAue0UOa5dpgFGyBJ4c8tQ2VF40"
    "2XRugKDTP8akYhFo5tAA77Qe_NmtuYZc3C3m3I24G2GvR5sSDxUyAN2zq8Lfn9EUms6rY3Ob8YeiKkTiBj0\",\n"
    "\"dq\":\"s9lAH9fggBsoFR8Oac2R_E2gw282rT2kGOAhvIllETE1efrA6huUUvMfBcMpn8lqeW6vzznYY5SSQF7pMdC_agI3"
    "nG8Ibp1BUb0JUiraRNqUfLhcQb_d9GF4Dh7e74WbRsobRonujTYN1xCaP6TO61jvWrX-L18txXw494Q_cgk\",\n"
    "\"qi\":\"GyM_p6JrXySiz1toFgKbWV-JdI3jQ4ypu9rbMWx3rQJBfmt0FoYzgUIZEVFEcOqwemRN81zoDAaa-Bk0KWNGDjJH"
    "ZDdDmFhW3AN7lI-puxk_mHZGJ11rxyR8O55XLSe3SPmRfKwZI6yU24ZxvQKFYItdldUKGzO6Ia6zTKhAVRU\",\n"
    "\"alg\":\"RS256\",\"key_ops\":[\"sign\"],\"ext\":true,\n"
    "\"kid\":\"2011-04-29\"}";

static LyKey *read_str(const char *text, LyError *error)
{
    return ly_key_read(crypto, ly_bytes_str(text), NULL, error);
}

static char *replace(const char *text, const char *old, const char *new)
{
    const char *at = strstr(text, old);
    g_assert_nonnull(at);
    return g_strdup_printf("%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
}

static void test_rfc(void)
{
    static const struct {
        const char *text, *type, *comment, *leading_members;
    } rows[] = {
        {ed25519_jwk, "ssh-ed25519", "",
         "{\n  \"kty\": \"OKP\",\n  \"crv\": \"Ed25519\",\n"
         "  \"x\": \"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\n"
         "  \"d\": \"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"\n}\n"},
        {ec_jwk, "ecdsa-sha2-nistp256", "1",
         "{\n  \"kty\": \"EC\",\n  \"crv\": \"P-256\",\n"
         "  \"x\": \"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\",\n"
         "  \"y\": \"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\",\n"
         "  \"d\": \"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE\",\n  \"kid\": \"1\"\n}\n"},
        {rsa_jwk, "ssh-rsa", "2011-04-29", "{\n  \"kty\": \"RSA\",\n  \"n\": \"0vx7agoebGcQ"},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LyError error = {0};
        LyKeyFile file;
        LY_AUTO(ly_buf_free) LyBuf text = {0}, bare = {0};
        g_autofree char *front = g_strconcat("\xef\xbb\xbf\r\n ", rows[i].text, "\r\n", NULL);
        g_assert_true(ly_key_file_read(crypto, ly_bytes_str(front), NULL, &file, &error));
        LyKeyEntry *entry = &file.entries[0];
        g_assert_true(file.count == 1 && entry->format == LY_KEY_JWK && entry->has_private &&
                      !entry->encrypted && !entry->kdf.name && entry->error.code == LY_OK);
        g_assert_cmpstr(ly_key_type_name(entry->key), ==, rows[i].type);
        g_assert_true(ly_bytes_is(ly_key_comment(entry->key), rows[i].comment));
        g_assert_true(ly_key_is_private(entry->key) && ly_key_check(entry->key, &error));
        g_assert_true(ly_key_write_private(crypto, entry->key, LY_KEY_JWK, NULL, &text, &error));
        g_assert_true(g_str_has_prefix(ly_buf_str(&text), rows[i].leading_members));
        /* The public half: no private member, and readable without them. */
        g_assert_true(ly_key_write_public(entry->key, LY_KEY_JWK, &bare, &error));
        g_assert_null(strstr(ly_buf_str(&bare), "\"d\""));
        g_assert_null(strstr(ly_buf_str(&bare), "\"p\""));
        LyKey *shown = ly_key_read(crypto, ly_buf_bytes(&bare), NULL, &error);
        g_assert_true(shown && !ly_key_has_secret(shown) && ly_key_equal_public(shown, entry->key));
        g_assert_true(ly_bytes_is(ly_key_comment(shown), rows[i].comment));
        ly_key_unref(shown);
        LyKeyWriteOptions options = {.passphrase = LY_BYTES("secret")};
        g_assert_false(ly_key_write_private(crypto, entry->key, LY_KEY_JWK, &options, &text, &error));
        g_assert_cmpint(error.code, ==, LY_ERROR_UNSUPPORTED);
        ly_key_file_clear(&file);
    }
}

/* There and back with the same private numbers. */
static void assert_round_trip(LyKey *key)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0}, before = {0}, after = {0};
    LyError error = {0};
    g_assert_true(ly_key_write_private(crypto, key, LY_KEY_JWK, NULL, &text, &error));
    LyKey *again = ly_key_read(crypto, ly_buf_bytes(&text), NULL, &error);
    g_assert_cmpstr(error.message, ==, "");
    ly_key_put_private(key, &before);
    ly_key_put_private(again, &after);
    g_assert_cmpmem(before.data, before.len, after.data, after.len);
    g_assert_true(ly_bytes_equal(ly_key_comment(key), ly_key_comment(again)));
    ly_key_unref(again);
}

static void test_round_trips(void)
{
    LyKeyReadOptions secret = {.have_passphrase = true, .passphrase = LY_BYTES("secret")};
    for (size_t i = 0; i < LY_COUNT(ppk_samples); i++) {
        LyError error = {0};
        LyKey *key = ly_key_read(crypto, ly_bytes_str(ppk_samples[i].text), &secret, &error);
        LY_AUTO(ly_buf_free) LyBuf text = {0};
        if (ly_key_is_certificate(key) || ly_key_type(key)->pk == LY_PK_DSA) {
            g_assert_false(ly_key_write_private(crypto, key, LY_KEY_JWK, NULL, &text, &error));
            g_assert_cmpint(error.code, ==, LY_ERROR_UNSUPPORTED);
            g_assert_false(ly_key_write_public(key, LY_KEY_JWK, &text, &error));
            g_assert_cmpint(error.code, ==, LY_ERROR_UNSUPPORTED);
            g_assert_cmpuint(text.len, ==, 0);
        } else {
            assert_round_trip(key);
        }
        ly_key_unref(key);
    }
    /* Coordinates and scalars that begin with zero bytes keep their length. */
    static const struct {
        LyPkType type;
        unsigned bits, count;
    } rows[] = {
        {LY_PK_ECDSA, 256, 300}, {LY_PK_ECDSA, 521, 20}, {LY_PK_ED25519, 256, 20}, {LY_PK_ED448, 448, 5}};
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        for (unsigned n = 0; n < rows[i].count; n++) {
            LyKey *key = ly_key_generate(crypto, rows[i].type, rows[i].bits,
                                         LY_BYTES("\"a\" \\ \xc3\xa4\n\x7f"), NULL);
            assert_round_trip(key);
            ly_key_unref(key);
        }
    }
}

static void test_refused(void)
{
    static const struct {
        const char *text, *old, *new, *word;
        LyErrorCode code;
    } rows[] = {
        {ed25519_jwk, "OKP", "oct", "\"oct\"", LY_ERROR_UNSUPPORTED},
        {ed25519_jwk, "OKP", "EC", "Ed25519", LY_ERROR_UNSUPPORTED},
        {ed25519_jwk, "Ed25519", "X25519", "X25519", LY_ERROR_UNSUPPORTED},
        {ed25519_jwk, "Ed25519", "Ed448", "57", LY_ERROR_INVALID},
        {ed25519_jwk, "kty", "ktz", "kty", LY_ERROR_INVALID},
        {ed25519_jwk, "\"x\"", "\"z\"", "\"x\"", LY_ERROR_INVALID},
        {ed25519_jwk, "cHURo", "cHURo=", "padding", LY_ERROR_INVALID},
        {ed25519_jwk, "cHURo", "cHURp", "\"x\"", LY_ERROR_INVALID}, /* bits behind the end */
        {ed25519_jwk, "cHURo", "cHUR", "\"x\"", LY_ERROR_INVALID},
        {ed25519_jwk, "cHURo", "cHU", "\"x\"", LY_ERROR_INVALID},
        {ed25519_jwk, "VS_7", "VS/7", "\"x\"", LY_ERROR_INVALID},
        {ed25519_jwk, "VS_7", "VS 7", "\"x\"", LY_ERROR_INVALID},
        {ed25519_jwk, "yuf2A", "yuf2AA", "\"d\"", LY_ERROR_INVALID},
        {ed25519_jwk, "\"d\"", "\"x\"", "twice", LY_ERROR_INVALID},
        /* A private key whose "d" is none is not a public key. */
        {ed25519_jwk, "\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"", "\"\"", "\"d\"", LY_ERROR_INVALID},
        {ed25519_jwk, "\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"", "17", "\"d\"", LY_ERROR_INVALID},
        {rsa_jwk, "\"e\":", "\"oth\":[{}], \"e\":", "two primes", LY_ERROR_UNSUPPORTED},
        {ed25519_jwk, "\"}", "\"", "JSON", LY_ERROR_INVALID},
        {ed25519_jwk, "\"}", "\"}}", "JSON", LY_ERROR_INVALID},
        {ec_jwk, "P-256", "secp256k1", "secp256k1", LY_ERROR_UNSUPPORTED},
        {ec_jwk, "P-256", "P-384", "48", LY_ERROR_INVALID},
        {ec_jwk, "\"crv\"", "\"cvr\"", "curve", LY_ERROR_UNSUPPORTED},
        {ec_jwk, "\"y\":\"", "\"y\":\"AA", "\"y\"", LY_ERROR_INVALID},
        {ec_jwk, "\"y\"", "\"z\"", "\"y\"", LY_ERROR_INVALID},
        {ec_jwk, "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE", "AAAA", "3 bytes", LY_ERROR_INVALID},
        {ec_jwk, "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
         "", LY_ERROR_INVALID},
        {rsa_jwk, "\"dp\"", "\"dx\"", "\"dp\"", LY_ERROR_INVALID},
        {rsa_jwk, "\"qi\"", "\"qx\"", "\"qi\"", LY_ERROR_INVALID},
        {rsa_jwk, "\"p\"", "\"px\"", "alone", LY_ERROR_UNSUPPORTED},
        {rsa_jwk, "\"e\":\"AQAB", "\"e\":\"AQAA", "exponent", LY_ERROR_INVALID},
        {rsa_jwk, "KkTiBj0", "KkTiBj1", "\"dp\"", LY_ERROR_INVALID},
        {rsa_jwk, "\"G4sP", "\"G4tP", "dp", LY_ERROR_INVALID},
        {rsa_jwk, "\"s9lA", "\"s9mA", "dq", LY_ERROR_INVALID},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        g_autofree char *text = replace(rows[i].text, rows[i].old, rows[i].new);
        LyError error = {0};
        g_assert_null(read_str(text, &error));
        if (error.code != rows[i].code || !strstr(error.message, rows[i].word))
            g_error("%s -> %s: \"%s\"", rows[i].old, rows[i].new, error.message);
    }
    LyError error = {0};
    g_autofree char *set = g_strconcat("{\"keys\":[", ed25519_jwk, "]}", NULL);
    g_assert_null(read_str(set, &error));
    g_assert_true(error.code == LY_ERROR_UNSUPPORTED && strstr(error.message, "one key"));
    g_assert_null(read_str("{}", &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_INVALID);
    /* Zero bytes before a number, which some writers leave there, are none of its own. */
    g_autofree char *padded = replace(rsa_jwk, "\"AQAB", "\"AAAAAQAB");
    LyKey *key = read_str(padded, &error);
    LyKey *same = read_str(rsa_jwk, &error);
    g_assert_true(key && ly_bytes_equal(ly_key_blob(key), ly_key_blob(same)));
    ly_key_unref(key);
    ly_key_unref(same);
}

/* A JWK has no check value: what was changed is an error, the same key, or a key whose halves disagree. */
static void test_damage(void)
{
    const char *texts[] = {ed25519_jwk, ec_jwk, rsa_jwk};
    for (size_t i = 0; i < LY_COUNT(texts); i++) {
        size_t len = strlen(texts[i]);
        LyKey *key = read_str(texts[i], NULL);
        for (size_t cut = 0; cut < len; cut++) {
            g_autofree char *copy = g_memdup2(texts[i], cut);
            g_assert_null(ly_key_read(crypto, ly_bytes(copy, cut), NULL, NULL));
        }
        g_autofree char *copy = g_strdup(texts[i]);
        for (size_t bit = 0; bit < len * 8; bit += texts[i] == rsa_jwk ? 5 : 1) {
            copy[bit / 8] ^= (char)(1 << bit % 8);
            LyKey *other = ly_key_read(crypto, ly_bytes(copy, len), NULL, NULL);
            copy[bit / 8] ^= (char)(1 << bit % 8);
            g_assert_true(!other || ly_key_equal_public(key, other) ||
                          (ly_key_is_private(other) && !ly_key_check(other, NULL)));
            ly_key_unref(other);
        }
        ly_key_unref(key);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    g_test_add_func("/jwk/rfc", test_rfc);
    g_test_add_func("/jwk/round-trips", test_round_trips);
    g_test_add_func("/jwk/refused", test_refused);
    g_test_add_func("/jwk/damage", test_damage);
    int status = g_test_run();
    ly_crypto_unref(crypto);
    return status;
}
