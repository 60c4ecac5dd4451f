/* A key's fields in its serial forms: the public blob (RFC 4253 6.6, RFC 5656 3.1, RFC 8709 4, PROTOCOL.u2f)
 * and the private fields that openssh-key-v1 and the agent protocol share. */
#include "key/key-private.h"

static const struct {
    const char *name;
    size_t len;
} curves[LY_CURVE_COUNT] = {{"nistp256", 32}, {"nistp384", 48}, {"nistp521", 66}};

size_t ly_curve_len(int curve)
{
    return curves[curve].len;
}

static size_t seed_len(const LyKeyNumbers *numbers)
{
    return numbers->type->pk == LY_PK_ED448 ? 57 : 32;
}

bool ly_key_get_public_fields(LyReader *reader, LyKeyNumbers *numbers)
{
    const LyKeyType *type = numbers->type;
    switch (type->pk) {
    case LY_PK_RSA:
        numbers->e = ly_get_mpint(reader);
        numbers->n = ly_get_mpint(reader);
        break;
    case LY_PK_DSA:
        numbers->p = ly_get_mpint(reader);
        numbers->q = ly_get_mpint(reader);
        numbers->g = ly_get_mpint(reader);
        numbers->y = ly_get_mpint(reader);
        break;
    case LY_PK_ECDSA:
        if (!ly_bytes_is(ly_get_string(reader), curves[type->curve].name))
            return false;
        numbers->point = ly_get_string(reader);
        break;
    case LY_PK_ED25519:
    case LY_PK_ED448:
        numbers->public_key = ly_get_string(reader);
        break;
    }
    if (type->sk)
        numbers->application = ly_get_string(reader);
    return !reader->failed;
}

static bool get_sk_fields(LyReader *reader, bool with_public, LyKeyNumbers *numbers)
{
    LyBytes application = ly_get_string(reader);
    if (!with_public && !ly_bytes_equal(application, numbers->application))
        return false;
    numbers->application = application;
    numbers->sk_flags = ly_get_u8(reader);
    numbers->handle = ly_get_string(reader);
    numbers->reserved = ly_get_string(reader);
    return !reader->failed;
}

bool ly_key_get_private_fields(LyReader *reader, bool with_public, LyKeyNumbers *numbers)
{
    const LyKeyType *type = numbers->type;
    LyBytes public_key, both;
    switch (type->pk) {
    case LY_PK_RSA:
        if (with_public) {
            numbers->n = ly_get_mpint(reader);
            numbers->e = ly_get_mpint(reader);
        }
        numbers->d = ly_get_mpint(reader);
        numbers->iqmp = ly_get_mpint(reader);
        numbers->p = ly_get_mpint(reader);
        numbers->q = ly_get_mpint(reader);
        break;
    case LY_PK_DSA:
        if (with_public && !ly_key_get_public_fields(reader, numbers))
            return false;
        numbers->x = ly_get_mpint(reader);
        break;
    case LY_PK_ECDSA:
        if (with_public) {
            if (!ly_bytes_is(ly_get_string(reader), curves[type->curve].name))
                return false;
            numbers->point = ly_get_string(reader);
        }
        if (type->sk)
            return get_sk_fields(reader, with_public, numbers);
        numbers->scalar = ly_get_mpint(reader);
        break;
    case LY_PK_ED25519:
    case LY_PK_ED448:
        if (type->sk) { /* behind a certificate too, where ECDSA's point is not repeated */
            public_key = ly_get_string(reader);
            if (!with_public && !ly_bytes_equal(public_key, numbers->public_key))
                return false;
            numbers->public_key = public_key;
            return get_sk_fields(reader, with_public, numbers);
        }
        /* Three copies of the public key are in the file, two here: none may differ, because a seed that
         * signs with another key's public half gives itself away. */
        public_key = ly_get_string(reader);
        both = ly_get_string(reader);
        if (reader->failed || both.len != 2 * seed_len(numbers) ||
            !ly_bytes_equal(ly_bytes_slice(both, seed_len(numbers), both.len), public_key) ||
            (!with_public && !ly_bytes_equal(public_key, numbers->public_key)))
            return false;
        numbers->public_key = public_key;
        numbers->seed = ly_bytes_slice(both, 0, seed_len(numbers));
        break;
    }
    return !reader->failed;
}

void ly_key_put_public_fields(const LyKeyNumbers *numbers, LyBuf *out)
{
    const LyKeyType *type = numbers->type;
    switch (type->pk) {
    case LY_PK_RSA:
        ly_put_mpint(out, numbers->e);
        ly_put_mpint(out, numbers->n);
        break;
    case LY_PK_DSA:
        ly_put_mpint(out, numbers->p);
        ly_put_mpint(out, numbers->q);
        ly_put_mpint(out, numbers->g);
        ly_put_mpint(out, numbers->y);
        break;
    case LY_PK_ECDSA:
        ly_put_cstring(out, curves[type->curve].name);
        ly_put_string(out, numbers->point);
        break;
    case LY_PK_ED25519:
    case LY_PK_ED448:
        ly_put_string(out, numbers->public_key);
        break;
    }
    if (type->sk)
        ly_put_string(out, numbers->application);
}

void ly_key_put_private_fields(const LyKeyNumbers *numbers, bool with_public, LyBuf *out)
{
    const LyKeyType *type = numbers->type;
    if (type->sk) {
        if (with_public || type->pk == LY_PK_ED25519)
            ly_key_put_public_fields(numbers, out);
        else
            ly_put_string(out, numbers->application);
        ly_put_u8(out, numbers->sk_flags);
        ly_put_string(out, numbers->handle);
        ly_put_string(out, numbers->reserved);
        return;
    }
    switch (type->pk) {
    case LY_PK_RSA:
        if (with_public) {
            ly_put_mpint(out, numbers->n);
            ly_put_mpint(out, numbers->e);
        }
        ly_put_mpint(out, numbers->d);
        ly_put_mpint(out, numbers->iqmp);
        ly_put_mpint(out, numbers->p);
        ly_put_mpint(out, numbers->q);
        break;
    case LY_PK_DSA:
        if (with_public)
            ly_key_put_public_fields(numbers, out);
        ly_put_mpint(out, numbers->x);
        break;
    case LY_PK_ECDSA:
        if (with_public)
            ly_key_put_public_fields(numbers, out);
        ly_put_mpint(out, numbers->scalar);
        break;
    case LY_PK_ED25519:
    case LY_PK_ED448:
        ly_put_string(out, numbers->public_key);
        ly_put_u32(out, (uint32_t)(numbers->seed.len + numbers->public_key.len));
        ly_buf_add(out, numbers->seed);
        ly_buf_add(out, numbers->public_key);
        break;
    }
}

static unsigned bit_len(LyBytes magnitude)
{
    if (magnitude.len == 0)
        return 0;
    unsigned bits = (unsigned)(magnitude.len - 1) * 8;
    for (uint8_t top = magnitude.data[0]; top; top >>= 1)
        bits++;
    return bits;
}

/* Magnitudes have no leading zeros, so the longer one is the larger one. */
static bool is_less(LyBytes a, LyBytes b)
{
    return a.len != b.len ? a.len < b.len : memcmp(a.data, b.data, a.len) < 0;
}

static bool is_odd(LyBytes magnitude)
{
    return magnitude.len && (magnitude.data[magnitude.len - 1] & 1);
}

unsigned ly_key_numbers_bits(const LyKeyNumbers *numbers)
{
    switch (numbers->type->pk) {
    case LY_PK_RSA:
        return bit_len(numbers->n);
    case LY_PK_DSA:
        return bit_len(numbers->p);
    case LY_PK_ECDSA:
        return numbers->type->curve == LY_NISTP521 ? 521 : (unsigned)curves[numbers->type->curve].len * 8;
    case LY_PK_ED25519:
        return 256;
    case LY_PK_ED448:
        return 448;
    }
    return 0;
}

static bool check_rsa(const LyKeyNumbers *numbers, bool private_half, LyError *error)
{
    unsigned bits = bit_len(numbers->n);
    if (bits < 1024 || bits > 16384)
        return ly_error_set(error, LY_ERROR_INVALID,
                            "an RSA key of %u bits is refused: it must have 1024 to 16384", bits);
    if (!is_odd(numbers->n))
        return ly_error_set(error, LY_ERROR_INVALID, "the RSA modulus is even");
    if (!is_odd(numbers->e) || bit_len(numbers->e) < 2 || !is_less(numbers->e, numbers->n))
        return ly_error_set(error, LY_ERROR_INVALID, "the RSA exponent is even, 1 or not below the modulus");
    if (private_half &&
        (numbers->d.len == 0 || !is_less(numbers->d, numbers->n) || !is_odd(numbers->p) ||
         !is_odd(numbers->q) || !is_less(numbers->p, numbers->n) || !is_less(numbers->q, numbers->n) ||
         numbers->iqmp.len == 0 || !is_less(numbers->iqmp, numbers->p)))
        return ly_error_set(error, LY_ERROR_INVALID, "the private RSA numbers are out of range");
    return true;
}

static bool check_dsa(const LyKeyNumbers *numbers, bool private_half, LyError *error)
{
    unsigned bits = bit_len(numbers->p);
    if (bits < 1024 || bits > 3072 || bit_len(numbers->q) != 160)
        return ly_error_set(error, LY_ERROR_INVALID,
                            "a DSA key of %u and %u bits is refused: p must have 1024 to 3072 and q 160",
                            bits, bit_len(numbers->q));
    if (!is_odd(numbers->p) || !is_odd(numbers->q) || bit_len(numbers->g) < 2 ||
        !is_less(numbers->g, numbers->p) || bit_len(numbers->y) < 2 || !is_less(numbers->y, numbers->p) ||
        (private_half && (numbers->x.len == 0 || !is_less(numbers->x, numbers->q))))
        return ly_error_set(error, LY_ERROR_INVALID, "the DSA numbers are out of range");
    return true;
}

bool ly_key_numbers_check(const LyKeyNumbers *numbers, bool private_half, LyError *error)
{
    const LyKeyType *type = numbers->type;
    bool needs_number = private_half && !type->sk;
    if (type->pk == LY_PK_RSA)
        return check_rsa(numbers, private_half, error);
    if (type->pk == LY_PK_DSA)
        return check_dsa(numbers, private_half, error);
    if (type->pk == LY_PK_ECDSA) {
        size_t len = curves[type->curve].len;
        if (numbers->point.len != 1 + 2 * len || numbers->point.data[0] != 4)
            return ly_error_set(error, LY_ERROR_INVALID, "the %s point is not %zu bytes in uncompressed form",
                                curves[type->curve].name, 1 + 2 * len);
        if (needs_number && (numbers->scalar.len == 0 || numbers->scalar.len > len))
            return ly_error_set(error, LY_ERROR_INVALID, "the private %s number is out of range",
                                curves[type->curve].name);
    } else {
        if (numbers->public_key.len != seed_len(numbers))
            return ly_error_set(error, LY_ERROR_INVALID, "the %s public key has %zu bytes instead of %zu",
                                type->short_name, numbers->public_key.len, seed_len(numbers));
        if (needs_number && numbers->seed.len != seed_len(numbers))
            return ly_error_set(error, LY_ERROR_INVALID, "the %s seed has %zu bytes instead of %zu",
                                type->short_name, numbers->seed.len, seed_len(numbers));
    }
    if (type->sk && numbers->application.len == 0)
        return ly_error_set(error, LY_ERROR_INVALID, "the application of the security key is empty");
    return true;
}
