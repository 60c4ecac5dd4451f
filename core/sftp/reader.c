/* A file read in order, ahead of its reader: a ring of chunks that are asked for together, filled in any
 * order and handed on in theirs. */
#include "base/memory.h"
#include "sftp/file-private.h"

#define AHEAD ((size_t)4 << 20)
#define CHUNKS_MAX ((size_t)1024)
/* Chunks asked for at first. It grows with each one that comes back whole, so that a short file costs few
 * requests. */
#define FIRST_CHUNKS 2

typedef struct Chunk {
    LySftpReader *reader;
    LySftpId id;       /* 0: nothing is asked */
    uint64_t offset;   /* in the file */
    uint32_t len;      /* wanted */
    uint32_t filled;   /* come */
    uint32_t handed;   /* of these, given to `data` */
    uint32_t consumed; /* and given back */
    uint8_t *buffer;   /* made when the chunk is used first */
} Chunk;

struct LySftpReader {
    LySftpClient *client;
    LySftpReaderOptions options;
    LyBuf path;
    uint8_t handle[LY_SFTP_HANDLE_MAX];
    size_t handle_len; /* 0: not open */
    LySftpId asked;    /* OPEN or CLOSE */
    uint32_t chunk_len;
    Chunk *ring;
    size_t ring_count, first, used; /* chunks: `used` ones from `first` on */
    size_t allowed;                 /* of ring_count, for now */
    uint64_t next, end;             /* offsets: asked for next; where the file ends, as far as is known */
    unsigned depth;
    bool owns; /* the handle: it is closed at the end */
    bool handing, closing, ended, dead;
    uint32_t failed; /* ly_sftp_reader_fail's status */
    LyBytes failed_message;
};

static void work(LySftpReader *reader);

static void destroy(LySftpReader *reader)
{
    for (size_t i = 0; i < reader->ring_count; i++)
        ly_free(reader->ring[i].buffer);
    ly_free(reader->ring);
    ly_buf_free(&reader->path);
    ly_free(reader);
}

static void enter(LySftpReader *reader)
{
    reader->depth++;
}

static void leave(LySftpReader *reader)
{
    if (--reader->depth == 0 && reader->dead)
        destroy(reader);
}

/* Takes back what was asked; the server's handle is closed unless it was closed already. */
static void stop(LySftpReader *reader)
{
    if (reader->ended)
        return;
    reader->ended = true;
    ly_sftp_cancel(reader->client, reader->asked);
    for (size_t i = 0; i < reader->ring_count; i++)
        ly_sftp_cancel(reader->client, reader->ring[i].id);
    if (reader->handle_len && reader->owns && !reader->closing)
        ly_sftp_close(reader->client, ly_bytes(reader->handle, reader->handle_len), NULL, NULL);
}

static void finish(LySftpReader *reader, uint32_t status, LyBytes message, const char *step)
{
    if (reader->ended)
        return;
    LySftpOutcome outcome = {
        .status = status, .message = message, .step = step, .path = ly_buf_bytes(&reader->path)};
    stop(reader);
    reader->options.done(reader->options.user, &outcome);
}

/* A server that closes badly has given all of the file nevertheless. */
static void closed(void *user, LySftpReply *reply)
{
    LySftpReader *reader = user;
    reader->asked = 0;
    enter(reader);
    finish(reader, SSH_FX_OK, (LyBytes){0}, NULL);
    leave(reader);
}

static void all_consumed(LySftpReader *reader)
{
    if (reader->closing || reader->ended)
        return;
    reader->closing = true;
    if (reader->owns)
        reader->asked =
            ly_sftp_close(reader->client, ly_bytes(reader->handle, reader->handle_len), closed, reader);
    if (!reader->asked)
        finish(reader, SSH_FX_OK, (LyBytes){0}, NULL);
}

static Chunk *chunk_at(LySftpReader *reader, size_t i)
{
    return &reader->ring[(reader->first + i) % reader->ring_count];
}

static void chunk_read(void *user, LySftpReply *reply)
{
    Chunk *chunk = user;
    LySftpReader *reader = chunk->reader;
    chunk->id = 0;
    enter(reader);
    if (reply->type == LY_SFTP_REPLY_DATA && reply->data_len) {
        bool whole = chunk->filled == 0 && reply->data_len == chunk->len;
        chunk->filled += (uint32_t)reply->data_len;
        if (whole)
            reader->allowed = LY_MIN(reader->allowed + 2, reader->ring_count);
    } else if (reply->type == LY_SFTP_REPLY_DATA || reply->status == SSH_FX_EOF) {
        reader->end = LY_MIN(reader->end, chunk->offset + chunk->filled);
    } else {
        finish(reader, reply->status, reply->message, "read");
    }
    work(reader);
    leave(reader);
}

static uint32_t wanted(const LySftpReader *reader, const Chunk *chunk)
{
    uint64_t at = chunk->offset + chunk->filled;
    return at >= reader->end ? 0 : (uint32_t)LY_MIN(chunk->len - chunk->filled, reader->end - at);
}

static bool ask_chunk(LySftpReader *reader, Chunk *chunk)
{
    uint32_t len = wanted(reader, chunk);
    if (len)
        chunk->id = ly_sftp_read(reader->client, ly_bytes(reader->handle, reader->handle_len),
                                 chunk->offset + chunk->filled, len, chunk->buffer + chunk->filled,
                                 chunk_read, chunk);
    return len == 0 || chunk->id;
}

/* Asks for the rest of short chunks, then for new ones. False: it was refused, and nothing is under way that
 * would let us try again. */
static bool ask(LySftpReader *reader)
{
    size_t asked = 0;
    bool refused = false;
    for (size_t i = 0; i < reader->used && !refused; i++) {
        Chunk *chunk = chunk_at(reader, i);
        if (!chunk->id)
            refused = !ask_chunk(reader, chunk);
        asked += chunk->id != 0;
    }
    while (!refused && reader->used < reader->allowed && reader->next < reader->end) {
        Chunk *chunk = chunk_at(reader, reader->used);
        uint8_t *buffer = chunk->buffer ? chunk->buffer : ly_alloc(reader->chunk_len);
        uint32_t len = (uint32_t)LY_MIN((uint64_t)reader->chunk_len, reader->end - reader->next);
        *chunk = (Chunk){.reader = reader, .offset = reader->next, .len = len, .buffer = buffer};
        refused = !ask_chunk(reader, chunk);
        if (refused)
            break;
        reader->used++;
        reader->next += len;
        asked++;
    }
    return !refused || asked;
}

/* No more of it comes. */
static bool is_complete(const LySftpReader *reader, const Chunk *chunk)
{
    return !chunk->id && wanted(reader, chunk) == 0;
}

/* What came after the end (the file grew behind it) is not part of it. */
static uint32_t usable(const LySftpReader *reader, const Chunk *chunk)
{
    if (chunk->offset >= reader->end)
        return 0;
    return (uint32_t)LY_MIN((uint64_t)chunk->filled, reader->end - chunk->offset);
}

static void hand_on(LySftpReader *reader)
{
    if (reader->handing)
        return; /* consumed() from within `data` */
    reader->handing = true;
    for (size_t i = 0; i < reader->used && !reader->ended && !reader->failed;) {
        Chunk *chunk = chunk_at(reader, i);
        uint32_t len = usable(reader, chunk);
        if (chunk->handed < len) {
            LyBytes data = ly_bytes(chunk->buffer + chunk->handed, len - chunk->handed);
            chunk->handed = len;
            reader->options.data(reader->options.user, data);
        } else if (!is_complete(reader, chunk)) {
            break;
        } else {
            i++;
        }
    }
    reader->handing = false;
}

/* Chunks that nobody looks at any more are free again; false: there were none. */
static bool recycle(LySftpReader *reader)
{
    size_t before = reader->used;
    while (reader->used) {
        Chunk *chunk = chunk_at(reader, 0);
        if (!is_complete(reader, chunk) || chunk->consumed < usable(reader, chunk))
            break;
        reader->first = (reader->first + 1) % reader->ring_count;
        reader->used--;
    }
    return reader->used < before;
}

static void refused(LySftpReader *reader)
{
    LyBytes message;
    uint32_t status = ly_sftp_refusal(reader->client, &message);
    finish(reader, status, message, "read");
}

static void work(LySftpReader *reader)
{
    if (reader->ended || !reader->ring || reader->handing)
        return;
    do {
        /* asking first, so that the server works while `data` does */
        if (!ask(reader))
            refused(reader);
        hand_on(reader);
        if (reader->failed)
            finish(reader, reader->failed, reader->failed_message, "read");
        if (reader->ended)
            return;
    } while (recycle(reader));
    if (reader->used == 0 && reader->next >= reader->end)
        all_consumed(reader);
}

static void begin(LySftpReader *reader)
{
    const LySftpLimits *limits = ly_sftp_client_limits(reader->client);
    size_t ahead = reader->options.ahead ? reader->options.ahead : AHEAD;
    uint64_t start = reader->options.start;
    reader->chunk_len = ly_sftp_chunk(reader->options.chunk, LY_MIN(limits->max_read, (uint64_t)ahead));
    reader->ring_count = LY_MAX(LY_MIN(ahead / reader->chunk_len, CHUNKS_MAX), (size_t)1);
    reader->ring = ly_new_array(Chunk, reader->ring_count);
    reader->allowed = LY_MIN(reader->ring_count, (size_t)FIRST_CHUNKS);
    reader->next = start;
    reader->end = reader->options.len > UINT64_MAX - start ? UINT64_MAX : start + reader->options.len;
}

static void opened(void *user, LySftpReply *reply)
{
    LySftpReader *reader = user;
    reader->asked = 0;
    enter(reader);
    if (reply->type == LY_SFTP_REPLY_HANDLE) {
        memcpy(reader->handle, reply->handle.data, reply->handle.len);
        reader->handle_len = reply->handle.len;
        begin(reader);
        work(reader);
    } else {
        finish(reader, reply->status, reply->message, "open");
    }
    leave(reader);
}

LySftpReader *ly_sftp_reader_new(LySftpClient *client, const LySftpReaderOptions *options)
{
    LySftpReader *reader = ly_new(LySftpReader);
    reader->client = client;
    reader->options = *options;
    ly_buf_add(&reader->path, options->path);
    reader->options.path = ly_buf_bytes(&reader->path);
    reader->owns = options->handle.len == 0;
    bool ok = options->handle.len <= LY_SFTP_HANDLE_MAX;
    if (reader->owns) {
        reader->asked = ly_sftp_open(client, reader->options.path, SSH_FXF_READ, NULL, opened, reader);
        ok = reader->asked != 0;
    } else if (ok) {
        memcpy(reader->handle, options->handle.data, options->handle.len);
        reader->handle_len = options->handle.len;
        begin(reader);
        if (reader->next >= reader->end) /* nothing to read: any reply will do to end with */
            reader->asked = ly_sftp_fstat(client, options->handle, closed, reader);
        else
            ok = ask(reader);
        ok = ok && (reader->asked || reader->used);
    }
    if (!ok) {
        destroy(reader);
        return NULL;
    }
    return reader;
}

void ly_sftp_reader_consumed(LySftpReader *reader, size_t len)
{
    if (reader->ended)
        return;
    enter(reader);
    for (size_t i = 0; i < reader->used && len; i++) {
        Chunk *chunk = chunk_at(reader, i);
        uint32_t taken = (uint32_t)LY_MIN((size_t)(chunk->handed - chunk->consumed), len);
        chunk->consumed += taken;
        len -= taken;
    }
    work(reader);
    leave(reader);
}

void ly_sftp_reader_fail(LySftpReader *reader, uint32_t status, LyBytes message)
{
    reader->failed = status;
    reader->failed_message = message;
}

void ly_sftp_reader_free(LySftpReader *reader)
{
    if (!reader || reader->dead)
        return;
    stop(reader);
    reader->dead = true;
    if (reader->depth == 0)
        destroy(reader);
}
