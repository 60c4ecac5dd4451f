#include "loop/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "loop/loop-private.h"

#define EVENTS_AT_ONCE 64

struct LyWatch {
    LyLoop *loop;
    int fd;
    unsigned events;
    LyWatchFunc func;
    void *user;
    bool dead;
    bool always; /* epoll refused the descriptor: in loop->always */
    LyLink link;
    LyLink dead_link;
};

struct LyTimer {
    LyLoop *loop;
    uint64_t at_us;
    uint64_t order; /* of being set: equal times run in it */
    size_t place;   /* in the heap, plus one; 0: off */
    void (*func)(void *user);
    void *user;
};

typedef struct Posted {
    LyPost post;
    void (*func)(void *user);
    void *user;
} Posted;

static uint64_t clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Watches. */

static uint32_t epoll_events(unsigned events)
{
    uint32_t wanted = (events & LY_READABLE ? EPOLLIN : 0u) | (events & LY_WRITABLE ? EPOLLOUT : 0u);
    /* epoll reports hang-ups even to those who asked for nothing; level-triggered, that would spin. */
    return wanted ? wanted : EPOLLET;
}

static int control(LyWatch *watch, int operation)
{
    struct epoll_event event = {.events = epoll_events(watch->events), .data.ptr = watch};
    return epoll_ctl(watch->loop->epoll_fd, operation, watch->fd, &event);
}

LyWatch *ly_watch_new(LyLoop *loop, int fd, unsigned events, LyWatchFunc func, void *user)
{
    LyWatch *watch = ly_new(LyWatch);
    watch->loop = loop;
    watch->fd = fd;
    watch->events = events & (LY_READABLE | LY_WRITABLE);
    watch->func = func;
    watch->user = user;
    if (control(watch, EPOLL_CTL_ADD) != 0) {
        watch->always = true;
        ly_list_append(&loop->always, &watch->link);
    }
    return watch;
}

void ly_watch_set(LyWatch *watch, unsigned events)
{
    events &= LY_READABLE | LY_WRITABLE;
    if (watch->dead || watch->events == events)
        return;
    watch->events = events;
    if (!watch->always)
        control(watch, EPOLL_CTL_MOD);
}

static void watch_release(LyWatch *watch)
{
    ly_link_remove(&watch->link);
    ly_link_remove(&watch->dead_link);
    ly_free(watch);
}

void ly_watch_free(LyWatch *watch)
{
    if (!watch || watch->dead)
        return;
    if (!watch->always)
        control(watch, EPOLL_CTL_DEL);
    watch->dead = true;
    if (watch->loop->depth)
        ly_list_append(&watch->loop->dead, &watch->dead_link);
    else
        watch_release(watch);
}

static void release_dead(LyLoop *loop)
{
    ly_list_each(&loop->dead, LyWatch, dead_link, watch) watch_release(watch);
}

static void watch_ready(LyWatch *watch, uint32_t events)
{
    if (watch->dead)
        return;
    unsigned ready = (events & EPOLLIN ? LY_READABLE : 0u) | (events & EPOLLOUT ? LY_WRITABLE : 0u);
    /* An earlier callback of this batch may have changed what is wanted. */
    ready &= watch->events;
    /* Whoever reads or writes must try, to see the end or the error. */
    if (events & (EPOLLHUP | EPOLLERR))
        ready |= LY_HANGUP | watch->events;
    if (ready)
        watch->func(watch->user, ready);
}

static bool any_always(const LyLoop *loop)
{
    ly_list_each(&loop->always, LyWatch, link, watch) if (!watch->dead && watch->events) return true;
    return false;
}

static void run_always(LyLoop *loop)
{
    /* Dead watches stay in the list until the iteration ends, so the walk survives whatever is freed. */
    for (LyLink *link = loop->always.head.next; link != &loop->always.head; link = link->next) {
        LyWatch *watch = ly_container_of(link, LyWatch, link);
        if (!watch->dead && watch->events)
            watch->func(watch->user, watch->events);
    }
}

/* Timers: a binary heap, each timer knows its place. */

static bool before(const LyTimer *a, const LyTimer *b)
{
    return a->at_us < b->at_us || (a->at_us == b->at_us && a->order < b->order);
}

static void heap_put(LyLoop *loop, size_t index, LyTimer *timer)
{
    loop->heap[index] = timer;
    timer->place = index + 1;
}

static void heap_up(LyLoop *loop, size_t index, LyTimer *timer)
{
    while (index > 0 && before(timer, loop->heap[(index - 1) / 2])) {
        heap_put(loop, index, loop->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    heap_put(loop, index, timer);
}

static void heap_down(LyLoop *loop, size_t index, LyTimer *timer)
{
    for (size_t child; (child = 2 * index + 1) < loop->heap_count; index = child) {
        if (child + 1 < loop->heap_count && before(loop->heap[child + 1], loop->heap[child]))
            child++;
        if (!before(loop->heap[child], timer))
            break;
        heap_put(loop, index, loop->heap[child]);
    }
    heap_put(loop, index, timer);
}

static void heap_remove(LyTimer *timer)
{
    LyLoop *loop = timer->loop;
    if (!timer->place)
        return;
    size_t index = timer->place - 1;
    timer->place = 0;
    LyTimer *last = loop->heap[--loop->heap_count];
    if (last == timer)
        return;
    if (index > 0 && before(last, loop->heap[(index - 1) / 2]))
        heap_up(loop, index, last);
    else
        heap_down(loop, index, last);
}

LyTimer *ly_timer_new(LyLoop *loop, void (*func)(void *user), void *user)
{
    LyTimer *timer = ly_new(LyTimer);
    timer->loop = loop;
    timer->func = func;
    timer->user = user;
    return timer;
}

void ly_timer_set(LyTimer *timer, uint64_t at_us)
{
    LyLoop *loop = timer->loop;
    heap_remove(timer);
    if (at_us == UINT64_MAX)
        return;
    /* Never before now: so what a timer's callback sets comes behind all that is due in this iteration. */
    timer->at_us = LY_MAX(at_us, loop->now_us);
    timer->order = loop->timer_order++;
    if (loop->heap_count == loop->heap_cap) {
        loop->heap_cap = LY_MAX(loop->heap_cap * 2, (size_t)16);
        loop->heap = ly_realloc(loop->heap, loop->heap_cap * sizeof *loop->heap);
    }
    heap_up(loop, loop->heap_count++, timer);
}

void ly_timer_free(LyTimer *timer)
{
    if (!timer)
        return;
    heap_remove(timer);
    ly_free(timer);
}

static void run_timers(LyLoop *loop)
{
    uint64_t set_before = loop->timer_order;
    while (loop->heap_count) {
        LyTimer *timer = loop->heap[0];
        if (timer->at_us > loop->now_us || timer->order >= set_before)
            return;
        heap_remove(timer);
        timer->func(timer->user);
    }
}

/* Tasks. */

static void task_append(LyTaskList *list, LyTask *task)
{
    task->next = NULL;
    if (list->last)
        list->last->next = task;
    else
        list->first = task;
    list->last = task;
}

void ly_loop_defer(LyLoop *loop, LyTask *task)
{
    if (task->queued)
        return;
    task->queued = true;
    task_append(task->ran == loop->iteration ? &loop->later : &loop->tasks, task);
}

static bool task_remove(LyTaskList *list, LyTask *task)
{
    LyTask *previous = NULL;
    for (LyTask *at = list->first; at; previous = at, at = at->next) {
        if (at != task)
            continue;
        if (previous)
            previous->next = task->next;
        else
            list->first = task->next;
        if (list->last == task)
            list->last = previous;
        return true;
    }
    return false;
}

void ly_loop_undefer(LyLoop *loop, LyTask *task)
{
    if (!task->queued)
        return;
    if (!task_remove(&loop->tasks, task))
        task_remove(&loop->later, task);
    task->queued = false;
    task->next = NULL;
}

static void run_tasks(LyLoop *loop)
{
    LyTask *task;
    while ((task = loop->tasks.first)) {
        loop->tasks.first = task->next;
        if (!task->next)
            loop->tasks.last = NULL;
        task->next = NULL;
        task->queued = false;
        task->ran = loop->iteration;
        task->func(task->user);
    }
}

/* What ran already in the last iteration and was queued again. */
static void take_later(LyLoop *loop)
{
    if (!loop->later.first)
        return;
    if (loop->tasks.last)
        loop->tasks.last->next = loop->later.first;
    else
        loop->tasks.first = loop->later.first;
    loop->tasks.last = loop->later.last;
    loop->later = (LyTaskList){0};
}

/* Posts. */

void ly_loop_post_item(LyLoop *loop, LyPost *post)
{
    post->next = NULL;
    pthread_mutex_lock(&loop->post_mutex);
    bool wake = !loop->post_first;
    if (loop->post_last)
        loop->post_last->next = post;
    else
        loop->post_first = post;
    loop->post_last = post;
    /* Under the lock, because ly_loop_free may follow as soon as the post is seen. */
    if (wake)
        eventfd_write(loop->post_fd, 1);
    pthread_mutex_unlock(&loop->post_mutex);
}

static void run_posts(LyLoop *loop, bool dropped)
{
    pthread_mutex_lock(&loop->post_mutex);
    LyPost *post = loop->post_first;
    loop->post_first = loop->post_last = NULL;
    eventfd_t count;
    eventfd_read(loop->post_fd, &count);
    pthread_mutex_unlock(&loop->post_mutex);
    while (post) {
        LyPost *next = post->next; /* running releases it */
        post->run(post, dropped);
        post = next;
    }
}

static void posts_ready(void *user, unsigned events)
{
    run_posts(user, false);
}

static void posted_run(LyPost *post, bool dropped)
{
    Posted posted = *(Posted *)post;
    ly_free(post);
    if (!dropped)
        posted.func(posted.user);
}

void ly_loop_post(LyLoop *loop, void (*func)(void *user), void *user)
{
    Posted *posted = ly_new(Posted);
    *posted = (Posted){.post.run = posted_run, .func = func, .user = user};
    ly_loop_post_item(loop, &posted->post);
}

/* The loop. */

LyLoop *ly_loop_new(LyError *error)
{
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int post_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (epoll_fd < 0 || post_fd < 0) {
        ly_error_set_errno(error, errno, "cannot make an event loop");
        if (epoll_fd >= 0)
            close(epoll_fd);
        if (post_fd >= 0)
            close(post_fd);
        return NULL;
    }
    LyLoop *loop = ly_new(LyLoop);
    loop->epoll_fd = epoll_fd;
    loop->post_fd = post_fd;
    loop->now_us = clock_us();
    loop->iteration = 1; /* a zeroed task has run in none */
    ly_list_init(&loop->dead);
    ly_list_init(&loop->always);
    ly_list_init(&loop->orphans);
    pthread_mutex_init(&loop->post_mutex, NULL);
    loop->post_watch = ly_watch_new(loop, post_fd, LY_READABLE, posts_ready, loop);
    return loop;
}

void ly_loop_free(LyLoop *loop)
{
    if (!loop)
        return;
    ly_jobs_free(loop);
    while (loop->post_first)
        run_posts(loop, true);
    ly_orphans_free(loop);
    ly_watch_free(loop->post_watch);
    release_dead(loop);
    pthread_mutex_destroy(&loop->post_mutex);
    close(loop->post_fd);
    close(loop->epoll_fd);
    ly_free(loop->heap);
    if (loop->scratch)
        ly_cleanse(loop->scratch, LY_LOOP_SCRATCH_LEN);
    ly_free(loop->scratch);
    ly_free(loop);
}

uint64_t ly_loop_now_us(const LyLoop *loop)
{
    /* Outside an iteration the cached time may be old. */
    return loop->depth ? loop->now_us : clock_us();
}

uint8_t *ly_loop_scratch(LyLoop *loop)
{
    if (!loop->scratch)
        loop->scratch = ly_alloc(LY_LOOP_SCRATCH_LEN);
    return loop->scratch;
}

int ly_loop_fd(const LyLoop *loop)
{
    return loop->epoll_fd;
}

uint64_t ly_loop_deadline_us(const LyLoop *loop)
{
    if (loop->tasks.first || loop->later.first || any_always(loop))
        return 0;
    return loop->heap_count ? loop->heap[0]->at_us : UINT64_MAX;
}

/* epoll_wait's argument: rounded up, because waking early would only mean to wait again. */
static int wait_ms(const LyLoop *loop, uint64_t timeout_us)
{
    uint64_t deadline_us = timeout_us ? ly_loop_deadline_us(loop) : 0;
    if (deadline_us == 0)
        return 0;
    if (deadline_us != UINT64_MAX) {
        uint64_t now_us = clock_us();
        timeout_us = LY_MIN(timeout_us, deadline_us > now_us ? deadline_us - now_us : 0);
    }
    if (timeout_us == UINT64_MAX)
        return -1;
    return (int)LY_MIN(timeout_us / 1000 + (timeout_us % 1000 != 0), (uint64_t)INT_MAX);
}

void ly_loop_run_once(LyLoop *loop, uint64_t timeout_us)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    loop->iteration++;
    take_later(loop);
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_AT_ONCE, wait_ms(loop, timeout_us));
    loop->now_us = clock_us();
    loop->depth++;
    for (int i = 0; i < count; i++)
        watch_ready(events[i].data.ptr, events[i].events);
    run_always(loop);
    run_timers(loop);
    run_tasks(loop);
    if (--loop->depth == 0)
        release_dead(loop);
}

void ly_loop_run(LyLoop *loop)
{
    while (!loop->quit)
        ly_loop_run_once(loop, UINT64_MAX);
    loop->quit = false;
}

void ly_loop_quit(LyLoop *loop)
{
    loop->quit = true;
}
