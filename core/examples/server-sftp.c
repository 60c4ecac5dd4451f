/* server-sftp: serves one folder over SFTP, as its "/", to who has a key in authorized_keys.
 *     server-sftp -p 2222 -h hostkey -k ~/.ssh/authorized_keys ~/Public
 *     sftp -P 2222 anybody@localhost */
#include "base/memory.h"
#include "serve.h"
#include "sftp/directory.h"

typedef struct Program {
    Example example;
    LyServerOptions options;
    const char *folder;
    bool read_only;
} Program;

/* Each session gets a backend. This one serves a real folder, which no "..", symbolic link or absolute path
 * leaves; an application with files of its own (a database, an archive) fills in a LySftpBackend with
 * functions of its own. */
static bool sftp(void *user, LyServer *server, LyServerChannel *session, LySftpServerOptions *options)
{
    const Program *program = user;
    LySftpDirectoryOptions directory = {
        .root = program->folder, .read_only = program->read_only, .umask = -1, .log = program->options.log};
    LyError error;
    LySftpDirectory *made = ly_sftp_directory_new(&directory, &options->backend, &error);
    if (!made) {
        example_say(&program->example, "%s", error.message);
        return false;
    }
    options->read_only = program->read_only;
    ly_server_channel_set_user(session, made);
    return true;
}

/* The library's SFTP server is gone by now, and the backend may go. */
static void session_closed(void *user, LyServer *server, LyServerChannel *session)
{
    ly_sftp_directory_free(ly_server_channel_user(session));
}

int main(int argc, char **argv)
{
    Program program = {0};
    LyServerOptions *options = &program.options;
    LyKey *host_key = NULL;
    int letter;
    example_init(&program.example, argc, argv, "[-r] [-p port] -h hostkey -k authorized_keys folder");
    while ((letter = example_option(&program.example, argc, argv, "rh:k:")) != -1) {
        if (letter == 'r')
            program.read_only = true;
        else if (letter == 'k')
            options->authorized_keys = optarg; /* read anew at each sign-in */
        else if (!host_key)
            host_key = example_read_key(&program.example, optarg);
    }
    example_expect(&program.example, argc, 1, false);
    if (!options->authorized_keys)
        example_die(&program.example, "nobody could sign in: give -k authorized_keys");
    program.folder = argv[optind];
    /* With a root the ready-made answers run no commands and no shells, and serve no other files either. */
    options->root = program.folder;
    options->handlers = (LyServerHandlers){.sftp = sftp, .session_closed = session_closed, .user = &program};
    int status = serve(&program.example, options, host_key);
    ly_key_unref(host_key);
    example_clear(&program.example);
    return status;
}
