/* The public face: what goes in, what comes out, and how it ends. */
#include "transport/transport-private.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"

#define REKEY_BYTES ((uint64_t)1 << 30)
#define REKEY_PACKETS ((uint64_t)1 << 31)
#define MAX_PACKET_LEN (((size_t)256 << 10) + 1024)
#define MIN_MAX_PACKET_LEN ((size_t)35000) /* RFC 4253 6.1: what everyone must take */
#define ANSWERS_MAX ((size_t)1 << 20)      /* bytes */
#define MAX_OUTPUT_LEN ((size_t)64 << 20)
#define EXTENSIONS_MAX ((size_t)64 << 10) /* bytes kept of a peer's EXT_INFO */

/* ---- life ---- */

/* The server's host key algorithms: those of the list that it has a private key for. */
static bool keep_own_host_keys(LyTransport *t, LyError *error)
{
    LyBuf kept = {0};
    LyBytes list = ly_bytes_str(t->algorithms.list[LY_ALGORITHMS_HOST_KEY]), name;
    while (ly_names_next(&list, &name)) {
        const LySignatureAlgorithm *algorithm = ly_signature_algorithm_find(name);
        bool have = false;
        for (size_t i = 0; algorithm && i < t->host_key_count; i++)
            have = have || strcmp(ly_key_type_name(t->host_keys[i]), algorithm->key_type) == 0;
        if (have && kept.len)
            ly_buf_add_str(&kept, ",");
        if (have)
            ly_buf_add(&kept, name);
    }
    bool any = kept.len > 0;
    ly_free(t->algorithms.list[LY_ALGORITHMS_HOST_KEY]);
    t->algorithms.list[LY_ALGORITHMS_HOST_KEY] = ly_bytes_dup_str(ly_buf_bytes(&kept));
    ly_buf_free(&kept);
    return any ||
           ly_error_set(error, LY_ERROR_INVALID, "no host key fits HostKeyAlgorithms: a server needs one");
}

static void take_host_keys(LyTransport *t, const LyTransportOptions *options)
{
    t->host_keys = ly_new_array(LyKey *, options->host_key_count + 1);
    for (size_t i = 0; i < options->host_key_count; i++)
        if (ly_key_is_private(options->host_keys[i]))
            t->host_keys[t->host_key_count++] = ly_key_ref(options->host_keys[i]);
}

LyTransport *ly_transport_new(const LyTransportOptions *options, uint64_t now_us, LyError *error)
{
    LyTransport *t = ly_new(LyTransport);
    t->role = options->role;
    t->crypto = ly_crypto_ref(options->crypto);
    t->random = options->random;
    t->log = options->log;
    t->gex_min_bits = options->gex_min_bits ? options->gex_min_bits : LY_GEX_MIN_BITS;
    t->rekey_bytes = options->rekey_bytes ? options->rekey_bytes : REKEY_BYTES;
    t->rekey_packets = LY_MIN(options->rekey_packets ? options->rekey_packets : REKEY_PACKETS, REKEY_PACKETS);
    t->rekey_us = options->rekey_us;
    t->handshake_timeout_us = options->handshake_timeout_us;
    t->max_packet_len =
        options->max_packet_len ? LY_MAX(options->max_packet_len, MIN_MAX_PACKET_LEN) : MAX_PACKET_LEN;
    t->max_output_len = options->max_output_len ? options->max_output_len : MAX_OUTPUT_LEN;
    t->require_strict_kex = options->require_strict_kex;
    t->now_us = now_us;
    t->handshake_deadline_us =
        t->handshake_timeout_us
            ? now_us + t->handshake_timeout_us - LY_MIN(options->handshake_spent_us, t->handshake_timeout_us)
            : UINT64_MAX;
    t->in.protection = ly_protection_new_none();
    t->out.protection = ly_protection_new_none();
    t->in.bytes_max = t->out.bytes_max = UINT64_MAX;
    t->input.cap = 2 * t->max_packet_len + 2 * LY_INPUT_ROOM_MIN;
    t->input.data = ly_alloc(t->input.cap);
    t->inflated = LY_BUF(t->max_packet_len);
    t->pending = LY_BUF(t->max_output_len);
    t->extensions = LY_BUF(EXTENSIONS_MAX);
    t->random_used = sizeof t->random_pool;
    ly_buf_add(&t->moduli, options->moduli);
    if (options->algorithms)
        ly_algorithms_copy(options->algorithms, &t->algorithms);
    else
        ly_algorithms_init(t->crypto, &t->algorithms);
    take_host_keys(t, options);
    bool server = t->role == LY_SERVER;
    if ((server && !keep_own_host_keys(t, error)) ||
        !ly_ident_put(t, options->ident, server ? options->greeting : NULL, error)) {
        ly_transport_free(t);
        return NULL;
    }
    return t;
}

void ly_transport_free(LyTransport *t)
{
    if (!t)
        return;
    ly_kex_clear(&t->kex);
    ly_stream_clear(&t->in);
    ly_stream_clear(&t->out);
    ly_cleanse(t->input.data, t->input.high);
    ly_free(t->input.data);
    ly_free(t->output.data);
    LyBuf *bufs[] = {&t->moduli,  &t->own_ident,  &t->peer_ident,         &t->inflated,  &t->deflated,
                     &t->pending, &t->session_id, &t->host_key_signature, &t->extensions};
    for (size_t i = 0; i < LY_COUNT(bufs); i++)
        ly_buf_free(bufs[i]);
    for (size_t i = 0; i < t->host_key_count; i++)
        ly_key_unref(t->host_keys[i]);
    ly_free(t->host_keys);
    if (t->host_key)
        ly_key_unref(t->host_key);
    ly_algorithms_clear(&t->algorithms);
    ly_crypto_unref(t->crypto);
    ly_cleanse(t, sizeof *t);
    ly_free(t);
}

void ly_transport_random(LyTransport *t, uint8_t *out, size_t len)
{
    if (t->random.fill)
        t->random.fill(t->random.user, out, len);
    else
        ly_crypto_random(t->crypto, out, len);
}

/* ---- the end ---- */

const char *ly_transport_peer_name(const LyTransport *t)
{
    return t->role == LY_CLIENT ? "server" : "client";
}

/* The first end sticks. `tell`: the peer is sent DISCONNECT. */
static void end(LyTransport *t, const LyError *error, uint32_t reason, bool tell)
{
    if (t->closed)
        return;
    t->closed = true;
    t->error = *error;
    if (!tell)
        return;
    LyBuf message = {0};
    t->error.reason = reason;
    ly_put_u8(&message, SSH_MSG_DISCONNECT);
    ly_put_u32(&message, reason);
    ly_put_cstring(&message, error->message);
    ly_put_cstring(&message, "");
    ly_packet_seal_buf(t, &message);
    ly_buf_free(&message);
}

bool ly_transport_fail(LyTransport *t, LyErrorCode code, uint32_t reason, const char *format, ...)
{
    LyError error = {.code = code};
    va_list args;
    va_start(args, format);
    vsnprintf(error.message, sizeof error.message, format, args);
    va_end(args);
    end(t, &error, reason ? reason : SSH_DISCONNECT_PROTOCOL_ERROR, true);
    return false;
}

bool ly_transport_fail_with(LyTransport *t, const LyError *error, uint32_t reason)
{
    end(t, error, reason, true);
    return false;
}

void ly_transport_end_silent(LyTransport *t, const LyError *error)
{
    end(t, error, 0, false);
}

void ly_transport_disconnect(LyTransport *t, uint32_t reason, const char *sentence)
{
    LyError error = {.code = LY_OK};
    snprintf(error.message, sizeof error.message, "%s", sentence ? sentence : "");
    end(t, &error, reason, true);
}

void ly_transport_carrier_lost(LyTransport *t, const LyError *error)
{
    LyError lost = {0};
    ly_error_set(&lost, LY_ERROR_IO, "%s", error ? error->message : "the connection was lost");
    lost.system = error ? error->system : 0;
    end(t, &lost, 0, false);
    t->output.start = t->output.end = 0;
}

void ly_transport_peer_closed(LyTransport *t)
{
    LyError error = {0};
    bool inside = t->input.end > t->input.start;
    ly_error_set(&error, LY_ERROR_DISCONNECT, "the %s closed the connection%s", ly_transport_peer_name(t),
                 inside                   ? " in the middle of a packet"
                 : t->peer_ident.len == 0 ? " without identifying itself"
                 : !t->established        ? " during the key exchange"
                                          : "");
    end(t, &error, 0, false);
}

/* ---- out ---- */

LyBytes ly_transport_output(LyTransport *t)
{
    return ly_bytes(t->output.data + t->output.start, t->output.end - t->output.start);
}

size_t ly_transport_output_len(const LyTransport *t)
{
    return t->output.end - t->output.start + t->pending.len;
}

/* Only key exchange messages may go out between our KEXINIT and our NEWKEYS, or before the first. */
static bool holds_back(const LyTransport *t)
{
    return (t->kex.own_sent || !t->established) && !t->kex.newkeys_sent;
}

static bool worn(const LyTransport *t, const LyStream *stream)
{
    return stream->packets >= t->rekey_packets || stream->bytes >= stream->bytes_max;
}

/* Starts a key exchange when it is due. Before sign-in it waits: OpenSSH's server answers a KEXINIT there
 * with UNIMPLEMENTED, and one that crosses SUCCESS would meet a peer that inflates already
 * (zlib@openssh.com). */
void ly_transport_rekey_if_due(LyTransport *t)
{
    if (t->closed || !t->authenticated || t->kex.own_sent)
        return;
    if (t->rekey_wanted || worn(t, &t->in) || worn(t, &t->out) ||
        (t->rekey_us && t->now_us - t->keys_us >= t->rekey_us)) {
        t->rekey_wanted = false;
        ly_kex_begin(t);
    }
}

static size_t parts_len(const LyBytes *parts, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += parts[i].len;
    return len;
}

bool ly_transport_send(LyTransport *t, const LyBytes *parts, size_t count)
{
    if (t->closed)
        return false;
    if (!holds_back(t)) {
        bool sent = ly_packet_seal(t, parts, count);
        ly_transport_rekey_if_due(t);
        return sent && !t->closed;
    }
    size_t len = parts_len(parts, count), waiting = ly_transport_output_len(t);
    if (waiting > t->max_output_len || len + 4 > t->max_output_len - waiting)
        return ly_transport_fail(t, LY_ERROR_LIMIT, SSH_DISCONNECT_CONNECTION_LOST,
                                 "the %s does not finish the key exchange: %zu bytes wait",
                                 ly_transport_peer_name(t), waiting);
    ly_put_u32(&t->pending, (uint32_t)len);
    for (size_t i = 0; i < count; i++)
        ly_buf_add(&t->pending, parts[i]);
    return true;
}

bool ly_transport_send_buf(LyTransport *t, LyBuf *payload)
{
    LyBytes part = ly_buf_bytes(payload);
    bool sent = payload->failed ? ly_transport_fail(t, LY_ERROR_LIMIT, SSH_DISCONNECT_CONNECTION_LOST,
                                                    "a message grew over its limit")
                                : ly_transport_send(t, &part, 1);
    ly_buf_clear(payload);
    return sent;
}

static void start_delayed_compression(LyTransport *t)
{
    t->compressing = true;
    ly_stream_start_compression(&t->out, false, true);
    /* While the client's NEWKEYS is on its way, it cannot have seen SUCCESS: its next keys begin with
     * compression. */
    if (t->role == LY_CLIENT || !t->kex.own_sent)
        ly_stream_start_compression(&t->in, true, true);
}

void ly_transport_send_pending(LyTransport *t)
{
    LyBuf waiting = t->pending;
    size_t at = 0, mark = t->delayed_mark;
    t->pending = LY_BUF(waiting.limit);
    t->delayed_mark = 0;
    while (at < waiting.len && !t->closed) {
        LyBytes part = ly_bytes(waiting.data + at + 4, ly_load_u32(waiting.data + at));
        ly_packet_seal(t, &part, 1);
        at += 4 + part.len;
        if (at == mark && !t->closed)
            start_delayed_compression(t);
    }
    ly_buf_free(&waiting);
}

void ly_transport_authenticated(LyTransport *t)
{
    if (t->authenticated)
        return;
    t->authenticated = true;
    if (t->role == LY_SERVER && t->pending.len)
        t->delayed_mark = t->pending.len; /* SUCCESS waits there */
    else
        start_delayed_compression(t);
}

void ly_transport_rekey(LyTransport *t)
{
    t->rekey_wanted = t->established && !t->kex.own_sent;
    ly_transport_rekey_if_due(t);
}

/* Who has not signed in and does not read either gets no 64 MiB of answers kept for it. */
bool ly_transport_may_answer(LyTransport *t)
{
    size_t waiting = ly_transport_output_len(t);
    return t->authenticated || waiting <= ANSWERS_MAX ||
           ly_transport_fail(t, LY_ERROR_LIMIT, SSH_DISCONNECT_PROTOCOL_ERROR,
                             "the %s asks without reading the answers: %zu bytes wait",
                             ly_transport_peer_name(t), waiting);
}

void ly_transport_unimplemented(LyTransport *t)
{
    uint8_t message[5] = {SSH_MSG_UNIMPLEMENTED};
    LyBytes part = ly_bytes(message, sizeof message);
    ly_store_u32(message + 1, t->event_seq);
    if (!t->closed && ly_transport_may_answer(t))
        ly_packet_seal(t, &part, 1); /* legal in a key exchange too */
}

/* ---- time ---- */

uint64_t ly_transport_deadline_us(const LyTransport *t)
{
    if (t->closed)
        return UINT64_MAX;
    if (!t->established)
        return t->kex.step == LY_KEX_STEP_HOST_KEY ? UINT64_MAX : t->handshake_deadline_us;
    bool may = t->rekey_us && !t->kex.own_sent && t->authenticated;
    return may ? t->keys_us + t->rekey_us : UINT64_MAX;
}

void ly_transport_tick(LyTransport *t, uint64_t now_us)
{
    t->now_us = LY_MAX(t->now_us, now_us);
    if (!t->established && t->now_us >= ly_transport_deadline_us(t))
        ly_transport_fail(t, LY_ERROR_TIMEOUT, SSH_DISCONNECT_CONNECTION_LOST,
                          "the %s did not finish the handshake in %llu s", ly_transport_peer_name(t),
                          (unsigned long long)(t->handshake_timeout_us / 1000000));
    ly_transport_rekey_if_due(t);
}

/* ---- the question ---- */

static void answered(LyTransport *t)
{
    if (t->handshake_deadline_us != UINT64_MAX)
        t->handshake_deadline_us += t->now_us - t->asked_us;
}

void ly_transport_host_key_accept(LyTransport *t)
{
    if (t->closed || t->kex.step != LY_KEX_STEP_HOST_KEY)
        return;
    answered(t);
    ly_kex_host_key_accepted(t);
}

void ly_transport_host_key_refuse(LyTransport *t, const char *sentence)
{
    if (t->kex.step == LY_KEX_STEP_HOST_KEY)
        ly_transport_fail(t, LY_ERROR_HOST_KEY, SSH_DISCONNECT_HOST_KEY_NOT_VERIFIABLE, "%s",
                          sentence ? sentence : "the host key was refused");
}

/* ---- what is seen ---- */

bool ly_transport_is_closed(const LyTransport *t)
{
    return t->closed;
}

LyRole ly_transport_role(const LyTransport *t)
{
    return t->role;
}

LyCrypto *ly_transport_crypto(const LyTransport *t)
{
    return t->crypto;
}

const LyLog *ly_transport_log(const LyTransport *t)
{
    return &t->log;
}

const LyAlgorithms *ly_transport_algorithms(const LyTransport *t)
{
    return &t->algorithms;
}

uint64_t ly_transport_now_us(const LyTransport *t)
{
    return t->now_us;
}

LyBytes ly_transport_session_id(const LyTransport *t)
{
    return ly_buf_bytes(&t->session_id);
}

LyBytes ly_transport_peer_ident(const LyTransport *t)
{
    return ly_buf_bytes(&t->peer_ident);
}

LyBytes ly_transport_host_key_blob(const LyTransport *t)
{
    return t->host_key ? ly_key_blob(t->host_key) : (LyBytes){0};
}

LyBytes ly_transport_host_key_signature(const LyTransport *t)
{
    return ly_buf_bytes(&t->host_key_signature);
}

const LyNegotiated *ly_transport_negotiated(const LyTransport *t)
{
    return &t->negotiated;
}
