#include "loop/x11.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/hex.h"
#include "base/memory.h"
#include "base/secret.h"
#include "loop/client-private.h"
#include "loop/forward-private.h"
#include "loop/x11-private.h"

#define COOKIE_LEN 16
#define AUTHORITY_MAX ((size_t)1 << 20)
#define CONNECTIONS_MAX 256
#define FIRST_PORT 6000

struct LyX11 {
    LyClient *client; /* NULL: the connection is over */
    LyLoop *loop;
    LyAcceptor acceptor;
    LyDependent dependent;
    LyX11Display display;
    LyBytes real; /* in secret memory; empty: none */
    uint8_t fake[COOKIE_LEN];
    LyBuf fake_text;
    LyX11Request request;
    uint64_t until_us;
    bool single, used;
    LyList connections;
    uint32_t count;
};

typedef struct Connection {
    LyLink link;
    LyX11 *x11;
    LyChannel *channel; /* NULL: closed, or the join's */
    LyBuf in;           /* of the channel, until it is joined; unconsumed */
    LyBuf out;          /* what the display gets first */
    bool right, eof;
    LyConnect *connect;
    LyJoin *join;
} Connection;

/* ---- a connection ---- */

static void connection_free(Connection *connection)
{
    LyX11 *x11 = connection->x11;
    ly_link_remove(&connection->link);
    x11->count--;
    ly_connect_cancel(connection->connect);
    if (x11->client) {
        ly_join_free(connection->join);
        if (connection->channel)
            ly_channel_abandon(connection->channel);
        ly_client_flush(x11->client);
    } else {
        ly_join_abort(connection->join);
    }
    ly_buf_free(&connection->in);
    ly_buf_free(&connection->out);
    ly_free(connection);
}

static void join_ended(void *user, LyJoin *join, const LyError *error)
{
    connection_free(user);
}

static void connected(void *user, int fd, const LyError *error)
{
    Connection *connection = user;
    LyX11 *x11 = connection->x11;
    connection->connect = NULL;
    if (fd < 0) {
        ly_log(ly_client_log(x11->client), LY_LOG_WARNING, "X11: %s", error->message);
        connection_free(connection);
        return;
    }
    LyChannel *channel = connection->channel;
    LyJoinOptions options = {.wake = ly_forward_wake,
                             .owner = x11->client,
                             .ended = join_ended,
                             .user = connection,
                             .to_carrier = ly_buf_bytes(&connection->out),
                             .eof = connection->eof};
    connection->channel = NULL;
    ly_channel_consumed(channel, connection->in.len);
    connection->join = ly_join_new_fd(x11->loop, channel, fd, &options);
    ly_buf_free(&connection->in);
    ly_buf_free(&connection->out);
}

/* The cookie was right: the rest is for the display. */
static void connect_display(Connection *connection, size_t used)
{
    LyX11 *x11 = connection->x11;
    const LyX11Display *display = &x11->display;
    LyConnectOptions options = {.host = display->host,
                                .port = (uint16_t)(FIRST_PORT + display->number),
                                .family = AF_UNSPEC,
                                .ipqos = -1};
    connection->right = true;
    ly_buf_add(&connection->out, ly_bytes_slice(ly_buf_bytes(&connection->in), used, connection->in.len));
    connection->connect = display->path[0] ? ly_connect_unix(x11->loop, display->path, connected, connection)
                                           : ly_connect_new(x11->loop, &options, connected, connection);
}

static void data_received(Connection *connection, LyBytes data)
{
    LyX11 *x11 = connection->x11;
    size_t used;
    ly_buf_add(&connection->in, data); /* a window at most: it is not consumed before the join */
    if (connection->right) {
        ly_buf_add(&connection->out, data);
        return;
    }
    LyX11First first = ly_x11_first(ly_buf_bytes(&connection->in), ly_bytes(x11->fake, sizeof x11->fake),
                                    x11->real, &used, &connection->out);
    if (first == LY_X11_RIGHT) {
        connect_display(connection, used);
    } else if (first == LY_X11_WRONG) {
        LyBytes answer = ly_buf_bytes(&connection->out);
        ly_log(ly_client_log(x11->client), LY_LOG_WARNING,
               "X11: a connection was refused, because its cookie is wrong");
        ly_channel_send(connection->channel, &answer, 1);
        ly_channel_eof(connection->channel);
        connection_free(connection);
    }
}

static void channel_event(void *user, const LyConnectionEvent *event)
{
    Connection *connection = user;
    switch (event->type) {
    case LY_CHANNEL_DATA:
        data_received(connection, event->data);
        break;
    case LY_CHANNEL_STDERR:
        ly_channel_consumed(event->channel, event->data.len);
        break;
    case LY_CHANNEL_EOF:
        connection->eof = true;
        if (!connection->right)
            connection_free(connection);
        break;
    case LY_CHANNEL_CLOSED:
        connection->channel = NULL;
        connection_free(connection);
        break;
    default:
        ly_client_refuse(connection->x11->client, event);
        break;
    }
}

static bool open_request(void *user, const LyConnectionEvent *event)
{
    LyX11 *x11 = user;
    if (!ly_bytes_is(event->text, "x11"))
        return false;
    const char *refusal = ly_loop_now_us(x11->loop) >= x11->until_us ? "the time for X11 connections is over"
                          : x11->single && x11->used                 ? "only one connection was asked for"
                          : x11->count >= CONNECTIONS_MAX            ? "too many X11 connections"
                                                                     : NULL;
    if (refusal) {
        ly_log(ly_client_log(x11->client), LY_LOG_WARNING, "X11: a connection was refused: %s", refusal);
        ly_channel_refuse(event->channel, SSH_OPEN_ADMINISTRATIVELY_PROHIBITED, refusal);
        return true;
    }
    Connection *connection = ly_new(Connection);
    connection->x11 = x11;
    connection->channel = event->channel;
    ly_list_append(&x11->connections, &connection->link);
    x11->count++;
    x11->used = true;
    LyChannelOptions options = ly_forward_channel_options(channel_event, connection);
    ly_channel_accept(event->channel, &options, (LyBytes){0});
    return true;
}

/* ---- the face ---- */

/* The display's cookie; none is fine. */
static void read_authority(LyX11 *x11, const char *path)
{
    LY_AUTO_FREE char *made = NULL;
    char hostname[256] = "";
    path = path ? path : getenv("XAUTHORITY");
    if (!path || !*path) {
        const char *home = getenv("HOME");
        path = made = ly_format("%s/.Xauthority", home ? home : "");
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return;
    LyBuf file = LY_BUF(AUTHORITY_MAX);
    ssize_t len;
    uint8_t *room;
    while ((room = ly_buf_room(&file, 4096)) != NULL &&
           ((len = read(fd, room, 4096)) > 0 || (len < 0 && errno == EINTR)))
        ly_buf_added(&file, len > 0 ? (size_t)len : 0);
    close(fd);
    gethostname(hostname, sizeof hostname - 1);
    LyBytes cookie;
    if (ly_x11_authority_find(ly_buf_bytes(&file), &x11->display, hostname, &cookie))
        x11->real = ly_secret_copy(cookie);
    else
        ly_log(ly_client_log(x11->client), LY_LOG_INFO, "X11: %s has no cookie for the display", path);
    ly_buf_free(&file);
}

static void client_ended(void *user, const LyError *error)
{
    LyX11 *x11 = user;
    x11->client = NULL;
    ly_list_each(&x11->connections, Connection, link, connection) connection_free(connection);
}

LyX11 *ly_x11_new(LyClient *client, const LyX11Options *options, LyError *error)
{
    static const LyX11Options none;
    LyX11Display display;
    options = options ? options : &none;
    const char *name = options->display ? options->display : getenv("DISPLAY");
    if (!name || !*name) {
        ly_error_set(error, LY_ERROR_INVALID, "there is no X11 display to forward to: DISPLAY is not set");
        return NULL;
    }
    if (!ly_x11_display_parse(name, &display, error))
        return NULL;
    LyX11 *x11 = ly_new(LyX11);
    x11->client = client;
    x11->loop = ly_client_loop(client);
    x11->display = display;
    x11->single = options->single;
    x11->until_us = options->timeout_us ? ly_loop_now_us(x11->loop) + options->timeout_us : UINT64_MAX;
    ly_list_init(&x11->connections);
    read_authority(x11, options->xauthority);
    ly_crypto_random(ly_destination_crypto(client->destination), x11->fake, sizeof x11->fake);
    ly_put_hex(ly_bytes(x11->fake, sizeof x11->fake), &x11->fake_text);
    x11->request = (LyX11Request){.single = x11->single,
                                  .protocol = LY_BYTES("MIT-MAGIC-COOKIE-1"),
                                  .cookie = ly_buf_bytes(&x11->fake_text),
                                  .screen = display.screen};
    x11->acceptor = (LyAcceptor){.open_request = open_request, .user = x11};
    x11->dependent = (LyDependent){.ended = client_ended, .user = x11};
    ly_client_add_acceptor(client, &x11->acceptor);
    ly_client_add_dependent(client, &x11->dependent);
    return x11;
}

const LyX11Request *ly_x11_request(const LyX11 *x11)
{
    return &x11->request;
}

void ly_x11_free(LyX11 *x11)
{
    if (!x11)
        return;
    ly_client_remove_acceptor(&x11->acceptor);
    ly_client_remove_dependent(&x11->dependent);
    ly_list_each(&x11->connections, Connection, link, connection) connection_free(connection);
    ly_secret_free((void *)x11->real.data);
    ly_buf_free(&x11->fake_text);
    ly_cleanse(x11, sizeof *x11);
    ly_free(x11);
}
