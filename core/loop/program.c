#include "loop/program.h"

#include <string.h>

#include "base/memory.h"
#include "loop/agent-forward.h"
#include "loop/client-private.h"

/* What a reply answers. */
enum { TAG_PTY = 1, TAG_X11, TAG_START };

typedef enum State {
    STATE_OPENING,  /* CHANNEL_OPEN is out */
    STATE_STARTING, /* the requests are */
    STATE_RUNNING,
    STATE_ENDED, /* closed was told */
} State;

struct LyProgram {
    LyClient *client; /* NULL once that is gone */
    LyDependent dependent;
    LyChannel *channel; /* NULL once it is closed */
    LyProgramEvents events;
    State state;
    bool wants_room, wants_eof; /* the latter as said before it runs */
    bool starting, freed;       /* `started` is being told; ly_program_free was called */
    /* the options' copies; `text` has their bytes */
    LyProgramKind kind;
    LyBuf text;
    LyBytes command, *env;
    size_t env_count;
    LyPtyRequest *pty;
    LyX11Request *x11;
    bool agent;
    LyProgramEnd end;
    LyBuf signal, message; /* of `end` */
};

/* For channels that nobody wants any more. */
static void dropped(void *user, const LyConnectionEvent *event)
{
}

/* Copies. */

static void keep(LyProgram *program, LyBytes *bytes)
{
    size_t at = program->text.len;
    ly_buf_add(&program->text, *bytes);
    /* an offset until the buffer has its final place */
    *bytes = (LyBytes){.data = (const uint8_t *)at, .len = bytes->len};
}

static void place(const LyProgram *program, LyBytes *bytes)
{
    *bytes = ly_bytes(bytes->len ? program->text.data + (size_t)bytes->data : NULL, bytes->len);
}

static void each_view(LyProgram *program, void (*func)(LyProgram *program, LyBytes *bytes))
{
    func(program, &program->command);
    for (size_t i = 0; i < 2 * program->env_count; i++)
        func(program, &program->env[i]);
    if (program->pty) {
        func(program, &program->pty->term);
        func(program, &program->pty->modes);
    }
    if (program->x11) {
        func(program, &program->x11->protocol);
        func(program, &program->x11->cookie);
    }
}

static void place_view(LyProgram *program, LyBytes *bytes)
{
    place(program, bytes);
}

static void copy_options(LyProgram *program, const LyProgramOptions *options)
{
    program->kind = options->kind;
    program->command = options->command;
    program->env_count = options->env_count;
    program->agent = options->agent;
    program->env = ly_new_array(LyBytes, 2 * options->env_count + 1);
    if (options->env_count)
        memcpy(program->env, options->env, 2 * options->env_count * sizeof *program->env);
    if (options->pty) {
        program->pty = ly_new(LyPtyRequest);
        *program->pty = *options->pty;
    }
    if (options->x11) {
        program->x11 = ly_new(LyX11Request);
        *program->x11 = *options->x11;
    }
    each_view(program, keep);
    each_view(program, place_view);
}

/* Life. */

static void release(LyProgram *program)
{
    ly_client_remove_dependent(&program->dependent);
    ly_buf_free(&program->text);
    ly_buf_free(&program->signal);
    ly_buf_free(&program->message);
    ly_free(program->env);
    ly_free(program->pty);
    ly_free(program->x11);
    ly_free(program);
}

/* Nothing of the channel comes here any more. */
static void leave_channel(LyProgram *program)
{
    if (!program->channel)
        return;
    ly_channel_set_func(program->channel, dropped, NULL);
    ly_channel_close(program->channel);
    ly_client_flush(program->client);
    program->channel = NULL;
}

/* The last that is done with the program: it may be freed from within. */
static void tell_closed(LyProgram *program, const LyError *error)
{
    if (program->state == STATE_ENDED)
        return;
    program->state = STATE_ENDED;
    ly_client_remove_dependent(&program->dependent);
    if (program->client)
        program->client->programs--;
    program->client = NULL;
    if (program->events.closed)
        program->events.closed(program->events.user, &program->end, error);
}

static void fail(LyProgram *program, const LyError *error)
{
    leave_channel(program);
    tell_closed(program, error);
}

static void client_ended(void *user, const LyError *error)
{
    LyProgram *program = user;
    LyError told = {0};
    program->channel = NULL;
    if (!error) { /* the client is freed: no event is expected */
        program->state = STATE_ENDED;
        program->client = NULL;
        return;
    }
    told = *error;
    if (told.code == LY_OK)
        ly_error_set(&told, LY_ERROR_DISCONNECT, "the connection ended");
    tell_closed(program, &told);
}

/* Starting. */

static void request_agent(LyProgram *program)
{
    LyClient *client = program->client;
    LyError error;
    LyAgentConnection *agent = ly_client_agent(client, &error); /* not connected before it is used */
    if (!agent) {
        ly_log(ly_client_log(client), LY_LOG_WARNING, "agent forwarding: %s", error.message);
        return;
    }
    ly_agent_connection_free(agent);
    if (!client->agent_forward)
        client->agent_forward = ly_agent_forward_new(client);
    ly_agent_forward_request(client->agent_forward, program->channel);
}

static void send_requests(LyProgram *program)
{
    LyChannel *channel = program->channel;
    program->state = STATE_STARTING;
    if (program->agent)
        request_agent(program);
    for (size_t i = 0; i < program->env_count; i++)
        ly_channel_env(channel, program->env[2 * i], program->env[2 * i + 1]);
    if (program->pty)
        ly_channel_pty(channel, program->pty, true, TAG_PTY);
    if (program->x11)
        ly_channel_x11(channel, program->x11, true, TAG_X11);
    if (program->kind == LY_PROGRAM_SHELL)
        ly_channel_shell(channel, TAG_START);
    else if (program->kind == LY_PROGRAM_SUBSYSTEM)
        ly_channel_subsystem(channel, program->command, TAG_START);
    else
        ly_channel_exec(channel, program->command, TAG_START);
}

/* The server's words, and what they mean most often: sshd's MaxSessions says no more than "open failed". */
static void open_failed(LyProgram *program, const LyConnectionEvent *event)
{
    LyError error = {0};
    unsigned others = program->client->programs - 1;
    const char *words = event->text.len ? LY_PRINTABLE(event->text) : "it gives no reason";
    program->channel = NULL;
    if (others)
        ly_error_set(&error, LY_ERROR_LIMIT,
                     "the server refused to open a session: %s; it has %u of this connection already, and "
                     "servers limit that (sshd: MaxSessions)",
                     words, others);
    else
        ly_error_set(&error, LY_ERROR_LIMIT, "the server refused to open a session: %s", words);
    tell_closed(program, &error);
}

static void start_refused(LyProgram *program)
{
    LyError error = {0};
    if (program->kind == LY_PROGRAM_SUBSYSTEM)
        ly_error_set(&error, LY_ERROR_UNSUPPORTED, "the server refused the subsystem \"%s\"",
                     LY_PRINTABLE(program->command));
    else
        ly_error_set(&error, LY_ERROR_UNSUPPORTED, "the server refused %s",
                     program->kind == LY_PROGRAM_SHELL ? "a shell" : "to run the command");
    fail(program, &error);
}

static void writable(LyProgram *program)
{
    program->wants_room = false;
    if (program->events.writable)
        program->events.writable(program->events.user);
}

static void started(LyProgram *program)
{
    LyClient *client = program->client;
    program->state = STATE_RUNNING;
    program->starting = true;
    if (program->events.started)
        program->events.started(program->events.user);
    if (program->freed) { /* from within */
        release(program);
        return;
    }
    program->starting = false;
    if (!program->channel) /* nor is the client any more */
        return;
    if (program->wants_eof)
        ly_channel_eof(program->channel);
    else if (program->wants_room)
        writable(program);
    ly_client_flush(client);
}

static void replied(LyProgram *program, const LyConnectionEvent *event)
{
    const char *refused = event->number == TAG_PTY ? "a pseudo terminal" : "X11 forwarding";
    if (event->number != TAG_START) {
        if (!event->success)
            ly_log(ly_client_log(program->client), LY_LOG_WARNING, "%s refused %s: going on without",
                   program->client->destination->name, refused);
    } else if (event->success) {
        started(program);
    } else {
        start_refused(program);
    }
}

/* Running. */

static void received(LyProgram *program, const LyConnectionEvent *event,
                     void (*func)(void *user, LyBytes data))
{
    if (func)
        func(program->events.user, event->data);
    else
        ly_channel_consumed(event->channel, event->data.len);
}

static void exit_signal(LyProgram *program, const LyConnectionEvent *event)
{
    ly_buf_clear(&program->signal);
    ly_buf_clear(&program->message);
    ly_buf_add(&program->signal, event->text);
    ly_buf_add(&program->message, event->data);
    program->end.signalled = true;
    program->end.core_dumped = event->core_dumped;
    program->end.signal = ly_buf_bytes(&program->signal);
    program->end.message = ly_buf_bytes(&program->message);
}

static void channel_closed(LyProgram *program)
{
    LyError error = {0};
    program->channel = NULL;
    if (program->state != STATE_RUNNING)
        ly_error_set(&error, LY_ERROR_DISCONNECT,
                     "the server closed the session before anything was started");
    tell_closed(program, error.code == LY_OK ? NULL : &error);
}

/* Whatever is told to the application is told last: the program may be freed from there. */
static void channel_event(void *user, const LyConnectionEvent *event)
{
    LyProgram *program = user;
    switch (event->type) {
    case LY_CHANNEL_OPENED:
        send_requests(program);
        break;
    case LY_CHANNEL_OPEN_FAILED:
        open_failed(program, event);
        break;
    case LY_CHANNEL_REPLY:
        replied(program, event);
        break;
    case LY_CHANNEL_DATA:
        received(program, event, program->events.data);
        break;
    case LY_CHANNEL_STDERR:
        received(program, event, program->events.stderr_data);
        break;
    case LY_CHANNEL_WINDOW:
        if (program->wants_room)
            writable(program);
        break;
    case LY_CHANNEL_EOF:
        if (program->events.eof)
            program->events.eof(program->events.user);
        break;
    case LY_CHANNEL_EXIT_STATUS:
        program->end.exited = true;
        program->end.status = event->number;
        break;
    case LY_CHANNEL_EXIT_SIGNAL:
        exit_signal(program, event);
        break;
    case LY_CHANNEL_CLOSED:
        channel_closed(program);
        break;
    default:
        ly_client_refuse(program->client, event);
        break;
    }
}

LyProgram *ly_program_new(LyClient *client, const LyProgramOptions *options, const LyProgramEvents *events,
                          LyError *error)
{
    LySession *session = ly_client_session(client);
    LyConnection *connection = session ? ly_session_connection(session) : NULL;
    if (!connection) {
        ly_error_set(error, LY_ERROR_INVALID, "there is no connection to open a session on");
        return NULL;
    }
    LyProgram *program = ly_new(LyProgram);
    LyChannelOptions channel = {
        .window = options->window, .max_window = options->max_window, .func = channel_event, .user = program};
    program->channel = ly_channel_open(connection, LY_BYTES("session"), (LyBytes){0}, &channel);
    if (!program->channel) {
        ly_error_set(error, LY_ERROR_LIMIT, "too many channels are open on the connection to %s",
                     client->destination->name);
        ly_free(program);
        return NULL;
    }
    program->client = client;
    if (events)
        program->events = *events;
    copy_options(program, options);
    program->dependent = (LyDependent){.ended = client_ended, .user = program};
    ly_client_add_dependent(client, &program->dependent);
    client->programs++;
    ly_client_flush(client);
    return program;
}

void ly_program_free(LyProgram *program)
{
    if (!program)
        return;
    leave_channel(program);
    if (program->client)
        program->client->programs--;
    program->client = NULL;
    program->state = STATE_ENDED;
    program->freed = true;
    if (!program->starting)
        release(program);
}

/* What the application does with it. */

size_t ly_program_write(LyProgram *program, const LyBytes *parts, size_t count)
{
    size_t taken = 0, offered = 0;
    for (size_t i = 0; i < count; i++)
        offered += parts[i].len;
    if (program->channel && program->state == STATE_RUNNING && offered) {
        taken = ly_channel_send(program->channel, parts, count);
        ly_client_flush(program->client);
    }
    program->wants_room = taken < offered;
    return taken;
}

void ly_program_eof(LyProgram *program)
{
    program->wants_eof = true;
    if (!program->channel || program->state != STATE_RUNNING)
        return;
    ly_channel_eof(program->channel);
    ly_client_flush(program->client);
}

void ly_program_consumed(LyProgram *program, size_t len)
{
    if (!program->channel)
        return;
    ly_channel_consumed(program->channel, len);
    ly_client_flush(program->client);
}

void ly_program_signal(LyProgram *program, const char *name)
{
    if (!program->channel)
        return;
    ly_channel_signal(program->channel, ly_bytes_str(name));
    ly_client_flush(program->client);
}

void ly_program_break(LyProgram *program, uint32_t length_ms)
{
    if (!program->channel)
        return;
    ly_channel_break(program->channel, length_ms, false, 0);
    ly_client_flush(program->client);
}

void ly_program_resize(LyProgram *program, uint32_t columns, uint32_t rows, uint32_t width, uint32_t height)
{
    if (!program->channel)
        return;
    if (program->pty && program->state == STATE_OPENING) { /* then it opens in that size */
        program->pty->columns = columns;
        program->pty->rows = rows;
        program->pty->width = width;
        program->pty->height = height;
        return;
    }
    ly_channel_window_change(program->channel, columns, rows, width, height);
    ly_client_flush(program->client);
}

LyChannel *ly_program_channel(LyProgram *program)
{
    return program->channel;
}
