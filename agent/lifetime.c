#include "lifetime.h"

#include <string.h>

#include "base/bytes.h"

#define LIFETIME_MAX_S ((uint64_t)100 * 366 * 86400)

bool lifetime_read(const char *text, uint64_t *lifetime_us)
{
    static const struct {
        char letter;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    uint64_t total = 0;
    if (!*text)
        return false;
    while (*text) {
        size_t digits = strspn(text, "0123456789");
        uint64_t number, unit = 0;
        if (!ly_bytes_number(ly_bytes(text, digits), LIFETIME_MAX_S, &number))
            return false;
        text += digits;
        if (!*text)
            unit = 1;
        for (size_t i = 0; *text && i < LY_COUNT(units); i++)
            if ((*text | 0x20) == units[i].letter)
                unit = units[i].seconds;
        if (unit == 0 || number > (LIFETIME_MAX_S - total) / unit)
            return false;
        total += number * unit;
        text += *text != 0;
    }
    *lifetime_us = total * 1000000;
    return true;
}
