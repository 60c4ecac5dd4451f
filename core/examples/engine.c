/* engine: LySession in a program with a loop of its own, here poll(2): signs in with a key, runs a command
 * and prints what it writes. Bytes in, bytes out, time, and events that are pulled; nothing else.
 * Its standard input is a connected socket, which bash makes:
 *     engine SHA256:hostkey alice id_ed25519 "uname -a" <>/dev/tcp/192.0.2.1/22 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "key/read.h"
#include "session/session.h"

typedef struct Engine {
    LyCrypto *crypto;
    LySession *session;
    LyKey *key;
    const char *fingerprint, *command;
    int status;
    bool over;
} Engine;

/* Is this the host's key? Its signature was verified already. */
static void check_host_key(Engine *engine, LyKey *key)
{
    char fingerprint[100];
    ly_key_fingerprint(engine->crypto, ly_key_plain_blob(key), LY_SHA256, fingerprint);
    if (strcmp(fingerprint, engine->fingerprint) == 0)
        ly_transport_host_key_accept(ly_session_transport(engine->session));
    else
        ly_transport_host_key_refuse(ly_session_transport(engine->session), "the host has another key");
}

/* One attempt: the key. (LyClient makes all that ssh(1) makes.) */
static void sign_in(Engine *engine, bool first)
{
    LyTransport *transport = ly_session_transport(engine->session);
    LyUserauthClient *auth = ly_session_userauth_client(engine->session);
    LyBytes ours = ly_bytes_str(ly_transport_algorithms(transport)->list[LY_ALGORITHMS_USER_KEY]), algorithm;
    LY_AUTO(ly_buf_free) LyBuf message = {0}, signature = {0};
    bool ok = first && ly_userauth_choose_algorithm(auth, ly_key_type_name(engine->key), ours, &algorithm);
    if (ok) {
        ly_userauth_publickey_data(auth, algorithm, ly_key_blob(engine->key), &message);
        ok = ly_key_sign(engine->key, algorithm, ly_buf_bytes(&message), &signature, NULL);
    }
    if (ok)
        ly_userauth_publickey(auth, algorithm, ly_key_blob(engine->key), ly_buf_bytes(&signature));
    else
        ly_transport_fail(transport, LY_ERROR_AUTH, 0, "the server does not take the key");
}

static void channel_event(Engine *engine, const LyConnectionEvent *event)
{
    int type = event->type;
    if (type == LY_CHANNEL_OPENED) {
        ly_channel_exec(event->channel, ly_bytes_str(engine->command), 0);
        ly_channel_eof(event->channel); /* the command gets no input */
    } else if (type == LY_CHANNEL_DATA || type == LY_CHANNEL_STDERR) {
        fwrite(event->data.data, 1, event->data.len, type == LY_CHANNEL_DATA ? stdout : stderr);
        ly_channel_consumed(event->channel, event->data.len); /* the server may send as much again */
    } else if (type == LY_CHANNEL_EXIT_STATUS) {
        engine->status = (int)event->number;
    } else if (type == LY_CHANNEL_CLOSED || type == LY_CHANNEL_OPEN_FAILED ||
               (type == LY_CHANNEL_REPLY && !event->success)) { /* the reply to exec */
        ly_transport_disconnect(ly_session_transport(engine->session), SSH_DISCONNECT_BY_APPLICATION, "done");
    } else if (type == LY_CHANNEL_REQUEST && event->want_reply) {
        ly_channel_reply(event->channel, false);
    } else if (type == LY_GLOBAL_REQUEST && event->want_reply) {
        ly_global_reply(ly_session_connection(engine->session), false, (LyBytes){0});
    }
}

static void handle(Engine *engine, const LySessionEvent *event)
{
    if (event->type == LY_SESSION_TRANSPORT && event->transport.type == LY_TRANSPORT_HOST_KEY)
        check_host_key(engine, event->transport.key);
    else if (event->type == LY_SESSION_USERAUTH_CLIENT && event->userauth.type == LY_USERAUTH_NEXT)
        sign_in(engine, event->userauth.first);
    else if (event->type == LY_SESSION_READY)
        ly_channel_open(ly_session_connection(engine->session), LY_BYTES("session"), (LyBytes){0},
                        &(LyChannelOptions){0});
    else if (event->type == LY_SESSION_CONNECTION)
        channel_event(engine, &event->connection);
    else if (event->type == LY_SESSION_CLOSED && event->error->code != LY_OK)
        fprintf(stderr, "engine: %s\n", event->error->message);
    engine->over |= event->type == LY_SESSION_CLOSED;
}

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* One turn of the loop. False: the session is over, and all that could be written was. */
static bool turn(Engine *engine, int fd)
{
    LySession *session = engine->session;
    LySessionEvent event;
    size_t room;
    while (!engine->over && ly_session_next(session, &event))
        handle(engine, &event);
    LyBytes output = ly_session_output(session);
    uint8_t *input = ly_session_input(session, &room); /* no room: nothing is to be read now */
    ssize_t len = output.len ? send(fd, output.data, output.len, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
    if (len > 0) {
        ly_session_output_done(session, (size_t)len);
        return true; /* there may be more now, events too */
    }
    if (engine->over || (len < 0 && errno != EAGAIN))
        return false;
    uint64_t deadline = ly_session_deadline_us(session), now = now_us();
    struct pollfd waiting = {.fd = fd, .events = (short)((room ? POLLIN : 0) | (output.len ? POLLOUT : 0))};
    poll(&waiting, 1, deadline == UINT64_MAX ? -1 : deadline <= now ? 0 : (int)((deadline - now) / 1000 + 1));
    len = waiting.revents & (POLLIN | POLLHUP | POLLERR) ? recv(fd, input, room, MSG_DONTWAIT) : -1;
    if (len >= 0) /* 0: the server closed its side, and that is an event too */
        ly_session_input_done(session, (size_t)len);
    ly_session_tick(session, now_us());
    return len >= 0 || errno == EAGAIN || !waiting.revents;
}

int main(int argc, char **argv)
{
    char text[16384];
    LyError error;
    FILE *file = argc == 5 ? fopen(argv[3], "r") : NULL;
    if (!file)
        return 255;
    Engine engine = {
        .crypto = ly_crypto_new(0, &error), .fingerprint = argv[1], .command = argv[4], .status = 255};
    engine.key = ly_key_read(engine.crypto, ly_bytes(text, fread(text, 1, sizeof text, file)), NULL, &error);
    fclose(file);
    LySessionOptions options = {.transport = {.role = LY_CLIENT, .crypto = engine.crypto},
                                .user = ly_bytes_str(argv[2]),
                                .auth_timeout_us = 30 * 1000000};
    engine.session = engine.key ? ly_session_new(&options, now_us(), &error) : NULL;
    while (engine.session && turn(&engine, STDIN_FILENO))
        continue;
    if (!engine.session)
        fprintf(stderr, "engine: %s\n", error.message);
    ly_session_free(engine.session);
    ly_key_unref(engine.key);
    ly_crypto_unref(engine.crypto);
    return engine.status;
}
