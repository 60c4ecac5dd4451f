/* Files of lines that are edited: known_hosts, authorized_keys. */
#ifndef KEYS_TEXT_FILE_H
#define KEYS_TEXT_FILE_H

#include "tool.h"

#define TEXT_FILE_LIMIT ((size_t)64 << 20)

/* Appends the file; one that is not there gives nothing, and *exists (may be NULL: then it is an error). */
Status text_file_read(Tool *tool, const char *path, LyBuf *text, bool *exists);
/* Writes it, atomically and with the permissions that it has; a new one is 0600, and its folder, if that is
 * missing too, 0700. `keep_old`: what stood there stays as PATH.old, as ssh-keygen leaves it. */
Status text_file_write(Tool *tool, const char *path, LyBytes text, bool keep_old);

/* The public keys of a file in any format; each is freed with ly_key_unref, the array with ly_free.
 * STATUS_INPUT after a message also when a key of it cannot be read. */
Status public_keys_read(Tool *tool, const char *path, LyKey ***keys, size_t *count);
void public_keys_free(LyKey **keys, size_t count);

#endif
