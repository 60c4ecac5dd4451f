/* Who is on the other end of a connection: peer.c for Linux, windows/peer.c. */
#ifndef AGENT_PEER_H
#define AGENT_PEER_H

#include "agent/agent.h"

/* Of a Unix socket, by SO_PEERCRED: as they were when the peer connected. */
bool peer_credentials(int fd, int64_t *pid, int64_t *uid);
/* The path of the process's executable, or the name that the kernel shows of it where the path may not be
 * read; NULL: it is gone. ly_free. */
char *peer_program(int64_t pid);
/* The chain of its parents for people, "ssh < git < zsh": at most five names, up to the session's manager.
 * NULL: it is gone. ly_free. */
char *peer_chain(int64_t pid);

/* The peer runs the same program as this process, be it that it was replaced on the disk meanwhile; false where
 * that is not known, or only claimed. */
bool peer_is_self(const LyAgentPeer *peer);

#endif
