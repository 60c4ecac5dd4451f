/* A signed-in client's channels: session channels and the requests on them. Everything else is refused. */
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

void ly_server_channel_free(LyServerChannel *channel)
{
    if (channel->program)
        channel->program->free(channel);
    ly_server_terminal_close(&channel->terminal);
    if (channel->channel)
        ly_channel_set_user(channel->channel, NULL);
    ly_link_remove(&channel->link);
    channel->server->channel_count--;
    ly_buf_free(&channel->environment);
    ly_buf_free(&channel->terminal.request);
    ly_free(channel);
}

static void open_requested(LyServer *server, const LyConnectionEvent *event)
{
    uint32_t max = server->options->max_sessions ? server->options->max_sessions : SESSIONS_MAX;
    if (!ly_bytes_is(event->text, "session")) {
        ly_log(&server->options->log, LY_LOG_INFO,
               "%s: a channel of type \"%s\" was refused: nothing is forwarded here", server->name,
               LY_PRINTABLE(event->text));
        ly_channel_refuse(event->channel, SSH_OPEN_ADMINISTRATIVELY_PROHIBITED,
                          "this server does not forward");
        return;
    }
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
    LyChannelOptions options = {
        .window = WINDOW, .max_window = WINDOW_MAX, .max_packet = PACKET_MAX, .user = channel};
    ly_channel_accept(event->channel, &options, (LyBytes){0});
}

/* ---- requests on a session channel ---- */

static bool has_nul(LyBytes bytes)
{
    return bytes.len && memchr(bytes.data, 0, bytes.len);
}

static bool environment_allowed(LyBytes name)
{
    return ly_bytes_is(name, "LANG") || ly_bytes_is(name, "GIT_PROTOCOL") ||
           (ly_bytes_starts_with(name, "LC_") && !memchr(name.data, '=', name.len));
}

static bool env_received(LyServerChannel *channel, LyBytes data)
{
    LyBytes name, value;
    if (!ly_get_env(data, &name, &value) || has_nul(name) || has_nul(value) || !environment_allowed(name) ||
        channel->program || channel->environment_count == ENVIRONMENT_COUNT_MAX ||
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
    if (terminal->wanted || channel->program || server->options->root || !server->authorization.pty ||
        !ly_get_pty_request(data, &pty) || pty.term.len > TERM_MAX || has_nul(pty.term) ||
        pty.modes.len > MODES_MAX)
        return false;
    ly_buf_clear(&terminal->request);
    ly_buf_add(&terminal->request, data);
    ly_get_pty_request(ly_buf_bytes(&terminal->request), &terminal->size);
    LyError error;
    if (!ly_server_terminal_open(terminal, &error)) {
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

/* exec, shell or subsystem; `command` NULL: a shell. What was forced runs instead. */
static bool start(LyServerChannel *channel, const char *command, bool is_sftp)
{
    LyServer *server = channel->server;
    const char *forced =
        server->options->force_command ? server->options->force_command : server->authorization.command;
    if (channel->program)
        return false;
    if (forced)
        return strcmp(forced, "internal-sftp") == 0
                   ? ly_server_sftp(channel)
                   : start_command(channel, forced, is_sftp ? "sftp" : command);
    return is_sftp ? ly_server_sftp(channel) : start_command(channel, command, NULL);
}

static bool exec_received(LyServerChannel *channel, LyBytes data)
{
    LyBytes command;
    if (!ly_get_exec(data, &command) || has_nul(command) || command.len >= COMMAND_MAX)
        return false;
    LY_AUTO_FREE char *text = ly_bytes_dup_str(command);
    return start(channel, text, false);
}

static bool shell_received(LyServerChannel *channel, LyBytes data)
{
    return data.len == 0 && start(channel, NULL, false);
}

static bool subsystem_received(LyServerChannel *channel, LyBytes data)
{
    LyBytes name;
    if (!ly_get_subsystem(data, &name))
        return false;
    if (ly_bytes_is(name, "sftp"))
        return start(channel, NULL, true);
    ly_log(&channel->server->options->log, LY_LOG_INFO, "%s: there is no subsystem \"%s\"",
           channel->server->name, LY_PRINTABLE(name));
    return false;
}

static bool signal_received(LyServerChannel *channel, LyBytes data)
{
    LyBytes name;
    if (!ly_get_signal(data, &name) || !channel->program || !channel->program->signal)
        return false;
    channel->program->signal(channel, name);
    return true;
}

static const struct {
    const char *name;
    bool (*received)(LyServerChannel *channel, LyBytes data);
} requests[] = {
    {"env", env_received},
    {"exec", exec_received},
    {"pty-req", pty_received},
    {"shell", shell_received},
    {"signal", signal_received},
    {"subsystem", subsystem_received},
    {"window-change", resize_received},
};

static void request_received(LyServerChannel *channel, const LyConnectionEvent *event)
{
    bool success = false;
    for (size_t i = 0; i < LY_COUNT(requests); i++) {
        if (ly_bytes_is(event->text, requests[i].name))
            success = requests[i].received(channel, event->data);
    }
    if (event->want_reply)
        ly_channel_reply(event->channel, success);
}

/* ---- global requests ---- */

static void global_received(LyServer *server, const LyConnectionEvent *event)
{
    LyConnection *connection = ly_session_connection(ly_drive_session(server->drive));
    LyBuf proofs = {0};
    bool success = ly_bytes_is(event->text, "hostkeys-prove-00@openssh.com") &&
                   ly_server_prove_host_keys(server, event->data, &proofs);
    if (event->want_reply)
        ly_global_reply(connection, success, success ? ly_buf_bytes(&proofs) : (LyBytes){0});
    ly_buf_free(&proofs);
}

void ly_server_connection_event(LyServer *server, const LyConnectionEvent *event)
{
    LyServerChannel *channel = event->channel ? ly_channel_user(event->channel) : NULL;
    if (event->type == LY_CHANNEL_OPEN_REQUEST) {
        open_requested(server, event);
        return;
    }
    if (event->type == LY_GLOBAL_REQUEST) {
        global_received(server, event);
        return;
    }
    if (!channel)
        return;
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
    case LY_CHANNEL_CLOSED:
        channel->channel = NULL;
        ly_server_channel_free(channel);
        break;
    default:
        break;
    }
}
