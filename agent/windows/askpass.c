/* SSH_ASKPASS on Windows, as ssh(1) has it. */
#include <stdlib.h>
#include <strings.h>

#include "ask.h"
#include "base/auto.h"
#include "base/memory.h"
#include "base/secret.h"
#include "command.h"

enum { ANSWER_MAX = 8192, END_WAIT_MS = 5000 };

bool askpass_is_wanted(bool needed)
{
    const char *require = getenv("SSH_ASKPASS_REQUIRE"), *program = getenv("SSH_ASKPASS");
    if (!program || !program[0] || (require && strcasecmp(require, "never") == 0))
        return false;
    return needed || (require && (strcasecmp(require, "force") == 0 || strcasecmp(require, "prefer") == 0));
}

/* In quotes, as the C library of the program takes command lines apart. */
static void put_quoted(LyBuf *line, const char *text)
{
    size_t backslashes = 0;
    ly_put_u8(line, '"');
    for (; *text; text++) {
        if (*text == '"')
            for (backslashes++; backslashes; backslashes--) /* those before it, and one for itself */
                ly_put_u8(line, '\\');
        else if (*text != '\\')
            backslashes = 0;
        else
            backslashes++;
        ly_put_u8(line, (uint8_t)*text);
    }
    for (; backslashes; backslashes--)
        ly_put_u8(line, '\\');
    ly_put_u8(line, '"');
}

/* The first line of what it prints. False: cancelled, or more than a line may have. */
static bool read_answer(const Stream *stream, HANDLE cancel, char *text)
{
    Transfer reading = {.stream = stream, .overlapped = {.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL)}};
    HANDLE events[] = {reading.overlapped.hEvent, cancel};
    size_t len = 0, got = 1;
    bool fine = reading.overlapped.hEvent != NULL;
    while (fine && got && len < ANSWER_MAX - 1) {
        got = 0;
        if (!transfer_begin(&reading, (uint8_t *)text + len, ANSWER_MAX - 1 - len))
            break;
        fine = WaitForMultipleObjects(cancel ? 2 : 1, events, FALSE, INFINITE) == WAIT_OBJECT_0;
        got = transfer_end(&reading, !fine);
        len += got;
    }
    if (reading.overlapped.hEvent)
        CloseHandle(reading.overlapped.hEvent);
    text[len] = 0;
    text[strcspn(text, "\r\n")] = 0;
    return fine && len < ANSWER_MAX - 1;
}

char *askpass(const char *text, bool confirm, HANDLE cancel, const char **why)
{
    const char *program = getenv("SSH_ASKPASS");
    LY_AUTO(ly_buf_free) LyBuf line = {0};
    Stream stream;
    DWORD type, status = 1;
    *why = NULL;
    /* A batch file is run by a shell, which would take the key's comment for commands. */
    if (!GetBinaryTypeA(program, &type)) {
        *why = "SSH_ASKPASS names no program (.exe), by its whole path";
        return NULL;
    }
    put_quoted(&line, program);
    ly_put_u8(&line, ' ');
    put_quoted(&line, text);
    SetEnvironmentVariableA("SSH_ASKPASS_PROMPT", confirm ? "confirm" : NULL);
    if (!command_start(program, ly_buf_str(&line), &stream, NULL)) {
        *why = "the program that SSH_ASKPASS names cannot be started";
        return NULL;
    }
    stream_shutdown(&stream);
    char *answer = ly_secret_alloc(ANSWER_MAX);
    bool ended = read_answer(&stream, cancel, answer) &&
                 WaitForSingleObject(stream.process, END_WAIT_MS) == WAIT_OBJECT_0 &&
                 GetExitCodeProcess(stream.process, &status);
    if (!ended)
        TerminateJobObject(stream.job, 1);
    stream_close(&stream);
    if (confirm)
        strcpy(answer, ended && status == 0 ? "yes" : "no");
    else if (!ended || status != 0) {
        ly_secret_free(answer);
        return NULL;
    }
    return answer;
}
