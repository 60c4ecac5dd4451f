/* core/key: keys that are known to be weak. The moduli were made for this test, after the published
 * descriptions of the flaws; their factors are known to nobody's use. */
#include <glib.h>

#include "base/auto.h"
#include "crypto/weak.h"
#include "key-samples.h"
#include "key/read.h"
#include "key/weakness.h"

static LyCrypto *crypto;

/* Products of two primes k M + (65537^a mod M), M the product of the first 71, 126 and 225 primes. */
static const char *const roca_moduli[] = {
    "bb7019b4316db29aefc5e8a3cada8f1cd61202e3ad79754b98c1e453170796c7a026aec4042da6fcd3807bf551"
    "11e4c55692c42f558e29f9bb189733a261e7524c080f05df0bebcbe0824ae61c2cbf39d37eef32a9e65ed15b47"
    "37d3dd05bf57615cfa75a8f1b2913bca19bec0f3b7410258e2d17e2417b1c556da0a22de103d",
    "da391980c88f9b3e2b90996f9f6633606f6be5fb79bb708f996f665fdbbc5297a43488e7602148c02d99e0b9c7"
    "7093343384e32991e22fa0d8c02863a44e450b5db787457ac92f9806b71e1b41604528970175b02057876d04cf"
    "60eba124a7c8fdcf267dcd82c1945700fdb70c8bdc5d5c9162dc1b15d6b431e5a8517bcb730910da0d5e260d95"
    "6af278d785fbd9ef9e033485419b9b18d091192e9c026188b86161c670936fff4fef201cc91421198f54b1a076"
    "83d7da9c91cc344da999548e79cc0e25d2acdb5f8d8a0c6d8f33ca259e12d1f848c57864bcf85d919ba0c2f4af"
    "4be4a3c45b77cffc114546edf6972906a4814c6ee374de04d1f1c4f605b6ad",
    "dab28717b64155847a8097669337ef06f48b9aae749381dd508cf300022a236685c385e78ae87f42ee1b5c6e42"
    "ac27a2ea8887c47a443997113df67aca8e8ffe99efd4233294705a71c6997efdc1b0387a6ece25fc08dd7a0adf"
    "989588f169caaa16f048c216878b7e36a6a316f8068dbc586c2455b5d51550a6c898778e6cdf7d597425e7e1a4"
    "bf9de71e2f723828dab53cdf0a45920f01064106ee8e600e654142a88fc1e644dbb23851de181b4b5d924e314f"
    "bf73ccd68cfa8f2574091bbd92c85646064a68b54b8be12f4e3c626c73e414659e2d107ed8c35be2b120c89ffa"
    "5f7db6c0816be14584ab65e592ead1e928fc4d2f1aef20eb6caaf4c8c03d60c95b5584b14f7777b966327bd175"
    "3732e051bdd704c27610ec312214a8af2456ffb9bb6233406221e051e07f37efdf320d2ed8168cf7b00c72afff"
    "2e4c65964e4e4d82b2713ccf568264a722f1cbaa18a40602134f0646ce03f190470bf516fea993483c55d44927"
    "fef29a1182c247b37f43a9bd2ce3fc4ecb8156a54bf2bae65b3ce78d9fb305e23142b9491134b1ff38555d5a63"
    "93a9b477d43998fab7591d8a67e38e84c8dd788e06a989610490ff82b4b8f9b5c2dca75ba0bcb72e8c3d2eecae"
    "f6095d8a2d991342bec0327655cd1fed99f2c9de5b0ee89044322c4a083460e5f422bb1d0b21383149a4e08d79"
    "c6e04ffa8d5dd76aecdd290355ca4c0bf3",
};

/* Like the first, but one remainder is no power of 65537. */
static const struct {
    unsigned prime;
    const char *modulus;
} near_roca[] = {
    {11, "cbb0e8dfc52dc5a0fbe392dc7672558a863ca1031d555827d9c0bc044380d63e310cd8afc8d3ba7d18cfe45356"
         "5b7eb3f408cdfded4d488d585d8cc3cafd7c4daa04670a2684e405e9a81dbbc17a26fb3a1ff8625bc83d614f9a"
         "ff4ca00640149b8053108c7dbbd03539dd840275698b213702cf23b675c236701ea7414d37d1"},
    {167, "cbb0e8dfc52dc5a0fbe392dc7672558a863ca1031d555827d9c0bc044380d63e310cd8afc8d3ba7d18cfe45356"
          "5b7eb3f408cdfded4d488d585d8cc3cafd7c4daa04670a2684e405e9a81dbbc17a26fb3a1ff8625bc83d614f9a"
          "ff4ca00640149b8053108cdd4d65286d28fae2a7168aefdaaeaf8db3be34f0b8562acb5c481b"},
    {37, "cbb0e8dfc52dc5a0fbe392dc7672558a863ca1031d555827d9c0bc044380d63e310cd8afc8d3ba7d18cfe45356"
         "5b7eb3f408cdfded4d488d585d8cc3cafd7c4daa04670a2684e405e9a81dbbc17a26fb3a1ff8625bc83d614f9a"
         "ff4ca00640149b8053108be832e4616c6b385718a5f291c80796bf8e6e1f075768965ec42d8d"},
};

/* Two primes of 1024 bits, and in how many steps Fermat's method has them. */
static const struct {
    unsigned steps;
    const char *modulus;
} close_moduli[] = {
    {0, "a1c9e06c081b42983c1a352ede35a8654b3b8f3443af2a7114a3827ec9157e6c61713d036ba6b3b9a26143de75"
        "6f5ab864c9e1ead2535cbe36ae29665d110f72a79956e35d6489081c86c4997bf7264e1315ac4c155c4b4e9718"
        "2dad157fdbacb5f2e4b31a4b8161eb91187efd47baa9c8e8828b9e312cbe2f779dbfc9251fb5c3dde1716e78c0"
        "b446a0b98761e169f2b14be735fe2c888f1d4bbc27f650f05a825208ce0ffb1b1d3cfa8742d171118f63801e0b"
        "bf8a85bf00b5b99bf7838495362a411f28d8a6b6251b6717c58adb1075bdec247ac6ed3c77bb963957dbff140f"
        "460ee7fbfcf965e4a0c0c9955f322e8303a081acbc2a1e4c34a2ba37f90761"},
    {1, "a1c9e06c081b42983c1a352ede35a8654b3b8f3443af2a7114a3827ec9157e6c61713d036ba6b3b9a26143de75"
        "6f5ab864c9e1ead2535cbe36ae29665d110f72a79956e35d6489081c86c4997bf7264e1315ac4c155c4b4e9718"
        "2dad157fdbacb5f2e4b31a4b822d6f1b14697ef51e796645888084811307e2135c3db455ce0e28d10b1053f92d"
        "89ff49532a8dd4df315a8437276d4abec77d6ed6b0abe99c3734424c51bd28468e735fbc7ad8b588d081592f2a"
        "f5d261a2a8c41976d0c01c462388ea8ebd1fc1430ecb23dcee83a8f50e102bf71991ba558bbd7a6c34c92ee8eb"
        "b8364da3d8ee8d32a288cd9d5c849e58d717c15fc1514cea792ee54f104fb5"},
    {11, "a1c9e06c081b42983c1a352ede35a8654b3b8f3443af2a7114a3827ec9157e6c61713d036ba6b3b9a26143de75"
         "6f5ab864c9e1ead2535cbe36ae29665d110f7903b5a6c2b171f4269971acc92329a58060aa8a4004b5d0bdacff"
         "68ccf0141d25c3805b44a701eb82cc00caad8260eb37533fed3179803c431931574fc13515409aabd02ea50045"
         "bebc7933f2f704c207c17abc01913b8523a41ec411ec15a322f345099a2c3225c99c3f211f7cad46ff88723002"
         "f43404dd5f0e513043fa163e22eabd88442e6972f842a19b51dc40d571c0b29c1c3081303ac3b694c3582defe9"
         "f7ded1ee3ff97aea0e81b47fb716062d0697ef5ea3ebb39ce302dbed247651"},
    {41, "a1c9e06c081b42983c1a352ede35a8654b3b8f3443af2a7114a3827ec9157e6c61713d036ba6b3b9a26143de75"
         "6f5ab864c9e1ead2535cbe36ae29665d110f7f5fd1f6a2057f5f45165c94f8ca5c24b2ae3f6833f40f562cc2e6"
         "a3eccaa85e9ed10dd1d633b855a3ac707cdc077a1bc4dd9757d754cf4bc802eb10dfb9450c27a487d3ef156673"
         "8e698ed68f8e34ce1ee94008b894afcb3a1a25b10be10f568f0a392607206c62fdfb67166f1f0c9eb5039650f2"
         "d00615a8b9df584eddda170422ccf220c51300691ea64ec284692499ed5670983886cc6fe4dc4e59afcf7187b8"
         "5d696e988244fd565804b92ead1aceddaf46c317f8552275d8ca763d22a317"},
    {645, "a1c9e06c081b42983c1a352ede35a8654b3b8f3443af2a7114a3827ec9157e6c61713d036ba6b3b9a26143de75"
          "6f5ab864c9e1ead2535cbe36ae29665d110fa5887bd5ddfdcfe1fc03de0616b58b1fe07fbc9beb902876c74652"
          "06abea21e775225e993f7ffed268ef0ea9f326113f161ba3d7ba78a9a8e57d456a3f89a4c20b10c2aec1a698a2"
          "d0eed3c3ebc04a8e37a4ce5e0dc88dc0af9e5bb71a83b8856bf79bc5b2d1b7f9471f65c37845f19a632609a556"
          "9e34d4573e89c6fed81ef206bb47a16688ab2fbb6f134e955dbf1631814a5ac5d3bd76156a7c744f3a8d7b3ba1"
          "7cd929e963cf32edd33ed010aba4bc2af9a3193d78bbb9b6119c9a55e08c2b"},
};

static LyBytes from_hex(const char *hex, uint8_t bytes[512])
{
    size_t len = strlen(hex) / 2;
    g_assert_true(strlen(hex) % 2 == 0 && len <= 512);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(g_ascii_xdigit_value(hex[2 * i]) << 4 | g_ascii_xdigit_value(hex[2 * i + 1]));
    return ly_bytes(bytes, len);
}

static LyKey *rsa_key(LyBytes modulus, unsigned exponent)
{
    LyBuf blob = {0};
    LyError error = {0};
    uint8_t e[4];
    ly_store_u32(e, exponent);
    ly_put_cstring(&blob, "ssh-rsa");
    ly_put_mpint(&blob, ly_bytes(e, sizeof e));
    ly_put_mpint(&blob, modulus);
    LyKey *key = ly_key_new_public(crypto, ly_buf_bytes(&blob), &error);
    ly_buf_free(&blob);
    if (!key)
        g_error("%s", error.message);
    return key;
}

/* The codes, with a blank behind each; the texts are sentences. Takes the key. */
static char *codes(LyKey *key, LyKeyFormat format)
{
    LyWeakness found[LY_WEAKNESS_MAX];
    GString *all = g_string_new(NULL);
    size_t count = ly_key_weaknesses(key, format, found);
    for (size_t i = 0; i < count; i++) {
        g_string_append_printf(all, "%s ", found[i].code);
        g_assert_cmpuint(strlen(found[i].text), >, 20);
    }
    ly_key_unref(key);
    return g_string_free(all, FALSE);
}

#define ASSERT_CODES(key, format, expected)                                                                  \
    do {                                                                                                     \
        char *found = codes(key, format);                                                                    \
        g_assert_cmpstr(found, ==, expected);                                                                \
        g_free(found);                                                                                       \
    } while (0)

static void test_roca(void)
{
    uint8_t bytes[512];
    for (size_t i = 0; i < LY_COUNT(roca_moduli); i++) {
        LyBytes modulus = from_hex(roca_moduli[i], bytes);
        g_assert_true(ly_rsa_is_roca(modulus));
        ASSERT_CODES(rsa_key(modulus, 65537), LY_KEY_LINE, i ? "roca " : "rsa-small roca ");
    }
    for (size_t i = 0; i < LY_COUNT(near_roca); i++)
        g_assert_false(ly_rsa_is_roca(from_hex(near_roca[i].modulus, bytes)));
    for (unsigned i = 0; i < 100; i++) {
        ly_crypto_random(crypto, bytes, 256);
        bytes[0] |= 0x80;
        bytes[255] |= 1;
        g_assert_false(ly_rsa_is_roca(ly_bytes(bytes, 256)));
        if (i % 10 == 0)
            ASSERT_CODES(rsa_key(ly_bytes(bytes, 256), 65537), LY_KEY_LINE, "");
    }
}

static void test_close_primes(void)
{
    uint8_t bytes[512];
    for (size_t i = 0; i < LY_COUNT(close_moduli); i++) {
        LyBytes modulus = from_hex(close_moduli[i].modulus, bytes);
        unsigned steps = close_moduli[i].steps;
        g_assert_true(ly_rsa_primes_are_close(modulus, steps));
        g_assert_true(steps == 0 || !ly_rsa_primes_are_close(modulus, steps - 1));
        ASSERT_CODES(rsa_key(modulus, 65537), LY_KEY_LINE, steps <= 100 ? "close-primes " : "");
    }
    /* Small numbers, each step by hand: 15 = 4^2 - 1, 77 = 9^2 - 4, 187 = 14^2 - 9, 21 = 5^2 - 4; 4 = 2^2. */
    static const uint8_t small[] = {15, 77, 187, 21, 4};
    for (size_t i = 0; i < LY_COUNT(small); i++)
        g_assert_true(ly_rsa_primes_are_close(ly_bytes(&small[i], 1), 1));
    g_assert_false(ly_rsa_primes_are_close(ly_bytes("\x55", 1), 1)); /* 85 = 11^2 - 36 */
    g_assert_true(ly_rsa_primes_are_close(ly_bytes("\x55", 1), 2));
    /* The longest key that there is takes milliseconds too. */
    uint8_t *longest = g_malloc(2048);
    ly_crypto_random(crypto, longest, 2048);
    longest[0] |= 0x80;
    longest[2047] |= 1;
    g_assert_false(ly_rsa_primes_are_close(ly_bytes(longest, 2048), 100));
    g_free(longest);
}

static LyKey *sample(const char *name)
{
    for (size_t i = 0; i < LY_COUNT(public_samples); i++)
        if (strcmp(public_samples[i].name, name) == 0)
            return ly_key_read(crypto, ly_bytes_str(public_samples[i].line), NULL, NULL);
    g_assert_not_reached();
}

static void test_types(void)
{
    ASSERT_CODES(sample("ed25519"), LY_KEY_PPK2, "");
    ASSERT_CODES(sample("ecdsa256"), LY_KEY_PPK3, "");
    ASSERT_CODES(sample("ecdsa384"), LY_KEY_PPK3, "");
    ASSERT_CODES(sample("ecdsa521"), LY_KEY_OPENSSH, "");
    ASSERT_CODES(sample("ecdsa521"), LY_KEY_PPK1, "putty-p521 ");
    ASSERT_CODES(sample("ecdsa521"), LY_KEY_PPK2, "putty-p521 ");
    ASSERT_CODES(sample("ecdsa521"), LY_KEY_PPK3, "putty-p521 ");
    ASSERT_CODES(sample("rsa"), LY_KEY_PPK3, "");
    ASSERT_CODES(sample("rsa1024"), LY_KEY_LINE, "rsa-small ");
    ASSERT_CODES(sample("dsa"), LY_KEY_LINE, "dsa ");
}

static void test_exponents(void)
{
    uint8_t bytes[256];
    ly_crypto_random(crypto, bytes, sizeof bytes);
    bytes[0] |= 0x80;
    bytes[255] |= 1;
    LyBytes modulus = ly_bytes(bytes, sizeof bytes), shorter;
    ASSERT_CODES(rsa_key(modulus, 3), LY_KEY_LINE, "small-exponent ");
    ASSERT_CODES(rsa_key(modulus, 15), LY_KEY_LINE, "small-exponent ");
    ASSERT_CODES(rsa_key(modulus, 17), LY_KEY_LINE, "");
    ASSERT_CODES(rsa_key(modulus, 35), LY_KEY_LINE, "");
    ASSERT_CODES(rsa_key(modulus, 0x10003), LY_KEY_LINE, "");
    /* 2047 bits are one too few. */
    bytes[0] = 0x7f;
    ASSERT_CODES(rsa_key(modulus, 65537), LY_KEY_LINE, "rsa-small ");
    shorter = ly_bytes_slice(modulus, 1, 128);
    bytes[1] |= 0x80;
    bytes[128] |= 1;
    ASSERT_CODES(rsa_key(shorter, 5), LY_KEY_LINE, "rsa-small small-exponent ");
}

/* The end of the MD5 fingerprint without its colons. */
static void test_debian(void)
{
    for (size_t i = 0; i < LY_COUNT(public_samples); i++) {
        LyKey *key = ly_key_read(crypto, ly_bytes_str(public_samples[i].line), NULL, NULL);
        char id[21], **parts = g_strsplit(public_samples[i].md5, ":", -1), *tail = g_strjoinv("", parts + 7);
        ly_key_debian_blocklist_id(crypto, key, id);
        g_assert_cmpstr(id, ==, tail);
        g_assert_cmpuint(strlen(id), ==, 20);
        g_strfreev(parts);
        g_free(tail);
        ly_key_unref(key);
    }
    g_assert_cmpstr(ly_weakness_debian.code, ==, "debian");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    g_assert_nonnull(crypto);
    g_test_add_func("/weakness/roca", test_roca);
    g_test_add_func("/weakness/close-primes", test_close_primes);
    g_test_add_func("/weakness/types", test_types);
    g_test_add_func("/weakness/exponents", test_exponents);
    g_test_add_func("/weakness/debian", test_debian);
    int status = g_test_run();
    ly_crypto_unref(crypto);
    return status;
}
