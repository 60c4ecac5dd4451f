/* From an SFTP status to an errno. FAILURE and BAD_MESSAGE stand for a dozen of them, so on the error path
 * what is there is looked at (one LSTAT, one STATVFS) and the errno is concluded from these facts. */
#ifndef LY_FS_FAILURE_H
#define LY_FS_FAILURE_H

#include "base/bytes.h"

typedef enum FailureKind {
    FAILED_OTHER,
    FAILED_CREATE, /* MKDIR, SYMLINK, hardlink, OPEN with EXCL, RENAME without replacing: the name must not
                      exist */
    FAILED_OPEN,   /* OPEN of what may exist */
    FAILED_REMOVE,
    FAILED_RMDIR,
    FAILED_RENAME,
    FAILED_WRITE,     /* and copy-data, and growing by SETSTAT */
    FAILED_ATTRIBUTES /* chmod, chown, times */
} FailureKind;

/* What the error path found out. */
typedef struct FailureFacts {
    FailureKind kind;
    uint32_t status;   /* SSH_FX_* */
    size_t name_len;   /* bytes of the longest name involved */
    size_t path_len;   /* bytes of the longest path */
    bool target_known; /* LSTAT of the name that was to be made, opened, removed or replaced was answered */
    bool target_exists, target_is_directory;
    bool source_is_directory; /* RENAME */
    bool for_writing;         /* OPEN */
    bool space_known;         /* STATVFS was answered */
    bool space_none, read_only;
    uint64_t name_max;  /* 0: not known */
    bool devices_known; /* RENAME, hardlink: the file systems of both names */
    bool devices_differ;
} FailureFacts;

/* The errno of a status that needs no facts, 0 for SSH_FX_OK, or -1: ask failure_errno. */
int failure_plain_errno(FailureKind kind, uint32_t status);
int failure_errno(const FailureFacts *facts);

#endif
