/* A carrier is what an SSH connection runs over: a socket, the pipes of a child (ProxyCommand), or a channel
 * of another session (ProxyJump). A vtable: whoever holds a LyCarrier owns what is beneath. */
#ifndef LY_LOOP_CARRIER_H
#define LY_LOOP_CARRIER_H

#include "loop/net.h"

typedef struct LyCarrier LyCarrier;
typedef struct LyCarrierClass {
    /* Reads into `data`: bytes read; 0: the peer closed; -EAGAIN: nothing there now; -errno. */
    ssize_t (*read)(LyCarrier *carrier, void *data, size_t len);
    /* Writes: bytes taken, -EAGAIN, -errno. */
    ssize_t (*write)(LyCarrier *carrier, const void *data, size_t len);
    /* What `ready` is to be told: LY_READABLE always, LY_WRITABLE when wanted. */
    void (*want_write)(LyCarrier *carrier, bool want);
    void (*want_read)(LyCarrier *carrier, bool want);
    /* No more will be written; reading goes on. NULL: only its end can be told. */
    void (*shutdown)(LyCarrier *carrier);
    void (*free)(LyCarrier *carrier);
    /* TCP_NODELAY. NULL: no TCP socket is beneath. */
    void (*set_no_delay)(LyCarrier *carrier, bool on);
} LyCarrierClass;
struct LyCarrier {
    const LyCarrierClass *class;
    LyWatchFunc ready; /* set by ly_carrier_start */
    void *user;
};

/* Tells the carrier whom to call when it can be read or written, and asks for reading. LY_HANGUP comes with
 * LY_READABLE or LY_WRITABLE as far as these are wanted; `ready` may free the carrier. */
void ly_carrier_start(LyCarrier *carrier, LyWatchFunc ready, void *user);
ssize_t ly_carrier_read(LyCarrier *carrier, void *data, size_t len);
ssize_t ly_carrier_write(LyCarrier *carrier, const void *data, size_t len);
/* Asks to be told (level-triggered) when there is something to read or room to write. */
void ly_carrier_want_read(LyCarrier *carrier, bool want);
void ly_carrier_want_write(LyCarrier *carrier, bool want);
/* No more will be written: the other end sees the end of what was. Reading goes on. */
void ly_carrier_shutdown(LyCarrier *carrier);
/* TCP_NODELAY; without effect where no TCP socket is beneath. */
void ly_carrier_set_no_delay(LyCarrier *carrier, bool on);
void ly_carrier_free(LyCarrier *carrier); /* NULL is fine */

/* Over a non-blocking socket (closed with the carrier), or over two descriptors (in may equal out). `child`
 * may be NULL; it is killed with SIGHUP and forgotten with the carrier. Writing to a pipe without reader
 * raises SIGPIPE, which programs that use pipes ignore; sockets (LY_CHILD_SOCKET too) never raise it. */
LyCarrier *ly_carrier_new_fds(LyLoop *loop, int in, int out, LyChild *child);

#endif
