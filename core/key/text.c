#include "key/text.h"

#include <strings.h>
#ifdef _WIN32
#include <ws2tcpip.h> /* inet_pton */
#else
#include <arpa/inet.h>
#endif

#include "base/names.h"

/* Where the first of two bytes stands, or the length. In pieces, so that one that is far away does not cost a
 * search of the whole text for each of the other. */
static size_t first_of(LyBytes text, char a, char b)
{
    enum { PIECE = 256 };
    for (size_t at = 0; at < text.len; at += PIECE) {
        LyBytes piece = ly_bytes_slice(text, at, PIECE);
        const uint8_t *found = memchr(piece.data, a, piece.len);
        if (found)
            piece.len = (size_t)(found - piece.data);
        const uint8_t *other = memchr(piece.data, b, piece.len);
        if (other || found)
            return (size_t)((other ? other : found) - text.data);
    }
    return text.len;
}

bool ly_text_line(LyBytes *text, LyBytes *line)
{
    if (text->len == 0)
        return false;
    size_t len = first_of(*text, '\n', '\r');
    *line = ly_bytes_slice(*text, 0, len);
    *text = ly_bytes_slice(*text, len + 1, text->len);
    return true;
}

LyBytes ly_text_word(LyBytes *line)
{
    *line = ly_bytes_trim(*line);
    size_t len = first_of(*line, ' ', '\t');
    LyBytes word = ly_bytes_slice(*line, 0, len);
    *line = ly_bytes_trim(ly_bytes_slice(*line, len, line->len));
    return word;
}

bool ly_text_is(LyBytes text, const char *name)
{
    return text.len == strlen(name) &&
           (text.len == 0 || strncasecmp((const char *)text.data, name, text.len) == 0);
}

/* Takes a quoted value, in which \" stands for a quote; nothing else is special. */
static bool take_quoted(LyBytes *text, LyBuf *value)
{
    size_t i = 1;
    if (text->len == 0 || text->data[0] != '"')
        return false;
    for (; i < text->len && text->data[i] != '"'; i++) {
        if (text->data[i] == '\\' && i + 1 < text->len && text->data[i + 1] == '"')
            i++;
        ly_buf_add(value, ly_bytes(text->data + i, 1));
    }
    if (i >= text->len)
        return false;
    *text = ly_bytes_slice(*text, i + 1, text->len);
    return true;
}

bool ly_text_option(LyBytes *line, LyBytes *name, bool *has_value, LyBuf *value, bool *more)
{
    size_t len = 0;
    while (len < line->len && !strchr(" \t,=\"", line->data[len] ? line->data[len] : 'a'))
        len++;
    *name = ly_bytes_slice(*line, 0, len);
    *line = ly_bytes_slice(*line, len, line->len);
    *more = false;
    *has_value = line->len && line->data[0] == '=';
    if (*has_value) {
        *line = ly_bytes_slice(*line, 1, line->len);
        if (!take_quoted(line, value))
            return false;
    }
    if (line->len == 0 || line->data[0] == ' ' || line->data[0] == '\t')
        return true;
    if (line->data[0] != ',')
        return false;
    *line = ly_bytes_slice(*line, 1, line->len);
    *more = true;
    return true;
}

LyBytes ly_text_options(LyBytes *line)
{
    bool quoted = false;
    size_t i = 0;
    for (; i < line->len && (quoted || (line->data[i] != ' ' && line->data[i] != '\t')); i++) {
        if (line->data[i] == '\\' && i + 1 < line->len && line->data[i + 1] == '"')
            i++;
        else if (line->data[i] == '"')
            quoted = !quoted;
    }
    LyBytes options = ly_bytes_slice(*line, 0, i);
    *line = ly_bytes_trim(ly_bytes_slice(*line, i, line->len));
    return options;
}

static bool address_read(LyBytes text, LyAddress *address)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    char copy[INET6_ADDRSTRLEN];
    LyAddress result = {0};
    LyBytes zone;
    ly_bytes_split(text, '%', &text, &zone); /* fe80::1%eth0: the zone is the machine's own business */
    if (text.len == 0 || text.len >= sizeof copy || ly_bytes_has_nul(text))
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = 0;
    if (inet_pton(AF_INET, copy, result.bytes) == 1) {
        result.len = 4;
    } else if (inet_pton(AF_INET6, copy, result.bytes) == 1) {
        result.len = 16;
        if (memcmp(result.bytes, mapped, sizeof mapped) == 0) {
            memmove(result.bytes, result.bytes + 12, 4);
            memset(result.bytes + 4, 0, 12);
            result.len = 4;
        }
    } else {
        return false;
    }
    *address = result;
    return true;
}

static bool same_prefix(const LyAddress *a, const LyAddress *b, unsigned bits)
{
    if (a->len != b->len || memcmp(a->bytes, b->bytes, bits / 8) != 0)
        return false;
    return bits % 8 == 0 || ((a->bytes[bits / 8] ^ b->bytes[bits / 8]) >> (8 - bits % 8)) == 0;
}

static LyAddressMatch match_cidr(LyBytes network_text, LyBytes bits_text, const LyAddress *address)
{
    static const LyAddress zero = {0};
    LyAddress network;
    uint64_t bits;
    if (!address_read(network_text, &network) ||
        !ly_bytes_number(bits_text, (uint64_t)network.len * 8, &bits))
        return LY_ADDRESS_MALFORMED;
    /* Bits behind the mask are a slip of the pen: 10.1.2.3/8 was meant narrower than it reads. */
    LyAddress host = network;
    for (unsigned i = 0; i < bits; i++)
        host.bytes[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
    if (memcmp(host.bytes, zero.bytes, sizeof host.bytes) != 0)
        return LY_ADDRESS_MALFORMED;
    return same_prefix(&network, address, (unsigned)bits) ? LY_ADDRESS_MATCH : LY_ADDRESS_ABSENT;
}

static LyAddressMatch match_one(LyBytes entry, LyBytes text, const LyAddress *address, bool patterns)
{
    LyBytes network, bits;
    LyAddress other;
    if (ly_bytes_split(entry, '/', &network, &bits))
        return match_cidr(network, bits, address);
    if (address_read(entry, &other))
        return other.len == address->len && same_prefix(&other, address, other.len * 8) ? LY_ADDRESS_MATCH
                                                                                        : LY_ADDRESS_ABSENT;
    if (!patterns || entry.len == 0)
        return LY_ADDRESS_MALFORMED;
    return ly_pattern_list_match(entry, text, true) == 1 ? LY_ADDRESS_MATCH : LY_ADDRESS_ABSENT;
}

LyAddressMatch ly_address_list_match(LyBytes list, LyBytes text, bool patterns)
{
    LyAddress address;
    LyBytes entry;
    LyAddressMatch verdict = LY_ADDRESS_ABSENT;
    bool negated = false;
    if (list.len == 0)
        return LY_ADDRESS_MALFORMED;
    if (!address_read(text, &address))
        return LY_ADDRESS_ABSENT;
    /* To the end in any case, so that a malformed entry is always told. */
    while (ly_names_next(&list, &entry)) {
        entry = ly_bytes_trim(entry);
        bool negates = patterns && entry.len && entry.data[0] == '!';
        LyAddressMatch match = match_one(ly_bytes_slice(entry, negates, entry.len), text, &address, patterns);
        if (match == LY_ADDRESS_MALFORMED)
            return match;
        if (match == LY_ADDRESS_MATCH && negates)
            negated = true;
        else if (match == LY_ADDRESS_MATCH)
            verdict = match;
    }
    return negated ? LY_ADDRESS_NEGATED : verdict;
}
