/* lanyardfs: reads the command line, signs in while the terminal is still there, mounts, goes to the
 * background, serves. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "background.h"
#include "base/auto.h"
#include "base/secret.h"
#include "idmap.h"
#include "link-ssh.h"
#include "options.h"

typedef struct Program {
    Options options;
    LyLoop *loop;
    LyCrypto *crypto;
    LyPrompter *prompter;
    LinkMaker maker;
    Mount *mount;
    Background background;
    LySignals *signals;
    LyBytes password; /* password_stdin, in secret memory, NUL-terminated */
    LyError error;
    bool ready, failed;
} Program;

static void log_write(void *user, LyLogLevel level, const char *message)
{
    static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG, LOG_DEBUG};
    Program *program = user;
    if (background_is_there(&program->background))
        syslog(priorities[level], "%s", message);
    else
        fprintf(stderr, "lanyardfs: %s\n", message);
}

static void fail(Program *program, const LyError *error)
{
    program->error = *error;
    program->failed = true;
    ly_loop_quit(program->loop);
}

static void mount_ready(void *user, const LyError *error)
{
    Program *program = user;
    if (error) {
        fail(program, error);
        return;
    }
    program->ready = true;
    ly_loop_quit(program->loop);
}

static void mount_ended(void *user)
{
    Program *program = user;
    ly_loop_quit(program->loop);
}

static void signalled(void *user, int number)
{
    Program *program = user;
    if (number == SIGUSR1 && program->mount) {
        LyBuf text = {0};
        mount_statistics(program->mount, &text);
        log_write(program, LY_LOG_INFO, ly_buf_str(&text));
        ly_buf_free(&text);
        return;
    }
    LyError error;
    ly_error_set(&error, LY_ERROR_CANCELLED, "stopped by signal %d", number);
    fail(program, &error);
}

/* The first line of stdin, before anything else reads there. */
static bool read_password(Program *program, LyError *error)
{
    char *line = ly_secret_alloc(1024);
    size_t len = 0;
    for (ssize_t got; len < 1023 && (got = read(STDIN_FILENO, line + len, 1)) != 0;) {
        if (got < 0 && errno != EINTR)
            break;
        if (got > 0 && line[len++] == '\n') {
            len--;
            break;
        }
    }
    line[len] = 0;
    program->password = ly_bytes(line, len);
    return len > 0 ||
           ly_error_set(error, LY_ERROR_INVALID, "password_stdin was given, but stdin has no password");
}

static bool check_mountpoint(const char *mountpoint, LyError *error)
{
    struct stat status;
    if (stat(mountpoint, &status) != 0) {
        if (errno == ENOTCONN)
            return ly_error_set(error, LY_ERROR_IO,
                                "%s is a mount whose program is gone; free it with fusermount3 -u %s",
                                mountpoint, mountpoint);
        return ly_error_set_errno(error, errno, "cannot mount on %s", mountpoint);
    }
    if (!S_ISDIR(status.st_mode))
        return ly_error_set(error, LY_ERROR_INVALID, "cannot mount on %s: it is not a directory", mountpoint);
    if (access("/dev/fuse", F_OK) != 0)
        return ly_error_set_errno(error, errno,
                                  "cannot mount: /dev/fuse is missing (is the fuse module loaded?)");
    return true;
}

/* ssh's own words for what we were told, then the command's; the shell splits what the user wrote. */
static LinkMaker command_maker(const Options *options)
{
    const char **argv = ly_new_array(const char *, 24 + 2 * options->setting_count);
    char port[8];
    size_t count = 0;
    LY_AUTO_FREE char *script = ly_format("exec %s \"$@\"", options->ssh_command);
    LY_AUTO_FREE char *target =
        options->user ? ly_format("%s@%s", options->user, options->host) : ly_strdup(options->host);
    const char *server = options->sftp_server ? options->sftp_server : "sftp";
    const char *fixed[] = {"/bin/sh", "-c", script, "ssh", "-x", "-a", "-oClearAllForwardings=yes"};
    for (size_t i = 0; i < LY_COUNT(fixed); i++)
        argv[count++] = fixed[i];
    if (options->config_file) {
        argv[count++] = "-F";
        argv[count++] = options->config_file;
    }
    if (options->port) {
        snprintf(port, sizeof port, "%u", options->port);
        argv[count++] = "-p";
        argv[count++] = port;
    }
    for (size_t i = 0; i < options->setting_count; i++) {
        argv[count++] = "-o";
        argv[count++] = options->settings[i];
    }
    /* Behind what the user set, of which ssh takes the first: without it nobody notices a silent server. */
    argv[count++] = "-oServerAliveInterval=15";
    argv[count++] = "-oServerAliveCountMax=3";
    argv[count++] = target;
    if (!strchr(server, '/'))
        argv[count++] = "-s";
    argv[count++] = server;
    argv[count] = NULL;
    LinkMaker maker = link_maker_command(argv);
    ly_free(argv);
    return maker;
}

/* LogLevel of the files or of -o, in ssh's words; -d and -v are stronger. INFO, where ssh stands by default,
 * is what is said here by default. */
static void set_log_level(Program *program, LyDestination *destination)
{
    static const struct {
        const char *name;
        LyLogLevel level;
    } levels[] = {{"QUIET", LY_LOG_ERROR},  {"FATAL", LY_LOG_ERROR},  {"ERROR", LY_LOG_ERROR},
                  {"INFO", LY_LOG_WARNING}, {"VERBOSE", LY_LOG_INFO}, {"DEBUG", LY_LOG_DEBUG},
                  {"DEBUG1", LY_LOG_DEBUG}, {"DEBUG2", LY_LOG_DEBUG}, {"DEBUG3", LY_LOG_DEBUG}};
    Options *options = &program->options;
    const char *name = ly_config_string(ly_destination_config(destination), LY_CONFIG_LOG_LEVEL);
    for (size_t i = 0; name && i < LY_COUNT(levels) && !options->debug && !options->verbose; i++)
        if (strcasecmp(name, levels[i].name) == 0)
            options->mount.log.level = levels[i].level;
    ly_destination_set_log_level(destination, options->mount.log.level);
}

static bool make_maker(Program *program, LyError *error)
{
    Options *options = &program->options;
    if (options->passive) {
        program->maker = link_maker_stdio();
    } else if (options->directport) {
        program->maker = link_maker_tcp(options->host, options->directport, options->mount.timeout_us);
    } else if (options->ssh_command) {
        program->maker = command_maker(options);
    } else {
        LyDestinationOptions to = {
            .crypto = program->crypto,
            .host = options->host,
            .user = options->user,
            .port = options->port,
            .config_file = options->config_file,
            .settings = (const char *const *)options->settings,
            .log = options->mount.log,
        };
        LyDestination *destination = ly_destination_new(&to, error);
        if (!destination)
            return false;
        set_log_level(program, destination);
        SshLinkOptions ssh = {destination, options->sftp_server, program->prompter, program->password,
                              options->mount.log};
        program->maker = link_maker_ssh(&ssh);
        ly_destination_unref(destination);
    }
    return true;
}

static bool read_id_tables(Options *options, LyError *error)
{
    if (options->mount.idmap != IDMAP_FILE) {
        if (options->uid_file || options->gid_file)
            return ly_error_set(error, LY_ERROR_INVALID, "uidfile and gidfile need -o idmap=file");
        return true;
    }
    if (!options->uid_file && !options->gid_file)
        return ly_error_set(error, LY_ERROR_INVALID, "-o idmap=file needs -o uidfile= or -o gidfile=");
    return (!options->uid_file ||
            (options->mount.uid_table = id_table_read(options->uid_file, false, error))) &&
           (!options->gid_file || (options->mount.gid_table = id_table_read(options->gid_file, true, error)));
}

/* Everything until the mount is served; the loop runs while signing in. */
static bool start(Program *program, LyError *error)
{
    Options *options = &program->options;
    if (!check_mountpoint(options->mountpoint, error) || !read_id_tables(options, error) ||
        (options->password_stdin && !read_password(program, error)))
        return false;
    program->crypto = ly_crypto_new(LY_CRYPTO_LEGACY, error);
    program->loop = program->crypto ? ly_loop_new(error) : NULL;
    if (!program->loop)
        return false;
    program->prompter = ly_prompter_new(program->loop, !options->passive);
    if (!make_maker(program, error))
        return false;
    program->mount = mount_new(program->loop, &options->mount, &program->maker, mount_ready, program);
    program->maker = (LinkMaker){0}; /* the mount's from now on */
    if (!options->mount.delay_connect) {
        ly_loop_run(program->loop);
        if (program->failed || !program->ready) {
            *error = program->error;
            return false;
        }
    }
    /* Signals become events in front of the mount, which they would leave behind; until here they end the
     * program. */
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
    program->signals = ly_signals_new(program->loop, numbers, LY_COUNT(numbers), signalled, program);
    return mount_serve(program->mount, mount_ended, error);
}

static void stop(Program *program)
{
    if (program->mount)
        mount_free(program->mount);
    if (program->maker.free)
        program->maker.free(program->maker.user);
    ly_prompter_free(program->prompter);
    ly_signals_free(program->signals);
    if (program->loop)
        ly_loop_free(program->loop);
    ly_crypto_unref(program->crypto);
    ly_secret_free((void *)program->password.data);
    id_table_free(program->options.mount.uid_table);
    id_table_free(program->options.mount.gid_table);
    options_clear(&program->options);
}

static int serve(Program *program)
{
    LyError error = {0};
    signal(SIGPIPE, SIG_IGN);
    bool started = start(program, &error);
    if (started) {
        if (program->background.wanted)
            ly_prompter_leave_terminal(program->prompter);
        background_enter(&program->background);
        ly_loop_run(program->loop);
    } else {
        background_failed(&program->background, error.message);
    }
    stop(program);
    return started ? 0 : 1;
}

int main(int argc, char **argv)
{
    Program program = {0};
    LyError error;
    if (!options_read(&program.options, argc, argv, &error)) {
        fprintf(stderr, "lanyardfs: %s\n", error.message);
        options_clear(&program.options);
        return 1;
    }
    if (program.options.help || program.options.version) {
        LyBuf text = {0};
        if (program.options.help)
            options_help(&text);
        else
            ly_buf_add_str(&text, "lanyardfs " LY_VERSION "\n");
        fputs(ly_buf_str(&text), stdout);
        ly_buf_free(&text);
        options_clear(&program.options);
        return 0;
    }
    if (program.options.notes.len)
        fprintf(stderr, "%s", ly_buf_str(&program.options.notes));
    program.options.mount.log = (LyLog){log_write, &program,
                                        program.options.debug     ? LY_LOG_DEBUG
                                        : program.options.verbose ? LY_LOG_INFO
                                                                  : LY_LOG_WARNING};
    if (!program.options.foreground) {
        int status = background_begin(&program.background);
        if (status >= 0) { /* the parent: the child has said how it went */
            options_clear(&program.options);
            return status;
        }
    }
    return serve(&program);
}
