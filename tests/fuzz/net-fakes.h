/* In place of core/loop's connections, listeners and children, for targets whose input may name any host,
 * path or command: nothing leaves this process. (A program that defines all symbols of a file of the static
 * library does not get the library's.) The other end of each is a socket that the target plays. */
#ifndef LY_TESTS_FUZZ_NET_FAKES_H
#define LY_TESTS_FUZZ_NET_FAKES_H

#include "fuzz.h"
#include "loop/net.h"

/* Somebody connects to one of the listeners. */
void fakes_visit(unsigned which);
/* What was written to an end is read; and then, as `action` says: */
enum { FAKES_READ, FAKES_WRITE, FAKES_SHUT_DOWN, FAKES_CLOSE, FAKES_ACTIONS };
void fakes_play(unsigned which, unsigned action);
/* One of the children ends with this wait status. */
void fakes_end_child(unsigned which, int wait_status);
/* A target's run is over: nothing was left open. */
void fakes_clear(void);

#endif
