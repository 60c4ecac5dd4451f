#include "base/slots.h"

#include "base/memory.h"

struct LySlot {
    void *item; /* NULL when free */
    uint32_t next_free;
    uint16_t generation;
};

#define NO_SLOT UINT32_MAX
#define INDEX_BITS 16

void ly_slots_init(LySlots *slots, uint32_t limit)
{
    *slots = (LySlots){.free = NO_SLOT, .limit = LY_MIN(limit, 1u << INDEX_BITS)};
}

void ly_slots_free(LySlots *slots)
{
    ly_free(slots->slot);
    ly_slots_init(slots, slots->limit);
}

static void grow(LySlots *slots)
{
    uint32_t count = LY_MIN(LY_MAX(slots->count * 2, 32u), slots->limit);
    slots->slot = ly_realloc(slots->slot, count * sizeof *slots->slot);
    for (uint32_t i = count; i > slots->count; i--) {
        slots->slot[i - 1] = (struct LySlot){.next_free = slots->free};
        slots->free = i - 1;
    }
    slots->count = count;
}

bool ly_slots_take(LySlots *slots, void *item, uint32_t *id)
{
    if (slots->used == slots->limit)
        return false;
    if (slots->free == NO_SLOT)
        grow(slots);
    uint32_t index = slots->free;
    struct LySlot *slot = &slots->slot[index];
    slots->free = slot->next_free;
    slots->used++;
    slot->item = item;
    *id = (uint32_t)slot->generation << INDEX_BITS | index;
    return true;
}

static struct LySlot *lookup(const LySlots *slots, uint32_t id)
{
    uint32_t index = id & ((1u << INDEX_BITS) - 1);
    if (index >= slots->count)
        return NULL;
    struct LySlot *slot = &slots->slot[index];
    return slot->item && slot->generation == id >> INDEX_BITS ? slot : NULL;
}

void *ly_slots_find(const LySlots *slots, uint32_t id)
{
    struct LySlot *slot = lookup(slots, id);
    return slot ? slot->item : NULL;
}

void *ly_slots_give(LySlots *slots, uint32_t id)
{
    struct LySlot *slot = lookup(slots, id);
    if (!slot)
        return NULL;
    void *item = slot->item;
    slot->item = NULL;
    slot->generation++;
    slot->next_free = slots->free;
    slots->free = id & ((1u << INDEX_BITS) - 1);
    slots->used--;
    return item;
}

void *ly_slots_each(const LySlots *slots, uint32_t *position, uint32_t *id)
{
    while (*position < slots->count) {
        uint32_t index = (*position)++;
        struct LySlot *slot = &slots->slot[index];
        if (slot->item) {
            *id = (uint32_t)slot->generation << INDEX_BITS | index;
            return slot->item;
        }
    }
    return NULL;
}
