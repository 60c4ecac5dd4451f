/* The kernel's side: the session, its descriptor in the loop, the capabilities. Requests are read and handled
 * one after the other; a handler sends and returns, and the answer goes out when the server's came. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cache.h"
#include "file.h"
#include "kernel.h"

enum { REQUESTS_A_WAKEUP = 32, BACKGROUND_MAX = 512, CONGESTION = 400, INIT_MS = 10 * 1000 };

static void fs_init(void *user, struct fuse_conn_info *conn)
{
    Mount *mount = user;
    const unsigned wanted = FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO | FUSE_CAP_ATOMIC_O_TRUNC |
                            FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_READDIRPLUS |
                            FUSE_CAP_READDIRPLUS_AUTO;
    /* Chosen one by one: not splice (slower for memory), not the write-back cache (it overwrites what others
     * wrote), not HANDLE_KILLPRIV (the server's system does that). */
    conn->want = conn->capable & wanted;
    conn->max_background = BACKGROUND_MAX;
    conn->congestion_threshold = CONGESTION;
    conn->time_gran = 1000000000; /* SFTP has whole seconds: the kernel is not to invent the rest */
    mount->initialised = true;
}

const struct fuse_lowlevel_ops mount_operations = {
    .init = fs_init,
    .lookup = fs_lookup,
    .forget = fs_forget,
    .forget_multi = fs_forget_multi,
    .getattr = fs_getattr,
    .setattr = fs_setattr,
    .readlink = fs_readlink,
    .statfs = fs_statfs,
    .mknod = fs_mknod,
    .mkdir = fs_mkdir,
    .unlink = fs_unlink,
    .rmdir = fs_rmdir,
    .symlink = fs_symlink,
    .rename = fs_rename,
    .link = fs_link,
    .opendir = fs_opendir,
    .readdir = fs_readdir,
    .readdirplus = fs_readdirplus,
    .releasedir = fs_releasedir,
    .open = fs_open,
    .create = fs_create,
    .read = fs_read,
    .write = fs_write,
    .flush = fs_flush,
    .release = fs_release,
    .fsync = fs_fsync,
    .copy_file_range = fs_copy_file_range,
};

/* libfuse believes the length in the header; whoever gives another one than it writes is no kernel. */
static bool is_whole(const struct fuse_buf *input)
{
    uint32_t len;
    memcpy(&len, input->mem, sizeof len);
    return len == input->size;
}

/* One request. False when there is none now, or the session is over. */
static bool take_request(Mount *mount)
{
    int len = fuse_session_receive_buf(mount->session, &mount->input);
    if (len == -EINTR)
        return true;
    if (len == -EAGAIN)
        return false;
    if (len > 0 && is_whole(&mount->input)) {
        fuse_session_process_buf(mount->session, &mount->input);
        return true;
    }
    fuse_session_exit(mount->session); /* unmounted, or the descriptor is of no use any more */
    return false;
}

/* At the end of an iteration: what links and timers have to say in it comes first, so that no request is sent
 * on a session whose end is there already. */
static void take_requests(void *user)
{
    Mount *mount = user;
    for (int i = 0; i < REQUESTS_A_WAKEUP && take_request(mount); i++)
        ;
    if (!fuse_session_exited(mount->session))
        return;
    ly_watch_free(mount->watch);
    mount->watch = NULL;
    mount->ended(mount->user);
}

static void readable(void *user, unsigned events)
{
    Mount *mount = user;
    ly_loop_defer(mount->loop, &mount->take_requests);
}

static void build_arguments(const Mount *mount, struct fuse_args *args)
{
    const MountOptions *options = &mount->options;
    LyBuf text = {0};
    fuse_opt_add_arg(args, "lanyardfs");
    if (options->debug)
        fuse_opt_add_arg(args, "-d");
    ly_buf_add_format(&text, "fsname=");
    for (const char *at = options->source ? options->source : "lanyardfs"; *at; at++) {
        if (*at == ',' || *at == '\\') /* as libfuse's option parser reads it */
            ly_buf_add_str(&text, "\\");
        ly_buf_add(&text, ly_bytes(at, 1));
    }
    ly_buf_add_format(&text, ",subtype=%s", options->subtype ? options->subtype : "sshfs");
    if (options->read_only)
        ly_buf_add_str(&text, ",ro");
    if (options->fuse_options && options->fuse_options[0])
        ly_buf_add_format(&text, ",%s", options->fuse_options);
    fuse_opt_add_arg(args, "-o");
    fuse_opt_add_arg(args, ly_buf_str(&text));
    ly_buf_free(&text);
}

/* libfuse and fusermount3 (another process) tell their reasons on stderr. It leads to a file meanwhile, so
 * that they become part of our one sentence. */
typedef struct Overheard {
    int file, stderr_fd; /* -1: nothing is overheard */
    char text[400];
} Overheard;

static void overhear(Overheard *overheard)
{
    overheard->text[0] = '\0';
    overheard->stderr_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    overheard->file = overheard->stderr_fd >= 0 ? memfd_create("lanyardfs", MFD_CLOEXEC) : -1;
    if (overheard->file >= 0)
        dup2(overheard->file, STDERR_FILENO);
}

/* Its lines joined. */
static const char *overheard_text(Overheard *overheard)
{
    char *text = overheard->text;
    if (overheard->file >= 0) {
        dup2(overheard->stderr_fd, STDERR_FILENO);
        ssize_t len = pread(overheard->file, text, sizeof overheard->text - 1, 0);
        text[len > 0 ? len : 0] = '\0';
        close(overheard->file);
    }
    if (overheard->stderr_fd >= 0)
        close(overheard->stderr_fd);
    text[strcspn(text, "\r")] = '\0';
    for (size_t len = strlen(text); len && strchr(" \n.", text[len - 1]); len--)
        text[len - 1] = '\0';
    for (char *at = text; (at = strchr(at, '\n'));)
        *at = ';';
    return text;
}

static bool make_session(Mount *mount, LyError *error)
{
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    build_arguments(mount, &args);
    mount->session = fuse_session_new(&args, &mount_operations, sizeof mount_operations, mount);
    fuse_opt_free_args(&args);
    return mount->session || ly_error_set(error, LY_ERROR_INVALID, "libfuse refuses the mount options");
}

/* Answers INIT, then leaves the descriptor to the loop. */
static bool start(Mount *mount, LyError *error)
{
    int fd = fuse_session_fd(mount->session);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    while (!mount->initialised && !fuse_session_exited(mount->session)) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (poll(&ready, 1, INIT_MS) == 0)
            break;
        take_request(mount);
    }
    if (!mount->initialised)
        return ly_error_set(error, LY_ERROR_IO, "the kernel did not start the mount on %s",
                            mount->options.mountpoint);
    mount->take_requests = (LyTask){.func = take_requests, .user = mount};
    mount->watch = ly_watch_new(mount->loop, fd, LY_READABLE, readable, mount);
    return true;
}

/* With auto_unmount, fusermount3 waits for its socket to close and then unmounts, but only what the kernel
 * has given up already. The files of a killed process are released in the order opposite to their
 * descriptors', so the device gets one above the socket's; else the mount stays now and then. */
static int hold_device(const Mount *mount)
{
    enum { ABOVE = 128 };
    return fcntl(fuse_session_fd(mount->session), F_DUPFD_CLOEXEC, ABOVE);
}

bool kernel_mount(Mount *mount, LyError *error)
{
    Overheard overheard;
    overhear(&overheard);
    bool made = make_session(mount, error);
    mount->mounted = made && fuse_session_mount(mount->session, mount->mountpoint) == 0;
    const char *said = overheard_text(&overheard);
    if (!mount->mounted) {
        if (made)
            fuse_session_destroy(mount->session);
        mount->session = NULL;
        return ly_error_set(error, LY_ERROR_IO, "cannot mount on %s: %s", mount->options.mountpoint,
                            said[0] ? said
                            : made  ? "libfuse does not say why"
                                    : "libfuse refuses the mount options");
    }
    if (said[0])
        ly_log(&mount->options.log, mount->options.debug ? LY_LOG_DEBUG : LY_LOG_WARNING, "%s", said);
    mount->device = hold_device(mount);
    return start(mount, error);
}

#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 13)
static ssize_t plain_writev(int fd, struct iovec *parts, int count, void *user)
{
    return writev(fd, parts, count);
}

static ssize_t plain_read(int fd, void *into, size_t len, void *user)
{
    return read(fd, into, len);
}
#endif

bool kernel_serve_fd(Mount *mount, int fd, LyError *error)
{
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 13)
    static const struct fuse_custom_io io = {.writev = plain_writev, .read = plain_read};
    if (make_session(mount, error)) {
        if (fuse_session_custom_io(mount->session, &io, fd) == 0)
            return start(mount, error);
        ly_error_set(error, LY_ERROR_IO, "libfuse refuses the descriptor");
    }
#else
    ly_error_set(error, LY_ERROR_UNSUPPORTED, "serving a descriptor needs libfuse 3.13 or later");
#endif
    close(fd);
    return false;
}

void kernel_unmount(Mount *mount)
{
    if (!mount->session)
        return;
    ly_loop_undefer(mount->loop, &mount->take_requests);
    ly_watch_free(mount->watch);
    mount->watch = NULL;
    if (mount->mounted) {
        if (mount->device >= 0)
            close(mount->device);
        fuse_session_unmount(mount->session);
    }
    fuse_session_destroy(mount->session);
    mount->session = NULL;
    free(mount->input.mem);
    mount->input = (struct fuse_buf){0};
}
