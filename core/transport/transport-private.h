/* Inside the transport floor: its state and what its files ask of each other. */
#ifndef LY_TRANSPORT_TRANSPORT_PRIVATE_H
#define LY_TRANSPORT_TRANSPORT_PRIVATE_H

#include "base/wire.h"
#include "crypto/compress.h"
#include "crypto/kex.h"
#include "crypto/protection.h"
#include "transport/transport.h"

#define LY_IDENT_LINE_MAX 255 /* RFC 4253 4.2, with CR LF */
#define LY_GREETING_LINE_MAX 8192
#define LY_GREETING_LINES_MAX 1024
#define LY_INPUT_ROOM_MIN ((size_t)32 << 10)
#define LY_GEX_MIN_BITS 2048 /* the server's own bounds */
#define LY_GEX_MAX_BITS 8192

/* ---- rules.c ---- */
typedef enum LyRule {
    LY_RULE_REFUSED = '.',
    LY_RULE_IGNORED = 'i',
    LY_RULE_HERE = 'h',
    LY_RULE_UP = 'u',
    LY_RULE_UNKNOWN = '?',
    LY_RULE_LATE = 'l', /* up or refused, as the sign-in is */
} LyRule;

typedef enum LyRuleState { /* the columns of the table */
                           LY_RULES_WAIT_KEXINIT,
                           LY_RULES_KEX,
                           LY_RULES_NEWKEYS,
                           LY_RULES_STRICT_KEX,
                           LY_RULES_STRICT_NEWKEYS,
                           LY_RULES_SERVICE,
                           LY_RULES_AUTHENTICATED,
                           LY_RULES_AGAIN_KEX,
                           LY_RULES_AGAIN_NEWKEYS,
                           LY_RULES_COUNT,
} LyRuleState;

LyRuleState ly_transport_rule_state(const LyTransport *t);
LyRule ly_transport_rule(LyRole role, LyRuleState state, uint8_t number);
const char *ly_transport_rule_state_name(LyRuleState state);

/* ---- state ---- */
/* One direction's keys, compression and counters. */
typedef struct LyStream {
    LyProtection *protection;
    LyCompressor *compressor; /* NULL: none, or not yet */
    LyCompressionKind compression;
    uint32_t seq;
    uint64_t packets, bytes; /* since NEWKEYS */
    uint64_t bytes_max;      /* before keys must change */
} LyStream;

/* Bytes that came in: packets are decrypted where they lie. */
typedef struct LyInput {
    uint8_t *data;
    size_t start, end, cap;
    size_t high;      /* bytes ever used, to be cleansed */
    bool have_length; /* of the packet at `start` */
    uint32_t packet_length;
} LyInput;

/* Bytes to go out: sealed at `end`, dropped by moving `start`. */
typedef struct LyOutput {
    uint8_t *data;
    size_t start, end, cap;
} LyOutput;

typedef enum LyKexStep { /* what is awaited of the peer */
                         LY_KEX_STEP_NONE,
                         LY_KEX_STEP_INIT,        /* server */
                         LY_KEX_STEP_REPLY,       /* client */
                         LY_KEX_STEP_GEX_REQUEST, /* server */
                         LY_KEX_STEP_GEX_GROUP,   /* client */
                         LY_KEX_STEP_GEX_INIT,    /* server */
                         LY_KEX_STEP_GEX_REPLY,   /* client */
                         LY_KEX_STEP_HOST_KEY,    /* client: the application's answer */
                         LY_KEX_STEP_NEWKEYS,
} LyKexStep;

enum { LY_TO_SERVER, LY_TO_CLIENT }; /* index of a direction, as in LyNegotiated */

/* What the two KEXINITs agree on. */
typedef struct LyChosen {
    const LyKexInfo *kex;
    const LySignatureAlgorithm *host_key;
    const LyCipherInfo *cipher[2];
    const LyMacInfo *mac[2]; /* NULL for AEAD */
    LyCompressionKind compression[2];
    LyNegotiated names;
    bool wrong_guess; /* the peer's next key exchange packet is to be skipped */
} LyChosen;

/* The exchange that runs. */
typedef struct LyExchange {
    bool own_sent, peer_received; /* KEXINIT */
    bool newkeys_sent;
    bool skip_next;
    LyKexStep step;
    LyBuf own_init, peer_init; /* payloads of the KEXINITs */
    LyChosen chosen;
    LyKex *kex;
    uint32_t gex_min, gex_want, gex_max;
    LyBuf gex_p, gex_g;
    LyBuf client_value, secret;
    LyStream next_in, next_out; /* put into force by NEWKEYS */
} LyExchange;

struct LyTransport {
    LyRole role;
    LyCrypto *crypto;
    LyAlgorithms algorithms; /* the server's host key list holds only what it has keys for */
    LyKey **host_keys;
    size_t host_key_count;
    LyBuf moduli;
    LyRandom random;
    LyLog log;
    unsigned gex_min_bits;
    uint64_t rekey_bytes, rekey_packets, rekey_us;
    uint64_t handshake_timeout_us;
    size_t max_packet_len, max_output_len;
    bool require_strict_kex;

    uint64_t now_us, handshake_deadline_us, asked_us, keys_us /* of the last NEWKEYS */;
    LyBuf own_ident, peer_ident; /* without CR LF; peer's empty: it has not come */
    unsigned greeting_lines;

    LyInput input;
    LyOutput output;
    LyStream in, out;
    LyBuf inflated, deflated;
    LyBuf pending; /* payloads (uint32 length first) that wait for NEWKEYS */
    /* delayed compression starts behind this many bytes of `pending`; 0: nothing waits */
    size_t delayed_mark;
    uint8_t random_pool[256];
    size_t random_used;
    uint32_t event_seq; /* of the packet handed out last */

    LyExchange kex;
    bool established; /* the first exchange is complete */
    bool authenticated;
    bool compressing; /* delayed compression has started */
    bool rekey_wanted;
    bool strict;
    bool peer_wants_ext_info;
    LyBuf session_id;
    LyKey *host_key; /* the server's: ours, or the verified one */
    LyBuf host_key_signature;
    LyNegotiated negotiated;
    LyBuf extensions; /* string name, string value, ...; what came later stands later */
    unsigned ext_info_count;

    bool peer_eof;
    bool closed, closed_told;
    LyError error;
};

/* "server" or "client": whom messages speak of. */
const char *ly_transport_peer_name(const LyTransport *t);
/* Fails with an error of a floor below. */
bool ly_transport_fail_with(LyTransport *t, const LyError *error, uint32_t reason);
void ly_transport_random(LyTransport *t, uint8_t *out, size_t len);

/* ---- ident.c ---- */
/* Makes our identification (and greeting) and queues it. LY_ERROR_INVALID when it is not fit to be sent. */
bool ly_ident_put(LyTransport *t, const char *ident, const char *greeting, LyError *error);
/* Takes lines from the input; true when *event was filled. */
bool ly_ident_next(LyTransport *t, LyTransportEvent *event);

/* ---- packet.c ---- */
/* Seals a packet into the output, now and whatever its number is. False: the transport failed. */
bool ly_packet_seal(LyTransport *t, const LyBytes *parts, size_t count);
bool ly_packet_seal_buf(LyTransport *t, LyBuf *payload);
/* The next whole packet's payload, in the clear; false when bytes are missing or the transport failed. */
bool ly_packet_open(LyTransport *t, LyBytes *payload, uint32_t *seq);
uint8_t *ly_output_room(LyTransport *t, size_t len);
/* Starts the stream's compressor if its kind is due: zlib now, zlib@openssh.com once signed in. */
void ly_stream_start_compression(LyStream *stream, bool inflate, bool authenticated);
void ly_stream_clear(LyStream *stream);
/* Puts `next` into force: the sequence number stays unless strict KEX resets it. */
void ly_stream_replace(LyStream *stream, LyStream *next, bool strict);

/* ---- kexinit.c ---- */
void ly_kexinit_put(LyTransport *t, LyBuf *out);
/* Reads the peer's KEXINIT (kex.peer_init) against ours and fills kex.chosen. False: the transport failed. */
bool ly_kexinit_received(LyTransport *t, uint32_t seq);

/* ---- keys.c ---- */
/* The exchange hash (RFC 4253 8, RFC 4419 3, RFC 5656 4) of the exchange that runs. */
bool ly_kex_hash(LyTransport *t, LyBytes host_key_blob, LyBytes server_value, uint8_t *hash);
/* RFC 4253 7.2: keys of both directions from K and H into kex.next_in and next_out; takes the session
 * identifier from the first H. */
bool ly_kex_derive(LyTransport *t, LyBytes hash);

/* ---- kex.c ---- */
/* Sends KEXINIT unless it was sent. */
bool ly_kex_begin(LyTransport *t);
/* KEXINIT, NEWKEYS and 30 to 49; true when *event was filled. */
bool ly_kex_received(LyTransport *t, LyBytes payload, uint32_t seq, LyTransportEvent *event);
/* The host key was accepted: NEWKEYS goes out. */
void ly_kex_host_key_accepted(LyTransport *t);
void ly_kex_clear(LyExchange *kex);

/* ---- transport.c ---- */
/* Before sign-in: false, after failing the transport, when the peer lets too much of what it made us say
 * wait. */
bool ly_transport_may_answer(LyTransport *t);
/* Seals what waited for NEWKEYS. */
void ly_transport_send_pending(LyTransport *t);
/* Starts a key exchange if one is due. */
void ly_transport_rekey_if_due(LyTransport *t);
/* Ends without a word to the peer. */
void ly_transport_end_silent(LyTransport *t, const LyError *error);
void ly_transport_peer_closed(LyTransport *t);

/* ---- messages.c ---- */
/* RFC 8308, right after our first NEWKEYS. */
void ly_ext_info_send(LyTransport *t);

#endif
