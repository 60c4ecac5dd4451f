/* Files of lines: "type base64 comment", alone, behind the options of authorized_keys(5), or behind the
 * marker and the names of known_hosts(5). */
#include <strings.h>

#include "base/auto.h"
#include "key/key-private.h"
#include "key/read-private.h"
#include "key/text.h"

LyKey *ly_key_read_line(LyCrypto *crypto, LyBytes line, LyError *error)
{
    LyBytes type = ly_text_word(&line), base64 = ly_text_word(&line);
    LY_AUTO(ly_buf_free) LyBuf blob = LY_BUF(LY_KEY_TEXT_LIMIT);
    const LyKeyType *known = ly_key_type_find(type, NULL);
    if (!known) {
        ly_error_set(error, LY_ERROR_UNSUPPORTED, "the key type \"%s\" is not known", LY_PRINTABLE(type));
        return NULL;
    }
    char what[100];
    ly_printable(type, what, sizeof what - strlen(" key"));
    strcat(what, " key");
    if (!ly_key_get_base64(base64, false, what, &blob, error))
        return NULL;
    LyKey *key = ly_key_new_public(crypto, ly_buf_bytes(&blob), error);
    if (key && !ly_bytes_is(type, ly_key_type_name(key))) {
        ly_error_set(error, LY_ERROR_INVALID, "the line says %.*s, but its key is %s", (int)type.len,
                     (const char *)type.data, ly_key_type_name(key));
        ly_key_unref(key);
        return NULL;
    }
    if (key && line.len)
        ly_key_set_comment(key, line);
    return key;
}

/* A line end is LF, CRLF or CR. False at the end. */
static bool next_line(LyBytes *text, LyBytes *line)
{
    if (text->len == 0)
        return false;
    ly_text_line(text, line);
    bool crlf = text->len && text->data[0] == '\n' && line->data[line->len] == '\r';
    *text = ly_bytes_slice(*text, crlf, text->len);
    return true;
}

/* Nobody has a host of these names, and a line of bare flags has no other sign of being one with options. */
static bool is_flag(LyBytes word)
{
    static const char *const flags[] = {
        "agent-forwarding", "cert-authority", "port-forwarding", "pty",           "restrict",
        "touch-required",   "user-rc",        "verify-required", "x11-forwarding"};
    if (word.len > 3 && strncasecmp((const char *)word.data, "no-", 3) == 0)
        word = ly_bytes_slice(word, 3, word.len);
    for (size_t i = 0; i < LY_COUNT(flags); i++)
        if (word.len == strlen(flags[i]) && strncasecmp((const char *)word.data, flags[i], word.len) == 0)
            return true;
    return false;
}

static bool are_options(LyBytes prefix)
{
    LyBytes head = prefix, rest;
    if (prefix.len && (prefix.data[0] == '|' || prefix.data[0] == '@'))
        return false;
    ly_bytes_split(prefix, ',', &head, &rest);
    return memchr(prefix.data, '=', prefix.len) || is_flag(head);
}

/* The type word is known, or what follows looks like the base64 text of a blob: a string of under 64 KiB. */
static bool is_key(LyBytes line)
{
    LyBytes word = ly_text_word(&line);
    return ly_key_type_find(word, NULL) || (word.len && ly_bytes_starts_with(line, "AAAA"));
}

/* Finds where the key starts in a line: *prefix is what stands in front. False: nowhere. */
static bool find_key(LyBytes line, LyKeyFormat *format, LyBytes *prefix, LyBytes *key)
{
    LyBytes rest = line = ly_bytes_trim(line);
    *format = LY_KEY_LINE;
    *prefix = (LyBytes){0};
    *key = line;
    if (is_key(line))
        return true;
    if (line.data[0] == '@')
        ly_text_word(&rest); /* the marker */
    ly_text_options(&rest);
    if (!is_key(rest))
        return false;
    *prefix = ly_bytes_trim(ly_bytes_slice(line, 0, (size_t)(rest.data - line.data)));
    *format = are_options(*prefix) ? LY_KEY_AUTHORIZED_KEYS : LY_KEY_KNOWN_HOSTS;
    *key = rest;
    return true;
}

static bool is_passed_over(LyBytes line)
{
    line = ly_bytes_trim(line);
    return line.len == 0 || line.data[0] == '#';
}

bool ly_key_starts_with_line(LyBytes text)
{
    LyBytes line, prefix, key;
    LyKeyFormat format;
    while (next_line(&text, &line))
        if (!is_passed_over(line))
            return find_key(line, &format, &prefix, &key);
    return false;
}

static bool read_line(LyCrypto *crypto, LyBytes line, LyKeyEntry *entry, bool *recognised)
{
    LyBytes key;
    *recognised = find_key(line, &entry->format, &entry->prefix, &key);
    if (!*recognised)
        return ly_error_set(&entry->error, LY_ERROR_INVALID, "the line is not a key");
    if (line.len > LY_KEY_TEXT_LIMIT)
        return ly_error_set(&entry->error, LY_ERROR_LIMIT, "a line of %zu bytes is refused: the limit is %zu",
                            line.len, LY_KEY_TEXT_LIMIT);
    entry->key = ly_key_read_line(crypto, key, &entry->error);
    return entry->key != NULL;
}

bool ly_key_read_lines(LyCrypto *crypto, LyBytes text, bool first, LyKeyFile *file, LyError *error)
{
    LyBytes line;
    size_t keys = 0;
    LyError reason = {0};
    for (unsigned number = 1; next_line(&text, &line); number++) {
        bool recognised;
        if (is_passed_over(line))
            continue;
        LyKeyEntry *entry = ly_key_file_add(file);
        entry->line = number;
        bool good = read_line(crypto, line, entry, &recognised);
        keys += good;
        if (file->count - keys > LY_KEY_BAD_LINES_LIMIT)
            return ly_error_set(error, LY_ERROR_LIMIT, "more than %zu lines of the file are no keys",
                                LY_KEY_BAD_LINES_LIMIT);
        if (!good && recognised && reason.code == LY_OK)
            reason = entry->error;
        /* Text in front of the first key is passed over; a damaged key is not, lest the next one pass for it.
         */
        if (first && recognised)
            break;
        if (first)
            ly_key_file_clear(file);
    }
    if (keys)
        return true;
    if (reason.code == LY_OK)
        return ly_error_set(error, LY_ERROR_INVALID, "this is not a key in any format that is known");
    if (error)
        *error = reason;
    return false;
}
