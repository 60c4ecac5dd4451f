#include "journal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "system-log.h"

#define LINES 512
#define LINE_LEN 1000 /* bytes of a line that are kept */

struct Journal {
    const char *program;
    bool to_stderr;
    LyLogLevel level;
    struct {
        time_t when;
        char *text;
    } lines[LINES]; /* a ring */
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
        ly_free(journal->lines[i].text);
    ly_free(journal);
}

/* Every signature comes here: the date is written when somebody reads it. */
static void keep(Journal *journal, const char *message)
{
    size_t at = journal->next++ % LINES;
    ly_free(journal->lines[at].text);
    journal->lines[at].when = time(NULL);
    journal->lines[at].text = ly_bytes_dup_str(ly_bytes(message, strnlen(message, LINE_LEN)));
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

static void put_line(const Journal *journal, size_t at, LyBuf *out)
{
    char when[32];
    struct tm parts;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&journal->lines[at].when, &parts));
    ly_buf_add_format(out, "%s %s\n", when, journal->lines[at].text);
}

void journal_put(const Journal *journal, size_t most, LyBuf *out)
{
    size_t count = LY_MIN(LY_MIN(journal->next, (size_t)LINES), most);
    for (size_t i = journal->next - count; i < journal->next; i++)
        put_line(journal, i % LINES, out);
}
