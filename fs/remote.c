#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

#include "remote.h"

enum {
    PAUSE_FIRST_US = 500 * 1000,
    PAUSE_MAX_US = 60 * 1000 * 1000,
    STABLE_US = 10 * 1000 * 1000,
    START_US = 30 * 1000 * 1000
};

static void cleanup(void *user)
{
    Remote *remote = user;
    ly_sftp_client_free(remote->dead_client);
    remote->dead_client = NULL;
}

/* `error` 0: go on. The list may grow while they run. */
static void wake_waiters(Remote *remote, int error)
{
    LyList woken;
    ly_list_init(&woken);
    ly_list_each(&remote->waiters, RemoteWaiter, link, each)
    {
        ly_link_remove(&each->link);
        ly_list_append(&woken, &each->link);
    }
    RemoteWaiter *waiter;
    while ((waiter = ly_list_first(&woken, RemoteWaiter, link))) {
        ly_link_remove(&waiter->link);
        waiter->go(waiter, error);
    }
}

static void set_deadline(Remote *remote)
{
    RemoteWaiter *first = ly_list_first(&remote->waiters, RemoteWaiter, link);
    ly_timer_set(remote->deadline_timer, first ? first->deadline_us : UINT64_MAX);
}

static void deadline_passed(void *user)
{
    Remote *remote = user;
    uint64_t now_us = ly_loop_now_us(remote->loop);
    RemoteWaiter *waiter;
    while ((waiter = ly_list_first(&remote->waiters, RemoteWaiter, link)) && waiter->deadline_us <= now_us) {
        ly_link_remove(&waiter->link);
        waiter->go(waiter, ETIMEDOUT);
    }
    set_deadline(remote);
}

/* The next attempt, as soon as the pause allows, while anybody waits for it. */
static void schedule_attempt(Remote *remote)
{
    if (remote->state == REMOTE_DOWN && !ly_list_empty(&remote->waiters))
        ly_timer_set(remote->attempt_timer, LY_MAX(remote->next_attempt_us, ly_loop_now_us(remote->loop)));
}

static void lengthen_pause(Remote *remote)
{
    uint16_t jitter = 0;
    if (getrandom(&jitter, sizeof jitter, GRND_NONBLOCK) != sizeof jitter)
        jitter = (uint16_t)getpid();
    remote->pause_us =
        remote->pause_us ? LY_MIN(2 * remote->pause_us, (uint64_t)PAUSE_MAX_US) : PAUSE_FIRST_US;
    /* Between three quarters and five quarters, so that many mounts of one server do not come back in step.
     */
    uint64_t pause_us = remote->pause_us / 4 * 3 + remote->pause_us / 2 * jitter / UINT16_MAX;
    remote->next_attempt_us = ly_loop_now_us(remote->loop) + pause_us;
}

/* Whatever the reason, the session is over: what was in flight is told, what waits goes on waiting or is told
 * too. */
static void go_down(Remote *remote, const LyError *reason, bool final)
{
    const LyError copy = *reason, *error = &copy; /* it may belong to the link, which is freed here */
    LySftpClient *client = remote->client;
    Link *link = remote->link;
    uint64_t now_us = ly_loop_now_us(remote->loop);
    bool was_up = remote->state == REMOTE_UP;

    ly_timer_set(remote->attempt_timer, UINT64_MAX);
    remote->client = NULL;
    remote->link = NULL;
    remote->state = final ? REMOTE_STOPPED : REMOTE_DOWN;
    if (was_up && now_us - remote->up_us > STABLE_US)
        remote->pause_us = 0, remote->next_attempt_us = now_us;
    else
        lengthen_pause(remote);
    if (final)
        remote->stopped_errno =
            error->code == LY_ERROR_AUTH || error->code == LY_ERROR_HOST_KEY ? EACCES : EIO;
    link_free(link);
    if (client) {
        ly_sftp_client_closed(client);
        ly_sftp_client_free(remote->dead_client);
        remote->dead_client = client;
        ly_loop_defer(remote->loop, &remote->cleanup);
    }
    if (!remote->told) {
        remote->told = true;
        remote->ready(remote->user, error);
    } else {
        ly_log(&remote->options->log, final ? LY_LOG_ERROR : LY_LOG_WARNING, "%s: %s; %s",
               remote->options->mountpoint, error->message,
               final ? "the mount does not try again" : "the next operation on the mount connects again");
    }
    if (final)
        wake_waiters(remote, remote->stopped_errno);
    schedule_attempt(remote);
}

static void fail_session(Remote *remote, const char *what, const LySftpReply *reply)
{
    LyError error;
    ly_error_set(&error, LY_ERROR_PROTOCOL, "%s: %s (%s)", what, ly_sftp_status_name(reply->status),
                 reply->message.len ? LY_PRINTABLE(reply->message) : "no reason given");
    go_down(remote, &error, false);
}

static void session_is_up(Remote *remote)
{
    bool first = !remote->looked, tell = !remote->told;
    ly_timer_set(remote->attempt_timer, UINT64_MAX);
    remote->state = REMOTE_UP;
    remote->up_us = ly_loop_now_us(remote->loop);
    remote->looked = remote->told = true;
    ly_log(&remote->options->log, LY_LOG_INFO,
           first ? "the SFTP session is up" : "the SFTP session is up again");
    if (tell)
        remote->ready(remote->user, NULL);
    wake_waiters(remote, 0);
    set_deadline(remote);
}

/* The base directory is looked at once, before mounting; three questions sent together, the last answer ends
 * them. */
static void base_found(void *user, LySftpReply *reply)
{
    Remote *remote = user;
    LySftpName name;
    if (reply->status == SSH_FX_OK && ly_sftp_reply_name(reply, &name) && name.filename.len &&
        name.filename.data[0] == '/') {
        ly_buf_clear(&remote->absolute_base);
        ly_buf_add(&remote->absolute_base, name.filename);
    }
}

static void account_found(void *user, LySftpReply *reply)
{
    Remote *remote = user;
    if (reply->status == SSH_FX_OK && reply->attrs.flags & SSH_FILEXFER_ATTR_UIDGID) {
        remote->owners.known = true;
        remote->owners.remote_uid = reply->attrs.uid;
        remote->owners.remote_gid = reply->attrs.gid;
    } else if (remote->options->idmap == IDMAP_USER) {
        ly_log(&remote->options->log, LY_LOG_WARNING,
               "idmap=user has no effect: the server does not tell the owner of its "
               "starting directory");
    }
}

static void base_checked(void *user, LySftpReply *reply)
{
    Remote *remote = user;
    LyBytes base = remote->options->base;
    if (!remote->client) /* it ended; that was told */
        return;
    LyError error = {0};
    if (!remote->options->check_root)
        session_is_up(remote);
    else if (reply->status == SSH_FX_CONNECTION_LOST)
        return; /* the link tells why */
    else if (reply->status == SSH_FX_NO_SUCH_FILE)
        ly_error_set(&error, LY_ERROR_INVALID, "no such directory on the server: %s", LY_PRINTABLE(base));
    else if (reply->status != SSH_FX_OK)
        ly_error_set(&error, LY_ERROR_INVALID, "cannot look at %s on the server: %s",
                     base.len ? LY_PRINTABLE(base) : "the starting directory",
                     reply->status == SSH_FX_PERMISSION_DENIED ? "permission denied"
                     : reply->message.len                      ? LY_PRINTABLE(reply->message)
                                                               : ly_sftp_status_name(reply->status));
    else if (attributes_type(&reply->attrs) != S_IFDIR && reply->attrs.flags & SSH_FILEXFER_ATTR_PERMISSIONS)
        ly_error_set(&error, LY_ERROR_INVALID, "not a directory on the server: %s", LY_PRINTABLE(base));
    else
        session_is_up(remote);
    if (error.code)
        go_down(remote, &error, true);
}

static void sftp_ready(void *user, LySftpReply *reply)
{
    Remote *remote = user;
    if (!remote->client)
        return;
    if (reply->status == SSH_FX_CONNECTION_LOST)
        return; /* the link tells why */
    if (reply->status != SSH_FX_OK) {
        fail_session(remote, "the server does not speak SFTP", reply);
        return;
    }
    if (remote->looked) {
        session_is_up(remote);
        return;
    }
    LyBytes base = remote->options->base.len ? remote->options->base : LY_BYTES(".");
    if (!ly_sftp_realpath(remote->client, base, base_found, remote) ||
        !ly_sftp_stat(remote->client, LY_BYTES("."), account_found, remote) ||
        !ly_sftp_stat(remote->client, base, base_checked, remote)) {
        LyError error;
        ly_error_set(&error, LY_ERROR_INVALID, "the remote directory's name is too long");
        go_down(remote, &error, true);
    }
}

static size_t sink_write(void *user, const LyBytes *parts, size_t count)
{
    Remote *remote = user;
    return remote->link ? link_write(remote->link, parts, count) : 0;
}

static void link_up(void *user)
{
    Remote *remote = user;
    LySftpClientOptions options = {
        .sink = {sink_write, remote},
        .symlink_openssh_order = link_symlink_openssh_order(remote->link),
        .log = remote->options->log,
    };
    remote->generation++;
    ly_timer_set(remote->attempt_timer, ly_loop_now_us(remote->loop) + START_US);
    remote->client = ly_sftp_client_new(&options, sftp_ready, remote);
}

static void link_data(void *user, LyBytes bytes)
{
    Remote *remote = user;
    LyError error;
    if (remote->client && !ly_sftp_client_receive(remote->client, bytes, &error))
        go_down(remote, &error, false);
}

static void link_writable(void *user)
{
    Remote *remote = user;
    if (remote->client)
        ly_sftp_client_flush(remote->client);
}

static void link_iterated(void *user)
{
}

static void link_down(void *user, const LyError *error, bool final)
{
    go_down(user, error, final);
}

static void start_attempt(Remote *remote)
{
    LinkEvents events = {link_up, link_data, link_writable, link_iterated, link_down, remote};
    if (remote->state != REMOTE_DOWN)
        return;
    remote->state = REMOTE_CONNECTING;
    remote->link = remote->maker.make(remote->maker.user, remote->loop, &events);
}

static void attempt_due(void *user)
{
    Remote *remote = user;
    if (remote->state == REMOTE_CONNECTING) { /* the link is up, but nothing comes */
        LyError error;
        ly_error_set(&error, LY_ERROR_TIMEOUT, "the SFTP server does not answer");
        go_down(remote, &error, false);
    } else {
        start_attempt(remote);
    }
}

void remote_init(Remote *remote, LyLoop *loop, const MountOptions *options, const LinkMaker *maker,
                 void (*ready)(void *user, const LyError *error), void *user)
{
    *remote = (Remote){.loop = loop, .options = options, .maker = *maker, .ready = ready, .user = user};
    remote->owners = (Owners){.options = options, .local_uid = getuid(), .local_gid = getgid()};
    remote->attempt_timer = ly_timer_new(loop, attempt_due, remote);
    remote->deadline_timer = ly_timer_new(loop, deadline_passed, remote);
    remote->cleanup = (LyTask){.func = cleanup, .user = remote};
    ly_list_init(&remote->waiters);
    remote->told = options->delay_connect;
    if (!options->delay_connect)
        start_attempt(remote);
}

void remote_free(Remote *remote)
{
    LySftpClient *client = remote->client;
    remote->state = REMOTE_STOPPED;
    remote->stopped_errno = EIO;
    link_free(remote->link);
    remote->link = NULL;
    remote->client = NULL;
    wake_waiters(remote, EIO);
    if (client) {
        ly_sftp_client_closed(client);
        ly_sftp_client_free(client);
    }
    ly_loop_undefer(remote->loop, &remote->cleanup);
    ly_sftp_client_free(remote->dead_client);
    ly_timer_free(remote->attempt_timer);
    ly_timer_free(remote->deadline_timer);
    ly_buf_free(&remote->absolute_base);
    if (remote->maker.free)
        remote->maker.free(remote->maker.user);
}

int remote_check(const Remote *remote)
{
    switch (remote->state) {
    case REMOTE_UP:
        return 0;
    case REMOTE_STOPPED:
        return remote->stopped_errno;
    case REMOTE_DOWN:
    case REMOTE_CONNECTING:
        break;
    }
    return EAGAIN;
}

void remote_wait(Remote *remote, RemoteWaiter *waiter)
{
    waiter->deadline_us = ly_loop_now_us(remote->loop) + remote->options->timeout_us;
    ly_list_append(&remote->waiters, &waiter->link);
    set_deadline(remote);
    schedule_attempt(remote);
}

void remote_stop_waiting(RemoteWaiter *waiter)
{
    ly_link_remove(&waiter->link);
}
