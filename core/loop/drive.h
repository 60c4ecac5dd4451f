/* Moves bytes and time between a session and its carrier, in either role, and hands the session's events on.
 * This is all that an application has to do for the sans-I/O contract, written once. */
#ifndef LY_LOOP_DRIVE_H
#define LY_LOOP_DRIVE_H

#include "loop/carrier.h"
#include "session/session.h"

typedef struct LyDrive LyDrive;

typedef struct LyDriveEvents {
    /* Each event but LY_SESSION_CLOSED. Its views live until this returns. */
    void (*event)(void *user, const LySessionEvent *event);
    /* A batch of events was handed on, and what they queued is about to be written: a good moment to submit
     * what was gathered. NULL: nothing to do. */
    void (*iterated)(void *user);
    /* The end, once: LY_OK in error->code for an orderly one. What could be written was. */
    void (*closed)(void *user, const LyError *error);
    void *user;
} LyDriveEvents;

/* Owns session and carrier from now on and starts in the loop's next round; no callback runs from within this
 * call. */
LyDrive *ly_drive_new(LyLoop *loop, LySession *session, LyCarrier *carrier, const LyDriveEvents *events);
/* Writes what it can at once without waiting, then frees the session and the carrier. No callback comes any
 * more. Allowed within callbacks: the freeing then waits until they returned. NULL is fine. */
void ly_drive_free(LyDrive *drive);
LySession *ly_drive_session(LyDrive *drive);
LyCarrier *ly_drive_carrier(LyDrive *drive);
/* To be said after the session was used outside of the callbacks (a question answered, data sent, a window
 * opened by ly_channel_consumed): at the end of this iteration of the loop events are pulled and the output
 * is written. Cheap, may be said often; within callbacks it is not needed. */
void ly_drive_wake(LyDrive *drive);

/* What both roles log of a transport: the peer's ident, what a key exchange agreed on, the peer's
 * debug texts. `name`: how the peer is called in messages. */
void ly_drive_log(LyDrive *drive, const LyLog *log, const char *name, const LyTransportEvent *event);

#endif
