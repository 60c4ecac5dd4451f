/* DER (X.690) by hand: what key files need and no more. libcrypto's decoders take half a millisecond a key
 * and accept what nobody writes. Reads through a LyReader, whose failure sticks. */
#ifndef LY_KEY_DER_H
#define LY_KEY_DER_H

#include "base/wire.h"

enum {
    LY_DER_INTEGER = 0x02,
    LY_DER_BIT_STRING = 0x03,
    LY_DER_OCTET_STRING = 0x04,
    LY_DER_NULL = 0x05,
    LY_DER_OID = 0x06,
    LY_DER_SEQUENCE = 0x30,
    LY_DER_CONTEXT_0 = 0xa0, /* [0], constructed */
    LY_DER_CONTEXT_1 = 0xa1,
    LY_DER_CONTEXT_1_PRIMITIVE = 0x81,
};

/* The content of the next element, which must have this tag. Definite lengths of up to four bytes only. */
LyBytes ly_der_get(LyReader *reader, uint8_t tag);
/* The next element has this tag; nothing is taken. */
bool ly_der_next_is(const LyReader *reader, uint8_t tag);
/* A SEQUENCE's content as a reader of its own; failed where the outer one is. */
LyReader ly_der_get_sequence(LyReader *reader);
/* The magnitude of a non-negative INTEGER without leading zeros; negative or over 16384 bits fails. */
LyBytes ly_der_get_unsigned(LyReader *reader);
/* A small INTEGER; over `max` fails. */
uint64_t ly_der_get_number(LyReader *reader, uint64_t max);
/* A BIT STRING of whole bytes. */
LyBytes ly_der_get_bits(LyReader *reader, uint8_t tag);
/* An OID in dotted text, for messages. Writes at most 100 bytes with NUL and returns `text`. */
const char *ly_der_oid_text(LyBytes oid, char text[100]);

/* Writers append to a LyBuf, whose failure sticks; lengths are minimal, as DER asks. An element whose length
 * is known later: begin returns a mark, end fills the length in (and moves the content where the length takes
 * more than a byte). Elements nest. */
size_t ly_der_put_begin(LyBuf *buf, uint8_t tag);
void ly_der_put_end(LyBuf *buf, size_t mark);
void ly_der_put(LyBuf *buf, uint8_t tag, LyBytes content);
/* A non-negative INTEGER from its magnitude; empty: 0. */
void ly_der_put_unsigned(LyBuf *buf, LyBytes magnitude);
void ly_der_put_number(LyBuf *buf, uint64_t number);
/* A BIT STRING of whole bytes. */
void ly_der_put_bits(LyBuf *buf, uint8_t tag, LyBytes bytes);

#endif
