#include "cygwin-listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/cygwin.h"
#include "base/list.h"
#include "base/memory.h"
#include "loop/net.h"

#define HANDSHAKE_US ((uint64_t)CYGWIN_HANDSHAKE_SECONDS * 1000 * 1000)
#define PROBE_MS 2000

typedef struct Handshake {
    LyLink link;
    CygwinListener *listener;
    int fd;
    LyWatch *watch;
    LyTimer *timer;
    LyCygwinHandshake state;
    LyBuf out;
} Handshake;

struct CygwinListener {
    LyLoop *loop;
    Serve *serve;
    LyLog log;
    char *path;
    LyCygwinFile file;
    LyListener *listener;
    LyList handshakes; /* oldest first */
    size_t count;
    bool published;
};

/* A client's handshake. */

static void handshake_free(Handshake *handshake)
{
    ly_link_remove(&handshake->link);
    handshake->listener->count--;
    ly_watch_free(handshake->watch);
    ly_timer_free(handshake->timer);
    if (handshake->fd >= 0)
        close(handshake->fd);
    ly_buf_free(&handshake->out);
    ly_cleanse(&handshake->state, sizeof handshake->state);
    ly_free(handshake);
}

static void timed_out(void *user)
{
    Handshake *handshake = user;
    ly_log(&handshake->listener->log, LY_LOG_INFO, "%s: a client did not finish its handshake within %d s",
           handshake->listener->path, CYGWIN_HANDSHAKE_SECONDS);
    handshake_free(handshake);
}

/* Reads no byte behind the handshake. False: the client is gone or does not know the secret. */
static bool receive(Handshake *handshake)
{
    LyCygwinHandshake *state = &handshake->state;
    while (!state->done) {
        uint8_t bytes[sizeof state->received];
        ssize_t count = recv(handshake->fd, bytes, sizeof bytes - state->received_len, 0);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            break;
        if (count <= 0)
            return false;
        ly_cygwin_handshake_receive(state, ly_bytes(bytes, (size_t)count), &handshake->out);
        ly_cleanse(bytes, sizeof bytes);
        if (state->failed) {
            ly_log(&handshake->listener->log, LY_LOG_WARNING,
                   "%s: a client that does not know the file's secret was turned away",
                   handshake->listener->path);
            return false;
        }
    }
    return true;
}

static bool send_out(Handshake *handshake)
{
    while (handshake->out.len) {
        ssize_t count = send(handshake->fd, handshake->out.data, handshake->out.len, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            break;
        if (count < 0)
            return false;
        ly_buf_drop(&handshake->out, (size_t)count);
    }
    return true;
}

static void hand_over(Handshake *handshake)
{
    LyAgentPeer peer = {.transport = "cygwin",
                        .pid = handshake->state.theirs.pid,
                        .uid = handshake->state.theirs.uid,
                        .claimed = true};
    Serve *serve = handshake->listener->serve;
    int fd = handshake->fd;
    handshake->fd = -1;
    handshake_free(handshake); /* its watch goes before another is made for the descriptor */
    serve_client(serve, fd, &peer, (LyBytes){0});
}

static void ready(void *user, unsigned events)
{
    Handshake *handshake = user;
    if (!receive(handshake) || !send_out(handshake))
        handshake_free(handshake);
    else if (handshake->state.done && handshake->out.len == 0)
        hand_over(handshake);
    else
        ly_watch_set(handshake->watch,
                     (handshake->state.done ? 0 : LY_READABLE) | (handshake->out.len ? LY_WRITABLE : 0));
}

static void accepted(void *user, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    CygwinListener *listener = user;
    if (listener->count == CYGWIN_HANDSHAKES_MAX)
        handshake_free(ly_list_first(&listener->handshakes, Handshake, link));
    Handshake *handshake = ly_new(Handshake);
    LyCygwinCredentials ours = {.pid = getpid()};
    handshake->listener = listener;
    handshake->fd = fd;
    handshake->watch = ly_watch_new(listener->loop, fd, LY_READABLE, ready, handshake);
    handshake->timer = ly_timer_new(listener->loop, timed_out, handshake);
    ly_timer_set(handshake->timer, ly_loop_now_us(listener->loop) + HANDSHAKE_US);
    ly_cygwin_handshake_begin(&handshake->state, true, &listener->file, ours, &handshake->out);
    ly_list_append(&listener->handshakes, &handshake->link);
    listener->count++;
}

/* Who is behind a file that lies there already. */

static bool wait_for(int fd, short events, uint64_t until_ms)
{
    for (;;) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        uint64_t now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
        struct pollfd poll_fd = {.fd = fd, .events = events};
        int count = poll(&poll_fd, 1, now_ms < until_ms ? (int)(until_ms - now_ms) : 0);
        if (count > 0 || (count == 0 && now_ms >= until_ms))
            return count > 0;
    }
}

typedef enum Behind { BEHIND_NOBODY, BEHIND_AGENT, BEHIND_SILENT } Behind;

/* An agent answers the secret with the secret. Another program may have the port of a former agent by now. */
static Behind who_is_behind(const LyCygwinFile *file)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t until_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + PROBE_MS;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(file->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    LyCygwinHandshake handshake;
    LyBuf out = {0};
    Behind behind = BEHIND_NOBODY;
    int error = 0, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t len = sizeof error;
    ly_cygwin_handshake_begin(&handshake, false, file, (LyCygwinCredentials){0}, &out);
    if (fd < 0 || (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) ||
        !wait_for(fd, POLLOUT, until_ms) || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error ||
        send(fd, out.data, out.len, MSG_NOSIGNAL) < 0)
        goto end;
    while (handshake.received_len < LY_CYGWIN_SECRET_LEN) {
        uint8_t bytes[LY_CYGWIN_SECRET_LEN];
        if (!wait_for(fd, POLLIN, until_ms)) {
            behind = BEHIND_SILENT;
            goto end;
        }
        ssize_t count = recv(fd, bytes, sizeof bytes - handshake.received_len, 0);
        if (count < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (count <= 0)
            goto end;
        ly_cygwin_handshake_receive(&handshake, ly_bytes(bytes, (size_t)count), &out);
        if (handshake.failed)
            goto end;
    }
    behind = BEHIND_AGENT;
end:
    if (fd >= 0)
        close(fd);
    ly_buf_free(&out);
    ly_cleanse(&handshake, sizeof handshake);
    return behind;
}

/* The file. */

/* False with *error, or true: *there is whether a Cygwin socket file lies at the path. */
static bool read_file(const char *path, LyCygwinFile *file, bool *there, LyError *error)
{
    uint8_t text[LY_CYGWIN_FILE_MAX];
    struct stat status;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    *there = false;
    if (fd < 0 && errno == ENOENT)
        return true;
    if (fd < 0 && errno != ELOOP && errno != ENXIO)
        return ly_error_set_errno(error, errno, "cannot read %s", path);
    ssize_t len =
        fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? read(fd, text, sizeof text) : -1;
    if (fd >= 0)
        close(fd);
    LyError why = {0};
    if (len < 0 || !ly_get_cygwin_file(ly_bytes(text, (size_t)len), file, &why))
        return ly_error_set(error, LY_ERROR_INVALID,
                            "%s exists and is not a Cygwin socket file; it was left alone", path);
    *there = true;
    return true;
}

/* What lies at the path may be replaced. */
static bool check_place(const char *path, LyError *error)
{
    LyCygwinFile file;
    bool there;
    if (!read_file(path, &file, &there, error))
        return false;
    Behind behind = there ? who_is_behind(&file) : BEHIND_NOBODY;
    ly_cleanse(&file, sizeof file);
    if (behind == BEHIND_AGENT)
        return ly_error_set(error, LY_ERROR_INVALID, "an agent is listening behind %s already", path);
    if (behind == BEHIND_SILENT)
        return ly_error_set(
            error, LY_ERROR_INVALID,
            "something listens behind %s and does not say what it is; if it is no agent, remove the "
            "file",
            path);
    return true;
}

static bool publish(CygwinListener *listener, LyError *error)
{
    LyBuf text = {0};
    char *aside = ly_format("%s.XXXXXX", listener->path);
    int fd = mkostemp(aside, O_CLOEXEC); /* mode 0600, whatever the umask */
    bool good = fd >= 0;
    if (!good)
        ly_error_set_errno(error, errno, "cannot create a file beside %s", listener->path);
    ly_put_cygwin_file(&listener->file, &text);
    if (good && write(fd, text.data, text.len) != (ssize_t)text.len)
        good = ly_error_set_errno(error, errno, "cannot write %s", aside);
    if (fd >= 0 && close(fd) < 0 && good)
        good = ly_error_set_errno(error, errno, "cannot write %s", aside);
    if (good && rename(aside, listener->path) < 0)
        good = ly_error_set_errno(error, errno, "cannot rename %s to %s", aside, listener->path);
    if (fd >= 0 && !good)
        unlink(aside);
    ly_free(aside);
    ly_buf_free(&text);
    listener->published = good;
    return good;
}

static void unpublish(CygwinListener *listener)
{
    LyCygwinFile file;
    bool there;
    if (listener->published && read_file(listener->path, &file, &there, NULL) && there &&
        file.port == listener->file.port &&
        ly_bytes_equal_secret(ly_bytes(file.secret, sizeof file.secret),
                              ly_bytes(listener->file.secret, sizeof listener->file.secret)))
        unlink(listener->path);
    ly_cleanse(&file, sizeof file);
}

/* The face. */

CygwinListener *cygwin_listener_new(LyLoop *loop, LyCrypto *crypto, Serve *serve, const char *path, LyLog log,
                                    LyError *error)
{
    if (!check_place(path, error))
        return NULL;
    CygwinListener *listener = ly_new(CygwinListener);
    listener->loop = loop;
    listener->serve = serve;
    listener->log = log;
    listener->path = ly_strdup(path);
    ly_list_init(&listener->handshakes);
    ly_crypto_random(crypto, listener->file.secret, sizeof listener->file.secret);
    listener->listener = ly_listener_new(loop, "127.0.0.1", 0, accepted, listener, error);
    if (listener->listener)
        listener->file.port = ly_listener_port(listener->listener);
    if (!listener->listener || !publish(listener, error)) {
        cygwin_listener_free(listener);
        return NULL;
    }
    return listener;
}

void cygwin_listener_free(CygwinListener *listener)
{
    if (!listener)
        return;
    unpublish(listener);
    ly_listener_free(listener->listener);
    ly_list_each(&listener->handshakes, Handshake, link, handshake) handshake_free(handshake);
    ly_cleanse(&listener->file, sizeof listener->file);
    ly_free(listener->path);
    ly_free(listener);
}
