#include "ask.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/memory.h"
#include "base/secret.h"
#include "question.h"

#define QUESTIONS_MAX 100

typedef struct Question {
    LyLink link;
    uint64_t id;
    bool confirm;
    char *text;
} Question;

struct Asker {
    AskerOptions options;
    LyList questions; /* the first is the one that is open */
    CONDITION_VARIABLE more;
    HANDLE cancel; /* an event: the open question was withdrawn */
};

static void question_free(Question *question)
{
    ly_link_remove(&question->link);
    ly_free(question->text);
    ly_free(question);
}

static void answer(Asker *asker, uint64_t id, bool confirm, const char *text)
{
    if (confirm)
        ly_agent_answer_confirm(asker->options.agent, id, text && strcmp(text, "yes") == 0);
    else
        ly_agent_answer_passphrase(asker->options.agent, id,
                                   text ? ly_bytes(text, strlen(text)) : (LyBytes){0});
}

/* The lock is held before and after, and not while somebody thinks about it. */
static void ask_first(Asker *asker, const Question *question)
{
    uint64_t id = question->id;
    bool confirm = question->confirm;
    char *text = ly_strdup(question->text);
    const char *why = NULL;
    ResetEvent(asker->cancel);
    ReleaseSRWLockExclusive(asker->options.lock);
    char *said = askpass_is_wanted(true) ? askpass(text, confirm, asker->cancel, &why)
                                         : dialog(text, confirm, asker->cancel, &why);
    AcquireSRWLockExclusive(asker->options.lock);
    if (why)
        ly_log(asker->options.log, LY_LOG_WARNING, "a key was refused, because nobody can be asked: %s", why);
    Question *first = ly_list_first(&asker->questions, Question, link);
    if (first && first->id == id) { /* otherwise it was withdrawn */
        question_free(first);
        answer(asker, id, confirm, said);
        asker->options.answered(asker->options.user);
    }
    ly_secret_free(said);
    ly_free(text);
}

static DWORD WINAPI run(void *argument)
{
    Asker *asker = argument;
    AcquireSRWLockExclusive(asker->options.lock);
    for (;;) {
        const Question *question = ly_list_first(&asker->questions, Question, link);
        if (question)
            ask_first(asker, question);
        else
            SleepConditionVariableSRW(&asker->more, asker->options.lock, INFINITE, 0);
    }
    return 0;
}

Asker *asker_new(const AskerOptions *options)
{
    Asker *asker = ly_new(Asker);
    *asker = (Asker){.options = *options,
                     .more = CONDITION_VARIABLE_INIT,
                     .cancel = CreateEventA(NULL, TRUE, FALSE, NULL)};
    ly_list_init(&asker->questions);
    HANDLE thread = asker->cancel ? CreateThread(NULL, 0, run, asker, 0, NULL) : NULL;
    if (!thread) {
        ly_free(asker);
        return NULL;
    }
    CloseHandle(thread);
    return asker;
}

void asker_event(Asker *asker, const LyAgentEvent *event)
{
    size_t count = 0;
    for (const LyLink *link = asker->questions.head.next; link != &asker->questions.head; link = link->next)
        count++;
    if (count >= QUESTIONS_MAX) {
        ly_log(asker->options.log, LY_LOG_WARNING,
               "the key %s was refused: too many questions are waiting for an answer",
               QUESTION_COMMENT(event->key));
        answer(asker, event->id, event->type == LY_AGENT_CONFIRM, NULL);
        return;
    }
    Question *question = ly_new(Question);
    question->id = event->id;
    question->confirm = event->type == LY_AGENT_CONFIRM;
    question->text = question_text(asker->options.crypto, asker->options.hash, event);
    ly_list_append(&asker->questions, &question->link);
    WakeConditionVariable(&asker->more);
}

void asker_withdraw(Asker *asker, uint64_t id)
{
    Question *first = ly_list_first(&asker->questions, Question, link);
    ly_list_each(&asker->questions, Question, link, question)
    {
        if (question->id != id)
            continue;
        if (question == first)
            SetEvent(asker->cancel);
        question_free(question);
        return;
    }
}
