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
    LyAuthorization authorization; /* of the key that was accepted */
    LyList channels;
    uint32_t channel_count;
};

/* What runs on a channel. */
typedef struct LyServerProgramClass {
    void (*data)(LyServerChannel *channel, LyBytes data); /* consumes the window itself */
    void (*eof)(LyServerChannel *channel);
    void (*window)(LyServerChannel *channel);
    void (*signal)(LyServerChannel *channel, LyBytes name); /* NULL: nobody to tell */
    void (*resize)(LyServerChannel *channel);               /* NULL */
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
    LyBuf environment;  /* "NAME=value\0" of env requests */
    uint32_t environment_count;
    LyServerTerminal terminal;
    const LyServerProgramClass *program; /* NULL: nothing runs yet */
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
void ly_server_terminal_close(LyServerTerminal *terminal);

#endif
