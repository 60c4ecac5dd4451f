/* netconf-hello: any subsystem of a server, here NETCONF (RFC 6242): says hello and prints what the server
 * says, up to the mark that ends a message. */
#include <stdio.h>
#include <string.h>

#include "common.h"

#define END_OF_MESSAGE "]]>]]>"

static const char hello[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                            "<hello xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><capabilities>\n"
                            "<capability>urn:ietf:params:netconf:base:1.0</capability>\n"
                            "</capabilities></hello>\n" END_OF_MESSAGE;

typedef struct Netconf {
    Example example;
    const char *subsystem;
    LyBuf answer;
} Netconf;

static void data(void *user, LyBytes bytes)
{
    Netconf *netconf = user;
    ly_buf_add(&netconf->answer, bytes); /* views end with this call: what is needed later is copied */
    ly_program_consumed(netconf->example.program, bytes.len);
    size_t len = ly_bytes_find(ly_buf_bytes(&netconf->answer), LY_BYTES(END_OF_MESSAGE));
    if (len != SIZE_MAX) {
        fwrite(netconf->answer.data, 1, len, stdout);
        example_end(&netconf->example, 0);
    } else if (netconf->answer.failed) { /* a buffer has a limit, and says afterwards that it was reached */
        example_say(&netconf->example, "the server's hello is longer than %zu bytes", netconf->answer.limit);
        example_end(&netconf->example, EXAMPLE_FAILED);
    }
}

static void started(void *user)
{
    Netconf *netconf = user;
    LyBytes text = ly_bytes_str(hello);
    ly_program_write(netconf->example.program, &text, 1); /* shorter than any window */
}

static void closed(void *user, const LyProgramEnd *end, const LyError *error)
{
    Netconf *netconf = user;
    if (!ly_client_session(netconf->example.client)) /* the connection ended, and common.c says why */
        return;
    example_say(&netconf->example, "%s",
                error ? error->message : "the server ended before its hello was whole");
    example_end(&netconf->example, EXAMPLE_FAILED);
}

static void ready(void *user)
{
    Netconf *netconf = user;
    LyError error;
    LyProgramOptions options = {.kind = LY_PROGRAM_SUBSYSTEM, .command = ly_bytes_str(netconf->subsystem)};
    LyProgramEvents events = {.started = started, .data = data, .closed = closed, .user = netconf};
    netconf->example.program = ly_program_new(netconf->example.client, &options, &events, &error);
    if (!netconf->example.program)
        example_fail(&netconf->example, &error);
}

int main(int argc, char **argv)
{
    Netconf netconf = {.subsystem = "netconf", .answer = LY_BUF(1 << 20)};
    example_init(&netconf.example, argc, argv, "[-s subsystem] [-p port] [-o Name=value] [user@]host");
    while (example_option(&netconf.example, argc, argv, "s:") != -1)
        netconf.subsystem = optarg;
    example_expect(&netconf.example, argc, 1, false);
    example_set_host(&netconf.example, argv[optind]);
    int status = example_run(&netconf.example, ready, &netconf);
    example_clear(&netconf.example);
    ly_buf_free(&netconf.answer);
    return status;
}
