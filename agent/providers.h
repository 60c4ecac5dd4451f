/* Keys that are not in the agent: PKCS#11 modules' and security keys'. Each module has a process of its own
 * (provider/protocol.h); what it says is checked as a stranger's. */
#ifndef AGENT_PROVIDERS_H
#define AGENT_PROVIDERS_H

#include "agent/agent.h"
#include "ask.h"
#include "loop/loop.h"

typedef struct Providers Providers;

typedef struct ProvidersOptions {
    LyLoop *loop;
    LyCrypto *crypto;
    LyAgent *agent;
    Ask *ask;
    const LyLog *log;
    uint64_t timeout_us; /* for each thing that a module is asked; a touch and a PIN pad take their time */
    /* Told when a security key waits to be touched, for notifications; NULL: nobody is. */
    void (*touch)(void *user, const char *text);
    /* Follows each answer that was given to the agent from the loop. */
    void (*answered)(void *user);
    void *user;
} ProvidersOptions;

Providers *providers_new(const ProvidersOptions *options);
/* Ends all processes. NULL is fine. */
void providers_free(Providers *providers);

/* LY_AGENT_RESOLVE, _PROVIDER, and LY_AGENT_SIGN of a key that is not in the agent (providers_has): answered
 * by and by. */
void providers_event(Providers *providers, const LyAgentEvent *event);
bool providers_has(const LyAgentEvent *event);
/* LY_AGENT_WITHDRAWN: the question `id` is not asked any more, if it is one of these. */
void providers_withdraw(Providers *providers, uint64_t id);
/* LY_AGENT_CHANGED: a module whose last key is gone ends, which logs out of its tokens. */
void providers_changed(Providers *providers);

#endif
