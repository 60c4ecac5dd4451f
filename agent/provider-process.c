#include "provider-process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/wire.h"
#include "beside.h"
#include "loop/net.h"
#include "provider/protocol.h"

#define READ_LEN 4096
#define INPUT_MAX (4 + PROVIDER_MESSAGE_MAX + READ_LEN)

struct ProviderProcess {
    LyLoop *loop;
    ProviderProcessOptions options;
    LyChild *child;
    int fd;
    LyWatch *watch;
    LyTimer *timer;
    LyBuf input, output;
    size_t sent;
    bool open; /* a request was not answered yet */
};

static void lose(ProviderProcess *process, const char *why)
{
    process->options.lost(process->options.user, why);
}

static void timed_out(void *user)
{
    ProviderProcess *process = user;
    char why[80];
    snprintf(why, sizeof why, "did not answer within %.0f seconds",
             (double)process->options.timeout_us / 1e6);
    lose(process, why);
}

static void ended(void *user, int wait_status)
{
    ProviderProcess *process = user;
    char why[80];
    if (WIFSIGNALED(wait_status))
        snprintf(why, sizeof why, "was ended by signal %d (%s)", WTERMSIG(wait_status),
                 strsignal(WTERMSIG(wait_status)));
    else
        snprintf(why, sizeof why, "ended with status %d", WEXITSTATUS(wait_status));
    ly_child_free(process->child);
    process->child = NULL;
    lose(process, why);
}

/* False when the process is lost. An end of the output is no loss yet: the status follows, and says more. */
static bool send_some(ProviderProcess *process)
{
    while (process->sent < process->output.len) {
        ssize_t count =
            write(process->fd, process->output.data + process->sent, process->output.len - process->sent);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && (errno == EAGAIN || errno == EPIPE || errno == ECONNRESET))
            break;
        if (count < 0) {
            lose(process, "cannot be written to");
            return false;
        }
        process->sent += (size_t)count;
    }
    bool done = process->sent == process->output.len;
    if (done) {
        ly_buf_free(&process->output); /* PINs were in it */
        process->sent = 0;
    }
    ly_watch_set(process->watch, LY_READABLE | (done ? 0 : LY_WRITABLE));
    return true;
}

static void take_reply(ProviderProcess *process)
{
    LyBuf *input = &process->input;
    if (input->len < 4)
        return;
    uint32_t len = ly_load_u32(input->data);
    if (len > PROVIDER_MESSAGE_MAX || !process->open) {
        lose(process, "talks nonsense");
        return;
    }
    if (input->len < 4 + (size_t)len)
        return;
    process->open = false;
    ly_timer_set(process->timer, UINT64_MAX);
    LyBuf reply = *input;
    *input = LY_BUF(INPUT_MAX);
    process->options.answered(process->options.user, ly_bytes(reply.data + 4, len));
    ly_buf_free(&reply);
    /* The callee may have freed the process. */
}

static void ready(void *user, unsigned events)
{
    ProviderProcess *process = user;
    if (events & LY_WRITABLE && !send_some(process))
        return;
    if (!(events & (LY_READABLE | LY_HANGUP)))
        return;
    uint8_t *room = ly_buf_room(&process->input, READ_LEN);
    ssize_t count = read(process->fd, room, READ_LEN);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count <= 0) { /* the process's end is seen too, and says why */
        ly_watch_free(process->watch);
        process->watch = NULL;
        return;
    }
    ly_buf_added(&process->input, (size_t)count);
    take_reply(process);
}

ProviderProcess *provider_process_new(LyLoop *loop, const ProviderProcessOptions *options, LyError *error)
{
    LY_AUTO_FREE char *program = program_beside(PROVIDER_PROGRAM);
    if (!program) {
        ly_error_set(error, LY_ERROR_UNSUPPORTED, PROVIDER_PROGRAM " is not installed");
        return NULL;
    }
    const char *argv[] = {program, options->kind, options->path, NULL};
    LyChildOptions child = {.argv = argv, .fds = {LY_CHILD_SOCKET, LY_CHILD_SOCKET, LY_CHILD_INHERIT}};
    ProviderProcess *process = ly_new(ProviderProcess);
    *process = (ProviderProcess){
        .loop = loop, .options = *options, .fd = -1, .input = LY_BUF(INPUT_MAX), .output = LY_BUF(INPUT_MAX)};
    process->options.kind = process->options.path = NULL; /* its own since it was started */
    process->child = ly_child_new(loop, &child, ended, process, error);
    if (!process->child) {
        ly_free(process);
        return NULL;
    }
    process->fd = ly_child_fd(process->child, 0);
    process->watch = ly_watch_new(loop, process->fd, LY_READABLE, ready, process);
    process->timer = ly_timer_new(loop, timed_out, process);
    return process;
}

void provider_process_free(ProviderProcess *process)
{
    if (!process)
        return;
    if (process->open && process->child)
        ly_child_kill(process->child, SIGKILL);
    ly_watch_free(process->watch);
    ly_timer_free(process->timer);
    close(process->fd);
    ly_child_free(process->child);
    ly_buf_free(&process->input);
    ly_buf_free(&process->output);
    ly_free(process);
}

void provider_process_ask(ProviderProcess *process, LyBuf *request)
{
    ly_put_string(&process->output, ly_buf_bytes(request));
    ly_buf_free(request);
    process->open = true;
    ly_timer_set(process->timer, ly_loop_now_us(process->loop) + process->options.timeout_us);
    if (process->watch) /* else it has ended, which is told by and by */
        ly_watch_set(process->watch, LY_READABLE | LY_WRITABLE);
}
