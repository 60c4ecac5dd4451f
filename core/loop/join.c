#include "loop/join.h"

#include <errno.h>
#include <unistd.h>

#include "base/memory.h"
#include "loop/loop-private.h"

#define READ_LEN LY_LOOP_SCRATCH_LEN
#define DROP_AT ((size_t)256 << 10) /* written bytes are moved out of `held` in steps of this */

struct LyJoin {
    LyLoop *loop;
    LyChannel *channel; /* NULL: the peer closed it, and `held` goes to the carrier still */
    LyCarrier *carrier;
    int fd; /* the carrier's when it is one socket; -1 */
    LyJoinOptions options;
    LyBuf pending; /* read from the carrier and not taken by the channel: only where it took less than it said
                    */
    LyBuf held;    /* received and not taken by the carrier: at most a window */
    size_t held_done;    /* bytes of it that were written */
    size_t held_foreign; /* bytes of it that the window knows about already */
    uint64_t sent, received;
    bool answered;   /* the channel spoke last */
    bool read_over;  /* the carrier gives no more */
    bool write_over; /* the carrier takes no more, or was told that there is no more */
    bool eof;        /* the peer's */
    bool blocked;    /* the carrier is full */
    bool starving;   /* the channel is: LY_CHANNEL_WINDOW will come */
    bool broken;     /* `error` says how */
    bool in_callback, freed;
    LyError error;
};

/* ---- the end ---- */

static void nobody(void *user, const LyConnectionEvent *event)
{
    if (event->type == LY_CHANNEL_REQUEST && event->want_reply)
        ly_channel_reply(event->channel, false);
}

void ly_channel_abandon(LyChannel *channel)
{
    ly_channel_set_func(channel, nobody, NULL);
    ly_channel_close(channel);
}

static void release(LyJoin *join)
{
    ly_carrier_free(join->carrier);
    ly_buf_free(&join->pending);
    ly_buf_free(&join->held);
    ly_free(join);
}

void ly_join_free(LyJoin *join)
{
    if (!join || join->freed)
        return;
    if (join->channel) {
        ly_channel_abandon(join->channel);
        join->channel = NULL;
        join->options.wake(join->options.owner);
    }
    join->freed = true;
    if (!join->in_callback)
        release(join);
}

void ly_join_abort(LyJoin *join)
{
    if (!join || join->freed)
        return;
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    if (join->fd >= 0 && !(join->eof && join->write_over))
        setsockopt(join->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    join->channel = NULL;
    ly_join_free(join);
}

static void end(LyJoin *join)
{
    if (join->channel)
        ly_channel_abandon(join->channel);
    join->channel = NULL;
    join->options.wake(join->options.owner);
    join->in_callback = true;
    ly_carrier_free(join->carrier);
    join->carrier = NULL;
    if (join->options.ended)
        join->options.ended(join->options.user, join, join->broken ? &join->error : NULL);
    release(join);
}

static void fail(LyJoin *join, int system, const char *what)
{
    if (!join->broken)
        ly_error_set_errno(&join->error, system, "%s", what);
    join->broken = true;
}

/* ---- from the channel to the carrier ---- */

static void consumed(LyJoin *join, size_t len)
{
    size_t foreign = LY_MIN(len, join->held_foreign);
    join->held_foreign -= foreign;
    if (join->channel && len > foreign)
        ly_channel_consumed(join->channel, len - foreign);
}

/* Nothing goes to the carrier any more: what comes is dropped. */
static void write_ended(LyJoin *join)
{
    join->write_over = true;
    join->blocked = false;
    consumed(join, join->held.len - join->held_done);
    join->held_done = 0;
    ly_buf_free(&join->held);
}

/* How many bytes the carrier took. */
static size_t write_some(LyJoin *join, LyBytes data)
{
    size_t taken = 0;
    while (taken < data.len && !join->write_over && !join->blocked) {
        ssize_t len = ly_carrier_write(join->carrier, data.data + taken, data.len - taken);
        if (len >= 0 || len == -EAGAIN) { /* taken in part: it is full, asking again would only say so */
            taken += len > 0 ? (size_t)len : 0;
            join->blocked = taken < data.len;
        } else {
            fail(join, (int)-len, "writing failed");
            write_ended(join);
        }
    }
    join->received += taken;
    join->answered |= taken > 0;
    return taken;
}

static void write_held(LyJoin *join)
{
    LyBytes rest = ly_bytes_slice(ly_buf_bytes(&join->held), join->held_done, join->held.len);
    if (!rest.len)
        return;
    size_t taken = write_some(join, rest);
    if (join->write_over)
        return; /* nothing is held any more */
    join->held_done += taken;
    consumed(join, taken);
    if (join->held_done == join->held.len) {
        ly_buf_free(&join->held); /* most joins never need it again */
        join->held_done = 0;
    } else if (join->held_done >= DROP_AT) {
        ly_buf_drop(&join->held, join->held_done);
        join->held_done = 0;
    }
}

static void data_received(LyJoin *join, LyBytes data)
{
    size_t taken = join->held.len ? 0 : write_some(join, data);
    if (join->write_over)
        taken = data.len;
    ly_channel_consumed(join->channel, taken);
    if (taken < data.len)
        ly_buf_add(&join->held, ly_bytes_slice(data, taken, data.len));
}

/* ---- from the carrier to the channel ---- */

/* True when nothing waits. */
static bool send_pending(LyJoin *join)
{
    if (!join->pending.len)
        return true;
    LyBytes pending = ly_buf_bytes(&join->pending);
    size_t taken = ly_channel_send(join->channel, &pending, 1);
    join->sent += taken;
    join->answered = false;
    if (taken < pending.len) {
        ly_buf_drop(&join->pending, taken);
        join->starving = true;
        return false;
    }
    ly_buf_free(&join->pending);
    return true;
}

/* One read, no more than the channel takes: so what is read is encrypted from where it lies. */
static void read_some(LyJoin *join)
{
    if (!join->channel || join->read_over || join->starving || !send_pending(join))
        return;
    size_t room = ly_channel_room(join->channel);
    if (!room) {
        join->starving = true;
        return;
    }
    uint8_t *scratch = ly_loop_scratch(join->loop);
    ssize_t len = ly_carrier_read(join->carrier, scratch, LY_MIN(room, READ_LEN));
    if (len == -EAGAIN)
        return;
    if (len <= 0) {
        join->read_over = true;
        if (len < 0) {
            fail(join, (int)-len, "reading failed");
            write_ended(join);
        }
        return;
    }
    LyBytes data = ly_bytes(scratch, (size_t)len);
    size_t taken = ly_channel_send(join->channel, &data, 1);
    join->sent += taken;
    join->answered = false;
    if (taken < data.len) {
        ly_buf_add(&join->pending, ly_bytes_slice(data, taken, data.len));
        join->starving = true;
    }
}

/* ---- both ---- */

/* After anything happened: passes on what is over, and asks for what is wanted. False: the join is gone. */
static bool settle(LyJoin *join)
{
    bool flushed = !join->held.len;
    if (join->channel && join->read_over && !join->pending.len && !join->broken)
        ly_channel_eof(join->channel);
    if ((join->eof || !join->channel) && flushed && !join->write_over) {
        join->write_over = true;
        ly_carrier_shutdown(join->carrier);
    }
    if (join->write_over && (!join->channel || (join->read_over && !join->pending.len))) {
        end(join);
        return false;
    }
    ly_carrier_want_read(join->carrier, join->channel && !join->read_over && !join->starving);
    ly_carrier_want_write(join->carrier, !flushed);
    return true;
}

static void carrier_ready(void *user, unsigned events)
{
    LyJoin *join = user;
    if (events & LY_WRITABLE) {
        join->blocked = false;
        write_held(join);
    }
    if (events & LY_READABLE)
        read_some(join);
    /* A socket of which both directions are gone, though only one was over here. (Asking for other events
     * says so again.) */
    if ((events & LY_HANGUP) && join->fd >= 0 && join->read_over && !join->write_over) {
        fail(join, EPIPE, "the other end is gone");
        write_ended(join);
    }
    if (settle(join))
        join->options.wake(join->options.owner);
}

static void channel_event(void *user, const LyConnectionEvent *event)
{
    LyJoin *join = user;
    switch (event->type) {
    case LY_CHANNEL_DATA:
        data_received(join, event->data);
        break;
    case LY_CHANNEL_STDERR: /* such channels have none */
        ly_channel_consumed(join->channel, event->data.len);
        break;
    case LY_CHANNEL_WINDOW:
        join->starving = false;
        read_some(join);
        break;
    case LY_CHANNEL_EOF:
        join->eof = true;
        break;
    case LY_CHANNEL_CLOSED:
        join->channel = NULL;
        break;
    case LY_CHANNEL_REQUEST:
        if (event->want_reply)
            ly_channel_reply(join->channel, false);
        return;
    default:
        return;
    }
    settle(join);
}

static LyJoin *join_new(LyLoop *loop, LyChannel *channel, LyCarrier *carrier, int fd,
                        const LyJoinOptions *options)
{
    LyJoin *join = ly_new(LyJoin);
    join->loop = loop;
    join->channel = channel;
    join->carrier = carrier;
    join->fd = fd;
    join->options = *options;
    ly_buf_add(&join->pending, options->to_channel);
    ly_buf_add(&join->held, options->to_carrier);
    join->held_foreign = options->to_carrier.len;
    join->eof = options->eof;
    join->options.to_channel = join->options.to_carrier = (LyBytes){0};
    ly_channel_set_func(channel, channel_event, join);
    ly_carrier_start(carrier, carrier_ready, join);
    send_pending(join);
    if (join->starving)
        ly_carrier_want_read(carrier, false);
    if (join->held.len || join->eof)
        ly_carrier_want_write(carrier, true);
    join->options.wake(join->options.owner);
    return join;
}

LyJoin *ly_join_new(LyLoop *loop, LyChannel *channel, LyCarrier *carrier, const LyJoinOptions *options)
{
    return join_new(loop, channel, carrier, -1, options);
}

LyJoin *ly_join_new_fd(LyLoop *loop, LyChannel *channel, int fd, const LyJoinOptions *options)
{
    return join_new(loop, channel, ly_carrier_new_fds(loop, fd, fd, NULL), fd, options);
}

uint64_t ly_join_sent(const LyJoin *join)
{
    return join->sent;
}

uint64_t ly_join_received(const LyJoin *join)
{
    return join->received;
}

bool ly_join_answered(const LyJoin *join)
{
    return join->answered;
}
