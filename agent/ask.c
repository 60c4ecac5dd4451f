#include "ask.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/list.h"
#include "loop/prompt.h"
#include "question.h"

#define QUESTIONS_MAX 100
#define DEFAULT_ASKPASS "/usr/bin/ssh-askpass"

typedef struct Question {
    LyLink link;
    uint64_t id;
    bool confirm;
    char *text;
    void (*pin_done)(void *user, const char *pin); /* NULL: it is the engine's question */
    void *user;
} Question;

struct Ask {
    LyLoop *loop;
    LyCrypto *crypto;
    LyAgent *agent;
    LyHash hash;
    const LyLog *log;
    void (*answered)(void *user);
    void *user;
    LyPrompter *prompter; /* made at the first question */
    LyList questions;     /* the first is the one that is open */
    bool open;
};

/* --- Asking --- */

/* Why nobody can be asked; NULL: somebody can. ssh(1)'s rules for a program without a terminal. */
static const char *why_not(void)
{
    const char *require = getenv("SSH_ASKPASS_REQUIRE"), *program = getenv("SSH_ASKPASS");
    bool forced = require && strcasecmp(require, "force") == 0;
    if (require && strcasecmp(require, "never") == 0)
        return "SSH_ASKPASS_REQUIRE says never";
    if (!forced && !getenv("DISPLAY") && !getenv("WAYLAND_DISPLAY"))
        return "the agent was started without DISPLAY and WAYLAND_DISPLAY";
    if (!program || !program[0])
        program = DEFAULT_ASKPASS;
    if (strchr(program, '/') && access(program, X_OK) != 0)
        return "there is no askpass program: install one, or let SSH_ASKPASS name it";
    return NULL;
}

static void ask_next(Ask *ask);

static void answer(Ask *ask, const Question *question, const char *text)
{
    bool yes = text && strcasecmp(text, "yes") == 0;
    if (question->pin_done)
        question->pin_done(question->user, text);
    else if (question->confirm)
        ly_agent_answer_confirm(ask->agent, question->id, yes);
    else
        ly_agent_answer_passphrase(ask->agent, question->id,
                                   text ? ly_bytes(text, strlen(text)) : (LyBytes){0});
}

static void question_free(Question *question)
{
    ly_link_remove(&question->link);
    ly_free(question->text);
    ly_free(question);
}

static void got_answer(void *user, const char *text)
{
    Ask *ask = user;
    Question *question = ly_list_first(&ask->questions, Question, link);
    ask->open = false;
    ly_link_remove(&question->link);
    answer(ask, question, text);
    question_free(question);
    ask->answered(ask->user);
    ask_next(ask);
}

static void ask_next(Ask *ask)
{
    Question *question = ly_list_first(&ask->questions, Question, link);
    if (!question || ask->open)
        return;
    if (!ask->prompter)
        ask->prompter = ly_prompter_new(ask->loop, false);
    ask->open = true;
    ly_prompter_ask(ask->prompter, question->text, false, question->confirm, got_answer, ask);
}

static size_t count_questions(const Ask *ask)
{
    size_t count = 0;
    for (const LyLink *link = ask->questions.head.next; link != &ask->questions.head; link = link->next)
        count++;
    return count;
}

/* Why it is not asked now, said in the log; NULL: it can be asked. */
static const char *refusal(const Ask *ask, const char *what)
{
    const char *why = why_not();
    if (!why && count_questions(ask) >= QUESTIONS_MAX)
        why = "too many questions are waiting for an answer";
    if (why)
        ly_log(ask->log, LY_LOG_WARNING, "%s was refused, because nobody can be asked: %s", what, why);
    return why;
}

static void enqueue(Ask *ask, const Question *question)
{
    Question *copy = ly_new(Question);
    *copy = *question;
    ly_list_append(&ask->questions, &copy->link);
    ask_next(ask);
}

void ask_event(Ask *ask, const LyAgentEvent *event)
{
    Question question = {.id = event->id, .confirm = event->type == LY_AGENT_CONFIRM};
    LY_AUTO_FREE char *what = ly_format("the key %s", QUESTION_COMMENT(event->key));
    if (refusal(ask, what)) {
        answer(ask, &question, NULL);
        return;
    }
    question.text = question_text(ask->crypto, ask->hash, event);
    enqueue(ask, &question);
}

void ask_pin(Ask *ask, uint64_t id, const char *note, const char *whose, const char *text,
             void (*done)(void *user, const char *pin), void *user)
{
    LY_AUTO_FREE char *what = ly_format("the PIN of %s", whose);
    if (refusal(ask, what)) {
        done(user, NULL);
        return;
    }
    char first = note && *note ? (char)toupper((unsigned char)*note) : 0;
    Question question = {.id = id, .pin_done = done, .user = user};
    question.text = first ? ly_format("%c%s.\nEnter the PIN of %s\n%s\nPIN: ", first, note + 1, whose, text)
                          : ly_format("Enter the PIN of %s\n%s\nPIN: ", whose, text);
    enqueue(ask, &question);
}

char *ask_describe_request(const Ask *ask, const LyAgentEvent *event)
{
    return question_describe_request(ask->crypto, ask->hash, event);
}

void ask_withdraw(Ask *ask, uint64_t id)
{
    Question *first = ly_list_first(&ask->questions, Question, link);
    ly_list_each(&ask->questions, Question, link, question)
    {
        if (question->id != id)
            continue;
        if (question == first && ask->open) {
            ly_prompter_cancel(ask->prompter, ask);
            ask->open = false;
        }
        question_free(question);
        break;
    }
    ask_next(ask);
}

Ask *ask_new(LyLoop *loop, LyCrypto *crypto, LyAgent *agent, LyHash fingerprint_hash, const LyLog *log,
             void (*answered)(void *user), void *user)
{
    Ask *ask = ly_new(Ask);
    *ask = (Ask){.loop = loop,
                 .crypto = crypto,
                 .agent = agent,
                 .hash = fingerprint_hash,
                 .log = log,
                 .answered = answered,
                 .user = user};
    ly_list_init(&ask->questions);
    return ask;
}

void ask_free(Ask *ask)
{
    if (!ask)
        return;
    ly_prompter_free(ask->prompter);
    ly_list_each(&ask->questions, Question, link, question) question_free(question);
    ly_free(ask);
}
