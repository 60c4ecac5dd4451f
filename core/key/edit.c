#include "key/edit.h"

#include "base/auto.h"
#include "base/base64.h"
#include "base/names.h"
#include "key/authorized_keys.h"
#include "key/read.h"
#include "key/text.h"
#include "key/write.h"

#define HASH_LEN 20 /* SHA-1, salt and MAC alike */
#define BOM "\xef\xbb\xbf"

static LyBytes take_line(LyBytes *text)
{
    const uint8_t *end = text->len ? memchr(text->data, '\n', text->len) : NULL;
    size_t len = end ? (size_t)(end - text->data) + 1 : text->len;
    LyBytes line = ly_bytes_slice(*text, 0, len);
    *text = ly_bytes_slice(*text, len, text->len);
    return line;
}

/* False when the line is malformed. */
static bool read_words(LyBytes rest, LyHostLine *line)
{
    LyBytes word = ly_text_word(&rest);
    if (word.len && word.data[0] == '@') {
        line->marker = word;
        if (!ly_bytes_is(word, "@cert-authority") && !ly_bytes_is(word, "@revoked"))
            return false;
        word = ly_text_word(&rest);
    }
    line->hosts = word;
    line->hashed = word.len && word.data[0] == '|';
    line->key = rest;
    line->type = ly_text_word(&rest);
    line->base64 = ly_text_word(&rest);
    line->comment = rest;
    return line->base64.len && line->type.data[0] != '#' && line->base64.data[0] != '#';
}

bool ly_host_line_next(LyBytes *text, unsigned *number, LyHostLine *line)
{
    if (text->len == 0)
        return false;
    LyHostLine result = {.line = take_line(text), .number = *number + 1};
    LyBytes words = result.line;
    if (*number == 0 && ly_bytes_starts_with(words, BOM))
        words = ly_bytes_slice(words, strlen(BOM), words.len);
    words = ly_bytes_trim(words);
    if (words.len && words.data[0] != '#') {
        LyHostLine with_words = result;
        result.malformed = words.len > LY_KEY_LINE_LIMIT || !read_words(words, &with_words);
        if (!result.malformed) {
            result = with_words;
            result.understood = true;
        }
    }
    *number = result.number;
    *line = result;
    return true;
}

/* "|1|salt|mac": HMAC-SHA1 of the name under the salt. */
static bool hashed_match(LyCrypto *crypto, LyBytes field, LyBytes name)
{
    LyBytes salt_text, mac_text;
    uint8_t mac[LY_HASH_MAX];
    LY_AUTO(ly_buf_free) LyBuf salt = {0}, expected = {0};
    return ly_bytes_starts_with(field, "|1|") &&
           ly_bytes_split(ly_bytes_slice(field, 3, field.len), '|', &salt_text, &mac_text) &&
           ly_base64_decode(&salt, salt_text, false) && ly_base64_decode(&expected, mac_text, false) &&
           salt.len == HASH_LEN && expected.len == HASH_LEN &&
           ly_hmac(crypto, LY_SHA1, ly_buf_bytes(&salt), &name, 1, mac) &&
           ly_bytes_equal(ly_buf_bytes(&expected), ly_bytes(mac, HASH_LEN));
}

static LyBytes lower_case(LyBytes name, LyBuf *out)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        c = c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
        ly_buf_add(out, ly_bytes(&c, 1));
    }
    return ly_buf_bytes(out);
}

bool ly_host_line_matches(LyCrypto *crypto, const LyHostLine *line, LyBytes name)
{
    if (!line->understood || name.len == 0)
        return false;
    if (!line->hashed)
        return ly_pattern_list_match(line->hosts, name, true) == 1;
    LY_AUTO(ly_buf_free) LyBuf lower = {0};
    return hashed_match(crypto, line->hosts, lower_case(name, &lower));
}

bool ly_host_name_hash(LyCrypto *crypto, LyBytes name, LyBuf *out)
{
    uint8_t salt[HASH_LEN], mac[LY_HASH_MAX];
    LY_AUTO(ly_buf_free) LyBuf lower = {0};
    LyBytes text = lower_case(name, &lower);
    ly_crypto_random(crypto, salt, sizeof salt);
    if (!ly_hmac(crypto, LY_SHA1, ly_bytes(salt, sizeof salt), &text, 1, mac))
        return false;
    ly_buf_add_str(out, "|1|");
    ly_base64_encode(out, ly_bytes(salt, sizeof salt), 0);
    ly_buf_add_str(out, "|");
    ly_base64_encode(out, ly_bytes(mac, HASH_LEN), 0);
    return true;
}

static void put_line(LyBytes line, LyBuf *out)
{
    ly_buf_add(out, line);
    if (line.len && line.data[line.len - 1] != '\n')
        ly_buf_add_str(out, "\n");
}

size_t ly_known_hosts_remove(LyCrypto *crypto, LyBytes text, LyBytes name, LyBuf *out, LyHostLineFound *found,
                             void *user)
{
    size_t count = 0;
    unsigned number = 0;
    LyHostLine line;
    while (ly_host_line_next(&text, &number, &line)) {
        if (line.marker.len || !ly_host_line_matches(crypto, &line, name)) {
            put_line(line.line, out);
            continue;
        }
        count++;
        if (found)
            found(user, &line);
    }
    return count;
}

/* False, and nothing appended, if libcrypto fails. */
static bool put_hashed(LyCrypto *crypto, const LyHostLine *line, LyBuf *out)
{
    LY_AUTO(ly_buf_free) LyBuf lines = {0};
    LyBytes names = line->hosts, name;
    LyBytes rest = ly_bytes_slice(line->line, (size_t)(line->key.data - line->line.data), line->line.len);
    while (ly_names_next(&names, &name)) {
        if (name.len == 0)
            continue;
        if (!ly_host_name_hash(crypto, name, &lines))
            return false;
        ly_buf_add_str(&lines, " ");
        put_line(rest, &lines);
    }
    if (lines.len == 0)
        return false; /* commas alone */
    ly_buf_add(out, ly_buf_bytes(&lines));
    return true;
}

/* Only plain names can be hashed: of a pattern nothing would be found again. */
static bool can_hash(const LyHostLine *line)
{
    if (!line->understood || line->marker.len)
        return false;
    for (size_t i = 0; i < line->hosts.len; i++)
        if (strchr("*?!", line->hosts.data[i]))
            return false;
    return true;
}

size_t ly_known_hosts_hash(LyCrypto *crypto, LyBytes text, LyBuf *out, LyHostLineFound *kept, void *user)
{
    size_t count = 0;
    unsigned number = 0;
    LyHostLine line;
    while (ly_host_line_next(&text, &number, &line)) {
        if (!line.hashed && can_hash(&line) && put_hashed(crypto, &line, out)) {
            count++;
            continue;
        }
        put_line(line.line, out);
        if (kept && !line.hashed && (line.understood || line.malformed))
            kept(user, &line);
    }
    return count;
}

static bool has_key(LyCrypto *crypto, LyBytes text, const LyKey *key)
{
    LyBytes line;
    if (ly_bytes_starts_with(text, BOM))
        text = ly_bytes_slice(text, strlen(BOM), text.len);
    while (ly_bytes_line(&text, &line)) {
        line = ly_bytes_trim(line);
        if (line.len == 0 || line.len > LY_KEY_LINE_LIMIT || line.data[0] == '#')
            continue;
        LyKey *other = ly_key_read_line(crypto, ly_authorized_keys_line_key(line), NULL);
        bool same = other && !ly_key_is_certificate(other) && ly_key_equal_public(other, key);
        ly_key_unref(other);
        if (same)
            return true;
    }
    return false;
}

bool ly_authorized_keys_add(LyCrypto *crypto, LyBytes text, const LyKey *key, LyBytes options, LyBuf *out,
                            bool *present, LyError *error)
{
    if (ly_key_is_certificate(key))
        return ly_error_set(
            error, LY_ERROR_INVALID,
            "a certificate is not written to authorized_keys: add its key, or its CA's key with "
            "the option cert-authority");
    if (options.len && !ly_authorized_keys_check_options(options, error))
        return false;
    bool found = has_key(crypto, text, key);
    if (found) {
        ly_buf_add(out, text);
    } else {
        put_line(text, out);
        ly_buf_add(out, options);
        ly_buf_add_str(out, options.len ? " " : "");
        ly_key_write_line(key, out);
    }
    *present = found;
    return true;
}
