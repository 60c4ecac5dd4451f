/* Inside `lanyard-agent add`. */
#ifndef AGENT_ADD_H
#define AGENT_ADD_H

#include "options.h"

/* Appends the constraint restrict-destination-v00@openssh.com for specifications as ssh-add -h takes them
 * ("user@host", "host1>user@host2"), with the host keys of these known_hosts files, or, when there are none,
 * of the person's and the system's. Fails with a message. */
Status destinations_put(Tool *tool, const StringList *destinations, const StringList *known_hosts,
                        LyBuf *out);

#endif
