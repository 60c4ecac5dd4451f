/* SFTP server (filexfer-02 with OpenSSH's extensions), sans I/O. Requests go to a backend, a vtable of the
 * application, which answers now or later, in any order; replies go out through a sink. */
#ifndef LY_SFTP_SERVER_H
#define LY_SFTP_SERVER_H

#include "sftp/client.h" /* LySftpSink, the extensions */

typedef struct LySftpServer LySftpServer;

/* A request as the backend sees it. It stays valid until it was answered by exactly one of the
 * ly_sftp_reply_* calls (or the server is freed: `cancel` is then called for each open one). Views into the
 * packet live until the answer. */
typedef struct LySftpRequest {
    LySftpServer *server;
    void *backend; /* the backend's user pointer */
    uint32_t id;
    uint8_t type;        /* SSH_FXP_* */
    int extension;       /* LY_SFTP_EXTENSION_* for SSH_FXP_EXTENDED, -1 for one the table does not know */
    LyBytes path, path2; /* OPEN ... READLINK: path. RENAME, posix-rename: from, to. SYMLINK: path = link,
                            path2 = target. hardlink: existing, new */
    void *handle;  /* the backend's object for requests on handles, looked up and checked for its kind */
    void *handle2; /* copy-data: the handle written to */
    /* READ (len already capped), WRITE, copy-data (len 0: to the end of the file) */
    uint64_t offset, offset2, len;
    LyBytes data;    /* WRITE */
    uint32_t pflags; /* OPEN */
    LySftpAttrs attrs;
    /* SSH_FXP_EXTENDED: as received; users-groups: two strings of u32 */
    LyBytes extension_name, extension_data;
    void *job; /* for the backend's own use while it works */
} LySftpRequest;

typedef struct LySftpBackend {
    /* Serve the request: answer it now, or keep it and answer later. Extensions that the table does not know
     * come here too (not when read-only or when there is a list of allowed requests): answer
     * SSH_FX_OP_UNSUPPORTED. */
    void (*request)(LySftpRequest *request);
    /* A handle's end (CLOSE was received, or the session ended, when `request` is NULL). With a request:
     * answer it. Never called while a request on the handle is open. */
    void (*close)(void *backend, void *handle, LySftpRequest *request);
    /* The server goes away while the request is open: drop it; it must not be answered any more. NULL:
     * nothing to do. */
    void (*cancel)(LySftpRequest *request);
    void *user;
    uint32_t extensions; /* bit 1u << LY_SFTP_EXTENSION_*: what is advertised and passed on. (The server
                            answers LIMITS itself.) */
    bool answers_now; /* `request` and `close` always answer before they return: packets are then served where
                         they lie */
} LySftpBackend;

typedef struct LySftpServerOptions {
    LySftpSink sink;
    LySftpBackend backend;
    /* Whatever would change something is refused with SSH_FX_PERMISSION_DENIED before the backend. */
    bool read_only;
    bool symlink_openssh_order; /* as LySftpClientOptions */
    /* Comma-separated names as of sftp-server -p, -P ("open,read,..."); NULL: no such list. */
    const char *allowed_requests, *denied_requests;
    uint32_t max_handles; /* 0: 1024 */
    /* Requests the backend may hold; 0: 256. When reached, receive stops taking bytes. */
    uint32_t max_outstanding;
    LyLog log;
} LySftpServerOptions;

LySftpServer *ly_sftp_server_new(const LySftpServerOptions *options);
void ly_sftp_server_free(LySftpServer *server);
/* Bytes from the client. *taken tells how many were used: fewer when max_outstanding or the sink's backlog (64
 * KiB) is reached; offer the rest after a reply or a flush. False when the client broke the protocol: close
 * the channel. */
bool ly_sftp_server_receive(LySftpServer *server, LyBytes bytes, size_t *taken, LyError *error);
void ly_sftp_server_flush(LySftpServer *server);
size_t ly_sftp_server_pending_len(const LySftpServer *server);
uint32_t ly_sftp_server_outstanding(const LySftpServer *server);
/* Names of all requests that can be allowed or denied, as sftp-server -Q requests prints them, one a line. */
void ly_sftp_request_names(LyBuf *out);

/* Answers; each ends the request. `message` NULL: the standard text of the status. */
void ly_sftp_reply_status(LySftpRequest *request, uint32_t status, const char *message);
/* The status that OpenSSH's server gives for an errno. */
uint32_t ly_sftp_status_of_errno(int error);
void ly_sftp_reply_errno(LySftpRequest *request, int error);
/* Registers the backend's object as an open handle (`is_directory`: for READDIR only). At max_handles it
 * answers FAILURE and returns false: the backend closes its object. */
bool ly_sftp_reply_handle(LySftpRequest *request, void *handle, bool is_directory);
void ly_sftp_reply_data(LySftpRequest *request, LyBytes data);
void ly_sftp_reply_attrs(LySftpRequest *request, const LySftpAttrs *attrs);
/* NAME replies are built entry by entry; begin, add (false when the packet is full: keep that entry for the
 * next READDIR), end. */
void ly_sftp_reply_names_begin(LySftpRequest *request);
bool ly_sftp_reply_names_add(LySftpRequest *request, LyBytes filename, LyBytes longname,
                             const LySftpAttrs *attrs);
void ly_sftp_reply_names_end(LySftpRequest *request);
void ly_sftp_reply_extended(LySftpRequest *request, LyBytes payload);

#endif
