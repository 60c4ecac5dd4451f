/* Sign-in messages, for both roles: a byte of flags, then a byte of how to answer and a part, the payload,
 * for each message. The transport is one that has no keys yet: it keeps what is sent. */
#include "transport-ends.h"

#include "userauth/client.h"
#include "userauth/server.h"

enum { AS_SERVER = 1 };

static void answer_server(LyUserauthServer *auth, const LyUserauthRequest *request, uint8_t choice)
{
    const LyPrompt prompts[] = {{LY_BYTES("Password: "), false}, {LY_BYTES("Code: "), true}};
    FUZZ_ASSERT(!request->proven || request->key);
    switch (choice % 8) {
    case 0:
        ly_userauth_server_refuse(auth, NULL, false);
        return;
    case 1:
        ly_userauth_server_accept(auth);
        return;
    case 2:
        ly_userauth_server_refuse(auth, "password", true);
        return;
    case 3:
        ly_userauth_server_pk_ok(auth);
        return;
    case 4:
        ly_userauth_server_change_password(auth, LY_BYTES("New password: "));
        return;
    case 5:
    case 6:
        ly_userauth_server_info_request(auth, LY_BYTES("name"), LY_BYTES(""), prompts, choice % 8 - 4);
        return;
    default: /* later: the question stays open */
        return;
    }
}

static void fuzz_server(LyTransport *t, LyReader *input)
{
    LyUserauthServerOptions options = {.methods = "publickey,password,keyboard-interactive,hostbased",
                                       .banner = "hello"};
    LyUserauthServer *auth = ly_userauth_server_new(t, &options);
    while (input->len && !ly_transport_is_closed(t)) {
        uint8_t choice = ly_get_u8(input);
        LyBytes payload = fuzz_part(input);
        LyUserauthRequest request;
        bool asks = ly_userauth_server_receive(auth, payload, &request);
        fuzz_free(payload); /* what a question needs is kept */
        for (; asks; asks = ly_userauth_server_next(auth, &request)) {
            answer_server(auth, &request, choice);
            if (choice % 8 == 7)
                break;
        }
        FUZZ_ASSERT(ly_transport_output_len(t) < 1 << 20);
        ly_buf_clear(&t->pending);
        if (choice & 0x40 && !ly_userauth_server_is_done(auth)) { /* the late answer */
            ly_userauth_server_refuse(auth, NULL, false);
            while (ly_userauth_server_next(auth, &request))
                answer_server(auth, &request, 0);
        }
    }
    ly_userauth_server_free(auth);
}

static void attempt(LyUserauthClient *auth, LyUserauthClientEvent *event, uint8_t choice)
{
    LyKey *key = fuzz_keys()[0];
    LyBytes responses[LY_PROMPTS_MAX] = {LY_BYTES("one"), LY_BYTES("two")};
    if (event->type == LY_USERAUTH_BANNER || event->type == LY_USERAUTH_SUCCESS)
        return;
    if (event->type == LY_USERAUTH_INFO_REQUEST && choice & 8) {
        ly_userauth_info_response(auth, responses, event->prompt_count);
        return;
    }
    if (event->type == LY_USERAUTH_PASSWD_CHANGEREQ && choice & 8) {
        ly_userauth_password_change(auth, LY_BYTES("old"), LY_BYTES("new"));
        return;
    }
    switch (choice % 6) {
    case 0:
        ly_userauth_none(auth);
        return;
    case 1:
        ly_userauth_password(auth, LY_BYTES("secret"));
        return;
    case 2:
        ly_userauth_publickey_probe(auth, LY_BYTES("ssh-ed25519"), ly_key_blob(key));
        return;
    case 3:
        ly_userauth_publickey(auth, LY_BYTES("ssh-ed25519"), ly_key_blob(key), LY_BYTES("signature"));
        return;
    case 4:
        ly_userauth_keyboard_interactive(auth, LY_BYTES(""));
        return;
    default:
        ly_userauth_hostbased(auth, LY_BYTES("ssh-ed25519"), ly_key_blob(key), LY_BYTES("host."),
                              LY_BYTES("me"), LY_BYTES("signature"));
        return;
    }
}

static void fuzz_client(LyTransport *t, LyReader *input)
{
    LyUserauthClient *auth = ly_userauth_client_new(t, LY_BYTES("alice"));
    while (input->len && !ly_transport_is_closed(t)) {
        uint8_t choice = ly_get_u8(input);
        LyBytes payload = fuzz_part(input);
        LyUserauthClientEvent event = {0};
        if (ly_userauth_client_receive(auth, payload, &event)) {
            FUZZ_ASSERT(event.prompt_count <= LY_PROMPTS_MAX);
            attempt(auth, &event, choice);
        }
        fuzz_free(payload);
        FUZZ_ASSERT(ly_transport_output_len(t) < 1 << 20);
        ly_buf_clear(&t->pending);
    }
    ly_userauth_client_free(auth);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    LyReader input = ly_reader(ly_bytes(data, len));
    uint8_t flags = ly_get_u8(&input), counter = 0;
    LyTransport *t = fuzz_transport(flags & AS_SERVER ? LY_SERVER : LY_CLIENT, NULL, &counter);
    ly_transport_output_done(t, ly_transport_output(t).len);
    (flags & AS_SERVER ? fuzz_server : fuzz_client)(t, &input);
    ly_transport_free(t);
    return 0;
}
