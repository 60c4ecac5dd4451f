/* Whole files, and how the work on a file ends. */
#include "sftp/file-private.h"

#include "base/memory.h"

/* The server's words, or the standard ones when it has none. */
static LyBytes outcome_text(uint32_t status, LyBytes message)
{
    LyBytes text = ly_bytes_trim(message);
    return text.len ? text : ly_bytes_str(ly_sftp_status_text(status));
}

void ly_sftp_outcome_error(const LySftpOutcome *outcome, LyError *error)
{
    ly_error_set(error, outcome->status == SSH_FX_CONNECTION_LOST ? LY_ERROR_DISCONNECT : LY_ERROR_IO,
                 "cannot %s %s: %s", outcome->step ? outcome->step : "use", LY_PRINTABLE(outcome->path),
                 LY_PRINTABLE(outcome_text(outcome->status, outcome->message)));
}

uint32_t ly_sftp_chunk(uint32_t wanted, uint64_t limit)
{
    uint64_t chunk = wanted ? wanted : LY_SFTP_CHUNK_MAX;
    return (uint32_t)LY_MIN(LY_MIN(chunk, limit), (uint64_t)LY_SFTP_CHUNK_MAX);
}

uint32_t ly_sftp_refusal(const LySftpClient *client, LyBytes *message)
{
    bool closed = ly_sftp_client_is_closed(client);
    *message = closed ? (LyBytes){0} : LY_BYTES("too many requests are open");
    return closed ? SSH_FX_CONNECTION_LOST : SSH_FX_FAILURE;
}

/* Reading. */

typedef struct Contents {
    LySftpReader *reader;
    LyBuf text;
    size_t max_len;
    bool too_long;
    LySftpContentsDone done;
    void *user;
} Contents;

static void contents_done(void *user, const LySftpOutcome *outcome)
{
    Contents *contents = user;
    bool all = outcome->status == SSH_FX_OK;
    contents->done(contents->user, outcome, all ? ly_buf_bytes(&contents->text) : (LyBytes){0});
    ly_sftp_reader_free(contents->reader);
    ly_buf_free(&contents->text);
    ly_free(contents);
}

static void contents_data(void *user, LyBytes data)
{
    Contents *contents = user;
    if (data.len > contents->max_len - contents->text.len) {
        ly_sftp_reader_fail(contents->reader, SSH_FX_FAILURE, LY_BYTES("it is larger than was allowed"));
        return;
    }
    ly_buf_add(&contents->text, data);
    ly_sftp_reader_consumed(contents->reader, data.len);
}

bool ly_sftp_read_file(LySftpClient *client, LyBytes path, size_t max_len, LySftpContentsDone done,
                       void *user)
{
    Contents *contents = ly_new(Contents);
    LySftpReaderOptions options = {
        .path = path, .len = UINT64_MAX, .data = contents_data, .done = contents_done, .user = contents};
    *contents =
        (Contents){.text = LY_BUF(LY_MAX(max_len, 1)), .max_len = max_len, .done = done, .user = user};
    contents->reader = ly_sftp_reader_new(client, &options);
    if (!contents->reader)
        ly_free(contents);
    return contents->reader != NULL;
}

/* Writing. */

typedef struct Writing {
    LySftpWriter *writer;
    uint8_t *contents;
    size_t len, taken;
    bool writes, over; /* the end may come from within ly_sftp_writer_write */
    LySftpFileDone done;
    void *user;
} Writing;

static void release(Writing *writing)
{
    ly_sftp_writer_free(writing->writer);
    ly_cleanse(writing->contents, writing->len);
    ly_free(writing->contents);
    ly_free(writing);
}

static void writing_done(void *user, const LySftpOutcome *outcome)
{
    Writing *writing = user;
    writing->done(writing->user, outcome);
    writing->over = true;
    if (!writing->writes)
        release(writing);
}

static void write_on(void *user)
{
    Writing *writing = user;
    LyBytes rest = ly_bytes(writing->contents + writing->taken, writing->len - writing->taken);
    writing->writes = true;
    writing->taken += ly_sftp_writer_write(writing->writer, rest);
    writing->writes = false;
    if (writing->over)
        release(writing);
    else if (writing->taken == writing->len)
        ly_sftp_writer_finish(writing->writer);
}

bool ly_sftp_write_file(LySftpClient *client, LyBytes path, LyBytes contents, uint32_t mode, bool append,
                        LySftpFileDone done, void *user)
{
    Writing *writing = ly_new(Writing);
    LySftpWriterOptions options = {.path = path,
                                   .pflags = SSH_FXF_WRITE | SSH_FXF_CREAT |
                                             (append ? SSH_FXF_APPEND : SSH_FXF_TRUNC),
                                   .mode = mode,
                                   .writable = write_on,
                                   .done = writing_done,
                                   .user = writing};
    *writing = (Writing){.len = contents.len, .done = done, .user = user};
    writing->writer = ly_sftp_writer_new(client, &options);
    if (!writing->writer) {
        ly_free(writing);
        return false;
    }
    writing->contents = ly_alloc(LY_MAX(contents.len, 1));
    if (contents.len)
        memcpy(writing->contents, contents.data, contents.len);
    write_on(writing);
    return true;
}
