/* fast_put: the file is read in order and written in as many WRITEs as the connection takes. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "loop/transfer-private.h"

/* ---- the end ---- */

static void closed(void *user, LySftpReply *reply)
{
    LyTransfer *transfer = user;
    transfer->asked = 0;
    if (reply->status != SSH_FX_OK)
        ly_transfer_fail_remote(transfer, reply, "close");
    ly_transfer_end(transfer);
}

static void close_remote(LyTransfer *transfer)
{
    LyBytes handle = ly_transfer_handle(transfer);
    transfer->handle_len = 0; /* it is closed once */
    transfer->asked = ly_sftp_close(transfer->client, handle, closed, transfer);
    if (!transfer->asked)
        ly_transfer_fail_remote(transfer, NULL, "close");
}

static void synced(void *user, LySftpReply *reply)
{
    LyTransfer *transfer = user;
    transfer->asked = 0;
    if (reply->status == SSH_FX_OK)
        close_remote(transfer);
    else
        ly_transfer_fail_remote(transfer, reply, "write");
}

static void sync_remote(LyTransfer *transfer)
{
    if (!transfer->options.fsync || !ly_sftp_client_has(transfer->client, LY_SFTP_EXTENSION_FSYNC)) {
        close_remote(transfer);
        return;
    }
    transfer->asked = ly_sftp_fsync(transfer->client, ly_transfer_handle(transfer), synced, transfer);
    if (!transfer->asked)
        ly_transfer_fail_remote(transfer, NULL, "write");
}

static void attributes_set(void *user, LySftpReply *reply)
{
    LyTransfer *transfer = user;
    transfer->asked = 0;
    if (reply->status == SSH_FX_OK)
        sync_remote(transfer);
    else
        ly_transfer_fail_remote(transfer, reply, "set the permissions and times of");
}

static void all_written(LyTransfer *transfer)
{
    if (!ly_transfer_check_size(transfer, transfer->local_path, ""))
        return;
    if (!transfer->options.preserve) {
        sync_remote(transfer);
        return;
    }
    transfer->asked = ly_sftp_fsetstat(transfer->client, ly_transfer_handle(transfer), &transfer->source,
                                       attributes_set, transfer);
    if (!transfer->asked)
        ly_transfer_fail_remote(transfer, NULL, "set the permissions and times of");
}

/* ---- the chunks ---- */

static void write_more(LyTransfer *transfer);

static void chunk_written(void *user, LySftpReply *reply)
{
    LyTransferChunk *chunk = user;
    LyTransfer *transfer = chunk->transfer;
    transfer->done_len += chunk->len;
    ly_transfer_give_chunk(transfer, chunk);
    if (reply->status != SSH_FX_OK) {
        transfer->done_len -= chunk->len;
        ly_transfer_fail_remote(transfer, reply, "write");
        return;
    }
    ly_transfer_progress(transfer);
    write_more(transfer);
}

/* The next bytes of the file; false at its end, or when it cannot be read. */
static bool read_next(LyTransfer *transfer, LyBytes *data)
{
    ssize_t len;
    do
        len = pread(transfer->fd, transfer->buffer, transfer->chunk, (off_t)transfer->next);
    while (len < 0 && errno == EINTR);
    if (len < 0)
        ly_transfer_fail_local(transfer, errno, "read");
    else if (len == 0)
        transfer->end = transfer->next;
    if (len > 0)
        *data = ly_bytes(transfer->buffer, (size_t)len);
    return len > 0;
}

/* Until the connection takes no more at once: what waited would only be copied. Replies bring us back here.
 */
static void write_more(LyTransfer *transfer)
{
    LyBytes data;
    while (transfer->end == UINT64_MAX && transfer->idle &&
           (transfer->in_flight == 0 || ly_sftp_client_pending_len(transfer->client) == 0)) {
        if (!read_next(transfer, &data))
            break;
        LyTransferChunk *chunk = ly_transfer_take_chunk(transfer);
        chunk->len = (uint32_t)data.len;
        chunk->id = ly_sftp_write(transfer->client, ly_transfer_handle(transfer), transfer->next, data,
                                  chunk_written, chunk);
        if (!chunk->id) {
            ly_transfer_give_chunk(transfer, chunk);
            if (!transfer->in_flight)
                ly_transfer_fail_remote(transfer, NULL, "write");
            break;
        }
        transfer->next += data.len;
    }
    if (!transfer->ended && transfer->in_flight == 0 && transfer->end != UINT64_MAX)
        all_written(transfer);
}

/* ---- the beginning ---- */

static void opened(void *user, LySftpReply *reply)
{
    LyTransfer *transfer = user;
    if (!ly_transfer_opened(transfer, reply))
        return;
    ly_transfer_prepare(transfer, ly_sftp_client_limits(transfer->client)->max_write);
    write_more(transfer);
}

static bool open_local(LyTransfer *transfer, LyError *error)
{
    struct stat stat;
    transfer->fd = open(transfer->local_path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (transfer->fd < 0 || fstat(transfer->fd, &stat) < 0)
        return ly_error_set_errno(error, errno, "cannot open %s",
                                  LY_PRINTABLE(ly_bytes_str(transfer->local_path)));
    if (!S_ISREG(stat.st_mode))
        return ly_error_set(error, LY_ERROR_IO, "%s is not a regular file",
                            LY_PRINTABLE(ly_bytes_str(transfer->local_path)));
    transfer->size = (uint64_t)stat.st_size;
    transfer->source = (LySftpAttrs){
        .flags = SSH_FILEXFER_ATTR_PERMISSIONS | SSH_FILEXFER_ATTR_ACMODTIME,
        .permissions = stat.st_mode & 0777, /* without set-user-ID and the like: the owner is another one */
        .atime = (uint32_t)stat.st_atime,
        .mtime = (uint32_t)stat.st_mtime,
    };
    return true;
}

LyTransfer *ly_fast_put(LyLoop *loop, LySftpClient *client, const char *local_path, LyBytes remote_path,
                        const LyTransferOptions *options, LyError *error)
{
    LyTransfer *transfer = ly_transfer_new(loop, client, remote_path, local_path, options);
    if (!open_local(transfer, error)) {
        ly_transfer_free(transfer);
        return NULL;
    }
    LySftpAttrs attrs = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS, .permissions = transfer->source.permissions};
    if (options->mode != UINT32_MAX)
        attrs.permissions = options->mode & 07777;
    transfer->asked = ly_sftp_open(client, remote_path, SSH_FXF_WRITE | SSH_FXF_CREAT | SSH_FXF_TRUNC, &attrs,
                                   opened, transfer);
    return ly_transfer_begun(transfer, error);
}
