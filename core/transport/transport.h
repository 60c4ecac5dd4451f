/* RFC 4253, client and server: identification, binary packets, key exchange, rekeying, disconnect. Sans I/O:
 * see the six rules in README. Message numbers 5, 6 and 50 and up are handed to the floors above as
 * LY_TRANSPORT_PACKET; the rest ends here. */
#ifndef LY_TRANSPORT_TRANSPORT_H
#define LY_TRANSPORT_TRANSPORT_H

#include "base/log.h"
#include "key/key.h"
#include "transport/algorithms.h"
#include "transport/numbers.h"

typedef struct LyTransport LyTransport;
typedef enum LyRole { LY_CLIENT, LY_SERVER } LyRole;

#define LY_IDENT "Lanyard_" LY_VERSION_MAJOR_MINOR /* what follows "SSH-2.0-" */
#define LY_VERSION_MAJOR_MINOR "0.1"

typedef struct LyTransportOptions { /* copied, references taken */
    LyRole role;
    LyCrypto *crypto;
    const LyAlgorithms *algorithms; /* NULL: defaults */
    const char *ident;              /* after "SSH-2.0-": printable US-ASCII; NULL: LY_IDENT */
    const char *greeting;           /* server: text sent before the identification; NULL: none */
    LyKey *const *host_keys;        /* server: private keys and certified ones; the first of a type serves */
    size_t host_key_count;
    LyBytes moduli;                /* server: text of moduli(5) for group exchange; empty: built-in groups */
    unsigned gex_min_bits;         /* client: smallest acceptable group, 0: 2048 */
    uint64_t rekey_bytes;          /* in either direction; 0: 1 GiB, less where the cipher asks (RFC 4344) */
    uint64_t rekey_packets;        /* 0: 2^31 */
    uint64_t rekey_us;             /* time between key exchanges; 0: none */
    uint64_t handshake_timeout_us; /* until the first NEWKEYS; 0: none; paused while a question is open */
    uint64_t handshake_spent_us;   /* how much of it connecting took already */
    /* Largest packet_length accepted, and bound of inflated payloads; 0: 256 KiB + 1024; at least 35000. */
    size_t max_packet_len;
    /* Output held at most (what waits for NEWKEYS included) before the session fails; 0: 64 MiB. */
    size_t max_output_len;
    bool require_strict_kex;
    LyRandom random;
    LyLog log;
} LyTransportOptions;

LyTransport *ly_transport_new(const LyTransportOptions *options, uint64_t now_us, LyError *error);
void ly_transport_free(LyTransport *transport);

/* Bytes in. Room to read into (at least 32 KiB), then how many bytes came. len 0: the peer closed its side.
 * The room may be 0, and then nothing is to be read, while a question is open or when the transport is
 * closed. Not to be called before ly_transport_next() returned false. */
uint8_t *ly_transport_input(LyTransport *transport, size_t *room);
void ly_transport_input_done(LyTransport *transport, size_t len);
/* Bytes out: what to write now (empty: nothing), then how many of them were written. The view lives until the
 * next call that sends or pulls events. */
LyBytes ly_transport_output(LyTransport *transport);
void ly_transport_output_done(LyTransport *transport, size_t len);
/* Time. */
uint64_t ly_transport_deadline_us(const LyTransport *transport); /* UINT64_MAX: none */
void ly_transport_tick(LyTransport *transport, uint64_t now_us);

/* The names in force, as negotiated; they are constants. From the HOST_KEY question on they are those agreed
 * on. */
typedef struct LyNegotiated {
    LyBytes kex, host_key;
    /* [0] client to server, [1] server to client; mac is empty for AEAD. */
    LyBytes cipher[2], mac[2], compression[2];
    bool strict_kex;
} LyNegotiated;

typedef enum LyTransportEventType {
    LY_TRANSPORT_IDENT,    /* the peer's identification: `bytes` without CRLF */
    LY_TRANSPORT_GREETING, /* client: a line before it */
    LY_TRANSPORT_HOST_KEY, /* client, a question: is this the host's key? `key`. Answer with
                              ly_transport_host_key_accept/refuse. The signature was already verified. In a
                              later exchange the key must be the same; not asked again */
    LY_TRANSPORT_NEWKEYS,  /* keys are in force in both directions; ly_transport_negotiated(); `initial` */
    LY_TRANSPORT_EXT_INFO, /* the peer's extensions arrived: ly_transport_peer_extension() */
    LY_TRANSPORT_PACKET,   /* `number`, `bytes` = payload with the number in front */
    LY_TRANSPORT_UNIMPLEMENTED, /* the peer does not know the message with sequence number `number` */
    LY_TRANSPORT_DEBUG_TEXT,    /* SSH_MSG_DEBUG; bytes = message */
    LY_TRANSPORT_CLOSED,        /* once, last: error->code LY_OK for an orderly end (both sides closed without
                                   complaint) */
} LyTransportEventType;

typedef struct LyTransportEvent {
    LyTransportEventType type;
    uint32_t number;
    bool initial;
    LyBytes
        bytes;  /* lives until the next ly_transport_next: a compressed packet takes the last one's place */
    LyKey *key; /* borrowed */
    const LyError *error;
} LyTransportEvent;

/* The next event; false when there is none until more input comes. */
bool ly_transport_next(LyTransport *transport, LyTransportEvent *event);

/* Answers LY_TRANSPORT_HOST_KEY: the key exchange goes on. */
void ly_transport_host_key_accept(LyTransport *transport);
/* Fails the session with SSH_DISCONNECT_HOST_KEY_NOT_VERIFIABLE and this sentence (LY_ERROR_HOST_KEY). */
void ly_transport_host_key_refuse(LyTransport *transport, const char *sentence);

/* Queues a packet; the gathered parts are the payload, message number first. During a key exchange the packet
 * waits, copied, until NEWKEYS. False when the transport is closed or its output limit is reached (it is
 * closed then). Parts are not kept. */
bool ly_transport_send(LyTransport *transport, const LyBytes *parts, size_t count);
/* The same for a payload built in a LyBuf (which is cleared); a failed buf closes the transport. */
bool ly_transport_send_buf(LyTransport *transport, LyBuf *payload);
/* Bytes waiting to be written, those queued for a key exchange included: callers that produce bulk data stop
 * over a mark. */
size_t ly_transport_output_len(const LyTransport *transport);
/* Starts a key exchange now (no effect while one runs or before the first). Our own key exchanges, automatic
 * ones too, wait for sign-in, because OpenSSH's server refuses them before. A peer's are taken at any time.
 */
void ly_transport_rekey(LyTransport *transport);
/* SERVICE_REQUEST was accepted and USERAUTH_SUCCESS sent or received: messages 80 and up are legal from now
 * on, delayed compression starts, and (client) authentication messages are no longer. The server calls it
 * right after sending SUCCESS. */
void ly_transport_authenticated(LyTransport *transport);
/* Sends UNIMPLEMENTED for the packet of the last event. */
void ly_transport_unimplemented(LyTransport *transport);

/* Ends in order: DISCONNECT with reason and sentence is queued, and CLOSED with LY_OK is the next event. */
void ly_transport_disconnect(LyTransport *transport, uint32_t reason, const char *sentence);
/* One way to fail: the first error sticks, DISCONNECT with error->reason (PROTOCOL_ERROR if 0) is queued,
 * CLOSED is the next event. For the floors above; returns false. */
bool ly_transport_fail(LyTransport *transport, LyErrorCode code, uint32_t reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The carrier broke (errno text or "connection reset"): CLOSED with LY_ERROR_IO, nothing more is sent. */
void ly_transport_carrier_lost(LyTransport *transport, const LyError *error);
bool ly_transport_is_closed(const LyTransport *transport);

LyRole ly_transport_role(const LyTransport *transport);
LyCrypto *ly_transport_crypto(const LyTransport *transport);
const LyLog *ly_transport_log(const LyTransport *transport);
const LyAlgorithms *ly_transport_algorithms(const LyTransport *transport);
uint64_t ly_transport_now_us(const LyTransport *transport);
/* Empty before the first key exchange. */
LyBytes ly_transport_session_id(const LyTransport *transport);
/* "SSH-2.0-OpenSSH_9.2p1 Debian-2"; empty before it came. */
LyBytes ly_transport_peer_ident(const LyTransport *transport);
/* Both roles: the host key's blob as the server sent it, and its signature over the first exchange hash (for
 * publickey-hostbound-v00 and session-bind). Empty before the first exchange got that far. */
LyBytes ly_transport_host_key_blob(const LyTransport *transport);
LyBytes ly_transport_host_key_signature(const LyTransport *transport);
const LyNegotiated *ly_transport_negotiated(const LyTransport *transport);
/* A value of the peer's EXT_INFO ("server-sig-algs", "publickey-hostbound@openssh.com", "ping@openssh.com");
 * false when absent. */
bool ly_transport_peer_extension(const LyTransport *transport, const char *name, LyBytes *value);

#endif
