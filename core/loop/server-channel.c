/* A signed-in client's session channels and the requests on them, the application's answers first; whose the
 * other channels' events are. */
#include "loop/server-private.h"

#include "base/auto.h"
#include "base/memory.h"

#define SESSIONS_MAX 64
#define WINDOW ((uint32_t)2 << 20)
#define WINDOW_MAX ((uint32_t)8 << 20)
#define PACKET_MAX ((uint32_t)64 << 10)
#define ENVIRONMENT_COUNT_MAX 64
#define ENVIRONMENT_MAX ((size_t)32 << 10) /* bytes, of all variables of a channel */
#define COMMAND_MAX ((size_t)128 << 10)    /* what execve takes as one argument on Linux */
#define TERM_MAX 64
#define MODES_MAX 1024
#define X11_MAX 1024

static void channel_release(LyServerChannel *channel)
{
    if (channel->program)
        channel->program->free(channel);
    ly_server_terminal_close(&channel->terminal);
    ly_server_x11_free(channel->x11);
    if (channel->channel)
        ly_channel_set_func(channel->channel, NULL, NULL);
    ly_link_remove(&channel->link);
    channel->server->channel_count--;
    ly_buf_free(&channel->environment);
    ly_buf_free(&channel->terminal.request);
    ly_buf_free(&channel->x11_request);
    ly_free(channel);
}

void ly_server_channel_free(LyServerChannel *channel)
{
    const LyServerHandlers *handlers = &channel->server->options->handlers;
    if (channel->channel)
        ly_channel_set_func(channel->channel, NULL, NULL);
    channel->channel = NULL;
    if (channel->program) /* which may need what the application frees in session_closed: its SFTP backend */
        channel->program->free(channel);
    if (handlers->session_closed)
        handlers->session_closed(handlers->user, channel->server, channel);
    channel_release(channel);
}

static void session_event(void *user, const LyConnectionEvent *event);

static void session_requested(LyServer *server, const LyConnectionEvent *event)
{
    const LyServerHandlers *handlers = &server->options->handlers;
    uint32_t max = server->options->max_sessions ? server->options->max_sessions : SESSIONS_MAX;
    if (server->channel_count >= max) {
        ly_channel_refuse(event->channel, SSH_OPEN_RESOURCE_SHORTAGE,
                          "too many sessions are open (MaxSessions)");
        return;
    }
    LyServerChannel *channel = ly_new(LyServerChannel);
    *channel = (LyServerChannel){.server = server, .channel = event->channel, .terminal = {.fd = -1}};
    channel->environment = LY_BUF(ENVIRONMENT_MAX);
    ly_list_append(&server->channels, &channel->link);
    server->channel_count++;
    if (handlers->session && !handlers->session(handlers->user, server, channel)) {
        channel_release(channel);
        ly_channel_refuse(event->channel, SSH_OPEN_ADMINISTRATIVELY_PROHIBITED, "no session is wanted");
        return;
    }
    LyChannelOptions options = {.window = WINDOW,
                                .max_window = WINDOW_MAX,
                                .max_packet = PACKET_MAX,
                                .func = session_event,
                                .user = channel};
    ly_channel_accept(event->channel, &options, (LyBytes){0});
}

static void open_requested(LyServer *server, const LyConnectionEvent *event)
{
    const LyServerHandlers *handlers = &server->options->handlers;
    if (ly_bytes_is(event->text, "session"))
        session_requested(server, event);
    else if (!handlers->open_request || !handlers->open_request(handlers->user, server, event))
        ly_server_forward_open(server, event);
}

/* ---- requests on a session channel ---- */

static bool environment_allowed(LyBytes name)
{
    return ly_bytes_is(name, "LANG") || ly_bytes_is(name, "GIT_PROTOCOL") ||
           (ly_bytes_starts_with(name, "LC_") && !memchr(name.data, '=', name.len));
}

static bool env_received(LyServerChannel *channel, LyBytes data)
{
    LyBytes name, value;
    if (!ly_get_env(data, &name, &value) || ly_bytes_has_nul(name) || ly_bytes_has_nul(value) ||
        !environment_allowed(name) || channel->program || channel->taken ||
        channel->environment_count == ENVIRONMENT_COUNT_MAX ||
        channel->environment.len + name.len + value.len + 2 > ENVIRONMENT_MAX)
        return false;
    channel->environment_count++;
    ly_buf_add(&channel->environment, name);
    ly_buf_add_str(&channel->environment, "=");
    ly_buf_add(&channel->environment, value);
    ly_buf_add(&channel->environment, ly_bytes("", 1));
    return true;
}

static bool pty_received(LyServerChannel *channel, LyBytes data)
{
    LyServer *server = channel->server;
    LyServerTerminal *terminal = &channel->terminal;
    LyPtyRequest pty;
    bool application = server->options->handlers.start; /* it may run what it likes, without our terminal */
    if (terminal->wanted || channel->program || channel->taken || !server->authorization.pty ||
        (server->options->root && !application) || !ly_get_pty_request(data, &pty) ||
        pty.term.len > TERM_MAX || ly_bytes_has_nul(pty.term) || pty.modes.len > MODES_MAX)
        return false;
    ly_buf_clear(&terminal->request);
    ly_buf_add(&terminal->request, data);
    ly_get_pty_request(ly_buf_bytes(&terminal->request), &terminal->size);
    LyError error;
    if (!application && !ly_server_terminal_open(terminal, &error)) {
        ly_log(&server->options->log, LY_LOG_ERROR, "%s: %s", server->name, error.message);
        return false;
    }
    terminal->wanted = true;
    return true;
}

static bool resize_received(LyServerChannel *channel, LyBytes data)
{
    if (!channel->terminal.wanted || !ly_get_window_change(data, &channel->terminal.size))
        return false;
    ly_server_terminal_resize(&channel->terminal);
    return true;
}

static bool x11_received(LyServerChannel *channel, LyBytes data)
{
    LyServer *server = channel->server;
    LyX11Request x11;
    if (!(server->options->forwards & LY_FORWARD_X11) || !server->authorization.x11_forwarding ||
        channel->x11 || channel->program || channel->taken || data.len > X11_MAX ||
        !ly_get_x11_request(data, &x11) || !ly_server_x11_listen(channel, &x11))
        return false;
    ly_buf_clear(&channel->x11_request);
    ly_buf_add(&channel->x11_request, data);
    return true;
}

static bool agent_received(LyServerChannel *channel, LyBytes data)
{
    LyServer *server = channel->server;
    if (data.len || !(server->options->forwards & LY_FORWARD_AGENT) ||
        !server->authorization.agent_forwarding || channel->program || channel->taken)
        return false;
    channel->agent = server->agent_offered = true;
    return true;
}

static bool signal_received(LyServerChannel *channel, LyBytes data)
{
    LyBytes name;
    if (!ly_get_signal(data, &name) || !channel->program || !channel->program->signal)
        return false;
    channel->program->signal(channel, name);
    return true;
}

static bool break_received(LyServerChannel *channel, LyBytes data)
{
    uint32_t length_ms; /* a pseudo-terminal has no line that could be held that long */
    return ly_get_break(data, &length_ms) && ly_server_terminal_break(&channel->terminal);
}

/* ---- what runs ---- */

static bool start_command(LyServerChannel *channel, const char *command, const char *original)
{
    LyServer *server = channel->server;
    if (server->options->root) {
        ly_log(&server->options->log, LY_LOG_INFO, "%s: a command was refused: only SFTP is served",
               server->name);
        return false;
    }
    return ly_server_exec(channel, command, original);
}

static bool start_ready_made(LyServerChannel *channel, const LyServerStart *start)
{
    LyServer *server = channel->server;
    if (start->kind == LY_START_SUBSYSTEM) {
        if (ly_bytes_is(start->command, "sftp"))
            return ly_server_sftp(channel);
        ly_log(&server->options->log, LY_LOG_INFO, "%s: there is no subsystem \"%s\"", server->name,
               LY_PRINTABLE(start->command));
        return false;
    }
    if (ly_bytes_has_nul(start->command) || start->command.len >= COMMAND_MAX ||
        ly_bytes_has_nul(start->original) || start->original.len >= COMMAND_MAX)
        return false;
    LY_AUTO_FREE char *command = start->kind == LY_START_SHELL ? NULL : ly_bytes_dup_str(start->command);
    LY_AUTO_FREE char *original = start->original.len ? ly_bytes_dup_str(start->original) : NULL;
    return start_command(channel, command, original);
}

/* What was forced takes the place of what was asked for. A subsystem that there is not stays one. */
static void force(const LyServer *server, LyServerStart *start)
{
    const char *forced =
        server->options->force_command ? server->options->force_command : server->authorization.command;
    if (!forced || (start->kind == LY_START_SUBSYSTEM && !ly_bytes_is(start->command, "sftp")))
        return;
    bool sftp = strcmp(forced, "internal-sftp") == 0;
    *start = (LyServerStart){.kind = sftp ? LY_START_SUBSYSTEM : LY_START_EXEC,
                             .command = sftp ? LY_BYTES("sftp") : ly_bytes_str(forced),
                             .forced = true,
                             .original = start->command};
}

static void start_requested(LyServerChannel *channel, LyServerStart *start, const LyConnectionEvent *event)
{
    const LyServerHandlers *handlers = &channel->server->options->handlers;
    force(channel->server, start);
    channel->taken =
        handlers->start && handlers->start(handlers->user, channel->server, channel, start, event);
    if (channel->taken)
        return;
    bool success = start_ready_made(channel, start);
    if (event->want_reply)
        ly_channel_reply_last(event->channel, success);
}

static bool get_start(const LyConnectionEvent *event, LyServerStart *start)
{
    if (ly_bytes_is(event->text, "exec")) {
        start->kind = LY_START_EXEC;
        return ly_get_exec(event->data, &start->command);
    }
    if (ly_bytes_is(event->text, "subsystem")) {
        start->kind = LY_START_SUBSYSTEM;
        return ly_get_subsystem(event->data, &start->command);
    }
    start->kind = LY_START_SHELL;
    return event->data.len == 0;
}

static const struct {
    const char *name;
    bool (*received)(LyServerChannel *channel, LyBytes data); /* NULL: starts something */
} requests[] = {
    {"auth-agent-req", agent_received},
    {"auth-agent-req@openssh.com", agent_received},
    {"break", break_received},
    {"env", env_received},
    {"exec", NULL},
    {"pty-req", pty_received},
    {"shell", NULL},
    {"signal", signal_received},
    {"subsystem", NULL},
    {"window-change", resize_received},
    {"x11-req", x11_received},
};

static void request_received(LyServerChannel *channel, const LyConnectionEvent *event)
{
    const LyServerHandlers *handlers = &channel->server->options->handlers;
    LyServerStart start = {0};
    bool success = false;
    size_t i = 0;
    while (i < LY_COUNT(requests) && !ly_bytes_is(event->text, requests[i].name))
        i++;
    if (i < LY_COUNT(requests) && !requests[i].received) {
        /* RFC 4254 6.5: only one of these can succeed. */
        if (!channel->program && !channel->taken && get_start(event, &start)) {
            start_requested(channel, &start, event);
            return;
        }
    } else if (handlers->request && handlers->request(handlers->user, channel->server, channel, event)) {
        return;
    } else if (i < LY_COUNT(requests)) {
        success = requests[i].received(channel, event->data);
    }
    if (event->want_reply)
        ly_channel_reply_last(event->channel, success);
}

/* ---- global requests ---- */

static void global_received(LyServer *server, const LyConnectionEvent *event)
{
    const LyServerHandlers *handlers = &server->options->handlers;
    if (handlers->global_request && handlers->global_request(handlers->user, server, event))
        return;
    LY_AUTO(ly_buf_free) LyBuf reply = {0};
    bool success = ly_bytes_is(event->text, "hostkeys-prove-00@openssh.com")
                       ? ly_server_prove_host_keys(server, event->data, &reply)
                       : ly_server_forward_request(server, event->text, event->data, &reply);
    if (event->want_reply)
        ly_global_reply_last(ly_server_connection(server), success, ly_buf_bytes(&reply));
}

/* ---- events ---- */

static void session_event(void *user, const LyConnectionEvent *event)
{
    LyServerChannel *channel = user;
    switch (event->type) {
    case LY_CHANNEL_DATA:
        if (channel->program)
            channel->program->data(channel, event->data);
        else /* before anything runs there is nobody to read it */
            ly_channel_consumed(event->channel, event->data.len);
        break;
    case LY_CHANNEL_STDERR:
        ly_channel_consumed(event->channel, event->data.len);
        break;
    case LY_CHANNEL_WINDOW:
        if (channel->program)
            channel->program->window(channel);
        break;
    case LY_CHANNEL_EOF:
        if (channel->program)
            channel->program->eof(channel);
        break;
    case LY_CHANNEL_REQUEST:
        request_received(channel, event);
        break;
    default:
        break;
    }
}

static LyServerChannel *find_session(LyServer *server, const LyChannel *channel)
{
    ly_list_each(&server->channels, LyServerChannel, link, session)
    {
        if (session->channel == channel)
            return session;
    }
    return NULL;
}

static void channel_event(LyServer *server, const LyConnectionEvent *event)
{
    LyChannelFunc func = ly_channel_func(event->channel);
    if (func)
        func(ly_channel_user(event->channel), event);
    /* A session that was handed over is known by its channel only. */
    LyServerChannel *session = event->type == LY_CHANNEL_CLOSED ? find_session(server, event->channel) : NULL;
    if (session)
        ly_server_channel_free(session);
}

void ly_server_connection_event(LyServer *server, const LyConnectionEvent *event)
{
    const LyServerHandlers *handlers = &server->options->handlers;
    switch (event->type) {
    case LY_CHANNEL_OPEN_REQUEST:
        open_requested(server, event);
        break;
    case LY_GLOBAL_REQUEST:
        global_received(server, event);
        break;
    case LY_GLOBAL_REPLY:
        if (handlers->global_reply)
            handlers->global_reply(handlers->user, server, event);
        break;
    default:
        channel_event(server, event);
        break;
    }
}

/* ---- what a session was asked for ---- */

LyChannel *ly_server_channel(const LyServerChannel *channel)
{
    return channel->channel;
}

LyServer *ly_server_channel_server(const LyServerChannel *channel)
{
    return channel->server;
}

void *ly_server_channel_user(const LyServerChannel *channel)
{
    return channel->user;
}

void ly_server_channel_set_user(LyServerChannel *channel, void *user)
{
    channel->user = user;
}

bool ly_server_channel_pty(const LyServerChannel *channel, LyPtyRequest *pty)
{
    if (channel->terminal.wanted)
        *pty = channel->terminal.size;
    return channel->terminal.wanted;
}

bool ly_server_channel_x11(const LyServerChannel *channel, LyX11Request *x11)
{
    return ly_get_x11_request(ly_buf_bytes(&channel->x11_request), x11);
}

bool ly_server_channel_env(const LyServerChannel *channel, size_t index, LyBytes *name, LyBytes *value)
{
    LyBytes rest = ly_buf_bytes(&channel->environment), assignment = {0};
    bool found = true;
    for (size_t i = 0; found && i <= index; i++)
        found = ly_bytes_split(rest, '\0', &assignment, &rest);
    return found && ly_bytes_split(assignment, '=', name, value);
}
