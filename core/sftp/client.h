/* SFTP client (filexfer-02 with OpenSSH's extensions), sans I/O: bytes from the server go in with
 * ly_sftp_client_receive, bytes for it go out through a sink, completions are called from within receive, in
 * the order of the replies. It needs no SSH: the sink may be a channel, a socket or a test. */
#ifndef LY_SFTP_CLIENT_H
#define LY_SFTP_CLIENT_H

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "sftp/attrs.h"

typedef struct LySftpClient LySftpClient;

/* Where requests go. `write` takes as many bytes of the gathered parts as it can now and returns how many;
 * the client keeps the rest and offers it again at ly_sftp_client_flush(). It must not call back into the
 * client. */
typedef struct LySftpSink {
    size_t (*write)(void *user, const LyBytes *parts, size_t count);
    void *user;
} LySftpSink;

/* The server's extensions, learnt from VERSION; bits of ly_sftp_client_extensions(). */
/* clang-format off */
#define LY_SFTP_EXTENSIONS(X)                                                                             \
    X(POSIX_RENAME, "posix-rename@openssh.com", "1") X(STATVFS, "statvfs@openssh.com", "2")               \
    X(FSTATVFS, "fstatvfs@openssh.com", "2") X(HARDLINK, "hardlink@openssh.com", "1")                     \
    X(FSYNC, "fsync@openssh.com", "1") X(LSETSTAT, "lsetstat@openssh.com", "1")                           \
    X(LIMITS, "limits@openssh.com", "1") X(EXPAND_PATH, "expand-path@openssh.com", "1")                   \
    X(COPY_DATA, "copy-data", "1") X(HOME_DIRECTORY, "home-directory", "1")                               \
    X(USERS_GROUPS, "users-groups-by-id@openssh.com", "1")
/* clang-format on */
#define LY_SFTP_EXTENSION_BIT(name, wire, version) LY_SFTP_EXTENSION_##name,
enum { LY_SFTP_EXTENSIONS(LY_SFTP_EXTENSION_BIT) LY_SFTP_EXTENSION_COUNT };
#undef LY_SFTP_EXTENSION_BIT

typedef struct LySftpLimits { /* limits@openssh.com; safe guesses where the server does not tell */
    uint64_t max_packet, max_read, max_write, max_handles; /* bytes, bytes, bytes, count (0: unknown) */
} LySftpLimits;

/* What a completion gets. Views live until it returns. */
typedef enum LySftpReplyType {
    LY_SFTP_REPLY_STATUS,
    LY_SFTP_REPLY_HANDLE,
    LY_SFTP_REPLY_DATA,
    LY_SFTP_REPLY_NAME,
    LY_SFTP_REPLY_ATTRS,
    LY_SFTP_REPLY_EXTENDED
} LySftpReplyType;
typedef struct LySftpReply {
    LySftpReplyType type;
    uint32_t status; /* SSH_FX_* for STATUS (SSH_FX_OK with other types). A session that ended answers every
                        request with SSH_FX_CONNECTION_LOST; a reply of the wrong type or shape with
                        SSH_FX_BAD_MESSAGE and the session ends */
    LyBytes message; /* STATUS: the server's text, unescaped */
    LyBytes handle;  /* HANDLE: 1..256 bytes */
    size_t data_len; /* DATA: bytes put into the request's buffer, at most what was asked */
    uint32_t name_count; /* NAME: entries left in `names`; read them with ly_sftp_reply_name */
    LyReader names;
    LySftpAttrs attrs; /* ATTRS */
    LyReader extended; /* EXTENDED_REPLY: what follows the id */
} LySftpReply;
typedef struct LySftpName {
    LyBytes filename; /* never validated here: '/', NUL, "." and ".." are the caller's to refuse */
    LyBytes longname;
    LySftpAttrs attrs;
} LySftpName;
/* The next entry of a NAME reply; false at the end. (Shape and count were checked before the completion was
 * called.) */
bool ly_sftp_reply_name(LySftpReply *reply, LySftpName *name);

/* A completion: called once for every request, with the `user` that it was given. It may submit more; it may
 * not free the client. */
typedef void (*LySftpDone)(void *user, LySftpReply *reply);

typedef struct LySftpClientOptions {
    LySftpSink sink;
    bool symlink_openssh_order; /* SYMLINK carries target, link (OpenSSH, dropbear, PuTTY, Lanyard servers);
                                   else link, target */
    uint32_t max_requests;      /* outstanding at once, 0: 4096; one more is refused */
    LyLog log;
} LySftpClientOptions;

/* Whether a server with this identification ("SSH-2.0-OpenSSH_9.2p1") takes SYMLINK's arguments in OpenSSH's
 * order. */
bool ly_sftp_symlink_openssh_order(LyBytes ident);

/* Sends INIT (version 3). `ready` is called once: reply->status SSH_FX_OK when VERSION came (and the reply to
 * limits@openssh.com, asked when offered), SSH_FX_CONNECTION_LOST or _BAD_MESSAGE otherwise. */
LySftpClient *ly_sftp_client_new(const LySftpClientOptions *options, LySftpDone ready, void *user);
/* Requests still open are completed with SSH_FX_CONNECTION_LOST. Not from within a completion. */
void ly_sftp_client_free(LySftpClient *client);

/* Bytes from the server, in any pieces; all are taken. False when the server broke the protocol (length 0 or
 * over LY_SFTP_PACKET_MAX + 1024, unknown id, text before VERSION ...): every open request is then completed
 * with SSH_FX_CONNECTION_LOST, further input is ignored, and the channel should be closed. */
bool ly_sftp_client_receive(LySftpClient *client, LyBytes bytes, LyError *error);
/* The channel has room again: offers kept bytes to the sink. */
void ly_sftp_client_flush(LySftpClient *client);
/* The channel ended: completes everything with SSH_FX_CONNECTION_LOST. */
void ly_sftp_client_closed(LySftpClient *client);

bool ly_sftp_client_has(const LySftpClient *client, unsigned extension /* LY_SFTP_EXTENSION_* */);
const LySftpLimits *ly_sftp_client_limits(const LySftpClient *client);
size_t ly_sftp_client_pending_len(const LySftpClient *client);   /* bytes that the sink has not taken yet */
bool ly_sftp_client_is_closed(const LySftpClient *client);       /* it takes no request any more */
uint32_t ly_sftp_client_outstanding(const LySftpClient *client); /* requests without a reply */

/* Requests. Each returns an id that is never 0, or 0 when it was refused because the client is closed,
 * max_requests is reached or an argument is too long (`done` is then not called). Paths and handles are
 * copied into the packet. */
typedef uint32_t LySftpId;
LySftpId ly_sftp_open(LySftpClient *client, LyBytes path, uint32_t pflags,
                      const LySftpAttrs *attrs /* NULL: none */, LySftpDone done, void *user);
LySftpId ly_sftp_close(LySftpClient *client, LyBytes handle, LySftpDone done, void *user);
/* Reads up to `len` bytes straight into `buffer`, which must live until `done`; a reply longer than `len`
 * ends the session. May come back shorter than asked: that is not the end of the file. The end is STATUS
 * SSH_FX_EOF. Several reads may share a buffer: a reply fills it and is completed before the next reply
 * begins, so whoever uses the bytes in `done` needs only one. */
LySftpId ly_sftp_read(LySftpClient *client, LyBytes handle, uint64_t offset, uint32_t len, void *buffer,
                      LySftpDone done, void *user);
/* `data` is handed to the sink at once; only what the sink does not take is copied, so it need not live
 * longer than the call. */
LySftpId ly_sftp_write(LySftpClient *client, LyBytes handle, uint64_t offset, LyBytes data, LySftpDone done,
                       void *user);
LySftpId ly_sftp_stat(LySftpClient *client, LyBytes path, LySftpDone done, void *user);
LySftpId ly_sftp_lstat(LySftpClient *client, LyBytes path, LySftpDone done, void *user);
LySftpId ly_sftp_fstat(LySftpClient *client, LyBytes handle, LySftpDone done, void *user);
LySftpId ly_sftp_setstat(LySftpClient *client, LyBytes path, const LySftpAttrs *attrs, LySftpDone done,
                         void *user);
LySftpId ly_sftp_fsetstat(LySftpClient *client, LyBytes handle, const LySftpAttrs *attrs, LySftpDone done,
                          void *user);
LySftpId ly_sftp_lsetstat(LySftpClient *client, LyBytes path, const LySftpAttrs *attrs, LySftpDone done,
                          void *user);
LySftpId ly_sftp_opendir(LySftpClient *client, LyBytes path, LySftpDone done, void *user);
LySftpId ly_sftp_readdir(LySftpClient *client, LyBytes handle, LySftpDone done, void *user);
LySftpId ly_sftp_remove(LySftpClient *client, LyBytes path, LySftpDone done, void *user);
LySftpId ly_sftp_mkdir(LySftpClient *client, LyBytes path, const LySftpAttrs *attrs, LySftpDone done,
                       void *user);
LySftpId ly_sftp_rmdir(LySftpClient *client, LyBytes path, LySftpDone done, void *user);
LySftpId ly_sftp_realpath(LySftpClient *client, LyBytes path, LySftpDone done, void *user);
LySftpId ly_sftp_rename(LySftpClient *client, LyBytes from, LyBytes to, LySftpDone done, void *user);
LySftpId ly_sftp_posix_rename(LySftpClient *client, LyBytes from, LyBytes to, LySftpDone done, void *user);
LySftpId ly_sftp_readlink(LySftpClient *client, LyBytes path, LySftpDone done, void *user);
LySftpId ly_sftp_symlink(LySftpClient *client, LyBytes link, LyBytes target, LySftpDone done, void *user);
LySftpId ly_sftp_hardlink(LySftpClient *client, LyBytes existing, LyBytes link, LySftpDone done, void *user);
LySftpId ly_sftp_statvfs(LySftpClient *client, LyBytes path, LySftpDone done, void *user);
LySftpId ly_sftp_fstatvfs(LySftpClient *client, LyBytes handle, LySftpDone done, void *user);
LySftpId ly_sftp_fsync(LySftpClient *client, LyBytes handle, LySftpDone done, void *user);
LySftpId ly_sftp_expand_path(LySftpClient *client, LyBytes path, LySftpDone done, void *user);
LySftpId ly_sftp_copy_data(LySftpClient *client, LyBytes from, uint64_t from_offset, uint64_t len, LyBytes to,
                           uint64_t to_offset, LySftpDone done, void *user);
LySftpId ly_sftp_home_directory(LySftpClient *client, LyBytes user_name, LySftpDone done, void *user);
/* Both lists at once; the reply's `extended` holds string{names of the uids}, string{names of the gids}. */
LySftpId ly_sftp_users_groups(LySftpClient *client, const uint32_t *uids, size_t uid_count,
                              const uint32_t *gids, size_t gid_count, LySftpDone done, void *user);
/* Any other extension: `payload` follows the name as it is. */
LySftpId ly_sftp_extended(LySftpClient *client, LyBytes name, LyBytes payload, LySftpDone done, void *user);

/* Forgets who asked: the reply will be dropped when it comes (a READ's buffer is not written from now on; the
 * bytes are discarded; a handle that it brings is closed). `done` is not called. */
void ly_sftp_cancel(LySftpClient *client, LySftpId id);

#endif
