#include "provider-words.h"

#include "base/auto.h"

enum { COMMENT_MAX = 200 /* bytes */ };

/* ---- requests ---- */

void provider_put_list(LyBuf *request)
{
    ly_put_u8(request, PROVIDER_LIST);
}

/* The private fields (ly_key_new_private's) end: application, flags, handle, reserved. */
static void put_sk_sign(const LyKey *key, LyBytes data, LyBuf *request, bool *touches)
{
    LY_AUTO(ly_buf_free) LyBuf fields = {0};
    ly_key_put_private(key, &fields);
    LyReader reader = ly_reader(ly_buf_bytes(&fields));
    const LyKeyType *type = ly_key_type(key);
    /* Before them: type, and certificate or public key; ECDSA's curve, or Ed25519's public key once more. */
    for (int skip = 2 + ((type->pk == LY_PK_ECDSA) != ly_key_is_certificate(key)); skip > 0; skip--)
        ly_get_string(&reader);
    ly_put_u8(request, PROVIDER_SK_SIGN);
    ly_put_cstring(request, type->name);
    ly_put_string(request, ly_get_string(&reader));
    uint8_t flags = ly_get_u8(&reader);
    *touches = flags & PROVIDER_SK_TOUCH;
    ly_put_u8(request, flags);
    ly_put_string(request, ly_get_string(&reader));
    ly_put_string(request, data);
}

void provider_put_sign(const LyAgentEvent *event, LyBuf *request, bool *touches)
{
    *touches = false;
    if (ly_key_type(event->key)->sk) {
        put_sk_sign(event->key, event->data, request, touches);
        return;
    }
    ly_put_u8(request, PROVIDER_SIGN);
    ly_put_string(request, ly_key_plain_blob(event->key));
    ly_put_string(request, event->algorithm);
    ly_put_string(request, event->data);
}

/* ---- replies ---- */

/* NULL: no key that a token may have. */
static LyKey *get_key(LyCrypto *crypto, LyReader *reader, const char *path)
{
    LyBytes blob = ly_get_string(reader), comment = ly_get_string(reader);
    LyKey *key = ly_key_new_public(crypto, blob, NULL);
    if (!key || ly_key_is_certificate(key) || ly_key_type(key)->sk) {
        ly_key_unref(key);
        return NULL;
    }
    if (comment.len == 0)
        comment = ly_bytes_str(path);
    LyKey *commented = ly_key_new_commented(key, ly_bytes_slice(comment, 0, COMMENT_MAX));
    ly_key_unref(key);
    return commented;
}

bool provider_get_keys(LyCrypto *crypto, LyReader *reader, const char *path, LyKey *keys[PROVIDER_KEYS_MAX],
                       size_t *count)
{
    size_t got = 0;
    for (uint32_t left = ly_get_u32(reader); left && !reader->failed && got < PROVIDER_KEYS_MAX; left--)
        if ((keys[got] = get_key(crypto, reader, path)))
            got++;
    bool good = ly_reader_done(reader);
    while (!good && got)
        ly_key_unref(keys[--got]);
    *count = got;
    return good;
}

bool provider_get_signature(LyCrypto *crypto, LyReader *reader, const LyKey *key, LyBytes algorithm,
                            LyBytes data, LyBytes *signature, LyError *error)
{
    LyBytes bytes = ly_get_string(reader);
    if (!ly_reader_done(reader))
        return ly_error_set(error, LY_ERROR_INVALID, "the reply is malformed");
    LyKey *plain = ly_key_new_public(crypto, ly_key_plain_blob(key), error);
    bool good = plain && ly_key_verify(plain, algorithm, data, bytes, NULL, error);
    ly_key_unref(plain);
    if (good)
        *signature = bytes;
    return good;
}
