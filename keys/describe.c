#include "describe.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/auto.h"
#include "base/base64.h"
#include "key/fingerprint.h"

void put_printable(LyBuf *out, LyBytes text)
{
    size_t room = 4 * text.len + 8; /* \xNN a byte, and what ends it */
    LY_AUTO_FREE char *shown = ly_alloc(room);
    ly_buf_add_str(out, ly_printable(text, shown, room));
}

void put_short_type(LyBuf *out, const LyKey *key)
{
    ly_buf_add_format(out, "%s%s", ly_key_type(key)->short_name, ly_key_is_certificate(key) ? "-CERT" : "");
}

void put_key_randomart(Tool *tool, const LyKey *key, LyHash hash, const char *indent, LyBuf *out)
{
    uint8_t digest[LY_HASH_MAX];
    LyBytes blob = ly_key_plain_blob(key), rest, line;
    LY_AUTO(ly_buf_free) LyBuf type = {0}, picture = {0};
    char name[16] = {0};
    if (!ly_hash(tool->crypto, hash, &blob, 1, digest))
        return;
    for (size_t i = 0; i < sizeof name - 1 && ly_hash_name(hash)[i]; i++)
        name[i] = ly_hash_name(hash)[i] >= 'a' ? (char)(ly_hash_name(hash)[i] - 32) : ly_hash_name(hash)[i];
    put_short_type(&type, key);
    ly_put_randomart(ly_bytes(digest, ly_hash_len(hash)), ly_buf_str(&type), ly_key_bits(key), name,
                     &picture);
    rest = ly_buf_bytes(&picture);
    while (ly_bytes_line(&rest, &line))
        ly_buf_add_format(out, "%s%.*s\n", indent, (int)line.len, (const char *)line.data);
}

void put_key_bubblebabble(Tool *tool, const LyKey *key, LyBuf *out)
{
    uint8_t digest[LY_HASH_MAX];
    LyBytes blob = ly_key_plain_blob(key);
    if (ly_hash(tool->crypto, LY_SHA1, &blob, 1, digest))
        ly_put_bubblebabble(ly_bytes(digest, ly_hash_len(LY_SHA1)), out);
}

void put_time(LyBuf *out, uint64_t seconds)
{
    time_t when = (time_t)seconds;
    struct tm parts;
    char text[64];
    if (seconds == 0)
        ly_buf_add_str(out, "always");
    else if (seconds == UINT64_MAX)
        ly_buf_add_str(out, "forever");
    else if (seconds > INT64_MAX || !localtime_r(&when, &parts) ||
             !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts))
        ly_buf_add_format(out, "second %llu", (unsigned long long)seconds);
    else
        ly_buf_add_str(out, text);
}

bool find_hash(const char *name, LyHash *hash)
{
    for (LyHash i = 0; i < LY_HASH_COUNT; i++) {
        if (strcasecmp(name, ly_hash_name(i)) == 0) {
            *hash = i;
            return true;
        }
    }
    return false;
}

void json_comment(LyJson *json, LyBytes comment)
{
    ly_json_name(json, "comment");
    ly_json_string(json, comment);
    if (ly_utf8_valid(comment))
        return;
    LY_AUTO(ly_buf_free) LyBuf base64 = {0};
    ly_base64_encode(&base64, comment, 0);
    ly_json_name(json, "comment_base64");
    ly_json_string(json, ly_buf_bytes(&base64));
}

void json_fingerprint(Tool *tool, LyJson *json, const char *name, LyBytes plain_blob)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    ly_key_put_fingerprint(tool->crypto, plain_blob, LY_SHA256, &text);
    ly_json_name(json, name);
    ly_json_string(json, ly_buf_bytes(&text));
}
