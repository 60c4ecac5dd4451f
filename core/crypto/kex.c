#include "crypto/kex.h"

#include "base/memory.h"
#include "base/secret.h"
#include "crypto/kex-private.h"
#include "crypto/sntrup761.h"

/* In order of preference. */
static const LyKexInfo methods[] = {
    {"sntrup761x25519-sha512", LY_KEX_SNTRUP761X25519, LY_SHA512, true, NULL},
    {"sntrup761x25519-sha512@openssh.com", LY_KEX_SNTRUP761X25519, LY_SHA512, true, NULL},
    {"mlkem768x25519-sha256", LY_KEX_MLKEM768X25519, LY_SHA256, true, NULL},
    {"curve25519-sha256", LY_KEX_X25519, LY_SHA256, true, NULL},
    {"curve25519-sha256@libssh.org", LY_KEX_X25519, LY_SHA256, true, NULL},
    {"ecdh-sha2-nistp256", LY_KEX_ECDH, LY_SHA256, true, "P-256"},
    {"ecdh-sha2-nistp384", LY_KEX_ECDH, LY_SHA384, true, "P-384"},
    {"ecdh-sha2-nistp521", LY_KEX_ECDH, LY_SHA512, true, "P-521"},
    {"diffie-hellman-group-exchange-sha256", LY_KEX_DH_GROUP_EXCHANGE, LY_SHA256, true, NULL},
    {"diffie-hellman-group14-sha256", LY_KEX_DH, LY_SHA256, true, "modp_2048"},
    {"diffie-hellman-group15-sha512", LY_KEX_DH, LY_SHA512, true, "modp_3072"},
    {"diffie-hellman-group16-sha512", LY_KEX_DH, LY_SHA512, true, "modp_4096"},
    {"diffie-hellman-group17-sha512", LY_KEX_DH, LY_SHA512, true, "modp_6144"},
    {"diffie-hellman-group18-sha512", LY_KEX_DH, LY_SHA512, true, "modp_8192"},
    {"diffie-hellman-group-exchange-sha1", LY_KEX_DH_GROUP_EXCHANGE, LY_SHA1, false, NULL},
    {"diffie-hellman-group14-sha1", LY_KEX_DH, LY_SHA1, false, "modp_2048"},
    {"diffie-hellman-group1-sha1", LY_KEX_DH, LY_SHA1, false, "modp_1024"},
};

static const LyKexMethod *const methods_of_kind[] = {
    [LY_KEX_DH] = &ly_kex_dh,
    [LY_KEX_DH_GROUP_EXCHANGE] = &ly_kex_dh,
    [LY_KEX_ECDH] = &ly_kex_ecdh,
    [LY_KEX_X25519] = &ly_kex_x25519,
    [LY_KEX_SNTRUP761X25519] = &ly_kex_hybrid,
    [LY_KEX_MLKEM768X25519] = &ly_kex_hybrid,
};

const LyKexInfo *ly_kex_find(LyBytes name)
{
    for (size_t i = 0; i < LY_COUNT(methods); i++)
        if (ly_bytes_is(name, methods[i].name))
            return &methods[i];
    return NULL;
}

void ly_kex_names(const LyCrypto *crypto, bool only_default, LyBuf *out)
{
    const char *separator = "";
    for (size_t i = 0; i < LY_COUNT(methods); i++) {
        if (only_default && !methods[i].by_default)
            continue;
        if (methods[i].kind == LY_KEX_MLKEM768X25519 && !ly_crypto_has_mlkem(crypto))
            continue;
        ly_buf_add_str(out, separator);
        ly_buf_add_str(out, methods[i].name);
        separator = ",";
    }
}

LyKex *ly_kex_new(LyCrypto *crypto, const LyKexInfo *info, LyError *error)
{
    if (info->kind == LY_KEX_MLKEM768X25519 && !ly_crypto_has_mlkem(crypto)) {
        ly_error_set(error, LY_ERROR_UNSUPPORTED, "%s needs OpenSSL 3.5 or later", info->name);
        return NULL;
    }
    LyKex *kex = ly_new(LyKex);
    kex->crypto = ly_crypto_ref(crypto);
    kex->info = info;
    kex->method = methods_of_kind[info->kind];
    if (info->kind == LY_KEX_DH && !ly_kex_dh_fixed_group(kex, error)) {
        ly_kex_free(kex);
        return NULL;
    }
    return kex;
}

void ly_kex_free(LyKex *kex)
{
    if (!kex)
        return;
    EVP_PKEY_free(kex->key);
    EVP_PKEY_free(kex->mlkem);
    ly_secret_free(kex->sntrup761);
    ly_kex_dh_free(kex);
    ly_crypto_unref(kex->crypto);
    ly_free(kex);
}

bool ly_kex_init(LyKex *kex, LyBuf *public_value, LyError *error)
{
    return kex->method->init(kex, public_value, error);
}

bool ly_kex_respond(LyKex *kex, LyBytes client_value, LyBuf *public_value, LyBuf *secret, LyError *error)
{
    return kex->method->respond(kex, client_value, public_value, secret, error);
}

bool ly_kex_finish(LyKex *kex, LyBytes server_value, LyBuf *secret, LyError *error)
{
    if (!kex->key && !kex->x)
        return ly_error_set(error, LY_ERROR_INVALID, "%s was finished before it was begun", kex->info->name);
    return kex->method->finish(kex, server_value, secret, error);
}
