#include "common.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "key/read.h"

void example_say(const Example *example, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "%s: ", example->name);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    /* \r: the terminal may be raw, and lines would become stairs. */
    fputs(isatty(STDERR_FILENO) ? "\r\n" : "\n", stderr);
}

void example_die(const Example *example, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "%s: ", example->name);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(EXAMPLE_FAILED);
}

/* The library prints nothing: it hands its sentences to this. */
static void write_log(void *user, LyLogLevel level, const char *message)
{
    example_say(user, "%s", message);
}

/* SIGINT and the like end the loop, so that main can put the terminal right and remove sockets. While a
 * question is open the prompter may see the key first, and ends the program by SIGINT: the status is the
 * same. */
static void signalled(void *user, int number)
{
    example_end(user, number == SIGINT ? 128 + SIGINT : EXAMPLE_FAILED);
}

void example_init(Example *example, int argc, char **argv, const char *usage)
{
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
    LyError error;
    const char *slash = argc ? strrchr(argv[0], '/') : NULL;
    example->name = slash ? slash + 1 : argc ? argv[0] : "example";
    example->usage = usage;
    example->status = EXAMPLE_FAILED;
    signal(SIGPIPE, SIG_IGN); /* writing to a pipe that nobody reads is an error like others */
    example->crypto = ly_crypto_new(0, &error);
    example->loop = example->crypto ? ly_loop_new(&error) : NULL;
    if (!example->loop)
        example_die(example, "%s", error.message);
    example->signals = ly_signals_new(example->loop, ending, LY_COUNT(ending), signalled, example);
    example->prompter = ly_prompter_new(example->loop, true);
    example->options = (LyDestinationOptions){
        .crypto = example->crypto, .log = {.write = write_log, .user = example, .level = LY_LOG_WARNING}};
}

uint16_t example_port(const Example *example, const char *text)
{
    uint64_t port;
    if (!ly_bytes_number(ly_bytes_str(text), UINT16_MAX, &port))
        example_die(example, "\"%s\" is not a port (0 to 65535)", text);
    return (uint16_t)port;
}

int example_option(Example *example, int argc, char **argv, const char *own)
{
    char letters[64];
    int letter;
    snprintf(letters, sizeof letters, "+:p:o:F:v%s", own);
    while ((letter = getopt(argc, argv, letters)) != -1) {
        if (letter == 'p') {
            example->options.port = example_port(example, optarg);
        } else if (letter == 'o') {
            if (example->setting_count == EXAMPLE_SETTINGS_MAX)
                example_die(example, "there are more than %d options -o", EXAMPLE_SETTINGS_MAX);
            example->settings[example->setting_count++] = optarg;
        } else if (letter == 'F') {
            example->options.config_file = optarg;
        } else if (letter == 'v') {
            example->options.log.level = LY_LOG_DEBUG;
        } else if (letter == ':') {
            example_die(example, "option -%c wants an argument", optopt);
        } else if (letter == '?') {
            example_die(example, "option -%c is not known; usage: %s %s", optopt, example->name,
                        example->usage);
        } else {
            return letter;
        }
    }
    return -1;
}

void example_expect(const Example *example, int argc, int count, bool more)
{
    if (argc - optind < count || (argc - optind > count && !more))
        example_die(example, "usage: %s %s", example->name, example->usage);
}

void example_set_host(Example *example, char *text)
{
    char *at = strrchr(text, '@');
    example->options.host = at ? at + 1 : text;
    if (at) {
        *at = 0;
        example->options.user = text;
    }
}

char *example_join(char **words)
{
    LyBuf text = {0};
    for (size_t i = 0; words[i]; i++)
        ly_buf_add_format(&text, "%s%s", i ? " " : "", words[i]);
    char *joined = ly_strdup(ly_buf_str(&text));
    ly_buf_free(&text);
    return joined;
}

LyBuf example_read_file(const Example *example, const char *path)
{
    LyBuf text = LY_BUF(1 << 20);
    FILE *file = fopen(path, "r");
    size_t len = 1;
    if (!file)
        example_die(example, "cannot open %s: %s", path, strerror(errno));
    for (uint8_t *room; len && (room = ly_buf_room(&text, 4096)); ly_buf_added(&text, len))
        len = fread(room, 1, 4096, file);
    if (ferror(file) || text.failed)
        example_die(example, "cannot read %s, or it is longer than 1 MiB", path);
    fclose(file);
    return text;
}

LyKey *example_read_key(const Example *example, const char *path)
{
    LyError error;
    LyBuf text = example_read_file(example, path);
    LyKey *key = ly_key_read(example->crypto, ly_buf_bytes(&text), NULL, &error);
    ly_buf_free(&text); /* cleanses it, for it is a secret */
    if (!key)
        example_die(example, "%s: %s", path, error.message);
    return key;
}

void example_draw_progress(uint64_t done_len, uint64_t total_len)
{
    static const char full[] = "########################################";
    int columns = (int)sizeof full - 1;
    int done_columns = total_len ? (int)(LY_MIN(done_len, total_len) * (uint64_t)columns / total_len) : 0;
    if (!isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r[%-*.*s] %llu", columns, done_columns, full, (unsigned long long)done_len);
    if (total_len)
        fprintf(stderr, " of %llu bytes", (unsigned long long)total_len);
    else
        fputs(" bytes", stderr);
}

/* ---- questions ---- */

static void answered(void *user, const char *answer)
{
    ly_client_answer(user, answer);
}

void example_ask(Example *example, const LyAsk *ask, LyClient *client)
{
    ly_prompter_ask(example->prompter, ask->text, ask->echo, ask->kind == LY_ASK_HOST_KEY, answered, client);
}

static void asked(void *user, const LyAsk *ask)
{
    Example *example = user;
    example_ask(example, ask, example->client);
}

/* ---- the connection ---- */

static void banner(void *user, LyBytes text)
{
    LyBytes line;
    while (ly_bytes_line(&text, &line))
        fprintf(stderr, "%s\n", LY_PRINTABLE(line)); /* a server's bytes never reach a terminal as they are */
}

static void ready(void *user)
{
    Example *example = user;
    example->ready(example->user);
}

static void closed(void *user, const LyError *error, bool final)
{
    Example *example = user;
    if (error->code == LY_OK)
        example_say(example, "the server closed the connection");
    else
        example_say(example, "%s", error->message);
    example_end(example, EXAMPLE_FAILED);
}

int example_run(Example *example, void (*ready_func)(void *user), void *user)
{
    LyError error;
    LyClientEvents events = {
        .ask = asked, .ready = ready, .banner = banner, .closed = closed, .user = example};
    example->ready = ready_func;
    example->user = user;
    example->options.settings = example->settings;
    example->destination = ly_destination_new(&example->options, &error);
    if (!example->destination) {
        example_say(example, "%s", error.message);
        return EXAMPLE_FAILED;
    }
    if (ly_config_flag(ly_destination_config(example->destination), LY_CONFIG_BATCH_MODE, false))
        events.ask = NULL; /* nobody is there to be asked */
    example->client = ly_client_new(example->loop, example->destination, &events);
    ly_loop_run(example->loop);
    return example->status;
}

void example_end(Example *example, int status)
{
    example->status = status;
    ly_loop_quit(example->loop);
}

void example_fail(Example *example, const LyError *error)
{
    example_say(example, "%s", error->message);
    example_end(example, EXAMPLE_FAILED);
}

/* ---- standard input to the program ---- */

static void send_input(Example *example)
{
    size_t sent = ly_program_write(example->program, &example->unsent, 1);
    example->unsent = ly_bytes_slice(example->unsent, sent, example->unsent.len);
    /* While something is left nothing more is read; `writable` comes when there is room. */
    ly_watch_set(example->input, example->unsent.len ? 0 : LY_READABLE);
}

static void input_ready(void *user, unsigned events)
{
    Example *example = user;
    if (example->unsent.len)
        return;
    ssize_t len = read(STDIN_FILENO, example->read, sizeof example->read);
    if (len > 0) {
        example->unsent = ly_bytes(example->read, (size_t)len);
        send_input(example);
    } else if (len == 0 || (errno != EAGAIN && errno != EINTR)) {
        ly_program_eof(example->program); /* its output goes on */
        ly_watch_free(example->input);
        example->input = NULL;
    }
}

static void started(void *user)
{
    Example *example = user;
    example->input = ly_watch_new(example->loop, STDIN_FILENO, LY_READABLE, input_ready, example);
}

static void writable(void *user)
{
    Example *example = user;
    if (example->input)
        send_input(example);
}

/* ---- the program's output ---- */

static void end_if_written(Example *example)
{
    if (example->ended && !example->out.waiting.len && !example->err.waiting.len)
        ly_loop_quit(example->loop);
}

/* A pipe that is ready takes PIPE_BUF bytes without blocking. So it can stay as it is: everybody who shares a
 * pipe or terminal would see its O_NONBLOCK. */
static void output_ready(void *user, unsigned events)
{
    ExampleOutput *output = user;
    Example *example = output->example;
    LyBytes next = ly_bytes_slice(ly_buf_bytes(&output->waiting), output->written, PIPE_BUF);
    ssize_t len = write(output->fd, next.data, next.len);
    if (len < 0 && errno != EAGAIN && errno != EINTR) { /* nobody reads it: the program need not go on */
        example_end(example, EXAMPLE_FAILED);
        return;
    }
    if (len > 0) {
        output->written += (size_t)len;
        ly_program_consumed(example->program, (size_t)len);
    }
    if (output->written * 2 >= output->waiting.len) { /* not at each write: dropping moves the rest */
        ly_buf_drop(&output->waiting, output->written);
        output->written = 0;
    }
    ly_watch_set(output->watch, output->waiting.len ? LY_WRITABLE : 0);
    end_if_written(example);
}

static void add_output(ExampleOutput *output, LyBytes bytes)
{
    ly_buf_add(&output->waiting, bytes);
    ly_watch_set(output->watch, LY_WRITABLE);
}

static void data(void *user, LyBytes bytes)
{
    Example *example = user;
    add_output(&example->out, bytes);
}

static void stderr_data(void *user, LyBytes bytes)
{
    Example *example = user;
    add_output(&example->err, bytes);
}

/* ---- the program ---- */

static void program_closed(void *user, const LyProgramEnd *end, const LyError *error)
{
    Example *example = user;
    example->ended = true;
    if (!ly_client_session(example->client)) /* the connection ended, and `closed` will say why */
        return;
    if (error)
        example_say(example, "%s", error->message);
    else if (end->signalled)
        example_say(example, "the command was ended by signal %s", LY_PRINTABLE(end->signal));
    example->status = !error && end->exited ? (int)end->status : EXAMPLE_FAILED;
    end_if_written(example);
}

static void output_init(ExampleOutput *output, Example *example, int fd)
{
    output->example = example;
    output->fd = fd;
    output->watch = ly_watch_new(example->loop, fd, 0, output_ready, output);
}

void example_start(Example *example, const LyProgramOptions *options)
{
    LyProgramEvents events = {.started = started,
                              .data = data,
                              .stderr_data = stderr_data,
                              .writable = writable,
                              .closed = program_closed,
                              .user = example};
    LyError error;
    output_init(&example->out, example, STDOUT_FILENO);
    output_init(&example->err, example, STDERR_FILENO);
    example->program = ly_program_new(example->client, options, &events, &error);
    if (!example->program)
        example_fail(example, &error);
}

static void output_clear(ExampleOutput *output)
{
    ly_watch_free(output->watch);
    ly_buf_free(&output->waiting);
}

void example_clear(Example *example)
{
    ly_watch_free(example->input);
    output_clear(&example->out);
    output_clear(&example->err);
    ly_prompter_free(example->prompter); /* before the client whose question may be open */
    ly_program_free(example->program);
    ly_client_free(example->client);
    ly_destination_unref(example->destination);
    ly_signals_free(example->signals);
    ly_loop_free(example->loop);
    ly_crypto_unref(example->crypto);
}
