#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include "base/memory.h"
#include "base/secret.h"
#include "base/wire.h"
#include "crypto/kex-private.h"
#include "crypto/sntrup761.h"

/* Hybrids: a post-quantum key encapsulation and X25519 side by side (draft-ietf-sshm-ntruprime-ssh,
 * -mlkem-hybrid-kex). The client sends its encapsulation key and point, the server a ciphertext and its
 * point; K is the hash of both shared secrets, and whoever breaks only one of the two learns nothing. */
enum { SHARED_LEN = 32, PUBLIC_MAX = 1184, CIPHERTEXT_MAX = 1088 };

typedef struct Kem {
    size_t public_len, ciphertext_len; /* bytes */
    bool (*generate)(LyKex *kex, uint8_t *public_key, LyError *error);
    bool (*encapsulate)(LyKex *kex, LyBytes public_key, uint8_t *ciphertext, uint8_t shared[SHARED_LEN],
                        LyError *error);
    bool (*decapsulate)(LyKex *kex, LyBytes ciphertext, uint8_t shared[SHARED_LEN], LyError *error);
} Kem;

/* ---- sntrup761 ---- */

static const LyRandom own_random = {0};

static bool sntrup761_generate(LyKex *kex, uint8_t *public_key, LyError *error)
{
    if (!kex->sntrup761)
        kex->sntrup761 = ly_secret_alloc(LY_SNTRUP761_PRIVATE);
    return ly_sntrup761_generate(kex->crypto, &own_random, public_key, kex->sntrup761) ||
           ly_crypto_failed(error, "hash for sntrup761");
}

static bool sntrup761_encapsulate(LyKex *kex, LyBytes public_key, uint8_t *ciphertext,
                                  uint8_t shared[SHARED_LEN], LyError *error)
{
    return ly_sntrup761_encapsulate(kex->crypto, &own_random, public_key.data, ciphertext, shared) ||
           ly_crypto_failed(error, "hash for sntrup761");
}

static bool sntrup761_decapsulate(LyKex *kex, LyBytes ciphertext, uint8_t shared[SHARED_LEN], LyError *error)
{
    return ly_sntrup761_decapsulate(kex->crypto, kex->sntrup761, ciphertext.data, shared) ||
           ly_crypto_failed(error, "hash for sntrup761");
}

/* ---- ML-KEM-768, which OpenSSL has since 3.5; these calls are in 3.0 ---- */

static bool mlkem_generate(LyKex *kex, uint8_t *public_key, LyError *error)
{
    size_t len = 0;
    EVP_PKEY_free(kex->mlkem);
    kex->mlkem = EVP_PKEY_Q_keygen(kex->crypto->library, NULL, "ML-KEM-768");
    if (!kex->mlkem ||
        EVP_PKEY_get_octet_string_param(kex->mlkem, OSSL_PKEY_PARAM_PUB_KEY, public_key, PUBLIC_MAX, &len) !=
            1 ||
        len != PUBLIC_MAX)
        return ly_crypto_failed(error, "make an ML-KEM-768 key");
    return true;
}

static bool mlkem_encapsulate(LyKex *kex, LyBytes public_key, uint8_t *ciphertext, uint8_t shared[SHARED_LEN],
                              LyError *error)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (uint8_t *)public_key.data,
                                          public_key.len),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY *peer = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(kex->crypto->library, "ML-KEM-768", NULL);
    bool decoded = context && EVP_PKEY_fromdata_init(context) > 0 &&
                   EVP_PKEY_fromdata(context, &peer, EVP_PKEY_PUBLIC_KEY, params) > 0;
    EVP_PKEY_CTX_free(context);
    if (!decoded) {
        ERR_clear_error();
        return ly_error_set(error, LY_ERROR_PROTOCOL, "%s: the peer's ML-KEM key is malformed",
                            kex->info->name);
    }
    size_t ciphertext_len = CIPHERTEXT_MAX, shared_len = SHARED_LEN;
    context = EVP_PKEY_CTX_new_from_pkey(kex->crypto->library, peer, NULL);
    bool ok = context && EVP_PKEY_encapsulate_init(context, NULL) > 0 &&
              EVP_PKEY_encapsulate(context, ciphertext, &ciphertext_len, shared, &shared_len) > 0;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(peer);
    return ok || ly_crypto_failed(error, "encapsulate with ML-KEM-768");
}

static bool mlkem_decapsulate(LyKex *kex, LyBytes ciphertext, uint8_t shared[SHARED_LEN], LyError *error)
{
    size_t shared_len = SHARED_LEN;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(kex->crypto->library, kex->mlkem, NULL);
    bool ok = context && EVP_PKEY_decapsulate_init(context, NULL) > 0 &&
              EVP_PKEY_decapsulate(context, shared, &shared_len, ciphertext.data, ciphertext.len) > 0;
    EVP_PKEY_CTX_free(context);
    return ok || ly_crypto_failed(error, "decapsulate with ML-KEM-768");
}

static const Kem sntrup761 = {LY_SNTRUP761_PUBLIC, LY_SNTRUP761_CIPHERTEXT, sntrup761_generate,
                              sntrup761_encapsulate, sntrup761_decapsulate};
static const Kem mlkem768 = {PUBLIC_MAX, CIPHERTEXT_MAX, mlkem_generate, mlkem_encapsulate,
                             mlkem_decapsulate};

/* ---- both together ---- */

static const Kem *kem_of(const LyKex *kex)
{
    return kex->info->kind == LY_KEX_MLKEM768X25519 ? &mlkem768 : &sntrup761;
}

/* The peer's value is a post-quantum part of `len` bytes and a point. */
static bool split_value(LyKex *kex, LyBytes value, size_t len, LyBytes *quantum, LyBytes *point,
                        LyError *error)
{
    if (value.len != len + LY_X25519_LEN)
        return ly_error_set(error, LY_ERROR_PROTOCOL,
                            "%s: the peer's public value has %zu bytes instead of %zu", kex->info->name,
                            value.len, len + LY_X25519_LEN);
    *quantum = ly_bytes_slice(value, 0, len);
    *point = ly_bytes_slice(value, len, LY_X25519_LEN);
    return true;
}

/* Appends K = string(HASH(both shared secrets, one after the other)) and cleanses them. */
static bool put_secret(LyKex *kex, uint8_t shared[SHARED_LEN + LY_X25519_LEN], LyBuf *secret, LyError *error)
{
    uint8_t digest[LY_HASH_MAX];
    LyBytes both = {shared, SHARED_LEN + LY_X25519_LEN};
    bool ok = ly_hash(kex->crypto, kex->info->hash, &both, 1, digest);
    if (ok)
        ly_put_string(secret, ly_bytes(digest, ly_hash_len(kex->info->hash)));
    ly_cleanse(shared, both.len);
    ly_cleanse(digest, sizeof digest);
    return ok || ly_crypto_failed(error, "hash the shared secrets");
}

static bool hybrid_init(LyKex *kex, LyBuf *public_value, LyError *error)
{
    const Kem *kem = kem_of(kex);
    uint8_t ours[PUBLIC_MAX + LY_X25519_LEN];
    if (!kem->generate(kex, ours, error) || !ly_kex_x25519_generate(kex, ours + kem->public_len, error))
        return false;
    ly_buf_add(public_value, ly_bytes(ours, kem->public_len + LY_X25519_LEN));
    return true;
}

static bool hybrid_respond(LyKex *kex, LyBytes client_value, LyBuf *public_value, LyBuf *secret,
                           LyError *error)
{
    const Kem *kem = kem_of(kex);
    LyBytes quantum, point;
    uint8_t ours[CIPHERTEXT_MAX + LY_X25519_LEN], shared[SHARED_LEN + LY_X25519_LEN];
    if (!split_value(kex, client_value, kem->public_len, &quantum, &point, error) ||
        !ly_kex_x25519_generate(kex, ours + kem->ciphertext_len, error) ||
        !ly_kex_x25519_derive(kex, point, shared + SHARED_LEN, error) ||
        !kem->encapsulate(kex, quantum, ours, shared, error) || !put_secret(kex, shared, secret, error)) {
        ly_cleanse(shared, sizeof shared);
        return false;
    }
    ly_buf_add(public_value, ly_bytes(ours, kem->ciphertext_len + LY_X25519_LEN));
    return true;
}

static bool hybrid_finish(LyKex *kex, LyBytes server_value, LyBuf *secret, LyError *error)
{
    const Kem *kem = kem_of(kex);
    LyBytes quantum, point;
    uint8_t shared[SHARED_LEN + LY_X25519_LEN];
    if (!split_value(kex, server_value, kem->ciphertext_len, &quantum, &point, error) ||
        !ly_kex_x25519_derive(kex, point, shared + SHARED_LEN, error) ||
        !kem->decapsulate(kex, quantum, shared, error) || !put_secret(kex, shared, secret, error)) {
        ly_cleanse(shared, sizeof shared);
        return false;
    }
    return true;
}

const LyKexMethod ly_kex_hybrid = {hybrid_init, hybrid_respond, hybrid_finish};
