#include "loop/forward.h"

#include <arpa/inet.h>

#include "base/auto.h"
#include "base/memory.h"
#include "base/secret.h"
#include "loop/client-private.h"
#include "loop/forward-private.h"

#define CONNECTIONS_MAX 1024
#define UNIX_MODE 0600

void ly_forward_failed(LyForward *forward, const LyError *error, bool fatal)
{
    if (forward->options.failed)
        forward->options.failed(forward->options.user, forward, error, fatal);
    else if (forward->client)
        ly_log(ly_client_log(forward->client), fatal ? LY_LOG_WARNING : LY_LOG_INFO, "forwarding: %s",
               error->message);
}

/* ---- life ---- */

static LyForwardEnd copy_end(const LyForwardEnd *end)
{
    return (LyForwardEnd){.host = end->path ? NULL : ly_strdup(end->host ? end->host : ""),
                          .port = end->path ? 0 : end->port,
                          .path = ly_strdup(end->path)};
}

static void free_end(LyForwardEnd *end)
{
    ly_free((char *)end->host);
    ly_free((char *)end->path);
    *end = (LyForwardEnd){0};
}

static const char *copy_secret(const char *text)
{
    return text ? (const char *)ly_secret_copy(ly_bytes(text, strlen(text) + 1)).data : NULL;
}

/* The connection is over; the owner hears of it from the client. */
static void client_ended(void *user, const LyError *error)
{
    LyForward *forward = user;
    forward->client = NULL;
    ly_listener_free(forward->listener);
    forward->listener = NULL;
    ly_forward_drop_connections(forward);
}

/* NULL with *error: no connection, or streamlocal is asked of a server that is not known to have it. */
static LyForward *forward_new(LyClient *client, const LyForwardEnd *listen, const LyForwardEnd *to,
                              const LyForwardOptions *options, bool remote, LyError *error)
{
    static const LyForwardOptions none;
    const char *asked = remote ? listen->path : to ? to->path : NULL;
    if (!ly_forward_connection(client, error))
        return NULL;
    if (asked && !ly_client_speaks_openssh(client)) {
        ly_error_set(
            error, LY_ERROR_UNSUPPORTED,
            "cannot forward %s: the server is not known to forward Unix sockets, which is OpenSSH's own",
            LY_PRINTABLE(ly_bytes_str(asked)));
        return NULL;
    }
    LyForward *forward = ly_new(LyForward);
    forward->client = client;
    forward->loop = ly_client_loop(client);
    forward->dependent = (LyDependent){.ended = client_ended, .user = forward};
    forward->options = options ? *options : none;
    forward->options.user_name = copy_secret(forward->options.user_name);
    forward->options.password = copy_secret(forward->options.password);
    if (!forward->options.max_connections)
        forward->options.max_connections = CONNECTIONS_MAX;
    if (!forward->options.unix_mode)
        forward->options.unix_mode = UNIX_MODE;
    forward->listen = copy_end(listen);
    forward->socks = !to;
    if (to)
        forward->to = copy_end(to);
    forward->remote = remote;
    ly_list_init(&forward->connections);
    ly_client_add_dependent(client, &forward->dependent);
    return forward;
}

/* ---- ours ---- */

static void accepted(void *user, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    ly_forward_accepted(user, fd, peer);
}

static LyForward *listen_here(LyClient *client, const LyForwardEnd *listen, const LyForwardEnd *to,
                              const LyForwardOptions *options, LyError *error)
{
    LyForward *forward = forward_new(client, listen, to, options, false, error);
    if (!forward)
        return NULL;
    const LyForwardEnd *at = &forward->listen;
    forward->listener = at->path
                            ? ly_listener_new_unix(forward->loop, at->path, forward->options.unix_mode,
                                                   forward->options.unlink, accepted, forward, error)
                            : ly_listener_new(forward->loop, at->host, at->port, accepted, forward, error);
    if (forward->listener)
        return forward;
    ly_forward_free(forward);
    return NULL;
}

LyForward *ly_forward_local(LyClient *client, const LyForwardEnd *listen, const LyForwardEnd *to,
                            const LyForwardOptions *options, LyError *error)
{
    return listen_here(client, listen, to, options, error);
}

LyForward *ly_forward_dynamic(LyClient *client, const LyForwardEnd *listen, const LyForwardOptions *options,
                              LyError *error)
{
    return listen_here(client, listen, NULL, options, error);
}

uint16_t ly_forward_port(const LyForward *forward)
{
    return forward->listener ? ly_listener_port(forward->listener) : forward->remote_port;
}

uint32_t ly_forward_connections(const LyForward *forward)
{
    return forward->count;
}

/* ---- the server's ---- */

/* Lives until the answer, because a forward that was freed before has to be cancelled by its port then. */
struct LyForwardAsked {
    LyForward *forward; /* NULL: freed */
    LyClient *client;
    LyForwardEnd listen;
};
typedef struct LyForwardAsked Asked;

/* RFC 4254 section 7.1: "" is every address, for which a user says "*". */
static LyBytes wire_address(const LyForwardEnd *listen)
{
    return ly_bytes_str(strcmp(listen->host, "*") == 0 ? "" : listen->host);
}

static void cancel(LyClient *client, const LyForwardEnd *listen, uint16_t port)
{
    LyBuf data = {0};
    if (listen->path)
        ly_put_streamlocal_forward(&data, ly_bytes_str(listen->path));
    else
        ly_put_tcpip_forward(&data, wire_address(listen), port);
    if (ly_forward_connection(client, NULL))
        ly_client_global_request(client,
                                 listen->path ? LY_BYTES("cancel-streamlocal-forward@openssh.com")
                                              : LY_BYTES("cancel-tcpip-forward"),
                                 ly_buf_bytes(&data), NULL, NULL);
    ly_buf_free(&data);
}

static void answered(void *user, bool success, LyBytes data)
{
    Asked *asked = user;
    LyForward *forward = asked->forward;
    uint32_t port = asked->listen.port;
    LyError error;
    if (success && !asked->listen.path && !port && (!ly_get_forwarded_port(data, &port) || port > UINT16_MAX))
        success = false;
    if (forward)
        forward->asked = NULL;
    if (!forward && success)
        cancel(asked->client, &asked->listen, (uint16_t)port);
    if (forward && success) {
        forward->established = true;
        forward->remote_port = (uint16_t)port;
        if (forward->options.listening)
            forward->options.listening(forward->options.user, forward, (uint16_t)port);
    } else if (forward && forward->client && ly_client_session(forward->client)) {
        ly_error_set(&error, LY_ERROR_DISCONNECT,
                     "the server refused to listen on %s (it may be in use there, or not be allowed)",
                     LY_FORWARD_END_TEXT(&asked->listen));
        ly_forward_failed(forward, &error, true);
    }
    free_end(&asked->listen);
    ly_free(asked);
}

static bool is_address(const char *host)
{
    struct in6_addr address;
    return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

/* A server says what was bound as it was asked for (RFC 4254 section 7.2). Some say which address it became
 * instead, where a name was asked for; OpenSSH 5 says port 0 where it was to choose. */
static bool is_ours(const LyForward *forward, const LyConnectionEvent *event)
{
    LyTcpipOpen open;
    LyBytes path;
    if (forward->listen.path)
        return ly_bytes_is(event->text, "forwarded-streamlocal@openssh.com") &&
               ly_get_forwarded_streamlocal(event->data, &path) && ly_bytes_is(path, forward->listen.path);
    if (!ly_bytes_is(event->text, "forwarded-tcpip") || !ly_get_tcpip_open(event->data, &open))
        return false;
    if (open.port != forward->remote_port && !(open.port == 0 && forward->listen.port == 0))
        return false;
    return ly_bytes_equal(open.host, wire_address(&forward->listen)) || !is_address(forward->listen.host);
}

static bool open_request(void *user, const LyConnectionEvent *event)
{
    LyForward *forward = user;
    if (!forward->established || !is_ours(forward, event))
        return false;
    ly_forward_open_requested(forward, event);
    return true;
}

LyForward *ly_forward_remote(LyClient *client, const LyForwardEnd *listen, const LyForwardEnd *to,
                             const LyForwardOptions *options, LyError *error)
{
    LyForward *forward = forward_new(client, listen, to, options, true, error);
    if (!forward)
        return NULL;
    LyBuf data = {0};
    Asked *asked = ly_new(Asked);
    *asked = (Asked){.forward = forward, .client = client, .listen = copy_end(&forward->listen)};
    forward->asked = asked;
    forward->acceptor = (LyAcceptor){.open_request = open_request, .user = forward};
    ly_client_add_acceptor(client, &forward->acceptor);
    if (forward->listen.path)
        ly_put_streamlocal_forward(&data, ly_bytes_str(forward->listen.path));
    else
        ly_put_tcpip_forward(&data, wire_address(&forward->listen), forward->listen.port);
    ly_client_global_request(client,
                             forward->listen.path ? LY_BYTES("streamlocal-forward@openssh.com")
                                                  : LY_BYTES("tcpip-forward"),
                             ly_buf_bytes(&data), answered, asked);
    ly_buf_free(&data);
    return forward;
}

/* ---- both ---- */

void ly_forward_free(LyForward *forward)
{
    if (!forward)
        return;
    if (forward->asked) /* its answer cancels it */
        forward->asked->forward = NULL;
    else if (forward->client && forward->established)
        cancel(forward->client, &forward->listen, forward->remote_port);
    ly_client_remove_acceptor(&forward->acceptor);
    ly_client_remove_dependent(&forward->dependent);
    ly_listener_free(forward->listener);
    ly_forward_drop_connections(forward);
    ly_secret_free((void *)forward->options.user_name);
    ly_secret_free((void *)forward->options.password);
    free_end(&forward->listen);
    free_end(&forward->to);
    ly_free(forward);
}
