/* What fast_get and fast_put share. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "loop/transfer-private.h"

#define CONCURRENCY 64u
#define CONCURRENCY_MAX 4096u
#define CHUNK_MAX ((uint64_t)256 * 1024)

void ly_transfer_free(LyTransfer *transfer)
{
    ly_loop_undefer(transfer->loop, &transfer->task);
    if (transfer->fd >= 0)
        close(transfer->fd);
    ly_free(transfer->buffer);
    ly_free(transfer->chunks);
    ly_free(transfer->remote_path);
    ly_free(transfer->local_path);
    ly_free(transfer);
}

/* Tells what became of this iteration; afterwards the owner may have cancelled it. */
static void task_run(void *user)
{
    LyTransfer *transfer = user;
    LyTransferOptions *options = &transfer->options;
    transfer->running = true;
    if (options->step)
        options->step(options->user, transfer->done_len, transfer->size);
    if (transfer->ended && !transfer->dead && options->done)
        options->done(options->user, transfer->done_len, transfer->error.code ? &transfer->error : NULL);
    transfer->running = false;
    if (transfer->ended || transfer->dead)
        ly_transfer_free(transfer);
}

LyTransfer *ly_transfer_new(LyLoop *loop, LySftpClient *client, LyBytes remote_path, const char *local_path,
                            const LyTransferOptions *options)
{
    LyTransfer *transfer = ly_new(LyTransfer);
    transfer->loop = loop;
    transfer->client = client;
    transfer->options = *options;
    transfer->task = (LyTask){.func = task_run, .user = transfer};
    transfer->remote_path = ly_bytes_dup_str(remote_path);
    transfer->local_path = ly_strdup(local_path);
    transfer->fd = -1;
    transfer->end = UINT64_MAX;
    transfer->ahead = 1;
    return transfer;
}

LyTransfer *ly_transfer_begun(LyTransfer *transfer, LyError *error)
{
    if (transfer->asked)
        return transfer;
    ly_transfer_fail_remote(transfer, NULL, "open");
    if (error)
        *error = transfer->error;
    ly_transfer_free(transfer);
    return NULL;
}

void ly_transfer_prepare(LyTransfer *transfer, uint64_t limit)
{
    uint64_t chunk = transfer->options.chunk ? transfer->options.chunk : CHUNK_MAX;
    uint32_t wanted = transfer->options.concurrency;
    transfer->chunk = (uint32_t)LY_MIN(LY_MIN(chunk, limit), CHUNK_MAX);
    transfer->concurrency = wanted ? LY_MIN(wanted, CONCURRENCY_MAX) : CONCURRENCY;
    transfer->chunks = ly_new_array(LyTransferChunk, transfer->concurrency);
    for (uint32_t i = 0; i < transfer->concurrency; i++) {
        transfer->chunks[i] = (LyTransferChunk){.transfer = transfer, .next_idle = transfer->idle};
        transfer->idle = &transfer->chunks[i];
    }
    transfer->buffer = ly_alloc(transfer->chunk);
}

LyTransferChunk *ly_transfer_take_chunk(LyTransfer *transfer)
{
    LyTransferChunk *chunk = transfer->idle;
    if (chunk) {
        transfer->idle = chunk->next_idle;
        transfer->in_flight++;
    }
    return chunk;
}

void ly_transfer_give_chunk(LyTransfer *transfer, LyTransferChunk *chunk)
{
    chunk->id = 0;
    chunk->next_idle = transfer->idle;
    transfer->idle = chunk;
    transfer->in_flight--;
}

void ly_transfer_progress(LyTransfer *transfer)
{
    if (transfer->options.step)
        ly_loop_defer(transfer->loop, &transfer->task);
}

bool ly_transfer_opened(LyTransfer *transfer, const LySftpReply *reply)
{
    transfer->asked = 0;
    if (reply->type != LY_SFTP_REPLY_HANDLE) {
        ly_transfer_fail_remote(transfer, reply, "open");
        return false;
    }
    memcpy(transfer->handle, reply->handle.data, reply->handle.len);
    transfer->handle_len = reply->handle.len;
    return true;
}

LyBytes ly_transfer_handle(LyTransfer *transfer)
{
    return ly_bytes(transfer->handle, transfer->handle_len);
}

/* Nothing is under way afterwards; the client may go. */
static void stop(LyTransfer *transfer)
{
    if (transfer->ended)
        return;
    transfer->ended = true;
    ly_sftp_cancel(transfer->client, transfer->asked);
    for (uint32_t i = 0; transfer->chunks && i < transfer->concurrency; i++)
        ly_sftp_cancel(transfer->client, transfer->chunks[i].id);
    if (transfer->handle_len)
        ly_sftp_close(transfer->client, ly_transfer_handle(transfer), NULL, NULL);
    if (transfer->job)
        ly_job_cancel(transfer->job);
    transfer->job = NULL;
}

/* A local file that was made for a source that cannot be opened is not left behind. */
static void remove_unused(LyTransfer *transfer)
{
    struct stat ours, there;
    if (transfer->created && !transfer->begun && transfer->fd >= 0 && fstat(transfer->fd, &ours) == 0 &&
        lstat(transfer->local_path, &there) == 0 && ours.st_dev == there.st_dev &&
        ours.st_ino == there.st_ino)
        unlink(transfer->local_path);
}

void ly_transfer_end(LyTransfer *transfer)
{
    if (transfer->ended)
        return;
    stop(transfer);
    remove_unused(transfer);
    ly_loop_defer(transfer->loop, &transfer->task);
}

void ly_transfer_fail_local(LyTransfer *transfer, int system, const char *action)
{
    if (transfer->ended)
        return;
    ly_error_set_errno(&transfer->error, system, "cannot %s %s", action,
                       LY_PRINTABLE(ly_bytes_str(transfer->local_path)));
    ly_transfer_end(transfer);
}

void ly_transfer_fail_remote(LyTransfer *transfer, const LySftpReply *reply, const char *action)
{
    if (transfer->ended)
        return;
    bool lost = reply ? reply->status == SSH_FX_CONNECTION_LOST : ly_sftp_client_is_closed(transfer->client);
    uint32_t status = lost ? SSH_FX_CONNECTION_LOST : reply ? reply->status : SSH_FX_FAILURE;
    LyBytes text = reply ? ly_bytes_trim(reply->message) : (LyBytes){0};
    if (!reply && !lost)
        text = LY_BYTES("too many requests are open");
    if (!text.len)
        text = ly_bytes_str(ly_sftp_status_text(status));
    ly_error_set(&transfer->error, lost ? LY_ERROR_DISCONNECT : LY_ERROR_IO, "cannot %s %s on the server: %s",
                 action, LY_PRINTABLE(ly_bytes_str(transfer->remote_path)), LY_PRINTABLE(text));
    ly_transfer_end(transfer);
}

bool ly_transfer_check_size(LyTransfer *transfer, const char *name, const char *where)
{
    if (transfer->end >= transfer->size)
        return true;
    ly_error_set(&transfer->error, LY_ERROR_IO,
                 "%s%s shrank while it was copied: it had %llu bytes and ended after %llu",
                 LY_PRINTABLE(ly_bytes_str(name)), where, (unsigned long long)transfer->size,
                 (unsigned long long)transfer->end);
    ly_transfer_end(transfer);
    return false;
}

void ly_transfer_cancel(LyTransfer *transfer)
{
    if (!transfer || transfer->dead)
        return;
    stop(transfer);
    transfer->dead = true;
    if (!transfer->running)
        ly_transfer_free(transfer);
}
