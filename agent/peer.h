/* Who is on the other end of a Unix socket. */
#ifndef AGENT_PEER_H
#define AGENT_PEER_H

#include <stdbool.h>
#include <sys/types.h>

/* By SO_PEERCRED: as they were when the peer connected. */
bool peer_credentials(int fd, pid_t *pid, uid_t *uid);
/* The path of the process's executable, or the name that the kernel shows of it where the path may not be
 * read; NULL: it is gone. ly_free. */
char *peer_program(pid_t pid);
/* The chain of its parents for people, "ssh < git < zsh": at most five names, up to the session's manager.
 * NULL: it is gone. ly_free. */
char *peer_chain(pid_t pid);

#endif
