#include "key/der.h"

#include <stdio.h>

LyBytes ly_der_get(LyReader *reader, uint8_t tag)
{
    if (ly_get_u8(reader) != tag)
        reader->failed = true;
    size_t len = ly_get_u8(reader);
    if (len & 0x80) {
        size_t count = len & 0x7f;
        if (count == 0 || count > 4)
            reader->failed = true;
        len = 0;
        for (size_t i = 0; i < count && !reader->failed; i++)
            len = len << 8 | ly_get_u8(reader);
    }
    return ly_get_bytes(reader, len);
}

bool ly_der_next_is(const LyReader *reader, uint8_t tag)
{
    return !reader->failed && reader->len && reader->data[0] == tag;
}

LyReader ly_der_get_sequence(LyReader *reader)
{
    LyReader inner = ly_reader(ly_der_get(reader, LY_DER_SEQUENCE));
    inner.failed = reader->failed;
    return inner;
}

LyBytes ly_der_get_unsigned(LyReader *reader)
{
    LyBytes value = ly_der_get(reader, LY_DER_INTEGER);
    if (value.len == 0 || (value.data[0] & 0x80))
        reader->failed = true;
    while (value.len && value.data[0] == 0)
        value = ly_bytes_slice(value, 1, value.len);
    if (value.len > 16384 / 8)
        reader->failed = true;
    return reader->failed ? (LyBytes){0} : value;
}

uint64_t ly_der_get_number(LyReader *reader, uint64_t max)
{
    LyBytes value = ly_der_get_unsigned(reader);
    uint64_t number = 0;
    if (value.len > 8)
        reader->failed = true;
    for (size_t i = 0; i < value.len && !reader->failed; i++)
        number = number << 8 | value.data[i];
    if (number > max)
        reader->failed = true;
    return reader->failed ? 0 : number;
}

LyBytes ly_der_get_bits(LyReader *reader, uint8_t tag)
{
    LyBytes value = ly_der_get(reader, tag);
    if (value.len == 0 || value.data[0] != 0) /* the first byte counts unused bits */
        reader->failed = true;
    return reader->failed ? (LyBytes){0} : ly_bytes_slice(value, 1, value.len);
}

const char *ly_der_oid_text(LyBytes oid, char text[100])
{
    uint64_t arc = 0;
    bool first = true;
    size_t at = 0;
    text[0] = 0;
    for (size_t i = 0; i < oid.len && i < 20; i++) {
        arc = (arc << 7 | (oid.data[i] & 0x7f)) & UINT32_MAX;
        if (oid.data[i] & 0x80)
            continue;
        unsigned long long top = first ? (arc < 80 ? arc / 40 : 2) : 0, rest = first ? arc - top * 40 : arc;
        int len = first ? snprintf(text + at, 100 - at, "%llu.%llu", top, rest)
                        : snprintf(text + at, 100 - at, ".%llu", rest);
        at = LY_MIN(at + (size_t)len, (size_t)99);
        first = false;
        arc = 0;
    }
    return text;
}

size_t ly_der_put_begin(LyBuf *buf, uint8_t tag)
{
    ly_put_u8(buf, tag);
    ly_put_u8(buf, 0);
    return buf->len;
}

void ly_der_put_end(LyBuf *buf, size_t mark)
{
    if (buf->failed)
        return;
    size_t len = buf->len - mark, more = 0;
    if (len < 0x80) {
        buf->data[mark - 1] = (uint8_t)len;
        return;
    }
    for (size_t rest = len; rest; rest >>= 8)
        more++;
    if (!ly_buf_room(buf, more))
        return;
    memmove(buf->data + mark + more, buf->data + mark, len);
    buf->data[mark - 1] = (uint8_t)(0x80 | more);
    for (size_t i = 0; i < more; i++)
        buf->data[mark + i] = (uint8_t)(len >> 8 * (more - 1 - i));
    ly_buf_added(buf, more);
}

void ly_der_put(LyBuf *buf, uint8_t tag, LyBytes content)
{
    size_t mark = ly_der_put_begin(buf, tag);
    ly_buf_add(buf, content);
    ly_der_put_end(buf, mark);
}

void ly_der_put_unsigned(LyBuf *buf, LyBytes magnitude)
{
    magnitude = ly_magnitude(magnitude);
    size_t mark = ly_der_put_begin(buf, LY_DER_INTEGER);
    if (magnitude.len == 0 || (magnitude.data[0] & 0x80))
        ly_put_u8(buf, 0);
    ly_buf_add(buf, magnitude);
    ly_der_put_end(buf, mark);
}

void ly_der_put_number(LyBuf *buf, uint64_t number)
{
    uint8_t bytes[8];
    ly_store_u64(bytes, number);
    ly_der_put_unsigned(buf, ly_bytes(bytes, sizeof bytes));
}

void ly_der_put_bits(LyBuf *buf, uint8_t tag, LyBytes bytes)
{
    size_t mark = ly_der_put_begin(buf, tag);
    ly_put_u8(buf, 0);
    ly_buf_add(buf, bytes);
    ly_der_put_end(buf, mark);
}
