#include "base/hex.h"

int ly_hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool ly_hex_read(LyBytes text, uint8_t *out, size_t len)
{
    if (text.len / 2 != len || text.len % 2)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (ly_hex_digit(text.data[i]) < 0)
            return false;
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(ly_hex_digit(text.data[2 * i]) << 4 | ly_hex_digit(text.data[2 * i + 1]));
    return true;
}

void ly_put_hex(LyBytes bytes, LyBuf *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes.len; i++) {
        char two[2] = {digits[bytes.data[i] >> 4], digits[bytes.data[i] & 15]};
        ly_buf_add(out, ly_bytes(two, 2));
    }
}
