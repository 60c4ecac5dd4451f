#include <openssl/core_names.h>
#include <openssl/err.h>

#include "base/memory.h"
#include "base/secret.h"
#include "base/wire.h"
#include "crypto/pk-private.h"

static bool add_edwards(EVP_PKEY *key, LyBuf *fields)
{
    uint8_t public_key[57], seed[2 * 57];
    size_t public_len = sizeof public_key, seed_len = 57;
    bool ok = EVP_PKEY_get_raw_public_key(key, public_key, &public_len) == 1 &&
              EVP_PKEY_get_raw_private_key(key, seed, &seed_len) == 1 && seed_len == public_len;
    if (ok) {
        memcpy(seed + seed_len, public_key, public_len);
        ly_put_string(fields, ly_bytes(public_key, public_len));
        ly_put_string(fields, ly_bytes(seed, seed_len + public_len));
    }
    ly_cleanse(seed, sizeof seed);
    return ok;
}

static bool add_number(EVP_PKEY *key, const char *name, LyBuf *fields)
{
    BIGNUM *number = NULL;
    if (EVP_PKEY_get_bn_param(key, name, &number) != 1)
        return false;
    int len = BN_num_bytes(number);
    uint8_t *bytes = ly_secret_alloc((size_t)len + 1);
    BN_bn2bin(number, bytes);
    ly_put_mpint(fields, ly_bytes(bytes, (size_t)len));
    ly_secret_free(bytes);
    BN_clear_free(number);
    return true;
}

static bool add_ecdsa(EVP_PKEY *key, const LyCurveInfo *curve, LyBuf *fields)
{
    uint8_t point[1 + 2 * 66];
    size_t len;
    if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point, sizeof point, &len) !=
        1)
        return false;
    ly_put_cstring(fields, curve->ssh_name);
    ly_put_string(fields, ly_bytes(point, len));
    return add_number(key, OSSL_PKEY_PARAM_PRIV_KEY, fields);
}

static bool add_rsa(EVP_PKEY *key, LyBuf *fields)
{
    static const char *const names[] = {OSSL_PKEY_PARAM_RSA_N,       OSSL_PKEY_PARAM_RSA_E,
                                        OSSL_PKEY_PARAM_RSA_D,       OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
                                        OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2};
    for (size_t i = 0; i < LY_COUNT(names); i++)
        if (!add_number(key, names[i], fields))
            return false;
    return true;
}

static const LyCurveInfo *curve_of_bits(unsigned bits)
{
    for (size_t i = 0; i < LY_CURVE_COUNT; i++)
        if (ly_curves[i].bits == bits)
            return &ly_curves[i];
    return NULL;
}

bool ly_pk_generate(LyCrypto *crypto, LyPkType type, unsigned bits, LyBuf *fields, LyError *error)
{
    const LyCurveInfo *curve = curve_of_bits(bits);
    EVP_PKEY *key;
    if (type == LY_PK_DSA)
        return ly_error_set(error, LY_ERROR_UNSUPPORTED, "new DSA keys are not made: they are too weak");
    if (type == LY_PK_ECDSA && !curve)
        return ly_error_set(error, LY_ERROR_INVALID, "an ECDSA key has 256, 384 or 521 bits, not %u", bits);
    if (type == LY_PK_RSA && (bits < 1024 || bits > 16384))
        return ly_error_set(error, LY_ERROR_INVALID, "an RSA key has 1024 to 16384 bits, not %u", bits);
    if (type == LY_PK_RSA)
        key = EVP_PKEY_Q_keygen(crypto->library, NULL, "RSA", (size_t)bits);
    else if (type == LY_PK_ECDSA)
        key = EVP_PKEY_Q_keygen(crypto->library, NULL, "EC", curve->name);
    else
        key = EVP_PKEY_Q_keygen(crypto->library, NULL, ly_pk_edwards_name(type));
    size_t len_before = fields->len;
    bool ok = key && (type == LY_PK_RSA     ? add_rsa(key, fields)
                      : type == LY_PK_ECDSA ? add_ecdsa(key, curve, fields)
                                            : add_edwards(key, fields));
    EVP_PKEY_free(key);
    if (!ok)
        fields->len = len_before;
    return ok || ly_crypto_failed(error, "make a key");
}
