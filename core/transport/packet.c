/* RFC 4253 section 6: the binary packet protocol, both directions. */
#include "transport/transport-private.h"

#include "base/memory.h"

/* An empty output buffer above this is given back; a backlog of connection/window.c fits in. */
#define OUTPUT_KEEP ((size_t)2 << 20)
#define PADDING_MIN 4
#define TAG_MAX 64

uint8_t *ly_output_room(LyTransport *t, size_t len)
{
    LyOutput *out = &t->output;
    size_t used = out->end - out->start;
    if (out->cap - out->end < len) {
        /* Moving costs no more than what was sent since the last time, so each byte moves once on average. */
        if (used <= out->start && out->cap - used >= len) {
            memmove(out->data, out->data + out->start, used);
        } else {
            size_t cap = LY_MAX(out->cap * 2, (size_t)4096);
            while (cap - used < len)
                cap *= 2;
            uint8_t *data = ly_alloc(cap);
            if (used)
                memcpy(data, out->data + out->start, used);
            ly_free(out->data); /* what lies here is on its way through the network: no secret */
            out->data = data;
            out->cap = cap;
        }
        out->start = 0;
        out->end = used;
    }
    return out->data + out->end;
}

void ly_transport_output_done(LyTransport *t, size_t len)
{
    LyOutput *out = &t->output;
    out->start += LY_MIN(len, out->end - out->start);
    if (out->start == out->end) {
        out->start = out->end = 0;
        if (out->cap > OUTPUT_KEEP) {
            ly_free(out->data);
            *out = (LyOutput){0};
        }
    }
}

/* ---- streams ---- */

void ly_stream_start_compression(LyStream *stream, bool inflate, bool authenticated)
{
    bool due = stream->compression == LY_COMPRESSION_ZLIB ||
               (stream->compression == LY_COMPRESSION_ZLIB_DELAYED && authenticated);
    if (due && !stream->compressor)
        stream->compressor = ly_compressor_new(inflate);
}

void ly_stream_clear(LyStream *stream)
{
    ly_protection_free(stream->protection);
    ly_compressor_free(stream->compressor);
    *stream = (LyStream){0};
}

void ly_stream_replace(LyStream *stream, LyStream *next, bool strict)
{
    uint32_t seq = strict ? 0 : stream->seq;
    ly_stream_clear(stream);
    *stream = *next;
    stream->seq = seq;
    *next = (LyStream){0};
}

/* Counts a packet of `len` bytes on the wire. Sequence numbers that wrap before there are keys would let a
 * middleman shift them unseen, with or without strict KEX. */
static bool count(LyTransport *t, LyStream *stream, size_t len)
{
    stream->packets++;
    stream->bytes += len;
    if (++stream->seq == 0 && !t->established)
        return ly_transport_fail(t, LY_ERROR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR,
                                 "the sequence number wrapped in the first key exchange");
    return true;
}

/* ---- out ---- */

/* Padding comes from a pool, because a call of the generator for every packet costs more than the packet's
 * cipher. */
static LyBytes take_padding(LyTransport *t, size_t len)
{
    if (t->random_used + len > sizeof t->random_pool) {
        ly_transport_random(t, t->random_pool, sizeof t->random_pool);
        t->random_used = 0;
    }
    t->random_used += len;
    return ly_bytes(t->random_pool + t->random_used - len, len);
}

bool ly_packet_seal(LyTransport *t, const LyBytes *parts, size_t count_of_parts)
{
    LyStream *out = &t->out;
    LyBytes deflated;
    if (out->compressor) {
        ly_buf_clear(&t->deflated);
        if (!ly_compressor_deflate(out->compressor, parts, count_of_parts, &t->deflated))
            return ly_transport_fail(t, LY_ERROR_CRYPTO, SSH_DISCONNECT_COMPRESSION_ERROR,
                                     "zlib cannot compress a packet");
        deflated = ly_buf_bytes(&t->deflated);
        parts = &deflated;
        count_of_parts = 1;
    }
    size_t len = 0, block = ly_protection_block_len(out->protection);
    for (size_t i = 0; i < count_of_parts; i++)
        len += parts[i].len;
    size_t pad = block - ((ly_protection_aligns_length(out->protection) ? 4 : 0) + 1 + len) % block;
    if (pad < PADDING_MIN)
        pad += block;
    size_t total = 4 + 1 + len + pad + ly_protection_tag_len(out->protection);
    /* A closed transport says DISCONNECT past the limit. */
    if (!t->closed && t->output.end - t->output.start + total > t->max_output_len)
        return ly_transport_fail(t, LY_ERROR_LIMIT, SSH_DISCONNECT_CONNECTION_LOST,
                                 "the %s does not take what is sent: %zu bytes wait",
                                 ly_transport_peer_name(t), t->output.end - t->output.start);
    uint8_t *room = ly_output_room(t, total);
    if (!ly_protection_seal(out->protection, out->seq, parts, count_of_parts, take_padding(t, pad), room))
        return ly_transport_fail(t, LY_ERROR_CRYPTO, SSH_DISCONNECT_CONNECTION_LOST,
                                 "a packet could not be encrypted");
    t->output.end += total;
    return count(t, out, total);
}

bool ly_packet_seal_buf(LyTransport *t, LyBuf *payload)
{
    LyBytes part = ly_buf_bytes(payload);
    if (payload->failed)
        return ly_transport_fail(t, LY_ERROR_LIMIT, SSH_DISCONNECT_CONNECTION_LOST,
                                 "a message grew over its limit");
    return ly_packet_seal(t, &part, 1);
}

/* ---- in ---- */

/* Reads and judges packet_length before a byte more is waited for. */
static bool read_length(LyTransport *t, LyInput *input)
{
    LyProtection *protection = t->in.protection;
    uint32_t len;
    if (!ly_protection_length(protection, t->in.seq, input->data + input->start, &len))
        return ly_transport_fail(t, LY_ERROR_CRYPTO, SSH_DISCONNECT_MAC_ERROR,
                                 "a packet's length could not be decrypted");
    size_t aligned = (size_t)len + (ly_protection_aligns_length(protection) ? 4 : 0);
    if (len < 1 + 1 + PADDING_MIN || len > t->max_packet_len ||
        aligned % ly_protection_block_len(protection) != 0)
        return ly_transport_fail(
            t, LY_ERROR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR,
            "the %s sent a packet of impossible length %lu: the data is damaged or not SSH",
            ly_transport_peer_name(t), (unsigned long)len);
    input->packet_length = len;
    input->have_length = true;
    return true;
}

static bool inflate(LyTransport *t, LyBytes *payload)
{
    LyError error = {0};
    ly_buf_clear(&t->inflated);
    if (!ly_compressor_inflate(t->in.compressor, *payload, &t->inflated, &error))
        return ly_transport_fail_with(t, &error, SSH_DISCONNECT_COMPRESSION_ERROR);
    *payload = ly_buf_bytes(&t->inflated);
    return true;
}

bool ly_packet_open(LyTransport *t, LyBytes *payload, uint32_t *seq)
{
    LyInput *input = &t->input;
    size_t there = input->end - input->start, tag_len = ly_protection_tag_len(t->in.protection);
    if (!input->have_length) {
        if (there < ly_protection_head_len(t->in.protection) || !read_length(t, input))
            return false;
    }
    size_t total = 4 + (size_t)input->packet_length + tag_len;
    if (there < total)
        return false;
    uint8_t *packet = input->data + input->start;
    input->have_length = false;
    if (!ly_protection_open(t->in.protection, t->in.seq, packet, input->packet_length))
        return ly_transport_fail(t, LY_ERROR_VERIFY, SSH_DISCONNECT_MAC_ERROR,
                                 "a packet of the %s was changed on the way: its MAC does not match",
                                 ly_transport_peer_name(t));
    input->start += total; /* the bytes stay until input is asked for */
    size_t pad = packet[4];
    if (pad < PADDING_MIN || pad + 2 > input->packet_length)
        return ly_transport_fail(t, LY_ERROR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR,
                                 "the %s sent a packet with bad padding", ly_transport_peer_name(t));
    *seq = t->in.seq;
    LyBytes opened = ly_bytes(packet + 5, input->packet_length - 1 - pad);
    if (!count(t, &t->in, total) || (t->in.compressor && !inflate(t, &opened)))
        return false;
    if (opened.len == 0)
        return ly_transport_fail(t, LY_ERROR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR,
                                 "the %s sent an empty message", ly_transport_peer_name(t));
    *payload = opened;
    return true;
}

uint8_t *ly_transport_input(LyTransport *t, size_t *room)
{
    LyInput *in = &t->input;
    size_t used = in->end - in->start;
    size_t missing = in->have_length ? 4 + (size_t)in->packet_length + TAG_MAX : 0;
    missing = missing > used ? missing - used : 0;
    /* The buffer holds two of the largest packets, so that a byte moves about once, and only when little room
     * is left. */
    if (used == 0 || in->cap - in->end < LY_MAX(LY_INPUT_ROOM_MIN, missing)) {
        if (used && in->start)
            memmove(in->data, in->data + in->start, used);
        in->start = 0;
        in->end = used;
    }
    *room = t->closed ? 0 : in->cap - in->end;
    return in->data + in->end;
}

void ly_transport_input_done(LyTransport *t, size_t len)
{
    LyInput *in = &t->input;
    if (len == 0)
        t->peer_eof = true;
    in->end += LY_MIN(len, in->cap - in->end);
    in->high = LY_MAX(in->high, in->end);
}
