/* openssh-key-v1 (OpenSSH's PROTOCOL.key). */
#include "base/auto.h"
#include "base/base64.h"
#include "base/secret.h"
#include "crypto/cipher.h"
#include "crypto/kdf.h"
#include "key/read-private.h"

#define KEYS_LIMIT 256
#define DEFAULT_ROUNDS 1000

typedef struct Envelope {
    LyBytes cipher, kdf, kdf_options, public_blob, private_part, tag;
    uint32_t count;
    size_t key_len, iv_len, block_len;
} Envelope;

static bool is_plain(const Envelope *envelope)
{
    return ly_bytes_is(envelope->cipher, "none");
}

static bool read_envelope(LyCrypto *crypto, LyBytes binary, Envelope *envelope, LyError *error)
{
    static const char magic[] = "openssh-key-v1"; /* with its NUL */
    LyReader reader = ly_reader(binary);
    size_t tag_len = 0;
    if (!ly_bytes_equal(ly_get_bytes(&reader, sizeof magic), ly_bytes(magic, sizeof magic)))
        return ly_error_set(error, LY_ERROR_INVALID, "the key does not start with \"%s\"", magic);
    envelope->cipher = ly_get_string(&reader);
    envelope->kdf = ly_get_string(&reader);
    envelope->kdf_options = ly_get_string(&reader);
    envelope->count = ly_get_u32(&reader);
    if (reader.failed)
        return ly_error_set(error, LY_ERROR_INVALID, "the key's header is cut short");
    if (envelope->count < 1 || envelope->count > KEYS_LIMIT)
        return ly_error_set(error, LY_ERROR_INVALID, "the file says that it holds %u keys", envelope->count);
    envelope->public_blob = ly_get_string(&reader);
    for (uint32_t i = 1; i < envelope->count; i++)
        ly_get_string(&reader);
    if (is_plain(envelope)) {
        envelope->block_len = 8;
        if (!ly_bytes_is(envelope->kdf, "none") || envelope->kdf_options.len)
            return ly_error_set(error, LY_ERROR_INVALID,
                                "the key is not encrypted, yet it names the key derivation \"%s\"",
                                LY_PRINTABLE(envelope->kdf));
    } else if (!ly_bytes_is(envelope->kdf, "bcrypt")) {
        return ly_error_set(error, LY_ERROR_UNSUPPORTED, "the key derivation \"%s\" is not known",
                            LY_PRINTABLE(envelope->kdf));
    } else if (!ly_cipher_find(envelope->cipher) ||
               !ly_cipher_once_lengths(crypto, envelope->cipher, &envelope->key_len, &envelope->iv_len,
                                       &envelope->block_len, &tag_len)) {
        return ly_error_set(error, LY_ERROR_UNSUPPORTED,
                            "the key is encrypted with \"%s\", which is not known",
                            LY_PRINTABLE(envelope->cipher));
    }
    envelope->private_part = ly_get_string(&reader);
    envelope->tag = ly_get_bytes(&reader, tag_len);
    if (!ly_reader_done(&reader))
        return ly_error_set(error, LY_ERROR_INVALID, "the key is %s",
                            reader.failed ? "cut short" : "followed by other bytes");
    size_t len = envelope->private_part.len;
    if (len < envelope->block_len || len % envelope->block_len)
        return ly_error_set(error, LY_ERROR_INVALID,
                            "the private part has %zu bytes, which is no multiple of %zu", len,
                            envelope->block_len);
    return true;
}

static bool decrypt(LyCrypto *crypto, const Envelope *envelope, const LyKeyReadOptions *options, LyBuf *plain,
                    LyError *error)
{
    if (is_plain(envelope)) {
        ly_buf_add(plain, envelope->private_part);
        return true;
    }
    LyReader reader = ly_reader(envelope->kdf_options);
    LyBytes salt = ly_get_string(&reader);
    uint32_t rounds = ly_get_u32(&reader),
             max = options->max_bcrypt_rounds ? options->max_bcrypt_rounds : DEFAULT_ROUNDS;
    if (!ly_reader_done(&reader) || salt.len == 0 || salt.len > 1024 || rounds == 0)
        return ly_error_set(error, LY_ERROR_INVALID,
                            "the salt or the rounds of the key derivation are malformed");
    if (!options->have_passphrase || options->passphrase.len == 0)
        return ly_key_needs_passphrase(error);
    if (rounds > max)
        return ly_error_set(error, LY_ERROR_LIMIT, "the key asks for %u bcrypt rounds, and %u are allowed",
                            rounds, max);
    size_t len = envelope->key_len + envelope->iv_len;
    uint8_t *derived = ly_secret_alloc(len);
    LY_AUTO(ly_buf_free) LyBuf in = {0};
    LyError reason = {0};
    ly_buf_add(&in, envelope->private_part);
    ly_buf_add(&in, envelope->tag);
    bool good = ly_bcrypt_pbkdf(crypto, options->passphrase, salt, rounds, derived, len, &reason) &&
                ly_cipher_once(crypto, envelope->cipher, false, ly_bytes(derived, envelope->key_len),
                               ly_bytes(derived + envelope->key_len, envelope->iv_len), ly_buf_bytes(&in),
                               plain, &reason);
    ly_secret_free(derived);
    if (good)
        return true;
    return reason.code == LY_ERROR_VERIFY ? ly_key_wrong_passphrase(error)
                                          : ly_error_set(error, reason.code, "%s", reason.message);
}

/* The first key of the private part; the others, and the padding 1, 2, 3..., must be well-formed. */
static LyKey *read_private_part(LyCrypto *crypto, const Envelope *envelope, LyBytes plain, LyError *error)
{
    LyReader reader = ly_reader(plain);
    uint32_t check = ly_get_u32(&reader), again = ly_get_u32(&reader);
    if (reader.failed || check != again) {
        if (is_plain(envelope))
            ly_error_set(error, LY_ERROR_INVALID,
                         "the private part is damaged: its two check numbers differ");
        else
            ly_key_wrong_passphrase(error);
        return NULL;
    }
    LyKey *first = NULL;
    LyBytes first_comment = {0};
    bool good = true;
    for (uint32_t i = 0; i < envelope->count && good; i++) {
        LyKey *key = ly_key_new_private(crypto, &reader, (LyBytes){0}, error);
        LyBytes comment = ly_get_string(&reader);
        good = key && !reader.failed;
        if (key && reader.failed)
            ly_error_set(error, LY_ERROR_INVALID, "the private part is cut short: its comment is missing");
        if (i == 0) {
            first = key;
            first_comment = comment;
        } else {
            ly_key_unref(key);
        }
    }
    for (size_t i = 0; i < reader.len && good; i++) {
        if (reader.data[i] != (uint8_t)(i + 1))
            good = ly_error_set(error, LY_ERROR_INVALID,
                                "the padding behind the private key is damaged at byte %zu", i);
    }
    LyKey *shown = good ? ly_key_new_public(crypto, envelope->public_blob, error) : NULL;
    if (shown && !ly_key_equal_public(shown, first))
        good = ly_error_set(error, LY_ERROR_INVALID,
                            "the public key in the header is not the one of the private part");
    LyKey *result = good && shown ? ly_key_new_commented(first, first_comment) : NULL;
    ly_key_unref(shown);
    ly_key_unref(first);
    return result;
}

LyKey *ly_key_read_openssh(LyCrypto *crypto, LyBytes label, LyBytes body, const LyKeyReadOptions *options,
                           bool public_only, LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf binary = LY_BUF(LY_KEY_TEXT_LIMIT), plain = LY_BUF(LY_KEY_TEXT_LIMIT);
    Envelope envelope = {0};
    if (!ly_base64_decode(&binary, body, true)) {
        ly_error_set(error, LY_ERROR_INVALID, "the base64 text of the key is damaged or cut short");
        return NULL;
    }
    if (!read_envelope(crypto, ly_buf_bytes(&binary), &envelope, error))
        return NULL;
    if (public_only && !is_plain(&envelope))
        return ly_key_new_public(crypto, envelope.public_blob, error);
    if (!decrypt(crypto, &envelope, options, &plain, error))
        return NULL;
    return read_private_part(crypto, &envelope, ly_buf_bytes(&plain), error);
}
