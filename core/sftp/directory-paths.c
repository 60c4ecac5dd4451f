/* Confinement. A path is resolved by the kernel beneath a descriptor of the root (openat2, RESOLVE_IN_ROOT:
 * "/", ".." and symlinks all stay inside), or where the kernel cannot, by a walk of O_PATH descriptors. No
 * check is made on strings, so nothing changes between a check and its use. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "sftp/directory-private.h"

#define SYMLINKS_MAX 40
#define DEPTH_MAX 512 /* descriptors that a walk holds */

static int fail(int error)
{
    errno = error;
    return -1;
}

static void close_keeping_errno(int fd)
{
    int error = errno;
    close(fd);
    errno = error;
}

/* text = head + "/" + tail, with the '/' only where head is not empty. */
static int join(LyBytes head, LyBytes tail, char text[PATH_MAX])
{
    size_t slash = head.len ? 1 : 0;
    if (head.len >= PATH_MAX || tail.len >= PATH_MAX || head.len + slash + tail.len >= PATH_MAX)
        return fail(ENAMETOOLONG);
    char joined[PATH_MAX];
    if (head.len)
        memcpy(joined, head.data, head.len);
    if (slash)
        joined[head.len] = '/';
    if (tail.len)
        memcpy(joined + head.len + slash, tail.data, tail.len);
    size_t len = head.len + slash + tail.len;
    memcpy(text, joined, len);
    text[len] = 0;
    return 0;
}

/* The path as the kernel gets it: from `start` when not confined, from the root's "/" otherwise. */
static int path_text(const LySftpDirectory *directory, LyBytes path, char text[PATH_MAX])
{
    if (path.len == 0 || ly_bytes_has_nul(path))
        return fail(path.len ? EINVAL : ENOENT);
    bool relative = path.data[0] != '/';
    LyBytes start = ly_bytes_str(ly_sftp_is_confined(directory) && relative ? directory->start_path : "");
    return join(start, path, text);
}

/* The walk. */

typedef struct Walk {
    int fds[DEPTH_MAX]; /* the root and the directories below it that were entered; ".." goes back along them
                         */
    size_t depth;
    size_t symlinks;
    char todo[PATH_MAX]; /* components still to take */
} Walk;

static void leave_to(Walk *walk, size_t depth)
{
    while (walk->depth > depth)
        close_keeping_errno(walk->fds[--walk->depth]);
}

static int enter(Walk *walk, int fd)
{
    if (walk->depth == DEPTH_MAX) {
        close(fd);
        return fail(ENAMETOOLONG);
    }
    walk->fds[walk->depth++] = fd;
    return 0;
}

/* Takes the next component off walk->todo; false at the end. */
static bool next_component(Walk *walk, char component[PATH_MAX])
{
    LyBytes rest = ly_bytes_str(walk->todo);
    while (rest.len && rest.data[0] == '/')
        rest = ly_bytes_slice(rest, 1, rest.len);
    if (rest.len == 0)
        return false;
    LyBytes head;
    ly_bytes_split(rest, '/', &head, &rest);
    memcpy(component, head.data, head.len);
    component[head.len] = 0;
    memmove(walk->todo, rest.data, rest.len);
    walk->todo[rest.len] = 0;
    return true;
}

/* Puts what the symlink `fd` says before what is left to take, and closes it. */
static int expand(Walk *walk, int fd)
{
    char target[PATH_MAX];
    ssize_t len = readlinkat(fd, "", target, sizeof target);
    close_keeping_errno(fd);
    if (len <= 0)
        return len == 0 ? fail(ENOENT) : -1;
    if (++walk->symlinks > SYMLINKS_MAX)
        return fail(ELOOP);
    LyBytes head = ly_bytes(target, (size_t)len);
    if (walk->todo[0] == 0) /* no slash at the end: the target may be a file */
        return join((LyBytes){0}, head, walk->todo);
    return join(head, ly_bytes_str(walk->todo), walk->todo);
}

static int follow(Walk *walk, int fd)
{
    if (expand(walk, fd) != 0)
        return -1;
    if (walk->todo[0] == '/')
        leave_to(walk, 1);
    return 0;
}

/* Opens the last component, which is no symlink that should be followed (or does not exist). */
static int open_last(Walk *walk, const char *component, int flags, mode_t mode)
{
    return openat(walk->fds[walk->depth - 1], component, flags | O_NOFOLLOW | O_CLOEXEC, mode);
}

/* 1: go on; otherwise *result is the end. */
static int step(Walk *walk, const char *component, int flags, mode_t mode, int *result)
{
    *result = -1;
    bool last = strspn(walk->todo, "/") == strlen(walk->todo);
    bool directory_wanted = walk->todo[0] == '/' || flags & O_DIRECTORY;
    if (strcmp(component, ".") == 0)
        return 1;
    if (strcmp(component, "..") == 0) {
        if (walk->depth > 1)
            leave_to(walk, walk->depth - 1);
        return 1;
    }
    int fd = openat(walk->fds[walk->depth - 1], component, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat found;
    if (fd < 0) {
        if (errno == ENOENT && last && flags & O_CREAT)
            *result = open_last(walk, component, flags, mode);
        return 0;
    }
    if (fstat(fd, &found) != 0) {
        close_keeping_errno(fd);
        return 0;
    }
    if (S_ISLNK(found.st_mode)) {
        bool exclusive = flags & O_CREAT && flags & O_EXCL;
        if (!last || walk->todo[0] == '/' || (!(flags & O_NOFOLLOW) && !exclusive))
            return follow(walk, fd) == 0;
    } else if (!last || directory_wanted) {
        if (!S_ISDIR(found.st_mode)) {
            close(fd);
            errno = ENOTDIR;
            return 0;
        }
        if (!last)
            return enter(walk, fd) == 0;
    }
    close(fd);
    *result = open_last(walk, component, flags, mode);
    return 0;
}

/* The same by a walk over the components, for kernels without openat2(2). `text` begins at `root`. */
static int path_walk(int root, const char *text, int flags, mode_t mode)
{
    LY_AUTO_FREE Walk *walk = ly_new(Walk);
    int result = -1;
    if (join((LyBytes){0}, ly_bytes_str(text), walk->todo) != 0)
        return -1;
    int top = fcntl(root, F_DUPFD_CLOEXEC, 0);
    if (top < 0 || enter(walk, top) != 0)
        return -1;
    char component[PATH_MAX];
    int go_on = 1;
    while (go_on && next_component(walk, component))
        go_on = step(walk, component, flags, mode, &result);
    if (go_on) /* it ended in "/", "." or "..": the directory that was reached */
        result = openat(walk->fds[walk->depth - 1], ".", flags | O_CLOEXEC, mode);
    leave_to(walk, 0);
    return result;
}

static int open_beneath(LySftpDirectory *directory, const char *text, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    /* EAGAIN: something was renamed meanwhile and the kernel cannot be sure. */
    for (int tries = 0; tries < 16 && !directory->walks; tries++) {
        long fd = syscall(SYS_openat2, directory->root, text, &how, sizeof how);
        if (fd >= 0 || (errno != EAGAIN && errno != ENOSYS))
            return (int)fd;
        directory->walks = errno == ENOSYS;
    }
    return directory->walks ? path_walk(directory->root, text, flags, mode) : -1;
}

int ly_sftp_path_open(LySftpDirectory *directory, LyBytes path, int flags, mode_t mode)
{
    char text[PATH_MAX];
    if (path_text(directory, path, text) != 0)
        return -1;
    if (ly_sftp_is_confined(directory))
        return open_beneath(directory, text, flags, mode);
    return openat(directory->start, text, flags | O_CLOEXEC, mode);
}

/* The name itself. */

int ly_sftp_place_find(LySftpDirectory *directory, LyBytes path, LySftpPlace *place)
{
    if (path_text(directory, path, place->name) != 0)
        return -1;
    place->owned = ly_sftp_is_confined(directory);
    place->fd = directory->start;
    if (!place->owned)
        return 0;
    /* Slashes at the end are cut off, because with them the kernel would follow a symlink, out of the root.
     */
    LyBytes parent = ly_bytes_str(place->name), name = {parent.data, 0};
    while (parent.len && parent.data[parent.len - 1] == '/')
        parent.len--;
    while (parent.len && parent.data[parent.len - 1] != '/') {
        parent.len--;
        name.len++;
    }
    name.data = parent.data + parent.len;
    char text[PATH_MAX], last[PATH_MAX];
    if (name.len == 0 || ly_bytes_is(name, ".") || ly_bytes_is(name, "..")) {
        parent.len += name.len;
        name = LY_BYTES(".");
    }
    memcpy(last, name.data, name.len);
    last[name.len] = 0;
    if (join(LY_BYTES("."), parent, text) != 0)
        return -1;
    place->fd = open_beneath(directory, text, O_PATH | O_DIRECTORY, 0);
    if (place->fd < 0)
        return -1;
    memcpy(place->name, last, name.len + 1);
    return 0;
}

void ly_sftp_place_drop(LySftpPlace *place)
{
    if (place->owned && place->fd >= 0)
        close_keeping_errno(place->fd);
}

int ly_sftp_path_stat(LySftpDirectory *directory, LyBytes path, bool follow_last, struct stat *found)
{
    if (!ly_sftp_is_confined(directory)) {
        char text[PATH_MAX];
        if (path_text(directory, path, text) != 0)
            return -1;
        return fstatat(directory->start, text, found, follow_last ? 0 : AT_SYMLINK_NOFOLLOW);
    }
    int fd = ly_sftp_path_open(directory, path, O_PATH | (follow_last ? 0 : O_NOFOLLOW), 0);
    if (fd < 0)
        return -1;
    int result = fstat(fd, found);
    close_keeping_errno(fd);
    return result;
}

/* REALPATH. */

/* What `path`, absolute, is: 1 a symlink (its target is put before walk->todo), 0 something else. */
static int look_at(LySftpDirectory *directory, const char *path, Walk *walk)
{
    int fd = ly_sftp_path_open(directory, ly_bytes_str(path), O_PATH | O_NOFOLLOW, 0);
    struct stat found;
    if (fd < 0)
        return -1;
    if (fstat(fd, &found) != 0 || !S_ISLNK(found.st_mode)) {
        close_keeping_errno(fd);
        return 0;
    }
    return expand(walk, fd) == 0 ? 1 : -1;
}

static void drop_component(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = 0;
}

int ly_sftp_path_canonical(LySftpDirectory *directory, LyBytes path, char canonical[PATH_MAX])
{
    LY_AUTO_FREE Walk *walk = ly_new(Walk);
    if (path.len == 0)
        path = LY_BYTES(".");
    if (ly_bytes_has_nul(path))
        return fail(EINVAL);
    if (join((LyBytes){0}, path, walk->todo) != 0)
        return -1;
    bool relative = path.data[0] != '/' && strcmp(directory->start_path, "/") != 0;
    char reached[PATH_MAX] = "", component[PATH_MAX];
    if (relative && join((LyBytes){0}, ly_bytes_str(directory->start_path), reached) != 0)
        return -1;
    while (next_component(walk, component)) {
        if (strcmp(component, ".") == 0)
            continue;
        if (strcmp(component, "..") == 0) {
            drop_component(reached);
            continue;
        }
        size_t len = strlen(reached);
        if (len + 1 + strlen(component) >= sizeof reached)
            return fail(ENAMETOOLONG);
        reached[len] = '/';
        strcpy(reached + len + 1, component);
        int kind = look_at(directory, reached, walk);
        bool last = strspn(walk->todo, "/") == strlen(walk->todo);
        if (kind < 0 && !(errno == ENOENT && last))
            return -1;
        if (kind == 1) {
            bool absolute = walk->todo[0] == '/';
            drop_component(reached);
            if (absolute)
                reached[0] = 0;
        }
    }
    return join((LyBytes){0}, ly_bytes_str(reached[0] ? reached : "/"), canonical);
}
