#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/auto.h"

#define LINKS_MAX 40 /* as the kernel's own limit */

static bool is_standard(const char *path)
{
    return strcmp(path, "-") == 0;
}

static bool is_stream(const struct stat *status)
{
    return S_ISCHR(status->st_mode) || S_ISFIFO(status->st_mode);
}

bool file_exists(const char *path)
{
    struct stat status;
    return !is_standard(path) && lstat(path, &status) == 0 &&
           !(stat(path, &status) == 0 && is_stream(&status));
}

static bool write_all(int fd, LyBytes bytes, LyError *error)
{
    while (bytes.len) {
        ssize_t count = write(fd, bytes.data, bytes.len);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return ly_error_set_errno(error, errno, "cannot write it");
        bytes = ly_bytes_slice(bytes, (size_t)count, bytes.len);
    }
    return true;
}

static bool write_stream(const char *path, LyBytes bytes, LyError *error)
{
    int fd = is_standard(path) ? STDOUT_FILENO : open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return ly_error_set_errno(error, errno, "cannot open it");
    bool ok = write_all(fd, bytes, error);
    if (fd != STDOUT_FILENO && close(fd) != 0 && ok)
        ok = ly_error_set_errno(error, errno, "cannot write it");
    return ok;
}

/* The folder of a path with its slash; "" for the current one. */
static LyBytes folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return ly_bytes(path, slash ? (size_t)(slash - path) + 1 : 0);
}

/* Where a chain of symbolic links ends, be the file there or not. NULL: a circle. */
static char *follow(const char *path)
{
    char *at = ly_strdup(path);
    for (int i = 0; i < LINKS_MAX; i++) {
        char target[PATH_MAX];
        ssize_t len = readlink(at, target, sizeof target - 1);
        if (len < 0)
            return at;
        target[len] = 0;
        LyBytes folder = folder_of(at);
        char *next = target[0] == '/'
                         ? ly_strdup(target)
                         : ly_format("%.*s%s", (int)folder.len, (const char *)folder.data, target);
        ly_free(at);
        at = next;
    }
    ly_free(at);
    return NULL;
}

/* A new file in the same folder, which renaming needs. */
static int make_temporary(const char *path, mode_t mode, char **name)
{
    LyBytes folder = folder_of(path);
    for (int i = 0; i < 100; i++) {
        uint64_t number;
        if (getrandom(&number, sizeof number, 0) != sizeof number)
            continue;
        *name = ly_format("%.*s.lanyard-%016llx", (int)folder.len, (const char *)folder.data,
                          (unsigned long long)number);
        int fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        if (fd >= 0 || errno != EEXIST)
            return fd;
        ly_free(*name);
        *name = NULL;
    }
    errno = EEXIST;
    return -1;
}

static bool keep_owner(int fd, const struct stat *old, mode_t mode, LyError *error)
{
    struct stat now;
    if (fstat(fd, &now) != 0)
        return ly_error_set_errno(error, errno, "cannot examine its new text");
    if (now.st_uid != old->st_uid && fchown(fd, old->st_uid, (gid_t)-1) != 0)
        return ly_error_set_errno(error, errno, "cannot keep its owner");
    if (now.st_gid != old->st_gid && fchown(fd, (uid_t)-1, old->st_gid) != 0)
        mode &= ~(mode_t)070; /* not for the group that it has now */
    if (fchmod(fd, mode) != 0)
        return ly_error_set_errno(error, errno, "cannot keep its permissions");
    return true;
}

/* Renames where nothing stands; by a link on file systems that cannot say so. */
static bool settle_new(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS)
        return false;
    return link(from, to) == 0 && unlink(from) == 0;
}

static void sync_folder(const char *path)
{
    LyBytes folder = folder_of(path);
    LY_AUTO_FREE char *name = folder.len ? ly_bytes_dup_str(folder) : ly_strdup(".");
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd); /* some file systems refuse; the file itself is safe */
        close(fd);
    }
}

static bool write_beside(const char *path, const struct stat *old, mode_t mode, LyBytes bytes, LyError *error)
{
    char *name = NULL;
    int fd = make_temporary(path, old ? mode & 0600 : mode, &name);
    bool ok = fd >= 0;
    if (!ok)
        ly_error_set_errno(error, errno, "cannot make a file in its folder");
    if (ok)
        ok = write_all(fd, bytes, error) && (!old || keep_owner(fd, old, mode, error));
    if (ok && fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP)
        ok = ly_error_set_errno(error, errno, "cannot write it");
    bool made = fd >= 0;
    if (made && close(fd) != 0 && ok)
        ok = ly_error_set_errno(error, errno, "cannot write it");
    if (ok && !(old ? rename(name, path) == 0 : settle_new(name, path)))
        ok = ly_error_set_errno(error, errno,
                                errno == EEXIST ? "it is not overwritten" : "cannot put it in place");
    if (!ok && made)
        unlink(name);
    if (ok)
        sync_folder(path);
    ly_free(name);
    return ok;
}

bool file_write(const char *path, FileMode what, mode_t mode, LyBytes bytes, LyError *error)
{
    struct stat status;
    if (is_standard(path) || (stat(path, &status) == 0 && is_stream(&status)))
        return write_stream(path, bytes, error);
    LY_AUTO_FREE char *target = what == FILE_NEW ? ly_strdup(path) : follow(path);
    if (!target)
        return ly_error_set_errno(error, ELOOP, "cannot follow it");
    bool old = what != FILE_NEW && lstat(target, &status) == 0;
    if (old && !S_ISREG(status.st_mode))
        return ly_error_set(error, LY_ERROR_IO, "it is not a regular file");
    if (old && what == FILE_REPLACE)
        mode = status.st_mode & 07777;
    /* Ctrl-C waits: either the old file stands there or the new one, and nothing beside it. */
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
    sigset_t set, was;
    sigemptyset(&set);
    for (size_t i = 0; i < LY_COUNT(signals); i++)
        sigaddset(&set, signals[i]);
    sigprocmask(SIG_BLOCK, &set, &was);
    bool ok = write_beside(target, old ? &status : NULL, mode, bytes, error);
    sigprocmask(SIG_SETMASK, &was, NULL);
    return ok;
}

char *file_home_path(const char *path)
{
    if (path[0] != '~' || (path[1] != '/' && path[1] != 0))
        return ly_strdup(path);
    const char *home = getenv("HOME");
    if (!home || !home[0]) {
        const struct passwd *user = getpwuid(getuid());
        home = user ? user->pw_dir : "/";
    }
    return ly_format("%s%s", home, path + 1);
}
