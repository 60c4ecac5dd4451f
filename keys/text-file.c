#include "text-file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/auto.h"
#include "files.h"

Status text_file_read(Tool *tool, const char *path, LyBuf *text, bool *exists)
{
    LyError error;
    bool read = file_read(path, TEXT_FILE_LIMIT, text, &error);
    bool missing = !read && error.code == LY_ERROR_IO && error.system == ENOENT;
    if (!read && !(missing && exists))
        return tool_error(tool, path, &error);
    if (exists)
        *exists = read;
    return STATUS_OK;
}

static bool make_folder(const char *path, LyError *error)
{
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return true;
    LY_AUTO_FREE char *folder = ly_bytes_dup_str(ly_bytes(path, (size_t)(slash - path)));
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return ly_error_set_errno(error, errno, "cannot make the folder %s", folder);
    return true;
}

/* The file itself under a further name, for its time, owner and permissions; a copy where links cannot be. */
static bool set_aside(const char *path, const char *aside, LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf text = LY_BUF(TEXT_FILE_LIMIT + 1);
    if (linkat(AT_FDCWD, path, AT_FDCWD, aside, AT_SYMLINK_FOLLOW) == 0)
        return true;
    return file_read(path, TEXT_FILE_LIMIT, &text, error) &&
           file_write(aside, FILE_NEW, 0600, ly_buf_bytes(&text), error);
}

Status text_file_write(Tool *tool, const char *path, LyBytes text, bool keep_old)
{
    LyError error;
    LY_AUTO_FREE char *old = ly_format("%s.old", path);
    LY_AUTO_FREE char *aside = ly_format("%s.%ld", old, (long)getpid());
    if (!make_folder(path, &error))
        return tool_error(tool, path, &error);
    if (keep_old && !set_aside(path, aside, &error))
        return tool_error(tool, old, &error);
    /* What was kept before goes only once the new text stands. */
    bool written = file_write(path, FILE_REPLACE, 0600, text, &error);
    if (keep_old && (!written || rename(aside, old) != 0)) {
        if (written)
            ly_error_set_errno(&error, errno, "cannot keep the original as %s", old);
        unlink(aside);
        written = false;
    }
    return written ? STATUS_OK : tool_error(tool, path, &error);
}

Status public_keys_read(Tool *tool, const char *path, LyKey ***keys, size_t *count)
{
    LY_AUTO(ly_buf_free) LyBuf text = LY_BUF(TEXT_FILE_LIMIT + 1);
    LyKeyReadOptions public_only = tool->limits;
    LyKeyFile file = {0};
    LyError error;
    public_only.public_only = true;
    if (!file_read(path, TEXT_FILE_LIMIT, &text, &error) ||
        !ly_key_file_read(tool->crypto, ly_buf_bytes(&text), &public_only, &file, &error))
        return tool_error(tool, path, &error);
    LyKey **list = ly_new_array(LyKey *, file.count + 1);
    Status status = STATUS_OK;
    size_t found = 0;
    for (size_t i = 0; i < file.count && status == STATUS_OK; i++) {
        if (file.entries[i].key)
            list[found++] = ly_key_ref(file.entries[i].key);
        else
            status = tool_error(tool, path, &file.entries[i].error);
    }
    ly_key_file_clear(&file);
    if (status != STATUS_OK) {
        public_keys_free(list, found);
        return status;
    }
    *keys = list;
    *count = found;
    return STATUS_OK;
}

void public_keys_free(LyKey **keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ly_key_unref(keys[i]);
    ly_free(keys);
}
