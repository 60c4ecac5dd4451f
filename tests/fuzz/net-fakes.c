#include "net-fakes.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "loop/loop-private.h"

enum { ENDS_MAX = 256, NO_SUCH_PROCESS = 0x7ffffff0, PORT_FIRST = 40000 };

struct LyConnect {
    LyLoop *loop;
    LyTask task;
    LyConnectDone done;
    void *user;
    bool works, reporting;
};

struct LyListener {
    LyLink link;
    LyListenerFunc func;
    void *user;
    char *name;
    uint16_t port;
};

struct LyChild {
    LyLink link;
    LyLoop *loop;
    LyTask task;
    int fds[3];
    int wait_status;
    void (*ended)(void *user, int wait_status);
    void *user;
    bool telling, freed;
};

static int ends[ENDS_MAX];
static unsigned end_count, open_connects;
static LyList listeners, children;

static void lists_init(void)
{
    if (!listeners.head.next) {
        ly_list_init(&listeners);
        ly_list_init(&children);
    }
}

/* One end for the code under test; the other is kept. -1: there are enough. */
static int new_end(void)
{
    int pair[2];
    if (end_count == ENDS_MAX)
        return -1;
    FUZZ_ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    ends[end_count++] = pair[1];
    return pair[0];
}

/* ---- the target's side ---- */

void fakes_visit(unsigned which)
{
    lists_init();
    struct sockaddr_in peer = {
        .sin_family = AF_INET, .sin_port = htons(1234), .sin_addr = {htonl(0x7f000001)}};
    unsigned index = 0;
    ly_list_each(&listeners, LyListener, link, listener)
    {
        if (index++ != which)
            continue;
        int fd = new_end();
        if (fd >= 0)
            listener->func(listener->user, fd, (const struct sockaddr *)&peer, sizeof peer);
        return;
    }
}

void fakes_play(unsigned which, unsigned action)
{
    static const uint8_t socks[] = "\5\1\0\5\1\0\3\1h\0\26";
    uint8_t buffer[4096];
    if (which >= end_count || ends[which] < 0)
        return;
    while (recv(ends[which], buffer, sizeof buffer, 0) > 0)
        ;
    switch (action) {
    case FAKES_WRITE:
        (void)!send(ends[which], socks, sizeof socks - 1, MSG_NOSIGNAL);
        break;
    case FAKES_SHUT_DOWN:
        shutdown(ends[which], SHUT_WR);
        break;
    case FAKES_CLOSE:
        close(ends[which]);
        ends[which] = -1;
        break;
    }
}

void fakes_end_child(unsigned which, int wait_status)
{
    lists_init();
    unsigned index = 0;
    ly_list_each(&children, LyChild, link, child)
    {
        if (index++ != which)
            continue;
        child->wait_status = wait_status;
        ly_loop_defer(child->loop, &child->task);
        return;
    }
}

void fakes_clear(void)
{
    lists_init();
    FUZZ_ASSERT(ly_list_empty(&listeners) && ly_list_empty(&children) && !open_connects);
    while (end_count)
        if (ends[--end_count] >= 0)
            close(ends[end_count]);
}

/* ---- connect.c ---- */

static void report(void *user)
{
    LyConnect *connect = user;
    int fd = connect->works ? new_end() : -1;
    LyError error = {0};
    if (fd < 0)
        ly_error_set(&error, LY_ERROR_IO, "cannot connect: Connection refused");
    connect->reporting = true;
    connect->done(connect->user, fd, fd < 0 ? &error : NULL);
    open_connects--;
    ly_free(connect);
}

static LyConnect *connect_new(LyLoop *loop, bool works, LyConnectDone done, void *user)
{
    LyConnect *connect = ly_new(LyConnect);
    *connect = (LyConnect){.loop = loop, .done = done, .user = user, .works = works};
    connect->task = (LyTask){.func = report, .user = connect};
    ly_loop_defer(loop, &connect->task);
    open_connects++;
    return connect;
}

LyConnect *ly_connect_new(LyLoop *loop, const LyConnectOptions *options, LyConnectDone done, void *user)
{
    return connect_new(loop, options->host[0] != 'x' && options->port, done, user);
}

LyConnect *ly_connect_unix(LyLoop *loop, const char *path, LyConnectDone done, void *user)
{
    return connect_new(loop, *path == '/', done, user);
}

void ly_connect_cancel(LyConnect *connect)
{
    if (!connect || connect->reporting)
        return;
    ly_loop_undefer(connect->loop, &connect->task);
    open_connects--;
    ly_free(connect);
}

void ly_timeout_text(uint64_t timeout_us, char text[32])
{
    snprintf(text, 32, "%llu us", (unsigned long long)timeout_us);
}

/* ---- listener.c ---- */

static LyListener *listener_new(const char *name, uint16_t port, LyListenerFunc func, void *user)
{
    lists_init();
    LyListener *listener = ly_new(LyListener);
    *listener = (LyListener){.func = func, .user = user, .name = ly_strdup(name), .port = port};
    ly_list_append(&listeners, &listener->link);
    return listener;
}

LyListener *ly_listener_new(LyLoop *loop, const char *address, uint16_t port, LyListenerFunc func, void *user,
                            LyError *error)
{
    if (*address == 'x') {
        ly_error_set(error, LY_ERROR_IO, "cannot listen there");
        return NULL;
    }
    return listener_new(address, port ? port : PORT_FIRST, func, user);
}

LyListener *ly_listener_new_unix(LyLoop *loop, const char *path, mode_t mode, bool replace,
                                 LyListenerFunc func, void *user, LyError *error)
{
    if (*path != '/' || strlen(path) > 107) {
        ly_error_set(error, LY_ERROR_IO, "cannot listen there");
        return NULL;
    }
    return listener_new(path, 0, func, user);
}

uint16_t ly_listener_port(const LyListener *listener)
{
    return listener->port;
}

const char *ly_listener_name(const LyListener *listener)
{
    return listener->name;
}

void ly_listener_free(LyListener *listener)
{
    if (!listener)
        return;
    ly_link_remove(&listener->link);
    ly_free(listener->name);
    ly_free(listener);
}

void ly_sockaddr_text(const struct sockaddr *address, char text[46], uint16_t *port)
{
    memcpy(text, "127.0.0.1", sizeof "127.0.0.1");
    *port = 1234;
}

/* ---- child.c ---- */

static void child_release(LyChild *child)
{
    ly_free(child);
}

static void tell_end(void *user)
{
    LyChild *child = user;
    child->telling = true;
    ly_link_remove(&child->link);
    child->ended(child->user, child->wait_status);
    child->telling = false;
    if (child->freed)
        child_release(child);
}

LyChild *ly_child_new(LyLoop *loop, const LyChildOptions *options, void (*ended)(void *user, int wait_status),
                      void *user, LyError *error)
{
    lists_init();
    if (end_count + 3 > ENDS_MAX) {
        ly_error_set(error, LY_ERROR_IO, "no more processes");
        return NULL;
    }
    LyChild *child = ly_new(LyChild);
    *child = (LyChild){.loop = loop, .ended = ended, .user = user, .fds = {-1, -1, -1}};
    child->task = (LyTask){.func = tell_end, .user = child};
    for (int i = 0; i < 3 && !options->terminal; i++)
        if (options->fds[i] == LY_CHILD_PIPE)
            child->fds[i] = new_end();
    ly_list_append(&children, &child->link);
    return child;
}

int ly_child_fd(LyChild *child, int which)
{
    int fd = child->fds[which];
    child->fds[which] = -1;
    return fd;
}

pid_t ly_child_pid(const LyChild *child)
{
    return NO_SUCH_PROCESS;
}

void ly_child_kill(LyChild *child, int signal)
{
    child->wait_status = signal;
    ly_loop_defer(child->loop, &child->task);
}

void ly_child_free(LyChild *child)
{
    if (!child)
        return;
    ly_loop_undefer(child->loop, &child->task);
    ly_link_remove(&child->link);
    for (int i = 0; i < 3; i++)
        if (child->fds[i] >= 0)
            close(child->fds[i]);
    child->freed = true;
    if (!child->telling)
        child_release(child);
}

void ly_orphans_free(LyLoop *loop)
{
    (void)loop;
}
