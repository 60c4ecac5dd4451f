/* openssh-key-v1 (OpenSSH's PROTOCOL.key). */
#include "base/auto.h"
#include "base/base64.h"
#include "base/secret.h"
#include "crypto/cipher.h"
#include "crypto/kdf.h"
#include "key/write-private.h"

#define SALT_LEN 16
#define COLUMNS 70
#define DEFAULT_ROUNDS 24

/* Encrypts what is private, and writes the header that tells how. */
static bool put_encrypted(LyCrypto *crypto, LyBytes private_part, const LyKeyWriteOptions *options,
                          LyBytes cipher, LyBytes blob, LyBuf *binary, LyError *error)
{
    size_t key_len = 0, iv_len = 0, block_len, tag_len = 0;
    uint8_t salt[SALT_LEN];
    uint32_t rounds = options->kdf.rounds ? options->kdf.rounds : DEFAULT_ROUNDS;
    if (options->kdf.name && strcmp(options->kdf.name, "bcrypt") != 0)
        return ly_error_set(error, LY_ERROR_UNSUPPORTED,
                            "an openssh-key-v1 file has no key derivation \"%s\": bcrypt would do",
                            options->kdf.name);
    if (rounds > LY_KEY_WRITE_BCRYPT_MAX)
        return ly_error_set(error, LY_ERROR_INVALID, "%u bcrypt rounds are too many: %u would do", rounds,
                            LY_KEY_WRITE_BCRYPT_MAX);
    if (!ly_cipher_once_lengths(crypto, cipher, &key_len, &iv_len, &block_len, &tag_len))
        return ly_error_set(error, LY_ERROR_CRYPTO, "libcrypto does not know the cipher \"%s\"",
                            LY_PRINTABLE(cipher));
    ly_crypto_random(crypto, salt, sizeof salt);
    uint8_t *derived = ly_secret_alloc(key_len + iv_len);
    LY_AUTO(ly_buf_free) LyBuf sealed = {0};
    bool good = ly_bcrypt_pbkdf(crypto, options->passphrase, ly_bytes(salt, sizeof salt), rounds, derived,
                                key_len + iv_len, error) &&
                ly_cipher_once(crypto, cipher, true, ly_bytes(derived, key_len),
                               ly_bytes(derived + key_len, iv_len), private_part, &sealed, error);
    ly_secret_free(derived);
    if (!good)
        return false;
    ly_put_string(binary, cipher);
    ly_put_cstring(binary, "bcrypt");
    size_t mark = ly_put_string_begin(binary);
    ly_put_string(binary, ly_bytes(salt, sizeof salt));
    ly_put_u32(binary, rounds);
    ly_put_string_end(binary, mark);
    ly_put_u32(binary, 1);
    ly_put_string(binary, blob);
    /* The tag stands behind the string and is not counted in it. */
    ly_put_string(binary, ly_bytes_slice(ly_buf_bytes(&sealed), 0, sealed.len - tag_len));
    ly_buf_add(binary, ly_bytes_slice(ly_buf_bytes(&sealed), sealed.len - tag_len, tag_len));
    return true;
}

bool ly_key_put_openssh(LyCrypto *crypto, LyKey *key, LyKeyFormat format, const LyKeyWriteOptions *options,
                        LyBuf *out, LyError *error)
{
    static const char magic[] = "openssh-key-v1"; /* with its NUL */
    bool encrypted = options->passphrase.len;
    LyBytes cipher = ly_bytes_str(encrypted && options->cipher ? options->cipher : "aes256-ctr");
    size_t key_len, iv_len, block_len = 8, tag_len;
    LY_AUTO(ly_buf_free) LyBuf private_part = {0}, binary = {0};
    if (encrypted && (!ly_cipher_find(cipher) ||
                      !ly_cipher_once_lengths(crypto, cipher, &key_len, &iv_len, &block_len, &tag_len)))
        return ly_error_set(error, LY_ERROR_UNSUPPORTED,
                            "the cipher \"%s\" is not known: aes256-ctr would do", LY_PRINTABLE(cipher));
    uint32_t check;
    ly_crypto_random(crypto, &check, sizeof check);
    ly_put_u32(&private_part, check);
    ly_put_u32(&private_part, check);
    ly_key_put_private(key, &private_part);
    ly_put_string(&private_part, ly_key_comment(key));
    for (uint8_t pad = 1; private_part.len % block_len; pad++)
        ly_put_u8(&private_part, pad);

    ly_buf_add(&binary, ly_bytes(magic, sizeof magic));
    if (!encrypted) {
        ly_put_cstring(&binary, "none");
        ly_put_cstring(&binary, "none");
        ly_put_string(&binary, (LyBytes){0});
        ly_put_u32(&binary, 1);
        ly_put_string(&binary, ly_key_blob(key));
        ly_put_string(&binary, ly_buf_bytes(&private_part));
    } else if (!put_encrypted(crypto, ly_buf_bytes(&private_part), options, cipher, ly_key_blob(key), &binary,
                              error)) {
        return false;
    }
    ly_buf_add_str(out, "-----BEGIN OPENSSH PRIVATE KEY-----\n");
    ly_base64_encode(out, ly_buf_bytes(&binary), COLUMNS);
    ly_buf_add_str(out, "-----END OPENSSH PRIVATE KEY-----\n");
    return true;
}
