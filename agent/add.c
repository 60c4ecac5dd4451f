/* lanyard-agent add: private keys of every format into the agent. */
#include "add.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "commands.h"
#include "files.h"
#include "key/fingerprint.h"
#include "lifetime.h"
#include "request.h"

#define ADD_PPK "add-ppk@putty.projects.tartarus.org"
#define FILE_LIMIT ((size_t)1 << 20)

static const char *const default_files[] = {"~/.ssh/id_rsa",     "~/.ssh/id_ecdsa",      "~/.ssh/id_ecdsa_sk",
                                            "~/.ssh/id_ed25519", "~/.ssh/id_ed25519_sk", "~/.ssh/id_dsa"};

typedef struct AddValues {
    bool confirm, encrypted, no_certificate;
    const char *lifetime;
    StringList destinations, known_hosts;
} AddValues;

#define VALUE(field) offsetof(AddValues, field)

static const Option add_options[] = {
    {"confirm", 'c', NULL, OPTION_FLAG, VALUE(confirm), 0, "the agent asks each time it uses the key"},
    {"lifetime", 't', "LIFE", OPTION_STRING, VALUE(lifetime), 0,
     "the agent forgets it after that time: 3600, 8h, 1h30m"},
    {"destination", 'd', "DESTINATION", OPTION_LIST, VALUE(destinations), 0,
     "use it for USER@HOST, or HOST1>USER@HOST2 only; several are one list"},
    {"known-hosts", 'H', "FILE", OPTION_LIST, VALUE(known_hosts), 0,
     "take the keys of these hosts from FILE (~/.ssh/known_hosts and the system's)"},
    {"encrypted", 'e', NULL, OPTION_FLAG, VALUE(encrypted), 0,
     "add it encrypted: the agent asks for the passphrase at the first use"},
    {"no-certificate", 'k', NULL, OPTION_FLAG, VALUE(no_certificate), 0, "add no certificate FILE-cert.pub"},
    {NULL},
};

typedef struct Add {
    Tool *tool;
    AgentClient client;
    const AddValues *values;
    LyBuf constraints;
    LyJson *json; /* NULL: print lines */
    bool some;    /* something was added */
} Add;

static Status put_constraints(Add *add)
{
    uint64_t lifetime_us;
    if (add->values->lifetime) {
        if (!lifetime_read(add->values->lifetime, &lifetime_us) || lifetime_us == 0)
            return tool_fail(add->tool, STATUS_USAGE,
                             "--lifetime takes a time above 0, like 3600, 8h or 1h30m, and not \"%s\"",
                             LY_PRINTABLE(ly_bytes_str(add->values->lifetime)));
        ly_put_u8(&add->constraints, SSH_AGENT_CONSTRAIN_LIFETIME);
        ly_put_u32(&add->constraints, (uint32_t)(lifetime_us / 1000000));
    }
    if (add->values->confirm)
        ly_put_u8(&add->constraints, SSH_AGENT_CONSTRAIN_CONFIRM);
    if (!add->values->destinations.count)
        return STATUS_OK;
    return destinations_put(add->tool, &add->values->destinations, &add->values->known_hosts,
                            &add->constraints);
}

static Status report(Add *add, const char *path, const LyKey *key, const char *what)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    add->some = true;
    if (add->json) {
        ly_json_begin(add->json, '{');
        ly_json_name(add->json, "file");
        ly_json_cstring(add->json, path);
        ly_json_name(add->json, "fingerprint");
        ly_key_put_fingerprint(add->tool->crypto, ly_key_plain_blob(key), LY_SHA256, &text);
        ly_json_string(add->json, ly_buf_bytes(&text));
        ly_json_name(add->json, "comment");
        ly_json_string(add->json, ly_key_comment(key));
        ly_json_name(add->json, "certificate");
        ly_json_bool(add->json, ly_key_is_certificate(key));
        ly_json_name(add->json, "encrypted");
        ly_json_bool(add->json, add->values->encrypted);
        ly_json_end(add->json, '}');
        return STATUS_OK;
    }
    if (add->tool->quiet)
        return STATUS_OK;
    ly_buf_add_format(&text, "%s added: %s (%s)\n", what, LY_PRINTABLE(ly_bytes_str(path)),
                      LY_PRINTABLE(ly_key_comment(key)));
    return tool_print(add->tool, ly_buf_bytes(&text));
}

static Status send_request(Add *add, const char *path, const LyBuf *request, const char *hint)
{
    bool done = false;
    Status status = agent_client_do(&add->client, request, &done);
    if (status || done)
        return status;
    return tool_fail(add->tool, STATUS_NO, "%s: the agent refused the key%s",
                     LY_PRINTABLE(ly_bytes_str(path)), hint);
}

static Status send_key(Add *add, const char *path, LyKey *key, const char *what)
{
    LY_AUTO(ly_buf_free) LyBuf request = {0};
    const char *provider = getenv("SSH_SK_PROVIDER");
    bool sk = ly_key_type(key)->sk;
    ly_put_u8(&request, add->constraints.len || sk ? SSH_AGENTC_ADD_ID_CONSTRAINED : SSH_AGENTC_ADD_IDENTITY);
    ly_key_put_private(key, &request);
    ly_put_string(&request, ly_key_comment(key));
    ly_buf_add(&request, ly_buf_bytes(&add->constraints));
    if (sk) {
        ly_put_u8(&request, SSH_AGENT_CONSTRAIN_EXTENSION);
        ly_put_cstring(&request, "sk-provider@openssh.com");
        ly_put_cstring(&request, provider && provider[0] ? provider : "internal");
    }
    Status status =
        send_request(add, path, &request, add->constraints.len ? ", or does not know its constraints" : "");
    return status ? status : report(add, path, key, what);
}

/* The key's comment, or the file's name where it has none, as ssh-add does. */
static LyKey *with_comment(LyKey *key, const char *path)
{
    return ly_key_comment(key).len ? ly_key_ref(key) : ly_key_new_commented(key, ly_bytes_str(path));
}

static Status send_certificate(Add *add, const char *path, LyKey *key)
{
    LY_AUTO_FREE char *name = ly_format("%s-cert.pub", path);
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    LyError error;
    if (access(name, F_OK) != 0)
        return STATUS_OK;
    LyKey *public = NULL, *certified = NULL;
    if (file_read(name, FILE_LIMIT, &text, &error) &&
        (public = ly_key_read_public(add->tool->crypto, ly_buf_bytes(&text), &error)))
        certified = ly_key_new_certified(key, ly_key_blob(public), &error);
    ly_key_unref(public);
    if (!certified)
        return tool_error(add->tool, name, &error);
    Status status = send_key(add, name, certified, "Certificate");
    ly_key_unref(certified);
    return status;
}

static bool is_ppk(LyKeyFormat format)
{
    return format == LY_KEY_PPK1 || format == LY_KEY_PPK2 || format == LY_KEY_PPK3;
}

static Status send_ppk(Add *add, const char *path, const LyKey *key, LyBytes ppk)
{
    LY_AUTO(ly_buf_free) LyBuf request = {0};
    ly_put_u8(&request, SSH_AGENTC_EXTENSION);
    ly_put_cstring(&request, ADD_PPK);
    ly_put_string(&request, ppk);
    Status status = send_request(add, path, &request, ", or cannot take encrypted ones (" ADD_PPK ")");
    return status ? status : report(add, path, key, "Encrypted identity");
}

/* A PPK goes as it is; another format is made one with its own passphrase. */
static Status add_encrypted(Add *add, const char *path)
{
    LoadedKey loaded;
    LY_AUTO(ly_buf_free) LyBuf ppk = {0};
    LyError error;
    Status status = tool_load_key(add->tool, path, NEED_PUBLIC, &loaded);
    const LyKeyEntry *entry = loaded.entry;
    if (!status && !entry->encrypted)
        status = tool_fail(add->tool, STATUS_INPUT,
                           "%s is not encrypted: add it without --encrypted, or give it a passphrase with "
                           "lanyard-key passphrase",
                           LY_PRINTABLE(ly_bytes_str(path)));
    if (!status && is_ppk(entry->format)) {
        status = send_ppk(add, path, entry->key, ly_buf_bytes(&loaded.text));
    } else if (!status) {
        loaded_key_clear(&loaded);
        status = tool_load_key(add->tool, path, NEED_PRIVATE, &loaded);
        LyKeyWriteOptions options = {.passphrase = ly_bytes_str(loaded.passphrase)};
        if (!status &&
            !ly_key_write_private(add->tool->crypto, loaded.entry->key, LY_KEY_PPK3, &options, &ppk, &error))
            status = tool_error(add->tool, path, &error);
        if (!status)
            status = send_ppk(add, path, loaded.entry->key, ly_buf_bytes(&ppk));
    }
    loaded_key_clear(&loaded);
    return status;
}

static Status add_file(Add *add, const char *path)
{
    LoadedKey loaded;
    if (add->values->encrypted)
        return add_encrypted(add, path);
    Status status = tool_load_key(add->tool, path, NEED_PRIVATE, &loaded);
    if (!status) {
        LyKey *key = with_comment(loaded.entry->key, path);
        status = send_key(add, path, key, "Identity");
        if (!status && !add->values->no_certificate && !ly_key_is_certificate(key))
            status = send_certificate(add, path, key);
        ly_key_unref(key);
    }
    loaded_key_clear(&loaded);
    return status;
}

static Status add_defaults(Add *add)
{
    Status status = STATUS_OK;
    for (size_t i = 0; i < LY_COUNT(default_files); i++) {
        LY_AUTO_FREE char *path = file_home_path(default_files[i]);
        if (!path || access(path, F_OK) != 0)
            continue;
        Status one = add_file(add, path);
        status = status ? status : one;
    }
    if (!add->some && !status)
        return tool_fail(add->tool, STATUS_IO, "there is no key in ~/.ssh: name a file");
    return status;
}

static Status add_all(Add *add, int argc, char **argv)
{
    Status status = put_constraints(add);
    if (status)
        return status;
    if (argc == 0)
        return add_defaults(add);
    for (int i = 0; i < argc; i++) {
        Status one = add_file(add, argv[i]);
        status = status ? status : one;
    }
    return status;
}

static Status run_add(Tool *tool, void *values, int argc, char **argv)
{
    LyBuf text = {0};
    LyJson json = {.out = &text};
    Add add = {.tool = tool, .values = values, .json = tool->json ? &json : NULL};
    const AddValues *given = values;
    if (given->encrypted && (given->confirm || given->lifetime || given->destinations.count))
        return tool_fail(
            tool, STATUS_USAGE,
            "an encrypted key is added without constraints, because the request for it has no place "
            "for them: a policy file has (lanyard-agent(1))");
    Status status = agent_client_open(tool, &add.client);
    if (!status) {
        if (add.json)
            ly_json_begin(&json, '[');
        status = add_all(&add, argc, argv);
        if (add.json)
            ly_json_end(&json, ']');
    }
    if (add.json && add.some) {
        Status printed = tool_print(tool, ly_buf_bytes(&text));
        status = status ? status : printed;
    }
    agent_client_close(&add.client);
    ly_buf_free(&add.constraints);
    ly_buf_free(&text);
    return status;
}

const Command add_command = {
    .name = "add",
    .arguments = "[FILE]...",
    .summary = "Add private keys of any format, and their certificates",
    .options = add_options,
    .values_size = sizeof(AddValues),
    .most = -1,
    .run = run_add,
};
