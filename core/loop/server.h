/* One connection served: a session in the server role over a carrier. Ready-made answers (LyServerOptions)
 * let people in by authorized_keys or a password file and give them commands, shells, SFTP and forwards; an
 * application with a mind of its own (LyServerHandlers) is asked first, whatever it leaves goes to the
 * ready-made answers, and what these do not cover is refused. Whoever signs in acts as the uid that the
 * program runs as, by whatever name. */
#ifndef LY_LOOP_SERVER_H
#define LY_LOOP_SERVER_H

#include "connection/session-channel.h"
#include "loop/agent.h"
#include "loop/carrier.h"
#include "session/session.h"
#include "sftp/server.h"

typedef struct LyServer LyServer;
typedef struct LyServerChannel LyServerChannel; /* a session channel */

/* What a client wants to run on a session channel. */
typedef enum LyServerStartKind { LY_START_EXEC, LY_START_SHELL, LY_START_SUBSYSTEM } LyServerStartKind;
typedef struct LyServerStart {
    LyServerStartKind kind;
    LyBytes command; /* EXEC: the command; SUBSYSTEM: its name */
    /* A command is forced (force_command, authorized_keys' command=, a certificate): `kind` and `command` say
     * what has to run, `original` what the client asked for (empty: a shell; "sftp": the subsystem). */
    bool forced;
    LyBytes original;
} LyServerStart;

/* The application's answers. Each may be NULL; false leaves the question to the ready-made answers. A
 * question that was taken (true) may be answered later, and later ones wait for it: replies leave in the
 * order of the requests. Views live until the handler returns, those of `authenticate` until the answer.
 * Handlers and channel functions do not free the server (ly_server_disconnect ends it); `ended` may. */
typedef struct LyServerHandlers {
    /* What happens below: the client's identification, NEWKEYS, extensions. Until it returns. */
    void (*transport)(void *user, LyServer *server, const LyTransportEvent *event);
    /* May this user in? Signatures were verified. Answer with ly_server_userauth(server) and one of
     * ly_userauth_server_accept, _refuse, _pk_ok, _change_password, _info_request, then ly_server_wake. */
    bool (*authenticate)(void *user, LyServer *server, const LyUserauthRequest *request);
    void (*ready)(void *user, LyServer *server, LyBytes user_name); /* signed in */
    /* A channel of another type than session is opened: accept (with a func of its own) or refuse. */
    bool (*open_request)(void *user, LyServer *server, const LyConnectionEvent *event);
    /* May a session be opened? False refuses it (session_closed is not called then). NULL: as max_sessions
     * allows, which holds in any case. */
    bool (*session)(void *user, LyServer *server, LyServerChannel *channel);
    /* A request on a session before and beside its program: env, pty-req, window-change, x11-req, signal,
     * break, auth-agent-req@openssh.com: answer with ly_channel_reply if event->want_reply. The ready-made
     * answers keep env (LANG, LC_*, GIT_PROTOCOL), pty and x11 for the getters below. */
    bool (*request)(void *user, LyServer *server, LyServerChannel *channel, const LyConnectionEvent *event);
    /* exec, shell or subsystem. True: the channel is the application's from now on (ly_channel_set_func on
     * ly_server_channel); it answers with ly_channel_reply if event->want_reply and closes the channel in the
     * end. `window-change`, `signal` and so on come to its func too. */
    bool (*start)(void *user, LyServer *server, LyServerChannel *channel, const LyServerStart *start,
                  const LyConnectionEvent *event);
    /* The subsystem sftp is to be served: true when *options (backend, read_only ...; sink and symlink order
     * are set by the library) was filled in. False: the directory backend. */
    bool (*sftp)(void *user, LyServer *server, LyServerChannel *channel, LySftpServerOptions *options);
    /* Closed by both sides, or the connection ended: free what belonged to it. */
    void (*session_closed)(void *user, LyServer *server, LyServerChannel *channel);
    /* tcpip-forward, cancel-tcpip-forward, streamlocal-forward@openssh.com ...: answer with ly_global_reply,
     * in order, if event->want_reply. */
    bool (*global_request)(void *user, LyServer *server, const LyConnectionEvent *event);
    /* The answer to a ly_global_request of the application's own. */
    void (*global_reply)(void *user, LyServer *server, const LyConnectionEvent *event);
    void *user;
} LyServerHandlers;

/* What the ready-made answers forward; nothing unless asked. authorized_keys' restrictions (permitopen,
 * permitlisten, no-port-forwarding, no-agent-forwarding, no-X11-forwarding, restrict) hold as well. */
enum {
    LY_FORWARD_LOCAL = 1,  /* direct-tcpip */
    LY_FORWARD_REMOTE = 2, /* tcpip-forward, on loopback whatever address is asked for; port 0 is answered
                              with the port */
    LY_FORWARD_LOCAL_STREAMLOCAL = 4, /* the same with Unix sockets, but not where there is a `root` */
    LY_FORWARD_REMOTE_STREAMLOCAL = 8,
    LY_FORWARD_STREAMLOCAL = 12,
    LY_FORWARD_AGENT = 16,        /* auth-agent-req: SSH_AUTH_SOCK for what runs */
    LY_FORWARD_X11 = 32,          /* x11-req: DISPLAY for what runs, its cookie by xauth(1) */
    LY_FORWARD_GATEWAY = 64,      /* remote forwards on the address that is asked for */
    LY_FORWARD_ANY_ADDRESS = 128, /* remote forwards on every address, whatever is asked for */
    LY_FORWARD_UNLINK = 256,      /* a socket (nothing else) that is at a path to listen on is replaced */
};

/* What all connections of a program have in common; it must outlive them. */
typedef struct LyServerOptions {
    /* Host keys, algorithms, limits, banner, times. Its role and its transport.log are set here from what
     * follows, and so is userauth.methods unless there is a handler `authenticate` (NULL then: what the
     * ready-made answers have, or all if that is nothing). */
    LySessionOptions session;
    const char *authorized_keys; /* read anew for each sign-in; NULL: no publickey */
    const char *password_file;   /* "user:password" lines, read anew; for password and keyboard-interactive.
                                    NULL: neither */
    const char *root;            /* SFTP's "/"; commands and shells are off. NULL: the whole file system */
    /* whatever is asked for, this runs ("internal-sftp": SFTP); NULL: nothing forced */
    const char *force_command;
    uint32_t max_sessions;  /* session channels open at once; 0: 64 */
    unsigned forwards;      /* LY_FORWARD_* */
    uint32_t max_forwarded; /* connections forwarded at once; 0: 512 */
    uint32_t max_listeners; /* of remote forwards; 0: 64 */
    LyServerHandlers handlers;
    bool announce_host_keys; /* hostkeys-00@openssh.com after the sign-in, and its proofs */
    LyLog log;               /* who signed in and how, what went wrong */
} LyServerOptions;

typedef struct LyServerPeer {            /* copied; for from=, the log and SSH_CONNECTION */
    char address[46], local_address[46]; /* without port; "UNKNOWN" when the carrier is no socket */
    uint16_t port, local_port;
} LyServerPeer;

/* Takes the carrier, also on failure. `ended` is called once, when the connection is over; the object may be
 * freed from within it. */
LyServer *ly_server_new(LyLoop *loop, const LyServerOptions *options, LyCarrier *carrier,
                        const LyServerPeer *peer, void (*ended)(void *user, LyServer *server), void *user,
                        LyError *error);
/* Ends the connection at once (DISCONNECT is sent if it can be) with what runs on it: commands get SIGHUP. */
void ly_server_free(LyServer *server);
bool ly_server_is_signed_in(const LyServer *server);
const LyServerPeer *ly_server_peer(const LyServer *server);
/* The user's name that was signed in with; empty before. Kept by the server. */
LyBytes ly_server_user(const LyServer *server);
LySession *ly_server_session(LyServer *server);
LyUserauthServer *ly_server_userauth(LyServer *server);
LyConnection *ly_server_connection(LyServer *server); /* NULL before the sign-in */
/* To be said after the session was used outside of handlers and channel functions. Cheap. */
void ly_server_wake(LyServer *server);
/* Sends DISCONNECT with the sentence; `ended` follows. */
void ly_server_disconnect(LyServer *server, uint32_t reason, const char *sentence);

/* Of a session channel: what the client sent before its program. Views live as long as the channel. */
LyChannel *ly_server_channel(const LyServerChannel *channel); /* NULL in session_closed */
LyServer *ly_server_channel_server(const LyServerChannel *channel);
void *ly_server_channel_user(const LyServerChannel *channel); /* the application's */
void ly_server_channel_set_user(LyServerChannel *channel, void *user);
bool ly_server_channel_pty(const LyServerChannel *channel, LyPtyRequest *pty); /* false: none was asked for */
bool ly_server_channel_x11(const LyServerChannel *channel, LyX11Request *x11);
/* The variables, from index 0 on; false: there are no more. */
bool ly_server_channel_env(const LyServerChannel *channel, size_t index, LyBytes *name, LyBytes *value);
/* A connection to the client's agent, over a channel (auth-agent@openssh.com) that all of them share and that
 * is opened when it is first used. NULL with *error: the client did not offer its agent, or it is not
 * forwarded here (LY_FORWARD_AGENT). To be freed before the server, or in `ended`. */
LyAgentConnection *ly_server_agent(LyServer *server, LyError *error);

#endif
