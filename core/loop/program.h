/* A program on the server: a command, a shell or a subsystem on a session channel of its own (RFC 4254
 * section 6), from OPEN to CLOSE. */
#ifndef LY_LOOP_PROGRAM_H
#define LY_LOOP_PROGRAM_H

#include "connection/session-channel.h"
#include "loop/client.h"

typedef struct LyProgram LyProgram;

typedef enum LyProgramKind { LY_PROGRAM_COMMAND, LY_PROGRAM_SHELL, LY_PROGRAM_SUBSYSTEM } LyProgramKind;

typedef struct LyProgramOptions { /* copied */
    LyProgramKind kind;
    LyBytes command;             /* COMMAND: the command's bytes; SUBSYSTEM: its name */
    const LyBytes *env;          /* name, value, name, value ... */
    size_t env_count;            /* pairs */
    const LyPtyRequest *pty;     /* NULL: none */
    const LyX11Request *x11;     /* NULL: none; the channels come to an acceptor (loop/x11.h) */
    bool agent;                  /* the client's agent is forwarded, if there is one */
    uint32_t window, max_window; /* as LyChannelOptions */
} LyProgramOptions;

/* How it ended. */
typedef struct LyProgramEnd {
    bool exited; /* exit-status came: */
    uint32_t status;
    bool signalled; /* exit-signal came: */
    LyBytes signal; /* "TERM" */
    bool core_dumped;
    LyBytes message;
} LyProgramEnd;

typedef struct LyProgramEvents { /* any may be NULL */
    /* The server started it. pty, x11 and agent that the server refused are told in the client's log; the
     * program runs without. */
    void (*started)(void *user);
    /* Output; give it back to the window with ly_program_consumed, now or later. NULL: dropped. */
    void (*data)(void *user, LyBytes data);
    void (*stderr_data)(void *user, LyBytes data);
    void (*eof)(void *user);
    /* Room to write again, after ly_program_write took less than was offered. */
    void (*writable)(void *user);
    /* The end, once; the program may be freed from here. `error`: NULL when the channel was closed in order
     * (`end` says how the program ended, if the server told); else why it could not be started ("the server
     * refused to open a session: open failed; it has 10 of this connection already, and servers limit that
     * (sshd: MaxSessions)", "the server refused the subsystem \"netconf\"") or that the connection ended.
     * Views in `end` live until the program is freed. */
    void (*closed)(void *user, const LyProgramEnd *end, const LyError *error);
    void *user;
} LyProgramEvents;

/* Once the client is ready. NULL with *error: the client has no connection, or too many channels are open. No
 * event comes from within this call. */
LyProgram *ly_program_new(LyClient *client, const LyProgramOptions *options, const LyProgramEvents *events,
                          LyError *error);
/* Closes the channel; no event comes afterwards. NULL is fine; fine inside events, and after the client
 * ended. */
void ly_program_free(LyProgram *program);
/* Takes as much of the gathered parts as the window has room for; returns how many bytes: none before
 * `started`, and `writable` comes then. */
size_t ly_program_write(LyProgram *program, const LyBytes *parts, size_t count);
void ly_program_eof(LyProgram *program); /* no more input: its output goes on. Also before `started` */
void ly_program_consumed(LyProgram *program, size_t len);
void ly_program_signal(LyProgram *program, const char *name); /* "TERM" */
void ly_program_break(LyProgram *program, uint32_t length_ms);
void ly_program_resize(LyProgram *program, uint32_t columns, uint32_t rows, uint32_t width, uint32_t height);
LyChannel *ly_program_channel(LyProgram *program); /* NULL once it is closed */

#endif
