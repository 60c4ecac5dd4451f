/* Where a symbolic link leads, judged by its text alone: the server may change directories behind our back,
 * so nothing else is sound. */
#ifndef LY_FS_SYMLINK_H
#define LY_FS_SYMLINK_H

#include "mount.h"

typedef struct SymlinkRules {
    SymlinkPolicy policy;
    bool transform; /* absolute targets below `base` become relative ones (sshfs's transform_symlinks) */
    LyBytes base; /* the remote directory, absolute, without a slash at its end ("" for "/"); empty data: not
                     known */
    LyBytes mountpoint; /* absolute; empty: not known */
} SymlinkRules;

/* The text to hand to the reader of the link that lies `depth` directories below the mount's root (0: in the
 * root): appended to `out`. 0, or EPERM (it leaves the mount; `out` is untouched), or ENAMETOOLONG. */
int symlink_present(const SymlinkRules *rules, size_t depth, LyBytes target, LyBuf *out);

#endif
