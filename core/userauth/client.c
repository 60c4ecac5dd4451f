#include "userauth/messages.h"

/* What a server may make us read before it decides; more is somebody playing with us. */
#define BANNERS_MAX 64
#define BANNER_BYTES_MAX ((size_t)256 << 10)
#define PARTIALS_MAX 32
#define ROUNDS_MAX 256

typedef enum State {
    STATE_SERVICE, /* SERVICE_REQUEST is out */
    STATE_TURN,    /* the caller's turn: an attempt, or an answer to what `attempt` came to */
    STATE_WAIT,    /* an attempt or an answer is out */
    STATE_DONE,
} State;

typedef enum Attempt {
    ATTEMPT_NO,
    ATTEMPT_NONE,
    ATTEMPT_PASSWORD,
    ATTEMPT_PROBE,
    ATTEMPT_PUBLICKEY,
    ATTEMPT_HOSTBASED,
    ATTEMPT_KEYBOARD_INTERACTIVE,
} Attempt;

struct LyUserauthClient {
    LyTransport *transport;
    LyBuf user;
    State state;
    Attempt attempt;
    bool asked;                /* TURN: an INFO_REQUEST or PASSWD_CHANGEREQ waits for its answer */
    LyBuf algorithm, key_blob; /* of the probe */
    LyBuf info;                /* the INFO_REQUEST's payload, to which name and prompts point */
    LyPrompt *prompts;
    size_t prompt_count;
    size_t banner_count, banner_bytes, partial_count, round_count;
};

/* The bytes may be those that the buffer holds. */
static void keep(LyBuf *buf, LyBytes bytes)
{
    LyBuf copy = {0};
    ly_buf_add(&copy, bytes);
    ly_buf_free(buf);
    *buf = copy;
}

static void send_request(LyUserauthClient *auth, LyBuf *payload)
{
    ly_transport_send_buf(auth->transport, payload);
    ly_buf_free(payload); /* cleanses: it may hold a password */
}

LyUserauthClient *ly_userauth_client_new(LyTransport *transport, LyBytes user)
{
    LyUserauthClient *auth = ly_new(LyUserauthClient);
    auth->transport = transport;
    ly_buf_add(&auth->user, user);
    LyBuf payload = {0};
    ly_put_u8(&payload, SSH_MSG_SERVICE_REQUEST);
    ly_put_cstring(&payload, LY_SERVICE_USERAUTH);
    send_request(auth, &payload);
    return auth;
}

static void forget_info(LyUserauthClient *auth)
{
    ly_free(auth->prompts);
    auth->prompts = NULL;
    auth->prompt_count = 0;
    ly_buf_clear(&auth->info);
    auth->asked = false;
}

void ly_userauth_client_free(LyUserauthClient *auth)
{
    if (!auth)
        return;
    forget_info(auth);
    ly_buf_free(&auth->info);
    ly_buf_free(&auth->user);
    ly_buf_free(&auth->algorithm);
    ly_buf_free(&auth->key_blob);
    ly_free(auth);
}

void ly_userauth_client_set_user(LyUserauthClient *auth, LyBytes user)
{
    keep(&auth->user, user);
}

bool ly_userauth_client_is_waiting(const LyUserauthClient *auth)
{
    return auth->state == STATE_SERVICE || auth->state == STATE_WAIT;
}

LyTransport *ly_userauth_client_transport(const LyUserauthClient *auth)
{
    return auth->transport;
}

static bool violation(LyUserauthClient *auth, const char *what)
{
    return ly_transport_fail(auth->transport, LY_ERROR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR,
                             "the server broke the sign-in protocol: %s", what);
}

/* ---- attempts ---- */

/* An attempt out of turn is the caller's mistake, and said so instead of confusing the server. */
static bool begin(LyUserauthClient *auth, Attempt attempt)
{
    if (auth->state != STATE_TURN) {
        if (!ly_transport_is_closed(auth->transport))
            ly_transport_fail(auth->transport, LY_ERROR_INVALID, SSH_DISCONNECT_BY_APPLICATION,
                              "a sign-in attempt was made while another one waits for its answer");
        return false;
    }
    forget_info(auth);
    auth->state = STATE_WAIT;
    auth->attempt = attempt;
    auth->round_count = 0;
    return true;
}

void ly_userauth_none(LyUserauthClient *auth)
{
    if (!begin(auth, ATTEMPT_NONE))
        return;
    LyBuf payload = {0};
    ly_userauth_put_head(&payload, ly_buf_bytes(&auth->user), "none");
    send_request(auth, &payload);
}

void ly_userauth_password(LyUserauthClient *auth, LyBytes password)
{
    if (!begin(auth, ATTEMPT_PASSWORD))
        return;
    LyBuf payload = {0};
    ly_userauth_put_head(&payload, ly_buf_bytes(&auth->user), "password");
    ly_put_bool(&payload, false);
    ly_put_string(&payload, password);
    send_request(auth, &payload);
}

void ly_userauth_password_change(LyUserauthClient *auth, LyBytes old_password, LyBytes new_password)
{
    if (!begin(auth, ATTEMPT_PASSWORD))
        return;
    LyBuf payload = {0};
    ly_userauth_put_head(&payload, ly_buf_bytes(&auth->user), "password");
    ly_put_bool(&payload, true);
    ly_put_string(&payload, old_password);
    ly_put_string(&payload, new_password);
    send_request(auth, &payload);
}

void ly_userauth_publickey_probe(LyUserauthClient *auth, LyBytes algorithm, LyBytes key_blob)
{
    if (!begin(auth, ATTEMPT_PROBE))
        return;
    keep(&auth->algorithm, algorithm);
    keep(&auth->key_blob, key_blob);
    LyBuf payload = {0};
    ly_userauth_put_publickey(&payload, ly_buf_bytes(&auth->user), false, ly_buf_bytes(&auth->algorithm),
                              ly_buf_bytes(&auth->key_blob), (LyBytes){0});
    send_request(auth, &payload);
}

/* Empty unless the server knows hostbound requests. */
static LyBytes bound_host_key(const LyUserauthClient *auth)
{
    LyBytes version;
    if (!ly_transport_peer_extension(auth->transport, "publickey-hostbound@openssh.com", &version) ||
        !ly_bytes_is(version, "0"))
        return (LyBytes){0};
    return ly_transport_host_key_blob(auth->transport);
}

void ly_userauth_publickey_data(LyUserauthClient *auth, LyBytes algorithm, LyBytes key_blob, LyBuf *data)
{
    ly_put_string(data, ly_transport_session_id(auth->transport));
    ly_userauth_put_publickey(data, ly_buf_bytes(&auth->user), true, algorithm, key_blob,
                              bound_host_key(auth));
}

void ly_userauth_publickey(LyUserauthClient *auth, LyBytes algorithm, LyBytes key_blob, LyBytes signature)
{
    if (!begin(auth, ATTEMPT_PUBLICKEY))
        return;
    LyBuf payload = {0};
    ly_userauth_put_publickey(&payload, ly_buf_bytes(&auth->user), true, algorithm, key_blob,
                              bound_host_key(auth));
    ly_put_string(&payload, signature);
    send_request(auth, &payload);
}

void ly_userauth_hostbased_data(LyUserauthClient *auth, LyBytes algorithm, LyBytes host_key_blob,
                                LyBytes host, LyBytes local_user, LyBuf *data)
{
    ly_put_string(data, ly_transport_session_id(auth->transport));
    ly_userauth_put_hostbased(data, ly_buf_bytes(&auth->user), algorithm, host_key_blob, host, local_user);
}

void ly_userauth_hostbased(LyUserauthClient *auth, LyBytes algorithm, LyBytes host_key_blob, LyBytes host,
                           LyBytes local_user, LyBytes signature)
{
    if (!begin(auth, ATTEMPT_HOSTBASED))
        return;
    LyBuf payload = {0};
    ly_userauth_put_hostbased(&payload, ly_buf_bytes(&auth->user), algorithm, host_key_blob, host,
                              local_user);
    ly_put_string(&payload, signature);
    send_request(auth, &payload);
}

void ly_userauth_keyboard_interactive(LyUserauthClient *auth, LyBytes submethods)
{
    if (!begin(auth, ATTEMPT_KEYBOARD_INTERACTIVE))
        return;
    LyBuf payload = {0};
    ly_userauth_put_head(&payload, ly_buf_bytes(&auth->user), "keyboard-interactive");
    ly_put_cstring(&payload, ""); /* language */
    ly_put_string(&payload, submethods);
    send_request(auth, &payload);
}

void ly_userauth_info_response(LyUserauthClient *auth, const LyBytes *responses, size_t count)
{
    if (auth->state != STATE_TURN || auth->attempt != ATTEMPT_KEYBOARD_INTERACTIVE || !auth->asked ||
        count != auth->prompt_count) {
        if (!ly_transport_is_closed(auth->transport))
            ly_transport_fail(auth->transport, LY_ERROR_INVALID, SSH_DISCONNECT_BY_APPLICATION,
                              "a sign-in question was answered with %zu responses where %zu were asked for",
                              count, auth->prompt_count);
        return;
    }
    LyBuf payload = {0};
    ly_put_u8(&payload, SSH_MSG_USERAUTH_INFO_RESPONSE);
    ly_put_u32(&payload, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        ly_put_string(&payload, responses[i]);
    forget_info(auth);
    auth->state = STATE_WAIT;
    send_request(auth, &payload);
}

/* ---- answers ---- */

static bool service_accept_received(LyUserauthClient *auth, LyBytes payload, LyUserauthClientEvent *event)
{
    LyReader reader = ly_reader(payload);
    ly_get_u8(&reader);
    LyBytes service = ly_get_string(&reader);
    if (auth->state != STATE_SERVICE || !ly_reader_done(&reader) ||
        !ly_bytes_is(service, LY_SERVICE_USERAUTH))
        return violation(auth, "SSH_MSG_SERVICE_ACCEPT for a service that was not requested");
    auth->state = STATE_TURN;
    auth->attempt = ATTEMPT_NO;
    *event = (LyUserauthClientEvent){.type = LY_USERAUTH_NEXT, .first = true};
    return true;
}

static bool failure_received(LyUserauthClient *auth, LyBytes payload, LyUserauthClientEvent *event)
{
    LyReader reader = ly_reader(payload);
    ly_get_u8(&reader);
    LyBytes methods = ly_get_string(&reader);
    bool partial = ly_get_bool(&reader);
    if (!ly_reader_done(&reader))
        return violation(auth, "malformed SSH_MSG_USERAUTH_FAILURE");
    if (auth->state != STATE_WAIT)
        return violation(auth, "SSH_MSG_USERAUTH_FAILURE without a request");
    if (partial && ++auth->partial_count > PARTIALS_MAX)
        return ly_transport_fail(auth->transport, LY_ERROR_AUTH, SSH_DISCONNECT_BY_APPLICATION,
                                 "the server asks for more than %d steps of sign-in", PARTIALS_MAX);
    auth->state = STATE_TURN;
    auth->attempt = ATTEMPT_NO;
    *event = (LyUserauthClientEvent){.type = LY_USERAUTH_NEXT, .methods = methods, .partial = partial};
    return true;
}

static bool success_received(LyUserauthClient *auth, LyBytes payload, LyUserauthClientEvent *event)
{
    if (payload.len != 1)
        return violation(auth, "malformed SSH_MSG_USERAUTH_SUCCESS");
    /* A probe proves nothing, so it cannot succeed. */
    if (auth->state != STATE_WAIT || auth->attempt == ATTEMPT_PROBE)
        return violation(auth, "SSH_MSG_USERAUTH_SUCCESS without a request");
    auth->state = STATE_DONE;
    ly_transport_authenticated(auth->transport);
    *event = (LyUserauthClientEvent){.type = LY_USERAUTH_SUCCESS};
    return true;
}

static bool banner_received(LyUserauthClient *auth, LyBytes payload, LyUserauthClientEvent *event)
{
    LyReader reader = ly_reader(payload);
    ly_get_u8(&reader);
    LyBytes text = ly_get_string(&reader);
    ly_get_string(&reader); /* language */
    if (!ly_reader_done(&reader))
        return violation(auth, "malformed SSH_MSG_USERAUTH_BANNER");
    auth->banner_bytes += text.len;
    if (++auth->banner_count > BANNERS_MAX || auth->banner_bytes > BANNER_BYTES_MAX)
        return violation(auth, "endless banners");
    *event = (LyUserauthClientEvent){.type = LY_USERAUTH_BANNER, .text = text};
    return true;
}

/* The algorithm in PK_OK must be ours; servers that answer with the key's type for an rsa-sha2 probe are
 * common. */
static bool algorithm_fits(LyBytes ours, LyBytes theirs)
{
    if (ly_bytes_equal(ours, theirs))
        return true;
    const LySignatureAlgorithm *algorithm = ly_signature_algorithm_find(ours);
    return algorithm && ly_bytes_is(theirs, algorithm->key_type);
}

static bool pk_ok_received(LyUserauthClient *auth, LyBytes payload, LyUserauthClientEvent *event)
{
    LyReader reader = ly_reader(payload);
    ly_get_u8(&reader);
    LyBytes algorithm = ly_get_string(&reader);
    LyBytes key_blob = ly_get_string(&reader);
    if (!ly_reader_done(&reader))
        return violation(auth, "malformed SSH_MSG_USERAUTH_PK_OK");
    if (!ly_bytes_equal(key_blob, ly_buf_bytes(&auth->key_blob)) ||
        !algorithm_fits(ly_buf_bytes(&auth->algorithm), algorithm))
        return violation(auth, "SSH_MSG_USERAUTH_PK_OK for another key than the one offered");
    auth->state = STATE_TURN;
    *event = (LyUserauthClientEvent){.type = LY_USERAUTH_PK_OK,
                                     .key_blob = ly_buf_bytes(&auth->key_blob),
                                     .algorithm = ly_buf_bytes(&auth->algorithm)};
    return true;
}

static bool passwd_changereq_received(LyUserauthClient *auth, LyBytes payload, LyUserauthClientEvent *event)
{
    LyReader reader = ly_reader(payload);
    ly_get_u8(&reader);
    LyBytes prompt = ly_get_string(&reader);
    ly_get_string(&reader); /* language */
    if (!ly_reader_done(&reader))
        return violation(auth, "malformed SSH_MSG_USERAUTH_PASSWD_CHANGEREQ");
    auth->state = STATE_TURN;
    auth->asked = true;
    ly_buf_clear(&auth->info);
    ly_buf_add(&auth->info, prompt);
    *event = (LyUserauthClientEvent){.type = LY_USERAUTH_PASSWD_CHANGEREQ, .text = ly_buf_bytes(&auth->info)};
    return true;
}

static bool info_request_received(LyUserauthClient *auth, LyBytes payload, LyUserauthClientEvent *event)
{
    if (++auth->round_count > ROUNDS_MAX)
        return violation(auth, "endless questions");
    LyBytes name, instruction;
    LyPrompt *prompts;
    size_t count;
    forget_info(auth);
    ly_buf_add(&auth->info, payload);
    if (!ly_userauth_get_info_request(ly_buf_bytes(&auth->info), &name, &instruction, &prompts, &count))
        return violation(auth, "malformed SSH_MSG_USERAUTH_INFO_REQUEST, or one with too many prompts");
    auth->prompts = prompts;
    auth->prompt_count = count;
    auth->asked = true;
    auth->state = STATE_TURN;
    *event = (LyUserauthClientEvent){.type = LY_USERAUTH_INFO_REQUEST,
                                     .name = name,
                                     .text = instruction,
                                     .prompts = prompts,
                                     .prompt_count = count};
    return true;
}

/* Number 60 is the method's own. */
static bool method_message_received(LyUserauthClient *auth, LyBytes payload, LyUserauthClientEvent *event)
{
    if (auth->state == STATE_WAIT) {
        switch (auth->attempt) {
        case ATTEMPT_PROBE:
            return pk_ok_received(auth, payload, event);
        case ATTEMPT_PASSWORD:
            return passwd_changereq_received(auth, payload, event);
        case ATTEMPT_KEYBOARD_INTERACTIVE:
            return info_request_received(auth, payload, event);
        default:
            break;
        }
    }
    return violation(auth, "message 60 without a request that it answers");
}

bool ly_userauth_client_receive(LyUserauthClient *auth, LyBytes payload, LyUserauthClientEvent *event)
{
    if (payload.len == 0 || ly_transport_is_closed(auth->transport))
        return false;
    if (auth->state == STATE_DONE)
        return violation(auth, "a sign-in message after the sign-in");
    switch (payload.data[0]) {
    case SSH_MSG_SERVICE_ACCEPT:
        return service_accept_received(auth, payload, event);
    case SSH_MSG_USERAUTH_FAILURE:
        return failure_received(auth, payload, event);
    case SSH_MSG_USERAUTH_SUCCESS:
        return success_received(auth, payload, event);
    case SSH_MSG_USERAUTH_BANNER:
        return banner_received(auth, payload, event);
    case SSH_MSG_USERAUTH_INFO_REQUEST:
        return method_message_received(auth, payload, event);
    case SSH_MSG_SERVICE_REQUEST:
    case SSH_MSG_USERAUTH_REQUEST:
    case SSH_MSG_USERAUTH_INFO_RESPONSE:
        return violation(auth, "a message that only clients send");
    default:
        ly_transport_unimplemented(auth->transport);
        return false;
    }
}
