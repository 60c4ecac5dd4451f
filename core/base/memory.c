#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void *ly_alloc(size_t len)
{
    void *memory = calloc(1, len ? len : 1);
    if (!memory)
        abort();
    return memory;
}

void *ly_alloc_array(size_t count, size_t len)
{
    void *memory = calloc(count ? count : 1, len ? len : 1);
    if (!memory)
        abort();
    return memory;
}

void *ly_realloc(void *memory, size_t len)
{
    memory = realloc(memory, len ? len : 1);
    if (!memory)
        abort();
    return memory;
}

void ly_free(void *memory)
{
    free(memory);
}

char *ly_strdup(const char *text)
{
    return text ? ly_bytes_dup_str(ly_bytes_str(text)) : NULL;
}

char *ly_bytes_dup_str(LyBytes bytes)
{
    char *text = ly_alloc(bytes.len + 1);
    if (bytes.len)
        memcpy(text, bytes.data, bytes.len);
    return text;
}

char *ly_format(const char *format, ...)
{
    va_list args;
    char *text = NULL;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    return text;
}

void ly_cleanse(void *memory, size_t len)
{
    if (len == 0) /* memset(NULL, 0, 0) is undefined */
        return;
    memset(memory, 0, len);
    __asm__ volatile(""
                     :
                     : "r"(memory)
                     : "memory"); /* as if the zeroes were read: explicit_bzero is not everywhere */
}
