/* The desktop: notifications, and the session's lock and sleep. A program of its own speaks D-Bus
 * (lanyard-agent-desktop), so that the agent loads nothing for it; it is started only when it is asked for.
 * Between them go lines: NOTIFY TEXT one way; lock, unlock, sleep, wake the other. */
#ifndef AGENT_DESKTOP_H
#define AGENT_DESKTOP_H

#include "loop/loop.h"

typedef struct Desktop Desktop;

typedef enum DesktopEvent {
    DESKTOP_LOCK,   /* the session was locked */
    DESKTOP_UNLOCK, /* unlocked; or awake again where it was not locked */
    DESKTOP_SLEEP,  /* the machine is about to sleep */
} DesktopEvent;

typedef struct DesktopOptions {
    bool notify, lock_with_screen, lock_on_suspend;
    const LyLog *log;
    void (*said)(void *user, DesktopEvent event);
    void *user;
} DesktopOptions;

/* LY_ERROR_UNSUPPORTED: the helper is not installed; LY_ERROR_IO: it cannot be started. When it ends later,
 * the log says so; where it was to lock, everything is locked once more, because nobody would tell. */
Desktop *desktop_new(LyLoop *loop, const DesktopOptions *options, LyError *error);
void desktop_free(Desktop *desktop);
/* Shows a notification; dropped while too many wait. */
void desktop_notify(Desktop *desktop, const char *text);

#endif
