/* A client's bytes: a byte of flags, then what the client sends (behind a right INIT, if the flags say so).
 * The backend is a toy in memory that answers now or later, or a folder that is served read-only. */
#include "fuzz.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sftp/directory.h"

enum { WITH_INIT = 1, FOLDER = 2, LATER = 4, SMALL_SINK = 8, CHUNK_SHIFT = 4, READ_ONLY = 64 };
enum { HELD_MAX = 32 };

typedef struct State {
    uint8_t flags;
    LySftpRequest *held[HELD_MAX];
    unsigned held_count, handles;
} State;

static size_t take(void *user, const LyBytes *parts, size_t count)
{
    State *state = user;
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += parts[i].len;
    return state->flags & SMALL_SINK ? LY_MIN(len, (size_t)5) : len;
}

static void answer(State *state, LySftpRequest *request)
{
    static uint8_t zeros[1 << 18];
    LySftpAttrs attrs = {.flags = 15, .size = 1000, .permissions = 0100644};
    size_t len = LY_MIN(request->len, sizeof zeros);
    switch (request->type) {
    case SSH_FXP_OPEN:
    case SSH_FXP_OPENDIR: {
        uint8_t *handle = malloc(1);
        if (!handle)
            abort();
        state->handles++;
        if (!ly_sftp_reply_handle(request, handle, request->type == SSH_FXP_OPENDIR)) {
            free(handle);
            state->handles--;
        }
        return;
    }
    case SSH_FXP_READ:
        ly_sftp_reply_data(request, ly_bytes(zeros, len));
        return;
    case SSH_FXP_READDIR:
    case SSH_FXP_READLINK:
    case SSH_FXP_REALPATH:
        ly_sftp_reply_names_begin(request);
        ly_sftp_reply_names_add(request, LY_BYTES("name"), request->path, &attrs);
        ly_sftp_reply_names_end(request);
        return;
    case SSH_FXP_STAT:
    case SSH_FXP_LSTAT:
    case SSH_FXP_FSTAT:
        ly_sftp_reply_attrs(request, &attrs);
        return;
    default:
        ly_sftp_reply_status(request, SSH_FX_OK, NULL);
        return;
    }
}

static void asked(LySftpRequest *request)
{
    State *state = request->backend;
    size_t sum = 0; /* the views are readable */
    const LyBytes views[] = {request->path, request->path2, request->data, request->extension_name,
                             request->extension_data};
    for (size_t i = 0; i < LY_COUNT(views); i++)
        for (size_t k = 0; k < views[i].len; k++)
            sum += views[i].data[k];
    if (request->handle)
        ++*(uint8_t *)request->handle;
    if (request->handle2)
        ++*(uint8_t *)request->handle2;
    if (state->flags & LATER && state->held_count < HELD_MAX && sum % 4)
        state->held[state->held_count++] = request;
    else
        answer(state, request);
}

static void closed(void *backend, void *handle, LySftpRequest *request)
{
    State *state = backend;
    free(handle);
    state->handles--;
    if (request)
        ly_sftp_reply_status(request, SSH_FX_OK, NULL);
}

static void cancelled(LySftpRequest *request)
{
    State *state = request->backend;
    for (unsigned i = 0; i < state->held_count; i++)
        if (state->held[i] == request) {
            state->held[i] = state->held[--state->held_count];
            return;
        }
    FUZZ_ASSERT(!"cancel of what is not open");
}

/* The newest first, so that replies are out of order. */
static void answer_held(State *state)
{
    while (state->held_count)
        answer(state, state->held[--state->held_count]);
}

static char folder[] = "/tmp/fuzz-sftp-XXXXXX";

static void remove_folder(void)
{
    static const char *const names[] = {"d/f", "d", "f", "out", "up"};
    for (size_t i = 0; i < LY_COUNT(names); i++) {
        char path[64];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        remove(path);
    }
    rmdir(folder);
}

static void make_folder(void)
{
    FUZZ_ASSERT(mkdtemp(folder));
    atexit(remove_folder);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    FUZZ_ASSERT(fd >= 0 && mkdirat(fd, "d", 0700) == 0);
    static const char *const files[] = {"f", "d/f"};
    for (size_t i = 0; i < LY_COUNT(files); i++) {
        int file = openat(fd, files[i], O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        FUZZ_ASSERT(file >= 0 && write(file, "hello", 5) == 5);
        close(file);
    }
    FUZZ_ASSERT(symlinkat("/etc/passwd", fd, "out") == 0 && symlinkat("../..", fd, "up") == 0);
    close(fd);
}

static void serve(State *state, LySftpServer *server, LyBytes bytes, size_t chunk)
{
    LyError error = {0};
    for (unsigned stuck = 0; bytes.len && stuck < 3;) {
        LyBytes piece = fuzz_copy(ly_bytes_slice(bytes, 0, chunk));
        size_t taken = 0;
        bool right = ly_sftp_server_receive(server, piece, &taken, &error);
        FUZZ_ASSERT(taken <= piece.len);
        fuzz_free(piece);
        if (!right)
            return;
        bytes = ly_bytes_slice(bytes, taken, SIZE_MAX);
        stuck = taken ? 0 : stuck + 1;
        if (!taken)
            answer_held(state);
        ly_sftp_server_flush(server);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static bool made;
    LyReader input = ly_reader(ly_bytes(data, len));
    State state = {.flags = ly_get_u8(&input)};
    LySftpServerOptions options = {.sink = {take, &state},
                                   .read_only = state.flags & READ_ONLY,
                                   .max_handles = 8,
                                   .max_outstanding = HELD_MAX};
    LySftpDirectory *directory = NULL;
    if (state.flags & FOLDER) {
        if (!made)
            make_folder();
        made = true;
        LySftpDirectoryOptions serving = {.root = folder, .read_only = true, .umask = -1};
        directory = ly_sftp_directory_new(&serving, &options.backend, NULL);
        FUZZ_ASSERT(directory);
        options.read_only = true;
    } else {
        options.backend = (LySftpBackend){.request = asked,
                                          .close = closed,
                                          .cancel = cancelled,
                                          .user = &state,
                                          .extensions = UINT32_MAX,
                                          .answers_now = !(state.flags & LATER)};
    }
    LySftpServer *server = ly_sftp_server_new(&options);
    LyBuf bytes = {0};
    if (state.flags & WITH_INIT)
        ly_buf_add(&bytes, LY_BYTES("\0\0\0\5\1\0\0\0\3"));
    ly_buf_add(&bytes, ly_get_rest(&input));
    serve(&state, server, ly_buf_bytes(&bytes), fuzz_chunk(state.flags >> CHUNK_SHIFT));
    FUZZ_ASSERT(ly_sftp_server_pending_len(server) < 8 << 20);
    ly_sftp_server_free(server);
    FUZZ_ASSERT(state.handles == 0 && state.held_count == 0);
    ly_sftp_directory_free(directory);
    ly_buf_free(&bytes);
    return 0;
}
