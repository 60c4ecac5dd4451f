/* A server's bytes, with one request of each kind open: a byte of flags, then what the server sends (behind a
 * right VERSION, if the flags say so). */
#include "fuzz.h"

#include "sftp/client.h"

enum { WITH_VERSION = 1, FEW_BYTES_TAKEN = 2, CANCEL_SOME = 4, ASK_MORE = 8, CHUNK_SHIFT = 4 };
enum { BUFFERS = 16, BUFFER_LEN = 100, ASKED_MAX = 64 };

typedef struct State {
    LySftpClient *client;
    uint8_t flags;
    uint8_t *buffer[BUFFERS]; /* each of exactly its size */
    unsigned buffers, asked, answered, cancelled, more;
    int ready;
} State;

static size_t take(void *user, const LyBytes *parts, size_t count)
{
    State *state = user;
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += parts[i].len;
    return state->flags & FEW_BYTES_TAKEN ? LY_MIN(len, (size_t)3) : len;
}

static void ready(void *user, LySftpReply *reply)
{
    State *state = user;
    FUZZ_ASSERT(state->ready++ == 0);
}

static void ask_read(State *state, LySftpDone done);

static void done(void *user, LySftpReply *reply)
{
    State *state = user;
    size_t sum = 0;
    LySftpName name;
    unsigned names = 0, claimed = reply->type == LY_SFTP_REPLY_NAME ? reply->name_count : 0;
    while (ly_sftp_reply_name(reply, &name)) {
        names++;
        for (size_t i = 0; i < name.filename.len; i++)
            sum += name.filename.data[i];
        for (size_t i = 0; i < name.longname.len; i++)
            sum += name.longname.data[i];
    }
    FUZZ_ASSERT(names == claimed);
    for (size_t i = 0; i < reply->message.len; i++)
        sum += reply->message.data[i];
    for (size_t i = 0; i < reply->handle.len; i++)
        sum += reply->handle.data[i];
    FUZZ_ASSERT(reply->data_len <= BUFFER_LEN && (reply->type != LY_SFTP_REPLY_HANDLE || reply->handle.len));
    state->answered++;
    if (state->flags & ASK_MORE && state->more++ < ASKED_MAX && sum % 2 == 0)
        ask_read(state, done);
}

static void ask_read(State *state, LySftpDone on_done)
{
    if (state->buffers == BUFFERS)
        return;
    uint8_t *buffer = malloc(BUFFER_LEN);
    if (!buffer)
        abort();
    state->buffer[state->buffers++] = buffer;
    state->asked += ly_sftp_read(state->client, LY_BYTES("h"), 7, BUFFER_LEN, buffer, on_done, state) != 0;
}

#define ASK(call) (state->asked += ((last = (call)) != 0))
static void ask_everything(State *state)
{
    LySftpClient *c = state->client;
    LySftpId last;
    LySftpAttrs attrs = {.flags = SSH_FILEXFER_ATTR_SIZE, .size = 5};
    LyBytes path = LY_BYTES("/p"), handle = LY_BYTES("h");
    ASK(ly_sftp_open(c, path, SSH_FXF_READ, NULL, done, state));
    ask_read(state, done);
    ASK(ly_sftp_close(c, handle, done, state));
    ASK(ly_sftp_write(c, handle, 0, LY_BYTES("data"), done, state));
    ASK(ly_sftp_stat(c, path, done, state));
    ASK(ly_sftp_fstat(c, handle, done, state));
    ASK(ly_sftp_setstat(c, path, &attrs, done, state));
    if (state->flags & CANCEL_SOME) {
        ly_sftp_cancel(c, last);
        state->cancelled++;
    }
    ASK(ly_sftp_opendir(c, path, done, state));
    ASK(ly_sftp_readdir(c, handle, done, state));
    ASK(ly_sftp_remove(c, path, done, state));
    ASK(ly_sftp_realpath(c, path, done, state));
    ASK(ly_sftp_readlink(c, path, done, state));
    ASK(ly_sftp_rename(c, path, path, done, state));
    ASK(ly_sftp_statvfs(c, path, done, state));
    ASK(ly_sftp_extended(c, LY_BYTES("x@y"), LY_BYTES("z"), done, state));
    ASK(ly_sftp_users_groups(c, (uint32_t[]){1}, 1, NULL, 0, done, state));
    ask_read(state, done);
    if (state->flags & CANCEL_SOME) {
        ASK(ly_sftp_read(c, handle, 0, BUFFER_LEN, state->buffer[0], done, state));
        ly_sftp_cancel(c, last);
        state->cancelled++;
    }
}

/* In copies of their own. */
static bool feed(State *state, LyBytes bytes, size_t chunk)
{
    LyError error = {0};
    bool right = true;
    while (bytes.len && right) {
        LyBytes piece = fuzz_copy(ly_bytes_slice(bytes, 0, chunk));
        right = ly_sftp_client_receive(state->client, piece, &error);
        FUZZ_ASSERT(right == (error.code == LY_OK));
        bytes = ly_bytes_slice(bytes, piece.len, SIZE_MAX);
        fuzz_free(piece);
    }
    return right;
}

static void put_version(LyBuf *out)
{
    size_t mark = ly_put_string_begin(out);
    ly_put_u8(out, SSH_FXP_VERSION);
    ly_put_u32(out, 3);
    ly_put_cstring(out, "statvfs@openssh.com");
    ly_put_cstring(out, "2");
    ly_put_cstring(out, "users-groups-by-id@openssh.com");
    ly_put_cstring(out, "1");
    ly_put_string_end(out, mark);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    LyReader input = ly_reader(ly_bytes(data, len));
    State state = {.flags = ly_get_u8(&input)};
    LySftpClientOptions options = {.sink = {take, &state}};
    LyBuf bytes = {0};
    if (state.flags & WITH_VERSION)
        put_version(&bytes);
    size_t version_len = bytes.len;
    ly_buf_add(&bytes, ly_get_rest(&input));
    state.client = ly_sftp_client_new(&options, ready, &state);
    if (feed(&state, ly_bytes_slice(ly_buf_bytes(&bytes), 0, version_len), SIZE_MAX)) {
        ask_everything(&state);
        feed(&state, ly_bytes_slice(ly_buf_bytes(&bytes), version_len, SIZE_MAX),
             fuzz_chunk(state.flags >> CHUNK_SHIFT));
    }
    ly_sftp_client_flush(state.client);
    ly_sftp_client_free(state.client);
    FUZZ_ASSERT(state.ready == 1);
    FUZZ_ASSERT(state.answered + state.cancelled == state.asked);
    for (unsigned i = 0; i < state.buffers; i++)
        free(state.buffer[i]);
    ly_buf_free(&bytes);
    return 0;
}
