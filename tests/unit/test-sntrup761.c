#include <glib.h>
#include <openssl/evp.h>

#include "base/memory.h"
#include "crypto/sntrup761.h"

typedef struct Keys {
    uint8_t public_key[LY_SNTRUP761_PUBLIC], private_key[LY_SNTRUP761_PRIVATE];
    uint8_t ciphertext[LY_SNTRUP761_CIPHERTEXT], sent[LY_SNTRUP761_SHARED], received[LY_SNTRUP761_SHARED];
} Keys;

static const LyRandom openssl_random = {0};

/* The generator of NIST's known-answer tests: AES-256 in counter mode, rekeyed after each request. */
typedef struct Drbg {
    uint8_t key[32], counter[16];
} Drbg;

static void drbg_blocks(Drbg *drbg, uint8_t *out, unsigned count)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    g_assert_true(EVP_EncryptInit_ex(context, EVP_aes_256_ecb(), NULL, drbg->key, NULL));
    for (unsigned i = 0; i < count; i++) {
        int len;
        for (unsigned j = 16; j-- > 0 && ++drbg->counter[j] == 0;)
            ;
        g_assert_true(EVP_EncryptUpdate(context, out + 16 * (size_t)i, &len, drbg->counter, 16));
    }
    EVP_CIPHER_CTX_free(context);
}

static void drbg_update(Drbg *drbg, const uint8_t *seed)
{
    uint8_t fresh[48];
    drbg_blocks(drbg, fresh, 3);
    for (unsigned i = 0; seed && i < 48; i++)
        fresh[i] ^= seed[i];
    memcpy(drbg->key, fresh, 32);
    memcpy(drbg->counter, fresh + 32, 16);
}

static void drbg_request(Drbg *drbg, uint8_t *out, size_t len)
{
    uint8_t blocks[4096];
    g_assert_cmpuint(len, <=, sizeof blocks);
    drbg_blocks(drbg, blocks, (unsigned)(len + 15) / 16);
    memcpy(out, blocks, len);
    drbg_update(drbg, NULL);
}

static void drbg_fill(void *user, uint8_t *out, size_t len)
{
    drbg_request(user, out, len);
}

static void add_line(GChecksum *sum, const char *name, const uint8_t *bytes, size_t len)
{
    g_checksum_update(sum, (const guchar *)name, -1);
    for (size_t i = 0; i < len; i++) {
        char hex[3];
        g_snprintf(hex, sizeof hex, "%02X", bytes[i]);
        g_checksum_update(sum, (const guchar *)hex, 2);
    }
    g_checksum_update(sum, (const guchar *)"\n", 1);
}

/* Entry 0 of the submission's PQCkemKAT_1763.rsp, as its SHA-256 that PQClean and liboqs publish. */
static void test_known_answer(void)
{
    LyCrypto *crypto = ly_crypto_new(0, NULL);
    Drbg drbg = {0};
    uint8_t seed[48];
    for (unsigned i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)i;
    drbg_update(&drbg, seed);
    drbg_request(&drbg, seed, sizeof seed);
    drbg = (Drbg){0};
    drbg_update(&drbg, seed);

    Keys *keys = ly_new(Keys);
    LyRandom random = {drbg_fill, &drbg};
    g_assert_true(ly_sntrup761_generate(crypto, &random, keys->public_key, keys->private_key));
    g_assert_true(ly_sntrup761_encapsulate(crypto, &random, keys->public_key, keys->ciphertext, keys->sent));
    g_assert_true(ly_sntrup761_decapsulate(crypto, keys->private_key, keys->ciphertext, keys->received));
    g_assert_cmpmem(keys->sent, sizeof keys->sent, keys->received, sizeof keys->received);

    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_checksum_update(sum, (const guchar *)"count = 0\n", -1);
    add_line(sum, "seed = ", seed, sizeof seed);
    add_line(sum, "pk = ", keys->public_key, sizeof keys->public_key);
    add_line(sum, "sk = ", keys->private_key, sizeof keys->private_key);
    add_line(sum, "ct = ", keys->ciphertext, sizeof keys->ciphertext);
    add_line(sum, "ss = ", keys->sent, sizeof keys->sent);
    g_assert_cmpstr(g_checksum_get_string(sum), ==,
                    "afc42c3a5b10f4ef69654250097ebda9b9564570f4086744b24a6daf2bd1f89a");
    g_checksum_free(sum);
    ly_free(keys);
    ly_crypto_unref(crypto);
}

/* The first seed makes g divisible by x (its lowest coefficient 0 modulo Q) inside the inversion modulo Q. */
static void test_agreement(void)
{
    LyCrypto *crypto = ly_crypto_new(0, NULL);
    Keys *keys = ly_new(Keys);
    for (unsigned round = 0; round < 12; round++) {
        uint8_t seed[48] = {(uint8_t)(round + 30), 1, round == 0};
        Drbg drbg = {0};
        drbg_update(&drbg, seed);
        LyRandom random = {drbg_fill, &drbg};
        g_assert_true(ly_sntrup761_generate(crypto, &random, keys->public_key, keys->private_key));
        for (unsigned i = 0; i < 4; i++) {
            g_assert_true(ly_sntrup761_encapsulate(crypto, &openssl_random, keys->public_key,
                                                   keys->ciphertext, keys->sent));
            g_assert_true(
                ly_sntrup761_decapsulate(crypto, keys->private_key, keys->ciphertext, keys->received));
            g_assert_cmpmem(keys->sent, sizeof keys->sent, keys->received, sizeof keys->received);
        }
    }
    ly_free(keys);
    ly_crypto_unref(crypto);
}

/* A changed ciphertext gives another secret, always the same one; so does another key. */
static void test_rejection(void)
{
    LyCrypto *crypto = ly_crypto_new(0, NULL);
    Keys *keys = ly_new(Keys);
    uint8_t again[LY_SNTRUP761_SHARED];
    g_assert_true(ly_sntrup761_generate(crypto, &openssl_random, keys->public_key, keys->private_key));
    g_assert_true(
        ly_sntrup761_encapsulate(crypto, &openssl_random, keys->public_key, keys->ciphertext, keys->sent));
    for (size_t i = 0; i < sizeof keys->ciphertext; i += 29) {
        keys->ciphertext[i] ^= (uint8_t)(1 << i % 8);
        g_assert_true(ly_sntrup761_decapsulate(crypto, keys->private_key, keys->ciphertext, keys->received));
        g_assert_true(ly_sntrup761_decapsulate(crypto, keys->private_key, keys->ciphertext, again));
        g_assert_true(memcmp(keys->sent, keys->received, sizeof again) != 0);
        g_assert_cmpmem(again, sizeof again, keys->received, sizeof again);
        keys->ciphertext[i] ^= (uint8_t)(1 << i % 8);
    }
    /* Numbers out of range everywhere, in a ciphertext and in a public key. */
    memset(keys->ciphertext, 0xff, sizeof keys->ciphertext);
    g_assert_true(ly_sntrup761_decapsulate(crypto, keys->private_key, keys->ciphertext, keys->received));
    memset(keys->public_key, 0xff, sizeof keys->public_key);
    g_assert_true(
        ly_sntrup761_encapsulate(crypto, &openssl_random, keys->public_key, keys->ciphertext, keys->sent));
    g_assert_true(ly_sntrup761_decapsulate(crypto, keys->private_key, keys->ciphertext, again));
    g_assert_true(memcmp(keys->sent, again, sizeof again) != 0);
    ly_free(keys);
    ly_crypto_unref(crypto);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sntrup761/known-answer", test_known_answer);
    g_test_add_func("/sntrup761/agreement", test_agreement);
    g_test_add_func("/sntrup761/rejection", test_rejection);
    return g_test_run();
}
