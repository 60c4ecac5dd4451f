#include <openssl/ec.h>
#include <openssl/err.h>

#include "base/memory.h"
#include "crypto/pk-private.h"

/* Whether the halves of a key belong together, in microseconds and by our own arithmetic: EVP_PKEY_check
 * would test primes, which takes 50 ms for RSA. A key that fails is dangerous to use, not just useless: a
 * wrong iqmp or d gives signatures from which the factors follow, a wrong Ed25519 public half ones from which
 * the seed follows. */

static const char *rsa_mismatch(const LyPk *pk, BIGNUM *const number[PK_NUMBER_COUNT], BN_CTX *context)
{
    BIGNUM *t = BN_CTX_get(context), *range = BN_CTX_get(context);
    if (!range)
        return "there is no memory for its numbers";
    if (!BN_mul(t, number[RSA_P], number[RSA_Q], context) || BN_cmp(t, number[RSA_N]) != 0)
        return "the modulus is not the product of its prime factors";
    for (unsigned i = RSA_P; i <= RSA_Q; i++)
        if (!BN_copy(range, number[i]) || !BN_sub_word(range, 1) ||
            !BN_mod_mul(t, number[RSA_D], number[RSA_E], range, context) || !BN_is_one(t))
            return "the private exponent does not belong to the public one";
    if (!BN_mod_mul(t, number[RSA_IQMP], number[RSA_Q], number[RSA_P], context) || !BN_is_one(t) ||
        BN_cmp(number[RSA_IQMP], number[RSA_P]) >= 0)
        return "iqmp is not the inverse of the second prime factor";
    return NULL;
}

static const char *dsa_mismatch(const LyPk *pk, BIGNUM *const number[PK_NUMBER_COUNT], BN_CTX *context)
{
    BIGNUM *y = BN_CTX_get(context);
    if (!y || !BN_mod_exp_mont_consttime(y, number[DSA_G], number[DSA_X], number[DSA_P], context, NULL) ||
        BN_cmp(y, number[DSA_Y]) != 0)
        return "the private value does not give the public one";
    /* Else a damaged q, which signing uses and the line above does not, would give x away. */
    if (!BN_mod_exp(y, number[DSA_G], number[DSA_Q], number[DSA_P], context) || !BN_is_one(y))
        return "the generator does not have the order q";
    return NULL;
}

static const char *ecdsa_mismatch(const LyPk *pk, BIGNUM *const number[PK_NUMBER_COUNT], BN_CTX *context)
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name_ex(pk->crypto->library, NULL, ly_curves[pk->curve].nid);
    EC_POINT *given = group ? EC_POINT_new(group) : NULL, *made = group ? EC_POINT_new(group) : NULL;
    LyBytes point = pk->numbers[EC_POINT_];
    bool ok = given && made && EC_POINT_oct2point(group, given, point.data, point.len, context) &&
              EC_POINT_mul(group, made, number[EC_SCALAR], NULL, NULL, context) &&
              EC_POINT_cmp(group, given, made, context) == 0;
    EC_POINT_free(given);
    EC_POINT_free(made);
    EC_GROUP_free(group);
    return ok ? NULL : "the private scalar does not give the public point";
}

static const char *edwards_mismatch(const LyPk *pk)
{
    uint8_t made[57];
    size_t len = sizeof made;
    EVP_PKEY *key = ly_pk_key(pk, NULL);
    bool ok = key && EVP_PKEY_get_raw_public_key(key, made, &len) == 1 &&
              ly_bytes_equal(ly_bytes(made, len), pk->numbers[ED_PUBLIC]);
    return ok ? NULL : "the seed does not give the public key";
}

static const char *number_mismatch(const LyPk *pk)
{
    static const char *(*const mismatch[])(const LyPk *, BIGNUM *const[PK_NUMBER_COUNT], BN_CTX *) = {
        [LY_PK_RSA] = rsa_mismatch, [LY_PK_DSA] = dsa_mismatch, [LY_PK_ECDSA] = ecdsa_mismatch};
    BN_CTX *context = BN_CTX_secure_new_ex(pk->crypto->library);
    BIGNUM *number[PK_NUMBER_COUNT];
    bool ok = context != NULL;
    for (unsigned i = 0; i < PK_NUMBER_COUNT; i++) {
        LyBytes bytes = pk->numbers[i];
        number[i] = BN_secure_new();
        ok = ok && number[i] && BN_bin2bn(bytes.data, (int)bytes.len, number[i]);
        if (number[i])
            BN_set_flags(number[i], BN_FLG_CONSTTIME);
    }
    if (context)
        BN_CTX_start(context);
    const char *fault = ok ? mismatch[pk->type](pk, number, context) : "there is no memory for its numbers";
    if (context)
        BN_CTX_end(context);
    for (unsigned i = 0; i < PK_NUMBER_COUNT; i++)
        BN_clear_free(number[i]);
    BN_CTX_free(context);
    return fault;
}

bool ly_pk_check(const LyPk *pk, LyError *error)
{
    if (!pk->is_private)
        return true;
    const char *fault =
        pk->type == LY_PK_ED25519 || pk->type == LY_PK_ED448 ? edwards_mismatch(pk) : number_mismatch(pk);
    ERR_clear_error();
    return !fault ||
           ly_error_set(error, LY_ERROR_VERIFY, "the halves of this key do not belong together: %s", fault);
}
