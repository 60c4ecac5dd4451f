#include "crypto/compress.h"

#include <zlib.h>

#include "base/memory.h"

#define CHUNK 4096 /* bytes of room asked for at once */

struct LyCompressor {
    z_stream stream;
    bool inflate;
    bool broken; /* a stream that failed once has lost its place */
};

/* zlib's window holds the last 32 KiB of the session in the clear: it is cleansed when given back, so its
 * size stands in front. */
#define SIZE_ROOM 16

static voidpf allocate(voidpf opaque, uInt count, uInt len)
{
    size_t size = (size_t)count * len + SIZE_ROOM;
    uint8_t *memory = ly_alloc(size);
    memcpy(memory, &size, sizeof size);
    return memory + SIZE_ROOM;
}

static void release(voidpf opaque, voidpf address)
{
    size_t size;
    uint8_t *memory = (uint8_t *)address - SIZE_ROOM;
    memcpy(&size, memory, sizeof size);
    ly_cleanse(memory, size);
    ly_free(memory);
}

LyCompressor *ly_compressor_new(bool inflate)
{
    LyCompressor *compressor = ly_new(LyCompressor);
    compressor->inflate = inflate;
    compressor->stream.zalloc = allocate;
    compressor->stream.zfree = release;
    int status =
        inflate ? inflateInit(&compressor->stream) : deflateInit(&compressor->stream, Z_DEFAULT_COMPRESSION);
    compressor->broken = status != Z_OK; /* a zlib of another version than its header */
    return compressor;
}

void ly_compressor_free(LyCompressor *compressor)
{
    if (!compressor)
        return;
    if (compressor->inflate)
        inflateEnd(&compressor->stream);
    else
        deflateEnd(&compressor->stream);
    ly_free(compressor);
}

/* Room at the end of `out` for zlib to write into: what is there, or more; 0 bytes when `out` is at its
 * limit. */
static void lend_room(z_stream *stream, LyBuf *out)
{
    size_t limit = out->limit ? out->limit : LY_BUF_LIMIT, left = limit > out->len ? limit - out->len : 0;
    size_t room = LY_MIN(LY_MAX(out->cap - out->len, (size_t)CHUNK), left);
    stream->next_out = room ? ly_buf_room(out, room) : NULL;
    stream->avail_out = stream->next_out ? (uInt)LY_MIN(room, UINT32_MAX) : 0;
}

/* Runs deflate until it has taken its input and has no more to say. */
static bool deflate_all(LyCompressor *compressor, int flush, LyBuf *out)
{
    z_stream *stream = &compressor->stream;
    do {
        lend_room(stream, out);
        if (stream->avail_out == 0)
            return false;
        uInt room = stream->avail_out;
        int status = deflate(stream, flush);
        ly_buf_added(out, room - stream->avail_out);
        if (status == Z_BUF_ERROR) /* nothing to do: the flush had just filled the room */
            return true;
        if (status != Z_OK)
            return false;
    } while (stream->avail_out == 0);
    return true;
}

bool ly_compressor_deflate(LyCompressor *compressor, const LyBytes *parts, size_t count, LyBuf *out)
{
    z_stream *stream = &compressor->stream;
    bool ok = !compressor->inflate && !compressor->broken;
    for (size_t i = 0; ok && i < count; i++) {
        ok = parts[i].len <= UINT32_MAX;
        if (!ok || parts[i].len == 0)
            continue;
        stream->next_in = (Bytef *)parts[i].data;
        stream->avail_in = (uInt)parts[i].len;
        ok = deflate_all(compressor, Z_NO_FLUSH, out);
    }
    stream->next_in = NULL;
    stream->avail_in = 0;
    ok = ok && deflate_all(compressor, Z_PARTIAL_FLUSH, out);
    if (!ok)
        compressor->broken = true;
    return ok;
}

static bool inflate_all(z_stream *stream, LyBuf *out, LyError *error)
{
    for (;;) {
        uint8_t beyond; /* at the limit, one byte more tells whether there is more */
        lend_room(stream, out);
        bool full = stream->avail_out == 0;
        if (full) {
            stream->next_out = &beyond;
            stream->avail_out = 1;
        }
        uInt room = stream->avail_out;
        int status = inflate(stream, Z_SYNC_FLUSH);
        if (full && stream->avail_out == 0)
            return ly_error_set(error, LY_ERROR_LIMIT, "a compressed packet inflates to more than %zu bytes",
                                out->limit ? out->limit : LY_BUF_LIMIT);
        if (!full)
            ly_buf_added(out, room - stream->avail_out);
        if (status == Z_BUF_ERROR) /* no progress: the input is used up, and the output was flushed */
            return true;
        if (status != Z_OK)
            return ly_error_set(error, LY_ERROR_PROTOCOL, "a compressed packet is damaged: %s",
                                status == Z_STREAM_END ? "the zlib stream ends"
                                : stream->msg          ? stream->msg
                                                       : zError(status));
        if (stream->avail_in == 0 && stream->avail_out)
            return true;
    }
}

bool ly_compressor_inflate(LyCompressor *compressor, LyBytes in, LyBuf *out, LyError *error)
{
    if (!compressor->inflate || compressor->broken || in.len > UINT32_MAX)
        return ly_error_set(error, LY_ERROR_PROTOCOL, "the compressed stream is broken and cannot go on");
    compressor->stream.next_in = (Bytef *)in.data;
    compressor->stream.avail_in = (uInt)in.len;
    bool ok = inflate_all(&compressor->stream, out, error);
    compressor->stream.next_in = NULL;
    compressor->stream.avail_in = 0;
    if (!ok)
        compressor->broken = true;
    return ok;
}
