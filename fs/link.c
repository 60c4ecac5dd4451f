/* Links without SSH of ours: a child's pipes, a TCP port, our own stdin and stdout. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/memory.h"
#include "link.h"

enum { INPUT_LEN = 256 * 1024, READS_A_WAKEUP = 4, GATHER_LEN = 32 * 1024, PIPE_LEN = 1024 * 1024 };

typedef struct PlainLink {
    Link link;
    LyLoop *loop;
    int in, out;
    LyWatch *in_watch, *out_watch; /* one and the same when in == out */
    LyChild *child;
    LyConnect *connect;
    LyTask begin;   /* tells what make already knows */
    LyTask flush;   /* sends what one iteration gathered */
    LyBuf gathered; /* small requests */
    uint8_t *input;
    bool ended, want_write, keep_fds, used_up;
    bool reading, freed; /* freed from within its own reading: the memory goes when that returns */
    LyError error;
} PlainLink;

typedef struct PlainMaker {
    char **argv;
    char *host;
    uint16_t port;
    uint64_t timeout_us;
    bool made;
} PlainMaker;

static void end(PlainLink *plain, const LyError *error, bool final)
{
    if (plain->ended)
        return;
    plain->ended = true;
    ly_watch_free(plain->in_watch);
    if (plain->out_watch != plain->in_watch)
        ly_watch_free(plain->out_watch);
    plain->in_watch = plain->out_watch = NULL;
    plain->link.events.down(plain->link.events.user, error, final);
}

static void update_watch(PlainLink *plain)
{
    unsigned write = plain->want_write ? LY_WRITABLE : 0;
    if (plain->in == plain->out)
        ly_watch_set(plain->in_watch, LY_READABLE | write);
    else if (plain->out_watch)
        ly_watch_set(plain->out_watch, write);
}

/* Writes what it can; how many bytes of the parts went out. */
static size_t write_parts(PlainLink *plain, const LyBytes *parts, size_t count)
{
    struct iovec vector[8];
    size_t used = LY_MIN(count, LY_COUNT(vector));
    for (size_t i = 0; i < used; i++)
        vector[i] = (struct iovec){(void *)(uintptr_t)parts[i].data, parts[i].len};
    ssize_t len = writev(plain->out, vector, (int)used);
    /* Errors are seen by reading: the peer's last words come first. */
    return len > 0 ? (size_t)len : 0;
}

static bool flush_gathered(PlainLink *plain)
{
    while (plain->gathered.len) {
        LyBytes all = ly_buf_bytes(&plain->gathered);
        size_t len = write_parts(plain, &all, 1);
        ly_buf_drop(&plain->gathered, len);
        if (len == 0)
            break;
    }
    return plain->gathered.len == 0;
}

static void flush_due(void *user)
{
    PlainLink *plain = user;
    if (plain->ended || flush_gathered(plain) == !plain->want_write)
        return;
    plain->want_write = true;
    update_watch(plain);
}

/* Small requests of one iteration go out together; large ones at once, without a copy. */
static size_t plain_write(Link *link, const LyBytes *parts, size_t count)
{
    PlainLink *plain = (PlainLink *)link;
    size_t total = 0, done = 0;
    if (plain->ended || plain->out < 0)
        return 0;
    for (size_t i = 0; i < count; i++)
        total += parts[i].len;
    if (total + plain->gathered.len <= GATHER_LEN) {
        for (size_t i = 0; i < count; i++)
            ly_buf_add(&plain->gathered, parts[i]);
        ly_loop_defer(plain->loop, &plain->flush);
        return total;
    }
    if (flush_gathered(plain))
        done = write_parts(plain, parts, count);
    if (done < total) {
        plain->want_write = true;
        update_watch(plain);
    }
    return done;
}

static void out_ready(void *user, unsigned events)
{
    PlainLink *plain = user;
    if (!(events & LY_WRITABLE) || !plain->want_write)
        return;
    if (!flush_gathered(plain))
        return;
    plain->want_write = false;
    plain->link.events.writable(plain->link.events.user); /* which sets it again when there is more */
    if (!plain->ended)
        update_watch(plain);
}

static void free_memory(PlainLink *plain)
{
    ly_buf_free(&plain->gathered);
    ly_free(plain->input);
    ly_free(plain);
}

static void input_ended(PlainLink *plain, int system)
{
    LyError error;
    if (system)
        ly_error_set_errno(&error, system, "the connection to the SFTP server broke");
    else if (plain->child)
        ly_error_set(&error, LY_ERROR_DISCONNECT, "the command that carries SFTP ended");
    else
        ly_error_set(&error, LY_ERROR_DISCONNECT, "the SFTP server closed the connection");
    end(plain, &error, plain->keep_fds);
}

static void in_ready(void *user, unsigned events)
{
    PlainLink *plain = user;
    plain->reading = true;
    if (plain->in == plain->out)
        out_ready(plain, events);
    for (int i = 0; i < READS_A_WAKEUP && !plain->ended; i++) {
        ssize_t len = read(plain->in, plain->input, INPUT_LEN);
        if (len > 0) {
            plain->link.events.data(plain->link.events.user, ly_bytes(plain->input, (size_t)len));
            if (len < INPUT_LEN / 4) /* most likely that was all */
                break;
        } else if (len == 0 || (errno != EAGAIN && errno != EINTR)) {
            input_ended(plain, len == 0 ? 0 : errno);
        } else {
            break;
        }
    }
    if (!plain->ended)
        plain->link.events.iterated(plain->link.events.user);
    plain->reading = false;
    if (plain->freed)
        free_memory(plain);
}

/* The descriptors are there: non-blocking, and watched. */
static void open_link(PlainLink *plain, int in, int out)
{
    plain->in = in;
    plain->out = out;
    plain->input = ly_alloc(INPUT_LEN);
    fcntl(in, F_SETFL, fcntl(in, F_GETFL) | O_NONBLOCK);
    fcntl(out, F_SETFL, fcntl(out, F_GETFL) | O_NONBLOCK);
    plain->in_watch = ly_watch_new(plain->loop, in, LY_READABLE, in_ready, plain);
    if (in != out) {
        plain->out_watch = ly_watch_new(plain->loop, out, 0, out_ready, plain);
        /* A pipe's 64 KiB would make every request of 128 KiB wait twice. Refused when the user has too many:
         * then it is slower. */
        (void)fcntl(in, F_SETPIPE_SZ, PIPE_LEN);
        (void)fcntl(out, F_SETPIPE_SZ, PIPE_LEN);
    } else {
        plain->out_watch = plain->in_watch;
    }
}

static void begin_due(void *user)
{
    PlainLink *plain = user;
    if (plain->error.code)
        end(plain, &plain->error, plain->used_up);
    else
        plain->link.events.up(plain->link.events.user);
}

static bool openssh_order(const Link *link)
{
    return true; /* whatever is reached like this is sftp-server, or like it */
}

static void plain_free(Link *link)
{
    PlainLink *plain = (PlainLink *)link;
    plain->ended = true;
    ly_loop_undefer(plain->loop, &plain->begin);
    ly_loop_undefer(plain->loop, &plain->flush);
    if (plain->connect)
        ly_connect_cancel(plain->connect);
    ly_watch_free(plain->in_watch);
    if (plain->out_watch != plain->in_watch)
        ly_watch_free(plain->out_watch);
    if (!plain->keep_fds) {
        if (plain->in >= 0)
            close(plain->in);
        if (plain->out >= 0 && plain->out != plain->in)
            close(plain->out);
    }
    if (plain->child) {
        ly_child_kill(plain->child, SIGTERM);
        ly_child_kill(plain->child, SIGCONT); /* a stopped one would not see it */
        ly_child_free(plain->child);
    }
    plain->freed = true;
    if (!plain->reading)
        free_memory(plain);
}

static const LinkClass plain_class = {plain_write, openssh_order, plain_free};

static PlainLink *plain_new(LyLoop *loop, const LinkEvents *events)
{
    PlainLink *plain = ly_new(PlainLink);
    plain->link = (Link){&plain_class, *events};
    plain->loop = loop;
    plain->in = plain->out = -1;
    plain->begin = (LyTask){.func = begin_due, .user = plain};
    plain->flush = (LyTask){.func = flush_due, .user = plain};
    return plain;
}

static void maker_free(void *user)
{
    PlainMaker *maker = user;
    for (size_t i = 0; maker->argv && maker->argv[i]; i++)
        ly_free(maker->argv[i]);
    ly_free(maker->argv);
    ly_free(maker->host);
    ly_free(maker);
}

/* ---- a command ---- */

static void child_ended(void *user, int wait_status)
{
    /* The end of its output says so, after what it wrote last. */
}

static Link *make_command(void *user, LyLoop *loop, const LinkEvents *events)
{
    PlainMaker *maker = user;
    PlainLink *plain = plain_new(loop, events);
    LyChildOptions options = {
        .argv = (const char *const *)maker->argv,
        .fds = {LY_CHILD_PIPE, LY_CHILD_PIPE, LY_CHILD_INHERIT},
        .new_session = true, /* a Ctrl-C is for us to handle */
    };
    plain->child = ly_child_new(loop, &options, child_ended, plain, &plain->error);
    if (plain->child)
        open_link(plain, ly_child_fd(plain->child, 1), ly_child_fd(plain->child, 0));
    ly_loop_defer(loop, &plain->begin);
    return &plain->link;
}

LinkMaker link_maker_command(const char *const *argv)
{
    PlainMaker *maker = ly_new(PlainMaker);
    size_t count = 0;
    while (argv[count])
        count++;
    maker->argv = ly_new_array(char *, count + 1);
    for (size_t i = 0; i < count; i++)
        maker->argv[i] = ly_strdup(argv[i]);
    return (LinkMaker){make_command, maker_free, maker};
}

/* ---- a TCP port ---- */

static void connected(void *user, int fd, const LyError *error)
{
    PlainLink *plain = user;
    plain->connect = NULL;
    if (fd < 0) {
        end(plain, error, false);
        return;
    }
    open_link(plain, fd, fd);
    plain->link.events.up(plain->link.events.user);
}

static Link *make_tcp(void *user, LyLoop *loop, const LinkEvents *events)
{
    PlainMaker *maker = user;
    PlainLink *plain = plain_new(loop, events);
    LyConnectOptions options = {
        .host = maker->host, .port = maker->port, .timeout_us = maker->timeout_us, .ipqos = -1};
    plain->connect = ly_connect_new(loop, &options, connected, plain);
    return &plain->link;
}

LinkMaker link_maker_tcp(const char *host, uint16_t port, uint64_t timeout_us)
{
    PlainMaker *maker = ly_new(PlainMaker);
    maker->host = ly_strdup(host);
    maker->port = port;
    maker->timeout_us = timeout_us;
    return (LinkMaker){make_tcp, maker_free, maker};
}

/* ---- our own stdin and stdout ---- */

static Link *make_stdio(void *user, LyLoop *loop, const LinkEvents *events)
{
    PlainMaker *maker = user;
    PlainLink *plain = plain_new(loop, events);
    plain->keep_fds = true;
    if (maker->made) {
        plain->used_up = true;
        ly_error_set(&plain->error, LY_ERROR_DISCONNECT,
                     "the connection on stdin and stdout is over and cannot be made again");
    } else {
        open_link(plain, STDIN_FILENO, STDOUT_FILENO);
    }
    maker->made = true;
    ly_loop_defer(loop, &plain->begin);
    return &plain->link;
}

LinkMaker link_maker_stdio(void)
{
    return (LinkMaker){make_stdio, maker_free, ly_new(PlainMaker)};
}
