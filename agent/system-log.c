#include "system-log.h"

#include <syslog.h>

void system_log_open(const char *program)
{
    openlog(program, LOG_PID, LOG_AUTH); /* connects at the first line */
}

void system_log(LyLogLevel level, const char *message)
{
    static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG, LOG_DEBUG};
    syslog(priorities[level], "%s", message);
}
