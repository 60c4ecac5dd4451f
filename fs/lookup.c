/* lookup, getattr, setattr, readlink, statfs. */
#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "cache.h"
#include "file.h"
#include "prefetch.h"
#include "symlink.h"

enum { NAME_LEN_MAX = 255, STATVFS_FRESH_US = 2 * 1000 * 1000 };

static LySftpId ask_attrs(Operation *operation, LyBytes path)
{
    LySftpClient *client = mount_client(operation->mount);
    return operation->mount->options.follow_symlinks
               ? ly_sftp_stat(client, path, operation_attrs_done, operation)
               : ly_sftp_lstat(client, path, operation_attrs_done, operation);
}

/* ---- lookup ---- */

static void reply_absent(Operation *operation)
{
    Mount *mount = operation->mount;
    if (operation->req && mount->options.negative_timeout_us) {
        struct fuse_entry_param entry = {.entry_timeout = cache_seconds(mount->options.negative_timeout_us)};
        fuse_reply_entry(operation->req, &entry);
        operation->req = NULL;
    }
    operation_fail(operation, ENOENT);
}

static void lookup_finish(Operation *operation)
{
    Mount *mount = operation->mount;
    LyBytes name = ly_bytes_str(operation->name);
    Inode *parent = operation->inode, *known = inode_find(&mount->inodes, parent, name);
    if (operation->has_attrs) {
        Inode *inode = cache_inode(mount, parent, name, &operation->attrs);
        /* A listing that does not know the name is old. */
        if (parent->listing && parent->listing->state == LISTING_COMPLETE &&
            !listing_find(parent->listing, name))
            parent->listing->complete_us = 0;
        if (inode == known)
            cache_store(mount, inode, &operation->attrs, operation->changes);
        else
            cache_store(mount, inode, &operation->attrs, inode->changes);
        cache_reply_entry(operation, inode, &operation->attrs);
        return;
    }
    operation->status =
        operation->attrs_status != SSH_FX_OK ? operation->attrs_status : SSH_FX_CONNECTION_LOST;
    if (operation->status == SSH_FX_NO_SUCH_FILE) {
        if (known && operation->changes == known->changes) {
            inode_detach(&mount->inodes, known);
            if (parent->listing)
                listing_remove_name(parent->listing, name);
        }
        reply_absent(operation);
    } else {
        operation_explain(operation);
    }
}

static void lookup_start(Operation *operation)
{
    LyBytes path;
    Inode *known = inode_find(&operation->mount->inodes, operation->inode, ly_bytes_str(operation->name));
    if (!operation_path(operation, &path))
        return;
    if (known) {
        writer_send(known);
        operation->changes = known->changes;
    }
    operation->finish = lookup_finish;
    operation_sent(operation, ask_attrs(operation, path));
    prefetch_missed(operation->mount, operation->inode);
    operation_wait(operation);
}

void fs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    Mount *mount = fuse_req_userdata(req);
    Inode *directory = mount_inode(mount, parent);
    LyBytes bytes = ly_bytes_str(name);
    Operation *operation = operation_new(req, directory, lookup_start);
    if (!operation)
        return;
    mount->statistics.lookups++;
    if (bytes.len > NAME_LEN_MAX) {
        operation_fail(operation, ENAMETOOLONG);
        return;
    }
    Inode *known = inode_find(&mount->inodes, directory, bytes);
    LySftpAttrs attrs;
    if (known && cache_has_attrs(mount, known)) {
        mount->statistics.lookups_from_cache++;
        attrs = known->attrs;
        cache_reply_entry(operation, known, &attrs);
        return;
    }
    /* An open file's listing entry may be older than its writes: it is asked about. */
    CacheAnswer answer = known && known->open ? CACHE_UNKNOWN : cache_lookup(mount, directory, bytes, &attrs);
    if (answer != CACHE_UNKNOWN)
        mount->statistics.lookups_from_cache++;
    if (answer == CACHE_PRESENT) {
        Inode *inode = cache_inode(mount, directory, bytes, &attrs);
        inode->attrs = attrs;
        inode->attrs_us = directory->listing->complete_us;
        cache_reply_entry(operation, inode, &attrs);
    } else if (answer == CACHE_ABSENT) {
        reply_absent(operation);
    } else {
        operation->name = ly_strdup(name);
        operation_begin(operation);
    }
}

void fs_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
    Mount *mount = fuse_req_userdata(req);
    if (ino != FUSE_ROOT_ID)
        inode_forget(&mount->inodes, mount_inode(mount, ino), lookups);
    fuse_reply_none(req);
}

void fs_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    Mount *mount = fuse_req_userdata(req);
    for (size_t i = 0; i < count; i++)
        if (forgets[i].ino != FUSE_ROOT_ID)
            inode_forget(&mount->inodes, mount_inode(mount, forgets[i].ino), forgets[i].nlookup);
    fuse_reply_none(req);
}

/* ---- getattr ---- */

static void attrs_finish(Operation *operation)
{
    Mount *mount = operation->mount;
    if (operation->status != SSH_FX_OK || !operation->has_attrs) {
        if (operation->status == SSH_FX_OK)
            operation->status =
                operation->attrs_status != SSH_FX_OK ? operation->attrs_status : SSH_FX_CONNECTION_LOST;
        operation_explain(operation);
        return;
    }
    cache_store(mount, operation->inode, &operation->attrs, operation->changes);
    cache_reply_attrs(operation, &operation->attrs);
}

/* By handle where there is one: the name may be gone, or another's. */
static void send_attrs_then(Operation *operation, void (*finish)(Operation *operation))
{
    Inode *inode = operation->inode;
    File *file = open_files_any(inode, false);
    LyBytes path;
    operation->finish = finish;
    writer_send(inode);
    operation->changes = inode->changes;
    if (file) {
        operation_sent(operation, ly_sftp_fstat(mount_client(operation->mount), file_handle(file),
                                                operation_attrs_done, operation));
    } else {
        if (!operation_path(operation, &path))
            return;
        operation_sent(operation, ask_attrs(operation, path));
    }
    operation_wait(operation);
}

static void getattr_start(Operation *operation)
{
    send_attrs_then(operation, attrs_finish);
}

void fs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    Mount *mount = fuse_req_userdata(req);
    Inode *inode = mount_inode(mount, ino);
    Operation *operation = operation_new(req, inode, getattr_start);
    if (!operation)
        return;
    if (cache_has_attrs(mount, inode)) {
        mount->statistics.attributes_from_cache++;
        LySftpAttrs attrs = inode->attrs;
        cache_reply_attrs(operation, &attrs);
        return;
    }
    operation_begin(operation);
}

/* ---- setattr ---- */

static void setattr_send(Operation *operation)
{
    Mount *mount = operation->mount;
    LySftpClient *client = mount_client(mount);
    Inode *inode = operation->inode;
    const LySftpAttrs *set = &operation->set;
    File *file = operation->file && file_is_alive(operation->file) ? operation->file : NULL;
    bool resize = set->flags & SSH_FILEXFER_ATTR_SIZE;
    if (!file && inode->gone)
        file = open_files_any(inode, resize);
    writer_send(inode);
    cache_changed(mount, inode);
    operation->changes = inode->changes;
    operation->finish = attrs_finish;
    LyBytes path;
    if (file) {
        operation_sent(operation,
                       ly_sftp_fsetstat(client, file_handle(file), set, operation_status_done, operation));
        operation_sent(operation, ly_sftp_fstat(client, file_handle(file), operation_attrs_done, operation));
    } else {
        if (!operation_path(operation, &path))
            return;
        bool is_link = inode->attrs.flags && attributes_type(&inode->attrs) == S_IFLNK &&
                       !mount->options.follow_symlinks;
        if (is_link && !ly_sftp_client_has(client, LY_SFTP_EXTENSION_LSETSTAT)) {
            operation_fail(operation, EOPNOTSUPP); /* SETSTAT would change what it leads to */
            return;
        }
        operation_sent(operation, is_link
                                      ? ly_sftp_lsetstat(client, path, set, operation_status_done, operation)
                                      : ly_sftp_setstat(client, path, set, operation_status_done, operation));
        operation_sent(operation, ask_attrs(operation, path));
    }
    if (resize) {
        inode->kept = false;
        if (inode->open)
            inode->open->size_grown = false;
        inode->attrs.size = set->size;
        reader_forget(inode, 0, UINT64_MAX);
    }
    operation_wait(operation);
}

/* Version 3 sets both times or both owners; the other one is what it was. */
static int setattr_fill(Operation *operation, const struct stat *attr, const LySftpAttrs *now, int to_set)
{
    Mount *mount = operation->mount;
    LySftpAttrs *set = &operation->set;
    struct timespec clock;
    clock_gettime(CLOCK_REALTIME, &clock);
    *set = (LySftpAttrs){0};
    if (to_set & FUSE_SET_ATTR_SIZE) {
        set->flags |= SSH_FILEXFER_ATTR_SIZE;
        set->size = (uint64_t)attr->st_size;
    }
    if (to_set & FUSE_SET_ATTR_MODE) {
        set->flags |= SSH_FILEXFER_ATTR_PERMISSIONS;
        set->permissions = attr->st_mode & 07777;
    }
    if (to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) {
        int error = attributes_remote_owner(&mount->remote.owners, attr->st_uid, attr->st_gid, set);
        if (error)
            return error;
        if (!(to_set & FUSE_SET_ATTR_UID))
            set->uid = now->uid;
        if (!(to_set & FUSE_SET_ATTR_GID))
            set->gid = now->gid;
    }
    if (to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME)) {
        set->flags |= SSH_FILEXFER_ATTR_ACMODTIME;
        set->atime = to_set & FUSE_SET_ATTR_ATIME_NOW ? attributes_seconds(&clock)
                     : to_set & FUSE_SET_ATTR_ATIME   ? attributes_seconds(&attr->st_atim)
                                                      : now->atime;
        set->mtime = to_set & FUSE_SET_ATTR_MTIME_NOW ? attributes_seconds(&clock)
                     : to_set & FUSE_SET_ATTR_MTIME   ? attributes_seconds(&attr->st_mtim)
                                                      : now->mtime;
    }
    return 0;
}

/* The attributes that only one half of is set came. */
static void setattr_known(Operation *operation)
{
    if (!operation->has_attrs || !mount_client(operation->mount)) {
        operation->status =
            operation->attrs_status != SSH_FX_OK ? operation->attrs_status : SSH_FX_CONNECTION_LOST;
        operation_explain(operation);
        return;
    }
    if (operation->set.flags & SSH_FILEXFER_ATTR_UIDGID) {
        if (operation->flags & FUSE_SET_ATTR_UID)
            operation->set.gid = operation->attrs.gid;
        else
            operation->set.uid = operation->attrs.uid;
    }
    if (operation->flags & FUSE_SET_ATTR_ATIME && !(operation->flags & FUSE_SET_ATTR_MTIME))
        operation->set.mtime = operation->attrs.mtime;
    if (operation->flags & FUSE_SET_ATTR_MTIME && !(operation->flags & FUSE_SET_ATTR_ATIME))
        operation->set.atime = operation->attrs.atime;
    operation->has_attrs = false;
    setattr_send(operation);
}

static void setattr_start(Operation *operation)
{
    unsigned to_set = operation->flags;
    unsigned owners = to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID),
             times = to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME);
    bool half = owners == FUSE_SET_ATTR_UID || owners == FUSE_SET_ATTR_GID || times == FUSE_SET_ATTR_ATIME ||
                times == FUSE_SET_ATTR_MTIME;
    if (!half || cache_has_attrs(operation->mount, operation->inode)) {
        setattr_send(operation);
        return;
    }
    send_attrs_then(operation, setattr_known);
}

void fs_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
    Mount *mount = fuse_req_userdata(req);
    Inode *inode = mount_inode(mount, ino);
    Operation *operation = operation_new(req, inode, setattr_start);
    if (!operation)
        return;
    if (fi) {
        operation->file = file_of(fi);
        file_ref(operation->file);
    }
    operation->flags = (unsigned)to_set;
    operation->failure = to_set & FUSE_SET_ATTR_SIZE ? FAILED_WRITE : FAILED_ATTRIBUTES;
    int error = setattr_fill(operation, attr, &inode->attrs, to_set);
    if (error)
        operation_fail(operation, error);
    else
        operation_begin(operation);
}

/* ---- readlink ---- */

static void reply_link(Operation *operation, LyBytes target)
{
    Mount *mount = operation->mount;
    SymlinkRules rules = {
        .policy = mount->options.symlinks,
        .transform = mount->options.transform_symlinks,
        .base = mount->remote.absolute_base.len ? ly_buf_bytes(&mount->remote.absolute_base) : (LyBytes){0},
        .mountpoint = ly_bytes_str(mount->mountpoint),
    };
    LyBuf text = {0};
    size_t depth = operation->inode->parent ? inode_depth(operation->inode) - 1 : 0;
    int error = symlink_present(&rules, depth, target, &text);
    if (error == EPERM)
        ly_log(
            &mount->options.log, mount->leave_warned ? LY_LOG_DEBUG : LY_LOG_WARNING,
            "a symbolic link leaves the mount and is refused: %s (symlinks=rewrite or symlinks=raw allow it)",
            LY_PRINTABLE(target));
    mount->leave_warned |= error == EPERM;
    if (operation->req && !error)
        fuse_reply_readlink(operation->req, ly_buf_str(&text));
    ly_buf_free(&text);
    if (!error) {
        operation->req = NULL;
        operation_end(operation);
    } else {
        operation_fail(operation, error);
    }
}

static void readlink_done(void *user, LySftpReply *reply)
{
    Operation *operation = user;
    Inode *inode = operation->inode;
    LySftpName name;
    operation->outstanding--;
    if (reply->status != SSH_FX_OK) {
        operation->status = reply->status;
        operation_explain(operation);
    } else if (!ly_sftp_reply_name(reply, &name)) {
        operation_fail(operation, EIO);
    } else {
        if (operation->changes == inode->changes && name.filename.len <= 4096) {
            ly_free((void *)(uintptr_t)inode->target.data);
            inode->target = ly_bytes(ly_bytes_dup_str(name.filename), name.filename.len);
            inode->target_us = mount_now_us(operation->mount);
        }
        reply_link(operation, name.filename);
    }
}

static void readlink_start(Operation *operation)
{
    LyBytes path;
    if (!operation_path(operation, &path))
        return;
    operation->changes = operation->inode->changes;
    operation->finish = operation_explain;
    operation_sent(operation,
                   ly_sftp_readlink(mount_client(operation->mount), path, readlink_done, operation));
    operation_wait(operation);
}

void fs_readlink(fuse_req_t req, fuse_ino_t ino)
{
    Mount *mount = fuse_req_userdata(req);
    Inode *inode = mount_inode(mount, ino);
    Operation *operation = operation_new(req, inode, readlink_start);
    if (!operation)
        return;
    if (cache_is_fresh(mount, inode->target_us, mount->options.link_cache_us))
        reply_link(operation, inode->target);
    else
        operation_begin(operation);
}

/* ---- statfs ---- */

static void reply_statfs(Operation *operation)
{
    const LySftpStatvfs *from = &operation->mount->statvfs;
    struct statvfs st = {
        .f_bsize = from->bsize,
        .f_frsize = from->frsize,
        .f_blocks = from->blocks,
        .f_bfree = from->bfree,
        .f_bavail = from->bavail,
        .f_files = from->files,
        .f_ffree = from->ffree,
        .f_favail = from->favail,
        .f_fsid = from->fsid,
        .f_flag = from->flag,
        .f_namemax = LY_MIN(from->namemax, (uint64_t)NAME_LEN_MAX),
    };
    if (operation->req)
        fuse_reply_statfs(operation->req, &st);
    operation->req = NULL;
    operation_end(operation);
}

static void statfs_done(void *user, LySftpReply *reply)
{
    Operation *operation = user;
    Mount *mount = operation->mount;
    LySftpStatvfs statvfs;
    operation->outstanding--;
    operation->status = reply->status;
    if (reply->status != SSH_FX_OK) {
        operation_explain(operation);
        return;
    }
    ly_get_statvfs(&reply->extended, &statvfs);
    if (reply->extended.failed) {
        operation_fail(operation, EIO);
        return;
    }
    mount->statvfs = statvfs;
    mount->statvfs_us = mount_now_us(mount);
    reply_statfs(operation);
}

static void statfs_start(Operation *operation)
{
    Mount *mount = operation->mount;
    LySftpClient *client = mount_client(mount);
    LyBytes path;
    if (!ly_sftp_client_has(client, LY_SFTP_EXTENSION_STATVFS)) {
        /* Nobody knows: much room, so that programs that look before they copy go on. */
        mount->statvfs = (LySftpStatvfs){.bsize = 4096,
                                         .frsize = 4096,
                                         .blocks = 1ull << 28,
                                         .bfree = 1ull << 28,
                                         .bavail = 1ull << 28,
                                         .files = 1u << 30,
                                         .ffree = 1u << 30,
                                         .favail = 1u << 30,
                                         .namemax = NAME_LEN_MAX};
        mount->statvfs_us = mount_now_us(mount);
        reply_statfs(operation);
        return;
    }
    if (!operation_path(operation, &path))
        return;
    operation->finish = operation_explain;
    operation_sent(operation, ly_sftp_statvfs(client, path, statfs_done, operation));
    operation_wait(operation);
}

void fs_statfs(fuse_req_t req, fuse_ino_t ino)
{
    Mount *mount = fuse_req_userdata(req);
    Operation *operation = operation_new(req, mount_inode(mount, ino), statfs_start);
    if (!operation)
        return;
    /* Also an old answer while the session is down: df and file choosers ask every mount. */
    bool stale_is_fine = mount->statvfs_us && mount->remote.state != REMOTE_UP;
    if (stale_is_fine || cache_is_fresh(mount, mount->statvfs_us, STATVFS_FRESH_US))
        reply_statfs(operation);
    else
        operation_begin(operation);
}
