#include <errno.h>

#include "failure.h"
#include "sftp/numbers.h"

enum { NAME_LEN_MAX = 255, PATH_LEN_MAX = 4095 };

int failure_plain_errno(FailureKind kind, uint32_t status)
{
    switch (status) {
    case SSH_FX_OK:
        return 0;
    case SSH_FX_NO_SUCH_FILE:
        return ENOENT;
    case SSH_FX_PERMISSION_DENIED:
        /* Changing what one does not own is EPERM on every system; the rest is rather a missing right on a
         * directory. */
        return kind == FAILED_ATTRIBUTES ? EPERM : EACCES;
    case SSH_FX_OP_UNSUPPORTED:
        return EOPNOTSUPP;
    case SSH_FX_FAILURE:
    case SSH_FX_BAD_MESSAGE:
        return -1;
    default: /* EOF where none belongs, NO_CONNECTION, CONNECTION_LOST, numbers of later versions */
        return EIO;
    }
}

/* Whatever the operation: names too long, a file system that is read-only. */
static int general_errno(const FailureFacts *facts)
{
    size_t name_max =
        facts->name_max && facts->name_max < NAME_LEN_MAX ? (size_t)facts->name_max : NAME_LEN_MAX;
    if (facts->name_len > name_max || facts->path_len > PATH_LEN_MAX)
        return ENAMETOOLONG;
    if (facts->status == SSH_FX_BAD_MESSAGE)
        return EINVAL;
    if (facts->space_known && facts->read_only)
        return EROFS;
    return 0;
}

static int rename_errno(const FailureFacts *facts)
{
    if (facts->devices_known && facts->devices_differ)
        return EXDEV;
    if (!facts->target_known || !facts->target_exists)
        return EIO;
    if (facts->target_is_directory)
        return facts->source_is_directory ? ENOTEMPTY : EISDIR;
    return facts->source_is_directory ? ENOTDIR : EIO;
}

int failure_errno(const FailureFacts *facts)
{
    int plain = failure_plain_errno(facts->kind, facts->status);
    if (plain >= 0)
        return plain;
    int general = general_errno(facts);
    bool exists = facts->target_known && facts->target_exists;
    bool full = facts->space_known && facts->space_none;
    if (facts->kind == FAILED_CREATE && exists && general != ENAMETOOLONG)
        return EEXIST;
    /* Systems look at that first: mv copies from a read-only file system, too. */
    if (facts->kind == FAILED_RENAME && general == EROFS && facts->devices_known && facts->devices_differ)
        return EXDEV;
    if (general)
        return general;
    switch (facts->kind) {
    case FAILED_CREATE:
        if (facts->devices_known && facts->devices_differ)
            return EXDEV;
        return full ? ENOSPC : EIO;
    case FAILED_OPEN:
        if (exists && facts->target_is_directory && facts->for_writing)
            return EISDIR;
        return full && facts->for_writing && !exists ? ENOSPC : EIO;
    case FAILED_REMOVE:
        return exists && facts->target_is_directory ? EISDIR : EIO;
    case FAILED_RMDIR:
        if (!exists)
            return EIO;
        return facts->target_is_directory ? ENOTEMPTY : ENOTDIR;
    case FAILED_RENAME: {
        int error = rename_errno(facts);
        return error == EIO && full ? ENOSPC : error;
    }
    case FAILED_WRITE:
        return full ? ENOSPC : EIO;
    case FAILED_ATTRIBUTES:
    case FAILED_OTHER:
        break;
    }
    return EIO;
}
