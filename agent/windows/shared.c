#include "transports.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/auto.h"
#include "base/memory.h"

enum { STACK_LEN = 256 << 10 };

bool transports_enter(volatile LONG *counter, LONG most)
{
    if (InterlockedIncrement(counter) <= most)
        return true;
    InterlockedDecrement(counter);
    return false;
}

void transports_leave(volatile LONG *counter)
{
    InterlockedDecrement(counter);
}

bool transports_thread(DWORD(WINAPI *run)(void *), void *argument)
{
    HANDLE thread = CreateThread(NULL, STACK_LEN, run, argument, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (thread)
        CloseHandle(thread);
    return thread != NULL;
}

bool windows_error(LyError *error, DWORD code, const char *format, ...)
{
    char what[300], why[200];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    DWORD len = FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, code, 0, why,
                               sizeof why, NULL);
    while (len && strchr("\r\n. ", why[len - 1]))
        len--;
    if (len)
        ly_error_set(error, LY_ERROR_IO, "%s: %.*s (%lu)", what, (int)len, why, code);
    else
        ly_error_set(error, LY_ERROR_IO, "%s: Windows error %lu", what, code);
    return false;
}

/* --- Start and end --- */

static HANDLE stop_event(void)
{
    /* Console handlers have no argument; a named event of this process is found again. */
    char name[64];
    snprintf(name, sizeof name, "Local\\lanyard-agent.%lu", GetCurrentProcessId());
    return CreateEventA(NULL, TRUE, FALSE, name);
}

static BOOL WINAPI console_says_stop(DWORD why)
{
    HANDLE stop = stop_event();
    if (stop)
        SetEvent(stop);
    Sleep(1000); /* Windows ends the program when this returns; the file is to be deleted before */
    return TRUE;
}

static bool start_pageant(Transports *transports, LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf path = {0};
    if (!pipe_pageant_name(&path, error) ||
        !pipe_start(transports, ly_buf_str(&path), "pageant-pipe", error) || !window_start(transports, error))
        return false;
    ly_log(&transports->log, LY_LOG_INFO, "Pageant's pipe is %s", ly_buf_str(&path));
    return true;
}

static bool start_openssh(Transports *transports, const char *name, LyError *error)
{
    bool whole = ly_bytes_starts_with(ly_bytes_str(name), PIPES);
    LY_AUTO_FREE char *path = ly_format("%s%s", whole ? "" : PIPES, name);
    return pipe_start(transports, path, "pipe", error);
}

bool transports_start(Transports *transports, const TransportsOptions *options, LyError *error)
{
    WSADATA winsock;
    int code = WSAStartup(MAKEWORD(2, 2), &winsock);
    if (code != 0)
        return windows_error(error, (DWORD)code, "cannot use sockets");
    transports->stop = stop_event();
    if (!transports->stop || !SetConsoleCtrlHandler(console_says_stop, TRUE))
        return windows_error(error, GetLastError(), "cannot make an event");
    if (!user_get(&transports->user, error) || (options->pageant && !start_pageant(transports, error)))
        return false;
    for (size_t i = 0; i < options->openssh_count; i++)
        if (!start_openssh(transports, options->openssh[i], error))
            return false;
    size_t made = 0;
    while (made < options->cygwin_count && cygwin_start(transports, options->cygwin[made], error))
        made++;
    if (made == options->cygwin_count)
        return true;
    TransportsOptions to_delete = {.cygwin = options->cygwin, .cygwin_count = made};
    transports_end(&to_delete);
    return false;
}

void transports_end(const TransportsOptions *options)
{
    for (size_t i = 0; i < options->cygwin_count; i++)
        DeleteFileA(options->cygwin[i]);
}
