/* A link is a way to an SFTP server, whatever carries it: a channel of an SSH session, a TCP port
 * (directport), a child's pipes (ssh_command), our own stdin and stdout (passive). It moves bytes and says
 * when it is up and when it ended. */
#ifndef LY_FS_LINK_H
#define LY_FS_LINK_H

#include "loop/net.h"

typedef struct Link Link;

/* Events come from the loop, never from within make or link_write; link_free may be called from within any of
 * them. */
typedef struct LinkEvents {
    void (*up)(void *user);                  /* bytes may flow from now on */
    void (*data)(void *user, LyBytes bytes); /* used up when it returns */
    void (*writable)(void *user);            /* after link_write took less than it was given */
    void (*iterated)(void *user);            /* one batch of input was delivered */
    void (*down)(void *user, const LyError *error,
                 bool final); /* ended, once; final: trying again is useless or harmful (sign-in
                               refused, host key changed). The link may be freed from here */
    void *user;
} LinkEvents;

typedef struct LinkClass {
    size_t (*write)(Link *link, const LyBytes *parts, size_t count);
    bool (*symlink_openssh_order)(const Link *link); /* known once it is up */
    void (*free)(Link *link);
} LinkClass;

struct Link {
    const LinkClass *class;
    LinkEvents events;
};

/* Takes what fits now; the rest is the caller's, who is told by `writable`. */
static inline size_t link_write(Link *link, const LyBytes *parts, size_t count)
{
    return link->class->write(link, parts, count);
}
static inline bool link_symlink_openssh_order(const Link *link)
{
    return link->class->symlink_openssh_order(link);
}
/* No event comes afterwards. NULL is fine. */
static inline void link_free(Link *link)
{
    if (link)
        link->class->free(link);
}

/* Makes a link that begins to come up; kept by the mount and called again for each reconnection. */
typedef struct LinkMaker {
    Link *(*make)(void *user, LyLoop *loop, const LinkEvents *events);
    void (*free)(void *user);
    void *user;
} LinkMaker;

/* The plain ones. argv and host are copied. */
LinkMaker link_maker_command(const char *const *argv);
LinkMaker link_maker_tcp(const char *host, uint16_t port, uint64_t timeout_us);
LinkMaker link_maker_stdio(void); /* can be made once: a second make goes down, final */

#endif
