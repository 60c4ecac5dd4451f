/* The pure parts of the mount engine: links by their text, errno from what was found, the inode table,
 * attributes, read-ahead. */
#include <errno.h>
#include <glib.h>

#include "attributes.h"
#include "buffer.h"
#include "failure.h"
#include "file.h"
#include "inode.h"
#include "listing.h"
#include "symlink.h"

static void test_symlinks(void)
{
    static const struct {
        SymlinkPolicy policy;
        bool transform;
        size_t depth;
        const char *target, *shown; /* NULL: EPERM */
    } rows[] = {
        {SYMLINKS_INSIDE, false, 0, "a", "a"},
        {SYMLINKS_INSIDE, false, 0, "../a", NULL},
        {SYMLINKS_INSIDE, false, 1, "../a", "../a"},
        {SYMLINKS_INSIDE, false, 1, "../../a", NULL},
        {SYMLINKS_INSIDE, false, 2, "x/../../../a", "x/../../../a"},
        {SYMLINKS_INSIDE, false, 0, "x/../../x", NULL},
        {SYMLINKS_INSIDE, false, 0, "./x//y/./..", "./x//y/./.."},
        {SYMLINKS_INSIDE, false, 0, "..", NULL},
        {SYMLINKS_INSIDE, false, 1, "..", ".."},
        {SYMLINKS_INSIDE, false, 0, "/etc/passwd", NULL},
        {SYMLINKS_INSIDE, false, 0, "/srv/data/x", NULL},
        {SYMLINKS_INSIDE, false, 0, "/mnt/here/x", "/mnt/here/x"},
        {SYMLINKS_INSIDE, false, 0, "/mnt/here", "/mnt/here"},
        {SYMLINKS_INSIDE, false, 0, "/mnt/hereafter", NULL},
        {SYMLINKS_INSIDE, false, 0, "/mnt/here/../x", NULL},
        {SYMLINKS_INSIDE, false, 0, "...", "..."},
        {SYMLINKS_INSIDE, true, 0, "/srv/data/x/y", "x/y"},
        {SYMLINKS_INSIDE, true, 2, "/srv/data/x/y", "../../x/y"},
        {SYMLINKS_INSIDE, true, 0, "/srv/data", "."},
        {SYMLINKS_INSIDE, true, 2, "/srv/data/", "../.."},
        {SYMLINKS_INSIDE, true, 0, "/srv/database", NULL},
        {SYMLINKS_RAW, false, 0, "../../etc", "../../etc"},
        {SYMLINKS_RAW, false, 0, "/etc", "/etc"},
        {SYMLINKS_RAW, true, 1, "/srv/data/e", "../e"},
        {SYMLINKS_REWRITE, false, 1, "/srv/data/e", "../e"},
        {SYMLINKS_REWRITE, false, 1, "/etc/x", "../etc/x"},
        {SYMLINKS_REWRITE, false, 0, "/../../etc/x", "etc/x"},
        {SYMLINKS_REWRITE, false, 1, "../../../a/b", "../a/b"},
        {SYMLINKS_REWRITE, false, 0, "..", "."},
        {SYMLINKS_REWRITE, false, 2, "../../..", "../.."},
        {SYMLINKS_REWRITE, false, 2, "../ok", "../ok"},
        {SYMLINKS_REWRITE, false, 1, "x/../../../y/../z", "../z"},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        SymlinkRules rules = {rows[i].policy, rows[i].transform, LY_BYTES("/srv/data"),
                              LY_BYTES("/mnt/here")};
        LyBuf out = {0};
        int error = symlink_present(&rules, rows[i].depth, ly_bytes_str(rows[i].target), &out);
        g_assert_cmpint(error, ==, rows[i].shown ? 0 : EPERM);
        if (rows[i].shown)
            g_assert_cmpstr(ly_buf_str(&out), ==, rows[i].shown);
        else
            g_assert_cmpuint(out.len, ==, 0);
        ly_buf_free(&out);
    }
    SymlinkRules rules = {SYMLINKS_RAW};
    LyBuf out = {0};
    g_autofree char *big = g_strnfill(5000, 'a');
    g_assert_cmpint(symlink_present(&rules, 0, ly_bytes_str(big), &out), ==, ENAMETOOLONG);
    g_assert_cmpint(symlink_present(&rules, 0, ly_bytes("a\0b", 3), &out), ==, EIO);
    g_assert_cmpint(symlink_present(&rules, 0, (LyBytes){0}, &out), ==, EIO);
    ly_buf_free(&out);
}

static void test_failures(void)
{
    static const struct {
        FailureFacts facts;
        int error;
    } rows[] = {
        {{FAILED_OTHER, SSH_FX_OK}, 0},
        {{FAILED_OTHER, SSH_FX_NO_SUCH_FILE}, ENOENT},
        {{FAILED_OPEN, SSH_FX_PERMISSION_DENIED}, EACCES},
        {{FAILED_ATTRIBUTES, SSH_FX_PERMISSION_DENIED}, EPERM},
        {{FAILED_OTHER, SSH_FX_OP_UNSUPPORTED}, EOPNOTSUPP},
        {{FAILED_OTHER, SSH_FX_CONNECTION_LOST}, EIO},
        {{FAILED_OTHER, SSH_FX_EOF}, EIO},
        {{FAILED_OTHER, 4711}, EIO},
        {{FAILED_OTHER, SSH_FX_FAILURE}, EIO},
        {{FAILED_CREATE, SSH_FX_FAILURE, .target_known = true, .target_exists = true}, EEXIST},
        {{FAILED_CREATE, SSH_FX_FAILURE, .target_known = true}, EIO},
        {{FAILED_CREATE, SSH_FX_FAILURE, .space_known = true, .space_none = true}, ENOSPC},
        {{FAILED_CREATE, SSH_FX_FAILURE, .space_known = true, .read_only = true}, EROFS},
        {{FAILED_CREATE, SSH_FX_FAILURE, .name_len = 256}, ENAMETOOLONG},
        {{FAILED_CREATE, SSH_FX_BAD_MESSAGE, .name_len = 200, .name_max = 143}, ENAMETOOLONG},
        {{FAILED_CREATE, SSH_FX_BAD_MESSAGE, .path_len = 5000}, ENAMETOOLONG},
        {{FAILED_CREATE, SSH_FX_BAD_MESSAGE, .name_len = 20}, EINVAL},
        {{FAILED_RMDIR, SSH_FX_FAILURE, .target_known = true, .target_exists = true,
          .target_is_directory = true},
         ENOTEMPTY},
        {{FAILED_RMDIR, SSH_FX_FAILURE, .target_known = true, .target_exists = true}, ENOTDIR},
        {{FAILED_REMOVE, SSH_FX_FAILURE, .target_known = true, .target_exists = true,
          .target_is_directory = true},
         EISDIR},
        {{FAILED_RENAME, SSH_FX_FAILURE, .devices_known = true, .devices_differ = true}, EXDEV},
        {{FAILED_RENAME, SSH_FX_FAILURE, .devices_known = true, .devices_differ = true, .space_known = true,
          .read_only = true},
         EXDEV},
        {{FAILED_CREATE, SSH_FX_FAILURE, .devices_known = true, .devices_differ = true}, EXDEV},
        {{FAILED_RENAME, SSH_FX_FAILURE, .target_known = true, .target_exists = true,
          .target_is_directory = true, .source_is_directory = true},
         ENOTEMPTY},
        {{FAILED_RENAME, SSH_FX_FAILURE, .target_known = true, .target_exists = true,
          .target_is_directory = true},
         EISDIR},
        {{FAILED_RENAME, SSH_FX_FAILURE, .target_known = true, .target_exists = true,
          .source_is_directory = true},
         ENOTDIR},
        {{FAILED_RENAME, SSH_FX_FAILURE, .space_known = true, .space_none = true}, ENOSPC},
        {{FAILED_OPEN, SSH_FX_FAILURE, .target_known = true, .target_exists = true,
          .target_is_directory = true, .for_writing = true},
         EISDIR},
        {{FAILED_OPEN, SSH_FX_FAILURE, .space_known = true, .read_only = true, .for_writing = true}, EROFS},
        {{FAILED_WRITE, SSH_FX_FAILURE, .space_known = true, .space_none = true}, ENOSPC},
        {{FAILED_WRITE, SSH_FX_FAILURE, .space_known = true}, EIO},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++)
        g_assert_cmpint(failure_errno(&rows[i].facts), ==, rows[i].error);
}

static const char *path_of(const Inode *inode, const char *base, const char *name)
{
    static LyBuf path;
    if (!inode_path(inode, ly_bytes_str(base), ly_bytes_str(name), &path)) {
        ly_buf_free(&path);
        return NULL;
    }
    return ly_buf_str(&path);
}

static void count_released(void *user, Inode *inode)
{
    ++*(unsigned *)user;
}

static void test_inodes(void)
{
    Inodes inodes;
    unsigned released = 0;
    inodes_init(&inodes, count_released, &released);
    Inode *root = inodes.root;
    g_assert_cmpstr(path_of(root, "", ""), ==, ".");
    g_assert_cmpstr(path_of(root, "", "x"), ==, "x");
    g_assert_cmpstr(path_of(root, "/", ""), ==, "/");
    g_assert_cmpstr(path_of(root, "/", "x"), ==, "/x");
    g_assert_cmpstr(path_of(root, "/srv/", ""), ==, "/srv");
    g_assert_cmpstr(path_of(root, "data", "x"), ==, "data/x");

    Inode *a = inode_get(&inodes, root, LY_BYTES("a"));
    a->lookups = 1;
    Inode *b = inode_get(&inodes, a, LY_BYTES("b"));
    b->lookups = 2;
    g_assert_true(inode_get(&inodes, a, LY_BYTES("b")) == b);
    g_assert_cmpstr(path_of(b, "/srv", "c"), ==, "/srv/a/b/c");
    g_assert_cmpuint(inode_depth(b), ==, 2);
    g_assert_true(inode_find(&inodes, root, LY_BYTES("b")) == NULL);
    uint64_t number_a = a->st_ino, number_b = b->st_ino;
    g_assert_cmpuint(number_a, ==, inode_natural_number(INODE_ROOT_NUMBER, LY_BYTES("a")));

    /* Moved: the number stays, and whoever comes to its old name gets another. */
    inode_move(&inodes, b, root, LY_BYTES("moved"));
    g_assert_cmpstr(path_of(b, "", ""), ==, "moved");
    g_assert_cmpuint(b->st_ino, ==, number_b);
    Inode *c = inode_get(&inodes, a, LY_BYTES("b"));
    g_assert_true(c != b);
    g_assert_cmpuint(c->st_ino, !=, number_b);
    c->lookups = 1;
    /* Over another: that one has no name any more, but lives. */
    inode_move(&inodes, b, a, LY_BYTES("b"));
    g_assert_true(c->gone);
    g_assert_null(path_of(c, "", ""));
    g_assert_true(inode_find(&inodes, a, LY_BYTES("b")) == b);
    inode_forget(&inodes, c, 1);
    g_assert_cmpuint(released, ==, 1);

    /* A child keeps its parents; they go with it. */
    inode_forget(&inodes, a, 1);
    g_assert_cmpuint(released, ==, 1);
    inode_forget(&inodes, b, 5);
    g_assert_cmpuint(released, ==, 3);
    g_assert_cmpuint(inodes.count, ==, 1);

    /* Evicted and seen again: the same number. */
    a = inode_get(&inodes, root, LY_BYTES("a"));
    g_assert_cmpuint(a->st_ino, ==, number_a);
    inode_settle(&inodes, a);

    /* Many, with names of any bytes, and what each costs. */
    char name[16];
    for (unsigned i = 0; i < 20000; i++) {
        size_t len = (size_t)g_snprintf(name, sizeof name, "\xff%u\n", i);
        inode_get(&inodes, root, ly_bytes(name, len))->lookups = 1;
    }
    for (unsigned i = 0; i < 20000; i++) {
        size_t len = (size_t)g_snprintf(name, sizeof name, "\xff%u\n", i);
        Inode *inode = inode_find(&inodes, root, ly_bytes(name, len));
        g_assert_nonnull(inode);
        if (i % 2)
            inode_detach(&inodes, inode);
        if (i % 4)
            inode_forget(&inodes, inode, 1);
    }
    g_assert_cmpuint(sizeof(Inode) + 2 * sizeof(void *) + 2 * 16 + 255, <=, 600);
    for (size_t i = 0; i < inodes.room; i++) /* those left have a name: inodes_free finds them */
        for (Inode *inode = inodes.bucket[i]; inode; inode = inode->chain)
            g_assert_false(inode->gone);
    inodes_free(&inodes);
}

static void test_attributes(void)
{
    MountOptions options = {0};
    Owners owners = {.options = &options,
                     .known = true,
                     .remote_uid = 1000,
                     .remote_gid = 1001,
                     .local_uid = 50,
                     .local_gid = 51};
    LySftpAttrs attrs = {.flags = 15,
                         .size = 1025,
                         .uid = 1000,
                         .gid = 7,
                         .permissions = 0100644,
                         .atime = 5,
                         .mtime = UINT32_MAX};
    struct stat st;
    g_assert_cmpint(attributes_to_stat(&owners, &attrs, 99, &st), ==, 0);
    g_assert_cmpuint(st.st_ino, ==, 99);
    g_assert_cmpuint(st.st_mode, ==, 0100644);
    g_assert_cmpuint(st.st_uid, ==, 1000);
    g_assert_cmpint(st.st_blocks, ==, 3);
    g_assert_cmpint(st.st_mtime, ==, UINT32_MAX);
    g_assert_cmpint(st.st_nlink, ==, 1);
    attrs.size = (uint64_t)INT64_MAX + 1;
    g_assert_cmpint(attributes_to_stat(&owners, &attrs, 1, &st), ==, EOVERFLOW);
    attrs.size = INT64_MAX;
    g_assert_cmpint(attributes_to_stat(&owners, &attrs, 1, &st), ==, 0);

    options.idmap = IDMAP_USER;
    g_assert_cmpint(attributes_to_stat(&owners, &attrs, 1, &st), ==, 0);
    g_assert_cmpuint(st.st_uid, ==, 50);
    g_assert_cmpuint(st.st_gid, ==, 7);
    LySftpAttrs set = {0};
    g_assert_cmpint(attributes_remote_owner(&owners, 50, 51, &set), ==, 0);
    g_assert_cmpuint(set.uid, ==, 1000);
    g_assert_cmpuint(set.gid, ==, 1001);

    IdTable *table = id_table_new();
    id_table_add(table, 1, 1000);
    id_table_add(table, 2, 7);
    id_table_add(table, 3, 7);
    options.idmap = IDMAP_FILE;
    options.uid_table = options.gid_table = table;
    g_assert_cmpint(attributes_to_stat(&owners, &attrs, 1, &st), ==, 0);
    g_assert_cmpuint(st.st_uid, ==, 1);
    g_assert_cmpuint(st.st_gid, ==, 2);
    attrs.gid = 4711;
    g_assert_cmpint(attributes_to_stat(&owners, &attrs, 1, &st), ==, 0);
    g_assert_cmpuint(st.st_gid, ==, 4711);
    options.nomap_error = true;
    g_assert_cmpint(attributes_to_stat(&owners, &attrs, 1, &st), ==, EPERM);
    g_assert_cmpint(attributes_remote_owner(&owners, 3, 99, &set), ==, EPERM);
    id_table_free(table);

    options = (MountOptions){.override_uid = true, .uid = 8, .override_umask = true, .umask = 027};
    attrs.flags &= ~(uint32_t)SSH_FILEXFER_ATTR_UIDGID;
    g_assert_cmpint(attributes_to_stat(&owners, &attrs, 1, &st), ==, 0);
    g_assert_cmpuint(st.st_uid, ==, 8);
    g_assert_cmpuint(st.st_gid, ==, 51);
    g_assert_cmpuint(st.st_mode, ==, 0100750);
    attrs.permissions = 0640; /* a server without type bits */
    g_assert_cmpuint(attributes_type(&attrs), ==, S_IFREG);

    g_assert_cmpuint(attributes_seconds(&(struct timespec){-1, 0}), ==, 0);
    g_assert_cmpuint(attributes_seconds(&(struct timespec){(time_t)UINT32_MAX + 1, 0}), ==, UINT32_MAX);
    g_assert_cmpuint(attributes_seconds(&(struct timespec){77, 999}), ==, 77);
}

/* A reader that has its data `rate` bytes a second, or a window in each trip, whichever is less. */
static size_t window_after(uint64_t rate, uint64_t trip_us, uint64_t total)
{
    ReadAhead ahead = {0};
    uint64_t now_us = 1000000;
    for (uint64_t at = 0; at < total; at += 131072) {
        read_ahead_step(&ahead, at, 131072, now_us, trip_us);
        read_ahead_stalled(&ahead);
        uint64_t window = LY_MAX(ahead.window, 131072u);
        uint64_t by_window = 131072ull * trip_us / window, by_rate = 131072ull * 1000000 / rate;
        now_us += LY_MAX(by_window, by_rate);
    }
    return ahead.window;
}

static void test_read_ahead(void)
{
    ReadAhead ahead = {0};
    /* The first small read of a file is exact; the second makes it sequential. */
    g_assert_true(read_ahead_step(&ahead, 0, 16384, 1, 100));
    g_assert_cmpuint(ahead.window, ==, 0);
    g_assert_true(read_ahead_step(&ahead, 16384, 32768, 2, 100));
    g_assert_cmpuint(ahead.window, ==, READ_AHEAD_FIRST);
    /* Random: off after two, on again when it reads on. */
    g_assert_false(read_ahead_step(&ahead, 1ull << 30, 4096, 3, 100));
    g_assert_false(read_ahead_step(&ahead, 1ull << 20, 4096, 4, 100));
    g_assert_cmpuint(ahead.window, ==, 0);
    g_assert_true(read_ahead_step(&ahead, (1ull << 20) + 4096, 4096, 5, 100));
    g_assert_true(read_ahead_step(&ahead, (1ull << 20) + 8192, 4096, 6, 100));
    g_assert_cmpuint(ahead.window, ==, READ_AHEAD_FIRST);
    /* Begun in the middle: nothing ahead. */
    ahead = (ReadAhead){0};
    g_assert_false(read_ahead_step(&ahead, 1ull << 33, 131072, 1, 100));
    g_assert_cmpuint(ahead.window, ==, 0);
    /* A large first read from the start: ahead at once. */
    ahead = (ReadAhead){0};
    g_assert_true(read_ahead_step(&ahead, 0, 131072, 1, 100));
    g_assert_cmpuint(ahead.window, ==, READ_AHEAD_FIRST);

    /* 100 MB/s at 50 ms: 5 MB on the line. */
    size_t window = window_after(100000000, 50000, 400000000);
    g_assert_cmpuint(window, >=, 5000000);
    g_assert_cmpuint(window, <=, 16000000);
    /* 1 GB/s at 0.1 ms: no more than keeps the processes in between busy. */
    window = window_after(1000000000, 100, 1000000000);
    g_assert_cmpuint(window, <=, 5 * 1024 * 1024);
    /* 10 GB/s at 200 ms: as much as is allowed. */
    window = window_after(10000000000, 200000, 4000000000);
    g_assert_cmpuint(window, ==, READ_AHEAD_MAX);
}

static void test_names(void)
{
    g_autofree char *longest = g_strnfill(255, 'n');
    g_autofree char *over = g_strnfill(256, 'n');
    g_assert_true(listing_name_valid(ly_bytes_str(longest)));
    g_assert_false(listing_name_valid(ly_bytes_str(over)));
    g_assert_true(listing_name_valid(LY_BYTES("\xff\n ")));
    g_assert_true(listing_name_valid(LY_BYTES("...")));
    g_assert_false(listing_name_valid(LY_BYTES(".")));
    g_assert_false(listing_name_valid(LY_BYTES("..")));
    g_assert_false(listing_name_valid(LY_BYTES("")));
    g_assert_false(listing_name_valid(LY_BYTES("a/b")));
    g_assert_false(listing_name_valid(LY_BYTES("a\0b")));
}

static void test_buffers(void)
{
    BufferPool pool = {0};
    void *buffers[8];
    for (size_t i = 0; i < LY_COUNT(buffers); i++)
        memset(buffers[i] = buffer_take(&pool), (int)i, BUFFER_LEN);
    for (size_t i = 0; i < LY_COUNT(buffers); i++)
        buffer_give(&pool, buffers[i]);
    g_assert_cmpuint(pool.free_count, ==, 8);
    g_assert_true(buffer_trim(&pool)); /* they were in use until now */
    g_assert_cmpuint(pool.free_count, ==, 8);
    void *one = buffer_take(&pool);
    buffer_give(&pool, one);
    buffer_trim(&pool);
    g_assert_cmpuint(pool.free_count, ==, 1); /* seven were not needed */
    buffer_trim(&pool);
    g_assert_false(buffer_trim(&pool));
    g_assert_cmpuint(pool.used_count, ==, 0);
    buffer_pool_free(&pool);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fs/symlinks", test_symlinks);
    g_test_add_func("/fs/failures", test_failures);
    g_test_add_func("/fs/inodes", test_inodes);
    g_test_add_func("/fs/attributes", test_attributes);
    g_test_add_func("/fs/read-ahead", test_read_ahead);
    g_test_add_func("/fs/names", test_names);
    g_test_add_func("/fs/buffers", test_buffers);
    return g_test_run();
}
