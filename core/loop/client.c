/* A client's life, and the bytes between its carrier and its session. */
#include "loop/client-private.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"

#define INPUT_AT_ONCE ((size_t)1 << 20) /* bytes handled before others get their turn */
#define HANDSHAKE_US (120 * (uint64_t)1000000)
/* What a server may think about the sign-in, all answers together, whatever ConnectTimeout says: somebody may
 * have to press a button on a telephone. */
#define AUTH_US (60 * (uint64_t)1000000)
#define SECOND_US ((uint64_t)1000000)

static void carrier_ready(void *user, unsigned events);

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

static void flush_output(LyClient *client);

static void flush_run(void *user)
{
    LyClient *client = user;
    ly_client_enter(client);
    flush_output(client);
    ly_client_leave(client);
}

static void timer_run(void *user)
{
    LyClient *client = user;
    client->timer_us = UINT64_MAX;
    ly_client_enter(client);
    if (client->session) {
        ly_session_tick(client->session, ly_loop_now_us(client->loop));
        ly_client_resume(client);
    } else {
        ly_client_timed_out(client);
    }
    ly_client_leave(client);
}

void ly_client_set_timer(LyClient *client, uint64_t at_us)
{
    if (client->timer_us == at_us)
        return;
    client->timer_us = at_us;
    ly_timer_set(client->timer, at_us);
}

LyClient *ly_client_new_over(LyLoop *loop, LyDestination *destination, LyCarrier *carrier,
                             const LyClientEvents *events)
{
    LyClient *client = ly_new(LyClient);
    client->loop = loop;
    client->destination = ly_destination_ref(destination);
    client->events = *events;
    client->carrier = carrier;
    client->start = (LyTask){.func = start_run, .user = client};
    client->flush = (LyTask){.func = flush_run, .user = client};
    client->timer = ly_timer_new(loop, timer_run, client);
    client->timer_us = UINT64_MAX;
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
    ly_auth_free(client->auth);
    client->auth = NULL;
    ly_session_free(client->session);
    client->session = NULL;
    if (client->host_key)
        ly_key_unref(client->host_key);
    client->host_key = NULL;
    ly_carrier_free(client->carrier);
    client->carrier = NULL;
    ly_client_release_way(client);
    ly_client_set_timer(client, UINT64_MAX);
    ly_loop_undefer(client->loop, &client->start);
    ly_loop_undefer(client->loop, &client->flush);
}

/* One attempt to send what is there: farewells are not waited for. */
static void write_last(LyClient *client)
{
    if (!client->session || !client->carrier)
        return;
    LyBytes out;
    while ((out = ly_session_output(client->session)).len) {
        ssize_t count = ly_carrier_write(client->carrier, out.data, out.len);
        if (count <= 0)
            return;
        ly_session_output_done(client->session, (size_t)count);
    }
}

static void destroy(LyClient *client)
{
    if (client->session && client->carrier) {
        ly_transport_disconnect(ly_session_transport(client->session), SSH_DISCONNECT_BY_APPLICATION,
                                "closed by the user");
        write_last(client);
    }
    release_connection(client);
    ly_timer_free(client->timer);
    ly_algorithms_clear(&client->algorithms);
    ly_destination_unref(client->destination);
    ly_free(client);
}

void ly_client_enter(LyClient *client)
{
    client->depth++;
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
    if (client->depth == 0)
        destroy(client);
}

void ly_client_end(LyClient *client, const LyError *error, bool final)
{
    if (client->ended || client->dead)
        return;
    LyError copy = *error; /* may live in the session */
    client->ended = true;
    write_last(client);
    release_connection(client);
    client->events.closed(client->events.user, &copy, final);
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
    ly_client_enter(client);
    answered(client, answer);
    if (!client->draining)
        ly_client_resume(client);
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

void ly_client_carrier_made(LyClient *client, LyCarrier *carrier)
{
    LyDestination *destination = client->destination;
    uint64_t now_us = ly_loop_now_us(client->loop), rekey_bytes, rekey_seconds;
    ly_config_rekey_limit(destination->config, &rekey_bytes, &rekey_seconds);
    choose_algorithms(client);
    uint64_t connect_us = setting(client, LY_CONFIG_CONNECT_TIMEOUT, 0) * SECOND_US;
    bool timed = connect_us && client->until_us && client->until_us != UINT64_MAX;
    uint64_t left_us = timed && client->until_us > now_us ? client->until_us - now_us : 0;
    LySessionOptions options = {
        .transport = {.role = LY_CLIENT,
                      .crypto = destination->crypto,
                      .algorithms = &client->algorithms,
                      .rekey_bytes = rekey_bytes,
                      .rekey_us = rekey_seconds * SECOND_US,
                      .handshake_timeout_us = timed ? connect_us : HANDSHAKE_US,
                      .handshake_spent_us = timed ? connect_us - LY_MIN(left_us, connect_us) : 0,
                      .log = destination->log},
        .connection = {.keepalive_us = setting(client, LY_CONFIG_SERVER_ALIVE_INTERVAL, 15) * SECOND_US,
                       .keepalive_count = (unsigned)setting(client, LY_CONFIG_SERVER_ALIVE_COUNT_MAX, 3)},
        .user = ly_bytes_str(destination->user),
        .auth_timeout_us = connect_us ? LY_MAX(connect_us, AUTH_US) : HANDSHAKE_US,
    };
    LyError error = {0};
    client->carrier = carrier;
    client->session = ly_session_new(&options, now_us, &error);
    if (!client->session) {
        ly_client_end(client, &error, true);
        return;
    }
    ly_carrier_start(carrier, carrier_ready, client);
    ly_client_resume(client);
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
    switch (event->type) {
    case LY_TRANSPORT_HOST_KEY:
        ly_client_check_host_key(client, event->key);
        break;
    case LY_TRANSPORT_IDENT:
        ly_log(ly_client_log(client), LY_LOG_DEBUG, "%s is %s", client->destination->name,
               LY_PRINTABLE(event->bytes));
        break;
    case LY_TRANSPORT_DEBUG_TEXT:
        ly_log(ly_client_log(client), LY_LOG_DEBUG, "%s says: %s", client->destination->name,
               LY_PRINTABLE(event->bytes));
        break;
    case LY_TRANSPORT_NEWKEYS:
        if (event->initial) {
            const LyNegotiated *names = ly_transport_negotiated(ly_session_transport(client->session));
            ly_log(ly_client_log(client), LY_LOG_DEBUG, "%s: %.*s, %.*s, %.*s", client->destination->name,
                   (int)names->kex.len, (const char *)names->kex.data, (int)names->host_key.len,
                   (const char *)names->host_key.data, (int)names->cipher[0].len,
                   (const char *)names->cipher[0].data);
            client->auth = ly_new(LyAuth);
        }
        break;
    default:
        break;
    }
}

static void dispatch(LyClient *client, const LySessionEvent *event)
{
    switch (event->type) {
    case LY_SESSION_CONNECTION:
        if (client->events.event)
            client->events.event(client->events.user, &event->connection);
        break;
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
    case LY_SESSION_CLOSED:
        session_closed(client, event->error);
        break;
    default:
        break;
    }
}

static void drain(LyClient *client)
{
    LySessionEvent event;
    if (client->draining)
        return;
    client->draining = true;
    while (!client->dead && client->session && ly_session_next(client->session, &event))
        dispatch(client, &event);
    client->draining = false;
}

static void carrier_lost(LyClient *client, int failure)
{
    LyError error = {0};
    ly_error_set(&error, LY_ERROR_IO, "the connection was lost: %s", strerror(failure));
    error.system = failure;
    ly_transport_carrier_lost(ly_session_transport(client->session), &error);
}

static void read_input(LyClient *client);

/* A write failed: what the server said last may still be there to be read. */
static void write_failed(LyClient *client, int failure)
{
    if (!client->input_ended)
        read_input(client);
    if (!client->dead && client->session && !ly_transport_is_closed(ly_session_transport(client->session)))
        carrier_lost(client, failure);
}

/* As few write() calls as there are stretches of output; the rest goes when the carrier has room. */
static void flush_output(LyClient *client)
{
    bool blocked = false;
    ssize_t count = 0;
    LyBytes out;
    if (client->dead || !client->session || !client->carrier)
        return;
    while (!blocked && (out = ly_session_output(client->session)).len) {
        count = ly_carrier_write(client->carrier, out.data, out.len);
        if (count > 0)
            ly_session_output_done(client->session, (size_t)count);
        blocked = count < (ssize_t)out.len;
    }
    if (count < 0 && count != -EAGAIN) {
        write_failed(client, (int)-count);
        blocked = false;
    }
    drain(client); /* room may have made events: LY_CHANNEL_WINDOW */
    if (client->dead || !client->session)
        return;
    if (client->want_write != blocked) {
        client->want_write = blocked;
        ly_carrier_want_write(client->carrier, blocked);
    }
    ly_client_set_timer(client, ly_session_deadline_us(client->session));
}

void ly_client_flush(LyClient *client)
{
    if (!client->dead && client->session)
        ly_loop_defer(client->loop, &client->flush);
}

void ly_client_resume(LyClient *client)
{
    drain(client);
    if (client->paused && client->session && !client->input_ended) {
        client->paused = false;
        ly_carrier_want_read(client->carrier, true);
    }
    ly_client_flush(client);
}

static void read_input(LyClient *client)
{
    size_t handled = 0, room = 0;
    ssize_t count = 0;
    do {
        uint8_t *into = ly_session_input(client->session, &room);
        if (!room) {
            /* a question is open and the buffer is full: the rest waits in the carrier */
            client->paused = true;
            ly_carrier_want_read(client->carrier, false);
            return;
        }
        count = ly_carrier_read(client->carrier, into, room);
        if (count == -EAGAIN)
            break;
        if (count < 0)
            carrier_lost(client, (int)-count);
        else
            ly_session_input_done(client->session, (size_t)count);
        if (count == 0) {
            /* the end comes once: a level-triggered carrier would tell it for ever */
            client->input_ended = true;
            ly_carrier_want_read(client->carrier, false);
        }
        drain(client);
        handled += count > 0 ? (size_t)count : 0;
        /* less than there was room for: the carrier is empty for now */
    } while (count > 0 && (size_t)count == room && handled < INPUT_AT_ONCE && !client->dead &&
             client->session);
}

static void carrier_ready(void *user, unsigned events)
{
    LyClient *client = user;
    ly_client_enter(client);
    if (client->session)
        ly_session_tick(client->session, ly_loop_now_us(client->loop));
    drain(client);
    if ((events & LY_WRITABLE) && client->session && !client->dead)
        flush_output(client);
    if ((events & LY_READABLE) && client->session && !client->dead) {
        read_input(client);
        if (!client->dead && client->ready && client->session && client->events.iterated)
            client->events.iterated(client->events.user);
    }
    ly_client_flush(client);
    ly_client_leave(client);
}

LySession *ly_client_session(LyClient *client)
{
    return client->session;
}
