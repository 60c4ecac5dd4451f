#include "journal.h"

#include <stdio.h>
#include <time.h>

#include "base/memory.h"
#include "system-log.h"

#define LINES 512

struct Journal {
    const char *program;
    bool to_stderr;
    LyLogLevel level;
    char *lines[LINES]; /* a ring */
    size_t next;
};

Journal *journal_new(const char *program, bool to_stderr, LyLogLevel level)
{
    Journal *journal = ly_new(Journal);
    *journal = (Journal){.program = program, .to_stderr = to_stderr, .level = level};
    if (!to_stderr)
        system_log_open(program);
    return journal;
}

void journal_free(Journal *journal)
{
    if (!journal)
        return;
    for (size_t i = 0; i < LINES; i++)
        ly_free(journal->lines[i]);
    ly_free(journal);
}

static void keep(Journal *journal, const char *message)
{
    char when[32];
    time_t now = time(NULL);
    struct tm parts;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
    char **line = &journal->lines[journal->next++ % LINES];
    ly_free(*line);
    *line = ly_format("%s %.1000s\n", when, message);
}

static void write_line(void *user, LyLogLevel level, const char *message)
{
    Journal *journal = user;
    if (level <= LY_LOG_INFO)
        keep(journal, message);
    if (level > journal->level)
        return;
    if (journal->to_stderr)
        fprintf(stderr, "%s: %s\n", journal->program, message);
    else
        system_log(level, message);
}

LyLog journal_log(Journal *journal)
{
    return (LyLog){.write = write_line, .user = journal, .level = LY_MAX(journal->level, LY_LOG_INFO)};
}

void journal_put(const Journal *journal, size_t most, LyBuf *out)
{
    size_t count = LY_MIN(LY_MIN(journal->next, (size_t)LINES), most);
    for (size_t i = journal->next - count; i < journal->next; i++)
        ly_buf_add_str(out, journal->lines[i % LINES]);
}
