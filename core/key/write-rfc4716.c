/* RFC 4716 public key files. */
#include "base/auto.h"
#include "base/base64.h"
#include "key/write-private.h"

#define LINE_MAX_LEN 72u /* bytes without the line end (section 3) */
#define VALUE_MAX 1024u  /* bytes of a header's value, the quotes among them (3.3) */
#define COLUMNS 70

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* Where `text` is cut when at most `max` bytes go: never inside a UTF-8 character. */
static size_t cut_at(LyBytes text, size_t max)
{
    if (text.len <= max)
        return text.len;
    size_t at = max;
    while (at && max - at < 4 && (text.data[at] & 0xc0) == 0x80)
        at--;
    return max - at < 4 && at ? at : max;
}

/* As cut_at, and not beside a blank where that can be helped: readers trim lines. */
static size_t fold_at(LyBytes text, size_t max)
{
    size_t limit = cut_at(text, max);
    for (size_t at = limit; at < text.len && at > limit / 2; at--)
        if (!is_blank(text.data[at]) && !is_blank(text.data[at - 1]) && (text.data[at] & 0xc0) != 0x80)
            return at;
    return limit;
}

static void put_comment(LyBytes comment, LyBuf *out)
{
    LY_AUTO(ly_buf_free) LyBuf line = {0};
    comment = ly_bytes_slice(comment, 0, cut_at(comment, VALUE_MAX - 2));
    ly_buf_add_str(&line, "Comment: \"");
    for (size_t i = 0; i < comment.len; i++) {
        /* A line end inside a comment would start another header. */
        uint8_t c = comment.data[i];
        ly_put_u8(&line, c == '\n' || c == '\r' || c == 0 ? ' ' : c);
    }
    ly_buf_add_str(&line, "\"");
    LyBytes rest = ly_buf_bytes(&line);
    while (rest.len > LINE_MAX_LEN) {
        size_t at = fold_at(rest, LINE_MAX_LEN - 1);
        ly_buf_add(out, ly_bytes_slice(rest, 0, at));
        ly_buf_add_str(out, "\\\n");
        rest = ly_bytes_slice(rest, at, rest.len);
    }
    ly_buf_add(out, rest);
    ly_buf_add_str(out, "\n");
}

bool ly_key_put_rfc4716(const LyKey *key, LyBuf *out, LyError *error)
{
    ly_buf_add_str(out, "---- BEGIN SSH2 PUBLIC KEY ----\n");
    if (ly_key_comment(key).len)
        put_comment(ly_key_comment(key), out);
    ly_base64_encode(out, ly_key_blob(key), COLUMNS);
    ly_buf_add_str(out, "---- END SSH2 PUBLIC KEY ----\n");
    return true;
}
