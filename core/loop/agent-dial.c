/* The way to an agent. A path is tried as a Unix socket first, which costs nothing; only where connect() says
 * ECONNREFUSED, as it does for a file too, is the path opened, in a job because that may take its time. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/cygwin.h"
#include "base/memory.h"
#include "loop/agent.h"

#define HANDSHAKE_US ((uint64_t)5 * 1000 * 1000)

/* What the job reads. */
typedef struct Look {
    LyAgentDial *dial;
    char *path;
    uint8_t text[LY_CYGWIN_FILE_MAX];
    size_t len;
    bool is_file;
} Look;

struct LyAgentDial {
    LyLoop *loop;
    char *path;
    LyConnectDone done;
    void *user;
    LyConnect *connect;
    LyError refused; /* what the Unix socket's connect said */
    LyJob *job;
    LyTimer *timer;
    LyCygwinFile file;
    bool is_assuan;
    int fd;
    LyWatch *watch;
    LyCygwinHandshake handshake;
    LyBuf out;
};

/* The end. */

static void dial_free(LyAgentDial *dial)
{
    ly_connect_cancel(dial->connect);
    if (dial->job)
        ly_job_cancel(dial->job);
    ly_timer_free(dial->timer);
    ly_watch_free(dial->watch);
    if (dial->fd >= 0)
        close(dial->fd);
    ly_buf_free(&dial->out);
    ly_cleanse(&dial->file, sizeof dial->file);
    ly_cleanse(&dial->handshake, sizeof dial->handshake);
    ly_free(dial->path);
    ly_free(dial);
}

static void succeed(LyAgentDial *dial, int fd)
{
    LyConnectDone done = dial->done;
    void *user = dial->user;
    dial->fd = -1;
    dial_free(dial);
    done(user, fd, NULL);
}

static void fail(LyAgentDial *dial, const LyError *error)
{
    LyConnectDone done = dial->done;
    void *user = dial->user;
    LyError copy = *error;
    dial_free(dial);
    done(user, -1, &copy);
}

#define PATH(dial) LY_PRINTABLE(ly_bytes_str((dial)->path))

/* The handshake. */

static bool send_out(LyAgentDial *dial, LyError *error)
{
    while (dial->out.len) {
        ssize_t count = send(dial->fd, dial->out.data, dial->out.len, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            break;
        if (count < 0)
            return ly_error_set_errno(error, errno, "cannot write to port %u, which %s names",
                                      (unsigned)dial->file.port, PATH(dial));
        ly_buf_drop(&dial->out, (size_t)count);
    }
    ly_watch_set(dial->watch, LY_READABLE | (dial->out.len ? LY_WRITABLE : 0));
    return true;
}

/* Reads no byte behind the handshake: it belongs to whoever gets the socket. */
static bool receive(LyAgentDial *dial, LyError *error)
{
    LyCygwinHandshake *handshake = &dial->handshake;
    while (!handshake->done) {
        uint8_t bytes[sizeof handshake->received];
        ssize_t count = recv(dial->fd, bytes, sizeof bytes - handshake->received_len, 0);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            return true;
        if (count < 0)
            return ly_error_set_errno(error, errno, "cannot read from port %u, which %s names",
                                      (unsigned)dial->file.port, PATH(dial));
        if (count == 0)
            return ly_error_set(
                error, LY_ERROR_DISCONNECT,
                "what listens on port %u, which %s names, closed the connection in the handshake; "
                "the file may be one that a former agent left",
                (unsigned)dial->file.port, PATH(dial));
        ly_cygwin_handshake_receive(handshake, ly_bytes(bytes, (size_t)count), &dial->out);
        ly_cleanse(bytes, sizeof bytes);
        if (handshake->failed)
            return ly_error_set(
                error, LY_ERROR_VERIFY,
                "what listens on port %u, which %s names, does not know the secret of that file; a "
                "former agent may have left it",
                (unsigned)dial->file.port, PATH(dial));
    }
    return true;
}

static void ready(void *user, unsigned events)
{
    LyAgentDial *dial = user;
    LyError error;
    if (!send_out(dial, &error) || (!dial->is_assuan && !receive(dial, &error)) || !send_out(dial, &error)) {
        fail(dial, &error);
        return;
    }
    if (dial->out.len == 0 && (dial->is_assuan || dial->handshake.done)) {
        ly_watch_free(dial->watch);
        dial->watch = NULL;
        succeed(dial, dial->fd);
    }
}

static void tcp_connected(void *user, int fd, const LyError *error)
{
    LyAgentDial *dial = user;
    dial->connect = NULL;
    if (fd < 0) {
        LyError copy = *error;
        ly_error_prefix(&copy, "%s", PATH(dial));
        fail(dial, &copy);
        return;
    }
    dial->fd = fd;
    dial->watch = ly_watch_new(dial->loop, fd, LY_READABLE | LY_WRITABLE, ready, dial);
    if (dial->is_assuan) {
        ly_buf_add(&dial->out, ly_bytes(dial->file.secret, sizeof dial->file.secret));
    } else {
        LyCygwinCredentials ours = {.pid = getpid(), .uid = geteuid(), .gid = getegid()};
        ly_cygwin_handshake_begin(&dial->handshake, false, &dial->file, ours, &dial->out);
    }
}

static void timed_out(void *user)
{
    LyAgentDial *dial = user;
    LyError error;
    ly_error_set(&error, LY_ERROR_TIMEOUT,
                 "what listens on port %u, which %s names, did not answer within %u s",
                 (unsigned)dial->file.port, PATH(dial), (unsigned)(HANDSHAKE_US / 1000000));
    fail(dial, &error);
}

/* The file. */

static void look_work(void *data)
{
    Look *look = data;
    struct stat status;
    int fd = open(look->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return;
    look->is_file = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    while (look->is_file && look->len < sizeof look->text) {
        ssize_t count = read(fd, look->text + look->len, sizeof look->text - look->len);
        if (count <= 0 && !(count < 0 && errno == EINTR))
            break;
        look->len += count > 0 ? (size_t)count : 0;
    }
    close(fd);
}

static void look_done(void *data, bool cancelled)
{
    Look *look = data;
    LyAgentDial *dial = look->dial;
    LyBytes text = ly_bytes(look->text, look->len);
    LyError error = {0};
    bool good = false;
    if (!cancelled) {
        dial->job = NULL;
        if (!look->is_file) {
            error = dial->refused;
        } else if (ly_is_cygwin_file(text)) {
            good = ly_get_cygwin_file(text, &dial->file, &error);
            if (!good)
                ly_error_prefix(&error, "%s", PATH(dial));
        } else {
            good = dial->is_assuan = ly_get_assuan_file(text, &dial->file, NULL);
            if (!good)
                ly_error_set(&error, LY_ERROR_INVALID,
                             "%s is neither a socket nor a file that names an agent's port", PATH(dial));
        }
    }
    ly_cleanse(look->text, sizeof look->text);
    ly_free(look->path);
    ly_free(look);
    if (good) {
        LyConnectOptions options = {
            .host = "127.0.0.1", .port = dial->file.port, .family = AF_INET, .ipqos = -1};
        ly_timer_set(dial->timer, ly_loop_now_us(dial->loop) + HANDSHAKE_US);
        dial->connect = ly_connect_new(dial->loop, &options, tcp_connected, dial);
    } else if (!cancelled) {
        fail(dial, &error);
    }
}

static void unix_connected(void *user, int fd, const LyError *error)
{
    LyAgentDial *dial = user;
    dial->connect = NULL;
    if (fd >= 0) {
        succeed(dial, fd);
    } else if (error->code != LY_ERROR_IO || error->system != ECONNREFUSED) {
        fail(dial, error);
    } else {
        Look *look = ly_new(Look);
        look->dial = dial;
        look->path = ly_strdup(dial->path);
        dial->refused = *error;
        dial->job = ly_loop_work(dial->loop, look_work, look_done, look);
    }
}

/* The face. */

static bool is_pipe(const char *where)
{
    LyBytes name = ly_bytes_str(where);
    return ly_bytes_starts_with(name, "\\\\.\\pipe\\") || ly_bytes_starts_with(name, "//./pipe/");
}

const char *ly_agent_where(const char *where, LyError *error)
{
    if (strcmp(where, "SSH_AUTH_SOCK") == 0) {
        where = getenv("SSH_AUTH_SOCK");
        if (!where || !*where) {
            ly_error_set(error, LY_ERROR_INVALID, "there is no agent to ask: SSH_AUTH_SOCK is not set");
            return NULL;
        }
    }
    if (!*where)
        ly_error_set(error, LY_ERROR_INVALID, "the path of the agent's socket is empty");
    else if (strcmp(where, "pageant") == 0)
        ly_error_set(error, LY_ERROR_UNSUPPORTED,
                     "Pageant's window and pipe are there on Windows only; here, give the path of its socket "
                     "(./pageant for a file of that name)");
    else if (is_pipe(where))
        ly_error_set(error, LY_ERROR_UNSUPPORTED,
                     "%s is a named pipe, which only Windows has; here, give the path of a socket",
                     LY_PRINTABLE(ly_bytes_str(where)));
    else
        return where;
    return NULL;
}

LyAgentDial *ly_agent_dial(LyLoop *loop, const char *where, LyConnectDone done, void *user, LyError *error)
{
    const char *path = ly_agent_where(where, error);
    if (!path)
        return NULL;
    LyAgentDial *dial = ly_new(LyAgentDial);
    dial->loop = loop;
    dial->path = ly_strdup(path);
    dial->done = done;
    dial->user = user;
    dial->fd = -1;
    dial->timer = ly_timer_new(loop, timed_out, dial);
    dial->connect = ly_connect_unix(loop, path, unix_connected, dial);
    return dial;
}

void ly_agent_dial_cancel(LyAgentDial *dial)
{
    if (dial)
        dial_free(dial);
}
