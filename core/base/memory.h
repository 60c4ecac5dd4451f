/* Allocation. What a peer controls is limited before it is allocated, so running out of memory is the
 * machine's trouble and not an input: these abort then, and callers need no path for it. */
#ifndef LY_BASE_MEMORY_H
#define LY_BASE_MEMORY_H

#include "base/bytes.h"

/* Zeroed memory; free with ly_free or free. Aborts when there is none. */
void *ly_alloc(size_t len);
#define ly_new(Type) ((Type *)ly_alloc(sizeof(Type)))
#define ly_new_array(Type, count) ((Type *)ly_alloc_array((count), sizeof(Type)))
void *ly_alloc_array(size_t count, size_t len);
/* Resizes; new bytes are not zeroed. Aborts when there is no memory. */
void *ly_realloc(void *memory, size_t len);
void ly_free(void *memory);

/* A NUL-terminated copy; the caller frees it. NULL stays NULL. */
char *ly_strdup(const char *text);
char *ly_bytes_dup_str(LyBytes bytes);
char *ly_format(const char *format, ...) LY_PRINTF(1, 2);

/* Overwrites memory in a way the compiler does not remove. */
void ly_cleanse(void *memory, size_t len);

#endif
