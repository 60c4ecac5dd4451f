#include "glib/sftp-private.h"

/* Copies between this machine and the server. */
typedef struct Copy {
    LyGOperation operation;
    LyTransfer *transfer;
    GFileProgressCallback progress;
    gpointer progress_data;
} Copy;

static char transfer_tag;

static void stop_copy(LyGOperation *operation)
{
    ly_transfer_cancel(((Copy *)operation)->transfer);
}

static void copy_step(void *user, uint64_t done_len, uint64_t total_len)
{
    Copy *copy = user;
    copy->progress((goffset)done_len, total_len ? (goffset)total_len : -1, copy->progress_data);
}

static void copy_done(void *user, uint64_t len, const LyError *error)
{
    Copy *copy = user;
    if (error)
        ly_goperation_fail(&copy->operation, error);
    else
        ly_goperation_return(&copy->operation, g_memdup2(&len, sizeof len), g_free);
}

static void copy(LyGSftp *self, gboolean get, const char *remote_path, const char *local_path,
                 const LyTransferOptions *options, GFileProgressCallback progress, gpointer progress_data,
                 GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
    LyError error = {0};
    Copy *op =
        ly_gsftp_operation(self, sizeof *op, &transfer_tag, stop_copy, cancellable, callback, user_data);
    LySftpClient *client = ly_gsftp_get_client(self);
    LyTransferOptions own = {.mode = UINT32_MAX};
    if (!op)
        return;
    if (options)
        own = *options;
    own.step = progress ? copy_step : NULL;
    own.done = copy_done;
    own.user = op;
    op->progress = progress;
    op->progress_data = progress_data;
    LyLoop *loop = ly_gloop_loop(ly_gsftp_loop(self));
    if (!client)
        ly_goperation_fail_gerror(&op->operation, ly_gsftp_not_asked(self, "open", remote_path));
    else if (get &&
             !(op->transfer = ly_fast_get(loop, client, ly_bytes_str(remote_path), local_path, &own, &error)))
        ly_goperation_fail(&op->operation, &error);
    else if (!get &&
             !(op->transfer = ly_fast_put(loop, client, local_path, ly_bytes_str(remote_path), &own, &error)))
        ly_goperation_fail(&op->operation, &error);
}

void ly_gsftp_get_async(LyGSftp *self, const char *remote_path, const char *local_path,
                        const LyTransferOptions *options, GFileProgressCallback progress,
                        gpointer progress_data, GCancellable *cancellable, GAsyncReadyCallback callback,
                        gpointer user_data)
{
    copy(self, TRUE, remote_path, local_path, options, progress, progress_data, cancellable, callback,
         user_data);
}

void ly_gsftp_put_async(LyGSftp *self, const char *local_path, const char *remote_path,
                        const LyTransferOptions *options, GFileProgressCallback progress,
                        gpointer progress_data, GCancellable *cancellable, GAsyncReadyCallback callback,
                        gpointer user_data)
{
    copy(self, FALSE, remote_path, local_path, options, progress, progress_data, cancellable, callback,
         user_data);
}

gboolean ly_gsftp_transfer_finish(LyGSftp *self, GAsyncResult *result, guint64 *len, GError **error)
{
    guint64 *got = ly_goperation_finish(self, result, &transfer_tag, error);
    if (got && len)
        *len = *got;
    g_free(got);
    return got != NULL;
}

/* Trees. */
typedef struct Work {
    LyGOperation operation;
    LySftpTree *tree;
    LySftpTreeFound found;
    gpointer found_data;
} Work;

static void stop_work(LyGOperation *operation)
{
    ly_sftp_tree_cancel(((Work *)operation)->tree);
}

static void work_done(void *user, const LySftpOutcome *outcome)
{
    ly_gsftp_outcome(user, outcome);
}

static bool work_found(void *user, LyBytes path, unsigned depth, const LySftpAttrs *attrs)
{
    Work *work = user;
    return work->found(work->found_data, path, depth, attrs);
}

static Work *begin(LyGSftp *self, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
    return ly_gsftp_operation(self, sizeof(Work), ly_gsftp_done_tag(), stop_work, cancellable, callback,
                              user_data);
}

/* `tree`: what was begun; NULL: it could not be. */
static void begun(Work *work, LySftpTree *tree, const char *path)
{
    work->tree = tree;
    if (!tree)
        ly_goperation_fail_gerror(
            &work->operation,
            ly_gsftp_not_asked(g_task_get_source_object(work->operation.task), "use", path));
}

void ly_gsftp_walk_async(LyGSftp *self, const char *root, LySftpTreeFound found, gpointer found_data,
                         GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
    LySftpClient *client = ly_gsftp_get_client(self);
    Work *work = begin(self, cancellable, callback, user_data);
    if (!work)
        return;
    work->found = found;
    work->found_data = found_data;
    begun(work, client ? ly_sftp_walk(client, ly_bytes_str(root), work_found, work_done, work) : NULL, root);
}

void ly_gsftp_mkdir_parents_async(LyGSftp *self, const char *path, guint32 mode, GCancellable *cancellable,
                                  GAsyncReadyCallback callback, gpointer user_data)
{
    LySftpClient *client = ly_gsftp_get_client(self);
    Work *work = begin(self, cancellable, callback, user_data);
    if (work)
        begun(work, client ? ly_sftp_mkdir_parents(client, ly_bytes_str(path), mode, work_done, work) : NULL,
              path);
}

void ly_gsftp_remove_tree_async(LyGSftp *self, const char *root, GCancellable *cancellable,
                                GAsyncReadyCallback callback, gpointer user_data)
{
    LySftpClient *client = ly_gsftp_get_client(self);
    Work *work = begin(self, cancellable, callback, user_data);
    if (work)
        begun(work, client ? ly_sftp_remove_tree(client, ly_bytes_str(root), work_done, work) : NULL, root);
}

void ly_gsftp_copy_tree_async(LyGSftp *self, const char *from, const char *to, GCancellable *cancellable,
                              GAsyncReadyCallback callback, gpointer user_data)
{
    LySftpClient *client = ly_gsftp_get_client(self);
    Work *work = begin(self, cancellable, callback, user_data);
    if (work)
        begun(work,
              client ? ly_sftp_copy_tree(client, ly_bytes_str(from), ly_bytes_str(to), work_done, work)
                     : NULL,
              from);
}
