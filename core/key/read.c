#include "key/read.h"

#include "base/auto.h"
#include "base/base64.h"
#include "base/memory.h"
#include "key/key-private.h"
#include "key/read-private.h"

/* Derivations of one file that may cost what the options allow; each later one may cost a fraction, so that a
 * file of a thousand keys does not cost a thousand times as much. */
#define FULL_PRICE 4

bool ly_key_needs_passphrase(LyError *error)
{
    return ly_error_set(error, LY_ERROR_PASSPHRASE, "the key is encrypted and no passphrase was given");
}

bool ly_key_wrong_passphrase(LyError *error)
{
    return ly_error_set(error, LY_ERROR_PASSPHRASE,
                        "the passphrase is wrong, or the encrypted part is damaged");
}

static bool fail(LyError *error, const LyError *why)
{
    if (error)
        *error = *why;
    return false;
}

LyKeyEntry *ly_key_file_add(LyKeyFile *file)
{
    size_t count = file->count;
    if ((count & (count - 1)) == 0) /* the room doubles whenever a power of two is full */
        file->entries = ly_realloc(file->entries, (count ? 2 * count : 1) * sizeof *file->entries);
    file->entries[count] = (LyKeyEntry){0};
    file->count++;
    return &file->entries[count];
}

void ly_key_file_clear(LyKeyFile *file)
{
    for (size_t i = 0; i < file->count; i++)
        ly_key_unref(file->entries[i].key);
    ly_free(file->entries);
    *file = (LyKeyFile){0};
}

void ly_key_entry_encrypted(LyKeyEntry *entry, LyBytes cipher)
{
    entry->encrypted = entry->has_private = true;
    ly_printable(cipher, entry->cipher, sizeof entry->cipher);
}

bool ly_key_entry_closed(LyKeyEntry *entry, const LyError *why, LyError *error)
{
    if (why->code != LY_ERROR_PASSPHRASE && why->code != LY_ERROR_LIMIT && why->code != LY_ERROR_UNSUPPORTED)
        return fail(error, why);
    entry->error = *why;
    return true;
}

bool ly_key_get_base64(LyBytes text, bool skip_space, const char *what, LyBuf *out, LyError *error)
{
    if (ly_base64_decode(out, text, skip_space))
        return true;
    size_t digits = 0, padding = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i], letter = c | 0x20;
        if (skip_space && (c == ' ' || c == '\t' || c == '\r' || c == '\n'))
            continue;
        bool digit = (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
        padding += c == '=';
        digits += digit;
        if ((!digit && c != '=') || (digit && padding) || padding > 2)
            return ly_error_set(error, LY_ERROR_INVALID,
                                "the base64 text of the %s is damaged: \"%s\" is at its byte %zu", what,
                                LY_PRINTABLE(ly_bytes(&c, 1)), i);
    }
    return ly_error_set(error, LY_ERROR_INVALID, "the base64 text of the %s is %s after %zu characters", what,
                        (digits + padding) % 4 || digits == 0 ? "cut short" : "damaged at its end",
                        digits + padding);
}

/* ---- blocks between BEGIN and END ---- */

/* What may stand between BEGIN and END. A block without a reader is passed over; where no key follows, its
 * note is the error. */
static const struct {
    const char *label;
    LyKeyBlockReader *read;
    LyKeyFormat format;
    const char *note;
} blocks[] = {
    {"OPENSSH PRIVATE KEY", ly_key_read_openssh, LY_KEY_OPENSSH, NULL},
    {"RSA PRIVATE KEY", ly_key_read_pem, LY_KEY_PEM, NULL},
    {"EC PRIVATE KEY", ly_key_read_pem, LY_KEY_PEM, NULL},
    {"DSA PRIVATE KEY", ly_key_read_pem, LY_KEY_PEM, NULL},
    {"RSA PUBLIC KEY", ly_key_read_pem, LY_KEY_PEM, NULL},
    {"PRIVATE KEY", ly_key_read_pem, LY_KEY_PKCS8, NULL},
    {"ENCRYPTED PRIVATE KEY", ly_key_read_pem, LY_KEY_PKCS8, NULL},
    {"PUBLIC KEY", ly_key_read_pem, LY_KEY_SPKI, NULL},
    {"SSH2 PUBLIC KEY", ly_key_read_rfc4716, LY_KEY_RFC4716, NULL},
    {"SSH2 ENCRYPTED PRIVATE KEY", ly_key_read_sshcom, LY_KEY_SSHCOM, NULL},
    {"EC PARAMETERS", NULL, LY_KEY_PEM, "this names a curve only, and no key follows"},
    {"DSA PARAMETERS", NULL, LY_KEY_PEM, "these are DSA parameters only, and no key follows"},
    {"CERTIFICATE", NULL, LY_KEY_PEM, "this is an X.509 certificate and no SSH key"},
    {"TRUSTED CERTIFICATE", NULL, LY_KEY_PEM, "this is an X.509 certificate and no SSH key"},
    {"CERTIFICATE REQUEST", NULL, LY_KEY_PEM, "this is an X.509 certificate request and no SSH key"},
    {"PGP PRIVATE KEY BLOCK", NULL, LY_KEY_PEM, "this is a PGP key and no SSH key"},
    {"PGP PUBLIC KEY BLOCK", NULL, LY_KEY_PEM, "this is a PGP key and no SSH key"},
    {"SSH SIGNATURE", NULL, LY_KEY_PEM, "this is an SSH signature and no key"},
};

static const struct Armour {
    const char *begin, *tail, *end;
} armours[] = {{"-----BEGIN ", "-----", "-----END "}, {"---- BEGIN ", " ----", "---- END "}};

static bool find(LyBytes text, LyBytes what, size_t *at)
{
    size_t found = ly_bytes_find(text, what);
    if (found != SIZE_MAX)
        *at = found;
    return found != SIZE_MAX;
}

/* The next "-----BEGIN " or "---- BEGIN " from `start` on. */
static const struct Armour *find_begin(LyBytes text, size_t start, size_t *at)
{
    size_t step;
    while (find(ly_bytes_slice(text, start, text.len), LY_BYTES("BEGIN "), &step)) {
        size_t word = start + step;
        for (size_t i = 0; i < LY_COUNT(armours); i++) {
            size_t len = strlen(armours[i].begin), before = len - strlen("BEGIN ");
            if (word >= before && memcmp(text.data + word - before, armours[i].begin, len) == 0) {
                *at = word - before;
                return &armours[i];
            }
        }
        start = word + strlen("BEGIN ");
    }
    return NULL;
}

/* A BEGIN that starts a line, or any where the text is no file of key lines: their comments may say anything.
 */
static bool has_blocks(LyBytes text)
{
    size_t at, start = 0;
    bool any = false;
    while (find_begin(text, start, &at)) {
        size_t before = at;
        while (before > start && (text.data[before - 1] == ' ' || text.data[before - 1] == '\t'))
            before--;
        if (before == 0 || text.data[before - 1] == '\n' || text.data[before - 1] == '\r')
            return true;
        any = true;
        start = at + strlen("-----BEGIN ");
    }
    return any && !ly_key_starts_with_line(text);
}

typedef struct Block {
    const uint8_t *start;
    LyBytes label, body;
} Block;

/* Takes "-----BEGIN label-----body-----END label-----" off the text, wherever it starts and whatever ends its
 * lines. False where no block begins. A damaged one sets *why and ends the text. */
static bool next_block(LyBytes *text, Block *block, LyError *why)
{
    size_t begin, len, end;
    const struct Armour *armour = find_begin(*text, 0, &begin);
    if (!armour)
        return false;
    LyBytes rest = ly_bytes_slice(*text, begin + strlen(armour->begin), text->len);
    *block = (Block){.start = text->data + begin};
    *text = (LyBytes){0};
    if (!find(ly_bytes_slice(rest, 0, 64), ly_bytes_str(armour->tail), &len)) {
        ly_error_set(why, LY_ERROR_INVALID, "the BEGIN line is damaged");
        return true;
    }
    block->label = ly_bytes_slice(rest, 0, len);
    rest = ly_bytes_slice(rest, len + strlen(armour->tail), rest.len);
    uint8_t mark[100];
    size_t end_len = strlen(armour->end), tail_len = strlen(armour->tail),
           mark_len = end_len + len + tail_len;
    memcpy(mark, armour->end, end_len);
    memcpy(mark + end_len, block->label.data, len);
    memcpy(mark + end_len + len, armour->tail, tail_len);
    if (!find(rest, ly_bytes(mark, mark_len), &end)) {
        ly_error_set(why, LY_ERROR_INVALID,
                     "the END line of \"%s\" is missing: the file is cut short or damaged",
                     LY_PRINTABLE(block->label));
        return true;
    }
    block->body = ly_bytes_slice(rest, 0, end);
    *text = ly_bytes_slice(rest, end + mark_len, rest.len);
    return true;
}

/* Line ends between two places: LF, CR, or CRLF as one. */
static unsigned count_lines(const uint8_t *from, const uint8_t *to)
{
    unsigned count = 0;
    for (; from < to; from++)
        count += *from == '\n' || (*from == '\r' && from[1] != '\n');
    return count;
}

/* What the `index`-th costly derivation of a file may cost. */
static LyKeyReadOptions fraction(const LyKeyReadOptions *options, size_t index)
{
    LyKeyReadOptions result = *options;
    uint64_t part = index < FULL_PRICE ? 1 : index - FULL_PRICE + 2;
    result.max_bcrypt_rounds = (uint32_t)LY_MAX(ly_key_max_bcrypt(options) / part, (uint64_t)1);
    result.max_pbkdf2_iterations = LY_MAX(ly_key_max_pbkdf2(options) / part, (uint64_t)1);
    result.max_memory_passes_kib = LY_MAX(ly_key_max_memory_passes(options) / part, (uint64_t)1);
    return result;
}

static bool read_blocks(LyCrypto *crypto, LyBytes text, const LyKeyReadOptions *options, bool first,
                        LyKeyFile *file, LyError *error)
{
    const uint8_t *counted = text.data;
    unsigned line = 1;
    size_t keys = 0, costly = 0;
    LyError why = {0}, reason = {0};
    LyKeyReadOptions part;
    Block block;
    while (next_block(&text, &block, &why)) {
        size_t kind = 0;
        while (kind < LY_COUNT(blocks) && !ly_bytes_is(block.label, blocks[kind].label))
            kind++;
        if (why.code == LY_OK && (kind == LY_COUNT(blocks) || !blocks[kind].read)) {
            if (file->count) /* a damaged key says more */
                continue;
            if (kind < LY_COUNT(blocks))
                ly_error_set(&reason, LY_ERROR_INVALID, "%s", blocks[kind].note);
            else
                ly_error_set(&reason, LY_ERROR_UNSUPPORTED, "\"%s\" is not a format that is known",
                             LY_PRINTABLE(block.label));
            continue;
        }
        line += count_lines(counted, block.start);
        counted = block.start;
        size_t index = file->count;
        LyKeyEntry *entry = ly_key_file_add(file);
        entry->format = kind < LY_COUNT(blocks) ? blocks[kind].format : LY_KEY_PEM;
        entry->line = line;
        if (costly)
            part = fraction(options, costly);
        bool good = why.code == LY_OK &&
                    blocks[kind].read(crypto, block.label, block.body, costly ? &part : options, file, &why);
        entry = &file->entries[index];
        if (!good)
            entry->error = reason = why;
        keys += good;
        costly += entry->kdf.rounds || entry->kdf.iterations || entry->kdf.memory_kib;
        if (first)
            break;
        why.code = LY_OK;
    }
    return keys > 0 || fail(error, &reason);
}

/* ---- the whole text ---- */

/* Formats told from how the text begins that are not blocks. */
static const struct {
    const char *start;
    LyKeyTextReader *read;
    const char *note; /* why there is no reader */
} others[] = {
    {"PuTTY-User-Key-File-", ly_key_read_ppk, NULL},
    {"{", ly_key_read_jwk, NULL},
    {"SSH PRIVATE KEY FILE FORMAT 1", NULL, "this is a key for SSH version 1, which is no longer in use"},
    {"\xff\xfe", NULL, "this is UTF-16 text: save it as UTF-8"},
    {"\xfe\xff", NULL, "this is UTF-16 text: save it as UTF-8"},
    {"\x30\x80", NULL, "this is binary DER: convert it to PEM"},
    {"\x30\x81", NULL, "this is binary DER: convert it to PEM"},
    {"\x30\x82", NULL, "this is binary DER: convert it to PEM"},
};

static bool too_long(LyBytes text, size_t limit, LyError *error)
{
    return text.len > limit &&
           !ly_error_set(error, LY_ERROR_LIMIT, "a key file of %zu bytes is refused: the limit is %zu",
                         text.len, limit);
}

static bool read_other(LyCrypto *crypto, LyBytes text, LyBytes trimmed, size_t kind,
                       const LyKeyReadOptions *options, LyKeyFile *file, LyError *error)
{
    if (!others[kind].read)
        return ly_error_set(error, LY_ERROR_UNSUPPORTED, "%s", others[kind].note);
    if (too_long(text, LY_KEY_TEXT_LIMIT, error))
        return false;
    LyKeyEntry *entry = ly_key_file_add(file);
    entry->line = 1 + count_lines(text.data, trimmed.data);
    return others[kind].read(crypto, trimmed, options, entry, error);
}

static bool read_text(LyCrypto *crypto, LyBytes text, const LyKeyReadOptions *options, bool first,
                      LyKeyFile *file, LyError *error)
{
    static const LyKeyReadOptions none = {0};
    options = options ? options : &none;
    if (too_long(text, LY_KEY_LINES_LIMIT, error))
        return false;
    if (ly_bytes_starts_with(text, "\xef\xbb\xbf"))
        text = ly_bytes_slice(text, 3, text.len);
    LyBytes trimmed = ly_bytes_trim(text);
    trimmed.len = text.len - (size_t)(trimmed.len ? trimmed.data - text.data : 0);
    for (size_t i = 0; i < LY_COUNT(others); i++)
        if (ly_bytes_starts_with(trimmed, others[i].start))
            return read_other(crypto, text, trimmed, i, options, file, error);
    if (has_blocks(text))
        return !too_long(text, LY_KEY_TEXT_LIMIT, error) &&
               read_blocks(crypto, text, options, first, file, error);
    return ly_key_read_lines(crypto, text, first, file, error);
}

bool ly_key_file_read(LyCrypto *crypto, LyBytes text, const LyKeyReadOptions *options, LyKeyFile *file,
                      LyError *error)
{
    *file = (LyKeyFile){0};
    if (read_text(crypto, text, options, false, file, error))
        return true;
    ly_key_file_clear(file);
    return false;
}

static LyKey *read_first(LyCrypto *crypto, LyBytes text, const LyKeyReadOptions *options, LyError *error)
{
    LY_AUTO(ly_key_file_clear) LyKeyFile file = {0};
    if (!read_text(crypto, text, options, true, &file, error))
        return NULL;
    LyKeyEntry *entry = &file.entries[0];
    if (entry->error.code && !(options && options->public_only && entry->key)) {
        fail(error, &entry->error);
        return NULL;
    }
    return ly_key_ref(entry->key);
}

LyKey *ly_key_read(LyCrypto *crypto, LyBytes text, const LyKeyReadOptions *options, LyError *error)
{
    return read_first(crypto, text, options, error);
}

LyKey *ly_key_read_public(LyCrypto *crypto, LyBytes text, LyError *error)
{
    static const LyKeyReadOptions shown = {.public_only = true};
    LyKey *key = read_first(crypto, text, &shown, error);
    if (!key || !ly_key_has_secret(key))
        return key;
    LyKey *bare = ly_key_new_public(crypto, ly_key_blob(key), error);
    if (bare)
        ly_key_set_comment(bare, ly_key_comment(key));
    ly_key_unref(key);
    return bare;
}
