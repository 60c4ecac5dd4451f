#include "glib/sftp-private.h"

typedef struct Listing {
    LyGOperation operation;
    char *path;
    LyBuf handle;
    LySftpId id;
    GPtrArray *entries;
} Listing;

static char list_tag;

static void entry_free(gpointer data)
{
    LyGSftpEntry *entry = data;
    g_free(entry->name);
    g_free(entry->longname);
    g_free(entry);
}

static LySftpClient *client_of(Listing *listing)
{
    return ly_gsftp_get_client(g_task_get_source_object(listing->operation.task));
}

static void ignored(void *user, LySftpReply *reply)
{
}

static void stop(LyGOperation *operation)
{
    Listing *listing = (Listing *)operation;
    if (client_of(listing))
        ly_sftp_cancel(client_of(listing), listing->id);
}

static void clear(LyGOperation *operation)
{
    Listing *listing = (Listing *)operation;
    if (listing->handle.len && client_of(listing))
        ly_sftp_close(client_of(listing), ly_buf_bytes(&listing->handle), ignored, NULL);
    ly_buf_free(&listing->handle);
    g_clear_pointer(&listing->entries, g_ptr_array_unref);
    g_free(listing->path);
}

static void fail(Listing *listing, const char *step, uint32_t status, LyBytes message)
{
    LySftpOutcome outcome = {
        .status = status, .message = message, .step = step, .path = ly_bytes_str(listing->path)};
    ly_goperation_fail_gerror(&listing->operation, ly_gsftp_error(&outcome));
}

static void not_asked(Listing *listing)
{
    ly_goperation_fail_gerror(
        &listing->operation,
        ly_gsftp_not_asked(g_task_get_source_object(listing->operation.task), "list", listing->path));
}

static void add(Listing *listing, const LySftpName *name)
{
    if (ly_bytes_is(name->filename, ".") || ly_bytes_is(name->filename, "..") || name->filename.len == 0 ||
        memchr(name->filename.data, '/', name->filename.len) ||
        memchr(name->filename.data, 0, name->filename.len))
        return;
    LyGSftpEntry *entry = g_new0(LyGSftpEntry, 1);
    entry->name = g_strndup((const char *)name->filename.data, name->filename.len);
    entry->longname = g_strndup((const char *)name->longname.data, name->longname.len);
    entry->attrs = name->attrs;
    g_ptr_array_add(listing->entries, entry);
}

static void batch_came(void *user, LySftpReply *reply)
{
    Listing *listing = user;
    LySftpName name;
    if (reply->status == SSH_FX_EOF) {
        ly_goperation_return(&listing->operation, g_steal_pointer(&listing->entries),
                             (GDestroyNotify)g_ptr_array_unref);
        return;
    }
    if (reply->status != SSH_FX_OK || reply->type != LY_SFTP_REPLY_NAME) {
        fail(listing, "list", reply->status == SSH_FX_OK ? SSH_FX_BAD_MESSAGE : reply->status,
             reply->message);
        return;
    }
    while (ly_sftp_reply_name(reply, &name))
        add(listing, &name);
    listing->id = ly_sftp_readdir(client_of(listing), ly_buf_bytes(&listing->handle), batch_came, listing);
    if (!listing->id)
        not_asked(listing);
}

static void opened(void *user, LySftpReply *reply)
{
    Listing *listing = user;
    if (reply->status != SSH_FX_OK || reply->type != LY_SFTP_REPLY_HANDLE) {
        fail(listing, "open", reply->status == SSH_FX_OK ? SSH_FX_BAD_MESSAGE : reply->status,
             reply->message);
        return;
    }
    ly_buf_add(&listing->handle, reply->handle);
    listing->id = ly_sftp_readdir(client_of(listing), reply->handle, batch_came, listing);
    if (!listing->id)
        not_asked(listing);
}

void ly_gsftp_list_async(LyGSftp *self, const char *path, GCancellable *cancellable,
                         GAsyncReadyCallback callback, gpointer user_data)
{
    Listing *listing =
        ly_gsftp_operation(self, sizeof *listing, &list_tag, stop, cancellable, callback, user_data);
    if (!listing)
        return;
    listing->operation.clear = clear;
    listing->path = g_strdup(path);
    listing->entries = g_ptr_array_new_with_free_func(entry_free);
    if (client_of(listing))
        listing->id = ly_sftp_opendir(client_of(listing), ly_bytes_str(path), opened, listing);
    if (!listing->id)
        not_asked(listing);
}

GPtrArray *ly_gsftp_list_finish(LyGSftp *self, GAsyncResult *result, GError **error)
{
    return ly_goperation_finish(self, result, &list_tag, error);
}
