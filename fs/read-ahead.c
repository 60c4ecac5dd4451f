/* The window is twice what the line holds: the rate at which the reader gets on, times the shortest time that
 * a READ took. A reader that waits for data on a long line doubles it each time round, until the line is full
 * and the rate stops growing; on a short line, or for a slow reader, the window stays near
 * SLACK, which keeps the server's processes and the cipher busy while one of them waits for its turn. */
#include "file.h"

enum { NEAR = 1024 * 1024, HITS_NEEDED = 1, MISSES_ALLOWED = 2, SLACK = 4 * 1024 * 1024 };

static void judge_window(ReadAhead *ahead, uint64_t end, uint64_t now_us, uint64_t trip_us)
{
    uint64_t elapsed_us = LY_MAX(now_us - ahead->cycle_us, 1u);
    uint64_t held = (end - ahead->cycle_start) * trip_us / elapsed_us;
    size_t target = (size_t)LY_MIN(2 * held + SLACK, (uint64_t)READ_AHEAD_MAX);
    if (ahead->stalled && target > ahead->window)
        ahead->window = LY_MIN(target, 2 * ahead->window);
    else if (target < ahead->window / 2)
        ahead->window = LY_MAX(ahead->window / 2, (size_t)READ_AHEAD_FIRST);
}

bool read_ahead_step(ReadAhead *ahead, uint64_t offset, size_t len, uint64_t now_us, uint64_t trip_us)
{
    uint64_t end = offset + len;
    /* The kernel sends a few reads at a time, and not always in order. */
    bool sequential = ahead->hits == 0 && ahead->misses == 0
                          ? offset == 0
                          : offset <= ahead->end + NEAR / 4 && end + NEAR >= ahead->end && end > ahead->end;
    bool repeated = !sequential && end <= ahead->end && end + NEAR >= ahead->end;
    if (repeated) /* behind the reader, but near: says nothing */
        return ahead->window != 0;
    if (!sequential) {
        ahead->hits = 0;
        ahead->end = end;
        if (++ahead->misses >= MISSES_ALLOWED)
            ahead->window = 0;
        ahead->cycle_end = 0;
        return false;
    }
    ahead->end = end;
    ahead->hits++;
    ahead->misses = 0;
    bool eager = offset == 0 && len >= READ_AHEAD_EAGER;
    if (ahead->window == 0 && (ahead->hits > HITS_NEEDED || eager)) {
        ahead->window = READ_AHEAD_FIRST;
        ahead->cycle_end = 0;
    }
    if (ahead->window == 0)
        return true;
    bool begun = ahead->cycle_end != 0;
    if (begun && end < ahead->cycle_end)
        return true;
    if (begun)
        judge_window(ahead, end, now_us, trip_us);
    ahead->cycle_start = end;
    ahead->cycle_us = now_us;
    ahead->cycle_end = end + ahead->window;
    ahead->stalled = false;
    return true;
}

void read_ahead_stalled(ReadAhead *ahead)
{
    ahead->stalled = true;
}
