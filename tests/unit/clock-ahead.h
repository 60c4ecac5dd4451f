/* The program's clock, which a test puts forward instead of waiting. */
#ifndef LY_TESTS_CLOCK_AHEAD_H
#define LY_TESTS_CLOCK_AHEAD_H

#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t ahead_us;

/* In the place of the C library's. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    uint64_t ns = (uint64_t)now->tv_nsec + ahead_us % 1000000 * 1000;
    now->tv_sec += (time_t)(ahead_us / 1000000 + ns / 1000000000);
    now->tv_nsec = (long)(ns % 1000000000);
    return result;
}

#endif
