/* A LyServer and a client's session over a socketpair in one loop, for the tests of the server's handlers and
 * forwards. What the client does is up to each test. */
#ifndef LY_TESTS_SERVER_RIG_H
#define LY_TESTS_SERVER_RIG_H

#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>

#include "base/memory.h"
#include "connection/forward.h"
#include "connection/session-channel.h"
#include "loop-run.h"
#include "loop/drive.h"
#include "loop/server.h"

#define TAGS_MAX 32

typedef struct Rig Rig;
struct Rig {
    char *directory;
    LyCrypto *crypto;
    LyKey *host_key, *user_key;
    LyLoop *loop;
    LyAlgorithms algorithms; /* the client's: the fastest key exchange */
    LyServerOptions options;
    LyServer *server;
    LyDrive *client;
    bool server_ended, client_closed, ready;
    LyError client_error;
    /* What the client does; NULL: signs in with the password "secret", and as client_event below. */
    void (*on_userauth)(Rig *rig, const LyUserauthClientEvent *event);
    void (*on_ready)(Rig *rig); /* may free the client */
    void (*on_event)(Rig *rig, const LyConnectionEvent *event);
    void (*on_transport)(Rig *rig, const LyTransportEvent *event);
    bool hold; /* nothing of what comes is given back to the window */
    size_t held_out, held_err;
    /* What came of it. */
    LyChannel *channel;
    LyBuf out, err, global_data;
    uint32_t replies[TAGS_MAX]; /* tags in the order of their replies */
    bool reply_success[TAGS_MAX];
    unsigned reply_count, attempts;
    uint32_t exit_status, open_failed;
    bool eof, closed;
    GString *story; /* of the handlers: one word a call */
    /* a test's own */
    unsigned step;
    void *data;
    LyTimer *timer;
};

static inline LyConnection *client_connection(Rig *rig)
{
    return ly_session_connection(ly_drive_session(rig->client));
}

static inline LyUserauthClient *client_auth(Rig *rig)
{
    return ly_session_userauth_client(ly_drive_session(rig->client));
}

static inline void note_reply(Rig *rig, const LyConnectionEvent *event)
{
    g_assert_cmpuint(rig->reply_count, <, TAGS_MAX);
    rig->replies[rig->reply_count] = event->number;
    rig->reply_success[rig->reply_count++] = event->success;
}

static inline void client_event(Rig *rig, const LyConnectionEvent *event)
{
    bool is_stderr = event->type == LY_CHANNEL_STDERR;
    switch (event->type) {
    case LY_CHANNEL_OPENED:
        rig->channel = event->channel;
        break;
    case LY_CHANNEL_OPEN_FAILED:
        rig->open_failed = event->number;
        break;
    case LY_CHANNEL_REPLY:
        note_reply(rig, event);
        break;
    case LY_GLOBAL_REPLY:
        note_reply(rig, event);
        ly_buf_clear(&rig->global_data);
        ly_buf_add(&rig->global_data, event->data);
        break;
    case LY_CHANNEL_DATA:
    case LY_CHANNEL_STDERR:
        ly_buf_add(is_stderr ? &rig->err : &rig->out, event->data);
        if (!rig->hold)
            ly_channel_consumed(event->channel, event->data.len);
        else if (is_stderr)
            rig->held_err += event->data.len;
        else
            rig->held_out += event->data.len;
        break;
    case LY_CHANNEL_EOF:
        rig->eof = true;
        break;
    case LY_CHANNEL_EXIT_STATUS:
        rig->exit_status = event->number;
        break;
    case LY_CHANNEL_CLOSED:
        rig->closed = true;
        rig->channel = NULL;
        break;
    default:
        break;
    }
}

static inline void rig_event(void *user, const LySessionEvent *event)
{
    Rig *rig = user;
    switch (event->type) {
    case LY_SESSION_TRANSPORT:
        if (event->transport.type == LY_TRANSPORT_HOST_KEY)
            ly_transport_host_key_accept(ly_session_transport(ly_drive_session(rig->client)));
        else if (rig->on_transport)
            rig->on_transport(rig, &event->transport);
        break;
    case LY_SESSION_USERAUTH_CLIENT:
        if (rig->on_userauth)
            rig->on_userauth(rig, &event->userauth);
        else if (event->userauth.type == LY_USERAUTH_NEXT && rig->attempts++ == 0)
            ly_userauth_password(client_auth(rig), LY_BYTES("secret"));
        break;
    case LY_SESSION_READY:
        rig->ready = true;
        if (rig->on_ready)
            rig->on_ready(rig);
        break;
    case LY_SESSION_CONNECTION:
        (rig->on_event ? rig->on_event : client_event)(rig, &event->connection);
        break;
    default:
        break;
    }
}

static inline void rig_closed(void *user, const LyError *error)
{
    Rig *rig = user;
    rig->client_closed = true;
    rig->client_error = *error;
}

static inline void rig_server_ended(void *user, LyServer *server)
{
    Rig *rig = user;
    rig->server_ended = true;
    ly_server_free(server);
    rig->server = NULL;
}

/* Lets everybody in, for tests that are about something else. */
static inline bool rig_accept(void *user, LyServer *server, const LyUserauthRequest *request)
{
    ly_userauth_server_accept(ly_server_userauth(server));
    return true;
}

static inline void rig_init(Rig *rig)
{
    LyError error;
    *rig = (Rig){.exit_status = 999, .story = g_string_new("")};
    rig->directory = g_dir_make_tmp("lanyard-server-XXXXXX", NULL);
    g_setenv("HOME", rig->directory, TRUE);
    g_setenv("SHELL", "/bin/sh", TRUE);
    rig->crypto = ly_crypto_new(0, &error);
    rig->host_key = ly_key_generate(rig->crypto, LY_PK_ED25519, 0, (LyBytes){0}, &error);
    rig->user_key = ly_key_generate(rig->crypto, LY_PK_ED25519, 0, (LyBytes){0}, &error);
    rig->loop = ly_loop_new(&error);
    g_assert_true(rig->crypto && rig->host_key && rig->user_key && rig->loop);
    ly_algorithms_init(rig->crypto, &rig->algorithms);
    g_assert_true(ly_algorithms_change(rig->crypto, &rig->algorithms, LY_ALGORITHMS_KEX,
                                       LY_BYTES("curve25519-sha256"), &error));
    rig->options = (LyServerOptions){
        .session.transport = {.crypto = rig->crypto, .host_keys = &rig->host_key, .host_key_count = 1},
        .handlers = {.authenticate = rig_accept, .user = rig},
    };
}

static inline void rig_start(Rig *rig)
{
    int pair[2];
    LyError error;
    socket_pair(pair);
    LyServerPeer peer = {.address = "192.0.2.1", .port = 1, .local_address = "192.0.2.2", .local_port = 22};
    rig->server =
        ly_server_new(rig->loop, &rig->options, ly_carrier_new_fds(rig->loop, pair[0], pair[0], NULL), &peer,
                      rig_server_ended, rig, &error);
    LySessionOptions options = {
        .transport = {.role = LY_CLIENT, .crypto = rig->crypto, .algorithms = &rig->algorithms},
        .user = LY_BYTES("me")};
    LyDriveEvents events = {.event = rig_event, .closed = rig_closed, .user = rig};
    LySession *session = ly_session_new(&options, ly_loop_now_us(rig->loop), &error);
    g_assert_true(rig->server && session);
    rig->client =
        ly_drive_new(rig->loop, session, ly_carrier_new_fds(rig->loop, pair[1], pair[1], NULL), &events);
}

/* func(rig) in a millisecond, from the loop. */
static inline void rig_later(Rig *rig, void (*func)(void *user))
{
    ly_timer_free(rig->timer);
    rig->timer = ly_timer_new(rig->loop, func, rig);
    ly_timer_set(rig->timer, ly_loop_now_us(rig->loop) + 1000);
}

/* Signed in, with a session channel that is open. */
static inline void rig_session(Rig *rig)
{
    rig_start(rig);
    RUN_UNTIL(rig->loop, rig->ready);
    g_assert_nonnull(ly_channel_open(client_connection(rig), LY_BYTES("session"), (LyBytes){0}, NULL));
    ly_drive_wake(rig->client);
    RUN_UNTIL(rig->loop, rig->channel);
}

static inline void rig_clear(Rig *rig)
{
    ly_timer_free(rig->timer);
    ly_drive_free(rig->client);
    ly_server_free(rig->server);
    ly_loop_free(rig->loop);
    ly_algorithms_clear(&rig->algorithms);
    ly_key_unref(rig->host_key);
    ly_key_unref(rig->user_key);
    ly_crypto_unref(rig->crypto);
    ly_buf_free(&rig->out);
    ly_buf_free(&rig->err);
    ly_buf_free(&rig->global_data);
    g_string_free(rig->story, TRUE);
    g_assert_cmpint(g_rmdir(rig->directory), ==, 0); /* nothing was left behind */
    g_free(rig->directory);
}

#endif
