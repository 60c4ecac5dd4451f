/* Signatures that take microseconds, made in the loop's thread; when several wait at once, a second thread
 * takes some of them over. (RSA, which takes a millisecond, is a job for each.) */
#ifndef AGENT_SIGNER_H
#define AGENT_SIGNER_H

#include "agent/agent.h"
#include "loop/loop.h"

typedef struct Signer Signer;

/* `done` gets what was made, in any order: empty with the error where it could not be. It is called by
 * signer_step, and by the loop. */
typedef void SignerDone(void *user, uint64_t id, LyBytes signature, const LyError *error);

Signer *signer_new(LyLoop *loop, SignerDone *done, void *user);
/* What waits is dropped. A thread that still signs keeps what it needs until the loop is freed. */
void signer_free(Signer *signer);
/* Takes an LY_AGENT_SIGN; what it needs is copied. */
void signer_add(Signer *signer, const LyAgentEvent *event);
/* Makes one of the signatures that wait, and delivers what is ready. False: nothing waits here. */
bool signer_step(Signer *signer);

#endif
