/* A connection to a destination. Without being told more it signs in as ssh(1) does: hops and proxies, host
 * key from known_hosts, agent, identities, then questions to a person. An application that knows better takes
 * over what it wants to: the host key question, the order of methods, each attempt. One connection; whoever
 * wants another after it ended makes another. */
#ifndef LY_LOOP_CLIENT_H
#define LY_LOOP_CLIENT_H

#include "base/list.h"
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

/* One attempt to sign in. */
typedef enum LyAttemptKind {
    LY_ATTEMPT_NONE,
    LY_ATTEMPT_PASSWORD,             /* a change that the server wants is asked for (LY_ASK_NEW_PASSWORD) */
    LY_ATTEMPT_PUBLICKEY,            /* one key, which signs at once */
    LY_ATTEMPT_AGENT,                /* each key of the agent, until one is taken */
    LY_ATTEMPT_KEYBOARD_INTERACTIVE, /* the server's prompts come as `interactive` or `ask` */
    LY_ATTEMPT_HOSTBASED,            /* with a host's key */
} LyAttemptKind;
typedef struct LyAttempt {
    LyAttemptKind kind;
    LyBytes user;       /* empty: the destination's. (RFC 4252 section 5: another user starts anew.) */
    LyBytes password;   /* PASSWORD */
    LyKey *key;         /* PUBLICKEY, HOSTBASED: a private key or certified one; a reference is taken */
    LyBytes submethods; /* KEYBOARD_INTERACTIVE */
    LyBytes local_host, local_user; /* HOSTBASED */
    const LyAgentTransport *agent;  /* AGENT: one of the application's own; NULL: the destination's */
} LyAttempt;
/* What has become of the sign-in so far; `methods` live until the answer. */
typedef struct LyNextAttempt {
    bool first;      /* nothing was tried yet: `methods` is empty */
    bool partial;    /* what was tried last was right, and the server wants more */
    LyBytes methods; /* that the server says can continue */
} LyNextAttempt;

typedef struct LyClientEvents {
    /* Ask, then call ly_client_answer once, now or later. NULL: every question is refused (batch mode). */
    void (*ask)(void *user, const LyAsk *ask);
    void (*ready)(void *user); /* signed in */
    /* Channels without a function of their own and global requests, once ready. NULL: ly_client_refuse. */
    void (*event)(void *user, const LyConnectionEvent *event);
    void (*iterated)(void *user);             /* a batch of input was handled */
    void (*banner)(void *user, LyBytes text); /* unescaped; NULL: dropped */
    /* Ended, once; the client may be freed from here. `final`: sign-in refused, host key unknown, changed or
     * revoked, no common algorithm: trying again is useless. The sentence names which methods were tried, why
     * each failed, and which the server still offers ("sign-in to a@b failed: tried publickey (2 keys: not
     * accepted), password (refused); the server still offers ..."), or the phase whose limit is over ("the
     * key exchange with a@b port 22 timed out after 10 s"). */
    void (*closed)(void *user, const LyError *error, bool final);
    /* --- For applications with a mind of their own; each may be NULL. --- */
    /* (Hops sign in as ssh(1) does, with `ask`.)
     * Is this the host's key? Answer with ly_client_host_key, now or later; known_hosts is not looked at and
     * `ask` gets no LY_ASK_HOST_KEY. The key's signature was verified, and RequiredRSASize and
     * RevokedHostKeys were asked. Asked once, not at later exchanges. */
    void (*host_key)(void *user, LyKey *key);
    /* Which attempt next? Answer with ly_client_attempt or ly_client_give_up, now or later. NULL: the list of
     * ly_client_set_attempts, or else ssh(1)'s order. */
    void (*next_attempt)(void *user, const LyNextAttempt *next);
    /* A request of keyboard-interactive as the server sent it (`name`, `text`, `prompts`; it lives until the
     * answer): answer with ly_client_respond. NULL: prompt by prompt as `ask`. */
    void (*interactive)(void *user, const LyUserauthClientEvent *request);
    /* What happens below: the peer's identification, greeting lines, NEWKEYS with the names agreed on
     * (initial or a later exchange; ly_transport_negotiated), extensions, debug texts. Not HOST_KEY. */
    void (*transport)(void *user, const LyTransportEvent *event);
    /* The server's host keys that it has proven to own (hostkeys-00@openssh.com,
     * hostkeys-prove-00@openssh.com), after each announcement; borrowed. */
    void (*host_keys)(void *user, LyKey *const *keys, size_t count);
    void *user;
} LyClientEvents;

/* Begins: name look-up, connect (ConnectTimeout covers it and the key exchange), ConnectionAttempts, proxy or
 * hops. What an earlier connection to the destination remembered (host keys that were accepted, passwords,
 * opened keys) is used before anybody is asked. No event comes from within this call. */
LyClient *ly_client_new(LyLoop *loop, LyDestination *destination, const LyClientEvents *events);
/* Over a carrier made by the caller (owned by the client from now on). */
LyClient *ly_client_new_over(LyLoop *loop, LyDestination *destination, LyCarrier *carrier,
                             const LyClientEvents *events);
/* The attempts that are made, each once, in place of ssh(1)'s order; methods that the server does not offer
 * are passed over, and so is what cannot work (a key that does not sign). After a partial success those that
 * were passed over have their turn, and an agent's other keys. Copied, references taken. To be said before
 * the loop runs. */
void ly_client_set_attempts(LyClient *client, const LyAttempt *attempts, size_t count);
/* Answers. Without effect when the question is not open. */
void ly_client_host_key(LyClient *client, bool accept);
void ly_client_attempt(LyClient *client, const LyAttempt *attempt); /* copied, references taken */
void ly_client_give_up(LyClient *client); /* closes with the sentence of what was tried */
/* `count` as the request's prompt_count, which may be 0; NULL: a dialogue that has prompts is given up. */
void ly_client_respond(LyClient *client, const LyBytes *responses, size_t count);
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
/* A global request (RFC 4254 section 4); `done` is called once with the server's answer, or with success
 * false when the connection ends first (before `closed`, or from within ly_client_free), or at once when
 * there is none; NULL: no reply is wanted. Once ready. `data` of an answer lives until `done` returns.
 * Whoever uses ly_global_request on the connection itself leaves the tags from 2^31 up to the client. */
typedef void (*LyGlobalDone)(void *user, bool success, LyBytes data);
void ly_client_global_request(LyClient *client, LyBytes type, LyBytes data, LyGlobalDone done, void *user);
/* The `done` of requests made with this `user` is not called any more. */
void ly_client_forget_requests(LyClient *client, const void *user);
/* Who takes channels that the server opens: asked in the order of registration, with the OPEN_REQUEST, until
 * one says that it is his (and then accepts or refuses, now or later); the rest goes to `event`, or is
 * refused when that is NULL. `acceptor` is the caller's and lives until it is removed or the client is freed.
 */
typedef struct LyAcceptor {
    bool (*open_request)(void *user, const LyConnectionEvent *event);
    void *user;
    LyLink link; /* the client's */
} LyAcceptor;
void ly_client_add_acceptor(LyClient *client, LyAcceptor *acceptor);
void ly_client_remove_acceptor(LyAcceptor *acceptor); /* fine when it was never added (zeroed) */
/* Who lives on the connection (programs, forwards, an application's own channels) and wants to know when it
 * is gone: told once, right before `closed` (ly_client_session gives NULL by then, and channels are not to be
 * touched any more), with `error` as `closed` has it; or from within ly_client_free, with NULL: forget the
 * client, no event is expected. `dependent` is the caller's and lives until then or until it is removed. */
typedef struct LyDependent {
    void (*ended)(void *user, const LyError *error);
    void *user;
    LyLink link; /* the client's */
} LyDependent;
void ly_client_add_dependent(LyClient *client, LyDependent *dependent);
void ly_client_remove_dependent(LyDependent *dependent); /* fine when it was never added, or told already */
/* True when requests of OpenSSH's own (streamlocal, hostkeys-prove, no-more-sessions) may be sent: the server
 * says that it is OpenSSH 5 or newer, or Lanyard, or the destination's `any_vendor` is set. */
bool ly_client_speaks_openssh(LyClient *client);
/* "no-more-sessions@openssh.com": this connection will open no more sessions, whoever takes it over. */
void ly_client_no_more_sessions(LyClient *client);
/* TCP_NODELAY, which is on from the start; without effect where the carrier is no TCP socket. */
void ly_client_set_no_delay(LyClient *client, bool on);
LyLoop *ly_client_loop(const LyClient *client);
/* To be said after the session was used outside of events (ly_channel_send, ly_channel_consumed ...): what
 * was queued is written at the end of the loop's iteration. Cheap; within events it is not needed. */
void ly_client_flush(LyClient *client);

#endif
