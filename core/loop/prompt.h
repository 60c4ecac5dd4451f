/* Asking a person: on the terminal (/dev/tty, echo off for secrets), or by SSH_ASKPASS as ssh(1) does
 * (SSH_ASKPASS_REQUIRE never, prefer, force; otherwise when there is no terminal and DISPLAY or
 * WAYLAND_DISPLAY is set). For programs; nothing else in core asks. */
#ifndef LY_LOOP_PROMPT_H
#define LY_LOOP_PROMPT_H

#include "loop/net.h"

typedef struct LyPrompter LyPrompter;

/* `use_terminal` false: askpass only (a program in the background). */
LyPrompter *ly_prompter_new(LyLoop *loop, bool use_terminal);
void ly_prompter_free(LyPrompter *prompter);
/* The program goes to the background: from now on only SSH_ASKPASS. */
void ly_prompter_leave_terminal(LyPrompter *prompter);
/* One question at a time. `done` gets the answer in secret memory (NUL-terminated, cleansed after done
 * returns), or NULL: nobody could be asked, end of file, or cancelled. `echo` for answers that may be seen;
 * `confirm`: a yes/no question (SSH_ASKPASS_PROMPT=confirm). */
void ly_prompter_ask(LyPrompter *prompter, const char *text, bool echo, bool confirm,
                     void (*done)(void *user, const char *answer), void *user);
/* Whoever asked is gone: `done` is not called any more, the dialog or the terminal's question ends. Nothing
 * when no question of `user` is open. */
void ly_prompter_cancel(LyPrompter *prompter, void *user);
/* Shows a line on the terminal (banners); nothing without one. */
void ly_prompter_show(LyPrompter *prompter, const char *text);

#endif
