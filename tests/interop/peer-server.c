/* peer-server [-b ADDRESS] [-p PORT] [-i IDENT] -h HOSTKEY...: an application that answers for itself, by
 * LyServerHandlers; for what a shell behind core/examples/sshd cannot show. It prints its port.
 *
 * How one signs in depends on the user:
 *
 * - change: the password "secret" is too old
 * - rounds: keyboard-interactive, two rounds
 * - key: any key; both: any key, then the password; host: any host's key
 * - else: the password; SFTP of "plain" has no extensions
 *
 * Its commands are at `commands` below. Its host keys are announced; of the second one it has no good proof.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/list.h"
#include "base/memory.h"
#include "connection/forward.h"
#include "loop/server.h"
#include "read-key.h"
#include "sftp/directory.h"

#define HOST_KEYS_MAX 8

typedef struct Application {
    LyLoop *loop;
    LyServerOptions options;
    LyKey *host_keys[HOST_KEYS_MAX];
    LyList peers;
} Application;

typedef struct Peer {
    LyLink link;
    Application *application;
    LyServer *server;
    LyBuf story; /* what was tried to sign in */
    LyBuf told;  /* what was asked of the session before its program */
    unsigned step;
    LySftpDirectory *directory;
    LyAgentConnection *agent;
    LyChannel *waiting; /* the program that waits for an answer of the client's */
} Peer;

static Peer *peer_of(void *user, LyServer *server)
{
    Application *application = user;
    ly_list_each(&application->peers, Peer, link, peer)
    {
        if (peer->server == server)
            return peer;
    }
    return NULL;
}

/* --- sign-in --- */

static void tell_key(Peer *peer, const LyUserauthRequest *request)
{
    ly_buf_add(&peer->story, request->algorithm);
}

static void answer_password(Peer *peer, const LyUserauthRequest *request, LyUserauthServer *auth)
{
    bool change = ly_bytes_is(request->user, "change");
    ly_buf_add_str(&peer->story, request->change ? " change" : " password");
    if (!ly_bytes_is(request->password, "secret"))
        ly_userauth_server_refuse(auth, NULL, false);
    else if (change && !ly_bytes_is(request->new_password, "newer"))
        ly_userauth_server_change_password(auth, LY_BYTES("It is too old."));
    else
        ly_userauth_server_accept(auth);
}

static void answer_key(Peer *peer, const LyUserauthRequest *request, LyUserauthServer *auth)
{
    bool both = ly_bytes_is(request->user, "both");
    ly_buf_add_str(&peer->story, request->proven ? " publickey!" : " publickey?");
    tell_key(peer, request);
    if (!both && !ly_bytes_is(request->user, "key"))
        ly_userauth_server_refuse(auth, NULL, false);
    else if (!request->proven)
        ly_userauth_server_pk_ok(auth);
    else if (both)
        ly_userauth_server_refuse(auth, "password", true);
    else
        ly_userauth_server_accept(auth);
}

static void answer_interactive(Peer *peer, const LyUserauthRequest *request, LyUserauthServer *auth)
{
    static const LyPrompt first[] = {{.text = {(const uint8_t *)"a: ", 3}, .echo = true},
                                     {.text = {(const uint8_t *)"b: ", 3}}};
    static const LyPrompt second[] = {{.text = {(const uint8_t *)"c: ", 3}, .echo = true}};
    ly_buf_add_str(&peer->story, " keyboard-interactive");
    for (size_t i = 0; request->answered && i < request->response_count; i++) {
        ly_buf_add_str(&peer->story, i ? "|" : "(");
        ly_buf_add(&peer->story, request->responses[i]);
    }
    if (request->answered)
        ly_buf_add_str(&peer->story, ")");
    if (!ly_bytes_is(request->user, "rounds"))
        ly_userauth_server_refuse(auth, NULL, false);
    else if (!request->answered)
        ly_userauth_server_info_request(auth, LY_BYTES("one"), LY_BYTES("first"), first, LY_COUNT(first));
    else if (peer->step++ == 0)
        ly_userauth_server_info_request(auth, LY_BYTES("two"), LY_BYTES(""), second, LY_COUNT(second));
    else
        ly_userauth_server_accept(auth);
}

static bool authenticate(void *user, LyServer *server, const LyUserauthRequest *request)
{
    Peer *peer = peer_of(user, server);
    LyUserauthServer *auth = ly_server_userauth(server);
    switch (request->method) {
    case LY_METHOD_NONE:
        ly_buf_add_str(&peer->story, " none");
        ly_userauth_server_refuse(auth, NULL, false);
        break;
    case LY_METHOD_PASSWORD:
        answer_password(peer, request, auth);
        break;
    case LY_METHOD_PUBLICKEY:
        answer_key(peer, request, auth);
        break;
    case LY_METHOD_KEYBOARD_INTERACTIVE:
        answer_interactive(peer, request, auth);
        break;
    case LY_METHOD_HOSTBASED:
        ly_buf_add_format(&peer->story, " hostbased(%s@%s)", LY_PRINTABLE(request->local_user),
                          LY_PRINTABLE(request->host));
        tell_key(peer, request);
        if (ly_bytes_is(request->user, "host"))
            ly_userauth_server_accept(auth);
        else
            ly_userauth_server_refuse(auth, NULL, false);
        break;
    }
    return true;
}

/* --- host keys --- */

static void ready(void *user, LyServer *server, LyBytes user_name)
{
    const LyTransportOptions *transport = &((Application *)user)->options.session.transport;
    LyBuf data = {0};
    for (size_t i = 0; i < transport->host_key_count; i++)
        ly_put_string(&data, ly_key_blob(transport->host_keys[i]));
    ly_global_request(ly_server_connection(server), LY_BYTES("hostkeys-00@openssh.com"), false, 0,
                      ly_buf_bytes(&data));
    ly_buf_free(&data);
}

static LyBytes proof_algorithm(LyServer *server, const LyKey *key)
{
    LyBytes negotiated = ly_transport_negotiated(ly_session_transport(ly_server_session(server)))->host_key;
    const LySignatureAlgorithm *algorithm = ly_signature_algorithm_find(negotiated);
    return algorithm && strcmp(algorithm->key_type, ly_key_type_name(key)) == 0 ? negotiated : (LyBytes){0};
}

static void prove(Application *application, LyServer *server, LyBytes blobs)
{
    LyReader reader = ly_reader(blobs);
    LyBuf proofs = {0};
    while (reader.len && !reader.failed) {
        LyBytes blob = ly_get_string(&reader);
        LyBuf message = {0}, signature = {0};
        ly_put_cstring(&message, "hostkeys-prove-00@openssh.com");
        ly_put_string(&message, ly_transport_session_id(ly_session_transport(ly_server_session(server))));
        ly_put_string(&message, blob);
        for (size_t i = 0; i < application->options.session.transport.host_key_count; i++) {
            LyKey *key = application->host_keys[i];
            if (!ly_bytes_equal(ly_key_blob(key), blob))
                continue;
            ly_key_sign(key, proof_algorithm(server, key), ly_buf_bytes(&message), &signature, NULL);
            if (i == 1)
                signature.data[signature.len - 1] ^= 1;
        }
        ly_put_string(&proofs, ly_buf_bytes(&signature));
        ly_buf_free(&message);
        ly_buf_free(&signature);
    }
    ly_global_reply_last(ly_server_connection(server), true, ly_buf_bytes(&proofs));
    ly_buf_free(&proofs);
}

static bool global_request(void *user, LyServer *server, const LyConnectionEvent *event)
{
    LyBytes address;
    uint32_t port;
    if (ly_bytes_is(event->text, "hostkeys-prove-00@openssh.com")) {
        prove(user, server, event->data);
        return true;
    }
    if (ly_bytes_is(event->text, "tcpip-forward") && ly_get_tcpip_forward(event->data, &address, &port)) {
        /* Nobody listens: the command "forwarded" plays whoever connects. */
        LyBuf reply = {0};
        if (port == 0)
            ly_put_forwarded_port(&reply, 4242);
        if (event->want_reply)
            ly_global_reply_last(ly_server_connection(server), true, ly_buf_bytes(&reply));
        ly_buf_free(&reply);
        return true;
    }
    return false;
}

/* --- the session --- */

static bool request(void *user, LyServer *server, LyServerChannel *channel, const LyConnectionEvent *event)
{
    Peer *peer = peer_of(user, server);
    LyBytes name, value;
    LyPtyRequest pty;
    LyX11Request x11;
    if (ly_bytes_is(event->text, "env") && ly_get_env(event->data, &name, &value)) {
        ly_buf_add_format(&peer->told, "env %s=%s\n", LY_PRINTABLE(name), LY_PRINTABLE(value));
    } else if (ly_bytes_is(event->text, "pty-req") && ly_get_pty_request(event->data, &pty)) {
        LyReader modes = ly_reader(pty.modes);
        uint8_t opcode;
        uint32_t argument;
        ly_buf_add_format(&peer->told, "pty %s %ux%u\n", LY_PRINTABLE(pty.term), pty.columns, pty.rows);
        while (ly_get_terminal_mode(&modes, &opcode, &argument)) {
            const char *mode = ly_terminal_mode_name(opcode);
            ly_buf_add_format(&peer->told, "mode %s=%u\n", mode ? mode : "?", argument);
        }
    } else if (ly_bytes_is(event->text, "x11-req") && ly_get_x11_request(event->data, &x11)) {
        ly_buf_add_format(&peer->told, "x11 %s %u %s %s\n", x11.single ? "single" : "many", x11.screen,
                          LY_PRINTABLE(x11.protocol), LY_PRINTABLE(x11.cookie));
    } else {
        return false; /* the agent is the library's */
    }
    if (event->want_reply)
        ly_channel_reply_last(event->channel, true);
    return true;
}

static void say(LyChannel *channel, LyBytes text)
{
    ly_channel_send(channel, &text, 1);
}

static void finish(LyChannel *channel)
{
    ly_channel_exit_status(channel, 0);
    ly_channel_eof(channel);
    ly_channel_close(channel);
}

/* A channel that the server opens: it says "hello" and gives what it hears to the program that waits. */
static void back_channel(void *user, const LyConnectionEvent *event)
{
    Peer *peer = user;
    LyBytes hello = LY_BYTES("hello");
    char refused[64];
    switch (event->type) {
    case LY_CHANNEL_OPENED:
        ly_channel_send(event->channel, &hello, 1);
        ly_channel_eof(event->channel);
        break;
    case LY_CHANNEL_OPEN_FAILED:
        snprintf(refused, sizeof refused, "refused %u", event->number);
        if (peer->waiting) {
            say(peer->waiting, ly_bytes_str(refused));
            finish(peer->waiting);
        }
        break;
    case LY_CHANNEL_DATA:
        ly_channel_consumed(event->channel, event->data.len);
        if (peer->waiting)
            say(peer->waiting, event->data);
        break;
    case LY_CHANNEL_EOF:
        ly_channel_close(event->channel);
        break;
    case LY_CHANNEL_CLOSED:
        if (peer->waiting)
            finish(peer->waiting);
        break;
    default:
        break;
    }
}

static void open_back(Peer *peer, LyChannel *channel, const char *type, LyBuf *data)
{
    LyChannelOptions options = {.func = back_channel, .user = peer};
    peer->waiting = channel;
    if (!ly_channel_open(ly_server_connection(peer->server), ly_bytes_str(type), ly_buf_bytes(data),
                         &options))
        ly_channel_close(channel);
    ly_buf_free(data);
}

static void run_forwarded(Peer *peer, LyChannel *channel, LyBytes arguments)
{
    LyTcpipOpen open = {.origin = LY_BYTES("192.0.2.9"), .origin_port = 999};
    LyBytes port;
    LyBuf data = {0};
    uint64_t number = 0;
    ly_bytes_split(arguments, ' ', &open.host, &port);
    ly_bytes_number(port, 65535, &number);
    open.port = (uint32_t)number;
    ly_put_tcpip_open(&data, &open);
    open_back(peer, channel, "forwarded-tcpip", &data);
}

static void run_x11(Peer *peer, LyChannel *channel, LyBytes arguments)
{
    LyBuf data = {0};
    ly_put_x11_open(&data, LY_BYTES("192.0.2.9"), 999);
    open_back(peer, channel, "x11", &data);
}

static void run_unknown_channel(Peer *peer, LyChannel *channel, LyBytes arguments)
{
    LyBuf data = {0};
    open_back(peer, channel, "surprise@example.org", &data);
}

static void agent_answered(void *user, LyBytes reply, const LyError *error)
{
    Peer *peer = user;
    if (!peer->waiting)
        return;
    LyBuf text = {0};
    if (error)
        ly_buf_add_str(&text, error->message);
    else
        ly_buf_add_format(&text, "%u with %u identities", reply.data[0],
                          reply.len >= 5 ? ly_load_u32(reply.data + 1) : 0);
    say(peer->waiting, ly_buf_bytes(&text));
    ly_buf_free(&text);
    finish(peer->waiting);
    ly_server_wake(peer->server);
}

static void run_agent(Peer *peer, LyChannel *channel, LyBytes arguments)
{
    LyError error;
    if (!peer->agent)
        peer->agent = ly_server_agent(peer->server, &error);
    if (peer->agent) {
        peer->waiting = channel;
        ly_agent_request(peer->agent, LY_BYTES("\x0b"), agent_answered, peer);
    } else {
        say(channel, ly_bytes_str(error.message));
        finish(channel);
    }
}

static void run_story(Peer *peer, LyChannel *channel, LyBytes arguments)
{
    say(channel, ly_buf_bytes(&peer->story));
    finish(channel);
}

static void run_told(Peer *peer, LyChannel *channel, LyBytes arguments)
{
    say(channel, ly_buf_bytes(&peer->told));
    ly_buf_clear(&peer->told);
    finish(channel);
}

static void run_exit(Peer *peer, LyChannel *channel, LyBytes arguments)
{
    uint64_t status = 0;
    ly_bytes_number(arguments, UINT32_MAX, &status);
    ly_channel_exit_status(channel, (uint32_t)status);
    ly_channel_close(channel);
}

static void run_signal(Peer *peer, LyChannel *channel, LyBytes arguments)
{
    ly_channel_exit_signal(channel, arguments, true, LY_BYTES("it fell"));
    ly_channel_close(channel);
}

static void run_close(Peer *peer, LyChannel *channel, LyBytes arguments)
{
    ly_channel_close(channel);
}

static void run_rekey(Peer *peer, LyChannel *channel, LyBytes arguments)
{
    ly_transport_rekey(ly_session_transport(ly_server_session(peer->server)));
    say(channel, LY_BYTES("rekeyed"));
    finish(channel);
}

static const struct Command {
    const char *word;
    void (*run)(Peer *peer, LyChannel *channel, LyBytes arguments);
} commands[] = {
    {"agent", run_agent},         /* how many identities the client's agent has */
    {"close", run_close},         /* without EOF, without status */
    {"exit", run_exit},           /* STATUS */
    {"forwarded", run_forwarded}, /* ADDRESS PORT: somebody connects there */
    {"rekey", run_rekey},
    {"signal", run_signal},                   /* NAME */
    {"story", run_story},                     /* what was tried to sign in */
    {"told", run_told},                       /* env, pty, x11 */
    {"unknown-channel", run_unknown_channel}, /* opens one of a type that nobody knows */
    {"x11", run_x11},                         /* a client of X */
};

/* The directory backend, without what draft 02 does not have. */
static bool sftp(void *user, LyServer *server, LyServerChannel *channel, LySftpServerOptions *options)
{
    Peer *peer = peer_of(user, server);
    LySftpDirectoryOptions directory = {.start = "/", .umask = -1};
    if (peer->directory || !ly_bytes_is(ly_server_user(server), "plain"))
        return false;
    peer->directory = ly_sftp_directory_new(&directory, &options->backend, NULL);
    options->backend.extensions = 0;
    options->denied_requests = "limits";
    return peer->directory != NULL;
}

static void program_event(void *user, const LyConnectionEvent *event)
{
    Peer *peer = user;
    if (event->type == LY_CHANNEL_DATA)
        ly_channel_consumed(event->channel, event->data.len);
    else if (event->type == LY_CHANNEL_REQUEST && event->want_reply)
        ly_channel_reply_last(event->channel, false);
    else if (event->type == LY_CHANNEL_CLOSED && peer->waiting == event->channel)
        peer->waiting = NULL;
}

static bool start(void *user, LyServer *server, LyServerChannel *session, const LyServerStart *start,
                  const LyConnectionEvent *event)
{
    Peer *peer = peer_of(user, server);
    LyChannel *channel = ly_server_channel(session);
    LyBytes word = start->command, arguments = {0};
    if (start->kind != LY_START_EXEC)
        return false;
    ly_bytes_split(start->command, ' ', &word, &arguments);
    for (size_t i = 0; i < LY_COUNT(commands); i++) {
        if (!ly_bytes_is(word, commands[i].word))
            continue;
        ly_channel_set_func(channel, program_event, peer);
        if (event->want_reply)
            ly_channel_reply_last(channel, true);
        commands[i].run(peer, channel, arguments);
        return true;
    }
    return false;
}

/* --- connections --- */

static void peer_free(Peer *peer)
{
    ly_agent_connection_free(peer->agent);
    ly_link_remove(&peer->link);
    ly_server_free(peer->server);
    ly_sftp_directory_free(peer->directory);
    ly_buf_free(&peer->story);
    ly_buf_free(&peer->told);
    ly_free(peer);
}

static void ended(void *user, LyServer *server)
{
    peer_free(user);
}

static void accepted(void *user, int fd, const struct sockaddr *address, socklen_t address_len)
{
    Application *application = user;
    LyServerPeer who = {.address = "127.0.0.1", .local_address = "127.0.0.1"};
    Peer *peer = ly_new(Peer);
    LyError error;
    peer->application = application;
    peer->server =
        ly_server_new(application->loop, &application->options,
                      ly_carrier_new_fds(application->loop, fd, fd, NULL), &who, ended, peer, &error);
    if (!peer->server) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    ly_list_append(&application->peers, &peer->link);
}

static void log_line(void *user, LyLogLevel level, const char *message)
{
    fprintf(stderr, "peer-server: %s\n", message);
}

static void quit(void *user, int signal)
{
    ly_loop_quit(((Application *)user)->loop);
}

static void add_host_key(Application *application, const char *path)
{
    LyTransportOptions *transport = &application->options.session.transport;
    if (transport->host_key_count == HOST_KEYS_MAX) {
        fprintf(stderr, "%s: %d host keys are enough\n", path, HOST_KEYS_MAX);
        exit(2);
    }
    application->host_keys[transport->host_key_count++] = read_key(transport->crypto, path);
}

int main(int argc, char **argv)
{
    static const int ending[] = {SIGTERM, SIGINT};
    Application application = {0};
    LyServerOptions *options = &application.options;
    const char *address = "127.0.0.1";
    uint16_t port = 0;
    LyError error;
    int option;
    signal(SIGPIPE, SIG_IGN);
    options->session.transport.crypto = ly_crypto_new(0, NULL);
    options->session.transport.host_keys = application.host_keys;
    options->forwards = LY_FORWARD_AGENT;
    options->log = (LyLog){.write = log_line, .level = LY_LOG_INFO};
    options->handlers = (LyServerHandlers){.authenticate = authenticate,
                                           .ready = ready,
                                           .request = request,
                                           .start = start,
                                           .sftp = sftp,
                                           .global_request = global_request,
                                           .user = &application};
    while ((option = getopt(argc, argv, "b:p:i:h:")) != -1) {
        if (option == 'b')
            address = optarg;
        else if (option == 'p')
            port = (uint16_t)atoi(optarg);
        else if (option == 'i')
            options->session.transport.ident = optarg;
        else if (option == 'h')
            add_host_key(&application, optarg);
        else
            return 2;
    }
    ly_list_init(&application.peers);
    application.loop = ly_loop_new(&error);
    LySignals *signals = ly_signals_new(application.loop, ending, LY_COUNT(ending), quit, &application);
    LyListener *listener = ly_listener_new(application.loop, address, port, accepted, &application, &error);
    if (!listener) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    printf("listening on %s\n", ly_listener_name(listener));
    fflush(stdout);
    ly_loop_run(application.loop);
    Peer *peer;
    while ((peer = ly_list_first(&application.peers, Peer, link)))
        peer_free(peer);
    ly_listener_free(listener);
    ly_signals_free(signals);
    ly_loop_free(application.loop);
    for (size_t i = 0; i < options->session.transport.host_key_count; i++)
        ly_key_unref(application.host_keys[i]);
    ly_crypto_unref(options->session.transport.crypto);
    return 0;
}
