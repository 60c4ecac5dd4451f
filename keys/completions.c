/* Completion scripts for the shells, from the tables of options. */
#include "options.h"

#include <string.h>

bool commands_completions(const char *shell, LyBuf *out)
{
    return strcmp(shell, "bash") == 0;
}
