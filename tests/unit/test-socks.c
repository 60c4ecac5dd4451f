/* core/loop/socks.h: what clients say, in every kind of pieces. */
#include <glib.h>

#include "base/memory.h"
#include "connection/connection.h"
#include "loop/socks.h"

#define TEXT(literal) LY_BYTES(literal)

typedef struct Case {
    const char *name;
    const char *user, *password;
    LyBytes in;       /* one request, and "rest" behind it where it is granted */
    const char *host; /* NULL: refused */
    uint16_t port;
    LyBytes out; /* answers before ly_socks_reply */
} Case;

#define IN(literal)                                                                                          \
    {                                                                                                        \
        (const uint8_t *)(literal), sizeof(literal) - 1                                                      \
    }

static const Case cases[] = {
    {"4", NULL, NULL, IN("\4\1\0\120\12\0\0\1bob\0rest"), "10.0.0.1", 80, IN("")},
    {"4-no-name", NULL, NULL, IN("\4\1\0\120\12\0\0\1\0rest"), "10.0.0.1", 80, IN("")},
    {"4a", NULL, NULL, IN("\4\1\1\273\0\0\0\1bob\0example.org\0rest"), "example.org", 443, IN("")},
    {"4-bind", NULL, NULL, IN("\4\2\0\120\12\0\0\1\0"), NULL, 0, IN("\0\133\0\0\0\0\0\0")},
    {"4a-no-host", NULL, NULL, IN("\4\1\0\120\0\0\0\1\0\0"), NULL, 0, IN("\0\133\0\0\0\0\0\0")},
    {"4-password-wanted", "u", "p", IN("\4\1\0\120\12\0\0\1"), NULL, 0, IN("\0\133\0\0\0\0\0\0")},
    {"5-name", NULL, NULL, IN("\5\1\0\5\1\0\3\13example.org\1\273rest"), "example.org", 443, IN("\5\0")},
    {"5-ipv4", NULL, NULL, IN("\5\2\2\0\5\1\0\1\12\0\0\2\0\120rest"), "10.0.0.2", 80, IN("\5\0")},
    {"5-ipv6", NULL, NULL, IN("\5\1\0\5\1\0\4\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1\0\120rest"), "2001:db8::1",
     80, IN("\5\0")},
    {"5-password", "alice", "secret", IN("\5\2\0\2\1\5alice\6secret\5\1\0\3\1a\0\1rest"), "a", 1,
     IN("\5\2\1\0")},
    {"5-empty-password", "alice", "", IN("\5\1\2\1\5alice\0\5\1\0\3\1a\0\1rest"), "a", 1, IN("\5\2\1\0")},
    {"5-wrong-password", "alice", "secret", IN("\5\1\2\1\5alice\6public"), NULL, 0, IN("\5\2\1\1")},
    {"5-wrong-name", "alice", "secret", IN("\5\1\2\1\6malice\6secret"), NULL, 0, IN("\5\2\1\1")},
    {"5-no-password-offered", "alice", "secret", IN("\5\1\0"), NULL, 0, IN("\5\377")},
    {"5-only-password-offered", NULL, NULL, IN("\5\1\2"), NULL, 0, IN("\5\377")},
    {"5-no-methods", NULL, NULL, IN("\5\0"), NULL, 0, IN("\5\377")},
    {"5-gssapi", NULL, NULL, IN("\5\1\1"), NULL, 0, IN("\5\377")},
    {"5-password-version", "a", "b", IN("\5\1\2\2"), NULL, 0, IN("\5\2")},
    {"5-bind", NULL, NULL, IN("\5\1\0\5\2\0\1\12\0\0\2\0\120"), NULL, 0, IN("\5\0\5\7\0\1\0\0\0\0\0\0")},
    {"5-udp", NULL, NULL, IN("\5\1\0\5\3\0\1\12\0\0\2\0\120"), NULL, 0, IN("\5\0\5\7\0\1\0\0\0\0\0\0")},
    {"5-kind", NULL, NULL, IN("\5\1\0\5\1\0\2\12"), NULL, 0, IN("\5\0\5\10\0\1\0\0\0\0\0\0")},
    {"5-empty-host", NULL, NULL, IN("\5\1\0\5\1\0\3\0\0\120"), NULL, 0, IN("\5\0\5\10\0\1\0\0\0\0\0\0")},
    {"5-nul-in-host", NULL, NULL, IN("\5\1\0\5\1\0\3\3a\0b\0\120"), NULL, 0, IN("\5\0\5\10\0\1\0\0\0\0\0\0")},
    {"5-request-version", NULL, NULL, IN("\5\1\0\4"), NULL, 0, IN("\5\0")},
    {"http", NULL, NULL, IN("GET / HTTP/1.1\r\n"), NULL, 0, IN("")},
};

/* In pieces of so many bytes; `rest` gets what was not taken. */
static LySocksStep feed(LySocks *socks, LyBytes in, size_t chunk, LyBuf *out, LyBuf *rest, LyError *error)
{
    LySocksStep step = socks->step;
    for (size_t at = 0; at < in.len; at += chunk) {
        LyBytes piece = ly_bytes_slice(in, at, chunk);
        step = ly_socks_receive(socks, &piece, out, error);
        ly_buf_add(rest, piece);
        if (step == LY_SOCKS_FAILED)
            break;
    }
    return step;
}

static void test_cases(void)
{
    static const size_t chunks[] = {1, 7, SIZE_MAX / 2};
    for (size_t i = 0; i < LY_COUNT(cases); i++) {
        for (size_t c = 0; c < LY_COUNT(chunks); c++) {
            const Case *one = &cases[i];
            LySocks socks;
            LyBuf out = {0}, rest = {0};
            LyError error = {0};
            g_test_message("%s in pieces of %zu", one->name, chunks[c]);
            ly_socks_init(&socks, one->user, one->password);
            LySocksStep step = feed(&socks, one->in, chunks[c], &out, &rest, &error);
            g_assert_cmpmem(out.data, out.len, one->out.data, one->out.len);
            if (one->host) {
                g_assert_cmpint(step, ==, LY_SOCKS_CONNECT);
                g_assert_cmpstr(socks.host, ==, one->host);
                g_assert_cmpuint(socks.port, ==, one->port);
                g_assert_cmpstr(ly_buf_str(&rest), ==, "rest");
            } else {
                g_assert_cmpint(step, ==, LY_SOCKS_FAILED);
                g_assert_cmpint(error.code, ==, LY_ERROR_PROTOCOL);
                g_assert_true(g_str_has_prefix(error.message, "SOCKS: "));
            }
            ly_buf_free(&out);
            ly_buf_free(&rest);
        }
    }
}

static void test_replies(void)
{
    static const struct {
        uint32_t reason;
        uint8_t four, five;
    } replies[] = {{0, 90, 0},
                   {SSH_OPEN_ADMINISTRATIVELY_PROHIBITED, 91, 2},
                   {SSH_OPEN_CONNECT_FAILED, 91, 5},
                   {SSH_OPEN_RESOURCE_SHORTAGE, 91, 1},
                   {4711, 91, 1}};
    for (size_t i = 0; i < LY_COUNT(replies); i++) {
        for (size_t kind = 0; kind < 2; kind++) {
            LySocks socks;
            LyBuf out = {0};
            LyBytes in = cases[kind ? 6 : 0].in;
            ly_socks_init(&socks, NULL, NULL);
            g_assert_cmpint(ly_socks_receive(&socks, &in, &out, NULL), ==, LY_SOCKS_CONNECT);
            ly_buf_clear(&out);
            ly_socks_reply(&socks, replies[i].reason, &out);
            g_assert_cmpuint(out.len, ==, kind ? 10 : 8);
            g_assert_cmpuint(out.data[0], ==, kind ? 5 : 0);
            g_assert_cmpuint(out.data[1], ==, kind ? replies[i].five : replies[i].four);
            ly_buf_clear(&out);
            ly_socks_reply(&socks, 0, &out); /* once */
            g_assert_cmpuint(out.len, ==, 0);
            ly_buf_free(&out);
        }
    }
}

/* Cut off anywhere nothing is decided wrongly; with any bit turned nothing breaks, and a password that was
 * changed is refused. */
static void test_damage(void)
{
    for (size_t i = 0; i < LY_COUNT(cases); i++) {
        const Case *one = &cases[i];
        size_t len = one->host ? one->in.len - 4 : one->in.len;
        for (size_t cut = 0; cut < len; cut++) {
            LySocks socks;
            LyBuf out = {0}, rest = {0};
            ly_socks_init(&socks, one->user, one->password);
            LySocksStep step = feed(&socks, ly_bytes_slice(one->in, 0, cut), 1000, &out, &rest, NULL);
            g_assert_true(step < LY_SOCKS_CONNECT || (step == LY_SOCKS_FAILED && !one->host));
            ly_buf_free(&out);
            ly_buf_free(&rest);
        }
        for (size_t bit = 0; bit < len * 8; bit++) {
            g_autofree uint8_t *bytes = g_memdup2(one->in.data, one->in.len);
            LySocks socks;
            LyBuf out = {0}, rest = {0};
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            ly_socks_init(&socks, one->user, one->password);
            LySocksStep step = feed(&socks, ly_bytes(bytes, one->in.len), 1000, &out, &rest, NULL);
            if (strcmp(one->name, "5-password") == 0 && bit / 8 >= 4 && bit / 8 < 17)
                g_assert_cmpint(step, !=, LY_SOCKS_CONNECT);
            ly_buf_free(&out);
            ly_buf_free(&rest);
        }
    }
}

/* A name that never ends is not kept for ever. */
static void test_endless(void)
{
    static const LyBytes beginnings[] = {IN("\4\1\0\120\12\0\0\1"), IN("\4\1\0\120\0\0\0\1x\0")};
    for (size_t i = 0; i < LY_COUNT(beginnings); i++) {
        LySocks socks;
        LyBuf out = {0};
        LyBytes in = beginnings[i];
        ly_socks_init(&socks, NULL, NULL);
        g_assert_cmpint(ly_socks_receive(&socks, &in, &out, NULL), ==, LY_SOCKS_4);
        unsigned taken = 0;
        LySocksStep step = LY_SOCKS_4;
        for (; step == LY_SOCKS_4 && taken < 1000; taken++) {
            LyBytes letter = TEXT("x");
            step = ly_socks_receive(&socks, &letter, &out, NULL);
        }
        g_assert_cmpint(step, ==, LY_SOCKS_FAILED);
        g_assert_cmpuint(taken, ==, 256);
        ly_buf_free(&out);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/socks/cases", test_cases);
    g_test_add_func("/socks/replies", test_replies);
    g_test_add_func("/socks/damage", test_damage);
    g_test_add_func("/socks/endless", test_endless);
    return g_test_run();
}
