/* library-libssh HOME PORT WORK ...: the works of library-client.c and of library-server.c's pair (two
 * threads) with libssh. */
#include <fcntl.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <libssh/sftp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 32768, AHEAD = 64 };

static const char *home;
static int port;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void check(int good, void *session, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "%s: %s\n", what, session ? ssh_get_error(session) : "failed");
    exit(1);
}

static ssh_key read_key(const char *name)
{
    char path[512];
    ssh_key key;
    snprintf(path, sizeof path, "%s/%s", home, name);
    check(ssh_pki_import_privkey_file(path, NULL, NULL, NULL, &key) == SSH_OK, NULL, path);
    return key;
}

/* Over `fd`, without proof, or (-1) to the port, with the user's key. */
static ssh_session sign_in(const char *kex, int fd)
{
    const char *cipher = "aes128-gcm@openssh.com";
    int no = 0, yes = 1;
    ssh_session session = ssh_new();
    ssh_options_set(session, SSH_OPTIONS_HOST, "127.0.0.1");
    ssh_options_set(session, SSH_OPTIONS_PORT, &port);
    ssh_options_set(session, SSH_OPTIONS_USER, getenv("BENCH_USER"));
    ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &no);
    ssh_options_set(session, SSH_OPTIONS_NODELAY, &yes);
    ssh_options_set(session, SSH_OPTIONS_KEY_EXCHANGE, kex);
    ssh_options_set(session, SSH_OPTIONS_CIPHERS_C_S, cipher);
    ssh_options_set(session, SSH_OPTIONS_CIPHERS_S_C, cipher);
    if (fd >= 0)
        ssh_options_set(session, SSH_OPTIONS_FD, &fd);
    check(ssh_connect(session) == SSH_OK, session, "connect");
    if (fd >= 0) {
        check(ssh_userauth_none(session, NULL) == SSH_AUTH_SUCCESS, session, "sign-in");
    } else {
        ssh_key key = read_key("user");
        check(ssh_userauth_publickey(session, NULL, key) == SSH_AUTH_SUCCESS, session, "sign-in");
        ssh_key_free(key);
    }
    return session;
}

static void sign_out(ssh_session session)
{
    ssh_disconnect(session);
    ssh_free(session);
}

/* --- both ends --- */

typedef struct Serving {
    ssh_bind bind;
    int fd;
} Serving;

static void *serve_one(void *user)
{
    Serving *serving = user;
    ssh_session session = ssh_new();
    ssh_message message;
    check(ssh_bind_accept_fd(serving->bind, session, serving->fd) == SSH_OK, serving->bind, "accept");
    check(ssh_handle_key_exchange(session) == SSH_OK, session, "key exchange");
    while ((message = ssh_message_get(session))) {
        if (ssh_message_type(message) == SSH_REQUEST_AUTH)
            ssh_message_auth_reply_success(message, 0);
        else if (ssh_message_type(message) == SSH_REQUEST_SERVICE)
            ssh_message_service_reply_success(message);
        else
            ssh_message_reply_default(message);
        ssh_message_free(message);
    }
    sign_out(session);
    return NULL;
}

static void pair(const char *kex, int count)
{
    Serving serving = {.bind = ssh_bind_new()};
    int fds[2], no = 0;
    pthread_t thread;
    ssh_bind_options_set(serving.bind, SSH_BIND_OPTIONS_PROCESS_CONFIG, &no);
    ssh_bind_options_set(serving.bind, SSH_BIND_OPTIONS_IMPORT_KEY, read_key("host"));
    while (count--) {
        check(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0, NULL, "socketpair");
        serving.fd = fds[0];
        pthread_create(&thread, NULL, serve_one, &serving);
        sign_out(sign_in(kex, fds[1]));
        pthread_join(thread, NULL);
    }
}

/* --- files --- */

static void get(ssh_session session, const char *remote, const char *local)
{
    static char buffer[CHUNK];
    uint32_t requests[AHEAD];
    sftp_session sftp = sftp_new(session);
    check(sftp && sftp_init(sftp) == SSH_OK, session, "sftp");
    sftp_file file = sftp_open(sftp, remote, O_RDONLY, 0);
    int out = open(local, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    check(file && out >= 0, session, "open");
    for (int i = 0; i < AHEAD; i++)
        requests[i] = (uint32_t)sftp_async_read_begin(file, CHUNK);
    for (int i = 0;; i = (i + 1) % AHEAD) {
        int len = sftp_async_read(file, buffer, CHUNK, requests[i]);
        check(len >= 0, session, "read");
        if (len == 0)
            break;
        check(write(out, buffer, (size_t)len) == len, NULL, "write");
        requests[i] = (uint32_t)sftp_async_read_begin(file, CHUNK);
    }
    close(out);
}

static void put(ssh_session session, const char *local, const char *remote)
{
    static char buffer[CHUNK];
    sftp_session sftp = sftp_new(session);
    check(sftp && sftp_init(sftp) == SSH_OK, session, "sftp");
    sftp_file file = sftp_open(sftp, remote, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int in = open(local, O_RDONLY | O_CLOEXEC);
    check(file && in >= 0, session, "open");
    ssize_t len;
    while ((len = read(in, buffer, sizeof buffer)) > 0)
        check(sftp_write(file, buffer, (size_t)len) == len, session, "write");
    check(sftp_close(file) == SSH_OK, session, "close");
    close(in);
}

/* --- programs --- */

static void execute(ssh_session session, const char *command)
{
    static char buffer[1 << 18];
    ssh_channel channel = ssh_channel_new(session);
    check(channel && ssh_channel_open_session(channel) == SSH_OK, session, "session");
    check(ssh_channel_request_exec(channel, command) == SSH_OK, session, "exec");
    int len;
    while ((len = ssh_channel_read(channel, buffer, sizeof buffer, 0)) > 0)
        ;
    check(len == 0 && ssh_channel_get_exit_status(channel) == 0, session, "the command");
    ssh_channel_close(channel);
    ssh_channel_free(channel);
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    home = argv[1];
    port = atoi(argv[2]);
    const char *work = argv[3], *first = argv[4], *second = argc > 5 ? argv[5] : "";
    double begun = now();
    if (strcmp(work, "pair") == 0) {
        pair(first, atoi(second));
    } else if (strcmp(work, "sign-in") == 0) {
        for (int count = atoi(second); count > 0; count--)
            sign_out(sign_in(first, -1));
    } else {
        ssh_session session = sign_in("curve25519-sha256", -1);
        begun = now();
        if (strcmp(work, "get") == 0)
            get(session, first, second);
        else if (strcmp(work, "put") == 0)
            put(session, first, second);
        else if (strcmp(work, "exec") == 0)
            execute(session, first);
        else
            return 2;
    }
    printf("%.6f\n", now() - begun);
    return 0;
}
