/* Logging is a hook: the library hands sentences to whoever made the object, and prints nothing itself. */
#ifndef LY_BASE_LOG_H
#define LY_BASE_LOG_H

#include "base/bytes.h"

typedef enum LyLogLevel { LY_LOG_ERROR, LY_LOG_WARNING, LY_LOG_INFO, LY_LOG_DEBUG, LY_LOG_TRACE } LyLogLevel;

typedef struct LyLog {
    void (*write)(void *user, LyLogLevel level, const char *message); /* NULL: no log */
    void *user;
    LyLogLevel level; /* the most talkative level wanted */
} LyLog;

/* `log` may be NULL. Peers' bytes go through LY_PRINTABLE first. */
void ly_log(const LyLog *log, LyLogLevel level, const char *format, ...)
    LY_PRINTF(3, 4);

#endif
