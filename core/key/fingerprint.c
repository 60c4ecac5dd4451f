#include "key/fingerprint.h"

#include <stdio.h>

#include "base/auto.h"
#include "base/base64.h"
#include "base/hex.h"

void ly_key_put_fingerprint(LyCrypto *crypto, LyBytes plain_blob, LyHash hash, LyBuf *out)
{
    static const char *const names[LY_HASH_COUNT] = {"MD5", "SHA1", "SHA256", "SHA384", "SHA512"};
    uint8_t digest[LY_HASH_MAX];
    ly_buf_add_str(out, names[hash]);
    if (!ly_hash(crypto, hash, &plain_blob, 1, digest)) {
        ly_buf_add_str(out, ":?");
    } else if (hash == LY_MD5) {
        for (size_t i = 0; i < ly_hash_len(hash); i++)
            ly_buf_add_format(out, ":%02x", digest[i]);
    } else {
        ly_buf_add_str(out, ":");
        ly_base64_encode(out, ly_bytes(digest, ly_hash_len(hash)), 0);
        while (out->len && out->data[out->len - 1] == '=')
            out->len--;
    }
}

void ly_key_fingerprint(LyCrypto *crypto, LyBytes plain_blob, LyHash hash, char text[100])
{
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    ly_key_put_fingerprint(crypto, plain_blob, hash, &out);
    snprintf(text, 100, "%s", ly_buf_str(&out));
}

/* Antti Huima's bubble babble (draft-ietf-secsh-fingerprint): words of five letters for two bytes each, whose
 * vowels also carry a checksum of what came before. */
void ly_put_bubblebabble(LyBytes digest, LyBuf *out)
{
    static const char vowels[] = "aeiouy", consonants[] = "bcdfghklmnprstvzx";
    unsigned checksum = 1;
    ly_put_u8(out, 'x');
    for (size_t i = 0;; i += 2) {
        bool last = i + 1 >= digest.len;
        /* An even number of bytes ends with a word that has the checksum only. */
        unsigned a = i < digest.len ? digest.data[i] : 0;
        bool checksum_only = i >= digest.len;
        ly_put_u8(out, (uint8_t)vowels[((a >> 6) + checksum) % 6]);
        ly_put_u8(out, (uint8_t)(checksum_only ? 'x' : consonants[a >> 2 & 15]));
        ly_put_u8(out, (uint8_t)vowels[((a & 3) + checksum / 6) % 6]);
        if (last)
            break;
        unsigned b = digest.data[i + 1];
        ly_put_u8(out, (uint8_t)consonants[b >> 4]);
        ly_put_u8(out, '-');
        ly_put_u8(out, (uint8_t)consonants[b & 15]);
        checksum = (checksum * 5 + a * 7 + b) % 36;
    }
    ly_put_u8(out, 'x');
}

enum { WIDTH = 17, HEIGHT = 9 };

/* "+---[RSA 2048]----+": the text is a byte shorter than the picture is wide at most, as in ssh-keygen. */
static void put_border(const char *text, LyBuf *out)
{
    size_t len = LY_MIN(strlen(text), (size_t)(WIDTH - 1)), left = (WIDTH - len) / 2;
    ly_put_u8(out, '+');
    for (size_t i = 0; i < left; i++)
        ly_put_u8(out, '-');
    ly_buf_add(out, ly_bytes(text, len));
    for (size_t i = left + len; i < WIDTH; i++)
        ly_put_u8(out, '-');
    ly_put_u8(out, '+');
}

/* The drunken bishop: he starts in the middle, and each two bits of the digest, the lowest first, move him a
 * square on a diagonal; the picture shows how often he was where. */
void ly_put_randomart(LyBytes digest, const char *short_type, unsigned bits, const char *hash_name,
                      LyBuf *out)
{
    static const char visits[] = " .o+=*BOX@%&#/^";
    uint8_t squares[HEIGHT][WIDTH] = {{0}};
    int x = WIDTH / 2, y = HEIGHT / 2;
    for (size_t i = 0; i < digest.len * 4; i++) {
        unsigned move = digest.data[i / 4] >> i % 4 * 2;
        x = LY_MAX(0, LY_MIN(WIDTH - 1, x + (move & 1 ? 1 : -1)));
        y = LY_MAX(0, LY_MIN(HEIGHT - 1, y + (move & 2 ? 1 : -1)));
        if (squares[y][x] < sizeof visits - 2)
            squares[y][x]++;
    }
    char title[64], hash[32];
    if (snprintf(title, sizeof title, "[%s %u]", short_type, bits) > WIDTH)
        snprintf(title, sizeof title, "[%s]", short_type);
    snprintf(hash, sizeof hash, "[%s]", hash_name);
    put_border(title, out);
    for (int row = 0; row < HEIGHT; row++) {
        ly_buf_add_str(out, "\n|");
        for (int column = 0; column < WIDTH; column++) {
            char c = visits[squares[row][column]];
            if (column == WIDTH / 2 && row == HEIGHT / 2)
                c = 'S';
            if (column == x && row == y)
                c = 'E';
            ly_put_u8(out, (uint8_t)c);
        }
        ly_put_u8(out, '|');
    }
    ly_put_u8(out, '\n');
    put_border(hash, out);
}

static int sshfp_algorithm(const LyKeyType *type)
{
    static const uint8_t numbers[] = {
        [LY_PK_RSA] = 1, [LY_PK_DSA] = 2, [LY_PK_ECDSA] = 3, [LY_PK_ED25519] = 4, [LY_PK_ED448] = 6};
    return type->sk ? 0 : numbers[type->pk];
}

static bool put_sshfp(LyCrypto *crypto, const LyKey *key, const char *host, LyHash hash, bool generic,
                      LyBuf *out, LyError *error)
{
    int algorithm = sshfp_algorithm(ly_key_type(key)), fingerprint = hash == LY_SHA1 ? 1 : 2;
    LyBytes blob = ly_key_plain_blob(key);
    uint8_t digest[LY_HASH_MAX];
    if (!ly_hash(crypto, hash, &blob, 1, digest))
        return ly_error_set(error, LY_ERROR_CRYPTO, "libcrypto cannot compute %s", ly_hash_name(hash));
    if (generic)
        ly_buf_add_format(out, "%s IN TYPE44 \\# %zu %02x %02x ", host, 2 + ly_hash_len(hash), algorithm,
                          fingerprint);
    else
        ly_buf_add_format(out, "%s IN SSHFP %d %d ", host, algorithm, fingerprint);
    ly_put_hex(ly_bytes(digest, ly_hash_len(hash)), out);
    ly_put_u8(out, '\n');
    return true;
}

bool ly_key_put_sshfp(LyCrypto *crypto, const LyKey *key, const char *host, LyHash hash, bool generic,
                      LyBuf *out, LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf records = {0};
    if (sshfp_algorithm(ly_key_type(key)) == 0)
        return ly_error_set(error, LY_ERROR_UNSUPPORTED, "%s keys have no number in SSHFP records",
                            ly_key_type_name(key));
    if (hash != LY_SHA1 && hash != LY_SHA256 && hash != LY_HASH_COUNT)
        return ly_error_set(error, LY_ERROR_UNSUPPORTED,
                            "%s has no number in SSHFP records: sha1 and sha256 have", ly_hash_name(hash));
    for (const char *c = host; *c || c == host; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f)
            return ly_error_set(error, LY_ERROR_INVALID, "\"%s\" is not a host's name for a DNS record",
                                LY_PRINTABLE(ly_bytes_str(host)));
    if ((hash != LY_SHA256 && !put_sshfp(crypto, key, host, LY_SHA1, generic, &records, error)) ||
        (hash != LY_SHA1 && !put_sshfp(crypto, key, host, LY_SHA256, generic, &records, error)))
        return false;
    ly_buf_add(out, ly_buf_bytes(&records));
    return true;
}
