/* The agent on the loop: streams of clients on one side, the engine's questions on the other. */
#ifndef AGENT_SERVE_H
#define AGENT_SERVE_H

#include "agent/agent.h"
#include "loop/loop.h"

typedef struct Serve Serve;

typedef struct ServeOptions {
    LyAgentOptions agent;
    LyHash fingerprint_hash;       /* in questions */
    uint64_t provider_timeout_us;  /* what a PKCS#11 module or a security key may take to answer */
    const struct Journal *journal; /* for `lanyard-agent log` */
    /* Told of each signature, and when a security key is to be touched, for notifications; NULL: nobody is.
     * The text lives for the call. */
    void (*used)(void *user, const char *text);
    void *user;
} ServeOptions;

Serve *serve_new(LyLoop *loop, LyCrypto *crypto, const ServeOptions *options);
/* Closes all clients. Jobs that still run keep what they need until the loop is freed. */
void serve_free(Serve *serve);
/* The engine, for rules, removal and suspension; after changing it, serve_settle. */
LyAgent *serve_agent(Serve *serve);
/* Carries out what the engine wants now. */
void serve_settle(Serve *serve);

/* Takes the descriptor (a Unix socket, or a TCP connection whose Cygwin handshake is done): from now on its
 * bytes are a client's. `peer` is copied; `first`: bytes that were read already. At most 10,000 clients; the
 * rest are closed at once. */
void serve_client(Serve *serve, int fd, const LyAgentPeer *peer, LyBytes first);

#endif
