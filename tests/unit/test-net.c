/* core/loop: connections on loopback, children, carriers. */
#include <glib.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "loop/carrier.h"
#include "loop/net.h"
#include "loop-run.h"

/* Connecting and listening, on loopback. */

typedef struct Net {
    LyLoop *loop;
    LyListener *listener;
    LyConnect *connect;
    int accepted, connected;
    bool done, stop_listening;
    LyError error;
} Net;

static void accepted(void *user, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    Net *net = user;
    char text[46];
    uint16_t port;
    ly_sockaddr_text(peer, text, &port);
    g_assert_true(port != 0 && (strcmp(text, "127.0.0.1") == 0 || strcmp(text, "::1") == 0));
    g_assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK && fcntl(fd, F_GETFD) & FD_CLOEXEC);
    net->accepted = fd;
    if (net->stop_listening) {
        ly_listener_free(net->listener);
        net->listener = NULL;
    }
}

static void connected(void *user, int fd, const LyError *error)
{
    Net *net = user;
    ly_connect_cancel(net->connect); /* too late, and harmless */
    net->done = true;
    net->connected = fd;
    g_assert_true((fd < 0) == (error != NULL));
    if (error)
        net->error = *error;
}

static void test_listen_and_connect(void)
{
    static const struct {
        const char *listen, *host, *name;
        int family;
        const char *bind;
    } rows[] = {
        {"127.0.0.1", "127.0.0.1", "127.0.0.1:", AF_UNSPEC, NULL},
        {"localhost", "localhost", "127.0.0.1:", AF_UNSPEC, NULL},
        {"localhost", "localhost", "127.0.0.1:", AF_INET, "127.0.0.1"},
        {"*", "127.0.0.1", "0.0.0.0:", AF_INET, "localhost"},
        /* One family listens only: when the name gives ::1 first, the second address is taken. */
        {"127.0.0.1", "localhost", "127.0.0.1:", AF_UNSPEC, NULL},
    };
    LyLoop *loop = ly_loop_new(NULL);
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        Net net = {.loop = loop, .accepted = -1, .connected = -1, .stop_listening = true};
        LyError error = {0};
        net.listener = ly_listener_new(loop, rows[i].listen, 0, accepted, &net, &error);
        g_assert_cmpstr(error.message, ==, "");
        uint16_t port = ly_listener_port(net.listener);
        g_assert_cmpuint(port, !=, 0);
        char *name = g_strdup_printf("%s%u", rows[i].name, port);
        g_assert_cmpstr(ly_listener_name(net.listener), ==, name);
        g_free(name);
        LyConnectOptions options = {.host = rows[i].host,
                                    .port = port,
                                    .family = rows[i].family,
                                    .bind_address = rows[i].bind,
                                    .timeout_us = FOR_EVER_US,
                                    .ipqos = 0x10};
        net.connect = ly_connect_new(loop, &options, connected, &net);
        g_assert_false(net.done);
        RUN_UNTIL(loop, net.done && net.accepted >= 0);
        g_assert_cmpint(net.connected, >=, 0);
        g_assert_null(net.listener);
        int on = 0, tos = 0;
        socklen_t len = sizeof on;
        g_assert_cmpint(getsockopt(net.connected, IPPROTO_TCP, TCP_NODELAY, &on, &len), ==, 0);
        g_assert_cmpint(on, !=, 0);
        g_assert_cmpint(getsockopt(net.connected, SOL_SOCKET, SO_KEEPALIVE, &on, &len), ==, 0);
        g_assert_cmpint(on, !=, 0);
        if (rows[i].family == AF_INET) {
            g_assert_cmpint(getsockopt(net.connected, IPPROTO_IP, IP_TOS, &tos, &len), ==, 0);
            g_assert_cmpint(tos, ==, 0x10);
        }
        g_assert_true(fcntl(net.connected, F_GETFL) & O_NONBLOCK &&
                      fcntl(net.connected, F_GETFD) & FD_CLOEXEC);
        g_assert_cmpint(write(net.connected, "hello", 5), ==, 5);
        char text[8];
        g_assert_cmpint(recv(net.accepted, text, sizeof text, MSG_WAITALL & ~MSG_DONTWAIT), ==, 5);
        close(net.connected);
        close(net.accepted);
    }
    ly_loop_free(loop);
}

/* A socket that drops whatever comes: its queue is full. */
static int open_full(const struct sockaddr *address, socklen_t len, int fill[4])
{
    int full = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (full < 0 || bind(full, address, len) != 0) {
        close(full);
        return -1;
    }
    g_assert_cmpint(listen(full, 0), ==, 0);
    for (size_t i = 0; i < 4; i++) {
        fill[i] = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)!connect(fill[i], address, len);
    }
    return full;
}

static void test_connect_errors(void)
{
    LyLoop *loop = ly_loop_new(NULL);
    Net net = {.loop = loop, .accepted = -1};
    LyError error = {0};
    LyListener *listener = ly_listener_new(loop, "127.0.0.1", 0, accepted, &net, NULL);
    uint16_t port = ly_listener_port(listener);
    g_assert_null(ly_listener_new(loop, "127.0.0.1", port, accepted, &net, &error));
    char *expected = g_strdup_printf("cannot listen on 127.0.0.1 port %u: Address already in use", port);
    g_assert_cmpstr(error.message, ==, expected);
    g_free(expected);
    g_assert_null(ly_listener_new(loop, "no such", 0, accepted, &net, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_INVALID);
    ly_listener_free(listener);

    /* Now nobody listens there. */
    LyConnectOptions options = {.host = "127.0.0.1", .port = port, .ipqos = -1};
    net.connect = ly_connect_new(loop, &options, connected, &net);
    g_assert_false(net.done);
    RUN_UNTIL(loop, net.done);
    expected = g_strdup_printf("cannot connect to 127.0.0.1 port %u: Connection refused", port);
    g_assert_cmpstr(net.error.message, ==, expected);
    g_assert_cmpint(net.error.system, ==, ECONNREFUSED);
    g_free(expected);

    net.done = false;
    options.host = "not a host name";
    net.connect = ly_connect_new(loop, &options, connected, &net);
    RUN_UNTIL(loop, net.done);
    g_assert_true(g_str_has_prefix(net.error.message, "cannot resolve not a host name: "));

    net.done = false;
    options.host = "127.0.0.1";
    options.bind_address = "192.0.2.1";
    net.connect = ly_connect_new(loop, &options, connected, &net);
    RUN_UNTIL(loop, net.done);
    g_assert_true(g_str_has_suffix(net.error.message, " from 192.0.2.1: Cannot assign requested address"));
    options.bind_address = NULL;

    /* A listener whose queue is full drops what comes: a connection that takes for ever. */
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fill[4], full = open_full((struct sockaddr *)&address, sizeof address, fill);
    g_assert_cmpint(full, >=, 0);
    net.done = false;
    options.port = ntohs(address.sin_port);
    options.timeout_us = 50000;
    net.connect = ly_connect_new(loop, &options, connected, &net);
    RUN_UNTIL(loop, net.done);
    expected = g_strdup_printf("cannot connect to 127.0.0.1 port %u: timed out after 50 ms", options.port);
    g_assert_cmpstr(net.error.message, ==, expected);
    g_assert_cmpint(net.error.code, ==, LY_ERROR_TIMEOUT);
    g_free(expected);

    /* Cancelled: while connecting, while resolving, while the report is due. */
    net.done = false;
    ly_connect_cancel(ly_connect_new(loop, &options, connected, &net));
    options.host = "localhost";
    ly_connect_cancel(ly_connect_new(loop, &options, connected, &net));
    ly_connect_cancel(ly_connect_unix(loop, "/nonexistent", connected, &net));
    for (int i = 0; i < 5; i++)
        ly_loop_run_once(loop, 2000);
    g_assert_false(net.done);
    for (size_t i = 0; i < 4; i++)
        close(fill[i]);
    close(full);

    char path[200];
    memset(path, 'p', sizeof path);
    path[sizeof path - 1] = 0;
    net.connect = ly_connect_unix(loop, path, connected, &net);
    RUN_UNTIL(loop, net.done);
    g_assert_cmpint(net.error.code, ==, LY_ERROR_INVALID);
    ly_loop_free(loop);
}

/* ::1 never answers, 127.0.0.1 does: tried beside it after a while. Where localhost has one address, that is
 * all there is. */
static void test_second_address(void)
{
    LyLoop *loop = ly_loop_new(NULL);
    Net net = {.loop = loop, .accepted = -1};
    LyListener *listener = ly_listener_new(loop, "127.0.0.1", 0, accepted, &net, NULL);
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(ly_listener_port(listener))};
    six.sin6_addr = in6addr_loopback;
    int fill[4], full = open_full((struct sockaddr *)&six, sizeof six, fill);
    LyConnectOptions options = {
        .host = "localhost", .port = ly_listener_port(listener), .timeout_us = 5000000, .ipqos = -1};
    uint64_t began_us = ly_loop_now_us(loop);
    net.connect = ly_connect_new(loop, &options, connected, &net);
    RUN_UNTIL(loop, net.done && net.accepted >= 0);
    g_assert_cmpint(net.connected, >=, 0);
    g_test_message("connected after %u ms", (unsigned)((ly_loop_now_us(loop) - began_us) / 1000));
    g_assert_cmpuint(ly_loop_now_us(loop) - began_us, <, 2000000);
    close(net.connected);
    close(net.accepted);
    if (full >= 0) {
        for (size_t i = 0; i < 4; i++)
            close(fill[i]);
        close(full);
    }
    ly_listener_free(listener);
    ly_loop_free(loop);
}

static void test_sockaddr(void)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(22)};
    char text[46];
    uint16_t port;
    inet_pton(AF_INET6, "2001:db8::1", &in6.sin6_addr);
    ly_sockaddr_text((struct sockaddr *)&in6, text, &port);
    g_assert_cmpstr(text, ==, "2001:db8::1");
    g_assert_cmpuint(port, ==, 22);
    inet_pton(AF_INET6, "::ffff:192.0.2.7", &in6.sin6_addr);
    ly_sockaddr_text((struct sockaddr *)&in6, text, NULL);
    g_assert_cmpstr(text, ==, "192.0.2.7");
    struct sockaddr other = {.sa_family = AF_UNIX};
    ly_sockaddr_text(&other, text, &port);
    g_assert_cmpstr(text, ==, "");
}

/* Children. */

typedef struct Kid {
    LyChild *child;
    int status;
    bool ended;
} Kid;

static void kid_ended(void *user, int wait_status)
{
    Kid *kid = user;
    g_assert_false(kid->ended);
    kid->ended = true;
    kid->status = wait_status;
    ly_child_free(kid->child);
}

static void read_all(LyLoop *loop, int fd, LyBuf *out)
{
    for (;;) {
        uint8_t *room = ly_buf_room(out, 4096);
        ssize_t count = read(fd, room, 4096);
        if (count < 0 && errno == EAGAIN)
            ly_loop_run_once(loop, 2000);
        else if (count <= 0)
            break;
        else
            ly_buf_added(out, (size_t)count);
    }
    close(fd);
}

static void test_children(void)
{
    LyLoop *loop = ly_loop_new(NULL);
    LyBuf out = {0};
    LyError error = {0};
    /* Output, errors, input, exit status, directory, environment; and no descriptor of ours, CLOEXEC or not.
     */
    int leaked = dup(1);
    const char *script =
        "read line; echo \"$line $(pwd) $NAME\"; echo oops >&2; ls /proc/self/fd | tr '\\n' ' ' >&2; exit 7";
    const char *argv[] = {"sh", "-c", script, NULL}, *envp[] = {"NAME=value", "PATH=/usr/bin:/bin", NULL};
    LyChildOptions options = {.argv = argv,
                              .envp = envp,
                              .directory = "/usr",
                              .fds = {LY_CHILD_PIPE, LY_CHILD_PIPE, LY_CHILD_PIPE}};
    Kid kid = {0};
    kid.child = ly_child_new(loop, &options, kid_ended, &kid, &error);
    g_assert_cmpstr(error.message, ==, "");
    g_assert_cmpint(ly_child_pid(kid.child), >, 0);
    int in = ly_child_fd(kid.child, 0), stdout_fd = ly_child_fd(kid.child, 1),
        stderr_fd = ly_child_fd(kid.child, 2);
    g_assert_true(fcntl(stdout_fd, F_GETFL) & O_NONBLOCK && fcntl(stdout_fd, F_GETFD) & FD_CLOEXEC);
    g_assert_cmpint(write(in, "hello\n", 6), ==, 6);
    close(in);
    read_all(loop, stdout_fd, &out);
    g_assert_cmpmem(out.data, out.len, "hello /usr value\n", 17);
    ly_buf_clear(&out);
    read_all(loop, stderr_fd, &out);
    g_assert_cmpstr(ly_buf_str(&out), ==, "oops\n0 1 2 3 ");
    RUN_UNTIL(loop, kid.ended);
    g_assert_true(WIFEXITED(kid.status) && WEXITSTATUS(kid.status) == 7);
    close(leaked);

    /* A socket for both, its end seen by the child; our own descriptors crossed over. */
    int crossed[2];
    g_assert_cmpint(pipe2(crossed, O_CLOEXEC), ==, 0);
    const char *cat[] = {"cat", NULL};
    options = (LyChildOptions){
        .argv = cat, .fds = {LY_CHILD_SOCKET, LY_CHILD_SOCKET, LY_CHILD_NULL}, .new_session = true};
    kid = (Kid){0};
    kid.child = ly_child_new(loop, &options, kid_ended, &kid, NULL);
    int fd = ly_child_fd(kid.child, 0);
    g_assert_cmpint(fd, ==, ly_child_fd(kid.child, 1));
    g_assert_cmpint(ly_child_fd(kid.child, 2), ==, -1);
    g_assert_cmpint(getsid(ly_child_pid(kid.child)), ==, ly_child_pid(kid.child));
    g_assert_cmpint(write(fd, "echo", 4), ==, 4);
    shutdown(fd, SHUT_WR);
    ly_buf_clear(&out);
    read_all(loop, fd, &out);
    g_assert_cmpmem(out.data, out.len, "echo", 4);
    RUN_UNTIL(loop, kid.ended);
    g_assert_cmpint(kid.status, ==, 0);

    const char *both[] = {"sh", "-c", "echo out; echo err >&2", NULL};
    options = (LyChildOptions){.argv = both, .fds = {LY_CHILD_NULL, crossed[1], crossed[1]}};
    kid = (Kid){0};
    kid.child = ly_child_new(loop, &options, kid_ended, &kid, NULL);
    close(crossed[1]);
    ly_buf_clear(&out);
    read_all(loop, crossed[0], &out);
    g_assert_cmpmem(out.data, out.len, "out\nerr\n", 8);
    RUN_UNTIL(loop, kid.ended);

    /* What is ignored here does not keep a program in a session of its own from being interrupted. */
    const char *interrupted[] = {"sh", "-c", "kill -INT $$; exit 3", NULL};
    options = (LyChildOptions){.argv = interrupted,
                               .fds = {LY_CHILD_NULL, LY_CHILD_INHERIT, LY_CHILD_INHERIT},
                               .new_session = true};
    void (*before)(int) = signal(SIGINT, SIG_IGN);
    kid = (Kid){0};
    kid.child = ly_child_new(loop, &options, kid_ended, &kid, NULL);
    RUN_UNTIL(loop, kid.ended);
    signal(SIGINT, before);
    g_assert_true(WIFSIGNALED(kid.status) && WTERMSIG(kid.status) == SIGINT);

    /* Killed; not found; no such directory. */
    const char *sleeper[] = {"sleep", "100", NULL};
    options = (LyChildOptions){.argv = sleeper, .fds = {LY_CHILD_NULL, LY_CHILD_INHERIT, LY_CHILD_INHERIT}};
    kid = (Kid){0};
    kid.child = ly_child_new(loop, &options, kid_ended, &kid, NULL);
    ly_child_kill(kid.child, SIGTERM);
    RUN_UNTIL(loop, kid.ended);
    g_assert_true(WIFSIGNALED(kid.status) && WTERMSIG(kid.status) == SIGTERM);
    const char *missing[] = {"lanyard-no-such-program", NULL};
    options = (LyChildOptions){.argv = missing, .fds = {LY_CHILD_SOCKET, LY_CHILD_SOCKET, LY_CHILD_PIPE}};
    g_assert_null(ly_child_new(loop, &options, kid_ended, &kid, &error));
    g_assert_cmpstr(error.message, ==, "cannot start lanyard-no-such-program: No such file or directory");
    options.argv = cat;
    options.directory = "/nonexistent";
    g_assert_null(ly_child_new(loop, &options, kid_ended, &kid, &error));
    g_assert_cmpstr(error.message, ==, "cannot start cat in /nonexistent: No such file or directory");

    /* Forgotten, then killed by its closed input: reaped all the same, nobody told. */
    options = (LyChildOptions){.argv = cat, .fds = {LY_CHILD_PIPE, LY_CHILD_NULL, LY_CHILD_NULL}};
    kid = (Kid){0};
    kid.child = ly_child_new(loop, &options, kid_ended, &kid, NULL);
    pid_t pid = ly_child_pid(kid.child);
    ly_child_free(kid.child);
    RUN_UNTIL(loop, kill(pid, 0) != 0);
    g_assert_false(kid.ended);
    /* One that outlives the loop. */
    options = (LyChildOptions){.argv = sleeper, .fds = {LY_CHILD_NULL, LY_CHILD_NULL, LY_CHILD_NULL}};
    kid.child = ly_child_new(loop, &options, NULL, NULL, NULL);
    pid = ly_child_pid(kid.child);
    ly_child_kill(kid.child, SIGKILL);
    ly_child_free(kid.child);
    ly_buf_free(&out);
    ly_loop_free(loop);
    waitpid(pid, NULL, 0);
}

/* Carriers. */

typedef struct End {
    LyCarrier *carrier;
    const uint8_t *send;
    size_t left;
    LyBuf got;
    bool closed, free_when_closed;
} End;

static void end_ready(void *user, unsigned events)
{
    End *end = user;
    if (events & LY_WRITABLE && end->left) {
        ssize_t count = ly_carrier_write(end->carrier, end->send, end->left);
        if (count > 0) {
            end->send += count;
            end->left -= (size_t)count;
        }
        if (!end->left)
            ly_carrier_want_write(end->carrier, false);
    }
    if (events & LY_READABLE) {
        uint8_t *room = ly_buf_room(&end->got, 10000);
        ssize_t count = ly_carrier_read(end->carrier, room, 10000);
        if (count > 0)
            ly_buf_added(&end->got, (size_t)count);
        end->closed = count == 0;
        if (end->closed && end->free_when_closed) {
            ly_carrier_free(end->carrier);
            end->carrier = NULL;
        }
    }
}

static void test_carriers(void)
{
    enum { LEN = 1000000 };
    LyLoop *loop = ly_loop_new(NULL);
    uint8_t *data = g_malloc(LEN);
    for (size_t i = 0; i < LEN; i++)
        data[i] = (uint8_t)(i * 31 >> 3);
    /* Over a socket, both ways at once; over the pipes of a child; over a child's socket. */
    for (int kind = 0; kind < 3; kind++) {
        End a = {.send = data, .left = LEN}, b = {.send = data, .left = LEN, .free_when_closed = true};
        const char *cat[] = {"cat", NULL};
        int which = kind == 1 ? LY_CHILD_PIPE : LY_CHILD_SOCKET, fds[2];
        LyChildOptions options = {.argv = cat, .fds = {which, which, LY_CHILD_INHERIT}};
        Kid kid = {0};
        if (kind == 0) {
            socket_pair(fds);
            b.carrier = ly_carrier_new_fds(loop, fds[1], fds[1], NULL);
            ly_carrier_start(b.carrier, end_ready, &b);
            ly_carrier_want_write(b.carrier, true);
            a.carrier = ly_carrier_new_fds(loop, fds[0], fds[0], NULL);
        } else {
            kid.child = ly_child_new(loop, &options, kid_ended, &kid, NULL);
            int in = ly_child_fd(kid.child, 1), out = ly_child_fd(kid.child, 0);
            a.carrier = ly_carrier_new_fds(loop, in, out, kid.child);
        }
        ly_carrier_start(a.carrier, end_ready, &a);
        ly_carrier_want_write(a.carrier, true);
        RUN_UNTIL(loop, a.got.len == LEN && a.left == 0 && (kind || b.got.len == LEN));
        g_assert_cmpmem(a.got.data, a.got.len, data, LEN);
        uint8_t byte;
        g_assert_cmpint(ly_carrier_read(a.carrier, &byte, 1), ==, -EAGAIN);
        pid_t pid = kind ? ly_child_pid(kid.child) : 0;
        ly_carrier_free(a.carrier);
        if (kind) {
            RUN_UNTIL(loop, kill(pid, 0) != 0);
        } else {
            g_assert_cmpint(ly_carrier_write(b.carrier, "x", 1), ==, -EPIPE);
            RUN_UNTIL(loop, b.carrier == NULL);
            g_assert_cmpmem(b.got.data, b.got.len, data, LEN);
        }
        g_assert_false(kid.ended);
        ly_buf_free(&a.got);
        ly_buf_free(&b.got);
    }
    g_free(data);
    ly_loop_free(loop);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/sockaddr", test_sockaddr);
    g_test_add_func("/net/listen-and-connect", test_listen_and_connect);
    g_test_add_func("/net/connect-errors", test_connect_errors);
    g_test_add_func("/net/second-address", test_second_address);
    g_test_add_func("/net/children", test_children);
    g_test_add_func("/net/carriers", test_carriers);
    return g_test_run();
}
