/* RFC 4254 section 6: what is asked on a session channel, both sides: what the client sends and how the
 * server reads it. (How exec, shell, subsystem, env, window-change, exit-status and exit-signal are sent is
 * in connection.h; the last two come as events of their own.) The get functions give views into `data`;
 * false: malformed, and the outputs are untouched. */
#ifndef LY_CONNECTION_SESSION_CHANNEL_H
#define LY_CONNECTION_SESSION_CHANNEL_H

#include "connection/connection.h"
#include "connection/terminal.h"

/* 6.2 "pty-req" */
typedef struct LyPtyRequest {
    LyBytes term;                          /* "xterm-256color" */
    uint32_t columns, rows, width, height; /* width and height in pixels, 0: unknown */
    LyBytes modes;                         /* encoded (terminal.h); TTY_OP_END is added where it is missing */
} LyPtyRequest;
void ly_put_pty_request(LyBuf *data, const LyPtyRequest *pty);
bool ly_get_pty_request(LyBytes data, LyPtyRequest *pty);
void ly_channel_pty(LyChannel *channel, const LyPtyRequest *pty, bool want_reply, uint32_t tag);

/* 6.7 "window-change", as ly_channel_window_change sends it: the four numbers; the rest of *pty stays. */
bool ly_get_window_change(LyBytes data, LyPtyRequest *pty);

/* 6.3.1 "x11-req" */
typedef struct LyX11Request {
    bool single;      /* one connection only */
    LyBytes protocol; /* "MIT-MAGIC-COOKIE-1" */
    LyBytes cookie;   /* in hexadecimal digits */
    uint32_t screen;
} LyX11Request;
void ly_put_x11_request(LyBuf *data, const LyX11Request *x11);
bool ly_get_x11_request(LyBytes data, LyX11Request *x11);
void ly_channel_x11(LyChannel *channel, const LyX11Request *x11, bool want_reply, uint32_t tag);

/* 6.4 "env"; 6.5 "exec" and "subsystem" ("shell" has no data) */
bool ly_get_env(LyBytes data, LyBytes *name, LyBytes *value);
bool ly_get_exec(LyBytes data, LyBytes *command);
bool ly_get_subsystem(LyBytes data, LyBytes *name);
/* 6.9 "signal": the name without SIG ("TERM"); RFC 4335 "break": milliseconds, 0: the server's choice. */
void ly_channel_signal(LyChannel *channel, LyBytes name);
bool ly_get_signal(LyBytes data, LyBytes *name);
void ly_channel_break(LyChannel *channel, uint32_t length_ms, bool want_reply, uint32_t tag);
bool ly_get_break(LyBytes data, uint32_t *length_ms);
/* "auth-agent-req@openssh.com" */
void ly_channel_auth_agent(LyChannel *channel, bool want_reply, uint32_t tag);

#endif
