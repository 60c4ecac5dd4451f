/* krl: key revocation lists. */
#include <inttypes.h>
#include <time.h>

#include "base/auto.h"
#include "commands.h"
#include "describe.h"
#include "output.h"
#include "key/fingerprint.h"
#include "key/krl.h"

#define KRL_LIMIT ((size_t)64 << 20)
#define TEXT_LIMIT ((size_t)64 << 20)

typedef struct Values {
    const char *out, *ca, *version, *comment;
} Values;

#define FIELD(name) offsetof(Values, name)

static const Option options[] = {
    {"out", 'o', "FILE", OPTION_STRING, FIELD(out), 0, "create, update: the list to write"},
    {"ca", 's', "FILE", OPTION_STRING, FIELD(ca), 0,
     "create, update: the CA's public key that serial numbers and ids are of; else of any CA"},
    {"version", 'z', "N", OPTION_STRING, FIELD(version), 0, "create, update: the list's version number"},
    {"comment", 'C', "TEXT", OPTION_STRING, FIELD(comment), 0, "create, update: the list's comment"},
    {NULL},
};

static LyKrl *read_krl(Tool *tool, const char *path, Status *status)
{
    LY_AUTO(ly_buf_free) LyBuf text = LY_BUF(KRL_LIMIT + 1);
    LyError error;
    LyKrl *krl = NULL;
    if (!file_read(path, KRL_LIMIT, &text, &error)) {
        *status = tool_error(tool, path, &error);
        return NULL;
    }
    krl = ly_krl_read(tool->crypto, ly_buf_bytes(&text), &error);
    if (!krl)
        *status = tool_error(tool, path, &error);
    return krl;
}

/* What stands alone on its line or in its file; words in front of a key belong to the list's language. */
static bool is_bare_key(const LyKeyEntry *entry)
{
    return entry->key && entry->format != LY_KEY_KNOWN_HOSTS && entry->format != LY_KEY_AUTHORIZED_KEYS;
}

/* A file is keys or certificates in any format, or lines of the list's own language. */
static Status add_file(Tool *tool, LyKrl *krl, const char *path, LyBytes ca_blob)
{
    LY_AUTO(ly_buf_free) LyBuf text = LY_BUF(TEXT_LIMIT + 1);
    LyKeyReadOptions public_only = tool->limits;
    LyKeyFile file = {0};
    LyError error;
    bool all = true;
    if (!file_read(path, TEXT_LIMIT, &text, &error))
        return tool_error(tool, path, &error);
    public_only.public_only = true;
    if (ly_key_file_read(tool->crypto, ly_buf_bytes(&text), &public_only, &file, NULL)) {
        for (size_t i = 0; i < file.count; i++)
            all = all && is_bare_key(&file.entries[i]);
        for (size_t i = 0; i < file.count && all; i++)
            ly_krl_revoke_key(krl, file.entries[i].key);
        ly_key_file_clear(&file);
        if (all)
            return STATUS_OK;
    }
    if (!ly_krl_add_text(krl, ly_buf_bytes(&text), ca_blob, &error))
        return tool_error(tool, path, &error);
    return STATUS_OK;
}

static Status fill(Tool *tool, const Values *values, LyKrl *krl, int argc, char **argv)
{
    LoadedKey ca = {0};
    LyError error;
    uint64_t version;
    Status status = STATUS_OK;
    LyBytes ca_blob = {0};
    if (values->version) {
        if (!ly_bytes_number(ly_bytes_str(values->version), UINT64_MAX, &version))
            return tool_fail(tool, STATUS_USAGE, "--version takes a number, and not \"%s\"",
                             LY_PRINTABLE(ly_bytes_str(values->version)));
        ly_krl_set_version(krl, version);
    }
    if (values->comment && !ly_krl_set_comment(krl, ly_bytes_str(values->comment), &error))
        return tool_error(tool, NULL, &error);
    if (values->ca) {
        status = tool_load_key(tool, values->ca, NEED_PUBLIC, &ca);
        if (status == STATUS_OK)
            ca_blob = ly_key_plain_blob(ca.entry->key);
    }
    for (int i = 0; i < argc && status == STATUS_OK; i++)
        status = add_file(tool, krl, argv[i], ca_blob);
    loaded_key_clear(&ca);
    return status;
}

static Status build(Tool *tool, const Values *values, bool update, int argc, char **argv)
{
    LY_AUTO(ly_buf_free) LyBuf binary = LY_BUF(KRL_LIMIT + 1);
    Status status = STATUS_OK;
    if (!values->out)
        return tool_fail(tool, STATUS_USAGE, "krl %s needs -o FILE, the list to write",
                         update ? "update" : "create");
    LyKrl *krl = update ? read_krl(tool, values->out, &status) : ly_krl_new(tool->crypto);
    if (!krl)
        return status;
    status = fill(tool, values, krl, argc, argv);
    if (status == STATUS_OK) {
        ly_krl_write(krl, (uint64_t)time(NULL), &binary);
        if (binary.failed)
            status = tool_fail(tool, STATUS_INPUT, "%s: the list would be over 64 MiB", values->out);
        else
            status = output_write(tool, values->out, FILE_REPLACE, MODE_PUBLIC, ly_buf_bytes(&binary));
    }
    ly_krl_free(krl);
    return status;
}

static Status create(Tool *tool, const Values *values, int argc, char **argv)
{
    return build(tool, values, false, argc, argv);
}

static Status update(Tool *tool, const Values *values, int argc, char **argv)
{
    return build(tool, values, true, argc, argv);
}

/* Prints of one file's keys which are revoked; *revoked when any is. */
static Status query_file(Tool *tool, const LyKrl *krl, const char *path, LyBuf *said, LyJson *json,
                         bool *revoked)
{
    LY_AUTO(ly_buf_free) LyBuf text = LY_BUF(TEXT_LIMIT + 1);
    LyKeyReadOptions public_only = tool->limits;
    LyKeyFile file = {0};
    LyError error;
    Status status = STATUS_OK;
    public_only.public_only = true;
    if (!file_read(path, TEXT_LIMIT, &text, &error))
        return tool_error(tool, path, &error);
    if (!ly_key_file_read(tool->crypto, ly_buf_bytes(&text), &public_only, &file, &error))
        return tool_error(tool, path, &error);
    for (size_t i = 0; i < file.count; i++) {
        const LyKey *key = file.entries[i].key;
        LY_AUTO(ly_buf_free) LyBuf fingerprint = {0};
        if (!key) {
            status = tool_error(tool, path, &file.entries[i].error);
            continue;
        }
        bool is = ly_krl_revokes(krl, key);
        *revoked = *revoked || is;
        ly_key_put_fingerprint(tool->crypto, ly_key_plain_blob(key), LY_SHA256, &fingerprint);
        if (tool->json) {
            ly_json_begin(json, '{');
            ly_json_name(json, "file"), ly_json_cstring(json, path);
            ly_json_name(json, "type"), ly_json_cstring(json, ly_key_type_name(key));
            json_fingerprint(tool, json, "fingerprint", ly_key_plain_blob(key));
            json_comment(json, ly_key_comment(key));
            ly_json_name(json, "revoked"), ly_json_bool(json, is);
            ly_json_end(json, '}');
        } else if (!tool->quiet) {
            ly_buf_add_format(said, "%s (%s): %s\n", LY_PRINTABLE(ly_bytes_str(path)),
                              ly_key_comment(key).len ? LY_PRINTABLE(ly_key_comment(key))
                                                      : ly_buf_str(&fingerprint),
                              is ? "REVOKED" : "ok");
        }
    }
    ly_key_file_clear(&file);
    return status;
}

static Status query(Tool *tool, const Values *values, int argc, char **argv)
{
    LY_AUTO(ly_buf_free) LyBuf said = {0};
    LyJson json = {.out = &said};
    Status status = STATUS_OK;
    bool revoked = false;
    if (argc < 2)
        return tool_fail(tool, STATUS_USAGE, "krl query needs the list and a key");
    LyKrl *krl = read_krl(tool, argv[0], &status);
    if (!krl)
        return status;
    if (tool->json)
        ly_json_begin(&json, '[');
    for (int i = 1; i < argc; i++) {
        Status one = query_file(tool, krl, argv[i], &said, &json, &revoked);
        status = one ? one : status;
    }
    if (tool->json)
        ly_json_end(&json, ']');
    ly_krl_free(krl);
    Status printed = tool_print(tool, ly_buf_bytes(&said));
    if (status == STATUS_OK)
        status = printed;
    return status == STATUS_OK && revoked ? STATUS_NO : status;
}

static void show_json(const LyKrl *krl, LyBytes entries, LyBuf *out)
{
    LyJson json = {.out = out};
    LyBytes line;
    ly_json_begin(&json, '{');
    ly_json_name(&json, "version"), ly_json_unsigned(&json, ly_krl_version(krl));
    ly_json_name(&json, "generated"), ly_json_unsigned(&json, ly_krl_generated(krl));
    ly_json_name(&json, "comment"), ly_json_string(&json, ly_krl_comment(krl));
    ly_json_name(&json, "entries"), ly_json_begin(&json, '[');
    while (ly_bytes_line(&entries, &line))
        if (line.len)
            ly_json_string(&json, line);
    ly_json_end(&json, ']');
    ly_json_end(&json, '}');
}

static Status show(Tool *tool, const Values *values, int argc, char **argv)
{
    LY_AUTO(ly_buf_free) LyBuf said = {0}, entries = {0};
    Status status = STATUS_OK;
    if (argc != 1)
        return tool_fail(tool, STATUS_USAGE, "krl show needs one list");
    LyKrl *krl = read_krl(tool, argv[0], &status);
    if (!krl)
        return status;
    ly_krl_describe(krl, &entries);
    if (tool->json)
        show_json(krl, ly_buf_bytes(&entries), &said);
    status = tool_print(tool, ly_buf_bytes(tool->json ? &said : &entries));
    ly_krl_free(krl);
    return status;
}

static const struct {
    const char *name;
    Status (*run)(Tool *tool, const Values *values, int argc, char **argv);
} actions[] = {{"create", create}, {"update", update}, {"query", query}, {"show", show}};

static Status krl_run(Tool *tool, void *values, int argc, char **argv)
{
    for (size_t i = 0; i < LY_COUNT(actions); i++)
        if (strcmp(argv[0], actions[i].name) == 0)
            return actions[i].run(tool, values, argc - 1, argv + 1);
    return tool_fail(tool, STATUS_USAGE, "krl does create, update, query or show, and not \"%s\"",
                     LY_PRINTABLE(ly_bytes_str(argv[0])));
}

const Command krl_command = {
    .name = "krl",
    .arguments = "create|update -o KRL FILE... | query KRL KEY... | show KRL",
    .summary = "Make, ask and show key revocation lists",
    .options = options,
    .values_size = sizeof(Values),
    .least = 1,
    .most = -1,
    .run = krl_run,
};
