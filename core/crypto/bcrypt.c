/* bcrypt_pbkdf: PBKDF2's shape around a bcrypt whose cost is 2^6 and whose inputs are SHA-512 digests.
 * Blowfish is written here because OpenSSL's cannot be keyed half way. */
#include "base/memory.h"
#include "base/secret.h"
#include "base/wire.h"
#include "crypto/bcrypt-tables.h"
#include "crypto/kdf.h"

#define DIGEST_LEN 64 /* SHA-512; both inputs of bcrypt_hash */
#define BLOCK_LEN 32  /* what bcrypt_hash gives */
#define COST 64       /* 2^6 expansions with salt and with passphrase */

typedef struct Blowfish {
    uint32_t p[18], s[4][256];
} Blowfish;

/* All that depends on the passphrase, in one piece of secret memory. */
typedef struct Work {
    Blowfish blowfish;
    uint8_t passphrase[DIGEST_LEN], salt[DIGEST_LEN];
    uint8_t hash[BLOCK_LEN], sum[BLOCK_LEN];
} Work;

static inline uint32_t round_function(const Blowfish *blowfish, uint32_t x)
{
    return ((blowfish->s[0][x >> 24] + blowfish->s[1][x >> 16 & 0xff]) ^ blowfish->s[2][x >> 8 & 0xff]) +
           blowfish->s[3][x & 0xff];
}

static inline void encrypt_pair(const Blowfish *blowfish, uint32_t pair[2])
{
    uint32_t left = pair[0] ^ blowfish->p[0], right = pair[1];
    for (int i = 1; i < 17; i += 2) {
        right ^= round_function(blowfish, left) ^ blowfish->p[i];
        left ^= round_function(blowfish, right) ^ blowfish->p[i + 1];
    }
    pair[0] = right ^ blowfish->p[17];
    pair[1] = left;
}

/* Stirs `key` into P, then replaces P and S by what the cipher makes of a running block, into which `salt`
 * goes first (NULL: nothing goes in). Both are DIGEST_LEN bytes and read around and around. */
static void expand(Blowfish *blowfish, const uint8_t *salt, const uint8_t *key)
{
    uint32_t *words[5] = {blowfish->p, blowfish->s[0], blowfish->s[1], blowfish->s[2], blowfish->s[3]};
    uint32_t pair[2] = {0, 0};
    size_t at = 0;
    for (size_t i = 0; i < 18; i++)
        blowfish->p[i] ^= ly_load_u32(key + i * 4 % DIGEST_LEN);
    for (size_t table = 0; table < 5; table++) {
        for (size_t i = 0, count = table ? 256 : 18; i < count; i += 2) {
            if (salt) {
                pair[0] ^= ly_load_u32(salt + at);
                pair[1] ^= ly_load_u32(salt + at + 4);
                at = (at + 8) % DIGEST_LEN;
            }
            encrypt_pair(blowfish, pair);
            words[table][i] = pair[0];
            words[table][i + 1] = pair[1];
        }
    }
}

/* work->hash from work->passphrase and work->salt. */
static void bcrypt_hash(Work *work)
{
    static const uint8_t magic[BLOCK_LEN + 1] = "OxychromaticBlowfishSwatDynamite";
    Blowfish *blowfish = &work->blowfish;
    memcpy(blowfish->p, pi_digits, sizeof blowfish->p);
    memcpy(blowfish->s, pi_digits + 18, sizeof blowfish->s);
    expand(blowfish, work->salt, work->passphrase);
    for (int i = 0; i < COST; i++) {
        expand(blowfish, NULL, work->salt);
        expand(blowfish, NULL, work->passphrase);
    }
    for (size_t at = 0; at < BLOCK_LEN; at += 8) {
        uint32_t pair[2] = {ly_load_u32(magic + at), ly_load_u32(magic + at + 4)};
        for (int i = 0; i < COST; i++)
            encrypt_pair(blowfish, pair);
        /* Little-endian, unlike all else here. */
        for (size_t i = 0; i < 8; i++)
            work->hash[at + i] = (uint8_t)(pair[i / 4] >> i % 4 * 8);
    }
}

/* Block `number` (from 1) of the derived key, to work->sum. */
static bool derive_block(LyCrypto *crypto, Work *work, LyBytes salt, uint32_t number, uint32_t rounds)
{
    uint8_t count[4];
    ly_store_u32(count, number);
    if (!ly_hash(crypto, LY_SHA512, (LyBytes[]){salt, {count, 4}}, 2, work->salt))
        return false;
    bcrypt_hash(work);
    memcpy(work->sum, work->hash, BLOCK_LEN);
    for (uint32_t round = 1; round < rounds; round++) {
        if (!ly_hash(crypto, LY_SHA512, &(LyBytes){work->hash, BLOCK_LEN}, 1, work->salt))
            return false;
        bcrypt_hash(work);
        for (size_t i = 0; i < BLOCK_LEN; i++)
            work->sum[i] ^= work->hash[i];
    }
    return true;
}

bool ly_bcrypt_pbkdf(LyCrypto *crypto, LyBytes passphrase, LyBytes salt, uint32_t rounds, uint8_t *out,
                     size_t out_len, LyError *error)
{
    if (passphrase.len == 0 || salt.len == 0 || rounds == 0 || out_len == 0 || out_len > 1024)
        return ly_error_set(
            error, LY_ERROR_INVALID,
            "bcrypt_pbkdf needs a passphrase, a salt, at least one round and an output of 1 to 1024 bytes");
    /* Blocks are dealt out, not laid end to end: byte i of block c goes to out[i * stride + c - 1]. */
    size_t stride = (out_len + BLOCK_LEN - 1) / BLOCK_LEN, take = (out_len + stride - 1) / stride;
    Work *work = ly_secret_alloc(sizeof *work);
    uint8_t key[1024];
    bool ok = ly_hash(crypto, LY_SHA512, &passphrase, 1, work->passphrase);
    for (size_t block = 0; ok && block < stride; block++) {
        ok = derive_block(crypto, work, salt, (uint32_t)block + 1, rounds);
        for (size_t i = 0; ok && i < take && i * stride + block < out_len; i++)
            key[i * stride + block] = work->sum[i];
    }
    ly_secret_free(work);
    if (ok)
        memcpy(out, key, out_len);
    ly_cleanse(key, sizeof key);
    return ok || ly_error_set(error, LY_ERROR_CRYPTO, "libcrypto cannot compute SHA-512");
}
