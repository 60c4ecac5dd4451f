/* A connection to a destination, signed in as ssh(1) does it: hops and proxies, host key, agent, identities,
 * then questions to a person. One connection; whoever wants another after it ended makes another. */
#ifndef LY_LOOP_CLIENT_H
#define LY_LOOP_CLIENT_H

#include "loop/carrier.h"
#include "loop/destination.h"
#include "session/session.h"

typedef struct LyClient LyClient;

/* Questions to a person. */
typedef enum LyAskKind {
    LY_ASK_HOST_KEY,     /* "yes", "no" or the fingerprint */
    LY_ASK_PASSWORD,     /* text = "user@host's password: " */
    LY_ASK_PASSPHRASE,   /* text = "Enter passphrase for key '/path': " */
    LY_ASK_RESPONSE,     /* a prompt of keyboard-interactive, `echo` */
    LY_ASK_NEW_PASSWORD, /* asked twice */
} LyAskKind;
typedef struct LyAsk {
    LyAskKind kind;
    const char *text; /* what to show: a peer's part is escaped already */
    bool echo;
    bool retry; /* the same question again after a wrong answer */
} LyAsk;

typedef struct LyClientEvents {
    /* Ask, then call ly_client_answer once, now or later. NULL: every question is refused (batch mode). */
    void (*ask)(void *user, const LyAsk *ask);
    void (*ready)(void *user);                                 /* signed in */
    void (*event)(void *user, const LyConnectionEvent *event); /* channels and global requests, once ready */
    void (*iterated)(void *user);                              /* a batch of input was handled */
    void (*banner)(void *user, LyBytes text);                  /* unescaped; NULL: dropped */
    /* Ended, once; the client may be freed from here. `final`: sign-in refused, host key unknown, changed or
     * revoked, no common algorithm: trying again is useless. The sentence names which methods were tried and
     * which the server still offers. */
    void (*closed)(void *user, const LyError *error, bool final);
    void *user;
} LyClientEvents;

/* Begins: name look-up, connect (ConnectTimeout covers it and the key exchange), ConnectionAttempts, proxy or
 * hops. What an earlier connection to the destination remembered (host keys that were accepted, passwords,
 * opened keys) is used before anybody is asked. No event comes from within this call. */
LyClient *ly_client_new(LyLoop *loop, LyDestination *destination, const LyClientEvents *events);
/* Over a carrier made by the caller (owned by the client from now on). */
LyClient *ly_client_new_over(LyLoop *loop, LyDestination *destination, LyCarrier *carrier,
                             const LyClientEvents *events);
/* Sends DISCONNECT (BY_APPLICATION) if it can at once; no event comes afterwards. */
void ly_client_free(LyClient *client);
/* The answer to the open question (a hop's too); NULL: refused, no answer. Without effect when none is open,
 * as after the server gave up waiting. */
void ly_client_answer(LyClient *client, const char *answer);
/* NULL before there is a carrier and after the end. */
LySession *ly_client_session(LyClient *client);
/* A connection of the caller's own to the agent that this client signs in with: the destination's, or the one
 * that IdentityAgent or SSH_AUTH_SOCK names. NULL with *error: there is none. */
LyAgentConnection *ly_client_agent(const LyClient *client, LyError *error);
/* Refuses what the peer asks with this event (to open a channel, a request); nothing for other events. For an
 * owner who asked for nothing that would let it. */
void ly_client_refuse(LyClient *client, const LyConnectionEvent *event);
/* To be said after the session was used outside of events (ly_channel_send, ly_channel_consumed ...): what
 * was queued is written at the end of the loop's iteration. Cheap; within events it is not needed. */
void ly_client_flush(LyClient *client);

#endif
