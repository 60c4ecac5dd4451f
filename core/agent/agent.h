/* The agent itself (RFC 9987 and the extensions of OpenSSH and PuTTY): bytes and time in, replies, questions
 * and notices out. Sans-I/O: no clock, no threads, no files, no GLib; builds wherever libcrypto does. One
 * agent holds the identities; any number of clients talk to it. Events are pulled; a question may be answered
 * a minute later, and meanwhile other clients are served. Replies leave in the order of requests, per client.
 * An agent and its clients belong to one thread. */
#ifndef LY_AGENT_AGENT_H
#define LY_AGENT_AGENT_H

#include "agent/numbers.h"
#include "base/buf.h"
#include "base/log.h"
#include "key/key.h"

typedef struct LyAgent LyAgent;
typedef struct LyAgentClient LyAgentClient;

typedef struct LyAgentOptions {              /* copied; the patterns must live as long as the agent */
    const char *const *websafe_applications; /* patterns of sk-* applications that may sign anything; NULL:
                                                "ssh:*" */
    bool restrict_websafe;                   /* others sign userauth requests and SSHSIG only (default true in
                                                programs) */
    const char *const
        *providers;        /* patterns of PKCS#11 modules and security key libraries that may be loaded, against
                              the path that LY_AGENT_RESOLVE finds, NULL-terminated; NULL: none */
    bool remote_providers; /* also over connections that bound a session (-O allow-remote-pkcs11) */
    bool security_keys;    /* whoever pulls events signs with sk-* keys too; else they are refused */
    const char *const *extensions; /* names of those that whoever pulls events answers, NULL-terminated; NULL: none */
    uint64_t lifetime_us;  /* of keys that are added without one; 0: they stay */
    size_t max_identities; /* 0: LY_AGENT_IDENTITIES_MAX */
    size_t max_queued;     /* unanswered requests a client may have before it is not read; 0: 64 */
    LyLog log;             /* refusals with their reasons; what is used by whom */
} LyAgentOptions;

LyAgent *ly_agent_new(LyCrypto *crypto, const LyAgentOptions *options);
/* All clients must have been freed. Wipes the identities. */
void ly_agent_free(LyAgent *agent);

/* Time in microseconds of a clock that goes on in suspend (CLOCK_BOOTTIME). UINT64_MAX: nothing is waited
 * for. */
uint64_t ly_agent_deadline(const LyAgent *agent);
/* Identities whose lifetime is over go; delayed unlock failures are answered. Call it before input is
 * processed too. */
void ly_agent_tick(LyAgent *agent, uint64_t now_us);
/* The date in seconds since 1970; it goes on with ly_agent_tick. Destination restrictions that name a host by
 * its CA need it to judge certificates: without a date none is valid. Set it now and then, at least after
 * suspend. */
void ly_agent_set_date(LyAgent *agent, uint64_t seconds);

/* --- Clients --- */

typedef struct LyAgentPeer { /* what is known of who asks; copied */
    const char *transport;   /* "unix", "cygwin", "pageant-window", "pageant-pipe", "relay" */
    int64_t pid;             /* 0: unknown */
    int64_t uid;             /* -1: unknown */
    const char *program;     /* path of the executable, or the chain "git < zsh"; NULL: unknown */
    bool claimed;            /* pid and program are what the peer says itself (Cygwin, window) */
    void *user;              /* the caller's */
} LyAgentPeer;

LyAgentClient *ly_agent_client_new(LyAgent *agent, const LyAgentPeer *peer);
/* Its open questions are withdrawn (LY_AGENT_WITHDRAWN). */
void ly_agent_client_free(LyAgentClient *client);
const LyAgentPeer *ly_agent_client_peer(const LyAgentClient *client);
/* A session-bind@openssh.com said that the connection is forwarded. */
bool ly_agent_client_is_forwarded(const LyAgentClient *client);

/* Input is wanted: ly_agent_client_input would not give a len of 0. Takes no memory, which input does: idle
 * clients have no buffer. */
bool ly_agent_client_is_receiving(LyAgentClient *client);
/* Where to read into, and how much fits; len 0: too many requests or replies wait, or the client is closed:
 * ask again when something was answered or sent. */
uint8_t *ly_agent_client_input(LyAgentClient *client, size_t *len);
void ly_agent_client_received(LyAgentClient *client, size_t len);
/* What is to be written, valid until anything else is done with the agent. Sending may start requests that
 * waited for room, so pull events afterwards. */
LyBytes ly_agent_client_output(const LyAgentClient *client);
void ly_agent_client_sent(LyAgentClient *client, size_t len);
/* A length over 256 KiB was announced: nothing more is read; write what there is, then close. (A message of
 * length 0 is answered with FAILURE.) */
bool ly_agent_client_is_closed(const LyAgentClient *client);
/* Requests of it that are not answered yet. A client that shut down its sending side is served until there
 * are none. */
size_t ly_agent_client_pending(const LyAgentClient *client);
/* A client that has got output, or was closed, or takes input again, since it was last given here; NULL:
 * none. For whoever does not want to look at each client: an answer, a tick or another client's lock may
 * concern many. */
LyAgentClient *ly_agent_next_ready(LyAgent *agent);

/* --- Events --- */

typedef enum LyAgentEventType {
    LY_AGENT_CONFIRM,    /* may this key be used? -> ly_agent_answer_confirm */
    LY_AGENT_PASSPHRASE, /* the key is still encrypted -> ly_agent_answer_passphrase */
    LY_AGENT_SIGN,       /* -> ly_agent_answer_sign, now or from a job (which references the key and copies
                            `data`) */
    LY_AGENT_DECRYPT,    /* open `encrypted` with `passphrase` -> ly_agent_answer_decrypt; costs what its KDF
                            costs */
    LY_AGENT_EXTENSION,  /* one of options.extensions, never while locked -> ly_agent_answer_extension */
    LY_AGENT_RESOLVE,    /* which file is `provider` really, all links followed? -> ly_agent_answer_resolve */
    LY_AGENT_PROVIDER,   /* load or unload a PKCS#11 module -> ly_agent_answer_provider */
    LY_AGENT_WITHDRAWN,  /* the question `id` is not asked any more */
    LY_AGENT_USED,       /* a signature was made (for notifications) */
    LY_AGENT_REFUSED,    /* a signature was refused: `why` */
    LY_AGENT_CHANGED,    /* identities were added, removed, expired; or the agent was locked or unlocked */
} LyAgentEventType;

typedef struct LyAgentEvent { /* views live until the next call of ly_agent_next or input */
    LyAgentEventType type;
    uint64_t id;           /* of the question; never reused */
    LyAgentClient *client; /* NULL: nobody in particular */
    LyKey *key;            /* borrowed */
    bool forwarded;
    const char *target; /* "user@host key fingerprint" when the request is a userauth request over a bound
                           session; NULL: unknown */
    LyBytes algorithm;  /* SIGN: the signature algorithm's SSH name, for ly_key_sign; a constant */
    LyBytes data;       /* SIGN: what is signed */
    LyBytes extension, contents;   /* EXTENSION: its name, and what follows it */
    LyBytes encrypted, passphrase; /* DECRYPT: a key file's text (PPK) */
    int attempt;                   /* PASSPHRASE: from 1 */
    LyBytes provider, pin;         /* PROVIDER, RESOLVE; SIGN: the module that holds the key, of sk-* keys the
                                      library that speaks with it ("internal" or a path); else empty */
    bool unload;
    const char *why;
} LyAgentEvent;

/* The next event; false when there is none. Call until it returns false, after input, sending, tick and
 * answers. What SIGN, DECRYPT, EXTENSION, RESOLVE
 * and PROVIDER show lives until the question is answered or withdrawn. */
bool ly_agent_next(LyAgent *agent, LyAgentEvent *event);

/* Answers by the question's id; an id that is withdrawn or unknown is ignored. */
void ly_agent_answer_confirm(LyAgent *agent, uint64_t id, bool yes);
/* NULL data: the person gave up. A wrong passphrase asks again, at most 3 times. */
void ly_agent_answer_passphrase(LyAgent *agent, uint64_t id, LyBytes passphrase);
/* The signature blob; empty: it could not be made. */
void ly_agent_answer_sign(LyAgent *agent, uint64_t id, LyBytes signature);
/* NULL: it cannot be opened; `wrong_passphrase` asks again. The key is referenced. */
void ly_agent_answer_decrypt(LyAgent *agent, uint64_t id, LyKey *key, bool wrong_passphrase);
/* The absolute path, which the patterns are compared with, and which is the module's name from now on; NULL:
 * there is no such file. */
void ly_agent_answer_resolve(LyAgent *agent, uint64_t id, const char *path);
/* The module's keys (public halves; referenced) become identities with the constraints of the request, but
 * for those that the agent has already, as OpenSSH's does. When unloading, the engine removes the module's
 * identities itself: `keys` is not looked at. */
void ly_agent_answer_provider(LyAgent *agent, uint64_t id, bool done, LyKey *const *keys, size_t count);

/* What stands behind the name in EXTENSION_RESPONSE; NULL data: EXTENSION_FAILURE. */
void ly_agent_answer_extension(LyAgent *agent, uint64_t id, LyBytes contents);

/* --- The identities, for programs --- */

/* Rules per key, from a policy file: applied whenever the key is added or used. */
typedef struct LyAgentRule {
    char fingerprint[100];  /* "SHA256:..." of the plain key */
    bool confirm;           /* ask at each use */
    bool confirm_forwarded; /* ask when the request comes through forwarding */
    bool no_forwarded;      /* refuse when the request comes through forwarding */
    uint64_t lifetime_us;   /* at most so long after it is added; 0: as added */
    const char *programs; /* pattern list of executables that may use it, by path (the first of a chain); one
                             that is unknown or only claimed may not; NULL: any */
} LyAgentRule;
/* Replaces all rules; copied. */
void ly_agent_set_rules(LyAgent *agent, const LyAgentRule *rules, size_t count);

typedef struct LyAgentIdentityInfo { /* views until the agent is used again */
    LyKey *key;                      /* the public half where it is still encrypted */
    LyBytes comment;
    bool confirm, encrypted, destination_constrained;
    uint64_t expires_us;   /* UINT64_MAX: never */
    uint64_t last_used_us; /* 0: not yet */
    uint64_t uses;
    const char *provider; /* NULL: none */
} LyAgentIdentityInfo;
size_t ly_agent_count(const LyAgent *agent);
bool ly_agent_get(const LyAgent *agent, size_t index, LyAgentIdentityInfo *info);
/* SIGUSR1, suspend, screen lock. */
void ly_agent_remove_all(LyAgent *agent);
/* The keys of a PKCS#11 module, which is gone; how many there were. */
size_t ly_agent_remove_provider(LyAgent *agent, const char *path);
/* How many keys of the module there are. */
size_t ly_agent_count_provider(const LyAgent *agent, const char *path);
bool ly_agent_is_locked(const LyAgent *agent);
/* Locks with a random passphrase that only ly_agent_unlock_all lifts (screen lock). */
void ly_agent_suspend(LyAgent *agent, bool suspended);

#endif
