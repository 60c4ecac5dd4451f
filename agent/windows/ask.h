/* The engine's questions on Windows: by the program that SSH_ASKPASS names, else by a dialog; one after
 * another, in a thread of their own. */
#ifndef WINDOWS_ASK_H
#define WINDOWS_ASK_H

#include "agent/agent.h"
#include "transports.h"

typedef struct Asker Asker;

typedef struct AskerOptions {
    LyCrypto *crypto;
    LyAgent *agent;
    LyHash hash; /* of fingerprints */
    const LyLog *log;
    SRWLOCK *lock;                /* guards the engine, and the questions */
    void (*answered)(void *user); /* under the lock, after the engine got an answer */
    void *user;
} AskerOptions;

/* Lives as long as the program. NULL: no thread could be started. */
Asker *asker_new(const AskerOptions *options);
/* Under the lock: queues LY_AGENT_CONFIRM or LY_AGENT_PASSPHRASE. */
void asker_event(Asker *asker, const LyAgentEvent *event);
/* Under the lock: the question is not asked any more; its dialog closes. */
void asker_withdraw(Asker *asker, uint64_t id);

/* Puts a question to a person until it is answered or `cancel` (NULL: never) is set. What was typed, in
 * secret memory; for `confirm` "yes" or "no". NULL: given up, cancelled, or nobody can be asked, which *why
 * says then (else NULL). */
char *askpass(const char *text, bool confirm, HANDLE cancel, const char **why);
/* Whether SSH_ASKPASS names a program that is to be used. `needed`: there is no terminal. */
bool askpass_is_wanted(bool needed);
char *dialog(const char *text, bool confirm, HANDLE cancel, const char **why);

#endif
