/* core/crypto: digests, one-shot ciphers, and packet protection against vectors of other implementations,
 * every cipher with every MAC, in both directions, and under damage. */
#include <glib.h>

#include "base/auto.h"
#include "base/names.h"
#include "base/wire.h"
#include "crypto/hash.h"
#include "crypto/protection.h"

#define PACKET_ROOM (1 << 17)

static LyCrypto *crypto;

/* The bytes that pairs of hex digits stand for, in memory that lives as long as `into`. */
static LyBytes hex(LyBuf *into, const char *digits)
{
    size_t len = strlen(digits) / 2;
    ly_buf_clear(into);
    uint8_t *room = ly_buf_room(into, LY_MAX(len, (size_t)1));
    for (size_t i = 0; i < len; i++)
        room[i] =
            (uint8_t)(g_ascii_xdigit_value(digits[2 * i]) << 4 | g_ascii_xdigit_value(digits[2 * i + 1]));
    ly_buf_added(into, len);
    return ly_bytes(room, len);
}

/* len bytes from `start` on; len up to 64. */
static LyBytes counting(uint8_t *room, uint8_t start, size_t len)
{
    for (size_t i = 0; i < len; i++)
        room[i] = (uint8_t)(start + i);
    return ly_bytes(room, len);
}

static void test_hash(void)
{
    /* FIPS 180 and RFC 1321, "abc"; in one part and in three. */
    static const struct {
        LyHash hash;
        const char *name, *digest;
    } vectors[] = {
        {LY_MD5, "md5", "900150983cd24fb0d6963f7d28e17f72"},
        {LY_SHA1, "sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {LY_SHA256, "sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {LY_SHA384, "sha384",
         "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"},
        {LY_SHA512, "sha512",
         "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
         "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
    };
    const LyBytes parts[] = {LY_BYTES("a"), {NULL, 0}, LY_BYTES("bc")};
    LY_AUTO(ly_buf_free) LyBuf expected = {0};
    for (size_t i = 0; i < LY_COUNT(vectors); i++) {
        uint8_t digest[LY_HASH_MAX];
        LyBytes want = hex(&expected, vectors[i].digest);
        g_assert_cmpuint(ly_hash_len(vectors[i].hash), ==, want.len);
        g_assert_cmpstr(ly_hash_name(vectors[i].hash), ==, vectors[i].name);
        g_assert_true(ly_hash(crypto, vectors[i].hash, parts, LY_COUNT(parts), digest));
        g_assert_cmpmem(digest, want.len, want.data, want.len);
        LyHasher *hasher = ly_hasher_new(crypto, vectors[i].hash);
        uint8_t pieces[LY_HASH_MAX];
        g_assert_nonnull(hasher);
        for (size_t k = 0; k < LY_COUNT(parts); k++)
            ly_hasher_update(hasher, parts[k]);
        ly_hasher_update(hasher, (LyBytes){0});
        g_assert_true(ly_hasher_finish(hasher, pieces));
        g_assert_cmpmem(pieces, ly_hash_len(vectors[i].hash), digest, ly_hash_len(vectors[i].hash));
        ly_hasher_update(hasher, LY_BYTES("more"));
        g_assert_false(ly_hasher_finish(hasher, pieces)); /* once */
        ly_hasher_free(hasher);
        g_assert_true(ly_hash(crypto, vectors[i].hash, &LY_BYTES("abc"), 1, digest));
        g_assert_cmpmem(digest, want.len, want.data, want.len);
    }
}

static void test_hmac(void)
{
    static const struct {
        LyHash hash;
        const char *key, *text, *mac; /* hex */
    } vectors[] = {
        /* RFC 4231 cases 1 and 2, RFC 2202 case 2, and the empty key of a plain PPK file's MAC. */
        {LY_SHA256, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {LY_SHA512, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
         "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
         "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
        {LY_SHA256, "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {LY_SHA384, "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
         "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649"},
        {LY_SHA1, "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
         "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
        {LY_MD5, "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
         "750c783e6ab0b503eaa86e310a5db738"},
        {LY_SHA256, "", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
    };
    LY_AUTO(ly_buf_free) LyBuf keys = {0}, texts = {0}, macs = {0};
    for (size_t i = 0; i < LY_COUNT(vectors); i++) {
        uint8_t mac[LY_HASH_MAX];
        LyBytes key = hex(&keys, vectors[i].key), text = hex(&texts, vectors[i].text),
                want = hex(&macs, vectors[i].mac);
        LyBytes parts[] = {ly_bytes_slice(text, 0, 3), ly_bytes_slice(text, 3, text.len)};
        g_assert_true(ly_hmac(crypto, vectors[i].hash, key, parts, 2, mac));
        g_assert_cmpmem(mac, ly_hash_len(vectors[i].hash), want.data, want.len);
    }
}

static void test_once(void)
{
    static const struct {
        const char *cipher, *key, *iv, *plain, *sealed;
    } vectors[] = {
        /* NIST SP 800-38A F.5.1, F.5.5 and F.2.1 (both names), first two blocks */
        {"aes128-ctr", "2b7e151628aed2a6abf7158809cf4f3c", "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
         "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
         "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"},
        {"aes256-ctr", "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
         "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
         "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
         "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"},
        {"aes128-cbc", "2b7e151628aed2a6abf7158809cf4f3c", "000102030405060708090a0b0c0d0e0f",
         "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
         "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"},
        {"AES-128-CBC", "2b7e151628aed2a6abf7158809cf4f3c", "000102030405060708090a0b0c0d0e0f",
         "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
         "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"},
        /* McGrew and Viega's GCM test cases 3, 13 and 14 */
        {"aes128-gcm@openssh.com", "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
         "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
         "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
         "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
         "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985"
         "4d5c2af327cd64a62cf35abd2ba6fab4"},
        {"aes256-gcm@openssh.com", "0000000000000000000000000000000000000000000000000000000000000000",
         "000000000000000000000000", "", "530f8afbc74536b9a963b4f1c4cb738b"},
        {"aes256-gcm", "0000000000000000000000000000000000000000000000000000000000000000",
         "000000000000000000000000", "00000000000000000000000000000000",
         "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
        /* RFC 8439 A.1 test vector 2 is block 1 of the key stream of zeros; the tag is computed apart */
        {"chacha20-poly1305@openssh.com",
         "0000000000000000000000000000000000000000000000000000000000000000"
         "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
         "",
         "0000000000000000000000000000000000000000000000000000000000000000"
         "0000000000000000000000000000000000000000000000000000000000000000",
         "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
         "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"
         "d15fcdffe28f9464d4d1918ae720e2e9"},
    };
    LY_AUTO(ly_buf_free) LyBuf keys = {0}, ivs = {0}, plains = {0}, sealeds = {0}, out = {0};
    for (size_t i = 0; i < LY_COUNT(vectors); i++) {
        LyBytes cipher = ly_bytes_str(vectors[i].cipher), key = hex(&keys, vectors[i].key),
                iv = hex(&ivs, vectors[i].iv);
        LyBytes plain = hex(&plains, vectors[i].plain), sealed = hex(&sealeds, vectors[i].sealed);
        LyError error = {0};
        size_t key_len, iv_len, block_len, tag_len;
        g_assert_true(ly_cipher_once_lengths(crypto, cipher, &key_len, &iv_len, &block_len, &tag_len));
        g_assert_true(key_len == key.len && iv_len == iv.len && plain.len + tag_len == sealed.len &&
                      block_len >= 8);
        ly_buf_clear(&out);
        ly_buf_add_str(&out, "x");
        g_assert_true(ly_cipher_once(crypto, cipher, true, key, iv, plain, &out, &error));
        g_assert_cmpmem(out.data + 1, out.len - 1, sealed.data, sealed.len);
        ly_buf_clear(&out);
        g_assert_true(ly_cipher_once(crypto, cipher, false, key, iv, sealed, &out, &error));
        g_assert_cmpmem(out.data, out.len, plain.data, plain.len);
        /* Every bit counts where there is a tag, and nothing comes out. */
        for (size_t bit = 0; tag_len && bit < sealed.len * 8; bit++) {
            sealeds.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            ly_buf_clear(&out);
            g_assert_false(ly_cipher_once(crypto, cipher, false, key, iv, sealed, &out, &error));
            g_assert_true(error.code == LY_ERROR_VERIFY && out.len == 0);
            sealeds.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        g_assert_false(
            ly_cipher_once(crypto, cipher, false, ly_bytes_slice(key, 1, key.len), iv, sealed, &out, &error));
        g_assert_cmpint(error.code, ==, LY_ERROR_INVALID);
        g_assert_false(
            ly_cipher_once(crypto, cipher, false, key, ly_bytes(key.data, iv.len + 1), sealed, &out, &error));
        g_assert_cmpint(error.code, ==, LY_ERROR_INVALID);
        if (tag_len || strstr(vectors[i].cipher, "cbc")) {
            g_assert_false(
                ly_cipher_once(crypto, cipher, false, key, iv, ly_bytes_slice(sealed, 0, 15), &out, &error));
            g_assert_cmpint(error.code, ==, LY_ERROR_INVALID);
        }
    }
    /* What is not a cipher of key files is not known, whatever OpenSSL knows. */
    static const char *const strangers[] = {"",
                                            "aes512-cbc",
                                            "AES-256-XTS",
                                            "AES-256-GCM",
                                            "AES-128-WRAP",
                                            "AES-128-CBC-HMAC-SHA1",
                                            "AES-128-CBC-CTS",
                                            "AES-128-ECB",
                                            "NULL",
                                            "AES-256-CBC AES-256-CBC AES-256-CBC"};
    for (size_t i = 0; i < LY_COUNT(strangers); i++) {
        LyError error = {0};
        g_assert_false(ly_cipher_once(crypto, ly_bytes_str(strangers[i]), true, LY_BYTES(""), LY_BYTES(""),
                                      LY_BYTES(""), &out, &error));
        g_assert_cmpint(error.code, ==, LY_ERROR_UNSUPPORTED);
    }
    size_t key_len, iv_len, block_len, tag_len;
    g_assert_true(
        ly_cipher_once_lengths(crypto, LY_BYTES("DES-EDE3-CBC"), &key_len, &iv_len, &block_len, &tag_len));
    g_assert_true(key_len == 24 && iv_len == 8 && block_len == 8 && tag_len == 0);
    g_assert_true(
        ly_cipher_once_lengths(crypto, LY_BYTES("AES-256-CFB"), &key_len, &iv_len, &block_len, &tag_len));
    g_assert_true(key_len == 32 && iv_len == 16 && block_len == 1 && tag_len == 0);
}

static void test_names(void)
{
    LyError error;
    LyCompressionKind kind = LY_COMPRESSION_NONE;
    LY_AUTO(ly_buf_free) LyBuf names = {0};
    LyCrypto *plain = ly_crypto_new(0, &error);
    bool aes = ly_crypto_has_aes_instructions();
    ly_cipher_names(plain, true, &names);
    g_assert_cmpstr(ly_buf_str(&names), ==,
                    aes ? "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,"
                          "aes128-ctr,aes192-ctr,aes256-ctr"
                        : "chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com,"
                          "aes128-ctr,aes192-ctr,aes256-ctr");
    ly_buf_clear(&names);
    ly_cipher_names(plain, false, &names);
    g_assert_true(ly_names_valid(ly_buf_bytes(&names)) &&
                  !ly_names_contain(ly_buf_bytes(&names), LY_BYTES("arcfour")));
    g_assert_true(ly_names_contain(ly_buf_bytes(&names), LY_BYTES("3des-cbc")));
    /* A legacy cipher without its provider is refused, not used. */
    uint8_t key[16] = {0};
    g_assert_null(ly_protection_new(plain, ly_cipher_find(LY_BYTES("arcfour")),
                                    ly_mac_find(LY_BYTES("hmac-md5")), ly_bytes(key, 16), LY_BYTES(""),
                                    ly_bytes(key, 16), true, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_CRYPTO);
    ly_buf_clear(&names);
    ly_cipher_names(crypto, false, &names);
    g_assert_true(ly_names_contain(ly_buf_bytes(&names), LY_BYTES("arcfour")) ==
                  ly_crypto_has_legacy(crypto));
    ly_buf_clear(&names);
    ly_mac_names(plain, true, &names);
    g_assert_cmpstr(ly_buf_str(&names), ==,
                    "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha1-etm@openssh.com,"
                    "hmac-sha2-256,hmac-sha2-512,hmac-sha1");
    ly_buf_clear(&names);
    ly_compression_names(plain, true, &names);
    g_assert_cmpstr(ly_buf_str(&names), ==, "none,zlib@openssh.com,zlib");
    g_assert_true(ly_compression_find(LY_BYTES("zlib"), &kind) && kind == LY_COMPRESSION_ZLIB);
    g_assert_false(ly_compression_find(LY_BYTES("zlib2"), &kind));
    g_assert_null(ly_cipher_find(LY_BYTES("aes128-ct")));
    g_assert_null(ly_mac_find(LY_BYTES("hmac-md5-9")));
    ly_crypto_unref(plain);
}

/* One direction's two ends, with keys that `salt` makes different. */
typedef struct Ends {
    const LyCipherInfo *cipher;
    const LyMacInfo *mac;
    LyProtection *seal, *open;
    uint32_t sealed, opened; /* sequence numbers */
} Ends;

static LyProtection *new_end(const LyCipherInfo *cipher, const LyMacInfo *mac, bool encrypt)
{
    uint8_t key[64], iv[64], mac_key[64];
    LyError error = {0};
    LyProtection *end = ly_protection_new(crypto, cipher, mac, counting(key, 0, cipher->key_len),
                                          counting(iv, 0xa0, cipher->iv_len),
                                          counting(mac_key, 0x40, mac ? mac->key_len : 0), encrypt, &error);
    g_assert_cmpstr(error.message, ==, "");
    g_assert_nonnull(end);
    return end;
}

static Ends new_ends(const char *cipher, const char *mac, uint32_t seq)
{
    Ends ends = {ly_cipher_find(ly_bytes_str(cipher)),
                 mac ? ly_mac_find(ly_bytes_str(mac)) : NULL,
                 NULL,
                 NULL,
                 seq,
                 seq};
    ends.seal = cipher ? new_end(ends.cipher, ends.mac, true) : ly_protection_new_none();
    ends.open = cipher ? new_end(ends.cipher, ends.mac, false) : ly_protection_new_none();
    return ends;
}

static void free_ends(Ends *ends)
{
    ly_protection_free(ends->seal);
    ly_protection_free(ends->open);
}

/* The least padding of 4 bytes or more, e0 e1 e2 ... */
static LyBytes padding_for(const LyProtection *protection, size_t payload_len, uint8_t *room)
{
    size_t block = ly_protection_block_len(protection), len = 4;
    while ((1 + payload_len + len + (ly_protection_aligns_length(protection) ? 4 : 0)) % block)
        len++;
    return counting(room, 0xe0, len);
}

/* Seals the parts to `wire`; gives the length with the tag. */
static size_t seal_packet(Ends *ends, const LyBytes *parts, size_t count, uint8_t *wire)
{
    uint8_t room[64];
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += parts[i].len;
    LyBytes padding = padding_for(ends->seal, len, room);
    size_t total = 5 + len + padding.len + ly_protection_tag_len(ends->seal);
    wire[total] = 0x77; /* nothing is written beyond */
    g_assert_true(ly_protection_seal(ends->seal, ends->sealed++, parts, count, padding, wire));
    g_assert_cmpuint(wire[total], ==, 0x77);
    return total;
}

static void open_packet(Ends *ends, uint8_t *wire, size_t total, LyBytes payload)
{
    uint8_t room[64];
    uint32_t packet_length = 0;
    size_t tag_len = ly_protection_tag_len(ends->open);
    g_assert_true(ly_protection_length(ends->open, ends->opened, wire, &packet_length));
    g_assert_cmpuint(packet_length, ==, total - tag_len - 4);
    g_assert_true(ly_protection_open(ends->open, ends->opened++, wire, packet_length));
    LyBytes padding = padding_for(ends->open, payload.len, room);
    g_assert_cmpuint(wire[4], ==, padding.len);
    g_assert_cmpmem(wire + 5, payload.len, payload.data, payload.len);
    g_assert_cmpmem(wire + 5 + payload.len, packet_length - 1 - payload.len, padding.data, padding.len);
}

static const LyBytes greeting = {(const uint8_t *)"\x5ehello, world", 13};

/* Two packets of `greeting`, sequence numbers ffffffff and 0, made by another program from key 00 01 ..., IV
 * a0 a1 ..., MAC key 40 41 ... and padding e0 e1 ... */
static void test_packet_vectors(void)
{
    static const struct {
        const char *cipher, *mac, *wire;
    } vectors[] = {
        {"aes128-gcm@openssh.com", NULL,
         "00000020b8d850de12e55c26aa0fda722a765081b10dc7ed65f0d546cffb9d76ac627f59c4068e65ac7de084f0878ae0"
         "73911c9d00000020eed72920008d43ccdcc017c2008d6719949797c61b1cd509277e3dbeff85a1b8c6f8a68973966e43"
         "6445297f461572ac"},
        {"aes256-gcm@openssh.com", NULL,
         "00000020f446144829a76d934212e8a16b1e203f924fbdf57450aa8576e5ca6b914485f0b7c0b97f05978931863627d7"
         "310f9cb000000020c992237f4798731494ba72f62ca3ed6d5314f3ca91d59e6d40e34ce2b88f28e5a08cea7440f98ff0"
         "43f15057389b778a"},
        {"chacha20-poly1305@openssh.com", NULL,
         "b90ee4a803cc64fec268bbceb641c4c01ee2e24ff459ddf329c833919178a04a87ba3ac6a50b5cbc04a5394094450e41"
         "12e62a54c18ac9fd33163313c327aec61a521710074ab3b54a84e675a45d8040ab4f9641997af54c"},
        {"aes128-ctr", "hmac-sha2-256",
         "5e18d1e2f843601baccf51fb14d0fefd76a65f3d75169d74b706505adf07c63680785c7511defb219cf9373288890edb"
         "f4d3d913ff870b5ce58e5aa8eeaeed33a44467577493dd9b656ea0524eb69f17767c32d371b208702881c46de59a92e7"
         "01188e8a4309255a4c09031070db8a3fb9e371a08c241cfccb5b346a7398b554"},
        {"aes192-ctr", "hmac-sha2-512-etm@openssh.com",
         "00000020ec9db983a3072b1528e7ca3fe6b965d19907a408b79da13b8483d26fa852af871473a88848b128f5fd08a4ee"
         "29d7270cf056b67fade1d10409fd2d99649102e4b5ce608f50e4bdf0713e190a355651404b479244da69c7c4fc15c811"
         "061e1df70000002070ad258b5715b820f4f9b61f7184baea48158956efded6396d1e278bbcb4615f6db90ccb3b63a775"
         "7a6e10c6dbe8890d13cb628df8d991fed4114aad9f65aff09b04ef355dba246f4257e2baaa16aa162a98210cec1be080"
         "0479c9c9186bdeed"},
        {"aes256-cbc", "hmac-sha1-etm@openssh.com",
         "00000020829e606ad0186df762753168e17b5e211e5e329e6adfb015262adfae3e8347b573ed4485028c039530542430"
         "3c4b73f69c1b7ff400000020b84d1aed650afe5e4df80ea2856e90e03f7c2efc76e5e27076710d1b44a2b88219d82133"
         "88191a06c52f97abd2478746db810b44"},
        {"3des-cbc", "hmac-sha1-96",
         "abf8e0090f8937ae1de17671e314fc6fa772a80b3d3a9a1b0fc7ae9ce6e64bcae3a1b485c49ff8e5e49ef8fb6fdc2b75"
         "d55e6625c7ec50b4d6eb9260038c1a1471a4460e8f25e92e"},
        {"arcfour256", "hmac-md5",
         "c63ff86aeb73ac8637f5e99a0225175177663e2e1b32b1d7cf72ca048f931f0b96cfae3520c9e608207409282adac179"
         "80f06322670e015879033d09abf4659fa8cd2fd61539713467512bf8ac635016"},
        {"arcfour", "hmac-md5",
         "e99c40ed41bc71a96ab7f8ea2eaa453dbf1561be1054a60bcf72ca048f931f0b96cfae3520c9e6088f9ea5cdff698b67"
         "3756243310748d6aed33dd3a50ae1d8fa8cd2fd61539713467512bf8ac635016"},
    };
    LY_AUTO(ly_buf_free) LyBuf wires = {0};
    for (size_t i = 0; i < LY_COUNT(vectors); i++) {
        if (ly_cipher_find(ly_bytes_str(vectors[i].cipher))->legacy && !ly_crypto_has_legacy(crypto))
            continue;
        Ends ends = new_ends(vectors[i].cipher, vectors[i].mac, UINT32_MAX);
        LyBytes wire = hex(&wires, vectors[i].wire);
        LyBytes parts[] = {ly_bytes_slice(greeting, 0, 1), ly_bytes_slice(greeting, 1, 5),
                           ly_bytes_slice(greeting, 6, 99)};
        uint8_t made[256];
        size_t first = seal_packet(&ends, parts, 3, made),
               both = first + seal_packet(&ends, &greeting, 1, made + first);
        g_assert_cmpmem(made, both, wire.data, wire.len);
        open_packet(&ends, made, first, greeting);
        open_packet(&ends, made + first, both - first, greeting);
        g_assert_true(ends.sealed == 1 && ends.opened == 1);
        free_ends(&ends);
    }
}

/* Calls `body` for each cipher with each MAC that it can have, and for no cipher at all. */
static void each_pair(void (*body)(const char *cipher, const char *mac))
{
    LY_AUTO(ly_buf_free) LyBuf ciphers = {0}, macs = {0};
    LyBytes cipher, mac, left, each;
    ly_cipher_names(crypto, false, &ciphers);
    ly_mac_names(crypto, false, &macs);
    for (left = ly_buf_bytes(&ciphers); ly_names_next(&left, &cipher);) {
        g_autofree char *cipher_name = g_strndup((const char *)cipher.data, cipher.len);
        if (ly_cipher_find(cipher)->tag_len) {
            body(cipher_name, NULL);
            continue;
        }
        for (each = ly_buf_bytes(&macs); ly_names_next(&each, &mac);) {
            g_autofree char *mac_name = g_strndup((const char *)mac.data, mac.len);
            body(cipher_name, mac_name);
        }
    }
}

static uint8_t *payload_bytes, *wire_bytes; /* PACKET_ROOM each */

/* Payloads of many sizes in several parts, over the wrap of the sequence number, some packets ahead of their
 * opening, while the other direction does the same with packets of its own. */
static void round_trip(const char *cipher, const char *mac)
{
    static const size_t sizes[] = {0, 1, 8, 31, 32768, 2, 255};
    Ends ends[2] = {new_ends(cipher, mac, UINT32_MAX - 2), new_ends(cipher, mac, 0)};
    for (size_t i = 0; i < LY_COUNT(sizes); i++) {
        for (size_t way = 0; way < 2; way++) {
            LyBytes all = ly_bytes(payload_bytes + i + way, sizes[i]),
                    next = ly_bytes(payload_bytes + i + way + 9, 17);
            size_t cut = sizes[i] / 3, cut2 = cut + LY_MIN(sizes[i] - cut, (size_t)21);
            LyBytes parts[] = {ly_bytes_slice(all, 0, cut),
                               {NULL, 0},
                               ly_bytes_slice(all, cut, cut2 - cut),
                               ly_bytes_slice(all, cut2, sizes[i])};
            size_t total = seal_packet(&ends[way], parts, LY_COUNT(parts), wire_bytes);
            size_t more = seal_packet(&ends[way], &next, 1, wire_bytes + total);
            open_packet(&ends[way], wire_bytes, total, all);
            open_packet(&ends[way], wire_bytes + total, more, next);
        }
    }
    free_ends(&ends[0]);
    free_ends(&ends[1]);
}

static void test_round_trips(void)
{
    each_pair(round_trip);
    round_trip(NULL, NULL);
}

static void must_not_open(const char *cipher, const char *mac, uint32_t seq, const uint8_t *wire,
                          size_t total)
{
    uint8_t copy[1024] = {0};
    uint32_t packet_length;
    Ends ends = {
        ly_cipher_find(ly_bytes_str(cipher)), mac ? ly_mac_find(ly_bytes_str(mac)) : NULL, NULL, NULL, 0, 0};
    LyProtection *open = new_end(ends.cipher, ends.mac, false);
    memcpy(copy, wire, total);
    g_assert_true(ly_protection_length(open, seq, copy, &packet_length));
    /* A length that is not in the buffer is for the transport to refuse or wait for. */
    if (packet_length <= sizeof copy - 4 - ly_protection_tag_len(open))
        g_assert_false(ly_protection_open(open, seq, copy, packet_length));
    ly_protection_free(open);
}

static void flip_bits(const char *cipher, const char *mac)
{
    /* All MACs with one cipher of each kind, all ciphers with one MAC of each kind. */
    bool all_macs = g_str_equal(cipher, "aes128-ctr") || g_str_equal(cipher, "aes128-cbc");
    if (mac && !all_macs && !g_str_equal(mac, "hmac-sha2-256") &&
        !g_str_equal(mac, "hmac-sha1-etm@openssh.com"))
        return;
    uint8_t wire[256];
    Ends ends = new_ends(cipher, mac, 5);
    size_t total = seal_packet(&ends, &greeting, 1, wire);
    for (size_t bit = 0; bit < total * 8; bit++) {
        wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
        must_not_open(cipher, mac, 5, wire, total);
        wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    /* The right packet at the wrong place in the stream: GCM counts for itself, the others go by the number
     * they are told. */
    uint8_t second[256];
    size_t second_total = seal_packet(&ends, &greeting, 1, second);
    if (ends.cipher->kind == LY_CIPHER_GCM)
        must_not_open(cipher, mac, 6, second, second_total);
    else
        must_not_open(cipher, mac, 6, wire, total);
    open_packet(&ends, wire, total, greeting);
    open_packet(&ends, second, second_total, greeting);
    free_ends(&ends);
}

static void test_bit_flips(void)
{
    each_pair(flip_bits);
}

/* Keys that do not fit, padding that does not fill a block. */
static void test_refusals(void)
{
    uint8_t key[64] = {0}, wire[256];
    LyError error = {0};
    const LyCipherInfo *gcm = ly_cipher_find(LY_BYTES("aes128-gcm@openssh.com")),
                       *ctr = ly_cipher_find(LY_BYTES("aes128-ctr"));
    const LyMacInfo *mac = ly_mac_find(LY_BYTES("hmac-sha2-256"));
    LyBytes k16 = {key, 16}, k12 = {key, 12}, k32 = {key, 32}, none = {0};
    g_assert_null(ly_protection_new(crypto, gcm, mac, k16, k12, k32, true, &error));
    g_assert_null(ly_protection_new(crypto, gcm, NULL, k16, k16, none, true, &error));
    g_assert_null(ly_protection_new(crypto, gcm, NULL, k32, k12, none, true, &error));
    g_assert_null(ly_protection_new(crypto, ctr, NULL, k16, k16, none, true, &error));
    g_assert_null(ly_protection_new(crypto, ctr, mac, k16, k16, k16, true, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_CRYPTO);
    static const char *const ciphers[] = {"aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com"};
    for (size_t i = 0; i < LY_COUNT(ciphers); i++) {
        Ends ends = new_ends(ciphers[i], NULL, 0);
        uint8_t room[300];
        LyBytes padding = padding_for(ends.seal, greeting.len, room);
        g_assert_false(ly_protection_seal(ends.seal, 0, &greeting, 1, ly_bytes_slice(padding, 1, 99), wire));
        g_assert_false(ly_protection_seal(ends.seal, 0, &greeting, 1, ly_bytes(key, 256), wire));
        g_assert_false(ly_protection_seal(ends.seal, 0, &(LyBytes){key, SIZE_MAX - 3}, 1, padding, wire));
        g_assert_false(ly_protection_open(ends.open, 0, wire, 0));
        g_assert_false(ly_protection_open(ends.open, 0, wire, UINT32_MAX - 15));
        free_ends(&ends);
    }
}

int main(int argc, char **argv)
{
    LyError error = {0};
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(LY_CRYPTO_LEGACY, &error);
    g_assert_cmpstr(error.message, ==, "");
    payload_bytes = g_malloc(PACKET_ROOM);
    wire_bytes = g_malloc(PACKET_ROOM);
    ly_crypto_random(crypto, payload_bytes, PACKET_ROOM);
    g_test_add_func("/hash/digests", test_hash);
    g_test_add_func("/hash/hmac", test_hmac);
    g_test_add_func("/cipher/names", test_names);
    g_test_add_func("/cipher/once", test_once);
    g_test_add_func("/protection/vectors", test_packet_vectors);
    g_test_add_func("/protection/round-trips", test_round_trips);
    g_test_add_func("/protection/bit-flips", test_bit_flips);
    g_test_add_func("/protection/refusals", test_refusals);
    int status = g_test_run();
    g_free(payload_bytes);
    g_free(wire_bytes);
    ly_crypto_unref(crypto);
    return status;
}
