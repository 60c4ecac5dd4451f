/* The transport's own messages, and the loop that sorts what comes in by the table of rules. */
#include "transport/transport-private.h"

#define EXT_INFO_MAX 8 /* messages of a peer */

static LyReader behind_number(LyBytes payload)
{
    return ly_reader(ly_bytes_slice(payload, 1, payload.len));
}

static bool malformed(LyTransport *t, uint8_t number)
{
    return ly_transport_fail(t, LY_ERROR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR, "the %s's %s is malformed",
                             ly_transport_peer_name(t), ly_ssh_message_name(number));
}

/* ---- RFC 8308 ---- */

void ly_ext_info_send(LyTransport *t)
{
    LyBuf message = {0};
    ly_put_u8(&message, SSH_MSG_EXT_INFO);
    if (t->role == LY_SERVER) {
        ly_put_u32(&message, 3);
        ly_put_cstring(&message, "server-sig-algs");
        ly_put_cstring(&message, t->algorithms.list[LY_ALGORITHMS_USER_KEY]);
        ly_put_cstring(&message, "publickey-hostbound@openssh.com");
        ly_put_cstring(&message, "0");
        ly_put_cstring(&message, "ping@openssh.com");
        ly_put_cstring(&message, "0");
    } else {
        ly_put_u32(&message, 1);
        ly_put_cstring(&message, "ext-info-in-auth@openssh.com");
        ly_put_cstring(&message, "0");
    }
    ly_packet_seal_buf(t, &message);
    ly_buf_free(&message);
}

static bool ext_info_received(LyTransport *t, LyBytes payload, LyTransportEvent *event)
{
    LyReader reader = behind_number(payload);
    uint32_t count = ly_get_u32(&reader);
    LyBytes pairs = ly_bytes(reader.data, reader.len);
    if (++t->ext_info_count > EXT_INFO_MAX)
        return ly_transport_fail(t, LY_ERROR_LIMIT, SSH_DISCONNECT_PROTOCOL_ERROR,
                                 "the %s sent more than %d EXT_INFO messages", ly_transport_peer_name(t),
                                 EXT_INFO_MAX);
    for (uint32_t i = 0; i < count && !reader.failed; i++) {
        ly_get_string(&reader);
        ly_get_string(&reader);
    }
    if (!ly_reader_done(&reader))
        return malformed(t, SSH_MSG_EXT_INFO);
    ly_buf_add(&t->extensions, pairs);
    if (t->extensions.failed)
        return ly_transport_fail(t, LY_ERROR_LIMIT, SSH_DISCONNECT_PROTOCOL_ERROR,
                                 "the %s's EXT_INFO is too long", ly_transport_peer_name(t));
    *event = (LyTransportEvent){.type = LY_TRANSPORT_EXT_INFO};
    return true;
}

bool ly_transport_peer_extension(const LyTransport *t, const char *name, LyBytes *value)
{
    LyReader reader = ly_reader(ly_buf_bytes(&t->extensions));
    bool found = false;
    while (reader.len && !reader.failed) {
        LyBytes each = ly_get_string(&reader), its = ly_get_string(&reader);
        if (!reader.failed && ly_bytes_is(each, name)) {
            *value = its; /* what came later counts */
            found = true;
        }
    }
    return found;
}

/* ---- RFC 4253 section 11 ---- */

/* The last word: no answer is sent. By the application, after sign-in, is how clients say goodbye. */
static bool disconnect_received(LyTransport *t, LyBytes payload, LyTransportEvent *event)
{
    LyReader reader = behind_number(payload);
    LyError error = {0};
    uint32_t reason = ly_get_u32(&reader);
    LyBytes text = ly_get_string(&reader); /* the language tag is left out by some */
    ly_error_set(&error, LY_ERROR_DISCONNECT, "the %s disconnected: %s (%s)", ly_transport_peer_name(t),
                 LY_PRINTABLE(text), ly_ssh_disconnect_name(reason));
    if (reason == SSH_DISCONNECT_BY_APPLICATION && t->authenticated)
        error.code = LY_OK;
    error.reason = reason;
    ly_transport_end_silent(t, &error);
    return false;
}

static bool unimplemented_received(LyTransport *t, LyBytes payload, LyTransportEvent *event)
{
    LyReader reader = behind_number(payload);
    *event = (LyTransportEvent){.type = LY_TRANSPORT_UNIMPLEMENTED, .number = ly_get_u32(&reader)};
    return ly_reader_done(&reader) || malformed(t, SSH_MSG_UNIMPLEMENTED);
}

static bool debug_received(LyTransport *t, LyBytes payload, LyTransportEvent *event)
{
    LyReader reader = behind_number(payload);
    ly_get_bool(&reader); /* always_display: whether it is shown is not the peer's business */
    *event = (LyTransportEvent){.type = LY_TRANSPORT_DEBUG_TEXT, .bytes = ly_get_string(&reader)};
    ly_get_string(&reader);
    return ly_reader_done(&reader) || malformed(t, SSH_MSG_DEBUG);
}

static bool ping_received(LyTransport *t, LyBytes payload, LyTransportEvent *event)
{
    LyReader reader = behind_number(payload);
    LyBytes data = ly_get_string(&reader);
    uint8_t head[5] = {SSH_MSG_PONG};
    if (!ly_reader_done(&reader))
        return malformed(t, SSH_MSG_PING);
    ly_store_u32(head + 1, (uint32_t)data.len);
    if (ly_transport_may_answer(t))
        ly_transport_send(t, (LyBytes[]){ly_bytes(head, sizeof head), data}, 2);
    return false;
}

/* A message that the rules leave to this floor; true when *event was filled. */
static bool received_here(LyTransport *t, LyBytes payload, uint32_t seq, LyTransportEvent *event)
{
    switch (payload.data[0]) {
    case SSH_MSG_DISCONNECT:
        return disconnect_received(t, payload, event);
    case SSH_MSG_UNIMPLEMENTED:
        return unimplemented_received(t, payload, event);
    case SSH_MSG_DEBUG:
        return debug_received(t, payload, event);
    case SSH_MSG_EXT_INFO:
        return ext_info_received(t, payload, event);
    case SSH_MSG_PING:
        return ping_received(t, payload, event);
    default:
        return ly_kex_received(t, payload, seq, event);
    }
}

static bool packet_received(LyTransport *t, LyBytes payload, uint32_t seq, LyTransportEvent *event)
{
    uint8_t number = payload.data[0];
    LyRuleState state = ly_transport_rule_state(t);
    t->event_seq = seq;
    LyRule rule = ly_transport_rule(t->role, state, number);
    if (rule == LY_RULE_LATE)
        rule = t->authenticated ? LY_RULE_UP : LY_RULE_REFUSED;
    switch (rule) {
    case LY_RULE_HERE:
        return received_here(t, payload, seq, event);
    case LY_RULE_UP:
        *event = (LyTransportEvent){.type = LY_TRANSPORT_PACKET, .number = number, .bytes = payload};
        return true;
    case LY_RULE_UNKNOWN:
        ly_transport_unimplemented(t);
        return false;
    case LY_RULE_IGNORED:
        return false;
    case LY_RULE_LATE:
    case LY_RULE_REFUSED:
        break;
    }
    return ly_transport_fail(t, LY_ERROR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR,
                             "the %s sent message %u (%s) %s", ly_transport_peer_name(t), number,
                             ly_ssh_message_name(number), ly_transport_rule_state_name(state));
}

bool ly_transport_next(LyTransport *t, LyTransportEvent *event)
{
    LyBytes payload;
    uint32_t seq;
    while (!t->closed) {
        bool question = t->kex.step == LY_KEX_STEP_HOST_KEY, open = false;
        ly_transport_rekey_if_due(t);
        if (!question && t->peer_ident.len == 0) {
            size_t start = t->input.start;
            if (ly_ident_next(t, event))
                return true;
            open = t->input.start != start;
        } else if (!question && (open = ly_packet_open(t, &payload, &seq))) {
            if (packet_received(t, payload, seq, event))
                return true;
        }
        if (open || t->closed)
            continue;
        if (!t->peer_eof)
            return false;
        ly_transport_peer_closed(t);
    }
    if (t->closed_told)
        return false;
    t->closed_told = true;
    *event = (LyTransportEvent){.type = LY_TRANSPORT_CLOSED, .error = &t->error};
    return true;
}
