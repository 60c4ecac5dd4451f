/* Questions, by the loop's prompter. */
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/secret.h"
#include "loop/prompt.h"
#include "tool-private.h"

void tool_prepare_process(void)
{
    prctl(PR_SET_DUMPABLE, 0);
    signal(SIGPIPE, SIG_IGN); /* writing tells what is wrong */
    signal(SIGXFSZ, SIG_IGN);
}

LyLoop *tool_loop(Tool *tool)
{
    LyError error;
    if (!tool->loop && !(tool->loop = ly_loop_new(&error)))
        tool_error(tool, NULL, &error);
    return tool->loop;
}

typedef struct Question {
    LyLoop *loop;
    char *answer;
    bool done;
} Question;

static void answered(void *user, const char *answer)
{
    Question *question = user;
    if (answer)
        question->answer = (char *)(uintptr_t)ly_secret_copy(ly_bytes(answer, strlen(answer) + 1)).data;
    question->done = true;
    ly_loop_quit(question->loop);
}

char *tool_question(Tool *tool, const char *prompt, bool echo, bool confirm)
{
    Question question = {.loop = tool_loop(tool)};
    if (!question.loop)
        return NULL;
    if (!tool->prompter)
        tool->prompter = ly_prompter_new(tool->loop, true);
    fflush(stderr);
    ly_prompter_ask(tool->prompter, prompt, echo, confirm, answered, &question);
    while (!question.done)
        ly_loop_run(tool->loop);
    return question.answer;
}

void tool_stop_asking(Tool *tool)
{
    ly_prompter_free(tool->prompter);
    ly_loop_free(tool->loop);
}
