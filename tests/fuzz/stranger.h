/* An end of an SSH connection in memory that signs in (or lets in) as is right, and then sends whatever the
 * input says: for targets that have a whole LyServer or LyClient at the other end. */
#ifndef LY_TESTS_FUZZ_STRANGER_H
#define LY_TESTS_FUZZ_STRANGER_H

#include <errno.h>

#include "transport-ends.h"

#include "loop/carrier.h"
#include "session/session.h"

enum { STRANGER_IDS = 16, STRANGER_ROUNDS = 400 };

typedef struct Stranger {
    LyLoop *loop;
    LySession *session;
    LyTransport *t;
    struct StrangerCarrier *carrier; /* NULL: freed by whom it belonged to */
    LyBuf incoming;                  /* written by the other end */
    uint32_t ids[STRANGER_IDS];      /* of channels, as the other end calls them */
    unsigned id_count;
    bool ready, ended;
    uint8_t counter;
} Stranger;

typedef struct StrangerCarrier {
    LyCarrier carrier;
    Stranger *stranger; /* NULL: gone */
    LyLoop *loop;
    LyTask task;
    LyBuf bytes; /* to be read */
    bool want_read, ended;
} StrangerCarrier;

/* ---- the carrier ---- */

static void stranger_tell(void *user)
{
    StrangerCarrier *c = user;
    if (c->carrier.ready && c->want_read && (c->bytes.len || c->ended))
        c->carrier.ready(c->carrier.user, LY_READABLE); /* may free us */
}

static ssize_t stranger_read(LyCarrier *carrier, void *data, size_t len)
{
    StrangerCarrier *c = (StrangerCarrier *)carrier;
    len = LY_MIN(len, c->bytes.len);
    if (len == 0)
        return c->ended ? 0 : -EAGAIN;
    memcpy(data, c->bytes.data, len);
    ly_buf_drop(&c->bytes, len);
    ly_loop_defer(c->loop, &c->task);
    return (ssize_t)len;
}

static ssize_t stranger_write(LyCarrier *carrier, const void *data, size_t len)
{
    StrangerCarrier *c = (StrangerCarrier *)carrier;
    if (!c->stranger)
        return -EPIPE;
    ly_buf_add(&c->stranger->incoming, ly_bytes(data, len));
    return (ssize_t)len;
}

static void stranger_want_read(LyCarrier *carrier, bool want)
{
    StrangerCarrier *c = (StrangerCarrier *)carrier;
    c->want_read = want;
    ly_loop_defer(c->loop, &c->task);
}

static void stranger_want_write(LyCarrier *carrier, bool want)
{
    FUZZ_ASSERT(!want); /* it takes everything */
}

static void stranger_carrier_free(LyCarrier *carrier)
{
    StrangerCarrier *c = (StrangerCarrier *)carrier;
    if (c->stranger)
        c->stranger->carrier = NULL;
    ly_loop_undefer(c->loop, &c->task);
    ly_buf_free(&c->bytes);
    ly_free(c);
}

static const LyCarrierClass stranger_class = {
    .read = stranger_read,
    .write = stranger_write,
    .want_read = stranger_want_read,
    .want_write = stranger_want_write,
    .free = stranger_carrier_free,
};

/* ---- */

/* Names that are quick. */
static inline const LyAlgorithms *stranger_algorithms(void)
{
    static LyAlgorithms algorithms;
    if (!algorithms.list[0]) {
        ly_algorithms_init(fuzz_crypto(), &algorithms);
        ly_algorithms_change(fuzz_crypto(), &algorithms, LY_ALGORITHMS_KEX, LY_BYTES("curve25519-sha256"),
                             NULL);
        ly_algorithms_change(fuzz_crypto(), &algorithms, LY_ALGORITHMS_HOST_KEY, LY_BYTES("ssh-ed25519"),
                             NULL);
    }
    return &algorithms;
}

static inline LyTransportOptions stranger_transport(LyRole role, uint8_t *counter)
{
    return (LyTransportOptions){
        .role = role,
        .crypto = fuzz_crypto(),
        .algorithms = stranger_algorithms(),
        .ident = "OpenSSH_9.2", /* whom Lanyard knows to have its extensions */
        .host_keys = role == LY_SERVER ? fuzz_keys() : NULL,
        .host_key_count = role == LY_SERVER ? FUZZ_KEYS : 0,
        .random = {fuzz_fill, counter},
    };
}

/* Returns the carrier for the other end. */
static inline LyCarrier *stranger_init(Stranger *stranger, LyLoop *loop, LyRole role)
{
    *stranger = (Stranger){.loop = loop};
    LySessionOptions options = {
        .transport = stranger_transport(role, &stranger->counter),
        .user = LY_BYTES("me"),
        .userauth = {.methods = "publickey"},
    };
    stranger->session = ly_session_new(&options, ly_loop_now_us(loop), NULL);
    FUZZ_ASSERT(stranger->session);
    stranger->t = ly_session_transport(stranger->session);
    StrangerCarrier *c = ly_new(StrangerCarrier);
    *c = (StrangerCarrier){.carrier = {.class = &stranger_class}, .stranger = stranger, .loop = loop};
    c->task = (LyTask){.func = stranger_tell, .user = c};
    stranger->carrier = c;
    return &c->carrier;
}

static inline void stranger_note(Stranger *stranger, LyBytes payload)
{
    LyReader reader = ly_reader(payload);
    uint8_t number = ly_get_u8(&reader);
    if (number == SSH_MSG_CHANNEL_OPEN)
        ly_get_string(&reader);
    else if (number == SSH_MSG_CHANNEL_OPEN_CONFIRMATION)
        ly_get_u32(&reader);
    else
        return;
    uint32_t id = ly_get_u32(&reader);
    if (!reader.failed)
        stranger->ids[stranger->id_count++ % STRANGER_IDS] = id;
}

static inline bool stranger_next(Stranger *stranger)
{
    LySessionEvent event;
    LyTransportEvent below;
    if (stranger->ready) { /* the connection protocol is the input's */
        if (!ly_transport_next(stranger->t, &below))
            return false;
        if (below.type == LY_TRANSPORT_PACKET)
            stranger_note(stranger, below.bytes);
        return true;
    }
    if (!ly_session_next(stranger->session, &event))
        return false;
    if (event.type == LY_SESSION_TRANSPORT && event.transport.type == LY_TRANSPORT_HOST_KEY)
        ly_transport_host_key_accept(stranger->t);
    else if (event.type == LY_SESSION_USERAUTH_SERVER)
        ly_userauth_server_accept(ly_session_userauth_server(stranger->session));
    else if (event.type == LY_SESSION_USERAUTH_CLIENT && event.userauth.type == LY_USERAUTH_NEXT)
        ly_userauth_password(ly_session_userauth_client(stranger->session), LY_BYTES("secret"));
    else if (event.type == LY_SESSION_READY)
        stranger->ready = true;
    return true;
}

/* Bytes both ways, once; false: nothing moved. */
static inline bool stranger_exchange(Stranger *stranger)
{
    bool moved = false;
    size_t room;
    while (stranger->incoming.len && !ly_transport_is_closed(stranger->t)) {
        uint8_t *to = ly_session_input(stranger->session, &room);
        size_t len = LY_MIN(room, stranger->incoming.len);
        FUZZ_ASSERT(len);
        memcpy(to, stranger->incoming.data, len);
        ly_buf_drop(&stranger->incoming, len);
        ly_session_input_done(stranger->session, len);
        while (stranger_next(stranger))
            ;
        moved = true;
    }
    while (stranger_next(stranger))
        moved = true;
    ly_buf_clear(&stranger->incoming);
    LyBytes out = ly_session_output(stranger->session);
    if (out.len && stranger->carrier) {
        ly_buf_add(&stranger->carrier->bytes, out);
        ly_loop_defer(stranger->loop, &stranger->carrier->task);
        moved = true;
    }
    ly_session_output_done(stranger->session, out.len);
    return moved;
}

/* Until nothing moves any more. */
static inline void stranger_settle(Stranger *stranger)
{
    unsigned idle = 0;
    for (unsigned round = 0; idle < 2; round++) {
        FUZZ_ASSERT(round < STRANGER_ROUNDS);
        ly_loop_run_once(stranger->loop, 0);
        idle = stranger_exchange(stranger) ? 0 : idle + 1;
    }
}

/* A message as the input has it; `choice` other than 0 puts one of the other end's channels where the
 * recipient stands. */
static inline void stranger_say(Stranger *stranger, LyBytes payload, unsigned choice)
{
    LyBuf copy = {0};
    if (payload.len == 0 || (payload.data[0] >= SSH_MSG_KEXINIT && payload.data[0] < 50))
        return; /* a key exchange of its own: another target's */
    ly_buf_add(&copy, payload);
    if (choice && stranger->id_count && payload.data[0] > SSH_MSG_CHANNEL_OPEN && payload.len >= 5)
        ly_store_u32(copy.data + 1,
                     stranger->ids[choice % LY_MIN(stranger->id_count, (unsigned)STRANGER_IDS)]);
    ly_transport_send_buf(stranger->t, &copy);
    ly_buf_free(&copy);
}

static inline void stranger_hang_up(Stranger *stranger)
{
    if (!stranger->carrier)
        return;
    stranger->carrier->ended = true;
    ly_loop_defer(stranger->loop, &stranger->carrier->task);
}

static inline void stranger_clear(Stranger *stranger)
{
    if (stranger->carrier)
        stranger->carrier->stranger = NULL;
    ly_session_free(stranger->session);
    ly_buf_free(&stranger->incoming);
}

#endif
