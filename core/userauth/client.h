/* RFC 4252 and 4256, the client's side: one attempt after another, each chosen by the caller, who is told
 * what the server still offers. Answers come when they come: no clock runs here. */
#ifndef LY_USERAUTH_CLIENT_H
#define LY_USERAUTH_CLIENT_H

#include "transport/transport.h"

typedef struct LyUserauthClient LyUserauthClient;

/* Sends SERVICE_REQUEST "ssh-userauth". `user` is copied. */
LyUserauthClient *ly_userauth_client_new(LyTransport *transport, LyBytes user);
void ly_userauth_client_free(LyUserauthClient *auth);
/* Who signs in by the attempts that follow (copied). RFC 4252 section 5: with another user the server starts
 * anew. To be said in the caller's turn. */
void ly_userauth_client_set_user(LyUserauthClient *auth, LyBytes user);

typedef struct LyPrompt {
    LyBytes text;
    bool echo;
} LyPrompt;
#define LY_PROMPTS_MAX 64

typedef enum LyUserauthClientEventType {
    LY_USERAUTH_NEXT,   /* choose a method: the service was accepted (methods empty, first = true), or an
                           attempt failed. `methods` can continue; `partial` success */
    LY_USERAUTH_BANNER, /* `text`, unescaped */
    LY_USERAUTH_PK_OK,  /* the server would take this key: sign now (ly_userauth_publickey_data, then
                           _publickey) */
    LY_USERAUTH_PASSWD_CHANGEREQ, /* `text` = prompt; answer with ly_userauth_password_change */
    LY_USERAUTH_INFO_REQUEST, /* `name`, `text` = instruction, prompts; answer with ly_userauth_info_response
                               */
    LY_USERAUTH_SUCCESS,      /* signed in; ly_transport_authenticated was called */
} LyUserauthClientEventType;

typedef struct LyUserauthClientEvent {
    LyUserauthClientEventType type;
    bool first, partial;
    LyBytes methods, text, name;
    LyBytes key_blob, algorithm; /* PK_OK */
    const LyPrompt *prompts;     /* INFO_REQUEST; kept until the response is sent */
    size_t prompt_count;
} LyUserauthClientEvent;

/* Feeds a packet (message 6, 50 to 79); true when it gave an event. Violations fail the transport. */
bool ly_userauth_client_receive(LyUserauthClient *auth, LyBytes payload, LyUserauthClientEvent *event);

/* An answer of the server is awaited; false while it is the caller's turn, and after SUCCESS. */
bool ly_userauth_client_is_waiting(const LyUserauthClient *auth);

/* Attempts; exactly one after each NEXT. After PK_OK, PASSWD_CHANGEREQ and INFO_REQUEST another attempt gives
 * up the one before. Out of turn they fail the transport with LY_ERROR_INVALID. */
void ly_userauth_none(LyUserauthClient *auth);
void ly_userauth_password(LyUserauthClient *auth, LyBytes password);
void ly_userauth_password_change(LyUserauthClient *auth, LyBytes old_password, LyBytes new_password);
/* Asks whether the key would do. */
void ly_userauth_publickey_probe(LyUserauthClient *auth, LyBytes algorithm, LyBytes key_blob);
/* What is to be signed for this key: appends to `data`. With a server that advertises
 * publickey-hostbound@openssh.com the method is publickey-hostbound-v00@openssh.com, in data and request
 * alike. */
void ly_userauth_publickey_data(LyUserauthClient *auth, LyBytes algorithm, LyBytes key_blob, LyBuf *data);
void ly_userauth_publickey(LyUserauthClient *auth, LyBytes algorithm, LyBytes key_blob, LyBytes signature);
void ly_userauth_hostbased_data(LyUserauthClient *auth, LyBytes algorithm, LyBytes host_key_blob,
                                LyBytes host, LyBytes local_user, LyBuf *data);
void ly_userauth_hostbased(LyUserauthClient *auth, LyBytes algorithm, LyBytes host_key_blob, LyBytes host,
                           LyBytes local_user, LyBytes signature);
void ly_userauth_keyboard_interactive(LyUserauthClient *auth, LyBytes submethods);
/* `count` must be the request's prompt_count. */
void ly_userauth_info_response(LyUserauthClient *auth, const LyBytes *responses, size_t count);
/* The best signature algorithm for a key: from `accepted` (a name-list, ours) and server-sig-algs; without
 * server-sig-algs RSA keys get rsa-sha2-512 unless the server is known not to have it, then what `accepted`
 * has. False: none fits. */
bool ly_userauth_choose_algorithm(const LyUserauthClient *auth, const char *key_type, LyBytes accepted,
                                  LyBytes *algorithm);

#endif
