/* The traditional DER forms of keys: PKCS#1 (RFC 8017 A.1), SEC1 (RFC 5915) and OpenSSL's DSA. */
#include "base/auto.h"
#include "key/der.h"
#include "key/key-private.h"
#include "key/oids.h"
#include "key/read-private.h"

LyKey *ly_key_malformed(LyBytes der, const LyReader *outer, const LyReader *inner, const char *form,
                        LyError *error)
{
    const LyReader *reader = inner->data ? inner : outer;
    ly_error_set(error, LY_ERROR_INVALID, "the %s structure of the key is malformed or cut short at byte %zu",
                 form, reader->data ? (size_t)(reader->data - der.data) : 0);
    return NULL;
}

LyKey *ly_key_read_pkcs1(LyCrypto *crypto, LyBytes der, LyError *error)
{
    LyReader outer = ly_reader(der), reader = ly_der_get_sequence(&outer);
    LyKeyNumbers numbers = {.type = ly_key_type_find(LY_BYTES("ssh-rsa"), NULL)};
    uint64_t version = ly_der_get_number(&reader, 1);
    numbers.n = ly_der_get_unsigned(&reader);
    numbers.e = ly_der_get_unsigned(&reader);
    numbers.d = ly_der_get_unsigned(&reader);
    numbers.p = ly_der_get_unsigned(&reader);
    numbers.q = ly_der_get_unsigned(&reader);
    ly_der_get_unsigned(&reader); /* d mod p-1 and d mod q-1 follow from the others and are computed anew */
    ly_der_get_unsigned(&reader);
    numbers.iqmp = ly_der_get_unsigned(&reader);
    if (version == 1 && !reader.failed) {
        ly_error_set(error, LY_ERROR_UNSUPPORTED, "an RSA key of more than two primes is not read");
        return NULL;
    }
    if (!ly_reader_done(&reader) || !ly_reader_done(&outer))
        return ly_key_malformed(der, &outer, &reader, "PKCS#1", error);
    return ly_key_new_numbers(crypto, &numbers, (LyBytes){0}, error);
}

/* A public key by way of its blob, so that there is one door for them. */
static LyKey *new_public(LyCrypto *crypto, const LyKeyNumbers *numbers, LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf blob = {0};
    ly_put_cstring(&blob, numbers->type->name);
    ly_key_put_public_fields(numbers, &blob);
    return ly_key_new_public(crypto, ly_buf_bytes(&blob), error);
}

LyKey *ly_key_read_pkcs1_public(LyCrypto *crypto, LyBytes der, LyError *error)
{
    LyReader outer = ly_reader(der), reader = ly_der_get_sequence(&outer);
    LyKeyNumbers numbers = {.type = ly_key_type_find(LY_BYTES("ssh-rsa"), NULL)};
    numbers.n = ly_der_get_unsigned(&reader);
    numbers.e = ly_der_get_unsigned(&reader);
    if (!ly_reader_done(&reader) || !ly_reader_done(&outer))
        return ly_key_malformed(der, &outer, &reader, "PKCS#1", error);
    return new_public(crypto, &numbers, error);
}

static const LyKeyType *curve_type(int curve)
{
    static const char *const names[LY_CURVE_COUNT] = {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384",
                                                      "ecdsa-sha2-nistp521"};
    return ly_key_type_find(ly_bytes_str(names[curve]), NULL);
}

static const LyBytes curve_oids[LY_CURVE_COUNT] = {
    [LY_NISTP256] = {(const uint8_t *)OID_P256, sizeof OID_P256 - 1},
    [LY_NISTP384] = {(const uint8_t *)OID_P384, sizeof OID_P384 - 1},
    [LY_NISTP521] = {(const uint8_t *)OID_P521, sizeof OID_P521 - 1}};

LyBytes ly_oid_of_curve(int curve)
{
    return curve_oids[curve];
}

int ly_curve_of_oid(LyBytes oid, LyError *error)
{
    for (int i = 0; i < LY_CURVE_COUNT; i++)
        if (ly_bytes_equal(oid, curve_oids[i]))
            return i;
    char text[100];
    ly_error_set(error, LY_ERROR_UNSUPPORTED, "the curve %s is not one that SSH uses",
                 ly_der_oid_text(oid, text));
    return -1;
}

LyKey *ly_key_read_sec1(LyCrypto *crypto, LyBytes der, int curve, LyBytes point, LyError *error)
{
    LyReader outer = ly_reader(der), reader = ly_der_get_sequence(&outer);
    LyKeyNumbers numbers = {.point = point};
    LY_AUTO(ly_buf_free) LyBuf derived = {0};
    if (ly_der_get_number(&reader, 1) != 1)
        return ly_key_malformed(der, &outer, &reader, "SEC1", error);
    LyBytes scalar = ly_der_get(&reader, LY_DER_OCTET_STRING);
    if (ly_der_next_is(&reader, LY_DER_CONTEXT_0)) {
        LyReader parameters = ly_reader(ly_der_get(&reader, LY_DER_CONTEXT_0));
        /* Explicit parameters could describe another curve under a known name's look (CVE-2020-0601). */
        if (!ly_der_next_is(&parameters, LY_DER_OID)) {
            ly_error_set(error, LY_ERROR_UNSUPPORTED, "the key describes its curve instead of naming it");
            return NULL;
        }
        int named = ly_curve_of_oid(ly_der_get(&parameters, LY_DER_OID), error);
        if (named < 0)
            return NULL;
        if (!ly_reader_done(&parameters) || (curve >= 0 && curve != named))
            return ly_key_malformed(der, &outer, &reader, "SEC1", error);
        curve = named;
    }
    if (ly_der_next_is(&reader, LY_DER_CONTEXT_1)) {
        LyReader inner = ly_reader(ly_der_get(&reader, LY_DER_CONTEXT_1));
        numbers.point = ly_der_get_bits(&inner, LY_DER_BIT_STRING);
        reader.failed |= !ly_reader_done(&inner) || (point.len && !ly_bytes_equal(numbers.point, point));
    }
    if (!ly_reader_done(&reader) || !ly_reader_done(&outer))
        return ly_key_malformed(der, &outer, &reader, "SEC1", error);
    if (curve < 0) {
        ly_error_set(error, LY_ERROR_INVALID, "the key does not name its curve");
        return NULL;
    }
    numbers.type = curve_type(curve);
    while (scalar.len && scalar.data[0] == 0)
        scalar = ly_bytes_slice(scalar, 1, scalar.len);
    numbers.scalar = scalar;
    if (numbers.point.len == 0) {
        if (!ly_pk_derive_public(crypto, LY_PK_ECDSA, (LyCurve)curve, NULL, scalar, &derived, error))
            return NULL;
        numbers.point = ly_buf_bytes(&derived);
    }
    return ly_key_new_numbers(crypto, &numbers, (LyBytes){0}, error);
}

LyKey *ly_key_read_dsa(LyCrypto *crypto, LyBytes der, LyError *error)
{
    LyReader outer = ly_reader(der), reader = ly_der_get_sequence(&outer);
    LyKeyNumbers numbers = {.type = ly_key_type_find(LY_BYTES("ssh-dss"), NULL)};
    ly_der_get_number(&reader, 0);
    numbers.p = ly_der_get_unsigned(&reader);
    numbers.q = ly_der_get_unsigned(&reader);
    numbers.g = ly_der_get_unsigned(&reader);
    numbers.y = ly_der_get_unsigned(&reader);
    numbers.x = ly_der_get_unsigned(&reader);
    if (!ly_reader_done(&reader) || !ly_reader_done(&outer))
        return ly_key_malformed(der, &outer, &reader, "DSA", error);
    return ly_key_new_numbers(crypto, &numbers, (LyBytes){0}, error);
}
