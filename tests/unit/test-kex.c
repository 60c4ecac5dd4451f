#include <glib.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/params.h>

#include "base/auto.h"
#include "base/wire.h"
#include "crypto/kex-private.h"
#include "crypto/kex.h"

static LyCrypto *crypto;

static void add_hex(LyBuf *out, const char *hex)
{
    for (; hex[0]; hex += 2) {
        uint8_t byte = (uint8_t)(g_ascii_xdigit_value(hex[0]) << 4 | g_ascii_xdigit_value(hex[1]));
        ly_buf_add(out, ly_bytes(&byte, 1));
    }
}

static LyKex *new_kex(const char *name)
{
    const LyKexInfo *info = ly_kex_find(ly_bytes_str(name));
    g_assert_nonnull(info);
    LyError error = {0};
    LyKex *kex = ly_kex_new(crypto, info, &error);
    g_assert_cmpstr(error.message, ==, "");
    g_assert_nonnull(kex);
    return kex;
}

static void add_number(LyBuf *out, const BIGNUM *number)
{
    uint8_t *room = ly_buf_room(out, (size_t)BN_num_bytes(number));
    ly_buf_added(out, (size_t)BN_bn2bin(number, room));
}

static void set_group(LyKex *kex)
{
    LY_AUTO(ly_buf_free) LyBuf p = {0};
    BIGNUM *prime = BN_get_rfc3526_prime_2048(NULL);
    add_number(&p, prime);
    BN_free(prime);
    LyError error = {0};
    g_assert_true(ly_kex_set_group(kex, ly_buf_bytes(&p), LY_BYTES("\2"), 2048, 8192, true, &error));
}

static void agree(const LyKexInfo *info, unsigned rounds)
{
    LyError error = {0};
    bool short_secret = false;
    /* Many rounds of a cheap method go on until a K that begins with a zero byte came by. */
    bool until_short = rounds >= 300;
    for (unsigned i = 0; i < rounds || (until_short && !short_secret && i < 5000); i++) {
        LyKex *client = new_kex(info->name), *server = new_kex(info->name);
        LY_AUTO(ly_buf_free) LyBuf client_value = {0};
        LY_AUTO(ly_buf_free) LyBuf server_value = {0};
        LY_AUTO(ly_buf_free) LyBuf client_secret = {0};
        LY_AUTO(ly_buf_free) LyBuf server_secret = {0};
        if (info->kind == LY_KEX_DH_GROUP_EXCHANGE) {
            g_assert_false(ly_kex_init(client, &client_value, &error));
            set_group(client);
            set_group(server);
        }
        g_assert_false(ly_kex_finish(client, LY_BYTES("x"), &client_secret, &error));
        g_assert_true(ly_kex_init(client, &client_value, &error));
        g_assert_true(
            ly_kex_respond(server, ly_buf_bytes(&client_value), &server_value, &server_secret, &error));
        g_assert_true(ly_kex_finish(client, ly_buf_bytes(&server_value), &client_secret, &error));
        g_assert_cmpmem(client_secret.data, client_secret.len, server_secret.data, server_secret.len);
        /* K is one minimal mpint, or one string, and nothing else. */
        LyReader reader = ly_reader(ly_buf_bytes(&client_secret));
        LyBytes secret = ly_get_string(&reader);
        g_assert_true(ly_reader_done(&reader));
        bool hybrid = info->kind == LY_KEX_SNTRUP761X25519 || info->kind == LY_KEX_MLKEM768X25519;
        if (hybrid)
            g_assert_cmpuint(secret.len, ==, ly_hash_len(info->hash));
        else
            g_assert_true(secret.data[0] || secret.data[1] & 0x80);
        if (info->kind == LY_KEX_DH)
            g_assert_true(!(client_value.data[0] & 0x80) &&
                          (client_value.data[0] || client_value.data[1] & 0x80));
        short_secret = short_secret || secret.len < 32;
        ly_kex_free(client);
        ly_kex_free(server);
    }
    g_assert_true(short_secret || !until_short);
}

static void test_agree_each(void)
{
    LY_AUTO(ly_buf_free) LyBuf names = {0};
    ly_kex_names(crypto, false, &names);
    char **list = g_strsplit(ly_buf_str(&names), ",", -1);
    for (char **name = list; *name; name++) {
        const LyKexInfo *info = ly_kex_find(ly_bytes_str(*name));
        unsigned bits =
            info->group ? (unsigned)atoi(strrchr(info->group, info->kind == LY_KEX_DH ? '_' : '-') + 1) : 0;
        agree(info, info->kind == LY_KEX_X25519            ? 300
                    : info->kind == LY_KEX_ECDH            ? (bits == 256 ? 300 : 20)
                    : info->kind == LY_KEX_DH              ? (bits > 4000 ? 3 : 10)
                    : info->kind == LY_KEX_SNTRUP761X25519 ? 4
                                                           : 10);
    }
    g_strfreev(list);
}

static void test_names(void)
{
    LY_AUTO(ly_buf_free) LyBuf names = {0};
    ly_kex_names(crypto, true, &names);
    const char *mlkem = ly_crypto_has_mlkem(crypto) ? "mlkem768x25519-sha256," : "";
    char *expected = g_strconcat(
        "sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com,", mlkem,
        "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-"
        "nistp521,"
        "diffie-hellman-group-exchange-sha256,diffie-hellman-group14-sha256,diffie-hellman-group15-sha512,"
        "diffie-hellman-group16-sha512,diffie-hellman-group17-sha512,diffie-hellman-group18-sha512",
        NULL);
    g_assert_cmpstr(ly_buf_str(&names), ==, expected);
    g_free(expected);
    ly_buf_clear(&names);
    ly_kex_names(crypto, false, &names);
    g_assert_true(g_str_has_suffix(ly_buf_str(&names),
                                   ",diffie-hellman-group-exchange-sha1,"
                                   "diffie-hellman-group14-sha1,diffie-hellman-group1-sha1"));
    g_assert_null(ly_kex_find(LY_BYTES("curve25519-sha25")));
    LyError error = {0};
    if (!ly_crypto_has_mlkem(crypto)) {
        g_assert_null(ly_kex_new(crypto, ly_kex_find(LY_BYTES("mlkem768x25519-sha256")), &error));
        g_assert_cmpint(error.code, ==, LY_ERROR_UNSUPPORTED);
    }
}

/* RFC 7748 section 6.1 */
static void test_x25519_vector(void)
{
    LY_AUTO(ly_buf_free) LyBuf alice = {0};
    LY_AUTO(ly_buf_free) LyBuf bob = {0};
    LY_AUTO(ly_buf_free) LyBuf expected = {0};
    LY_AUTO(ly_buf_free) LyBuf secret = {0};
    add_hex(&alice, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    add_hex(&bob, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    add_hex(&expected, "000000204a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    LyKex *kex = new_kex("curve25519-sha256");
    kex->key = EVP_PKEY_new_raw_private_key_ex(crypto->library, "X25519", NULL, alice.data, alice.len);
    g_assert_true(ly_kex_finish(kex, ly_buf_bytes(&bob), &secret, NULL));
    g_assert_cmpmem(secret.data, secret.len, expected.data, expected.len);
    ly_buf_clear(&secret);
    bob.data[31] |= 0x80; /* the top bit means nothing */
    g_assert_true(ly_kex_finish(kex, ly_buf_bytes(&bob), &secret, NULL));
    g_assert_cmpmem(secret.data, secret.len, expected.data, expected.len);
    ly_kex_free(kex);
}

/* Both roles refuse the value, and write nothing. */
static void refuse(const char *name, LyBytes value)
{
    LyError error = {0};
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    LY_AUTO(ly_buf_free) LyBuf ours = {0};
    LyKex *kex = new_kex(name);
    if (kex->info->kind == LY_KEX_DH_GROUP_EXCHANGE)
        set_group(kex);
    g_assert_false(ly_kex_respond(kex, value, &out, &out, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_PROTOCOL);
    error = (LyError){0};
    g_assert_true(ly_kex_init(kex, &ours, &error));
    g_assert_false(ly_kex_finish(kex, value, &out, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_PROTOCOL);
    g_assert_cmpuint(out.len, ==, 0);
    ly_kex_free(kex);
}

static const char *const low_order[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};

static void test_bad_x25519(void)
{
    static const uint8_t bytes[33] = {9};
    refuse("curve25519-sha256", (LyBytes){0});
    refuse("curve25519-sha256", ly_bytes(bytes, 31));
    refuse("curve25519-sha256", ly_bytes(bytes, 33));
    for (size_t i = 0; i < LY_COUNT(low_order); i++) {
        LY_AUTO(ly_buf_free) LyBuf point = {0};
        add_hex(&point, low_order[i]);
        refuse("curve25519-sha256", ly_buf_bytes(&point));
        point.data[31] |= 0x80;
        refuse("curve25519-sha256@libssh.org", ly_buf_bytes(&point));
    }
}

static void test_bad_points(void)
{
    static const char *const names[] = {"ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "ecdh-sha2-nistp521"};
    for (size_t i = 0; i < LY_COUNT(names); i++) {
        LY_AUTO(ly_buf_free) LyBuf good = {0};
        LY_AUTO(ly_buf_free) LyBuf bad = {0};
        LyKex *kex = new_kex(names[i]);
        g_assert_true(ly_kex_init(kex, &good, NULL));
        ly_kex_free(kex);
        size_t len = good.len / 2;
        refuse(names[i], (LyBytes){0});
        refuse(names[i], LY_BYTES("\0")); /* infinity */
        refuse(names[i], ly_bytes(good.data, good.len - 1));
        ly_buf_add(&bad, ly_buf_bytes(&good));
        ly_buf_add(&bad, LY_BYTES("x"));
        refuse(names[i], ly_buf_bytes(&bad));
        bad.len--;
        bad.data[bad.len - 1] ^= 1; /* off the curve */
        refuse(names[i], ly_buf_bytes(&bad));
        bad.data[bad.len - 1] ^= 1;
        bad.data[0] = 6; /* hybrid form */
        refuse(names[i], ly_buf_bytes(&bad));
        bad.data[0] = (uint8_t)(2 + (good.data[2 * len] & 1)); /* compressed, in both lengths */
        refuse(names[i], ly_buf_bytes(&bad));
        refuse(names[i], ly_bytes(bad.data, 1 + len));
        memset(bad.data, 0, bad.len);
        bad.data[0] = 4;
        refuse(names[i], ly_buf_bytes(&bad));
        memset(bad.data + 1, 0xff, 2 * len); /* coordinates above p */
        refuse(names[i], ly_buf_bytes(&bad));
        /* x + p of a good point: congruent and on the curve, where it still fits in the length (P-521 only)
         */
        if (i == 2) {
            BIGNUM *x = BN_bin2bn(good.data + 1, (int)len, NULL), *p = BN_new();
            g_assert_true(BN_set_bit(p, 521) && BN_sub_word(p, 1) && BN_add(x, x, p));
            memcpy(bad.data, good.data, good.len);
            g_assert_cmpint(BN_bn2binpad(x, bad.data + 1, (int)len), ==, (int)len);
            refuse(names[i], ly_buf_bytes(&bad));
            BN_free(x);
            BN_free(p);
        }
    }
}

static void test_bad_dh(void)
{
    static const char *const names[] = {"diffie-hellman-group14-sha256",
                                        "diffie-hellman-group-exchange-sha256"};
    for (size_t i = 0; i < LY_COUNT(names); i++) {
        BIGNUM *p = BN_get_rfc3526_prime_2048(NULL);
        refuse(names[i], (LyBytes){0});
        refuse(names[i], LY_BYTES("\0\0"));
        refuse(names[i], LY_BYTES("\1"));
        refuse(names[i], LY_BYTES("\0\0\1"));
        refuse(names[i], LY_BYTES("\xff")); /* -1 */
        refuse(names[i], LY_BYTES("\x80\1"));
        g_assert_true(BN_sub_word(p, 1));
        for (int offset = -1; offset <= 2; offset++) { /* p - 1 .. p + 2 */
            LY_AUTO(ly_buf_free) LyBuf value = {0};
            ly_buf_add(&value, LY_BYTES("\0"));
            add_number(&value, p);
            refuse(names[i], ly_buf_bytes(&value));
            refuse(names[i], ly_bytes(value.data + 1, value.len - 1)); /* the same without 00: negative */
            g_assert_true(BN_add_word(p, 1));
        }
        uint8_t huge[2500];
        memset(huge, 0x7f, sizeof huge);
        refuse(names[i], ly_bytes(huge, sizeof huge));
        BN_free(p);
    }
}

/* e = 2 gives K = 2^x = f, and leading zeros of e do not matter. */
static void test_dh_known(void)
{
    static const char *const names[] = {"diffie-hellman-group1-sha1", "diffie-hellman-group14-sha256"};
    for (size_t i = 0; i < LY_COUNT(names); i++) {
        LY_AUTO(ly_buf_free) LyBuf value = {0};
        LY_AUTO(ly_buf_free) LyBuf secret = {0};
        LyKex *kex = new_kex(names[i]);
        g_assert_true(ly_kex_respond(kex, LY_BYTES("\0\0\2"), &value, &secret, NULL));
        g_assert_cmpmem(value.data, value.len, secret.data + 4, secret.len - 4);
        ly_kex_free(kex);
    }
}

static void test_bad_hybrid(void)
{
    static const char name[] = "sntrup761x25519-sha512@openssh.com";
    LyError error = {0};
    LY_AUTO(ly_buf_free) LyBuf client_value = {0};
    LY_AUTO(ly_buf_free) LyBuf server_value = {0};
    LY_AUTO(ly_buf_free) LyBuf server_secret = {0};
    LyKex *client = new_kex(name), *server = new_kex(name);
    g_assert_true(ly_kex_init(client, &client_value, &error));
    g_assert_cmpuint(client_value.len, ==, 1158 + 32);
    g_assert_true(ly_kex_respond(server, ly_buf_bytes(&client_value), &server_value, &server_secret, &error));
    g_assert_cmpuint(server_value.len, ==, 1039 + 32);
    refuse(name, (LyBytes){0});
    refuse(name, ly_bytes(client_value.data, client_value.len - 1));
    refuse(name, ly_bytes(client_value.data + 1158, 32));
    refuse(name, ly_bytes(server_value.data, server_value.len - 1));
    /* A changed post-quantum part is no error but another K: no fall back to X25519 alone. */
    for (size_t i = 0; i < 1039 + 31; i += 97) {
        LY_AUTO(ly_buf_free) LyBuf secret = {0};
        server_value.data[i] ^= 4;
        g_assert_true(ly_kex_finish(client, ly_buf_bytes(&server_value), &secret, &error));
        g_assert_cmpuint(secret.len, ==, server_secret.len);
        g_assert_true(memcmp(secret.data, server_secret.data, secret.len) != 0);
        server_value.data[i] ^= 4;
    }
    /* A good post-quantum part does not excuse a point of low order. */
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    memset(client_value.data + 1158, 0, 32);
    memset(server_value.data + 1039, 0, 32);
    g_assert_false(ly_kex_respond(server, ly_buf_bytes(&client_value), &out, &out, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_PROTOCOL);
    g_assert_false(ly_kex_finish(client, ly_buf_bytes(&server_value), &out, &error));
    g_assert_cmpuint(out.len, ==, 0);
    ly_kex_free(client);
    ly_kex_free(server);
}

static void refuse_group(LyBytes p, LyBytes g, const char *reason)
{
    LyError error = {0};
    LyKex *kex = new_kex("diffie-hellman-group-exchange-sha256");
    g_assert_false(ly_kex_set_group(kex, p, g, 2048, 8192, true, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_PROTOCOL);
    g_assert_nonnull(strstr(error.message, reason));
    ly_kex_free(kex);
}

static void test_groups(void)
{
    LY_AUTO(ly_buf_free) LyBuf p = {0};
    LY_AUTO(ly_buf_free) LyBuf last = {0};
    BIGNUM *prime = BN_get_rfc3526_prime_2048(NULL);
    add_number(&p, prime);
    BN_free(prime);
    ly_buf_add(&last, ly_buf_bytes(&p));
    last.data[last.len - 1]--;
    refuse_group((LyBytes){0}, LY_BYTES("\2"), "0 bits");
    refuse_group(LY_BYTES("\0\0"), LY_BYTES("\2"), "0 bits");
    refuse_group(ly_bytes(p.data, 64), LY_BYTES("\2"), "512 bits");
    uint8_t huge[2500];
    memset(huge, 0x81, sizeof huge);
    refuse_group(ly_bytes(huge, sizeof huge), LY_BYTES("\2"), "20000 bits");
    refuse_group(ly_buf_bytes(&last), LY_BYTES("\2"), "is even");
    refuse_group(ly_buf_bytes(&p), (LyBytes){0}, "generator");
    refuse_group(ly_buf_bytes(&p), LY_BYTES("\1"), "generator");
    refuse_group(ly_buf_bytes(&p), ly_buf_bytes(&last), "generator");
    refuse_group(ly_buf_bytes(&p), ly_buf_bytes(&p), "generator");
    refuse_group(ly_buf_bytes(&p), ly_bytes(huge, sizeof huge), "generator");
    for (unsigned i = 0; i < 20; i++) { /* (i = 22 would give a prime) */
        p.data[100 + i] ^= 0x10;
        refuse_group(ly_buf_bytes(&p), LY_BYTES("\2"), "not prime");
        p.data[100 + i] ^= 0x10;
    }
    /* The server's own group: no test of its primality. */
    LyKex *kex = new_kex("diffie-hellman-group-exchange-sha256");
    p.data[100] ^= 0x10;
    g_assert_true(ly_kex_set_group(kex, ly_buf_bytes(&p), LY_BYTES("\2"), 2048, 8192, false, NULL));
    g_assert_false(ly_kex_set_group(kex, ly_buf_bytes(&last), LY_BYTES("\2"), 2048, 8192, false, NULL));
    ly_kex_free(kex);
}

/* A prime that is not built in (RFC 7919) passes the test, and a product of two primes does not. */
static void test_primality(void)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)"ffdhe2048", 0),
        OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(crypto->library, "DH", NULL);
    EVP_PKEY *group = NULL;
    BIGNUM *prime = NULL;
    g_assert_true(EVP_PKEY_fromdata_init(context) > 0 &&
                  EVP_PKEY_fromdata(context, &group, EVP_PKEY_KEY_PARAMETERS, params) > 0 &&
                  EVP_PKEY_get_bn_param(group, OSSL_PKEY_PARAM_FFC_P, &prime));
    LY_AUTO(ly_buf_free) LyBuf p = {0};
    add_number(&p, prime);
    LyKex *kex = new_kex("diffie-hellman-group-exchange-sha256");
    g_assert_true(ly_kex_set_group(kex, ly_buf_bytes(&p), LY_BYTES("\2"), 2048, 8192, true, NULL));
    ly_kex_free(kex);
    BN_CTX *numbers = BN_CTX_new();
    g_assert_true(BN_sqr(prime, prime, numbers));
    ly_buf_clear(&p);
    add_number(&p, prime);
    refuse_group(ly_buf_bytes(&p), LY_BYTES("\2"), "not prime");
    BN_CTX_free(numbers);
    BN_free(prime);
    EVP_PKEY_free(group);
    EVP_PKEY_CTX_free(context);
}

static size_t chosen_bits(const char *moduli, unsigned min, unsigned want, unsigned max, uint8_t *g)
{
    LY_AUTO(ly_buf_free) LyBuf p = {0};
    LY_AUTO(ly_buf_free) LyBuf generator = {0};
    if (!ly_kex_choose_group(crypto, ly_bytes_str(moduli), min, want, max, &p, &generator))
        return 0;
    g_assert_cmpuint(generator.len, ==, 1);
    *g = generator.data[0];
    g_assert_cmpint(p.data[0], !=, 0);
    return p.len * 8 - (size_t)__builtin_clz(p.data[0]) + 24;
}

static void test_choose(void)
{
    /* The numbers are no primes: nothing looks at that here. 40, 48 (three), 36 and 61 bits. */
    static const char moduli[] = "# Time Type Tests Tries Size Generator Modulus\n"
                                 "20210101000000 2 6 100 39 2 8000000001\n"
                                 "20210101000000 2 6 100 47 5 800000000001\r\n"
                                 "20210101000000 2 6 100 47 3 800000000003\n"
                                 "20210101000000 2 6 100 47 7 800000000005\n"
                                 "20210101000000 4 6 100 47 4 900000000005\n"
                                 "20210101000000 2 1 100 47 4 900000000005\n"
                                 "20210101000000 2 0 100 47 4 900000000005\n"
                                 "20210101000000 2 6 100 47 4 9000000000g5\n"
                                 "20210101000000 2 6 100 47 4\n"
                                 "20210101000000 2 6 100 35 2 800000001\n"
                                 "20210101000000 2 6 100 60 6 1f00000000000001\n";
    uint8_t g;
    g_assert_cmpuint(chosen_bits(moduli, 30, 40, 100, &g), ==, 40);
    g_assert_cmpuint(chosen_bits(moduli, 30, 37, 100, &g), ==, 40);
    g_assert_cmpuint(chosen_bits(moduli, 30, 0, 100, &g), ==, 36);
    g_assert_cmpuint(chosen_bits(moduli, 30, 90, 100, &g), ==, 61);
    g_assert_cmpuint(g, ==, 6);
    g_assert_cmpuint(chosen_bits(moduli, 30, 90, 50, &g), ==, 48);
    unsigned seen = 0;
    for (unsigned i = 0; i < 200; i++) {
        g_assert_cmpuint(chosen_bits(moduli, 30, 41, 100, &g), ==, 48);
        seen |= 1u << g;
    }
    g_assert_cmpuint(seen, ==, 1u << 5 | 1u << 3 | 1u << 7);
    g_assert_cmpuint(chosen_bits("", 2048, 3000, 8192, &g), ==, 3072);
    g_assert_cmpuint(chosen_bits(moduli, 2048, 5000, 8192, &g), ==, 6144);
    g_assert_cmpuint(chosen_bits("", 2048, 9000, 8192, &g), ==, 8192);
    g_assert_cmpuint(chosen_bits("", 1024, 1024, 4294967295u, &g), ==, 2048);
    g_assert_cmpuint(chosen_bits("", 4097, 4097, 4098, &g), ==, 0);
    g_assert_cmpuint(chosen_bits(moduli, 8192, 4096, 2048, &g), ==, 0);
    g_assert_cmpuint(chosen_bits("", 512, 512, 512, &g), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    g_test_add_func("/kex/names", test_names);
    g_test_add_func("/kex/agree", test_agree_each);
    g_test_add_func("/kex/x25519-vector", test_x25519_vector);
    g_test_add_func("/kex/dh-known", test_dh_known);
    g_test_add_func("/kex/bad-x25519", test_bad_x25519);
    g_test_add_func("/kex/bad-points", test_bad_points);
    g_test_add_func("/kex/bad-dh", test_bad_dh);
    g_test_add_func("/kex/bad-hybrid", test_bad_hybrid);
    g_test_add_func("/kex/groups", test_groups);
    g_test_add_func("/kex/primality", test_primality);
    g_test_add_func("/kex/choose", test_choose);
    int result = g_test_run();
    ly_crypto_unref(crypto);
    return result;
}
