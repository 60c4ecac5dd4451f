#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/secret.h"
#include "cygwin-listen.h"
#include "desktop.h"
#include "footprint.h"
#include "journal.h"
#include "policy.h"
#include "unix.h"

#define SOCKETS_MAX 16    /* of a kind */
#define DESCRIPTORS 10200 /* clients and some */
#define STATUS_SIGNAL 2   /* ssh-agent's, when a signal ends it */

/* What is opened later must not become 0, 1 or 2. */
static void open_standard_descriptors(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

const char *run_begin(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    open_standard_descriptors();
    return slash ? slash + 1 : path ? path : "lanyard-agent";
}

/* --- The lines --- */

static bool prints_csh(const Settings *settings)
{
    const char *shell = getenv("SHELL");
    size_t len = shell ? strlen(shell) : 0;
    if (settings->csh || settings->sh)
        return settings->csh;
    return len > 2 && strcmp(shell + len - 3, "csh") == 0;
}

static void print_variable(bool csh, const char *name, const char *value)
{
    if (csh)
        printf("setenv %s %s;\n", name, value);
    else
        printf("%s=%s; export %s;\n", name, value, name);
}

/* ssh-agent -k: ends the agent that SSH_AGENT_PID names. */
static int run_kill(const Settings *settings)
{
    const char *text = getenv("SSH_AGENT_PID"), *why = NULL;
    if (!text) {
        fprintf(stderr, "SSH_AGENT_PID not set, cannot kill agent\n");
        return 1;
    }
    char *end;
    errno = 0;
    long long pid = strtoll(text, &end, 10);
    if (end == text || *end)
        why = "invalid";
    else if (errno == ERANGE ? pid < 0 : pid < 2)
        why = "too small";
    else if (pid > INT_MAX)
        why = "too large";
    if (why) {
        fprintf(stderr, "SSH_AGENT_PID=\"%s\", which is not a good PID: %s\n", text, why);
        return 1;
    }
    if (kill((pid_t)pid, SIGTERM) != 0) {
        perror("kill");
        return 1;
    }
    const char *word = prints_csh(settings) ? "unsetenv" : "unset";
    printf("%s SSH_AUTH_SOCK;\n%s SSH_AGENT_PID;\necho Agent pid %lld killed;\n", word, word, pid);
    return fflush(stdout) == 0 ? 0 : 1;
}

/* --- The agent --- */

typedef struct Run {
    const Settings *settings;
    const char *name;
    LyLoop *loop;
    LyCrypto *crypto;
    Journal *journal;
    LyLog log;
    Serve *serve;
    Desktop *desktop;
    LySignals *signals;
    UnixSocket sockets[SOCKETS_MAX];
    UnixListener *listeners[SOCKETS_MAX];
    size_t socket_count;
    CygwinListener *cygwin[SOCKETS_MAX];
    char *cygwin_paths[SOCKETS_MAX];
    size_t cygwin_count;
    bool inherited; /* by systemd: not ours to remove */
    bool foreground;
    char *policy_path; /* NULL: none */
    bool policy_found;
    Policy policy;
    int ready;  /* where the process that started it waits for "" or a message; -1: it does not */
    int parent; /* a pidfd of the command's process; -1: none */
    LyWatch *parent_watch;
    int status;
} Run;

static bool read_policy(Run *run, LyError *error)
{
    Policy policy;
    if (!run->policy_path)
        return true;
    if (!policy_read(run->policy_path, !run->settings->policy, &policy, error))
        return false;
    policy_clear(&run->policy);
    run->policy = policy;
    run->policy_found = access(run->policy_path, F_OK) == 0;
    return true;
}

static void reload_policy(Run *run)
{
    LyError error;
    if (!run->policy_path)
        return;
    if (!read_policy(run, &error)) {
        ly_log(&run->log, LY_LOG_ERROR, "the policy stays as it was: %s", error.message);
        return;
    }
    ly_agent_set_rules(serve_agent(run->serve), run->policy.rules, run->policy.count);
    serve_settle(run->serve);
    ly_log(&run->log, LY_LOG_INFO, "read %zu rules from %s", run->policy.count, run->policy_path);
}

static void end(Run *run, int status)
{
    run->status = status;
    ly_loop_quit(run->loop);
}

static void signalled(void *user, int number)
{
    Run *run = user;
    if (number == SIGUSR1) {
        ly_agent_remove_all(serve_agent(run->serve));
        serve_settle(run->serve);
    } else if (number == SIGHUP && (run->policy_found || run->inherited)) {
        reload_policy(run); /* systemd's reload: there may be one by now */
    } else if (number != SIGINT || run->foreground) {
        end(run, run->inherited ? 0 : STATUS_SIGNAL);
    }
}

static void parent_ended(void *user, unsigned events)
{
    end(user, 0);
}

static void key_used(void *user, const char *text)
{
    Run *run = user;
    desktop_notify(run->desktop, text);
}

static void desktop_said(void *user, DesktopEvent event)
{
    Run *run = user;
    bool suspend = event == DESKTOP_LOCK || event == DESKTOP_SLEEP;
    ly_log(&run->log, LY_LOG_INFO, "the session %s: the keys are %s",
           event == DESKTOP_LOCK    ? "was locked"
           : event == DESKTOP_SLEEP ? "goes to sleep"
                                    : "is unlocked",
           suspend ? "locked" : "usable");
    ly_agent_suspend(serve_agent(run->serve), suspend);
    serve_settle(run->serve);
}

static bool set_up_desktop(Run *run, LyError *error)
{
    DesktopOptions options = {.notify = run->settings->notify,
                              .lock_with_screen = run->settings->lock_with_screen,
                              .lock_on_suspend = run->settings->lock_on_suspend,
                              .log = &run->log,
                              .said = desktop_said,
                              .user = run};
    if (!options.notify && !options.lock_with_screen && !options.lock_on_suspend)
        return true;
    run->desktop = desktop_new(run->loop, &options, error);
    return run->desktop != NULL;
}

static bool set_up_cygwin(Run *run, LyError *error)
{
    for (size_t i = 0; i < run->settings->cygwin.count; i++) {
        CygwinListener *listener =
            cygwin_listener_new(run->loop, run->crypto, run->serve, run->cygwin_paths[i], run->log, error);
        if (!listener)
            return false;
        run->cygwin[run->cygwin_count++] = listener;
    }
    return true;
}

static bool set_up(Run *run, LyError *error)
{
    static const int signals[] = {SIGTERM, SIGHUP, SIGINT, SIGUSR1};
    const Settings *settings = run->settings;
    ServeOptions options = {
        .agent = {.websafe_applications = settings->websafe_applications,
                  .restrict_websafe = settings->restrict_websafe,
                  .providers = settings->provider_patterns,
                  .remote_providers = settings->remote_providers,
                  .lifetime_us = settings->lifetime_us,
                  .log = run->log},
        .fingerprint_hash = settings->hash,
        .provider_timeout_us = settings->provider_timeout_us,
        .journal = run->journal,
        .used = settings->notify ? key_used : NULL,
        .user = run,
    };
    signal(SIGPIPE, SIG_IGN);
    if (!(run->loop = ly_loop_new(error)))
        return false;
    run->signals = ly_signals_new(run->loop, signals, LY_COUNT(signals), signalled, run);
    if (!run->signals)
        return ly_error_set_errno(error, errno, "cannot wait for signals");
    if (!(run->crypto = ly_crypto_new(0, error)) || !set_up_desktop(run, error))
        return false;
    run->serve = serve_new(run->loop, run->crypto, &options);
    ly_agent_set_rules(serve_agent(run->serve), run->policy.rules, run->policy.count);
    for (size_t i = 0; i < run->socket_count; i++)
        run->listeners[i] = unix_listener_new(run->loop, run->serve, &run->sockets[i], &run->log);
    if (run->parent >= 0)
        run->parent_watch = ly_watch_new(run->loop, run->parent, LY_READABLE, parent_ended, run);
    return set_up_cygwin(run, error);
}

static void close_sockets(Run *run)
{
    for (size_t i = 0; i < run->socket_count; i++)
        unix_socket_close(&run->sockets[i]);
    run->socket_count = 0;
}

static void clear(Run *run)
{
    for (size_t i = 0; i < run->cygwin_count; i++)
        cygwin_listener_free(run->cygwin[i]);
    for (size_t i = 0; i < run->socket_count; i++)
        unix_listener_free(run->listeners[i]);
    close_sockets(run);
    desktop_free(run->desktop);
    serve_free(run->serve);
    ly_watch_free(run->parent_watch);
    if (run->parent >= 0)
        close(run->parent);
    ly_signals_free(run->signals);
    ly_loop_free(run->loop);
    ly_crypto_unref(run->crypto);
    journal_free(run->journal);
    for (size_t i = 0; i < SOCKETS_MAX; i++)
        ly_free(run->cygwin_paths[i]);
    policy_clear(&run->policy);
    ly_free(run->policy_path);
}

static void tell_ready(Run *run, const char *message)
{
    if (run->ready < 0)
        return;
    if (write(run->ready, message, strlen(message)) < 0)
        ly_log(&run->log, LY_LOG_DEBUG, "nobody waits for the start");
    close(run->ready);
    run->ready = -1;
}

/* The process that is the agent. */
static int serve_until_ended(Run *run)
{
    LyError error;
    struct rlimit limit;
    run->journal = journal_new(run->name, run->foreground, run->settings->debug ? LY_LOG_DEBUG : LY_LOG_WARNING);
    run->log = journal_log(run->journal);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < DESCRIPTORS) {
        limit.rlim_cur = LY_MIN(limit.rlim_max, (rlim_t)DESCRIPTORS);
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    bool up = set_up(run, &error);
    tell_ready(run, up ? "" : error.message);
    if (up) {
        if (!ly_secret_locked())
            ly_log(&run->log, LY_LOG_WARNING, "keys may reach the swap: the limit of locked memory is low");
        if (!run->settings->debug) {
            /* Any question about key types loads them and libcrypto's error texts, as the first key would:
             * while it can be given back what that takes. */
            (void)ly_crypto_has_mlkem(run->crypto);
            footprint_shrink();
        }
        ly_loop_run(run->loop);
    } else {
        ly_log(&run->log, LY_LOG_ERROR, "%s", error.message);
        run->status = 1;
    }
    int status = run->status;
    clear(run);
    return status;
}

/* --- Into the background --- */

static bool leave(void)
{
    struct rlimit none = {0, 0};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (setsid() < 0 || chdir("/") != 0 || null < 0)
        return false;
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    close(null);
    return setrlimit(RLIMIT_CORE, &none) == 0;
}

static int become(char **command, const char *path, pid_t pid)
{
    char text[32];
    snprintf(text, sizeof text, "%ld", (long)pid);
    if (setenv("SSH_AUTH_SOCK", path, 1) != 0 || setenv("SSH_AGENT_PID", text, 1) != 0) {
        perror("setenv");
        return 1;
    }
    execvp(command[0], command);
    perror(command[0]);
    return 1;
}

/* The parent's end: what it prints is what scripts evaluate. */
static int announce(const Run *run, char **command, pid_t pid)
{
    const char *path = run->sockets[0].path;
    if (command[0])
        return become(command, path, pid);
    bool csh = prints_csh(run->settings);
    char text[32];
    snprintf(text, sizeof text, "%ld", (long)pid);
    print_variable(csh, "SSH_AUTH_SOCK", path);
    print_variable(csh, "SSH_AGENT_PID", text);
    printf("echo Agent pid %s;\n", text);
    return fflush(stdout) == 0 ? 0 : 1;
}

static void forget_sockets(Run *run)
{
    for (size_t i = 0; i < run->socket_count; i++) {
        ly_free(run->sockets[i].remove);
        free(run->sockets[i].directory);
        run->sockets[i].remove = run->sockets[i].directory = NULL;
    }
}

/* What is set up in the agent's own process may fail: only then the start waits for it. False after a
 * message. */
static bool wait_until_ready(const Run *run, int fd)
{
    char message[sizeof((LyError *)0)->message];
    ssize_t len;
    do {
        len = read(fd, message, sizeof message - 1);
    } while (len < 0 && errno == EINTR);
    close(fd);
    if (len > 0)
        fprintf(stderr, "%s: %.*s\n", run->name, (int)len, message);
    return len <= 0;
}

static bool may_fail_later(const Settings *settings)
{
    return settings->cygwin.count || settings->notify || settings->lock_with_screen ||
           settings->lock_on_suspend;
}

static int go_to_background(Run *run, char **command)
{
    int ready[2] = {-1, -1};
    if (may_fail_later(run->settings) && pipe2(ready, O_CLOEXEC) != 0) {
        perror("pipe");
        clear(run);
        return 1;
    }
    if (command[0])
        run->parent = (int)syscall(SYS_pidfd_open, getpid(), 0);
    pid_t pid = fork();
    if (pid < 0) {
        perror("fork");
        clear(run);
        return 1;
    }
    if (pid == 0) {
        run->ready = ready[1];
        if (ready[0] >= 0)
            close(ready[0]);
        if (leave())
            return serve_until_ended(run);
        clear(run);
        return 1;
    }
    if (ready[1] >= 0)
        close(ready[1]);
    forget_sockets(run); /* they are the agent's now */
    int status = ready[0] < 0 || wait_until_ready(run, ready[0]) ? announce(run, command, pid) : 1;
    clear(run);
    return status;
}

static int stay(Run *run)
{
    if (!run->inherited) {
        print_variable(run->settings->csh, "SSH_AUTH_SOCK", run->sockets[0].path);
        printf("echo Agent pid %ld;\n", (long)getpid());
        fflush(stdout);
    }
    return serve_until_ended(run);
}

static bool listen_at(Run *run, const char *path, LyError *error)
{
    if (!unix_listen(path, &run->sockets[run->socket_count], error))
        return false;
    run->socket_count++;
    return true;
}

static bool listen_somewhere(Run *run, bool has_command, LyError *error)
{
    const Settings *settings = run->settings;
    if (settings->openssh.count >= SOCKETS_MAX || settings->cygwin.count > SOCKETS_MAX)
        return ly_error_set(error, LY_ERROR_LIMIT, "an agent has at most %d sockets of a kind",
                            SOCKETS_MAX - 1);
    for (size_t i = 0; i < settings->cygwin.count; i++)
        if (!(run->cygwin_paths[i] = unix_absolute(settings->cygwin.items[i])))
            return ly_error_set_errno(error, errno, "cannot listen at %s",
                                      LY_PRINTABLE(ly_bytes_str(settings->cygwin.items[i])));
    if (!settings->socket && !settings->openssh.count && !has_command)
        run->socket_count = unix_inherited(run->sockets, SOCKETS_MAX);
    run->inherited = run->socket_count > 0;
    if (run->inherited)
        return true;
    if (settings->socket && !listen_at(run, settings->socket, error))
        return false;
    for (size_t i = 0; i < settings->openssh.count; i++)
        if (!listen_at(run, settings->openssh.items[i], error))
            return false;
    if (run->socket_count)
        return true;
    if (!unix_listen_anywhere(settings->temporary, &run->sockets[0], error))
        return false;
    run->socket_count = 1;
    return true;
}

int run_serve(Settings *settings, const char *name, char **command)
{
    Run run = {.settings = settings, .name = name, .ready = -1, .parent = -1};
    LyError error;
    if (settings->kill)
        return run_kill(settings);
    prctl(PR_SET_DUMPABLE, 0);
    if (!settings->no_policy)
        run.policy_path = settings->policy ? realpath(settings->policy, NULL) : policy_default_path();
    if (settings->policy && !settings->no_policy && !run.policy_path) {
        fprintf(stderr, "%s: %s: %s\n", name, settings->policy, strerror(errno));
        return 1;
    }
    if (!read_policy(&run, &error) || !listen_somewhere(&run, command[0] != NULL, &error)) {
        fprintf(stderr, "%s: %s\n", name, error.message);
        clear(&run);
        return 1;
    }
    run.foreground = settings->debug || settings->foreground || run.inherited;
    return run.foreground ? stay(&run) : go_to_background(&run, command);
}
