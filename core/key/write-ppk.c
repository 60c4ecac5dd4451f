/* PPK 2 and 3 out, byte for byte as PuTTY writes them. */
#include "base/auto.h"
#include "base/base64.h"
#include "base/secret.h"
#include "base/hex.h"
#include "key/ppk.h"
#include "key/write-private.h"

#define SALT_LEN 16
#define COLUMNS 64
#define DEFAULT_MEMORY_KIB 8192
#define DEFAULT_PASSES 13

static void put_private_part(const LyKeyNumbers *numbers, LyBuf *out)
{
    switch (numbers->type->pk) {
    case LY_PK_RSA:
        ly_put_mpint(out, numbers->d);
        ly_put_mpint(out, numbers->p);
        ly_put_mpint(out, numbers->q);
        ly_put_mpint(out, numbers->iqmp);
        break;
    case LY_PK_DSA:
        ly_put_mpint(out, numbers->x);
        break;
    case LY_PK_ECDSA:
        ly_put_mpint(out, numbers->scalar);
        break;
    case LY_PK_ED25519:
    case LY_PK_ED448:
        ly_put_string(out, numbers->seed);
        break;
    }
}

/* Padding is made of a digest, so that the same key under the same salt gives the same file. */
static bool pad(LyCrypto *crypto, LyBuf *private_part, LyError *error)
{
    uint8_t digest[LY_HASH_MAX];
    LyBytes all = ly_buf_bytes(private_part);
    if (!ly_hash(crypto, LY_SHA1, &all, 1, digest))
        return ly_error_set(error, LY_ERROR_CRYPTO, "libcrypto cannot compute SHA-1");
    ly_buf_add(private_part, ly_bytes(digest, (LY_PPK_BLOCK - all.len % LY_PPK_BLOCK) % LY_PPK_BLOCK));
    ly_cleanse(digest, sizeof digest);
    return true;
}

static bool choose_kdf(const LyKeyKdf *asked, LyPpk *ppk, LyError *error)
{
    static const char *const sha1 = "sha1";
    const LyPpkKdf *kdf = ly_ppk_kdf_find(ly_bytes_str(asked->name ? asked->name : "argon2id"));
    if (ppk->version < 3) {
        if (asked->name && strcmp(asked->name, sha1) != 0)
            return ly_error_set(error, LY_ERROR_UNSUPPORTED,
                                "PPK version 2 has no key derivation but sha1: version 3 has %s",
                                LY_PRINTABLE(ly_bytes_str(kdf ? kdf->kdf : "argon2id")));
        ppk->kdf.name = sha1;
        return true;
    }
    if (!kdf)
        return ly_error_set(error, LY_ERROR_UNSUPPORTED,
                            "PPK version 3 has the key derivations argon2id, argon2i and argon2d, not \"%s\"",
                            LY_PRINTABLE(ly_bytes_str(asked->name)));
    if (asked->memory_kib > UINT32_MAX)
        return ly_error_set(error, LY_ERROR_INVALID, "Argon2 can use at most %u KiB of memory", UINT32_MAX);
    ppk->kdf.name = kdf->kdf;
    ppk->kdf.memory_kib = asked->memory_kib ? asked->memory_kib : DEFAULT_MEMORY_KIB;
    ppk->kdf.passes = asked->passes ? asked->passes : DEFAULT_PASSES;
    ppk->kdf.lanes = asked->lanes ? asked->lanes : 1;
    LyArgon2Costs costs = {(uint32_t)ppk->kdf.memory_kib, ppk->kdf.passes, ppk->kdf.lanes};
    return ly_argon2_check(&costs, error);
}

static void put_hex_line(LyBuf *out, LyBytes bytes)
{
    ly_put_hex(bytes, out);
    ly_buf_add_str(out, "\n");
}

static void put_base64(LyBuf *out, const char *name, LyBytes bytes)
{
    size_t line_len = COLUMNS / 4 * 3; /* bytes a line */
    ly_buf_add_format(out, "%s-Lines: %zu\n", name, (bytes.len + line_len - 1) / line_len);
    ly_base64_encode(out, bytes, COLUMNS);
}

static void put_text(const LyPpk *ppk, LyBytes private_part, LyBytes mac, LyBuf *out)
{
    ly_buf_add_format(out, "PuTTY-User-Key-File-%u: ", ppk->version);
    ly_buf_add(out, ppk->type);
    ly_buf_add_format(out, "\nEncryption: %s\nComment: ", ppk->encrypted ? "aes256-cbc" : "none");
    ly_buf_add(out, ppk->comment);
    ly_buf_add_str(out, "\n");
    put_base64(out, "Public", ppk->public_blob);
    if (ppk->encrypted && ppk->version == 3) {
        ly_buf_add_format(out, "Key-Derivation: %s\n", ly_ppk_kdf_find(ly_bytes_str(ppk->kdf.name))->name);
        ly_buf_add_format(out, "Argon2-Memory: %llu\n", (unsigned long long)ppk->kdf.memory_kib);
        ly_buf_add_format(out, "Argon2-Passes: %u\n", ppk->kdf.passes);
        ly_buf_add_format(out, "Argon2-Parallelism: %u\nArgon2-Salt: ", ppk->kdf.lanes);
        put_hex_line(out, ppk->salt);
    }
    put_base64(out, "Private", private_part);
    ly_buf_add_str(out, "Private-MAC: ");
    put_hex_line(out, mac);
}

/* Encrypts, signs and writes what is described. */
static bool put_sealed(LyCrypto *crypto, const LyPpk *ppk, LyBytes passphrase, LyBytes private_part,
                       LyBuf *out, LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf sealed = {0};
    uint8_t mac[LY_HASH_MAX];
    size_t mac_len = 0;
    LyPpkKeys *keys = ly_secret_alloc(sizeof *keys);
    bool good = ly_ppk_derive(crypto, ppk, passphrase, keys, error) &&
                ly_ppk_mac(crypto, ppk, keys, private_part, mac, &mac_len, error) &&
                ly_ppk_crypt(crypto, ppk, keys, true, private_part, &sealed, error);
    ly_secret_free(keys);
    if (good)
        put_text(ppk, ly_buf_bytes(&sealed), ly_bytes(mac, mac_len), out);
    return good;
}

bool ly_key_put_ppk(LyCrypto *crypto, LyKey *key, LyKeyFormat format, const LyKeyWriteOptions *options,
                    LyBuf *out, LyError *error)
{
    static const LyKeyWriteOptions none = {0};
    options = options ? options : &none;
    /* PuTTY refuses padded mpints; inside a certificate they are the issuer's. */
    LyPpk ppk = {.version = format == LY_KEY_PPK3 ? 3 : 2,
                 .encrypted = options->passphrase.len > 0,
                 .type = ly_bytes_str(ly_key_type_name(key)),
                 .public_blob = ly_key_is_certificate(key) ? ly_key_blob(key) : ly_key_plain_blob(key)};
    uint8_t salt[SALT_LEN];
    LY_AUTO(ly_buf_free) LyBuf comment = {0}, private_part = {0};
    LyKeyNumbers numbers = {0};
    if (!ly_key_check(key, error))
        return false;
    if (ppk.encrypted && options->cipher && strcmp(options->cipher, "aes256-cbc") != 0)
        return ly_error_set(error, LY_ERROR_UNSUPPORTED,
                            "PPK has no cipher but aes256-cbc: \"%s\" cannot be used",
                            LY_PRINTABLE(ly_bytes_str(options->cipher)));
    if (ppk.encrypted && !choose_kdf(&options->kdf, &ppk, error))
        return false;
    for (size_t i = 0; i < ly_key_comment(key).len; i++) {
        /* The first two would end the line; at a NUL PuTTY's comment ends, and its MAC with it. */
        uint8_t c = ly_key_comment(key).data[i];
        ly_put_u8(&comment, c == '\n' || c == '\r' || c == 0 ? ' ' : c);
    }
    ppk.comment = ly_buf_bytes(&comment);
    ly_crypto_random(crypto, salt, sizeof salt);
    ppk.salt = ly_bytes(salt, sizeof salt);
    ly_key_get_numbers(key, &numbers);
    put_private_part(&numbers, &private_part);
    if (ppk.encrypted && !pad(crypto, &private_part, error))
        return false;
    return put_sealed(crypto, &ppk, options->passphrase, ly_buf_bytes(&private_part), out, error);
}
