/* What secret memory needs of the operating system. */
#ifndef LY_BASE_SECRET_PRIVATE_H
#define LY_BASE_SECRET_PRIVATE_H

#include "base/bytes.h"

/* Bytes of one page. */
size_t ly_secret_page_len(void);
/* Zeroed memory of `len` bytes (whole pages) between two guard pages, kept out of core dumps, wiped in a
 * forked child; never given back. *locked: it cannot be swapped out. Aborts when there is none. */
uint8_t *ly_secret_map(size_t len, bool *locked);
/* One lock for all arenas of the process. */
void ly_secret_enter(void);
void ly_secret_leave(void);

#endif
