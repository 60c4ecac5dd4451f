#include "key/sshsig.h"

#include "base/auto.h"
#include "base/base64.h"
#include "base/memory.h"
#include "key/certificate.h"

#define MAGIC "SSHSIG"
#define VERSION 1
#define BEGIN "-----BEGIN SSH SIGNATURE-----"
#define END "-----END SSH SIGNATURE-----"
#define COLUMNS 70                          /* as ssh-keygen writes, though PROTOCOL.sshsig says 76 */
#define SIGNATURE_LIMIT ((size_t)256 << 10) /* bytes, decoded: the largest certificates are much smaller */

struct LySshsig {
    LyCrypto *crypto;
    LyBuf blob;
    LyKey *key;
    LyBytes name_space, signature; /* views of the blob */
    LyHash hash;
};

static const LyHash hashes[] = {LY_SHA256, LY_SHA512};

bool ly_sshsig_put_signed_data(LyBytes name_space, LyHash hash, LyBytes digest, LyBuf *out, LyError *error)
{
    if (hash != LY_SHA256 && hash != LY_SHA512)
        return ly_error_set(error, LY_ERROR_INVALID,
                            "files are signed by their sha256 or sha512 digest only");
    if (name_space.len == 0)
        return ly_error_set(
            error, LY_ERROR_INVALID,
            "a signature needs a namespace, which says what it is for: \"file\", for instance");
    if (digest.len != ly_hash_len(hash))
        return ly_error_set(error, LY_ERROR_INVALID, "a %s digest has %zu bytes and not %zu",
                            ly_hash_name(hash), ly_hash_len(hash), digest.len);
    ly_buf_add_str(out, MAGIC);
    ly_put_string(out, name_space);
    ly_put_string(out, (LyBytes){0}); /* reserved */
    ly_put_cstring(out, ly_hash_name(hash));
    ly_put_string(out, digest);
    return true;
}

void ly_sshsig_write(LyBytes key_blob, LyBytes name_space, LyHash hash, LyBytes signature, LyBuf *out)
{
    LY_AUTO(ly_buf_free) LyBuf blob = {0};
    ly_buf_add_str(&blob, MAGIC);
    ly_put_u32(&blob, VERSION);
    ly_put_string(&blob, key_blob);
    ly_put_string(&blob, name_space);
    ly_put_string(&blob, (LyBytes){0}); /* reserved */
    ly_put_cstring(&blob, ly_hash_name(hash));
    ly_put_string(&blob, signature);
    ly_buf_add_str(out, BEGIN "\n");
    ly_base64_encode(out, ly_buf_bytes(&blob), COLUMNS);
    ly_buf_add_str(out, END "\n");
}

bool ly_sshsig_sign(LyKey *key, LyBytes name_space, LyHash hash, LyBytes digest, LyBuf *out, LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf data = {0}, signature = {0};
    if (!ly_sshsig_put_signed_data(name_space, hash, digest, &data, error) ||
        !ly_key_sign(key, (LyBytes){0}, ly_buf_bytes(&data), &signature, error))
        return false;
    ly_sshsig_write(ly_key_blob(key), name_space, hash, ly_buf_bytes(&signature), out);
    return true;
}

static const uint8_t *find(LyBytes text, const char *what)
{
    size_t at = ly_bytes_find(text, ly_bytes_str(what));
    return at == SIZE_MAX ? NULL : text.data + at;
}

/* Nothing but blanks (or a BOM) stands before `at` in its line: prose about the marker is not the marker. */
static bool starts_line(LyBytes text, const uint8_t *at)
{
    while (at > text.data && (at[-1] == ' ' || at[-1] == '\t'))
        at--;
    size_t before = (size_t)(at - text.data);
    return before == 0 || at[-1] == '\n' || at[-1] == '\r' ||
           (before == 3 && ly_bytes_starts_with(text, "\xef\xbb\xbf"));
}

static bool read_armour(LyBytes text, LyBuf *blob, LyError *error)
{
    const uint8_t *begin;
    LyBytes rest = text;
    for (;;) {
        begin = find(rest, BEGIN);
        if (!begin)
            return ly_error_set(error, LY_ERROR_INVALID,
                                "this is not an SSH signature: there is no line " BEGIN);
        rest = ly_bytes_slice(rest, (size_t)(begin - rest.data) + strlen(BEGIN), rest.len);
        if (starts_line(text, begin))
            break;
    }
    const uint8_t *end = find(rest, END);
    if (!end)
        return ly_error_set(error, LY_ERROR_INVALID, "the SSH signature is cut short: there is no line " END);
    blob->limit = SIGNATURE_LIMIT;
    if (ly_base64_decode(blob, ly_bytes(rest.data, (size_t)(end - rest.data)), true))
        return true;
    return blob->failed ? ly_error_set(error, LY_ERROR_LIMIT, "the SSH signature is over %zu KiB",
                                       SIGNATURE_LIMIT >> 10)
                        : ly_error_set(error, LY_ERROR_INVALID,
                                       "between its first and last line, the SSH signature is not base64");
}

static bool read_blob(LySshsig *sshsig, LyError *error)
{
    LyReader reader = ly_reader(ly_buf_bytes(&sshsig->blob));
    LyBytes magic = ly_get_bytes(&reader, strlen(MAGIC));
    uint32_t version = ly_get_u32(&reader);
    if (!ly_bytes_is(magic, MAGIC) || reader.failed)
        return ly_error_set(error, LY_ERROR_INVALID, "the SSH signature does not start with " MAGIC);
    if (version != VERSION)
        return ly_error_set(error, LY_ERROR_UNSUPPORTED,
                            "the SSH signature has version %u, and only %d is known", version, VERSION);
    LyBytes key_blob = ly_get_string(&reader);
    sshsig->name_space = ly_get_string(&reader);
    ly_get_string(&reader); /* reserved: to be ignored */
    LyBytes hash = ly_get_string(&reader);
    sshsig->signature = ly_get_string(&reader);
    if (!ly_reader_done(&reader))
        return ly_error_set(error, LY_ERROR_INVALID, "the SSH signature is malformed: %s",
                            reader.failed ? "it is cut short" : "bytes follow it");
    if (sshsig->name_space.len == 0)
        return ly_error_set(error, LY_ERROR_INVALID, "the SSH signature has an empty namespace");
    for (size_t i = 0; i < LY_COUNT(hashes); i++)
        if (ly_bytes_is(hash, ly_hash_name(hashes[i])))
            sshsig->hash = hashes[i];
    if (sshsig->hash == LY_MD5)
        return ly_error_set(error, LY_ERROR_UNSUPPORTED,
                            "the SSH signature is made with the hash \"%s\": sha256 and sha512 are known",
                            LY_PRINTABLE(hash));
    sshsig->key = ly_key_new_public(sshsig->crypto, key_blob, error);
    return sshsig->key || ly_error_prefix(error, "the key in the SSH signature");
}

LySshsig *ly_sshsig_read(LyCrypto *crypto, LyBytes text, LyError *error)
{
    LySshsig *sshsig = ly_new(LySshsig); /* `hash` is LY_MD5 until a good one is read */
    sshsig->crypto = ly_crypto_ref(crypto);
    if (read_armour(text, &sshsig->blob, error) && read_blob(sshsig, error))
        return sshsig;
    ly_sshsig_free(sshsig);
    return NULL;
}

void ly_sshsig_free(LySshsig *sshsig)
{
    if (!sshsig)
        return;
    ly_key_unref(sshsig->key);
    ly_buf_free(&sshsig->blob);
    ly_crypto_unref(sshsig->crypto);
    ly_free(sshsig);
}

LyKey *ly_sshsig_key(const LySshsig *sshsig)
{
    return sshsig->key;
}

LyBytes ly_sshsig_namespace(const LySshsig *sshsig)
{
    return sshsig->name_space;
}

LyHash ly_sshsig_hash(const LySshsig *sshsig)
{
    return sshsig->hash;
}

/* All that the key can sign with, old types too, for whom to trust is written down key by key; but not RSA
 * with SHA-1, which PROTOCOL.sshsig rules out. */
static LyBytes allowed_algorithms(const LyKey *key)
{
    if (ly_key_type(key)->pk == LY_PK_RSA)
        return LY_BYTES("rsa-sha2-512,rsa-sha2-256,"
                        "rsa-sha2-512-cert-v01@openssh.com,rsa-sha2-256-cert-v01@openssh.com");
    return ly_bytes_str(ly_signature_algorithm_best(ly_key_type_name(key))->name);
}

bool ly_sshsig_verify(LySshsig *sshsig, LyBytes name_space, LyBytes digest, uint8_t *sk_flags, LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf data = {0};
    LyCertificate certificate;
    if (!ly_bytes_equal(name_space, sshsig->name_space))
        return ly_error_set(error, LY_ERROR_VERIFY,
                            "the signature is for the namespace \"%s\" and not for \"%s\"",
                            LY_PRINTABLE(sshsig->name_space), LY_PRINTABLE(name_space));
    if (!ly_sshsig_put_signed_data(name_space, sshsig->hash, digest, &data, error))
        return false;
    /* The key stands outside of what is signed: a certificate vouches for itself, or anybody could change its
     * fields. */
    if (ly_key_is_certificate(sshsig->key) &&
        (!ly_certificate_read(ly_key_blob(sshsig->key), &certificate, error) ||
         !ly_certificate_check_signature(sshsig->crypto, &certificate, (LyBytes){0}, error)))
        return false;
    return ly_key_verify(sshsig->key, allowed_algorithms(sshsig->key), ly_buf_bytes(&data), sshsig->signature,
                         sk_flags, error);
}
