#include "bridge.h"

#include <bcrypt.h>

#include "agent/cygwin.h"
#include "agent/pageant.h"
#include "base/auto.h"
#include "base/memory.h"
#include "base/wire.h"

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
        if (code != ERROR_SHARING_VIOLATION || attempt == 20)
            return windows_error(error, code, "cannot read %s", LY_PRINTABLE(ly_bytes_str(path)));
        Sleep(20);
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

/* Anonymous pipes cannot be overlapped, so the child's are named ones: ours overlapped, its own not. */
static bool child_pipe(bool child_reads, HANDLE *ours, HANDLE *childs)
{
    uint64_t number[2]; /* a name that nobody can take beforehand */
    if (BCryptGenRandom(NULL, (uint8_t *)number, sizeof number, BCRYPT_USE_SYSTEM_PREFERRED_RNG) < 0)
        return false;
    LY_AUTO_FREE char *name = ly_format("\\\\.\\pipe\\lanyard-agent-bridge.%016llx%016llx",
                                        (unsigned long long)number[0], (unsigned long long)number[1]);
    *ours =
        CreateNamedPipeA(name,
                         (child_reads ? PIPE_ACCESS_OUTBOUND : PIPE_ACCESS_INBOUND) | FILE_FLAG_OVERLAPPED |
                             FILE_FLAG_FIRST_PIPE_INSTANCE,
                         PIPE_TYPE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, 1, 16384, 16384, 0, NULL);
    if (*ours == INVALID_HANDLE_VALUE)
        return false;
    SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
    *childs =
        CreateFileA(name, child_reads ? GENERIC_READ : GENERIC_WRITE, 0, &inherited, OPEN_EXISTING, 0, NULL);
    return *childs != INVALID_HANDLE_VALUE;
}

/* Starts it with these two handles and standard error; it inherits nothing else, because another thread's
 * child may be starting at the same moment. */
static bool start(const char *command, HANDLE childs_input, HANDLE childs_output, Stream *stream)
{
    HANDLE standard_error = GetStdHandle(STD_ERROR_HANDLE), errors = NULL;
    if (standard_error && standard_error != INVALID_HANDLE_VALUE)
        DuplicateHandle(GetCurrentProcess(), standard_error, GetCurrentProcess(), &errors, 0, TRUE,
                        DUPLICATE_SAME_ACCESS);
    HANDLE passed[] = {childs_input, childs_output, errors};
    STARTUPINFOEXA info = {.StartupInfo = {.cb = sizeof info,
                                           .dwFlags = STARTF_USESTDHANDLES,
                                           .hStdInput = childs_input,
                                           .hStdOutput = childs_output,
                                           .hStdError = errors}};
    SIZE_T list_len = 0;
    InitializeProcThreadAttributeList(NULL, 1, 0, &list_len);
    info.lpAttributeList = ly_alloc(list_len);
    PROCESS_INFORMATION process = {0};
    LY_AUTO_FREE char *line = ly_strdup(command); /* CreateProcess writes into it */
    bool listed = InitializeProcThreadAttributeList(info.lpAttributeList, 1, 0, &list_len);
    bool started = listed &&
                   UpdateProcThreadAttribute(info.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST,
                                             passed, (errors ? 3 : 2) * sizeof passed[0], NULL, NULL) &&
                   CreateProcessA(NULL, line, NULL, NULL, TRUE,
                                  EXTENDED_STARTUPINFO_PRESENT | CREATE_NO_WINDOW | CREATE_SUSPENDED, NULL,
                                  NULL, &info.StartupInfo, &process);
    DWORD code = GetLastError();
    if (started) {
        JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {
            .BasicLimitInformation = {.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE}};
        stream->process = process.hProcess;
        stream->job = CreateJobObjectA(NULL, NULL);
        SetInformationJobObject(stream->job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
        AssignProcessToJobObject(stream->job, process.hProcess);
        ResumeThread(process.hThread);
        CloseHandle(process.hThread);
    }
    if (listed)
        DeleteProcThreadAttributeList(info.lpAttributeList);
    ly_free(info.lpAttributeList);
    if (errors)
        CloseHandle(errors);
    SetLastError(code);
    return started;
}

static bool connect_command(const char *command, Stream *stream, LyError *error)
{
    Stream made = STREAM_NONE;
    HANDLE childs_input = INVALID_HANDLE_VALUE, childs_output = INVALID_HANDLE_VALUE;
    bool started = child_pipe(true, &made.output, &childs_input) &&
                   child_pipe(false, &made.input, &childs_output) &&
                   start(command, childs_input, childs_output, &made);
    DWORD code = GetLastError();
    if (childs_input != INVALID_HANDLE_VALUE)
        CloseHandle(childs_input);
    if (childs_output != INVALID_HANDLE_VALUE)
        CloseHandle(childs_output);
    if (started) {
        *stream = made;
        return true;
    }
    stream_close(&made);
    return windows_error(error, code, "cannot start \"%s\"", LY_PRINTABLE(ly_bytes_str(command)));
}

bool upstream_connect(const Upstream *upstream, Stream *stream, LyError *error)
{
    return upstream->command ? connect_command(upstream->command, stream, error)
                             : connect_path(upstream->path, stream, error);
}

static bool read_all(const Stream *stream, uint8_t *data, size_t len, uint64_t deadline_ms)
{
    for (size_t done = 0, moved; done < len; done += moved)
        if ((moved = stream_read(stream, data + done, len - done, deadline_ms)) == 0)
            return false;
    return true;
}

static bool exchange(const Stream *stream, LyBytes request, LyBuf *reply, LyError *error)
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

bool upstream_ask(const Upstream *upstream, LyBytes request, LyBuf *reply, Stream *stream, LyError *error)
{
    return upstream_connect(upstream, stream, error) && exchange(stream, request, reply, error);
}
