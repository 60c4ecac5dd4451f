#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void ly_base64_encode(LyBuf *out, LyBytes bytes, size_t columns)
{
    size_t column = 0, len = (bytes.len + 2) / 3 * 4;
    uint8_t *start = len ? ly_buf_room(out, len + (columns ? (len + columns - 1) / columns : 0)) : NULL,
            *to = start;
    if (!start)
        return;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = LY_MIN(bytes.len - i, (size_t)3);
        uint32_t group = (uint32_t)bytes.data[i] << 16;
        if (left > 1)
            group |= (uint32_t)bytes.data[i + 1] << 8;
        if (left > 2)
            group |= bytes.data[i + 2];
        char four[4] = {alphabet[group >> 18], alphabet[group >> 12 & 63],
                        left > 1 ? alphabet[group >> 6 & 63] : '=', left > 2 ? alphabet[group & 63] : '='};
        for (size_t k = 0; k < 4; k++) {
            *to++ = (uint8_t)four[k];
            if (columns && ++column == columns) {
                *to++ = '\n';
                column = 0;
            }
        }
    }
    if (column)
        *to++ = '\n';
    ly_buf_added(out, (size_t)(to - start));
}

/* The value of a digit, BLANK or END ('='); 255 for others. */
enum { BLANK = 64, END };
static uint8_t value_of(uint8_t c)
{
    static const uint8_t plus_one[256] = {
        0,  0,  0,  0,  0,  0,  0,  0,  0,  65, 65, 0,  0,  65, 0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
        0,  0,  0,  0,  0,  0,  0,  0,  65, 0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  63, 0,  0,  0,  64,
        53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 0,  0,  0,  66, 0,  0,  0,  1,  2,  3,  4,  5,  6,  7,
        8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 0,  0,  0,  0,  0,
        0,  27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49,
        50, 51, 52, 0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0};
    return (uint8_t)(plus_one[c] - 1);
}

/* Room for what the text decodes to, counted only where a guess does not fit into the limit. */
static uint8_t *room_for(LyBuf *out, LyBytes text)
{
    size_t limit = out->limit ? out->limit : LY_BUF_LIMIT, guess = text.len / 4 * 3 + 3;
    if (guess > limit || out->len > limit - guess) {
        size_t digits = 0;
        for (size_t i = 0; i < text.len; i++)
            digits += value_of(text.data[i]) < 64;
        guess = digits / 4 * 3 + digits % 4 * 3 / 4;
    }
    return ly_buf_room(out, guess);
}

bool ly_base64_decode(LyBuf *out, LyBytes text, bool skip_space)
{
    size_t digits = 0, padding = 0;
    uint32_t group = 0;
    uint8_t *start = room_for(out, text), *to = start;
    if (!start)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        /* Four digits at once where nothing else stands between them. */
        while (digits % 4 == 0 && padding == 0 && text.len - i >= 4) {
            const uint8_t *four = text.data + i;
            uint8_t a = value_of(four[0]), b = value_of(four[1]), c = value_of(four[2]),
                    d = value_of(four[3]);
            if ((a | b | c | d) >= BLANK)
                break;
            to[0] = (uint8_t)(a << 2 | b >> 4);
            to[1] = (uint8_t)(b << 4 | c >> 2);
            to[2] = (uint8_t)(c << 6 | d);
            to += 3;
            digits += 4;
            i += 4;
        }
        if (i == text.len)
            break;
        uint8_t value = value_of(text.data[i]);
        if (value == BLANK && skip_space)
            continue;
        if (value == END && digits % 4 >= 2 && padding < 2) {
            padding++;
            value = 0;
        } else if (value >= BLANK || padding) {
            return false;
        }
        group = group << 6 | value;
        if (++digits % 4 == 0) {
            uint8_t three[3] = {(uint8_t)(group >> 16), (uint8_t)(group >> 8), (uint8_t)group};
            for (size_t k = 3 - padding; k < 3; k++)
                if (three[k])
                    return false;
            memcpy(to, three, 3 - padding);
            to += 3 - padding;
            group = 0;
        }
    }
    if (digits % 4)
        return false;
    ly_buf_added(out, (size_t)(to - start));
    return true;
}
