#include "base/secret.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/secret-private.h"

/* An arena is [guard page | blocks | guard page]; each block starts with a header. Blocks are few and small,
 * so first fit with merging of free neighbours is enough. */
typedef struct Block {
    size_t len; /* bytes behind the header, a multiple of 16 */
    size_t used;
} Block;

typedef struct Arena {
    struct Arena *next;
    uint8_t *start;
    size_t len;
} Arena;

#define ARENA_LEN ((size_t)256 << 10)
#define LARGEST ((size_t)1 << 20)

/* The arenas belong to the process, like malloc's own: locking is per process, and this holds no state a user
 * could share. */
static Arena *arenas;
static bool all_locked = true;

static Arena *arena_new(size_t need)
{
    size_t page = ly_secret_page_len();
    size_t len = LY_MAX(ARENA_LEN, (need + sizeof(Block) + page - 1) / page * page);
    bool locked = false;
    uint8_t *start = ly_secret_map(len, &locked);
    all_locked = all_locked && locked;
    Arena *arena = ly_new(Arena);
    *arena = (Arena){.next = arenas, .start = start, .len = len};
    *(Block *)(void *)arena->start = (Block){.len = len - sizeof(Block)};
    arenas = arena;
    return arena;
}

static Block *next_block(const Arena *arena, Block *block)
{
    uint8_t *next = (uint8_t *)(block + 1) + block->len;
    return next < arena->start + arena->len ? (Block *)(void *)next : NULL;
}

static void *take(const Arena *arena, size_t len)
{
    for (Block *block = (Block *)(void *)arena->start; block; block = next_block(arena, block)) {
        if (block->len == 0) /* a forked child sees zeroes */
            return NULL;
        for (Block *next; !block->used && (next = next_block(arena, block)) && !next->used;)
            block->len += sizeof(Block) + next->len;
        if (block->used || block->len < len)
            continue;
        if (block->len >= len + sizeof(Block) + 16) {
            Block *rest = (Block *)(void *)((uint8_t *)(block + 1) + len);
            *rest = (Block){.len = block->len - len - sizeof(Block)};
            block->len = len;
        }
        block->used = 1;
        memset(block + 1, 0, block->len);
        return block + 1;
    }
    return NULL;
}

void *ly_secret_alloc(size_t len)
{
    if (len > LARGEST)
        abort();
    len = LY_MAX((len + 15) / 16 * 16, (size_t)16);
    ly_secret_enter();
    void *memory = NULL;
    for (Arena *arena = arenas; arena && !memory; arena = arena->next)
        memory = take(arena, len);
    if (!memory)
        memory = take(arena_new(len), len);
    ly_secret_leave();
    return memory;
}

void ly_secret_free(void *memory)
{
    if (!memory)
        return;
    Block *block = (Block *)memory - 1;
    ly_secret_enter();
    ly_cleanse(memory, block->len);
    block->used = 0;
    ly_secret_leave();
}

LyBytes ly_secret_copy(LyBytes bytes)
{
    void *copy = ly_secret_alloc(bytes.len);
    if (bytes.len)
        memcpy(copy, bytes.data, bytes.len);
    return ly_bytes(copy, bytes.len);
}

bool ly_secret_locked(void)
{
    ly_secret_enter();
    bool locked = all_locked;
    ly_secret_leave();
    return locked;
}
