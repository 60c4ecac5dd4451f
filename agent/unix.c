#include "unix.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/memory.h"
#include "peer.h"

#define BACKLOG 4096
#define FIRST_INHERITED 3 /* SD_LISTEN_FDS_START */
#define ACCEPT_AT_ONCE 64
#define PAUSE_US ((uint64_t)100 * 1000)

static bool address_of(const char *path, struct sockaddr_un *address, LyError *error)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof address->sun_path)
        return ly_error_set(error, LY_ERROR_INVALID, "the path of a socket has 1 to %zu bytes, and not %zu",
                            sizeof address->sun_path - 1, len);
    memcpy(address->sun_path, path, len + 1);
    return true;
}

char *unix_absolute(const char *path)
{
    const char *slash = strrchr(path, '/');
    LY_AUTO_FREE char *directory =
        slash ? ly_bytes_dup_str(ly_bytes(path, (size_t)(slash - path) + 1)) : ly_strdup(".");
    char *real = realpath(directory, NULL);
    char *result = real ? ly_format("%s/%s", real, slash ? slash + 1 : path) : NULL;
    free(real);
    return result;
}

/* Does somebody listen there? A full queue is an answer too. */
static bool is_alive(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool alive = fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ||
                 errno != ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    return alive;
}

/* Two that start at once must not both find it dead, and the second remove what the first made: a lock on the
 * directory is held. */
static bool remove_dead(const char *path, const struct sockaddr_un *address, LyError *error)
{
    struct stat found;
    if (lstat(path, &found) != 0)
        return errno == ENOENT ||
               ly_error_set_errno(error, errno, "cannot listen at %s", LY_PRINTABLE(ly_bytes_str(path)));
    if (!S_ISSOCK(found.st_mode))
        return ly_error_set(error, LY_ERROR_INVALID,
                            "cannot listen at %s: what stands there is not a socket, and is left as it is",
                            LY_PRINTABLE(ly_bytes_str(path)));
    if (is_alive(address))
        return ly_error_set(error, LY_ERROR_INVALID,
                            "cannot listen at %s: an agent that is alive listens there",
                            LY_PRINTABLE(ly_bytes_str(path)));
    if (unlink(path) != 0)
        return ly_error_set_errno(error, errno, "cannot replace the dead socket %s",
                                  LY_PRINTABLE(ly_bytes_str(path)));
    return true;
}

static int bind_and_listen(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t old = umask(0177);
    bool ok = fd >= 0 && bind(fd, (const struct sockaddr *)address, sizeof *address) == 0;
    umask(old);
    if (ok && listen(fd, BACKLOG) == 0)
        return fd;
    int saved = errno;
    if (ok)
        unlink(address->sun_path);
    if (fd >= 0)
        close(fd);
    errno = saved;
    return -1;
}

static void remember(UnixSocket *listening, int fd, const char *path)
{
    struct stat made;
    *listening = (UnixSocket){.fd = fd, .path = ly_strdup(path), .remove = unix_absolute(path)};
    if (lstat(path, &made) == 0) {
        listening->device = made.st_dev;
        listening->inode = made.st_ino;
    }
}

bool unix_listen(const char *path, UnixSocket *listening, LyError *error)
{
    struct sockaddr_un address;
    if (!address_of(path, &address, error))
        return false;
    const char *slash = strrchr(path, '/');
    LY_AUTO_FREE char *directory =
        slash ? ly_bytes_dup_str(ly_bytes(path, (size_t)(slash - path) + 1)) : ly_strdup(".");
    int lock = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock >= 0)
        flock(lock, LOCK_EX); /* as far as the file system has it */
    bool ok = remove_dead(path, &address, error);
    int fd = ok ? bind_and_listen(&address) : -1;
    if (ok && fd < 0)
        ok = ly_error_set_errno(error, errno, "cannot listen at %s", LY_PRINTABLE(ly_bytes_str(path)));
    if (ok)
        remember(listening, fd, path);
    if (lock >= 0)
        close(lock);
    return ok;
}

/* --- A place of its own --- */

static bool is_private_directory(const char *path, mode_t allowed)
{
    struct stat found;
    return lstat(path, &found) == 0 && S_ISDIR(found.st_mode) && found.st_uid == geteuid() &&
           (found.st_mode & 0777 & ~allowed) == 0;
}

static bool listen_at_runtime(UnixSocket *listening)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    struct sockaddr_un address;
    if (!runtime || runtime[0] != '/' || !is_private_directory(runtime, 0755))
        return false;
    LY_AUTO_FREE char *directory = ly_format("%s/lanyard", runtime);
    if ((mkdir(directory, 0700) != 0 && errno != EEXIST) || !is_private_directory(directory, 0700))
        return false;
    for (int i = 0; i < 100; i++) {
        uint8_t random[6];
        char suffix[7] = {0};
        if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
            return false;
        for (size_t j = 0; j < sizeof random; j++)
            suffix[j] = letters[random[j] % (sizeof letters - 1)];
        LY_AUTO_FREE char *path = ly_format("%s/agent.%s", directory, suffix);
        if (!address_of(path, &address, NULL))
            return false;
        int fd = bind_and_listen(&address);
        if (fd >= 0) {
            remember(listening, fd, path);
            return true;
        }
        if (errno != EADDRINUSE)
            return false;
    }
    return false;
}

bool unix_listen_anywhere(bool temporary, UnixSocket *listening, LyError *error)
{
    if (!temporary && listen_at_runtime(listening))
        return true;
    const char *base = getenv("TMPDIR");
    LY_AUTO_FREE char *directory = ly_format("%s/lanyard-XXXXXX", base && base[0] ? base : "/tmp");
    if (!mkdtemp(directory))
        return ly_error_set_errno(error, errno, "cannot make a directory for the socket, %s",
                                  LY_PRINTABLE(ly_bytes_str(directory)));
    LY_AUTO_FREE char *path = ly_format("%s/agent.%ld", directory, (long)getpid());
    if (!unix_listen(path, listening, error)) {
        rmdir(directory);
        return false;
    }
    listening->directory = realpath(directory, NULL);
    return true;
}

/* --- From systemd --- */

static bool is_listening(int fd)
{
    int value = 0, domain = 0;
    socklen_t len = sizeof value, domain_len = sizeof domain;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &len) == 0 && value &&
           getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_len) == 0 && domain == AF_UNIX;
}

size_t unix_inherited(UnixSocket *sockets, size_t most)
{
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    uint64_t number, passed;
    size_t count = 0;
    if (!ly_bytes_number(ly_bytes_str(pid), INT_MAX, &number) || (pid_t)number != getpid() ||
        !ly_bytes_number(ly_bytes_str(fds), 1024, &passed))
        return 0;
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    for (int fd = FIRST_INHERITED; fd < FIRST_INHERITED + (int)passed && count < most; fd++) {
        struct sockaddr_un address;
        socklen_t len = sizeof address;
        if (!is_listening(fd))
            continue;
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        sockets[count] = (UnixSocket){.fd = fd};
        if (getsockname(fd, (struct sockaddr *)&address, &len) == 0 &&
            len > offsetof(struct sockaddr_un, sun_path) && address.sun_path[0])
            sockets[count].path = ly_bytes_dup_str(ly_bytes(
                address.sun_path, strnlen(address.sun_path, len - offsetof(struct sockaddr_un, sun_path))));
        count++;
    }
    return count;
}

void unix_socket_close(UnixSocket *listening)
{
    struct stat found;
    if (listening->fd >= 0)
        close(listening->fd);
    if (listening->remove && lstat(listening->remove, &found) == 0 && found.st_dev == listening->device &&
        found.st_ino == listening->inode)
        unlink(listening->remove);
    if (listening->directory)
        rmdir(listening->directory);
    ly_free(listening->path);
    ly_free(listening->remove);
    free(listening->directory);
    *listening = (UnixSocket){.fd = -1};
}

/* --- Accepting --- */

struct UnixListener {
    LyLoop *loop;
    Serve *serve;
    const LyLog *log;
    int fd;
    LyWatch *watch;
    LyTimer *resume;
};

static void greet(UnixListener *listener, int fd)
{
    int64_t pid, uid;
    if (!peer_credentials(fd, &pid, &uid)) {
        close(fd);
        return;
    }
    if (uid != 0 && uid != geteuid()) {
        ly_log(listener->log, LY_LOG_WARNING,
               "a connection of process %ld was refused: it is of the user %lu", (long)pid,
               (unsigned long)uid);
        close(fd);
        return;
    }
    LY_AUTO_FREE char *program = peer_program(pid);
    LyAgentPeer peer = {.transport = "unix", .pid = pid, .uid = uid, .program = program};
    serve_client(listener->serve, fd, &peer, (LyBytes){0});
}

static void acceptable(void *user, unsigned events)
{
    UnixListener *listener = user;
    for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            greet(listener, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            /* It stays readable: whoever does not wait turns in circles. */
            ly_log(listener->log, LY_LOG_WARNING, "cannot accept a connection: %s", strerror(errno));
            ly_watch_set(listener->watch, 0);
            ly_timer_set(listener->resume, ly_loop_now_us(listener->loop) + PAUSE_US);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

static void resume(void *user)
{
    UnixListener *listener = user;
    ly_watch_set(listener->watch, LY_READABLE);
}

UnixListener *unix_listener_new(LyLoop *loop, Serve *serve, const UnixSocket *listening, const LyLog *log)
{
    UnixListener *listener = ly_new(UnixListener);
    *listener = (UnixListener){.loop = loop, .serve = serve, .log = log, .fd = listening->fd};
    listener->watch = ly_watch_new(loop, listener->fd, LY_READABLE, acceptable, listener);
    listener->resume = ly_timer_new(loop, resume, listener);
    return listener;
}

void unix_listener_free(UnixListener *listener)
{
    if (!listener)
        return;
    ly_watch_free(listener->watch);
    ly_timer_free(listener->resume);
    ly_free(listener);
}
