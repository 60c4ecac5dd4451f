#include "key/certificate.h"

#include "base/auto.h"
#include "base/memory.h"
#include "base/names.h"
#include "key/key-private.h"

#define PRINCIPALS_LIMIT 256

/* Strings one after another, nothing left over. */
static bool strings_valid(LyBytes bytes, size_t multiple, size_t limit)
{
    LyReader reader = ly_reader(bytes);
    size_t count = 0;
    while (reader.len && !reader.failed && count <= limit) {
        ly_get_string(&reader);
        count++;
    }
    return !reader.failed && count % multiple == 0 && count <= limit;
}

bool ly_certificate_read(LyBytes blob, LyCertificate *certificate, LyError *error)
{
    LyCertificate result = {0};
    LyReader reader = ly_reader(blob);
    bool is_certificate = false;
    LyKeyNumbers numbers = {.type = ly_key_type_find(ly_get_string(&reader), &is_certificate)};
    if (!numbers.type || !is_certificate)
        return ly_error_set(error, LY_ERROR_INVALID, "this is not a certificate of a known type");
    ly_get_string(&reader); /* nonce */
    const uint8_t *fields = reader.data;
    if (!ly_key_get_public_fields(&reader, &numbers))
        return ly_error_set(error, LY_ERROR_INVALID,
                            "the key inside the certificate is malformed or cut short");
    result.plain_fields = ly_bytes(fields, (size_t)(reader.data - fields));
    result.serial = ly_get_u64(&reader);
    result.kind = ly_get_u32(&reader);
    result.id = ly_get_string(&reader);
    result.principals = ly_get_string(&reader);
    result.valid_after = ly_get_u64(&reader);
    result.valid_before = ly_get_u64(&reader);
    result.critical = ly_get_string(&reader);
    result.extensions = ly_get_string(&reader);
    ly_get_string(&reader); /* reserved */
    result.ca_blob = ly_get_string(&reader);
    result.signed_part = ly_bytes(blob.data, (size_t)(reader.data - blob.data));
    result.signature = ly_get_string(&reader);
    if (!ly_reader_done(&reader))
        return ly_error_set(error, LY_ERROR_INVALID, "the certificate is %s",
                            reader.failed ? "cut short" : "followed by other bytes");
    if (!strings_valid(result.principals, 1, PRINCIPALS_LIMIT))
        return ly_error_set(error, LY_ERROR_INVALID,
                            "the certificate's principals are malformed or more than %d", PRINCIPALS_LIMIT);
    if (!strings_valid(result.critical, 2, 2 * PRINCIPALS_LIMIT) ||
        !strings_valid(result.extensions, 2, 2 * PRINCIPALS_LIMIT))
        return ly_error_set(error, LY_ERROR_INVALID, "the certificate's options are malformed");
    *certificate = result;
    return true;
}

bool ly_certificate_option(LyBytes which, const char *name, LyBytes *data)
{
    LyReader reader = ly_reader(which);
    while (reader.len && !reader.failed) {
        LyBytes each = ly_get_string(&reader), value = ly_get_string(&reader);
        if (!reader.failed && ly_bytes_is(each, name)) {
            *data = value;
            return true;
        }
    }
    return false;
}

bool ly_certificate_has_principal(const LyCertificate *certificate, LyBytes principal, bool wildcards)
{
    LyReader reader = ly_reader(certificate->principals);
    while (reader.len && !reader.failed) {
        LyBytes each = ly_get_string(&reader);
        if (!reader.failed &&
            (wildcards ? ly_pattern_match(each, principal) : ly_bytes_equal(each, principal)))
            return true;
    }
    return false;
}

/* Known critical options of user certificates, and whether their data is one string inside the string. */
static const struct {
    const char *name;
    bool has_value;
} user_critical[] = {{"force-command", true}, {"source-address", true}, {"verify-required", false}};

static bool check_critical(const LyCertificate *certificate, LyError *error)
{
    LyReader reader = ly_reader(certificate->critical);
    while (reader.len) {
        LyBytes name = ly_get_string(&reader), data = ly_get_string(&reader);
        const char *known = NULL;
        for (size_t i = 0; i < LY_COUNT(user_critical) && certificate->kind == LY_CERTIFICATE_USER; i++) {
            if (!ly_bytes_is(name, user_critical[i].name))
                continue;
            LyReader value = ly_reader(data);
            if (user_critical[i].has_value)
                ly_get_string(&value);
            known = ly_reader_done(&value) ? user_critical[i].name : NULL;
        }
        LyBytes again;
        if (known && ly_certificate_option(ly_bytes(reader.data, reader.len), known, &again))
            return ly_error_set(error, LY_ERROR_VERIFY,
                                "the certificate has the critical option \"%s\" twice", LY_PRINTABLE(name));
        if (!known)
            return ly_error_set(error, LY_ERROR_VERIFY,
                                "the certificate has the critical option \"%s\", which is not understood",
                                LY_PRINTABLE(name));
    }
    return true;
}

bool ly_certificate_check_signature(LyCrypto *crypto, const LyCertificate *certificate, LyBytes ca_algorithms,
                                    LyError *error)
{
    LyError reason = {0};
    LyKey *ca = ly_key_new_public(crypto, certificate->ca_blob, &reason);
    if (!ca)
        return ly_error_set(error, LY_ERROR_VERIFY, "the certificate's CA key is not usable: %s",
                            reason.message);
    /* Names signed with SHA-1 never count, whatever the caller's list says. */
    LY_AUTO(ly_buf_free) LyBuf allowed = {0};
    LyBytes rest = ca_algorithms, name;
    while (ly_names_next(&rest, &name)) {
        const LySignatureAlgorithm *info = ly_signature_algorithm_find(name);
        if (!info || info->hash == LY_SHA1)
            continue;
        if (allowed.len)
            ly_buf_add_str(&allowed, ",");
        ly_buf_add(&allowed, name);
    }
    bool good = false;
    if (ly_key_is_certificate(ca))
        ly_error_set(error, LY_ERROR_VERIFY,
                     "the certificate is signed by another certificate instead of a CA key");
    else if (ca_algorithms.len && !allowed.len)
        ly_error_set(error, LY_ERROR_VERIFY, "no signature algorithm is allowed for CAs");
    else if (!ly_key_verify(ca, ly_buf_bytes(&allowed), certificate->signed_part, certificate->signature,
                            NULL, &reason))
        ly_error_set(error, LY_ERROR_VERIFY, "the CA's signature does not hold: %s", reason.message);
    else
        good = true;
    ly_key_unref(ca);
    return good;
}

bool ly_certificate_check(LyCrypto *crypto, LyKey *key, LyCertificateKind kind, LyBytes principal,
                          bool principal_is_host, uint64_t now_seconds, LyBytes ca_algorithms, LyError *error)
{
    LyCertificate certificate;
    if (!ly_key_is_certificate(key))
        return ly_error_set(error, LY_ERROR_VERIFY, "the %s key is no certificate", ly_key_type_name(key));
    if (!ly_certificate_read(ly_key_blob(key), &certificate, error))
        return false;
    if (certificate.kind != (uint32_t)kind)
        return ly_error_set(error, LY_ERROR_VERIFY, "the certificate is not one for %s",
                            kind == LY_CERTIFICATE_HOST ? "hosts" : "users");
    if (now_seconds < certificate.valid_after)
        return ly_error_set(error, LY_ERROR_VERIFY, "the certificate is not yet valid");
    if (now_seconds >= certificate.valid_before)
        return ly_error_set(error, LY_ERROR_VERIFY, "the certificate has expired");
    if (certificate.principals.len == 0)
        return ly_error_set(error, LY_ERROR_VERIFY,
                            "the certificate names no principal, so it is valid for nobody");
    if (principal.len && !ly_certificate_has_principal(&certificate, principal, principal_is_host))
        return ly_error_set(error, LY_ERROR_VERIFY, "the certificate is not for \"%s\"",
                            LY_PRINTABLE(principal));
    return check_critical(&certificate, error) &&
           ly_certificate_check_signature(crypto, &certificate, ca_algorithms, error);
}
