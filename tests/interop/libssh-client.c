/* libssh-client PORT KEY KNOWN_HOSTS DIRECTORY ECHOPORT: libssh as a client of core/examples/sshd. ECHOPORT
 * is where somebody echoes. Prints "ok NAME" or "not ok NAME: why". */
#define LIBSSH_STATIC 1
#include <arpa/inet.h>
#include <fcntl.h>
#include <libssh/libssh.h>
#include <libssh/sftp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHANNELS = 200, BULK = 5 << 20 };

static int failures;
static const char *directory, *known_hosts, *key_file;
static int port, echo_port;

static void report(const char *name, ssh_session session, int good)
{
    failures += !good;
    printf(good ? "ok libssh: %s\n" : "not ok libssh: %s: %s\n", name, session ? ssh_get_error(session) : "");
    fflush(stdout);
}

static ssh_session open_session(void)
{
    ssh_session session = ssh_new();
    int no = 0;
    uint64_t rekey = 1 << 20;
    long timeout = 60;
    ssh_options_set(session, SSH_OPTIONS_HOST, "127.0.0.1");
    ssh_options_set(session, SSH_OPTIONS_PORT, &port);
    ssh_options_set(session, SSH_OPTIONS_USER, "somebody");
    ssh_options_set(session, SSH_OPTIONS_KNOWNHOSTS, known_hosts);
    ssh_options_set(session, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null");
    ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &no);
    ssh_options_set(session, SSH_OPTIONS_TIMEOUT, &timeout);
    ssh_options_set(session, SSH_OPTIONS_REKEY_DATA, &rekey);
    int connected = ssh_connect(session);
    enum ssh_known_hosts_e known =
        connected == SSH_OK ? ssh_session_is_known_server(session) : SSH_KNOWN_HOSTS_ERROR;
    if (known != SSH_KNOWN_HOSTS_OK) {
        fprintf(stderr, "connected %d, known %d\n", connected, known);
        report("connect to a known host", session, 0);
        exit(1);
    }
    return session;
}

static void close_session(ssh_session session)
{
    ssh_disconnect(session);
    ssh_free(session);
}

static int sign_in(ssh_session session)
{
    ssh_key key = NULL;
    int result = ssh_pki_import_privkey_file(key_file, NULL, NULL, NULL, &key);
    if (result == SSH_OK)
        result = ssh_userauth_publickey(session, NULL, key);
    ssh_key_free(key);
    return result == SSH_AUTH_SUCCESS;
}

static int by_interactive(ssh_session session)
{
    int result = ssh_userauth_kbdint(session, NULL, NULL);
    while (result == SSH_AUTH_INFO) {
        for (int i = 0; i < ssh_userauth_kbdint_getnprompts(session); i++)
            ssh_userauth_kbdint_setanswer(session, (unsigned)i, "secret");
        result = ssh_userauth_kbdint(session, NULL, NULL);
    }
    return result == SSH_AUTH_SUCCESS;
}

static ssh_channel open_program(ssh_session session, const char *command)
{
    ssh_channel channel = ssh_channel_new(session);
    if (ssh_channel_open_session(channel) == SSH_OK && ssh_channel_request_exec(channel, command) == SSH_OK)
        return channel;
    ssh_channel_free(channel);
    return NULL;
}

static int read_all(ssh_channel channel, char *to, int max, int is_stderr)
{
    int len = 0, got;
    while (len < max && (got = ssh_channel_read(channel, to + len, (uint32_t)(max - len), is_stderr)) > 0)
        len += got;
    return len;
}

static void programs(ssh_session session)
{
    char out[64], err[64];
    ssh_channel channel = open_program(session, "echo out; echo err >&2; exit 9");
    int good = channel && read_all(channel, out, sizeof out, 0) == 4 &&
               read_all(channel, err, sizeof err, 1) == 4 && memcmp(out, "out\n", 4) == 0 &&
               memcmp(err, "err\n", 4) == 0 && ssh_channel_get_exit_status(channel) == 9;
    report("exec, stderr and exit status", session, good);
    ssh_channel_free(channel);

    channel = ssh_channel_new(session);
    ssh_channel_open_session(channel);
    good = ssh_channel_request_pty_size(channel, "vt100", 91, 37) == SSH_OK &&
           ssh_channel_request_env(channel, "LC_LIBSSH", "yes") == SSH_OK &&
           ssh_channel_request_exec(channel, "stty size; echo $TERM $LC_LIBSSH") == SSH_OK;
    int len = good ? read_all(channel, out, sizeof out - 1, 0) : 0;
    out[len] = 0;
    report("pty and env", session, good && strcmp(out, "37 91\r\nvt100 yes\r\n") == 0);
    ssh_channel_free(channel);
}

static void crowd(ssh_session session)
{
    ssh_channel channels[CHANNELS] = {NULL};
    int good = 1;
    for (int i = 0; i < CHANNELS && good; i++)
        good = (channels[i] = open_program(session, "cat")) != NULL;
    for (int i = CHANNELS; i-- > 0 && good;) {
        char text[32], back[32];
        int len = snprintf(text, sizeof text, "number %d", i);
        good = ssh_channel_write(channels[i], text, (uint32_t)len) == len &&
               ssh_channel_send_eof(channels[i]) == SSH_OK &&
               read_all(channels[i], back, sizeof back, 0) == len && memcmp(text, back, (size_t)len) == 0;
    }
    report("200 channels at once on one connection", session, good);
    for (int i = 0; i < CHANNELS; i++)
        if (channels[i])
            ssh_channel_free(channels[i]);
}

static char *bulk_new(void)
{
    char *data = malloc(BULK);
    for (int i = 0; i < BULK; i++)
        data[i] = (char)(i * 131 + (i >> 8) * 7 + (i >> 16));
    return data;
}

/* Writes all and reads all, in turns, for nothing else empties the windows. */
static int echoes(ssh_channel channel, const char *data)
{
    char block[32768];
    int sent = 0, received = 0, got;
    while (received < BULK) {
        if (sent < BULK) {
            int len = BULK - sent < 32768 ? BULK - sent : 32768;
            if (ssh_channel_write(channel, data + sent, (uint32_t)len) != len)
                return 0;
            sent += len;
            if (sent == BULK)
                ssh_channel_send_eof(channel);
        }
        do {
            got = ssh_channel_read_timeout(channel, block, sizeof block, 0, sent < BULK ? 0 : 10000);
            if (got > 0 && (received + got > BULK || memcmp(block, data + received, (size_t)got) != 0))
                return 0;
            received += got > 0 ? got : 0;
        } while (got > 0 && received < BULK);
        if (sent == BULK && got <= 0 && received < BULK)
            return 0;
    }
    return 1;
}

static void bulk(ssh_session session)
{
    char *data = bulk_new();
    ssh_channel channel = open_program(session, "cat");
    report("5 MiB both ways, a key exchange every MiB", session, channel && echoes(channel, data));
    if (channel)
        ssh_channel_free(channel);

    channel = ssh_channel_new(session);
    int good = ssh_channel_open_forward(channel, "127.0.0.1", echo_port, "127.0.0.1", 9) == SSH_OK &&
               echoes(channel, data);
    report("a forward to here", session, good);
    ssh_channel_free(channel);
    free(data);
}

static void forward_back(ssh_session session)
{
    int bound = 0, destination = 0, good;
    char heard[6] = "";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    good = ssh_channel_listen_forward(session, "127.0.0.1", 0, &bound) == SSH_OK && bound > 0;
    address.sin_port = htons((uint16_t)bound);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    good =
        good && connect(fd, (struct sockaddr *)&address, sizeof address) == 0 && write(fd, "there", 5) == 5;
    ssh_channel channel =
        good ? ssh_channel_open_forward_port(session, 10000, &destination, NULL, NULL) : NULL;
    good = channel && destination == bound && ssh_channel_read(channel, heard, 5, 0) == 5 &&
           strcmp(heard, "there") == 0 && ssh_channel_write(channel, "back!", 5) == 5 &&
           read(fd, heard, 5) == 5 && strcmp(heard, "back!") == 0;
    good = good && ssh_channel_cancel_forward(session, "127.0.0.1", bound) == SSH_OK;
    report("a forward back", session, good);
    if (channel)
        ssh_channel_free(channel);
    close(fd);
}

static void files(ssh_session session)
{
    char path[512], link[512], text[512] = "";
    char *data = bulk_new(), *back = calloc(1, BULK), *target = NULL;
    sftp_session sftp = sftp_new(session);
    int good = sftp && sftp_init(sftp) == SSH_OK;
    snprintf(path, sizeof path, "%s/libssh", directory);
    snprintf(link, sizeof link, "%s/libssh-link", directory);
    sftp_file file = good ? sftp_open(sftp, path, O_RDWR | O_CREAT | O_TRUNC, 0600) : NULL;
    for (int at = 0; file && at < BULK; at += 32768)
        good &= sftp_write(file, data + at, 32768) == 32768;
    good = good && file && sftp_seek64(file, 0) == 0;
    for (int at = 0, got; good && at < BULK; at += got)
        if ((got = (int)sftp_read(file, back + at, (size_t)(BULK - at))) <= 0)
            good = 0;
    report("SFTP: write and read", session, good && memcmp(data, back, BULK) == 0);
    sftp_attributes attributes = good ? sftp_fstat(file) : NULL;
    struct stat status;
    report("SFTP: attributes", session,
           attributes && attributes->size == BULK && stat(path, &status) == 0 &&
               (status.st_mode & 0777) == 0600);
    sftp_attributes_free(attributes);
    if (file)
        sftp_close(file);
    good = good && sftp_symlink(sftp, "libssh", link) == 0;
    report("SFTP: symlink", session,
           good && readlink(link, text, sizeof text - 1) == 6 && strcmp(text, "libssh") == 0 &&
               (target = sftp_readlink(sftp, link)) && strcmp(target, "libssh") == 0);
    int found = 0;
    sftp_dir dir = good ? sftp_opendir(sftp, directory) : NULL;
    while (dir && (attributes = sftp_readdir(sftp, dir))) {
        found += strncmp(attributes->name, "libssh", 6) == 0;
        sftp_attributes_free(attributes);
    }
    report("SFTP: a directory", session, dir && found == 2 && sftp_dir_eof(dir) && sftp_closedir(dir) == 0);
    if (good) {
        sftp_unlink(sftp, link);
        sftp_unlink(sftp, path);
    }
    ssh_string_free_char(target);
    sftp_free(sftp);
    free(data);
    free(back);
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    port = atoi(argv[1]);
    key_file = argv[2];
    known_hosts = argv[3];
    directory = argv[4];
    echo_port = atoi(argv[5]);
    ssh_init();
    ssh_session session = open_session();
    report("signs in by a password", session,
           ssh_userauth_password(session, NULL, "secret") == SSH_AUTH_SUCCESS);
    close_session(session);
    session = open_session();
    report("signs in by keyboard-interactive", session, by_interactive(session));
    close_session(session);
    session = open_session();
    report("signs in by a key", session, sign_in(session));
    programs(session);
    crowd(session);
    bulk(session);
    forward_back(session);
    files(session);
    close_session(session);
    ssh_finalize();
    return failures > 0;
}
