#include "base/wire.h"

void ly_put_u8(LyBuf *buf, uint8_t value)
{
    ly_buf_add(buf, ly_bytes(&value, 1));
}

void ly_put_bool(LyBuf *buf, bool value)
{
    ly_put_u8(buf, value ? 1 : 0);
}

void ly_put_u32(LyBuf *buf, uint32_t value)
{
    uint8_t bytes[4];
    ly_store_u32(bytes, value);
    ly_buf_add(buf, ly_bytes(bytes, sizeof bytes));
}

void ly_put_u64(LyBuf *buf, uint64_t value)
{
    uint8_t bytes[8];
    ly_store_u64(bytes, value);
    ly_buf_add(buf, ly_bytes(bytes, sizeof bytes));
}

void ly_put_string(LyBuf *buf, LyBytes value)
{
    ly_put_u32(buf, (uint32_t)value.len);
    ly_buf_add(buf, value);
}

void ly_put_cstring(LyBuf *buf, const char *value)
{
    ly_put_string(buf, ly_bytes_str(value));
}

LyBytes ly_magnitude(LyBytes bytes)
{
    while (bytes.len && bytes.data[0] == 0)
        bytes = ly_bytes_slice(bytes, 1, bytes.len);
    return bytes;
}

size_t ly_magnitude_bits(LyBytes magnitude)
{
    magnitude = ly_magnitude(magnitude);
    return magnitude.len ? magnitude.len * 8 - (size_t)__builtin_clz(magnitude.data[0]) + 24 : 0;
}

void ly_put_mpint(LyBuf *buf, LyBytes magnitude)
{
    magnitude = ly_magnitude(magnitude);
    bool top_bit = magnitude.len && (magnitude.data[0] & 0x80);
    ly_put_u32(buf, (uint32_t)magnitude.len + top_bit);
    if (top_bit)
        ly_put_u8(buf, 0);
    ly_buf_add(buf, magnitude);
}

size_t ly_put_string_begin(LyBuf *buf)
{
    size_t mark = buf->len;
    ly_put_u32(buf, 0);
    return mark;
}

void ly_put_string_end(LyBuf *buf, size_t mark)
{
    if (!buf->failed)
        ly_store_u32(buf->data + mark, (uint32_t)(buf->len - mark - 4));
}

LyBytes ly_get_bytes(LyReader *reader, size_t len)
{
    if (reader->failed || len > reader->len) {
        reader->failed = true;
        return (LyBytes){0};
    }
    LyBytes bytes = {reader->data, len};
    if (len) {
        reader->data += len;
        reader->len -= len;
    }
    return bytes;
}

uint8_t ly_get_u8(LyReader *reader)
{
    LyBytes bytes = ly_get_bytes(reader, 1);
    return bytes.len ? bytes.data[0] : 0;
}

bool ly_get_bool(LyReader *reader)
{
    return ly_get_u8(reader) != 0;
}

uint32_t ly_get_u32(LyReader *reader)
{
    LyBytes bytes = ly_get_bytes(reader, 4);
    return bytes.len ? ly_load_u32(bytes.data) : 0;
}

uint64_t ly_get_u64(LyReader *reader)
{
    LyBytes bytes = ly_get_bytes(reader, 8);
    return bytes.len ? ly_load_u64(bytes.data) : 0;
}

LyBytes ly_get_string(LyReader *reader)
{
    return ly_get_bytes(reader, ly_get_u32(reader));
}

LyBytes ly_get_mpint(LyReader *reader)
{
    LyBytes value = ly_get_string(reader);
    if (value.len && (value.data[0] & 0x80)) {
        reader->failed = true;
        return (LyBytes){0};
    }
    value = ly_magnitude(value);
    if (value.len > 16384 / 8) {
        reader->failed = true;
        return (LyBytes){0};
    }
    return value;
}

LyBytes ly_get_rest(LyReader *reader)
{
    return ly_get_bytes(reader, reader->failed ? 0 : reader->len);
}
