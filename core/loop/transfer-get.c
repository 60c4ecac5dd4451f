/* fast_get: READs of a file in any order, each written where it belongs when its reply is whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "loop/transfer-private.h"

static void ask(LyTransfer *transfer);

/* Asked without changing it, which other threads would notice. */
static mode_t process_umask(void)
{
    char line[100];
    unsigned mask = 077;
    FILE *status = fopen("/proc/self/status", "re");
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, "Umask:", 6) == 0)
            mask = (unsigned)strtoul(line + 6, NULL, 8);
    if (status)
        fclose(status);
    return mask & 0777;
}

/* ---- the end ---- */

typedef struct Sync {
    LyTransfer *transfer;
    int fd, failure;
} Sync;

static void sync_work(void *data)
{
    Sync *sync = data;
    sync->failure = fsync(sync->fd) < 0 ? errno : 0;
    if (close(sync->fd) < 0 && !sync->failure)
        sync->failure = errno;
    sync->fd = -1;
}

static void sync_done(void *data, bool cancelled)
{
    Sync *sync = data;
    LyTransfer *transfer = sync->transfer;
    int failure = sync->failure;
    if (sync->fd >= 0) /* cancelled before a thread came to it */
        close(sync->fd);
    ly_free(sync);
    if (cancelled)
        return;
    transfer->job = NULL;
    if (failure)
        ly_transfer_fail_local(transfer, failure, "write");
    ly_transfer_end(transfer);
}

/* Reserved but unused, or written past where the source ended after all. Permissions come last: they may
 * forbid what was done before. */
static bool settle_local(LyTransfer *transfer)
{
    const LySftpAttrs *source = &transfer->source;
    if (transfer->written > transfer->end && ftruncate(transfer->fd, (off_t)transfer->end) < 0)
        return false;
    if (!transfer->options.preserve)
        return true;
    struct timespec times[2] = {{.tv_sec = source->atime}, {.tv_sec = source->mtime}};
    if (source->flags & SSH_FILEXFER_ATTR_ACMODTIME && futimens(transfer->fd, times) < 0)
        return false;
    /* Without set-user-ID and the like: the owner is another one. */
    return !(source->flags & SSH_FILEXFER_ATTR_PERMISSIONS) ||
           fchmod(transfer->fd, source->permissions & 0777) == 0;
}

static void all_read(LyTransfer *transfer)
{
    int fd = transfer->fd;
    transfer->done_len = LY_MIN(transfer->done_len, transfer->end);
    if (!settle_local(transfer)) {
        ly_transfer_fail_local(transfer, errno, "finish");
        return;
    }
    if (!ly_transfer_check_size(transfer, transfer->remote_path, " on the server"))
        return;
    transfer->fd = -1;
    if (transfer->options.fsync) {
        Sync *sync = ly_new(Sync);
        *sync = (Sync){.transfer = transfer, .fd = fd};
        transfer->job = ly_loop_work(transfer->loop, sync_work, sync_done, sync);
        return;
    }
    if (close(fd) < 0 && errno != EINTR)
        ly_transfer_fail_local(transfer, errno, "write");
    ly_transfer_end(transfer);
}

/* ---- the chunks ---- */

static bool write_at(LyTransfer *transfer, uint64_t offset, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t wrote = pwrite(transfer->fd, transfer->buffer + done, len - done, (off_t)(offset + done));
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0) {
            ly_transfer_fail_local(transfer, wrote < 0 ? errno : ENOSPC, "write");
            return false;
        }
        done += (size_t)wrote;
    }
    transfer->written = LY_MAX(transfer->written, offset + len);
    transfer->done_len += len;
    return true;
}

static void chunk_read(void *user, LySftpReply *reply);

static bool ask_chunk(LyTransferChunk *chunk)
{
    LyTransfer *transfer = chunk->transfer;
    chunk->id = ly_sftp_read(transfer->client, ly_transfer_handle(transfer), chunk->offset, chunk->len,
                             transfer->buffer, chunk_read, chunk);
    return chunk->id != 0;
}

static void chunk_read(void *user, LySftpReply *reply)
{
    LyTransferChunk *chunk = user;
    LyTransfer *transfer = chunk->transfer;
    bool past = chunk->offset >= transfer->size; /* what the source claimed to have */
    chunk->id = 0;
    if (reply->type == LY_SFTP_REPLY_DATA && reply->data_len) {
        if (!write_at(transfer, chunk->offset, reply->data_len))
            return;
        chunk->offset += reply->data_len;
        chunk->len -= (uint32_t)reply->data_len;
        ly_transfer_progress(transfer);
        /* A file that grew may have much more; one that gives little at once is asked for little. */
        if (past)
            transfer->ahead = chunk->len ? 1 : LY_MIN(transfer->ahead * 2, transfer->concurrency);
    } else if (reply->type == LY_SFTP_REPLY_DATA || reply->status == SSH_FX_EOF) {
        /* (An answer of no bytes is an end too: asking on would never stop.) */
        transfer->end = LY_MIN(transfer->end, chunk->offset);
    } else {
        ly_transfer_fail_remote(transfer, reply, "read");
        return;
    }
    if (!chunk->len || chunk->offset >= transfer->end)
        ly_transfer_give_chunk(transfer, chunk);
    else if (!ask_chunk(chunk))
        ly_transfer_fail_remote(transfer, NULL, "read");
    if (!transfer->ended)
        ask(transfer);
}

/* As many as may be of what the source claims to have; past that, to see whether it ends there, a few more
 * with each that was whole. */
static void ask(LyTransfer *transfer)
{
    while (transfer->next < transfer->end) {
        bool past = transfer->next >= transfer->size;
        if (past && transfer->in_flight >= transfer->ahead && transfer->next > transfer->size)
            break;
        LyTransferChunk *chunk = ly_transfer_take_chunk(transfer);
        if (!chunk)
            break;
        uint64_t left = past ? UINT64_MAX : transfer->size - transfer->next;
        chunk->offset = transfer->next;
        chunk->len = (uint32_t)LY_MIN(left, (uint64_t)transfer->chunk);
        if (!ask_chunk(chunk)) {
            ly_transfer_give_chunk(transfer, chunk);
            if (!transfer->in_flight)
                ly_transfer_fail_remote(transfer, NULL, "read");
            break;
        }
        transfer->next += chunk->len;
    }
    if (!transfer->ended && transfer->in_flight == 0)
        all_read(transfer);
}

/* ---- the beginning ---- */

static void begin(LyTransfer *transfer)
{
    const LySftpAttrs *source = &transfer->source;
    bool has_mode = source->flags & SSH_FILEXFER_ATTR_PERMISSIONS;
    if (has_mode && S_ISDIR(source->permissions)) {
        ly_error_set(&transfer->error, LY_ERROR_IO, "%s on the server is a directory",
                     LY_PRINTABLE(ly_bytes_str(transfer->remote_path)));
        ly_transfer_end(transfer);
        return;
    }
    mode_t mode = (has_mode ? source->permissions & 0777 : 0666) & ~process_umask();
    transfer->begun = true;
    transfer->size = source->flags & SSH_FILEXFER_ATTR_SIZE ? source->size : 0;
    if (transfer->created && transfer->options.mode == UINT32_MAX && fchmod(transfer->fd, mode) < 0) {
        ly_transfer_fail_local(transfer, errno, "set the permissions of");
    } else if (ftruncate(transfer->fd, 0) < 0) {
        ly_transfer_fail_local(transfer, errno, "truncate");
    } else {
        ly_transfer_prepare(transfer, ly_sftp_client_limits(transfer->client)->max_read);
        ask(transfer);
    }
}

static void examined(void *user, LySftpReply *reply)
{
    LyTransfer *transfer = user;
    transfer->asked = 0;
    if (reply->type == LY_SFTP_REPLY_ATTRS)
        transfer->source = reply->attrs;
    /* A server that cannot tell may be able to read. */
    if (reply->type != LY_SFTP_REPLY_ATTRS &&
        (transfer->options.preserve || reply->status == SSH_FX_CONNECTION_LOST))
        ly_transfer_fail_remote(transfer, reply, "examine");
    else
        begin(transfer);
}

static void opened(void *user, LySftpReply *reply)
{
    LyTransfer *transfer = user;
    if (!ly_transfer_opened(transfer, reply))
        return;
    transfer->asked = ly_sftp_fstat(transfer->client, reply->handle, examined, transfer);
    if (!transfer->asked)
        ly_transfer_fail_remote(transfer, NULL, "examine");
}

/* A new file is nobody else's until the source's permissions are known. */
static bool open_local(LyTransfer *transfer, LyError *error)
{
    mode_t mode = transfer->options.mode == UINT32_MAX ? 0600 : transfer->options.mode & 0777;
    const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK; /* no FIFO is waited for */
    struct stat stat;
    transfer->fd = open(transfer->local_path, flags | O_EXCL, mode);
    transfer->created = transfer->fd >= 0;
    if (transfer->fd < 0 && errno == EEXIST)
        transfer->fd = open(transfer->local_path, flags, mode);
    if (transfer->fd < 0 || fstat(transfer->fd, &stat) < 0)
        return ly_error_set_errno(error, errno, "cannot open %s",
                                  LY_PRINTABLE(ly_bytes_str(transfer->local_path)));
    return S_ISREG(stat.st_mode) || ly_error_set(error, LY_ERROR_IO, "%s is not a regular file",
                                                 LY_PRINTABLE(ly_bytes_str(transfer->local_path)));
}

LyTransfer *ly_fast_get(LyLoop *loop, LySftpClient *client, LyBytes remote_path, const char *local_path,
                        const LyTransferOptions *options, LyError *error)
{
    LyTransfer *transfer = ly_transfer_new(loop, client, remote_path, local_path, options);
    if (!open_local(transfer, error)) {
        ly_transfer_free(transfer);
        return NULL;
    }
    transfer->asked = ly_sftp_open(client, remote_path, SSH_FXF_READ, NULL, opened, transfer);
    return ly_transfer_begun(transfer, error);
}
