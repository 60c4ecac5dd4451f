/* PEM (RFC 1421, RFC 7468) and the traditional DER forms: PKCS#1, SEC1, OpenSSL's DSA. */
#include "base/auto.h"
#include "base/base64.h"
#include "base/secret.h"
#include "crypto/cipher.h"
#include "crypto/kdf.h"
#include "key/der.h"
#include "key/oids.h"
#include "key/write-private.h"

#define COLUMNS 64
#define IV_MAX 16

#define OID(literal)                                                                                         \
    {                                                                                                        \
        (const uint8_t *)(literal), sizeof(literal) - 1                                                      \
    }

const LyPemCipher *ly_pem_cipher_find(const char *name, LyError *error)
{
    static const LyPemCipher ciphers[] = {
        {"aes256-cbc", "AES-256-CBC", OID(OID_AES256_CBC), 32, 16},
        {"aes192-cbc", "AES-192-CBC", OID(OID_AES192_CBC), 24, 16},
        {"aes128-cbc", "AES-128-CBC", OID(OID_AES128_CBC), 16, 16},
        {"3des-cbc", "DES-EDE3-CBC", OID(OID_DES_EDE3_CBC), 24, 8},
    };
    if (!name)
        return &ciphers[0];
    for (size_t i = 0; i < LY_COUNT(ciphers); i++)
        if (strcmp(name, ciphers[i].name) == 0 || strcmp(name, ciphers[i].dek_name) == 0)
            return &ciphers[i];
    ly_error_set(error, LY_ERROR_UNSUPPORTED,
                 "the cipher \"%s\" is not written in this format: aes256-cbc, aes192-cbc, aes128-cbc and "
                 "3des-cbc are",
                 LY_PRINTABLE(ly_bytes_str(name)));
    return NULL;
}

bool ly_pem_encrypt(LyCrypto *crypto, const LyPemCipher *cipher, LyBytes key, LyBytes iv, LyBytes plain,
                    LyBuf *out, LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf padded = {0};
    uint8_t padding = (uint8_t)(cipher->block_len - plain.len % cipher->block_len);
    ly_buf_add(&padded, plain);
    for (uint8_t i = 0; i < padding; i++)
        ly_put_u8(&padded, padding);
    return ly_cipher_once(crypto, ly_bytes_str(cipher->dek_name), true, key, iv, ly_buf_bytes(&padded), out,
                          error);
}

void ly_put_pem(LyBuf *out, const char *label, const char *headers, LyBytes der)
{
    ly_buf_add_format(out, "-----BEGIN %s-----\n", label);
    if (headers)
        ly_buf_add_format(out, "%s\n", headers);
    ly_base64_encode(out, der, COLUMNS);
    ly_buf_add_format(out, "-----END %s-----\n", label);
}

bool ly_key_put_pkcs1(LyCrypto *crypto, const LyKeyNumbers *numbers, LyBuf *out, LyError *error)
{
    LyRsaNumbers rsa = {numbers->n, numbers->e, numbers->d, numbers->iqmp, numbers->p, numbers->q};
    LY_AUTO(ly_buf_free) LyBuf dp = {0}, dq = {0};
    if (!ly_pk_rsa_exponents(crypto, &rsa, &dp, &dq, error))
        return false;
    LyBytes all[] = {rsa.n, rsa.e, rsa.d, rsa.p, rsa.q, ly_buf_bytes(&dp), ly_buf_bytes(&dq), rsa.iqmp};
    size_t mark = ly_der_put_begin(out, LY_DER_SEQUENCE);
    ly_der_put_number(out, 0);
    for (size_t i = 0; i < LY_COUNT(all); i++)
        ly_der_put_unsigned(out, all[i]);
    ly_der_put_end(out, mark);
    return true;
}

void ly_key_put_pkcs1_public(const LyKeyNumbers *numbers, LyBuf *out)
{
    size_t mark = ly_der_put_begin(out, LY_DER_SEQUENCE);
    ly_der_put_unsigned(out, numbers->n);
    ly_der_put_unsigned(out, numbers->e);
    ly_der_put_end(out, mark);
}

void ly_key_put_sec1(const LyKeyNumbers *numbers, bool with_curve, LyBuf *out)
{
    int curve = numbers->type->curve;
    size_t mark = ly_der_put_begin(out, LY_DER_SEQUENCE);
    ly_der_put_number(out, 1);
    /* RFC 5915 section 3: as many bytes as the order has, so leading zeros stay. */
    size_t inner = ly_der_put_begin(out, LY_DER_OCTET_STRING);
    for (size_t len = numbers->scalar.len; len < ly_curve_len(curve); len++)
        ly_put_u8(out, 0);
    ly_buf_add(out, numbers->scalar);
    ly_der_put_end(out, inner);
    if (with_curve) {
        inner = ly_der_put_begin(out, LY_DER_CONTEXT_0);
        ly_der_put(out, LY_DER_OID, ly_oid_of_curve(curve));
        ly_der_put_end(out, inner);
    }
    inner = ly_der_put_begin(out, LY_DER_CONTEXT_1);
    ly_der_put_bits(out, LY_DER_BIT_STRING, numbers->point);
    ly_der_put_end(out, inner);
    ly_der_put_end(out, mark);
}

static void put_dsa(const LyKeyNumbers *numbers, LyBuf *out)
{
    LyBytes all[] = {numbers->p, numbers->q, numbers->g, numbers->y, numbers->x};
    size_t mark = ly_der_put_begin(out, LY_DER_SEQUENCE);
    ly_der_put_number(out, 0);
    for (size_t i = 0; i < LY_COUNT(all); i++)
        ly_der_put_unsigned(out, all[i]);
    ly_der_put_end(out, mark);
}

static bool put_encrypted(LyCrypto *crypto, const char *label, LyBytes der, const LyKeyWriteOptions *options,
                          LyBuf *out, LyError *error)
{
    const LyPemCipher *cipher = ly_pem_cipher_find(options->cipher, error);
    if (!cipher)
        return false;
    if (options->kdf.name && strcmp(options->kdf.name, "md5") != 0)
        return ly_error_set(
            error, LY_ERROR_UNSUPPORTED,
            "a PEM file has no key derivation but one round of MD5, and no \"%s\": the format "
            "pkcs8 or openssh would do",
            LY_PRINTABLE(ly_bytes_str(options->kdf.name)));
    uint8_t iv[IV_MAX];
    uint8_t *key = ly_secret_alloc(cipher->key_len);
    LY_AUTO(ly_buf_free) LyBuf sealed = {0}, headers = {0};
    ly_crypto_random(crypto, iv, cipher->block_len);
    bool good = ly_pem_kdf(crypto, options->passphrase, ly_bytes(iv, 8), key, cipher->key_len, error) &&
                ly_pem_encrypt(crypto, cipher, ly_bytes(key, cipher->key_len),
                               ly_bytes(iv, cipher->block_len), der, &sealed, error);
    ly_secret_free(key);
    if (!good)
        return false;
    ly_buf_add_format(&headers, "Proc-Type: 4,ENCRYPTED\nDEK-Info: %s,", cipher->dek_name);
    for (size_t i = 0; i < cipher->block_len; i++)
        ly_buf_add_format(&headers, "%02X", iv[i]);
    ly_buf_add_str(&headers, "\n");
    ly_put_pem(out, label, ly_buf_str(&headers), ly_buf_bytes(&sealed));
    return true;
}

bool ly_key_put_pem(LyCrypto *crypto, LyKey *key, LyKeyFormat format, const LyKeyWriteOptions *options,
                    LyBuf *out, LyError *error)
{
    static const char *const labels[] = {
        [LY_PK_RSA] = "RSA PRIVATE KEY", [LY_PK_DSA] = "DSA PRIVATE KEY", [LY_PK_ECDSA] = "EC PRIVATE KEY"};
    LyKeyNumbers numbers = {0};
    LY_AUTO(ly_buf_free) LyBuf der = {0};
    ly_key_get_numbers(key, &numbers);
    switch (numbers.type->pk) {
    case LY_PK_RSA:
        if (!ly_key_put_pkcs1(crypto, &numbers, &der, error))
            return false;
        break;
    case LY_PK_DSA:
        put_dsa(&numbers, &der);
        break;
    case LY_PK_ECDSA:
        ly_key_put_sec1(&numbers, true, &der);
        break;
    case LY_PK_ED25519:
    case LY_PK_ED448:
        return ly_error_set(error, LY_ERROR_UNSUPPORTED,
                            "the format pem has no form of %s keys: openssh or pkcs8 would do",
                            numbers.type->name);
    }
    const char *label = labels[numbers.type->pk];
    if (options->passphrase.len)
        return put_encrypted(crypto, label, ly_buf_bytes(&der), options, out, error);
    ly_put_pem(out, label, NULL, ly_buf_bytes(&der));
    return true;
}

bool ly_key_put_pem_public(const LyKey *key, LyBuf *out, LyError *error)
{
    LyKeyNumbers numbers = {0};
    LY_AUTO(ly_buf_free) LyBuf der = {0};
    if (ly_key_type(key)->pk != LY_PK_RSA)
        return ly_key_put_spki(key, out, error);
    ly_key_get_numbers(key, &numbers);
    ly_key_put_pkcs1_public(&numbers, &der);
    ly_put_pem(out, "RSA PUBLIC KEY", NULL, ly_buf_bytes(&der));
    return true;
}
