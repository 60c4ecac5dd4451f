#include "crypto/sntrup761.h"

#include "base/memory.h"

/* The ring is Z[x] / (x^P - x - 1), its coefficients modulo Q or modulo 3, always centred around 0; W is the
 * number of nonzero coefficients of a "short" polynomial. Branches and indices depend on public values only.
 * Where something is reduced, it is by multiplication: a division instruction takes a time that depends on
 * its operands. */
enum { P = 761, Q = 4591, W = 286, Q_HALF = (Q - 1) / 2 };
enum { SMALL_LEN = (P + 3) / 4, ROUNDED_LEN = 1007, HASH_LEN = 32 };

/* A private key is f, 1/g, the public key, what stands in for r when a ciphertext is refused, and a hash. */
enum {
    AT_F = 0,
    AT_G_INVERSE = AT_F + SMALL_LEN,
    AT_PUBLIC = AT_G_INVERSE + SMALL_LEN,
    AT_REFUSED = AT_PUBLIC + LY_SNTRUP761_PUBLIC,
    AT_PUBLIC_HASH = AT_REFUSED + SMALL_LEN,
};
_Static_assert(AT_PUBLIC_HASH + HASH_LEN == LY_SNTRUP761_PRIVATE, "length of the private key");
_Static_assert(ROUNDED_LEN + HASH_LEN == LY_SNTRUP761_CIPHERTEXT, "length of the ciphertext");

/* ---- numbers ---- */

/* x modulo Q in -Q_HALF..Q_HALF, exact for |x| <= 2^26: 3831885438 is 2^44 / Q, rounded. */
static int16_t reduce_q(int32_t x)
{
    int64_t quotient = (x * INT64_C(3831885438) + (INT64_C(1) << 43)) >> 44;
    return (int16_t)(x - Q * (int32_t)quotient);
}

/* x modulo 3 in -1..1, exact for |x| < 16384. */
static int16_t reduce_3(int32_t x)
{
    return (int16_t)(x - 3 * ((10923 * x + 16384) >> 15));
}

/* a * b / 2^16 modulo Q, within -Q..Q, for |a b| < 2^15 Q (Montgomery; 15631 = 1/Q modulo 2^16). */
static inline int16_t multiply_montgomery(int16_t a, int16_t b)
{
    int32_t product = (int32_t)a * b;
    int16_t factor = (int16_t)((int16_t)product * 15631);
    return (int16_t)((product >> 16) - (((int32_t)factor * Q) >> 16));
}

/* 1 / x modulo Q, by Fermat: x^(Q-2). */
static int16_t invert_q(int16_t x)
{
    int16_t power = 1;
    for (int bit = 12; bit >= 0; bit--) {
        power = reduce_q((int32_t)power * power);
        if ((Q - 2) >> bit & 1)
            power = reduce_q((int32_t)power * x);
    }
    return power;
}

/* -1 where x != 0, else 0. */
static inline int16_t mask_nonzero(int16_t x)
{
    return (int16_t) - (int32_t)(((uint32_t)(int32_t)x | (0u - (uint32_t)(int32_t)x)) >> 31);
}

/* -1 where x < 0, else 0. */
static inline int16_t mask_negative(int16_t x)
{
    return (int16_t)(x >> 15);
}

/* ---- polynomials ---- */

static int32_t dot_product(const int16_t *a, const int16_t *b, unsigned count)
{
    int32_t sum = 0;
    for (unsigned i = 0; i < count; i++)
        sum += (int32_t)a[i] * b[i];
    return sum;
}

/* out = a * small in the ring, not yet reduced: |out| <= 3 * P * max|a|. */
static void multiply(int32_t out[P], const int16_t a[P], const int16_t small[P])
{
    int16_t reversed[P];
    for (unsigned i = 0; i < P; i++)
        reversed[i] = small[P - 1 - i];
    for (unsigned k = 0; k < P; k++)
        out[k] = dot_product(a, reversed + P - 1 - k, k + 1);
    for (unsigned k = P; k <= 2 * P - 2; k++) { /* x^P = x + 1 */
        int32_t high = dot_product(a + k - P + 1, reversed, 2 * P - 1 - k);
        out[k - P] += high;
        out[k - P + 1] += high;
    }
    ly_cleanse(reversed, sizeof reversed);
}

/* The state of Bernstein and Yang's division steps ("Fast constant-time gcd computation and modular
 * inversion", 2019), on polynomials reversed so that the leading coefficient stands first. f = v * input and
 * g = r * input up to powers of x, modulo the modulus and common factors. */
typedef struct Division {
    int16_t f[P + 1], g[P + 1], v[P + 1], r[P + 1];
    int16_t delta;
} Division;

static void division_begin(Division *division, const int16_t in[P], int16_t unit)
{
    memset(division, 0, sizeof *division);
    division->f[0] = 1;
    division->f[P - 1] = division->f[P] = -1;
    for (unsigned i = 0; i < P; i++)
        division->g[P - 1 - i] = in[i];
    division->r[0] = unit;
    division->delta = 1;
}

/* The first half of a step: v *= x, then where delta > 0 and g(0) != 0, f changes places with g and v with r.
 */
static void division_exchange(Division *division)
{
    int16_t *f = division->f, *g = division->g, *v = division->v, *r = division->r;
    memmove(v + 1, v, P * sizeof *v);
    v[0] = 0;
    int16_t mask = mask_negative((int16_t)-division->delta) & mask_nonzero(g[0]);
    division->delta = (int16_t)((division->delta ^ (mask & (division->delta ^ -division->delta))) + 1);
    for (unsigned i = 0; i <= P; i++) {
        int16_t t = (int16_t)(mask & (f[i] ^ g[i]));
        f[i] ^= t;
        g[i] ^= t;
        t = (int16_t)(mask & (v[i] ^ r[i]));
        v[i] ^= t;
        r[i] ^= t;
    }
}

/* The end of a step: g /= x. */
static void division_shift(Division *division)
{
    memmove(division->g, division->g + 1, P * sizeof division->g[0]);
    division->g[P] = 0;
}

/* out = 1 / in modulo 3; false (which may be told: such a polynomial is thrown away) when there is none. */
static bool invert_3(int16_t out[P], const int16_t in[P])
{
    Division division;
    division_begin(&division, in, 1);
    for (unsigned step = 0; step < 2 * P - 1; step++) {
        division_exchange(&division);
        int16_t factor = (int16_t)(-division.g[0] * division.f[0]);
        for (unsigned i = 0; i <= P; i++) {
            division.g[i] = reduce_3(division.g[i] + factor * division.f[i]);
            division.r[i] = reduce_3(division.r[i] + factor * division.v[i]);
        }
        division_shift(&division);
    }
    for (unsigned i = 0; i < P; i++)
        out[i] = (int16_t)(division.f[0] * division.v[P - 1 - i]);
    bool ok = division.delta == 0;
    ly_cleanse(&division, sizeof division);
    return ok;
}

/* out = 1 / (3 in) modulo Q. Every short polynomial has an inverse, because x^P - x - 1 is irreducible modulo
 * Q. The Montgomery factors are the same in f, g, v and r, and so are gone when v is divided by f(0). */
static void invert_3q(int16_t out[P], const int16_t in[P])
{
    Division division;
    division_begin(&division, in, -1530 /* 1/3 */);
    for (unsigned step = 0; step < 2 * P - 1; step++) {
        division.g[0] = reduce_q(division.g[0]); /* so that 0 is 0, and not Q */
        division_exchange(&division);
        int16_t f0 = division.f[0], g0 = division.g[0];
        for (unsigned i = 0; i <= P; i++) {
            division.g[i] =
                (int16_t)(multiply_montgomery(f0, division.g[i]) - multiply_montgomery(g0, division.f[i]));
            division.r[i] =
                (int16_t)(multiply_montgomery(f0, division.r[i]) - multiply_montgomery(g0, division.v[i]));
        }
        division_shift(&division);
    }
    int16_t scale = invert_q(reduce_q(division.f[0]));
    for (unsigned i = 0; i < P; i++)
        out[i] = reduce_q((int32_t)scale * division.v[P - 1 - i]);
    ly_cleanse(&division, sizeof division);
}

/* ---- encodings ---- */

/* Four coefficients of -1..1 in a byte, lowest bits first. */
static void encode_small(uint8_t out[SMALL_LEN], const int16_t in[P])
{
    memset(out, 0, SMALL_LEN);
    for (unsigned i = 0; i < P; i++)
        out[i / 4] |= (uint8_t)((in[i] + 1) << i % 4 * 2);
}

static void decode_small(int16_t out[P], const uint8_t in[SMALL_LEN])
{
    for (unsigned i = 0; i < P; i++)
        out[i] = (int16_t)((in[i / 4] >> i % 4 * 2 & 3) - 1);
}

/* Mixed radix: neighbours a < m and b < n become a + b m < m n, which sheds low bytes as long as its range is
 * at least 2^14; this is repeated on half as many numbers until one is left. All ranges of a level but the
 * last are the same. */
typedef struct Level {
    unsigned count;
    uint32_t range, last_range;
} Level;

/* How many low bytes a number below *range sheds; *range becomes the range of what is left. */
static unsigned shed_bytes(uint32_t *range, uint32_t keep)
{
    unsigned count = 0;
    for (; *range >= keep; count++)
        *range = (*range + 255) >> 8;
    return count;
}

static uint32_t pair_range(const Level *level, unsigned pair)
{
    return level->range * (2 * pair + 1 == level->count - 1 ? level->last_range : level->range);
}

static Level next_level(const Level *level)
{
    Level next = {(level->count + 1) / 2, level->range * level->range, level->last_range};
    if (level->count % 2 == 0)
        next.last_range *= level->range;
    shed_bytes(&next.range, 16384);
    shed_bytes(&next.last_range, 16384);
    return next;
}

/* `numbers`, each below `range`, are overwritten. Returns the end of what was written. */
static uint8_t *encode_numbers(uint8_t *out, uint32_t numbers[P], uint32_t range)
{
    Level level = {P, range, range};
    for (; level.count > 1; level = next_level(&level)) {
        for (unsigned pair = 0; pair < level.count / 2; pair++) {
            uint32_t rest = pair_range(&level, pair);
            uint32_t number = numbers[2 * pair] + numbers[2 * pair + 1] * level.range;
            for (unsigned shed = shed_bytes(&rest, 16384); shed; shed--, number >>= 8)
                *out++ = (uint8_t)number;
            numbers[pair] = number;
        }
        if (level.count % 2)
            numbers[level.count / 2] = numbers[level.count - 1];
    }
    for (unsigned shed = shed_bytes(&level.last_range, 2); shed; shed--, numbers[0] >>= 8)
        *out++ = (uint8_t)numbers[0];
    return out;
}

static uint32_t get_bytes(const uint8_t **in, unsigned count)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < count; i++)
        value |= (uint32_t) * (*in)++ << 8 * i;
    return value;
}

/* The inverse, of public values only, so that it may divide. Numbers out of range are taken modulo it. */
static void decode_numbers(uint32_t numbers[P], const uint8_t *in, uint32_t range)
{
    Level levels[12];
    uint16_t shed_values[P + 12]; /* what the pairs of all levels shed, first level first */
    unsigned depth = 0, shed_count = 0;
    levels[0] = (Level){P, range, range};
    for (; levels[depth].count > 1; depth++) {
        for (unsigned pair = 0; pair < levels[depth].count / 2; pair++) {
            uint32_t rest = pair_range(&levels[depth], pair);
            shed_values[shed_count++] = (uint16_t)get_bytes(&in, shed_bytes(&rest, 16384));
        }
        levels[depth + 1] = next_level(&levels[depth]);
    }
    uint32_t rest = levels[depth].last_range;
    numbers[0] = get_bytes(&in, shed_bytes(&rest, 2)) % levels[depth].last_range;
    while (depth-- > 0) {
        const Level *level = &levels[depth];
        if (level->count % 2)
            numbers[level->count - 1] = numbers[level->count / 2];
        for (unsigned pair = level->count / 2; pair-- > 0;) {
            rest = pair_range(level, pair);
            uint32_t second_range = rest / level->range;
            uint32_t number = (numbers[pair] << 8 * shed_bytes(&rest, 16384)) + shed_values[--shed_count];
            numbers[2 * pair] = number % level->range;
            numbers[2 * pair + 1] = number / level->range % second_range;
        }
    }
}

/* ---- hashes and randomness ---- */

/* The first half of SHA-512 over one byte that says what is hashed, then the parts. */
static bool hash(LyCrypto *crypto, uint8_t prefix, LyBytes first, LyBytes second, uint8_t out[HASH_LEN])
{
    uint8_t digest[LY_HASH_MAX];
    bool ok = ly_hash(crypto, LY_SHA512, (LyBytes[]){{&prefix, 1}, first, second}, 3, digest);
    memcpy(out, digest, HASH_LEN);
    ly_cleanse(digest, sizeof digest);
    return ok;
}

static void fill(LyCrypto *crypto, const LyRandom *random, uint8_t *out, size_t len)
{
    if (random->fill)
        random->fill(random->user, out, len);
    else
        ly_crypto_random(crypto, out, len);
}

static void random_words(LyCrypto *crypto, const LyRandom *random, uint32_t words[P])
{
    uint8_t bytes[4 * P];
    fill(crypto, random, bytes, sizeof bytes);
    for (unsigned i = 0; i < P; i++)
        words[i] = bytes[4 * i] | (uint32_t)bytes[4 * i + 1] << 8 | (uint32_t)bytes[4 * i + 2] << 16 |
                   (uint32_t)bytes[4 * i + 3] << 24;
    ly_cleanse(bytes, sizeof bytes);
}

static inline void compare_exchange(uint32_t *low, uint32_t *high)
{
    uint32_t mask = (uint32_t)(((uint64_t)*high - *low) >> 32); /* all ones if high < low */
    uint32_t t = mask & (*low ^ *high);
    *low ^= t;
    *high ^= t;
}

/* Batcher's merge exchange (Knuth, volume 3, 5.2.2 M): which places are compared depends on P alone. */
static void sort(uint32_t words[P])
{
    const unsigned top = 512; /* the largest power of two below P */
    for (unsigned p = top; p > 0; p >>= 1) {
        unsigned distance = p, residue = 0;
        for (unsigned q = top;; q >>= 1) {
            for (unsigned i = 0; i < P - distance; i++)
                if ((i & p) == residue)
                    compare_exchange(&words[i], &words[i + distance]);
            if (q == p)
                break;
            distance = q - p;
            residue = p;
        }
    }
}

/* W coefficients of -1 or 1, at places that sorting by random keys chooses. */
static void random_short(LyCrypto *crypto, const LyRandom *random, int16_t out[P])
{
    uint32_t words[P];
    random_words(crypto, random, words);
    for (unsigned i = 0; i < P; i++)
        words[i] = i < W ? words[i] & ~(uint32_t)1 : (words[i] & ~(uint32_t)3) | 1;
    sort(words);
    for (unsigned i = 0; i < P; i++)
        out[i] = (int16_t)((int32_t)(words[i] & 3) - 1);
    ly_cleanse(words, sizeof words);
}

static void random_small(LyCrypto *crypto, const LyRandom *random, int16_t out[P])
{
    uint32_t words[P];
    random_words(crypto, random, words);
    for (unsigned i = 0; i < P; i++)
        out[i] = (int16_t)((int32_t)((words[i] & 0x3fffffff) * 3 >> 30) - 1);
    ly_cleanse(words, sizeof words);
}

/* ---- the mechanism ---- */

bool ly_sntrup761_generate(LyCrypto *crypto, const LyRandom *random, uint8_t public_key[LY_SNTRUP761_PUBLIC],
                           uint8_t private_key[LY_SNTRUP761_PRIVATE])
{
    struct {
        int16_t f[P], g[P], inverse[P];
        int32_t h[P];
        uint32_t numbers[P];
    } t;
    do
        random_small(crypto, random, t.g);
    while (!invert_3(t.inverse, t.g));
    encode_small(private_key + AT_G_INVERSE, t.inverse);
    random_short(crypto, random, t.f);
    encode_small(private_key + AT_F, t.f);
    invert_3q(t.inverse, t.f);
    multiply(t.h, t.inverse, t.g);
    for (unsigned i = 0; i < P; i++)
        t.numbers[i] = (uint32_t)(reduce_q(t.h[i]) + Q_HALF);
    encode_numbers(public_key, t.numbers, Q);
    ly_cleanse(&t, sizeof t);
    memcpy(private_key + AT_PUBLIC, public_key, LY_SNTRUP761_PUBLIC);
    fill(crypto, random, private_key + AT_REFUSED, SMALL_LEN);
    return hash(crypto, 4, ly_bytes(public_key, LY_SNTRUP761_PUBLIC), (LyBytes){0},
                private_key + AT_PUBLIC_HASH);
}

/* Encrypts the short r: h r, rounded to multiples of 3, and a hash that confirms r. Also gives r's encoding.
 */
static bool encrypt(LyCrypto *crypto, const int16_t r[P], const uint8_t *public_key,
                    const uint8_t *public_hash, uint8_t ciphertext[LY_SNTRUP761_CIPHERTEXT],
                    uint8_t encoded[SMALL_LEN])
{
    struct {
        int16_t h[P];
        int32_t product[P];
        uint32_t numbers[P];
        uint8_t inner[HASH_LEN];
    } t;
    encode_small(encoded, r);
    decode_numbers(t.numbers, public_key, Q);
    for (unsigned i = 0; i < P; i++)
        t.h[i] = (int16_t)((int32_t)t.numbers[i] - Q_HALF);
    multiply(t.product, t.h, r);
    for (unsigned i = 0; i < P; i++) {
        int32_t c = reduce_q(t.product[i]);
        t.numbers[i] = (uint32_t)(((c - reduce_3(c) + Q_HALF) * 10923) >> 15); /* a third, exactly */
    }
    encode_numbers(ciphertext, t.numbers, (Q + 2) / 3);
    bool ok = hash(crypto, 3, ly_bytes(encoded, SMALL_LEN), (LyBytes){0}, t.inner) &&
              hash(crypto, 2, ly_bytes(t.inner, HASH_LEN), ly_bytes(public_hash, HASH_LEN),
                   ciphertext + ROUNDED_LEN);
    ly_cleanse(&t, sizeof t);
    return ok;
}

/* The shared secret: `kind` is 1 for a good ciphertext and 0 for a refused one. */
static bool hash_shared(LyCrypto *crypto, uint8_t kind, const uint8_t encoded[SMALL_LEN],
                        const uint8_t *ciphertext, uint8_t shared[LY_SNTRUP761_SHARED])
{
    uint8_t inner[HASH_LEN];
    bool ok =
        hash(crypto, 3, ly_bytes(encoded, SMALL_LEN), (LyBytes){0}, inner) &&
        hash(crypto, kind, ly_bytes(inner, HASH_LEN), ly_bytes(ciphertext, LY_SNTRUP761_CIPHERTEXT), shared);
    ly_cleanse(inner, sizeof inner);
    return ok;
}

bool ly_sntrup761_encapsulate(LyCrypto *crypto, const LyRandom *random,
                              const uint8_t public_key[LY_SNTRUP761_PUBLIC],
                              uint8_t ciphertext[LY_SNTRUP761_CIPHERTEXT],
                              uint8_t shared[LY_SNTRUP761_SHARED])
{
    int16_t r[P];
    uint8_t encoded[SMALL_LEN], public_hash[HASH_LEN];
    random_short(crypto, random, r);
    bool ok = hash(crypto, 4, ly_bytes(public_key, LY_SNTRUP761_PUBLIC), (LyBytes){0}, public_hash) &&
              encrypt(crypto, r, public_key, public_hash, ciphertext, encoded) &&
              hash_shared(crypto, 1, encoded, ciphertext, shared);
    ly_cleanse(r, sizeof r);
    ly_cleanse(encoded, sizeof encoded);
    return ok;
}

/* r = ((3 f c mod Q) mod 3) / g modulo 3; a fixed short polynomial where that has not W nonzero coefficients.
 */
static void decrypt(int16_t r[P], const uint8_t *private_key, const uint8_t *ciphertext)
{
    struct {
        int16_t c[P], small[P];
        int32_t product[P];
    } t;
    uint32_t numbers[P];
    decode_numbers(numbers, ciphertext, (Q + 2) / 3);
    for (unsigned i = 0; i < P; i++)
        t.c[i] = (int16_t)((int32_t)numbers[i] * 3 - Q_HALF);
    decode_small(t.small, private_key + AT_F);
    multiply(t.product, t.c, t.small);
    for (unsigned i = 0; i < P; i++)
        t.c[i] = reduce_3(reduce_q(3 * t.product[i]));
    decode_small(t.small, private_key + AT_G_INVERSE);
    multiply(t.product, t.c, t.small);
    int16_t weight = 0;
    for (unsigned i = 0; i < P; i++) {
        r[i] = reduce_3(t.product[i]);
        weight = (int16_t)(weight - mask_nonzero(r[i]));
    }
    int16_t wrong = mask_nonzero((int16_t)(weight - W));
    for (unsigned i = 0; i < P; i++)
        r[i] = (int16_t)((r[i] & ~wrong) | (wrong & (i < W)));
    ly_cleanse(&t, sizeof t);
}

bool ly_sntrup761_decapsulate(LyCrypto *crypto, const uint8_t private_key[LY_SNTRUP761_PRIVATE],
                              const uint8_t ciphertext[LY_SNTRUP761_CIPHERTEXT],
                              uint8_t shared[LY_SNTRUP761_SHARED])
{
    int16_t r[P];
    uint8_t again[LY_SNTRUP761_CIPHERTEXT], encoded[SMALL_LEN];
    decrypt(r, private_key, ciphertext);
    bool ok = encrypt(crypto, r, private_key + AT_PUBLIC, private_key + AT_PUBLIC_HASH, again, encoded);
    /* Fujisaki-Okamoto: whoever made the ciphertext honestly made exactly this one. */
    uint32_t different = 0;
    for (unsigned i = 0; i < sizeof again; i++)
        different |= (uint32_t)(again[i] ^ ciphertext[i]);
    uint8_t mask = (uint8_t)((0u - different) >> 24);
    for (unsigned i = 0; i < SMALL_LEN; i++)
        encoded[i] ^= mask & (encoded[i] ^ private_key[AT_REFUSED + i]);
    ok = ok && hash_shared(crypto, (uint8_t)(1 + mask), encoded, ciphertext, shared);
    ly_cleanse(r, sizeof r);
    ly_cleanse(again, sizeof again);
    ly_cleanse(encoded, sizeof encoded);
    return ok;
}
