/* PKCS#8 (RFC 5208, RFC 5958, RFC 8410) and SubjectPublicKeyInfo (RFC 5280 4.1). */
#include "base/auto.h"
#include "key/der.h"
#include "key/key-private.h"
#include "key/oids.h"
#include "key/read-private.h"

typedef enum Algorithm { RSA, DSA, EC, ED25519, ED448, ALGORITHM_COUNT } Algorithm;

/* AlgorithmIdentifier: the kind, and what follows its OID. */
static bool get_algorithm(LyBytes der, LyReader *reader, Algorithm *algorithm, LyReader *parameters,
                          const char *form, LyError *error)
{
    static const struct {
        const char *oid;
        Algorithm algorithm;
    } known[] = {{OID_RSA, RSA}, {OID_DSA, DSA}, {OID_EC, EC}, {OID_ED25519, ED25519}, {OID_ED448, ED448}};
    *parameters = ly_der_get_sequence(reader);
    LyBytes oid = ly_der_get(parameters, LY_DER_OID);
    if (parameters->failed)
        return ly_key_malformed(der, reader, parameters, form, error);
    for (size_t i = 0; i < LY_COUNT(known); i++) {
        if (ly_bytes_is(oid, known[i].oid)) {
            *algorithm = known[i].algorithm;
            return true;
        }
    }
    char text[100];
    return ly_error_set(error, LY_ERROR_UNSUPPORTED, "keys of the algorithm %s are not known to SSH",
                        ly_der_oid_text(oid, text));
}

static const LyKeyType *type_of(const char *name)
{
    return ly_key_type_find(ly_bytes_str(name), NULL);
}

static bool get_curve(LyReader *parameters, int *curve, LyError *error)
{
    if (!ly_der_next_is(parameters, LY_DER_OID))
        return ly_error_set(error, LY_ERROR_UNSUPPORTED, "the key describes its curve instead of naming it");
    *curve = ly_curve_of_oid(ly_der_get(parameters, LY_DER_OID), error);
    return *curve >= 0;
}

static void get_dsa_parameters(LyReader *parameters, LyKeyNumbers *numbers)
{
    LyReader inner = ly_der_get_sequence(parameters);
    numbers->p = ly_der_get_unsigned(&inner);
    numbers->q = ly_der_get_unsigned(&inner);
    numbers->g = ly_der_get_unsigned(&inner);
    parameters->failed |= !ly_reader_done(&inner);
}

static LyKey *read_dsa(LyCrypto *crypto, LyBytes der, LyReader *parameters, LyReader *inner, LyError *error)
{
    LyKeyNumbers numbers = {.type = type_of("ssh-dss")};
    LY_AUTO(ly_buf_free) LyBuf y = {0};
    get_dsa_parameters(parameters, &numbers);
    numbers.x = ly_der_get_unsigned(inner);
    if (parameters->failed || !ly_reader_done(inner))
        return ly_key_malformed(der, inner, parameters->failed ? parameters : inner, "PKCS#8", error);
    LyDsaNumbers dsa = {.p = numbers.p, .q = numbers.q, .g = numbers.g};
    if (!ly_pk_derive_public(crypto, LY_PK_DSA, 0, &dsa, numbers.x, &y, error))
        return NULL;
    numbers.y = ly_buf_bytes(&y);
    while (numbers.y.len && numbers.y.data[0] == 0)
        numbers.y = ly_bytes_slice(numbers.y, 1, numbers.y.len);
    return ly_key_new_numbers(crypto, &numbers, (LyBytes){0}, error);
}

/* RFC 8410: the seed is an OCTET STRING inside the OCTET STRING; the public half may follow as [1]. */
static LyKey *read_edwards(LyCrypto *crypto, LyBytes der, Algorithm algorithm, LyReader *inner,
                           LyBytes public_key, LyError *error)
{
    LyKeyNumbers numbers = {.type = type_of(algorithm == ED448 ? "ssh-ed448" : "ssh-ed25519"),
                            .public_key = public_key};
    LY_AUTO(ly_buf_free) LyBuf derived = {0};
    numbers.seed = ly_der_get(inner, LY_DER_OCTET_STRING);
    if (!ly_reader_done(inner))
        return ly_key_malformed(der, inner, inner, "PKCS#8", error);
    if (public_key.len == 0) {
        if (!ly_pk_derive_public(crypto, numbers.type->pk, 0, NULL, numbers.seed, &derived, error))
            return NULL;
        numbers.public_key = ly_buf_bytes(&derived);
    }
    return ly_key_new_numbers(crypto, &numbers, (LyBytes){0}, error);
}

LyKey *ly_key_read_pkcs8(LyCrypto *crypto, LyBytes der, LyError *error)
{
    LyReader outer = ly_reader(der), reader = ly_der_get_sequence(&outer), parameters;
    Algorithm algorithm;
    int curve = LY_NISTP256;
    ly_der_get_number(&reader, 1); /* 1 when the public half is there, but not everybody says so */
    if (reader.failed)
        return ly_key_malformed(der, &outer, &reader, "PKCS#8", error);
    if (!get_algorithm(der, &reader, &algorithm, &parameters, "PKCS#8", error))
        return NULL;
    LyBytes key = ly_der_get(&reader, LY_DER_OCTET_STRING), public_key = {0};
    if (ly_der_next_is(&reader, LY_DER_CONTEXT_0))
        ly_der_get(&reader, LY_DER_CONTEXT_0); /* attributes */
    if (ly_der_next_is(&reader, LY_DER_CONTEXT_1_PRIMITIVE))
        public_key = ly_der_get_bits(&reader, LY_DER_CONTEXT_1_PRIMITIVE);
    if (!ly_reader_done(&reader) || !ly_reader_done(&outer))
        return ly_key_malformed(der, &outer, &reader, "PKCS#8", error);
    LyReader inner = ly_reader(key);
    switch (algorithm) {
    case RSA:
        return ly_key_read_pkcs1(crypto, key, error);
    case DSA:
        return read_dsa(crypto, der, &parameters, &inner, error);
    case EC:
        return get_curve(&parameters, &curve, error) ? ly_key_read_sec1(crypto, key, curve, public_key, error)
                                                     : NULL;
    case ED25519:
    case ED448:
    case ALGORITHM_COUNT:
        break;
    }
    return read_edwards(crypto, der, algorithm, &inner, public_key, error);
}

LyKey *ly_key_read_spki(LyCrypto *crypto, LyBytes der, LyError *error)
{
    static const char *const curve_types[LY_CURVE_COUNT] = {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384",
                                                            "ecdsa-sha2-nistp521"};
    LyReader outer = ly_reader(der), reader = ly_der_get_sequence(&outer), parameters;
    LyKeyNumbers numbers = {0};
    LY_AUTO(ly_buf_free) LyBuf blob = {0};
    Algorithm algorithm;
    int curve = LY_NISTP256;
    if (reader.failed)
        return ly_key_malformed(der, &outer, &reader, "SubjectPublicKeyInfo", error);
    if (!get_algorithm(der, &reader, &algorithm, &parameters, "SubjectPublicKeyInfo", error))
        return NULL;
    LyBytes key = ly_der_get_bits(&reader, LY_DER_BIT_STRING);
    LyReader inner = ly_reader(key);
    if (algorithm == RSA && ly_reader_done(&reader) && ly_reader_done(&outer))
        return ly_key_read_pkcs1_public(crypto, key, error);
    if (algorithm == DSA) {
        numbers.type = type_of("ssh-dss");
        get_dsa_parameters(&parameters, &numbers);
        numbers.y = ly_der_get_unsigned(&inner);
        reader.failed |= parameters.failed || !ly_reader_done(&inner);
    } else if (algorithm == EC) {
        if (!get_curve(&parameters, &curve, error))
            return NULL;
        numbers.type = type_of(curve_types[curve]);
        numbers.point = key;
    } else {
        numbers.type = type_of(algorithm == ED448 ? "ssh-ed448" : "ssh-ed25519");
        numbers.public_key = key;
    }
    if (!ly_reader_done(&reader) || !ly_reader_done(&outer))
        return ly_key_malformed(der, &outer, &reader, "SubjectPublicKeyInfo", error);
    ly_put_cstring(&blob, numbers.type->name);
    ly_key_put_public_fields(&numbers, &blob);
    return ly_key_new_public(crypto, ly_buf_bytes(&blob), error);
}
