/* Whole files, trees and transfers against a server that lies: the first byte is the work, the second of
 * flags; then each request is answered as the input's next bytes say: in whatever order, with names, sizes
 * and handles as they come. Once the input is used up every file and directory ends. */
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#include "loop/transfer.h"
#include "sftp/file.h"
#include "sftp/tree.h"

enum { EXTENSIONS = 1, FEW_BYTES_TAKEN = 2, HOLD = 4, CANCEL = 8, APPEND = 16, BY_HANDLE = 32 };
enum { ROUNDS_MAX = 20000, WORKS = 10 };

typedef struct State {
    LyReader input;
    uint8_t flags;
    LySftpClient *client;
    LySftpReader *reader;
    LySftpWriter *writer;
    LySftpTree *tree;
    LyTransfer *transfer;
    LyLoop *loop;
    LyBuf sent; /* by the client */
    size_t held;
    uint64_t got;
    bool ready, working, cancelled;
    unsigned done, rounds;
} State;

static size_t take(void *user, const LyBytes *parts, size_t count)
{
    State *state = user;
    size_t before = state->sent.len, room = state->flags & FEW_BYTES_TAKEN ? 50 : SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        LyBytes part = ly_bytes_slice(parts[i], 0, room);
        ly_buf_add(&state->sent, part);
        room -= part.len;
    }
    return state->sent.len - before;
}

/* ---- the server ---- */

static void put_lying_attrs(State *state, LyBuf *out)
{
    static const uint64_t sizes[] = {5, 0, 1, 4096, 100000, (uint64_t)1 << 40, INT64_MAX, UINT64_MAX};
    static const uint32_t modes[] = {0100644, 040755, 0120777, 020666, 010600, 0, 0104755, UINT32_MAX};
    uint8_t byte = ly_get_u8(&state->input);
    LySftpAttrs attrs = {.flags = byte & 0x80 ? ly_get_u8(&state->input) & 15 : 15,
                         .size = sizes[byte & 7],
                         .permissions = modes[byte >> 3 & 7],
                         .uid = 1000,
                         .atime = 0x80000000u,
                         .mtime = byte};
    ly_put_attrs(out, &attrs);
}

static void put_lying_names(State *state, LyBuf *out)
{
    static const char *const names[] = {"name", ".", "..", "", "a/b", "/etc/passwd", "..\\x", "other"};
    uint32_t count = ly_get_u8(&state->input) & 15;
    ly_put_u32(out, count);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t byte = ly_get_u8(&state->input);
        LyBytes name = byte & 8 ? ly_get_bytes(&state->input, LY_MIN((size_t)byte >> 4, state->input.len))
                                : ly_bytes_str(names[byte & 7]);
        ly_put_string(out, name);
        ly_put_cstring(out, "?");
        put_lying_attrs(state, out);
    }
}

static void put_status(LyBuf *out, uint32_t status)
{
    ly_put_u32(out, status);
    ly_put_cstring(out, "a text");
    ly_put_cstring(out, "");
}

static void put_data(State *state, LyBuf *out, uint32_t asked, uint8_t kind)
{
    static const uint8_t zeros[1 << 18];
    uint32_t len = LY_MIN(asked, 5000u); /* short is fine */
    if (kind == 2)
        len = asked;
    else if (kind == 3)
        len = LY_MIN((uint32_t)ly_get_u8(&state->input) << 4, asked);
    else if (kind == 4)
        len = asked + 1;
    ly_put_string(out, ly_bytes(zeros, LY_MIN((size_t)len, sizeof zeros)));
}

/* Of what type the right answer is. */
static uint8_t right_type(uint8_t request)
{
    switch (request) {
    case SSH_FXP_OPEN:
    case SSH_FXP_OPENDIR:
        return SSH_FXP_HANDLE;
    case SSH_FXP_READ:
        return SSH_FXP_DATA;
    case SSH_FXP_STAT:
    case SSH_FXP_LSTAT:
    case SSH_FXP_FSTAT:
        return SSH_FXP_ATTRS;
    case SSH_FXP_READDIR:
    case SSH_FXP_READLINK:
    case SSH_FXP_REALPATH:
        return SSH_FXP_NAME;
    case SSH_FXP_EXTENDED:
        return SSH_FXP_EXTENDED_REPLY;
    default:
        return SSH_FXP_STATUS;
    }
}

static void put_answer(State *state, LyReader *request, LyBuf *out)
{
    static const uint32_t statuses[] = {SSH_FX_OK,
                                        SSH_FX_EOF,
                                        SSH_FX_FAILURE,
                                        SSH_FX_NO_SUCH_FILE,
                                        SSH_FX_BAD_MESSAGE,
                                        SSH_FX_OP_UNSUPPORTED,
                                        SSH_FX_PERMISSION_DENIED,
                                        77};
    uint8_t type = ly_get_u8(request), kind = ly_get_u8(&state->input), answer = right_type(type);
    uint32_t id = ly_get_u32(request);
    bool ends = type == SSH_FXP_READ || type == SSH_FXP_READDIR;
    if (kind == 0)
        answer = ends || type == SSH_FXP_EXTENDED ? SSH_FXP_STATUS : answer;
    else if (kind >> 4 == 1)
        answer = SSH_FXP_STATUS;
    else if (kind == 0xff)
        answer = SSH_FXP_HANDLE + ly_get_u8(&state->input) % 4;
    ly_put_u8(out, answer);
    ly_put_u32(out, kind == 0xfe ? id + 1 : id);
    switch (answer) {
    case SSH_FXP_HANDLE:
        ly_put_string(out, ly_bytes((const uint8_t[300]){7}, kind & 4 ? kind : kind == 0x21 ? 0 : 4));
        break;
    case SSH_FXP_DATA:
        ly_get_string(request); /* handle */
        ly_get_u64(request);
        put_data(state, out, ly_get_u32(request), kind & 7);
        break;
    case SSH_FXP_ATTRS:
        put_lying_attrs(state, out);
        break;
    case SSH_FXP_NAME:
        put_lying_names(state, out);
        break;
    case SSH_FXP_EXTENDED_REPLY: /* limits */
        for (int i = 0; i < 4; i++)
            ly_put_u64(out, (const uint64_t[]){1 << 15, 0, 100, UINT64_MAX}[kind >> 2 * i & 3]);
        break;
    default:
        put_status(out, kind == 0 && ends ? SSH_FX_EOF : statuses[kind & 7]);
    }
}

/* Answers one request; which, says the input. False: there was none, or the session is over. */
static bool serve(State *state)
{
    LyBuf out = {0};
    LyBytes rest = ly_buf_bytes(&state->sent), requests[16];
    size_t count = 0;
    while (rest.len >= 4 && rest.len - 4 >= ly_load_u32(rest.data) && count < LY_COUNT(requests)) {
        size_t len = ly_load_u32(rest.data);
        requests[count++] = ly_bytes_slice(rest, 4, len);
        rest = ly_bytes_slice(rest, 4 + len, SIZE_MAX);
    }
    if (count == 0)
        return false;
    LyBytes packet = requests[state->flags & 64 ? ly_get_u8(&state->input) % count : 0];
    LyReader request = ly_reader(packet);
    size_t mark = ly_put_string_begin(&out);
    if (packet.data[0] == SSH_FXP_INIT) {
        ly_put_u8(&out, SSH_FXP_VERSION);
        ly_put_u32(&out, 3);
        static const char *const names[] = {"copy-data",          "1", "fsync@openssh.com",    "1",
                                            "limits@openssh.com", "1", "lsetstat@openssh.com", "1"};
        for (size_t i = 0; i < LY_COUNT(names) && state->flags & EXTENSIONS; i++)
            ly_put_cstring(&out, names[i]);
    } else {
        put_answer(state, &request, &out);
    }
    ly_put_string_end(&out, mark);
    /* The request goes. */
    size_t from = (size_t)(packet.data - 4 - state->sent.data), to = from + 4 + packet.len;
    memmove(state->sent.data + from, state->sent.data + to, state->sent.len - to);
    state->sent.len -= to - from;
    LyBytes answer = fuzz_copy(ly_buf_bytes(&out));
    ly_sftp_client_receive(state->client, answer, NULL);
    fuzz_free(answer);
    ly_buf_free(&out);
    return true;
}

/* ---- the works ---- */

static void ready(void *user, LySftpReply *reply)
{
    State *state = user;
    state->ready = reply->status == SSH_FX_OK;
}

static void note_done(State *state)
{
    FUZZ_ASSERT(state->working && !state->cancelled && state->done++ == 0);
}

static void done(void *user, const LySftpOutcome *outcome)
{
    LyError error = {0};
    FUZZ_ASSERT((outcome->status == SSH_FX_OK) == (outcome->step == NULL));
    if (outcome->status != SSH_FX_OK)
        ly_sftp_outcome_error(outcome, &error);
    note_done(user);
}

static void contents_done(void *user, const LySftpOutcome *outcome, LyBytes contents)
{
    FUZZ_ASSERT(contents.len <= 10000 && (outcome->status == SSH_FX_OK || !contents.len));
    done(user, outcome);
}

static void transfer_done(void *user, uint64_t len, const LyError *error)
{
    State *state = user;
    note_done(state);
    state->transfer = NULL;
}

static void reader_data(void *user, LyBytes data)
{
    State *state = user;
    FUZZ_ASSERT(data.len && !state->done);
    state->got += data.len;
    state->held += data.len;
    FUZZ_ASSERT(state->held <= 8192 + 4096);
    if (state->flags & HOLD || !state->reader)
        return;
    size_t held = state->held;
    state->held = 0;
    ly_sftp_reader_consumed(state->reader, held);
}

static bool found(void *user, LyBytes path, unsigned depth, const LySftpAttrs *attrs)
{
    FUZZ_ASSERT(ly_bytes_starts_with(path, "root") && depth <= 256);
    unsigned slashes = 0;
    for (size_t i = 0; i < path.len; i++) {
        FUZZ_ASSERT(path.data[i]);
        slashes += path.data[i] == '/';
        FUZZ_ASSERT(path.data[i] != '/' || (i + 1 < path.len && path.data[i + 1] != '/'));
    }
    FUZZ_ASSERT(slashes == depth);
    return true;
}

static void begin(State *state, uint8_t work, const char *local)
{
    LyBytes root = LY_BYTES("root"), data = LY_BYTES("some contents");
    LySftpReaderOptions reader = {.start = 3,
                                  .len = state->flags & APPEND ? 9000 : UINT64_MAX,
                                  .chunk = 4096,
                                  .ahead = 8192,
                                  .data = reader_data,
                                  .done = done,
                                  .user = state};
    LySftpWriterOptions writer = {.pflags = state->flags & APPEND ? SSH_FXF_APPEND | SSH_FXF_WRITE : 0,
                                  .mode = 0600,
                                  .chunk = 8,
                                  .behind = 32,
                                  .fsync = true,
                                  .done = done,
                                  .user = state};
    LyTransferOptions transfer = {.concurrency = 4,
                                  .chunk = 4096,
                                  .mode = UINT32_MAX,
                                  .preserve = true,
                                  .fsync = work == 9, /* here it would be in a thread */
                                  .done = transfer_done,
                                  .user = state};
    *(state->flags & BY_HANDLE ? &reader.handle : &reader.path) = root;
    *(state->flags & BY_HANDLE ? &writer.handle : &writer.path) = root;
    state->working = true;
    switch (work) {
    case 0:
        state->working = (state->reader = ly_sftp_reader_new(state->client, &reader)) != NULL;
        break;
    case 1:
        state->working = (state->writer = ly_sftp_writer_new(state->client, &writer)) != NULL;
        break;
    case 2:
        state->working = ly_sftp_read_file(state->client, root, 10000, contents_done, state);
        break;
    case 3:
        state->working =
            ly_sftp_write_file(state->client, root, data, 0600, state->flags & APPEND, done, state);
        break;
    case 4:
        state->working = (state->tree = ly_sftp_walk(state->client, root, found, done, state)) != NULL;
        break;
    case 5:
        state->tree = ly_sftp_mkdir_parents(state->client, LY_BYTES("a/b/c"), 0755, done, state);
        state->working = state->tree != NULL;
        break;
    case 6:
        state->working = (state->tree = ly_sftp_remove_tree(state->client, root, done, state)) != NULL;
        break;
    case 7:
        state->tree = ly_sftp_copy_tree(state->client, root, LY_BYTES("copy"), done, state);
        state->working = state->tree != NULL;
        break;
    case 8:
        state->transfer = ly_fast_get(state->loop, state->client, root, local, &transfer, NULL);
        state->working = state->transfer != NULL;
        break;
    default:
        state->transfer = ly_fast_put(state->loop, state->client, local, root, &transfer, NULL);
        state->working = state->transfer != NULL;
    }
}

static void cancel(State *state)
{
    if (state->done || !(state->reader || state->writer || state->tree || state->transfer))
        return;
    state->cancelled = true;
    ly_sftp_reader_free(state->reader);
    ly_sftp_writer_free(state->writer);
    ly_sftp_tree_cancel(state->tree);
    ly_transfer_cancel(state->transfer);
    state->reader = NULL;
    state->writer = NULL;
    state->tree = NULL;
    state->transfer = NULL;
}

/* What the work itself goes on with. */
static bool go_on(State *state, unsigned *writes)
{
    size_t held = state->held, outstanding = ly_sftp_client_outstanding(state->client);
    if (state->loop)
        ly_loop_run_once(state->loop, 0);
    if (state->reader && held && !state->done) {
        state->held = 0;
        ly_sftp_reader_consumed(state->reader, held);
        return true;
    }
    if (state->writer && *writes && !state->done) {
        if (--*writes)
            ly_sftp_writer_write(state->writer, LY_BYTES("twenty bytes of data"));
        else
            ly_sftp_writer_finish(state->writer);
        return true;
    }
    return state->sent.len || ly_sftp_client_pending_len(state->client) ||
           ly_sftp_client_outstanding(state->client) != outstanding;
}

static void run(State *state)
{
    unsigned writes = 6, idle = 0;
    while (idle < 3) {
        ly_sftp_client_flush(state->client);
        bool served = serve(state);
        bool moved = go_on(state, &writes) || served;
        idle = moved ? 0 : idle + 1;
        FUZZ_ASSERT(state->rounds++ < ROUNDS_MAX);
        if (state->flags & CANCEL && state->input.len && *state->input.data == 0xaa)
            cancel(state);
        if (ly_sftp_client_is_closed(state->client))
            break;
    }
}

/* A file of 10000 bytes that is in no folder. */
static const char *local_file(void)
{
    static char path[64];
    static int fd = -1;
    if (fd < 0) {
        fd = memfd_create("fuzz", MFD_CLOEXEC);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    FUZZ_ASSERT(ftruncate(fd, 0) == 0 && ftruncate(fd, 10000) == 0);
    return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static LyLoop *loop;
    if (!loop)
        loop = ly_loop_new(NULL);
    State state = {.input = ly_reader(ly_bytes(data, len))};
    uint8_t work = ly_get_u8(&state.input) % WORKS;
    state.flags = ly_get_u8(&state.input);
    if (work >= 8)
        state.loop = loop;
    LySftpClientOptions options = {.sink = {take, &state}};
    state.client = ly_sftp_client_new(&options, ready, &state);
    while (!state.ready && serve(&state))
        ly_sftp_client_flush(state.client);
    if (state.ready) {
        begin(&state, work, work >= 8 ? local_file() : NULL);
        run(&state);
    }
    ly_sftp_client_closed(state.client);
    for (unsigned i = 0; i < 4 && state.held && state.reader; i++) { /* what came before the end */
        size_t held = state.held;
        state.held = 0;
        ly_sftp_reader_consumed(state.reader, held);
    }
    if (state.loop)
        ly_loop_run_once(state.loop, 0);
    FUZZ_ASSERT(!state.working || state.cancelled || state.done == 1 || (state.writer && !state.sent.len));
    ly_sftp_reader_free(state.reader);
    ly_sftp_writer_free(state.writer);
    ly_sftp_client_free(state.client);
    ly_buf_free(&state.sent);
    return 0;
}
