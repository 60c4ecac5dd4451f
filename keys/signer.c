#include "signer.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/auto.h"
#include "files.h"
#include "loop/agent.h"

/* One request to the agent, and its answer. */
typedef struct Question {
    LyBuf reply;
    LyError error;
    bool done;
} Question;

static void answered(void *user, LyBytes reply, const LyError *error)
{
    Question *question = user;
    if (error)
        question->error = *error;
    else
        ly_buf_add(&question->reply, reply);
    question->done = true;
}

static bool ask_agent(Tool *tool, LyBytes request, LyBuf *reply, LyError *error)
{
    LyLoop *loop = tool_loop(tool);
    Question question = {0};
    LyAgentConnection *connection = ly_agent_connect(loop, "SSH_AUTH_SOCK", 0, error);
    if (!connection)
        return false;
    ly_agent_request(connection, request, answered, &question);
    while (!question.done)
        ly_loop_run_once(loop, UINT64_MAX);
    ly_agent_connection_free(connection);
    if (question.error.code) {
        *error = question.error;
        return false;
    }
    ly_buf_free(reply);
    *reply = question.reply;
    return true;
}

bool agent_keys(Tool *tool, LyKey ***keys, size_t *count, LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf request = {0}, reply = {0};
    LyAgentIdentity *identities;
    size_t identity_count, found = 0;
    ly_put_agent_request_identities(&request);
    if (!ask_agent(tool, ly_buf_bytes(&request), &reply, error) ||
        !ly_get_agent_identities(ly_buf_bytes(&reply), &identities, &identity_count, error))
        return false;
    LyKey **list = ly_new_array(LyKey *, identity_count + 1);
    for (size_t i = 0; i < identity_count; i++) {
        LyKey *key = ly_key_new_public(tool->crypto, identities[i].key_blob, NULL);
        if (!key)
            continue;
        list[found++] = ly_key_new_commented(key, identities[i].comment);
        ly_key_unref(key);
    }
    ly_free(identities);
    *keys = list;
    *count = found;
    return true;
}

/* Does it hold this very key, or this very certificate? */
static bool agent_has(Tool *tool, const LyKey *key, bool *has, LyError *error)
{
    LyKey **keys;
    size_t count;
    if (!agent_keys(tool, &keys, &count, error))
        return false;
    *has = false;
    for (size_t i = 0; i < count; i++) {
        *has = *has || ly_bytes_equal(ly_key_blob(keys[i]), ly_key_blob(key));
        ly_key_unref(keys[i]);
    }
    ly_free(keys);
    return true;
}

/* Beside a public key's file there may be the private one: KEY for KEY.pub and KEY-cert.pub. NULL: none. */
static char *private_sibling(const char *path)
{
    static const char *const endings[] = {"-cert.pub", ".pub"};
    size_t len = strlen(path);
    for (size_t i = 0; i < LY_COUNT(endings); i++) {
        size_t end = strlen(endings[i]);
        if (len <= end || strcmp(path + len - end, endings[i]) != 0)
            continue;
        char *sibling = ly_bytes_dup_str(ly_bytes(path, len - end));
        if (file_exists(sibling))
            return sibling;
        ly_free(sibling);
    }
    return NULL;
}

/* The private half from beside the public one, which must be its own; a certificate goes with it. */
static Status open_sibling(Tool *tool, const char *path, const char *sibling, Signer *signer)
{
    LoadedKey private = {0};
    LyError error;
    Status status = tool_load_key(tool, sibling, NEED_PRIVATE, &private);
    if (status != STATUS_OK) {
        loaded_key_clear(&private);
        return status;
    }
    LyKey *public = signer->loaded.entry->key;
    LyKey *key = NULL;
    if (!ly_key_equal_public(public, private.entry->key))
        ly_error_set(&error, LY_ERROR_INVALID, "it is not the private half of %s", path);
    else if (ly_key_is_certificate(public))
        key = ly_key_new_certified(private.entry->key, ly_key_blob(public), &error);
    else
        key = ly_key_ref(private.entry->key);
    if (key) {
        ly_key_unref(private.entry->key);
        private.entry->key = key;
        loaded_key_clear(&signer->loaded);
        signer->loaded = private;
        signer->key = key;
        return STATUS_OK;
    }
    loaded_key_clear(&private);
    return tool_error(tool, sibling, &error);
}

Status signer_open(Tool *tool, const char *path, bool agent, Signer *signer)
{
    LyError error = {0};
    bool has = false;
    *signer = (Signer){0};
    Status status = tool_load_key(tool, path, agent ? NEED_PUBLIC : NEED_ANY, &signer->loaded);
    if (status != STATUS_OK)
        return status;
    signer->key = signer->loaded.entry->key;
    if (!agent && ly_key_is_private(signer->key))
        return STATUS_OK;
    LY_AUTO_FREE char *sibling = agent ? NULL : private_sibling(path);
    bool asked = agent_has(tool, signer->key, &has, &error);
    if (has) {
        signer->agent = true;
        return STATUS_OK;
    }
    if (sibling)
        return open_sibling(tool, path, sibling, signer);
    if (asked && ly_key_type(signer->key)->sk && ly_key_has_secret(signer->key))
        return tool_fail(tool, STATUS_INPUT,
                         "%s: it signs by a security key, through an agent; the agent does not hold it",
                         path);
    if (asked)
        return tool_fail(tool, STATUS_INPUT, "%s: the agent does not hold this key%s", path,
                         agent ? "" : ", and the file has its public half only");
    return tool_fail(tool, agent ? STATUS_IO : STATUS_INPUT, "%s: %s%s", path,
                     agent ? "" : "a public key only, and ", error.message);
}

void signer_close(Signer *signer)
{
    loaded_key_clear(&signer->loaded);
    *signer = (Signer){0};
}

/* What the agent calls this key's algorithm: RSA's has flags, of others the type says it. */
static LyBytes best_algorithm(const LyKey *key)
{
    const LySignatureAlgorithm *best = ly_signature_algorithm_best(ly_key_type_name(key));
    return ly_bytes_str(best ? best->name : NULL);
}

Status signer_sign(Tool *tool, Signer *signer, LyBytes algorithm, LyBytes message, LyBuf *signature)
{
    LyError error = {0};
    LyBytes blob;
    if (!signer->agent) {
        if (ly_key_sign(signer->key, algorithm, message, signature, &error))
            return STATUS_OK;
        return tool_error(tool, NULL, &error);
    }
    LY_AUTO(ly_buf_free) LyBuf request = {0}, reply = {0};
    LyBytes name = algorithm.len ? algorithm : best_algorithm(signer->key);
    ly_put_agent_sign_request(&request, ly_key_blob(signer->key), message, ly_agent_sign_flags(name));
    if (!ask_agent(tool, ly_buf_bytes(&request), &reply, &error))
        return tool_fail(tool, STATUS_IO, "%s", error.message);
    if (!ly_get_agent_signature(ly_buf_bytes(&reply), &blob, &error))
        return tool_error(tool, NULL, &error);
    /* An old agent ignores the flags and signs with SHA-1; whoever reads it would refuse it. */
    if (!ly_key_verify(signer->key, name, message, blob, NULL, &error))
        return tool_fail(tool, STATUS_INPUT, "the agent's signature is not good: %s", error.message);
    ly_buf_add(signature, blob);
    return STATUS_OK;
}

LyKey *signer_certify(Tool *tool, Signer *ca, const LyKey *key, const LyCertificateRequest *request,
                      bool any_principal, LyBytes algorithm, Status *status)
{
    LY_AUTO(ly_buf_free) LyBuf part = {0}, signature = {0};
    LyError error = {0};
    LyKey *certificate = NULL;
    *status = STATUS_OK;
    if (!ly_certificate_put_signed_part(tool->crypto, key, request, any_principal, ly_key_blob(ca->key),
                                        &part, &error)) {
        *status = tool_error(tool, NULL, &error);
        return NULL;
    }
    *status = signer_sign(tool, ca, algorithm, ly_buf_bytes(&part), &signature);
    if (*status != STATUS_OK)
        return NULL;
    certificate = ly_certificate_complete(tool->crypto, ly_buf_bytes(&part), ly_buf_bytes(&signature),
                                          ly_key_comment(key), &error);
    if (!certificate)
        *status = tool_error(tool, NULL, &error);
    return certificate;
}

static bool digest_fd(int fd, LyHasher *hasher, LyError *error)
{
    static const size_t piece = 256u << 10;
    LY_AUTO_FREE uint8_t *bytes = ly_alloc(piece);
    for (;;) {
        ssize_t got = read(fd, bytes, piece);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ly_error_set_errno(error, errno, "cannot read it");
        if (got == 0)
            return true;
        ly_hasher_update(hasher, ly_bytes(bytes, (size_t)got));
    }
}

bool file_digest(Tool *tool, const char *path, LyHash hash, uint8_t *digest, LyError *error)
{
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ly_error_set_errno(error, errno, "cannot open it");
    LyHasher *hasher = ly_hasher_new(tool->crypto, hash);
    bool ok = hasher ? digest_fd(fd, hasher, error)
                     : ly_error_set(error, LY_ERROR_CRYPTO, "libcrypto has no %s", ly_hash_name(hash));
    if (ok && !ly_hasher_finish(hasher, digest))
        ok = ly_error_set(error, LY_ERROR_CRYPTO, "libcrypto cannot compute the digest");
    ly_hasher_free(hasher);
    if (!standard)
        close(fd);
    return ok;
}
