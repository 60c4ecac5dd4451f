/* LyGSftp: an SFTP session on a connection of LyGClient. Paths are the server's, bytes without NUL; relative
 * ones begin at its idea of a home.
 *
 * Errors of all functions here: what the server answered as G_IO_ERROR (NOT_FOUND, PERMISSION_DENIED,
 * NOT_SUPPORTED, FAILED for the many things SSH_FX_FAILURE means) with the sentence "cannot open /x: ...";
 * LY_GERROR with LY_ERROR_DISCONNECT when the session is over; G_IO_ERROR_CANCELLED. A cancelled request was
 * sent maybe, and the server may carry it out; a cancelled copy leaves what was written.
 *
 * Signal "closed" (GError *, borrowed): the session ended other than by its last reference. */
#ifndef LY_GLIB_SFTP_H
#define LY_GLIB_SFTP_H

#include "glib/client.h"
#include "loop/sftp.h"
#include "loop/transfer.h"
#include "sftp/tree.h"

/* A GObject. */
#define LY_TYPE_GSFTP (ly_gsftp_get_type())
GType ly_gsftp_get_type(void);
typedef struct _LyGSftp LyGSftp;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LyGSftp, g_object_unref)

/* `options` (NULL: the subsystem "sftp") as ly_sftp_new; errors as those of ly_gclient_run_async. */
void ly_gsftp_open_async(LyGClient *client, const LySftpOptions *options, GCancellable *cancellable,
                         GAsyncReadyCallback callback, gpointer user_data);
LyGSftp *ly_gsftp_open_finish(LyGClient *client, GAsyncResult *result, GError **error);
/* Borrowed, for what has no function here (handles, extensions); NULL once the session is over. */
LySftpClient *ly_gsftp_get_client(LyGSftp *sftp);

/* --- Requests. Views and structs are copied. --- */
/* Of every function here that gives no more than that it succeeded. */
gboolean ly_gsftp_finish(LyGSftp *sftp, GAsyncResult *result, GError **error);
/* `mode`: permissions, G_MAXUINT32: the server's choice. */
void ly_gsftp_mkdir_async(LyGSftp *sftp, const char *path, guint32 mode, GCancellable *cancellable,
                          GAsyncReadyCallback callback, gpointer user_data);
void ly_gsftp_rmdir_async(LyGSftp *sftp, const char *path, GCancellable *cancellable,
                          GAsyncReadyCallback callback, gpointer user_data);
void ly_gsftp_remove_async(LyGSftp *sftp, const char *path, GCancellable *cancellable,
                           GAsyncReadyCallback callback, gpointer user_data);
/* `replace`: as rename(2), where the server has posix-rename@openssh.com (NOT_SUPPORTED else); FALSE: an
 * existing `to` is an error. */
void ly_gsftp_rename_async(LyGSftp *sftp, const char *from, const char *to, gboolean replace,
                           GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
void ly_gsftp_symlink_async(LyGSftp *sftp, const char *link, const char *target, GCancellable *cancellable,
                            GAsyncReadyCallback callback, gpointer user_data);
void ly_gsftp_hardlink_async(LyGSftp *sftp, const char *existing, const char *link, GCancellable *cancellable,
                             GAsyncReadyCallback callback, gpointer user_data);
void ly_gsftp_setstat_async(LyGSftp *sftp, const char *path, const LySftpAttrs *attrs,
                            GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);

/* stat follows symbolic links, lstat does not. */
void ly_gsftp_stat_async(LyGSftp *sftp, const char *path, GCancellable *cancellable,
                         GAsyncReadyCallback callback, gpointer user_data);
void ly_gsftp_lstat_async(LyGSftp *sftp, const char *path, GCancellable *cancellable,
                          GAsyncReadyCallback callback, gpointer user_data);
/* Of both. */
gboolean ly_gsftp_attrs_finish(LyGSftp *sftp, GAsyncResult *result, LySftpAttrs *attrs, GError **error);

void ly_gsftp_readlink_async(LyGSftp *sftp, const char *path, GCancellable *cancellable,
                             GAsyncReadyCallback callback, gpointer user_data);
void ly_gsftp_realpath_async(LyGSftp *sftp, const char *path, GCancellable *cancellable,
                             GAsyncReadyCallback callback, gpointer user_data);
/* Of both: the path (g_free). */
char *ly_gsftp_path_finish(LyGSftp *sftp, GAsyncResult *result, GError **error);

void ly_gsftp_statvfs_async(LyGSftp *sftp, const char *path, GCancellable *cancellable,
                            GAsyncReadyCallback callback, gpointer user_data);
gboolean ly_gsftp_statvfs_finish(LyGSftp *sftp, GAsyncResult *result, LySftpStatvfs *statvfs, GError **error);

/* A directory's entries without "." and "..", in the server's order; names with '/' or NUL are passed over.
 */
typedef struct LyGSftpEntry {
    char *name, *longname; /* longname: as ls -l writes it */
    LySftpAttrs attrs;     /* as lstat */
} LyGSftpEntry;
void ly_gsftp_list_async(LyGSftp *sftp, const char *path, GCancellable *cancellable,
                         GAsyncReadyCallback callback, gpointer user_data);
/* Of LyGSftpEntry, which it frees (g_ptr_array_unref). */
GPtrArray *ly_gsftp_list_finish(LyGSftp *sftp, GAsyncResult *result, GError **error);

/* --- Files. --- */
/* Files over `max_len` bytes are an error. */
void ly_gsftp_read_file_async(LyGSftp *sftp, const char *path, gsize max_len, GCancellable *cancellable,
                              GAsyncReadyCallback callback, gpointer user_data);
GBytes *ly_gsftp_read_file_finish(LyGSftp *sftp, GAsyncResult *result, GError **error);
/* Replaces the contents; `mode` of a new file as ly_gsftp_mkdir_async. ly_gsftp_finish. */
void ly_gsftp_write_file_async(LyGSftp *sftp, const char *path, GBytes *contents, guint32 mode,
                               GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
/* Streams that read ahead and write behind; pollable, so all of GIO's functions work. They come at once: that
 * the file cannot be opened is the error of the first read, or of a write or the close. `len` G_MAXUINT64: to
 * the end. What an output stream took is there when its close has succeeded; one that is released without a
 * close may leave less. NULL with *error: the session is over, a path is too long. `pflags` SSH_FXF_* (0:
 * WRITE, CREAT, TRUNC). */
GInputStream *ly_gsftp_open_read(LyGSftp *sftp, const char *path, guint64 start, guint64 len, GError **error);
GOutputStream *ly_gsftp_open_write(LyGSftp *sftp, const char *path, guint32 pflags, guint32 mode,
                                   guint64 start, GError **error);

/* --- Whole files and trees. --- */
/* As ly_fast_get and ly_fast_put, which read and write the local file in this thread; `options` may be NULL,
 * its step, done and user are not used. `progress` (NULL: nobody to tell) gets its own user data, total -1
 * when it is not known. */
void ly_gsftp_get_async(LyGSftp *sftp, const char *remote_path, const char *local_path,
                        const LyTransferOptions *options, GFileProgressCallback progress,
                        gpointer progress_data, GCancellable *cancellable, GAsyncReadyCallback callback,
                        gpointer user_data);
void ly_gsftp_put_async(LyGSftp *sftp, const char *local_path, const char *remote_path,
                        const LyTransferOptions *options, GFileProgressCallback progress,
                        gpointer progress_data, GCancellable *cancellable, GAsyncReadyCallback callback,
                        gpointer user_data);
/* Of both; *len (may be NULL): bytes copied. */
gboolean ly_gsftp_transfer_finish(LyGSftp *sftp, GAsyncResult *result, guint64 *len, GError **error);
/* As sftp/tree.h says; each ly_gsftp_finish. `found` gets `found_data`, while the library is dispatched. */
void ly_gsftp_walk_async(LyGSftp *sftp, const char *root, LySftpTreeFound found, gpointer found_data,
                         GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
void ly_gsftp_mkdir_parents_async(LyGSftp *sftp, const char *path, guint32 mode, GCancellable *cancellable,
                                  GAsyncReadyCallback callback, gpointer user_data);
void ly_gsftp_remove_tree_async(LyGSftp *sftp, const char *root, GCancellable *cancellable,
                                GAsyncReadyCallback callback, gpointer user_data);
void ly_gsftp_copy_tree_async(LyGSftp *sftp, const char *from, const char *to, GCancellable *cancellable,
                              GAsyncReadyCallback callback, gpointer user_data);

#endif
