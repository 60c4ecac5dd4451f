#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/wire.h"
#include "loop/agent.h"

/* Counts whole messages as they pass. */
typedef struct Frames {
    uint8_t length[4];
    size_t have;   /* bytes of `length` */
    uint32_t left; /* bytes of the message */
    uint64_t count;
} Frames;

static void frames_add(Frames *frames, LyBytes bytes)
{
    while (bytes.len) {
        size_t len = 1;
        if (frames->left) {
            len = LY_MIN(bytes.len, frames->left);
            frames->left -= (uint32_t)len;
        } else {
            frames->length[frames->have++] = bytes.data[0];
            if (frames->have < 4)
                goto next;
            frames->left = ly_load_u32(frames->length);
            frames->have = 0;
        }
        frames->count += frames->left == 0;
    next:
        bytes = ly_bytes_slice(bytes, len, SIZE_MAX);
    }
}

/* One way. Nothing is read while something waits to be written, so that whoever does not read is not read
 * from. */
typedef struct Way {
    struct Relay *relay;
    LyWatch *reader, *writer;
    int from, to;
    size_t chunk; /* bytes a write may have without waiting, where `to` is writable */
    uint8_t bytes[32768];
    size_t start, len;
    bool ended; /* `from` is at its end */
    Frames frames;
} Way;

typedef struct Relay {
    LyLoop *loop;
    Way to_agent, to_peer;
    int fd; /* the agent's socket */
    bool failed;
    LyError error;
} Relay;

static void end(Relay *relay, bool good)
{
    relay->failed = !good;
    ly_loop_quit(relay->loop);
}

static void set_watches(Way *way)
{
    ly_watch_set(way->reader, way->len || way->ended ? 0 : LY_READABLE);
    ly_watch_set(way->writer, way->len ? LY_WRITABLE : 0);
}

/* What had come went out: after an end, the end goes out too. The agent is told of it once all is answered,
 * because OpenSSH's agent drops answers when it sees the end before it has written them. */
static void drained(Relay *relay)
{
    if (relay->to_peer.ended && !relay->to_peer.len)
        end(relay, true);
    else if (relay->to_agent.ended && !relay->to_agent.len &&
             relay->to_peer.frames.count >= relay->to_agent.frames.count)
        shutdown(relay->fd, SHUT_WR);
}

static void readable(void *user, unsigned events)
{
    Way *way = user;
    Relay *relay = way->relay;
    if (way->len || way->ended)
        return;
    ssize_t count = read(way->from, way->bytes, sizeof way->bytes);
    if (count < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (count < 0 && way == &relay->to_peer) {
        end(relay, ly_error_set_errno(&relay->error, errno, "cannot read from the agent"));
        return;
    }
    way->start = 0;
    way->len = count > 0 ? (size_t)count : 0;
    way->ended = count <= 0; /* an error of `in` is its end: what was asked is still answered */
    frames_add(&way->frames, ly_bytes(way->bytes, way->len));
    if (way->ended)
        drained(relay);
    set_watches(way);
}

static void writable(void *user, unsigned events)
{
    Way *way = user;
    Relay *relay = way->relay;
    if (!way->len) {
        /* Only the other end's going is told now. Who does not read answers any more has no use for the
         * agent. */
        if (events & LY_HANGUP && way == &relay->to_peer)
            end(relay, true);
        return;
    }
    size_t len = LY_MIN(way->len, way->chunk);
    ssize_t count = send(way->to, way->bytes + way->start, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno == ENOTSOCK)
        count = write(way->to, way->bytes + way->start, len);
    if (count < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (count < 0) {
        end(relay, ly_error_set_errno(&relay->error, errno, "cannot write to %s",
                                      way == &relay->to_peer ? "the standard output" : "the agent"));
        return;
    }
    way->start += (size_t)count;
    way->len -= (size_t)count;
    if (!way->len)
        drained(relay);
    set_watches(way);
}

static void dialled(void *user, int fd, const LyError *error)
{
    Relay *relay = user;
    relay->fd = fd;
    if (fd < 0)
        relay->error = *error;
    end(relay, fd >= 0);
}

static bool way_begin(Way *way, Relay *relay, int from, int to, size_t chunk)
{
    way->relay = relay;
    way->from = from;
    way->to = to;
    way->chunk = chunk;
    way->reader = ly_watch_new(relay->loop, from, LY_READABLE, readable, way);
    way->writer = ly_watch_new(relay->loop, to, 0, writable, way);
    return way->reader && way->writer;
}

static void way_end(Way *way)
{
    ly_watch_free(way->reader);
    ly_watch_free(way->writer);
    ly_cleanse(way->bytes, sizeof way->bytes); /* keys that were added, passphrases */
}

bool relay_run(LyLoop *loop, const char *where, int in, int out, LyError *error)
{
    Relay relay = {.loop = loop, .fd = -1};
    if (!ly_agent_dial(loop, where, dialled, &relay, error))
        return false;
    ly_loop_run(loop);
    int fds[] = {-1, -1, -1}; /* copies, because a descriptor has one watch */
    if (!relay.failed) {
        const int of[] = {in, out, relay.fd};
        for (size_t i = 0; i < LY_COUNT(fds) && !relay.failed; i++) {
            fds[i] = fcntl(of[i], F_DUPFD_CLOEXEC, 0);
            if (fds[i] < 0)
                relay.failed = !ly_error_set_errno(&relay.error, errno, "cannot use descriptor %d", of[i]);
        }
    }
    if (!relay.failed) {
        /* A pipe that is writable takes PIPE_BUF bytes at once; its flags are shared with others and stay. */
        if (!way_begin(&relay.to_agent, &relay, fds[0], fds[2], sizeof relay.to_agent.bytes) ||
            !way_begin(&relay.to_peer, &relay, relay.fd, fds[1], PIPE_BUF))
            relay.failed = !ly_error_set_errno(&relay.error, errno, "cannot wait for input");
        else
            ly_loop_run(loop);
    }
    way_end(&relay.to_agent);
    way_end(&relay.to_peer);
    for (size_t i = 0; i < LY_COUNT(fds); i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    if (relay.fd >= 0)
        close(relay.fd);
    if (relay.failed && error)
        *error = relay.error;
    return !relay.failed;
}
