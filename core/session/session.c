#include "session/session.h"

#include "base/memory.h"

#define SECOND_US 1000000u

struct LySession {
    LyTransport *transport;
    LyUserauthClient *client;
    LyUserauthServer *server;
    LyConnection *connection;
    LyBytes user;
    char *methods, *banner;
    LyUserauthServerOptions userauth_options;
    LyConnectionOptions connection_options;
    uint64_t auth_timeout_us, auth_left_us;
    uint64_t auth_from_us; /* since when auth_left_us runs down */
    bool auth_runs, is_server;
};

LySession *ly_session_new(const LySessionOptions *options, uint64_t now_us, LyError *error)
{
    LyTransport *transport = ly_transport_new(&options->transport, now_us, error);
    if (!transport)
        return NULL;
    LySession *session = ly_new(LySession);
    session->transport = transport;
    session->user = ly_bytes(ly_bytes_dup_str(options->user), options->user.len);
    session->methods = ly_strdup(options->userauth.methods);
    session->banner = ly_strdup(options->userauth.banner);
    session->userauth_options = options->userauth;
    session->userauth_options.methods = session->methods;
    session->userauth_options.banner = session->banner;
    session->connection_options = options->connection;
    session->auth_timeout_us = session->auth_left_us = options->auth_timeout_us;
    session->is_server = options->transport.role == LY_SERVER;
    return session;
}

void ly_session_free(LySession *session)
{
    if (!session)
        return;
    ly_connection_free(session->connection);
    ly_userauth_client_free(session->client);
    ly_userauth_server_free(session->server);
    ly_transport_free(session->transport);
    ly_free((void *)session->user.data);
    ly_free(session->methods);
    ly_free(session->banner);
    ly_free(session);
}

/* ---- bytes ---- */

uint8_t *ly_session_input(LySession *session, size_t *room)
{
    return ly_transport_input(session->transport, room);
}

void ly_session_input_done(LySession *session, size_t len)
{
    ly_transport_input_done(session->transport, len);
    if (session->connection && len)
        ly_connection_heard(session->connection);
}

LyBytes ly_session_output(LySession *session)
{
    return ly_transport_output(session->transport);
}

void ly_session_output_done(LySession *session, size_t len)
{
    ly_transport_output_done(session->transport, len);
}

/* ---- time ---- */

/* Does the sign-in's clock run? A server's does from the connection's begin to SUCCESS; a client's from
 * NEWKEYS, and it stands while its user is asked. */
static bool auth_waits(const LySession *session)
{
    if (!session->auth_timeout_us || session->connection || ly_transport_is_closed(session->transport))
        return false;
    if (session->is_server)
        return !session->server || !ly_userauth_server_is_done(session->server);
    return session->client && ly_userauth_client_is_waiting(session->client);
}

/* Books the time that ran since the last look; called with the old time before it changes, and with the new
 * one after. */
static void book_auth_time(LySession *session, uint64_t now_us)
{
    if (session->auth_runs) {
        uint64_t ran_us = now_us - LY_MIN(session->auth_from_us, now_us);
        session->auth_left_us -= LY_MIN(ran_us, session->auth_left_us);
    }
    session->auth_from_us = now_us;
    session->auth_runs = auth_waits(session);
}

uint64_t ly_session_deadline_us(const LySession *session)
{
    uint64_t deadline_us = ly_transport_deadline_us(session->transport);
    if (session->connection)
        deadline_us = LY_MIN(deadline_us, ly_connection_deadline_us(session->connection));
    if (auth_waits(session)) {
        uint64_t from_us =
            session->auth_runs ? session->auth_from_us : ly_transport_now_us(session->transport);
        deadline_us = LY_MIN(deadline_us, from_us + session->auth_left_us);
    }
    return deadline_us;
}

void ly_session_tick(LySession *session, uint64_t now_us)
{
    book_auth_time(session, ly_transport_now_us(session->transport));
    ly_transport_tick(session->transport, now_us);
    book_auth_time(session, now_us);
    if (session->auth_runs && !session->auth_left_us)
        ly_transport_fail(session->transport, LY_ERROR_TIMEOUT, SSH_DISCONNECT_BY_APPLICATION,
                          session->client ? "the server did not answer the sign-in within %llu s"
                                          : "the client did not sign in within %llu s",
                          (unsigned long long)(session->auth_timeout_us / SECOND_US));
    if (session->connection)
        ly_connection_tick(session->connection, now_us);
}

/* ---- events ---- */

static bool give_ready(LySession *session, LySessionEvent *event)
{
    session->connection = ly_connection_new(session->transport, &session->connection_options);
    *event = (LySessionEvent){.type = LY_SESSION_READY};
    return true;
}

static bool userauth_packet(LySession *session, LyBytes payload, LySessionEvent *event)
{
    if (session->server) {
        LySessionEvent given = {.type = LY_SESSION_USERAUTH_SERVER};
        if (!ly_userauth_server_receive(session->server, payload, &given.request))
            return false;
        *event = given;
        return true;
    }
    LySessionEvent given = {.type = LY_SESSION_USERAUTH_CLIENT};
    if (!session->client || !ly_userauth_client_receive(session->client, payload, &given.userauth))
        return false;
    if (given.userauth.type == LY_USERAUTH_SUCCESS)
        return give_ready(session, event);
    *event = given;
    return true;
}

static bool packet_received(LySession *session, LyBytes payload, LySessionEvent *event)
{
    if (payload.len && payload.data[0] < SSH_MSG_GLOBAL_REQUEST)
        return userauth_packet(session, payload, event);
    if (!session->connection) /* the transport lets nothing of this through before the sign-in */
        return false;
    LySessionEvent given = {.type = LY_SESSION_CONNECTION};
    if (!ly_connection_receive(session->connection, payload, &given.connection))
        return false;
    *event = given;
    return true;
}

static void begin_userauth(LySession *session)
{
    if (ly_transport_role(session->transport) == LY_CLIENT)
        session->client = ly_userauth_client_new(session->transport, session->user);
    else
        session->server = ly_userauth_server_new(session->transport, &session->userauth_options);
}

/* What waits apart from packets. */
static bool waiting_event(LySession *session, LySessionEvent *event)
{
    if (session->connection) {
        LySessionEvent given = {.type = LY_SESSION_CONNECTION};
        if (!ly_connection_next(session->connection, &given.connection))
            return false;
        *event = given;
        return true;
    }
    if (!session->server)
        return false;
    if (ly_userauth_server_is_done(session->server))
        return give_ready(session, event);
    LySessionEvent given = {.type = LY_SESSION_USERAUTH_SERVER};
    if (!ly_userauth_server_next(session->server, &given.request))
        return false;
    *event = given;
    return true;
}

static bool next_event(LySession *session, LySessionEvent *event)
{
    if (waiting_event(session, event))
        return true;
    LySessionEvent given = {.type = LY_SESSION_TRANSPORT};
    while (ly_transport_next(session->transport, &given.transport)) {
        switch (given.transport.type) {
        case LY_TRANSPORT_PACKET:
            if (packet_received(session, given.transport.bytes, event) || waiting_event(session, event))
                return true;
            continue;
        case LY_TRANSPORT_CLOSED:
            *event = (LySessionEvent){.type = LY_SESSION_CLOSED, .error = given.transport.error};
            return true;
        case LY_TRANSPORT_NEWKEYS:
            if (given.transport.initial)
                begin_userauth(session);
            break;
        default:
            break;
        }
        *event = given;
        return true;
    }
    return false;
}

bool ly_session_next(LySession *session, LySessionEvent *event)
{
    book_auth_time(session, ly_transport_now_us(session->transport));
    bool given = next_event(session, event);
    book_auth_time(session, ly_transport_now_us(session->transport));
    return given;
}

LyTransport *ly_session_transport(LySession *session)
{
    return session->transport;
}

LyUserauthClient *ly_session_userauth_client(LySession *session)
{
    return session->client;
}

LyUserauthServer *ly_session_userauth_server(LySession *session)
{
    return session->server;
}

LyConnection *ly_session_connection(LySession *session)
{
    return session->connection;
}
