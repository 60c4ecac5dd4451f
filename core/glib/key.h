/* Keys for GLib programs: what costs time (making a key, opening an encrypted file, signing with RSA) runs in
 * GTask's threads, and the callback in the thread-default main context of the caller. A cancelled operation
 * ends with G_IO_ERROR_CANCELLED at once; its thread goes on to its end, before which the program should not
 * exit, and the result is dropped. Errors are in the domain LY_GERROR (glib/error.h). A LyKey is counted:
 * ly_key_unref what _finish gives. */
#ifndef LY_GLIB_KEY_H
#define LY_GLIB_KEY_H

#include <gio/gio.h>

#include "key/read.h"
#include "key/write.h"

/* As ly_key_generate; `bits` 0 where the type has one size. */
void ly_key_generate_async(LyCrypto *crypto, LyPkType type, unsigned bits, LyBytes comment,
                           GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
/* NULL with *error. */
LyKey *ly_key_generate_finish(GAsyncResult *result, GError **error);

/* As ly_key_read; text and passphrase are copied, the copies cleansed. `options` may be NULL. */
void ly_key_read_async(LyCrypto *crypto, LyBytes text, const LyKeyReadOptions *options,
                       GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
LyKey *ly_key_read_finish(GAsyncResult *result, GError **error);

/* As ly_key_write_private; key, passphrase and cipher are kept for as long as it takes. */
void ly_key_write_private_async(LyCrypto *crypto, LyKey *key, LyKeyFormat format,
                                const LyKeyWriteOptions *options, GCancellable *cancellable,
                                GAsyncReadyCallback callback, gpointer user_data);
/* Appends the file's text. */
gboolean ly_key_write_private_finish(GAsyncResult *result, LyBuf *out, GError **error);

/* As ly_key_sign; algorithm and message are copied. */
void ly_key_sign_async(LyCrypto *crypto, LyKey *key, LyBytes algorithm, LyBytes message,
                       GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
/* Appends the signature blob. */
gboolean ly_key_sign_finish(GAsyncResult *result, LyBuf *signature, GError **error);

#endif
