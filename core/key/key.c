#include "key/key-private.h"

#include "base/auto.h"
#include "base/memory.h"
#include "base/secret.h"
#include "key/certificate.h"

/* Far above any real one (RSA of 16384 bits in a certificate with 256 principals), far below what hurts. */
#define BLOB_LIMIT ((size_t)256 << 10)
#define COMMENT_LIMIT ((size_t)64 << 10)

static LyBytes copy_bytes(LyBytes bytes)
{
    if (bytes.len == 0)
        return (LyBytes){0};
    uint8_t *copy = ly_alloc(bytes.len);
    memcpy(copy, bytes.data, bytes.len);
    return ly_bytes(copy, bytes.len);
}

/* All views are copied; `plain` equal to `blob` is not copied twice. */
static LyKey *new_key(LyCrypto *crypto, const LyKeyNumbers *numbers, bool is_certificate, LyBytes blob,
                      LyBytes plain, LyBytes secret, LyBytes comment)
{
    LyKey *key = ly_new(LyKey);
    atomic_init(&key->count, 1);
    pthread_mutex_init(&key->lock, NULL);
    key->crypto = ly_crypto_ref(crypto);
    key->type = numbers->type;
    key->is_certificate = is_certificate;
    key->type_name = is_certificate ? key->type->certificate : key->type->name;
    key->bits = ly_key_numbers_bits(numbers);
    key->blob = copy_bytes(blob);
    key->plain = ly_bytes_equal(plain, blob) ? key->blob : copy_bytes(plain);
    key->comment = copy_bytes(ly_bytes_slice(comment, 0, COMMENT_LIMIT));
    if (secret.len)
        key->secret = ly_secret_copy(secret);
    return key;
}

static void put_plain_blob(const LyKeyNumbers *numbers, LyBuf *out)
{
    ly_put_cstring(out, numbers->type->name);
    ly_key_put_public_fields(numbers, out);
}

/* Reads any public blob: the numbers view it; `plain` receives the plain key's blob with minimal mpints, so
 * that keys of writers that pad them have the fingerprint that everybody else shows. */
static bool read_blob(LyBytes blob, LyKeyNumbers *numbers, bool *is_certificate, LyBuf *plain, LyError *error)
{
    if (blob.len > BLOB_LIMIT)
        return ly_error_set(error, LY_ERROR_LIMIT, "a public key of %zu bytes is refused: the limit is %zu",
                            blob.len, BLOB_LIMIT);
    LyReader reader = ly_reader(blob);
    LyBytes name = ly_get_string(&reader);
    if (reader.failed)
        return ly_error_set(error, LY_ERROR_INVALID, "the public key is cut short: its type name is missing");
    numbers->type = ly_key_type_find(name, is_certificate);
    if (!numbers->type)
        return ly_error_set(error, LY_ERROR_UNSUPPORTED, "the key type \"%s\" is not known",
                            LY_PRINTABLE(name));
    if (*is_certificate) {
        LyCertificate certificate;
        if (!ly_certificate_read(blob, &certificate, error))
            return false;
        reader = ly_reader(certificate.plain_fields);
    }
    if (!ly_key_get_public_fields(&reader, numbers))
        return ly_error_set(error, LY_ERROR_INVALID, "the fields of the %s key are malformed or cut short",
                            numbers->type->name);
    if (!ly_reader_done(&reader))
        return ly_error_set(error, LY_ERROR_INVALID, "%zu bytes follow the %s key", reader.len,
                            numbers->type->name);
    if (!ly_key_numbers_check(numbers, false, error))
        return false;
    put_plain_blob(numbers, plain);
    return true;
}

LyKey *ly_key_new_public(LyCrypto *crypto, LyBytes blob, LyError *error)
{
    LyKeyNumbers numbers = {0};
    LY_AUTO(ly_buf_free) LyBuf plain = {0};
    bool is_certificate;
    if (!read_blob(blob, &numbers, &is_certificate, &plain, error))
        return NULL;
    return new_key(crypto, &numbers, is_certificate, blob, ly_buf_bytes(&plain), (LyBytes){0}, (LyBytes){0});
}

static LyKey *new_from_numbers(LyCrypto *crypto, const LyKeyNumbers *numbers, LyBytes certificate,
                               LyBytes comment, LyError *error)
{
    if (!ly_key_numbers_check(numbers, true, error))
        return NULL;
    LY_AUTO(ly_buf_free) LyBuf plain = {0}, secret = {0};
    put_plain_blob(numbers, &plain);
    ly_put_cstring(&secret, numbers->type->name);
    ly_key_put_private_fields(numbers, true, &secret);
    if (plain.len + secret.len + certificate.len > 2 * BLOB_LIMIT) {
        ly_error_set(error, LY_ERROR_LIMIT, "the private key is larger than %zu bytes", BLOB_LIMIT);
        return NULL;
    }
    LyBytes blob = certificate.len ? certificate : ly_buf_bytes(&plain);
    return new_key(crypto, numbers, certificate.len > 0, blob, ly_buf_bytes(&plain), ly_buf_bytes(&secret),
                   comment);
}

LyKey *ly_key_new_numbers(LyCrypto *crypto, const LyKeyNumbers *numbers, LyBytes comment, LyError *error)
{
    return new_from_numbers(crypto, numbers, (LyBytes){0}, comment, error);
}

LyKey *ly_key_new_private(LyCrypto *crypto, LyReader *fields, LyBytes comment, LyError *error)
{
    LyKeyNumbers numbers = {0};
    LY_AUTO(ly_buf_free) LyBuf plain = {0};
    LyBytes certificate = {0};
    bool is_certificate = false;
    LyBytes name = ly_get_string(fields);
    if (fields->failed) {
        ly_error_set(error, LY_ERROR_INVALID, "the private key is cut short: its type name is missing");
        return NULL;
    }
    numbers.type = ly_key_type_find(name, &is_certificate);
    if (!numbers.type) {
        ly_error_set(error, LY_ERROR_UNSUPPORTED, "the key type \"%s\" is not known", LY_PRINTABLE(name));
        return NULL;
    }
    if (is_certificate) {
        const LyKeyType *type = numbers.type;
        certificate = ly_get_string(fields);
        if (!read_blob(certificate, &numbers, &is_certificate, &plain, error))
            return NULL;
        if (!is_certificate || numbers.type != type) {
            ly_error_set(error, LY_ERROR_INVALID,
                         "the certificate inside the private key is of another type than %s",
                         type->certificate);
            return NULL;
        }
    }
    if (!ly_key_get_private_fields(fields, !is_certificate, &numbers)) {
        ly_error_set(error, LY_ERROR_INVALID, "the private fields of the %s key are malformed or cut short",
                     numbers.type->name);
        return NULL;
    }
    return new_from_numbers(crypto, &numbers, certificate, comment, error);
}

/* The same halves, already checked or not, under another face. */
static LyKey *copy_key(LyKey *key, bool is_certificate, LyBytes blob, LyBytes comment)
{
    LyKeyNumbers numbers = {.type = key->type};
    LyKey *copy = new_key(key->crypto, &numbers, is_certificate, blob, key->plain, key->secret, comment);
    copy->bits = key->bits;
    pthread_mutex_lock(&key->lock);
    copy->pk = key->pk ? ly_pk_ref(key->pk) : NULL;
    copy->checked = key->checked;
    pthread_mutex_unlock(&key->lock);
    return copy;
}

void ly_key_set_comment(LyKey *key, LyBytes comment)
{
    ly_free((void *)key->comment.data);
    key->comment = copy_bytes(ly_bytes_slice(comment, 0, COMMENT_LIMIT));
}

LyKey *ly_key_new_commented(LyKey *key, LyBytes comment)
{
    return copy_key(key, key->is_certificate, key->blob, comment);
}

LyKey *ly_key_new_certified(LyKey *key, LyBytes certificate_blob, LyError *error)
{
    LyKeyNumbers numbers = {0};
    LY_AUTO(ly_buf_free) LyBuf plain = {0};
    bool is_certificate;
    if (!read_blob(certificate_blob, &numbers, &is_certificate, &plain, error))
        return NULL;
    if (!is_certificate || !ly_bytes_equal(ly_buf_bytes(&plain), key->plain)) {
        ly_error_set(error, LY_ERROR_INVALID,
                     is_certificate ? "the certificate is for another key"
                                    : "this is a key and no certificate");
        return NULL;
    }
    return copy_key(key, true, certificate_blob, key->comment);
}

LyKey *ly_key_ref(LyKey *key)
{
    atomic_fetch_add(&key->count, 1);
    return key;
}

void ly_key_unref(LyKey *key)
{
    if (!key || atomic_fetch_sub(&key->count, 1) != 1)
        return;
    if (key->pk)
        ly_pk_unref(key->pk);
    if (key->plain.data != key->blob.data)
        ly_free((void *)key->plain.data);
    ly_free((void *)key->blob.data);
    ly_free((void *)key->comment.data);
    ly_secret_free((void *)key->secret.data);
    ly_crypto_unref(key->crypto);
    pthread_mutex_destroy(&key->lock);
    ly_free(key);
}

const LyKeyType *ly_key_type(const LyKey *key)
{
    return key->type;
}

const char *ly_key_type_name(const LyKey *key)
{
    return key->type_name;
}

unsigned ly_key_bits(const LyKey *key)
{
    return key->bits;
}

LyBytes ly_key_blob(const LyKey *key)
{
    return key->blob;
}

LyBytes ly_key_comment(const LyKey *key)
{
    return key->comment;
}

bool ly_key_has_secret(const LyKey *key)
{
    return key->secret.len > 0;
}

bool ly_key_is_private(const LyKey *key)
{
    return key->secret.len > 0 && !key->type->sk;
}

bool ly_key_is_certificate(const LyKey *key)
{
    return key->is_certificate;
}

LyBytes ly_key_plain_blob(const LyKey *key)
{
    return key->plain;
}

bool ly_key_equal_public(const LyKey *a, const LyKey *b)
{
    return ly_bytes_equal(a->plain, b->plain);
}

/* What the object itself was made from cannot fail to parse. */
void ly_key_get_numbers(const LyKey *key, LyKeyNumbers *numbers)
{
    LyReader reader = ly_reader(key->secret.len ? key->secret : key->plain);
    numbers->type = key->type;
    ly_get_string(&reader);
    if (key->secret.len)
        ly_key_get_private_fields(&reader, true, numbers);
    else
        ly_key_get_public_fields(&reader, numbers);
}

void ly_key_put_private(const LyKey *key, LyBuf *out)
{
    if (key->secret.len == 0)
        return;
    if (!key->is_certificate) {
        ly_buf_add(out, key->secret);
        return;
    }
    LyKeyNumbers numbers = {0};
    ly_key_get_numbers(key, &numbers);
    ly_put_cstring(out, key->type_name);
    ly_put_string(out, key->blob);
    ly_key_put_private_fields(&numbers, false, out);
}

static LyPk *make_pk(const LyKey *key, LyError *error)
{
    LyKeyNumbers numbers = {0};
    ly_key_get_numbers(key, &numbers);
    switch (key->type->pk) {
    case LY_PK_RSA: {
        LyRsaNumbers rsa = {numbers.n, numbers.e, numbers.d, numbers.iqmp, numbers.p, numbers.q};
        return ly_pk_new_rsa(key->crypto, &rsa, error);
    }
    case LY_PK_DSA: {
        LyDsaNumbers dsa = {numbers.p, numbers.q, numbers.g, numbers.y, numbers.x};
        return ly_pk_new_dsa(key->crypto, &dsa, error);
    }
    case LY_PK_ECDSA:
        return ly_pk_new_ecdsa(key->crypto, (LyCurve)key->type->curve, numbers.point, numbers.scalar, error);
    case LY_PK_ED25519:
        return ly_pk_new_ed25519(key->crypto, numbers.public_key, numbers.seed, error);
    case LY_PK_ED448:
        return ly_pk_new_ed448(key->crypto, numbers.public_key, numbers.seed, error);
    }
    return NULL;
}

LyPk *ly_key_take_pk(LyKey *key, LyError *error)
{
    pthread_mutex_lock(&key->lock);
    if (!key->pk)
        key->pk = make_pk(key, error);
    LyPk *pk = key->pk ? ly_pk_ref(key->pk) : NULL;
    pthread_mutex_unlock(&key->lock);
    return pk;
}

void ly_key_forget(LyKey *key)
{
    pthread_mutex_lock(&key->lock);
    LyPk *pk = key->pk;
    key->pk = NULL;
    pthread_mutex_unlock(&key->lock);
    ly_pk_unref(pk);
}

bool ly_key_check(LyKey *key, LyError *error)
{
    if (!ly_key_is_private(key))
        return ly_error_set(error, LY_ERROR_INVALID, "the %s key has no private half here", key->type->name);
    pthread_mutex_lock(&key->lock);
    if (!key->checked) {
        if (!key->pk)
            key->pk = make_pk(key, error);
        key->checked = key->pk && ly_pk_check(key->pk, error);
    }
    bool good = key->checked;
    pthread_mutex_unlock(&key->lock);
    return good;
}

LyKey *ly_key_generate(LyCrypto *crypto, LyPkType type, unsigned bits, LyBytes comment, LyError *error)
{
    const char *name = NULL;
    if (type == LY_PK_ED25519)
        name = "ssh-ed25519";
    else if (type == LY_PK_ED448)
        name = "ssh-ed448";
    else if (type == LY_PK_RSA && bits >= 1024 && bits <= 16384)
        name = "ssh-rsa";
    else if (type == LY_PK_ECDSA && (bits == 256 || bits == 384 || bits == 521))
        name = bits == 256   ? "ecdsa-sha2-nistp256"
               : bits == 384 ? "ecdsa-sha2-nistp384"
                             : "ecdsa-sha2-nistp521";
    if (!name) {
        ly_error_set(
            error, LY_ERROR_INVALID,
            "a key of this type with %u bits is not made: ed25519, ed448, ecdsa with 256, 384 or 521 "
            "and rsa with 1024 to 16384 are",
            bits);
        return NULL;
    }
    LY_AUTO(ly_buf_free) LyBuf fields = {0};
    ly_put_cstring(&fields, name);
    if (!ly_pk_generate(crypto, type, bits, &fields, error))
        return NULL;
    LyReader reader = ly_reader(ly_buf_bytes(&fields));
    return ly_key_new_private(crypto, &reader, comment, error);
}
