/* core/loop/client.h for applications with a mind of their own: questions, attempts, limits, global requests,
 * and what the reference's defects would look like here. */
#include <unistd.h>

#include <glib/gstdio.h>

#include "agent/client.h"
#include "agent/numbers.h"
#include "client-rig.h"

/* --- the host key --- */

static void keep_host_key(void *user, LyKey *key)
{
    Rig *rig = user;
    g_assert_null(rig->own);
    g_assert_true(ly_bytes_equal(ly_key_blob(key), ly_key_blob(rig->host_key)));
    rig->own = rig;
}

/* Defect 1: an answer that is not a clear yes let the host in. Here there is no third one, and none until it
 * is given. */
static void test_host_key(void)
{
    for (int accept = 0; accept < 2; accept++) {
        Rig rig;
        rig_init(&rig);
        rig.events.host_key = keep_host_key;
        rig_start(&rig);
        ly_client_host_key(rig.client, true); /* no question is open yet */
        RUN_UNTIL(rig.loop, rig.own);
        for (int i = 0; i < 20; i++)
            ly_loop_run_once(rig.loop, 1000);
        g_assert_cmpstr(rig.asked->str, ==, "");
        ly_client_host_key(rig.client, accept);
        ly_client_host_key(rig.client, !accept);
        RUN_UNTIL(rig.loop, rig.ready || rig.closed);
        g_assert_cmpint(rig.ready, ==, accept);
        if (!accept) {
            g_assert_cmpint(rig.error.code, ==, LY_ERROR_HOST_KEY);
            g_assert_true(rig.final);
            g_assert_nonnull(strstr(rig.error.message, "the host key of 'example.test' (ED25519, SHA256:"));
        }
        rig_clear(&rig);
    }
}

static void busy(void *data)
{
    g_usleep(50 * 1000);
}

static void busy_done(void *data, bool cancelled)
{
}

/* A program that ends right after the sign-in leaves the host key in the file, although the loop's threads
 * had no time for it. */
static void test_host_key_remembered(void)
{
    Rig rig;
    rig_init(&rig);
    GError *failed = NULL;
    char *folder = g_dir_make_tmp("lanyard-XXXXXX", &failed), *text = NULL;
    g_assert_no_error(failed);
    char *path = g_build_filename(folder, "known_hosts", NULL);
    char *file = g_strdup_printf("UserKnownHostsFile=%s", path);
    const char *settings[] = {file,
                              "GlobalKnownHostsFile=none",
                              "StrictHostKeyChecking=accept-new",
                              "IdentityFile=none",
                              "IdentityAgent=none",
                              NULL};
    rig.destination_options.settings = settings;
    rig.events.host_key = NULL;
    for (int i = 0; i < 8; i++)
        ly_loop_work(rig.loop, busy, busy_done, NULL);
    rig_start(&rig);
    RUN_UNTIL(rig.loop, rig.ready || rig.closed);
    g_assert_cmpstr(rig.error.message, ==, "");
    rig_clear(&rig);
    g_file_get_contents(path, &text, NULL, &failed);
    g_assert_no_error(failed);
    g_assert_true(g_str_has_prefix(text, "example.test ssh-ed25519 "));
    g_unlink(path);
    g_rmdir(folder);
    g_free(text);
    g_free(file);
    g_free(path);
    g_free(folder);
}

/* --- attempts --- */

static void refuse(Rig *rig, const LyUserauthRequest *request)
{
    ly_userauth_server_refuse(server_auth(rig), NULL, false);
}

static void test_list_refused(void)
{
    Rig rig;
    rig_init(&rig);
    rig.authenticate = refuse;
    LyKey *public_half = ly_key_new_public(rig.crypto, ly_key_blob(rig.other_key), NULL);
    rig.server_options.userauth.methods = "publickey,password";
    LyAttempt attempts[] = {
        {.kind = LY_ATTEMPT_PUBLICKEY, .key = public_half},
        {.kind = LY_ATTEMPT_PUBLICKEY, .key = rig.user_key},
        {.kind = LY_ATTEMPT_KEYBOARD_INTERACTIVE}, /* not offered */
        {.kind = LY_ATTEMPT_PASSWORD, .password = LY_BYTES("one"), .user = LY_BYTES("bob")},
        {.kind = LY_ATTEMPT_AGENT}, /* there is none */
        {.kind = LY_ATTEMPT_PASSWORD, .password = LY_BYTES("two")},
    };
    rig_start(&rig);
    ly_client_set_attempts(rig.client, attempts, LY_COUNT(attempts));
    RUN_UNTIL(rig.loop, rig.closed);
    g_assert_cmpstr(rig.asked->str, ==, "alice:publickey:signed bob:password:one alice:password:two ");
    g_assert_cmpstr(rig.error.message, ==,
                    "sign-in to alice@example.test failed: tried publickey (1 key: the private half is not "
                    "here, not accepted, there is no agent), password (refused); the server still offers "
                    "publickey,password");
    g_assert_cmpint(rig.error.code, ==, LY_ERROR_AUTH);
    g_assert_true(rig.final);
    ly_key_unref(public_half);
    rig_clear(&rig);
}

/* The server wants a password first and a key then; the list has them the other way round. */
static void password_then_key(Rig *rig, const LyUserauthRequest *request)
{
    LyUserauthServer *auth = server_auth(rig);
    if (request->method == LY_METHOD_PASSWORD && rig->step == 0) {
        rig->step = 1;
        ly_userauth_server_refuse(auth, "publickey", true);
    } else if (request->method == LY_METHOD_PUBLICKEY && rig->step == 1) {
        if (request->proven)
            ly_userauth_server_accept(auth);
        else
            ly_userauth_server_pk_ok(auth);
    } else {
        ly_userauth_server_refuse(auth, rig->step ? "publickey" : "password", false);
    }
}

static void test_list_partial(void)
{
    Rig rig;
    rig_init(&rig);
    rig.authenticate = password_then_key;
    LyAttempt attempts[] = {
        {.kind = LY_ATTEMPT_NONE},
        {.kind = LY_ATTEMPT_PUBLICKEY, .key = rig.user_key},
        {.kind = LY_ATTEMPT_PASSWORD, .password = LY_BYTES("secret")},
    };
    rig_start(&rig);
    ly_client_set_attempts(rig.client, attempts, LY_COUNT(attempts));
    RUN_UNTIL(rig.loop, rig.ready || rig.closed);
    g_assert_cmpstr(rig.error.message, ==, "");
    g_assert_cmpstr(rig.asked->str, ==,
                    "alice:none alice:password:secret alice:publickey:signed ");
    rig_clear(&rig);
}

/* An agent of the test's own, with two keys. */
static void agent_request(void *user, LyBytes request, LyAgentDone done, void *done_user)
{
    Rig *rig = user;
    LyReader reader = ly_reader(request);
    LyBuf reply = {0}, signature = {0};
    switch (ly_get_u8(&reader)) {
    case SSH_AGENTC_REQUEST_IDENTITIES:
        ly_put_u8(&reply, SSH_AGENT_IDENTITIES_ANSWER);
        ly_put_u32(&reply, 2);
        ly_put_string(&reply, ly_key_blob(rig->other_key));
        ly_put_cstring(&reply, "other");
        ly_put_string(&reply, ly_key_blob(rig->user_key));
        ly_put_cstring(&reply, "user");
        break;
    case SSH_AGENTC_SIGN_REQUEST: {
        LyBytes blob = ly_get_string(&reader), data = ly_get_string(&reader);
        LyKey *key = ly_bytes_equal(blob, ly_key_blob(rig->user_key)) ? rig->user_key : rig->other_key;
        g_assert_true(ly_key_sign(key, LY_BYTES("ssh-ed25519"), data, &signature, NULL));
        ly_put_u8(&reply, SSH_AGENT_SIGN_RESPONSE);
        ly_put_string(&reply, ly_buf_bytes(&signature));
        break;
    }
    default:
        ly_put_u8(&reply, SSH_AGENT_FAILURE);
    }
    done(done_user, ly_buf_bytes(&reply), NULL);
    ly_buf_free(&reply);
    ly_buf_free(&signature);
}

/* The user's key and then a password, or the user's key and then another one. */
static void key_then_more(Rig *rig, const LyUserauthRequest *request)
{
    LyUserauthServer *auth = server_auth(rig);
    bool users = request->key && ly_bytes_equal(ly_key_blob(request->key), ly_key_blob(rig->user_key));
    const char *second = rig->own ? "publickey" : "password,keyboard-interactive";
    if (request->method == LY_METHOD_PUBLICKEY && (rig->step == 0 ? users : rig->own && !users)) {
        if (!request->proven)
            ly_userauth_server_pk_ok(auth);
        else if (rig->step++ == 0)
            ly_userauth_server_refuse(auth, second, true);
        else
            ly_userauth_server_accept(auth);
    } else if (request->method == LY_METHOD_PASSWORD && rig->step == 1 &&
               ly_bytes_is(request->password, "secret")) {
        ly_userauth_server_accept(auth);
    } else {
        ly_userauth_server_refuse(auth, rig->step ? second : "publickey", false);
    }
}

static void next_by_function(void *user, const LyNextAttempt *next)
{
    Rig *rig = user;
    LyAgentTransport agent = {.request = agent_request, .user = rig};
    g_string_append_printf(rig->asked, "[%s%s%.*s] ", next->first ? "first " : "",
                           next->partial ? "partial " : "", (int)next->methods.len,
                           (const char *)next->methods.data);
    LyAttempt attempt = {.kind = LY_ATTEMPT_AGENT, .agent = &agent};
    if (next->partial && !ly_names_contain(next->methods, LY_BYTES("publickey")))
        attempt = (LyAttempt){.kind = LY_ATTEMPT_PASSWORD, .password = LY_BYTES("secret")};
    ly_client_attempt(rig->client, &attempt);
}

/* Defect 8: a partial success by an agent's key was taken for a failure: its next key was tried, and the
 * function that chooses was told nothing of it. */
static void test_agent_partial(void)
{
    static const char *const expected[] = {
        "[first ] alice:publickey:probe alice:publickey:probe alice:publickey:signed "
        "[partial password,keyboard-interactive] alice:password:secret ",
        "[first ] alice:publickey:probe alice:publickey:probe alice:publickey:signed "
        "[partial publickey] alice:publickey:probe alice:publickey:signed ",
    };
    for (size_t two_keys = 0; two_keys < 2; two_keys++) {
        Rig rig;
        rig_init(&rig);
        rig.own = two_keys ? &rig : NULL;
        rig.authenticate = key_then_more;
        rig.events.next_attempt = next_by_function;
        rig_start(&rig);
        RUN_UNTIL(rig.loop, rig.ready || rig.closed);
        g_assert_cmpstr(rig.error.message, ==, "");
        g_assert_cmpstr(rig.asked->str, ==, expected[two_keys]);
        rig_clear(&rig);
    }
}

/* The same by a list, and in ssh(1)'s order. */
static void test_agent_partial_list(void)
{
    for (int two_keys = 0; two_keys < 2; two_keys++) {
        Rig rig;
        rig_init(&rig);
        LyAgentTransport agent = {.request = agent_request, .user = &rig};
        LyAttempt attempts[] = {
            {.kind = LY_ATTEMPT_AGENT},
            {.kind = LY_ATTEMPT_PASSWORD, .password = LY_BYTES("secret")},
        };
        rig.own = two_keys ? &rig : NULL;
        rig.authenticate = key_then_more;
        rig.destination_options.agent = &agent;
        rig_start(&rig);
        ly_client_set_attempts(rig.client, attempts, LY_COUNT(attempts));
        RUN_UNTIL(rig.loop, rig.ready || rig.closed);
        g_assert_cmpstr(rig.error.message, ==, "");
        rig_clear(&rig);
    }
}

static void ask_password(void *user, const LyAsk *ask)
{
    Rig *rig = user;
    g_assert_cmpint(ask->kind, ==, LY_ASK_PASSWORD);
    ly_client_answer(rig->client, "secret");
}

static void test_agent_partial_by_default(void)
{
    Rig rig;
    rig_init(&rig);
    LyAgentTransport agent = {.request = agent_request, .user = &rig};
    rig.authenticate = key_then_more;
    rig.destination_options.agent = &agent;
    rig.events.ask = ask_password;
    rig_start(&rig);
    RUN_UNTIL(rig.loop, rig.ready || rig.closed);
    g_assert_cmpstr(rig.error.message, ==, "");
    rig_clear(&rig);
}

/* Answered later, and given up. */
static void next_later(void *user, const LyNextAttempt *next)
{
    Rig *rig = user;
    rig->step++;
}

static void test_give_up(void)
{
    Rig rig;
    rig_init(&rig);
    rig.authenticate = refuse;
    rig.events.next_attempt = next_later;
    rig_start(&rig);
    RUN_UNTIL(rig.loop, rig.step == 1);
    LyAttempt attempt = {.kind = LY_ATTEMPT_PASSWORD, .password = LY_BYTES("guess")};
    ly_client_attempt(rig.client, &attempt);
    ly_client_attempt(rig.client, &attempt); /* no question is open */
    ly_client_give_up(rig.client);           /* neither */
    RUN_UNTIL(rig.loop, rig.step == 2);
    LyAttempt useless = {.kind = LY_ATTEMPT_PUBLICKEY};
    ly_client_attempt(rig.client, &useless);
    g_assert_cmpuint(rig.step, ==, 3); /* asked again at once */
    ly_client_give_up(rig.client);
    RUN_UNTIL(rig.loop, rig.closed);
    g_assert_cmpstr(rig.asked->str, ==, "alice:password:guess ");
    g_assert_nonnull(strstr(rig.error.message, "password (refused)"));
    rig_clear(&rig);
}

/* Whoever gives what cannot work for ever is stopped. */
static void next_useless(void *user, const LyNextAttempt *next)
{
    Rig *rig = user;
    LyAttempt useless = {.kind = LY_ATTEMPT_HOSTBASED};
    rig->step++;
    ly_client_attempt(rig->client, &useless);
}

static void test_useless_attempts(void)
{
    Rig rig;
    rig_init(&rig);
    rig.events.next_attempt = next_useless;
    rig_start(&rig);
    RUN_UNTIL(rig.loop, rig.closed);
    g_assert_cmpuint(rig.step, ==, 1000);
    g_assert_nonnull(strstr(rig.error.message, "tried hostbased (there is no host key to sign with)"));
    rig_clear(&rig);
}

/* StrictHostKeyChecking=no goes on with a changed host key, but no secret does. */
static void test_changed_host_key(void)
{
    Rig rig;
    rig_init(&rig);
    g_autofree char *known = NULL;
    int fd = g_file_open_tmp("known-XXXXXX", &known, NULL);
    LyBuf line = {0};
    g_assert_true(
        ly_known_hosts_line(rig.crypto, LY_BYTES("example.test"), 22, rig.other_key, false, &line, NULL));
    g_assert_cmpint(write(fd, line.data, line.len), ==, (ssize_t)line.len);
    close(fd);
    ly_buf_free(&line);
    g_autofree char *file = g_strdup_printf("UserKnownHostsFile=%s", known);
    const char *settings[] = {file,
                              "GlobalKnownHostsFile=none",
                              "IdentityFile=none",
                              "IdentityAgent=none",
                              "StrictHostKeyChecking=no",
                              NULL};
    LyAttempt attempts[] = {
        {.kind = LY_ATTEMPT_PASSWORD, .password = LY_BYTES("secret")},
        {.kind = LY_ATTEMPT_KEYBOARD_INTERACTIVE},
        {.kind = LY_ATTEMPT_PUBLICKEY, .key = rig.user_key},
    };
    rig.destination_options.settings = settings;
    rig.events.host_key = NULL;
    rig.authenticate = refuse;
    rig_start(&rig);
    ly_client_set_attempts(rig.client, attempts, LY_COUNT(attempts));
    RUN_UNTIL(rig.loop, rig.closed);
    g_assert_cmpstr(rig.asked->str, ==, "alice:publickey:signed ");
    g_assert_nonnull(strstr(rig.error.message, "password (not sent, because the host key has changed)"));
    unlink(known);
    rig_clear(&rig);
}

/* --- hostbased, password change --- */

static void expect_hostbased(Rig *rig, const LyUserauthRequest *request)
{
    g_assert_cmpint(request->method, ==, LY_METHOD_HOSTBASED);
    g_assert_true(ly_bytes_is(request->host, "desk.example."));
    g_assert_true(ly_bytes_is(request->local_user, "carol"));
    g_assert_true(ly_bytes_equal(ly_key_blob(request->key), ly_key_blob(rig->other_key)));
    ly_userauth_server_accept(server_auth(rig));
}

static void test_hostbased(void)
{
    Rig rig;
    rig_init(&rig);
    rig.authenticate = expect_hostbased;
    LyAttempt attempt = {.kind = LY_ATTEMPT_HOSTBASED,
                         .key = rig.other_key,
                         .local_host = LY_BYTES("desk.example."),
                         .local_user = LY_BYTES("carol")};
    rig_start(&rig);
    ly_client_set_attempts(rig.client, &attempt, 1);
    RUN_UNTIL(rig.loop, rig.ready || rig.closed);
    g_assert_true(rig.ready);
    rig_clear(&rig);
}

static void want_change(Rig *rig, const LyUserauthRequest *request)
{
    g_assert_true(ly_bytes_is(request->user, "dora"));
    if (!request->change) {
        ly_userauth_server_change_password(server_auth(rig), LY_BYTES("expired"));
        return;
    }
    g_assert_true(ly_bytes_is(request->password, "old one"));
    g_assert_true(ly_bytes_is(request->new_password, "new one"));
    ly_userauth_server_accept(server_auth(rig));
}

static void ask_new_password(void *user, const LyAsk *ask)
{
    Rig *rig = user;
    g_assert_cmpint(ask->kind, ==, LY_ASK_NEW_PASSWORD);
    g_assert_nonnull(strstr(ask->text, "dora@example.test's new password"));
    ly_client_answer(rig->client, "new one");
}

/* The change is by the attempt's user and password, whatever the destination's are. */
static void test_password_change(void)
{
    Rig rig;
    rig_init(&rig);
    rig.authenticate = want_change;
    rig.events.ask = ask_new_password;
    LyAttempt attempt = {
        .kind = LY_ATTEMPT_PASSWORD, .user = LY_BYTES("dora"), .password = LY_BYTES("old one")};
    rig_start(&rig);
    ly_client_set_attempts(rig.client, &attempt, 1);
    RUN_UNTIL(rig.loop, rig.ready || rig.closed);
    g_assert_true(rig.ready);
    rig_clear(&rig);
}

/* --- keyboard-interactive --- */

static void interrogate(Rig *rig, const LyUserauthRequest *request)
{
    LyUserauthServer *auth = server_auth(rig);
    LyPrompt prompts[] = {{.text = LY_BYTES("Code: "), .echo = true}, {.text = LY_BYTES("PIN: ")}};
    if (!request->answered) {
        g_assert_true(ly_bytes_is(request->submethods, "otp"));
        ly_userauth_server_info_request(auth, LY_BYTES("Second factor"), LY_BYTES("Look at it."), prompts, 2);
    } else if (request->response_count == 2) {
        g_assert_true(ly_bytes_is(request->responses[0], "123"));
        g_assert_true(ly_bytes_is(request->responses[1], ""));
        ly_userauth_server_info_request(auth, (LyBytes){0}, LY_BYTES("Thanks."), NULL, 0);
    } else {
        ly_userauth_server_accept(auth);
    }
}

static void respond(void *user, const LyUserauthClientEvent *request)
{
    Rig *rig = user;
    LyBytes responses[] = {LY_BYTES("123"), {0}};
    if (rig->step++ == 0) {
        g_assert_true(ly_bytes_is(request->name, "Second factor"));
        g_assert_true(ly_bytes_is(request->text, "Look at it."));
        g_assert_cmpuint(request->prompt_count, ==, 2);
        g_assert_true(request->prompts[0].echo && !request->prompts[1].echo);
        if (rig->own)
            ly_client_respond(rig->client, NULL, 0);
        else
            ly_client_respond(rig->client, responses, 2);
    } else {
        g_assert_cmpuint(request->prompt_count, ==, 0);
        ly_client_respond(rig->client, NULL, 0);
    }
}

static void test_interactive(void)
{
    for (int given_up = 0; given_up < 2; given_up++) {
        Rig rig;
        rig_init(&rig);
        rig.own = given_up ? &rig : NULL;
        rig.authenticate = interrogate;
        rig.events.interactive = respond;
        LyAttempt attempt = {.kind = LY_ATTEMPT_KEYBOARD_INTERACTIVE, .submethods = LY_BYTES("otp")};
        rig_start(&rig);
        ly_client_set_attempts(rig.client, &attempt, 1);
        RUN_UNTIL(rig.loop, rig.ready || rig.closed);
        g_assert_cmpint(rig.ready, ==, !given_up);
        if (given_up)
            g_assert_nonnull(strstr(rig.error.message, "tried keyboard-interactive (not answered)"));
        rig_clear(&rig);
    }
}

/* --- freeing --- */

static void free_client(Rig *rig)
{
    ly_client_free(rig->client);
    rig->client = NULL;
}

static void free_in_host_key(void *user, LyKey *key)
{
    free_client(user);
}

static void free_in_next(void *user, const LyNextAttempt *next)
{
    free_client(user);
}

static void free_in_dialogue(void *user, const LyUserauthClientEvent *request)
{
    free_client(user);
}

static void free_in_ready(void *user)
{
    free_client(user);
}

static void free_in_transport(void *user, const LyTransportEvent *event)
{
    Rig *rig = user;
    if (rig->client && event->type == (LyTransportEventType)rig->step)
        free_client(rig);
}

static void free_in_ask(void *user, const LyAsk *ask)
{
    free_client(user);
}

static void test_free_anywhere(void)
{
    for (int where = 0; where < 7; where++) {
        Rig rig;
        rig_init(&rig);
        LyAttempt attempt = {.kind = LY_ATTEMPT_KEYBOARD_INTERACTIVE, .submethods = LY_BYTES("otp")};
        rig.authenticate = where == 2 || where == 6 ? interrogate : NULL;
        rig.step = where == 4 ? LY_TRANSPORT_IDENT : LY_TRANSPORT_NEWKEYS;
        rig.events.host_key = where == 0 ? free_in_host_key : accept_host_key;
        rig.events.next_attempt = where == 1 ? free_in_next : NULL;
        rig.events.interactive = where == 2 ? free_in_dialogue : NULL;
        rig.events.ready = where == 3 ? free_in_ready : client_ready;
        rig.events.transport = where == 4 || where == 5 ? free_in_transport : NULL;
        rig.events.ask = where == 6 ? free_in_ask : NULL;
        rig_start(&rig);
        ly_client_set_attempts(rig.client, &attempt, 1);
        RUN_UNTIL(rig.loop, rig.server_ended);
        g_assert_null(rig.client);
        g_assert_false(rig.closed);
        rig_clear(&rig);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/client/defect-01-host-key-answers", test_host_key);
    g_test_add_func("/client/host-key-remembered-at-the-end", test_host_key_remembered);
    g_test_add_func("/client/attempts/list-refused", test_list_refused);
    g_test_add_func("/client/attempts/list-partial", test_list_partial);
    g_test_add_func("/client/defect-08-agent-partial-success", test_agent_partial);
    g_test_add_func("/client/defect-08-agent-partial-success-by-list", test_agent_partial_list);
    g_test_add_func("/client/defect-08-agent-partial-success-by-default", test_agent_partial_by_default);
    g_test_add_func("/client/attempts/give-up", test_give_up);
    g_test_add_func("/client/attempts/useless", test_useless_attempts);
    g_test_add_func("/client/attempts/changed-host-key", test_changed_host_key);
    g_test_add_func("/client/attempts/hostbased", test_hostbased);
    g_test_add_func("/client/attempts/password-change", test_password_change);
    g_test_add_func("/client/attempts/interactive", test_interactive);
    g_test_add_func("/client/free-anywhere", test_free_anywhere);
    return g_test_run();
}
