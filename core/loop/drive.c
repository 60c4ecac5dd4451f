#include "loop/drive.h"

#include <errno.h>

#include "base/memory.h"

/* Bytes taken from the carrier in one iteration, so that others get a turn. */
#define READ_MAX ((size_t)1 << 20)
/* Output is written early from here on, while it is in the processor's cache. */
#define WRITE_AT ((size_t)256 << 10)
/* Unwritten output over which a peer that does not read is not read either. Channels stop at a mebibyte: what
 * is above it are answers, which only reading begets. */
#define STOP_READING ((size_t)8 << 20)
/* Of handing on events and writing what they gave, in one iteration. */
#define ROUNDS_MAX 8
/* Reads for a peer's last words: more than a socket's buffer holds. */
#define LAST_READS_MAX 64

struct LyDrive {
    LyLoop *loop;
    LySession *session;
    LyCarrier *carrier;
    LyDriveEvents events;
    LyTimer *timer;
    uint64_t timer_us;
    LyTask task;
    bool busy;             /* a step is under way, callbacks with it */
    bool handed;           /* events were, since `iterated` was called */
    bool full;             /* the session's input is, while a question is open */
    bool blocked;          /* output is left that the carrier does not take now */
    bool input_ended;      /* the peer closed its side, or reading failed */
    bool reading, writing; /* what the carrier was asked for last */
    bool ended;            /* LY_SESSION_CLOSED came */
    bool told;             /* closed() was called, */
    bool gone;             /* ly_drive_free was */
    int write_failure;     /* errno; nothing is written any more */
    LyError error;         /* the end's */
};

static void release(LyDrive *drive)
{
    ly_loop_undefer(drive->loop, &drive->task);
    ly_timer_free(drive->timer);
    ly_session_free(drive->session);
    ly_carrier_free(drive->carrier);
    ly_free(drive);
}

static void lose(LyDrive *drive, int failure, const char *what)
{
    LyError error;
    ly_error_set_errno(&error, failure, "the connection broke while %s", what);
    ly_transport_carrier_lost(ly_session_transport(drive->session), &error);
}

/* Writes until the carrier takes no more; true when something was written. A failure is only noted, because
 * events may be half handed on. */
static bool write_out(LyDrive *drive)
{
    bool wrote = false;
    while (!drive->write_failure && !drive->blocked) {
        LyBytes output = ly_session_output(drive->session);
        if (output.len == 0)
            break;
        ssize_t len = ly_carrier_write(drive->carrier, output.data, output.len);
        if (len < 0 && len != -EAGAIN) {
            drive->write_failure = (int)-len;
            break;
        }
        /* taken in part: the carrier is full, asking again would only say so */
        drive->blocked = len < (ssize_t)output.len;
        if (len > 0) {
            ly_session_output_done(drive->session, (size_t)len);
            wrote = true;
        }
    }
    return wrote;
}

/* Hands on what events there are. */
static void pull(LyDrive *drive)
{
    LySessionEvent event;
    while (!drive->gone && !drive->ended && ly_session_next(drive->session, &event)) {
        if (event.type == LY_SESSION_CLOSED) {
            drive->ended = true;
            drive->error = *event.error;
            return;
        }
        drive->handed = true;
        drive->events.event(drive->events.user, &event);
        if (ly_session_output(drive->session).len >= WRITE_AT)
            write_out(drive);
    }
}

typedef enum Found {
    FOUND_NOTHING, /* nor will there be more in this iteration */
    FOUND_LITTLE,  /* less than there was room for: that was all for now */
    FOUND_MUCH,
} Found;

/* One read, and the events that it gives. */
static Found read_once(LyDrive *drive, size_t *taken)
{
    size_t room;
    uint8_t *input = ly_session_input(drive->session, &room);
    drive->full = room == 0;
    if (drive->full)
        return FOUND_NOTHING;
    ssize_t len = ly_carrier_read(drive->carrier, input, room);
    if (len == -EAGAIN)
        return FOUND_NOTHING;
    if (len < 0) {
        drive->input_ended = true;
        lose(drive, (int)-len, "reading");
    } else if (len == 0) {
        drive->input_ended = true;
        ly_session_input_done(drive->session, 0);
    } else {
        ly_session_input_done(drive->session, (size_t)len);
        *taken += (size_t)len;
    }
    pull(drive);
    if (len <= 0 || drive->gone || drive->ended)
        return FOUND_NOTHING;
    return (size_t)len < room ? FOUND_LITTLE : FOUND_MUCH;
}

static bool may_read(LyDrive *drive)
{
    if (drive->input_ended || ly_session_output(drive->session).len > STOP_READING)
        return false;
    if (drive->full) { /* until the question is answered and input used up */
        size_t room;
        ly_session_input(drive->session, &room);
        drive->full = room == 0;
    }
    return !drive->full;
}

static void read_in(LyDrive *drive)
{
    size_t taken = 0;
    while (may_read(drive) && read_once(drive, &taken) == FOUND_MUCH && taken < READ_MAX)
        ;
}

/* Writing failed. What the peer said last may still be there, and its DISCONNECT says more than a broken pipe
 * does. */
static void read_last_words(LyDrive *drive)
{
    size_t taken = 0;
    for (unsigned i = 0; i < LAST_READS_MAX && !drive->input_ended; i++)
        if (read_once(drive, &taken) == FOUND_NOTHING)
            break;
    if (drive->gone || drive->ended)
        return;
    lose(drive, drive->write_failure, "writing");
    pull(drive);
}

/* Hands on events and writes what came of them. Room in the output gives new events (LY_CHANNEL_WINDOW), and
 * so do answers, until there is nothing more of either. */
static void settle(LyDrive *drive)
{
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        pull(drive);
        bool handed = drive->handed;
        drive->handed = false;
        if (handed && !drive->gone && !drive->ended && drive->events.iterated)
            drive->events.iterated(drive->events.user);
        if (drive->gone || drive->ended)
            return;
        bool wrote = write_out(drive);
        if (drive->write_failure)
            read_last_words(drive);
        if (drive->gone || drive->ended || (!handed && !wrote))
            return;
    }
    ly_loop_defer(drive->loop, &drive->task);
}

static void want(LyDrive *drive, bool reading, bool writing)
{
    if (reading != drive->reading)
        ly_carrier_want_read(drive->carrier, reading);
    if (writing != drive->writing)
        ly_carrier_want_write(drive->carrier, writing);
    drive->reading = reading;
    drive->writing = writing;
}

static void wait_until(LyDrive *drive, uint64_t deadline_us)
{
    if (deadline_us != drive->timer_us)
        ly_timer_set(drive->timer, deadline_us);
    drive->timer_us = deadline_us;
}

static void finish(LyDrive *drive)
{
    drive->told = true;
    write_out(drive); /* DISCONNECT */
    want(drive, false, false);
    wait_until(drive, UINT64_MAX);
    drive->events.closed(drive->events.user, &drive->error);
}

/* One iteration's work. A callback that runs the loop itself does not come through here again: the step
 * around it sees to what is left. */
static void step(LyDrive *drive, bool readable)
{
    if (drive->busy || drive->told)
        return;
    drive->busy = true;
    ly_session_tick(drive->session, ly_loop_now_us(drive->loop));
    pull(drive);
    if (readable && !drive->gone && !drive->ended)
        read_in(drive);
    settle(drive);
    if (drive->ended && !drive->gone) {
        finish(drive);
    } else if (!drive->gone) {
        want(drive, may_read(drive), drive->blocked);
        wait_until(drive, ly_session_deadline_us(drive->session));
    }
    drive->busy = false;
    if (drive->gone)
        release(drive);
}

static void carrier_ready(void *user, unsigned events)
{
    LyDrive *drive = user;
    if (events & LY_WRITABLE)
        drive->blocked = false;
    step(drive, events & LY_READABLE);
}

static void timer_fired(void *user)
{
    LyDrive *drive = user;
    drive->timer_us = UINT64_MAX;
    step(drive, false);
}

static void woken(void *user)
{
    step(user, false);
}

LyDrive *ly_drive_new(LyLoop *loop, LySession *session, LyCarrier *carrier, const LyDriveEvents *events)
{
    LyDrive *drive = ly_new(LyDrive);
    *drive = (LyDrive){.loop = loop,
                       .session = session,
                       .carrier = carrier,
                       .events = *events,
                       .timer_us = UINT64_MAX,
                       .reading = true};
    drive->task = (LyTask){.func = woken, .user = drive};
    drive->timer = ly_timer_new(loop, timer_fired, drive);
    ly_carrier_start(carrier, carrier_ready, drive);
    ly_drive_wake(drive);
    return drive;
}

void ly_drive_free(LyDrive *drive)
{
    if (!drive || drive->gone)
        return;
    if (!drive->told)
        write_out(drive);
    drive->gone = true;
    if (!drive->busy)
        release(drive);
}

LySession *ly_drive_session(LyDrive *drive)
{
    return drive->session;
}

LyCarrier *ly_drive_carrier(LyDrive *drive)
{
    return drive->carrier;
}

void ly_drive_wake(LyDrive *drive)
{
    if (!drive->busy && !drive->told)
        ly_loop_defer(drive->loop, &drive->task);
}

void ly_drive_log(LyDrive *drive, const LyLog *log, const char *name, const LyTransportEvent *event)
{
    if (event->type == LY_TRANSPORT_IDENT) {
        ly_log(log, LY_LOG_DEBUG, "%s is %s", name, LY_PRINTABLE(event->bytes));
    } else if (event->type == LY_TRANSPORT_NEWKEYS) {
        const LyNegotiated *names = ly_transport_negotiated(ly_session_transport(drive->session));
        ly_log(log, LY_LOG_DEBUG, "%s: %s, %s, in %s %s %s, out %s %s %s", name, LY_PRINTABLE(names->kex),
               LY_PRINTABLE(names->host_key), LY_PRINTABLE(names->cipher[0]), LY_PRINTABLE(names->mac[0]),
               LY_PRINTABLE(names->compression[0]), LY_PRINTABLE(names->cipher[1]),
               LY_PRINTABLE(names->mac[1]), LY_PRINTABLE(names->compression[1]));
    } else if (event->type == LY_TRANSPORT_DEBUG_TEXT) {
        ly_log(log, LY_LOG_DEBUG, "%s says: %s", name, LY_PRINTABLE(event->bytes));
    }
}
