/* A process of lanyard-agent-provider (provider/protocol.h): started, asked one thing at a time, each with a
 * deadline. */
#ifndef AGENT_PROVIDER_PROCESS_H
#define AGENT_PROVIDER_PROCESS_H

#include "base/buf.h"
#include "loop/loop.h"

typedef struct ProviderProcess ProviderProcess;

typedef struct ProviderProcessOptions {
    const char *kind, *path; /* as on its command line; copied by it */
    uint64_t timeout_us;     /* for each answer */
    /* The answer to what was asked; the view lives for the call. The callee may free the process. */
    void (*answered)(void *user, LyBytes reply);
    /* It ended, hangs or talks nonsense: a sentence's end, "PROGRAM ..."; the callee frees the process. */
    void (*lost)(void *user, const char *why);
    void *user;
} ProviderProcessOptions;

/* LY_ERROR_UNSUPPORTED: the program is not installed. */
ProviderProcess *provider_process_new(LyLoop *loop, const ProviderProcessOptions *options, LyError *error);
/* With an answer open the process is killed, else it is told to end, which logs out of tokens.
 * NULL is fine. */
void provider_process_free(ProviderProcess *process);
/* Sends the request, which is cleansed and emptied. Not while another is open. */
void provider_process_ask(ProviderProcess *process, LyBuf *request);

#endif
