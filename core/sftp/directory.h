/* The backend that serves a real directory tree. Confined to a root that no "..", symlink or absolute path
 * leaves (openat2 with RESOLVE_IN_ROOT-like rules on O_PATH descriptors, not checks on strings), or the whole
 * file system as sftp-server does. */
#ifndef LY_SFTP_DIRECTORY_H
#define LY_SFTP_DIRECTORY_H

#include "sftp/server.h"

typedef struct LySftpDirectory LySftpDirectory;

typedef struct LySftpDirectoryOptions {
    const char *root;  /* its "/" when confined; NULL: not confined */
    const char *start; /* where relative paths begin (sftp-server -d); NULL: "/" when confined, else the
                          current directory */
    bool read_only;
    int umask; /* taken off the modes of new files besides the process's own umask; -1: nothing more */
    LyLog log;
} LySftpDirectoryOptions;

/* NULL when the root or the start cannot be opened. Fill `backend` for LySftpServerOptions; one object serves
 * one server. */
LySftpDirectory *ly_sftp_directory_new(const LySftpDirectoryOptions *options, LySftpBackend *backend,
                                       LyError *error);
/* After the server was freed. */
void ly_sftp_directory_free(LySftpDirectory *directory);

#endif
