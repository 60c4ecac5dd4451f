/* The mount engine between a kernel played by the test and a server in memory: no mount, no root, no network.
 * What the errors and the answers are, one operation at a time; test-fs-chaos.c has the rest. */
#include "fs-kernel.h"

#define RIG(name, options)                                                                                   \
    Rig *name = rig_new(options);                                                                            \
    if (!name)                                                                                               \
        return;

static const MountOptions *plain(void)
{
    static MountOptions options;
    options = plain_options();
    return &options;
}

static void test_init(void)
{
    RIG(rig, plain());
    Call *call = g_hash_table_lookup(rig->calls, &(uint64_t){2});
    const struct fuse_init_out *out = OUT(call, fuse_init_out);
    const uint32_t wanted = FUSE_ASYNC_READ | FUSE_ASYNC_DIO | FUSE_ATOMIC_O_TRUNC | FUSE_AUTO_INVAL_DATA |
                            FUSE_PARALLEL_DIROPS | FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO;
    /* What libfuse adds by itself. */
    const uint32_t always = FUSE_BIG_WRITES | FUSE_MAX_PAGES;
    g_assert_cmpuint(out->major, ==, FUSE_KERNEL_VERSION);
    /* libfuse 3.14 forgets to pass FUSE_PARALLEL_DIROPS on. */
    g_assert_cmphex((out->flags & ~always) | FUSE_PARALLEL_DIROPS, ==, wanted);
    g_assert_cmphex(out->flags & (FUSE_WRITEBACK_CACHE | FUSE_HANDLE_KILLPRIV), ==, 0);
    g_assert_cmpuint(out->max_background, ==, 512);
    g_assert_cmpuint(out->congestion_threshold, ==, 400);
    g_assert_cmpuint(out->time_gran, ==, 1000000000);
    g_assert_cmpuint(out->max_write, >=, 128 * 1024);
    rig_free(rig);
}

static void test_lookup(void)
{
    MountOptions options = plain_options();
    RIG(rig, &options);
    server_add(&rig->server, "/srv/file", S_IFREG | 0640, "hello", 5);
    server_add(&rig->server, "/srv/dir", S_IFDIR | 0755, "", 0);
    server_add(&rig->server, "/srv/dir/inner", S_IFREG | 0600, "", 0);
    Call *call = begin_lookup(rig, 1, "file");
    g_assert_cmpint(finish(rig, call), ==, 0);
    const struct fuse_entry_out *out = OUT(call, fuse_entry_out);
    g_assert_cmpuint(out->attr.size, ==, 5);
    g_assert_cmpuint(out->attr.mode, ==, S_IFREG | 0640);
    g_assert_cmpuint(out->attr.mtime, ==, 200);
    g_assert_cmpuint(out->entry_valid, ==, 1);
    g_assert_cmpuint(lookup(rig, 1, "file"), ==, out->nodeid);
    g_assert_cmpint(finish(rig, begin_lookup(rig, 1, "none")), ==, ENOENT);
    uint64_t directory = lookup(rig, 1, "dir");
    lookup(rig, directory, "inner");
    /* Replaced behind our back: another file is another inode. */
    server_add(&rig->server, "/srv/changing", S_IFREG | 0644, "", 0);
    uint64_t changing = lookup(rig, 1, "changing");
    g_assert_cmpuint(changing, !=, out->nodeid);
    g_hash_table_remove(rig->server.tree, "/srv/changing");
    g_assert_cmpint(finish(rig, begin_lookup(rig, 1, "changing")), ==, ENOENT);
    server_add(&rig->server, "/srv/changing", S_IFREG | 0644, "", 0);
    uint64_t file = lookup(rig, 1, "changing");
    g_assert_cmpuint(file, !=, changing);
    server_add(&rig->server, "/srv/changing", S_IFDIR | 0755, "", 0);
    g_assert_cmpuint(lookup(rig, 1, "changing"), !=, file);
    forget_all(rig);
    settle(rig);
    g_assert_cmpuint(statistic(rig, "inodes"), ==, 1);
    uint64_t nodeid = lookup(rig, 1, "file");
    lookup(rig, 1, "file");
    directory = lookup(rig, 1, "dir");
    lookup(rig, directory, "inner");
    g_autofree char *long_name = g_strnfill(256, 'n');
    g_assert_cmpint(finish(rig, begin_lookup(rig, 1, long_name)), ==, ENAMETOOLONG);
    /* Its children keep a directory that the kernel forgot. */
    forget(rig, directory, 1);
    settle(rig);
    g_assert_cmpuint(statistic(rig, "inodes"), ==, 4);
    forget(rig, nodeid, 1);
    settle(rig);
    g_assert_cmpuint(statistic(rig, "inodes"), ==, 4);
    forget(rig, nodeid, 1);
    settle(rig);
    g_assert_cmpuint(statistic(rig, "inodes"), ==, 3);
    rig_free(rig);

    options.negative_timeout_us = 3 * 1000 * 1000;
    RIG(negative, &options);
    call = begin_lookup(negative, 1, "none");
    g_assert_cmpint(finish(negative, call), ==, 0);
    g_assert_cmpuint(OUT(call, fuse_entry_out)->nodeid, ==, 0);
    g_assert_cmpuint(OUT(call, fuse_entry_out)->entry_valid, ==, 3);
    rig_free(negative);
}

static int setattr(Rig *rig, uint64_t node, struct fuse_setattr_in in)
{
    return finish(rig, BEGIN(rig, FUSE_SETATTR, node, in));
}

static void test_attributes(void)
{
    RIG(rig, plain());
    Node *file = server_add(&rig->server, "/srv/file", S_IFREG | 0640, "hello", 5);
    uint64_t node = lookup(rig, 1, "file");
    Call *call = begin_getattr(rig, node);
    g_assert_cmpint(finish(rig, call), ==, 0);
    g_assert_cmpuint(OUT(call, fuse_attr_out)->attr.size, ==, 5);
    g_assert_cmpint(finish(rig, begin_getattr(rig, 1)), ==, 0);
    g_assert_cmpint(setattr(rig, node, (struct fuse_setattr_in){.valid = FATTR_MODE, .mode = 0600}), ==, 0);
    g_assert_cmphex(file->attrs.permissions, ==, S_IFREG | 0600);
    /* One half of what version 3 sets in pairs: the other stays what it is at the server. */
    file->attrs.gid = 1002;
    g_assert_cmpint(setattr(rig, node, (struct fuse_setattr_in){.valid = FATTR_UID, .uid = 7}), ==, 0);
    g_assert_cmpuint(file->attrs.uid, ==, 7);
    g_assert_cmpuint(file->attrs.gid, ==, 1002);
    file->attrs.uid = 9;
    g_assert_cmpint(setattr(rig, node, (struct fuse_setattr_in){.valid = FATTR_GID, .gid = 8}), ==, 0);
    g_assert_cmpuint(file->attrs.uid, ==, 9);
    g_assert_cmpuint(file->attrs.gid, ==, 8);
    g_assert_cmpint(setattr(rig, node, (struct fuse_setattr_in){.valid = FATTR_ATIME, .atime = 11}), ==, 0);
    g_assert_cmpuint(file->attrs.atime, ==, 11);
    g_assert_cmpuint(file->attrs.mtime, ==, 200);
    file->attrs.atime = 13;
    g_assert_cmpint(setattr(rig, node, (struct fuse_setattr_in){.valid = FATTR_MTIME, .mtime = 12}), ==, 0);
    g_assert_cmpuint(file->attrs.atime, ==, 13);
    g_assert_cmpuint(file->attrs.mtime, ==, 12);
    struct fuse_setattr_in now = {.valid = FATTR_ATIME | FATTR_MTIME | FATTR_ATIME_NOW | FATTR_MTIME_NOW};
    g_assert_cmpint(setattr(rig, node, now), ==, 0);
    g_assert_cmpuint(file->attrs.mtime, >, 1000000);
    call = BEGIN(rig, FUSE_SETATTR, node, (struct fuse_setattr_in){.valid = FATTR_SIZE, .size = 3});
    g_assert_cmpint(finish(rig, call), ==, 0);
    g_assert_cmpuint(OUT(call, fuse_attr_out)->attr.size, ==, 3);
    g_assert_cmpuint(file->content->len, ==, 3);
    uint64_t fh = open_file(rig, node, O_RDWR);
    unsigned by_handle = rig->server.seen[SSH_FXP_FSETSTAT];
    struct fuse_setattr_in grow = {.valid = FATTR_SIZE | FATTR_FH, .fh = fh, .size = 9};
    g_assert_cmpint(setattr(rig, node, grow), ==, 0);
    g_assert_cmpuint(rig->server.seen[SSH_FXP_FSETSTAT], ==, by_handle + 1);
    g_assert_cmpuint(file->content->len, ==, 9);
    release(rig, FUSE_RELEASE, node, fh);
    g_hash_table_remove(rig->server.tree, "/srv/file");
    g_assert_cmpint(setattr(rig, node, (struct fuse_setattr_in){.valid = FATTR_MODE, .mode = 0600}), ==,
                    ENOENT);
    rig_free(rig);
}

/* ---- READ ---- */

typedef struct Reading {
    Rig *rig;
    Node *file;
    uint64_t node, fh;
} Reading;

enum { FILE_LEN = 10000, PART = 1024 };

/* A file whose READs are of 1024 bytes each. */
static bool reading_begin(Reading *reading)
{
    MountOptions options = plain_options();
    options.max_read = PART;
    if (!(reading->rig = rig_new(&options)))
        return false;
    uint8_t content[FILE_LEN];
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (uint8_t)(i * 7 + i / 256);
    reading->file = server_add(&reading->rig->server, "/srv/file", S_IFREG | 0644, content, sizeof content);
    reading->node = lookup(reading->rig, 1, "file");
    reading->fh = open_file(reading->rig, reading->node, O_RDONLY);
    return true;
}

static void reading_end(Reading *reading)
{
    release(reading->rig, FUSE_RELEASE, reading->node, reading->fh);
    rig_free(reading->rig);
}

static Call *read_of(Reading *reading, uint64_t offset, uint32_t size)
{
    return begin_read(reading->rig, reading->node, reading->fh, offset, size);
}

static void assert_read(Reading *reading, Call *call, uint64_t offset, size_t len)
{
    g_assert_cmpint(finish(reading->rig, call), ==, 0);
    g_assert_cmpmem(call->payload->data, call->payload->len, reading->file->content->data + offset, len);
}

static void test_read(void)
{
    Reading reading;
    if (!reading_begin(&reading))
        return;
    for (int last_first = 0; last_first < 2; last_first++) {
        reading.rig->server.hold = true;
        Call *calls[4];
        for (size_t i = 0; i < 4; i++)
            calls[i] = read_of(&reading, i * 2048, 2048);
        settle(reading.rig);
        g_assert_cmpuint(reading.rig->server.answers->len, ==, 8);
        g_assert_false(calls[0]->answered);
        release_answers(reading.rig, last_first);
        for (size_t i = 0; i < 4; i++)
            assert_read(&reading, calls[i], i * 2048, 2048);
        reading.rig->server.hold = false;
    }
    assert_read(&reading, read_of(&reading, 100, 777), 100, 777);
    assert_read(&reading, read_of(&reading, 9000, 4096), 9000, 1000);
    assert_read(&reading, read_of(&reading, FILE_LEN, 4096), FILE_LEN, 0);
    assert_read(&reading, read_of(&reading, 50000, 4096), FILE_LEN, 0);
    /* Grown behind our back: read on past the size that was known. */
    g_byte_array_append(reading.file->content, (const uint8_t *)"more", 4);
    assert_read(&reading, read_of(&reading, FILE_LEN, 4096), FILE_LEN, 4);
    reading_end(&reading);
}

static void cut_reads(Server *server, Answer *answer)
{
    if (answer->request->type == SSH_FXP_READ && answer->bytes->len > 100)
        g_byte_array_set_size(answer->bytes, 100);
}

/* The third READ. */
static void empty_read(Server *server, Answer *answer)
{
    if (answer->request->type == SSH_FXP_READ && ++server->meddled == 3)
        g_byte_array_set_size(answer->bytes, 0);
}
static void fail_read(Server *server, Answer *answer)
{
    if (answer->request->type == SSH_FXP_READ && ++server->meddled == 3)
        answer->status = SSH_FX_FAILURE;
}
static void refuse_read(Server *server, Answer *answer)
{
    if (answer->request->type == SSH_FXP_READ && ++server->meddled == 3)
        answer->status = SSH_FX_PERMISSION_DENIED;
}

static void test_read_badly(void)
{
    static const struct {
        void (*meddle)(Server *server, Answer *answer);
        int error;
    } rows[] = {{cut_reads, 0}, {empty_read, EIO}, {fail_read, EIO}, {refuse_read, EACCES}};
    Reading reading;
    if (!reading_begin(&reading))
        return;
    for (size_t i = 0; i < LY_COUNT(rows); i++)
        for (int last_first = 0; last_first < 2; last_first++) {
            reading.rig->server.meddle = rows[i].meddle;
            reading.rig->server.meddled = 0;
            reading.rig->server.hold = true;
            Call *call = read_of(&reading, 0, 4096);
            release_answers(reading.rig, last_first);
            g_assert_cmpint(finish(reading.rig, call), ==, rows[i].error);
            if (!rows[i].error)
                assert_read(&reading, call, 0, 4096);
            /* The next one asks again. */
            reading.rig->server.meddle = NULL;
            reading.rig->server.hold = false;
            assert_read(&reading, read_of(&reading, 0, 4096), 0, 4096);
        }
    /* It shrank meanwhile: the end of the file is one, wherever it comes. */
    g_byte_array_set_size(reading.file->content, 1500);
    assert_read(&reading, read_of(&reading, 0, 4096), 0, 1500);
    reading_end(&reading);
}

/* ---- WRITE ---- */

static void refuse_write(Server *server, Answer *answer)
{
    if (answer->request->type == SSH_FXP_WRITE && server->meddled) {
        server->meddled--;
        answer->status = SSH_FX_PERMISSION_DENIED;
    }
}
static void fail_write(Server *server, Answer *answer)
{
    if (answer->request->type == SSH_FXP_WRITE && server->meddled) {
        server->meddled--;
        answer->status = SSH_FX_FAILURE;
    }
}

static void test_write(void)
{
    RIG(rig, plain());
    Node *file = server_add(&rig->server, "/srv/file", S_IFREG | 0644, "hello", 5);
    uint64_t node = lookup(rig, 1, "file"), fh = open_file(rig, node, O_RDWR),
             other = open_file(rig, node, O_RDWR);
    Call *call = begin_write(rig, node, fh, 5, LY_BYTES(" world"));
    g_assert_cmpint(finish(rig, call), ==, 0);
    g_assert_cmpuint(OUT(call, fuse_write_out)->size, ==, 6);
    /* Whoever asks sees it, by whatever handle, before it was sent. */
    call = begin_read(rig, node, other, 0, 100);
    g_assert_cmpint(finish(rig, call), ==, 0);
    g_assert_cmpmem(call->payload->data, call->payload->len, "hello world", 11);
    call = begin_getattr(rig, node);
    g_assert_cmpint(finish(rig, call), ==, 0);
    g_assert_cmpuint(OUT(call, fuse_attr_out)->attr.size, ==, 11);
    g_assert_cmpint(finish(rig, begin_fsync(rig, node, fh)), ==, 0);
    g_assert_cmpuint(rig->server.seen_extension[LY_SFTP_EXTENSION_FSYNC], ==, 1);
    g_assert_cmpmem(file->content->data, file->content->len, "hello world", 11);

    /* A failure is told once by a write, once by whoever wants to be sure, and then no more. */
    static const struct {
        Call *(*sure)(Rig *rig, uint64_t node, uint64_t fh);
        void (*meddle)(Server *server, Answer *answer);
        int error;
        bool by_write, full;
    } rows[] = {
        {begin_fsync, refuse_write, EACCES, false, false}, {begin_flush, refuse_write, EACCES, false, false},
        {begin_fsync, refuse_write, EACCES, true, false},  {begin_flush, refuse_write, EACCES, true, false},
        {begin_flush, fail_write, ENOSPC, false, true},    {begin_fsync, fail_write, EIO, false, false},
    };
    uint8_t big[100000] = {0};
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        rig->server.meddle = rows[i].meddle;
        rig->server.meddled = 1;
        rig->server.free_blocks = rows[i].full ? 0 : 500;
        g_assert_cmpint(finish(rig, begin_write(rig, node, fh, 0, ly_bytes(big, sizeof big))), ==, 0);
        settle(rig);
        if (rows[i].by_write) {
            g_assert_cmpint(finish(rig, begin_write(rig, node, fh, 0, LY_BYTES("x"))), ==, rows[i].error);
            g_assert_cmpint(finish(rig, begin_write(rig, node, fh, 0, LY_BYTES("x"))), ==, 0);
        }
        g_assert_cmpint(finish(rig, rows[i].sure(rig, node, other)), ==, 0); /* another's handle */
        g_assert_cmpint(finish(rig, rows[i].sure(rig, node, fh)), ==, rows[i].error);
        g_assert_cmpint(finish(rig, rows[i].sure(rig, node, fh)), ==, 0);
        g_assert_cmpint(finish(rig, begin_write(rig, node, fh, 0, LY_BYTES("x"))), ==, 0);
    }
    g_assert_cmpint(finish(rig, begin_write(rig, node, fh, INT64_MAX - 3, LY_BYTES("12345"))), ==, EFBIG);
    release(rig, FUSE_RELEASE, node, fh);
    release(rig, FUSE_RELEASE, node, other);
    rig_free(rig);
}

/* ---- names ---- */

static void test_create(void)
{
    RIG(rig, plain());
    server_add(&rig->server, "/srv/there", S_IFREG | 0644, "old", 3);
    Call *call = begin_create(rig, 1, "new", O_CREAT | O_EXCL | O_RDWR, 0600);
    g_assert_cmpint(finish(rig, call), ==, 0);
    uint64_t node = OUT(call, fuse_entry_out)->nodeid;
    g_assert_cmpuint(OUT(call, fuse_entry_out)->attr.mode, ==, S_IFREG | 0600);
    g_assert_cmphex(server_find(&rig->server, "/srv/new")->attrs.permissions, ==, S_IFREG | 0600);
    release(rig, FUSE_RELEASE, node, created_handle(call));
    g_assert_cmpint(finish(rig, begin_create(rig, 1, "there", O_CREAT | O_EXCL | O_RDWR, 0600)), ==, EEXIST);
    g_assert_cmpint(finish(rig, begin_create(rig, 1, "new", O_CREAT | O_EXCL | O_RDWR, 0600)), ==, EEXIST);
    call = begin_create(rig, 1, "there", O_CREAT | O_TRUNC | O_WRONLY, 0644);
    g_assert_cmpint(finish(rig, call), ==, 0);
    g_assert_cmpuint(server_find(&rig->server, "/srv/there")->content->len, ==, 0);
    release(rig, FUSE_RELEASE, OUT(call, fuse_entry_out)->nodeid, created_handle(call));

    struct fuse_mkdir_in mkdir_in = {.mode = 0750};
    call = BEGIN_NAME(rig, FUSE_MKDIR, 1, "dir", mkdir_in);
    g_assert_cmpint(finish(rig, call), ==, 0);
    uint64_t directory = OUT(call, fuse_entry_out)->nodeid;
    g_assert_cmpint(finish(rig, BEGIN_NAME(rig, FUSE_MKDIR, 1, "dir", mkdir_in)), ==, EEXIST);
    struct fuse_mknod_in mknod_in = {.mode = S_IFREG | 0644};
    g_assert_cmpint(finish(rig, BEGIN_NAME(rig, FUSE_MKNOD, directory, "node", mknod_in)), ==, 0);
    mknod_in.mode = S_IFIFO | 0644;
    g_assert_cmpint(finish(rig, BEGIN_NAME(rig, FUSE_MKNOD, directory, "fifo", mknod_in)), ==, EPERM);
    struct fuse_link_in link_in = {.oldnodeid = node};
    g_assert_cmpint(finish(rig, BEGIN_NAME(rig, FUSE_LINK, directory, "link", link_in)), ==, 0);
    g_assert_true(server_find(&rig->server, "/srv/dir/link") == server_find(&rig->server, "/srv/new"));
    g_assert_cmpint(finish(rig, begin_names(rig, FUSE_SYMLINK, directory, NULL, 0, "sym", "../new")), ==, 0);
    g_assert_cmpstr(server_find(&rig->server, "/srv/dir/sym")->target, ==, "../new");

    g_assert_cmpint(finish(rig, begin_names(rig, FUSE_RMDIR, 1, NULL, 0, "dir", NULL)), ==, ENOTEMPTY);
    g_assert_cmpint(finish(rig, begin_names(rig, FUSE_UNLINK, 1, NULL, 0, "dir", NULL)), ==, EISDIR);
    g_assert_cmpint(finish(rig, begin_names(rig, FUSE_RMDIR, 1, NULL, 0, "new", NULL)), ==, ENOTDIR);
    g_assert_cmpint(finish(rig, begin_names(rig, FUSE_UNLINK, 1, NULL, 0, "none", NULL)), ==, ENOENT);
    g_assert_cmpint(finish(rig, begin_names(rig, FUSE_UNLINK, directory, NULL, 0, "link", NULL)), ==, 0);
    g_assert_null(server_find(&rig->server, "/srv/dir/link"));
    g_assert_cmpint(finish(rig, begin_lookup(rig, directory, "link")), ==, ENOENT);
    rig_free(rig);
}

static void test_rename(void)
{
    RIG(rig, plain());
    Node *a = server_add(&rig->server, "/srv/a", S_IFREG | 0644, "a", 1);
    server_add(&rig->server, "/srv/b", S_IFREG | 0644, "b", 1);
    server_add(&rig->server, "/srv/dir", S_IFDIR | 0755, "", 0);
    server_add(&rig->server, "/srv/dir/full", S_IFREG | 0644, "", 0);
    uint64_t node = lookup(rig, 1, "a"), directory = lookup(rig, 1, "dir");
    lookup(rig, 1, "b");
    g_assert_cmpint(finish(rig, begin_rename(rig, 1, "a", 1, "b", 1 /* RENAME_NOREPLACE */)), ==, EEXIST);
    g_assert_cmpint(finish(rig, begin_rename(rig, 1, "a", 1, "b", 2 /* RENAME_EXCHANGE */)), ==, EINVAL);
    g_assert_true(server_find(&rig->server, "/srv/a") == a);
    g_assert_cmpint(finish(rig, begin_rename(rig, 1, "a", directory, "c", 1)), ==, 0);
    g_assert_true(server_find(&rig->server, "/srv/dir/c") == a);
    g_assert_cmpuint(rig->server.seen_extension[LY_SFTP_EXTENSION_POSIX_RENAME], ==, 0);
    g_assert_cmpuint(lookup(rig, directory, "c"), ==, node);
    g_assert_cmpint(finish(rig, begin_rename(rig, directory, "c", 1, "b", 0)), ==, 0);
    g_assert_cmpuint(rig->server.seen_extension[LY_SFTP_EXTENSION_POSIX_RENAME], ==, 1);
    g_assert_true(server_find(&rig->server, "/srv/b") == a);
    g_assert_cmpuint(lookup(rig, 1, "b"), ==, node);
    g_assert_cmpint(finish(rig, begin_rename(rig, 1, "none", 1, "x", 0)), ==, ENOENT);
    rig_free(rig);
}

/* ---- directories ---- */

static void hostile_names(Server *server, Answer *answer)
{
    if (answer->request->type != SSH_FXP_READDIR || server->meddled++)
        return;
    uint8_t long_name[300];
    memset(long_name, 'n', sizeof long_name);
    const LyBytes names[] = {
        LY_BYTES("a/b"),  LY_BYTES("/"),  LY_BYTES("nul\0name"),    LY_BYTES("."),
        LY_BYTES(".."),   LY_BYTES(""),   ly_bytes(long_name, 300), ly_bytes(long_name, 255),
        LY_BYTES("twin"), LY_BYTES("ok"), LY_BYTES("twin"),         LY_BYTES("\xff\x1b[2J"),
    };
    LySftpAttrs attrs = {.flags = 15, .size = 3, .permissions = S_IFREG | 0644};
    answer->status = SSH_FX_OK;
    for (size_t i = 0; i < LY_COUNT(names); i++)
        answer_name(answer, names[i], &attrs);
}

static void test_readdir(void)
{
    g_autofree char *longest = g_strnfill(255, 'n');
    g_autofree char *expected = g_strconcat("|.|..|", longest, "|ok|twin|\xff\x1b[2J", NULL);
    for (int plus = 0; plus < 2; plus++)
        for (uint32_t size = 512; size <= 32768; size *= 64) {
            RIG(rig, plain());
            server_add(&rig->server, "/srv/evil", S_IFDIR | 0755, "", 0);
            uint64_t directory = lookup(rig, 1, "evil");
            rig->server.meddle = hostile_names;
            g_autofree char *names = list(rig, directory, plus, size);
            g_assert_cmpstr(names, ==, expected);
            rig_free(rig);
        }
    RIG(rig, plain());
    server_add(&rig->server, "/srv/file", S_IFREG | 0644, "", 0);
    server_add(&rig->server, "/srv/dir", S_IFDIR | 0755, "", 0);
    g_autofree char *names = list(rig, 1, true, 4096);
    g_assert_cmpstr(names, ==, "|.|..|dir|file");
    /* With listings kept, READDIRPLUS is a LOOKUP of each and counts as one. */
    MountOptions options = plain_options();
    options.dir_cache_us = options.attr_cache_us = 20 * 1000 * 1000;
    RIG(keeping, &options);
    server_add(&keeping->server, "/srv/file", S_IFREG | 0644, "12345", 5);
    for (int i = 0; i < 2; i++) {
        g_autofree char *found = list(keeping, 1, true, 4096);
        g_assert_cmpstr(found, ==, "|.|..|file");
    }
    g_assert_cmpuint(keeping->server.seen[SSH_FXP_OPENDIR], ==, 1);
    g_assert_cmpuint(g_hash_table_size(keeping->lookups), ==, 1);
    uint64_t node = lookup(keeping, 1, "file");
    g_assert_cmpuint(keeping->server.seen[SSH_FXP_LSTAT], ==, 0);
    for (int i = 0; i < 3; i++) {
        g_assert_cmpuint(statistic(keeping, "inodes"), ==, 2);
        forget(keeping, node, 1);
        settle(keeping);
    }
    g_assert_cmpuint(statistic(keeping, "inodes"), ==, 1);
    rig_free(keeping);

    g_autofree char *none = list(rig, lookup(rig, 1, "dir"), true, 4096);
    g_assert_cmpstr(none, ==, "|.|..");
    Call *call = BEGIN(rig, FUSE_OPENDIR, lookup(rig, 1, "file"), (struct fuse_open_in){0});
    g_assert_cmpint(finish(rig, call), ==, ENOTDIR);
    rig_free(rig);
}

static void hostile_target(Server *server, Answer *answer)
{
    if (answer->request->type != SSH_FXP_READLINK)
        return;
    g_ptr_array_remove_index(answer->names, 0);
    g_ptr_array_add(answer->names,
                    server->meddled ? g_bytes_new_static("a\0b", 3) : g_bytes_new_static("", 0));
}

static void test_readlink(void)
{
    static const struct {
        const char *name, *target, *shown[3]; /* by policy; NULL: EPERM */
    } rows[] = {
        {"near", "file", {"file", "file", "file"}},
        {"up", "../etc/passwd", {NULL, "../etc/passwd", "etc/passwd"}},
        {"absolute", "/etc/passwd", {NULL, "/etc/passwd", "etc/passwd"}},
        {"home", "/srv/dir/x", {NULL, "/srv/dir/x", "dir/x"}},
        {"mount", "/nowhere/mnt/x", {"/nowhere/mnt/x", "/nowhere/mnt/x", "/nowhere/mnt/x"}},
    };
    for (size_t policy = SYMLINKS_INSIDE; policy <= SYMLINKS_REWRITE; policy++) {
        MountOptions options = plain_options();
        options.symlinks = (SymlinkPolicy)policy;
        RIG(rig, &options);
        for (size_t i = 0; i < LY_COUNT(rows); i++) {
            g_autofree char *path = g_strconcat("/srv/", rows[i].name, NULL);
            server_add_link(&rig->server, path, rows[i].target);
            uint64_t node = lookup(rig, 1, rows[i].name);
            Call *call = begin(rig, FUSE_READLINK, node, NULL, 0, NULL, 0, NULL);
            const char *shown = rows[i].shown[policy];
            g_assert_cmpint(finish(rig, call), ==, shown ? 0 : EPERM);
            if (shown)
                g_assert_cmpmem(call->payload->data, call->payload->len, shown, strlen(shown));
        }
        uint64_t node = lookup(rig, 1, "near");
        for (uint32_t nul = 0; nul < 2; nul++) {
            rig->server.meddle = hostile_target;
            rig->server.meddled = nul;
            Call *call = begin(rig, FUSE_READLINK, node, NULL, 0, NULL, 0, NULL);
            g_assert_cmpint(finish(rig, call), ==, EIO);
        }
        rig_free(rig);
    }
}

/* ---- what is no kernel ---- */

static void test_nonsense(void)
{
    static const struct {
        size_t len, claimed;
    } rows[] = {{0, 0}, {1, 1}, {39, 39}, {40, 41}, {41, 40}, {40, 0}, {48, 0xffffffff}, {4096, 4095}};
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        RIG(rig, plain());
        uint8_t bytes[4096] = {0};
        struct fuse_in_header header = {
            .len = (uint32_t)rows[i].claimed, .opcode = FUSE_LOOKUP, .unique = 1000, .nodeid = 1};
        memcpy(bytes, &header, sizeof header);
        if (rows[i].len == 0)
            shutdown(rig->fd, SHUT_WR);
        else
            g_assert_cmpint(write(rig->fd, bytes, rows[i].len), ==, rows[i].len);
        settle(rig);
        g_assert_true(rig->ended);
        rig_free(rig);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fs-kernel/init", test_init);
    g_test_add_func("/fs-kernel/lookup", test_lookup);
    g_test_add_func("/fs-kernel/attributes", test_attributes);
    g_test_add_func("/fs-kernel/read", test_read);
    g_test_add_func("/fs-kernel/read-badly", test_read_badly);
    g_test_add_func("/fs-kernel/write", test_write);
    g_test_add_func("/fs-kernel/create", test_create);
    g_test_add_func("/fs-kernel/rename", test_rename);
    g_test_add_func("/fs-kernel/readdir", test_readdir);
    g_test_add_func("/fs-kernel/readlink", test_readlink);
    g_test_add_func("/fs-kernel/nonsense", test_nonsense);
    return g_test_run();
}
