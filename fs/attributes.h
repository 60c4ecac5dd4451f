/* SFTP attributes <-> struct stat: owners as the mount shows them, times that 32 bits can hold, sizes that
 * off_t can hold. */
#ifndef LY_FS_ATTRIBUTES_H
#define LY_FS_ATTRIBUTES_H

#include <sys/stat.h>

#include "idmap.h"
#include "mount.h"
#include "sftp/attrs.h"

/* Who is who on the two sides. */
typedef struct Owners {
    const MountOptions *options;
    bool known;                      /* idmap=user: the remote ids below were learnt */
    uint32_t remote_uid, remote_gid; /* of the account that we signed in to */
    uint32_t local_uid, local_gid;   /* of the process */
} Owners;

/* The type bits of st_mode; servers that omit them mean a plain file. */
static inline uint32_t attributes_type(const LySftpAttrs *attrs)
{
    uint32_t type = attrs->flags & SSH_FILEXFER_ATTR_PERMISSIONS ? attrs->permissions & S_IFMT : 0;
    return type ? type : S_IFREG;
}
/* 0, EOVERFLOW (a size that off_t cannot hold) or EPERM (an owner that nomap=error refuses). */
int attributes_to_stat(const Owners *owners, const LySftpAttrs *attrs, uint64_t st_ino, struct stat *st);
/* The ids to be sent for local ones; 0 or EPERM. */
int attributes_remote_owner(const Owners *owners, uint32_t uid, uint32_t gid, LySftpAttrs *attrs);
/* Seconds since 1970 as version 3 has them: 1970 to 2106. */
uint32_t attributes_seconds(const struct timespec *time);

#endif
