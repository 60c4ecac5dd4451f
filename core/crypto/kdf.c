#include "crypto/kdf.h"

#include <argon2.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "base/memory.h"
#include "crypto/crypto-private.h"

bool ly_pem_kdf(LyCrypto *crypto, LyBytes passphrase, LyBytes salt, uint8_t *out, size_t out_len,
                LyError *error)
{
    uint8_t digest[LY_HASH_MAX];
    size_t len = 0; /* none before the first */
    bool ok = true;
    while (ok && out_len) {
        ok = ly_hash(crypto, LY_MD5, (LyBytes[]){{digest, len}, passphrase, salt}, 3, digest);
        if (!ok)
            break;
        len = ly_hash_len(LY_MD5);
        size_t take = LY_MIN(len, out_len);
        memcpy(out, digest, take);
        out += take;
        out_len -= take;
    }
    ly_cleanse(digest, sizeof digest);
    return ok || ly_error_set(error, LY_ERROR_CRYPTO, "libcrypto cannot compute MD5");
}

static OSSL_PARAM octets(const char *name, LyBytes bytes)
{
    /* libcrypto takes NULL for "not given"; an empty passphrase is given. */
    return OSSL_PARAM_construct_octet_string(name, bytes.len ? (uint8_t *)bytes.data : (uint8_t *)"",
                                             bytes.len);
}

static bool derive(LyCrypto *crypto, const char *name, const OSSL_PARAM *params, uint8_t *out, size_t out_len,
                   LyError *error)
{
    EVP_KDF *kdf = EVP_KDF_fetch(crypto->library, name, NULL);
    EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    bool ok = context && EVP_KDF_derive(context, out, out_len, params) > 0;
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return ok || ly_crypto_failed(error, "derive a key with %s", name);
}

bool ly_pbkdf2(LyCrypto *crypto, LyHash hash, LyBytes passphrase, LyBytes salt, uint32_t iterations,
               uint8_t *out, size_t out_len, LyError *error)
{
    if (iterations == 0 || out_len == 0)
        return ly_error_set(error, LY_ERROR_INVALID,
                            "PBKDF2 needs at least one iteration and one byte of output");
    unsigned count = iterations;
    int unchecked = 1; /* old files have salts and counts below what libcrypto would ask of new ones */
    OSSL_PARAM params[] = {
        octets(OSSL_KDF_PARAM_PASSWORD, passphrase),
        octets(OSSL_KDF_PARAM_SALT, salt),
        OSSL_PARAM_construct_uint(OSSL_KDF_PARAM_ITER, &count),
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_PKCS5, &unchecked),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)ly_hash_name(hash), 0),
        OSSL_PARAM_construct_end(),
    };
    return derive(crypto, "PBKDF2", params, out, out_len, error);
}

bool ly_scrypt(LyCrypto *crypto, LyBytes passphrase, LyBytes salt, uint64_t n, uint32_t r, uint32_t p,
               uint64_t max_memory, uint8_t *out, size_t out_len, LyError *error)
{
    /* RFC 7914 section 2; with r = 1 the block numbers have 16 bits. */
    if (n < 2 || (n & (n - 1)) || r == 0 || p == 0 || (uint64_t)r * p >= 1u << 30 ||
        (r == 1 && n >= 1u << 16) || out_len == 0)
        return ly_error_set(error, LY_ERROR_INVALID, "scrypt cannot work with N=%llu r=%u p=%u",
                            (unsigned long long)n, r, p);
    /* 128 r (N + 2) for the table and its ends, 128 r p for the lanes: divided, because the product may
     * overflow. */
    uint64_t units = max_memory / 128 / r;
    if (n > units || units - n < (uint64_t)p + 2)
        return ly_error_set(error, LY_ERROR_LIMIT,
                            "scrypt with N=%llu r=%u p=%u wants more than %llu bytes of memory",
                            (unsigned long long)n, r, p, (unsigned long long)max_memory);
    OSSL_PARAM params[] = {
        octets(OSSL_KDF_PARAM_PASSWORD, passphrase),
        octets(OSSL_KDF_PARAM_SALT, salt),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &max_memory),
        OSSL_PARAM_construct_end(),
    };
    return derive(crypto, "SCRYPT", params, out, out_len, error);
}

/* libargon2 judges these too, but its messages name neither the number nor the bound. */
bool ly_argon2_check(const LyArgon2Costs *costs, LyError *error)
{
    if (costs->passes < ARGON2_MIN_TIME)
        return ly_error_set(error, LY_ERROR_INVALID, "Argon2 needs at least one pass");
    if (costs->lanes < ARGON2_MIN_LANES || costs->lanes > ARGON2_MAX_LANES)
        return ly_error_set(error, LY_ERROR_INVALID, "Argon2 has 1 to %u lanes, not %u",
                            (unsigned)ARGON2_MAX_LANES, costs->lanes);
    if (costs->memory_kib / 8 < costs->lanes)
        return ly_error_set(error, LY_ERROR_INVALID,
                            "Argon2 needs at least %u KiB of memory for %u lanes, not %u", costs->lanes * 8,
                            costs->lanes, costs->memory_kib);
    return true;
}

bool ly_argon2(LyArgon2 variant, LyBytes passphrase, LyBytes salt, LyBytes secret, LyBytes associated,
               const LyArgon2Costs *costs, uint8_t *out, size_t out_len, LyError *error)
{
    static const argon2_type types[] = {
        [LY_ARGON2D] = Argon2_d, [LY_ARGON2I] = Argon2_i, [LY_ARGON2ID] = Argon2_id};
    if (!ly_argon2_check(costs, error))
        return false;
    if (salt.len < ARGON2_MIN_SALT_LENGTH || salt.len > UINT32_MAX)
        return ly_error_set(error, LY_ERROR_INVALID, "the salt of Argon2 has %zu bytes and needs %u or more",
                            salt.len, (unsigned)ARGON2_MIN_SALT_LENGTH);
    if (out_len < ARGON2_MIN_OUTLEN || out_len > UINT32_MAX || passphrase.len > UINT32_MAX ||
        secret.len > UINT32_MAX || associated.len > UINT32_MAX)
        return ly_error_set(error, LY_ERROR_INVALID, "Argon2 cannot make %zu bytes out of %zu", out_len,
                            passphrase.len);
    /* The inputs are only read: the flags that would wipe them are not set. The library's own memory is
     * wiped, which is its default. */
    argon2_context context = {
        .out = out,
        .outlen = (uint32_t)out_len,
        .pwd = (uint8_t *)passphrase.data,
        .pwdlen = (uint32_t)passphrase.len,
        .salt = (uint8_t *)salt.data,
        .saltlen = (uint32_t)salt.len,
        .secret = (uint8_t *)secret.data,
        .secretlen = (uint32_t)secret.len,
        .ad = (uint8_t *)associated.data,
        .adlen = (uint32_t)associated.len,
        .t_cost = costs->passes,
        .m_cost = costs->memory_kib,
        .lanes = costs->lanes,
        .threads = 1,
        .version = ARGON2_VERSION_13,
        .flags = ARGON2_DEFAULT_FLAGS,
    };
    int result = argon2_ctx(&context, types[variant]);
    return result == ARGON2_OK ||
           ly_error_set(error, LY_ERROR_CRYPTO, "Argon2 with %u KiB of memory failed: %s", costs->memory_kib,
                        argon2_error_message(result));
}
