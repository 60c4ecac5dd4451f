/* The agent as a process: into the background or not, signals, the lines that it prints, its end. */
#ifndef AGENT_RUN_H
#define AGENT_RUN_H

#include "settings.h"

/* ssh-agent -k: ends the agent that SSH_AGENT_PID names. Returns the exit status. */
int run_kill(const Settings *settings);
/* Starts the agent. `command`: a program with its arguments to be run by it, ends with NULL, may be empty. In
 * the process that started it, this prints the lines for the shell or becomes the command. Returns the exit
 * status. */
int run_serve(Settings *settings, const char *name, char **command);

#endif
