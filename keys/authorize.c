/* authorize: a public key into an authorized_keys file, once. */
#include "base/auto.h"
#include "commands.h"
#include "describe.h"
#include "files.h"
#include "key/edit.h"
#include "key/fingerprint.h"
#include "text-file.h"

typedef struct Values {
    const char *file, *options;
} Values;

#define FIELD(name) offsetof(Values, name)

static const Option options[] = {
    {"file", 'f', "FILE", OPTION_STRING, FIELD(file), 0, "the file; else ~/.ssh/authorized_keys"},
    {"options", 'O', "TEXT", OPTION_STRING, FIELD(options), 0,
     "what the key may do, as sshd(8) has it: restrict,command=\"...\",from=\"...\""},
    {NULL},
};

typedef struct Authorize {
    Tool *tool;
    const Values *values;
    char *path;
    LyBuf text, said;
    LyJson json;
    size_t added;
} Authorize;

static void authorize_close(Authorize *self)
{
    ly_free(self->path);
    ly_buf_free(&self->text);
    ly_buf_free(&self->said);
}

static void say(Authorize *self, const LyKey *key, bool present)
{
    LY_AUTO(ly_buf_free) LyBuf fingerprint = {0};
    LyJson *json = &self->json;
    ly_key_put_fingerprint(self->tool->crypto, ly_key_plain_blob(key), LY_SHA256, &fingerprint);
    if (self->tool->json) {
        ly_json_begin(json, '{');
        ly_json_name(json, "file"), ly_json_cstring(json, self->path);
        ly_json_name(json, "type"), ly_json_cstring(json, ly_key_type_name(key));
        json_fingerprint(self->tool, json, "fingerprint", ly_key_plain_blob(key));
        json_comment(json, ly_key_comment(key));
        ly_json_name(json, "added"), ly_json_bool(json, !present);
        ly_json_end(json, '}');
    } else if (!self->tool->quiet) {
        ly_buf_add_format(&self->said, "%s %s: %s %s\n", ly_buf_str(&fingerprint),
                          LY_PRINTABLE(ly_key_comment(key)), present ? "is already in" : "added to",
                          self->path);
    }
}

static Status add_key(Authorize *self, const char *source, const LyKey *key)
{
    LyBuf changed = LY_BUF(TEXT_FILE_LIMIT + 1);
    LyError error;
    bool present;
    if (ly_key_is_certificate(key))
        return tool_fail(
            self->tool, STATUS_INPUT,
            "%s: a certificate; authorize the key itself, or its CA with --options cert-authority", source);
    if (!ly_authorized_keys_add(self->tool->crypto, ly_buf_bytes(&self->text), key,
                                ly_bytes_str(self->values->options), &changed, &present, &error)) {
        ly_buf_free(&changed);
        return tool_error(self->tool, NULL, &error);
    }
    if (!present) {
        ly_buf_free(&self->text);
        self->text = changed;
        self->added++;
    } else {
        ly_buf_free(&changed);
    }
    say(self, key, present);
    return STATUS_OK;
}

static Status add_file(Authorize *self, const char *path)
{
    LyKey **keys;
    size_t count;
    Status status = public_keys_read(self->tool, path, &keys, &count);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = add_key(self, path, keys[i]);
    public_keys_free(keys, count);
    return status;
}

static Status authorize_run(Tool *tool, void *data, int argc, char **argv)
{
    LY_AUTO(authorize_close) Authorize self = {.tool = tool, .values = data};
    bool exists;
    self.path = file_home_path(self.values->file ? self.values->file : "~/.ssh/authorized_keys");
    self.text = LY_BUF(TEXT_FILE_LIMIT + 1);
    self.json.out = &self.said;
    Status status = text_file_read(tool, self.path, &self.text, &exists);
    if (tool->json)
        ly_json_begin(&self.json, '[');
    for (int i = 0; i < argc && status == STATUS_OK; i++)
        status = add_file(&self, argv[i]);
    if (tool->json)
        ly_json_end(&self.json, ']');
    /* All of them, or none. */
    if (status == STATUS_OK && self.added)
        status = text_file_write(tool, self.path, ly_buf_bytes(&self.text), false);
    return status == STATUS_OK ? tool_print(tool, ly_buf_bytes(&self.said)) : status;
}

const Command authorize_command = {
    .name = "authorize",
    .arguments = "KEY.pub...",
    .summary = "Add public keys to authorized_keys, once each",
    .options = options,
    .values_size = sizeof(Values),
    .least = 1,
    .most = -1,
    .run = authorize_run,
};
