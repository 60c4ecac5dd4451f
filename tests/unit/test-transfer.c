/* core/loop: fast_get and fast_put against a server that is slow, short, shrinking, growing, full, or gone.
 */
#include "sftp-unruly.h"

#include <signal.h>
#include <sys/resource.h>

#include "loop/transfer.h"

typedef struct Run {
    LyLoop *loop;
    Unruly *unruly;
    LyTransfer *transfer;
    char *dir; /* this side's files */
    int done, steps;
    uint64_t len, stepped, total;
    LyError error;
    bool cancel_in_step;
} Run;

static void step(void *user, uint64_t done_len, uint64_t total_len)
{
    Run *run = user;
    g_assert_cmpint(run->done, ==, 0);
    run->steps++;
    run->stepped = done_len;
    run->total = total_len;
    if (run->cancel_in_step) {
        ly_transfer_cancel(run->transfer);
        run->transfer = NULL;
    }
}

static void done(void *user, uint64_t len, const LyError *error)
{
    Run *run = user;
    run->done++;
    run->len = len;
    if (error)
        run->error = *error;
}

static Run *run_new(uint32_t extensions)
{
    Run *run = g_new0(Run, 1);
    run->loop = ly_loop_new(NULL);
    run->unruly = unruly_new(extensions);
    run->dir = g_dir_make_tmp("lanyard-transfer-XXXXXX", NULL);
    return run;
}

static void run_free(Run *run)
{
    unruly_free(run->unruly);
    for (int i = 0; i < 3; i++)
        ly_loop_run_once(run->loop, 0);
    ly_loop_free(run->loop);
    remove_local_tree(run->dir);
    g_free(run->dir);
    g_free(run);
}

static char *here(Run *run, const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % G_N_ELEMENTS(paths)];
    g_snprintf(path, sizeof paths[0], "%s/%s", run->dir, name);
    return path;
}

static void finish(Run *run)
{
    for (unsigned idle = 0; run->done == 0 && idle < 2000;) {
        bool moved = unruly_round(run->unruly);
        ly_loop_run_once(run->loop, moved ? 0 : 1000);
        idle = moved ? 0 : idle + 1;
    }
    unruly_run(run->unruly);
    ly_loop_run_once(run->loop, 0);
    g_assert_cmpint(run->done, ==, 1);
    g_assert_cmpuint(run->stepped, ==, run->len);
    g_assert_cmpuint(ly_sftp_client_outstanding(run->unruly->client), ==, 0);
    if (!run->unruly->dead)
        g_assert_cmpuint(open_handles(run->unruly), ==, 0);
}

static LyTransferOptions options_of(Run *run)
{
    return (LyTransferOptions){.mode = UINT32_MAX, .step = step, .done = done, .user = run};
}

static void start(Run *run, bool get, const char *remote, const char *local_path, LyTransferOptions *options)
{
    LyTransferOptions plain = options_of(run);
    LyError error = {0};
    run->done = run->steps = 0;
    run->error = (LyError){0};
    run->unruly->requests = 0;
    memset(run->unruly->counts, 0, sizeof run->unruly->counts);
    LyBytes path = ly_bytes_str(remote);
    options = options ? options : &plain;
    run->transfer = get ? ly_fast_get(run->loop, run->unruly->client, path, local_path, options, &error)
                        : ly_fast_put(run->loop, run->unruly->client, local_path, path, options, &error);
    if (!run->transfer)
        g_error("%s", error.message);
    g_assert_cmpint(run->done, ==, 0);
}

static void get_ok(Run *run, const char *remote, const char *local_path, LyTransferOptions *options)
{
    start(run, true, remote, local_path, options);
    finish(run);
    g_assert_cmpstr(run->error.message, ==, "");
}

static void put_ok(Run *run, const char *local_path, const char *remote, LyTransferOptions *options)
{
    start(run, false, remote, local_path, options);
    finish(run);
    g_assert_cmpstr(run->error.message, ==, "");
}

/* Every size around a chunk, orderly and unruly, both ways. */
static void test_sizes(void)
{
    static const size_t sizes[] = {0, 1, 999, 1000, 1001, 2000, 63999, 64000, 64001, 200003};
    Run *run = run_new(ALL_EXTENSIONS);
    for (unsigned way = 0; way < 4; way++) {
        run->unruly->late = way & 1;
        run->unruly->read_max = way & 2 ? 1700 : 0;
        run->unruly->sink_room = way & 2 ? 5000 : SIZE_MAX;
        for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
            uint8_t *bytes = pattern(sizes[i]);
            LyTransferOptions options = options_of(run);
            options.chunk = 1000;
            put_file(here(run, "source"), bytes, sizes[i], 0640);
            put_ok(run, here(run, "source"), "/there", &options);
            g_assert_cmpuint(run->len, ==, sizes[i]);
            assert_file(local(run->unruly, "there"), bytes, sizes[i]);
            get_ok(run, "/there", here(run, "back"), &options);
            g_assert_cmpuint(run->len, ==, sizes[i]);
            g_assert_cmpuint(run->total, ==, sizes[i]);
            assert_file(here(run, "back"), bytes, sizes[i]);
            g_free(bytes);
        }
    }
    run_free(run);
}

static void test_large_chunks(void)
{
    Run *run = run_new(ALL_EXTENSIONS);
    size_t len = 3000000;
    uint8_t *bytes = pattern(len);
    put_file(local(run->unruly, "big"), bytes, len, 0644);
    get_ok(run, "/big", here(run, "big"), NULL);
    assert_file(here(run, "big"), bytes, len);
    g_assert_cmpuint(run->unruly->counts[SSH_FXP_READ], ==, 13); /* 12 of 261120 bytes, one to see the end */
    put_ok(run, here(run, "big"), "/again", NULL);
    assert_file(local(run->unruly, "again"), bytes, len);
    g_assert_cmpuint(run->unruly->counts[SSH_FXP_WRITE], ==, 12);
    g_free(bytes);
    run_free(run);
}

/* Defect 3 of the reference's list: permissions of a file that exists are never touched, and there is no
 * FSETSTAT unless it was asked for. */
static void test_defect_3_permissions(void)
{
    Run *run = run_new(ALL_EXTENSIONS);
    mode_t old = umask(022);
    put_file(here(run, "source"), (const uint8_t *)"new", 3, 0666);
    put_file(local(run->unruly, "secret"), (const uint8_t *)"older", 5, 0600);
    put_ok(run, here(run, "source"), "/secret", NULL);
    assert_file(local(run->unruly, "secret"), (const uint8_t *)"new", 3);
    g_assert_cmpint(mode_of(local(run->unruly, "secret")), ==, 0600);
    g_assert_cmpuint(run->unruly->counts[SSH_FXP_FSETSTAT] + run->unruly->counts[SSH_FXP_SETSTAT], ==, 0);
    LyTransferOptions options = options_of(run);
    options.mode = 0666;
    put_ok(run, here(run, "source"), "/secret", &options);
    g_assert_cmpint(mode_of(local(run->unruly, "secret")), ==, 0600);
    put_ok(run, here(run, "source"), "/new", &options);
    g_assert_cmpint(mode_of(local(run->unruly, "new")), ==, 0644);
    /* Here too. */
    put_file(here(run, "mine"), (const uint8_t *)"older", 5, 0600);
    chmod(local(run->unruly, "secret"), 0666);
    get_ok(run, "/secret", here(run, "mine"), NULL);
    assert_file(here(run, "mine"), (const uint8_t *)"new", 3);
    g_assert_cmpint(mode_of(here(run, "mine")), ==, 0600);
    get_ok(run, "/secret", here(run, "fresh"), NULL);
    g_assert_cmpint(mode_of(here(run, "fresh")), ==, 0644); /* the source's without the umask's bits */
    chmod(local(run->unruly, "secret"), 0600);
    get_ok(run, "/secret", here(run, "private"), NULL);
    g_assert_cmpint(mode_of(here(run, "private")), ==, 0600);
    options.mode = 0640;
    get_ok(run, "/secret", here(run, "given"), &options);
    g_assert_cmpint(mode_of(here(run, "given")), ==, 0640);
    umask(old);
    run_free(run);
}

static void test_preserve(void)
{
    Run *run = run_new(ALL_EXTENSIONS);
    struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1100000000}};
    LyTransferOptions options = options_of(run);
    struct stat stat;
    options.preserve = options.fsync = true;
    put_file(here(run, "source"), (const uint8_t *)"abc", 3, 0751);
    utimensat(AT_FDCWD, here(run, "source"), times, 0);
    put_ok(run, here(run, "source"), "/kept", &options);
    g_assert_cmpuint(run->unruly->counts[SSH_FXP_EXTENDED], ==, 1);
    g_assert_cmpint(lstat(local(run->unruly, "kept"), &stat), ==, 0);
    g_assert_cmpint(stat.st_mode & 07777, ==, 0751);
    g_assert_cmpint(stat.st_mtime, ==, 1100000000);
    get_ok(run, "/kept", here(run, "back"), &options);
    g_assert_cmpint(lstat(here(run, "back"), &stat), ==, 0);
    g_assert_cmpint(stat.st_mode & 07777, ==, 0751);
    g_assert_cmpint(stat.st_mtime, ==, 1100000000);
    run_free(run);
}

static void shrink(Unruly *unruly, LySftpRequest *request)
{
    if (request->type == SSH_FXP_READ && request->offset >= 50000)
        g_assert_cmpint(truncate(local(unruly, "source"), 30500), ==, 0);
}

static void grow(Unruly *unruly, LySftpRequest *request)
{
    struct stat stat;
    g_assert_cmpint(lstat(local(unruly, "source"), &stat), ==, 0);
    if (request->type != SSH_FXP_READ || request->offset + 1000 < (uint64_t)stat.st_size ||
        stat.st_size > 400000)
        return;
    uint8_t *bytes = pattern(500000);
    int fd = open(local(unruly, "source"), O_WRONLY);
    g_assert_cmpint(pwrite(fd, bytes, (size_t)stat.st_size + 70000, 0), >, 0);
    close(fd);
    g_free(bytes);
}

/* Defect 4: a source that shrinks is an error and no endless loop, one that claims to have no size is not
 * empty. */
static void test_defect_4_sizes(void)
{
    Run *run = run_new(ALL_EXTENSIONS);
    Unruly *unruly = run->unruly;
    uint8_t *bytes = pattern(500000);
    LyTransferOptions options = options_of(run);
    options.chunk = 1000;
    for (int late = 0; late < 2; late++) {
        unruly->late = late;
        unruly->before = shrink;
        put_file(local(unruly, "source"), bytes, 100000, 0644);
        start(run, true, "/source", here(run, "copy"), &options);
        finish(run);
        g_assert_cmpint(run->error.code, ==, LY_ERROR_IO);
        g_assert_nonnull(strstr(run->error.message, "/source on the server shrank while it was copied"));
        unruly->before = grow;
        put_file(local(unruly, "source"), bytes, 100000, 0644);
        get_ok(run, "/source", here(run, "copy"), &options);
        g_assert_cmpuint(run->len, >, 400000);
        assert_file(here(run, "copy"), bytes, run->len);
        unruly->before = NULL;
        /* What FSTAT says is wrong: nothing, too little, far too much. */
        static const uint64_t claims[] = {0, 1, 999, 1000, 29999, 30000, 30001, 1000000000000};
        put_file(local(unruly, "source"), bytes, 30000, 0644);
        unruly->claims = true;
        for (size_t i = 0; i < G_N_ELEMENTS(claims); i++) {
            unruly->claimed = claims[i];
            start(run, true, "/source", here(run, "copy"), &options);
            finish(run);
            g_assert_cmpint(run->error.code, ==, (claims[i] > 30000 ? LY_ERROR_IO : LY_OK));
            assert_file(here(run, "copy"), bytes, 30000);
            unruly->read_max = 700 * (i % 2);
        }
        unruly->empty_reads = 1;
        start(run, true, "/source", here(run, "copy"), &options);
        finish(run);
        g_assert_cmpint(run->error.code, ==, LY_ERROR_IO);
        unruly->claims = false;
        unruly->empty_reads = unruly->read_max = 0;
    }
    g_free(bytes);
    unruly->late = false;
    put_ok(run, "/proc/cpuinfo", "/cpuinfo", NULL);
    g_assert_cmpuint(run->len, >, 0);
    run_free(run);
}

static void shrink_mine(Unruly *unruly, LySftpRequest *request)
{
    if (request->type == SSH_FXP_WRITE && request->offset >= 20000)
        g_assert_cmpint(truncate(unruly->user, 30500), ==, 0);
}

static void test_put_sizes(void)
{
    Run *run = run_new(ALL_EXTENSIONS);
    uint8_t *bytes = pattern(150000);
    LyTransferOptions options = options_of(run);
    options.chunk = 1000;
    options.concurrency = 3;
    run->unruly->user = g_strdup(here(run, "source"));
    put_file(here(run, "source"), bytes, 100000, 0644);
    run->unruly->before = shrink_mine;
    start(run, false, "/copy", here(run, "source"), &options);
    finish(run);
    g_assert_cmpint(run->error.code, ==, LY_ERROR_IO);
    g_assert_nonnull(strstr(run->error.message, "source shrank while it was copied: it had 100000 bytes"));
    /* In place, because the open file is what is read. */
    int fd = open(here(run, "source"), O_WRONLY | O_TRUNC);
    g_assert_cmpint(write(fd, bytes, 100000), ==, 100000);
    run->unruly->before = NULL;
    start(run, false, "/copy", here(run, "source"), &options);
    for (int i = 0; i < 20; i++)
        unruly_round(run->unruly);
    g_assert_cmpint(write(fd, bytes + 100000, 50000), ==, 50000);
    finish(run);
    g_assert_cmpint(run->error.code, ==, LY_OK);
    assert_file(local(run->unruly, "copy"), bytes, 150000);
    close(fd);
    g_free(run->unruly->user);
    g_free(bytes);
    run_free(run);
}

static void fails(Run *run, bool get, const char *remote, const char *local_path, LyErrorCode code,
                  const char *words)
{
    start(run, get, remote, local_path, NULL);
    finish(run);
    g_assert_cmpint(run->error.code, ==, code);
    if (!strstr(run->error.message, words))
        g_error("\"%s\" has no \"%s\"", run->error.message, words);
}

static void test_failures(void)
{
    Run *run = run_new(ALL_EXTENSIONS);
    LyTransferOptions options = options_of(run);
    LyError error;
    uint8_t *bytes = pattern(400000);
    put_file(local(run->unruly, "source"), bytes, 400000, 0644);
    put_file(here(run, "mine"), bytes, 400000, 0644);
    g_assert_cmpint(mkdir(local(run->unruly, "folder"), 0755), ==, 0);
    g_assert_cmpint(mkfifo(here(run, "fifo"), 0600), ==, 0);
    fails(run, true, "/missing", here(run, "new"), LY_ERROR_IO,
          "cannot open /missing on the server: No such file");
    g_assert_false(g_file_test(here(run, "new"), G_FILE_TEST_EXISTS)); /* made for nothing, and gone again */
    fails(run, true, "/missing", here(run, "mine"), LY_ERROR_IO, "No such file");
    assert_file(here(run, "mine"), bytes, 400000); /* untouched */
    fails(run, true, "/folder", here(run, "new"), LY_ERROR_IO, "");
    fails(run, false, "/no/such", here(run, "mine"), LY_ERROR_IO, "cannot open /no/such on the server");
    static const char *const bad[] = {"absent/file", "fifo", "."};
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_null(ly_fast_get(run->loop, run->unruly->client, LY_BYTES("/source"), here(run, bad[i]),
                                  &options, &error));
        g_assert_cmpint(error.code, ==, LY_ERROR_IO);
        g_assert_null(
            ly_fast_put(run->loop, run->unruly->client, here(run, bad[i]), LY_BYTES("/x"), &options, &error));
        g_assert_cmpint(error.code, ==, LY_ERROR_IO);
    }
    run->unruly->quota = 300000;
    fails(run, false, "/copy", here(run, "mine"), LY_ERROR_IO,
          "cannot write /copy on the server: Disk quota exceeded");
    /* This side's disk. */
    struct rlimit limit = {.rlim_cur = 300000, .rlim_max = RLIM_INFINITY}, before;
    getrlimit(RLIMIT_FSIZE, &before);
    limit.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    fails(run, true, "/source", here(run, "copy"), LY_ERROR_IO, "File too large");
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_DFL);
    g_assert_nonnull(strstr(run->error.message, "cannot write /"));
    ly_sftp_client_closed(run->unruly->client);
    g_assert_null(ly_fast_get(run->loop, run->unruly->client, LY_BYTES("/source"), here(run, "late"),
                              &options, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_DISCONNECT);
    g_assert_false(g_file_test(here(run, "late"), G_FILE_TEST_EXISTS));
    g_assert_null(
        ly_fast_put(run->loop, run->unruly->client, here(run, "mine"), LY_BYTES("/x"), &options, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_DISCONNECT);
    g_free(bytes);
    run_free(run);
}

/* The session dies at each request; the copy is cancelled at each moment; `done` comes once or never. */
static void test_deaths(void)
{
    uint8_t *bytes = pattern(20000);
    for (unsigned way = 0; way < 4; way++) {
        bool get = way & 1;
        for (unsigned at = 1; at < 30; at++) {
            Run *run = run_new(ALL_EXTENSIONS);
            LyTransferOptions options = options_of(run);
            options.chunk = 1000;
            put_file(here(run, "mine"), bytes, 20000, 0644);
            put_file(local(run->unruly, "source"), bytes, 20000, 0644);
            run->unruly->late = true;
            start(run, get, "/source", here(run, "mine"), &options);
            if (way & 2) {
                for (unsigned i = 0; i < at && !run->done; i++) {
                    unruly_round(run->unruly);
                    ly_loop_run_once(run->loop, 0);
                }
                if (!run->done)
                    ly_transfer_cancel(run->transfer);
                bool was_done = run->done;
                unruly_run(run->unruly);
                ly_loop_run_once(run->loop, 0);
                g_assert_cmpint(run->done, ==, was_done);
                g_assert_cmpuint(open_handles(run->unruly), ==, 0);
            } else {
                run->unruly->dies_after = run->unruly->requests + at;
                finish(run);
                if (run->unruly->dead)
                    g_assert_true(run->error.code == LY_ERROR_DISCONNECT || run->error.code == LY_OK);
            }
            run_free(run);
        }
    }
    /* Cancelled by its own progress, and when the client is gone before the end is told. */
    Run *run = run_new(ALL_EXTENSIONS);
    put_file(local(run->unruly, "source"), bytes, 20000, 0644);
    run->cancel_in_step = true;
    start(run, true, "/source", here(run, "mine"), NULL);
    for (int i = 0; i < 50; i++) {
        unruly_round(run->unruly);
        ly_loop_run_once(run->loop, 0);
    }
    g_assert_cmpint(run->done, ==, 0);
    g_assert_cmpint(run->steps, ==, 1);
    run->cancel_in_step = false;
    start(run, true, "/source", here(run, "mine"), NULL);
    unruly_round(run->unruly);
    ly_sftp_client_free(run->unruly->client);
    run->unruly->client = NULL;
    ly_loop_run_once(run->loop, 0);
    g_assert_cmpint(run->done, ==, 1);
    g_assert_cmpint(run->error.code, ==, LY_ERROR_DISCONNECT);
    run_free(run);
    g_free(bytes);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/transfer/sizes", test_sizes);
    g_test_add_func("/transfer/large-chunks", test_large_chunks);
    g_test_add_func("/transfer/defect-3-permissions", test_defect_3_permissions);
    g_test_add_func("/transfer/preserve", test_preserve);
    g_test_add_func("/transfer/defect-4-sizes", test_defect_4_sizes);
    g_test_add_func("/transfer/put-sizes", test_put_sizes);
    g_test_add_func("/transfer/failures", test_failures);
    g_test_add_func("/transfer/deaths", test_deaths);
    return g_test_run();
}
