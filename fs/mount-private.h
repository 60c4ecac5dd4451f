/* What the parts of the engine share. */
#ifndef LY_FS_MOUNT_PRIVATE_H
#define LY_FS_MOUNT_PRIVATE_H

#define FUSE_USE_VERSION 35
#include <fuse_lowlevel.h>

#include "buffer.h"
#include "inode.h"
#include "mount.h"
#include "remote.h"

/* Counters for -d and SIGUSR1. */
#define STATISTICS(X)                                                                                        \
    X(requests)                                                                                              \
    X(lookups)                                                                                               \
    X(lookups_from_cache)                                                                                    \
    X(attributes_from_cache) X(listings) X(listings_from_cache) X(listings_ahead) X(listings_ahead_read)     \
        X(opens) X(reads) X(read_bytes) X(read_requests) X(read_ahead_bytes) X(reads_that_waited) X(writes)  \
            X(write_bytes) X(write_requests) X(interrupts) X(errors)
typedef struct Statistics {
#define STATISTICS_FIELD(name) uint64_t name;
    STATISTICS(STATISTICS_FIELD)
#undef STATISTICS_FIELD
} Statistics;

struct Mount {
    LyLoop *loop;
    MountOptions options;
    Remote remote;
    Inodes inodes;
    BufferPool buffers;
    Statistics statistics;

    struct fuse_session *session;
    int device;            /* another descriptor of its device, see hold_device; -1: none */
    struct fuse_buf input; /* the request being processed */
    LyWatch *watch;
    LyTask take_requests;
    bool initialised, mounted;
    void (*ended)(void *user);
    void (*ready)(void *user, const LyError *error);
    void *user;
    char *mountpoint; /* absolute */

    LyList operations;      /* all that run */
    LyList idle_operations; /* memory for the next ones */
    size_t idle_operation_count;
    LyTimer *interrupt_timer;

    LyList directories;      /* open ones */
    LyList listings;         /* kept by inodes, oldest first */
    uint32_t ahead_listings; /* of these: guessed, and not read yet */
    LyList reading;          /* files that hold data read ahead */
    LyList merging;          /* files that hold small writes back, oldest first */
    LyTimer *merge_timer;
    LyList held_writes;        /* operations whose reply waits until less is unacknowledged */
    size_t unacknowledged_len; /* bytes written and not yet acknowledged */
    struct WriteRecord *idle_records;
    size_t idle_record_count;
    struct Chunk *idle_chunks;
    size_t idle_chunk_count;
    size_t ahead_len; /* bytes asked for by read-ahead, or read and not yet fetched by the kernel */
    uint64_t trip_us, last_trip_us,
        trip_period_us; /* the shortest READ of this period, and of the one before */
    LyTimer *trim_timer;
    bool trimming;
    LyBuf path, other_path; /* for the request being put together */
    LySftpStatvfs statvfs;
    uint64_t statvfs_us;
    bool fsync_warned, leave_warned;
};

static inline uint64_t mount_now_us(const Mount *mount)
{
    return ly_loop_now_us(mount->loop);
}
static inline LySftpClient *mount_client(const Mount *mount)
{
    return mount->remote.client;
}
static inline Inode *mount_inode(const Mount *mount, fuse_ino_t ino)
{
    return ino == FUSE_ROOT_ID ? mount->inodes.root : (Inode *)(uintptr_t)ino;
}
static inline fuse_ino_t mount_ino(const Mount *mount, const Inode *inode)
{
    return inode == mount->inodes.root ? FUSE_ROOT_ID : (fuse_ino_t)(uintptr_t)inode;
}
/* The path of an inode, or of a name in it, in the mount's scratch buffer until the next call. False: too
 * long, or gone. */
bool mount_path(Mount *mount, const Inode *inode, LyBytes name, LyBytes *path);
bool mount_other_path(Mount *mount, const Inode *inode, LyBytes name, LyBytes *path);
/* Buffers are in use: looks later whether they are still needed. */
void mount_trim_later(Mount *mount);

/* The FUSE operations, by file. */
extern const struct fuse_lowlevel_ops mount_operations;
void fs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void fs_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups);
void fs_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void fs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi);
void fs_readlink(fuse_req_t req, fuse_ino_t ino);
void fs_statfs(fuse_req_t req, fuse_ino_t ino);
void fs_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void fs_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void fs_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void fs_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void fs_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void fs_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
               const char *new_name, unsigned flags);
void fs_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name);
void fs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void fs_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void fs_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi);
void fs_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void fs_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
              struct fuse_file_info *fi);
void fs_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void fs_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t offset_in, struct fuse_file_info *fi_in,
                        fuse_ino_t ino_out, off_t offset_out, struct fuse_file_info *fi_out, size_t len,
                        int flags);

#endif
