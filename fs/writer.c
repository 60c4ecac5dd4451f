/* write: answered once accepted; the WRITEs go out at once, large ones from the request's own memory, small
 * ones put together. How much may be unacknowledged is bounded; the first error of a handle is kept until
 * somebody is told. */
#include <errno.h>

#include "cache.h"
#include "file.h"

struct WriteRecord {
    LyLink link; /* among the inode's records */
    File *file;  /* counted */
    WriteRecord *next_idle;
    uint64_t number;
    uint32_t len;
    uint32_t status; /* of the WRITE, while its reason is looked for */
};

enum {
    UNACKNOWLEDGED_MAX = 8 * 1024 * 1024,
    UNSENT_MAX = 1024 * 1024,
    MERGE_US = 5 * 1000,
    IDLE_RECORDS = 256
};

static uint32_t request_len(const Mount *mount)
{
    uint64_t len = mount->options.max_write ? mount->options.max_write : BUFFER_LEN;
    uint64_t limit = ly_sftp_client_limits(mount_client(mount))->max_write;
    return (uint32_t)LY_MAX(LY_MIN(LY_MIN(len, limit ? limit : len), (uint64_t)BUFFER_LEN), 512u);
}

static void keep_error(File *file, int error)
{
    if (!file->write_error) {
        file->write_error = error;
        file->write_error_told = false;
    }
    if (file->released)
        ly_log(&file->mount->options.log, LY_LOG_ERROR,
               "data was lost: a write failed after its file was closed: %s", strerror(error));
}

int writer_take_error(File *file)
{
    int error = file->write_error;
    file->write_error = 0;
    file->write_error_told = false;
    return error;
}

/* Operations whose writes are all answered go on. */
static void wake_waiters(Inode *inode)
{
    for (;;) {
        OpenFiles *open = inode->open;
        Operation *operation = open ? ly_list_first(&open->waiters, Operation, queue) : NULL;
        WriteRecord *oldest = open ? ly_list_first(&open->records, WriteRecord, link) : NULL;
        if (!operation || (oldest && oldest->number <= operation->other_offset))
            return;
        ly_link_remove(&operation->queue);
        operation->start(operation);
    }
}

static void reply_written(Operation *operation)
{
    if (operation->req)
        fuse_reply_write(operation->req, operation->size);
    operation->req = NULL;
    operation_end(operation);
}

/* Enough is on its way: what the link does not take is a copy in memory, and lost when the session dies. */
static bool is_full(const Mount *mount)
{
    return mount->unacknowledged_len >= UNACKNOWLEDGED_MAX ||
           (mount_client(mount) && mount->unacknowledged_len &&
            ly_sftp_client_pending_len(mount_client(mount)) >= UNSENT_MAX);
}

static void wake_held(Mount *mount)
{
    Operation *operation;
    while (!is_full(mount) && (operation = ly_list_first(&mount->held_writes, Operation, queue)))
        reply_written(operation);
}

static void record_end(WriteRecord *record)
{
    File *file = record->file;
    Mount *mount = file->mount;
    Inode *inode = file->inode;
    ly_link_remove(&record->link);
    mount->unacknowledged_len -= record->len;
    file->unanswered--;
    if (mount->idle_record_count < IDLE_RECORDS) {
        record->next_idle = mount->idle_records;
        mount->idle_records = record;
        mount->idle_record_count++;
    } else {
        ly_free(record);
    }
    inode_ref(inode);
    wake_waiters(inode);
    wake_held(mount);
    inode_unref(&mount->inodes, inode);
    file_unref(file);
}

static void space_done(void *user, LySftpReply *reply)
{
    WriteRecord *record = user;
    FailureFacts facts = {.kind = FAILED_WRITE, .status = record->status};
    LySftpStatvfs statvfs;
    if (reply->status == SSH_FX_OK) {
        ly_get_statvfs(&reply->extended, &statvfs);
        facts.space_known = !reply->extended.failed;
        facts.space_none = statvfs.bavail == 0;
        facts.read_only = statvfs.flag & LY_SFTP_STATVFS_RDONLY;
    }
    keep_error(record->file, failure_errno(&facts));
    record_end(record);
}

static void write_done(void *user, LySftpReply *reply)
{
    WriteRecord *record = user;
    File *file = record->file;
    LySftpClient *client = mount_client(file->mount);
    if (reply->status != SSH_FX_OK) {
        cache_changed(file->mount, file->inode);
        if (file->inode->open)
            file->inode->open->size_grown = false; /* what we thought was written is not */
        int error = failure_plain_errno(FAILED_WRITE, reply->status);
        record->status = reply->status;
        if (error < 0 && !file->write_error && client &&
            ly_sftp_client_has(client, LY_SFTP_EXTENSION_FSTATVFS) &&
            ly_sftp_fstatvfs(client, file_handle(file), space_done, record))
            return; /* its answer goes on */
        keep_error(file, error > 0 ? error : EIO);
    }
    record_end(record);
}

static WriteRecord *record_new(File *file, uint32_t len)
{
    Mount *mount = file->mount;
    OpenFiles *open = file->inode->open;
    WriteRecord *record = mount->idle_records;
    if (record) {
        mount->idle_records = record->next_idle;
        mount->idle_record_count--;
        memset(record, 0, sizeof *record);
    } else {
        record = ly_new(WriteRecord);
    }
    record->file = file;
    record->len = len;
    record->number = ++open->sent;
    file_ref(file);
    file->unanswered++;
    mount->unacknowledged_len += len;
    ly_list_append(&open->records, &record->link);
    return record;
}

static void send_data(File *file, uint64_t offset, LyBytes data)
{
    Mount *mount = file->mount;
    if (!file_is_alive(file)) {
        keep_error(file, EIO);
        return;
    }
    uint32_t most = request_len(mount);
    while (data.len) {
        LyBytes part = ly_bytes_slice(data, 0, most);
        WriteRecord *record = record_new(file, (uint32_t)part.len);
        mount->statistics.write_requests++;
        if (!ly_sftp_write(mount_client(mount), file_handle(file), offset, part, write_done, record)) {
            keep_error(file, EIO);
            record_end(record);
            return;
        }
        offset += part.len;
        data = ly_bytes_slice(data, part.len, SIZE_MAX);
    }
}

static void send_merged(File *file)
{
    Mount *mount = file->mount;
    uint8_t *merge = file->merge;
    if (!merge)
        return;
    ly_link_remove(&file->merging);
    file->merge = NULL;
    file_ref(file);
    send_data(file, file->merge_offset, ly_bytes(merge, file->merge_len));
    buffer_give(&mount->buffers, merge);
    mount_trim_later(mount);
    file_unref(file);
}

void writer_send(Inode *inode)
{
    if (!inode->open)
        return;
    ly_list_each(&inode->open->files, File, link, file) send_merged(file);
}

bool writer_wait(Inode *inode, Operation *operation)
{
    OpenFiles *open = inode->open;
    if (!open)
        return true;
    if (operation->other_offset == 0) { /* the first time */
        writer_send(inode);
        operation->other_offset = open->sent;
    }
    WriteRecord *oldest = ly_list_first(&open->records, WriteRecord, link);
    if (!oldest || oldest->number > operation->other_offset)
        return true;
    ly_list_append(&open->waiters, &operation->queue);
    return false;
}

bool writer_settle(Operation *operation)
{
    if (!writer_wait(operation->inode, operation))
        return false;
    int error = writer_take_error(operation->file);
    if (error)
        operation_fail(operation, error);
    return !error;
}

/* Small writes that go on where the last one ended are put together; anything else is sent behind them. */
static void merge(File *file, uint64_t offset, LyBytes data)
{
    Mount *mount = file->mount;
    uint32_t most = request_len(mount);
    if (file->merge && (file->merge_offset + file->merge_len != offset || file->merge_len + data.len > most))
        send_merged(file);
    if (data.len >= most / 2) {
        send_merged(file);
        send_data(file, offset, data);
        return;
    }
    if (!file->merge) {
        file->merge = buffer_take(&mount->buffers);
        file->merge_len = 0;
        file->merge_offset = offset;
        file->merge_us = mount_now_us(mount);
        if (ly_list_empty(&mount->merging))
            ly_timer_set(mount->merge_timer, file->merge_us + MERGE_US);
        ly_list_append(&mount->merging, &file->merging);
    }
    memcpy(file->merge + file->merge_len, data.data, data.len);
    file->merge_len += data.len;
    if (file->merge_len == most)
        send_merged(file);
}

static void merge_due(void *user)
{
    Mount *mount = user;
    File *file;
    uint64_t now_us = mount_now_us(mount);
    while ((file = ly_list_first(&mount->merging, File, merging)) && file->merge_us + MERGE_US <= now_us)
        send_merged(file);
    ly_timer_set(mount->merge_timer, file ? file->merge_us + MERGE_US : UINT64_MAX);
}

/* Its data is accepted already, only the answer was held back. */
static void held_given_up(Operation *operation)
{
    reply_written(operation);
}

static void sync_start(Operation *operation)
{
    if (writer_settle(operation))
        reply_written(operation);
}

void fs_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
              struct fuse_file_info *fi)
{
    File *file = file_of(fi);
    Mount *mount = file->mount;
    Inode *inode = file->inode;
    Operation *operation = operation_new(req, inode, sync_start);
    if (!operation)
        return;
    mount->statistics.writes++;
    if (!file_is_alive(file)) {
        operation_fail(operation, EIO);
        return;
    }
    if (file->write_error && !file->write_error_told) {
        file->write_error_told = true;
        operation_fail(operation, file->write_error);
        return;
    }
    if (offset < 0 || size > (uint64_t)INT64_MAX - (uint64_t)offset) {
        operation_fail(operation, EFBIG);
        return;
    }
    OpenFiles *open = inode->open;
    uint64_t end = (uint64_t)offset + size;
    open->size_known = open->size_grown ? LY_MAX(open->size_known, end) : LY_MAX(inode->attrs.size, end);
    open->size_grown = true;
    inode->kept = false;
    cache_changed(mount, inode);
    operation->file = file;
    file_ref(file);
    operation->size = size;
    mount->statistics.write_bytes += size;
    /* Another handle may hold back what this one writes over. */
    if (open->files.head.next->next != &open->files.head)
        ly_list_each(&open->files, File, link, each) if (each != file) send_merged(each);
    merge(file, (uint64_t)offset, ly_bytes(data, size));
    reader_forget(inode, (uint64_t)offset, size);
    if (mount->options.sync_write) {
        sync_start(operation);
    } else if (is_full(mount)) {
        operation->interrupt = held_given_up;
        ly_list_append(&mount->held_writes, &operation->queue);
    } else {
        reply_written(operation);
    }
}

void writers_init(Mount *mount)
{
    ly_list_init(&mount->merging);
    ly_list_init(&mount->held_writes);
    mount->merge_timer = ly_timer_new(mount->loop, merge_due, mount);
}

void writers_free(Mount *mount)
{
    for (WriteRecord *record = mount->idle_records, *next; record; record = next) {
        next = record->next_idle;
        ly_free(record);
    }
    mount->idle_records = NULL;
    ly_timer_free(mount->merge_timer);
}
