/* A whole key exchange between two engines, one of them hostile. The ephemeral keys are OpenSSL's, so the
 * exchange is not recorded but held anew in each run. The input: flags, a choice of algorithms, then steps,
 * each a byte of what to do and a part. */
#include "transport-ends.h"

enum { SERVER_IS_HOSTILE = 1, CHUNK_SHIFT = 4 };
enum { STEPS_MAX = 64, ROUNDS_MAX = 64 };
enum Step {                 /* modulo STEP_COUNT */
            STEP_SEAL,      /* the hostile end sends the part as a packet, whatever its state */
            STEP_PUMP,      /* both ends hear each other */
            STEP_REPLACE,   /* what the hostile end wants to say is replaced by the part */
            STEP_XOR,       /* the same is changed: the part is offset and mask */
            STEP_REKEY,     /* the hostile end begins a key exchange */
            STEP_OWN_REKEY, /* the honest one does */
            STEP_SIGNED_IN, /* both count as signed in */
            STEP_SEND,      /* the honest end sends the part */
            STEP_TICK,      /* time passes */
            STEP_KEXINIT,   /* the part replaces the hostile end's packet at its place in the exchange */
            STEP_COUNT
};

typedef struct Pair {
    LyTransport *honest, *hostile;
    size_t chunk;
} Pair;

/* One direction; false when there was nothing to say. */
static bool carry(const Pair *pair, LyTransport *from, LyTransport *to)
{
    LyBytes out = ly_transport_output(from);
    if (!out.len)
        return false;
    LyBytes copy = fuzz_copy(out);
    ly_transport_output_done(from, out.len);
    fuzz_feed(to, copy, pair->chunk);
    fuzz_free(copy);
    return true;
}

static void pump(const Pair *pair)
{
    for (int i = 0; i < ROUNDS_MAX; i++) {
        fuzz_pull(pair->honest);
        fuzz_pull(pair->hostile);
        bool moved = carry(pair, pair->hostile, pair->honest);
        if (!(carry(pair, pair->honest, pair->hostile) || moved))
            return;
    }
}

static void change_output(LyTransport *from, LyBytes part)
{
    LyReader reader = ly_reader(part);
    size_t at = (size_t)ly_get_u8(&reader) << 8;
    at |= ly_get_u8(&reader);
    uint8_t *bytes = from->output.data + from->output.start;
    for (size_t len = from->output.end - from->output.start; reader.len && at < len; at++)
        bytes[at] ^= ly_get_u8(&reader);
}

/* The next packet of the hostile end has another payload; its state goes on as if it had sent its own. */
static void replace_packet(const Pair *pair, LyBytes part)
{
    fuzz_pull(pair->hostile);
    carry(pair, pair->honest, pair->hostile);
    LyTransport *t = pair->hostile;
    if (t->out.protection || t->output.end == t->output.start) {
        ly_packet_seal(t, &part, 1);
        return;
    }
    t->output.start = t->output.end;
    LyBuf packet = {0};
    fuzz_put_clear_packet(&packet, part);
    fuzz_feed(pair->honest, ly_buf_bytes(&packet), pair->chunk);
    ly_buf_free(&packet);
}

static void step(const Pair *pair, uint8_t choice, LyBytes part)
{
    LyTransport *hostile = pair->hostile;
    switch (choice % STEP_COUNT) {
    case STEP_SEAL:
        if (part.len)
            ly_packet_seal(hostile, &part, 1);
        carry(pair, hostile, pair->honest);
        return;
    case STEP_PUMP:
        pump(pair);
        return;
    case STEP_REPLACE:
        ly_transport_output_done(hostile, ly_transport_output(hostile).len);
        fuzz_feed(pair->honest, part, pair->chunk);
        return;
    case STEP_XOR:
        change_output(hostile, part);
        carry(pair, hostile, pair->honest);
        return;
    case STEP_REKEY:
        ly_transport_rekey(hostile);
        return;
    case STEP_OWN_REKEY:
        ly_transport_rekey(pair->honest);
        return;
    case STEP_SIGNED_IN:
        if (hostile->established && pair->honest->established) {
            ly_transport_authenticated(hostile);
            ly_transport_authenticated(pair->honest);
        }
        return;
    case STEP_SEND:
        ly_transport_send(pair->honest, &part, 1);
        return;
    case STEP_TICK:
        ly_transport_tick(pair->honest, ly_transport_now_us(pair->honest) + 1000000);
        return;
    case STEP_KEXINIT:
        replace_packet(pair, part);
        return;
    }
}

static void choose(LyAlgorithms *algorithms, uint8_t choice)
{
    static const char *const rows[][4] = {
        /* kex, cipher, mac, compression */
        {"curve25519-sha256", "chacha20-poly1305@openssh.com", "", "none"},
        {"curve25519-sha256", "aes128-ctr", "hmac-sha2-256-etm@openssh.com", "zlib@openssh.com"},
        {"ecdh-sha2-nistp256", "aes256-gcm@openssh.com", "", "zlib"},
        {"curve25519-sha256", "aes256-ctr", "hmac-sha2-512", "none"},
        {"sntrup761x25519-sha512@openssh.com", "aes128-gcm@openssh.com", "", "zlib@openssh.com"},
        {"diffie-hellman-group14-sha256", "aes128-ctr", "hmac-sha2-256", "zlib"},
        {"diffie-hellman-group-exchange-sha256", "aes128-cbc", "hmac-sha2-256", "none"},
        {"ecdh-sha2-nistp521", "aes128-ctr", "umac-64-etm@openssh.com", "none"},
    };
    static const LyAlgorithmKind kinds[] = {LY_ALGORITHMS_KEX, LY_ALGORITHMS_CIPHER, LY_ALGORITHMS_MAC,
                                            LY_ALGORITHMS_COMPRESSION};
    for (size_t i = 0; i < LY_COUNT(kinds); i++) {
        const char *list = rows[choice % LY_COUNT(rows)][i];
        if (*list)
            ly_algorithms_change(fuzz_crypto(), algorithms, kinds[i], ly_bytes_str(list), NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    LyReader input = ly_reader(ly_bytes(data, len));
    uint8_t flags = ly_get_u8(&input), counters[2] = {0, 100};
    LyAlgorithms algorithms;
    ly_algorithms_init(fuzz_crypto(), &algorithms);
    choose(&algorithms, ly_get_u8(&input));
    LyRole hostile = flags & SERVER_IS_HOSTILE ? LY_SERVER : LY_CLIENT;
    Pair pair = {
        .honest = fuzz_transport(!hostile, &algorithms, &counters[0]),
        .hostile = fuzz_transport(hostile, &algorithms, &counters[1]),
        .chunk = fuzz_chunk(flags >> CHUNK_SHIFT),
    };
    ly_algorithms_clear(&algorithms);
    for (unsigned i = 0; i < STEPS_MAX && input.len && !ly_transport_is_closed(pair.honest); i++) {
        uint8_t choice = ly_get_u8(&input);
        LyBytes part = fuzz_part(&input);
        step(&pair, choice, part);
        fuzz_pull(pair.honest);
        fuzz_free(part);
    }
    pump(&pair);
    /* What a hostile peer can make us keep. */
    FUZZ_ASSERT(ly_transport_output_len(pair.honest) <= (8 << 20) + 4096);
    ly_transport_free(pair.honest);
    ly_transport_free(pair.hostile);
    return 0;
}
