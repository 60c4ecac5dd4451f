#include "key/time.h"

#include <time.h>

#include "key/text.h"

/* The digits of `text` at `start`, if they are a number of the range. */
static bool digits(LyBytes text, size_t start, size_t len, int min, int max, int *value)
{
    uint64_t number;
    if (!ly_bytes_number(ly_bytes_slice(text, start, len), (uint64_t)max, &number) || (int)number < min)
        return false;
    *value = (int)number;
    return true;
}

static bool read_fields(LyBytes text, struct tm *tm)
{
    if (text.len != 8 && text.len != 12 && text.len != 14)
        return false;
    return digits(text, 0, 4, 1970, 9999, &tm->tm_year) && digits(text, 4, 2, 1, 12, &tm->tm_mon) &&
           digits(text, 6, 2, 1, 31, &tm->tm_mday) &&
           (text.len == 8 ||
            (digits(text, 8, 2, 0, 23, &tm->tm_hour) && digits(text, 10, 2, 0, 59, &tm->tm_min))) &&
           (text.len < 14 || digits(text, 12, 2, 0, 59, &tm->tm_sec));
}

bool ly_time_read(LyBytes text, uint64_t *seconds, LyError *error)
{
    struct tm tm = {.tm_isdst = -1};
    size_t zone = text.len > 1 && ly_text_is(ly_bytes_slice(text, text.len - 1, 1), "Z")     ? 1
                  : text.len > 3 && ly_text_is(ly_bytes_slice(text, text.len - 3, 3), "UTC") ? 3
                                                                                             : 0;
    if (!read_fields(ly_bytes_slice(text, 0, text.len - zone), &tm))
        return ly_error_set(error, LY_ERROR_INVALID,
                            "\"%s\" is not a time: YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, and Z for UTC",
                            LY_PRINTABLE(text));
    int day = tm.tm_mday;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    time_t time = zone ? timegm(&tm) : mktime(&tm);
    if (tm.tm_mday != day)
        return ly_error_set(error, LY_ERROR_INVALID, "\"%s\" is a day that is in no calendar",
                            LY_PRINTABLE(text));
    if (time < 0)
        return ly_error_set(error, LY_ERROR_INVALID, "\"%s\" is before 1970", LY_PRINTABLE(text));
    *seconds = (uint64_t)time;
    return true;
}
