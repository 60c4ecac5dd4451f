/* lanyard-agent on Windows: the engine behind the transports. One lock guards the engine; clients' threads
 * take turns, and each makes its own client's signatures outside it. */
#ifndef WINDOWS_ENGINE_H
#define WINDOWS_ENGINE_H

#include "agent/agent.h"
#include "journal.h"
#include "transports.h"

typedef struct Engine Engine;

typedef struct EngineOptions {
    LyAgentOptions agent;
    LyHash fingerprint_hash; /* in questions */
    const Journal *journal;  /* for `lanyard-agent log` */
    const LyAgentRule *rules;
    size_t rule_count;
} EngineOptions;

/* Lives as long as the program. NULL with *error. */
Engine *engine_new(LyCrypto *crypto, const EngineOptions *options, LyError *error);
/* Keeps lifetimes until `stop` is set; wipes the keys then, and no client is served any more. */
void engine_run(Engine *engine, HANDLE stop);

/* For Transports, whose owner is the engine. */
void engine_serve(Transports *transports, const Stream *client, const Peer *peer);
bool engine_ask(Transports *transports, LyBytes request, const Peer *peer, LyBuf *reply, Stream *behind,
                LyError *error);

#endif
