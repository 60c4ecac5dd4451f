/* RFC 4253 section 8 with 4419, 5656, 8731 and the hybrids: the exchange, both roles. What is awaited is a
 * step; one table says which message that is and who reads it. */
#include "transport/transport-private.h"

#include "base/memory.h"

void ly_kex_clear(LyExchange *kex)
{
    ly_kex_free(kex->kex);
    ly_buf_free(&kex->own_init);
    ly_buf_free(&kex->peer_init);
    ly_buf_free(&kex->gex_p);
    ly_buf_free(&kex->gex_g);
    ly_buf_free(&kex->client_value);
    ly_buf_free(&kex->secret);
    ly_stream_clear(&kex->next_in);
    ly_stream_clear(&kex->next_out);
    *kex = (LyExchange){0};
}

static bool malformed(LyTransport *t, uint8_t number)
{
    return ly_transport_fail(t, LY_ERROR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR, "the %s's %s is malformed",
                             ly_transport_peer_name(t), ly_ssh_message_name(number));
}

/* What went wrong in the mathematics; the peer's values are to blame for most of it. */
static bool kex_failed(LyTransport *t, const LyError *error)
{
    return ly_transport_fail_with(t, error, SSH_DISCONNECT_KEY_EXCHANGE_FAILED);
}

bool ly_kex_begin(LyTransport *t)
{
    if (t->kex.own_sent)
        return true;
    ly_kexinit_put(t, &t->kex.own_init);
    bool sent = ly_packet_seal_buf(t, &t->kex.own_init);
    t->kex.own_sent = true;
    return sent;
}

/* ---- NEWKEYS ---- */

static bool newkeys_send(LyTransport *t)
{
    uint8_t number = SSH_MSG_NEWKEYS;
    LyBytes part = ly_bytes(&number, 1);
    if (!ly_packet_seal(t, &part, 1))
        return false;
    ly_stream_replace(&t->out, &t->kex.next_out, t->strict);
    ly_stream_start_compression(&t->out, false, t->compressing);
    t->kex.newkeys_sent = true;
    t->kex.step = LY_KEX_STEP_NEWKEYS;
    if (!t->established && t->peer_wants_ext_info)
        ly_ext_info_send(t);
    ly_transport_send_pending(t);
    return !t->closed;
}

static bool newkeys_received(LyTransport *t, LyReader *reader, LyTransportEvent *event)
{
    if (!ly_reader_done(reader))
        return malformed(t, SSH_MSG_NEWKEYS);
    ly_stream_replace(&t->in, &t->kex.next_in, t->strict);
    ly_stream_start_compression(&t->in, true, t->compressing);
    *event = (LyTransportEvent){.type = LY_TRANSPORT_NEWKEYS, .initial = !t->established};
    t->negotiated = t->kex.chosen.names;
    t->established = true;
    t->keys_us = t->now_us;
    const LyNegotiated *names = &t->negotiated;
    ly_log(&t->log, LY_LOG_DEBUG, "keys: %s, %s, to the server %s, to the client %s%s",
           (const char *)names->kex.data, (const char *)names->host_key.data,
           (const char *)names->cipher[LY_TO_SERVER].data, (const char *)names->cipher[LY_TO_CLIENT].data,
           t->strict ? ", strict" : "");
    ly_kex_clear(&t->kex);
    return true;
}

/* ---- the client ---- */

static bool init_send(LyTransport *t, uint8_t number, LyKexStep next)
{
    LyError error = {0};
    LyBuf message = {0};
    if (!ly_kex_init(t->kex.kex, &t->kex.client_value, &error))
        return kex_failed(t, &error);
    ly_put_u8(&message, number);
    ly_put_string(&message, ly_buf_bytes(&t->kex.client_value));
    bool sent = ly_packet_seal_buf(t, &message);
    ly_buf_free(&message);
    t->kex.step = next;
    return sent;
}

/* The group's size that suits a cipher, as OpenSSH asks for it. */
static uint32_t wanted_bits(const LyChosen *chosen)
{
    size_t key_len = LY_MAX(chosen->cipher[LY_TO_SERVER]->key_len, chosen->cipher[LY_TO_CLIENT]->key_len);
    return key_len <= 14 ? 2048 : key_len <= 16 ? 3072 : key_len <= 24 ? 7680 : LY_GEX_MAX_BITS;
}

static bool gex_request_send(LyTransport *t)
{
    LyExchange *kex = &t->kex;
    LyBuf message = {0};
    kex->gex_min = t->gex_min_bits;
    kex->gex_max = LY_GEX_MAX_BITS;
    kex->gex_want = LY_MAX(wanted_bits(&kex->chosen), kex->gex_min);
    ly_put_u8(&message, SSH_MSG_KEX_DH_GEX_REQUEST);
    ly_put_u32(&message, kex->gex_min);
    ly_put_u32(&message, kex->gex_want);
    ly_put_u32(&message, kex->gex_max);
    bool sent = ly_packet_seal_buf(t, &message);
    ly_buf_free(&message);
    kex->step = LY_KEX_STEP_GEX_GROUP;
    return sent;
}

static bool gex_group_received(LyTransport *t, LyReader *reader, LyTransportEvent *event)
{
    LyExchange *kex = &t->kex;
    LyError error = {0};
    LyBytes p = ly_get_mpint(reader), g = ly_get_mpint(reader);
    if (!ly_reader_done(reader))
        return malformed(t, SSH_MSG_KEX_DH_GEX_GROUP);
    if (!ly_kex_set_group(kex->kex, p, g, kex->gex_min, kex->gex_max, true, &error))
        return kex_failed(t, &error);
    ly_buf_add(&kex->gex_p, p);
    ly_buf_add(&kex->gex_g, g);
    return init_send(t, SSH_MSG_KEX_DH_GEX_INIT, LY_KEX_STEP_GEX_REPLY);
}

/* The key of the reply: in a re-exchange the one that is known, else a new one of the negotiated kind. */
static LyKey *reply_key(LyTransport *t, LyBytes blob)
{
    const LySignatureAlgorithm *algorithm = t->kex.chosen.host_key;
    LyError error = {0};
    if (t->host_key) {
        if (ly_bytes_equal(ly_key_blob(t->host_key), blob))
            return ly_key_ref(t->host_key);
        ly_transport_fail(t, LY_ERROR_HOST_KEY, SSH_DISCONNECT_HOST_KEY_NOT_VERIFIABLE,
                          "the server showed another host key in a key re-exchange");
        return NULL;
    }
    LyKey *key = ly_key_new_public(t->crypto, blob, &error);
    if (!key) {
        ly_error_prefix(&error, "the server's host key");
        kex_failed(t, &error);
    } else if (strcmp(ly_key_type_name(key), algorithm->key_type) != 0) {
        ly_transport_fail(t, LY_ERROR_PROTOCOL, SSH_DISCONNECT_KEY_EXCHANGE_FAILED,
                          "the server's host key is of type %s where %s was negotiated",
                          ly_key_type_name(key), algorithm->name);
        ly_key_unref(key);
        key = NULL;
    }
    return key;
}

static bool reply_verified(LyTransport *t, LyKey *key, LyBytes hash, LyBytes signature)
{
    LyError error = {0};
    if (ly_key_verify(key, ly_bytes_str(t->kex.chosen.host_key->name), hash, signature, NULL, &error))
        return true;
    ly_error_prefix(&error, "the server did not prove its host key");
    return ly_transport_fail_with(t, &error, SSH_DISCONNECT_HOST_KEY_NOT_VERIFIABLE);
}

static bool reply_accepted(LyTransport *t, LyReader *reader, LyTransportEvent *event, LyKey **key)
{
    LyError error = {0};
    uint8_t bytes[LY_HASH_MAX];
    LyBytes blob = ly_get_string(reader), value = ly_get_string(reader), signature = ly_get_string(reader);
    LyBytes hash = ly_bytes(bytes, ly_hash_len(t->kex.chosen.kex->hash));
    if (!ly_reader_done(reader))
        return malformed(t, SSH_MSG_KEXDH_REPLY);
    if (!(*key = reply_key(t, blob)))
        return false;
    if (!ly_kex_finish(t->kex.kex, value, &t->kex.secret, &error))
        return kex_failed(t, &error);
    if (!ly_kex_hash(t, blob, value, bytes) || !reply_verified(t, *key, hash, signature) ||
        !ly_kex_derive(t, hash))
        return false;
    if (t->established)
        return newkeys_send(t);
    t->host_key = ly_key_ref(*key);
    ly_buf_add(&t->host_key_signature, signature);
    t->negotiated = t->kex.chosen.names; /* whoever is asked about the key may want to know */
    t->kex.step = LY_KEX_STEP_HOST_KEY;
    t->asked_us = t->now_us;
    *event = (LyTransportEvent){.type = LY_TRANSPORT_HOST_KEY, .key = t->host_key};
    return true;
}

static bool reply_received(LyTransport *t, LyReader *reader, LyTransportEvent *event)
{
    LyKey *key = NULL;
    bool ok = reply_accepted(t, reader, event, &key);
    if (key)
        ly_key_unref(key);
    return ok;
}

void ly_kex_host_key_accepted(LyTransport *t)
{
    newkeys_send(t);
}

/* ---- the server ---- */

static LyKey *own_host_key(const LyTransport *t, const LySignatureAlgorithm *algorithm)
{
    for (size_t i = 0; i < t->host_key_count; i++)
        if (strcmp(ly_key_type_name(t->host_keys[i]), algorithm->key_type) == 0)
            return t->host_keys[i];
    return NULL;
}

static bool gex_request_received(LyTransport *t, LyReader *reader, LyTransportEvent *event)
{
    LyExchange *kex = &t->kex;
    LyError error = {0};
    LyBuf message = {0};
    kex->gex_min = ly_get_u32(reader);
    kex->gex_want = ly_get_u32(reader);
    kex->gex_max = ly_get_u32(reader);
    if (!ly_reader_done(reader) || kex->gex_min > kex->gex_want || kex->gex_want > kex->gex_max)
        return malformed(t, SSH_MSG_KEX_DH_GEX_REQUEST);
    unsigned min = LY_MAX(kex->gex_min, (uint32_t)LY_GEX_MIN_BITS),
             max = LY_MIN(kex->gex_max, (uint32_t)LY_GEX_MAX_BITS);
    unsigned want = LY_MIN(LY_MAX(kex->gex_want, min), max);
    if (min > max ||
        !ly_kex_choose_group(t->crypto, ly_buf_bytes(&t->moduli), min, want, max, &kex->gex_p, &kex->gex_g))
        return ly_transport_fail(t, LY_ERROR_UNSUPPORTED, SSH_DISCONNECT_KEY_EXCHANGE_FAILED,
                                 "the client asks for a group of %lu to %lu bits, and there is none",
                                 (unsigned long)kex->gex_min, (unsigned long)kex->gex_max);
    if (!ly_kex_set_group(kex->kex, ly_buf_bytes(&kex->gex_p), ly_buf_bytes(&kex->gex_g), min, max, false,
                          &error))
        return kex_failed(t, &error);
    ly_put_u8(&message, SSH_MSG_KEX_DH_GEX_GROUP);
    ly_put_mpint(&message, ly_buf_bytes(&kex->gex_p));
    ly_put_mpint(&message, ly_buf_bytes(&kex->gex_g));
    bool sent = ly_packet_seal_buf(t, &message);
    ly_buf_free(&message);
    kex->step = LY_KEX_STEP_GEX_INIT;
    return sent;
}

/* Answers the client's value: ours, the host key and its signature over H. */
static bool reply_put(LyTransport *t, LyBytes client_value, LyBuf *server_value, LyBuf *signature,
                      LyBuf *reply)
{
    LyExchange *kex = &t->kex;
    LyError error = {0};
    uint8_t bytes[LY_HASH_MAX];
    LyBytes hash = ly_bytes(bytes, ly_hash_len(kex->chosen.kex->hash));
    LyKey *key = own_host_key(t, kex->chosen.host_key);
    if (!key)
        return ly_transport_fail(t, LY_ERROR_UNSUPPORTED, SSH_DISCONNECT_KEY_EXCHANGE_FAILED,
                                 "there is no host key for %s", kex->chosen.host_key->name);
    ly_buf_add(&kex->client_value, client_value);
    if (!ly_kex_respond(kex->kex, client_value, server_value, &kex->secret, &error))
        return kex_failed(t, &error);
    if (!ly_kex_hash(t, ly_key_blob(key), ly_buf_bytes(server_value), bytes))
        return false;
    if (!ly_key_sign(key, ly_bytes_str(kex->chosen.host_key->name), hash, signature, &error))
        return kex_failed(t, &error);
    if (!t->host_key) {
        t->host_key = ly_key_ref(key);
        ly_buf_add(&t->host_key_signature, ly_buf_bytes(signature));
    }
    ly_put_u8(reply, kex->step == LY_KEX_STEP_GEX_INIT ? SSH_MSG_KEX_DH_GEX_REPLY : SSH_MSG_KEXDH_REPLY);
    ly_put_string(reply, ly_key_blob(key));
    ly_put_string(reply, ly_buf_bytes(server_value));
    ly_put_string(reply, ly_buf_bytes(signature));
    return ly_packet_seal_buf(t, reply) && ly_kex_derive(t, hash) && newkeys_send(t);
}

static bool init_received(LyTransport *t, LyReader *reader, LyTransportEvent *event)
{
    LyBuf server_value = {0}, signature = {0}, reply = {0};
    LyBytes value = ly_get_string(reader);
    if (!ly_reader_done(reader))
        return malformed(t, SSH_MSG_KEXDH_INIT);
    bool ok = reply_put(t, value, &server_value, &signature, &reply);
    ly_buf_free(&server_value);
    ly_buf_free(&signature);
    ly_buf_free(&reply);
    return ok;
}

/* ---- both ---- */

static bool kexinit_received(LyTransport *t, LyBytes payload, uint32_t seq)
{
    LyExchange *kex = &t->kex;
    LyError error = {0};
    ly_buf_add(&kex->peer_init, payload);
    kex->peer_received = true;
    if (!ly_kex_begin(t) || !ly_kexinit_received(t, seq))
        return false;
    kex->skip_next = kex->chosen.wrong_guess;
    kex->kex = ly_kex_new(t->crypto, kex->chosen.kex, &error);
    if (!kex->kex)
        return kex_failed(t, &error);
    bool gex = kex->chosen.kex->kind == LY_KEX_DH_GROUP_EXCHANGE;
    if (t->role == LY_CLIENT)
        return gex ? gex_request_send(t) : init_send(t, SSH_MSG_KEXDH_INIT, LY_KEX_STEP_REPLY);
    kex->step = gex ? LY_KEX_STEP_GEX_REQUEST : LY_KEX_STEP_INIT;
    return true;
}

typedef struct Step {
    uint8_t number;
    bool (*received)(LyTransport *t, LyReader *reader, LyTransportEvent *event);
} Step;

static const Step steps[] = {
    [LY_KEX_STEP_INIT] = {SSH_MSG_KEXDH_INIT, init_received},
    [LY_KEX_STEP_REPLY] = {SSH_MSG_KEXDH_REPLY, reply_received},
    [LY_KEX_STEP_GEX_REQUEST] = {SSH_MSG_KEX_DH_GEX_REQUEST, gex_request_received},
    [LY_KEX_STEP_GEX_GROUP] = {SSH_MSG_KEX_DH_GEX_GROUP, gex_group_received},
    [LY_KEX_STEP_GEX_INIT] = {SSH_MSG_KEX_DH_GEX_INIT, init_received},
    [LY_KEX_STEP_GEX_REPLY] = {SSH_MSG_KEX_DH_GEX_REPLY, reply_received},
    [LY_KEX_STEP_NEWKEYS] = {SSH_MSG_NEWKEYS, newkeys_received},
};

bool ly_kex_received(LyTransport *t, LyBytes payload, uint32_t seq, LyTransportEvent *event)
{
    uint8_t number = payload.data[0];
    event->type = LY_TRANSPORT_CLOSED; /* stands for "none": a closed transport tells so by itself */
    if (number == SSH_MSG_KEXINIT) {
        kexinit_received(t, payload, seq);
        return false;
    }
    if (t->kex.skip_next && number != SSH_MSG_NEWKEYS) {
        t->kex.skip_next = false;
        return false;
    }
    const Step *step = t->kex.step < LY_COUNT(steps) ? &steps[t->kex.step] : &steps[LY_KEX_STEP_NONE];
    if (!step->received || step->number != number)
        return ly_transport_fail(t, LY_ERROR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR,
                                 "the %s sent key exchange message %u where %u is due",
                                 ly_transport_peer_name(t), number, step->number);
    LyReader reader = ly_reader(ly_bytes_slice(payload, 1, payload.len));
    return step->received(t, &reader, event) && event->type != LY_TRANSPORT_CLOSED;
}
