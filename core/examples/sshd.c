/* sshd: a small SSH server. It shows the server half of the library: a listener, and a LyServer for each
 * connection. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/list.h"
#include "base/memory.h"
#include "sshd-options.h"

/* Connections that have not signed in; more are closed at once, as with sshd_config's MaxStartups. */
#define UNAUTHENTICATED_MAX 100
#define FILES_MAX 8192

typedef struct Sshd {
    SshdOptions options;
    LyLoop *loop;
    LyList connections;
} Sshd;

typedef struct Connection {
    LyLink link;
    Sshd *sshd;
    LyServer *server;
} Connection;

static void write_log(void *user, LyLogLevel level, const char *message)
{
    fprintf(stderr, "sshd: %s\n", message);
}

static void connection_free(Connection *connection)
{
    ly_link_remove(&connection->link);
    ly_server_free(connection->server);
    ly_free(connection);
}

static void connection_ended(void *user, LyServer *server)
{
    connection_free(user);
}

static size_t count_unauthenticated(Sshd *sshd)
{
    size_t count = 0;
    ly_list_each(&sshd->connections, Connection, link, connection)
    {
        count += !ly_server_is_signed_in(connection->server);
    }
    return count;
}

static void accepted(void *user, int fd, const struct sockaddr *address, socklen_t address_len)
{
    Sshd *sshd = user;
    const LyLog *log = &sshd->options.server.log;
    LyServerPeer peer = {0};
    struct sockaddr_storage local = {0};
    socklen_t local_len = sizeof local;
    LyError error;
    ly_sockaddr_text(address, peer.address, &peer.port);
    if (getsockname(fd, (struct sockaddr *)&local, &local_len) == 0)
        ly_sockaddr_text((struct sockaddr *)&local, peer.local_address, &peer.local_port);
    LyCarrier *carrier = ly_carrier_new_fds(sshd->loop, fd, fd, NULL);
    if (count_unauthenticated(sshd) >= UNAUTHENTICATED_MAX) {
        ly_log(log, LY_LOG_WARNING, "%s port %u: closed, because %d connections have not signed in yet",
               peer.address, (unsigned)peer.port, UNAUTHENTICATED_MAX);
        ly_carrier_free(carrier);
        return;
    }
    Connection *connection = ly_new(Connection);
    connection->sshd = sshd;
    connection->server = ly_server_new(sshd->loop, &sshd->options.server, carrier, &peer, connection_ended,
                                       connection, &error);
    if (!connection->server) {
        ly_log(log, LY_LOG_ERROR, "%s", error.message);
        ly_free(connection);
        return;
    }
    ly_list_append(&sshd->connections, &connection->link);
}

static void quit(void *user, int signal)
{
    Sshd *sshd = user;
    ly_loop_quit(sshd->loop);
}

/* Each open file of an SFTP client takes one. */
static void raise_file_limit(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < FILES_MAX) {
        files.rlim_cur = LY_MIN(files.rlim_max, (rlim_t)FILES_MAX);
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static bool serve(Sshd *sshd, LyError *error)
{
    static const int ending[] = {SIGTERM, SIGINT};
    LySignals *signals = ly_signals_new(sshd->loop, ending, LY_COUNT(ending), quit, sshd);
    if (!signals)
        return ly_error_set(error, LY_ERROR_IO, "cannot watch for signals: %s", strerror(errno));
    LyListener *listener =
        ly_listener_new(sshd->loop, sshd->options.address, sshd->options.port, accepted, sshd, error);
    if (listener) {
        printf("listening on %s\n", ly_listener_name(listener));
        fflush(stdout);
        ly_loop_run(sshd->loop);
    }
    Connection *connection;
    while ((connection = ly_list_first(&sshd->connections, Connection, link)))
        connection_free(connection);
    ly_listener_free(listener);
    ly_signals_free(signals);
    return listener != NULL;
}

int main(int argc, char **argv)
{
    Sshd sshd = {0};
    LyError error;
    sshd_options_read(&sshd.options, argc, argv);
    sshd.options.server.log.write = write_log;
    ly_list_init(&sshd.connections);
    signal(SIGPIPE, SIG_IGN);
    raise_file_limit();
    sshd.loop = ly_loop_new(&error);
    bool served = sshd.loop && serve(&sshd, &error);
    if (!served)
        fprintf(stderr, "sshd: %s\n", error.message);
    ly_loop_free(sshd.loop);
    sshd_options_clear(&sshd.options);
    return served ? 0 : 1;
}
