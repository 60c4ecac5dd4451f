/* agent-transports listen FILE [WHERE]: offers the agent at WHERE (SSH_AUTH_SOCK) by a Cygwin socket file
 * until SIGTERM. agent-transports relay [WHERE]: joins stdin and stdout to it. agent-transports list WHERE
 * [TIMES]: its keys, as ssh-add -L prints them, asked for TIMES times in a row over one connection. For
 * agent-transports.sh. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/client.h"
#include "base/base64.h"
#include "base/list.h"
#include "base/memory.h"
#include "cygwin-listen.h"
#include "loop/agent.h"
#include "relay.h"

struct Serve {
    LyLoop *loop;
    const char *where;
    LyList clients;
};

/* A client of the listener: joined to the agent by its bytes. */

typedef struct Client {
    LyLink link;
    Serve *serve;
    LyAgentDial *dial;
    int fds[2]; /* the client, the agent */
    LyWatch *watches[2];
    bool ended[2];
} Client;

static void client_free(Client *client)
{
    for (int i = 0; i < 2; i++) {
        ly_watch_free(client->watches[i]);
        if (client->fds[i] >= 0)
            close(client->fds[i]);
    }
    ly_agent_dial_cancel(client->dial);
    ly_link_remove(&client->link);
    ly_free(client);
}

static void copy(Client *client, int from)
{
    char bytes[65536];
    ssize_t count = read(client->fds[from], bytes, sizeof bytes);
    if (count == 0 && !client->ended[!from]) {
        client->ended[from] = true;
        ly_watch_set(client->watches[from], 0);
        shutdown(client->fds[!from], SHUT_WR);
        return;
    }
    /* waiting here stops all clients, which a test's may do for a moment */
    for (ssize_t at = 0; at < count;) {
        struct pollfd room = {.fd = client->fds[!from], .events = POLLOUT};
        ssize_t sent = poll(&room, 1, 10000) == 1
                           ? send(client->fds[!from], bytes + at, (size_t)(count - at), MSG_NOSIGNAL)
                           : -1;
        if (sent < 0) {
            client_free(client);
            return;
        }
        at += sent;
    }
    if (count <= 0)
        client_free(client);
}

static void from_client(void *user, unsigned events)
{
    copy(user, 0);
}

static void from_agent(void *user, unsigned events)
{
    copy(user, 1);
}

static void dialled(void *user, int fd, const LyError *error)
{
    Client *client = user;
    client->dial = NULL;
    client->fds[1] = fd;
    if (fd < 0) {
        fprintf(stderr, "agent-transports: %s\n", error->message);
        client_free(client);
        return;
    }
    client->watches[0] = ly_watch_new(client->serve->loop, client->fds[0], LY_READABLE, from_client, client);
    client->watches[1] = ly_watch_new(client->serve->loop, client->fds[1], LY_READABLE, from_agent, client);
}

void serve_client(Serve *serve, int fd, const LyAgentPeer *peer, LyBytes first)
{
    Client *client = ly_new(Client);
    *client = (Client){.serve = serve, .fds = {fd, -1}};
    ly_list_append(&serve->clients, &client->link);
    fprintf(stderr, "client: %s pid %lld uid %lld%s\n", peer->transport, (long long)peer->pid,
            (long long)peer->uid, peer->claimed ? " (claimed)" : "");
    LyError error;
    client->dial = ly_agent_dial(serve->loop, serve->where, dialled, client, &error);
    if (!client->dial) {
        fprintf(stderr, "agent-transports: %s\n", error.message);
        client_free(client);
    }
}

static void log_line(void *user, LyLogLevel level, const char *message)
{
    fprintf(stderr, "log: %s\n", message);
}

static void stop(void *user, int number)
{
    ly_loop_quit(user);
}

static bool listen_(LyLoop *loop, const char *path, const char *where, LyError *error)
{
    static const int stopping[] = {SIGTERM, SIGINT};
    Serve serve = {.loop = loop, .where = where};
    LyCrypto *crypto = ly_crypto_new(0, NULL);
    ly_list_init(&serve.clients);
    LyLog log = {.write = log_line, .level = LY_LOG_DEBUG};
    LySignals *signals = ly_signals_new(loop, stopping, 2, stop, loop);
    CygwinListener *listener = cygwin_listener_new(loop, crypto, &serve, path, log, error);
    bool good = listener != NULL;
    if (good) {
        fprintf(stderr, "listening\n");
        ly_loop_run(loop);
    }
    cygwin_listener_free(listener);
    ly_list_each(&serve.clients, Client, link, client) client_free(client);
    ly_signals_free(signals);
    ly_crypto_unref(crypto);
    return good;
}

/* Listing. */

typedef struct Listing {
    LyLoop *loop;
    LyAgentConnection *connection;
    unsigned long left;
    LyError error;
} Listing;

static void listed(void *user, LyBytes reply, const LyError *error);

static void ask(Listing *listing)
{
    LyBuf request = {0};
    ly_put_agent_request_identities(&request);
    ly_agent_request(listing->connection, ly_buf_bytes(&request), listed, listing);
    ly_buf_free(&request);
}

static void print(const LyAgentIdentity *identity)
{
    LyReader blob = ly_reader(identity->key_blob);
    LyBytes type = ly_get_string(&blob);
    LyBuf text = {0};
    ly_base64_encode(&text, identity->key_blob, 0);
    printf("%.*s %s %.*s\n", (int)type.len, (const char *)type.data, ly_buf_str(&text),
           (int)identity->comment.len, (const char *)identity->comment.data);
    ly_buf_free(&text);
}

static void listed(void *user, LyBytes reply, const LyError *error)
{
    Listing *listing = user;
    LyAgentIdentity *identities = NULL;
    size_t count = 0;
    if (error)
        listing->error = *error;
    else if (ly_get_agent_identities(reply, &identities, &count, &listing->error) && --listing->left) {
        ly_free(identities);
        ask(listing);
        return;
    }
    for (size_t i = 0; i < count; i++)
        print(&identities[i]);
    ly_free(identities);
    ly_loop_quit(listing->loop);
}

static bool list(LyLoop *loop, const char *where, unsigned long times, LyError *error)
{
    Listing listing = {.loop = loop, .left = times};
    listing.connection = ly_agent_connect(loop, where, 10 * 1000 * 1000, error);
    if (!listing.connection)
        return false;
    ask(&listing);
    ly_loop_run(loop);
    ly_agent_connection_free(listing.connection);
    if (listing.error.code != LY_OK)
        *error = listing.error;
    return listing.error.code == LY_OK;
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    LyError error = {0};
    LyLoop *loop = ly_loop_new(&error);
    bool good = false;
    signal(SIGPIPE, SIG_IGN);
    if (strcmp(command, "listen") == 0 && argc > 2)
        good = listen_(loop, argv[2], argc > 3 ? argv[3] : "SSH_AUTH_SOCK", &error);
    else if (strcmp(command, "relay") == 0)
        good = relay_run(loop, argc > 2 ? argv[2] : "SSH_AUTH_SOCK", 0, 1, &error);
    else if (strcmp(command, "list") == 0 && argc > 2)
        good = list(loop, argv[2], argc > 3 ? strtoul(argv[3], NULL, 10) : 1, &error);
    else
        ly_error_set(&error, LY_ERROR_INVALID,
                     "usage: agent-transports listen FILE | relay [WHERE] | list WHERE");
    ly_loop_free(loop);
    if (!good)
        fprintf(stderr, "agent-transports: %s\n", error.message);
    return good ? 0 : 1;
}
