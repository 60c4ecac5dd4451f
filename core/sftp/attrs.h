/* filexfer-02 section 5: file attributes. */
#ifndef LY_SFTP_ATTRS_H
#define LY_SFTP_ATTRS_H

#include "base/wire.h"
#include "sftp/numbers.h"

typedef struct LySftpAttrs {
    /* SSH_FILEXFER_ATTR_*: which fields below are set (extended ones are read over and dropped) */
    uint32_t flags;
    uint64_t size; /* bytes */
    uint32_t uid, gid;
    uint32_t permissions;  /* st_mode with type bits */
    uint32_t atime, mtime; /* seconds since 1970 */
} LySftpAttrs;

void ly_put_attrs(LyBuf *buf, const LySftpAttrs *attrs);
/* Reads over extended pairs, bounded by the bytes present; a failure sticks to the reader. */
void ly_get_attrs(LyReader *reader, LySftpAttrs *attrs);

/* statvfs@openssh.com's reply. */
typedef struct LySftpStatvfs {
    uint64_t bsize, frsize, blocks, bfree, bavail, files, ffree, favail, fsid, flag, namemax;
} LySftpStatvfs;
enum { LY_SFTP_STATVFS_RDONLY = 1, LY_SFTP_STATVFS_NOSUID = 2 };
void ly_put_statvfs(LyBuf *buf, const LySftpStatvfs *statvfs);
void ly_get_statvfs(LyReader *reader, LySftpStatvfs *statvfs);

#endif
