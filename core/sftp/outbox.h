/* What both ends of SFTP use to send: packets are offered to the sink at once; only what it does not take is
 * copied. Private to the floor. */
#ifndef LY_SFTP_OUTBOX_H
#define LY_SFTP_OUTBOX_H

#include "sftp/client.h"

typedef struct LySftpOutbox {
    LySftpSink sink;
    LyBuf pending; /* bytes that the sink has not taken, after `sent` ones that it has */
    size_t sent;
    size_t limit; /* bytes that may wait */
} LySftpOutbox;

void ly_sftp_outbox_init(LySftpOutbox *outbox, LySftpSink sink, size_t limit);
void ly_sftp_outbox_free(LySftpOutbox *outbox);
size_t ly_sftp_outbox_len(const LySftpOutbox *outbox);
/* Whether `len` more bytes could wait if the sink took none of them. Ask before sending. */
bool ly_sftp_outbox_fits(const LySftpOutbox *outbox, size_t len);
void ly_sftp_outbox_send(LySftpOutbox *outbox, const LyBytes *parts, size_t count);
void ly_sftp_outbox_flush(LySftpOutbox *outbox);

#endif
