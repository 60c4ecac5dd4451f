/* A borrowed view of bytes, passed by value. It owns nothing; whoever hands one out says how long it lives.
 */
#ifndef LY_BASE_BYTES_H
#define LY_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct LyBytes {
    const uint8_t *data; /* may be NULL when len is 0 */
    size_t len;
} LyBytes;

/* For functions that take a format and its arguments. MinGW's "printf" would mean Microsoft's formats, which
 * know no %zu; its own functions (__USE_MINGW_ANSI_STDIO) take the usual ones. */
#ifdef __MINGW32__
#define LY_PRINTF(format_index, first) __attribute__((format(gnu_printf, format_index, first)))
#else
#define LY_PRINTF(format_index, first) __attribute__((format(printf, format_index, first)))
#endif

#define LY_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LY_MIN(a, b) ((a) < (b) ? (a) : (b))
#define LY_MAX(a, b) ((a) > (b) ? (a) : (b))

/* A view of a string literal, without its NUL. */
#define LY_BYTES(literal) ((LyBytes){(const uint8_t *)(literal), sizeof(literal) - 1})

static inline LyBytes ly_bytes(const void *data, size_t len)
{
    return (LyBytes){data, len};
}

/* A view of a C string without its NUL; NULL gives the empty view. */
static inline LyBytes ly_bytes_str(const char *text)
{
    return (LyBytes){(const uint8_t *)text, text ? strlen(text) : 0};
}

/* The view from `start` on, at most `len` bytes; clamps to what there is. */
static inline LyBytes ly_bytes_slice(LyBytes bytes, size_t start, size_t len)
{
    if (start > bytes.len)
        start = bytes.len;
    return (LyBytes){bytes.data ? bytes.data + start : NULL, LY_MIN(len, bytes.len - start)};
}

/* In a time that depends on the bytes: not for secrets. */
static inline bool ly_bytes_equal(LyBytes a, LyBytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Against a C string, whole or its beginning. */
static inline bool ly_bytes_is(LyBytes bytes, const char *text)
{
    return ly_bytes_equal(bytes, ly_bytes_str(text));
}

static inline bool ly_bytes_starts_with(LyBytes bytes, const char *prefix)
{
    size_t len = strlen(prefix);
    return bytes.len >= len && memcmp(bytes.data, prefix, len) == 0;
}

/* Where a C string made of it would end too early. */
static inline bool ly_bytes_has_nul(LyBytes bytes)
{
    return bytes.len && memchr(bytes.data, 0, bytes.len);
}

/* Equality whose time depends on the lengths only; for MACs, secrets and check values. */
bool ly_bytes_equal_secret(LyBytes a, LyBytes b);

/* Where `part` first stands in `bytes`; SIZE_MAX: nowhere. An empty one stands nowhere. */
size_t ly_bytes_find(LyBytes bytes, LyBytes part);

/* Splits at the first `separator`: *head before it, *rest after it. False (both whole/empty) when there is
 * none. */
bool ly_bytes_split(LyBytes bytes, char separator, LyBytes *head, LyBytes *rest);

/* Without leading and trailing blanks, tabs, CR and LF. */
LyBytes ly_bytes_trim(LyBytes bytes);

/* Takes the next line off *text (without LF or CRLF); false at the end. */
bool ly_bytes_line(LyBytes *text, LyBytes *line);

/* Decimal number without sign; false when empty, not all digits, or larger than `max`. */
bool ly_bytes_number(LyBytes text, uint64_t max, uint64_t *number);

#endif
