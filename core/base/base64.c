#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void ly_base64_encode(LyBuf *out, LyBytes bytes, size_t columns)
{
    size_t column = 0;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = LY_MIN(bytes.len - i, (size_t)3);
        uint32_t group = (uint32_t)bytes.data[i] << 16;
        if (left > 1)
            group |= (uint32_t)bytes.data[i + 1] << 8;
        if (left > 2)
            group |= bytes.data[i + 2];
        char four[4] = {alphabet[group >> 18], alphabet[group >> 12 & 63], alphabet[group >> 6 & 63],
                        alphabet[group & 63]};
        if (left < 3)
            four[3] = '=';
        if (left < 2)
            four[2] = '=';
        for (size_t k = 0; k < 4; k++) {
            ly_buf_add(out, ly_bytes(four + k, 1));
            if (columns && ++column == columns) {
                ly_buf_add_str(out, "\n");
                column = 0;
            }
        }
    }
    if (column)
        ly_buf_add_str(out, "\n");
}

static int value_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool ly_base64_decode(LyBuf *out, LyBytes text, bool skip_space)
{
    size_t start = out->len, digits = 0, padding = 0;
    uint32_t group = 0;
    bool good = true;
    for (size_t i = 0; i < text.len && good; i++) {
        uint8_t c = text.data[i];
        if (skip_space && (c == ' ' || c == '\t' || c == '\r' || c == '\n'))
            continue;
        int value = value_of(c);
        if (c == '=' && digits % 4 >= 2 && padding < 2) {
            padding++;
            value = 0;
        } else if (value < 0 || padding) {
            good = false;
            break;
        }
        group = group << 6 | (uint32_t)value;
        if (++digits % 4 == 0) {
            uint8_t three[3] = {(uint8_t)(group >> 16), (uint8_t)(group >> 8), (uint8_t)group};
            for (size_t k = 3 - padding; k < 3; k++)
                good = good && three[k] == 0;
            ly_buf_add(out, ly_bytes(three, 3 - padding));
            group = 0;
        }
    }
    if (good && digits % 4 == 0 && !out->failed)
        return true;
    out->len = start;
    return false;
}
