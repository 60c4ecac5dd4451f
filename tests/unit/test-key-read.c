/* core/key: what a file says of each of its keys: formats, several keys, lines, costs, headers. */
#include <glib.h>

#include "base/auto.h"
#include "base/base64.h"
#include "crypto/cipher.h"
#include "crypto/kdf.h"
#include "key-samples-read.h"
#include "key-samples.h"
#include "key/read.h"
#include "key/write.h"

static LyCrypto *crypto;

static const LyKeyReadOptions secret = {.have_passphrase = true,
                                        .passphrase = {(const uint8_t *)"secret", 6},
                                        .max_bcrypt_rounds = 1,
                                        .max_pbkdf2_iterations = 2000,
                                        .max_memory_kib = 1024};
static const LyKeyReadOptions shown = {.public_only = true};

static bool is_key(const LyKey *key, const char *sha256)
{
    char text[100];
    ly_key_fingerprint(crypto, ly_key_plain_blob(key), LY_SHA256, text);
    return strcmp(text, sha256) == 0;
}

static const PrivateSample *find_sample(const char *name)
{
    for (size_t i = 0; i < LY_COUNT(private_samples); i++)
        if (strcmp(private_samples[i].name, name) == 0)
            return &private_samples[i];
    g_assert_not_reached();
}

static LyKeyFile read_file(LyBytes text, const LyKeyReadOptions *options)
{
    LyKeyFile file;
    LyError error = {0};
    if (!ly_key_file_read(crypto, text, options, &file, &error))
        g_error("%s\n%.*s", error.message, (int)LY_MIN(text.len, (size_t)2000), (const char *)text.data);
    return file;
}

static void test_formats(void)
{
    for (size_t i = 0; i < LY_COUNT(format_samples); i++) {
        const FormatSample *sample = &format_samples[i];
        const LyKeyReadOptions *options[] = {&secret, NULL, &shown};
        for (size_t pass = 0; pass < LY_COUNT(options); pass++) {
            LyKeyFile file = read_file(ly_bytes_str(sample->text), options[pass]);
            const LyKeyEntry *entry = &file.entries[0];
            bool encrypted = sample->cipher[0];
            bool is_public = sample->format == LY_KEY_RFC4716 || sample->format == LY_KEY_LINE;
            g_test_message("%s: %s", sample->name, entry->error.message);
            g_assert_cmpuint(file.count, ==, 1);
            g_assert_cmpint(entry->format, ==, sample->format);
            g_assert_true(entry->encrypted == encrypted && entry->has_private == !is_public);
            g_assert_cmpstr(entry->cipher, ==, sample->cipher);
            g_assert_cmpstr(entry->kdf.name, ==, sample->kdf);
            g_assert_true(entry->line == 1 && entry->prefix.len == 0);
            g_assert_cmpint(entry->error.code, ==, pass && encrypted ? LY_ERROR_PASSPHRASE : LY_OK);
            g_assert_true((entry->key == NULL) == (pass && encrypted));
            if (entry->key) {
                g_assert_cmpstr(ly_key_type_name(entry->key), ==, sample->type);
                g_assert_true(is_key(entry->key, sample->sha256));
                g_assert_true(ly_bytes_is(ly_key_comment(entry->key), sample->comment));
                g_assert_true(is_public ? !ly_key_has_secret(entry->key) : ly_key_check(entry->key, NULL));
            }
            ly_key_file_clear(&file);
            g_assert_true(file.count == 0 && !file.entries);
        }
    }
}

/* What is said of the samples that test-key-files.c reads. */
static void test_descriptions(void)
{
    static const struct {
        const char *name;
        LyKeyFormat format;
        const char *cipher;
        LyKeyKdf kdf;
    } rows[] = {
        {"ed25519", LY_KEY_OPENSSH, "", {0}},
        {"enc-3des-cbc", LY_KEY_OPENSSH, "3des-cbc", {"bcrypt", .rounds = 1}},
        {"enc-aes256-ctr", LY_KEY_OPENSSH, "aes256-ctr", {"bcrypt", .rounds = 1}},
        {"enc-chacha20-poly1305@openssh.com",
         LY_KEY_OPENSSH,
         "chacha20-poly1305@openssh.com",
         {"bcrypt", .rounds = 1}},
        {"rsa.pem", LY_KEY_PEM, "", {0}},
        {"rsa-des3.pem", LY_KEY_PEM, "DES-EDE3-CBC", {"md5"}},
        {"ecparam.pem", LY_KEY_PEM, "", {0}},
        {"ed448.p8", LY_KEY_PKCS8, "", {0}},
        {"ec-pbkdf2.p8", LY_KEY_PKCS8, "aes256-cbc", {"pbkdf2", .iterations = 100}},
        {"ed-scrypt.p8", LY_KEY_PKCS8, "aes256-cbc", {"scrypt", .memory_kib = 128, .passes = 1, .lanes = 1}},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        const PrivateSample *sample = find_sample(rows[i].name);
        LyKeyFile file = read_file(ly_bytes_str(sample->text), NULL);
        const LyKeyEntry *entry = &file.entries[0];
        g_test_message("%s: %s", sample->name, entry->error.message);
        g_assert_true(file.count == 1 && entry->has_private);
        g_assert_cmpint(entry->format, ==, rows[i].format);
        g_assert_cmpstr(entry->cipher, ==, rows[i].cipher);
        g_assert_cmpstr(entry->kdf.name, ==, rows[i].kdf.name);
        g_assert_true(entry->encrypted == sample->encrypted && entry->kdf.rounds == rows[i].kdf.rounds &&
                      entry->kdf.iterations == rows[i].kdf.iterations &&
                      entry->kdf.memory_kib == rows[i].kdf.memory_kib &&
                      entry->kdf.passes == rows[i].kdf.passes && entry->kdf.lanes == rows[i].kdf.lanes);
        bool visible = !sample->encrypted || entry->format == LY_KEY_OPENSSH;
        g_assert_true(visible == (entry->key != NULL));
        g_assert_true(!visible || is_key(entry->key, sample->sha256));
        g_assert_true(sample->encrypted == (entry->error.code == LY_ERROR_PASSPHRASE));
        g_assert_true(!sample->encrypted || !entry->key || !ly_key_has_secret(entry->key));
        ly_key_file_clear(&file);
    }
    for (size_t i = 0; i < LY_COUNT(other_public_samples); i++) {
        LyKeyFile file = read_file(ly_bytes_str(other_public_samples[i].text), NULL);
        g_assert_cmpint(file.entries[0].format, ==,
                        strstr(other_public_samples[i].name, "spki") ? LY_KEY_SPKI : LY_KEY_PEM);
        g_assert_true(!file.entries[0].has_private && !file.entries[0].encrypted);
        ly_key_file_clear(&file);
    }
}

static void put_armoured(LyBuf *out, const char *label, LyBytes binary)
{
    ly_buf_add_format(out, "-----BEGIN %s-----\n", label);
    ly_base64_encode(out, binary, 70);
    ly_buf_add_format(out, "-----END %s-----\n", label);
}

/* Two keys in one openssh-key-v1 file; `damage` makes the second shown half another key's. */
static void put_two(LyBuf *out, bool encrypted, bool damage)
{
    static const char *const names[] = {"ed25519", "ecdsa256"};
    LY_AUTO(ly_buf_free) LyBuf binary = {0}, private_part = {0}, sealed = {0};
    ly_buf_add(&binary, ly_bytes("openssh-key-v1", 15));
    ly_put_cstring(&binary, encrypted ? "aes128-cbc" : "none");
    ly_put_cstring(&binary, encrypted ? "bcrypt" : "none");
    size_t mark = ly_put_string_begin(&binary);
    if (encrypted) {
        ly_put_cstring(&binary, "salt");
        ly_put_u32(&binary, 1);
    }
    ly_put_string_end(&binary, mark);
    ly_put_u32(&binary, 2);
    ly_put_u64(&private_part, 0x0102030401020304);
    for (size_t i = 0; i < 2; i++) {
        LyKey *key = ly_key_read(crypto, ly_bytes_str(find_sample(names[i])->text), NULL, NULL);
        LyKey *other = ly_key_read(crypto, ly_bytes_str(public_samples[2].line), NULL, NULL);
        ly_put_string(&binary, ly_key_blob(damage && i ? other : key));
        ly_key_put_private(key, &private_part);
        ly_put_string(&private_part, ly_key_comment(key));
        ly_key_unref(key);
        ly_key_unref(other);
    }
    for (uint8_t pad = 1; private_part.len % 16; pad++)
        ly_put_u8(&private_part, pad);
    if (encrypted) {
        uint8_t derived[32];
        g_assert_true(
            ly_bcrypt_pbkdf(crypto, secret.passphrase, LY_BYTES("salt"), 1, derived, sizeof derived, NULL));
        g_assert_true(ly_cipher_once(crypto, LY_BYTES("aes128-cbc"), true, ly_bytes(derived, 16),
                                     ly_bytes(derived + 16, 16), ly_buf_bytes(&private_part), &sealed, NULL));
    }
    ly_put_string(&binary, ly_buf_bytes(encrypted ? &sealed : &private_part));
    put_armoured(out, "OPENSSH PRIVATE KEY", ly_buf_bytes(&binary));
}

static void check_two(LyBytes text, const LyKeyReadOptions *options, bool opened, LyErrorCode code)
{
    LyKeyFile file = read_file(text, options);
    g_assert_cmpuint(file.count, ==, 2);
    for (size_t i = 0; i < 2; i++) {
        const LyKeyEntry *entry = &file.entries[i];
        g_assert_true(entry->format == LY_KEY_OPENSSH && entry->line == 2 && entry->has_private);
        g_assert_cmpint(entry->error.code, ==, code);
        g_assert_true(is_key(entry->key, public_samples[i].sha256));
        g_assert_true(ly_key_is_private(entry->key) == opened);
        g_assert_true(!opened || ly_key_check(entry->key, NULL));
    }
    if (opened)
        g_assert_true(ly_bytes_is(ly_key_comment(file.entries[1].key), "p256 key"));
    ly_key_file_clear(&file);
}

static void test_two_in_one(void)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0}, encrypted = {0}, damaged = {0};
    LyKeyReadOptions wrong = secret;
    wrong.passphrase = LY_BYTES("Secret");
    ly_buf_add_str(&text, "\n");
    put_two(&text, false, false);
    check_two(ly_buf_bytes(&text), NULL, true, LY_OK);
    ly_buf_add_str(&encrypted, "\n");
    put_two(&encrypted, true, false);
    check_two(ly_buf_bytes(&encrypted), &secret, true, LY_OK);
    check_two(ly_buf_bytes(&encrypted), &wrong, false, LY_ERROR_PASSPHRASE);
    check_two(ly_buf_bytes(&encrypted), NULL, false, LY_ERROR_PASSPHRASE);
    check_two(ly_buf_bytes(&encrypted), &shown, false, LY_OK);
    LyKey *first = ly_key_read(crypto, ly_buf_bytes(&text), NULL, NULL);
    g_assert_true(first && is_key(first, public_samples[0].sha256));
    ly_key_unref(first);
    first = ly_key_read(crypto, ly_buf_bytes(&encrypted), &shown, NULL);
    g_assert_true(first && !ly_key_has_secret(first) && is_key(first, public_samples[0].sha256));
    ly_key_unref(first);

    LyKeyFile file;
    LyError error = {0};
    for (size_t i = 0; i < 2; i++) {
        ly_buf_clear(&damaged);
        put_two(&damaged, i > 0, true);
        g_assert_false(ly_key_file_read(crypto, ly_buf_bytes(&damaged), &secret, &file, &error));
        g_assert_true(file.count == 0 && error.code == LY_ERROR_INVALID);
    }
}

static void test_blocks(void)
{
    const char *lock = find_sample("rsa-aes.pem")->text;
    g_autofree char *text =
        g_strconcat("Bag Attributes\r\n", find_sample("ed25519")->text,
                    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", lock,
                    "-----BEGIN RSA PRIVATE KEY-----\rAAAA\r-----END RSA PRIVATE KEY-----\r",
                    other_public_samples[0].text, format_samples[4].text, NULL);
    LyKeyFile file = read_file(ly_bytes_str(text), NULL);
    static const LyKeyFormat formats[] = {LY_KEY_OPENSSH, LY_KEY_PEM, LY_KEY_PEM, LY_KEY_SPKI,
                                          LY_KEY_RFC4716};
    static const LyErrorCode codes[] = {LY_OK, LY_ERROR_PASSPHRASE, LY_ERROR_INVALID, LY_OK, LY_OK};
    g_assert_cmpuint(file.count, ==, LY_COUNT(formats));
    unsigned line = 2;
    for (size_t i = 0; i < file.count; i++) {
        g_assert_cmpint(file.entries[i].format, ==, formats[i]);
        g_assert_cmpint(file.entries[i].error.code, ==, codes[i]);
        g_assert_true((file.entries[i].key == NULL) == (codes[i] != LY_OK));
    }
    g_assert_cmpuint(file.entries[0].line, ==, line);
    for (const char *c = find_sample("ed25519")->text; *c; c++)
        line += *c == '\n';
    g_assert_cmpuint(file.entries[1].line, ==, line + 3);
    for (const char *c = lock; *c; c++)
        line += *c == '\n';
    g_assert_cmpuint(file.entries[2].line, ==, line + 3);
    g_assert_cmpuint(file.entries[3].line, ==, line + 6);
    ly_key_file_clear(&file);

    /* A block that is cut short ends the file; what stood before it stays. */
    g_autofree char *cut = g_strndup(text, strlen(text) - 20);
    file = read_file(ly_bytes_str(cut), NULL);
    g_assert_true(file.count == LY_COUNT(formats) && file.entries[4].error.code == LY_ERROR_INVALID);
    g_assert_nonnull(strstr(file.entries[4].error.message, "END"));
    ly_key_file_clear(&file);
}

static void test_lines(void)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    const char *key = public_samples[0].line; /* with its line end */
    ly_buf_add_format(&text, "\xef\xbb\xbf# -----BEGIN \r\n\r\n%s", key);
    ly_buf_add_format(&text, "no-pty,command=\"echo \\\"a b\\\" # c\",restrict \t%s", key);
    ly_buf_add_format(&text, "  restrict %s", key);
    ly_buf_add_format(&text, "host.example,[h]:2222 %s", key);
    ly_buf_add_format(&text, "|1|nT88d6udeNSVHRyyVho4Pe6Q1ag=|WB5ajP/CzwqhFVzg9tNugRz10o8= %s", key);
    ly_buf_add_format(&text, "@cert-authority\t*.example %s", key);
    ly_buf_add_str(&text, "just words\rssh-foo AAAAB3NzaC1y x\nhost ssh-foo AAAAB3NzaC1y\n");
    ly_buf_add_str(&text, "ssh-rsa AAAAB3Nz\ncommand=\"a b ssh-rsa AAAA\n");
    ly_buf_add(&text, ly_bytes(key, strlen(key) - 1));
    static const struct {
        unsigned line;
        LyKeyFormat format;
        const char *prefix;
        LyErrorCode code;
    } rows[] = {
        {3, LY_KEY_LINE, "", LY_OK},
        {4, LY_KEY_AUTHORIZED_KEYS, "no-pty,command=\"echo \\\"a b\\\" # c\",restrict", LY_OK},
        {5, LY_KEY_AUTHORIZED_KEYS, "restrict", LY_OK},
        {6, LY_KEY_KNOWN_HOSTS, "host.example,[h]:2222", LY_OK},
        {7, LY_KEY_KNOWN_HOSTS, "|1|nT88d6udeNSVHRyyVho4Pe6Q1ag=|WB5ajP/CzwqhFVzg9tNugRz10o8=", LY_OK},
        {8, LY_KEY_KNOWN_HOSTS, "@cert-authority\t*.example", LY_OK},
        {9, LY_KEY_LINE, "", LY_ERROR_INVALID},
        {10, LY_KEY_LINE, "", LY_ERROR_UNSUPPORTED},
        {11, LY_KEY_KNOWN_HOSTS, "host", LY_ERROR_UNSUPPORTED},
        {12, LY_KEY_LINE, "", LY_ERROR_INVALID},
        {13, LY_KEY_LINE, "", LY_ERROR_INVALID},
        {14, LY_KEY_LINE, "", LY_OK},
    };
    LyKeyFile file = read_file(ly_buf_bytes(&text), NULL);
    g_assert_cmpuint(file.count, ==, LY_COUNT(rows));
    for (size_t i = 0; i < file.count; i++) {
        const LyKeyEntry *entry = &file.entries[i];
        g_test_message("row %zu: %s", i, entry->error.message);
        g_assert_cmpuint(entry->line, ==, rows[i].line);
        g_assert_cmpint(entry->format, ==, rows[i].format);
        g_assert_cmpint(entry->error.code, ==, rows[i].code);
        g_assert_true(ly_bytes_is(entry->prefix, rows[i].prefix));
        g_assert_true((entry->key != NULL) == (rows[i].code == LY_OK) && !entry->has_private);
        g_assert_true(!entry->key || (is_key(entry->key, public_samples[0].sha256) &&
                                      ly_bytes_is(ly_key_comment(entry->key), "alice@example")));
    }
    ly_key_file_clear(&file);

    /* Words in front of the first key are passed over, a damaged key is not. */
    g_autofree char *words = g_strconcat("some words\n", key, NULL);
    g_autofree char *damaged = g_strconcat("ssh-rsa AAAA*\n", key, NULL);
    LyError error = {0};
    LyKey *first = ly_key_read(crypto, ly_bytes_str(words), NULL, NULL);
    g_assert_true(first && is_key(first, public_samples[0].sha256));
    ly_key_unref(first);
    g_assert_null(ly_key_read(crypto, ly_bytes_str(damaged), NULL, &error));
    g_assert_nonnull(strstr(error.message, "\"*\" is at its byte 4"));
    g_assert_false(ly_key_file_read(crypto, LY_BYTES("a b\nssh-rsa AAAA\n"), NULL, &file, &error));
    g_assert_true(file.count == 0 && !file.entries);
}

static void test_sizes(void)
{
    LY_AUTO(ly_buf_free) LyBuf text = LY_BUF((size_t)80 << 20);
    LyKeyFile file;
    LyError error = {0};
    unsigned count = 0;
    for (; text.len < ((size_t)3 << 19); count++)
        ly_buf_add_str(&text, public_samples[0].line);
    file = read_file(ly_buf_bytes(&text), NULL);
    g_assert_cmpuint(file.count, ==, count);
    g_assert_cmpuint(file.entries[count - 1].line, ==, count);
    ly_key_file_clear(&file);
    /* Other files are smaller. */
    ly_buf_add_str(&text, private_samples[0].text);
    g_assert_false(ly_key_file_read(crypto, ly_buf_bytes(&text), NULL, &file, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_LIMIT);
    ly_buf_clear(&text);
    memset(ly_buf_room(&text, ((size_t)64 << 20) + 1), '\n', ((size_t)64 << 20) + 1);
    ly_buf_added(&text, ((size_t)64 << 20) + 1);
    g_assert_false(ly_key_file_read(crypto, ly_buf_bytes(&text), NULL, &file, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_LIMIT);
    /* An entry is larger than the line "x". */
    for (size_t i = 0; i < text.len; i += 2)
        text.data[i] = 'x';
    text.len = 2 * 65536;
    ly_buf_add_str(&text, public_samples[0].line);
    file = read_file(ly_buf_bytes(&text), NULL);
    g_assert_cmpuint(file.count, ==, 65537);
    ly_key_file_clear(&file);
    ly_buf_add_str(&text, "x\n");
    g_assert_false(ly_key_file_read(crypto, ly_buf_bytes(&text), NULL, &file, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_LIMIT);
}

static void check_limit(const char *text, LyKeyReadOptions options, bool visible)
{
    LyKeyFile file = read_file(ly_bytes_str(text), &options);
    const LyKeyEntry *entry = &file.entries[0];
    g_assert_cmpint(entry->error.code, ==, LY_ERROR_LIMIT);
    g_assert_true(entry->encrypted && entry->cipher[0] && entry->kdf.name);
    g_assert_true((entry->key != NULL) == visible && (!entry->key || !ly_key_has_secret(entry->key)));
    ly_key_file_clear(&file);
    LyError error = {0};
    g_assert_null(ly_key_read(crypto, ly_bytes_str(text), &options, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_LIMIT);
}

static void test_costs(void)
{
    LyKeyReadOptions options = secret;
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    LyKey *key = ly_key_read(crypto, ly_bytes_str(find_sample("ed25519")->text), NULL, NULL);
    LyKeyWriteOptions two_rounds = {.passphrase = secret.passphrase, .kdf.rounds = 2};
    g_assert_true(ly_key_write_openssh(crypto, key, &two_rounds, &text, NULL));
    ly_key_unref(key);
    check_limit(ly_buf_str(&text), options, true);
    options.max_pbkdf2_iterations = 99;
    check_limit(find_sample("ec-pbkdf2.p8")->text, options, false);
    options.max_memory_kib = 127;
    check_limit(find_sample("ed-scrypt.p8")->text, options, false);
    options.max_memory_kib = 128;
    options.max_memory_passes_kib = 127;
    check_limit(find_sample("ed-scrypt.p8")->text, options, false);
    /* N=16, r=1, p=2: 2 KiB, twice. */
    options.max_memory_passes_kib = 3;
    for (size_t i = 0; i < LY_COUNT(format_samples); i++)
        if (strcmp(format_samples[i].name, "ec-scrypt.p8") == 0)
            check_limit(format_samples[i].text, options, false);

    /* A file of many costly keys costs no more than a few. */
    LY_AUTO(ly_buf_free) LyBuf many = {0};
    for (size_t i = 0; i < 8; i++)
        ly_buf_add(&many, ly_buf_bytes(&text));
    options = secret;
    options.max_bcrypt_rounds = 2;
    LyKeyFile file = read_file(ly_buf_bytes(&many), &options);
    g_assert_cmpuint(file.count, ==, 8);
    for (size_t i = 0; i < file.count; i++)
        g_assert_cmpint(file.entries[i].error.code, ==, i < 4 ? LY_OK : LY_ERROR_LIMIT);
    ly_key_file_clear(&file);
}

/* RFC 4716 texts around the blob of the first public sample. */
static void test_headers(void)
{
    static const struct {
        const char *headers, *comment;
    } good[] = {
        {"", ""},
        {"Comment: plain\n", "plain"},
        {"COMMENT:\"quoted: \"x\" \"\n", "quoted: \"x\" "},
        {"Subject: me\n", "me"},
        {"Comment: \"c\"\nSubject: me\n", "c"},
        {"subject: me\nx-other: 1\ncomment: c\n", "c"},
        {"Comment: \"This is \\\na long \\\n comment\"\n\n", "This is a long  comment"},
        {"x-long: a\\\n:b\\\nC: D\nComment: c\n", "c"},
        {"Comment: \"\n", "\""},
        {"Comment: \xc3\xa4\n", "\xc3\xa4"},
    };
    static const struct {
        const char *headers, *words;
    } bad[] = {
        {"Comment: a\\", "a line follows"},
        {": x\n", "tag"},
        {"a b: x\n", "plain letters"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: x\n", "65 bytes"},
    };
    static const char *const ends[] = {"\n", "\r\n", "\r"};
    g_auto(GStrv) words = g_strsplit(public_samples[0].line, " ", 3);
    for (size_t i = 0; i < LY_COUNT(good); i++) {
        for (size_t k = 0; k < LY_COUNT(ends); k++) {
            g_autofree char *text =
                g_strconcat("---- BEGIN SSH2 PUBLIC KEY ----\n", good[i].headers, words[1],
                            "\n---- END SSH2 PUBLIC KEY ----", k ? "\n" : "", NULL);
            g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
            g_autofree char *ended = g_strjoinv(ends[k], lines);
            LyError error = {0};
            LyKey *key = ly_key_read(crypto, ly_bytes_str(ended), NULL, &error);
            if (!key)
                g_error("row %zu: %s", i, error.message);
            g_assert_true(is_key(key, public_samples[0].sha256));
            g_assert_true(ly_bytes_is(ly_key_comment(key), good[i].comment));
            ly_key_unref(key);
        }
    }
    for (size_t i = 0; i < LY_COUNT(bad); i++) {
        bool open = strchr(bad[i].headers, '\\');
        g_autofree char *text = g_strconcat("---- BEGIN SSH2 PUBLIC KEY ----\n", bad[i].headers,
                                            open ? "" : words[1], "---- END SSH2 PUBLIC KEY ----\n", NULL);
        LyError error = {0};
        g_assert_null(ly_key_read(crypto, ly_bytes_str(text), NULL, &error));
        if (error.code != LY_ERROR_INVALID || !strstr(error.message, bad[i].words))
            g_error("row %zu: %s", i, error.message);
    }
    g_autofree char *big = g_strnfill(1025, 'x');
    g_autofree char *text = g_strconcat("---- BEGIN SSH2 PUBLIC KEY ----\nComment: ", big, "\n", words[1],
                                        "\n---- END SSH2 PUBLIC KEY ----\n", NULL);
    LyError error = {0};
    g_assert_null(ly_key_read(crypto, ly_bytes_str(text), NULL, &error));
    g_assert_nonnull(strstr(error.message, "1025"));
}

static char *replace(const char *text, const char *what, const char *with)
{
    g_auto(GStrv) parts = g_strsplit(text, what, -1);
    return g_strjoinv(with, parts);
}

static void check_text(char *text, const FormatSample *sample)
{
    LyKeyFile file = read_file(ly_bytes_str(text), &secret);
    g_assert_true(file.count >= 1 && file.entries[0].key && is_key(file.entries[0].key, sample->sha256));
    g_assert_true(ly_bytes_is(ly_key_comment(file.entries[0].key), sample->comment));
    ly_key_file_clear(&file);
    g_free(text);
}

static void test_odd_texts(void)
{
    for (size_t i = 0; i < LY_COUNT(format_samples); i++) {
        const FormatSample *sample = &format_samples[i];
        const char *text = sample->text;
        check_text(replace(text, "\n", "\r\n"), sample);
        check_text(replace(text, "\n", "\r"), sample);
        check_text(replace(text, "\n", " \t\n"), sample);
        check_text(g_strconcat("\xef\xbb\xbf", text, NULL), sample);
        check_text(g_strconcat("\n \n", text, NULL), sample);
        check_text(g_strndup(text, strlen(text) - 1), sample);
        if (sample->format == LY_KEY_LINE)
            continue;
        check_text(replace(text, "\n", "\n   "), sample);
        check_text(g_strconcat("words in front\n", text, "and behind\n", NULL), sample);
        check_text(g_strconcat("words in the line ", text, NULL), sample);
    }
}

/* A number of 2^32 - 1 bits: (bits + 7) / 8 is 0 in 32 bits. */
static void test_sshcom_wrap(void)
{
    LY_AUTO(ly_buf_free) LyBuf binary = {0}, payload = {0}, text = {0};
    for (size_t i = 0; i < 6; i++)
        ly_put_u32(&payload, UINT32_MAX);
    ly_put_u32(&binary, 0x3f6ff9eb);
    ly_put_u32(&binary, 0);
    ly_put_cstring(&binary, "if-modn{sign{rsa-pkcs1-sha1},encrypt{rsa-pkcs1v2-oaep}}");
    ly_put_cstring(&binary, "none");
    size_t mark = ly_put_string_begin(&binary);
    ly_put_string(&binary, ly_buf_bytes(&payload));
    ly_put_string_end(&binary, mark);
    ly_buf_add_str(&text, "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n");
    ly_base64_encode(&text, ly_buf_bytes(&binary), 70);
    ly_buf_add_str(&text, "---- END SSH2 ENCRYPTED PRIVATE KEY ----\n");
    LyError error = {0};
    g_assert_null(ly_key_read(crypto, ly_buf_bytes(&text), NULL, &error));
    g_assert_nonnull(strstr(error.message, "cut short"));
}

/* Wrong passphrases, and messages that say where. */
static void test_messages(void)
{
    LyKeyReadOptions wrong = secret;
    wrong.passphrase = LY_BYTES("Secret");
    for (size_t i = 0; i < LY_COUNT(format_samples); i++) {
        if (!format_samples[i].cipher[0])
            continue;
        LyError error = {0};
        g_assert_null(ly_key_read(crypto, ly_bytes_str(format_samples[i].text), &wrong, &error));
        g_assert_cmpint(error.code, ==, LY_ERROR_PASSPHRASE);
        g_assert_nonnull(strstr(error.message, "wrong"));
    }
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAYNULJA==\n-----END PUBLIC KEY-----\n", "at byte 2"},
        {"-----BEGIN PUBLIC KEY-----\nMCow\nBQY!\n-----END PUBLIC KEY-----\n", "\"!\" is at its byte 8"},
        {"-----BEGIN PUBLIC KEY-----\nMCowB\n-----END PUBLIC KEY-----\n", "cut short after 5"},
        {"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU=\n"
         "-----END OPENSSH PRIVATE KEY-----\n",
         "cut short at byte 23"},
        {"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nAAAAAAAAAAA=\n"
         "---- END SSH2 ENCRYPTED PRIVATE KEY ----\n",
         "instead of 0x3f6ff9eb"},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LyError error = {0};
        g_assert_null(ly_key_read(crypto, ly_bytes_str(rows[i].text), NULL, &error));
        if (!strstr(error.message, rows[i].words))
            g_error("row %zu: %s", i, error.message);
    }
}

/* A certificate as PKCS#11 tokens hold them: openssl req -x509, P-256. */
static void test_x509(void)
{
    static const char base64[] =
        "MIIBbzCCARWgAwIBAgIUKFSlUKiF8n7XpUDCF9We6zUQgHUwCgYIKoZIzj0EAwIw"
        "DDEKMAgGA1UEAwwBeDAgFw0yNjExMjMwMDI2MjdaGA8yMTI2MTAzMDAwMjYyN1ow"
        "DDEKMAgGA1UEAwwBeDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLQqXADsSHCR"
        "ihSe2E2whPjOAhY534lrBjFslgk1TJHLPdtM0M/iQlj1ddr536Fr37JmM0Ti6vN3"
        "MVBlqr3md5ijUzBRMB0GA1UdDgQWBBRtRp0bQdqnoTEK5Ohj9/VWDSzpozAfBgNV"
        "HSMEGDAWgBRtRp0bQdqnoTEK5Ohj9/VWDSzpozAPBgNVHRMBAf8EBTADAQH/MAoG"
        "CCqGSM49BAMCA0gAMEUCICs0LGaWs1EBOLIPVkXq2pLKrxRQu+471nf8v35XcVj8"
        "AiEAiSUyFOVDAninP97lxxhOPHCX5UND0OOoWOvnatc2/38=";
    LY_AUTO(ly_buf_free) LyBuf der = {0};
    LyError error = {0};
    g_assert_true(ly_base64_decode(&der, ly_bytes_str(base64), false));
    LyKey *key = ly_key_read_x509(crypto, ly_buf_bytes(&der), &error);
    g_assert_nonnull(key);
    g_assert_true(is_key(key, "SHA256:tbIvjiYGbOjgw7KgZ2WdIDdpSYr2ohoC7wir/RGqQls"));
    ly_key_unref(key);
    /* The signature behind it is not looked at; the certificate's own length is. */
    for (size_t len = 0; len < der.len; len++) {
        error = (LyError){0};
        g_assert_null(ly_key_read_x509(crypto, ly_bytes(der.data, len), &error));
        g_assert_cmpint(error.code, !=, LY_OK);
    }
    for (size_t bit = 0; bit < der.len * 8; bit++) {
        der.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ly_key_unref(ly_key_read_x509(crypto, ly_buf_bytes(&der), NULL));
        der.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    g_assert_nonnull(crypto);
    g_test_add_func("/key-read/formats", test_formats);
    g_test_add_func("/key-read/descriptions", test_descriptions);
    g_test_add_func("/key-read/two-in-one", test_two_in_one);
    g_test_add_func("/key-read/blocks", test_blocks);
    g_test_add_func("/key-read/lines", test_lines);
    g_test_add_func("/key-read/sizes", test_sizes);
    g_test_add_func("/key-read/costs", test_costs);
    g_test_add_func("/key-read/headers", test_headers);
    g_test_add_func("/key-read/odd-texts", test_odd_texts);
    g_test_add_func("/key-read/sshcom-wrap", test_sshcom_wrap);
    g_test_add_func("/key-read/messages", test_messages);
    g_test_add_func("/key-read/x509", test_x509);
    int status = g_test_run();
    ly_crypto_unref(crypto);
    return status;
}
