#include "key/issue.h"

#include <stdlib.h>

#include "base/auto.h"
#include "base/names.h"

#define PRINCIPALS_LIMIT 256
#define OPTIONS_LIMIT 256
#define NONCE_LEN 32

void ly_certificate_put_option(LyBuf *options, const char *name, bool flag, LyBytes value)
{
    ly_put_cstring(options, name);
    size_t mark = ly_put_string_begin(options);
    if (!flag)
        ly_put_string(options, value);
    ly_put_string_end(options, mark);
}

void ly_certificate_put_default_extensions(LyBuf *options)
{
    static const char *const names[] = {"permit-X11-forwarding", "permit-agent-forwarding",
                                        "permit-port-forwarding", "permit-pty", "permit-user-rc"};
    for (size_t i = 0; i < LY_COUNT(names); i++)
        ly_certificate_put_option(options, names[i], true, (LyBytes){0});
}

static bool put_principals(LyBytes principals, LyBuf *out, LyError *error)
{
    size_t count = 0;
    bool more = principals.len > 0;
    size_t mark = ly_put_string_begin(out);
    while (more) {
        LyBytes name;
        more = ly_bytes_split(principals, ',', &name, &principals);
        if (name.len == 0)
            return ly_error_set(error, LY_ERROR_INVALID, "one of the principals is empty");
        if (++count > PRINCIPALS_LIMIT)
            return ly_error_set(error, LY_ERROR_INVALID, "a certificate has at most %d principals",
                                PRINCIPALS_LIMIT);
        ly_put_string(out, name);
    }
    ly_put_string_end(out, mark);
    return true;
}

typedef struct Option {
    LyBytes name, data;
} Option;

static int compare_options(const void *a, const void *b)
{
    LyBytes x = ((const Option *)a)->name, y = ((const Option *)b)->name;
    size_t len = LY_MIN(x.len, y.len);
    int order = len ? memcmp(x.data, y.data, len) : 0;
    return order ? order : (x.len > y.len) - (x.len < y.len);
}

/* PROTOCOL.certkeys wants them in the order of their names, none twice. */
static bool put_options(LyBytes options, const char *what, LyBuf *out, LyError *error)
{
    Option sorted[OPTIONS_LIMIT];
    size_t count = 0;
    LyReader reader = ly_reader(options);
    while (reader.len && !reader.failed && count < OPTIONS_LIMIT) {
        Option *option = &sorted[count++];
        option->name = ly_get_string(&reader);
        option->data = ly_get_string(&reader);
    }
    if (!ly_reader_done(&reader))
        return ly_error_set(error, LY_ERROR_INVALID, "the %s are malformed or more than %d", what,
                            OPTIONS_LIMIT);
    if (count)
        qsort(sorted, count, sizeof sorted[0], compare_options);
    size_t mark = ly_put_string_begin(out);
    for (size_t i = 0; i < count; i++) {
        if (sorted[i].name.len == 0)
            return ly_error_set(error, LY_ERROR_INVALID, "one of the %s has no name", what);
        if (i > 0 && ly_bytes_equal(sorted[i].name, sorted[i - 1].name))
            return ly_error_set(error, LY_ERROR_INVALID, "\"%s\" is among the %s twice",
                                LY_PRINTABLE(sorted[i].name), what);
        ly_put_string(out, sorted[i].name);
        ly_put_string(out, sorted[i].data);
    }
    ly_put_string_end(out, mark);
    return true;
}

static bool check_ca(LyCrypto *crypto, LyBytes ca_blob, LyError *error)
{
    LyKey *ca = ly_key_new_public(crypto, ca_blob, error);
    if (!ca)
        return ly_error_prefix(error, "the CA's key");
    const LyKeyType *type = ly_key_type(ca);
    bool good = false;
    if (ly_key_is_certificate(ca))
        ly_error_set(error, LY_ERROR_INVALID,
                     "the CA's key is a certificate: a certificate signs no other, so give the plain key");
    else if (!type->certificate || type->pk == LY_PK_DSA)
        ly_error_set(error, LY_ERROR_INVALID, "%s keys do not sign certificates: nobody accepts them",
                     type->name);
    else
        good = true;
    ly_key_unref(ca);
    return good;
}

static bool check_request(const LyKey *key, const LyCertificateRequest *request, bool any_principal,
                          LyError *error)
{
    if (!ly_key_type(key)->certificate)
        return ly_error_set(error, LY_ERROR_INVALID, "there are no certificates for %s keys",
                            ly_key_type(key)->name);
    if (request->kind != LY_CERTIFICATE_USER && request->kind != LY_CERTIFICATE_HOST)
        return ly_error_set(error, LY_ERROR_INVALID, "a certificate is one for a user or one for a host");
    if (request->principals.len == 0 && !any_principal)
        return ly_error_set(error, LY_ERROR_INVALID,
                            "the certificate would name no principal: name the %s it is for",
                            request->kind == LY_CERTIFICATE_HOST ? "hosts" : "users");
    if (request->valid_before <= request->valid_after)
        return ly_error_set(error, LY_ERROR_INVALID,
                            "the certificate would never be valid: its end is not after its start");
    if (request->kind == LY_CERTIFICATE_HOST && request->critical.len)
        return ly_error_set(error, LY_ERROR_INVALID,
                            "a host certificate has no critical options: no client would accept it");
    return true;
}

bool ly_certificate_put_signed_part(LyCrypto *crypto, const LyKey *key, const LyCertificateRequest *request,
                                    bool any_principal, LyBytes ca_blob, LyBuf *out, LyError *error)
{
    uint8_t nonce[NONCE_LEN];
    LY_AUTO(ly_buf_free) LyBuf part = {0};
    if (!check_request(key, request, any_principal, error) || !check_ca(crypto, ca_blob, error))
        return false;
    LyReader plain = ly_reader(ly_key_plain_blob(key));
    ly_get_string(&plain); /* the plain type's name */
    ly_crypto_random(crypto, nonce, sizeof nonce);
    ly_put_cstring(&part, ly_key_type(key)->certificate);
    ly_put_string(&part, ly_bytes(nonce, sizeof nonce));
    ly_buf_add(&part, ly_get_rest(&plain));
    ly_put_u64(&part, request->serial);
    ly_put_u32(&part, (uint32_t)request->kind);
    ly_put_string(&part, request->id);
    if (!put_principals(request->principals, &part, error))
        return false;
    ly_put_u64(&part, request->valid_after);
    ly_put_u64(&part, request->valid_before);
    if (!put_options(request->critical, "critical options", &part, error) ||
        !put_options(request->extensions, "extensions", &part, error))
        return false;
    ly_put_string(&part, (LyBytes){0}); /* reserved */
    ly_put_string(&part, ca_blob);
    if (part.failed)
        return ly_error_set(error, LY_ERROR_LIMIT, "the certificate would be too large");
    ly_buf_add(out, ly_buf_bytes(&part));
    return true;
}

static bool verify(LyCrypto *crypto, LyBytes blob, LyBytes signed_part, LyError *error)
{
    LyCertificate certificate;
    if (!ly_certificate_read(blob, &certificate, error))
        return false;
    if (certificate.signed_part.len != signed_part.len)
        return ly_error_set(error, LY_ERROR_INVALID, "bytes follow the signed part of the certificate");
    if (!check_ca(crypto, certificate.ca_blob, error))
        return false;
    LyKey *ca = ly_key_new_public(crypto, certificate.ca_blob, error);
    bool good = ca && ly_key_verify(ca, (LyBytes){0}, signed_part, certificate.signature, NULL, error);
    ly_key_unref(ca);
    return good || ly_error_prefix(error, "the CA's signature");
}

LyKey *ly_certificate_complete(LyCrypto *crypto, LyBytes signed_part, LyBytes signature, LyBytes comment,
                               LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf blob = {0};
    ly_buf_add(&blob, signed_part);
    ly_put_string(&blob, signature);
    LyKey *key = ly_key_new_public(crypto, ly_buf_bytes(&blob), error);
    if (!key)
        return NULL;
    LyKey *certificate = NULL;
    if (verify(crypto, ly_buf_bytes(&blob), signed_part, error))
        certificate = ly_key_new_commented(key, comment);
    ly_key_unref(key);
    return certificate;
}

LyKey *ly_certificate_issue(LyCrypto *crypto, const LyKey *key, const LyCertificateRequest *request,
                            bool any_principal, LyKey *ca, LyBytes algorithm, LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf part = {0}, signature = {0};
    if (!ly_certificate_put_signed_part(crypto, key, request, any_principal, ly_key_blob(ca), &part, error))
        return NULL;
    if (!ly_key_sign(ca, algorithm, ly_buf_bytes(&part), &signature, error)) {
        ly_error_prefix(error, "the CA's key");
        return NULL;
    }
    return ly_certificate_complete(crypto, ly_buf_bytes(&part), ly_buf_bytes(&signature), ly_key_comment(key),
                                   error);
}
