#include "loop/server-private.h"

#include <stdio.h>

#include "base/memory.h"

static void transport_event(LyServer *server, const LyTransportEvent *event)
{
    const LyServerHandlers *handlers = &server->options->handlers;
    ly_drive_log(server->drive, &server->options->log, server->name, event);
    if (handlers->transport)
        handlers->transport(handlers->user, server, event);
}

static void sign_in_requested(LyServer *server, const LyUserauthRequest *request)
{
    const LyServerHandlers *handlers = &server->options->handlers;
    ly_buf_clear(&server->user_name);
    ly_buf_add(&server->user_name, request->user);
    if (!handlers->authenticate || !handlers->authenticate(handlers->user, server, request))
        ly_server_authenticate(server, request);
}

static void signed_in(LyServer *server)
{
    const LyServerHandlers *handlers = &server->options->handlers;
    server->signed_in = true;
    if (!server->authorization.found) /* by the application, or a password: no key restricts anything */
        server->authorization = (LyAuthorization){.found = true,
                                                  .pty = true,
                                                  .user_rc = true,
                                                  .port_forwarding = true,
                                                  .agent_forwarding = true,
                                                  .x11_forwarding = true};
    if (server->options->announce_host_keys)
        ly_server_announce_host_keys(server);
    if (handlers->ready)
        handlers->ready(handlers->user, server, ly_server_user(server));
}

static void drive_event(void *user, const LySessionEvent *event)
{
    LyServer *server = user;
    switch (event->type) {
    case LY_SESSION_TRANSPORT:
        transport_event(server, &event->transport);
        break;
    case LY_SESSION_USERAUTH_SERVER:
        sign_in_requested(server, &event->request);
        break;
    case LY_SESSION_READY:
        signed_in(server);
        break;
    case LY_SESSION_CONNECTION:
        ly_server_connection_event(server, &event->connection);
        break;
    default:
        break;
    }
}

static void end_channels(LyServer *server)
{
    LyServerChannel *channel;
    while ((channel = ly_list_first(&server->channels, LyServerChannel, link)))
        ly_server_channel_free(channel);
    ly_server_forwards_free(server);
}

static void drive_closed(void *user, const LyError *error)
{
    LyServer *server = user;
    const LyLog *log = &server->options->log;
    end_channels(server);
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
    if (!options->handlers.authenticate || !session_options.userauth.methods)
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
    end_channels(server);
    ly_transport_disconnect(ly_session_transport(ly_drive_session(server->drive)),
                            SSH_DISCONNECT_BY_APPLICATION, "the server goes away");
    ly_server_agent_free(server->agent);
    ly_drive_free(server->drive);
    ly_authorization_clear(&server->authorization);
    ly_buf_free(&server->user_name);
    ly_free(server);
}

bool ly_server_is_signed_in(const LyServer *server)
{
    return server->signed_in;
}

const LyServerPeer *ly_server_peer(const LyServer *server)
{
    return &server->peer;
}

LyBytes ly_server_user(const LyServer *server)
{
    return server->signed_in ? ly_buf_bytes(&server->user_name) : (LyBytes){0};
}

LySession *ly_server_session(LyServer *server)
{
    return ly_drive_session(server->drive);
}

LyUserauthServer *ly_server_userauth(LyServer *server)
{
    return ly_session_userauth_server(ly_drive_session(server->drive));
}

LyConnection *ly_server_connection(LyServer *server)
{
    return ly_session_connection(ly_drive_session(server->drive));
}

void ly_server_wake(LyServer *server)
{
    ly_drive_wake(server->drive);
}

void ly_server_disconnect(LyServer *server, uint32_t reason, const char *sentence)
{
    ly_transport_disconnect(ly_session_transport(ly_drive_session(server->drive)), reason, sentence);
    ly_drive_wake(server->drive);
}
