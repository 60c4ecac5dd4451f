/* Whole files and streams over an LySftpClient: many requests in flight, whatever size the server claims a
 * file to have. Short reads are asked again, the end of a file is where the server says SSH_FX_EOF. Nothing
 * here changes permissions: a mode is sent with OPEN alone. Paths are copied; completions run as
 * LySftpClient's do. */
#ifndef LY_SFTP_FILE_H
#define LY_SFTP_FILE_H

#include "sftp/client.h"

/* How an operation of several requests ended: the first STATUS that was not OK (SSH_FX_CONNECTION_LOST when
 * the session ended), its text, and what was asked then ("open", "read", "write" ...). Views live until it
 * returns. */
typedef struct LySftpOutcome {
    uint32_t status; /* SSH_FX_OK: all is well */
    LyBytes message;
    const char *step; /* a constant; NULL when all is well */
    LyBytes path;
} LySftpOutcome;
typedef void (*LySftpFileDone)(void *user, const LySftpOutcome *outcome);
/* "cannot open /x: Permission denied": code LY_ERROR_IO, or LY_ERROR_DISCONNECT when the session ended. */
void ly_sftp_outcome_error(const LySftpOutcome *outcome, LyError *error);

/* --- a file read in order, ahead of its reader --- */
typedef struct LySftpReader LySftpReader;
typedef struct LySftpReaderOptions {
    LyBytes path;        /* opened and closed by the reader; or */
    LyBytes handle;      /* an open one, which stays open */
    uint64_t start, len; /* which bytes; len UINT64_MAX: as far as it goes (0 reads nothing) */
    uint32_t chunk;      /* bytes of one READ; 0: as LySftpLimits, at most 256 KiB */
    size_t ahead;        /* bytes asked for and not yet consumed, at most; 0: 4 MiB */
    /* The file's next bytes; they are the caller's to look at until ly_sftp_reader_consumed gave as many back
     * (in the same call or any later one). */
    void (*data)(void *user, LyBytes data);
    /* Once, after all data was consumed, or at the first error; with a `handle` also from within
     * ly_sftp_reader_consumed. */
    LySftpFileDone done;
    void *user;
} LySftpReaderOptions;
/* NULL: the client is closed, or a path is too long. */
LySftpReader *ly_sftp_reader_new(LySftpClient *client, const LySftpReaderOptions *options);
void ly_sftp_reader_consumed(LySftpReader *reader, size_t len);
/* No callback comes any more; fine inside `data` and `done`; NULL is fine. Before ly_sftp_client_free, or
 * after `done`. */
void ly_sftp_reader_free(LySftpReader *reader);

/* --- a file written in order, behind its writer --- */
typedef struct LySftpWriter LySftpWriter;
typedef struct LySftpWriterOptions {
    LyBytes path;    /* opened and closed by the writer with `pflags`; or */
    LyBytes handle;  /* an open one, which stays open */
    uint32_t pflags; /* 0: WRITE, CREAT, TRUNC. With APPEND `start` is not looked at: FSTAT tells */
    uint32_t mode;   /* permissions of a file that OPEN makes; UINT32_MAX: the server's default */
    uint64_t start;  /* where the first byte goes */
    uint32_t chunk;  /* bytes of one WRITE; 0: as LySftpLimits, at most 256 KiB */
    size_t behind;   /* bytes written and not yet acknowledged, at most; 0: 4 MiB */
    bool fsync;      /* fsync@openssh.com before the close, where the server has it */
    void (*writable)(void *user); /* room again after ly_sftp_writer_write took less than was offered */
    /* Once: all is written and closed after ly_sftp_writer_finish, or the first error. With a `handle`, and
     * when the client takes no more requests, also from within ly_sftp_writer_write and
     * ly_sftp_writer_finish. */
    LySftpFileDone done;
    void *user;
} LySftpWriterOptions;
LySftpWriter *ly_sftp_writer_new(LySftpClient *client, const LySftpWriterOptions *options);
/* How many bytes were taken (copied, or handed to the client's sink). Before the file is open it takes one
 * chunk. Less than a chunk waits for more while other writes are under way. */
size_t ly_sftp_writer_write(LySftpWriter *writer, LyBytes data);
void ly_sftp_writer_finish(LySftpWriter *writer);
void ly_sftp_writer_free(LySftpWriter *writer); /* as the reader's */

/* --- whole files --- */
/* `done` gets the contents (empty unless all is well), which live until it returns. Files over `max_len`
 * bytes end with SSH_FX_FAILURE. */
typedef void (*LySftpContentsDone)(void *user, const LySftpOutcome *outcome, LyBytes contents);
bool ly_sftp_read_file(LySftpClient *client, LyBytes path, size_t max_len, LySftpContentsDone done,
                       void *user);
/* Contents are copied. `append`: at the end of the file (pflags APPEND and the size that FSTAT tells). */
bool ly_sftp_write_file(LySftpClient *client, LyBytes path, LyBytes contents, uint32_t mode, bool append,
                        LySftpFileDone done, void *user);

#endif
