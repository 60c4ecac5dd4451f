#ifndef LY_FS_KERNEL_H
#define LY_FS_KERNEL_H

#include "mount-private.h"

/* Mounts, answers INIT and watches for requests; mount->ended is called when it was unmounted. After a
 * failure kernel_unmount cleans up. */
bool kernel_mount(Mount *mount, LyError *error);
/* The same with a descriptor that a kernel, or whoever stands for one, serves already; see mount_serve_fd. */
bool kernel_serve_fd(Mount *mount, int fd, LyError *error);
void kernel_unmount(Mount *mount);

#endif
