#include <glib.h>
#include <pthread.h>

#include "base/auto.h"
#include "base/wire.h"
#include "crypto/pk.h"

static LyCrypto *crypto;

static const char dsa_p[] =
    "83d75a6a026391ef4dcc8610a36bfb039de309ab1f687bfd6f9e5e941c190766c28e44a9f713c36cdbe2e4a854"
    "7740a353eb8a71fa5edc4f653742a36aa5d4b5d77d3ab9838bd5675b373a5c04ec1c1f535dcef5bf151447abc7"
    "fcc86912d605bf919cd87579364ed15c6d594af783ce92f35e89dd3b90e00f62aed98af79d65";
static const char dsa_q[] = "a22602bdcdbcdf099314e5aa8e70ac702f389cb3";
static const char dsa_g[] =
    "46d18d810294299de3b59fbd6f9a3591745e9914884c6236ebd89cc0c04b5da0599a057eb51db115ffb9a14aa3"
    "5ecbef7764e742d7eaaccce1e6c6b7e93fc3b0399610f89c6ec9353a41c75c859538fe30a96bf604d04c4887c2"
    "a0a07c8fd89143b68d795dfee926742cf31454ff61f1dc67ae03373384975354f1037e4c81e6";
static const char dsa_y[] =
    "1888ef1bf67342cd56be0dc27db0f1945e9fab1f8a4e1bfcf29a8a96194dd4be30e49e0b35737f5221a84fd138"
    "00c3218a446fe8b9fcf83f482ac466115b9a980d292c30ad291b21797fc733e28d7f2a1a04c796a0178be03e9a"
    "f4baf872a45c8ba7d1b3da2422f95742649ae40f3400ba13109414f709c4212acd1fe7118b44";
static const char dsa_x[] = "53252a607cc7eb8de1f95565d82c81fa183debe2";

/* Views of hexadecimal text, freed at the end. */
static GPtrArray *decoded;

static LyBytes hex(const char *text)
{
    size_t len = strlen(text) / 2;
    uint8_t *bytes = g_malloc(len + 1);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(g_ascii_xdigit_value(text[2 * i]) << 4 | g_ascii_xdigit_value(text[2 * i + 1]));
    g_ptr_array_add(decoded, bytes);
    return ly_bytes(bytes, len);
}

static const struct {
    LyPkType type;
    const char *seed, *public_key, *message, *signature;
} rfc8032[] = {
    {LY_PK_ED25519, "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
     "d25bf5f0595bbe24655141438e7a100b"},
    {LY_PK_ED25519, "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
     "387b2eaeb4302aeeb00d291612bb0c00"},
    {LY_PK_ED448,
     "6c82a562cb808d10d632be89c8513ebf6c929f34ddfa8c9f63c9960ef6e348a3528c8a3fcc2f044e39a3fc5b94492f8f"
     "032e7549a20098f95b",
     "5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778edf124769b46c7061bd6783df1e50f6c"
     "d1fa1abeafe8256180",
     "",
     "533a37f6bbe457251f023c0d88f976ae2dfb504a843e34d2074fd823d41a591f2b233f034f628281f2fd7a22ddd47d78"
     "28c59bd0a21bfd3980ff0d2028d4b18a9df63e006c5d1c2d345b925d8dc00b4104852db99ac5c7cdda8530a113a0f4db"
     "b61149f05a7363268c71d95808ff2e652600"},
};

static LyPk *new_edwards(LyPkType type, LyBytes public_key, LyBytes seed, LyError *error)
{
    return type == LY_PK_ED25519 ? ly_pk_new_ed25519(crypto, public_key, seed, error)
                                 : ly_pk_new_ed448(crypto, public_key, seed, error);
}

static void test_rfc8032(void)
{
    for (size_t i = 0; i < LY_COUNT(rfc8032); i++) {
        LyBytes expected = hex(rfc8032[i].signature), message = hex(rfc8032[i].message);
        LY_AUTO(ly_buf_free) LyBuf signature = {0};
        LyPk *pk = new_edwards(rfc8032[i].type, hex(rfc8032[i].public_key), hex(rfc8032[i].seed), NULL);
        LyPk *public_pk = new_edwards(rfc8032[i].type, hex(rfc8032[i].public_key), (LyBytes){0}, NULL);
        g_assert_true(ly_pk_check(pk, NULL) && ly_pk_check(public_pk, NULL));
        g_assert_true(ly_pk_is_private(pk) && !ly_pk_is_private(public_pk));
        g_assert_true(ly_pk_sign(pk, LY_SHA256, message, &signature, NULL));
        g_assert_cmpmem(signature.data, signature.len, expected.data, expected.len);
        g_assert_true(ly_pk_verify(public_pk, LY_SHA256, message, expected, NULL));
        g_assert_false(ly_pk_sign(public_pk, LY_SHA256, message, &signature, NULL));
        ly_pk_unref(pk);
        ly_pk_unref(public_pk);
    }
}

/* Adds `number` (little-endian, `len` bytes) to the S half of a signature. */
static void add_to_s(uint8_t *s, LyBytes number)
{
    unsigned carry = 0;
    for (size_t i = 0; i < number.len; i++) {
        carry += (unsigned)s[i] + number.data[i];
        s[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

/* S + L satisfies the equation as S does: only the range check refuses it. */
static void test_large_s(void)
{
    LyBytes order = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    LyPk *pk = ly_pk_new_ed25519(crypto, hex(rfc8032[0].public_key), (LyBytes){0}, NULL);
    LyBytes signature = hex(rfc8032[0].signature);
    LyError error = {0};
    g_assert_true(ly_pk_verify(pk, LY_SHA512, (LyBytes){0}, signature, &error));
    add_to_s((uint8_t *)signature.data + 32, order);
    g_assert_false(ly_pk_verify(pk, LY_SHA512, (LyBytes){0}, signature, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_VERIFY);
    ly_pk_unref(pk);
}

/* RFC 6979 A.2.5, "sample" */
static const char p256_point[] = "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                                 "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
static const char p256_scalar[] = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
static const char p256_r[] = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716";
static const char p256_s[] = "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
static const char p256_order[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

static bool verify_ecdsa(LyPk *pk, LyBytes r, LyBytes s, LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf signature = {0};
    ly_put_mpint(&signature, r);
    ly_put_mpint(&signature, s);
    return ly_pk_verify(pk, LY_SHA256, LY_BYTES("sample"), ly_buf_bytes(&signature), error);
}

static void test_ecdsa_range(void)
{
    LyPk *pk = ly_pk_new_ecdsa(crypto, LY_NISTP256, hex(p256_point), hex(p256_scalar), NULL);
    LyBytes r = hex(p256_r), s = hex(p256_s), order = hex(p256_order), zero = {0};
    LyBytes bad[] = {zero, order, hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632552"),
                     hex("01ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc63255100")};
    LyError error = {0};
    g_assert_true(ly_pk_check(pk, NULL));
    g_assert_true(verify_ecdsa(pk, r, s, NULL));
    for (size_t i = 0; i < LY_COUNT(bad); i++) {
        g_assert_false(verify_ecdsa(pk, bad[i], s, &error));
        g_assert_cmpint(error.code, ==, LY_ERROR_VERIFY);
        g_assert_false(verify_ecdsa(pk, r, bad[i], &error));
        g_assert_false(verify_ecdsa(pk, bad[i], bad[i], &error));
    }
    ly_pk_unref(pk);
}

/* ---- each type ---- */

typedef struct Type {
    const char *name;
    LyPkType type;
    LyCurve curve;
    unsigned bits;
    LyHash hash;
} Type;

static const Type types[] = {
    {"rsa-sha1", LY_PK_RSA, 0, 1024, LY_SHA1},
    {"rsa-sha256", LY_PK_RSA, 0, 1032, LY_SHA256},
    {"rsa-sha512", LY_PK_RSA, 0, 2048, LY_SHA512},
    {"dsa", LY_PK_DSA, 0, 1024, LY_SHA1},
    {"p256", LY_PK_ECDSA, LY_NISTP256, 256, 0},
    {"p384", LY_PK_ECDSA, LY_NISTP384, 384, 0},
    {"p521", LY_PK_ECDSA, LY_NISTP521, 521, 0},
    {"ed25519", LY_PK_ED25519, 0, 256, 0},
    {"ed448", LY_PK_ED448, 0, 456, 0},
};

/* From what generation wrote to a key and its public half. */
static void make(const Type *type, LyPk **private_pk, LyPk **public_pk)
{
    LyError error = {0};
    LY_AUTO(ly_buf_free) LyBuf fields = {0};
    if (type->type == LY_PK_DSA) {
        LyDsaNumbers numbers = {hex(dsa_p), hex(dsa_q), hex(dsa_g), hex(dsa_y), hex(dsa_x)};
        *private_pk = ly_pk_new_dsa(crypto, &numbers, &error);
        numbers.x = (LyBytes){0};
        *public_pk = ly_pk_new_dsa(crypto, &numbers, &error);
        return;
    }
    g_assert_true(ly_pk_generate(crypto, type->type, type->bits, &fields, &error));
    LyReader reader = ly_reader(ly_buf_bytes(&fields));
    if (type->type == LY_PK_RSA) {
        LyRsaNumbers numbers;
        numbers.n = ly_get_mpint(&reader);
        numbers.e = ly_get_mpint(&reader);
        numbers.d = ly_get_mpint(&reader);
        numbers.iqmp = ly_get_mpint(&reader);
        numbers.p = ly_get_mpint(&reader);
        numbers.q = ly_get_mpint(&reader);
        *private_pk = ly_pk_new_rsa(crypto, &numbers, &error);
        numbers.d = (LyBytes){0};
        *public_pk = ly_pk_new_rsa(crypto, &numbers, &error);
    } else if (type->type == LY_PK_ECDSA) {
        LyBytes name = ly_get_string(&reader), point = ly_get_string(&reader), scalar = ly_get_mpint(&reader);
        g_assert_true(ly_bytes_starts_with(name, "nistp") &&
                      type->bits == (unsigned)atoi((const char *)name.data + 5));
        *private_pk = ly_pk_new_ecdsa(crypto, type->curve, point, scalar, &error);
        *public_pk = ly_pk_new_ecdsa(crypto, type->curve, point, (LyBytes){0}, &error);
    } else {
        LyBytes public_key = ly_get_string(&reader), both = ly_get_string(&reader);
        size_t len = public_key.len;
        g_assert_cmpuint(both.len, ==, 2 * len);
        g_assert_cmpmem(both.data + len, len, public_key.data, len);
        *private_pk = new_edwards(type->type, public_key, ly_bytes(both.data, len), &error);
        *public_pk = new_edwards(type->type, public_key, (LyBytes){0}, &error);
    }
    g_assert_cmpstr(error.message, ==, "");
    g_assert_true(ly_reader_done(&reader));
}

static void refuse_signature(LyPk *pk, LyHash hash, LyBytes message, LyBytes signature)
{
    LyError error = {0};
    g_assert_false(ly_pk_verify(pk, hash, message, signature, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_VERIFY);
}

static void test_type(gconstpointer data)
{
    const Type *type = data;
    LyPk *pk, *public_pk;
    make(type, &pk, &public_pk);
    g_assert_true(ly_pk_check(pk, NULL));
    g_assert_cmpuint(ly_pk_bits(public_pk), ==, type->bits);
    LyBytes message = LY_BYTES("a message");
    LY_AUTO(ly_buf_free) LyBuf signature = {0};
    for (unsigned i = 0; i < 12; i++) {
        ly_buf_clear(&signature);
        g_assert_true(ly_pk_sign(pk, type->hash, message, &signature, NULL));
        g_assert_true(ly_pk_verify(public_pk, type->hash, message, ly_buf_bytes(&signature), NULL));
        if (type->type == LY_PK_RSA)
            g_assert_cmpuint(signature.len, ==, (type->bits + 7) / 8);
    }
    refuse_signature(public_pk, type->hash, LY_BYTES("a Message"), ly_buf_bytes(&signature));
    /* Each bit flipped (every 13th of the long ones), each length cut, a byte more. */
    unsigned stride = signature.len > 80 ? 13 : 1;
    for (size_t bit = 0; bit < signature.len * 8; bit += stride) {
        signature.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        refuse_signature(public_pk, type->hash, message, ly_buf_bytes(&signature));
        signature.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t len = 0; len < signature.len; len++)
        refuse_signature(public_pk, type->hash, message, ly_bytes(signature.data, len));
    g_assert_true(ly_pk_verify(pk, type->hash, message, ly_buf_bytes(&signature), NULL));
    ly_buf_add(&signature, LY_BYTES("\0"));
    refuse_signature(public_pk, type->hash, message, ly_buf_bytes(&signature));
    ly_pk_unref(pk);
    ly_pk_unref(public_pk);
}

/* An RSA signature that begins with zero bytes is taken without them (OpenSSH). */
static void test_short_rsa(void)
{
    LyPk *pk, *public_pk;
    make(&types[0], &pk, &public_pk);
    bool seen = false;
    for (unsigned i = 0; i < 5000 && !seen; i++) {
        LY_AUTO(ly_buf_free) LyBuf signature = {0};
        LyBytes message = ly_bytes(&i, sizeof i);
        g_assert_true(ly_pk_sign(pk, LY_SHA256, message, &signature, NULL));
        g_assert_cmpuint(signature.len, ==, 128);
        seen = signature.data[0] == 0;
        if (seen)
            g_assert_true(ly_pk_verify(pk, LY_SHA256, message, ly_bytes(signature.data + 1, 127), NULL));
    }
    g_assert_true(seen);
    LyError error = {0};
    LY_AUTO(ly_buf_free) LyBuf signature = {0};
    g_assert_false(ly_pk_sign(pk, LY_MD5, LY_BYTES("x"), &signature, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_INVALID);
    ly_pk_unref(pk);
    ly_pk_unref(public_pk);
}

/* ---- keys that are none, and halves of different keys ---- */

static void expect_mismatch(LyPk *pk, const char *sentence)
{
    LyError error = {0};
    g_assert_nonnull(pk);
    g_assert_false(ly_pk_check(pk, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_VERIFY);
    g_assert_nonnull(strstr(error.message, sentence));
    ly_pk_unref(pk);
}

static void expect_invalid(LyPk *pk, const LyError *error)
{
    g_assert_null(pk);
    g_assert_cmpint(error->code, ==, LY_ERROR_INVALID);
}

static void test_rsa_halves(void)
{
    LY_AUTO(ly_buf_free) LyBuf fields = {0};
    g_assert_true(ly_pk_generate(crypto, LY_PK_RSA, 1024, &fields, NULL));
    LyReader reader = ly_reader(ly_buf_bytes(&fields));
    LyBytes number[6];
    for (unsigned i = 0; i < 6; i++)
        number[i] = ly_get_mpint(&reader);
    static const char *const sentences[] = {"not the product", "does not belong", "does not belong",
                                            "not the inverse", "not the product", "not the product"};
    LyError error = {0};
    for (unsigned i = 0; i < 6; i++) {
        uint8_t *byte = (uint8_t *)number[i].data + number[i].len - 1;
        *byte ^= 4;
        LyRsaNumbers numbers = {number[0], number[1], number[2], number[3], number[4], number[5]};
        expect_mismatch(ly_pk_new_rsa(crypto, &numbers, NULL), sentences[i]);
        *byte ^= 4;
        LyRsaNumbers bad = numbers;
        *(LyBytes *[]){&bad.n, &bad.e, &bad.n, &bad.iqmp, &bad.p, &bad.q}[i] = (LyBytes){0};
        expect_invalid(ly_pk_new_rsa(crypto, &bad, &error), &error);
    }
    LyRsaNumbers good = {number[0], number[1], number[2], number[3], number[4], number[5]}, bad = good;
    bad.p = LY_BYTES("\1");
    expect_invalid(ly_pk_new_rsa(crypto, &bad, &error), &error);
    bad = (LyRsaNumbers){.n = number[0], .e = LY_BYTES("\1")};
    expect_invalid(ly_pk_new_rsa(crypto, &bad, &error), &error);
    bad.e = LY_BYTES("\4");
    expect_invalid(ly_pk_new_rsa(crypto, &bad, &error), &error);
    bad.e = number[0];
    expect_invalid(ly_pk_new_rsa(crypto, &bad, &error), &error);
    bad = (LyRsaNumbers){.n = ly_bytes(number[0].data, 127), .e = number[1]};
    expect_invalid(ly_pk_new_rsa(crypto, &bad, &error), &error);
    uint8_t huge[2049];
    memset(huge, 1, sizeof huge);
    bad.n = ly_bytes(huge, sizeof huge);
    expect_invalid(ly_pk_new_rsa(crypto, &bad, &error), &error);
    g_assert_nonnull(strstr(error.message, "1024 to 16384"));
    /* p and q exchanged, with the iqmp of the old order */
    bad = good;
    bad.p = good.q, bad.q = good.p;
    expect_mismatch(ly_pk_new_rsa(crypto, &bad, NULL), "not the inverse");
}

static void test_other_halves(void)
{
    LyError error = {0};
    LyDsaNumbers dsa = {hex(dsa_p), hex(dsa_q), hex(dsa_g), hex(dsa_y), LY_BYTES("\5")};
    expect_mismatch(ly_pk_new_dsa(crypto, &dsa, NULL), "private value");
    dsa.x = dsa.q;
    expect_invalid(ly_pk_new_dsa(crypto, &dsa, &error), &error);
    dsa.x = hex(dsa_x);
    dsa.y = LY_BYTES("\1");
    expect_invalid(ly_pk_new_dsa(crypto, &dsa, &error), &error);
    dsa.y = dsa.q = hex(dsa_y);
    expect_invalid(ly_pk_new_dsa(crypto, &dsa, &error), &error);

    LyBytes point = hex(p256_point), zeros = hex("0000");
    expect_mismatch(ly_pk_new_ecdsa(crypto, LY_NISTP256, point, LY_BYTES("\5"), NULL), "private scalar");
    expect_invalid(ly_pk_new_ecdsa(crypto, LY_NISTP256, point, hex(p256_order), &error), &error);
    expect_invalid(ly_pk_new_ecdsa(crypto, LY_NISTP256, point, zeros, &error), &error);
    uint8_t long_scalar[64] = {1}; /* ssh-keygen 9.2 crashes on these */
    expect_invalid(ly_pk_new_ecdsa(crypto, LY_NISTP256, point, ly_bytes(long_scalar, 64), &error), &error);
    expect_invalid(ly_pk_new_ecdsa(crypto, LY_NISTP384, point, (LyBytes){0}, &error), &error);
    expect_invalid(ly_pk_new_ecdsa(crypto, LY_NISTP256, ly_bytes(point.data, 33), (LyBytes){0}, &error),
                   &error);
    expect_invalid(ly_pk_new_ecdsa(crypto, LY_NISTP256, LY_BYTES("\0"), (LyBytes){0}, &error), &error);
    ((uint8_t *)point.data)[64] ^= 1;
    expect_invalid(ly_pk_new_ecdsa(crypto, LY_NISTP256, point, (LyBytes){0}, &error), &error);
    g_assert_nonnull(strstr(error.message, "not on the curve"));

    for (size_t i = 1; i < LY_COUNT(rfc8032); i++) {
        LyBytes public_key = hex(rfc8032[i].public_key), seed = hex(rfc8032[i].seed);
        LyPkType type = rfc8032[i].type;
        ((uint8_t *)seed.data)[7] ^= 1;
        expect_mismatch(new_edwards(type, public_key, seed, NULL), "the seed does not give");
        expect_invalid(new_edwards(type, public_key, ly_bytes(seed.data, 31), &error), &error);
        expect_invalid(new_edwards(type, ly_bytes(public_key.data, 31), seed, &error), &error);
        expect_invalid(new_edwards(type, (LyBytes){0}, (LyBytes){0}, &error), &error);
    }
    LY_AUTO(ly_buf_free) LyBuf fields = {0};
    g_assert_false(ly_pk_generate(crypto, LY_PK_ECDSA, 255, &fields, NULL));
    g_assert_false(ly_pk_generate(crypto, LY_PK_RSA, 512, &fields, NULL));
    g_assert_false(ly_pk_generate(crypto, LY_PK_DSA, 1024, &fields, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_UNSUPPORTED);
    g_assert_cmpuint(fields.len, ==, 0);
}

static void *sign_and_verify(void *data)
{
    LyPk *pk = data;
    for (unsigned i = 0; i < 20; i++) {
        LY_AUTO(ly_buf_free) LyBuf signature = {0};
        g_assert_true(ly_pk_sign(pk, LY_SHA256, LY_BYTES("x"), &signature, NULL));
        g_assert_true(ly_pk_verify(pk, LY_SHA256, LY_BYTES("x"), ly_buf_bytes(&signature), NULL));
    }
    ly_pk_unref(pk);
    return NULL;
}

/* A key that is first used by four threads at once. */
static void test_threads(void)
{
    for (size_t i = 0; i < LY_COUNT(types); i++) {
        LyPk *pk, *public_pk;
        pthread_t threads[4];
        make(&types[i], &pk, &public_pk);
        for (unsigned j = 0; j < 4; j++)
            g_assert_cmpint(pthread_create(&threads[j], NULL, sign_and_verify, ly_pk_ref(pk)), ==, 0);
        for (unsigned j = 0; j < 4; j++)
            pthread_join(threads[j], NULL);
        ly_pk_unref(pk);
        ly_pk_unref(public_pk);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    decoded = g_ptr_array_new_with_free_func(g_free);
    g_test_add_func("/pk/rfc8032", test_rfc8032);
    g_test_add_func("/pk/ed25519-large-s", test_large_s);
    g_test_add_func("/pk/ecdsa-range", test_ecdsa_range);
    for (size_t i = 0; i < LY_COUNT(types); i++) {
        char *path = g_strconcat("/pk/type/", types[i].name, NULL);
        g_test_add_data_func(path, &types[i], test_type);
        g_free(path);
    }
    g_test_add_func("/pk/short-rsa", test_short_rsa);
    g_test_add_func("/pk/rsa-halves", test_rsa_halves);
    g_test_add_func("/pk/other-halves", test_other_halves);
    g_test_add_func("/pk/threads", test_threads);
    int result = g_test_run();
    g_ptr_array_unref(decoded);
    ly_crypto_unref(crypto);
    return result;
}
