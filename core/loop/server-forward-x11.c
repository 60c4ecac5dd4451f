/* X11 forwarding, the server's half (RFC 4254 section 6.3): a display that leads to the client. The cookie
 * that the client made up goes to xauth(1); whether who comes has it, the client judges. */
#include "loop/server-private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/memory.h"
#include "connection/forward.h"

#define DISPLAY_FIRST 10 /* lower ones belong to displays of this machine */
#define DISPLAY_LAST 999
#define PORT_OF_DISPLAY_0 6000
#define SCREEN_MAX 400
#define TEXT_MAX 512

struct LyServerX11 {
    LyServer *server;
    LyListener *listener; /* NULL: the single connection came */
    bool single;
    char display[32];
    char *authority;
};

static void accepted(void *user, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    struct LyServerX11 *x11 = user;
    LY_AUTO(ly_buf_free) LyBuf data = {0};
    char origin[46];
    uint16_t port;
    ly_sockaddr_text(peer, origin, &port);
    ly_put_x11_open(&data, ly_bytes_str(origin), port);
    ly_server_forward_accepted(x11->server, fd, LY_BYTES("x11"), ly_buf_bytes(&data));
    if (x11->single) {
        ly_listener_free(x11->listener);
        x11->listener = NULL;
    }
}

/* What may stand in a line that xauth reads. */
static bool is_plain(LyBytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i], letter = c | 0x20;
        if (!(c >= '0' && c <= '9') && !(letter >= 'a' && letter <= 'z') && c != '-' && c != '_' && c != '.')
            return false;
    }
    return text.len > 0 && text.len <= TEXT_MAX;
}

bool ly_server_x11_listen(LyServerChannel *channel, const LyX11Request *request)
{
    LyServer *server = channel->server;
    LyError error = {0};
    if (!is_plain(request->protocol) || !is_plain(request->cookie) || request->screen > SCREEN_MAX)
        return false;
    struct LyServerX11 *x11 = ly_new(struct LyServerX11);
    x11->server = server;
    x11->single = request->single;
    unsigned display = DISPLAY_FIRST;
    for (; !x11->listener && display <= DISPLAY_LAST; display++) {
        x11->listener = ly_listener_new(server->loop, "localhost", (uint16_t)(PORT_OF_DISPLAY_0 + display),
                                        accepted, x11, &error);
        if (!x11->listener && error.system != EADDRINUSE)
            break;
    }
    if (!x11->listener) {
        ly_log(&server->options->log, LY_LOG_ERROR, "%s: no X11 display: %s", server->name, error.message);
        ly_free(x11);
        return false;
    }
    display--;
    snprintf(x11->display, sizeof x11->display, "localhost:%u.%u", display, (unsigned)request->screen);
    LY_AUTO_FREE char *protocol = ly_bytes_dup_str(request->protocol);
    LY_AUTO_FREE char *cookie = ly_bytes_dup_str(request->cookie);
    /* Clients take a loopback address for this machine, which xauth calls "unix". */
    x11->authority =
        ly_format("remove unix:%u.%u\nadd unix:%u.%u %s %s\n", display, (unsigned)request->screen, display,
                  (unsigned)request->screen, protocol, cookie);
    ly_cleanse(cookie, strlen(cookie));
    channel->x11 = x11;
    return true;
}

const char *ly_server_x11_display(const struct LyServerX11 *x11)
{
    return x11->display;
}

const char *ly_server_x11_authority(const struct LyServerX11 *x11)
{
    return x11->authority;
}

void ly_server_x11_free(struct LyServerX11 *x11)
{
    if (!x11)
        return;
    ly_listener_free(x11->listener);
    ly_cleanse(x11->authority, strlen(x11->authority));
    ly_free(x11->authority);
    ly_free(x11);
}
