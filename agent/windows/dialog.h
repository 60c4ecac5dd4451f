/* Numbers that agent.rc and dialog.c share. */
#ifndef WINDOWS_DIALOG_H
#define WINDOWS_DIALOG_H

#define DIALOG_CONFIRM 100
#define DIALOG_ASK 101
#define DIALOG_TEXT 110
#define DIALOG_ANSWER 111

#endif
