/* Recursive work on the server, many requests in flight: directories made with their parents, trees listed,
 * removed and copied. Symbolic links are never followed. */
#ifndef LY_SFTP_TREE_H
#define LY_SFTP_TREE_H

#include "sftp/file.h"

/* Every entry of a tree as it is found; `path` is that of the root with the names appended; `depth` 0 is the
 * root. False: do not go into this directory. */
typedef bool (*LySftpTreeFound)(void *user, LyBytes path, unsigned depth, const LySftpAttrs *attrs);

typedef struct LySftpTree LySftpTree; /* one such work under way */

/* All return NULL when the client is closed or a path is too long; `done` is called once. Names with '/' or
 * NUL, "." and ".." in a server's listing are passed over. A directory deeper than 256 is an error, and so
 * are listings of over 64 MiB held at once. To be cancelled before ly_sftp_client_free, or after `done`. */
LySftpTree *ly_sftp_walk(LySftpClient *client, LyBytes root, LySftpTreeFound found, LySftpFileDone done,
                         void *user);
/* As mkdir -p: `mode` for what is made; a directory that exists is fine. */
LySftpTree *ly_sftp_mkdir_parents(LySftpClient *client, LyBytes path, uint32_t mode, LySftpFileDone done,
                                  void *user);
/* As rm -r; a root that does not exist is an error. Each directory is listed as a whole before anything in it
 * is removed, and is looked at with LSTAT first: a server's listing may show a link as what it points to. */
LySftpTree *ly_sftp_remove_tree(LySftpClient *client, LyBytes root, LySftpFileDone done, void *user);
/* As cp -a on the server: with copy-data where it is advertised, through this client otherwise. Permissions
 * and times go with, owners do not; devices, sockets and named pipes are left out. `to` must not exist, and
 * must not lie inside of `from`. */
LySftpTree *ly_sftp_copy_tree(LySftpClient *client, LyBytes from, LyBytes to, LySftpFileDone done,
                              void *user);
/* Stops; `done` is not called. NULL is fine; fine inside callbacks. */
void ly_sftp_tree_cancel(LySftpTree *tree);

#endif
