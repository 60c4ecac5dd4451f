#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

static void set(LyError *error, LyErrorCode code, int system, const char *format, va_list args)
{
    error->code = code;
    error->system = system;
    error->reason = 0;
    vsnprintf(error->message, sizeof error->message, format, args);
}

bool ly_error_set(LyError *error, LyErrorCode code, const char *format, ...)
{
    if (error) {
        va_list args;
        va_start(args, format);
        set(error, code, 0, format, args);
        va_end(args);
    }
    return false;
}

bool ly_error_set_errno(LyError *error, int system, const char *format, ...)
{
    if (error) {
        va_list args;
        va_start(args, format);
        set(error, LY_ERROR_IO, system, format, args);
        va_end(args);
        size_t len = strlen(error->message);
        snprintf(error->message + len, sizeof error->message - len, ": %s", strerror(system));
    }
    return false;
}

bool ly_error_prefix(LyError *error, const char *format, ...)
{
    if (error) {
        char old[sizeof error->message];
        memcpy(old, error->message, sizeof old);
        va_list args;
        va_start(args, format);
        vsnprintf(error->message, sizeof error->message, format, args);
        va_end(args);
        size_t len = strlen(error->message);
        snprintf(error->message + len, sizeof error->message - len, ": %.400s", old);
    }
    return false;
}

/* The length of the valid, printable UTF-8 sequence at `p`, or 0. */
static size_t printable_sequence(const uint8_t *p, size_t len)
{
    if (p[0] >= 0x20 && p[0] < 0x7f)
        return 1;
    size_t need = p[0] >= 0xf0 && p[0] <= 0xf4  ? 4
                  : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
                  : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
                                                : 0;
    if (need == 0 || need > len)
        return 0;
    for (size_t i = 1; i < need; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool c1 = p[0] == 0xc2 && p[1] < 0xa0;
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool out_of_range = (p[0] == 0xed && p[1] >= 0xa0) || (p[0] == 0xf4 && p[1] >= 0x90);
    return c1 || overlong || out_of_range ? 0 : need;
}

const char *ly_printable(LyBytes bytes, char *text, size_t room)
{
    size_t out = 0, in = 0;
    while (in < bytes.len && out + 5 < room) {
        size_t sequence = printable_sequence(bytes.data + in, bytes.len - in);
        if (sequence) {
            memcpy(text + out, bytes.data + in, sequence);
            out += sequence;
            in += sequence;
        } else {
            out += (size_t)snprintf(text + out, room - out, "\\x%02x", bytes.data[in++]);
        }
    }
    text[out] = 0;
    return text;
}
