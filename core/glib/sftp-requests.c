#include "glib/sftp-private.h"

/* One request and one answer. */
typedef struct Request {
    LyGOperation operation;
    const struct Kind *kind;
    char *path; /* for the error */
    LySftpId id;
} Request;

typedef LySftpId (*AskPath)(LySftpClient *client, LyBytes path, LySftpDone done, void *user);
typedef LySftpId (*AskAttrs)(LySftpClient *client, LyBytes path, const LySftpAttrs *attrs, LySftpDone done,
                             void *user);
typedef LySftpId (*AskTwo)(LySftpClient *client, LyBytes first, LyBytes second, LySftpDone done, void *user);

typedef struct Kind {
    const char *step; /* "cannot STEP /x" */
    AskPath path;     /* one of these three is set */
    AskAttrs attrs;
    AskTwo two;
    LySftpReplyType reply;
    const struct Result *result;
} Kind;

/* What a _finish gives. */
typedef struct Result {
    char tag;
    gpointer (*take)(LySftpReply *reply); /* NULL: the reply is malformed */
    GDestroyNotify destroy;
} Result;

static gpointer take_attrs(LySftpReply *reply)
{
    return g_memdup2(&reply->attrs, sizeof reply->attrs);
}

static gpointer take_path(LySftpReply *reply)
{
    LySftpName name;
    return ly_sftp_reply_name(reply, &name) ? g_strndup((const char *)name.filename.data, name.filename.len)
                                            : NULL;
}

static gpointer take_statvfs(LySftpReply *reply)
{
    LySftpStatvfs statvfs;
    ly_get_statvfs(&reply->extended, &statvfs);
    return reply->extended.failed ? NULL : g_memdup2(&statvfs, sizeof statvfs);
}

static const Result attrs_result = {.take = take_attrs, .destroy = g_free};
static const Result path_result = {.take = take_path, .destroy = g_free};
static const Result statvfs_result = {.take = take_statvfs, .destroy = g_free};

static gpointer result_tag(const Result *result)
{
    return result ? (gpointer)&result->tag : ly_gsftp_done_tag();
}

static void stop(LyGOperation *operation)
{
    LyGSftp *self = g_task_get_source_object(operation->task);
    if (ly_gsftp_get_client(self))
        ly_sftp_cancel(ly_gsftp_get_client(self), ((Request *)operation)->id);
}

static void clear(LyGOperation *operation)
{
    g_free(((Request *)operation)->path);
}

static void replied(void *user, LySftpReply *reply)
{
    Request *request = user;
    const Kind *kind = request->kind;
    LySftpOutcome outcome = {.status = reply->status,
                             .message = reply->message,
                             .step = kind->step,
                             .path = ly_bytes_str(request->path)};
    if (outcome.status == SSH_FX_OK && reply->type != kind->reply)
        outcome.status = SSH_FX_BAD_MESSAGE;
    gpointer result = LY_GDONE;
    if (outcome.status == SSH_FX_OK && kind->result && !(result = kind->result->take(reply)))
        outcome.status = SSH_FX_BAD_MESSAGE;
    if (outcome.status == SSH_FX_OK)
        ly_goperation_return(&request->operation, result, kind->result ? kind->result->destroy : NULL);
    else
        ly_goperation_fail_gerror(&request->operation, ly_gsftp_error(&outcome));
}

static void ask(LyGSftp *self, const Kind *kind, const char *path, const char *second,
                const LySftpAttrs *attrs, GCancellable *cancellable, GAsyncReadyCallback callback,
                gpointer user_data)
{
    Request *request = ly_gsftp_operation(self, sizeof *request, result_tag(kind->result), stop, cancellable,
                                          callback, user_data);
    LySftpClient *client = ly_gsftp_get_client(self);
    LyBytes bytes = ly_bytes_str(path);
    if (!request)
        return;
    request->kind = kind;
    request->path = g_strdup(path);
    request->operation.clear = clear;
    if (client && kind->path)
        request->id = kind->path(client, bytes, replied, request);
    else if (client && kind->attrs)
        request->id = kind->attrs(client, bytes, attrs, replied, request);
    else if (client)
        request->id = kind->two(client, bytes, ly_bytes_str(second), replied, request);
    if (!request->id)
        ly_goperation_fail_gerror(&request->operation, ly_gsftp_not_asked(self, kind->step, path));
}

/* One path. */
#define ASK_PATH(name, text, reply_type, result_kind)                                                        \
    void ly_gsftp_##name##_async(LyGSftp *self, const char *path, GCancellable *cancellable,                 \
                                 GAsyncReadyCallback callback, gpointer user_data)                           \
    {                                                                                                        \
        static const Kind kind = {.step = text,                                                              \
                                  .path = ly_sftp_##name,                                                    \
                                  .reply = LY_SFTP_REPLY_##reply_type,                                       \
                                  .result = result_kind};                                                    \
        ask(self, &kind, path, NULL, NULL, cancellable, callback, user_data);                                \
    }
ASK_PATH(stat, "look at", ATTRS, &attrs_result)
ASK_PATH(lstat, "look at", ATTRS, &attrs_result)
ASK_PATH(remove, "remove", STATUS, NULL)
ASK_PATH(rmdir, "remove the directory", STATUS, NULL)
ASK_PATH(readlink, "read the link", NAME, &path_result)
ASK_PATH(realpath, "resolve", NAME, &path_result)
ASK_PATH(statvfs, "ask for the room of", EXTENDED, &statvfs_result)

/* Two. */
#define ASK_TWO(name, first, second, text)                                                                   \
    void ly_gsftp_##name##_async(LyGSftp *self, const char *first, const char *second,                       \
                                 GCancellable *cancellable, GAsyncReadyCallback callback,                    \
                                 gpointer user_data)                                                         \
    {                                                                                                        \
        static const Kind kind = {.step = text, .two = ly_sftp_##name, .reply = LY_SFTP_REPLY_STATUS};       \
        ask(self, &kind, first, second, NULL, cancellable, callback, user_data);                             \
    }
ASK_TWO(symlink, link, target, "make the link")
ASK_TWO(hardlink, existing, link, "link")

void ly_gsftp_rename_async(LyGSftp *self, const char *from, const char *to, gboolean replace,
                           GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
    static const Kind kinds[] = {
        {.step = "rename", .two = ly_sftp_rename, .reply = LY_SFTP_REPLY_STATUS},
        {.step = "rename", .two = ly_sftp_posix_rename, .reply = LY_SFTP_REPLY_STATUS},
    };
    ask(self, &kinds[replace ? 1 : 0], from, to, NULL, cancellable, callback, user_data);
}

/* A path and attributes. */
void ly_gsftp_setstat_async(LyGSftp *self, const char *path, const LySftpAttrs *attrs,
                            GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
    static const Kind kind = {
        .step = "change the attributes of", .attrs = ly_sftp_setstat, .reply = LY_SFTP_REPLY_STATUS};
    ask(self, &kind, path, NULL, attrs, cancellable, callback, user_data);
}

void ly_gsftp_mkdir_async(LyGSftp *self, const char *path, guint32 mode, GCancellable *cancellable,
                          GAsyncReadyCallback callback, gpointer user_data)
{
    static const Kind kind = {
        .step = "make the directory", .attrs = ly_sftp_mkdir, .reply = LY_SFTP_REPLY_STATUS};
    LySftpAttrs attrs = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS, .permissions = mode & 07777};
    ask(self, &kind, path, NULL, mode == G_MAXUINT32 ? NULL : &attrs, cancellable, callback, user_data);
}

/* Results. */

static gboolean copy_result(LyGSftp *self, GAsyncResult *result, const Result *kind, gpointer out, gsize len,
                            GError **error)
{
    gpointer got = ly_goperation_finish(self, result, result_tag(kind), error);
    if (got)
        memcpy(out, got, len);
    g_free(got);
    return got != NULL;
}

gboolean ly_gsftp_attrs_finish(LyGSftp *self, GAsyncResult *result, LySftpAttrs *attrs, GError **error)
{
    return copy_result(self, result, &attrs_result, attrs, sizeof *attrs, error);
}

gboolean ly_gsftp_statvfs_finish(LyGSftp *self, GAsyncResult *result, LySftpStatvfs *statvfs, GError **error)
{
    return copy_result(self, result, &statvfs_result, statvfs, sizeof *statvfs, error);
}

char *ly_gsftp_path_finish(LyGSftp *self, GAsyncResult *result, GError **error)
{
    return ly_goperation_finish(self, result, result_tag(&path_result), error);
}
