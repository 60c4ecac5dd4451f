/* core/key: key revocation lists. */
#include <glib.h>

#include "base/auto.h"
#include "base/base64.h"
#include "key-samples.h"
#include "key/certificate.h"
#include "key/krl.h"
#include "key/read.h"
#include "key/write.h"

static LyCrypto *crypto;

/* Made by ssh-keygen 9.2 of what known_text says. */
static const char known_krl[] =
    "U1NIS1JMCgAAAAABAAAAAAAAAAcAAAAAawNbGQAAAAAAAAAAAAAAAAAAAAlhIGNvbW1lbnQBAAAAoAAAADMAAAALc3NoLWVkMjU1"
    "MTkAAAAgsvc6pcC51EGlbp9FROqpcBJxIeJbH4fcY/cadD0HrqsAAAAAIgAAABEAAAAAAAAABQAAAAUgAAAAHSEAAAAQAAAAAAAA"
    "A+gAAAAAAB6EgCIAAAAZAAAAAAAtxsAAAAANFVVVVVVVVVVVVVVVVSMAAAAXAAAABGhvc3QAAAALemV0YSAieCIgw6QBAAAAFwAA"
    "AAAAAAAAIwAAAAoAAAAGZm9yY2VkAQAAASwAAAEXAAAAB3NzaC1yc2EAAAADAQABAAABAQDPo0QJ9xyC9i6lzaH+2w+iE+xMmboR"
    "BmZXHuOfupMpBajKWY84cRdEfraBqubh58FXcx6AfN18gF0Dq4vFRqoQMWkIrWZUrGt3lW9dcxmUn/thpwLzYic/v+uFidWkEXh1"
    "63OVvfbXKFJX2QXYGBuLkwtDbs0KvPPcjCs8rfeSf8hD4PgyyKJ1TSKYXkIptAXylgN47bBRck/kh0EEj377L1bBp/GmCuNqL6o4"
    "mdLMLHntRDHW9PZFGZ6ID7946oydp65WRd2uNQTHZJjJhtENfn4sQH7cWxLmYY55/5EjnemTHu8PZ+Wrgi1MsdmSFH10B1oNs6f2"
    "yx8ukaTq9JxdAAAAACAAAAAI//////////8CAAABywAAARcAAAAHc3NoLXJzYQAAAAMBAAEAAAEBAM+jRAn3HIL2LqXNof7bD6IT"
    "7EyZuhEGZlce45+6kykFqMpZjzhxF0R+toGq5uHnwVdzHoB83XyAXQOri8VGqhAxaQitZlSsa3eVb11zGZSf+2GnAvNiJz+/64WJ"
    "1aQReHXrc5W99tcoUlfZBdgYG4uTC0NuzQq889yMKzyt95J/yEPg+DLIonVNIpheQim0BfKWA3jtsFFyT+SHQQSPfvsvVsGn8aYK"
    "42ovqjiZ0swsee1EMdb09kUZnogPv3jqjJ2nrlZF3a41BMdkmMmG0Q1+fixAftxbEuZhjnn/kSOd6ZMe7w9n5auCLUyx2ZIUfXQH"
    "Wg2zp/bLHy6RpOr0nF0AAACsAAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAD/9S6PRpTM29Cc5cCOXfDh"
    "g8AwYEPdHPfGw/rTVRv2Vp9xseA94MVU93xBVXInet96C15omrMBZCi40QC+cqpNRQFduGGZeAyYPtvMS46XjEZYfvRo7Y9eHaY9"
    "htagJfpZ7IRfEsoF8yQy4ZvNLfH/HKtoilWEUHEcAwmiR15KihuGPgMAAAAYAAAAFEdb22V5dokizwZkg2h/DuR5l3tiBQAAACQA"
    "AAAgRm23A7YiN+vQjJiRi7wc1quxULPpKV1tUJZbx5IdT6Q=";

static const char known_head[] =
    "# KRL version 7\n"
    "# Generated at 20261122T211401\n"
    "# Comment: a comment\n"
    "\n"
    "hash: SHA256:cvXOfo2iz3CnCJTz+MSPQRm2m/2qeU13Rk4S3fn6yfI # ssh-rsa\n"
    "hash: SHA256:aJb7Mv23kE6SNFgMJrnBmsX+gAv6FrBthJE1kYQ1B4E # ecdsa-sha2-nistp521\n"
    "hash: SHA256:466db703b62237ebd08c98918bbc1cd6abb150b3e9295d6d50965bc7921d4fa4\n"
    "# hash SHA1:475bdb6579768922cf066483687f0ee479977b62\n"
    "\n"
    "# CA key ssh-ed25519 SHA256:oWblKUYikNUz2eg64BfQQK3tq+Ew2y/cpIGK9nlR7fw\n"
    "serial: 5\nserial: 7-9\nserial: 42\nserial: 1000-2000000\n";
static const char known_tail[] = "id: host\nid: zeta \"x\" \xc3\xa4\n"
                                 "\n"
                                 "# Wildcard CA\nid: forced\n"
                                 "\n"
                                 "# CA key ssh-rsa SHA256:cvXOfo2iz3CnCJTz+MSPQRm2m/2qeU13Rk4S3fn6yfI\n"
                                 "serial: 18446744073709551615\n";

static LyKey *line_key(const char *line)
{
    LyKey *key = ly_key_read_line(crypto, ly_bytes_str(line), NULL);
    g_assert_nonnull(key);
    return key;
}

static char *known_text(void)
{
    GString *text = g_string_new(known_head);
    for (unsigned serial = 3000000; serial <= 3000100; serial += 2)
        g_string_append_printf(text, "serial: %u\n", serial);
    g_string_append(text, known_tail);
    return g_string_free(text, FALSE);
}

static void assert_described(const LyKrl *krl, const char *expected)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    ly_krl_describe(krl, &text);
    g_assert_cmpstr(ly_buf_str(&text), ==, expected);
}

static LyKrl *read_known(LyBuf *binary)
{
    LyError error = {0};
    g_assert_true(ly_base64_decode(binary, LY_BYTES(known_krl), false));
    LyKrl *krl = ly_krl_read(crypto, ly_buf_bytes(binary), &error);
    g_assert_cmpstr(error.message, ==, "");
    g_assert_nonnull(krl);
    return krl;
}

static bool revokes(const LyKrl *krl, const char *line)
{
    LyKey *key = line_key(line);
    bool revoked = ly_krl_revokes(krl, key);
    ly_key_unref(key);
    return revoked;
}

static void test_known(void)
{
    /* as ssh-keygen -Q -f says */
    const struct {
        const char *line;
        bool revoked;
    } rows[] = {
        {ca_line, false},
        {cert_host, true},
        {cert_host_rsa, true},
        {cert_user, true},
        {cert_user_forced, true},
        {cert_user_none, false},
        {cert_user_rsaca, true},
        {cert_user_sha1, true},
        {cert_user_unknown, false},
        {public_samples[0].line, false},
        {public_samples[1].line, false},
        {public_samples[2].line, false},
        {public_samples[3].line, true},
        {public_samples[4].line, false},
        {public_samples[5].line, true},
        {public_samples[6].line, true},
        {rsa_ca_line, true},
    };
    LY_AUTO(ly_buf_free) LyBuf binary = {0}, again = {0};
    LyKrl *krl = read_known(&binary);
    g_assert_cmpuint(ly_krl_version(krl), ==, 7);
    g_assert_cmpuint(ly_krl_generated(krl), ==, 0x6b035b19);
    g_assert_true(ly_bytes_is(ly_krl_comment(krl), "a comment"));
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        if (revokes(krl, rows[i].line) != rows[i].revoked)
            g_error("row %zu is not %d", i, rows[i].revoked);
    }
    g_autofree char *text = known_text();
    assert_described(krl, text);
    /* what ssh-keygen chose is what we choose */
    ly_krl_write(krl, ly_krl_generated(krl), &again);
    g_assert_cmpmem(binary.data, binary.len, again.data, again.len);
    ly_krl_free(krl);
}

/* A prefix that ends with a section is a KRL; no other is. */
static void test_truncated(void)
{
    LY_AUTO(ly_buf_free) LyBuf binary = {0};
    ly_krl_free(read_known(&binary));
    size_t good = 0;
    for (size_t len = 0; len < binary.len; len++) {
        LyError error = {0};
        LyBytes copy = {g_memdup2(binary.data, len), len};
        LyKrl *krl = ly_krl_read(crypto, copy, &error);
        g_assert_true(!krl == (error.code == LY_ERROR_INVALID));
        good += krl != NULL;
        ly_krl_free(krl);
        g_free((void *)copy.data);
    }
    g_assert_cmpuint(good, ==, 6); /* the head, three sections of certificates, keys, SHA-1 */
}

static void test_flipped(void)
{
    LY_AUTO(ly_buf_free) LyBuf binary = {0};
    ly_krl_free(read_known(&binary));
    LyKey *certificate = line_key(cert_user_forced);
    for (size_t bit = 0; bit < 8 * binary.len; bit++) {
        LyError error = {0};
        binary.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        LyKrl *krl = ly_krl_read(crypto, ly_buf_bytes(&binary), &error);
        g_assert_true(!krl == (error.code != LY_OK) && !krl == (error.message[0] != 0));
        if (krl) {
            LY_AUTO(ly_buf_free) LyBuf text = {0}, again = {0};
            ly_krl_revokes(krl, certificate);
            ly_krl_write(krl, 1, &again);
            if (bit % 16 == 0)
                ly_krl_describe(krl, &text);
            LyKrl *second = ly_krl_read(crypto, ly_buf_bytes(&again), &error);
            g_assert_cmpstr(error.message, ==, "");
            ly_krl_free(second);
            ly_krl_free(krl);
        }
        binary.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    ly_key_unref(certificate);
}

/* ---- text ---- */

static void test_text(void)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0}, binary = {0};
    LyError error = {0};
    LyKrl *krl = ly_krl_new(crypto);
    ly_buf_add_format(&text,
                      "# a comment\r\n\n  serial: 0x10 # sixteen\nSERIAL:010\nserial: 20 - 30\n"
                      "serial: 25-31\nserial: 32\nid:\tb c\t\nId: a\nid: a\nhash: %s\n",
                      public_samples[0].sha256);
    ly_buf_add_str(&text, "hash: SHA256:00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF\n");
    ly_buf_add_format(&text, "key: %ssha1:%ssha256: %s%s", cert_host, public_samples[5].line,
                      public_samples[6].line, public_samples[1].line);
    ly_buf_add_str(&text, cert_user);       /* by its serial */
    ly_buf_add_str(&text, cert_user_rsaca); /* by its id */
    bool good = ly_krl_add_text(krl, ly_buf_bytes(&text), (LyBytes){0}, &error);
    g_assert_cmpstr(error.message, ==, "");
    g_assert_true(good);
    g_assert_true(ly_krl_set_comment(krl, LY_BYTES("a\nb\xff\xc2\x80\\ \xc3\xa4\x1b"), NULL));
    ly_krl_set_version(krl, 3);
    ly_krl_write(krl, 86400, &binary);
    g_assert_false(binary.failed);
    static const char expected[] =
        "# KRL version 3\n# Generated at 19700102T000000\n# Comment: a\\012b\\377\\302\\200\\ "
        "\xc3\xa4\\033\n\n"
        "hash: SHA256:MCU4Pn99E5FSSLGv4HQlAiiZNqEF5kvIRYrb6P7krEc # ecdsa-sha2-nistp256\n"
        "hash: SHA256:VQgXUtuJAgA/cUqCH7xMN5PAKnBRzFhuxneUGYnABH0 # ecdsa-sha2-nistp384\n"
        "hash: SHA256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
        "hash: SHA256:466db703b62237ebd08c98918bbc1cd6abb150b3e9295d6d50965bc7921d4fa4\n"
        "hash: SHA256:e89e0c909f0825594c73513b4a425d4672410ce7f7ac040bf01452e5933dfdd7\n"
        "# hash SHA1:475bdb6579768922cf066483687f0ee479977b62\n\n"
        "# Wildcard CA\nserial: 8\nserial: 16\nserial: 20-32\nid: a\nid: b c\n\n"
        "# CA key ssh-ed25519 SHA256:oWblKUYikNUz2eg64BfQQK3tq+Ew2y/cpIGK9nlR7fw\nserial: 42\n\n"
        "# CA key ssh-rsa SHA256:cvXOfo2iz3CnCJTz+MSPQRm2m/2qeU13Rk4S3fn6yfI\nid: rsa\n";
    assert_described(krl, expected);
    LyKrl *again = ly_krl_read(crypto, ly_buf_bytes(&binary), &error);
    g_assert_nonnull(again);
    assert_described(again, expected);
    ly_krl_free(again);
    /* what is described can be added again, but for SHA-1 and the CAs */
    again = ly_krl_new(crypto);
    g_assert_true(ly_krl_add_text(again, ly_bytes_str(expected), (LyBytes){0}, &error));
    g_assert_true(revokes(again, public_samples[0].line));
    g_assert_true(revokes(again, public_samples[1].line));
    g_assert_true(revokes(again, public_samples[6].line));
    g_assert_true(revokes(again, cert_user));
    g_assert_true(revokes(again, cert_user_rsaca));
    g_assert_false(revokes(again, cert_host_rsa));
    ly_krl_free(again);
    ly_krl_free(krl);
}

static void test_text_errors(void)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"serial: 5\n\nserial:\n", "line 3: "},
        {"serial: x", "no serial number"},
        {"serial: 5x", "no serial number"},
        {"serial: -5", "no serial number"},
        {"serial: 5-", "no serial number"},
        {"serial: 5-6-7", "no serial number"},
        {"serial: 08", "no serial number"},
        {"serial: 18446744073709551616", "no serial number"},
        {"serial: 00000000000000000000000000000000000000001", "no serial number"},
        {"serial: 0", "number 0"},
        {"serial: 0-5", "number 0"},
        {"serial: 6-5", "6-5"},
        {"hash: MD5:00", "SHA256:"},
        {"hash: SHA256:AAAA", "damaged"},
        {"hash: SHA256:!", "damaged"},
        {"hash: SHA256:6J4MkJ8IJVlMc1E7SkJdRnJBDOf3rAQL8BRS5ZM9/dc x", "damaged"},
        {"key: ssh-ed25519 AAAA", "line 1: "},
        {"sha1: nothing", "\"nothing\""},
        {"sha256:", "line 1: "},
        {"nothing", "\"nothing\""},
        {"digest: x", "\"digest:\""},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LyError error = {0};
        LyKrl *krl = ly_krl_new(crypto);
        g_assert_false(ly_krl_add_text(krl, ly_bytes_str(rows[i].text), (LyBytes){0}, &error));
        if (error.code == LY_OK || !strstr(error.message, rows[i].says) || !strstr(error.message, "line "))
            g_error("row %zu: %s", i, error.message);
        ly_krl_free(krl);
    }
    LyError error = {0};
    LyKrl *krl = ly_krl_new(crypto);
    g_assert_false(ly_krl_add_text(krl, LY_BYTES("serial: 5"), LY_BYTES("no blob"), &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_INVALID);
    g_assert_false(ly_krl_add_text(krl, LY_BYTES("id: 5"), LY_BYTES("no blob"), NULL));
    g_assert_false(ly_krl_revoke_serials(krl, LY_BYTES("no blob"), 1, 2, NULL));
    g_assert_false(ly_krl_revoke_serials(krl, (LyBytes){0}, 0, 2, NULL));
    g_assert_false(ly_krl_revoke_serials(krl, (LyBytes){0}, 3, 2, NULL));
    g_assert_false(ly_krl_set_comment(krl, ly_bytes("a\0b", 3), NULL));
    ly_krl_revoke_digest(krl, LY_SHA1, LY_BYTES("short"));
    ly_krl_revoke_digest(krl, LY_MD5, LY_BYTES("0123456789abcdef"));
    assert_described(krl, "# KRL version 0\n# Generated at 19700101T000000\n\n");
    ly_krl_free(krl);
}

/* ---- one by one ---- */

static void test_single(void)
{
    LyKey *ca = line_key(ca_line), *rsa_ca = line_key(rsa_ca_line), *key = line_key(public_samples[0].line);
    LyBytes blob = ly_key_blob(ca);
    uint8_t digest[LY_HASH_MAX];
    LyBytes plain = ly_key_plain_blob(key);
    const struct {
        const char *line;
        uint64_t serial; /* revoked of the Ed25519 CA; 0: the id below */
        const char *id;
        LyBytes ca;
        bool revoked;
    } rows[] = {
        {cert_user, 42, NULL, blob, true},
        {cert_user, 41, NULL, blob, false},
        {cert_user, 42, NULL, ly_key_blob(rsa_ca), false},
        {cert_user, 42, NULL, {0}, true},
        {cert_user, 0, "alice id", blob, true},
        {cert_user, 0, "alice i", blob, false},
        {cert_user, 0, "alice id", {0}, true},
        {cert_user, 0, "alice id", ly_key_blob(rsa_ca), false},
        {public_samples[0].line, 42, NULL, {0}, false},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LyKrl *krl = ly_krl_new(crypto);
        if (rows[i].id)
            ly_krl_revoke_id(krl, rows[i].ca, ly_bytes_str(rows[i].id));
        else
            g_assert_true(ly_krl_revoke_serials(krl, rows[i].ca, rows[i].serial, rows[i].serial, NULL));
        if (revokes(krl, rows[i].line) != rows[i].revoked)
            g_error("row %zu", i);
        ly_krl_free(krl);
    }
    /* keys: a revoked key revokes its certificates, a revoked CA those that it signed */
    LyKrl *krl = ly_krl_new(crypto);
    ly_krl_revoke_key(krl, key);
    g_assert_true(revokes(krl, public_samples[0].line) && revokes(krl, cert_user));
    g_assert_false(revokes(krl, cert_user_forced) || revokes(krl, ca_line));
    ly_krl_free(krl);
    static const LyHash hashes[] = {LY_SHA1, LY_SHA256};
    for (size_t i = 0; i < LY_COUNT(hashes); i++) {
        krl = ly_krl_new(crypto);
        g_assert_true(ly_hash(crypto, hashes[i], &plain, 1, digest));
        ly_krl_revoke_digest(krl, hashes[i], ly_bytes(digest, ly_hash_len(hashes[i])));
        g_assert_true(revokes(krl, public_samples[0].line) && revokes(krl, cert_user));
        g_assert_false(revokes(krl, cert_user_forced));
        ly_krl_free(krl);
    }
    krl = ly_krl_new(crypto);
    ly_krl_revoke_key(krl, ca);
    g_assert_true(revokes(krl, cert_user) && revokes(krl, cert_host) && revokes(krl, ca_line));
    g_assert_false(revokes(krl, cert_user_rsaca) || revokes(krl, public_samples[0].line));
    ly_krl_free(krl);
    /* a certificate: itself alone */
    LyKey *certificate = line_key(cert_user), *other = line_key(cert_user_none);
    krl = ly_krl_new(crypto);
    ly_krl_revoke_key(krl, certificate);
    g_assert_true(revokes(krl, cert_user));
    g_assert_false(revokes(krl, cert_user_none) || revokes(krl, public_samples[0].line));
    ly_krl_revoke_key(krl, other);
    g_assert_true(revokes(krl, cert_user_none));
    ly_krl_free(krl);
    /* a certificate whose CA is no key: nothing is revoked by it, and it counts as revoked */
    LyCertificate fields;
    LY_AUTO(ly_buf_free) LyBuf broken = {0}, binary = {0}, line = {0};
    ly_buf_add(&broken, ly_key_blob(certificate));
    g_assert_true(ly_certificate_read(ly_buf_bytes(&broken), &fields, NULL));
    ((uint8_t *)fields.ca_blob.data)[0] = 0xff; /* the length of the name of its type */
    LyKey *bad = ly_key_new_public(crypto, ly_buf_bytes(&broken), NULL);
    g_assert_nonnull(bad);
    krl = ly_krl_new(crypto);
    ly_krl_revoke_key(krl, bad);
    ly_krl_revoke_id(krl, fields.ca_blob, LY_BYTES("x"));
    ly_key_write_line(bad, &line);
    g_assert_false(ly_krl_add_text(krl, ly_buf_bytes(&line), (LyBytes){0}, NULL));
    g_assert_true(ly_krl_revokes(krl, bad));
    ly_krl_write(krl, 0, &binary);
    g_assert_cmpuint(binary.len, ==, 8 + 4 + 3 * 8 + 2 * 4);
    ly_krl_free(krl);
    ly_key_unref(bad);
    ly_krl_free(NULL);
    ly_key_unref(certificate);
    ly_key_unref(other);
    ly_key_unref(ca);
    ly_key_unref(rsa_ca);
    ly_key_unref(key);
}

/* Serials against a plain array of flags: whatever is revoked, in whatever order, is written and read back.
 */
#define MODEL_LEN 40000

static char *describe_model(const bool *model)
{
    GString *text = g_string_new("# KRL version 0\n# Generated at 19700101T000000\n\n\n# Wildcard CA\n");
    for (unsigned i = 1; i < MODEL_LEN; i++) {
        unsigned start = i;
        if (!model[i])
            continue;
        while (i + 1 < MODEL_LEN && model[i + 1])
            i++;
        g_string_append_printf(text, start == i ? "serial: %u\n" : "serial: %u-%u\n", start, i);
    }
    return g_string_free(text, FALSE);
}

static void test_serials(void)
{
    g_autofree bool *model = g_new0(bool, MODEL_LEN);
    for (unsigned round = 0; round < 24; round++) {
        GRand *random = g_rand_new_with_seed(round);
        LY_AUTO(ly_buf_free) LyBuf text = {0}, binary = {0};
        LyKrl *krl = ly_krl_new(crypto), *slow = ly_krl_new(crypto);
        memset(model, 0, MODEL_LEN);
        unsigned count = 1u << round % 10, spread = 1 + (MODEL_LEN - 1000) / (1 + round % 7 * 40),
                 longest = round % 3 == 0   ? 1
                           : round % 3 == 1 ? 20
                                            : 900;
        for (unsigned i = 0; i < count; i++) {
            unsigned low = 1 + (unsigned)g_rand_int_range(random, 0, (gint32)spread);
            unsigned high = low + (unsigned)g_rand_int_range(random, 0, (gint32)longest);
            memset(model + low, 1, high - low + 1);
            ly_buf_add_format(&text, "serial: %u-%u\n", low, high);
            g_assert_true(ly_krl_revoke_serials(slow, (LyBytes){0}, low, high, NULL));
        }
        g_assert_true(ly_krl_add_text(krl, ly_buf_bytes(&text), (LyBytes){0}, NULL));
        g_autofree char *expected = describe_model(model);
        assert_described(krl, expected);
        assert_described(slow, expected);
        ly_krl_write(krl, 0, &binary);
        LyKrl *again = ly_krl_read(crypto, ly_buf_bytes(&binary), NULL);
        g_assert_nonnull(again);
        assert_described(again, expected);
        ly_krl_free(again);
        ly_krl_free(slow);
        ly_krl_free(krl);
        g_rand_free(random);
    }
}

/* How long the section of serials is. */
static void test_forms(void)
{
    static const struct {
        unsigned first, last, step, run; /* runs of `run` serials every `step` */
        size_t len;
    } rows[] = {
        {5, 5, 1, 1, 5 + 8},                            /* a list of one */
        {5, 1000005, 500000, 1, 5 + 3 * 8},             /* of three */
        {1, 1, 1, 1000000, 5 + 16},                     /* a range */
        {1, 1, 1, 2, 5 + 8 + 4 + 1},                    /* a bitmap of two bits */
        {1, 101, 2, 1, 5 + 8 + 4 + 13},                 /* of 101 bits */
        {1, 16383, 2, 1, 5 + 8 + 4 + 2048},             /* as long as OpenSSH reads: bit 16382 */
        {1, 32766, 2, 1, 2 * (5 + 8 + 4 + 2048)},       /* two of them */
        {1, 40000001, 20000000, 1000000, 3 * (5 + 16)}, /* ranges */
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LY_AUTO(ly_buf_free) LyBuf binary = {0};
        LyKrl *krl = ly_krl_new(crypto);
        for (unsigned serial = rows[i].first; serial <= rows[i].last; serial += rows[i].step)
            g_assert_true(ly_krl_revoke_serials(krl, (LyBytes){0}, serial, serial + rows[i].run - 1, NULL));
        ly_krl_write(krl, 0, &binary);
        /* head, its empty strings, section, empty CA and reserved */
        g_assert_cmpuint(binary.len, ==, 8 + 4 + 3 * 8 + 2 * 4 + 5 + 2 * 4 + rows[i].len);
        ly_krl_free(krl);
    }
    /* the ends of the numbers */
    LY_AUTO(ly_buf_free) LyBuf binary = {0};
    LyKrl *krl = ly_krl_new(crypto);
    g_assert_true(ly_krl_revoke_serials(krl, (LyBytes){0}, UINT64_MAX, UINT64_MAX, NULL));
    g_assert_true(ly_krl_revoke_serials(krl, (LyBytes){0}, UINT64_MAX - 2, UINT64_MAX - 2, NULL));
    g_assert_true(ly_krl_revoke_serials(krl, (LyBytes){0}, 1, 1, NULL));
    ly_krl_write(krl, 0, &binary);
    LyKrl *again = ly_krl_read(crypto, ly_buf_bytes(&binary), NULL);
    assert_described(again, "# KRL version 0\n# Generated at 19700101T000000\n\n\n# Wildcard CA\nserial: 1\n"
                            "serial: 18446744073709551613\nserial: 18446744073709551615\n");
    g_assert_true(ly_krl_revoke_serials(again, (LyBytes){0}, 1, UINT64_MAX, NULL));
    assert_described(again, "# KRL version 0\n# Generated at 19700101T000000\n\n\n# Wildcard CA\n"
                            "serial: 1-18446744073709551615\n");
    ly_krl_free(again);
    ly_krl_free(krl);
}

/* ---- what no one writes ---- */

static void put_head(LyBuf *out)
{
    ly_buf_add(out, ly_bytes("SSHKRL\n", 8));
    ly_put_u32(out, 1);
    for (int i = 0; i < 3; i++)
        ly_put_u64(out, 0);
    ly_put_string(out, (LyBytes){0});
    ly_put_string(out, (LyBytes){0});
}

static size_t put_certificates(LyBuf *out, LyBytes ca)
{
    ly_put_u8(out, 1);
    size_t mark = ly_put_string_begin(out);
    ly_put_string(out, ca);
    ly_put_string(out, LY_BYTES("reserved"));
    return mark;
}

static void put_bitmap(LyBuf *out, uint64_t offset, uint8_t byte, size_t len)
{
    ly_put_u8(out, 0x22);
    size_t mark = ly_put_string_begin(out);
    ly_put_u64(out, offset);
    size_t bits = ly_put_string_begin(out);
    ly_put_u8(out, 0);
    uint8_t *room = ly_buf_room(out, len);
    g_assert_nonnull(room);
    memset(room, byte, len);
    ly_buf_added(out, len);
    ly_put_string_end(out, bits);
    ly_put_string_end(out, mark);
}

static LyKrl *read_back(LyBuf *binary, LyErrorCode code)
{
    LyError error = {0};
    g_assert_false(binary->failed);
    LyKrl *krl = ly_krl_read(crypto, ly_buf_bytes(binary), &error);
    if (error.code != code || !krl != (code != LY_OK))
        g_error("%d is not %d: %s", error.code, code, error.message);
    ly_buf_free(binary);
    return krl;
}

/* Sections in hexadecimal, inside of one of certificates (of any CA) or beside it. */
static void test_sections(void)
{
    static const struct {
        bool certificates;
        const char *hex;
        LyErrorCode code;
    } rows[] = {
        {true, "", LY_OK},
        {true, "20 00000000", LY_OK},
        {true, "20 00000008 0000000000000001", LY_OK},
        {true, "20 00000008 0000000000000000", LY_ERROR_INVALID},
        {true, "20 00000009 000000000000000101", LY_ERROR_INVALID},
        {true, "20 00000009 0000000000000001", LY_ERROR_INVALID},
        {true, "20 ffffffff 0000000000000001", LY_ERROR_INVALID},
        {true, "20 0000", LY_ERROR_INVALID},
        {true, "21 00000010 0000000000000001 ffffffffffffffff", LY_OK},
        {true, "21 00000010 0000000000000000 ffffffffffffffff", LY_ERROR_INVALID},
        {true, "21 00000010 0000000000000002 0000000000000001", LY_ERROR_INVALID},
        {true, "21 00000011 0000000000000001 000000000000000101", LY_ERROR_INVALID},
        {true, "21 00000008 0000000000000001", LY_ERROR_INVALID},
        {true, "22 0000000c 0000000000000000 00000000", LY_OK},
        {true, "22 0000000d 0000000000000000 00000001 02", LY_OK},
        {true, "22 0000000d 0000000000000000 00000001 01", LY_ERROR_INVALID},
        {true, "22 0000000d ffffffffffffffff 00000001 01", LY_OK},
        {true, "22 0000000d ffffffffffffffff 00000001 02", LY_ERROR_INVALID},
        {true, "22 0000000d 0000000000000001 00000001 80", LY_ERROR_INVALID},
        {true, "22 0000000f 0000000000000001 00000003 000080", LY_OK},
        {true, "22 0000000e 0000000000000001 00000001 0100", LY_ERROR_INVALID},
        {true, "22 0000000d 0000000000000001 00000002 01", LY_ERROR_INVALID},
        {true, "23 00000000", LY_OK},
        {true, "23 00000004 00000000", LY_OK},
        {true, "23 00000006 00000002 6100", LY_OK},
        {true, "23 00000007 00000003 610062", LY_ERROR_INVALID},
        {true, "23 00000005 00000002 61", LY_ERROR_INVALID},
        {true, "24 00000000", LY_ERROR_INVALID},
        {true, "39 0000000a 00000001 61 00 00000000", LY_OK},
        {true, "39 0000000a 00000001 61 01 00000000", LY_ERROR_UNSUPPORTED},
        {true, "39 00000009 00000001 61 00 000000", LY_ERROR_INVALID},
        {true, "39 0000000b 00000001 61 00 00000000 00", LY_ERROR_INVALID},
        {false, "02 00000000", LY_OK},
        {false, "02 00000005 00000001 61", LY_OK},
        {false, "02 00000005 00000002 61", LY_ERROR_INVALID},
        {false, "03 00000018 00000014 0000000000000000000000000000000000000000", LY_OK},
        {false, "03 00000017 00000013 00000000000000000000000000000000000000", LY_ERROR_INVALID},
        {false, "05 00000018 00000014 0000000000000000000000000000000000000000", LY_ERROR_INVALID},
        {false, "04 00000000", LY_ERROR_UNSUPPORTED},
        {false, "06 00000000", LY_ERROR_INVALID},
        {false, "00 00000000", LY_ERROR_INVALID},
        {false, "ff 0000000a 00000001 61 00 00000000", LY_OK},
        {false, "ff 0000000a 00000001 61 01 00000000", LY_ERROR_UNSUPPORTED},
        {false, "ff 00000000", LY_ERROR_INVALID},
        {false, "01 00000000", LY_ERROR_INVALID},
        {false, "01 00000009 00000001 61 00000000", LY_ERROR_INVALID},
        /* a CA of a type that is not known */
        {false, "01 0000000d 00000005 00000001 61 00000000", LY_OK},
        {false, "01", LY_ERROR_INVALID},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LyBuf binary = {0};
        put_head(&binary);
        size_t mark = rows[i].certificates ? put_certificates(&binary, (LyBytes){0}) : 0;
        for (const char *p = rows[i].hex; *p; p++)
            if (*p != ' ') {
                ly_put_u8(&binary, (uint8_t)(g_ascii_xdigit_value(p[0]) << 4 | g_ascii_xdigit_value(p[1])));
                p++;
            }
        if (rows[i].certificates)
            ly_put_string_end(&binary, mark);
        ly_krl_free(read_back(&binary, rows[i].code));
    }
    LyBuf binary = {0};
    ly_krl_free(read_back(&binary, LY_ERROR_INVALID));
    put_head(&binary);
    binary.data[11] = 2; /* another format */
    ly_krl_free(read_back(&binary, LY_ERROR_INVALID));
    put_head(&binary);
    binary.data[binary.len - 1] = 1;
    ly_put_u8(&binary, 'c');
    ly_krl_free(read_back(&binary, LY_OK));
    put_head(&binary);
    binary.data[0] = 's';
    ly_krl_free(read_back(&binary, LY_ERROR_INVALID));
}

static void test_hostile(void)
{
    LyKey *certificate = line_key(cert_user);
    const struct {
        uint64_t offset;
        uint8_t byte;
        size_t len, times;
        LyErrorCode code;
    } rows[] = {
        {1, 0xff, (size_t)1 << 21, 8, LY_OK},                /* the longest, again and again */
        {1, 0x11, (size_t)1 << 21, 1, LY_OK},                /* 2^22 runs */
        {1, 0x55, (size_t)1 << 21, 1, LY_ERROR_LIMIT},       /* 2^23 */
        {1, 0x01, ((size_t)1 << 21) + 1, 1, LY_ERROR_LIMIT}, /* too long */
        {UINT64_MAX, 0x01, (size_t)1 << 21, 1, LY_ERROR_INVALID},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LyBuf binary = {0};
        put_head(&binary);
        size_t mark = put_certificates(&binary, (LyBytes){0});
        for (size_t k = 0; k < rows[i].times; k++)
            put_bitmap(&binary, rows[i].offset + 3 * k, rows[i].byte, rows[i].len);
        ly_put_string_end(&binary, mark);
        LyKrl *krl = read_back(&binary, rows[i].code);
        if (krl) {
            g_assert_cmpint(ly_krl_revokes(krl, certificate), ==, rows[i].byte == 0xff);
        }
        ly_krl_free(krl);
    }
    /* overlapping ranges from the end to the start, in a section each */
    LyBuf binary = {0};
    put_head(&binary);
    for (uint64_t i = 0; i < 20000; i++) {
        size_t mark = put_certificates(&binary, (LyBytes){0});
        ly_put_u8(&binary, 0x21);
        ly_put_u32(&binary, 16);
        ly_put_u64(&binary, UINT64_MAX - 4 * i - i % 2);
        ly_put_u64(&binary, UINT64_MAX);
        ly_put_string_end(&binary, mark);
    }
    LyKrl *krl = read_back(&binary, LY_OK);
    assert_described(krl, "# KRL version 0\n# Generated at 19700101T000000\n\n\n# Wildcard CA\n"
                          "serial: 18446744073709471618-18446744073709551615\n");
    ly_krl_free(krl);
    /* a CA each */
    for (unsigned count = 4096; count <= 4097; count++) {
        put_head(&binary);
        for (unsigned i = 0; i < count; i++) {
            LY_AUTO(ly_buf_free) LyBuf ca = {0};
            ly_put_cstring(&ca, "ssh-ed25519");
            ly_put_u32(&ca, 32);
            ly_put_u32(&ca, i * 2654435761u);
            for (int k = 0; k < 28; k++)
                ly_put_u8(&ca, 0);
            ly_put_string_end(&binary, put_certificates(&binary, ly_buf_bytes(&ca)));
        }
        ly_krl_free(read_back(&binary, count == 4096 ? LY_OK : LY_ERROR_LIMIT));
    }
    ly_key_unref(certificate);
}

static void test_revoked_keys(void)
{
    const struct {
        const char *text;
        bool key, certificate, other;
    } rows[] = {
        {"", false, false, false},
        {"# nothing\n\n\t\r\n", false, false, false},
        {public_samples[0].line, true, true, false},
        {ca_line, false, true, false},
        {cert_user, true, true, false},
        {cert_user_forced, false, false, true},
        {"ssh-new AAAAB3NzaC1uZXc= a type of tomorrow\n", false, false, false},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LyKrl *krl = ly_revoked_keys_read(crypto, ly_bytes_str(rows[i].text), NULL);
        g_assert_nonnull(krl);
        g_assert_cmpint(revokes(krl, public_samples[0].line), ==, rows[i].key);
        g_assert_cmpint(revokes(krl, cert_user), ==, rows[i].certificate);
        g_assert_cmpint(revokes(krl, public_samples[1].line), ==, rows[i].other);
        ly_krl_free(krl);
    }
    static const char *const bad[] = {
        "\nnoise",     "\nssh-ed25519", "\nssh-ed25519 AAAA", "\nssh-new AAAAB3NzaC1vbGQ=",
        "\nserial: 5", "\nssh-new AAA"};
    for (size_t i = 0; i < LY_COUNT(bad); i++) {
        LyError error = {0};
        g_assert_null(ly_revoked_keys_read(crypto, ly_bytes_str(bad[i]), &error));
        g_assert_nonnull(strstr(error.message, "line 2: "));
    }
    LY_AUTO(ly_buf_free) LyBuf binary = {0};
    ly_krl_free(read_known(&binary));
    LyKrl *krl = ly_revoked_keys_read(crypto, ly_buf_bytes(&binary), NULL);
    g_assert_true(revokes(krl, cert_user_forced));
    ly_krl_free(krl);
    g_assert_null(ly_revoked_keys_read(crypto, ly_bytes(binary.data, binary.len - 1), NULL));
}

int main(int argc, char **argv)
{
    g_setenv("TZ", "UTC", TRUE);
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    g_assert_nonnull(crypto);
    g_test_add_func("/krl/known", test_known);
    g_test_add_func("/krl/truncated", test_truncated);
    g_test_add_func("/krl/flipped", test_flipped);
    g_test_add_func("/krl/text", test_text);
    g_test_add_func("/krl/text-errors", test_text_errors);
    g_test_add_func("/krl/single", test_single);
    g_test_add_func("/krl/serials", test_serials);
    g_test_add_func("/krl/forms", test_forms);
    g_test_add_func("/krl/sections", test_sections);
    g_test_add_func("/krl/hostile", test_hostile);
    g_test_add_func("/krl/revoked-keys", test_revoked_keys);
    int status = g_test_run();
    ly_crypto_unref(crypto);
    return status;
}
