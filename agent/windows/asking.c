/* Questions of subcommands: on the console, by SSH_ASKPASS, or by a dialog where there is neither. */
#include "tool-private.h"

#include <stdlib.h>

#include "ask.h"
#include "base/secret.h"

enum { ANSWER_MAX = 8192 };

void tool_prepare_process(void)
{
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
}

void tool_stop_asking(Tool *tool)
{
}

/* A line in UTF-8; NULL at the end of the input. */
static char *read_line(HANDLE input)
{
    wchar_t *wide = ly_secret_alloc(ANSWER_MAX * sizeof *wide);
    char *line = NULL;
    DWORD len = 0;
    if (ReadConsoleW(input, wide, ANSWER_MAX - 1, &len, NULL) && len > 0) {
        wide[wcscspn(wide, L"\r\n")] = 0;
        line = ly_secret_alloc(3 * (size_t)ANSWER_MAX);
        WideCharToMultiByte(CP_UTF8, 0, wide, -1, line, 3 * ANSWER_MAX, NULL, NULL);
    }
    ly_secret_free(wide);
    return line;
}

static char *ask_on_console(HANDLE input, HANDLE output, const char *prompt, bool echo)
{
    DWORD mode, len;
    WriteFile(output, prompt, (DWORD)strlen(prompt), &len, NULL);
    GetConsoleMode(input, &mode);
    SetConsoleMode(input, ENABLE_LINE_INPUT | ENABLE_PROCESSED_INPUT | (echo ? ENABLE_ECHO_INPUT : 0));
    char *answer = read_line(input);
    SetConsoleMode(input, mode);
    if (!echo)
        WriteFile(output, "\r\n", 2, &len, NULL);
    return answer;
}

static HANDLE open_console(const char *name)
{
    return CreateFileA(name, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                       OPEN_EXISTING, 0, NULL);
}

char *tool_question(Tool *tool, const char *prompt, bool echo, bool confirm)
{
    HANDLE input = open_console("CONIN$"), output = open_console("CONOUT$");
    bool console = input != INVALID_HANDLE_VALUE && output != INVALID_HANDLE_VALUE;
    const char *why = NULL;
    char *answer;
    fflush(stderr);
    if (askpass_is_wanted(!console))
        answer = askpass(prompt, confirm, NULL, &why);
    else if (console)
        answer = ask_on_console(input, output, prompt, echo);
    else
        answer = dialog(prompt, confirm, NULL, &why);
    if (why)
        tool_warn(tool, "%s", why);
    if (input != INVALID_HANDLE_VALUE)
        CloseHandle(input);
    if (output != INVALID_HANDLE_VALUE)
        CloseHandle(output);
    return answer;
}
