/* sftp-files [-F FILE] [-o NAME=VALUE] [-c BYTES] [-n CHUNKS] [-m MODE] [-p] HOST COMMAND ARGUMENT...: one
 * SFTP session, one work; the seconds that it took are told on stderr. 1 and a sentence when it failed. get
 * REMOTE LOCAL, put LOCAL REMOTE                fast_get, fast_put (-c, -n, -m; -p preserves) read REMOTE
 * [START [LEN]], write REMOTE           a reader to stdout, stdin to a writer append REMOTE TEXT, size
 * REMOTE, link LINK TARGET mkdir PATH, remove PATH, copy FROM TO, walk PATH  trees; walk prints a line for
 * each entry */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "loop/sftp.h"
#include "loop/transfer.h"
#include "sftp/tree.h"

typedef struct Program {
    LyLoop *loop;
    LyClient *client;
    LySftp *sftp;
    LySftpReader *reader;
    LySftpWriter *writer;
    char **argument;
    LyTransferOptions transfer;
    LyBuf input;
    size_t taken;
    uint64_t begun_us;
    unsigned steps;
    int status;
} Program;

static void quit(Program *program, const LyError *error)
{
    if (error && program->status <= 0)
        fprintf(stderr, "%s\n", error->message);
    program->status = error ? 1 : 0;
    ly_loop_quit(program->loop);
}

static void file_done(void *user, const LySftpOutcome *outcome)
{
    LyError error;
    if (outcome->status != SSH_FX_OK)
        ly_sftp_outcome_error(outcome, &error);
    quit(user, outcome->status == SSH_FX_OK ? NULL : &error);
}

static void transfer_step(void *user, uint64_t done_len, uint64_t total_len)
{
    Program *program = user;
    program->steps++;
}

static void transfer_done(void *user, uint64_t len, const LyError *error)
{
    Program *program = user;
    double seconds = (double)(ly_loop_now_us(program->loop) - program->begun_us) / 1e6;
    fprintf(stderr, "%" PRIu64 " bytes in %.3f s, %u steps\n", len, seconds, program->steps);
    quit(program, error);
}

static void read_data(void *user, LyBytes data)
{
    Program *program = user;
    fwrite(data.data, 1, data.len, stdout);
    ly_sftp_reader_consumed(program->reader, data.len);
}

static void write_input(void *user)
{
    Program *program = user;
    LyBytes rest = ly_bytes_slice(ly_buf_bytes(&program->input), program->taken, program->input.len);
    program->taken += ly_sftp_writer_write(program->writer, rest);
    if (program->taken == program->input.len)
        ly_sftp_writer_finish(program->writer);
}

static bool found(void *user, LyBytes path, unsigned depth, const LySftpAttrs *attrs)
{
    printf("%u %o %s\n", depth, attrs->permissions, LY_PRINTABLE(path));
    return true;
}

static void replied(void *user, LySftpReply *reply)
{
    LySftpOutcome outcome = {.status = reply->status, .message = reply->message, .step = "ask for"};
    if (reply->type == LY_SFTP_REPLY_ATTRS)
        printf("%" PRIu64 "\n", reply->attrs.size);
    file_done(user, &outcome);
}

static bool begin(Program *program, const char *command)
{
    LySftpClient *client = ly_sftp_client(program->sftp);
    char **argument = program->argument;
    LyBytes first = ly_bytes_str(argument[0]), second = ly_bytes_str(argument[1]);
    LyError error = {0};
    bool ok = true;
    if (strcmp(command, "get") == 0 && argument[1]) {
        ok = ly_fast_get(program->loop, client, first, argument[1], &program->transfer, &error);
    } else if (strcmp(command, "put") == 0 && argument[1]) {
        ok = ly_fast_put(program->loop, client, argument[0], second, &program->transfer, &error);
    } else if (strcmp(command, "read") == 0) {
        LySftpReaderOptions options = {.path = first,
                                       .start = argument[1] ? strtoull(argument[1], NULL, 10) : 0,
                                       .len = UINT64_MAX,
                                       .chunk = program->transfer.chunk,
                                       .data = read_data,
                                       .done = file_done,
                                       .user = program};
        if (argument[1] && argument[2])
            options.len = strtoull(argument[2], NULL, 10);
        program->reader = ly_sftp_reader_new(client, &options);
    } else if (strcmp(command, "write") == 0) {
        LySftpWriterOptions options = {.path = first,
                                       .mode = program->transfer.mode,
                                       .chunk = program->transfer.chunk,
                                       .fsync = program->transfer.fsync,
                                       .writable = write_input,
                                       .done = file_done,
                                       .user = program};
        program->writer = ly_sftp_writer_new(client, &options);
        write_input(program);
    } else if (strcmp(command, "append") == 0) {
        ok = ly_sftp_write_file(client, first, second, UINT32_MAX, true, file_done, program);
    } else if (strcmp(command, "size") == 0) {
        ok = ly_sftp_stat(client, first, replied, program);
    } else if (strcmp(command, "link") == 0) {
        ok = ly_sftp_symlink(client, first, second, replied, program);
    } else if (strcmp(command, "mkdir") == 0) {
        ok = ly_sftp_mkdir_parents(client, first, 0755, file_done, program);
    } else if (strcmp(command, "remove") == 0) {
        ok = ly_sftp_remove_tree(client, first, file_done, program);
    } else if (strcmp(command, "copy") == 0) {
        ok = ly_sftp_copy_tree(client, first, second, file_done, program);
    } else if (strcmp(command, "walk") == 0) {
        ok = ly_sftp_walk(client, first, found, file_done, program);
    } else {
        ok = ly_error_set(&error, LY_ERROR_INVALID, "no such command: %s", command);
    }
    if (!ok)
        quit(program, &error);
    return ok;
}

static void sftp_ready(void *user)
{
    Program *program = user;
    program->begun_us = ly_loop_now_us(program->loop);
    begin(program, program->argument[-1]);
}

static void sftp_closed(void *user, const LyError *error)
{
    quit(user, error);
}

static void ready(void *user)
{
    Program *program = user;
    LySftpEvents events = {.ready = sftp_ready, .closed = sftp_closed, .user = program};
    LySftpOptions options = {.server = getenv("SFTP_SERVER")};
    LyError error;
    program->sftp = ly_sftp_new(program->client, &options, &events, &error);
    if (!program->sftp)
        quit(program, &error);
}

static void closed(void *user, const LyError *error, bool final)
{
    quit(user, error);
}

static void log_line(void *user, LyLogLevel level, const char *message)
{
    fprintf(stderr, "log: %s\n", message);
}

static void work(Program *program, const LyDestinationOptions *options)
{
    LyError error;
    LyDestination *destination = ly_destination_new(options, &error);
    if (!destination) {
        quit(program, &error);
        return;
    }
    LyClientEvents events = {.ready = ready, .closed = closed, .user = program};
    program->client = ly_client_new(program->loop, destination, &events);
    ly_loop_run(program->loop);
    ly_sftp_reader_free(program->reader);
    ly_sftp_writer_free(program->writer);
    ly_sftp_free(program->sftp);
    ly_client_free(program->client);
    ly_destination_unref(destination);
}

int main(int argc, char **argv)
{
    Program program = {.status = -1};
    const char *settings[32] = {0};
    size_t count = 0, len;
    LyDestinationOptions options = {
        .host = "server", .settings = settings, .log = {.write = log_line, .level = LY_LOG_WARNING}};
    program.transfer = (LyTransferOptions){
        .mode = UINT32_MAX, .step = transfer_step, .done = transfer_done, .user = &program};
    int option;
    while ((option = getopt(argc, argv, "+h:F:o:c:n:m:ps")) != -1) {
        if (option == 'h')
            options.host = optarg;
        else if (option == 'F')
            options.config_file = optarg;
        else if (option == 'o' && count < LY_COUNT(settings) - 1)
            settings[count++] = optarg;
        else if (option == 'c')
            program.transfer.chunk = (uint32_t)atoi(optarg);
        else if (option == 'n')
            program.transfer.concurrency = (uint32_t)atoi(optarg);
        else if (option == 'm')
            program.transfer.mode = (uint32_t)strtoul(optarg, NULL, 8);
        else if (option == 'p')
            program.transfer.preserve = true;
        else if (option == 's')
            program.transfer.fsync = true;
        else
            return 2;
    }
    if (argc - optind < 2)
        return 2;
    program.argument = argv + optind + 1;
    if (strcmp(argv[optind], "write") == 0) {
        program.input.limit = (size_t)1 << 30;
        while ((len = fread(ly_buf_room(&program.input, 65536), 1, 65536, stdin)) > 0)
            ly_buf_added(&program.input, len);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    options.crypto = ly_crypto_new(0, NULL);
    program.loop = ly_loop_new(NULL);
    work(&program, &options);
    ly_loop_free(program.loop);
    ly_crypto_unref(options.crypto);
    ly_buf_free(&program.input);
    return fflush(stdout) == 0 ? program.status : 1;
}
