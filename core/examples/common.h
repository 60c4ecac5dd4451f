/* What the examples have in common: the command line, questions to a person, the connection, the loop until
 * the end, and ssh's exit status (the program's, or 255 when the connection or its use failed). */
#ifndef LY_EXAMPLES_COMMON_H
#define LY_EXAMPLES_COMMON_H

#include <unistd.h> /* optind */

#include "loop/program.h"
#include "loop/prompt.h"

enum { EXAMPLE_FAILED = 255, EXAMPLE_SETTINGS_MAX = 64 };

typedef struct Example Example;

/* What a program wrote and our standard output (or error) has not taken yet. It is never more than the
 * channel's window, because the window opens again only as ly_program_consumed says. */
typedef struct ExampleOutput {
    Example *example;
    int fd;
    LyBuf waiting;
    size_t written; /* of `waiting` */
    LyWatch *watch;
} ExampleOutput;

struct Example {
    const char *name, *usage;     /* "exec", and what follows it on the command line */
    LyDestinationOptions options; /* filled by example_option; a program may add to them before example_run */
    const char *settings[EXAMPLE_SETTINGS_MAX + 1];
    size_t setting_count;
    LyCrypto *crypto;
    LyLoop *loop;
    LySignals *signals;
    LyPrompter *prompter;
    LyDestination *destination; /* from example_run on */
    LyClient *client;
    void (*ready)(void *user);
    void *user;
    int status;

    LyProgram *program; /* from example_start on */
    ExampleOutput out, err;
    LyWatch *input;         /* standard input, until its end */
    uint8_t read[32 << 10]; /* what was read from it, */
    LyBytes unsent;         /* and the part of that which the server's window had no room for */
    bool ended;             /* the program; its output may still wait */
};

/* Makes the crypto context and the loop. `usage` as of the struct. */
void example_init(Example *example, int argc, char **argv, const char *usage);
/* getopt(3) with -p port, -o Name=value, -F file and -v besides `own` letters, of which it returns the next;
 * -1 at the first word that is no option (optind). What is wrong ends the program with a sentence. */
int example_option(Example *example, int argc, char **argv, const char *own);
/* The words after the options are `count`, or more if `more`; else the program ends with its usage. */
void example_expect(const Example *example, int argc, int count, bool more);
/* "[user@]host"; changes the text. */
void example_set_host(Example *example, char *text);
/* Connects and signs in, calls `ready`, and runs the loop until example_end. What was made on the connection
 * is then freed by its owner, and the rest by example_clear. Returns the exit status. */
int example_run(Example *example, void (*ready)(void *user), void *user);
/* Ends the loop with this exit status. */
void example_end(Example *example, int status);
/* Says the sentence and ends the loop with 255. */
void example_fail(Example *example, const LyError *error);
/* Runs a program on the connection. Standard input, output and error of this process become the program's,
 * and none is read faster than the other side takes it; its exit status is the loop's end. */
void example_start(Example *example, const LyProgramOptions *options);
void example_clear(Example *example);

/* For a client that is not example_run's: asks the person what it asks, and answers it. */
void example_ask(Example *example, const LyAsk *ask, LyClient *client);
/* "exec: " and the sentence, on standard error. */
void example_say(const Example *example, const char *format, ...) LY_PRINTF(2, 3);
/* The same, and the end of the program, before the loop runs. */
void example_die(const Example *example, const char *format, ...) LY_PRINTF(2, 3) __attribute__((noreturn));
/* A port, 0 to 65535, or the end of the program. */
uint16_t example_port(const Example *example, const char *text);
/* A file's text, or the end of the program; free with ly_buf_free. */
LyBuf example_read_file(const Example *example, const char *path);
/* A key file without a passphrase, private or public, or the end of the program. */
LyKey *example_read_key(const Example *example, const char *path);
/* Draws a transfer's progress over the line it drew before, on standard error if that is a terminal.
 * `total_len` 0: not known. */
void example_draw_progress(uint64_t done_len, uint64_t total_len);
/* All words with a blank in between, as ssh(1) sends a command; free with ly_free. */
char *example_join(char **words);

#endif
