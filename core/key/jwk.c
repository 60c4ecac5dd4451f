/* JSON Web Keys in and out: RFC 7517, RFC 7518 section 6 (RSA, EC) and RFC 8037 section 2 (OKP). */
#include "base/auto.h"
#include "base/base64.h"
#include "base/json.h"
#include "key/read-private.h"
#include "key/write-private.h"

#define VALUE_LIMIT ((size_t)4 << 10) /* bytes; a number of 16384 bits has half of it */

/* The curves of EC and OKP. */
static const struct {
    const char *kty, *crv, *type;
} curves[] = {
    {"EC", "P-256", "ecdsa-sha2-nistp256"}, {"EC", "P-384", "ecdsa-sha2-nistp384"},
    {"EC", "P-521", "ecdsa-sha2-nistp521"}, {"OKP", "Ed25519", "ssh-ed25519"},
    {"OKP", "Ed448", "ssh-ed448"},
};

/* --- In --- */

/* RFC 7515 section 2: no padding, no other characters. */
static bool decode(LyBytes text, LyBuf *bytes)
{
    LY_AUTO(ly_buf_free) LyBuf usual = {0};
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c == '+' || c == '/' || c == '=')
            return false;
        ly_put_u8(&usual, c == '-' ? '+' : c == '_' ? '/' : c);
    }
    ly_buf_add(&usual, ly_bytes("===", (4 - text.len % 4) % 4));
    return ly_base64_decode(bytes, ly_buf_bytes(&usual), false);
}

/* What was decoded lives in `storage`, which must not move: it is given its room before. */
typedef struct Reading {
    LyJsonObject object;
    LyBuf storage;
    const char *kty;
    LyError error;
} Reading;

static void reading_clear(Reading *reading)
{
    ly_json_object_clear(&reading->object);
    ly_buf_free(&reading->storage);
}

/* A member that must be there. `len`: of exactly so many bytes (0: any). The empty view on failure, which
 * sticks in `error`. */
static LyBytes get(Reading *reading, const char *name, size_t len)
{
    LyBytes text = ly_json_get(&reading->object, name);
    size_t start = reading->storage.len;
    if (reading->error.code)
        return (LyBytes){0};
    if (text.len == 0) {
        ly_error_set(&reading->error, LY_ERROR_INVALID, "the %s key in the JWK has no \"%s\"", reading->kty,
                     name);
        return (LyBytes){0};
    }
    if (!decode(text, &reading->storage)) {
        ly_error_set(&reading->error, LY_ERROR_INVALID,
                     "\"%s\" of the JWK is not base64url without padding, or is damaged", name);
        return (LyBytes){0};
    }
    LyBytes value = ly_bytes_slice(ly_buf_bytes(&reading->storage), start, reading->storage.len);
    if ((len && value.len != len) || value.len > VALUE_LIMIT) {
        ly_error_set(&reading->error, LY_ERROR_INVALID, "\"%s\" of the JWK has %zu bytes instead of %s%zu",
                     name, value.len, len ? "" : "at most ", len ? len : VALUE_LIMIT);
        return (LyBytes){0};
    }
    return value;
}

static LyBytes get_number(Reading *reading, const char *name)
{
    return ly_magnitude(get(reading, name, 0));
}

/* dp and dq must be what d, p and q give: a key whose parts disagree is damaged. */
static void check_exponents(LyCrypto *crypto, Reading *reading, const LyKeyNumbers *numbers)
{
    LyBytes dp = get_number(reading, "dp"), dq = get_number(reading, "dq");
    LY_AUTO(ly_buf_free) LyBuf expected_dp = {0}, expected_dq = {0};
    LyRsaNumbers rsa = {.d = numbers->d, .p = numbers->p, .q = numbers->q};
    if (reading->error.code ||
        !ly_pk_rsa_exponents(crypto, &rsa, &expected_dp, &expected_dq, &reading->error))
        return;
    if (!ly_bytes_equal_secret(dp, ly_buf_bytes(&expected_dp)) ||
        !ly_bytes_equal_secret(dq, ly_buf_bytes(&expected_dq)))
        ly_error_set(&reading->error, LY_ERROR_INVALID,
                     "the JWK is damaged: \"dp\" or \"dq\" does not fit the other numbers");
}

static void get_rsa(LyCrypto *crypto, Reading *reading, bool private_half, LyKeyNumbers *numbers)
{
    numbers->type = ly_key_type_find(LY_BYTES("ssh-rsa"), NULL);
    numbers->n = get_number(reading, "n");
    numbers->e = get_number(reading, "e");
    if (!private_half)
        return;
    if (!ly_json_get(&reading->object, "p").len && !reading->error.code)
        ly_error_set(&reading->error, LY_ERROR_UNSUPPORTED,
                     "the RSA key in the JWK has \"d\" alone: SSH needs \"p\", \"q\", \"dp\", \"dq\" and "
                     "\"qi\" too");
    if (ly_json_has(&reading->object, "oth") && !reading->error.code)
        ly_error_set(&reading->error, LY_ERROR_UNSUPPORTED,
                     "the RSA key in the JWK has more than two primes, which SSH has no form of");
    numbers->d = get_number(reading, "d");
    numbers->p = get_number(reading, "p");
    numbers->q = get_number(reading, "q");
    numbers->iqmp = get_number(reading, "qi");
    check_exponents(crypto, reading, numbers);
}

/* EC and OKP. The point is put together in `point`. */
static void get_curve_key(Reading *reading, bool private_half, LyBuf *point, LyKeyNumbers *numbers)
{
    LyBytes crv = ly_json_get(&reading->object, "crv");
    size_t i = 0;
    while (i < LY_COUNT(curves) &&
           !(strcmp(curves[i].kty, reading->kty) == 0 && ly_bytes_is(crv, curves[i].crv)))
        i++;
    if (i == LY_COUNT(curves)) {
        ly_error_set(&reading->error, LY_ERROR_UNSUPPORTED,
                     "SSH has no %s keys on the curve \"%s\" of the JWK", reading->kty, LY_PRINTABLE(crv));
        return;
    }
    numbers->type = ly_key_type_find(ly_bytes_str(curves[i].type), NULL);
    if (numbers->type->pk == LY_PK_ECDSA) {
        size_t len = ly_curve_len(numbers->type->curve);
        ly_put_u8(point, 4); /* uncompressed */
        ly_buf_add(point, get(reading, "x", len));
        ly_buf_add(point, get(reading, "y", len));
        numbers->point = ly_buf_bytes(point);
        numbers->scalar = private_half ? ly_magnitude(get(reading, "d", len)) : (LyBytes){0};
    } else {
        size_t len = numbers->type->pk == LY_PK_ED448 ? 57 : 32;
        numbers->public_key = get(reading, "x", len);
        numbers->seed = private_half ? get(reading, "d", len) : (LyBytes){0};
    }
}

/* Is there a member of this name, whatever its value? ly_json_read_object tells of strings only. */
static bool is_mentioned(LyBytes text, const char *quoted)
{
    return ly_bytes_find(text, ly_bytes_str(quoted)) != SIZE_MAX;
}

static bool find_kty(LyBytes text, Reading *reading)
{
    LyBytes kty = ly_json_get(&reading->object, "kty");
    static const char *const known[] = {"RSA", "EC", "OKP"};
    for (size_t i = 0; i < LY_COUNT(known); i++)
        if (ly_bytes_is(kty, known[i]))
            reading->kty = known[i];
    if (reading->kty)
        return true;
    if (kty.len == 0 && is_mentioned(text, "\"keys\""))
        return ly_error_set(&reading->error, LY_ERROR_UNSUPPORTED,
                            "this is a set of JWKs: give one key of it, an object with \"kty\"");
    if (kty.len == 0)
        return ly_error_set(&reading->error, LY_ERROR_INVALID, "this is JSON, but no JWK: it has no \"kty\"");
    return ly_error_set(&reading->error, LY_ERROR_UNSUPPORTED,
                        "SSH has no keys of the JWK type \"%s\": RSA, EC and OKP are known",
                        LY_PRINTABLE(kty));
}

static LyKey *make_key(LyCrypto *crypto, const LyKeyNumbers *numbers, bool private_half, LyBytes comment,
                       LyError *error)
{
    if (private_half)
        return ly_key_new_numbers(crypto, numbers, comment, error);
    LY_AUTO(ly_buf_free) LyBuf blob = {0};
    ly_put_cstring(&blob, numbers->type->name);
    ly_key_put_public_fields(numbers, &blob);
    LyKey *key = ly_key_new_public(crypto, ly_buf_bytes(&blob), error);
    LyKey *commented = key ? ly_key_new_commented(key, comment) : NULL;
    ly_key_unref(key);
    return commented;
}

bool ly_key_read_jwk(LyCrypto *crypto, LyBytes text, const LyKeyReadOptions *options, LyKeyEntry *entry,
                     LyError *error)
{
    (void)options; /* JWKs are not encrypted: those that are, are JWEs */
    LY_AUTO(reading_clear) Reading reading = {0};
    LY_AUTO(ly_buf_free) LyBuf point = {0};
    LyKeyNumbers numbers = {0};
    if (text.len > LY_KEY_TEXT_LIMIT)
        return ly_error_set(error, LY_ERROR_LIMIT, "a key file of %zu bytes is refused: the limit is %zu",
                            text.len, LY_KEY_TEXT_LIMIT);
    if (ly_bytes_starts_with(text, "\xef\xbb\xbf"))
        text = ly_bytes_slice(text, 3, text.len);
    entry->format = LY_KEY_JWK;
    if (!ly_json_read_object(text, &reading.object, error))
        return false;
    ly_buf_room(&reading.storage, text.len);
    bool private_half = ly_json_has(&reading.object, "d");
    if (!find_kty(text, &reading))
        return ly_error_set(error, reading.error.code, "%s", reading.error.message);
    entry->has_private = private_half;
    if (strcmp(reading.kty, "RSA") == 0)
        get_rsa(crypto, &reading, private_half, &numbers);
    else
        get_curve_key(&reading, private_half, &point, &numbers);
    if (reading.error.code)
        return ly_error_set(error, reading.error.code, "%s", reading.error.message);
    entry->key = make_key(crypto, &numbers, private_half, ly_json_get(&reading.object, "kid"), error);
    return entry->key != NULL;
}

/* --- Out --- */

static void put(LyJson *json, const char *name, LyBytes bytes)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    ly_base64_encode(&text, bytes, 0);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        text.data[i] = c == '+' ? '-' : c == '/' ? '_' : c;
    }
    while (text.len && text.data[text.len - 1] == '=')
        text.len--;
    ly_json_name(json, name);
    ly_json_string(json, ly_buf_bytes(&text));
}

static bool put_rsa(const LyKey *key, const LyKeyNumbers *numbers, bool private_half, LyJson *json,
                    LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf dp = {0}, dq = {0};
    LyRsaNumbers rsa = {.d = numbers->d, .p = numbers->p, .q = numbers->q};
    if (private_half && !ly_pk_rsa_exponents(key->crypto, &rsa, &dp, &dq, error))
        return false;
    put(json, "n", numbers->n);
    put(json, "e", numbers->e);
    if (private_half) {
        put(json, "d", numbers->d);
        put(json, "p", numbers->p);
        put(json, "q", numbers->q);
        put(json, "dp", ly_buf_bytes(&dp));
        put(json, "dq", ly_buf_bytes(&dq));
        put(json, "qi", numbers->iqmp);
    }
    return true;
}

static void put_curve_key(const LyKeyNumbers *numbers, bool private_half, LyJson *json)
{
    if (numbers->type->pk == LY_PK_ECDSA) {
        size_t len = ly_curve_len(numbers->type->curve);
        put(json, "x", ly_bytes_slice(numbers->point, 1, len));
        put(json, "y", ly_bytes_slice(numbers->point, 1 + len, len));
        if (private_half) {
            LY_AUTO(ly_buf_free) LyBuf scalar = {0};
            for (size_t i = numbers->scalar.len; i < len; i++)
                ly_put_u8(&scalar, 0);
            ly_buf_add(&scalar, numbers->scalar);
            put(json, "d", ly_buf_bytes(&scalar));
        }
    } else {
        put(json, "x", numbers->public_key);
        if (private_half)
            put(json, "d", numbers->seed);
    }
}

bool ly_key_put_jwk(const LyKey *key, bool private_half, LyBuf *out, LyError *error)
{
    const LyKeyType *type = ly_key_type(key);
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    LyJson json = {.out = &text};
    LyKeyNumbers numbers = {0};
    size_t i = 0;
    while (i < LY_COUNT(curves) && strcmp(curves[i].type, type->name) != 0)
        i++;
    if (ly_key_is_certificate(key) || (type->pk != LY_PK_RSA && i == LY_COUNT(curves)))
        return ly_error_set(error, LY_ERROR_UNSUPPORTED, "JWK has no form of %s", ly_key_type_name(key));
    if (private_half && !ly_key_is_private(key))
        return ly_error_set(error, LY_ERROR_INVALID, "the %s key has no private half to write", type->name);
    ly_key_get_numbers(key, &numbers);
    ly_json_begin(&json, '{');
    ly_json_name(&json, "kty");
    ly_json_cstring(&json, type->pk == LY_PK_RSA ? "RSA" : curves[i].kty);
    if (type->pk == LY_PK_RSA) {
        if (!put_rsa(key, &numbers, private_half, &json, error))
            return false;
    } else {
        ly_json_name(&json, "crv");
        ly_json_cstring(&json, curves[i].crv);
        put_curve_key(&numbers, private_half, &json);
    }
    if (ly_key_comment(key).len) {
        ly_json_name(&json, "kid");
        ly_json_string(&json, ly_key_comment(key));
    }
    ly_json_end(&json, '}');
    ly_buf_add(out, ly_buf_bytes(&text));
    return true;
}
