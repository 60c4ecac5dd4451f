/* Buffers for data on the way: all of one length, reused while there is traffic, given back to the system
 * when there is none. */
#ifndef LY_FS_BUFFER_H
#define LY_FS_BUFFER_H

#include "base/memory.h"

enum { BUFFER_LEN = 128 * 1024 };

typedef struct BufferPool {
    struct PoolBuffer *free;
    size_t free_count, used_count; /* buffers */
    size_t free_low;               /* the fewest free ones since the last trim: what was not needed */
} BufferPool;

void *buffer_take(BufferPool *pool);
void buffer_give(BufferPool *pool, void *buffer); /* NULL is fine */
/* Gives back what was not needed since the last call; true while there is more to give back. */
bool buffer_trim(BufferPool *pool);
void buffer_pool_free(BufferPool *pool);

#endif
