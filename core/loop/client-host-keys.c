/* hostkeys-00@openssh.com and hostkeys-prove-00@openssh.com (OpenSSH's PROTOCOL, section 2.5): the server
 * announces its host keys, and is asked to prove that it has their private halves. */
#include "base/memory.h"
#include "loop/client-private.h"

#define KEYS_MAX 32 /* of an announcement; what is behind them is not looked at */

/* The keys whose proof is awaited; one announcement at a time. */
struct LyHostKeys {
    LyKey *key[KEYS_MAX];
    size_t count;
};

static bool has_key(const LyHostKeys *keys, LyBytes blob)
{
    for (size_t i = 0; i < keys->count; i++)
        if (ly_bytes_equal(ly_key_blob(keys->key[i]), blob))
            return true;
    return false;
}

static void host_keys_free(LyHostKeys *keys)
{
    for (size_t i = 0; keys && i < keys->count; i++)
        ly_key_unref(keys->key[i]);
    ly_free(keys);
}

/* By what an RSA key must have signed: the key exchange's algorithm, if that was RSA's, as OpenSSH has it. */
static LyBytes allowed_algorithms(const LyTransport *transport, const LyKey *key)
{
    LyBytes negotiated = ly_transport_negotiated(transport)->host_key;
    const LySignatureAlgorithm *algorithm = ly_signature_algorithm_find(negotiated);
    if (ly_key_type(key)->pk != LY_PK_RSA)
        return ly_bytes_str(ly_key_type_name(key));
    LyBytes signature = ly_bytes_str(algorithm ? algorithm->signature : "");
    if (ly_bytes_is(signature, "ssh-rsa") || ly_bytes_starts_with(signature, "rsa-sha2-"))
        return signature;
    return LY_BYTES("rsa-sha2-512,rsa-sha2-256");
}

static bool is_proven(LyTransport *transport, LyKey *key, LyBytes signature)
{
    LyBuf message = {0};
    ly_put_cstring(&message, "hostkeys-prove-00@openssh.com");
    ly_put_string(&message, ly_transport_session_id(transport));
    ly_put_string(&message, ly_key_blob(key));
    bool proven =
        ly_key_verify(key, allowed_algorithms(transport, key), ly_buf_bytes(&message), signature, NULL, NULL);
    ly_buf_free(&message);
    return proven;
}

static void proofs_came(void *user, bool success, LyBytes data)
{
    LyClient *client = user;
    LyHostKeys *keys = client->host_keys;
    LyReader reader = ly_reader(data);
    LyKey *proven[KEYS_MAX];
    size_t count = 0;
    client->host_keys = NULL;
    LyBytes signatures[KEYS_MAX];
    for (size_t i = 0; success && i < keys->count; i++)
        signatures[i] = ly_get_string(&reader);
    if (success && ly_reader_done(&reader)) {
        LyTransport *transport = ly_session_transport(client->session);
        for (size_t i = 0; i < keys->count; i++)
            if (is_proven(transport, keys->key[i], signatures[i]))
                proven[count++] = keys->key[i];
    }
    if (!client->ended && !client->dead && count < keys->count)
        ly_log(ly_client_log(client), LY_LOG_WARNING, "%s proved %zu of the %zu host keys that it announced",
               client->destination->name, count, keys->count);
    if (count)
        client->events.host_keys(client->events.user, proven, count);
    host_keys_free(keys);
}

static void announced(LyClient *client, LyBytes data)
{
    LyReader reader = ly_reader(data);
    LyHostKeys *keys = ly_new(LyHostKeys);
    LyBuf request = {0};
    while (reader.len && !reader.failed && keys->count < KEYS_MAX) {
        LyBytes blob = ly_get_string(&reader);
        /* what is not known here cannot be verified, and certificates are not announced */
        LyKey *key = reader.failed || has_key(keys, blob)
                         ? NULL
                         : ly_key_new_public(client->destination->crypto, blob, NULL);
        if (key && !ly_key_is_certificate(key)) {
            keys->key[keys->count++] = key;
            ly_put_string(&request, blob);
        } else if (key) {
            ly_key_unref(key);
        }
    }
    if (reader.failed || !keys->count) {
        host_keys_free(keys);
    } else {
        client->host_keys = keys;
        ly_client_global_request(client, LY_BYTES("hostkeys-prove-00@openssh.com"), ly_buf_bytes(&request),
                                 proofs_came, client);
    }
    ly_buf_free(&request);
}

bool ly_client_host_keys_announced(LyClient *client, const LyConnectionEvent *event)
{
    if (!client->events.host_keys || !ly_bytes_is(event->text, "hostkeys-00@openssh.com"))
        return false;
    if (!client->host_keys && ly_client_speaks_openssh(client))
        announced(client, event->data);
    if (event->want_reply)
        ly_global_reply(ly_session_connection(client->session), true, (LyBytes){0});
    return true;
}
