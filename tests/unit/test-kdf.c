/* core/crypto: key derivation against published vectors, and key files of another program opened with what it
 * gives. */
#include <glib.h>

#include "base/auto.h"
#include "base/base64.h"
#include "base/wire.h"
#include "crypto/cipher.h"
#include "crypto/kdf.h"

static LyCrypto *crypto;

static void assert_hex(const uint8_t *data, size_t len, const char *digits)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (size_t i = 0; i < len; i++)
        g_string_append_printf(text, "%02x", data[i]);
    g_assert_cmpstr(text->str, ==, digits);
}

static void test_pbkdf2(void)
{
    const struct {
        LyHash hash;
        LyBytes passphrase, salt;
        uint32_t iterations;
        size_t len;
        const char *key;
    } vectors[] = {
        /* RFC 6070, then RFC 7914 section 11 */
        {LY_SHA1, LY_BYTES("password"), LY_BYTES("salt"), 1, 20, "0c60c80f961f0e71f3a9b524af6012062fe037a6"},
        {LY_SHA1, LY_BYTES("password"), LY_BYTES("salt"), 4096, 20,
         "4b007901b765489abead49d926f721d065a429c1"},
        {LY_SHA1, LY_BYTES("passwordPASSWORDpassword"), LY_BYTES("saltSALTsaltSALTsaltSALTsaltSALTsalt"),
         4096, 25, "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038"},
        {LY_SHA1, LY_BYTES("pass\0word"), LY_BYTES("sa\0lt"), 4096, 16, "56fa6aa75548099dcc37d7f03425e0c3"},
        {LY_SHA256, LY_BYTES("passwd"), LY_BYTES("salt"), 1, 64,
         "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
         "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"},
        {LY_SHA256, LY_BYTES("Password"), LY_BYTES("NaCl"), 80000, 64,
         "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
         "a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d"},
    };
    uint8_t key[64];
    LyError error = {0};
    for (size_t i = 0; i < LY_COUNT(vectors); i++) {
        g_assert_true(ly_pbkdf2(crypto, vectors[i].hash, vectors[i].passphrase, vectors[i].salt,
                                vectors[i].iterations, key, vectors[i].len, &error));
        assert_hex(key, vectors[i].len, vectors[i].key);
    }
    g_assert_true(ly_pbkdf2(crypto, LY_SHA256, LY_BYTES(""), (LyBytes){0}, 1, key, 32, &error));
    g_assert_false(ly_pbkdf2(crypto, LY_SHA256, LY_BYTES("x"), LY_BYTES("salt"), 0, key, 32, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_INVALID);
}

static void test_scrypt(void)
{
    /* RFC 7914 section 12 */
    uint8_t key[64];
    LyError error = {0};
    g_assert_true(ly_scrypt(crypto, LY_BYTES(""), LY_BYTES(""), 16, 1, 1, 1 << 20, key, 64, &error));
    assert_hex(key, 64,
               "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
               "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906");
    g_assert_true(
        ly_scrypt(crypto, LY_BYTES("password"), LY_BYTES("NaCl"), 1024, 8, 16, 2 << 20, key, 64, &error));
    assert_hex(key, 64,
               "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
               "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640");
    static const struct {
        uint64_t n;
        uint32_t r, p;
        LyErrorCode code;
    } refused[] = {
        {0, 8, 1, LY_ERROR_INVALID},       {1, 8, 1, LY_ERROR_INVALID},
        {1000, 8, 1, LY_ERROR_INVALID},    {1024, 0, 1, LY_ERROR_INVALID},
        {1024, 8, 0, LY_ERROR_INVALID},    {1024, 1 << 15, 1 << 15, LY_ERROR_INVALID},
        {1 << 16, 1, 1, LY_ERROR_INVALID}, {1024, 8, 1024, LY_ERROR_LIMIT},
        {1 << 20, 8, 1, LY_ERROR_LIMIT},   {(uint64_t)1 << 63, 8, 1, LY_ERROR_LIMIT},
        {2, 1 << 29, 1, LY_ERROR_LIMIT},
    };
    for (size_t i = 0; i < LY_COUNT(refused); i++) {
        g_assert_false(ly_scrypt(crypto, LY_BYTES("x"), LY_BYTES("y"), refused[i].n, refused[i].r,
                                 refused[i].p, 2 << 20, key, 64, &error));
        g_assert_cmpint(error.code, ==, refused[i].code);
    }
    /* What our own sum of the memory lets through, libcrypto takes too: right at the limit. */
    uint64_t exact = 128 * 8 * (1024 + 2 + 4);
    g_assert_true(ly_scrypt(crypto, LY_BYTES("x"), LY_BYTES("y"), 1024, 8, 4, exact, key, 64, &error));
    g_assert_false(ly_scrypt(crypto, LY_BYTES("x"), LY_BYTES("y"), 1024, 8, 4, exact - 1, key, 64, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_LIMIT);
}

static void test_pem_kdf(void)
{
    /* `openssl enc -aes-256-cbc -md md5 -S 0123456789abcdef -P -pass pass:lanyard`: key and IV */
    uint8_t key[48];
    g_assert_true(ly_pem_kdf(crypto, LY_BYTES("lanyard"), LY_BYTES("\x01\x23\x45\x67\x89\xab\xcd\xef"), key,
                             sizeof key, NULL));
    assert_hex(
        key, sizeof key,
        "50180274420713522e5629085f74809ab378c85ed1b236726a2c98950fb6913935ec4f51b218ed864d4c24bad865ac94");
    memset(key, 0, sizeof key);
    g_assert_true(
        ly_pem_kdf(crypto, LY_BYTES("lanyard"), LY_BYTES("\x01\x23\x45\x67\x89\xab\xcd\xef"), key, 24, NULL));
    assert_hex(key + 20, 8, "d1b2367200000000");
}

static void test_argon2(void)
{
    /* RFC 9106 section 5 */
    static const char *const tags[] = {
        [LY_ARGON2D] = "512b391b6f1162975371d30919734294f868e3be3984f3c1a13a4db9fabe4acb",
        [LY_ARGON2I] = "c814d9d1dc7f37aa13f0d77f2494bda1c8de6b016dd388d29952a4c4672b6ce8",
        [LY_ARGON2ID] = "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"};
    uint8_t passphrase[32], salt[16], pepper[8], associated[12], tag[80];
    LyArgon2Costs costs = {.memory_kib = 32, .passes = 3, .lanes = 4};
    LyError error = {0};
    memset(passphrase, 1, sizeof passphrase);
    memset(salt, 2, sizeof salt);
    memset(pepper, 3, sizeof pepper);
    memset(associated, 4, sizeof associated);
    for (LyArgon2 variant = LY_ARGON2D; variant <= LY_ARGON2ID; variant++) {
        g_assert_true(ly_argon2(variant, ly_bytes(passphrase, 32), ly_bytes(salt, 16), ly_bytes(pepper, 8),
                                ly_bytes(associated, 12), &costs, tag, 32, &error));
        assert_hex(tag, 32, tags[variant]);
    }
    /* The reference implementation's test, without a secret: argon2i, 2 passes of 256 KiB. */
    costs = (LyArgon2Costs){.memory_kib = 256, .passes = 2, .lanes = 1};
    g_assert_true(ly_argon2(LY_ARGON2I, LY_BYTES("password"), LY_BYTES("somesalt"), (LyBytes){0},
                            (LyBytes){0}, &costs, tag, 32, &error));
    assert_hex(tag, 32, "89e9029f4637b295beb027056a7336c414fadd43f6b208645281cb214a56452f");
    costs.lanes = 2;
    g_assert_true(ly_argon2(LY_ARGON2ID, LY_BYTES("password"), LY_BYTES("somesalt"), (LyBytes){0},
                            (LyBytes){0}, &costs, tag, 32, &error));
    assert_hex(tag, 32, "6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037");
    static const LyArgon2Costs bad[] = {{0, 1, 1},
                                        {7, 1, 1},
                                        {15, 1, 2},
                                        {32, 0, 1},
                                        {32, 1, 0},
                                        {8, 1, 2},
                                        {UINT32_MAX, 1, 1u << 24},
                                        {UINT32_MAX, 1, UINT32_MAX}};
    memset(tag, 0x55, sizeof tag);
    for (size_t i = 0; i < LY_COUNT(bad); i++) {
        error.code = LY_OK;
        g_assert_false(ly_argon2(LY_ARGON2ID, LY_BYTES("password"), LY_BYTES("somesalt"), (LyBytes){0},
                                 (LyBytes){0}, &bad[i], tag, 32, &error));
        g_assert_true(error.code == LY_ERROR_INVALID && !ly_argon2_check(&bad[i], NULL));
    }
    costs.lanes = 1;
    g_assert_false(ly_argon2(LY_ARGON2ID, LY_BYTES("password"), LY_BYTES("saltsal"), (LyBytes){0},
                             (LyBytes){0}, &costs, tag, 32, &error));
    g_assert_false(ly_argon2(LY_ARGON2ID, LY_BYTES("password"), LY_BYTES("somesalt"), (LyBytes){0},
                             (LyBytes){0}, &costs, tag, 3, &error));
    g_assert_cmpint(tag[0], ==, 0x55);
    /* An empty passphrase is one. */
    g_assert_true(ly_argon2(LY_ARGON2D, (LyBytes){0}, LY_BYTES("somesalt"), (LyBytes){0}, (LyBytes){0},
                            &costs, tag, sizeof tag, &error));
}

static void test_bcrypt(void)
{
    const struct {
        LyBytes passphrase, salt;
        uint32_t rounds;
        size_t len;
        const char *key;
    } vectors[] = {
        /* of OpenBSD's regression tests */
        {LY_BYTES("password"), LY_BYTES("salt"), 4, 32,
         "5bbf0cc293587f1c3635555c27796598d47e579071bf427e9d8fbe842aba34d9"},
        {LY_BYTES("password"), LY_BYTES("\0"), 4, 16, "c12b566235eee04c212598970a579a67"},
        {LY_BYTES("password"), LY_BYTES("salt"), 8, 64,
         "e1367ec5151a33faac4cc1c144cd23fa15d5548493ecc99b9b5d9c0d3b27bec7"
         "6227ea66088b849b20ab7aa478010246e74bba51723fefa9f9474d6508845e8d"},
    };
    uint8_t key[1024] = {0}, other[1024];
    LyError error = {0};
    for (size_t i = 0; i < LY_COUNT(vectors); i++) {
        g_assert_true(ly_bcrypt_pbkdf(crypto, vectors[i].passphrase, vectors[i].salt, vectors[i].rounds, key,
                                      vectors[i].len, &error));
        assert_hex(key, vectors[i].len, vectors[i].key);
    }
    /* Blocks are dealt out: 33 bytes take two blocks in turns, so its even bytes are the first block. */
    g_assert_true(ly_bcrypt_pbkdf(crypto, LY_BYTES("pw"), LY_BYTES("salt"), 1, key, 32, &error));
    g_assert_true(ly_bcrypt_pbkdf(crypto, LY_BYTES("pw"), LY_BYTES("salt"), 1, other, 33, &error));
    for (size_t i = 0; i < 17; i++)
        g_assert_cmpuint(key[i], ==, other[2 * i]);
    g_assert_true(ly_bcrypt_pbkdf(crypto, LY_BYTES("pw"), LY_BYTES("salt"), 1, other, 1024, &error));
    g_assert_cmpmem(key, 1, other, 1);
    memset(other, 0x55, sizeof other);
    g_assert_false(ly_bcrypt_pbkdf(crypto, LY_BYTES(""), LY_BYTES("salt"), 1, other, 32, &error));
    g_assert_false(ly_bcrypt_pbkdf(crypto, LY_BYTES("pw"), LY_BYTES(""), 1, other, 32, &error));
    g_assert_false(ly_bcrypt_pbkdf(crypto, LY_BYTES("pw"), LY_BYTES("salt"), 0, other, 32, &error));
    g_assert_false(ly_bcrypt_pbkdf(crypto, LY_BYTES("pw"), LY_BYTES("salt"), 1, other, 0, &error));
    g_assert_false(ly_bcrypt_pbkdf(crypto, LY_BYTES("pw"), LY_BYTES("salt"), 1, other, 1025, &error));
    g_assert_true(error.code == LY_ERROR_INVALID && other[0] == 0x55);
}

/* Opens an openssh-key-v1 file of ssh-keygen -t ed25519 -C test; the check numbers and the fields tell
 * whether it went right. */
static bool open_key(const char *base64, const char *cipher, LyBytes passphrase)
{
    LY_AUTO(ly_buf_free) LyBuf file = {0}, fields = {0};
    uint8_t key[80];
    size_t key_len, iv_len, block_len, tag_len;
    LyError error = {0};
    g_assert_true(ly_base64_decode(&file, ly_bytes_str(base64), true));
    LyReader reader = ly_reader(ly_buf_bytes(&file));
    g_assert_true(ly_bytes_equal(ly_get_bytes(&reader, 15), LY_BYTES("openssh-key-v1\0")));
    LyBytes name = ly_get_string(&reader);
    g_assert_true(ly_bytes_is(name, cipher) && ly_bytes_is(ly_get_string(&reader), "bcrypt"));
    LyReader options = ly_reader(ly_get_string(&reader));
    LyBytes salt = ly_get_string(&options);
    uint32_t rounds = ly_get_u32(&options);
    g_assert_true(ly_reader_done(&options) && ly_get_u32(&reader) == 1);
    LyBytes public_blob = ly_get_string(&reader);
    uint32_t private_len = ly_get_u32(&reader);
    g_assert_true(ly_cipher_once_lengths(crypto, name, &key_len, &iv_len, &block_len, &tag_len));
    LyBytes sealed = ly_get_bytes(&reader, private_len + tag_len);
    g_assert_true(ly_reader_done(&reader) && private_len % block_len == 0);
    g_assert_true(ly_bcrypt_pbkdf(crypto, passphrase, salt, rounds, key, key_len + iv_len, &error));
    if (!ly_cipher_once(crypto, name, false, ly_bytes(key, key_len), ly_bytes(key + key_len, iv_len), sealed,
                        &fields, &error)) {
        g_assert_cmpint(error.code, ==, LY_ERROR_VERIFY);
        return false;
    }
    reader = ly_reader(ly_buf_bytes(&fields));
    uint32_t check = ly_get_u32(&reader);
    if (check != ly_get_u32(&reader))
        return false;
    g_assert_true(ly_bytes_is(ly_get_string(&reader), "ssh-ed25519"));
    LyBytes public_key = ly_get_string(&reader), private_key = ly_get_string(&reader);
    g_assert_true(public_key.len == 32 && private_key.len == 64 &&
                  ly_bytes_is(ly_get_string(&reader), "test"));
    g_assert_true(ly_bytes_equal(public_key, ly_bytes_slice(private_key, 32, 32)));
    g_assert_true(ly_bytes_equal(public_key, ly_bytes_slice(public_blob, public_blob.len - 32, 32)));
    return !reader.failed;
}

static void test_key_files(void)
{
    static const struct {
        const char *cipher, *base64;
    } files[] = {
        {"aes256-ctr", "b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABBb+nYnW/"
                       "8ED+riZa/l8NYjAAAAAwAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIB37P5JGH02GkLdr"
                       "L5+pdB9ZFwJMgrJwNEdpyxZOX3/iAAAAkPQcMZTD6OsZKRK9ITRDIgd0E6lxWm07xNJIbJ"
                       "CnXS2DMAelOYHBEoW9ASXFf7YkwpaXYyFPPiAwh+SouBkFJjBuRMypWH3NV0ySvLw83yp9"
                       "Qbd7wgI4kcc+ZVvUHXw5FWqDIqiZQpF4QfcHniUFvTwpbBgRVwfpAon7Kj9wXWSujMSs6/"
                       "t7uDGlOhH8C9CF/w=="},
        {"chacha20-poly1305@openssh.com",
         "b3BlbnNzaC1rZXktdjEAAAAAHWNoYWNoYTIwLXBvbHkxMzA1QG9wZW5zc2guY29tAAAABm"
         "JjcnlwdAAAABgAAAAQJhah6TYM8CgYZbi609McLQAAAAIAAAABAAAAMwAAAAtzc2gtZWQy"
         "NTUxOQAAACBOTjo2JeQ6kEE3WxduEjhfToq0kOfGOp3m4vzZ7XFm5AAAAIhcKxEfkRQnvl"
         "maxXguEaqjHZO/TbjvjkVYaK68u+3CBUGCiLMuhWk0H5PSPe/h9Z72e6WxNRob6A/ClYBc"
         "Uo+VhNQ91eKFkQW9JTd7wy15bqDHjaXqEGuB14+Qvcax6xHk2HJCvmHKYiKBPG3zcZE90w"
         "EBN/1cU9x6B2fSQ/nYX49RKfu2rHVVbcb0f94hpQpI9jZkmAIidw=="},
        {"aes256-gcm@openssh.com", "b3BlbnNzaC1rZXktdjEAAAAAFmFlczI1Ni1nY21Ab3BlbnNzaC5jb20AAAAGYmNyeXB0AA"
                                   "AAGAAAABBXv5N53b2+yqeSN/kC/aTDAAAAAQAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAA"
                                   "INzfAQV++gbPO22VYU0aKYnzFkGJPzceYhekODZggQE5AAAAkOkAS5+LIywYrp3M9p1sRx"
                                   "c22LRWf0uZZUqJzsiv571Bt1BmIaM6jOVvOk3Z9zA8hrxLrDULbS+Ze+MLGDG/Uu4Rm/PW"
                                   "AgtGT2L0kzOq+5GsvjpV4+LkBbHR2mhWQuq8IUkvDPsFpvuN+cxeHcywHmPJWjLWeoJ+Wg"
                                   "2CW6OBvvFkyTMvggMDhyE8nLYvl+OkIl3jIxtY+HRvx/ssFOiR8SQ="},
    };
    for (size_t i = 0; i < LY_COUNT(files); i++) {
        g_assert_true(open_key(files[i].base64, files[i].cipher, LY_BYTES("correct horse")));
        g_assert_false(open_key(files[i].base64, files[i].cipher, LY_BYTES("correct horsf")));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    g_test_add_func("/kdf/pbkdf2", test_pbkdf2);
    g_test_add_func("/kdf/scrypt", test_scrypt);
    g_test_add_func("/kdf/pem", test_pem_kdf);
    g_test_add_func("/kdf/argon2", test_argon2);
    g_test_add_func("/kdf/bcrypt", test_bcrypt);
    g_test_add_func("/kdf/key-files", test_key_files);
    int status = g_test_run();
    ly_crypto_unref(crypto);
    return status;
}
