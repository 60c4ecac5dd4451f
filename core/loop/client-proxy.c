/* The way to a host: a TCP connection, a ProxyCommand's pipes, or a direct-tcpip channel of the hop before it
 * (ProxyJump). */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "loop/client-private.h"
#include "loop/loop-private.h"

#define SECOND_US ((uint64_t)1000000)
#define JUMP_WINDOW ((uint32_t)2 << 20)
#define JUMP_WINDOW_MAX ((uint32_t)16 << 20)

/* ssh_config's names for IPQoS. */
static int read_ipqos(const LyConfig *config)
{
    static const struct {
        const char *name;
        int value;
    } names[] = {
        {"af11", 0x28},
        {"af12", 0x30},
        {"af13", 0x38},
        {"af21", 0x48},
        {"af22", 0x50},
        {"af23", 0x58},
        {"af31", 0x68},
        {"af32", 0x70},
        {"af33", 0x78},
        {"af41", 0x88},
        {"af42", 0x90},
        {"af43", 0x98},
        {"cs0", 0x00},
        {"cs1", 0x20},
        {"cs2", 0x40},
        {"cs3", 0x60},
        {"cs4", 0x80},
        {"cs5", 0xa0},
        {"cs6", 0xc0},
        {"cs7", 0xe0},
        {"ef", 0xb8},
        {"le", 0x04},
        {"lowdelay", IPTOS_LOWDELAY},
        {"throughput", IPTOS_THROUGHPUT},
        {"reliability", IPTOS_RELIABILITY},
    };
    /* the second value is for sessions without a terminal */
    const char *name = ly_config_item(config, LY_CONFIG_IPQOS, 1);
    name = name ? name : ly_config_item(config, LY_CONFIG_IPQOS, 0);
    uint64_t number;
    if (!name)
        return -1;
    for (size_t i = 0; i < LY_COUNT(names); i++)
        if (strcasecmp(name, names[i].name) == 0)
            return names[i].value;
    if (ly_bytes_starts_with(ly_bytes_str(name), "0x"))
        return (int)(strtol(name, NULL, 16) & 0xff);
    return ly_bytes_number(ly_bytes_str(name), 255, &number) ? (int)number : -1;
}

static uint64_t time_left_us(const LyClient *client)
{
    uint64_t now_us = ly_loop_now_us(client->loop);
    if (client->until_us == UINT64_MAX)
        return 0;
    return client->until_us > now_us ? client->until_us - now_us : 1;
}

static void start_clock(LyClient *client)
{
    const LyDestination *destination = client->destination;
    uint64_t seconds = ly_config_number(destination->config, LY_CONFIG_CONNECT_TIMEOUT, 0);
    client->connect_us =
        destination->connect_timeout_us ? destination->connect_timeout_us : seconds * SECOND_US;
    client->until_us = client->connect_us ? ly_loop_now_us(client->loop) + client->connect_us : UINT64_MAX;
}

/* TCP. */

static void connected(void *user, int fd, const LyError *error)
{
    LyClient *client = user;
    ly_client_enter(client);
    client->connect = NULL;
    if (fd >= 0) {
        ly_client_carrier_made(client, ly_carrier_new_fds(client->loop, fd, fd, NULL));
    } else if (client->attempts_left) {
        ly_log(ly_client_log(client), LY_LOG_INFO, "%s; trying again", error->message);
        ly_timer_set(client->timer, ly_loop_now_us(client->loop) + SECOND_US);
    } else {
        ly_client_end(client, error, false);
    }
    ly_client_leave(client);
}

static void connect_tcp(LyClient *client)
{
    const LyConfig *config = client->destination->config;
    const char *family = ly_config_string(config, LY_CONFIG_ADDRESS_FAMILY);
    start_clock(client);
    client->attempts_left--;
    LyConnectOptions options = {
        .host = client->destination->host,
        .port = client->destination->port,
        .family = !family                            ? AF_UNSPEC
                  : strcasecmp(family, "inet") == 0  ? AF_INET
                  : strcasecmp(family, "inet6") == 0 ? AF_INET6
                                                     : AF_UNSPEC,
        .bind_address = ly_config_string(config, LY_CONFIG_BIND_ADDRESS),
        .bind_port = client->destination->bind_port,
        .timeout_us = time_left_us(client),
        .ipqos = read_ipqos(config),
    };
    client->connect = ly_connect_new(client->loop, &options, connected, client);
}

/* ProxyCommand. */

static void proxy_ended(void *user, int wait_status)
{
    /* its pipes say so too, behind the last of its output */
}

static void start_proxy_command(LyClient *client)
{
    LyDestination *destination = client->destination;
    LY_AUTO_FREE char *command = ly_format("exec %s", destination->proxy_command);
    const char *argv[] = {destination->shell, "-c", command, NULL};
    LyChildOptions options = {.argv = argv, .fds = {LY_CHILD_SOCKET, LY_CHILD_SOCKET, LY_CHILD_INHERIT}};
    LyError error = {0};
    start_clock(client);
    LyChild *child = ly_child_new(client->loop, &options, proxy_ended, client, &error);
    if (!child) {
        ly_error_prefix(&error, "ProxyCommand");
        ly_client_end(client, &error, true);
        return;
    }
    int in = ly_child_fd(child, 1), out = ly_child_fd(child, 0);
    in = in >= 0 ? in : out;
    out = out >= 0 ? out : in;
    ly_client_carrier_made(client, ly_carrier_new_fds(client->loop, in, out, child));
}

/* ProxyJump: a carrier over a channel of the hop's session. What arrives waits here until the session above
 * takes it, and only then does the channel's window open again. */

typedef struct LyJumpCarrier {
    LyCarrier carrier;
    LyLoop *loop;
    LyClient *client; /* the one above; NULL: it has ended, and this goes when its drive does */
    LyBuf input;
    size_t taken; /* of input */
    bool eof, want_read, want_write, writable;
    LyTask task; /* tells `ready` what is there */
} LyJumpCarrier;

static void jump_tell(LyJumpCarrier *jump)
{
    if ((jump->want_read && (jump->input.len > jump->taken || jump->eof)) ||
        (jump->want_write && jump->writable))
        ly_loop_defer(jump->loop, &jump->task);
}

static void jump_task(void *user)
{
    LyJumpCarrier *jump = user;
    unsigned events = (jump->want_read && (jump->input.len > jump->taken || jump->eof) ? LY_READABLE : 0u) |
                      (jump->want_write && jump->writable ? LY_WRITABLE : 0u);
    jump_tell(jump); /* level-triggered: again, unless it is all used up by then */
    if (events && jump->carrier.ready)
        jump->carrier.ready(jump->carrier.user, events);
}

static ssize_t jump_read(LyCarrier *carrier, void *data, size_t len)
{
    LyJumpCarrier *jump = (LyJumpCarrier *)carrier;
    size_t count = LY_MIN(len, jump->input.len - jump->taken);
    if (!count)
        return jump->eof ? 0 : -EAGAIN;
    memcpy(data, jump->input.data + jump->taken, count);
    jump->taken += count;
    if (jump->taken == jump->input.len) {
        ly_buf_clear(&jump->input);
        jump->taken = 0;
    }
    if (jump->client && jump->client->jump_channel) {
        ly_channel_consumed(jump->client->jump_channel, count);
        ly_client_flush(jump->client->jump);
    }
    return (ssize_t)count;
}

static ssize_t jump_write(LyCarrier *carrier, const void *data, size_t len)
{
    LyJumpCarrier *jump = (LyJumpCarrier *)carrier;
    LyBytes part = ly_bytes(data, len);
    if (!jump->client || !jump->client->jump_channel)
        return -EPIPE;
    size_t count = ly_channel_send(jump->client->jump_channel, &part, 1);
    ly_client_flush(jump->client->jump);
    jump->writable = count == len;
    return count ? (ssize_t)count : -EAGAIN;
}

static void jump_want_read(LyCarrier *carrier, bool want)
{
    LyJumpCarrier *jump = (LyJumpCarrier *)carrier;
    jump->want_read = want;
    jump_tell(jump);
}

static void jump_want_write(LyCarrier *carrier, bool want)
{
    LyJumpCarrier *jump = (LyJumpCarrier *)carrier;
    jump->want_write = want;
    jump_tell(jump);
}

static void jump_shutdown(LyCarrier *carrier)
{
    LyJumpCarrier *jump = (LyJumpCarrier *)carrier;
    if (!jump->client || !jump->client->jump_channel)
        return;
    ly_channel_eof(jump->client->jump_channel);
    ly_client_flush(jump->client->jump);
}

static void jump_free(LyCarrier *carrier)
{
    LyJumpCarrier *jump = (LyJumpCarrier *)carrier;
    ly_loop_undefer(jump->loop, &jump->task);
    if (jump->client)
        jump->client->jump_carrier = NULL;
    ly_buf_free(&jump->input);
    ly_free(jump);
}

static const LyCarrierClass jump_class = {
    .read = jump_read,
    .write = jump_write,
    .want_write = jump_want_write,
    .want_read = jump_want_read,
    .shutdown = jump_shutdown,
    .free = jump_free,
};

static void jump_opened(LyClient *client)
{
    LyJumpCarrier *jump = ly_new(LyJumpCarrier);
    jump->carrier.class = &jump_class;
    jump->loop = client->loop;
    jump->client = client;
    jump->input.limit = JUMP_WINDOW_MAX * 3;
    jump->writable = true;
    jump->task = (LyTask){.func = jump_task, .user = jump};
    client->jump_carrier = jump;
    ly_timer_set(client->timer, UINT64_MAX);
    ly_client_carrier_made(client, &jump->carrier);
}

static void jump_data(LyJumpCarrier *jump, LyBytes data)
{
    if (jump->taken > JUMP_WINDOW_MAX) {
        ly_buf_drop(&jump->input, jump->taken);
        jump->taken = 0;
    }
    ly_buf_add(&jump->input, data);
    jump_tell(jump);
}

static void jump_lost(LyClient *client, const LyError *error, bool final)
{
    client->jump_channel = NULL;
    LyError told = *error;
    if (told.code == LY_OK)
        ly_error_set(&told, LY_ERROR_DISCONNECT, "the connection to %s ended",
                     client->jump->destination->name);
    ly_error_prefix(&told, "jump host");
    if (client->session)
        ly_transport_carrier_lost(ly_session_transport(client->session), &told);
    else
        ly_client_end(client, &told, final);
    ly_client_flush(client);
}

static void jump_event(void *user, const LyConnectionEvent *event)
{
    LyClient *client = user;
    ly_client_enter(client);
    bool ours = event->channel && event->channel == client->jump_channel;
    LyJumpCarrier *jump = client->jump_carrier;
    LyError error = {0};
    switch (event->type) {
    case LY_CHANNEL_OPENED:
        if (ours)
            jump_opened(client);
        break;
    case LY_CHANNEL_OPEN_FAILED:
        ly_error_set(&error, LY_ERROR_IO, "cannot reach %s port %u from the jump host %s: %s",
                     client->destination->host, client->destination->port, client->jump->destination->name,
                     LY_PRINTABLE(event->text));
        client->jump_channel = NULL;
        ly_client_end(client, &error, false);
        break;
    case LY_CHANNEL_DATA:
        if (ours && jump)
            jump_data(jump, event->data);
        break;
    case LY_CHANNEL_STDERR:
        ly_channel_consumed(event->channel, event->data.len);
        break;
    case LY_CHANNEL_WINDOW:
        if (ours && jump) {
            jump->writable = true;
            jump_tell(jump);
        }
        break;
    case LY_CHANNEL_EOF:
    case LY_CHANNEL_CLOSED:
        if (ours && jump) {
            jump->eof = true;
            jump_tell(jump);
        }
        if (ours && event->type == LY_CHANNEL_CLOSED)
            client->jump_channel = NULL;
        break;
    default:
        ly_client_refuse(client->jump, event);
        break;
    }
    ly_client_leave(client);
}

static void jump_ready(void *user)
{
    LyClient *client = user;
    LyBuf data = {0};
    ly_client_enter(client);
    LyChannelOptions options = {.window = JUMP_WINDOW, .max_window = JUMP_WINDOW_MAX};
    ly_put_cstring(&data, client->destination->host);
    ly_put_u32(&data, client->destination->port);
    ly_put_cstring(&data, "127.0.0.1");
    ly_put_u32(&data, 65535);
    client->jump_channel = ly_channel_open(ly_session_connection(client->jump->session),
                                           LY_BYTES("direct-tcpip"), ly_buf_bytes(&data), &options);
    ly_buf_free(&data);
    start_clock(client);
    ly_timer_set(client->timer, client->until_us);
    ly_client_leave(client);
}

static void jump_ask(void *user, const LyAsk *ask)
{
    LyClient *client = user;
    client->events.ask(client->events.user, ask);
}

static void jump_banner(void *user, LyBytes text)
{
    LyClient *client = user;
    if (client->events.banner)
        client->events.banner(client->events.user, text);
}

static void jump_closed(void *user, const LyError *error, bool final)
{
    LyClient *client = user;
    ly_client_enter(client);
    jump_lost(client, error, final);
    ly_client_leave(client);
}

static void start_jump(LyClient *client)
{
    LyClientEvents events = {
        .ask = client->events.ask ? jump_ask : NULL,
        .ready = jump_ready,
        .event = jump_event,
        .banner = jump_banner,
        .closed = jump_closed,
        .user = client,
    };
    client->jump = ly_client_new(client->loop, client->destination->jump, &events);
}

/* The whole. */

void ly_client_begin(LyClient *client)
{
    LyDestination *destination = client->destination;
    if (!client->attempts_left)
        client->attempts_left = ly_config_number(destination->config, LY_CONFIG_CONNECTION_ATTEMPTS, 1);
    client->attempts_left = LY_MAX(client->attempts_left, (uint64_t)1);
    if (destination->proxy_command)
        start_proxy_command(client);
    else if (destination->jump)
        start_jump(client);
    else
        connect_tcp(client);
}

void ly_client_timed_out(LyClient *client)
{
    LyError error = {0};
    if (!client->jump) {
        ly_client_begin(client); /* the second between two attempts is over */
        return;
    }
    char limit[32];
    ly_timeout_text(client->connect_us, limit);
    ly_error_set(&error, LY_ERROR_TIMEOUT, "cannot reach %s port %u from the jump host %s within %s",
                 client->destination->host, client->destination->port, client->jump->destination->name,
                 limit);
    ly_client_end(client, &error, false);
}

void ly_client_release_way(LyClient *client)
{
    if (client->connect)
        ly_connect_cancel(client->connect);
    client->connect = NULL;
    if (client->jump_channel) {
        ly_channel_close(client->jump_channel);
        ly_channel_set_user(client->jump_channel, NULL);
    }
    client->jump_channel = NULL;
    if (client->jump_carrier)
        client->jump_carrier->client = NULL;
    client->jump_carrier = NULL;
    ly_client_free(client->jump);
    client->jump = NULL;
}
