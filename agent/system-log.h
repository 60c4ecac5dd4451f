/* The system's log: system-log.c for syslog, windows/system-log.c for the debugger's. */
#ifndef AGENT_SYSTEM_LOG_H
#define AGENT_SYSTEM_LOG_H

#include "base/log.h"

/* `program` stands in front of each line, and stays the caller's. */
void system_log_open(const char *program);
void system_log(LyLogLevel level, const char *message);

#endif
