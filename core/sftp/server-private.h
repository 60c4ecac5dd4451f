/* What the server's files share. */
#ifndef LY_SFTP_SERVER_PRIVATE_H
#define LY_SFTP_SERVER_PRIVATE_H

#include "base/list.h"
#include "base/slots.h"
#include "sftp/outbox.h"
#include "sftp/server.h"

#define LY_SFTP_TRANSFER_MAX                                                                                 \
    261120u /* the most data of a READ or WRITE, as OpenSSH's limits@openssh.com tells */

struct LySftpServerJob;

typedef struct LySftpServerHandle {
    void *object;
    uint32_t slot;
    uint32_t busy; /* open requests on it */
    bool is_directory;
    struct LySftpServerJob *closing; /* the CLOSE that waits until it is no longer busy */
} LySftpServerHandle;

typedef struct LySftpServerJob { /* a request and what the server keeps with it */
    LySftpRequest request;
    LyLink link;  /* in server->open or server->unused */
    LyBuf packet; /* the packet, unless it is served in place */
    LyBuf reply;
    size_t names_mark;
    uint32_t name_count;
    LySftpServerHandle *handles[2]; /* that it keeps from being closed */
} LySftpServerJob;

struct LySftpServer {
    LySftpServerOptions options;
    LySftpOutbox outbox;
    LySlots handles;
    LyList open, unused; /* of LySftpServerJob */
    uint32_t outstanding, unused_count;
    uint64_t denied; /* bit per row of the table of requests */
    bool init_received, failed;
    LyError error;
    uint8_t head[4];
    size_t head_len, left;    /* the packet's length; bytes of it still to come */
    LySftpServerJob *reading; /* whose packet is assembled */
};

/* Whether a request changes the tree. OPEN does when it could create or write. */
bool ly_sftp_request_changes(const LySftpRequest *request);
/* The request was answered. */
void ly_sftp_job_end(LySftpServerJob *job);

#endif
