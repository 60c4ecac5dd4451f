#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cache.h"
#include "file.h"
#include "operation.h"

enum { IDLE_MAX = 64, PATIENCE_US = 2 * 1000 * 1000 };

static void go(RemoteWaiter *waiter, int error);

/* ---- interrupts: an unanswered one leaves the process unkillable, an EINTR given at once breaks programs
 * whose timers fire. So: at once when nothing can come any more or the process is being killed, else after a
 * while. */

static bool sigkill_pending(pid_t pid)
{
    char path[40], text[4096];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return true; /* it is gone */
    ssize_t len = read(fd, text, sizeof text - 1);
    close(fd);
    if (len <= 0)
        return true;
    text[len] = '\0';
    static const char *const names[] = {"\nSigPnd:", "\nShdPnd:"};
    for (size_t i = 0; i < LY_COUNT(names); i++) {
        const char *at = strstr(text, names[i]);
        if (at && strtoull(at + strlen(names[i]), NULL, 16) & 1ull << (SIGKILL - 1))
            return true;
    }
    return false;
}

static void give_up(Operation *operation)
{
    bool waits = operation->queue.next || operation->waiter.link.next;
    operation->mount->statistics.interrupts++;
    if (operation->interrupt) {
        operation->interrupt(operation);
        return;
    }
    fuse_reply_err(operation->req, EINTR);
    operation->req = NULL;
    /* With replies on their way it lives on to drop them, and what they bring. */
    if (waits && operation->outstanding == 0)
        operation_end(operation);
}

static void schedule_interrupts(Mount *mount)
{
    uint64_t at_us = UINT64_MAX;
    ly_list_each(&mount->operations, Operation, link, each) if (each->interrupted && each->req) at_us =
        LY_MIN(at_us, each->started_us + PATIENCE_US);
    ly_timer_set(mount->interrupt_timer, at_us);
}

static void interrupts_due(void *user)
{
    Mount *mount = user;
    uint64_t now_us = mount_now_us(mount);
    for (bool again = true; again;) {
        again = false;
        ly_list_each(&mount->operations, Operation, link, each) if (!again && each->interrupted &&
                                                                    each->req &&
                                                                    each->started_us + PATIENCE_US <= now_us)
        {
            give_up(each); /* may end it and others: look from the start */
            again = true;
        }
    }
    schedule_interrupts(mount);
}

static void interrupted(fuse_req_t req, void *user)
{
    Operation *operation = user;
    Mount *mount = operation->mount;
    if (operation->req != req)
        return;
    operation->interrupted = true;
    bool old = mount_now_us(mount) - operation->started_us >= PATIENCE_US;
    if (old || mount->remote.state != REMOTE_UP || sigkill_pending(fuse_req_ctx(req)->pid))
        give_up(operation);
    else
        schedule_interrupts(mount);
}

/* ---- life ---- */

Operation *operation_new(fuse_req_t req, Inode *inode, void (*start)(Operation *operation))
{
    Mount *mount = fuse_req_userdata(req);
    Operation *operation = ly_list_first(&mount->idle_operations, Operation, link);
    if (operation) {
        ly_link_remove(&operation->link);
        mount->idle_operation_count--;
        memset(operation, 0, sizeof *operation);
    } else {
        operation = ly_new(Operation);
    }
    operation->mount = mount;
    operation->req = req;
    operation->start = start;
    operation->started_us = mount_now_us(mount);
    operation->waiter.go = go;
    operation->inode = inode;
    if (inode)
        inode_ref(inode);
    ly_list_append(&mount->operations, &operation->link);
    mount->statistics.requests++;
    fuse_req_interrupt_func(req, interrupted, operation);
    if (!operation->req) { /* it was interrupted before we read it */
        operation_end(operation);
        return NULL;
    }
    return operation;
}

static void go(RemoteWaiter *waiter, int error)
{
    Operation *operation = ly_container_of(waiter, Operation, waiter);
    if (error)
        operation_fail(operation, error);
    else
        operation->start(operation);
}

void operation_begin(Operation *operation)
{
    Remote *remote = &operation->mount->remote;
    int error = remote_check(remote);
    if (error == EAGAIN)
        remote_wait(remote, &operation->waiter);
    else
        go(&operation->waiter, error);
}

void operation_end(Operation *operation)
{
    Mount *mount = operation->mount;
    if (operation->req)
        fuse_reply_err(operation->req, EIO);
    operation->req = NULL;
    ly_link_remove(&operation->link);
    ly_link_remove(&operation->queue);
    remote_stop_waiting(&operation->waiter);
    ly_free(operation->name);
    ly_free(operation->other_name);
    operation->name = operation->other_name = NULL;
    if (operation->file)
        file_unref(operation->file);
    if (operation->other_file)
        file_unref(operation->other_file);
    inode_unref(&mount->inodes, operation->inode);
    inode_unref(&mount->inodes, operation->other);
    if (mount->idle_operation_count < IDLE_MAX) {
        ly_list_prepend(&mount->idle_operations, &operation->link);
        mount->idle_operation_count++;
    } else {
        ly_free(operation);
    }
}

void operation_sent(Operation *operation, LySftpId id)
{
    if (id)
        operation->outstanding++;
    else
        operation->status = SSH_FX_CONNECTION_LOST;
}

void operation_wait(Operation *operation)
{
    if (operation->outstanding == 0)
        operation->finish(operation);
}

void operation_received(Operation *operation)
{
    if (--operation->outstanding == 0)
        operation->finish(operation);
}

void operation_status_done(void *user, LySftpReply *reply)
{
    Operation *operation = user;
    if (operation->status == SSH_FX_OK)
        operation->status = reply->status;
    operation_received(operation);
}

void operation_attrs_done(void *user, LySftpReply *reply)
{
    Operation *operation = user;
    operation->attrs_status = reply->status;
    if (reply->status == SSH_FX_OK) {
        operation->attrs = reply->attrs;
        operation->has_attrs = true;
    }
    operation_received(operation);
}

void operation_fail(Operation *operation, int error)
{
    if (operation->req) {
        if (error != ENOENT)
            operation->mount->statistics.errors++;
        fuse_reply_err(operation->req, error);
    }
    operation->req = NULL;
    operation_end(operation);
}

void operation_succeed(Operation *operation)
{
    if (operation->req)
        fuse_reply_err(operation->req, 0);
    operation->req = NULL;
    operation_end(operation);
}

bool operation_path(Operation *operation, LyBytes *path)
{
    if (mount_path(operation->mount, operation->inode, ly_bytes_str(operation->name), path))
        return true;
    operation_fail(operation, operation->inode->gone ? ENOENT : ENAMETOOLONG);
    return false;
}

/* ---- the error path ---- */

static void target_done(void *user, LySftpReply *reply)
{
    Operation *operation = user;
    FailureFacts *facts = &operation->facts;
    facts->target_known = reply->status == SSH_FX_OK || reply->status == SSH_FX_NO_SUCH_FILE;
    facts->target_exists = reply->status == SSH_FX_OK;
    if (reply->status == SSH_FX_OK)
        facts->target_is_directory = attributes_type(&reply->attrs) == S_IFDIR;
    operation_received(operation);
}

static void space_done(void *user, LySftpReply *reply)
{
    Operation *operation = user;
    FailureFacts *facts = &operation->facts;
    LySftpStatvfs statvfs;
    if (reply->status == SSH_FX_OK) {
        ly_get_statvfs(&reply->extended, &statvfs);
        if (!reply->extended.failed) {
            facts->space_known = true;
            facts->space_none = statvfs.bavail == 0 || (statvfs.files && statvfs.favail == 0);
            facts->read_only = statvfs.flag & LY_SFTP_STATVFS_RDONLY;
            facts->name_max = statvfs.namemax;
            operation->offset = statvfs.fsid;
        }
    }
    operation_received(operation);
}

static void other_space_done(void *user, LySftpReply *reply)
{
    Operation *operation = user;
    LySftpStatvfs statvfs;
    if (reply->status == SSH_FX_OK && operation->facts.space_known) {
        ly_get_statvfs(&reply->extended, &statvfs);
        operation->facts.devices_known = !reply->extended.failed;
        operation->facts.devices_differ = statvfs.fsid != operation->offset;
    }
    operation_received(operation);
}

static void explained(Operation *operation)
{
    operation_fail(operation, failure_errno(&operation->facts));
}

void operation_explain(Operation *operation)
{
    Mount *mount = operation->mount;
    LySftpClient *client = mount_client(mount);
    FailureFacts *facts = &operation->facts;
    if (operation->status == SSH_FX_NO_SUCH_FILE && operation->inode) {
        /* Somebody removed what we still believed to be there: nothing else of it is believed either. */
        cache_changed(mount, operation->inode);
        if (operation->inode->listing)
            operation->inode->listing->complete_us = 0;
    }
    int error = failure_plain_errno(operation->failure, operation->status);
    if (error >= 0 || !client || !operation->req) {
        operation_fail(operation, error > 0 ? error : EIO);
        return;
    }
    facts->kind = operation->failure;
    facts->status = operation->status;
    bool two = operation->other_name != NULL; /* a rename: the target is the other name */
    Inode *directory = two ? operation->other : operation->inode;
    const char *name = two ? operation->other_name : operation->name;
    LyBytes path;
    facts->name_len = name ? strlen(name) : 0;
    operation->finish = explained;
    if (mount_path(mount, directory, ly_bytes_str(name), &path)) {
        facts->path_len = path.len;
        operation_sent(operation, ly_sftp_lstat(client, path, target_done, operation));
    }
    if (ly_sftp_client_has(client, LY_SFTP_EXTENSION_STATVFS)) {
        if (mount_path(mount, operation->inode, (LyBytes){0}, &path))
            operation_sent(operation, ly_sftp_statvfs(client, path, space_done, operation));
        if (operation->other && mount_path(mount, operation->other, (LyBytes){0}, &path)) /* a link's too */
            operation_sent(operation, ly_sftp_statvfs(client, path, other_space_done, operation));
    }
    operation_wait(operation);
}

void operations_init(Mount *mount)
{
    ly_list_init(&mount->operations);
    ly_list_init(&mount->idle_operations);
    mount->interrupt_timer = ly_timer_new(mount->loop, interrupts_due, mount);
}

void operations_free(Mount *mount)
{
    Operation *operation;
    while ((operation = ly_list_first(&mount->operations, Operation, link)))
        operation_end(operation);
    while ((operation = ly_list_first(&mount->idle_operations, Operation, link))) {
        ly_link_remove(&operation->link);
        ly_free(operation);
    }
    ly_timer_free(mount->interrupt_timer);
}
