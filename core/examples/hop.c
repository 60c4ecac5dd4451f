/* hop: runs a command on the last of any number of hosts, each of which is reached through the one before:
 *     hop alice@gate bob@inner:2222 carol@innermost -- uname -a
 * (The settings do the same without a program of one's own: -o ProxyJump=alice@gate,bob@inner:2222.) Each
 * host is signed in to from here, with its own settings and known_hosts; what travels through the hosts
 * between is sealed for the next. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "common.h"
#include "loop/tunnel.h"

enum { HOSTS_MAX = 16 };

typedef struct Hops Hops;

typedef struct Hop {
    Hops *hops;
    LyDestination *destination;
    LyClient *client;
    LyTunnel *tunnel; /* from this host to the next */
} Hop;

struct Hops {
    Example example;
    Hop hop[HOSTS_MAX];
    size_t count;
    char *command;
};

static void ask(void *user, const LyAsk *question)
{
    Hop *hop = user;
    example_ask(&hop->hops->example, question, hop->client);
}

/* The connection to one host ended, and with it those through it. */
static void closed(void *user, const LyError *error, bool final)
{
    Hop *hop = user;
    if (error->code == LY_OK)
        example_say(&hop->hops->example, "%s closed the connection", ly_destination_name(hop->destination));
    else
        example_say(&hop->hops->example, "%s", error->message);
    example_end(&hop->hops->example, EXAMPLE_FAILED);
}

static void signed_in(void *user);

/* The socket's other end is the next host's SSH port, as seen from the host before. */
static void reached(void *user, LyTunnelId id, int fd, bool reused, const LyError *error)
{
    Hop *hop = user;
    if (fd < 0) {
        example_fail(&hop->hops->example, error);
        return;
    }
    LyCarrier *carrier = ly_carrier_new_fds(hop->hops->example.loop, fd, fd, NULL);
    LyClientEvents events = {.ask = ask, .ready = signed_in, .closed = closed, .user = hop};
    hop->client = ly_client_new_over(hop->hops->example.loop, hop->destination, carrier, &events);
}

static void signed_in(void *user)
{
    Hop *hop = user;
    Hops *hops = hop->hops;
    if (hop == &hops->hop[hops->count - 1]) {
        LyProgramOptions options = {.kind = LY_PROGRAM_COMMAND, .command = ly_bytes_str(hops->command)};
        hops->example.client = hop->client;
        example_start(&hops->example, &options);
        return;
    }
    const LyConfig *next = ly_destination_config(hop[1].destination);
    hop->tunnel = ly_tunnel_new(hop->client, &(LyTunnelOptions){0});
    ly_tunnel_open(hop->tunnel, ly_config_string(next, LY_CONFIG_HOST_NAME),
                   (uint16_t)ly_config_number(next, LY_CONFIG_PORT, 22), reached, hop + 1);
}

/* "[user@]host[:port]" */
static void add_host(Hops *hops, char *text)
{
    LyDestinationOptions options = hops->example.options;
    LyError error;
    if (hops->count == HOSTS_MAX)
        example_die(&hops->example, "there are more than %d hosts", HOSTS_MAX);
    char *at = strrchr(text, '@'), *host = at ? at + 1 : text, *colon = strchr(host, ':');
    if (at)
        *at = 0;
    if (colon)
        *colon = 0;
    options.user = at ? text : NULL;
    options.host = host;
    options.port = colon ? example_port(&hops->example, colon + 1) : options.port;
    options.settings = hops->example.settings;
    Hop *hop = &hops->hop[hops->count++];
    hop->hops = hops;
    hop->destination = ly_destination_new(&options, &error);
    if (!hop->destination)
        example_die(&hops->example, "%s", error.message);
}

int main(int argc, char **argv)
{
    Hops hops = {0};
    example_init(&hops.example, argc, argv, "[-p port] [-o Name=value] [user@]host[:port]... -- command ...");
    example_option(&hops.example, argc, argv, "");
    while (optind < argc && strcmp(argv[optind], "--") != 0)
        add_host(&hops, argv[optind++]);
    if (!hops.count || optind + 2 > argc)
        example_die(&hops.example, "usage: %s %s", hops.example.name, hops.example.usage);
    hops.command = example_join(argv + optind + 1);
    LyClientEvents events = {.ask = ask, .ready = signed_in, .closed = closed, .user = &hops.hop[0]};
    hops.hop[0].client = ly_client_new(hops.example.loop, hops.hop[0].destination, &events);
    ly_loop_run(hops.example.loop);
    int status = hops.example.status;
    /* The innermost first: each goes through the one before. example_clear frees a client of its own only. */
    for (size_t i = hops.count; i-- > 0;) {
        ly_tunnel_free(hops.hop[i].tunnel);
        ly_client_free(hops.hop[i].client);
        ly_destination_unref(hops.hop[i].destination);
    }
    hops.example.client = NULL;
    example_clear(&hops.example);
    ly_free(hops.command);
    return status;
}
