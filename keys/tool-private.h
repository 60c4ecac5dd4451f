/* What tool.c needs of the system. asking.c has it for POSIX, agent/windows/asking.c for Windows. */
#ifndef KEYS_TOOL_PRIVATE_H
#define KEYS_TOOL_PRIVATE_H

#include "tool.h"

/* No core dumps; a full disk and a closed pipe are errors and not signals. */
void tool_prepare_process(void);
/* Asks a person; the answer is in secret memory. NULL: nobody can be asked, or gave up. */
char *tool_question(Tool *tool, const char *prompt, bool echo, bool confirm);
/* Releases what tool_question and tool_loop made. */
void tool_stop_asking(Tool *tool);

#endif
