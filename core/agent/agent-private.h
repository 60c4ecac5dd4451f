/* Inside the agent: identities, clients, and the requests that wait for answers.
 *
 * A client's bytes lie in its input buffer until a whole request is there. Handlers answer at once
 * (ly_agent_reply_...), or keep the request: it then stays in the client's queue, which is what keeps replies
 * in order. */
#ifndef LY_AGENT_AGENT_PRIVATE_H
#define LY_AGENT_AGENT_PRIVATE_H

#include "agent/agent.h"
#include "base/list.h"
#include "base/wire.h"

enum {
    LIST_MAX = 262144,           /* bytes of an IDENTITIES_ANSWER: clients refuse larger ones */
    HELD_MAX = 16 << 20,         /* bytes of requests whose parts the identities keep */
    OUTPUT_HIGH = 512 << 10,     /* bytes of output from which on a client's requests wait */
    QUEUED_HIGH = 512 << 10,     /* bytes of unanswered requests, likewise */
    QUEUED_DEFAULT = 64,         /* requests */
    QUESTIONS_MAX = 1 << 16,     /* open at once */
    OPEN_KEYS_MAX = 64,          /* keys whose libcrypto form is kept */
    BINDS_MAX = 16,              /* session-binds of a connection (OpenSSH's limit, as the next three) */
    SESSION_ID_MAX = 128,        /* bytes */
    DESTINATIONS_MAX = 1024,     /* constraints of a key */
    ASSOCIATED_CERTS_MAX = 1024, /* of a PKCS#11 request */
    USER_PATTERN_MAX = 256,      /* bytes */
    PASSPHRASE_ATTEMPTS = 3,
    PROVIDER_MAX = 4096, /* bytes of a path */
    LOCK_SALT_LEN = 16,
    LOCK_HASH_LEN = 32,
};

#define NEVER UINT64_MAX

/* Constraints as a request gives them. The views are the request's. */
typedef struct Constraints {
    bool has_lifetime, confirm, cert_only;
    uint32_t lifetime_s;
    LyBytes destinations; /* constraints, a string each; checked, so that reading them again cannot fail */
    size_t destination_count;
    LyBytes sk_provider;  /* data NULL: none */
    LyBytes certificates; /* key blobs, a string each */
} Constraints;

typedef struct Identity {
    LyKey *key; /* with its comment; the public half where `encrypted` was not opened */
    uint64_t expires_us, last_used_us, uses;
    LyBytes destinations; /* owned */
    LyBytes encrypted;    /* owned: a PPK's text */
    char *provider;       /* PKCS#11 module; or of an sk-* key what sk-provider said */
    LyLink open_link;     /* in agent->open_keys while libcrypto's form is kept */
    const LyAgentRule *rule;
    size_t held; /* bytes counted in agent->held */
    bool confirm, closed /* encrypted, and not opened yet */, is_module;
    struct Request *opener; /* asks for the passphrase; NULL: none */
} Identity;

/* An event on its way to ly_agent_next. */
typedef struct Notice {
    LyLink link;
    LyAgentEventType type;
    uint64_t id;
    LyAgentClient *client;
    LyKey *key; /* referenced, unless the notice is a request's */
    char *target, *why;
    bool forwarded;
} Notice;

typedef struct Request Request;

/* What a request that was kept waits for. */
typedef enum Wait {
    WAIT_NOTHING,
    WAIT_CONFIRM,
    WAIT_PASSPHRASE,
    WAIT_DECRYPT,
    WAIT_OPENER, /* another request asks for the passphrase of the same key */
    WAIT_SIGN,
    WAIT_RESOLVE,
    WAIT_PROVIDER,
    WAIT_EXTENSION,
    WAIT_UNTIL /* a failed unlock's delay */
} Wait;

struct Request {
    LyLink link; /* in client->queue */
    LyAgentClient *client;
    uint8_t type;
    bool answered, confirmed, asked /* the question was pulled */;
    Wait wait;
    LyBuf reply;     /* when earlier requests are not answered yet */
    Notice question; /* question.id: 0 when there is none */
    uint32_t slot;
    /* SIGN_REQUEST */
    LyKey *key;   /* what is signed with: an identity added again meanwhile does not matter */
    LyBytes body; /* copy, owned, of what the request needs later: the data; provider and so on */
    uint32_t flags;
    int attempt;
    LyBytes passphrase; /* secret memory */
    uint64_t until_us;
    LyLink delay_link;
    /* RESOLVE, PROVIDER: views of body; and what the path was resolved to, owned, once it is */
    LyBytes provider, pin;
    char *resolved;
    Constraints constraints;
};

typedef struct Bind {
    LyKey *host_key;
    LyBytes session_id; /* owned */
    bool forwarded;
} Bind;

struct LyAgentClient {
    LyAgent *agent;
    LyLink link, ready_link, todo_link;
    LyAgentPeer peer; /* with own copies of the strings */
    LyBuf input;      /* used as raw storage: `len` bytes are there */
    LyBuf output;
    size_t output_sent;
    LyList queue; /* of Request */
    size_t queued, queued_len;
    bool barrier; /* a kept request is none of signing: what follows waits */
    bool closed;
    bool paused, wants_input; /* a whole message waits for room; input was asked for meanwhile */
    Bind *binds;
    size_t bind_count;
    bool bind_attempted, bind_failed;
};

struct LyAgent {
    LyCrypto *crypto;
    LyAgentOptions options;
    uint64_t now_us, date_s, date_at_us;
    Identity **identities;
    uint32_t *hashes; /* of the blobs, beside the identities: what a search reads */
    size_t count, room;
    size_t list_len, held, constrained;
    LyBuf list; /* the whole IDENTITIES_ANSWER with its length; empty: to be made */
    uint64_t next_expiry_us;
    LyList open_keys; /* of Identity, the most recent first */
    size_t open_count;
    LyAgentRule *rules;
    size_t rule_count;
    LyList clients, ready, notices, delayed;
    LyList todo;   /* clients whose input may go on */
    size_t kept;   /* requests in queues */
    Notice *shown; /* what ly_agent_next gave last */
    bool changed;
    Request **slots;
    uint32_t slot_count, *free_slots, free_count;
    uint64_t question_count;
    LyBuf host_algorithms; /* what a session-bind may be signed with: all */
    bool locked, suspended;
    unsigned unlock_failures;
    uint8_t lock_salt[LOCK_SALT_LEN], lock_hash[LOCK_HASH_LEN];
};

/* ---- agent.c: notices and time ---- */

/* `target` and `why` are taken over; `key` is referenced. */
void ly_agent_notify(LyAgent *agent, LyAgentEventType type, LyAgentClient *client, LyKey *key, char *target,
                     char *why);
static inline bool ly_agent_is_closed_to_all(const LyAgent *agent)
{
    return agent->locked || agent->suspended;
}
/* "process 123 (git < zsh) on unix", for logs. */
const char *ly_agent_peer_text(const LyAgentClient *client, char text[300]);
#define PEER_TEXT(client) ly_agent_peer_text((client), (char[300]){0})

/* ---- agent-client.c: framing and order ---- */

/* Where the reply to a request goes, and its end: the request is answered then, and may be freed. */
LyBuf *ly_agent_reply_begin(Request *request, size_t *mark);
void ly_agent_reply_end(Request *request, size_t mark);
void ly_agent_reply_status(Request *request, uint8_t type);
/* A reply that is ready, its length included. */
void ly_agent_reply_whole(Request *request, LyBytes reply);
/* Handles what has become possible. */
void ly_agent_client_process(LyAgentClient *client);

/* ---- agent-requests.c: kept requests and their questions ---- */

/* At the end of the client's queue. */
Request *ly_agent_request_new(LyAgentClient *client, uint8_t type);
void ly_agent_request_free(Request *request);
/* The request will wait: bytes are copied to request->body. */
void ly_agent_request_keep(Request *request, LyBytes body);
/* Puts the question to whoever pulls events; false when too many are open. */
bool ly_agent_ask(Request *request, LyAgentEventType type, Wait wait);
/* Takes the question back. */
void ly_agent_withdraw(Request *request);
/* The request behind an open question that waits for `wait`; NULL otherwise. The question is over. */
Request *ly_agent_take_answer(LyAgent *agent, uint64_t id, Wait wait);
/* Refuses the requests that wait to use the key, unless it signs them already; with NULL, all that wait but
 * for failed unlocks. */
void ly_agent_refuse_kept(LyAgent *agent, const LyKey *key, const char *why);
/* The first request that waits so for this key. */
Request *ly_agent_find_waiting(const LyAgent *agent, Wait wait, const LyKey *key);
/* FAILURE, with the reason in the log and as an event. */
void ly_agent_refuse(Request *request, const char *why);
/* The request no longer asks for the passphrase of its key: another may. */
void ly_agent_opener_gone(Request *request);
/* Goes on with a sign request as far as it can. */
void ly_agent_sign_step(Request *request);

/* ---- agent-identities.c ---- */

Identity *ly_agent_find(const LyAgent *agent, LyBytes blob, size_t *index);
/* As find, and by a blob that is written otherwise than we do. */
Identity *ly_agent_find_parsed(const LyAgent *agent, LyBytes blob, size_t *index);
/* Adds or replaces all of it. `key` and the rest of *add are copied or referenced. False: refused (logged).
 */
typedef struct IdentityAdd {
    LyKey *key;
    const Constraints *constraints; /* NULL: none */
    LyBytes encrypted;              /* PPK text; empty: none */
    LyBytes provider;               /* PKCS#11 */
    size_t held;                    /* bytes of the request */
} IdentityAdd;
bool ly_agent_put_identity(LyAgentClient *client, const IdentityAdd *add);
void ly_agent_expire(LyAgent *agent);
void ly_agent_apply_rules(LyAgent *agent, Identity *identity);
/* The key's libcrypto form is about to be used. */
void ly_agent_touch(LyAgent *agent, Identity *identity);
/* It replaces the key of an identity (another comment, private half gained or lost), blob unchanged. */
void ly_agent_set_key(LyAgent *agent, Identity *identity, LyKey *key, bool closed);

/* ---- agent-constraints.c ---- */

/* Reads to the end. `key`: what is added, NULL for PKCS#11. False: refused (logged). */
bool ly_agent_get_constraints(LyAgentClient *client, LyReader *reader, const LyKey *key,
                              Constraints *constraints);
/* A string without NUL inside; one at its end is taken off, as OpenSSH does. */
LyBytes ly_agent_get_text(LyReader *reader);
/* May the client load modules, and may it be this one, its path resolved? False: refused (logged). */
bool ly_agent_may_provide(LyAgentClient *client, LyBytes provider);
bool ly_agent_provider_allowed(LyAgentClient *client, const char *path);
/* The key is reached by a library of its own, whose path is to be resolved. */
bool ly_agent_has_library(const Constraints *constraints);

/* ---- agent-session.c ---- */

bool ly_agent_session_bind(LyAgentClient *client, LyReader *reader);
void ly_agent_client_unbind(LyAgentClient *client);
/* The client asks from beyond a session: it bound one, or tried to. */
static inline bool ly_agent_client_is_remote(const LyAgentClient *client)
{
    return client->bind_attempted || client->bind_count;
}
/* May the client see the identity? `user` data NULL: list and the like; else for a signature for that user.
 * *host (may be NULL): the name by which the last hop is allowed, a view. */
bool ly_agent_is_permitted(const LyAgentClient *client, const Identity *identity, LyBytes user,
                           LyBytes *host);

typedef struct UserauthRequest {
    LyBytes session_id, user, host_key; /* host_key data NULL: not hostbound */
} UserauthRequest;
/* Is `data` what a client signs to sign in with this very key? */
bool ly_agent_get_userauth_request(LyBytes data, const LyKey *key, UserauthRequest *request);
/* May the key sign this on this connection? *target (caller's to ly_free, or NULL), *why on refusal: a
 * constant. */
bool ly_agent_may_sign(const LyAgentClient *client, const Identity *identity, LyBytes data, char **target,
                       const char **why);

/* ---- agent-sign.c ---- */

/* The SSH name of the signature algorithm that a sign request's flags ask of the key. */
const char *ly_agent_algorithm(const LyKey *key, uint32_t flags);

/* ---- handlers: `reader` is what follows the type ---- */

void ly_agent_handle_list(Request *request, LyReader *reader);
void ly_agent_handle_sign(Request *request, LyReader *reader);
void ly_agent_handle_add(Request *request, LyReader *reader);
/* The library of the sk-* key that waits to be added is allowed, and is request->resolved. */
void ly_agent_add_resolved(Request *request);
void ly_agent_handle_remove(Request *request, LyReader *reader);
void ly_agent_handle_remove_all(Request *request, LyReader *reader);
void ly_agent_handle_lock(Request *request, LyReader *reader);
void ly_agent_handle_unlock(Request *request, LyReader *reader);
void ly_agent_handle_extension(Request *request, LyReader *reader);
void ly_agent_handle_provider(Request *request, LyReader *reader);

#endif
