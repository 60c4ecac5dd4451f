/* PKCS#8 (RFC 5208, RFC 8410), its PBES2 encryption (RFC 8018, RFC 7914) and SubjectPublicKeyInfo (RFC
 * 5280 4.1). */
#include "base/auto.h"
#include "base/secret.h"
#include "crypto/cipher.h"
#include "crypto/kdf.h"
#include "key/der.h"
#include "key/key-private.h"
#include "key/oids.h"
#include "key/read-private.h"

#define DEFAULT_ITERATIONS 10000000u
#define DEFAULT_MEMORY_KIB ((uint64_t)1 << 20)

#define MALFORMED "the PKCS#8 structure of the key is malformed or cut short"

typedef enum Algorithm { RSA, DSA, EC, ED25519, ED448, ALGORITHM_COUNT } Algorithm;

/* AlgorithmIdentifier: the kind, and what follows its OID. */
static bool get_algorithm(LyReader *reader, Algorithm *algorithm, LyReader *parameters, LyError *error)
{
    static const struct {
        const char *oid;
        Algorithm algorithm;
    } known[] = {{OID_RSA, RSA}, {OID_DSA, DSA}, {OID_EC, EC}, {OID_ED25519, ED25519}, {OID_ED448, ED448}};
    *parameters = ly_der_get_sequence(reader);
    LyBytes oid = ly_der_get(parameters, LY_DER_OID);
    if (parameters->failed)
        return ly_error_set(error, LY_ERROR_INVALID, MALFORMED);
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

static LyKey *read_dsa(LyCrypto *crypto, LyReader *parameters, LyReader *inner, LyError *error)
{
    LyKeyNumbers numbers = {.type = type_of("ssh-dss")};
    LY_AUTO(ly_buf_free) LyBuf y = {0};
    get_dsa_parameters(parameters, &numbers);
    numbers.x = ly_der_get_unsigned(inner);
    if (parameters->failed || !ly_reader_done(inner)) {
        ly_error_set(error, LY_ERROR_INVALID, MALFORMED);
        return NULL;
    }
    LyDsaNumbers dsa = {.p = numbers.p, .q = numbers.q, .g = numbers.g};
    if (!ly_pk_derive_public(crypto, LY_PK_DSA, 0, &dsa, numbers.x, &y, error))
        return NULL;
    numbers.y = ly_buf_bytes(&y);
    while (numbers.y.len && numbers.y.data[0] == 0)
        numbers.y = ly_bytes_slice(numbers.y, 1, numbers.y.len);
    return ly_key_new_numbers(crypto, &numbers, (LyBytes){0}, error);
}

/* RFC 8410: the seed is an OCTET STRING inside the OCTET STRING; the public half may follow as [1]. */
static LyKey *read_edwards(LyCrypto *crypto, Algorithm algorithm, LyReader *inner, LyBytes public_key,
                           LyError *error)
{
    LyKeyNumbers numbers = {.type = type_of(algorithm == ED448 ? "ssh-ed448" : "ssh-ed25519"),
                            .public_key = public_key};
    LY_AUTO(ly_buf_free) LyBuf derived = {0};
    numbers.seed = ly_der_get(inner, LY_DER_OCTET_STRING);
    if (!ly_reader_done(inner)) {
        ly_error_set(error, LY_ERROR_INVALID, MALFORMED);
        return NULL;
    }
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
    uint64_t version = ly_der_get_number(&reader, 1);
    if (reader.failed) {
        ly_error_set(error, LY_ERROR_INVALID, MALFORMED);
        return NULL;
    }
    if (!get_algorithm(&reader, &algorithm, &parameters, error))
        return NULL;
    LyBytes key = ly_der_get(&reader, LY_DER_OCTET_STRING), public_key = {0};
    if (ly_der_next_is(&reader, LY_DER_CONTEXT_0))
        ly_der_get(&reader, LY_DER_CONTEXT_0); /* attributes */
    if (version == 1 && ly_der_next_is(&reader, LY_DER_CONTEXT_1_PRIMITIVE))
        public_key = ly_der_get_bits(&reader, LY_DER_CONTEXT_1_PRIMITIVE);
    if (!ly_reader_done(&reader) || !ly_reader_done(&outer)) {
        ly_error_set(error, LY_ERROR_INVALID, MALFORMED);
        return NULL;
    }
    LyReader inner = ly_reader(key);
    switch (algorithm) {
    case RSA:
        return ly_key_read_pkcs1(crypto, key, error);
    case DSA:
        return read_dsa(crypto, &parameters, &inner, error);
    case EC:
        return get_curve(&parameters, &curve, error) ? ly_key_read_sec1(crypto, key, curve, error) : NULL;
    case ED25519:
    case ED448:
    case ALGORITHM_COUNT:
        break;
    }
    return read_edwards(crypto, algorithm, &inner, public_key, error);
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
    if (!get_algorithm(&reader, &algorithm, &parameters, error))
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
    if (!ly_reader_done(&reader) || !ly_reader_done(&outer)) {
        ly_error_set(error, LY_ERROR_INVALID,
                     "the SubjectPublicKeyInfo of the key is malformed or cut short");
        return NULL;
    }
    ly_put_cstring(&blob, numbers.type->name);
    ly_key_put_public_fields(&numbers, &blob);
    return ly_key_new_public(crypto, ly_buf_bytes(&blob), error);
}

typedef struct Pbes2 {
    const char *cipher; /* libcrypto's name */
    size_t key_len, block_len;
    LyBytes iv, salt;
    bool scrypt;
    LyHash hash;
    uint64_t iterations, n, r, p, asked_len; /* asked_len 0: not said */
} Pbes2;

static bool unsupported(LyBytes oid, const char *what, LyError *error)
{
    char text[100];
    return ly_error_set(error, LY_ERROR_UNSUPPORTED,
                        "the key is encrypted with the %s %s, which is not known", what,
                        ly_der_oid_text(oid, text));
}

static bool get_kdf(LyReader *reader, Pbes2 *pbes2, LyError *error)
{
    static const struct {
        const char *oid;
        LyHash hash;
    } hashes[] = {{OID_HMAC_SHA1, LY_SHA1},
                  {OID_HMAC_SHA256, LY_SHA256},
                  {OID_HMAC_SHA384, LY_SHA384},
                  {OID_HMAC_SHA512, LY_SHA512}};
    LyReader kdf = ly_der_get_sequence(reader);
    LyBytes oid = ly_der_get(&kdf, LY_DER_OID);
    pbes2->scrypt = ly_bytes_is(oid, OID_SCRYPT);
    if (!kdf.failed && !pbes2->scrypt && !ly_bytes_is(oid, OID_PBKDF2))
        return unsupported(oid, "key derivation", error);
    LyReader values = ly_der_get_sequence(&kdf);
    pbes2->salt = ly_der_get(&values, LY_DER_OCTET_STRING);
    if (pbes2->scrypt) {
        pbes2->n = ly_der_get_number(&values, UINT64_MAX);
        pbes2->r = ly_der_get_number(&values, UINT32_MAX);
        pbes2->p = ly_der_get_number(&values, UINT32_MAX);
    } else {
        pbes2->iterations = ly_der_get_number(&values, UINT64_MAX);
    }
    if (ly_der_next_is(&values, LY_DER_INTEGER))
        pbes2->asked_len = ly_der_get_number(&values, 1024);
    pbes2->hash = LY_SHA1; /* RFC 8018's default */
    if (!pbes2->scrypt && ly_der_next_is(&values, LY_DER_SEQUENCE)) {
        LyReader prf = ly_der_get_sequence(&values);
        LyBytes prf_oid = ly_der_get(&prf, LY_DER_OID);
        size_t i = 0;
        while (i < LY_COUNT(hashes) && !ly_bytes_is(prf_oid, hashes[i].oid))
            i++;
        if (i == LY_COUNT(hashes))
            return unsupported(prf_oid, "pseudo-random function", error);
        pbes2->hash = hashes[i].hash;
    }
    if (!ly_reader_done(&values) || !ly_reader_done(&kdf))
        return ly_error_set(error, LY_ERROR_INVALID, "the parameters of the key derivation are malformed");
    return true;
}

static bool get_cipher(LyReader *reader, Pbes2 *pbes2, LyError *error)
{
    static const struct {
        const char *oid, *name;
        uint8_t key_len, block_len;
    } ciphers[] = {{OID_AES128_CBC, "AES-128-CBC", 16, 16},
                   {OID_AES192_CBC, "AES-192-CBC", 24, 16},
                   {OID_AES256_CBC, "AES-256-CBC", 32, 16},
                   {OID_DES_EDE3_CBC, "DES-EDE3-CBC", 24, 8}};
    LyReader scheme = ly_der_get_sequence(reader);
    LyBytes oid = ly_der_get(&scheme, LY_DER_OID);
    size_t i = 0;
    while (i < LY_COUNT(ciphers) && !ly_bytes_is(oid, ciphers[i].oid))
        i++;
    if (i == LY_COUNT(ciphers) && !scheme.failed)
        return unsupported(oid, "cipher", error);
    pbes2->iv = ly_der_get(&scheme, LY_DER_OCTET_STRING);
    if (!ly_reader_done(&scheme) || pbes2->iv.len != ciphers[i].block_len)
        return ly_error_set(error, LY_ERROR_INVALID, "the parameters of the cipher are malformed");
    pbes2->cipher = ciphers[i].name;
    pbes2->key_len = ciphers[i].key_len;
    pbes2->block_len = ciphers[i].block_len;
    return true;
}

static bool check_costs(const Pbes2 *pbes2, uint64_t max_iterations, uint64_t max_memory, LyError *error)
{
    if (!pbes2->scrypt) {
        if (pbes2->iterations == 0)
            return ly_error_set(error, LY_ERROR_INVALID, "the key derivation has no iterations");
        if (pbes2->iterations > max_iterations)
            return ly_error_set(error, LY_ERROR_LIMIT,
                                "the key asks for %llu PBKDF2 iterations, and %llu are allowed",
                                (unsigned long long)pbes2->iterations, (unsigned long long)max_iterations);
        return true;
    }
    if (pbes2->n < 2 || (pbes2->n & (pbes2->n - 1)) || pbes2->r == 0 || pbes2->p == 0)
        return ly_error_set(error, LY_ERROR_INVALID, "the costs of scrypt are malformed");
    /* 128 N r bytes, and p times that much work: both are bounded by the same number. */
    uint64_t units = max_memory / 128;
    if (pbes2->n > units || pbes2->r > units / pbes2->n || pbes2->p > units / (pbes2->n * pbes2->r))
        return ly_error_set(
            error, LY_ERROR_LIMIT,
            "the key asks for scrypt with N=%llu, r=%llu, p=%llu, which is more than %llu bytes",
            (unsigned long long)pbes2->n, (unsigned long long)pbes2->r, (unsigned long long)pbes2->p,
            (unsigned long long)max_memory);
    return true;
}

bool ly_key_decrypt_pkcs8(LyCrypto *crypto, LyBytes der, const LyKeyReadOptions *options, LyBuf *plain,
                          LyError *error)
{
    LyReader outer = ly_reader(der), reader = ly_der_get_sequence(&outer),
             scheme = ly_der_get_sequence(&reader);
    LyBytes in = ly_der_get(&reader, LY_DER_OCTET_STRING), oid = ly_der_get(&scheme, LY_DER_OID);
    Pbes2 pbes2 = {0};
    if (!ly_reader_done(&reader) || !ly_reader_done(&outer) || scheme.failed)
        return ly_error_set(error, LY_ERROR_INVALID, MALFORMED);
    if (!ly_bytes_is(oid, OID_PBES2))
        return unsupported(oid, "scheme", error);
    LyReader parameters = ly_der_get_sequence(&scheme);
    if (!get_kdf(&parameters, &pbes2, error) || !get_cipher(&parameters, &pbes2, error))
        return false;
    if (!ly_reader_done(&parameters) || !ly_reader_done(&scheme) || in.len == 0 || in.len % pbes2.block_len ||
        pbes2.salt.len > 1024 || (pbes2.asked_len && pbes2.asked_len != pbes2.key_len))
        return ly_error_set(error, LY_ERROR_INVALID, MALFORMED);
    if (!options->have_passphrase)
        return ly_key_needs_passphrase(error);
    uint64_t max_memory = (options->max_memory_kib ? options->max_memory_kib : DEFAULT_MEMORY_KIB) * 1024;
    if (!check_costs(&pbes2,
                     options->max_pbkdf2_iterations ? options->max_pbkdf2_iterations : DEFAULT_ITERATIONS,
                     max_memory, error))
        return false;
    uint8_t *key = ly_secret_alloc(pbes2.key_len);
    bool good = pbes2.scrypt ? ly_scrypt(crypto, options->passphrase, pbes2.salt, pbes2.n, (uint32_t)pbes2.r,
                                         (uint32_t)pbes2.p, max_memory * 2, key, pbes2.key_len, error)
                             : ly_pbkdf2(crypto, pbes2.hash, options->passphrase, pbes2.salt,
                                         (uint32_t)pbes2.iterations, key, pbes2.key_len, error);
    good = good && ly_cipher_once(crypto, ly_bytes_str(pbes2.cipher), false, ly_bytes(key, pbes2.key_len),
                                  pbes2.iv, in, plain, error);
    ly_secret_free(key);
    if (!good)
        return false;
    return ly_key_unpad_der(plain, pbes2.block_len) || ly_key_wrong_passphrase(error);
}
