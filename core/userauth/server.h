/* RFC 4252 and 4256, the server's side. Requests come out as questions; signatures are verified here before
 * the application is asked, so that it decides only who may do what. */
#ifndef LY_USERAUTH_SERVER_H
#define LY_USERAUTH_SERVER_H

#include "userauth/client.h" /* LyPrompt */

typedef struct LyUserauthServer LyUserauthServer;

typedef struct LyUserauthServerOptions {
    const char *methods;   /* name-list of what can be used at all:
                              "publickey,password,keyboard-interactive,hostbased" */
    unsigned max_attempts; /* failures before the connection is closed
                              (SSH_DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE); 0: 6 */
    const char *banner;    /* sent once before the first answer; NULL: none */
} LyUserauthServerOptions;

LyUserauthServer *ly_userauth_server_new(LyTransport *transport, const LyUserauthServerOptions *options);
void ly_userauth_server_free(LyUserauthServer *auth);

typedef enum LyUserauthMethod {
    LY_METHOD_NONE,
    LY_METHOD_PUBLICKEY,
    LY_METHOD_PASSWORD,
    LY_METHOD_KEYBOARD_INTERACTIVE,
    LY_METHOD_HOSTBASED
} LyUserauthMethod;

/* Every event is a question, answered by exactly one of accept, refuse, pk_ok, change_password, info_request.
 * Everything in it is kept until then. Further requests of the peer wait (at most 10). */
typedef struct LyUserauthRequest {
    LyBytes user;
    LyUserauthMethod method;
    bool proven; /* PUBLICKEY: with a verified signature (false: a probe). HOSTBASED: always true */
    LyKey *key;  /* PUBLICKEY, HOSTBASED; borrowed */
    LyBytes algorithm;
    uint8_t sk_flags;               /* sk-* keys: bit 0 user presence, bit 2 user verification */
    LyBytes password, new_password; /* PASSWORD; new_password empty unless a change */
    bool change;
    LyBytes submethods;       /* KEYBOARD_INTERACTIVE, first question */
    const LyBytes *responses; /* KEYBOARD_INTERACTIVE, after an info_request: as many as prompts were sent */
    size_t response_count;
    bool answered;            /* KEYBOARD_INTERACTIVE: responses are there */
    LyBytes host, local_user; /* HOSTBASED */
} LyUserauthRequest;

/* Feeds a packet (message 5, 50 to 79); true when it gave a question. Another user name than before is fine
 * until a partial success was given; then it ends the connection (RFC 4252 section 5: what was proven would
 * be void). Requests with a bad signature, an unknown method or service are answered here with FAILURE (or
 * DISCONNECT for the service). */
bool ly_userauth_server_receive(LyUserauthServer *auth, LyBytes payload, LyUserauthRequest *request);
/* After an answer: the next waiting request, if any. */
bool ly_userauth_server_next(LyUserauthServer *auth, LyUserauthRequest *request);

/* SUCCESS. A probe cannot be accepted: it gets pk_ok. */
void ly_userauth_server_accept(LyUserauthServer *auth);
/* FAILURE; `methods` that can continue (NULL: all of the options), `partial` success. */
void ly_userauth_server_refuse(LyUserauthServer *auth, const char *methods, bool partial);
void ly_userauth_server_pk_ok(LyUserauthServer *auth);
void ly_userauth_server_change_password(LyUserauthServer *auth, LyBytes prompt);
void ly_userauth_server_info_request(LyUserauthServer *auth, LyBytes name, LyBytes instruction,
                                     const LyPrompt *prompts, size_t count);
bool ly_userauth_server_is_done(const LyUserauthServer *auth);

#endif
