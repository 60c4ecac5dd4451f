/* What the agent did: lines to stderr or syslog, and the last of them kept for `lanyard-agent log`. */
#ifndef AGENT_JOURNAL_H
#define AGENT_JOURNAL_H

#include "base/buf.h"
#include "base/log.h"

typedef struct Journal Journal;

/* `program` stands in front on stderr and is syslog's identity; it stays the caller's. */
Journal *journal_new(const char *program, bool to_stderr, LyLogLevel level);
void journal_free(Journal *journal);
/* The hook for whoever logs. */
LyLog journal_log(Journal *journal);
/* Appends the last lines, oldest first, "2026-11-22T21:52:47Z text\n"; at most `most` of them. */
void journal_put(const Journal *journal, size_t most, LyBuf *out);

#endif
