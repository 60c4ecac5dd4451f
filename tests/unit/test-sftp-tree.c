/* core/sftp: trees walked, made, removed and copied, on servers of several kinds. */
#include "sftp-unruly.h"

#include "sftp/tree.h"

typedef struct Seen {
    int calls;
    uint32_t status;
    LyError error;
    GHashTable *paths;
    LySftpTree *tree;
    unsigned cancel_after;
    const char *not_into;
} Seen;

static void seen_done(void *user, const LySftpOutcome *outcome)
{
    Seen *seen = user;
    seen->calls++;
    seen->status = outcome->status;
    if (outcome->status != SSH_FX_OK)
        ly_sftp_outcome_error(outcome, &seen->error);
}

static bool seen_found(void *user, LyBytes path, unsigned depth, const LySftpAttrs *attrs)
{
    Seen *seen = user;
    char *key = g_strndup((const char *)path.data, path.len);
    g_assert_true(g_hash_table_add(seen->paths, key)); /* each once */
    unsigned slashes = 0;
    for (const char *at = key; *at; at++)
        slashes += *at == '/';
    g_assert_cmpuint(depth, ==, slashes - 1);
    if (seen->cancel_after && --seen->cancel_after == 0)
        ly_sftp_tree_cancel(seen->tree);
    return !seen->not_into || strcmp(key, seen->not_into) != 0;
}

static void seen_clear(Seen *seen)
{
    g_clear_pointer(&seen->paths, g_hash_table_unref);
    *seen = (Seen){0};
}

/* /tree with 3 levels, `width` files in each, links and odd names: how many entries. */
static unsigned make_tree(Unruly *unruly, unsigned width)
{
    static const char *const folders[] = {"tree", "tree/a", "tree/a/\xff\xfe", "tree/empty", "tree/b"};
    unsigned count = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(folders); i++, count++) {
        g_assert_cmpint(mkdir(local(unruly, folders[i]), 0750), ==, 0);
        for (unsigned j = 0; j < width && strcmp(folders[i], "tree/empty") != 0; j++, count++) {
            char name[200];
            g_snprintf(name, sizeof name, "%s/file %u\x80", folders[i], j);
            uint8_t *bytes = pattern(j * 137);
            put_file(local(unruly, name), bytes, j * 137, j % 2 ? 0600 : 0444);
            g_free(bytes);
        }
    }
    g_assert_cmpint(mkdir(local(unruly, "outside"), 0755), ==, 0);
    put_file(local(unruly, "outside/precious"), (const uint8_t *)"x", 1, 0644);
    g_assert_cmpint(symlink("../outside", local(unruly, "tree/link")), ==, 0);
    g_assert_cmpint(symlink("/nowhere", local(unruly, "tree/a/dangling")), ==, 0);
    return count + 2;
}

static void test_walk(void)
{
    Unruly *unruly = unruly_new(ALL_EXTENSIONS);
    unsigned count = make_tree(unruly, 7);
    for (int late = 0; late < 2; late++) {
        Seen seen = {.paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};
        unruly->late = late;
        seen.tree = ly_sftp_walk(unruly->client, LY_BYTES("/tree"), seen_found, seen_done, &seen);
        unruly_run(unruly);
        g_assert_cmpint(seen.calls, ==, 1);
        g_assert_cmpuint(seen.status, ==, SSH_FX_OK);
        g_assert_cmpuint(g_hash_table_size(seen.paths), ==, count);
        g_assert_true(g_hash_table_contains(seen.paths, "/tree/a/\xff\xfe/file 3\x80"));
        g_assert_false(g_hash_table_contains(seen.paths, "/tree/link/precious"));
        g_hash_table_remove_all(seen.paths);
        seen.not_into = "/tree/a";
        seen.tree = ly_sftp_walk(unruly->client, LY_BYTES("/tree"), seen_found, seen_done, &seen);
        unruly_run(unruly);
        g_assert_cmpint(seen.calls, ==, 2);
        g_assert_true(g_hash_table_contains(seen.paths, "/tree/a"));
        g_assert_false(g_hash_table_contains(seen.paths, "/tree/a/dangling"));
        g_hash_table_remove_all(seen.paths);
        seen.cancel_after = 9;
        seen.tree = ly_sftp_walk(unruly->client, LY_BYTES("/tree"), seen_found, seen_done, &seen);
        unruly_run(unruly);
        g_assert_cmpint(seen.calls, ==, 2);
        g_assert_cmpuint(g_hash_table_size(seen.paths), ==, 9);
        g_assert_cmpuint(open_handles(unruly), ==, 0);
        seen_clear(&seen);
        seen.paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        ly_sftp_walk(unruly->client, LY_BYTES("/missing"), seen_found, seen_done, &seen);
        unruly_run(unruly);
        g_assert_cmpint(seen.calls, ==, 1);
        g_assert_cmpstr(seen.error.message, ==, "cannot examine /missing: No such file or directory");
        seen_clear(&seen);
    }
    unruly_free(unruly);
}

static void test_remove(void)
{
    for (int late = 0; late < 2; late++) {
        Unruly *unruly = unruly_new(ALL_EXTENSIONS);
        Seen seen = {0};
        make_tree(unruly, 20);
        unruly->late = late;
        ly_sftp_remove_tree(unruly->client, LY_BYTES("/tree/link"), seen_done, &seen);
        unruly_run(unruly);
        g_assert_cmpint(seen.calls, ==, 1);
        g_assert_true(g_file_test(local(unruly, "outside/precious"), G_FILE_TEST_EXISTS));
        ly_sftp_remove_tree(unruly->client, LY_BYTES("/tree"), seen_done, &seen);
        unruly_run(unruly);
        g_assert_cmpint(seen.calls, ==, 2);
        g_assert_cmpstr(seen.error.message, ==, "");
        g_assert_false(g_file_test(local(unruly, "tree"), G_FILE_TEST_EXISTS));
        g_assert_true(g_file_test(local(unruly, "outside/precious"), G_FILE_TEST_EXISTS));
        ly_sftp_remove_tree(unruly->client, LY_BYTES("/tree"), seen_done, &seen);
        unruly_run(unruly);
        g_assert_cmpint(seen.calls, ==, 3);
        g_assert_cmpuint(seen.status, ==, SSH_FX_NO_SUCH_FILE);
        g_assert_cmpuint(open_handles(unruly), ==, 0);
        unruly_free(unruly);
    }
}

static void test_mkdir_parents(void)
{
    static const struct {
        const char *path, *made;
        uint32_t status;
    } cases[] = {
        {"/one", "one", SSH_FX_OK},
        {"/one", "one", SSH_FX_OK},
        {"/one/two/three/", "one/two/three", SSH_FX_OK},
        {"/x//y/./z", "x/y/z", SSH_FX_OK},
        {"/file/below", NULL, SSH_FX_NO_SUCH_FILE},
        {"/file", NULL, SSH_FX_FAILURE},
        {"/", "", SSH_FX_OK},
    };
    Unruly *unruly = unruly_new(ALL_EXTENSIONS);
    put_file(local(unruly, "file"), (const uint8_t *)"x", 1, 0644);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Seen seen = {0};
        ly_sftp_mkdir_parents(unruly->client, ly_bytes_str(cases[i].path), 0700, seen_done, &seen);
        unruly_run(unruly);
        g_assert_cmpint(seen.calls, ==, 1);
        if ((seen.status == SSH_FX_OK) != (cases[i].status == SSH_FX_OK))
            g_error("%s: %u, %s", cases[i].path, seen.status, seen.error.message);
        if (cases[i].made)
            g_assert_true(g_file_test(local(unruly, cases[i].made), G_FILE_TEST_IS_DIR));
    }
    g_assert_cmpint(mode_of(local(unruly, "one/two")), ==, 0700);
    unruly_free(unruly);
}

static bool same_trees(Unruly *unruly, const char *a, const char *b)
{
    char *argv[] = {(char *)"diff",   (char *)"-r",     (char *)"--no-dereference",
                    local(unruly, a), local(unruly, b), NULL};
    int status;
    g_assert_true(g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status, NULL));
    return status == 0;
}

static void test_copy(void)
{
    for (unsigned way = 0; way < 4; way++) { /* by the server, through the client; orderly, late */
        Unruly *unruly = unruly_new(way & 2 ? ALL_EXTENSIONS : 0);
        Seen seen = {0};
        struct stat stat;
        struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1100000000}};
        make_tree(unruly, 15);
        g_assert_cmpint(mkfifo(local(unruly, "fifo"), 0600), ==, 0);
        uint8_t *bytes = pattern(600000);
        put_file(local(unruly, "tree/big"), bytes, 600000, 0644);
        g_assert_cmpint(utimensat(AT_FDCWD, local(unruly, "tree/b"), times, 0), ==, 0);
        unruly->late = way & 1;
        unruly->read_max = way & 1 ? 50000 : 0;
        ly_sftp_copy_tree(unruly->client, LY_BYTES("/tree"), LY_BYTES("/copy"), seen_done, &seen);
        unruly_run(unruly);
        g_assert_cmpint(seen.calls, ==, 1);
        g_assert_cmpstr(seen.error.message, ==, "");
        g_assert_true(same_trees(unruly, "tree", "copy"));
        g_assert_cmpint(mode_of(local(unruly, "copy/b/file 2\x80")), ==, 0444);
        g_assert_cmpint(mode_of(local(unruly, "copy/b")), ==, 0750);
        g_assert_cmpint(lstat(local(unruly, "copy/b"), &stat), ==, 0);
        g_assert_cmpint(stat.st_mtime, ==, 1100000000);
        g_assert_cmpuint(open_handles(unruly), ==, 0);
        if (way & 2)
            g_assert_cmpuint(unruly->counts[SSH_FXP_READ], ==, 0);
        /* Again: it exists. Into itself: never. One file. */
        ly_sftp_copy_tree(unruly->client, LY_BYTES("/tree"), LY_BYTES("/copy"), seen_done, &seen);
        unruly_run(unruly);
        g_assert_cmpint(seen.calls, ==, 2);
        g_assert_nonnull(strstr(seen.error.message, "cannot make the directory /copy"));
        ly_sftp_copy_tree(unruly->client, LY_BYTES("/tree"), LY_BYTES("/tree/a/b"), seen_done, &seen);
        unruly_run(unruly);
        g_assert_cmpint(seen.calls, ==, 3);
        g_assert_nonnull(strstr(seen.error.message, "inside"));
        ly_sftp_copy_tree(unruly->client, LY_BYTES("/tree/big"), LY_BYTES("/one"), seen_done, &seen);
        unruly_run(unruly);
        g_assert_cmpint(seen.calls, ==, 4);
        g_assert_cmpuint(seen.status, ==, SSH_FX_OK);
        assert_file(local(unruly, "one"), bytes, 600000);
        g_assert_cmpuint(open_handles(unruly), ==, 0);
        g_free(bytes);
        unruly_free(unruly);
    }
}

static void test_too_deep(void)
{
    Unruly *unruly = unruly_new(ALL_EXTENSIONS);
    Seen seen = {.paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};
    char *argv[] = {
        (char *)"sh", (char *)"-c",
        (char *)"cd \"$0\" && i=0; while [ $i -lt 270 ]; do mkdir d && cd d || exit 1; i=$((i+1)); done",
        local(unruly, ""), NULL};
    g_assert_true(g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL));
    ly_sftp_walk(unruly->client, LY_BYTES("/d"), seen_found, seen_done, &seen);
    unruly_run(unruly);
    g_assert_cmpint(seen.calls, ==, 1);
    g_assert_cmpuint(seen.status, ==, SSH_FX_FAILURE);
    g_assert_nonnull(strstr(seen.error.message, "too deep"));
    g_assert_cmpuint(open_handles(unruly), ==, 0);
    seen_clear(&seen);
    unruly_free(unruly);
}

static LySftpTree *begin(Unruly *unruly, unsigned kind, Seen *seen)
{
    if (kind == 0)
        return ly_sftp_remove_tree(unruly->client, LY_BYTES("/tree"), seen_done, seen);
    if (kind == 1)
        return ly_sftp_mkdir_parents(unruly->client, LY_BYTES("/m/n/o"), 0700, seen_done, seen);
    return ly_sftp_copy_tree(unruly->client, LY_BYTES("/tree"), LY_BYTES("/copy"), seen_done, seen);
}

/* The session dies at a request, or the work is cancelled: told once, or never, and nothing stays open. */
static void test_deaths(void)
{
    for (unsigned kind = 0; kind < 4; kind++) {
        for (unsigned at = 1; at < 60; at += at < 10 ? 2 : 9) {
            for (int cancel = 0; cancel < 2; cancel++) {
                Unruly *unruly = unruly_new(kind == 3 ? 0 : ALL_EXTENSIONS);
                Seen seen = {0};
                make_tree(unruly, 3);
                unruly->late = true;
                if (!cancel)
                    unruly->dies_after = unruly->requests + at;
                seen.tree = begin(unruly, kind, &seen);
                if (cancel) {
                    for (unsigned i = 0; i < 3 * at && !seen.calls; i++)
                        unruly_round(unruly);
                    int calls = seen.calls;
                    if (!calls)
                        ly_sftp_tree_cancel(seen.tree);
                    unruly_run(unruly);
                    g_assert_cmpint(seen.calls, ==, calls);
                    g_assert_cmpuint(open_handles(unruly), ==, 0);
                } else {
                    unruly_run(unruly);
                    g_assert_cmpint(seen.calls, ==, 1);
                    if (unruly->dead && seen.status != SSH_FX_OK)
                        g_assert_cmpint(seen.error.code, ==, LY_ERROR_DISCONNECT);
                }
                unruly_free(unruly);
            }
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sftp-tree/walk", test_walk);
    g_test_add_func("/sftp-tree/remove", test_remove);
    g_test_add_func("/sftp-tree/mkdir-parents", test_mkdir_parents);
    g_test_add_func("/sftp-tree/copy", test_copy);
    g_test_add_func("/sftp-tree/too-deep", test_too_deep);
    g_test_add_func("/sftp-tree/deaths", test_deaths);
    return g_test_run();
}
