/* The sign-in with a host's key (RFC 4252 section 9): the application's, or the host's own keys, which root
 * alone can read. */
#include "loop/client-private.h"

static LyUserauthClient *userauth(LyClient *client)
{
    return ly_session_userauth_client(client->session);
}

static void host_text(const LyClient *client, LyBuf *host)
{
    LyBytes given = client->auth->attempt.local_host;
    if (given.len)
        ly_buf_add(host, given);
    else
        ly_buf_add_format(host, "%s.", client->destination->local_host);
}

static LyBytes local_user(const LyClient *client)
{
    LyBytes given = client->auth->attempt.local_user;
    return given.len ? given : ly_bytes_str(client->destination->local_user);
}

/* The attempt's key, or this one of the host's (NULL: it cannot be read); false behind the last. */
static bool host_key_at(const LyClient *client, size_t index, LyKey **key)
{
    const LyIdentities *keys = &client->destination->host_keys;
    LyKey *given = client->auth->attempt.key;
    if (index >= (given ? 1 : keys->count))
        return false;
    *key = given ? given : keys->item[index]->private_key;
    return true;
}

static void signed_hostbased(LyClient *client, LyBytes signature, const LyError *error)
{
    LyAuth *auth = client->auth;
    LyBuf host = {0};
    LyKey *key;
    if (error->code != LY_OK || !host_key_at(client, auth->host_key_next - 1, &key)) {
        ly_auth_note(auth, LY_AUTH_HOSTBASED, "could not sign");
        ly_auth_try_next(client);
        return;
    }
    host_text(client, &host);
    ly_userauth_hostbased(userauth(client), ly_bytes_str(auth->algorithm), ly_key_blob(key),
                          ly_buf_bytes(&host), local_user(client), signature);
    ly_buf_free(&host);
}

bool ly_auth_hostbased(LyClient *client)
{
    LyAuth *auth = client->auth;
    LyKey *key;
    while (host_key_at(client, auth->host_key_next, &key)) {
        auth->host_key_next++;
        if (!key || !ly_auth_choose_algorithm(client, key))
            continue;
        LyBuf message = {0}, host = {0};
        host_text(client, &host);
        ly_userauth_hostbased_data(userauth(client), ly_bytes_str(auth->algorithm), ly_key_blob(key),
                                   ly_buf_bytes(&host), local_user(client), &message);
        ly_auth_sent(auth, LY_AUTH_HOSTBASED);
        ly_auth_begin_sign(client, key, auth->algorithm, &message, signed_hostbased);
        ly_buf_free(&host);
        return true;
    }
    return false;
}
