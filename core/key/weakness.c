#include "key/weakness.h"

#include "base/auto.h"
#include "crypto/weak.h"
#include "key/key-private.h"

/* 100 steps find what flawed generators made; primes drawn apart take more steps than there are atoms. */
#define FERMAT_STEPS 100
/* 3 and its like turn a careless check of signatures (CVE-2006-4339) into forgery; 35 of old OpenSSH and 37
 * of old PuTTY do not. */
#define SMALL_EXPONENT 17

const LyWeakness ly_weakness_debian = {
    "debian", "this key is on Debian's list of keys that a broken random generator made (CVE-2008-0166), and "
              "anybody can have its private half: replace it everywhere"};

static bool is_rsa_small(const LyKeyNumbers *numbers, LyKeyFormat format)
{
    return numbers->type->pk == LY_PK_RSA && ly_key_numbers_bits(numbers) < 2048;
}

static bool is_dsa(const LyKeyNumbers *numbers, LyKeyFormat format)
{
    return numbers->type->pk == LY_PK_DSA;
}

static bool is_roca(const LyKeyNumbers *numbers, LyKeyFormat format)
{
    return numbers->type->pk == LY_PK_RSA && ly_rsa_is_roca(numbers->n);
}

static bool has_close_primes(const LyKeyNumbers *numbers, LyKeyFormat format)
{
    return numbers->type->pk == LY_PK_RSA && ly_rsa_primes_are_close(numbers->n, FERMAT_STEPS);
}

static bool has_small_exponent(const LyKeyNumbers *numbers, LyKeyFormat format)
{
    return numbers->type->pk == LY_PK_RSA && numbers->e.len == 1 && numbers->e.data[0] < SMALL_EXPONENT;
}

static bool is_putty_p521(const LyKeyNumbers *numbers, LyKeyFormat format)
{
    return numbers->type->pk == LY_PK_ECDSA && !numbers->type->sk && numbers->type->curve == LY_NISTP521 &&
           (format == LY_KEY_PPK1 || format == LY_KEY_PPK2 || format == LY_KEY_PPK3);
}

static const struct {
    bool (*has)(const LyKeyNumbers *numbers, LyKeyFormat format);
    LyWeakness weakness;
} tests[] = {
    {is_rsa_small,
     {"rsa-small",
      "an RSA key of less than 2048 bits is within reach of factoring, and servers refuse it: make "
      "a new key"}},
    {is_dsa,
     {"dsa",
      "DSA keys have 1024 bits and sign with SHA-1, and OpenSSH no longer takes them: make a new key"}},
    {is_roca,
     {"roca",
      "the modulus has the pattern of a flawed chip (ROCA, CVE-2017-15361), which makes it possible to "
      "compute the private half: replace the key"}},
    {has_close_primes,
     {"close-primes", "the prime factors are so close to each other that they were found at once "
                      "(CVE-2022-26320): replace the key"}},
    {has_small_exponent,
     {"small-exponent",
      "the public exponent is so small that careless checks of its signatures can be fooled: "
      "make a new key"}},
    {is_putty_p521,
     {"putty-p521", "PuTTY 0.68 to 0.80 gave this key away if it signed about 60 times with it "
                    "(CVE-2024-31497): replace it if that PuTTY, or a program with its code, used it"}},
};

_Static_assert(LY_COUNT(tests) <= LY_WEAKNESS_MAX, "all fit");

size_t ly_key_weaknesses(const LyKey *key, LyKeyFormat format, LyWeakness found[LY_WEAKNESS_MAX])
{
    LyKeyNumbers numbers = {0};
    size_t count = 0;
    ly_key_get_numbers(key, &numbers);
    for (size_t i = 0; i < LY_COUNT(tests); i++)
        if (tests[i].has(&numbers, format))
            found[count++] = tests[i].weakness;
    return count;
}

void ly_key_debian_blocklist_id(LyCrypto *crypto, const LyKey *key, char id[21])
{
    static const char digits[] = "0123456789abcdef";
    LyBytes blob = ly_key_plain_blob(key);
    uint8_t digest[LY_HASH_MAX] = {0};
    /* Without MD5 the digits are zeros, which no list has. */
    if (!ly_hash(crypto, LY_MD5, &blob, 1, digest))
        memset(digest, 0, sizeof digest);
    for (size_t i = 0; i < 10; i++) {
        id[2 * i] = digits[digest[6 + i] >> 4];
        id[2 * i + 1] = digits[digest[6 + i] & 15];
    }
    id[20] = 0;
}
