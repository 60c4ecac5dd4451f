/* The window is what the link needs: doubled as long as reads wait for data and doubling makes it come faster. On a long line the
 * rate grows with the window until the line is full; on a short one it does not, and the window stays small. */
#include "file.h"

enum { NEAR = 1024 * 1024, HITS_NEEDED = 1, MISSES_ALLOWED = 2, HOLD_CYCLES = 16 };

bool read_ahead_step(ReadAhead *ahead, uint64_t offset, size_t len, uint64_t now_us)
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
        ahead->trial = false;
        return false;
    }
    ahead->end = end;
    ahead->hits++;
    ahead->misses = 0;
    bool eager = offset == 0 && len >= READ_AHEAD_EAGER;
    if (ahead->window == 0 && (ahead->hits > HITS_NEEDED || eager)) {
        ahead->window = READ_AHEAD_FIRST;
        ahead->best_rate = 0;
        ahead->hold = 0;
        ahead->trial = false;
        ahead->cycle_end = 0;
    }
    if (ahead->window == 0)
        return true;
    if (ahead->cycle_end == 0) {
        ahead->cycle_start = offset;
        ahead->cycle_us = now_us;
        ahead->cycle_end = end + ahead->window;
        ahead->stalled = false;
        return true;
    }
    if (end < ahead->cycle_end)
        return true;
    uint64_t elapsed_us = LY_MAX(now_us - ahead->cycle_us, 1u);
    uint64_t rate = (end - ahead->cycle_start) * 1000000 / elapsed_us;
    if (ahead->trial && rate < ahead->best_rate + ahead->best_rate / 8) {
        ahead->window /= 2;
        ahead->hold = HOLD_CYCLES;
        ahead->trial = false;
    } else {
        ahead->best_rate = ahead->trial ? LY_MAX(rate, ahead->best_rate) : rate;
        ahead->trial = false;
        if (ahead->hold > 0)
            ahead->hold--;
        else if (ahead->stalled && ahead->window < READ_AHEAD_MAX) {
            ahead->window *= 2;
            ahead->trial = true;
        }
    }
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
