#include <openssl/bn.h>
#include <openssl/err.h>

#include "base/memory.h"
#include "base/wire.h"
#include "base/hex.h"
#include "crypto/kex-private.h"

enum { GROUP_MAX_BITS = 16384 }; /* whatever the caller allows */

typedef struct FixedGroup {
    const char *name;
    unsigned bits;
    BIGNUM *(*prime)(BIGNUM *p);
} FixedGroup;

/* RFC 2409 and 3526; the generator is 2. The first is too weak to be offered in a group exchange. */
static const FixedGroup fixed_groups[] = {
    {"modp_1024", 1024, BN_get_rfc2409_prime_1024}, {"modp_2048", 2048, BN_get_rfc3526_prime_2048},
    {"modp_3072", 3072, BN_get_rfc3526_prime_3072}, {"modp_4096", 4096, BN_get_rfc3526_prime_4096},
    {"modp_6144", 6144, BN_get_rfc3526_prime_6144}, {"modp_8192", 8192, BN_get_rfc3526_prime_8192},
};

static bool set_group(LyKex *kex, BIGNUM *p, BIGNUM *g)
{
    ly_kex_dh_free(kex);
    kex->p = p;
    kex->g = g;
    return p && g;
}

void ly_kex_dh_free(LyKex *kex)
{
    BN_free(kex->p);
    BN_free(kex->g);
    BN_clear_free(kex->x);
    BN_free(kex->y);
    kex->p = kex->g = kex->x = kex->y = NULL;
}

bool ly_kex_dh_fixed_group(LyKex *kex, LyError *error)
{
    for (size_t i = 0; i < LY_COUNT(fixed_groups); i++) {
        if (strcmp(fixed_groups[i].name, kex->info->group) != 0)
            continue;
        BIGNUM *g = BN_new();
        if (set_group(kex, fixed_groups[i].prime(NULL), g) && BN_set_word(g, 2))
            return true;
    }
    return ly_crypto_failed(error, "make the group %s", kex->info->group);
}

/* ---- group exchange: RFC 4419 ---- */

static bool is_fixed_prime(const BIGNUM *p)
{
    for (size_t i = 0; i < LY_COUNT(fixed_groups); i++) {
        if ((unsigned)BN_num_bits(p) != fixed_groups[i].bits)
            continue;
        BIGNUM *known = fixed_groups[i].prime(NULL);
        bool same = known && BN_cmp(p, known) == 0;
        BN_free(known);
        return same;
    }
    return false;
}

/* One round of Miller and Rabin's test of the odd p = 2^zeros odd + 1, with a random base. */
static bool passes_round(const BIGNUM *p, const BIGNUM *p_minus_1, const BIGNUM *odd, int zeros,
                         BN_MONT_CTX *mont, BN_CTX *context)
{
    BN_CTX_start(context);
    BIGNUM *base = BN_CTX_get(context), *range = BN_CTX_get(context), *power = BN_CTX_get(context);
    bool pass = power && BN_sub(range, p_minus_1, BN_value_one()) && BN_sub_word(range, 1) &&
                BN_priv_rand_range_ex(base, range, 0, context) && BN_add_word(base, 2) && /* 2..p-2 */
                BN_mod_exp_mont(power, base, odd, p, context, mont);
    if (pass && !BN_is_one(power)) {
        for (int i = 1; BN_cmp(power, p_minus_1) != 0; i++) {
            if (i >= zeros || !BN_mod_sqr(power, power, p, context)) {
                pass = false;
                break;
            }
        }
    }
    BN_CTX_end(context);
    return pass;
}

/* BN_check_prime would take 128 rounds: seconds for a large group. The server's signature covers the group,
 * so that a composite one is the server's own mistake (or betrayal, which it has easier): a few rounds find
 * it. */
static bool is_probable_prime(LyCrypto *crypto, const BIGNUM *p)
{
    if (is_fixed_prime(p))
        return true;
    enum { ROUNDS = 5 };
    static const BN_ULONG small[] = {3,  5,  7,  11, 13, 17, 19, 23, 29, 31,
                                     37, 41, 43, 47, 53, 59, 61, 67, 71, 73};
    for (size_t i = 0; i < LY_COUNT(small); i++)
        if (BN_mod_word(p, small[i]) == 0)
            return BN_is_word(p, small[i]);
    BN_CTX *context = BN_CTX_new_ex(crypto->library);
    BN_MONT_CTX *mont = BN_MONT_CTX_new();
    BIGNUM *p_minus_1 = BN_dup(p), *odd = BN_new();
    bool prime =
        context && mont && odd && p_minus_1 && BN_sub_word(p_minus_1, 1) && BN_MONT_CTX_set(mont, p, context);
    int zeros = 1;
    while (prime && !BN_is_bit_set(p_minus_1, zeros))
        zeros++;
    prime = prime && BN_rshift(odd, p_minus_1, zeros);
    for (unsigned round = 0; prime && round < ROUNDS; round++)
        prime = passes_round(p, p_minus_1, odd, zeros, mont, context);
    BN_free(odd);
    BN_free(p_minus_1);
    BN_MONT_CTX_free(mont);
    BN_CTX_free(context);
    ERR_clear_error();
    return prime;
}

/* 1 < y < p - 1 */
static bool in_range(const BIGNUM *y, const BIGNUM *p)
{
    BIGNUM *p_minus_1 = BN_dup(p);
    bool ok =
        p_minus_1 && BN_sub_word(p_minus_1, 1) && !BN_is_zero(y) && !BN_is_one(y) && BN_cmp(y, p_minus_1) < 0;
    BN_free(p_minus_1);
    return ok;
}

static const char *fault_of_group(LyKex *kex, const BIGNUM *p, const BIGNUM *g, bool check)
{
    if (!BN_is_odd(p))
        return "is even";
    if (!in_range(g, p))
        return "has a generator out of range";
    if (check && !is_probable_prime(kex->crypto, p))
        return "is not prime";
    return NULL;
}

bool ly_kex_set_group(LyKex *kex, LyBytes p, LyBytes g, unsigned min_bits, unsigned max_bits, bool check,
                      LyError *error)
{
    LyErrorCode code = check ? LY_ERROR_PROTOCOL : LY_ERROR_INVALID;
    size_t bits = ly_magnitude_bits(p);
    if (bits < LY_MAX(min_bits, 3) || bits > LY_MIN(max_bits, GROUP_MAX_BITS))
        return ly_error_set(error, code, "the group for the key exchange has %zu bits; %u to %u are allowed",
                            bits, min_bits, max_bits);
    if (ly_magnitude_bits(g) > bits)
        return ly_error_set(error, code, "the group for the key exchange has a generator out of range");
    BIGNUM *prime = BN_bin2bn(p.data, (int)p.len, NULL), *generator = BN_bin2bn(g.data, (int)g.len, NULL);
    if (!prime || !generator) {
        BN_free(prime);
        BN_free(generator);
        return ly_crypto_failed(error, "hold a group");
    }
    const char *fault = fault_of_group(kex, prime, generator, check);
    if (fault) {
        BN_free(prime);
        BN_free(generator);
        return ly_error_set(error, code, "the group for the key exchange %s", fault);
    }
    return set_group(kex, prime, generator);
}

/* ---- choosing a group, moduli(5) ---- */

/* The better one of two sizes in bits: the smallest that reaches `want`, else the largest. */
static bool is_better(size_t bits, size_t best, size_t want)
{
    return bits >= want ? best < want || bits < best : best < want && bits > best;
}

typedef struct Modulus {
    LyBytes p, g; /* hexadecimal */
    size_t bits;
} Modulus;

/* "time type tests tries size generator modulus": only safe primes (type 2) that some test (but bit 0:
 * "composite") found. */
static bool read_modulus(LyBytes line, Modulus *modulus)
{
    LyBytes field[7], rest = ly_bytes_trim(line);
    uint64_t type, tests;
    for (size_t i = 0; i < 7; i++) {
        if (!rest.len)
            return false;
        ly_bytes_split(rest, ' ', &field[i], &rest);
        rest = ly_bytes_trim(rest);
    }
    if (rest.len || !ly_bytes_number(field[1], 255, &type) || !ly_bytes_number(field[2], 255, &tests) ||
        type != 2 || tests < 2 || tests & 1)
        return false;
    modulus->g = field[5];
    modulus->p = field[6];
    if (modulus->g.len > 8 || modulus->p.len > GROUP_MAX_BITS / 4 || modulus->p.len < 2)
        return false;
    for (size_t i = 0; i < modulus->g.len; i++)
        if (ly_hex_digit(modulus->g.data[i]) < 0)
            return false;
    for (size_t i = 0; i < modulus->p.len; i++)
        if (ly_hex_digit(modulus->p.data[i]) < 0)
            return false;
    int first = ly_hex_digit(modulus->p.data[0]);
    modulus->bits = first ? modulus->p.len * 4 - (size_t)__builtin_clz((unsigned)first) + 28 : 0;
    return first != 0;
}

static void add_hex(LyBuf *out, LyBytes hex)
{
    uint8_t byte = 0;
    for (size_t i = 0; i < hex.len; i++) {
        byte = (uint8_t)(byte << 4 | ly_hex_digit(hex.data[i]));
        if ((hex.len - i) % 2) { /* the second digit of a byte, or a lone first one */
            ly_buf_add(out, ly_bytes(&byte, 1));
            byte = 0;
        }
    }
}

bool ly_kex_choose_group(LyCrypto *crypto, LyBytes moduli, unsigned min_bits, unsigned want_bits,
                         unsigned max_bits, LyBuf *p, LyBuf *g)
{
    Modulus best = {.bits = 0}, modulus;
    want_bits = LY_MAX(want_bits, 1);
    uint32_t equal_count = 0;
    for (LyBytes line; ly_bytes_line(&moduli, &line);) {
        if (!read_modulus(line, &modulus) || modulus.bits < min_bits || modulus.bits > max_bits)
            continue;
        if (is_better(modulus.bits, best.bits, want_bits)) {
            best = modulus;
            equal_count = 1;
        } else if (modulus.bits ==
                   best.bits) { /* the n-th of equals replaces the one before it once in n times */
            uint32_t random;
            ly_crypto_random(crypto, &random, sizeof random);
            if (random % ++equal_count == 0)
                best = modulus;
        }
    }
    if (best.bits) {
        add_hex(p, best.p);
        add_hex(g, best.g);
        return true;
    }
    const FixedGroup *group = NULL;
    for (size_t i = 1; i < LY_COUNT(fixed_groups); i++)
        if (fixed_groups[i].bits >= min_bits && fixed_groups[i].bits <= max_bits &&
            is_better(fixed_groups[i].bits, group ? group->bits : 0, want_bits))
            group = &fixed_groups[i];
    BIGNUM *prime = group ? group->prime(NULL) : NULL;
    uint8_t *room = prime ? ly_buf_room(p, group->bits / 8) : NULL;
    if (room && BN_bn2binpad(prime, room, (int)(group->bits / 8)) > 0) {
        ly_buf_added(p, group->bits / 8);
        ly_buf_add(g, LY_BYTES("\2"));
    }
    BN_free(prime);
    return room != NULL;
}

/* ---- the exchange: RFC 4253 section 8 ---- */

/* x = random, y = g^x mod p. The exponent has twice the bits of the group's strength and no more: these are
 * safe primes, in which a short one is as hard to find and many times faster to use (RFC 4419 6.2). */
static bool generate(LyKex *kex, LyError *error)
{
    if (!kex->p)
        return ly_error_set(error, LY_ERROR_INVALID, "%s needs a group first", kex->info->name);
    int p_bits = BN_num_bits(kex->p);
    int x_bits = LY_MIN(LY_MAX(256, 2 * BN_security_bits(p_bits, -1)), p_bits - 1);
    BN_CTX *context = BN_CTX_new_ex(kex->crypto->library);
    BN_clear_free(kex->x);
    BN_free(kex->y);
    kex->x = BN_secure_new();
    kex->y = BN_new();
    bool ok = context && kex->x && kex->y;
    /* A generator of small order could give 1 or p - 1, which the peer would refuse. */
    for (unsigned tries = 0; ok && tries < 20; tries++) {
        ok = BN_priv_rand_ex(kex->x, x_bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY, 0, context);
        BN_set_flags(kex->x, BN_FLG_CONSTTIME);
        ok = ok && BN_mod_exp_mont_consttime(kex->y, kex->g, kex->x, kex->p, context, NULL);
        if (!ok || in_range(kex->y, kex->p))
            break;
    }
    BN_CTX_free(context);
    return ok || ly_crypto_failed(error, "make a Diffie-Hellman key");
}

static void add_public_value(LyKex *kex, LyBuf *public_value)
{
    size_t len = (size_t)BN_num_bits(kex->y) / 8 + 1; /* with 00 before a set top bit, as an mpint has it */
    uint8_t *room = ly_buf_room(public_value, len);
    if (room && BN_bn2binpad(kex->y, room, (int)len) > 0)
        ly_buf_added(public_value, len);
}

/* Appends K = value^x mod p. */
static bool derive(LyKex *kex, LyBytes value, LyBuf *secret, LyError *error)
{
    bool negative = value.len && value.data[0] & 0x80;
    value = ly_magnitude(value);
    int len = BN_num_bytes(kex->p);
    BIGNUM *peer = NULL, *shared = BN_secure_new();
    BN_CTX *context = BN_CTX_secure_new_ex(kex->crypto->library);
    uint8_t *bytes = ly_alloc((size_t)len);
    bool good = !negative && value.len <= (size_t)len &&
                (peer = BN_bin2bn(value.data, (int)value.len, NULL)) && in_range(peer, kex->p);
    bool ok = good && context && shared &&
              BN_mod_exp_mont_consttime(shared, peer, kex->x, kex->p, context, NULL) &&
              BN_bn2binpad(shared, bytes, len) > 0;
    /* In a group with small subgroups the result may be public knowledge. */
    good = good && (!ok || in_range(shared, kex->p));
    if (ok && good)
        ly_put_mpint(secret, ly_bytes(bytes, (size_t)len));
    ly_cleanse(bytes, (size_t)len);
    ly_free(bytes);
    BN_free(peer);
    BN_clear_free(shared);
    BN_CTX_free(context);
    if (!good)
        return ly_error_set(error, LY_ERROR_PROTOCOL, "%s: the peer's public value is out of range",
                            kex->info->name);
    return ok || ly_crypto_failed(error, "raise to a power");
}

static bool dh_init(LyKex *kex, LyBuf *public_value, LyError *error)
{
    if (!generate(kex, error))
        return false;
    add_public_value(kex, public_value);
    return true;
}

static bool dh_finish(LyKex *kex, LyBytes server_value, LyBuf *secret, LyError *error)
{
    return derive(kex, server_value, secret, error);
}

static bool dh_respond(LyKex *kex, LyBytes client_value, LyBuf *public_value, LyBuf *secret, LyError *error)
{
    if (!generate(kex, error) || !derive(kex, client_value, secret, error))
        return false;
    add_public_value(kex, public_value);
    return true;
}

const LyKexMethod ly_kex_dh = {dh_init, dh_respond, dh_finish};
