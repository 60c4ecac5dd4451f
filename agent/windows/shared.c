#include "bridge.h"

#include <stdarg.h>
#include <stdio.h>

enum { STACK_LEN = 256 << 10 };

bool bridge_enter(volatile LONG *counter, LONG most)
{
    if (InterlockedIncrement(counter) <= most)
        return true;
    InterlockedDecrement(counter);
    return false;
}

void bridge_leave(volatile LONG *counter)
{
    InterlockedDecrement(counter);
}

bool bridge_thread(DWORD(WINAPI *run)(void *), void *argument)
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
