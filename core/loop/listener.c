#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "loop/loop-private.h"
#include "loop/net.h"

#define SOCKETS_MAX 2
#define BACKLOG 128
#define PORT_TRIES                                                                                           \
    16 /* port 0 for two addresses: how often another is picked when the second has it in use */
#define PAUSE_US 100000u /* out of descriptors: accepting again after this */

typedef struct Socket {
    LyListener *listener;
    int fd;
    LyWatch *watch;
} Socket;

struct LyListener {
    LyLoop *loop;
    Socket sockets[SOCKETS_MAX];
    size_t count;
    uint16_t port;
    char name[sizeof(((struct sockaddr_un *)0)->sun_path)];
    bool is_unix;
    dev_t device; /* of a Unix socket's file: another's in its place is left alone */
    ino_t inode;
    LyTimer *pause;
    LyListenerFunc func;
    void *user;
};

/* RFC 4254 section 7.1 gives these names their meaning. */
static const struct {
    const char *name;
    const char *addresses[SOCKETS_MAX];
} names[] = {
    {"localhost", {"127.0.0.1", "::1"}},
    {"*", {"0.0.0.0", "::"}},
    {"", {"0.0.0.0", "::"}},
};

void ly_sockaddr_text(const struct sockaddr *address, char text[46], uint16_t *port)
{
    text[0] = 0;
    uint16_t found = 0;
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        inet_ntop(AF_INET, &in.sin_addr, text, 46);
        found = ntohs(in.sin_port);
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
            inet_ntop(AF_INET, in6.sin6_addr.s6_addr + 12, text, 46);
        else
            inet_ntop(AF_INET6, &in6.sin6_addr, text, 46);
        found = ntohs(in6.sin6_port);
    }
    if (port)
        *port = found;
}

static void socket_ready(void *user, unsigned events)
{
    Socket *socket = user;
    LyListener *listener = socket->listener;
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    /* One a call, because the callback may free the listener; the descriptor stays readable for the next. */
    int fd = accept4(socket->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        listener->func(listener->user, fd, (struct sockaddr *)&peer, len);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        /* The connection stays in the queue and would wake us for ever. */
        for (size_t i = 0; i < listener->count; i++)
            ly_watch_set(listener->sockets[i].watch, 0);
        ly_timer_set(listener->pause, ly_loop_now_us(listener->loop) + PAUSE_US);
    }
}

static void pause_over(void *user)
{
    LyListener *listener = user;
    for (size_t i = 0; i < listener->count; i++)
        ly_watch_set(listener->sockets[i].watch, LY_READABLE);
}

/* A bound, listening socket, or -1 with errno; EINVAL: not an address. *port is taken, and set when it was 0.
 */
static int listen_at(const char *address, uint16_t *port, struct sockaddr_storage *bound)
{
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)*port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE},
                    *found;
    if (getaddrinfo(address, service, &hints, &found) != 0) {
        errno = EINVAL;
        return -1;
    }
    int on = 1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool good = fd >= 0;
    if (good) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (found->ai_family == AF_INET6) /* IPv4 has a socket of its own */
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
        socklen_t len = sizeof *bound;
        good = bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0 &&
               getsockname(fd, (struct sockaddr *)bound, &len) == 0;
    }
    int system = errno;
    freeaddrinfo(found);
    if (good) {
        char text[46];
        ly_sockaddr_text((struct sockaddr *)bound, text, port);
        return fd;
    }
    if (fd >= 0)
        close(fd);
    errno = system;
    return -1;
}

static void close_all(LyListener *listener)
{
    for (size_t i = 0; i < listener->count; i++) {
        ly_watch_free(listener->sockets[i].watch);
        close(listener->sockets[i].fd);
    }
    listener->count = 0;
}

/* All of `addresses` on one port. A family that the machine lacks is passed over as long as another works. */
static bool open_all(LyListener *listener, const char *const *addresses, uint16_t port, int *system)
{
    listener->port = port;
    for (size_t i = 0; i < SOCKETS_MAX && addresses[i]; i++) {
        struct sockaddr_storage bound;
        int fd = listen_at(addresses[i], &listener->port, &bound);
        if (fd < 0) {
            *system = errno;
            if (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)
                continue;
            close_all(listener);
            return false;
        }
        if (listener->count == 0) {
            char text[46];
            ly_sockaddr_text((struct sockaddr *)&bound, text, NULL);
            snprintf(listener->name, sizeof listener->name, bound.ss_family == AF_INET6 ? "[%s]:%u" : "%s:%u",
                     text, (unsigned)listener->port);
        }
        listener->sockets[listener->count++] = (Socket){.listener = listener, .fd = fd};
    }
    return listener->count > 0;
}

LyListener *ly_listener_new(LyLoop *loop, const char *address, uint16_t port, LyListenerFunc func, void *user,
                            LyError *error)
{
    const char *one[SOCKETS_MAX] = {address, NULL};
    const char *const *addresses = one;
    for (size_t i = 0; i < LY_COUNT(names); i++)
        if (strcmp(address, names[i].name) == 0)
            addresses = names[i].addresses;
    LyListener *listener = ly_new(LyListener);
    int system = 0;
    bool open = open_all(listener, addresses, port, &system);
    for (unsigned i = 0; !open && port == 0 && system == EADDRINUSE && i < PORT_TRIES; i++)
        open = open_all(listener, addresses, port, &system);
    if (!open) {
        ly_free(listener);
        if (system == EINVAL)
            ly_error_set(error, LY_ERROR_INVALID,
                         "cannot listen on %s port %u: this is not an address of this machine",
                         LY_PRINTABLE(ly_bytes_str(address)), (unsigned)port);
        else
            ly_error_set_errno(error, system, "cannot listen on %s port %u",
                               LY_PRINTABLE(ly_bytes_str(address)), (unsigned)port);
        return NULL;
    }
    listener->loop = loop;
    listener->func = func;
    listener->user = user;
    listener->pause = ly_timer_new(loop, pause_over, listener);
    for (size_t i = 0; i < listener->count; i++)
        listener->sockets[i].watch =
            ly_watch_new(loop, listener->sockets[i].fd, LY_READABLE, socket_ready, &listener->sockets[i]);
    return listener;
}

/* A bound, listening Unix socket, or -1 with errno. */
static int listen_at_path(LyListener *listener, mode_t mode, bool replace)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat status;
    memcpy(address.sun_path, listener->name, strlen(listener->name));
    if (replace && lstat(listener->name, &status) == 0 && S_ISSOCK(status.st_mode))
        unlink(listener->name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    bool bound = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    /* nobody can connect before listen(), so the mode is right from the start */
    if (bound && chmod(listener->name, mode) == 0 && lstat(listener->name, &status) == 0 &&
        listen(fd, BACKLOG) == 0) {
        listener->device = status.st_dev;
        listener->inode = status.st_ino;
        return fd;
    }
    int system = errno;
    if (bound)
        unlink(listener->name);
    close(fd);
    errno = system;
    return -1;
}

LyListener *ly_listener_new_unix(LyLoop *loop, const char *path, mode_t mode, bool replace,
                                 LyListenerFunc func, void *user, LyError *error)
{
    LyListener *listener = ly_new(LyListener);
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof listener->name) {
        ly_free(listener);
        ly_error_set(error, LY_ERROR_INVALID, "cannot listen on '%s': a socket's path has 1 to %zu bytes",
                     LY_PRINTABLE(ly_bytes_str(path)), sizeof listener->name - 1);
        return NULL;
    }
    memcpy(listener->name, path, len);
    int fd = listen_at_path(listener, mode, replace);
    if (fd < 0) {
        ly_error_set_errno(error, errno, "cannot listen on %s", LY_PRINTABLE(ly_bytes_str(path)));
        ly_free(listener);
        return NULL;
    }
    listener->is_unix = true;
    listener->loop = loop;
    listener->func = func;
    listener->user = user;
    listener->pause = ly_timer_new(loop, pause_over, listener);
    listener->count = 1;
    listener->sockets[0] = (Socket){.listener = listener, .fd = fd};
    listener->sockets[0].watch = ly_watch_new(loop, fd, LY_READABLE, socket_ready, &listener->sockets[0]);
    return listener;
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
    struct stat status;
    if (listener->is_unix && lstat(listener->name, &status) == 0 && status.st_dev == listener->device &&
        status.st_ino == listener->inode)
        unlink(listener->name);
    close_all(listener);
    ly_timer_free(listener->pause);
    ly_free(listener);
}
