#include "userauth/messages.h"

/* What a client may make us hold or do before it proved who it is. */
#define WAITING_MAX 10
#define WAITING_BYTES_MAX ((size_t)256 << 10)
#define REQUESTS_MAX 1024
#define SERVICE_REQUESTS_MAX 8
#define DEFAULT_ATTEMPTS 6

typedef struct Waiting {
    struct Waiting *next;
    LyBuf payload;
} Waiting;

struct LyUserauthServer {
    LyTransport *transport;
    char *methods, *banner;
    unsigned max_attempts, failures, requests, service_requests;
    bool done;
    bool partial; /* a step was proven, for `user` only */
    LyBuf user;   /* of the last request */

    bool open;               /* the application has a question */
    LyUserauthMethod method; /* of that question */
    bool proven;
    LyBuf payload;             /* the question's request: its views point here */
    LyBuf responses_payload;   /* the same for the INFO_RESPONSE */
    LyBuf algorithm, key_blob; /* for PK_OK: what was asked, unchanged */
    LyKey *key;
    bool info_sent; /* an INFO_REQUEST waits for its answer */
    size_t prompt_count;
    LyBytes *responses;

    Waiting *first, **end;
    size_t waiting_count, waiting_bytes;
};

LyUserauthServer *ly_userauth_server_new(LyTransport *transport, const LyUserauthServerOptions *options)
{
    LyUserauthServer *auth = ly_new(LyUserauthServer);
    auth->transport = transport;
    auth->methods = ly_strdup(options->methods ? options->methods : "");
    auth->banner = ly_strdup(options->banner);
    auth->max_attempts = options->max_attempts ? options->max_attempts : DEFAULT_ATTEMPTS;
    auth->end = &auth->first;
    return auth;
}

static void forget_waiting(LyUserauthServer *auth)
{
    while (auth->first) {
        Waiting *waiting = auth->first;
        auth->first = waiting->next;
        ly_buf_free(&waiting->payload);
        ly_free(waiting);
    }
    auth->end = &auth->first;
    auth->waiting_count = auth->waiting_bytes = 0;
}

/* Ends a question; what it held is cleansed, because it may be a password. */
static void forget_question(LyUserauthServer *auth)
{
    auth->open = auth->proven = auth->info_sent = false;
    ly_buf_free(&auth->payload);
    ly_buf_free(&auth->responses_payload);
    ly_free(auth->responses);
    auth->responses = NULL;
    auth->prompt_count = 0;
    ly_key_unref(auth->key);
    auth->key = NULL;
}

void ly_userauth_server_free(LyUserauthServer *auth)
{
    if (!auth)
        return;
    forget_question(auth);
    forget_waiting(auth);
    ly_buf_free(&auth->user);
    ly_buf_free(&auth->algorithm);
    ly_buf_free(&auth->key_blob);
    ly_free(auth->methods);
    ly_free(auth->banner);
    ly_free(auth);
}

bool ly_userauth_server_is_done(const LyUserauthServer *auth)
{
    return auth->done;
}

static bool violation(LyUserauthServer *auth, const char *what)
{
    return ly_transport_fail(auth->transport, LY_ERROR_PROTOCOL, SSH_DISCONNECT_PROTOCOL_ERROR,
                             "the client broke the sign-in protocol: %s", what);
}

/* ---- answers ---- */

static void send_banner(LyUserauthServer *auth)
{
    if (!auth->banner)
        return;
    LyBuf payload = {0};
    ly_put_u8(&payload, SSH_MSG_USERAUTH_BANNER);
    ly_put_cstring(&payload, auth->banner);
    ly_put_cstring(&payload, "");
    ly_transport_send_buf(auth->transport, &payload);
    ly_buf_free(&payload);
    ly_free(auth->banner);
    auth->banner = NULL;
}

static void send_answer(LyUserauthServer *auth, LyBuf *payload)
{
    send_banner(auth);
    ly_transport_send_buf(auth->transport, payload);
    ly_buf_free(payload);
}

/* `counts`: the failure is one of the few that a connection has. */
static void send_failure(LyUserauthServer *auth, const char *methods, bool partial, bool counts)
{
    if (counts && ++auth->failures >= auth->max_attempts) {
        ly_transport_fail(auth->transport, LY_ERROR_AUTH, SSH_DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE,
                          "sign-in failed %u times", auth->failures);
        return;
    }
    LyBuf payload = {0};
    ly_put_u8(&payload, SSH_MSG_USERAUTH_FAILURE);
    ly_put_cstring(&payload, methods ? methods : auth->methods);
    ly_put_bool(&payload, partial);
    send_answer(auth, &payload);
}

void ly_userauth_server_accept(LyUserauthServer *auth)
{
    if (!auth->open)
        return;
    if (auth->method == LY_METHOD_PUBLICKEY && !auth->proven) {
        ly_userauth_server_pk_ok(auth);
        return;
    }
    forget_question(auth);
    forget_waiting(auth);
    auth->done = true;
    LyBuf payload = {0};
    ly_put_u8(&payload, SSH_MSG_USERAUTH_SUCCESS);
    send_answer(auth, &payload);
    ly_transport_authenticated(auth->transport);
}

void ly_userauth_server_refuse(LyUserauthServer *auth, const char *methods, bool partial)
{
    if (!auth->open)
        return;
    /* The customary first "none" only asks for the methods. */
    bool counts = !partial && (auth->method != LY_METHOD_NONE || auth->requests > 1);
    if (partial)
        auth->partial = true;
    forget_question(auth);
    send_failure(auth, methods, partial, counts);
}

void ly_userauth_server_pk_ok(LyUserauthServer *auth)
{
    if (!auth->open || auth->method != LY_METHOD_PUBLICKEY || auth->proven) {
        ly_userauth_server_refuse(auth, NULL, false);
        return;
    }
    forget_question(auth);
    LyBuf payload = {0};
    ly_put_u8(&payload, SSH_MSG_USERAUTH_PK_OK);
    ly_put_string(&payload, ly_buf_bytes(&auth->algorithm));
    ly_put_string(&payload, ly_buf_bytes(&auth->key_blob));
    send_answer(auth, &payload);
}

void ly_userauth_server_change_password(LyUserauthServer *auth, LyBytes prompt)
{
    if (!auth->open || auth->method != LY_METHOD_PASSWORD) {
        ly_userauth_server_refuse(auth, NULL, false);
        return;
    }
    forget_question(auth);
    LyBuf payload = {0};
    ly_put_u8(&payload, SSH_MSG_USERAUTH_PASSWD_CHANGEREQ);
    ly_put_string(&payload, prompt);
    ly_put_cstring(&payload, "");
    send_answer(auth, &payload);
}

void ly_userauth_server_info_request(LyUserauthServer *auth, LyBytes name, LyBytes instruction,
                                     const LyPrompt *prompts, size_t count)
{
    if (!auth->open || auth->method != LY_METHOD_KEYBOARD_INTERACTIVE || count > LY_PROMPTS_MAX) {
        ly_userauth_server_refuse(auth, NULL, false);
        return;
    }
    ly_free(auth->responses);
    auth->responses = NULL;
    ly_buf_free(&auth->responses_payload);
    auth->open = false;
    auth->info_sent = true;
    auth->prompt_count = count;
    LyBuf payload = {0};
    ly_userauth_put_info_request(&payload, name, instruction, prompts, count);
    send_answer(auth, &payload);
}

/* ---- requests ---- */

static bool service_request_received(LyUserauthServer *auth, LyBytes payload)
{
    LyReader reader = ly_reader(payload);
    ly_get_u8(&reader);
    LyBytes service = ly_get_string(&reader);
    if (!ly_reader_done(&reader) || ++auth->service_requests > SERVICE_REQUESTS_MAX)
        return violation(auth, "malformed or repeated SSH_MSG_SERVICE_REQUEST");
    if (!ly_bytes_is(service, LY_SERVICE_USERAUTH))
        return ly_transport_fail(auth->transport, LY_ERROR_PROTOCOL, SSH_DISCONNECT_SERVICE_NOT_AVAILABLE,
                                 "the client asked for the service '%s', which is not available",
                                 LY_PRINTABLE(service));
    LyBuf answer = {0};
    ly_put_u8(&answer, SSH_MSG_SERVICE_ACCEPT);
    ly_put_string(&answer, service);
    ly_transport_send_buf(auth->transport, &answer);
    ly_buf_free(&answer);
    return false;
}

static bool method_offered(const LyUserauthServer *auth, const LyUserauthMessage *message)
{
    return message->known && (message->method == LY_METHOD_NONE ||
                              ly_names_contain(ly_bytes_str(auth->methods),
                                               ly_bytes_str(ly_userauth_method_name(message->method))));
}

/* The key of a request, when the algorithm is allowed and is one of this key's. */
static LyKey *requested_key(LyUserauthServer *auth, const LyUserauthMessage *message)
{
    const LyAlgorithms *algorithms = ly_transport_algorithms(auth->transport);
    const LySignatureAlgorithm *algorithm = ly_signature_algorithm_find(message->algorithm);
    if (!algorithm || !algorithm->user ||
        !ly_names_contain(ly_bytes_str(algorithms->list[LY_ALGORITHMS_USER_KEY]), message->algorithm))
        return NULL;
    LyKey *key = ly_key_new_public(ly_transport_crypto(auth->transport), message->key_blob, NULL);
    if (key && strcmp(algorithm->key_type, ly_key_type_name(key)) == 0)
        return key;
    ly_key_unref(key);
    return NULL;
}

static bool signature_holds(LyUserauthServer *auth, const LyUserauthMessage *message, LyKey *key,
                            uint8_t *sk_flags)
{
    LyBuf data = {0};
    LyError error;
    ly_put_string(&data, ly_transport_session_id(auth->transport));
    ly_buf_add(&data, message->signed_part);
    bool holds =
        ly_key_verify(key, message->algorithm, ly_buf_bytes(&data), message->signature, sk_flags, &error);
    ly_buf_free(&data);
    if (!holds)
        ly_log(ly_transport_log(auth->transport), LY_LOG_INFO, "a sign-in signature was refused: %s",
               error.message);
    return holds;
}

/* Fills the question's part about keys. False: answer FAILURE, without asking. */
static bool check_key(LyUserauthServer *auth, const LyUserauthMessage *message, LyUserauthRequest *request)
{
    /* Made for another server: somebody passes signatures on. */
    if (message->hostbound &&
        !ly_bytes_equal(message->server_host_key, ly_transport_host_key_blob(auth->transport)))
        return false;
    auth->key = requested_key(auth, message);
    if (!auth->key)
        return false;
    if (message->has_signature && !signature_holds(auth, message, auth->key, &request->sk_flags))
        return false;
    auth->proven = request->proven = message->has_signature;
    ly_buf_clear(&auth->algorithm);
    ly_buf_add(&auth->algorithm, message->algorithm);
    ly_buf_clear(&auth->key_blob);
    ly_buf_add(&auth->key_blob, message->key_blob);
    request->key = auth->key;
    request->algorithm = message->algorithm;
    request->host = message->host;
    request->local_user = message->local_user;
    return true;
}

/* RFC 4252 section 5: with another user name, what was proven so far is void. The application holds that, so
 * the only safe answer to a change after a partial success is to end. */
static bool check_user(LyUserauthServer *auth, const LyUserauthMessage *message)
{
    if (!ly_bytes_is(message->service, LY_SERVICE_CONNECTION))
        return ly_transport_fail(auth->transport, LY_ERROR_PROTOCOL, SSH_DISCONNECT_SERVICE_NOT_AVAILABLE,
                                 "the client wants to sign in for the service '%s', which is not available",
                                 LY_PRINTABLE(message->service));
    if (auth->partial && !ly_bytes_equal(message->user, ly_buf_bytes(&auth->user)))
        return violation(auth, "another user name after a partial success");
    ly_buf_clear(&auth->user);
    ly_buf_add(&auth->user, message->user);
    return true;
}

static bool userauth_request_received(LyUserauthServer *auth, LyBytes payload, LyUserauthRequest *request)
{
    LyUserauthMessage message;
    forget_question(auth); /* a new request gives up a keyboard-interactive conversation */
    ly_buf_add(&auth->payload, payload);
    if (!ly_userauth_get_request(ly_buf_bytes(&auth->payload), &message))
        return violation(auth, "malformed SSH_MSG_USERAUTH_REQUEST");
    if (++auth->requests > REQUESTS_MAX)
        return ly_transport_fail(auth->transport, LY_ERROR_AUTH,
                                 SSH_DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE,
                                 "the client made more than %d sign-in requests", REQUESTS_MAX);
    if (!check_user(auth, &message))
        return false;
    LyUserauthRequest question = {
        .user = message.user,
        .method = message.method,
        .password = message.password,
        .new_password = message.new_password,
        .change = message.change,
        .submethods = message.submethods,
    };
    bool with_key = message.method == LY_METHOD_PUBLICKEY || message.method == LY_METHOD_HOSTBASED;
    if (!method_offered(auth, &message) || (with_key && !check_key(auth, &message, &question))) {
        forget_question(auth);
        send_failure(auth, NULL, false, true);
        return false;
    }
    auth->open = true;
    auth->method = message.method;
    *request = question;
    return true;
}

static bool info_response_received(LyUserauthServer *auth, LyBytes payload, LyUserauthRequest *request)
{
    if (!auth->info_sent)
        return violation(auth, "SSH_MSG_USERAUTH_INFO_RESPONSE without a question");
    LyUserauthMessage message;
    if (++auth->requests > REQUESTS_MAX || !ly_userauth_get_request(ly_buf_bytes(&auth->payload), &message))
        return violation(auth, "endless answers");
    ly_buf_clear(&auth->responses_payload);
    ly_buf_add(&auth->responses_payload, payload);
    LyReader reader = ly_reader(ly_buf_bytes(&auth->responses_payload));
    ly_get_u8(&reader);
    if (ly_get_u32(&reader) != auth->prompt_count)
        return violation(auth,
                         "SSH_MSG_USERAUTH_INFO_RESPONSE with another number of responses than prompts");
    auth->responses = auth->prompt_count ? ly_new_array(LyBytes, auth->prompt_count) : NULL;
    for (size_t i = 0; i < auth->prompt_count; i++)
        auth->responses[i] = ly_get_string(&reader);
    if (!ly_reader_done(&reader))
        return violation(auth, "malformed SSH_MSG_USERAUTH_INFO_RESPONSE");
    auth->info_sent = false;
    auth->open = true;
    *request = (LyUserauthRequest){
        .user = message.user,
        .method = LY_METHOD_KEYBOARD_INTERACTIVE,
        .submethods = message.submethods,
        .responses = auth->responses,
        .response_count = auth->prompt_count,
        .answered = true,
    };
    return true;
}

static bool message_received(LyUserauthServer *auth, LyBytes payload, LyUserauthRequest *request)
{
    switch (payload.data[0]) {
    case SSH_MSG_SERVICE_REQUEST:
        return service_request_received(auth, payload);
    case SSH_MSG_USERAUTH_REQUEST:
        if (!auth->service_requests)
            return violation(auth, "SSH_MSG_USERAUTH_REQUEST before SSH_MSG_SERVICE_REQUEST");
        return userauth_request_received(auth, payload, request);
    case SSH_MSG_USERAUTH_INFO_RESPONSE:
        return info_response_received(auth, payload, request);
    default:
        return violation(auth, "a message that only servers send, or none at all");
    }
}

static bool is_ended(const LyUserauthServer *auth)
{
    return auth->done || ly_transport_is_closed(auth->transport);
}

bool ly_userauth_server_receive(LyUserauthServer *auth, LyBytes payload, LyUserauthRequest *request)
{
    if (payload.len == 0 || is_ended(auth)) /* RFC 4252 5.1: requests after SUCCESS are ignored silently */
        return false;
    uint8_t number = payload.data[0];
    if (number != SSH_MSG_SERVICE_REQUEST && number != SSH_MSG_USERAUTH_INFO_RESPONSE &&
        (number < SSH_MSG_USERAUTH_REQUEST || number > SSH_MSG_USERAUTH_BANNER) &&
        number != SSH_MSG_USERAUTH_INFO_REQUEST) {
        ly_transport_unimplemented(auth->transport);
        return false;
    }
    if (!auth->open && !auth->first)
        return message_received(auth, payload, request);
    if (auth->waiting_count == WAITING_MAX || auth->waiting_bytes + payload.len > WAITING_BYTES_MAX)
        return violation(auth, "too many requests at once");
    Waiting *waiting = ly_new(Waiting);
    ly_buf_add(&waiting->payload, payload);
    *auth->end = waiting;
    auth->end = &waiting->next;
    auth->waiting_count++;
    auth->waiting_bytes += payload.len;
    return ly_userauth_server_next(auth, request);
}

bool ly_userauth_server_next(LyUserauthServer *auth, LyUserauthRequest *request)
{
    while (auth->first && !auth->open && !is_ended(auth)) {
        Waiting *waiting = auth->first;
        auth->first = waiting->next;
        if (!auth->first)
            auth->end = &auth->first;
        auth->waiting_count--;
        auth->waiting_bytes -= waiting->payload.len;
        bool asks = message_received(auth, ly_buf_bytes(&waiting->payload), request);
        ly_buf_free(&waiting->payload);
        ly_free(waiting);
        if (asks)
            return true;
    }
    return false;
}
