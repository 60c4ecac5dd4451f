/* What the files of LyGSftp share. */
#ifndef LY_GLIB_SFTP_PRIVATE_H
#define LY_GLIB_SFTP_PRIVATE_H

#include "glib/client-private.h"
#include "glib/sftp.h"

/* ly_gsftp_finish asks for it. */
gpointer ly_gsftp_done_tag(void);
LyGLoop *ly_gsftp_loop(LyGSftp *self);
/* An operation of `len` bytes (it begins with LyGOperation), zeroed; NULL: the callback is on its way. */
gpointer ly_gsftp_operation(LyGSftp *self, gsize len, gpointer tag, void (*stop)(LyGOperation *operation),
                            GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
/* "cannot open /x: ..." in the server's domain; NULL when all is well. */
GError *ly_gsftp_error(const LySftpOutcome *outcome);
/* Nothing could be asked: the session is over, has too much to do, or an argument is too long. */
GError *ly_gsftp_not_asked(LyGSftp *self, const char *step, const char *path);
/* Ends the operation without a result as the outcome says. */
void ly_gsftp_outcome(LyGOperation *operation, const LySftpOutcome *outcome);

#endif
