/* What the files of core/loop share. */
#ifndef LY_LOOP_LOOP_PRIVATE_H
#define LY_LOOP_LOOP_PRIVATE_H

#include <pthread.h>

#include "base/list.h"
#include "base/memory.h"
#include "loop/loop.h"

/* Something to run in the loop's thread, embedded in what it belongs to. `dropped`: the loop is being freed,
 * so only release. */
typedef struct LyPost {
    void (*run)(struct LyPost *post, bool dropped);
    struct LyPost *next;
} LyPost;

typedef struct LyTaskList {
    LyTask *first, *last;
} LyTaskList;

struct LyLoop {
    int epoll_fd;
    unsigned depth; /* run_once within run_once: only the outermost releases dead watches */
    bool quit;
    uint64_t now_us;
    uint64_t iteration;

    LyList dead;   /* watches freed while events may still point to them */
    LyList always; /* watches of what epoll refuses (regular files): always ready */

    LyTimer **heap; /* the earliest first */
    size_t heap_count, heap_cap;
    uint64_t timer_order;

    LyTaskList tasks; /* run in this iteration */
    LyTaskList later; /* ran already in this iteration: the next */

    int post_fd;
    LyWatch *post_watch;
    pthread_mutex_t post_mutex; /* guards the two below */
    LyPost *post_first, *post_last;

    uint8_t *scratch;    /* NULL until it is asked for */
    struct LyJobs *jobs; /* NULL until the first job */
    LyList orphans;      /* children that were forgotten and have not ended */
};

/* From any thread; `post` stays the caller's until it runs. */
void ly_loop_post_item(LyLoop *loop, LyPost *post);
/* For bytes on their way from one place to another within a callback: LY_LOOP_SCRATCH_LEN of them, shared by
 * all, so that a thousand idle connections need no buffers of their own. */
#define LY_LOOP_SCRATCH_LEN ((size_t)256 << 10)
uint8_t *ly_loop_scratch(LyLoop *loop);
/* Waits for running jobs; what was queued is completed as cancelled. */
void ly_jobs_free(LyLoop *loop);
void ly_orphans_free(LyLoop *loop);

/* "10 s", "50 ms" (connect.c) */
void ly_timeout_text(uint64_t timeout_us, char text[32]);

#endif
