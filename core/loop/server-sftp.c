/* SFTP on a channel: the server of core/sftp over the directory backend, in this process, or over the
 * application's. */
#include "loop/server-private.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

typedef struct Sftp {
    LySftpServer *server;
    LySftpDirectory *directory; /* NULL: the backend is the application's */
    LyTask task;                /* after replies outside of events: goes on */
    LyBuf held; /* bytes that the server does not take yet; the window stays closed for them */
    bool eof, finished;
} Sftp;

static size_t sink_write(void *user, const LyBytes *parts, size_t count)
{
    LyServerChannel *channel = user;
    Sftp *sftp = channel->state;
    ly_loop_defer(channel->server->loop, &sftp->task);
    return channel->channel ? ly_channel_send(channel->channel, parts, count) : 0;
}

/* Who sends SYMLINK's arguments as OpenSSH does: some clients always, and whoever goes by the server's name
 * (npm ssh2, libssh, AsyncSSH, WinSCP) to a server that calls itself OpenSSH. */
static bool has_openssh_order(LyServer *server)
{
    static const char *const idents[] = {"OpenSSH", "Lanyard", "dropbear", "PuTTY", "FileZilla", "paramiko"};
    LyBytes ident = ly_transport_peer_ident(ly_session_transport(ly_drive_session(server->drive)));
    ident = ly_bytes_slice(ident, strlen("SSH-2.0-"), ident.len);
    for (size_t i = 0; i < LY_COUNT(idents); i++)
        if (ly_bytes_starts_with(ident, idents[i]))
            return true;
    return ly_bytes_starts_with(ly_bytes_str(server->options->session.transport.ident), "OpenSSH");
}

static void finish(LyServerChannel *channel, int wait_status)
{
    Sftp *sftp = channel->state;
    if (!sftp->finished)
        ly_server_channel_exit(channel, wait_status);
    sftp->finished = true;
}

static size_t receive(LyServerChannel *channel, LyBytes data)
{
    Sftp *sftp = channel->state;
    LyError error;
    size_t taken = data.len;
    if (!sftp->finished && !ly_sftp_server_receive(sftp->server, data, &taken, &error)) {
        ly_log(&channel->server->options->log, LY_LOG_ERROR, "%s: %s", channel->server->name, error.message);
        finish(channel, 1 << 8);
        taken = data.len;
    }
    ly_channel_consumed(channel->channel, taken);
    return taken;
}

static void resume(LyServerChannel *channel)
{
    Sftp *sftp = channel->state;
    if (sftp->held.len) {
        ly_buf_drop(&sftp->held, receive(channel, ly_buf_bytes(&sftp->held)));
        if (!sftp->held.len)
            ly_buf_free(&sftp->held);
    }
    if (sftp->eof && !sftp->held.len && !ly_sftp_server_pending_len(sftp->server) &&
        !ly_sftp_server_outstanding(sftp->server))
        finish(channel, 0);
}

/* A backend may have answered at any time: there may be room for more requests, and something to send. */
static void replied(void *user)
{
    LyServerChannel *channel = user;
    resume(channel);
    ly_drive_wake(channel->server->drive);
}

static void sftp_data(LyServerChannel *channel, LyBytes data)
{
    Sftp *sftp = channel->state;
    size_t taken = sftp->held.len ? 0 : receive(channel, data);
    if (taken < data.len)
        ly_buf_add(&sftp->held, ly_bytes_slice(data, taken, data.len));
}

static void sftp_eof(LyServerChannel *channel)
{
    Sftp *sftp = channel->state;
    sftp->eof = true;
    resume(channel);
}

static void sftp_window(LyServerChannel *channel)
{
    Sftp *sftp = channel->state;
    ly_sftp_server_flush(sftp->server);
    resume(channel);
}

static void sftp_free(LyServerChannel *channel)
{
    Sftp *sftp = channel->state;
    ly_sftp_server_free(sftp->server);
    ly_loop_undefer(channel->server->loop, &sftp->task);
    ly_sftp_directory_free(sftp->directory);
    ly_buf_free(&sftp->held);
    ly_free(sftp);
    channel->program = NULL;
}

static const LyServerProgramClass sftp_class = {
    .data = sftp_data,
    .eof = sftp_eof,
    .window = sftp_window,
    .free = sftp_free,
};

/* The directory backend; false: there is no directory to serve (logged). */
static bool open_directory(LyServer *server, const LyLog *log, LySftpDirectory **directory,
                           LySftpBackend *backend)
{
    LySftpDirectoryOptions options = {
        .root = server->options->root,
        .start = server->options->root ? NULL : getenv("HOME"),
        .umask = -1,
        .log = *log,
    };
    LyError error;
    *directory = ly_sftp_directory_new(&options, backend, &error);
    if (!*directory && !options.root) { /* a missing home is no reason to turn the user away */
        options.start = "/";
        *directory = ly_sftp_directory_new(&options, backend, &error);
    }
    if (!*directory)
        ly_log(&server->options->log, LY_LOG_ERROR, "%s: %s", server->name, error.message);
    return *directory != NULL;
}

bool ly_server_sftp(LyServerChannel *channel)
{
    LyServer *server = channel->server;
    const LyServerHandlers *handlers = &server->options->handlers;
    LyLog log = server->options->log;
    if (log.level < LY_LOG_DEBUG) /* every opened file is told only to who wants to know much */
        log.level = LY_MIN(log.level, LY_LOG_WARNING);
    LySftpServerOptions options = {.log = log};
    LySftpDirectory *directory = NULL;
    bool own = handlers->sftp && handlers->sftp(handlers->user, server, channel, &options);
    if (!own) {
        options = (LySftpServerOptions){.log = log};
        if (!open_directory(server, &log, &directory, &options.backend))
            return false;
    }
    options.sink = (LySftpSink){.write = sink_write, .user = channel};
    options.symlink_openssh_order = has_openssh_order(server);
    Sftp *sftp = ly_new(Sftp);
    sftp->directory = directory;
    sftp->task = (LyTask){.func = replied, .user = channel};
    channel->state = sftp;
    channel->program = &sftp_class;
    sftp->server = ly_sftp_server_new(&options);
    return true;
}
