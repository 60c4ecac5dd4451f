#include "remote.h"

#include "base/auto.h"
#include "loop/prompt.h"

#define PIECE ((size_t)32 << 10) /* what every server reads and writes at once */

struct Remote {
    Tool *tool;
    LyClient *client;
    LySftp *session;    /* NULL before the sign-in */
    LySftpClient *sftp; /* the session's, once it is ready */
    bool ready, ended;
    LyError error; /* why it ended */
};

static void end(Remote *remote, const LyError *error)
{
    if (!remote->ended)
        remote->error = *error;
    remote->ended = true;
}

static void answered(void *user, const char *answer)
{
    Remote *remote = user;
    ly_client_answer(remote->client, answer);
}

static void asked(void *user, const LyAsk *ask)
{
    Remote *remote = user;
    ly_prompter_ask(remote->tool->prompter, ask->text, ask->echo, ask->kind == LY_ASK_HOST_KEY, answered,
                    remote);
}

static void banner(void *user, LyBytes text)
{
    Remote *remote = user;
    LyBytes line;
    while (ly_bytes_line(&text, &line))
        ly_prompter_show(remote->tool->prompter, LY_PRINTABLE(line));
}

static void sftp_ready(void *user)
{
    Remote *remote = user;
    remote->sftp = ly_sftp_client(remote->session);
    remote->ready = true;
}

static void sftp_closed(void *user, const LyError *error)
{
    end(user, error);
}

static void signed_in(void *user)
{
    Remote *remote = user;
    LySftpEvents events = {.ready = sftp_ready, .closed = sftp_closed, .user = remote};
    LyError error;
    remote->session = ly_sftp_new(remote->client, NULL, &events, &error);
    if (!remote->session)
        end(remote, &error);
}

static void closed(void *user, const LyError *error, bool final)
{
    end(user, error);
}

Remote *remote_open(Tool *tool, LyDestination *destination, LyError *error)
{
    LyLoop *loop = tool_loop(tool);
    if (!loop) {
        ly_error_set(error, LY_ERROR_IO, "there is no event loop to connect with");
        return NULL;
    }
    if (!tool->prompter)
        tool->prompter = ly_prompter_new(loop, true);
    Remote *remote = ly_new(Remote);
    LyClientEvents events = {
        .ask = asked, .ready = signed_in, .banner = banner, .closed = closed, .user = remote};
    remote->tool = tool;
    remote->client = ly_client_new(loop, destination, &events);
    while (!remote->ready && !remote->ended)
        ly_loop_run_once(loop, UINT64_MAX);
    if (remote->ready)
        return remote;
    *error = remote->error;
    remote_close(remote);
    return NULL;
}

void remote_close(Remote *remote)
{
    if (!remote)
        return;
    ly_prompter_cancel(remote->tool->prompter, remote);
    ly_sftp_free(remote->session);
    ly_client_free(remote->client);
    ly_free(remote);
}

/* One request's reply, kept. */
typedef struct Reply {
    bool done;
    uint32_t status;
    char message[200];
    uint8_t handle[LY_SFTP_HANDLE_MAX];
    size_t handle_len, data_len;
    LySftpAttrs attrs;
    char *name;
} Reply;

static void replied(void *user, LySftpReply *sftp)
{
    Reply *reply = user;
    LySftpName name;
    reply->done = true;
    reply->status = sftp->status;
    ly_printable(sftp->message, reply->message, sizeof reply->message);
    reply->attrs = sftp->attrs;
    reply->data_len = sftp->data_len;
    reply->handle_len = sftp->handle.len;
    if (sftp->handle.len)
        memcpy(reply->handle, sftp->handle.data, sftp->handle.len);
    if (ly_sftp_reply_name(sftp, &name))
        reply->name = ly_bytes_dup_str(name.filename);
}

/* Until the reply is there. False when the connection ended, or was refused the request. */
static bool settle(Remote *remote, LySftpId id, Reply *reply, LyError *error)
{
    if (id == 0 && !remote->ended)
        return ly_error_set(error, LY_ERROR_LIMIT, "the SFTP client does not take the request");
    while (!reply->done && !remote->ended)
        ly_loop_run_once(tool_loop(remote->tool), UINT64_MAX);
    if (!reply->done && id)
        ly_sftp_cancel(remote->sftp, id);
    if (remote->ended)
        *error = remote->error;
    return !remote->ended;
}

static bool refused(const Reply *reply, const char *action, const char *path, LyError *error)
{
    return ly_error_set(error, LY_ERROR_IO, "cannot %s %s on the server: %s", action,
                        LY_PRINTABLE(ly_bytes_str(path)),
                        reply->message[0] ? reply->message : ly_sftp_status_name(reply->status));
}

/* A request that is answered with OK, or fails with a sentence. */
static bool expect_ok(Remote *remote, LySftpId id, Reply *reply, const char *action, const char *path,
                      LyError *error)
{
    if (!settle(remote, id, reply, error))
        return false;
    return reply->status == SSH_FX_OK || refused(reply, action, path, error);
}

bool remote_stat(Remote *remote, const char *path, bool *exists, LySftpAttrs *attrs, LyError *error)
{
    Reply reply = {0};
    if (!settle(remote, ly_sftp_stat(remote->sftp, ly_bytes_str(path), replied, &reply), &reply, error))
        return false;
    if (reply.status != SSH_FX_OK && reply.status != SSH_FX_NO_SUCH_FILE)
        return refused(&reply, "examine", path, error);
    *exists = reply.status == SSH_FX_OK;
    *attrs = reply.attrs;
    return true;
}

char *remote_real_path(Remote *remote, const char *path, LyError *error)
{
    Reply reply = {0};
    if (!expect_ok(remote, ly_sftp_realpath(remote->sftp, ly_bytes_str(path), replied, &reply), &reply,
                   "resolve", path, error))
        return NULL;
    if (!reply.name)
        refused(&reply, "resolve", path, error);
    return reply.name;
}

static LyBytes handle_of(const Reply *opened)
{
    return ly_bytes(opened->handle, opened->handle_len);
}

static bool close_handle(Remote *remote, const Reply *opened, const char *path, LyError *error)
{
    Reply reply = {0};
    return expect_ok(remote, ly_sftp_close(remote->sftp, handle_of(opened), replied, &reply), &reply, "close",
                     path, error);
}

bool remote_read(Remote *remote, const char *path, size_t limit, LyBuf *text, LyError *error)
{
    Reply opened = {0};
    size_t start = text->len;
    bool ok = true;
    if (!expect_ok(remote,
                   ly_sftp_open(remote->sftp, ly_bytes_str(path), SSH_FXF_READ, NULL, replied, &opened),
                   &opened, "open", path, error))
        return false;
    /* The buffer outlives a request that is given up. */
    uint8_t *piece = ly_alloc(PIECE);
    while (ok) {
        Reply reply = {0};
        ok = settle(
            remote,
            ly_sftp_read(remote->sftp, handle_of(&opened), text->len - start, PIECE, piece, replied, &reply),
            &reply, error);
        if (ok && reply.status == SSH_FX_EOF)
            break;
        if (ok && reply.status != SSH_FX_OK)
            ok = refused(&reply, "read", path, error);
        else if (ok && (reply.data_len == 0 || text->len - start + reply.data_len > limit))
            ok = ly_error_set(error, LY_ERROR_LIMIT, "%s on the server is longer than %zu bytes",
                              LY_PRINTABLE(ly_bytes_str(path)), limit);
        else if (ok)
            ly_buf_add(text, ly_bytes(piece, reply.data_len));
    }
    ly_free(piece);
    return close_handle(remote, &opened, path, ok ? error : NULL) && ok;
}

bool remote_make_folder(Remote *remote, const char *path, uint32_t mode, LyError *error)
{
    LySftpAttrs attrs = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS, .permissions = mode};
    Reply reply = {0}, set = {0};
    LyBytes name = ly_bytes_str(path);
    if (!expect_ok(remote, ly_sftp_mkdir(remote->sftp, name, &attrs, replied, &reply), &reply,
                   "make the folder", path, error))
        return false;
    /* The server's umask may have taken bits away, and some servers do not look at them. */
    return expect_ok(remote, ly_sftp_setstat(remote->sftp, name, &attrs, replied, &set), &set,
                     "set the permissions of", path, error);
}

/* The owner and permissions that the file had. */
static bool keep_attributes(Remote *remote, const Reply *opened, const LySftpAttrs *old, uint32_t mode,
                            const char *path, LyError *error)
{
    LySftpAttrs attrs = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS, .permissions = mode};
    Reply now = {0}, owned = {0}, set = {0};
    LyBytes handle = handle_of(opened);
    if (old && (old->flags & SSH_FILEXFER_ATTR_UIDGID)) {
        if (!expect_ok(remote, ly_sftp_fstat(remote->sftp, handle, replied, &now), &now, "examine", path,
                       error))
            return false;
        LySftpAttrs owner = {.flags = SSH_FILEXFER_ATTR_UIDGID, .uid = old->uid, .gid = old->gid};
        if ((now.attrs.uid != old->uid || now.attrs.gid != old->gid) &&
            !expect_ok(remote, ly_sftp_fsetstat(remote->sftp, handle, &owner, replied, &owned), &owned,
                       "keep the owner of", path, error))
            return false;
    }
    return expect_ok(remote, ly_sftp_fsetstat(remote->sftp, handle, &attrs, replied, &set), &set,
                     "set the permissions of", path, error);
}

static bool write_all(Remote *remote, const Reply *opened, LyBytes text, const char *path, LyError *error)
{
    Reply synced = {0};
    for (size_t done = 0; done < text.len; done += PIECE) {
        Reply reply = {0};
        if (!expect_ok(remote,
                       ly_sftp_write(remote->sftp, handle_of(opened), done, ly_bytes_slice(text, done, PIECE),
                                     replied, &reply),
                       &reply, "write", path, error))
            return false;
    }
    if (!ly_sftp_client_has(remote->sftp, LY_SFTP_EXTENSION_FSYNC))
        return true;
    return expect_ok(remote, ly_sftp_fsync(remote->sftp, handle_of(opened), replied, &synced), &synced,
                     "write", path, error);
}

static bool rename_path(Remote *remote, const char *from, const char *to, bool replace, LyError *error)
{
    Reply reply = {0};
    LyBytes old = ly_bytes_str(from), new = ly_bytes_str(to);
    LySftpId id = replace ? ly_sftp_posix_rename(remote->sftp, old, new, replied, &reply)
                          : ly_sftp_rename(remote->sftp, old, new, replied, &reply);
    return expect_ok(remote, id, &reply, "put the new text in the place of", to, error);
}

static void remove_path(Remote *remote, const char *path)
{
    Reply reply = {0};
    LyError error;
    settle(remote, ly_sftp_remove(remote->sftp, ly_bytes_str(path), replied, &reply), &reply, &error);
}

/* SFTP's own rename replaces nothing: the old file steps aside, and back if need be. */
static bool swap(Remote *remote, const char *from, const char *to, LyError *error)
{
    LY_AUTO_FREE char *aside = ly_format("%s.old", to);
    LyError other;
    remove_path(remote, aside);
    if (!rename_path(remote, to, aside, false, error))
        return false;
    if (!rename_path(remote, from, to, false, error)) {
        if (!rename_path(remote, aside, to, false, &other))
            ly_error_prefix(error, "the old text is in %s now", aside);
        return false;
    }
    remove_path(remote, aside);
    return true;
}

static bool settle_file(Remote *remote, const char *from, const char *to, bool there, LyError *error)
{
    if (ly_sftp_client_has(remote->sftp, LY_SFTP_EXTENSION_POSIX_RENAME))
        return rename_path(remote, from, to, true, error);
    return there ? swap(remote, from, to, error) : rename_path(remote, from, to, false, error);
}

bool remote_replace(Remote *remote, const char *path, const LySftpAttrs *old, uint32_t mode, LyBytes text,
                    LyError *error)
{
    uint64_t number;
    Reply opened = {0};
    LySftpAttrs secret = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS, .permissions = 0600};
    ly_crypto_random(remote->tool->crypto, &number, sizeof number);
    LY_AUTO_FREE char *fresh = ly_format("%s.%016llx", path, (unsigned long long)number);
    if (!expect_ok(remote,
                   ly_sftp_open(remote->sftp, ly_bytes_str(fresh),
                                SSH_FXF_WRITE | SSH_FXF_CREAT | SSH_FXF_EXCL, &secret, replied, &opened),
                   &opened, "make a file beside", path, error))
        return false;
    if (old && (old->flags & SSH_FILEXFER_ATTR_PERMISSIONS))
        mode = old->permissions & 07777;
    bool ok = write_all(remote, &opened, text, path, error) &&
              keep_attributes(remote, &opened, old, mode, path, error);
    ok = close_handle(remote, &opened, path, ok ? error : NULL) && ok;
    ok = ok && settle_file(remote, fresh, path, old != NULL, error);
    if (!ok)
        remove_path(remote, fresh);
    return ok;
}
