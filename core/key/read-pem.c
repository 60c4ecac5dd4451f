/* PEM (RFC 1421, RFC 7468): the headers, DEK-Info encryption, and the choice of the DER form by the label. */
#include "base/auto.h"
#include "base/secret.h"
#include "base/hex.h"
#include "crypto/cipher.h"
#include "crypto/kdf.h"
#include "key/der.h"
#include "key/read-private.h"
#include "key/text.h"

/* DEK-Info's names, which are libcrypto's too. */
static const struct {
    const char *name;
    uint8_t key_len, block_len;
} dek_ciphers[] = {
    {"AES-128-CBC", 16, 16}, {"AES-192-CBC", 24, 16}, {"AES-256-CBC", 32, 16}, {"DES-EDE3-CBC", 24, 8}};

typedef struct PemHeaders {
    bool encrypted;
    LyBytes dek_cipher, dek_iv; /* the IV in hexadecimal */
} PemHeaders;

/* "Name: value" lines stand before the base64 text, which has no colon. */
static void read_headers(LyBytes *body, PemHeaders *headers)
{
    LyBytes rest = *body, line, name, value;
    while (ly_text_line(&rest, &line)) {
        line = ly_bytes_trim(line);
        if (line.len && !ly_bytes_split(line, ':', &name, &value))
            return;
        *body = rest;
        if (line.len == 0)
            continue;
        value = ly_bytes_trim(value);
        if (ly_bytes_is(name, "Proc-Type"))
            headers->encrypted = ly_bytes_starts_with(value, "4,ENCRYPTED");
        else if (ly_bytes_is(name, "DEK-Info") &&
                 ly_bytes_split(value, ',', &headers->dek_cipher, &headers->dek_iv))
            headers->dek_iv = ly_bytes_trim(headers->dek_iv);
    }
}

bool ly_key_unpad_der(LyBuf *plain, size_t block_len)
{
    size_t padding = plain->len ? plain->data[plain->len - 1] : 0;
    if (padding == 0 || padding > block_len || padding > plain->len)
        return false;
    for (size_t i = 1; i <= padding; i++)
        if (plain->data[plain->len - i] != padding)
            return false;
    plain->len -= padding;
    LyReader reader = ly_reader(ly_buf_bytes(plain));
    ly_der_get(&reader, LY_DER_SEQUENCE);
    return ly_reader_done(&reader);
}

static bool decrypt(LyCrypto *crypto, const PemHeaders *headers, LyBytes in, const LyKeyReadOptions *options,
                    LyBuf *plain, LyError *error)
{
    size_t i = 0;
    uint8_t iv[16];
    while (i < LY_COUNT(dek_ciphers) && !ly_bytes_is(headers->dek_cipher, dek_ciphers[i].name))
        i++;
    if (i == LY_COUNT(dek_ciphers))
        return ly_error_set(error, LY_ERROR_UNSUPPORTED,
                            "the key is encrypted with \"%s\", which is not known",
                            LY_PRINTABLE(headers->dek_cipher));
    size_t key_len = dek_ciphers[i].key_len, block_len = dek_ciphers[i].block_len;
    if (!ly_hex_read(headers->dek_iv, iv, block_len))
        return ly_error_set(error, LY_ERROR_INVALID, "the IV in DEK-Info is not %zu hexadecimal digits",
                            2 * block_len);
    if (in.len == 0 || in.len % block_len)
        return ly_error_set(error, LY_ERROR_INVALID,
                            "the encrypted part has %zu bytes, which is no multiple of %zu", in.len,
                            block_len);
    if (!options->have_passphrase || options->public_only) /* which is not shown */
        return ly_key_needs_passphrase(error);
    uint8_t *key = ly_secret_alloc(key_len);
    bool good = ly_pem_kdf(crypto, options->passphrase, ly_bytes(iv, 8), key, key_len, error) &&
                ly_cipher_once(crypto, headers->dek_cipher, false, ly_bytes(key, key_len),
                               ly_bytes(iv, block_len), in, plain, error);
    ly_secret_free(key);
    if (!good)
        return false;
    return ly_key_unpad_der(plain, block_len) || ly_key_wrong_passphrase(error);
}

static LyKey *read_der(LyCrypto *crypto, LyBytes label, LyBytes der, LyError *error)
{
    if (ly_bytes_is(label, "RSA PRIVATE KEY"))
        return ly_key_read_pkcs1(crypto, der, error);
    if (ly_bytes_is(label, "EC PRIVATE KEY"))
        return ly_key_read_sec1(crypto, der, -1, (LyBytes){0}, error);
    if (ly_bytes_is(label, "DSA PRIVATE KEY"))
        return ly_key_read_dsa(crypto, der, error);
    if (ly_bytes_is(label, "PUBLIC KEY"))
        return ly_key_read_spki(crypto, der, error);
    if (ly_bytes_is(label, "RSA PUBLIC KEY"))
        return ly_key_read_pkcs1_public(crypto, der, error);
    return ly_key_read_pkcs8(crypto, der, error);
}

bool ly_key_read_pem(LyCrypto *crypto, LyBytes label, LyBytes body, const LyKeyReadOptions *options,
                     LyKeyFile *file, LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf binary = LY_BUF(LY_KEY_TEXT_LIMIT), plain = LY_BUF(LY_KEY_TEXT_LIMIT);
    LyKeyEntry *entry = &file->entries[file->count - 1];
    PemHeaders headers = {0};
    LyError why = {0};
    bool pbes2 = ly_bytes_is(label, "ENCRYPTED PRIVATE KEY");
    read_headers(&body, &headers);
    entry->has_private = !ly_bytes_is(label, "PUBLIC KEY") && !ly_bytes_is(label, "RSA PUBLIC KEY");
    headers.encrypted &= entry->has_private && !pbes2;
    if (headers.encrypted) {
        ly_key_entry_encrypted(entry, headers.dek_cipher);
        entry->kdf.name = "md5";
    }
    if (!ly_key_get_base64(body, true, "key", &binary, error))
        return false;
    LyBytes der = ly_buf_bytes(&binary);
    if (pbes2 && !ly_key_decrypt_pkcs8(crypto, der, options, entry, &plain, &why))
        return ly_key_entry_closed(entry, &why, error);
    if (headers.encrypted && !decrypt(crypto, &headers, der, options, &plain, &why))
        return ly_key_entry_closed(entry, &why, error);
    if (!entry->encrypted)
        return (entry->key = read_der(crypto, label, der, error)) != NULL;
    entry->key = read_der(crypto, label, ly_buf_bytes(&plain), &why);
    if (entry->key)
        return true;
    /* One wrong passphrase in thousands leaves the look of padding and of a SEQUENCE. */
    if (why.code == LY_ERROR_INVALID)
        ly_key_wrong_passphrase(&why);
    return ly_key_entry_closed(entry, &why, error);
}
