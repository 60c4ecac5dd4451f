/* open, create, flush, release, fsync, copy_file_range; what an open file is. */
#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "cache.h"
#include "file.h"

enum { COPY_LEN = 32 * 1024 * 1024, RACY_S = 2 };

static void ignore_done(void *user, LySftpReply *reply)
{
}

/* ---- the objects ---- */

File *file_new(Mount *mount, Inode *inode, int flags, LyBytes handle)
{
    File *file = ly_new(File);
    file->mount = mount;
    file->inode = inode;
    inode_ref(inode);
    file->refs = 1;
    file->generation = mount->remote.generation;
    file->flags = flags;
    file->handle_len = (uint16_t)handle.len;
    memcpy(file->handle, handle.data, handle.len);
    ly_list_init(&file->chunks);
    ly_list_init(&file->waiting);
    if (!inode->open) {
        inode->open = ly_new(OpenFiles);
        ly_list_init(&inode->open->files);
        ly_list_init(&inode->open->records);
        ly_list_init(&inode->open->waiters);
    }
    ly_list_append(&inode->open->files, &file->link);
    return file;
}

void file_ref(File *file)
{
    file->refs++;
}

void file_unref(File *file)
{
    if (--file->refs)
        return;
    Mount *mount = file->mount;
    Inode *inode = file->inode;
    reader_close(file);
    buffer_give(&mount->buffers, file->merge);
    ly_link_remove(&file->merging);
    ly_link_remove(&file->link);
    if (ly_list_empty(&inode->open->files)) {
        ly_free(inode->open);
        inode->open = NULL;
    }
    ly_free(file);
    inode_unref(&mount->inodes, inode);
}

static bool open_files_other(const File *file)
{
    ly_list_each(&file->inode->open->files, File, link,
                 each) if (each != file && !each->released) return true;
    return false;
}

void file_close(File *file)
{
    writer_send(file->inode);
    reader_close(file);
    file->released = true;
    if (file_is_alive(file))
        ly_sftp_close(mount_client(file->mount), file_handle(file), ignore_done, NULL);
    LyBytes path;
    bool last = file->inode->hidden && !open_files_other(file) && mount_client(file->mount);
    if (last && mount_path(file->mount, file->inode, (LyBytes){0}, &path))
        ly_sftp_remove(mount_client(file->mount), path, ignore_done, NULL);
    file->generation = 0; /* the handle is not to be used any more */
    file_unref(file);
}

File *open_files_any(const Inode *inode, bool writable)
{
    if (inode->open)
        ly_list_each(&inode->open->files, File, link,
                     file) if (file_is_alive(file) &&
                               (!writable || (file->flags & O_ACCMODE) != O_RDONLY)) return file;
    return NULL;
}

uint64_t open_files_size(const Inode *inode, uint64_t server_size)
{
    const OpenFiles *open = inode->open;
    return open && open->size_grown ? LY_MAX(open->size_known, server_size) : server_size;
}

/* ---- open ---- */

static uint32_t pflags_of(int flags)
{
    uint32_t pflags = (flags & O_ACCMODE) == O_RDONLY   ? SSH_FXF_READ
                      : (flags & O_ACCMODE) == O_WRONLY ? SSH_FXF_WRITE
                                                        : SSH_FXF_READ | SSH_FXF_WRITE;
    return pflags | (flags & O_APPEND ? SSH_FXF_APPEND : 0u) | (flags & O_CREAT ? SSH_FXF_CREAT : 0u) |
           (flags & O_TRUNC ? SSH_FXF_TRUNC : 0u) | (flags & O_EXCL ? SSH_FXF_EXCL : 0u);
}

/* Whether the kernel's pages of the file may stay. They were read when it had the size and time that it has
 * now, and the time was old enough then that a later change would show, as it has whole seconds only. */
static bool may_keep(Mount *mount, Inode *inode, const LySftpAttrs *attrs)
{
    const uint32_t both = SSH_FILEXFER_ATTR_SIZE | SSH_FILEXFER_ATTR_ACMODTIME;
    bool told = (attrs->flags & both) == both;
    bool keep = inode->kept && told && inode->kept_size == attrs->size && inode->kept_mtime == attrs->mtime;
    if (!keep) /* attributes only: never waits for pages, so it may be said from here */
        fuse_lowlevel_notify_inval_inode(mount->session, mount_ino(mount, inode), -1, 0);
    bool settled = told && (uint64_t)attrs->mtime + RACY_S < (uint64_t)time(NULL);
    inode->kept = settled && !(inode->open && inode->open->size_grown);
    inode->kept_size = attrs->size;
    inode->kept_mtime = attrs->mtime;
    return keep;
}

/* The handle was opened for somebody who is not there any more. */
static void handle_done(void *user, LySftpReply *reply)
{
    Operation *operation = user;
    Mount *mount = operation->mount;
    operation->status = reply->status;
    if (reply->status == SSH_FX_OK)
        operation->file = file_new(mount, operation->inode, operation->fi.flags, reply->handle);
    operation_received(operation);
}

static void fill_reply(Operation *operation, File *file)
{
    const MountOptions *options = &operation->mount->options;
    operation->fi.fh = (uintptr_t)file;
    operation->fi.direct_io = options->direct_io;
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 11)
    operation->fi.noflush = (file->flags & O_ACCMODE) == O_RDONLY;
#endif
}

static void open_finish(Operation *operation)
{
    Mount *mount = operation->mount;
    Inode *inode = operation->inode;
    if (!operation->file) {
        operation_explain(operation);
        return;
    }
    File *file = operation->file;
    operation->file = NULL;
    if (!operation->req) {
        file_close(file);
        operation_end(operation);
        return;
    }
    fill_reply(operation, file);
    if (file->flags & O_TRUNC) {
        cache_changed(mount, inode);
        inode->kept = false;
        if (inode->open)
            inode->open->size_grown = false;
        reader_forget(inode, 0, UINT64_MAX);
    } else if (operation->has_attrs) {
        operation->fi.keep_cache = may_keep(mount, inode, &operation->attrs) || mount->options.kernel_cache;
        cache_store(mount, inode, &operation->attrs, operation->changes);
    } else {
        operation->fi.keep_cache = mount->options.kernel_cache;
    }
    mount->statistics.opens++;
    if (fuse_reply_open(operation->req, &operation->fi) != 0)
        file_close(file);
    operation->req = NULL;
    operation_end(operation);
}

static void open_start(Operation *operation)
{
    Mount *mount = operation->mount;
    LySftpClient *client = mount_client(mount);
    LyBytes path;
    if (!operation_path(operation, &path))
        return;
    writer_send(operation->inode);
    operation->finish = open_finish;
    operation->changes = operation->inode->changes;
    operation_sent(operation,
                   ly_sftp_open(client, path, pflags_of(operation->fi.flags), NULL, handle_done, operation));
    operation_sent(operation, mount->options.follow_symlinks
                                  ? ly_sftp_stat(client, path, operation_attrs_done, operation)
                                  : ly_sftp_lstat(client, path, operation_attrs_done, operation));
    operation_wait(operation);
}

void fs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    Mount *mount = fuse_req_userdata(req);
    Operation *operation = operation_new(req, mount_inode(mount, ino), open_start);
    if (!operation)
        return;
    operation->fi = *fi;
    operation->fi.flags &= ~(O_CREAT | O_EXCL);
    operation->failure = FAILED_OPEN;
    operation->facts.for_writing = (fi->flags & O_ACCMODE) != O_RDONLY;
    operation_begin(operation);
}

/* ---- create ---- */

static void create_handle_done(void *user, LySftpReply *reply)
{
    Operation *operation = user;
    Mount *mount = operation->mount;
    LyBytes name = ly_bytes_str(operation->name);
    operation->status = reply->status;
    if (reply->status == SSH_FX_OK) {
        cache_name_added(mount, operation->inode, name);
        Inode *inode = cache_inode(mount, operation->inode, name,
                                   &(LySftpAttrs){SSH_FILEXFER_ATTR_PERMISSIONS, .permissions = S_IFREG});
        cache_changed(mount, inode);
        inode->kept = false;
        operation->changes = inode->changes;
        operation->file = file_new(mount, inode, operation->fi.flags, reply->handle);
    }
    operation_received(operation);
}

static void create_finish(Operation *operation)
{
    Mount *mount = operation->mount;
    if (!operation->file) {
        operation_explain(operation);
        return;
    }
    File *file = operation->file;
    operation->file = NULL;
    Inode *inode = file->inode;
    LySftpAttrs *attrs = &operation->attrs;
    struct fuse_entry_param entry;
    if (!operation->has_attrs) {
        file_close(file);
        operation->status = operation->attrs_status;
        operation_explain(operation);
        return;
    }
    /* The server's umask may have taken what was asked for; ours has had its say. */
    if (attrs->flags & SSH_FILEXFER_ATTR_PERMISSIONS &&
        (attrs->permissions & 0777) != (operation->mode & 0777) && attributes_type(attrs) == S_IFREG &&
        file_is_alive(file)) {
        LySftpAttrs set = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS, .permissions = operation->mode & 07777};
        ly_sftp_fsetstat(mount_client(mount), file_handle(file), &set, ignore_done, NULL);
        attrs->permissions = (attrs->permissions & ~07777u) | (operation->mode & 07777);
    }
    cache_store(mount, inode, attrs, operation->changes);
    fill_reply(operation, file);
    int error = cache_entry(mount, inode, attrs, &entry);
    mount->statistics.opens++;
    if (error || !operation->req) {
        file_close(file);
        operation_fail(operation, error ? error : EINTR);
        return;
    }
    inode->lookups++;
    if (fuse_reply_create(operation->req, &entry, &operation->fi) != 0) {
        inode_forget(&mount->inodes, inode, 1);
        file_close(file);
    }
    operation->req = NULL;
    operation_end(operation);
}

static void create_start(Operation *operation)
{
    Mount *mount = operation->mount;
    LySftpClient *client = mount_client(mount);
    LyBytes path;
    LySftpAttrs attrs = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS, .permissions = operation->mode & 07777};
    if (!operation_path(operation, &path))
        return;
    operation->finish = create_finish;
    uint32_t pflags = pflags_of(operation->fi.flags | O_CREAT);
    operation_sent(operation, ly_sftp_open(client, path, pflags, &attrs, create_handle_done, operation));
    operation_sent(operation, mount->options.follow_symlinks
                                  ? ly_sftp_stat(client, path, operation_attrs_done, operation)
                                  : ly_sftp_lstat(client, path, operation_attrs_done, operation));
    operation_wait(operation);
}

void fs_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
    Mount *mount = fuse_req_userdata(req);
    Operation *operation = operation_new(req, mount_inode(mount, parent), create_start);
    if (!operation)
        return;
    operation->name = ly_strdup(name);
    operation->mode = mode;
    operation->fi = *fi;
    operation->failure = fi->flags & O_EXCL ? FAILED_CREATE : FAILED_OPEN;
    operation->facts.for_writing = true;
    if (strlen(name) > 255)
        operation_fail(operation, ENAMETOOLONG);
    else
        operation_begin(operation);
}

/* ---- flush, fsync, release ---- */

static void flush_start(Operation *operation)
{
    if (writer_settle(operation))
        operation_succeed(operation);
}

void fs_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    File *file = file_of(fi);
    Operation *operation = operation_new(req, file->inode, flush_start);
    if (!operation)
        return;
    operation->file = file;
    file_ref(file);
    flush_start(operation);
}

static void fsync_finish(Operation *operation)
{
    File *file = operation->file;
    int error = writer_take_error(file);
    if (error)
        operation_fail(operation, error);
    else if (operation->status == SSH_FX_OK)
        operation_succeed(operation);
    else
        operation_explain(operation);
}

static void fsync_start(Operation *operation)
{
    File *file = operation->file;
    Mount *mount = operation->mount;
    if (!writer_settle(operation))
        return;
    if (!file_is_alive(file)) {
        operation_fail(operation, EIO);
        return;
    }
    operation->finish = fsync_finish;
    if (ly_sftp_client_has(mount_client(mount), LY_SFTP_EXTENSION_FSYNC)) {
        operation_sent(operation, ly_sftp_fsync(mount_client(mount), file_handle(file), operation_status_done,
                                                operation));
    } else if (!mount->fsync_warned) {
        mount->fsync_warned = true;
        ly_log(&mount->options.log, LY_LOG_WARNING,
               "the server has no fsync@openssh.com: fsync only makes sure that it took the data");
    }
    operation_wait(operation);
}

void fs_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
    File *file = file_of(fi);
    Operation *operation = operation_new(req, file->inode, fsync_start);
    if (!operation)
        return;
    operation->file = file;
    operation->failure = FAILED_WRITE;
    file_ref(file);
    fsync_start(operation);
}

void fs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    file_close(file_of(fi));
    fuse_reply_err(req, 0);
}

/* ---- copy_file_range: the server copies; it is busy meanwhile, so not too much at a time. ---- */

static void copy_finish(Operation *operation)
{
    File *to = operation->other_file;
    cache_changed(operation->mount, to->inode);
    if (operation->status != SSH_FX_OK) {
        operation->failure = FAILED_WRITE;
        operation_explain(operation);
        return;
    }
    if (operation->req)
        fuse_reply_write(operation->req, operation->size);
    operation->req = NULL;
    operation_end(operation);
}

static void copy_sized(Operation *operation)
{
    Mount *mount = operation->mount;
    File *from = operation->file, *to = operation->other_file;
    if (operation->attrs_status != SSH_FX_OK || !file_is_alive(from) || !file_is_alive(to)) {
        operation_fail(operation, EIO);
        return;
    }
    uint64_t size = operation->attrs.size;
    uint64_t left = size > operation->offset ? size - operation->offset : 0;
    operation->size = (size_t)LY_MIN(LY_MIN((uint64_t)operation->size, left), (uint64_t)COPY_LEN);
    operation->finish = copy_finish;
    if (operation->size) { /* a length of 0 would be all of it */
        OpenFiles *open = to->inode->open;
        uint64_t end = operation->other_offset + operation->size;
        open->size_known = LY_MAX(open_files_size(to->inode, to->inode->attrs.size), end);
        open->size_grown = true;
        to->inode->kept = false;
        reader_forget(to->inode, operation->other_offset, operation->size);
        operation_sent(operation, ly_sftp_copy_data(mount_client(mount), file_handle(from), operation->offset,
                                                    operation->size, file_handle(to), operation->other_offset,
                                                    operation_status_done, operation));
    }
    operation_wait(operation);
}

void fs_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t offset_in, struct fuse_file_info *fi_in,
                        fuse_ino_t ino_out, off_t offset_out, struct fuse_file_info *fi_out, size_t len,
                        int flags)
{
    File *from = file_of(fi_in), *to = file_of(fi_out);
    Mount *mount = from->mount;
    Operation *operation = operation_new(req, to->inode, NULL);
    if (!operation)
        return;
    if (!file_is_alive(from) || !file_is_alive(to)) {
        operation_fail(operation, EIO);
    } else if (!ly_sftp_client_has(mount_client(mount), LY_SFTP_EXTENSION_COPY_DATA)) {
        operation_fail(operation, ENOSYS); /* the kernel copies by reading and writing then */
    } else if (from->inode == to->inode) {
        operation_fail(operation, EOPNOTSUPP); /* servers refuse this */
    } else {
        file_ref(operation->file = from);
        file_ref(operation->other_file = to);
        operation->offset = (uint64_t)offset_in;
        operation->other_offset = (uint64_t)offset_out;
        operation->size = len;
        writer_send(from->inode);
        writer_send(to->inode);
        operation->finish = copy_sized;
        operation_sent(operation, ly_sftp_fstat(mount_client(mount), file_handle(from), operation_attrs_done,
                                                operation));
        operation_wait(operation);
    }
}
