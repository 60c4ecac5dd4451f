#include "loop/drive.h"

#include <errno.h>

#include "base/memory.h"

/* Bytes taken from the carrier in one iteration, so that others get a turn. */
#define READ_MAX ((size_t)1 << 20)
/* Output is written early from here on, while it is in the processor's cache. */
#define WRITE_AT ((size_t)256 << 10)
/* Unwritten output over which a peer that does not read is not read either. */
#define STOP_READING ((size_t)8 << 20)
/* Of pulling events and writing what they gave, in one iteration. */
#define ROUNDS_MAX 8

struct LyDrive {
    LyLoop *loop;
    LySession *session;
    LyCarrier *carrier;
    LyDriveEvents events;
    LyTimer *timer;
    uint64_t timer_us;
    LyTask task;
    unsigned depth;  /* callbacks and steps under way */
    bool blocked;    /* the carrier takes nothing now */
    bool reading;    /* as the carrier was told last */
    bool broken;     /* the carrier failed: nothing can be written */
    bool ended;      /* CLOSED came */
    bool told, gone; /* closed() was called; ly_drive_free was */
    LyError error;
};

static void release(LyDrive *drive)
{
    ly_loop_undefer(drive->loop, &drive->task);
    ly_timer_free(drive->timer);
    ly_session_free(drive->session);
    ly_carrier_free(drive->carrier);
    ly_free(drive);
}

static void lose(LyDrive *drive, int system, const char *what)
{
    LyError error;
    ly_error_set_errno(&error, system, "the connection broke while %s", what);
    drive->broken = true;
    ly_transport_carrier_lost(ly_session_transport(drive->session), &error);
}

/* Writes until the carrier takes no more; true when something was written. */
static bool write_out(LyDrive *drive)
{
    bool wrote = false;
    while (!drive->broken && !drive->blocked) {
        LyBytes output = ly_session_output(drive->session);
        if (output.len == 0)
            break;
        ssize_t len = ly_carrier_write(drive->carrier, output.data, output.len);
        if (len > 0) {
            ly_session_output_done(drive->session, (size_t)len);
            wrote = true;
        } else if (len == 0 || len == -EAGAIN || len == -EWOULDBLOCK) {
            drive->blocked = true;
        } else {
            lose(drive, (int)-len, "writing");
        }
    }
    return wrote;
}

static void pull(LyDrive *drive)
{
    LySessionEvent event;
    while (!drive->gone && !drive->ended && ly_session_next(drive->session, &event)) {
        if (event.type == LY_SESSION_CLOSED) {
            drive->ended = true;
            if (event.error)
                drive->error = *event.error;
            return;
        }
        drive->events.event(drive->events.user, &event);
        if (ly_session_output(drive->session).len >= WRITE_AT)
            write_out(drive);
    }
}

static void read_in(LyDrive *drive)
{
    for (size_t taken = 0; taken < READ_MAX && !drive->gone && !drive->ended && !drive->broken;) {
        if (ly_session_output(drive->session).len > STOP_READING)
            break;
        size_t room;
        uint8_t *input = ly_session_input(drive->session, &room);
        if (room == 0)
            break;
        ssize_t len = ly_carrier_read(drive->carrier, input, room);
        if (len == -EAGAIN || len == -EWOULDBLOCK)
            break;
        if (len < 0)
            lose(drive, (int)-len, "reading");
        else
            ly_session_input_done(drive->session, (size_t)len);
        pull(drive);
        if (len <= 0 || (size_t)len < room) /* what came since is told by the next iteration */
            break;
        taken += (size_t)len;
    }
}

static void set_wants(LyDrive *drive)
{
    if (drive->broken)
        return;
    bool read = ly_session_output(drive->session).len <= STOP_READING;
    if (read != drive->reading)
        ly_carrier_want_read(drive->carrier, read);
    drive->reading = read;
    ly_carrier_want_write(drive->carrier, drive->blocked);
    uint64_t deadline_us = ly_session_deadline_us(drive->session);
    if (deadline_us != drive->timer_us)
        ly_timer_set(drive->timer, deadline_us);
    drive->timer_us = deadline_us;
}

/* One iteration's work, with what is called and may free us in the middle. */
static void step(LyDrive *drive, bool readable)
{
    if (drive->told)
        return;
    if (drive->depth++ == 0) {
        ly_session_tick(drive->session, ly_loop_now_us(drive->loop));
        if (readable)
            read_in(drive);
        pull(drive);
        if (drive->events.iterated && !drive->gone && !drive->ended)
            drive->events.iterated(drive->events.user);
        unsigned round = 0;
        while (write_out(drive) && ++round < ROUNDS_MAX && !drive->gone)
            pull(drive); /* channels may have room now */
        pull(drive);
        if (!drive->gone && !drive->ended)
            set_wants(drive);
        if (round == ROUNDS_MAX)
            ly_loop_defer(drive->loop, &drive->task);
    }
    if (drive->ended && !drive->told && !drive->gone) {
        drive->told = true;
        write_out(drive); /* DISCONNECT */
        ly_carrier_want_read(drive->carrier, false);
        ly_carrier_want_write(drive->carrier, false);
        ly_timer_set(drive->timer, UINT64_MAX);
        drive->events.closed(drive->events.user, &drive->error);
    }
    if (--drive->depth == 0 && drive->gone)
        release(drive);
}

static void carrier_ready(void *user, unsigned events)
{
    LyDrive *drive = user;
    if (events & (LY_WRITABLE | LY_HANGUP))
        drive->blocked = false;
    step(drive, (events & (LY_READABLE | LY_HANGUP)) != 0);
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
    if (drive->depth == 0)
        release(drive);
}

LySession *ly_drive_session(LyDrive *drive)
{
    return drive->session;
}

void ly_drive_wake(LyDrive *drive)
{
    if (!drive->gone && !drive->ended)
        ly_loop_defer(drive->loop, &drive->task);
}
