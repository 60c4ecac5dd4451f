#include "crypto/crypto-private.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include "base/memory.h"

bool ly_crypto_failed(LyError *error, const char *action, ...)
{
    char text[200], reason[200] = "no reason given";
    va_list args;
    va_start(args, action);
    vsnprintf(text, sizeof text, action, args);
    va_end(args);
    unsigned long code = ERR_peek_last_error();
    if (code)
        ERR_error_string_n(code, reason, sizeof reason);
    ERR_clear_error();
    return ly_error_set(error, LY_ERROR_CRYPTO, "libcrypto cannot %s: %s", text, reason);
}

/* Whether a key type exists is a question: its answer leaves no errors in the queue. */
static bool has_key_type(OSSL_LIB_CTX *library, const char *name)
{
    ERR_set_mark();
    EVP_KEYMGMT *type = EVP_KEYMGMT_fetch(library, name, NULL);
    ERR_pop_to_mark();
    EVP_KEYMGMT_free(type);
    return type != NULL;
}

static bool set_up(LyCrypto *crypto, unsigned flags, LyError *error)
{
    crypto->library = OSSL_LIB_CTX_new();
    if (!crypto->library)
        return ly_crypto_failed(error, "make a library context");
    /* By name: once any provider is loaded by hand, the default one no longer comes by itself. */
    crypto->standard = OSSL_PROVIDER_load(crypto->library, "default");
    if (!crypto->standard)
        return ly_crypto_failed(error, "load its default provider");
    if (flags & LY_CRYPTO_LEGACY) {
        ERR_set_mark();
        crypto->legacy = OSSL_PROVIDER_load(crypto->library, "legacy");
        ERR_pop_to_mark();
    }
    for (LyHash hash = 0; hash < LY_HASH_COUNT; hash++) {
        crypto->digest[hash] = EVP_MD_fetch(crypto->library, ly_hash_name(hash), NULL);
        if (!crypto->digest[hash])
            return ly_crypto_failed(error, "find %s", ly_hash_name(hash));
    }
    crypto->hmac = EVP_MAC_fetch(crypto->library, "HMAC", NULL);
    crypto->poly1305 = EVP_MAC_fetch(crypto->library, "POLY1305", NULL);
    if (!crypto->hmac || !crypto->poly1305)
        return ly_crypto_failed(error, "find HMAC and Poly1305");
    return true;
}

LyCrypto *ly_crypto_new(unsigned flags, LyError *error)
{
    LyCrypto *crypto = ly_new(LyCrypto);
    crypto->refs = 1;
    if (!set_up(crypto, flags, error)) {
        ly_crypto_unref(crypto);
        return NULL;
    }
    return crypto;
}

LyCrypto *ly_crypto_ref(LyCrypto *crypto)
{
    __atomic_add_fetch(&crypto->refs, 1, __ATOMIC_RELAXED);
    return crypto;
}

void ly_crypto_unref(LyCrypto *crypto)
{
    if (!crypto || __atomic_sub_fetch(&crypto->refs, 1, __ATOMIC_ACQ_REL))
        return;
    for (LyHash hash = 0; hash < LY_HASH_COUNT; hash++)
        EVP_MD_free(crypto->digest[hash]);
    EVP_MAC_free(crypto->hmac);
    EVP_MAC_free(crypto->poly1305);
    if (crypto->legacy)
        OSSL_PROVIDER_unload(crypto->legacy);
    if (crypto->standard)
        OSSL_PROVIDER_unload(crypto->standard);
    OSSL_LIB_CTX_free(crypto->library);
    ly_free(crypto);
}

void ly_crypto_leave_thread(LyCrypto *crypto)
{
    OPENSSL_thread_stop_ex(crypto->library);
}

bool ly_crypto_has_legacy(const LyCrypto *crypto)
{
    return crypto->legacy != NULL;
}

bool ly_crypto_has_mlkem(const LyCrypto *crypto)
{
    /* The first question about key types costs libcrypto half a millisecond: programs that only read keys are
     * spared it. */
    int *known = (int *)&crypto->mlkem, answer = __atomic_load_n(known, __ATOMIC_RELAXED);
    if (answer == 0) {
        answer = has_key_type(crypto->library, "ML-KEM-768") ? 1 : -1;
        __atomic_store_n(known, answer, __ATOMIC_RELAXED);
    }
    return answer > 0;
}

bool ly_crypto_has_aes_instructions(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#elif defined(__aarch64__) && defined(__linux__)
    return (getauxval(AT_HWCAP) & (HWCAP_AES | HWCAP_PMULL)) == (HWCAP_AES | HWCAP_PMULL);
#elif defined(__aarch64__)
    return true; /* the other systems run on nothing older than ARMv8.4 */
#else
    return false;
#endif
}

void ly_crypto_random(LyCrypto *crypto, void *out, size_t len)
{
    if (len && RAND_bytes_ex(crypto->library, out, len, 0) != 1)
        abort();
}
