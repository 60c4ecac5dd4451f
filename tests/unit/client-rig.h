/* An LyClient and a server that the test plays (a session in the server role), over a socketpair or loopback,
 * in one loop. */
#ifndef LY_TESTS_CLIENT_RIG_H
#define LY_TESTS_CLIENT_RIG_H

#include <glib.h>
#include <string.h>

#include "base/memory.h"
#include "key/read.h"
#include "loop/client.h"
#include "loop/drive.h"
#include "loop-run.h"

typedef struct Rig Rig;
struct Rig {
    LyCrypto *crypto;
    LyKey *host_key, *user_key, *other_key;
    LyLoop *loop;
    LyDestinationOptions destination_options;
    LyDestination *destination;
    /* the server */
    LySessionOptions server_options;
    LyDrive *server;
    bool server_ready, server_ended;
    void (*authenticate)(Rig *rig, const LyUserauthRequest *request); /* NULL: everybody comes in */
    void (*server_event)(Rig *rig, const LyConnectionEvent *event);   /* NULL: nothing is answered */
    GString *asked; /* the requests: "user:method[:password] " */
    /* the client */
    LyClientEvents events;
    LyClient *client;
    bool ready, closed, final;
    LyError error;
    unsigned step; /* the test's own */
    void *own;     /* the same */
};

static inline LyUserauthServer *server_auth(Rig *rig)
{
    return ly_session_userauth_server(ly_drive_session(rig->server));
}

static inline LyConnection *server_connection(Rig *rig)
{
    return ly_session_connection(ly_drive_session(rig->server));
}

static void note_request(Rig *rig, const LyUserauthRequest *request)
{
    static const char *const names[] = {"none", "publickey", "password", "keyboard-interactive", "hostbased"};
    g_string_append_printf(rig->asked, "%.*s:%s", (int)request->user.len, (const char *)request->user.data,
                           names[request->method]);
    if (request->method == LY_METHOD_PASSWORD)
        g_string_append_printf(rig->asked, ":%.*s", (int)request->password.len,
                               (const char *)request->password.data);
    if (request->method == LY_METHOD_PUBLICKEY)
        g_string_append(rig->asked, request->proven ? ":signed" : ":probe");
    g_string_append(rig->asked, " ");
}

static void server_drive_event(void *user, const LySessionEvent *event)
{
    Rig *rig = user;
    if (event->type == LY_SESSION_READY)
        rig->server_ready = true;
    if (event->type == LY_SESSION_CONNECTION && rig->server_event)
        rig->server_event(rig, &event->connection);
    if (event->type != LY_SESSION_USERAUTH_SERVER)
        return;
    note_request(rig, &event->request);
    if (rig->authenticate)
        rig->authenticate(rig, &event->request);
    else if (event->request.method == LY_METHOD_PUBLICKEY && !event->request.proven)
        ly_userauth_server_pk_ok(server_auth(rig));
    else
        ly_userauth_server_accept(server_auth(rig));
}

static void server_drive_closed(void *user, const LyError *error)
{
    Rig *rig = user;
    rig->server_ended = true;
}

static void client_ready(void *user)
{
    Rig *rig = user;
    rig->ready = true;
}

static void client_closed(void *user, const LyError *error, bool final)
{
    Rig *rig = user;
    g_assert_false(rig->closed);
    rig->closed = true;
    rig->error = *error;
    rig->final = final;
}

static void accept_host_key(void *user, LyKey *key)
{
    Rig *rig = user;
    ly_client_host_key(rig->client, true);
}

static void rig_init(Rig *rig)
{
    static const char *const settings[] = {
        "UserKnownHostsFile=none", "GlobalKnownHostsFile=none",       "IdentityFile=none",
        "IdentityAgent=none",      "KexAlgorithms=curve25519-sha256", NULL};
    *rig = (Rig){0};
    rig->crypto = ly_crypto_new(0, NULL);
    rig->host_key = ly_key_generate(rig->crypto, LY_PK_ED25519, 0, (LyBytes){0}, NULL);
    rig->user_key = ly_key_generate(rig->crypto, LY_PK_ED25519, 0, (LyBytes){0}, NULL);
    rig->other_key = ly_key_generate(rig->crypto, LY_PK_ED25519, 0, (LyBytes){0}, NULL);
    rig->loop = ly_loop_new(NULL);
    rig->asked = g_string_new(NULL);
    rig->destination_options = (LyDestinationOptions){.crypto = rig->crypto,
                                                      .host = "example.test",
                                                      .user = "alice",
                                                      .config_file = "none",
                                                      .settings = settings};
    rig->server_options = (LySessionOptions){
        .transport = {.role = LY_SERVER,
                      .crypto = rig->crypto,
                      .host_keys = &rig->host_key,
                      .host_key_count = 1},
        .userauth = {.methods = "publickey,password,keyboard-interactive,hostbased", .max_attempts = 20},
    };
    rig->events = (LyClientEvents){
        .ready = client_ready, .closed = client_closed, .host_key = accept_host_key, .user = rig};
}

static LyDestination *rig_destination(Rig *rig)
{
    LyError error = {0};
    rig->destination = ly_destination_new(&rig->destination_options, &error);
    g_assert_cmpstr(error.message, ==, "");
    return rig->destination;
}

static void rig_serve(Rig *rig, int fd)
{
    LyError error = {0};
    LyDriveEvents events = {.event = server_drive_event, .closed = server_drive_closed, .user = rig};
    LySession *session = ly_session_new(&rig->server_options, ly_loop_now_us(rig->loop), &error);
    g_assert_cmpstr(error.message, ==, "");
    rig->server = ly_drive_new(rig->loop, session, ly_carrier_new_fds(rig->loop, fd, fd, NULL), &events);
}

static void rig_start(Rig *rig)
{
    int fds[2];
    socket_pair(fds);
    rig_serve(rig, fds[0]);
    rig->client = ly_client_new_over(rig->loop, rig_destination(rig),
                                     ly_carrier_new_fds(rig->loop, fds[1], fds[1], NULL), &rig->events);
}

static void rig_clear(Rig *rig)
{
    ly_client_free(rig->client);
    ly_drive_free(rig->server);
    ly_destination_unref(rig->destination);
    ly_key_unref(rig->host_key);
    ly_key_unref(rig->user_key);
    ly_key_unref(rig->other_key);
    ly_loop_free(rig->loop);
    ly_crypto_unref(rig->crypto);
    g_string_free(rig->asked, TRUE);
}

#endif
