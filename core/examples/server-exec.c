/* server-exec: a server with a mind of its own: it lets one user in, by password or public key, and has one
 * command, "count", which tells how many lines and bytes it is sent.
 *     server-exec -p 2222 -h hostkey -k alice.pub -w file-with-password alice
 *     ssh -p 2222 alice@localhost count </etc/services */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "common.h"
#include "serve.h"

typedef struct Program {
    Example example;
    LyServerOptions options;
    LyKey *host_key, *user_key; /* user_key NULL: none */
    LyBytes user, password;     /* password empty: none */
} Program;

typedef struct Count { /* of one "count" */
    unsigned long long lines, bytes;
} Count;

/* ---- may this user in? ---- */

/* A public key comes twice: first as a question whether it would do, then with a signature, which the library
 * has verified (`proven`). */
static bool authenticate(void *user, LyServer *server, const LyUserauthRequest *request)
{
    const Program *program = user;
    LyUserauthServer *auth = ly_server_userauth(server);
    bool known = ly_bytes_equal(request->user, program->user);
    bool key = request->method == LY_METHOD_PUBLICKEY && program->user_key &&
               ly_key_equal_public(request->key, program->user_key);
    bool password = request->method == LY_METHOD_PASSWORD && program->password.len && !request->change &&
                    ly_bytes_equal_secret(request->password, program->password);
    if (known && key && !request->proven)
        ly_userauth_server_pk_ok(auth);
    else if (known && (key || password))
        ly_userauth_server_accept(auth);
    else
        ly_userauth_server_refuse(auth, NULL, false);
    ly_server_wake(server);
    return true;
}

/* ---- the command ---- */

static void end(LyChannel *channel, uint32_t status)
{
    ly_channel_exit_status(channel, status);
    ly_channel_eof(channel);
    ly_channel_close(channel);
}

static void count_event(void *user, const LyConnectionEvent *event)
{
    Count *count = user;
    char text[100];
    if (event->type == LY_CHANNEL_DATA) {
        count->bytes += event->data.len;
        for (size_t i = 0; i < event->data.len; i++)
            count->lines += event->data.data[i] == '\n';
        ly_channel_consumed(event->channel, event->data.len); /* the client may send as much again */
    } else if (event->type == LY_CHANNEL_EOF) {
        snprintf(text, sizeof text, "%llu lines, %llu bytes\n", count->lines, count->bytes);
        ly_channel_send(event->channel, &(LyBytes){(const uint8_t *)text, strlen(text)}, 1);
        end(event->channel, 0);
    } else if (event->type == LY_CHANNEL_REQUEST && event->want_reply) {
        ly_channel_reply(event->channel, false); /* signals and the like */
    }
}

/* All is taken here: what a handler leaves goes to the ready-made answers, which would start real programs.
 */
static bool start(void *user, LyServer *server, LyServerChannel *session, const LyServerStart *wanted,
                  const LyConnectionEvent *event)
{
    static const LyBytes sorry = {(const uint8_t *)"there is one command: count\n", 28};
    bool count = wanted->kind == LY_START_EXEC && ly_bytes_is(wanted->command, "count");
    if (event->want_reply)
        ly_channel_reply(event->channel, wanted->kind == LY_START_EXEC);
    if (count) {
        ly_server_channel_set_user(session, ly_new(Count));
        ly_channel_set_func(event->channel, count_event, ly_server_channel_user(session));
    } else if (wanted->kind == LY_START_EXEC) {
        ly_channel_send_stderr(event->channel, &sorry, 1);
        end(event->channel, 127);
    } else {
        ly_channel_close(event->channel);
    }
    return true;
}

static void session_closed(void *user, LyServer *server, LyServerChannel *session)
{
    ly_free(ly_server_channel_user(session));
}

int main(int argc, char **argv)
{
    Program program = {.options = {.max_sessions = 10}};
    LyServerOptions *options = &program.options;
    const char *password_file = NULL;
    int letter;
    example_init(&program.example, argc, argv, "[-p port] -h hostkey [-k key.pub] [-w password-file] user");
    while ((letter = example_option(&program.example, argc, argv, "h:k:w:")) != -1) {
        LyKey **key = letter == 'h' ? &program.host_key : &program.user_key;
        if (letter == 'w')
            password_file = optarg;
        else if (!*key)
            *key = example_read_key(&program.example, optarg);
    }
    example_expect(&program.example, argc, 1, false);
    program.user = ly_bytes_str(argv[optind]);
    LyBuf password = password_file ? example_read_file(&program.example, password_file) : (LyBuf){0};
    program.password = ly_bytes_trim(ly_buf_bytes(&password));
    options->session.userauth.methods = "publickey,password";
    options->handlers = (LyServerHandlers){
        .authenticate = authenticate, .start = start, .session_closed = session_closed, .user = &program};
    int status = serve(&program.example, options, program.host_key);
    ly_buf_free(&password);
    ly_key_unref(program.user_key);
    ly_key_unref(program.host_key);
    example_clear(&program.example);
    return status;
}
