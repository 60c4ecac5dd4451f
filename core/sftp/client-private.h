/* What the client's files share. */
#ifndef LY_SFTP_CLIENT_PRIVATE_H
#define LY_SFTP_CLIENT_PRIVATE_H

#include "base/slots.h"
#include "sftp/client.h"
#include "sftp/outbox.h"

/* Replies that a request may get besides a STATUS that says no. */
enum {
    LY_SFTP_ACCEPT_OK = 1, /* STATUS SSH_FX_OK */
    LY_SFTP_ACCEPT_HANDLE = 2,
    LY_SFTP_ACCEPT_DATA = 4,
    LY_SFTP_ACCEPT_NAME = 8,      /* any number of entries */
    LY_SFTP_ACCEPT_ONE_NAME = 16, /* exactly one entry */
    LY_SFTP_ACCEPT_ATTRS = 32,
    LY_SFTP_ACCEPT_EXTENDED = 64
};

typedef struct LySftpClientRequest {
    LySftpDone done; /* NULL once cancelled */
    void *user;
    uint32_t slot;
    uint32_t len; /* READ: bytes that fit into `buffer` */
    uint8_t *buffer;
    uint8_t type;
    uint8_t accept; /* LY_SFTP_ACCEPT_* */
    struct LySftpClientRequest *next_unused;
} LySftpClientRequest;

struct LySftpClient {
    LySftpClientOptions options;
    LySftpDone ready; /* NULL once called */
    void *ready_user;
    LySlots slots;
    LySftpClientRequest *unused; /* kept, so that the hot path does not allocate */
    LySftpClientRequest *building;
    LyBuf packet; /* the request being built */
    LySftpOutbox outbox;
    LySftpLimits limits;
    uint32_t extensions; /* bits 1u << LY_SFTP_EXTENSION_* */
    bool versioned, closed;
    LyError error; /* the first one, when the server broke the protocol */

    /* The reader: a head of 5 bytes (length, type), or of 13 for DATA (also id and data's length), then the
     * body. */
    uint8_t head[13];
    size_t head_len;
    size_t left;                  /* bytes of the body still to come */
    LySftpClientRequest *reading; /* DATA: whose buffer is filled */
    size_t data_len;              /* DATA: bytes copied so far */
    LyBuf body;                   /* any other reply that came in pieces */
};

/* Asks limits@openssh.com. */
LySftpId ly_sftp_ask_limits(LySftpClient *client, LySftpDone done, void *user);
/* Gives the slot back and keeps the memory for the next request. */
void ly_sftp_request_release(LySftpClient *client, LySftpClientRequest *request);

#endif
