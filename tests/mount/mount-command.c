/* Mounts a tree over a command's stdin and stdout, for the tests of the mount engine:
 *   mount-command [-o NAME[=VALUE]]... MOUNTPOINT BASE -- COMMAND...      (or tcp:PORT, on loopback)
 * Prints "mounted" when the mount serves; ends when it is unmounted or told to (SIGTERM). SIGUSR1 prints the
 * counters. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mount.h"

typedef struct Program {
    LyLoop *loop;
    Mount *mount;
    int status;
} Program;

static void log_write(void *user, LyLogLevel level, const char *message)
{
    fprintf(stderr, "mount-command: %s\n", message);
}

static void unmounted(void *user)
{
    Program *program = user;
    ly_loop_quit(program->loop);
}

static void ready(void *user, const LyError *error)
{
    Program *program = user;
    LyError failure;
    if (!error && !mount_serve(program->mount, unmounted, &failure))
        error = &failure;
    if (error) {
        fprintf(stderr, "mount-command: %s\n", error->message);
        program->status = 1;
        ly_loop_quit(program->loop);
        return;
    }
    puts("mounted");
    fflush(stdout);
}

static void signalled(void *user, int signal)
{
    Program *program = user;
    if (signal != SIGUSR1) {
        ly_loop_quit(program->loop);
        return;
    }
    LyBuf text = {0};
    mount_statistics(program->mount, &text);
    fputs(ly_buf_str(&text), stdout);
    fflush(stdout);
    ly_buf_free(&text);
}

static bool take_option(MountOptions *options, char *text)
{
    char *value = strchr(text, '=');
    if (value)
        *value++ = '\0';
    uint64_t number = value ? strtoull(value, NULL, 10) : 1;
    const struct {
        const char *name;
        bool *on;
    } switches[] = {
        {"ro", &options->read_only},
        {"debug", &options->debug},
        {"direct_io", &options->direct_io},
        {"kernel_cache", &options->kernel_cache},
        {"follow_symlinks", &options->follow_symlinks},
        {"no_readahead", &options->no_readahead},
        {"sync_write", &options->sync_write},
        {"transform_symlinks", &options->transform_symlinks},
        {"disable_hardlink", &options->disable_hardlink},
        {"hide_unlinked", &options->hide_unlinked},
        {"rename_workaround", &options->rename_workaround},
    };
    const struct {
        const char *name;
        uint64_t *milliseconds;
    } times[] = {
        {"timeout_ms", &options->timeout_us},       {"entry_ms", &options->entry_timeout_us},
        {"attr_ms", &options->attr_timeout_us},     {"negative_ms", &options->negative_timeout_us},
        {"attr_cache_ms", &options->attr_cache_us}, {"dir_cache_ms", &options->dir_cache_us},
        {"link_cache_ms", &options->link_cache_us},
    };
    for (size_t i = 0; i < LY_COUNT(switches); i++)
        if (strcmp(text, switches[i].name) == 0) {
            *switches[i].on = number != 0;
            return true;
        }
    for (size_t i = 0; i < LY_COUNT(times); i++)
        if (strcmp(text, times[i].name) == 0) {
            *times[i].milliseconds = number * 1000;
            return true;
        }
    if (strcmp(text, "symlinks") == 0 && value)
        options->symlinks = strcmp(value, "raw") == 0       ? SYMLINKS_RAW
                            : strcmp(value, "rewrite") == 0 ? SYMLINKS_REWRITE
                                                            : SYMLINKS_INSIDE;
    else if (strcmp(text, "fuse") == 0 && value)
        options->fuse_options = value;
    else if (strcmp(text, "max_read") == 0)
        options->max_read = (uint32_t)number;
    else if (strcmp(text, "max_write") == 0)
        options->max_write = (uint32_t)number;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    const uint64_t second_us = 1000 * 1000;
    MountOptions options = {
        .source = "mount-command",
        .subtype = "sshfs",
        .check_root = true,
        .entry_timeout_us = second_us,
        .attr_timeout_us = second_us,
        .attr_cache_us = 20 * second_us,
        .dir_cache_us = 20 * second_us,
        .link_cache_us = 20 * second_us,
        .timeout_us = 60 * second_us,
        .log = {.write = log_write, .level = LY_LOG_INFO},
    };
    int at = 1;
    for (; at + 1 < argc && strcmp(argv[at], "-o") == 0; at += 2)
        if (!take_option(&options, argv[at + 1])) {
            fprintf(stderr, "mount-command: unknown option %s\n", argv[at + 1]);
            return 2;
        }
    if (argc - at < 4 || strcmp(argv[at + 2], "--") != 0) {
        fputs("usage: mount-command [-o NAME[=VALUE]]... MOUNTPOINT BASE -- COMMAND...\n", stderr);
        return 2;
    }
    options.mountpoint = argv[at];
    options.base = ly_bytes_str(argv[at + 1]);

    LyError error;
    Program program = {0};
    program.loop = ly_loop_new(&error);
    if (!program.loop) {
        fprintf(stderr, "mount-command: %s\n", error.message);
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    LySignals *signals =
        ly_signals_new(program.loop, (const int[]){SIGTERM, SIGINT, SIGUSR1}, 3, signalled, &program);
    const char *command = argv[at + 3];
    LinkMaker maker =
        strncmp(command, "tcp:", 4) == 0
            ? link_maker_tcp("127.0.0.1", (uint16_t)strtoul(command + 4, NULL, 10), 10 * second_us)
            : link_maker_command((const char *const *)&argv[at + 3]);
    program.mount = mount_new(program.loop, &options, &maker, ready, &program);
    ly_loop_run(program.loop);
    mount_free(program.mount);
    ly_signals_free(signals);
    ly_loop_free(program.loop);
    return program.status;
}
