/* openssh-key-v1 (OpenSSH's PROTOCOL.key). */
#include "base/auto.h"
#include "base/secret.h"
#include "crypto/cipher.h"
#include "crypto/kdf.h"
#include "key/key-private.h"
#include "key/read-private.h"

#define KEYS_LIMIT 256

typedef struct Envelope {
    LyBytes cipher, kdf, kdf_options, salt, private_part, tag;
    LyReader public_blobs; /* `count` strings */
    uint32_t count, rounds;
    bool plain;
    size_t key_len, iv_len, block_len;
} Envelope;

static bool get_envelope(LyBytes binary, Envelope *envelope, LyReader *reader, LyError *error)
{
    static const char magic[] = "openssh-key-v1"; /* with its NUL */
    if (!ly_bytes_equal(ly_get_bytes(reader, sizeof magic), ly_bytes(magic, sizeof magic)))
        return ly_error_set(error, LY_ERROR_INVALID, "the key does not start with \"%s\"", magic);
    envelope->cipher = ly_get_string(reader);
    envelope->kdf = ly_get_string(reader);
    envelope->kdf_options = ly_get_string(reader);
    envelope->count = ly_get_u32(reader);
    if (!reader->failed && (envelope->count < 1 || envelope->count > KEYS_LIMIT))
        return ly_error_set(error, LY_ERROR_INVALID,
                            "the file says that it holds %u keys, and 1 to %u are read", envelope->count,
                            KEYS_LIMIT);
    envelope->public_blobs = *reader;
    for (uint32_t i = 0; i < envelope->count; i++)
        ly_get_string(reader);
    envelope->private_part = ly_get_string(reader);
    if (reader->failed)
        return ly_error_set(error, LY_ERROR_INVALID, "the key is cut short at byte %zu",
                            (size_t)(reader->data - binary.data));
    /* ssh-keygen -Z none names a key derivation all the same; the private part is in the clear. */
    envelope->plain = ly_bytes_is(envelope->cipher, "none");
    return true;
}

static void describe(const Envelope *envelope, LyKeyEntry *entry)
{
    entry->has_private = true;
    if (envelope->plain)
        return;
    ly_key_entry_encrypted(entry, envelope->cipher);
    if (ly_bytes_is(envelope->kdf, "bcrypt"))
        entry->kdf = (LyKeyKdf){.name = "bcrypt", .rounds = envelope->rounds};
}

/* What must be known before anything is derived. */
static bool check_envelope(LyCrypto *crypto, Envelope *envelope, LyReader *reader, LyError *error)
{
    size_t tag_len = 0, len = envelope->private_part.len;
    envelope->block_len = 8;
    if (!envelope->plain && !ly_bytes_is(envelope->kdf, "bcrypt"))
        return ly_error_set(error, LY_ERROR_UNSUPPORTED, "the key derivation \"%s\" is not known",
                            LY_PRINTABLE(envelope->kdf));
    if (!envelope->plain && (!ly_cipher_find(envelope->cipher) ||
                             !ly_cipher_once_lengths(crypto, envelope->cipher, &envelope->key_len,
                                                     &envelope->iv_len, &envelope->block_len, &tag_len)))
        return ly_error_set(error, LY_ERROR_UNSUPPORTED,
                            "the key is encrypted with \"%s\", which is not known",
                            LY_PRINTABLE(envelope->cipher));
    envelope->tag = ly_get_bytes(reader, tag_len);
    if (!ly_reader_done(reader))
        return ly_error_set(error, LY_ERROR_INVALID,
                            reader->failed ? "the key is cut short in its tag"
                                           : "the key is followed by other bytes");
    if (len < envelope->block_len || len % envelope->block_len)
        return ly_error_set(error, LY_ERROR_INVALID,
                            "the private part has %zu bytes, which is no multiple of %zu", len,
                            envelope->block_len);
    if (!envelope->plain && (envelope->salt.len == 0 || envelope->salt.len > 1024 || envelope->rounds == 0))
        return ly_error_set(error, LY_ERROR_INVALID,
                            "the salt or the rounds of the key derivation are malformed");
    return true;
}

static bool decrypt(LyCrypto *crypto, const Envelope *envelope, const LyKeyReadOptions *options, LyBuf *plain,
                    LyError *error)
{
    uint32_t max = ly_key_max_bcrypt(options);
    if (envelope->rounds > max)
        return ly_error_set(error, LY_ERROR_LIMIT, "the key asks for %u bcrypt rounds, and %u are allowed",
                            envelope->rounds, max);
    if (!options->have_passphrase)
        return ly_key_needs_passphrase(error);
    if (options->passphrase.len == 0) /* bcrypt_pbkdf has no such thing */
        return ly_key_wrong_passphrase(error);
    size_t len = envelope->key_len + envelope->iv_len;
    uint8_t *derived = ly_secret_alloc(len);
    LY_AUTO(ly_buf_free) LyBuf in = {0};
    LyError reason = {0};
    ly_buf_add(&in, envelope->private_part);
    ly_buf_add(&in, envelope->tag);
    bool good = ly_bcrypt_pbkdf(crypto, options->passphrase, envelope->salt, envelope->rounds, derived, len,
                                &reason) &&
                ly_cipher_once(crypto, envelope->cipher, false, ly_bytes(derived, envelope->key_len),
                               ly_bytes(derived + envelope->key_len, envelope->iv_len), ly_buf_bytes(&in),
                               plain, &reason);
    ly_secret_free(derived);
    if (good)
        return true;
    return reason.code == LY_ERROR_VERIFY ? ly_key_wrong_passphrase(error)
                                          : ly_error_set(error, reason.code, "%s", reason.message);
}

static bool is_shown(LyCrypto *crypto, LyBytes blob, const LyKey *key, LyError *error)
{
    if (ly_bytes_equal(blob, ly_key_blob(key)))
        return true;
    LyKey *shown = ly_key_new_public(crypto, blob, error); /* mpints may have superfluous zeros */
    bool same = shown && ly_key_equal_public(shown, key);
    if (shown && !same)
        ly_error_set(error, LY_ERROR_INVALID,
                     "the public key in the header is not the one of the private part");
    ly_key_unref(shown);
    return same;
}

/* One entry a key; the padding 1, 2, 3... follows them. */
static bool read_private_part(LyCrypto *crypto, const Envelope *envelope, LyBytes plain, LyKeyEntry *entries,
                              LyError *error)
{
    LyReader reader = ly_reader(plain), shown = envelope->public_blobs;
    uint32_t check = ly_get_u32(&reader), again = ly_get_u32(&reader);
    if (reader.failed || check != again) {
        if (envelope->plain)
            return ly_error_set(error, LY_ERROR_INVALID,
                                "the private part is damaged: its two check numbers differ");
        return ly_key_wrong_passphrase(error);
    }
    for (uint32_t i = 0; i < envelope->count; i++) {
        LyKey *key = entries[i].key = ly_key_new_private(crypto, &reader, (LyBytes){0}, error);
        if (!key)
            return false;
        LyBytes comment = ly_get_string(&reader);
        if (reader.failed)
            return ly_error_set(error, LY_ERROR_INVALID,
                                "the private part is cut short: its comment is missing");
        if (comment.len)
            ly_key_set_comment(key, comment);
        if (!is_shown(crypto, ly_get_string(&shown), key, error))
            return false;
    }
    for (size_t i = 0; i < reader.len; i++) {
        if (reader.data[i] != (uint8_t)(i + 1))
            return ly_error_set(error, LY_ERROR_INVALID,
                                "the padding behind the private key is damaged at its byte %zu", i);
    }
    return true;
}

static bool read_public_parts(LyCrypto *crypto, const Envelope *envelope, LyKeyEntry *entries, LyError *error)
{
    LyReader shown = envelope->public_blobs;
    for (uint32_t i = 0; i < envelope->count; i++) {
        entries[i].key = ly_key_new_public(crypto, ly_get_string(&shown), error);
        if (!entries[i].key)
            return false;
    }
    return true;
}

static bool read_keys(LyCrypto *crypto, Envelope *envelope, LyReader *reader, const LyKeyReadOptions *options,
                      LyKeyEntry *entries, LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf plain = LY_BUF(LY_KEY_TEXT_LIMIT);
    LyError why = {0};
    if (check_envelope(crypto, envelope, reader, &why)) {
        if (envelope->plain)
            return read_private_part(crypto, envelope, envelope->private_part, entries, error);
        if (options->public_only)
            return read_public_parts(crypto, envelope, entries, error);
        if (decrypt(crypto, envelope, options, &plain, &why) &&
            read_private_part(crypto, envelope, ly_buf_bytes(&plain), entries, &why))
            return true;
    }
    /* Closed: the public halves are shown all the same. */
    for (uint32_t i = 0; i < envelope->count; i++) {
        ly_key_unref(entries[i].key);
        entries[i].key = NULL;
        if (!ly_key_entry_closed(&entries[i], &why, error))
            return false;
        if (options->public_only)
            entries[i].error = (LyError){0};
    }
    return read_public_parts(crypto, envelope, entries, error);
}

bool ly_key_read_openssh(LyCrypto *crypto, LyBytes label, LyBytes body, const LyKeyReadOptions *options,
                         LyKeyFile *file, LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf binary = LY_BUF(LY_KEY_TEXT_LIMIT);
    Envelope envelope = {0};
    size_t index = file->count - 1;
    if (!ly_key_get_base64(body, true, "key", &binary, error))
        return false;
    LyReader reader = ly_reader(ly_buf_bytes(&binary));
    if (!get_envelope(ly_buf_bytes(&binary), &envelope, &reader, error))
        return false;
    LyReader kdf = ly_reader(envelope.kdf_options);
    envelope.salt = ly_get_string(&kdf);
    envelope.rounds = ly_get_u32(&kdf);
    if (!ly_reader_done(&kdf))
        envelope.rounds = 0;
    describe(&envelope, &file->entries[index]);
    for (uint32_t i = 1; i < envelope.count; i++) {
        LyKeyEntry *entry = ly_key_file_add(file); /* which may move the others */
        *entry = file->entries[index];
    }
    if (read_keys(crypto, &envelope, &reader, options, &file->entries[index], error))
        return true;
    for (size_t i = index; i < file->count; i++)
        ly_key_unref(file->entries[i].key);
    file->entries[index].key = NULL;
    file->count = index + 1;
    return false;
}
