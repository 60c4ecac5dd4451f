/* The engine's questions, put to a person by SSH_ASKPASS, one after another. */
#ifndef AGENT_ASK_H
#define AGENT_ASK_H

#include "agent/agent.h"
#include "loop/loop.h"

typedef struct Ask Ask;

/* `answered` follows each answer that was given to `agent` from the loop. */
Ask *ask_new(LyLoop *loop, LyCrypto *crypto, LyAgent *agent, LyHash fingerprint_hash, const LyLog *log,
             void (*answered)(void *user), void *user);
void ask_free(Ask *ask);
/* Queues LY_AGENT_CONFIRM or LY_AGENT_PASSPHRASE. Where nobody can be asked it is refused at once, and the
 * log says why. */
void ask_event(Ask *ask, const LyAgentEvent *event);
/* Asks for the PIN of `whose`, with which `event` (LY_AGENT_SIGN) is to be signed: `text` is from
 * ask_describe_request when the event was there. `note` (NULL: none) stands first. `done` gets the PIN, or NULL:
 * nobody can be asked, or nobody answers; it may be called at once. Withdrawn by the event's id. */
void ask_pin(Ask *ask, uint64_t id, const char *note, const char *whose, const char *text,
             void (*done)(void *user, const char *pin), void *user);
/* The lines of a question that say which key, and who asks for what; ly_free. */
char *ask_describe_request(const Ask *ask, const LyAgentEvent *event);
/* The question is not asked any more; its dialog closes. */
void ask_withdraw(Ask *ask, uint64_t id);

#endif
