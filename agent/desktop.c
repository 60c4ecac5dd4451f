#include "desktop.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "beside.h"
#include "base/buf.h"
#include "loop/net.h"

#define HELPER "lanyard-agent-desktop"
#define LINE_MAX_ 64

struct Desktop {
    LyLoop *loop;
    DesktopOptions options;
    LyChild *child;
    int fd;
    LyWatch *watch;
    LyBuf input;
};

static void said(Desktop *desktop, LyBytes line)
{
    static const struct {
        const char *word;
        DesktopEvent event;
    } words[] = {{"lock", DESKTOP_LOCK}, {"unlock", DESKTOP_UNLOCK}, {"sleep", DESKTOP_SLEEP}};
    for (size_t i = 0; i < LY_COUNT(words); i++)
        if (ly_bytes_is(line, words[i].word)) {
            desktop->options.said(desktop->options.user, words[i].event);
            return;
        }
    ly_log(desktop->options.log, LY_LOG_WARNING, HELPER ": %s", LY_PRINTABLE(line));
}

static void disconnect(Desktop *desktop)
{
    ly_watch_free(desktop->watch);
    desktop->watch = NULL;
    if (desktop->fd >= 0)
        close(desktop->fd);
    desktop->fd = -1;
}

static void readable(void *user, unsigned events)
{
    Desktop *desktop = user;
    uint8_t *room = ly_buf_room(&desktop->input, LINE_MAX_);
    ssize_t count = read(desktop->fd, room, LINE_MAX_);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count <= 0) {
        disconnect(desktop);
        return;
    }
    ly_buf_added(&desktop->input, (size_t)count);
    LyBytes line, rest;
    while (ly_bytes_split(ly_buf_bytes(&desktop->input), '\n', &line, &rest)) {
        size_t len = line.len + 1;
        said(desktop, line);
        ly_buf_drop(&desktop->input, len);
    }
    if (desktop->input.len > 4096)
        ly_buf_clear(&desktop->input);
}

static void ended(void *user, int wait_status)
{
    Desktop *desktop = user;
    bool locks = desktop->options.lock_with_screen || desktop->options.lock_on_suspend;
    ly_log(desktop->options.log, LY_LOG_ERROR, HELPER " has ended%s",
           locks ? ": the keys are locked, because nobody would tell that the session is" : "");
    disconnect(desktop);
    ly_child_free(desktop->child);
    desktop->child = NULL;
    if (locks)
        desktop->options.said(desktop->options.user, DESKTOP_LOCK);
}

Desktop *desktop_new(LyLoop *loop, const DesktopOptions *options, LyError *error)
{
    LY_AUTO_FREE char *helper = program_beside(HELPER);
    if (!helper) {
        ly_error_set(error, LY_ERROR_UNSUPPORTED,
                     "notifications and locking need " HELPER ", which is not installed");
        return NULL;
    }
    const char *argv[5] = {helper};
    size_t count = 1;
    if (options->notify)
        argv[count++] = "notify";
    if (options->lock_with_screen)
        argv[count++] = "lock";
    if (options->lock_on_suspend)
        argv[count++] = "suspend";
    LyChildOptions child = {.argv = argv, .fds = {LY_CHILD_SOCKET, LY_CHILD_SOCKET, LY_CHILD_INHERIT}};
    Desktop *desktop = ly_new(Desktop);
    *desktop = (Desktop){.loop = loop, .options = *options, .fd = -1, .input = LY_BUF(8192)};
    desktop->child = ly_child_new(loop, &child, ended, desktop, error);
    if (!desktop->child) {
        ly_free(desktop);
        return NULL;
    }
    desktop->fd = ly_child_fd(desktop->child, 0);
    desktop->watch = ly_watch_new(loop, desktop->fd, LY_READABLE, readable, desktop);
    return desktop;
}

void desktop_free(Desktop *desktop)
{
    if (!desktop)
        return;
    disconnect(desktop);
    if (desktop->child)
        ly_child_kill(desktop->child, SIGTERM);
    ly_child_free(desktop->child);
    ly_buf_free(&desktop->input);
    ly_free(desktop);
}

void desktop_notify(Desktop *desktop, const char *text)
{
    if (!desktop || desktop->fd < 0)
        return;
    char shown[600];
    LY_AUTO_FREE char *line = ly_format("%s\n", ly_printable(ly_bytes_str(text), shown, sizeof shown));
    if (write(desktop->fd, line, strlen(line)) < 0) /* the socket is not blocking: full, or gone */
        ly_log(desktop->options.log, LY_LOG_DEBUG, "a notification was dropped");
}
