/* The event loop: descriptors, timers, jobs for whatever blocks, connecting, listening, children. This floor
 * is the only one in core that does I/O. A loop belongs to one thread; only ly_loop_post may be called from
 * others. Callbacks run from ly_loop_run_once, never from within the call that made them. */
#ifndef LY_LOOP_LOOP_H
#define LY_LOOP_LOOP_H

#include <sys/types.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/log.h"

typedef struct LyLoop LyLoop;

LyLoop *ly_loop_new(LyError *error);
/* Waits for running jobs, then releases all. Jobs that are not done get their `done` from here, cancelled;
 * posts that have not run are dropped. Watches, timers ... must have been freed before. NULL is fine. */
void ly_loop_free(LyLoop *loop);
/* Monotonic microseconds; within an iteration, the time at which its wait ended. */
uint64_t ly_loop_now_us(const LyLoop *loop);
/* Waits for something to happen, at most `timeout_us` (UINT64_MAX: for ever), and runs the callbacks that are
 * due. */
void ly_loop_run_once(LyLoop *loop, uint64_t timeout_us);
/* Iterates until ly_loop_quit. */
void ly_loop_run(LyLoop *loop);
void ly_loop_quit(LyLoop *loop);
/* The epoll descriptor: readable when ly_loop_run_once(loop, 0) has work. ly_loop_deadline_us: when it has
 * work at the latest. */
int ly_loop_fd(const LyLoop *loop);
uint64_t ly_loop_deadline_us(const LyLoop *loop);

/* Descriptors, level-triggered; one watch a descriptor, and it is freed before the descriptor is closed. What
 * epoll cannot watch (a regular file) is always ready. LY_HANGUP (the other end is gone, or an error) comes
 * together with the events asked for, so that whoever reads or writes sees the end or the error; a watch that
 * asks for nothing is told once. */
typedef struct LyWatch LyWatch;
enum { LY_READABLE = 1, LY_WRITABLE = 2, LY_HANGUP = 4 /* reported always, never asked for */ };
typedef void (*LyWatchFunc)(void *user, unsigned events);
LyWatch *ly_watch_new(LyLoop *loop, int fd, unsigned events, LyWatchFunc func, void *user);
void ly_watch_set(LyWatch *watch, unsigned events); /* cheap when nothing changes */
void ly_watch_free(LyWatch *watch); /* does not close the descriptor; NULL is fine; fine inside callbacks */

/* Timers, one shot. */
typedef struct LyTimer LyTimer;
LyTimer *ly_timer_new(LyLoop *loop, void (*func)(void *user), void *user);
void ly_timer_set(LyTimer *timer, uint64_t at_us); /* absolute, ly_loop_now_us's clock; UINT64_MAX: off */
void ly_timer_free(LyTimer *timer);                /* NULL is fine; fine inside callbacks */

/* Runs at the end of this iteration, once, before waiting again: for work that gathers what an iteration
 * produced (flushing). `task` is the caller's, zeroed but for func and user; queueing it twice is one run; a
 * task that was run in this iteration and is queued again runs in the next. */
typedef struct LyTask {
    void (*func)(void *user);
    void *user;
    struct LyTask *next;
    bool queued;
    uint64_t ran; /* the iteration in which it ran last: queued again by then, it waits for the next */
} LyTask;
void ly_loop_defer(LyLoop *loop, LyTask *task);
void ly_loop_undefer(LyLoop *loop, LyTask *task);

/* From any thread: `func(user)` runs in the loop's thread. */
void ly_loop_post(LyLoop *loop, void (*func)(void *user), void *user);

/* Jobs: `work` runs in one of a few threads and owns copies of what it needs; `done` runs in the loop's
 * thread, with cancelled = true when the job was cancelled (its result is to be freed and dropped). done is
 * called exactly once. */
typedef struct LyJob LyJob;
LyJob *ly_loop_work(LyLoop *loop, void (*work)(void *data), void (*done)(void *data, bool cancelled),
                    void *data);
void ly_job_cancel(LyJob *job);

/* Signals as events (signalfd); blocks them in the calling thread until freed. Before any other thread of the
 * program was started (jobs' threads block all). NULL with errno when the system has no descriptor left. */
typedef struct LySignals LySignals;
LySignals *ly_signals_new(LyLoop *loop, const int *signals, size_t count,
                          void (*func)(void *user, int signal), void *user);
void ly_signals_free(LySignals *signals);

#endif
