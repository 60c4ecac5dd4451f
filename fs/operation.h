/* One FUSE request on its way: what it is about, the SFTP replies it waits for, and that it is answered
 * exactly once, also when its process gives up. Apart from the SFTP requests (their replies may come after
 * the answer) and from the session. */
#ifndef LY_FS_OPERATION_H
#define LY_FS_OPERATION_H

#include "failure.h"
#include "mount-private.h"

struct File;
struct DirectoryHandle;

typedef struct Operation {
    LyLink link;  /* among the mount's operations */
    LyLink queue; /* in whatever else it waits in */
    RemoteWaiter waiter;
    Mount *mount;
    fuse_req_t req;                              /* NULL once answered */
    void (*start)(struct Operation *operation);  /* sends the first requests; the session is up */
    void (*finish)(struct Operation *operation); /* all replies came */
    /* Answered in another way than with EINTR when its process gives up; NULL: EINTR. */
    void (*interrupt)(struct Operation *operation);
    Inode *inode, *other;           /* counted */
    struct File *file, *other_file; /* counted */
    struct DirectoryHandle *directory;
    char *name, *other_name; /* owned */
    uint64_t started_us;
    uint32_t outstanding;  /* SFTP replies */
    uint32_t status;       /* SSH_FX_* of the main request, or the first that failed */
    uint32_t attrs_status; /* of the request for attributes beside it */
    uint32_t changes;      /* of the inode, when it was asked */
    bool interrupted, has_attrs;
    bool hide;         /* a rename that stands for an unlink */
    LySftpAttrs attrs; /* the answer */
    LySftpAttrs set;   /* what is to be set */
    struct fuse_file_info fi;
    uint64_t offset, other_offset;
    size_t size;
    unsigned flags;
    mode_t mode;
    FailureKind failure;
    FailureFacts facts;
} Operation;

/* An operation for a request. NULL when its process had given up already (it is answered). `inode` may be
 * NULL. */
Operation *operation_new(fuse_req_t req, Inode *inode, void (*start)(Operation *operation));
/* Runs `start` now or when the session is up. */
void operation_begin(Operation *operation);
/* Ends it, answered or not (then with EIO). */
void operation_end(Operation *operation);

/* After each request sent: 0 means that it was refused. */
void operation_sent(Operation *operation, LySftpId id);
/* At the end of `start` (or a further round): with nothing on its way, finishes at once. */
void operation_wait(Operation *operation);
/* In a completion, after the reply was looked at. */
void operation_received(Operation *operation);
/* Completions: `status` of the main request; attributes into attrs. */
void operation_status_done(void *user, LySftpReply *reply);
void operation_attrs_done(void *user, LySftpReply *reply);

/* Answers; nothing happens when it was answered before. Then ends it. */
void operation_fail(Operation *operation, int error);
void operation_succeed(Operation *operation); /* an empty answer */
/* From operation->status and `failure`: looks for the reason when the status does not tell. The names
 * concerned are inode/name (that which was to be made, opened or removed; for FAILED_RENAME
 * other/other_name). */
void operation_explain(Operation *operation);

/* The path of what the operation is about; on failure it is ended with ENAMETOOLONG or ESTALE, and false
 * returned. */
bool operation_path(Operation *operation, LyBytes *path);

void operations_init(Mount *mount);
void operations_free(Mount *mount);

#endif
