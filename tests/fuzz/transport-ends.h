/* Transports for the targets of the tower's floors: fixed host keys, fixed randomness. */
#ifndef LY_TESTS_FUZZ_TRANSPORT_H
#define LY_TESTS_FUZZ_TRANSPORT_H

#include "fuzz.h"

#include "../unit/key-samples.h"
#include "key/read.h"
#include "transport/transport-private.h"

enum { FUZZ_KEYS = 2 };

/* ed25519, ecdsa-sha2-nistp256: the sample keys that are not encrypted. */
static inline LyKey **fuzz_keys(void)
{
    static LyKey *keys[FUZZ_KEYS];
    for (size_t i = 0; i < FUZZ_KEYS && !keys[FUZZ_KEYS - 1]; i++) {
        keys[i] = ly_key_read(fuzz_crypto(), ly_bytes_str(private_samples[i].text), NULL, NULL);
        FUZZ_ASSERT(keys[i] && ly_key_is_private(keys[i]));
    }
    return keys;
}

static inline LyTransport *fuzz_transport(LyRole role, const LyAlgorithms *algorithms, uint8_t *counter)
{
    LyTransportOptions options = {
        .role = role,
        .crypto = fuzz_crypto(),
        .algorithms = algorithms,
        .ident = "Fuzz",
        .host_keys = fuzz_keys(),
        .host_key_count = role == LY_SERVER ? FUZZ_KEYS : 0,
        .max_packet_len = 35000, /* smaller buffers: faster */
        .max_output_len = 8 << 20,
        .random = {fuzz_fill, counter},
    };
    LyError error = {0};
    LyTransport *t = ly_transport_new(&options, 0, &error);
    FUZZ_ASSERT(t);
    return t;
}

/* Takes all events; host keys are accepted. Returns how many there were. */
static inline unsigned fuzz_pull(LyTransport *t)
{
    LyTransportEvent event;
    unsigned count = 0;
    while (ly_transport_next(t, &event)) {
        FUZZ_ASSERT(count++ < 200000);
        if (event.type == LY_TRANSPORT_HOST_KEY)
            ly_transport_host_key_accept(t);
        if (event.type == LY_TRANSPORT_CLOSED)
            FUZZ_ASSERT(ly_transport_is_closed(t));
    }
    return count;
}

/* Hands over bytes in pieces until all are taken or the transport is closed. */
static inline void fuzz_feed(LyTransport *t, LyBytes bytes, size_t chunk)
{
    size_t room;
    while (bytes.len && !ly_transport_is_closed(t)) {
        uint8_t *to = ly_transport_input(t, &room);
        size_t piece = LY_MIN(LY_MIN(bytes.len, room), chunk);
        FUZZ_ASSERT(piece);
        memcpy(to, bytes.data, piece);
        ly_transport_input_done(t, piece);
        bytes = ly_bytes_slice(bytes, piece, SIZE_MAX);
        fuzz_pull(t);
    }
}

/* A packet as it is before there are keys. */
static inline void fuzz_put_clear_packet(LyBuf *out, LyBytes payload)
{
    size_t pad = 8 - (5 + payload.len) % 8;
    pad += pad < 4 ? 8 : 0;
    ly_put_u32(out, (uint32_t)(1 + payload.len + pad));
    ly_put_u8(out, (uint8_t)pad);
    ly_buf_add(out, payload);
    ly_buf_add(out, ly_bytes((uint8_t[16]){0}, pad));
}

#endif
