#include <stdlib.h>
#include <sys/mman.h>

#include "buffer.h"

typedef struct PoolBuffer {
    struct PoolBuffer *next;
} PoolBuffer;

void *buffer_take(BufferPool *pool)
{
    PoolBuffer *buffer = pool->free;
    pool->used_count++;
    if (buffer) {
        pool->free = buffer->next;
        pool->free_count--;
        pool->free_low = LY_MIN(pool->free_low, pool->free_count);
        return buffer;
    }
    /* Mapped, not from the heap: there they would be kept, in holes, after the traffic is over. */
    void *memory = mmap(NULL, BUFFER_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        abort();
    return memory;
}

void buffer_give(BufferPool *pool, void *memory)
{
    PoolBuffer *buffer = memory;
    if (!buffer)
        return;
    buffer->next = pool->free;
    pool->free = buffer;
    pool->free_count++;
    pool->used_count--;
}

static void give_back(BufferPool *pool, size_t count)
{
    while (count-- > 0 && pool->free) {
        PoolBuffer *buffer = pool->free;
        pool->free = buffer->next;
        pool->free_count--;
        munmap(buffer, BUFFER_LEN);
    }
}

bool buffer_trim(BufferPool *pool)
{
    give_back(pool, pool->free_low);
    pool->free_low = pool->free_count;
    return pool->free_count > 0;
}

void buffer_pool_free(BufferPool *pool)
{
    give_back(pool, SIZE_MAX);
    *pool = (BufferPool){0};
}
