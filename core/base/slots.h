/* Request id -> request without hashing. An id is a slot's index and the slot's generation, so an id that was
 * given back is told from the one now in its place. */
#ifndef LY_BASE_SLOTS_H
#define LY_BASE_SLOTS_H

#include "base/bytes.h"

typedef struct LySlots {
    struct LySlot *slot;
    uint32_t count; /* slots allocated */
    uint32_t used;  /* slots taken */
    uint32_t free;  /* index of the first free slot, or UINT32_MAX */
    uint32_t limit; /* at most this many taken at once; at most 65536 */
} LySlots;

void ly_slots_init(LySlots *slots, uint32_t limit);
/* Releases the table; what the slots point to is the caller's. */
void ly_slots_free(LySlots *slots);
/* Takes a slot for `item` (not NULL). False when the limit is reached. */
bool ly_slots_take(LySlots *slots, void *item, uint32_t *id);
/* The item of an id, or NULL when it is unknown or was given back. */
void *ly_slots_find(const LySlots *slots, uint32_t id);
/* Gives the slot back and returns its item (NULL if unknown). */
void *ly_slots_give(LySlots *slots, uint32_t id);
/* Walks all taken items: start with *position = 0; NULL at the end. The current item may be given back while
 * walking. */
void *ly_slots_each(const LySlots *slots, uint32_t *position, uint32_t *id);

#endif
