#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

#include "loop/loop-private.h"
#include "loop/net.h"

#define ADDRESSES_MAX 16
#define BESIDE_US 250000u      /* the next address is tried beside the last after this */
#define UNIX_AGAIN_US 10000u   /* a Unix listener's queue is full: ask again after this */
#define UNIX_AGAIN_TIMES 1000u /* and so many times */

/* What getaddrinfo needs and gives: a job's data, so it owns its strings. */
typedef struct Lookup {
    LyConnect *connect; /* NULL once that is gone */
    char *host, *bind_address;
    uint16_t port, bind_port;
    int family;
    int flags;
    int status, bind_status; /* EAI_ */
    int system;              /* errno for EAI_SYSTEM */
    struct addrinfo *found, *bind_found;
} Lookup;

typedef struct Attempt {
    LyConnect *connect;
    int fd; /* -1: not open */
    LyWatch *watch;
} Attempt;

struct LyConnect {
    LyLoop *loop;
    char *host; /* or the Unix socket's path */
    uint16_t port;
    bool is_unix;
    int ipqos;
    uint64_t timeout_us;
    LyConnectDone done;
    void *user;
    LyJob *job;
    Lookup *lookup;
    const struct addrinfo *addresses[ADDRESSES_MAX]; /* of lookup->found */
    Attempt attempts[ADDRESSES_MAX];
    size_t count, next, open;
    unsigned again;
    LyTimer *deadline, *beside;
    LyTask report; /* tells the result from the loop, never from within a call of ours */
    int fd;        /* the result */
    LyError error;
    bool finished;
};

/* Looking up. */

static void lookup_free(Lookup *lookup)
{
    if (!lookup)
        return;
    if (lookup->found)
        freeaddrinfo(lookup->found);
    if (lookup->bind_found)
        freeaddrinfo(lookup->bind_found);
    ly_free(lookup->host);
    ly_free(lookup->bind_address);
    ly_free(lookup);
}

static void lookup_work(void *data)
{
    Lookup *lookup = data;
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)lookup->port);
    struct addrinfo hints = {
        .ai_family = lookup->family, .ai_socktype = SOCK_STREAM, .ai_flags = lookup->flags | AI_NUMERICSERV};
    lookup->status = getaddrinfo(lookup->host, service, &hints, &lookup->found);
    lookup->system = errno;
    if (lookup->status != 0 || (!lookup->bind_address && !lookup->bind_port))
        return;
    hints.ai_flags |= AI_PASSIVE;
    snprintf(service, sizeof service, "%u", (unsigned)lookup->bind_port);
    lookup->bind_status = getaddrinfo(lookup->bind_address, service, &hints, &lookup->bind_found);
    lookup->system = errno;
}

/* Errors. */

static const char *target(const LyConnect *connect, char *text, size_t room)
{
    char host[200];
    ly_printable(ly_bytes_str(connect->host), host, sizeof host);
    if (connect->is_unix)
        snprintf(text, room, "%s", host);
    else
        snprintf(text, room, "%s port %u", host, (unsigned)connect->port);
    return text;
}
#define TARGET(connect) target((connect), (char[220]){0}, 220)

/* One address's failure. The first one that says something about the host stays: that there is no IPv6 here
 * tells nobody much. */
static void failed(LyConnect *connect, int system)
{
    const char *bound = connect->lookup ? connect->lookup->bind_address : NULL;
    bool ours = system == ENETUNREACH || system == EAFNOSUPPORT || system == EADDRNOTAVAIL;
    if (connect->error.code == LY_OK || !ours)
        ly_error_set_errno(&connect->error, system, "cannot connect to %s%s%s", TARGET(connect),
                           bound ? " from " : "", LY_PRINTABLE(ly_bytes_str(bound)));
}

static void attempts_close(LyConnect *connect)
{
    for (size_t i = 0; i < ADDRESSES_MAX; i++) {
        Attempt *attempt = &connect->attempts[i];
        ly_watch_free(attempt->watch);
        if (attempt->fd >= 0)
            close(attempt->fd);
        attempt->watch = NULL;
        attempt->fd = -1;
    }
    connect->open = 0;
}

static void connect_free(LyConnect *connect)
{
    attempts_close(connect);
    if (connect->job) {
        connect->lookup->connect = NULL; /* its job frees it */
        ly_job_cancel(connect->job);
    } else {
        lookup_free(connect->lookup);
    }
    if (connect->fd >= 0)
        close(connect->fd);
    ly_loop_undefer(connect->loop, &connect->report);
    ly_timer_free(connect->deadline);
    ly_timer_free(connect->beside);
    ly_free(connect->host);
    ly_free(connect);
}

static void report(void *user)
{
    LyConnect *connect = user;
    int fd = connect->fd;
    connect->fd = -1;
    connect->finished = true; /* a cancel from within done is too late */
    connect->done(connect->user, fd, fd < 0 ? &connect->error : NULL);
    connect_free(connect);
}

static void finish(LyConnect *connect, int fd)
{
    ly_timer_set(connect->deadline, UINT64_MAX);
    ly_timer_set(connect->beside, UINT64_MAX);
    connect->fd = fd;
    attempts_close(connect);
    ly_loop_defer(connect->loop, &connect->report);
}

void ly_timeout_text(uint64_t timeout_us, char text[32])
{
    unsigned long long ms = timeout_us / 1000;
    if (ms % 1000)
        snprintf(text, 32, "%llu ms", ms);
    else
        snprintf(text, 32, "%llu s", ms / 1000);
}

static void deadline_passed(void *user)
{
    LyConnect *connect = user;
    char after[32];
    ly_timeout_text(connect->timeout_us, after);
    if (connect->job)
        ly_error_set(&connect->error, LY_ERROR_TIMEOUT, "cannot resolve %s: timed out after %s",
                     LY_PRINTABLE(ly_bytes_str(connect->host)), after);
    else
        ly_error_set(&connect->error, LY_ERROR_TIMEOUT, "cannot connect to %s: timed out after %s",
                     TARGET(connect), after);
    finish(connect, -1);
}

/* Trying the addresses. */

static void try_more(LyConnect *connect);

static void attempt_failed(Attempt *attempt, int system)
{
    LyConnect *connect = attempt->connect;
    failed(connect, system);
    ly_watch_free(attempt->watch);
    close(attempt->fd);
    attempt->watch = NULL;
    attempt->fd = -1;
    connect->open--;
}

static void attempt_succeeded(Attempt *attempt)
{
    int fd = attempt->fd;
    ly_watch_free(attempt->watch);
    attempt->watch = NULL;
    attempt->fd = -1;
    finish(attempt->connect, fd);
}

static void attempt_ready(void *user, unsigned events)
{
    Attempt *attempt = user;
    int system = 0;
    socklen_t len = sizeof system;
    if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &system, &len) != 0)
        system = errno;
    if (system == 0) {
        attempt_succeeded(attempt);
        return;
    }
    attempt_failed(attempt, system);
    try_more(attempt->connect);
}

static bool bind_to(LyConnect *connect, int fd, int family)
{
    const struct addrinfo *bound = connect->lookup->bind_found;
    int on = 1;
    if (!bound)
        return true;
    while (bound && bound->ai_family != family)
        bound = bound->ai_next;
    if (connect->lookup->bind_port) /* another address is tried beside from the same port */
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bound)
        return bind(fd, bound->ai_addr, bound->ai_addrlen) == 0;
    errno = EADDRNOTAVAIL;
    return false;
}

static void set_options(const LyConnect *connect, int fd, int family)
{
    int on = 1;
    /* None of these is worth a failed connection. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (connect->ipqos >= 0 && family == AF_INET)
        setsockopt(fd, IPPROTO_IP, IP_TOS, &connect->ipqos, sizeof connect->ipqos);
    else if (connect->ipqos >= 0)
        setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &connect->ipqos, sizeof connect->ipqos);
}

/* Opens one address; false when that failed at once. */
static bool attempt_start(Attempt *attempt, const struct addrinfo *address)
{
    LyConnect *connect_ = attempt->connect;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        failed(connect_, errno);
        return false;
    }
    attempt->fd = fd;
    connect_->open++;
    set_options(connect_, fd, address->ai_family);
    if (!bind_to(connect_, fd, address->ai_family)) {
        attempt_failed(attempt, errno);
        return false;
    }
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0) {
        attempt_succeeded(attempt);
        return true;
    }
    if (errno != EINPROGRESS) {
        attempt_failed(attempt, errno);
        return false;
    }
    attempt->watch = ly_watch_new(connect_->loop, fd, LY_WRITABLE, attempt_ready, attempt);
    return true;
}

/* Opens the next address that can be; the end when there is none and none is open. */
static void try_more(LyConnect *connect)
{
    while (connect->next < connect->count) {
        size_t index = connect->next++;
        if (!attempt_start(&connect->attempts[index], connect->addresses[index]))
            continue;
        if (!connect->report.queued && connect->next < connect->count)
            ly_timer_set(connect->beside, ly_loop_now_us(connect->loop) + BESIDE_US);
        return;
    }
    if (connect->open == 0)
        finish(connect, -1);
}

/* The families in turn, beginning with the one that getaddrinfo prefers (RFC 8305 section 4). */
static void choose_order(LyConnect *connect)
{
    const struct addrinfo *first = connect->lookup->found;
    const struct addrinfo *same = first, *other = first;
    bool turn = false;
    while (connect->count < ADDRESSES_MAX && (same || other)) {
        const struct addrinfo **from = (turn && other) || !same ? &other : &same;
        while (*from && ((*from)->ai_family == first->ai_family) != (from == &same))
            *from = (*from)->ai_next;
        if (*from) {
            connect->addresses[connect->count++] = *from;
            *from = (*from)->ai_next;
        }
        turn = !turn;
    }
}

static void lookup_failed(LyConnect *connect, const char *name, int status)
{
    if (status == EAI_SYSTEM)
        ly_error_set_errno(&connect->error, connect->lookup->system, "cannot resolve %s",
                           LY_PRINTABLE(ly_bytes_str(name)));
    else
        ly_error_set(&connect->error, LY_ERROR_IO, "cannot resolve %s: %s", LY_PRINTABLE(ly_bytes_str(name)),
                     gai_strerror(status));
    finish(connect, -1);
}

static void looked_up(LyConnect *connect)
{
    Lookup *lookup = connect->lookup;
    if (lookup->status) {
        lookup_failed(connect, lookup->host, lookup->status);
    } else if (lookup->bind_status) {
        lookup_failed(connect, lookup->bind_address, lookup->bind_status);
    } else {
        choose_order(connect);
        try_more(connect);
    }
}

static void lookup_done(void *data, bool cancelled)
{
    Lookup *lookup = data;
    LyConnect *connect = lookup->connect;
    if (!connect) {
        lookup_free(lookup);
        return;
    }
    connect->job = NULL;
    /* After the deadline the report is on its way. Cancelled with us still here: the loop is going, and
     * nobody will be told. */
    if (!cancelled && !connect->report.queued)
        looked_up(connect);
}

static void beside_passed(void *user)
{
    try_more(user);
}

static LyConnect *connect_new(LyLoop *loop, const char *host, LyConnectDone done, void *user)
{
    LyConnect *connect = ly_new(LyConnect);
    connect->loop = loop;
    connect->host = ly_strdup(host);
    connect->done = done;
    connect->user = user;
    connect->fd = -1;
    connect->report = (LyTask){.func = report, .user = connect};
    for (size_t i = 0; i < ADDRESSES_MAX; i++)
        connect->attempts[i] = (Attempt){.connect = connect, .fd = -1};
    connect->deadline = ly_timer_new(loop, deadline_passed, connect);
    return connect;
}

LyConnect *ly_connect_new(LyLoop *loop, const LyConnectOptions *options, LyConnectDone done, void *user)
{
    LyConnect *connect = connect_new(loop, options->host, done, user);
    connect->port = options->port;
    connect->ipqos = options->ipqos;
    connect->timeout_us = options->timeout_us;
    connect->beside = ly_timer_new(loop, beside_passed, connect);
    if (options->timeout_us)
        ly_timer_set(connect->deadline, ly_loop_now_us(loop) + options->timeout_us);
    Lookup *lookup = connect->lookup = ly_new(Lookup);
    lookup->connect = connect;
    lookup->host = ly_strdup(options->host);
    lookup->bind_address = ly_strdup(options->bind_address);
    lookup->bind_port = options->bind_port;
    lookup->port = options->port;
    lookup->family = options->family;
    /* Addresses need no name service, so no thread. */
    lookup->flags = AI_NUMERICHOST;
    lookup_work(lookup);
    if (lookup->status == 0 && lookup->bind_status == 0) {
        looked_up(connect);
        return connect;
    }
    if (lookup->found)
        freeaddrinfo(lookup->found);
    lookup->found = NULL;
    lookup->flags = 0;
    lookup->status = lookup->bind_status = 0;
    connect->job = ly_loop_work(loop, lookup_work, lookup_done, lookup);
    return connect;
}

/* Unix sockets: connect() answers at once, but for a full queue. */

static void unix_try(void *user)
{
    LyConnect *connect_ = user;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(connect_->host);
    if (len >= sizeof address.sun_path) {
        ly_error_set(&connect_->error, LY_ERROR_INVALID,
                     "cannot connect to %s: a socket's path has at most %zu bytes", TARGET(connect_),
                     sizeof address.sun_path - 1);
        finish(connect_, -1);
        return;
    }
    memcpy(address.sun_path, connect_->host, len);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        finish(connect_, fd);
        return;
    }
    int system = errno;
    if (fd >= 0)
        close(fd);
    if (system == EAGAIN && connect_->again++ < UNIX_AGAIN_TIMES) {
        ly_timer_set(connect_->beside, ly_loop_now_us(connect_->loop) + UNIX_AGAIN_US);
        return;
    }
    failed(connect_, system);
    finish(connect_, -1);
}

LyConnect *ly_connect_unix(LyLoop *loop, const char *path, LyConnectDone done, void *user)
{
    LyConnect *connect = connect_new(loop, path, done, user);
    connect->is_unix = true;
    connect->beside = ly_timer_new(loop, unix_try, connect);
    unix_try(connect);
    return connect;
}

void ly_connect_cancel(LyConnect *connect)
{
    if (connect && !connect->finished)
        connect_free(connect);
}
