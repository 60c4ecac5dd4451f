/* How much memory a process takes that runs for weeks and mostly waits. */
#ifndef AGENT_FOOTPRINT_H
#define AGENT_FOOTPRINT_H

/* Gives back what only the start needed: free heap, and pages of programs and libraries that are as in their
 * files; those that are used again come back by themselves. A debugger's breakpoints go with them. */
void footprint_shrink(void);

#endif
