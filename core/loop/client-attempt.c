/* The sign-in as the application wants it: a list of attempts, or one after the other as it is asked. What
 * each consists of is the same as in ssh(1)'s order (client-auth.c, client-publickey.c). */
#include <string.h>

#include "base/memory.h"
#include "base/secret.h"
#include "loop/client-private.h"

/* Of attempts: one that cannot work costs no round trip, so nothing else ends an application that gives it
 * again and again. */
#define ATTEMPTS_MAX 1000

static const LyAuthMethod method_of[] = {
    [LY_ATTEMPT_NONE] = LY_AUTH_NONE,
    [LY_ATTEMPT_PASSWORD] = LY_AUTH_PASSWORD,
    [LY_ATTEMPT_PUBLICKEY] = LY_AUTH_PUBLICKEY,
    [LY_ATTEMPT_AGENT] = LY_AUTH_PUBLICKEY,
    [LY_ATTEMPT_KEYBOARD_INTERACTIVE] = LY_AUTH_KEYBOARD_INTERACTIVE,
    [LY_ATTEMPT_HOSTBASED] = LY_AUTH_HOSTBASED,
};

/* Copies. */

static LyBytes copy_text(LyBytes text)
{
    return text.len ? ly_bytes(ly_bytes_dup_str(text), text.len) : (LyBytes){0};
}

static void copy(const LyAttempt *from, LyAttempt *to)
{
    *to = (LyAttempt){
        .kind = from->kind,
        .user = copy_text(from->user),
        .submethods = copy_text(from->submethods),
        .local_host = copy_text(from->local_host),
        .local_user = copy_text(from->local_user),
    };
    if (from->password.len)
        to->password = ly_secret_copy(from->password);
    if (from->key)
        to->key = ly_key_ref(from->key);
    if (from->agent) {
        LyAgentTransport *agent = ly_new(LyAgentTransport);
        *agent = *from->agent;
        to->agent = agent;
    }
}

void ly_attempt_clear(LyAttempt *attempt)
{
    ly_free((void *)attempt->user.data);
    ly_free((void *)attempt->submethods.data);
    ly_free((void *)attempt->local_host.data);
    ly_free((void *)attempt->local_user.data);
    ly_secret_free((void *)attempt->password.data);
    if (attempt->key)
        ly_key_unref(attempt->key);
    ly_free((void *)attempt->agent);
    *attempt = (LyAttempt){0};
}

void ly_client_set_attempts(LyClient *client, const LyAttempt *attempts, size_t count)
{
    for (size_t i = 0; i < client->attempt_count; i++)
        ly_attempt_clear(&client->attempts[i]);
    ly_free(client->attempts);
    client->attempts = ly_new_array(LyAttempt, count + 1);
    client->attempt_count = count;
    for (size_t i = 0; i < count; i++)
        copy(&attempts[i], &client->attempts[i]);
}

/* Making one. */

static void set_user(LyClient *client)
{
    LyAuth *auth = client->auth;
    const LyDestination *destination = client->destination;
    LyBytes user = auth->attempt.user.len ? auth->attempt.user : ly_bytes_str(destination->user);
    char *account = auth->attempt.user.len ? ly_format("%s@%s", LY_PRINTABLE(user), destination->host)
                                           : ly_strdup(destination->account);
    if (strcmp(account, auth->account) != 0)
        ly_buf_clear(&auth->taken); /* another user starts anew */
    ly_free(auth->account);
    auth->account = account;
    ly_userauth_client_set_user(ly_session_userauth_client(client->session), user);
}

static bool begin_key(LyClient *client)
{
    LyAuth *auth = client->auth;
    if (!auth->attempt.key || !ly_key_is_private(auth->attempt.key)) {
        ly_auth_note(auth, LY_AUTH_PUBLICKEY, "the private half is not here");
        return false;
    }
    ly_auth_candidate_set(client, auth->attempt.key);
    return ly_auth_publickey(client);
}

static bool begin_agent(LyClient *client)
{
    client->auth->identities_ready = false;
    ly_auth_candidates_clear(client->auth);
    return ly_auth_publickey(client);
}

static bool begin_hostbased(LyClient *client)
{
    LyAuth *auth = client->auth;
    auth->host_key_next = 0;
    if (ly_auth_hostbased(client))
        return true;
    ly_auth_note(auth, LY_AUTH_HOSTBASED, "there is no host key to sign with");
    return false;
}

/* As in ssh(1)'s order: a password is not given to a host whose key has changed. */
static bool is_forbidden(LyClient *client, LyAttemptKind kind)
{
    bool secret = kind == LY_ATTEMPT_PASSWORD || kind == LY_ATTEMPT_KEYBOARD_INTERACTIVE;
    if (!secret || !client->passwords_forbidden)
        return false;
    ly_auth_note(client->auth, method_of[kind], "not sent, because the host key has changed");
    return true;
}

/* False: it cannot be made. */
static bool begin(LyClient *client, const LyAttempt *attempt)
{
    LyAuth *auth = client->auth;
    LyUserauthClient *userauth = ly_session_userauth_client(client->session);
    ly_attempt_clear(&auth->attempt);
    copy(attempt, &auth->attempt);
    set_user(client);
    auth->attempt_runs = true;
    bool begun = true;
    if (is_forbidden(client, attempt->kind))
        return auth->attempt_runs = false;
    switch (attempt->kind) {
    case LY_ATTEMPT_NONE:
        ly_auth_sent(auth, LY_AUTH_NONE);
        ly_userauth_none(userauth);
        break;
    case LY_ATTEMPT_PASSWORD:
        ly_auth_send_password(client, auth->attempt.password);
        break;
    case LY_ATTEMPT_PUBLICKEY:
        begun = begin_key(client);
        break;
    case LY_ATTEMPT_AGENT:
        begun = begin_agent(client);
        break;
    case LY_ATTEMPT_KEYBOARD_INTERACTIVE:
        ly_auth_sent(auth, LY_AUTH_KEYBOARD_INTERACTIVE);
        ly_userauth_keyboard_interactive(userauth, auth->attempt.submethods);
        break;
    case LY_ATTEMPT_HOSTBASED:
        begun = begin_hostbased(client);
        break;
    }
    auth->attempt_runs = begun;
    return begun;
}

/* Choosing. */

static bool is_offered(const LyAuth *auth, const LyAttempt *attempt)
{
    LyBytes name = ly_bytes_str(ly_auth_method_name(method_of[attempt->kind]));
    return !auth->methods || attempt->kind == LY_ATTEMPT_NONE ||
           ly_names_contain(ly_bytes_str(auth->methods), name);
}

/* The first that was not made and that the server offers. */
static void choose_from_list(LyClient *client)
{
    LyAuth *auth = client->auth;
    for (size_t i = 0; i < client->attempt_count; i++) {
        if (auth->made[i] || !is_offered(auth, &client->attempts[i]))
            continue;
        auth->made[i] = true;
        auth->attempt_index = i;
        if (begin(client, &client->attempts[i]))
            return;
    }
    ly_auth_give_up(client);
}

/* An answer from within the event that could not be followed asks again here, and not from within itself. */
static void ask(LyClient *client)
{
    LyAuth *auth = client->auth;
    if (auth->choosing) {
        auth->again = true;
        return;
    }
    auth->choosing = true;
    do {
        auth->again = false;
        if (++auth->attempt_number > ATTEMPTS_MAX) {
            ly_auth_give_up(client);
            break;
        }
        auth->attempt_open = true;
        client->events.next_attempt(client->events.user, &auth->next);
    } while (auth->again && !client->dead);
    auth->choosing = false;
}

static void choose(LyClient *client)
{
    if (client->events.next_attempt)
        ask(client);
    else
        choose_from_list(client);
}

void ly_attempt_next(LyClient *client)
{
    LyAuth *auth = client->auth;
    LyAttemptKind kind = auth->attempt.kind;
    bool keys = kind == LY_ATTEMPT_AGENT || kind == LY_ATTEMPT_PUBLICKEY;
    if (auth->attempt_runs && keys && ly_auth_publickey(client))
        return;
    if (auth->attempt_runs && kind == LY_ATTEMPT_HOSTBASED && ly_auth_hostbased(client))
        return;
    auth->attempt_runs = false;
    choose(client);
}

/* The key that was right is not offered again, but an agent may have others for a server that wants two. */
static void taken_in_part(LyClient *client)
{
    LyAuth *auth = client->auth;
    if (auth->last == LY_AUTH_PUBLICKEY && auth->current && auth->current->key)
        ly_put_string(&auth->taken, ly_key_blob(auth->current->key));
    if (auth->attempt.kind == LY_ATTEMPT_AGENT)
        auth->made[auth->attempt_index] = false;
    auth->attempt_runs = false;
}

void ly_attempt_answered(LyClient *client, const LyUserauthClientEvent *event)
{
    LyAuth *auth = client->auth;
    auth->next = (LyNextAttempt){
        .first = event->first, .partial = event->partial, .methods = ly_bytes_str(auth->methods)};
    if (event->partial)
        taken_in_part(client);
    ly_attempt_next(client);
    if (!client->dead && client->auth)
        client->auth->next.partial = false; /* said once */
}

/* Answers. */

void ly_client_attempt(LyClient *client, const LyAttempt *attempt)
{
    if (!client->auth || !client->auth->attempt_open)
        return;
    client->auth->attempt_open = false;
    ly_client_enter_late(client);
    if (!begin(client, attempt))
        ask(client);
    ly_client_flush(client);
    ly_client_leave(client);
}

void ly_client_give_up(LyClient *client)
{
    if (!client->auth || !client->auth->attempt_open)
        return;
    client->auth->attempt_open = false;
    ly_client_enter_late(client);
    ly_auth_give_up(client);
    ly_client_flush(client);
    ly_client_leave(client);
}
