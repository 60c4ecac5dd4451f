#include "command.h"

#include <bcrypt.h>

#include "base/auto.h"
#include "base/memory.h"

/* Anonymous pipes cannot be overlapped, so the child's are named ones: ours overlapped, its own not. */
static bool child_pipe(bool child_reads, HANDLE *ours, HANDLE *childs)
{
    uint64_t number[2]; /* a name that nobody can take beforehand */
    if (BCryptGenRandom(NULL, (uint8_t *)number, sizeof number, BCRYPT_USE_SYSTEM_PREFERRED_RNG) < 0)
        return false;
    LY_AUTO_FREE char *name = ly_format("\\\\.\\pipe\\lanyard-agent.%016llx%016llx",
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
static bool start(const char *program, const char *command, HANDLE childs_input, HANDLE childs_output,
                  Stream *stream)
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
                   CreateProcessA(program, line, NULL, NULL, TRUE,
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

bool command_start(const char *program, const char *line, Stream *stream, LyError *error)
{
    Stream made = STREAM_NONE;
    HANDLE childs_input = INVALID_HANDLE_VALUE, childs_output = INVALID_HANDLE_VALUE;
    bool started = child_pipe(true, &made.output, &childs_input) &&
                   child_pipe(false, &made.input, &childs_output) &&
                   start(program, line, childs_input, childs_output, &made);
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
    return windows_error(error, code, "cannot start \"%s\"",
                         LY_PRINTABLE(ly_bytes_str(program ? program : line)));
}
