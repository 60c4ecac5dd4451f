/* agent/provider-words: what lanyard-agent says to a module's process, and what it takes from one that may be
 * anybody's. */
#include <glib.h>

#include "base/auto.h"
#include "key/certificate.h"
#include "key/issue.h"
#include "provider-words.h"

static LyCrypto *crypto;

static LyKey *new_key(LyPkType type, unsigned bits)
{
    LyKey *key = ly_key_generate(crypto, type, bits, LY_BYTES("a comment"), NULL);
    g_assert_nonnull(key);
    return key;
}

static void put_list(LyBuf *out, LyKey *const *keys, size_t count)
{
    ly_put_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        ly_put_string(out, ly_key_blob(keys[i]));
        ly_put_cstring(out, i ? "a label" : "");
    }
}

static void test_keys(void)
{
    LyKey *sent[] = {new_key(LY_PK_ED25519, 0), new_key(LY_PK_ECDSA, 384)}, *got[PROVIDER_KEYS_MAX];
    LY_AUTO(ly_buf_free) LyBuf list = {0};
    put_list(&list, sent, 2);
    LyReader reader = ly_reader(ly_buf_bytes(&list));
    size_t count = 0;
    g_assert_true(provider_get_keys(crypto, &reader, "/a/module.so", got, &count));
    g_assert_cmpuint(count, ==, 2);
    g_assert_true(ly_key_equal_public(got[0], sent[0]) && ly_key_equal_public(got[1], sent[1]));
    g_assert_true(ly_bytes_is(ly_key_comment(got[0]), "/a/module.so"));
    g_assert_true(ly_bytes_is(ly_key_comment(got[1]), "a label"));
    ly_key_unref(got[0]);
    ly_key_unref(got[1]);
    /* Cut short, or with a bit that is another: no keys, or keys that are whole. */
    for (size_t len = 0; len < list.len; len++) {
        reader = ly_reader(ly_bytes(list.data, len));
        g_assert_false(provider_get_keys(crypto, &reader, "/a/module.so", got, &count));
        g_assert_cmpuint(count, ==, 0);
    }
    for (size_t bit = 0; bit < list.len * 8; bit++) {
        list.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        reader = ly_reader(ly_buf_bytes(&list));
        provider_get_keys(crypto, &reader, "/a/module.so", got, &count);
        while (count)
            ly_key_unref(got[--count]);
        list.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    /* More than a module may have are too many. */
    LyKey *many[PROVIDER_KEYS_MAX + 1];
    for (size_t i = 0; i < LY_COUNT(many); i++)
        many[i] = sent[0];
    ly_buf_clear(&list);
    put_list(&list, many, LY_COUNT(many));
    reader = ly_reader(ly_buf_bytes(&list));
    g_assert_false(provider_get_keys(crypto, &reader, "/a/module.so", got, &count));
    g_assert_cmpuint(count, ==, 0);
    ly_key_unref(sent[0]);
    ly_key_unref(sent[1]);
}

static void test_signature(void)
{
    static const struct {
        LyPkType type;
        unsigned bits;
        const char *algorithm, *other;
    } cases[] = {{LY_PK_RSA, 1024, "rsa-sha2-256", "rsa-sha2-512"},
                 {LY_PK_RSA, 1024, "ssh-rsa", "rsa-sha2-512"},
                 {LY_PK_ECDSA, 256, "ecdsa-sha2-nistp256", "ssh-ed25519"},
                 {LY_PK_ED25519, 0, "ssh-ed25519", "ssh-rsa"}};
    for (size_t i = 0; i < LY_COUNT(cases); i++) {
        LyKey *key = new_key(cases[i].type, cases[i].bits), *other = new_key(cases[i].type, cases[i].bits);
        LyBytes algorithm = ly_bytes_str(cases[i].algorithm), data = LY_BYTES("data"), signature = {0};
        LY_AUTO(ly_buf_free) LyBuf made = {0};
        LY_AUTO(ly_buf_free) LyBuf reply = {0};
        LyError error;
        g_assert_true(ly_key_sign(key, algorithm, data, &made, NULL));
        ly_put_string(&reply, ly_buf_bytes(&made));
        LyBytes whole = ly_buf_bytes(&reply);
        const struct {
            LyKey *key;
            LyBytes algorithm, data, reply;
        } wrong[] = {{other, algorithm, data, whole},
                     {key, ly_bytes_str(cases[i].other), data, whole},
                     {key, algorithm, LY_BYTES("other"), whole},
                     {key, algorithm, data, ly_bytes_slice(whole, 0, whole.len - 1)},
                     {key, algorithm, data, {0}}};
        for (size_t j = 0; j < LY_COUNT(wrong); j++) {
            LyReader reader = ly_reader(wrong[j].reply);
            g_assert_false(provider_get_signature(crypto, &reader, wrong[j].key, wrong[j].algorithm,
                                                  wrong[j].data, &signature, &error));
            g_assert_cmpuint(signature.len, ==, 0);
        }
        LyReader reader = ly_reader(whole);
        g_assert_true(provider_get_signature(crypto, &reader, key, algorithm, data, &signature, &error));
        g_assert_cmpmem(signature.data, signature.len, made.data, made.len);
        ly_key_unref(key);
        ly_key_unref(other);
    }
}

/* The fields of an sk-* key as OpenSSH sends them; behind a certificate, ECDSA's has no point and Ed25519's
 * has one. */
static LyKey *security_key(LyPkType type, LyKey *certified_by)
{
    LY_AUTO(ly_buf_free) LyBuf fields = {0};
    LY_AUTO(ly_buf_free) LyBuf certificate = {0};
    LyKey *plain = new_key(type, 256);
    LyReader blob = ly_reader(ly_key_blob(plain));
    ly_get_string(&blob);
    ly_put_cstring(&fields,
                   type == LY_PK_ECDSA ? "sk-ecdsa-sha2-nistp256@openssh.com" : "sk-ssh-ed25519@openssh.com");
    LyBytes public_key = ly_get_rest(&blob);
    ly_buf_add(&fields, public_key);
    ly_put_cstring(&fields, "ssh:me");
    size_t tail = fields.len - 4 - 6;
    ly_put_u8(&fields, 5);
    ly_put_cstring(&fields, "handle");
    ly_put_cstring(&fields, "");
    LyReader reader = ly_reader(ly_buf_bytes(&fields));
    LyKey *key = ly_key_new_private(crypto, &reader, (LyBytes){0}, NULL);
    g_assert_nonnull(key);
    if (certified_by) {
        LyCertificateRequest request = {.kind = LY_CERTIFICATE_USER,
                                        .id = LY_BYTES("id"),
                                        .principals = LY_BYTES("me"),
                                        .valid_before = UINT64_MAX};
        LyKey *issued = ly_certificate_issue(crypto, key, &request, false, certified_by, (LyBytes){0}, NULL);
        g_assert_nonnull(issued);
        ly_put_cstring(&certificate, ly_key_type_name(issued));
        ly_put_string(&certificate, ly_key_blob(issued));
        if (type == LY_PK_ED25519)
            ly_buf_add(&certificate, public_key);
        ly_buf_add(&certificate, ly_bytes_slice(ly_buf_bytes(&fields), tail, SIZE_MAX));
        ly_key_unref(key);
        reader = ly_reader(ly_buf_bytes(&certificate));
        key = ly_key_new_private(crypto, &reader, (LyBytes){0}, NULL);
        g_assert_true(key && ly_reader_done(&reader) && ly_key_is_certificate(key));
        ly_key_unref(issued);
    }
    ly_key_unref(plain);
    return key;
}

static void test_security_keys(void)
{
    LyKey *ca = new_key(LY_PK_ED25519, 0);
    for (int i = 0; i < 4; i++) {
        LyPkType type = i % 2 ? LY_PK_ECDSA : LY_PK_ED25519;
        LyKey *key = security_key(type, i >= 2 ? ca : NULL);
        LY_AUTO(ly_buf_free) LyBuf request = {0};
        LyAgentEvent event = {.key = key, .data = LY_BYTES("data")};
        bool touches = false;
        provider_put_sign(&event, &request, &touches);
        LyReader reader = ly_reader(ly_buf_bytes(&request));
        g_assert_cmpuint(ly_get_u8(&reader), ==, PROVIDER_SK_SIGN);
        g_assert_true(ly_bytes_is(ly_get_string(&reader), ly_key_type(key)->name));
        g_assert_true(ly_bytes_is(ly_get_string(&reader), "ssh:me"));
        g_assert_cmpuint(ly_get_u8(&reader), ==, 5);
        g_assert_true(ly_bytes_is(ly_get_string(&reader), "handle"));
        g_assert_true(ly_bytes_is(ly_get_string(&reader), "data"));
        g_assert_true(ly_reader_done(&reader) && touches);
        ly_key_unref(key);
    }
    ly_key_unref(ca);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    g_test_add_func("/provider-words/keys", test_keys);
    g_test_add_func("/provider-words/signature", test_signature);
    g_test_add_func("/provider-words/security-keys", test_security_keys);
    int result = g_test_run();
    ly_crypto_unref(crypto);
    return result;
}
