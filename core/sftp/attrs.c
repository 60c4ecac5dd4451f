#include "sftp/attrs.h"

#define KNOWN_FLAGS                                                                                          \
    (SSH_FILEXFER_ATTR_SIZE | SSH_FILEXFER_ATTR_UIDGID | SSH_FILEXFER_ATTR_PERMISSIONS |                     \
     SSH_FILEXFER_ATTR_ACMODTIME)

void ly_put_attrs(LyBuf *buf, const LySftpAttrs *attrs)
{
    ly_put_u32(buf, attrs->flags & KNOWN_FLAGS);
    if (attrs->flags & SSH_FILEXFER_ATTR_SIZE)
        ly_put_u64(buf, attrs->size);
    if (attrs->flags & SSH_FILEXFER_ATTR_UIDGID) {
        ly_put_u32(buf, attrs->uid);
        ly_put_u32(buf, attrs->gid);
    }
    if (attrs->flags & SSH_FILEXFER_ATTR_PERMISSIONS)
        ly_put_u32(buf, attrs->permissions);
    if (attrs->flags & SSH_FILEXFER_ATTR_ACMODTIME) {
        ly_put_u32(buf, attrs->atime);
        ly_put_u32(buf, attrs->mtime);
    }
}

void ly_get_attrs(LyReader *reader, LySftpAttrs *attrs)
{
    uint32_t flags = ly_get_u32(reader);
    LySftpAttrs got = {.flags = flags & KNOWN_FLAGS};
    if (flags & SSH_FILEXFER_ATTR_SIZE)
        got.size = ly_get_u64(reader);
    if (flags & SSH_FILEXFER_ATTR_UIDGID) {
        got.uid = ly_get_u32(reader);
        got.gid = ly_get_u32(reader);
    }
    if (flags & SSH_FILEXFER_ATTR_PERMISSIONS)
        got.permissions = ly_get_u32(reader);
    if (flags & SSH_FILEXFER_ATTR_ACMODTIME) {
        got.atime = ly_get_u32(reader);
        got.mtime = ly_get_u32(reader);
    }
    if (flags & SSH_FILEXFER_ATTR_EXTENDED) {
        /* Every pair takes at least 8 bytes, so the bytes present bound the loop whatever the count says. */
        for (uint32_t left = ly_get_u32(reader); left && !reader->failed; left--) {
            ly_get_string(reader);
            ly_get_string(reader);
        }
    }
    if (!reader->failed)
        *attrs = got;
}

/* The wire's order is the structure's. */
#define EACH_FIELD(X)                                                                                        \
    X(bsize) X(frsize) X(blocks) X(bfree) X(bavail) X(files) X(ffree) X(favail) X(fsid) X(flag) X(namemax)

void ly_put_statvfs(LyBuf *buf, const LySftpStatvfs *statvfs)
{
#define PUT(field) ly_put_u64(buf, statvfs->field);
    EACH_FIELD(PUT)
#undef PUT
}

void ly_get_statvfs(LyReader *reader, LySftpStatvfs *statvfs)
{
    LySftpStatvfs got;
#define GET(field) got.field = ly_get_u64(reader);
    EACH_FIELD(GET)
#undef GET
    if (!reader->failed)
        *statvfs = got;
}
