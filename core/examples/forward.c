/* forward: -L, -R and -D as ssh(1) writes them, several at once, TCP ports and Unix sockets, until Ctrl-C.
 *     forward -L 8080:intranet:80 -L 5432:/run/postgresql/.s.PGSQL.5432 -R 0:localhost:22 -D 1080 host */
#include <stdio.h>

#include "base/memory.h"
#include "common.h"
#include "loop/forward.h"

enum { FORWARDS_MAX = 32 };

typedef struct Forwards Forwards;

typedef struct Wanted {
    Forwards *forwards;
    int kind; /* 'L', 'R' or 'D' */
    const char *text;
    LyForwardEnd listen, to;
    char *storage; /* what the ends point into */
    LyForward *forward;
} Wanted;

struct Forwards {
    Example example;
    Wanted wanted[FORWARDS_MAX];
    size_t count;
};

static void say_listening(const Wanted *wanted, uint16_t port)
{
    if (port)
        printf("-%c %s: listening on port %u\n", wanted->kind, wanted->text, (unsigned)port);
    else
        printf("-%c %s: listening on %s\n", wanted->kind, wanted->text, wanted->listen.path);
    fflush(stdout);
}

/* -R: the server has answered. */
static void listening(void *user, LyForward *forward, uint16_t port)
{
    say_listening(user, port);
}

static void failed(void *user, LyForward *forward, const LyError *error, bool fatal)
{
    Wanted *wanted = user;
    if (fatal) /* the server does not let us listen: as ssh's ExitOnForwardFailure */
        example_fail(&wanted->forwards->example, error);
    else /* one connection; others may do better */
        example_say(&wanted->forwards->example, "-%c %s: %s", wanted->kind, wanted->text, error->message);
}

static bool start(Wanted *wanted, LyError *error)
{
    LyClient *client = wanted->forwards->example.client;
    LyForwardOptions options = {.listening = listening, .failed = failed, .user = wanted};
    bool has_target = wanted->to.host || wanted->to.path;
    if (wanted->kind == 'L')
        wanted->forward = ly_forward_local(client, &wanted->listen, &wanted->to, &options, error);
    else if (wanted->kind == 'D')
        wanted->forward = ly_forward_dynamic(client, &wanted->listen, &options, error);
    else /* without a target it is a SOCKS proxy at the server */
        wanted->forward =
            ly_forward_remote(client, &wanted->listen, has_target ? &wanted->to : NULL, &options, error);
    if (!wanted->forward)
        return false;
    if (wanted->kind != 'R')
        say_listening(wanted, ly_forward_port(wanted->forward));
    return true;
}

static void ready(void *user)
{
    Forwards *forwards = user;
    LyError error;
    for (size_t i = 0; i < forwards->count; i++) {
        if (!start(&forwards->wanted[i], &error)) {
            example_fail(&forwards->example, &error);
            return;
        }
    }
}

/* Read at once, so that a mistake is found before anything was connected. */
static void add(Forwards *forwards, int kind, const char *text)
{
    LyError error;
    if (forwards->count == FORWARDS_MAX)
        example_die(&forwards->example, "there are more than %d forwards", FORWARDS_MAX);
    Wanted *wanted = &forwards->wanted[forwards->count++];
    *wanted = (Wanted){.forwards = forwards, .kind = kind, .text = text};
    if (!ly_forward_parse(text, kind == 'D', kind == 'R', &wanted->listen, &wanted->to, &wanted->storage,
                          &error))
        example_die(&forwards->example, "-%c %s: %s", kind, text, error.message);
}

int main(int argc, char **argv)
{
    Forwards forwards = {0};
    int letter;
    example_init(&forwards.example, argc, argv,
                 "{-L|-R|-D forward}... [-p port] [-o Name=value] [user@]host");
    while ((letter = example_option(&forwards.example, argc, argv, "L:R:D:")) != -1)
        add(&forwards, letter, optarg);
    example_expect(&forwards.example, argc, 1, false);
    example_set_host(&forwards.example, argv[optind]);
    if (!forwards.count)
        example_die(&forwards.example, "give at least one of -L, -R and -D");
    int status = example_run(&forwards.example, ready, &forwards);
    for (size_t i = 0; i < forwards.count; i++) {
        ly_forward_free(forwards.wanted[i].forward); /* removes its Unix socket */
        ly_free(forwards.wanted[i].storage);
    }
    example_clear(&forwards.example);
    return status;
}
