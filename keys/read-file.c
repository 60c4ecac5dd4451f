#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "files.h"

bool file_read(const char *path, size_t limit, LyBuf *text, LyError *error)
{
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ly_error_set_errno(error, errno, "cannot open it");
    size_t start = text->len, room = 4096;
    bool ok = true;
    for (;;) {
        /* One byte over the limit tells a file that is too long. */
        uint8_t *to = ly_buf_room(text, LY_MIN(room, limit + 1 - (text->len - start)));
        if (!to) {
            ok = ly_error_set(error, LY_ERROR_LIMIT, "it is longer than the %zu bytes that are read", limit);
            break;
        }
        ssize_t got = read(fd, to, LY_MIN(room, limit + 1 - (text->len - start)));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            ok = ly_error_set_errno(error, errno, "cannot read it");
        if (got <= 0)
            break;
        ly_buf_added(text, (size_t)got);
        if (text->len - start > limit) {
            ok = ly_error_set(error, LY_ERROR_LIMIT, "it is longer than the %zu bytes that are read", limit);
            break;
        }
        room = LY_MIN(room * 2, (size_t)1 << 20);
    }
    if (!standard)
        close(fd);
    if (!ok)
        text->len = start;
    return ok;
}
