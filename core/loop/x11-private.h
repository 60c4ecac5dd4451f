/* X11's parts without I/O: names of displays, the authority file, and the first bytes of a connection. */
#ifndef LY_LOOP_X11_PRIVATE_H
#define LY_LOOP_X11_PRIVATE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/wire.h"
#include "loop/x11.h"

typedef struct LyX11Display {
    char path[108]; /* of a Unix socket; empty: TCP */
    char host[256];
    uint32_t number, screen;
} LyX11Display;

/* "host:0.1", ":0", "unix:0", "[::1]:0", "/path" and "/path:0.1". False with *error. */
bool ly_x11_display_parse(const char *name, LyX11Display *display, LyError *error);

/* The display's MIT-MAGIC-COOKIE-1 in the bytes of an authority file: a view into them. `hostname`: this
 * machine's. The hosts of TCP displays are found by address, when they are given as one, or by name. */
bool ly_x11_authority_find(LyBytes file, const LyX11Display *display, const char *hostname, LyBytes *cookie);

/* The first bytes of a client (X11 protocol, "Connection Setup"): in either byte order. */
typedef enum LyX11First { LY_X11_MORE, LY_X11_RIGHT, LY_X11_WRONG } LyX11First;
enum { LY_X11_FIRST_MAX = 1024 }; /* more is refused */
/* RIGHT: the cookie is `fake`; *used is how many bytes of `in` that was, and `out` gets them with the cookie
 * `real` in its place (empty: no authorization). WRONG: `out` gets an answer for the client ("Failed", with a
 * reason). */
LyX11First ly_x11_first(LyBytes in, LyBytes fake, LyBytes real, size_t *used, LyBuf *out);

#endif
