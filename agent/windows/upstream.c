#include "upstream.h"

#include <aclapi.h>

#include "agent/cygwin.h"
#include "agent/pageant.h"
#include "base/auto.h"
#include "base/memory.h"
#include "base/wire.h"
#include "command.h"

enum { SHARING_TRIES = 20, SHARING_WAIT_MS = 20 }; /* for a file that is being written */

/* As <afunix.h> has it, which older headers lack. */
typedef struct UnixAddress {
    ADDRESS_FAMILY family;
    char path[108];
} UnixAddress;

static bool connect_unix(const char *path, Stream *stream, LyError *error)
{
    UnixAddress address = {.family = AF_UNIX};
    if (strlen(path) >= sizeof address.path)
        return ly_error_set(error, LY_ERROR_INVALID, "%s is too long for a Unix socket (%u bytes)",
                            LY_PRINTABLE(ly_bytes_str(path)), (unsigned)sizeof address.path - 1);
    memcpy(address.path, path, strlen(path));
    SOCKET fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd == INVALID_SOCKET)
        return windows_error(error, (DWORD)WSAGetLastError(),
                             "%s is no Cygwin socket file, and this Windows has no AF_UNIX sockets; give a "
                             "Cygwin socket file or --command",
                             LY_PRINTABLE(ly_bytes_str(path)));
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        windows_error(error, (DWORD)WSAGetLastError(), "cannot connect to the agent at %s",
                      LY_PRINTABLE(ly_bytes_str(path)));
        closesocket(fd);
        return false;
    }
    *stream = stream_of_socket(fd);
    return true;
}

/* The file's first bytes; none of what is there and cannot be read as a file, as AF_UNIX sockets cannot.
 * While it is written its maker shares it with nobody. */
static bool read_file(const char *path, uint8_t *text, DWORD room, DWORD *len, LyError *error)
{
    *len = 0;
    for (unsigned attempt = 0;; attempt++) {
        HANDLE file = CreateFileA(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                  NULL, OPEN_EXISTING, 0, NULL);
        DWORD code = GetLastError();
        if (file != INVALID_HANDLE_VALUE) {
            if (!ReadFile(file, text, room, len, NULL))
                *len = 0;
            CloseHandle(file);
            return true;
        }
        if (code != ERROR_SHARING_VIOLATION && code != ERROR_ACCESS_DENIED && code != ERROR_FILE_NOT_FOUND &&
            code != ERROR_PATH_NOT_FOUND)
            return true;
        if (code != ERROR_SHARING_VIOLATION || attempt == SHARING_TRIES)
            return windows_error(error, code, "cannot read %s", LY_PRINTABLE(ly_bytes_str(path)));
        Sleep(SHARING_WAIT_MS);
    }
}

static bool connect_path(const char *path, Stream *stream, LyError *error)
{
    uint8_t text[LY_CYGWIN_FILE_MAX];
    DWORD len = 0;
    if (!read_file(path, text, sizeof text, &len, error))
        return false;
    bool connected = ly_is_cygwin_file(ly_bytes(text, len))
                         ? cygwin_connect(ly_bytes(text, len), stream, error)
                         : connect_unix(path, stream, error);
    ly_cleanse(text, sizeof text);
    return connected;
}

/* Windows' own agent belongs to the system; what belongs to another user is an impostor. */
static bool may_answer(const User *user, HANDLE pipe, LyError *error)
{
    PSID owner = NULL;
    PSECURITY_DESCRIPTOR descriptor = NULL;
    bool system =
        GetSecurityInfo(pipe, SE_KERNEL_OBJECT, OWNER_SECURITY_INFORMATION, &owner, NULL, NULL, NULL,
                        &descriptor) == ERROR_SUCCESS &&
        owner &&
        (IsWellKnownSid(owner, WinLocalSystemSid) || IsWellKnownSid(owner, WinBuiltinAdministratorsSid));
    LocalFree(descriptor);
    return system || user_owns(user, pipe, error);
}

static bool connect_pipe(const char *path, const User *user, Stream *stream, LyError *error)
{
    for (;;) {
        HANDLE pipe =
            CreateFileA(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
                        FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, NULL);
        if (pipe != INVALID_HANDLE_VALUE) {
            if (may_answer(user, pipe, error)) {
                *stream = stream_of_pipe(pipe);
                return true;
            }
            CloseHandle(pipe);
            return ly_error_prefix(error, "the pipe %s is not used", LY_PRINTABLE(ly_bytes_str(path)));
        }
        if (GetLastError() != ERROR_PIPE_BUSY || !WaitNamedPipeA(path, CONNECT_WAIT_MS))
            return windows_error(error, GetLastError(), "no agent answers at %s",
                                 LY_PRINTABLE(ly_bytes_str(path)));
    }
}

bool upstream_connect(const Upstream *upstream, const User *user, Stream *stream, LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf pageant = {0};
    if (upstream->command)
        return command_start(NULL, upstream->command, stream, error);
    if (strcmp(upstream->path, "pageant") == 0)
        return pipe_pageant_name(&pageant, error) && connect_pipe(ly_buf_str(&pageant), user, stream, error);
    if (ly_bytes_starts_with(ly_bytes_str(upstream->path), PIPES))
        return connect_pipe(upstream->path, user, stream, error);
    return connect_path(upstream->path, stream, error);
}

static bool read_all(const Stream *stream, uint8_t *data, size_t len, uint64_t deadline_ms)
{
    for (size_t done = 0, moved; done < len; done += moved)
        if ((moved = stream_read(stream, data + done, len - done, deadline_ms)) == 0)
            return false;
    return true;
}

bool upstream_exchange(const Stream *stream, LyBytes request, LyBuf *reply, LyError *error)
{
    uint64_t deadline_ms = GetTickCount64() + REPLY_WAIT_MS;
    uint8_t length[4];
    ly_store_u32(length, (uint32_t)request.len);
    if (!stream_write(stream, ly_bytes(length, sizeof length), deadline_ms) ||
        !stream_write(stream, request, deadline_ms) || !read_all(stream, length, sizeof length, deadline_ms))
        return ly_error_set(error, LY_ERROR_DISCONNECT, "the agent did not answer");
    uint32_t len = ly_load_u32(length);
    if (len == 0 || len > LY_PAGEANT_MESSAGE_MAX)
        return ly_error_set(error, LY_ERROR_PROTOCOL, "the agent's reply would have %u bytes", (unsigned)len);
    uint8_t *room = ly_buf_room(reply, len);
    if (!room || !read_all(stream, room, len, deadline_ms))
        return ly_error_set(error, LY_ERROR_DISCONNECT, "the agent's reply ends early");
    ly_buf_added(reply, len);
    return true;
}
