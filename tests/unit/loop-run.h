/* What the tests of core/loop share: running the loop until something holds, and a pair of sockets. */
#ifndef LY_TESTS_LOOP_RUN_H
#define LY_TESTS_LOOP_RUN_H

#include <glib.h>
#include <sys/socket.h>

#include "loop/loop.h"

#define FOR_EVER_US ((uint64_t)30 * 1000 * 1000)

#define RUN_UNTIL(loop, condition)                                                                           \
    do {                                                                                                     \
        uint64_t end_us = ly_loop_now_us(loop) + FOR_EVER_US;                                                \
        while (!(condition)) {                                                                               \
            if (ly_loop_now_us(loop) >= end_us)                                                              \
                g_error("it never came to: %s", #condition);                                                 \
            ly_loop_run_once(loop, 100000);                                                                  \
        }                                                                                                    \
    } while (0)

static inline void socket_pair(int fds[2])
{
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==, 0);
}

#endif
