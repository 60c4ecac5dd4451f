/* Inside the key floor: lines and words of key files, and addresses of from= and source-address. */
#ifndef LY_KEY_TEXT_H
#define LY_KEY_TEXT_H

#include "base/buf.h"

#define LY_KEY_LINE_LIMIT                                                                                    \
    ((size_t)64 << 10) /* bytes; longer lines of known_hosts and authorized_keys are ignored whole */

/* Takes a line that ends in LF, CRLF or CR (which gives an empty line more for CRLF); false at the end. */
bool ly_text_line(LyBytes *text, LyBytes *line);
/* Takes a word off the line, and the blanks and tabs around it. Empty at the end. */
LyBytes ly_text_word(LyBytes *line);
/* Takes what stands before the first blank outside of quotes, in which \" is no end, and the blanks behind
 * it: options of authorized_keys and allowed_signers. */
LyBytes ly_text_options(LyBytes *line);
/* Equal without regard to the case of ASCII letters. */
bool ly_text_is(LyBytes text, const char *name);

/* Takes an option, `name` or `name="value"` (in which \" stands for a quote), off the options in front of a
 * key, as authorized_keys and allowed_signers have them; the value is appended. *more: a comma followed, and
 * so must another option. False when malformed; *name is set all the same. */
bool ly_text_option(LyBytes *line, LyBytes *name, bool *has_value, LyBuf *value, bool *more);

typedef struct LyAddress {
    uint8_t bytes[16];
    unsigned len; /* 4 or 16; IPv4 within IPv6 (::ffff:a.b.c.d) is kept as 4 */
} LyAddress;

typedef enum LyAddressMatch {
    LY_ADDRESS_MALFORMED = -2, /* the list holds what is no address, no CIDR and, with patterns, no pattern */
    LY_ADDRESS_NEGATED = -1,
    LY_ADDRESS_ABSENT = 0,
    LY_ADDRESS_MATCH = 1,
} LyAddressMatch;

/* Compares a peer's address with a comma-separated list of addresses and CIDR ranges; with `patterns`, of
 * wildcard patterns over the address's text and `!` negations too, as from= has them. */
LyAddressMatch ly_address_list_match(LyBytes list, LyBytes address, bool patterns);

#endif
