/* read: every READ's data lands in a buffer of ours and goes to the kernel from there. A file's buffers lie
 * in the order of the file; reads that find theirs not filled yet wait. Only SSH_FX_EOF, or the size that is
 * known, ends a file: a failed or short READ never does. */
#include <errno.h>
#include <sys/uio.h>

#include "cache.h"
#include "file.h"

struct Chunk {
    LyLink link;
    File *file;
    Chunk *next_idle;
    uint64_t offset;
    uint32_t len, got, served; /* asked for, come, fetched by the kernel */
    uint8_t *buffer;
    uint64_t asked_us;
    uint64_t asked_size; /* of the file as far as it was known then */
    LySftpId id;         /* on its way */
    int error;
    bool at_eof; /* nothing comes behind `got` */
    bool ahead;  /* counted in ahead_len */
};

enum {
    PARTS_MAX = 300,
    AHEAD_TOTAL = 48 * 1024 * 1024,
    IDLE_US = 3 * 1000 * 1000,
    BEHIND = 1024 * 1024,
    IDLE_CHUNKS = 512,
    TRIP_PERIOD_US = 10 * 1000 * 1000
};

static void run(File *file);

static Chunk *chunk_new(File *file, uint64_t offset, uint32_t len)
{
    Mount *mount = file->mount;
    Chunk *chunk = mount->idle_chunks;
    if (chunk) {
        mount->idle_chunks = chunk->next_idle;
        mount->idle_chunk_count--;
        memset(chunk, 0, sizeof *chunk);
    } else {
        chunk = ly_new(Chunk);
    }
    chunk->file = file;
    chunk->offset = offset;
    chunk->len = len;
    chunk->buffer = buffer_take(&mount->buffers);
    file->chunk_count++;
    if (!file->reading.next)
        ly_list_append(&mount->reading, &file->reading);
    return chunk;
}

static void uncount_ahead(Chunk *chunk)
{
    if (chunk->ahead)
        chunk->file->mount->ahead_len -= chunk->len;
    chunk->ahead = false;
}

static void chunk_free(Chunk *chunk)
{
    File *file = chunk->file;
    Mount *mount = file->mount;
    if (chunk->id && mount_client(mount))
        ly_sftp_cancel(mount_client(mount), chunk->id);
    uncount_ahead(chunk);
    ly_link_remove(&chunk->link);
    buffer_give(&mount->buffers, chunk->buffer);
    if (--file->chunk_count == 0)
        ly_link_remove(&file->reading);
    mount_trim_later(mount);
    if (mount->idle_chunk_count < IDLE_CHUNKS) {
        chunk->next_idle = mount->idle_chunks;
        mount->idle_chunks = chunk;
        mount->idle_chunk_count++;
    } else {
        ly_free(chunk);
    }
}

void reader_free_pool(Mount *mount)
{
    for (Chunk *chunk = mount->idle_chunks, *next; chunk; chunk = next) {
        next = chunk->next_idle;
        ly_free(chunk);
    }
    mount->idle_chunks = NULL;
}

static void read_done(void *user, LySftpReply *reply);

static bool ask(Chunk *chunk)
{
    File *file = chunk->file;
    chunk->id = ly_sftp_read(mount_client(file->mount), file_handle(file), chunk->offset + chunk->got,
                             chunk->len - chunk->got, chunk->buffer + chunk->got, read_done, chunk);
    chunk->asked_us = mount_now_us(file->mount);
    chunk->asked_size = open_files_size(file->inode, file->inode->attrs.size);
    file->mount->statistics.read_requests++;
    return chunk->id != 0;
}

/* The shortest of this period and of the last one: a line may become longer, too. */
static void measure_trip(Mount *mount, uint64_t trip_us)
{
    uint64_t now_us = mount_now_us(mount);
    if (now_us - mount->trip_period_us > TRIP_PERIOD_US) {
        mount->last_trip_us = mount->trip_us;
        mount->trip_us = 0;
        mount->trip_period_us = now_us;
    }
    if (mount->trip_us == 0 || trip_us < mount->trip_us)
        mount->trip_us = LY_MAX(trip_us, 1u);
}

static uint64_t shortest_trip(const Mount *mount)
{
    return mount->last_trip_us && (mount->trip_us == 0 || mount->last_trip_us < mount->trip_us)
               ? mount->last_trip_us
               : mount->trip_us;
}

/* We made the file longer than it was when this was asked: its end is not the end any more. */
static bool end_moved(const Chunk *chunk)
{
    const File *file = chunk->file;
    uint64_t size = open_files_size(file->inode, file->inode->attrs.size);
    return size > chunk->asked_size && size > chunk->offset + chunk->got && file_is_alive(file);
}

static void read_done(void *user, LySftpReply *reply)
{
    Chunk *chunk = user;
    File *file = chunk->file;
    chunk->id = 0;
    measure_trip(file->mount, mount_now_us(file->mount) - chunk->asked_us);
    if (reply->status == SSH_FX_OK && reply->data_len > 0) {
        chunk->got += (uint32_t)reply->data_len;
        if (chunk->got < chunk->len) {
            if (file_is_alive(file) && ask(chunk))
                return;
            chunk->error = EIO;
        }
    } else if (reply->status == SSH_FX_EOF && end_moved(chunk)) {
        writer_send(file->inode);
        if (ask(chunk))
            return;
        chunk->error = EIO;
    } else if (reply->status == SSH_FX_EOF) {
        chunk->at_eof = true;
        if (chunk->offset + chunk->got < open_files_size(file->inode, file->inode->attrs.size))
            cache_changed(file->mount, file->inode); /* it shrank meanwhile */
    } else {
        int error = reply->status == SSH_FX_OK ? EIO : failure_plain_errno(FAILED_OTHER, reply->status);
        chunk->error = error > 0 ? error : EIO;
    }
    file_ref(file);
    run(file);
    file_unref(file);
}

static uint32_t request_len(const Mount *mount)
{
    uint64_t len = mount->options.max_read ? mount->options.max_read : BUFFER_LEN;
    uint64_t limit = ly_sftp_client_limits(mount_client(mount))->max_read;
    return (uint32_t)LY_MAX(LY_MIN(LY_MIN(len, limit ? limit : len), (uint64_t)BUFFER_LEN), 512u);
}

/* The first chunk that ends behind the offset, or NULL. */
static Chunk *chunk_at(const File *file, uint64_t offset)
{
    ly_list_each(&file->chunks, Chunk, link, each) if (each->offset + each->len > offset) return each;
    return NULL;
}

static Chunk *insert(File *file, uint64_t offset, uint32_t len)
{
    Chunk *chunk = chunk_new(file, offset, len);
    Chunk *last = ly_list_empty(&file->chunks) ? NULL : ly_container_of(file->chunks.head.prev, Chunk, link);
    Chunk *behind =
        last && last->offset + last->len > offset ? chunk_at(file, offset) : NULL; /* mostly it is the last */
    ly_link_insert(behind ? &behind->link : &file->chunks.head, &chunk->link);
    if (!ask(chunk)) {
        chunk_free(chunk);
        return NULL;
    }
    return chunk;
}

/* Where reading may stop without asking the server: a page that begins before the known end is read up to it.
 */
static uint64_t end_of(const File *file, uint64_t offset, uint64_t end)
{
    uint64_t size = open_files_size(file->inode, file->inode->attrs.size);
    return offset < size ? LY_MIN(end, size) : end;
}

/* Asks for what is missing of [offset, end). False when a request was refused. */
static bool cover(File *file, uint64_t offset, uint64_t end, bool round_up)
{
    uint32_t most = request_len(file->mount);
    while (offset < end) {
        Chunk *chunk = chunk_at(file, offset);
        if (chunk && chunk->offset <= offset) {
            if (chunk->at_eof || chunk->error)
                return true;
            offset = chunk->offset + chunk->len;
            continue;
        }
        uint64_t stop = round_up ? end_of(file, offset, offset + most) : end;
        if (chunk)
            stop = LY_MIN(stop, chunk->offset);
        uint32_t len = (uint32_t)LY_MIN(stop - offset, (uint64_t)most);
        if (!insert(file, offset, len))
            return false;
        offset += len;
    }
    return true;
}

static void read_ahead(File *file)
{
    Mount *mount = file->mount;
    uint64_t size = open_files_size(file->inode, file->inode->attrs.size);
    uint64_t at = file->ahead.end, end = LY_MIN(at + file->ahead.window, size);
    uint32_t most = request_len(mount);
    Chunk *last = ly_list_empty(&file->chunks) ? NULL : ly_container_of(file->chunks.head.prev, Chunk, link);
    if (last && last->offset + last->len > at)
        at = last->offset + last->len;
    /* Whole requests only, except at the end of the file. */
    while (at < end && (end - at >= most || end == size) && mount->ahead_len + most <= AHEAD_TOTAL) {
        uint32_t len = (uint32_t)LY_MIN(end - at, (uint64_t)most);
        Chunk *chunk = insert(file, at, len);
        if (!chunk)
            return;
        chunk->ahead = true;
        mount->ahead_len += len;
        mount->statistics.read_ahead_bytes += len;
        at += len;
    }
}

/* Answers the read if all of it is there. False: it has to wait. */
static bool serve(File *file, Operation *operation)
{
    struct iovec part[PARTS_MAX];
    Chunk *used[PARTS_MAX];
    size_t count = 0;
    uint64_t at = operation->offset, end = end_of(file, at, at + operation->size);
    for (Chunk *chunk; at < end; count++) {
        if (count == PARTS_MAX) { /* a short answer would be taken for the end of the file */
            operation_fail(operation, EIO);
            return true;
        }
        chunk = chunk_at(file, at);
        if (!chunk || chunk->offset > at || chunk->id)
            return false;
        if (chunk->error) {
            int error = chunk->error;
            chunk_free(chunk); /* the next read asks again */
            operation_fail(operation, error);
            return true;
        }
        uint64_t stop = LY_MIN(end, chunk->offset + chunk->got);
        size_t len = stop > at ? (size_t)(stop - at) : 0;
        part[count] = (struct iovec){chunk->buffer + (at - chunk->offset), len};
        used[count] = chunk;
        at += len;
        if (chunk->at_eof && at >= chunk->offset + chunk->got) {
            count++;
            break;
        }
    }
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += part[i].iov_len;
    file->mount->statistics.read_bytes += total;
    if (operation->req && count == 1) /* fuse_reply_iov allocates */
        fuse_reply_buf(operation->req, part[0].iov_base, part[0].iov_len);
    else if (operation->req)
        fuse_reply_iov(operation->req, part, (int)count);
    operation->req = NULL;
    operation_end(operation);
    for (size_t i = 0; i < count; i++) {
        Chunk *chunk = used[i];
        chunk->served += (uint32_t)part[i].iov_len;
        uncount_ahead(chunk);
        /* What the end of the file was is asked again the next time. */
        if (chunk->served >= chunk->got || chunk->at_eof)
            chunk_free(chunk);
    }
    return true;
}

/* Lets go of what a sequential reader left behind, and of what a random one did not fetch. */
static void drop_behind(File *file)
{
    uint64_t edge = file->ahead.end > BEHIND ? file->ahead.end - BEHIND : 0;
    ly_list_each(&file->chunks, Chunk, link,
                 each) if (!each->id && (file->ahead.window == 0 || each->offset + each->len <= edge))
        chunk_free(each);
}

/* Behind all that was written: what comes may be kept for later reads. */
static bool ask_for(File *file, Operation *operation)
{
    writer_send(file->inode);
    uint64_t end = end_of(file, operation->offset, operation->offset + operation->size);
    return cover(file, operation->offset, end, file->ahead.window != 0);
}

/* Answers all reads that can be, in order. */
static void run(File *file)
{
    ly_list_each(&file->waiting, Operation, queue, each)
    {
        if (!each->req) {
            operation_end(each);
            continue;
        }
        if (!file_is_alive(file)) {
            operation_fail(each, EIO);
            continue;
        }
        if (!serve(file, each) && !ask_for(file, each)) /* something it counted on was dropped */
            operation_fail(each, EIO);
    }
    if (ly_list_empty(&file->waiting))
        drop_behind(file);
}

void fs_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
    File *file = file_of(fi);
    Mount *mount = file->mount;
    Operation *operation = operation_new(req, NULL, NULL);
    if (!operation)
        return;
    mount->statistics.reads++;
    if (!file_is_alive(file)) {
        operation_fail(operation, EIO);
        return;
    }
    operation->offset = (uint64_t)offset;
    operation->size = size;
    operation->file = file;
    file_ref(file);
    file->read_us = mount_now_us(mount);
    if (!mount->options.no_readahead)
        read_ahead_step(&file->ahead, operation->offset, size, file->read_us, shortest_trip(mount));
    bool asked = ask_for(file, operation);
    if (asked && file->ahead.window)
        read_ahead(file);
    if (!asked) {
        operation_fail(operation, EIO);
    } else if (!serve(file, operation)) {
        mount->statistics.reads_that_waited++;
        read_ahead_stalled(&file->ahead);
        ly_list_append(&file->waiting, &operation->queue);
    }
}

void reader_forget(Inode *inode, uint64_t offset, uint64_t len)
{
    if (!inode->open)
        return;
    uint64_t end = len > UINT64_MAX - offset ? UINT64_MAX : offset + len;
    ly_list_each(&inode->open->files, File, link, file)
    {
        if (file->chunk_count == 0)
            continue;
        bool dropped = false;
        ly_list_each(&file->chunks, Chunk, link,
                     each) if ((each->offset < end && each->offset + each->len > offset) || each->at_eof)
        {
            chunk_free(each);
            dropped = true;
        }
        /* Reads that waited for it ask anew, behind the change. */
        if (dropped)
            run(file);
    }
}

void reader_close(File *file)
{
    Operation *operation;
    while ((operation = ly_list_first(&file->waiting, Operation, queue)))
        operation_fail(operation, EIO);
    Chunk *chunk;
    while ((chunk = ly_list_first(&file->chunks, Chunk, link)))
        chunk_free(chunk);
}

bool readers_trim(Mount *mount)
{
    uint64_t now_us = mount_now_us(mount);
    ly_list_each(&mount->reading, File, reading,
                 file) if (now_us - file->read_us > IDLE_US && ly_list_empty(&file->waiting))
    {
        reader_close(file); /* the link goes with the last chunk */
        file->ahead = (ReadAhead){0};
    }
    return !ly_list_empty(&mount->reading);
}
