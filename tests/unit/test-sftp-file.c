/* core/sftp: readers, writers and whole files against a server that is late, short, lying or gone. */
#include "sftp-unruly.h"

typedef struct Seen { /* what a `done` told */
    int calls;
    uint32_t status;
    char *step, *message;
    LyBuf text;
    LyError error;
    /* a reader's or writer's */
    LySftpReader *reader;
    LySftpWriter *writer;
    size_t hold, unconsumed; /* bytes kept back before they are given back */
    size_t most_unconsumed;
    const uint8_t *source;
    size_t source_len, written, piece;
    bool free_in_data;
} Seen;

static void seen_done(void *user, const LySftpOutcome *outcome)
{
    Seen *seen = user;
    seen->calls++;
    seen->status = outcome->status;
    g_free(seen->step);
    g_free(seen->message);
    seen->step = g_strdup(outcome->step);
    seen->message = outcome->message.len
                        ? g_strndup((const char *)outcome->message.data, outcome->message.len)
                        : g_strdup("");
    ly_sftp_outcome_error(outcome, &seen->error);
}

static void seen_contents(void *user, const LySftpOutcome *outcome, LyBytes contents)
{
    Seen *seen = user;
    seen_done(user, outcome);
    g_assert_true(outcome->status == SSH_FX_OK || contents.len == 0);
    ly_buf_clear(&seen->text);
    ly_buf_add(&seen->text, contents);
}

static void seen_data(void *user, LyBytes data)
{
    Seen *seen = user;
    g_assert_cmpint(seen->calls, ==, 0);
    ly_buf_add(&seen->text, data);
    seen->unconsumed += data.len;
    seen->most_unconsumed = MAX(seen->most_unconsumed, seen->unconsumed);
    if (seen->free_in_data) {
        ly_sftp_reader_free(seen->reader);
        seen->reader = NULL;
    } else if (seen->unconsumed > seen->hold) {
        size_t len = seen->unconsumed - seen->hold;
        seen->unconsumed -= len;
        ly_sftp_reader_consumed(seen->reader, len);
    }
}

static void write_some(void *user)
{
    Seen *seen = user;
    while (seen->written < seen->source_len) {
        size_t len = MIN(seen->piece, seen->source_len - seen->written);
        size_t taken = ly_sftp_writer_write(seen->writer, ly_bytes(seen->source + seen->written, len));
        seen->written += taken;
        if (taken < len)
            return;
    }
    ly_sftp_writer_finish(seen->writer);
}

static void seen_clear(Seen *seen)
{
    ly_sftp_reader_free(seen->reader);
    ly_sftp_writer_free(seen->writer);
    ly_buf_free(&seen->text);
    g_free(seen->step);
    g_free(seen->message);
    *seen = (Seen){0};
}

static void make_unruly(Unruly *unruly, unsigned way)
{
    unruly->late = way & 1;
    unruly->read_max = way & 2 ? 700 : 0;
    unruly->sink_room = way & 2 ? 3000 : SIZE_MAX;
}

static void test_whole_files(void)
{
    static const size_t sizes[] = {0, 1, 32767, 32768, 32769, 300000};
    Unruly *unruly = unruly_new(ALL_EXTENSIONS);
    Seen seen = {0};
    mode_t old = umask(022);
    for (unsigned way = 0; way < 4; way++) {
        make_unruly(unruly, way);
        for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
            uint8_t *bytes = pattern(sizes[i]);
            LyBytes contents = ly_bytes(bytes, sizes[i]);
            g_unlink(local(unruly, "file"));
            g_assert_true(ly_sftp_write_file(unruly->client, LY_BYTES("/file"), contents, 0640, false,
                                             seen_done, &seen));
            unruly_run(unruly);
            g_assert_cmpint(seen.calls, ==, 1);
            g_assert_cmpuint(seen.status, ==, SSH_FX_OK);
            assert_file(local(unruly, "file"), bytes, sizes[i]);
            g_assert_cmpint(mode_of(local(unruly, "file")), ==, 0640);
            g_assert_true(
                ly_sftp_read_file(unruly->client, LY_BYTES("/file"), sizes[i], seen_contents, &seen));
            unruly_run(unruly);
            g_assert_cmpint(seen.calls, ==, 2);
            g_assert_cmpmem(seen.text.data, seen.text.len, bytes, sizes[i]);
            if (sizes[i]) {
                g_assert_true(
                    ly_sftp_read_file(unruly->client, LY_BYTES("/file"), sizes[i] - 1, seen_contents, &seen));
                unruly_run(unruly);
                g_assert_cmpint(seen.calls, ==, 3);
                g_assert_cmpuint(seen.status, ==, SSH_FX_FAILURE);
                g_assert_cmpstr(seen.step, ==, "read");
            }
            g_assert_cmpuint(open_handles(unruly), ==, 0);
            seen_clear(&seen);
            g_free(bytes);
        }
    }
    umask(old);
    unruly_free(unruly);
}

/* Defect 3: writing a file that exists leaves its permissions alone. */
static void test_defect_3_permissions(void)
{
    Unruly *unruly = unruly_new(ALL_EXTENSIONS);
    Seen seen = {0};
    put_file(local(unruly, "file"), (const uint8_t *)"old text", 8, 0600);
    ly_sftp_write_file(unruly->client, LY_BYTES("/file"), LY_BYTES("new"), 0666, false, seen_done, &seen);
    unruly_run(unruly);
    ly_sftp_write_file(unruly->client, LY_BYTES("/file"), LY_BYTES(" and more"), 0666, true, seen_done,
                       &seen);
    unruly_run(unruly);
    g_assert_cmpint(seen.calls, ==, 2);
    assert_file(local(unruly, "file"), (const uint8_t *)"new and more", 12);
    g_assert_cmpint(mode_of(local(unruly, "file")), ==, 0600);
    g_assert_cmpuint(unruly->counts[SSH_FXP_SETSTAT] + unruly->counts[SSH_FXP_FSETSTAT], ==, 0);
    ly_sftp_write_file(unruly->client, LY_BYTES("/no/such"), LY_BYTES("x"), UINT32_MAX, false, seen_done,
                       &seen);
    unruly_run(unruly);
    g_assert_cmpint(seen.calls, ==, 3);
    g_assert_cmpstr(seen.error.message, ==, "cannot open /no/such: No such file or directory");
    g_assert_cmpint(seen.error.code, ==, LY_ERROR_IO);
    seen_clear(&seen);
    unruly_free(unruly);
}

/* Defect 4's twin: a file that claims to be empty is read to its end; answers without bytes end it. */
static void test_defect_4_sizes(void)
{
    Unruly *unruly = unruly_new(ALL_EXTENSIONS);
    uint8_t *bytes = pattern(100000);
    Seen seen = {0};
    put_file(local(unruly, "file"), bytes, 100000, 0644);
    unruly->claims = true;
    ly_sftp_read_file(unruly->client, LY_BYTES("/file"), 1 << 20, seen_contents, &seen);
    unruly_run(unruly);
    g_assert_cmpmem(seen.text.data, seen.text.len, bytes, 100000);
    unruly->empty_reads = 1;
    ly_sftp_read_file(unruly->client, LY_BYTES("/file"), 1 << 20, seen_contents, &seen);
    unruly_run(unruly);
    g_assert_cmpint(seen.calls, ==, 2);
    g_assert_cmpuint(seen.text.len, ==, 0);
    seen_clear(&seen);
    g_free(bytes);
    unruly_free(unruly);
}

static void test_reader(void)
{
    static const struct {
        uint64_t start, len;
    } parts[] = {{0, UINT64_MAX},      {0, 0},    {10, 1}, {999, 2}, {50000, UINT64_MAX}, {100000, 5},
                 {200000, UINT64_MAX}, {7, 99993}};
    Unruly *unruly = unruly_new(ALL_EXTENSIONS);
    uint8_t *bytes = pattern(100000);
    put_file(local(unruly, "file"), bytes, 100000, 0644);
    for (unsigned way = 0; way < 8; way++) {
        make_unruly(unruly, way);
        for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
            Seen seen = {.hold = way & 4 ? 2500 : 0};
            LySftpReaderOptions options = {.path = LY_BYTES("/file"),
                                           .start = parts[i].start,
                                           .len = parts[i].len,
                                           .chunk = 1000,
                                           .ahead = 5000,
                                           .data = seen_data,
                                           .done = seen_done,
                                           .user = &seen};
            seen.reader = ly_sftp_reader_new(unruly->client, &options);
            for (;;) {
                unruly_run(unruly);
                if (!seen.unconsumed)
                    break;
                size_t len = seen.unconsumed;
                seen.unconsumed = 0;
                ly_sftp_reader_consumed(seen.reader, len);
            }
            size_t start = (size_t)MIN(parts[i].start, 100000),
                   len = (size_t)MIN(parts[i].len, 100000 - start);
            g_assert_cmpint(seen.calls, ==, 1);
            g_assert_cmpuint(seen.status, ==, SSH_FX_OK);
            g_assert_cmpmem(seen.text.data, seen.text.len, bytes + start, len);
            g_assert_cmpuint(seen.most_unconsumed, <=, 5000);
            g_assert_cmpuint(open_handles(unruly), ==, 0);
            seen_clear(&seen);
        }
    }
    Seen seen = {.free_in_data = true};
    LySftpReaderOptions options = {.path = LY_BYTES("/file"),
                                   .len = UINT64_MAX,
                                   .chunk = 1000,
                                   .data = seen_data,
                                   .done = seen_done,
                                   .user = &seen};
    seen.reader = ly_sftp_reader_new(unruly->client, &options);
    unruly_run(unruly);
    g_assert_cmpint(seen.calls, ==, 0);
    g_assert_cmpuint(open_handles(unruly), ==, 0);
    /* Freed before it was opened: the handle is closed when it comes. */
    seen.reader = ly_sftp_reader_new(unruly->client, &options);
    ly_sftp_reader_free(seen.reader);
    seen.reader = NULL;
    unruly_run(unruly);
    g_assert_cmpuint(open_handles(unruly), ==, 0);
    seen_clear(&seen);
    g_free(bytes);
    unruly_free(unruly);
}

typedef struct Handle {
    uint8_t bytes[LY_SFTP_HANDLE_MAX];
    size_t len;
} Handle;

static void keep_handle(void *user, LySftpReply *reply)
{
    Handle *handle = user;
    g_assert_cmpint(reply->type, ==, LY_SFTP_REPLY_HANDLE);
    memcpy(handle->bytes, reply->handle.data, reply->handle.len);
    handle->len = reply->handle.len;
}

/* Handles that the caller opened stay open. */
static void test_handles(void)
{
    Unruly *unruly = unruly_new(ALL_EXTENSIONS);
    uint8_t *bytes = pattern(20000);
    Handle handle = {0};
    Seen seen = {.source = bytes, .source_len = 20000, .piece = 777};
    ly_sftp_open(unruly->client, LY_BYTES("/file"), SSH_FXF_READ | SSH_FXF_WRITE | SSH_FXF_CREAT, NULL,
                 keep_handle, &handle);
    unruly_run(unruly);
    unruly->late = true;
    LySftpWriterOptions to = {.handle = ly_bytes(handle.bytes, handle.len),
                              .start = 5,
                              .chunk = 1000,
                              .behind = 3000,
                              .fsync = true,
                              .writable = write_some,
                              .done = seen_done,
                              .user = &seen};
    seen.writer = ly_sftp_writer_new(unruly->client, &to);
    write_some(&seen);
    unruly_run(unruly);
    g_assert_cmpint(seen.calls, ==, 1);
    g_assert_cmpuint(seen.status, ==, SSH_FX_OK);
    seen_clear(&seen);
    LySftpReaderOptions from = {.handle = ly_bytes(handle.bytes, handle.len),
                                .start = 5,
                                .len = UINT64_MAX,
                                .chunk = 900,
                                .data = seen_data,
                                .done = seen_done,
                                .user = &seen};
    seen.reader = ly_sftp_reader_new(unruly->client, &from);
    unruly_run(unruly);
    g_assert_cmpint(seen.calls, ==, 1);
    g_assert_cmpmem(seen.text.data, seen.text.len, bytes, 20000);
    seen_clear(&seen);
    from.len = 0;
    seen.reader = ly_sftp_reader_new(unruly->client, &from);
    g_assert_cmpint(seen.calls, ==, 0);
    unruly_run(unruly);
    g_assert_cmpint(seen.calls, ==, 1);
    seen_clear(&seen);
    g_assert_cmpuint(open_handles(unruly), ==, 1);
    ly_sftp_client_closed(unruly->client);
    g_assert_null(ly_sftp_reader_new(unruly->client, &from));
    from.len = 10;
    g_assert_null(ly_sftp_reader_new(unruly->client, &from));
    g_assert_cmpint(seen.calls, ==, 0);
    g_free(bytes);
    unruly_free(unruly);
}

static void test_writer(void)
{
    static const size_t pieces[] = {1, 999, 1000, 1001, 50000};
    Unruly *unruly = unruly_new(ALL_EXTENSIONS);
    uint8_t *bytes = pattern(30000);
    for (unsigned way = 0; way < 4; way++) {
        make_unruly(unruly, way);
        for (size_t i = 0; i < G_N_ELEMENTS(pieces); i++) {
            Seen seen = {.source = bytes, .source_len = 30000, .piece = pieces[i]};
            LySftpWriterOptions options = {.path = LY_BYTES("/file"),
                                           .mode = 0644,
                                           .chunk = 1000,
                                           .behind = 4500,
                                           .fsync = i & 1,
                                           .writable = write_some,
                                           .done = seen_done,
                                           .user = &seen};
            seen.writer = ly_sftp_writer_new(unruly->client, &options);
            write_some(&seen);
            g_assert_cmpuint(seen.written, <=, 1000); /* it is not open yet */
            unruly_run(unruly);
            g_assert_cmpint(seen.calls, ==, 1);
            g_assert_cmpuint(seen.status, ==, SSH_FX_OK);
            assert_file(local(unruly, "file"), bytes, 30000);
            g_assert_cmpuint(open_handles(unruly), ==, 0);
            seen_clear(&seen);
        }
    }
    unruly->quota = 10000;
    Seen seen = {.source = bytes, .source_len = 30000, .piece = 4000};
    LySftpWriterOptions options = {.path = LY_BYTES("/file"),
                                   .mode = UINT32_MAX,
                                   .chunk = 1000,
                                   .writable = write_some,
                                   .done = seen_done,
                                   .user = &seen};
    seen.writer = ly_sftp_writer_new(unruly->client, &options);
    write_some(&seen);
    unruly_run(unruly);
    g_assert_cmpint(seen.calls, ==, 1);
    g_assert_cmpstr(seen.error.message, ==, "cannot write /file: Disk quota exceeded");
    g_assert_cmpuint(open_handles(unruly), ==, 0);
    seen_clear(&seen);
    g_free(bytes);
    unruly_free(unruly);
}

static void test_deaths(void)
{
    uint8_t *bytes = pattern(20000);
    for (unsigned at = 1; at < 40; at++) {
        Unruly *unruly = unruly_new(ALL_EXTENSIONS);
        Seen read = {0}, write = {.source = bytes, .source_len = 20000, .piece = 1500}, whole = {0};
        put_file(local(unruly, "file"), bytes, 20000, 0644);
        LySftpReaderOptions from = {.path = LY_BYTES("/file"),
                                    .len = UINT64_MAX,
                                    .chunk = 1000,
                                    .data = seen_data,
                                    .done = seen_done,
                                    .user = &read};
        LySftpWriterOptions to = {.path = LY_BYTES("/copy"),
                                  .mode = UINT32_MAX,
                                  .chunk = 1000,
                                  .behind = 3000,
                                  .writable = write_some,
                                  .done = seen_done,
                                  .user = &write};
        unruly->late = true;
        unruly->dies_after = unruly->requests + at;
        read.reader = ly_sftp_reader_new(unruly->client, &from);
        write.writer = ly_sftp_writer_new(unruly->client, &to);
        write_some(&write);
        ly_sftp_read_file(unruly->client, LY_BYTES("/file"), 20000, seen_contents, &whole);
        unruly_run(unruly);
        g_assert_true(unruly->dead);
        g_assert_cmpint(read.calls, ==, 1);
        g_assert_cmpint(write.calls, ==, 1);
        g_assert_cmpint(whole.calls, ==, 1);
        g_assert_true(write.status == SSH_FX_OK || write.error.code == LY_ERROR_DISCONNECT);
        seen_clear(&read);
        seen_clear(&write);
        seen_clear(&whole);
        unruly_free(unruly);
    }
    g_free(bytes);
}

/* Defect 22: offsets and sizes over 2^53 and names that are no UTF-8 come out as they are. */
static void test_defect_22_numbers_and_names(void)
{
    Unruly *unruly = unruly_new(ALL_EXTENSIONS);
    Seen seen = {.source = (const uint8_t *)"end", .source_len = 3, .piece = 3};
    uint64_t start = (UINT64_C(1) << 40) + 12345;
    LyBytes name = LY_BYTES("/\xff\xfe\x80 name");
    LySftpWriterOptions to = {
        .path = name, .mode = 0600, .start = start, .writable = write_some, .done = seen_done, .user = &seen};
    seen.writer = ly_sftp_writer_new(unruly->client, &to);
    write_some(&seen);
    unruly_run(unruly);
    g_assert_cmpuint(seen.status, ==, SSH_FX_OK);
    seen_clear(&seen);
    LySftpReaderOptions from = {
        .path = name, .start = start, .len = UINT64_MAX, .data = seen_data, .done = seen_done, .user = &seen};
    seen.reader = ly_sftp_reader_new(unruly->client, &from);
    unruly_run(unruly);
    g_assert_cmpmem(seen.text.data, seen.text.len, "end", 3);
    seen_clear(&seen);
    struct stat stat;
    g_assert_cmpint(lstat(local(unruly, "\xff\xfe\x80 name"), &stat), ==, 0);
    g_assert_cmpuint((uint64_t)stat.st_size, ==, start + 3);
    LyBuf buf = {0};
    LySftpAttrs attrs = {.flags = SSH_FILEXFER_ATTR_SIZE, .size = (UINT64_C(1) << 53) + 1}, got;
    ly_put_attrs(&buf, &attrs);
    LyReader reader = ly_reader(ly_buf_bytes(&buf));
    ly_get_attrs(&reader, &got);
    g_assert_cmpuint(got.size, ==, UINT64_C(9007199254740993));
    ly_buf_free(&buf);
    unruly_free(unruly);
}

static void seen_extended(void *user, LySftpReply *reply)
{
    Seen *seen = user;
    seen->calls++;
    seen->status = reply->status;
    LySftpName name;
    if (reply->type == LY_SFTP_REPLY_EXTENDED) {
        ly_buf_add(&seen->text, ly_get_string(&reply->extended));
        ly_buf_add_str(&seen->text, "|");
        ly_buf_add(&seen->text, ly_get_string(&reply->extended));
        g_assert_true(ly_reader_done(&reply->extended));
    } else if (ly_sftp_reply_name(reply, &name)) {
        ly_buf_add(&seen->text, name.filename);
    }
}

/* Defect 7: expand-path's path is where it belongs, users-groups' reply is two lists. */
static void test_defect_7_extensions(void)
{
    Unruly *unruly = unruly_new(ALL_EXTENSIONS);
    Seen seen = {0};
    g_assert_cmpint(mkdir(local(unruly, "b"), 0755), ==, 0);
    ly_sftp_expand_path(unruly->client, LY_BYTES("/b/../b"), seen_extended, &seen);
    unruly_run(unruly);
    g_assert_cmpint(seen.calls, ==, 1);
    g_assert_cmpstr(ly_buf_str(&seen.text), ==, "/b");
    ly_buf_clear(&seen.text);
    ly_sftp_users_groups(unruly->client, (uint32_t[]){0, 4294967294u}, 2, (uint32_t[]){0}, 1, seen_extended,
                         &seen);
    unruly_run(unruly);
    g_assert_cmpint(seen.calls, ==, 2);
    LyReader reader = ly_reader(ly_buf_bytes(&seen.text));
    g_assert_true(ly_bytes_is(ly_get_string(&reader), "root"));
    g_assert_true(ly_get_string(&reader).len == 0);
    g_assert_true(ly_get_u8(&reader) == '|');
    g_assert_true(ly_bytes_is(ly_get_string(&reader), "root"));
    g_assert_true(ly_reader_done(&reader));
    seen_clear(&seen);
    unruly_free(unruly);
}

static void test_symlink_order(void)
{
    static const char *const openssh[] = {"SSH-2.0-OpenSSH_9.2p1 Debian-2", "SSH-2.0-dropbear_2022.83",
                                          "SSH-2.0-Lanyard_0.1", "SSH-2.0-PuTTY_Release_0.78"};
    static const char *const draft[] = {"SSH-2.0-ssh2js1.17.0", "SSH-2.0-mod_sftp", "SSH-2.0-openssh",
                                        "SSH-2.0-", ""};
    for (size_t i = 0; i < G_N_ELEMENTS(openssh); i++)
        g_assert_true(ly_sftp_symlink_openssh_order(ly_bytes_str(openssh[i])));
    for (size_t i = 0; i < G_N_ELEMENTS(draft); i++)
        g_assert_false(ly_sftp_symlink_openssh_order(ly_bytes_str(draft[i])));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sftp-file/whole-files", test_whole_files);
    g_test_add_func("/sftp-file/defect-3-permissions", test_defect_3_permissions);
    g_test_add_func("/sftp-file/defect-4-sizes", test_defect_4_sizes);
    g_test_add_func("/sftp-file/defect-7-extensions", test_defect_7_extensions);
    g_test_add_func("/sftp-file/defect-22-numbers-and-names", test_defect_22_numbers_and_names);
    g_test_add_func("/sftp-file/reader", test_reader);
    g_test_add_func("/sftp-file/handles", test_handles);
    g_test_add_func("/sftp-file/writer", test_writer);
    g_test_add_func("/sftp-file/deaths", test_deaths);
    g_test_add_func("/sftp-file/symlink-order", test_symlink_order);
    return g_test_run();
}
