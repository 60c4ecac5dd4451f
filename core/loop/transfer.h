/* fast_get and fast_put: a file copied between this machine and the server in many chunks at once, in any
 * order. */
#ifndef LY_LOOP_TRANSFER_H
#define LY_LOOP_TRANSFER_H

#include "loop/loop.h"
#include "sftp/file.h"

typedef struct LyTransfer LyTransfer;

typedef struct LyTransferOptions { /* copied */
    uint32_t concurrency;          /* chunks in flight; 0: 64, at most 4096 */
    uint32_t chunk;                /* bytes; 0: as LySftpLimits, at most 256 KiB */
    uint32_t mode; /* of a new file at the target; UINT32_MAX: the source's; an existing one keeps its own */
    bool preserve; /* the source's permissions (without set-user-ID and the like) and times */
    bool fsync;    /* what was written is on disk before `done` (on servers with fsync@openssh.com) */
    /* Progress: bytes done, bytes that the source is known to have (0: not known). At most once per iteration
     * of the loop, and once at the end. NULL: nobody to tell. */
    void (*step)(void *user, uint64_t done_len, uint64_t total_len);
    /* Once. LY_ERROR_IO names the file and the side; a source that shrank under the copy is an error, one
     * that grew is copied as far as it goes, and one that claims to have no size (/proc) is copied to its
     * end. What was written by then stays. */
    void (*done)(void *user, uint64_t len, const LyError *error);
    void *user; /* (the callbacks come at the end of an iteration, never from a completion of the client) */
} LyTransferOptions;

/* NULL with *error: the local file cannot be opened, or the client is closed. Local reads and writes are done
 * in the loop's thread (regular files only). */
LyTransfer *ly_fast_get(LyLoop *loop, LySftpClient *client, LyBytes remote_path, const char *local_path,
                        const LyTransferOptions *options, LyError *error);
LyTransfer *ly_fast_put(LyLoop *loop, LySftpClient *client, const char *local_path, LyBytes remote_path,
                        const LyTransferOptions *options, LyError *error);
/* `done` is not called; NULL is fine; fine inside callbacks. Before ly_sftp_client_free, unless `done` is to
 * tell of the lost connection. */
void ly_transfer_cancel(LyTransfer *transfer);

#endif
