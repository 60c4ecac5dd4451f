#include "crypto/protection.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include "base/memory.h"
#include "base/wire.h"
#include "crypto/cipher-private.h"

#define AEAD_TAG_LEN 16
#define GCM_IV_LEN 12

/* The ways of joining cipher and MAC. */
typedef enum Manner { CLEAR, ENCRYPT_AND_MAC, ENCRYPT_THEN_MAC, GCM, CHACHA, MANNER_COUNT } Manner;

/* Everything a packet needs is made at the start: a packet fetches nothing and keys nothing but Poly1305. */
struct LyProtection {
    Manner manner;
    size_t block_len, tag_len;
    EVP_CIPHER_CTX *cipher;
    EVP_CIPHER_CTX *length_cipher; /* ChaCha with K_1 */
    EVP_MAC_CTX *mac;              /* HMAC, or Poly1305 */
    uint8_t iv[GCM_IV_LEN];        /* GCM: of the next packet */
};

LyProtection *ly_protection_new_none(void)
{
    LyProtection *protection = ly_new(LyProtection);
    protection->block_len = 8;
    return protection;
}

static bool set_up_hmac(LyProtection *protection, LyCrypto *crypto, const LyMacInfo *mac, LyBytes key,
                        LyError *error)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)mac->digest, 0),
        OSSL_PARAM_construct_end(),
    };
    protection->tag_len = mac->tag_len;
    protection->mac = EVP_MAC_CTX_new(crypto->hmac);
    return (protection->mac && EVP_MAC_init(protection->mac, key.data, key.len, params)) ||
           ly_crypto_failed(error, "use %s", mac->name);
}

static bool set_up(LyProtection *protection, LyCrypto *crypto, const LyCipherInfo *cipher,
                   const LyMacInfo *mac, LyBytes key, LyBytes iv, LyBytes mac_key, bool encrypt,
                   LyError *error)
{
    bool chacha = cipher->kind == LY_CIPHER_CHACHA, gcm = cipher->kind == LY_CIPHER_GCM;
    if (cipher->kind == LY_CIPHER_NONE || key.len != cipher->key_len || iv.len != cipher->iv_len ||
        (chacha || gcm) != !mac || (mac && mac_key.len != mac->key_len))
        return ly_error_set(error, LY_ERROR_CRYPTO, "the keys do not fit %s with %s", cipher->name,
                            mac ? mac->name : "no MAC");
    LyBytes main_key = chacha ? ly_bytes_slice(key, 0, 32) : key;
    protection->manner = chacha ? CHACHA : gcm ? GCM : mac->etm ? ENCRYPT_THEN_MAC : ENCRYPT_AND_MAC;
    protection->block_len = cipher->block_len;
    protection->tag_len = AEAD_TAG_LEN;
    protection->cipher = ly_cipher_context(crypto, cipher->fetch, main_key, iv.len ? iv.data : NULL,
                                           cipher->discard, encrypt, error);
    if (!protection->cipher)
        return false;
    if (mac)
        return set_up_hmac(protection, crypto, mac, mac_key, error);
    if (gcm) {
        memcpy(protection->iv, iv.data, GCM_IV_LEN);
        return true;
    }
    protection->length_cipher =
        ly_cipher_context(crypto, cipher->fetch, ly_bytes_slice(key, 32, 32), NULL, 0, encrypt, error);
    protection->mac = EVP_MAC_CTX_new(crypto->poly1305);
    return protection->length_cipher && (protection->mac || ly_crypto_failed(error, "use Poly1305"));
}

LyProtection *ly_protection_new(LyCrypto *crypto, const LyCipherInfo *cipher, const LyMacInfo *mac,
                                LyBytes key, LyBytes iv, LyBytes mac_key, bool encrypt, LyError *error)
{
    LyProtection *protection = ly_new(LyProtection);
    if (!set_up(protection, crypto, cipher, mac, key, iv, mac_key, encrypt, error)) {
        ly_protection_free(protection);
        return NULL;
    }
    return protection;
}

void ly_protection_free(LyProtection *protection)
{
    if (!protection)
        return;
    EVP_CIPHER_CTX_free(protection->cipher);
    EVP_CIPHER_CTX_free(protection->length_cipher);
    EVP_MAC_CTX_free(protection->mac);
    ly_cleanse(protection, sizeof *protection);
    ly_free(protection);
}

size_t ly_protection_tag_len(const LyProtection *protection)
{
    return protection->tag_len;
}

size_t ly_protection_block_len(const LyProtection *protection)
{
    return protection->block_len;
}

bool ly_protection_aligns_length(const LyProtection *protection)
{
    return protection->manner <= ENCRYPT_AND_MAC;
}

size_t ly_protection_head_len(const LyProtection *protection)
{
    return protection->manner == ENCRYPT_AND_MAC ? protection->block_len : 4;
}

/* Does a packet of this length fill blocks, and can libcrypto count it? A cipher in CBC would keep what does
 * not. */
static bool fits(const LyProtection *protection, uint32_t packet_length)
{
    size_t aligned = (size_t)packet_length + (protection->manner == ENCRYPT_AND_MAC ? 4 : 0);
    return packet_length > 0 && packet_length <= INT_MAX - 256 && aligned % protection->block_len == 0;
}

/* One packet's HMAC: `tag` has room for tag_len. */
static bool compute_mac(LyProtection *protection, uint32_t seq, LyBytes head, const LyBytes *parts,
                        size_t count, LyBytes tail, uint8_t *tag)
{
    uint8_t number[4], full[EVP_MAX_MD_SIZE];
    size_t len;
    ly_store_u32(number, seq);
    /* No key: once more with the one it has. */
    bool ok = EVP_MAC_init(protection->mac, NULL, 0, NULL) && EVP_MAC_update(protection->mac, number, 4) &&
              EVP_MAC_update(protection->mac, head.data, head.len);
    for (size_t i = 0; ok && i < count; i++)
        ok = parts[i].len == 0 || EVP_MAC_update(protection->mac, parts[i].data, parts[i].len);
    ok = ok && (tail.len == 0 || EVP_MAC_update(protection->mac, tail.data, tail.len)) &&
         EVP_MAC_final(protection->mac, full, &len, sizeof full) && len >= protection->tag_len;
    if (ok)
        memcpy(tag, full, protection->tag_len);
    return ok;
}

static bool same_tag(const LyProtection *protection, const uint8_t *computed, const uint8_t *received)
{
    return ly_bytes_equal_secret(ly_bytes(computed, protection->tag_len),
                                 ly_bytes(received, protection->tag_len));
}

/* The four bytes of ChaCha's length, to or from the wire. */
static bool crypt_chacha_length(LyProtection *protection, uint32_t seq, const uint8_t *from, uint8_t *to)
{
    uint8_t iv[16];
    ly_chacha_iv(seq, iv);
    return EVP_CipherInit_ex2(protection->length_cipher, NULL, NULL, iv, -1, NULL) &&
           ly_cipher_update(protection->length_cipher, from, 4, to, NULL);
}

static bool compute_poly1305(LyProtection *protection, const uint8_t *packet, size_t len, uint8_t *tag)
{
    size_t tag_len;
    return EVP_MAC_update(protection->mac, packet, len) &&
           EVP_MAC_final(protection->mac, tag, &tag_len, AEAD_TAG_LEN);
}

/* Sets the packet's IV and gives the length bytes as associated data; the invocation counter in the IV moves
 * on (RFC 5647 7.1: the last 8 bytes, big-endian, without a carry into the first 4). */
static bool begin_gcm(LyProtection *protection, const uint8_t *length)
{
    int count;
    bool ok = EVP_CipherInit_ex2(protection->cipher, NULL, NULL, protection->iv, -1, NULL) &&
              EVP_CipherUpdate(protection->cipher, NULL, &count, length, 4);
    ly_store_u64(protection->iv + 4, ly_load_u64(protection->iv + 4) + 1);
    return ok;
}

bool ly_protection_length(LyProtection *protection, uint32_t seq, uint8_t *head, uint32_t *packet_length)
{
    uint8_t length[4];
    bool ok = true;
    const uint8_t *from = head;
    if (protection->manner == ENCRYPT_AND_MAC) {
        ok = ly_cipher_update(protection->cipher, head, protection->block_len, head, NULL);
    } else if (protection->manner == CHACHA) {
        /* Aside: the tag is over the encrypted bytes. */
        ok = crypt_chacha_length(protection, seq, head, length);
        from = length;
    }
    if (ok)
        *packet_length = ly_load_u32(from);
    else
        ERR_clear_error();
    return ok;
}

/* In these `len` is 4 + packet_length; the tag stands behind it. */
static bool open_encrypt_and_mac(LyProtection *protection, uint32_t seq, uint8_t *packet, size_t len)
{
    uint8_t tag[LY_HASH_MAX];
    size_t head = protection->block_len; /* decrypted when the length was read */
    return len >= head &&
           ly_cipher_update(protection->cipher, packet + head, len - head, packet + head, NULL) &&
           compute_mac(protection, seq, ly_bytes(packet, len), NULL, 0, (LyBytes){0}, tag) &&
           same_tag(protection, tag, packet + len);
}

static bool open_encrypt_then_mac(LyProtection *protection, uint32_t seq, uint8_t *packet, size_t len)
{
    uint8_t tag[LY_HASH_MAX];
    return compute_mac(protection, seq, ly_bytes(packet, len), NULL, 0, (LyBytes){0}, tag) &&
           same_tag(protection, tag, packet + len) &&
           ly_cipher_update(protection->cipher, packet + 4, len - 4, packet + 4, NULL);
}

static bool open_gcm(LyProtection *protection, uint32_t seq, uint8_t *packet, size_t len)
{
    int rest;
    EVP_CIPHER_CTX *cipher = protection->cipher;
    bool ok = begin_gcm(protection, packet) &&
              EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_LEN, packet + len) > 0 &&
              ly_cipher_update(cipher, packet + 4, len - 4, packet + 4, NULL) &&
              EVP_CipherFinal_ex(cipher, packet + len, &rest) > 0;
    if (!ok)
        ly_cleanse(packet + 4, len - 4);
    return ok;
}

static bool open_chacha(LyProtection *protection, uint32_t seq, uint8_t *packet, size_t len)
{
    uint8_t tag[AEAD_TAG_LEN];
    return ly_chacha_begin(protection->cipher, protection->mac, seq) &&
           compute_poly1305(protection, packet, len, tag) && same_tag(protection, tag, packet + len) &&
           ly_cipher_update(protection->cipher, packet + 4, len - 4, packet + 4, NULL);
}

bool ly_protection_open(LyProtection *protection, uint32_t seq, uint8_t *packet, uint32_t packet_length)
{
    static bool (*const open[MANNER_COUNT])(LyProtection *, uint32_t, uint8_t *, size_t) = {
        [ENCRYPT_AND_MAC] = open_encrypt_and_mac,
        [ENCRYPT_THEN_MAC] = open_encrypt_then_mac,
        [GCM] = open_gcm,
        [CHACHA] = open_chacha,
    };
    if (protection->manner == CLEAR)
        return true; /* what a peer may send in the clear is for the transport to check */
    bool ok = fits(protection, packet_length) &&
              open[protection->manner](protection, seq, packet, (size_t)packet_length + 4);
    if (!ok)
        ERR_clear_error();
    return ok;
}

/* A packet that is being made: `head` is length and padding length, in the clear. */
typedef struct Packet {
    uint32_t seq;
    uint8_t head[5];
    const LyBytes *parts;
    size_t count;
    LyBytes padding;
    size_t len; /* 4 + packet_length */
} Packet;

static bool encrypt_piece(EVP_CIPHER_CTX *cipher, LyBytes piece, uint8_t **at)
{
    size_t written = 0;
    if (piece.len && !ly_cipher_update(cipher, piece.data, piece.len, *at, &written))
        return false;
    *at += written;
    return true;
}

/* All but the first `skip` bytes (sent otherwise), from where the parts lie to `out`. */
static bool encrypt_gathered(LyProtection *protection, const Packet *packet, size_t skip, uint8_t *out)
{
    uint8_t *at = out + skip;
    bool ok =
        encrypt_piece(protection->cipher, ly_bytes(packet->head + skip, sizeof packet->head - skip), &at);
    for (size_t i = 0; ok && i < packet->count; i++)
        ok = encrypt_piece(protection->cipher, packet->parts[i], &at);
    return ok && encrypt_piece(protection->cipher, packet->padding, &at) && (size_t)(at - out) == packet->len;
}

static bool seal_clear(LyProtection *protection, const Packet *packet, uint8_t *out)
{
    memcpy(out, packet->head, sizeof packet->head);
    out += sizeof packet->head;
    for (size_t i = 0; i < packet->count; i++) {
        if (packet->parts[i].len)
            memcpy(out, packet->parts[i].data, packet->parts[i].len);
        out += packet->parts[i].len;
    }
    if (packet->padding.len)
        memcpy(out, packet->padding.data, packet->padding.len);
    return true;
}

static bool seal_encrypt_and_mac(LyProtection *protection, const Packet *packet, uint8_t *out)
{
    LyBytes head = ly_bytes(packet->head, sizeof packet->head);
    return encrypt_gathered(protection, packet, 0, out) &&
           compute_mac(protection, packet->seq, head, packet->parts, packet->count, packet->padding,
                       out + packet->len);
}

static bool seal_encrypt_then_mac(LyProtection *protection, const Packet *packet, uint8_t *out)
{
    memcpy(out, packet->head, 4);
    return encrypt_gathered(protection, packet, 4, out) &&
           compute_mac(protection, packet->seq, ly_bytes(out, packet->len), NULL, 0, (LyBytes){0},
                       out + packet->len);
}

static bool seal_gcm(LyProtection *protection, const Packet *packet, uint8_t *out)
{
    int rest;
    EVP_CIPHER_CTX *cipher = protection->cipher;
    memcpy(out, packet->head, 4);
    return begin_gcm(protection, packet->head) && encrypt_gathered(protection, packet, 4, out) &&
           EVP_CipherFinal_ex(cipher, out + packet->len, &rest) > 0 &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_LEN, out + packet->len) > 0;
}

static bool seal_chacha(LyProtection *protection, const Packet *packet, uint8_t *out)
{
    return crypt_chacha_length(protection, packet->seq, packet->head, out) &&
           ly_chacha_begin(protection->cipher, protection->mac, packet->seq) &&
           encrypt_gathered(protection, packet, 4, out) &&
           compute_poly1305(protection, out, packet->len, out + packet->len);
}

bool ly_protection_seal(LyProtection *protection, uint32_t seq, const LyBytes *parts, size_t count,
                        LyBytes padding, uint8_t *out)
{
    static bool (*const seal[MANNER_COUNT])(LyProtection *, const Packet *, uint8_t *) = {
        [CLEAR] = seal_clear,
        [ENCRYPT_AND_MAC] = seal_encrypt_and_mac,
        [ENCRYPT_THEN_MAC] = seal_encrypt_then_mac,
        [GCM] = seal_gcm,
        [CHACHA] = seal_chacha,
    };
    Packet packet = {.seq = seq, .parts = parts, .count = count, .padding = padding};
    if (padding.len > UINT8_MAX)
        return false;
    size_t packet_length = 1 + padding.len;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > INT_MAX - packet_length)
            return false;
        packet_length += parts[i].len;
    }
    if (protection->manner != CLEAR && !fits(protection, (uint32_t)packet_length))
        return false;
    ly_store_u32(packet.head, (uint32_t)packet_length);
    packet.head[4] = (uint8_t)padding.len;
    packet.len = packet_length + 4;
    bool ok = seal[protection->manner](protection, &packet, out);
    if (!ok)
        ERR_clear_error();
    return ok;
}
