/* A debugger's log: the program stays in its console, and this is seldom asked for. */
#include "system-log.h"

#include <windows.h>

void system_log_open(const char *program)
{
}

void system_log(LyLogLevel level, const char *message)
{
    OutputDebugStringA(message);
}
