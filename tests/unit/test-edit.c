/* core/key: known_hosts and authorized_keys as text. Expected texts are what ssh-keygen 9.2 makes of them. */
#include <glib.h>

#include "base/auto.h"
#include "key-samples.h"
#include "key/authorized_keys.h"
#include "key/edit.h"
#include "key/known_hosts.h"
#include "key/read.h"

/* "example.com" and "[example.com]:2222", hashed by ssh-keygen -H. */
#define HASHED "|1|nT88d6udeNSVHRyyVho4Pe6Q1ag=|WB5ajP/CzwqhFVzg9tNugRz10o8="
#define HASHED_PORT "|1|DnbqkCr2KPohEFVdeIzvED3I32k=|dxhmCPEZOpNiqbrSTiZueJbsuco="
#define K "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINE2QrkCwoXiJI15GXzVnaUN32i0mbw7megOeD8BWKbx"

static LyCrypto *crypto;

static void test_words(void)
{
    LyBytes text = LY_BYTES("\xef\xbb\xbf@revoked a,b\t" K "  a comment \r\n# c\n\n \r\n|1|x|y ssh-rsa AAAA");
    unsigned number = 0;
    LyHostLine line;
    g_assert_true(ly_host_line_next(&text, &number, &line));
    g_assert_cmpuint(line.number, ==, 1);
    g_assert_true(line.understood && !line.malformed && !line.hashed);
    g_assert_true(ly_bytes_is(line.marker, "@revoked") && ly_bytes_is(line.hosts, "a,b"));
    g_assert_true(ly_bytes_is(line.type, "ssh-ed25519") && ly_bytes_is(line.comment, "a comment"));
    g_assert_true(ly_bytes_is(line.key, K "  a comment") && ly_bytes_starts_with(line.base64, "AAAAC3"));
    g_assert_true(line.line.data[line.line.len - 1] == '\n' && line.line.data[0] == 0xef);
    for (unsigned i = 2; i <= 4; i++) {
        g_assert_true(ly_host_line_next(&text, &number, &line));
        g_assert_cmpuint(line.number, ==, i);
        g_assert_true(!line.understood && !line.malformed && line.hosts.len == 0 && line.line.len);
    }
    g_assert_true(ly_host_line_next(&text, &number, &line));
    g_assert_true(line.understood && line.hashed && line.comment.len == 0 && line.marker.len == 0);
    g_assert_false(ly_host_line_next(&text, &number, &line));
    g_assert_cmpuint(number, ==, 5);

    static const char *const malformed[] = {"a",       "a ssh-rsa",   "a ssh-rsa # x",
                                            "a # b c", "@other a " K, "@revoked " K};
    for (size_t i = 0; i < LY_COUNT(malformed); i++) {
        text = ly_bytes_str(malformed[i]);
        number = 7;
        g_assert_true(ly_host_line_next(&text, &number, &line));
        g_assert_true(line.malformed && !line.understood && line.hosts.len == 0);
        g_assert_cmpuint(line.number, ==, 8);
    }
    g_autofree char *blanks = g_strnfill(64 << 10, 'a');
    g_autofree char *much = g_strdup_printf("a " K " %s\nb " K, blanks);
    text = ly_bytes_str(much);
    g_assert_true(ly_host_line_next(&text, &number, &line) && line.malformed && !line.understood);
    g_assert_true(ly_host_line_next(&text, &number, &line) && line.understood);
}

static void test_matches(void)
{
    static const struct {
        const char *hosts, *name;
        bool matches;
    } rows[] = {
        {"one.ex", "one.ex", true},
        {"ONE.ex", "one.Ex", true},
        {"one.ex", "one", false},
        {"one.ex", "", false},
        {"x,one.ex", "one.ex", true},
        {"one.ex", "[one.ex]:2222", false},
        {"[one.ex]:2222", "[one.ex]:2222", true},
        {"[*]:2222", "[one.ex]:2222", true},
        {"*.ex", "one.ex", true},
        {"*.ex,!one.ex", "one.ex", false},
        {"!one.ex", "two.ex", false},
        {"@revoked *.ex", "one.ex", true},
        {HASHED, "example.com", true},
        {HASHED, "Example.COM", true}, /* ssh-keygen 9.2 forgets the lower case here */
        {HASHED, "example.org", false},
        {HASHED, "[example.com]:2222", false},
        {HASHED_PORT, "[example.com]:2222", true},
        {HASHED ",x", "x", false},
        {HASHED ",x", "example.com", false},
        {"|1|AAAA|AAAA", "example.com", false},
        {"|2|x", "|2|x", false},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        g_autofree char *line = g_strdup_printf("%s " K "\n", rows[i].hosts);
        LyBytes text = ly_bytes_str(line);
        LyHostLine parts;
        unsigned number = 0;
        g_assert_true(ly_host_line_next(&text, &number, &parts));
        if (ly_host_line_matches(crypto, &parts, ly_bytes_str(rows[i].name)) != rows[i].matches)
            g_error("%s and %s", rows[i].hosts, rows[i].name);
    }
}

static void note_line(void *user, const LyHostLine *line)
{
    g_string_append_printf(user, "%u ", line->number);
}

static const char hosts_text[] = "one.ex,two.ex " K " c\n"
                                 "[one.ex]:2222 " K "\r\n"
                                 "# comment one.ex\n"
                                 "\n"
                                 "  lead.ex\t" K "   com ment\n"
                                 "@cert-authority *.ex " K "\n"
                                 "@revoked one.ex " K "\n"
                                 "*.pat,!one.ex " K "\n"
                                 "a,,B " K "\r\n"
                                 "broken one.ex\n"
                                 "ONE.ex " K "\n" HASHED " " K "\n"
                                 "last.ex " K;

static void test_remove(void)
{
    static const struct {
        const char *name, *lines;
    } rows[] = {
        {"one.ex", "1 11 "},
        {"One.EX", "1 11 "},
        {"two.ex", "1 "},
        {"[one.ex]:2222", "2 "},
        {"lead.ex", "5 "},
        {"x.pat", "8 "},
        {"example.com", "12 "},
        {"last.ex", "13 "},
        {"b", "9 "},
        {"broken", ""},
        {"", ""},
        {"#", ""},
        {"[one.ex]:2223", ""},
        {"a,,B", ""},
    };
    g_auto(GStrv) lines = g_strsplit(hosts_text, "\n", -1);
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        g_autoptr(GString) gone = g_string_new(""), expected = g_string_new("");
        LY_AUTO(ly_buf_free) LyBuf out = {0};
        size_t count = ly_known_hosts_remove(crypto, ly_bytes_str(hosts_text), ly_bytes_str(rows[i].name),
                                             &out, note_line, gone);
        g_assert_cmpstr(gone->str, ==, rows[i].lines);
        for (unsigned k = 0; lines[k]; k++) {
            g_autofree char *number = g_strdup_printf(" %u ", k + 1),
                            *list = g_strdup_printf(" %s", rows[i].lines);
            if (strstr(list, number))
                count--;
            else
                g_string_append_printf(expected, "%s\n", lines[k]);
        }
        g_assert_cmpuint(count, ==, 0);
        g_assert_cmpstr(ly_buf_str(&out), ==, expected->str);
    }
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    g_assert_cmpuint(ly_known_hosts_remove(crypto, (LyBytes){0}, LY_BYTES("x"), &out, NULL, NULL), ==, 0);
    g_assert_cmpuint(out.len, ==, 0);
}

static void test_hash(void)
{
    static const char *const expected[] = {
        "@one.ex " K " c\n",
        "@two.ex " K " c\n",
        "@[one.ex]:2222 " K "\r\n",
        "# comment one.ex\n",
        "\n",
        "@lead.ex " K "   com ment\n",
        "@cert-authority *.ex " K "\n",
        "@revoked one.ex " K "\n",
        "*.pat,!one.ex " K "\n",
        "@a " K "\r\n",
        "@b " K "\r\n", /* which ssh-keygen loses, behind an empty name */
        "broken one.ex\n",
        "@one.ex " K "\n",
        HASHED " " K "\n",
        "@last.ex " K "\n",
    };
    g_autoptr(GString) kept = g_string_new("");
    LY_AUTO(ly_buf_free) LyBuf out = {0}, again = {0};
    g_assert_cmpuint(ly_known_hosts_hash(crypto, ly_bytes_str(hosts_text), &out, note_line, kept), ==, 6);
    g_assert_cmpstr(kept->str, ==, "6 7 8 10 ");
    LyBytes text = ly_buf_bytes(&out);
    unsigned number = 0;
    LyHostLine line;
    for (size_t i = 0; i < LY_COUNT(expected); i++) {
        g_assert_true(ly_host_line_next(&text, &number, &line));
        g_autofree char *have = g_strndup((const char *)line.line.data, line.line.len);
        const char *blank = strchr(expected[i], ' ');
        if (expected[i][0] != '@' || line.marker.len) {
            g_assert_cmpstr(have, ==, expected[i]);
            continue;
        }
        LyBytes name = ly_bytes(expected[i] + 1, (size_t)(blank - expected[i]) - 1);
        g_assert_true(line.hashed && ly_host_line_matches(crypto, &line, name));
        g_assert_cmpstr(strchr(have, ' '), ==, blank);
    }
    g_assert_false(ly_host_line_next(&text, &number, &line));
    /* Salts differ, and what is hashed stays. */
    g_assert_cmpuint(ly_known_hosts_hash(crypto, ly_buf_bytes(&out), &again, NULL, NULL), ==, 0);
    g_assert_cmpmem(again.data, again.len, out.data, out.len);
    ly_buf_clear(&again);
    g_assert_cmpuint(ly_known_hosts_hash(crypto, LY_BYTES("a " K "\na " K "\n,, " K), &again, NULL, NULL), ==,
                     2);
    g_assert_true(g_str_has_suffix(ly_buf_str(&again), "\n,, " K "\n"));
    g_assert_cmpint(memcmp(again.data, again.data + again.len / 2, 30), !=, 0);
}

static void add(const char *text, const char *options, const char *expected, bool present)
{
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    LyError error = {0};
    LyKey *key = ly_key_read_line(crypto, ly_bytes_str(public_samples[0].line), NULL);
    bool there = !present;
    g_assert_true(
        ly_authorized_keys_add(crypto, ly_bytes_str(text), key, ly_bytes_str(options), &out, &there, &error));
    g_assert_cmpstr(ly_buf_str(&out), ==, expected);
    g_assert_cmpint(there, ==, present);
    ly_key_unref(key);
}

static void test_add(void)
{
    static const struct {
        const char *text, *options, *added; /* NULL: it was there */
    } rows[] = {
        {"", "", K " alice@example\n"},
        {"# mine\n\n", "", K " alice@example\n"},
        {"# mine", "", "\n" K " alice@example\n"},
        {"x\r\n", "restrict,command=\"a \\\"b\\\" c\"",
         "restrict,command=\"a \\\"b\\\" c\" " K " alice@example\n"},
        {K, "", NULL},
        {"#\n  " K " other\r\n", "restrict", NULL},
        {"\xef\xbb\xbf" K "\n", "", NULL},
        {"command=\"x " K "\" ssh-rsa AAAA\n", "", K " alice@example\n"},
        {"no-such-option=\"a b\",pty " K "\n", "", NULL},
        {"#" K "\n", "", K " alice@example\n"},
        {"from=\"a " K "\n", "", K " alice@example\n"},
    };
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        g_autofree char *expected = g_strconcat(rows[i].text, rows[i].added, NULL);
        add(rows[i].text, rows[i].options, expected, rows[i].added == NULL);
    }
}

static void test_add_errors(void)
{
    static const struct {
        const char *options, *message;
    } rows[] = {
        {"frobnicate", "\"frobnicate\""},
        {"command=ls", "\"command\""},
        {"command=\"ls", "\"command\""},
        {"command", "\"command\""},
        {"command=\"a\",command=\"b\"", "\"command\""},
        {"restrict,", "\"\""},
        {",restrict", "\"\""},
        {"restrict,,pty", "\"\""},
        {"restrict pty", "\" pty\" follows"},
        {"restrict ", "\" \" follows"},
        {"command=\"a\nb\"", "byte 11 ends it"},
        {"expiry-time=\"someday\"", "\"expiry-time\""},
        {"expiry-time=\"19700101Z\"", "\"expiry-time\""},
        {"from=\"10.1.2.3/8\"", "\"from\""},
        {"environment=\"a b=c\"", "\"environment\""},
    };
    LyKey *key = ly_key_read_line(crypto, ly_bytes_str(public_samples[0].line), NULL);
    LyKey *certificate = ly_key_read_line(crypto, ly_bytes_str(cert_user), NULL);
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    bool present = true;
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LyError error = {0};
        g_assert_false(ly_authorized_keys_add(crypto, LY_BYTES(K "\n"), key, ly_bytes_str(rows[i].options),
                                              &out, &present, &error));
        g_assert_cmpint(error.code, ==, LY_ERROR_INVALID);
        if (!strstr(error.message, rows[i].message))
            g_error("%s: %s", rows[i].options, error.message);
    }
    LyError error = {0};
    g_assert_false(
        ly_authorized_keys_add(crypto, (LyBytes){0}, certificate, (LyBytes){0}, &out, &present, &error));
    g_assert_nonnull(strstr(error.message, "certificate"));
    g_assert_cmpuint(out.len, ==, 0);
    ly_key_unref(certificate);
    ly_key_unref(key);
}

/* A comment cannot start another line, and what was added is what the server finds. */
static void test_add_comment(void)
{
    LyKey *plain = ly_key_read_line(crypto, ly_bytes_str(public_samples[0].line), NULL);
    LyKey *key = ly_key_new_commented(plain, LY_BYTES("x\nssh-rsa AAAA"));
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    LyAuthorization authorization;
    bool present;
    g_assert_true(
        ly_authorized_keys_add(crypto, (LyBytes){0}, key, LY_BYTES("no-pty"), &out, &present, NULL));
    g_assert_cmpstr(ly_buf_str(&out), ==, "no-pty " K " x ssh-rsa AAAA\n");
    ly_authorized_keys_check(crypto, ly_buf_bytes(&out), plain, LY_BYTES("u"), (LyBytes){0}, 0,
                             &authorization);
    g_assert_true(authorization.found && !authorization.pty && authorization.user_rc);
    ly_authorization_clear(&authorization);
    ly_key_unref(key);
    ly_key_unref(plain);
}

/* Nothing is read beyond the text, whatever is cut or flipped, and remove keeps what it does not take. */
static void test_damage(void)
{
    size_t len = strlen(hosts_text);
    for (size_t cut = 0; cut <= len; cut++) {
        char *copy = g_malloc(cut ? cut : 1);
        memcpy(copy, hosts_text, cut);
        LY_AUTO(ly_buf_free) LyBuf out = {0};
        g_assert_cmpuint(
            ly_known_hosts_remove(crypto, ly_bytes(copy, cut), LY_BYTES("none"), &out, NULL, NULL), ==, 0);
        g_assert_cmpmem(out.data, cut, copy, cut);
        g_free(copy);
    }
    g_autofree char *text = g_strdup(hosts_text);
    for (size_t bit = 0; bit < len * 8; bit += 3) {
        LY_AUTO(ly_buf_free) LyBuf out = {0};
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        ly_known_hosts_remove(crypto, ly_bytes(text, len), LY_BYTES("one.ex"), &out, NULL, NULL);
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    g_assert_nonnull(crypto);
    g_test_add_func("/edit/words", test_words);
    g_test_add_func("/edit/matches", test_matches);
    g_test_add_func("/edit/remove", test_remove);
    g_test_add_func("/edit/hash", test_hash);
    g_test_add_func("/edit/add", test_add);
    g_test_add_func("/edit/add-errors", test_add_errors);
    g_test_add_func("/edit/add-comment", test_add_comment);
    g_test_add_func("/edit/damage", test_damage);
    int status = g_test_run();
    ly_crypto_unref(crypto);
    return status;
}
