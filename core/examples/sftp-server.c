/* sftp-server: serves SFTP on stdin and stdout with the options of OpenSSH's program of that name, so that
 * sshd's `Subsystem sftp` and `sftp -D` can run it. It shows the server half of core/sftp with a plain poll()
 * loop. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/names.h"
#include "sftp/directory.h"

#define INPUT_LEN ((size_t)512 * 1024)

static const struct {
    char letter;
    const char *argument; /* NULL: it takes none */
    const char *help;
} option_table[] = {
    {'d', "DIRECTORY", "start there; %d is the user's home, %u the user's name, %% a percent sign"},
    {'e', NULL, "log to stderr instead of syslog"},
    {'f', "FACILITY", "syslog facility: DAEMON, USER, AUTH (default), LOCAL0 ... LOCAL7"},
    {'h', NULL, "print this and exit (also --help)"},
    {'l', "LEVEL",
     "what to log: QUIET, FATAL, ERROR (default), INFO, VERBOSE, DEBUG, DEBUG1, DEBUG2, DEBUG3"},
    {'P', "REQUESTS", "refuse these requests (comma-separated; names as of -Q requests)"},
    {'p', "REQUESTS", "allow these requests only"},
    {'Q', "FEATURE", "print what is supported and exit; FEATURE: requests"},
    {'R', NULL, "read-only: refuse whatever would change something"},
    {'u', "UMASK", "umask of new files and directories, octal"},
};

typedef struct Choice {
    const char *name;
    int value;
} Choice;

static const Choice facilities[] = {
    {"DAEMON", LOG_DAEMON}, {"USER", LOG_USER},     {"AUTH", LOG_AUTH},     {"LOCAL0", LOG_LOCAL0},
    {"LOCAL1", LOG_LOCAL1}, {"LOCAL2", LOG_LOCAL2}, {"LOCAL3", LOG_LOCAL3}, {"LOCAL4", LOG_LOCAL4},
    {"LOCAL5", LOG_LOCAL5}, {"LOCAL6", LOG_LOCAL6}, {"LOCAL7", LOG_LOCAL7},
};

static const Choice levels[] = {
    {"QUIET", -1},
    {"FATAL", LY_LOG_ERROR},
    {"ERROR", LY_LOG_ERROR},
    {"INFO", LY_LOG_INFO},
    {"VERBOSE", LY_LOG_INFO},
    {"DEBUG", LY_LOG_DEBUG},
    {"DEBUG1", LY_LOG_DEBUG},
    {"DEBUG2", LY_LOG_TRACE},
    {"DEBUG3", LY_LOG_TRACE},
};

typedef struct Settings {
    char *start;
    const char *allowed, *denied;
    bool to_stderr, read_only;
    int facility, level;
    int umask; /* -1: as it is */
} Settings;

static void print_help(FILE *stream)
{
    fputs("Usage: sftp-server [OPTION]...\nServes SFTP on stdin and stdout.\n\n", stream);
    for (size_t i = 0; i < LY_COUNT(option_table); i++)
        fprintf(stream, "  -%c %-10s %s\n", option_table[i].letter,
                option_table[i].argument ? option_table[i].argument : "", option_table[i].help);
}

static void make_letters(char *letters)
{
    for (size_t i = 0; i < LY_COUNT(option_table); i++) {
        *letters++ = option_table[i].letter;
        if (option_table[i].argument)
            *letters++ = ':';
    }
    *letters = 0;
}

static _Noreturn void complain(const char *what, const char *value)
{
    fprintf(stderr, "sftp-server: %s \"%s\"; see sftp-server -h\n", what, value);
    exit(1);
}

static int choose(const Choice *choices, size_t count, const char *what, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(choices[i].name, name) == 0)
            return choices[i].value;
    complain(what, name);
}

static void check_requests(const char *list)
{
    LyBuf known = {0};
    ly_sftp_request_names(&known);
    for (size_t i = 0; i < known.len; i++)
        if (known.data[i] == '\n')
            known.data[i] = i + 1 < known.len ? ',' : 0;
    LyBytes rest = ly_bytes_str(list), name;
    while (ly_names_next(&rest, &name))
        if (!ly_names_contain(ly_bytes_str((const char *)known.data), name))
            complain("unknown request in", list);
    ly_buf_free(&known);
}

static void print_feature(const char *feature)
{
    if (strcmp(feature, "requests") != 0)
        complain("unknown feature", feature);
    LyBuf names = {0};
    ly_sftp_request_names(&names);
    fwrite(names.data, 1, names.len, stdout);
    ly_buf_free(&names);
}

/* -d's tokens. */
static char *expand_start(const char *text)
{
    const struct passwd *user = getpwuid(getuid());
    LyBuf path = {0};
    for (; *text; text++) {
        if (*text != '%') {
            ly_buf_add(&path, ly_bytes(text, 1));
            continue;
        }
        text++;
        if (*text == '%')
            ly_buf_add_str(&path, "%");
        else if (*text == 'd' && user)
            ly_buf_add_str(&path, user->pw_dir);
        else if (*text == 'u' && user)
            ly_buf_add_str(&path, user->pw_name);
        else
            complain("-d: unknown token at", text - 1);
    }
    char *copy = ly_strdup(ly_buf_str(&path));
    ly_buf_free(&path);
    return copy;
}

static int read_umask(const char *text)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 8);
    if (errno || *text < '0' || *text > '7' || *end || value > 0777)
        complain("not an octal umask:", text);
    return (int)value;
}

static void take_option(Settings *settings, int letter)
{
    switch (letter) {
    case 'd':
        ly_free(settings->start);
        settings->start = expand_start(optarg);
        break;
    case 'e':
        settings->to_stderr = true;
        break;
    case 'f':
        settings->facility = choose(facilities, LY_COUNT(facilities), "unknown syslog facility", optarg);
        break;
    case 'l':
        settings->level = choose(levels, LY_COUNT(levels), "unknown log level", optarg);
        break;
    case 'p':
        check_requests(settings->allowed = optarg);
        break;
    case 'P':
        check_requests(settings->denied = optarg);
        break;
    case 'Q':
        print_feature(optarg);
        exit(0);
    case 'R':
        settings->read_only = true;
        break;
    case 'u':
        settings->umask = read_umask(optarg);
        break;
    case 'h':
        print_help(stdout);
        exit(0);
    default:
        print_help(stderr);
        exit(1);
    }
}

static void log_to_stderr(void *user, LyLogLevel level, const char *message)
{
    fprintf(stderr, "sftp-server[%ld]: %s\n", (long)getpid(), message);
}

static void log_to_syslog(void *user, LyLogLevel level, const char *message)
{
    static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG, LOG_DEBUG};
    syslog(priorities[level], "%s", message);
}

static size_t write_out(void *user, const LyBytes *parts, size_t count)
{
    struct iovec vectors[4];
    count = LY_MIN(count, LY_COUNT(vectors));
    for (size_t i = 0; i < count; i++)
        vectors[i] = (struct iovec){(void *)(uintptr_t)parts[i].data, parts[i].len};
    ssize_t len = writev(STDOUT_FILENO, vectors, (int)count);
    return len < 0 ? 0 : (size_t)len; /* an error shows again in poll(), as POLLERR */
}

/* stdin's bytes that the server has not taken yet. */
typedef struct Input {
    uint8_t *data;
    size_t start, len;
    bool ended;
} Input;

static bool read_input(Input *input)
{
    if (input->len == 0)
        input->start = 0;
    if (input->start) {
        memmove(input->data, input->data + input->start, input->len);
        input->start = 0;
    }
    ssize_t len = read(STDIN_FILENO, input->data + input->len, INPUT_LEN - input->len);
    if (len < 0)
        return errno == EAGAIN || errno == EINTR;
    input->ended = len == 0;
    input->len += (size_t)len;
    return true;
}

/* Returns the exit status. */
static int serve(LySftpServer *server, Input *input, const LyLog *log)
{
    for (;;) {
        LyError error;
        size_t taken;
        if (!ly_sftp_server_receive(server, ly_bytes(input->data + input->start, input->len), &taken,
                                    &error)) {
            ly_log(log, LY_LOG_ERROR, "%s", error.message);
            return 1;
        }
        input->start += taken;
        input->len -= taken;
        size_t pending = ly_sftp_server_pending_len(server);
        if (input->ended && pending == 0)
            return 0;
        struct pollfd polls[2] = {
            {.fd = input->ended || input->len == INPUT_LEN ? -1 : STDIN_FILENO, .events = POLLIN},
            {.fd = STDOUT_FILENO, .events = pending ? POLLOUT : 0},
        };
        if (poll(polls, 2, -1) < 0 && errno != EINTR) {
            ly_log(log, LY_LOG_ERROR, "cannot wait for input: %s", strerror(errno));
            return 1;
        }
        if (polls[1].revents & (POLLERR | POLLHUP | POLLNVAL))
            return input->ended ? 0 : 255; /* nobody reads any more */
        if (polls[1].revents & POLLOUT)
            ly_sftp_server_flush(server);
        if (polls[0].revents && !read_input(input)) {
            ly_log(log, LY_LOG_ERROR, "cannot read stdin: %s", strerror(errno));
            return 1;
        }
    }
}

static int run(const Settings *settings, const LyLog *log)
{
    LySftpDirectoryOptions directory_options = {
        .start = settings->start, .read_only = settings->read_only, .umask = -1, .log = *log};
    LySftpServerOptions options = {
        .sink = {.write = write_out},
        .read_only = settings->read_only,
        .symlink_openssh_order = true,
        .allowed_requests = settings->allowed,
        .denied_requests = settings->denied,
        .log = *log,
    };
    LyError error;
    LySftpDirectory *directory = ly_sftp_directory_new(&directory_options, &options.backend, &error);
    if (!directory && settings->start) { /* a missing start is no reason to turn the user away */
        ly_log(log, LY_LOG_ERROR, "%s", error.message);
        directory_options.start = NULL;
        directory = ly_sftp_directory_new(&directory_options, &options.backend, &error);
    }
    if (!directory) {
        ly_log(log, LY_LOG_ERROR, "%s", error.message);
        return 1;
    }
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
        options.max_handles =
            files.rlim_cur > 128 ? (uint32_t)LY_MIN(files.rlim_cur - 64, (rlim_t)65536) : 64;
    }
    LySftpServer *server = ly_sftp_server_new(&options);
    Input input = {.data = ly_alloc(INPUT_LEN)};
    int status = serve(server, &input, log);
    ly_sftp_server_free(server);
    ly_sftp_directory_free(directory);
    ly_free(input.data);
    return status;
}

int main(int argc, char **argv)
{
    Settings settings = {.facility = LOG_AUTH, .level = LY_LOG_ERROR, .umask = -1};
    char letters[2 * LY_COUNT(option_table) + 1];
    make_letters(letters);
    static const struct option long_options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    int letter;
    while ((letter = getopt_long(argc, argv, letters, long_options, NULL)) != -1)
        take_option(&settings, letter);
    if (optind < argc)
        complain("unexpected argument", argv[optind]);
    LyLog log = {0};
    if (settings.level >= 0)
        log = (LyLog){.write = settings.to_stderr ? log_to_stderr : log_to_syslog,
                      .level = (LyLogLevel)settings.level};
    if (!settings.to_stderr)
        openlog("sftp-server", LOG_PID, settings.facility);
    if (settings.umask >= 0)
        umask((mode_t)settings.umask);
    signal(SIGPIPE, SIG_IGN);
    /* A client that reads slowly must not stop the reading of its requests. The flag belongs to the open
     * file, which the parent may share, so it is put back. */
    int flags = fcntl(STDOUT_FILENO, F_GETFL);
    fcntl(STDOUT_FILENO, F_SETFL, flags | O_NONBLOCK);
    int status = run(&settings, &log);
    fcntl(STDOUT_FILENO, F_SETFL, flags);
    ly_free(settings.start);
    return status;
}
