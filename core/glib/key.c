#include "glib/key.h"

#include "base/memory.h"
#include "base/secret.h"
#include "glib/error.h"

/* What an operation takes along and brings back. Every one uses a part of it. */
typedef struct Operation {
    LyCrypto *crypto;
    LyKey *key;
    LyPkType type;
    unsigned bits;
    LyKeyFormat format;
    LyKeyReadOptions read;
    LyKeyWriteOptions write;
    char *cipher, *kdf;
    LyBuf text, passphrase, algorithm; /* cleansed when they go */
    LyBuf result;
} Operation;

static void operation_free(gpointer data)
{
    Operation *operation = data;
    ly_crypto_unref(operation->crypto);
    ly_key_unref(operation->key);
    ly_free(operation->cipher);
    ly_free(operation->kdf);
    ly_buf_free(&operation->text);
    ly_buf_free(&operation->passphrase);
    ly_buf_free(&operation->algorithm);
    ly_buf_free(&operation->result);
    ly_free(operation);
}

static Operation *operation_new(LyCrypto *crypto, LyKey *key)
{
    Operation *operation = ly_new(Operation);
    operation->crypto = ly_crypto_ref(crypto);
    operation->key = key ? ly_key_ref(key) : NULL;
    return operation;
}

/* Which operation a result belongs to: _finish of another one refuses it. */
static char generate_tag, read_tag, write_tag, sign_tag;

static void start(Operation *operation, gpointer tag, GTaskThreadFunc work, GCancellable *cancellable,
                  GAsyncReadyCallback callback, gpointer user_data)
{
    GTask *task = g_task_new(NULL, cancellable, callback, user_data);
    g_task_set_source_tag(task, tag);
    g_task_set_task_data(task, operation, operation_free);
    g_task_set_return_on_cancel(task, TRUE);
    g_task_run_in_thread(task, work);
    g_object_unref(task);
}

static void unref_key(gpointer key)
{
    ly_key_unref(key);
}

/* The pool's thread lives on without what libcrypto keeps for it. */
static void return_key(GTask *task, const Operation *operation, LyKey *key, const LyError *error)
{
    ly_crypto_leave_thread(operation->crypto);
    if (key)
        g_task_return_pointer(task, key, unref_key);
    else
        g_task_return_error(task, ly_gerror_new(error));
}

/* The bytes stay with the task, which _finish has at hand. */
static void return_bytes(GTask *task, const Operation *operation, bool good, const LyError *error)
{
    ly_crypto_leave_thread(operation->crypto);
    if (good)
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, ly_gerror_new(error));
}

static LyKey *finish_key(GAsyncResult *result, gpointer tag, GError **error)
{
    g_return_val_if_fail(g_async_result_is_tagged(result, tag), NULL);
    return g_task_propagate_pointer(G_TASK(result), error);
}

static gboolean finish_bytes(GAsyncResult *result, gpointer tag, LyBuf *out, GError **error)
{
    g_return_val_if_fail(g_async_result_is_tagged(result, tag), FALSE);
    if (!g_task_propagate_boolean(G_TASK(result), error))
        return FALSE;
    Operation *operation = g_task_get_task_data(G_TASK(result));
    ly_buf_add(out, ly_buf_bytes(&operation->result));
    return TRUE;
}

static void generate(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Operation *operation = data;
    LyError error = {0};
    return_key(task, operation,
               ly_key_generate(operation->crypto, operation->type, operation->bits,
                               ly_buf_bytes(&operation->text), &error),
               &error);
}

void ly_key_generate_async(LyCrypto *crypto, LyPkType type, unsigned bits, LyBytes comment,
                           GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
    Operation *operation = operation_new(crypto, NULL);
    operation->type = type;
    operation->bits = bits;
    ly_buf_add(&operation->text, comment);
    start(operation, &generate_tag, generate, cancellable, callback, user_data);
}

LyKey *ly_key_generate_finish(GAsyncResult *result, GError **error)
{
    return finish_key(result, &generate_tag, error);
}

static void read_key(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Operation *operation = data;
    LyError error = {0};
    return_key(task, operation,
               ly_key_read(operation->crypto, ly_buf_bytes(&operation->text), &operation->read, &error),
               &error);
}

void ly_key_read_async(LyCrypto *crypto, LyBytes text, const LyKeyReadOptions *options,
                       GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
    Operation *operation = operation_new(crypto, NULL);
    ly_buf_add(&operation->text, text);
    if (options) {
        operation->read = *options;
        ly_buf_add(&operation->passphrase, options->passphrase);
        operation->read.passphrase = ly_buf_bytes(&operation->passphrase);
    }
    start(operation, &read_tag, read_key, cancellable, callback, user_data);
}

LyKey *ly_key_read_finish(GAsyncResult *result, GError **error)
{
    return finish_key(result, &read_tag, error);
}

static void write_private(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Operation *operation = data;
    LyError error = {0};
    return_bytes(task, operation,
                 ly_key_write_private(operation->crypto, operation->key, operation->format, &operation->write,
                                      &operation->result, &error),
                 &error);
}

void ly_key_write_private_async(LyCrypto *crypto, LyKey *key, LyKeyFormat format,
                                const LyKeyWriteOptions *options, GCancellable *cancellable,
                                GAsyncReadyCallback callback, gpointer user_data)
{
    Operation *operation = operation_new(crypto, key);
    operation->format = format;
    if (options) {
        operation->write = *options;
        ly_buf_add(&operation->passphrase, options->passphrase);
        operation->write.passphrase = ly_buf_bytes(&operation->passphrase);
        if (options->cipher)
            operation->write.cipher = operation->cipher = ly_strdup(options->cipher);
        if (options->kdf.name)
            operation->write.kdf.name = operation->kdf = ly_strdup(options->kdf.name);
    }
    start(operation, &write_tag, write_private, cancellable, callback, user_data);
}

gboolean ly_key_write_private_finish(GAsyncResult *result, LyBuf *out, GError **error)
{
    return finish_bytes(result, &write_tag, out, error);
}

static void sign(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Operation *operation = data;
    LyError error = {0};
    return_bytes(task, operation,
                 ly_key_sign(operation->key, ly_buf_bytes(&operation->algorithm),
                             ly_buf_bytes(&operation->text), &operation->result, &error),
                 &error);
}

void ly_key_sign_async(LyCrypto *crypto, LyKey *key, LyBytes algorithm, LyBytes message,
                       GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
    Operation *operation = operation_new(crypto, key);
    ly_buf_add(&operation->algorithm, algorithm);
    ly_buf_add(&operation->text, message);
    start(operation, &sign_tag, sign, cancellable, callback, user_data);
}

gboolean ly_key_sign_finish(GAsyncResult *result, LyBuf *signature, GError **error)
{
    return finish_bytes(result, &sign_tag, signature, error);
}
