/* RFC 4648 section 4 base64. Decoding is strict: GLib's skips bad characters silently, which turns a damaged
 * key into another key. */
#ifndef LY_BASE_BASE64_H
#define LY_BASE_BASE64_H

#include "base/buf.h"

/* Appends; `columns` > 0 breaks lines with LF after that many characters and ends with LF. */
void ly_base64_encode(LyBuf *out, LyBytes bytes, size_t columns);
/* Appends the decoded bytes. Blanks and line ends between characters are skipped when `skip_space`. False on
 * any other character, wrong padding, or non-zero bits behind the end; `out` is then as it was. */
bool ly_base64_decode(LyBuf *out, LyBytes text, bool skip_space);

#endif
