#include "base/secret-private.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

size_t ly_secret_page_len(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

uint8_t *ly_secret_map(size_t len, bool *locked)
{
    size_t page = ly_secret_page_len();
    uint8_t *map = mmap(NULL, len + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED || mprotect(map + page, len, PROT_READ | PROT_WRITE) != 0)
        abort();
    *locked = mlock(map + page, len) == 0;
#ifdef MADV_DONTDUMP
    madvise(map + page, len, MADV_DONTDUMP);
#endif
#ifdef MADV_WIPEONFORK
    madvise(map + page, len, MADV_WIPEONFORK);
#endif
    return map + page;
}

void ly_secret_enter(void)
{
    pthread_mutex_lock(&lock);
}

void ly_secret_leave(void)
{
    pthread_mutex_unlock(&lock);
}
