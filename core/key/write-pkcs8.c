/* PKCS#8 (RFC 5208, RFC 8410), its PBES2 encryption (RFC 8018, RFC 7914) and SubjectPublicKeyInfo (RFC
 * 5280 4.1). */
#include "base/auto.h"
#include "base/secret.h"
#include "crypto/kdf.h"
#include "key/der.h"
#include "key/oids.h"
#include "key/write-private.h"

#define SALT_LEN 16
#define DEFAULT_ITERATIONS 600000u
#define DEFAULT_SCRYPT_KIB (16u << 10)
#define SCRYPT_R 8u /* so that a KiB of memory is one N */

#define PUT_OID(out, literal) ly_der_put(out, LY_DER_OID, LY_BYTES(literal))

/* AlgorithmIdentifier. */
static void put_algorithm(const LyKeyNumbers *numbers, LyBuf *out)
{
    size_t mark = ly_der_put_begin(out, LY_DER_SEQUENCE), inner;
    switch (numbers->type->pk) {
    case LY_PK_RSA:
        PUT_OID(out, OID_RSA);
        ly_der_put(out, LY_DER_NULL, (LyBytes){0});
        break;
    case LY_PK_DSA:
        PUT_OID(out, OID_DSA);
        inner = ly_der_put_begin(out, LY_DER_SEQUENCE);
        ly_der_put_unsigned(out, numbers->p);
        ly_der_put_unsigned(out, numbers->q);
        ly_der_put_unsigned(out, numbers->g);
        ly_der_put_end(out, inner);
        break;
    case LY_PK_ECDSA:
        PUT_OID(out, OID_EC);
        ly_der_put(out, LY_DER_OID, ly_oid_of_curve(numbers->type->curve));
        break;
    case LY_PK_ED25519:
        PUT_OID(out, OID_ED25519);
        break;
    case LY_PK_ED448:
        PUT_OID(out, OID_ED448);
        break;
    }
    ly_der_put_end(out, mark);
}

static bool put_private_key_info(LyCrypto *crypto, const LyKeyNumbers *numbers, LyBuf *out, LyError *error)
{
    size_t mark = ly_der_put_begin(out, LY_DER_SEQUENCE);
    ly_der_put_number(out, 0);
    put_algorithm(numbers, out);
    size_t inner = ly_der_put_begin(out, LY_DER_OCTET_STRING);
    switch (numbers->type->pk) {
    case LY_PK_RSA:
        if (!ly_key_put_pkcs1(crypto, numbers, out, error))
            return false;
        break;
    case LY_PK_DSA:
        ly_der_put_unsigned(out, numbers->x);
        break;
    case LY_PK_ECDSA:
        ly_key_put_sec1(numbers, false, out);
        break;
    case LY_PK_ED25519:
    case LY_PK_ED448:
        ly_der_put(out, LY_DER_OCTET_STRING, numbers->seed);
        break;
    }
    ly_der_put_end(out, inner);
    ly_der_put_end(out, mark);
    return true;
}

/* Derives the key and puts the AlgorithmIdentifier that tells how. */
static bool put_pbkdf2(LyCrypto *crypto, const LyKeyWriteOptions *options, LyBytes salt, uint8_t *key,
                       size_t key_len, LyBuf *out, LyError *error)
{
    uint64_t iterations = options->kdf.iterations ? options->kdf.iterations : DEFAULT_ITERATIONS;
    if (iterations > LY_KEY_WRITE_PBKDF2_MAX)
        return ly_error_set(error, LY_ERROR_INVALID, "%llu PBKDF2 iterations are too many: %u would do",
                            (unsigned long long)iterations, LY_KEY_WRITE_PBKDF2_MAX);
    if (!ly_pbkdf2(crypto, LY_SHA256, options->passphrase, salt, (uint32_t)iterations, key, key_len, error))
        return false;
    size_t mark = ly_der_put_begin(out, LY_DER_SEQUENCE);
    PUT_OID(out, OID_PBKDF2);
    size_t parameters = ly_der_put_begin(out, LY_DER_SEQUENCE);
    ly_der_put(out, LY_DER_OCTET_STRING, salt);
    ly_der_put_number(out, iterations);
    size_t hash = ly_der_put_begin(out, LY_DER_SEQUENCE);
    PUT_OID(out, OID_HMAC_SHA256);
    ly_der_put(out, LY_DER_NULL, (LyBytes){0});
    ly_der_put_end(out, hash);
    ly_der_put_end(out, parameters);
    ly_der_put_end(out, mark);
    return true;
}

static bool put_scrypt(LyCrypto *crypto, const LyKeyWriteOptions *options, LyBytes salt, uint8_t *key,
                       size_t key_len, LyBuf *out, LyError *error)
{
    uint64_t kib = options->kdf.memory_kib ? options->kdf.memory_kib : DEFAULT_SCRYPT_KIB;
    uint32_t lanes = options->kdf.lanes ? options->kdf.lanes : 1;
    if (kib < 16 || kib > LY_KEY_WRITE_MEMORY_KIB_MAX || (kib & (kib - 1)))
        return ly_error_set(
            error, LY_ERROR_INVALID,
            "scrypt with %llu KiB of memory is not written: a power of two from 16 to %u would "
            "do",
            (unsigned long long)kib, LY_KEY_WRITE_MEMORY_KIB_MAX);
    if (lanes > LY_KEY_WRITE_MEMORY_KIB_MAX / kib)
        return ly_error_set(error, LY_ERROR_INVALID,
                            "scrypt with %u lanes of %llu KiB each is not written: %llu would do", lanes,
                            (unsigned long long)kib, (unsigned long long)(LY_KEY_WRITE_MEMORY_KIB_MAX / kib));
    /* Room for the lanes too, whose blocks stand beside the table. */
    uint64_t memory = (kib + lanes + 2) * 1024;
    if (!ly_scrypt(crypto, options->passphrase, salt, kib, SCRYPT_R, lanes, memory, key, key_len, error))
        return false;
    size_t mark = ly_der_put_begin(out, LY_DER_SEQUENCE);
    PUT_OID(out, OID_SCRYPT);
    size_t parameters = ly_der_put_begin(out, LY_DER_SEQUENCE);
    ly_der_put(out, LY_DER_OCTET_STRING, salt);
    ly_der_put_number(out, kib);
    ly_der_put_number(out, SCRYPT_R);
    ly_der_put_number(out, lanes);
    ly_der_put_end(out, parameters);
    ly_der_put_end(out, mark);
    return true;
}

static const struct {
    const char *name;
    bool (*put)(LyCrypto *crypto, const LyKeyWriteOptions *options, LyBytes salt, uint8_t *key,
                size_t key_len, LyBuf *out, LyError *error);
} kdfs[] = {{"pbkdf2", put_pbkdf2}, {"scrypt", put_scrypt}};

/* EncryptedPrivateKeyInfo. */
static bool put_encrypted(LyCrypto *crypto, LyBytes plain, const LyKeyWriteOptions *options, LyBuf *out,
                          LyError *error)
{
    uint8_t salt[SALT_LEN], iv[16];
    size_t i = 0;
    const LyPemCipher *cipher = ly_pem_cipher_find(options->cipher, error);
    if (!cipher)
        return false;
    while (i < LY_COUNT(kdfs) && options->kdf.name && strcmp(options->kdf.name, kdfs[i].name) != 0)
        i++;
    if (i == LY_COUNT(kdfs))
        return ly_error_set(error, LY_ERROR_UNSUPPORTED,
                            "a PKCS#8 file is not written with the key derivation \"%s\": pbkdf2 and scrypt "
                            "would do",
                            LY_PRINTABLE(ly_bytes_str(options->kdf.name)));
    LyBytes iv_bytes = ly_bytes(iv, cipher->block_len);
    ly_crypto_random(crypto, salt, sizeof salt);
    ly_crypto_random(crypto, iv, cipher->block_len);
    LY_AUTO(ly_buf_free) LyBuf sealed = {0}, kdf = {0};
    uint8_t *key = ly_secret_alloc(cipher->key_len);
    bool good =
        kdfs[i].put(crypto, options, ly_bytes(salt, sizeof salt), key, cipher->key_len, &kdf, error) &&
        ly_pem_encrypt(crypto, cipher, ly_bytes(key, cipher->key_len), iv_bytes, plain, &sealed, error);
    ly_secret_free(key);
    if (!good)
        return false;
    size_t mark = ly_der_put_begin(out, LY_DER_SEQUENCE), algorithm = ly_der_put_begin(out, LY_DER_SEQUENCE);
    PUT_OID(out, OID_PBES2);
    size_t parameters = ly_der_put_begin(out, LY_DER_SEQUENCE);
    ly_buf_add(out, ly_buf_bytes(&kdf));
    size_t scheme = ly_der_put_begin(out, LY_DER_SEQUENCE);
    ly_der_put(out, LY_DER_OID, cipher->oid);
    ly_der_put(out, LY_DER_OCTET_STRING, iv_bytes);
    ly_der_put_end(out, scheme);
    ly_der_put_end(out, parameters);
    ly_der_put_end(out, algorithm);
    ly_der_put(out, LY_DER_OCTET_STRING, ly_buf_bytes(&sealed));
    ly_der_put_end(out, mark);
    return true;
}

bool ly_key_put_pkcs8(LyCrypto *crypto, LyKey *key, LyKeyFormat format, const LyKeyWriteOptions *options,
                      LyBuf *out, LyError *error)
{
    LyKeyNumbers numbers = {0};
    LY_AUTO(ly_buf_free) LyBuf plain = {0}, sealed = {0};
    ly_key_get_numbers(key, &numbers);
    if (!put_private_key_info(crypto, &numbers, &plain, error))
        return false;
    if (!options->passphrase.len) {
        ly_put_pem(out, "PRIVATE KEY", NULL, ly_buf_bytes(&plain));
        return true;
    }
    if (!put_encrypted(crypto, ly_buf_bytes(&plain), options, &sealed, error))
        return false;
    ly_put_pem(out, "ENCRYPTED PRIVATE KEY", NULL, ly_buf_bytes(&sealed));
    return true;
}

bool ly_key_put_spki(const LyKey *key, LyBuf *out, LyError *error)
{
    LyKeyNumbers numbers = {0};
    LY_AUTO(ly_buf_free) LyBuf der = {0}, inner = {0};
    ly_key_get_numbers(key, &numbers);
    LyBytes content = ly_bytes(NULL, 0);
    switch (numbers.type->pk) {
    case LY_PK_RSA:
        ly_key_put_pkcs1_public(&numbers, &inner);
        content = ly_buf_bytes(&inner);
        break;
    case LY_PK_DSA:
        ly_der_put_unsigned(&inner, numbers.y);
        content = ly_buf_bytes(&inner);
        break;
    case LY_PK_ECDSA:
        content = numbers.point;
        break;
    case LY_PK_ED25519:
    case LY_PK_ED448:
        content = numbers.public_key;
        break;
    }
    size_t mark = ly_der_put_begin(&der, LY_DER_SEQUENCE);
    put_algorithm(&numbers, &der);
    ly_der_put_bits(&der, LY_DER_BIT_STRING, content);
    ly_der_put_end(&der, mark);
    ly_put_pem(out, "PUBLIC KEY", NULL, ly_buf_bytes(&der));
    return true;
}
