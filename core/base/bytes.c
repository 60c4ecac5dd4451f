#include "base/bytes.h"

bool ly_bytes_equal_secret(LyBytes a, LyBytes b)
{
    if (a.len != b.len)
        return false;
    volatile uint8_t difference = 0;
    for (size_t i = 0; i < a.len; i++)
        difference |= a.data[i] ^ b.data[i];
    return difference == 0;
}

size_t ly_bytes_find(LyBytes bytes, LyBytes part)
{
    /* From one occurrence of its first byte to the next; memmem is not everywhere. */
    for (size_t at = 0; part.len && bytes.len - at >= part.len; at++) {
        const uint8_t *first = memchr(bytes.data + at, part.data[0], bytes.len - at - part.len + 1);
        if (!first)
            break;
        at = (size_t)(first - bytes.data);
        if (memcmp(first, part.data, part.len) == 0)
            return at;
    }
    return SIZE_MAX;
}

bool ly_bytes_split(LyBytes bytes, char separator, LyBytes *head, LyBytes *rest)
{
    const uint8_t *at = bytes.len ? memchr(bytes.data, separator, bytes.len) : NULL;
    if (!at) {
        *head = bytes;
        *rest = ly_bytes_slice(bytes, bytes.len, 0);
        return false;
    }
    size_t before = (size_t)(at - bytes.data);
    *head = ly_bytes(bytes.data, before);
    *rest = ly_bytes(at + 1, bytes.len - before - 1);
    return true;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

LyBytes ly_bytes_trim(LyBytes bytes)
{
    while (bytes.len && is_blank(bytes.data[0])) {
        bytes.data++;
        bytes.len--;
    }
    while (bytes.len && is_blank(bytes.data[bytes.len - 1]))
        bytes.len--;
    return bytes;
}

bool ly_bytes_line(LyBytes *text, LyBytes *line)
{
    if (text->len == 0)
        return false;
    ly_bytes_split(*text, '\n', line, text);
    if (line->len && line->data[line->len - 1] == '\r')
        line->len--;
    return true;
}

bool ly_bytes_number(LyBytes text, uint64_t max, uint64_t *number)
{
    uint64_t value = 0;
    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t digit = (uint8_t)(text.data[i] - '0');
        if (digit > 9 || value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (value > max)
        return false;
    *number = value;
    return true;
}
