/* core/loop: descriptors, timers, tasks, posts, jobs, signals, connections on loopback, children, carriers.
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/memory.h"
#include "loop/loop.h"
#include "loop-run.h"

/* What callbacks write down, one letter each. */
typedef struct Trace {
    LyLoop *loop;
    GString *text;
} Trace;

typedef struct Mark {
    Trace *trace;
    char letter;
    LyTimer *timer, *set; /* `set` is set to `at_us`, `drop` is freed */
    uint64_t at_us;
    LyTimer **drop;
    LyTask *task, *queue, *unqueue;
} Mark;

static void mark(void *user)
{
    Mark *this = user;
    g_string_append_c(this->trace->text, this->letter);
    if (this->set)
        ly_timer_set(this->set, this->at_us);
    if (this->drop) {
        ly_timer_free(*this->drop);
        *this->drop = NULL;
    }
    if (this->queue)
        ly_loop_defer(this->trace->loop, this->queue);
    if (this->unqueue)
        ly_loop_undefer(this->trace->loop, this->unqueue);
}

static void assert_trace(Trace *trace, const char *expected)
{
    g_assert_cmpstr(trace->text->str, ==, expected);
    g_string_truncate(trace->text, 0);
}

static void test_timers(void)
{
    LyLoop *loop = ly_loop_new(NULL);
    Trace trace = {loop, g_string_new(NULL)};
    uint64_t now_us = ly_loop_now_us(loop);
    static const unsigned after[] = {5, 1, 4, 2, 3, 1, 0, 5};
    Mark marks[8];
    for (size_t i = 0; i < 8; i++) {
        marks[i] = (Mark){.trace = &trace, .letter = (char)('a' + i)};
        marks[i].timer = ly_timer_new(loop, mark, &marks[i]);
        ly_timer_set(marks[i].timer, now_us + after[i] * 1000);
    }
    g_assert_cmpuint(ly_loop_deadline_us(loop), ==, now_us);
    ly_timer_set(marks[2].timer, UINT64_MAX);
    ly_timer_set(marks[3].timer, now_us + 2500);
    RUN_UNTIL(loop, trace.text->len == 7);
    g_assert_cmpuint(ly_loop_now_us(loop), >=, now_us + 5000);
    assert_trace(&trace, "gbfdeah");
    g_assert_cmpuint(ly_loop_deadline_us(loop), ==, UINT64_MAX);
    ly_loop_run_once(loop, 0);
    assert_trace(&trace, "");

    /* Two are due at once: the first frees the second and itself; a third sets itself again, for the next
     * iteration. */
    marks[0].drop = &marks[1].timer;
    marks[1].drop = NULL;
    marks[2].set = marks[2].timer;
    ly_timer_set(marks[0].timer, 1);
    ly_timer_set(marks[1].timer, 1);
    ly_timer_set(marks[2].timer, 1);
    ly_loop_run_once(loop, 0);
    assert_trace(&trace, "ac");
    marks[2].set = NULL;
    marks[2].drop = &marks[2].timer;
    ly_loop_run_once(loop, UINT64_MAX);
    assert_trace(&trace, "c");
    /* A wait ends at its timeout. */
    now_us = ly_loop_now_us(loop);
    ly_loop_run_once(loop, 3000);
    g_assert_cmpuint(ly_loop_now_us(loop), >=, now_us + 3000);
    for (size_t i = 0; i < 8; i++)
        ly_timer_free(marks[i].timer);

    /* Many, set and unset at random, against a sorted copy. */
    enum { MANY = 500 };
    static Mark many[MANY];
    GString *expected = g_string_new(NULL);
    uint64_t at_us[MANY];
    for (size_t i = 0; i < MANY; i++) {
        many[i] = (Mark){.trace = &trace, .letter = (char)('A' + i % 50)};
        many[i].timer = ly_timer_new(loop, mark, &many[i]);
    }
    now_us = ly_loop_now_us(loop) + 2000;
    for (size_t i = 0; i < MANY * 4; i++) {
        size_t which = (size_t)g_test_rand_int_range(0, MANY);
        ly_timer_set(many[which].timer, i % 3 ? now_us + 100000 : UINT64_MAX);
    }
    for (size_t i = 0; i < MANY; i++) {
        at_us[i] = now_us + (i * 7919) % MANY;
        ly_timer_set(many[i].timer, at_us[i]);
    }
    for (size_t time = 0; time < MANY; time++)
        for (size_t i = 0; i < MANY; i++)
            if (at_us[i] == now_us + time)
                g_string_append_c(expected, many[i].letter);
    RUN_UNTIL(loop, trace.text->len == MANY);
    assert_trace(&trace, expected->str);
    for (size_t i = 0; i < MANY; i++)
        ly_timer_free(many[i].timer);
    g_string_free(expected, TRUE);
    g_string_free(trace.text, TRUE);
    ly_loop_free(loop);
}

static void test_defer(void)
{
    LyLoop *loop = ly_loop_new(NULL);
    Trace trace = {loop, g_string_new(NULL)};
    LyTask tasks[3] = {0};
    Mark marks[3];
    for (size_t i = 0; i < 3; i++) {
        marks[i] = (Mark){.trace = &trace, .letter = (char)('a' + i)};
        tasks[i] = (LyTask){.func = mark, .user = &marks[i]};
    }
    /* From outside, twice queued, b and c from a timer of the same iteration. */
    Mark timed = {.trace = &trace, .letter = 't', .queue = &tasks[1]};
    timed.timer = ly_timer_new(loop, mark, &timed);
    ly_timer_set(timed.timer, 0);
    marks[1].queue = &tasks[2];
    ly_loop_defer(loop, &tasks[0]);
    ly_loop_defer(loop, &tasks[0]);
    ly_loop_run_once(loop, UINT64_MAX);
    assert_trace(&trace, "tabc");
    ly_loop_run_once(loop, 0);
    assert_trace(&trace, "");
    /* Two that queue each other take turns, one iteration each, and the loop does not wait meanwhile. */
    marks[0].queue = &tasks[1];
    marks[1].queue = &tasks[0];
    ly_loop_defer(loop, &tasks[0]);
    ly_loop_run_once(loop, UINT64_MAX);
    assert_trace(&trace, "ab");
    g_assert_cmpuint(ly_loop_deadline_us(loop), ==, 0);
    ly_loop_run_once(loop, UINT64_MAX);
    assert_trace(&trace, "ab");
    ly_loop_undefer(loop, &tasks[0]);
    ly_loop_undefer(loop, &tasks[1]);
    ly_loop_run_once(loop, 0);
    assert_trace(&trace, "");
    /* A task takes back another; the list's end stays right. */
    marks[0].queue = marks[1].queue = NULL;
    marks[0].unqueue = &tasks[1];
    ly_loop_defer(loop, &tasks[0]);
    ly_loop_defer(loop, &tasks[2]);
    ly_loop_defer(loop, &tasks[1]);
    ly_loop_run_once(loop, 0);
    assert_trace(&trace, "ac");
    ly_loop_defer(loop, &tasks[1]);
    ly_loop_run_once(loop, 0);
    assert_trace(&trace, "b");
    ly_timer_free(timed.timer);
    g_string_free(trace.text, TRUE);
    ly_loop_free(loop);
}

/* Watches. */

typedef struct Peer {
    LyWatch *watch, **other;
    int fds[2];
    unsigned calls, events;
    bool leave_data;
} Peer;

static void peer_ready(void *user, unsigned events)
{
    Peer *peer = user;
    char data[64];
    peer->calls++;
    peer->events |= events;
    if (!peer->leave_data)
        while (read(peer->fds[0], data, sizeof data) > 0)
            ;
    if (peer->other) {
        ly_watch_free(*peer->other);
        *peer->other = NULL;
    }
}

static void peer_open(Peer *peer, LyLoop *loop, unsigned events)
{
    *peer = (Peer){0};
    socket_pair(peer->fds);
    peer->watch = ly_watch_new(loop, peer->fds[0], events, peer_ready, peer);
}

static void peer_close(Peer *peer)
{
    ly_watch_free(peer->watch);
    close(peer->fds[0]);
    if (peer->fds[1] >= 0)
        close(peer->fds[1]);
}

static void test_watches(void)
{
    LyLoop *loop = ly_loop_new(NULL);
    Peer a, b;
    peer_open(&a, loop, LY_READABLE);
    peer_open(&b, loop, 0);
    ly_loop_run_once(loop, 0);
    g_assert_cmpuint(a.calls + b.calls, ==, 0);
    g_assert_cmpint(write(a.fds[1], "x", 1), ==, 1);
    g_assert_cmpint(write(b.fds[1], "x", 1), ==, 1);
    a.leave_data = true;
    ly_loop_run_once(loop, FOR_EVER_US);
    ly_loop_run_once(loop, FOR_EVER_US);
    g_assert_cmpuint(a.calls, ==, 2);
    g_assert_cmpuint(a.events, ==, LY_READABLE);
    g_assert_cmpuint(b.calls, ==, 0);
    ly_watch_set(a.watch, LY_WRITABLE);
    ly_watch_set(b.watch, LY_READABLE | LY_WRITABLE);
    a.events = 0;
    ly_loop_run_once(loop, FOR_EVER_US);
    g_assert_cmpuint(a.events, ==, LY_WRITABLE);
    g_assert_cmpuint(b.events, ==, LY_READABLE | LY_WRITABLE);
    peer_close(&a);
    /* Hang-up: with what was asked for, each time; to who asked for nothing, once. */
    close(b.fds[1]);
    b.fds[1] = -1;
    ly_watch_set(b.watch, LY_READABLE);
    b.events = b.calls = 0;
    ly_loop_run_once(loop, FOR_EVER_US);
    ly_loop_run_once(loop, FOR_EVER_US);
    g_assert_cmpuint(b.calls, ==, 2);
    g_assert_cmpuint(b.events, ==, LY_READABLE | LY_HANGUP);
    ly_watch_set(b.watch, 0);
    b.events = b.calls = 0;
    for (int i = 0; i < 3; i++)
        ly_loop_run_once(loop, 1000);
    g_assert_cmpuint(b.calls, ==, 1);
    g_assert_cmpuint(b.events, ==, LY_HANGUP);
    peer_close(&b);

    /* Of two that are ready in one batch, whichever comes first frees the other and itself. */
    for (int round = 0; round < 2; round++) {
        peer_open(&a, loop, LY_READABLE);
        peer_open(&b, loop, LY_READABLE);
        a.other = round ? &a.watch : &b.watch;
        b.other = round ? &b.watch : &a.watch;
        g_assert_cmpint(write(a.fds[1], "x", 1), ==, 1);
        g_assert_cmpint(write(b.fds[1], "x", 1), ==, 1);
        ly_loop_run_once(loop, FOR_EVER_US);
        g_assert_cmpuint(a.calls + b.calls, ==, round ? 2 : 1);
        ly_loop_run_once(loop, 0);
        g_assert_cmpuint(a.calls + b.calls, ==, round ? 2 : 1);
        peer_close(&a);
        peer_close(&b);
    }

    /* What epoll cannot watch is always ready. */
    char name[] = "/tmp/lanyard-loop-XXXXXX";
    b = (Peer){.fds = {g_mkstemp(name), -1}};
    b.watch = ly_watch_new(loop, b.fds[0], LY_READABLE, peer_ready, &b);
    ly_loop_run_once(loop, UINT64_MAX);
    g_assert_cmpuint(b.calls, ==, 1);
    ly_watch_set(b.watch, 0);
    ly_loop_run_once(loop, 1000);
    g_assert_cmpuint(b.calls, ==, 1);
    ly_watch_set(b.watch, LY_READABLE);
    b.other = &b.watch;
    ly_loop_run_once(loop, UINT64_MAX);
    g_assert_cmpuint(b.calls, ==, 2);
    ly_loop_run_once(loop, 1000);
    g_assert_cmpuint(b.calls, ==, 2);
    peer_close(&b);
    g_unlink(name);
    ly_loop_free(loop);
}

/* Posts and jobs. */

typedef struct Poster {
    LyLoop *loop;
    unsigned received;
    pthread_t loop_thread;
} Poster;

static void posted(void *user)
{
    Poster *poster = user;
    g_assert_true(pthread_equal(pthread_self(), poster->loop_thread));
    poster->received++;
}

static void *post_many(void *user)
{
    Poster *poster = user;
    for (unsigned i = 0; i < 500; i++)
        ly_loop_post(poster->loop, posted, poster);
    return NULL;
}

static void test_posts(void)
{
    Poster poster = {.loop = ly_loop_new(NULL), .loop_thread = pthread_self()};
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        g_assert_cmpint(pthread_create(&threads[i], NULL, post_many, &poster), ==, 0);
    RUN_UNTIL(poster.loop, poster.received == 2000);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ly_loop_post(poster.loop, posted, &poster);
    ly_loop_free(poster.loop);
    g_assert_cmpuint(poster.received, ==, 2000);
}

typedef struct Work {
    int gate; /* reads one byte from it before it is done; -1: none */
    bool worked, done, cancelled;
    unsigned *finished;
    pthread_t thread;
} Work;

static void work(void *data)
{
    Work *this = data;
    char byte;
    this->thread = pthread_self();
    if (this->gate >= 0)
        g_assert_cmpint(read(this->gate, &byte, 1), ==, 1);
    this->worked = true;
}

static void work_done(void *data, bool cancelled)
{
    Work *this = data;
    g_assert_false(this->done);
    this->done = true;
    this->cancelled = cancelled;
    (*this->finished)++;
}

static void test_jobs(void)
{
    LyLoop *loop = ly_loop_new(NULL);
    int gate[2];
    unsigned finished = 0;
    g_assert_cmpint(pipe2(gate, O_CLOEXEC), ==, 0);
    Work jobs[12];
    LyJob *handles[12];
    for (size_t i = 0; i < 12; i++) {
        jobs[i] = (Work){.gate = gate[0], .finished = &finished};
        handles[i] = ly_loop_work(loop, work, work_done, &jobs[i]);
    }
    /* All threads wait at the gate: the first is under way, the last can not have begun. */
    ly_job_cancel(handles[11]);
    ly_job_cancel(handles[0]);
    g_assert_false(jobs[11].done);
    RUN_UNTIL(loop, jobs[11].done);
    g_assert_true(jobs[11].cancelled && !jobs[11].worked);
    for (size_t i = 0; i < 11; i++)
        g_assert_cmpint(write(gate[1], "x", 1), ==, 1);
    RUN_UNTIL(loop, finished >= 11);
    g_usleep(1000);
    ly_loop_run_once(loop, 1000);
    unsigned worked = 0;
    for (size_t i = 1; i < 11; i++) {
        g_assert_true(jobs[i].done && !jobs[i].cancelled && jobs[i].worked);
        g_assert_false(pthread_equal(jobs[i].thread, pthread_self()));
        worked++;
    }
    g_assert_cmpuint(worked, ==, 10);
    RUN_UNTIL(loop, jobs[0].done);
    g_assert_true(jobs[0].cancelled);

    /* Freed while four run and more wait: each done once, cancelled. (A thread may have left one byte in the
     * gate.) */
    finished = 0;
    for (size_t i = 0; i < 12; i++) {
        jobs[i] = (Work){.gate = i < 6 ? gate[0] : -1, .finished = &finished};
        ly_loop_work(loop, work, work_done, &jobs[i]);
    }
    for (size_t i = 0; i < 6; i++)
        g_assert_cmpint(write(gate[1], "x", 1), ==, 1);
    ly_loop_free(loop);
    g_assert_cmpuint(finished, ==, 12);
    for (size_t i = 0; i < 12; i++)
        g_assert_true(jobs[i].done && jobs[i].cancelled);
    close(gate[0]);
    close(gate[1]);
}

static void signalled(void *user, int signal)
{
    LySignals **signals = user;
    g_assert_cmpint(signal, ==, SIGUSR1);
    ly_signals_free(*signals);
    *signals = NULL;
}

static void test_signals(void)
{
    LyLoop *loop = ly_loop_new(NULL);
    static const int wanted[] = {SIGUSR1, SIGUSR2};
    LySignals *signals = ly_signals_new(loop, wanted, 2, signalled, &signals);
    kill(getpid(), SIGUSR1);
    RUN_UNTIL(loop, signals == NULL);
    sigset_t now;
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    g_assert_false(sigismember(&now, SIGUSR1));
    ly_loop_free(loop);
}

static void quit(void *user)
{
    ly_loop_quit(user);
}

static void test_run(void)
{
    LyLoop *loop = ly_loop_new(NULL);
    LyTimer *timer = ly_timer_new(loop, quit, loop);
    for (int i = 0; i < 2; i++) {
        ly_timer_set(timer, ly_loop_now_us(loop) + 1000);
        ly_loop_run(loop);
    }
    ly_timer_free(timer);
    ly_loop_free(loop);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/loop/timers", test_timers);
    g_test_add_func("/loop/defer", test_defer);
    g_test_add_func("/loop/watches", test_watches);
    g_test_add_func("/loop/posts", test_posts);
    g_test_add_func("/loop/jobs", test_jobs);
    g_test_add_func("/loop/signals", test_signals);
    g_test_add_func("/loop/run", test_run);
    return g_test_run();
}
