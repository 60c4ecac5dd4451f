/* sftp-get: a file from a server over SFTP, in many chunks at once, with a progress bar.
 *     sftp-get user@host /var/log/syslog ./syslog */
#include <stdio.h>

#include "common.h"
#include "loop/sftp.h"
#include "loop/transfer.h"

typedef struct Get {
    Example example;
    const char *remote, *local;
    bool preserve;
    LySftp *sftp;
    LyTransfer *transfer;
} Get;

/* At most once an iteration of the loop, however many chunks arrived in it. */
static void step(void *user, uint64_t done_len, uint64_t total_len)
{
    example_draw_progress(done_len, total_len);
}

/* Once. The transfer frees itself. */
static void done(void *user, uint64_t len, const LyError *error)
{
    Get *get = user;
    get->transfer = NULL;
    if (isatty(STDERR_FILENO))
        fputc('\n', stderr); /* behind the progress */
    if (!error)
        example_end(&get->example, 0);
    else if (error->code != LY_ERROR_DISCONNECT) /* `closed` says more */
        example_fail(&get->example, error);
}

static void sftp_ready(void *user)
{
    Get *get = user;
    LyError error;
    /* A file that is not there yet gets the mode that it has on the server. */
    LyTransferOptions options = {
        .mode = UINT32_MAX, .preserve = get->preserve, .step = step, .done = done, .user = get};
    get->transfer = ly_fast_get(get->example.loop, ly_sftp_client(get->sftp), ly_bytes_str(get->remote),
                                get->local, &options, &error);
    if (!get->transfer)
        example_fail(&get->example, &error);
}

/* The server ended SFTP, or could not start it. */
static void sftp_closed(void *user, const LyError *error)
{
    Get *get = user;
    if (ly_client_session(get->example.client)) /* else the connection ended, and common.c says why */
        example_fail(&get->example, error);
}

static void ready(void *user)
{
    Get *get = user;
    LySftpEvents events = {.ready = sftp_ready, .closed = sftp_closed, .user = get};
    LyError error;
    get->sftp = ly_sftp_new(get->example.client, NULL, &events, &error);
    if (!get->sftp)
        example_fail(&get->example, &error);
}

int main(int argc, char **argv)
{
    Get get = {0};
    example_init(&get.example, argc, argv, "[-t] [-p port] [-o Name=value] [user@]host remote local");
    while (example_option(&get.example, argc, argv, "t") != -1)
        get.preserve = true; /* times and permissions */
    example_expect(&get.example, argc, 3, false);
    example_set_host(&get.example, argv[optind]);
    get.remote = argv[optind + 1];
    get.local = argv[optind + 2];
    int status = example_run(&get.example, ready, &get);
    ly_transfer_cancel(get.transfer); /* one that is under way; before its client */
    ly_sftp_free(get.sftp);
    example_clear(&get.example);
    return status;
}
