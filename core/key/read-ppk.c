/* PPK 1, 2 and 3 in. The order of the lines is fixed; what stands behind the last one is not looked at. */
#include "base/auto.h"
#include "base/base64.h"
#include "base/secret.h"
#include "base/hex.h"
#include "key/ppk.h"
#include "key/read-private.h"

#define SALT_LIMIT 1024 /* bytes */

typedef struct Lines {
    LyBytes rest;
    unsigned number; /* of the line taken last */
} Lines;

typedef struct File {
    LyPpk ppk;
    bool is_hash; /* version 1: a digest stands where the MAC would */
    LyBuf public_blob, salt, private_part, mac;
} File;

static void file_clear(File *file)
{
    ly_buf_free(&file->public_blob);
    ly_buf_free(&file->salt);
    ly_buf_free(&file->private_part);
    ly_buf_free(&file->mac);
}

/* A line that ends in LF, CR or CRLF. */
static bool next_line(Lines *lines, LyBytes *line)
{
    LyBytes text = lines->rest;
    size_t len = 0;
    if (text.len == 0)
        return false;
    while (len < text.len && text.data[len] != '\n' && text.data[len] != '\r')
        len++;
    size_t end = len + 1;
    if (end < text.len && text.data[len] == '\r' && text.data[end] == '\n')
        end++;
    *line = ly_bytes_slice(text, 0, len);
    lines->rest = ly_bytes_slice(text, end, text.len);
    lines->number++;
    return true;
}

/* "name: value"; the value with its trailing blanks, which belong to a comment. */
static bool split_header(LyBytes line, LyBytes *name, LyBytes *value)
{
    while (line.len && (line.data[0] == ' ' || line.data[0] == '\t'))
        line = ly_bytes_slice(line, 1, line.len);
    if (!ly_bytes_split(line, ':', name, value) || (value->len && value->data[0] != ' '))
        return false;
    *value = ly_bytes_slice(*value, 1, value->len);
    return true;
}

static bool get_raw_header(Lines *lines, const char *wanted, LyBytes *value, LyError *error)
{
    LyBytes line, name;
    if (!next_line(lines, &line))
        return ly_error_set(error, LY_ERROR_INVALID, "the PPK file is cut short: \"%s\" is missing", wanted);
    if (!split_header(line, &name, value) || !ly_bytes_is(name, wanted))
        return ly_error_set(error, LY_ERROR_INVALID, "line %u of the PPK file is not \"%s\"", lines->number,
                            wanted);
    return true;
}

static bool get_header(Lines *lines, const char *wanted, LyBytes *value, LyError *error)
{
    if (!get_raw_header(lines, wanted, value, error))
        return false;
    *value = ly_bytes_trim(*value);
    return true;
}

static bool get_number(Lines *lines, const char *wanted, uint32_t *number, LyError *error)
{
    LyBytes text;
    uint64_t value;
    if (!get_header(lines, wanted, &text, error))
        return false;
    if (!ly_bytes_number(text, UINT32_MAX, &value))
        return ly_error_set(error, LY_ERROR_INVALID, "%s is \"%s\" and no number that PPK has", wanted,
                            LY_PRINTABLE(text));
    *number = (uint32_t)value;
    return true;
}

/* A count of lines, then so many lines of base64. */
static bool get_base64(Lines *lines, const char *wanted, LyBuf *bytes, LyError *error)
{
    uint32_t count;
    LyBytes line;
    if (!get_number(lines, wanted, &count, error))
        return false;
    LyBytes text = lines->rest;
    for (uint32_t i = 0; i < count; i++) {
        if (!next_line(lines, &line))
            return ly_error_set(error, LY_ERROR_INVALID,
                                "the PPK file is cut short: %s is %u, and %u lines follow", wanted, count, i);
    }
    text.len -= lines->rest.len;
    return ly_base64_decode(bytes, text, true) ||
           ly_error_set(error, LY_ERROR_INVALID, "the base64 text behind %s, up to line %u, is damaged",
                        wanted, lines->number);
}

static bool decode_hex(LyBytes text, const char *name, LyBuf *bytes, LyError *error)
{
    size_t len = text.len / 2;
    uint8_t *room = ly_buf_room(bytes, len);
    if (!room || !ly_hex_read(text, room, len))
        return ly_error_set(error, LY_ERROR_INVALID, "%s is not hexadecimal, or cut short", name);
    ly_buf_added(bytes, len);
    return true;
}

static bool get_version(Lines *lines, LyPpk *ppk, LyError *error)
{
    static const char start[] = "PuTTY-User-Key-File-";
    LyBytes line, name, value;
    uint64_t version;
    if (!next_line(lines, &line) || !split_header(line, &name, &value) || !ly_bytes_starts_with(name, start))
        return ly_error_set(error, LY_ERROR_INVALID, "the PPK file does not begin with \"%s\"", start);
    name = ly_bytes_slice(name, sizeof start - 1, name.len);
    if (!ly_bytes_number(name, 3, &version) || version == 0 || name.len != 1)
        return ly_error_set(error, LY_ERROR_UNSUPPORTED, "version \"%s\" of PPK is not known: 1, 2 and 3 are",
                            LY_PRINTABLE(name));
    ppk->version = (unsigned)version;
    ppk->type = ly_bytes_trim(value);
    return true;
}

static bool get_kdf(Lines *lines, File *file, LyError *error)
{
    LyKeyKdf *kdf = &file->ppk.kdf;
    LyBytes name, salt;
    LyArgon2Costs costs;
    if (!get_header(lines, "Key-Derivation", &name, error))
        return false;
    const LyPpkKdf *found = ly_ppk_kdf_find(name);
    if (!found || !ly_bytes_is(name, found->name))
        return ly_error_set(error, LY_ERROR_UNSUPPORTED,
                            "the key derivation \"%s\" of the PPK file is not known", LY_PRINTABLE(name));
    if (!get_number(lines, "Argon2-Memory", &costs.memory_kib, error) ||
        !get_number(lines, "Argon2-Passes", &costs.passes, error) ||
        !get_number(lines, "Argon2-Parallelism", &costs.lanes, error) || !ly_argon2_check(&costs, error) ||
        !get_header(lines, "Argon2-Salt", &salt, error) ||
        !decode_hex(salt, "Argon2-Salt", &file->salt, error))
        return false;
    if (file->salt.len < 8 || file->salt.len > SALT_LIMIT)
        return ly_error_set(error, LY_ERROR_INVALID, "Argon2-Salt has %zu bytes, and 8 to %u are allowed",
                            file->salt.len, SALT_LIMIT);
    kdf->name = found->kdf;
    kdf->memory_kib = costs.memory_kib;
    kdf->passes = costs.passes;
    kdf->lanes = costs.lanes;
    file->ppk.salt = ly_buf_bytes(&file->salt);
    return true;
}

static bool get_mac(Lines *lines, File *file, LyError *error)
{
    Lines ahead = *lines;
    LyBytes line, name, value;
    const char *wanted = "Private-MAC";
    if (file->ppk.version == 1 && next_line(&ahead, &line) && split_header(line, &name, &value) &&
        ly_bytes_is(name, "Private-Hash")) {
        wanted = "Private-Hash";
        file->is_hash = true;
    }
    return get_header(lines, wanted, &value, error) && decode_hex(value, wanted, &file->mac, error);
}

static bool read_file(LyBytes text, File *file, LyError *error)
{
    LyPpk *ppk = &file->ppk;
    Lines lines = {.rest = text};
    LyBytes cipher;
    if (!get_version(&lines, ppk, error) || !get_header(&lines, "Encryption", &cipher, error))
        return false;
    ppk->encrypted = ly_bytes_is(cipher, "aes256-cbc");
    if (!ppk->encrypted && !ly_bytes_is(cipher, "none"))
        return ly_error_set(error, LY_ERROR_UNSUPPORTED,
                            "the PPK file is encrypted with \"%s\", which is not known",
                            LY_PRINTABLE(cipher));
    if (!get_raw_header(&lines, "Comment", &ppk->comment, error))
        return false;
    /* PuTTY's comment, and what its MAC covers, would end there. */
    if (ly_bytes_has_nul(ppk->comment))
        return ly_error_set(error, LY_ERROR_INVALID, "the comment of the PPK file has a NUL in it");
    if (!get_base64(&lines, "Public-Lines", &file->public_blob, error))
        return false;
    ppk->public_blob = ly_buf_bytes(&file->public_blob);
    if (ppk->encrypted && ppk->version == 3) {
        if (!get_kdf(&lines, file, error))
            return false;
    } else if (ppk->encrypted) {
        ppk->kdf.name = "sha1";
    }
    if (!get_base64(&lines, "Private-Lines", &file->private_part, error) || !get_mac(&lines, file, error))
        return false;
    size_t len = file->private_part.len;
    if (ppk->encrypted && (len == 0 || len % LY_PPK_BLOCK))
        return ly_error_set(error, LY_ERROR_INVALID,
                            "the private part of the PPK file has %zu bytes, which is no multiple of %u", len,
                            LY_PPK_BLOCK);
    return true;
}

/* PuTTY writes the seed as a little-endian number: old versions left out zero bytes at its end. */
static bool get_seed(LyReader *reader, size_t len, uint8_t seed[57])
{
    LyBytes number = ly_get_string(reader);
    while (number.len && number.data[number.len - 1] == 0)
        number.len--;
    if (reader->failed || number.len > len)
        return false;
    memset(seed, 0, len);
    if (number.len)
        memcpy(seed, number.data, number.len);
    return true;
}

/* Version 1 ends a DSA key with a digest of its parameters, which its MAC does not cover. */
static bool get_dsa_digest(LyCrypto *crypto, LyReader *reader, const LyKeyNumbers *numbers)
{
    LyBytes digest = ly_get_string(reader);
    LY_AUTO(ly_buf_free) LyBuf data = {0};
    uint8_t expected[LY_HASH_MAX];
    ly_put_mpint(&data, numbers->p);
    ly_put_mpint(&data, numbers->q);
    ly_put_mpint(&data, numbers->g);
    LyBytes all = ly_buf_bytes(&data);
    return !reader->failed && ly_hash(crypto, LY_SHA1, &all, 1, expected) &&
           ly_bytes_equal(digest, ly_bytes(expected, ly_hash_len(LY_SHA1)));
}

/* Numbers view `plain` and `seed`. */
static bool get_private_numbers(LyCrypto *crypto, const LyPpk *ppk, LyBytes plain, uint8_t seed[57],
                                LyKeyNumbers *numbers)
{
    LyReader reader = ly_reader(plain);
    size_t seed_len = numbers->type->pk == LY_PK_ED448 ? 57 : 32;
    bool good = true;
    switch (numbers->type->pk) {
    case LY_PK_RSA:
        numbers->d = ly_get_mpint(&reader);
        numbers->p = ly_get_mpint(&reader);
        numbers->q = ly_get_mpint(&reader);
        numbers->iqmp = ly_get_mpint(&reader);
        break;
    case LY_PK_DSA:
        numbers->x = ly_get_mpint(&reader);
        good = ppk->version > 1 || get_dsa_digest(crypto, &reader, numbers);
        break;
    case LY_PK_ECDSA:
        numbers->scalar = ly_get_mpint(&reader);
        break;
    case LY_PK_ED25519:
    case LY_PK_ED448:
        good = get_seed(&reader, seed_len, seed);
        numbers->seed = ly_bytes(seed, seed_len);
        break;
    }
    return good && !reader.failed && (ppk->encrypted ? reader.len < LY_PPK_BLOCK : reader.len == 0);
}

/* The whole key of its public half and the clear private part. */
static LyKey *make_key(LyCrypto *crypto, const LyPpk *ppk, LyKey *shown, LyBytes plain, LyError *error)
{
    LyKeyNumbers numbers = {0};
    LyKey *key = NULL;
    uint8_t *seed = ly_secret_alloc(57);
    ly_key_get_numbers(shown, &numbers);
    if (get_private_numbers(crypto, ppk, plain, seed, &numbers))
        key = ly_key_new_numbers(crypto, &numbers, ppk->comment, error);
    else
        ly_error_set(error, LY_ERROR_INVALID, "the private part of the PPK file is no %s key",
                     numbers.type->name);
    ly_secret_free(seed);
    if (key && ly_key_is_certificate(shown)) {
        LyKey *certified = ly_key_new_certified(key, ppk->public_blob, error);
        ly_key_unref(key);
        key = certified;
    }
    /* Nothing but the halves' fitting shows damage in the public half of version 1. */
    if (key && ppk->version == 1 && !ly_key_check(key, error)) {
        ly_key_unref(key);
        key = NULL;
    }
    return key;
}

static bool is_mac_right(LyCrypto *crypto, const File *file, const LyPpkKeys *keys, LyBytes plain)
{
    uint8_t mac[LY_HASH_MAX];
    size_t len = ly_hash_len(LY_SHA1);
    bool made = file->is_hash ? ly_hash(crypto, LY_SHA1, &plain, 1, mac)
                              : ly_ppk_mac(crypto, &file->ppk, keys, plain, mac, &len, NULL);
    return made && ly_bytes_equal_secret(ly_bytes(mac, len), ly_buf_bytes(&file->mac));
}

static bool check_costs(const LyKeyKdf *kdf, const LyKeyReadOptions *options, LyError *error)
{
    uint64_t memory = ly_key_max_memory(options), work = ly_key_max_memory_passes(options);
    if (kdf->memory_kib <= memory && kdf->memory_kib * kdf->passes <= work) /* 32 bits each */
        return true;
    return ly_error_set(error, LY_ERROR_LIMIT,
                        "the key asks for Argon2 with %llu KiB in %u passes, and %llu KiB and %llu in all "
                        "passes are allowed",
                        (unsigned long long)kdf->memory_kib, kdf->passes, (unsigned long long)memory,
                        (unsigned long long)work);
}

/* LY_ERROR_PASSPHRASE, LY_ERROR_LIMIT and LY_ERROR_CRYPTO say why a sound file stays closed. */
static LyKey *open_key(LyCrypto *crypto, const File *file, LyKey *shown, const LyKeyReadOptions *options,
                       LyError *error)
{
    const LyPpk *ppk = &file->ppk;
    if (ppk->encrypted && !options->have_passphrase) {
        ly_key_needs_passphrase(error);
        return NULL;
    }
    if (!check_costs(&ppk->kdf, options, error))
        return NULL;
    LY_AUTO(ly_buf_free) LyBuf plain = {0};
    LyPpkKeys *keys = ly_secret_alloc(sizeof *keys);
    bool good = ly_ppk_derive(crypto, ppk, options->passphrase, keys, error) &&
                ly_ppk_crypt(crypto, ppk, keys, false, ly_buf_bytes(&file->private_part), &plain, error);
    if (good && !is_mac_right(crypto, file, keys, ly_buf_bytes(&plain))) {
        good = false;
        if (ppk->encrypted)
            ly_key_wrong_passphrase(error);
        else
            ly_error_set(error, LY_ERROR_INVALID,
                         "the PPK file is damaged: its Private-%s does not match the rest",
                         file->is_hash ? "Hash" : "MAC");
    }
    ly_secret_free(keys);
    return good ? make_key(crypto, ppk, shown, ly_buf_bytes(&plain), error) : NULL;
}

/* The public half, which must be what the first line says. */
static LyKey *make_public(LyCrypto *crypto, const LyPpk *ppk, LyError *error)
{
    LyKey *key = ly_key_new_public(crypto, ppk->public_blob, error);
    if (!key)
        return NULL;
    LyKey *commented = NULL;
    if (!ly_bytes_is(ppk->type, ly_key_type_name(key)))
        ly_error_set(error, LY_ERROR_INVALID, "the PPK file says \"%s\", but its key is %s",
                     LY_PRINTABLE(ppk->type), ly_key_type_name(key));
    else if (ly_key_type(key)->sk)
        ly_error_set(error, LY_ERROR_UNSUPPORTED, "a PPK file cannot hold a key of the type %s",
                     ly_key_type_name(key));
    else
        commented = ly_key_new_commented(key, ppk->comment);
    ly_key_unref(key);
    return commented;
}

bool ly_key_read_ppk(LyCrypto *crypto, LyBytes text, const LyKeyReadOptions *options, LyKeyEntry *entry,
                     LyError *error)
{
    static const LyKeyFormat formats[] = {LY_KEY_PPK1, LY_KEY_PPK2, LY_KEY_PPK3};
    LY_AUTO(file_clear)
    File file = {.public_blob = LY_BUF(LY_KEY_TEXT_LIMIT), .private_part = LY_BUF(LY_KEY_TEXT_LIMIT)};
    if (text.len > LY_KEY_TEXT_LIMIT)
        return ly_error_set(error, LY_ERROR_LIMIT, "a key file of %zu bytes is refused: the limit is %zu",
                            text.len, LY_KEY_TEXT_LIMIT);
    if (ly_bytes_starts_with(text, "\xef\xbb\xbf"))
        text = ly_bytes_slice(text, 3, text.len);
    while (text.len && (text.data[0] == '\n' || text.data[0] == '\r'))
        text = ly_bytes_slice(text, 1, text.len);
    bool sound = read_file(text, &file, error);
    if (file.ppk.version) {
        entry->format = formats[file.ppk.version - 1];
        entry->has_private = true;
    }
    if (file.ppk.encrypted) {
        ly_key_entry_encrypted(entry, LY_BYTES("aes256-cbc"));
        entry->kdf = file.ppk.kdf;
    }
    LyKey *shown = sound ? make_public(crypto, &file.ppk, error) : NULL;
    if (!shown)
        return false;
    LyError reason = {0};
    bool closed = file.ppk.encrypted && options->public_only;
    LyKey *key = closed ? NULL : open_key(crypto, &file, shown, options, &reason);
    if (reason.code && !ly_key_entry_closed(entry, &reason, error)) {
        ly_key_unref(shown);
        return false;
    }
    entry->key = key ? key : shown;
    if (key)
        ly_key_unref(shown);
    return true;
}
