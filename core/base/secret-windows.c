#include "base/secret-private.h"

#include <stdlib.h>
#include <windows.h>

/* Windows has no fork, and its crash reports hold no heap unless they are asked to. */

static SRWLOCK lock = SRWLOCK_INIT;

size_t ly_secret_page_len(void)
{
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return info.dwPageSize;
}

uint8_t *ly_secret_map(size_t len, bool *locked)
{
    size_t page = ly_secret_page_len();
    uint8_t *map = VirtualAlloc(NULL, len + 2 * page, MEM_RESERVE, PAGE_NOACCESS);
    if (!map || !VirtualAlloc(map + page, len, MEM_COMMIT, PAGE_READWRITE))
        abort();
    /* A process may lock about as much as its smallest working set, which is 200 KiB unless it asks for more.
     */
    SIZE_T least = 0, most = 0;
    HANDLE self = GetCurrentProcess();
    if (GetProcessWorkingSetSize(self, &least, &most))
        SetProcessWorkingSetSize(self, least + len, most + len);
    *locked = VirtualLock(map + page, len);
    return map + page;
}

void ly_secret_enter(void)
{
    AcquireSRWLockExclusive(&lock);
}

void ly_secret_leave(void)
{
    ReleaseSRWLockExclusive(&lock);
}
