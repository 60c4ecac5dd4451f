#include "crypto/pk.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>

#include "base/memory.h"
#include "base/wire.h"
#include "base/secret.h"
#include "crypto/pk-private.h"

const LyCurveInfo ly_curves[LY_CURVE_COUNT] = {
    [LY_NISTP256] = {"nistp256", "P-256", NID_X9_62_prime256v1, 256, 32, "SHA256"},
    [LY_NISTP384] = {"nistp384", "P-384", NID_secp384r1, 384, 48, "SHA384"},
    [LY_NISTP521] = {"nistp521", "P-521", NID_secp521r1, 521, 66, "SHA512"},
};

const char *ly_pk_edwards_name(LyPkType type)
{
    return type == LY_PK_ED25519 ? "ED25519" : "ED448";
}

/* ---- numbers in ---- */

static bool is_odd(LyBytes magnitude)
{
    return magnitude.len && magnitude.data[magnitude.len - 1] & 1;
}

/* a < b, both without leading zeros */
static bool is_less(LyBytes a, LyBytes b)
{
    return a.len != b.len ? a.len < b.len : memcmp(a.data, b.data, a.len) < 0;
}

static LyPk *new_pk(LyCrypto *crypto, LyPkType type, bool is_private, size_t bits, const LyBytes *numbers,
                    size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += numbers[i].len;
    LyPk *pk = ly_new(LyPk);
    pk->refs = 1;
    pk->crypto = ly_crypto_ref(crypto);
    pk->type = type;
    pk->is_private = is_private;
    pk->bits = (unsigned)bits;
    pk->memory = is_private ? ly_secret_alloc(len) : ly_alloc(len);
    pthread_mutex_init(&pk->lock, NULL);
    uint8_t *at = pk->memory;
    for (size_t i = 0; i < count; i++) {
        if (numbers[i].len)
            memcpy(at, numbers[i].data, numbers[i].len);
        pk->numbers[i] = ly_bytes(at, numbers[i].len);
        at += numbers[i].len;
    }
    return pk;
}

LyPk *ly_pk_ref(LyPk *pk)
{
    __atomic_add_fetch(&pk->refs, 1, __ATOMIC_RELAXED);
    return pk;
}

void ly_pk_unref(LyPk *pk)
{
    if (!pk || __atomic_sub_fetch(&pk->refs, 1, __ATOMIC_ACQ_REL))
        return;
    EVP_MD_CTX_free(pk->signer);
    EVP_PKEY_free(pk->key);
    pthread_mutex_destroy(&pk->lock);
    if (pk->is_private)
        ly_secret_free(pk->memory);
    else
        ly_free(pk->memory);
    ly_crypto_unref(pk->crypto);
    ly_free(pk);
}

bool ly_pk_is_private(const LyPk *pk)
{
    return pk->is_private;
}

unsigned ly_pk_bits(const LyPk *pk)
{
    return pk->bits;
}

static const char *fault_of_rsa(const LyBytes *number, size_t bits, bool is_private)
{
    if (bits < 1024 || bits > 16384)
        return "the modulus must have 1024 to 16384 bits";
    if (!is_odd(number[RSA_N]))
        return "the modulus is even";
    if (!is_odd(number[RSA_E]) || ly_magnitude_bits(number[RSA_E]) < 2 || !is_less(number[RSA_E], number[RSA_N]))
        return "the public exponent must be odd, above 1 and below the modulus";
    if (!is_private)
        return NULL;
    if (!is_less(number[RSA_D], number[RSA_N]))
        return "the private exponent is above the modulus";
    for (unsigned i = RSA_P; i <= RSA_Q; i++)
        if (!is_odd(number[i]) || ly_magnitude_bits(number[i]) < 2 || !is_less(number[i], number[RSA_N]))
            return "a prime factor is missing or out of range";
    if (!number[RSA_IQMP].len || !is_less(number[RSA_IQMP], number[RSA_N]))
        return "the inverse of the second prime is missing or out of range";
    return NULL;
}

LyPk *ly_pk_new_rsa(LyCrypto *crypto, const LyRsaNumbers *numbers, LyError *error)
{
    LyBytes number[] = {numbers->n, numbers->e, numbers->d, numbers->iqmp, numbers->p, numbers->q};
    for (size_t i = 0; i < LY_COUNT(number); i++)
        number[i] = ly_magnitude(number[i]);
    size_t bits = ly_magnitude_bits(number[RSA_N]);
    bool is_private = number[RSA_D].len != 0;
    const char *fault = fault_of_rsa(number, bits, is_private);
    if (fault) {
        ly_error_set(error, LY_ERROR_INVALID, "this cannot be an RSA key: %s", fault);
        return NULL;
    }
    return new_pk(crypto, LY_PK_RSA, is_private, bits, number, is_private ? LY_COUNT(number) : 2);
}

static const char *fault_of_dsa(const LyBytes *number, size_t bits)
{
    if (bits < 1024 || bits > 3072 || !is_odd(number[DSA_P]))
        return "p must be odd and have 1024 to 3072 bits";
    if (ly_magnitude_bits(number[DSA_Q]) != 160 || !is_odd(number[DSA_Q]))
        return "q must be odd and have 160 bits";
    if (ly_magnitude_bits(number[DSA_G]) < 2 || !is_less(number[DSA_G], number[DSA_P]))
        return "the generator is out of range";
    if (ly_magnitude_bits(number[DSA_Y]) < 2 || !is_less(number[DSA_Y], number[DSA_P]))
        return "the public value is out of range";
    if (!is_less(number[DSA_X], number[DSA_Q]))
        return "the private value is out of range";
    return NULL;
}

LyPk *ly_pk_new_dsa(LyCrypto *crypto, const LyDsaNumbers *numbers, LyError *error)
{
    LyBytes number[] = {numbers->p, numbers->q, numbers->g, numbers->y, numbers->x};
    for (size_t i = 0; i < LY_COUNT(number); i++)
        number[i] = ly_magnitude(number[i]);
    size_t bits = ly_magnitude_bits(number[DSA_P]);
    const char *fault = fault_of_dsa(number, bits);
    if (fault) {
        ly_error_set(error, LY_ERROR_INVALID, "this cannot be a DSA key: %s", fault);
        return NULL;
    }
    return new_pk(crypto, LY_PK_DSA, number[DSA_X].len != 0, bits, number, LY_COUNT(number));
}

/* Decoding finds coordinates that are not below p and points that are not on the curve; these have no small
 * subgroups. */
static const char *fault_of_ecdsa(LyCrypto *crypto, const LyCurveInfo *curve, LyBytes point, LyBytes scalar)
{
    if (point.len != 1 + 2 * curve->len || point.data[0] != 4)
        return "the point is not uncompressed or has the wrong length";
    if (scalar.len > curve->len)
        return "the private scalar is out of range";
    EC_GROUP *group = EC_GROUP_new_by_curve_name_ex(crypto->library, NULL, curve->nid);
    EC_POINT *decoded = group ? EC_POINT_new(group) : NULL;
    BIGNUM *number = BN_secure_new();
    const char *fault = "libcrypto does not know the curve";
    if (decoded && number)
        fault = EC_POINT_oct2point(group, decoded, point.data, point.len, NULL)
                    ? NULL
                    : "the point is not on the curve";
    if (!fault &&
        (!BN_bin2bn(scalar.data, (int)scalar.len, number) || BN_cmp(number, EC_GROUP_get0_order(group)) >= 0))
        fault = "the private scalar is out of range";
    BN_clear_free(number);
    EC_POINT_free(decoded);
    EC_GROUP_free(group);
    ERR_clear_error();
    return fault;
}

LyPk *ly_pk_new_ecdsa(LyCrypto *crypto, LyCurve curve, LyBytes point, LyBytes scalar, LyError *error)
{
    const LyCurveInfo *info = &ly_curves[curve];
    bool is_private = scalar.len != 0;
    LyBytes number[] = {point, ly_magnitude(scalar)};
    const char *fault = is_private && !number[EC_SCALAR].len
                            ? "the private scalar is out of range"
                            : fault_of_ecdsa(crypto, info, point, number[EC_SCALAR]);
    if (fault) {
        ly_error_set(error, LY_ERROR_INVALID, "this cannot be a key on %s: %s", info->ssh_name, fault);
        return NULL;
    }
    LyPk *pk = new_pk(crypto, LY_PK_ECDSA, is_private, info->bits, number, LY_COUNT(number));
    pk->curve = curve;
    return pk;
}

static LyPk *new_edwards(LyCrypto *crypto, LyPkType type, size_t len, unsigned bits, LyBytes public_key,
                         LyBytes seed, LyError *error)
{
    if (public_key.len != len || (seed.len && seed.len != len)) {
        ly_error_set(error, LY_ERROR_INVALID, "this cannot be an %s key: its halves must have %zu bytes each",
                     ly_pk_edwards_name(type), len);
        return NULL;
    }
    return new_pk(crypto, type, seed.len != 0, bits, (LyBytes[]){public_key, seed}, 2);
}

LyPk *ly_pk_new_ed25519(LyCrypto *crypto, LyBytes public32, LyBytes seed32, LyError *error)
{
    return new_edwards(crypto, LY_PK_ED25519, 32, 256, public32, seed32, error);
}

LyPk *ly_pk_new_ed448(LyCrypto *crypto, LyBytes public57, LyBytes seed57, LyError *error)
{
    return new_edwards(crypto, LY_PK_ED448, 57, 456, public57, seed57, error);
}

/* ---- OpenSSL's form ---- */

/* Numbers on their way into a key; the BIGNUMs live until the parameters are made. */
typedef struct Builder {
    OSSL_PARAM_BLD *params;
    BIGNUM *held[10];
    unsigned held_count;
    bool ok;
} Builder;

static void push(Builder *builder, const char *name, BIGNUM *number)
{
    builder->held[builder->held_count++] = number;
    builder->ok = builder->ok && number && OSSL_PARAM_BLD_push_BN(builder->params, name, number);
}

static BIGNUM *number_of(LyBytes magnitude)
{
    BIGNUM *number = BN_secure_new();
    if (number && !BN_bin2bn(magnitude.data, (int)magnitude.len, number)) {
        BN_clear_free(number);
        return NULL;
    }
    if (number)
        BN_set_flags(number, BN_FLG_CONSTTIME);
    return number;
}

/* d mod (prime - 1) */
static BIGNUM *reduced_exponent(const LyPk *pk, LyBytes prime)
{
    BIGNUM *d = number_of(pk->numbers[RSA_D]), *range = number_of(prime), *result = BN_secure_new();
    BN_CTX *context = BN_CTX_secure_new_ex(pk->crypto->library);
    bool ok = d && range && result && context && BN_sub_word(range, 1) && BN_mod(result, d, range, context);
    BN_CTX_free(context);
    BN_clear_free(range);
    BN_clear_free(d);
    if (ok)
        return result;
    BN_clear_free(result);
    return NULL;
}

static void push_rsa(Builder *builder, const LyPk *pk)
{
    push(builder, OSSL_PKEY_PARAM_RSA_N, number_of(pk->numbers[RSA_N]));
    push(builder, OSSL_PKEY_PARAM_RSA_E, number_of(pk->numbers[RSA_E]));
    if (!pk->is_private)
        return;
    push(builder, OSSL_PKEY_PARAM_RSA_D, number_of(pk->numbers[RSA_D]));
    push(builder, OSSL_PKEY_PARAM_RSA_FACTOR1, number_of(pk->numbers[RSA_P]));
    push(builder, OSSL_PKEY_PARAM_RSA_FACTOR2, number_of(pk->numbers[RSA_Q]));
    push(builder, OSSL_PKEY_PARAM_RSA_EXPONENT1, reduced_exponent(pk, pk->numbers[RSA_P]));
    push(builder, OSSL_PKEY_PARAM_RSA_EXPONENT2, reduced_exponent(pk, pk->numbers[RSA_Q]));
    push(builder, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, number_of(pk->numbers[RSA_IQMP]));
}

static void push_dsa(Builder *builder, const LyPk *pk)
{
    push(builder, OSSL_PKEY_PARAM_FFC_P, number_of(pk->numbers[DSA_P]));
    push(builder, OSSL_PKEY_PARAM_FFC_Q, number_of(pk->numbers[DSA_Q]));
    push(builder, OSSL_PKEY_PARAM_FFC_G, number_of(pk->numbers[DSA_G]));
    push(builder, OSSL_PKEY_PARAM_PUB_KEY, number_of(pk->numbers[DSA_Y]));
    if (pk->is_private)
        push(builder, OSSL_PKEY_PARAM_PRIV_KEY, number_of(pk->numbers[DSA_X]));
}

static void push_ecdsa(Builder *builder, const LyPk *pk)
{
    LyBytes point = pk->numbers[EC_POINT_];
    builder->ok =
        builder->ok &&
        OSSL_PARAM_BLD_push_utf8_string(builder->params, OSSL_PKEY_PARAM_GROUP_NAME,
                                        ly_curves[pk->curve].name, 0) &&
        OSSL_PARAM_BLD_push_octet_string(builder->params, OSSL_PKEY_PARAM_PUB_KEY, point.data, point.len);
    if (pk->is_private)
        push(builder, OSSL_PKEY_PARAM_PRIV_KEY, number_of(pk->numbers[EC_SCALAR]));
}

static const struct {
    const char *name;
    void (*push)(Builder *builder, const LyPk *pk);
} number_types[] = {
    [LY_PK_RSA] = {"RSA", push_rsa},
    [LY_PK_DSA] = {"DSA", push_dsa},
    [LY_PK_ECDSA] = {"EC", push_ecdsa},
};

static EVP_PKEY *make_from_numbers(const LyPk *pk)
{
    Builder builder = {.params = OSSL_PARAM_BLD_new()};
    builder.ok = builder.params != NULL;
    number_types[pk->type].push(&builder, pk);
    OSSL_PARAM *params = builder.ok ? OSSL_PARAM_BLD_to_param(builder.params) : NULL;
    EVP_PKEY_CTX *context =
        EVP_PKEY_CTX_new_from_name(pk->crypto->library, number_types[pk->type].name, NULL);
    EVP_PKEY *key = NULL;
    if (!params || !context || EVP_PKEY_fromdata_init(context) <= 0 ||
        EVP_PKEY_fromdata(context, &key, pk->is_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params) <=
            0)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder.params);
    for (unsigned i = 0; i < builder.held_count; i++)
        BN_clear_free(builder.held[i]);
    return key;
}

static EVP_PKEY *make_edwards(const LyPk *pk)
{
    const char *name = ly_pk_edwards_name(pk->type);
    LyBytes seed = pk->numbers[ED_SEED], public_key = pk->numbers[ED_PUBLIC];
    return pk->is_private
               ? EVP_PKEY_new_raw_private_key_ex(pk->crypto->library, name, NULL, seed.data, seed.len)
               : EVP_PKEY_new_raw_public_key_ex(pk->crypto->library, name, NULL, public_key.data,
                                                public_key.len);
}

EVP_PKEY *ly_pk_key(const LyPk *pk, LyError *error)
{
    /* The only part that changes is hidden from the outside, so that the key counts as immutable there. */
    LyPk *self = (LyPk *)pk;
    pthread_mutex_lock(&self->lock);
    if (!self->key)
        self->key =
            pk->type == LY_PK_ED25519 || pk->type == LY_PK_ED448 ? make_edwards(pk) : make_from_numbers(pk);
    EVP_PKEY *key = self->key;
    pthread_mutex_unlock(&self->lock);
    if (!key)
        ly_crypto_failed(error, "use a key");
    return key;
}
