#include <errno.h>

#include "attributes.h"

enum { BLOCK_LEN = 4096 };

static bool to_local(const Owners *owners, bool group, uint32_t remote, uint32_t *local)
{
    const MountOptions *options = owners->options;
    *local = remote;
    switch (options->idmap) {
    case IDMAP_NONE:
        return true;
    case IDMAP_USER:
        if (owners->known && remote == (group ? owners->remote_gid : owners->remote_uid))
            *local = group ? owners->local_gid : owners->local_uid;
        return true;
    case IDMAP_FILE:
        return id_table_to_local(group ? options->gid_table : options->uid_table, remote, local) ||
               !options->nomap_error;
    }
    return true;
}

static bool to_remote(const Owners *owners, bool group, uint32_t local, uint32_t *remote)
{
    const MountOptions *options = owners->options;
    *remote = local;
    switch (options->idmap) {
    case IDMAP_NONE:
        return true;
    case IDMAP_USER:
        if (owners->known && local == (group ? owners->local_gid : owners->local_uid))
            *remote = group ? owners->remote_gid : owners->remote_uid;
        return true;
    case IDMAP_FILE:
        return id_table_to_remote(group ? options->gid_table : options->uid_table, local, remote) ||
               !options->nomap_error;
    }
    return true;
}

int attributes_to_stat(const Owners *owners, const LySftpAttrs *attrs, uint64_t st_ino, struct stat *st)
{
    const MountOptions *options = owners->options;
    uint32_t uid = owners->local_uid, gid = owners->local_gid;
    uint64_t size = attrs->flags & SSH_FILEXFER_ATTR_SIZE ? attrs->size : 0;
    if (size > INT64_MAX)
        return EOVERFLOW;
    if (attrs->flags & SSH_FILEXFER_ATTR_UIDGID &&
        (!to_local(owners, false, attrs->uid, &uid) || !to_local(owners, true, attrs->gid, &gid)))
        return EPERM;
    uint32_t type = attributes_type(attrs);
    uint32_t mode = attrs->flags & SSH_FILEXFER_ATTR_PERMISSIONS ? attrs->permissions & 07777 : 0777;
    if (options->override_umask)
        mode = 0777 & ~options->umask;
    *st = (struct stat){
        .st_ino = st_ino,
        .st_mode = type | mode,
        .st_nlink = 1,
        .st_uid = options->override_uid ? options->uid : uid,
        .st_gid = options->override_gid ? options->gid : gid,
        .st_size = (off_t)size,
        .st_blksize = BLOCK_LEN,
        .st_blocks = (blkcnt_t)(size / 512 + (size % 512 != 0)),
    };
    if (attrs->flags & SSH_FILEXFER_ATTR_ACMODTIME) {
        st->st_atim.tv_sec = attrs->atime;
        st->st_mtim.tv_sec = st->st_ctim.tv_sec = attrs->mtime;
    }
    return 0;
}

int attributes_remote_owner(const Owners *owners, uint32_t uid, uint32_t gid, LySftpAttrs *attrs)
{
    uint32_t remote_uid, remote_gid;
    if (!to_remote(owners, false, uid, &remote_uid) || !to_remote(owners, true, gid, &remote_gid))
        return EPERM;
    attrs->uid = remote_uid;
    attrs->gid = remote_gid;
    attrs->flags |= SSH_FILEXFER_ATTR_UIDGID;
    return 0;
}

uint32_t attributes_seconds(const struct timespec *time)
{
    if (time->tv_sec < 0)
        return 0;
    return (uint64_t)time->tv_sec > UINT32_MAX ? UINT32_MAX : (uint32_t)time->tv_sec;
}
