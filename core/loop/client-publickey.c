/* Identities in ssh(1)'s order: certificates named by CertificateFile, keys of the agent that are configured
 * too, the agent's others (unless IdentitiesOnly), then the files that the agent does not hold. Each is
 * offered first; only when the server would take it is a passphrase asked for and a signature made, in a job.
 */
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/secret.h"
#include "loop/client-private.h"

static LyUserauthClient *userauth(LyClient *client)
{
    return ly_session_userauth_client(client->session);
}

static void sign(LyClient *client);

/* Jobs. `client` is only looked at when the job was not cancelled. */

typedef struct SignJob {
    LyClient *client;
    LyKey *key;
    char *algorithm;
    LyBuf message, signature;
    void (*signed_by_key)(LyClient *client, LyBytes signature, const LyError *error);
    LyError error;
} SignJob;

static void sign_work(void *data)
{
    SignJob *job = data;
    ly_key_sign(job->key, ly_bytes_str(job->algorithm), ly_buf_bytes(&job->message), &job->signature,
                &job->error);
}

static void sign_done(void *data, bool cancelled)
{
    SignJob *job = data;
    if (!cancelled) {
        LyClient *client = job->client;
        ly_client_enter_late(client);
        client->auth->job = NULL;
        job->signed_by_key(client, ly_buf_bytes(&job->signature), &job->error);
        ly_client_flush(client);
        ly_client_leave(client);
    }
    ly_key_unref(job->key);
    ly_buf_free(&job->message);
    ly_buf_free(&job->signature);
    ly_free(job->algorithm);
    ly_free(job);
}

void ly_auth_begin_sign(LyClient *client, LyKey *key, const char *algorithm, LyBuf *message,
                        void (*signed_by_key)(LyClient *client, LyBytes signature, const LyError *error))
{
    SignJob *job = ly_new(SignJob);
    job->client = client;
    job->key = ly_key_ref(key);
    job->algorithm = ly_strdup(algorithm);
    job->message = *message;
    job->signed_by_key = signed_by_key;
    *message = (LyBuf){0};
    client->auth->job = ly_loop_work(client->loop, sign_work, sign_done, job);
}

typedef struct DecryptJob {
    LyClient *client;
    LyCrypto *crypto;
    LyBytes text, passphrase; /* secret memory */
    LyKey *key;
    LyError error;
} DecryptJob;

static void decrypt_work(void *data)
{
    DecryptJob *job = data;
    LyKeyReadOptions options = {.have_passphrase = true, .passphrase = job->passphrase};
    job->key = ly_key_read(job->crypto, job->text, &options, &job->error);
}

static void decrypted(LyClient *client, LyKey *key, const LyError *error);

static void decrypt_done(void *data, bool cancelled)
{
    DecryptJob *job = data;
    if (!cancelled) {
        LyClient *client = job->client;
        ly_client_enter_late(client);
        client->auth->job = NULL;
        decrypted(client, job->key, &job->error);
        ly_client_flush(client);
        ly_client_leave(client);
    }
    if (job->key)
        ly_key_unref(job->key);
    ly_secret_free((void *)job->text.data);
    ly_secret_free((void *)job->passphrase.data);
    ly_crypto_unref(job->crypto);
    ly_free(job);
}

/* Candidates. */

void ly_auth_candidates_clear(LyAuth *auth)
{
    for (size_t i = 0; i < auth->candidate_count; i++) {
        if (auth->candidates[i].key)
            ly_key_unref(auth->candidates[i].key);
        if (auth->candidates[i].signer)
            ly_key_unref(auth->candidates[i].signer);
        ly_free((void *)auth->candidates[i].agent_blob.data);
    }
    ly_free(auth->candidates);
    auth->candidates = NULL;
    auth->candidate_count = 0;
    auth->current = NULL;
}

static LyBytes copy_bytes(LyBytes bytes)
{
    uint8_t *copy = ly_alloc(LY_MAX(bytes.len, (size_t)1));
    memcpy(copy, bytes.data, bytes.len);
    return ly_bytes(copy, bytes.len);
}

static LyCandidate *add_candidate(LyAuth *auth, LyKey *key, LyIdentity *identity, const char *path)
{
    LyCandidate *all = ly_realloc(auth->candidates, (auth->candidate_count + 1) * sizeof *all);
    auth->candidates = all;
    all[auth->candidate_count] =
        (LyCandidate){.key = key ? ly_key_ref(key) : NULL, .identity = identity, .path = path};
    return &all[auth->candidate_count++];
}

static bool can_sign(const LyIdentity *identity)
{
    return identity->private_key || identity->text.len;
}

/* The file whose private half belongs to this public key. */
static LyIdentity *find_signer(const LyDestination *destination, const LyKey *key)
{
    LyBytes plain = ly_key_plain_blob(key);
    for (size_t i = 0; i < destination->identities.count; i++) {
        LyIdentity *identity = destination->identities.item[i];
        if (identity->key && can_sign(identity) && ly_bytes_equal(ly_key_plain_blob(identity->key), plain))
            return identity;
    }
    return NULL;
}

static const LyAgentIdentity *find_in_agent(const LyAgentIdentity *identities, size_t count, LyBytes blob)
{
    for (size_t i = 0; i < count; i++)
        if (ly_bytes_equal(identities[i].key_blob, blob))
            return &identities[i];
    return NULL;
}

static void add_file_candidate(LyClient *client, LyIdentity *identity, const LyAgentIdentity *agent,
                               size_t count)
{
    if (!identity->key) {
        if (can_sign(identity))
            add_candidate(client->auth, NULL, identity, identity->path);
        return;
    }
    const LyAgentIdentity *held = find_in_agent(agent, count, ly_key_blob(identity->key));
    if (!held && ly_key_is_certificate(identity->key))
        held = find_in_agent(agent, count, ly_key_plain_blob(identity->key));
    LyIdentity *signer = find_signer(client->destination, identity->key);
    if (!held && !signer) {
        ly_log(ly_client_log(client), LY_LOG_DEBUG,
               "%s: its private half is neither readable nor in the agent", identity->path);
        return;
    }
    LyCandidate *candidate = add_candidate(client->auth, identity->key, signer, identity->path);
    candidate->agent = held;
    if (held)
        candidate->agent_blob = copy_bytes(held->key_blob);
}

static bool is_candidate(const LyAuth *auth, LyBytes blob)
{
    for (size_t i = 0; i < auth->candidate_count; i++)
        if (auth->candidates[i].key && ly_bytes_equal(ly_key_blob(auth->candidates[i].key), blob))
            return true;
    return false;
}

static void add_agent_candidate(LyClient *client, const LyAgentIdentity *held)
{
    LyError error = {0};
    LyKey *key = ly_key_new_public(client->destination->crypto, held->key_blob, &error);
    if (!key) {
        ly_log(ly_client_log(client), LY_LOG_DEBUG, "a key of the agent (%s) cannot be used: %s",
               LY_PRINTABLE(held->comment), error.message);
        return;
    }
    LyCandidate *candidate = add_candidate(client->auth, key, NULL, "a key of the agent");
    candidate->agent = true;
    candidate->agent_blob = copy_bytes(held->key_blob);
    ly_key_unref(key);
}

void ly_auth_candidate_set(LyClient *client, LyKey *key)
{
    LyAuth *auth = client->auth;
    ly_auth_candidates_clear(auth);
    add_candidate(auth, key, NULL, "the application's key")->signer = ly_key_ref(key);
    auth->identities_ready = true;
}

static void make_agent_candidates(LyClient *client, const LyAgentIdentity *agent, size_t count)
{
    for (size_t k = 0; k < count; k++)
        if (!is_candidate(client->auth, agent[k].key_blob))
            add_agent_candidate(client, &agent[k]);
}

static void make_candidates(LyClient *client, const LyAgentIdentity *agent, size_t count)
{
    const LyIdentities *files = &client->destination->identities;
    LyAuth *auth = client->auth;
    ly_auth_candidates_clear(auth);
    if (auth->own_order) {
        make_agent_candidates(client, agent, count);
        auth->identities_ready = true;
        return;
    }
    for (size_t i = 0; i < files->count; i++)
        if (files->item[i]->certificate_file)
            add_file_candidate(client, files->item[i], agent, count);
    for (size_t k = 0; k < count; k++)
        for (size_t i = 0; i < files->count; i++)
            if (files->item[i]->key && ly_bytes_equal(ly_key_blob(files->item[i]->key), agent[k].key_blob) &&
                !is_candidate(auth, agent[k].key_blob))
                add_file_candidate(client, files->item[i], agent, count);
    if (!ly_config_flag(client->destination->config, LY_CONFIG_IDENTITIES_ONLY, false))
        make_agent_candidates(client, agent, count);
    for (size_t i = 0; i < files->count; i++)
        if (!files->item[i]->key || !is_candidate(auth, ly_key_blob(files->item[i]->key)))
            add_file_candidate(client, files->item[i], agent, count);
    auth->identities_ready = true;
    ly_log(ly_client_log(client), LY_LOG_DEBUG, "%zu identities can be tried, the agent holds %zu keys",
           auth->candidate_count, count);
}

/* The agent. */

static void identities_listed(void *user, LyBytes reply, const LyError *error)
{
    LyClient *client = user;
    LyAgentIdentity *identities = NULL;
    size_t count = 0;
    LyError failure = {0};
    if (error && error->code == LY_ERROR_CANCELLED)
        return;
    ly_client_enter_late(client);
    if (error && error->code != LY_OK)
        failure = *error;
    else
        ly_get_agent_identities(reply, &identities, &count, &failure);
    if (failure.code != LY_OK) {
        ly_log(ly_client_log(client), LY_LOG_DEBUG, "the agent: %s", failure.message);
        ly_auth_note(client->auth, LY_AUTH_PUBLICKEY, "the agent does not answer");
    } else if (!count && client->auth->own_order) {
        ly_auth_note(client->auth, LY_AUTH_PUBLICKEY, "the agent holds no key");
    }
    make_candidates(client, identities, count);
    ly_free(identities);
    ly_auth_try_next(client);
    ly_client_flush(client);
    ly_client_leave(client);
}

static void session_bound(void *user, LyBytes reply, const LyError *error)
{
    /* agents that do not know the extension say FAILURE; the requests behind it tell whether the agent lives
     */
}

/* IdentityAgent: a path, a variable's name, SSH_AUTH_SOCK, none. */
static const char *agent_path(const LyClient *client)
{
    const char *where = ly_config_string(client->destination->config, LY_CONFIG_IDENTITY_AGENT);
    if (!where || strcmp(where, "SSH_AUTH_SOCK") == 0)
        where = getenv("SSH_AUTH_SOCK");
    else if (where[0] == '$')
        where = getenv(where + 1);
    else if (strcasecmp(where, "none") == 0)
        return NULL;
    return where && where[0] ? where : NULL;
}

LyAgentConnection *ly_client_agent(const LyClient *client, LyError *error)
{
    if (client->destination->agent.request)
        return ly_agent_connect_custom(client->loop, &client->destination->agent, 0);
    const char *where = agent_path(client);
    if (where)
        return ly_agent_connect(client->loop, where, 0, error);
    ly_error_set(error, LY_ERROR_INVALID,
                 "there is no agent to ask: neither IdentityAgent nor SSH_AUTH_SOCK names one");
    return NULL;
}

static bool bind_wanted(const LyClient *client)
{
    const char *value = ly_config_string(client->destination->config, LY_CONFIG_PUBKEY_AUTHENTICATION);
    return !value || strcasecmp(value, "unbound") != 0;
}

/* False: there is none, and the candidates stand. */
static bool ask_agent(LyClient *client)
{
    LyAuth *auth = client->auth;
    LyTransport *transport = ly_session_transport(client->session);
    LyError error = {0};
    LyBuf request = {0};
    ly_agent_connection_free(auth->agent);
    auth->agent = auth->attempt.agent ? ly_agent_connect_custom(client->loop, auth->attempt.agent, 0)
                                      : ly_client_agent(client, &error);
    if (!auth->agent) {
        if (auth->own_order)
            ly_auth_note(auth, LY_AUTH_PUBLICKEY, "there is no agent");
        ly_log(ly_client_log(client), LY_LOG_DEBUG, "%s", error.message);
        make_candidates(client, NULL, 0);
        return false;
    }
    if (bind_wanted(client)) {
        ly_put_agent_session_bind(&request, ly_transport_host_key_blob(transport),
                                  ly_transport_session_id(transport),
                                  ly_transport_host_key_signature(transport), false);
        ly_agent_request(auth->agent, ly_buf_bytes(&request), session_bound, client);
        ly_buf_clear(&request);
    }
    ly_put_agent_request_identities(&request);
    ly_agent_request(auth->agent, ly_buf_bytes(&request), identities_listed, client);
    ly_buf_free(&request);
    return true;
}

/* Offering. */

bool ly_auth_choose_algorithm(LyClient *client, const LyKey *key)
{
    LyBytes algorithm;
    const LyConfig *config = client->destination->config;
    unsigned required = (unsigned)ly_config_number(config, LY_CONFIG_REQUIRED_RSA_SIZE, 1024);
    if (ly_key_type(key)->pk == LY_PK_RSA && ly_key_bits(key) < required) {
        ly_log(ly_client_log(client), LY_LOG_INFO,
               "an RSA key of %u bits is passed over: RequiredRSASize is %u", ly_key_bits(key), required);
        return false;
    }
    if (!ly_userauth_choose_algorithm(
            userauth(client), ly_key_type_name(key),
            ly_bytes_str(client->destination->algorithms.list[LY_ALGORITHMS_USER_KEY]), &algorithm))
        return false;
    ly_free(client->auth->algorithm);
    client->auth->algorithm = ly_bytes_dup_str(algorithm);
    return true;
}

/* It was right before, and the server wants another one. */
static bool is_taken(const LyAuth *auth, const LyKey *key)
{
    LyReader reader = ly_reader(ly_buf_bytes(&auth->taken));
    while (key && reader.len)
        if (ly_bytes_equal(ly_get_string(&reader), ly_key_blob(key)))
            return true;
    return false;
}

bool ly_auth_publickey(LyClient *client)
{
    LyAuth *auth = client->auth;
    if (!auth->identities_ready && ask_agent(client))
        return true;
    for (size_t i = 0; i < auth->candidate_count; i++) {
        LyCandidate *candidate = &auth->candidates[i];
        if (candidate->tried || is_taken(auth, candidate->key))
            continue;
        candidate->tried = true;
        auth->current = candidate;
        auth->passphrases = 0;
        if (!candidate->key) {
            /* what the server would say cannot be asked before the file is open */
            if (!ly_client_may_ask(client))
                continue;
            sign(client);
            return true;
        }
        if (!ly_auth_choose_algorithm(client, candidate->key)) {
            ly_log(ly_client_log(client), LY_LOG_DEBUG, "%s: no signature algorithm fits the server",
                   candidate->path);
            ly_auth_note(auth, LY_AUTH_PUBLICKEY, "no signature algorithm fits the server");
            continue;
        }
        ly_auth_sent(auth, LY_AUTH_PUBLICKEY);
        ly_log(ly_client_log(client), LY_LOG_DEBUG, "offering %s (%s)", candidate->path, auth->algorithm);
        if (candidate->signer) { /* at hand, so that asking first would only cost a round trip */
            sign(client);
            return true;
        }
        ly_userauth_publickey_probe(userauth(client), ly_bytes_str(auth->algorithm),
                                    ly_key_blob(candidate->key));
        return true;
    }
    auth->current = NULL;
    return false;
}

void ly_auth_publickey_ok(LyClient *client)
{
    if (client->auth->current)
        sign(client);
    else
        ly_auth_try_next(client);
}

/* Signing. */

static void signed_publickey(LyClient *client, LyBytes signature, const LyError *error)
{
    LyAuth *auth = client->auth;
    if (error->code != LY_OK) {
        ly_log(ly_client_log(client), LY_LOG_WARNING, "%s: %s", auth->current->path, error->message);
        ly_auth_note(auth, LY_AUTH_PUBLICKEY, "could not sign");
        ly_auth_try_next(client);
        return;
    }
    ly_userauth_publickey(userauth(client), ly_bytes_str(auth->algorithm), ly_key_blob(auth->current->key),
                          signature);
}

static void agent_signed(void *user, LyBytes reply, const LyError *error)
{
    LyClient *client = user;
    LyBytes signature = {0};
    LyError failure = {0};
    if (error && error->code == LY_ERROR_CANCELLED)
        return;
    ly_client_enter_late(client);
    if (error && error->code != LY_OK)
        failure = *error;
    else
        ly_get_agent_signature(reply, &signature, &failure);
    if (failure.code == LY_OK) {
        signed_publickey(client, signature, &failure);
    } else {
        ly_log(ly_client_log(client), LY_LOG_WARNING, "%s: the agent did not sign: %s",
               client->auth->current->path, failure.message);
        ly_auth_note(client->auth, LY_AUTH_PUBLICKEY, "the agent did not sign");
        client->auth->current->agent = false;
        sign(client); /* by the file, if there is one */
    }
    ly_client_flush(client);
    ly_client_leave(client);
}

static void sign_by_agent(LyClient *client, LyBuf *message)
{
    LyAuth *auth = client->auth;
    LyBuf request = {0};
    ly_put_agent_sign_request(&request, auth->current->agent_blob, ly_buf_bytes(message),
                              ly_agent_sign_flags(ly_bytes_str(auth->algorithm)));
    ly_agent_request(auth->agent, ly_buf_bytes(&request), agent_signed, client);
    ly_buf_free(&request);
}

static void sign_by_key(LyClient *client, LyBuf *message)
{
    LyAuth *auth = client->auth;
    LyCandidate *candidate = auth->current;
    LyKey *key = ly_key_ref(candidate->signer ? candidate->signer : candidate->identity->private_key);
    if (ly_key_is_certificate(candidate->key) && !candidate->signer) {
        LyError error = {0};
        LyKey *certified = ly_key_new_certified(key, ly_key_blob(candidate->key), &error);
        ly_key_unref(key);
        if (!certified) {
            signed_publickey(client, (LyBytes){0}, &error);
            return;
        }
        key = certified;
    }
    ly_auth_begin_sign(client, key, auth->algorithm, message, signed_publickey);
    ly_key_unref(key);
}

static void passphrase_answered(LyClient *client, const char *answer)
{
    LyIdentity *identity = client->auth->current->identity;
    if (!answer || !answer[0]) {
        ly_log(ly_client_log(client), LY_LOG_INFO, "%s: no passphrase was given", identity->path);
        ly_auth_note(client->auth, LY_AUTH_PUBLICKEY, "no passphrase was given");
        ly_auth_try_next(client);
        return;
    }
    DecryptJob *job = ly_new(DecryptJob);
    job->client = client;
    job->crypto = ly_crypto_ref(client->destination->crypto);
    job->text = ly_secret_copy(identity->text);
    job->passphrase = ly_secret_copy(ly_bytes_str(answer));
    client->auth->job = ly_loop_work(client->loop, decrypt_work, decrypt_done, job);
}

static void ask_passphrase(LyClient *client)
{
    LyAuth *auth = client->auth;
    LY_AUTO_FREE char *text =
        ly_format("%s for key '%s': ", auth->passphrases ? "That was wrong. Passphrase" : "Enter passphrase",
                  auth->current->identity->path);
    ly_client_ask(client, LY_ASK_PASSPHRASE, text, false, auth->passphrases++ > 0, passphrase_answered);
}

static void decrypted(LyClient *client, LyKey *key, const LyError *error)
{
    LyAuth *auth = client->auth;
    LyIdentity *identity = auth->current->identity;
    if (!key || !ly_key_is_private(key)) {
        ly_log(ly_client_log(client), LY_LOG_INFO, "%s: %s", identity->path, error->message);
        if (error->code == LY_ERROR_PASSPHRASE && auth->passphrases < ly_auth_prompts_allowed(client))
            ask_passphrase(client);
        else
            ly_auth_try_next(client);
        return;
    }
    if (identity->key && !ly_bytes_equal(ly_key_plain_blob(identity->key), ly_key_plain_blob(key))) {
        ly_log(ly_client_log(client), LY_LOG_WARNING, "%s and %s.pub are halves of different keys",
               identity->path, identity->path);
        ly_auth_try_next(client);
        return;
    }
    identity->private_key = ly_key_ref(key);
    ly_secret_free((void *)identity->text.data);
    identity->text = (LyBytes){0};
    if (!identity->key)
        identity->key = ly_key_ref(key);
    sign(client);
}

/* The current candidate: by the agent, by its file, by its file once it is open. */
static void sign(LyClient *client)
{
    LyAuth *auth = client->auth;
    LyCandidate *candidate = auth->current;
    LyIdentity *identity = candidate->identity;
    LyBuf message = {0};
    bool own = candidate->agent || candidate->signer;
    if (!own && !(identity && can_sign(identity))) {
        ly_auth_note(auth, LY_AUTH_PUBLICKEY, "the private half is not here");
        ly_auth_try_next(client);
        return;
    }
    if (!own && !identity->private_key) {
        if (ly_auth_prompts_allowed(client) && ly_client_may_ask(client)) {
            ask_passphrase(client);
        } else {
            ly_auth_note(auth, LY_AUTH_PUBLICKEY, "nobody could be asked for the passphrase");
            ly_auth_try_next(client);
        }
        return;
    }
    if (!candidate->key) { /* it was hidden until now, so the server has not been asked */
        candidate->key = ly_key_ref(identity->private_key);
        ly_auth_sent(auth, LY_AUTH_PUBLICKEY);
        if (!ly_auth_choose_algorithm(client, candidate->key)) {
            ly_auth_try_next(client);
            return;
        }
    }
    ly_userauth_publickey_data(userauth(client), ly_bytes_str(auth->algorithm), ly_key_blob(candidate->key),
                               &message);
    if (candidate->agent)
        sign_by_agent(client, &message);
    else
        sign_by_key(client, &message);
    ly_buf_free(&message);
}
