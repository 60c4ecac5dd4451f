/* What is told and set about files: attributes, and the file systems that they are on. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "sftp/directory-private.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

static void reply_stat(LySftpRequest *request, int result, const struct stat *found)
{
    if (result != 0) {
        ly_sftp_reply_errno(request, errno);
        return;
    }
    LySftpAttrs attrs;
    ly_sftp_attrs_of_stat(found, &attrs);
    ly_sftp_reply_attrs(request, &attrs);
}

void ly_sftp_serve_stat(LySftpRequest *request)
{
    struct stat found;
    bool follow = request->type == SSH_FXP_STAT;
    int result = ly_sftp_path_stat(ly_sftp_directory_of(request), request->path, follow, &found);
    reply_stat(request, result, &found);
}

void ly_sftp_serve_fstat(LySftpRequest *request)
{
    struct stat found;
    int result = fstat(ly_sftp_file_of(request), &found);
    reply_stat(request, result, &found);
}

static const char *path_behind(int fd, char path[40])
{
    snprintf(path, 40, "/proc/self/fd/%d", fd);
    return path;
}

/* chmod by an O_PATH descriptor: fchmodat2 is of Linux 6.6, before it only /proc reaches the file behind one.
 */
static int set_permissions(int fd, mode_t mode)
{
    long result = syscall(SYS_fchmodat2, fd, "", mode, AT_EMPTY_PATH);
    if (result == 0 || errno != ENOSYS)
        return (int)result;
    struct stat found;
    if (fstat(fd, &found) == 0 && S_ISLNK(found.st_mode)) {
        errno = EOPNOTSUPP;
        return -1;
    }
    char path[40];
    return chmod(path_behind(fd, path), mode);
}

/* The same for times: before Linux 5.8 utimensat does not take AT_EMPTY_PATH. */
static int set_times(int fd, const struct timespec times[2])
{
    int result = utimensat(fd, "", times, AT_EMPTY_PATH);
    if (result == 0 || errno != EINVAL)
        return result;
    char path[40];
    return utimensat(AT_FDCWD, path_behind(fd, path), times, 0);
}

static void times_of(const LySftpAttrs *attrs, struct timespec times[2])
{
    times[0] = (struct timespec){.tv_sec = attrs->atime};
    times[1] = (struct timespec){.tv_sec = attrs->mtime};
}

static void keep_first(int *first, int result)
{
    if (result != 0 && *first == 0)
        *first = errno;
}

/* All that was asked for is tried; the first error is told. chown before chmod, because it takes away setuid
 * bits. */
static int set_attrs_at(int fd, const LySftpAttrs *attrs)
{
    int error = 0;
    struct timespec times[2];
    times_of(attrs, times);
    if (attrs->flags & SSH_FILEXFER_ATTR_UIDGID)
        keep_first(&error, fchownat(fd, "", attrs->uid, attrs->gid, AT_EMPTY_PATH));
    if (attrs->flags & SSH_FILEXFER_ATTR_PERMISSIONS)
        keep_first(&error, set_permissions(fd, attrs->permissions & 07777));
    if (attrs->flags & SSH_FILEXFER_ATTR_ACMODTIME)
        keep_first(&error, set_times(fd, times));
    return error;
}

static int set_size(LySftpRequest *request)
{
    if (request->attrs.size > INT64_MAX)
        return EINVAL;
    int fd =
        ly_sftp_path_open(ly_sftp_directory_of(request), request->path, O_WRONLY | O_NOCTTY | O_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    int error = ftruncate(fd, (off_t)request->attrs.size) == 0 ? 0 : errno;
    close(fd);
    return error;
}

void ly_sftp_serve_setstat(LySftpRequest *request)
{
    bool follow = request->type == SSH_FXP_SETSTAT;
    int fd = ly_sftp_path_open(ly_sftp_directory_of(request), request->path,
                               O_PATH | (follow ? 0 : O_NOFOLLOW), 0);
    if (fd < 0) {
        ly_sftp_reply_errno(request, errno);
        return;
    }
    int error = 0;
    if (request->attrs.flags & SSH_FILEXFER_ATTR_SIZE)
        error = follow ? set_size(request) : EINVAL;
    int other = set_attrs_at(fd, &request->attrs);
    close(fd);
    ly_sftp_reply_errno(request, error ? error : other);
}

void ly_sftp_serve_fsetstat(LySftpRequest *request)
{
    const LySftpAttrs *attrs = &request->attrs;
    int fd = ly_sftp_file_of(request), error = 0;
    struct timespec times[2];
    times_of(attrs, times);
    if (attrs->flags & SSH_FILEXFER_ATTR_SIZE && attrs->size > INT64_MAX)
        error = EINVAL;
    else if (attrs->flags & SSH_FILEXFER_ATTR_SIZE)
        keep_first(&error, ftruncate(fd, (off_t)attrs->size));
    if (attrs->flags & SSH_FILEXFER_ATTR_UIDGID)
        keep_first(&error, fchown(fd, attrs->uid, attrs->gid));
    if (attrs->flags & SSH_FILEXFER_ATTR_PERMISSIONS)
        keep_first(&error, fchmod(fd, attrs->permissions & 07777));
    if (attrs->flags & SSH_FILEXFER_ATTR_ACMODTIME)
        keep_first(&error, futimens(fd, times));
    ly_sftp_reply_errno(request, error);
}

static void reply_statvfs(LySftpRequest *request, int fd)
{
    struct statvfs found;
    if (fstatvfs(fd, &found) != 0) {
        ly_sftp_reply_errno(request, errno);
        return;
    }
    LySftpStatvfs statvfs = {
        .bsize = found.f_bsize,
        .frsize = found.f_frsize,
        .blocks = found.f_blocks,
        .bfree = found.f_bfree,
        .bavail = found.f_bavail,
        .files = found.f_files,
        .ffree = found.f_ffree,
        .favail = found.f_favail,
        .fsid = found.f_fsid,
        .flag = (found.f_flag & ST_RDONLY ? LY_SFTP_STATVFS_RDONLY : 0u) |
                (found.f_flag & ST_NOSUID ? LY_SFTP_STATVFS_NOSUID : 0u),
        .namemax = found.f_namemax,
    };
    LY_AUTO(ly_buf_free) LyBuf payload = {0};
    ly_put_statvfs(&payload, &statvfs);
    ly_sftp_reply_extended(request, ly_buf_bytes(&payload));
}

void ly_sftp_serve_statvfs(LySftpRequest *request)
{
    int fd = ly_sftp_path_open(ly_sftp_directory_of(request), request->path, O_PATH, 0);
    if (fd < 0) {
        ly_sftp_reply_errno(request, errno);
        return;
    }
    reply_statvfs(request, fd);
    close(fd);
}

void ly_sftp_serve_fstatvfs(LySftpRequest *request)
{
    reply_statvfs(request, ly_sftp_file_of(request));
}
