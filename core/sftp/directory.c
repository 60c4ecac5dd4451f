/* The directory backend: one function a request, found in a table. Disk I/O happens at once, every request is
 * answered before its function returns. */
#include "sftp/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/memory.h"
#include "sftp/directory-private.h"
#include "sftp/server-private.h"

/* `result` as system calls give it. */
static void reply_result(LySftpRequest *request, int result)
{
    ly_sftp_reply_errno(request, result == 0 ? 0 : errno);
}

/* Handles. */

static void free_file(LySftpOpenFile *file)
{
    if (file->listing)
        ly_sftp_listing_close(file->listing);
    else
        close(file->fd);
    ly_free(file);
}

static void reply_file(LySftpRequest *request, LySftpOpenFile opened)
{
    LySftpOpenFile *file = ly_new(LySftpOpenFile);
    *file = opened;
    if (!ly_sftp_reply_handle(request, file, opened.listing != NULL))
        free_file(file);
}

static int flags_of(uint32_t pflags)
{
    static const struct {
        uint32_t pflag;
        int flag;
    } table[] = {{SSH_FXF_APPEND, O_APPEND},
                 {SSH_FXF_CREAT, O_CREAT},
                 {SSH_FXF_TRUNC, O_TRUNC},
                 {SSH_FXF_EXCL, O_EXCL}};
    /* O_NONBLOCK: opening a FIFO must not hold up the session. */
    int flags = O_NOCTTY | O_NONBLOCK;
    flags |= !(pflags & SSH_FXF_WRITE) ? O_RDONLY : pflags & SSH_FXF_READ ? O_RDWR : O_WRONLY;
    for (size_t i = 0; i < LY_COUNT(table); i++)
        if (pflags & table[i].pflag)
            flags |= table[i].flag;
    return flags;
}

static mode_t mode_of(const LySftpRequest *request, mode_t otherwise)
{
    bool given = request->attrs.flags & SSH_FILEXFER_ATTR_PERMISSIONS;
    return (given ? request->attrs.permissions & 07777 : otherwise) & ~ly_sftp_directory_of(request)->mask;
}

static void serve_open(LySftpRequest *request)
{
    int fd = ly_sftp_path_open(ly_sftp_directory_of(request), request->path, flags_of(request->pflags),
                               mode_of(request, 0666));
    if (fd < 0)
        ly_sftp_reply_errno(request, errno);
    else
        reply_file(request, (LySftpOpenFile){.fd = fd});
}

static void serve_opendir(LySftpRequest *request)
{
    LySftpListing *listing = ly_sftp_listing_open(ly_sftp_directory_of(request), request->path);
    if (!listing)
        ly_sftp_reply_errno(request, errno);
    else
        reply_file(request, (LySftpOpenFile){.fd = -1, .listing = listing});
}

static void serve_readdir(LySftpRequest *request)
{
    LySftpOpenFile *file = request->handle;
    ly_sftp_listing_read(ly_sftp_directory_of(request), file->listing, request);
}

static void close_file(void *backend, void *handle, LySftpRequest *request)
{
    LySftpOpenFile *file = handle;
    int result = 0, error = 0;
    if (!file->listing) { /* some file systems tell a failed write only here */
        result = close(file->fd);
        error = errno;
        ly_free(file);
    } else {
        free_file(file);
    }
    if (request)
        ly_sftp_reply_errno(request, result == 0 ? 0 : error);
}

/* Data. */

static bool offset_fits(uint64_t offset, uint64_t len)
{
    return offset <= INT64_MAX && len <= INT64_MAX - offset;
}

static void serve_read(LySftpRequest *request)
{
    LySftpDirectory *directory = ly_sftp_directory_of(request);
    ssize_t len = 0;
    if (!offset_fits(request->offset, request->len)) {
        ly_sftp_reply_errno(request, EINVAL);
        return;
    }
    do
        len = pread(ly_sftp_file_of(request), directory->buffer, request->len, (off_t)request->offset);
    while (len < 0 && errno == EINTR);
    if (len < 0 && errno == ESPIPE)
        len = read(ly_sftp_file_of(request), directory->buffer, request->len);
    if (len < 0)
        ly_sftp_reply_errno(request, errno);
    else if (len == 0 && request->len)
        ly_sftp_reply_status(request, SSH_FX_EOF, NULL);
    else
        ly_sftp_reply_data(request, ly_bytes(directory->buffer, (size_t)len));
}

static int write_all(int fd, LyBytes data, uint64_t offset)
{
    while (data.len) {
        ssize_t len = pwrite(fd, data.data, data.len, (off_t)offset);
        if (len < 0 && errno == ESPIPE)
            len = write(fd, data.data, data.len);
        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0)
            return -1;
        data = ly_bytes_slice(data, (size_t)len, data.len);
        offset += (uint64_t)len;
    }
    return 0;
}

static void serve_write(LySftpRequest *request)
{
    if (!offset_fits(request->offset, request->data.len))
        ly_sftp_reply_errno(request, EINVAL);
    else
        reply_result(request, write_all(ly_sftp_file_of(request), request->data, request->offset));
}

/* copy-data by the kernel, as far as it can. The counts go on in *request. */
static void copy_in_kernel(LySftpRequest *request, int from, int to, uint64_t end)
{
    while (request->offset < end) {
        loff_t in = (loff_t)request->offset, out = (loff_t)request->offset2;
        size_t want = (size_t)LY_MIN(end - request->offset, (uint64_t)1 << 30);
        ssize_t len = copy_file_range(from, &in, to, &out, want, 0);
        if (len <= 0)
            return;
        request->offset += (uint64_t)len;
        request->offset2 += (uint64_t)len;
    }
}

static int copy_by_hand(LySftpRequest *request, int from, int to, uint64_t end, bool *at_eof)
{
    uint8_t *buffer = ly_sftp_directory_of(request)->buffer;
    while (request->offset < end) {
        size_t want = (size_t)LY_MIN(end - request->offset, (uint64_t)LY_SFTP_TRANSFER_MAX);
        ssize_t len = pread(from, buffer, want, (off_t)request->offset);
        if (len < 0 && errno == EINTR)
            continue;
        *at_eof = len == 0;
        if (len <= 0)
            return (int)len;
        if (write_all(to, ly_bytes(buffer, (size_t)len), request->offset2) != 0)
            return -1;
        request->offset += (uint64_t)len;
        request->offset2 += (uint64_t)len;
    }
    return 0;
}

static void serve_copy_data(LySftpRequest *request)
{
    int from = ly_sftp_file_of(request), to = ((const LySftpOpenFile *)request->handle2)->fd;
    struct stat from_stat, to_stat;
    if (fstat(from, &from_stat) != 0 || fstat(to, &to_stat) != 0) {
        ly_sftp_reply_errno(request, errno);
        return;
    }
    if (from_stat.st_dev == to_stat.st_dev && from_stat.st_ino == to_stat.st_ino) {
        ly_sftp_reply_status(request, SSH_FX_FAILURE, "both handles are of one file");
        return;
    }
    if (!request->len && !S_ISREG(from_stat.st_mode)) { /* a device may have no end */
        ly_sftp_reply_status(request, SSH_FX_FAILURE, "not a regular file");
        return;
    }
    if (!offset_fits(request->offset, request->len) || !offset_fits(request->offset2, request->len)) {
        ly_sftp_reply_errno(request, EINVAL);
        return;
    }
    bool at_eof = false, to_the_end = request->len == 0;
    uint64_t end = to_the_end ? INT64_MAX - (uint64_t)1 : request->offset + request->len;
    copy_in_kernel(request, from, to, end);
    if (copy_by_hand(request, from, to, end, &at_eof) != 0)
        ly_sftp_reply_errno(request, errno);
    else
        ly_sftp_reply_status(request, at_eof && !to_the_end ? SSH_FX_EOF : SSH_FX_OK, NULL);
}

static void serve_fsync(LySftpRequest *request)
{
    reply_result(request, fsync(ly_sftp_file_of(request)));
}

/* Names. */

typedef int AtPlace(LySftpRequest *request, const LySftpPlace *place);

static void serve_at(LySftpRequest *request, AtPlace *act)
{
    LySftpPlace place;
    int result = ly_sftp_place_find(ly_sftp_directory_of(request), request->path, &place);
    if (result == 0) {
        result = act(request, &place);
        ly_sftp_place_drop(&place);
    }
    reply_result(request, result);
}

static int remove_at(LySftpRequest *request, const LySftpPlace *place)
{
    return unlinkat(place->fd, place->name, 0);
}

static int rmdir_at(LySftpRequest *request, const LySftpPlace *place)
{
    return unlinkat(place->fd, place->name, AT_REMOVEDIR);
}

static int mkdir_at(LySftpRequest *request, const LySftpPlace *place)
{
    return mkdirat(place->fd, place->name, mode_of(request, 0777));
}

static int symlink_at(LySftpRequest *request, const LySftpPlace *place)
{
    LY_AUTO_FREE char *target = ly_bytes_dup_str(request->path2);
    return symlinkat(target, place->fd, place->name);
}

static void serve_remove(LySftpRequest *request)
{
    serve_at(request, remove_at);
}

static void serve_rmdir(LySftpRequest *request)
{
    serve_at(request, rmdir_at);
}

static void serve_mkdir(LySftpRequest *request)
{
    serve_at(request, mkdir_at);
}

static void serve_symlink(LySftpRequest *request)
{
    serve_at(request, symlink_at);
}

static void serve_readlink(LySftpRequest *request)
{
    LySftpPlace place;
    char target[PATH_MAX];
    ssize_t len = ly_sftp_place_find(ly_sftp_directory_of(request), request->path, &place);
    if (len == 0) {
        len = readlinkat(place.fd, place.name, target, sizeof target);
        ly_sftp_place_drop(&place);
    }
    if (len < 0)
        ly_sftp_reply_errno(request, errno);
    else
        ly_sftp_reply_one_name(request, ly_bytes(target, (size_t)len));
}

typedef int AtPlaces(const LySftpPlace *from, const LySftpPlace *to);

static void serve_at_two(LySftpRequest *request, AtPlaces *act)
{
    LySftpPlace from, to;
    int result = ly_sftp_place_find(ly_sftp_directory_of(request), request->path, &from);
    if (result == 0) {
        result = ly_sftp_place_find(ly_sftp_directory_of(request), request->path2, &to);
        if (result == 0) {
            result = act(&from, &to);
            ly_sftp_place_drop(&to);
        }
        ly_sftp_place_drop(&from);
    }
    reply_result(request, result);
}

/* RENAME of version 3 replaces nothing. Where the file system cannot do that in one step, a link takes the
 * new name only when it is free; what cannot be linked is looked for first. */
static int rename_at(const LySftpPlace *from, const LySftpPlace *to)
{
    if (renameat2(from->fd, from->name, to->fd, to->name, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    struct stat found;
    if (fstatat(from->fd, from->name, &found, AT_SYMLINK_NOFOLLOW) != 0)
        return -1;
    if (S_ISREG(found.st_mode)) {
        if (linkat(from->fd, from->name, to->fd, to->name, 0) == 0)
            return unlinkat(from->fd, from->name, 0);
        if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EPERM)
            return -1;
    }
    if (fstatat(to->fd, to->name, &found, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    return renameat(from->fd, from->name, to->fd, to->name);
}

static int posix_rename_at(const LySftpPlace *from, const LySftpPlace *to)
{
    return renameat(from->fd, from->name, to->fd, to->name);
}

static int link_at(const LySftpPlace *from, const LySftpPlace *to)
{
    return linkat(from->fd, from->name, to->fd, to->name, 0);
}

static void serve_rename(LySftpRequest *request)
{
    serve_at_two(request, rename_at);
}

static void serve_posix_rename(LySftpRequest *request)
{
    serve_at_two(request, posix_rename_at);
}

static void serve_hardlink(LySftpRequest *request)
{
    serve_at_two(request, link_at);
}

/* The tables. */

typedef void Serve(LySftpRequest *request);

static Serve *const by_type[] = {
    [SSH_FXP_OPEN] = serve_open,
    [SSH_FXP_READ] = serve_read,
    [SSH_FXP_WRITE] = serve_write,
    [SSH_FXP_LSTAT] = ly_sftp_serve_stat,
    [SSH_FXP_FSTAT] = ly_sftp_serve_fstat,
    [SSH_FXP_SETSTAT] = ly_sftp_serve_setstat,
    [SSH_FXP_FSETSTAT] = ly_sftp_serve_fsetstat,
    [SSH_FXP_OPENDIR] = serve_opendir,
    [SSH_FXP_READDIR] = serve_readdir,
    [SSH_FXP_REMOVE] = serve_remove,
    [SSH_FXP_MKDIR] = serve_mkdir,
    [SSH_FXP_RMDIR] = serve_rmdir,
    [SSH_FXP_REALPATH] = ly_sftp_serve_realpath,
    [SSH_FXP_STAT] = ly_sftp_serve_stat,
    [SSH_FXP_RENAME] = serve_rename,
    [SSH_FXP_READLINK] = serve_readlink,
    [SSH_FXP_SYMLINK] = serve_symlink,
};

static Serve *const by_extension[LY_SFTP_EXTENSION_COUNT] = {
    [LY_SFTP_EXTENSION_POSIX_RENAME] = serve_posix_rename,
    [LY_SFTP_EXTENSION_STATVFS] = ly_sftp_serve_statvfs,
    [LY_SFTP_EXTENSION_FSTATVFS] = ly_sftp_serve_fstatvfs,
    [LY_SFTP_EXTENSION_HARDLINK] = serve_hardlink,
    [LY_SFTP_EXTENSION_FSYNC] = serve_fsync,
    [LY_SFTP_EXTENSION_LSETSTAT] = ly_sftp_serve_setstat,
    [LY_SFTP_EXTENSION_EXPAND_PATH] = ly_sftp_serve_expand_path,
    [LY_SFTP_EXTENSION_COPY_DATA] = serve_copy_data,
    [LY_SFTP_EXTENSION_HOME_DIRECTORY] = ly_sftp_serve_home_directory,
    [LY_SFTP_EXTENSION_USERS_GROUPS] = ly_sftp_serve_users_groups,
};

static void serve(LySftpRequest *request)
{
    Serve *function = NULL;
    if (request->type < LY_COUNT(by_type))
        function = by_type[request->type];
    else if (request->type == SSH_FXP_EXTENDED && request->extension >= 0)
        function = by_extension[request->extension];
    if (!function)
        ly_sftp_reply_status(request, SSH_FX_OP_UNSUPPORTED, NULL);
    else if (ly_sftp_directory_of(request)->read_only && ly_sftp_request_changes(request))
        ly_sftp_reply_errno(request, EACCES);
    else
        function(request);
}

/* The object. */

static bool open_root(LySftpDirectory *directory, const LySftpDirectoryOptions *options, LyError *error)
{
    directory->root = open(options->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory->root < 0)
        return ly_error_set_errno(error, errno, "cannot open the directory to serve, %s", options->root);
    directory->start_path = ly_strdup("/");
    if (!options->start)
        return true;
    char start[PATH_MAX];
    int fd = ly_sftp_path_open(directory, ly_bytes_str(options->start), O_PATH | O_DIRECTORY, 0);
    if (fd < 0 || ly_sftp_path_canonical(directory, ly_bytes_str(options->start), start) != 0) {
        ly_error_set_errno(error, errno, "cannot start in %s below %s", options->start, options->root);
        if (fd >= 0)
            close(fd);
        return false;
    }
    close(fd);
    ly_free(directory->start_path);
    directory->start_path = ly_strdup(start);
    return true;
}

static bool open_start(LySftpDirectory *directory, const LySftpDirectoryOptions *options, LyError *error)
{
    const char *start = options->start ? options->start : ".";
    char path[PATH_MAX];
    directory->start = open(start, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory->start < 0 || !realpath(start, path))
        return ly_error_set_errno(error, errno, "cannot start in the directory %s", start);
    directory->start_path = ly_strdup(path);
    return true;
}

LySftpDirectory *ly_sftp_directory_new(const LySftpDirectoryOptions *options, LySftpBackend *backend,
                                       LyError *error)
{
    LySftpDirectory *directory = ly_new(LySftpDirectory);
    directory->root = directory->start = -1;
    directory->read_only = options->read_only;
    directory->mask = options->umask < 0 ? 0 : (mode_t)options->umask & 0777;
    directory->log = options->log;
    if (!(options->root ? open_root(directory, options, error) : open_start(directory, options, error))) {
        ly_sftp_directory_free(directory);
        return NULL;
    }
    directory->buffer = ly_alloc(LY_SFTP_TRANSFER_MAX);
    *backend = (LySftpBackend){
        .request = serve,
        .close = close_file,
        .user = directory,
        .extensions = (1u << LY_SFTP_EXTENSION_COUNT) - 1,
        .answers_now = true,
    };
    return directory;
}

void ly_sftp_directory_free(LySftpDirectory *directory)
{
    if (!directory)
        return;
    if (directory->root >= 0)
        close(directory->root);
    if (directory->start >= 0)
        close(directory->start);
    ly_free(directory->start_path);
    ly_free(directory->buffer);
    ly_free(directory);
}
