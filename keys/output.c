#include "output.h"

#include <string.h>
#include <unistd.h>

#include "base/auto.h"

Status output_allowed(Tool *tool, const char *path, bool force, FileMode replace, FileMode *mode)
{
    *mode = FILE_NEW;
    if (!file_exists(path))
        return STATUS_OK;
    if (!force) {
        LY_AUTO_FREE char *prompt =
            ly_format("%s already exists.\nOverwrite (y/n)? ", LY_PRINTABLE(ly_bytes_str(path)));
        if (!tool_confirm(tool, prompt))
            return tool_fail(tool, STATUS_NO, "%s exists and was left as it is: --force overwrites it",
                             LY_PRINTABLE(ly_bytes_str(path)));
    }
    *mode = replace;
    return STATUS_OK;
}

Status output_write(Tool *tool, const char *path, FileMode what, mode_t mode, LyBytes bytes)
{
    LyError error;
    if (strcmp(path, "-") == 0)
        return tool_print(tool, bytes);
    return file_write(path, what, mode, bytes, &error) ? STATUS_OK : tool_error(tool, path, &error);
}

Status output_refresh_public(Tool *tool, const char *path, const LyKey *key, bool *changed)
{
    LY_AUTO_FREE char *name = ly_format("%s.pub", path);
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    *changed = false;
    if (strcmp(path, "-") == 0 || !file_read(name, (size_t)1 << 20, &text, NULL))
        return STATUS_OK;
    LyKey *old = ly_key_read_public(tool->crypto, ly_buf_bytes(&text), NULL);
    bool same = old && ly_bytes_equal(ly_key_blob(old), ly_key_blob(key));
    ly_key_unref(old);
    if (!same)
        return STATUS_OK;
    ly_buf_clear(&text);
    ly_key_write_line(key, &text);
    *changed = true;
    return output_write(tool, name, FILE_REPLACE, MODE_PUBLIC, ly_buf_bytes(&text));
}

Status output_private(Tool *tool, const char *path, LyKey *key, LyKeyFormat format,
                      const LyKeyWriteOptions *options, LyBuf *text)
{
    LyError error;
    return ly_key_write_private(tool->crypto, key, format, options, text, &error)
               ? STATUS_OK
               : tool_error(tool, path, &error);
}
