/* One connection served: a session in the server role over a carrier, signed in by authorized_keys or a
 * password file, with commands, shells and SFTP on its channels. Whoever signs in acts as the uid that the
 * program runs as, by whatever name. */
#ifndef LY_LOOP_SERVER_H
#define LY_LOOP_SERVER_H

#include "loop/carrier.h"
#include "session/session.h"

typedef struct LyServer LyServer;

/* What all connections of a program have in common; it must outlive them. */
typedef struct LyServerOptions {
    /* Host keys, algorithms, limits, banner, times. Its role, its userauth.methods and its transport.log are
     * set here from what follows. */
    LySessionOptions session;
    const char *authorized_keys; /* read anew for each sign-in; NULL: no publickey */
    const char *password_file;   /* "user:password" lines, read anew; for password and keyboard-interactive.
                                    NULL: neither */
    const char *root;            /* SFTP's "/"; commands and shells are off. NULL: the whole file system */
    /* whatever is asked for, this runs ("internal-sftp": SFTP); NULL: nothing forced */
    const char *force_command;
    uint32_t max_sessions;   /* session channels open at once; 0: 64 */
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

#endif
