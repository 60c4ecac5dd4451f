/* Signing in: which method is tried next, and the methods that ask a person. Unless the application chooses
 * (client-attempt.c) the order is ssh(1)'s: `none` shows what the server offers, then
 * PreferredAuthentications as far as offered, each until it has nothing more to try. */
#include <string.h>

#include "base/auto.h"
#include "base/secret.h"
#include "loop/client-private.h"

#define PARTIAL_MAX 16 /* a server could go on for ever */
#define WHY_MAX 160    /* bytes, of each method's share of the last sentence */
#define QUESTION_LIMIT ((size_t)16 << 10)

static bool try_keyboard_interactive(LyClient *client);
static bool try_password(LyClient *client);

static const struct {
    const char *name;
    bool (*attempt)(LyClient *client); /* false: nothing (more) to try */
    LyConfigKeyword enabled;
    bool by_default, asks;
} methods[LY_AUTH_METHOD_COUNT] = {
    [LY_AUTH_NONE] = {.name = "none"}, /* how the order begins, not one of those to choose from */
    [LY_AUTH_HOSTBASED] = {"hostbased", ly_auth_hostbased, LY_CONFIG_HOSTBASED_AUTHENTICATION, false, false},
    [LY_AUTH_PUBLICKEY] = {"publickey", ly_auth_publickey, LY_CONFIG_PUBKEY_AUTHENTICATION, true, false},
    [LY_AUTH_KEYBOARD_INTERACTIVE] = {"keyboard-interactive", try_keyboard_interactive,
                                      LY_CONFIG_KBD_INTERACTIVE_AUTHENTICATION, true, true},
    [LY_AUTH_PASSWORD] = {"password", try_password, LY_CONFIG_PASSWORD_AUTHENTICATION, true, true},
};

static LyUserauthClient *userauth(LyClient *client)
{
    return ly_session_userauth_client(client->session);
}

uint64_t ly_auth_prompts_allowed(const LyClient *client)
{
    return ly_config_number(client->destination->config, LY_CONFIG_NUMBER_OF_PASSWORD_PROMPTS, 3);
}

const char *ly_auth_method_name(LyAuthMethod method)
{
    return methods[method].name;
}

static void forget(LyBytes *secret)
{
    ly_destination_remember(secret, (LyBytes){0});
}

static void responses_clear(LyAuth *auth)
{
    for (size_t i = 0; i < auth->response_count; i++)
        forget(&auth->responses[i]);
    ly_free(auth->responses);
    auth->responses = NULL;
    auth->response_count = 0;
    ly_free(auth->prompt_head);
    auth->prompt_head = NULL;
}

LyAuth *ly_auth_new(LyClient *client)
{
    LyAuth *auth = ly_new(LyAuth);
    auth->own_order = client->events.next_attempt || client->attempts;
    auth->account = ly_strdup(client->destination->account);
    auth->made = ly_new_array(bool, client->attempt_count + 1);
    for (size_t i = 0; i < LY_AUTH_METHOD_COUNT; i++)
        auth->why[i] = LY_BUF(WHY_MAX);
    return auth;
}

void ly_auth_free(LyAuth *auth)
{
    if (!auth)
        return;
    ly_attempt_clear(&auth->attempt);
    for (size_t i = 0; i < LY_AUTH_METHOD_COUNT; i++)
        ly_buf_free(&auth->why[i]);
    ly_buf_free(&auth->taken);
    ly_free(auth->made);
    ly_free(auth->account);
    if (auth->job)
        ly_job_cancel(auth->job);
    ly_agent_connection_free(auth->agent);
    ly_auth_candidates_clear(auth);
    responses_clear(auth);
    forget(&auth->password);
    forget(&auth->new_password);
    forget(&auth->single_response);
    ly_free(auth->single_prompt);
    ly_free(auth->algorithm);
    ly_free(auth->methods);
    ly_free(auth);
}

/* The order. */

void ly_auth_sent(LyAuth *auth, LyAuthMethod method)
{
    auth->tried[method]++;
    auth->last = method;
}

void ly_auth_note(LyAuth *auth, LyAuthMethod method, const char *why)
{
    LyBuf *all = &auth->why[method];
    size_t len = strlen(why);
    if (all->len + 2 + len >= WHY_MAX || (all->len && strstr(ly_buf_str(all), why)))
        return;
    ly_buf_add_format(all, "%s%s", all->len ? ", " : "", why);
}

/* "publickey (2 keys: not accepted)", "password (refused)" */
static void add_method(const LyAuth *auth, LyAuthMethod method, LyBuf *out)
{
    unsigned keys = method == LY_AUTH_PUBLICKEY ? auth->tried[method] : 0;
    LyBuf why = auth->why[method];
    ly_buf_add_str(out, methods[method].name);
    if (!keys && !why.len)
        return;
    ly_buf_add_str(out, " (");
    if (keys)
        ly_buf_add_format(out, "%u %s%s", keys, keys == 1 ? "key" : "keys", why.len ? ": " : "");
    ly_buf_add(out, ly_buf_bytes(&why));
    ly_buf_add_str(out, ")");
}

void ly_auth_sentence(LyClient *client, LyBuf *out)
{
    const LyAuth *auth = client->auth;
    bool any = false;
    ly_buf_add_format(out, "sign-in to %s failed: ", client->destination->account);
    for (size_t i = auth->own_order ? LY_AUTH_NONE : LY_AUTH_NONE + 1; i < LY_AUTH_METHOD_COUNT; i++) {
        if (!auth->tried[i] && !auth->why[i].len)
            continue;
        ly_buf_add_str(out, any ? ", " : "tried ");
        add_method(auth, (LyAuthMethod)i, out);
        any = true;
    }
    if (!any)
        ly_buf_add_str(out, "there was nothing to try");
}

void ly_auth_give_up(LyClient *client)
{
    LyBuf sentence = {0};
    ly_auth_sentence(client, &sentence);
    ly_buf_add_format(&sentence, "; the server still offers %s",
                      client->auth->methods && client->auth->methods[0]
                          ? LY_PRINTABLE(ly_bytes_str(client->auth->methods))
                          : "nothing");
    ly_transport_fail(ly_session_transport(client->session), LY_ERROR_AUTH,
                      SSH_DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE, "%s", ly_buf_str(&sentence));
    ly_buf_free(&sentence);
}

static bool is_enabled(const LyClient *client, size_t method)
{
    const LyConfig *config = client->destination->config;
    if (method == LY_AUTH_PUBLICKEY) { /* yes, no, unbound, host-bound */
        const char *value = ly_config_string(config, LY_CONFIG_PUBKEY_AUTHENTICATION);
        return !value || strcasecmp(value, "no") != 0;
    }
    if (methods[method].asks && client->passwords_forbidden)
        return false;
    return ly_config_flag(config, methods[method].enabled, methods[method].by_default);
}

void ly_auth_try_next(LyClient *client)
{
    LyAuth *auth = client->auth;
    if (auth->own_order) {
        ly_attempt_next(client);
        return;
    }
    const char *preferred =
        ly_config_string(client->destination->config, LY_CONFIG_PREFERRED_AUTHENTICATIONS);
    LyBytes names = ly_bytes_str(preferred ? preferred : "hostbased,publickey,keyboard-interactive,password"),
            name;
    while (ly_names_next(&names, &name)) {
        for (size_t i = LY_AUTH_NONE + 1; i < LY_AUTH_METHOD_COUNT; i++) {
            if (!ly_bytes_is(name, methods[i].name) || auth->done[i] || !is_enabled(client, i) ||
                !ly_names_contain(ly_bytes_str(auth->methods), name))
                continue;
            if (methods[i].attempt(client))
                return;
            auth->done[i] = true;
        }
    }
    ly_auth_give_up(client);
}

/* ssh(1)'s order goes on. */
static void go_on(LyClient *client, const LyUserauthClientEvent *event, bool changed)
{
    LyAuth *auth = client->auth;
    if (event->first) {
        ly_userauth_none(userauth(client));
        return;
    }
    if (event->partial) {
        for (size_t i = 0; i < auth->candidate_count; i++)
            auth->candidates[i].tried = false; /* a second key may be asked for */
        if (auth->current)
            auth->current->tried = true;
    }
    if (changed || event->partial)
        memset(auth->done, 0, sizeof auth->done);
    ly_auth_try_next(client);
}

static void next(LyClient *client, const LyUserauthClientEvent *event)
{
    LyAuth *auth = client->auth;
    bool changed = !auth->methods || !ly_bytes_equal(ly_bytes_str(auth->methods), event->methods);
    if (!event->first) {
        ly_free(auth->methods);
        auth->methods = ly_bytes_dup_str(event->methods);
        ly_auth_note(auth, auth->last,
                     event->partial                    ? "accepted, but not enough"
                     : auth->last == LY_AUTH_PUBLICKEY ? "not accepted"
                                                       : "refused");
    }
    if (event->partial)
        ly_log(ly_client_log(client), LY_LOG_INFO, "%s: signed in in part; the server wants %s too",
               client->destination->name, LY_PRINTABLE(event->methods));
    if (event->partial && ++auth->partial_count > PARTIAL_MAX)
        ly_auth_give_up(client);
    else if (auth->own_order)
        ly_attempt_answered(client, event);
    else
        go_on(client, event, changed);
}

/* It cannot go on, and nothing was sent. */
static void leave_method(LyClient *client, LyAuthMethod method, const char *why)
{
    client->auth->done[method] = true;
    ly_auth_note(client->auth, method, why);
    ly_auth_try_next(client);
}

/* Password. */

void ly_auth_send_password(LyClient *client, LyBytes password)
{
    LyAuth *auth = client->auth;
    ly_destination_remember(&auth->password, password);
    ly_auth_sent(auth, LY_AUTH_PASSWORD);
    ly_userauth_password(userauth(client), password);
}

static void password_answered(LyClient *client, const char *answer)
{
    if (answer) {
        ly_auth_send_password(client, ly_bytes_str(answer));
        return;
    }
    leave_method(client, LY_AUTH_PASSWORD, "no password was given");
}

static bool try_password(LyClient *client)
{
    LyAuth *auth = client->auth;
    if (client->destination->password.len && !auth->password_remembered) {
        auth->password_remembered = true;
        ly_auth_send_password(client, client->destination->password);
        return true;
    }
    if (!ly_client_may_ask(client) || auth->passwords >= ly_auth_prompts_allowed(client))
        return false;
    LY_AUTO_FREE char *text = ly_format("%s's password: ", auth->account);
    ly_client_ask(client, LY_ASK_PASSWORD, text, false, auth->passwords++ > 0, password_answered);
    return true;
}

/* PASSWD_CHANGEREQ: the new one is asked for twice. */

static void ask_new_password(LyClient *client, bool retry);

static void new_password_repeated(LyClient *client, const char *answer)
{
    LyAuth *auth = client->auth;
    if (!answer || !ly_bytes_equal_secret(ly_bytes_str(answer), auth->new_password)) {
        forget(&auth->new_password);
        if (answer && auth->passwords++ < ly_auth_prompts_allowed(client)) {
            ask_new_password(client, true);
        } else {
            leave_method(client, LY_AUTH_PASSWORD, "it must be changed");
        }
        return;
    }
    LyBytes old = auth->password;
    auth->password = auth->new_password;
    auth->new_password = (LyBytes){0};
    ly_userauth_password_change(userauth(client), old, auth->password);
    forget(&old);
}

static void new_password_answered(LyClient *client, const char *answer)
{
    if (!answer || !answer[0]) {
        leave_method(client, LY_AUTH_PASSWORD, "it must be changed");
        return;
    }
    ly_destination_remember(&client->auth->new_password, ly_bytes_str(answer));
    LY_AUTO_FREE char *text = ly_format("Once more, %s's new password: ", client->auth->account);
    ly_client_ask(client, LY_ASK_NEW_PASSWORD, text, false, false, new_password_repeated);
}

static void ask_new_password(LyClient *client, bool retry)
{
    LY_AUTO_FREE char *text =
        ly_format("%sThe password must be changed. %s's new password: ", retry ? "These two differ. " : "",
                  client->auth->account);
    ly_client_ask(client, LY_ASK_NEW_PASSWORD, text, false, retry, new_password_answered);
}

/* keyboard-interactive. */

static bool try_keyboard_interactive(LyClient *client)
{
    LyAuth *auth = client->auth;
    bool remembered = client->destination->response.len && !auth->response_remembered;
    bool may_ask = client->events.interactive || ly_client_may_ask(client);
    if (!remembered && (!may_ask || auth->dialogues >= ly_auth_prompts_allowed(client)))
        return false;
    if (!remembered)
        auth->dialogues++;
    ly_auth_sent(auth, LY_AUTH_KEYBOARD_INTERACTIVE);
    ly_userauth_keyboard_interactive(userauth(client), (LyBytes){0});
    return true;
}

/* A peer's text for people: its lines stay lines, the rest is escaped. */
static void add_lines(LyBuf *out, LyBytes text)
{
    LyBytes line;
    char shown[2000];
    text = ly_bytes_slice(text, 0, 4096);
    while (ly_bytes_line(&text, &line)) {
        ly_buf_add_str(out, ly_printable(line, shown, sizeof shown));
        ly_buf_add_str(out, "\n");
    }
}

static void ask_next_prompt(LyClient *client);

static void add_response(LyClient *client, LyBytes answer)
{
    LyAuth *auth = client->auth;
    auth->responses[auth->response_count++] = answer.len ? ly_secret_copy(answer) : (LyBytes){0};
    if (auth->prompt_count == 1 && !auth->prompts[0].echo) {
        ly_free(auth->single_prompt);
        auth->single_prompt = ly_bytes_dup_str(auth->prompts[0].text);
        ly_destination_remember(&auth->single_response, answer);
    }
    ask_next_prompt(client);
}

static void prompt_answered(LyClient *client, const char *answer)
{
    if (answer) {
        add_response(client, ly_bytes_str(answer));
        return;
    }
    responses_clear(client->auth);
    leave_method(client, LY_AUTH_KEYBOARD_INTERACTIVE, "not answered");
}

/* The answer that worked for this prompt before. */
static bool remembered_response(LyClient *client)
{
    LyAuth *auth = client->auth;
    LyDestination *destination = client->destination;
    if (auth->prompt_count != 1 || auth->prompts[0].echo || auth->response_remembered ||
        !destination->response.len || !ly_bytes_is(auth->prompts[0].text, destination->response_prompt))
        return false;
    auth->response_remembered = true;
    return true;
}

static void ask_next_prompt(LyClient *client)
{
    LyAuth *auth = client->auth;
    if (auth->response_count == auth->prompt_count) {
        ly_userauth_info_response(userauth(client), auth->responses, auth->response_count);
        responses_clear(auth);
        return;
    }
    if (remembered_response(client)) {
        add_response(client, client->destination->response);
        return;
    }
    const LyPrompt *prompt = &auth->prompts[auth->response_count];
    LyBuf text = LY_BUF(QUESTION_LIMIT);
    char shown[2000];
    if (auth->prompt_head) {
        ly_buf_add_str(&text, auth->prompt_head);
        ly_free(auth->prompt_head);
        auth->prompt_head = NULL;
    }
    ly_buf_add_format(&text, "(%s) ", auth->account);
    LyBytes rest = prompt->text, line;
    while (ly_bytes_split(rest, '\n', &line, &rest)) {
        ly_buf_add_str(&text, ly_printable(line, shown, sizeof shown));
        ly_buf_add_str(&text, "\n");
    }
    ly_buf_add_str(&text, ly_printable(line, shown, sizeof shown)); /* the last line, the prompt itself */
    ly_client_ask(client, LY_ASK_RESPONSE, ly_buf_str(&text), prompt->echo, auth->dialogues > 1,
                  prompt_answered);
    ly_buf_free(&text);
}

void ly_client_respond(LyClient *client, const LyBytes *responses, size_t count)
{
    LyAuth *auth = client->auth;
    if (!auth || !auth->dialogue_open)
        return;
    auth->dialogue_open = false;
    ly_client_enter_late(client);
    if (!responses && auth->prompt_count)
        leave_method(client, LY_AUTH_KEYBOARD_INTERACTIVE, "not answered");
    else
        ly_userauth_info_response(userauth(client), responses, count);
    ly_client_flush(client);
    ly_client_leave(client);
}

static void info_request(LyClient *client, const LyUserauthClientEvent *event)
{
    LyAuth *auth = client->auth;
    if (client->events.interactive) {
        auth->prompt_count = event->prompt_count;
        auth->dialogue_open = true;
        client->events.interactive(client->events.user, event);
        return;
    }
    LyBuf head = LY_BUF(QUESTION_LIMIT);
    responses_clear(auth);
    auth->prompts = event->prompts;
    auth->prompt_count = event->prompt_count;
    auth->responses = ly_new_array(LyBytes, LY_MAX(event->prompt_count, (size_t)1));
    add_lines(&head, event->name);
    add_lines(&head, event->text);
    if (head.len)
        auth->prompt_head = ly_strdup(ly_buf_str(&head));
    ly_buf_free(&head);
    ask_next_prompt(client);
}

/* Events. */

void ly_auth_event(LyClient *client, const LyUserauthClientEvent *event)
{
    switch (event->type) {
    case LY_USERAUTH_NEXT:
        next(client, event);
        break;
    case LY_USERAUTH_BANNER:
        if (client->events.banner)
            client->events.banner(client->events.user, event->text);
        break;
    case LY_USERAUTH_PK_OK:
        ly_auth_publickey_ok(client);
        break;
    case LY_USERAUTH_PASSWD_CHANGEREQ:
        if (client->events.banner && event->text.len)
            client->events.banner(client->events.user, event->text);
        ask_new_password(client, false);
        break;
    case LY_USERAUTH_INFO_REQUEST:
        info_request(client, event);
        break;
    case LY_USERAUTH_SUCCESS:
        break;
    }
}

/* What worked is kept for the connections to come. */
void ly_auth_succeeded(LyClient *client)
{
    LyAuth *auth = client->auth;
    LyDestination *destination = client->destination;
    if (auth->password.len && !auth->own_order)
        ly_destination_remember(&destination->password, auth->password);
    if (auth->single_response.len && !auth->own_order) {
        ly_destination_remember(&destination->response, auth->single_response);
        ly_free(destination->response_prompt);
        destination->response_prompt = ly_strdup(auth->single_prompt);
    }
    ly_log(&destination->log, LY_LOG_DEBUG, "%s: signed in", destination->name);
    client->auth = NULL;
    ly_auth_free(auth);
}
