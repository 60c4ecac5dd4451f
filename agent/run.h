/* The agent as a process: into the background or not, signals, the lines that it prints, its end. run.c for
 * POSIX, windows/run.c. */
#ifndef AGENT_RUN_H
#define AGENT_RUN_H

#include "settings.h"

/* Before anything else. Returns the name under which the program was called; "ssh-agent" has no subcommands. */
const char *run_begin(const char *path);
/* Starts the agent, or ends the one that SSH_AGENT_PID names (-k). `command`: a program with its arguments to
 * be run by it, ends with NULL, may be empty. In the process that started it, this prints the lines for the
 * shell or becomes the command. Returns the exit status. */
int run_serve(Settings *settings, const char *name, char **command);

#endif
