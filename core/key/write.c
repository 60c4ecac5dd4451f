#include "key/write.h"

#include "base/auto.h"
#include "base/base64.h"
#include "key/write-private.h"

static bool put_jwk_private(LyCrypto *crypto, LyKey *key, LyKeyFormat format,
                            const LyKeyWriteOptions *options, LyBuf *out, LyError *error)
{
    if (options->passphrase.len)
        return ly_error_set(error, LY_ERROR_UNSUPPORTED,
                            "the format jwk cannot be encrypted: pkcs8 or openssh would do");
    return ly_key_put_jwk(key, true, out, error);
}

static bool put_jwk_public(const LyKey *key, LyBuf *out, LyError *error)
{
    return ly_key_put_jwk(key, false, out, error);
}

/* What a private format has a form of. */
static const struct {
    LyKeyFormat format;
    bool certificates, sk;
    bool (*put)(LyCrypto *crypto, LyKey *key, LyKeyFormat format, const LyKeyWriteOptions *options,
                LyBuf *out, LyError *error);
} private_formats[] = {
    {LY_KEY_OPENSSH, true, true, ly_key_put_openssh}, {LY_KEY_PEM, false, false, ly_key_put_pem},
    {LY_KEY_PKCS8, false, false, ly_key_put_pkcs8},   {LY_KEY_PPK2, true, false, ly_key_put_ppk},
    {LY_KEY_PPK3, true, false, ly_key_put_ppk},       {LY_KEY_JWK, false, false, put_jwk_private},
};

static bool put_line(const LyKey *key, LyBuf *out, LyError *error)
{
    ly_key_write_line(key, out);
    return true;
}

static const struct {
    LyKeyFormat format;
    bool certificates, sk;
    bool (*put)(const LyKey *key, LyBuf *out, LyError *error);
} public_formats[] = {
    {LY_KEY_PEM, false, false, ly_key_put_pem_public}, {LY_KEY_SPKI, false, false, ly_key_put_spki},
    {LY_KEY_RFC4716, true, true, ly_key_put_rfc4716},  {LY_KEY_LINE, true, true, put_line},
    {LY_KEY_JWK, false, false, put_jwk_public},
};

static bool has_form(const LyKey *key, LyKeyFormat format, bool certificates, bool sk, const char *instead,
                     LyError *error)
{
    if (ly_key_is_certificate(key) && !certificates)
        return ly_error_set(error, LY_ERROR_UNSUPPORTED,
                            "the format %s has no form of certificates: %s would do",
                            ly_key_format_name(format), instead);
    if (ly_key_type(key)->sk && !sk)
        return ly_error_set(error, LY_ERROR_UNSUPPORTED, "the format %s has no form of %s keys: %s would do",
                            ly_key_format_name(format), ly_key_type_name(key), instead);
    return true;
}

bool ly_key_write_private(LyCrypto *crypto, LyKey *key, LyKeyFormat format, const LyKeyWriteOptions *options,
                          LyBuf *out, LyError *error)
{
    static const LyKeyWriteOptions none = {0};
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    size_t i = 0;
    while (i < LY_COUNT(private_formats) && private_formats[i].format != format)
        i++;
    if (i == LY_COUNT(private_formats))
        return ly_error_set(
            error, LY_ERROR_UNSUPPORTED,
            "the format %s is not written for private keys: openssh, pem, pkcs8, ppk2, ppk3 and "
            "jwk are",
            ly_key_format_name(format));
    if (!ly_key_has_secret(key))
        return ly_error_set(error, LY_ERROR_INVALID, "the %s key has no private half to write",
                            ly_key_type_name(key));
    if (!has_form(key, format, private_formats[i].certificates, private_formats[i].sk, "openssh", error) ||
        (ly_key_is_private(key) && !ly_key_check(key, error)) ||
        !private_formats[i].put(crypto, key, format, options ? options : &none, &text, error))
        return false;
    ly_buf_add(out, ly_buf_bytes(&text));
    return true;
}

bool ly_key_write_public(const LyKey *key, LyKeyFormat format, LyBuf *out, LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    size_t i = 0;
    while (i < LY_COUNT(public_formats) && public_formats[i].format != format)
        i++;
    if (i == LY_COUNT(public_formats))
        return ly_error_set(
            error, LY_ERROR_UNSUPPORTED,
            "the format %s is not written for public keys: line, rfc4716, spki, pem and jwk are",
            ly_key_format_name(format));
    if (!has_form(key, format, public_formats[i].certificates, public_formats[i].sk, "line", error) ||
        !public_formats[i].put(key, &text, error))
        return false;
    ly_buf_add(out, ly_buf_bytes(&text));
    return true;
}

bool ly_key_write_openssh(LyCrypto *crypto, LyKey *key, const LyKeyWriteOptions *options, LyBuf *out,
                          LyError *error)
{
    return ly_key_write_private(crypto, key, LY_KEY_OPENSSH, options, out, error);
}

void ly_key_write_line(const LyKey *key, LyBuf *out)
{
    LyBytes comment = ly_key_comment(key);
    ly_buf_add_str(out, ly_key_type_name(key));
    ly_buf_add_str(out, " ");
    ly_base64_encode(out, ly_key_blob(key), 0);
    if (comment.len)
        ly_buf_add_str(out, " ");
    for (size_t i = 0; i < comment.len; i++) {
        /* A line end inside a comment would start a line, and a key, of its own. */
        uint8_t c = comment.data[i];
        ly_put_u8(out, c == '\n' || c == '\r' || c == 0 ? ' ' : c);
    }
    ly_buf_add_str(out, "\n");
}
