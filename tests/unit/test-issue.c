/* core/key: issuing certificates. */
#include <glib.h>

#include "base/auto.h"
#include "base/memory.h"
#include "key-samples.h"
#include "key/issue.h"
#include "key/read.h"

#define FROM_2026 1767225600u /* 1 January */
#define TO_2027 1798761600u
#define IN_2026 1782864000u

static LyCrypto *crypto;

static LyKey *line_key(const char *line)
{
    LyKey *key = ly_key_read_line(crypto, ly_bytes_str(line), NULL);
    g_assert_nonnull(key);
    return key;
}

static LyKey *private_key(const char *name)
{
    for (size_t i = 0; i < LY_COUNT(private_samples); i++)
        if (strcmp(private_samples[i].name, name) == 0)
            return ly_key_read(crypto, ly_bytes_str(private_samples[i].text), NULL, NULL);
    g_error("there is no %s", name);
}

/* A key of a security key: its public half is enough for a certificate. */
static LyKey *sk_key(const char *type)
{
    LyKey *plain = line_key(strstr(type, "ecdsa") ? public_samples[1].line : public_samples[0].line);
    LY_AUTO(ly_buf_free) LyBuf blob = {0};
    LyReader reader = ly_reader(ly_key_blob(plain));
    ly_get_string(&reader);
    ly_put_cstring(&blob, type);
    ly_buf_add(&blob, ly_get_rest(&reader));
    ly_put_cstring(&blob, "ssh:");
    LyKey *key = ly_key_new_public(crypto, ly_buf_bytes(&blob), NULL);
    g_assert_nonnull(key);
    ly_key_unref(plain);
    return key;
}

static LyBytes nonce_of(LyBytes part)
{
    LyReader reader = ly_reader(part);
    ly_get_string(&reader);
    return ly_get_string(&reader);
}

/* What ssh-keygen 9.2 signed, byte for byte but for the nonce; and its signature fits. */
static void test_known(void)
{
    LY_AUTO(ly_buf_free) LyBuf extensions = {0}, forced = {0}, pty = {0};
    ly_certificate_put_default_extensions(&extensions);
    ly_certificate_put_option(&forced, "source-address", false, LY_BYTES("10.0.0.0/8,192.168.1.7"));
    ly_certificate_put_option(&forced, "force-command", false, LY_BYTES("ls -l"));
    ly_certificate_put_option(&pty, "permit-pty", true, (LyBytes){0});
    const struct {
        const char *line, *ca;
        LyCertificateRequest request;
        bool any;
    } rows[] = {
        {cert_user,
         ca_line,
         {LY_CERTIFICATE_USER,
          42,
          LY_BYTES("alice id"),
          LY_BYTES("alice,bob"),
          FROM_2026,
          TO_2027,
          {0},
          ly_buf_bytes(&extensions)},
         false},
        {cert_user_forced,
         ca_line,
         {LY_CERTIFICATE_USER, 0, LY_BYTES("forced"), LY_BYTES("alice"), FROM_2026, TO_2027,
          ly_buf_bytes(&forced), ly_buf_bytes(&pty)},
         false},
        {cert_user_none,
         ca_line,
         {LY_CERTIFICATE_USER, 0, LY_BYTES("none"), {0}, FROM_2026, TO_2027, {0}, ly_buf_bytes(&extensions)},
         true},
        {cert_user_rsaca,
         rsa_ca_line,
         {LY_CERTIFICATE_USER,
          0,
          LY_BYTES("rsa"),
          LY_BYTES("alice"),
          FROM_2026,
          TO_2027,
          {0},
          ly_buf_bytes(&extensions)},
         false},
        {cert_host,
         ca_line,
         {LY_CERTIFICATE_HOST,
          0,
          LY_BYTES("host"),
          LY_BYTES("host.example,*.wild.example"),
          FROM_2026,
          TO_2027,
          {0},
          {0}},
         false},
        {cert_host_rsa,
         ca_line,
         {LY_CERTIFICATE_HOST, 0, LY_BYTES("host"), LY_BYTES("host.example"), FROM_2026, TO_2027, {0}, {0}},
         false},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LyKey *known = line_key(rows[i].line), *ca = line_key(rows[i].ca);
        LyCertificate fields;
        LyError error = {0};
        LY_AUTO(ly_buf_free) LyBuf part = {0}, second = {0};
        g_assert_true(ly_certificate_read(ly_key_blob(known), &fields, NULL));
        bool good = ly_certificate_put_signed_part(crypto, known, &rows[i].request, rows[i].any,
                                                   ly_key_blob(ca), &part, &error);
        g_assert_cmpstr(error.message, ==, "");
        g_assert_true(good);
        g_assert_true(ly_certificate_put_signed_part(crypto, known, &rows[i].request, rows[i].any,
                                                     ly_key_blob(ca), &second, &error));
        LyBytes nonce = nonce_of(ly_buf_bytes(&part));
        g_assert_cmpuint(nonce.len, ==, 32);
        g_assert_false(ly_bytes_equal(nonce, nonce_of(ly_buf_bytes(&second))));
        memcpy((void *)nonce.data, nonce_of(fields.signed_part).data, nonce.len);
        g_assert_cmpmem(part.data, part.len, fields.signed_part.data, fields.signed_part.len);

        LyKey *made = ly_certificate_complete(crypto, ly_buf_bytes(&part), fields.signature,
                                              LY_BYTES("comment"), &error);
        g_assert_nonnull(made);
        g_assert_true(ly_bytes_equal(ly_key_blob(made), ly_key_blob(known)));
        g_assert_true(ly_bytes_is(ly_key_comment(made), "comment"));
        ly_key_unref(made);
        /* a signature of something else, or none */
        g_assert_null(
            ly_certificate_complete(crypto, ly_buf_bytes(&second), fields.signature, (LyBytes){0}, &error));
        g_assert_cmpint(error.code, ==, LY_ERROR_VERIFY);
        g_assert_null(ly_certificate_complete(crypto, ly_buf_bytes(&part), (LyBytes){0}, (LyBytes){0}, NULL));
        g_assert_null(
            ly_certificate_complete(crypto, ly_key_blob(known), fields.signature, (LyBytes){0}, NULL));
        for (size_t len = 0; len < part.len; len += i ? 97 : 1)
            g_assert_null(ly_certificate_complete(crypto, ly_bytes(part.data, len), fields.signature,
                                                  (LyBytes){0}, NULL));
        ly_key_unref(known);
        ly_key_unref(ca);
    }
}

/* All types of keys by all types of CAs. */
static void test_types(void)
{
    static const char *const cas[] = {"ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa"};
    LyKey *keys[LY_COUNT(public_samples) + 2];
    for (size_t i = 0; i < LY_COUNT(public_samples); i++)
        keys[i] = line_key(public_samples[i].line);
    keys[LY_COUNT(public_samples)] = sk_key("sk-ssh-ed25519@openssh.com");
    keys[LY_COUNT(public_samples) + 1] = sk_key("sk-ecdsa-sha2-nistp256@openssh.com");
    for (size_t c = 0; c < LY_COUNT(cas); c++) {
        LyKey *ca = private_key(cas[c]);
        for (size_t i = 0; i < LY_COUNT(keys); i++) {
            LyCertificateRequest request = {
                .kind = i % 2 ? LY_CERTIFICATE_HOST : LY_CERTIFICATE_USER,
                .serial = UINT64_MAX,
                .id = LY_BYTES("an id"),
                .principals = LY_BYTES("first,second"),
                .valid_before = UINT64_MAX,
            };
            LyError error = {0};
            LyCertificate fields;
            LyKey *made = ly_certificate_issue(crypto, keys[i], &request, false, ca, (LyBytes){0}, &error);
            g_assert_cmpstr(error.message, ==, "");
            g_assert_nonnull(made);
            g_assert_true(ly_key_is_certificate(made) && !ly_key_is_private(made));
            g_assert_true(ly_key_equal_public(made, keys[i]));
            g_assert_true(ly_bytes_equal(ly_key_comment(made), ly_key_comment(keys[i])));
            bool good = ly_certificate_check(crypto, made, request.kind, LY_BYTES("second"), false, IN_2026,
                                             (LyBytes){0}, &error);
            g_assert_cmpstr(error.message, ==, "");
            g_assert_true(good);
            g_assert_true(ly_certificate_read(ly_key_blob(made), &fields, NULL));
            g_assert_true(fields.serial == UINT64_MAX && ly_bytes_equal(fields.ca_blob, ly_key_blob(ca)));
            ly_key_unref(made);
        }
        ly_key_unref(ca);
    }
    for (size_t i = 0; i < LY_COUNT(keys); i++)
        ly_key_unref(keys[i]);
}

static void test_algorithms(void)
{
    static const struct {
        const char *ca, *algorithm, *used; /* `used` NULL: refused */
    } rows[] = {
        {"rsa", "", "rsa-sha2-512"},
        {"rsa", "rsa-sha2-512", "rsa-sha2-512"},
        {"rsa", "rsa-sha2-256", "rsa-sha2-256"},
        {"rsa", "ssh-rsa", NULL},
        {"rsa", "ssh-ed25519", NULL},
        {"rsa", "nonsense", NULL},
        {"ed25519", "ssh-ed25519", "ssh-ed25519"},
        {"ed25519", "rsa-sha2-512", NULL},
        {"dsa", "", NULL},
    };
    LyKey *key = line_key(public_samples[1].line);
    LyCertificateRequest request = {LY_CERTIFICATE_USER, 1, {0}, LY_BYTES("a"), 0, UINT64_MAX, {0}, {0}};
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LyKey *ca = private_key(rows[i].ca);
        LyError error = {0};
        LyKey *made =
            ly_certificate_issue(crypto, key, &request, false, ca, ly_bytes_str(rows[i].algorithm), &error);
        g_assert_true(!made == !rows[i].used && !made == (error.code != LY_OK));
        if (made) {
            LyCertificate fields;
            g_assert_true(ly_certificate_read(ly_key_blob(made), &fields, NULL));
            LyReader signature = ly_reader(fields.signature);
            g_assert_true(ly_bytes_is(ly_get_string(&signature), rows[i].used));
        }
        ly_key_unref(made);
        ly_key_unref(ca);
    }
    ly_key_unref(key);
}

static char *many(unsigned count)
{
    GString *text = g_string_new("p0");
    for (unsigned i = 1; i < count; i++)
        g_string_append_printf(text, ",p%u", i);
    return g_string_free(text, FALSE);
}

static void test_errors(void)
{
    LY_AUTO(ly_buf_free) LyBuf twice = {0}, unnamed = {0}, one = {0}, hundreds = {0};
    for (int i = 0; i < 2; i++)
        ly_certificate_put_option(&twice, "permit-pty", true, (LyBytes){0});
    ly_certificate_put_option(&unnamed, "", true, (LyBytes){0});
    ly_certificate_put_option(&one, "force-command", false, LY_BYTES("x"));
    for (unsigned i = 0; i < 257; i++) {
        g_autofree char *name = g_strdup_printf("o%u", i);
        ly_certificate_put_option(&hundreds, name, true, (LyBytes){0});
    }
    g_autofree char *most = many(256), *too_many = many(257);
    LyKey *key = line_key(public_samples[0].line), *ca = private_key("ecdsa256"),
          *ca_certificate = line_key(cert_user), *dsa = line_key(public_samples[6].line);
    LY_AUTO(ly_buf_free) LyBuf ed448_blob = {0};
    ly_put_cstring(&ed448_blob, "ssh-ed448");
    ly_put_u32(&ed448_blob, 57);
    for (int i = 0; i < 57; i++)
        ly_put_u8(&ed448_blob, (uint8_t)i);
    LyKey *ed448 = ly_key_new_public(crypto, ly_buf_bytes(&ed448_blob), NULL);
    g_assert_nonnull(ed448);
    LyBytes blob = ly_key_blob(ca), none = {0}, alice = LY_BYTES("alice");
    const LyCertificateKind user = LY_CERTIFICATE_USER, host = LY_CERTIFICATE_HOST;
    const struct {
        LyKey *key;
        LyBytes ca;
        LyCertificateRequest request;
        bool any;
        const char *says; /* NULL: issued */
    } rows[] = {
        {key, blob, {user, 0, none, alice, 0, 1, none, none}, false, NULL},
        {ca_certificate, blob, {user, 0, none, alice, 0, 1, none, none}, false, NULL},
        {key, blob, {user, 0, none, none, 0, 1, none, none}, false, "no principal: name the users"},
        {key, blob, {host, 0, none, none, 0, 1, none, none}, false, "no principal: name the hosts"},
        {key, blob, {user, 0, none, none, 0, 1, none, none}, true, NULL},
        {key, blob, {user, 0, none, LY_BYTES(","), 0, 1, none, none}, false, "empty"},
        {key, blob, {user, 0, none, LY_BYTES("a,"), 0, 1, none, none}, true, "empty"},
        {key, blob, {user, 0, none, LY_BYTES(",a"), 0, 1, none, none}, false, "empty"},
        {key, blob, {user, 0, none, LY_BYTES("a,,b"), 0, 1, none, none}, false, "empty"},
        {key, blob, {user, 0, none, ly_bytes_str(most), 0, 1, none, none}, false, NULL},
        {key, blob, {user, 0, none, ly_bytes_str(too_many), 0, 1, none, none}, false, "at most 256"},
        {key, blob, {user, 0, none, alice, 5, 5, none, none}, false, "never be valid"},
        {key, blob, {user, 0, none, alice, 6, 5, none, none}, false, "never be valid"},
        {key,
         blob,
         {(LyCertificateKind)3, 0, none, alice, 0, 1, none, none},
         false,
         "user or one for a host"},
        {key, blob, {host, 0, none, alice, 0, 1, ly_buf_bytes(&one), none}, false, "no critical options"},
        {key, blob, {user, 0, none, alice, 0, 1, ly_buf_bytes(&one), none}, false, NULL},
        {key, blob, {user, 0, none, alice, 0, 1, none, ly_buf_bytes(&twice)}, false, "twice"},
        {key, blob, {user, 0, none, alice, 0, 1, ly_buf_bytes(&twice), none}, false, "twice"},
        {key, blob, {user, 0, none, alice, 0, 1, none, ly_buf_bytes(&unnamed)}, false, "no name"},
        {key, blob, {user, 0, none, alice, 0, 1, none, LY_BYTES("noise")}, false, "malformed"},
        {key, blob, {user, 0, none, alice, 0, 1, none, ly_buf_bytes(&hundreds)}, false, "more than 256"},
        {key, blob, {user, 0, none, alice, 0, 1, none, ly_bytes(one.data, one.len - 1)}, false, "malformed"},
        {key,
         ly_key_blob(ca_certificate),
         {user, 0, none, alice, 0, 1, none, none},
         false,
         "is a certificate"},
        {key, ly_key_blob(ed448), {user, 0, none, alice, 0, 1, none, none}, false, "ssh-ed448"},
        {key, ly_key_blob(dsa), {user, 0, none, alice, 0, 1, none, none}, false, "ssh-dss"},
        {key, none, {user, 0, none, alice, 0, 1, none, none}, false, "the CA's key: "},
        {ed448, blob, {user, 0, none, alice, 0, 1, none, none}, false, "no certificates for ssh-ed448"},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LY_AUTO(ly_buf_free) LyBuf part = {0};
        LyError error = {0};
        bool good = ly_certificate_put_signed_part(crypto, rows[i].key, &rows[i].request, rows[i].any,
                                                   rows[i].ca, &part, &error);
        if (good != !rows[i].says || (rows[i].says && !strstr(error.message, rows[i].says)))
            g_error("row %zu: %s", i, error.message);
        g_assert_true(good == (part.len > 0));
        g_assert_cmpint(error.code, ==, good ? LY_OK : LY_ERROR_INVALID);
    }
    /* a CA without its private half */
    LyError error = {0};
    LyKey *public_ca = line_key(ca_line);
    g_assert_null(ly_certificate_issue(crypto, key, &rows[0].request, false, public_ca, none, &error));
    g_assert_nonnull(strstr(error.message, "the CA's key"));
    ly_key_unref(public_ca);
    ly_key_unref(ed448);
    ly_key_unref(dsa);
    ly_key_unref(ca_certificate);
    ly_key_unref(ca);
    ly_key_unref(key);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    g_assert_nonnull(crypto);
    g_test_add_func("/issue/known", test_known);
    g_test_add_func("/issue/types", test_types);
    g_test_add_func("/issue/algorithms", test_algorithms);
    g_test_add_func("/issue/errors", test_errors);
    int status = g_test_run();
    ly_crypto_unref(crypto);
    return status;
}
