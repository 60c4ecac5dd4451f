/* convert: a key in another format. public: its public half. */
#include "commands.h"

#include <string.h>

#include "base/auto.h"
#include "base/secret.h"
#include "describe.h"
#include "encryption.h"
#include "output.h"

typedef struct Values {
    const char *to, *output;
    bool in_place, force;
    EncryptionValues encryption;
} Values;

static bool format_is_public(LyKeyFormat format)
{
    return format == LY_KEY_LINE || format == LY_KEY_RFC4716 || format == LY_KEY_SPKI;
}

static Status find_format(Tool *tool, const char *name, LyKeyFormat *format)
{
    if (!name)
        return tool_fail(tool, STATUS_USAGE, "--to FORMAT is needed: see lanyard-key convert --help");
    if (!ly_key_format_find(ly_bytes_str(name), format) ||
        (!format_is_private(*format) && !format_is_public(*format)))
        return tool_fail(
            tool, STATUS_USAGE,
            "the format \"%s\" is not written: --to takes openssh, pem, pkcs8, spki, ppk (ppk3), ppk2, "
            "rfc4716, line or jwk",
            LY_PRINTABLE(ly_bytes_str(name)));
    return STATUS_OK;
}

/* What the new file is encrypted with: what was said, else what opened the old one. */
static Status choose_passphrase(Tool *tool, const Values *values, const LoadedKey *loaded, LyKeyFormat format,
                                char **passphrase)
{
    const PassphraseSource *source = &tool->new_passphrase;
    if (source->none || source->read || source->text) {
        Status status = tool_new_passphrase(tool, "", passphrase);
        if (status)
            return status;
    } else {
        LyBytes old = ly_bytes_str(loaded->passphrase);
        *passphrase = ly_secret_alloc(old.len + 1);
        if (old.len && loaded->entry->encrypted)
            memcpy(*passphrase, old.data, old.len);
    }
    if ((*passphrase)[0] && !format_encrypts(format))
        return tool_fail(
            tool, STATUS_USAGE,
            "the format %s cannot be encrypted: --no-passphrase writes the private key in the clear",
            ly_key_format_name(format));
    if (!(*passphrase)[0] && encryption_given(&values->encryption))
        return tool_fail(tool, STATUS_USAGE,
                         "without a passphrase nothing is encrypted: --new-passphrase-file gives one");
    return STATUS_OK;
}

static Status put_private(Tool *tool, const Values *values, const char *path, const LoadedKey *loaded,
                          LyKeyFormat format, LyBuf *text)
{
    LyKeyWriteOptions options = {0};
    char *passphrase = NULL;
    Status status = choose_passphrase(tool, values, loaded, format, &passphrase);
    if (!status)
        status = encryption_choose(tool, &values->encryption, format, loaded->entry, &options);
    options.passphrase = ly_bytes_str(passphrase);
    if (!status)
        status = output_private(tool, path, loaded->entry->key, format, &options, text);
    ly_secret_free(passphrase);
    return status;
}

/* The public halves of all of the file's keys. */
static Status put_public(Tool *tool, const char *path, const LoadedKey *loaded, LyKeyFormat format,
                         LyBuf *text)
{
    Status status = STATUS_OK;
    for (size_t i = 0; i < loaded->file.count; i++) {
        const LyKeyEntry *entry = &loaded->file.entries[i];
        LyError error = entry->error;
        if (!entry->key || !ly_key_write_public(entry->key, format, text, &error)) {
            if (loaded->file.count > 1)
                ly_error_prefix(&error, "line %u", entry->line);
            status = tool_error(tool, path, &error);
        }
    }
    return status;
}

static Status put_result(Tool *tool, const Values *values, const char *path, const char *output,
                         bool is_private, const LyKey *key, LyKeyFormat format, LyBytes text)
{
    FileMode mode = FILE_REPLACE;
    mode_t bits = is_private ? MODE_PRIVATE : MODE_PUBLIC;
    bool standard = strcmp(output, "-") == 0;
    Status status = STATUS_OK;
    if (!values->in_place)
        status =
            output_allowed(tool, output, values->force, is_private ? FILE_OVERWRITE : FILE_REPLACE, &mode);
    if (!status && !(standard && tool->json))
        status = output_write(tool, output, mode, bits, text);
    if (status || !tool->json)
        return status;
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    LyJson json = {.out = &out};
    ly_json_begin(&json, '{');
    ly_json_name(&json, "file");
    ly_json_cstring(&json, path);
    ly_json_name(&json, "format");
    ly_json_cstring(&json, ly_key_format_name(format));
    ly_json_name(&json, "private");
    ly_json_bool(&json, is_private);
    json_fingerprint(tool, &json, "fingerprint", ly_key_plain_blob(key));
    ly_json_name(&json, standard ? "text" : "output");
    if (standard)
        ly_json_string(&json, text);
    else
        ly_json_cstring(&json, output);
    ly_json_end(&json, '}');
    return tool_print(tool, ly_buf_bytes(&out));
}

static Status convert(Tool *tool, const Values *values, const char *path, LyKeyFormat format)
{
    LoadedKey loaded;
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    /* What opens the file shows its comment too. */
    Need need = format_is_public(format) && !tool_has_passphrase(tool) ? NEED_OWN_PUBLIC : NEED_ANY;
    Status status = tool_load_key(tool, path, need, &loaded);
    bool is_private =
        !status && format_is_private(format) &&
        (ly_key_has_secret(loaded.entry->key) || (format != LY_KEY_PEM && format != LY_KEY_JWK));
    if (!status && values->in_place && loaded.entry->has_private && !is_private)
        status =
            tool_fail(tool, STATUS_USAGE, "%s: %s would lose the private half: write it elsewhere with -o",
                      LY_PRINTABLE(ly_bytes_str(path)), ly_key_format_name(format));
    if (!status && is_private && loaded.file.count > 1) {
        if (values->in_place)
            status =
                tool_fail(tool, STATUS_INPUT, "%s holds %zu keys and %s one only: write it elsewhere with -o",
                          LY_PRINTABLE(ly_bytes_str(path)), loaded.file.count, ly_key_format_name(format));
        else
            tool_warn(tool, "%s holds %zu keys: only the first is converted",
                      LY_PRINTABLE(ly_bytes_str(path)), loaded.file.count);
    }
    if (!status)
        status = is_private ? put_private(tool, values, path, &loaded, format, &text)
                            : put_public(tool, path, &loaded, format, &text);
    /* Some lines of a list may be bad; the others are written, and the status tells. */
    if (text.len && (!status || !values->in_place)) {
        const char *output = values->in_place ? path : values->output ? values->output : "-";
        LyKey *key = loaded.entry->key;
        Status put = put_result(tool, values, path, output, is_private, key, format, ly_buf_bytes(&text));
        status = put ? put : status;
        if (!status && ly_key_comment(key).len && !format_has_comment(format) && !tool->quiet && !tool->json)
            tool_warn(tool, "the format %s has no place for the comment \"%s\"", ly_key_format_name(format),
                      LY_PRINTABLE(ly_key_comment(key)));
    }
    loaded_key_clear(&loaded);
    return status;
}

static Status convert_run(Tool *tool, void *data, int argc, char **argv)
{
    const Values *values = data;
    LyKeyFormat format;
    Status status = find_format(tool, values->to, &format);
    if (status)
        return status;
    if (values->in_place && (values->output || strcmp(argv[0], "-") == 0))
        return tool_fail(tool, STATUS_USAGE, "--in-place needs a file, and excludes -o");
    return convert(tool, values, argv[0], format);
}

static Status public_run(Tool *tool, void *data, int argc, char **argv)
{
    Values *values = data;
    LyKeyFormat format = LY_KEY_LINE;
    if (values->to && (!ly_key_format_find(ly_bytes_str(values->to), &format) || !format_is_public(format)))
        return tool_fail(tool, STATUS_USAGE, "--to takes line, rfc4716 or spki here, and not \"%s\"",
                         LY_PRINTABLE(ly_bytes_str(values->to)));
    return convert(tool, values, argv[0], format);
}

static const Option convert_options[] = {
    {"to", 't', "FORMAT", OPTION_STRING, offsetof(Values, to), 0,
     "openssh, pem, pkcs8, spki, ppk (ppk3), ppk2, rfc4716, line or jwk"},
    {"output", 'o', "OUT", OPTION_STRING, offsetof(Values, output), 0, "write to OUT (standard output)"},
    {"in-place", 0, NULL, OPTION_FLAG, offsetof(Values, in_place), 0, "write over FILE itself"},
    ENCRYPTION_OPTIONS(Values),
    {"force", 0, NULL, OPTION_FLAG, offsetof(Values, force), 0, "overwrite OUT without asking"},
    {NULL},
};

const Command convert_command = {
    .name = "convert",
    .arguments = "FILE",
    .summary = "Write a key in another format",
    .options = convert_options,
    .values_size = sizeof(Values),
    .least = 1,
    .most = 1,
    .run = convert_run,
};

static const Option public_options[] = {
    {"to", 't', "FORMAT", OPTION_STRING, offsetof(Values, to), 0, "line (default), rfc4716 or spki"},
    {"output", 'o', "OUT", OPTION_STRING, offsetof(Values, output), 0, "write to OUT (standard output)"},
    {"force", 0, NULL, OPTION_FLAG, offsetof(Values, force), 0, "overwrite OUT without asking"},
    {NULL},
};

const Command public_command = {
    .name = "public",
    .arguments = "FILE",
    .summary = "Derive the public half of a private key",
    .options = public_options,
    .values_size = sizeof(Values),
    .least = 1,
    .most = 1,
    .run = public_run,
};
