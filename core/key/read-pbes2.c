/* Encrypted PKCS#8: PBES2 (RFC 8018) with PBKDF2 or scrypt (RFC 7914). */
#include "base/auto.h"
#include "base/secret.h"
#include "crypto/cipher.h"
#include "crypto/kdf.h"
#include "key/der.h"
#include "key/oids.h"
#include "key/read-private.h"

#define MALFORMED "the PKCS#8 structure of the encrypted key is malformed or cut short"

typedef struct Pbes2 {
    const char *cipher; /* libcrypto's name */
    size_t key_len, block_len;
    LyBytes iv, salt;
    bool scrypt;
    LyHash hash;
    uint64_t iterations, n, r, p, asked_len; /* asked_len 0: not said */
} Pbes2;

/* A product, or UINT64_MAX where it does not fit. */
static uint64_t product(uint64_t a, uint64_t b)
{
    return b && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

static bool unsupported(LyBytes oid, const char *what, LyError *error)
{
    char text[100];
    return ly_error_set(error, LY_ERROR_UNSUPPORTED,
                        "the key is encrypted with the %s %s, which is not known", what,
                        ly_der_oid_text(oid, text));
}

static bool get_kdf(LyReader *reader, Pbes2 *pbes2, LyKeyKdf *kdf_shown, LyError *error)
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
        *kdf_shown = (LyKeyKdf){.name = "scrypt",
                                .memory_kib = product(pbes2->n, pbes2->r) / 8,
                                .passes = 1,
                                .lanes = (uint32_t)pbes2->p};
    } else {
        pbes2->iterations = ly_der_get_number(&values, UINT64_MAX);
        *kdf_shown = (LyKeyKdf){.name = "pbkdf2", .iterations = pbes2->iterations};
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

static bool get_cipher(LyReader *reader, Pbes2 *pbes2, LyKeyEntry *entry, LyError *error)
{
    static const struct {
        const char *oid, *name, *shown;
        uint8_t key_len, block_len;
    } ciphers[] = {{OID_AES128_CBC, "AES-128-CBC", "aes128-cbc", 16, 16},
                   {OID_AES192_CBC, "AES-192-CBC", "aes192-cbc", 24, 16},
                   {OID_AES256_CBC, "AES-256-CBC", "aes256-cbc", 32, 16},
                   {OID_DES_EDE3_CBC, "DES-EDE3-CBC", "3des-cbc", 24, 8}};
    char text[100];
    LyReader scheme = ly_der_get_sequence(reader);
    LyBytes oid = ly_der_get(&scheme, LY_DER_OID);
    size_t i = 0;
    while (i < LY_COUNT(ciphers) && !ly_bytes_is(oid, ciphers[i].oid))
        i++;
    ly_key_entry_encrypted(
        entry, ly_bytes_str(i < LY_COUNT(ciphers) ? ciphers[i].shown : ly_der_oid_text(oid, text)));
    if (i == LY_COUNT(ciphers) && !scheme.failed)
        return unsupported(oid, "cipher", error);
    pbes2->iv = ly_der_get(&scheme, LY_DER_OCTET_STRING);
    if (i == LY_COUNT(ciphers) || !ly_reader_done(&scheme) || pbes2->iv.len != ciphers[i].block_len)
        return ly_error_set(error, LY_ERROR_INVALID, "the parameters of the cipher are malformed");
    pbes2->cipher = ciphers[i].name;
    pbes2->key_len = ciphers[i].key_len;
    pbes2->block_len = ciphers[i].block_len;
    return true;
}

static bool check_costs(const Pbes2 *pbes2, const LyKeyReadOptions *options, LyError *error)
{
    uint64_t max_iterations = LY_MIN(ly_key_max_pbkdf2(options), (uint64_t)INT32_MAX),
             max_memory = ly_key_max_memory(options), max_passes = ly_key_max_memory_passes(options);
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
    /* 128 N r bytes at once, p times over; and 128 r p bytes that the lanes start from. */
    uint64_t units = product(pbes2->n, pbes2->r), start = product(pbes2->r, pbes2->p);
    if (units > product(max_memory, 8) || start > product(max_memory, 8) ||
        product(units, pbes2->p) > product(max_passes, 8))
        return ly_error_set(
            error, LY_ERROR_LIMIT,
            "the key asks for scrypt with N=%llu, r=%llu, p=%llu, which is more than %llu KiB "
            "of memory or %llu KiB of memory times p",
            (unsigned long long)pbes2->n, (unsigned long long)pbes2->r, (unsigned long long)pbes2->p,
            (unsigned long long)max_memory, (unsigned long long)max_passes);
    return true;
}

bool ly_key_decrypt_pkcs8(LyCrypto *crypto, LyBytes der, const LyKeyReadOptions *options, LyKeyEntry *entry,
                          LyBuf *plain, LyError *error)
{
    LyReader outer = ly_reader(der), reader = ly_der_get_sequence(&outer),
             scheme = ly_der_get_sequence(&reader);
    LyBytes in = ly_der_get(&reader, LY_DER_OCTET_STRING), oid = ly_der_get(&scheme, LY_DER_OID);
    Pbes2 pbes2 = {0};
    if (!ly_reader_done(&reader) || !ly_reader_done(&outer) || scheme.failed)
        return ly_error_set(error, LY_ERROR_INVALID, MALFORMED);
    if (!ly_bytes_is(oid, OID_PBES2)) {
        char text[100];
        ly_key_entry_encrypted(entry, ly_bytes_str(ly_der_oid_text(oid, text)));
        return unsupported(oid, "scheme", error);
    }
    LyReader parameters = ly_der_get_sequence(&scheme);
    if (!get_kdf(&parameters, &pbes2, &entry->kdf, error) || !get_cipher(&parameters, &pbes2, entry, error))
        return false;
    if (!ly_reader_done(&parameters) || !ly_reader_done(&scheme) || in.len == 0 || in.len % pbes2.block_len ||
        pbes2.salt.len > 1024 || (pbes2.asked_len && pbes2.asked_len != pbes2.key_len))
        return ly_error_set(error, LY_ERROR_INVALID, MALFORMED);
    if (!check_costs(&pbes2, options, error))
        return false;
    if (!options->have_passphrase || options->public_only) /* which is not shown */
        return ly_key_needs_passphrase(error);
    uint64_t max_memory = product(ly_key_max_memory(options), 3 * 1024);
    uint8_t *key = ly_secret_alloc(pbes2.key_len);
    bool good = pbes2.scrypt ? ly_scrypt(crypto, options->passphrase, pbes2.salt, pbes2.n, (uint32_t)pbes2.r,
                                         (uint32_t)pbes2.p, max_memory, key, pbes2.key_len, error)
                             : ly_pbkdf2(crypto, pbes2.hash, options->passphrase, pbes2.salt,
                                         (uint32_t)pbes2.iterations, key, pbes2.key_len, error);
    good = good && ly_cipher_once(crypto, ly_bytes_str(pbes2.cipher), false, ly_bytes(key, pbes2.key_len),
                                  pbes2.iv, in, plain, error);
    ly_secret_free(key);
    if (!good)
        return false;
    return ly_key_unpad_der(plain, pbes2.block_len) || ly_key_wrong_passphrase(error);
}
