#include <openssl/dsa.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>

#include "base/memory.h"
#include "base/wire.h"
#include "crypto/pk-private.h"

enum { SIGNATURE_MAX = 2048 /* bytes: RSA of 16384 bits */, DSA_LEN = 20 };

/* The digest to sign with; false for one that SSH does not use. *name stays NULL for the Edwards curves. */
static bool digest_of(const LyPk *pk, LyHash hash, const char **name, LyError *error)
{
    *name = pk->type == LY_PK_DSA     ? "SHA1"
            : pk->type == LY_PK_ECDSA ? ly_curves[pk->curve].digest
            : pk->type == LY_PK_RSA   ? ly_hash_name(hash)
                                      : NULL;
    if (pk->type == LY_PK_RSA && hash != LY_SHA1 && hash != LY_SHA256 && hash != LY_SHA512)
        return ly_error_set(error, LY_ERROR_INVALID, "RSA signatures use SHA-1, SHA-256 or SHA-512");
    return true;
}

static EVP_MD_CTX *begin(const LyPk *pk, EVP_PKEY *key, const char *digest, bool sign)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int ok = 0;
    if (context && sign)
        ok = EVP_DigestSignInit_ex(context, NULL, digest, pk->crypto->library, NULL, key, NULL);
    else if (context)
        ok = EVP_DigestVerifyInit_ex(context, NULL, digest, pk->crypto->library, NULL, key, NULL);
    if (ok == 1)
        return context;
    EVP_MD_CTX_free(context);
    return NULL;
}

/* ---- signing ---- */

/* RSA's key says no hash, and takes so long that it does not matter. */
static bool keeps_signer(const LyPk *pk)
{
    return pk->type == LY_PK_ECDSA || pk->type == LY_PK_ED25519;
}

static EVP_MD_CTX *take_signer(const LyPk *pk, EVP_PKEY *key, const char *digest)
{
    LyPk *self = (LyPk *)pk;
    pthread_mutex_lock(&self->lock);
    EVP_MD_CTX *context = self->signer;
    self->signer = NULL;
    pthread_mutex_unlock(&self->lock);
    /* Without a name and a key: as it was set up before. Early releases of OpenSSL 3.0 would take the key's
     * default digest, which for P-384 is not SSH's. */
    const EVP_MD *before = context ? EVP_MD_CTX_get0_md(context) : NULL;
    if (context && EVP_DigestSignInit_ex(context, NULL, NULL, NULL, NULL, NULL, NULL) == 1 &&
        EVP_MD_CTX_get0_md(context) == before)
        return context;
    EVP_MD_CTX_free(context);
    return begin(pk, key, digest, true);
}

static void give_signer(const LyPk *pk, EVP_MD_CTX *context)
{
    LyPk *self = (LyPk *)pk;
    if (keeps_signer(pk)) {
        pthread_mutex_lock(&self->lock);
        if (!self->signer) {
            self->signer = context;
            context = NULL;
        }
        pthread_mutex_unlock(&self->lock);
    }
    EVP_MD_CTX_free(context);
}

/* SEQUENCE { INTEGER r, INTEGER s }. DER's integers are SSH's mpints: two's complement, as short as it goes.
 */
static bool get_der(LyReader *reader, uint8_t type, LyBytes *contents)
{
    uint8_t found = ly_get_u8(reader);
    size_t len = ly_get_u8(reader);
    if (len == 0x81) /* P-521 */
        len = ly_get_u8(reader);
    else if (len >= 0x80)
        len = 0;
    *contents = found == type ? ly_get_bytes(reader, len) : (LyBytes){0};
    return !reader->failed && contents->len;
}

static bool put_ecdsa(LyBytes der, LyBuf *signature)
{
    LyBytes sequence, r, s;
    LyReader outer = ly_reader(der);
    if (!get_der(&outer, 0x30, &sequence) || !ly_reader_done(&outer))
        return false;
    LyReader inner = ly_reader(sequence);
    if (!get_der(&inner, 2, &r) || !get_der(&inner, 2, &s) || !ly_reader_done(&inner))
        return false;
    ly_put_string(signature, r);
    ly_put_string(signature, s);
    return true;
}

static bool put_dsa(LyBytes der, LyBuf *signature)
{
    const uint8_t *at = der.data;
    const BIGNUM *r, *s;
    uint8_t bytes[2 * DSA_LEN];
    DSA_SIG *numbers = d2i_DSA_SIG(NULL, &at, (long)der.len);
    if (!numbers)
        return false;
    DSA_SIG_get0(numbers, &r, &s);
    bool ok = BN_bn2binpad(r, bytes, DSA_LEN) > 0 && BN_bn2binpad(s, bytes + DSA_LEN, DSA_LEN) > 0;
    DSA_SIG_free(numbers);
    if (ok)
        ly_buf_add(signature, ly_bytes(bytes, sizeof bytes));
    return ok;
}

bool ly_pk_sign(const LyPk *pk, LyHash hash, LyBytes message, LyBuf *signature, LyError *error)
{
    const char *digest;
    if (!pk->is_private)
        return ly_error_set(error, LY_ERROR_INVALID, "a public key cannot sign");
    if (!digest_of(pk, hash, &digest, error))
        return false;
    EVP_PKEY *key = ly_pk_key(pk, error);
    if (!key)
        return false;
    uint8_t raw[SIGNATURE_MAX];
    size_t len = sizeof raw;
    EVP_MD_CTX *context = take_signer(pk, key, digest);
    bool ok = context && EVP_DigestSign(context, raw, &len, message.data, message.len) == 1;
    if (ok)
        give_signer(pk, context);
    else
        EVP_MD_CTX_free(context);
    LyBytes bytes = {raw, len};
    if (ok && pk->type == LY_PK_ECDSA)
        ok = put_ecdsa(bytes, signature);
    else if (ok && pk->type == LY_PK_DSA)
        ok = put_dsa(bytes, signature);
    else if (ok)
        ly_buf_add(signature, bytes);
    return ok || ly_crypto_failed(error, "sign");
}

/* ---- verifying: SSH's form into OpenSSL's, false if it has the wrong shape ---- */

static BIGNUM *get_number(LyBytes magnitude)
{
    return BN_bin2bn(magnitude.data, (int)magnitude.len, NULL);
}

static int encode_ecdsa(const LyPk *pk, LyBytes signature, uint8_t raw[SIGNATURE_MAX])
{
    LyReader reader = ly_reader(signature);
    LyBytes r = ly_get_mpint(&reader), s = ly_get_mpint(&reader);
    if (!ly_reader_done(&reader) || r.len > ly_curves[pk->curve].len || s.len > ly_curves[pk->curve].len)
        return 0;
    ECDSA_SIG *numbers = ECDSA_SIG_new();
    int len = 0;
    if (numbers && ECDSA_SIG_set0(numbers, get_number(r), get_number(s)))
        len = i2d_ECDSA_SIG(numbers, &raw);
    ECDSA_SIG_free(numbers);
    return len;
}

static int encode_dsa(LyBytes signature, uint8_t raw[SIGNATURE_MAX])
{
    if (signature.len != 2 * DSA_LEN)
        return 0;
    DSA_SIG *numbers = DSA_SIG_new();
    int len = 0;
    if (numbers && DSA_SIG_set0(numbers, get_number(ly_bytes_slice(signature, 0, DSA_LEN)),
                                get_number(ly_bytes_slice(signature, DSA_LEN, DSA_LEN))))
        len = i2d_DSA_SIG(numbers, &raw);
    DSA_SIG_free(numbers);
    return len;
}

static int encode_rsa(const LyPk *pk, LyBytes signature, uint8_t raw[SIGNATURE_MAX])
{
    size_t len = pk->numbers[RSA_N].len;
    if (!signature.len || signature.len > len)
        return 0;
    memset(raw, 0, len - signature.len);
    memcpy(raw + len - signature.len, signature.data, signature.len);
    return (int)len;
}

static int encode_edwards(const LyPk *pk, LyBytes signature, uint8_t raw[SIGNATURE_MAX])
{
    if (signature.len != 2 * pk->numbers[ED_PUBLIC].len)
        return 0;
    memcpy(raw, signature.data, signature.len);
    return (int)signature.len;
}

bool ly_pk_verify(const LyPk *pk, LyHash hash, LyBytes message, LyBytes signature, LyError *error)
{
    const char *digest;
    if (!digest_of(pk, hash, &digest, error))
        return false;
    EVP_PKEY *key = ly_pk_key(pk, error);
    if (!key)
        return false;
    uint8_t raw[SIGNATURE_MAX];
    int len = pk->type == LY_PK_RSA     ? encode_rsa(pk, signature, raw)
              : pk->type == LY_PK_DSA   ? encode_dsa(signature, raw)
              : pk->type == LY_PK_ECDSA ? encode_ecdsa(pk, signature, raw)
                                        : encode_edwards(pk, signature, raw);
    if (len <= 0)
        return ly_error_set(error, LY_ERROR_VERIFY, "the signature is malformed");
    EVP_MD_CTX *context = begin(pk, key, digest, false);
    if (!context)
        return ly_crypto_failed(error, "begin to verify a signature");
    bool ok = EVP_DigestVerify(context, raw, (size_t)len, message.data, message.len) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return ok || ly_error_set(error, LY_ERROR_VERIFY, "the signature does not match");
}
