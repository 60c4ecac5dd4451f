/* What the files of LyClient share: its life and events (client.c), who takes channels and global requests
 * (client-requests.c), the way to the host (client-proxy.c), the host key (client-host-key.c), the order of
 * methods (client-auth.c), attempts that the application chooses (client-attempt.c), identities
 * (client-publickey.c, client-hostbased.c). */
#ifndef LY_LOOP_CLIENT_PRIVATE_H
#define LY_LOOP_CLIENT_PRIVATE_H

#include "loop/agent.h"
#include "loop/client.h"
#include "loop/destination-private.h"
#include "loop/drive.h"

typedef struct LyAuth LyAuth;
typedef struct LyHostKeys LyHostKeys;
typedef void (*LyClientAnswered)(LyClient *client, const char *answer);

struct LyClient {
    LyLoop *loop;
    LyDestination *destination;
    LyClientEvents events;
    unsigned depth; /* calls from the loop that are under way: freeing waits for them */
    bool dead;      /* freed by its owner: no event any more */
    bool ended;     /* closed was told */

    /* the way to the host */
    LyConnect *connect;
    uint64_t attempts_left;
    LyClient *jump;
    LyChannel *jump_channel;
    struct LyJumpCarrier *jump_carrier; /* what the drive has then */
    LyCarrier *carrier;                 /* the caller's, until `start` runs */
    LyTask start;
    LyTimer *timer;                       /* the next attempt, the opening of the jump's channel */
    uint64_t connect_us, kex_us, auth_us; /* the limits in force; 0: none */
    uint64_t until_us; /* when connect_us ends; UINT64_MAX: there is none; 0: no clock was started */

    LyDrive *drive;          /* NULL before there is a carrier and after the end */
    LySession *session;      /* the drive's */
    LyAlgorithms algorithms; /* offered on this connection */
    bool ready;
    LyAttempt *attempts; /* of ly_client_set_attempts */
    size_t attempt_count;
    LyKey *host_key;    /* asked about: */
    bool host_key_open; /* by the event host_key */
    unsigned host_key_questions;
    bool host_key_new_type;
    bool passwords_forbidden; /* the host key changed and StrictHostKeyChecking is off */
    LyAuth *auth;
    LyList acceptors, dependents;
    LyList global_requests; /* whose answers are awaited, in order */
    uint32_t global_count;
    LyHostKeys *host_keys;                /* announced, their proof is awaited; NULL: none are */
    unsigned programs;                    /* LyProgram: sessions on this connection */
    struct LyAgentForward *agent_forward; /* for programs that want it; NULL: none did yet */
    LyClientAnswered answered;            /* takes the answer to the open question; NULL: none is open */
};

/* client.c */
/* Around every entry from the loop; leave() may free the client. */
void ly_client_enter(LyClient *client);
void ly_client_leave(LyClient *client);
/* Enters with an answer to a question: the session learns what time it is before its clocks run again. */
void ly_client_enter_late(LyClient *client);
/* Ends it before or outside of a session. */
void ly_client_end(LyClient *client, const LyError *error, bool final);
/* Asks a person; `answered` gets NULL at once when nobody can be asked. */
void ly_client_ask(LyClient *client, LyAskKind kind, const char *text, bool echo, bool retry,
                   LyClientAnswered answered);
bool ly_client_may_ask(const LyClient *client);
/* Begins the session over `carrier`, which the client owns from now on. */
void ly_client_carrier_made(LyClient *client, LyCarrier *carrier);
const LyLog *ly_client_log(const LyClient *client);

/* client-requests.c */
void ly_client_requests_init(LyClient *client);
/* Each waiting request is told that there is no answer. */
void ly_client_requests_fail(LyClient *client);
/* Nobody is left in the client's lists. `error`: as LyDependent. */
void ly_client_tell_dependents(LyClient *client, const LyError *error);
void ly_client_drop_acceptors(LyClient *client);
/* True: it was somebody's here. */
bool ly_client_open_requested(LyClient *client, const LyConnectionEvent *event);
bool ly_client_global_replied(LyClient *client, const LyConnectionEvent *event);

/* client-proxy.c */
void ly_client_begin(LyClient *client);
void ly_client_timed_out(LyClient *client);
void ly_client_release_way(LyClient *client);

/* client-host-key.c */
void ly_client_check_host_key(LyClient *client, LyKey *key);

/* client-host-keys.c; true: it was an announcement */
bool ly_client_host_keys_announced(LyClient *client, const LyConnectionEvent *event);

/* client-auth.c */
typedef enum LyAuthMethod {
    LY_AUTH_NONE,
    LY_AUTH_HOSTBASED,
    LY_AUTH_PUBLICKEY,
    LY_AUTH_KEYBOARD_INTERACTIVE,
    LY_AUTH_PASSWORD,
    LY_AUTH_METHOD_COUNT,
} LyAuthMethod;

/* A key to try, in the order of trying. */
typedef struct LyCandidate {
    LyKey *key;           /* public half or certificate; NULL: hidden in identity's file */
    LyIdentity *identity; /* the file that can sign; NULL: none */
    LyKey *signer;        /* the application's own private key; NULL: none */
    bool agent;           /* the agent can sign, */
    LyBytes agent_blob;   /* asked for by this blob (owned) */
    bool tried;
    const char *path; /* for messages */
} LyCandidate;

struct LyAuth {
    char *methods; /* that can continue, as the server said last */
    bool done[LY_AUTH_METHOD_COUNT];
    unsigned tried[LY_AUTH_METHOD_COUNT];
    LyBuf why[LY_AUTH_METHOD_COUNT]; /* each did not get us in */
    LyAuthMethod last;               /* what the server's answer is about */
    char *account;                   /* "user@host" for questions */
    unsigned partial_count;
    unsigned passwords, dialogues;                 /* of NumberOfPasswordPrompts */
    bool password_remembered, response_remembered; /* the remembered one was tried */
    LyBytes password, new_password;                /* in secret memory: sent last, to be remembered */
    LyBytes *responses;                            /* in secret memory */
    size_t response_count, prompt_count;
    const LyPrompt *prompts;
    char *prompt_head;   /* name and instruction */
    char *single_prompt; /* text of the only, hidden prompt answered last */
    LyBytes single_response;

    LyAgentConnection *agent;
    bool identities_ready, agent_bound;
    LyCandidate *candidates;
    size_t candidate_count;
    LyCandidate *current;
    char *algorithm;
    unsigned passphrases;
    size_t host_key_next; /* hostbased */
    LyJob *job;
    bool dialogue_open; /* the event interactive waits for its answer */

    /* attempts in place of ssh(1)'s order */
    bool own_order;
    LyAttempt attempt;    /* that is being made */
    bool attempt_runs;    /* it may have more to try */
    bool attempt_open;    /* the event next_attempt waits for its answer */
    bool choosing, again; /* it is being told; it was answered from within, and is to be told again */
    LyNextAttempt next;
    bool *made;           /* of client->attempts */
    size_t attempt_index; /* `attempt`'s place there */
    unsigned attempt_number;
    LyBuf taken; /* blobs of keys that were right already, each as a string */
};

void ly_auth_event(LyClient *client, const LyUserauthClientEvent *event);
void ly_auth_succeeded(LyClient *client);
LyAuth *ly_auth_new(LyClient *client);
void ly_auth_free(LyAuth *auth);
/* The next attempt, or the end with its sentence. */
void ly_auth_try_next(LyClient *client);
void ly_auth_give_up(LyClient *client);
/* "sign-in to user@host failed: tried ..." without what the server offers. */
void ly_auth_sentence(LyClient *client, LyBuf *out);
uint64_t ly_auth_prompts_allowed(const LyClient *client);
/* A request by this method is about to leave; for keys: one more. */
void ly_auth_sent(LyAuth *auth, LyAuthMethod method);
/* Why it did not get us in: for the sentence at the end; said twice it is told once. */
void ly_auth_note(LyAuth *auth, LyAuthMethod method, const char *why);
const char *ly_auth_method_name(LyAuthMethod method);
void ly_auth_send_password(LyClient *client, LyBytes password);

/* client-attempt.c */
/* Goes on with the attempt that is being made if it has more to try, else chooses the next. */
void ly_attempt_next(LyClient *client);
/* The server has answered: the attempt failed (the next key of it may follow), or was right in part. */
void ly_attempt_answered(LyClient *client, const LyUserauthClientEvent *event);
void ly_attempt_clear(LyAttempt *attempt);

/* client-publickey.c; true: something was begun */
bool ly_auth_publickey(LyClient *client);
void ly_auth_publickey_ok(LyClient *client);
void ly_auth_candidates_clear(LyAuth *auth);
/* The algorithm that fits key and server, in auth->algorithm; false: none does. */
bool ly_auth_choose_algorithm(LyClient *client, const LyKey *key);
/* Signs in a job; takes `message` over. */
void ly_auth_begin_sign(LyClient *client, LyKey *key, const char *algorithm, LyBuf *message,
                        void (*signed_by_key)(LyClient *client, LyBytes signature, const LyError *error));
/* The only candidate: a private key of the application's. */
void ly_auth_candidate_set(LyClient *client, LyKey *key);

/* client-hostbased.c; as ly_auth_publickey */
bool ly_auth_hostbased(LyClient *client);

#endif
