/* Memory for keys and passphrases: one arena, locked where the limit allows, never in core dumps, wiped in a
 * forked child, with guard pages around it; cleansed when given back. When the arena is full, further arenas
 * are mapped. */
#ifndef LY_BASE_SECRET_H
#define LY_BASE_SECRET_H

#include "base/bytes.h"
#include "base/log.h"

/* Zeroed; aborts when the system has no memory. `len` up to 1 MiB. May be called from any thread. */
void *ly_secret_alloc(size_t len);
/* Cleanses and gives back; NULL is fine. */
void ly_secret_free(void *memory);
/* A copy in secret memory; `*copy` views it. Free with ly_secret_free((void *)copy.data). */
LyBytes ly_secret_copy(LyBytes bytes);
/* True when every arena could be locked; programs warn once when it is not. */
bool ly_secret_locked(void);

#endif
