/* An SFTP client on a channel of an LyClient. */
#ifndef LY_LOOP_SFTP_H
#define LY_LOOP_SFTP_H

#include "loop/program.h"
#include "sftp/client.h"

typedef struct LySftp LySftp;

typedef struct LySftpOptions { /* copied */
    const char *server;        /* a subsystem's name, or with '/' a command; NULL: "sftp" */
    const LyBytes *env;        /* as LyProgramOptions */
    size_t env_count;
    uint32_t max_requests;       /* as LySftpClientOptions */
    uint32_t window, max_window; /* 0: 2 MiB and 64 MiB */
} LySftpOptions;

typedef struct LySftpEvents {
    void (*ready)(void *user); /* VERSION came: ly_sftp_client() takes requests */
    /* The end, once; open requests were completed with SSH_FX_CONNECTION_LOST before. May free the object.
     * The sentence has what the server wrote to stderr. */
    void (*closed)(void *user, const LyError *error);
    void *user;
} LySftpEvents;

/* Once the client is ready; errors as ly_program_new. `options` may be NULL. */
LySftp *ly_sftp_new(LyClient *client, const LySftpOptions *options, const LySftpEvents *events,
                    LyError *error);
LySftpClient *ly_sftp_client(LySftp *sftp); /* NULL before the channel is open */
void ly_sftp_free(LySftp *sftp);            /* not from within a completion of the client; NULL is fine */

#endif
