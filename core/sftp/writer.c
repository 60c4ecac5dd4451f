/* A file written in order, behind its writer: small writes are gathered to chunks, and many chunks are under
 * way. What was sent is not kept. */
#include "base/memory.h"
#include "sftp/file-private.h"

#define BEHIND ((size_t)4 << 20)
#define WRITES_MAX 1024

typedef struct Write {
    LySftpWriter *writer;
    LySftpId id; /* 0: not under way */
    uint32_t len;
    struct Write *next_idle;
} Write;

struct LySftpWriter {
    LySftpClient *client;
    LySftpWriterOptions options;
    LyBuf path;
    uint8_t handle[LY_SFTP_HANDLE_MAX];
    size_t handle_len; /* 0: not open */
    LySftpId asked;    /* OPEN, FSTAT, fsync or CLOSE */
    uint32_t chunk_len;
    size_t behind; /* bytes */
    uint8_t *gathered;
    size_t gathered_len;
    Write *writes, *idle;
    size_t write_count;
    size_t in_flight, unacknowledged; /* WRITEs, their bytes */
    uint64_t next;                    /* offset of the next WRITE */
    unsigned depth;
    bool owns; /* the handle: it is closed at the end */
    bool may_write, blocked, finishing, synced, closing, ended, dead;
};

static void destroy(LySftpWriter *writer)
{
    if (writer->gathered)
        ly_cleanse(writer->gathered, writer->chunk_len);
    ly_free(writer->gathered);
    ly_free(writer->writes);
    ly_buf_free(&writer->path);
    ly_free(writer);
}

static void enter(LySftpWriter *writer)
{
    writer->depth++;
}

static void leave(LySftpWriter *writer)
{
    if (--writer->depth == 0 && writer->dead)
        destroy(writer);
}

static LyBytes handle_of(const LySftpWriter *writer)
{
    return ly_bytes(writer->handle, writer->handle_len);
}

/* Takes back what was asked. (WRITEs that were sent may still be carried out.) */
static void stop(LySftpWriter *writer)
{
    if (writer->ended)
        return;
    writer->ended = true;
    ly_sftp_cancel(writer->client, writer->asked);
    for (size_t i = 0; i < writer->write_count; i++)
        ly_sftp_cancel(writer->client, writer->writes[i].id);
    if (writer->handle_len && writer->owns && !writer->closing)
        ly_sftp_close(writer->client, handle_of(writer), NULL, NULL);
}

static void finish(LySftpWriter *writer, uint32_t status, LyBytes message, const char *step)
{
    if (writer->ended)
        return;
    LySftpOutcome outcome = {
        .status = status, .message = message, .step = step, .path = ly_buf_bytes(&writer->path)};
    stop(writer);
    writer->options.done(writer->options.user, &outcome);
}

static void refused(LySftpWriter *writer, const char *step)
{
    LyBytes message;
    uint32_t status = ly_sftp_refusal(writer->client, &message);
    finish(writer, status, message, step);
}

static void work(LySftpWriter *writer);

static void write_done(void *user, LySftpReply *reply)
{
    Write *write = user;
    LySftpWriter *writer = write->writer;
    write->id = 0;
    write->next_idle = writer->idle;
    writer->idle = write;
    writer->in_flight--;
    writer->unacknowledged -= write->len;
    enter(writer);
    if (reply->status != SSH_FX_OK)
        finish(writer, reply->status, reply->message, "write");
    work(writer);
    leave(writer);
}

static bool send_chunk(LySftpWriter *writer, LyBytes data)
{
    Write *write = writer->idle;
    if (!write)
        return false;
    write->id = ly_sftp_write(writer->client, handle_of(writer), writer->next, data, write_done, write);
    if (!write->id)
        return false;
    write->len = (uint32_t)data.len;
    writer->idle = write->next_idle;
    writer->next += data.len;
    writer->in_flight++;
    writer->unacknowledged += data.len;
    return true;
}

/* What was gathered leaves when it is a chunk, when there will be no more, and when nothing else is under
 * way. */
static void send_gathered(LySftpWriter *writer)
{
    if (!writer->may_write || !writer->gathered_len || writer->ended)
        return;
    if (writer->gathered_len < writer->chunk_len && !writer->finishing && writer->in_flight)
        return;
    if (send_chunk(writer, ly_bytes(writer->gathered, writer->gathered_len)))
        writer->gathered_len = 0;
    else if (!writer->in_flight)
        refused(writer, "write");
}

static void closed(void *user, LySftpReply *reply)
{
    LySftpWriter *writer = user;
    writer->asked = 0;
    enter(writer);
    finish(writer, reply->status, reply->message, reply->status == SSH_FX_OK ? NULL : "close");
    leave(writer);
}

static void synced(void *user, LySftpReply *reply)
{
    LySftpWriter *writer = user;
    writer->asked = 0;
    enter(writer);
    if (reply->status != SSH_FX_OK)
        finish(writer, reply->status, reply->message, "sync");
    work(writer);
    leave(writer);
}

/* All is acknowledged, and no more comes. */
static void conclude(LySftpWriter *writer)
{
    const char *step = "sync";
    if (writer->asked || writer->closing)
        return;
    if (writer->options.fsync && !writer->synced &&
        ly_sftp_client_has(writer->client, LY_SFTP_EXTENSION_FSYNC)) {
        writer->synced = true;
        writer->asked = ly_sftp_fsync(writer->client, handle_of(writer), synced, writer);
    } else if (writer->owns) {
        step = "close";
        writer->closing = true;
        writer->asked = ly_sftp_close(writer->client, handle_of(writer), closed, writer);
    } else {
        finish(writer, SSH_FX_OK, (LyBytes){0}, NULL);
        return;
    }
    if (!writer->asked)
        refused(writer, step);
}

static size_t room(const LySftpWriter *writer)
{
    size_t used = writer->unacknowledged + writer->gathered_len;
    return used < writer->behind ? writer->behind - used : 0;
}

static void work(LySftpWriter *writer)
{
    send_gathered(writer);
    if (writer->ended || !writer->may_write)
        return;
    if (writer->finishing) {
        if (!writer->in_flight && !writer->gathered_len)
            conclude(writer);
    } else if (writer->blocked && room(writer) && writer->gathered_len < writer->chunk_len) {
        writer->blocked = false;
        if (writer->options.writable)
            writer->options.writable(writer->options.user);
    }
}

static void examined(void *user, LySftpReply *reply)
{
    LySftpWriter *writer = user;
    writer->asked = 0;
    enter(writer);
    if (reply->type == LY_SFTP_REPLY_ATTRS) {
        writer->next = reply->attrs.flags & SSH_FILEXFER_ATTR_SIZE ? reply->attrs.size : 0;
        writer->may_write = true;
        work(writer);
    } else {
        finish(writer, reply->status, reply->message, "examine");
    }
    leave(writer);
}

static void opened(void *user, LySftpReply *reply)
{
    LySftpWriter *writer = user;
    writer->asked = 0;
    enter(writer);
    if (reply->type != LY_SFTP_REPLY_HANDLE) {
        finish(writer, reply->status, reply->message, "open");
        leave(writer);
        return;
    }
    memcpy(writer->handle, reply->handle.data, reply->handle.len);
    writer->handle_len = reply->handle.len;
    if (writer->options.pflags & SSH_FXF_APPEND) { /* some servers do not know it, and look at the offset */
        writer->asked = ly_sftp_fstat(writer->client, reply->handle, examined, writer);
        if (!writer->asked)
            refused(writer, "examine");
    } else {
        writer->may_write = true;
        work(writer);
    }
    leave(writer);
}

static void prepare(LySftpWriter *writer)
{
    const LySftpWriterOptions *options = &writer->options;
    uint64_t limit = ly_sftp_client_limits(writer->client)->max_write;
    writer->behind = options->behind ? options->behind : BEHIND;
    writer->chunk_len = ly_sftp_chunk(options->chunk, LY_MIN(limit, (uint64_t)writer->behind));
    writer->write_count = LY_MIN(writer->behind / writer->chunk_len + 1, (size_t)WRITES_MAX);
    writer->writes = ly_new_array(Write, writer->write_count);
    for (size_t i = 0; i < writer->write_count; i++) {
        writer->writes[i] = (Write){.writer = writer, .next_idle = writer->idle};
        writer->idle = &writer->writes[i];
    }
    writer->next = options->start;
}

LySftpWriter *ly_sftp_writer_new(LySftpClient *client, const LySftpWriterOptions *options)
{
    LySftpWriter *writer = ly_new(LySftpWriter);
    LySftpAttrs attrs = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS, .permissions = options->mode & 07777};
    writer->client = client;
    writer->options = *options;
    ly_buf_add(&writer->path, options->path);
    writer->options.path = ly_buf_bytes(&writer->path);
    writer->owns = options->handle.len == 0;
    if (!options->pflags)
        writer->options.pflags = SSH_FXF_WRITE | SSH_FXF_CREAT | SSH_FXF_TRUNC;
    prepare(writer);
    bool ok = options->handle.len <= LY_SFTP_HANDLE_MAX;
    if (writer->owns) {
        writer->asked = ly_sftp_open(client, writer->options.path, writer->options.pflags,
                                     options->mode == UINT32_MAX ? NULL : &attrs, opened, writer);
        ok = writer->asked != 0;
    } else if (ok) {
        memcpy(writer->handle, options->handle.data, options->handle.len);
        writer->handle_len = options->handle.len;
        writer->may_write = true;
    }
    if (!ok) {
        destroy(writer);
        return NULL;
    }
    return writer;
}

/* Whole chunks go to the sink where they lie. */
static size_t take(LySftpWriter *writer, LyBytes data)
{
    if (!writer->gathered_len && writer->may_write && data.len >= writer->chunk_len &&
        room(writer) >= writer->chunk_len && send_chunk(writer, ly_bytes_slice(data, 0, writer->chunk_len)))
        return writer->chunk_len;
    size_t len = LY_MIN(LY_MIN(data.len, room(writer)), writer->chunk_len - writer->gathered_len);
    if (!len)
        return 0;
    if (!writer->gathered)
        writer->gathered = ly_alloc(writer->chunk_len);
    memcpy(writer->gathered + writer->gathered_len, data.data, len);
    writer->gathered_len += len;
    send_gathered(writer);
    return len;
}

size_t ly_sftp_writer_write(LySftpWriter *writer, LyBytes data)
{
    size_t taken = 0, len = 1;
    enter(writer);
    while (!writer->ended && !writer->finishing && taken < data.len && len) {
        len = take(writer, ly_bytes_slice(data, taken, data.len));
        taken += len;
    }
    writer->blocked = taken < data.len;
    leave(writer);
    return taken;
}

void ly_sftp_writer_finish(LySftpWriter *writer)
{
    if (writer->finishing || writer->ended)
        return;
    writer->finishing = true;
    enter(writer);
    work(writer);
    leave(writer);
}

void ly_sftp_writer_free(LySftpWriter *writer)
{
    if (!writer || writer->dead)
        return;
    stop(writer);
    writer->dead = true;
    if (writer->depth == 0)
        destroy(writer);
}
