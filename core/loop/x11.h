/* X11 forwarding, the client's half (RFC 4254 section 6.3): the server is told a cookie made up for this
 * connection; whoever comes with it over an x11 channel is let through to the local display with the
 * display's real cookie, whoever comes without is refused. */
#ifndef LY_LOOP_X11_H
#define LY_LOOP_X11_H

#include "loop/client.h"
#include "loop/program.h"

typedef struct LyX11 LyX11;

typedef struct LyX11Options { /* copied */
    const char *display;      /* "host:0.1", ":0", "unix:0", "/path"; NULL: $DISPLAY */
    const char *xauthority;   /* NULL: $XAUTHORITY or ~/.Xauthority; missing file or entry: the display
                                  gets no cookie */
    uint64_t timeout_us;      /* after which new connections are refused (ForwardX11Timeout); 0: never */
    bool single;              /* the first connection is the only one */
} LyX11Options;

/* One a client: it serves all its programs. NULL with *error: there is no display, or its name is malformed.
 * Reads the authority file. */
LyX11 *ly_x11_new(LyClient *client, const LyX11Options *options, LyError *error);
/* What LyProgramOptions.x11 takes; views live as long as the object. */
const LyX11Request *ly_x11_request(const LyX11 *x11);
/* At any time; NULL is fine. */
void ly_x11_free(LyX11 *x11);

#endif
