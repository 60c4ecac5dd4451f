/* The whole stack of one SSH connection composed: transport, userauth, connection. It adds nothing of its own
 * but the order of things: events of the three floors come out of one call. */
#ifndef LY_SESSION_SESSION_H
#define LY_SESSION_SESSION_H

#include "connection/connection.h"
#include "userauth/client.h"
#include "userauth/server.h"

typedef struct LySession LySession;

typedef struct LySessionOptions {
    LyTransportOptions transport; /* its role is the session's */
    LyConnectionOptions connection;
    LyBytes user;                     /* client */
    LyUserauthServerOptions userauth; /* server */
    uint64_t auth_timeout_us; /* server: login grace time from the connection's begin to SUCCESS. Client: from
                                 NEWKEYS, paused while a question is open. 0: none */
} LySessionOptions;

LySession *ly_session_new(const LySessionOptions *options, uint64_t now_us, LyError *error);
void ly_session_free(LySession *session);

/* As of LyTransport: bytes in, bytes out, time. */
uint8_t *ly_session_input(LySession *session, size_t *room);
void ly_session_input_done(LySession *session, size_t len);
LyBytes ly_session_output(LySession *session);
void ly_session_output_done(LySession *session, size_t len);
uint64_t ly_session_deadline_us(const LySession *session);
void ly_session_tick(LySession *session, uint64_t now_us);

typedef enum LySessionEventType {
    LY_SESSION_TRANSPORT,       /* event.transport: IDENT, GREETING, HOST_KEY (question), NEWKEYS, EXT_INFO,
                                   DEBUG_TEXT */
    LY_SESSION_USERAUTH_CLIENT, /* event.userauth; SUCCESS comes as READY */
    LY_SESSION_USERAUTH_SERVER, /* event.request: a question */
    LY_SESSION_READY,           /* signed in: channels may be opened */
    LY_SESSION_CONNECTION,      /* event.connection */
    LY_SESSION_CLOSED,          /* last; event.error->code LY_OK for an orderly end */
} LySessionEventType;

typedef struct LySessionEvent {
    LySessionEventType type;
    union {
        LyTransportEvent transport;
        LyUserauthClientEvent userauth;
        LyUserauthRequest request;
        LyConnectionEvent connection;
        const LyError *error;
    };
} LySessionEvent;

/* The next event; false when there is none and input is wanted. To be asked again after output was written,
 * too (a channel may have room then), and after an answer to a sign-in question. */
bool ly_session_next(LySession *session, LySessionEvent *event);

/* The floors, for answers and requests. userauth: NULL before NEWKEYS and for the other role; connection:
 * NULL before READY. */
LyTransport *ly_session_transport(LySession *session);
LyUserauthClient *ly_session_userauth_client(LySession *session);
LyUserauthServer *ly_session_userauth_server(LySession *session);
LyConnection *ly_session_connection(LySession *session);

#endif
