/* Files of lanyard-key: whole reads with a limit, writes that never lose what was there. */
#ifndef KEYS_FILES_H
#define KEYS_FILES_H

#include <sys/stat.h>

#include "base/buf.h"
#include "base/error.h"

/* Appends a whole file ("-": standard input) of at most `limit` bytes. LY_ERROR_IO, LY_ERROR_LIMIT. */
bool file_read(const char *path, size_t limit, LyBuf *text, LyError *error);
/* Something stands there that writing would replace: not "-", not a device or a pipe. */
bool file_exists(const char *path);

typedef enum FileMode {
    FILE_NEW,       /* an existing file is an error (LY_ERROR_IO, EEXIST) */
    FILE_REPLACE,   /* an existing one is replaced, and its permissions and owner are kept */
    FILE_OVERWRITE, /* an existing one is replaced, and its owner is kept; it gets `mode` */
} FileMode;
/* Writes by a new file beside it (O_EXCL, `mode` from the first byte, fsync) that is then linked or renamed
 * into place, so that a full disk or a crash loses nothing. A symbolic link is followed to the file it names;
 * "-" is standard output. */
bool file_write(const char *path, FileMode what, mode_t mode, LyBytes bytes, LyError *error);

/* "~" and "~/x" by HOME, else getpwuid (on Windows, USERPROFILE). Malloced by ly_alloc. */
char *file_home_path(const char *path);

#endif
