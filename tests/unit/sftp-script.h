/* The client under test and a server's packets, for the tests of core/sftp's client. */
#ifndef LY_TEST_SFTP_SCRIPT_H
#define LY_TEST_SFTP_SCRIPT_H

#include <glib.h>
#include <string.h>

#include "base/memory.h"
#include "sftp/client.h"

enum { RECORDS = 64 };

typedef struct Record { /* what a completion got */
    int calls;
    LySftpReplyType type;
    uint32_t status, name_count, order;
    size_t data_len;
    char handle[LY_SFTP_HANDLE_MAX + 1], message[64], first_name[64], extended[64];
    LySftpAttrs attrs;
} Record;

typedef struct Fixture {
    LySftpClient *client;
    LyBuf sent;
    size_t room; /* bytes that the sink takes at once */
    Record ready, record[RECORDS];
    uint32_t completions;
    uint8_t buffer[65536];
} Fixture;

typedef struct Asker {
    Fixture *fixture;
    Record *record;
} Asker;

static inline size_t sink_write(void *user, const LyBytes *parts, size_t count)
{
    Fixture *fixture = user;
    size_t taken = 0;
    for (size_t i = 0; i < count; i++) {
        LyBytes some = ly_bytes_slice(parts[i], 0, fixture->room - taken);
        ly_buf_add(&fixture->sent, some);
        taken += some.len;
    }
    return taken;
}

static inline void copy_text(LyBytes bytes, char *text, size_t room)
{
    size_t len = MIN(bytes.len, room - 1);
    if (len)
        memcpy(text, bytes.data, len);
    text[len] = 0;
}

static inline void keep(Record *record, LySftpReply *reply)
{
    record->calls++;
    record->type = reply->type;
    record->status = reply->status;
    record->name_count = reply->name_count;
    record->data_len = reply->data_len;
    record->attrs = reply->attrs;
    copy_text(reply->handle, record->handle, sizeof record->handle);
    copy_text(reply->message, record->message, sizeof record->message);
    copy_text(ly_bytes(reply->extended.data, reply->extended.len), record->extended, sizeof record->extended);
    LySftpName name;
    uint32_t walked = 0;
    while (ly_sftp_reply_name(reply, &name)) {
        if (walked++ == 0)
            copy_text(name.filename, record->first_name, sizeof record->first_name);
    }
    g_assert_cmpuint(walked, ==, record->name_count);
}

static inline void done(void *user, LySftpReply *reply)
{
    keep(user, reply);
}

static inline Fixture *fixture_new(bool openssh_order)
{
    Fixture *fixture = g_new0(Fixture, 1);
    fixture->room = SIZE_MAX;
    LySftpClientOptions options = {.sink = {sink_write, fixture}, .symlink_openssh_order = openssh_order};
    fixture->client = ly_sftp_client_new(&options, done, &fixture->ready);
    g_assert_cmpmem(fixture->sent.data, fixture->sent.len, "\0\0\0\x05\x01\0\0\0\x03", 9);
    ly_buf_clear(&fixture->sent);
    return fixture;
}

static inline void fixture_free(Fixture *fixture)
{
    ly_sftp_client_free(fixture->client);
    ly_buf_free(&fixture->sent);
    g_free(fixture);
}

/* In pieces of `chunk` bytes; each is a copy of its own, so that ASan sees a read beyond it. */
static inline bool feed(Fixture *fixture, LyBytes bytes, size_t chunk)
{
    bool right = true;
    for (size_t at = 0; at < bytes.len; at += chunk) {
        LyBytes piece = ly_bytes_slice(bytes, at, chunk);
        uint8_t *copy = g_memdup2(piece.data, piece.len);
        LyError error = {0};
        right = ly_sftp_client_receive(fixture->client, ly_bytes(copy, piece.len), &error);
        g_assert_true(right == (error.code == LY_OK));
        g_free(copy);
    }
    return right;
}

/* Packets of a server. */

static inline size_t packet_begin(LyBuf *buf, uint8_t type, uint32_t id)
{
    size_t mark = ly_put_string_begin(buf);
    ly_put_u8(buf, type);
    ly_put_u32(buf, id);
    return mark;
}

static inline void put_version(LyBuf *buf, uint32_t version, bool with_limits)
{
    size_t mark = packet_begin(buf, SSH_FXP_VERSION, version);
    ly_put_cstring(buf, "unknown@example.org");
    ly_put_cstring(buf, "");
    ly_put_cstring(buf, "statvfs@openssh.com");
    ly_put_cstring(buf, "2");
    ly_put_cstring(buf, "fsync@openssh.com");
    ly_put_cstring(buf, "9"); /* not the version that is known */
    if (with_limits) {
        ly_put_cstring(buf, "limits@openssh.com");
        ly_put_cstring(buf, "1");
    }
    ly_put_string_end(buf, mark);
}

static inline void put_status(LyBuf *buf, uint32_t id, uint32_t status, const char *message)
{
    size_t mark = packet_begin(buf, SSH_FXP_STATUS, id);
    ly_put_u32(buf, status);
    if (message) {
        ly_put_cstring(buf, message);
        ly_put_cstring(buf, "en");
    }
    ly_put_string_end(buf, mark);
}

static inline void put_string_reply(LyBuf *buf, uint8_t type, uint32_t id, LyBytes bytes)
{
    size_t mark = packet_begin(buf, type, id);
    ly_put_string(buf, bytes);
    ly_put_string_end(buf, mark);
}

static const LySftpAttrs full = {
    .flags = 15, .size = 5, .uid = 1000, .gid = 1001, .permissions = 0100644, .atime = 100, .mtime = 200};
static const LySftpAttrs mode = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS, .permissions = 0755};

static inline void put_names(LyBuf *buf, uint32_t id, uint32_t claimed, const char *const *names,
                             size_t count)
{
    size_t mark = packet_begin(buf, SSH_FXP_NAME, id);
    ly_put_u32(buf, claimed);
    for (size_t i = 0; i < count; i++) {
        ly_put_cstring(buf, names[i]);
        ly_put_cstring(buf, "");
        ly_put_attrs(buf, &full);
    }
    ly_put_string_end(buf, mark);
}

static inline void put_attrs_reply(LyBuf *buf, uint32_t id)
{
    size_t mark = packet_begin(buf, SSH_FXP_ATTRS, id);
    /* With extended pairs, which are read over. */
    ly_put_u32(buf, SSH_FILEXFER_ATTR_EXTENDED | SSH_FILEXFER_ATTR_SIZE);
    ly_put_u64(buf, UINT64_MAX);
    ly_put_u32(buf, 2);
    for (int i = 0; i < 4; i++)
        ly_put_cstring(buf, "x");
    ly_put_string_end(buf, mark);
}

static inline void put_extended(LyBuf *buf, uint32_t id, LyBytes payload)
{
    size_t mark = packet_begin(buf, SSH_FXP_EXTENDED_REPLY, id);
    ly_buf_add(buf, payload);
    ly_put_string_end(buf, mark);
}

static inline void put_limits(LyBuf *buf, uint32_t id, uint64_t packet, uint64_t read, uint64_t write,
                              uint64_t handles)
{
    size_t mark = packet_begin(buf, SSH_FXP_EXTENDED_REPLY, id);
    ly_put_u64(buf, packet);
    ly_put_u64(buf, read);
    ly_put_u64(buf, write);
    ly_put_u64(buf, handles);
    ly_put_string_end(buf, mark);
}

static inline void start(Fixture *fixture)
{
    LyBuf buf = {0};
    put_version(&buf, 3, false);
    g_assert_true(feed(fixture, ly_buf_bytes(&buf), SIZE_MAX));
    g_assert_cmpint(fixture->ready.calls, ==, 1);
    g_assert_cmpuint(fixture->ready.status, ==, SSH_FX_OK);
    ly_buf_free(&buf);
}

static inline void put_ok(LyBuf *buf, uint32_t id)
{
    put_status(buf, id, SSH_FX_OK, "fine");
}
static inline void put_data(LyBuf *buf, uint32_t id)
{
    put_string_reply(buf, SSH_FXP_DATA, id, LY_BYTES("hello"));
}

/* One function a request, so that tables can name them. */

typedef LySftpId Ask(LySftpClient *c, void *buffer, Record *record);
#define P LY_BYTES("/a\xff b")
#define Q LY_BYTES("new")
#define H                                                                                                    \
    LY_BYTES("H\0\xff"                                                                                       \
             "1")
#define D done, record
#define ASK(name, call)                                                                                      \
    static inline LySftpId ask_##name(LySftpClient *c, void *buffer, Record *record)                         \
    {                                                                                                        \
        return call;                                                                                         \
    }
ASK(open_no_attrs, ly_sftp_open(c, P, SSH_FXF_READ, NULL, D))
ASK(open_attrs, ly_sftp_open(c, P, SSH_FXF_WRITE | SSH_FXF_CREAT | SSH_FXF_EXCL, &full, D))
ASK(close, ly_sftp_close(c, H, D))
ASK(read, ly_sftp_read(c, H, 0x123456789ab, 5, buffer, D))
ASK(write, ly_sftp_write(c, H, 7, LY_BYTES("data"), D))
ASK(write_nothing, ly_sftp_write(c, H, 7, (LyBytes){0}, D))
ASK(lstat, ly_sftp_lstat(c, P, D))
ASK(fstat, ly_sftp_fstat(c, H, D))
ASK(setstat, ly_sftp_setstat(c, P, &full, D))
ASK(fsetstat, ly_sftp_fsetstat(c, H, &mode, D))
ASK(opendir, ly_sftp_opendir(c, P, D))
ASK(readdir, ly_sftp_readdir(c, H, D))
ASK(remove, ly_sftp_remove(c, P, D))
ASK(mkdir, ly_sftp_mkdir(c, P, &mode, D))
ASK(mkdir_no_attrs, ly_sftp_mkdir(c, P, NULL, D))
ASK(rmdir, ly_sftp_rmdir(c, P, D))
ASK(realpath, ly_sftp_realpath(c, LY_BYTES("."), D))
ASK(stat, ly_sftp_stat(c, P, D))
ASK(rename, ly_sftp_rename(c, P, Q, D))
ASK(readlink, ly_sftp_readlink(c, P, D))
ASK(symlink, ly_sftp_symlink(c, P, Q, D))
ASK(posix_rename, ly_sftp_posix_rename(c, P, Q, D))
ASK(hardlink, ly_sftp_hardlink(c, P, Q, D))
ASK(lsetstat, ly_sftp_lsetstat(c, P, &mode, D))
ASK(statvfs, ly_sftp_statvfs(c, P, D))
ASK(fstatvfs, ly_sftp_fstatvfs(c, H, D))
ASK(fsync, ly_sftp_fsync(c, H, D))
ASK(expand_path, ly_sftp_expand_path(c, LY_BYTES("~/x"), D))
ASK(copy_data, ly_sftp_copy_data(c, H, 1, 2, Q, 3, D))
ASK(home_directory, ly_sftp_home_directory(c, LY_BYTES("me"), D))
ASK(users_groups, ly_sftp_users_groups(c, (uint32_t[]){0, 1000}, 2, (uint32_t[]){7}, 1, D))
ASK(extended, ly_sftp_extended(c, LY_BYTES("x@y"), LY_BYTES("payload"), D))

/* Each with its packet: made by another program from the drafts' text. */
static const struct {
    const char *name;
    Ask *ask;
    const char *hex;
} requests[] = {
    {"open, no attrs", ask_open_no_attrs, "000000160300000001000000052f61ff20620000000100000000"},
    {"open, attrs", ask_open_attrs,
     "000000320300000001000000052f61ff20620000002a0000000f0000000000000005000003e8000003e9000081a40000"
     "0064000000c8"},
    {"close", ask_close, "0000000d0400000001000000044800ff31"},
    {"read", ask_read, "000000190500000001000000044800ff3100000123456789ab00000005"},
    {"write", ask_write, "0000001d0600000001000000044800ff3100000000000000070000000464617461"},
    {"write nothing", ask_write_nothing, "000000190600000001000000044800ff31000000000000000700000000"},
    {"lstat", ask_lstat, "0000000e0700000001000000052f61ff2062"},
    {"fstat", ask_fstat, "0000000d0800000001000000044800ff31"},
    {"setstat", ask_setstat,
     "0000002e0900000001000000052f61ff20620000000f0000000000000005000003e8000003e9000081a4000000640000"
     "00c8"},
    {"fsetstat", ask_fsetstat, "000000150a00000001000000044800ff3100000004000001ed"},
    {"opendir", ask_opendir, "0000000e0b00000001000000052f61ff2062"},
    {"readdir", ask_readdir, "0000000d0c00000001000000044800ff31"},
    {"remove", ask_remove, "0000000e0d00000001000000052f61ff2062"},
    {"mkdir", ask_mkdir, "000000160e00000001000000052f61ff206200000004000001ed"},
    {"mkdir, no attrs", ask_mkdir_no_attrs, "000000120e00000001000000052f61ff206200000000"},
    {"rmdir", ask_rmdir, "0000000e0f00000001000000052f61ff2062"},
    {"realpath", ask_realpath, "0000000a1000000001000000012e"},
    {"stat", ask_stat, "0000000e1100000001000000052f61ff2062"},
    {"rename", ask_rename, "000000151200000001000000052f61ff2062000000036e6577"},
    {"readlink", ask_readlink, "0000000e1300000001000000052f61ff2062"},
    {"symlink", ask_symlink, "000000151400000001000000052f61ff2062000000036e6577"},
    {"posix-rename", ask_posix_rename,
     "00000031c80000000100000018706f7369782d72656e616d65406f70656e7373682e636f6d000000052f61ff20620000"
     "00036e6577"},
    {"hardlink", ask_hardlink,
     "0000002dc80000000100000014686172646c696e6b406f70656e7373682e636f6d000000052f61ff2062000000036e65"
     "77"},
    {"lsetstat", ask_lsetstat,
     "0000002ec800000001000000146c73657473746174406f70656e7373682e636f6d000000052f61ff2062000000040000"
     "01ed"},
    {"statvfs", ask_statvfs,
     "00000025c8000000010000001373746174766673406f70656e7373682e636f6d000000052f61ff2062"},
    {"fstatvfs", ask_fstatvfs,
     "00000025c800000001000000146673746174766673406f70656e7373682e636f6d000000044800ff31"},
    {"fsync", ask_fsync, "00000022c800000001000000116673796e63406f70656e7373682e636f6d000000044800ff31"},
    {"expand-path", ask_expand_path,
     "00000027c80000000100000017657870616e642d70617468406f70656e7373682e636f6d000000037e2f78"},
    {"copy-data", ask_copy_data,
     "00000039c80000000100000009636f70792d64617461000000044800ff31000000000000000100000000000000020000"
     "00036e65770000000000000003"},
    {"home-directory", ask_home_directory,
     "0000001dc8000000010000000e686f6d652d6469726563746f7279000000026d65"},
    {"users-groups", ask_users_groups,
     "0000003bc8000000010000001e75736572732d67726f7570732d62792d6964406f70656e7373682e636f6d0000000800"
     "000000000003e80000000400000007"},
    {"extended", ask_extended, "00000013c800000001000000037840797061796c6f6164"},
};

#endif
