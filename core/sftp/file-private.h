/* What readers, writers, whole files and trees share. */
#ifndef LY_SFTP_FILE_PRIVATE_H
#define LY_SFTP_FILE_PRIVATE_H

#include "sftp/file.h"

#define LY_SFTP_CHUNK_MAX (256u * 1024)

/* Bytes of one READ or WRITE: `wanted` (0: as many as may be), at most the server's limit. */
uint32_t ly_sftp_chunk(uint32_t wanted, uint64_t limit);
/* Why a request was refused: the session ended, or too many are open. */
uint32_t ly_sftp_refusal(const LySftpClient *client, LyBytes *message);
/* Ends the reader from within its `data`: its `done` gets this status once `data` has returned. */
void ly_sftp_reader_fail(LySftpReader *reader, uint32_t status, LyBytes message);

#endif
