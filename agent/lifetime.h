/* Times as people write them. */
#ifndef AGENT_LIFETIME_H
#define AGENT_LIFETIME_H

#include <stdbool.h>
#include <stdint.h>

/* "90", "15m", "1h30m", "2d", "1w" in microseconds, as ssh-agent -t and ssh-add -t take it. False: it is
 * none, or over a hundred years. */
bool lifetime_read(const char *text, uint64_t *lifetime_us);

#endif
