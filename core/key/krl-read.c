/* PROTOCOL.krl, reading. */
#include "base/auto.h"
#include "base/memory.h"
#include "key/krl-private.h"

#define BITMAP_BITS_LIMIT ((size_t)1 << 24)

static bool damaged(LyError *error, const char *what)
{
    return ly_error_set(error, LY_ERROR_INVALID, "the KRL is damaged: %s", what);
}

/* C strings: a NUL at the end is dropped, one before it is damage. */
static bool get_text(LyReader *reader, LyBytes *text)
{
    LyBytes bytes = ly_get_string(reader);
    if (bytes.len && bytes.data[bytes.len - 1] == 0)
        bytes.len--;
    *text = bytes;
    return !reader->failed && !ly_bytes_has_nul(bytes);
}

static bool add_run(LyKrl *krl, LyKrlAuthority *authority, uint64_t lowest, uint64_t highest, LyError *error)
{
    if (!ly_krl_check_run(lowest, highest, error) || !ly_krl_room(krl, error))
        return false;
    ly_krl_append_run(krl, authority, lowest, highest);
    return true;
}

static bool read_list(LyKrl *krl, LyKrlAuthority *authority, LyReader *data, LyError *error)
{
    while (data->len && !data->failed) {
        uint64_t serial = ly_get_u64(data);
        if (!data->failed && !add_run(krl, authority, serial, serial, error))
            return false;
    }
    return ly_reader_done(data) || damaged(error, "a list of serial numbers is cut short");
}

static bool read_range(LyKrl *krl, LyKrlAuthority *authority, LyReader *data, LyError *error)
{
    uint64_t lowest = ly_get_u64(data), highest = ly_get_u64(data);
    if (!ly_reader_done(data))
        return damaged(error, "a range of serial numbers has another length than 16 bytes");
    return add_run(krl, authority, lowest, highest, error);
}

static bool bit_set(LyBytes bitmap, size_t bit)
{
    return bitmap.data[bitmap.len - 1 - bit / 8] >> bit % 8 & 1;
}

/* Each unbroken run of bits is one entry; bytes of eight equal bits are taken at once. */
static bool add_bitmap(LyKrl *krl, LyKrlAuthority *authority, uint64_t offset, LyBytes bitmap, LyError *error)
{
    size_t bits = ly_magnitude_bits(bitmap), bit = 0;
    if (bits && offset > UINT64_MAX - (bits - 1))
        return damaged(error, "a bitmap goes beyond the largest serial number");
    while (bit < bits) {
        bool value = bit_set(bitmap, bit);
        uint8_t same = value ? 0xff : 0;
        size_t start = bit;
        while (bit < bits && bit_set(bitmap, bit) == value) {
            bit++;
            while (bit % 8 == 0 && bit < bits && bitmap.data[bitmap.len - 1 - bit / 8] == same)
                bit += 8;
        }
        bit = LY_MIN(bit, bits);
        if (value && !add_run(krl, authority, offset + start, offset + bit - 1, error))
            return false;
    }
    return true;
}

static bool read_bitmap(LyKrl *krl, LyKrlAuthority *authority, LyReader *data, LyError *error)
{
    uint64_t offset = ly_get_u64(data);
    LyBytes number = ly_get_string(data);
    if (!ly_reader_done(data))
        return damaged(error, "a bitmap of serial numbers has a wrong length");
    if (number.len && number.data[0] & 0x80)
        return damaged(error, "a bitmap of serial numbers is a negative number");
    number = ly_magnitude(number);
    if (number.len > BITMAP_BITS_LIMIT / 8)
        return ly_error_set(error, LY_ERROR_LIMIT, "the KRL has a bitmap of more than %zu bits",
                            BITMAP_BITS_LIMIT);
    return add_bitmap(krl, authority, offset, number, error);
}

static bool read_ids(LyKrl *krl, LyKrlAuthority *authority, LyReader *data, LyError *error)
{
    while (data->len) {
        LyBytes id;
        if (!get_text(data, &id))
            return damaged(error, "an id is cut short or holds a NUL");
        if (!ly_krl_room(krl, error))
            return false;
        ly_krl_append(krl, &authority->ids, id);
    }
    return true;
}

/* Nothing is known of any, so only those are taken that do not matter. */
static bool read_extension(LyReader *data, LyError *error)
{
    LyBytes name = ly_get_string(data);
    bool critical = ly_get_bool(data);
    ly_get_string(data);
    if (!ly_reader_done(data))
        return damaged(error, "an extension has a wrong length");
    return !critical ||
           ly_error_set(error, LY_ERROR_UNSUPPORTED,
                        "the KRL needs the extension \"%s\", which is not known here", LY_PRINTABLE(name));
}

static bool read_certificates(LyKrl *krl, LyReader *section, LyError *error)
{
    LyBytes ca = ly_get_string(section);
    ly_get_string(section); /* reserved */
    if (section->failed)
        return damaged(error, "a section of certificates is cut short");
    if (!ly_krl_room(krl, error))
        return false;
    LyKrlAuthority *authority = ly_krl_authority(krl, ca, error);
    if (!authority)
        return ly_error_prefix(error, "the KRL is damaged");
    while (section->len) {
        uint8_t type = ly_get_u8(section);
        LyReader data = ly_reader(ly_get_string(section));
        bool good = false;
        if (section->failed)
            return damaged(error, "a section of certificates is cut short");
        switch (type) {
        case KRL_SECTION_CERT_SERIAL_LIST:
            good = read_list(krl, authority, &data, error);
            break;
        case KRL_SECTION_CERT_SERIAL_RANGE:
            good = read_range(krl, authority, &data, error);
            break;
        case KRL_SECTION_CERT_SERIAL_BITMAP:
            good = read_bitmap(krl, authority, &data, error);
            break;
        case KRL_SECTION_CERT_KEY_ID:
            good = read_ids(krl, authority, &data, error);
            break;
        case KRL_SECTION_CERT_EXTENSION:
            good = read_extension(&data, error);
            break;
        default:
            ly_error_set(error, LY_ERROR_INVALID, "the KRL has a section of certificates of unknown type %u",
                         type);
        }
        if (!good)
            return false;
    }
    return true;
}

/* `len`: of each; 0: any. */
static bool read_blobs(LyKrl *krl, LyKrlSet *set, LyReader *section, size_t len, LyError *error)
{
    while (section->len) {
        LyBytes blob = ly_get_string(section);
        if (section->failed)
            return damaged(error, "a section of keys is cut short");
        if (len && blob.len != len)
            return damaged(error, "a digest has a wrong length");
        if (!ly_krl_room(krl, error))
            return false;
        ly_krl_append(krl, set, blob);
    }
    return true;
}

static bool read_section(LyKrl *krl, uint8_t type, LyReader *section, LyError *error)
{
    switch (type) {
    case KRL_SECTION_CERTIFICATES:
        return read_certificates(krl, section, error);
    case KRL_SECTION_EXPLICIT_KEY:
        return read_blobs(krl, &krl->keys, section, 0, error);
    case KRL_SECTION_FINGERPRINT_SHA1:
        return read_blobs(krl, &krl->sha1, section, ly_hash_len(LY_SHA1), error);
    case KRL_SECTION_FINGERPRINT_SHA256:
        return read_blobs(krl, &krl->sha256, section, ly_hash_len(LY_SHA256), error);
    case KRL_SECTION_EXTENSION:
        return read_extension(section, error);
    case KRL_SECTION_SIGNATURE:
        return ly_error_set(error, LY_ERROR_UNSUPPORTED,
                            "the KRL is signed, and nothing checks such signatures: make it without");
    default:
        return ly_error_set(error, LY_ERROR_INVALID, "the KRL has a section of unknown type %u", type);
    }
}

static bool read_krl(LyKrl *krl, LyReader *reader, LyError *error)
{
    uint32_t format = ly_get_u32(reader);
    if (!reader->failed && format != LY_KRL_FORMAT)
        return ly_error_set(error, LY_ERROR_INVALID, "the KRL's format is %u: only 1 is known", format);
    krl->version = ly_get_u64(reader);
    krl->generated = ly_get_u64(reader);
    krl->flags = ly_get_u64(reader);
    ly_get_string(reader); /* reserved */
    if (!get_text(reader, &krl->comment))
        return damaged(error, "its head is cut short, or its comment holds a NUL");
    while (reader->len) {
        uint8_t type = ly_get_u8(reader);
        LyReader section = ly_reader(ly_get_string(reader));
        if (reader->failed)
            return damaged(error, "a section is cut short");
        if (!read_section(krl, type, &section, error))
            return false;
    }
    return true;
}

LyKrl *ly_krl_read(LyCrypto *crypto, LyBytes binary, LyError *error)
{
    if (binary.len < LY_KRL_MAGIC_LEN || memcmp(binary.data, LY_KRL_MAGIC, LY_KRL_MAGIC_LEN) != 0) {
        ly_error_set(error, LY_ERROR_INVALID, "this is not a KRL: it does not start as one");
        return NULL;
    }
    if (binary.len > LY_KRL_LIMIT) {
        ly_error_set(error, LY_ERROR_LIMIT, "a KRL of %zu bytes is refused: the limit is %zu", binary.len,
                     LY_KRL_LIMIT);
        return NULL;
    }
    LyKrl *krl = ly_krl_new(crypto);
    LyReader reader = ly_reader(ly_krl_keep(krl, binary)); /* all views are into this copy */
    ly_get_bytes(&reader, LY_KRL_MAGIC_LEN);
    if (!read_krl(krl, &reader, error)) {
        ly_krl_free(krl);
        return NULL;
    }
    ly_krl_settle(krl);
    return krl;
}
