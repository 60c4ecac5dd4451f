/* What the server examples have in common: a listener, and a LyServer for each connection. (sshd.c has more
 * of it: limits, files, settings.) */
#ifndef LY_EXAMPLES_SERVE_H
#define LY_EXAMPLES_SERVE_H

#include "common.h"
#include "loop/server.h"

/* Serves who connects to the port of -p (0 or none: a free one) at 127.0.0.1, until SIGINT or SIGTERM. Prints
 * "listening on 127.0.0.1:2222". Fills in what every server needs: crypto, host key, log, time to sign in.
 * Returns the exit status. */
int serve(Example *example, LyServerOptions *options, LyKey *host_key);

#endif
