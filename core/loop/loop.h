/* The event loop: descriptors, timers, jobs for whatever blocks, connecting, listening, children. This floor is the only one in
 * core that does I/O. A loop belongs to one thread; only ly_loop_post may be called from others. Callbacks run from
 * ly_loop_run_once, never from within the call that made them. */
#ifndef LY_LOOP_LOOP_H
#define LY_LOOP_LOOP_H

#include <sys/types.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/log.h"

typedef struct LyLoop LyLoop;

LyLoop *ly_loop_new(LyError *error);
/* Waits for running jobs (their results are dropped), then releases all. Watches, timers ... must have been freed before. */
void ly_loop_free(LyLoop *loop);
/* Monotonic microseconds, cached at the start of each iteration. */
uint64_t ly_loop_now_us(const LyLoop *loop);
/* Waits for something to happen, at most `timeout_us` (UINT64_MAX: for ever), and runs the callbacks that are due. */
void ly_loop_run_once(LyLoop *loop, uint64_t timeout_us);
/* Iterates until ly_loop_quit. */
void ly_loop_run(LyLoop *loop);
void ly_loop_quit(LyLoop *loop);
/* The epoll descriptor: readable when ly_loop_run_once(loop, 0) has work. ly_loop_deadline_us: when it has work at the latest. */
int ly_loop_fd(const LyLoop *loop);
uint64_t ly_loop_deadline_us(const LyLoop *loop);

/* Descriptors, level-triggered. */
typedef struct LyWatch LyWatch;
enum { LY_READABLE = 1, LY_WRITABLE = 2, LY_HANGUP = 4 /* reported always, never asked for */ };
typedef void (*LyWatchFunc)(void *user, unsigned events);
LyWatch *ly_watch_new(LyLoop *loop, int fd, unsigned events, LyWatchFunc func, void *user);
void ly_watch_set(LyWatch *watch, unsigned events); /* cheap when nothing changes */
void ly_watch_free(LyWatch *watch);                 /* does not close the descriptor; NULL is fine; fine inside callbacks */

/* Timers, one shot. */
typedef struct LyTimer LyTimer;
LyTimer *ly_timer_new(LyLoop *loop, void (*func)(void *user), void *user);
void ly_timer_set(LyTimer *timer, uint64_t at_us); /* absolute, ly_loop_now_us's clock; UINT64_MAX: off */
void ly_timer_free(LyTimer *timer);

/* Runs at the end of this iteration, once, before waiting again: for work that gathers what an iteration produced (flushing).
 * `task` is the caller's, zeroed; queueing it twice is one run. */
typedef struct LyTask {
    void (*func)(void *user);
    void *user;
    struct LyTask *next;
    bool queued;
} LyTask;
void ly_loop_defer(LyLoop *loop, LyTask *task);
void ly_loop_undefer(LyLoop *loop, LyTask *task);

/* From any thread: `func(user)` runs in the loop's thread. */
void ly_loop_post(LyLoop *loop, void (*func)(void *user), void *user);

/* Jobs: `work` runs in one of a few threads and owns copies of what it needs; `done` runs in the loop's thread, with cancelled =
 * true when the job was cancelled (its result is to be freed and dropped). done is called exactly once. */
typedef struct LyJob LyJob;
LyJob *ly_loop_work(LyLoop *loop, void (*work)(void *data), void (*done)(void *data, bool cancelled), void *data);
void ly_job_cancel(LyJob *job);

/* Signals as events (signalfd); blocks them in the calling thread. Before any job was made. */
typedef struct LySignals LySignals;
LySignals *ly_signals_new(LyLoop *loop, const int *signals, size_t count, void (*func)(void *user, int signal), void *user);
void ly_signals_free(LySignals *signals);

#endif
