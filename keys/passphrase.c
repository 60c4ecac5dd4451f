/* passphrase and comment: a key file changed in place, in the format that it has. */
#include "commands.h"

#include <string.h>

#include "base/auto.h"
#include "base/secret.h"
#include "describe.h"
#include "encryption.h"
#include "output.h"

typedef struct PassphraseValues {
    bool remove, keep;
    EncryptionValues encryption;
} PassphraseValues;

typedef struct CommentValues {
    const char *comment;
} CommentValues;

/* Can the file be written anew without losing anything? */
static Status check_writable(Tool *tool, const char *path, const LoadedKey *loaded)
{
    LyKeyFormat format = loaded->entry->format;
    if (loaded->file.count > 1)
        return tool_fail(tool, STATUS_INPUT, "%s holds %zu keys, and only a file of one can be changed",
                         LY_PRINTABLE(ly_bytes_str(path)), loaded->file.count);
    if (loaded->entry->has_private && !format_is_private(format))
        return tool_fail(
            tool, STATUS_INPUT,
            "%s: the format %s is not written: lanyard-key convert --to openssh -o OUT makes another file",
            LY_PRINTABLE(ly_bytes_str(path)), ly_key_format_name(format));
    return STATUS_OK;
}

static Status report(Tool *tool, const char *path, const LyKey *key, const char *what)
{
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    if (tool->json) {
        LyJson json = {.out = &out};
        ly_json_begin(&json, '{');
        ly_json_name(&json, "file");
        ly_json_cstring(&json, path);
        json_fingerprint(tool, &json, "fingerprint", ly_key_plain_blob(key));
        json_comment(&json, ly_key_comment(key));
        ly_json_end(&json, '}');
    } else if (!tool->quiet) {
        put_printable(&out, ly_bytes_str(path));
        ly_buf_add_format(&out, ": %s\n", what);
    }
    return tool_print(tool, ly_buf_bytes(&out));
}

static Status write_in_place(Tool *tool, const char *path, LyKey *key, const LyKeyEntry *old,
                             const EncryptionValues *values, const char *passphrase)
{
    static const EncryptionValues none;
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    LyKeyWriteOptions options = {.passphrase = ly_bytes_str(passphrase)};
    Status status = encryption_choose(tool, values ? values : &none, old->format, old, &options);
    if (!status)
        status = output_private(tool, path, key, old->format, &options, &text);
    if (!status)
        status = output_write(tool, path, FILE_REPLACE, MODE_PRIVATE, ly_buf_bytes(&text));
    return status;
}

static Status change_passphrase(Tool *tool, const PassphraseValues *values, const char *path,
                                const LoadedKey *loaded, char **fresh)
{
    const LyKeyEntry *entry = loaded->entry;
    const char *passphrase = values->keep ? loaded->passphrase : "";
    Status status = check_writable(tool, path, loaded);
    if (!status && values->keep && !entry->encrypted)
        return tool_fail(tool, STATUS_INPUT, "%s is not encrypted: there is no passphrase to keep",
                         LY_PRINTABLE(ly_bytes_str(path)));
    if (!status && !values->keep && !values->remove) {
        status = tool_new_passphrase(tool, path, fresh);
        passphrase = *fresh;
    }
    if (status)
        return status;
    if (!passphrase[0] && encryption_given(&values->encryption))
        return tool_fail(tool, STATUS_USAGE,
                         "without a passphrase nothing is encrypted, and --cipher and --kdf "
                         "have no use");
    if (passphrase[0] && !format_encrypts(entry->format))
        return tool_fail(tool, STATUS_INPUT,
                         "%s: the format %s cannot be encrypted: convert it to another one",
                         LY_PRINTABLE(ly_bytes_str(path)), ly_key_format_name(entry->format));
    status = write_in_place(tool, path, entry->key, entry, &values->encryption, passphrase);
    return status ? status
                  : report(tool, path, entry->key,
                           !passphrase[0] ? "it is no longer encrypted"
                           : values->keep ? "it is encrypted anew with the same passphrase"
                                          : "it has the new passphrase");
}

static Status passphrase_run(Tool *tool, void *data, int argc, char **argv)
{
    const PassphraseValues *values = data;
    const PassphraseSource *source = &tool->new_passphrase;
    bool given = source->none || source->read || source->text;
    if (strcmp(argv[0], "-") == 0)
        return tool_fail(tool, STATUS_USAGE, "passphrase changes a file in place: standard input is none");
    if (values->remove + values->keep + given > 1 && !(values->remove && source->none && !values->keep))
        return tool_fail(tool, STATUS_USAGE, "--remove, --keep and a new passphrase exclude each other");
    LoadedKey loaded;
    char *fresh = NULL;
    Status status = tool_load_key(tool, argv[0], NEED_PRIVATE, &loaded);
    if (!status)
        status = change_passphrase(tool, values, argv[0], &loaded, &fresh);
    ly_secret_free(fresh);
    loaded_key_clear(&loaded);
    return status;
}

/* The lines of the file with the key's one made anew, so that what stands around it stays. */
static void replace_line(const LoadedKey *loaded, const LyKey *key, LyBuf *text)
{
    const LyKeyEntry *entry = loaded->entry;
    LyBytes rest = ly_buf_bytes(&loaded->text), line;
    for (unsigned number = 1; ly_bytes_line(&rest, &line); number++) {
        if (number != entry->line) {
            ly_buf_add(text, line);
            ly_buf_add_str(text, "\n");
            continue;
        }
        if (entry->prefix.len) {
            ly_buf_add(text, entry->prefix);
            ly_buf_add_str(text, " ");
        }
        ly_key_write_line(key, text);
    }
}

static Status write_public_in_place(Tool *tool, const char *path, const LoadedKey *loaded, const LyKey *key)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    LyKeyFormat format = loaded->entry->format;
    LyError error;
    if (format == LY_KEY_LINE || format == LY_KEY_AUTHORIZED_KEYS || format == LY_KEY_KNOWN_HOSTS)
        replace_line(loaded, key, &text);
    else if (!ly_key_write_public(key, format, &text, &error))
        return tool_error(tool, path, &error);
    return output_write(tool, path, FILE_REPLACE, MODE_PUBLIC, ly_buf_bytes(&text));
}

static Status change_comment(Tool *tool, const char *path, const LoadedKey *loaded, LyKey *key)
{
    const LyKeyEntry *entry = loaded->entry;
    bool has_place = format_has_comment(entry->format), changed = false;
    Status status = check_writable(tool, path, loaded);
    if (!status && has_place)
        status = entry->has_private ? write_in_place(tool, path, key, entry, NULL,
                                                     loaded->passphrase ? loaded->passphrase : "")
                                    : write_public_in_place(tool, path, loaded, key);
    if (!status && entry->has_private)
        status = output_refresh_public(tool, path, key, &changed);
    if (status)
        return status;
    if (!has_place && !changed)
        return tool_fail(tool, STATUS_INPUT,
                         "%s: the format %s has no place for a comment, and there is no %s.pub "
                         "of the same key",
                         LY_PRINTABLE(ly_bytes_str(path)), ly_key_format_name(entry->format),
                         LY_PRINTABLE(ly_bytes_str(path)));
    return report(tool, path, key,
                  has_place ? "the comment is changed"
                            : "the format has no place for a comment: it is changed in the .pub file alone");
}

static Status ask_comment(Tool *tool, const LoadedKey *loaded, char **answer)
{
    LyBuf prompt = {0};
    ly_buf_add_str(&prompt, "Old comment: ");
    put_printable(&prompt, ly_key_comment(loaded->entry->key));
    ly_buf_add_str(&prompt, "\nNew comment: ");
    *answer = tool_ask(tool, ly_buf_str(&prompt), true);
    ly_buf_free(&prompt);
    return *answer
               ? STATUS_OK
               : tool_fail(tool, STATUS_USAGE, "a comment is needed and nobody can be asked: -C gives one");
}

static Status comment_run(Tool *tool, void *data, int argc, char **argv)
{
    const CommentValues *values = data;
    if (strcmp(argv[0], "-") == 0)
        return tool_fail(tool, STATUS_USAGE, "comment changes a file in place: standard input is none");
    LoadedKey loaded;
    char *answer = NULL;
    Status status = tool_load_key(tool, argv[0], NEED_ANY, &loaded);
    if (!status && !values->comment)
        status = ask_comment(tool, &loaded, &answer);
    LyBytes comment = ly_bytes_str(values->comment ? values->comment : answer);
    if (!status && (memchr(comment.data, '\n', comment.len) || memchr(comment.data, '\r', comment.len)))
        status = tool_fail(tool, STATUS_USAGE, "a comment is one line");
    if (!status) {
        LyKey *key = ly_key_new_commented(loaded.entry->key, comment);
        status = change_comment(tool, argv[0], &loaded, key);
        ly_key_unref(key);
    }
    ly_secret_free(answer);
    loaded_key_clear(&loaded);
    return status;
}

static const Option passphrase_options[] = {
    {"remove", 0, NULL, OPTION_FLAG, offsetof(PassphraseValues, remove), 0,
     "as --no-passphrase: decrypt the file"},
    {"keep", 0, NULL, OPTION_FLAG, offsetof(PassphraseValues, keep), 0,
     "keep the passphrase, and encrypt anew with --cipher or --kdf-rounds"},
    ENCRYPTION_OPTIONS(PassphraseValues),
    {NULL},
};

const Command passphrase_command = {
    .name = "passphrase",
    .arguments = "FILE",
    .summary = "Change or remove a private key's passphrase, or what guessing it costs",
    .options = passphrase_options,
    .values_size = sizeof(PassphraseValues),
    .least = 1,
    .most = 1,
    .run = passphrase_run,
};

static const Option comment_options[] = {
    {"comment", 'C', "TEXT", OPTION_STRING, offsetof(CommentValues, comment), 0,
     "the new comment (asked for)"},
    {NULL},
};

const Command comment_command = {
    .name = "comment",
    .arguments = "FILE",
    .summary = "Change a key's comment, in FILE.pub too",
    .options = comment_options,
    .values_size = sizeof(CommentValues),
    .least = 1,
    .most = 1,
    .run = comment_run,
};
