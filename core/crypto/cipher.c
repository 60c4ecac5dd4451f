#include "crypto/cipher.h"

/* RFC 4344 3.2: a cipher with blocks of 16 bytes changes keys after 2^(128/4) blocks, others after 1 GiB. */
#define WIDE ((uint64_t)1 << 32)
#define NARROW ((uint64_t)1 << 27)

/* In order of preference, the default list first. */
static const LyCipherInfo ciphers[] = {
    /* name, kind, key, iv, block, tag, by_default, legacy, discard, rekey_blocks, fetch */
    {"aes128-gcm@openssh.com", LY_CIPHER_GCM, 16, 12, 16, 16, true, false, 0, WIDE, "AES-128-GCM"},
    {"aes256-gcm@openssh.com", LY_CIPHER_GCM, 32, 12, 16, 16, true, false, 0, WIDE, "AES-256-GCM"},
    {"chacha20-poly1305@openssh.com", LY_CIPHER_CHACHA, 64, 0, 8, 16, true, false, 0, 0, "ChaCha20"},
    {"aes128-ctr", LY_CIPHER_STREAM, 16, 16, 16, 0, true, false, 0, WIDE, "AES-128-CTR"},
    {"aes192-ctr", LY_CIPHER_STREAM, 24, 16, 16, 0, true, false, 0, WIDE, "AES-192-CTR"},
    {"aes256-ctr", LY_CIPHER_STREAM, 32, 16, 16, 0, true, false, 0, WIDE, "AES-256-CTR"},
    {"aes128-gcm", LY_CIPHER_GCM, 16, 12, 16, 16, false, false, 0, WIDE, "AES-128-GCM"},
    {"aes256-gcm", LY_CIPHER_GCM, 32, 12, 16, 16, false, false, 0, WIDE, "AES-256-GCM"},
    {"aes128-cbc", LY_CIPHER_CBC, 16, 16, 16, 0, false, false, 0, WIDE, "AES-128-CBC"},
    {"aes192-cbc", LY_CIPHER_CBC, 24, 16, 16, 0, false, false, 0, WIDE, "AES-192-CBC"},
    {"aes256-cbc", LY_CIPHER_CBC, 32, 16, 16, 0, false, false, 0, WIDE, "AES-256-CBC"},
    {"3des-cbc", LY_CIPHER_CBC, 24, 8, 8, 0, false, false, 0, NARROW, "DES-EDE3-CBC"},
    {"blowfish-cbc", LY_CIPHER_CBC, 16, 8, 8, 0, false, true, 0, NARROW, "BF-CBC"},
    {"cast128-cbc", LY_CIPHER_CBC, 16, 8, 8, 0, false, true, 0, NARROW, "CAST5-CBC"},
    {"arcfour256", LY_CIPHER_STREAM, 32, 0, 8, 0, false, true, 1536, NARROW, "RC4"},
    {"arcfour128", LY_CIPHER_STREAM, 16, 0, 8, 0, false, true, 1536, NARROW, "RC4"},
    {"arcfour", LY_CIPHER_STREAM, 16, 0, 8, 0, false, true, 0, NARROW, "RC4"},
};

static const LyMacInfo macs[] = {
    /* name, key, tag, etm, by_default, digest */
    {"hmac-sha2-256-etm@openssh.com", 32, 32, true, true, "SHA2-256"},
    {"hmac-sha2-512-etm@openssh.com", 64, 64, true, true, "SHA2-512"},
    {"hmac-sha1-etm@openssh.com", 20, 20, true, true, "SHA1"},
    {"hmac-sha2-256", 32, 32, false, true, "SHA2-256"},
    {"hmac-sha2-512", 64, 64, false, true, "SHA2-512"},
    {"hmac-sha1", 20, 20, false, true, "SHA1"},
    {"hmac-md5", 16, 16, false, false, "MD5"},
    {"hmac-md5-96", 16, 12, false, false, "MD5"},
    {"hmac-sha1-96", 20, 12, false, false, "SHA1"},
    {"hmac-sha2-256-96", 32, 12, false, false, "SHA2-256"},
    {"hmac-sha2-512-96", 64, 12, false, false, "SHA2-512"},
    {"hmac-ripemd160", 20, 20, false, false, "RIPEMD-160"},
};

static const struct {
    const char *name;
    LyCompressionKind kind;
} compressions[] = {
    {"none", LY_COMPRESSION_NONE},
    {"zlib@openssh.com", LY_COMPRESSION_ZLIB_DELAYED},
    {"zlib", LY_COMPRESSION_ZLIB},
};

const LyCipherInfo *ly_cipher_find(LyBytes name)
{
    for (size_t i = 0; i < LY_COUNT(ciphers); i++)
        if (ly_bytes_is(name, ciphers[i].name))
            return &ciphers[i];
    return NULL;
}

const LyMacInfo *ly_mac_find(LyBytes name)
{
    for (size_t i = 0; i < LY_COUNT(macs); i++)
        if (ly_bytes_is(name, macs[i].name))
            return &macs[i];
    return NULL;
}

bool ly_compression_find(LyBytes name, LyCompressionKind *kind)
{
    for (size_t i = 0; i < LY_COUNT(compressions); i++) {
        if (ly_bytes_is(name, compressions[i].name)) {
            *kind = compressions[i].kind;
            return true;
        }
    }
    return false;
}

static void add_name(LyBuf *out, size_t start, const char *name)
{
    if (out->len > start)
        ly_buf_add_str(out, ",");
    ly_buf_add_str(out, name);
}

void ly_cipher_names(const LyCrypto *crypto, bool only_default, LyBuf *out)
{
    size_t start = out->len;
    bool chacha_first = !ly_crypto_has_aes_instructions();
    for (int pass = chacha_first ? 0 : 1; pass < 2; pass++) {
        for (size_t i = 0; i < LY_COUNT(ciphers); i++) {
            bool chacha = ciphers[i].kind == LY_CIPHER_CHACHA;
            if ((only_default && !ciphers[i].by_default) ||
                (ciphers[i].legacy && !ly_crypto_has_legacy(crypto)))
                continue;
            if (!chacha_first || chacha == (pass == 0))
                add_name(out, start, ciphers[i].name);
        }
    }
}

void ly_mac_names(const LyCrypto *crypto, bool only_default, LyBuf *out)
{
    size_t start = out->len;
    for (size_t i = 0; i < LY_COUNT(macs); i++)
        if (!only_default || macs[i].by_default)
            add_name(out, start, macs[i].name);
}

void ly_compression_names(const LyCrypto *crypto, bool only_default, LyBuf *out)
{
    size_t start = out->len;
    for (size_t i = 0; i < LY_COUNT(compressions); i++)
        add_name(out, start, compressions[i].name);
}
