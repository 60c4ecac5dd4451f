#include "glib/sftp-private.h"

/* What may be freed only outside of the SFTP client's completions. */
typedef struct Session {
    LyGSftp *self; /* NULL once it is gone */
    LyGClient *client;
    LySftp *sftp;
} Session;

typedef struct Opening {
    LyGOperation operation;
    LyGSftp *sftp;
} Opening;

struct _LyGSftp {
    GObject parent;
    Session *session;
    Opening *opening; /* NULL once it was told */
    gboolean ready;
};
typedef struct _LyGSftpClass {
    GObjectClass parent;
} LyGSftpClass;
G_DEFINE_TYPE(LyGSftp, ly_gsftp, G_TYPE_OBJECT)

static char open_tag, done_tag;

static void session_free(void *data)
{
    Session *session = data;
    ly_sftp_free(session->sftp);
    g_object_unref(session->client);
    ly_free(session);
}

static void on_ready(void *user)
{
    LyGSftp *self = ((Session *)user)->self;
    if (!self || !self->opening)
        return;
    Opening *opening = g_steal_pointer(&self->opening);
    self->ready = TRUE;
    ly_goperation_return(&opening->operation, g_object_ref(self), g_object_unref);
}

static void on_closed(void *user, const LyError *error)
{
    LyGSftp *self = ((Session *)user)->self;
    if (!self)
        return;
    g_object_ref(self);
    self->ready = FALSE;
    if (self->opening) {
        Opening *opening = g_steal_pointer(&self->opening);
        ly_goperation_fail(&opening->operation, error);
    } else {
        GError *why = ly_gerror_new(error);
        g_signal_emit_by_name(self, "closed", why);
        g_error_free(why);
    }
    g_object_unref(self);
}

static void ly_gsftp_init(LyGSftp *self)
{
}

static void dispose_later(void *data)
{
    g_object_unref(data);
}

static void dispose(GObject *object)
{
    LyGSftp *self = (LyGSftp *)object;
    if (self->session) {
        LyGLoop *loop = ly_gsftp_loop(self);
        if (!ly_gloop_is_ours(loop)) { /* the last reference went in another thread */
            ly_gloop_later(loop, dispose_later, g_object_ref(self));
            return;
        }
        Session *session = g_steal_pointer(&self->session);
        session->self = NULL;
        ly_gloop_call(loop, session_free, session);
    }
    G_OBJECT_CLASS(ly_gsftp_parent_class)->dispose(object);
}

static void ly_gsftp_class_init(LyGSftpClass *class)
{
    G_OBJECT_CLASS(class)->dispose = dispose;
    g_signal_new("closed", LY_TYPE_GSFTP, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1,
                 G_TYPE_POINTER);
}

static void stop_opening(LyGOperation *operation)
{
    ((Opening *)operation)->sftp->opening = NULL;
}

static void clear_opening(LyGOperation *operation)
{
    g_object_unref(((Opening *)operation)->sftp);
}

void ly_gsftp_open_async(LyGClient *client, const LySftpOptions *options, GCancellable *cancellable,
                         GAsyncReadyCallback callback, gpointer user_data)
{
    LyError error = {0};
    if (!ly_gclient_connection(client, &error)) {
        ly_gclient_fail(client, &open_tag, &error, callback, user_data);
        return;
    }
    Opening *opening = ly_goperation_new(sizeof *opening, client->loop, client, &open_tag, stop_opening,
                                         cancellable, callback, user_data);
    if (!opening)
        return;
    LyGSftp *self = g_object_new(LY_TYPE_GSFTP, NULL);
    Session *session = self->session = ly_new(Session);
    LySftpEvents events = {.ready = on_ready, .closed = on_closed, .user = session};
    session->self = self;
    session->client = g_object_ref(client);
    self->opening = opening;
    opening->sftp = self;
    opening->operation.clear = clear_opening;
    session->sftp = ly_sftp_new(client->client, options, &events, &error);
    if (!session->sftp) {
        self->opening = NULL;
        ly_goperation_fail(&opening->operation, &error);
    }
}

LyGSftp *ly_gsftp_open_finish(LyGClient *client, GAsyncResult *result, GError **error)
{
    return ly_goperation_finish(client, result, &open_tag, error);
}

LySftpClient *ly_gsftp_get_client(LyGSftp *self)
{
    return self->ready ? ly_sftp_client(self->session->sftp) : NULL;
}

LyGLoop *ly_gsftp_loop(LyGSftp *self)
{
    return self->session->client->loop;
}

gpointer ly_gsftp_operation(LyGSftp *self, gsize len, gpointer tag, void (*stop)(LyGOperation *operation),
                            GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
    return ly_goperation_new(len, ly_gsftp_loop(self), self, tag, stop, cancellable, callback, user_data);
}

gpointer ly_gsftp_done_tag(void)
{
    return &done_tag;
}

gboolean ly_gsftp_finish(LyGSftp *self, GAsyncResult *result, GError **error)
{
    return ly_goperation_finish(self, result, &done_tag, error) != NULL;
}

GError *ly_gsftp_error(const LySftpOutcome *outcome)
{
    static const struct {
        uint32_t status;
        int code;
    } codes[] = {
        {SSH_FX_NO_SUCH_FILE, G_IO_ERROR_NOT_FOUND},
        {SSH_FX_PERMISSION_DENIED, G_IO_ERROR_PERMISSION_DENIED},
        {SSH_FX_OP_UNSUPPORTED, G_IO_ERROR_NOT_SUPPORTED},
    };
    LyError error = {0};
    if (outcome->status == SSH_FX_OK)
        return NULL;
    ly_sftp_outcome_error(outcome, &error);
    if (error.code == LY_ERROR_DISCONNECT)
        return ly_gerror_new(&error);
    int code = G_IO_ERROR_FAILED;
    for (guint i = 0; i < G_N_ELEMENTS(codes); i++)
        if (codes[i].status == outcome->status)
            code = codes[i].code;
    return g_error_new_literal(G_IO_ERROR, code, error.message);
}

GError *ly_gsftp_not_asked(LyGSftp *self, const char *step, const char *path)
{
    LyError error = {0};
    LySftpClient *client = ly_gsftp_get_client(self);
    gboolean over = !client || ly_sftp_client_is_closed(client);
    ly_error_set(&error, over ? LY_ERROR_DISCONNECT : LY_ERROR_LIMIT, "cannot %s %s: %s", step,
                 LY_PRINTABLE(ly_bytes_str(path)),
                 over ? "the SFTP session is over" : "the path is too long, or too many requests are open");
    return ly_gerror_new(&error);
}

void ly_gsftp_outcome(LyGOperation *operation, const LySftpOutcome *outcome)
{
    GError *error = ly_gsftp_error(outcome);
    if (error)
        ly_goperation_fail_gerror(operation, error);
    else
        ly_goperation_return(operation, LY_GDONE, NULL);
}
