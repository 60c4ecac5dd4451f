/* A growing byte buffer with a hard limit. What does not fit sets `failed`, which sticks and is asked once at
 * the end. Old storage is cleansed when it moves and when it is freed, because packets carry secrets. */
#ifndef LY_BASE_BUF_H
#define LY_BASE_BUF_H

#include "base/bytes.h"

typedef struct LyBuf {
    uint8_t *data;
    size_t len;   /* bytes in use */
    size_t cap;   /* bytes allocated */
    size_t limit; /* `len` never exceeds this; 0 means LY_BUF_LIMIT */
    bool failed;
} LyBuf;

#define LY_BUF_LIMIT ((size_t)64 << 20)

/* An empty buffer is {0} or LY_BUF(limit). */
#define LY_BUF(max) ((LyBuf){.limit = (max)})

/* Cleanses and releases; the buffer is empty and usable again, with the same limit. */
void ly_buf_free(LyBuf *buf);
/* Empties, keeping the storage. `failed` is reset. Does not cleanse. */
void ly_buf_clear(LyBuf *buf);
/* Room for `len` more bytes at the end, to be written by the caller and counted with ly_buf_added; NULL if
 * over the limit. */
uint8_t *ly_buf_room(LyBuf *buf, size_t len);
static inline void ly_buf_added(LyBuf *buf, size_t len)
{
    buf->len += len;
}
void ly_buf_add(LyBuf *buf, LyBytes bytes);
void ly_buf_add_str(LyBuf *buf, const char *text);
void ly_buf_add_format(LyBuf *buf, const char *format, ...) LY_PRINTF(2, 3);
/* Removes `len` bytes from the front (moves the rest down). */
void ly_buf_drop(LyBuf *buf, size_t len);
static inline LyBytes ly_buf_bytes(const LyBuf *buf)
{
    return (LyBytes){buf->data, buf->len};
}
/* NUL-terminates (the NUL is not counted in len) and returns the text, which lives as long as the buffer is
 * untouched. */
const char *ly_buf_str(LyBuf *buf);

#endif
