/* Keys from files, with the passphrase that they need. */
#include <string.h>

#include "base/auto.h"
#include "base/secret.h"
#include "files.h"
#include "tool.h"

#define FILE_LIMIT ((size_t)64 << 20) /* files of lines; the reader bounds the others itself */
#define TRIES 3

void loaded_key_clear(LoadedKey *loaded)
{
    ly_key_file_clear(&loaded->file);
    ly_buf_free(&loaded->text);
    ly_secret_free(loaded->passphrase);
    *loaded = (LoadedKey){0};
}

static bool read_keys(Tool *tool, LoadedKey *loaded, bool public_only, LyError *error)
{
    LyKeyReadOptions options = tool->limits;
    options.public_only = public_only;
    options.have_passphrase = loaded->passphrase != NULL;
    options.passphrase = ly_bytes_str(loaded->passphrase);
    ly_key_file_clear(&loaded->file);
    loaded->entry = NULL;
    if (!ly_key_file_read(tool->crypto, ly_buf_bytes(&loaded->text), &options, &loaded->file, error))
        return false;
    /* A line that is no key does not hide those behind it. */
    size_t i = 0;
    while (i + 1 < loaded->file.count && !loaded->file.entries[i].key &&
           loaded->file.entries[i].error.code != LY_ERROR_PASSPHRASE)
        i++;
    loaded->entry = &loaded->file.entries[i];
    *error = loaded->entry->error;
    return true;
}

/* Is there all that was asked for? */
static bool is_enough(const LoadedKey *loaded, Need need)
{
    const LyKeyEntry *entry = loaded->entry;
    if (!entry || !entry->key)
        return false;
    return need == NEED_PUBLIC || need == NEED_OWN_PUBLIC || !entry->has_private ||
           ly_key_has_secret(entry->key);
}

static bool read_sibling(Tool *tool, const char *path, LoadedKey *loaded)
{
    LY_AUTO_FREE char *name = ly_format("%s.pub", path);
    LyBuf text = {0};
    LyError error;
    LyKey *key = NULL;
    if (strcmp(path, "-") != 0 && file_read(name, FILE_LIMIT, &text, NULL))
        key = ly_key_read_public(tool->crypto, ly_buf_bytes(&text), &error);
    ly_buf_free(&text);
    if (key)
        loaded->entry->key = key; /* the file's entries own it from now on */
    return key != NULL;
}

/* Asks until the key opens. `error` is what reading without a passphrase gave. */
static Status open_key(Tool *tool, const char *path, LoadedKey *loaded, Need need, LyError *error)
{
    for (int i = 0; i < TRIES && error->code == LY_ERROR_PASSPHRASE && !is_enough(loaded, need); i++) {
        if (i && tool_has_passphrase(tool))
            break;
        ly_secret_free(loaded->passphrase);
        loaded->passphrase = NULL;
        Status status = tool_file_passphrase(tool, path, &loaded->passphrase);
        if (status)
            return status;
        if (!read_keys(tool, loaded, false, error))
            break;
    }
    return is_enough(loaded, need) ? STATUS_OK : tool_error(tool, path, error);
}

Status tool_load_key(Tool *tool, const char *path, Need need, LoadedKey *loaded)
{
    LyError error = {0};
    bool public_only = need == NEED_PUBLIC || need == NEED_OWN_PUBLIC;
    *loaded = (LoadedKey){0};
    if (!file_read(path, FILE_LIMIT, &loaded->text, &error))
        return tool_error(tool, path, &error);
    bool read = read_keys(tool, loaded, public_only, &error);
    if (!read && error.code != LY_ERROR_PASSPHRASE)
        return tool_error(tool, path, &error);
    if (!is_enough(loaded, need)) {
        if (error.code != LY_ERROR_PASSPHRASE)
            return tool_error(tool, path, &error);
        bool helped = need == NEED_PUBLIC && loaded->entry && !tool_has_passphrase(tool) &&
                      read_sibling(tool, path, loaded);
        Status status = helped ? STATUS_OK : open_key(tool, path, loaded, need, &error);
        if (status)
            return status;
    }
    LyKey *key = loaded->entry->key;
    if (need == NEED_PRIVATE && !ly_key_has_secret(key))
        return tool_fail(tool, STATUS_INPUT, "%s: this is a public key, and the private one is needed",
                         LY_PRINTABLE(ly_bytes_str(path)));
    if (ly_key_is_private(key) && !ly_key_check(key, &error))
        return tool_error(tool, path, &error);
    return STATUS_OK;
}
