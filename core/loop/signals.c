#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "loop/loop-private.h"

struct LySignals {
    int fd;
    LyWatch *watch;
    sigset_t blocked; /* by us, so given back at the end */
    void (*func)(void *user, int signal);
    void *user;
};

static void signals_ready(void *user, unsigned events)
{
    LySignals *signals = user;
    struct signalfd_siginfo info;
    /* One at a time, because the callback may free us; the descriptor stays readable for the next. */
    if (read(signals->fd, &info, sizeof info) == (ssize_t)sizeof info)
        signals->func(signals->user, (int)info.ssi_signo);
}

LySignals *ly_signals_new(LyLoop *loop, const int *signals, size_t count,
                          void (*func)(void *user, int signal), void *user)
{
    sigset_t wanted, old;
    sigemptyset(&wanted);
    for (size_t i = 0; i < count; i++)
        sigaddset(&wanted, signals[i]);
    int fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return NULL;
    pthread_sigmask(SIG_BLOCK, &wanted, &old);
    LySignals *set = ly_new(LySignals);
    set->fd = fd;
    set->func = func;
    set->user = user;
    sigemptyset(&set->blocked);
    for (size_t i = 0; i < count; i++)
        if (!sigismember(&old, signals[i]))
            sigaddset(&set->blocked, signals[i]);
    set->watch = ly_watch_new(loop, fd, LY_READABLE, signals_ready, set);
    return set;
}

void ly_signals_free(LySignals *signals)
{
    if (!signals)
        return;
    ly_watch_free(signals->watch);
    close(signals->fd);
    pthread_sigmask(SIG_UNBLOCK, &signals->blocked, NULL);
    ly_free(signals);
}
