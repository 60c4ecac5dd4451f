/* Commands and shells on a channel, over pipes or a terminal. Each direction has its own back-pressure: stdin
 * is held until the child takes it (the window stays closed for it), stdout and stderr are read only as far
 * as the channel takes them. */
#include "loop/server-private.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/memory.h"

#define READ_LEN ((size_t)128 << 10)
#define READS_MAX 4               /* of one descriptor in one iteration */
#define PIPE_LEN (256 << 10)      /* asked of the kernel, which may refuse */
#define TERMINAL_GRACE_US 500000u /* for a terminal's last output after its shell ended */
#define VARIABLES_MAX 512

/* X11: the cookie is added by a shell that then becomes the program, so that it is there before the program
 * looks for it. It comes in a variable, because everybody sees the arguments of a command. */
#define AUTHORITY "LANYARD_XAUTHORITY"
static const char authorize[] =
    "command -v xauth >/dev/null && printf %s \"$" AUTHORITY "\" | xauth -q - >/dev/null 2>&1; "
    "unset " AUTHORITY "; exec \"$@\"";

typedef struct Exec Exec;
typedef struct Output {
    Exec *exec;
    int fd; /* -1: ended */
    LyWatch *watch;
    LyBuf pending; /* read, and not yet taken by the channel */
    size_t sent;
    bool is_stderr;
} Output;

struct Exec {
    LyServerChannel *channel;
    LyChild *child;
    int in_fd; /* -1: closed */
    LyWatch *in_watch;
    LyBuf held; /* stdin's bytes that the child has not taken */
    bool eof, exited, finished;
    int wait_status;
    Output output[2];
    LyTimer *grace; /* of terminals */
};

static void wake(Exec *exec)
{
    ly_drive_wake(exec->channel->server->drive);
}

/* ---- the end ---- */

static const struct {
    int number;
    const char *name;
} signals[] = {
    {SIGABRT, "ABRT"}, {SIGALRM, "ALRM"}, {SIGFPE, "FPE"},   {SIGHUP, "HUP"},   {SIGILL, "ILL"},
    {SIGINT, "INT"},   {SIGKILL, "KILL"}, {SIGPIPE, "PIPE"}, {SIGQUIT, "QUIT"}, {SIGSEGV, "SEGV"},
    {SIGTERM, "TERM"}, {SIGUSR1, "USR1"}, {SIGUSR2, "USR2"},
};

static const char *signal_name(int number)
{
    for (size_t i = 0; i < LY_COUNT(signals); i++)
        if (signals[i].number == number)
            return signals[i].name;
    return "SIG@openssh.com"; /* RFC 4254 6.10: others carry a domain; this is what OpenSSH says for them */
}

void ly_server_channel_exit(LyServerChannel *channel, int wait_status)
{
    if (WIFSIGNALED(wait_status))
        ly_channel_exit_signal(channel->channel, ly_bytes_str(signal_name(WTERMSIG(wait_status))),
                               WCOREDUMP(wait_status), (LyBytes){0});
    else
        ly_channel_exit_status(channel->channel, (uint32_t)WEXITSTATUS(wait_status));
    ly_channel_eof(channel->channel);
    ly_channel_close(channel->channel);
}

static void finish_if_done(Exec *exec)
{
    if (exec->finished || !exec->exited || exec->output[0].fd >= 0 || exec->output[1].fd >= 0 ||
        exec->output[0].pending.len || exec->output[1].pending.len)
        return;
    exec->finished = true;
    ly_server_channel_exit(exec->channel, exec->wait_status);
    wake(exec);
}

/* ---- stdout and stderr ---- */

static void output_end(Output *output)
{
    ly_watch_free(output->watch);
    output->watch = NULL;
    if (output->fd >= 0)
        close(output->fd);
    output->fd = -1;
}

/* True when all of it was taken. */
static bool output_send(Output *output)
{
    LyChannel *channel = output->exec->channel->channel;
    LyBytes rest = ly_bytes_slice(ly_buf_bytes(&output->pending), output->sent, output->pending.len);
    output->sent +=
        output->is_stderr ? ly_channel_send_stderr(channel, &rest, 1) : ly_channel_send(channel, &rest, 1);
    if (output->sent < output->pending.len)
        return false;
    ly_buf_clear(&output->pending);
    output->sent = 0;
    return true;
}

static void output_ready(void *user, unsigned events)
{
    Output *output = user;
    Exec *exec = output->exec;
    for (unsigned i = 0; i < READS_MAX && output->fd >= 0 && !output->pending.len; i++) {
        ssize_t len = read(output->fd, ly_buf_room(&output->pending, READ_LEN), READ_LEN);
        if (len > 0) {
            ly_buf_added(&output->pending, (size_t)len);
            output_send(output);
        } else if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
            break;
        } else {
            output_end(output); /* a terminal's end is EIO */
        }
    }
    if (output->watch)
        ly_watch_set(output->watch, output->pending.len ? 0 : LY_READABLE);
    finish_if_done(exec);
    wake(exec);
}

static void exec_window(LyServerChannel *channel)
{
    Exec *exec = channel->state;
    for (size_t i = 0; i < LY_COUNT(exec->output); i++) {
        Output *output = &exec->output[i];
        if (output->pending.len && output_send(output) && output->watch)
            ly_watch_set(output->watch, LY_READABLE);
    }
    finish_if_done(exec);
}

/* ---- stdin ---- */

static void input_end(Exec *exec)
{
    ly_watch_free(exec->in_watch);
    exec->in_watch = NULL;
    if (exec->in_fd >= 0)
        close(exec->in_fd);
    exec->in_fd = -1;
    if (exec->held.len && exec->channel->channel)
        ly_channel_consumed(exec->channel->channel, exec->held.len);
    ly_buf_free(&exec->held);
}

/* How many bytes are dealt with; all, when nobody reads them any more. */
static size_t input_write(Exec *exec, LyBytes data)
{
    if (exec->in_fd < 0)
        return data.len;
    ssize_t len;
    do
        len = write(exec->in_fd, data.data, data.len);
    while (len < 0 && errno == EINTR);
    if (len >= 0)
        return (size_t)len;
    if (errno == EAGAIN)
        return 0;
    input_end(exec);
    return data.len;
}

static void input_ready(void *user, unsigned events)
{
    Exec *exec = user;
    size_t len = exec->held.len ? input_write(exec, ly_buf_bytes(&exec->held)) : 0;
    if (exec->in_fd >= 0) {
        ly_buf_drop(&exec->held, len);
        ly_channel_consumed(exec->channel->channel, len);
        if (!exec->held.len) {
            ly_watch_set(exec->in_watch, 0);
            if (exec->eof || (events & LY_HANGUP))
                input_end(exec);
        }
    }
    wake(exec);
}

static void exec_data(LyServerChannel *channel, LyBytes data)
{
    Exec *exec = channel->state;
    size_t taken = exec->held.len ? 0 : input_write(exec, data);
    ly_channel_consumed(channel->channel, taken);
    if (taken == data.len)
        return;
    ly_buf_add(&exec->held, ly_bytes_slice(data, taken, data.len));
    ly_watch_set(exec->in_watch, LY_WRITABLE);
}

static void exec_eof(LyServerChannel *channel)
{
    Exec *exec = channel->state;
    exec->eof = true;
    if (!exec->held.len)
        input_end(exec);
}

/* ---- the child ---- */

static void signal_group(Exec *exec, int number)
{
    if (exec->child && !exec->exited) /* not reaped, so the number is still its group's */
        kill(-ly_child_pid(exec->child), number);
}

static void exec_signal(LyServerChannel *channel, LyBytes name)
{
    for (size_t i = 0; i < LY_COUNT(signals); i++)
        if (ly_bytes_is(name, signals[i].name))
            signal_group(channel->state, signals[i].number);
}

static void grace_over(void *user)
{
    Exec *exec = user;
    if (!exec->output[0].pending.len)
        output_ready(&exec->output[0], LY_READABLE);
    output_end(&exec->output[0]);
    finish_if_done(exec);
}

static void child_ended(void *user, int wait_status)
{
    Exec *exec = user;
    exec->exited = true;
    exec->wait_status = wait_status;
    if (exec->grace) /* who stays in the background keeps the terminal open; the session ends all the same */
        ly_timer_set(exec->grace, ly_loop_now_us(exec->channel->server->loop) + TERMINAL_GRACE_US);
    finish_if_done(exec);
}

static void exec_free(LyServerChannel *channel)
{
    Exec *exec = channel->state;
    signal_group(exec, SIGHUP);
    ly_child_free(exec->child);
    input_end(exec);
    for (size_t i = 0; i < LY_COUNT(exec->output); i++) {
        output_end(&exec->output[i]);
        ly_buf_free(&exec->output[i].pending);
    }
    ly_timer_free(exec->grace);
    ly_free(exec);
    channel->program = NULL;
}

static const LyServerProgramClass exec_class = {
    .data = exec_data,
    .eof = exec_eof,
    .window = exec_window,
    .signal = exec_signal,
    .free = exec_free,
};

/* ---- starting ---- */

typedef struct Variables {
    char *list[VARIABLES_MAX + 1]; /* NULL-terminated */
    size_t count;
} Variables;

static void set_variable(Variables *variables, const char *name, const char *value)
{
    size_t name_len = strlen(name), i = 0;
    if (!value)
        return;
    while (i < variables->count &&
           !(strncmp(variables->list[i], name, name_len) == 0 && variables->list[i][name_len] == '='))
        i++;
    if (i == VARIABLES_MAX)
        return;
    ly_free(variables->list[i]);
    variables->list[i] = ly_format("%s=%s", name, value);
    variables->count = LY_MAX(variables->count, i + 1);
}

static void set_assignment(Variables *variables, LyBytes assignment)
{
    LyBytes name, value;
    if (!ly_bytes_split(assignment, '=', &name, &value))
        return;
    LY_AUTO_FREE char *name_text = ly_bytes_dup_str(name);
    LY_AUTO_FREE char *value_text = ly_bytes_dup_str(value);
    set_variable(variables, name_text, value_text);
}

typedef struct Account {
    const char *name, *home, *shell;
} Account;

static Account find_account(void)
{
    const struct passwd *user = getpwuid(getuid());
    Account account = {getenv("USER"), getenv("HOME"), getenv("SHELL")};
    if (!account.name)
        account.name = user ? user->pw_name : "nobody";
    if (!account.home)
        account.home = user ? user->pw_dir : "/";
    if (!account.shell || !*account.shell)
        account.shell = user && *user->pw_shell ? user->pw_shell : "/bin/sh";
    return account;
}

static void fill_variables(LyServerChannel *channel, const Account *account, const char *original,
                           Variables *variables)
{
    LyServer *server = channel->server;
    const LyServerPeer *peer = &server->peer;
    static const char *const kept[] = {"PATH", "TZ", "LANG"};
    for (size_t i = 0; i < LY_COUNT(kept); i++)
        set_variable(variables, kept[i], getenv(kept[i]));
    LyBytes rest = ly_bytes_str(server->authorization.environment), line;
    while (ly_bytes_line(&rest, &line))
        set_assignment(variables, line);
    rest = ly_buf_bytes(&channel->environment);
    while (ly_bytes_split(rest, '\0', &line, &rest))
        set_assignment(variables, line);
    set_variable(variables, "HOME", account->home);
    set_variable(variables, "USER", account->name);
    set_variable(variables, "LOGNAME", account->name);
    set_variable(variables, "SHELL", account->shell);
    LY_AUTO_FREE char *connection = ly_format("%s %u %s %u", peer->address, (unsigned)peer->port,
                                              peer->local_address, (unsigned)peer->local_port);
    LY_AUTO_FREE char *client =
        ly_format("%s %u %u", peer->address, (unsigned)peer->port, (unsigned)peer->local_port);
    set_variable(variables, "SSH_CONNECTION", connection);
    set_variable(variables, "SSH_CLIENT", client);
    set_variable(variables, "SSH_ORIGINAL_COMMAND", original);
    if (channel->agent) {
        LyError error;
        const char *path = ly_server_agent_socket(server, &error);
        if (!path)
            ly_log(&server->options->log, LY_LOG_ERROR, "%s: %s", server->name, error.message);
        set_variable(variables, "SSH_AUTH_SOCK", path);
    }
    if (channel->x11) {
        set_variable(variables, "DISPLAY", ly_server_x11_display(channel->x11));
        set_variable(variables, AUTHORITY, ly_server_x11_authority(channel->x11));
    }
    if (channel->terminal.wanted) {
        set_variable(variables, "SSH_TTY", channel->terminal.path);
        LY_AUTO_FREE char *term = ly_bytes_dup_str(channel->terminal.size.term);
        set_variable(variables, "TERM", term);
    }
}

static LyChild *spawn(Exec *exec, const char *command, const char *original, LyError *error)
{
    LyServerChannel *channel = exec->channel;
    Account account = find_account();
    Variables variables = {0};
    fill_variables(channel, &account, original, &variables);
    const char *argv[] = {"/bin/sh", "-c", authorize, "sh", account.shell, command ? "-c" : "-l",
                          command,   NULL};
    LyChildOptions options = {
        .argv = channel->x11 ? argv : argv + 4,
        .envp = (const char *const *)variables.list,
        .directory = access(account.home, X_OK) == 0 ? account.home : "/",
        .fds = {LY_CHILD_PIPE, LY_CHILD_PIPE, LY_CHILD_PIPE},
        .new_session = true,
        .terminal = channel->terminal.wanted ? channel->terminal.path : NULL,
    };
    LyChild *child = ly_child_new(channel->server->loop, &options, child_ended, exec, error);
    for (size_t i = 0; i < variables.count; i++) {
        ly_cleanse(variables.list[i], strlen(variables.list[i])); /* one has the cookie */
        ly_free(variables.list[i]);
    }
    return child;
}

static int own_fd(LyChild *child, int which)
{
    int fd = ly_child_fd(child, which);
    fcntl(fd, F_SETPIPE_SZ, PIPE_LEN);
    return fd;
}

bool ly_server_exec(LyServerChannel *channel, const char *command, const char *original)
{
    LyServer *server = channel->server;
    LyLoop *loop = server->loop;
    LyError error;
    if (channel->terminal.wanted && channel->terminal.fd < 0 &&
        !ly_server_terminal_open(&channel->terminal, &error)) {
        ly_log(&server->options->log, LY_LOG_ERROR, "%s: %s", server->name, error.message);
        return false;
    }
    Exec *exec = ly_new(Exec);
    *exec = (Exec){.channel = channel,
                   .in_fd = -1,
                   .output = {{.exec = exec, .fd = -1}, {.exec = exec, .fd = -1, .is_stderr = true}}};
    exec->child = spawn(exec, command, original, &error);
    if (!exec->child) {
        ly_log(&server->options->log, LY_LOG_ERROR, "%s: %s", server->name, error.message);
        ly_free(exec);
        return false;
    }
    ly_log(&server->options->log, LY_LOG_DEBUG, "%s: %s%s", server->name, command ? "runs " : "a shell",
           command ? LY_PRINTABLE(ly_bytes_str(command)) : "");
    if (channel->terminal.wanted) {
        exec->output[0].fd = channel->terminal.fd;
        exec->in_fd = fcntl(channel->terminal.fd, F_DUPFD_CLOEXEC, 3);
        channel->terminal.fd = fcntl(channel->terminal.fd, F_DUPFD_CLOEXEC, 3);
        exec->grace = ly_timer_new(loop, grace_over, exec);
    } else {
        exec->in_fd = own_fd(exec->child, 0);
        exec->output[0].fd = own_fd(exec->child, 1);
        exec->output[1].fd = own_fd(exec->child, 2);
    }
    if (exec->in_fd >= 0)
        exec->in_watch = ly_watch_new(loop, exec->in_fd, 0, input_ready, exec);
    for (size_t i = 0; i < LY_COUNT(exec->output); i++)
        if (exec->output[i].fd >= 0)
            exec->output[i].watch =
                ly_watch_new(loop, exec->output[i].fd, LY_READABLE, output_ready, &exec->output[i]);
    channel->state = exec;
    channel->program = &exec_class;
    return true;
}
