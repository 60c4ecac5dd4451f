/* The server's life and its reader: INIT, one table of all requests, what is refused before the backend is
 * asked. */
#include "sftp/server.h"

#include "base/auto.h"
#include "base/memory.h"
#include "base/names.h"
#include "sftp/server-private.h"

#define BACKLOG_MAX                                                                                          \
    ((size_t)64 << 10) /* of replies, over which no more requests are taken: what waits is copied twice */
#define UNUSED_MAX 8   /* finished jobs kept with their buffers */

/* `fields`: what follows the id (after the name of an extension), in order. p path, q second path, h handle
 * of any kind, f of a file, d of a directory, F second handle of a file, o offset, O second offset, n u32
 * length, N u64 length, b data, x pflags, a attrs, r whatever is left. */
typedef struct Row {
    const char *name; /* for -p, -P and -Q */
    const char *fields;
    uint8_t type;
    int8_t extension;
    bool changes;
    LyLogLevel level;
} Row;

#define PLAIN(type, name, fields, changes, level)                                                            \
    {                                                                                                        \
        name, fields, SSH_FXP_##type, -1, changes, LY_LOG_##level                                            \
    }
#define EXTENDED(extension, name, fields, changes, level)                                                    \
    {                                                                                                        \
        name, fields, SSH_FXP_EXTENDED, LY_SFTP_EXTENSION_##extension, changes, LY_LOG_##level               \
    }

static const Row rows[] = {
    PLAIN(OPEN, "open", "pxa", false, INFO),
    PLAIN(CLOSE, "close", "h", false, DEBUG),
    PLAIN(READ, "read", "fon", false, TRACE),
    PLAIN(WRITE, "write", "fob", true, TRACE),
    PLAIN(LSTAT, "lstat", "p", false, DEBUG),
    PLAIN(FSTAT, "fstat", "f", false, DEBUG),
    PLAIN(SETSTAT, "setstat", "pa", true, INFO),
    PLAIN(FSETSTAT, "fsetstat", "fa", true, INFO),
    PLAIN(OPENDIR, "opendir", "p", false, INFO),
    PLAIN(READDIR, "readdir", "d", false, DEBUG),
    PLAIN(REMOVE, "remove", "p", true, INFO),
    PLAIN(MKDIR, "mkdir", "pa", true, INFO),
    PLAIN(RMDIR, "rmdir", "p", true, INFO),
    PLAIN(REALPATH, "realpath", "p", false, DEBUG),
    PLAIN(STAT, "stat", "p", false, DEBUG),
    PLAIN(RENAME, "rename", "pq", true, INFO),
    PLAIN(READLINK, "readlink", "p", false, DEBUG),
    PLAIN(SYMLINK, "symlink", "pq", true, INFO),
    EXTENDED(POSIX_RENAME, "posix-rename", "pq", true, INFO),
    EXTENDED(STATVFS, "statvfs", "p", false, DEBUG),
    EXTENDED(FSTATVFS, "fstatvfs", "f", false, DEBUG),
    EXTENDED(HARDLINK, "hardlink", "pq", true, INFO),
    EXTENDED(FSYNC, "fsync", "f", true, DEBUG),
    EXTENDED(LSETSTAT, "lsetstat", "pa", true, INFO),
    EXTENDED(LIMITS, "limits", "", false, DEBUG),
    EXTENDED(EXPAND_PATH, "expand-path", "p", false, DEBUG),
    EXTENDED(COPY_DATA, "copy-data", "foNFO", true, INFO),
    EXTENDED(HOME_DIRECTORY, "home-directory", "p", false, DEBUG),
    EXTENDED(USERS_GROUPS, "users-groups-by-id", "r", false, DEBUG),
};
_Static_assert(LY_COUNT(rows) <= 64, "LySftpServer.denied has a bit per row");

static const struct {
    const char *wire, *version;
} extensions[] = {
#define ROW(id, wire, version) {wire, version},
    LY_SFTP_EXTENSIONS(ROW)
#undef ROW
};

void ly_sftp_request_names(LyBuf *out)
{
    for (size_t i = 0; i < LY_COUNT(rows); i++)
        ly_buf_add_format(out, "%s\n", rows[i].name);
}

static const Row *find_row(uint8_t type, int extension)
{
    for (size_t i = 0; i < LY_COUNT(rows); i++)
        if (rows[i].type == type && rows[i].extension == extension)
            return &rows[i];
    return NULL;
}

bool ly_sftp_request_changes(const LySftpRequest *request)
{
    if (request->type == SSH_FXP_OPEN)
        return (request->pflags & ~(uint32_t)SSH_FXF_READ) != 0;
    const Row *row = find_row(request->type, request->extension);
    return !row || row->changes;
}

static bool in_list(const char *list, const char *name)
{
    return list && ly_names_contain(ly_bytes_str(list), ly_bytes_str(name));
}

LySftpServer *ly_sftp_server_new(const LySftpServerOptions *options)
{
    LySftpServer *server = ly_new(LySftpServer);
    server->options = *options;
    LySftpServerOptions *own = &server->options;
    own->max_outstanding = own->max_outstanding ? own->max_outstanding : 256;
    own->max_handles = own->max_handles ? LY_MIN(own->max_handles, 65536u) : 1024;
    own->backend.extensions |= 1u << LY_SFTP_EXTENSION_LIMITS;
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        bool denied = in_list(own->denied_requests, rows[i].name) ||
                      (own->allowed_requests && !in_list(own->allowed_requests, rows[i].name));
        server->denied |= (uint64_t)denied << i;
    }
    /* The lists are read now and need not live on; what is kept is whether there was one. */
    own->denied_requests = NULL;
    own->allowed_requests = own->allowed_requests ? "" : NULL;
    ly_list_init(&server->open);
    ly_list_init(&server->unused);
    ly_slots_init(&server->handles, own->max_handles);
    /* Requests are not taken beyond the backlog, but those taken must be answered. */
    size_t replies_max = ((size_t)own->max_outstanding + 1) * (LY_SFTP_PACKET_MAX + 4);
    ly_sftp_outbox_init(&server->outbox, own->sink, BACKLOG_MAX + replies_max);
    return server;
}

static void free_job(LySftpServerJob *job)
{
    ly_buf_free(&job->packet);
    ly_buf_free(&job->reply);
    ly_free(job);
}

static void free_jobs(LyList *list)
{
    LySftpServerJob *job;
    while ((job = ly_list_first(list, LySftpServerJob, link))) {
        ly_link_remove(&job->link);
        free_job(job);
    }
}

void ly_sftp_server_free(LySftpServer *server)
{
    if (!server)
        return;
    const LySftpBackend *backend = &server->options.backend;
    ly_list_each(&server->open, LySftpServerJob, link, job)
    {
        LySftpServerHandle *handle = job->handles[0];
        if (handle && handle->closing == job) { /* the backend has not heard of this one */
            backend->close(backend->user, handle->object, NULL);
            ly_free(handle);
        } else if (backend->cancel) {
            backend->cancel(&job->request);
        }
    }
    uint32_t position = 0, slot;
    LySftpServerHandle *handle;
    while ((handle = ly_slots_each(&server->handles, &position, &slot))) {
        backend->close(backend->user, handle->object, NULL);
        ly_free(handle);
    }
    if (server->reading)
        free_job(server->reading);
    free_jobs(&server->open);
    free_jobs(&server->unused);
    ly_slots_free(&server->handles);
    ly_sftp_outbox_free(&server->outbox);
    ly_free(server);
}

/* Jobs. */

static LySftpServerJob *take_job(LySftpServer *server)
{
    LySftpServerJob *job = ly_list_first(&server->unused, LySftpServerJob, link);
    if (!job) {
        job = ly_new(LySftpServerJob);
        job->packet.limit = LY_SFTP_PACKET_MAX;
        return job;
    }
    ly_link_remove(&job->link);
    server->unused_count--;
    ly_buf_clear(&job->packet);
    return job;
}

static void close_handle(LySftpServer *server, LySftpServerHandle *handle, LySftpServerJob *job)
{
    void *object = handle->object;
    ly_free(handle);
    job->handles[0] = NULL;
    server->options.backend.close(server->options.backend.user, object, &job->request);
}

/* A CLOSE waits until the other requests on its handle were answered. */
static void release_handles(LySftpServer *server, LySftpServerJob *job)
{
    for (size_t i = 0; i < LY_COUNT(job->handles); i++) {
        LySftpServerHandle *handle = job->handles[i];
        job->handles[i] = NULL;
        if (handle && --handle->busy == 0 && handle->closing)
            close_handle(server, handle, handle->closing);
    }
}

void ly_sftp_job_end(LySftpServerJob *job)
{
    LySftpServer *server = job->request.server;
    ly_link_remove(&job->link);
    server->outstanding--;
    release_handles(server, job);
    if (server->unused_count < UNUSED_MAX) {
        ly_list_prepend(&server->unused, &job->link);
        server->unused_count++;
    } else {
        free_job(job);
    }
}

/* Requests. */

static bool fail(LySftpServer *server, const char *what)
{
    server->failed = true;
    return ly_error_set(&server->error, LY_ERROR_PROTOCOL, "the SFTP client sent %s: the session ends", what);
}

static bool init_received(LySftpServer *server, LyReader *reader)
{
    uint32_t version = ly_get_u32(reader);
    if (reader->failed)
        return fail(server, "an SSH_FXP_INIT that is cut short");
    if (version < 3)
        return fail(server, "SSH_FXP_INIT with a version below 3, which is the one spoken here");
    if (server->init_received)
        return fail(server, "a second SSH_FXP_INIT");
    server->init_received = true;
    LY_AUTO(ly_buf_free) LyBuf packet = {0};
    size_t mark = ly_put_string_begin(&packet);
    ly_put_u8(&packet, SSH_FXP_VERSION);
    ly_put_u32(&packet, 3);
    for (size_t i = 0; i < LY_COUNT(extensions); i++) {
        const Row *row = find_row(SSH_FXP_EXTENDED, (int)i);
        if (!(server->options.backend.extensions & 1u << i) || (row && server->denied >> (row - rows) & 1))
            continue; /* what is denied is not offered: clients have other ways then */
        ly_put_cstring(&packet, extensions[i].wire);
        ly_put_cstring(&packet, extensions[i].version);
    }
    ly_put_string_end(&packet, mark);
    LyBytes bytes = ly_buf_bytes(&packet);
    ly_sftp_outbox_send(&server->outbox, &bytes, 1);
    return true;
}

static int find_extension(LyBytes name)
{
    for (size_t i = 0; i < LY_COUNT(extensions); i++)
        if (ly_bytes_is(name, extensions[i].wire))
            return (int)i;
    return -1;
}

static LyBytes get_path(LyReader *reader)
{
    LyBytes path = ly_get_string(reader);
    /* A NUL would cut the path short wherever it becomes a C string. */
    if (path.len > LY_SFTP_PATH_MAX || ly_bytes_has_nul(path))
        reader->failed = true;
    return path;
}

enum { ANY_KIND, FILE_KIND, DIRECTORY_KIND };

/* Sets *object, and keeps the handle open until the request was answered; false when there is no such handle
 * of that kind. */
static bool get_handle(LySftpServerJob *job, LyReader *reader, int kind, LySftpServerHandle **kept,
                       void **object)
{
    LyBytes wire = ly_get_string(reader);
    LySftpServerHandle *handle = NULL;
    if (wire.len == 4)
        handle = ly_slots_find(&job->request.server->handles, ly_load_u32(wire.data));
    if (!handle || (kind != ANY_KIND && handle->is_directory != (kind == DIRECTORY_KIND)))
        return false;
    handle->busy++;
    *kept = handle;
    *object = handle->object;
    return true;
}

static uint32_t get_field(LySftpServerJob *job, char field, LyReader *reader)
{
    LySftpRequest *request = &job->request;
    bool found = true;
    switch (field) {
    case 'p':
        request->path = get_path(reader);
        break;
    case 'q':
        request->path2 = get_path(reader);
        break;
    case 'h':
        found = get_handle(job, reader, ANY_KIND, &job->handles[0], &request->handle);
        break;
    case 'f':
        found = get_handle(job, reader, FILE_KIND, &job->handles[0], &request->handle);
        break;
    case 'd':
        found = get_handle(job, reader, DIRECTORY_KIND, &job->handles[0], &request->handle);
        break;
    case 'F':
        found = get_handle(job, reader, FILE_KIND, &job->handles[1], &request->handle2);
        break;
    case 'o':
        request->offset = ly_get_u64(reader);
        break;
    case 'O':
        request->offset2 = ly_get_u64(reader);
        break;
    case 'n':
        request->len = ly_get_u32(reader);
        request->len = LY_MIN(request->len, LY_SFTP_TRANSFER_MAX);
        break;
    case 'N':
        request->len = ly_get_u64(reader);
        break;
    case 'b':
        request->data = ly_get_string(reader);
        break;
    case 'x':
        request->pflags = ly_get_u32(reader);
        break;
    case 'a':
        ly_get_attrs(reader, &request->attrs);
        break;
    case 'r':
        ly_get_rest(reader);
        break;
    }
    return reader->failed ? SSH_FX_BAD_MESSAGE : found ? SSH_FX_OK : SSH_FX_FAILURE;
}

static uint32_t get_fields(LySftpServerJob *job, const Row *row, LyReader *reader)
{
    uint32_t status = SSH_FX_OK;
    for (const char *field = row->fields; *field && status == SSH_FX_OK; field++)
        status = get_field(job, *field, reader);
    LySftpRequest *request = &job->request;
    if (request->type == SSH_FXP_SYMLINK && request->server->options.symlink_openssh_order) {
        LyBytes target = request->path;
        request->path = request->path2;
        request->path2 = target;
    }
    return status;
}

static void log_request(const LySftpRequest *request, const Row *row)
{
    const LyLog *log = &request->server->options.log;
    if (!log->write || row->level > log->level)
        return;
    if (row->type == SSH_FXP_READ || row->type == SSH_FXP_WRITE)
        ly_log(log, row->level, "%s: request %u, offset %llu, %zu bytes", row->name, request->id,
               (unsigned long long)request->offset,
               row->type == SSH_FXP_READ ? (size_t)request->len : request->data.len);
    else if (request->path2.len)
        ly_log(log, row->level, "%s \"%s\" \"%s\"", row->name, LY_PRINTABLE(request->path),
               LY_PRINTABLE(request->path2));
    else if (request->path.len)
        ly_log(log, row->level, "%s \"%s\"", row->name, LY_PRINTABLE(request->path));
    else
        ly_log(log, row->level, "%s: request %u", row->name, request->id);
}

static void reply_limits(LySftpRequest *request)
{
    LY_AUTO(ly_buf_free) LyBuf payload = {0};
    ly_put_u64(&payload, LY_SFTP_PACKET_MAX);
    ly_put_u64(&payload, LY_SFTP_TRANSFER_MAX);
    ly_put_u64(&payload, LY_SFTP_TRANSFER_MAX);
    ly_put_u64(&payload, request->server->options.max_handles);
    ly_sftp_reply_extended(request, ly_buf_bytes(&payload));
}

static void close_received(LySftpServer *server, LySftpServerJob *job)
{
    LySftpServerHandle *handle = job->handles[0];
    ly_slots_give(&server->handles, handle->slot); /* no later request finds it */
    handle->busy--;
    if (handle->busy)
        handle->closing = job;
    else
        close_handle(server, handle, job);
}

static void serve(LySftpServer *server, LySftpServerJob *job, const Row *row)
{
    LySftpRequest *request = &job->request;
    log_request(request, row);
    if (request->type == SSH_FXP_CLOSE)
        close_received(server, job);
    else if (request->extension == LY_SFTP_EXTENSION_LIMITS)
        reply_limits(request);
    else
        server->options.backend.request(request);
}

/* SSH_FX_OK: the backend may be asked. */
static uint32_t check(LySftpServerJob *job, const Row *row, LyReader *reader)
{
    LySftpServer *server = job->request.server;
    if (!row)
        return SSH_FX_OP_UNSUPPORTED;
    if (row->extension >= 0 && !(server->options.backend.extensions & 1u << row->extension))
        return SSH_FX_OP_UNSUPPORTED;
    if (server->denied >> (row - rows) & 1)
        return SSH_FX_PERMISSION_DENIED;
    uint32_t status = get_fields(job, row, reader);
    if (status == SSH_FX_OK && server->options.read_only && ly_sftp_request_changes(&job->request))
        return SSH_FX_PERMISSION_DENIED;
    return status;
}

static bool packet_received(LySftpServer *server, LySftpServerJob *job, LyBytes packet)
{
    LyReader reader = ly_reader(packet);
    uint8_t type = ly_get_u8(&reader);
    LySftpRequest *request = &job->request;
    *request = (LySftpRequest){
        .server = server, .backend = server->options.backend.user, .type = type, .extension = -1};
    if (type != SSH_FXP_INIT)
        request->id = ly_get_u32(&reader);
    if (type == SSH_FXP_INIT || !server->init_received || reader.failed) {
        ly_list_prepend(&server->unused, &job->link);
        server->unused_count++;
        return type == SSH_FXP_INIT ? init_received(server, &reader)
               : reader.failed      ? fail(server, "a request without an id")
                                    : fail(server, "a request before SSH_FXP_INIT");
    }
    ly_list_append(&server->open, &job->link);
    server->outstanding++;
    bool own_extension = false;
    if (type == SSH_FXP_EXTENDED) {
        request->extension_name = ly_get_string(&reader);
        request->extension_data = ly_bytes(reader.data, reader.len);
        request->extension = find_extension(request->extension_name);
        own_extension = !reader.failed && request->extension < 0 && !server->options.read_only &&
                        !server->options.allowed_requests;
    }
    if (own_extension) {
        server->options.backend.request(request);
        return true;
    }
    const Row *row = find_row(type, request->extension);
    uint32_t status = reader.failed ? SSH_FX_BAD_MESSAGE : check(job, row, &reader);
    if (status == SSH_FX_OK)
        serve(server, job, row);
    else
        ly_sftp_reply_status(request, status, NULL);
    return true;
}

/* The reader. */

static bool is_full(const LySftpServer *server)
{
    return server->outstanding >= server->options.max_outstanding ||
           ly_sftp_outbox_len(&server->outbox) >= BACKLOG_MAX;
}

static bool take_length(LySftpServer *server, LyBytes *bytes)
{
    size_t len = LY_MIN(sizeof server->head - server->head_len, bytes->len);
    memcpy(server->head + server->head_len, bytes->data, len);
    server->head_len += len;
    *bytes = ly_bytes_slice(*bytes, len, bytes->len);
    if (server->head_len < sizeof server->head)
        return true;
    server->left = ly_load_u32(server->head);
    return (server->left >= 1 && server->left <= LY_SFTP_PACKET_MAX) ||
           fail(server, "a packet that is empty or larger than 256 KiB");
}

static bool take_packet(LySftpServer *server, LyBytes *bytes)
{
    size_t len = LY_MIN(server->left, bytes->len);
    LyBytes piece = ly_bytes_slice(*bytes, 0, len);
    *bytes = ly_bytes_slice(*bytes, len, bytes->len);
    LySftpServerJob *job = server->reading ? server->reading : take_job(server);
    bool in_place = !server->reading && len == server->left && server->options.backend.answers_now;
    if (!in_place)
        ly_buf_add(&job->packet, piece);
    server->left -= len;
    server->reading = server->left ? job : NULL;
    if (server->left)
        return true;
    server->head_len = 0;
    return packet_received(server, job, in_place ? piece : ly_buf_bytes(&job->packet));
}

bool ly_sftp_server_receive(LySftpServer *server, LyBytes bytes, size_t *taken, LyError *error)
{
    LyBytes rest = bytes;
    while (rest.len && !server->failed && !is_full(server)) {
        if (server->head_len < sizeof server->head)
            take_length(server, &rest);
        else
            take_packet(server, &rest);
    }
    *taken = bytes.len - rest.len;
    if (server->failed && error)
        *error = server->error;
    return !server->failed;
}

void ly_sftp_server_flush(LySftpServer *server)
{
    ly_sftp_outbox_flush(&server->outbox);
}

size_t ly_sftp_server_pending_len(const LySftpServer *server)
{
    return ly_sftp_outbox_len(&server->outbox);
}

uint32_t ly_sftp_server_outstanding(const LySftpServer *server)
{
    return server->outstanding;
}
