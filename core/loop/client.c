/* A client's life: from the carrier to the session over it, its events, and its end. */
#include "loop/client-private.h"

#include "base/memory.h"
#include "loop/agent-forward.h"
#include "loop/loop-private.h"

#define HANDSHAKE_US (120 * (uint64_t)1000000)
/* What a server may think about the sign-in, all answers together, whatever ConnectTimeout says: somebody may
 * have to press a button on a telephone. */
#define AUTH_US (60 * (uint64_t)1000000)
#define SECOND_US ((uint64_t)1000000)

const LyLog *ly_client_log(const LyClient *client)
{
    return &client->destination->log;
}

/* Life. */

static void start_run(void *user)
{
    LyClient *client = user;
    ly_client_enter(client);
    if (client->carrier) {
        LyCarrier *carrier = client->carrier;
        client->carrier = NULL;
        ly_client_carrier_made(client, carrier);
    } else {
        ly_client_begin(client);
    }
    ly_client_leave(client);
}

static void timer_run(void *user)
{
    LyClient *client = user;
    ly_client_enter(client);
    ly_client_timed_out(client);
    ly_client_leave(client);
}

LyClient *ly_client_new_over(LyLoop *loop, LyDestination *destination, LyCarrier *carrier,
                             const LyClientEvents *events)
{
    LyClient *client = ly_new(LyClient);
    client->loop = loop;
    client->destination = ly_destination_ref(destination);
    client->events = *events;
    client->carrier = carrier;
    ly_client_requests_init(client);
    client->start = (LyTask){.func = start_run, .user = client};
    client->timer = ly_timer_new(loop, timer_run, client);
    ly_loop_defer(loop, &client->start);
    return client;
}

LyClient *ly_client_new(LyLoop *loop, LyDestination *destination, const LyClientEvents *events)
{
    return ly_client_new_over(loop, destination, NULL, events);
}

static void release_connection(LyClient *client)
{
    client->answered = NULL;
    ly_client_requests_fail(client);
    ly_agent_forward_free(client->agent_forward);
    client->agent_forward = NULL;
    ly_auth_free(client->auth);
    client->auth = NULL;
    ly_drive_free(client->drive);
    client->drive = NULL;
    client->session = NULL;
    if (client->host_key)
        ly_key_unref(client->host_key);
    client->host_key = NULL;
    client->host_key_open = false;
    ly_carrier_free(client->carrier);
    client->carrier = NULL;
    ly_client_release_way(client);
    ly_timer_set(client->timer, UINT64_MAX);
    ly_loop_undefer(client->loop, &client->start);
}

static void destroy(LyClient *client)
{
    if (client->session)
        ly_transport_disconnect(ly_session_transport(client->session), SSH_DISCONNECT_BY_APPLICATION,
                                "closed by the user");
    release_connection(client);
    ly_client_drop_acceptors(client);
    ly_timer_free(client->timer);
    for (size_t i = 0; i < client->attempt_count; i++)
        ly_attempt_clear(&client->attempts[i]);
    ly_free(client->attempts);
    ly_algorithms_clear(&client->algorithms);
    ly_destination_unref(client->destination);
    ly_free(client);
}

void ly_client_enter(LyClient *client)
{
    client->depth++;
}

void ly_client_enter_late(LyClient *client)
{
    ly_client_enter(client);
    if (client->session && !client->ended)
        ly_session_tick(client->session, ly_loop_now_us(client->loop));
}

void ly_client_leave(LyClient *client)
{
    if (--client->depth == 0 && client->dead)
        destroy(client);
}

void ly_client_free(LyClient *client)
{
    if (!client || client->dead)
        return;
    client->dead = true;
    client->answered = NULL;
    client->depth++; /* who is told must not free it a second time */
    ly_client_tell_dependents(client, NULL);
    ly_client_leave(client);
}

void ly_client_end(LyClient *client, const LyError *error, bool final)
{
    if (client->ended || client->dead)
        return;
    LyError copy = *error; /* may live in what is released */
    client->ended = true;
    ly_client_enter(client);
    ly_client_tell_dependents(client, &copy);
    release_connection(client);
    if (!client->dead)
        client->events.closed(client->events.user, &copy, final);
    ly_client_leave(client);
}

/* Questions. */

bool ly_client_may_ask(const LyClient *client)
{
    return client->events.ask && !ly_config_flag(client->destination->config, LY_CONFIG_BATCH_MODE, false);
}

void ly_client_ask(LyClient *client, LyAskKind kind, const char *text, bool echo, bool retry,
                   LyClientAnswered answered)
{
    if (client->dead)
        return;
    if (!ly_client_may_ask(client)) {
        answered(client, NULL);
        return;
    }
    client->answered = answered;
    LyAsk ask = {.kind = kind, .text = text, .echo = echo, .retry = retry};
    client->events.ask(client->events.user, &ask);
}

void ly_client_answer(LyClient *client, const char *answer)
{
    if (!client->answered) {
        if (client->jump)
            ly_client_answer(client->jump, answer);
        return;
    }
    LyClientAnswered answered = client->answered;
    client->answered = NULL;
    ly_client_enter_late(client);
    answered(client, answer);
    ly_client_flush(client);
    ly_client_leave(client);
}

/* The session over its carrier. */

static uint64_t setting(const LyClient *client, LyConfigKeyword keyword, uint64_t otherwise)
{
    return ly_config_number(client->destination->config, keyword, otherwise);
}

/* Host keys that are known for the host are asked for first, unless the order was configured. */
static void choose_algorithms(LyClient *client)
{
    LyDestination *destination = client->destination;
    LyBuf preferred = {0};
    const char *alias = ly_config_string(destination->config, LY_CONFIG_HOST_KEY_ALIAS);
    ly_algorithms_clear(&client->algorithms);
    ly_algorithms_copy(&destination->algorithms, &client->algorithms);
    if (destination->prefer_known) {
        char **list = &client->algorithms.list[LY_ALGORITHMS_HOST_KEY];
        ly_known_hosts_prefer(destination->known_hosts, ly_bytes_str(alias ? alias : destination->host),
                              alias ? 22 : destination->port, ly_bytes_str(*list), &preferred);
        /* the known ones, then the rest in its order */
        LyBytes rest = ly_bytes_str(*list), name;
        LyBuf all = {0};
        ly_buf_add(&all, ly_buf_bytes(&preferred));
        while (ly_names_next(&rest, &name)) {
            if (ly_names_contain(ly_buf_bytes(&preferred), name))
                continue;
            if (all.len)
                ly_buf_add_str(&all, ",");
            ly_buf_add(&all, name);
        }
        ly_free(*list);
        *list = ly_bytes_dup_str(ly_buf_bytes(&all));
        ly_buf_free(&all);
    }
    ly_buf_free(&preferred);
}

/* Signing in was refused, or cannot ever work: another attempt would only ask, or lock, again. */
static bool is_final(const LyClient *client, const LyError *error)
{
    return !client->ready &&
           (error->code == LY_ERROR_AUTH || error->code == LY_ERROR_HOST_KEY ||
            error->code == LY_ERROR_UNSUPPORTED || error->reason == SSH_DISCONNECT_KEY_EXCHANGE_FAILED);
}

/* Reasons of a DISCONNECT during the sign-in that say nothing about who signs in: too late, too many, going
 * down. */
static bool is_refusal(uint32_t reason)
{
    return reason != 0 && reason != SSH_DISCONNECT_BY_APPLICATION &&
           reason != SSH_DISCONNECT_CONNECTION_LOST && reason != SSH_DISCONNECT_TOO_MANY_CONNECTIONS;
}

static void session_closed(LyClient *client, const LyError *error)
{
    LyError told = *error;
    if (told.code == LY_ERROR_AUTH || told.code == LY_ERROR_HOST_KEY) {
        /* these sentences name the host */
    } else if (client->auth && !client->ready && told.code == LY_ERROR_DISCONNECT &&
               is_refusal(told.reason)) {
        /* "Too many authentication failures" comes as a DISCONNECT */
        LyBuf sentence = {0};
        ly_auth_sentence(client, &sentence);
        ly_error_set(&told, LY_ERROR_AUTH, "%s; %s", ly_buf_str(&sentence), error->message);
        told.reason = error->reason;
        ly_buf_free(&sentence);
    } else if (told.code == LY_ERROR_TIMEOUT && !client->ready) {
        char limit[32];
        ly_timeout_text(client->auth ? client->auth_us : client->kex_us, limit);
        ly_error_set(&told, LY_ERROR_TIMEOUT, "the %s %s%s timed out after %s",
                     client->auth ? "sign-in to" : "key exchange with", client->destination->name,
                     client->destination->proxy_command ? " by ProxyCommand" : "", limit);
        told.reason = error->reason;
    } else if (told.code != LY_OK || !client->ready) {
        if (told.code == LY_OK)
            ly_error_set(&told, LY_ERROR_DISCONNECT, "the server closed the connection");
        ly_error_prefix(&told, "%s%s%s", client->destination->name,
                        client->destination->proxy_command ? " by ProxyCommand" : "",
                        client->auth && !client->ready ? ", during the sign-in" : "");
    }
    ly_client_end(client, &told, is_final(client, &told));
}

static void transport_event(LyClient *client, const LyTransportEvent *event)
{
    ly_drive_log(client->drive, ly_client_log(client), client->destination->name, event);
    if (client->events.transport && event->type != LY_TRANSPORT_HOST_KEY)
        client->events.transport(client->events.user, event);
    if (client->dead)
        return;
    if (event->type == LY_TRANSPORT_HOST_KEY)
        ly_client_check_host_key(client, event->key);
    else if (event->type == LY_TRANSPORT_NEWKEYS && event->initial)
        client->auth = ly_auth_new(client);
}

static void connection_event(LyClient *client, const LyConnectionEvent *event)
{
    LyChannelFunc func = event->channel ? ly_channel_func(event->channel) : NULL;
    if (func)
        func(ly_channel_user(event->channel), event);
    else if (event->type == LY_CHANNEL_OPEN_REQUEST && ly_client_open_requested(client, event))
        return;
    else if (event->type == LY_GLOBAL_REPLY && ly_client_global_replied(client, event))
        return;
    else if (event->type == LY_GLOBAL_REQUEST && ly_client_host_keys_announced(client, event))
        return;
    else if (client->events.event)
        client->events.event(client->events.user, event);
    else
        ly_client_refuse(client, event);
}

static void drive_event(void *user, const LySessionEvent *event)
{
    LyClient *client = user;
    ly_client_enter(client);
    switch (event->type) {
    case LY_SESSION_TRANSPORT:
        transport_event(client, &event->transport);
        break;
    case LY_SESSION_USERAUTH_CLIENT:
        ly_auth_event(client, &event->userauth);
        break;
    case LY_SESSION_READY:
        client->ready = true;
        ly_auth_succeeded(client);
        if (client->events.ready)
            client->events.ready(client->events.user);
        break;
    case LY_SESSION_CONNECTION:
        connection_event(client, &event->connection);
        break;
    default:
        break;
    }
    ly_client_leave(client);
}

static void drive_iterated(void *user)
{
    LyClient *client = user;
    ly_client_enter(client);
    if (client->ready && client->events.iterated)
        client->events.iterated(client->events.user);
    ly_client_leave(client);
}

static void drive_closed(void *user, const LyError *error)
{
    LyClient *client = user;
    ly_client_enter(client);
    session_closed(client, error);
    ly_client_leave(client);
}

/* Of key exchange and sign-in. Returns how much of the former's connecting took already: ConnectTimeout is
 * one limit for both. */
static uint64_t choose_limits(LyClient *client, uint64_t now_us)
{
    const LyDestination *destination = client->destination;
    uint64_t both_us = setting(client, LY_CONFIG_CONNECT_TIMEOUT, 0) * SECOND_US;
    bool shared = both_us && !destination->kex_timeout_us && !destination->connect_timeout_us;
    client->kex_us = destination->kex_timeout_us ? destination->kex_timeout_us
                     : both_us                   ? both_us
                                                 : HANDSHAKE_US;
    client->auth_us = destination->auth_timeout_us ? destination->auth_timeout_us
                      : both_us                    ? LY_MAX(both_us, AUTH_US)
                                                   : HANDSHAKE_US;
    if (!shared || !client->until_us || client->until_us == UINT64_MAX)
        return 0;
    uint64_t left_us = client->until_us > now_us ? client->until_us - now_us : 0;
    return both_us - LY_MIN(left_us, both_us);
}

void ly_client_carrier_made(LyClient *client, LyCarrier *carrier)
{
    LyDestination *destination = client->destination;
    uint64_t now_us = ly_loop_now_us(client->loop), rekey_bytes, rekey_seconds;
    ly_config_rekey_limit(destination->config, &rekey_bytes, &rekey_seconds);
    choose_algorithms(client);
    uint64_t spent_us = choose_limits(client, now_us);
    uint64_t alive_us = setting(client, LY_CONFIG_SERVER_ALIVE_INTERVAL, 15) * SECOND_US;
    LySessionOptions options = {
        .transport = {.role = LY_CLIENT,
                      .crypto = destination->crypto,
                      .algorithms = &client->algorithms,
                      .rekey_bytes = rekey_bytes,
                      .rekey_us = rekey_seconds * SECOND_US,
                      .ident = destination->ident,
                      .handshake_timeout_us = client->kex_us,
                      .handshake_spent_us = spent_us,
                      .log = destination->log},
        .connection = {.keepalive_us = destination->keepalive_us ? destination->keepalive_us : alive_us,
                       .keepalive_count = (unsigned)setting(client, LY_CONFIG_SERVER_ALIVE_COUNT_MAX, 3)},
        .user = ly_bytes_str(destination->user),
        .auth_timeout_us = client->auth_us,
    };
    LyError error = {0};
    LyDriveEvents events = {
        .event = drive_event, .iterated = drive_iterated, .closed = drive_closed, .user = client};
    client->session = ly_session_new(&options, now_us, &error);
    if (!client->session) {
        ly_carrier_free(carrier);
        ly_client_end(client, &error, true);
        return;
    }
    ly_carrier_set_no_delay(carrier, true);
    client->drive = ly_drive_new(client->loop, client->session, carrier, &events);
}

void ly_client_refuse(LyClient *client, const LyConnectionEvent *event)
{
    if (event->type == LY_CHANNEL_OPEN_REQUEST)
        ly_channel_refuse(event->channel, SSH_OPEN_ADMINISTRATIVELY_PROHIBITED, "not requested");
    else if (event->type == LY_CHANNEL_REQUEST && event->want_reply)
        ly_channel_reply(event->channel, false);
    else if (event->type == LY_GLOBAL_REQUEST && event->want_reply && ly_client_session(client))
        ly_global_reply(ly_session_connection(ly_client_session(client)), false, (LyBytes){0});
}

void ly_client_flush(LyClient *client)
{
    if (client->drive)
        ly_drive_wake(client->drive);
}

LySession *ly_client_session(LyClient *client)
{
    return client->ended || client->dead ? NULL : client->session;
}
