#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop/loop-private.h"
#include "loop/net.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434 /* the same number on all architectures */
#endif

struct LyChild {
    LyLoop *loop;
    pid_t pid;
    int pidfd;
    LyWatch *watch;
    bool reaped;
    int fds[3];    /* our ends; -1: none */
    bool taken[3]; /* asked for, so the caller's */
    void (*ended)(void *user, int wait_status);
    void *user;
    LyLink orphan; /* forgotten by its owner, not ended */
};

/* While a child is being started: what it gets as 0, 1, 2, all numbered 3 and more, because a descriptor
 * below would be overwritten by another's move. -1: nothing to do. */
typedef struct Ends {
    int theirs[3];
    bool ours_to_close[3];
} Ends;

static void close_untaken(LyChild *child)
{
    for (int i = 0; i < 3; i++) {
        bool shared = i == 1 && child->fds[1] == child->fds[0];
        bool taken = child->taken[i] || (i == 0 && child->fds[1] == child->fds[0] && child->taken[1]);
        if (child->fds[i] >= 0 && !taken && !shared)
            close(child->fds[i]);
    }
    child->fds[0] = child->fds[1] = child->fds[2] = -1;
}

static bool raise_above_2(int *fd)
{
    if (*fd > 2)
        return true;
    int raised = fcntl(*fd, F_DUPFD_CLOEXEC, 3);
    if (raised < 0)
        return false;
    close(*fd);
    *fd = raised;
    return true;
}

static bool give(Ends *ends, int which, int fd)
{
    ends->theirs[which] = fd;
    ends->ours_to_close[which] = true;
    return raise_above_2(&ends->theirs[which]);
}

/* pair[ours] becomes the child object's end of `which`. */
static bool keep(LyChild *child, int which, int fd)
{
    child->fds[which] = fd;
    return raise_above_2(&child->fds[which]) && fcntl(child->fds[which], F_SETFL, O_NONBLOCK) == 0;
}

static bool make_end(LyChild *child, const LyChildOptions *options, int which, Ends *ends)
{
    int pair[2];
    int wanted = options->terminal ? LY_CHILD_INHERIT : options->fds[which];
    ends->theirs[which] = -1;
    switch (wanted) {
    case LY_CHILD_INHERIT:
        return true;
    case LY_CHILD_NULL: {
        int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        return fd >= 0 && give(ends, which, fd);
    }
    case LY_CHILD_PIPE: {
        if (pipe2(pair, O_CLOEXEC) != 0)
            return false;
        int ours = which == 0 ? 1 : 0;
        bool given = give(ends, which, pair[!ours]);
        return keep(child, which, pair[ours]) && given;
    }
    case LY_CHILD_SOCKET: {
        if (which != 0) { /* the socket that stdin has */
            int fd = ends->theirs[0] >= 0 ? fcntl(ends->theirs[0], F_DUPFD_CLOEXEC, 3) : -1;
            child->fds[which] = child->fds[0];
            return fd >= 0 && give(ends, which, fd);
        }
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
            return false;
        bool given = give(ends, which, pair[1]);
        return keep(child, which, pair[0]) && given;
    }
    default: {
        int fd = fcntl(wanted, F_DUPFD_CLOEXEC, 3);
        return fd >= 0 && give(ends, which, fd);
    }
    }
}

static int spawn(pid_t *pid, const LyChildOptions *options, const Ends *ends)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int failed = 0;
    if (options->terminal) { /* setsid comes first, so that opening it makes it the controlling terminal */
        failed = posix_spawn_file_actions_addopen(&actions, 0, options->terminal, O_RDWR, 0);
        for (int i = 1; i < 3 && !failed; i++)
            failed = posix_spawn_file_actions_adddup2(&actions, 0, i);
    }
    for (int i = 0; i < 3 && !failed; i++)
        if (ends->theirs[i] >= 0)
            failed = posix_spawn_file_actions_adddup2(&actions, ends->theirs[i], i);
            /* All of ours are CLOEXEC; this is for what we inherited ourselves. */
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
    if (!failed)
        failed = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
#endif
    if (!failed && options->directory)
        failed = posix_spawn_file_actions_addchdir_np(&actions, options->directory);
    /* Blocked signals and an ignored SIGPIPE are this program's way of working, not to be inherited. Nor is,
     * in a session of its own, what the shell ignores for a program that it starts in the background: there
     * it would keep a program on a channel from being interrupted. */
    static const int of_terminals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    sigset_t none, ours;
    sigemptyset(&none);
    sigemptyset(&ours);
    sigaddset(&ours, SIGPIPE);
    for (size_t i = 0; options->new_session && i < LY_COUNT(of_terminals); i++)
        sigaddset(&ours, of_terminals[i]);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &ours);
    posix_spawnattr_setflags(&attributes, (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                  (options->new_session ? POSIX_SPAWN_SETSID : 0)));
    if (!failed)
        failed = posix_spawnp(pid, options->argv[0], &actions, &attributes,
                              (char *const *)(uintptr_t)options->argv,
                              options->envp ? (char *const *)(uintptr_t)options->envp : environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

static void child_release(LyChild *child)
{
    ly_watch_free(child->watch);
    if (child->pidfd >= 0)
        close(child->pidfd);
    ly_link_remove(&child->orphan);
    close_untaken(child);
    ly_free(child);
}

static void child_ended(void *user, unsigned events)
{
    LyChild *child = user;
    int status = 0;
    pid_t pid = waitpid(child->pid, &status, WNOHANG);
    if (pid == 0 || (pid < 0 && errno == EINTR))
        return;
    if (pid < 0) /* somebody else waited for it, so its status is lost: not to be taken for a success */
        status = 255 << 8;
    child->reaped = true;
    ly_watch_free(child->watch);
    close(child->pidfd);
    child->watch = NULL;
    child->pidfd = -1;
    if (child->orphan.next)
        child_release(child);
    else if (child->ended)
        child->ended(child->user, status);
}

LyChild *ly_child_new(LyLoop *loop, const LyChildOptions *options, void (*ended)(void *user, int wait_status),
                      void *user, LyError *error)
{
    LyChild *child = ly_new(LyChild);
    Ends ends = {.theirs = {-1, -1, -1}};
    *child = (LyChild){.loop = loop, .pidfd = -1, .fds = {-1, -1, -1}, .ended = ended, .user = user};
    int failed = 0;
    for (int i = 0; i < 3 && !failed; i++)
        if (!make_end(child, options, i, &ends))
            failed = errno;
    if (!failed)
        failed = spawn(&child->pid, options, &ends);
    for (int i = 0; i < 3; i++)
        if (ends.ours_to_close[i] && ends.theirs[i] >= 0)
            close(ends.theirs[i]);
    if (!failed && (child->pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0)) < 0) {
        failed = errno;
        kill(child->pid, SIGKILL);
        waitpid(child->pid, NULL, 0);
    }
    if (failed) {
        child_release(child);
        const char *directory = options->directory ? options->directory : "";
        ly_error_set_errno(error, failed, "cannot start %s%s%s", LY_PRINTABLE(ly_bytes_str(options->argv[0])),
                           *directory ? " in " : "", LY_PRINTABLE(ly_bytes_str(directory)));
        return NULL;
    }
    child->watch = ly_watch_new(loop, child->pidfd, LY_READABLE, child_ended, child);
    return child;
}

int ly_child_fd(LyChild *child, int which)
{
    child->taken[which] = true;
    return child->fds[which];
}

pid_t ly_child_pid(const LyChild *child)
{
    return child->pid;
}

void ly_child_kill(LyChild *child, int signal)
{
    /* Not reaped, so the number is still this child's. */
    if (!child->reaped)
        kill(child->pid, signal);
}

void ly_child_free(LyChild *child)
{
    if (!child)
        return;
    if (child->reaped) {
        child_release(child);
        return;
    }
    close_untaken(child);
    ly_list_append(&child->loop->orphans, &child->orphan);
}

void ly_orphans_free(LyLoop *loop)
{
    ly_list_each(&loop->orphans, LyChild, orphan, child)
    {
        waitpid(child->pid, NULL, WNOHANG);
        child_release(child);
    }
}
