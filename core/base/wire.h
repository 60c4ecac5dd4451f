/* RFC 4251 section 5 data types. Writers append to a LyBuf (whose failure sticks); readers take from a
 * LyReader, whose failure sticks too: read a whole message, then ask once with ly_reader_done(). */
#ifndef LY_BASE_WIRE_H
#define LY_BASE_WIRE_H

#include "base/buf.h"
#include "base/bytes.h"

/* Numbers in memory, most significant byte first. */
static inline uint32_t ly_load_u32(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}
static inline uint64_t ly_load_u64(const uint8_t *from)
{
    return (uint64_t)ly_load_u32(from) << 32 | ly_load_u32(from + 4);
}
static inline void ly_store_u32(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 24), to[1] = (uint8_t)(value >> 16), to[2] = (uint8_t)(value >> 8),
    to[3] = (uint8_t)value;
}
static inline void ly_store_u64(uint8_t *to, uint64_t value)
{
    ly_store_u32(to, (uint32_t)(value >> 32));
    ly_store_u32(to + 4, (uint32_t)value);
}

/* Each appends its type; string: uint32 length, then the bytes. */
void ly_put_u8(LyBuf *buf, uint8_t value);
void ly_put_bool(LyBuf *buf, bool value);
void ly_put_u32(LyBuf *buf, uint32_t value);
void ly_put_u64(LyBuf *buf, uint64_t value);
void ly_put_string(LyBuf *buf, LyBytes value);
void ly_put_cstring(LyBuf *buf, const char *value);
/* A magnitude (big-endian, unsigned) without its leading zero bytes, and how many bits it has. */
LyBytes ly_magnitude(LyBytes bytes);
size_t ly_magnitude_bits(LyBytes magnitude);
/* mpint from an unsigned big-endian magnitude: leading zero bytes are dropped, 00 is put before a set top
 * bit. */
void ly_put_mpint(LyBuf *buf, LyBytes magnitude);
/* A string whose length is known later: begin returns a mark, end fills the length in. */
size_t ly_put_string_begin(LyBuf *buf);
void ly_put_string_end(LyBuf *buf, size_t mark);

typedef struct LyReader {
    const uint8_t *data; /* what is left */
    size_t len;
    bool failed;
} LyReader;

static inline LyReader ly_reader(LyBytes bytes)
{
    return (LyReader){bytes.data, bytes.len, false};
}
/* After a failure every get returns 0, false or the empty view. */
uint8_t ly_get_u8(LyReader *reader);
bool ly_get_bool(LyReader *reader);
uint32_t ly_get_u32(LyReader *reader);
uint64_t ly_get_u64(LyReader *reader);
LyBytes ly_get_bytes(LyReader *reader, size_t len);
/* A view into the reader's bytes. */
LyBytes ly_get_string(LyReader *reader);
/* The magnitude of a non-negative mpint without leading zero bytes (empty for 0). A negative one, or one of
 * more than 16384 bits, fails. Superfluous leading zeros are tolerated, as OpenSSH does. */
LyBytes ly_get_mpint(LyReader *reader);
LyBytes ly_get_rest(LyReader *reader);
/* Nothing failed and nothing is left over. */
static inline bool ly_reader_done(const LyReader *reader)
{
    return !reader->failed && reader->len == 0;
}

#endif
