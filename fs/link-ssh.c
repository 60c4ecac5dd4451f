#include "link-ssh.h"

#include "base/memory.h"
#include "sftp/client.h"

/* A window of what the fastest link needs, reached by doubling; small ones for idle mounts. */
#define WINDOW_FIRST (2u << 20)
#define WINDOW_LAST (64u << 20)

typedef struct SshLink {
    Link link;
    const SshLinkOptions *options;
    LyClient *client;
    LyChannel *channel; /* NULL once it is closed */
    bool up, password_used;
    uint64_t exit_status;
    LyBuf said; /* the server's stderr, for the sentence of a failure */
} SshLink;

static void down(SshLink *self, const LyError *error, bool final)
{
    LinkEvents events = self->link.events;
    self->link.events = (LinkEvents){0};
    if (events.down)
        events.down(events.user, error, final);
}

static void fail(SshLink *self, bool final, const char *format, const char *detail)
{
    LyError error;
    ly_error_set(&error, LY_ERROR_IO, format, detail);
    down(self, &error, final);
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

static void ready(void *user)
{
    SshLink *self = user;
    LyChannelOptions options = {.window = WINDOW_FIRST, .max_window = WINDOW_LAST, .user = self};
    LyConnection *connection = ly_session_connection(ly_client_session(self->client));
    self->channel = ly_channel_open(connection, LY_BYTES("session"), (LyBytes){0}, &options);
    ly_client_flush(self->client);
}

static void request_server(SshLink *self)
{
    LyBytes name = ly_bytes_str(server_name(self));
    if (strchr(server_name(self), '/'))
        ly_channel_exec(self->channel, name, 0);
    else
        ly_channel_subsystem(self->channel, name, 0);
}

static void channel_closed(SshLink *self)
{
    const char *said =
        self->said.len ? LY_PRINTABLE(ly_bytes_trim(ly_buf_bytes(&self->said))) : "it said nothing";
    self->channel = NULL;
    fail(self, !self->up,
         self->up ? "the server ended the SFTP session (%s)" : "the SFTP server did not start (%s)", said);
}

static void event(void *user, const LyConnectionEvent *event)
{
    SshLink *self = user;
    switch (event->type) {
    case LY_CHANNEL_OPENED:
        request_server(self);
        break;
    case LY_CHANNEL_OPEN_FAILED:
        self->channel = NULL;
        fail(self, true, "the server refuses a session (%s)", LY_PRINTABLE(event->text));
        break;
    case LY_CHANNEL_REPLY:
        if (!event->success) {
            fail(self, true, "the server has no \"%s\" to speak SFTP with; name another with -o sftp_server=",
                 server_name(self));
            break;
        }
        self->up = true;
        self->link.events.up(self->link.events.user);
        break;
    case LY_CHANNEL_DATA:
        /* It is used up when `data` returns; the link may be gone by then. */
        ly_channel_consumed(self->channel, event->data.len);
        if (self->link.events.data)
            self->link.events.data(self->link.events.user, event->data);
        break;
    case LY_CHANNEL_STDERR:
        ly_log(&self->options->log, LY_LOG_INFO, "server: %s", LY_PRINTABLE(ly_bytes_trim(event->data)));
        if (self->said.len < 400)
            ly_buf_add(&self->said, ly_bytes_slice(event->data, 0, 400));
        ly_channel_consumed(self->channel, event->data.len);
        break;
    case LY_CHANNEL_WINDOW:
        if (self->link.events.writable)
            self->link.events.writable(self->link.events.user);
        break;
    case LY_CHANNEL_EOF:
        ly_channel_close(self->channel);
        break;
    case LY_CHANNEL_CLOSED:
        channel_closed(self);
        break;
    default:
        ly_client_refuse(self->client, event);
        break;
    }
}

static void iterated(void *user)
{
    SshLink *self = user;
    if (self->link.events.iterated)
        self->link.events.iterated(self->link.events.user);
}

static void closed(void *user, const LyError *error, bool final)
{
    SshLink *self = user;
    self->channel = NULL;
    down(self, error, final);
}

static size_t ssh_write(Link *link, const LyBytes *parts, size_t count)
{
    SshLink *self = (SshLink *)link;
    if (!self->channel)
        return 0;
    size_t taken = ly_channel_send(self->channel, parts, count);
    ly_client_flush(self->client);
    return taken;
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
    ly_client_free(self->client);
    ly_buf_free(&self->said);
    ly_free(self);
}

static const LinkClass ssh_link_class = {ssh_write, ssh_symlink_openssh_order, ssh_free};

static Link *make(void *user, LyLoop *loop, const LinkEvents *events)
{
    const SshLinkOptions *options = user;
    SshLink *self = ly_new(SshLink);
    LyClientEvents client_events = {.ask = asked,
                                    .ready = ready,
                                    .event = event,
                                    .iterated = iterated,
                                    .banner = banner,
                                    .closed = closed,
                                    .user = self};
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
