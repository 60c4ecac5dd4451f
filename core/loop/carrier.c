#include "loop/carrier.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <unistd.h>

#include "base/memory.h"

typedef struct FdCarrier {
    LyCarrier carrier;
    LyLoop *loop;
    int in, out;
    bool out_is_socket;
    LyWatch *in_watch, *out_watch; /* one and the same when the descriptors are */
    bool want_read, want_write;
    LyChild *child;
} FdCarrier;

static void fds_ready(void *user, unsigned events)
{
    LyCarrier *carrier = user;
    carrier->ready(carrier->user, events); /* may free us */
}

static void fds_watch(FdCarrier *fds)
{
    unsigned in = fds->want_read ? LY_READABLE : 0;
    unsigned out = fds->want_write ? LY_WRITABLE : 0;
    if (!fds->carrier.ready)
        return;
    if (!fds->in_watch) {
        bool same = fds->in == fds->out;
        fds->in_watch = ly_watch_new(fds->loop, fds->in, same ? in | out : in, fds_ready, fds);
        fds->out_watch = same ? fds->in_watch : ly_watch_new(fds->loop, fds->out, out, fds_ready, fds);
    } else if (fds->in_watch == fds->out_watch) {
        ly_watch_set(fds->in_watch, in | out);
    } else {
        ly_watch_set(fds->in_watch, in);
        ly_watch_set(fds->out_watch, out);
    }
}

static ssize_t fds_read(LyCarrier *carrier, void *data, size_t len)
{
    FdCarrier *fds = (FdCarrier *)carrier;
    ssize_t count;
    do
        count = read(fds->in, data, len);
    while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}

static ssize_t fds_write(LyCarrier *carrier, const void *data, size_t len)
{
    FdCarrier *fds = (FdCarrier *)carrier;
    ssize_t count;
    do
        count = fds->out_is_socket ? send(fds->out, data, len, MSG_NOSIGNAL) : write(fds->out, data, len);
    while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}

static void fds_want_read(LyCarrier *carrier, bool want)
{
    FdCarrier *fds = (FdCarrier *)carrier;
    fds->want_read = want;
    fds_watch(fds);
}

static void fds_want_write(LyCarrier *carrier, bool want)
{
    FdCarrier *fds = (FdCarrier *)carrier;
    fds->want_write = want;
    fds_watch(fds);
}

static void fds_shutdown(LyCarrier *carrier)
{
    FdCarrier *fds = (FdCarrier *)carrier;
    fds_want_write(carrier, false);
    if (fds->out_is_socket) {
        shutdown(fds->out, SHUT_WR);
    } else if (fds->out != fds->in) { /* a pipe */
        ly_watch_free(fds->out_watch);
        close(fds->out);
        fds->out = fds->in;
        fds->out_watch = fds->in_watch;
    }
}

static void fds_free(LyCarrier *carrier)
{
    FdCarrier *fds = (FdCarrier *)carrier;
    ly_watch_free(fds->in_watch);
    if (fds->out_watch != fds->in_watch)
        ly_watch_free(fds->out_watch);
    close(fds->in);
    if (fds->out != fds->in)
        close(fds->out);
    if (fds->child) {
        ly_child_kill(fds->child, SIGHUP);
        ly_child_free(fds->child);
    }
    ly_free(fds);
}

/* What is no TCP socket refuses, and that is as good. */
static void fds_set_no_delay(LyCarrier *carrier, bool on)
{
    FdCarrier *fds = (FdCarrier *)carrier;
    int value = on;
    setsockopt(fds->out, IPPROTO_TCP, TCP_NODELAY, &value, sizeof value);
}

static const LyCarrierClass fds_class = {
    .read = fds_read,
    .write = fds_write,
    .want_write = fds_want_write,
    .want_read = fds_want_read,
    .shutdown = fds_shutdown,
    .free = fds_free,
    .set_no_delay = fds_set_no_delay,
};

LyCarrier *ly_carrier_new_fds(LyLoop *loop, int in, int out, LyChild *child)
{
    FdCarrier *fds = ly_new(FdCarrier);
    fds->carrier.class = &fds_class;
    fds->loop = loop;
    fds->in = in;
    fds->out = out;
    fds->want_read = true;
    fds->child = child;
    int type;
    socklen_t len = sizeof type;
    fds->out_is_socket = getsockopt(out, SOL_SOCKET, SO_TYPE, &type, &len) == 0;
    return &fds->carrier;
}

void ly_carrier_start(LyCarrier *carrier, LyWatchFunc ready, void *user)
{
    carrier->ready = ready;
    carrier->user = user;
    carrier->class->want_read(carrier, true);
}

ssize_t ly_carrier_read(LyCarrier *carrier, void *data, size_t len)
{
    return carrier->class->read(carrier, data, len);
}

ssize_t ly_carrier_write(LyCarrier *carrier, const void *data, size_t len)
{
    return carrier->class->write(carrier, data, len);
}

void ly_carrier_want_read(LyCarrier *carrier, bool want)
{
    carrier->class->want_read(carrier, want);
}

void ly_carrier_shutdown(LyCarrier *carrier)
{
    if (carrier->class->shutdown)
        carrier->class->shutdown(carrier);
}

void ly_carrier_want_write(LyCarrier *carrier, bool want)
{
    carrier->class->want_write(carrier, want);
}

void ly_carrier_set_no_delay(LyCarrier *carrier, bool on)
{
    if (carrier->class->set_no_delay)
        carrier->class->set_no_delay(carrier, on);
}

void ly_carrier_free(LyCarrier *carrier)
{
    if (carrier)
        carrier->class->free(carrier);
}
