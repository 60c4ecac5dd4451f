/* core/loop/x11-private.h: displays, authority files, the first bytes of a client. */
#include <glib.h>

#include "base/memory.h"
#include "base/wire.h"
#include "loop/x11-private.h"

#define FAKE LY_BYTES("0123456789abcdef")
#define REAL LY_BYTES("the display's own")

static void test_displays(void)
{
    static const struct {
        const char *name, *path, *host; /* both NULL: malformed */
        uint32_t number, screen;
    } cases[] = {
        {":0", "/tmp/.X11-unix/X0", "", 0, 0},
        {":12.3", "/tmp/.X11-unix/X12", "", 12, 3},
        {"unix:1", "/tmp/.X11-unix/X1", "", 1, 0},
        {"localhost:10.0", "", "localhost", 10, 0},
        {"[::1]:2", "", "::1", 2, 0},
        {"fe80::1:2.1", "", "fe80::1", 2, 1},
        {"/run/x11/socket", "/run/x11/socket", "", 0, 0},
        {"/run/x11/socket:0.1", "/run/x11/socket", "", 0, 1},
        {"/run/org.x:name", "/run/org.x:name", "", 0, 0},
        {"", NULL, NULL, 0, 0},
        {"0", NULL, NULL, 0, 0},
        {":", NULL, NULL, 0, 0},
        {":a", NULL, NULL, 0, 0},
        {":0.", NULL, NULL, 0, 0},
        {":0.a", NULL, NULL, 0, 0},
        {":-1", NULL, NULL, 0, 0},
        {":59536", NULL, NULL, 0, 0},
        {"host:99999999999999999999", NULL, NULL, 0, 0},
    };
    for (size_t i = 0; i < LY_COUNT(cases); i++) {
        LyX11Display display = {0};
        LyError error = {0};
        bool right = ly_x11_display_parse(cases[i].name, &display, &error);
        g_test_message("%s", cases[i].name);
        g_assert_true(right == (cases[i].path != NULL));
        g_assert_true(right == (error.code == LY_OK));
        if (!right)
            continue;
        g_assert_cmpstr(display.path, ==, cases[i].path);
        g_assert_cmpstr(display.host, ==, cases[i].host);
        g_assert_cmpuint(display.number, ==, cases[i].number);
        g_assert_cmpuint(display.screen, ==, cases[i].screen);
    }
    g_autofree char *long_path = g_strnfill(200, '/');
    g_autofree char *long_host = g_strconcat(long_path, long_path, ":0", NULL);
    LyX11Display display;
    g_assert_false(ly_x11_display_parse(long_path, &display, NULL));
    long_host[0] = 'h';
    g_assert_false(ly_x11_display_parse(long_host, &display, NULL));
}

static void put_u16(LyBuf *buf, size_t value)
{
    ly_put_u8(buf, (uint8_t)(value >> 8));
    ly_put_u8(buf, (uint8_t)value);
}

static void put_counted(LyBuf *buf, LyBytes bytes)
{
    put_u16(buf, bytes.len);
    ly_buf_add(buf, bytes);
}

static void put_entry(LyBuf *buf, unsigned family, LyBytes address, const char *number, const char *name,
                      const char *data)
{
    put_u16(buf, family);
    put_counted(buf, address);
    put_counted(buf, ly_bytes_str(number));
    put_counted(buf, ly_bytes_str(name));
    put_counted(buf, ly_bytes_str(data));
}

static void check_cookie(const LyBuf *file, const char *name, const char *expected)
{
    LyX11Display display;
    LyBytes cookie = {0};
    g_assert_true(ly_x11_display_parse(name, &display, NULL));
    bool found = ly_x11_authority_find(ly_buf_bytes(file), &display, "desk", &cookie);
    g_assert_true(found == (expected != NULL));
    if (found)
        g_assert_cmpmem(cookie.data, cookie.len, expected, strlen(expected));
}

static void test_authority(void)
{
    LyBuf file = {0};
    put_entry(&file, 256, LY_BYTES("other"), "0", "MIT-MAGIC-COOKIE-1", "another machine's");
    put_entry(&file, 256, LY_BYTES("desk"), "0", "XDM-AUTHORIZATION-1", "another kind");
    put_entry(&file, 256, LY_BYTES("desk"), "1", "MIT-MAGIC-COOKIE-1", "one");
    put_entry(&file, 256, LY_BYTES("desk"), "0", "MIT-MAGIC-COOKIE-1", "zero");
    put_entry(&file, 0, LY_BYTES("\12\0\0\1"), "0", "MIT-MAGIC-COOKIE-1", "by address");
    put_entry(&file, 6, LY_BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"), "0", "MIT-MAGIC-COOKIE-1", "by IPv6");
    put_entry(&file, 256, LY_BYTES("remote"), "", "MIT-MAGIC-COOKIE-1", "any number");
    check_cookie(&file, ":0", "zero");
    check_cookie(&file, ":1", "one");
    check_cookie(&file, "localhost:1.2", "one");
    check_cookie(&file, "10.0.0.1:0", "by address");
    check_cookie(&file, "[::1]:0", "by IPv6");
    check_cookie(&file, "remote:7", "any number");
    check_cookie(&file, ":2", NULL);
    check_cookie(&file, "10.0.0.2:0", NULL);
    put_entry(&file, 65535, LY_BYTES(""), "", "MIT-MAGIC-COOKIE-1", "for all");
    check_cookie(&file, ":2", "for all");
    /* cut off anywhere, and damaged anywhere */
    LyX11Display display;
    LyBytes cookie;
    g_assert_true(ly_x11_display_parse(":2", &display, NULL));
    for (size_t len = 0; len < file.len; len++) {
        g_autofree uint8_t *copy = g_memdup2(file.data, len + 1);
        g_assert_false(ly_x11_authority_find(ly_bytes(copy, len), &display, "desk", &cookie));
    }
    for (size_t bit = 0; bit < file.len * 8; bit++) {
        file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (ly_x11_authority_find(ly_buf_bytes(&file), &display, "desk", &cookie))
            g_assert_cmpuint(cookie.len, <=, 64);
        file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    ly_buf_free(&file);
}

static void put_order(LyBuf *buf, size_t value, bool big)
{
    ly_put_u8(buf, (uint8_t)(big ? value >> 8 : value));
    ly_put_u8(buf, (uint8_t)(big ? value : value >> 8));
}

static void put_padded(LyBuf *buf, LyBytes bytes)
{
    static const uint8_t zeros[3];
    ly_buf_add(buf, bytes);
    ly_buf_add(buf, ly_bytes(zeros, (4 - bytes.len % 4) % 4));
}

static void put_setup(LyBuf *buf, bool big, const char *name, LyBytes data)
{
    ly_put_u8(buf, big ? 'B' : 'l');
    ly_put_u8(buf, 0);
    put_order(buf, 11, big);
    put_order(buf, 0, big);
    put_order(buf, strlen(name), big);
    put_order(buf, data.len, big);
    put_order(buf, 0, big);
    put_padded(buf, ly_bytes_str(name));
    put_padded(buf, data);
}

static void test_first(void)
{
    for (int big = 0; big < 2; big++) {
        for (int has_real = 0; has_real < 2; has_real++) {
            LyBuf in = {0}, expected = {0}, out = {0};
            size_t used = 0;
            LyBytes real = has_real ? REAL : (LyBytes){0};
            put_setup(&in, big, "MIT-MAGIC-COOKIE-1", FAKE);
            put_setup(&expected, big, has_real ? "MIT-MAGIC-COOKIE-1" : "", real);
            for (size_t len = 0; len < in.len; len++) {
                g_autofree uint8_t *copy = g_memdup2(in.data, len + 1);
                g_assert_cmpint(ly_x11_first(ly_bytes(copy, len), FAKE, real, &used, &out), ==, LY_X11_MORE);
            }
            size_t len = in.len;
            ly_buf_add_str(&in, "requests");
            g_assert_cmpint(ly_x11_first(ly_buf_bytes(&in), FAKE, real, &used, &out), ==, LY_X11_RIGHT);
            g_assert_cmpuint(used, ==, len);
            g_assert_cmpmem(out.data, out.len, expected.data, expected.len);
            ly_buf_free(&in);
            ly_buf_free(&out);
            ly_buf_free(&expected);
        }
    }
}

static void check_wrong(const LyBuf *in, bool answered)
{
    LyBuf out = {0};
    size_t used = 4711;
    g_assert_cmpint(ly_x11_first(ly_buf_bytes(in), FAKE, REAL, &used, &out), ==, LY_X11_WRONG);
    g_assert_cmpuint(used, ==, 4711);
    g_assert_true((out.len > 8) == answered);
    if (answered) {
        g_assert_cmpuint(out.data[0], ==, 0);
        g_assert_cmpuint(out.len % 4, ==, 0);
    }
    ly_buf_free(&out);
}

static void test_wrong(void)
{
    LyBuf in = {0};
    ly_buf_add_str(&in, "GET / HTTP/1.1");
    check_wrong(&in, false);
    ly_buf_clear(&in);
    put_setup(&in, true, "MIT-MAGIC-COOKIE-1", LY_BYTES("0123456789abcdeg"));
    check_wrong(&in, true);
    ly_buf_clear(&in);
    put_setup(&in, false, "MIT-MAGIC-COOKIE-1", LY_BYTES("0123456789abcde"));
    check_wrong(&in, true);
    ly_buf_clear(&in);
    put_setup(&in, false, "XDM-AUTHORIZATION-1", FAKE);
    check_wrong(&in, true);
    ly_buf_clear(&in);
    put_setup(&in, true, "", LY_BYTES(""));
    check_wrong(&in, true);
    ly_buf_clear(&in);
    /* too long: seen from the head alone */
    g_autofree char *name = g_strnfill(1100, 'x');
    put_setup(&in, true, name, FAKE);
    in.len = 12;
    check_wrong(&in, true);
    ly_buf_clear(&in);
    /* each bit of name and cookie */
    put_setup(&in, false, "MIT-MAGIC-COOKIE-1", FAKE);
    for (size_t bit = 12 * 8; bit < (12 + 18) * 8; bit++) {
        in.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        check_wrong(&in, true);
        in.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 32 * 8; bit < in.len * 8; bit++) {
        in.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        check_wrong(&in, true);
        in.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    ly_buf_free(&in);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/x11/displays", test_displays);
    g_test_add_func("/x11/authority", test_authority);
    g_test_add_func("/x11/first", test_first);
    g_test_add_func("/x11/wrong", test_wrong);
    return g_test_run();
}
