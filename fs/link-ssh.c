#include "link-ssh.h"

#include "base/memory.h"
#include "loop/program.h"
#include "sftp/client.h"

/* A window of what the fastest link needs, reached by doubling; small ones for idle mounts. */
#define WINDOW_FIRST (2u << 20)
#define WINDOW_LAST (64u << 20)

typedef struct SshLink {
    Link link;
    const SshLinkOptions *options;
    LyClient *client;
    LyProgram *server; /* NULL before it is begun */
    bool up, password_used;
    LyBuf said; /* the server's stderr, for the sentence of a failure */
} SshLink;

static void down(SshLink *self, const LyError *error, bool final)
{
    LinkEvents events = self->link.events;
    self->link.events = (LinkEvents){0};
    if (events.down)
        events.down(events.user, error, final);
}

static const char *server_name(const SshLink *self)
{
    return self->options->sftp_server ? self->options->sftp_server : "sftp";
}

static void answered(void *user, const char *answer)
{
    SshLink *self = user;
    ly_client_answer(self->client, answer);
}

static void asked(void *user, const LyAsk *ask)
{
    SshLink *self = user;
    if (ask->kind == LY_ASK_PASSWORD && self->options->password.len && !self->password_used) {
        self->password_used = true;
        ly_client_answer(self->client, (const char *)self->options->password.data);
        return;
    }
    ly_prompter_ask(self->options->prompter, ask->text, ask->echo, ask->kind == LY_ASK_HOST_KEY, answered,
                    self);
}

static void banner(void *user, LyBytes text)
{
    SshLink *self = user;
    LyBytes line;
    while (ly_bytes_line(&text, &line))
        ly_prompter_show(self->options->prompter, LY_PRINTABLE(line));
}

/* The server's program. */

static void started(void *user)
{
    SshLink *self = user;
    self->up = true;
    self->link.events.up(self->link.events.user);
}

/* It is used up when `data` returns; the link may be gone by then. */
static void received(void *user, LyBytes data)
{
    SshLink *self = user;
    ly_program_consumed(self->server, data.len);
    if (self->link.events.data)
        self->link.events.data(self->link.events.user, data);
}

static void stderr_received(void *user, LyBytes data)
{
    SshLink *self = user;
    ly_log(&self->options->log, LY_LOG_INFO, "server: %s", LY_PRINTABLE(ly_bytes_trim(data)));
    if (self->said.len < 400)
        ly_buf_add(&self->said, ly_bytes_slice(data, 0, 400));
    ly_program_consumed(self->server, data.len);
}

/* No answer can come any more. */
static void ended(void *user)
{
    SshLink *self = user;
    ly_channel_close(ly_program_channel(self->server));
}

static void writable(void *user)
{
    SshLink *self = user;
    if (self->link.events.writable)
        self->link.events.writable(self->link.events.user);
}

static void server_closed(void *user, const LyProgramEnd *end, const LyError *error)
{
    SshLink *self = user;
    LyError told;
    if (!ly_client_session(self->client)) /* the connection ended, and `closed` knows whether for good */
        return;
    if (!error)
        ly_error_set(
            &told, LY_ERROR_IO,
            self->up ? "the server ended the SFTP session (%s)" : "the SFTP server did not start (%s)",
            self->said.len ? LY_PRINTABLE(ly_bytes_trim(ly_buf_bytes(&self->said))) : "it said nothing");
    else if (error->code == LY_ERROR_UNSUPPORTED)
        ly_error_set(&told, LY_ERROR_IO,
                     "the server has no \"%s\" to speak SFTP with; name another with -o sftp_server=",
                     server_name(self));
    else
        told = *error;
    down(self, &told, !self->up);
}

static void ready(void *user)
{
    SshLink *self = user;
    const char *name = server_name(self);
    LyProgramOptions options = {
        .kind = strchr(name, '/') ? LY_PROGRAM_COMMAND : LY_PROGRAM_SUBSYSTEM,
        .command = ly_bytes_str(name),
        .window = WINDOW_FIRST,
        .max_window = WINDOW_LAST,
    };
    LyProgramEvents events = {.started = started,
                              .data = received,
                              .stderr_data = stderr_received,
                              .eof = ended,
                              .writable = writable,
                              .closed = server_closed,
                              .user = self};
    LyError error;
    self->server = ly_program_new(self->client, &options, &events, &error);
    if (!self->server)
        down(self, &error, true);
}

static void iterated(void *user)
{
    SshLink *self = user;
    if (self->link.events.iterated)
        self->link.events.iterated(self->link.events.user);
}

static void closed(void *user, const LyError *error, bool final)
{
    down(user, error, final);
}

static size_t ssh_write(Link *link, const LyBytes *parts, size_t count)
{
    SshLink *self = (SshLink *)link;
    return self->server ? ly_program_write(self->server, parts, count) : 0;
}

static bool ssh_symlink_openssh_order(const Link *link)
{
    const SshLink *self = (const SshLink *)link;
    LyBytes ident = ly_transport_peer_ident(ly_session_transport(ly_client_session(self->client)));
    return ly_sftp_symlink_openssh_order(ident);
}

static void ssh_free(Link *link)
{
    SshLink *self = (SshLink *)link;
    self->link.events = (LinkEvents){0};
    ly_prompter_cancel(self->options->prompter, self);
    ly_program_free(self->server);
    ly_client_free(self->client);
    ly_buf_free(&self->said);
    ly_free(self);
}

static const LinkClass ssh_link_class = {ssh_write, ssh_symlink_openssh_order, ssh_free};

static Link *make(void *user, LyLoop *loop, const LinkEvents *events)
{
    const SshLinkOptions *options = user;
    SshLink *self = ly_new(SshLink);
    LyClientEvents client_events = {
        .ask = asked, .ready = ready, .iterated = iterated, .banner = banner, .closed = closed, .user = self};
    self->link = (Link){&ssh_link_class, *events};
    self->options = options;
    self->said = LY_BUF(1024);
    self->client = ly_client_new(loop, options->destination, &client_events);
    return &self->link;
}

static void free_maker(void *user)
{
    SshLinkOptions *options = user;
    ly_destination_unref(options->destination);
    ly_free(options);
}

LinkMaker link_maker_ssh(const SshLinkOptions *options)
{
    SshLinkOptions *copy = ly_new(SshLinkOptions);
    *copy = *options;
    ly_destination_ref(copy->destination);
    return (LinkMaker){make, free_maker, copy};
}
