/* RFC 4716 public keys, and the headers that ssh.com's private keys share with them. */
#include <strings.h>

#include "base/auto.h"
#include "key/key-private.h"
#include "key/read-private.h"
#include "key/text.h"

/* RFC 4716 3.3. */
#define TAG_LIMIT 64
#define VALUE_LIMIT 1024

static bool is_tag(LyBytes tag, const char *name)
{
    return tag.len == strlen(name) && strncasecmp((const char *)tag.data, name, tag.len) == 0;
}

static bool check_header(LyBytes tag, LyBytes value, LyError *error)
{
    if (tag.len == 0 || tag.len > TAG_LIMIT)
        return ly_error_set(error, LY_ERROR_INVALID, "the header tag \"%s\" has %zu bytes instead of 1 to %d",
                            LY_PRINTABLE(ly_bytes_slice(tag, 0, TAG_LIMIT)), tag.len, TAG_LIMIT);
    for (size_t i = 0; i < tag.len; i++)
        if (tag.data[i] <= ' ' || tag.data[i] >= 0x7f)
            return ly_error_set(error, LY_ERROR_INVALID, "the header tag \"%s\" is not of plain letters",
                                LY_PRINTABLE(tag));
    if (value.len > VALUE_LIMIT)
        return ly_error_set(error, LY_ERROR_INVALID, "the header \"%s\" has %zu bytes, and %d are allowed",
                            LY_PRINTABLE(tag), value.len, VALUE_LIMIT);
    return true;
}

/* Joins the lines that '\' continues. False: the last line says that another follows. */
static bool join(LyBytes *rest, LyBytes line, LyBuf *value)
{
    line = ly_bytes_trim(line);
    while (line.len && line.data[line.len - 1] == '\\') {
        ly_buf_add(value, ly_bytes_slice(line, 0, line.len - 1));
        /* CRLF is one line end. */
        bool crlf = rest->len > 0 && rest->data[0] == '\n' && rest->data[-1] == '\r';
        *rest = ly_bytes_slice(*rest, crlf, rest->len);
        if (!ly_text_line(rest, &line))
            return false;
        while (line.len && (line.data[line.len - 1] == ' ' || line.data[line.len - 1] == '\t'))
            line.len--;
    }
    ly_buf_add(value, line);
    return true;
}

bool ly_key_read_ssh2_headers(LyBytes *body, LyBuf *comment, LyError *error)
{
    LyBytes rest = *body, line, tag, value;
    bool has_comment = false;
    while (ly_text_line(&rest, &line)) {
        line = ly_bytes_trim(line);
        if (line.len && !ly_bytes_split(line, ':', &tag, &value))
            return true; /* base64 has no colon */
        if (line.len) {
            LY_AUTO(ly_buf_free) LyBuf joined = {0};
            if (!join(&rest, value, &joined))
                return ly_error_set(error, LY_ERROR_INVALID,
                                    "the header \"%s\" says that a line follows, and none does",
                                    LY_PRINTABLE(tag));
            value = ly_bytes_trim(ly_buf_bytes(&joined));
            if (!check_header(tag, value, error))
                return false;
            if (value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"')
                value = ly_bytes_slice(value, 1, value.len - 2);
            bool is_comment = is_tag(tag, "Comment");
            if (!has_comment && (is_comment || is_tag(tag, "Subject"))) {
                ly_buf_clear(comment);
                ly_buf_add(comment, value);
                has_comment = is_comment;
            }
        }
        *body = rest;
    }
    return true;
}

bool ly_key_read_rfc4716(LyCrypto *crypto, LyBytes label, LyBytes body, const LyKeyReadOptions *options,
                         LyKeyFile *file, LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf blob = LY_BUF(LY_KEY_TEXT_LIMIT), comment = {0};
    LyKeyEntry *entry = &file->entries[file->count - 1];
    if (!ly_key_read_ssh2_headers(&body, &comment, error) ||
        !ly_key_get_base64(body, true, "key", &blob, error))
        return false;
    entry->key = ly_key_new_public(crypto, ly_buf_bytes(&blob), error);
    if (entry->key && comment.len)
        ly_key_set_comment(entry->key, ly_buf_bytes(&comment));
    return entry->key != NULL;
}
