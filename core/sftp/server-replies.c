/* What a backend answers with: filexfer-02 section 7. */
#include <errno.h>

#include "base/memory.h"
#include "sftp/server-private.h"

#define REPLY_MAX ((size_t)LY_SFTP_PACKET_MAX + 4)
#define NAMES_MAX                                                                                            \
    ((size_t)64 * 1024) /* a listing's packet: some 500 names, and no client has trouble with the size */

static LySftpServerJob *job_of(LySftpRequest *request)
{
    return ly_container_of(request, LySftpServerJob, request);
}

static LySftpServerJob *begin(LySftpRequest *request, uint8_t type)
{
    LySftpServerJob *job = job_of(request);
    ly_buf_clear(&job->reply);
    job->reply.limit = REPLY_MAX;
    ly_put_u32(&job->reply, 0);
    ly_put_u8(&job->reply, type);
    ly_put_u32(&job->reply, request->id);
    return job;
}

static void end(LySftpServerJob *job, LyBytes data)
{
    if (job->reply.failed || job->reply.len + data.len > REPLY_MAX) {
        ly_sftp_reply_status(&job->request, SSH_FX_FAILURE, "the answer does not fit into a packet");
        return;
    }
    ly_store_u32(job->reply.data, (uint32_t)(job->reply.len + data.len - 4));
    LyBytes parts[2] = {ly_buf_bytes(&job->reply), data};
    ly_sftp_outbox_send(&job->request.server->outbox, parts, data.len ? 2 : 1);
    ly_sftp_job_end(job);
}

void ly_sftp_reply_status(LySftpRequest *request, uint32_t status, const char *message)
{
    LySftpServerJob *job = begin(request, SSH_FXP_STATUS);
    LyBytes text = ly_bytes_slice(ly_bytes_str(message ? message : ly_sftp_status_text(status)), 0, 4096);
    ly_put_u32(&job->reply, status);
    ly_put_string(&job->reply, text);
    ly_put_string(&job->reply, (LyBytes){0}); /* language tag */
    ly_log(&request->server->options.log, LY_LOG_DEBUG, "request %u: %s (%s)", request->id,
           ly_sftp_status_name(status), LY_PRINTABLE(text));
    end(job, (LyBytes){0});
}

uint32_t ly_sftp_status_of_errno(int error)
{
    switch (error) {
    case 0:
        return SSH_FX_OK;
    case ENOENT:
    case ENOTDIR:
    case EBADF:
    case ELOOP:
        return SSH_FX_NO_SUCH_FILE;
    case EPERM:
    case EACCES:
    case EFAULT:
        return SSH_FX_PERMISSION_DENIED;
    case ENAMETOOLONG:
    case EINVAL:
        return SSH_FX_BAD_MESSAGE;
    case ENOSYS:
        return SSH_FX_OP_UNSUPPORTED;
    default:
        return SSH_FX_FAILURE;
    }
}

void ly_sftp_reply_errno(LySftpRequest *request, int error)
{
    ly_sftp_reply_status(request, ly_sftp_status_of_errno(error), error ? strerror(error) : NULL);
}

bool ly_sftp_reply_handle(LySftpRequest *request, void *object, bool is_directory)
{
    LySftpServer *server = request->server;
    LySftpServerHandle *handle = ly_new(LySftpServerHandle);
    handle->object = object;
    handle->is_directory = is_directory;
    if (!ly_slots_take(&server->handles, handle, &handle->slot)) {
        ly_free(handle);
        ly_sftp_reply_status(request, SSH_FX_FAILURE, "too many open files");
        return false;
    }
    LySftpServerJob *job = begin(request, SSH_FXP_HANDLE);
    uint8_t wire[4];
    ly_store_u32(wire, handle->slot);
    ly_put_string(&job->reply, ly_bytes(wire, sizeof wire));
    end(job, (LyBytes){0});
    return true;
}

void ly_sftp_reply_data(LySftpRequest *request, LyBytes data)
{
    LySftpServerJob *job = begin(request, SSH_FXP_DATA);
    data = ly_bytes_slice(data, 0, LY_MIN(request->len, LY_SFTP_TRANSFER_MAX));
    ly_put_u32(&job->reply, (uint32_t)data.len);
    end(job, data);
}

void ly_sftp_reply_attrs(LySftpRequest *request, const LySftpAttrs *attrs)
{
    LySftpServerJob *job = begin(request, SSH_FXP_ATTRS);
    ly_put_attrs(&job->reply, attrs);
    end(job, (LyBytes){0});
}

void ly_sftp_reply_names_begin(LySftpRequest *request)
{
    LySftpServerJob *job = begin(request, SSH_FXP_NAME);
    job->names_mark = job->reply.len;
    job->name_count = 0;
    ly_put_u32(&job->reply, 0);
}

bool ly_sftp_reply_names_add(LySftpRequest *request, LyBytes filename, LyBytes longname,
                             const LySftpAttrs *attrs)
{
    LySftpServerJob *job = job_of(request);
    size_t before = job->reply.len;
    /* The first entry gets the whole packet, so that one that is long is not put off for ever. */
    size_t most = job->name_count ? NAMES_MAX : REPLY_MAX, room = most > before ? most - before : 0;
    if (filename.len > room || longname.len > room - filename.len || filename.len + longname.len + 64 > room)
        return false;
    ly_put_string(&job->reply, filename);
    ly_put_string(&job->reply, longname);
    ly_put_attrs(&job->reply, attrs);
    job->name_count++;
    return true;
}

void ly_sftp_reply_names_end(LySftpRequest *request)
{
    LySftpServerJob *job = job_of(request);
    ly_store_u32(job->reply.data + job->names_mark, job->name_count);
    end(job, (LyBytes){0});
}

void ly_sftp_reply_extended(LySftpRequest *request, LyBytes payload)
{
    end(begin(request, SSH_FXP_EXTENDED_REPLY), payload);
}
