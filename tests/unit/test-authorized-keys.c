/* core/key: authorized_keys verdicts. */
#include <glib.h>
#include <stdlib.h>
#include <time.h>

#include "base/auto.h"
#include "key-samples.h"
#include "key/authorized_keys.h"
#include "key/read.h"

#define IN_2026 1782864000u /* 2026-07-01 00:00 UTC */
#define IN_2027 1814400000u

static LyCrypto *crypto;

static LyKey *line_key(const char *line)
{
    LyKey *key = ly_key_read_line(crypto, ly_bytes_str(line), NULL);
    g_assert_nonnull(key);
    return key;
}

/* The letters of what is permitted: p(ty) f(orwarding) a(gent) x(11) u(ser-rc) t(ouch) v(erify). */
static char *letters(const LyAuthorization *a)
{
    return g_strdup_printf("%s%s%s%s%s%s%s", a->pty ? "p" : "", a->port_forwarding ? "f" : "",
                           a->agent_forwarding ? "a" : "", a->x11_forwarding ? "x" : "",
                           a->user_rc ? "u" : "", a->touch_required ? "t" : "",
                           a->verify_required ? "v" : "");
}

static void check(const char *text, LyKey *key, const char *user, const char *address, uint64_t now,
                  LyAuthorization *out)
{
    ly_authorized_keys_check(crypto, ly_bytes_str(text), key, ly_bytes_str(user), ly_bytes_str(address), now,
                             out);
}

/* One line with these options in front of the ed25519 key. */
static void check_options(const char *options, const char *address, LyAuthorization *out)
{
    LyKey *key = line_key(public_samples[0].line);
    g_autofree char *text =
        g_strdup_printf("# first\n%s%s%s", options, *options ? " " : "", public_samples[0].line);
    check(text, key, "alice", address, IN_2026, out);
    ly_key_unref(key);
}

static void test_options(void)
{
    static const struct {
        const char *options;
        const char *letters; /* NULL: refused */
        const char *command, *environment;
    } rows[] = {
        {"", "pfaxut", NULL, NULL},
        {"restrict", "t", NULL, NULL},
        {"RESTRICT,Pty", "pt", NULL, NULL},
        {"restrict,port-forwarding,agent-forwarding,X11-forwarding,user-rc", "faxut", NULL, NULL},
        {"pty,restrict", "t", NULL, NULL},
        {"no-pty,no-port-forwarding", "axut", NULL, NULL},
        {"no-agent-forwarding,no-X11-forwarding,no-user-rc", "pft", NULL, NULL},
        {"no-touch-required,verify-required", "pfaxuv", NULL, NULL},
        {"command=\"ls -l\"", "pfaxut", "ls -l", NULL},
        {"command=\"echo \\\"a, b\\\" ssh-rsa\",no-pty", "faxut", "echo \"a, b\" ssh-rsa", NULL},
        {"command=\"a\\b\\\\c\"", "pfaxut", "a\\b\\\\c", NULL},
        {"command=\"\"", "pfaxut", "", NULL},
        {"environment=\"A=b c\",environment=\"D_1=\"", "pfaxut", NULL, "A=b c\nD_1=\n"},
        {"tunnel=\"0\"", "paxut", NULL, NULL},
        {"permitopen=\"host:22\",permitlisten=\"8080\"", "pfaxut", NULL, NULL},
        {"permitopen=\"host:22\",no-port-forwarding", "paxut", NULL, NULL},
        {"permitopen=\"host\"", NULL, NULL, NULL},
        {"permitopen=\"22\"", NULL, NULL, NULL},
        {"permitopen=\":22\"", NULL, NULL, NULL},
        {"permitopen=\"host:0\"", NULL, NULL, NULL},
        {"permitopen=\"host:65536\"", NULL, NULL, NULL},
        {"permitopen=\"::1:22\"", NULL, NULL, NULL},
        {"permitlisten=\"\"", NULL, NULL, NULL},
        {"expiry-time=\"20260701\"", NULL, NULL, NULL}, /* TZ is UTC here */
        {"expiry-time=\"20260702\"", "pfaxut", NULL, NULL},
        {"expiry-time=\"202607010001Z\"", "pfaxut", NULL, NULL},
        {"expiry-time=\"20260630235959\"", NULL, NULL, NULL},
        {"expiry-time=\"20270101\",expiry-time=\"20260101\"", NULL, NULL, NULL},
        {"principals=\"x\"", "pfaxut", NULL, NULL}, /* means nothing for a plain key */
        /* refused */
        {"unknown", NULL, NULL, NULL},
        {"unknown=\"x\"", NULL, NULL, NULL},
        {"no-pty,unknown=\"a b\",no-user-rc", NULL, NULL, NULL},
        {"no-restrict", NULL, NULL, NULL},
        {"no-cert-authority", NULL, NULL, NULL},
        {"no-command=\"x\"", NULL, NULL, NULL},
        {"restrict=\"yes\"", NULL, NULL, NULL},
        {"pty=\"yes\"", NULL, NULL, NULL},
        {"command", NULL, NULL, NULL},
        {"command=ls", NULL, NULL, NULL},
        {"command=\"a\",command=\"b\"", NULL, NULL, NULL},
        {"command=\"a\"x", NULL, NULL, NULL},
        {"pty,,restrict", NULL, NULL, NULL},
        {",pty", NULL, NULL, NULL},
        {"pty,", NULL, NULL, NULL},
        {"environment=\"A\"", NULL, NULL, NULL},
        {"environment=\"=x\"", NULL, NULL, NULL},
        {"environment=\"A B=x\"", NULL, NULL, NULL},
        {"principals=\"\"", NULL, NULL, NULL},
        {"expiry-time=\"\"", NULL, NULL, NULL},
        {"expiry-time=\"2026\"", NULL, NULL, NULL},
        {"expiry-time=\"20261301\"", NULL, NULL, NULL},
        {"expiry-time=\"20270231\"", NULL, NULL, NULL},
        {"expiry-time=\"20270101x\"", NULL, NULL, NULL},
        {"expiry-time=\"2027010125\"", NULL, NULL, NULL},
        {"expiry-time=\"99999999\"", NULL, NULL, NULL},
        {"cert-authority", NULL, NULL, NULL},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LyAuthorization authorization;
        check_options(rows[i].options, "192.0.2.1", &authorization);
        g_autofree char *got = letters(&authorization);
        if (authorization.found != (rows[i].letters != NULL) ||
            (rows[i].letters && strcmp(got, rows[i].letters)))
            g_error("%s: found %d, %s, %s", rows[i].options, authorization.found, got, authorization.refused);
        g_assert_cmpstr(authorization.command, ==, rows[i].command);
        g_assert_cmpstr(authorization.environment, ==, rows[i].environment);
        if (authorization.found)
            g_assert_true(authorization.line == 2 && !authorization.refused);
        else
            g_assert_cmpstr(got, ==, "");
        /* A key that is listed as a CA only is simply not there; for the rest the log can say why. */
        g_assert_true(authorization.found || authorization.refused ||
                      strcmp(rows[i].options, "cert-authority") == 0);
        ly_authorization_clear(&authorization);
    }
}

static void test_permits(void)
{
    static const struct {
        const char *options, *host;
        uint32_t port;
        bool open, listen;
    } rows[] = {
        {"", "anything", 1, true, true},
        {"no-port-forwarding", "anything", 1, false, false},
        {"restrict", "anything", 1, false, false},
        {"permitopen=\"db.test:5432\"", "db.test", 5432, true, true},
        {"permitopen=\"db.test:5432\"", "DB.test", 5432, true, true},
        {"permitopen=\"db.test:5432\"", "db.test", 5433, false, true},
        {"permitopen=\"db.test:5432\"", "db.testing", 5432, false, true},
        {"permitopen=\"db.test:5432\"", "b.test", 5432, false, true},
        {"permitopen=\"db.test:5432\"", "", 5432, false, true},
        {"permitopen=\"db.test:5432\",permitopen=\"[::1]:80\"", "::1", 80, true, true},
        {"permitopen=\"db.*:5432\"", "db.test", 5432, false, true}, /* literal */
        {"permitopen=\"*:22\"", "db.test", 22, true, true},
        {"permitopen=\"db.test:*\"", "db.test", 65535, true, true},
        {"permitopen=\"db.test:*\",no-port-forwarding", "db.test", 1, false, false},
        {"permitlisten=\"8080\"", "localhost", 8080, true, true},
        {"permitlisten=\"8080\"", "", 8080, true, true},
        {"permitlisten=\"8080\"", "", 0, true, false},
        {"permitlisten=\"localhost:8080\"", "localhost", 8080, true, true},
        {"permitlisten=\"localhost:8080\"", "127.0.0.1", 8080, true, false},
        {"permitlisten=\"localhost:8080\"", "", 8080, true, false},
        {"permitlisten=\"localhost:*\"", "localhost", 0, true, true},
        {"permitlisten=\"*.test:8080\"", "a.Test", 8080, true, true},
        {"permitlisten=\"*.test:8080\",permitlisten=\"9090\"", "x", 9090, true, true},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LyAuthorization authorization;
        check_options(rows[i].options, "192.0.2.1", &authorization);
        g_assert_true(authorization.found);
        LyBytes host = ly_bytes_str(rows[i].host);
        if (ly_authorization_may_open(&authorization, host, rows[i].port) != rows[i].open ||
            ly_authorization_may_listen(&authorization, host, rows[i].port) != rows[i].listen)
            g_error("%s: %s port %u", rows[i].options, rows[i].host, rows[i].port);
        ly_authorization_clear(&authorization);
    }
}

static void test_local_time(void)
{
    static const struct {
        const char *zone, *time;
        bool found;
    } rows[] = {{"UTC0", "202607010001", true},  {"EST5", "20260630193000", true},
                {"EST5", "202606301800", false}, {"EST5", "202606301800Z", false},
                {"EST5", "202607010001Z", true}, {"CET-1", "202607010030", false},
                {"CET-1", "202607010130", true}};
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        g_setenv("TZ", rows[i].zone, true);
        tzset();
        g_autofree char *options = g_strdup_printf("expiry-time=\"%s\"", rows[i].time);
        LyAuthorization authorization;
        check_options(options, "192.0.2.1", &authorization);
        if (authorization.found != rows[i].found)
            g_error("%s in %s", rows[i].time, rows[i].zone);
        ly_authorization_clear(&authorization);
    }
    g_setenv("TZ", "UTC0", true);
    tzset();
}

static void test_from(void)
{
    static const struct {
        const char *from, *address;
        bool found;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.10", false},
        {"192.0.2.*", "192.0.2.10", true},
        {"192.0.2.?", "192.0.2.10", false},
        {"192.0.2.0/24", "192.0.2.255", true},
        {"192.0.2.0/24", "192.0.3.0", false},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.1/32", "192.0.2.1", true},
        {"0.0.0.0/0", "1.2.3.4", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"::/0", "1.2.3.4", false},
        {"2001:db8::/32", "2001:db8:ffff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"2001:DB8:0::1", "2001:db8::1", true},
        {"2001:db8::*", "2001:db8::1", true},
        {"10.0.0.0/8", "::ffff:10.1.2.3", true},
        {"fe80::1", "fe80::1%eth0", true},
        {"*", "192.0.2.1", true},
        {"*,!192.0.2.0/24", "192.0.2.1", false},
        {"!192.0.2.0/24,*", "192.0.2.1", false},
        {"*,!192.0.2.0/24", "192.0.3.1", true},
        {"!10.0.0.0/8", "192.0.2.1", false},
        {"host.example,192.0.2.1", "192.0.2.1", true},
        {"host.example", "192.0.2.1", false},
        {"192.0.2.0/24", "", false},
        {"*", "not an address", false},
        /* malformed: the line is refused */
        {"", "192.0.2.1", false},
        {"192.0.2.0/33,*", "192.0.2.1", false},
        {"*,192.0.2.0/", "192.0.2.1", false},
        {"192.0.2.1/24,*", "192.0.2.1", false},
        {"*,,*", "192.0.2.1", false},
        {"host.example/24,*", "192.0.2.1", false},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        g_autofree char *options = g_strdup_printf("from=\"%s\"", rows[i].from);
        LyAuthorization authorization;
        check_options(options, rows[i].address, &authorization);
        if (authorization.found != rows[i].found)
            g_error("from=\"%s\" %s: %s", rows[i].from, rows[i].address, authorization.refused);
        g_assert_true(authorization.found || authorization.refused);
        ly_authorization_clear(&authorization);
    }
}

static void test_lines(void)
{
    LyKey *key = line_key(public_samples[0].line), *absent = line_key(public_samples[3].line);
    LyAuthorization authorization;
    GString *text = g_string_new("\xef\xbb\xbf# comment\n\n");
    g_string_append(text, public_samples[1].line);
    g_string_append(text, "garbage\ncommand=\"x\ncommand=\"unclosed ");
    g_string_append(text, public_samples[0].line);
    /* An over-long line is no line, and neither is its end. */
    g_string_append(text, "command=\"");
    for (size_t i = 0; i < 70000; i++)
        g_string_append_c(text, 'x');
    g_string_append_printf(text, "\" %s", public_samples[0].line);
    g_string_append_printf(text, "from=\"10.0.0.1\" %s", public_samples[0].line);
    g_string_append_printf(text, "  \tcommand=\"second\" \t %s", public_samples[0].line);
    g_string_append(text, public_samples[0].line);
    check(text->str, key, "alice", "192.0.2.1", IN_2026, &authorization);
    g_assert_true(authorization.found);
    g_assert_cmpstr(authorization.command, ==, "second");
    g_assert_cmpuint(authorization.line, ==, 9);
    ly_authorization_clear(&authorization);
    check(text->str, absent, "alice", "192.0.2.1", IN_2026, &authorization);
    g_assert_true(!authorization.found && !authorization.refused && authorization.line == 0);
    ly_authorization_clear(&authorization);
    g_string_free(text, TRUE);

    /* Cut anywhere: either the key is not there, or its options are all in force. */
    g_autofree char *line = g_strdup_printf("restrict,command=\"only this\" %s", public_samples[0].line);
    for (size_t cut = 0; cut <= strlen(line); cut++) {
        ly_authorized_keys_check(crypto, ly_bytes(line, cut), key, LY_BYTES("a"), LY_BYTES("::1"), IN_2026,
                                 &authorization);
        g_assert_true(!authorization.found ||
                      (!authorization.pty && g_str_equal(authorization.command, "only this")));
        ly_authorization_clear(&authorization);
    }
    ly_key_unref(key);
    ly_key_unref(absent);
}

static void test_certificates(void)
{
    static const struct {
        const char *options, *certificate, *user, *address;
        uint64_t now;
        const char *letters, *command; /* letters NULL: refused */
    } rows[] = {
        {"cert-authority", cert_user, "alice", "::1", IN_2026, "pfaxut", NULL},
        {"cert-authority", cert_user, "carol", "::1", IN_2026, NULL, NULL},
        {"cert-authority", cert_user, "", "::1", IN_2026, NULL, NULL},
        {"cert-authority", cert_user, "alice", "::1", IN_2027, NULL, NULL},
        {"cert-authority,principals=\"carol,bob\"", cert_user, "carol", "::1", IN_2026, "pfaxut", NULL},
        {"cert-authority,principals=\"carol\"", cert_user, "alice", "::1", IN_2026, NULL, NULL},
        {"cert-authority,principals=\"ali*\"", cert_user, "alice", "::1", IN_2026, NULL, NULL},
        {"cert-authority,principals=\"carol,bob\"", cert_user_none, "carol", "::1", IN_2026, NULL, NULL},
        {"cert-authority,no-pty", cert_user, "alice", "::1", IN_2026, "faxut", NULL},
        {"cert-authority,no-touch-required", cert_user, "alice", "::1", IN_2026, "pfaxut", NULL},
        {"cert-authority,from=\"10.0.0.1\"", cert_user, "alice", "10.0.0.2", IN_2026, NULL, NULL},
        {"no-pty", cert_user, "alice", "::1", IN_2026, NULL, NULL}, /* the CA's key itself only */
        {"cert-authority", cert_user_forced, "alice", "10.9.9.9", IN_2026, "pt", "ls -l"},
        {"cert-authority", cert_user_forced, "alice", "192.168.1.7", IN_2026, "pt", "ls -l"},
        {"cert-authority", cert_user_forced, "alice", "192.168.1.8", IN_2026, NULL, NULL},
        {"cert-authority", cert_user_forced, "alice", "", IN_2026, NULL, NULL},
        {"cert-authority,restrict", cert_user_forced, "alice", "10.9.9.9", IN_2026, "t", "ls -l"},
        {"cert-authority,command=\"ls -l\"", cert_user_forced, "alice", "10.9.9.9", IN_2026, "pt", "ls -l"},
        {"cert-authority,command=\"ls\"", cert_user_forced, "alice", "10.9.9.9", IN_2026, NULL, NULL},
        {"cert-authority,command=\"id\"", cert_user, "alice", "::1", IN_2026, "pfaxut", "id"},
        {"cert-authority", cert_user_unknown, "alice", "::1", IN_2026, NULL, NULL},
        {"cert-authority", cert_user_none, "alice", "::1", IN_2026, NULL, NULL},
        {"cert-authority", cert_host, "host.example", "::1", IN_2026, NULL, NULL},
        {"cert-authority", cert_user_rsaca, "alice", "::1", IN_2026, NULL, NULL}, /* another CA */
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LyKey *key = line_key(rows[i].certificate);
        LyAuthorization authorization;
        g_autofree char *text = g_strdup_printf("%s %s", rows[i].options, ca_line);
        check(text, key, rows[i].user, rows[i].address, rows[i].now, &authorization);
        g_autofree char *got = letters(&authorization);
        if (authorization.found != (rows[i].letters != NULL) ||
            (rows[i].letters && strcmp(got, rows[i].letters)))
            g_error("row %zu: found %d, %s, %s", i, authorization.found, got, authorization.refused);
        g_assert_cmpstr(authorization.command, ==, rows[i].command);
        ly_authorization_clear(&authorization);
        ly_key_unref(key);
    }
    /* A line with the certified key itself does not authorise the certificate, nor a CA line the CA's own
     * key. */
    LyKey *certificate = line_key(cert_user), *ca = line_key(ca_line);
    LyAuthorization authorization;
    check(public_samples[0].line, certificate, "alice", "::1", IN_2026, &authorization);
    g_assert_false(authorization.found);
    ly_authorization_clear(&authorization);
    g_autofree char *text = g_strdup_printf("cert-authority %s", ca_line);
    check(text, ca, "alice", "::1", IN_2026, &authorization);
    g_assert_false(authorization.found);
    ly_authorization_clear(&authorization);
    ly_key_unref(certificate);
    ly_key_unref(ca);
}

int main(int argc, char **argv)
{
    g_setenv("TZ", "UTC0", true);
    tzset();
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    g_assert_nonnull(crypto);
    g_test_add_func("/authorized-keys/options", test_options);
    g_test_add_func("/authorized-keys/permits", test_permits);
    g_test_add_func("/authorized-keys/local-time", test_local_time);
    g_test_add_func("/authorized-keys/from", test_from);
    g_test_add_func("/authorized-keys/lines", test_lines);
    g_test_add_func("/authorized-keys/certificates", test_certificates);
    int status = g_test_run();
    ly_crypto_unref(crypto);
    return status;
}
