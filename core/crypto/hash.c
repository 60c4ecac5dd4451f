#include "crypto/hash.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include "base/memory.h"
#include "crypto/crypto-private.h"

static const struct {
    const char *name;
    uint8_t len;
} hashes[LY_HASH_COUNT] = {
    [LY_MD5] = {"md5", 16},       [LY_SHA1] = {"sha1", 20},     [LY_SHA256] = {"sha256", 32},
    [LY_SHA384] = {"sha384", 48}, [LY_SHA512] = {"sha512", 64},
};

size_t ly_hash_len(LyHash hash)
{
    return hashes[hash].len;
}

const char *ly_hash_name(LyHash hash)
{
    return hashes[hash].name;
}

bool ly_hash(LyCrypto *crypto, LyHash hash, const LyBytes *parts, size_t count, uint8_t *digest)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context && EVP_DigestInit_ex2(context, crypto->digest[hash], NULL);
    for (size_t i = 0; ok && i < count; i++)
        ok = parts[i].len == 0 || EVP_DigestUpdate(context, parts[i].data, parts[i].len);
    ok = ok && EVP_DigestFinal_ex(context, digest, NULL);
    EVP_MD_CTX_free(context);
    if (!ok)
        ERR_clear_error();
    return ok;
}

bool ly_hmac(LyCrypto *crypto, LyHash hash, LyBytes key, const LyBytes *parts, size_t count, uint8_t *mac)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)ly_hash_name(hash), 0),
        OSSL_PARAM_construct_end(),
    };
    /* A NULL key would mean "the key from before": an empty one needs an address. */
    const uint8_t *key_data = key.len ? key.data : (const uint8_t *)"";
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(crypto->hmac);
    size_t len;
    bool ok = context && EVP_MAC_init(context, key_data, key.len, params);
    for (size_t i = 0; ok && i < count; i++)
        ok = parts[i].len == 0 || EVP_MAC_update(context, parts[i].data, parts[i].len);
    ok = ok && EVP_MAC_final(context, mac, &len, ly_hash_len(hash));
    EVP_MAC_CTX_free(context);
    if (!ok)
        ERR_clear_error();
    return ok;
}

struct LyHasher {
    EVP_MD_CTX *context;
    bool failed;
};

LyHasher *ly_hasher_new(LyCrypto *crypto, LyHash hash)
{
    LyHasher *hasher = ly_new(LyHasher);
    hasher->context = EVP_MD_CTX_new();
    if (hasher->context && EVP_DigestInit_ex2(hasher->context, crypto->digest[hash], NULL))
        return hasher;
    ERR_clear_error();
    ly_hasher_free(hasher);
    return NULL;
}

void ly_hasher_update(LyHasher *hasher, LyBytes bytes)
{
    if (!hasher->failed && bytes.len)
        hasher->failed = !EVP_DigestUpdate(hasher->context, bytes.data, bytes.len);
}

bool ly_hasher_finish(LyHasher *hasher, uint8_t *digest)
{
    bool ok = !hasher->failed && EVP_DigestFinal_ex(hasher->context, digest, NULL);
    hasher->failed = true; /* nothing may follow */
    if (!ok)
        ERR_clear_error();
    return ok;
}

void ly_hasher_free(LyHasher *hasher)
{
    if (!hasher)
        return;
    EVP_MD_CTX_free(hasher->context);
    ly_free(hasher);
}
