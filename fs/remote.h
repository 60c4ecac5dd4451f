/* The mount's connection: owns the link and the SFTP client, replaces them when they die, and lets operations
 * wait for that. */
#ifndef LY_FS_REMOTE_H
#define LY_FS_REMOTE_H

#include "attributes.h"
#include "base/list.h"
#include "link.h"
#include "mount.h"
#include "sftp/client.h"

typedef enum RemoteState {
    REMOTE_DOWN,       /* no link; the next operation starts one */
    REMOTE_CONNECTING, /* a link is coming up, or SFTP is starting on it */
    REMOTE_UP,
    REMOTE_STOPPED /* the link said that trying again is useless */
} RemoteState;

/* Who waits for REMOTE_UP. `go` is called once: error 0, or ETIMEDOUT, EACCES, EIO. */
typedef struct RemoteWaiter {
    LyLink link;
    uint64_t deadline_us;
    void (*go)(struct RemoteWaiter *waiter, int error);
} RemoteWaiter;

typedef struct Remote {
    LyLoop *loop;
    const MountOptions *options;
    LinkMaker maker;
    RemoteState state;
    Link *link;
    LySftpClient *client;
    LySftpClient *dead_client; /* ended, freed at the end of the iteration: its completions may be running */
    uint32_t generation;       /* counts sessions; a handle of another generation is dead */
    int stopped_errno;
    uint64_t next_attempt_us; /* not before */
    uint64_t pause_us;        /* between attempts, doubling */
    uint64_t up_us;           /* since when */
    LyTimer *attempt_timer, *deadline_timer;
    LyTask cleanup;
    LyList waiters; /* in the order of their deadlines */
    bool told;      /* `ready` was called, or is not to be */
    bool looked;    /* at the base directory, and found it */
    Owners owners;
    LyBuf absolute_base; /* REALPATH of the base; empty when the server did not say */
    void (*ready)(void *user, const LyError *error);
    void *user;
} Remote;

/* Starts the first attempt, if that is not to wait for the first operation; `ready` as mount_new says. */
void remote_init(Remote *remote, LyLoop *loop, const MountOptions *options, const LinkMaker *maker,
                 void (*ready)(void *user, const LyError *error), void *user);
/* Waiters are told EIO. Frees the maker. */
void remote_free(Remote *remote);
/* 0: it is up. EAGAIN: wait. Otherwise what to answer at once. */
int remote_check(const Remote *remote);
/* Waits, and starts an attempt if none runs. `go` is never called from within. */
void remote_wait(Remote *remote, RemoteWaiter *waiter);
void remote_stop_waiting(RemoteWaiter *waiter);

#endif
