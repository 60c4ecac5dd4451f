/* core/key: known_hosts verdicts. */
#include <glib.h>

#include "base/auto.h"
#include "key-samples.h"
#include "key/known_hosts.h"
#include "key/read.h"

#define IN_2026 1782864000u /* 1 July */
#define IN_2027 1814400000u

/* "example.com" and "[example.com]:2222", hashed by ssh-keygen -H. */
#define HASHED "|1|nT88d6udeNSVHRyyVho4Pe6Q1ag=|WB5ajP/CzwqhFVzg9tNugRz10o8="
#define HASHED_PORT "|1|DnbqkCr2KPohEFVdeIzvED3I32k=|dxhmCPEZOpNiqbrSTiZueJbsuco="

static LyCrypto *crypto;

/* Puts keys in for @NAME@ of public_samples and @CA@: the type and base64 of the line, without its comment.
 */
static char *expand(const char *text)
{
    GString *out = g_string_new(text);
    for (size_t i = 0; i <= LY_COUNT(public_samples); i++) {
        bool ca = i == LY_COUNT(public_samples);
        const char *line = ca ? ca_line : public_samples[i].line;
        g_autofree char *name = g_strdup_printf("@%s@", ca ? "CA" : public_samples[i].name);
        const char *end = strchr(strchr(line, ' ') + 1, ' ');
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

static LyKnownHosts *make_hosts(const char *text)
{
    g_autofree char *expanded = expand(text);
    LyKnownHosts *hosts = ly_known_hosts_new(crypto);
    ly_known_hosts_add(hosts, "/etc/none", LY_BYTES("# nothing here\n"));
    ly_known_hosts_add(hosts, "known_hosts", ly_bytes_str(expanded));
    return hosts;
}

static void test_verdicts(void)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
        LyHostVerdict verdict;
        unsigned line;
    } rows[] = {
        /* the key asked about is ed25519 */
        {"", "a.example", 22, LY_HOST_UNKNOWN, 0},
        {"a.example @ed25519@\n", "a.example", 22, LY_HOST_OK, 1},
        {"a.example @ed25519@", "A.Example", 22, LY_HOST_OK, 1},
        {"A.EXAMPLE @ed25519@ comment\r\n", "a.example", 22, LY_HOST_OK, 1},
        {"\n# c\n  a.example,10.0.0.1\t@ed25519@\n", "10.0.0.1", 22, LY_HOST_OK, 3},
        {"a.example @ed25519@\n", "a.example", 2222, LY_HOST_UNKNOWN, 0},
        {"[a.example]:2222 @ed25519@\n", "a.example", 2222, LY_HOST_OK, 1},
        {"[a.example]:2222 @ed25519@\n", "a.example", 22, LY_HOST_UNKNOWN, 0},
        {"[::1]:2222 @ed25519@\n", "::1", 2222, LY_HOST_OK, 1},
        {"*.example @ed25519@\n", "a.example", 22, LY_HOST_OK, 1},
        {"?.example @ed25519@\n", "ab.example", 22, LY_HOST_UNKNOWN, 0},
        {"*.example,!a.example @ed25519@\n", "a.example", 22, LY_HOST_UNKNOWN, 0},
        {"*.example,!a.example @ed25519@\n", "b.example", 22, LY_HOST_OK, 1},
        {"!a.example @ed25519@\n", "b.example", 22, LY_HOST_UNKNOWN, 0},
        {HASHED " @ed25519@\n", "example.com", 22, LY_HOST_OK, 1},
        {HASHED " @ed25519@\n", "Example.COM", 22, LY_HOST_OK, 1},
        {HASHED " @ed25519@\n", "example.org", 22, LY_HOST_UNKNOWN, 0},
        {HASHED_PORT " @ed25519@\n", "example.com", 2222, LY_HOST_OK, 1},
        {HASHED_PORT " @ed25519@\n", "example.com", 22, LY_HOST_UNKNOWN, 0},
        {"|1|AAAA|AAAA @ed25519@\n|1|@|@ @ed25519@\n|1| @ed25519@\n|1 @ed25519@\n", "example.com", 22,
         LY_HOST_UNKNOWN, 0},
        {"x @ed25519@\na.example @ecdsa256@\n", "a.example", 22, LY_HOST_NEW_TYPE, 2},
        {"x @ed25519@\na.example @CA@\n", "a.example", 22, LY_HOST_CHANGED, 2},
        {"a.example @ecdsa256@\na.example @CA@\n", "a.example", 22, LY_HOST_CHANGED, 2},
        {"a.example @CA@\na.example @ed25519@\n", "a.example", 22, LY_HOST_OK, 2},
        {"a.example @ed25519@\na.example @CA@\n", "a.example", 22, LY_HOST_OK, 1},
        {"a.example @ed25519@\n@revoked * @ed25519@\n", "a.example", 22, LY_HOST_REVOKED, 2},
        {"@revoked * @ed25519@\na.example @ed25519@\n", "a.example", 22, LY_HOST_REVOKED, 1},
        {"@revoked b.example @ed25519@\na.example @ed25519@\n", "a.example", 22, LY_HOST_OK, 2},
        {"@revoked * @CA@\na.example @ed25519@\n", "a.example", 22, LY_HOST_OK, 2},
        {"@cert-authority * @ed25519@\n", "a.example", 22, LY_HOST_UNKNOWN, 0},
        {"@unknown a.example @ed25519@\n", "a.example", 22, LY_HOST_UNKNOWN, 0},
        {"a.example\na.example ssh-ed25519\na.example ssh-ed25519 AAAA\na.example ssh-foo AAAA\n",
         "a.example", 22, LY_HOST_UNKNOWN, 0},
        {"a.example 1024 35 1234567\na.example @ed25519@\n", "a.example", 22, LY_HOST_OK, 2},
        {"* @ed25519@\n", "a,b", 22, LY_HOST_UNKNOWN, 0},
        {"* @ed25519@\n", "", 22, LY_HOST_UNKNOWN, 0},
    };
    LyKey *key = line_key(public_samples[0].line);
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LyKnownHosts *hosts = make_hosts(rows[i].text);
        LyHostCheck check;
        ly_known_hosts_check(hosts, ly_bytes_str(rows[i].host), rows[i].port, key, IN_2026, &check);
        if (check.verdict != rows[i].verdict || check.line != rows[i].line)
            g_error("row %zu: verdict %d in line %u (%s)", i, check.verdict, check.line, check.detail);
        g_assert_cmpstr(check.file, ==, rows[i].line ? "known_hosts" : NULL);
        g_assert_false(check.by_ca);
        g_assert_true((check.detail[0] == 0) ==
                      (check.verdict == LY_HOST_OK || check.verdict == LY_HOST_UNKNOWN));
        ly_known_hosts_free(hosts);
    }
    ly_key_unref(key);
}

static void test_certificates(void)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
        uint64_t now;
        LyHostVerdict verdict;
        unsigned line;
    } rows[] = {
        /* the certificate is for ecdsa384, names host.example and *.wild.example */
        {"@cert-authority *.example @CA@\n", "host.example", 22, IN_2026, LY_HOST_OK, 1},
        {"@cert-authority *.example @CA@\n", "Host.Example", 22, IN_2026, LY_HOST_OK, 1},
        {"@cert-authority *.example @CA@\n", "x.wild.example", 22, IN_2026, LY_HOST_OK, 1},
        {"@cert-authority [*.example]:2222 @CA@\n", "host.example", 2222, IN_2026, LY_HOST_OK, 1},
        {"@cert-authority *.example @CA@\n", "other.example", 22, IN_2026, LY_HOST_BAD_CERTIFICATE, 1},
        {"@cert-authority *.example @CA@\n", "host.example", 22, IN_2027, LY_HOST_BAD_CERTIFICATE, 1},
        {"@cert-authority other @CA@\n", "host.example", 22, IN_2026, LY_HOST_UNKNOWN, 0},
        {"@cert-authority * @ed25519@\n", "host.example", 22, IN_2026, LY_HOST_UNKNOWN, 0},
        {"* @CA@\n", "host.example", 22, IN_2026, LY_HOST_NEW_TYPE, 1},
        {"host.example @ecdsa384@\n", "host.example", 22, IN_2027, LY_HOST_OK, 1},
        {"@cert-authority * @CA@\n@revoked * @CA@\n", "host.example", 22, IN_2026, LY_HOST_REVOKED, 2},
        {"@cert-authority * @CA@\n@revoked * @ecdsa384@\n", "host.example", 22, IN_2026, LY_HOST_REVOKED, 2},
        {"host.example @ecdsa384@\n@cert-authority * @CA@\n", "host.example", 22, IN_2026, LY_HOST_OK, 2},
    };
    LyKey *key = line_key(cert_host), *user = line_key(cert_user);
    LyHostCheck check;
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LyKnownHosts *hosts = make_hosts(rows[i].text);
        ly_known_hosts_check(hosts, ly_bytes_str(rows[i].host), rows[i].port, key, rows[i].now, &check);
        if (check.verdict != rows[i].verdict || check.line != rows[i].line)
            g_error("row %zu: verdict %d in line %u (%s)", i, check.verdict, check.line, check.detail);
        g_assert_true(check.by_ca == (check.verdict == LY_HOST_OK && strstr(rows[i].text, "cert-authority")));
        ly_known_hosts_free(hosts);
    }
    LyKnownHosts *hosts = make_hosts("@cert-authority * @CA@\n");
    ly_known_hosts_check(hosts, LY_BYTES("alice"), 22, user, IN_2026, &check);
    g_assert_cmpint(check.verdict, ==, LY_HOST_BAD_CERTIFICATE);
    g_assert_nonnull(strstr(check.detail, "hosts"));
    ly_known_hosts_free(hosts);
    ly_key_unref(key);
    ly_key_unref(user);
}

static void test_long_lines(void)
{
    /* Ignored whole: what stands behind the limit is not a line of its own. */
    GString *text = g_string_new(NULL);
    for (size_t i = 0; i < 20000; i++)
        g_string_append(text, "host,");
    g_string_append(text, "a.example @ed25519@\nb.example @ed25519@\n");
    LyKnownHosts *hosts = make_hosts(text->str);
    LyKey *key = line_key(public_samples[0].line);
    LyHostCheck check;
    ly_known_hosts_check(hosts, LY_BYTES("a.example"), 22, key, IN_2026, &check);
    g_assert_cmpint(check.verdict, ==, LY_HOST_UNKNOWN);
    ly_known_hosts_check(hosts, LY_BYTES("b.example"), 22, key, IN_2026, &check);
    g_assert_cmpint(check.verdict, ==, LY_HOST_OK);
    g_assert_cmpuint(check.line, ==, 2);
    ly_known_hosts_free(hosts);
    g_string_free(text, TRUE);

    /* Stars by the thousand take no time to speak of. */
    text = g_string_new(NULL);
    for (size_t i = 0; i < 3000; i++)
        g_string_append(text, "*a");
    g_string_append(text, " @ed25519@\n");
    hosts = make_hosts(text->str);
    g_autofree char *name = g_strnfill(1000, 'a');
    ly_known_hosts_check(hosts, ly_bytes_str(name), 22, key, IN_2026, &check);
    g_assert_cmpint(check.verdict, ==, LY_HOST_UNKNOWN);
    ly_known_hosts_free(hosts);
    g_string_free(text, TRUE);
    ly_key_unref(key);
}

/* Cut or flipped anywhere, the host is never given another key. */
static void test_damage(void)
{
    g_autofree char *text =
        expand(HASHED " @ed25519@\n@revoked * @ecdsa256@\nexample.com,!x.example.com @rsa1024@\n");
    LyKey *key = line_key(public_samples[0].line), *other = line_key(public_samples[2].line);
    size_t len = strlen(text);
    LyHostCheck check;
    for (size_t cut = 0; cut <= len; cut++) {
        LyKnownHosts *hosts = ly_known_hosts_new(crypto);
        ly_known_hosts_add(hosts, "f", ly_bytes(text, cut));
        ly_known_hosts_check(hosts, LY_BYTES("example.com"), 22, other, IN_2026, &check);
        g_assert_true(check.verdict == LY_HOST_UNKNOWN || check.verdict == LY_HOST_NEW_TYPE);
        ly_known_hosts_check(hosts, LY_BYTES("example.com"), 22, key, IN_2026, &check);
        g_assert_true(check.verdict ==
                      (cut < (size_t)(strchr(text, '\n') - text) ? LY_HOST_UNKNOWN : LY_HOST_OK));
        ly_known_hosts_free(hosts);
    }
    for (size_t bit = 0; bit < len * 8; bit += 3) {
        text[bit / 8] ^= (char)(1 << bit % 8);
        LyKnownHosts *hosts = ly_known_hosts_new(crypto);
        ly_known_hosts_add(hosts, "f", ly_bytes(text, len));
        ly_known_hosts_check(hosts, LY_BYTES("example.com"), 22, other, IN_2026, &check);
        g_assert_true(check.verdict != LY_HOST_OK);
        ly_known_hosts_free(hosts);
        text[bit / 8] ^= (char)(1 << bit % 8);
    }
    ly_key_unref(key);
    ly_key_unref(other);
}

static void test_prefer(void)
{
    static const struct {
        const char *text, *preferred;
    } rows[] = {{"", ""},
                {"a @rsa@\n", "rsa-sha2-512,rsa-sha2-256"},
                {"a @ecdsa384@\na @ed25519@\nb @rsa@\n", "ssh-ed25519,ecdsa-sha2-nistp384"},
                {"@cert-authority a @CA@\na @ed25519@\n", "ssh-ed25519-cert-v01@openssh.com,ssh-ed25519"},
                {"@revoked a @rsa@\n", ""}};
    LyBytes algorithms = LY_BYTES(
        "ssh-ed25519-cert-v01@openssh.com,ssh-ed25519,ecdsa-sha2-nistp384,rsa-sha2-512,rsa-sha2-256");
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LyKnownHosts *hosts = make_hosts(rows[i].text);
        LY_AUTO(ly_buf_free) LyBuf out = {0};
        ly_known_hosts_prefer(hosts, LY_BYTES("a"), 22, algorithms, &out);
        g_assert_cmpstr(ly_buf_str(&out), ==, rows[i].preferred);
        ly_known_hosts_free(hosts);
    }
}

static void test_line(void)
{
    LyKey *key = line_key(public_samples[0].line), *certificate = line_key(cert_host);
    LyHostCheck check;
    LyError error = {0};
    for (int hashed = 0; hashed < 2; hashed++) {
        for (int port = 22; port < 24; port++) {
            LY_AUTO(ly_buf_free) LyBuf out = {0};
            LyKnownHosts *hosts = ly_known_hosts_new(crypto);
            g_assert_true(ly_known_hosts_line(crypto, LY_BYTES("Host.Example"), (uint16_t)port, key, hashed,
                                              &out, &error));
            g_assert_true((strstr(ly_buf_str(&out), "host.example") == NULL) == hashed);
            ly_known_hosts_add(hosts, "f", ly_buf_bytes(&out));
            ly_known_hosts_check(hosts, LY_BYTES("host.example"), (uint16_t)port, key, IN_2026, &check);
            g_assert_cmpint(check.verdict, ==, LY_HOST_OK);
            ly_known_hosts_check(hosts, LY_BYTES("host.example"), (uint16_t)(45 - port), key, IN_2026,
                                 &check);
            g_assert_cmpint(check.verdict, ==, LY_HOST_UNKNOWN);
            ly_known_hosts_free(hosts);
        }
    }
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    static const char *const bad[] = {"", "a b", "a\nb", "*", "a,b", "@revoked", "#x", "!a"};
    for (size_t i = 0; i < LY_COUNT(bad); i++)
        g_assert_false(ly_known_hosts_line(crypto, ly_bytes_str(bad[i]), 22, key, false, &out, &error));
    g_assert_cmpuint(out.len, ==, 0);
    g_assert_true(ly_known_hosts_line(crypto, LY_BYTES("h"), 22, certificate, false, &out, &error));
    g_assert_true(ly_bytes_starts_with(ly_buf_bytes(&out), "h ecdsa-sha2-nistp384 "));
    ly_key_unref(key);
    ly_key_unref(certificate);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    g_assert_nonnull(crypto);
    g_test_add_func("/known-hosts/verdicts", test_verdicts);
    g_test_add_func("/known-hosts/certificates", test_certificates);
    g_test_add_func("/known-hosts/long-lines", test_long_lines);
    g_test_add_func("/known-hosts/damage", test_damage);
    g_test_add_func("/known-hosts/prefer", test_prefer);
    g_test_add_func("/known-hosts/line", test_line);
    int status = g_test_run();
    ly_crypto_unref(crypto);
    return status;
}
