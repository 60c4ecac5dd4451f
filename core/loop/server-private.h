/* What the files of the server share. */
#ifndef LY_LOOP_SERVER_PRIVATE_H
#define LY_LOOP_SERVER_PRIVATE_H

#include "base/buf.h"
#include "base/list.h"
#include "key/authorized_keys.h"
#include "loop/drive.h"
#include "loop/server.h"
#include "sftp/directory.h"

struct LyServer {
    LyLoop *loop;
    const LyServerOptions *options;
    LyServerPeer peer;
    char name[64]; /* "192.0.2.1 port 4711" */
    LyDrive *drive;
    void (*ended)(void *user, LyServer *server);
    void *user;
    bool signed_in;
    LyBuf user_name;               /* of the last sign-in question */
    LyAuthorization authorization; /* of the key that was accepted */
    LyList channels;
    uint32_t channel_count;
    struct LyServerForwards *forwards; /* NULL: nothing was forwarded yet */
    bool agent_offered;                /* auth-agent-req was granted */
    struct LyServerAgent *agent;       /* NULL: not used yet */
};

/* What runs on a channel. */
typedef struct LyServerProgramClass {
    void (*data)(LyServerChannel *channel, LyBytes data); /* consumes the window itself */
    void (*eof)(LyServerChannel *channel);
    void (*window)(LyServerChannel *channel);
    void (*signal)(LyServerChannel *channel, LyBytes name); /* NULL: nobody to tell */
    void (*free)(LyServerChannel *channel);
} LyServerProgramClass;

typedef struct LyServerTerminal { /* pty-req */
    bool wanted;
    int fd; /* the master; -1: none yet */
    char path[64];
    LyPtyRequest size; /* as asked for and changed since; its views are into `request` */
    LyBuf request;
} LyServerTerminal;

struct LyServerChannel {
    LyServer *server;
    LyLink link;
    LyChannel *channel; /* NULL: it is gone */
    void *user;         /* the application's */
    LyBuf environment;  /* "NAME=value\0" of env requests */
    uint32_t environment_count;
    LyServerTerminal terminal;
    LyBuf x11_request;
    struct LyServerX11 *x11;             /* NULL: not asked for */
    bool agent;                          /* auth-agent-req was granted */
    bool taken;                          /* by the application's `start` */
    const LyServerProgramClass *program; /* NULL: nothing of ours runs */
    void *state;                         /* the program's */
};

/* A sign-in question: answers it. */
void ly_server_authenticate(LyServer *server, const LyUserauthRequest *request);
/* The methods there are, for USERAUTH_FAILURE. */
const char *ly_server_auth_methods(const LyServerOptions *options);

/* Channels and global requests. */
void ly_server_connection_event(LyServer *server, const LyConnectionEvent *event);
void ly_server_announce_host_keys(LyServer *server);
bool ly_server_prove_host_keys(LyServer *server, LyBytes data, LyBuf *proofs);
void ly_server_channel_free(LyServerChannel *channel);

/* Programs: NULL `command` is a login shell. False: it could not be started (logged). */
bool ly_server_exec(LyServerChannel *channel, const char *command, const char *original);
bool ly_server_sftp(LyServerChannel *channel);
/* Sends the exit status or signal, EOF and CLOSE. */
void ly_server_channel_exit(LyServerChannel *channel, int wait_status);

/* A terminal of this channel's pty-req, opened; its modes and size set. */
bool ly_server_terminal_open(LyServerTerminal *terminal, LyError *error);
void ly_server_terminal_resize(LyServerTerminal *terminal);
bool ly_server_terminal_break(LyServerTerminal *terminal);
void ly_server_terminal_close(LyServerTerminal *terminal);

/* ---- forwards ---- */

struct LyServerForwards {
    LyList connections; /* forwarded, or being made */
    uint32_t connection_count;
    LyList listeners; /* of tcpip-forward and streamlocal-forward@openssh.com */
    uint32_t listener_count;
    LyListener *agent_listener; /* SSH_AUTH_SOCK, and the directory that only it is in; NULL: not asked for */
    char *agent_directory, *agent_path;
};

/* What is forwarded; made when it is first asked for. */
struct LyServerForwards *ly_server_forwards(LyServer *server);
/* A channel of another type than session: accepts or refuses it, now or later. */
void ly_server_forward_open(LyServer *server, const LyConnectionEvent *event);
/* tcpip-forward and its kin; `reply` is filled for success. */
bool ly_server_forward_request(LyServer *server, LyBytes type, LyBytes data, LyBuf *reply);
/* All of it ends: connections, listeners, the agent's socket. */
void ly_server_forwards_free(LyServer *server);
void ly_server_listeners_free(struct LyServerForwards *forwards);
void ly_server_agent_socket_free(struct LyServerForwards *forwards);

/* Whoever connected to a listener of ours is joined to a channel that is opened to the client for it. Takes
 * the socket. */
void ly_server_forward_accepted(LyServer *server, int fd, LyBytes type, LyBytes data);
/* SSH_AUTH_SOCK; NULL with *error. The view lives as long as the server. */
const char *ly_server_agent_socket(LyServer *server, LyError *error);
void ly_server_agent_free(struct LyServerAgent *agent);

/* x11-req: listens. False: refused (logged). */
bool ly_server_x11_listen(LyServerChannel *channel, const LyX11Request *x11);
/* DISPLAY. */
const char *ly_server_x11_display(const struct LyServerX11 *x11);
/* What xauth(1) is to be told: one command a line. */
const char *ly_server_x11_authority(const struct LyServerX11 *x11);
void ly_server_x11_free(struct LyServerX11 *x11);

#endif
