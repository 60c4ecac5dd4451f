#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void ly_base64_encode(LyBuf *out, LyBytes bytes, size_t columns)
{
    size_t groups = bytes.len / 3 + (bytes.len % 3 != 0), column = 0;
    size_t len = groups * 4 + (columns ? (groups * 4 + columns - 1) / columns : 0);
    uint8_t *to = ly_buf_room(out, len);
    if (!to || len == 0)
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
        *to = '\n';
    ly_buf_added(out, len);
}

/* A character's value + 1; the others are 0, PAD or SPACE. */
enum { SPACE = 65, PAD = 66 };
static const uint8_t values[256] = {
    0,  0,  0,  0,  0,  0,  0,  0,  0,  65, 65, 0,  0,  65, 0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
    0,  0,  0,  0,  0,  0,  65, 0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  63, 0,  0,  0,  64, 53, 54, 55, 56,
    57, 58, 59, 60, 61, 62, 0,  0,  0,  66, 0,  0,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13,
    14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 0,  0,  0,  0,  0,  0,  27, 28, 29, 30, 31, 32, 33,
    34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 0,  0,  0,  0,  0,
};

/* At least as many bytes as are written before damage shows. Blanks and padding are counted only where the
 * buffer's limit makes it matter: the result is then at most one more than a well-formed text gives. */
static size_t room_for(const LyBuf *out, LyBytes text)
{
    size_t limit = out->limit ? out->limit : LY_BUF_LIMIT, most = text.len / 4 * 3;
    if (out->len <= limit && most <= limit - out->len)
        return most;
    size_t blanks = 0, padding = 0;
    for (size_t i = 0; i < text.len; i++) {
        blanks += values[text.data[i]] == SPACE;
        padding += values[text.data[i]] == PAD;
    }
    padding = LY_MIN(padding, (size_t)2);
    return (text.len - blanks - padding) / 4 * 3 + (padding ? 2 : 0);
}

bool ly_base64_decode(LyBuf *out, LyBytes text, bool skip_space)
{
    size_t digits = 0, padding = 0, len = 0;
    uint32_t group = 0;
    const uint8_t *in = text.data, *end = in + text.len;
    uint8_t *to = ly_buf_room(out, room_for(out, text));
    if (out->failed)
        return false;
    for (; in < end; in++) {
        /* Whole groups at once; whatever is not a plain digit goes the slow way below. */
        while (digits % 4 == 0 && padding == 0 && end - in >= 4) {
            unsigned a = values[in[0]] - 1u, b = values[in[1]] - 1u, c = values[in[2]] - 1u,
                     d = values[in[3]] - 1u;
            if ((a | b | c | d) > 63)
                break;
            uint32_t four = a << 18 | b << 12 | c << 6 | d;
            to[len++] = (uint8_t)(four >> 16);
            to[len++] = (uint8_t)(four >> 8);
            to[len++] = (uint8_t)four;
            in += 4;
            digits += 4;
        }
        if (in == end)
            break;
        unsigned value = values[*in];
        if (value == SPACE && skip_space)
            continue;
        if (value == PAD && digits % 4 >= 2 && padding < 2)
            padding++;
        else if (value == 0 || value > 64 || padding)
            return false;
        group = group << 6 | (value == PAD ? 0 : value - 1);
        if (++digits % 4 == 0) {
            uint8_t three[3] = {(uint8_t)(group >> 16), (uint8_t)(group >> 8), (uint8_t)group};
            for (size_t k = 0; k < 3; k++) {
                if (k < 3 - padding)
                    to[len++] = three[k];
                else if (three[k])
                    return false;
            }
            group = 0;
        }
    }
    if (digits % 4)
        return false;
    ly_buf_added(out, len);
    return true;
}
