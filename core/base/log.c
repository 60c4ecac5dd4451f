#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

void ly_log(const LyLog *log, LyLogLevel level, const char *format, ...)
{
    if (!log || !log->write || level > log->level)
        return;
    char message[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    log->write(log->user, level, message);
}
