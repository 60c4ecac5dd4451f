#include "loop/prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/secret.h"

#define ANSWER_MAX 8192
#define DEFAULT_ASKPASS "/usr/bin/ssh-askpass"

extern char **environ;

typedef struct TerminalJob {
    LyPrompter *prompter; /* looked at only when the job was not cancelled */
    char *text;
    bool echo;
    int wake;     /* an eventfd: whoever gives up writes to it */
    char *answer; /* ANSWER_MAX bytes of secret memory */
    bool answered;
    int signal;        /* that came meanwhile; raised again when the terminal is as it was */
    sigset_t old_mask; /* of the loop's thread */
} TerminalJob;

struct LyPrompter {
    LyLoop *loop;
    bool use_terminal;
    void (*done)(void *user, const char *answer);
    void *user;
    LyTask nobody; /* tells that nobody could be asked */

    LyJob *job;
    TerminalJob *terminal;

    LyChild *askpass;
    LyWatch *watch;
    int fd;
    char *answer; /* of askpass, ANSWER_MAX bytes of secret memory */
    size_t len;
    bool confirm, ended, drained;
    int status;
};

static void finish(LyPrompter *prompter, const char *answer)
{
    void (*done)(void *user, const char *answer) = prompter->done;
    prompter->done = NULL;
    if (done)
        done(prompter->user, answer);
}

/* The terminal. Signals that would end or stop the program while the echo is off are blocked in the loop's
 * thread (jobs' threads block all) and read here from a signalfd, so that no handler and no global is needed
 * to put the terminal right first. */

static void caught_signals(sigset_t *set)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT};
    sigemptyset(set);
    for (size_t i = 0; i < LY_COUNT(signals); i++)
        sigaddset(set, signals[i]);
}

static void write_all(int fd, const char *text)
{
    size_t len = strlen(text);
    while (len) {
        ssize_t count = write(fd, text, len);
        if (count < 0 && errno != EINTR)
            return;
        if (count > 0) {
            text += count;
            len -= (size_t)count;
        }
    }
}

static void show_question(const TerminalJob *job, int tty, const struct termios *was)
{
    struct termios quiet = *was;
    if (!job->echo) {
        quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
        tcsetattr(tty, TCSAFLUSH, &quiet);
    }
    write_all(tty, job->text);
}

/* True: go on reading. */
static bool take_signal(TerminalJob *job, int signals, int tty, const struct termios *was)
{
    struct signalfd_siginfo info;
    if (read(signals, &info, sizeof info) != sizeof info)
        return true;
    switch (info.ssi_signo) {
    case SIGTSTP:
        tcsetattr(tty, TCSAFLUSH, was);
        kill(getpid(), SIGSTOP); /* this thread may run on for a moment: the terminal waits for SIGCONT */
        return true;
    case SIGCONT:
        write_all(tty, "\n");
        show_question(job, tty, was);
        return true;
    default:
        job->signal = (int)info.ssi_signo;
        return false;
    }
}

static void read_answer(TerminalJob *job, int tty, int signals, const struct termios *was)
{
    size_t len = 0;
    for (;;) {
        struct pollfd fds[] = {{.fd = tty, .events = POLLIN},
                               {.fd = job->wake, .events = POLLIN},
                               {.fd = signals, .events = POLLIN}};
        if (poll(fds, LY_COUNT(fds), -1) < 0 && errno != EINTR)
            return;
        if (fds[1].revents)
            return;
        if (fds[2].revents && !take_signal(job, signals, tty, was))
            return;
        if (!fds[0].revents)
            continue;
        ssize_t count = read(tty, job->answer + len, ANSWER_MAX - 1 - len);
        if (count <= 0)
            return;
        len += (size_t)count;
        char *end = memchr(job->answer, '\n', len);
        if (end || len == ANSWER_MAX - 1) {
            job->answer[end ? (size_t)(end - job->answer) : len] = 0;
            job->answered = true;
            return;
        }
    }
}

static void terminal_work(void *data)
{
    TerminalJob *job = data;
    struct termios was;
    sigset_t set;
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    caught_signals(&set);
    int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (tty >= 0 && signals >= 0 && tcgetattr(tty, &was) == 0) {
        show_question(job, tty, &was);
        read_answer(job, tty, signals, &was);
        if (!job->echo) {
            tcsetattr(tty, TCSAFLUSH, &was);
            write_all(tty, "\n");
        }
    }
    if (tty >= 0)
        close(tty);
    if (signals >= 0)
        close(signals);
}

static void terminal_done(void *data, bool cancelled)
{
    TerminalJob *job = data;
    LyPrompter *prompter = cancelled ? NULL : job->prompter;
    pthread_sigmask(SIG_SETMASK, &job->old_mask, NULL);
    if (job->signal)
        kill(getpid(), job->signal);
    if (prompter) {
        prompter->job = NULL;
        prompter->terminal = NULL;
        finish(prompter, job->answered ? job->answer : NULL);
    }
    close(job->wake);
    ly_free(job->text);
    ly_secret_free(job->answer);
    ly_free(job);
}

static void ask_terminal(LyPrompter *prompter, const char *text, bool echo)
{
    TerminalJob *job = ly_new(TerminalJob);
    sigset_t set;
    job->prompter = prompter;
    job->text = ly_strdup(text);
    job->echo = echo;
    job->answer = ly_secret_alloc(ANSWER_MAX);
    job->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    caught_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, &job->old_mask);
    prompter->terminal = job;
    prompter->job = ly_loop_work(prompter->loop, terminal_work, terminal_done, job);
}

static bool have_terminal(void)
{
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (tty >= 0)
        close(tty);
    return tty >= 0;
}

/* SSH_ASKPASS. */

static void askpass_release(LyPrompter *prompter)
{
    if (prompter->askpass)
        ly_child_free(prompter->askpass);
    prompter->askpass = NULL;
    ly_watch_free(prompter->watch);
    prompter->watch = NULL;
    if (prompter->fd >= 0)
        close(prompter->fd);
    prompter->fd = -1;
}

static void askpass_finished(LyPrompter *prompter)
{
    if (!prompter->ended || !prompter->drained)
        return;
    char *answer = prompter->answer;
    bool ok = WIFEXITED(prompter->status) && WEXITSTATUS(prompter->status) == 0;
    prompter->answer = NULL;
    answer[strcspn(answer, "\r\n")] = 0;
    if (ok && prompter->confirm && answer[0] == 0)
        strcpy(answer, "yes"); /* a dialog's OK says it by its exit status alone */
    askpass_release(prompter);
    finish(prompter, ok ? answer : NULL);
    ly_secret_free(answer);
}

static void askpass_ended(void *user, int wait_status)
{
    LyPrompter *prompter = user;
    prompter->ended = true;
    prompter->status = wait_status;
    askpass_finished(prompter);
}

static void askpass_readable(void *user, unsigned events)
{
    LyPrompter *prompter = user;
    ssize_t count = read(prompter->fd, prompter->answer + prompter->len, ANSWER_MAX - 1 - prompter->len);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count > 0)
        prompter->len += (size_t)count;
    if (count > 0 && prompter->len < ANSWER_MAX - 1)
        return;
    ly_watch_free(prompter->watch);
    prompter->watch = NULL;
    prompter->drained = true;
    askpass_finished(prompter);
}

static bool ask_askpass(LyPrompter *prompter, const char *text, bool confirm)
{
    const char *program = getenv("SSH_ASKPASS");
    const char *argv[] = {program && program[0] ? program : DEFAULT_ASKPASS, text, NULL};
    size_t count = 0, kept = 0;
    while (environ[count])
        count++;
    const char **envp = ly_new_array(const char *, count + 2);
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "SSH_ASKPASS_PROMPT=", 19) != 0)
            envp[kept++] = environ[i];
    if (confirm)
        envp[kept++] = "SSH_ASKPASS_PROMPT=confirm";
    LyChildOptions options = {
        .argv = argv, .envp = envp, .fds = {LY_CHILD_NULL, LY_CHILD_PIPE, LY_CHILD_INHERIT}};
    prompter->askpass = ly_child_new(prompter->loop, &options, askpass_ended, prompter, NULL);
    ly_free(envp);
    if (!prompter->askpass)
        return false;
    prompter->fd = ly_child_fd(prompter->askpass, 1);
    prompter->answer = ly_secret_alloc(ANSWER_MAX);
    prompter->len = 0;
    prompter->ended = prompter->drained = false;
    prompter->confirm = confirm;
    prompter->watch = ly_watch_new(prompter->loop, prompter->fd, LY_READABLE, askpass_readable, prompter);
    return true;
}

/* ssh(1)'s rules. */
static bool askpass_first(bool *allowed)
{
    const char *require = getenv("SSH_ASKPASS_REQUIRE");
    *allowed = getenv("DISPLAY") || getenv("WAYLAND_DISPLAY");
    if (!require)
        return false;
    if (strcasecmp(require, "force") == 0)
        return *allowed = true;
    if (strcasecmp(require, "never") == 0)
        *allowed = false;
    return strcasecmp(require, "prefer") == 0 && *allowed;
}

static void tell_nobody(void *user)
{
    finish(user, NULL);
}

LyPrompter *ly_prompter_new(LyLoop *loop, bool use_terminal)
{
    LyPrompter *prompter = ly_new(LyPrompter);
    prompter->loop = loop;
    prompter->use_terminal = use_terminal;
    prompter->fd = -1;
    prompter->nobody = (LyTask){.func = tell_nobody, .user = prompter};
    return prompter;
}

void ly_prompter_leave_terminal(LyPrompter *prompter)
{
    prompter->use_terminal = false;
}

static void stop_asking(LyPrompter *prompter)
{
    if (prompter->terminal) {
        eventfd_write(prompter->terminal->wake, 1);
        ly_job_cancel(prompter->job);
    }
    prompter->terminal = NULL;
    prompter->job = NULL;
    if (prompter->askpass)
        ly_child_kill(prompter->askpass, SIGTERM);
    askpass_release(prompter);
    ly_secret_free(prompter->answer);
    prompter->answer = NULL;
    ly_loop_undefer(prompter->loop, &prompter->nobody);
    prompter->done = NULL;
}

void ly_prompter_free(LyPrompter *prompter)
{
    if (!prompter)
        return;
    stop_asking(prompter);
    ly_free(prompter);
}

void ly_prompter_cancel(LyPrompter *prompter, void *user)
{
    if (prompter && prompter->done && prompter->user == user)
        stop_asking(prompter);
}

void ly_prompter_ask(LyPrompter *prompter, const char *text, bool echo, bool confirm,
                     void (*done)(void *user, const char *answer), void *user)
{
    bool allowed, first = askpass_first(&allowed);
    prompter->done = done;
    prompter->user = user;
    if (!first && prompter->use_terminal && have_terminal())
        ask_terminal(prompter, text, echo);
    else if (!allowed || !ask_askpass(prompter, text, confirm))
        ly_loop_defer(prompter->loop, &prompter->nobody);
}

void ly_prompter_show(LyPrompter *prompter, const char *text)
{
    int tty = prompter->use_terminal ? open("/dev/tty", O_WRONLY | O_CLOEXEC | O_NOCTTY) : -1;
    LyBytes rest = ly_bytes_str(text), line;
    char shown[4096];
    if (tty < 0)
        return;
    while (ly_bytes_line(&rest, &line)) {
        write_all(tty, ly_printable(line, shown, sizeof shown));
        write_all(tty, "\n");
    }
    close(tty);
}
