/* ssh.com's private keys: RSA and DSA, plain or encrypted with 3des-cbc. The format has no check value. */
#include "base/auto.h"
#include "base/secret.h"
#include "crypto/cipher.h"
#include "crypto/kdf.h"
#include "key/key-private.h"
#include "key/read-private.h"

#define MAGIC 0x3f6ff9ebu
#define BLOCK_LEN 8
#define KEY_LEN 24

/* A number: uint32 length in bits, then the bytes. */
static LyBytes get_number(LyReader *reader)
{
    uint32_t bits = ly_get_u32(reader);
    LyBytes value = ly_get_bytes(reader, bits / 8 + (bits % 8 != 0)); /* (bits + 7) / 8 would wrap */
    value = ly_magnitude(value);
    if (value.len > 16384 / 8)
        reader->failed = true;
    return reader->failed ? (LyBytes){0} : value;
}

/* Its p is our q and the other way round: the coefficient is the inverse of p modulo q there. */
static void get_rsa(LyReader *reader, LyKeyNumbers *numbers)
{
    numbers->e = get_number(reader);
    numbers->d = get_number(reader);
    numbers->n = get_number(reader);
    numbers->iqmp = get_number(reader);
    numbers->q = get_number(reader);
    numbers->p = get_number(reader);
}

static void get_dsa(LyReader *reader, LyKeyNumbers *numbers)
{
    if (ly_get_u32(reader) != 0) /* other values name predefined parameters, which nobody has seen */
        reader->failed = true;
    numbers->p = get_number(reader);
    numbers->g = get_number(reader);
    numbers->q = get_number(reader);
    numbers->y = get_number(reader);
    numbers->x = get_number(reader);
}

static const struct {
    const char *start; /* of the type: the rest names the schemes it is for */
    const char *name;
    void (*get)(LyReader *reader, LyKeyNumbers *numbers);
} types[] = {{"if-modn{sign{rsa-", "ssh-rsa", get_rsa}, {"dl-modp{sign{dsa-", "ssh-dss", get_dsa}};

static bool decrypt(LyCrypto *crypto, LyBytes in, const LyKeyReadOptions *options, LyBuf *plain,
                    LyError *error)
{
    static const uint8_t zero[BLOCK_LEN];
    if (in.len == 0 || in.len % BLOCK_LEN)
        return ly_error_set(error, LY_ERROR_INVALID,
                            "the encrypted part has %zu bytes, which is no multiple of %d", in.len,
                            BLOCK_LEN);
    if (!options->have_passphrase || options->public_only) /* which is not shown */
        return ly_key_needs_passphrase(error);
    uint8_t *key = ly_secret_alloc(KEY_LEN + LY_HASH_MAX);
    LyBytes parts[] = {options->passphrase, ly_bytes(key, 16)};
    bool good = ly_hash(crypto, LY_MD5, parts, 1, key) && ly_hash(crypto, LY_MD5, parts, 2, key + 16);
    if (!good)
        ly_error_set(error, LY_ERROR_CRYPTO, "the crypto library has no MD5, which this key needs");
    good = good && ly_cipher_once(crypto, LY_BYTES("3des-cbc"), false, ly_bytes(key, KEY_LEN),
                                  ly_bytes(zero, sizeof zero), in, plain, error);
    ly_secret_free(key);
    return good;
}

static LyKey *read_payload(LyCrypto *crypto, LyBytes type, LyReader *reader, LyError *error)
{
    LyKeyNumbers numbers = {0};
    size_t i = 0;
    while (i < LY_COUNT(types) && !ly_bytes_starts_with(type, types[i].start))
        i++;
    if (i == LY_COUNT(types)) {
        ly_error_set(error, LY_ERROR_UNSUPPORTED, "the ssh.com key type \"%s\" is not known",
                     LY_PRINTABLE(type));
        return NULL;
    }
    numbers.type = ly_key_type_find(ly_bytes_str(types[i].name), NULL);
    LyReader payload = ly_reader(ly_get_string(reader));
    types[i].get(&payload, &numbers);
    if (reader->failed || reader->len >= BLOCK_LEN || !ly_reader_done(&payload)) {
        ly_error_set(error, LY_ERROR_INVALID, "the private numbers of the %s key are malformed or cut short",
                     types[i].name);
        return NULL;
    }
    return ly_key_new_numbers(crypto, &numbers, (LyBytes){0}, error);
}

bool ly_key_read_sshcom(LyCrypto *crypto, LyBytes label, LyBytes body, const LyKeyReadOptions *options,
                        LyKeyFile *file, LyError *error)
{
    LY_AUTO(ly_buf_free)
    LyBuf binary = LY_BUF(LY_KEY_TEXT_LIMIT), plain = LY_BUF(LY_KEY_TEXT_LIMIT), comment = {0};
    LyKeyEntry *entry = &file->entries[file->count - 1];
    LyError why = {0};
    entry->has_private = true;
    if (!ly_key_read_ssh2_headers(&body, &comment, error) ||
        !ly_key_get_base64(body, true, "key", &binary, error))
        return false;
    LyReader reader = ly_reader(ly_buf_bytes(&binary));
    uint32_t magic = ly_get_u32(&reader);
    ly_get_u32(&reader); /* the total length, which no reader looks at */
    LyBytes type = ly_get_string(&reader), cipher = ly_get_string(&reader);
    LyBytes private_part = ly_get_string(&reader);
    if (magic != MAGIC && binary.len >= 4)
        return ly_error_set(error, LY_ERROR_INVALID, "the key starts with 0x%08x instead of 0x%08x", magic,
                            MAGIC);
    if (!ly_reader_done(&reader))
        return ly_error_set(error, LY_ERROR_INVALID, "the key is %s at byte %zu",
                            reader.failed ? "cut short" : "followed by other bytes",
                            reader.data ? (size_t)(reader.data - binary.data) : 0);
    if (!ly_bytes_is(cipher, "none")) {
        ly_key_entry_encrypted(entry, cipher);
        if (!ly_bytes_is(cipher, "3des-cbc")) {
            ly_error_set(&entry->error, LY_ERROR_UNSUPPORTED,
                         "the key is encrypted with \"%s\", which is not known", LY_PRINTABLE(cipher));
            return true;
        }
        entry->kdf.name = "md5";
        if (!decrypt(crypto, private_part, options, &plain, &why))
            return ly_key_entry_closed(entry, &why, error);
        private_part = ly_buf_bytes(&plain);
    }
    reader = ly_reader(private_part);
    entry->key = read_payload(crypto, type, &reader, entry->encrypted ? &why : error);
    if (!entry->key && !entry->encrypted)
        return false;
    if (!entry->key) {
        if (why.code == LY_ERROR_INVALID)
            ly_key_wrong_passphrase(&why);
        return ly_key_entry_closed(entry, &why, error);
    }
    if (comment.len)
        ly_key_set_comment(entry->key, ly_buf_bytes(&comment));
    return true;
}
