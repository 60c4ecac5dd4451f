/* Hexadecimal, in either case. */
#ifndef LY_BASE_HEX_H
#define LY_BASE_HEX_H

#include "base/buf.h"

/* 0 to 15; -1 for what is no digit. */
int ly_hex_digit(uint8_t c);
/* Writes exactly `len` bytes; false when the text is not 2 * len digits. */
bool ly_hex_read(LyBytes text, uint8_t *out, size_t len);
/* Appends lower-case digits. */
void ly_put_hex(LyBytes bytes, LyBuf *out);

#endif
