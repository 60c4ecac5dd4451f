/* The mount: what main hands over to serve. */
#ifndef LY_FS_MOUNT_H
#define LY_FS_MOUNT_H

#include "base/buf.h"
#include "link.h"

typedef enum SymlinkPolicy { SYMLINKS_INSIDE, SYMLINKS_RAW, SYMLINKS_REWRITE } SymlinkPolicy;
typedef enum IdMap { IDMAP_NONE, IDMAP_USER, IDMAP_FILE } IdMap;

typedef struct MountOptions { /* views and strings live as long as the mount */
    LyBytes base;             /* the remote directory, "" is where the server starts */
    const char *mountpoint;
    const char *source;       /* fsname */
    const char *subtype;      /* "sshfs" */
    const char *fuse_options; /* further libfuse mount options, "allow_other,default_permissions,..." */
    bool read_only, debug, direct_io, kernel_cache, follow_symlinks, no_readahead, sync_write, check_root;
    SymlinkPolicy symlinks;
    bool transform_symlinks;
    uint64_t entry_timeout_us, attr_timeout_us, negative_timeout_us; /* what the kernel is told */
    uint64_t attr_cache_us, dir_cache_us,
        link_cache_us;            /* how long our own cache is fresh (dcache_*_timeout) */
    uint32_t max_read, max_write; /* bytes of one SFTP request; 0: what the server allows, up to 128 KiB */
    bool delay_connect;           /* no attempt before the first operation */
    uint64_t timeout_us;          /* how long an operation waits for a dead session (-o timeout=, 60 s) */
    bool override_uid, override_gid, override_umask;
    uint32_t uid, gid, umask; /* -o uid= gid= umask= */
    IdMap idmap;
    struct IdTable *uid_table, *gid_table; /* IDMAP_FILE: pairs of local and remote ids (fs/idmap.h) */
    bool nomap_error; /* an unmapped id is an error (nomap=error), else it passes unchanged */
    bool disable_hardlink, rename_workaround, hide_unlinked;
    LyLog log;
} MountOptions;

typedef struct Mount Mount;

/* Starts connecting; the maker is the mount's from now on. `ready` is called once: error NULL when the
 * session is up and the base directory was found to be one (its sentence otherwise); mount_serve may then be
 * called. With delay_connect nothing is started and `ready` is not called: mount_serve may be called at once.
 */
Mount *mount_new(LyLoop *loop, const MountOptions *options, const LinkMaker *maker,
                 void (*ready)(void *user, const LyError *error), void *user);
/* Mounts and answers INIT; from now on the loop serves it. `ended` is called when it was unmounted. */
bool mount_serve(Mount *mount, void (*ended)(void *user), LyError *error);
/* The same without mounting: FUSE requests are read from `fd`, one a read, and answers written to it, one a
 * writev, as with /dev/fuse; a SEQPACKET socket will do. INIT has to be there already or to come within
 * seconds. The descriptor is the mount's from now on, also after a failure: LY_ERROR_UNSUPPORTED when libfuse
 * is older than 3.13. `ended` is called when the other end is closed. */
bool mount_serve_fd(Mount *mount, int fd, void (*ended)(void *user), LyError *error);
/* Unmounts if need be; open operations are answered. */
void mount_free(Mount *mount);
/* One line a counter, for -d and SIGUSR1 ("reads 12, bytes ..."). */
void mount_statistics(const Mount *mount, LyBuf *out);

#endif
