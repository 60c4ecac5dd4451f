/* What makes and removes names: mknod, mkdir, unlink, rmdir, symlink, rename, link. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "cache.h"
#include "file.h"

enum { NAME_LEN_MAX = 255 };

static void ignore_done(void *user, LySftpReply *reply)
{
}

static LySftpId ask_attrs(Operation *operation, LyBytes path)
{
    LySftpClient *client = mount_client(operation->mount);
    return operation->mount->options.follow_symlinks
               ? ly_sftp_stat(client, path, operation_attrs_done, operation)
               : ly_sftp_lstat(client, path, operation_attrs_done, operation);
}

/* Begins an operation on a name in a directory. */
static void begin(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, FailureKind failure,
                  void (*start)(Operation *operation), const char *target)
{
    Mount *mount = fuse_req_userdata(req);
    Operation *operation = operation_new(req, mount_inode(mount, parent), start);
    if (!operation)
        return;
    operation->name = ly_strdup(name);
    operation->mode = mode;
    operation->failure = failure;
    operation->other_name = ly_strdup(target);
    if (strlen(name) > NAME_LEN_MAX)
        operation_fail(operation, ENAMETOOLONG);
    else
        operation_begin(operation);
}

/* ---- something new ---- */

static void made_finish(Operation *operation)
{
    Mount *mount = operation->mount;
    LyBytes name = ly_bytes_str(operation->name);
    LySftpAttrs *attrs = &operation->attrs;
    if (operation->status != SSH_FX_OK) {
        ly_free(operation->other_name); /* a symlink's target is no name to look for */
        operation->other_name = NULL;
        operation_explain(operation);
        return;
    }
    cache_name_added(mount, operation->inode, name);
    if (!operation->has_attrs) {
        operation->failure = FAILED_OTHER;
        operation->status = operation->attrs_status;
        operation_explain(operation);
        return;
    }
    /* The server's umask may have taken what was asked for; ours has had its say. */
    LyBytes path;
    if (attributes_type(attrs) == S_IFDIR && attrs->flags & SSH_FILEXFER_ATTR_PERMISSIONS &&
        (attrs->permissions & 0777) != (operation->mode & 0777) && mount_client(mount) &&
        mount_path(mount, operation->inode, name, &path)) {
        LySftpAttrs set = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS,
                           .permissions = (operation->mode & 0777) | (attrs->permissions & 07000)};
        ly_sftp_setstat(mount_client(mount), path, &set, ignore_done, NULL);
        attrs->permissions = (attrs->permissions & ~0777u) | (operation->mode & 0777);
    }
    Inode *old = inode_find(&mount->inodes, operation->inode, name);
    if (old) /* another of that name was there once */
        inode_detach(&mount->inodes, old);
    Inode *inode = cache_inode(mount, operation->inode, name, attrs);
    cache_store(mount, inode, attrs, inode->changes);
    if (attributes_type(attrs) == S_IFDIR && !inode->listing) {
        inode->listing = listing_new_empty(mount);
        listing_keep(inode->listing, inode);
    }
    if (operation->other) /* a link: programs compare the numbers */
        inode_share_number(&mount->inodes, inode, operation->other);
    cache_reply_entry(operation, inode, attrs);
}

static void mknod_opened(void *user, LySftpReply *reply)
{
    Operation *operation = user;
    LySftpClient *client = mount_client(operation->mount);
    operation->status = reply->status;
    if (reply->status == SSH_FX_OK && client)
        ly_sftp_close(client, reply->handle, ignore_done, NULL);
    operation_received(operation);
}

static void mknod_start(Operation *operation)
{
    LyBytes path;
    if (!operation_path(operation, &path))
        return;
    LySftpAttrs attrs = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS, .permissions = operation->mode & 07777};
    operation->finish = made_finish;
    operation_sent(operation, ly_sftp_open(mount_client(operation->mount), path,
                                           SSH_FXF_WRITE | SSH_FXF_CREAT | SSH_FXF_EXCL, &attrs, mknod_opened,
                                           operation));
    operation_sent(operation, ask_attrs(operation, path));
    operation_wait(operation);
}

void fs_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
    if (!S_ISREG(mode) && (mode & S_IFMT)) {
        fuse_reply_err(req, EPERM); /* SFTP has no way to make it */
        return;
    }
    begin(req, parent, name, mode, FAILED_CREATE, mknod_start, NULL);
}

static void mkdir_start(Operation *operation)
{
    LyBytes path;
    if (!operation_path(operation, &path))
        return;
    LySftpAttrs attrs = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS, .permissions = operation->mode & 07777};
    operation->finish = made_finish;
    operation_sent(operation, ly_sftp_mkdir(mount_client(operation->mount), path, &attrs,
                                            operation_status_done, operation));
    operation_sent(operation, ask_attrs(operation, path));
    operation_wait(operation);
}

void fs_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    begin(req, parent, name, mode, FAILED_CREATE, mkdir_start, NULL);
}

static void symlink_start(Operation *operation)
{
    LyBytes path;
    if (!operation_path(operation, &path))
        return;
    operation->finish = made_finish;
    operation_sent(operation,
                   ly_sftp_symlink(mount_client(operation->mount), path, ly_bytes_str(operation->other_name),
                                   operation_status_done, operation));
    operation_sent(operation, ask_attrs(operation, path));
    operation_wait(operation);
}

void fs_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
    begin(req, parent, name, 0777, FAILED_CREATE, symlink_start, target);
}

static void link_start(Operation *operation)
{
    Mount *mount = operation->mount;
    LySftpClient *client = mount_client(mount);
    LyBytes from, to;
    if (!ly_sftp_client_has(client, LY_SFTP_EXTENSION_HARDLINK)) {
        operation_fail(operation, EPERM); /* what link(2) says of file systems without hard links */
        return;
    }
    if (!mount_other_path(mount, operation->other, (LyBytes){0}, &from)) {
        operation_fail(operation, operation->other->gone ? ENOENT : ENAMETOOLONG);
        return;
    }
    if (!operation_path(operation, &to))
        return;
    writer_send(operation->other);
    operation->finish = made_finish;
    operation_sent(operation, ly_sftp_hardlink(client, from, to, operation_status_done, operation));
    operation_sent(operation, ask_attrs(operation, to));
    operation_wait(operation);
}

void fs_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name)
{
    Mount *mount = fuse_req_userdata(req);
    Operation *operation = operation_new(req, mount_inode(mount, new_parent), link_start);
    if (!operation)
        return;
    operation->other = mount_inode(mount, ino);
    inode_ref(operation->other);
    operation->name = ly_strdup(new_name);
    operation->failure = FAILED_CREATE;
    if (mount->options.disable_hardlink)
        operation_fail(operation, ENOSYS);
    else if (strlen(new_name) > NAME_LEN_MAX)
        operation_fail(operation, ENAMETOOLONG);
    else
        operation_begin(operation);
}

/* ---- removing ---- */

static void removed_finish(Operation *operation)
{
    Mount *mount = operation->mount;
    LyBytes name = ly_bytes_str(operation->name);
    if (operation->status != SSH_FX_OK) {
        operation_explain(operation);
        return;
    }
    Inode *inode = inode_find(&mount->inodes, operation->inode, name);
    cache_name_removed(mount, operation->inode, name);
    if (inode) {
        cache_changed(mount, inode);
        inode_detach(&mount->inodes, inode);
    }
    operation_succeed(operation);
}

static void remove_start(Operation *operation)
{
    Mount *mount = operation->mount;
    LySftpClient *client = mount_client(mount);
    LyBytes path;
    if (!operation_path(operation, &path))
        return;
    Inode *inode = inode_find(&mount->inodes, operation->inode, ly_bytes_str(operation->name));
    if (inode)
        writer_send(inode); /* in front of it */
    operation->finish = removed_finish;
    operation_sent(operation, operation->failure == FAILED_RMDIR
                                  ? ly_sftp_rmdir(client, path, operation_status_done, operation)
                                  : ly_sftp_remove(client, path, operation_status_done, operation));
    operation_wait(operation);
}

void fs_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    begin(req, parent, name, 0, FAILED_RMDIR, remove_start, NULL);
}

/* ---- renaming ---- */

static void rename_start(Operation *operation);

static void renamed_finish(Operation *operation)
{
    Mount *mount = operation->mount;
    LyBytes from = ly_bytes_str(operation->name), to = ly_bytes_str(operation->other_name);
    bool no_replace = operation->flags & RENAME_NOREPLACE;
    LySftpClient *client = mount_client(mount);
    Inode *inode = inode_find(&mount->inodes, operation->inode, from);
    if (operation->status == SSH_FX_FAILURE && !no_replace && client && !operation->mode &&
        mount->options.rename_workaround && !ly_sftp_client_has(client, LY_SFTP_EXTENSION_POSIX_RENAME)) {
        /* The server does not replace: what is there goes first. Not atomic, which is why it has to be asked
         * for. */
        LyBytes path;
        operation->mode = 1;
        operation->status = SSH_FX_OK;
        if (mount_path(mount, operation->other, to, &path))
            ly_sftp_remove(client, path, ignore_done, NULL);
        rename_start(operation);
        return;
    }
    if (operation->status != SSH_FX_OK) {
        operation->facts.source_is_directory =
            inode && inode->attrs.flags && attributes_type(&inode->attrs) == S_IFDIR;
        if (no_replace)
            operation->failure = FAILED_CREATE;
        operation_explain(operation);
        return;
    }
    Inode *replaced = inode_find(&mount->inodes, operation->other, to);
    if (replaced && replaced != inode) {
        cache_changed(mount, replaced);
        inode_detach(&mount->inodes, replaced);
    }
    cache_name_removed(mount, operation->inode, from);
    cache_name_added(mount, operation->other, to);
    if (inode) {
        cache_changed(mount, inode);
        inode_move(&mount->inodes, inode, operation->other, to);
        inode->hidden = operation->hide;
    }
    operation_succeed(operation);
}

static void rename_start(Operation *operation)
{
    Mount *mount = operation->mount;
    LySftpClient *client = mount_client(mount);
    LyBytes from, to;
    if (!mount_other_path(mount, operation->other, ly_bytes_str(operation->other_name), &to)) {
        operation_fail(operation, operation->other->gone ? ENOENT : ENAMETOOLONG);
        return;
    }
    if (!operation_path(operation, &from))
        return;
    Inode *inode = inode_find(&mount->inodes, operation->inode, ly_bytes_str(operation->name));
    Inode *replaced = inode_find(&mount->inodes, operation->other, ly_bytes_str(operation->other_name));
    if (inode)
        writer_send(inode);
    if (replaced)
        writer_send(replaced);
    operation->finish = renamed_finish;
    bool replacing =
        !(operation->flags & RENAME_NOREPLACE) && ly_sftp_client_has(client, LY_SFTP_EXTENSION_POSIX_RENAME);
    operation_sent(operation, replacing
                                  ? ly_sftp_posix_rename(client, from, to, operation_status_done, operation)
                                  : ly_sftp_rename(client, from, to, operation_status_done, operation));
    operation_wait(operation);
}

static void rename_begin(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                         const char *new_name, unsigned flags, bool hide)
{
    Mount *mount = fuse_req_userdata(req);
    Operation *operation = operation_new(req, mount_inode(mount, parent), rename_start);
    if (!operation)
        return;
    operation->other = mount_inode(mount, new_parent);
    inode_ref(operation->other);
    operation->name = ly_strdup(name);
    operation->other_name = ly_strdup(new_name);
    operation->flags = flags;
    operation->failure = FAILED_RENAME;
    operation->hide = hide;
    if (flags & ~(unsigned)RENAME_NOREPLACE)
        operation_fail(operation, EINVAL);
    else if (strlen(name) > NAME_LEN_MAX || strlen(new_name) > NAME_LEN_MAX)
        operation_fail(operation, ENAMETOOLONG);
    else
        operation_begin(operation);
}

void fs_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
               const char *new_name, unsigned flags)
{
    rename_begin(req, parent, name, new_parent, new_name, flags, false);
}

/* -o hide_unlinked: an open file is renamed, so that servers which cannot remove it, and a new session, still
 * have it. */
void fs_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    Mount *mount = fuse_req_userdata(req);
    Inode *directory = mount_inode(mount, parent);
    Inode *inode = inode_find(&mount->inodes, directory, ly_bytes_str(name));
    if (mount->options.hide_unlinked && inode && inode->open && strncmp(name, ".fuse_hidden", 12) != 0) {
        char hidden[40];
        snprintf(hidden, sizeof hidden, ".fuse_hidden%016llx", (unsigned long long)inode->st_ino);
        rename_begin(req, parent, name, parent, hidden, 0, true);
        return;
    }
    begin(req, parent, name, 0, FAILED_REMOVE, remove_start, NULL);
}
