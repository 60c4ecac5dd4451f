/* What the engine wants computed: signatures and the opening of encrypted keys, in any thread. */
#ifndef AGENT_WORK_H
#define AGENT_WORK_H

#include "agent/agent.h"
#include "base/list.h"

typedef struct Work {
    LyLink link; /* the caller's */
    void *user;  /* likewise */
    uint64_t id;
    LyCrypto *crypto;
    LyKey *key; /* signs; or, after decrypting, what came out */
    LyBuf algorithm, data, result;
    LyBytes encrypted, passphrase; /* in secret memory; empty: this signs */
    LyError error;
} Work;

/* Of an LY_AGENT_SIGN or LY_AGENT_DECRYPT; copies what it needs of it. */
Work *work_new(LyCrypto *crypto, const LyAgentEvent *event);
/* Does it: the work's own memory alone is touched. */
void work_run(void *work);
/* Gives the engine what came out, in the engine's thread. A failure goes to the log. */
void work_answer(const Work *work, LyAgent *agent, const LyLog *log);
void work_free(Work *work);

/* "WHAT: the error's sentence" to the log, where there is an error. */
void work_tell_failure(const LyLog *log, const char *what, const LyError *error);

#endif
