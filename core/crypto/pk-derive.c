/* Public values from private ones, for PKCS#8 and SEC1 files without the public half. */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include "base/secret.h"
#include "crypto/crypto-private.h"
#include "crypto/pk.h"

/* Unexpected refusals of libcrypto only; what the numbers do wrong is told before. */
static bool derive_raw(LyCrypto *crypto, const char *name, LyBytes seed, LyBuf *public_value, LyError *error)
{
    uint8_t raw[57];
    size_t len = sizeof raw;
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key_ex(crypto->library, name, NULL, seed.data, seed.len);
    bool ok = pkey && EVP_PKEY_get_raw_public_key(pkey, raw, &len) > 0;
    EVP_PKEY_free(pkey);
    if (!ok)
        return ly_crypto_failed(error, "derive the public key of %s", name);
    ly_buf_add(public_value, ly_bytes(raw, len));
    return true;
}

static bool derive_point(LyCrypto *crypto, LyCurve curve, LyBytes scalar, LyBuf *public_value, LyError *error)
{
    static const int numbers[LY_CURVE_COUNT] = {NID_X9_62_prime256v1, NID_secp384r1, NID_secp521r1};
    uint8_t raw[1 + 2 * 66];
    size_t len = 0;
    EC_GROUP *group = EC_GROUP_new_by_curve_name_ex(crypto->library, NULL, numbers[curve]);
    EC_POINT *point = group ? EC_POINT_new(group) : NULL;
    BIGNUM *number = scalar.len <= 66 ? BN_bin2bn(scalar.data, (int)scalar.len, BN_secure_new()) : NULL;
    bool in_range = group && number && !BN_is_zero(number) && BN_cmp(number, EC_GROUP_get0_order(group)) < 0;
    if (number)
        BN_set_flags(number, BN_FLG_CONSTTIME);
    if (in_range && point && EC_POINT_mul(group, point, number, NULL, NULL, NULL))
        len = EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, raw, sizeof raw, NULL);
    BN_clear_free(number);
    EC_POINT_free(point);
    EC_GROUP_free(group);
    if (!in_range)
        return ly_error_set(error, LY_ERROR_INVALID, "the private number of the ECDSA key is out of range");
    if (len == 0)
        return ly_crypto_failed(error, "derive the point of an ECDSA key");
    ly_buf_add(public_value, ly_bytes(raw, len));
    return true;
}

static bool derive_dsa(LyCrypto *crypto, const LyDsaNumbers *dsa, LyBytes x, LyBuf *public_value,
                       LyError *error)
{
    if (x.len == 0 || x.len > 32 || dsa->p.len < 128 || dsa->p.len > 384 || dsa->g.len > dsa->p.len ||
        !(dsa->p.data[dsa->p.len - 1] & 1))
        return ly_error_set(error, LY_ERROR_INVALID, "the DSA numbers are out of range");
    uint8_t raw[384];
    BN_CTX *context = BN_CTX_secure_new_ex(crypto->library);
    BIGNUM *p = BN_bin2bn(dsa->p.data, (int)dsa->p.len, NULL),
           *g = BN_bin2bn(dsa->g.data, (int)dsa->g.len, NULL);
    BIGNUM *exponent = BN_bin2bn(x.data, (int)x.len, BN_secure_new()), *y = BN_new();
    if (exponent)
        BN_set_flags(exponent, BN_FLG_CONSTTIME);
    int len = -1;
    if (context && p && g && exponent && y && BN_mod_exp(y, g, exponent, p, context))
        len = BN_bn2binpad(y, raw, (int)dsa->p.len);
    BN_clear_free(exponent);
    BN_free(p);
    BN_free(g);
    BN_free(y);
    BN_CTX_free(context);
    if (len < 0)
        return ly_crypto_failed(error, "derive the public number of a DSA key");
    ly_buf_add(public_value, ly_bytes(raw, (size_t)len));
    return true;
}

bool ly_pk_derive_public(LyCrypto *crypto, LyPkType type, LyCurve curve, const LyDsaNumbers *dsa,
                         LyBytes private_value, LyBuf *public_value, LyError *error)
{
    size_t seed_len = type == LY_PK_ED448 ? 57 : 32;
    switch (type) {
    case LY_PK_ECDSA:
        return derive_point(crypto, curve, private_value, public_value, error);
    case LY_PK_DSA:
        return derive_dsa(crypto, dsa, private_value, public_value, error);
    case LY_PK_ED25519:
    case LY_PK_ED448:
        if (private_value.len != seed_len)
            return ly_error_set(error, LY_ERROR_INVALID, "the seed has %zu bytes instead of %zu",
                                private_value.len, seed_len);
        return derive_raw(crypto, type == LY_PK_ED448 ? "ED448" : "ED25519", private_value, public_value,
                          error);
    case LY_PK_RSA:
        break;
    }
    return ly_error_set(error, LY_ERROR_INVALID, "an RSA key's modulus does not follow from its exponent");
}

/* d mod (prime - 1) */
static bool add_exponent(LyCrypto *crypto, LyBytes d, LyBytes prime, LyBuf *exponent)
{
    BN_CTX *context = BN_CTX_secure_new_ex(crypto->library);
    BIGNUM *number = BN_bin2bn(d.data, (int)d.len, BN_secure_new()),
           *modulus = BN_bin2bn(prime.data, (int)prime.len, BN_secure_new()), *rest = BN_secure_new();
    bool ok = context && number && modulus && rest && BN_sub_word(modulus, 1);
    if (ok) {
        BN_set_flags(number, BN_FLG_CONSTTIME);
        BN_set_flags(modulus, BN_FLG_CONSTTIME);
        ok = BN_mod(rest, number, modulus, context);
    }
    if (ok) {
        size_t len = (size_t)BN_num_bytes(rest);
        uint8_t *bytes = ly_secret_alloc(len + 1);
        BN_bn2bin(rest, bytes);
        ly_buf_add(exponent, ly_bytes(bytes, len));
        ly_secret_free(bytes);
    }
    BN_clear_free(number);
    BN_clear_free(modulus);
    BN_clear_free(rest);
    BN_CTX_free(context);
    return ok;
}

bool ly_pk_rsa_exponents(LyCrypto *crypto, const LyRsaNumbers *numbers, LyBuf *dp, LyBuf *dq, LyError *error)
{
    const LyBytes *all[] = {&numbers->d, &numbers->p, &numbers->q};
    for (size_t i = 0; i < LY_COUNT(all); i++) {
        bool too_small = all[i]->len == 0 || (i && all[i]->len == 1 && all[i]->data[0] < 3);
        if (too_small || all[i]->len > 16384 / 8)
            return ly_error_set(error, LY_ERROR_INVALID, "the RSA numbers are out of range");
    }
    size_t dp_len = dp->len, dq_len = dq->len;
    if (add_exponent(crypto, numbers->d, numbers->p, dp) && add_exponent(crypto, numbers->d, numbers->q, dq))
        return true;
    dp->len = dp_len;
    dq->len = dq_len;
    return ly_crypto_failed(error, "compute the exponents of an RSA key");
}
