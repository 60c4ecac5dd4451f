/* SFTP on a program's channel: bytes to and from LySftpClient, and how it ends. */
#include "loop/sftp.h"

#include <stdio.h>

#include "base/memory.h"
#include "loop/client-private.h"

/* A window of what the fastest link needs, reached by doubling; a small one for idle sessions. */
#define WINDOW_FIRST ((uint32_t)2 << 20)
#define WINDOW_LAST ((uint32_t)64 << 20)
#define SAID_MAX ((size_t)400)
/* Between a server's EOF and its CLOSE, which brings the exit status and the last of stderr. Some never send
 * it. */
#define CLOSE_US ((uint64_t)2 * 1000000)

struct LySftp {
    LyClient *client;
    LySftpEvents events;
    LyProgram *program; /* NULL once it is closed */
    LySftpClient *sftp; /* NULL until the server was started */
    LyTimer *timer;
    uint32_t max_requests;
    bool up;        /* `ready` was told */
    bool ready_due; /* and is to be, when the client has returned */
    LyBuf said;     /* the server's stderr, for the sentence of a failure */
};

/* The end, told last: the object may be freed from within. */
static void tell_closed(LySftp *self, const LyError *error)
{
    LyError told = *error; /* may live in what is released */
    LySftpEvents events = self->events;
    LyProgram *program = self->program;
    self->program = NULL;
    self->events = (LySftpEvents){0};
    ly_timer_set(self->timer, UINT64_MAX);
    if (self->sftp)
        ly_sftp_client_closed(self->sftp);
    ly_program_free(program);
    if (events.closed)
        events.closed(events.user, &told);
}

static LyBytes said(const LySftp *self)
{
    return ly_bytes_trim(ly_buf_bytes(&self->said));
}

/* The sentence for an end in order: what the server told of it. */
static void describe_end(const LySftp *self, const LyProgramEnd *end, LyError *error)
{
    char how[100] = "";
    const char *what = self->up ? "the server ended the SFTP session" : "the SFTP server did not start";
    if (end && end->signalled)
        snprintf(how, sizeof how, ", by signal %s",
                 ly_printable(ly_bytes_slice(end->signal, 0, 20), (char[100]){0}, 80));
    else if (end && end->exited)
        snprintf(how, sizeof how, ", exit status %u", end->status);
    if (said(self).len)
        ly_error_set(error, LY_ERROR_DISCONNECT, "%s%s (%s)", what, how, LY_PRINTABLE(said(self)));
    else
        ly_error_set(error, LY_ERROR_DISCONNECT, "%s%s (it said nothing)", what, how);
}

static size_t sink_write(void *user, const LyBytes *parts, size_t count)
{
    LySftp *self = user;
    return self->program ? ly_program_write(self->program, parts, count) : 0;
}

/* `ready` of the client, which may not be freed from in here; what went wrong comes from receive. */
static void version_received(void *user, LySftpReply *reply)
{
    LySftp *self = user;
    self->ready_due = reply->status == SSH_FX_OK;
}

static void started(void *user)
{
    LySftp *self = user;
    LyTransport *transport = ly_session_transport(ly_client_session(self->client));
    LySftpClientOptions options = {
        .sink = {.write = sink_write, .user = self},
        .symlink_openssh_order = ly_sftp_symlink_openssh_order(ly_transport_peer_ident(transport)),
        .max_requests = self->max_requests,
        .log = *ly_client_log(self->client),
    };
    self->sftp = ly_sftp_client_new(&options, version_received, self);
}

static void received(void *user, LyBytes data)
{
    LySftp *self = user;
    LyError error;
    ly_program_consumed(self->program, data.len); /* it is used up when this returns */
    if (!self->sftp)
        return;
    if (!ly_sftp_client_receive(self->sftp, data, &error)) {
        LyError told = error;
        if (said(self).len)
            ly_error_set(&told, error.code, "%s (%s)", error.message, LY_PRINTABLE(said(self)));
        tell_closed(self, &told);
    } else if (self->ready_due) {
        self->ready_due = false;
        self->up = true;
        if (self->events.ready)
            self->events.ready(self->events.user);
    }
}

static void stderr_received(void *user, LyBytes data)
{
    LySftp *self = user;
    ly_log(ly_client_log(self->client), LY_LOG_INFO, "the SFTP server says: %s",
           LY_PRINTABLE(ly_bytes_trim(data)));
    ly_buf_add(&self->said, ly_bytes_slice(data, 0, SAID_MAX - self->said.len));
    ly_program_consumed(self->program, data.len);
}

/* No reply can come any more. */
static void eof_received(void *user)
{
    LySftp *self = user;
    ly_program_eof(self->program);
    ly_timer_set(self->timer, ly_loop_now_us(ly_client_loop(self->client)) + CLOSE_US);
    if (self->sftp)
        ly_sftp_client_closed(self->sftp);
}

static void close_missed(void *user)
{
    LySftp *self = user;
    LyError error;
    describe_end(self, NULL, &error);
    tell_closed(self, &error);
}

static void writable(void *user)
{
    LySftp *self = user;
    if (self->sftp)
        ly_sftp_client_flush(self->sftp);
}

static void program_closed(void *user, const LyProgramEnd *end, const LyError *failure)
{
    LySftp *self = user;
    LyError error;
    if (failure)
        error = *failure;
    else
        describe_end(self, end, &error);
    tell_closed(self, &error);
}

LySftp *ly_sftp_new(LyClient *client, const LySftpOptions *options, const LySftpEvents *events,
                    LyError *error)
{
    static const LySftpOptions none;
    if (!options)
        options = &none;
    const char *server = options->server ? options->server : "sftp";
    LySftp *self = ly_new(LySftp);
    LyProgramOptions program = {
        .kind = strchr(server, '/') ? LY_PROGRAM_COMMAND : LY_PROGRAM_SUBSYSTEM,
        .command = ly_bytes_str(server),
        .env = options->env,
        .env_count = options->env_count,
        .window = options->window ? options->window : WINDOW_FIRST,
        .max_window = options->max_window ? options->max_window : WINDOW_LAST,
    };
    LyProgramEvents program_events = {
        .started = started,
        .data = received,
        .stderr_data = stderr_received,
        .eof = eof_received,
        .writable = writable,
        .closed = program_closed,
        .user = self,
    };
    self->client = client;
    self->events = *events;
    self->max_requests = options->max_requests;
    self->said = LY_BUF(SAID_MAX);
    self->program = ly_program_new(client, &program, &program_events, error);
    if (!self->program) {
        ly_free(self);
        return NULL;
    }
    self->timer = ly_timer_new(ly_client_loop(client), close_missed, self);
    return self;
}

LySftpClient *ly_sftp_client(LySftp *self)
{
    return self->sftp;
}

void ly_sftp_free(LySftp *self)
{
    if (!self)
        return;
    LyProgram *program = self->program;
    self->events = (LySftpEvents){0};
    self->program = NULL; /* nothing is sent any more */
    ly_sftp_client_free(self->sftp);
    ly_program_free(program);
    ly_timer_free(self->timer);
    ly_buf_free(&self->said);
    ly_free(self);
}
