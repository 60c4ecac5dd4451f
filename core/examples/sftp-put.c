/* sftp-put: a file to a server over SFTP, in many chunks at once, with a progress bar.
 *     sftp-put user@host ./page.html /srv/www/page.html */
#include <stdio.h>

#include "common.h"
#include "loop/sftp.h"
#include "loop/transfer.h"

typedef struct Put {
    Example example;
    const char *local, *remote;
    bool preserve;
    LySftp *sftp;
    LyTransfer *transfer;
} Put;

/* At most once an iteration of the loop, however many chunks arrived in it. */
static void step(void *user, uint64_t done_len, uint64_t total_len)
{
    example_draw_progress(done_len, total_len);
}

/* Once. The transfer frees itself. */
static void done(void *user, uint64_t len, const LyError *error)
{
    Put *put = user;
    put->transfer = NULL;
    if (isatty(STDERR_FILENO))
        fputc('\n', stderr); /* behind the progress */
    if (!error)
        example_end(&put->example, 0);
    else if (error->code != LY_ERROR_DISCONNECT) /* `closed` says more */
        example_fail(&put->example, error);
}

static void sftp_ready(void *user)
{
    Put *put = user;
    LyError error;
    /* A file that is not there yet gets the mode that it has here. */
    LyTransferOptions options = {
        .mode = UINT32_MAX, .preserve = put->preserve, .step = step, .done = done, .user = put};
    put->transfer = ly_fast_put(put->example.loop, ly_sftp_client(put->sftp), put->local,
                                ly_bytes_str(put->remote), &options, &error);
    if (!put->transfer)
        example_fail(&put->example, &error);
}

/* The server ended SFTP, or could not start it. */
static void sftp_closed(void *user, const LyError *error)
{
    Put *put = user;
    if (ly_client_session(put->example.client)) /* else the connection ended, and common.c says why */
        example_fail(&put->example, error);
}

static void ready(void *user)
{
    Put *put = user;
    LySftpEvents events = {.ready = sftp_ready, .closed = sftp_closed, .user = put};
    LyError error;
    put->sftp = ly_sftp_new(put->example.client, NULL, &events, &error);
    if (!put->sftp)
        example_fail(&put->example, &error);
}

int main(int argc, char **argv)
{
    Put put = {0};
    example_init(&put.example, argc, argv, "[-t] [-p port] [-o Name=value] [user@]host local remote");
    while (example_option(&put.example, argc, argv, "t") != -1)
        put.preserve = true; /* times and permissions */
    example_expect(&put.example, argc, 3, false);
    example_set_host(&put.example, argv[optind]);
    put.local = argv[optind + 1];
    put.remote = argv[optind + 2];
    int status = example_run(&put.example, ready, &put);
    ly_transfer_cancel(put.transfer); /* one that is under way; before its client */
    ly_sftp_free(put.sftp);
    example_clear(&put.example);
    return status;
}
