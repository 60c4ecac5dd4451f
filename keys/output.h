/* Where commands write keys. */
#ifndef KEYS_OUTPUT_H
#define KEYS_OUTPUT_H

#include "files.h"
#include "tool.h"

#define MODE_PRIVATE 0600
#define MODE_PUBLIC 0644

/* May the file be written? Asks where it exists and not `force`; STATUS_NO with a message when it may not.
 * `replace`: how an existing one is then replaced. */
Status output_allowed(Tool *tool, const char *path, bool force, FileMode replace, FileMode *mode);
/* file_write with a message. */
Status output_write(Tool *tool, const char *path, FileMode what, mode_t mode, LyBytes bytes);
/* Writes PATH.pub anew where it exists and is of the same key. *changed tells. */
Status output_refresh_public(Tool *tool, const char *path, const LyKey *key, bool *changed);
/* The private half in a format, encrypted with `passphrase` ("": not). */
Status output_private(Tool *tool, const char *path, LyKey *key, LyKeyFormat format,
                      const LyKeyWriteOptions *options, LyBuf *text);

#endif
