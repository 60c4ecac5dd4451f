#include <limits.h>
#include <openssl/err.h>

#include "base/memory.h"
#include "base/wire.h"
#include "crypto/cipher-private.h"

#define POLY1305_LEN 16

EVP_CIPHER_CTX *ly_cipher_context(LyCrypto *crypto, const char *fetch, LyBytes key, const uint8_t *iv,
                                  size_t discard, bool encrypt, LyError *error)
{
    uint8_t dropped[256];
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(crypto->library, fetch, NULL);
    EVP_CIPHER_CTX *context = cipher ? EVP_CIPHER_CTX_new() : NULL;
    /* The cipher first, then the key: between them its length is set, which RC4 leaves open. */
    bool ok = context && EVP_CipherInit_ex2(context, cipher, NULL, NULL, encrypt, NULL) &&
              ((size_t)EVP_CIPHER_CTX_get_key_length(context) == key.len ||
               EVP_CIPHER_CTX_set_key_length(context, (int)key.len) > 0);
    /* Only where there is padding, because each later init repeats the call. */
    if (ok && EVP_CIPHER_CTX_get_block_size(context) > 1)
        ok = EVP_CIPHER_CTX_set_padding(context, 0) > 0;
    ok = ok && EVP_CipherInit_ex2(context, NULL, key.data, iv, encrypt, NULL);
    EVP_CIPHER_free(cipher); /* the context holds its own reference */
    while (ok && discard) {
        size_t len = LY_MIN(discard, sizeof dropped);
        memset(dropped, 0, len);
        ok = ly_cipher_update(context, dropped, len, dropped, NULL);
        discard -= len;
    }
    if (ok)
        return context;
    EVP_CIPHER_CTX_free(context);
    ly_crypto_failed(error, "use %s", fetch);
    return NULL;
}

bool ly_cipher_update(EVP_CIPHER_CTX *context, const uint8_t *in, size_t len, uint8_t *out, size_t *written)
{
    int count = 0;
    if (len > INT_MAX || (len && !EVP_CipherUpdate(context, out, &count, in, (int)len)))
        return false;
    if (written)
        *written = (size_t)count;
    return written || (size_t)count == len;
}

void ly_chacha_iv(uint64_t nonce, uint8_t iv[16])
{
    memset(iv, 0, 8);
    ly_store_u64(iv + 8, nonce);
}

bool ly_chacha_begin(EVP_CIPHER_CTX *chacha, EVP_MAC_CTX *poly1305, uint64_t nonce)
{
    static const uint8_t zeros[64];
    uint8_t iv[16], block[64]; /* taking the whole of block 0 leaves the counter at 1 */
    ly_chacha_iv(nonce, iv);
    bool ok = EVP_CipherInit_ex2(chacha, NULL, NULL, iv, -1, NULL) &&
              ly_cipher_update(chacha, zeros, sizeof zeros, block, NULL) &&
              EVP_MAC_init(poly1305, block, 32, NULL);
    ly_cleanse(block, sizeof block);
    return ok;
}

/* What ly_cipher_once needs to know of a cipher. */
typedef struct Once {
    const char *fetch;
    char name[32]; /* `fetch` points here for OpenSSL's names */
    LyCipherKind kind;
    size_t key_len, iv_len, block_len, tag_len, discard;
} Once;

/* OpenSSL's names come from files (DEK-Info), so only what a key file can mean by them is let through: plain
 * block ciphers in the modes without a tag. */
static bool find_by_openssl_name(LyCrypto *crypto, LyBytes name, Once *once)
{
    if (name.len == 0 || name.len >= sizeof once->name || ly_bytes_has_nul(name))
        return false;
    memcpy(once->name, name.data, name.len);
    once->name[name.len] = 0;
    ERR_set_mark();
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(crypto->library, once->name, NULL);
    ERR_pop_to_mark();
    if (!cipher)
        return false;
    int mode = EVP_CIPHER_get_mode(cipher);
    unsigned long flags = EVP_CIPHER_get_flags(cipher);
    bool plain = (mode == EVP_CIPH_CBC_MODE || mode == EVP_CIPH_CFB_MODE || mode == EVP_CIPH_OFB_MODE ||
                  mode == EVP_CIPH_CTR_MODE) &&
                 !(flags & (EVP_CIPH_FLAG_AEAD_CIPHER | EVP_CIPH_FLAG_CTS));
    once->fetch = once->name;
    once->kind = mode == EVP_CIPH_CBC_MODE ? LY_CIPHER_CBC : LY_CIPHER_STREAM;
    once->key_len = (size_t)EVP_CIPHER_get_key_length(cipher);
    once->iv_len = (size_t)EVP_CIPHER_get_iv_length(cipher);
    once->block_len = (size_t)EVP_CIPHER_get_block_size(cipher);
    once->tag_len = once->discard = 0;
    EVP_CIPHER_free(cipher);
    return plain;
}

static bool find(LyCrypto *crypto, LyBytes name, Once *once)
{
    const LyCipherInfo *info = ly_cipher_find(name);
    if (!info)
        return find_by_openssl_name(crypto, name, once);
    if (info->legacy && !ly_crypto_has_legacy(crypto))
        return false;
    once->fetch = info->fetch;
    once->kind = info->kind;
    once->key_len = info->key_len;
    once->iv_len = info->iv_len;
    once->block_len = info->block_len;
    once->tag_len = info->tag_len;
    once->discard = info->discard;
    return true;
}

bool ly_cipher_once_lengths(LyCrypto *crypto, LyBytes cipher, size_t *key_len, size_t *iv_len,
                            size_t *block_len, size_t *tag_len)
{
    Once once;
    if (!find(crypto, cipher, &once))
        return false;
    *key_len = once.key_len;
    *iv_len = once.iv_len;
    *block_len = once.block_len;
    *tag_len = once.tag_len;
    return true;
}

static bool tag_differs(LyError *error)
{
    ERR_clear_error();
    return ly_error_set(error, LY_ERROR_VERIFY,
                        "the tag of the encrypted bytes does not match: wrong key, or damaged");
}

/* `out` has room for the text and, encrypting, the tag. */
static bool run_gcm(EVP_CIPHER_CTX *context, bool encrypt, LyBytes text, const uint8_t *tag, uint8_t *out,
                    LyError *error)
{
    int rest;
    bool ok =
        (encrypt || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, POLY1305_LEN, (uint8_t *)tag) > 0) &&
        ly_cipher_update(context, text.data, text.len, out, NULL);
    if (!ok)
        return ly_crypto_failed(error, "run AES-GCM");
    if (EVP_CipherFinal_ex(context, out + text.len, &rest) <= 0)
        return tag_differs(error);
    return !encrypt ||
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, POLY1305_LEN, out + text.len) > 0 ||
           ly_crypto_failed(error, "run AES-GCM");
}

static bool run_chacha(LyCrypto *crypto, EVP_CIPHER_CTX *context, bool encrypt, LyBytes text,
                       const uint8_t *tag, uint8_t *out, LyError *error)
{
    uint8_t computed[POLY1305_LEN];
    size_t len;
    EVP_MAC_CTX *poly1305 = EVP_MAC_CTX_new(crypto->poly1305);
    bool ok = poly1305 && ly_chacha_begin(context, poly1305, 0) &&
              ly_cipher_update(context, text.data, text.len, out, NULL) &&
              EVP_MAC_update(poly1305, encrypt ? out : text.data, text.len) &&
              EVP_MAC_final(poly1305, computed, &len, sizeof computed);
    EVP_MAC_CTX_free(poly1305);
    if (!ok)
        return ly_crypto_failed(error, "run ChaCha20-Poly1305");
    if (encrypt)
        memcpy(out + text.len, computed, POLY1305_LEN);
    else if (!ly_bytes_equal_secret(ly_bytes(computed, POLY1305_LEN), ly_bytes(tag, POLY1305_LEN)))
        return tag_differs(error);
    return true;
}

static bool run(LyCrypto *crypto, const Once *once, bool encrypt, LyBytes key, LyBytes iv, LyBytes text,
                const uint8_t *tag, uint8_t *out, LyError *error)
{
    bool chacha = once->kind == LY_CIPHER_CHACHA;
    LyBytes used = chacha ? ly_bytes_slice(key, 0, 32) : key; /* the second half is for packets' lengths */
    EVP_CIPHER_CTX *context =
        ly_cipher_context(crypto, once->fetch, used, iv.len ? iv.data : NULL, once->discard, encrypt, error);
    if (!context)
        return false;
    bool ok;
    if (chacha)
        ok = run_chacha(crypto, context, encrypt, text, tag, out, error);
    else if (once->kind == LY_CIPHER_GCM)
        ok = run_gcm(context, encrypt, text, tag, out, error);
    else
        ok = ly_cipher_update(context, text.data, text.len, out, NULL) ||
             ly_crypto_failed(error, "run %s", once->fetch);
    EVP_CIPHER_CTX_free(context);
    return ok;
}

bool ly_cipher_once(LyCrypto *crypto, LyBytes cipher, bool encrypt, LyBytes key, LyBytes iv, LyBytes in,
                    LyBuf *out, LyError *error)
{
    Once once;
    if (!find(crypto, cipher, &once))
        return ly_error_set(error, LY_ERROR_UNSUPPORTED, "the cipher %s is not known here",
                            LY_PRINTABLE(cipher));
    size_t tag_in = encrypt ? 0 : once.tag_len, tag_out = encrypt ? once.tag_len : 0;
    if (key.len != once.key_len || iv.len != once.iv_len || in.len < tag_in || in.len > INT_MAX ||
        (once.kind == LY_CIPHER_CBC && in.len % once.block_len))
        return ly_error_set(error, LY_ERROR_INVALID,
                            "%zu bytes with a key of %zu and an IV of %zu do not fit %s", in.len, key.len,
                            iv.len, LY_PRINTABLE(cipher));
    LyBytes text = ly_bytes_slice(in, 0, in.len - tag_in);
    uint8_t *room = ly_buf_room(out, text.len + tag_out);
    if (!room)
        return ly_error_set(error, LY_ERROR_LIMIT, "%zu bytes are more than the limit", text.len + tag_out);
    if (!run(crypto, &once, encrypt, key, iv, text, tag_in ? in.data + text.len : NULL, room, error)) {
        ly_cleanse(room, text.len + tag_out);
        return false;
    }
    ly_buf_added(out, text.len + tag_out);
    return true;
}
