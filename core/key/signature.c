/* Signature blobs (RFC 4253 6.6, RFC 8332, RFC 5656 3.1.2, PROTOCOL.u2f). */
#include "key/key-private.h"

#include "base/auto.h"
#include "base/memory.h"
#include "base/names.h"

bool ly_key_sign(LyKey *key, LyBytes algorithm, LyBytes message, LyBuf *signature, LyError *error)
{
    const LySignatureAlgorithm *info =
        algorithm.len ? ly_signature_algorithm_find(algorithm) : ly_signature_algorithm_best(key->type_name);
    if (!info)
        return ly_error_set(error, LY_ERROR_UNSUPPORTED, "the signature algorithm \"%s\" is not known",
                            LY_PRINTABLE(algorithm));
    if (ly_key_type_find(ly_bytes_str(info->key_type), NULL) != key->type)
        return ly_error_set(error, LY_ERROR_INVALID, "a %s key does not sign as %s", key->type->name,
                            info->name);
    if (key->type->sk)
        return ly_error_set(error, LY_ERROR_UNSUPPORTED,
                            "a %s key signs in its security key only: use an agent that reaches it",
                            key->type->name);
    if (!ly_key_check(key, error))
        return false;
    LY_AUTO(ly_buf_free) LyBuf raw = {0};
    LyPk *pk = ly_key_take_pk(key, error);
    bool good = pk && ly_pk_sign(pk, info->hash, message, &raw, error);
    ly_pk_unref(pk);
    if (!good)
        return false;
    ly_put_cstring(signature, info->signature);
    ly_put_string(signature, ly_buf_bytes(&raw));
    return true;
}

/* The algorithm that the signature names, if a key of this type may be asked for it under one of the allowed
 * names. */
static const LySignatureAlgorithm *find_allowed(const LyKey *key, LyBytes allowed, LyBytes name)
{
    LY_AUTO(ly_buf_free) LyBuf standard = {0};
    LyBytes each;
    if (allowed.len == 0) {
        ly_user_key_algorithm_names(true, &standard);
        allowed = ly_buf_bytes(&standard);
    }
    while (ly_names_next(&allowed, &each)) {
        const LySignatureAlgorithm *info = ly_signature_algorithm_find(each);
        if (info && strcmp(info->key_type, key->type_name) == 0 && ly_bytes_is(name, info->signature))
            return info;
    }
    return NULL;
}

/* A security key signs the digests of its application and of the message, with flags and counter between. */
static bool verify_sk(const LyKey *key, const LyPk *pk, LyBytes message, LyBytes raw, LyBytes tail,
                      LyError *error)
{
    LyKeyNumbers numbers = {.type = key->type};
    LyReader plain = ly_reader(key->plain);
    ly_get_string(&plain);
    ly_key_get_public_fields(&plain, &numbers);
    uint8_t signed_bytes[32 + 5 + 32];
    memcpy(signed_bytes + 32, tail.data, 5);
    if (!ly_hash(key->crypto, LY_SHA256, &numbers.application, 1, signed_bytes) ||
        !ly_hash(key->crypto, LY_SHA256, &message, 1, signed_bytes + 37))
        return ly_error_set(error, LY_ERROR_CRYPTO, "libcrypto cannot compute SHA-256");
    return ly_pk_verify(pk, LY_SHA256, ly_bytes(signed_bytes, sizeof signed_bytes), raw, error);
}

bool ly_key_verify(LyKey *key, LyBytes allowed, LyBytes message, LyBytes signature, uint8_t *sk_flags,
                   LyError *error)
{
    LyReader reader = ly_reader(signature);
    LyBytes name = ly_get_string(&reader), raw = ly_get_string(&reader);
    LyBytes sk_tail = key->type->sk ? ly_get_bytes(&reader, 1 + 4) : (LyBytes){0};
    if (!ly_reader_done(&reader))
        return ly_error_set(error, LY_ERROR_INVALID, "the signature is malformed: %s",
                            reader.failed ? "it is cut short" : "bytes follow it");
    const LySignatureAlgorithm *info = find_allowed(key, allowed, name);
    if (!info)
        return ly_error_set(error, LY_ERROR_VERIFY,
                            "the signature algorithm \"%s\" is not allowed for this %s key",
                            LY_PRINTABLE(name), key->type_name);
    LyPk *pk = ly_key_take_pk(key, error);
    bool good = pk && (key->type->sk ? verify_sk(key, pk, message, raw, sk_tail, error)
                                     : ly_pk_verify(pk, info->hash, message, raw, error));
    ly_pk_unref(pk);
    if (good && key->type->sk && sk_flags)
        *sk_flags = sk_tail.data[0];
    return good;
}
