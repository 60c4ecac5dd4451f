/* core/key: allowed_signers, and times. What ssh-keygen -Y of 9.2 answers, row by row. */
#include <glib.h>
#include <stdlib.h>
#include <time.h>

#include "base/auto.h"
#include "key-samples.h"
#include "key/read.h"
#include "key/sshsig.h"

#define IN_2025 1751328000u
#define JULY_2026 1782864000u /* the first, 0 o'clock */
#define IN_2027 1814400000u

static LyCrypto *crypto;

/* @ed25519@ and the others of public_samples, @CA@, @CERT@: type and base64. */
static char *expand(const char *text)
{
    GString *out = g_string_new(text);
    const char *const others[][2] = {{"@CA@", ca_line}, {"@CERT@", cert_user}, {"@RSACA@", rsa_ca_line}};
    for (size_t i = 0; i < LY_COUNT(public_samples) + LY_COUNT(others); i++) {
        size_t k = i - LY_COUNT(public_samples);
        bool other = i >= LY_COUNT(public_samples);
        const char *line = other ? others[k][1] : public_samples[i].line,
                   *end = strchr(strchr(line, ' ') + 1, ' ');
        g_autofree char *name =
            other ? g_strdup(others[k][0]) : g_strdup_printf("@%s@", public_samples[i].name);
        g_autofree char *key = g_strndup(line, (gsize)(end - line));
        g_string_replace(out, name, key, 0);
    }
    return g_string_free(out, FALSE);
}

static LyKey *line_key(const char *line)
{
    LyKey *key = ly_key_read_line(crypto, ly_bytes_str(line), NULL);
    g_assert_nonnull(key);
    return key;
}

/* `message`: of the error; NULL: allowed. */
static void check(const char *text, const char *principal, const char *name_space, const char *key_line,
                  uint64_t when, const char *message)
{
    g_autofree char *expanded = expand(text);
    LyError error = {0};
    LyKey *key = line_key(key_line);
    bool allowed = ly_allowed_signers_check(crypto, ly_bytes_str(expanded), ly_bytes_str(principal),
                                            ly_bytes_str(name_space), key, when, &error);
    if (allowed != (message == NULL) || (message && !strstr(error.message, message)))
        g_error("%s for %s: %s, expected %s", text, principal, error.message, message ? message : "yes");
    g_assert_cmpint(error.code, ==, message ? LY_ERROR_VERIFY : LY_OK);
    ly_key_unref(key);
}

static void test_lines(void)
{
    static const char unknown[] = "no line of the allowed signers has this ssh-ed25519 key for \"alice\"";
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"", unknown},
        {"alice @ed25519@", NULL},
        {"alice @ed25519@ a comment\r\n", NULL},
        {"\xef\xbb\xbf"
         "alice @ed25519@\n",
         NULL},
        {"# x\n\n \talice\t \t@ed25519@\n", NULL},
        {"alice @ecdsa256@\nalice @ed25519@\n", NULL},
        {"alice @ecdsa256@\nbob @ed25519@\n", unknown},
        {"#alice @ed25519@\n", unknown},
        {"Alice @ed25519@\n", unknown},
        {"bob,al* @ed25519@\n", NULL},
        {"a?ice @ed25519@\n", NULL},
        {"*,!alice @ed25519@\n", unknown},
        {"!bob @ed25519@\n", unknown},
        {"\"alice\" @ed25519@\n", NULL},
        {"\"b ob,alice\"@ed25519@\n", NULL},
        {"\"alice @ed25519@\n", "line 1 of the allowed signers cannot be read: a quote"},
        {"al\"ice @ed25519@\n", "a quote"},
        {"alice\n", "it has no key"},
        {"alice ssh-ed25519\n", "its key is not base64"},
        {"alice ssh-ed25519 AAAA@\n", "its key is not base64"},
        {"alice ssh-ed25519 AAAA\n", "line 1 of the allowed signers cannot be read"},
        {"alice restrict @ed25519@\n", "the option \"restrict\" is unknown"},
        {"alice valid-after=\"20250101\" ssh-new AAAA\n", "the key type \"ssh-new\" is not known"},
        /* what cannot be read hides nothing */
        {"alice\nalice nonsense\nalice @ed25519@\n", NULL},
        {"alice\nbob @ed25519@\n", "(line 1 of the allowed signers cannot be read: it has no key)"},
        /* options */
        {"alice namespaces=\"file\" @ed25519@\n", NULL},
        {"alice NameSpaces=\"git,f*\" @ed25519@\n", NULL},
        {"alice namespaces=\"*,!file\" @ed25519@\n",
         "but not for this: its namespaces do not include \"file\""},
        {"alice namespaces=\"FILE\" @ed25519@\n", "do not include"},
        {"alice namespaces=\"\" @ed25519@\n", "do not include"},
        {"alice namespaces=\"git\" @ed25519@\nalice @ed25519@\n", NULL},
        {"alice namespaces=\"a\\\"b,file\" @ed25519@\n", NULL},
        {"alice namespaces=file @ed25519@\n", "the option \"namespaces\""},
        {"alice namespaces @ed25519@\n", "the option \"namespaces\""},
        {"alice namespaces=\"file\",namespaces=\"file\" @ed25519@\n", "given twice"},
        {"alice namespaces=\"file\", @ed25519@\n", "the option \"\""},
        {"alice valid-after=\"20260701Z\" @ed25519@\n", NULL},
        {"alice valid-after=\"20260701000001Z\" @ed25519@\n", "it is not yet valid"},
        {"alice valid-before=\"20260701Z\" @ed25519@\n", NULL}, /* still */
        {"alice valid-before=\"20260630235959Z\" @ed25519@\n", "it is no longer valid"},
        {"alice valid-after=\"20250101Z\",valid-before=\"20270101Z\" @ed25519@\n", NULL},
        {"alice valid-after=\"20270101Z\",valid-before=\"20250101Z\" @ed25519@\n",
         "valid-before is not after"},
        {"alice valid-after=\"soon\" @ed25519@\n", "the option \"valid-after\""},
        {"alice valid-after=\"19700101Z\" @ed25519@\n", "the option \"valid-after\""},
        {"alice valid-before=\"20250101Z\",valid-before=\"20270101Z\" @ed25519@\n", "given twice"},
        {"alice valid-before @ed25519@\n", "the option \"valid-before\""},
        {"alice cert-authority @ed25519@\n", unknown},
        {"alice cert-authority=\"yes\" @ed25519@\n", "the option \"cert-authority\""},
        {"alice @CERT@\n", unknown}, /* the key is not its certificate */
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++)
        check(rows[i].text, "alice", "file", public_samples[0].line, JULY_2026, rows[i].message);
    check("alice namespaces=\"git\" @ed25519@\n", "alice", "", public_samples[0].line, JULY_2026, NULL);
    check("* @ed25519@\n", "", "file", public_samples[0].line, JULY_2026, NULL);
}

static void test_certificates(void)
{
    static const struct {
        const char *text, *principal, *key;
        uint64_t when;
        const char *message;
    } rows[] = {
        {"alice cert-authority @CA@\n", "alice", cert_user, JULY_2026, NULL},
        {"* cert-authority @CA@\n", "bob", cert_user, JULY_2026, NULL},
        {"* cert-authority @CA@\n", "carol", cert_user, JULY_2026, "the certificate is not for \"carol\""},
        {"* cert-authority @CA@\n", "", cert_user, JULY_2026, "the certificate is not for \"\""},
        {"bob cert-authority @CA@\n", "alice", cert_user, JULY_2026,
         "has this ssh-ed25519-cert-v01@openssh.com key"},
        {"* cert-authority @CA@\n", "alice", cert_user, IN_2025, "not yet valid"},
        {"* cert-authority @CA@\n", "alice", cert_user, IN_2027, "has expired"},
        {"* cert-authority @RSACA@\n", "alice", cert_user, JULY_2026, "no line"},
        {"* @CA@\n", "alice", cert_user, JULY_2026, "no line"},
        {"* @ed25519@\n", "alice", cert_user, JULY_2026, "no line"}, /* nor the certificate its key */
        {"* @CERT@\n", "alice", cert_user, JULY_2026, NULL},
        {"* cert-authority @CERT@\n", "alice", cert_user, JULY_2026, "no line"},
        {"* cert-authority,namespaces=\"git\" @CA@\n", "alice", cert_user, JULY_2026, "its namespaces"},
        {"* cert-authority,valid-before=\"20260101Z\" @CA@\n", "alice", cert_user, JULY_2026,
         "no longer valid"},
        {"* cert-authority @CA@\n", "alice", cert_user_none, JULY_2026,
         "the certificate is not for \"alice\""},
        {"* cert-authority @CA@\n", "alice", cert_user_unknown, JULY_2026, "critical option"},
        {"* cert-authority @CA@\n", "host.example", cert_host, JULY_2026, "is not one for users"},
        {"* cert-authority @RSACA@\n", "alice", cert_user_rsaca, JULY_2026, NULL},
        {"* cert-authority @RSACA@\n", "alice", cert_user_sha1, JULY_2026,
         "the CA's signature does not hold"},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++)
        check(rows[i].text, rows[i].principal, "file", rows[i].key, rows[i].when, rows[i].message);
}

static void test_find(void)
{
    static const struct {
        const char *text, *key, *name_space, *found; /* NULL: none */
    } rows[] = {
        {"", NULL, "", NULL}, /* `key` NULL: ed25519 */
        {"x\nalice,a* @ecdsa256@\nbob,b*,,!x @ed25519@\ncarl @ed25519@\n", NULL, "", "bob\nb*\n!x\n"},
        {"\"a b,c\" @ed25519@\n", NULL, "", "a b\nc\n"},
        {"old valid-before=\"20200101\" @ed25519@\nnew @ed25519@\n", NULL, "", "new\n"},
        {"git namespaces=\"git\" @ed25519@\nnew @ed25519@\n", NULL, "", "git\n"},
        {"git namespaces=\"git\" @ed25519@\nnew @ed25519@\n", NULL, "file", "new\n"},
        {", @ed25519@\n", NULL, "", NULL},
        {"a\033[0m @ed25519@\n", NULL, "", NULL},
        {"*,bob cert-authority @CA@\n", cert_user, "", "alice\nbob\n"},
        {"bo*,alice cert-authority @CA@\n", cert_user, "", "bob\nalice\n"},
        {"*,!bob cert-authority @CA@\n", cert_user, "", "alice\n"},
        {"carl cert-authority @CA@\nbob cert-authority @CA@\n", cert_user, "", "bob\n"},
        {"carl cert-authority @CA@\n", cert_user, "", NULL},
        {"* cert-authority @CA@\n", NULL, "", NULL},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        g_autofree char *expanded = expand(rows[i].text);
        LY_AUTO(ly_buf_free) LyBuf out = {0};
        LyError error = {0};
        LyKey *key = line_key(rows[i].key ? rows[i].key : public_samples[0].line);
        g_assert_cmpint(ly_allowed_signers_find(crypto, ly_bytes_str(expanded),
                                                ly_bytes_str(rows[i].name_space), key, JULY_2026, &out,
                                                &error),
                        ==, rows[i].found != NULL);
        g_assert_cmpstr(ly_buf_str(&out), ==, rows[i].found ? rows[i].found : "");
        g_assert_cmpint(error.code, ==, rows[i].found ? LY_OK : LY_ERROR_VERIFY);
        ly_key_unref(key);
    }
}

static void test_match(void)
{
    static const struct {
        const char *text, *found;
    } rows[] = {
        {"", NULL},
        {"bob @ed25519@\n", NULL},
        {"ali*,x @ed25519@\nbob @CA@\n!alice,a* @CA@\na* cert-authority @CA@\n", "ali*,x\na*\n"},
        {"\"alice,b ob\" namespaces=\"x\" @CA@\n", "alice,b ob\n"},
        {"alice nonsense\nalice @ed25519@\n", "alice\n"},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        g_autofree char *expanded = expand(rows[i].text);
        LY_AUTO(ly_buf_free) LyBuf out = {0};
        LyError error = {0};
        g_assert_cmpint(ly_allowed_signers_match(ly_bytes_str(expanded), LY_BYTES("alice"), &out, &error), ==,
                        rows[i].found != NULL);
        g_assert_cmpstr(ly_buf_str(&out), ==, rows[i].found ? rows[i].found : "");
        g_assert_cmpint(error.code, ==, rows[i].found ? LY_OK : LY_ERROR_VERIFY);
    }
}

static void test_long_line(void)
{
    g_autofree char *blanks = g_strnfill(64 << 10, ' ');
    g_autofree char *text = g_strdup_printf("alice%s@ed25519@\n", blanks);
    check(text, "alice", "file", public_samples[0].line, JULY_2026, "it is over 64 KiB");
}

static void test_damage(void)
{
    g_autofree char *line =
        expand("a* cert-authority,namespaces=\"f\\\"ile\",valid-after=\"20260101\" @CA@\n");
    LyKey *key = line_key(cert_user);
    LyBuf out = {0};
    size_t len = strlen(line);
    for (size_t cut = 0; cut <= len; cut++) {
        char *copy = g_memdup2(line, cut + 1); /* of its size: the sanitizer sees what reads beyond */
        ly_allowed_signers_check(crypto, ly_bytes(copy, cut), LY_BYTES("alice"), LY_BYTES("file"), key,
                                 JULY_2026, NULL);
        ly_allowed_signers_find(crypto, ly_bytes(copy, cut), (LyBytes){0}, key, JULY_2026, &out, NULL);
        g_free(copy);
    }
    for (size_t bit = 0; bit < len * 8; bit++) {
        line[bit / 8] = (char)(line[bit / 8] ^ 1 << bit % 8);
        ly_allowed_signers_check(crypto, ly_bytes(line, len), LY_BYTES("alice"), LY_BYTES("file"), key,
                                 JULY_2026, NULL);
        ly_allowed_signers_match(ly_bytes(line, len), LY_BYTES("alice"), &out, NULL);
        line[bit / 8] = (char)(line[bit / 8] ^ 1 << bit % 8);
    }
    ly_buf_free(&out);
    ly_key_unref(key);
}

static void test_times(void)
{
    static const struct {
        const char *text;
        uint64_t seconds; /* UINT64_MAX: refused */
    } rows[] = {
        {"20260701Z", JULY_2026},
        {"20260701z", JULY_2026},
        {"20260701UTC", JULY_2026},
        {"202607010102Z", JULY_2026 + 3720},
        {"20260701010203Z", JULY_2026 + 3723},
        {"19700101Z", 0},
        {"20240229Z", 1709164800},
        {"20260701", JULY_2026 - 7200}, /* summer */
        {"20260701020000", JULY_2026},
        {"20260101", 1767225600 - 3600},
        {"", UINT64_MAX},
        {"Z", UINT64_MAX},
        {"UTC", UINT64_MAX},
        {"2026", UINT64_MAX},
        {"2026070112Z", UINT64_MAX},
        {"202607011260Z", UINT64_MAX},
        {"202607012400Z", UINT64_MAX},
        {"20261301Z", UINT64_MAX},
        {"20260001Z", UINT64_MAX},
        {"20260229Z", UINT64_MAX},
        {"20260231", UINT64_MAX},
        {"19691231Z", UINT64_MAX},
        {"19700101", UINT64_MAX}, /* an hour before 1970 */
        {"2026070 Z", UINT64_MAX},
        {"+2026071Z", UINT64_MAX},
        {"20260701ZZ", UINT64_MAX},
        {"20260701GMT", UINT64_MAX},
    };
    g_assert_cmpint(setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1), ==, 0);
    tzset();
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LyError error = {0};
        uint64_t seconds = UINT64_MAX;
        bool good = ly_time_read(ly_bytes_str(rows[i].text), &seconds, &error);
        g_assert_cmpint(good, ==, rows[i].seconds != UINT64_MAX);
        g_assert_cmpuint(seconds, ==, rows[i].seconds);
        g_assert_cmpint(error.code, ==, good ? LY_OK : LY_ERROR_INVALID);
    }
    g_assert_cmpint(setenv("TZ", "UTC", 1), ==, 0);
    tzset();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    g_assert_nonnull(crypto);
    g_test_add_func("/allowed-signers/lines", test_lines);
    g_test_add_func("/allowed-signers/certificates", test_certificates);
    g_test_add_func("/allowed-signers/find", test_find);
    g_test_add_func("/allowed-signers/match", test_match);
    g_test_add_func("/allowed-signers/long-line", test_long_line);
    g_test_add_func("/allowed-signers/damage", test_damage);
    g_test_add_func("/allowed-signers/times", test_times);
    int status = g_test_run();
    ly_crypto_unref(crypto);
    return status;
}
