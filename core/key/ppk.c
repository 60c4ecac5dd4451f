/* PPK as PuTTY's manual describes it in its appendix on the format; where the manual and the program differ,
 * as the program does. */
#include "key/ppk.h"

#include "base/auto.h"
#include "base/secret.h"
#include "crypto/cipher.h"

const LyPpkKdf *ly_ppk_kdf_find(LyBytes name)
{
    static const LyPpkKdf kdfs[] = {{"Argon2id", "argon2id", LY_ARGON2ID},
                                    {"Argon2i", "argon2i", LY_ARGON2I},
                                    {"Argon2d", "argon2d", LY_ARGON2D}};
    for (size_t i = 0; i < LY_COUNT(kdfs); i++)
        if (ly_bytes_is(name, kdfs[i].name) || ly_bytes_is(name, kdfs[i].kdf))
            return &kdfs[i];
    return NULL;
}

static bool derive_sha1(LyCrypto *crypto, const LyPpk *ppk, LyBytes passphrase, LyPpkKeys *keys)
{
    uint8_t digests[2][LY_HASH_MAX];
    static const uint8_t counters[2][4] = {{0, 0, 0, 0}, {0, 0, 0, 1}};
    bool good = true;
    if (!ppk->encrypted)
        passphrase = (LyBytes){0};
    for (size_t i = 0; i < 2 && good; i++)
        good = ly_hash(crypto, LY_SHA1, (LyBytes[]){ly_bytes(counters[i], 4), passphrase}, 2, digests[i]);
    if (good) {
        memcpy(keys->cipher, digests[0], 20);
        memcpy(keys->cipher + 20, digests[1], 12);
        good = ly_hash(crypto, LY_SHA1, (LyBytes[]){LY_BYTES("putty-private-key-file-mac-key"), passphrase},
                       2, digests[0]);
        memcpy(keys->mac, digests[0], 20);
        keys->mac_len = 20;
    }
    ly_cleanse(digests, sizeof digests);
    return good;
}

bool ly_ppk_derive(LyCrypto *crypto, const LyPpk *ppk, LyBytes passphrase, LyPpkKeys *keys, LyError *error)
{
    memset(keys, 0, sizeof *keys);
    if (ppk->version < 3)
        return derive_sha1(crypto, ppk, passphrase, keys) ||
               ly_error_set(error, LY_ERROR_CRYPTO, "libcrypto cannot compute SHA-1");
    if (!ppk->encrypted)
        return true;
    LyArgon2Costs costs = {(uint32_t)ppk->kdf.memory_kib, ppk->kdf.passes, ppk->kdf.lanes};
    enum { LEN = sizeof keys->cipher + sizeof keys->iv + sizeof keys->mac };
    uint8_t *derived = ly_secret_alloc(LEN);
    bool good = ly_argon2(ly_ppk_kdf_find(ly_bytes_str(ppk->kdf.name))->variant, passphrase, ppk->salt,
                          (LyBytes){0}, (LyBytes){0}, &costs, derived, LEN, error);
    if (good) {
        memcpy(keys->cipher, derived, sizeof keys->cipher);
        memcpy(keys->iv, derived + sizeof keys->cipher, sizeof keys->iv);
        memcpy(keys->mac, derived + sizeof keys->cipher + sizeof keys->iv, sizeof keys->mac);
        keys->mac_len = sizeof keys->mac;
    }
    ly_secret_free(derived);
    return good;
}

bool ly_ppk_mac(LyCrypto *crypto, const LyPpk *ppk, const LyPpkKeys *keys, LyBytes private_part,
                uint8_t mac[LY_HASH_MAX], size_t *len, LyError *error)
{
    LyHash hash = ppk->version < 3 ? LY_SHA1 : LY_SHA256;
    LY_AUTO(ly_buf_free) LyBuf data = {0};
    if (ppk->version == 1) {
        ly_buf_add(&data, private_part);
    } else {
        ly_put_string(&data, ppk->type);
        ly_put_cstring(&data, ppk->encrypted ? "aes256-cbc" : "none");
        ly_put_string(&data, ppk->comment);
        ly_put_string(&data, ppk->public_blob);
        ly_put_string(&data, private_part);
    }
    LyBytes all = ly_buf_bytes(&data);
    if (!ly_hmac(crypto, hash, ly_bytes(keys->mac, keys->mac_len), &all, 1, mac))
        return ly_error_set(error, LY_ERROR_CRYPTO, "libcrypto cannot compute the MAC of the key");
    *len = ly_hash_len(hash);
    return true;
}

bool ly_ppk_crypt(LyCrypto *crypto, const LyPpk *ppk, const LyPpkKeys *keys, bool encrypt, LyBytes in,
                  LyBuf *out, LyError *error)
{
    if (!ppk->encrypted) {
        ly_buf_add(out, in);
        return true;
    }
    return ly_cipher_once(crypto, LY_BYTES("aes256-cbc"), encrypt,
                          ly_bytes(keys->cipher, sizeof keys->cipher), ly_bytes(keys->iv, sizeof keys->iv),
                          in, out, error);
}
