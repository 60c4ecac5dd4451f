/* The Cygwin transport as the agent: a port on 127.0.0.1, the file that names it and its secret, and the
 * handshake in front of every client. */
#ifndef AGENT_CYGWIN_LISTEN_H
#define AGENT_CYGWIN_LISTEN_H

#include "serve.h"

enum { CYGWIN_HANDSHAKES_MAX = 64, CYGWIN_HANDSHAKE_SECONDS = 5 };

typedef struct CygwinListener CygwinListener;

/* Listens on a free port with a new secret and publishes both at `path`: written aside and renamed, so that
 * nobody reads half of it, mode 0600. A file that a former agent left is replaced; LY_ERROR_INVALID: a living
 * agent is behind the file (it is asked, which takes up to 2 s), or what lies there is no Cygwin socket file.
 * Clients whose handshake is good go to serve_client with what they say of themselves (`claimed`). A
 * handshake has 5 s; of more than 64 at once the oldest is closed, so that those who stall do not keep others
 * out. */
CygwinListener *cygwin_listener_new(LyLoop *loop, LyCrypto *crypto, Serve *serve, const char *path, LyLog log,
                                    LyError *error);
/* Removes the file unless another agent's is there by now, and closes what is in its handshake. NULL is fine.
 */
void cygwin_listener_free(CygwinListener *listener);

#endif
