#include "crypto/weak.h"

#include <openssl/bn.h>
#include <openssl/err.h>

/* The odd primes of the smallest product that the flawed generator used; longer keys used these and more. */
static const uint8_t small_primes[] = {3,   5,   7,   11,  13,  17,  19,  23,  29,  31,  37,  41,  43,
                                       47,  53,  59,  61,  67,  71,  73,  79,  83,  89,  97,  101, 103,
                                       107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167};

static bool is_power_of_65537(unsigned rest, unsigned prime)
{
    unsigned power = 1;
    do {
        if (power == rest)
            return true;
        power = power * (65537 % prime) % prime;
    } while (power != 1);
    return false;
}

bool ly_rsa_is_roca(LyBytes modulus)
{
    for (size_t i = 0; i < LY_COUNT(small_primes); i++) {
        unsigned rest = 0;
        for (size_t k = 0; k < modulus.len; k++)
            rest = (rest << 8 | modulus.data[k]) % small_primes[i];
        if (!is_power_of_65537(rest, small_primes[i]))
            return false;
    }
    return true;
}

/* The integer square root, rounded down: Newton's method from above. */
static bool square_root(BIGNUM *root, const BIGNUM *square, BN_CTX *context)
{
    BN_CTX_start(context);
    BIGNUM *next = BN_CTX_get(context);
    BN_zero(root);
    bool ok = next && (BN_is_zero(square) || BN_set_bit(root, (BN_num_bits(square) + 1) / 2));
    while (ok && !BN_is_zero(square)) {
        ok = BN_div(next, NULL, square, root, context) && BN_add(next, next, root) && BN_rshift1(next, next);
        if (!ok || BN_cmp(next, root) >= 0)
            break;
        ok = BN_copy(root, next) != NULL;
    }
    BN_CTX_end(context);
    return ok;
}

/* Three quarters and more of all numbers show by two remainders that they are no squares. */
static bool may_be_square(const BIGNUM *number)
{
    static const uint64_t squares_mod_64 = 0x0202021202030213u, squares_mod_63 = 0x0402483012450293u;
    return (squares_mod_64 >> BN_mod_word(number, 64) & 1) && (squares_mod_63 >> BN_mod_word(number, 63) & 1);
}

static bool is_square(const BIGNUM *number, BN_CTX *context)
{
    if (BN_is_negative(number) || !may_be_square(number))
        return false;
    BN_CTX_start(context);
    BIGNUM *root = BN_CTX_get(context);
    bool square = root && square_root(root, number, context) && BN_sqr(root, root, context) &&
                  BN_cmp(root, number) == 0;
    BN_CTX_end(context);
    return square;
}

/* n = a^2 - b^2 with a from the square root of n on: step by step a^2 - n grows by 2a + 1. */
static bool fermat(const BIGNUM *n, unsigned steps, BN_CTX *context)
{
    BIGNUM *a = BN_CTX_get(context), *rest = BN_CTX_get(context);
    if (!rest || !square_root(a, n, context) || !BN_sqr(rest, a, context) || !BN_sub(rest, rest, n))
        return false;
    for (unsigned i = 0; i <= steps; i++) {
        if (is_square(rest, context))
            return true;
        if (!BN_add(rest, rest, a) || !BN_add_word(a, 1) || !BN_add(rest, rest, a))
            return false;
    }
    return false;
}

bool ly_rsa_primes_are_close(LyBytes modulus, unsigned steps)
{
    BN_CTX *context = BN_CTX_new();
    BIGNUM *n = BN_bin2bn(modulus.data, (int)LY_MIN(modulus.len, (size_t)16384 / 8), NULL);
    bool close = false;
    if (context && n) {
        BN_CTX_start(context);
        close = fermat(n, steps, context);
        BN_CTX_end(context);
    }
    BN_free(n);
    BN_CTX_free(context);
    ERR_clear_error();
    return close;
}
