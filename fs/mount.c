#include <limits.h>
#include <malloc.h>
#include <stdlib.h>

#include "file.h"
#include "kernel.h"
#include "listing.h"
#include "mount-private.h"

enum { TRIM_US = 1000 * 1000 };

static void session_ready(void *user, const LyError *error)
{
    Mount *mount = user;
    mount->ready(mount->user, error);
}

static void inode_released(void *user, Inode *inode)
{
    listing_drop(inode);
}

static void trim_due(void *user)
{
    Mount *mount = user;
    bool more = readers_trim(mount);
    more |= listings_expire(mount);
    more |= buffer_trim(&mount->buffers);
    ly_timer_set(mount->trim_timer, more ? mount_now_us(mount) + TRIM_US : UINT64_MAX);
    mount->trimming = more;
    if (!more)
        malloc_trim(128 * 1024); /* what listings and their like left in the heap */
}

void mount_trim_later(Mount *mount)
{
    if (mount->trimming)
        return;
    mount->trimming = true;
    ly_timer_set(mount->trim_timer, mount_now_us(mount) + TRIM_US);
}

bool mount_path(Mount *mount, const Inode *inode, LyBytes name, LyBytes *path)
{
    if (!inode_path(inode, mount->options.base, name, &mount->path))
        return false;
    *path = ly_buf_bytes(&mount->path);
    return true;
}

bool mount_other_path(Mount *mount, const Inode *inode, LyBytes name, LyBytes *path)
{
    if (!inode_path(inode, mount->options.base, name, &mount->other_path))
        return false;
    *path = ly_buf_bytes(&mount->other_path);
    return true;
}

Mount *mount_new(LyLoop *loop, const MountOptions *options, const LinkMaker *maker,
                 void (*ready)(void *user, const LyError *error), void *user)
{
    Mount *mount = ly_new(Mount);
    mount->loop = loop;
    mount->options = *options;
    mount->ready = ready;
    mount->user = user;
    mount->path = mount->other_path = LY_BUF(2 * LY_SFTP_PATH_MAX);
    /* Before mounting: afterwards looking at the path would mean asking ourselves. */
    mount->mountpoint = realpath(options->mountpoint, NULL);
    if (!mount->mountpoint)
        mount->mountpoint = ly_strdup(options->mountpoint);
    ly_list_init(&mount->directories);
    ly_list_init(&mount->listings);
    ly_list_init(&mount->reading);
    inodes_init(&mount->inodes, inode_released, mount);
    operations_init(mount);
    writers_init(mount);
    mount->trim_timer = ly_timer_new(loop, trim_due, mount);
    remote_init(&mount->remote, loop, &mount->options, maker, session_ready, mount);
    return mount;
}

bool mount_serve(Mount *mount, void (*ended)(void *user), LyError *error)
{
    mount->ended = ended;
    return kernel_mount(mount, error);
}

bool mount_serve_fd(Mount *mount, int fd, void (*ended)(void *user), LyError *error)
{
    mount->ended = ended;
    return kernel_serve_fd(mount, fd, error);
}

/* What the kernel did not close, because it was unmounted by force. */
static void close_files(void *user, Inode *inode)
{
    while (inode->open)
        file_unref(ly_list_first(&inode->open->files, File, link));
}

void mount_free(Mount *mount)
{
    if (!mount)
        return;
    remote_free(&mount->remote); /* whatever waits is told */
    operations_free(mount);
    kernel_unmount(mount);
    inodes_each(&mount->inodes, close_files, mount);
    directories_free(mount);
    listings_drop_ahead(mount);
    writers_free(mount);
    reader_free_pool(mount);
    inodes_free(&mount->inodes);
    buffer_pool_free(&mount->buffers);
    ly_timer_free(mount->trim_timer);
    ly_buf_free(&mount->path);
    ly_buf_free(&mount->other_path);
    free(mount->mountpoint);
    ly_free(mount);
}

void mount_statistics(const Mount *mount, LyBuf *out)
{
#define STATISTICS_LINE(name)                                                                                \
    ly_buf_add_format(out, #name " %llu\n", (unsigned long long)mount->statistics.name);
    STATISTICS(STATISTICS_LINE)
#undef STATISTICS_LINE
    ly_buf_add_format(out, "inodes %zu\nbuffers_in_use %zu\nunacknowledged_bytes %zu\nsessions %u\n",
                      mount->inodes.count, mount->buffers.used_count, mount->unacknowledged_len,
                      mount->remote.generation);
}
