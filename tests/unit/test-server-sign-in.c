/* core/loop/server.h: sign-in by the application's handler: passwords and their change, rounds of questions,
 * partial success, answers given later. */
#include "server-rig.h"

static bool change_handler(void *user, LyServer *server, const LyUserauthRequest *request)
{
    Rig *rig = user;
    LyUserauthServer *auth = ly_server_userauth(server);
    g_assert_cmpint(request->method, ==, LY_METHOD_PASSWORD);
    g_assert_true(ly_bytes_is(request->password, "secret"));
    g_string_append(rig->story, request->change ? "change " : "password ");
    if (!request->change)
        ly_userauth_server_change_password(auth, LY_BYTES("It is too old."));
    else if (ly_bytes_is(request->new_password, "newer"))
        ly_userauth_server_accept(auth);
    else
        ly_userauth_server_change_password(auth, LY_BYTES("Another one."));
    return true;
}

static void change_client(Rig *rig, const LyUserauthClientEvent *event)
{
    if (event->type == LY_USERAUTH_NEXT) {
        ly_userauth_password(client_auth(rig), LY_BYTES("secret"));
    } else if (event->type == LY_USERAUTH_PASSWD_CHANGEREQ) {
        g_assert_true(ly_bytes_is(event->text, rig->step ? "Another one." : "It is too old."));
        ly_userauth_password_change(client_auth(rig), LY_BYTES("secret"),
                                    rig->step++ ? LY_BYTES("newer") : LY_BYTES("new"));
    }
}

static void test_password_change(void)
{
    Rig rig;
    rig_init(&rig);
    rig.options.handlers.authenticate = change_handler;
    rig.on_userauth = change_client;
    rig_start(&rig);
    g_assert_null(ly_server_connection(rig.server));
    g_assert_cmpuint(ly_server_user(rig.server).len, ==, 0);
    RUN_UNTIL(rig.loop, rig.ready);
    g_assert_cmpstr(rig.story->str, ==, "password change change ");
    g_assert_true(ly_bytes_is(ly_server_user(rig.server), "me"));
    g_assert_nonnull(ly_server_connection(rig.server));
    g_assert_cmpstr(ly_server_peer(rig.server)->address, ==, "192.0.2.1");
    rig_clear(&rig);
}

/* Two rounds: two prompts, then one, then none; then it is over. */
static bool rounds_handler(void *user, LyServer *server, const LyUserauthRequest *request)
{
    Rig *rig = user;
    LyUserauthServer *auth = ly_server_userauth(server);
    static const LyPrompt first[] = {{.text = {(const uint8_t *)"Code: ", 6}, .echo = true},
                                     {.text = {(const uint8_t *)"PIN: ", 5}, .echo = false}};
    g_assert_cmpint(request->method, ==, LY_METHOD_KEYBOARD_INTERACTIVE);
    g_string_append_printf(rig->story, "%zu", request->response_count);
    if (!request->answered) {
        g_assert_true(ly_bytes_is(request->submethods, "otp"));
        ly_userauth_server_info_request(auth, LY_BYTES("Name"), LY_BYTES("Do this."), first, 2);
    } else if (request->response_count == 2) {
        g_assert_true(ly_bytes_is(request->responses[0], "0"));
        g_assert_true(ly_bytes_is(request->responses[1], "1"));
        ly_userauth_server_info_request(auth, (LyBytes){0}, (LyBytes){0}, first + 1, 1);
    } else if (request->response_count == 1) {
        ly_userauth_server_info_request(auth, (LyBytes){0}, LY_BYTES("Thank you."), NULL, 0);
    } else {
        ly_userauth_server_accept(auth);
    }
    return true;
}

static void rounds_client(Rig *rig, const LyUserauthClientEvent *event)
{
    static const LyBytes responses[] = {{(const uint8_t *)"0", 1}, {(const uint8_t *)"1", 1}};
    if (event->type == LY_USERAUTH_NEXT)
        ly_userauth_keyboard_interactive(client_auth(rig), LY_BYTES("otp"));
    else if (event->type == LY_USERAUTH_INFO_REQUEST)
        ly_userauth_info_response(client_auth(rig), responses, event->prompt_count);
}

static void test_rounds(void)
{
    Rig rig;
    rig_init(&rig);
    rig.options.handlers.authenticate = rounds_handler;
    rig.on_userauth = rounds_client;
    rig_start(&rig);
    RUN_UNTIL(rig.loop, rig.ready);
    g_assert_cmpstr(rig.story->str, ==, "0210");
    rig_clear(&rig);
}

/* A key, and then a password: each answered later. */
static void answer_partial(void *user)
{
    Rig *rig = user;
    LyUserauthServer *auth = ly_server_userauth(rig->server);
    if (rig->step++ == 0)
        ly_userauth_server_refuse(auth, "password", true);
    else
        ly_userauth_server_accept(auth);
    ly_server_wake(rig->server);
}

static bool partial_handler(void *user, LyServer *server, const LyUserauthRequest *request)
{
    Rig *rig = user;
    bool key = request->method == LY_METHOD_PUBLICKEY;
    g_assert_true(key ? request->proven : ly_bytes_is(request->password, "secret"));
    g_string_append(rig->story, key ? "key " : "password ");
    rig_later(rig, answer_partial);
    return true;
}

static void partial_client(Rig *rig, const LyUserauthClientEvent *event)
{
    if (event->type != LY_USERAUTH_NEXT)
        return;
    if (!event->first) {
        g_assert_true(event->partial && ly_bytes_is(event->methods, "password"));
        ly_userauth_password(client_auth(rig), LY_BYTES("secret"));
        return;
    }
    LyBuf data = {0}, signature = {0};
    LyBytes algorithm = LY_BYTES("ssh-ed25519"), blob = ly_key_blob(rig->user_key);
    ly_userauth_publickey_data(client_auth(rig), algorithm, blob, &data);
    g_assert_true(ly_key_sign(rig->user_key, algorithm, ly_buf_bytes(&data), &signature, NULL));
    ly_userauth_publickey(client_auth(rig), algorithm, blob, ly_buf_bytes(&signature));
    ly_buf_free(&data);
    ly_buf_free(&signature);
}

static void test_partial(void)
{
    Rig rig;
    rig_init(&rig);
    rig.options.handlers.authenticate = partial_handler;
    rig.on_userauth = partial_client;
    rig_start(&rig);
    RUN_UNTIL(rig.loop, rig.ready);
    g_assert_cmpstr(rig.story->str, ==, "key password ");
    rig_clear(&rig);
}

static bool leave_it(void *user, LyServer *server, const LyUserauthRequest *request)
{
    return false;
}

/* What the application leaves goes to the ready-made answers, and what these do not have is refused. */
static void test_left(void)
{
    for (int with_file = 0; with_file < 2; with_file++) {
        Rig rig;
        rig_init(&rig);
        g_autofree char *file = g_build_filename(rig.directory, "passwords", NULL);
        g_assert_true(g_file_set_contents(file, "me:secret\n", -1, NULL));
        rig.options.handlers.authenticate = leave_it;
        rig.options.password_file = with_file ? file : NULL;
        rig_start(&rig);
        RUN_UNTIL(rig.loop, rig.ready || rig.attempts == 2);
        g_assert_cmpint(rig.ready, ==, with_file);
        g_unlink(file);
        rig_clear(&rig);
    }
}

/* Defect 15: an unknown method is one that fails, not the end of the connection. */
static bool hold_none(void *user, LyServer *server, const LyUserauthRequest *request)
{
    if (request->method == LY_METHOD_NONE)
        ly_userauth_server_refuse(ly_server_userauth(server), NULL, false);
    else
        ly_userauth_server_accept(ly_server_userauth(server));
    return true;
}

static void strange_client(Rig *rig, const LyUserauthClientEvent *event)
{
    if (event->type != LY_USERAUTH_NEXT)
        return;
    if (event->first) {
        LyBuf payload = {0};
        ly_put_u8(&payload, SSH_MSG_USERAUTH_REQUEST);
        ly_put_cstring(&payload, "me");
        ly_put_cstring(&payload, "ssh-connection");
        ly_put_cstring(&payload, "strange@example.com");
        ly_put_cstring(&payload, "and more");
        ly_transport_send_buf(ly_session_transport(ly_drive_session(rig->client)), &payload);
        ly_buf_free(&payload);
        ly_userauth_none(client_auth(rig));
    } else {
        g_assert_true(ly_bytes_is(event->methods, "password") && !event->partial);
        rig->attempts++;
        ly_userauth_password(client_auth(rig), LY_BYTES("secret"));
    }
}

static void count_unimplemented(Rig *rig, const LyTransportEvent *event)
{
    rig->step += event->type == LY_TRANSPORT_UNIMPLEMENTED;
}

static void test_defect_15(void)
{
    Rig rig;
    rig_init(&rig);
    rig.options.handlers.authenticate = hold_none;
    rig.options.session.userauth.methods = "password";
    rig.on_userauth = strange_client;
    rig.on_transport = count_unimplemented;
    rig_start(&rig);
    RUN_UNTIL(rig.loop, rig.ready);
    g_assert_cmpuint(rig.attempts, >=, 1);
    /* A message that nobody knows is told so. */
    uint8_t number = 200;
    LyBytes part = ly_bytes(&number, 1);
    ly_transport_send(ly_session_transport(ly_drive_session(rig.client)), &part, 1);
    ly_drive_wake(rig.client);
    RUN_UNTIL(rig.loop, rig.step == 1);
    g_assert_false(rig.client_closed);
    rig_clear(&rig);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/server-sign-in/password-change", test_password_change);
    g_test_add_func("/server-sign-in/keyboard-interactive", test_rounds);
    g_test_add_func("/server-sign-in/partial-success", test_partial);
    g_test_add_func("/server-sign-in/left-to-the-ready-made", test_left);
    g_test_add_func("/server-sign-in/defect-15/unknown", test_defect_15);
    return g_test_run();
}
