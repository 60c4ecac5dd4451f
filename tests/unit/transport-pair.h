/* A client and a server joined in memory, for the tests of the transport. Included once by each of them. */
#ifndef TESTS_TRANSPORT_PAIR_H
#define TESTS_TRANSPORT_PAIR_H

#include <glib.h>

#include "base/memory.h"
#include "transport/transport-private.h"

typedef struct End {
    LyTransport *t;
    unsigned newkeys, packets, unimplemented, ext_info, closed, questions;
    uint32_t unimplemented_seq;
    GString *payloads; /* of the packets that came: length in text, then bytes */
    LyError error;
    bool echo; /* sends every packet back */
} End;

typedef struct Pair {
    End end[2]; /* [LY_CLIENT], [LY_SERVER] */
    size_t chunk;
    bool hold_question;
    /* Sees and may change bytes on their way; NULL: nothing. */
    void (*wire)(struct Pair *pair, LyRole from, GByteArray *bytes);
    void *user;
    uint64_t now_us;
} Pair;

static LyCrypto *crypto;
static LyKey *host_keys[6];
enum { KEY_ED25519, KEY_P256, KEY_P384, KEY_P521, KEY_RSA, KEY_COUNT };

static inline void make_keys(void)
{
    static const struct {
        LyPkType type;
        unsigned bits;
    } kinds[KEY_COUNT] = {
        {LY_PK_ED25519, 0}, {LY_PK_ECDSA, 256}, {LY_PK_ECDSA, 384}, {LY_PK_ECDSA, 521}, {LY_PK_RSA, 2048}};
    LyError error = {0};
    crypto = ly_crypto_new(LY_CRYPTO_LEGACY, &error); /* all ciphers that there are */
    g_assert_nonnull(crypto);
    for (int i = 0; i < KEY_COUNT; i++) {
        host_keys[i] = ly_key_generate(crypto, kinds[i].type, kinds[i].bits, (LyBytes){0}, &error);
        g_assert_cmpstr(error.message, ==, "");
    }
}

static inline void free_keys(void)
{
    for (int i = 0; i < KEY_COUNT; i++)
        ly_key_unref(host_keys[i]);
    ly_crypto_unref(crypto);
}

/* Default lists with one set exactly; "" leaves it. */
static inline void set_list(LyAlgorithms *algorithms, LyAlgorithmKind kind, const char *list)
{
    LyError error = {0};
    if (*list && !ly_algorithms_change(crypto, algorithms, kind, ly_bytes_str(list), &error))
        g_error("%s", error.message);
}

static inline LyTransportOptions plain_options(LyRole role)
{
    return (LyTransportOptions){.role = role,
                                .crypto = crypto,
                                .host_keys = host_keys,
                                .host_key_count = role == LY_SERVER ? KEY_COUNT : 0};
}

static inline LyTransport *make_transport(const LyTransportOptions *options)
{
    LyError error = {0};
    LyTransport *t = ly_transport_new(options, 0, &error);
    if (!t)
        g_error("%s", error.message);
    return t;
}

static inline void pair_open(Pair *pair, const LyTransportOptions *client, const LyTransportOptions *server)
{
    pair->end[LY_CLIENT].t = make_transport(client);
    pair->end[LY_SERVER].t = make_transport(server);
    for (int i = 0; i < 2; i++)
        pair->end[i].payloads = g_string_new(NULL);
    if (!pair->chunk)
        pair->chunk = SIZE_MAX;
}

static inline void pair_close(Pair *pair)
{
    for (int i = 0; i < 2; i++) {
        ly_transport_free(pair->end[i].t);
        g_string_free(pair->end[i].payloads, TRUE);
    }
}

static inline void pull_events(Pair *pair, End *end)
{
    LyTransportEvent event;
    while (ly_transport_next(end->t, &event)) {
        switch (event.type) {
        case LY_TRANSPORT_HOST_KEY:
            end->questions++;
            g_assert_true(event.key != NULL);
            if (!pair->hold_question)
                ly_transport_host_key_accept(end->t);
            break;
        case LY_TRANSPORT_NEWKEYS:
            end->newkeys++;
            break;
        case LY_TRANSPORT_EXT_INFO:
            end->ext_info++;
            break;
        case LY_TRANSPORT_UNIMPLEMENTED:
            end->unimplemented++;
            end->unimplemented_seq = event.number;
            break;
        case LY_TRANSPORT_PACKET:
            end->packets++;
            g_string_append_printf(end->payloads, "%zu:", event.bytes.len);
            g_string_append_len(end->payloads, (const char *)event.bytes.data, (gssize)event.bytes.len);
            if (end->echo) /* the view is sent from where it lies */
                ly_transport_send(end->t, &event.bytes, 1);
            break;
        case LY_TRANSPORT_CLOSED:
            g_assert_cmpuint(end->closed++, ==, 0);
            end->error = *event.error;
            break;
        default:
            break;
        }
    }
}

/* Hands bytes to an end in the given pieces. */
static inline void feed(Pair *pair, End *end, const uint8_t *data, size_t len)
{
    while (len && !ly_transport_is_closed(end->t)) {
        size_t room;
        uint8_t *to = ly_transport_input(end->t, &room);
        size_t piece = MIN(MIN(len, room), pair->chunk);
        if (!piece)
            return;
        memcpy(to, data, piece);
        ly_transport_input_done(end->t, piece);
        data += piece, len -= piece;
        pull_events(pair, end);
    }
}

/* Moves what one end has to say to the other; false when there was nothing. */
static inline bool pump_from(Pair *pair, LyRole from)
{
    End *source = &pair->end[from], *target = &pair->end[!from];
    LyBytes out = ly_transport_output(source->t);
    if (!out.len)
        return false;
    GByteArray *bytes = g_byte_array_new();
    g_byte_array_append(bytes, out.data, (guint)out.len);
    ly_transport_output_done(source->t, out.len);
    if (pair->wire)
        pair->wire(pair, from, bytes);
    feed(pair, target, bytes->data, bytes->len);
    g_byte_array_unref(bytes);
    return true;
}

static inline void pump(Pair *pair)
{
    bool moved = true;
    while (moved) {
        pull_events(pair, &pair->end[LY_CLIENT]);
        pull_events(pair, &pair->end[LY_SERVER]);
        moved = pump_from(pair, LY_CLIENT);
        moved = pump_from(pair, LY_SERVER) || moved;
    }
}

static inline void send_bytes(End *end, uint8_t number, const void *data, size_t len)
{
    g_assert_true(ly_transport_send(end->t, (LyBytes[]){ly_bytes(&number, 1), ly_bytes(data, len)}, 2));
}

static inline void assert_open(const End *end)
{
    if (ly_transport_is_closed(end->t))
        g_error("closed: %s", end->t->error.message);
}

#endif
