/* Forwards served: tcpip-forward and streamlocal-forward@openssh.com (RFC 4254 section 7.1, OpenSSH's
 * PROTOCOL 2.4), and their cancelling. */
#include "loop/server-private.h"

#include "base/auto.h"
#include "base/memory.h"
#include "connection/forward.h"

#define LISTENERS_MAX 64
#define SOCKET_MODE 0600

typedef struct Listening {
    LyLink link;
    LyServer *server;
    LyListener *listener;
    char *asked;   /* address or path, literally as it was asked for: what a channel has to name */
    uint16_t port; /* 0: a Unix socket */
} Listening;

static void listening_free(Listening *listening)
{
    ly_link_remove(&listening->link);
    listening->server->forwards->listener_count--;
    ly_listener_free(listening->listener);
    ly_free(listening->asked);
    ly_free(listening);
}

void ly_server_listeners_free(struct LyServerForwards *forwards)
{
    ly_list_each(&forwards->listeners, Listening, link, listening) listening_free(listening);
}

static Listening *find(LyServer *server, LyBytes asked, uint32_t port)
{
    ly_list_each(&ly_server_forwards(server)->listeners, Listening, link, listening)
    {
        if (listening->port == port && ly_bytes_is(asked, listening->asked))
            return listening;
    }
    return NULL;
}

static void accepted(void *user, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    Listening *listening = user;
    LY_AUTO(ly_buf_free) LyBuf data = {0};
    LyBytes asked = ly_bytes_str(listening->asked), type;
    if (listening->port) {
        char origin[46];
        uint16_t origin_port;
        ly_sockaddr_text(peer, origin, &origin_port);
        LyTcpipOpen open = {.host = asked,
                            .port = listening->port,
                            .origin = ly_bytes_str(origin),
                            .origin_port = origin_port};
        type = LY_BYTES("forwarded-tcpip");
        ly_put_tcpip_open(&data, &open);
    } else {
        type = LY_BYTES("forwarded-streamlocal@openssh.com");
        ly_put_forwarded_streamlocal(&data, asked);
    }
    ly_server_forward_accepted(listening->server, fd, type, ly_buf_bytes(&data));
}

static bool refused(LyServer *server, LyBytes asked, const char *why)
{
    ly_log(&server->options->log, LY_LOG_INFO, "%s: may not listen on \"%s\": %s", server->name,
           LY_PRINTABLE(asked), why);
    return false;
}

/* A place for one more listener; NULL: there are too many (logged). */
static Listening *listening_new(LyServer *server, LyBytes asked)
{
    struct LyServerForwards *forwards = ly_server_forwards(server);
    uint32_t max = server->options->max_listeners ? server->options->max_listeners : LISTENERS_MAX;
    if (forwards->listener_count >= max) {
        refused(server, asked, "there are too many listeners");
        return NULL;
    }
    Listening *listening = ly_new(Listening);
    listening->server = server;
    listening->asked = ly_bytes_dup_str(asked);
    ly_list_append(&forwards->listeners, &listening->link);
    forwards->listener_count++;
    return listening;
}

static bool listening_started(Listening *listening, const LyError *error)
{
    LyServer *server = listening->server;
    if (listening->listener) {
        listening->port = ly_listener_port(listening->listener);
        ly_log(&server->options->log, LY_LOG_DEBUG, "%s: listens on %s for the client", server->name,
               ly_listener_name(listening->listener));
        return true;
    }
    ly_log(&server->options->log, LY_LOG_INFO, "%s: %s", server->name, error->message);
    listening_free(listening);
    return false;
}

/* Where to listen: what was asked for only where that is allowed. */
static const char *bind_address(const LyServer *server, const char *asked)
{
    if (server->options->forwards & LY_FORWARD_ANY_ADDRESS)
        return "*";
    return server->options->forwards & LY_FORWARD_GATEWAY ? asked : "localhost";
}

static bool tcpip_forward(LyServer *server, LyBytes data, LyBuf *reply)
{
    LyBytes address;
    uint32_t port;
    LyError error;
    if (!ly_get_tcpip_forward(data, &address, &port) || ly_bytes_has_nul(address) || port > UINT16_MAX)
        return false;
    if (!(server->options->forwards & LY_FORWARD_REMOTE) ||
        !ly_authorization_may_listen(&server->authorization, address, port))
        return refused(server, address, "this is not forwarded here");
    Listening *listening = listening_new(server, address);
    if (!listening)
        return false;
    listening->listener = ly_listener_new(server->loop, bind_address(server, listening->asked),
                                          (uint16_t)port, accepted, listening, &error);
    if (!listening_started(listening, &error))
        return false;
    if (!port)
        ly_put_forwarded_port(reply, listening->port);
    return true;
}

static bool cancel_tcpip_forward(LyServer *server, LyBytes data, LyBuf *reply)
{
    LyBytes address;
    uint32_t port;
    if (!ly_get_tcpip_forward(data, &address, &port) || !port)
        return false;
    Listening *listening = find(server, address, port);
    if (listening)
        listening_free(listening);
    return listening != NULL;
}

static bool streamlocal_forward(LyServer *server, LyBytes data, LyBuf *reply)
{
    LyBytes path;
    LyError error;
    unsigned forwards = server->options->forwards;
    if (!ly_get_streamlocal_forward(data, &path) || ly_bytes_has_nul(path) || !path.len ||
        path.data[0] != '/')
        return false;
    /* permitlisten= names hosts and ports: no socket is among them. */
    if (!(forwards & LY_FORWARD_REMOTE_STREAMLOCAL) || server->options->root ||
        !server->authorization.port_forwarding || server->authorization.permit_listen)
        return refused(server, path, "this is not forwarded here");
    Listening *listening = listening_new(server, path);
    if (!listening)
        return false;
    listening->listener = ly_listener_new_unix(server->loop, listening->asked, SOCKET_MODE,
                                               forwards & LY_FORWARD_UNLINK, accepted, listening, &error);
    return listening_started(listening, &error);
}

static bool cancel_streamlocal_forward(LyServer *server, LyBytes data, LyBuf *reply)
{
    LyBytes path;
    Listening *listening = ly_get_streamlocal_forward(data, &path) ? find(server, path, 0) : NULL;
    if (listening)
        listening_free(listening);
    return listening != NULL;
}

static const struct {
    const char *name;
    bool (*received)(LyServer *server, LyBytes data, LyBuf *reply);
} requests[] = {
    {"cancel-streamlocal-forward@openssh.com", cancel_streamlocal_forward},
    {"cancel-tcpip-forward", cancel_tcpip_forward},
    {"streamlocal-forward@openssh.com", streamlocal_forward},
    {"tcpip-forward", tcpip_forward},
};

bool ly_server_forward_request(LyServer *server, LyBytes type, LyBytes data, LyBuf *reply)
{
    for (size_t i = 0; i < LY_COUNT(requests); i++)
        if (ly_bytes_is(type, requests[i].name))
            return requests[i].received(server, data, reply);
    return false;
}
