/* core/key: types, blobs, fingerprints, signatures, certificates; against what ssh-keygen made. */
#include <glib.h>

#include "base/auto.h"
#include "base/base64.h"
#include "base/names.h"
#include "base/wire.h"
#include "key-samples.h"
#include "key/certificate.h"
#include "key/read.h"
#include "key/write.h"

#define IN_2026 1782864000u /* 1 July */
#define IN_2025 1751328000u
#define IN_2027 1814400000u

static LyCrypto *crypto;

static LyKey *line_key(const char *line)
{
    LyError error = {0};
    LyKey *key = ly_key_read_line(crypto, ly_bytes_trim(ly_bytes_str(line)), &error);
    g_assert_cmpstr(error.message, ==, "");
    g_assert_nonnull(key);
    return key;
}

static LyKey *private_key(const char *name)
{
    for (size_t i = 0; i < LY_COUNT(private_samples); i++) {
        if (strcmp(private_samples[i].name, name) == 0) {
            LyKey *key = ly_key_read(crypto, ly_bytes_str(private_samples[i].text), NULL, NULL);
            g_assert_nonnull(key);
            return key;
        }
    }
    g_assert_not_reached();
}

static void test_tables(void)
{
    LY_AUTO(ly_buf_free) LyBuf names = {0}, all = {0};
    ly_host_key_algorithm_names(true, &names);
    g_assert_cmpstr(ly_buf_str(&names), ==,
                    "ssh-ed25519-cert-v01@openssh.com,ecdsa-sha2-nistp256-cert-v01@openssh.com,"
                    "ecdsa-sha2-nistp384-cert-v01@openssh.com,ecdsa-sha2-nistp521-cert-v01@openssh.com,"
                    "rsa-sha2-512-cert-v01@openssh.com,rsa-sha2-256-cert-v01@openssh.com,ssh-ed25519,"
                    "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256");
    ly_user_key_algorithm_names(false, &all);
    g_assert_true(ly_names_valid(ly_buf_bytes(&all)));
    LyBytes rest = ly_buf_bytes(&all), name;
    while (ly_names_next(&rest, &name)) {
        const LySignatureAlgorithm *info = ly_signature_algorithm_find(name);
        g_assert_nonnull(info);
        g_assert_nonnull(ly_key_type_find(ly_bytes_str(info->key_type), NULL));
        g_assert_cmpint(info->by_default, ==, info->hash != LY_SHA1 && !ly_bytes_is(name, "ssh-ed448"));
    }
    bool is_certificate;
    g_assert_true(ly_key_type_find(LY_BYTES("ssh-rsa-cert-v01@openssh.com"), &is_certificate)->pk ==
                  LY_PK_RSA);
    g_assert_true(is_certificate);
    g_assert_null(ly_key_type_find(LY_BYTES("rsa-sha2-512"), NULL));
    g_assert_null(ly_signature_algorithm_find(LY_BYTES("")));
}

static void test_fingerprints(void)
{
    for (size_t i = 0; i < LY_COUNT(public_samples); i++) {
        const PublicSample *sample = &public_samples[i];
        LyKey *key = line_key(sample->line);
        LY_AUTO(ly_buf_free) LyBuf line = {0};
        char text[100];
        ly_key_fingerprint(crypto, ly_key_plain_blob(key), LY_SHA256, text);
        g_assert_cmpstr(text, ==, sample->sha256);
        ly_key_fingerprint(crypto, ly_key_plain_blob(key), LY_MD5, text);
        g_assert_cmpstr(text, ==, sample->md5);
        g_assert_cmpuint(ly_key_bits(key), ==, sample->bits);
        g_assert_false(ly_key_is_private(key) || ly_key_is_certificate(key));
        ly_key_write_line(key, &line);
        LyBytes expected = ly_bytes_trim(ly_bytes_str(sample->line));
        g_assert_true(line.data[line.len - 1] == '\n');
        g_assert_true(ly_bytes_equal(ly_bytes(line.data, line.len - 1), expected));
        ly_key_unref(key);
    }
}

/* A blob cut anywhere, or with a byte more, is no key; flipped it is an error or something else than before.
 */
static void test_public_damage(void)
{
    for (size_t i = 0; i < LY_COUNT(public_samples); i++) {
        LyKey *key = line_key(public_samples[i].line);
        LyBytes blob = ly_key_blob(key);
        g_autofree uint8_t *copy = g_malloc0(blob.len + 1);
        memcpy(copy, blob.data, blob.len);
        for (size_t len = 0; len <= blob.len + 1; len++) {
            LyError error = {0};
            LyKey *cut = ly_key_new_public(crypto, ly_bytes(copy, len), &error);
            g_assert_true((cut != NULL) == (len == blob.len));
            g_assert_true((cut == NULL) == (error.code != LY_OK));
            ly_key_unref(cut);
        }
        for (size_t bit = 0; bit < blob.len * 8; bit++) {
            copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
            LyKey *flipped = ly_key_new_public(crypto, ly_bytes(copy, blob.len), NULL);
            g_assert_false(flipped && ly_key_equal_public(flipped, key));
            ly_key_unref(flipped);
            copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        ly_key_unref(key);
    }
}

static void put_rsa(LyBuf *out, size_t modulus_len, uint8_t top, uint8_t exponent, uint8_t last)
{
    g_autofree uint8_t *n = g_malloc(modulus_len);
    memset(n, 0x55, modulus_len);
    n[0] = top;
    n[modulus_len - 1] = last;
    ly_buf_clear(out);
    ly_put_cstring(out, "ssh-rsa");
    ly_put_mpint(out, ly_bytes(&exponent, 1));
    ly_put_mpint(out, ly_bytes(n, modulus_len));
}

static void test_public_limits(void)
{
    static const struct {
        size_t len;
        uint8_t top, exponent, last;
        bool good;
    } rows[] = {{128, 0x80, 3, 1, true},  {128, 0x7f, 3, 1, false}, {2048, 0xff, 3, 1, true},
                {2049, 1, 3, 1, false},   {25000, 1, 3, 1, false},  {256, 0x80, 1, 1, false},
                {256, 0x80, 2, 1, false}, {256, 0x80, 0, 1, false}, {256, 0x80, 3, 2, false},
                {256, 0x80, 3, 3, true}};
    LY_AUTO(ly_buf_free) LyBuf blob = {0};
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        put_rsa(&blob, rows[i].len, rows[i].top, rows[i].exponent, rows[i].last);
        LyKey *key = ly_key_new_public(crypto, ly_buf_bytes(&blob), NULL);
        g_assert_true((key != NULL) == rows[i].good);
        ly_key_unref(key);
    }
    /* Superfluous zeros are read, and the key is the same one. */
    put_rsa(&blob, 128, 0x80, 3, 1);
    LyKey *plain = ly_key_new_public(crypto, ly_buf_bytes(&blob), NULL);
    LY_AUTO(ly_buf_free) LyBuf padded = {0};
    ly_put_cstring(&padded, "ssh-rsa");
    ly_put_string(&padded, ly_bytes("\0\3", 2));
    ly_buf_add(&padded, ly_bytes_slice(ly_buf_bytes(&blob), 7 + 4 + 4 + 1, blob.len));
    LyKey *odd = ly_key_new_public(crypto, ly_buf_bytes(&padded), NULL);
    g_assert_true(odd && ly_key_equal_public(plain, odd));
    g_assert_true(ly_bytes_equal(ly_key_blob(odd), ly_buf_bytes(&padded)));
    ly_key_unref(plain);
    ly_key_unref(odd);
    /* Another curve's name inside. */
    LyKey *curve = line_key(public_samples[1].line);
    g_autofree uint8_t *copy = g_memdup2(ly_key_blob(curve).data, ly_key_blob(curve).len);
    memcpy(copy + 4 + 19 + 4, "nistp384", 8);
    g_assert_null(ly_key_new_public(crypto, ly_bytes(copy, ly_key_blob(curve).len), NULL));
    ly_key_unref(curve);
}

/* What a signature of "SSHSIG" framing covers, so that ssh-keygen's signatures can be verified here. */
static void test_foreign_signatures(void)
{
    for (size_t i = 0; i < LY_COUNT(signature_samples); i++) {
        LY_AUTO(ly_buf_free) LyBuf blob = {0}, covered = {0};
        LyBytes message = LY_BYTES("the message\n");
        uint8_t digest[LY_HASH_MAX];
        LyError error = {0};
        g_assert_true(ly_base64_decode(&blob, ly_bytes_str(signature_samples[i].base64), false));
        LyReader reader = ly_reader(ly_buf_bytes(&blob));
        g_assert_true(ly_bytes_is(ly_get_bytes(&reader, 6), "SSHSIG"));
        g_assert_cmpuint(ly_get_u32(&reader), ==, 1);
        LyKey *key = ly_key_new_public(crypto, ly_get_string(&reader), &error);
        g_assert_nonnull(key);
        ly_buf_add_str(&covered, "SSHSIG");
        ly_put_string(&covered, ly_get_string(&reader));
        ly_put_string(&covered, ly_get_string(&reader));
        ly_put_string(&covered, ly_get_string(&reader));
        g_assert_true(ly_hash(crypto, LY_SHA512, &message, 1, digest));
        ly_put_string(&covered, ly_bytes(digest, 64));
        LyBytes signature = ly_get_string(&reader);
        g_assert_true(ly_reader_done(&reader));
        g_assert_true(ly_key_verify(key, (LyBytes){0}, ly_buf_bytes(&covered), signature, NULL, &error));
        covered.data[covered.len - 1] ^= 1;
        g_assert_false(ly_key_verify(key, (LyBytes){0}, ly_buf_bytes(&covered), signature, NULL, &error));
        g_assert_cmpint(error.code, ==, LY_ERROR_VERIFY);
        ly_key_unref(key);
    }
}

static void test_sign(void)
{
    static const struct {
        const char *key, *algorithm, *in_blob;
        bool by_default;
    } rows[] = {{"ed25519", "", "ssh-ed25519", true},
                {"ecdsa256", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", true},
                {"ecdsa384", "", "ecdsa-sha2-nistp384", true},
                {"ecdsa521", "", "ecdsa-sha2-nistp521", true},
                {"rsa1024", "", "rsa-sha2-512", true},
                {"rsa", "rsa-sha2-256", "rsa-sha2-256", true},
                {"rsa", "rsa-sha2-512-cert-v01@openssh.com", "rsa-sha2-512", true},
                {"rsa", "ssh-rsa", "ssh-rsa", false},
                {"dsa", "", "ssh-dss", false},
                {"ed448.p8", "", "ssh-ed448", false}};
    LyBytes message = LY_BYTES("signed here, verified here");
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LyKey *key = private_key(rows[i].key);
        LyKey *bare = ly_key_new_public(crypto, ly_key_blob(key), NULL);
        LY_AUTO(ly_buf_free) LyBuf signature = {0};
        LyError error = {0};
        g_assert_true(ly_key_is_private(key) && !ly_key_is_private(bare));
        bool ok = ly_key_sign(key, ly_bytes_str(rows[i].algorithm), message, &signature, &error);
        g_assert_cmpstr(error.message, ==, "");
        g_assert_true(ok);
        LyReader reader = ly_reader(ly_buf_bytes(&signature));
        g_assert_true(ly_bytes_is(ly_get_string(&reader), rows[i].in_blob));
        LyBytes blob = ly_buf_bytes(&signature), named = ly_bytes_str(rows[i].in_blob);
        g_assert_true(ly_key_verify(bare, named, message, blob, NULL, NULL));
        g_assert_true(ly_key_verify(bare, LY_BYTES("x"), message, blob, NULL, NULL) == false);
        g_assert_cmpint(ly_key_verify(bare, (LyBytes){0}, message, blob, NULL, NULL), ==, rows[i].by_default);
        /* A certificate's name does not allow a plain key. */
        g_assert_false(
            ly_key_verify(bare, LY_BYTES("rsa-sha2-512-cert-v01@openssh.com"), message, blob, NULL, NULL));
        for (size_t len = 0; len < blob.len; len++)
            g_assert_false(ly_key_verify(bare, named, message, ly_bytes_slice(blob, 0, len), NULL, &error));
        for (size_t at = 0; at < blob.len; at += 3) {
            signature.data[at] ^= 0x10;
            g_assert_false(ly_key_verify(bare, named, message, blob, NULL, &error));
            signature.data[at] ^= 0x10;
        }
        ly_put_u8(&signature, 0);
        g_assert_false(ly_key_verify(bare, named, message, ly_buf_bytes(&signature), NULL, &error));
        g_assert_cmpint(error.code, ==, LY_ERROR_INVALID);
        g_assert_false(ly_key_sign(bare, (LyBytes){0}, message, &signature, &error));
        g_assert_false(ly_key_sign(key, LY_BYTES("ssh-foo"), message, &signature, &error));
        g_assert_cmpint(error.code, ==, LY_ERROR_UNSUPPORTED);
        const char *other = strcmp(rows[i].key, "ed25519") ? "ssh-ed25519" : "rsa-sha2-512";
        g_assert_false(ly_key_sign(key, ly_bytes_str(other), message, &signature, &error));
        ly_key_unref(bare);
        ly_key_unref(key);
    }
    /* An RSA signature by SHA-1 does not pass as one by SHA-512. */
    LyKey *rsa = private_key("rsa");
    LY_AUTO(ly_buf_free) LyBuf weak = {0};
    g_assert_true(ly_key_sign(rsa, LY_BYTES("ssh-rsa"), message, &weak, NULL));
    g_assert_false(
        ly_key_verify(rsa, LY_BYTES("rsa-sha2-512,rsa-sha2-256"), message, ly_buf_bytes(&weak), NULL, NULL));
    ly_key_unref(rsa);
}

/* The seed of one key with the public half of another: read, but never used. */
static void test_halves(void)
{
    static const char *const names[] = {"ed25519", "ecdsa256", "rsa1024", "dsa"};
    for (size_t i = 0; i < LY_COUNT(names); i++) {
        LyKey *key = private_key(names[i]);
        LY_AUTO(ly_buf_free) LyBuf fields = {0}, signature = {0};
        LyError error = {0};
        g_assert_true(ly_key_check(key, &error) && ly_key_check(key, &error));
        ly_key_put_private(key, &fields);
        /* Of ed25519 the seed's last byte, which the public half follows; of the others the last number's
         * last one. */
        fields.data[fields.len - 1 - (i == 0 ? 32 : 0)] ^= 2;
        LyReader reader = ly_reader(ly_buf_bytes(&fields));
        LyKey *wrong = ly_key_new_private(crypto, &reader, LY_BYTES("wrong"), &error);
        g_assert_true(wrong && ly_reader_done(&reader));
        g_assert_false(ly_key_check(wrong, &error));
        g_assert_cmpint(error.code, ==, LY_ERROR_VERIFY);
        g_assert_false(ly_key_sign(wrong, (LyBytes){0}, LY_BYTES("m"), &signature, &error));
        g_assert_false(ly_key_write_openssh(crypto, wrong, NULL, &signature, &error));
        g_assert_cmpuint(signature.len, ==, 0);
        ly_key_unref(wrong);
        ly_key_unref(key);
    }
}

/* No security key is at hand: one of ours signs what PROTOCOL.u2f says it would. */
static void test_sk(void)
{
    static const char *const names[] = {"ed25519", "ecdsa256"};
    static const char *const types[] = {"sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"};
    for (size_t i = 0; i < LY_COUNT(names); i++) {
        LyKey *inner = private_key(names[i]);
        LY_AUTO(ly_buf_free)
        LyBuf blob = {0}, covered = {0}, raw = {0}, signature = {0}, fields = {0}, text = {0};
        LyBytes application = LY_BYTES("ssh:"), message = LY_BYTES("hello");
        uint8_t digest[LY_HASH_MAX], flags = 0;
        LyError error = {0};
        LyReader reader = ly_reader(ly_key_blob(inner));
        ly_get_string(&reader);
        LyBytes point = ly_get_rest(&reader);
        ly_put_cstring(&blob, types[i]);
        ly_buf_add(&blob, point);
        ly_put_string(&blob, application);
        LyKey *key = ly_key_new_public(crypto, ly_buf_bytes(&blob), &error);
        g_assert_nonnull(key);
        g_assert_true(ly_hash(crypto, LY_SHA256, &application, 1, digest));
        ly_buf_add(&covered, ly_bytes(digest, 32));
        ly_put_u8(&covered, 1);
        ly_put_u32(&covered, 7);
        g_assert_true(ly_hash(crypto, LY_SHA256, &message, 1, digest));
        ly_buf_add(&covered, ly_bytes(digest, 32));
        g_assert_true(ly_key_sign(inner, (LyBytes){0}, ly_buf_bytes(&covered), &raw, NULL));
        reader = ly_reader(ly_buf_bytes(&raw));
        ly_get_string(&reader);
        ly_put_cstring(&signature, types[i]);
        ly_put_string(&signature, ly_get_string(&reader));
        ly_put_u8(&signature, 1);
        ly_put_u32(&signature, 7);
        g_assert_true(ly_key_verify(key, (LyBytes){0}, message, ly_buf_bytes(&signature), &flags, &error));
        g_assert_cmpuint(flags, ==, 1);
        for (size_t at = 0; at < 5; at++) { /* flags and counter are covered */
            signature.data[signature.len - 1 - at] ^= 4;
            g_assert_false(
                ly_key_verify(key, (LyBytes){0}, message, ly_buf_bytes(&signature), &flags, &error));
            signature.data[signature.len - 1 - at] ^= 4;
        }
        /* The handle file: kept and written, but no key to sign with here. */
        ly_buf_add(&fields, ly_buf_bytes(&blob));
        ly_put_u8(&fields, 0x21);
        ly_put_string(&fields, LY_BYTES("handle"));
        ly_put_string(&fields, (LyBytes){0});
        reader = ly_reader(ly_buf_bytes(&fields));
        LyKey *handle = ly_key_new_private(crypto, &reader, LY_BYTES("token"), &error);
        g_assert_true(handle && ly_reader_done(&reader));
        g_assert_true(ly_key_has_secret(handle) && !ly_key_is_private(handle));
        g_assert_true(ly_key_write_openssh(crypto, handle, NULL, &text, &error));
        LyKey *again = ly_key_read(crypto, ly_buf_bytes(&text), NULL, &error);
        g_assert_true(again && ly_key_equal_public(again, key));
        ly_buf_clear(&text);
        ly_key_put_private(again, &text);
        g_assert_true(ly_bytes_equal(ly_buf_bytes(&text), ly_buf_bytes(&fields)));
        g_assert_false(ly_key_sign(handle, (LyBytes){0}, message, &raw, &error));
        g_assert_cmpint(error.code, ==, LY_ERROR_UNSUPPORTED);
        ly_key_unref(again);
        ly_key_unref(handle);
        ly_key_unref(key);
        ly_key_unref(inner);
    }
}

static void test_certificates(void)
{
    static const struct {
        const char *line;
        LyCertificateKind kind;
        const char *principal;
        uint64_t now;
        const char *error; /* NULL: it holds */
    } rows[] = {{cert_user, LY_CERTIFICATE_USER, "alice", IN_2026, NULL},
                {cert_user, LY_CERTIFICATE_USER, "bob", IN_2026, NULL},
                {cert_user, LY_CERTIFICATE_USER, "", IN_2026, NULL},
                {cert_user, LY_CERTIFICATE_USER, "alice,bob", IN_2026, "is not for"},
                {cert_user, LY_CERTIFICATE_USER, "*", IN_2026, "is not for"},
                {cert_user, LY_CERTIFICATE_USER, "alice", IN_2025, "not yet valid"},
                {cert_user, LY_CERTIFICATE_USER, "alice", IN_2027, "expired"},
                {cert_user, LY_CERTIFICATE_HOST, "alice", IN_2026, "not one for hosts"},
                {cert_user_forced, LY_CERTIFICATE_USER, "alice", IN_2026, NULL},
                {cert_user_none, LY_CERTIFICATE_USER, "alice", IN_2026, "no principal"},
                {cert_user_none, LY_CERTIFICATE_USER, "", IN_2026, "no principal"},
                {cert_user_unknown, LY_CERTIFICATE_USER, "alice", IN_2026, "foo@example.com"},
                {cert_user_rsaca, LY_CERTIFICATE_USER, "alice", IN_2026, NULL},
                {cert_user_sha1, LY_CERTIFICATE_USER, "alice", IN_2026, "signature"},
                {cert_host, LY_CERTIFICATE_HOST, "host.example", IN_2026, NULL},
                {cert_host, LY_CERTIFICATE_HOST, "a.wild.example", IN_2026, NULL},
                {cert_host, LY_CERTIFICATE_HOST, "a.tame.example", IN_2026, "is not for"},
                {cert_host, LY_CERTIFICATE_USER, "host.example", IN_2026, "not one for users"}};
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LyKey *key = line_key(rows[i].line);
        LyError error = {0};
        bool good =
            ly_certificate_check(crypto, key, rows[i].kind, ly_bytes_str(rows[i].principal),
                                 rows[i].kind == LY_CERTIFICATE_HOST, rows[i].now, (LyBytes){0}, &error);
        if (rows[i].error)
            g_assert_nonnull(strstr(error.message, rows[i].error));
        else
            g_assert_cmpstr(error.message, ==, "");
        g_assert_true(good == !rows[i].error);
        g_assert_true(error.code == (good ? LY_OK : LY_ERROR_VERIFY));
        ly_key_unref(key);
    }
    /* The lists of CA algorithms: another one, and SHA-1 even when it is asked for. */
    LyKey *ed = line_key(cert_user), *sha1 = line_key(cert_user_sha1);
    LyBytes alice = LY_BYTES("alice");
    g_assert_true(ly_certificate_check(crypto, ed, 1, alice, false, IN_2026, LY_BYTES("ssh-ed25519"), NULL));
    g_assert_false(
        ly_certificate_check(crypto, ed, 1, alice, false, IN_2026, LY_BYTES("rsa-sha2-512"), NULL));
    g_assert_false(ly_certificate_check(crypto, sha1, 1, alice, false, IN_2026, LY_BYTES("ssh-rsa"), NULL));
    ly_key_unref(ed);
    ly_key_unref(sha1);
}

static void test_certificate_fields(void)
{
    LyKey *key = line_key(cert_user), *plain = line_key(public_samples[0].line), *ca = line_key(ca_line);
    LyCertificate certificate;
    LyBytes data;
    g_assert_true(ly_certificate_read(ly_key_blob(key), &certificate, NULL));
    g_assert_cmpuint(certificate.serial, ==, 42);
    g_assert_cmpuint(certificate.kind, ==, LY_CERTIFICATE_USER);
    g_assert_true(ly_bytes_is(certificate.id, "alice id"));
    g_assert_cmpuint(certificate.valid_after, ==, 1767225600);
    g_assert_cmpuint(certificate.valid_before, ==, 1798761600);
    g_assert_true(ly_bytes_equal(certificate.ca_blob, ly_key_blob(ca)));
    g_assert_true(ly_certificate_option(certificate.extensions, "permit-pty", &data) && data.len == 0);
    g_assert_false(ly_certificate_option(certificate.critical, "force-command", &data));
    g_assert_true(ly_key_equal_public(key, plain) && ly_key_is_certificate(key));
    g_assert_cmpstr(ly_key_type_name(key), ==, "ssh-ed25519-cert-v01@openssh.com");
    char text[100];
    ly_key_fingerprint(crypto, ly_key_plain_blob(key), LY_SHA256, text);
    g_assert_cmpstr(text, ==, public_samples[0].sha256);

    /* A private key with its certificate: signs as before, and travels with it. */
    LyKey *secret = private_key("ed25519"), *other = private_key("ecdsa256");
    LyError error = {0};
    g_assert_null(ly_key_new_certified(other, ly_key_blob(key), &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_INVALID);
    LyKey *certified = ly_key_new_certified(secret, ly_key_blob(key), &error);
    LY_AUTO(ly_buf_free) LyBuf signature = {0}, fields = {0};
    g_assert_true(ly_key_sign(certified, (LyBytes){0}, LY_BYTES("m"), &signature, &error));
    g_assert_true(ly_key_verify(key, LY_BYTES("ssh-ed25519-cert-v01@openssh.com"), LY_BYTES("m"),
                                ly_buf_bytes(&signature), NULL, NULL));
    g_assert_false(
        ly_key_verify(key, LY_BYTES("ssh-ed25519"), LY_BYTES("m"), ly_buf_bytes(&signature), NULL, NULL));
    ly_key_put_private(certified, &fields);
    LyReader reader = ly_reader(ly_buf_bytes(&fields));
    LyKey *again = ly_key_new_private(crypto, &reader, (LyBytes){0}, &error);
    g_assert_true(again && ly_reader_done(&reader) && ly_key_is_certificate(again) &&
                  ly_key_check(again, NULL));
    ly_key_unref(again);
    ly_key_unref(certified);
    ly_key_unref(secret);
    ly_key_unref(other);
    ly_key_unref(ca);
    ly_key_unref(plain);
    ly_key_unref(key);
}

static void test_certificate_damage(void)
{
    LyKey *key = line_key(cert_user_forced);
    LyBytes blob = ly_key_blob(key);
    g_autofree uint8_t *copy = g_memdup2(blob.data, blob.len);
    for (size_t len = 0; len < blob.len; len++)
        g_assert_null(ly_key_new_public(crypto, ly_bytes(copy, len), NULL));
    for (size_t bit = 0; bit < blob.len * 8; bit += 5) {
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        LyKey *flipped = ly_key_new_public(crypto, ly_bytes(copy, blob.len), NULL);
        g_assert_false(flipped &&
                       ly_certificate_check(crypto, flipped, LY_CERTIFICATE_USER, LY_BYTES("alice"), false,
                                            IN_2026, (LyBytes){0}, NULL));
        ly_key_unref(flipped);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    ly_key_unref(key);
}

/* Leading zero bytes in numbers come up once in 256 keys: enough keys to meet some. */
static void test_generated(void)
{
    static const struct {
        LyPkType type;
        unsigned bits, count;
    } rows[] = {{LY_PK_ED25519, 256, 150},
                {LY_PK_ED448, 448, 20},
                {LY_PK_ECDSA, 256, 100},
                {LY_PK_ECDSA, 384, 20},
                {LY_PK_ECDSA, 521, 30}};
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        for (unsigned n = 0; n < rows[i].count; n++) {
            LyError error = {0};
            LY_AUTO(ly_buf_free) LyBuf text = {0}, line = {0}, signature = {0};
            LyKey *key = ly_key_generate(crypto, rows[i].type, rows[i].bits, LY_BYTES("made here"), &error);
            g_assert_cmpstr(error.message, ==, "");
            g_assert_true(ly_key_write_openssh(crypto, key, NULL, &text, &error));
            LyKey *again = ly_key_read(crypto, ly_buf_bytes(&text), NULL, &error);
            g_assert_cmpstr(error.message, ==, "");
            g_assert_true(ly_bytes_equal(ly_key_blob(key), ly_key_blob(again)));
            g_assert_true(ly_bytes_is(ly_key_comment(again), "made here"));
            ly_key_write_line(key, &line);
            LyKey *bare = ly_key_read(crypto, ly_buf_bytes(&line), NULL, &error);
            g_assert_true(bare && ly_key_bits(bare) == rows[i].bits);
            g_assert_true(ly_key_sign(again, (LyBytes){0}, LY_BYTES("m"), &signature, &error));
            LyBytes allowed = rows[i].type == LY_PK_ED448 ? LY_BYTES("ssh-ed448") : (LyBytes){0};
            g_assert_true(
                ly_key_verify(bare, allowed, LY_BYTES("m"), ly_buf_bytes(&signature), NULL, &error));
            g_assert_false(ly_key_verify(bare, allowed, LY_BYTES("n"), ly_buf_bytes(&signature), NULL, NULL));
            ly_key_unref(bare);
            ly_key_unref(again);
            ly_key_unref(key);
        }
    }
    g_assert_null(ly_key_generate(crypto, LY_PK_DSA, 1024, (LyBytes){0}, NULL));
    g_assert_null(ly_key_generate(crypto, LY_PK_ECDSA, 255, (LyBytes){0}, NULL));
    g_assert_null(ly_key_generate(crypto, LY_PK_RSA, 1023, (LyBytes){0}, NULL));
    LyKey *rsa = ly_key_generate(crypto, LY_PK_RSA, 1024, (LyBytes){0}, NULL);
    g_assert_true(rsa && ly_key_bits(rsa) == 1024 && ly_key_check(rsa, NULL));
    ly_key_unref(rsa);
}

/* A certificate for `key`, made by hand: an authority's blob, a principal. */
static LyKey *make_certificate(LyKey *key, LyKey *ca, LyBytes ca_blob, const char *principal)
{
    LyReader plain = ly_reader(ly_key_plain_blob(key));
    LyBuf blob = {0}, signature = {0}, principals = {0};
    LyError error = {0};
    ly_get_string(&plain);
    ly_put_cstring(&blob, "ssh-ed25519-cert-v01@openssh.com");
    ly_put_cstring(&blob, "nonce");
    ly_buf_add(&blob, ly_get_rest(&plain));
    ly_put_u64(&blob, 1);
    ly_put_u32(&blob, LY_CERTIFICATE_USER);
    ly_put_cstring(&blob, "id");
    ly_put_cstring(&principals, principal);
    ly_put_string(&blob, ly_buf_bytes(&principals));
    ly_put_u64(&blob, 0);
    ly_put_u64(&blob, UINT64_MAX);
    for (int i = 0; i < 3; i++) /* critical options, extensions, reserved */
        ly_put_cstring(&blob, "");
    ly_put_string(&blob, ca_blob);
    g_assert_true(ly_key_sign(ca, (LyBytes){0}, ly_buf_bytes(&blob), &signature, NULL));
    ly_put_string(&blob, ly_buf_bytes(&signature));
    LyKey *certificate = ly_key_new_public(crypto, ly_buf_bytes(&blob), &error);
    g_assert_cmpstr(error.message, ==, "");
    ly_buf_free(&blob);
    ly_buf_free(&signature);
    ly_buf_free(&principals);
    return certificate;
}

/* A name with a comma is one name, and what a certificate signed is no authority. */
static void test_certificates_by_hand(void)
{
    LyKey *ca = ly_key_generate(crypto, LY_PK_ED25519, 0, (LyBytes){0}, NULL);
    LyKey *key = ly_key_generate(crypto, LY_PK_ED25519, 0, (LyBytes){0}, NULL);
    LyKey *good = make_certificate(key, ca, ly_key_blob(ca), "alice");
    LyKey *comma = make_certificate(key, ca, ly_key_blob(ca), "alice,bob");
    LyKey *nested = make_certificate(ca, key, ly_key_blob(good), "alice");
    static const char *const names[] = {"alice", "bob"};
    for (size_t i = 0; i < LY_COUNT(names); i++) {
        LyBytes name = ly_bytes_str(names[i]);
        LyError error = {0};
        g_assert_true(ly_certificate_check(crypto, good, 1, name, false, IN_2026, (LyBytes){0}, NULL) ==
                      (i == 0));
        g_assert_false(ly_certificate_check(crypto, comma, 1, name, false, IN_2026, (LyBytes){0}, &error));
        g_assert_nonnull(strstr(error.message, "is not for"));
    }
    LyError error = {0};
    g_assert_false(
        ly_certificate_check(crypto, nested, 1, LY_BYTES("alice"), false, IN_2026, (LyBytes){0}, &error));
    g_assert_nonnull(strstr(error.message, "another certificate"));
    LyKey *const keys[] = {ca, key, good, comma, nested};
    for (size_t i = 0; i < LY_COUNT(keys); i++)
        ly_key_unref(keys[i]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    g_assert_nonnull(crypto);
    g_test_add_func("/key/tables", test_tables);
    g_test_add_func("/key/fingerprints", test_fingerprints);
    g_test_add_func("/key/public-damage", test_public_damage);
    g_test_add_func("/key/public-limits", test_public_limits);
    g_test_add_func("/key/foreign-signatures", test_foreign_signatures);
    g_test_add_func("/key/sign", test_sign);
    g_test_add_func("/key/halves", test_halves);
    g_test_add_func("/key/sk", test_sk);
    g_test_add_func("/key/certificates", test_certificates);
    g_test_add_func("/key/certificates-by-hand", test_certificates_by_hand);
    g_test_add_func("/key/certificate-fields", test_certificate_fields);
    g_test_add_func("/key/certificate-damage", test_certificate_damage);
    g_test_add_func("/key/generated", test_generated);
    int status = g_test_run();
    ly_crypto_unref(crypto);
    return status;
}
