#include "serve.h"

#include <stdio.h>

#include "base/memory.h"

typedef struct Service {
    Example *example;
    const LyServerOptions *options;
    LyList connections;
} Service;

typedef struct Connection {
    LyLink link;
    LyServer *server;
} Connection;

static void connection_free(Connection *connection)
{
    ly_link_remove(&connection->link);
    ly_server_free(connection->server);
    ly_free(connection);
}

/* A server may be freed from within `ended`, and nowhere else in what it calls. */
static void ended(void *user, LyServer *server)
{
    connection_free(user);
}

static void accepted(void *user, int fd, const struct sockaddr *address, socklen_t len)
{
    Service *service = user;
    LyLoop *loop = service->example->loop;
    LyServerPeer peer = {0};
    LyError error;
    Connection *connection = ly_new(Connection);
    LyCarrier *carrier = ly_carrier_new_fds(loop, fd, fd, NULL);
    ly_sockaddr_text(address, peer.address, &peer.port);
    connection->server = ly_server_new(loop, service->options, carrier, &peer, ended, connection, &error);
    if (connection->server) {
        ly_list_append(&service->connections, &connection->link);
    } else { /* the carrier is gone too */
        example_say(service->example, "%s", error.message);
        ly_free(connection);
    }
}

int serve(Example *example, LyServerOptions *options, LyKey *host_key)
{
    Service service = {.example = example, .options = options};
    LyError error;
    Connection *connection;
    if (!host_key)
        example_die(example, "give a host key with -h; usage: %s %s", example->name, example->usage);
    if (example->setting_count || example->options.config_file)
        example_die(example, "-o and -F are for clients; usage: %s %s", example->name, example->usage);
    options->session.transport.crypto = example->crypto;
    options->session.transport.host_keys = &host_key;
    options->session.transport.host_key_count = 1;
    options->session.transport.handshake_timeout_us = options->session.auth_timeout_us = 120 * 1000000;
    options->log = example->options.log;
    ly_list_init(&service.connections);
    LyListener *listener =
        ly_listener_new(example->loop, "127.0.0.1", example->options.port, accepted, &service, &error);
    if (!listener)
        example_die(example, "%s", error.message);
    printf("listening on %s\n", ly_listener_name(listener));
    fflush(stdout);
    ly_loop_run(example->loop);
    while ((connection = ly_list_first(&service.connections, Connection, link)))
        connection_free(connection);
    ly_listener_free(listener);
    return 0;
}
