/* Files on a server, one step after the other: sign-in as ssh does it, then our SFTP client. */
#ifndef KEYS_REMOTE_H
#define KEYS_REMOTE_H

#include "loop/client.h"
#include "loop/prompt.h"
#include "loop/sftp.h"
#include "sftp/client.h"
#include "tool.h"

typedef struct Remote Remote;

/* Connects and signs in, asking on the terminal where needed, and starts SFTP. NULL with *error. */
Remote *remote_open(Tool *tool, LyDestination *destination, LyError *error);
void remote_close(Remote *remote); /* NULL is fine */

/* What is at the path, links followed. A file that is not there is no error: *exists tells. */
bool remote_stat(Remote *remote, const char *path, bool *exists, LySftpAttrs *attrs, LyError *error);
/* The path without links, ly_alloc'ed. */
char *remote_real_path(Remote *remote, const char *path, LyError *error);
/* Appends a whole file of at most `limit` bytes. */
bool remote_read(Remote *remote, const char *path, size_t limit, LyBuf *text, LyError *error);
bool remote_make_folder(Remote *remote, const char *path, uint32_t mode, LyError *error);
/* Replaces the file, or makes it with `mode`: a new file beside it, then a renaming that no moment is without
 * (posix-rename@openssh.com), or by way of PATH.old where the server has only SFTP's own. Permissions and
 * owner of `old` (NULL: there is none) are kept, or nothing is done. */
bool remote_replace(Remote *remote, const char *path, const LySftpAttrs *old, uint32_t mode, LyBytes text,
                    LyError *error);

#endif
