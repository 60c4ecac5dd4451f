/* What fast_get and fast_put share: the requests under way, the progress, the end. */
#ifndef LY_LOOP_TRANSFER_PRIVATE_H
#define LY_LOOP_TRANSFER_PRIVATE_H

#include "loop/transfer.h"

/* One READ or WRITE under way. */
typedef struct LyTransferChunk {
    LyTransfer *transfer;
    LySftpId id; /* 0: idle */
    uint64_t offset;
    uint32_t len; /* still to come */
    struct LyTransferChunk *next_idle;
} LyTransferChunk;

struct LyTransfer {
    LyLoop *loop;
    LySftpClient *client;
    LyTransferOptions options;
    LyTask task; /* progress, and the end */
    char *remote_path, *local_path;
    int fd;       /* -1 once it is closed */
    bool created; /* fast_get made the local file, which was not there */
    bool begun;   /* the server's file is open */
    uint8_t handle[LY_SFTP_HANDLE_MAX];
    size_t handle_len;
    LySftpId asked; /* the only request, before and after the chunks */
    LyJob *job;     /* fsync here */
    LySftpAttrs source;
    uint64_t size;     /* that the source claims; 0: not known */
    uint64_t next;     /* offset of the next chunk */
    uint64_t end;      /* where the source ends, once that was seen; UINT64_MAX */
    uint64_t written;  /* fast_get: the end of what was written */
    uint64_t done_len; /* bytes, for the progress */
    uint32_t chunk, ahead, in_flight, concurrency;
    LyTransferChunk *chunks, *idle;
    uint8_t *buffer; /* one for all: what comes is written before the next reply begins */
    bool running, dead, ended;
    LyError error;
};

LyTransfer *ly_transfer_new(LyLoop *loop, LySftpClient *client, LyBytes remote_path, const char *local_path,
                            const LyTransferOptions *options);
/* OPEN was asked for; NULL with *error when it was refused here, and the transfer is freed. */
LyTransfer *ly_transfer_begun(LyTransfer *transfer, LyError *error);
void ly_transfer_free(LyTransfer *transfer);
/* The chunks, as large as `limit` allows. */
void ly_transfer_prepare(LyTransfer *transfer, uint64_t limit);
LyTransferChunk *ly_transfer_take_chunk(LyTransfer *transfer);
void ly_transfer_give_chunk(LyTransfer *transfer, LyTransferChunk *chunk);
void ly_transfer_progress(LyTransfer *transfer);
/* What OPEN brought; false: no handle, and the transfer ends. */
bool ly_transfer_opened(LyTransfer *transfer, const LySftpReply *reply);
LyBytes ly_transfer_handle(LyTransfer *transfer);
/* The end, told at the end of the loop's iteration; the first one counts. */
void ly_transfer_end(LyTransfer *transfer);
void ly_transfer_fail_local(LyTransfer *transfer, int system, const char *action);
/* What the server said to a request; `reply` NULL: the request was refused here. */
void ly_transfer_fail_remote(LyTransfer *transfer, const LySftpReply *reply, const char *action);
/* True when all that the source claimed was there; else it ends. */
bool ly_transfer_check_size(LyTransfer *transfer, const char *name, const char *where);

#endif
