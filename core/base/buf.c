#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"

void ly_buf_free(LyBuf *buf)
{
    if (buf->data)
        ly_cleanse(buf->data, buf->cap);
    ly_free(buf->data);
    *buf = LY_BUF(buf->limit);
}

void ly_buf_clear(LyBuf *buf)
{
    buf->len = 0;
    buf->failed = false;
}

uint8_t *ly_buf_room(LyBuf *buf, size_t len)
{
    size_t limit = buf->limit ? buf->limit : LY_BUF_LIMIT;
    if (buf->failed || len > limit || buf->len > limit - len) {
        buf->failed = true;
        return NULL;
    }
    if (buf->len + len > buf->cap) {
        size_t cap = LY_MAX(buf->cap * 2, (size_t)64);
        cap = LY_MAX(LY_MIN(cap, limit), buf->len + len);
        uint8_t *data = ly_alloc(cap);
        if (buf->len)
            memcpy(data, buf->data, buf->len);
        if (buf->data)
            ly_cleanse(buf->data, buf->len);
        ly_free(buf->data);
        buf->data = data;
        buf->cap = cap;
    }
    return buf->data + buf->len;
}

void ly_buf_add(LyBuf *buf, LyBytes bytes)
{
    uint8_t *room = bytes.len ? ly_buf_room(buf, bytes.len) : NULL;
    if (!room)
        return;
    memcpy(room, bytes.data, bytes.len);
    buf->len += bytes.len;
}

void ly_buf_add_str(LyBuf *buf, const char *text)
{
    ly_buf_add(buf, ly_bytes_str(text));
}

void ly_buf_add_format(LyBuf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    uint8_t *room = len >= 0 ? ly_buf_room(buf, (size_t)len + 1) : NULL;
    if (room) {
        vsnprintf((char *)room, (size_t)len + 1, format, again);
        buf->len += (size_t)len;
    }
    va_end(again);
}

void ly_buf_drop(LyBuf *buf, size_t len)
{
    len = LY_MIN(len, buf->len);
    if (len && len < buf->len)
        memmove(buf->data, buf->data + len, buf->len - len);
    buf->len -= len;
}

const char *ly_buf_str(LyBuf *buf)
{
    uint8_t *room = ly_buf_room(buf, 1);
    if (!room)
        return "";
    *room = 0;
    return (const char *)buf->data;
}
