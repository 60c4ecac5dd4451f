/* A client's and a server's session joined in memory, and transports alone whose packets are read before they
 * are sealed: for the tests of userauth, connection and session. Included once by each of them. */
#ifndef TESTS_SESSION_PAIR_H
#define TESTS_SESSION_PAIR_H

#include <glib.h>

#include "base/auto.h"
#include "base/memory.h"
#include "session/session.h"
#include "transport/transport-private.h"

static LyCrypto *crypto;
static LyKey *host_key, *user_key;
static LyAlgorithms fast_algorithms; /* default lists, and the fastest key exchange */

static inline LyKey *make_key(LyPkType type, unsigned bits)
{
    LyError error = {0};
    LyKey *key = ly_key_generate(crypto, type, bits, (LyBytes){0}, &error);
    g_assert_cmpstr(error.message, ==, "");
    return key;
}

static inline void make_keys(void)
{
    LyError error = {0};
    crypto = ly_crypto_new(0, &error);
    g_assert_nonnull(crypto);
    host_key = make_key(LY_PK_ED25519, 0);
    user_key = make_key(LY_PK_ED25519, 0);
}

static inline void free_keys(void)
{
    ly_algorithms_clear(&fast_algorithms);
    ly_key_unref(host_key);
    ly_key_unref(user_key);
    ly_crypto_unref(crypto);
}

/* --- a transport alone
 * ---------------------------------------------------------------------------------------- */

/* Before its key exchange a transport keeps what is to be sent, in the clear: that is what these tests read.
 */
static inline LyTransport *lone_transport(LyRole role)
{
    LyTransportOptions options = {
        .role = role, .crypto = crypto, .host_keys = &host_key, .host_key_count = role == LY_SERVER};
    LyError error = {0};
    LyTransport *t = ly_transport_new(&options, 0, &error);
    if (!t)
        g_error("%s", error.message);
    return t;
}

/* Takes the oldest packet off what is to be sent; empty when there is none. Lives until the next call. */
static inline LyBytes take_sent(LyTransport *t)
{
    static LyBuf payload;
    ly_buf_free(&payload);
    if (!t->pending.len)
        return (LyBytes){0};
    uint32_t len = ly_load_u32(t->pending.data);
    ly_buf_add(&payload, ly_bytes(t->pending.data + 4, len));
    ly_buf_drop(&t->pending, 4 + (size_t)len);
    return ly_buf_bytes(&payload);
}

static inline uint8_t take_number(LyTransport *t)
{
    LyBytes payload = take_sent(t);
    return payload.len ? payload.data[0] : 0;
}

/* --- two sessions
 * --------------------------------------------------------------------------------------------- */

typedef struct Pair Pair;
struct Pair {
    LySession *s[2]; /* [LY_CLIENT], [LY_SERVER] */
    size_t chunk;    /* bytes at once; 0: all */
    uint64_t now_us;
    uint64_t rtt_us; /* each pass of bytes in one direction takes half of it */
    bool ready[2], closed[2];
    LyError error[2];
    unsigned newkeys;
    void (*on_userauth)(Pair *pair, LyUserauthClientEvent *event);
    void (*on_request)(Pair *pair, LyUserauthRequest *request);
    void (*on_connection)(Pair *pair, LyRole role, LyConnectionEvent *event);
    void *user;
    unsigned step; /* for the callbacks */
};

static inline LySessionOptions pair_options(LyRole role)
{
    LyError error = {0};
    if (!fast_algorithms.list[LY_ALGORITHMS_KEX]) {
        ly_algorithms_init(crypto, &fast_algorithms);
        ly_algorithms_change(crypto, &fast_algorithms, LY_ALGORITHMS_KEX, LY_BYTES("curve25519-sha256"),
                             &error);
        g_assert_cmpstr(error.message, ==, "");
    }
    return (LySessionOptions){
        .transport = {.role = role,
                      .crypto = crypto,
                      .algorithms = &fast_algorithms,
                      .host_keys = &host_key,
                      .host_key_count = role == LY_SERVER},
        .user = LY_BYTES("alice"),
        .userauth = {.methods = "publickey,password,keyboard-interactive,hostbased"},
    };
}

static inline void pair_open(Pair *pair, const LySessionOptions *client, const LySessionOptions *server)
{
    LySessionOptions plain[2] = {pair_options(LY_CLIENT), pair_options(LY_SERVER)};
    const LySessionOptions *options[2] = {client ? client : &plain[0], server ? server : &plain[1]};
    for (int i = 0; i < 2; i++) {
        LyError error = {0};
        pair->s[i] = ly_session_new(options[i], pair->now_us, &error);
        if (!pair->s[i])
            g_error("%s", error.message);
    }
}

static inline void pair_close(Pair *pair)
{
    ly_session_free(pair->s[LY_CLIENT]);
    ly_session_free(pair->s[LY_SERVER]);
}

static inline void pull(Pair *pair, LyRole role)
{
    LySessionEvent event;
    while (ly_session_next(pair->s[role], &event)) {
        g_assert_false(pair->closed[role]);
        switch (event.type) {
        case LY_SESSION_TRANSPORT:
            if (event.transport.type == LY_TRANSPORT_HOST_KEY)
                ly_transport_host_key_accept(ly_session_transport(pair->s[role]));
            pair->newkeys += event.transport.type == LY_TRANSPORT_NEWKEYS;
            break;
        case LY_SESSION_USERAUTH_CLIENT:
            if (pair->on_userauth)
                pair->on_userauth(pair, &event.userauth);
            else if (event.userauth.type == LY_USERAUTH_NEXT)
                ly_userauth_none(ly_session_userauth_client(pair->s[role]));
            break;
        case LY_SESSION_USERAUTH_SERVER:
            if (pair->on_request)
                pair->on_request(pair, &event.request);
            else
                ly_userauth_server_accept(ly_session_userauth_server(pair->s[role]));
            break;
        case LY_SESSION_READY:
            g_assert_false(pair->ready[role]);
            pair->ready[role] = true;
            break;
        case LY_SESSION_CONNECTION:
            g_assert_nonnull(pair->on_connection);
            pair->on_connection(pair, role, &event.connection);
            break;
        case LY_SESSION_CLOSED:
            pair->closed[role] = true;
            pair->error[role] = *event.error;
            break;
        }
    }
}

/* Moves what one side has to say to the other; false when there was nothing. */
static inline bool move(Pair *pair, LyRole from)
{
    LyBytes out = ly_session_output(pair->s[from]);
    if (!out.len)
        return false;
    g_autofree uint8_t *bytes = g_memdup2(out.data, out.len);
    size_t len = out.len, at = 0;
    ly_session_output_done(pair->s[from], len);
    if (pair->rtt_us) {
        pair->now_us += pair->rtt_us / 2;
        ly_session_tick(pair->s[0], pair->now_us);
        ly_session_tick(pair->s[1], pair->now_us);
    }
    pull(pair, from);
    while (at < len && !pair->closed[!from]) {
        size_t room;
        uint8_t *to = ly_session_input(pair->s[!from], &room);
        size_t piece = MIN(MIN(len - at, room), pair->chunk ? pair->chunk : SIZE_MAX);
        g_assert_cmpuint(piece, >, 0);
        memcpy(to, bytes + at, piece);
        ly_session_input_done(pair->s[!from], piece);
        at += piece;
        pull(pair, !from);
    }
    return true;
}

/* Until both sides have nothing left to say. */
static inline void pump(Pair *pair)
{
    bool moved = true;
    while (moved) {
        pull(pair, LY_CLIENT);
        pull(pair, LY_SERVER);
        moved = move(pair, LY_CLIENT);
        moved = move(pair, LY_SERVER) || moved;
    }
}

static inline void pair_tick(Pair *pair, uint64_t now_us)
{
    pair->now_us = now_us;
    for (int i = 0; i < 2; i++)
        ly_session_tick(pair->s[i], now_us);
}

static inline void assert_ready(const Pair *pair)
{
    for (int i = 0; i < 2; i++) {
        if (!pair->ready[i] || pair->closed[i])
            g_error("%s is not signed in: %s", i == LY_CLIENT ? "client" : "server", pair->error[i].message);
    }
}

#endif
