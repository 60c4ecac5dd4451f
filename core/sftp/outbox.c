#include "sftp/outbox.h"

#define KEEP_LEN ((size_t)4 << 20) /* an empty buffer larger than this is given back */

void ly_sftp_outbox_init(LySftpOutbox *outbox, LySftpSink sink, size_t limit)
{
    /* Taken bytes stay at the front until they are half of the buffer, so that flushing is linear. */
    *outbox = (LySftpOutbox){.sink = sink, .pending = LY_BUF(limit * 2), .limit = limit};
}

void ly_sftp_outbox_free(LySftpOutbox *outbox)
{
    ly_buf_free(&outbox->pending);
    outbox->sent = 0;
}

size_t ly_sftp_outbox_len(const LySftpOutbox *outbox)
{
    return outbox->pending.len - outbox->sent;
}

bool ly_sftp_outbox_fits(const LySftpOutbox *outbox, size_t len)
{
    size_t waiting = ly_sftp_outbox_len(outbox);
    return len <= outbox->limit && waiting <= outbox->limit - len;
}

void ly_sftp_outbox_send(LySftpOutbox *outbox, const LyBytes *parts, size_t count)
{
    size_t taken = 0;
    if (ly_sftp_outbox_len(outbox) == 0)
        taken = outbox->sink.write(outbox->sink.user, parts, count);
    for (size_t i = 0; i < count; i++) {
        size_t skip = LY_MIN(taken, parts[i].len);
        taken -= skip;
        ly_buf_add(&outbox->pending, ly_bytes_slice(parts[i], skip, parts[i].len));
    }
}

void ly_sftp_outbox_flush(LySftpOutbox *outbox)
{
    size_t waiting = ly_sftp_outbox_len(outbox);
    if (waiting == 0)
        return;
    LyBytes rest = ly_bytes_slice(ly_buf_bytes(&outbox->pending), outbox->sent, waiting);
    size_t taken = outbox->sink.write(outbox->sink.user, &rest, 1);
    outbox->sent += LY_MIN(taken, waiting);
    if (outbox->sent == outbox->pending.len) {
        if (outbox->pending.cap > KEEP_LEN)
            ly_buf_free(&outbox->pending);
        ly_buf_clear(&outbox->pending);
        outbox->sent = 0;
    } else if (outbox->sent >= outbox->pending.len / 2) {
        ly_buf_drop(&outbox->pending, outbox->sent);
        outbox->sent = 0;
    }
}
