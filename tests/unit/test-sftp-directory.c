/* core/sftp: the directory backend, served to the client over memory: every operation and extension, and
 * confinement. */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/wire.h"
#include "sftp-pair.h"
#include "sftp/directory-private.h"

typedef enum Mode {
    CONFINED,
    WALKING,
    OPEN
} Mode; /* the root by openat2, by the walk, the whole file system */

typedef struct Tree {
    char *base; /* base/secret and base/other are outside of the root */
    char *root;
    LySftpDirectory *directory;
    Mode mode;
} Tree;

static void put_file(const char *folder, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void assert_file(const char *folder, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(folder, name, NULL), *found = NULL;
    if (text) {
        g_assert_true(g_file_get_contents(path, &found, NULL, NULL));
        g_assert_cmpstr(found, ==, text);
    } else {
        struct stat unused;
        g_assert_cmpint(lstat(path, &unused), ==, -1);
    }
}

static Tree tree_new(Mode which, const char *start, bool read_only, size_t chunk)
{
    Tree tree = {.mode = which, .base = g_dir_make_tmp("lanyard-sftp-XXXXXX", NULL)};
    g_assert_nonnull(tree.base);
    g_assert_cmpint(chmod(tree.base, 0711), ==, 0);
    tree.root = g_build_filename(tree.base, "root", NULL);
    g_autofree char *sub = g_build_filename(tree.root, "sub", NULL);
    g_assert_cmpint(g_mkdir_with_parents(sub, 0755), ==, 0);
    put_file(tree.base, "secret", "secret");
    put_file(tree.root, "file", "contents");
    put_file(sub, "inner", "inner");
    g_autofree char *full_start = g_build_filename(tree.root, start, NULL);
    LySftpDirectoryOptions options = {
        .root = which == OPEN ? NULL : tree.root,
        .start = which == OPEN ? full_start : start,
        .read_only = read_only,
        .umask = -1,
    };
    LySftpServerOptions server = {0};
    LyError error = {0};
    tree.directory = ly_sftp_directory_new(&options, &server.backend, &error);
    if (!tree.directory)
        g_error("%s", error.message);
    tree.directory->walks = which == WALKING;
    pair_new(server, chunk);
    return tree;
}

static void tree_free(Tree *tree)
{
    pair_free();
    ly_sftp_directory_free(tree->directory);
    const char *arguments[] = {"rm", "-rf", tree->base, NULL};
    g_assert_true(g_spawn_sync(NULL, (char **)arguments, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL,
                               NULL, NULL));
    g_free(tree->base);
    g_free(tree->root);
}

/* The path as a client writes it absolutely. */
static const char *absolute(const Tree *tree, const char *path, char text[PATH_MAX])
{
    g_snprintf(text, PATH_MAX, "%s%s", tree->mode == OPEN ? tree->root : "", path);
    return text;
}

static LyBuf open_file(const char *path, uint32_t pflags)
{
    OK(ly_sftp_open, str(path), pflags, NULL);
    g_assert_cmpint(pair->result.type, ==, LY_SFTP_REPLY_HANDLE);
    return take_handle();
}

#define HANDLE(buf) ly_buf_bytes(&(buf))

static void test_files(const void *mode)
{
    static const size_t chunks[] = {1, 7, SIZE_MAX / 2};
    for (size_t c = 0; c < G_N_ELEMENTS(chunks); c++) {
        Tree tree = tree_new((Mode)GPOINTER_TO_INT(mode), ".", false, chunks[c]);
        char text[PATH_MAX];
        uint8_t buffer[32] = {0};
        LyBuf handle = open_file("file", SSH_FXF_READ);
        OK(ly_sftp_read, HANDLE(handle), 3, sizeof buffer, buffer);
        g_assert_cmpmem(buffer, pair->result.data_len, "tents", 5);
        OK(ly_sftp_read, HANDLE(handle), 0, 3, buffer);
        g_assert_cmpmem(buffer, pair->result.data_len, "con", 3);
        OK(ly_sftp_read, HANDLE(handle), 0, 0, buffer);
        FAILS(SSH_FX_EOF, ly_sftp_read, HANDLE(handle), 8, sizeof buffer, buffer);
        FAILS(SSH_FX_EOF, ly_sftp_read, HANDLE(handle), UINT64_C(1) << 62, sizeof buffer, buffer);
        FAILS(SSH_FX_BAD_MESSAGE, ly_sftp_read, HANDLE(handle), UINT64_C(1) << 63, sizeof buffer, buffer);
        FAILS(SSH_FX_NO_SUCH_FILE, ly_sftp_write, HANDLE(handle), 0, LY_BYTES("x"));
        OK(ly_sftp_fstat, HANDLE(handle));
        g_assert_cmpuint(pair->result.attrs.size, ==, 8);
        g_assert_true(S_ISREG(pair->result.attrs.permissions));
        OK(ly_sftp_close, HANDLE(handle));
        FAILS(SSH_FX_FAILURE, ly_sftp_read, HANDLE(handle), 0, 3, buffer);
        FAILS(SSH_FX_FAILURE, ly_sftp_close, HANDLE(handle));
        ly_buf_free(&handle);

        handle = open_file(absolute(&tree, "/new", text), SSH_FXF_WRITE | SSH_FXF_CREAT | SSH_FXF_EXCL);
        OK(ly_sftp_write, HANDLE(handle), 2, LY_BYTES("cd"));
        OK(ly_sftp_write, HANDLE(handle), 0, LY_BYTES("ab"));
        FAILS(SSH_FX_BAD_MESSAGE, ly_sftp_write, HANDLE(handle), UINT64_C(1) << 63, LY_BYTES("x"));
        FAILS(SSH_FX_BAD_MESSAGE, ly_sftp_write, HANDLE(handle), INT64_MAX, LY_BYTES("x"));
        OK(ly_sftp_fsync, HANDLE(handle));
        OK(ly_sftp_fstatvfs, HANDLE(handle));
        assert_file(tree.root, "new", "abcd");
        LySftpAttrs attrs = {
            .flags = 13, .size = 3, .permissions = 0100640, .atime = 1000, .mtime = 4000000000u};
        OK(ly_sftp_fsetstat, HANDLE(handle), &attrs);
        OK(ly_sftp_fstat, HANDLE(handle));
        g_assert_cmpuint(pair->result.attrs.size, ==, 3);
        g_assert_cmpuint(pair->result.attrs.permissions, ==, 0100640);
        g_assert_cmpuint(pair->result.attrs.atime, ==, 1000);
        g_assert_cmpuint(pair->result.attrs.mtime, ==, 4000000000u);
        OK(ly_sftp_close, HANDLE(handle));
        ly_buf_free(&handle);
        FAILS(SSH_FX_FAILURE, ly_sftp_open, LY_BYTES("new"), SSH_FXF_WRITE | SSH_FXF_CREAT | SSH_FXF_EXCL,
              NULL);

        handle = open_file("new", SSH_FXF_WRITE | SSH_FXF_APPEND);
        OK(ly_sftp_write, HANDLE(handle), 0, LY_BYTES("!"));
        OK(ly_sftp_close, HANDLE(handle));
        ly_buf_free(&handle);
        assert_file(tree.root, "new", "abc!");
        handle = open_file("new", SSH_FXF_READ | SSH_FXF_WRITE | SSH_FXF_TRUNC);
        ly_buf_free(&handle); /* left open: closed with the session */
        assert_file(tree.root, "new", "");

        attrs = (LySftpAttrs){
            .flags = SSH_FILEXFER_ATTR_SIZE | SSH_FILEXFER_ATTR_PERMISSIONS, .size = 2, .permissions = 0600};
        OK(ly_sftp_setstat, LY_BYTES("file"), &attrs);
        OK(ly_sftp_stat, LY_BYTES("file"));
        g_assert_cmpuint(pair->result.attrs.size, ==, 2);
        g_assert_cmpuint(pair->result.attrs.permissions, ==, 0100600);
        g_assert_cmpuint(pair->result.attrs.uid, ==, getuid());
        attrs = (LySftpAttrs){.flags = SSH_FILEXFER_ATTR_SIZE, .size = UINT64_C(1) << 63};
        FAILS(SSH_FX_BAD_MESSAGE, ly_sftp_setstat, LY_BYTES("file"), &attrs);
        attrs = (LySftpAttrs){.flags = SSH_FILEXFER_ATTR_UIDGID, .uid = getuid(), .gid = getgid()};
        OK(ly_sftp_setstat, LY_BYTES("file"), &attrs);
        FAILS(SSH_FX_NO_SUCH_FILE, ly_sftp_stat, LY_BYTES("missing"));
        FAILS(SSH_FX_NO_SUCH_FILE, ly_sftp_stat, LY_BYTES("file/x"));
        FAILS(SSH_FX_NO_SUCH_FILE, ly_sftp_stat, LY_BYTES(""));
        FAILS(SSH_FX_NO_SUCH_FILE, ly_sftp_opendir, LY_BYTES("file"));
        OK(ly_sftp_remove, LY_BYTES("new"));
        assert_file(tree.root, "new", NULL);
        tree_free(&tree);
    }
}

static void test_names(const void *mode)
{
    Tree tree = tree_new((Mode)GPOINTER_TO_INT(mode), "sub", false, 7);
    char text[PATH_MAX], text2[PATH_MAX];
    LySftpAttrs attrs = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS, .permissions = 0700};
    OK(ly_sftp_mkdir, LY_BYTES("d"), &attrs);
    OK(ly_sftp_lstat, LY_BYTES("d"));
    g_assert_cmpuint(pair->result.attrs.permissions, ==, 040700);
    FAILS(SSH_FX_FAILURE, ly_sftp_mkdir, LY_BYTES("d"), &attrs);
    OK(ly_sftp_mkdir, LY_BYTES("d/e/"), NULL);
    FAILS(SSH_FX_FAILURE, ly_sftp_rmdir, LY_BYTES("d"));
    FAILS(SSH_FX_FAILURE, ly_sftp_remove, LY_BYTES("d"));
    FAILS(SSH_FX_NO_SUCH_FILE, ly_sftp_rmdir, LY_BYTES("inner"));
    OK(ly_sftp_rmdir, LY_BYTES("d/e"));

    OK(ly_sftp_symlink, LY_BYTES("link"), LY_BYTES("inner"));
    OK(ly_sftp_readlink, LY_BYTES("link"));
    g_assert_cmpstr(pair->result.names->pdata[0], ==, "inner");
    FAILS(SSH_FX_BAD_MESSAGE, ly_sftp_readlink, LY_BYTES("inner"));
    OK(ly_sftp_stat, LY_BYTES("link"));
    g_assert_true(S_ISREG(pair->result.attrs.permissions));
    OK(ly_sftp_lstat, LY_BYTES("link"));
    g_assert_true(S_ISLNK(pair->result.attrs.permissions));
    attrs = (LySftpAttrs){.flags = SSH_FILEXFER_ATTR_ACMODTIME, .atime = 11, .mtime = 12};
    OK(ly_sftp_lsetstat, LY_BYTES("link"), &attrs);
    OK(ly_sftp_lstat, LY_BYTES("link"));
    g_assert_cmpuint(pair->result.attrs.mtime, ==, 12);
    OK(ly_sftp_stat, LY_BYTES("link"));
    g_assert_cmpuint(pair->result.attrs.mtime, !=, 12);
    OK(ly_sftp_setstat, LY_BYTES("link"), &attrs);
    OK(ly_sftp_stat, LY_BYTES("inner"));
    g_assert_cmpuint(pair->result.attrs.mtime, ==, 12);

    OK(ly_sftp_hardlink, LY_BYTES("inner"), LY_BYTES("d/hard"));
    FAILS(SSH_FX_FAILURE, ly_sftp_hardlink, LY_BYTES("inner"), LY_BYTES("d/hard"));
    /* RENAME replaces nothing, neither files nor directories nor symlinks that lead nowhere; posix-rename
     * does. */
    put_file(tree.root, "sub/other", "other");
    OK(ly_sftp_symlink, LY_BYTES("nowhere"), LY_BYTES("missing"));
    OK(ly_sftp_mkdir, LY_BYTES("d2"), NULL);
    FAILS(SSH_FX_FAILURE, ly_sftp_rename, LY_BYTES("inner"), LY_BYTES("other"));
    FAILS(SSH_FX_FAILURE, ly_sftp_rename, LY_BYTES("inner"), LY_BYTES("nowhere"));
    FAILS(SSH_FX_FAILURE, ly_sftp_rename, LY_BYTES("d"), LY_BYTES("d2"));
    FAILS(SSH_FX_FAILURE, ly_sftp_open, LY_BYTES("nowhere"), SSH_FXF_WRITE | SSH_FXF_CREAT | SSH_FXF_EXCL,
          NULL);
    assert_file(tree.root, "sub/other", "other");
    OK(ly_sftp_rename, LY_BYTES("inner"), str(absolute(&tree, "/moved", text)));
    assert_file(tree.root, "moved", "inner");
    FAILS(SSH_FX_NO_SUCH_FILE, ly_sftp_rename, LY_BYTES("inner"), LY_BYTES("x"));
    OK(ly_sftp_posix_rename, str(absolute(&tree, "/moved", text)), LY_BYTES("other"));
    assert_file(tree.root, "sub/other", "inner");
    OK(ly_sftp_rename, LY_BYTES("d"), LY_BYTES("d3"));
    assert_file(tree.root, "sub/d3/hard", "inner");
    /* A symlink that leads nowhere is a way to create. */
    LyBuf handle = open_file("nowhere", SSH_FXF_WRITE | SSH_FXF_CREAT);
    ly_buf_free(&handle);
    assert_file(tree.root, "sub/missing", "");

    /* REALPATH: as with OpenSSH, the last component need not exist. */
    static const struct {
        const char *path, *real; /* NULL: SSH_FX_NO_SUCH_FILE */
    } paths[] = {
        {".", "/sub"},
        {"", "/sub"},
        {"..", ""},
        {"other", "/sub/other"},
        {"d3/../new", "/sub/new"},
        {"link", "/sub/inner"},
        {"d3/./hard/", "/sub/d3/hard"},
        {"missing2/x", NULL},
        {"other/x", NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
        uint32_t status = ASK(ly_sftp_realpath, str(paths[i].path));
        g_assert_cmpuint(status, ==, paths[i].real ? SSH_FX_OK : SSH_FX_NO_SUCH_FILE);
        if (!paths[i].real)
            continue;
        absolute(&tree, paths[i].real, text2);
        g_assert_cmpstr(pair->result.names->pdata[0], ==, text2[0] ? text2 : "/");
    }
    OK(ly_sftp_symlink, LY_BYTES("loop"), LY_BYTES("loop"));
    FAILS(SSH_FX_NO_SUCH_FILE, ly_sftp_realpath, LY_BYTES("loop"));
    FAILS(SSH_FX_NO_SUCH_FILE, ly_sftp_stat, LY_BYTES("loop"));
    char *deep = g_strnfill(6000, 'a');
    FAILS(SSH_FX_BAD_MESSAGE, ly_sftp_stat, str(deep));
    FAILS(SSH_FX_BAD_MESSAGE, ly_sftp_realpath, str(deep));
    deep[300] = 0;
    FAILS(SSH_FX_BAD_MESSAGE, ly_sftp_mkdir, str(deep), NULL);
    g_free(deep);
    tree_free(&tree);
}

static void test_listing(const void *mode)
{
    Tree tree = tree_new((Mode)GPOINTER_TO_INT(mode), "sub", false, SIZE_MAX / 2);
    for (int i = 0; i < 1500; i++) {
        g_autofree char *name = g_strdup_printf("sub/file-%d-\xff\xfe", i);
        put_file(tree.root, name, "");
    }
    OK(ly_sftp_opendir, LY_BYTES("."));
    LyBuf handle = take_handle();
    GHashTable *seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    int replies = 0;
    while (ASK(ly_sftp_readdir, HANDLE(handle)) == SSH_FX_OK) {
        replies++;
        for (guint i = 0; i < pair->result.names->len; i++) {
            const char *name = pair->result.names->pdata[i], *longname = pair->result.longnames->pdata[i];
            g_assert_true(g_hash_table_add(seen, g_strdup(name)));
            g_assert_true(g_str_has_suffix(longname, name));
            g_assert_true(longname[0] == (name[0] == '.' ? 'd' : '-'));
        }
    }
    g_assert_cmpuint(pair->result.status, ==, SSH_FX_EOF);
    g_assert_cmpuint(g_hash_table_size(seen), ==, 1503); /* with inner, ".", ".." */
    g_assert_cmpint(replies, >, 1);
    g_assert_cmpint(replies, <, 10);
    g_hash_table_unref(seen);
    FAILS(SSH_FX_EOF, ly_sftp_readdir, HANDLE(handle));
    FAILS(SSH_FX_FAILURE, ly_sftp_fstat, HANDLE(handle));
    FAILS(SSH_FX_FAILURE, ly_sftp_read, HANDLE(handle), 0, 0, NULL);
    OK(ly_sftp_close, HANDLE(handle));
    ly_buf_free(&handle);
    handle = open_file("inner", SSH_FXF_READ);
    FAILS(SSH_FX_FAILURE, ly_sftp_readdir, HANDLE(handle));
    ly_buf_free(&handle);

    /* The line of ls -l. */
    char text[PATH_MAX];
    g_autofree char *path = g_build_filename(tree.root, "file", NULL),
                    *hard = g_build_filename(tree.root, "hard", NULL);
    g_assert_cmpint(chmod(path, 04751), ==, 0);
    g_assert_cmpint(link(path, hard), ==, 0);
    OK(ly_sftp_opendir, str(absolute(&tree, "/", text)));
    handle = take_handle();
    OK(ly_sftp_readdir, HANDLE(handle));
    bool found = false;
    for (guint i = 0; i < pair->result.names->len; i++) {
        if (strcmp(pair->result.names->pdata[i], "hard") != 0)
            continue;
        found = true;
        g_auto(GStrv) words = g_regex_split_simple(" +", pair->result.longnames->pdata[i], 0, 0);
        g_assert_cmpuint(g_strv_length(words), ==, 9);
        g_assert_cmpstr(words[0], ==, "-rwsr-x--x");
        g_assert_cmpstr(words[1], ==, "2");
        g_assert_cmpstr(words[2], ==, getpwuid(getuid())->pw_name);
        g_assert_cmpstr(words[4], ==, "8");
        LySftpAttrs *attrs = &g_array_index(pair->result.name_attrs, LySftpAttrs, i);
        g_assert_cmpuint(attrs->permissions, ==, 0104751);
        g_assert_cmpuint(attrs->flags, ==, 15);
    }
    g_assert_true(found);
    ly_buf_free(&handle);
    tree_free(&tree);
}

static void test_extensions(const void *mode)
{
    Tree tree = tree_new((Mode)GPOINTER_TO_INT(mode), "sub", false, 7);
    char text[PATH_MAX];
    for (unsigned i = 0; i < LY_SFTP_EXTENSION_COUNT; i++)
        g_assert_true(ly_sftp_client_has(pair->client, i));
    g_assert_cmpuint(ly_sftp_client_limits(pair->client)->max_read, ==, 261120);
    g_assert_cmpuint(ly_sftp_client_limits(pair->client)->max_write, ==, 261120);
    g_assert_cmpuint(ly_sftp_client_limits(pair->client)->max_packet, ==, 262144);
    g_assert_cmpuint(ly_sftp_client_limits(pair->client)->max_handles, ==, 1024);
    OK(ly_sftp_statvfs, LY_BYTES("."));
    LyReader reader = ly_reader(HANDLE(pair->result.extended));
    LySftpStatvfs statvfs;
    ly_get_statvfs(&reader, &statvfs);
    g_assert_true(ly_reader_done(&reader) && statvfs.namemax == 255 && statvfs.blocks > 0 &&
                  statvfs.bsize > 0);
    FAILS(SSH_FX_NO_SUCH_FILE, ly_sftp_statvfs, LY_BYTES("missing"));

    /* copy-data */
    LyBuf from = open_file("inner", SSH_FXF_READ),
          to = open_file("copy", SSH_FXF_WRITE | SSH_FXF_CREAT | SSH_FXF_READ);
    OK(ly_sftp_copy_data, HANDLE(from), 1, 0, HANDLE(to), 2);
    assert_file(tree.root, "sub/copy", "");
    g_autofree char *path = g_build_filename(tree.root, "sub/copy", NULL), *copied = NULL;
    gsize len;
    g_assert_true(g_file_get_contents(path, &copied, &len, NULL));
    g_assert_cmpmem(copied, len, "\0\0nner", 6);
    OK(ly_sftp_copy_data, HANDLE(from), 0, 2, HANDLE(to), 0);
    assert_file(tree.root, "sub/copy", "innner");
    FAILS(SSH_FX_EOF, ly_sftp_copy_data, HANDLE(from), 0, 50, HANDLE(to), 0);
    FAILS(SSH_FX_FAILURE, ly_sftp_copy_data, HANDLE(to), 0, 0, HANDLE(to), 10);
    LyBuf same = open_file("copy", SSH_FXF_READ);
    FAILS(SSH_FX_FAILURE, ly_sftp_copy_data, HANDLE(same), 0, 0, HANDLE(to), 10);
    FAILS(SSH_FX_FAILURE, ly_sftp_copy_data, HANDLE(from), 0, 0, LY_BYTES("none"), 0);
    FAILS(SSH_FX_BAD_MESSAGE, ly_sftp_copy_data, HANDLE(from), UINT64_MAX, 1, HANDLE(to), 0);
    /* Where the kernel's copy cannot: to a file opened for appending. */
    LyBuf append = open_file("copy", SSH_FXF_WRITE | SSH_FXF_APPEND);
    OK(ly_sftp_copy_data, HANDLE(from), 0, 0, HANDLE(append), 0);
    assert_file(tree.root, "sub/copy", "innerrinner");
    ly_buf_free(&same);
    ly_buf_free(&append);
    ly_buf_free(&from);
    ly_buf_free(&to);

    OK(ly_sftp_users_groups, (uint32_t[]){getuid(), 4000000000u}, 2, (uint32_t[]){0}, 1);
    reader = ly_reader(HANDLE(pair->result.extended));
    LyReader users = ly_reader(ly_get_string(&reader)), groups = ly_reader(ly_get_string(&reader));
    g_assert_true(ly_bytes_is(ly_get_string(&users), getpwuid(getuid())->pw_name));
    g_assert_true(ly_get_string(&users).len == 0 && ly_reader_done(&users));
    g_assert_true(ly_bytes_is(ly_get_string(&groups), "root") && ly_reader_done(&groups) &&
                  ly_reader_done(&reader));

    /* One request does not look up as many ids as fit into a packet: the first 1024 have names. */
    enum { IDS = 2000 };
    uint32_t ids[IDS];
    for (size_t i = 0; i < IDS; i++)
        ids[i] = getuid();
    OK(ly_sftp_users_groups, ids, IDS, NULL, 0);
    reader = ly_reader(HANDLE(pair->result.extended));
    users = ly_reader(ly_get_string(&reader));
    for (size_t i = 0; i < IDS; i++)
        g_assert_true((ly_get_string(&users).len > 0) == (i < 1024));
    g_assert_true(ly_reader_done(&users));

    const char *home = tree.mode == OPEN ? getpwuid(geteuid())->pw_dir : "/sub";
    OK(ly_sftp_home_directory, LY_BYTES(""));
    g_assert_cmpstr(pair->result.names->pdata[0], ==, home);
    FAILS(SSH_FX_FAILURE, ly_sftp_home_directory, LY_BYTES("no-such-user"));
    OK(ly_sftp_expand_path, LY_BYTES("~"));
    g_assert_true(g_str_has_prefix(pair->result.names->pdata[0], home));
    FAILS(SSH_FX_NO_SUCH_FILE, ly_sftp_expand_path, LY_BYTES("~no-such-user/x"));
    OK(ly_sftp_expand_path, LY_BYTES("inner"));
    g_assert_cmpstr(pair->result.names->pdata[0], ==, absolute(&tree, "/sub/inner", text));
    FAILS(SSH_FX_OP_UNSUPPORTED, ly_sftp_extended, LY_BYTES("unknown@example.org"), LY_BYTES("abc"));
    tree_free(&tree);
}

/* Nothing outside of the root is read, changed or even seen. */
static void test_confinement(const void *mode)
{
    Tree tree = tree_new((Mode)GPOINTER_TO_INT(mode), "sub", false, 7);
    g_autofree char *secret = g_build_filename(tree.base, "secret", NULL);
    const char *const links[][2] = {
        {"abs", secret},           {"up", "../../secret"},         {"updir", "../.."},
        {"rootdir", "/"},          {"upabs", "/../../.."},         {"proc", "/proc/self/root"},
        {"chain", "updir/secret"}, {"sub/deep", "../updir/../.."},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(links); i++) {
        g_autofree char *link_path = g_build_filename(tree.root, links[i][0], NULL);
        g_assert_cmpint(symlink(links[i][1], link_path), ==, 0);
    }
    /* A way that stays inside: an absolute target begins at the root. */
    g_autofree char *inside = g_build_filename(tree.root, "sub/inside", NULL);
    g_assert_cmpint(symlink("/sub/../file", inside), ==, 0);
    OK(ly_sftp_stat, LY_BYTES("inside"));
    g_assert_cmpuint(pair->result.attrs.size, ==, 8);
    const char *const ways[] = {
        "../secret",
        "/../secret",
        "../../../../secret",
        secret,
        "/abs",
        "/up",
        "/updir/secret",
        "/upabs/secret",
        "/chain",
        "/rootdir/../secret",
        "deep/secret",
        "deep/../secret",
        "/sub/../../secret",
        "//..//secret",
        "/proc/tmp",
        "/file/../../secret",
    };
    LySftpAttrs attrs = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS | SSH_FILEXFER_ATTR_SIZE,
                         .permissions = 0777};
    for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
        LyBytes way = str(ways[i]);
        if (ASK(ly_sftp_open, way, SSH_FXF_READ, NULL) != SSH_FX_NO_SUCH_FILE)
            g_error("%s leads out", ways[i]);
        FAILS(SSH_FX_NO_SUCH_FILE, ly_sftp_stat, way);
        FAILS(SSH_FX_NO_SUCH_FILE, ly_sftp_setstat, way, &attrs);
        FAILS(SSH_FX_NO_SUCH_FILE, ly_sftp_opendir, way);
        FAILS(SSH_FX_NO_SUCH_FILE, ly_sftp_statvfs, way);
        g_autofree char *below = g_strconcat(ways[i], "/", NULL);
        FAILS(SSH_FX_NO_SUCH_FILE, ly_sftp_stat, str(below));
        if (ASK(ly_sftp_hardlink, way, LY_BYTES("stolen")) == SSH_FX_OK) /* of a symlink itself */
            OK(ly_sftp_remove, LY_BYTES("stolen"));
        /* Through a link that leads nowhere a file is created inside. */
        if (ASK(ly_sftp_open, way, SSH_FXF_WRITE | SSH_FXF_CREAT | SSH_FXF_TRUNC, NULL) == SSH_FX_OK) {
            LyBuf handle = take_handle();
            OK(ly_sftp_write, HANDLE(handle), 0, LY_BYTES("overwritten"));
            OK(ly_sftp_close, HANDLE(handle));
            ly_buf_free(&handle);
            assert_file(tree.root, "secret", "overwritten");
            OK(ly_sftp_remove, LY_BYTES("/secret"));
        }
        assert_file(tree.base, "secret", "secret");
    }
    /* Operations on the last component. */
    OK(ly_sftp_mkdir, LY_BYTES("/updir/evil"), NULL);
    assert_file(tree.base, "evil", NULL);
    OK(ly_sftp_rmdir, LY_BYTES("/evil"));
    OK(ly_sftp_symlink, LY_BYTES("../../evil"), LY_BYTES("/etc"));
    assert_file(tree.base, "evil", NULL);
    OK(ly_sftp_posix_rename, LY_BYTES("/evil"), LY_BYTES("../../../secret"));
    assert_file(tree.base, "secret", "secret");
    OK(ly_sftp_remove, LY_BYTES("/secret"));
    OK(ly_sftp_rename, LY_BYTES("/file"), LY_BYTES("/upabs/../taken"));
    assert_file(tree.root, "taken", "contents");
    static const char *const tops[] = {"/", "..", "/..", "/.", "//", "../..", "/sub/.."};
    for (size_t i = 0; i < G_N_ELEMENTS(tops); i++) {
        g_assert_cmpuint(ASK(ly_sftp_rmdir, str(tops[i])), !=, SSH_FX_OK);
        g_assert_cmpuint(ASK(ly_sftp_remove, str(tops[i])), !=, SSH_FX_OK);
        g_assert_cmpuint(ASK(ly_sftp_rename, str(tops[i]), LY_BYTES("/x")), !=, SSH_FX_OK);
        g_assert_cmpuint(ASK(ly_sftp_mkdir, str(tops[i]), NULL), !=, SSH_FX_OK);
        OK(ly_sftp_lstat, str(tops[i]));
        g_assert_cmpuint(pair->result.attrs.permissions, ==, 040755); /* the base is 0711 */
        OK(ly_sftp_realpath, str(tops[i]));
        g_assert_cmpstr(pair->result.names->pdata[0], ==, "/");
    }
    OK(ly_sftp_realpath, LY_BYTES("/upabs"));
    g_assert_cmpstr(pair->result.names->pdata[0], ==, "/");
    /* Symlinks with slashes behind them stay symlinks, and are not a way out. */
    OK(ly_sftp_lstat, LY_BYTES("/updir/"));
    FAILS(SSH_FX_NO_SUCH_FILE, ly_sftp_rmdir, LY_BYTES("/updir/"));
    OK(ly_sftp_opendir, LY_BYTES("/updir"));
    LyBuf handle = take_handle();
    OK(ly_sftp_readdir, HANDLE(handle));
    for (guint i = 0; i < pair->result.names->len; i++) {
        g_assert_cmpstr(pair->result.names->pdata[i], !=, "secret");
        if (strcmp(pair->result.names->pdata[i], "..") == 0)
            g_assert_cmpuint(g_array_index(pair->result.name_attrs, LySftpAttrs, i).permissions, ==, 040755);
    }
    ly_buf_free(&handle);
    struct stat found;
    g_assert_cmpint(stat(secret, &found), ==, 0);
    g_assert_cmpuint(found.st_mode & 07777, !=, 0777);
    g_assert_cmpuint(found.st_nlink, ==, 1);
    tree_free(&tree);
}

static void test_read_only(void)
{
    Tree tree = tree_new(CONFINED, NULL, true, SIZE_MAX / 2);
    LySftpAttrs attrs = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS, .permissions = 0};
    static const uint32_t writing[] = {SSH_FXF_WRITE, SSH_FXF_READ | SSH_FXF_WRITE, SSH_FXF_CREAT,
                                       SSH_FXF_READ | SSH_FXF_TRUNC};
    for (size_t i = 0; i < G_N_ELEMENTS(writing); i++)
        FAILS(SSH_FX_PERMISSION_DENIED, ly_sftp_open, LY_BYTES("file"), writing[i], NULL);
    FAILS(SSH_FX_PERMISSION_DENIED, ly_sftp_setstat, LY_BYTES("file"), &attrs);
    FAILS(SSH_FX_PERMISSION_DENIED, ly_sftp_lsetstat, LY_BYTES("file"), &attrs);
    FAILS(SSH_FX_PERMISSION_DENIED, ly_sftp_remove, LY_BYTES("file"));
    FAILS(SSH_FX_PERMISSION_DENIED, ly_sftp_mkdir, LY_BYTES("x"), NULL);
    FAILS(SSH_FX_PERMISSION_DENIED, ly_sftp_rmdir, LY_BYTES("sub"));
    FAILS(SSH_FX_PERMISSION_DENIED, ly_sftp_rename, LY_BYTES("file"), LY_BYTES("x"));
    FAILS(SSH_FX_PERMISSION_DENIED, ly_sftp_posix_rename, LY_BYTES("file"), LY_BYTES("x"));
    FAILS(SSH_FX_PERMISSION_DENIED, ly_sftp_symlink, LY_BYTES("x"), LY_BYTES("y"));
    FAILS(SSH_FX_PERMISSION_DENIED, ly_sftp_hardlink, LY_BYTES("file"), LY_BYTES("y"));
    LyBuf handle = open_file("file", SSH_FXF_READ);
    FAILS(SSH_FX_PERMISSION_DENIED, ly_sftp_fsetstat, HANDLE(handle), &attrs);
    FAILS(SSH_FX_PERMISSION_DENIED, ly_sftp_write, HANDLE(handle), 0, LY_BYTES("x"));
    OK(ly_sftp_fstat, HANDLE(handle));
    ly_buf_free(&handle);
    OK(ly_sftp_opendir, LY_BYTES("."));
    assert_file(tree.root, "file", "contents");
    tree_free(&tree);
}

static void test_bad_start(void)
{
    LySftpBackend backend;
    LyError error;
    LySftpDirectoryOptions options = {.root = "/no/such/directory", .umask = -1};
    g_assert_null(ly_sftp_directory_new(&options, &backend, &error));
    g_assert_nonnull(strstr(error.message, "/no/such/directory"));
    options = (LySftpDirectoryOptions){.root = "/tmp", .start = "no/such", .umask = -1};
    g_assert_null(ly_sftp_directory_new(&options, &backend, &error));
    options = (LySftpDirectoryOptions){.start = "/no/such", .umask = -1};
    g_assert_null(ly_sftp_directory_new(&options, &backend, &error));
}

/* While requests are served somebody else swaps a folder for a symlink that leads out, again and again. */
typedef struct Swapping {
    char *folder, *link;
    gint stop;
} Swapping;

static void *swap(void *user)
{
    Swapping *swapping = user;
    while (!g_atomic_int_get(&swapping->stop))
        g_assert_cmpint(renameat2(AT_FDCWD, swapping->folder, AT_FDCWD, swapping->link, RENAME_EXCHANGE), ==,
                        0);
    return NULL;
}

static void test_race(const void *mode)
{
    Tree tree = tree_new((Mode)GPOINTER_TO_INT(mode), ".", false, SIZE_MAX / 2);
    g_autofree char *outside = g_build_filename(tree.base, "outside", NULL);
    Swapping swapping = {.folder = g_build_filename(tree.root, "sub", NULL),
                         .link = g_build_filename(tree.root, "way", NULL)};
    g_assert_cmpint(g_mkdir(outside, 0755), ==, 0);
    put_file(outside, "inner", "outside");
    g_assert_cmpint(symlink(outside, swapping.link), ==, 0);
    GThread *thread = g_thread_new("swap", swap, &swapping);
    unsigned opened = 0;
    for (int i = 0; i < 1500; i++) {
        uint8_t buffer[16];
        if (ASK(ly_sftp_open, LY_BYTES("sub/inner"), SSH_FXF_READ, NULL) == SSH_FX_OK) {
            LyBuf handle = take_handle();
            OK(ly_sftp_read, HANDLE(handle), 0, sizeof buffer, buffer);
            g_assert_cmpmem(buffer, pair->result.data_len, "inner", 5);
            OK(ly_sftp_close, HANDLE(handle));
            ly_buf_free(&handle);
            opened++;
        }
        ASK(ly_sftp_mkdir, LY_BYTES("sub/new"), NULL);
        ASK(ly_sftp_rename, LY_BYTES("sub/new"), LY_BYTES("sub/newer"));
        ASK(ly_sftp_rmdir, LY_BYTES("sub/newer"));
    }
    g_atomic_int_set(&swapping.stop, 1);
    g_thread_join(thread);
    g_assert_cmpuint(opened, >, 0);
    assert_file(outside, "inner", "outside");
    assert_file(outside, "new", NULL);
    assert_file(outside, "newer", NULL);
    g_free(swapping.folder);
    g_free(swapping.link);
    tree_free(&tree);
}

int main(int argc, char **argv)
{
    umask(022);
    g_test_init(&argc, &argv, NULL);
    static const struct {
        const char *name;
        Mode mode;
    } modes[] = {{"confined", CONFINED}, {"walking", WALKING}, {"open", OPEN}};
    static const struct {
        const char *name;
        GTestDataFunc run;
    } tests[] = {{"files", test_files},
                 {"names", test_names},
                 {"listing", test_listing},
                 {"extensions", test_extensions},
                 {"confinement", test_confinement},
                 {"race", test_race}};
    for (size_t m = 0; m < G_N_ELEMENTS(modes); m++)
        for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
            if (modes[m].mode == OPEN && (tests[i].run == test_confinement || tests[i].run == test_race))
                continue;
            g_autofree char *path = g_strdup_printf("/sftp-directory/%s/%s", modes[m].name, tests[i].name);
            g_test_add_data_func(path, GINT_TO_POINTER(modes[m].mode), tests[i].run);
        }
    g_test_add_func("/sftp-directory/read-only", test_read_only);
    g_test_add_func("/sftp-directory/bad-start", test_bad_start);
    return g_test_run();
}
