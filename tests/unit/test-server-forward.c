/* What core/loop's server forwards, over loopback and Unix sockets, with the client's packets in the test's
 * hand: the literal address, limits, malformed requests, who may what, and what is left behind. */
#include "server-rig.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/client.h"
#include "key/authorized_keys.h"
#include "loop/server-private.h"

/* --- what the client opens --- */

typedef struct Tcp { /* a listener of the test's, and who connected to it last */
    LyListener *listener;
    int fd;
    unsigned count;
} Tcp;

static void tcp_accepted(void *user, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    Tcp *tcp = user;
    if (tcp->fd >= 0)
        close(tcp->fd);
    tcp->fd = fd;
    tcp->count++;
}

static void tcp_init(Rig *rig, Tcp *tcp, const char *path)
{
    LyError error;
    *tcp = (Tcp){.fd = -1};
    tcp->listener = path ? ly_listener_new_unix(rig->loop, path, 0600, false, tcp_accepted, tcp, &error)
                         : ly_listener_new(rig->loop, "127.0.0.1", 0, tcp_accepted, tcp, &error);
    if (!tcp->listener)
        g_error("%s", error.message);
}

static void tcp_clear(Tcp *tcp)
{
    ly_listener_free(tcp->listener);
    if (tcp->fd >= 0)
        close(tcp->fd);
}

static void open_direct(Rig *rig, const char *host, uint32_t port)
{
    LyTcpipOpen open = {
        .host = ly_bytes_str(host), .port = port, .origin = LY_BYTES("127.0.0.1"), .origin_port = 1};
    rig->channel = NULL;
    rig->open_failed = 0;
    g_assert_nonnull(ly_channel_open_direct_tcpip(client_connection(rig), &open, NULL));
    ly_drive_wake(rig->client);
    RUN_UNTIL(rig->loop, rig->channel || rig->open_failed);
}

static void rig_ready(Rig *rig)
{
    rig_start(rig);
    RUN_UNTIL(rig->loop, rig->ready);
}

/* Bytes both ways, and the end of file of either side alone. */
static void exchange(Rig *rig, const Tcp *tcp)
{
    char text[8] = {0};
    LyBytes hello = LY_BYTES("hello");
    ly_buf_clear(&rig->out);
    rig->eof = rig->closed = false;
    ly_channel_send(rig->channel, &hello, 1);
    ly_channel_eof(rig->channel);
    ly_drive_wake(rig->client);
    RUN_UNTIL(rig->loop, tcp->fd >= 0 && recv(tcp->fd, text, sizeof text, MSG_PEEK) == 5);
    g_assert_cmpint(read(tcp->fd, text, sizeof text), ==, 5);
    RUN_UNTIL(rig->loop, read(tcp->fd, text, sizeof text) == 0);
    g_assert_cmpint(send(tcp->fd, "world", 5, MSG_NOSIGNAL), ==, 5);
    RUN_UNTIL(rig->loop, rig->out.len == 5);
    g_assert_false(rig->eof || rig->closed);
    shutdown(tcp->fd, SHUT_WR);
    RUN_UNTIL(rig->loop, rig->closed);
    g_assert_true(rig->eof);
}

static void test_direct(void)
{
    Rig rig;
    Tcp tcp;
    rig_init(&rig);
    rig.options.forwards = LY_FORWARD_LOCAL | LY_FORWARD_LOCAL_STREAMLOCAL;
    rig.options.max_forwarded = 2;
    rig_ready(&rig);
    tcp_init(&rig, &tcp, NULL);
    open_direct(&rig, "127.0.0.1", ly_listener_port(tcp.listener));
    exchange(&rig, &tcp);
    /* At most two at once; one that ended makes room. */
    open_direct(&rig, "127.0.0.1", ly_listener_port(tcp.listener));
    open_direct(&rig, "127.0.0.1", ly_listener_port(tcp.listener));
    LyChannel *second = rig.channel;
    open_direct(&rig, "127.0.0.1", ly_listener_port(tcp.listener));
    g_assert_cmpuint(rig.open_failed, ==, SSH_OPEN_RESOURCE_SHORTAGE);
    rig.closed = false;
    ly_channel_close(second);
    ly_drive_wake(rig.client);
    RUN_UNTIL(rig.loop, rig.closed);
    open_direct(&rig, "127.0.0.1", ly_listener_port(tcp.listener));
    g_assert_cmpuint(rig.open_failed, ==, 0);
    /* What cannot be: no port, a port of 17 bits, a name with a NUL. */
    static const uint32_t ports[] = {0, 65536, UINT32_MAX};
    for (size_t i = 0; i < LY_COUNT(ports); i++) {
        open_direct(&rig, "127.0.0.1", ports[i]);
        g_assert_cmpuint(rig.open_failed, ==, SSH_OPEN_CONNECT_FAILED);
    }
    open_direct(&rig, "", 1);
    g_assert_cmpuint(rig.open_failed, ==, SSH_OPEN_CONNECT_FAILED);
    tcp_clear(&tcp);
    rig_clear(&rig);
}

static void test_direct_streamlocal(void)
{
    Rig rig;
    Tcp tcp;
    rig_init(&rig);
    rig.options.forwards = LY_FORWARD_LOCAL_STREAMLOCAL;
    rig_ready(&rig);
    g_autofree char *path = g_build_filename(rig.directory, "socket", NULL);
    tcp_init(&rig, &tcp, path);
    g_assert_nonnull(ly_channel_open_direct_streamlocal(client_connection(&rig), ly_bytes_str(path), NULL));
    ly_drive_wake(rig.client);
    RUN_UNTIL(rig.loop, rig.channel);
    exchange(&rig, &tcp);
    g_autofree char *long_path = g_strnfill(200, '/');
    const char *const wrong[] = {"", "relative", "/nonexistent/socket", long_path};
    for (size_t i = 0; i < LY_COUNT(wrong); i++) {
        rig.open_failed = 0;
        ly_channel_open_direct_streamlocal(client_connection(&rig), ly_bytes_str(wrong[i]), NULL);
        ly_drive_wake(rig.client);
        RUN_UNTIL(rig.loop, rig.open_failed);
        g_assert_cmpuint(rig.open_failed, ==, SSH_OPEN_CONNECT_FAILED);
    }
    open_direct(&rig, "127.0.0.1", 1); /* not with these forwards */
    g_assert_cmpuint(rig.open_failed, ==, SSH_OPEN_ADMINISTRATIVELY_PROHIBITED);
    tcp_clear(&tcp);
    rig_clear(&rig);
}

/* The connection ends while we connect, while bytes are on their way, and while the client is asked. */
static void test_ends(void)
{
    for (int when = 0; when < 3; when++) {
        Rig rig;
        Tcp tcp;
        rig_init(&rig);
        rig.options.forwards = LY_FORWARD_LOCAL;
        rig_ready(&rig);
        tcp_init(&rig, &tcp, NULL);
        LyTcpipOpen open = {.host = LY_BYTES("localhost"), .port = ly_listener_port(tcp.listener)};
        ly_channel_open_direct_tcpip(client_connection(&rig), &open, NULL);
        ly_drive_wake(rig.client);
        if (when == 0)
            RUN_UNTIL(rig.loop, rig.server->forwards);
        else
            RUN_UNTIL(rig.loop, rig.channel);
        if (when == 1)
            ly_server_disconnect(rig.server, SSH_DISCONNECT_BY_APPLICATION, "enough");
        else
            ly_drive_free(rig.client);
        if (when != 1)
            rig.client = NULL;
        RUN_UNTIL(rig.loop, rig.server_ended);
        tcp_clear(&tcp);
        rig_clear(&rig);
    }
}

/* --- what the client lets listen --- */

static int dial(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = GUINT16_TO_BE(port)};
    address.sin_addr.s_addr = GUINT32_TO_BE(0x7f000001);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool ask_global(Rig *rig, const char *type, LyBuf *data)
{
    unsigned before = rig->reply_count;
    ly_global_request(client_connection(rig), ly_bytes_str(type), true, 0, ly_buf_bytes(data));
    ly_drive_wake(rig->client);
    ly_buf_free(data);
    RUN_UNTIL(rig->loop, rig->reply_count > before);
    return rig->reply_success[before];
}

static bool ask_listen(Rig *rig, const char *address, uint32_t port)
{
    LyBuf data = {0};
    ly_put_tcpip_forward(&data, ly_bytes_str(address), port);
    return ask_global(rig, "tcpip-forward", &data);
}

static bool ask_cancel(Rig *rig, const char *address, uint32_t port)
{
    LyBuf data = {0};
    ly_put_tcpip_forward(&data, ly_bytes_str(address), port);
    return ask_global(rig, "cancel-tcpip-forward", &data);
}

/* The server's channel: kept in rig->channel, its data in rig->err. */
static void take_forwarded(Rig *rig, const LyConnectionEvent *event)
{
    if (event->type != LY_CHANNEL_OPEN_REQUEST) {
        client_event(rig, event);
        return;
    }
    g_string_append_printf(rig->story, "%.*s ", (int)event->text.len, (const char *)event->text.data);
    ly_buf_clear(&rig->err);
    ly_buf_add(&rig->err, event->data);
    if (rig->step) {
        ly_channel_refuse(event->channel, SSH_OPEN_CONNECT_FAILED, "nobody is at home");
    } else {
        ly_channel_accept(event->channel, NULL, (LyBytes){0});
        rig->channel = event->channel;
    }
}

/* The address comes back as it was asked for, whatever it means; with it and the port it is cancelled. */
static void test_literal_address(void)
{
    static const char *const addresses[] = {"localhost", "127.0.0.1", "", "*", "0.0.0.0", "some.where"};
    Rig rig;
    rig_init(&rig);
    rig.options.forwards = LY_FORWARD_REMOTE;
    rig.on_event = take_forwarded;
    rig_ready(&rig);
    for (size_t i = 0; i < LY_COUNT(addresses); i++) {
        uint32_t port = 0;
        LyTcpipOpen open;
        rig.reply_count = 0;
        g_assert_true(ask_listen(&rig, addresses[i], 0));
        g_assert_true(ly_get_forwarded_port(ly_buf_bytes(&rig.global_data), &port) && port);
        Tcp tcp = {.fd = dial((uint16_t)port)};
        rig.channel = NULL;
        RUN_UNTIL(rig.loop, rig.channel);
        g_assert_true(ly_get_tcpip_open(ly_buf_bytes(&rig.err), &open));
        g_assert_true(ly_bytes_is(open.host, addresses[i]) && open.port == port);
        g_assert_true(ly_bytes_is(open.origin, "127.0.0.1") && open.origin_port);
        exchange(&rig, &tcp);
        close(tcp.fd);
        g_assert_false(ask_cancel(&rig, "elsewhere", port));
        g_assert_false(ask_cancel(&rig, addresses[i], 1));
        g_assert_true(ask_cancel(&rig, addresses[i], port));
        g_assert_false(ask_cancel(&rig, addresses[i], port));
        g_assert_cmpint(dial((uint16_t)port), ==, -1);
        /* A port that was asked for by number is not told again. */
        g_assert_true(ask_listen(&rig, addresses[i], port));
        g_assert_cmpuint(rig.global_data.len, ==, 0);
        g_assert_false(ask_listen(&rig, addresses[i], port));
        g_assert_true(ask_cancel(&rig, addresses[i], port));
    }
    rig_clear(&rig);
}

static void test_refused_channel(void)
{
    Rig rig;
    uint32_t port = 0;
    rig_init(&rig);
    rig.options.forwards = LY_FORWARD_REMOTE;
    rig.on_event = take_forwarded;
    rig.step = 1;
    rig_ready(&rig);
    g_assert_true(ask_listen(&rig, "", 0));
    ly_get_forwarded_port(ly_buf_bytes(&rig.global_data), &port);
    int fd = dial((uint16_t)port);
    char byte;
    RUN_UNTIL(rig.loop, read(fd, &byte, 1) == 0);
    close(fd);
    g_assert_cmpstr(rig.story->str, ==, "forwarded-tcpip ");
    g_assert_cmpuint(rig.server->forwards->connection_count, ==, 0);
    rig_clear(&rig);
}

static void test_listen_limits(void)
{
    Rig rig;
    LyBuf data = {0};
    rig_init(&rig);
    rig.options.forwards = LY_FORWARD_REMOTE | LY_FORWARD_REMOTE_STREAMLOCAL;
    rig.options.max_listeners = 2;
    rig_ready(&rig);
    g_assert_true(ask_listen(&rig, "a", 0));
    g_assert_true(ask_listen(&rig, "b", 0));
    g_assert_false(ask_listen(&rig, "c", 0));
    ly_put_streamlocal_forward(&data, LY_BYTES("/tmp/never"));
    g_assert_false(ask_global(&rig, "streamlocal-forward@openssh.com", &data));
    g_assert_false(ask_listen(&rig, "d", 65536));
    /* Malformed, each cut off anywhere. */
    static const char *const types[] = {"tcpip-forward", "cancel-tcpip-forward",
                                        "streamlocal-forward@openssh.com",
                                        "cancel-streamlocal-forward@openssh.com"};
    for (size_t i = 0; i < LY_COUNT(types); i++) {
        for (size_t len = 0; len < 9; len++) {
            static const uint8_t whole[] = {0, 0, 0, 9, 'l', 'o', 'c', 'a', 'l', 'h'};
            rig.reply_count = 0;
            ly_buf_add(&data, ly_bytes(whole, len));
            g_assert_false(ask_global(&rig, types[i], &data));
        }
    }
    g_assert_false(rig.client_closed);
    rig_clear(&rig);
}

static void test_streamlocal_forward(void)
{
    Rig rig;
    LyBuf data = {0};
    rig_init(&rig);
    rig.options.forwards = LY_FORWARD_REMOTE_STREAMLOCAL;
    rig.on_event = take_forwarded;
    rig_ready(&rig);
    g_autofree char *path = g_build_filename(rig.directory, "listens", NULL);
    ly_put_streamlocal_forward(&data, ly_bytes_str(path));
    g_assert_true(ask_global(&rig, "streamlocal-forward@openssh.com", &data));
    struct stat status;
    g_assert_cmpint(lstat(path, &status), ==, 0);
    g_assert_cmpuint(status.st_mode, ==, S_IFSOCK | 0600);
    ly_put_streamlocal_forward(&data, ly_bytes_str(path));
    g_assert_false(ask_global(&rig, "streamlocal-forward@openssh.com", &data)); /* it is there already */
    Tcp tcp = {.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    g_assert_cmpint(connect(tcp.fd, (struct sockaddr *)&address, sizeof address), ==, 0);
    g_assert_cmpint(fcntl(tcp.fd, F_SETFL, O_NONBLOCK), ==, 0);
    RUN_UNTIL(rig.loop, rig.channel);
    LyBytes literal;
    g_assert_true(ly_get_forwarded_streamlocal(ly_buf_bytes(&rig.err), &literal));
    g_assert_true(ly_bytes_is(literal, path));
    exchange(&rig, &tcp);
    close(tcp.fd);
    ly_put_streamlocal_forward(&data, ly_bytes_str(path));
    g_assert_true(ask_global(&rig, "cancel-streamlocal-forward@openssh.com", &data));
    g_assert_cmpint(lstat(path, &status), ==, -1);
    rig_clear(&rig); /* and the directory is empty */
}

/* --- the client's agent --- */

/* The client's half: answers each request with its bytes in reverse; rig->step is the number of channels. */
static void agent_client(Rig *rig, const LyConnectionEvent *event)
{
    if (event->type == LY_CHANNEL_OPEN_REQUEST) {
        g_assert_true(ly_bytes_is(event->text, "auth-agent@openssh.com"));
        rig->step++;
        ly_channel_accept(event->channel, NULL, (LyBytes){0});
    } else if (event->type == LY_CHANNEL_DATA && event->channel != rig->channel) {
        ly_buf_add(&rig->err, event->data);
        ly_channel_consumed(event->channel, event->data.len);
        LyReader reader = ly_reader(ly_buf_bytes(&rig->err));
        LyBytes request = ly_get_string(&reader);
        if (reader.failed)
            return;
        if (ly_bytes_is(request, "hang up")) {
            ly_channel_close(event->channel);
        } else if (ly_bytes_is(request, "nonsense")) {
            LyBytes nonsense = ly_bytes("\xff\xff\xff\xff", 4);
            ly_channel_send(event->channel, &nonsense, 1);
        } else {
            LyBuf reply = {0};
            ly_put_string(&reply, request);
            for (size_t i = 0; i < request.len; i++)
                reply.data[4 + i] = request.data[request.len - 1 - i];
            LyBytes bytes = ly_buf_bytes(&reply);
            ly_channel_send(event->channel, &bytes, 1);
            ly_buf_free(&reply);
        }
        ly_buf_clear(&rig->err);
    } else {
        client_event(rig, event);
    }
}

static void agent_answered(void *user, LyBytes reply, const LyError *error)
{
    GString *answers = user;
    g_string_append_len(answers, (const char *)reply.data, (gssize)reply.len);
    g_string_append(answers, error ? "! " : " ");
}

static void ask_agent(LyAgentConnection *agent, const char *request, GString *answers)
{
    ly_agent_request(agent, ly_bytes_str(request), agent_answered, answers);
}

static void test_agent(void)
{
    Rig rig;
    LyError error;
    rig_init(&rig);
    rig.options.forwards = LY_FORWARD_AGENT;
    rig.on_event = agent_client;
    rig_session(&rig);
    g_assert_null(ly_server_agent(rig.server, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_UNSUPPORTED);
    ly_channel_auth_agent(rig.channel, true, 0);
    ly_drive_wake(rig.client);
    RUN_UNTIL(rig.loop, rig.reply_count == 1);
    g_assert_true(rig.reply_success[0]);
    g_autoptr(GString) answers = g_string_new("");
    LyAgentConnection *first = ly_server_agent(rig.server, &error),
                      *second = ly_server_agent(rig.server, &error);
    g_assert_true(first && second);
    g_assert_cmpuint(rig.step, ==, 0); /* opened when it is used */
    ask_agent(first, "abc", answers);
    ask_agent(second, "def", answers);
    ask_agent(first, "ghi", answers);
    RUN_UNTIL(rig.loop, strlen(answers->str) == 12);
    g_assert_cmpstr(answers->str, ==, "cba fed ihg ");
    g_assert_cmpuint(rig.step, ==, 1); /* one channel for all */
    static const char *const bad[] = {"hang up", "nonsense"};
    for (size_t i = 0; i < LY_COUNT(bad); i++) {
        g_string_truncate(answers, 0);
        ask_agent(first, bad[i], answers);
        RUN_UNTIL(rig.loop, answers->len);
        g_assert_cmpstr(answers->str, ==, "! ");
        g_string_truncate(answers, 0);
        ask_agent(first, "xy", answers);
        RUN_UNTIL(rig.loop, answers->len);
        g_assert_cmpstr(answers->str, ==, "yx ");
        g_assert_cmpuint(rig.step, ==, 2 + i);
    }
    /* The connection is gone: with it what was asked. */
    g_string_truncate(answers, 0);
    ask_agent(first, "never", answers);
    ask_agent(second, "never", answers);
    ly_agent_connection_free(first);
    ly_agent_connection_free(second);
    ly_server_free(rig.server);
    rig.server = NULL;
    g_assert_cmpstr(answers->str, ==, "! ! ");
    rig_clear(&rig);
}

static void test_agent_off(void)
{
    Rig rig;
    rig_init(&rig);
    rig_session(&rig);
    ly_channel_auth_agent(rig.channel, true, 0);
    ly_channel_x11(rig.channel,
                   &(LyX11Request){.protocol = LY_BYTES("MIT-MAGIC-COOKIE-1"), .cookie = LY_BYTES("00")},
                   true, 1);
    ly_drive_wake(rig.client);
    RUN_UNTIL(rig.loop, rig.reply_count == 2);
    g_assert_false(rig.reply_success[0] || rig.reply_success[1]);
    rig_clear(&rig);
}

/* --- X11 --- */

static bool x11_start(void *user, LyServer *server, LyServerChannel *channel, const LyServerStart *start,
                      const LyConnectionEvent *event)
{
    Rig *rig = user;
    LyX11Request x11;
    g_assert_true(ly_server_channel_x11(channel, &x11));
    g_string_append_printf(rig->story, "%u %d %.*s ", (unsigned)x11.screen, x11.single, (int)x11.cookie.len,
                           (const char *)x11.cookie.data);
    return false;
}

/* Defect 16: screen and `single` are what the server goes by. */
static void test_defect_16_x11(void)
{
    Rig rig;
    rig_init(&rig);
    rig.options.forwards = LY_FORWARD_X11;
    rig.options.handlers.start = x11_start;
    rig.on_event = take_forwarded;
    rig_session(&rig);
    static const struct {
        const char *protocol, *cookie;
        uint32_t screen;
    } wrong[] = {
        {"MIT-MAGIC-COOKIE-1", "00 11", 0}, {"MIT-MAGIC-COOKIE-1\nadd", "0011", 0}, {"", "0011", 0},
        {"MIT-MAGIC-COOKIE-1", "", 0},      {"MIT-MAGIC-COOKIE-1", "0011", 401},
    };
    for (size_t i = 0; i < LY_COUNT(wrong); i++) {
        LyX11Request x11 = {.protocol = ly_bytes_str(wrong[i].protocol),
                            .cookie = ly_bytes_str(wrong[i].cookie),
                            .screen = wrong[i].screen};
        ly_channel_x11(rig.channel, &x11, true, (uint32_t)i);
    }
    LyX11Request x11 = {.single = true,
                        .protocol = LY_BYTES("MIT-MAGIC-COOKIE-1"),
                        .cookie = LY_BYTES("00112233"),
                        .screen = 3};
    ly_channel_x11(rig.channel, &x11, true, LY_COUNT(wrong));
    ly_channel_x11(rig.channel, &x11, true, LY_COUNT(wrong) + 1); /* once a session */
    LyChannel *session = rig.channel;
    ly_channel_exec(session, LY_BYTES("echo $DISPLAY; read x"), 99);
    ly_drive_wake(rig.client);
    RUN_UNTIL(rig.loop, rig.out.len);
    for (size_t i = 0; i < rig.reply_count; i++)
        g_assert_true(rig.reply_success[i] == (rig.replies[i] == LY_COUNT(wrong) || rig.replies[i] == 99));
    g_assert_cmpstr(rig.story->str, ==, "3 1 00112233 ");
    unsigned display = 0, screen = 0;
    g_assert_cmpint(sscanf(ly_buf_str(&rig.out), "localhost:%u.%u", &display, &screen), ==, 2);
    g_assert_true(display >= 10 && screen == 3);
    rig.channel = NULL;
    int fd = dial((uint16_t)(6000 + display));
    g_assert_cmpint(fd, >=, 0);
    RUN_UNTIL(rig.loop, rig.channel);
    LyBytes origin;
    uint32_t port;
    g_assert_true(ly_get_x11_open(ly_buf_bytes(&rig.err), &origin, &port));
    g_assert_true(ly_bytes_is(origin, "127.0.0.1") && port);
    g_assert_cmpint(dial((uint16_t)(6000 + display)), ==, -1); /* that was the single one */
    close(fd);
    ly_channel_close(session);
    ly_drive_wake(rig.client);
    RUN_UNTIL(rig.loop, rig.closed);
    g_autofree char *authority = g_build_filename(rig.directory, ".Xauthority", NULL);
    g_unlink(authority);
    rig_clear(&rig);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/server-forward/direct-tcpip", test_direct);
    g_test_add_func("/server-forward/direct-streamlocal", test_direct_streamlocal);
    g_test_add_func("/server-forward/ends", test_ends);
    g_test_add_func("/server-forward/literal-address", test_literal_address);
    g_test_add_func("/server-forward/refused-channel", test_refused_channel);
    g_test_add_func("/server-forward/listen-limits", test_listen_limits);
    g_test_add_func("/server-forward/streamlocal-forward", test_streamlocal_forward);
    g_test_add_func("/server-forward/agent", test_agent);
    g_test_add_func("/server-forward/off", test_agent_off);
    g_test_add_func("/server-forward/defect-16/x11", test_defect_16_x11);
    return g_test_run();
}
