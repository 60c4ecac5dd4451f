#include "loop/server-private.h"

#include <stdio.h>

#include "base/memory.h"

static void drive_event(void *user, const LySessionEvent *event)
{
    LyServer *server = user;
    switch (event->type) {
    case LY_SESSION_TRANSPORT:
        ly_drive_log(server->drive, &server->options->log, server->name, &event->transport);
        break;
    case LY_SESSION_USERAUTH_SERVER:
        ly_server_authenticate(server, &event->request);
        break;
    case LY_SESSION_READY:
        server->signed_in = true;
        if (server->options->announce_host_keys)
            ly_server_announce_host_keys(server);
        break;
    case LY_SESSION_CONNECTION:
        ly_server_connection_event(server, &event->connection);
        break;
    default:
        break;
    }
}

static void free_channels(LyServer *server)
{
    LyServerChannel *channel;
    while ((channel = ly_list_first(&server->channels, LyServerChannel, link)))
        ly_server_channel_free(channel);
}

static void drive_closed(void *user, const LyError *error)
{
    LyServer *server = user;
    const LyLog *log = &server->options->log;
    free_channels(server);
    if (error->code == LY_OK || error->code == LY_ERROR_DISCONNECT)
        ly_log(log, LY_LOG_INFO, "%s: the connection ended%s%s", server->name, error->code ? ": " : "",
               error->code ? error->message : "");
    else
        ly_log(log, LY_LOG_ERROR, "%s: %s", server->name, error->message);
    server->ended(server->user, server);
}

LyServer *ly_server_new(LyLoop *loop, const LyServerOptions *options, LyCarrier *carrier,
                        const LyServerPeer *peer, void (*ended)(void *user, LyServer *server), void *user,
                        LyError *error)
{
    LySessionOptions session_options = options->session;
    session_options.transport.role = LY_SERVER;
    session_options.transport.log = options->log;
    session_options.userauth.methods = ly_server_auth_methods(options);
    LySession *session = ly_session_new(&session_options, ly_loop_now_us(loop), error);
    if (!session) {
        ly_carrier_free(carrier);
        return NULL;
    }
    LyServer *server = ly_new(LyServer);
    server->loop = loop;
    server->options = options;
    server->peer = *peer;
    snprintf(server->name, sizeof server->name, "%s port %u", peer->address, (unsigned)peer->port);
    server->ended = ended;
    server->user = user;
    ly_list_init(&server->channels);
    LyDriveEvents events = {.event = drive_event, .closed = drive_closed, .user = server};
    server->drive = ly_drive_new(loop, session, carrier, &events);
    return server;
}

void ly_server_free(LyServer *server)
{
    if (!server)
        return;
    free_channels(server);
    ly_transport_disconnect(ly_session_transport(ly_drive_session(server->drive)),
                            SSH_DISCONNECT_BY_APPLICATION, "the server goes away");
    ly_drive_free(server->drive);
    ly_authorization_clear(&server->authorization);
    ly_free(server);
}

bool ly_server_is_signed_in(const LyServer *server)
{
    return server->signed_in;
}
