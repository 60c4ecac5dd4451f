/* match and fingerprint: which key is it? */
#include "commands.h"

#include <string.h>

#include "base/auto.h"
#include "describe.h"
#include "key/fingerprint.h"

static Status print_match(Tool *tool, char **files, const LoadedKey loaded[2], bool same)
{
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    if (tool->json) {
        LyJson json = {.out = &out};
        ly_json_begin(&json, '{');
        ly_json_name(&json, "match");
        ly_json_bool(&json, same);
        ly_json_name(&json, "keys");
        ly_json_begin(&json, '[');
        for (int i = 0; i < 2; i++) {
            ly_json_begin(&json, '{');
            ly_json_name(&json, "file");
            ly_json_cstring(&json, files[i]);
            json_fingerprint(tool, &json, "fingerprint", ly_key_plain_blob(loaded[i].entry->key));
            ly_json_end(&json, '}');
        }
        ly_json_end(&json, ']');
        ly_json_end(&json, '}');
    } else if (!tool->quiet) {
        ly_buf_add_str(&out, same ? "the same key: " : "different keys: ");
        for (int i = 0; i < (same ? 1 : 2); i++) {
            ly_buf_add_str(&out, i ? " and " : "");
            ly_key_put_fingerprint(tool->crypto, ly_key_plain_blob(loaded[i].entry->key), LY_SHA256, &out);
        }
        ly_buf_add_str(&out, "\n");
    }
    return tool_print(tool, ly_buf_bytes(&out));
}

static Status match_run(Tool *tool, void *values, int argc, char **argv)
{
    LoadedKey loaded[2] = {{{0}}};
    Status status = STATUS_OK;
    for (int i = 0; i < 2 && !status; i++)
        status = tool_load_key(tool, argv[i], NEED_OWN_PUBLIC, &loaded[i]);
    if (!status) {
        bool same =
            ly_bytes_equal(ly_key_plain_blob(loaded[0].entry->key), ly_key_plain_blob(loaded[1].entry->key));
        status = print_match(tool, argv, loaded, same);
        if (!status && !same)
            status = STATUS_NO;
    }
    loaded_key_clear(&loaded[0]);
    loaded_key_clear(&loaded[1]);
    return status;
}

const Command match_command = {
    .name = "match",
    .arguments = "A B",
    .summary = "Tell whether two files are of the same key",
    .least = 2,
    .most = 2,
    .run = match_run,
};

typedef struct Values {
    const char *hash;
    bool bubblebabble;
} Values;

typedef struct Lines {
    Tool *tool;
    LyBuf out;
    LyJson json;
    LyHash hash;
    bool bubblebabble;
} Lines;

static void put_fingerprint(const Lines *lines, const LyKey *key, LyBuf *out)
{
    if (lines->bubblebabble)
        put_key_bubblebabble(lines->tool, key, out);
    else
        ly_key_put_fingerprint(lines->tool->crypto, ly_key_plain_blob(key), lines->hash, out);
}

static void put_line(Lines *lines, const LyKey *key)
{
    LyBuf *out = &lines->out;
    ly_buf_add_format(out, "%u ", ly_key_bits(key));
    put_fingerprint(lines, key, out);
    ly_buf_add_str(out, " ");
    put_printable(out, ly_key_comment(key).len ? ly_key_comment(key) : LY_BYTES("no comment"));
    ly_buf_add_str(out, " (");
    put_short_type(out, key);
    ly_buf_add_str(out, ")\n");
}

static void put_object(Lines *lines, const char *file, const LyKeyEntry *entry)
{
    LyJson *json = &lines->json;
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    put_fingerprint(lines, entry->key, &text);
    ly_json_begin(json, '{');
    ly_json_name(json, "file");
    ly_json_cstring(json, file);
    ly_json_name(json, "line");
    ly_json_unsigned(json, entry->line);
    ly_json_name(json, "type");
    ly_json_cstring(json, ly_key_type_name(entry->key));
    ly_json_name(json, "bits");
    ly_json_unsigned(json, ly_key_bits(entry->key));
    ly_json_name(json, "fingerprint");
    ly_json_string(json, ly_buf_bytes(&text));
    json_comment(json, ly_key_comment(entry->key));
    ly_json_name(json, entry->format == LY_KEY_KNOWN_HOSTS ? "hosts" : "options");
    ly_json_string(json, entry->prefix);
    ly_json_end(json, '}');
}

static Status bad_key(Lines *lines, const char *file, const LyError *error, Status said)
{
    Status status = said ? said : tool_error(lines->tool, file, error);
    if (lines->tool->json) {
        ly_json_begin(&lines->json, '{');
        ly_json_name(&lines->json, "file");
        ly_json_cstring(&lines->json, file);
        ly_json_name(&lines->json, "error");
        ly_json_string(&lines->json, ly_buf_bytes(&lines->tool->failure));
        ly_json_end(&lines->json, '}');
    }
    return status;
}

static Status put_file(Lines *lines, const char *file)
{
    LoadedKey loaded;
    Status status = tool_load_key(lines->tool, file, NEED_OWN_PUBLIC, &loaded);
    if (status)
        status = bad_key(lines, file, NULL, status);
    for (size_t i = 0; loaded.entry && !(status && loaded.file.count == 1) && i < loaded.file.count; i++) {
        const LyKeyEntry *entry = &loaded.file.entries[i];
        LyError error = entry->error;
        if (!entry->key) {
            ly_error_prefix(&error, "line %u", entry->line);
            status = bad_key(lines, file, &error, STATUS_OK);
        } else if (lines->tool->json) {
            put_object(lines, file, entry);
        } else {
            put_line(lines, entry->key);
        }
    }
    loaded_key_clear(&loaded);
    return status;
}

static Status fingerprint_run(Tool *tool, void *data, int argc, char **argv)
{
    const Values *values = data;
    Lines lines = {
        .tool = tool, .json.out = &lines.out, .hash = LY_SHA256, .bubblebabble = values->bubblebabble};
    Status status = STATUS_OK;
    if (values->hash && !find_hash(values->hash, &lines.hash))
        return tool_fail(tool, STATUS_USAGE,
                         "the hash \"%s\" is not known: -E takes md5, sha1, sha256, sha384 or sha512",
                         LY_PRINTABLE(ly_bytes_str(values->hash)));
    if (tool->json)
        ly_json_begin(&lines.json, '[');
    for (int i = 0; i < argc; i++) {
        Status one = put_file(&lines, argv[i]);
        status = LY_MAX(status, one);
    }
    if (tool->json)
        ly_json_end(&lines.json, ']');
    Status printed = tool_print(tool, ly_buf_bytes(&lines.out));
    ly_buf_free(&lines.out);
    return LY_MAX(status, printed);
}

static const Option fingerprint_options[] = {
    {"hash", 'E', "HASH", OPTION_STRING, offsetof(Values, hash), 0,
     "md5, sha1, sha256 (default), sha384 or sha512"},
    {"bubblebabble", 'B', NULL, OPTION_FLAG, offsetof(Values, bubblebabble), 0,
     "in words that can be spoken"},
    {NULL},
};

const Command fingerprint_command = {
    .name = "fingerprint",
    .arguments = "FILE...",
    .summary = "Print a line with the fingerprint of every key",
    .options = fingerprint_options,
    .values_size = sizeof(Values),
    .least = 1,
    .most = -1,
    .run = fingerprint_run,
};
