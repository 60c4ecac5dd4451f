#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include "base/memory.h"
#include "base/wire.h"
#include "crypto/kex-private.h"

enum { FIELD_MAX = 66 }; /* bytes of a coordinate on P-521 */

/* The shared secret of kex->key and `peer`, which is freed; NULL is a peer that libcrypto refused. */
static bool derive(LyKex *kex, EVP_PKEY *peer, uint8_t *shared, size_t len, LyError *error)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(kex->crypto->library, kex->key, NULL);
    /* 0: the point was checked when it was decoded, and these curves have no small subgroups. X25519 refuses
     * an all-zero result itself. */
    size_t derived_len = len;
    bool ok = peer && context && EVP_PKEY_derive_init(context) > 0 &&
              EVP_PKEY_derive_set_peer_ex(context, peer, 0) > 0 &&
              EVP_PKEY_derive(context, shared, &derived_len) > 0 && derived_len == len;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(peer);
    ERR_clear_error();
    if (ok)
        return true;
    ly_cleanse(shared, len);
    return ly_error_set(error, LY_ERROR_PROTOCOL, "%s: the peer's public value is not a good point",
                        kex->info->name);
}

/* ---- X25519: RFC 8731 ---- */

bool ly_kex_x25519_generate(LyKex *kex, uint8_t public_value[LY_X25519_LEN], LyError *error)
{
    size_t len = LY_X25519_LEN;
    EVP_PKEY_free(kex->key);
    kex->key = EVP_PKEY_Q_keygen(kex->crypto->library, NULL, "X25519");
    if (!kex->key || EVP_PKEY_get_raw_public_key(kex->key, public_value, &len) != 1 || len != LY_X25519_LEN)
        return ly_crypto_failed(error, "make an X25519 key");
    return true;
}

bool ly_kex_x25519_derive(LyKex *kex, LyBytes value, uint8_t shared[LY_X25519_LEN], LyError *error)
{
    if (value.len != LY_X25519_LEN)
        return ly_error_set(error, LY_ERROR_PROTOCOL,
                            "%s: the peer's public value has %zu bytes instead of %d", kex->info->name,
                            value.len, LY_X25519_LEN);
    EVP_PKEY *peer =
        EVP_PKEY_new_raw_public_key_ex(kex->crypto->library, "X25519", NULL, value.data, value.len);
    return derive(kex, peer, shared, LY_X25519_LEN, error);
}

static bool x25519_init(LyKex *kex, LyBuf *public_value, LyError *error)
{
    uint8_t ours[LY_X25519_LEN];
    if (!ly_kex_x25519_generate(kex, ours, error))
        return false;
    ly_buf_add(public_value, ly_bytes(ours, sizeof ours));
    return true;
}

static bool x25519_finish(LyKex *kex, LyBytes server_value, LyBuf *secret, LyError *error)
{
    uint8_t shared[LY_X25519_LEN];
    if (!ly_kex_x25519_derive(kex, server_value, shared, error))
        return false;
    ly_put_mpint(secret, ly_bytes(shared, sizeof shared));
    ly_cleanse(shared, sizeof shared);
    return true;
}

static bool x25519_respond(LyKex *kex, LyBytes client_value, LyBuf *public_value, LyBuf *secret,
                           LyError *error)
{
    uint8_t ours[LY_X25519_LEN];
    if (!ly_kex_x25519_generate(kex, ours, error) || !x25519_finish(kex, client_value, secret, error))
        return false;
    ly_buf_add(public_value, ly_bytes(ours, sizeof ours));
    return true;
}

const LyKexMethod ly_kex_x25519 = {x25519_init, x25519_respond, x25519_finish};

/* ---- the NIST curves: RFC 5656 section 4 ---- */

static size_t field_len(const LyKex *kex)
{
    return kex->info->hash == LY_SHA256 ? 32 : kex->info->hash == LY_SHA384 ? 48 : FIELD_MAX;
}

static bool generate(LyKex *kex, uint8_t point[1 + 2 * FIELD_MAX], LyError *error)
{
    size_t len = 0;
    EVP_PKEY_free(kex->key);
    kex->key = EVP_PKEY_Q_keygen(kex->crypto->library, NULL, "EC", kex->info->group);
    if (!kex->key ||
        EVP_PKEY_get_octet_string_param(kex->key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point,
                                        1 + 2 * FIELD_MAX, &len) != 1 ||
        len != 1 + 2 * field_len(kex))
        return ly_crypto_failed(error, "make a key on %s", kex->info->group);
    return true;
}

/* Decoding checks that the coordinates are below p and the point lies on the curve; NULL if not. */
static EVP_PKEY *decode_point(LyKex *kex, LyBytes point)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)kex->info->group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (uint8_t *)point.data, point.len),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY *peer = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(kex->crypto->library, "EC", NULL);
    if (!context || EVP_PKEY_fromdata_init(context) <= 0 ||
        EVP_PKEY_fromdata(context, &peer, EVP_PKEY_PUBLIC_KEY, params) <= 0)
        peer = NULL;
    EVP_PKEY_CTX_free(context);
    return peer;
}

static bool ecdh_init(LyKex *kex, LyBuf *public_value, LyError *error)
{
    uint8_t point[1 + 2 * FIELD_MAX];
    if (!generate(kex, point, error))
        return false;
    ly_buf_add(public_value, ly_bytes(point, 1 + 2 * field_len(kex)));
    return true;
}

static bool ecdh_finish(LyKex *kex, LyBytes server_value, LyBuf *secret, LyError *error)
{
    size_t len = field_len(kex);
    if (server_value.len != 1 + 2 * len || server_value.data[0] != 4)
        return ly_error_set(error, LY_ERROR_PROTOCOL,
                            "%s: the peer's public value is not an uncompressed point of %zu bytes",
                            kex->info->name, 1 + 2 * len);
    uint8_t shared[FIELD_MAX];
    if (!derive(kex, decode_point(kex, server_value), shared, len, error))
        return false;
    ly_put_mpint(secret, ly_bytes(shared, len));
    ly_cleanse(shared, sizeof shared);
    return true;
}

static bool ecdh_respond(LyKex *kex, LyBytes client_value, LyBuf *public_value, LyBuf *secret, LyError *error)
{
    uint8_t point[1 + 2 * FIELD_MAX];
    if (!generate(kex, point, error) || !ecdh_finish(kex, client_value, secret, error))
        return false;
    ly_buf_add(public_value, ly_bytes(point, 1 + 2 * field_len(kex)));
    return true;
}

const LyKexMethod ly_kex_ecdh = {ecdh_init, ecdh_respond, ecdh_finish};
